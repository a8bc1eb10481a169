"""Memory-one strategies in closed form: long-run outcomes of any number of pairs, and what to compare them with.

A strategy is a vector of probabilities to cooperate after CC, CD, DC and DD, one's own move first.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxcoord.errors import ParameterError
from jaxcoord.games.repeated.automaton import Automaton, from_function
from jaxcoord.games.repeated.exact import payoff
from jaxcoord.games.repeated.library import STANDARD, Payoffs

Array = jax.Array
_SWAPPED = np.array([0, 2, 1, 3], np.int32)  # an outcome as the second player reads it
_MISREAD = np.array([1, 0, 3, 2], np.int32)  # an outcome as one sees it who takes the other's move for its opposite
# For each state the other three.
_OTHERS = ((1, 2, 3), (0, 2, 3), (0, 1, 3), (0, 1, 2))


def press_dyson_determinant(p: Any, q: Any, f: Any) -> Array:
    """Determinant D(p, q, f), whose ratio to D(p, q, 1) is the long-run mean of f over the outcomes.

    Args:
      p, q: `[..., 4]`, the two strategies, each with its own move first.
      f: `[..., 4]`, a number for each of CC, CD, DC and DD, the first player's move first.
    Returns: `[...]`. Both determinants are 0 where the chain has several closed classes. Where moves are nearly certain
      they are differences of nearly equal terms, which `memory_one_rates` avoids.
    Source: Press & Dyson 2012.
    """
    p, q, f = (jnp.asarray(x, float) for x in (p, q, f))
    q = q[..., _SWAPPED]
    p, q, f = jnp.broadcast_arrays(p, q, f)
    own, theirs = jnp.array([1.0, 1.0, 0.0, 0.0]), jnp.array([1.0, 0.0, 1.0, 0.0])
    return _determinant(jnp.stack([p * q - own * theirs, p - own, q - theirs, f], -1))


def _determinant(matrix: Array) -> Array:
    """`[...]`: of matrices `[..., 4, 4]`, by the minors of their upper and lower halves.

    Who wants a ratio of two asks for two at once, which LAPACK in a batch may never finish (see `learning.value`).
    """
    one, two = np.triu_indices(4, 1)
    upper, lower = (
        matrix[..., row, one] * matrix[..., row + 1, two] - matrix[..., row, two] * matrix[..., row + 1, one]
        for row in (0, 2)
    )
    return (upper * lower[..., ::-1] * np.array([1.0, -1, 1, 1, -1, 1])).sum(-1)


def with_errors(p: Any, noise: Any = 0.0, perception: Any = 0.0) -> Array:
    """The vector that a memory-one strategy comes to when its errors are counted in.

    Args:
      p: `[..., 4]`, what it means to do.
      noise: probability that a move is not what was meant; both see what was done.
      perception: probability that it sees the other's last move wrong.
    Returns: `[..., 4]`, probabilities of what it does after outcomes as they were.
    """
    return _done(p, noise, perception)[0]


def _done(p: Any, noise: Any, perception: Any) -> tuple[Array, Array]:
    # That C and that D is played, each as a sum, so that a rare one is not the difference of two that are nearly equal.
    p, noise, perception = (jnp.asarray(x, float) for x in (p, noise, perception))
    noise, perception = noise[..., None], perception[..., None]
    c, d = (x * (1 - perception) + x[..., _MISREAD] * perception for x in (p, 1 - p))
    return c * (1 - noise) + d * noise, d * (1 - noise) + c * noise


@jax.jit
def memory_one_rates(
    p: Any, q: Any, noise: Any = 0.0, perception: Any = 0.0, continuation: Any = None, first: Any = (1.0, 1.0)
) -> Array:
    """Long-run shares of CC, CD, DC and DD between memory-one strategies, the first player's move first.

    The share of an outcome is proportional to the sum over all trees that lead to it from the other three of the
    products of their transition probabilities. That is the determinant of Press & Dyson with every difference written
    out as a sum, so nearly certain moves cost no digits.

    Args:
      p, q: `[..., 4]`, of shapes that broadcast; each has its own move first.
      noise, perception: probabilities of errors as in `with_errors`, of both players.
      continuation: probability that a round is followed by another; None for the limit of means.
      first: probabilities to mean to cooperate in the first round, which count where it ends at random.
    Returns: `[..., 4]`. NaN where the limit depends on the first move, as between two grim triggers without errors:
      `exact.outcome_rates` knows what was played first.
    Source: Press & Dyson 2012, by the matrix-tree theorem for Markov chains (Freidlin & Wentzell 1984, ch. 6).
    """

    def outcomes(one, other):
        (c, d), (c_other, d_other) = one, other
        return jnp.stack([c * c_other, c * d_other, d * c_other, d * d_other], -1)

    mine, theirs = _done(p, noise, perception), _done(q, noise, perception)
    moves = outcomes(mine, [x[..., _SWAPPED] for x in theirs])
    if continuation is not None:
        again = jnp.asarray(continuation, float)[..., None, None]
        # Before the first round nothing was seen, rightly or wrongly.
        opening = outcomes(*(_done(jnp.stack([jnp.asarray(x, float)] * 4, -1), noise, 0.0) for x in first))
        moves = again * moves + (1 - again) * opening
    shares = jnp.stack([_trees(moves, state) for state in range(4)], -1)
    return shares / shares.sum(-1, keepdims=True)


def _trees(moves: Array, root: int) -> Array:
    # The sum over the sixteen trees by which three states lead to the root.
    a, b, c = _OTHERS[root]

    def rate(x, y):
        return moves[..., x, y]

    from_b = rate(b, root) + rate(b, a)
    from_c = rate(c, root) + rate(c, a)
    return (
        rate(a, root) * (from_b * (from_c + rate(c, b)) + rate(b, c) * from_c)
        + rate(a, b) * (rate(b, root) * (from_c + rate(c, b)) + rate(b, c) * rate(c, root))
        + rate(a, c) * (rate(c, root) * (from_b + rate(b, c)) + rate(c, b) * rate(b, root))
    )


def memory_one_payoffs(
    p: Any, game: Payoffs = STANDARD, q: Any = None, noise: Any = 0.0, perception: Any = 0.0, continuation: Any = None
) -> Array:
    """Long-run payoff per round of every memory-one strategy against every other.

    Args: `p [S, 4]`, the strategies; `q [K, 4]`, those they meet, themselves unless given; the rest as in
      `memory_one_rates`.
    Returns: `[S, K]`, row against column.
    """
    p = jnp.asarray(p, float)
    q = p if q is None else jnp.asarray(q, float)
    return payoff(memory_one_rates(p[:, None], q[None], noise, perception, continuation), game)


def reactive_rates(one: Any, other: Any, noise: Any = 0.0) -> Array:
    """Long-run shares of CC, CD, DC and DD between strategies that look at the other's last move alone.

    The two moves of a round are independent in the long run, so cooperation follows from
    c = (q_other r + q) / (1 - r r_other) with r = p - q.

    Args: `one`, `other`, `[..., 2]`, p and q, to cooperate after C and after D; `noise` as in `with_errors`.
    Returns: `[..., 4]`. NaN where both are certain to repeat or to invert the other's move.
    Source: Nowak & Sigmund 1992.
    """
    noise = jnp.asarray(noise, float)[..., None]
    one, other = (x + noise * (1 - 2 * x) for x in (jnp.asarray(one, float), jnp.asarray(other, float)))
    (p, q), (p_other, q_other) = ((x[..., 0], x[..., 1]) for x in (one, other))
    slope, slope_other = p - q, p_other - q_other
    together = 1 - slope * slope_other
    c, c_other = (q_other * slope + q) / together, (q * slope_other + q_other) / together
    return jnp.stack([c * c_other, c * (1 - c_other), (1 - c) * c_other, (1 - c) * (1 - c_other)], -1)


def generosity_limit(game: Payoffs = STANDARD) -> float:
    """How often a tit-for-tat may forgive a defection at most, so that no other reactive strategy earns more.

    min(1 - (T - R) / (R - S), (R - P) / (T - P)), 1/3 for the payoffs 5, 3, 1, 0.

    Source: Molander 1985; Nowak & Sigmund 1992.
    """
    r, s, t, p = game
    if not t > r > p > s:
        raise ParameterError(f"game: T, R, P, S = {t:g}, {r:g}, {p:g}, {s:g}; T > R > P > S is needed")
    return min(1 - (t - r) / (r - s), (r - p) / (t - p))


def contrite_tit_for_tat() -> Automaton:
    """Contrite tit-for-tat by standings: it defects only while it is in good standing and the other is not.

    Whoever cooperates comes into good standing, and whoever defects keeps it only against another in bad standing. So
    a defection by mistake is paid back once, without reply. What the other did is what was seen, so that after an error
    of perception both may believe to be in the right.

    Source: Sugden 1986; Boyd 1989; Wu & Axelrod 1995.
    """

    def update(standings, own, other):
        mine, theirs = standings
        return own or (mine and not theirs), other or (theirs and not mine)

    return from_function((True, True), lambda standings: not (standings[0] and not standings[1]), update)
