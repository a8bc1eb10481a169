"""The invasion diagram of the small-mutation limit: who takes over whom, and how often each is met."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxcoord.errors import ParameterError
from jaxcoord.figures import labels, style

NEUTRAL = 1e-6  # relative distance from 1 / size within which a fixation probability is neutral
NUMBERED = 8  # strategies up to which arrows have numbers
SIZE, FLAT = (5.2, 4.7), (5.2, 2.2)  # inches: of a circle, of one or two strategies
ARROW = "0.25"
BEND = 0.16  # of a chord's length: how far two opposite arrows bow apart
COLOURS = "Blues"
TEXT, SMALL = 9.0, 7.5  # points, of a few names; of many and of numbers
WRAP = 15  # letters of a strategy's name to a line


@style.styled
def invasion_diagram(
    strategies: Sequence[str],
    stationary: Any,
    fixation: Any,
    size: int,
    *,
    title: str = "",
    axes: Any = None,
) -> Any:
    """Strategies on a circle, with an arrow from each resident to each mutant that does better than neutral.

    The area and the fill of a node grow with its stationary frequency. An arrow from j to i, where a single i among
    Z - 1 j fixes with a probability rho above 1/Z, has the number rho Z, up to eight strategies. A dashed line
    joins two strategies of which one is neutral to the other (rho Z = 1) and none fixes more often. A number for which
    there is no room is left out.

    Args:
      strategies: S names; labels keep apart up to about 12.
      stationary: `[S]`, frequencies of the monomorphic populations, sum 1.
      fixation: `[S, S]`, entry (i, j): probability that a single i takes over Z - 1 j. The diagonal is not read.
      size: population size Z, at least 2.
      title: above the axes.
      axes: matplotlib axes to draw in; by default those of a new figure.
    Returns: the `matplotlib.figure.Figure`.
    Raises: ParameterError where shapes do not fit, values are no probabilities, or the frequencies do not sum to 1.

    Example:
      >>> figure = invasion_diagram(["C", "D"], [0.1, 0.9], [[0.01, 0.001], [0.05, 0.01]], size=100)
      >>> [text.get_text() for text in figure.axes[0].texts]
      ['C\\n10.0 %', 'D\\n90.0 %', '5.00']
    """
    names = [str(name) for name in strategies]
    stationary, scaled, near = _checked(names, stationary, fixation, size)
    own = axes is None
    count = len(names)
    at = _places(count)
    figure, axes = style.canvas(axes if not own else style.new_figure(SIZE if count > 2 else FLAT).add_subplot())
    axes.set_aspect("equal")
    axes.set_axis_off()
    widest = min(0.2, 0.62 * np.sin(np.pi / max(count, 2)))
    radius = np.sqrt(0.06**2 + (widest**2 - 0.06**2) * stationary)
    low, high = np.minimum(at.min(0) - widest, -0.4) - 0.02, np.maximum(at.max(0) + widest, 0.4) + 0.02
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]))
    above = scaled > 1 + near
    arrows = [(j, i) for i in range(count) for j in range(count) if above[i, j]]
    neutral = [
        (j, i) for i in range(count) for j in range(i) if not (above[i, j] or above[j, i])
        and (abs(scaled[i, j] - 1) <= near or abs(scaled[j, i] - 1) <= near)
    ]  # fmt: skip
    handles = _lines(axes, at, neutral) + _arrows(axes, at, radius, arrows, above, thin=count > NUMBERED)
    _nodes(axes, at, radius, stationary)
    over = _names(axes, at, radius, names, stationary)
    style.legend(axes, handles, own)
    if title:
        axes.set_title(title, pad=6 + over)
    if count <= NUMBERED:
        _numbers(axes, at, radius, arrows, above, scaled)
    return figure


def _checked(names: list[str], stationary: Any, fixation: Any, size: int) -> tuple[np.ndarray, np.ndarray, float]:
    """(frequencies, fixation probabilities times size its diagonal zero, tolerance of neutrality)."""
    count = len(names)
    kind = np.asarray(fixation).dtype
    frequency, rho = np.asarray(stationary, float), np.asarray(fixation, float)
    if not count:
        raise ParameterError("strategies: none given; at least one is needed")
    if isinstance(size, bool) or not isinstance(size, int | np.integer) or size < 2:
        raise ParameterError(f"size = {size!r}: an integer from 2 is needed")
    for name, values, shape in (("stationary", frequency, (count,)), ("fixation", rho, (count, count))):
        if values.shape != shape:
            raise ParameterError(f"{name}: has the shape {values.shape}; {shape} is needed for {count} strategies")
    rho = np.where(np.eye(count, dtype=bool), 0.0, rho)
    for name, values in (("stationary", frequency), ("fixation", rho)):
        bad = ~((values >= -1e-6) & (values <= 1 + 1e-6))
        if bad.any():
            where = tuple(int(k) for k in np.argwhere(bad)[0])
            raise ParameterError(f"{name}{list(where)} = {values[where]}: a probability, 0 to 1, is needed")
    if abs(frequency.sum() - 1) > 1e-3:
        raise ParameterError(f"stationary: sums to {frequency.sum():.6g}; frequencies of sum 1 are needed")
    # Rounding of lower precision is no selection.
    rounding = 100 * float(np.finfo(kind).eps) if kind.kind == "f" else 0.0
    return frequency.clip(0, 1), rho * size, max(NEUTRAL, rounding)


def _places(count: int) -> np.ndarray:
    """`[S, 2]`: on the unit circle, clockwise from the top; a pair side by side, one alone in the middle."""
    if count == 1:
        return np.zeros((1, 2))
    angles = (np.pi if count == 2 else np.pi / 2) - 2 * np.pi * np.arange(count) / count
    return np.stack([np.cos(angles), np.sin(angles)], 1)


def _curve(at: np.ndarray, pair: tuple[int, int], bent: bool) -> np.ndarray:
    """`[3, 2]`: control points of the quadratic curve between two nodes."""
    start, end = at[pair[0]], at[pair[1]]
    side = np.array([end[1] - start[1], start[0] - end[0]])
    return np.stack([start, (start + end) / 2 + BEND * bent * side, end])


def _point(curve: np.ndarray, t: Any) -> np.ndarray:
    t = np.asarray(t, float)[..., None]
    return (1 - t) ** 2 * curve[0] + 2 * t * (1 - t) * curve[1] + t**2 * curve[2]


def _visible(curve: np.ndarray, from_radius: float, to_radius: float) -> tuple[float, float]:
    """The part of a curve outside of the nodes at its ends."""
    t = np.linspace(0, 1, 401)
    points = _point(curve, t)
    outside = np.hypot(*(points - curve[0]).T) > from_radius + 0.015
    outside &= np.hypot(*(points - curve[2]).T) > to_radius + 0.015
    return (float(t[outside][0]), float(t[outside][-1])) if outside.any() else (0.4, 0.6)


def _arrows(
    axes: Any, at: np.ndarray, radius: np.ndarray, arrows: list[tuple[int, int]], above: np.ndarray, thin: bool
) -> list[Any]:
    from matplotlib.lines import Line2D
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path

    for pair in arrows:
        curve = _curve(at, pair, bool(above[pair]))
        low, high = _visible(curve, radius[pair[0]], radius[pair[1]])
        first, last = _point(curve, low), _point(curve, high)
        middle = (1 - low) * (1 - high) * curve[0] + (low + high - 2 * low * high) * curve[1] + low * high * curve[2]
        axes.add_patch(
            FancyArrowPatch(
                path=Path([first, middle, last], [Path.MOVETO, Path.CURVE3, Path.CURVE3]),
                arrowstyle="-|>,head_length=0.5,head_width=0.22", mutation_scale=8 if thin else 12, color=ARROW,
                linewidth=0.6 if thin else 1.1, shrinkA=0, shrinkB=0, zorder=2, label="_arrow",
            )
        )  # fmt: skip
    entry = Line2D([], [], color=ARROW, linewidth=1.1, marker=">", markersize=5)
    entry.set_label("takeover favoured by selection" + ("" if thin else r"; number: $\rho Z$"))
    return [entry] if arrows else []


def _lines(axes: Any, at: np.ndarray, pairs: list[tuple[int, int]]) -> list[Any]:
    drawn = [
        axes.plot(*at[list(pair)].T, color=ARROW, linewidth=0.9, linestyle=(0, (4, 3)), zorder=1.5, label="_neutral")[0]
        for pair in pairs
    ]
    if not drawn:
        return []
    from matplotlib.lines import Line2D

    return [Line2D([], [], color=ARROW, linewidth=0.9, linestyle=(0, (4, 3)), label="neutral")]


def _nodes(axes: Any, at: np.ndarray, radius: np.ndarray, stationary: np.ndarray) -> None:
    import matplotlib
    from matplotlib.patches import Circle

    colours = matplotlib.colormaps[COLOURS]
    for centre, reach, share in zip(at, radius, stationary, strict=True):
        axes.add_patch(
            Circle(
                tuple(centre), reach, facecolor=colours(0.08 + 0.8 * share), edgecolor="black", linewidth=1.0, zorder=3,
                label="_node",
            )
        )  # fmt: skip


def _percent(share: float) -> str:
    return "< 0.1 %" if 0 < share < 0.001 else "> 99.9 %" if 0.999 < share < 1 else f"{100 * share:.1f} %"


def _extent(text: str, points: float) -> np.ndarray:
    """`[2]`: half the width and half the height of a text, in points."""
    from matplotlib.textpath import TextPath

    lines = [TextPath((0, 0), line, size=points).get_extents().width for line in text.split("\n")]
    return np.array([max(lines), 1.2 * points * len(lines)]) / 2


def _names(axes: Any, at: np.ndarray, radius: np.ndarray, names: list[str], stationary: np.ndarray) -> float:
    """Names and percentages outside of the nodes; how many points the highest needs above the axes."""
    above, points = 0.0, TEXT if len(names) <= NUMBERED else SMALL
    for centre, reach, name, share in zip(at, radius, names, stationary, strict=True):
        out = centre if np.any(centre) else np.array([0.0, -1.0])
        text = labels.plain("\n".join([*textwrap.wrap(name, WRAP), _percent(float(share))]))
        half = _extent(text, points)
        beside = (half + 4) * np.clip(1.5 * out, -1, 1)
        axes.annotate(
            text, centre + reach * out, beside, textcoords="offset points", ha="center", va="center", fontsize=points,
            linespacing=1.15, annotation_clip=False,
        )  # fmt: skip
        above = max(above, 2 * half[1] if out[1] > 0.5 else 0.0)
    return above


def _numbers(
    axes: Any, at: np.ndarray, radius: np.ndarray, arrows: list[tuple[int, int]], above: np.ndarray, scaled: np.ndarray
) -> None:
    """rho Z on each arrow, as near to its middle as it covers no other number, no node and few other arrows.

    The shortest arrows, which leave the least choice, come first.
    """
    axes.get_figure(root=True).draw_without_rendering()  # lays out: only now it is known how long an arrow is
    pixels = np.ptp(axes.transData.transform([[0, 0], [1, 1]]), axis=0)  # to a unit
    scale = 72 / axes.get_figure(root=True).dpi * pixels
    curves = {pair: _curve(at, pair, bool(above[pair])) for pair in arrows}
    along = {pair: scale * _point(curve, np.linspace(0, 1, 51)) for pair, curve in curves.items()}
    taken, sizes = np.zeros((0, 2)), np.zeros((0, 2))  # centres and half extents of the numbers so far
    for pair in sorted(arrows, key=lambda pair: round(float(np.hypot(*(at[pair[0]] - at[pair[1]]))), 6)):
        value = scaled[pair[1], pair[0]]
        text = f"{value:#.3g}" if value < 99.95 else f"{value:.0f}"
        half = _extent(text, SMALL) + 1
        low, high = _visible(curves[pair], radius[pair[0]], radius[pair[1]])
        places = low + (high - low) * np.linspace(0.15, 0.8, 53)
        points = scale * _point(curves[pair], places)
        apart = (np.abs(points[:, None] - taken) - half - sizes).max(-1)  # below zero where two numbers overlap
        nearest = np.abs(points[:, None] - scale * at)
        clear = (np.maximum(nearest - half, 0) > scale * radius[:, None]).any(-1).all(-1)
        clear &= (apart > 0).all(1)
        if not clear.any():
            continue
        others = [line for other, line in along.items() if other != pair]
        crossed = sum((np.abs(points[:, None] - line) < half).all(-1).any(-1).astype(float) for line in others)
        cost = crossed + 3 * np.abs(places - (low + high) / 2) + np.where(clear, 0, np.inf)
        best = int(np.argmin(cost))
        taken, sizes = np.vstack([taken, points[best]]), np.vstack([sizes, half])
        axes.text(*_point(curves[pair], places[best]), text, ha="center", va="center", fontsize=SMALL, zorder=4,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8})  # fmt: skip
