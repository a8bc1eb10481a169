"""`plot`: the figure that suits a dataset, chosen by what was swept and what was recorded."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxcoord.errors import ParameterError, nearest
from jaxcoord.figures import labels, selection, style
from jaxcoord.figures.bars import bars
from jaxcoord.figures.lines import trajectories
from jaxcoord.figures.phase import phase_diagram, phase_points
from jaxcoord.figures.selection import Roles
from jaxcoord.figures.summary import QUANTILES, centre_only, summary

BARS = 24  # groups that one figure has room for
BANDED = 3  # lines whose outer bands can still be told apart
COLUMNS = 3  # panels side by side
MARGIN = 0.85  # inches left of a title


@style.styled
def plot(
    data: Any,
    path: str | os.PathLike | None = None,
    *,
    variable: str | None = None,
    x: str | None = None,
    y: str | None = None,
    at: Mapping[str, Any] | None = None,
    levels: float | Sequence[float] | None = None,
) -> Any:
    """The figure that suits a dataset.

    Two or more swept numbers give a phase diagram of the mean over the last half of the records and over replicates,
    one panel for each label of the observable; samples of two or more numbers coloured points; one swept number lines
    with quantile bands; none, and several records, trajectories; anything else bars. What the figure leaves out, its
    title says: further parameters held at their middle value, labels beyond the first six, values not finite.

    Args:
      data: an `xarray.Dataset` or `DataArray` as `simulate` and `sweep` return it, or the path of a run on disk.
      path: where to save the figure, .png or .svg; by default nowhere.
      variable: the observable; by default the first one.
      x, y: swept parameters for the axes; `x` alone asks for lines over it, and "step" for trajectories.
      at: values at which other dims are held, such as `{"beta": 0.1, "strategy": "AS"}`; the nearest for numbers.
      levels: values at which a phase diagram has contours.
    Returns: the `matplotlib.figure.Figure`, which a notebook shows.
    Raises: ParameterError for an unknown name or suffix, or data that cannot be drawn; StoreError where no run is.

    Example:
      >>> import jaxcoord as jc
      >>> runs = jc.simulate(jc.evolution.PairwiseComparison(size=50), steps=200, populations=8)
      >>> jc.plot(runs).axes[0].get_xlabel()
      'step'
    """
    target = None if path is None else style.checked_path(path)
    data = _dataset(data)
    array, said = selection.select(selection.variable(data, variable), at or {})
    found = selection.roles(array)
    axes, kind = _axes(array, found, x, y)
    array, held = selection.middle(array, _held(found, axes, kind))
    title = str(data.attrs.get("title") or "")
    figure = kind(array, axes, found, [title, *said, *held], levels)
    if target is not None:
        style.save(figure, target)
    return figure


def _dataset(data: Any) -> Any:
    if isinstance(data, str | os.PathLike):
        from jaxcoord.engine.dataset import load

        return load(Path(data))
    import xarray

    if isinstance(data, xarray.DataArray):
        return data.to_dataset(name=str(data.name or "value"))
    if not isinstance(data, xarray.Dataset):
        raise ParameterError(f"plot: data is a {type(data).__name__}; a dataset or the path of a run is needed")
    return data


def _axes(array: Any, found: Roles, x: str | None, y: str | None) -> tuple[list[str], Callable[..., Any]]:
    """(the names on the axes, the figure to draw)."""
    steps = "step" in array.dims and array.sizes["step"] > 1
    known = [*found.numeric, "step"] if steps else found.numeric
    for hint, name in (("x", x), ("y", y)):
        if name is not None and name not in known:
            raise ParameterError(f"{hint} = {name!r}: not a swept number of {array.name!r}{nearest(name, known)}")
    if y is not None and (x == y or "step" in (x, y)):
        raise ParameterError(f"x = {x!r}, y = {y!r}: two different swept parameters are needed")
    if x == "step" or (x is None and y is None and not found.numeric and not found.categorical and steps):
        return ["step"], _trajectories
    if not found.numeric:
        return [], _bars
    if len(found.numeric) == 1 or (x is not None and y is None):
        return [x or found.numeric[0]], _lines
    given = [name for name in (x, y) if name is not None]
    rest = [name for name in found.numeric if name not in given]
    chosen = [x or rest.pop(0), y or rest.pop(0)]
    return chosen, _points if "point" in array.dims and chosen[0] not in array.dims else _phase


def _held(found: Roles, axes: list[str], kind: Callable[..., Any]) -> list[str]:
    """Swept dims that the figure has no room for."""
    if kind is _bars:
        return found.categorical[1:]
    spare = [*found.numeric, *found.categorical]
    if kind in (_lines, _phase) and not found.own:
        spare = [*found.numeric, *found.categorical[1:]]  # one category takes the place of the observable's labels
    return [name for name in spare if name not in axes] + (["point"] if kind is _trajectories else [])


def _title(parts: Sequence[str], inches: float) -> str:
    return labels.wrapped(list(parts), int(inches * style.LETTERS))


def _labels(array: Any, found: Roles) -> list[str]:
    return [dim for dim in [*found.own, *found.categorical] if dim in array.dims]


def _unsaid(array: Any, axes: Sequence[str]) -> str:
    """Words for parameters that vary along `point` and are on no axis."""
    others = [name for name in selection.parameters(array, "point") if name not in axes]
    return f"{', '.join(others)} not shown, differ from point to point" if others else ""


def _panels(slices: Sequence[tuple[str, Any]], parts: Sequence[str], draw: Callable[..., Any]) -> Any:
    """Small multiples that share one colour bar; a single one has its own."""
    everything = np.concatenate([np.ravel(values) for _, values in slices])
    attributes = slices[0][1].attrs
    limits = labels.value_limits(everything, attributes)
    if len(slices) == 1:
        name = slices[0][0]
        return draw(slices[0][1], limits=limits, title=_title([name, *parts], style.SINGLE[0] - MARGIN))
    columns = len(slices) if len(slices) <= COLUMNS else -(-len(slices) // 2)
    rows = -(-len(slices) // columns)
    size = (style.PANEL[0] * columns + 0.7, style.PANEL[1] * rows + 0.5)
    figure = style.new_figure(size)
    grid = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False).ravel()
    for i, (axes, (name, values)) in enumerate(zip(grid, slices, strict=False)):
        draw(values, axes=axes, colourbar=False, limits=limits, title=labels.plain(name))
        last, first = i + columns >= len(slices), i % columns == 0
        axes.tick_params(labelbottom=last, labelleft=first)
        axes.set_xlabel(axes.get_xlabel() if last else "")
        axes.set_ylabel(axes.get_ylabel() if first else "")
    for axes in grid[len(slices) :]:
        axes.remove()
    name = labels.quantity(str(slices[0][1].name or "value"), attributes, width=int(0.72 * style.LETTERS * size[1]))
    mapped = next(axes.collections[0] for axes in grid)
    figure.colorbar(mapped, ax=list(grid[: len(slices)]), label=name, pad=0.02)
    figure.suptitle(_title(parts, size[0] - 0.2), x=0.01, ha="left")
    return figure


def _phase(array: Any, axes: list[str], found: Roles, parts: list[str], levels: Any) -> Any:
    slices, words, bad = _maps(array, found)

    def draw(values: Any, **options: Any) -> Any:
        return phase_diagram(values.transpose(*axes), levels=levels, legend=len(slices) == 1, **options)

    drawn = np.unique([] if levels is None or len(slices) == 1 else levels)
    shared = f"lines at {', '.join(labels.number(level) for level in drawn)}" if len(drawn) else ""
    return _panels(slices, [*parts, *words, shared, bad], draw)


def _points(array: Any, axes: list[str], found: Roles, parts: list[str], levels: Any) -> Any:
    slices, words, bad = _maps(array, found)

    def draw(values: Any, **options: Any) -> Any:
        return phase_points(values, *axes, **options)

    return _panels(slices, [*parts, *words, _unsaid(array, axes), bad], draw)


def _maps(array: Any, found: Roles) -> tuple[list[tuple[str, Any]], list[str], str]:
    """One map for each label: the mean over time and replicates, words, and what was not finite."""
    array, when = selection.last_half(array)
    slices, cut = selection.labelled(array, _labels(array, found))
    parts = [part.load() for _, part in slices]
    means = [centre_only(selection.time_mean(part)) for part in parts]
    named = [(name, mean) for (name, _), (mean, _) in zip(slices, means, strict=True)]
    return named, [" and ".join(filter(None, [when, means[0][1]])), cut], selection.nonfinite(parts)


def _lines(array: Any, axes: list[str], found: Roles, parts: list[str], levels: Any) -> Any:
    return _curves(array, axes[0], found, parts, average=True)


def _trajectories(array: Any, axes: list[str], found: Roles, parts: list[str], levels: Any) -> Any:
    return _curves(array, "step", found, parts, average=False)


def _curves(array: Any, over: str, found: Roles, parts: list[str], average: bool) -> Any:
    array, when = selection.last_half(array) if average else (array, "")
    stacked, cut, bad = _stacked(array, found)
    stacked = selection.time_mean(stacked) if average else selection.finite(stacked)
    quantiles = QUANTILES if stacked.sizes.get("label", 1) <= BANDED else QUANTILES[1:-1]
    one = stacked.isel({dim: 0 for dim in stacked.dims if dim not in ("replicate", "statistic")})
    words = summary(one, quantiles).words
    title = _title([*parts, when, words, cut, _unsaid(array, [over]), bad], style.SINGLE[0] - MARGIN)
    hue = "label" if "label" in stacked.dims else None
    return trajectories(stacked, over=over, hue=hue, quantiles=quantiles, title=title)


def _stacked(array: Any, found: Roles) -> tuple[Any, str, str]:
    """The slices of an array along one dim `label`, in memory; words where labels were cut; what was not finite."""
    import xarray

    slices, cut = selection.labelled(array, _labels(array, found))
    parts = [part.load() for _, part in slices]
    bad = selection.nonfinite(parts)
    if len(slices) == 1 and not slices[0][0]:
        return parts[0], cut, bad
    names = xarray.DataArray([name for name, _ in slices], dims="label", name="label")
    bare = [part.drop_vars([c for c in part.coords if not part[c].dims]) for part in parts]
    same: dict[str, Any] = {"coords": "minimal", "compat": "override", "join": "override", "combine_attrs": "override"}
    return xarray.concat(bare, dim=names, **same), cut, bad


def _bars(array: Any, axes: list[str], found: Roles, parts: list[str], levels: Any) -> Any:
    groups = next((dim for dim in found.categorical if dim in array.dims), None)
    cut_groups = ""
    if groups and array.sizes[groups] > BARS:
        cut_groups = f"the first {BARS} of {array.sizes[groups]} values of {groups}"
        array = array.isel({groups: slice(BARS)})
    array, when = selection.last_half(array)
    stacked, cut, bad = _stacked(array, found._replace(categorical=[]))
    averaged = selection.time_mean(stacked)
    values, intervals, words = _heights(averaged)
    order = [dim for dim in (groups, "label") if dim in values.dims]
    heights = values.transpose(*order).values
    ends = None if intervals is None else np.stack([end.transpose(*order).values for end in intervals], -1)
    names = _group_names(averaged, groups) if groups else None
    series = list(map(str, averaged["label"].values)) if "label" in averaged.dims else None
    if names is None:
        names, series = series or [""], None
    figure = bars(
        np.atleast_1d(heights), ends if ends is None or heights.ndim else ends[None], names, series=series,
        label=labels.quantity(str(array.name), array.attrs, 44),
        title=_title([*parts, when, words, cut_groups, cut, bad], style.SINGLE[0] - MARGIN),
    )  # fmt: skip
    axes_drawn = figure.axes[0]
    if groups and groups != "point":
        axes_drawn.set_xlabel(labels.quantity(groups, labels.attributes(array, groups), style.room(axes_drawn)[0]))
    return figure


def _heights(averaged: Any) -> tuple[Any, tuple[Any, Any] | None, str]:
    """Means, and the ends of intervals: 5 and 95 % of replicates, or what was recorded."""
    found = summary(averaged, (0.05, 0.95))
    if "replicate" not in averaged.dims or not found.bands:
        return found.centre, found.bands[0] if found.bands else None, found.words
    mean, words = centre_only(averaged)
    return mean, found.bands[0], f"mean and 5\N{EN DASH}95 % of {words}"


def _group_names(array: Any, dim: str) -> list[str]:
    if dim != "point":
        return selection.values_of(array, dim)
    columns = [selection.values_of(array, name) for name in selection.parameters(array, dim)]
    return [", ".join(each) for each in zip(*columns, strict=True)] or selection.values_of(array, dim)
