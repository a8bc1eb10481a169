"""The exact chain over compositions against the peer's cases, the two-strategy product form and simulation."""

import math

import jax
import mpmath
import numpy as np
import pytest
from cases import assert_close, load

import jaxcoord as jc
from jaxcoord.evolution import compositions, fermi_chain, full_stationary_distribution, stationary_distribution
from jaxcoord.evolution.chain import _visits as visits_in_block

CASES = load("egt_cases.json", "S-B5", "S-B6", "S-B7")


@pytest.mark.parametrize(("strategies", "size"), [(1, 5), (2, 7), (3, 6), (5, 4)])
def test_compositions_are_all_there_once(strategies, size):
    found = compositions(strategies, size)
    assert found.shape == (math.comb(size + strategies - 1, strategies - 1), strategies)
    assert (found.sum(1) == size).all()
    assert (found >= 0).all()
    assert len({tuple(row) for row in found}) == len(found)


@pytest.mark.parametrize("direct", [True, False])
@pytest.mark.parametrize("name", ["S-B5", "S-B6"])
def test_stationary_distribution_of_the_case(name, direct):
    case = CASES[name]
    given = case["params"]
    chain = fermi_chain(case["game"]["A"], given["Z"], given["beta"], given["mu"])
    found = full_stationary_distribution(chain, direct)
    share = {tuple(state): value for state, value in zip(chain.states.tolist(), found, strict=True)}
    assert_close([share[tuple(s)] for s in given["states"]], case["expected"]["stationary"], {"abs": 1e-10})


@pytest.mark.parametrize("seed", range(10))
def test_two_strategies_agree_with_the_product_form(seed):
    random = np.random.default_rng(seed)
    payoff, size = random.normal(size=(2, 2)), int(random.integers(2, 60))
    beta, mu = random.uniform(0, 2), random.uniform(0.001, 0.2)
    chain = fermi_chain(payoff, size, beta, mu)
    with jax.enable_x64(True):
        expected = np.asarray(stationary_distribution(payoff, size, beta, mu))
    np.testing.assert_allclose(full_stationary_distribution(chain), expected[chain.states[:, 0]], atol=1e-12)


@pytest.mark.parametrize("strategies", [2, 3, 4])
def test_rows_sum_to_one_and_move_as_selection_pushes(strategies):
    payoff = np.random.default_rng(0).normal(size=(strategies, strategies))
    chain = fermi_chain(payoff, 10, 0.7, 0.0)
    np.testing.assert_allclose(chain.transitions.sum(1), 1, atol=1e-14)
    assert chain.transitions.min() >= 0
    change = chain.transitions @ chain.states - chain.states
    with jax.enable_x64(True):
        expected = jax.vmap(lambda c: jc.evolution.gradient_of_selection(c, payoff, 0.7))(
            np.asarray(chain.states, float)
        )
    np.testing.assert_allclose(change, expected, atol=1e-13)


def test_simulation_spends_its_time_as_the_chain_says():
    payoff, size = np.random.default_rng(2).normal(size=(3, 3)), 20
    chain = fermi_chain(payoff, size, 0.5, 0.05)
    exact = full_stationary_distribution(chain) @ chain.states / size
    model = jc.evolution.PairwiseComparison(jc.games.matrix_game(payoff), beta=0.5, mu=0.05, size=size, events=100)
    data = jc.simulate(model, 200, 512, record=jc.Record(every=100, burn_in=100, kind="mean"), progress=False)
    means = data.frequency_mean.isel(step=-1).values
    assert (np.abs(means.mean(0) - exact) < 4 * means.std(0, ddof=1) / math.sqrt(len(means))).all()


@pytest.mark.parametrize(
    ("strategies", "size", "beta", "mu"),
    [(3, 6, 0.0, 0.5), (3, 6, 1.0, 0.01), (3, 6, 1e4, 1e-9), (4, 4, 30.0, 1e-4), (2, 20, 1e4, 1e-12)],
)
@pytest.mark.parametrize("coordination", [False, True])
def test_every_share_is_right_in_high_precision(strategies, size, beta, mu, coordination):
    # With coordination the chain stays in one corner for up to 1e40 events, and a factorisation loses all digits.
    payoff = np.random.default_rng(strategies).normal(size=(strategies, strategies))
    payoff = np.eye(strategies) + 0.1 * payoff if coordination else payoff
    found = fermi_chain(payoff, size, beta, mu)
    moves = mpmath.matrix(found.transitions.toarray().tolist())
    number = len(found.states)
    with mpmath.workdps(250):
        for state in range(number):
            moves[state, state] = -mpmath.fsum(moves[state, other] for other in range(number) if other != state)
        system = moves.T
        for state in range(number):
            system[number - 1, state] = 1
        expected = mpmath.lu_solve(system, mpmath.matrix([0] * (number - 1) + [1]))
    shares = full_stationary_distribution(found)
    assert all(abs(share / exact - 1) < 1e-12 for share, exact in zip(shares, expected, strict=True) if exact > 1e-290)


def test_a_barrier_deeper_than_floating_point_is_crossed():
    # Between its ends this chain's shares fall to 1e-420; the product of the ratios of its rates has them.
    size, mu = 120, 1e-8
    shares = full_stationary_distribution(fermi_chain(np.diag([1.0, 1.0 + 1e-3]), size, 100.0, mu))
    with jax.enable_x64(True):
        expected = np.asarray(stationary_distribution(np.diag([1.0, 1.0 + 1e-3]), size, 100.0, mu))
    assert expected.min() == 0
    np.testing.assert_allclose(shares[[0, -1]], expected[[0, -1]], rtol=1e-9)


@pytest.mark.parametrize(("strategies", "size"), [(3, 76), (4, 14), (5, 9)])
def test_blocks_of_states_and_iteration_solve_the_balance(strategies, size):
    found = fermi_chain(np.random.default_rng(5).normal(size=(strategies, strategies)), size, 0.5, 0.02)
    reduced = full_stationary_distribution(found)
    np.testing.assert_allclose(reduced @ found.transitions, reduced, rtol=1e-11)
    np.testing.assert_allclose(full_stationary_distribution(found, direct=False), reduced, atol=1e-10)


@pytest.mark.parametrize("number", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("decades", [1, 30])
def test_visits_within_a_block_of_states_keep_their_digits(number, decades):
    random = np.random.default_rng(number)
    rates, leaving = 10.0 ** -random.uniform(0, decades, (number, number)), 10.0 ** -random.uniform(0, decades, number)
    with mpmath.workdps(300):
        system = -mpmath.matrix(rates.tolist())
        for i in range(number):
            system[i, i] = mpmath.mpf(leaving[i]) + mpmath.fsum(rates[i][j] for j in range(number) if j != i)
        exact = system**-1
        found = visits_in_block(rates, leaving)
        assert all(abs(found[i][j] / exact[i, j] - 1) < 1e-13 for i in range(number) for j in range(number))


def test_iteration_refuses_what_it_would_get_wrong():
    found = fermi_chain(np.eye(3), 20, 10.0, 1e-3)  # three equal corners, out of which it takes 1e26 events
    np.testing.assert_allclose(full_stationary_distribution(found)[[0, -1]], 1 / 3, rtol=0.1)
    with pytest.raises(jc.ParameterError, match="smaller size") as caught:
        full_stationary_distribution(found, direct=False)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (([[1, 2, 3], [4, 5, 6]], 10, 1.0, 0.1), "square"),
        (([[1, np.inf], [0, 1]], 10, 1.0, 0.1), "not finite"),
        ((np.eye(2), 1, 1.0, 0.1), "at least 2"),
        ((np.eye(2), 10, -1.0, 0.1), "beta"),
        ((np.eye(2), 10, 1.0, 1.1), "mu"),
        ((np.eye(8), 500, 1.0, 0.1), "states"),
    ],
)
def test_refuses_in_one_line(arguments, words):
    with pytest.raises(jc.ParameterError, match=words) as caught:
        fermi_chain(*arguments)
    assert "\n" not in str(caught.value)


def test_a_chain_that_absorbs_is_refused():
    with pytest.raises(jc.ParameterError, match="mu = 0"):
        full_stationary_distribution(fermi_chain(np.eye(3), 10, 1.0, 0.0))
