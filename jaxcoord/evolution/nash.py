"""Nash equilibria of two-player games, found by Nashpy on the host, checked, and each told once."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from jaxcoord.errors import ParameterError

MAX_STRATEGIES = 10
TOLERANCE = 1e-9  # of the range of payoffs: what a deviation may gain by rounding


class Equilibrium(NamedTuple):
    """A pair of mixed strategies of which each is a best reply to the other."""

    row: np.ndarray
    """`[S]`, probabilities of the row player's strategies."""
    column: np.ndarray
    """`[T]`, of the column player's."""


def nash_equilibria(payoff: Any, other: Any = None) -> list[Equilibrium]:
    """The Nash equilibria of a bimatrix game.

    By vertex enumeration, which is complete for degenerate games too: where equilibria form a continuum its corners are
    returned, and any equilibrium is a mixture of them. (Nashpy's support enumeration misses some there, and some of
    other games too, by exact comparisons of rounded numbers.) The cost grows exponentially: 0.02 s for 4 x 4
    strategies, a minute for 10 x 10.

    Args:
      payoff: `[S, T]`, what the row player earns.
      other: `[S, T]`, what the column player earns; by default the game is symmetric and this is `payoff` transposed.
    Returns: at least one equilibrium, pure ones first, then by smaller support.
    Raises: ParameterError where the matrices do not fit each other, are not finite, or have more than `MAX_STRATEGIES`
      strategies on a side.
    Source: Nisan et al. 2007, algorithm 3.5, in Nashpy (Knight & Campbell 2018).
    """
    import nashpy

    payoff = _matrix("payoff", payoff)
    if other is None and payoff.shape[0] != payoff.shape[1]:
        raise ParameterError(
            f"payoff: shape {payoff.shape}; a symmetric game needs a square matrix, others a second one"
        )
    other = payoff.T if other is None else _matrix("other", other)
    if other.shape != payoff.shape:
        raise ParameterError(f"other: shape {other.shape}; {payoff.shape} is needed, as of payoff")
    rows, columns = payoff.shape
    mine, theirs = _positive(payoff, 0), _positive(other, 1)
    # A polytope needs two dimensions: a single strategy is given a companion that nobody would play.
    mine = np.pad(mine, ((0, rows == 1), (0, columns == 1)), constant_values=1.0)
    theirs = np.pad(theirs, ((0, rows == 1), (0, columns == 1)), constant_values=1.0)
    mine[rows:], theirs[:, columns:] = 0.5, 0.5
    found: list[Equilibrium] = []
    for row, column in nashpy.Game(mine, theirs).vertex_enumeration():
        pair = Equilibrium(_shares(row[:rows]), _shares(column[:columns]))
        known = any(all(np.allclose(a, b, atol=1e-8) for a, b in zip(pair, one, strict=True)) for one in found)
        if not known and regret(payoff, other, pair) <= TOLERANCE:
            found.append(pair)
    return sorted(found, key=lambda pair: (sum((p > 0).sum() for p in pair), *(tuple(-p) for p in pair)))


def symmetric_equilibria(payoff: Any) -> np.ndarray:
    """The equilibria of a symmetric game in which both play alike: compositions to which nobody has a better reply.

    Args: `payoff [S, S]`, row against column.
    Returns: `[E, S]`, a mixed strategy a row, at least one; the corners of a continuum, as in `nash_equilibria`.
    Raises: as there.
    """
    return np.array([pair.row for pair in nash_equilibria(payoff) if np.allclose(pair.row, pair.column, atol=1e-8)])


def regret(payoff: Any, other: Any, pair: Equilibrium) -> float:
    """The most that either player could gain by a deviation, as a share of the range of its payoffs.

    Args: `payoff`, `other`, `[S, T]`; `pair`, mixed strategies of both.
    Returns: 0 at an equilibrium.
    """
    mine, theirs = _unit(np.asarray(payoff, float)), _unit(np.asarray(other, float))
    row, column = pair
    return float(max((mine @ column).max() - row @ mine @ column, (row @ theirs).max() - row @ theirs @ column))


def _unit(payoff: np.ndarray) -> np.ndarray:
    span = np.ptp(payoff)
    return (payoff - payoff.min()) / (span if span > 0 else 1.0)


def _positive(payoff: np.ndarray, own: int) -> np.ndarray:
    # What the other does adds the same to all of one's strategies and changes nothing: each such line starts at 1, so
    # that the polytopes are bounded, and games that differ by such additions have the same vertices.
    shifted = payoff - payoff.min(axis=own, keepdims=True)
    span = shifted.max()
    return 1 + shifted / (span if span > 0 else 1.0)


def _shares(weights: np.ndarray) -> np.ndarray:
    weights = np.where(weights < 1e-12 * weights.max(), 0.0, weights)
    return weights / weights.sum()


def _matrix(name: str, payoff: Any) -> np.ndarray:
    payoff = np.asarray(payoff, float)
    if payoff.ndim != 2 or not payoff.size:
        raise ParameterError(f"{name}: shape {payoff.shape}; a matrix [S, T] is needed")
    if not np.isfinite(payoff).all():
        raise ParameterError(f"{name}: not finite; every entry must be a finite number")
    if max(payoff.shape) > MAX_STRATEGIES:
        raise ParameterError(
            f"{name}: shape {payoff.shape}; at most {MAX_STRATEGIES} strategies on a side can be solved"
        )
    return payoff
