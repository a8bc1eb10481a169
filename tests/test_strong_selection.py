"""Closed forms under any strength of selection against arithmetic in 50 digits, computed here.

beta goes to 1e4 and Z to 1e4, so that beta Z payoff, `scale` below, reaches 1e8, and 1e11 with payoffs of a thousand.
A logarithm must be right to 1e-12 of itself (or of one) and to two units of round-off of `scale`, which nobody can beat
whose payoffs are rounded to a float.
"""

import itertools

import jax
import mpmath
import numpy as np
import pytest
from mpmath import mpf

from jaxcoord import evolution

SETTINGS = [(2, 1.0), (50, 0.0), (100, 1.0), (100, 1e4), (1000, 1e4)]
LARGEST = (10_000, 1e4)
RANDOM = np.random.default_rng(0)
PAIRS = {
    "hawk-dove": [[-0.5, 2.0], [0.0, 0.0]],
    "coexistence, evenly": [[0.0, 1.0], [1.0, 0.0]],
    "stag-hunt": [[4.0, 0.0], [3.0, 3.0]],
    "dilemma": [[3.0, 0.0], [5.0, 1.0]],
    "dilemma, defectors invade": [[1.0, 5.0], [0.0, 3.0]],
    "coordination": [[1.0, 0.0], [0.0, 1.0]],
    "neutral": [[1000.1, 1000.1], [1000.1, 1000.1]],
    "equal rows": [[0.3, 0.7], [0.3, 0.7]],
    "random": RANDOM.normal(size=(2, 2)),
    "random, thousands": 1e3 * RANDOM.normal(size=(2, 2)),
}
GAMES = {
    "random, 3": RANDOM.normal(size=(3, 3)),
    "random, 5": RANDOM.normal(size=(5, 5)),
    "rock-paper-scissors": [[0.0, -1.0, 2.0], [2.0, 0.0, -1.0], [-1.0, 2.0, 0.0]],
    "coordination, 4": np.eye(4),
    "neutral, 4": np.full((4, 4), 1000.1),
    "two alike": [[1.0, 1.0, 0.3], [1.0, 1.0, 0.3], [0.7, 0.7, 0.2]],
    "thousands, 4": 1e3 * RANDOM.normal(size=(4, 4)),
}
pairs = pytest.mark.parametrize("payoff", PAIRS.values(), ids=PAIRS)
games = pytest.mark.parametrize("payoff", GAMES.values(), ids=GAMES)

log_fixation_probability = jax.jit(evolution.log_fixation_probability, static_argnums=1)
log_fixation_times = jax.jit(evolution.log_fixation_times, static_argnums=1)
stationary_distribution = jax.jit(evolution.stationary_distribution, static_argnums=1)
small_mutation_limit = jax.jit(evolution.small_mutation_limit, static_argnums=1)
alpha_rank = jax.jit(evolution.alpha_rank, static_argnums=2)
slopes = jax.jit(jax.jacrev(evolution.log_fixation_times), static_argnums=1)
alpha_rank_profiles = jax.jit(evolution.alpha_rank_profiles, static_argnums=2)


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True), mpmath.workdps(50):
        yield


def gains(payoff, size, beta, mutant=0, resident=1):
    """beta times what a mutant earns more than a resident beside k = 1..Z-1 mutants."""
    (a, b), (c, d) = [[mpf(float(payoff[i][j])) for j in (mutant, resident)] for i in (mutant, resident)]
    factor = mpf(beta) / (size - 1)
    return [factor * (a * (k - 1) + b * (size - k) - c * k - d * (size - k - 1)) for k in range(1, size)]


def log_sum(logs):
    largest = max(logs)
    return largest + mpmath.log(mpmath.fsum(mpmath.exp(x - largest) for x in logs if x - largest > -200))


def log_fixation(selection):
    """The logarithm of the fixation probability, and the largest exponent in it."""
    exponents = list(itertools.accumulate([mpf(0), *(-x for x in selection)]))
    return -log_sum(exponents), float(max(map(abs, exponents)))


def times(selection):
    """Absorption and fixation times by the published double sums, one term from the one before."""
    size = len(selection) + 1
    ratios = [mpmath.exp(-x) for x in selection]
    partial = list(itertools.accumulate(itertools.accumulate([mpf(1), *ratios], lambda x, y: x * y)))
    inner = inner_winning = absorption = fixation = mpf(0)
    for k, ratio in enumerate(ratios, 1):
        waiting = mpf(size * (size - 1)) / (k * (size - k)) * (1 + ratio)
        inner = inner * ratio + waiting
        inner_winning = inner_winning * ratio + waiting * partial[k - 1] / partial[-1]
        absorption, fixation = absorption + inner, fixation + inner_winning
    return absorption / partial[-1], fixation


def stationary(rates):
    """Stationary distribution by state reduction of a matrix of rates, from row to column."""
    rates = [list(row) for row in rates]
    number = len(rates)
    for k in range(number - 1, 0, -1):
        leaving = mpmath.fsum(rates[k][:k])
        for i in range(k):
            rates[i][k] /= leaving
            for j in range(k):
                rates[i][j] += rates[i][k] * rates[k][j]
    shares = [mpf(1)]
    for k in range(1, number):
        shares.append(mpmath.fsum(shares[i] * rates[i][k] for i in range(k)))
    return [share / mpmath.fsum(shares) for share in shares]


def assert_logs(found, exact, scale):
    found = float(found)
    assert np.isfinite(found)
    assert abs(found - exact) <= 1e-12 * max(1, abs(exact)) + 4e-16 * scale, f"{found} for {mpmath.nstr(exact, 17)}"


def assert_shares(found, exact, tolerance):
    """Every share that a float can hold is right by itself, and what is below is nought."""
    found = np.asarray(found).tolist()
    assert np.isfinite(found).all()
    for share, expected in zip(found, exact, strict=True):
        assert abs(share - expected) <= tolerance * expected if expected > 1e-290 else share <= 2e-290


@pairs
@pytest.mark.parametrize(("size", "beta"), SETTINGS)
def test_fixation_probability(payoff, size, beta):
    assert_logs(log_fixation_probability(np.array(payoff), size, beta)[0, 1], *log_fixation(gains(payoff, size, beta)))


@pytest.mark.parametrize("beta", [1e-4, 1e4])
@pytest.mark.parametrize("name", ["coexistence, evenly", "neutral", "equal rows", "random"])
def test_fixation_probability_in_the_largest_population(name, beta):
    found = log_fixation_probability(np.array(PAIRS[name]), 10_000, beta)
    assert_logs(found[0, 1], *log_fixation(gains(PAIRS[name], 10_000, beta)))


@pairs
@pytest.mark.parametrize(("size", "beta"), [*SETTINGS[:4], (400, 1e4)])
def test_fixation_times(payoff, size, beta):
    found = log_fixation_times(np.array(payoff), size, beta)
    for ours, exact in zip(found, times(gains(payoff, size, beta)), strict=True):
        assert_logs(ours, mpmath.log(exact), 0)


@pytest.mark.parametrize("name", ["dilemma", "random, thousands"])
def test_fixation_times_in_the_largest_population(name):
    found = log_fixation_times(np.array(PAIRS[name]), *LARGEST)
    for ours, exact in zip(found, times(gains(PAIRS[name], *LARGEST)), strict=True):
        assert_logs(ours, mpmath.log(exact), 0)


@pairs
@pytest.mark.parametrize(
    ("size", "beta", "mu"), [(10, 0.0, 0.1), (100, 1.0, 1e-3), (100, 1e4, 1e-12), (1000, 1e4, 0.2)]
)
def test_stationary_distribution_of_two_strategies(payoff, size, beta, mu):
    mu_, selection = mpf(mu), [mpf(0), *gains(payoff, size, beta), mpf(0)]
    shares, up = [mpf(1)], None
    for k, gain in enumerate(selection):
        meet = (1 - mu_) * mpf(k * (size - k)) / (size * (size - 1))
        if k:
            shares.append(shares[-1] * up / (meet / (1 + mpmath.exp(gain)) + mu_ * k / size))
        up = meet / (1 + mpmath.exp(-gain)) + mu_ * (size - k) / size
    total = mpmath.fsum(shares)
    found = stationary_distribution(np.array(payoff), size, beta, mu)
    assert_shares(found, [share / total for share in shares], 1e-10)


@games
@pytest.mark.parametrize(("size", "beta"), [(50, 0.0), (50, 10.0), (200, 1e4)])
def test_small_mutation_limit(payoff, size, beta):
    kinds = range(len(payoff))
    logs = [[log_fixation(gains(payoff, size, beta, j, i)) for j in kinds] for i in kinds]
    exact = stationary([[mpmath.exp(entry[0]) for entry in row] for row in logs])
    scale = max(logs[i][j][1] for i in kinds for j in kinds if i != j)
    assert_shares(small_mutation_limit(np.array(payoff), size, beta), exact, 1e-12 + 4e-16 * scale)


def takeover(gain, alpha, size):
    selection = mpf(alpha) * gain
    return (1 - mpmath.exp(-selection)) / (1 - mpmath.exp(-size * selection)) if selection else 1 / mpf(size)


@games
@pytest.mark.parametrize(("size", "alpha"), [(50, 0.0), (50, 1.0), (50, 1e4), (10_000, 1e4)])
def test_alpha_rank(payoff, size, alpha):
    exact_payoff = [[mpf(float(x)) for x in row] for row in payoff]
    kinds = range(len(payoff))
    exact = stationary([[takeover(exact_payoff[j][i] - exact_payoff[i][j], alpha, size) for j in kinds] for i in kinds])
    scale = alpha * size * np.ptp(payoff)
    assert_shares(alpha_rank(np.array(payoff), alpha, size), exact, 1e-12 + 4e-16 * scale)


@pytest.mark.parametrize(("size", "alpha"), [(50, 1.0), (50, 1e4), (10_000, 1e4)])
@pytest.mark.parametrize("ties", [False, True])
def test_alpha_rank_of_two_populations(ties, size, alpha):
    tables = np.random.default_rng(4).normal(size=(2, 2, 3))
    tables = np.round(tables) if ties else tables
    profiles = list(itertools.product(range(2), range(3)))

    def rate(here, there):
        deviates = [player for player in range(2) if here[player] != there[player]]
        if len(deviates) != 1:
            return mpf(0)
        table = tables[deviates[0]]
        return takeover(mpf(float(table[there])) - mpf(float(table[here])), alpha, size)

    exact = stationary([[rate(here, there) for there in profiles] for here in profiles])
    found = alpha_rank_profiles(list(tables), alpha, size).ravel()
    assert_shares(found, exact, 1e-12 + 4e-16 * alpha * size * np.ptp(tables))


@pairs
def test_single_precision_stays_finite(payoff):
    with jax.enable_x64(False):
        payoff, (size, beta) = np.array(payoff, np.float32), LARGEST
        logs = log_fixation_probability(payoff, size, beta)
        shares = [stationary_distribution(payoff, size, beta, 0.01), small_mutation_limit(payoff, size, beta)]
        taken = log_fixation_times(payoff, size, beta)
    assert np.isfinite(logs).all()
    assert np.isfinite(taken).all()
    for share in shares:
        assert (share >= 0).all()
        assert share.sum() == pytest.approx(1, rel=1e-4)


@pairs
def test_gradients_of_times_stay_finite(payoff):
    for beta in (0.0, 1.0, 1e4):
        assert all(np.isfinite(slope).all() for slope in slopes(np.array(payoff), 60, beta))
