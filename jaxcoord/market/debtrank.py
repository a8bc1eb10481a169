"""DebtRank: how much of a system's value a distress destroys while it travels, before anybody defaults.

The distress h of a bank is the share of its equity that is lost. A bank that has lent `A_ij` to a borrower in distress
h_j loses `A_ij h_j` of its equity `E_i`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxcoord.errors import ParameterError, nearest
from jaxcoord.market import checks

Array = jax.Array
SWEEPS = 10_000  # of the linear rule, at most
RULES = ("linear", "single-hit")


class Distress(NamedTuple):
    """Where a distress ends (see `debtrank`)."""

    distress: Array
    """`[N]`: h in the end, share of equity lost, 0 to 1."""
    debtrank: Array
    """`[]`: value lost beyond the first distress, as a share of all."""


def debtrank(claims: Any, equity: Any, first: Any, weights: Any, rule: str = "linear") -> Distress:
    """The distress that a first distress leads to, and the share of value that it destroys, sum_i w_i (h_i - h0_i).

    linear: every increase is passed on, h_i += sum_j A_ij / E_i (increase of h_j), up to 1.
    single-hit: a bank passes its distress on once, in the round after it fell into any, h_j += sum_i W_ij h_i with
    W_ij = min(1, A_ji / E_j), up to 1: less is lost wherever claims form a cycle.

    Args:
      claims: `[N, N]`, A_ij that i has lent to j, money; no diagonal.
      equity: `[N]`, E, above 0, money.
      first: `[N]`, h0, 0 to 1; 1 is a failure.
      weights: `[N]`, share of each bank in the value of all; they sum to one.
      rule: "linear" or "single-hit".
    Returns: a `Distress`.
    Raises: ParameterError where a claim is negative, not finite or on oneself, equity is not above 0, h0 not a share,
      the weights do not sum to one, or lengths differ.
    Source: Battiston et al. 2012, Sci. Rep. 2:541 (single-hit); Bardoscia et al. 2015, PLoS ONE 10:e0130406, eq. 5.
    """
    if rule not in RULES:
        raise ParameterError(f"rule = {rule!r}: one of {', '.join(map(repr, RULES))}{nearest(str(rule), RULES)}")
    claims = checks.owed("claims", claims)
    banks = len(claims)
    equity = checks.above_zero("equity", checks.amounts("equity", equity, banks))
    first = checks.sized("first", checks.share("first", first), banks)
    weights = checks.amounts("weights", weights, banks)
    checks.one_sum("weights", weights)
    impact = claims / equity[:, None]
    found = _linear(impact, first) if rule == "linear" else _single_hit(jnp.minimum(impact, 1), first)
    return Distress(found, (weights * (found - first)).sum())


def _linear(impact: Array, first: Array) -> Array:
    change = 1e-13 if first.dtype == jnp.float64 else 1e-7

    def sweep(carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        distress, rise, count = carry
        new = jnp.minimum(distress + impact @ rise, 1)
        return new, new - distress, count + 1

    start = (first, first, jnp.array(0))
    return jax.lax.while_loop(lambda c: (c[1].max() > change) & (c[2] < SWEEPS), sweep, start)[0]


def _single_hit(impact: Array, first: Array) -> Array:
    def round_(carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        distress, passes, done = carry
        new = jnp.minimum(distress + impact @ jnp.where(passes, distress, 0), 1)
        done = done | passes
        return new, (new > 0) & ~done, done

    nobody = jnp.zeros(first.shape, bool)
    return jax.lax.while_loop(lambda c: c[1].any(), round_, (first, first > 0, nobody))[0]
