"""State reduction against spanning trees and high-precision arithmetic, at any range of rates and any size."""

import itertools

import jax
import jax.numpy as jnp
import mpmath
import numpy as np
import pytest
from jax.test_util import check_grads
from scipy.special import logsumexp

from jaxcoord.evolution.state_reduction import stationary_from_log_rates


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def logs(size, spread, seed=0):
    return np.random.default_rng(seed).normal(size=(size, size)) * spread


def by_trees(log_rates):
    """The Markov chain tree theorem: a state's share is the sum over trees towards it of the product of their rates."""
    size = len(log_rates)
    weights = []
    for root in range(size):
        others = [i for i in range(size) if i != root]
        trees = []
        for targets in itertools.product(range(size), repeat=size - 1):
            step = dict(zip(others, targets, strict=True))
            if all(reaches(i, root, step) for i in others):
                trees.append(sum(log_rates[i, j] for i, j in step.items()))
        weights.append(logsumexp(trees))
    return np.exp(np.array(weights) - logsumexp(weights))


def reaches(state, root, step):
    for _ in range(len(step)):
        if state == root:
            break
        state = step[state]
    return state == root


def by_precise_solve(log_rates):
    """Balance equations in 5,000 digits."""
    size = len(log_rates)
    with mpmath.workdps(5000):
        rates = mpmath.matrix(size)
        for i, j in itertools.permutations(range(size), 2):
            rates[i, j] = mpmath.exp(mpmath.mpf(float(log_rates[i, j])))
        for i in range(size):
            rates[i, i] = -mpmath.fsum(rates[i, j] for j in range(size) if j != i)
        system = rates.T
        for j in range(size):
            system[size - 1, j] = 1
        found = mpmath.lu_solve(system, mpmath.matrix([0] * (size - 1) + [1]))
        return np.array([float(x) for x in found])


@pytest.mark.parametrize("spread", [1, 100, 1e4, 1e7])
@pytest.mark.parametrize("size", [2, 5])
def test_equals_the_sum_over_spanning_trees(size, spread):
    rates = logs(size, spread)
    # The logarithms themselves are known to 1e-16 of their size.
    np.testing.assert_allclose(stationary_from_log_rates(rates), by_trees(rates), rtol=max(1e-13, 1e-14 * spread))


@pytest.mark.parametrize("spread", [1, 30, 700])
def test_equals_a_solution_in_thousands_of_digits(spread):
    rates = logs(5, spread, seed=1)
    np.testing.assert_allclose(stationary_from_log_rates(rates), by_precise_solve(rates), rtol=2e-12)


@pytest.mark.parametrize("size", [64, 65, 130])
def test_balance_holds_at_sizes_with_several_stages(size):
    rates = np.exp(logs(size, 2, seed=size))
    shares = np.asarray(stationary_from_log_rates(np.log(rates)))
    np.fill_diagonal(rates, 0)
    np.testing.assert_allclose(shares @ rates, shares * rates.sum(1), rtol=1e-11)


def test_without_a_direct_way_round():
    # A ring of 130 states, from i to i + 1 alone at rate r_i: time is spent in proportion to 1 / r_i.
    log_rate = np.random.default_rng(2).normal(size=130) * 50
    ring = np.full((130, 130), -np.inf)
    ring[np.arange(130), (np.arange(130) + 1) % 130] = log_rate
    expected = np.exp(-log_rate - logsumexp(-log_rate))
    np.testing.assert_allclose(stationary_from_log_rates(ring), expected, rtol=1e-11)


def test_one_state_and_a_diagonal_that_is_not_read():
    assert stationary_from_log_rates(np.zeros((1, 1))).tolist() == [1.0]
    rates = logs(5, 3)
    for diagonal in (np.nan, np.inf, 700.0):
        other = rates.copy()
        np.fill_diagonal(other, diagonal)
        np.testing.assert_array_equal(stationary_from_log_rates(other), stationary_from_log_rates(rates))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_is_seen_in_the_result(bad):
    rates = logs(5, 3)
    rates[1, 2] = bad
    assert np.isnan(stationary_from_log_rates(rates)).all()


def test_single_precision_is_right_to_its_digits():
    rates = logs(65, 5).astype(np.float32).astype(float)
    expected = np.asarray(stationary_from_log_rates(rates))
    with jax.enable_x64(False):
        found = stationary_from_log_rates(rates)
        assert found.dtype == jnp.float32
        np.testing.assert_allclose(found, expected, rtol=2e-5)


@pytest.mark.parametrize("size", [4, 65])
def test_gradient_equals_differences(size):
    weights = np.random.default_rng(3).normal(size=size)
    check_grads(
        jax.jit(lambda x: weights @ jnp.log(stationary_from_log_rates(x))), (logs(size, 1),), 1, ["rev"], rtol=1e-5
    )


def test_gradient_stays_finite_where_rates_are_hundreds_of_powers_apart():
    slope = jax.jit(jax.jacrev(stationary_from_log_rates))(logs(6, 500))
    assert np.isfinite(slope).all()


def test_a_batch_equals_a_loop():
    batch = np.stack([logs(5, 100, seed) for seed in range(5)])
    together = jax.jit(jax.vmap(stationary_from_log_rates))(batch)
    for one, rates in zip(together, batch, strict=True):
        np.testing.assert_allclose(one, stationary_from_log_rates(rates), rtol=1e-12)
