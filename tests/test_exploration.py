"""Search on rugged landscapes and organizational learning: reference cases, brute force, theory."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import assert_frequencies, load
from scipy import stats

import jaxcoord as jc
from jaxcoord.errors import ParameterError
from jaxcoord.exploration import landscape, march, search
from jaxcoord.networks.graph import neighbour_max
from jaxcoord.networks.kinds import Complete, Isolated, Ring

KEY = jax.random.key(0)
EXPLORATION = load("coordination_cases.json", "d-explore")

# Compiled once for a structure, whatever the parameters.
drawn = jax.jit(lambda model, key: model.init(key))
stepped = jax.jit(lambda model, state, key: model.step(state, key))
nk_landscape = jax.jit(landscape.nk_landscape, static_argnums=(1, 2))


# Landscapes


def value(made, bits):
    """The fitness of a list of bits, by the definition."""
    links, table = np.asarray(made.links), np.asarray(made.table, float)
    place = [sum(bits[link] << j for j, link in enumerate(row)) for row in links]
    return np.mean([table[i, p] for i, p in enumerate(place)])


@pytest.mark.parametrize(("bits", "interactions"), [(1, 0), (6, 2), (7, 6)])
def test_fitness_and_maximum_are_those_of_the_definition(bits, interactions):
    made = nk_landscape(KEY, bits, interactions)
    states = np.array(list(itertools.product([0, 1], repeat=bits)))
    codes = states @ (1 << np.arange(bits))
    expected = np.array([value(made, state.tolist()) for state in states])
    everything = jax.jit(lambda made, codes: (
        landscape.fitness(made, codes), landscape.all_fitness(made)[codes], landscape.global_maximum(made)
    ))  # fmt: skip
    one_by_one, tabled, largest = everything(made, jnp.asarray(codes, jnp.int32))
    np.testing.assert_allclose(one_by_one, expected, rtol=1e-6)
    np.testing.assert_allclose(tabled, expected, rtol=1e-6)
    assert float(largest) == pytest.approx(expected.max(), rel=1e-6)


def test_a_bit_reads_itself_and_different_others():
    made = jax.jit(jax.vmap(lambda key: landscape.nk_landscape(key, 8, 3)))(jax.random.split(KEY, 500))
    links = np.asarray(made.links)
    assert (links[:, :, 0] == np.arange(8)).all()
    assert (np.diff(np.sort(links, 2), axis=2) > 0).all()
    counts = np.array([np.bincount(links[:, i, 1:].ravel(), minlength=8) for i in range(8)])
    assert stats.chisquare(counts[~np.eye(8, dtype=bool)]).pvalue > 1e-4
    assert stats.kstest(np.asarray(made.table).ravel(), "uniform").pvalue > 1e-4


@pytest.mark.slow
def test_smooth_landscapes_have_one_peak_and_rough_ones_many():
    def peaks(key, interactions):
        values = landscape.all_fitness(landscape.nk_landscape(key, 8, interactions))
        return landscape.local_optimum(values, jnp.arange(256, dtype=jnp.int32))

    keys = jax.random.split(KEY, 60)
    smooth, rough = (np.asarray(jax.jit(jax.vmap(lambda key, k=k: peaks(key, k)))(keys)) for k in (0, 7))
    assert (smooth == smooth[:, :1]).all()
    # At K = N - 1 values are independent: 2**N / (N + 1) states exceed their N neighbours (Kauffman & Levin 1987).
    rough = [len(np.unique(row)) for row in rough]
    assert np.mean(rough) == pytest.approx(256 / 9, abs=4 * np.std(rough) / math.sqrt(60))


def test_measures_of_solutions():
    held = jnp.array([0b0000, 0b1111, 0b0011, 0b0000], jnp.int32)
    assert landscape.distinct(held) == 3
    apart = [bin(int(a) ^ int(b)).count("1") for a, b in itertools.combinations(held, 2)]
    assert float(landscape.hamming_diversity(held, 4)) == pytest.approx(np.mean(apart) / 4)
    assert float(landscape.hamming_diversity(held[:1], 4)) == 0
    assert landscape.crossover(jnp.int32(0b1100), jnp.int32(0b1010), jnp.uint32(0b0101)) == 0b1110


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: landscape.nk_landscape(KEY, 21, 2), "bits = 21: out of range; allowed: 1 to 20"),
        (lambda: landscape.nk_landscape(KEY, 5, 5), "interactions = 5: out of range; allowed: 0 to 4"),
        (lambda: landscape.nk_landscape(KEY, 20, 16), "allowed: 0 to 15"),
        (lambda: landscape.local_optimum(jnp.zeros(6), jnp.zeros(1, jnp.int32)), "all 2\\*\\*N solutions"),
    ],
)
def test_landscapes_refuse(call, message):
    with pytest.raises(ParameterError, match=message):
        call()


# Search


# All numbers to step 200 are rows of the experiment; here fewer landscapes, and those that share a structure together.
@pytest.mark.parametrize(
    ("network", "names"),
    [
        (Complete(), ("d-explore-K5-full", "d-explore-K5-full_mu.1", "d-explore-K5-full_h.1")),
        (Ring(), ("d-explore-K5-ring", "d-explore-K5-ring_mu.05")),
        pytest.param(Complete(), ("d-explore-K0-full",), marks=pytest.mark.slow),
        pytest.param(Ring(), ("d-explore-K10-ring",), marks=pytest.mark.slow),
    ],
    ids=["complete", "ring", "complete, smooth", "ring, rough"],
)
def test_search_equals_its_cases(network, names):
    all_cases, runs = [EXPLORATION[name] for name in names], 24
    given = all_cases[0]["params"]
    model = search.NetworkSearch(
        network, patience=given["humour_after"], size=given["n"], bits=given["N"], interactions=given["K"]
    )
    over = [{"confusion": c["params"]["copy_bit_error"], "humour": c["params"]["humour_prob"]} for c in all_cases]
    found = jc.sweep(model, over, 200, runs, record=jc.Record(every=5, only="payoff")).payoff
    for point, case in enumerate(all_cases):
        for label, expected in case["expected"].items():
            spread, rule = case["tolerance"]["sd_between_runs"][label], case["tolerance"]
            allowed = 4 * spread * math.sqrt(1 / rule["runs"] + 1 / runs) + rule["floor"]
            mean = float(found.isel(point=point).sel(step=int(label[1:])).mean())
            assert abs(mean - expected) <= allowed, (case["id"], label)


SMALL = {"size": 40, "bits": 10, "interactions": 3}


def walk(model, steps, key=KEY):
    """The states of one population at steps 0, 1, ..."""
    states = [drawn(model, key)]
    for t in range(steps):
        states.append(stepped(model, states[-1], jax.random.fold_in(key, t + 1)))
    return jax.device_get(states)


def popcount(values):
    return np.array([bin(int(v)).count("1") for v in values])


def neighbours(state, i):
    return state.graph.neighbours[i][state.graph.valid[i]]


@pytest.mark.slow
def test_exact_copying_is_lazer_and_friedman():
    copied = tried = 0
    states = walk(search.NetworkSearch(Ring(degree=4), **SMALL), 25)
    for before, after in itertools.pairwise(states):
        for i in range(40):
            near = neighbours(before, i)
            best = near[before.fitness[near].argmax()]
            if before.fitness[best] > before.fitness[i]:
                assert after.solution[i] == before.solution[best]
                copied += 1
            elif after.solution[i] != before.solution[i]:
                assert popcount([after.solution[i] ^ before.solution[i]]) == 1
                assert after.fitness[i] > before.fitness[i]
                tried += 1
    np.testing.assert_array_equal(after.fitness, landscape.fitness(after.landscape, jnp.asarray(after.solution)))
    assert copied > 10
    assert tried > 3


def test_where_all_see_all_the_best_is_looked_up_once():
    state = drawn(search.NetworkSearch(**SMALL), KEY)
    quick, each = search.NetworkSearch(**SMALL).best_neighbour(state), neighbour_max(state.graph, state.fitness)
    better = np.asarray(each[0] > state.fitness)
    assert better.sum() == 39
    np.testing.assert_array_equal(quick[0] > state.fitness, better)
    np.testing.assert_array_equal(quick[1][better], state.solution[each[1]][better])


def test_a_lone_searcher_takes_each_improvement_with_its_chance():
    model = search.NetworkSearch(Isolated(), **SMALL)
    state = drawn(model, KEY)
    one, own = jnp.full(40, 341, jnp.int32), 341
    worth = landscape.fitness(state.landscape, one)
    state = state._replace(solution=one, fitness=worth, best=one, best_fitness=worth)
    after = [stepped(model, state, jax.random.key(i)).solution for i in range(50)]
    flips = own ^ (1 << np.arange(10))
    better = np.asarray(landscape.fitness(state.landscape, jnp.asarray(flips, jnp.int32))) > float(worth[0])
    chance = np.zeros(1024)
    chance[flips[better]] = 0.1
    chance[own] = 1 - better.mean()
    assert 0 < better.mean() < 1
    assert_frequencies(np.bincount(np.ravel(after), minlength=1024), chance)


@pytest.mark.parametrize("mu", [0.0, 0.3, 1.0])
def test_confusion_flips_each_copied_bit_with_its_probability(mu):
    model = search.NetworkSearch(confusion=mu, **SMALL)
    state = drawn(model, KEY)
    best = int(state.fitness.argmax())
    copiers = np.asarray(state.fitness) < float(state.fitness[best])
    after = np.array([stepped(model, state, jax.random.key(i)).solution for i in range(25)])[:, copiers].ravel()
    wrong = (after[:, None] ^ int(state.solution[best])) >> np.arange(10) & 1
    error = math.sqrt(mu * (1 - mu) / len(after))
    assert (np.abs(wrong.mean(0) - mu) <= 4.5 * error).all()
    if error:
        assert np.abs(np.corrcoef(wrong.T) - np.eye(10)).max() <= 5 / math.sqrt(len(after))


def test_humour_pretends_and_comes_back():
    model = search.NetworkSearch(Isolated(), humour=1.0, patience=3, **SMALL)
    states = walk(model, 80)
    began = came_back = 0
    for before, after in itertools.pairwise(states):
        starts = (before.idle >= 3) & (before.pretending == 0)
        assert (after.pretending[starts] == 3).all()
        assert np.isin(popcount((after.solution ^ before.solution)[starts]), [1, 3]).all()
        ends = before.pretending == 1
        assert (after.fitness[ends] >= before.best_fitness[ends]).all()
        np.testing.assert_array_equal(after.pretending[~starts], np.maximum(before.pretending[~starts] - 1, 0))
        assert (after.best_fitness >= before.best_fitness).all()
        assert (after.best_fitness >= after.fitness).all()
        began += starts.sum()
        came_back += ends.sum()
    assert began > 40
    assert came_back > 40


def test_synthesis_takes_a_child_that_beats_both_parents():
    model = search.NetworkSearch(Isolated(), synthesis=1.0, **SMALL)
    states, taken = walk(model, 30), 0
    for before, after in itertools.pairwise(states):
        for i in np.flatnonzero(after.solution != before.solution):
            child, own = after.solution[i], before.solution[i]
            assert after.fitness[i] > before.fitness[i]
            others = before.solution[before.fitness < after.fitness[i]]
            # Each bit comes from one parent: what both share, the child has.
            assert ((((child ^ own) & (child ^ others)) == 0) & (others != own)).any()
            taken += 1
    assert taken > 30


def test_what_was_ever_held_is_counted():
    states = walk(search.NetworkSearch(confusion=0.2, **SMALL), 15)
    seen = set()
    for state in states:
        now = state.solution.tolist()
        assert state.surprise == pytest.approx(np.mean([one not in seen for one in now]))
        seen |= set(now)
        assert int(popcount(state.held).sum()) == len(seen)


def test_what_is_observed_is_what_is_held():
    model = search.NetworkSearch(sharpness=3.0, **SMALL)
    state = drawn(model, KEY)
    seen = model.observe(state)
    payoff = (np.asarray(state.fitness) / float(landscape.all_fitness(state.landscape).max())) ** 3
    found = [float(seen[name]) for name in ("payoff", "best_payoff", "distinct", "explored")]
    held = len(set(state.solution.tolist()))
    np.testing.assert_allclose(found, [payoff.mean(), payoff.max(), held, held], rtol=1e-5)
    assert seen["surprise"] == 1


# Organizational learning


def test_slow_learners_know_more_in_the_end():
    over = {"p1": [0.1, 0.9], "p2": [0.1, 0.9]}
    runs = jc.sweep(march.OrganizationalLearning(), over, 150, 150, record=jc.Record(every=150)).isel(step=-1)
    assert runs.variety.mean() < 1e-4, "everybody believes what the code says"
    known = runs.knowledge
    error = known.std("replicate") / math.sqrt(150)
    known = known.mean("replicate")
    for slow, fast in (
        ({"p1": 0.1, "p2": 0.1}, {"p1": 0.9, "p2": 0.1}),
        ({"p1": 0.1, "p2": 0.9}, {"p1": 0.9, "p2": 0.9}),
    ):
        gain, spread = known.sel(slow) - known.sel(fast), math.hypot(error.sel(slow), error.sel(fast))
        assert gain > 4 * spread


def test_the_code_learns_from_those_above_it():
    reality = jnp.ones(4, jnp.int32)
    code = jnp.array([1, -1, 0, -1], jnp.int32)
    beliefs = jnp.array([
        [1, 1, 1, -1],  # knows three
        [1, 1, -1, 1],  # three
        [1, 1, 1, 0],  # three
        [-1, -1, -1, 1],  # one, no more than the code: not heard
    ])  # fmt: skip
    common, chance = march.code_change(beliefs, code, reality, 0.3)
    np.testing.assert_array_equal(common, [1, 1, 1, 0])
    np.testing.assert_allclose(chance, [0, 1 - 0.7**3, 1 - 0.7, 0], atol=1e-6)


def test_members_learn_with_probability_p1():
    model = march.OrganizationalLearning(p1=0.2, p2=0.0, size=500)
    state = drawn(model, KEY)._replace(code=jnp.where(jnp.arange(30) < 10, 0, 1))
    after = stepped(model, state, jax.random.key(2))
    np.testing.assert_array_equal(after.beliefs[:, :10], state.beliefs[:, :10])
    learned = np.asarray(after.beliefs == 1)[:, 10:][np.asarray(state.beliefs != 1)[:, 10:]]
    assert learned.mean() == pytest.approx(0.2, abs=4 * math.sqrt(0.16 / learned.size))
    np.testing.assert_array_equal(after.code, state.code)


def test_learning_runs_in_double_precision():
    with jax.enable_x64(True):
        model = march.OrganizationalLearning(size=10)
        state = model.init(jax.random.key(0))
        after = jax.eval_shape(model.step, state, jax.random.key(1))
    assert jax.tree.map(lambda x: x.dtype, after) == jax.tree.map(lambda x: x.dtype, state)
