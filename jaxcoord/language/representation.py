"""Whether two codes of real numbers have the same geometry, and whether an old reader can still use the new one.

Rows are the same N inputs in both. Pure, for one pair; `jax.vmap` makes a batch. Every index of similarity is 1 for a
rotated copy, which a reader that looks for the nearest old prototype no longer understands.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxcoord.errors import ParameterError
from jaxcoord.language.correlation import spearman

Array = jax.Array
TURNS = 80  # of an iteration that finds singular values down to 1e-14 of the norm


def _pair(x: Any, y: Any) -> tuple[Array, Array]:
    if np.ndim(x) != 2 or np.ndim(y) != 2 or np.shape(x)[0] != np.shape(y)[0] or np.shape(x)[0] < 2:
        raise ParameterError(
            f"x, y: shapes {np.shape(x)} and {np.shape(y)}; two matrices with the same rows, two or more, are needed"
        )
    return jnp.asarray(x, float), jnp.asarray(y, float)


def _centred(x: Array) -> Array:
    # From the first row, so that equal rows are exactly 0.
    x = x - x[0]
    return x - x.mean(0)


def squared_distances(x: Array, y: Array) -> Array:
    """`[N, M]`: squared Euclidean distances of the rows of `[N, D]` and `[M, D]`."""
    return ((x[:, None] - y[None]) ** 2).sum(-1)


def _alignment(first: Array, second: Array) -> Array:
    """Centred kernel alignment of two Gram matrices `[N, N]`."""

    def centred(gram: Array) -> Array:
        gram = gram - gram.mean(0)
        return gram - gram.mean(1, keepdims=True)

    first, second = centred(first), centred(second)
    # Sums of products over a product of roots; scaled first, so that large numbers do not overflow.
    first, second = first / jnp.abs(first).max(), second / jnp.abs(second).max()
    return (first * second).sum() / jnp.sqrt((first**2).sum() * (second**2).sum())


def linear_cka(x: Any, y: Any) -> Array:
    """Linear CKA: |Yc' Xc|^2 / (|Xc' Xc| |Yc' Yc|), Frobenius, columns centred.

    Args:
      x, y: `[N, D]` and `[N, E]`.
    Returns: `[]`, 0 to 1; NaN where all rows of one are equal.
    Raises: ParameterError where the numbers of rows differ, or there are less than two.
    Source: Kornblith et al. 2019, ICML, eq. 4.
    """
    x, y = _pair(x, y)
    x, y = _centred(x), _centred(y)
    return _alignment(x @ x.T, y @ y.T)


def rbf_cka(x: Any, y: Any) -> Array:
    """CKA of Gaussian kernels exp(-d^2 / (2 s^2)), s the median distance of two rows, each code its own.

    Args, returns, raises, source: as in `linear_cka`.
    """
    x, y = _pair(x, y)
    pairs = np.triu_indices(x.shape[0], 1)

    def kernel(z: Array) -> Array:
        square = squared_distances(z, z)
        return jnp.exp(-square / (2 * jnp.median(jnp.sqrt(square[pairs])) ** 2))

    return _alignment(kernel(x), kernel(y))


def debiased_cka(x: Any, y: Any) -> Array:
    """Linear CKA without the bias that makes unrelated codes of many dimensions look alike; may be below 0.

    HSIC(K, L) = [tr(K L) + (1'K1)(1'L1) / ((n-1)(n-2)) - 2 / (n-2) 1'K L1] / (n (n-3)), diagonals set to 0.

    Args, raises: as in `linear_cka`.
    Returns: `[]`; NaN with fewer than 4 rows, or where a code has no HSIC above 0 with itself.
    Source: Song et al. 2012, JMLR 13:1393, eq. 4 (the estimate).
    """
    x, y = _pair(x, y)
    rows = x.shape[0]
    if rows < 4:
        return jnp.asarray(jnp.nan, float)

    def gram(z: Array) -> Array:
        z = _centred(z)
        found = z @ z.T
        return jnp.where(jnp.eye(rows, dtype=bool), 0, found / jnp.abs(found).max())

    def dependence(k: Array, other: Array) -> Array:
        alone = k.sum() * other.sum() / ((rows - 1) * (rows - 2))
        return (k * other).sum() + alone - 2 / (rows - 2) * (k.sum(0) * other.sum(0)).sum()

    k, other = gram(x), gram(y)
    own = dependence(k, k), dependence(other, other)
    defined = (own[0] > 0) & (own[1] > 0)
    scale = jnp.sqrt(jnp.where(defined, own[0], 1)) * jnp.sqrt(jnp.where(defined, own[1], 1))
    return jnp.where(defined, dependence(k, other) / scale, jnp.nan)


def canonical_correlation(x: Any, y: Any) -> Array:
    """Mean canonical correlation: of the singular values of Qx' Qy, Q orthonormal bases of the centred columns.

    Args, raises: as in `linear_cka`.
    Returns: `[]`, 0 to 1, over as many values as the smaller of the two has independent columns; NaN where it has none.
    Source: Hotelling 1936; Raghu et al. 2017.
    """
    x, y = _pair(x, y)

    (first, rank), (second, other) = _basis(_centred(x)), _basis(_centred(y))
    return _nuclear_norm(first.T @ second) / jnp.minimum(rank, other)


def _basis(x: Array) -> tuple[Array, Array]:
    """Orthonormal columns that span those of `[N, D]`, 0 for each that depends on others before it, and how many.

    By Gram and Schmidt, twice: batches of LAPACK in one program may wait for each other for ever (see
    `jaxcoord.language.structure.generalised_inverse`).
    """
    small = 1e-10 if x.dtype == jnp.float64 else 1e-5

    def column(found: Array, number: Array) -> tuple[Array, Array]:
        whole = x[:, number]
        rest = whole
        for _ in range(2):
            rest = rest - found @ (found.T @ rest)
        size = jnp.linalg.norm(rest)
        new = size > small * jnp.linalg.norm(whole)
        return found.at[:, number].set(jnp.where(new, rest / jnp.where(new, size, 1), 0)), new

    found, new = jax.lax.scan(column, jnp.zeros_like(x), jnp.arange(x.shape[1]))
    return found, new.sum()


def _nuclear_norm(matrix: Array) -> Array:
    """Sum of the singular values: tr(U' M), U the nearest orthogonal matrix, by U <- (3 U - U U' U) / 2.

    A value grows by one half each time until it nears 1; those that have not arrived are too small to count.
    Source: Björck & Bowie 1971 (the iteration).
    """
    size = jnp.linalg.norm(matrix)
    start = matrix / jnp.where(size > 0, size, 1)
    turn = jax.lax.fori_loop(0, TURNS, lambda _, u: 1.5 * u - 0.5 * u @ (u.T @ u), start)
    return (turn * matrix).sum()


def representational_similarity(x: Any, y: Any) -> Array:
    """Spearman correlation of the N (N - 1) / 2 Euclidean distances of rows in one code with those in the other.

    Args, raises: as in `linear_cka`.
    Returns: `[]`, -1 to 1; NaN where all distances of one are equal.
    Source: Kriegeskorte, Mur & Bandettini 2008.
    """
    x, y = _pair(x, y)
    pairs = np.triu_indices(x.shape[0], 1)
    return spearman(jnp.sqrt(squared_distances(x, x)[pairs]), jnp.sqrt(squared_distances(y, y)[pairs]))


def procrustes_disparity(x: Any, y: Any) -> Array:
    """Least squared distance of two codes, centred and of unit norm, over rotations, reflections and scale.

    1 - (sum of the singular values of Xc' Yc)^2.

    Args, raises: as in `linear_cka`.
    Returns: `[]`, 0 to 1; NaN where the dimensions differ, or all rows of one are equal.
    Source: Gower 1975.
    """
    x, y = _pair(x, y)
    if x.shape != y.shape:
        return jnp.asarray(jnp.nan, float)
    x, y = _centred(x), _centred(y)
    x, y = x / jnp.linalg.norm(x), y / jnp.linalg.norm(y)
    return 1 - _nuclear_norm(x.T @ y) ** 2


class EmbeddingDrift(NamedTuple):
    """A code of prototypes then and now (see `embedding_drift`)."""

    decisions: Array
    """`[K]` int32: which old prototype is nearest to each new one."""
    frozen: Array
    """`[]`: share of them that are their own, what a reader of the old code still gets right."""
    cka: Array
    """`[]`: linear CKA of the two codes."""
    retrained: Array
    """`[]`: share that a reader with the new prototypes gets right; below 1 only if two of them are the same."""


def embedding_drift(before: Any, now: Any) -> EmbeddingDrift:
    """Whether a reader that takes the nearest of the prototypes it once learned still understands.

    Args:
      before, now: `[K, D]` each, the prototype of every meaning then and now.
    Returns: an `EmbeddingDrift`. CKA near 1 with a low `frozen` is a private code, as rich as the old one.
    Raises: ParameterError where the shapes differ.
    """
    before, now = _pair(before, now)
    if before.shape != now.shape:
        raise ParameterError(f"now: shape {now.shape}; {before.shape} is needed, that of before")
    each = jnp.arange(before.shape[0])
    decisions = jnp.argmin(squared_distances(now, before), axis=1).astype(jnp.int32)
    again = jnp.argmin(squared_distances(now, now), axis=1)
    return EmbeddingDrift(decisions, (decisions == each).mean(), linear_cka(before, now), (again == each).mean())
