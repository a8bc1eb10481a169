"""The look of every figure in one place, and `save`. Nothing global is changed: settings hold inside `styled` only."""

from __future__ import annotations

import contextlib
import functools
import io
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from jaxcoord.errors import ParameterError

SINGLE = (5.2, 3.9)  # inches, one panel
PANEL = (2.9, 2.6)  # inches, one of several panels
DPI = 150
LETTERS = 16  # to the inch, of a label or a title
SUFFIXES = (".png", ".svg")
COLOURMAP = "cividis"  # perceptually uniform, the same to most colour-blind eyes, and monotone in grey
REFERENCE_LINES = (
    (0, (5, 2)),
    (0, (1.2, 1.5)),
    (0, (6, 1.5, 1.2, 1.5)),
    (0, (6, 1.5, 1.2, 1.5, 1.2, 1.5)),
    (0, (10, 2)),
)
REFERENCE_MARKERS = ("x", "+", "1", "2", "*")

SETTINGS: dict[Any, Any] = {
    "axes.axisbelow": True,
    "axes.edgecolor": "0.25",
    "axes.facecolor": "white",
    "axes.grid": False,
    "axes.labelcolor": "black",
    "axes.labelsize": 9.0,
    "axes.linewidth": 0.7,
    "axes.spines.right": True,
    "axes.spines.top": True,
    "axes.titlelocation": "left",
    "axes.titlesize": 9.0,
    "figure.facecolor": "white",
    "figure.titlesize": 9.0,
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 9.0,
    "grid.alpha": 1.0,
    "grid.color": "0.9",
    "grid.linestyle": "-",
    "grid.linewidth": 0.6,
    "hatch.linewidth": 0.6,
    "legend.fontsize": 8.0,
    "legend.frameon": False,
    "legend.title_fontsize": 8.0,
    "lines.linewidth": 1.6,
    "lines.markersize": 4.0,
    "mathtext.default": "it",
    "mathtext.fontset": "dejavusans",
    "text.color": "black",
    "text.usetex": False,
    "xtick.color": "0.25",
    "xtick.labelcolor": "black",
    "xtick.labelsize": 8.0,
    "ytick.color": "0.25",
    "ytick.labelcolor": "black",
    "ytick.labelsize": 8.0,
}


class Look(NamedTuple):
    """How one series is drawn: each of the four parts alone tells it from its neighbours."""

    colour: str
    line: Any
    marker: str
    hatch: str


# Okabe & Ito 2008, without its black (references are black) and its yellow (lost on white); neighbours differ in grey.
PALETTE = ("#0072B2", "#E69F00", "#009E73", "#56B4E9", "#D55E00", "#CC79A7")
LINES = ("-", (0, (6, 2)), (0, (6, 2, 1.2, 2)), (0, (1.2, 1.5)), (0, (6, 1.5, 1.2, 1.5, 1.2, 1.5)), (0, (2.5, 1.2)))
MARKERS = ("o", "s", "^", "D", "v", "P")
HATCHES = ("", "///", "...", "xxx", "\\\\\\", "+++")


def look(index: int) -> Look:
    """The look of the series of an index: no two of the first 36 are the same, in colour or in grey."""
    turn = index // len(PALETTE)
    shape = (index + turn) % len(PALETTE)
    return Look(PALETTE[index % len(PALETTE)], LINES[shape], MARKERS[shape], HATCHES[shape])


def styled(function: Callable) -> Callable:
    """Run a function under our settings, whatever the caller's own, and leave the caller's as they were."""

    @functools.wraps(function)
    def inside(*args: Any, **options: Any) -> Any:
        import matplotlib

        with matplotlib.rc_context(SETTINGS):
            return function(*args, **options)

    return inside


def new_figure(size: tuple[float, float] = SINGLE) -> Any:
    """An empty figure whose layout keeps labels from overlapping."""
    from jaxcoord.figures.notebook import ShownFigure

    return ShownFigure(figsize=size, layout="constrained")


def canvas(axes: Any = None) -> tuple[Any, Any]:
    """(figure, axes): the axes given and their figure, or new ones."""
    if axes is not None:
        return axes.get_figure(root=True), axes
    figure = new_figure()
    return figure, figure.add_subplot()


def room(axes: Any) -> tuple[int, int]:
    """Letters that fit along the x axis and along the y axis of axes whose layout is not known yet."""
    figure, spec = axes.get_figure(root=True), axes.get_subplotspec()
    rows, columns = spec.get_gridspec().get_geometry() if spec is not None else (1, 1)
    across, up = figure.get_figwidth() / columns, figure.get_figheight() / rows
    return max(12, int((0.8 if columns == 1 else 0.64) * LETTERS * across)), max(12, int(0.72 * LETTERS * up))


def light_grid(axes: Any, axis: str = "both") -> None:
    """A light grid behind the data, and no frame on the right and on top."""
    axes.grid(True, axis=axis)
    axes.spines[["right", "top"]].set_visible(False)


def halo(width: float) -> list[Any]:
    """Path effects that put a white rim around a line, so that it shows on any colour."""
    from matplotlib import patheffects

    return [patheffects.Stroke(linewidth=width, foreground="white"), patheffects.Normal()]


def legend(axes: Any, handles: list[Any], outside: bool) -> None:
    """A legend below a figure of our own, or inside the axes that a caller gave."""
    if not handles:
        return
    if not outside:
        axes.legend(handles=handles, frameon=True, framealpha=0.9, handlelength=4)
        return
    figure = axes.get_figure(root=True)
    widths = [len(str(handle.get_label())) + 11 for handle in handles]  # eleven letters for the line and its margins
    room_across = int(figure.get_figwidth() * LETTERS)
    columns = len(handles) if sum(widths) <= room_across else max(1, room_across // max(widths))
    columns = -(-len(handles) // -(-len(handles) // columns))  # the fewest that need no further row
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, handlelength=4)


@contextlib.contextmanager
def settled(figure: Any) -> Iterator[None]:
    """A figure whose layout has come to rest and stays.

    Each draw lays out anew, starting from the last, and would move axes by a last bit, and so bytes, at each save.
    """
    engine = figure.get_layout_engine()
    if engine is None:
        yield
        return
    for _ in range(3):
        figure.draw_without_rendering()
    for axes in figure.axes:
        inside = axes.get_in_layout()
        axes.set_position([round(part, 6) for part in axes.get_position(original=True).bounds])
        axes.set_in_layout(inside)  # set_position takes axes out of the layout
    figure.set_layout_engine("none")
    try:
        yield
    finally:
        figure.set_layout_engine(engine)


def checked_path(path: str | os.PathLike) -> Path:
    """The path of a figure to be. Raises: ParameterError where its suffix is none that we write."""
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        raise ParameterError(f"figure {str(path)!r}: unknown suffix {path.suffix!r}; allowed: {', '.join(SUFFIXES)}")
    return path


def save(figure: Any, path: str | os.PathLike) -> Path:
    """Write a figure as PNG (150 dots to the inch) or SVG, by the suffix of `path`; its folder is made.

    The same figure gives the same bytes: no dates, no random identifiers.

    Returns: the path.
    Raises: ParameterError for another suffix.
    """
    import matplotlib

    path = checked_path(path)
    kind = path.suffix.lower()[1:]
    metadata: dict[str, Any] = {"Date": None, "Creator": None} if kind == "svg" else {"Software": None}
    stream = io.BytesIO()
    with matplotlib.rc_context({**SETTINGS, "svg.hashsalt": "jaxcoord", "svg.fonttype": "path", "savefig.bbox": None}):
        with settled(figure):
            figure.savefig(stream, format=kind, dpi=DPI, metadata=metadata)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(stream.getvalue())
    return path
