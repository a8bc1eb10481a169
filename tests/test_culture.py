"""Dissemination of culture: reference cases, one event enumerated, regions against NetworkX, what cannot change."""

import math

import jax
import jax.numpy as jnp
import networkx as nx
import numpy as np
import pytest
from cases import assert_frequencies, load

import jaxcoord as jc
from jaxcoord.identity import culture
from jaxcoord.networks import graph
from jaxcoord.networks.generate import lattice_graph
from jaxcoord.networks.kinds import Complete

CASES = load("coordination_cases.json", "d-culture")
FAST = ("d-culture-F5-q15",)
STEPS = 4000  # sweeps, after which all has ended


@pytest.mark.parametrize("name", [pytest.param(n, marks=() if n in FAST else pytest.mark.slow) for n in CASES])
def test_stable_regions_equal_their_case(name):
    case, runs = CASES[name], 60
    given = case["params"]
    model = culture.Culture(features=given["features"], traits=given["traits"], size=given["L"] ** 2)
    last = jc.simulate(model, STEPS, runs, record=jc.Record(every=STEPS)).isel(step=-1)
    assert (last.active == 0).all(), "the process has ended"
    rule = case["tolerance"]
    allowed = 4 * rule["sd_between_runs"]["stable_regions"] * math.sqrt(1 / rule["runs"] + 1 / runs) + rule["floor"]
    assert abs(float(last.regions.mean()) - case["expected"]["stable_regions"]) <= allowed


def test_one_event_is_the_enumeration():
    path = graph.from_edges([[0, 1], [1, 2]])
    traits = np.array([[0, 0, 0, 0], [0, 1, 1, 0], [2, 1, 1, 2]])
    chances = {}
    for site, near in enumerate(([1], [0, 2], [1])):
        for other in near:
            differ = np.flatnonzero(traits[site] != traits[other])
            chance = (1 - len(differ) / 4) / 3 / len(near)
            for feature in differ:
                after = traits.copy()
                after[site, feature] = traits[other, feature]
                chances[after.tobytes()] = chances.get(after.tobytes(), 0) + chance / len(differ)
    chances[traits.tobytes()] = 1 - sum(chances.values())
    event = jax.jit(jax.vmap(lambda key: culture.disseminate(jnp.asarray(traits), path, key, 1)))
    found = np.asarray(event(jax.random.split(jax.random.key(0), 20_000)), traits.dtype)
    seen = [one.tobytes() for one in found]
    assert set(seen) <= set(chances)
    assert_frequencies([seen.count(state) for state in chances], list(chances.values()))


def test_regions_and_bonds_equal_networkx():
    near, measure = (
        lattice_graph(4, 4, wrap=False),
        jax.jit(lambda t, g: (culture.regions(t, g), culture.active_bonds(t, g))),
    )
    for seed in range(5):
        traits = np.random.default_rng(seed).integers(0, 2, (16, 2))
        joined = graph.to_networkx(near)
        alike = {e: int((traits[e[0]] == traits[e[1]]).sum()) for e in joined.edges()}
        joined.remove_edges_from([e for e in alike if alike[e] < 2])
        regions, active = measure(jnp.asarray(traits), near)
        assert regions == nx.number_connected_components(joined)
        assert active == sum(1 for shared in alike.values() if shared == 1)


def test_what_is_settled_stays():
    near = lattice_graph(3, 3, wrap=False)
    settled = jnp.where(jnp.arange(9)[:, None] < 3, jnp.array([0, 0]), jnp.array([1, 1]))
    after = culture.disseminate(settled, near, jax.random.key(0), 500)
    np.testing.assert_array_equal(after, settled)
    assert culture.active_bonds(settled, near) == 0
    assert culture.regions(settled, near) == 2


def test_no_trait_is_invented():
    model = culture.Culture(Complete(), features=3, traits=4, size=8)
    state = jax.jit(model.init)(jax.random.key(1))
    step, before = jax.jit(model.step), np.asarray(state.traits)
    for t in range(30):
        state = step(state, jax.random.key(t))
    for feature in range(3):
        assert set(np.asarray(state.traits)[:, feature]) <= set(before[:, feature])


@pytest.mark.parametrize("features", [1, 3, 41, 47, 55])
def test_sites_alike_in_everything_are_one_region(features):
    alike, near = jnp.ones((16, features), jnp.int32), lattice_graph(4, 4)
    assert jax.jit(culture.regions)(alike, near) == 1
    assert jax.jit(culture.active_bonds)(alike, near) == 0
