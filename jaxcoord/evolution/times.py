"""How long fixation takes, and which way selection pushes: exact sums of the Fermi process without mutation."""

from __future__ import annotations

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
    Returns: two scalars, in events; infinite where they exceed the largest float.
    Raises: ParameterError where `payoff` is not `[2, 2]` or not finite, or `size` is below 2.
    Source: Traulsen & Hauert 2009, eqs. 26 and 29.
    """
    return FixationTimes(*map(jnp.exp, log_fixation_times(payoff, size, beta)))


def log_fixation_times(payoff: Any, size: int, beta: Any) -> FixationTimes:
    """Natural logarithms of `fixation_times`, finite where strategies that coexist make the times overflow.

    Args, returns, raises, source as there.
    """
    payoff, size = _two(payoff), _population(size)
    gain = _intensity(beta) * payoff_difference(payoff, size)[0, 1]
    k = jnp.arange(1, size, dtype=float)
    meet = jnp.log(k / size * (size - k) / (size - 1))
    return log_times_from_log_rates(meet + jax.nn.log_sigmoid(gain), meet + jax.nn.log_sigmoid(-gain))


def times_from_log_rates(up: Array, down: Array) -> FixationTimes:
    """Expected absorption and conditional fixation times of a single mutant: exponentials of the following."""
    return FixationTimes(*map(jnp.exp, log_times_from_log_rates(up, down)))


def log_times_from_log_rates(up: Array, down: Array) -> FixationTimes:
    """Logarithms of the times to absorption and to fixation of a single mutant in any chain that moves by one.

    Absorption takes phi F + (1 - phi) L steps, with phi the fixation probability, F the time to win of the runs that
    win and L the time to lose of those that lose. Each is a sum of the times to gain one more, which follow from one
    another (`_gains`), so that strong selection cancels nothing.

    Args: `up`, `down`, `[Z-1]`: logarithms of the probabilities to gain and to lose a mutant at k = 1..Z-1.
    Returns: two scalars, logarithms of steps.
    Source: Traulsen & Hauert 2009, eqs. 26 and 29; conditioned chains as in Ewens 2004, section 2.12.
    """
    win, gains = _gains(up, down)
    lose, losses = _gains(down[::-1], up[::-1])
    fixation = jax.nn.logsumexp(gains)
    return FixationTimes(jnp.logaddexp(win.sum() + fixation, lose[-1] + losses[-1]), fixation)


def _gains(up: Array, down: Array) -> tuple[Array, Array]:
    # For k = 1..Z-1 and phi_k the probability to win from k: log r_k = log(phi_k / phi_{k+1}), and the logarithm of the
    # steps e_k that the runs that win take from k to k + 1. With g = down / up and q = 1 - r
    #   q_k = g_k q_{k-1} / (1 + g_k q_{k-1}),   e_k = r_k / up_k + g_k r_k r_{k-1} e_{k-1}.
    softplus = jax.nn.softplus

    def step(carry, rates):
        log_q, log_r, log_e = carry
        gain, loss = rates
        ratio = loss - gain
        odds = ratio + log_q
        stays = -softplus(odds)
        # log(g_k r_k), from whichever of two equal forms subtracts nothing large
        turned = jnp.where(odds > 0, -softplus(-odds) - log_q, ratio - softplus(odds))
        first = jnp.where(ratio > 0, turned - loss, stays - gain)
        after = (-softplus(-odds), stays, jnp.logaddexp(first, turned + log_r + log_e))
        return after, after[1:]

    start = (jnp.zeros(()), jnp.full((), -jnp.inf), jnp.zeros(()))
    return jax.lax.scan(step, start, (up, down))[1]


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
