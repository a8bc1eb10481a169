"""Rest points and their stability: closed forms, reference cases, and the two searches against each other."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import assert_close, load
from test_solve import VoluntaryGroups

import jaxcoord as jc
from jaxcoord.evolution import dynamics
from jaxcoord.evolution.dynamics import game_field
from jaxcoord.evolution.rest_points import linear_stability, replicator_rest_points, rest_points, tangent_basis


def assert_same_points(found, other, atol):
    """The same points with the same kinds, in any order."""
    assert len(found.points) == len(other.points)
    distance = np.linalg.norm(found.points[:, None] - other.points[None], axis=2)
    nearest = distance.argmin(1)
    assert sorted(nearest) == list(range(len(nearest)))
    assert distance.min(1).max() < atol
    assert [other.kinds[i] for i in nearest] == list(found.kinds)


def test_interior_point_of_the_reference():
    case = load("egt_cases.json", "S-D8")["S-D8"]
    found = replicator_rest_points(case["game"]["A"])
    inside = int(found.points.min(1).argmax())
    assert_close(found.points[inside], case["expected"]["rest_point"], case["tolerance"])
    eigenvalues = np.sort_complex([complex(*pair) for pair in case["expected"]["eigenvalues"]])
    np.testing.assert_allclose(found.eigenvalues[inside], eigenvalues, atol=case["tolerance"]["abs"])
    assert (found.kinds[inside] == "sink") is case["expected"]["attracting"]


@pytest.mark.parametrize("case", load("dynamics_cases.json", "rps-replicator").values(), ids=lambda c: c["id"])
def test_rock_paper_scissors(case):
    """(l - w)/6 +- i sqrt(3)(w + l)/6 in the middle; every vertex is a saddle with eigenvalues w and -l."""
    win, loss = case["params"]["win"], case["params"]["lose"]
    found = replicator_rest_points(jc.games.rock_paper_scissors(win=win, loss=loss))
    np.testing.assert_allclose(found.points, [*np.eye(3), np.full(3, 1 / 3)], atol=1e-14)
    np.testing.assert_allclose(found.eigenvalues[:3], np.tile([-loss, win], (3, 1)), atol=1e-12)
    middle = found.eigenvalues[3]
    np.testing.assert_allclose(middle.real, case["expected"]["eigenvalue_real"], atol=1e-12)
    np.testing.assert_allclose(np.abs(middle.imag), case["expected"]["eigenvalue_imag"], atol=1e-12)
    kind = {1: "sink", 0: "centre", -1: "source"}[int(np.sign(win - loss))]
    assert found.kinds == ("saddle", "saddle", "saddle", kind)


def test_two_strategies():
    case = load("paper_cases.json", "hawkdove")["hawkdove-replicator-s"]
    v, c = case["params"]["V"], case["params"]["C"]
    game = jc.games.hawk_dove(v=v, c=c)
    exact = replicator_rest_points(game)
    assert exact.kinds == ("source", "source", "sink")
    assert_close(exact.points[2, 0], case["expected"]["ess"], case["tolerance"])
    # d/dx of x (1 - x) (v - c x) / 2 at x = v/c.
    np.testing.assert_allclose(exact.eigenvalues[2], -v * (1 - v / c) / 2, rtol=1e-12)
    assert_same_points(rest_points(game_field(game), 2), exact, 1e-9)


@pytest.mark.parametrize("case", load("dynamics_cases.json", "opgg-replicator").values(), ids=lambda c: c["id"])
def test_voluntary_public_goods_have_a_centre(case):
    given, expected = case["params"], case["expected"]
    field = game_field(VoluntaryGroups(given["N"], r=given["r"], sigma=given["sigma"]))
    found = rest_points(field, 3, starts=8)
    inside = int(found.points.min(1).argmax())
    assert_close(found.points[inside], expected["interior_fixed_point"], case["tolerance"])
    share = found.points[inside, 0] / found.points[inside, :2].sum()
    assert_close(share, expected["contributor_share_of_participants"], case["tolerance"])
    assert found.kinds[inside] == "centre"
    if (given["r"], given["sigma"]) == (3.0, 1.0):
        np.testing.assert_allclose(np.abs(found.eigenvalues[inside].imag), 0.34215, atol=5e-6)  # Hauert et al. 2002
    assert (found.points.max(1) == 1).sum() == 3


@pytest.mark.parametrize("strategies", [3, 4])
def test_both_searches_find_the_same(strategies):
    payoff = np.random.default_rng(strategies).normal(size=(strategies, strategies))
    exact = replicator_rest_points(payoff)
    assert len(exact.points) > strategies
    found = rest_points(game_field(payoff), strategies)
    assert_same_points(found, exact, 1e-8)
    order = np.linalg.norm(found.points[:, None] - exact.points[None], axis=2).argmin(1)
    np.testing.assert_allclose(found.eigenvalues, exact.eigenvalues[order], atol=1e-7)


def test_rest_points_of_random_games():
    """At each, all who are present earn the same; who is absent grows at its payoff above the mean."""
    random = np.random.default_rng(0)
    for strategies, scale in itertools.product((2, 3, 5), (1e-9, 1.0, 1e9)):
        payoff = scale * random.normal(size=(strategies, strategies))
        shift = payoff + scale * random.normal(size=strategies)
        found, shifted = replicator_rest_points(payoff), replicator_rest_points(shift)
        np.testing.assert_allclose(shifted.points, found.points, atol=1e-9)
        assert shifted.kinds == found.kinds
        np.testing.assert_allclose(found.points[:strategies], np.eye(strategies))
        for x, eigenvalues in zip(found.points, found.eigenvalues, strict=True):
            earned = payoff @ x - x @ payoff @ x
            assert np.abs(earned[x > 0]).max() < 1e-9 * scale
            for growth in earned[x == 0]:
                assert np.abs(eigenvalues - growth).min() < 1e-7 * scale
        strict = {i for i in range(strategies) if (payoff[i, i] > np.delete(payoff[:, i], i)).all()}
        assert {i for i in range(strategies) if found.kinds[i] == "sink"} == strict


def test_sets_of_rest_points_are_told():
    """The first two strategies are the same, so with the third any ratio of them rests (hawk-dove between them)."""
    payoff = np.array([[0.0, 0, 2], [0, 0, 2], [1, 1, 1]])
    found = replicator_rest_points(payoff)
    kinds = {tuple(np.round(x, 12)): kind for x, kind in zip(found.points, found.kinds, strict=True)}
    assert kinds[0.5, 0.5, 0.0] == "continuum"
    assert kinds[0.25, 0.25, 0.5] == "continuum"
    assert kinds[0.5, 0.0, 0.5] == kinds[0.0, 0.5, 0.5] == "degenerate"
    assert kinds[1.0, 0.0, 0.0] == kinds[0.0, 1.0, 0.0] == "degenerate"
    assert kinds[0.0, 0.0, 1.0] == "source"
    assert len(kinds) == 7
    flat = replicator_rest_points(np.zeros((3, 3)))
    assert set(flat.kinds[:3]) == {"degenerate"}
    assert set(flat.kinds[3:]) == {"continuum"}
    assert len(flat.points) == 7
    everywhere = rest_points(lambda x: 0 * x, 2, starts=8)
    assert len(everywhere.points) == 2 + 8
    assert set(everywhere.kinds) == {"degenerate"}


def test_logit_equilibria_bifurcate():
    """Symmetric coordination with payoff 1: one rest point above noise 1/2, three below."""
    game = jc.games.coordination(a=1.0, b=1.0)

    def field(noise):
        return game_field(game, lambda x, p: dynamics.logit(x, p, noise))

    found = rest_points(field(0.3), 2)
    assert sorted(found.kinds) == ["sink", "sink", "source"]
    np.testing.assert_allclose(found.points, jax.nn.softmax(found.points / 0.3, axis=1), atol=1e-6)
    middle = int(np.abs(found.points[:, 0] - 0.5).argmin())
    np.testing.assert_allclose(found.eigenvalues[middle], 1 / (2 * 0.3) - 1, rtol=1e-9)
    eigenvalues, kind = linear_stability(field(0.6), [0.5, 0.5])
    np.testing.assert_allclose(eigenvalues, 1 / (2 * 0.6) - 1, rtol=1e-9)
    assert kind == "sink"
    assert len(rest_points(field(0.6), 2, starts=8).points) == 1


def test_boltzmann_q_learning_rests_beside_an_infinite_slope():
    game, temperature = jc.games.stag_hunt(), 0.3
    field = game_field(game, lambda x, p: dynamics.boltzmann_q_learning(x, p, temperature))
    found = rest_points(field, 2)
    assert found.kinds[:2] == ("degenerate", "degenerate")
    assert np.isnan(found.eigenvalues[:2]).all()
    inside = found.points[found.points.min(1) > 0]
    assert len(inside) == 1
    np.testing.assert_allclose(4 * inside[0, 0] - 3, temperature * np.log(inside[0, 0] / inside[0, 1]), atol=1e-6)
    assert found.kinds[2] == "sink"


@pytest.mark.parametrize(
    ("slope", "kind"),
    [([-1, -2], "sink"), ([1, 2], "source"), ([-1, 2], "saddle"), ([0, -1], "degenerate"), ([0, 0], "degenerate")],
)
def test_kinds_of_linear_fields(slope, kind):
    basis = tangent_basis(3)
    np.testing.assert_allclose(basis.T @ basis, np.eye(2), atol=1e-15)
    np.testing.assert_allclose(basis.sum(0), 0, atol=1e-15)
    middle = np.full(3, 1 / 3)
    matrix = basis @ np.diag(slope).astype(float) @ basis.T
    eigenvalues, found = linear_stability(lambda x: jnp.array(matrix) @ (x - middle), middle)
    np.testing.assert_allclose(eigenvalues, sorted(slope), atol=1e-15)
    assert found == kind


def test_a_kink_is_told():
    """Smith's dynamic turns at different rates on the two sides of a mixed equilibrium."""
    eigenvalues, kind = linear_stability(game_field(jc.games.stag_hunt(), dynamics.smith), [0.75, 0.25])
    assert kind == "degenerate"
    assert eigenvalues.shape == (1,)


def test_what_is_not_searched_is_told():
    with pytest.raises(jc.ParameterError, match="test-voluntary-groups.*two-player game"):
        replicator_rest_points(VoluntaryGroups())
    with pytest.raises(jc.ParameterError, match=r"\(2, 3\); a square matrix"):
        replicator_rest_points(np.ones((2, 3)))
    with pytest.raises(jc.ParameterError, match="square matrix .* of finite numbers"):
        replicator_rest_points([[np.nan]])
    with pytest.raises(jc.ParameterError, match="strategies = 9: rest points of 1 to 8"):
        rest_points(lambda x: x, 9)
    with pytest.raises(jc.ParameterError, match=r"field: it returns shape \(2,\)"):
        rest_points(lambda x: x[:2], 3)


def test_a_field_without_rest_points():
    found = rest_points(lambda x: jnp.array([1.0, -1.0]) + 0 * x, 2)
    assert found.points.shape == (0, 2)
    assert found.eigenvalues.shape == (0, 1)
    assert found.kinds == ()
