"""Strategies that leave some of their moves to chance: memory one, zero determinant, generous, probing, drifting."""

from __future__ import annotations

import math
from collections.abc import Callable

from jaxcoord.errors import ParameterError
from jaxcoord.games.repeated.automaton import Automaton, automaton, from_function, memory_one
from jaxcoord.games.repeated.library import ANY, Payoffs, strategy
from jaxcoord.games.repeated.strategies.counting import by_turn
from jaxcoord.games.repeated.strategies.grudging import defect_at_end
from jaxcoord.games.repeated.zero_determinant import zero_determinant


@strategy("Random", memory=0, source="Axelrod 1980", stochastic=True)
def coin() -> Automaton:
    """Cooperates with probability 1/2."""
    return from_function(0, lambda _: 0.5, lambda *_: 0)


def _memory_one(name: str, vector: tuple[float, float, float, float], first: float, source: str, doc: str) -> None:
    def build() -> Automaton:
        return memory_one(*vector, first=first)

    build.__doc__ = doc
    strategy(name, memory=1, source=source, stochastic=True)(build)


for _entry in (
    ("ALLCorALLD", (1, 1, 0, 0), 0.6, "Akin 2015", "Keeps to its first move, which is C with probability 0.6."),
    ("BurnBothEnds", (0.9, 0, 0.9, 0), 1, "Marinoff 1992", "Tit for tat that answers C with C in nine cases of ten."),
    (
        "NaiveProber",
        (0.9, 0, 0.9, 0),
        1,
        "Li, Hingston & Kendall 2011",
        "Tit for tat that defects unprovoked at times.",
    ),
    ("FirmButFair", (1, 0, 1, 2 / 3), 1, "Frean 1994", "Defects when exploited, and after DD in one case of three."),
    ("SoftJoss", (1, 0.1, 1, 0.1), 1, "PRISON, LIFL 1998", "Tit for tat that forgives in one case of ten."),
    ("StochasticCooperator", (0.935, 0.229, 0.266, 0.42), 1, "Adami & Hintze 2013", "A vector that evolved."),
    ("StochasticWSLS", (0.95, 0.05, 0.05, 0.95), 1, "Axelrod-Python (Harper)", "Pavlov that errs in 1 case of 20."),
    ("Desperate", (0, 0, 0, 1), 0.5, "van den Berg & Weissing 2015", "Cooperates after mutual defection only."),
    ("Hopeless", (0, 1, 1, 1), 0.5, "van den Berg & Weissing 2015", "Defects after mutual cooperation only."),
    ("Willing", (1, 1, 1, 0), 0.5, "van den Berg & Weissing 2015", "Defects after mutual defection only."),
    ("Negation", (0, 1, 0, 1), 0.5, "Axelrod-Python", "Begins with any move, then does the opposite of the other."),
):
    _memory_one(*_entry)


@strategy("GTFT", memory=1, source="Nowak & Sigmund 1992", stochastic=True)
def generous_tit_for_tat(game: Payoffs) -> Automaton:
    """Tit for tat that forgives as often as it can afford: min(1 - (T - R) / (R - S), (R - P) / (T - P))."""
    reward, sucker, temptation, punishment = game
    generosity = min(1 - (temptation - reward) / (reward - sucker), (reward - punishment) / (temptation - punishment))
    return memory_one(1, generosity, 1, generosity)


def _zero_determinant(name: str, kind: str, slope: float, baseline: float | str, phi: float, source: str) -> None:
    def build(game: Payoffs) -> Automaton:
        level = {"R": game.reward, "P": game.punishment}[baseline] if isinstance(baseline, str) else baseline
        try:
            return memory_one(*zero_determinant(slope, level, phi, game))
        except ParameterError as error:
            raise ParameterError(f"{name} does not exist in this game: {error}") from None

    build.__doc__ = f"{kind}: what the other earns, less {baseline}, is {slope:.3g} times its own less {baseline}."
    strategy(name, memory=1, source=source, stochastic=True)(build)


_zero_determinant("ZDExtort2", "Extortion", 1 / 2, "P", 1 / 9, "Stewart & Plotkin 2012")
_zero_determinant("ZDExtort2v2", "Extortion", 1 / 2, 1, 1 / 8, "Kuhn 2017")
_zero_determinant("ZDExtort3", "Extortion", 1 / 3, 1, 3 / 26, "Press & Dyson 2012")
_zero_determinant("ZDExtort4", "Extortion", 1 / 4, 1, 4 / 17, "Axelrod-Python (Harper)")
_zero_determinant("ZDExtortion", "Extortion", 0.1, 1, 0.2, "Roemheld 2013")
_zero_determinant("ZDMischief", "Mischief", 0, 1, 0.1, "Roemheld 2013")
_zero_determinant("ZDGTFT2", "Generosity", 1 / 2, "R", 1 / 4, "Stewart & Plotkin 2012")
_zero_determinant("ZDGen2", "Generosity", 1 / 2, 3, 1 / 8, "Kuhn 2017")
_zero_determinant("ZDSet2", "Equalizer", 0, 2, 1 / 4, "Kuhn 2017")


@strategy("RandomTitForTat", memory=1, source="Axelrod-Python (Taylor)", stochastic=True)
def random_tit_for_tat() -> Automaton:
    """Cooperates first; then does what the other did, tosses a coin, and so on by turns."""
    return automaton([1, 1, 0, 0.5], [[1, 2, 1, 2], [3, 3, 3, 3], [3, 3, 3, 3], [1, 2, 1, 2]])


# What chance decided is known by the move that followed. So the two strategies below take a move that noise has changed
# for their own decision.


@strategy("RemorsefulProber", memory=2, source="Li, Hingston & Kendall 2011", stochastic=True)
def remorseful_prober() -> Automaton:
    """Naive prober that takes the answer to its own unprovoked defection without complaint."""
    # States: the first move; after C; after D; after D that may answer an unprovoked one.
    return automaton([1, 0.9, 0, 1], [[1, 2, 1, 2], [1, 2, 1, 3], [1, 2, 1, 2], [1, 2, 1, 2]])


@strategy("Michaelos", memory=ANY, source="LessWrong 2011", stochastic=True)
def michaelos(length: int | None) -> Automaton:
    """Tit for tat; having exploited the other, it returns to C or never more, by a coin; defects in the last round."""
    # States: tit for tat about to play C and D, the coin, for ever D.
    table = automaton([1, 0, 0.5, 0], [[0, 1, 2, 1], [0, 1, 2, 1], [0, 1, 3, 3], [3, 3, 3, 3]])
    return defect_at_end(table, length, 1)


@strategy("Calculator", memory=ANY, source="PRISON, LIFL 1998", stochastic=True)
def calculator() -> Automaton:
    """Plays as FirstByJoss for twenty rounds; then D if the other repeated a cycle all along, else tit for tat."""
    # Registers: the other's last move, D for ever of one that was seen through; rounds played; its first ten moves;
    # what it must play up to round 20 to repeat each cycle of up to ten moves.
    Registers = tuple[bool, int, str, frozenset[str]]

    def update(state: Registers, own: bool, other: bool) -> Registers:
        _, turn, seen, cycles = state
        if turn >= 20:
            return other and turn == 20, turn, seen, cycles
        turn, move = turn + 1, "DC"[other]
        cycles = frozenset((cycle[1:] + move)[: 20 - turn] for cycle in cycles if cycle[0] == move)
        if turn == 20:
            return (False, 21, "", frozenset()) if cycles else (other, 20, "", frozenset())
        if turn <= 10:
            seen += move
            cycles |= {seen}
        return other, turn, seen if turn < 10 else "", cycles

    def cooperate(state: Registers) -> float:
        return (0.9 if 0 < state[1] < 20 else 1.0) * state[0]

    return from_function((True, 0, "", frozenset()), cooperate, update)


def share(cooperate: Callable[[int, int], float], horizon: int) -> Automaton:
    """A strategy that looks at how many rounds were played, and in how many of them the other cooperated."""
    return from_function(
        (0, 0), lambda state: cooperate(*state), lambda state, own, other: (state[0] + 1, state[1] + other), horizon
    )


@strategy("AverageCopier", memory=ANY, source="Axelrod-Python (Palmer)", stochastic=True)
def average_copier(horizon: int) -> Automaton:
    """Cooperates as often as the other has done so far; at first with probability 1/2."""
    return share(lambda turn, count: count / turn if turn else 0.5, horizon)


@strategy("NiceAverageCopier", memory=ANY, source="Axelrod-Python (Campbell)", stochastic=True)
def nice_average_copier(horizon: int) -> Automaton:
    """Cooperates first, then as often as the other has done so far."""
    return share(lambda turn, count: count / turn if turn else 1.0, horizon)


@strategy("WorseAndWorse3", memory=ANY, source="PRISON, LIFL 1998", stochastic=True)
def worse_and_worse_3(horizon: int) -> Automaton:
    """Cooperates first, then defects as often as the other has done so far."""
    return share(lambda turn, count: count / turn if turn else 1.0, horizon)


@strategy("BetterAndBetter", memory=ANY, source="PRISON, LIFL 1998", stochastic=True)
def better_and_better(horizon: int) -> Automaton:
    """Cooperates in round t with probability t / 1000."""
    return by_turn(lambda turn: min((turn + 1) / 1000, 1.0), horizon)


@strategy("WorseAndWorse", memory=ANY, source="PRISON, LIFL 1998", stochastic=True)
def worse_and_worse(horizon: int) -> Automaton:
    """Defects in round t with probability t / 1000."""
    return by_turn(lambda turn: max(1 - (turn + 1) / 1000, 0.0), horizon)


@strategy("KnowledgeableWorseAndWorse", memory=ANY, source="Axelrod-Python (Pohl)", stochastic=True)
def knowledgeable_worse_and_worse(horizon: int, length: int | None) -> Automaton:
    """Defects in round t of n with probability t / n; never if it does not know n."""
    return by_turn(lambda turn: 1.0 if length is None else max(1 - (turn + 1) / length, 0.0), horizon)


@strategy("WorseAndWorse2", memory=ANY, source="PRISON, LIFL 1998", stochastic=True)
def worse_and_worse_2(horizon: int) -> Automaton:
    """Tit for tat for twenty rounds, then cooperates in round t with probability 20 / t."""

    def cooperate(state: tuple[int, bool]) -> float:
        turn, last = state
        return float(last) if turn < 20 else 20 / (turn + 1)

    return from_function(
        (0, True), cooperate, lambda state, own, other: (state[0] + 1, other or state[0] > 20), horizon
    )


@strategy("Inverse", memory=ANY, source="Axelrod-Python (Langner)", stochastic=True)
def inverse(horizon: int) -> Automaton:
    """Defects with probability 1 / k where the other defected k rounds ago, and not at all before that."""
    return from_function(
        0,
        lambda since: 1 - 1 / since if since else 1.0,
        lambda since, own, other: since + (since > 0) if other else 1,
        horizon,
    )


@strategy("SelfSteem", memory=ANY, source="Andre & others 2013", stochastic=True)
def self_esteem() -> Automaton:
    """Follows a sine of ten rounds: defects at the top, cooperates at the bottom, a coin near 0, else tit for tat."""

    def cooperate(state: tuple[int, bool]) -> float:
        level = math.sin(2 * math.pi * state[0] / 10)
        if abs(level) > 0.95:
            return float(level < 0)
        return float(state[1]) if abs(level) > 0.3 else 0.5

    return from_function((0, True), cooperate, lambda state, own, other: ((state[0] + 1) % 10, other))
