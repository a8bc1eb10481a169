"""Shares of three strategies as points of a triangle with edges of length 1."""

from __future__ import annotations

from typing import Any

import numpy as np

from jaxcoord.errors import ParameterError

CORNERS = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, 0.75**0.5]])  # of the first, second and third strategy
OFF = 1e-3  # how far from the simplex rounding may lead


def plane(shares: Any) -> np.ndarray:
    """`[..., 3]` shares to `[..., 2]` points: the sum of the corners, each times its share."""
    return np.asarray(shares, float) @ CORNERS


def barycentric(points: Any) -> np.ndarray:
    """`[..., 2]` points to `[..., 3]` shares, negative beyond the opposite edge: the inverse of `plane`."""
    across, up = np.moveaxis(np.asarray(points, float), -1, 0)
    third = up / CORNERS[2, 1]
    second = across - third / 2
    return np.stack([1 - second - third, second, third], -1)


def lattice(intervals: int) -> np.ndarray:
    """`[M, 3]` shares that are multiples of one over `intervals`, M = (intervals + 1) (intervals + 2) / 2."""
    first, second = np.mgrid[: intervals + 1, : intervals + 1].reshape(2, -1)
    kept = first + second <= intervals
    counts = np.stack([first[kept], second[kept], intervals - first[kept] - second[kept]], 1)
    return counts / intervals


def intervals(shares: np.ndarray) -> int | None:
    """The smallest number that all shares are multiples of one over, such as a population size; None if none is."""
    apart = np.diff(np.unique(shares))
    apart = apart[apart > 1e-5]
    number = round(1 / apart.min()) if len(apart) else 1
    return number if np.abs(shares * number - np.round(shares * number)).max() < 0.05 else None


def checked(values: Any, name: str) -> np.ndarray:
    """`[M, 3]` shares as floats, what rounding did to their sum mended.

    Raises: ParameterError for another shape, values that are not finite, and shares that do not sum to one.
    """
    shares = np.asarray(values, float)
    if shares.ndim != 2 or shares.shape[1] != 3 or not len(shares):
        raise ParameterError(f"{name}: has the shape {shares.shape}; [points, 3] is needed")
    if not np.isfinite(shares).all():
        at = int(np.flatnonzero(~np.isfinite(shares).all(1))[0])
        raise ParameterError(f"{name}: row {at} is {shares[at].tolist()}; finite shares are needed")
    off = np.maximum(np.abs(shares.sum(1) - 1), -shares.min(1))
    if off.max() > OFF:
        at = int(off.argmax())
        raise ParameterError(f"{name}: row {at} is {shares[at].tolist()}; three shares of sum 1 are needed")
    shares = shares.clip(min=0)
    return shares / shares.sum(1, keepdims=True)
