"""Fixation times and the gradient of selection against reference cases, linear algebra and simulation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import assert_close, load

import jaxcoord as jc
from jaxcoord.evolution import fermi_rates, fixation_times, gradient_of_selection

CASES = load("egt_cases.json", "S-B7", "S-B9")


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def by_linear_algebra(payoff, size, beta):
    """Absorption and conditional fixation times from one mutant, by solving (I - Q) t = 1 in NumPy."""
    up, down = (np.asarray(rate)[1:-1] for rate in fermi_rates(payoff, size, beta))
    inside = np.diag(1 - up - down) + np.diag(up[:-1], 1) + np.diag(down[1:], -1)
    visits = np.linalg.inv(np.eye(size - 1) - inside)
    win = visits @ np.r_[np.zeros(size - 2), up[-1]]
    return visits[0].sum(), (visits[0] * win).sum() / win[0]


@pytest.mark.parametrize("entry", CASES["S-B9"]["expected"], ids=lambda e: f"invader {e['invader']}")
def test_times_of_the_case(entry):
    case = CASES["S-B9"]
    payoff = np.array(case["game"]["A"])
    payoff = payoff if entry["invader"] == 0 else payoff[::-1, ::-1]
    times = fixation_times(payoff, case["params"]["Z"], case["params"]["beta"])
    assert_close(times.absorption, entry["unconditional_absorption_time_steps"], case["tolerance"])
    assert_close(times.fixation, entry["conditional_fixation_time_steps"], case["tolerance"])


@pytest.mark.parametrize("seed", range(10))
def test_times_are_those_of_the_linear_system(seed):
    random = np.random.default_rng(seed)
    payoff, size, beta = random.normal(size=(2, 2)), int(random.integers(2, 40)), random.uniform(0, 0.5)
    np.testing.assert_allclose(fixation_times(payoff, size, beta), by_linear_algebra(payoff, size, beta), rtol=1e-8)


@pytest.mark.parametrize("size", [2, 10, 100])
def test_neutral_times_are_the_harmonic_ones(size):
    """Without selection: visits to k from one mutant are known, and the conditional time is 2 (Z - 1)**2."""
    times = fixation_times(np.zeros((2, 2)), size, 1.0)
    k = np.arange(1, size)
    # Neutral visits to k from 1 are (1 - k/Z) / T-_1 times T_1 / T_k, with T_k = k (Z - k) / (2 Z (Z - 1)).
    absorption = ((1 - k / size) * 2 * size * (size - 1) / (k * (size - k))).sum()
    np.testing.assert_allclose(times.absorption, absorption, rtol=1e-10)
    np.testing.assert_allclose(times.fixation, 2 * (size - 1) ** 2, rtol=1e-10)


@pytest.mark.parametrize("beta", [1.0, 100.0, 1e4])
def test_strong_selection_stays_finite(beta):
    times = fixation_times([[0.0, 1.0], [0.0, 0.0]], 1000, beta)
    assert np.isfinite(np.asarray(times)).all()


def test_simulated_absorption_takes_as_long():
    payoff, size, beta = jnp.array([[-0.5, 2.0], [0.0, 0.0]]), 20, 0.2
    expected = fixation_times(payoff, size, beta)

    def life(key):
        def going(carry):
            counts, _ = carry
            return (counts[0] > 0) & (counts[0] < size)

        def event(carry):
            counts, step = carry
            key_now = jax.random.fold_in(key, step)
            return jc.evolution.pairwise_events(counts, payoff, beta, 0.0, key_now, 1), step + 1

        counts, step = jax.lax.while_loop(going, event, (jnp.array([1, size - 1], jnp.int32), jnp.uint32(0)))
        return step, counts[0] == size

    with jax.enable_x64(False):
        steps, won = (np.asarray(x) for x in jax.jit(jax.vmap(life))(jax.random.split(jax.random.key(0), 4000)))
    for sample, time in ((steps, expected.absorption), (steps[won], expected.fixation)):
        assert abs(sample.mean() - time) < 4 * sample.std(ddof=1) / np.sqrt(len(sample))


@pytest.mark.parametrize("entry", CASES["S-B7"]["expected"], ids=lambda e: str(e["state"]))
def test_gradient_of_selection_is_the_expected_change(entry):
    case = CASES["S-B7"]
    found = gradient_of_selection(entry["state"], case["game"]["A"], case["params"]["beta"])
    assert_close(found, entry["expected_change_per_step"], case["tolerance"])


def test_gradient_of_two_strategies_is_the_difference_of_rates():
    payoff = [[1.0, 0.2], [1.3, 0.0]]
    up, down = fermi_rates(payoff, 30, 0.7)
    for k in range(31):
        np.testing.assert_allclose(gradient_of_selection([k, 30 - k], payoff, 0.7)[0], up[k] - down[k], atol=1e-14)


@pytest.mark.parametrize(
    ("payoff", "size", "words"),
    [([[1, 2, 3], [4, 5, 6]], 10, "square"), (np.eye(3), 10, r"\[2, 2\]"), (np.eye(2), 1, "at least 2")],
)
def test_refuses_in_one_line(payoff, size, words):
    with pytest.raises(jc.ParameterError, match=words):
        fixation_times(payoff, size, 1.0)
