"""Exact fingerprints against published formulas, simulated matches and limits known on paper."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import critical

from jaxcoord.errors import ParameterError
from jaxcoord.games.repeated.automaton import automaton, memory_one
from jaxcoord.games.repeated.exact import outcome_rates, payoff
from jaxcoord.games.repeated.fingerprint import ashlock_fingerprint, joss_ann, transitive_fingerprint
from jaxcoord.games.repeated.library import Payoffs
from jaxcoord.games.repeated.play import count, matches, stack, unpack

COOPERATE, DEFECT = memory_one(1, 1, 1, 1), memory_one(0, 0, 0, 0, first=0)
TIT_FOR_TAT, WIN_STAY, GRIM = memory_one(1, 0, 1, 0), memory_one(1, 0, 0, 1), memory_one(1, 0, 0, 0)


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def simulate(automata, one, other, turns, noise, seed):
    """Moves of matches between automata, by their numbers."""
    tables = stack(automata)
    seeds = jax.random.bits(jax.random.key(seed), (2, len(one)), jnp.uint32)
    first = (jnp.asarray(tables.first[side], jnp.int32) for side in (one, other))
    return matches(tables, *first, tuple(seeds), noise, 0.0, turns=turns, noisy=True, misread=False)


# Formulas


def test_fingerprint_of_tit_for_tat_is_the_published_fraction():
    # Ashlock & Kim 2008: (y^2 + 5 x y + 3 x^2) / (x + y)^2 with the payoffs 3, 0, 5, 1, from tit-for-tat as the probe.
    found = ashlock_fingerprint(TIT_FOR_TAT, points=11)
    assert found.dims == ("x", "y")
    x, y = np.meshgrid(found.x, found.y, indexing="ij")
    inside = x + y > 0
    expected = (y**2 + 5 * x * y + 3 * x**2)[inside] / (x + y)[inside] ** 2
    np.testing.assert_allclose(found.values[inside], expected, atol=1e-14)
    assert found.sel(x=0, y=0) == 3  # nobody defects first


def test_fingerprints_of_those_who_never_change_follow_from_what_is_answered():
    game = Payoffs(3.5, -0.5, 6.0, 0.5)
    x, y = np.meshgrid(np.linspace(0, 1, 6), np.linspace(0, 1, 6), indexing="ij")
    held = ashlock_fingerprint(COOPERATE, points=6, game=game)
    np.testing.assert_allclose(held, game.reward * (1 - y) + game.sucker * y, atol=1e-14)
    taken = ashlock_fingerprint(DEFECT, points=6, game=game)
    np.testing.assert_allclose(taken, game.temptation * x + game.punishment * (1 - x), atol=1e-14)
    # A probe that never looks is met with 1 - y, as it means to cooperate.
    unseen = ashlock_fingerprint(DEFECT, COOPERATE, points=6, game=game)
    np.testing.assert_allclose(unseen, game.temptation * (1 - y) + game.punishment * y, atol=1e-14)


@pytest.mark.parametrize(
    ("probe", "opposite"),
    [
        # Tit-for-tat in reverse begins with D and answers C with D.
        (TIT_FOR_TAT, memory_one(0, 1, 0, 1, first=0)),
        # Win-stay, lose-shift takes its C for D and the reverse: that and its answer turned round leave the same rule.
        (WIN_STAY, memory_one(1, 0, 0, 1, first=0)),
    ],
    ids=["tit-for-tat", "win-stay"],
)
def test_above_the_diagonal_stands_the_dual_probe(probe, opposite):
    at = [0.0, 0.2, 0.7, 1.0]
    above = np.add.outer(at, at) > 1
    random = automaton([0.2, 0.9, 0.5], [[0, 1, 2, 1], [2, 1, 0, 0], [1, 1, 2, 0]])
    for strategy in (WIN_STAY, GRIM, random):
        found = ashlock_fingerprint(strategy, probe, points=at, turns=20).values[above]
        opponents = [(1 - y, 1 - x) for x in at for y in at if x + y > 1]
        direct = [outcome_rates(strategy, joss_ann(opposite, *point), turns=20) for point in opponents]
        np.testing.assert_allclose(found, payoff(np.array(direct)), atol=1e-13)
        below = ashlock_fingerprint(strategy, opposite, points=at, turns=20).values[above]
        mirrored = [outcome_rates(strategy, joss_ann(probe, *point), turns=20) for point in opponents]
        np.testing.assert_allclose(below, payoff(np.array(mirrored)), atol=1e-13)


def test_joss_ann_draws_c_or_d_or_lets_the_probe_play():
    probe = automaton([1, 0, 0.5], [[0, 1, 2, 1], [1, 1, 2, 2], [2, 0, 1, 0]])
    np.testing.assert_allclose(joss_ann(probe, 0.2, 0.3).cooperate, [0.2 + 0.5, 0.2, 0.2 + 0.5 * 0.5], atol=1e-15)
    np.testing.assert_array_equal(joss_ann(probe, 0, 0).cooperate, probe.cooperate)
    np.testing.assert_array_equal(joss_ann(probe, 1, 1).cooperate, 1 - probe.cooperate)
    np.testing.assert_array_equal(joss_ann(probe, 0.4, 0.6).after, probe.after)
    np.testing.assert_array_equal(joss_ann(probe, 0.5, 0.6).after, [[2, 1, 0, 1], [2, 2, 1, 1], [1, 0, 2, 0]])


def test_transitive_fingerprints_known_on_paper():
    chances = np.linspace(0, 1, 5)
    found = transitive_fingerprint(TIT_FOR_TAT, 5, turns=6)
    assert found.dims == ("opponent", "turn")
    np.testing.assert_array_equal(found.turn, range(1, 7))
    np.testing.assert_array_equal(found.opponent, chances)
    np.testing.assert_allclose(found, np.column_stack([np.ones(5)] + [chances] * 5), atol=1e-15)
    # A grim trigger cooperates as long as the other has, and errors may hit both.
    noise = 0.05
    patient = transitive_fingerprint(GRIM, chances, turns=6)
    np.testing.assert_allclose(patient, chances[:, None] ** np.arange(6), atol=1e-14)
    noisy = transitive_fingerprint(GRIM, chances, turns=6, noise=noise)
    kept = (1 - noise) * (chances + noise * (1 - 2 * chances))
    np.testing.assert_allclose(noisy[:, 1], kept * (1 - noise) + (1 - kept) * noise, atol=1e-14)
    among = transitive_fingerprint(TIT_FOR_TAT, [DEFECT, WIN_STAY], turns=6)
    np.testing.assert_array_equal(among, [[1, 0, 0, 0, 0, 0], [1, 1, 1, 1, 1, 1]])
    np.testing.assert_array_equal(among.opponent, [0, 1])


# Simulation


def test_fingerprint_equals_simulated_matches():
    turns, repetitions, noise, at = 12, 4_000, 0.02, np.linspace(0, 1, 4)
    exact = ashlock_fingerprint(WIN_STAY, GRIM, points=4, turns=turns, noise=noise)
    automata = [WIN_STAY, *(joss_ann(GRIM, x, y) for x in at for y in at)]
    other = np.repeat(np.arange(1, 17), repetitions)
    moves = simulate(automata, 0 * other, other, turns, noise, seed=1)
    earned = np.asarray(payoff(count(moves, turns).outcomes / turns)).reshape(16, repetitions)
    error = earned.std(1, ddof=1) / math.sqrt(repetitions)
    assert (np.abs(earned.mean(1) - exact.values.ravel()) <= critical(16) * error).all()


def test_transitive_fingerprint_equals_simulated_matches():
    turns, repetitions, noise = 6, 10_000, 0.03
    strategy = automaton([0.9, 0.3, 0.6], [[0, 1, 2, 1], [2, 1, 0, 0], [1, 1, 2, 0]])
    exact = transitive_fingerprint(strategy, [0.0, 0.3, 0.9], turns, noise=noise)
    automata = [strategy, *(automaton([chance], [[0] * 4]) for chance in (0.0, 0.3, 0.9))]
    other = np.repeat([1, 2, 3], repetitions)
    moves = simulate(automata, 0 * other, other, turns, noise, seed=2)
    seen = unpack(moves.own, turns).reshape(3, repetitions, turns).mean(1)
    error = np.sqrt(exact * (1 - exact) / repetitions)
    assert (np.abs(seen - exact) <= critical(exact.size) * error).all()


# Refusals


def test_what_is_out_of_range_is_refused():
    with pytest.raises(ParameterError, match="x = 1.5"):
        joss_ann(TIT_FOR_TAT, 1.5, 0)
    with pytest.raises(ParameterError, match="points = 1: at least 2"):
        ashlock_fingerprint(TIT_FOR_TAT, points=1)
    with pytest.raises(ParameterError, match="turns = 0"):
        transitive_fingerprint(TIT_FOR_TAT, turns=0)
