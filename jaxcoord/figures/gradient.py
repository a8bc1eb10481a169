"""The gradient of selection: where the share of a strategy grows, and where it comes to rest."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np

from jaxcoord.errors import ParameterError
from jaxcoord.figures import labels, style

ROUNDING = 10.0  # times the precision of the numbers and the largest of them: an end below it is a rest point
MARK = 6.5  # points, of a rest point


@style.styled
def gradient(
    share: Any,
    gradients: Mapping[str, Any],
    *,
    xlabel: str = "share",
    ylabel: str = "gradient of selection",
    title: str = "",
    axes: Any = None,
) -> Any:
    """Gradients of selection over the share of a strategy, with their rest points.

    A filled mark on the zero line is a stable root, an open one an unstable root. An end is marked where the gradient
    vanishes there, in the same way; among several curves only where they agree on it. Of a single curve, arrows on
    the zero line point where selection leads.

    Args:
      share: `[N]`, ascending, usually 0 to 1.
      gradients: legend label to `[N]`, such as x (1 - x) [f_A(x) - f_B(x)] or, in a finite population, T+ - T-.
      xlabel, ylabel, title: of the axes.
      axes: matplotlib axes to draw in; by default those of a new figure.
    Returns: the `matplotlib.figure.Figure`.
    Raises: ParameterError where shapes do not fit, a value is not finite, or shares do not ascend.

    Example:
      >>> import numpy as np
      >>> share = np.linspace(0, 1, 101)
      >>> figure = gradient(share, {"snowdrift": share * (1 - share) * (0.6 - share)}, xlabel="share of cooperators")
      >>> figure.axes[0].get_xlabel()
      'share of cooperators'
    """
    if not gradients:
        raise ParameterError("gradient: no curve given; gradients = {label: values} is needed")
    share = np.asarray(share, float)
    curves = {str(name): _rounded(_checked(share, v, f"gradients[{name!r}]"), v) for name, v in gradients.items()}
    own = axes is None
    figure, axes = style.canvas(axes)
    style.light_grid(axes)
    axes.axhline(0, color="black", linewidth=0.9, zorder=2, label="_zero")
    handles = []
    for i, (name, values) in enumerate(curves.items()):
        looks = style.look(i)
        handles += axes.plot(
            share, values, color=looks.colour, linestyle=looks.line, zorder=2.5, label=labels.plain(name)
        )
    single = len(curves) == 1
    states = set()
    for i, values in enumerate(curves.values()):
        colour = "black" if single else style.look(i).colour
        for at, stable in zip(*roots(share, values), strict=True):
            _mark(axes, at, stable, colour)
            states.add(bool(stable))
    for at, *found in zip((share[0], share[-1]), *map(_ends, curves.values()), strict=True):
        if found[0] is not None and len(set(found)) == 1:
            _mark(axes, at, found[0], "black")
            states.add(found[0])
    if single:
        _arrows(axes, share, values)
    else:
        style.legend(axes, handles + [_entry(stable) for stable in sorted(states, reverse=True)], own)
    axes.margins(x=0.02, y=0.08)
    axes.set_xlabel(xlabel)
    axes.set_ylabel(ylabel)
    if title:
        axes.set_title(title)
    return figure


def roots(share: Any, gradient: Any) -> tuple[np.ndarray, np.ndarray]:
    """Interior roots of a gradient given on a grid, by linear interpolation, and whether each is stable.

    A root is stable where the gradient falls from positive to negative, unstable where it rises or only touches zero.
    Neighbouring grid points that are exactly zero are one root, at their middle; those that reach an end of the grid
    belong to the end and are no interior root.

    Args:
      share: `[N]`, ascending, N at least 2.
      gradient: `[N]`.
    Returns: (positions `[R]` ascending, stable `[R]` truth values).
    Raises: ParameterError where shapes do not fit, a value is not finite, or shares do not ascend.

    Example:
      >>> positions, stable = roots([0, 0.25, 0.5, 0.75, 1], [0, -1, 1, 1, 0])
      >>> float(positions[0]), bool(stable[0])
      (0.375, False)
    """
    share = np.asarray(share, float)
    values = _checked(share, gradient, "gradient")
    signed = np.flatnonzero(values)
    before, after = signed[:-1], signed[1:]  # neighbours, or with nothing but zeros between them
    zeros = after > before + 1
    crossed = (values[before] > 0) != (values[after] > 0)
    weight = np.abs(values[before]) / (np.abs(values[before]) + np.abs(values[after]))
    crossing = share[before] + weight * (share[after] - share[before])
    middle = (share[np.minimum(before + 1, after)] + share[np.maximum(after - 1, before)]) / 2
    found = zeros | crossed
    return np.where(zeros, middle, crossing)[found], (crossed & (values[before] > 0))[found]


def _checked(share: np.ndarray, values: Any, name: str) -> np.ndarray:
    values = np.asarray(values, float)
    if share.ndim != 1 or len(share) < 2:
        raise ParameterError(f"share has the shape {share.shape}; [points], at least two of them, is needed")
    if values.shape != share.shape:
        raise ParameterError(f"{name} has the shape {values.shape}; {share.shape}, that of share, is needed")
    for field, numbers in (("share", share), (name, values)):
        if not np.isfinite(numbers).all():
            at = int(np.flatnonzero(~np.isfinite(numbers))[0])
            raise ParameterError(f"{field}[{at}] = {numbers[at]}: finite numbers are needed")
    if (np.diff(share) <= 0).any():
        raise ParameterError("share: does not ascend; values from low to high, each once, are needed")
    return values


def _rounded(values: np.ndarray, given: Any) -> np.ndarray:
    """The values with an end at zero where it is only rounding that keeps it from it."""
    kind = np.asarray(given).dtype
    small = ROUNDING * np.finfo(kind if kind.kind == "f" else float).eps * np.abs(values).max()
    ends = np.isin(np.arange(len(values)), (0, len(values) - 1))
    return np.where(ends & (np.abs(values) <= small), 0.0, values)


def _ends(values: np.ndarray) -> tuple[bool | None, bool | None]:
    """Whether the first and the last point are stable; None where one is no rest point, or the whole curve is zero."""
    signed = np.flatnonzero(values)
    if not len(signed):
        return None, None
    first = bool(values[signed[0]] < 0) if signed[0] > 0 else None
    last = bool(values[signed[-1]] > 0) if signed[-1] < len(values) - 1 else None
    return first, last


def _mark(axes: Any, at: float, stable: bool, colour: str) -> None:
    axes.plot(
        [at], [0], "o", markersize=MARK, color=colour, markerfacecolor=colour if stable else "white",
        markeredgewidth=1.4, zorder=4, clip_on=False, label="_stable" if stable else "_unstable",
    )  # fmt: skip


def _entry(stable: bool) -> Any:
    from matplotlib.lines import Line2D

    return Line2D(
        [], [], linestyle="", marker="o", markersize=MARK, color="black", markeredgewidth=1.4,
        markerfacecolor="black" if stable else "white", label="stable" if stable else "unstable",
    )  # fmt: skip


def _arrows(axes: Any, share: np.ndarray, values: np.ndarray) -> None:
    """An arrow head in the middle of each stretch of the zero line between rest points."""
    stops = np.concatenate([share[:1], roots(share, values)[0], share[-1:]])
    for low, high in itertools.pairwise(stops):
        inside = values[(share > low) & (share < high)]
        total = inside.sum() if len(inside) else np.interp((low + high) / 2, share, values)
        if total:
            axes.plot(
                [(low + high) / 2], [0], ">" if total > 0 else "<", color="black", markersize=6, zorder=3,
                label="_arrow",
            )  # fmt: skip
