"""Care and cooperation: reference cases, limits, and the closed forms against drawing, playing and minimising."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import assert_close, load
from scipy import stats

from jaxcoord.errors import ParameterError
from jaxcoord.identity import capture, care, mirror

CASES = load("coordination_cases.json", "d-care", "d-invasion", "d-entangled", "d-coop-radius")


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


@pytest.mark.parametrize("name", ["d-care-0", "d-care-1"])
def test_thresholds_of_care(name):
    given, expected, tolerance = (CASES[name][key] for key in ("params", "expected", "tolerance"))
    b, c, s = given["b"], given["c"], given["similarity"]
    threshold = care.care_threshold(b, c, s)
    assert_close(threshold, expected["w_star"], tolerance)
    assert_close(care.peaceful_care(s), expected["zero_sum_sign_flip_w"], tolerance)
    for side, gives in ((0.99, False), (1.01, True)):
        weight = float(threshold) * side
        keep, give = (
            care.effective_payoffs(jnp.array(pay), jnp.full((2, 2), s), weight)[0]
            for pay in ([0.0, 0.0], [-c, b + 0.0])
        )
        assert bool(give > keep) is gives


def test_effective_game():
    case = CASES["d-care-2x2"]
    given = case["params"]
    found = care.effective_game(given["A"], given["w"], given["similarity"])
    assert_close(found, case["expected"]["U"], case["tolerance"])


def test_zero_sum_games_vanish_on_the_line_and_turn_beyond_it():
    game = np.array([[0.0, 3.0, -1.0], [-3.0, 0.0, 2.0], [1.0, -2.0, 0.0]])
    for similarity in (0.0, 0.4, 1.0):
        for weight in (0.2, float(care.peaceful_care(similarity)), 0.9, 1.0):
            found = care.effective_game(game, weight, similarity)
            np.testing.assert_allclose(found, care.competition(weight, similarity) * game, atol=1e-12)
        np.testing.assert_allclose(care.competition(care.peaceful_care(similarity), similarity), 0, atol=1e-12)
    assert float(care.competition(0.9, 1.0)) < 0 < float(care.competition(0.1, 1.0))


def test_effective_payoffs_weigh_the_others_by_similarity():
    payoff, similarity = np.array([1.0, 4.0, -2.0]), np.array([[9.0, 0.5, 0.25], [1.0, 9.0, 0.0], [0.0, 0.0, 9.0]])
    found = care.effective_payoffs(jnp.asarray(payoff), jnp.asarray(similarity), jnp.array([0.4, 1.0, 0.5]))
    np.testing.assert_allclose(found, [0.6 + 0.4 * (0.5 * 4 - 0.25 * 2) / 2, 0.5, -1.0], atol=1e-12)


@pytest.mark.parametrize("name", [f"d-invasion-{i}" for i in range(3)])
def test_threshold_of_invasion_is_that_of_the_replicator_equation(name):
    given, expected, tolerance = (CASES[name][key] for key in ("params", "expected", "tolerance"))
    b, c, among, exploited = (given[key] for key in ("b", "c", "a_CC", "a_CE"))
    found = care.exploiter_invasion(b, c, among, exploited)
    assert_close(found.threshold, expected["p_star"], tolerance)
    assert bool(found.resists) is expected["cooperators_resist"]
    for start in (float(found.threshold) - 0.01, float(found.threshold) + 0.01):
        if 0 < start < 1:
            share = start
            for _ in range(20_000):
                gain = share * among * (b - c) - (1 - share) * exploited * c - share * exploited * b
                share += 0.05 * share * (1 - share) * gain
            assert share == pytest.approx(float(start > found.threshold), abs=1e-3)


def test_mimics_that_are_taken_for_friends_always_win():
    found = care.exploiter_invasion(3.0, 1.0, jnp.array([0.5, 0.5, 0.0]), jnp.array([0.5, 0.9, 0.0]))
    np.testing.assert_array_equal(found.threshold, np.inf)
    assert not found.resists.any()


@pytest.mark.parametrize("name", ["d-entangled-0", "d-entangled-1"])
def test_best_blend_minimises_the_loss(name):
    given, expected, tolerance = (CASES[name][key] for key in ("params", "expected", "tolerance"))
    optimum, gamma = jnp.array(given["x"]), given["gamma"]
    best = care.best_blend(gamma)
    assert_close(best, expected["e_star"], tolerance)
    loss = jax.jit(jax.vmap(care.entangled_loss, (None, 0, None)))(optimum, jnp.linspace(0, 1, 1001), gamma)
    assert float(loss.argmin() / 1000) == pytest.approx(float(best), abs=1e-9)
    assert_close(loss.min() / optimum.var(), expected["min_loss_over_variance"], tolerance)


def test_cooperation_radius():
    case = CASES["d-coop-radius"]
    given, expected = case["params"], case["expected"]
    radius = care.cooperation_radius(given["ell"], given["w"], given["b"], given["c"])
    factor = capture.uniform_mirror(given["theta"], given["beta"]).deviation_factor
    assert_close([radius, radius / factor], [expected["radius_in_x"], expected["radius_in_core"]], case["tolerance"])
    at = np.array([0.999, 1.001]) * float(radius)
    likeness = np.exp(-(at**2) / (2 * given["ell"] ** 2))
    threshold = np.asarray(care.care_threshold(given["b"], given["c"], likeness))
    np.testing.assert_array_equal(given["w"] > threshold, [True, False])
    np.testing.assert_array_equal(care.cooperation_radius(1.0, jnp.array([0.2, 1.0]), 2.0, 1.0), [-1, np.inf])


@pytest.mark.parametrize("dimensions", [1, 2, 5])
def test_cooperating_share_of_pairs(dimensions):
    radius, factor, spread = 0.8, 0.4, 1.3
    share = float(care.cooperating_share(radius, factor, spread, dimensions))
    assert share == pytest.approx(stats.chi2.cdf(radius**2 / (2 * factor**2 * spread**2), dimensions), abs=1e-12)
    if dimensions == 1:
        assert share == pytest.approx(math.erf(radius / (2 * factor * spread)), abs=1e-12)
    pairs = factor * spread * np.random.default_rng(1).normal(size=(2, 100_000, dimensions))
    drawn = (((pairs[0] - pairs[1]) ** 2).sum(1) <= radius**2).mean()
    assert drawn == pytest.approx(share, abs=4 * math.sqrt(share * (1 - share) / 100_000))
    assert float(care.cooperating_share(-1.0, factor, spread, dimensions)) == 0.0


def test_likeness_as_the_mirror_shows_it():
    """Seen through a perspective with projection the others look nearer: by 1 - beta."""
    identity, beta = jnp.asarray(np.random.default_rng(2).normal(size=(5, 3))), jnp.linspace(0.0, 1.0, 5)
    seen = jax.jit(mirror.sense)(jnp.zeros((5, 5, 3)), identity, beta)
    found = jax.jit(care.perceived_similarity)(identity, seen, 0.7)
    identity = np.asarray(identity)
    apart = np.linalg.norm(identity[:, None] - identity[None], axis=-1) * (1 - np.asarray(beta))[:, None]
    np.testing.assert_allclose(found, np.exp(-(apart**2) / (2 * 0.7**2)), atol=1e-12)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: care.care_threshold(1.0, 2.0, 1.0), "a benefit above a cost"),
        (lambda: care.cooperation_radius(1.0, 1.5, 3.0, 1.0), "care = 1.5"),
        (lambda: care.exploiter_invasion(3.0, 1.0, 1.2, 0.1), "accepted = 1.2"),
        (lambda: care.effective_game([[0.0]], float("nan"), 1.0), "care = nan"),
        (lambda: care.best_blend(-1.0), "discord = -1.0"),
    ],
)
def test_refusals_name_the_value(call, said):
    with pytest.raises(ParameterError, match=said):
        call()
