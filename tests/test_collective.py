"""Collective search with mishearing: what each rule and arm must and must not do, and the reference's table."""

import itertools
import json
import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import DATA, assert_frequencies

from jaxcoord import random
from jaxcoord.errors import ParameterError
from jaxcoord.exploration.collective import CollectiveSearch, cyclic_landscape
from jaxcoord.exploration.landscape import fitness
from jaxcoord.networks.kinds import Complete, Ring

CASES = [
    case for case in json.loads((DATA / "communication_cases.json").read_text())["statistical"]
    if case["op"].startswith("collective_search")
]  # fmt: skip
SMALL = {"size": 200, "bits": 8, "interactions": 3}

quick = partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
begun = quick(lambda model, key: model.init(key))
stepped = quick(lambda model, state, key: model.step(state, key))


def onward(model, rounds, seed=0):
    """States from the start on."""
    states = [begun(model, jax.random.key(seed))]
    for t in range(rounds):
        states.append(stepped(model, states[-1], jax.random.key(100 + t)))
    return states


def test_a_bit_reads_itself_and_the_next():
    made = quick(cyclic_landscape, static_argnums=(1, 2))(jax.random.key(0), 5, 2)
    np.testing.assert_array_equal(made.links, [[0, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 0], [4, 0, 1]])
    assert made.table.shape == (5, 8)


def test_whoever_sees_better_takes_the_best_and_the_others_try_one_bit():
    for network in (Complete(), Ring()):
        for before, after in zip(*[iter(onward(CollectiveSearch(network, **SMALL), 3))] * 2, strict=False):
            worth, had, has, near, now = (
                np.asarray(x)
                for x in (before.fitness, before.solution, after.solution, before.graph.neighbours, after.fitness)
            )
            for i in range(SMALL["size"]):
                others = near[i]
                best = others[worth[others].argmax()]
                if worth[best] > worth[i]:
                    assert has[i] == had[best]
                else:
                    assert bin(has[i] ^ had[i]).count("1") <= 1
                    assert (has[i] == had[i]) == (now[i] == worth[i])


def test_kept_only_if_better_nobody_ever_loses():
    for state, later in zip(*[iter(onward(CollectiveSearch(Ring(), 0.3, **SMALL), 10))] * 2, strict=False):
        assert (np.asarray(later.fitness) >= np.asarray(state.fitness)).all()
        assert float(later.best_ever) == float(later.fitness.max())
    lost = onward(CollectiveSearch(Complete(), 0.3, rule="always-adopt", **SMALL), 10)
    assert any((np.asarray(b.fitness) < np.asarray(a.fitness)).any() for a, b in itertools.pairwise(lost))
    assert all(float(b.best_ever) >= float(a.best_ever) for a, b in itertools.pairwise(lost))
    for state in lost:
        np.testing.assert_allclose(state.fitness, quick(fitness)(state.landscape, state.solution), rtol=1e-6)


def test_errors_are_each_members_own_or_the_same_for_all():
    for mishearing in ("independent", "shared"):
        model = CollectiveSearch(copy_noise=0.3, rule="always-adopt", mishearing=mishearing, **SMALL)
        before, after = onward(model, 1)
        best = int(before.fitness.argmax())
        copies = np.asarray(before.fitness < before.fitness[best])
        wrong = np.asarray(after.solution ^ before.solution[best])[copies]
        bits = (wrong[:, None] >> np.arange(8)) & 1
        if mishearing == "shared":
            assert (wrong == wrong[0]).all()
        else:
            flipped = int(bits.sum())
            assert_frequencies([flipped, bits.size - flipped], [0.3, 0.7])


def test_own_search_changes_at_least_one_bit():
    """Where all hold the worst solution nobody sees better and every trial is kept: how many bits are tried."""
    model = CollectiveSearch(search_noise=0.25, **SMALL)
    state = begun(model, jax.random.key(1))
    everything = quick(fitness)(state.landscape, jnp.arange(256, dtype=jnp.int32))
    worst = int(everything.argmin())
    size = SMALL["size"]
    state = state._replace(solution=jnp.full(size, worst, jnp.int32), fitness=jnp.full(size, everything[worst]))
    ends = [stepped(model, state, jax.random.key(t)).solution for t in range(15)]
    tried = (np.concatenate(ends) ^ worst)[:, None] >> np.arange(8) & 1
    chance = np.array([math.comb(8, k) * 0.25**k * 0.75 ** (8 - k) for k in range(9)])
    assert_frequencies(np.bincount(tried.sum(1), minlength=9), [0, chance[0] + chance[1], *chance[2:]])


@partial(quick, static_argnums=2)
def observed(model, keys, rounds):
    """What is observed of many crowds in the end; models that differ in numbers only are compiled once."""

    def run(key):
        body = lambda t, state: model.step(state, random.step_key(key, t + 1))  # noqa: E731
        return model.observe(jax.lax.fori_loop(0, rounds, body, model.init(key)))

    return jax.vmap(run)(keys)


def searched(model, keys, rounds):
    """What is observed of many crowds in the end, as NumPy arrays."""
    return {name: np.asarray(values) for name, values in observed(model, keys, rounds).items()}


def compare(case, runs, seed):
    """Every figure of a reference case within four standard errors of both samples."""
    asked = case["params"]
    arm = asked.get("arm", "independent mishearing")
    own = arm.startswith("exact copy")
    rate = asked.get("rate", asked.get("copy_noise"))
    model = CollectiveSearch(
        Complete() if asked["network"] == "complete" else Ring(),
        0.0 if own else rate,
        rate if own else 0.0,
        rule="keep-better" if asked["rule"].startswith("keep") else "always-adopt",
        mishearing="shared" if arm.startswith("shared") else "independent",
        size=asked["agents"], bits=asked["bits"], interactions=asked["epistasis"],
    )  # fmt: skip
    seen = searched(model, jax.random.split(jax.random.key(seed), runs), asked["rounds"])
    for name, field in (("mean_fitness", "mean_fitness"), ("best_ever", "best_ever"), ("found_optimum", "found")):
        expected, found = case["expected"][name], seen[field]
        error = math.hypot(expected["se"], max(found.std(ddof=1), 0.05) / math.sqrt(runs))
        assert abs(found.mean() - expected["mean"]) < 4 * error, (case["id"], name, found.mean())
    return seen["mean_fitness"].mean()


def test_noise_helps_a_crowd_where_a_misheard_solution_is_kept_only_if_better():
    table = {(c["params"]["network"], c["params"]["rule"], c["params"].get("copy_noise")): c for c in CASES}
    plain, noisy = (compare(table["complete", "keep only if better", e], 60, 0) for e in (0, 0.1))
    assert noisy > plain + 0.01


@pytest.mark.slow
def test_crowds_search_as_in_the_reference():
    assert len(CASES) == 26
    for seed, case in enumerate(CASES):
        compare(case, 200, seed)


def test_what_is_not_allowed_is_named():
    with pytest.raises(ParameterError, match="did you mean 'keep-better'"):
        CollectiveSearch(rule="keep-beter")
    with pytest.raises(ParameterError, match="interactions = 8: out of range; allowed: 0 to 7"):
        begun(CollectiveSearch(bits=8, interactions=8), jax.random.key(0))
