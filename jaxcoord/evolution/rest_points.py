"""Where a field on the simplex stands still, and whether it returns there after a small push.

Exactly for the replicator of a two-player game, by a search for any field that JAX can differentiate. Both run on the
host in float64, and return as many points as they find.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxcoord.errors import ParameterError
from jaxcoord.games import Game, MatrixGame

Array = jax.Array
Field = Callable[[Any], Any]
KINDS = ("sink", "source", "saddle", "centre", "degenerate", "continuum")
MAX_STRATEGIES, MAX_SEARCHED = 14, 8  # every set of strategies is a face of the simplex, of which there are 2^S - 1
ITERATIONS = 200
CONVERGED = 1e-12  # of the largest rate at the starts
NEARBY = 1e-9  # where the Jacobian is taken again, to see whether there is a kink


class RestPoints(NamedTuple):
    """The rest points of a field, by the number of strategies present."""

    points: np.ndarray
    """`[R, S]`, shares."""
    eigenvalues: np.ndarray
    """`[R, S-1]` complex, of the Jacobian on the directions that keep the sum, by real part."""
    kinds: tuple[str, ...]
    """For each point: sink, source, saddle or centre, as the linearisation has it; "degenerate" where that does not
    tell; "continuum" where the point is one of a whole set of rest points, of which it is a middle one."""


def replicator_rest_points(game: Any) -> RestPoints:
    """All rest points of the replicator dynamics of a two-player game, by solving for every set of strategies present.

    Those present earn the same: A_TT x_T = m 1, sum(x_T) = 1. Where that has more than one solution, the point with the
    largest smallest share stands for all.

    Args: `game`, a payoff matrix `[S, S]` or a `MatrixGame`, of at most 14 strategies.
    Raises: ParameterError for another game, a matrix that is not square or not finite, or too many strategies.
    Source: Hofbauer & Sigmund 1998, section 7.1.
    """
    if isinstance(game, Game) and not isinstance(game, MatrixGame):
        name = type(game).registered_name
        raise ParameterError(f"game = {name!r}: a two-player game is needed; use rest_points(game_field(game), S)")
    with jax.enable_x64(True):
        payoff = np.asarray(game.payoff() if isinstance(game, MatrixGame) else game, float)
    if payoff.ndim != 2 or payoff.shape[0] != payoff.shape[1] or not np.isfinite(payoff).all():
        raise ParameterError(f"payoff: shape {payoff.shape}; a square matrix [S, S] of finite numbers is needed")
    strategies = _few(len(payoff), MAX_STRATEGIES)
    # What is added to a column changes nothing; without it small differences of large payoffs count.
    payoff = payoff - np.diagonal(payoff)
    relative = payoff / (np.abs(payoff).max() or 1.0)
    rows, sets = [], []
    for size in range(1, strategies + 1):
        for support in itertools.combinations(range(strategies), size):
            found = _equal_earners(relative[np.ix_(support, support)])
            if found is not None:
                shares, dimension = found
                rows.append(np.zeros(strategies))
                rows[-1][list(support)] = shares
                sets.append(dimension > 0)
    points = np.array(rows)
    middle = np.full((1, strategies), 1 / strategies)
    slopes = _replicator_slopes(payoff, np.concatenate([points, middle]))
    eigenvalues, kinds = _judged(slopes[:-1], slopes[-1], np.full(len(points), True), 1e-7)
    kinds = tuple("continuum" if many else kind for many, kind in zip(sets, kinds, strict=True))
    return RestPoints(points, eigenvalues, kinds)


def _replicator_slopes(payoff: np.ndarray, points: np.ndarray) -> np.ndarray:
    """`[R, S, S]`: the Jacobian of x_i (p_i - p.x), p = payoff @ x, at each point."""
    earned = points @ payoff.T
    excess = earned - (points * earned).sum(1, keepdims=True)
    mean_slope = earned + points @ payoff
    return excess[:, :, None] * np.eye(len(payoff)) + points[:, :, None] * (payoff - mean_slope[:, None, :])


def _equal_earners(payoff: np.ndarray) -> tuple[np.ndarray, int] | None:
    """Shares, all above 0, with which everybody earns the same, and the dimension of the set of them; None: none."""
    from scipy.optimize import linprog

    size = len(payoff)
    system = np.block([[payoff, -np.ones((size, 1))], [np.ones((1, size)), np.zeros((1, 1))]])
    wanted = np.append(np.zeros(size), 1.0)
    left, singular, right = np.linalg.svd(system)
    rank = int((singular > 1e-11 * singular[0]).sum())
    solution = right[:rank].T @ (left[:, :rank].T @ wanted / singular[:rank])
    if np.abs(system @ solution - wanted).max() > 1e-9:
        return None
    shares, free = solution[:size], right[rank:, :size].T
    if free.shape[1]:
        # The largest t with shares + free @ z >= t.
        cost = np.append(np.zeros(free.shape[1]), -1.0)
        best = linprog(cost, np.column_stack([-free, np.ones(size)]), shares, bounds=(None, None))
        shares = shares + free @ best.x[:-1]
    return (shares, free.shape[1]) if shares.min() > 1e-11 else None


def rest_points(
    field: Field, strategies: int, *, starts: int = 32, apart: float = 1e-6, tolerance: float = 1e-6, seed: int = 0
) -> RestPoints:
    """Rest points of any field on the simplex, by damped Newton (Levenberg-Marquardt) from many starts on every face.

    A search from a start on a face stays there. What is found is a rest point; that none is missed is likely where
    `starts` is large, not certain. A set of rest points shows as many points of kind "degenerate".

    Args:
      field: from shares `[S]` to their rate of change, differentiable by JAX; see `game_field`.
      strategies: S, at most 8.
      starts: on each face: its middle, and others uniformly at random by `seed`.
      apart: points whose Euclidean distance is less are one.
      tolerance: as in `linear_stability`.
    Returns: `RestPoints`; none where nothing was found.
    Raises: ParameterError for too many strategies, or a field that does not return `[S]`.
    Source: damping by the residual's norm after Yamashita & Fukushima 2001.
    """
    _few(strategies, MAX_SEARCHED)
    random = np.random.default_rng(seed)
    faces, begin = [], []
    for size in range(1, strategies + 1):
        for support in itertools.combinations(range(strategies), size):
            for shares in [np.full(size, 1 / size), *(random.dirichlet(np.ones(size), starts - 1) if size > 1 else ())]:
                begin.append(np.zeros(strategies))
                begin[-1][list(support)] = shares
                faces.append(begin[-1] > 0)
    with jax.enable_x64(True):
        first = jnp.array(begin)
        shape = jax.eval_shape(field, first[0]).shape
        if shape != (strategies,):
            raise ParameterError(f"field: it returns shape {shape} for shares of shape ({strategies},)")
        found, rate = jax.jit(jax.vmap(lambda x, face: _searched(field, x, face)))(first, jnp.array(faces))
        scale = float(jnp.nanmax(jnp.linalg.norm(jax.jit(jax.vmap(field))(first), axis=1)))
    found, rate = np.asarray(found), np.asarray(rate)
    size = np.sum(faces, axis=1)
    points: list[np.ndarray] = []
    # In the order of faces, so that of a point and what was drawn towards it from a larger face the first is kept.
    for i in np.lexsort([rate, size]):
        near = points and np.linalg.norm(np.array(points) - found[i], axis=1).min() < apart
        if rate[i] <= CONVERGED * scale and not near:
            points.append(found[i])
    if not points:
        return RestPoints(np.zeros((0, strategies)), np.zeros((0, strategies - 1), complex), ())
    eigenvalues, kinds = _stabilities(field, np.array(points), tolerance)
    return RestPoints(np.array(points), eigenvalues, kinds)


def _searched(field: Field, start: Array, face: Array) -> tuple[Array, Array]:
    """Where the search from a start ends, inside its face, and the norm of the rate there."""
    on_face = jnp.diag(face.astype(float)) - jnp.outer(face, face) / face.sum()
    off_face = jnp.eye(len(start)) - on_face
    norm = jnp.linalg.norm

    def improve(_, carry):
        shares, rate, damping = carry
        # What is absent stays so: its slopes are not needed, and may be infinite.
        slope = jnp.where(face, jax.jacfwd(field)(shares), 0.0) @ on_face
        square = slope.T @ slope
        floor = 1e-15 * jnp.trace(square) + 1e-300
        step = -jnp.linalg.solve(
            square + (damping * norm(rate) + floor) * jnp.eye(len(start)) + off_face * (1 + jnp.trace(square)),
            slope.T @ rate,
        )
        step = on_face @ step
        reach = jnp.where(step < 0, -shares / jnp.where(step < 0, step, -1.0), jnp.inf).min()
        tried = shares + jnp.minimum(1.0, 0.99 * reach) * step
        there = field(tried)
        better = norm(there) < norm(rate)  # false for NaN
        return (
            jnp.where(better, tried, shares),
            jnp.where(better, there, rate),
            jnp.clip(jnp.where(better, damping / 4, damping * 4), 1e-9, 1e9),
        )

    shares, rate, _ = jax.lax.fori_loop(0, ITERATIONS, improve, (start, field(start), jnp.asarray(1.0)))
    return shares, norm(rate)


def linear_stability(field: Field, point: Any, tolerance: float = 1e-6) -> tuple[np.ndarray, str]:
    """How a field behaves close to one of its rest points.

    Args:
      field: from shares `[S]` to their rate of change, differentiable by JAX.
      point: `[S]`, a rest point.
      tolerance: real parts count as zero below this fraction of the Jacobian's size, here or at the simplex's middle.
    Returns: eigenvalues `[S-1]` of the Jacobian on the directions that keep the sum, NaN where it is infinite, and the
      kind: "sink" all real parts below zero, "source" all above, "saddle" some below and some above, "centre" all zero
      and no eigenvalue zero; "degenerate" otherwise, or where the Jacobian jumps, as at the kinks of Smith's dynamic.
    """
    eigenvalues, kinds = _stabilities(field, np.asarray(point, float)[None], tolerance)
    return eigenvalues[0], kinds[0]


def _stabilities(field: Field, points: np.ndarray, tolerance: float) -> tuple[np.ndarray, tuple[str, ...]]:
    strategies = points.shape[1]
    # At each point, a little towards every vertex, and last at the middle.
    around = points[:, None, :] + NEARBY * (np.eye(strategies) - points[:, None, :])
    places = np.concatenate([points, around.reshape(-1, strategies), np.full((1, strategies), 1 / strategies)])
    with jax.enable_x64(True):
        slopes = np.asarray(jax.jit(jax.vmap(jax.jacfwd(field)))(jnp.array(places)))
    here, nearby = slopes[: len(points)], slopes[len(points) : -1].reshape(*around.shape, strategies)
    with np.errstate(invalid="ignore"):
        jump = np.abs(nearby - here[:, None]).max((1, 2, 3))
    # False where a slope is infinite.
    smooth = jump <= 1e-3 * np.maximum(np.abs(here).max((1, 2)), np.abs(slopes[-1]).max())
    return _judged(here, slopes[-1], smooth, tolerance)


def _judged(
    slopes: np.ndarray, middle: np.ndarray, smooth: np.ndarray, tolerance: float
) -> tuple[np.ndarray, tuple[str, ...]]:
    """Eigenvalues and kinds by the Jacobians `[R, S, S]` at the points and the one at the simplex's middle."""
    basis = tangent_basis(len(middle))
    eigenvalues = np.full((len(slopes), len(middle) - 1), np.nan, complex)
    for i in np.flatnonzero(np.isfinite(slopes).all((1, 2))):
        eigenvalues[i] = np.sort_complex(np.linalg.eigvals(basis.T @ slopes[i] @ basis))
    zero = tolerance * np.maximum(np.abs(slopes).max((1, 2)), np.abs(middle).max())
    return eigenvalues, tuple(_kind(*row) for row in zip(eigenvalues, zero, smooth, strict=True))


def _kind(eigenvalues: np.ndarray, zero: float, smooth: bool) -> str:
    below, above = eigenvalues.real < -zero, eigenvalues.real > zero
    if not smooth or not len(eigenvalues):
        return "degenerate"
    if below.all():
        return "sink"
    if above.all():
        return "source"
    if below.any() and above.any():
        return "saddle"
    return "centre" if not (below | above).any() and (np.abs(eigenvalues.imag) > zero).all() else "degenerate"


def tangent_basis(strategies: int) -> np.ndarray:
    """`[S, S-1]`: orthonormal columns, directions that keep the sum of shares."""
    return np.linalg.qr(np.column_stack([np.ones(strategies), np.eye(strategies)[:, :-1]]))[0][:, 1:]


def _few(strategies: int, most: int) -> int:
    if not 1 <= strategies <= most:
        raise ParameterError(f"strategies = {strategies}: rest points of 1 to {most} strategies are found")
    return strategies
