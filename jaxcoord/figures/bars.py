"""Bars with intervals, beside reference marks."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxcoord.errors import ParameterError
from jaxcoord.figures import labels as words
from jaxcoord.figures import style

WIDTH = 0.82  # of a group of bars, 1 is all of the room
ALONE = 0.6  # of a bar that is no part of a group


@style.styled
def bars(
    values: Any,
    intervals: Any,
    labels: Sequence[str],
    *,
    reference: Any = None,
    series: Sequence[str] | None = None,
    label: str | None = None,
    title: str | None = None,
    axes: Any = None,
) -> Any:
    """Bars, single or in groups.

    Args:
      values: `[B]` heights, or `[B, S]`: B groups of S bars. One that is not finite is left out.
      intervals: `[B, 2]` or `[B, S, 2]`: the low and the high end of each interval, on the axis of the values; a value
        may lie anywhere, even outside of it. None: no intervals.
      labels: `[B]`, below the bars or groups.
      reference: marks of the shape of `values`, such as closed-form values; or a mapping of legend labels to such.
      series: `[S]`, the legend's labels of the bars in a group.
      label: of the value axis.
      title: above the axes.
      axes: matplotlib axes to draw in; by default those of a new figure.
    Returns: the `matplotlib.figure.Figure`.
    Raises: ParameterError where shapes do not fit or an interval's low end lies above its high end.
    """
    values = np.asarray(values, float)
    if values.ndim not in (1, 2) or not values.size:
        raise ParameterError(f"bars: values have the shape {values.shape}; [bars] or [groups, series] is needed")
    shape = values.shape
    grouped = values.reshape(shape[0], -1)
    ends = None if intervals is None else np.asarray(intervals, float)
    _check(shape, ends, labels, series)
    own = axes is None
    figure, axes = style.canvas(axes)
    style.light_grid(axes, "y")
    count = grouped.shape[1]
    width = WIDTH / count if count > 1 else ALONE
    at = np.arange(shape[0])[:, None] + (np.arange(count) - (count - 1) / 2) * width
    handles = []
    for i in range(count):
        looks = style.look(i)
        name = "_bars" if series is None else words.plain(series[i])
        drawn = axes.bar(
            at[:, i], grouped[:, i], width * 0.92, color=looks.colour, hatch=looks.hatch, edgecolor="black",
            linewidth=0.7, label=name,
        )  # fmt: skip
        handles += [drawn] if series is not None else []
    if ends is not None:
        low, high = np.moveaxis(ends.reshape((*grouped.shape, 2)), -1, 0)
        axes.vlines(at.ravel(), low.ravel(), high.ravel(), color="white", linewidth=3.0)
        axes.vlines(at.ravel(), low.ravel(), high.ravel(), color="black", linewidth=1.2, label="_interval")
        cap = float(np.clip(60 / at.size, 3, 9))
        for end in (low, high):
            axes.plot(at.ravel(), end.ravel(), "_", color="black", markersize=cap, markeredgewidth=1.2, label="_cap")
    handles += _references(axes, at, shape, reference)
    axes.axhline(0, color="0.25", linewidth=0.7)
    longest = max(len(str(text)) for text in labels)
    crowded = shape[0] * min(longest, 14) > 55
    texts = [words.plain("\n".join(textwrap.wrap(str(text), 24 if crowded else 14))) for text in labels]
    axes.set_xticks(np.arange(shape[0]), texts, rotation=35 if crowded else 0, ha="right" if crowded else "center")
    axes.tick_params(axis="x", length=0)
    axes.set_xlim(-0.6, shape[0] - 0.4)
    if crowded:
        for text in axes.get_xticklabels():
            text.set_rotation_mode("anchor")
    axes.set_ylabel(label or "")
    style.legend(axes, handles, own)
    if title:
        axes.set_title(title)
    return figure


def _check(
    shape: tuple[int, ...], ends: np.ndarray | None, labels: Sequence[str], series: Sequence[str] | None
) -> None:
    if ends is not None and ends.shape != (*shape, 2):
        raise ParameterError(f"bars: intervals have the shape {ends.shape}; {(*shape, 2)} is needed, low and high ends")
    if ends is not None and (ends[..., 0] > ends[..., 1]).any():
        raise ParameterError("bars: an interval's low end lies above its high end; they are ends, not lengths")
    if len(labels) != shape[0]:
        raise ParameterError(f"bars: {len(labels)} labels for {shape[0]} bars or groups")
    bars_of_group = shape[1] if len(shape) == 2 else 1
    if series is not None and len(series) != bars_of_group:
        raise ParameterError(f"bars: {len(series)} names of series for {bars_of_group} bars in a group")


def _references(axes: Any, at: np.ndarray, shape: tuple[int, ...], reference: Any) -> list[Any]:
    if reference is None:
        return []
    marks = reference if isinstance(reference, Mapping) else {"reference": reference}
    handles = []
    for name, value, marker in zip(marks, marks.values(), "Dos^v" * len(marks), strict=False):
        value = np.asarray(value, float)
        if value.shape != shape:
            raise ParameterError(f"bars: reference {name!r} has the shape {value.shape}; {shape} is needed")
        handles += axes.plot(
            at.ravel(), value.ravel(), marker, markersize=5.5, markerfacecolor="white", markeredgecolor="black",
            markeredgewidth=1.2, zorder=4, clip_on=False, label=words.plain(name),
        )  # fmt: skip
    return handles
