"""Repeated games in groups: cases from elsewhere, two players as a group of two, and play itself."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import assert_close, assert_means, load
from scipy import optimize

from jaxcoord.errors import ParameterError
from jaxcoord.evolution import MoranBirthDeath, fixation_probability, small_mutation_limit
from jaxcoord.games.repeated import n_player
from jaxcoord.games.repeated.automaton import automaton, memory_one
from jaxcoord.games.repeated.exact import payoff_matrix
from jaxcoord.games.repeated.group_strategies import (
    all_or_none,
    always,
    group_automaton,
    majority,
    named,
    reactive_group,
    reciprocator,
)
from jaxcoord.games.repeated.library import Payoffs
from jaxcoord.games.repeated.n_player import (
    play_groups,
    public_goods_payoffs,
    repeated_public_goods,
    weak_selection_sum,
)

CASES = load("repeated_evolution_cases.json", "nplayer-tft")
table = jax.jit(lambda game: jax.vmap(game.group_payoff, out_axes=1)(others_of(game)))


mixed = jax.jit(lambda game, shares: game.payoffs(shares))


def others_of(game):
    k = jnp.arange(game.group)
    return jnp.stack([k, game.group - 1 - k], 1)


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def game_of(params):
    players = f"T{params['a']}, ALLD"
    return repeated_public_goods(params["n"], players=players, r=params["r"], c=params["c"], w=params["w"])


@pytest.mark.parametrize("name", CASES)
def test_reciprocators_and_defectors_as_in_the_case(name):
    params, expected, tolerance = (CASES[name][key] for key in ("params", "expected", "tolerance"))
    game = game_of(params)
    earned = table(game)
    assert_close(earned, [expected["payoff_T"], expected["payoff_D"]], tolerance)
    assert_close(weak_selection_sum(earned), expected["weak_selection_sum"], tolerance)
    assert (float(weak_selection_sum(earned)) > 0) is expected["favoured_weak_large_N"]
    fixation = jax.jit(fixation_probability, static_argnums=1)(game, params["N"], params["beta"])
    assert_close(fixation[0, 1], expected["rho_T"], tolerance)
    np.testing.assert_allclose(fixation[1, 0], expected["rho_D"], rtol=1e-8)

    def gain(share):
        return float(np.subtract(*mixed(game, jnp.array([share, 1 - share]))))

    grid = np.linspace(1e-9, 1 - 1e-9, 400)
    signs = np.sign([gain(x) for x in grid])
    roots = [optimize.brentq(gain, *grid[at : at + 2], xtol=1e-13) for at in np.flatnonzero(np.diff(signs))]
    assert_close(roots, expected["interior_roots"], tolerance)


def test_closed_form_of_reciprocators_of_every_threshold():
    for group, least in ((2, 1), (4, 2), (7, 0), (7, 4)):
        r, w = 2.5, 0.8
        earned = np.asarray(table(repeated_public_goods(group, players=f"T{least}, ALLD", r=r, w=w)))
        for k in range(group):
            one_round = r * (k + 1) / group - 1
            assert earned[0, k] == pytest.approx(one_round / (1 - w) if k >= least else one_round, abs=1e-12)
            rounds = 1 / (1 - w) if k - 1 >= least or least == 0 else 1
            assert earned[1, k] == pytest.approx(r * k / group * rounds, abs=1e-12)


# A group of two is a pair


PAIRS = {
    "T1, ALLD, AON1, ALLC": [
        memory_one(1, 0, 1, 0), automaton([0.0], [[0] * 4]), memory_one(1, 0, 0, 1), automaton([1.0], [[0] * 4]),
    ],
}  # fmt: skip


@pytest.mark.parametrize("noise", [0.0, 0.03])
def test_group_of_two_is_the_game_of_a_pair(noise):
    r, w = 1.6, 0.85
    game = repeated_public_goods(2, players="T1, ALLD, AON1, ALLC", r=r, w=w, noise=noise)
    round_of_pair = Payoffs(r - 1, r / 2 - 1, r / 2, 0.0)
    expected = payoff_matrix(PAIRS["T1, ALLD, AON1, ALLC"], round_of_pair, continuation=w, noise=noise) / (1 - w)
    found = jax.jit(jax.vmap(game.group_payoff, out_axes=1))(jnp.eye(4))
    np.testing.assert_allclose(found, expected, atol=1e-11)


@pytest.mark.parametrize("rounds", [1, 7])
def test_known_number_of_rounds_of_a_pair_with_chance(rounds):
    first, second = reactive_group([0.3, 0.9], first=0.8), reactive_group([0.1, 0.6], first=0.4)
    payoffs = jnp.array([[0.0, 3.0], [1.0, 5.0]])  # S, R; P, T
    found = n_player.group_payoffs([first, second], [[1, 1], [2, 0]], payoffs, rounds=rounds, noise=0.02)
    pair = [memory_one(0.9, 0.3, 0.9, 0.3, 0.8), memory_one(0.6, 0.1, 0.6, 0.1, 0.4)]
    expected = rounds * payoff_matrix(pair, turns=rounds, noise=0.02)
    np.testing.assert_allclose(found[0], [expected[0, 1], expected[1, 0]], atol=1e-12)
    assert found[1, 0] == pytest.approx(float(expected[0, 0]), abs=1e-12)


def test_all_or_none_of_two_with_longer_memory_waits_longer():
    moves = play_groups([all_or_none(3, 2), always(3, False)], [[0, 0, 0], [0, 0, 1]], 8, jax.random.key(0))
    assert np.asarray(moves[0]).all()
    # Beside a defector: one round, two of defection by all, one of hope, and so on.
    assert np.asarray(moves[1, 0]).tolist() == [True, False, False, True, False, False, True, False]


# Play


def payoffs_of(moves, payoffs, weights):
    # Totals `[M, n]` of players from moves `[M, n, rounds]`.
    others = moves.sum(1, keepdims=True) - moves
    return (np.asarray(payoffs)[1 - moves.astype(int), np.minimum(others, payoffs.shape[1] - 1)] * weights).sum(-1)


@pytest.mark.parametrize(
    ("players", "group", "noise"),
    [("majority, AON1, ALLD", 5, 0.05), ("T2, AON2, T3", 4, 0.02)],
)
def test_play_agrees_with_the_exact_payoffs(players, group, noise):
    names = [name.strip() for name in players.split(",")]
    strategies = [named(name, group) for name in names]
    composition = np.array([group - 3, 2, 1])
    members = np.repeat(np.arange(3), composition)
    rounds, replicates = 12, 20_000
    payoffs = public_goods_payoffs(group, 2.2, 1.0)
    exact = n_player.group_payoffs(strategies, [composition], payoffs, rounds=rounds, noise=noise)
    moves = np.asarray(play_groups(strategies, np.tile(members, (replicates, 1)), rounds, jax.random.key(3), noise))
    assert_means(payoffs_of(moves, payoffs, 1.0), np.asarray(exact[0])[members])


def test_random_ending_is_the_mean_over_known_numbers_of_rounds():
    strategies = [reciprocator(4, 2), all_or_none(4), always(4, False)]
    composition, w = [[2, 1, 1]], 0.05
    payoffs = public_goods_payoffs(4, 2.0)
    random_end = n_player.group_payoffs(strategies, composition, payoffs, continuation=w, noise=0.1)
    ends = [n_player.group_payoffs(strategies, composition, payoffs, rounds=n, noise=0.1) for n in range(1, 8)]
    weights = (1 - w) * w ** np.arange(7)
    np.testing.assert_allclose(random_end, sum(x * e for x, e in zip(weights, ends, strict=True)), rtol=1e-8)


def test_repetition_makes_reciprocators_stable_and_larger_groups_need_more():
    def stays(group, w):
        strategies = [reciprocator(group, group - 1), always(group, False)]
        alone, exploited = [group, 0], [group - 1, 1]
        payoffs = public_goods_payoffs(group, 0.6 * group)
        earned = n_player.group_payoffs(strategies, [alone, exploited], payoffs, continuation=w)
        return bool(earned[0, 0] > earned[1, 1])

    # r c - c a round against r c (n - 1) / n once: w > (1 - r / n) / (r - r / n), from which n takes the rest.
    for group in (3, 10):
        least = (1 - 0.6) / (0.6 * group - 0.6)
        assert stays(group, least + 0.01)
        assert not stays(group, least - 0.01)


def test_all_or_none_recovers_from_errors_where_reciprocators_do_not():
    # Everybody plays the same; of many rounds with rare errors all-or-none loses few, reciprocators most.
    game = repeated_public_goods(4, players="AON1, T3", r=3.0, w=0.9999, noise=0.001)
    alone = np.diagonal(jax.jit(jax.vmap(game.group_payoff))(3 * jnp.eye(2)))
    rounds, full = 1 / (1 - 0.9999), 2.0
    assert alone[0] / rounds > 0.97 * full
    assert alone[1] / rounds < 0.5 * full


def test_payoffs_have_derivatives():
    def mean(values):
        w, noise = values
        return repeated_public_goods(4, players="T2, AON1", w=w, noise=noise).payoffs(jnp.array([0.4, 0.6]))[0]

    at, step = jnp.array([0.8, 0.05]), 1e-6
    slope = jax.jit(jax.grad(mean))(at)
    f = jax.jit(mean)
    numeric = [(f(at.at[i].add(step)) - f(at.at[i].add(-step))) / (2 * step) for i in range(2)]
    np.testing.assert_allclose(slope, numeric, rtol=1e-5)
    assert np.isfinite(jax.jit(jax.grad(mean))(jnp.array([0.8, 0.0]))).all()


def test_game_enters_evolution():
    game = repeated_public_goods(3, players="T2, ALLD, ALLC", r=2.0, w=0.95)
    long_run = jax.jit(small_mutation_limit, static_argnums=1)(game, 30, 1.0)
    assert float(long_run.sum()) == pytest.approx(1.0)
    rare = jax.jit(small_mutation_limit, static_argnums=1)(
        repeated_public_goods(3, players="T2, ALLD, ALLC", r=2.0, w=0.0), 30, 1.0
    )
    assert float(rare[1]) > 0.95
    assert float(long_run[0]) > 0.5
    model = MoranBirthDeath(game, size=12, events=3)
    state = model.init(jax.random.key(0))
    after = jax.jit(model.step)(state, jax.random.key(1))
    assert int(after.sum()) == 12


def test_single_precision_agrees():
    game = repeated_public_goods(5, players="T3, AON1, ALLD", w=0.99, noise=0.01)
    shares = np.array([0.5, 0.3, 0.2])
    double = np.asarray(jax.jit(lambda g: g.payoffs(jnp.asarray(shares)))(game))
    with jax.enable_x64(False):
        single = np.asarray(jax.jit(lambda g: g.payoffs(jnp.asarray(shares)))(game))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, double, rtol=1e-4)


# Refusals


@pytest.mark.parametrize(
    ("refused", "words"),
    [
        (lambda: reciprocator(4, 4), r"least = 4: 0 to 3"),
        (lambda: all_or_none(4, 0), "memory = 0"),
        (lambda: named("ALLX", 5), r"unknown strategy in groups 'ALLX'.*ALL"),
        (lambda: repeated_public_goods(4, players="T4, ALLD"), "least = 4"),
        (lambda: group_automaton([1.2], np.zeros((1, 2, 3))), "probabilities"),
        (lambda: group_automaton([1.0], np.ones((1, 2, 3))), "a state is missing"),
        (lambda: group_automaton([1.0], np.zeros((1, 2))), "after: shape"),
        (lambda: n_player.group_payoffs([always(3, True)], [[2]], np.zeros((2, 3)), rounds=1), "sum to the group"),
        (lambda: n_player.group_payoffs([always(3, True)], [[3]], np.zeros((2, 3))), "one of the two"),
        (lambda: n_player.group_payoffs([always(3, True)], [[3]], np.zeros((2, 3)), rounds=0), "turns = 0"),
        (lambda: n_player.group_payoffs([always(3, True), always(2, True)], [[3, 0]], np.zeros((2, 3)), rounds=1),
         "different sizes"),
    ],
)  # fmt: skip
def test_refuses_in_one_line(refused, words):
    with pytest.raises(ParameterError, match=words) as caught:
        refused()
    assert "\n" not in str(caught.value)


def test_refuses_what_is_too_large(monkeypatch):
    monkeypatch.setattr(n_player, "MAX_STATES", 5)
    with pytest.raises(ParameterError, match="group = 6: more than 5 occupations"):
        n_player.group_payoffs([reactive_group([0.5] * 6)], [[6]], np.zeros((2, 6)), rounds=1)


def test_majority_is_half_of_the_others():
    for group in range(2, 11):
        after = majority(group).after[0, 0]
        assert after.tolist() == [0 if 2 * k >= group - 1 else 1 for k in range(group)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"continuation": 1.0}, "continuation = 1.0: a probability below 1"),
        ({"rounds": 4, "noise": 2.0}, "noise = 2.0"),
        ({"rounds": 4, "payoffs": public_goods_payoffs(5, 2.0)}, r"payoffs: shape \(2, 5\)"),
        ({"rounds": 4, "compositions": [[2, 1]]}, r"compositions: shape \(1, 2\)"),
    ],
)
def test_wrong_groups_are_refused(arguments, message):
    given = {"compositions": [[3]], "payoffs": public_goods_payoffs(3, 2.0)} | arguments
    with pytest.raises(ParameterError, match=message):
        n_player.group_payoffs([reciprocator(3, 2)], given.pop("compositions"), given.pop("payoffs"), **given)
