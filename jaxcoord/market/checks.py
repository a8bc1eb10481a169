"""Checks of what a person hands in: concrete values only, for under tracing there is nothing to look at."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxcoord.errors import ParameterError

Array = jax.Array


def within(name: str, value: Any, low: float, high: float, allowed: str) -> Array:
    """Every entry is a number from `low` to `high`, ends included; as a float array.

    Raises: ParameterError that names the first entry that is not, and what is `allowed`.
    """
    if not isinstance(value, jax.core.Tracer):
        known = np.asarray(value, float)
        wrong = ~((known >= low) & (known <= high) & np.isfinite(known))
        if wrong.any():
            at = tuple(int(i) for i in np.argwhere(wrong)[0])
            raise ParameterError(f"{name}{list(at) if at else ''} = {known[at]:g}: {allowed}")
    return jnp.asarray(value, float)


def amounts(name: str, value: Any, size: int | None = None) -> Array:
    """`[N]` finite amounts of at least 0; with `size`, a number is one for each of them."""
    value = within(name, value, 0, np.inf, "a finite amount of at least 0 is needed")
    if size is not None and value.ndim == 0:
        value = jnp.broadcast_to(value, (size,))
    if value.ndim != 1 or (size is not None and value.shape != (size,)):
        raise ParameterError(f"{name}: shape {value.shape}; one amount for each of {'N' if size is None else size}")
    return value


def share(name: str, value: Any) -> Array:
    """A number from 0 to 1, or an array of them."""
    return within(name, value, 0, 1, "a share from 0 to 1 is needed")


def owed(name: str, value: Any) -> Array:
    """`[N, N]` finite amounts of at least 0 between N parties, nobody owing itself."""
    if np.ndim(value) != 2 or np.shape(value)[0] != np.shape(value)[1] or not np.size(value):
        raise ParameterError(f"{name}: shape {np.shape(value)}; a square matrix [N, N] is needed")
    matrix = within(name, value, 0, np.inf, "a finite amount of at least 0 is needed")
    if not isinstance(value, jax.core.Tracer):
        own = np.diagonal(np.asarray(value))
        if own.any():
            i = int(np.flatnonzero(own)[0])
            raise ParameterError(f"{name}[{i}, {i}] = {own[i]:g}: nobody owes itself; the diagonal must be 0")
    return matrix


def above_zero(name: str, value: Array) -> Array:
    """Every entry is above 0."""
    if not isinstance(value, jax.core.Tracer) and not bool((value > 0).all()):
        i = int(np.flatnonzero(~(np.asarray(value).ravel() > 0))[0])
        raise ParameterError(f"{name}[{i}] = {np.asarray(value).ravel()[i]:g}: an amount above 0 is needed")
    return value
