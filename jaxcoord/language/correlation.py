"""Correlations of vectors with ties: average ranks, Pearson, Spearman, Kendall; NaN where a vector is constant.

Pure, for one pair of vectors `[N]`; `jax.vmap` makes a batch.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxcoord.errors import ParameterError

Array = jax.Array


def average_ranks(x: Any) -> Array:
    """`[N]`: ranks from 1 of numbers `[N]`; equal ones share the mean of theirs."""
    x = jnp.asarray(x)
    ordered = jnp.sort(x)
    below = jnp.searchsorted(ordered, x, side="left", method="sort")
    upto = jnp.searchsorted(ordered, x, side="right", method="sort")
    return (below + upto + 1).astype(float) / 2


def weighted_pearson(x: Any, y: Any, weights: Any) -> Array:
    """Pearson correlation of x and y under weights of at least 0, all of one shape or broadcast; NaN if constant."""
    x, y, weights = jnp.broadcast_arrays(jnp.asarray(x, float), jnp.asarray(y, float), jnp.asarray(weights, float))
    share = weights / weights.sum()

    def spread(z: Array) -> Array:
        # One that is only the rounding of the mean is none.
        varies = jnp.where(weights > 0, z, -jnp.inf).max() > jnp.where(weights > 0, z, jnp.inf).min()
        return jnp.where(varies, jnp.sqrt((share * z * z).sum()), jnp.nan)

    x, y = x - (share * x).sum(), y - (share * y).sum()
    return (share * x * y).sum() / (spread(x) * spread(y))


def pearson(x: Any, y: Any) -> Array:
    """Pearson correlation of two vectors `[N]`; NaN where one is constant."""
    return weighted_pearson(x, y, 1.0)


def spearman(x: Any, y: Any) -> Array:
    """Spearman correlation of two vectors `[N]`, ties with average ranks; NaN where one is constant or holds a NaN."""
    x, y = _pair(x, y)
    # Of ranks over N, whose squares a float32 holds.
    return _known(pearson(average_ranks(x) / x.size, average_ranks(y) / x.size), x, y)


def kendall(x: Any, y: Any) -> Array:
    """Kendall's tau-b of two vectors `[N]`: (concordant - discordant) / sqrt(pairs untied in x, pairs untied in y).

    NaN where one is constant or holds a NaN. Time and space grow as N squared.
    Source: Kendall 1945.
    """
    x, y = _pair(x, y)
    above = jnp.sign(x[:, None] - x[None]).astype(jnp.int32)
    beyond = jnp.sign(y[:, None] - y[None]).astype(jnp.int32)
    agreement = (above * beyond).sum().astype(float)
    untied = jnp.sqrt((above != 0).sum().astype(float)) * jnp.sqrt((beyond != 0).sum().astype(float))
    return _known(agreement / untied, x, y)


def _pair(x: Any, y: Any) -> tuple[Array, Array]:
    if np.ndim(x) != 1 or np.shape(x) != np.shape(y) or not np.size(x):
        raise ParameterError(f"x, y: shapes {np.shape(x)} and {np.shape(y)}; two vectors [N] are needed")
    return jnp.asarray(x), jnp.asarray(y)


def _known(found: Array, x: Array, y: Array) -> Array:
    # What is not a number has no rank.
    return jnp.where(jnp.isnan(x).any() | jnp.isnan(y).any(), jnp.nan, found)
