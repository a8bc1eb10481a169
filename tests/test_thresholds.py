"""Threshold arrays: reference cases, the closed form, the limits of no noise and of much, and a plain simulation."""

import json
from functools import partial

import jax
import numpy as np
import pytest
from cases import DATA

from jaxcoord.errors import ParameterError
from jaxcoord.language.thresholds import equal_noise_information, threshold_array_information

CASES = [
    case for case in json.loads((DATA / "communication_cases.json").read_text())["deterministic"]
    if case["op"] == "threshold_array_information"
]  # fmt: skip


@partial(jax.jit, static_argnums=0, compiler_options={"xla_backend_optimization_level": 0})
def information(units, noise):
    """Bits, over an array of noise."""
    return jax.vmap(lambda s: threshold_array_information(units, s))(noise)


def test_information_equals_reference():
    assert [case["inputs"]["n_units"] for case in CASES] == [1, 7, 31]
    for case, double in (*((case, True) for case in CASES), (CASES[2], False)):
        noise, expected = np.array(case["inputs"]["noise_over_signal"]), case["expected"]
        with jax.enable_x64(double):
            found = np.asarray(information(case["inputs"]["n_units"], noise))
        np.testing.assert_allclose(found, expected["information_bits"], case["rtol"], case["atol"])
        assert noise[found.argmax()] == expected["best_noise"]


def test_equal_noise_is_the_closed_form():
    with jax.enable_x64(True):
        for units in (1, 7, 31):
            assert float(information(units, np.ones(10))[0]) == pytest.approx(equal_noise_information(units), abs=1e-9)


def test_little_noise_is_one_bit_and_much_none():
    with jax.enable_x64(True):
        found = np.asarray(information(7, np.array([0, 1e-5, 1e-3, 0.01, 0.02, 0.05, 0.1, 10, 100, 1e4])))
    np.testing.assert_allclose(found[:2], 1, atol=2e-4)
    assert (np.diff(found[:7]) > 0).all()  # for a crowd a little noise helps
    assert (np.diff(found[6:]) < 0).all()
    assert 0 <= found[-1] < 1e-6


def test_information_equals_that_of_drawn_units():
    """A histogram of simulated counts over many fine bins of the signal."""
    draw, units, noise, trials = np.random.default_rng(0), 7, 0.4, 400_000
    signal = draw.normal(size=trials)
    count = (signal[:, None] + noise * draw.normal(size=(trials, units)) > 0).sum(1)
    bins = 200
    place = np.argsort(np.argsort(signal)) * bins // trials
    joint = np.bincount(place * (units + 1) + count, minlength=bins * (units + 1)).reshape(bins, -1) / trials
    expected = joint / np.outer(joint.sum(1), joint.sum(0)).clip(1e-300)
    measured = (joint[joint > 0] * np.log2(expected[joint > 0])).sum()
    # Plug-in bias of at most (bins - 1) N / (2 trials ln 2) and as much again for noise and binning.
    with jax.enable_x64(True):
        exact = float(information(7, np.full(10, noise))[0])
    assert measured == pytest.approx(exact, abs=2 * (bins - 1) * units / (2 * trials * np.log(2)))


def test_what_is_not_allowed_is_named():
    with pytest.raises(ParameterError, match="units = 0"):
        threshold_array_information(0, 1.0)
    with pytest.raises(ParameterError, match="noise = -1: a standard deviation of at least 0"):
        threshold_array_information(3, -1.0)
