"""Strategies of registers: their moves, their rules told on all history, and matches with automata and among them."""

import doctest
import importlib
import itertools
import math
from fractions import Fraction

import cases
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcoord import ParameterError
from jaxcoord.games.repeated import tournament as rounds
from jaxcoord.games.repeated.automaton import automaton, memory_one
from jaxcoord.games.repeated.exact import outcome_rates
from jaxcoord.games.repeated.fingerprint import dual
from jaxcoord.games.repeated.library import Payoffs, build, find_strategy, strategies
from jaxcoord.games.repeated.machine import Machine, machine
from jaxcoord.games.repeated.meet import field, mixed_matches, play
from jaxcoord.games.repeated.play import unpack
from jaxcoord.games.repeated.strategies.finite_state import cycle
from jaxcoord.games.repeated.strategies.lookup import numbers
from jaxcoord.games.repeated.strategies.neural import FIVE, FIVE_NOISE, TEN
from jaxcoord.games.repeated.tournament import tournament

MINE = {one.name: one for one in strategies() if one.family in ("registers", "neural")}
CASE = cases.load("strategies_cases.json", "S-A1")["S-A1"]
TURNS = 100


def letters(moves):
    return "".join("DC"[int(move)] for move in moves)


def test_moves_of_the_reference():
    turns = CASE["params"]["turns"]
    opponents = {name: build(name) for name in ("Alternator", "TitForTat", "WinStayLoseShift")}
    opponents |= {f"script_{at}": cycle(moves) for at, moves in enumerate(CASE["params"]["scripts"])}
    names = [name for name in CASE["expected"] if name in MINE]
    assert len(names) == 12
    met = field([*(build(name, turns) for name in names), *opponents.values()])
    one, other = np.indices((len(names), len(opponents))).reshape(2, -1)
    seed = (np.zeros(len(one), np.uint32),) * 2
    seats = met.seats(one, len(names) + other)
    moves = mixed_matches(met.machines, met.tables, seats, seed, 0.0, 0.0, turns=turns, noisy=False, misread=False)
    played = zip(*(unpack(words, turns) for words in moves), strict=True)
    for (name, against), (own, heard) in zip(itertools.product(names, opponents), played, strict=True):
        expected = CASE["expected"][name][against]
        assert letters(own) == expected["self"], (name, against)
        assert letters(heard) == expected.get("opponent", letters(heard)), (name, against)


def test_every_strategy_of_the_reference_is_here():
    # Those with tables are compared in test_strategies_basic and test_strategies_tournament.
    assert len(CASE["expected"]) == 109
    assert set(CASE["expected"]) <= {one.name for one in strategies()}


# The same rules, told on the whole past: own moves and the other's, to whether to cooperate. Shares are compared in
# double precision, as the reference does.


def share(part, whole, otherwise=0.0):
    return part / whole if whole else otherwise


def answers(before, move, other):
    """How often the other played C right after a move."""
    return sum(mine == move and theirs == "C" for mine, theirs in zip(before, other, strict=False))


def majority(size, least):
    return lambda own, other: 2 * other[-size:].count("C") - len(other[-size:]) >= least


def random_hunter(own, other):
    if len(own) <= 10:
        return True
    d_after_d = sum(mine == theirs == "D" for mine, theirs in zip(own, other[1:], strict=False))
    shares = [
        times / own.count(move)
        for move, times in (("C", answers(own, "C", other[1:])), ("D", d_after_d))
        if own.count(move) > 5
    ]
    return any(abs(one - 0.5) >= 0.25 for one in shares)


def downing(own, other):
    if len(own) < 2:
        return False
    before = "C" + own
    good = answers(before, "C", other) / before.count("C")
    bad = answers(before, "D", other) / max(own.count("D"), 2)
    by_c, by_d = good * 3 + (1 - good) * 0, bad * 5 + (1 - bad) * 1
    return own[-1] == "D" if by_c == by_d else by_c > by_d


def revised_downing(own, other):
    good = share(answers(own, "C", other[1:]), own[:-1].count("C"), 1.0)
    bad = share(answers(own, "D", other[1:]), own[:-1].count("D"))
    always, turns = 6.0 * good - 8.0 * bad - 2, 4.0 * good - 5.0 * bad - 1
    if not own or (always >= 0 and always >= turns):
        return True
    return max(always, turns) >= 0 and own[-1] == "D"


def constant_hunter(own, other):
    size = len(own)
    if size < 8 or len(set(other)) < 2:
        return True
    parts = [slice(0, size // 2), slice(size // 4, 3 * size // 4), slice(size // 2, size)]
    first, *later = (0.5 * (own[part] + other[part]).count("C") / len(own[part]) for part in parts)
    return any(abs(first - one) >= 0.2 for one in later)


def frequency_analyzer(own, other):
    met = [theirs + mine for theirs, mine in zip(other, own, strict=True)]
    after = {}
    for at in range(5, len(met)):
        after.setdefault((met[at - 2], met[at - 1]), []).append(other[at])
    if len(own) < 30 or tuple(met[-2:]) not in after:
        return other[-1:] != "D"
    return after[tuple(met[-2:])].count("C") / len(own) > 0.25


def eventual_cycle_hunter(own, other):
    looked = other[: len(other) // 10 * 10]
    tail = looked[10:]
    sizes = range(3, min(len(tail) // 2, 12) + 1)
    return "D" not in looked or not any(tail == (len(tail) * tail[:size])[: len(tail)] for size in sizes)


def tideman_and_chieruzzi(own, other):
    move, defections, runs, owed, last, points = "C", 0, 0, 0, None, 0
    welcome = False
    for turn, (mine, theirs) in enumerate(zip(own, other, strict=True), start=1):
        defections += theirs == "D"
        points += {"DC": 5, "CD": -5}.get(mine + theirs, 0)
        deviation = math.sqrt(turn) / 2
        if welcome:
            welcome, move = False, "C"
        elif (
            points >= 10 and theirs == "C" and (last is None or turn - last >= 20)
            and abs(defections - turn / 2) >= 3 * deviation
        ):  # fmt: skip
            welcome, move, last, defections, runs, owed = True, "C", turn, 0, 0, 0
        elif owed:
            owed, move = owed - 1, "D"
        else:
            move = theirs
            if theirs == "D":
                runs += 1
                owed = runs - 1
    return move == "C"


def weiner(own, other):
    ready, row, grudge, move = False, 0, 0, "C"
    for turn, theirs in enumerate(other, start=1):
        move = theirs
        if ready:
            if theirs == "D" and grudge <= turn:
                grudge, move = grudge + 20, "C"
            ready, row = False, 0
        elif theirs == "D":
            row += 1
        else:
            ready, row = row % 2 == 1, 0
        if other[max(turn - 13, 0) : turn - 1].count("D") >= 5:
            move = "D"
    return move == "C"


def network(text):
    weights = np.array(numbers(text))
    units = len(weights) // 19
    into, out, bias = weights[: 17 * units].reshape(units, 17), weights[17 * units : 18 * units], weights[18 * units :]

    def rule(own, other):
        seen = [other[:1], other[1:2], own[-1:], own[-2:-1], other[-1:], other[-2:-1]]
        counts = [moves.count(move) for moves in (other, own) for move in "CD"]
        inputs = [moves == move for moves in seen for move in "CD"] + counts + [len(own)]
        value = into @ np.array(inputs, float) + bias
        return np.maximum(np.trunc(value) if value[0] < 0 else value, 0) @ out > 0

    return rule


RULES = {
    "GoByMajority20": majority(20, 0),
    "GoByMajority40": majority(40, 0),
    "HardGoByMajority20": majority(20, 1),
    "HardGoByMajority40": majority(40, 1),
    "RandomHunter": random_hunter,
    "FirstByDowning": downing,
    "RevisedDowning": revised_downing,
    "MathConstantHunter": constant_hunter,
    "FrequencyAnalyzer": frequency_analyzer,
    "EventualCycleHunter": eventual_cycle_hunter,
    "FirstByTidemanAndChieruzzi": tideman_and_chieruzzi,
    "SecondByWeiner": weiner,
    "EvolvedANN": network(TEN),
    "EvolvedANN5": network(FIVE),
    "EvolvedANNNoise05": network(FIVE_NOISE),
}


def histories():
    """Pairs of histories `[H, 2, TURNS]`: random ones, many nearly all C or D, and the other's cycles with slips."""
    draw = np.random.default_rng(7)
    level = draw.beta(0.5, 0.5, (30, 2, 2))
    change = draw.integers(1, TURNS, (30, 2, 1))
    found = list(draw.random((30, 2, TURNS)) < np.where(np.arange(TURNS) < change, level[..., :1], level[..., 1:]))
    for size in range(1, 14):
        repeated = np.resize(draw.random(size) < 0.5, TURNS)
        found += [np.stack([draw.random(TURNS) < 0.5, repeated ^ (np.arange(TURNS) == at)]) for at in (TURNS, 33)]
    for late in (8, 9, 10, 25):
        found.append(np.stack([np.arange(TURNS) % 7 > 0, np.arange(TURNS) != late]))
    # A provocation that may be forgiven as soon as 20 rounds have passed since the last one, and one too early.
    for last in (18, 19):
        found.append(np.stack([np.arange(TURNS) > 3, ~np.isin(np.arange(TURNS), (0, 2, last - 2, last))]))
    return np.array(found)


HISTORIES = histories()


def chances(one, histories):
    """`[H, T]`: the probability to cooperate in each round of given histories `[H, 2, T]`."""

    def along(history):
        def turn(registers, moves):
            return one.update(registers, moves[0], moves[1]), jnp.asarray(one.move(registers), float)

        return jax.lax.scan(turn, one.start, history.T)[1]

    return np.asarray(jax.jit(jax.vmap(along))(jnp.asarray(histories)))


@pytest.mark.parametrize("name", RULES)
def test_the_rule_on_all_history(name):
    found, rule = chances(build(name, TURNS), HISTORIES), RULES[name]
    for row, (own, other) in zip(found, HISTORIES, strict=True):
        own, other = letters(own), letters(other)
        expected = [bool(rule(own[:at], other[:at])) for at in range(TURNS)]
        assert letters(row) == letters(expected), f"{own} {other}"


@pytest.mark.parametrize(
    ("tied", "kinds"),
    [
        # Always C pays as much as taking turns: C, or by the last bit turns, which differ after C.
        (lambda good, bad: 2 * good - 3 * bad == 1, {("C", True), ("D", True), ("C", False)}),
        # Taking turns pays as much as always D: turns, or by the last bit D, which differ after D.
        (lambda good, bad: 4 * good - 5 * bad == 1, {("C", False), ("D", True), ("D", False)}),
        # Always C pays as much as always D, and taking turns more.
        (lambda good, bad: 6 * good - 8 * bad == 2, {("C", False), ("D", True)}),
    ],
)
def test_ties_of_revised_downing_fall_as_in_double_precision(tied, kinds):
    """Of fractions that tie exactly some differ in the last bit; after C and D, each answered as often as it takes."""
    shares, found = {Fraction(x, y) for y in range(1, 26) for x in range(y + 1)}, []
    for good, bad in itertools.product(shares, shares):
        if tied(good, bad):
            (x, y), (v, w) = good.as_integer_ratio(), bad.as_integer_ratio()
            other = "C" + x * "C" + (y - x) * "D" + v * "C" + (w - v) * "D"
            found += [(y * "C" + w * "D" + last, other) for last in "CD"]
    found = [[past.ljust(52, "C") for past in pair] + [len(pair[0])] for pair in found]
    moves = chances(build("RevisedDowning"), [[[move == "C" for move in past] for past in row[:2]] for row in found])
    seen = set()
    for row, (own, other, turn) in zip(moves, found, strict=True):
        expected = revised_downing(own[:turn], other[:turn])
        seen.add((own[turn - 1], expected))
        assert row[turn] == expected, (own, other)
    assert seen == kinds


def test_thousands_of_places_change_nothing():
    # Of 2**15 sums and more in one program XLA has made wrong ones.
    many = np.random.default_rng(0).random((4000, 2, 10)) < 0.6
    parts = [chances(build("EvolvedANN"), part) for part in np.split(many, 4)]
    np.testing.assert_array_equal(chances(build("EvolvedANN"), many), np.concatenate(parts))


def test_they_are_listed_as_the_others_are():
    assert set(MINE) == set(RULES)
    for found in MINE.values():
        assert found.source, found.name
        assert found.doc.endswith("."), found.name
        assert len(found.doc) <= 120, found.name
        assert build(found.name).stochastic == found.stochastic
    assert find_strategy("GoByMajority40").memory == 40
    with pytest.raises(ParameterError, match="unknown strategy 'RandomHunte'; did you mean 'RandomHunter'"):
        build("RandomHunte")


def test_downing_estimates_in_another_game():
    game = Payoffs(reward=2.5, sucker=-0.5, temptation=4.0, punishment=1.5)
    for row, (own, other) in zip(chances(build("FirstByDowning", TURNS, game=game), HISTORIES), HISTORIES, strict=True):
        for at in range(2, TURNS):
            before, heard = "C" + letters(own[:at]), letters(other[:at])
            good = answers(before, "C", heard) / before.count("C")
            bad = answers(before, "D", heard) / max(before.count("D"), 2)
            better = good * 2.5 - (1 - good) * 0.5 - bad * 4.0 - (1 - bad) * 1.5
            if abs(better) > 1e-9:
                assert row[at] == (better > 0)


def test_who_is_told_the_length_betrays_at_the_end():
    told = play("FirstByTidemanAndChieruzzi", "Cooperator", 30)
    assert letters(told.own[0]) == 28 * "C" + "DD"
    assert play("FirstByTidemanAndChieruzzi", "Cooperator", 30, told=False).own.all()


def test_moves_do_not_depend_on_the_horizon():
    short, long = (chances(build("MathConstantHunter", turns), HISTORIES[:, :, :60]) for turns in (60, TURNS))
    np.testing.assert_array_equal(short, long)


# Matches


def registers_of(table):
    """A machine that does what an automaton does."""
    chance, after = jnp.asarray(table.cooperate, jnp.float32), jnp.asarray(table.after)
    return machine(
        0, lambda state: chance[state], lambda state, own, other: after[state, 3 - 2 * own - other],
        stochastic=table.stochastic,
    )  # fmt: skip


@pytest.mark.parametrize("setting", [{"noise": 0.1, "perception": 0.05, "continuation": 0.95}, {"turns": 45}])
def test_a_machine_plays_as_the_automaton_that_it_copies_in_portions_of_any_size(setting, monkeypatch):
    random = np.random.default_rng(3)
    tables = [automaton(random.random(size), random.integers(0, size, (size, 4))) for size in (3, 4, 2)]
    tables.append(automaton(random.integers(0, 2, 5), random.integers(0, 5, (5, 4))))
    names = "abcd"
    expected = tournament(dict(zip(names, tables, strict=True)), repetitions=9, seed=2, **setting)
    monkeypatch.setattr(rounds, "BLOCK", 16)
    players = [registers_of(one) if at in (0, 3) else one for at, one in enumerate(tables)]
    found = tournament(dict(zip(names, players, strict=True)), repetitions=9, seed=2, **setting)
    assert found.drop_attrs().equals(expected.drop_attrs())
    assert found.attrs["rounds_played"] == expected.attrs["rounds_played"]


def test_chance_is_as_frequent_as_a_machine_says():
    # Cooperates one time in 2, 3, 4, ... as the rounds go by.
    fading = machine(2, lambda turn: 1 / turn, lambda turn, own, other: turn + 1)
    match = play(fading, "Cooperator", 4, repetitions=40_000, seed=5)
    for turn, expected in enumerate((1 / 2, 1 / 3, 1 / 4, 1 / 5)):
        count = match.own[:, turn].sum()
        cases.assert_frequencies([count, 40_000 - count], [expected, 1 - expected])
    assert match.other.all()
    match = play(fading, "Cooperator", 2, noise=0.2, repetitions=40_000, seed=6)
    for moves, expected in ((match.own[:, 1], 0.2 + 0.6 / 3), (match.other[:, 1], 0.8)):
        cases.assert_frequencies([moves.sum(), (~moves).sum()], [expected, 1 - expected])


def test_a_user_s_own_strategy_is_a_few_lines():
    """One that bears a grudge against as many defections as its patience, which cooperation restores."""
    patient = machine(
        {"patience": 2},
        lambda mood: mood["patience"] > 0,
        lambda mood, own, other: {"patience": jnp.clip(mood["patience"] + jnp.where(other, 1, -1), 0, 2)},
        stochastic=False,
    )
    assert letters(play(patient, cycle("CDDDCCCD"), 8).own[0]) == "CCCDDCCC"
    found = tournament({"patient": patient, "TFT": memory_one(1, 0, 1, 0), "Downing": build("FirstByDowning")})
    assert float(found.payoff.sel(player="patient", opponent="TFT")) == 3
    assert (found.score == found.score[0]).all()
    assert int(found.attrs["rounds_played"]) == 6 * 200, "nothing is left to chance: each pair plays once"


@pytest.mark.parametrize("module", ["machine", "meet", "tournament"])
def test_examples_of_the_documentation(module):
    found = doctest.testmod(importlib.import_module(f"jaxcoord.games.repeated.{module}"))
    assert found.attempted > 0
    assert found.failed == 0


NUMBER = machine(0, lambda count: count > 3, lambda count, own, other: count + 1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: machine(0, lambda x: jnp.ones(2), lambda x, own, other: x), r"returns 1 arrays, shapes \(2,\)"),
        (lambda: machine(0, lambda x: (x, x), lambda x, own, other: x), "cooperate: returns 2 arrays"),
        (lambda: machine(0, lambda x: x, lambda x, own, other: (x, x)), r"returns \(\*, \*\); the registers are \*"),
        (
            lambda: machine({"a": jnp.zeros(3)}, lambda x: 1.0, lambda x, own, other: {"a": x["a"][:2]}),
            r"update: \['a'\] becomes of shape \(2,\); a register keeps its own, \(3,\)",
        ),
        (
            lambda: machine(0, lambda x: 1.0 if x > 2 else 0.0, lambda x, own, other: x),
            "cooperate: asks for the value of a register, use jnp.where",
        ),
        (lambda: machine(0, lambda x: 1.0, lambda x, own, other: x + 1 if own else x), "update: asks for the value"),
        (lambda: outcome_rates(NUMBER, memory_one(1, 0, 1, 0)), "strategy: registers have no table of states"),
        (lambda: dual(build("RandomHunter")), "strategy: registers have no table of states"),
        (lambda: tournament({"one": lambda history: True}), "number 1 is a function; automata and machines play"),
        (lambda: play("TitForTat", NUMBER, 0), "turns = 0: at least 1 round is needed"),
        (lambda: play("TitForTat", NUMBER, repetitions=0), "repetitions = 0: at least 1 match is needed"),
        (lambda: play("TitForTat", NUMBER, noise=2), "noise = 2: a probability, 0 to 1, is needed"),
        (lambda: play("TitForTta", NUMBER), "unknown strategy 'TitForTta'"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_in_one_line(make, message):
    with pytest.raises(ParameterError, match=message) as refusal:
        make()
    assert "\n" not in str(refusal.value)


def test_registers_keep_their_types():
    odd = machine((0, jnp.uint32(1)), lambda x: x[0] % 2, lambda x, own, other: (x[0] + 1.0, x[1] * 2 + own))
    assert isinstance(odd, Machine)
    after = odd.update(odd.start, jnp.asarray(True), jnp.asarray(False))
    assert [int(x) for x in after] == [1, 3]
    assert [x.dtype for x in after] == [jnp.int32, jnp.uint32]
    assert letters(play(odd, "Cooperator", 4).own[0]) == "DCDC"
