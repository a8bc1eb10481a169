"""Named strategies that remember, count, bear grudges, hunt or toss coins: their moves, and rules on all history."""

import itertools
import math
import time

import cases
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcoord.errors import ParameterError
from jaxcoord.games.repeated import library, play
from jaxcoord.games.repeated.automaton import automaton
from jaxcoord.games.repeated.library import Payoffs, build

FAMILIES = ("basic", "counting", "grudging", "hunting", "random")
MINE = {found.name: found for found in library.strategies() if found.family in FAMILIES}
CASE = cases.load("strategies_cases.json", "S-A1")["S-A1"]
VECTORS = cases.load("strategies_cases.json", "S-A4")["S-A4"]
TURNS = 120


def script(moves):
    """Plays these moves, and keeps to the last one."""
    size = len(moves)
    return automaton([move == "C" for move in moves], [[min(at + 1, size - 1)] * 4 for at in range(size)])


def meet(pairs, turns):
    """Moves of pairs of automata that leave nothing to chance, strings."""
    both = play.stack([table for pair in pairs for table in pair])
    first = jnp.asarray(both.first, jnp.int32)
    seed = (jnp.zeros(len(pairs), jnp.uint32),) * 2
    moves = play.matches(both, first[::2], first[1::2], seed, 0.0, 0.0, turns=turns, noisy=False, misread=False)
    return [
        tuple("".join("DC"[int(move)] for move in side) for side in pair)
        for pair in zip(*(play.unpack(words, turns) for words in moves), strict=True)
    ]


def chances(table, own, other):
    """The probability to cooperate in each round of a given history."""
    state, found = 0, []
    for mine, theirs in zip(own, other, strict=True):
        found.append(table.cooperate[state])
        state = table.after[state, 2 * (mine == "D") + (theirs == "D")]
    return np.array(found)


def test_moves_of_the_reference():
    turns, scripts = CASE["params"]["turns"], CASE["params"]["scripts"]
    names = [name for name in CASE["expected"] if name in MINE]
    assert len(names) == 66
    opponents = {name: build(name, turns) for name in ("Alternator", "TitForTat", "WinStayLoseShift")}
    opponents |= {f"script_{at}": script(moves) for at, moves in enumerate(scripts)}
    asked = list(itertools.product(names, opponents))
    played = meet([(build(name, turns), opponents[against]) for name, against in asked], turns)
    for (name, against), (own, other) in zip(asked, played, strict=True):
        expected = CASE["expected"][name][against]
        assert own == expected["self"], (name, against)
        assert other == expected.get("opponent", other), (name, against)


@pytest.mark.parametrize("name", [name for name in VECTORS["expected"] if name in MINE])
def test_vectors_of_memory_one(name):
    expected = VECTORS["expected"][name]
    table = build(name)
    cases.assert_close(table.cooperate[1:], expected["p_CC_CD_DC_DD"], VECTORS["tolerance"])
    assert table.cooperate[0] == (expected["initial"] == "C")
    assert table.after.tolist() == [[1, 2, 3, 4]] * 5


# The same rules, told on the whole past: own moves and the other's, to the probability to cooperate.


def window(size, hard):
    return lambda own, other: 2 * other[-size:].count("C") - len(other[-size:]) >= hard


def ratio(value):
    def rule(own, other):
        if not own:
            return True
        both = own + other
        return "D" in other and both.count("C") <= value * both.count("D")

    return rule


def retaliate(share):
    def rule(own, other):
        met = [mine + theirs for mine, theirs in zip(own, other, strict=True)]
        return met.count("CD") <= met.count("DC") * share

    return rule


def grumpy(own, other):
    mood = False
    for at in range(1, len(other) + 1):
        score = other[:at].count("D") - other[:at].count("C")
        mood = score >= -10 if mood else score > 10
    return not mood


def world(own, other):
    image = 0.5
    for move in other:
        image = image + 0.5 * ((move == "C") - image)
    return image >= 0.5


def adaptive(own, other):
    pay = {"CC": 3, "CD": 0, "DC": 5, "DD": 1}
    if len(own) < 11:
        return len(own) < 6
    earned = [(mine, pay[mine + theirs]) for mine, theirs in zip(own, other, strict=True)]
    return sum(x for move, x in earned if move == "C") > sum(x for move, x in earned if move == "D")


def gradual(counts_always):
    def rule(own, other):
        plan, seen = "", 0
        for at, move in enumerate(other):
            free, plan = len(plan) <= 1, plan[1:]
            seen += move == "D" and (counts_always or free)
            if free and move == "D":
                plan = (other[: at + 1].count("D") if counts_always else seen) * "D" + "CC"
        return plan[:1] != "D"

    return rule


def prober_4(own, other):
    if len(own) < 20:
        return "CCDCDDDCCDCDCCDCDDCD"[len(own)] == "C"
    met = [mine + theirs for mine, theirs in zip(own[:19], other[:19], strict=True)]
    if abs(met.count("DD") - met.count("CD")) <= 2:
        return False
    return len(own) < 25 or other[-1] == "C"


def cycles(seen, shortest, longest):
    """Lengths of cycles that the moves have repeated from the start, at least twice."""
    return [
        size
        for size in range(shortest, min(longest, len(seen) // 2) + 1)
        if all(move == seen[at % size] for at, move in enumerate(seen))
    ]


def cycle_hunter(own, other):
    return not any(len(set(other[:at])) == 2 and cycles(other[:at], 3, 12) for at in range(min(len(other), 24) + 1))


def calculator(own, other):
    if len(own) < 20:
        return (0.9 if own else 1.0) * (other[-1:] != "D")
    return not cycles(other[:20], 1, 10) and other[-1] == "C"


def contrite(own, other):
    meant, sorry = True, False
    for mine, theirs in zip(own, other, strict=True):
        if sorry and mine == "C":
            meant, sorry = True, False
        else:
            sorry = sorry or (meant and mine == "D" and theirs == "C")
            meant = theirs == "C"
    return meant


def michaelos(own, other):
    pairs = list(zip(own, other, strict=True))
    coins = [at + 1 for at, met in enumerate(pairs) if met == ("D", "C")]
    if "D" in (own[at] for at in coins if at < len(own)):
        return False
    return 0.5 if coins[-1:] == [len(own)] else other[-1:] != "D"


def self_esteem(own, other):
    level = math.sin(2 * math.pi * (len(own) % 10) / 10)
    return level < 0 if abs(level) > 0.95 else other[-1:] != "D" if abs(level) > 0.3 else 0.5


def share_of_c(own, other):
    return other.count("C") / len(other)


RULES = {
    "AON2": lambda own, other: len(own) < 2 or own[-2:] == other[-2:],
    "DelayedAON1": lambda own, other: (
        own[-2:] == other[-2:] or len(own) < 2 or {own[-2:], other[-2:]} == {"CD", "DD"}
    ),
    "Adaptive": adaptive,
    "AdaptiveTitForTat": world,
    "AlternatorHunter": lambda own, other: other[:6] not in ("CDCDCD", "DCDCDC"),
    "AverageCopier": lambda own, other: share_of_c(own, other) if own else 0.5,
    "BetterAndBetter": lambda own, other: (len(own) + 1) / 1000,
    "Calculator": calculator,
    "ContriteTitForTat": contrite,
    "CooperatorHunter": lambda own, other: len(own) < 4 or "D" in other,
    "CycleHunter": cycle_hunter,
    "DefectorHunter": lambda own, other: len(own) < 4 or "C" in other,
    "Doubler": lambda own, other: other[-1:] != "D" or other.count("C") > 2 * other.count("D"),
    "e": ratio(math.e),
    "Forgiver": lambda own, other: 10 * other.count("D") <= len(other),
    "ForgivingTitForTat": lambda own, other: other[-1:] != "D" or 10 * other.count("D") <= len(other),
    "GoByMajority": window(TURNS, 0),
    "GoByMajority5": window(5, 0),
    "GoByMajority10": window(10, 0),
    "HardGoByMajority": window(TURNS, 1),
    "HardGoByMajority5": window(5, 1),
    "HardGoByMajority10": window(10, 1),
    "Golden": ratio((1 + math.sqrt(5)) / 2),
    "Gradual": gradual(True),
    "OriginalGradual": gradual(False),
    "Grumpy": grumpy,
    "Inverse": lambda own, other: 1 - 1 / (other[::-1].index("D") + 1) if "D" in other else 1.0,
    "LevelPunisher": lambda own, other: len(own) < 10 or 5 * other.count("D") <= len(other),
    "Michaelos": michaelos,
    "NiceAverageCopier": lambda own, other: share_of_c(own, other) if own else 1.0,
    "Pi": ratio(math.pi),
    "Prober2": lambda own, other: (
        "DCC"[len(own)] == "C" if len(own) < 3 else other[1:3] == "DC" or other[-1] == "C"
    ),
    "Prober4": prober_4,
    "RandomTitForTat": lambda own, other: 0.5 if own and len(own) % 2 == 0 else other[-1:] != "D",
    "RemorsefulProber": lambda own, other: (
        (other[-2:-1] == "C" and own[-1] == "D") if other[-1:] == "D" else 0.9 if own else 1.0
    ),
    "Retaliate": retaliate(0.1),
    "Retaliate2": retaliate(0.08),
    "Retaliate3": retaliate(0.05),
    "SelfSteem": self_esteem,
    "ShortMem": lambda own, other: (
        len(own) < 11
        or {True: other[-1] == "C", False: other[-10:].count("C") > 5}[abs(other[-10:].count("C") - 5) < 2]
    ),
    "SlowTitForTwoTats2": lambda own, other: (
        len(own) < 2 or (other if other[-1] == other[-2] else own)[-1] == "C"
    ),
    "SpitefulTitForTat": lambda own, other: "DD" not in other and other[-1:] != "D",
    "TrickyCooperator": lambda own, other: len(own) < 3 or "D" in other[-10:],
    "TrickyDefector": lambda own, other: other[-3:] == "DDD" and "C" in other,
    "TrickyLevelPunisher": lambda own, other: len(own) >= 100 or other.count("D") <= 0.05 * len(other),
    "VeryBad": lambda own, other: (
        len(own) < 3
        or (other[-1] == "C" if 2 * other.count("C") == len(other) else 2 * other.count("C") > len(other))
    ),
    "WorseAndWorse": lambda own, other: 1 - (len(own) + 1) / 1000,
    "WorseAndWorse2": lambda own, other: other[-1:] != "D" if len(own) < 20 else 20 / (len(own) + 1),
    "WorseAndWorse3": lambda own, other: share_of_c(own, other) if own else 1.0,
}  # fmt: skip


def histories():
    """Pairs of histories: random ones, some of them nearly all C or D, and the other's cycles and single slips."""
    draw = np.random.default_rng(4)
    share = draw.beta(0.5, 0.5, (40, 2, 2))
    change = draw.integers(1, TURNS, (40, 2, 1))
    rate = np.where(np.arange(TURNS) < change, share[..., :1], share[..., 1:])
    cooperates = list(draw.random((40, 2, TURNS)) < rate)
    for size in range(1, 13):
        repeated = np.resize(draw.random(size) < 0.5, TURNS)
        cooperates += [np.stack([draw.random(TURNS) < 0.5, repeated ^ (np.arange(TURNS) == at)]) for at in (TURNS, 17)]
    for at in (3, 20, 52, 53, 54, 55, 100):
        cooperates.append(np.stack([np.arange(TURNS) % 5 > 0, (np.arange(TURNS) != at) & (np.arange(TURNS) != 1)]))
        cooperates.append(np.stack([np.arange(TURNS) > 0, np.arange(TURNS) != at]))
    return [["".join("DC"[int(move)] for move in row) for row in pair] for pair in cooperates]


HISTORIES = histories()


@pytest.mark.parametrize("name", RULES)
def test_the_rule_on_all_history(name):
    table, rule = build(name, TURNS), RULES[name]
    for own, other in HISTORIES:
        expected = [float(rule(own[:at], other[:at])) for at in range(TURNS)]
        np.testing.assert_allclose(chances(table, own, other), expected, rtol=1e-12, err_msg=f"{own} {other}")


def test_michaelos_is_lost_for_ever_by_the_coin():
    assert chances(build("Michaelos"), "CDDCCC", "DCCCCC").tolist() == [1, 0, 0.5, 0, 0, 0]
    assert chances(build("Michaelos"), "CDCCCC", "DCCCCC").tolist() == [1, 0, 0.5, 1, 1, 1]


@pytest.mark.parametrize(
    ("name", "last"), [("Alexei", 1), ("EugineNier", 1), ("Michaelos", 1), ("BackStabber", 2), ("DoubleCrosser", 2)]
)
def test_who_is_told_the_length_betrays_at_the_end(name, last):
    others = TURNS * "C"
    assert chances(build(name, TURNS, told=True), others, others).tolist() == (TURNS - last) * [1] + last * [0]
    assert chances(build(name, TURNS, told=False), others, others).tolist() == TURNS * [1]


def test_known_length_sets_the_pace():
    table = build("KnowledgeableWorseAndWorse", TURNS, told=True)
    expected = [1 - turn / TURNS for turn in range(1, TURNS + 1)]
    np.testing.assert_allclose(chances(table, TURNS * "C", TURNS * "C"), expected, atol=1e-12)
    assert not build("KnowledgeableWorseAndWorse", TURNS, told=False).stochastic


def test_generosity_and_adaptive_follow_the_game():
    donation = Payoffs(reward=2, sucker=-1, temptation=3, punishment=0)
    # min(1 - (3 - 2) / (2 + 1), (2 - 0) / (3 - 0)) = 2/3; the standard game gives 1/3.
    np.testing.assert_allclose(build("GTFT", game=donation).cooperate, [1, 1, 2 / 3, 1, 2 / 3], rtol=1e-12)
    # After CCCCCC DDDDD against a cooperator: 6 R against 5 T.
    for temptation, after in ((5, 0), (3.5, 1)):
        game = Payoffs(temptation=temptation)
        assert chances(build("Adaptive", 20, game=game), 6 * "C" + 6 * "D", 12 * "C")[-1] == after


@pytest.mark.parametrize("name", [name for name in MINE if name.startswith("ZD")])
def test_zero_determinant_strategies_draw_their_line_in_another_game(name):
    slope, baseline = {
        "ZDExtort2": (1 / 2, "P"), "ZDExtort2v2": (1 / 2, 1), "ZDExtort3": (1 / 3, 1), "ZDExtort4": (1 / 4, 1),
        "ZDExtortion": (0.1, 1), "ZDMischief": (0, 1), "ZDGTFT2": (1 / 2, "R"), "ZDGen2": (1 / 2, 3), "ZDSet2": (0, 2),
    }[name]  # fmt: skip
    game = Payoffs(reward=3, sucker=0.5, temptation=4.5, punishment=1)
    level = {"P": game.punishment, "R": game.reward}.get(baseline, baseline)
    p, q = build(name, game=game).cooperate[1:], np.array([0.7, 0.3, 0.6, 0.2])
    theirs = q[[0, 2, 1, 3]]
    step = np.stack([p * theirs, p * (1 - theirs), (1 - p) * theirs, (1 - p) * (1 - theirs)], 1)
    share = np.linalg.lstsq(np.vstack([step.T - np.eye(4), np.ones(4)]), np.array([0, 0, 0, 0, 1.0]), rcond=None)[0]
    own, other = share @ np.array(game)[[0, 1, 2, 3]], share @ np.array(game)[[0, 2, 1, 3]]
    assert abs((other - level) - slope * (own - level)) < 1e-12


def test_zero_determinant_strategies_that_do_not_exist_say_so():
    with pytest.raises(ParameterError, match="ZDExtort4 does not exist in this game: baseline = 1"):
        build("ZDExtort4", game=Payoffs(reward=6, sucker=2, temptation=8, punishment=4))


def test_contrition_needs_one_slip_one_penance():
    """After a slip of one of two contrite players: (D, C), (C, D), peace. Tit for tat goes on for ever."""
    for name, expected in (("ContriteTitForTat", "DC CD CC CC"), ("TitForTat", "DC CD DC CD")):
        table = build(name)
        states, met = [0, 0], []
        for turn in range(4):
            meant = [bool(table.cooperate[state]) for state in states]
            moves = [meant[0] and turn > 0, meant[1]]
            states = [
                int(table.after[state, 3 - 2 * own - other])
                for state, own, other in zip(states, moves, moves[::-1], strict=True)
            ]
            met.append("".join("DC"[move] for move in moves))
        assert " ".join(met) == expected


def test_omega_breaks_out_of_retaliation_and_gives_up_on_chance():
    tit_for_tat, omega = build("SuspiciousTitForTat"), build("OmegaTFT", TURNS)
    (own, other), (alike, _) = meet([(omega, tit_for_tat), (build("TitForTat"), tit_for_tat)], TURNS)
    assert alike == "CD" * (TURNS // 2)
    assert (own[10:], other[10:]) == ((TURNS - 10) * "C",) * 2
    coin = "".join("DC"[move] for move in np.random.default_rng(0).integers(0, 2, TURNS))
    assert "C" not in meet([(omega, script(coin))], TURNS)[0][0][TURNS // 2 :]


def test_entries_are_complete():
    assert len(MINE) == 122
    for found in MINE.values():
        assert found.source, found.name
        assert found.doc.endswith("."), found.name
        assert len(found.doc) <= 120, found.name


def test_tables_are_small_quickly_built_and_declare_chance():
    began = time.process_time()
    tables = {name: build(name, told=True) for name in MINE}
    assert time.process_time() - began < 15
    sizes = [len(table.cooperate) for table in tables.values()]
    assert max(sizes) < 40_000
    assert sum(sizes) < 300_000
    assert {name: table.stochastic for name, table in tables.items()} == {
        name: found.stochastic for name, found in MINE.items()
    }


@pytest.mark.parametrize(
    "name", [name for name, found in MINE.items() if found.memory <= 1 and name != "RandomTitForTat"]
)
def test_memory_of_one_round_is_all_they_have(name):
    table = build(name)
    follow = {tuple(row) for row in table.cooperate[table.after].round(12).tolist()}
    assert len(follow) == 1, "what follows an outcome depends on more than the outcome"
