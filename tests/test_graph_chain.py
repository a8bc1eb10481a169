"""Exact fixation on graphs against published cases, the isothermal theorem and drift, which are known on paper."""

import numpy as np
import pytest
from cases import assert_close, load

from jaxcoord.errors import ParameterError
from jaxcoord.evolution.graph_chain import MAX_NODES, RULES, graph_fixation

GRAPH_MORAN = load("graph_cases.json", "S-C6")["S-C6"]
OHTSUKI = load("graph_cases.json", "ohln2006-fixation")
ALLEN = load("graph_cases.json", "allen2017")
SHORT = {"bd": "birth-death", "db": "death-birth", "im": "imitation"}


def graph(edges):
    nodes = 1 + max(map(max, edges))
    adjacency = np.zeros((nodes, nodes))
    for i, j in edges:
        adjacency[i, j] = adjacency[j, i] = 1
    return adjacency


def path(nodes):
    return graph([(i, i + 1) for i in range(nodes - 1)])


def cycle(nodes):
    return graph([(i, (i + 1) % nodes) for i in range(nodes)])


def star(leaves):
    return graph([(0, i + 1) for i in range(leaves)])


NAMED = {"cycle": cycle(5), "star": star(4), "path": path(5)}
DONATION = np.array([[7.0, -1.0], [8.0, 0.0]])


@pytest.mark.parametrize("entry", GRAPH_MORAN["expected"], ids=lambda e: f"{e['graph']}-{e['mode']}")
def test_equals_case_s_c6(entry):
    payoff = np.array(GRAPH_MORAN["game"]["A"])[::-1, ::-1]  # the case has the resident first
    found = graph_fixation(NAMED[entry["graph"]], payoff, SHORT[entry["mode"]])
    assert_close(found, entry["mutant_at_node"], GRAPH_MORAN["tolerance"])
    assert_close(found.mean(), entry["mean_over_nodes"], GRAPH_MORAN["tolerance"])


@pytest.mark.parametrize("rule", ["DB", "BD", "IM"])
@pytest.mark.parametrize("case", OHTSUKI.values(), ids=OHTSUKI)
def test_equals_ohtsuki_and_others(case, rule):
    given, expected = case["params"], case["expected"][rule]
    payoff = np.array([[given["b"] - given["c"], -given["c"]], [given["b"], 0.0]])
    for name, matrix in (("rho_C", payoff), ("rho_D", payoff[::-1, ::-1])):
        found = graph_fixation(graph(given["edges"]), matrix, SHORT[rule.lower()], given["w"])
        assert_close(found.mean(), expected[name], case["tolerance"])


@pytest.mark.parametrize("case", ALLEN.values(), ids=ALLEN)
def test_cooperation_is_favoured_above_the_critical_ratio_of_allen_and_others(case):
    # The slope of the fixation probability by w, at w = 0, is linear in b; by Richardson extrapolation from three w.
    adjacency, slopes = graph(case["params"]["edges"]), []
    for benefit in (0.0, 1.0):
        payoff = np.array([[benefit - 1, -1.0], [benefit, 0.0]])
        gains = [
            (graph_fixation(adjacency, payoff, "death-birth", w, average=True).mean() - 1 / len(adjacency)) / w
            for w in (4e-3, 2e-3, 1e-3)
        ]
        first = [2 * gains[1] - gains[0], 2 * gains[2] - gains[1]]
        slopes.append((4 * first[1] - first[0]) / 3)
    by_benefit = slopes[1] - slopes[0]
    if case["expected"]["critical"] is None:
        assert abs(by_benefit) < 1e-8
    else:
        assert -slopes[0] / by_benefit == pytest.approx(case["expected"]["critical"], rel=2e-5)


@pytest.mark.parametrize("adjacency", [*NAMED.values(), graph([(0, 1), (1, 2), (2, 0), (2, 3), (3, 4), (1, 4)])])
@pytest.mark.parametrize(
    ("rule", "reproductive_value"),
    [("birth-death", lambda d: 1 / d), ("death-birth", lambda d: d), ("imitation", lambda d: d + 1)],
)
def test_under_drift_a_node_counts_by_its_reproductive_value(adjacency, rule, reproductive_value):
    value = reproductive_value(adjacency.sum(0))
    found = graph_fixation(adjacency, DONATION, rule, selection=0.0)
    np.testing.assert_allclose(found, value / value.sum(), rtol=1e-11)


@pytest.mark.parametrize("fitness", [0.5, 1.1, 3.0])
@pytest.mark.parametrize("adjacency", [cycle(7), 1 - np.eye(6), cycle(6) + np.roll(np.eye(6), 3, 0)])
def test_regular_graphs_are_isothermal(adjacency, fitness):
    found = graph_fixation(adjacency, [[fitness, fitness], [1.0, 1.0]], "birth-death", average=True)
    np.testing.assert_allclose(found, (1 - 1 / fitness) / (1 - fitness ** -len(adjacency)), rtol=1e-11)


def test_payoffs_added_up_are_the_neighbours_times_the_average():
    adjacency, payoff = cycle(6), np.array([[1.5, 1.2], [1.0, 0.9]])
    np.testing.assert_allclose(
        graph_fixation(adjacency, payoff), graph_fixation(adjacency, 2 * payoff, average=True), rtol=1e-12
    )


@pytest.mark.parametrize("rule", RULES)
def test_a_dominated_mutant_keeps_its_digits(rule):
    # On a pair of nodes the mutant wins or loses in the first change.
    found = graph_fixation(path(2), [[1.0, 1e-12], [1.0, 1.0]], rule)
    chance = {"birth-death": 1e-12 / (1 + 1e-12), "death-birth": 0.5, "imitation": 1e-12 / (1 + 1e-12)}[rule]
    np.testing.assert_allclose(found, chance, rtol=1e-10)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((np.zeros((2, 3)), DONATION), r"shape \(2, 3\)"),
        ((cycle(MAX_NODES + 1), DONATION), f"{MAX_NODES + 1} nodes"),
        (([[0.0]], DONATION), "1 nodes"),
        ((np.triu(cycle(4)), DONATION), "symmetric"),
        ((0.5 * cycle(4), DONATION), "0 or 1"),
        ((np.ones((3, 3)), DONATION), "diagonal"),
        ((np.kron(np.eye(2), cycle(3)), DONATION), "several pieces"),
        ((cycle(4), np.eye(3)), r"shape \(3, 3\)"),
        ((cycle(4), [[1.0, np.nan], [1.0, 1.0]]), "not finite"),
        ((cycle(4), DONATION, "death-brith"), "did you mean 'death-birth'"),
        ((cycle(4), DONATION, "death-birth", 1.5), "selection = 1.5"),
        ((cycle(4), DONATION, "death-birth", 1.0), "fitness -2"),
    ],
)
def test_refuses_in_one_line(arguments, words):
    with pytest.raises(ParameterError, match=words) as caught:
        graph_fixation(*arguments)
    assert "\n" not in str(caught.value)
