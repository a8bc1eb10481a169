"""Statistics over the replicates of each point, on the device and in float64."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np

from jaxcoord.engine.record import quantile


@functools.partial(jax.jit, static_argnums=1)
def _reduced(values: jax.Array, statistics: tuple[str, ...]) -> jax.Array:
    values = values.astype(float)
    wanted = [q for q in map(quantile, statistics) if q is not None]
    quantiles = iter(jnp.quantile(values, jnp.asarray(wanted), axis=1)) if wanted else iter(())
    rows = []
    for word in statistics:
        if word == "mean":
            rows.append(values.mean(axis=1))
        elif word == "std":
            many = values.shape[1] > 1
            rows.append(values.std(axis=1, ddof=1) if many else jnp.full_like(values[:, 0], jnp.nan))
        else:
            rows.append(next(quantiles))
    return jnp.stack(rows, axis=1)


def reduce(values: np.ndarray, statistics: Sequence[str], device: jax.Device) -> np.ndarray:
    """Statistics over axis 1.

    Args: `values [points, replicates, ...]`; `statistics`, words as in `Record.reduce`; `std` divides by R - 1 and is
      NaN for one replicate.
    Returns: `[points, statistics, ...]` float32.
    """
    with jax.enable_x64(True), jax.default_device(device):
        reduced = np.asarray(_reduced(jnp.asarray(values), tuple(statistics)))
    return reduced.astype(np.float32)
