"""Networks: forms that turn into each other, generators against NetworkX and theory, measures against NetworkX."""

import math
from functools import partial

import jax
import jax.numpy as jnp
import networkx as nx
import numpy as np
import pytest
from cases import assert_means

from jaxcoord.errors import ParameterError
from jaxcoord.networks import generate, graph, kinds, measures

KEY = jax.random.key(0)


def edges_of(made):
    return {tuple(edge) for edge in graph.to_edges(made).tolist()}


def nx_edges(made):
    return {tuple(sorted(edge)) for edge in made.edges()}


def assert_sound(made, nodes):
    """Symmetric, no loops, no double edges, lists in order from the left, empty places with the node itself."""
    near, valid = np.asarray(made.neighbours), np.asarray(made.valid)
    assert near.dtype == np.int32
    assert near.shape == valid.shape
    assert len(near) == nodes
    dense = np.zeros((nodes, nodes), int)
    rows = np.repeat(np.arange(nodes), near.shape[1]).reshape(near.shape)
    np.add.at(dense, (rows[valid], near[valid]), 1)
    assert dense.max(initial=0) <= 1
    assert not dense.diagonal().any()
    np.testing.assert_array_equal(dense, dense.T)
    assert (np.diff(valid.astype(int), axis=1) <= 0).all()
    assert (np.diff(near, axis=1)[valid[:, 1:]] > 0).all()
    np.testing.assert_array_equal(near[~valid], rows[~valid])
    assert made.dropped == 0


RANDOM = {
    "random-regular": partial(generate.random_regular_graph, nodes=30, degree=5),
    "random-regular, complement": partial(generate.random_regular_graph, nodes=12, degree=9),
    "erdos-renyi": partial(generate.erdos_renyi_graph, nodes=30, probability=0.2),
    "watts-strogatz": partial(generate.watts_strogatz_graph, nodes=13, degree=6, rewiring=0.8),
    "barabasi-albert": partial(generate.barabasi_albert_graph, nodes=30, links=3),
    "stochastic-block": partial(generate.stochastic_block_graph, sizes=(8, 14), probabilities=[[0.6, 0.1], [0.1, 0.3]]),
}


@pytest.mark.parametrize("name", RANDOM)
def test_random_networks_are_sound_and_their_measures_equal_networkx(name):
    def make(key):
        made = RANDOM[name](key)
        found = measures.degree(made), measures.degree_distribution(made), measures.clustering(made)
        return made, *found, measures.components(made)

    made, *found = jax.device_get(jax.jit(jax.vmap(make))(jax.random.split(KEY, 12)))
    drawn = [jax.tree.map(lambda leaf, i=i: leaf[i], made) for i in range(12)]
    for one in drawn:
        assert_sound(one, len(one.neighbours))
    assert len({frozenset(edges_of(one)) for one in drawn}) > 9
    for i, one in enumerate(drawn[:4]):
        theirs = graph.to_networkx(one)
        degrees = np.array([d for _, d in theirs.degree()])
        np.testing.assert_array_equal(found[0][i], degrees)
        share = np.bincount(degrees, minlength=one.valid.shape[1] + 1) / len(degrees)
        np.testing.assert_allclose(found[1][i], share, rtol=1e-6)
        np.testing.assert_allclose(found[2][i], list(nx.clustering(theirs).values()), rtol=1e-6)
        assert_components(found[3][i], theirs)


def assert_components(names, theirs):
    """Every node has the name of the smallest node that it is connected with."""
    np.testing.assert_array_equal(names, [min(nx.node_connected_component(theirs, i)) for i in sorted(theirs)])


# Networks without chance


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (generate.complete_graph(7), nx.complete_graph(7)),
        (generate.ring_graph(9, 2), nx.cycle_graph(9)),
        (generate.ring_graph(10, 6), nx.circulant_graph(10, [1, 2, 3])),
        (generate.ring_graph(5, 4), nx.complete_graph(5)),
        (generate.lattice_graph(4, 5, wrap=False), nx.grid_2d_graph(4, 5)),
        (generate.lattice_graph(4, 5), nx.grid_2d_graph(4, 5, periodic=True)),
        (generate.lattice_graph(1, 6, wrap=False), nx.path_graph(6)),
    ],
    ids=["complete", "cycle", "ring", "full ring", "grid", "torus", "path"],
)
def test_fixed_networks_equal_networkx(made, expected):
    assert_sound(made, len(expected))
    assert edges_of(made) == nx_edges(nx.convert_node_labels_to_integers(expected, ordering="sorted"))


@pytest.mark.parametrize("wrap", [False, True])
def test_moore_lattice_joins_king_moves(wrap):
    made, rows, columns = generate.lattice_graph(4, 5, moore=True, wrap=wrap), 4, 5
    assert_sound(made, 20)
    expected = set()
    for a in range(20):
        for b in range(a):
            far = [abs(a // columns - b // columns), abs(a % columns - b % columns)]
            if wrap:
                far = [min(x, size - x) for x, size in zip(far, (rows, columns), strict=True)]
            if max(far) == 1:
                expected.add((b, a))
    assert edges_of(made) == expected


# Forms


@pytest.mark.parametrize("chance", [0.0, 0.2, 0.6, 1.0])
def test_forms_turn_into_each_other(chance):
    dense = np.triu(np.random.default_rng(7).random((9, 9)) < chance, 1)
    dense |= dense.T
    made = graph.from_dense(dense)
    assert_sound(made, 9)
    np.testing.assert_array_equal(graph.to_dense(made), dense)
    for again in (
        graph.from_edges(graph.to_edges(made), 9),
        graph.from_networkx(graph.to_networkx(made)),
        graph.from_dense(jnp.asarray(dense, float)),
    ):
        jax.tree.map(np.testing.assert_array_equal, again, made)


def test_directed_lists_hold_whom_a_node_sees():
    made = graph.from_edges([[0, 1], [2, 1], [1, 0]], directed=True)
    np.testing.assert_array_equal(graph.to_dense(made), [[0, 1, 0], [1, 0, 0], [0, 1, 0]])
    digraph = nx.DiGraph([(0, 1), (2, 1), (1, 0)])
    assert set(graph.to_networkx(made, directed=True).edges()) == set(digraph.edges())


@pytest.mark.parametrize("make", ["edges", "dense", "packed"])
def test_too_small_a_width_is_told(make):
    edges = [[0, 1], [0, 2], [0, 3], [1, 2]]
    both = jnp.array(edges + [edge[::-1] for edge in edges])
    made = {
        "edges": lambda: graph.from_edges(edges, width=2),
        "dense": lambda: graph.from_dense(graph.to_dense(graph.from_edges(edges)), 2),
        "packed": lambda: graph.packed(both[:, 0], both[:, 1], jnp.ones(8, bool), 4, 2),
    }[make]()
    assert made.dropped == 1
    np.testing.assert_array_equal(measures.degree(made), [2, 2, 2, 1])


# Generators against theory and NetworkX


def drawn(make, populations, key=KEY):
    return jax.jit(jax.vmap(make))(jax.random.split(key, populations))


def test_erdos_renyi_degrees_are_binomial():
    matrix = drawn(lambda key: generate.erdos_renyi_matrix(key, 20, 0.3), 2000)
    pairs = np.asarray(matrix)[:, *np.triu_indices(20, 1)]
    assert_means(pairs, np.full(190, 0.3))
    assert_means(pairs.sum(1, keepdims=True) ** 2, [190 * 0.3 * 0.7 + 57**2])


def test_stochastic_block_joins_by_block():
    chance = np.array([[0.5, 0.1, 0.0], [0.1, 0.8, 0.3], [0.0, 0.3, 0.2]])
    matrix = np.asarray(drawn(lambda key: generate.stochastic_block_matrix(key, (3, 5, 4), chance), 2000))
    block = np.repeat([0, 1, 2], [3, 5, 4])
    pairs = np.triu_indices(12, 1)
    expected = chance[block[pairs[0]], block[pairs[1]]]
    assert not matrix[:, *pairs][:, expected == 0].any()
    assert_means(matrix[:, *pairs][:, expected > 0], expected[expected > 0])


@pytest.mark.slow
def test_random_regular_networks_are_random():
    nodes, degree, populations = 100, 4, 400
    made = drawn(lambda key: graph.to_dense(generate.random_regular_graph(key, nodes, degree)), populations)
    made = np.asarray(made, float)
    # Every pair is joined with the same chance, whatever the distance of its numbers.
    by_distance = np.stack([np.diagonal(made, k, 1, 2).mean(1) for k in range(1, nodes)], 1)
    assert_means(by_distance, np.full(nodes - 1, degree / (nodes - 1)))
    # (degree - 1)^3 / 6 triangles in a large network, Poisson (Bollobas 1980); here within some 1 / nodes of it.
    triangles = np.einsum("pij,pji->p", made @ made, made) / 6
    assert triangles.mean() == pytest.approx(4.5, abs=4 * math.sqrt(4.5 / populations) + 4.5 * 4 / nodes)
    assert triangles.var() == pytest.approx(4.5, rel=0.35)


@pytest.fixture(scope="module")
def small_worlds():
    """What is compared of small worlds of 60 nodes and degree 6, by rewiring probability; compiled once."""

    def make(key, rewiring):
        made = generate.watts_strogatz_graph(key, 60, 6, rewiring)
        kept = (graph.to_dense(made) & graph.to_dense(generate.ring_graph(60, 6))).sum() / 360
        return made.valid.sum(1), made.dropped, measures.clustering(made).mean(), kept

    compiled = jax.jit(jax.vmap(make, (0, None)))
    return lambda rewiring: [np.asarray(x) for x in compiled(jax.random.split(KEY, 200), rewiring)]


@pytest.mark.parametrize("rewiring", [0.0, 0.1, 1.0])
def test_watts_strogatz_equals_networkx_on_average(small_worlds, rewiring):
    degrees, dropped, clusters, kept = small_worlds(rewiring)
    assert (degrees.sum(1) == 360).all()
    assert not dropped.any()
    theirs = [nx.watts_strogatz_graph(60, 6, rewiring, seed=i) for i in range(200)]
    ring = nx_edges(nx.circulant_graph(60, [1, 2, 3]))
    # NetworkX redraws one edge after the other and not onto ring edges that have not had their turn: up to a share
    # rewiring * degree / nodes of the edges.
    for ours, other, slack in (
        (clusters, [nx.average_clustering(one) for one in theirs], 0.003),
        ((degrees**2).mean(1), [np.mean([d**2 for _, d in one.degree()]) for one in theirs], 0.003),
        (kept, [len(nx_edges(one) & ring) / 180 for one in theirs], 0.1),
    ):
        error = math.hypot(ours.std(), np.std(other)) / math.sqrt(200)
        assert abs(ours.mean() - np.mean(other)) <= 4 * error + slack * rewiring + 1e-6


def test_barabasi_albert_equals_networkx_on_average():
    nodes, links, populations = 60, 3, 300
    made = drawn(lambda key: generate.barabasi_albert_graph(key, nodes, links), populations)
    assert (made.valid.sum((1, 2)) == 2 * links * (nodes - links)).all()
    ours = np.sort(np.asarray(made.valid.sum(2)), 1)
    theirs = [nx.barabasi_albert_graph(nodes, links, seed=i) for i in range(populations)]
    theirs = np.array([sorted(d for _, d in one.degree()) for one in theirs])
    error = np.hypot(ours.std(0), theirs.std(0)) / math.sqrt(populations)
    assert (np.abs(ours.mean(0) - theirs.mean(0)) <= 4.5 * error).all()


def test_probabilities_may_be_traced():
    made = jax.jit(jax.vmap(lambda p: generate.erdos_renyi_graph(KEY, 20, p)))(jnp.array([0.0, 0.5, 1.0]))
    assert [int(x) for x in made.valid.sum((1, 2))][::2] == [0, 380]


# Measures


def test_components_equal_networkx_at_every_density():
    theirs = [nx.gnp_random_graph(25, mean / 24, seed=seed) for seed in range(8) for mean in (0, 0.5, 1, 2, 3)]
    dense = np.stack([nx.to_numpy_array(one) for one in theirs])

    def measure(dense):
        made = graph.from_dense(dense)
        return measures.components(made), measures.is_connected(made), measures.component_sizes(made)

    names, connected, sizes = jax.jit(jax.vmap(measure))(dense)
    for i, one in enumerate(theirs):
        assert_components(names[i], one)
        assert bool(connected[i]) == nx.is_connected(one)
        np.testing.assert_array_equal(sizes[i], [len(nx.node_connected_component(one, j)) for j in range(25)])
    assert 0 < np.sum(connected) < len(theirs)


def test_components_of_a_long_shuffled_path():
    order = np.random.default_rng(1).permutation(5000)
    path = graph.from_edges(np.column_stack([order[:-1], order[1:]]))
    assert measures.is_connected(path)


# Sums over neighbours


@pytest.mark.parametrize("shape", [(), (3,), (2, 2)])
def test_neighbour_sums_are_matrix_products(shape):
    made = graph.from_networkx(nx.gnp_random_graph(30, 0.06, seed=2))
    values = np.random.default_rng(0).normal(size=(30, *shape)).astype(np.float32)
    dense = np.asarray(graph.to_dense(made), float)
    degree = dense.sum(1).reshape((30,) + (1,) * len(shape))
    assert (degree == 0).any()
    total = np.tensordot(dense, values, 1)
    np.testing.assert_allclose(graph.neighbour_sum(made, values), total, atol=1e-5)
    mean = np.where(degree > 0, total / np.maximum(degree, 1), values)
    np.testing.assert_allclose(graph.neighbour_mean(made, values), mean, atol=1e-5)
    itself = (total + values) / (degree + 1)
    np.testing.assert_allclose(graph.neighbour_mean(made, values, itself=True), itself, atol=1e-5)


def test_best_neighbour_of_equals_is_the_first():
    made = graph.from_edges([[0, 1], [0, 2], [0, 3]], nodes=5)
    best, who = graph.neighbour_max(made, jnp.array([9.0, 1.0, 4.0, 4.0, 7.0]))
    np.testing.assert_array_equal(best, [4, 9, 9, 9, -np.inf])
    assert who[0] == 2
    lonely, _ = graph.neighbour_max(generate.ring_graph(3, 0), jnp.zeros(3))
    assert (lonely == -jnp.inf).all()


# Size


def test_a_million_nodes_need_no_square():
    made = jax.eval_shape(lambda key: generate.watts_strogatz_graph(key, 10**6, 10, 0.1), KEY)
    largest = max(made.neighbours.shape[1], 10)
    assert largest < 50
    regular = jax.eval_shape(lambda key: generate.random_regular_graph(key, 10**6, 10), KEY)
    assert regular.neighbours.shape == (10**6, 10)
    grid = generate.lattice_graph(1000, 1000, moore=True)
    assert float(graph.neighbour_mean(grid, jnp.ones(10**6)).sum()) == 10**6


# Named kinds


@pytest.mark.parametrize(
    ("kind", "edges"),
    [
        (kinds.Complete(), 66),
        (kinds.Isolated(), 0),
        (kinds.Ring(degree=4), 24),
        (kinds.Lattice(rows=3), 24),
        (kinds.RandomRegular(degree=3), 18),
        (kinds.ErdosRenyi(probability=1.0), 66),
        (kinds.WattsStrogatz(degree=4), 24),
        (kinds.BarabasiAlbert(links=2), 20),
        (kinds.StochasticBlock(blocks=2, within=1.0, between=0.0), 30),
        (kinds.Edges(edges=[[0, 1], [5, 2]]), 2),
    ],
    ids=lambda value: getattr(value, "registered_name", ""),
)
def test_named_kinds_make_their_network(kind, edges):
    made = jax.jit(lambda key: kind.make(12, key))(KEY)
    assert_sound(made, 12)
    assert len(graph.to_edges(made)) == edges


def test_a_seed_gives_all_populations_one_network():
    own = drawn(lambda key: kinds.ErdosRenyi(probability=0.3).make(20, key), 5)
    shared = drawn(lambda key: kinds.ErdosRenyi(probability=0.3, seed=3).make(20, key), 5)
    assert (own.neighbours[1:] != own.neighbours[0]).any()
    assert (shared.neighbours[1:] == shared.neighbours[0]).all()


# Refusals


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: generate.random_regular_graph(KEY, 5, 3), "must be even"),
        (lambda: generate.random_regular_graph(KEY, 5, 5), r"degree = 5: out of range; allowed: 0 to 4"),
        (lambda: generate.ring_graph(6, 3), "even number"),
        (lambda: generate.ring_graph(6, 6), "out of range"),
        (lambda: generate.ring_graph(10**9, 10), "neighbours in all"),
        (lambda: generate.complete_graph(10**6), "give a smaller width"),
        (lambda: generate.complete_graph(2.5), "whole number"),
        (lambda: generate.lattice_graph(2, 5), "rows = 2: out of range; allowed: 3"),
        (lambda: generate.watts_strogatz_graph(KEY, 10, 6, 0.1), "at most half of the others, 4"),
        (lambda: generate.watts_strogatz_graph(KEY, 10, 4, 1.5), "rewiring = 1.5: a probability"),
        (lambda: generate.erdos_renyi_graph(KEY, 10, -0.1), "probability"),
        (lambda: generate.barabasi_albert_graph(KEY, 5, 5), "links = 5: out of range; allowed: 1 to 4"),
        (lambda: generate.stochastic_block_graph(KEY, (2, 3), [[0.1]]), r"\[2, 2\] is needed"),
        (lambda: generate.stochastic_block_graph(KEY, (2, 3), [[0.1, 0.2], [0.3, 0.1]]), "not symmetric"),
        (lambda: graph.from_edges([[0, 0]]), r"\[0, 0\] is a loop"),
        (lambda: graph.from_edges([[0, 1], [1, 0]]), "given twice"),
        (lambda: graph.from_edges([[0, 5]], nodes=3), r"\[0, 5\]; allowed nodes: 0 to 2"),
        (lambda: graph.from_edges([[0.5, 1]]), "whole numbers"),
        (lambda: graph.from_dense(np.zeros((2, 3))), "square"),
        (lambda: graph.from_networkx(nx.MultiGraph([(0, 1), (0, 1)])), "parallel edges"),
        (lambda: kinds.Lattice(rows=5).make(12, KEY), "does not divide the 12 nodes"),
        (lambda: kinds.StochasticBlock(blocks=5).make(12, KEY), "does not divide"),
        (lambda: kinds.Edges(edges=[1, 2]), "pairs of nodes"),
    ],
)
def test_what_cannot_be_is_refused(make, message):
    with pytest.raises(ParameterError, match=message):
        make()


def test_values_must_be_as_many_as_nodes():
    for read in (graph.neighbour_sum, graph.neighbour_mean, graph.neighbour_max):
        with pytest.raises(ParameterError, match=r"values: shape \(3,\)"):
            read(generate.ring_graph(5), jnp.arange(3.0))


def test_edges_of_a_model_are_whole_numbers():
    with pytest.raises(ParameterError, match="pairs of nodes"):
        kinds.Edges([(0, 1.9)])
