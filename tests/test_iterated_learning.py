"""Chains of Bayesian learners: reference cases, the prior as what lasts, exaggeration, and drawn learners."""

import json
from functools import partial

import jax
import numpy as np
import pytest
from cases import DATA, assert_frequencies

from jaxcoord.errors import ParameterError
from jaxcoord.language import bayesian

CASES = [
    case for case in json.loads((DATA / "communication_cases.json").read_text())["deterministic"]
    if case["op"] == "iterated_bayesian_learning"
]  # fmt: skip

quick = partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
taught = quick(bayesian.iterated_bayesian_learning, static_argnums=2)
after = quick(bayesian.generation)


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def problem(seed, hypotheses=4, data=5):
    """A random prior and likelihood."""
    draw = np.random.default_rng(seed)
    return draw.dirichlet(np.ones(hypotheses)), draw.dirichlet(np.ones(data), hypotheses)


def test_chains_equal_reference():
    assert len(CASES) == 3
    for case in CASES:
        prior, likelihood = (np.array(case["inputs"][name]) for name in ("prior", "likelihood"))
        first = np.eye(len(prior))[0]
        for learner, name in (("sampler", "sampler"), ("maximiser", "map")):
            chain = taught(prior, likelihood, learner)
            fifth = after(chain, first, 5)
            tolerance = case["rtol"], case["atol"]
            np.testing.assert_allclose(chain, case["expected"][f"transition_{name}"], *tolerance)
            np.testing.assert_allclose(fifth, case["expected"][f"generation5_{name}"], *tolerance)
        found = bayesian.stationary(taught(prior, likelihood, "sampler"))
        np.testing.assert_allclose(found, case["expected"]["stationary_sampler"], *tolerance)


def test_samplers_hand_on_the_prior_whatever_the_language():
    for seed in range(5):
        prior, likelihood = problem(seed)
        np.testing.assert_allclose(bayesian.stationary(taught(prior, likelihood, "sampler")), prior, atol=1e-12)


def test_maximisers_exaggerate_the_prior():
    """Two hypotheses that say the same except with a small probability: the likelier one is nearly always taken."""
    prior, likelihood = np.array([0.6, 0.4]), np.array([[0.9, 0.1], [0.1, 0.9]])
    sampler, maximiser = (bayesian.stationary(taught(prior, likelihood, who)) for who in bayesian.LEARNERS)
    np.testing.assert_allclose(sampler, prior)
    np.testing.assert_allclose(maximiser, [0.5, 0.5])  # a clear language: each datum wins, and the prior is forgotten
    unclear = np.array([[0.55, 0.45], [0.5, 0.5]])
    maximiser = bayesian.stationary(taught(prior, unclear, "maximiser"))
    np.testing.assert_allclose(maximiser, [1, 0], atol=1e-12)


def test_drawn_learners_follow_the_chain():
    prior, likelihood = problem(9, 3, 4)
    draw, chain = np.random.default_rng(0), np.asarray(taught(prior, likelihood, "sampler"))
    belief = np.asarray(bayesian.posterior(prior, likelihood))
    for teacher in range(3):
        data = draw.choice(4, 4000, p=likelihood[teacher])
        learner = np.array([draw.choice(3, p=belief[d]) for d in data])
        assert_frequencies(np.bincount(learner, minlength=3), chain[teacher])


def test_a_datum_that_nobody_produces_teaches_nobody():
    prior, likelihood = np.array([0.5, 0.5]), np.array([[0.7, 0.3, 0.0], [0.2, 0.8, 0.0]])
    assert np.isnan(bayesian.posterior(prior, likelihood)[2]).all()
    np.testing.assert_allclose(taught(prior, likelihood, "sampler").sum(1), 1)


def test_renamed_hypotheses_and_data_change_nothing():
    prior, likelihood = problem(3)
    order, data = np.array([2, 0, 3, 1]), np.array([4, 1, 0, 3, 2])
    plain = np.asarray(taught(prior, likelihood, "sampler"))
    renamed = taught(prior[order], likelihood[order][:, data], "sampler")
    np.testing.assert_allclose(renamed, plain[np.ix_(order, order)], rtol=1e-12)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (([0.5, 0.6], np.eye(2)), "prior: sums to 1.1"),
        (([0.5, 0.5], [[0.5, 0.4], [0, 1]]), r"likelihood\[0\]: sums to 0.9"),
        (([0.5, 0.5], np.eye(3)), "likelihood: 3 hypotheses; the prior has 2"),
        (([0.5, 0.5], np.eye(2), "sampeler"), r"learner = 'sampeler'; did you mean 'sampler'"),
        (([-0.5, 1.5], np.eye(2)), r"prior\[0\] = -0.5: a probability"),
    ],
)
def test_what_is_not_allowed_is_named(arguments, said):
    with pytest.raises(ParameterError, match=said):
        bayesian.iterated_bayesian_learning(*arguments)
