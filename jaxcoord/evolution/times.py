"""How long fixation takes, and which way selection pushes: exact sums of the Fermi process without mutation."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxcoord.evolution.fixation import _intensity, _population, _square, _two, payoff_difference
from jaxcoord.games import mean_payoffs

Array = jax.Array


class FixationTimes(NamedTuple):
    """Expected events, those that change nothing counted, from a single mutant on."""

    absorption: Array
    """Until either strategy is the only one."""
    fixation: Array
    """Until the mutant is, over the runs in which it wins."""


def fixation_times(payoff: Any, size: int, beta: Any) -> FixationTimes:
    """Expected absorption and conditional fixation times of a single mutant under the Fermi rule.

    Args: `payoff [2, 2]`, strategy 0 is the mutant; `size` Z, at least 2; `beta` selection intensity, 1 / payoff.
    Returns: two scalars, in events.
    Raises: ParameterError where `payoff` is not `[2, 2]` or not finite, or `size` is below 2.
    Source: Traulsen & Hauert 2009, eqs. 26 and 29.
    """
    payoff, size = _two(payoff), _population(size)
    gain = _intensity(beta) * payoff_difference(payoff, size)[0, 1]
    k = jnp.arange(1, size, dtype=float)
    meet = jnp.log(k / size * (size - k) / (size - 1))
    return times_from_log_rates(meet + jax.nn.log_sigmoid(gain), meet + jax.nn.log_sigmoid(-gain))


def times_from_log_rates(up: Array, down: Array) -> FixationTimes:
    """Expected absorption and conditional fixation times of a single mutant in any chain that moves by one.

    From one mutant the chain spends v_k = m_k (1 - phi_k) / T-_1 steps at k mutants, with m_k the product of
    T+_{j-1} / T-_j for j = 2..k and phi_k the fixation probability from k. Absorption takes sum v_k, fixation
    sum v_k phi_k / phi_1. Everything is summed in logarithms.

    Args: `up`, `down`, `[Z-1]`: logarithms of the probabilities to gain and to lose a mutant at k = 1..Z-1.
    Returns: two scalars, in steps.
    Source: Traulsen & Hauert 2009, eqs. 26 and 29; visits as in Doyle & Snell 1984.
    """
    add = functools.partial(jax.lax.associative_scan, jnp.logaddexp)
    ratio = jnp.concatenate([jnp.zeros(1), jnp.cumsum(down - up)])
    partial, rest = add(ratio), add(ratio[::-1])[::-1]
    win, lose = partial[:-1] - partial[-1], rest[1:] - partial[-1]
    measure = jnp.concatenate([jnp.zeros(1), jnp.cumsum(up[:-1] - down[1:])])
    visits = measure + lose - down[0]
    log_sum = jax.nn.logsumexp
    return FixationTimes(jnp.exp(log_sum(visits)), jnp.exp(log_sum(visits + win) - win[0]))


def gradient_of_selection(counts: Any, payoff: Any, beta: Any) -> Array:
    """Expected change of the counts in one event of the Fermi process without mutation.

    sum_j x_i x_j / (Z (Z-1)) tanh(beta (f_i - f_j) / 2), with f the mean payoffs.

    Args: `counts [S]`, individuals of each strategy, of which there are at least 2; `payoff [S, S]`; `beta`.
    Returns: `[S]`, individuals per event; it sums to zero.
    Raises: ParameterError where `payoff` is not square or not finite.
    Source: Traulsen, Nowak & Pacheco 2006, eq. 3, for any number of strategies.
    """
    payoff, counts = _square(payoff), jnp.asarray(counts, float)
    size = counts.sum()
    earned = mean_payoffs(counts, payoff)
    push = jnp.tanh(_intensity(beta) * (earned[:, None] - earned[None, :]) / 2)
    return (counts[:, None] * counts[None, :] * push).sum(1) / (size * (size - 1))
