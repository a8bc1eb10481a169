"""The simulated Fermi process against its exact chain: single events, fixation, stationary distributions."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import (
    assert_close,
    assert_frequencies,
    assert_means,
    chain,
    load,
    null_vector,
    one_event,
)
from scipy import stats

from jaxcoord import games
from jaxcoord.errors import ParameterError
from jaxcoord.evolution import PairwiseComparison, fermi, fixation_probability, pairwise_events
from jaxcoord.games import mean_payoffs

EGT = load("egt_cases.json", "S-B")
FERMI = load("paper_cases.json", "tnp-fermi-s")
TRIALS = 2**17
simulate = jax.jit(jax.vmap(pairwise_events, (None, None, None, None, 0, None)))
simulate_each = jax.jit(jax.vmap(pairwise_events, (0, 0, 0, 0, 0, None)))


def keys(seed, number):
    return jax.random.split(jax.random.key(seed), number)


def random_case(strategies, seed):
    """Counts with an absent strategy where there are three or more, and a payoff matrix."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, 9, strategies).astype(np.int32)
    if strategies > 2:
        counts[rng.integers(strategies)] = 0
    return counts, rng.uniform(-2, 2, (strategies, strategies)).astype(np.float32)


def snapshots(payoff, size, beta, mu, seed, populations, gap, number):
    """`[P, T, S]`: populations that start at random, seen every `gap` events once they have forgotten the start."""

    @jax.jit
    def follow(key):
        start = jax.random.randint(key, (size,), 0, len(payoff))
        counts = (start[:, None] == jnp.arange(len(payoff))).sum(0, dtype=jnp.int32)

        def advance(counts, step):
            counts = pairwise_events(counts, payoff, beta, mu, jax.random.fold_in(key, step), gap)
            return counts, counts

        return jax.lax.scan(advance, counts, jnp.arange(number))[1]

    return np.asarray(jax.jit(jax.vmap(follow))(keys(seed, populations)))


def forgetting_time(matrix):
    """Events after which what is left of the start is below 1e-6."""
    second = np.sort(np.abs(np.linalg.eigvals(matrix)))[-2]
    return int(np.log(1e-6) / np.log(second)) + 1


# The yardstick itself


@pytest.mark.parametrize("entry", EGT["S-B7"]["expected"], ids=lambda e: str(e["state"]))
def test_the_exact_events_have_the_gradient_of_case_s_b7(entry):
    case = EGT["S-B7"]
    moves = one_event(entry["state"], case["game"]["A"], case["params"]["beta"], 0.0)
    assert_close(moves.sum(0) - moves.sum(1), entry["expected_change_per_step"], case["tolerance"])


@pytest.mark.parametrize("name", ["S-B5", "S-B6"])
def test_the_exact_chain_has_the_stationary_distribution_of_the_case(name):
    case = EGT[name]
    states, matrix = chain(case["game"]["A"], *(case["params"][key] for key in ("Z", "beta", "mu")))
    share = dict(zip(map(tuple, states), null_vector(matrix), strict=True))
    found = [share[tuple(state)] for state in case["params"]["states"]]
    assert_close(found, case["expected"]["stationary"], case["tolerance"])


# One event


@pytest.mark.parametrize("strategies", [2, 3, 10, 13])
@pytest.mark.parametrize(("beta", "mu"), [(0.0, 0.0), (0.7, 0.0), (0.3, 0.2), (20.0, 0.05), (1.0, 1.0)])
def test_one_event_has_the_exact_transition_probabilities(strategies, beta, mu):
    counts, payoff = random_case(strategies, strategies)
    after = np.asarray(simulate(counts, jnp.array(payoff), beta, mu, keys(strategies, TRIALS), 1))
    change = after - counts
    assert ((np.abs(change).sum(1) == 0) | ((change == 1).sum(1) == 1) & ((change == -1).sum(1) == 1)).all()
    cells = change.argmin(1) * strategies + change.argmax(1)
    assert_frequencies(np.bincount(cells, minlength=strategies**2), one_event(counts, payoff, beta, mu))


@pytest.mark.parametrize("entry", EGT["S-B7"]["expected"], ids=lambda e: str(e["state"]))
def test_mean_change_of_one_event_equals_case_s_b7(entry):
    case, state = EGT["S-B7"], np.array(entry["state"], np.int32)
    payoff = jnp.array(case["game"]["A"], jnp.float32)
    change = np.asarray(simulate(state, payoff, case["params"]["beta"], 0.0, keys(1, TRIALS), 1)) - state
    assert_means(change, entry["expected_change_per_step"])


def test_two_events_of_one_call_are_the_chain_squared():
    # Each event draws words of its own: a word used twice would show in the second transition.
    payoff, size, beta, mu = np.array([[1.0, 0.5], [1.2, 0.0]], np.float32), 6, 2.0, 0.3
    states, matrix = chain(payoff, size, beta, mu)
    start = 2
    after = np.asarray(simulate(states[start].astype(np.int32), jnp.array(payoff), beta, mu, keys(2, TRIALS), 2))
    observed = np.bincount(after[:, 0], minlength=size + 1)
    assert_frequencies(observed, np.linalg.matrix_power(matrix, 2)[start])


# Many events


@pytest.mark.parametrize("strategies", [1, 2, 3, 13])
@pytest.mark.parametrize("mu", [0.0, 0.3, 1.0])
def test_nobody_is_lost(strategies, mu):
    rng = np.random.default_rng(strategies)
    populations = 64
    counts = rng.integers(1, 50, (populations, strategies)).astype(np.int32)
    payoff = jnp.array(rng.uniform(-9, 9, (populations, strategies, strategies)), jnp.float32)
    betas, mus = jnp.linspace(0, 30, populations), jnp.full(populations, mu)
    after = np.asarray(simulate_each(counts, payoff, betas, mus, keys(0, populations), 500))
    np.testing.assert_array_equal(after.sum(1), counts.sum(1))
    assert after.min() >= 0
    assert after.dtype == np.int32


@pytest.mark.parametrize("size", [2**20, 2**24 - 1])
def test_nobody_is_lost_in_a_large_population(size):
    counts = jnp.array([1, size - 2, 1], jnp.int32)
    after = np.asarray(simulate(counts, jnp.zeros((3, 3)), 1.0, 0.5, keys(4, 256), 500))
    assert (after.astype(int).sum(1) == size).all()
    assert after.min() >= 0


def test_without_mutation_a_strategy_that_is_absent_stays_absent():
    _, payoff = random_case(3, 0)
    for counts in ([30, 0, 0], [0, 30, 0], [0, 0, 30]):
        after = simulate(jnp.array(counts, jnp.int32), jnp.array(payoff), 1.0, 0.0, keys(0, 32), 500)
        assert (np.asarray(after) == counts).all()
    after = np.asarray(simulate(jnp.array([15, 0, 15], jnp.int32), jnp.array(payoff), 1.0, 0.0, keys(0, 32), 500))
    assert (after[:, 1] == 0).all()
    assert len(np.unique(after[:, 0])) > 1


@pytest.mark.parametrize("strategies", [2, 5])
def test_mutation_alone_forgets_the_payoffs(strategies):
    # With mu = 1 each individual is in every strategy alike in the long run: a multinomial population.
    rng = np.random.default_rng(0)
    payoff = jnp.array(rng.uniform(-9, 9, (strategies, strategies)), jnp.float32)
    start = jnp.zeros(strategies, jnp.int32).at[0].set(12)
    after = np.asarray(simulate(start, payoff, 5.0, 1.0, keys(0, 2**14), 201))
    for strategy in range(strategies):
        # Two strategies exchange one individual each event, so that parity is kept.
        reached = np.arange(13) % 2 == (1 if strategies == 2 else np.arange(13) % 2)
        expected = stats.binom.pmf(np.arange(13), 12, 1 / strategies) * reached
        assert_frequencies(np.bincount(after[:, strategy], minlength=13), expected / expected.sum())


def test_fixation_of_one_mutant_has_its_closed_form():
    cases = [case for case in FERMI.values() if case["params"]["N"] == 20]
    assert len(cases) == 3
    populations, size, events = 2**12, 20, 12_000
    payoffs = np.array([case["params"]["payoff"] for case in cases], np.float32)
    betas = np.array([case["params"]["beta"] for case in cases], np.float32)
    for payoff, beta in zip(payoffs, betas, strict=True):
        absorbed = np.linalg.matrix_power(chain(payoff, size, beta, 0.0)[1], events)[1]
        assert 1 - absorbed[0] - absorbed[-1] < 1e-6
    repeated = [np.repeat(each, populations, 0) for each in (payoffs, betas)]
    start = np.tile(np.array([1, size - 1], np.int32), (3 * populations, 1))
    no_mutation = np.zeros(3 * populations, np.float32)
    after = np.asarray(simulate_each(start, *repeated, no_mutation, keys(0, 3 * populations), events))
    fixed = after[:, 0].reshape(3, populations)
    assert np.isin(fixed, (0, size)).all()
    for row, case in enumerate(cases):
        phi = case["params"]["k"].index(1)
        assert_means(fixed[row] == size, case["expected"]["phi_exact"][phi])
        assert_means(fixed[row] == size, fixation_probability(payoffs[row], size, betas[row])[0, 1])


def test_fixation_times_equal_case_s_b9():
    case, populations, horizon = EGT["S-B9"], 2**12, 6000
    size, beta = case["params"]["Z"], case["params"]["beta"]
    payoff = jnp.array(case["game"]["A"], jnp.float32)

    @jax.jit
    @jax.vmap
    def lifetime(counts, key):
        def advance(step, carry):
            counts, time = carry
            time = time + (counts.min() > 0)
            return pairwise_events(counts, payoff, beta, 0.0, jax.random.fold_in(key, step), 1), time

        return jax.lax.fori_loop(0, horizon, advance, (counts, 0))

    for entry in case["expected"]:
        start = np.full(2, size - 1, np.int32)
        start[entry["invader"]] = 1
        counts, times = lifetime(np.tile(start, (populations, 1)), keys(entry["invader"], populations))
        fixed = np.asarray(counts)[:, entry["invader"]] == size
        assert (np.asarray(counts).min(1) == 0).all()
        assert_means(fixed, entry["fixation_probability"])
        assert_means(times, entry["unconditional_absorption_time_steps"])
        assert_means(np.asarray(times)[fixed], entry["conditional_fixation_time_steps"])


def test_two_strategies_settle_into_the_distribution_of_case_s_b5():
    case = EGT["S-B5"]
    payoff, (size, beta, mu) = case["game"]["A"], (case["params"][name] for name in ("Z", "beta", "mu"))
    gap = forgetting_time(chain(payoff, size, beta, mu)[1])
    seen = snapshots(jnp.array(payoff, jnp.float32), size, beta, mu, 0, 2**12, gap, 4)
    expected = np.zeros(size + 1)
    expected[[state[0] for state in case["params"]["states"]]] = case["expected"]["stationary"]
    # So far apart, the pictures of one population are as independent as those of two.
    assert_frequencies(np.bincount(seen[..., 0].ravel(), minlength=size + 1), expected)
    assert_means(seen.mean(1) / size, case["expected"]["mean_frequency"])


def test_three_strategies_settle_into_the_distribution_of_case_s_b6():
    case = EGT["S-B6"]
    payoff, (size, beta, mu) = case["game"]["A"], (case["params"][name] for name in ("Z", "beta", "mu"))
    burn_in = forgetting_time(chain(payoff, size, beta, mu)[1])
    gap, number = 20, 128
    seen = snapshots(jnp.array(payoff, jnp.float32), size, beta, mu, 0, 2**11, gap, burn_in // gap + number)[
        :, -number:
    ]
    place = {tuple(state): row for row, state in enumerate(case["params"]["states"])}
    code = np.array([place.get((a, b, size - a - b), -1) for a, b in itertools.product(range(size + 1), repeat=2)])
    visits = code[seen[..., 0] * (size + 1) + seen[..., 1]]
    shares = np.stack([np.bincount(row, minlength=len(place)) for row in visits]) / number
    assert_means(shares, case["expected"]["stationary"])
    assert_means(seen.mean(1) / size, case["expected"]["mean_frequency"])


# Batches


@pytest.mark.parametrize("strategies", [2, 3, 13])
def test_a_batch_equals_a_loop_to_the_individual(strategies):
    populations, events = 9, 300
    rng = np.random.default_rng(strategies)
    counts = rng.integers(1, 30, (populations, strategies)).astype(np.int32)
    payoffs = rng.uniform(-2, 2, (populations, strategies, strategies)).astype(np.float32)
    betas, mus = np.linspace(0, 3, populations, dtype=np.float32), np.linspace(0, 1, populations, dtype=np.float32)
    arguments = (counts, payoffs, betas, mus, keys(5, populations))
    together = np.asarray(simulate_each(*arguments, events))
    alone = jax.jit(pairwise_events)
    for row in range(populations):
        np.testing.assert_array_equal(alone(*(each[row] for each in arguments), events), together[row])
    assert (together != counts).any(1).all()


def test_a_batch_of_batches_equals_a_batch():
    counts, payoff = random_case(3, 1)
    many = keys(6, 12)
    nested = jax.vmap(jax.vmap(lambda key: pairwise_events(counts, jnp.array(payoff), 1.0, 0.1, key, 100)))
    flat = simulate(counts, jnp.array(payoff), 1.0, 0.1, many, 100)
    np.testing.assert_array_equal(nested(many.reshape(3, 4)).reshape(12, 3), flat)


def test_the_number_of_events_cannot_differ_within_a_batch():
    counts, payoff = random_case(2, 1)
    with pytest.raises(ValueError, match="number of events"):
        jax.vmap(pairwise_events, (None, None, None, None, 0, 0))(
            counts, jnp.array(payoff), 1.0, 0.1, keys(0, 2), jnp.array([1, 2])
        )


# Pieces and the model


def test_fermi_is_the_logistic_function_and_saturates():
    difference, beta = np.array([-3.0, 0.0, 0.5]), 2.0
    np.testing.assert_allclose(fermi(difference, beta), 1 / (1 + np.exp(-beta * difference)), rtol=1e-6)
    assert [float(fermi(extreme, 1e30)) for extreme in (-1e5, 0.0, 1e5)] == [0, 0.5, 1]


def test_mean_payoffs_are_those_of_playing_everybody_else():
    counts, payoff = random_case(4, 3)
    crowd = np.repeat(np.arange(4), counts)
    found = np.asarray(mean_payoffs(jnp.array(counts), jnp.array(payoff)))
    for i, who in enumerate(crowd):
        assert found[who] == pytest.approx(payoff[who, np.delete(crowd, i)].mean(), abs=1e-5)


def test_the_first_population_draws_every_strategy_alike():
    model = PairwiseComparison(game=games.rock_paper_scissors(), size=30)
    counts = np.asarray(jax.vmap(model.init)(keys(0, 4096)))
    assert (counts.sum(1) == 30).all()
    for strategy in range(3):
        expected = stats.binom.pmf(np.arange(31), 30, 1 / 3)
        assert_frequencies(np.bincount(counts[:, strategy], minlength=31), expected)


def test_a_step_of_the_model_is_its_events():
    model = PairwiseComparison(game=games.hawk_dove(v=1.0, c=4.0), beta=0.3, mu=0.2, size=50, events=70)
    state, key = jnp.array([20, 30], jnp.int32), jax.random.key(8)
    expected = pairwise_events(state, jnp.array([[-1.5, 1.0], [0.0, 0.5]]), 0.3, 0.2, key, 70)
    np.testing.assert_array_equal(model.step(state, key), expected)
    np.testing.assert_allclose(model.observe(state)["frequency"], [0.4, 0.6], rtol=1e-6)
    assert model.coords() == {"strategy": ("hawk", "dove")}
    assert model.agents == 70


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"beta": -1.0}, "beta"),
        ({"mu": 1.5}, "mu"),
        ({"size": 1}, "size"),
        ({"size": 2**24}, "size"),
        ({"events": 0}, "events"),
    ],
)
def test_parameters_out_of_range_are_refused(values, words):
    with pytest.raises(ParameterError, match=rf"pairwise-comparison\.{words} = .*out of range; allowed"):
        PairwiseComparison(**values)
