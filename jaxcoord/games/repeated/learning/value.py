"""What two players with memory-one policies earn in a game that is repeated for ever, as a function to differentiate.

A policy is five logits `theta`: the probability to cooperate, or to take the first of the two actions, is
sigmoid(theta) at the start and after the outcomes CC, CD, DC, DD, one's own move first.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxcoord.errors import ParameterError
from jaxcoord.games.bimatrix import BimatrixGame
from jaxcoord.games.game import MatrixGame

Array = jax.Array

STATES = ("start", "CC", "CD", "DC", "DD")
SEEN_BY_SECOND = (0, 1, 3, 2, 4)  # what is CD to the first player is DC to the second


def role_payoffs(game: Any) -> Array:
    """What both players of a game with two actions earn.

    Args: `game`, a matrix game, which is played in the same way from both sides, or a two-role game.
    Returns: `[2, 2, 2]`: player, the first one's action, the second one's action.
    Raises: ParameterError where it is neither, or does not have two actions for each.
    """
    if isinstance(game, BimatrixGame):
        first, second = game.bimatrix()
    elif isinstance(game, MatrixGame):
        first = game.payoff()
        second = first.T
    else:
        name = getattr(game, "registered_name", game)
        raise ParameterError(f"game = {name!r}: a matrix game or a two-role game is needed")
    if first.shape != (2, 2):
        raise ParameterError(
            f"game = {game.registered_name!r}: {' x '.join(map(str, first.shape))} actions; 2 x 2 are needed"
        )
    return jnp.stack([jnp.asarray(first, float), jnp.asarray(second, float)])


def outcome_probabilities(theta1: Array, theta2: Array) -> Array:
    """Probabilities of the next outcome, from each state.

    Args: `theta1 [5]`, `theta2 [5]`, logits of both players, each with its own move first.
    Returns: `[5, 4]`: from start, CC, CD, DC, DD to CC, CD, DC, DD, the first player's move first.
    """
    first, second = jax.nn.sigmoid(theta1), jax.nn.sigmoid(theta2)[jnp.array(SEEN_BY_SECOND)]
    # The complement of a probability from its own sigmoid, so that none is lost where a logit is large.
    not_first, not_second = jax.nn.sigmoid(-theta1), jax.nn.sigmoid(-theta2)[jnp.array(SEEN_BY_SECOND)]
    return jnp.stack([first * second, first * not_second, not_first * second, not_first * not_second], -1)


def discounted_values(theta1: Array, theta2: Array, payoffs: Any, gamma: Any) -> Array:
    """Exact discounted returns of both players, sum_t gamma^t r_t = v0^T (I - gamma P)^-1 r.

    Differentiable in everything, as often as wanted. Times 1 - gamma it is the normalised return, a payoff per round.

    Args:
      theta1, theta2: `[5]`, logits of both players, each with its own move first.
      payoffs: `[2, 2, 2]`, by player, the first one's action, the second one's action (see `role_payoffs`).
      gamma: discount factor, at least 0 and below 1.
    Returns: `[2]`, in units of payoff.
    Source: Foerster et al. 2018, appendix A.
    """
    if not isinstance(gamma, jax.core.Tracer) and not 0 <= gamma < 1:
        raise ParameterError(f"gamma = {gamma}: at least 0 and below 1 is needed")
    chances = outcome_probabilities(theta1, theta2)
    occupation = _occupation(chances[0], gamma * chances[1:])
    return (jnp.asarray(payoffs, chances.dtype).reshape(2, 4) * occupation).sum(-1)


@jax.custom_jvp
def _occupation(start: Array, moves: Array) -> Array:
    """`[Q]`: start (I - moves)^-1, with a derivative that multiplies vectors, not matrices."""
    return _through(start, _inverse(jnp.eye(len(start), dtype=moves.dtype) - moves))


@_occupation.defjvp
def _occupation_jvp(primals: tuple[Array, Array], tangents: tuple[Array, Array]) -> tuple[Array, Array]:
    start, moves = primals
    inverse = _inverse(jnp.eye(len(start), dtype=moves.dtype) - moves)
    occupation = _through(start, inverse)
    return occupation, _through(tangents[0] + _through(occupation, tangents[1]), inverse)


def _through(vector: Array, matrix: Array) -> Array:
    # Multiply and sum: for tiny matrices in a batch several times faster than a dot product on a CPU.
    return (vector[:, None] * matrix).sum(0)


@jax.custom_jvp
def _inverse(matrix: Array) -> Array:
    """The inverse of a diagonally dominant matrix `[Q, Q]`, which needs no pivots, by Gauss-Jordan elimination.

    In plain arithmetic: LAPACK routines of a batch can wait for each other for ever when two run at once in a
    program on a CPU (jaxlib 0.10.2). Derivatives of any order use the inverse again, d(N) = -N dM N.
    """
    rows = jnp.arange(len(matrix))[:, None]
    work = jnp.concatenate([matrix, jnp.eye(len(matrix), dtype=matrix.dtype)], 1)
    for at in range(len(matrix)):
        pivot = work[at] / work[at, at]
        work = jnp.where(rows == at, pivot, work - work[:, at, None] * pivot)
    return work[:, len(matrix) :]


@_inverse.defjvp
def _inverse_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    inverse = _inverse(primals[0])
    return inverse, -jax.vmap(_through, (0, None))(jax.vmap(_through, (0, None))(inverse, tangents[0]), inverse)


def tit_for_tat_shaped(theta: Array) -> Array:
    """Whether a policy repeats, more likely than not, what the other one did last.

    Args: `theta [..., 5]`, logits at start, CC, CD, DC, DD.
    Returns: `[...]` bool: above one half after CC and DC, below after CD and DD. The first move does not matter.
    """
    repeats = theta[..., 1:] * jnp.array([1, -1, 1, -1], theta.dtype)
    return (repeats > 0).all(-1)
