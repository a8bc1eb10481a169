"""Checks of what a person hands in: concrete values only, for under tracing there is nothing to look at."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxcoord.errors import ParameterError

Array = jax.Array
ABOVE_ZERO = float(np.nextafter(0, 1))  # the least number above 0, as a lower bound of `within`


def concrete(name: str, value: Any) -> np.ndarray | None:
    """The numbers of a value, None where there is a traced one among them.

    Raises: ParameterError where they are no numbers, or form no array.
    """
    if any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves(value)):
        return None
    try:
        return np.asarray(value, float)
    except (TypeError, ValueError):
        raise ParameterError(f"{name} = {value!r}: a number or an array of numbers is needed") from None


def within(name: str, value: Any, low: float, high: float, allowed: str, whole: bool = False) -> Array:
    """Every entry is a number from `low` to `high`, ends included, and a whole one if asked; as a float array.

    Raises: ParameterError that names the first entry that is not, and what is `allowed`.
    """
    known = concrete(name, value)
    if known is not None:
        wrong = ~((known >= low) & (known <= high) & np.isfinite(known))
        if whole:
            wrong |= known != np.floor(known)
        if wrong.any():
            at = tuple(int(i) for i in np.argwhere(wrong)[0])
            raise ParameterError(f"{name}{list(at) if at else ''} = {known[at]:g}: {allowed}")
    return jnp.asarray(value, float)


def finite(name: str, value: Any) -> Array:
    """Finite numbers of either sign."""
    return within(name, value, -np.inf, np.inf, "a finite number is needed")


def above(name: str, value: Any) -> Array:
    """Finite numbers above 0."""
    return within(name, value, ABOVE_ZERO, np.inf, "a finite number above 0 is needed")


def at_most(name: str, value: Array, other: str, bound: Array) -> None:
    """No entry exceeds that of another argument, to which it broadcasts."""
    known, bounds = concrete(name, value), concrete(other, bound)
    if known is not None and bounds is not None:
        known, bounds = np.broadcast_arrays(known, bounds)
        wrong = known > bounds
        if wrong.any():
            raise ParameterError(f"{name} = {known[wrong][0]:g}: at most {other}, {bounds[wrong][0]:g}, is needed")


def sized(name: str, value: Array, size: int) -> Array:
    """`[size]`: one entry for each; a number is one for each of them."""
    if value.ndim and value.shape != (size,):
        raise ParameterError(f"{name}: shape {value.shape}; a number, or one for each of {size}, is needed")
    return jnp.broadcast_to(value, (size,))


def broadcasting(**values: Array) -> None:
    """All have shapes that go together."""
    shapes = {name: np.shape(value) for name, value in values.items()}
    try:
        np.broadcast_shapes(*shapes.values())
    except ValueError:
        said = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise ParameterError(f"{said}: shapes that broadcast are needed") from None


def one_sum(name: str, value: Any) -> None:
    """Shares of a whole sum to 1 along the last axis, but for rounding."""
    known = concrete(name, value)
    if known is not None and (np.abs(known.sum(-1) - 1) > 1e-6).any():
        total = np.atleast_1d(known.sum(-1))
        i = int(np.abs(total - 1).argmax())
        raise ParameterError(f"{name}{[i] if known.ndim > 1 else ''}: sum to {total[i]:g}; shares must sum to 1")


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
