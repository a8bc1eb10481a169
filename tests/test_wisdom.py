"""Wisdom of crowds: reference cases, identities, and crowds drawn at random."""

import math

import jax
import numpy as np
import pytest
from cases import assert_close, load

from jaxcoord.errors import ParameterError
from jaxcoord.identity import wisdom

WISDOM = load("coordination_cases.json", "d-diversity", "d-crowd", "d-condorcet")


def test_diversity_prediction_theorem():
    case = WISDOM["d-diversity"]
    with jax.enable_x64(True):
        found = wisdom.crowd_error(case["params"]["estimates"], case["params"]["truth"])
    names = ("collective_error", "average_error", "diversity")
    assert_close(found, [case["expected"][n] for n in names], case["tolerance"])
    assert float(found.collective) == pytest.approx(float(found.average - found.diversity), rel=1e-12)


def test_crowd_accuracy_equals_its_case():
    case, names = WISDOM["d-crowd-mse"], ("social_power", "expected_collective_sq_error")
    names += ("expected_individual_sq_error", "n_effective")
    given = [case["params"][n] for n in ("W", "susceptibility", "sigma", "bias")]
    with jax.enable_x64(True):
        for part, name in zip(wisdom.crowd_accuracy(*given), names, strict=True):
            assert_close(part, case["expected"][name], case["tolerance"])
    single = wisdom.crowd_accuracy(*given)
    np.testing.assert_allclose(single.power, case["expected"]["social_power"], atol=case["tolerance"]["abs_float32"])


def test_crowd_accuracy_is_what_a_crowd_does():
    weights = np.random.default_rng(0).dirichlet(np.ones(6), 6)
    found = wisdom.crowd_accuracy(weights, 0.7, noise=2.0, bias=0.5)
    first = 0.5 + 2.0 * np.random.default_rng(1).normal(size=(20_000, 6))
    last = first
    for _ in range(80):
        last = 0.7 * last @ weights.T + 0.3 * first
    for error, expected in ((last.mean(1) ** 2, found.collective), ((last**2).mean(1), found.individual)):
        assert error.mean() == pytest.approx(float(expected), abs=4 * error.std() / math.sqrt(20_000) + 1e-4)


def test_equal_power_leaves_the_crowd_as_wise_and_less_diverse():
    uniform = wisdom.crowd_accuracy(np.full((8, 8), 1 / 8), 0.5)
    assert float(uniform.effective_size) == pytest.approx(8, rel=1e-5)
    assert float(uniform.individual) < 1
    star = np.zeros((8, 8))
    star[:, 0] = 1
    assert float(wisdom.crowd_accuracy(star, 0.9).effective_size) < 1.3


@pytest.mark.parametrize("name", ["d-condorcet-0", "d-condorcet-1"])
def test_condorcet(name):
    case = WISDOM[name]
    voters, competence = case["params"]["n"], case["params"]["p"]
    with jax.enable_x64(True):
        assert_close(wisdom.majority_accuracy(voters, competence), case["expected"]["p_majority"], case["tolerance"])
    single = wisdom.majority_accuracy(voters, competence)
    assert float(single) == pytest.approx(case["expected"]["p_majority"], abs=case["tolerance"]["abs_float32"])
    assert float(wisdom.majority_accuracy(voters, 0.5)) == pytest.approx(0.5, abs=1e-4)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: wisdom.crowd_error([], 1.0), "at least one"),
        (lambda: wisdom.crowd_error([1.0, math.nan], 1.0), "not finite"),
        (lambda: wisdom.crowd_accuracy([[0.5, 0.4], [0.5, 0.5]], 0.5), "weights: row 0 sums to 0.9"),
        (lambda: wisdom.crowd_accuracy([[0.5, 0.5], [-0.5, 1.5]], 0.5), "weights: row 1 has a negative entry"),
        (lambda: wisdom.crowd_accuracy(np.eye(2), 1.5), "susceptibility: 1.5 of agent 0"),
        (lambda: wisdom.majority_accuracy(4, 0.6), "odd number"),
        (lambda: wisdom.majority_accuracy(3, 1.2), "probability"),
    ],
)
def test_wisdom_refuses(call, message):
    with pytest.raises(ParameterError, match=message):
        call()
