"""Entrants of Axelrod's tournaments, machines and look-up tables: their moves, and their rules told on all history."""

import math

import cases
import numpy as np
import pytest

from jaxcoord.games.repeated import library
from jaxcoord.games.repeated.automaton import memory_one
from jaxcoord.games.repeated.library import build
from jaxcoord.games.repeated.strategies.finite_state import cycle, machine
from jaxcoord.games.repeated.strategies.lookup import look_up
from jaxcoord.games.repeated.tournament import tournament

FAMILIES = ("first_tournament", "second_tournament", "finite_state", "lookup")
CASE = cases.load("strategies_cases.json", "S-A1")["S-A1"]
STRINGS = CASE["expected"]
TURNS = CASE["params"]["turns"]
NAMES = [found.name for found in library.strategies() if found.family in FAMILIES]
OPPONENTS = {
    "Alternator": cycle("CD"),
    "TitForTat": memory_one(1, 0, 1, 0),
    "WinStayLoseShift": memory_one(1, 0, 0, 1),
    **{f"script_{at}": cycle(script) for at, script in enumerate(CASE["params"]["scripts"])},
}


def after(table, state, own, other):
    return int(table.after[state, 2 * (own == "D") + (other == "D")])


def meet(one, other, turns):
    """Moves of two strategies that leave nothing to chance."""
    states, moves = [0, 0], ["", ""]
    for _ in range(turns):
        now = ["DC"[int(table.cooperate[state])] for table, state in zip((one, other), states, strict=True)]
        states = [after(one, states[0], *now), after(other, states[1], *now[::-1])]
        moves = [past + move for past, move in zip(moves, now, strict=True)]
    return moves


def chances(table, own, other):
    """The probability to cooperate before each round of a given history, and after it."""
    states = [0]
    for mine, theirs in zip(own, other, strict=True):
        states.append(after(table, states[-1], mine, theirs))
    return table.cooperate[states]


def histories(number, turns, seed):
    """Random pairs of histories, some of them nearly all C or nearly all D, some that change in the middle."""
    draw = np.random.default_rng(seed)
    share = draw.beta(0.6, 0.6, (number, 2, 2))
    change = draw.integers(1, turns, (number, 2, 1))
    rate = np.where(np.arange(turns) < change, share[..., :1], share[..., 1:])
    return [["".join(row) for row in pair] for pair in np.where(draw.random((number, 2, turns)) < rate, "C", "D")]


@pytest.mark.parametrize("name", [name for name in NAMES if name in STRINGS])
def test_moves_are_those_of_the_peer(name):
    for opponent, expected in STRINGS[name].items():
        own, other = meet(build(name, TURNS), OPPONENTS[opponent], TURNS)
        assert own == expected["self"], opponent
        assert other == expected.get("opponent", other)


def test_moves_do_not_depend_on_the_horizon():
    # What a table forgets because it cannot matter within its horizon does not matter.
    scripts = [cycle(other) for _, other in histories(12, 60, 5)]
    for name in NAMES:
        short, long = build(name, 60), build(name, 80)
        if not short.stochastic:
            for script in scripts:
                assert meet(short, script, 60) == meet(long, script, 60), name


@pytest.mark.parametrize("name", NAMES)
def test_is_what_the_list_says(name):
    found, table = library.find_strategy(name), build(name, 80)
    assert table.stochastic == found.stochastic
    assert found.doc.endswith(".")
    assert found.memory == math.inf or found.memory == int(found.memory)


# The rules told on the whole of both histories, where tables keep counts.


def coin_like(other):
    return abs(2 * other.count("C") - len(other)) <= math.sqrt(3.841459 * len(other))


def stein_and_rapoport(own, other):
    if len(other) < 4:
        return 1
    look = (len(other) + 1) // 15 * 15 - 1
    return 0 if look > 0 and coin_like(other[:look]) else other[-1] == "C"


def shubik(own, other):
    length = left = 0
    for mine, theirs in zip(own, other, strict=True):
        left -= left > 0
        if left == 0 and (mine, theirs) == ("C", "D"):
            left = length = length + 1
    return left == 0


def cave(own, other):
    move, defections = len(other) + 1, other.count("D")
    for later, share in ((39, 0.39), (29, 0.65), (19, 0.79)):
        if move > later and defections / move > share:
            return 0
    return 1 if other[-1:] != "D" else 0 if defections >= 18 else 0.5


def champion(own, other):
    move, share = len(other) + 1, other.count("C") / max(len(other), 1)
    if move <= 10 or other[-1] == "C":
        return 1
    return 0 if move <= 25 else 1 if share > 0.6 else share


def graaskamp_and_katzen(own, other):
    pays = {"CC": 3, "CD": 0, "DC": 5, "DD": 1}
    for move, needed in ((11, 23), (21, 53), (31, 83), (41, 113), (51, 143), (101, 293)):
        if len(own) >= move - 1 and sum(pays[a + b] for a, b in zip(own[: move - 1], other, strict=False)) < needed:
            return 0
    return other[-1:] != "D"


def grofman_again(own, other):
    if len(own) < 7:
        return len(own) < 2 or other[-1] == "C"
    return other[-8:-1].count("D") < (3 if own[-1] == "C" else 2)


def mikkelson(own, other):
    credit = 7
    for move, theirs in enumerate(other, start=2):
        credit = min(8, max(-7, credit + (1 if theirs == "C" else -2)))
        refused = credit <= 0
        if refused and move <= 10:
            credit = 4
    if not other or not refused:
        return 1
    return len(other) >= 10 and other.count("D") / (len(other) + 1) < 0.15


def white(own, other):
    move = len(other) + 1
    return move <= 10 or other[-1] == "C" or math.floor(math.log(move)) * other.count("D") < move


def adams(own, other):
    defections = other[1:].count("D")
    if defections in (4, 7, 9):
        return 0
    return 0.5 ** (defections - 9) if defections > 9 and other[-1] == "D" else 1


RULES = {
    "FirstByDavis": lambda own, other: len(own) < 10 or "D" not in other,
    "FirstByFeld": lambda own, other: (other[-1:] != "D") * (1 - len(own) / 400),
    "FirstByShubik": shubik,
    "FirstBySteinAndRapoport": stein_and_rapoport,
    "FirstByTullock": lambda own, other: 1 if len(own) < 11 else max(other[-10:].count("C") / 10 - 0.1, 0),
    "SecondByBlack": lambda own, other: (
        1 if len(own) < 5 else (1, 1, 0.88, 0.68, 0.4, 0.04)[other[-5:].count("D")]
    ),
    "SecondByCave": cave,
    "SecondByChampion": champion,
    "SecondByEatherley": lambda own, other: 1 - other.count("D") / len(other) if other[-1:] == "D" else 1,
    "SecondByGetzler": lambda own, other: 1 - sum(0.5**ago for ago, m in enumerate(other[::-1], 1) if m == "D"),
    "SecondByGraaskampKatzen": graaskamp_and_katzen,
    "SecondByGrofman": grofman_again,
    "SecondByMikkelson": mikkelson,
    "SecondByWhite": white,
    "SecondByWmAdams": adams,
}  # fmt: skip


@pytest.mark.parametrize("name", RULES)
def test_chances_follow_the_rule(name):
    # Only one strategy weighs a past that its table ends, after 13 moves.
    error = 2.0**-13 if name == "SecondByGetzler" else 1e-12
    table = build(name, 200)
    for own, other in histories(10, 199, 3):
        expected = [RULES[name](own[:at], other[:at]) for at in range(200)]
        np.testing.assert_allclose(chances(table, own, other), expected, rtol=0, atol=error)


def test_the_last_two_moves_betray_where_players_are_told():
    told = build("FirstBySteinAndRapoport", 60, told=True)
    assert meet(told, OPPONENTS["TitForTat"], 60)[0] == "C" * 58 + "DD"
    assert meet(build("FirstBySteinAndRapoport", 60), OPPONENTS["TitForTat"], 60)[0] == "C" * 60


def test_graaskamp_tells_coins_mimics_and_the_rest():
    table = build("FirstByGraaskamp", 120)
    shape = "C" * 50 + "D" + "C" * 5  # its own first moves against a cooperator
    # A shadow repeats the probe one move later and is copied ever after; so is a twin.
    shadow = "C" + shape[:-1]
    assert set(chances(table, shape + "C" * 60, shadow + "C" * 60)[57:]) == {1}
    assert set(chances(table, shape + "C" * 60, shape + "C" * 60)[57:]) == {1}
    # A coin is given up from move 57 on, or as soon as it looks like one.
    assert not chances(table, "C" * 56, "CD" * 28)[56]
    late = chances(table, "C" * 100, "C" * 56 + "D" * 44)
    first = next(seen for seen in range(56, 101) if coin_like(("C" * 56 + "D" * 44)[:seen]))
    assert not late[first:].any()
    assert late[first - 1] > 0
    # The rest are betrayed 5 to 14 moves after move 57, then after the last betrayal, each as likely.
    quiet = chances(table, shape + "C" * 14, "C" * 70)[56:]
    gap = [(1 - quiet[move]) * quiet[:move].prod() for move in range(15)]
    np.testing.assert_allclose(gap, [0] * 5 + [0.1] * 10, atol=1e-12)
    again = chances(table, shape + "C" * 8 + "D" + "C" * 13, "C" * 78)[64:]
    gap = [(1 - again[move]) * again[1:move].prod() for move in range(1, 15)]
    np.testing.assert_allclose(gap, [0] * 4 + [0.1] * 10, atol=1e-12)


def test_a_machine_reads_its_text():
    # Two states, each with its answers: alternation in answer to C, repetition in answer to D.
    table = machine("C0", "D1 C0, C0 D1")
    assert meet(table, cycle("CDDCD"), 6)[0] == "CDDDCC"


def test_a_look_up_reads_its_table():
    # One own move, two of the other's and its first: the place of an entry is its history in binary, C before D.
    table = look_up(1, 2, 1, [at / 16 for at in range(16)], "DC")
    for own, other in histories(5, 30, 2):
        places = [own[at - 1] + other[at - 2 : at] + other[0] for at in range(2, 31)]
        expected = [int(place.translate({67: "0", 68: "1"}), 2) / 16 for place in places]
        np.testing.assert_allclose(chances(table, own, other), [0, 1, *expected])


def test_first_tournament_ranks_nice_rules_above_the_others():
    nice = ["TitForTat", "Grudger", *("FirstBy" + name for name in ("Davis", "Grofman", "Nydegger", "Shubik"))]
    nice.append("FirstBySteinAndRapoport")
    others = ["Random", *("FirstBy" + name for name in ("Anonymous", "Feld", "Graaskamp", "Joss", "Tullock"))]
    results = tournament(nice + others, turns=200, repetitions=5, seed=1, progress=False)
    score = results["total"].median("repetition").to_series()
    assert score[nice].min() > score[others].max()
