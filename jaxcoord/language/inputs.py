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
