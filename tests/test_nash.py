"""Equilibria: each one checked by hand, none missing, in generic and in degenerate games."""

import warnings

import nashpy
import numpy as np
import pytest
from cases import assert_close, load
from scipy.optimize import linprog

import jaxcoord as jc
from jaxcoord.evolution.nash import Equilibrium, nash_equilibria, regret, symmetric_equilibria

RPS = load("equilibria_cases.json", "S-F1")["S-F1"]


def random_game(seed):
    """Even seeds: generic payoffs. Odd ones: few integers, so that ties and continua are common."""
    rng = np.random.default_rng(seed)
    shape = rng.integers(1, 5, 2)
    return rng.integers(-2, 3, (2, *shape)).astype(float) if seed % 2 else rng.normal(size=(2, *shape))


def gains(payoff, other, row, column):
    """The most that each player gains by any pure deviation."""
    mine = [sum(payoff[i, j] * column[j] for j in range(len(column))) for i in range(len(row))]
    theirs = [sum(other[i, j] * row[i] for i in range(len(row))) for j in range(len(column))]
    return max(mine) - np.dot(row, mine), max(theirs) - np.dot(column, theirs)


def test_rock_paper_scissors_equals_case_s_f1():
    payoff = np.array(RPS["game"]["A"], float)
    found = nash_equilibria(payoff, -payoff)
    assert_close(found, RPS["expected"]["equilibria"], RPS["tolerance"])


@pytest.mark.parametrize("seeds", [range(start, start + 50) for start in range(0, 200, 50)], ids=str)
def test_all_equilibria_of_random_games(seeds):
    for seed in seeds:
        payoff, other = random_game(seed)
        found = nash_equilibria(payoff, other)
        assert found, "every game has one"
        for row, column in found:
            assert min(row) >= 0
            assert min(column) >= 0
            np.testing.assert_allclose([sum(row), sum(column)], 1, rtol=1e-12)
            assert max(gains(payoff, other, row, column)) < 1e-9
        best = (payoff == payoff.max(0)) & (other == other.max(1, keepdims=True))
        pure = [tuple(map(int, map(np.argmax, pair))) for pair in found if all(max(p) == 1 for p in pair)]
        assert sorted(pure) == [tuple(map(int, pair)) for pair in np.argwhere(best)]
        if seed % 2 == 0:
            assert len(found) % 2 == 1, "a generic game has an odd number (Wilson 1971)"
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                peer = list(nashpy.Game(payoff, other).support_enumeration())
            for pair in peer:  # which misses some
                assert any(all(np.allclose(a, b, atol=1e-9) for a, b in zip(pair, one, strict=True)) for one in found)


def test_zero_sum_games_have_the_value_of_the_linear_programme():
    for seed in range(10):
        payoff = np.random.default_rng(seed).normal(size=(4, 3))
        # Maximise v with row @ payoff >= v.
        bound = np.column_stack([-payoff.T, np.ones(3)])
        best = linprog([0] * 4 + [-1], bound, np.zeros(3), [[1] * 4 + [0]], [1], [(0, 1)] * 4 + [(None, None)])
        for row, column in nash_equilibria(payoff, -payoff):
            assert row @ payoff @ column == pytest.approx(-best.fun)


def test_what_adds_or_scales_alike_changes_nothing():
    payoff, other = np.random.default_rng(5).normal(size=(2, 3, 4))
    found = nash_equilibria(payoff, other)
    moved = nash_equilibria(1e6 * payoff + 1e7 * np.arange(4), 1e-6 * other - np.arange(3)[:, None])
    for one, same in zip(found, moved, strict=True):
        np.testing.assert_allclose(np.concatenate(one), np.concatenate(same), atol=1e-8)


def test_a_continuum_is_told_by_its_corners():
    # The row player does not care: any row is a reply. The column player prefers by the row's mixture.
    payoff, other = np.zeros((2, 2)), np.array([[1.0, 0.0], [0.0, 1.0]])
    found = {tuple(map(tuple, pair)) for pair in nash_equilibria(payoff, other)}
    half = (0.5, 0.5)
    assert found == {((1, 0), (1, 0)), ((0, 1), (0, 1)), (half, (1, 0)), (half, (0, 1))}
    middle = Equilibrium(np.array([0.75, 0.25]), np.array([1.0, 0.0]))
    assert regret(payoff, other, middle) == 0


def test_one_strategy_on_a_side():
    found = nash_equilibria([[1.0, 2.0, 3.0]], [[1.0, 1.0, 0.0]])
    assert [pair.column.tolist() for pair in found] == [[1, 0, 0], [0, 1, 0]]
    assert nash_equilibria([[3.0]], [[4.0]])[0].row.tolist() == [1]


@pytest.mark.parametrize(
    ("payoff", "expected"),
    [
        ([[-0.5, 2.0], [0.0, 1.0]], [[2 / 3, 1 / 3]]),
        ([[3.0, 0.0], [5.0, 1.0]], [[0, 1]]),
        ([[4.0, 0.0], [3.0, 2.0]], [[1, 0], [0, 1], [2 / 3, 1 / 3]]),
        ([[0, -1, 2], [2, 0, -1], [-1, 2, 0]], [[1 / 3] * 3]),
        ([[1.0, 1.0], [1.0, 1.0]], [[1, 0], [0, 1]]),
    ],
    ids=["hawk-dove", "dilemma", "stag-hunt", "rock-paper-scissors", "indifferent"],
)
def test_symmetric_equilibria_of_known_games(payoff, expected):
    np.testing.assert_allclose(symmetric_equilibria(payoff), expected, atol=1e-9)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: nash_equilibria([1.0, 2.0]), r"shape \(2,\)"),
        (lambda: nash_equilibria([[1.0, 2.0]]), "a symmetric game needs a square matrix"),
        (lambda: nash_equilibria([[1.0, 2.0]], [[1.0], [2.0]]), r"other: shape \(2, 1\)"),
        (lambda: nash_equilibria([[1.0, np.inf], [0.0, 1.0]]), "not finite"),
        (lambda: nash_equilibria(np.zeros((0, 0))), "a matrix"),
        (lambda: nash_equilibria(np.eye(11)), "at most 10 strategies"),
        (lambda: symmetric_equilibria([[1.0, 2.0]]), "square"),
    ],
)
def test_refuses_in_one_line(call, words):
    with pytest.raises(jc.ParameterError, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)
