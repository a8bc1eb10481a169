"""Exact outcomes of repeated games against cases from elsewhere, simulation, linear algebra and answers on paper."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import assert_close, load
from scipy import stats

from jaxcoord.errors import ParameterError
from jaxcoord.evolution import small_mutation_limit
from jaxcoord.games.repeated import joint, joint_rates
from jaxcoord.games.repeated.automaton import Automaton, automaton, from_function, memory_n, memory_one
from jaxcoord.games.repeated.exact import (
    cooperation_rate,
    outcome_matrix,
    outcome_pairs,
    outcome_rates,
    outcomes_by_turn,
    payoff,
    payoff_matrix,
)
from jaxcoord.games.repeated.library import Payoffs
from jaxcoord.games.repeated.memory_one import contrite_tit_for_tat, memory_one_rates
from jaxcoord.games.repeated.play import count, matches, stack

CASES = load("repeated_exact_cases.json", "S-A5", "ctft-")
COOPERATE, DEFECT = memory_one(1, 1, 1, 1), memory_one(0, 0, 0, 0, first=0)
TIT_FOR_TAT, WIN_STAY = memory_one(1, 0, 1, 0), memory_one(1, 0, 0, 1)
GRIM, GENEROUS = memory_one(1, 0, 0, 0), memory_one(1, 1 / 3, 1, 1 / 3)
BY_NAME = {
    "ALLC": COOPERATE, "ALLD": DEFECT, "TFT": TIT_FOR_TAT, "GTFT": GENEROUS, "WSLS": WIN_STAY,
    "CTFT": contrite_tit_for_tat(),
}  # fmt: skip
SWAPPED = [0, 2, 1, 3]


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def random_automaton(rng, states, certain=0.5):
    """Some of its moves are certain, the others anything."""
    chances = np.where(rng.random(states) < certain, rng.random(states) < 0.5, rng.random(states))
    return automaton(chances, rng.integers(0, states, (states, 4)))


def random_automata(seed, number, states, certain=0.5):
    rng = np.random.default_rng(seed)
    return [random_automaton(rng, states, certain) for _ in range(number)]


def product_chain(one, other, noise=0.0, perception=0.0):
    """Outcomes `[N, 4]` and transitions `[N, N]` over all pairs of states, by going through all that may happen."""
    sizes = len(one.cooperate), len(other.cooperate)
    outcomes, moves = np.zeros((math.prod(sizes), 4)), np.zeros((math.prod(sizes),) * 2)
    for a, b in itertools.product(*map(range, sizes)):
        for x, y, f, g in itertools.product((0, 1), repeat=4):
            chance = 1.0
            for means, plays in ((one.cooperate[a], x), (other.cooperate[b], y)):
                defects = (1 - means) * (1 - noise) + means * noise
                chance *= defects if plays else 1 - defects
            chance *= math.prod(perception if misread else 1 - perception for misread in (f, g))
            outcomes[a * sizes[1] + b, 2 * x + y] += chance
            after = one.after[a, 2 * x + (y ^ f)] * sizes[1] + other.after[b, 2 * y + (x ^ g)]
            moves[a * sizes[1] + b, after] += chance
    return outcomes, moves


def limit_of_means(outcomes, moves):
    """By powers of the lazy chain, which stays where it is every second time and so never alternates."""
    power = (moves + np.eye(len(moves))) / 2
    for _ in range(60):
        power = power @ power
        power /= power.sum(1, keepdims=True)
    return power[0] @ outcomes


# Cases


def test_payoffs_equal_case_s_a5():
    case = CASES["S-A5"]
    vectors, first = case["params"]["vectors_CC_CD_DC_DD"], case["params"]["first_move_cooperation"]
    automata = [memory_one(*vector, first=begins) for vector, begins in zip(vectors, first, strict=True)]
    noise, turns = case["params"]["noise"], case["params"]["rounds"]
    finite = outcome_matrix(automata, noise=noise, turns=turns)
    assert_close(payoff(finite), case["expected"]["mean_payoff_finite_game"], case["tolerance"])
    assert_close(cooperation_rate(finite), case["expected"]["cooperation_rate_finite_game"], case["tolerance"])
    infinite = payoff_matrix(automata, noise=noise)
    assert_close(infinite, case["expected"]["mean_payoff_infinite_game"], case["tolerance"])


@pytest.mark.parametrize("name", [name for name in CASES if "longrun" in name])
def test_contrition_equals_its_cases_under_either_error(name):
    case = CASES[name]
    params, expected = case["params"], case["expected"]
    rates = outcome_matrix(
        [BY_NAME[name] for name in params["names"]],
        noise=params["implementation_error"],
        perception=params["perception_error"],
    )
    assert_close(payoff(rates, Payoffs(*params["RSTP"])), expected["payoff_matrix"], case["tolerance"])
    assert_close(np.diagonal(cooperation_rate(rates)), expected["self_cooperation"], case["tolerance"])


def test_finite_payoffs_and_their_small_mutation_limit_equal_case_ctft_200():
    case, limit = CASES["ctft-finite-200"], CASES["ctft-sml-200"]
    automata = [BY_NAME[name] for name in case["params"]["names"]]
    earned = payoff_matrix(automata, turns=case["params"]["turns"], noise=case["params"]["implementation_error"])
    assert_close(earned, case["expected"]["payoff_matrix"], case["tolerance"])
    shares = small_mutation_limit(earned, limit["params"]["N"], limit["params"]["beta"])
    assert_close(shares, limit["expected"]["stationary"], limit["tolerance"])


# Simulation


def test_five_hundred_random_pairs_equal_their_simulation_within_four_standard_errors():
    pairs, repetitions, turns, noise, perception = 500, 128, 40, 0.03, 0.02
    automata = random_automata(1, 2 * pairs, 5)
    exact = outcome_pairs(automata[:pairs], automata[pairs:], turns=turns, noise=noise, perception=perception)
    first = np.repeat(stack(automata).first, repetitions).astype(np.int32).reshape(2, -1)
    seeds = jax.random.bits(jax.random.key(5), (2, pairs * repetitions), jnp.uint32)
    moves = matches(stack(automata), *first, tuple(seeds), noise, perception, turns=turns, noisy=True, misread=True)
    earned = np.asarray(payoff(count(moves, turns).outcomes / turns)).reshape(pairs, repetitions)
    off = (earned.mean(1) - payoff(exact)) / (earned.std(1, ddof=1) / math.sqrt(repetitions))
    assert np.abs(off).max() < 4
    assert 0.01 < stats.chi2.cdf((off**2).sum(), pairs) < 0.99, "errors are not spread as chance would spread them"


# Plain linear algebra


@pytest.mark.parametrize(("noise", "perception"), [(0.0, 0.0), (0.0, 0.04), (0.02, 0.01)])
def test_limit_of_means_equals_powers_of_the_lazy_chain(noise, perception):
    automata = random_automata(2, 24, 3, certain=0.8)
    ones, others = automata[:12], automata[12:]
    found = outcome_pairs(ones, others, noise=noise, perception=perception)
    for pair, rates in zip(zip(ones, others, strict=True), found, strict=True):
        np.testing.assert_allclose(rates, limit_of_means(*product_chain(*pair, noise, perception)), atol=1e-9)


@pytest.mark.parametrize("noise", [0.0, 0.02])
def test_turns_and_continuation_equal_steps_and_the_resolvent(noise):
    # Certain ones are walked, others not, so both ways are taken without noise.
    automata = [*random_automata(3, 4, 3, certain=1), *random_automata(4, 3, 3)]
    finite = outcome_matrix(automata, turns=13, noise=noise)
    ended = outcome_matrix(automata, continuation=0.95, noise=noise)
    for (i, one), (j, other) in itertools.product(enumerate(automata), repeat=2):
        outcomes, moves = product_chain(one, other, noise)
        start = np.eye(len(moves))[0]
        steps = [start @ np.linalg.matrix_power(moves, turn) for turn in range(13)]
        np.testing.assert_allclose(finite[i, j], np.mean(steps, 0) @ outcomes, atol=1e-12)
        resolvent = np.linalg.solve(np.eye(len(moves)) - 0.95 * moves.T, 0.05 * start)
        np.testing.assert_allclose(ended[i, j], resolvent @ outcomes, atol=1e-12)


def test_outcomes_by_turn_equal_steps_and_average_to_their_mean():
    one, *others = random_automata(5, 4, 3)
    by_turn = outcomes_by_turn(one, others, 9, noise=0.01, perception=0.02)
    assert by_turn.shape == (3, 9, 4)
    for other, rates in zip(others, by_turn, strict=True):
        outcomes, moves = product_chain(one, other, 0.01, 0.02)
        np.testing.assert_allclose(rates[8], np.linalg.matrix_power(moves, 8)[0] @ outcomes, atol=1e-12)
    mean = outcome_matrix([one], others, turns=9, noise=0.01, perception=0.02)[0]
    np.testing.assert_allclose(by_turn.mean(1), mean, atol=1e-14)


# Limits known on paper


def test_several_closed_classes_count_by_the_chance_to_come_into_them():
    # Two tit-for-tat that toss a coin first: CC, DD, or CD and DC in turn for ever.
    one, other = memory_one(1, 0, 1, 0, first=0.3), memory_one(1, 0, 1, 0, first=0.6)
    np.testing.assert_allclose(outcome_rates(one, other), [0.18, 0.27, 0.27, 0.28], atol=1e-15)
    # A grim trigger that defects by itself once in a hundred rounds ends in mutual defection all the same.
    np.testing.assert_allclose(outcome_rates(memory_one(0.99, 0, 0, 0), GRIM), [0, 0, 0, 1], atol=1e-15)
    # It forgives what comes first by half: then CC for ever, else DD.
    once = automaton([1, 0.5, 1, 0], [[2, 1, 2, 1], [2, 2, 3, 3], [2, 2, 2, 2], [3, 3, 3, 3]])
    np.testing.assert_allclose(outcome_rates(once, memory_one(1, 0, 1, 0, first=0)), [0.5, 0, 0, 0.5], atol=1e-15)


def test_alternation_counts_by_its_mean_and_without_noise_the_first_move_decides():
    suspicious = memory_one(1, 0, 1, 0, first=0)
    np.testing.assert_array_equal(outcome_rates(TIT_FOR_TAT, suspicious), [0, 0.5, 0.5, 0])
    np.testing.assert_array_equal(outcome_rates(TIT_FOR_TAT, TIT_FOR_TAT), [1, 0, 0, 0])
    np.testing.assert_array_equal(outcome_rates(GRIM, GRIM), [1, 0, 0, 0])
    np.testing.assert_array_equal(outcome_rates(WIN_STAY, DEFECT), [0, 0.5, 0, 0.5])
    # A cycle of seven after a start of three.
    cycler = automaton([1, 1, 1, 0, 1, 0, 1, 1, 0, 1], [[min(i + 1, 9) if i < 9 else 3] * 4 for i in range(10)])
    np.testing.assert_allclose(outcome_rates(cycler, COOPERATE), [4 / 7, 0, 3 / 7, 0], atol=1e-15)


def test_infinitely_rare_errors_give_the_published_limits():
    automata = [COOPERATE, DEFECT, TIT_FOR_TAT, WIN_STAY, GENEROUS, GRIM]
    found = np.asarray(payoff_matrix(automata, noise=1.0, vanishing=True))
    np.testing.assert_allclose(found.diagonal(), [3, 1, 9 / 4, 3, 3, 1], atol=1e-14)
    np.testing.assert_allclose(found[1, 3], 3, atol=1e-14)  # (T + P) / 2: every second round it is tried again
    np.testing.assert_allclose(found[3, 0], 4, atol=1e-14)  # an error shifts it to D and the next one back
    contrite = BY_NAME["CTFT"]
    kinds = [{"noise": 1.0}, {"perception": 1.0}, {"noise": 0.5, "perception": 0.5}]
    slips = [float(cooperation_rate(outcome_rates(contrite, contrite, vanishing=True, **kind))) for kind in kinds]
    np.testing.assert_allclose(slips[:2], [1, 0.5], atol=1e-14)
    assert 0.5 < slips[2] < 1


def test_an_error_outweighs_two_at_a_time_as_both_vanish():
    # One D ends its patience, but only two in a row restore it, and against ALLC each is an error.
    strict = automaton([1, 0, 0], [[0, 1, 0, 1], [1, 2, 1, 2], [1, 0, 1, 0]])
    np.testing.assert_allclose(outcome_rates(strict, COOPERATE, noise=1.0, vanishing=True), [0, 0, 1, 0], atol=1e-15)
    # The other way round it hardly ever loses patience.
    lenient = automaton([1, 1, 0], [[0, 1, 0, 1], [0, 2, 0, 2], [0, 2, 0, 2]])
    np.testing.assert_allclose(outcome_rates(lenient, COOPERATE, noise=1.0, vanishing=True), [1, 0, 0, 0], atol=1e-15)
    # Together they leave CC by an error of the lenient one, for a cycle DC DC DD DD CD that either of two errors ends:
    # of the strict one in the second DD, of the lenient one in CD. So CC is left at 1 and found again at 2/5.
    together = outcome_rates(strict, lenient, noise=1.0, vanishing=True)
    np.testing.assert_allclose(together, [2 / 7, 1 / 7, 2 / 7, 2 / 7], atol=1e-15)


def test_infinitely_rare_errors_are_the_limit_of_rare_ones():
    automata = random_automata(6, 10, 5, certain=1)
    limit = outcome_matrix(automata, noise=0.6, perception=0.2, vanishing=True)
    rare = [outcome_matrix(automata, noise=0.6 * e, perception=0.2 * e) for e in (1e-9, 2e-9)]
    np.testing.assert_allclose(limit, 2 * rare[0] - rare[1], atol=1e-9)  # what is of first order cancels


def test_nearly_endless_games_come_to_the_limit_of_means():
    automata = random_automata(7, 6, 3)
    np.testing.assert_allclose(outcome_matrix(automata, continuation=1 - 1e-13), outcome_matrix(automata), atol=1e-10)


# Properties


@pytest.mark.parametrize("setting", [{}, {"turns": 9}, {"continuation": 0.9}, {"perception": 0.1}])
def test_matrix_is_seen_alike_from_both_sides(setting):
    automata = random_automata(8, 5, 3)
    matrix = outcome_matrix(automata, noise=0.01, **setting)
    np.testing.assert_allclose(matrix.sum(-1), 1, atol=1e-14)
    np.testing.assert_array_equal(matrix.transpose(1, 0, 2)[..., SWAPPED], np.where(
        np.eye(5, dtype=bool)[..., None], matrix[..., SWAPPED], matrix
    ))  # fmt: skip
    np.testing.assert_allclose(outcome_matrix(automata, automata, noise=0.01, **setting), matrix, atol=1e-14)


@pytest.mark.parametrize("setting", [{"turns": 12}, {"continuation": 0.3}])
def test_all_ways_to_follow_a_match_agree(setting, monkeypatch):
    automata = random_automata(9, 6, 3)
    setting = {**setting, "noise": 0.02, "perception": 0.03}
    by_matrix = outcome_matrix(automata, **setting)
    monkeypatch.setattr(joint_rates, "_DENSE", 0)
    np.testing.assert_allclose(outcome_matrix(automata, **setting), by_matrix, atol=1e-13)
    monkeypatch.setattr(joint, "MAX_LISTED", 0)
    np.testing.assert_allclose(outcome_matrix(automata, **setting), by_matrix, atol=1e-13)
    monkeypatch.setattr(joint, "MAX_LISTED", 6)
    monkeypatch.setattr(joint, "_LISTED_TOGETHER", 20)
    np.testing.assert_allclose(outcome_matrix(automata, **setting), by_matrix, atol=1e-13)


def test_thousands_of_states_that_keep_count_of_what_a_parity_needs():
    # It counts rounds and defections, but asks only whether these are even, for which two states suffice.
    counter = from_function((0, 0), lambda n: n[1] % 2 == 0, lambda n, own, other: (n[0] + 1, n[1] + (not other)), 100)
    parity = automaton([1, 0], [[0, 1, 0, 1], [1, 0, 1, 0]])
    assert len(counter.cooperate) == 100 * 101 / 2
    assert joint.MAX_LISTED < 100 * 101 * 201 / 6  # all rounds, and in each all pairs of counts
    setting = {"turns": 100, "noise": 0.05}
    expected = outcome_rates(parity, parity, **setting)
    np.testing.assert_allclose(outcome_rates(counter, counter, **setting), expected, atol=1e-13)
    np.testing.assert_allclose(outcome_rates(counter, parity, turns=100), outcome_rates(parity, parity, turns=100))


@pytest.mark.parametrize("ending", ["perception", "continuation", "turns"])
def test_derivatives_equal_differences(ending):
    one, other = random_automata(10, 2, 2, certain=0)

    def earned(chances, noise, ended):
        setting = {"turns": 4} if ending == "turns" else {ending: ended}
        return payoff(outcome_rates(Automaton(chances, one.after), other, noise=noise, **setting))

    at = (one.cooperate, 0.03, 0.4)
    along = (np.array([0.3, -0.7]), 0.2, 0.5)
    _, slope = jax.jit(lambda *x: jax.jvp(earned, x, along))(*at)
    ends = [earned(*(x + step * move for x, move in zip(at, along, strict=True))) for step in (1e-6, -1e-6)]
    np.testing.assert_allclose(slope, (ends[0] - ends[1]) / 2e-6, rtol=1e-7)


def test_derivatives_where_moves_are_certain_are_one_sided():
    # To leave what absorbs all, by what is never done now, counts as well. Closed forms see all four outcomes.
    pairs = [
        [(0.5, 0.5, 0.5, 0.0), (0.5, 0.3, 0.5, 0.0)],
        [(1.0, 0.5, 0.3, 0.2), (1.0, 0.4, 0.2, 0.7)],
        [(0.0, 0.0, 0.0, 0.0), (0.3, 0.4, 0.2, 0.6)],
        [(8 / 9, 1 / 2, 1 / 3, 0.0), (1.0, 0.0, 1.0, 0.3)],
        [(0.4, 1.0, 0.2, 0.0), (1.0, 0.0, 1.0, 0.3)],
    ]
    after = TIT_FOR_TAT.after

    def earned(p, q):
        return payoff(outcome_rates(*(Automaton(jnp.concatenate([jnp.ones(1), x]), after) for x in (p, q))))

    exact, closed = (jax.jit(jax.grad(f, argnums=(0, 1))) for f in (earned, lambda *x: payoff(memory_one_rates(*x))))
    for p, q in np.array(pairs):
        np.testing.assert_allclose(exact(p, q), closed(p, q), atol=1e-12)
        inwards = 1e-7 * np.where(p == 1, -1, 1)
        ahead = [(earned(p + step, q) - earned(p, q)) / step.sum() for step in np.diag(inwards)]
        np.testing.assert_allclose(exact(p, q)[0], ahead, atol=1e-4)


def test_vmap_and_jit_equal_a_loop_without():
    one, other = random_automata(11, 2, 3, certain=0)
    chances = np.random.default_rng(0).random((4, 3))

    def rates(chances):
        certain = outcome_rates(one, other, noise=0.01)  # not traced, though within jit
        return outcome_rates(Automaton(chances, one.after), other, noise=0.01), certain

    found, certain = jax.jit(jax.vmap(rates, out_axes=(0, None)))(chances)
    loop = [outcome_rates(Automaton(row, one.after), other, noise=0.01) for row in chances]
    np.testing.assert_allclose(found, loop, atol=1e-14)
    np.testing.assert_allclose(certain, outcome_rates(one, other, noise=0.01), atol=1e-14)


def test_float32_is_right_to_its_own_precision():
    automata = [TIT_FOR_TAT, WIN_STAY, GENEROUS, GRIM]
    precise = np.asarray(outcome_matrix(automata, noise=0.01))
    with jax.enable_x64(False):
        rates = outcome_matrix(automata, noise=0.01)
        assert rates.dtype == jnp.float32
        np.testing.assert_allclose(rates, precise, atol=1e-5)


# Refusals


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"turns": 0}, "turns = 0"),
        ({"turns": 5, "continuation": 0.5}, "continuation = 0.5: turns = 5 are given"),
        ({"continuation": 1.0}, "continuation = 1.0: a probability below 1"),
        ({"noise": 1.5}, "noise = 1.5"),
        ({"perception": -0.1}, "perception = -0.1"),
        ({"vanishing": True}, "noise = perception = 0"),
        ({"vanishing": True, "noise": 1.0, "turns": 5}, "turns and continuation must be None"),
    ],
)
def test_settings_out_of_range_are_refused(setting, message):
    with pytest.raises(ParameterError, match=message):
        outcome_rates(TIT_FOR_TAT, TIT_FOR_TAT, **setting)


def test_what_is_too_large_for_a_matrix_is_refused_in_the_limit_alone():
    deep = memory_n(6, np.full(4**6, 0.3))
    with pytest.raises(ParameterError, match="at most 2048 in a limit of means"):
        outcome_rates(deep, memory_one(0.5, 0.5, 0.5, 0.5))
    # It begins with C for six rounds.
    np.testing.assert_allclose(outcome_rates(deep, DEFECT, turns=10), [0, 0.6 + 0.4 * 0.3, 0, 0.4 * 0.7], atol=1e-14)


def test_lists_that_do_not_pair_up_are_refused():
    with pytest.raises(ParameterError, match="as many as the 2"):
        outcome_pairs([GRIM, GRIM], [GRIM])
    with pytest.raises(ParameterError, match="automata: none"):
        outcome_matrix([])
