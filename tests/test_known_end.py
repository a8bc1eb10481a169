"""The end of a repeated game: cases from elsewhere, exhaustive search, play, and how betrayal unravels."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import assert_close, assert_means, load
from scipy.integrate import solve_ivp

from jaxcoord import random
from jaxcoord.errors import ParameterError
from jaxcoord.evolution import replicator, small_mutation_limit
from jaxcoord.games.repeated.automaton import automaton, memory_one
from jaxcoord.games.repeated.exact import cooperation_rate, outcome_rates, payoff_matrix
from jaxcoord.games.repeated.known_end import (
    best_replies,
    best_reply,
    continuation_needed,
    known_end,
    random_end,
    reply_chain,
    stopping,
)
from jaxcoord.games.repeated.library import STANDARD, Payoffs
from jaxcoord.games.repeated.play import matches, stack, unpack

FINITE = load("repeated_evolution_cases.json", "finite-ipd-s")
UNRAVELLING = load("repeated_evolution_cases.json", "finite-ipd-unravelling")["finite-ipd-unravelling"]
TFT = memory_one(1, 0, 1, 0)
payoff_of = jax.jit(lambda game: game.payoff())
limit = jax.jit(small_mutation_limit, static_argnums=1)


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def game_of(params):
    r, s, t, p = params["RSTP"]
    return known_end(params["n"], t=t, r=r, p=p, s=s)


# Games of stopping strategies


@pytest.mark.parametrize("name", FINITE)
def test_known_end_as_in_the_case(name):
    params, expected, tolerance = (FINITE[name][key] for key in ("params", "expected", "tolerance"))
    game = game_of(params)
    assert_close(payoff_of(game), expected["payoff_matrix"], tolerance)
    assert best_replies(payoff_of(game)).tolist() == expected["best_reply"]
    shares = limit(game, params["N"], params["beta"])
    assert_close(shares, expected["stationary"], tolerance)
    rounds = np.arange(params["n"] + 1)
    assert_close(shares @ rounds / params["n"], expected["mean_cooperating_rounds_share"], tolerance)


def test_betrayal_unravels_one_round_at_a_time():
    params, expected, tolerance = (UNRAVELLING[key] for key in ("params", "expected", "tolerance"))
    start = np.append(np.full(10, 0.001), 0.99)
    payoff = np.asarray(payoff_of(game_of(params)))
    field = jax.jit(lambda x: replicator(x, payoff @ x))
    path = solve_ivp(lambda _, x: field(x), (0, 60), start, "DOP853", params["times"], rtol=1e-12, atol=1e-14).y.T
    assert np.argmax(path, 1).tolist() == expected["leader"]
    assert_close(path @ np.arange(11), expected["mean_k"], tolerance)


def test_stopping_strategies_play_what_their_game_pays():
    rounds, payoffs = 6, Payoffs(2.0, -1.5, 4.0, 0.5)
    table = payoff_matrix([stopping(k) for k in range(rounds + 1)], payoffs, turns=rounds) * rounds
    game = known_end(rounds, t=4.0, r=2.0, p=0.5, s=-1.5)
    np.testing.assert_allclose(payoff_of(game), table, atol=1e-12)
    assert game.strategies == tuple(f"S{k}" for k in range(7))


@pytest.mark.parametrize("w", [0.0, 0.5, 0.97])
def test_random_end_pays_what_automata_earn(w):
    game = random_end(5, w=w)
    automata = [*(stopping(k) for k in range(5)), TFT]
    np.testing.assert_allclose(payoff_of(game), payoff_matrix(automata, continuation=w) / (1 - w), rtol=1e-12)
    assert game.strategies == ("S0", "S1", "S2", "S3", "S4", "never")


def test_cooperation_without_a_known_end_is_an_equilibrium_from_a_threshold_on():
    payoffs = Payoffs(3.0, -1.0, 4.0, 0.0)
    threshold = continuation_needed(payoffs)
    assert threshold == 1 / 4
    assert continuation_needed() == 1 / 2
    for w, stays in ((threshold - 0.01, False), (threshold + 0.01, True)):
        replies = best_replies(payoff_of(random_end(8, w=w, t=4.0, r=3.0, p=0.0, s=-1.0)))
        # A stop that is known to come is forestalled all the same.
        assert replies.tolist() == ([0, *range(7), 8] if stays else [0] * 9)


def test_known_last_round_costs_cooperation_that_a_random_end_keeps():
    # Ten rounds, or ten on average, among the same kinds of strategies.
    known, chance = (np.asarray(limit(game, 100, 1.0)) for game in (known_end(10), random_end(10, w=0.9)))
    cooperative = np.append(np.arange(10) / 10, 1.0)
    assert known @ cooperative < 0.05
    assert chance @ cooperative > 0.8


def test_execution_and_perception_errors_differ():
    # A slip is seen by both, an error of perception by one: then the other goes on and is exploited.
    players, turns, error = [stopping(8), TFT, stopping(3)], 8, 0.08
    table = stack(players)
    pairs = list(itertools.product(range(3), repeat=2))
    one, other = (jnp.asarray(np.repeat([table.first[pair[i]] for pair in pairs], 4000)) for i in (0, 1))
    seeds = jax.vmap(random.seeds)(jax.random.split(jax.random.key(2), len(one)))
    exact = {}
    for kind in ("noise", "perception"):
        errors = {"noise": 0.0, "perception": 0.0} | {kind: error}
        exact[kind] = np.asarray(payoff_matrix(players, turns=turns, **errors))
        moves = matches(
            table, one.astype(jnp.int32), other.astype(jnp.int32), seeds, *errors.values(),
            turns=turns, noisy=True, misread=kind == "perception",
        )  # fmt: skip
        own, theirs = (unpack(words, turns) for words in moves)
        earned = np.array(STANDARD)[2 * ~own + ~theirs].mean(1)
        assert_means(earned.reshape(9, 4000).T, exact[kind].ravel())
    assert (np.abs(exact["noise"] - exact["perception"]) > 0.02).any()
    # Misreading alone never makes a first move wrong; a slip does.
    first = [payoff_matrix([TFT], turns=1, **{kind: error}).item() for kind in ("noise", "perception")]
    assert first[1] == 3.0
    assert first[0] == pytest.approx(3 * 0.92**2 + 5 * 0.92 * 0.08 + 0.08**2)


# Best replies


def plans(rounds):
    # Every strategy against one opponent that leaves nothing to chance: a sequence of moves.
    return itertools.product((1, 0), repeat=rounds)


def fixed(moves):
    states = [[min(i + 1, len(moves) - 1)] * 4 for i in range(len(moves))]
    return automaton([float(move) for move in moves], states)


def random_automaton(generator, states, certain):
    chances = generator.integers(0, 2, states) if certain else generator.uniform(0, 1, states)
    return automaton(chances, generator.integers(0, states, (states, 4)))


def test_no_sequence_of_moves_beats_the_best_reply():
    generator = np.random.default_rng(5)
    others = [random_automaton(generator, 3, certain=True) for _ in range(6)]
    found = [best_reply(other, rounds=7) for other in others]
    best = 7 * np.asarray(payoff_matrix([fixed(plan) for plan in plans(7)], others=others, turns=7)).max(0)
    earned = 7 * np.diagonal(payoff_matrix([one.table for one in found], others=others, turns=7))
    np.testing.assert_allclose([one.value for one in found], best, atol=1e-12)
    np.testing.assert_allclose(earned, best, atol=1e-12)


@pytest.mark.parametrize("setting", [{"rounds": 5}, {"continuation": 0.8}])
@pytest.mark.parametrize("noise", [0.0, 0.1])
def test_value_is_what_the_reply_earns_and_nobody_else_earns_more(setting, noise):
    generator = np.random.default_rng(6)
    other = random_automaton(generator, 4, certain=False)
    found = best_reply(other, **setting, noise=noise)
    rivals = [random_automaton(generator, 3, certain=trial % 2 == 0) for trial in range(30)]
    rounds = setting.get("rounds")
    ending = {"turns": rounds} if rounds else setting
    earned = np.asarray(payoff_matrix([found.table, *rivals], others=[other], noise=noise, **ending))[:, 0]
    earned = earned * (rounds or 1)
    assert found.value == pytest.approx(earned[0], abs=1e-9)
    assert (earned[1:] <= earned[0] + 1e-9).all()


def test_replies_known_on_paper():
    for k in range(1, 6):
        reply = best_reply(stopping(k), rounds=5)
        assert reply.value == pytest.approx(3 * (k - 1) + 5 + (5 - k))
    # Against tit-for-tat: cooperate for ever, alternate, or defect for ever, as the future counts ever less.
    r, s, t, p = STANDARD
    for w in (0.9, 0.6, 0.1):
        ways = r, (t + w * s) / (1 + w), t * (1 - w) + w * p
        assert best_reply(TFT, continuation=w).value == pytest.approx(max(ways), abs=1e-12)
    grim = automaton([1.0, 0.0], [[0, 1, 0, 1], [1, 1, 1, 1]])
    for w, cooperates in ((0.49, 0.0), (0.51, 1.0)):
        assert best_reply(grim, continuation=w).table.cooperate[0] == cooperates


def test_arms_race_unravels_a_known_end_and_nothing_else():
    known = reply_chain(TFT, 30, rounds=10)
    rates = [float(cooperation_rate(outcome_rates(one, one, turns=10))) for one in known]
    np.testing.assert_allclose(rates, np.arange(10, -1, -1) / 10, atol=1e-12)
    chance = reply_chain(TFT, 30, continuation=0.9)
    assert len(chance) < 5
    assert [float(cooperation_rate(outcome_rates(one, one, continuation=0.9))) for one in chance] == [1.0] * len(chance)


# Refusals


@pytest.mark.parametrize(
    ("refused", "words"),
    [
        (lambda: stopping(-1), "rounds = -1"),
        (lambda: known_end(0), r"known-end.rounds = 0.*1 to 1000"),
        (lambda: random_end(w=1.0), "random-end.w = 1.0"),
        (lambda: best_reply(TFT), "one of the two"),
        (lambda: best_reply(TFT, rounds=3, continuation=0.5), "one of the two"),
        (lambda: best_reply(TFT, rounds=0), "turns = 0"),
        (lambda: best_reply(TFT, continuation=1.0), "continuation = 1.0"),
        (lambda: best_reply(TFT, rounds=2, noise=0.5), "noise = 0.5"),
    ],
)
def test_refuses_in_one_line(refused, words):
    with pytest.raises(ParameterError, match=words) as caught:
        refused()
    assert "\n" not in str(caught.value)
