"""Automata and matches: tables from functions, and moves equal to a plain loop, turn by turn."""

import cases
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxcoord import ParameterError
from jaxcoord.games.repeated.automaton import Automaton, automaton, from_function, memory_n, memory_one, minimal
from jaxcoord.games.repeated.play import count, matches, stack, unpack


def random_automaton(random, states, certain=False):
    chances = random.integers(0, 2, states) if certain else random.uniform(0, 1, states)
    return automaton(chances, random.integers(0, states, (states, 4)))


def seeds(number, at=0):
    words = jax.random.bits(jax.random.key(at), (2, number), jnp.uint32)
    return words[0], words[1]


def played(first, second, turns, number=1, noise=0.0, perception=0.0, at=0):
    tables = stack([first, second])
    start = [jnp.full(number, tables.first[i], jnp.int32) for i in (0, 1)]
    chance = first.stochastic or second.stochastic or noise > 0 or perception > 0
    moves = matches(
        tables, *start, seeds(number, at), noise, perception, turns=turns, noisy=bool(chance), misread=perception > 0
    )
    return moves, [unpack(words, turns) for words in moves]


def plain(first, second, turns):
    """Moves of two automata that leave nothing to chance, one turn at a time."""
    a = b = 0
    history = []
    for _ in range(turns):
        x, y = first.cooperate[a] > 0.5, second.cooperate[b] > 0.5
        history.append((x, y))
        a, b = first.after[a, 2 * (not x) + (not y)], second.after[b, 2 * (not y) + (not x)]
    return np.array(history).T


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**30), st.sampled_from([1, 2, 31, 32, 33, 64, 100]))
def test_moves_are_those_of_a_plain_loop(seed, turns):
    random = np.random.default_rng(seed)
    first, second = (random_automaton(random, int(random.integers(1, 6)), certain=True) for _ in range(2))
    _, moves = played(first, second, turns)
    np.testing.assert_array_equal([one[0] for one in moves], plain(first, second, turns))


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**30), st.sampled_from([1, 2, 32, 33, 65]))
def test_counts_are_those_of_the_moves(seed, turns):
    random = np.random.default_rng(seed)
    first, second = (random_automaton(random, 3) for _ in range(2))
    moves, (own, other) = played(first, second, turns, number=5, at=seed % 1000)
    last = np.array([1, turns, (turns + 1) // 2, turns, 1])
    found = count(moves, last)
    for match in range(5):
        x, y = own[match, : last[match]], other[match, : last[match]]
        outcome = 2 * ~x + ~y
        np.testing.assert_array_equal(found.outcomes[match], np.bincount(outcome, minlength=4))
        np.testing.assert_array_equal(found.followed[match], np.bincount(outcome[:-1], minlength=4))
        for o in range(4):
            after = np.flatnonzero(outcome[:-1] == o) + 1
            np.testing.assert_array_equal(found.cooperated[match, o], [x[after].sum(), y[after].sum()])


def test_chance_is_as_frequent_as_the_table_says():
    first, second = memory_one(0.9, 0.2, 0.6, 0.3, 0.7), memory_one(0.5, 0.8, 0.1, 0.4, 0.2)
    _, (own, other) = played(first, second, 3, number=40_000, noise=0.05)
    lived = np.array([0.7, 0.2])
    meant = lived + 0.05 * (1 - 2 * lived)
    start = np.outer([meant[0], 1 - meant[0]], [meant[1], 1 - meant[1]]).ravel()
    p, q = np.array([0.9, 0.2, 0.6, 0.3]), np.array([0.5, 0.1, 0.8, 0.4])
    p, q = p + 0.05 * (1 - 2 * p), q + 0.05 * (1 - 2 * q)
    step = np.stack([p * q, p * (1 - q), (1 - p) * q, (1 - p) * (1 - q)], 1)
    for turn, expected in enumerate((start, start @ step, start @ step @ step)):
        outcome = 2 * ~own[:, turn] + ~other[:, turn]
        cases.assert_frequencies(np.bincount(outcome, minlength=4), expected)


def test_noise_is_seen_by_both_and_misperception_by_one():
    tft, cooperator = memory_one(1, 0, 1, 0), memory_one(1, 1, 1, 1)
    _, (own, other) = played(tft, cooperator, 200, number=500, noise=0.1)
    np.testing.assert_allclose(other.mean(), 0.9, atol=4 * np.sqrt(0.09 / 100_000))
    # Tit for tat answers every slip of the other, each answer slipping as well.
    echo = own[:, 1:] == other[:, :-1]
    np.testing.assert_allclose(echo.mean(), 0.9, atol=4 * np.sqrt(0.09 / 99_500))
    _, (own, other) = played(tft, cooperator, 200, number=500, perception=0.1)
    assert other.all(), "what is misread was done all the same"
    np.testing.assert_allclose(own[:, 1:].mean(), 0.9, atol=4 * np.sqrt(0.09 / 99_500))
    assert own[:, 0].all()


def test_matches_do_not_depend_on_their_neighbours():
    first, second = memory_one(0.9, 0.2, 0.6, 0.3, 0.7), memory_one(0.5, 0.8, 0.1, 0.4, 0.2)
    tables, words = stack([first, second]), seeds(6)
    start = jnp.zeros(6, jnp.int32), jnp.full(6, tables.first[1], jnp.int32)
    options = {"turns": 50, "noisy": True, "misread": False}
    whole = matches(tables, *start, words, 0.0, 0.0, **options)
    part = matches(tables, *(x[2:4] for x in start), tuple(w[2:4] for w in words), 0.0, 0.0, **options)
    np.testing.assert_array_equal(whole.own[2:4], part.own)


# Automata


def test_memory_n_looks_at_its_history_oldest_first():
    random = np.random.default_rng(0)
    probabilities = random.integers(0, 2, 16).astype(float)
    table = memory_n(2, probabilities, first=[1.0, 0.0])
    state, history = 0, []
    for turn in range(60):
        expected = [1.0, 0.0][turn] if turn < 2 else probabilities[4 * history[-2] + history[-1]]
        assert table.cooperate[state] == expected
        history.append(int(random.integers(0, 4)))
        state = table.after[state, history[-1]]
    one = memory_n(1, [1.0, 0.3, 1.0, 0.3])
    np.testing.assert_array_equal(minimal(one).cooperate, minimal(memory_one(1, 0.3, 1, 0.3)).cooperate)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**30))
def test_the_smallest_automaton_plays_the_same(seed):
    random = np.random.default_rng(seed)
    core = random_automaton(random, 3, certain=True)
    # The same strategy with every state twice over, successors drawn among the twins.
    twin = np.tile(core.after, (2, 1)) + 3 * random.integers(0, 2, (6, 4))
    double = automaton(np.tile(core.cooperate, 2), twin)
    small = minimal(double)
    assert len(small.cooperate) <= 3
    state, other = 0, 0
    for outcome in random.integers(0, 4, 50):
        assert small.cooperate[other] == double.cooperate[state]
        state, other = double.after[state, outcome], small.after[other, outcome]


def test_a_horizon_bounds_what_counts_for_ever():
    def majority(turns):
        return from_function(0, lambda lead: lead >= 0, lambda lead, own, other: lead + (1 if other else -1), turns)

    with pytest.raises(ParameterError, match="more than 500000 states; say how many turns"):
        majority(None)
    table = majority(50)
    random = np.random.default_rng(1)
    state, lead = 0, 0
    for outcome in random.integers(0, 4, 50):
        assert table.cooperate[state] == (lead >= 0)
        state, lead = table.after[state, outcome], lead + (1 if outcome % 2 == 0 else -1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: automaton([0.5, 1.5], [[0] * 4] * 2), r"cooperate\[1\] = 1\.5: a probability, 0 to 1, is needed"),
        (lambda: automaton([np.nan], [[0] * 4]), r"cooperate\[0\] = nan: a probability"),
        (
            lambda: automaton([1, 0], [[0, 1, 0, 2], [0] * 4]),
            r"after\[0\]: state 2 after DD is missing; there are 0 to 1",
        ),
        (lambda: automaton([1, 0], [[0] * 4]), r"after: shape \(1, 4\); \(2, 4\) is needed"),
        (lambda: automaton([1, 0], [[0] * 4, [0]]), "tables of numbers are needed"),
        (lambda: automaton([], []), r"cooperate: shape \(0,\); \[Q\] is needed"),
        (lambda: memory_n(2, [1.0] * 4), "4 given; depth 2 needs 16"),
        (lambda: memory_n(1, [1.0] * 4, first=[1.0, 1.0]), "first: 2 given; depth 1 needs one number, or 1"),
        (lambda: from_function(0, lambda s: 2.0, lambda s, own, other: s), r"cooperate\[0\] = 2: a probability"),
    ],
)
def test_a_table_that_is_none_is_refused(make, message):
    with pytest.raises(ParameterError, match=message):
        make()


def test_automata_know_whether_they_leave_anything_to_chance():
    assert not memory_one(1, 0, 1, 0).stochastic
    assert memory_one(1, 0.5, 1, 0).stochastic
    assert isinstance(minimal(memory_one(1, 1, 1, 1)), Automaton)
    assert len(minimal(memory_one(1, 1, 1, 1)).cooperate) == 1
