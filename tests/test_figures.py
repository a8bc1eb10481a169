"""Figures: what is drawn is what was measured, readable in grey, and the same bytes each time."""

from __future__ import annotations

import itertools
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import xarray as xr
from matplotlib.colors import to_rgb

from jaxcoord.errors import ParameterError, StoreError
from jaxcoord.figures import bars, labels, phase_diagram, plot, save, style, summary, trajectories


def parameter(name, values, units="1", long_name=None):
    text = long_name or f"{name}, swept; with a note"
    return name, (name, values, {"parameter": f"game.{name}", "units": units, "long_name": text})


def dataset(swept, own=None, steps=4, replicates=5, statistics=(), seed=0, boolean=False):
    """A dataset as `sweep` returns it, of random values in 0 to 1, float32 as a run's."""
    coords = dict(parameter(name, values) for name, values in swept.items())
    dims = {name: len(values) for name, values in swept.items()}
    kind = "statistic" if statistics else "replicate"
    coords[kind] = (kind, list(statistics) or np.arange(replicates))
    coords["step"] = ("step", 10 * np.arange(1, steps + 1), {"units": "steps"})
    dims |= {kind: len(statistics) or replicates, "step": steps}
    for name, names in (own or {}).items():
        dims[name] = len(names)
        coords[name] = (name, list(names))
    values = np.random.default_rng(seed).random(tuple(dims.values())).astype(np.float32)
    values = values > 0.5 if boolean else values
    attributes = {"units": "payoff", "long_name": "mean payoff"}
    return xr.Dataset({"value": (tuple(dims), values, attributes)}, coords)


def surface(x=(0.0, 1.0, 3.0), y=(0.001, 0.01, 0.1, 1.0)):
    values = np.arange(len(x) * len(y), dtype=float).reshape(len(x), len(y))
    coords = dict([parameter("speed", list(x), "m/s"), parameter("beta", list(y))])
    return xr.DataArray(values, coords, ("speed", "beta"), "payoff", {"units": "1/step", "long_name": "mean payoff"})


def drawn_meshes(figure):
    """Heat maps, without the colour bars' own meshes."""
    panels = [axes for axes in figure.axes if axes.get_label() != "<colorbar>"]
    return [c for axes in panels for c in axes.collections if type(c).__name__ == "QuadMesh"]


def title(figure):
    return " ".join([figure.get_suptitle(), *(axes.get_title("left") for axes in figure.axes)]).replace("\n", " ")


def lines_of(axes):
    return {line.get_label(): line for line in axes.lines}


def bands_of(axes):
    """(low, high) of each band, in the order drawn, over ascending x."""
    found = []
    for band in (c for c in axes.collections if c.get_label() == "_band"):
        points = band.get_paths()[0].vertices
        xs = np.unique(points[:, 0])
        found.append(tuple(np.array([end(points[points[:, 0] == x, 1]) for x in xs]) for end in (np.min, np.max)))
    return found


# phase diagrams


def test_a_mesh_holds_the_numbers_and_cells_surround_the_coordinates():
    data = surface()
    figure = phase_diagram(data)
    (mesh,) = drawn_meshes(figure)
    np.testing.assert_array_equal(np.asarray(mesh.get_array()).reshape(4, 3), data.values.T)
    axes = figure.axes[0]
    assert (axes.get_xscale(), axes.get_yscale()) == ("linear", "log")
    corners = mesh.get_coordinates()
    np.testing.assert_allclose(corners[0, :, 0], [-0.5, 0.5, 2.0, 4.0])
    np.testing.assert_allclose(corners[:, 0, 1], 10.0 ** np.arange(-3.5, 1))
    np.testing.assert_allclose(axes.get_ylim(), (10**-3.5, 10**0.5))


def test_labels_come_from_attributes():
    figure = phase_diagram(surface(), title="here")
    axes, bar = figure.axes
    assert axes.get_xlabel() == "speed, swept [m/s]"
    assert axes.get_ylabel() == "beta, swept"
    assert bar.get_ylabel() == "mean payoff [1/step]"
    assert axes.get_title("left") == "here"


def test_coordinates_in_any_order_are_drawn_ascending():
    data = surface()
    shuffled = data.isel(speed=[2, 0, 1], beta=[3, 1, 0, 2])
    first, second = (drawn_meshes(phase_diagram(d))[0] for d in (data, shuffled))
    np.testing.assert_array_equal(first.get_array(), second.get_array())
    np.testing.assert_array_equal(first.get_coordinates(), second.get_coordinates())


def test_a_contour_runs_where_the_data_takes_its_level():
    x, y = np.linspace(0, 1, 9), np.linspace(0, 2, 5)
    coords = dict([parameter("a", x), parameter("b", y)])
    data = xr.DataArray(np.broadcast_to(x[:, None], (9, 5)), coords, ("a", "b"), "a")
    axes = phase_diagram(data, levels=0.3).axes[0]
    (contour,) = [c for c in axes.collections if type(c).__name__ == "QuadContourSet"]
    np.testing.assert_allclose(contour.get_paths()[0].vertices[:, 0], 0.3, atol=1e-12)
    plain = phase_diagram(data).axes[0]
    assert not [c for c in plain.collections if type(c).__name__ == "QuadContourSet"]


def test_a_level_that_is_nowhere_is_said():
    (legend,) = phase_diagram(surface(), levels=[3.0, 99.0]).legends
    assert [text.get_text() for text in legend.get_texts()] == ["contour at 3, 99 (nowhere)"]


def test_boundaries_keep_their_coordinates_and_differ_in_style():
    x = np.linspace(0, 3, 7)
    curves = {"risk": (x, 0.1 + x / 10), "welfare": (x, 0.2 + x / 10)}
    figure = phase_diagram(surface(), boundaries=curves)
    drawn = lines_of(figure.axes[0])
    for name, (at, values) in curves.items():
        np.testing.assert_array_equal(drawn[name].get_xdata(), at)
        np.testing.assert_array_equal(drawn[name].get_ydata(), values)
    assert drawn["risk"]._unscaled_dash_pattern != drawn["welfare"]._unscaled_dash_pattern
    assert [line.get_color() for line in figure.axes[0].lines].count("white") == 2
    assert {text.get_text() for text in figure.legends[0].get_texts()} == set(curves)
    np.testing.assert_allclose(figure.axes[0].get_xlim(), (-0.5, 4.0))


def test_figures_are_drawn_in_given_axes():
    figure = style.new_figure()
    left, right = figure.subplots(1, 2)
    assert phase_diagram(surface(), axes=left, colourbar=False) is figure
    assert trajectories(dataset({}).value, axes=right) is figure
    assert len(drawn_meshes(figure)) == 1
    assert len(right.lines) == 1


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: phase_diagram(surface()[0]), "two are needed"),
        (lambda: phase_diagram(surface(), boundaries={"risk": ([0, 1], [0])}), "risk"),
        (lambda: trajectories(dataset({"p": [0, 1]}, {"s": "AB"}).value), "left over"),
        (lambda: trajectories(dataset({}).value, over="stpe"), "did you mean 'step'"),
        (lambda: trajectories(dataset({}, {"strategy": "AB"}).value, hue="strat"), "did you mean 'strategy'"),
        (lambda: trajectories(dataset({}).value, quantiles=(0.1, 0.5)), "symmetric"),
        (lambda: trajectories(dataset({}, statistics=("std", "q0.9")).value), "a mean or a median is needed"),
        (lambda: trajectories(dataset({}).value, reference={"exact": ([0, 1], [0])}), "exact"),
        (lambda: bars([1, 2], None, ["a"]), "1 labels for 2"),
        (lambda: bars([1, 2], [[0, 1, 2]], ["a", "b"]), r"\(2, 2\) is needed"),
        (lambda: bars([1.0], [[2, 0]], ["a"]), "low end lies above"),
        (lambda: bars([1, 2], None, ["a", "b"], reference=[1]), "reference"),
        (lambda: bars([[1, 2]], None, ["a"], series=["x"]), "1 names of series for 2"),
        (lambda: save(style.new_figure(), "figure.gif"), r"unknown suffix '.gif'; allowed: .png, .svg"),
        (lambda: plot(dataset({}), "figure"), "unknown suffix"),
        (lambda: plot(xr.Dataset()), "holds no variable"),
        (lambda: plot(dataset({}), variable="valeu"), "did you mean 'value'"),
        (lambda: plot(dataset({"p": []})), "empty along p"),
        (lambda: plot(dataset({"p": [0, 1]}), x="q"), "allowed: p, step"),
        (lambda: plot(dataset({"p": [0, 1], "q": [0, 1]}), x="p", y="p"), "two different"),
        (lambda: plot(dataset({"p": [0, 1]}), at={"ps": 1}), "did you mean 'p'"),
        (lambda: plot(dataset({}, {"strategy": ["hawk", "dove"]}), at={"strategy": "hak"}), "did you mean 'hawk'"),
        (lambda: plot(dataset({"p": [0, 1]}), at={"p": "much"}), "a number is needed"),
        (lambda: plot(dataset({}, {"a": "AB", "b": "AB", "c": "AB"})), "at most 2 can be drawn"),
        (lambda: plot(dataset({}).astype(str)), "numbers are needed"),
        (lambda: plot(3), "a dataset or the path of a run is needed"),
    ],
)  # fmt: skip
def test_what_cannot_be_drawn_is_refused(call, words):
    with pytest.raises(ParameterError, match=words):
        call()


# lines


def test_bands_are_the_quantiles_of_replicates():
    data = dataset({}, replicates=11, steps=6).value
    axes = trajectories(data, quantiles=(0.1, 0.25, 0.5, 0.75, 0.9)).axes[0]
    values = data.values.astype(float)
    for (low, high), (a, b) in zip(bands_of(axes), [(0.1, 0.9), (0.25, 0.75)], strict=True):
        np.testing.assert_allclose(low, np.quantile(values, a, axis=0))
        np.testing.assert_allclose(high, np.quantile(values, b, axis=0))
    np.testing.assert_allclose(axes.lines[0].get_ydata(), np.median(values, 0))
    np.testing.assert_array_equal(axes.lines[0].get_xdata(), data.step)
    assert axes.get_xlabel() == "step"
    assert all(tick == int(tick) for tick in axes.get_xticks())
    assert "10\N{EN DASH}90 % and 25\N{EN DASH}75 % of 11 replicates" in axes.get_title("left")


def test_recorded_statistics_are_drawn_as_recorded():
    data = dataset({}, statistics=("mean", "std", "q0.05", "q0.95"))
    low, high = (data.value.sel(statistic=q).values for q in ("q0.05", "q0.95"))
    ((below, above),) = bands_of(trajectories(data.value).axes[0])
    np.testing.assert_allclose(below, np.minimum(low, high))
    np.testing.assert_allclose(above, np.maximum(low, high))
    axes = trajectories(data.value.sel(statistic=["mean", "std"])).axes[0]
    mean, std = (data.value.sel(statistic=s).values for s in ("mean", "std"))
    ((below, above),) = bands_of(axes)
    np.testing.assert_allclose(above - below, 2 * std, rtol=1e-5)
    np.testing.assert_allclose(axes.lines[0].get_ydata(), mean)
    assert "one standard deviation" in axes.get_title("left")


def test_one_line_for_each_label_and_curves_of_reference():
    data = dataset({"beta": np.logspace(-3, 0, 5)}, {"strategy": ["hawk", "dove"]}).value.mean("step", keep_attrs=True)
    grid = np.logspace(-3, 0, 50)
    figure = trajectories(data, over="beta", reference={"exact": (grid, grid / 2)})
    axes = figure.axes[0]
    drawn = lines_of(axes)
    assert list(drawn) == ["hawk", "dove", "exact"]
    np.testing.assert_allclose(drawn["dove"].get_ydata(), data.sel(strategy="dove").median("replicate"))
    np.testing.assert_array_equal(drawn["exact"].get_ydata(), grid / 2)
    assert drawn["exact"].get_color() == "black"
    assert axes.get_xscale() == "log"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["hawk", "dove", "exact"]


# bars


def test_bars_have_their_heights_intervals_and_marks():
    values, ends = np.array([0.2, 0.6]), np.array([[0.1, 0.5], [0.55, 0.6]])
    axes = bars(values, ends, ["a", "b"], reference={"exact": [0.3, 0.5]}, label="share").axes[0]
    assert [patch.get_height() for patch in axes.patches] == list(values)
    (segments,) = [c.get_segments() for c in axes.collections if c.get_label() == "_interval"]
    np.testing.assert_allclose([segment[:, 1] for segment in segments], ends)
    np.testing.assert_allclose(lines_of(axes)["exact"].get_ydata(), [0.3, 0.5])
    assert [text.get_text() for text in axes.get_xticklabels()] == ["a", "b"]
    assert axes.get_ylabel() == "share"


def test_groups_of_bars_do_not_overlap():
    axes = bars(np.ones((3, 4)), None, list("abc"), series=list("wxyz")).axes[0]
    spans = sorted((patch.get_x(), patch.get_x() + patch.get_width()) for patch in axes.patches)
    assert len(spans) == 12
    assert all(right <= left for (_, right), (left, _) in itertools.pairwise(spans))
    assert len({patch.get_hatch() for patch in axes.patches}) == 4


# plot


def test_two_swept_numbers_give_a_panel_for_each_label():
    data = dataset({"p": [0, 1, 2], "q": [0, 1]}, {"strategy": "ABC"})
    figure = plot(data)
    found = drawn_meshes(figure)
    mean = data.value.astype(float).isel(step=slice(2, None)).mean(("step", "replicate"))
    assert len(found) == 3
    for mesh, name in zip(found, "ABC", strict=True):
        expected = mean.sel(strategy=name).values.T
        np.testing.assert_allclose(np.asarray(mesh.get_array()).reshape(2, 3), expected, rtol=1e-6)
        assert mesh.axes.get_title("left") == name
    assert len({mesh.get_clim() for mesh in found}) == 1
    assert "mean over steps 30\N{EN DASH}40 and 5 replicates" in title(figure)


@pytest.mark.parametrize(
    ("own", "panels"),
    [({}, 1), ({"a": "AB"}, 2), ({"a": "AB", "b": "XY"}, 4), ({"a": "ABCDEFGHI"}, 6), ({"a": "ABC", "b": "XYZ"}, 6)],
)
def test_panels_follow_the_observables_dims_up_to_six(own, panels):
    figure = plot(dataset({"p": [0, 1, 2], "q": [0, 1]}, own, steps=1))
    assert len(drawn_meshes(figure)) == panels
    assert ("the first 6 of 9 labels" in title(figure)) == (panels == 6)


def test_further_parameters_are_held_at_their_middle_value_and_said():
    data = dataset({"p": [0, 1, 2], "q": [0, 1], "r": [0.1, 0.25, 0.7], "one": [5.0]})
    figure = plot(data)
    expected = data.value.isel(r=1, one=0, step=slice(2, None)).astype(float).mean(("step", "replicate"))
    (mesh,) = drawn_meshes(figure)
    np.testing.assert_allclose(np.asarray(mesh.get_array()).reshape(2, 3), expected.values.T, rtol=1e-6)
    assert "r = 0.25; one = 5" in title(figure)
    figure = plot(data, x="r", y="p", at={"q": 0.9})
    expected = data.value.isel(q=1, one=0, step=slice(2, None)).astype(float).mean(("step", "replicate"))
    (mesh,) = drawn_meshes(figure)
    np.testing.assert_allclose(np.asarray(mesh.get_array()).reshape(3, 3), expected.transpose("p", "r"), rtol=1e-6)
    assert "q = 1" in title(figure)


def test_one_swept_number_gives_lines_over_it():
    data = dataset({"p": [0, 1, 2, 4]}, {"strategy": "AB"})
    axes = plot(data).axes[0]
    mean = data.value.astype(float).isel(step=slice(2, None)).mean("step")
    drawn = lines_of(axes)
    np.testing.assert_allclose(drawn["B"].get_ydata(), mean.sel(strategy="B").median("replicate"), rtol=1e-6)
    np.testing.assert_array_equal(drawn["B"].get_xdata(), [0, 1, 2, 4])
    assert len(bands_of(axes)) == 4
    held = plot(dataset({"p": [0, 1, 2], "q": [0, 1, 2]}), x="q").axes[0]
    assert held.get_xlabel() == "$q$, swept"
    assert "p = 1" in held.get_title("left")


def test_no_sweep_gives_trajectories_or_bars():
    data = dataset({}, {"strategy": "AB"}, steps=7)
    assert plot(data).axes[0].get_xlabel() == "step"
    axes = plot(data.isel(step=[6])).axes[0]
    heights = [patch.get_height() for patch in axes.patches]
    np.testing.assert_allclose(heights, data.value.astype(float).isel(step=6).mean("replicate"), rtol=1e-6)
    assert [text.get_text() for text in axes.get_xticklabels()] == ["A", "B"]
    single = plot(dataset({}, steps=1, replicates=1)).axes[0]
    assert len(single.patches) == 1


def test_a_swept_category_gives_groups_of_bars():
    data = dataset({"rule": ["fermi", "moran", "death-birth"]}, {"strategy": "AB"})
    figure = plot(data)
    assert [text.get_text() for text in figure.axes[0].get_xticklabels()] == ["fermi", "moran", "death-birth"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["A", "B"]
    expected = data.value.astype(float).isel(step=slice(2, None)).mean(("step", "replicate"))
    heights = [patch.get_height() for patch in figure.axes[0].patches]
    np.testing.assert_allclose(heights, expected.transpose("strategy", "rule").values.ravel(), rtol=1e-6)


def test_a_swept_matrix_is_a_category():
    data = dataset({"matrix": [0, 1, 2]}).drop_vars("matrix")
    values = np.arange(12.0).reshape(3, 2, 2)
    data = data.assign_coords(matrix=(("matrix", "row", "column"), values, {"parameter": "game.matrix"}))
    names = ["[0 1; 2 3]", "[4 5; 6 7]", "[8 9; 10 11]"]
    assert [text.get_text() for text in plot(data).axes[0].get_xticklabels()] == names
    assert f"matrix = {names[2]}" in plot(data, at={"matrix": names[2]}).axes[0].get_title("left")


def points(columns, size=6):
    data = dataset({}, replicates=3).expand_dims(point=size).copy(deep=True)
    data["value"] = data.value + xr.DataArray(np.arange(size), dims="point")
    coords = {n: ("point", v, {"parameter": n, "long_name": n}) for n, v in columns.items()}
    return data.assign_coords(coords)


def test_points_of_two_numbers_are_coloured_marks():
    x, y = np.array([3.0, 1, 2, 0, 5, 4]), np.arange(6.0)
    data = points({"p": x, "q": y, "r": x + y})
    figure = plot(data)
    marks = figure.axes[0].collections[0]
    np.testing.assert_array_equal(marks.get_offsets(), np.stack([x, y], 1))
    expected = data.value.astype(float).isel(step=slice(2, None)).mean(("step", "replicate"))
    np.testing.assert_allclose(marks.get_array(), expected, rtol=1e-6)
    assert "r not shown" in title(figure)


def test_points_of_one_number_are_lines_in_its_order_and_of_none_bars():
    x = np.array([3.0, 1, 2, 0, 5, 4])
    line = plot(points({"p": x, "rule": list("abcdef")})).axes[0].lines[0]
    np.testing.assert_array_equal(line.get_xdata(), np.arange(6))
    assert list(np.argsort(line.get_ydata())) == list(x[[3, 1, 2, 0, 5, 4]].argsort()[np.argsort([3, 1, 2, 0, 5, 4])])
    axes = plot(points({"rule": list("abcdef")})).axes[0]
    assert [text.get_text() for text in axes.get_xticklabels()] == list("abcdef")


def test_truth_values_are_shares():
    data = dataset({"p": [0, 1], "q": [0, 1, 2]}, boolean=True, steps=2)
    (mesh,) = drawn_meshes(plot(data))
    expected = data.value.isel(step=1).values.mean(-1)
    np.testing.assert_allclose(np.asarray(mesh.get_array()).reshape(3, 2), expected.T)
    assert plot(data, x="step").axes[0].get_xlabel() == "step"


def test_what_is_not_finite_is_masked_and_counted():
    data = dataset({"p": [0, 1, 2], "q": [0, 1]}, steps=2)
    data.value[1, 1] = np.inf
    data.value[0, 0, 0, 1] = np.nan
    data.value[0, 1, 0, 0] = np.nan  # in the first half, not shown
    figure = plot(data)
    values = drawn_meshes(figure)[0].get_array().reshape(2, 3)
    assert values.mask.sum() == 1
    assert values.mask[1, 1]
    np.testing.assert_allclose(values[0, 0], data.value.values[0, 0, 1:, 1].astype(float).mean(), rtol=1e-6)
    assert "6 of 30 values not finite" in title(figure)
    assert "not finite" in title(plot(data, x="p"))
    assert "not finite" not in title(plot(dataset({"p": [0, 1], "q": [0, 1]})))
    data.value[:] = np.nan
    assert drawn_meshes(plot(data))[0].get_array().mask.all()


def test_a_run_on_disk_is_drawn_by_its_path(tmp_path):
    import jaxcoord as jc

    model = jc.evolution.PairwiseComparison(size=20)
    kept = jc.sweep(model, {"beta": [0.1, 1.0]}, steps=4, replicates=2, store=tmp_path / "run")
    figure = plot(str(tmp_path / "run"), tmp_path / "run.svg")
    expected = kept.frequency.astype(float).isel(step=slice(2, None)).mean("step").median("replicate")
    drawn = [line.get_ydata() for line in figure.axes[0].lines]
    np.testing.assert_allclose(drawn, expected.transpose("strategy", "beta"), rtol=1e-6)
    assert figure.axes[0].get_xlabel() == "selection intensity of the Fermi rule [1/payoff]"
    assert (tmp_path / "run.svg").stat().st_size > 1000
    with pytest.raises(StoreError, match="no such run"):
        plot(tmp_path / "nothing")


# saving, style


def test_a_png_has_its_size_and_content(tmp_path):
    from matplotlib.image import imread

    target = save(phase_diagram(surface()), tmp_path / "new" / "folder" / "figure.png")
    image = imread(target)
    assert image.shape[:2] == (round(style.SINGLE[1] * style.DPI), round(style.SINGLE[0] * style.DPI))
    assert len(np.unique(image.reshape(-1, image.shape[-1]), axis=0)) > 12


@pytest.mark.parametrize("suffix", [".svg", ".png"])
def test_the_same_figure_is_the_same_bytes(tmp_path, suffix):
    curve = {"risk": ([0, 1], [0.1, 0.2])}
    figure = phase_diagram(surface(), levels=[4], boundaries=curve)
    first, second = (save(figure, tmp_path / f"{i}{suffix}").read_bytes() for i in range(2))
    again = save(phase_diagram(surface(), levels=[4], boundaries=curve), tmp_path / f"again{suffix}").read_bytes()
    assert first == second == again
    if suffix == ".svg":
        assert ElementTree.fromstring(first).tag.endswith("svg")
        assert b"<dc:date>" not in first


def test_the_callers_settings_neither_change_nor_leak_in(tmp_path):
    before = dict(matplotlib.rcParams)
    clean = save(plot(dataset({"p": [0, 1, 2]}, {"s": "AB"})), tmp_path / "a.svg").read_bytes()
    assert dict(matplotlib.rcParams) == before
    with matplotlib.rc_context({"font.size": 20, "axes.facecolor": "black", "axes.grid": True, "lines.linewidth": 9}):
        other = save(plot(dataset({"p": [0, 1, 2]}, {"s": "AB"})), tmp_path / "b.svg").read_bytes()
    assert other == clean


def luminance(colour):
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)]
    return float(np.dot([0.2126, 0.7152, 0.0722], linear))


def test_series_can_be_told_apart_in_grey():
    looks = [style.look(i) for i in range(36)]
    assert len({(item.colour, str(item.line)) for item in looks}) == 36
    for a, b in itertools.combinations(looks[:6], 2):
        alike = abs(luminance(a.colour) - luminance(b.colour)) < 0.05
        assert a.line != b.line
        assert a.marker != b.marker
        assert a.hatch != b.hatch
        assert not alike or str(a.line) != str(b.line)
    for first, second in itertools.pairwise(looks[:6]):
        assert abs(luminance(first.colour) - luminance(second.colour)) > 0.05
    ramp = [luminance(c) for c in matplotlib.colormaps[style.COLOURMAP](np.linspace(0, 1, 64))[:, :3]]
    assert (np.diff(ramp) > 0).all()
    drawn = plot(dataset({}, {"s": "ABCD"})).axes[0].lines
    assert len({str(line._unscaled_dash_pattern) for line in drawn}) == 4


def test_nothing_overlaps_or_leaves_the_page():
    long = "p_r, probability that a disaster of a kind that nobody foresaw takes all of an unsafe developer's gains"
    data = dataset({"p": [0.0, 0.5, 1.0], "q": [0.0, 1.0]}, {"strategy": ["always safe", "always unsafe"]})
    data.p.attrs["long_name"] = data.value.attrs["long_name"] = long
    for figure in (plot(data), plot(data, x="p"), plot(data.isel(step=[3], p=0, q=0)), plot(data, x="step")):
        figure.draw_without_rendering()
        texts = [t for axes in figure.axes for t in (axes.xaxis.label, axes.yaxis.label, axes._left_title)]
        texts += [*figure.texts, *(t for legend in figure.legends for t in legend.get_texts())]
        boxes = [(t.get_text(), t.get_window_extent()) for t in texts if t.get_text()]
        assert len(boxes) >= 2
        clashes = [(a, b) for a, b in itertools.combinations(boxes, 2) if a[1].overlaps(b[1])]
        assert not clashes
        page = figure.bbox
        assert all(b.x0 >= 0 and b.y0 >= 0 and b.x1 <= page.x1 and b.y1 <= page.y1 for _, b in boxes)


# words


@pytest.mark.parametrize(
    ("values", "log"),
    [
        (np.logspace(-4, 0, 9), True),
        ([0.001, 0.01, 0.1], True),
        ([1, 3, 10, 30, 100], True),
        (np.exp(np.random.default_rng(0).uniform(-7, 0, 40)), True),
        (np.linspace(1.1, 3, 12), False),
        (np.linspace(0.01, 10, 30), False),
        (np.random.default_rng(0).uniform(0.001, 1, 40), False),
        ([0, 0.01, 0.1, 1], False),
        ([1, 10], False),
        ([-1, 1, 10], False),
    ],
)
def test_log_spacing_is_recognised(values, log):
    assert labels.is_log_spaced(values) is log


@pytest.mark.parametrize(
    ("attributes", "width", "text"),
    [
        ({"long_name": "s, speed; safe has speed 1", "units": "1"}, 40, "$s$, speed"),
        ({"long_name": "p_r, risk", "units": "1/step"}, 40, "$p_{r}$, risk [1/step]"),
        ({"long_name": "p_r, risk", "units": "1/step"}, 12, "$p_{r}$, risk\n[1/step]"),
        ({"long_name": "cost in $", "units": ""}, 40, r"cost in \$"),
        ({}, 40, "name"),
        ({"long_name": "a b c d e f g h i j k l m n o p q", "units": "m"}, 15, "a b c d e f g h\ni j k l ... [m]"),
    ],
)
def test_labels_are_short(attributes, width, text):
    assert labels.quantity("name", attributes, width) == text


def test_cell_edges_of_one_value_surround_it():
    assert list(labels.cell_edges(np.array([4.0]), False)) == [2.0, 6.0]
    assert list(labels.cell_edges(np.array([0.0]), False)) == [-0.5, 0.5]


def test_quantiles_ignore_what_is_not_finite():
    data = xr.DataArray([[1.0, 2, np.nan], [3.0, 4, 5], [np.inf, 6, 7]], dims=("replicate", "step"))
    np.testing.assert_allclose(summary.summary(data).centre, [2, 4, 6])


def test_importing_figures_is_cheap_and_loads_no_simulator():
    heavy = ("jax", "matplotlib", "xarray", "jaxcoord.engine", "jaxcoord.games", "jaxcoord.evolution")
    code = f"import sys, jaxcoord.figures; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    source = "".join(path.read_text() for path in Path(style.__file__).parent.glob("*.py"))
    assert "pyplot as" not in source
    assert "import jax\n" not in source
