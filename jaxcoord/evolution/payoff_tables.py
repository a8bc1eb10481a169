"""Heuristic payoff tables: what players earn in a group of each composition, and in a mixed population of such groups.

A table is what meta-games of many agents are estimated as (Walsh et al. 2002). Its expectation at a mixture looks at a
group of which the player is known to be a member, and so is not the payoff matrix times the shares.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxcoord.errors import ParameterError
from jaxcoord.games import group_compositions

Array = jax.Array


class PayoffTable(NamedTuple):
    """A symmetric game of n players, a row for each way in which they can be divided among strategies."""

    counts: np.ndarray
    """`[M, S]`, players of each strategy, n in each row."""
    payoffs: Array
    """`[M, S]`, what each of them earns; not read where there are none."""


def elo_win_probability(ratings: Any) -> Array:
    """Probability that one player beats another, from their Elo ratings: 1 / (1 + 10^((b - a) / 400)).

    Args: `ratings [S]`.
    Returns: `[S, S]`, row against column; 1/2 against oneself. A payoff matrix of games that are won or lost.
    Raises: ParameterError where `ratings` is not a list of finite numbers.
    Source: Elo 1978.
    """
    ratings = jnp.asarray(ratings, float)
    if ratings.ndim != 1 or not (isinstance(ratings, jax.core.Tracer) or bool(jnp.isfinite(ratings).all())):
        raise ParameterError(f"ratings: shape {ratings.shape}; a list of finite numbers is needed")
    return jax.nn.sigmoid((ratings[:, None] - ratings[None, :]) * (math.log(10) / 400))


def payoff_table(payoff: Any) -> PayoffTable:
    """The table of a two-player game.

    Args: `payoff [S, S]`, row against column.
    Returns: rows in lexicographic order of the counts; 0 where nobody plays a strategy.
    Raises: ParameterError where `payoff` is not square.
    """
    payoff = jnp.asarray(payoff, float)
    if payoff.ndim != 2 or payoff.shape[0] != payoff.shape[1]:
        raise ParameterError(f"payoff: shape {payoff.shape}; a square matrix [S, S] is needed")
    counts = group_compositions(payoff.shape[0], 2)
    # A player's one opponent is whom the pair holds beside itself.
    opponents = counts[:, None, :] - np.eye(len(payoff), dtype=int)
    earned = (opponents * payoff).sum(-1)
    return PayoffTable(counts, jnp.where(counts > 0, earned, 0))


def expected_payoffs(table: PayoffTable, shares: Any) -> Array:
    """What a strategy earns on average in the groups of n drawn from a mixture that hold it at all.

    sum over rows of P(row) payoff_i(row) / (1 - (1 - x_i)^n), with P multinomial. Both sums are divided by x_i
    beforehand, so that an absent strategy has its limit: what its first player would earn.

    Args: `table`; `shares [S]`, x, summing to one.
    Returns: `[S]`.
    Raises: ParameterError where `shares` has another length than the table's rows.
    Source: Walsh et al. 2002; Lanctot et al. 2019 (OpenSpiel).
    """
    shares = jnp.asarray(shares, float)
    counts = np.asarray(table.counts)
    if shares.shape != counts.shape[1:]:
        raise ParameterError(f"shares: shape {shares.shape}; {counts.shape[1:]} is needed, as of the table's rows")
    players = int(counts[0].sum())
    ways = np.array([math.factorial(players) / math.prod(math.factorial(int(k)) for k in row) for row in counts])
    # `[M, S, S]`: the counts of each row without one player of strategy i, where there is one.
    rest = np.maximum(counts[:, None, :] - np.eye(counts.shape[1], dtype=int), 0)
    powers = jnp.concatenate([jnp.ones((len(shares), 1)), jnp.cumprod(jnp.tile(shares[:, None], players), 1)], 1)
    chances = jnp.asarray(ways, float)[:, None] * jnp.prod(powers[np.arange(len(shares)), rest], -1)
    present = jnp.cumsum(jnp.concatenate([jnp.ones((len(shares), 1)), jnp.cumprod(
        jnp.tile(1 - shares[:, None], players - 1), 1)], 1), 1)[:, -1]  # fmt: skip
    return jnp.where(counts > 0, chances * table.payoffs, 0).sum(0) / present
