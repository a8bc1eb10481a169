"""The error limit: reference cases, the bound, both forms of one law, and words."""

import json

import jax
import numpy as np
import pytest
from cases import DATA

from jaxcoord.errors import ParameterError
from jaxcoord.language import error_limit

CASES = json.loads((DATA / "communication_cases.json").read_text())["deterministic"]
UNIFORM, METRIC = ([c for c in CASES if c["op"] == f"error_limit_{kind}"] for kind in ("uniform", "metric"))

metric = jax.jit(error_limit.error_limit_metric, compiler_options={"xla_backend_optimization_level": 0})


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def test_signals_that_are_alike_equal_reference():
    assert len(UNIFORM) == 2
    for case in UNIFORM:
        similarity, signals = case["inputs"]["similarity"], np.array(case["inputs"]["n_signals"])
        expected = case["expected"]
        found = error_limit.error_limit_uniform(similarity, signals)
        np.testing.assert_allclose(found, expected["fitness"], case["rtol"], case["atol"])
        assert (np.asarray(found) < expected["limit"]).all()
        for length, words in expected["word_fitness"].items():
            found = error_limit.error_limit_uniform(similarity, signals, int(length))
            np.testing.assert_allclose(found, words, case["rtol"], case["atol"])


def test_sounds_on_an_interval_equal_reference():
    assert len(METRIC) == 2
    for case in METRIC:
        alpha, values, expected = case["inputs"]["alpha"], np.array(case["inputs"]["values"]), case["expected"]
        equal, weighted = metric(alpha, np.ones(40)), metric(alpha, values)
        np.testing.assert_allclose(equal, expected["fitness_equal_value"], case["rtol"], case["atol"])
        np.testing.assert_allclose(weighted, expected["fitness_with_values"], case["rtol"], case["atol"])
        assert int(error_limit.best_repertoire(weighted)) == expected["argmax_n_with_values"]


def test_both_laws_are_that_of_a_similarity_matrix():
    place = np.linspace(0, 1, 6)
    alike = np.exp(-3.0 * np.abs(place[:, None] - place))
    values = np.arange(40) * 0.1 + 1
    assert float(error_limit.repertoire_fitness(alike, values[:6])) == pytest.approx(float(metric(3.0, values)[5]))
    alike = np.where(np.eye(6), 1, 0.2)
    expected = error_limit.error_limit_uniform(0.2, 6)
    assert float(error_limit.repertoire_fitness(alike)) == pytest.approx(float(expected))


def test_limits_of_similarity():
    values = np.ones(40)
    np.testing.assert_allclose(metric(1e4, values), np.arange(1, 41), rtol=1e-12)  # nothing is mistaken
    np.testing.assert_allclose(metric(0.0, values), 1)  # everything is
    # Words of l sounds reach any number of objects that single sounds do not.
    assert float(error_limit.error_limit_uniform(0.25, 1000, 8)) > 4**7


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: error_limit.error_limit_uniform(1.5, 3), "similarity = 1.5: a probability"),
        (lambda: error_limit.error_limit_uniform(0.5, 0), "signals = 0: at least one"),
        (lambda: error_limit.error_limit_metric(-1.0, [1.0]), "alpha = -1"),
        (lambda: error_limit.error_limit_metric(1.0, []), r"values: shape \(0,\)"),
        (lambda: error_limit.repertoire_fitness([[1.0, 0.5]]), r"similarity: shape \(1, 2\)"),
    ],
)
def test_what_is_not_allowed_is_named(call, said):
    with pytest.raises(ParameterError, match=said):
        call()
