"""Checks of what a person hands in: concrete values only, for under tracing there is nothing to look at."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxcoord.errors import ParameterError

Array = jax.Array
ROUNDING = 1e-5  # by which probabilities given as decimals may miss their sum


def within(name: str, value: Any, low: float, high: float, allowed: str) -> Array:
    """Every entry is a finite number from `low` to `high`, ends included; as a float array.

    Raises: ParameterError that names the first entry that is not, and what is `allowed`.
    """
    if not isinstance(value, jax.core.Tracer):
        known = np.asarray(value, float)
        wrong = ~((known >= low) & (known <= high) & np.isfinite(known))
        if wrong.any():
            at = tuple(int(i) for i in np.argwhere(wrong)[0])
            raise ParameterError(f"{name}{list(at) if at else ''} = {known[at]:g}: {allowed}")
    return jnp.asarray(value, float)


def above_zero(name: str, value: Any) -> Array:
    """A finite number above 0, or an array of them."""
    return within(name, value, np.nextafter(0, 1), np.inf, "a number above 0 is needed")


def weights(name: str, value: Any) -> Array:
    """`[N]`: finite numbers of at least 0, not all of them 0."""
    if np.ndim(value) != 1 or not np.size(value):
        raise ParameterError(f"{name}: shape {np.shape(value)}; a vector of weights is needed")
    found = within(name, value, 0, np.inf, "a weight of at least 0 is needed")
    if not isinstance(value, jax.core.Tracer) and not np.any(value):
        raise ParameterError(f"{name}: all weights are 0; at least one above 0 is needed")
    return found


def numbers(name: str, value: Any, shape: str) -> Array:
    """An array of floats with as many axes as `shape` names, such as "N, D", none of them empty."""
    if np.ndim(value) != shape.count(",") + 1 or 0 in np.shape(value):
        raise ParameterError(f"{name}: shape {np.shape(value)}; [{shape}] is needed, none of them 0")
    return jnp.asarray(value, float)


def same_length(name: str, value: Any, other: str, given: Any) -> None:
    """Raises: ParameterError where two arrays differ in their first axis."""
    if np.shape(value)[0] != np.shape(given)[0]:
        raise ParameterError(f"{name}: {np.shape(value)[0]} entries; {other} has {np.shape(given)[0]}")


def probability(name: str, value: Any) -> Array:
    """A probability from 0 to 1, or an array of them."""
    return within(name, value, 0, 1, "a probability from 0 to 1 is needed")


def distributions(name: str, value: Any, axes: int = 1) -> Array:
    """An array with so many axes, whose last is probabilities that sum to one.

    Raises: ParameterError where it has another number of axes, is empty, or some row does not sum to one.
    """
    if np.ndim(value) != axes or not np.size(value):
        needed = "a vector" if axes == 1 else f"an array with {axes} axes"
        raise ParameterError(f"{name}: shape {np.shape(value)}; {needed} of probabilities is needed")
    found = probability(name, value)
    if not isinstance(value, jax.core.Tracer):
        sums = np.atleast_1d(np.asarray(value, float).sum(-1))
        wrong = np.abs(sums - 1) > ROUNDING
        if wrong.any():
            at = [int(i) for i in np.argwhere(wrong)[0]] if axes > 1 else ""
            raise ParameterError(f"{name}{at}: sums to {sums[wrong][0]:g}; probabilities that sum to 1 are needed")
    return found
