"""The simplex of three strategies as a triangle: flow, rest points, trajectories, stationary density."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from jaxcoord.errors import ParameterError
from jaxcoord.figures import labels, style
from jaxcoord.figures.barycentric import CORNERS, barycentric, checked, intervals, lattice, plane
from jaxcoord.figures.gradient import roots

MARGIN = 0.03  # share beyond the triangle to which streamlines reach before they are cut
RESOLUTION = 60  # intervals along an edge of the grid on which a field is evaluated
STILL = 1e-6  # of the largest speed; what is slower is at rest
LEAST = 0.005  # edges, that a line must lead ahead around an arrow head
RASTER = 20_000  # points from which on a line or a map is drawn as a picture inside an SVG
DENSITY_COLOURS = "Blues"  # white where nothing is, so that what is drawn above stays readable
GREY = (0.35, 0.35, 0.35, 1.0)  # of streamlines over a density
WRAP = 22  # letters of a strategy's name to a line


@style.styled
def simplex(
    strategies: Sequence[str],
    *,
    field: Callable[[np.ndarray], Any] | None = None,
    rest_points: tuple[Any, Sequence[str]] | None = None,
    trajectories: Sequence[Any] = (),
    density: tuple[Any, Any] | None = None,
    title: str = "",
    axes: Any = None,
) -> Any:
    """Dynamics of three strategies on their simplex, a triangle with one strategy in each corner.

    A population of shares (x1, x2, x3) is drawn at x1 c1 + x2 c2 + x3 c3, with the corners c: the first strategy
    below on the left, the second below on the right, the third on top.

    Args:
      strategies: three names, at the corners.
      field: `[M, 3]` shares to `[M, 3]` velocities; called once. Drawn as streamlines, coloured by speed (in edges of
        the triangle per unit of time) unless there is a density; edges that the flow does not leave have arrow heads.
      rest_points: (shares `[R, 3]`, kinds `[R]`): "sink" is a filled mark, "source" an open one, "saddle" half filled,
        "centre" a ring with a dot, anything else a cross.
      trajectories: each `[T, 3]`, shares over time: a mark where it starts, arrow heads along it.
      density: (shares `[N, 3]`, probability `[N]`), a stationary distribution: hexagons where the shares are multiples
        of one over a population size, else triangles between the points.
      title: above the axes.
      axes: matplotlib axes to draw in; by default those of a new figure.
    Returns: the `matplotlib.figure.Figure`.
    Raises: ParameterError for any other number of strategies, shapes that do not fit, values that are not finite, or
      shares that do not sum to one.

    Example:
      >>> import numpy as np
      >>> payoff = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]])
      >>> figure = simplex(
      ...     ["rock", "paper", "scissors"],
      ...     field=lambda x: x * (x @ payoff.T),
      ...     rest_points=([[1 / 3, 1 / 3, 1 / 3]], ["centre"]),
      ... )
    """
    if len(strategies) != 3:
        raise ParameterError(f"strategies: {len(strategies)} given; a simplex has a corner for each of three")
    flow = None if field is None else _flow(field)
    paths = [checked(path, f"trajectories[{i}]") for i, path in enumerate(trajectories)]
    points = None if rest_points is None else _rest_points(*rest_points)
    masses = None if density is None else _masses(*density)
    own = axes is None
    figure, axes = style.canvas(axes)
    axes.set_aspect("equal")
    axes.set_axis_off()
    axes.set(xlim=(-0.04, 1.04), ylim=(-0.04, CORNERS[2, 1] + 0.04))
    axes.fill(*CORNERS.T, facecolor="none", edgecolor="black", linewidth=1.0, zorder=2, label="_triangle")
    if masses is not None:
        figure.colorbar(_density(axes, *masses), ax=axes, label="stationary probability", pad=0.02, shrink=0.8)
    if flow is not None:
        drawn = _streamlines(axes, flow, coloured=masses is None)
        if drawn is not None and masses is None:
            figure.colorbar(drawn, ax=axes, label="speed", pad=0.02, shrink=0.8)
        _edges(axes, flow)
    for i, path in enumerate(paths):
        _trajectory(axes, plane(path), i)
    handles = [] if points is None else _marks(axes, *points)
    above = _names(axes, strategies)
    style.legend(axes, handles, own)
    if title:
        axes.set_title(title, pad=above)
    return figure


def _rest_points(shares: Any, kinds: Sequence[str]) -> tuple[np.ndarray, list[str]]:
    if not len(kinds) and not np.size(shares):
        return np.zeros((0, 3)), []
    shares, names = checked(shares, "rest_points"), [str(kind) for kind in kinds]
    if len(names) != len(shares):
        raise ParameterError(f"rest_points: {len(names)} kinds for {len(shares)} points")
    return shares, names


def _masses(shares: Any, probability: Any) -> tuple[np.ndarray, np.ndarray]:
    shares, values = checked(shares, "density"), np.asarray(probability, float)
    if values.shape != shares.shape[:1]:
        raise ParameterError(f"density: probability has the shape {values.shape}; {shares.shape[:1]} is needed")
    if not np.isfinite(values).all() or (values < 0).any():
        at = int(np.flatnonzero(~(values >= 0) | ~np.isfinite(values))[0])
        raise ParameterError(f"density: probability[{at}] = {values[at]}; a finite number from 0 is needed")
    return shares, values


def _flow(field: Callable[[np.ndarray], Any]) -> np.ndarray:
    """`[M, 3]` velocities on the lattice of `RESOLUTION`."""
    shares = lattice(RESOLUTION)
    velocity = np.asarray(field(shares), float)
    if velocity.shape != shares.shape:
        raise ParameterError(f"field: gives the shape {velocity.shape} for shares {shares.shape}; the same is needed")
    if not np.isfinite(velocity).all():
        at = int(np.flatnonzero(~np.isfinite(velocity).all(1))[0])
        raise ParameterError(f"field: is {velocity[at].tolist()} at the shares {shares[at].tolist()}; not finite")
    return velocity


def _streamlines(axes: Any, velocity: np.ndarray, coloured: bool) -> Any:
    """Lines along the flow, None where it is zero everywhere."""
    import matplotlib
    from matplotlib.colors import ListedColormap, Normalize
    from matplotlib.tri import LinearTriInterpolator, Triangulation

    flow = plane(velocity)
    fastest = float(np.hypot(*flow.T).max())
    if fastest == 0:
        return None
    # The grid reaches a little beyond the triangle, with the flow of the nearest edge, or else lines would end before
    # the edges; what lies beyond is cut off.
    x, y = (np.linspace(-MARGIN, high + MARGIN, 121) for high in (1, CORNERS[2, 1]))
    shares = barycentric(np.stack(np.meshgrid(x, y), -1))
    inside = shares.clip(min=1e-9)
    at = np.moveaxis(plane(inside / inside.sum(-1, keepdims=True)), -1, 0)
    triangles = Triangulation(*plane(lattice(RESOLUTION)).T)
    parts = [
        np.ma.masked_where(shares.min(-1) < -MARGIN, LinearTriInterpolator(triangles, part)(*at)) for part in flow.T
    ]
    colours = ListedColormap(matplotlib.colormaps[style.COLOURMAP](np.linspace(0, 0.85, 256)))  # not lost on white
    before = len(axes.patches)
    lines = axes.streamplot(
        x, y, *parts, color=np.ma.hypot(*parts), cmap=colours, norm=Normalize(0, fastest), density=1.1, linewidth=1.0,
        minlength=0.08, zorder=1,
    ).lines  # fmt: skip
    for head in axes.patches[before:]:  # ours lie within the triangle, and look like those of trajectories
        head.remove()
    tints = lines.to_rgba(lines.get_array())
    if not coloured:
        tints[:] = GREY
        lines.set_array(None)
        lines.set_color(GREY)
    segments = np.reshape(lines.get_segments(), (-1, 2, 2))
    breaks = np.flatnonzero((segments[1:, 0] != segments[:-1, 1]).any(1)) + 1
    for start, end in itertools.pairwise([0, *breaks, len(segments)]):
        within = barycentric(segments[start:end, 0]).min(-1) > 0
        points = segments[start:end, 0][within]
        if len(points) > 1:
            _heads(axes, points, 1, tints[start:end][within], 8.0, "_flow", 1.2)
    lines.set_clip_path(_triangle(axes))
    lines.set_label("_streamlines")
    return lines


def _triangle(axes: Any) -> Any:
    return next(patch for patch in axes.patches if patch.get_label() == "_triangle")


def _edges(axes: Any, velocity: np.ndarray) -> None:
    """Arrow heads on the edges that the flow runs along, one between any two of its rest points."""
    shares = lattice(RESOLUTION)
    fastest = np.abs(velocity).max()
    for start, end in ((0, 1), (1, 2), (2, 0)):
        other = 3 - start - end
        on = np.flatnonzero(shares[:, other] == 0)
        on = on[np.argsort(shares[on, end])]
        along, leaving = velocity[on, end], velocity[on, other]
        if fastest == 0 or np.abs(leaving).max() > STILL * fastest:
            continue
        along = np.where(np.abs(along) > STILL * fastest, along, 0.0)
        share = shares[on, end]
        stops = np.concatenate([[0.0], roots(share, along)[0], [1.0]])
        for low, high in itertools.pairwise(stops):
            middle = (low + high) / 2
            speed = np.interp(middle, share, along)
            if speed:
                at = (1 - middle) * CORNERS[start] + middle * CORNERS[end]
                _head(axes, at, np.sign(speed) * (CORNERS[end] - CORNERS[start]), "black", 9.0, "_edge", 3.2)


def _head(axes: Any, at: np.ndarray, direction: np.ndarray, colour: Any, size: float, name: str, order: float) -> None:
    """An arrow head whose tip points along a direction."""
    from matplotlib.path import Path
    from matplotlib.transforms import Affine2D

    dart = Path([(1.0, 0.0), (-0.8, 0.7), (-0.5, 0.0), (-0.8, -0.7), (1.0, 0.0)], closed=True)
    turned = dart.transformed(Affine2D().rotate(float(np.arctan2(direction[1], direction[0]))))
    axes.plot(
        *at[:, None], marker=turned, markersize=size, color=colour, markeredgecolor="white", markeredgewidth=0.4,
        linestyle="", zorder=order, clip_on=False, label=name,
    )  # fmt: skip


def _trajectory(axes: Any, points: np.ndarray, index: int) -> None:
    looks = style.look(index + 4)  # begins with the colours that the flow's have not
    (line,) = axes.plot(
        *points.T, color=looks.colour, linewidth=1.7, zorder=3, label="_trajectory", clip_on=False,
        rasterized=len(points) > RASTER,
    )  # fmt: skip
    line.set_path_effects(style.halo(3.0))
    axes.plot(
        *points[:1].T, marker="s", markersize=5.5, color=looks.colour, markeredgecolor="white", markeredgewidth=0.7,
        zorder=3.4, clip_on=False, label="_start",
    )  # fmt: skip
    edges = np.hypot(*np.diff(points, axis=0).T).sum()  # its length
    _heads(axes, points, int(np.clip(round(2 * edges), 1, 5)), [looks.colour] * len(points), 10.0, "_head", 3.2)


def _heads(axes: Any, points: np.ndarray, count: int, colours: Any, size: float, name: str, order: float) -> None:
    """Arrow heads spread evenly along a line, by its length and not by its points; none on one that hardly moves."""
    length = np.concatenate([[0.0], np.hypot(*np.diff(points, axis=0).T).cumsum()])
    reach = min(0.02, length[-1] / 4)  # the direction is that of a stretch: a single step may be noise

    def along(at: float) -> np.ndarray:
        return np.array([np.interp(at, length, part) for part in points.T])

    for at in (np.arange(count) + 0.5) / count * length[-1]:
        direction = along(at + reach) - along(at - reach)
        if np.hypot(*direction) > LEAST:
            _head(axes, along(at), direction, colours[int(np.searchsorted(length, at))], size, name, order)


def _marks(axes: Any, shares: np.ndarray, kinds: Sequence[str]) -> list[Any]:
    """Rest points, and handles for those kinds that occur, the known ones first."""
    from matplotlib.path import Path

    circle, codes = np.asarray(Path.unit_circle().vertices, float), Path.unit_circle().codes
    hole = Path(0.72 * circle[::-1], codes)  # turns the other way: not filled
    dotted = Path.make_compound_path(Path(circle, codes), hole, Path(0.36 * circle, codes))
    shapes: dict[str, dict[str, Any]] = {
        "sink": {"marker": "o", "markerfacecolor": "black"},
        "source": {"marker": "o", "markerfacecolor": "white"},
        "saddle": {"marker": "o", "markerfacecolor": "black", "markerfacecoloralt": "white", "fillstyle": "left"},
        "centre": {"marker": dotted, "markerfacecolor": "black", "markeredgewidth": 0},
    }
    others = [kind for kind in dict.fromkeys(kinds) if kind not in shapes]
    handles = []
    for kind in [kind for kind in [*shapes, *others] if kind in kinds]:
        at = plane(shares[[name == kind for name in kinds]])
        looks = {"markersize": 7.5, "color": "black", "markeredgewidth": 1.2, "linestyle": "", "clip_on": False}
        looks |= shapes.get(kind, {"marker": "x", "markeredgewidth": 1.8})
        axes.plot(*at.T, "o", color="white", markersize=9.5, clip_on=False, zorder=3.9, label="_rim")
        handles += axes.plot(*at.T, zorder=4, label=labels.plain(kind), **looks)
    return handles


def _density(axes: Any, shares: np.ndarray, values: np.ndarray) -> Any:
    from matplotlib.collections import PolyCollection
    from matplotlib.tri import Triangulation

    looks: dict[str, Any] = {"cmap": DENSITY_COLOURS, "zorder": 0.5, "rasterized": len(values) > RASTER}
    size = intervals(shares)
    if size is None:
        try:
            triangles = Triangulation(*plane(shares).T)
        except (RuntimeError, ValueError):
            raise ParameterError("density: shares all on one line; points around an area are needed") from None
        drawn = axes.tripcolor(triangles, values, shading="gouraud", vmin=0, vmax=values.max() or 1.0, **looks)
    else:
        angles = np.arange(6) * np.pi / 3 + np.pi / 6
        corner = np.stack([np.cos(angles), np.sin(angles)], 1) / 3**0.5 / size
        drawn = PolyCollection(
            list(plane(shares)[:, None] + corner), array=values, edgecolors="face", linewidths=0.2, **looks
        )
        drawn.set_clim(0, values.max() or 1.0)
        axes.add_collection(drawn, autolim=False)
    drawn.set_clip_path(_triangle(axes))
    drawn.set_label("_density")
    return drawn


def _names(axes: Any, strategies: Sequence[str]) -> float:
    """The strategies at their corners; how many points the one on top needs above the axes."""
    names = [textwrap.wrap(str(name), WRAP) for name in strategies]
    for name, at, side in zip(names, CORNERS, (-1, -1, 1), strict=True):
        axes.annotate(
            labels.plain("\n".join(name)), at, (0, 9 * side), textcoords="offset points", ha="center",
            va="bottom" if side > 0 else "top", annotation_clip=False,
        )  # fmt: skip
    return 8 + 12.0 * len(names[2])
