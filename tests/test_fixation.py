"""Closed forms of the Fermi process against cases from elsewhere, limits known on paper, and plain linear algebra."""

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import assert_close, chain, load, null_vector
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.test_util import check_grads
from scipy import special, stats

from jaxcoord import evolution, games
from jaxcoord.errors import ParameterError
from jaxcoord.evolution import payoff_difference, stationary_from_log_rates

# Compiled once for a size, which is several times faster here than one operation after the other.
fixation_probability = jax.jit(evolution.fixation_probability, static_argnums=1)
log_fixation_probability = jax.jit(evolution.log_fixation_probability, static_argnums=1)
fixation_from = jax.jit(evolution.fixation_from, static_argnums=1)
fixation_from_continuum = jax.jit(evolution.fixation_from_continuum, static_argnums=1)
small_mutation_limit = jax.jit(evolution.small_mutation_limit, static_argnums=1)
stationary_distribution = jax.jit(evolution.stationary_distribution, static_argnums=1)

EGT = load("egt_cases.json", "S-B")
FERMI = load("paper_cases.json", "tnp-fermi-s")
MUTATION = load("paper_cases.json", "tnp-fermi-mutation")
SNOWDRIFT = np.array([[1.0, 0.5], [1.2, 0.0]])
STAG_HUNT = np.array([[1.0, -0.5], [0.5, 0.0]])
DILEMMA = np.array([[3.0, 0.0], [5.0, 1.0]])
ROCK_PAPER_SCISSORS = np.array([[0.0, -1.0, 2.0], [2.0, 0.0, -1.0], [-1.0, 2.0, 0.0]])
GAMES = pytest.mark.parametrize("payoff", [SNOWDRIFT, STAG_HUNT, DILEMMA], ids=["snowdrift", "stag-hunt", "dilemma"])


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def random_payoff(strategies, seed):
    return np.random.default_rng(seed).uniform(-1, 1, (strategies, strategies))


def log_fixation_by_definition(payoff, size, beta, mutant, resident):
    exponents, total = [0.0], 0.0
    for k in range(1, size):
        earned = payoff[mutant][mutant] * (k - 1) + payoff[mutant][resident] * (size - k)
        held = payoff[resident][mutant] * k + payoff[resident][resident] * (size - k - 1)
        total -= beta * (earned - held) / (size - 1)
        exponents.append(total)
    return -special.logsumexp(exponents)


# Cases


@pytest.mark.parametrize("entry", EGT["S-B1"]["expected"], ids=lambda e: f"beta{e['beta']}-{e['invader']}")
def test_fixation_probability_equals_case_s_b1(entry):
    case = EGT["S-B1"]
    rho = fixation_probability(np.array(case["game"]["A"]), case["params"]["Z"], entry["beta"])
    assert_close(rho[entry["invader"], entry["resident"]], entry["fixation_probability"], case["tolerance"])


@pytest.mark.parametrize("entry", EGT["S-B8"]["expected"], ids=lambda e: f"Z{e['Z']}")
def test_underflowing_fixation_probability_equals_case_s_b8(entry):
    logs = log_fixation_probability(np.array(entry["A"], float), entry["Z"], entry["beta"])
    log10 = logs[entry["invader"], entry["resident"]] / math.log(10)
    assert_close(log10, entry["log10"], {"abs": EGT["S-B8"]["tolerance"]["abs_log10"]})


def test_small_mutation_limit_equals_case_s_b3():
    case = EGT["S-B3"]
    payoff, expected = np.array(case["game"]["mean_payoff_per_round"]), case["expected"]
    size, beta = case["params"]["Z"], case["params"]["beta"]
    by_resident = np.array(fixation_probability(payoff, size, beta)).T
    np.fill_diagonal(by_resident, 0)
    assert_close(by_resident, expected["fixation"], case["tolerance"])
    assert_close(small_mutation_limit(payoff, size, beta), expected["stationary"], case["tolerance"])


def test_small_mutation_limit_equals_case_s_b4():
    case = EGT["S-B4"]
    arguments = np.array(case["game"]["A"]), case["params"]["Z"], case["params"]["beta"]
    assert_close(small_mutation_limit(*arguments), case["expected"]["stationary"], case["tolerance"])
    expected = np.array(case["expected"]["log10_fixation"], float).T  # the case has residents in rows, as in S-B3
    off_diagonal = ~np.eye(len(expected), dtype=bool)
    log10 = np.asarray(log_fixation_probability(*arguments)) / math.log(10)
    assert_close(log10[off_diagonal], expected[off_diagonal], case["tolerance"])


def test_stationary_distribution_equals_case_s_b5():
    case = EGT["S-B5"]
    of_first = [state[0] for state in case["params"]["states"]]
    share = stationary_distribution(
        np.array(case["game"]["A"]), *(case["params"][name] for name in ("Z", "beta", "mu"))
    )
    assert_close(share[jnp.array(of_first)], case["expected"]["stationary"], case["tolerance"])


@pytest.mark.parametrize("case", MUTATION.values(), ids=MUTATION)
def test_stationary_distribution_equals_paper(case):
    given_, expected = case["params"], case["expected"]
    share = stationary_distribution(np.array(given_["payoff"], float), given_["N"], given_["beta"], given_["mu"])
    mean = (share * jnp.arange(given_["N"] + 1)).sum() / given_["N"]
    found = [mean, share[0], share[-1]]
    assert_close(found, [expected[n] for n in ("mean_fraction_A", "pi_all_B", "pi_all_A")], case["tolerance"])
    assert int(share.argmax()) == expected["mode"]


@pytest.mark.parametrize("case", FERMI.values(), ids=FERMI)
@pytest.mark.parametrize(
    ("function", "name"), [(fixation_from, "phi_exact"), (fixation_from_continuum, "phi_erf_approximation")]
)
def test_fixation_from_k_equals_paper(case, function, name):
    phi = function(np.array(case["params"]["payoff"]), case["params"]["N"], case["params"]["beta"])
    assert_close(phi[jnp.array(case["params"]["k"])], case["expected"][name], case["tolerance"][name])


# Fixation


@pytest.mark.parametrize("size", [2, 50])
def test_neutral_mutant_fixates_with_one_over_z(size):
    equal_payoffs = fixation_probability(np.full((3, 3), 7.0), size, 2.0)
    no_selection = fixation_probability(random_payoff(3, 0), size, 0.0)
    np.testing.assert_allclose(equal_payoffs, 1 / size, rtol=1e-12)
    np.testing.assert_allclose(no_selection, 1 / size, rtol=1e-12)
    np.testing.assert_allclose(fixation_from(np.zeros((2, 2)), size, 1.0), np.arange(size + 1) / size, atol=1e-12)


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**32 - 1), beta=st.floats(0, 5))
def test_ratio_of_opposite_fixations_is_the_product_of_step_ratios(seed, beta):
    payoff = random_payoff(4, seed)
    logs = np.asarray(log_fixation_probability(payoff, 30, beta))
    total = np.asarray(payoff_difference(payoff, 30)).sum(-1)
    np.testing.assert_allclose(logs - logs.T, beta * total, rtol=1e-9, atol=1e-9)


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 2**32 - 1), beta=st.floats(0, 5))
def test_fixation_probability_equals_its_definition(seed, beta):
    payoff = random_payoff(3, seed)
    logs = log_fixation_probability(payoff, 20, beta)
    expected = [[log_fixation_by_definition(payoff, 20, beta, i, j) for j in range(3)] for i in range(3)]
    np.testing.assert_allclose(logs, expected, rtol=1e-10, atol=1e-12)


@GAMES
def test_weak_selection_follows_the_one_third_law(payoff):
    # d rho / d beta at 0 is (Z-1)/Z [u (Z+1)/3 + v] where the payoff difference at k mutants is 2 u k + 2 v.
    (a, b), (c, d), size = *payoff, 40
    u, v = (a - b - c + d) / (2 * (size - 1)), (-a + b * size - d * size + d) / (2 * (size - 1))
    slope = jax.grad(lambda beta: fixation_probability(payoff, size, beta)[0, 1])(0.0)
    assert slope == pytest.approx((size - 1) / size * (u * (size + 1) / 3 + v), rel=1e-10)


@GAMES
@pytest.mark.parametrize("beta", [0.0, 0.3, 2.0])
def test_fixation_from_k_solves_the_absorption_equations(payoff, beta):
    _, matrix = chain(payoff, 25, beta, 0.0)
    inside = np.linalg.solve(np.eye(24) - matrix[1:-1, 1:-1], matrix[1:-1, -1])
    phi = np.asarray(fixation_from(payoff, 25, beta))
    np.testing.assert_allclose(phi[1:-1], inside, atol=1e-12)
    assert (phi[0], phi[-1]) == (0, 1)
    assert phi[1] == pytest.approx(float(fixation_probability(payoff, 25, beta)[0, 1]), rel=1e-12)


@pytest.mark.parametrize(("payoff", "beta"), [(SNOWDRIFT, 1.0), (SNOWDRIFT, 0.01), (STAG_HUNT, 0.3), (STAG_HUNT, 3.0)])
def test_continuum_equals_error_functions(payoff, beta):
    (a, b), (c, d), size = *payoff, 60
    u, v = (a - b - c + d) / (2 * (size - 1)), (-a + b * size - d * size + d) / (2 * (size - 1))
    xi = np.sqrt(beta / abs(u)) * (np.arange(size + 1) * u + v)
    curve = special.erf(xi) if u > 0 else special.erfi(xi)
    expected = (curve - curve[0]) / (curve[-1] - curve[0])
    np.testing.assert_allclose(fixation_from_continuum(payoff, size, beta), expected, rtol=1e-8, atol=1e-12)


# Stationary distributions


@GAMES
@pytest.mark.parametrize(("beta", "mu"), [(0.0, 0.3), (0.5, 0.01), (5.0, 0.05), (1.0, 1.0)])
def test_stationary_distribution_is_the_null_vector(payoff, beta, mu):
    _, matrix = chain(payoff, 30, beta, mu)
    share = np.asarray(stationary_distribution(payoff, 30, beta, mu))
    np.testing.assert_allclose(share @ matrix, share, atol=1e-14)
    np.testing.assert_allclose(share, null_vector(matrix), atol=1e-12)


@pytest.mark.parametrize("size", [30, 100_000])
@pytest.mark.parametrize("double", [False, True])
def test_pure_mutation_gives_the_binomial_distribution(size, double):
    with jax.enable_x64(double):
        share = stationary_distribution(np.zeros((2, 2)), size, 1.0, 1.0)
    expected = stats.binom.pmf(np.arange(size + 1), size, 0.5)
    # Single precision has steps of 0.008 near the largest logarithm, 69,315.
    np.testing.assert_allclose(share, expected, atol=(1e-6 if double else 0.1) * expected.max())


@pytest.mark.parametrize("strategies", [1, 2, 3, 8])
@pytest.mark.parametrize("beta", [0.0, 0.1, 0.5])
def test_small_mutation_limit_solves_the_embedded_chain(strategies, beta):
    payoff, size = random_payoff(strategies, strategies), 20
    matrix = np.array([
        [math.exp(log_fixation_by_definition(payoff, size, beta, j, i)) for j in range(strategies)]
        for i in range(strategies)
    ])  # fmt: skip
    matrix /= strategies
    np.fill_diagonal(matrix, 0)
    np.fill_diagonal(matrix, 1 - matrix.sum(1))
    np.testing.assert_allclose(small_mutation_limit(payoff, size, beta), null_vector(matrix), rtol=1e-8)


def test_small_mutation_limit_is_where_rare_mutation_leads():
    payoff, size, beta, mu = SNOWDRIFT - [[0, 0.4], [0.1, 0]], 10, 1.0, 1e-7
    share = stationary_distribution(payoff, size, beta, mu)
    np.testing.assert_allclose(share[jnp.array([-1, 0])], small_mutation_limit(payoff, size, beta), atol=1e-5)


def test_a_ring_of_rates_with_zeros_is_solved():
    # From i to i+1 alone at rate r_i: time is spent in proportion to 1 / r_i.
    rates = np.array([1e-200, 2.0, 3e-5, 7e100])
    logs = np.full((4, 4), -np.inf)
    logs[np.arange(4), (np.arange(4) + 1) % 4] = np.log(rates)
    shares = np.asarray(stationary_from_log_rates(logs))
    np.testing.assert_allclose(shares, 1e-200 / rates, rtol=1e-10)


# Strong selection, gradients, batches


@pytest.mark.parametrize(
    ("payoff", "double"),
    [(SNOWDRIFT, True), (STAG_HUNT, True), (DILEMMA, True), (DILEMMA, False), (ROCK_PAPER_SCISSORS, True)],
)
def test_strong_selection_neither_overflows_nor_loses_the_logarithm(payoff, double):
    size, beta = 200, 100.0
    with jax.enable_x64(double):
        logs = np.asarray(log_fixation_probability(payoff, size, beta))
        rho, limit = fixation_probability(payoff, size, beta), small_mutation_limit(payoff, size, beta)
        assert np.isfinite(limit).all()
        assert ((rho >= 0) & (rho <= 1)).all()
        assert limit.sum() == pytest.approx(1, rel=1e-5)
        if len(payoff) == 2:
            share = stationary_distribution(payoff, size, beta, 1e-3)
            assert np.isfinite(share).all()
            assert share.sum() == pytest.approx(1, rel=1e-5)
    indices = range(len(payoff))
    expected = [[log_fixation_by_definition(payoff, size, beta, i, j) for j in indices] for i in indices]
    assert np.min(expected) < -1000
    np.testing.assert_allclose(logs, expected, rtol=1e-11 if double else 1e-4, atol=1e-11 if double else 0.02)


@GAMES
@pytest.mark.parametrize("beta", [0.1, 1.0])
@pytest.mark.parametrize(
    "quantity",
    [
        lambda payoff, beta: fixation_probability(payoff, 15, beta),
        lambda payoff, beta: stationary_distribution(payoff, 15, beta, 0.05),
        lambda payoff, beta: small_mutation_limit(payoff, 15, beta),
        lambda payoff, beta: fixation_from(payoff, 15, beta),
    ],
    ids=["fixation", "stationary", "small-mutation", "fixation-from"],
)
def test_gradients_equal_central_differences(quantity, payoff, beta):
    check_grads(jax.jit(quantity), (payoff, beta), order=1, modes=["rev"], eps=1e-5, atol=1e-7, rtol=1e-7)


def test_gradient_by_the_mutation_rate_equals_central_differences():
    check_grads(
        lambda mu: stationary_distribution(DILEMMA, 15, 0.3, mu), (0.1,), order=1, modes=["rev"], eps=1e-5, rtol=1e-7
    )


@pytest.mark.parametrize("function", [fixation_probability, stationary_distribution, small_mutation_limit])
def test_gradients_stay_finite_under_strong_selection(function):
    rest = (1e-3,) if function is stationary_distribution else ()
    slopes = jax.jit(jax.jacrev(lambda payoff: function(payoff, 200, 100.0, *rest)))(DILEMMA)
    assert np.isfinite(slopes).all()


def test_a_batch_equals_a_loop():
    payoffs, betas = jnp.array([random_payoff(2, seed) for seed in range(5)]), jnp.linspace(0, 3, 5)

    def all_of_them(payoff, beta):
        return (
            fixation_probability(payoff, 12, beta),
            stationary_distribution(payoff, 12, beta, 0.01),
            small_mutation_limit(payoff, 12, beta),
        )

    batch = jax.jit(jax.vmap(all_of_them))(payoffs, betas)
    for row, (payoff, beta) in enumerate(zip(payoffs, betas, strict=True)):
        for together, alone in zip(batch, all_of_them(payoff, beta), strict=True):
            np.testing.assert_allclose(together[row], alone, rtol=1e-12)


# Refusals


@pytest.mark.parametrize(
    "function",
    [
        evolution.fixation_probability,
        evolution.fixation_from,
        evolution.small_mutation_limit,
        partial(evolution.stationary_distribution, mu=0.01),
    ],
    ids=["fixation", "fixation-from", "small-mutation", "stationary"],
)
@pytest.mark.parametrize(
    ("payoff", "size", "words"),
    [
        ([[1.0, 2.0]], 10, r"shape \(1, 2\)"),
        ([1.0, 2.0], 10, "square"),
        ([[1.0, np.nan], [0.0, 1.0]], 10, "finite"),
        ([[1.0, np.inf], [0.0, 1.0]], 10, "finite"),
        (DILEMMA, 1, "size = 1"),
        (DILEMMA, 2.5, "size = 2.5"),
    ],
)
def test_what_is_not_allowed_is_named(function, payoff, size, words):
    with pytest.raises(ParameterError, match=words):
        function(payoff, size, beta=1.0)


def test_the_two_strategy_chain_refuses_three():
    with pytest.raises(ParameterError, match=r"shape \(3, 3\)"):
        evolution.stationary_distribution(ROCK_PAPER_SCISSORS, 10, 1.0, 0.1)


@pytest.mark.parametrize("beta", [-0.1, np.nan, np.inf])
def test_a_selection_intensity_that_is_none_is_named(beta):
    for ask in (evolution.fixation_probability, evolution.fixation_from, evolution.fixation_times):
        with pytest.raises(ParameterError, match=r"beta = .*: a finite selection intensity of at least 0 is needed"):
            ask(DILEMMA, 10, beta)


@pytest.mark.parametrize("mu", [-0.1, 1.5, np.nan])
def test_a_mutation_probability_that_is_none_is_named(mu):
    with pytest.raises(ParameterError, match=r"mu = .*: a probability, 0 to 1, is needed"):
        evolution.stationary_distribution(DILEMMA, 10, 1.0, mu)


def test_a_group_larger_than_the_population_is_named():
    game = games.public_goods(group=5)
    with pytest.raises(ParameterError, match=r"group = 5: larger than the population of 4"):
        evolution.fixation_probability(game, 4, 1.0)
    with pytest.raises(ParameterError, match=r"group = 5: larger than the population of 4"):
        evolution.PairwiseComparison(game, size=4)
