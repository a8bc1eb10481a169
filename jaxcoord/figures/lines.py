"""Lines with bands: trajectories over time, or values over one swept parameter, beside closed-form curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxcoord.errors import ParameterError, nearest
from jaxcoord.figures import labels, style
from jaxcoord.figures.summary import QUANTILES, summary

MANY = 40  # points from which on they are joined without markers


@style.styled
def trajectories(
    data: Any,
    *,
    over: str = "step",
    quantiles: Sequence[float] = QUANTILES,
    hue: str | None = None,
    axes: Any = None,
    reference: Mapping[str, tuple[Any, Any]] | None = None,
    label: str | None = None,
    title: str | None = None,
) -> Any:
    """Lines with bands over time or over one parameter.

    Args:
      data: `DataArray` over `over`, and, if it has them, `replicate` or `statistic`, and `hue`. Over replicates the
        line is the median; of recorded statistics it is the mean with the bands that were recorded.
      over: the dim on x, or a coordinate along a dim; log axis where it is log-spaced.
      quantiles: over replicates, symmetric about 0.5: one band for each pair.
      hue: the dim with one line for each label; by default the only dim left.
      axes: matplotlib axes to draw in; by default those of a new figure.
      reference: closed-form curves, legend label to (x, y), drawn black and broken, with markers where points are few.
      label: of the y axis; by default `long_name [units]` of the data.
      title: above the axes; by default what lines and bands are.
    Returns: the `matplotlib.figure.Figure`.
    Raises: ParameterError for an unknown `over` or `hue`, or more dims than can be drawn.
    """
    along, hue = _roles(data, over, hue)
    own = axes is None
    figure, axes = style.canvas(axes)
    style.light_grid(axes)
    order = np.argsort(labels.coordinate(data, over), kind="stable")
    data = data.isel({along: order})
    x = labels.coordinate(data, over)
    found = summary(data, quantiles)
    names = [None] if hue is None else hue_labels(data, hue)
    handles, drawn = [], []
    for i, name in enumerate(names):
        pick = {} if hue is None else {hue: i}
        looks = style.look(i)
        for k, (low, high) in enumerate(found.bands):
            low, high = (np.asarray(end.isel(pick).values, float) for end in (low, high))
            axes.fill_between(x, low, high, color=looks.colour, alpha=0.18 + 0.12 * k, linewidth=0, label="_band")
            drawn += [low, high]
        y = np.asarray(found.centre.isel(pick).values, float)
        drawn.append(y)
        marker = looks.marker if (over != "step" and len(x) <= MANY) or len(x) == 1 else ""
        handles += axes.plot(
            x, y, color=looks.colour, linestyle=looks.line, marker=marker, label=labels.plain(name or "")
        )
    shown = handles if hue is not None or reference else []
    if hue is None and reference:
        handles[0].set_label("simulated")
    if over == "step":
        axes.xaxis.get_major_locator().set_params(integer=True)
    _limits(axes, x, np.concatenate(drawn), data.attrs)
    shown = shown + _references(axes, reference or {})
    across, up = style.room(axes)
    axes.set_xlabel("step" if over == "step" else labels.quantity(over, labels.attributes(data, over), across))
    axes.set_ylabel(labels.quantity(str(data.name or "value"), data.attrs, up) if label is None else label)
    style.legend(axes, shown, own)
    title = found.words if title is None else title
    if title:
        axes.set_title(title)
    return figure


def hue_labels(data: Any, hue: str) -> list[str]:
    """The labels of a dim as legend entries: texts as they are, numbers as `name = value`."""
    if hue not in data.coords or data[hue].ndim != 1:
        return [f"{hue} {i}" for i in range(data.sizes[hue])]
    values = data[hue].values
    if values.dtype.kind in "US" or all(isinstance(value, str) for value in values):
        return [str(value) for value in values]
    return [f"{hue} = {labels.number(value)}" for value in values]


def _roles(data: Any, over: str, hue: str | None) -> tuple[str, str | None]:
    """(the dim that `over` runs along, the dim of the hue)."""
    if over not in data.dims and (over not in data.coords or data[over].ndim != 1):
        known = [str(name) for name in {*data.dims, *(c for c in data.coords if data[c].ndim == 1)}]
        raise ParameterError(f"over = {over!r}: no such dim or coordinate of the data{nearest(over, known)}")
    along = over if over in data.dims else data[over].dims[0]
    if hue is not None and hue not in data.dims:
        raise ParameterError(f"hue = {hue!r}: no such dim of the data{nearest(hue, map(str, data.dims))}")
    left = [dim for dim in data.dims if dim not in (along, hue, "replicate", "statistic")]
    if hue is None and len(left) == 1:
        hue, left = left[0], []
    if left:
        raise ParameterError(f"trajectories: the dims {left} are left over: select or average them, or name a hue")
    return along, hue


def _limits(axes: Any, x: np.ndarray, values: np.ndarray, attributes: Mapping[str, Any]) -> None:
    if labels.is_log_spaced(x):
        axes.set_xscale("log")
    axes.margins(x=0.02)
    if labels.value_limits(values, attributes) == (0.0, 1.0):
        axes.set_ylim(-0.03, 1.03)


def _references(axes: Any, reference: Mapping[str, tuple[Any, Any]]) -> list[Any]:
    handles = []
    for i, (name, (x, y)) in enumerate(reference.items()):
        x, y = np.asarray(x, float), np.asarray(y, float)
        if x.shape != y.shape or x.ndim != 1:
            raise ParameterError(
                f"reference[{name!r}]: x {x.shape} and y {y.shape}: two lists of one length are needed"
            )
        line = style.REFERENCE_LINES[i % len(style.REFERENCE_LINES)]
        marker = style.REFERENCE_MARKERS[i % len(style.REFERENCE_MARKERS)] if len(x) <= MANY else ""
        handles += axes.plot(
            x, y, color="black", linestyle=line, marker=marker, linewidth=1.2, zorder=3, label=labels.plain(name)
        )
    return handles
