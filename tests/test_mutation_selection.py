"""Mutation and selection of memory-one strategies: cases from elsewhere, and a plain loop over generations."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import assert_close, assert_means, load

import jaxcoord as jc
from jaxcoord.errors import ParameterError
from jaxcoord.evolution import mutation_selection
from jaxcoord.evolution.mutation_selection import MutationSelection, Population, chronicle, long_run_outcomes
from jaxcoord.games.repeated.exact import payoff
from jaxcoord.games.repeated.memory_one import reactive_rates

FILE = "repeated_evolution_cases.json"
CHRONICLES, MEMORY_ONE = load(FILE, "ns92-chronicle"), load(FILE, "ns93-memone")
REACTIVE = load(FILE, "ns92-reactive")["ns92-reactive-payoff-1"]
GAME = np.array([3.0, 0.0, 5.0, 1.0])


# Nowak & Sigmund 1992


def reactive_table(strategies):
    one = jnp.asarray(strategies, float)
    return np.asarray(payoff(reactive_rates(one[:, None], one[None])))


def test_reactive_payoffs_as_in_the_case():
    with jax.enable_x64(True):
        table = reactive_table(list(REACTIVE["params"]["strategies"].values()))
    assert_close(table, REACTIVE["expected"]["payoff_matrix"], REACTIVE["tolerance"])


@pytest.mark.parametrize("name", CHRONICLES)
def test_chronicle_as_in_the_case(name):
    params, expected, tolerance = (CHRONICLES[name][key] for key in ("params", "expected", "tolerance"))
    strategies = [[p, q] for p in params["p_grid"] for q in params["q_grid"]]
    if params["replace"]:
        old, new = params["replace"]
        strategies[strategies.index(old)] = new
    strategies = np.array(strategies)
    last = max(map(int, expected))
    with jax.enable_x64(True):
        table = reactive_table(strategies)
        shares = np.asarray(jax.jit(chronicle, static_argnums=(2, 3))(table, np.full(100, 0.01), last, 1))
    assert shares.shape == (last + 1, 100)
    for generation, row in expected.items():
        now = shares[int(generation)]
        assert strategies[np.argmax(now)].tolist() == row["top"]
        found = [now @ table @ now, now.max(), *(now @ strategies)]
        assert_close(found, [row[key] for key in ("mean_payoff", "top_freq", "mean_p", "mean_q")], tolerance)


def test_chronicle_may_keep_some_generations():
    table, shares = reactive_table([[0.9, 0.1], [0.5, 0.5], [0.1, 0.1]]), [0.3, 0.3, 0.4]
    every = np.asarray(chronicle(table, shares, 12))
    np.testing.assert_allclose(chronicle(table, shares, 14, every=4), every[[0, 4, 8, 12]], rtol=1e-6)


# Long-run outcomes


@pytest.mark.parametrize("name", MEMORY_ONE)
def test_memory_one_payoffs_as_in_the_case(name):
    params, expected, tolerance = (MEMORY_ONE[name][key] for key in ("params", "expected", "tolerance"))
    strategies = np.array([params["strategies"][key] for key in expected["names"]]).T
    done = strategies + params["eps"] * (1 - 2 * strategies)
    with jax.enable_x64(True):
        rates = np.asarray(long_run_outcomes(done[:, :, None], done[:, None, :]))
    assert_close(np.moveaxis(rates, 0, -1) @ params["RSTP"], expected["payoff_matrix"], tolerance)
    assert_close(rates[0] + rates[1], expected["cooperation_matrix"], tolerance)
    single = np.asarray(long_run_outcomes(done[:, :, None], done[:, None, :]))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, rates, rtol=2e-4, atol=1e-6)


# The model against a plain loop


def stationary(p, q):
    q = q[[0, 2, 1, 3]]
    moves = np.stack([p * q, p * (1 - q), (1 - p) * q, (1 - p) * (1 - q)], 1)
    system = np.vstack([moves.T - np.eye(4), np.ones(4)])
    return np.linalg.lstsq(system, np.array([0.0, 0, 0, 0, 1]), rcond=None)[0]


def table_of(strategies):
    rates = np.array([[stationary(p, q) for q in strategies] for p in strategies])
    return rates @ GAME, rates[..., 0] + rates[..., 1]


def plain_generation(strategies, shares, table, least):
    shares = shares * (table @ shares)
    shares = shares / shares.sum()
    kept = shares >= least
    return strategies[kept], shares[kept] / shares[kept].sum(), table[np.ix_(kept, kept)]


def population_of(strategies, shares, slots):
    count = len(shares)
    padded = np.full((4, slots), 0.5)
    padded[:, :count] = np.transpose(strategies)
    table = np.zeros((slots, slots))
    table[:count, :count] = table_of(np.asarray(strategies))[0]
    filled = np.append(shares, np.zeros(slots - count))
    return Population(*(jnp.asarray(x, float) for x in (padded, filled, table, 0.0)))


@pytest.mark.parametrize("generations", [1, 7, 400])
def test_selection_alone_is_the_replicator_with_extinction(generations):
    generator = np.random.default_rng(3)
    strategies, shares = generator.uniform(0.05, 0.95, (5, 4)), np.array([0.3, 0.2, 0.1, 0.398, 0.002])
    with jax.enable_x64(True):
        model = MutationSelection(mu=0.0, generations=generations, slots=6, least=0.01)
        begun = population_of(strategies, shares, 6)
        found = jax.jit(model.step)(begun, jax.random.key(0))
    left, now, table = strategies, shares, table_of(strategies)[0]
    earned = []
    for _ in range(generations):
        earned.append(now @ table @ now)
        left, now, table = plain_generation(left, now, table, 0.01)
    present = np.asarray(found.shares) > 0
    np.testing.assert_allclose(np.asarray(found.shares)[present], now, atol=1e-9)
    np.testing.assert_allclose(np.asarray(found.strategies).T[present], left)
    assert float(found.earned) == pytest.approx(np.mean(earned), abs=1e-9)


def drawn(generator):
    return np.clip(np.sin(np.pi / 2 * generator.uniform(size=4)) ** 2, 0.001, 0.999)


def plain_run(generator, generations, mu):
    strategies, shares = np.full((1, 4), 0.5), np.ones(1)
    table, earned = table_of(strategies)[0], 0.0
    for _ in range(generations):
        earned += shares @ table @ shares / generations
        strategies, shares, table = plain_generation(strategies, shares, table, 0.001)
        if generator.uniform() < mu:
            strategies = np.vstack([strategies, drawn(generator)])
            shares = np.append((1 - 0.0011) * shares, 0.0011)
            new = np.array([[stationary(p, q) for q in (strategies[-1],)] for p in strategies])[:, 0]
            back = np.array([stationary(strategies[-1], q) for q in strategies])
            table = np.pad(table, (0, 1))
            table[:, -1], table[-1] = new @ GAME, back @ GAME
    mean = shares @ strategies
    cooperation = shares @ table_of(strategies)[1] @ shares
    return [earned, cooperation, len(shares), *mean]


@pytest.mark.slow
def test_runs_are_distributed_as_those_of_a_plain_loop():
    generations, mu, plain_runs = 150, 0.1, 150
    generator = np.random.default_rng(11)
    plain = np.array([plain_run(generator, generations, mu) for _ in range(plain_runs)])
    model = MutationSelection(mu=mu, generations=generations // 3)
    runs = jc.simulate(model, steps=3, populations=4096, record=jc.Record(every=1), progress=False)
    ours = [
        runs.payoff.mean("step"), *(runs[name].isel(step=-1) for name in ("cooperation", "present")),
        *runs.strategy.isel(step=-1).transpose("after", "replicate"),
    ]  # fmt: skip
    assert_means(plain, [float(values.mean()) for values in ours])
    assert_means(plain**2, [float((values**2).mean()) for values in ours])


def test_mutants_are_drawn_from_the_u_shaped_density():
    # sin^2(pi u / 2) lies below x with probability 2 / pi asin(sqrt(x)).
    model = MutationSelection(mu=1.0, generations=1, entry=0.5, slots=4)
    keys = jax.random.split(jax.random.key(5), 20_000)
    begun = jax.vmap(model.init)(keys)
    after = jax.jit(jax.vmap(model.step))(begun, keys)
    mutants = np.asarray(after.strategies)[:, :, 1]
    assert (np.asarray(after.shares)[:, 1] == 0.5).all()
    for x in (0.01, 0.3, 0.9):
        assert_means(mutants < x, np.full(4, 2 / np.pi * np.arcsin(np.sqrt(x))))
    assert (np.abs(np.corrcoef(mutants.T) - np.eye(4)) < 0.04).all()
    reactive = MutationSelection(mu=1.0, generations=1, slots=4, space="reactive")
    after = jax.jit(jax.vmap(reactive.step))(begun, keys)
    mutants = np.asarray(after.strategies)[:, :, 1]
    np.testing.assert_array_equal(mutants[:, :2], mutants[:, 2:])
    assert len(np.unique(mutants[:, 0])) > 10_000


def test_waits_are_geometric():
    setting = MutationSelection(mu=0.05)._setting()
    words = np.random.default_rng(0).integers(0, 2**32, 200_000, dtype=np.uint32)
    waits = np.asarray(jax.vmap(mutation_selection._wait, (None, 0))(setting, jnp.asarray(words)))
    assert waits.min() == 1
    assert_means(np.stack([waits, waits == 1, waits > 40], 1), [20, 0.05, 0.95**40])
    assert int(mutation_selection._wait(MutationSelection(mu=1.0)._setting(), words[0])) == 1
    assert int(mutation_selection._wait(MutationSelection(mu=0.0)._setting(), words[0])) > 2**29


def test_the_rarest_makes_room_where_all_slots_are_taken():
    strategies, shares = np.full((3, 4), 0.5), np.array([0.5, 0.1, 0.4])
    model = MutationSelection(mu=1.0, generations=1, slots=3, entry=0.1)
    after = jax.jit(model.step)(population_of(strategies, shares, 3), jax.random.key(0))
    np.testing.assert_allclose(after.shares, [0.5, 0.1, 0.4], rtol=1e-5)
    assert (np.asarray(after.strategies)[:, 1] != 0.5).all()
    assert (np.asarray(after.strategies)[:, [0, 2]] == 0.5).all()


def test_observables_of_a_known_population():
    strategies, shares = np.array([[0.99, 0.01, 0.02, 0.98], [0.01, 0.01, 0.01, 0.01]]), np.array([0.95, 0.05])
    model = MutationSelection(slots=4)
    seen = model.observe(population_of(strategies, shares, 4))
    assert float(seen["cooperation"]) == pytest.approx(shares @ table_of(strategies)[1] @ shares, abs=1e-5)
    np.testing.assert_allclose(seen["strategy"], shares @ strategies, rtol=1e-6)
    assert float(seen["wsls"]) == 1
    assert int(seen["present"]) == 2
    other = model.observe(population_of(strategies, shares[::-1].copy(), 4))
    assert float(other["wsls"]) == 0


@pytest.mark.parametrize(
    ("refused", "words"),
    [
        (lambda: MutationSelection(mu=1.5), "mutation-selection.mu = 1.5"),
        (lambda: MutationSelection(space="memory-two"), "mutation-selection.space = 'memory-two'.*memory-one"),
        (lambda: MutationSelection(s=-1.0), r"mutation-selection.s = -1.*at least 0"),
        (lambda: MutationSelection(slip=0.0), "mutation-selection.slip = 0.0"),
        (lambda: MutationSelection(least=0.1), "mutation-selection.least = 0.1: at most 1 / slots, 0.08"),
    ],
)
def test_refuses_in_one_line(refused, words):
    with pytest.raises(ParameterError, match=words):
        refused()
