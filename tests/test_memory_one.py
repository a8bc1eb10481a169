"""Closed forms of memory-one strategies against cases from elsewhere, exact fractions and the product chain."""

from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import assert_close, load

from jaxcoord.errors import ParameterError
from jaxcoord.games.repeated.automaton import memory_one
from jaxcoord.games.repeated.exact import cooperation_rate, outcome_pairs, payoff
from jaxcoord.games.repeated.library import Payoffs
from jaxcoord.games.repeated.memory_one import (
    contrite_tit_for_tat,
    generosity_limit,
    memory_one_payoffs,
    memory_one_rates,
    press_dyson_determinant,
    reactive_rates,
    with_errors,
)

CASES = load("repeated_exact_cases.json", "S-A5", "ns92-reactive", "ns93-memone")
STANDARD = Payoffs()


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def exactly(p, q, noise):
    """Long-run shares of the four outcomes in fractions, by elimination."""
    moves = []
    for own, theirs in zip(p, [q[i] for i in (0, 2, 1, 3)], strict=True):
        x, y = (Fraction(c) * (1 - 2 * noise) + noise for c in (own, theirs))
        moves.append([x * y, x * (1 - y), (1 - x) * y, (1 - x) * (1 - y)])
    for k in (3, 2, 1):
        leaving = sum(moves[k][:k])
        for i in range(k):
            moves[i][k] /= leaving
            for j in range(k):
                moves[i][j] += moves[i][k] * moves[k][j]
    shares = [Fraction(1)]
    for k in (1, 2, 3):
        shares.append(sum(share * moves[i][k] for i, share in enumerate(shares)))
    return [share / sum(shares) for share in shares]


# Cases


@pytest.mark.parametrize("name", [name for name in CASES if name.startswith("ns93")])
def test_payoffs_and_cooperation_equal_case_ns93(name):
    case = CASES[name]
    params, expected = case["params"], case["expected"]
    vectors = np.array([params["strategies"][kind] for kind in expected["names"]], float)
    found = memory_one_payoffs(vectors, Payoffs(*params["RSTP"]), noise=params["eps"])
    assert_close(found, expected["payoff_matrix"], case["tolerance"])
    rates = memory_one_rates(vectors[:, None], vectors[None], params["eps"])
    assert_close(cooperation_rate(rates), expected["cooperation_matrix"], case["tolerance"])


def test_infinite_payoffs_equal_case_s_a5():
    case = CASES["S-A5"]
    vectors = np.array(case["params"]["vectors_CC_CD_DC_DD"])
    found = memory_one_payoffs(vectors, noise=case["params"]["noise"])
    assert_close(found, case["expected"]["mean_payoff_infinite_game"], case["tolerance"])


def test_reactive_payoffs_and_the_generosity_limit_equal_case_ns92():
    case = CASES["ns92-reactive-payoff-1"]
    pairs = np.array(list(case["params"]["strategies"].values()))
    game = Payoffs(*case["params"]["RSTP"])
    rates = reactive_rates(pairs[:, None], pairs[None])
    assert_close(payoff(rates, game), case["expected"]["payoff_matrix"], case["tolerance"])
    assert_close(generosity_limit(game), case["expected"]["GTFT_q"], case["tolerance"])


# Formulas


def test_ratios_of_determinants_equal_the_sums_over_trees():
    rng = np.random.default_rng(0)
    p, q = rng.random((2, 50, 4))
    whole = press_dyson_determinant(p, q, np.ones(4))
    ratios = [press_dyson_determinant(p, q, unit) / whole for unit in np.eye(4)]
    np.testing.assert_allclose(memory_one_rates(p, q), np.stack(ratios, -1), rtol=1e-10)


def test_nearly_certain_moves_cost_no_digits():
    # Where several errors must coincide, determinants would be differences of numbers that agree in all digits.
    kinds = [(1, 0, 1, 0), (1, 0, 0, 0), (1, 0, 0, 1), (0, 0, 0, 0), (1, 1, 1, 1), (0, 1, 1, 0)]
    noise = 2.0**-40
    found = memory_one_rates(np.array(kinds, float)[:, None], np.array(kinds, float)[None], noise)
    expected = [[[float(x) for x in exactly(p, q, Fraction(noise))] for q in kinds] for p in kinds]
    np.testing.assert_allclose(found, expected, rtol=1e-13)


def test_reactive_strategies_are_memory_one_strategies():
    one, other = np.random.default_rng(1).random((2, 30, 2))
    vectors = [pairs[:, [0, 1, 0, 1]] for pairs in (one, other)]
    np.testing.assert_allclose(reactive_rates(one, other, 0.03), memory_one_rates(*vectors, 0.03), atol=1e-14)


@pytest.mark.parametrize("continuation", [None, 0.7])
def test_errors_of_both_kinds_equal_the_product_chain(continuation):
    p, q = np.random.default_rng(2).random((2, 20, 4))
    errors = {"noise": 0.05, "perception": 0.1, "continuation": continuation}
    chains = [[memory_one(*vector, first=first) for vector in vectors] for vectors, first in ((p, 0.2), (q, 1.0))]
    expected = outcome_pairs(*chains, **errors)
    np.testing.assert_allclose(memory_one_rates(p, q, first=(0.2, 1.0), **errors), expected, atol=1e-13)
    if continuation is None:
        done = [with_errors(vectors, 0.05, 0.1) for vectors in (p, q)]
        np.testing.assert_allclose(memory_one_rates(*done), expected, atol=1e-13)


def test_second_player_reads_outcomes_the_other_way_round():
    p, q = np.random.default_rng(3).random((2, 20, 4))
    rates = memory_one_rates(p, q)
    np.testing.assert_allclose(memory_one_rates(q, p), rates[:, np.array([0, 2, 1, 3])], atol=1e-14)
    # It defects after it was cheated on alone, so what it answers shows which of them was: ALLD cheats on it.
    grudge, defect = (0.9, 0.0, 0.9, 0.9), (0.0, 0.0, 0.0, 0.0)
    np.testing.assert_allclose(memory_one_rates(grudge, defect), [0, 9 / 19, 0, 10 / 19], atol=1e-15)


def test_limit_that_depends_on_the_first_move_is_not_a_number():
    assert np.isnan(memory_one_rates((1.0, 0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0))).all()
    np.testing.assert_array_equal(memory_one_rates((0.5, 0.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0)), [0, 0, 0, 1])


def test_matrix_stands_for_its_pairs():
    p, q = np.random.default_rng(4).random((2, 4))
    matrix = memory_one_payoffs(np.stack([p, q]), q=p[None], noise=0.01)
    expected = [[payoff(memory_one_rates(one, p, 0.01))] for one in (p, q)]
    np.testing.assert_allclose(matrix, expected, atol=1e-14)


# What to compare with


@pytest.mark.parametrize(
    ("game", "expected"), [(STANDARD, 1 / 3), (Payoffs(2, -1, 3, 0), 2 / 3), (Payoffs(3, 0, 4, 2), 1 / 2)]
)
def test_generosity_limit_is_where_forgiving_more_invites_others(game, expected):
    assert generosity_limit(game) == pytest.approx(expected, abs=1e-15)
    answers = np.array([(p, q) for p in np.linspace(0, 1, 101) for q in np.linspace(0, 1, 11) if (p, q) != (1, 0)])
    for generosity, resists in ((expected - 0.01, True), (expected + 0.01, False)):
        generous = np.array([1.0, generosity])
        earned = payoff(reactive_rates(answers, generous), game)
        assert (earned <= game.reward + 1e-12).all() == resists


def test_contrite_tit_for_tat_makes_up_for_one_error_in_three_rounds():
    table = contrite_tit_for_tat()
    states, played = [0, 0], []
    for turn in range(5):
        moves = [bool(table.cooperate[state]) for state in states]
        if turn == 1:
            moves[0] = not moves[0]
        played.append("".join("DC"[move] for move in moves))
        outcome = [2 * (not moves[i]) + (not moves[1 - i]) for i in (0, 1)]
        states = [int(table.after[state, seen]) for state, seen in zip(states, outcome, strict=True)]
    assert played == ["CC", "DC", "CD", "CC", "CC"]


def test_game_that_is_no_dilemma_has_no_generosity_limit():
    with pytest.raises(ParameterError, match="T > R > P > S is needed"):
        generosity_limit(Payoffs(1, 0, 0.5, 0.2))


def test_float32_is_right_to_its_own_precision():
    kinds = np.array([(1, 0, 1, 0), (1, 0, 0, 0), (1, 0, 0, 1)], float)
    precise = np.asarray(memory_one_payoffs(kinds, noise=1e-4))
    with jax.enable_x64(False):
        found = memory_one_payoffs(kinds, noise=1e-4)
        assert found.dtype == jnp.float32
        np.testing.assert_allclose(found, precise, rtol=1e-5)
