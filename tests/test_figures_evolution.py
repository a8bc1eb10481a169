"""Figures of evolutionary games: what is drawn lies where the mathematics puts it."""

from __future__ import annotations

import itertools
import xml.etree.ElementTree as ElementTree

import matplotlib
import numpy as np
import pytest
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch

from jaxcoord.errors import ParameterError
from jaxcoord.figures import barycentric as triangle
from jaxcoord.figures import gradient, invasion_diagram, roots, save, simplex
from jaxcoord.figures.invasion import COLOURS
from jaxcoord.figures.simplex import DENSITY_COLOURS

ROCK, PAPER, SCISSORS = np.eye(3)
NAMES = ["rock", "paper", "scissors"]
CYCLE = np.array([[0, -1, 2], [2, 0, -1], [-1, 2, 0.0]])  # winning pays more than losing costs: the centre attracts
COORDINATION = np.diag([1.0, 1.5, 2.0])


def replicator(payoff):
    def field(shares):
        earned = shares @ payoff.T
        return shares * (earned - (shares * earned).sum(-1, keepdims=True))

    return field


def labelled(axes, label):
    return [artist for artist in axes.get_children() if artist.get_label() == label]


def texts_of(axes):
    return [text.get_text() for text in axes.texts]


def legend_of(figure):
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def tips(heads):
    """(position `[H, 2]`, direction `[H, 2]` of length 1) of arrow heads, whose first vertex is the tip."""
    at = np.array([np.ravel(head.get_xydata()) for head in heads])
    tip = np.array([head.get_marker().vertices[0] for head in heads])
    return at, tip / np.hypot(*tip.T)[:, None]


def assert_apart(figure):
    """No two texts overlap, and all lie on the page."""
    figure.draw_without_rendering()
    texts = [text for axes in figure.axes for text in (*axes.texts, axes._left_title, axes.yaxis.label)]
    texts += [text for legend in figure.legends for text in legend.get_texts()]
    boxes = [(text.get_text(), text.get_window_extent()) for text in texts if text.get_text()]
    assert not [(a, b) for (a, one), (b, other) in itertools.combinations(boxes, 2) if one.overlaps(other)]
    page = figure.bbox
    outside = [text for text, box in boxes if box.x0 < 0 or box.y0 < 0 or box.x1 > page.x1 or box.y1 > page.y1]
    assert not outside


# shares as points


def test_shares_lie_where_their_corners_pull_them():
    np.testing.assert_allclose(triangle.plane([[1 / 3, 1 / 3, 1 / 3]]), [[0.5, 0.5 / 3**0.5]])
    corners = triangle.plane(np.eye(3))
    edges = corners - np.roll(corners, 1, 0)
    np.testing.assert_allclose(np.hypot(*edges.T), 1)
    np.testing.assert_allclose(triangle.plane([0.25, 0.75, 0]), [0.75, 0], atol=1e-15)
    shares = np.random.default_rng(0).dirichlet([1, 1, 1], 50)
    np.testing.assert_allclose(triangle.barycentric(triangle.plane(shares)), shares, atol=1e-14)
    assert triangle.barycentric([0.5, -0.1]).min() < 0


@pytest.mark.parametrize("number", [1, 2, 7, 100])
def test_a_lattice_is_all_shares_of_a_population_of_its_size(number):
    shares = triangle.lattice(number)
    assert len({tuple(row) for row in np.round(shares * number).astype(int)}) == (number + 1) * (number + 2) // 2
    np.testing.assert_allclose(shares.sum(1), 1)
    assert shares.min() >= 0
    assert triangle.intervals(shares) == triangle.intervals(shares.astype(np.float32)) == number


def test_scattered_shares_are_no_lattice():
    assert triangle.intervals(np.random.default_rng(0).dirichlet([1, 1, 1], 40)) is None


# simplex: flow


@pytest.mark.parametrize("payoff", [CYCLE, COORDINATION], ids=["cycle", "coordination"])
def test_streamlines_follow_the_field(payoff):
    field = replicator(payoff)
    axes = simplex(NAMES, field=field).axes[0]
    (lines,) = labelled(axes, "_streamlines")
    segments = np.asarray(lines.get_segments())
    middle, step = triangle.barycentric(segments.mean(1)), segments[:, 1] - segments[:, 0]
    flow = triangle.plane(field(middle))
    speed, length = np.hypot(*flow.T), np.hypot(*step.T)
    told = (middle.min(1) > 0.02) & (speed > 0.02) & (length > 1e-6)
    assert told.sum() > 300
    cosine = (flow * step).sum(1)[told] / (speed * length)[told]
    assert cosine.min() > 0.98
    colours = np.asarray(lines.get_array())
    starts = triangle.barycentric(segments[:, 0])  # a segment has the colour of its start
    expected = np.hypot(*triangle.plane(field(starts)).T)
    inner = starts.min(1) > 0.01
    np.testing.assert_allclose(colours[inner], expected[inner], atol=0.01 * expected.max())
    at, direction = tips(labelled(axes, "_flow"))
    assert len(at) > 15
    shares = triangle.barycentric(at)
    assert shares.min() > 0
    heading = triangle.plane(field(shares))
    np.testing.assert_array_less(0.9, (heading * direction).sum(1) / np.hypot(*heading.T))


def test_streamlines_cover_the_triangle_and_are_cut_at_its_edges():
    axes = simplex(NAMES, field=replicator(CYCLE)).axes[0]
    (lines,) = labelled(axes, "_streamlines")
    ends = np.asarray(lines.get_segments()).reshape(-1, 2)
    (outline,) = labelled(axes, "_triangle")
    np.testing.assert_allclose(outline.get_xy()[:3], triangle.CORNERS)
    clip, transform = lines.get_clip_path().get_transformed_path_and_affine()
    shown = transform.transform(clip.vertices[:3])
    np.testing.assert_allclose(shown, axes.transData.transform(triangle.CORNERS), atol=1e-6)
    for shares in triangle.lattice(8):
        near = 0.05 if shares.min() > 0 else 0.09
        assert np.hypot(*(ends - triangle.plane(shares)).T).min() < near


def test_a_field_is_called_once_with_a_regular_grid_of_the_simplex():
    calls = []

    def field(shares):
        calls.append(shares)
        return replicator(CYCLE)(shares).astype(np.float32)

    simplex(NAMES, field=field)
    (shares,) = calls
    assert isinstance(shares, np.ndarray)
    np.testing.assert_allclose(shares.sum(1), 1)
    np.testing.assert_array_equal(shares, triangle.lattice(triangle.intervals(shares)))


def test_the_colour_bar_tells_the_speed():
    figure = simplex(NAMES, field=replicator(COORDINATION))
    grid = triangle.lattice(60)
    fastest = np.hypot(*triangle.plane(replicator(COORDINATION)(grid)).T).max()
    assert figure.axes[1].get_ylabel() == "speed"
    np.testing.assert_allclose(figure.axes[1].get_ylim(), (0, fastest))


def test_edges_have_heads_between_their_rest_points():
    # Paper beats rock, scissors paper, rock scissors: one head in the middle of each edge, towards the winner.
    at, direction = tips(labelled(simplex(NAMES, field=replicator(CYCLE)).axes[0], "_edge"))
    losers, winners = np.array([ROCK, PAPER, SCISSORS]), np.array([PAPER, SCISSORS, ROCK])
    np.testing.assert_allclose(at, triangle.plane((losers + winners) / 2), atol=1e-12)
    np.testing.assert_allclose(direction, triangle.plane(winners) - triangle.plane(losers), atol=1e-12)
    # Coordination: each edge has an unstable point, for payoffs a and b at b / (a + b), and heads lead away from it.
    at, direction = tips(labelled(simplex(NAMES, field=replicator(COORDINATION)).axes[0], "_edge"))
    saddle = triangle.plane([0.6, 0.4, 0])
    on = [np.isclose(point[1], 0) for point in at]
    expected = [saddle / 2, (saddle + triangle.plane(PAPER)) / 2]
    np.testing.assert_allclose(at[on], expected, atol=0.002)
    np.testing.assert_allclose(direction[on], [[-1, 0], [1, 0]], atol=1e-12)
    assert len(at) == 6
    # Mutation drives every edge inwards: the flow leaves it.
    mutating = simplex(NAMES, field=lambda x: replicator(CYCLE)(x) + 0.05 * (1 / 3 - x)).axes[0]
    assert not labelled(mutating, "_edge")


@pytest.mark.parametrize("only", [None, 900], ids=["nowhere", "at one point"])
def test_a_field_that_is_still_has_no_arrows(only):
    still = np.zeros((1891, 3))
    if only is not None:
        still[only] = 1e-3, -1e-3, 0
    axes = simplex(NAMES, field=lambda shares: still).axes[0]
    assert not labelled(axes, "_flow")
    assert not labelled(axes, "_edge")


# simplex: rest points, trajectories, density


def test_rest_points_lie_at_their_shares_and_look_their_kind():
    points = [[1 / 3] * 3, ROCK, PAPER, SCISSORS, [0.5, 0.5, 0], [0.2, 0.3, 0.5]]
    kinds = ["centre", "saddle", "sink", "saddle", "source", "degenerate"]
    figure = simplex(NAMES, rest_points=(points, kinds))
    assert legend_of(figure) == ["sink", "source", "saddle", "centre", "degenerate"]
    drawn = {kind: labelled(figure.axes[0], kind)[0] for kind in kinds}
    for kind, mark in drawn.items():
        expected = triangle.plane([point for point, name in zip(points, kinds, strict=True) if name == kind])
        np.testing.assert_allclose(mark.get_xydata(), expected, atol=1e-12)
    assert to_rgba(drawn["sink"].get_markerfacecolor()) == to_rgba("black")
    assert to_rgba(drawn["source"].get_markerfacecolor()) == to_rgba("white")
    assert (drawn["saddle"].get_fillstyle(), drawn["degenerate"].get_marker()) == ("left", "x")
    assert legend_of(simplex(NAMES, rest_points=([PAPER], ["sink"]))) == ["sink"]
    assert not legend_of(simplex(NAMES, rest_points=([], [])))


def test_a_trajectory_is_its_shares_with_a_start_and_heads_along_it():
    turn = np.linspace(0, 1.5 * np.pi, 200)
    centre = triangle.plane([1 / 3] * 3)
    path = triangle.barycentric(centre + 0.2 * np.stack([np.cos(turn), np.sin(turn)], 1))
    axes = simplex(NAMES, trajectories=[path, [ROCK, [0.5, 0.5, 0]]]).axes[0]
    line, second = labelled(axes, "_trajectory")
    np.testing.assert_allclose(line.get_xydata(), triangle.plane(path), atol=1e-12)
    np.testing.assert_allclose(second.get_xydata(), [[0, 0], [0.5, 0]], atol=1e-12)
    assert line.get_color() != second.get_color()
    starts = [mark.get_xydata()[0] for mark in labelled(axes, "_start")]
    np.testing.assert_allclose(starts, [centre + np.array([0.2, 0]), [0, 0]], atol=1e-12)
    at, direction = tips(labelled(axes, "_head"))
    np.testing.assert_allclose(direction[-1], [1, 0], atol=1e-12)
    away = at[:-1] - centre
    np.testing.assert_allclose(np.hypot(*away.T), 0.2, rtol=1e-3)
    np.testing.assert_allclose(direction[:-1], np.stack([-away[:, 1], away[:, 0]], 1) / 0.2, atol=0.01)
    assert len(away) == 2  # it is 0.94 long, a head for each half of an edge


@pytest.mark.parametrize("steps", [1, 5])
def test_a_trajectory_that_does_not_move_is_its_start(steps):
    axes = simplex(NAMES, trajectories=[np.tile([0.2, 0.3, 0.5], (steps, 1))]).axes[0]
    assert not labelled(axes, "_head")
    np.testing.assert_allclose(labelled(axes, "_start")[0].get_xydata(), triangle.plane([[0.2, 0.3, 0.5]]))


def test_a_density_of_a_population_is_a_hexagon_for_each_state():
    shares = triangle.lattice(12)
    weight = np.random.default_rng(0).random(len(shares))
    figure = simplex(NAMES, density=(shares.astype(np.float32), weight / weight.sum()))
    axes, bar = figure.axes
    (cells,) = labelled(axes, "_density")
    np.testing.assert_allclose(cells.get_array(), weight / weight.sum())
    corners = np.array([path.vertices[:6] for path in cells.get_paths()])
    np.testing.assert_allclose(corners.mean(1), triangle.plane(shares), atol=1e-6)
    # A hexagon shares its edges with those of the neighbouring states, 1/12 away: its inner radius is half of that.
    inner = np.hypot(*((corners + np.roll(corners, 1, 1)) / 2 - corners.mean(1, keepdims=True)).reshape(-1, 2).T)
    np.testing.assert_allclose(inner, 1 / 24, rtol=1e-4)
    assert bar.get_ylabel() == "stationary probability"
    assert bar.get_ylim() == (0, pytest.approx(weight.max() / weight.sum()))


def test_all_mass_on_one_strategy_is_one_dark_hexagon():
    shares = triangle.lattice(10)
    mass = (shares[:, 1] == 1).astype(float)
    figure = simplex(NAMES, density=(shares, mass))
    figure.draw_without_rendering()
    (cells,) = labelled(figure.axes[0], "_density")
    shades = cells.get_facecolors().sum(1)
    assert list(np.flatnonzero(shades < shades.max())) == list(np.flatnonzero(mass))


def test_over_a_density_streamlines_are_grey_and_the_colour_bar_is_its():
    shares = triangle.lattice(10)
    figure = simplex(NAMES, field=replicator(CYCLE), density=(shares, np.full(len(shares), 1 / len(shares))))
    (lines,) = labelled(figure.axes[0], "_streamlines")
    assert lines.get_array() is None
    assert len({tuple(colour[:3]) for colour in lines.get_colors()}) == 1
    assert [axes.get_ylabel() for axes in figure.axes[1:]] == ["stationary probability"]


def test_a_scattered_density_is_triangles_between_its_points():
    shares = np.random.default_rng(0).dirichlet([1, 1, 1], 30)
    (mesh,) = labelled(simplex(NAMES, density=(shares, shares[:, 0])).axes[0], "_density")
    np.testing.assert_allclose(mesh.get_array(), shares[:, 0])
    with pytest.raises(ParameterError, match="one line"):
        simplex(NAMES, density=([[0.1, 0.2, 0.7], [0.15, 0.2, 0.65], [0.277, 0.2, 0.523]], [0.3, 0.3, 0.4]))


def test_rounding_off_the_simplex_is_mended():
    axes = simplex(NAMES, rest_points=([[0.5 + 2e-7, 0.5, -1e-8]], ["sink"]), trajectories=[[[0.3334] * 3]]).axes[0]
    np.testing.assert_allclose(labelled(axes, "sink")[0].get_xydata(), [[0.5, 0]], atol=1e-6)
    np.testing.assert_allclose(labelled(axes, "_start")[0].get_xydata(), triangle.plane([[1 / 3] * 3]))


@pytest.mark.parametrize(
    ("strategies", "options", "message"),
    [
        ("AB", {}, "strategies: 2 given"),
        ("ABCD", {}, "strategies: 4 given"),
        ("ABC", {"trajectories": [[[0.2, np.nan, 0.5]]]}, r"trajectories\[0\]: row 0 .*finite"),
        ("ABC", {"trajectories": [np.zeros((0, 3))]}, r"trajectories\[0\]: has the shape"),
        ("ABC", {"trajectories": [[ROCK], [[0.5, 0.6, 0.1]]]}, r"trajectories\[1\]: row 0 .*sum 1"),
        ("ABC", {"rest_points": ([[1.2, -0.2, 0]], ["sink"])}, "rest_points: row 0"),
        ("ABC", {"rest_points": ([ROCK, PAPER], ["sink"])}, "1 kinds for 2 points"),
        ("ABC", {"field": lambda x: x * np.where(x[:, :1] == 1, np.nan, 1)}, r"field: .*\[1.0, 0.0, 0.0\].*finite"),
        ("ABC", {"field": lambda x: x[:, :2]}, "field: gives the shape"),
        ("ABC", {"density": (np.eye(3), [0.5, 0.5])}, "probability has the shape"),
        ("ABC", {"density": (np.eye(3), [0.5, 0.7, -0.2])}, r"probability\[2\]"),
        ("ABC", {"density": (np.eye(3), [0.5, np.inf, 0.2])}, r"probability\[1\]"),
    ],
)
def test_a_simplex_refuses_in_one_line(strategies, options, message):
    with pytest.raises(ParameterError, match=message) as caught:
        simplex(strategies, **options)
    assert "\n" not in str(caught.value)


# gradient of selection


def test_roots_of_a_polynomial_are_found_with_their_stability():
    share = np.linspace(0, 1, 997)
    values = share * (1 - share) * (share - 0.2) * (share - 0.55) * (share - 0.9)
    positions, stable = roots(share, values)
    np.testing.assert_allclose(positions, [0.2, 0.55, 0.9], atol=5e-6)  # some times the squared step
    # The slope of the product at a root has the sign of the product of its distances to the others.
    assert list(stable) == [False, True, False]


@pytest.mark.parametrize(
    ("values", "positions", "stable"),
    [
        ([0, 1, 0, -1, 0], [2], [True]),  # a zero on the grid is one root
        ([1, -1, 1], [0.5, 1.5], [True, False]),
        ([3, -1, -2], [0.75], [True]),
        ([1, 0, 0, 0, -2], [2], [True]),  # a stretch of rest points is one, at its middle
        ([-1, 0, 0, 2], [1.5], [False]),
        ([1, 0, 1], [1], [False]),  # touches zero: not stable from the left
        ([-1, 0, -1], [1], [False]),
        ([0, 0, 1, 0, 0], [], []),  # the ends'
        ([0, 0, 0], [], []),
        ([1, 2, 1], [], []),
        ([0, 1], [], []),
    ],
)
def test_roots_on_grid_points_are_reported_once(values, positions, stable):
    found, kinds = roots(np.arange(len(values)), values)
    assert list(found) == positions
    assert list(kinds) == stable


def test_roots_are_zeros_of_the_interpolated_curve_and_alternate():
    for seed in range(20):
        generator = np.random.default_rng(seed)
        share, values = np.sort(generator.random(40)), generator.normal(size=40)
        positions, stable = roots(share, values)
        assert len(positions) == (np.diff(np.sign(values)) != 0).sum() > 5
        np.testing.assert_allclose(np.interp(positions, share, values), 0, atol=1e-12)
        assert (np.diff(positions) > 0).all()
        assert list(stable) == [bool(values[0] > 0) ^ bool(k % 2) for k in range(len(stable))]


def test_a_single_curve_has_its_roots_ends_and_directions():
    share = np.linspace(0, 1, 201)
    values = share * (1 - share) * (share - 0.25) * (0.7 - share)
    figure = gradient(share, {"stag hunt": values}, xlabel="x", ylabel="G(x)", title="here")
    axes = figure.axes[0]
    assert (axes.get_xlabel(), axes.get_ylabel(), axes.get_title("left")) == ("x", "G(x)", "here")
    np.testing.assert_array_equal(labelled(axes, "stag hunt")[0].get_ydata(), values)
    stable, unstable = labelled(axes, "_stable"), labelled(axes, "_unstable")
    np.testing.assert_allclose([mark.get_xdata()[0] for mark in stable], [0.7, 0], atol=1e-4)
    np.testing.assert_allclose([mark.get_xdata()[0] for mark in unstable], [0.25, 1], atol=1e-4)
    assert all(to_rgba(mark.get_markerfacecolor()) == to_rgba("black") for mark in stable)
    assert all(to_rgba(mark.get_markerfacecolor()) == to_rgba("white") for mark in unstable)
    arrows = labelled(axes, "_arrow")
    np.testing.assert_allclose([arrow.get_xdata()[0] for arrow in arrows], [0.125, 0.475, 0.85], atol=1e-4)
    assert [arrow.get_marker() for arrow in arrows] == ["<", ">", "<"]
    assert not legend_of(figure)


@pytest.mark.parametrize(("sign", "ends"), [(1, ("_stable", 1.0)), (-1, ("_stable", 0.0))])
def test_dominance_has_no_roots_and_one_arrow(sign, ends):
    share = np.linspace(0, 1, 11, dtype=np.float32)
    axes = gradient(share, {"dominance": sign * share * (1 - share)}).axes[0]
    (mark,) = labelled(axes, ends[0])
    assert mark.get_xdata() == [ends[1]]
    assert [mark.get_xdata()[0] for mark in labelled(axes, "_unstable")] == [1 - ends[1]]
    assert [arrow.get_marker() for arrow in labelled(axes, "_arrow")] == [">" if sign > 0 else "<"]


def test_an_end_that_rounding_keeps_from_zero_is_still_an_end():
    share = np.linspace(0, 1, 51, dtype=np.float32)
    values = (share * (share - 1) * (0.5 - share)).astype(np.float32)
    values[0], values[-1] = 3e-9, 3e-9  # of the other sign than their neighbour, or the same
    axes = gradient(share, {"a": values}).axes[0]
    marks = [(mark.get_xdata()[0], name) for name in ("_stable", "_unstable") for mark in labelled(axes, name)]
    assert sorted(marks) == [(0, "_stable"), (pytest.approx(0.5), "_unstable"), (1, "_stable")]


def test_ends_that_mutation_moves_are_no_rest_points():
    share = np.linspace(0, 1, 51)
    axes = gradient(share, {"a": share * (1 - share) + 0.1 * (1 - 2 * share)}).axes[0]
    (mark,) = labelled(axes, "_stable")
    assert 0 < mark.get_xdata()[0] < 1
    assert not labelled(axes, "_unstable")


def test_neutrality_has_neither_marks_nor_arrows():
    axes = gradient([0, 0.5, 1], {"neutral": [0, 0, 0]}).axes[0]
    assert not [line for name in ("_stable", "_unstable", "_arrow") for line in labelled(axes, name)]


def test_several_curves_have_a_legend_and_marks_of_their_colours():
    share = np.linspace(0, 1, 101)
    curves = {f"r = {at}": share * (1 - share) * (at - share) for at in (0.3, 0.6)} | {"D": -share * (1 - share)}
    figure = gradient(share, curves)
    axes = figure.axes[0]
    assert legend_of(figure) == ["r = 0.3", "r = 0.6", "D", "stable", "unstable"]
    assert not labelled(axes, "_arrow")
    colours = {label: labelled(axes, label)[0].get_color() for label in curves}
    inner = {mark.get_color(): mark.get_xdata()[0] for mark in labelled(axes, "_stable")}
    np.testing.assert_allclose([inner[colours["r = 0.3"]], inner[colours["r = 0.6"]]], [0.3, 0.6], atol=1e-9)
    # All agree that the right end is unstable; of the left end they do not.
    assert [mark.get_xdata()[0] for mark in labelled(axes, "_unstable")] == [1]
    assert len(inner) == 2


@pytest.mark.parametrize(
    ("share", "curves", "message"),
    [
        ([0, 1], {}, "no curve"),
        ([0], {"a": [1]}, "at least two"),
        ([0, 1], {"a": [1, 2, 3]}, r"gradients\['a'\] has the shape"),
        ([0, 1], {"a": [1, np.nan]}, r"gradients\['a'\]\[1\] = nan"),
        ([0, 1, 1], {"a": [1, 2, 3]}, "does not ascend"),
        ([0, np.inf], {"a": [1, 2]}, r"share\[1\] = inf"),
    ],
)
def test_a_gradient_refuses_in_one_line(share, curves, message):
    with pytest.raises(ParameterError, match=message) as caught:
        gradient(share, curves)
    assert "\n" not in str(caught.value)


# invasion diagram


def invasions(count, seed=0, size=100):
    """(stationary, fixation): random, with fixation probabilities on both sides of neutral."""
    generator = np.random.default_rng(seed)
    return generator.dirichlet(np.ones(count)), generator.random((count, count)) ** 3 * 20 / size


def ends_of(arrow):
    """Where the shaft of an arrow starts and ends."""
    vertices = arrow.get_path().vertices
    return vertices[0], vertices[2]


def arrows_of(axes):
    return [patch for patch in axes.patches if isinstance(patch, FancyArrowPatch)]


@pytest.mark.parametrize("count", [2, 3, 5, 8, 12])
def test_arrows_lead_from_residents_to_mutants_above_neutral(count):
    stationary, fixation = invasions(count)
    figure = invasion_diagram([f"s{i}" for i in range(count)], stationary, fixation, 100)
    figure.draw_without_rendering()
    nodes = np.array([node.center for node in labelled(figure.axes[0], "_node")])
    drawn = set()
    for arrow in arrows_of(figure.axes[0]):
        pair = [int(np.hypot(*(nodes - end).T).argmin()) for end in ends_of(arrow)]
        drawn.add((pair[1], pair[0]))
    np.fill_diagonal(fixation, 0)
    expected = {(int(i), int(j)) for i, j in np.argwhere(fixation > 1 / 100)}
    assert drawn == expected
    assert len(arrows_of(figure.axes[0])) == len(expected) > 0


def test_numbers_are_fixation_over_neutral_and_lie_on_their_arrows():
    fixation = np.array([[0, 0.0123, 0.001], [0.004, 0, 0.5], [0.02, 0.0101, 0]])
    figure = invasion_diagram("ABC", [0.2, 0.3, 0.5], fixation, 200)
    figure.draw_without_rendering()
    axes = figure.axes[0]
    numbers = {text.get_text(): np.array(text.get_position()) for text in axes.texts[3:]}
    assert set(numbers) == {"2.46", "100", "4.00", "2.02"}
    nodes = np.array([node.center for node in labelled(axes, "_node")])
    # B to A alone is a straight arrow: its number lies on the line between the two.
    (x, y), along = numbers["2.46"] - nodes[1], nodes[0] - nodes[1]
    assert abs(x * along[1] - y * along[0]) < 1e-12
    assert 0 < (x * along[0] + y * along[1]) / (along @ along) < 1
    # C to B and back are bowed to different sides, and so are their numbers.
    side = [
        float(np.cross([*(numbers[text] - nodes[1]), 0], [*(nodes[2] - nodes[1]), 0])[2]) for text in ("100", "2.02")
    ]
    assert side[0] * side[1] < 0


def test_neutral_pairs_are_dashed_and_have_no_head():
    fixation = np.full((4, 4), 0.001)
    fixation[0, 1] = fixation[1, 0] = 0.01 * (1 + 5e-7)
    fixation[2, 3] = 0.01 * (1 - 5e-7)
    fixation[0, 2], fixation[2, 0] = 0.01, 0.02  # neutral one way, favoured the other way: an arrow
    fixation[1, 3] = 0.01 * (1 + 3e-6)
    figure = invasion_diagram("ABCD", [0.25] * 4, fixation, 100)
    axes = figure.axes[0]
    nodes = np.array([node.center for node in labelled(axes, "_node")])
    lines = [line.get_xydata() for line in labelled(axes, "_neutral")]
    np.testing.assert_allclose(lines, nodes[[[0, 1], [2, 3]]], atol=1e-12)
    assert all(line.get_linestyle() == "--" for line in labelled(axes, "_neutral"))
    assert len(arrows_of(axes)) == 2
    assert legend_of(figure) == ["neutral", r"takeover favoured by selection; number: $\rho Z$"]
    # In float32 a relative distance of 3e-6 is rounding.
    assert len(arrows_of(invasion_diagram("ABCD", [0.25] * 4, fixation.astype(np.float32), 100).axes[0])) == 1


def test_nodes_grow_and_darken_with_frequency():
    stationary = np.array([0.5, 0.0, 0.3, 0.2])
    axes = invasion_diagram("ABCD", stationary, np.full((4, 4), 0.001), 100).axes[0]
    nodes = labelled(axes, "_node")
    area = np.array([node.radius**2 for node in nodes])
    slope, least = np.polyfit(stationary, area, 1)
    np.testing.assert_allclose(area, least + slope * stationary)
    assert least > 0
    assert slope > least
    shade = [sum(node.get_facecolor()[:3]) for node in nodes]
    assert list(np.argsort(shade)) == list(np.argsort(-stationary))
    assert texts_of(axes) == ["A\n50.0 %", "B\n0.0 %", "C\n30.0 %", "D\n20.0 %"]


@pytest.mark.parametrize("count", [1, 2, 3, 8, 12])
@pytest.mark.parametrize("name", ["S{}", "punishes those who do not punish {}"])
def test_labels_of_an_invasion_diagram_do_not_overlap(count, name):
    stationary, fixation = invasions(count, seed=count)
    names = [name.format(i) for i in range(count)]
    figure = invasion_diagram(names, stationary, np.maximum(fixation, 0.011), 100, title="Takeovers, Z = 100")
    assert_apart(figure)
    numbers = figure.axes[0].texts[count:]
    assert (len(numbers) > 0) == (2 <= count <= 8)
    for node, text in itertools.product(labelled(figure.axes[0], "_node"), figure.axes[0].texts):
        centre = figure.axes[0].transData.transform(node.center)
        box = text.get_window_extent()
        nearest = np.clip(centre, (box.x0, box.y0), (box.x1, box.y1))
        assert np.hypot(*(nearest - centre)) > node.get_window_extent().width / 2


def test_few_opposite_arrows_all_have_their_numbers():
    figure = invasion_diagram([f"s{i}" for i in range(5)], [0.2] * 5, np.full((5, 5), 0.03), 100)
    assert texts_of(figure.axes[0])[5:] == ["3.00"] * 20


def test_a_fixed_population_is_one_full_node():
    axes = invasion_diagram("AB", [1.0, 0.0], [[0, 1.0], [0.0, 0]], 50).axes[0]
    assert texts_of(axes) == ["A\n100.0 %", "B\n0.0 %", "50.0"]
    assert texts_of(invasion_diagram("AB", [0.9999, 0.0001], np.zeros((2, 2)), 50).axes[0]) == [
        "A\n> 99.9 %",
        "B\n< 0.1 %",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("", [], np.zeros((0, 0)), 10), "none given"),
        (("AB", [1.0], np.zeros((2, 2)), 10), r"stationary: has the shape \(1,\)"),
        (("AB", [0.5, 0.5], np.zeros((2, 3)), 10), r"fixation: has the shape \(2, 3\)"),
        (("AB", [0.5, 0.5], [[0, np.nan], [0, 0]], 10), r"fixation\[0, 1\] = nan"),
        (("AB", [0.5, 0.5], [[0, 0], [1.5, 0]], 10), r"fixation\[1, 0\] = 1.5"),
        (("AB", [-0.5, 1.5], np.zeros((2, 2)), 10), r"stationary\[0\] = -0.5"),
        (("AB", [0.5, 0.2], np.zeros((2, 2)), 10), "sums to 0.7"),
        (("AB", [0.5, 0.5], np.zeros((2, 2)), 1), "size = 1"),
        (("AB", [0.5, 0.5], np.zeros((2, 2)), 10.5), "size = 10.5"),
    ],
)
def test_an_invasion_diagram_refuses_in_one_line(arguments, message):
    with pytest.raises(ParameterError, match=message) as caught:
        invasion_diagram(*arguments)
    assert "\n" not in str(caught.value)


# all three


def draw_simplex(axes=None):
    shares = triangle.lattice(6)
    mass = np.full(len(shares), 1 / len(shares))
    points = ([[1 / 3] * 3, ROCK], ["sink", "centre"])
    field, path = replicator(CYCLE), [[ROCK, [0.4, 0.3, 0.3]]]
    return simplex(
        NAMES, field=field, rest_points=points, trajectories=path, density=(shares, mass), title="t", axes=axes
    )


def draw_gradient(axes=None):
    share = np.linspace(0, 1, 21)
    return gradient(share, {"a": share * (1 - share) * (0.4 - share), "b": share * (1 - share)}, title="t", axes=axes)


def draw_invasion(axes=None):
    return invasion_diagram("ABCD", *invasions(4), 100, title="t", axes=axes)


DRAW = pytest.mark.parametrize("draw", [draw_simplex, draw_gradient, draw_invasion])


@DRAW
@pytest.mark.parametrize("suffix", [".svg", ".png"])
def test_the_same_figure_is_the_same_bytes(draw, suffix, tmp_path):
    figure = draw()
    first, second = (save(figure, tmp_path / f"{i}{suffix}").read_bytes() for i in range(2))
    assert first == second == save(draw(), tmp_path / f"again{suffix}").read_bytes()
    if suffix == ".svg":
        assert ElementTree.fromstring(first).tag.endswith("svg")


@DRAW
def test_the_callers_settings_neither_change_nor_leak_in(draw, tmp_path):
    before = dict(matplotlib.rcParams)
    clean = save(draw(), tmp_path / "a.png").read_bytes()
    assert dict(matplotlib.rcParams) == before
    with matplotlib.rc_context({"font.size": 20, "axes.facecolor": "black", "axes.grid": True, "lines.linewidth": 9}):
        assert save(draw(), tmp_path / "b.png").read_bytes() == clean


@DRAW
def test_axes_of_the_caller_are_drawn_in(draw):
    figure = Figure(figsize=(8, 4), layout="constrained")
    left, right = figure.subplots(1, 2)
    assert draw(axes=right) is figure
    assert right.get_children()
    assert right.get_title("left") == "t"
    assert not [*left.lines, *left.patches, *left.collections, *left.texts]
    assert right.get_legend() is not None
    assert not figure.legends


@pytest.mark.parametrize(
    "names",
    [NAMES, ["cooperates with those who punish", "never takes part in anything", "punishes second-order free riders"]],
)
def test_labels_of_a_simplex_do_not_overlap(names):
    kinds = ["sink", "source", "saddle", "centre"]
    points = (np.concatenate([np.eye(3), [[1 / 3] * 3]]), kinds)
    assert_apart(simplex(names, field=replicator(CYCLE), rest_points=points, title="Selection among three"))


def test_shades_of_frequency_and_density_are_monotone_in_grey():
    for name in (DENSITY_COLOURS, COLOURS):
        ramp = matplotlib.colormaps[name](np.linspace(0, 1, 64))[:, :3]
        assert (np.diff(ramp @ [0.2126, 0.7152, 0.0722]) < 0).all()
