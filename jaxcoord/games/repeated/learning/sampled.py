"""Learning from play alone: gradients of any order estimated from matches, without bias."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxcoord.errors import ParameterError
from jaxcoord.games.repeated.learning.shaping import Pair, gradients, shaping_term
from jaxcoord.games.repeated.learning.value import SEEN_BY_SECOND, outcome_probabilities

Array = jax.Array


def outcome_rollouts(key: Array, theta1: Array, theta2: Array, rounds: int, matches: int) -> Array:
    """Matches played by two policies.

    Returns: `[rounds, matches]` int32, outcomes CC, CD, DC, DD as 0 to 3, the first player's move first.
    """
    cumulative = jnp.cumsum(outcome_probabilities(theta1, theta2), -1)[:, :3]
    draws = jax.random.uniform(key, (rounds, matches), cumulative.dtype)

    def play(state, draw):
        outcome = (draw[:, None] >= cumulative[state]).sum(-1, dtype=jnp.int32)
        return outcome + 1, outcome

    _, outcomes = jax.lax.scan(play, jnp.zeros(matches, jnp.int32), draws)
    return outcomes


def rollout_baseline(outcomes: Array, payoffs: Any, gamma: Any) -> Array:
    """The mean of what is still to come in matches, to be used for other matches than these.

    Args: `outcomes [rounds, matches]`; `payoffs [2, 2, 2]`; `gamma`, discount factor.
    Returns: `[rounds, 2]`: discounted to the first round, by player.
    """
    return _to_come(outcomes, payoffs, gamma).mean(1)


def dice_objective(
    theta1: Array, theta2: Array, outcomes: Array, payoffs: Any, gamma: Any, baseline: Any = 0.0
) -> Array:
    """Mean discounted returns of matches, as a function whose derivatives of any order have no bias.

    With G_t what is earned from round t on, discounted to the first round, and box_t = exp(x - (x held fixed)), x the
    logarithm of the probability of all moves up to t, it is G_0 + sum_t (box_t - box_(t-1)) (G_t - baseline_t): the
    value is the mean return, and each derivative by theta1 and theta2 has as expectation that of the expected return.

    Args:
      theta1, theta2: `[5]`, the policies with which the matches were played.
      outcomes: `[rounds, matches]`, from `outcome_rollouts`.
      payoffs: `[2, 2, 2]`, by player, the first one's action, the second one's action.
      gamma: discount factor; what comes after the last round, a share gamma^rounds of the whole, is left out.
      baseline: subtracted to lower the variance, `[rounds, 2]` or a number; any that was not computed from these
        matches (see `rollout_baseline`).
    Returns: `[2]`.
    Source: DiCE, Foerster, Farquhar, Al-Shedivat, Rocktaschel, Xing & Whiteson 2018; in the form of advantages Loaded
      DiCE, Farquhar, Whiteson & Foerster 2019.
    """
    rounds, matches = outcomes.shape
    before = jnp.concatenate([jnp.zeros((1, matches), jnp.int32), outcomes[:-1] + 1])
    logs = _log_probabilities(theta1, theta2).ravel()
    # How often each move was made in each state up to t: so the logarithms are linear in few numbers, and derivatives
    # need neither the order of the rounds nor a scatter.
    times = jnp.cumsum(((4 * before + outcomes)[..., None] == jnp.arange(logs.size)).astype(logs.dtype), 0)
    until = jnp.tensordot(times, logs, 1, precision="highest")
    box = jnp.exp(until - jax.lax.stop_gradient(until))
    rise = box - jnp.concatenate([jnp.ones((1, matches), box.dtype), box[:-1]])
    to_come = _to_come(outcomes, payoffs, gamma)
    advantage = to_come - jnp.broadcast_to(jnp.asarray(baseline), (rounds, 2))[:, None]
    return to_come[0].mean(0) + (rise[..., None] * advantage).sum(0).mean(0)


def sampled_direction(
    key: Array,
    theta1: Array,
    theta2: Array,
    payoffs: Any,
    gamma: Any,
    eta: Any = 1.0,
    *,
    rounds: int = 100,
    matches: int = 64,
    shaping: bool = True,
) -> Pair:
    """Estimate of `lola_direction`, or without `shaping` of `naive_direction`, from matches that the two play.

    The matches are played in two halves. A factor of the shaping term is estimated from each, so that their product
    has no bias, and each half has the mean of the other as its baseline.

    Args:
      key: of the matches.
      theta1, theta2, payoffs, gamma: as in `discounted_values`, whose first `rounds` rounds count.
      eta: the step that each takes the other to make.
      rounds: length of a match.
      matches: how many, an even number.
    Returns: the directions of both players.
    Raises: ParameterError where the matches cannot be halved.
    Source: Foerster et al. 2018, section 4.3, with the estimator of `dice_objective`.
    """
    if matches < 2 or matches % 2:
        raise ParameterError(
            f"matches = {matches}: an even number is needed, at least 2; half of them serve the others"
        )
    halves = jnp.stack(jnp.split(outcome_rollouts(key, theta1, theta2, rounds, matches), 2, 1))
    baselines = jax.vmap(rollout_baseline, (0, None, None))(halves, payoffs, gamma)[::-1]

    def slopes(outcomes, baseline):
        return gradients(lambda a, b: dice_objective(a, b, outcomes, payoffs, gamma, baseline), theta1, theta2)

    def turn(outcomes, baseline, across):
        def objective(a, b):
            return dice_objective(a, b, outcomes, payoffs, gamma, baseline)

        return shaping_term(objective, theta1, theta2, across)

    own, across = jax.vmap(slopes)(halves, baselines)
    if not shaping:
        return own[0].mean(0), own[1].mean(0)
    turns = jax.vmap(turn)(halves, baselines, (across[0][::-1], across[1][::-1]))
    return (own[0] + eta * turns[0]).mean(0), (own[1] + eta * turns[1]).mean(0)


def _log_probabilities(theta1: Array, theta2: Array) -> Array:
    """`[5, 4]`: the logarithm of `outcome_probabilities`, finite however large the logits are."""
    second = theta2[jnp.array(SEEN_BY_SECOND)]
    first = (jax.nn.log_sigmoid(theta1), jax.nn.log_sigmoid(-theta1))
    other = (jax.nn.log_sigmoid(second), jax.nn.log_sigmoid(-second))
    return jnp.stack([one + two for one in first for two in other], -1)


def _to_come(outcomes: Array, payoffs: Any, gamma: Any) -> Array:
    """`[rounds, matches, 2]`: the payoffs from each round on, discounted to the first."""
    discount = jnp.asarray(gamma, float) ** jnp.arange(len(outcomes))
    earned = discount[:, None, None] * jnp.asarray(payoffs, float).reshape(2, 4).T[outcomes]
    return jnp.cumsum(earned[::-1], 0)[::-1]
