"""Phase diagrams: a value over two swept parameters, with its contours and the boundaries that theory gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxcoord.errors import ParameterError
from jaxcoord.figures import labels, style

RASTER = 20_000  # cells from which on a mesh is drawn as a picture inside an SVG


@style.styled
def phase_diagram(
    data: Any,
    *,
    levels: float | Sequence[float] | None = None,
    boundaries: Mapping[str, tuple[Any, Any]] | None = None,
    label: str | None = None,
    title: str | None = None,
    axes: Any = None,
    limits: tuple[float, float] | None = None,
    colourbar: bool = True,
    legend: bool = True,
) -> Any:
    """A heat map over two swept parameters.

    Args:
      data: `DataArray [X, Y]`, first dim along x, second along y; cells reach half-way to their neighbours, on a
        log axis where the coordinate is log-spaced. Values that are not finite are hatched.
      levels: values of the data at which a contour is drawn, a black line with a white rim.
      boundaries: closed-form curves, legend label to (x, y), both `[n]`, drawn broken.
      label: of the colour bar; by default `long_name [units]` of the data.
      title: above the axes.
      axes: matplotlib axes to draw in; by default those of a new figure.
      limits: values of the two ends of the colour map; by default those of the data.
      colourbar, legend: whether to draw one.
    Returns: the `matplotlib.figure.Figure`.
    Raises: ParameterError where `data` has not two dims, or a boundary's x and y differ in length.
    """
    if data.ndim != 2:
        raise ParameterError(
            f"phase_diagram: data has the dims {data.dims}; two are needed: select or average the others"
        )
    own = axes is None
    figure, axes = style.canvas(axes)
    data, edges, logs = _mesh(data)
    values = np.ma.masked_invalid(np.asarray(data.values, float).T)
    low, high = limits or labels.value_limits(values.filled(np.nan), data.attrs)
    mesh = axes.pcolormesh(*edges, values, cmap=style.COLOURMAP, vmin=low, vmax=high, rasterized=values.size > RASTER)
    if values.mask.any():
        axes.patch.set(hatch="////", edgecolor="0.6", linewidth=0)
    for name, log, ends in zip(("x", "y"), logs, edges, strict=True):
        getattr(axes, f"set_{name}scale")("log" if log else "linear")
        getattr(axes, f"set_{name}lim")(ends[0], ends[-1])
    axes.set_autoscale_on(False)
    across, up = style.room(axes)
    axes.set_xlabel(labels.quantity(data.dims[0], labels.attributes(data, data.dims[0]), across))
    axes.set_ylabel(labels.quantity(data.dims[1], labels.attributes(data, data.dims[1]), up))
    if colourbar:
        name = labels.quantity(str(data.name or "value"), data.attrs, up) if label is None else label
        figure.colorbar(mesh, ax=axes, label=name, pad=0.02)
    handles = [] if levels is None else _contours(axes, data, values, np.unique(np.atleast_1d(levels)))
    handles += _boundaries(axes, boundaries or {})
    if legend:
        style.legend(axes, handles, own)
    if title:
        axes.set_title(title)
    return figure


@style.styled
def phase_points(
    data: Any,
    x: str,
    y: str,
    *,
    label: str | None = None,
    title: str | None = None,
    axes: Any = None,
    limits: tuple[float, float] | None = None,
    colourbar: bool = True,
) -> Any:
    """A value at scattered points of two parameters, such as a Latin hypercube's.

    Args:
      data: `DataArray [point]`; values that are not finite are drawn as crosses.
      x, y: names of coordinates along its dim.
      label, title, axes, limits, colourbar: as in `phase_diagram`.
    Returns: the `matplotlib.figure.Figure`.
    Raises: ParameterError where `data` has not one dim.
    """
    if data.ndim != 1:
        raise ParameterError(
            f"phase_points: data has the dims {data.dims}; one is needed: select or average the others"
        )
    figure, axes = style.canvas(axes)
    style.light_grid(axes)
    at, values = (labels.coordinate(data, x), labels.coordinate(data, y)), np.asarray(data.values, float)
    low, high = limits or labels.value_limits(values, data.attrs)
    good = np.isfinite(values)
    size = float(np.clip(3000 / max(1, len(values)), 6, 45))
    drawn = axes.scatter(
        at[0][good], at[1][good], size, values[good], cmap=style.COLOURMAP, vmin=low, vmax=high,
        edgecolors="0.2", linewidths=0.4,
    )  # fmt: skip
    axes.plot(at[0][~good], at[1][~good], "x", color="0.5", markersize=4)
    across, up = style.room(axes)
    for name, coordinate, values_at in zip(("x", "y"), (x, y), at, strict=True):
        if labels.is_log_spaced(values_at):
            getattr(axes, f"set_{name}scale")("log")
        text = labels.quantity(coordinate, labels.attributes(data, coordinate), across if name == "x" else up)
        getattr(axes, f"set_{name}label")(text)
    if colourbar:
        name = labels.quantity(str(data.name or "value"), data.attrs, up) if label is None else label
        figure.colorbar(drawn, ax=axes, label=name, pad=0.02)
    if title:
        axes.set_title(title)
    return figure


def _mesh(data: Any) -> tuple[Any, list[np.ndarray], list[bool]]:
    """The data in ascending order of both coordinates, the edges of its cells, and which axes are logarithmic."""
    edges, logs = [], []
    for dim in data.dims:
        order = np.argsort(labels.coordinate(data, dim), kind="stable")
        data = data.isel({dim: order})
        centres = labels.coordinate(data, dim)
        logs.append(labels.is_log_spaced(centres))
        edges.append(labels.cell_edges(centres, logs[-1]))
    return data, edges, logs


def _contours(axes: Any, data: Any, values: np.ma.MaskedArray, levels: np.ndarray) -> list[Any]:
    """Contour lines, their values written on them where there are several; handles for the legend."""
    from matplotlib.lines import Line2D

    reached = levels[(levels > values.min()) & (levels < values.max())] if values.count() else levels[:0]
    if len(reached) and min(values.shape) > 1:
        at = [labels.coordinate(data, dim) for dim in data.dims]
        lines = axes.contour(*at, values, levels=reached, colors="black", linewidths=1.3, linestyles="solid")
        lines.set_path_effects(style.halo(3.0))
        if len(reached) > 1:
            for text in axes.clabel(lines, fmt="%g", fontsize=7.5):
                text.set_path_effects(style.halo(2.0))
    text = ", ".join(f"{level:g}" + ("" if level in reached else " (nowhere)") for level in levels)
    return [Line2D([], [], color="black", linewidth=1.3, label=f"contour at {text}")]


def _boundaries(axes: Any, boundaries: Mapping[str, tuple[Any, Any]]) -> list[Any]:
    handles = []
    for i, (name, (x, y)) in enumerate(boundaries.items()):
        x, y = np.asarray(x, float), np.asarray(y, float)
        if x.shape != y.shape or x.ndim != 1:
            raise ParameterError(
                f"boundaries[{name!r}]: x {x.shape} and y {y.shape}: two lists of one length are needed"
            )
        line = style.REFERENCE_LINES[i % len(style.REFERENCE_LINES)]
        # The rim is a line of its own: a stroke effect would only rim the dashes and fill the gaps unevenly.
        axes.plot(x, y, color="white", linewidth=3.4, solid_capstyle="butt", label="_rim")
        handles += axes.plot(x, y, color="black", linewidth=1.7, linestyle=line, label=labels.plain(name))
    return handles
