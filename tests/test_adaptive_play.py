"""Adaptive play against the exact reference, samples drawn one by one, and every tree there is."""

import itertools
import math

import numpy as np
import pytest
from cases import assert_close, load, null_vector

import jaxcoord as jc
from jaxcoord.evolution.adaptive_play import (
    action_shares,
    adaptive_play,
    convention_weights,
    history_shares,
    resistances,
    stochastic_potential,
)

YOUNG = load("equilibria_cases.json", "young1993-adaptive")
TREE = load("equilibria_cases.json", "young1993-tree")["young1993-tree-s"]
COORDINATION = [[2.0, 0.0], [0.0, 1.0]]


@pytest.mark.parametrize(("name", "error"), [(name, eps) for name in YOUNG for eps in YOUNG[name]["params"]["eps"]])
def test_long_run_equals_the_reference(name, error):
    case = YOUNG[name]
    given, expected = case["params"], case["expected"][str(error)]
    chain = adaptive_play(given["payoff"], given["m"], given["k"], error)
    shares = history_shares(chain)
    weights = [expected["convention_0"], expected["convention_1"]]
    assert_close(convention_weights(chain, shares), weights, case["tolerance"])
    assert_close(action_shares(chain, shares)[:, 0], [expected["share_action0"]] * 2, case["tolerance"])


def by_samples(payoff, other, memory, sample, error):
    """The chain from every sample of every history, one at a time."""
    actions = len(payoff)
    histories = [
        list(zip(rows, columns, strict=True))
        for rows in itertools.product(range(actions), repeat=memory)
        for columns in itertools.product(range(actions), repeat=memory)
    ]
    place = {tuple(history): i for i, history in enumerate(histories)}

    def reply(table, past):
        chance = np.zeros(actions)
        samples = list(itertools.combinations(past, sample))
        for drawn in samples:
            earned = [sum(table[i][j] for j in drawn) for i in range(actions)]
            best = [i for i in range(actions) if earned[i] == max(earned)]
            for i in best:
                chance[i] += 1 / len(best) / len(samples)
        return (1 - error) * chance + error / actions

    matrix = np.zeros((len(histories),) * 2)
    for history in histories:
        rows, columns = zip(*history, strict=True)
        mine, theirs = reply(payoff, columns), reply(np.transpose(other), rows)
        for i, j in itertools.product(range(actions), repeat=2):
            matrix[place[tuple(history)], place[(*history[1:], (i, j))]] += mine[i] * theirs[j]
    return np.array(histories), matrix


@pytest.mark.parametrize(
    ("payoff", "other", "memory", "sample"),
    [
        (COORDINATION, [[1, 0], [0, 2]], 3, 2),
        ([[1, 0], [0, 1]], [[1, 0], [0, 1]], 2, 1),
        ([[3, 0], [1, 1]], [[0, 1], [1, 0]], 3, 3),
        ([[1, 0, 2], [0, 2, 0], [1, 1, 1]], [[1, 0, 0], [0, 1, 0], [0, 0, 3]], 2, 2),
    ],
)
def test_chain_equals_that_of_samples_drawn_one_by_one(payoff, other, memory, sample):
    chain = adaptive_play(payoff, memory, sample, 0.07, other)
    histories, matrix = by_samples(payoff, other, memory, sample, 0.07)
    np.testing.assert_array_equal(chain.histories, histories)
    np.testing.assert_allclose(chain.transitions.toarray(), matrix, atol=1e-15)
    np.testing.assert_allclose(history_shares(chain), null_vector(matrix), atol=1e-12)


def test_rare_errors_leave_the_convention_of_least_potential():
    needed = resistances([[4, 0], [3, 2]], 2)
    stable = int(np.argmin(stochastic_potential(needed)))
    chain = adaptive_play([[4, 0], [3, 2]], 4, 2, 1e-6)
    weights = convention_weights(chain, history_shares(chain))
    assert weights[stable] == pytest.approx(1, abs=1e-4)
    # The other's weight falls as error to the power of the difference in resistance: one error against two.
    rarer = adaptive_play([[4, 0], [3, 2]], 4, 2, 1e-7)
    assert needed[1 - stable, stable] == 1
    assert needed[stable, 1 - stable] == 2
    ratio = weights[1 - stable] / convention_weights(rarer, history_shares(rarer))[1 - stable]
    assert math.log10(ratio) == pytest.approx(1, abs=1e-3)


def test_tree_example_of_three_conventions():
    expected = TREE["expected"]
    needed = resistances(TREE["params"]["payoff"], TREE["params"]["k"])
    wanted = [[0 if x is None else x for x in row] for row in expected["resistance"]]
    assert needed.tolist() == wanted
    potential = stochastic_potential(needed)
    assert potential.tolist() == expected["stochastic_potential"]
    assert int(np.argmin(potential)) == expected["stable"]


def least_by_all_trees(needed, root):
    others = [i for i in range(len(needed)) if i != root]
    best = math.inf
    for targets in itertools.product(range(len(needed)), repeat=len(others)):
        step = dict(zip(others, targets, strict=True))
        ends = others
        for _ in others:
            ends = [step.get(i, i) for i in ends]
        if set(ends) == {root}:
            best = min(best, sum(needed[i][j] for i, j in step.items()))
    return best


@pytest.mark.parametrize("seed", range(8))
def test_potential_is_the_least_over_all_trees(seed):
    rng = np.random.default_rng(seed)
    needed = rng.integers(1, 20, (4, 4)).astype(float)
    needed[rng.random((4, 4)) < 0.25] = np.inf
    expected = [least_by_all_trees(needed, root) for root in range(4)]
    np.testing.assert_array_equal(stochastic_potential(needed), expected)


def test_a_dominated_action_is_never_reached():
    needed = resistances([[3, 3], [1, 1]], 10)
    assert needed.tolist() == [[0, np.inf], [0, 0]]
    assert stochastic_potential(needed).tolist() == [0, np.inf]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: adaptive_play([[1, 2]], 3, 2, 0.1), "square"),
        (lambda: adaptive_play([[1, np.nan], [0, 1]], 3, 2, 0.1), "not finite"),
        (lambda: adaptive_play(COORDINATION, 3, 4, 0.1), "sample = 4: 1 to the memory, 3"),
        (lambda: adaptive_play(COORDINATION, 3, 0, 0.1), "sample = 0"),
        (lambda: adaptive_play(COORDINATION, 3, 2, 1.5), "error = 1.5"),
        (lambda: adaptive_play(COORDINATION, 12, 2, 0.1), "memory = 12: 16777216 histories"),
        (lambda: adaptive_play(COORDINATION, 3, 2, 0.1, np.eye(3)), r"other: shape \(3, 3\)"),
        (lambda: resistances(COORDINATION, 0), "sample = 0"),
    ],
)
def test_refuses_in_one_line(call, words):
    with pytest.raises(jc.ParameterError, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)
