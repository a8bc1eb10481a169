"""Consensus in spite of liars: W-MSR on networks, robustness by exhaustion, approximate agreement."""

import itertools

import jax
import jax.numpy as jnp
import networkx as nx
import numpy as np
import pytest
from cases import assert_close, load, run

from jaxcoord.errors import ParameterError
from jaxcoord.identity.agreement import (
    COMBINE,
    agreement_round,
    contraction_factor,
    rounds_needed,
    worst_case,
)
from jaxcoord.identity.resilience import ResilientConsensus, wmsr_step, wmsr_step_on_graph
from jaxcoord.identity.robustness import attack, is_robust, resilience, robustness, weakest_pair
from jaxcoord.networks.graph import from_dense
from jaxcoord.networks.kinds import Complete, Edges

CASES = load("coordination_cases.json", "d-wmsr", "d-approx", "d-robustness")
GRAPHS = {  # name: network, largest r, most malicious nodes
    "K4": (nx.complete_graph(4), 2, 1),
    "K5": (nx.complete_graph(5), 3, 2),
    "K6": (nx.complete_graph(6), 3, 2),
    "K7": (nx.complete_graph(7), 4, 3),
    "ring6": (nx.cycle_graph(6), 1, 0),
    "star6": (nx.star_graph(5), 1, 0),
    "circulant6": (nx.circulant_graph(6, [1, 2]), 2, 1),
    "circulant7": (nx.circulant_graph(7, [1, 2]), 2, 1),
    "circulant8": (nx.circulant_graph(8, [1, 2]), 2, 1),
    "K33": (nx.complete_bipartite_graph(3, 3), 2, 1),
    "cube": (nx.cubical_graph(), 1, 0),
    "wheel7": (nx.wheel_graph(7), 2, 1),
}
LISTED = pytest.mark.parametrize("name", GRAPHS)
wmsr = jax.jit(wmsr_step)
wmsr_on_graph = jax.jit(wmsr_step_on_graph)
many_rounds = jax.jit(jax.vmap(agreement_round, (0, 0, None)), static_argnums=2)


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def matrix(name):
    return nx.to_numpy_array(GRAPHS[name][0], nodelist=sorted(GRAPHS[name][0])).astype(bool)


def random_matrix(size, share, seed):
    found = np.random.default_rng(seed).random((size, size)) < share
    np.fill_diagonal(found, False)
    return found


# Robustness


@LISTED
def test_robustness_of_the_listed_networks(name):
    adjacency, (_, r, faults) = matrix(name), GRAPHS[name]
    assert robustness(adjacency) == r
    assert resilience(adjacency) == faults


def test_robustness_equals_the_cases():
    case = CASES["d-robustness"]
    for name, adjacency in case["params"]["graphs"].items():
        expected = case["expected"][name]
        assert (robustness(adjacency), resilience(adjacency)) == (
            expected["max_r"],
            expected["max_F_total"],
        )


def robust_by_definition(adjacency, r, s):
    size = len(adjacency)

    def reached(group):
        return {i for i in group if sum(adjacency[i][j] for j in range(size) if j not in group) >= r}

    sets = [set(c) for k in range(1, size + 1) for c in itertools.combinations(range(size), k)]
    return all(
        reached(one) == one or reached(two) == two or len(reached(one)) + len(reached(two)) >= s
        for one, two in itertools.combinations(sets, 2)
        if not one & two
    )


@pytest.mark.parametrize("seed", range(12))
def test_robustness_equals_its_definition(seed):
    adjacency = random_matrix(5, 0.3 + 0.05 * seed, seed)
    for r, s in itertools.product((1, 2, 3), (1, 2, 3, 5)):
        assert is_robust(adjacency, r, s) == robust_by_definition(adjacency, r, s)


def test_the_weakest_pair_is_one():
    adjacency = matrix("cube")
    pair = weakest_pair(adjacency, 2)
    for group in (pair.first, pair.second):
        assert 0 < len(group) == sum(adjacency[i].sum() - adjacency[i, list(group)].sum() < 2 for i in group)
    assert not set(pair.first) & set(pair.second)
    assert pair.reached == ()


def test_a_network_in_parts_is_not_robust():
    assert robustness(np.kron(np.eye(2), np.ones((3, 3)))) == 0
    assert robustness([[0]]) == 1


# W-MSR


def wmsr_by_definition(values, adjacency, faults):
    found = []
    for own, row in zip(values, adjacency, strict=True):
        heard = [v for v, joined in zip(values, row, strict=True) if joined]
        above = sorted(v for v in heard if v > own)
        below = sorted(v for v in heard if v < own)
        kept = [own, *(v for v in heard if v == own), *above[: max(len(above) - faults, 0)], *below[faults:]]
        found.append(np.mean(kept))
    return found


@pytest.mark.parametrize("id", ["d-wmsr-K5", "d-wmsr-C8_12"])
def test_wmsr_equals_the_cases(id):
    case = CASES[id]
    given, expected = case["params"], case["expected"]
    values, adjacency, liars = np.array(given["x0"]), np.array(given["adjacency"]), given["malicious_index"]
    for step in range(1, 300):
        values = np.array(wmsr(values, adjacency, given["F"]))
        values[liars] = given["malicious_value"]
        if f"x_after_{step}" in expected:
            assert_close(values, expected[f"x_after_{step}"], case["tolerance"])
    assert_close(np.delete(values, liars), expected["honest_limit"], case["tolerance"])


def test_two_cliques_joined_by_a_matching_never_move():
    case = CASES["d-wmsr-frozen"]
    given = case["params"]
    assert nx.node_connectivity(nx.from_numpy_array(np.array(given["adjacency"]))) == 4
    np.testing.assert_array_equal(wmsr(np.array(given["x0"]), np.array(given["adjacency"]), 1), given["x0"])
    assert robustness(given["adjacency"]) == case["expected"]["max_r_robust"]
    found = attack(given["adjacency"], 1)
    np.testing.assert_array_equal(wmsr(found.start, np.array(given["adjacency"]), 1), found.start)


@pytest.mark.parametrize("seed", range(6))
def test_both_forms_equal_the_definition(seed):
    # Values repeat, so that ties are met; the last network is sparse enough to leave some without neighbours.
    values = np.random.default_rng(seed).integers(0, 6, 12) / 7
    adjacency = random_matrix(12, 0.9 - 0.15 * seed, seed)
    graph = from_dense(adjacency, 11)
    for faults in range(4):
        expected = wmsr_by_definition(values, adjacency, faults)
        np.testing.assert_allclose(wmsr(values, adjacency, faults), expected, rtol=1e-14, atol=1e-15)
        on_graph = wmsr_on_graph(values, graph.neighbours, graph.valid, faults)
        np.testing.assert_allclose(on_graph, expected, rtol=1e-14, atol=1e-15)


def test_many_neighbours_take_the_sorted_way():
    values, adjacency = np.random.default_rng(0).normal(size=80), random_matrix(80, 0.95, 0)
    np.testing.assert_allclose(wmsr(values, adjacency, 5), wmsr_by_definition(values, adjacency, 5), rtol=1e-12)


def test_what_is_not_finite_is_not_heard_or_is_the_extreme():
    complete = ~np.eye(6, dtype=bool)
    values = np.array([0.0, 0.25, 0.5, 1.0, np.nan, np.inf])
    found = np.asarray(wmsr(values, complete, 1))
    np.testing.assert_allclose(found[:4], wmsr_by_definition([0.0, 0.25, 0.5, 1.0, 9.0], ~np.eye(5, dtype=bool), 1)[:4])
    assert np.isnan(found[4])


@jax.jit
@jax.vmap
def ends_of_three_attacks(start, lying, adjacency, faults):
    """`[3, N]`: where W-MSR is after 400 steps with liars who swing, who stand still, and who waver."""

    def step(values, t):
        lie = jnp.stack([jnp.where(t % 2, 7.0, -7.0), 3.0, jnp.sin(t)])
        told = jnp.where(lying, lie[:, None], values)
        return jax.vmap(wmsr_step, (0, None, None))(told, adjacency, faults), None

    return jax.lax.scan(step, jnp.broadcast_to(start, (3, len(start))), jnp.arange(400))[0]


def test_as_many_liars_as_a_network_bears_change_nothing_of_the_agreement():
    tried = []
    for name, (_, _, faults) in GRAPHS.items():
        # Eight nodes for all, so that one program serves: those that fill up are heard by nobody.
        size, adjacency = len(matrix(name)), np.zeros((8, 8), bool)
        adjacency[:size, :size] = matrix(name)
        groups = list(itertools.combinations(range(size), faults))
        tried += [(np.isin(np.arange(8), group), size, adjacency, faults) for group in groups[:: len(groups) // 6 + 1]]
    lying, sizes, adjacency, faults = (np.array(part) for part in zip(*tried, strict=True))
    start = np.random.default_rng(0).random(lying.shape)
    ends = np.asarray(ends_of_three_attacks(start, lying, adjacency, faults))
    for begun, liars, size, end in zip(start, lying, sizes, ends, strict=True):
        honest = ~liars & (np.arange(8) < size)
        assert (np.ptp(end[:, honest], axis=1) < 1e-6).all()
        assert begun[honest].min() - 1e-12 <= end[:, honest].min()
        assert end[:, honest].max() <= begun[honest].max() + 1e-12


@LISTED
def test_one_liar_more_than_it_bears_has_an_attack(name):
    adjacency, faults = matrix(name), GRAPHS[name][2] + 1
    assert attack(adjacency, faults - 1) is None
    found = attack(adjacency, faults)
    assert found.malicious.sum() <= faults
    values = found.start
    for _ in range(5):
        values = np.where(found.malicious, found.start, wmsr(values, adjacency, faults))
    # Not one of the honest in the two sets has moved, so none ever will.
    assert np.ptp(values[~found.malicious]) == 1
    np.testing.assert_array_equal(values, found.start)


def test_an_attack_with_a_liar():
    # Two cliques of four: one of the first hears two of the second, the others at most one beyond their own.
    graph = nx.disjoint_union(nx.complete_graph(4), nx.complete_graph(4))
    graph.add_edges_from([(0, 4), (0, 5), (2, 6), (3, 7)])
    adjacency = nx.to_numpy_array(graph).astype(bool)
    found = attack(adjacency, 1)
    assert found.malicious.sum() == 1
    values = found.start
    for _ in range(100):
        values = np.where(found.malicious, found.start, wmsr(values, adjacency, 1))
    assert np.ptp(values[~found.malicious]) == 1
    # Without its liar the same start ends in agreement.
    for _ in range(300):
        values = np.asarray(wmsr(values, adjacency, 1))
    assert np.ptp(values) < 1e-6


# Approximate agreement


@pytest.mark.parametrize("id", ["d-approx-0", "d-approx-1", "d-approx-2"])
@pytest.mark.parametrize("rule", COMBINE)
def test_the_contraction_factor_is_reached_and_never_exceeded(id, rule):
    case = CASES[id]
    size, faults = case["params"]["n"], case["params"]["f"]
    factor = contraction_factor(rule, size, faults)
    assert_close(factor, case["expected"][f"{rule}_factor"], case["tolerance"])
    random, trials = np.random.default_rng(size + faults), 4000
    honest = random.random((trials, size - faults)) ** random.choice([0.01, 1, 30], (trials, 1))
    honest = np.where(random.random((trials, 1)) < 0.5, np.round(honest), honest)
    lies = random.choice([-9.0, 0.0, 0.5, 1.0, 9.0], (trials, size - faults, faults))
    lies = np.where(random.random(lies.shape) < 0.3, random.random(lies.shape), lies)
    honest[0], lies[0] = worst_case(size, faults)
    after = np.asarray(many_rounds(honest, lies, rule))
    assert np.ptp(after[0]) == pytest.approx(factor, rel=1e-12)
    assert (np.ptp(after, axis=1) <= factor * np.ptp(honest, axis=1) + 1e-12).all()
    assert (after.min(1) >= honest.min(1) - 1e-12).all()
    assert (after.max(1) <= honest.max(1) + 1e-12).all()


def test_one_round_by_hand():
    case = CASES["d-approx-round"]
    lies = np.array([[-9.0], [-9.0], [9.0]])
    found = agreement_round(case["params"]["honest"], lies, "mean")
    assert_close(found[0], case["expected"]["mean_A"], case["tolerance"])
    assert_close(found[2], case["expected"]["mean_B"], case["tolerance"])
    silent = agreement_round([0.0, 0.0, 1.0], np.full((3, 1), np.nan), "mean")
    np.testing.assert_allclose(silent, agreement_round([0.0, 0.0, 1.0], np.array([[0.0], [0.0], [1.0]]), "mean"))


def test_rounds_that_are_needed_suffice_and_no_fewer_do():
    for rule in COMBINE:
        factor = contraction_factor(rule, 7, 2)
        rounds = rounds_needed(10.0, 0.01, factor)
        assert 10 * factor**rounds <= 0.01 < 10 * factor ** (rounds - 1)
    assert rounds_needed(1.0, 0.125, 0.5) == 3
    assert rounds_needed(1.0, 2.0, 0.5) == 0
    assert contraction_factor("mean", 3, 0) == 0
    assert rounds_needed(1.0, 0.1, 0.0) == 1


# The model


@pytest.mark.parametrize("kind", ["noise", "two-faced"])
def test_a_model_with_as_many_liars_as_it_bears(kind):
    found = run(ResilientConsensus(Complete(), faults=2, liars=2, attack=kind, size=7), 20, 60)
    assert (found["inside"] == 1).all()
    assert (found["spread"] < 1e-4).all()
    assert (found["rounds"] > 0).all()


def test_a_model_with_more_liars_than_are_dropped():
    found = run(ResilientConsensus(Complete(), faults=1, liars=2, lie=9.0, size=7), 20, 60)
    assert (found["inside"] == 0).all()


def test_a_step_of_the_model_is_the_function():
    model = ResilientConsensus(Edges(list(nx.wheel_graph(7).edges)), faults=1, liars=1, lie=3.0, size=7)
    before = jax.jit(model.init)(jax.random.key(2))
    values = np.asarray(before.values)
    expected = wmsr_by_definition(np.where(np.arange(7) < 1, 3.0, values), matrix("wheel7"), 1)
    np.testing.assert_allclose(jax.jit(model.step)(before, jax.random.key(3)).values[1:], expected[1:], rtol=1e-12)
    np.testing.assert_allclose(model.observe(before)["spread"], np.ptp(values[1:]))


# Refusals


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda: robustness(np.ones((13, 13))), "13 nodes.*at most 12"),
        (lambda: robustness(np.ones((2, 3))), "square"),
        (lambda: is_robust(np.ones((3, 3)), 0), "r = 0"),
        (lambda: is_robust(np.ones((3, 3)), 1, 0), "s = 0"),
        (lambda: attack(np.ones((3, 3)), -1), "faults = -1"),
        (lambda: contraction_factor("mean", 6, 2), "faults = 2: .* fewer than a third; of 6, 0 to 1"),
        (lambda: agreement_round(np.ones(4), np.ones((4, 2))), "fewer than a third"),
        (lambda: agreement_round(np.ones(4), np.ones((3, 1))), r"lies: shape \(3, 1\)"),
        (lambda: contraction_factor("median", 7, 2), "unknown"),
        (lambda: worst_case(4, 0), "at least 1"),
        (lambda: rounds_needed(1.0, 0.0, 0.5), "goal = 0"),
        (lambda: wmsr_step(np.ones(3), np.ones((2, 2)), 1), r"adjacency: shape \(2, 2\)"),
        (lambda: ResilientConsensus(size=4, liars=4), "fewer than the 4 agents"),
    ],
)  # fmt: skip
def test_what_is_not_allowed_is_named(ask, words):
    with pytest.raises(ParameterError, match=words) as told:
        ask()
    assert "\n" not in str(told.value)
