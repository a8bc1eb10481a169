"""Strategies that count moves or rounds: majorities, shares, scores, fixed sequences."""

from __future__ import annotations

import math
from collections.abc import Callable

from jaxcoord.games.repeated.automaton import Automaton, from_function
from jaxcoord.games.repeated.library import ANY, Payoffs, strategy


def by_turn(cooperate: Callable[[int], float], turns: int) -> Automaton:
    """A strategy that looks at nothing but the number of rounds played."""
    return from_function(0, cooperate, lambda turn, own, other: turn + 1, turns)


def tally(
    after_c: int, after_d: int, cooperate: Callable[[int, int, bool], bool], horizon: int, opening: int = 0
) -> Automaton:
    """A strategy that keeps a score of the other's moves.

    Args:
      after_c, after_d: what a move adds to the score: one of them 1 or -1, the other of opposite sign.
      cooperate: score, rounds played up to `opening`, and whether the last move was C (True at first), to a move.
      horizon: rounds to serve.
      opening: rounds that are counted.
    """

    def update(state: tuple[int, int, bool], own: bool, other: bool) -> tuple[int, int, bool]:
        # A score of the horizon is reached, on one side, by steps of 1 only; on the other side it is lost by them. So
        # what is beyond it makes no difference.
        score = max(-horizon, min(state[0] + (after_c if other else after_d), horizon))
        return score, min(state[1] + 1, opening), other

    return from_function((0, 0, True), lambda state: cooperate(*state), update, horizon)


def _majority(name: str, memory: float, soft: bool) -> None:
    wins = "at least as often as" if soft else "more often than"

    def build(horizon: int) -> Automaton:
        if memory == ANY:
            return tally(1, -1, lambda score, turn, last: score >= 0 if soft else score > 0, horizon)
        limit = 0 if soft else 1
        return from_function(
            (),
            lambda seen: 2 * sum(seen) - len(seen) >= limit,
            lambda seen, own, other: (*seen, other)[-int(memory) :],
        )

    build.__doc__ = f"Cooperates if the other cooperated {wins} it defected" + (
        "." if memory == ANY else f" in the last {memory} rounds."
    )
    strategy(name, memory=memory, source="Axelrod 1984" if memory == ANY else "Axelrod-Python (Langner)")(build)


for _memory in (ANY, 5, 10):
    _suffix = "" if _memory == ANY else str(_memory)
    _majority(f"GoByMajority{_suffix}", _memory, True)
    _majority(f"HardGoByMajority{_suffix}", _memory, False)


@strategy("Doubler", memory=ANY, source="PRISON, LIFL 1998")
def doubler(horizon: int) -> Automaton:
    """Answers a defection of one who has not cooperated more than twice as often as defected."""
    return tally(1, -2, lambda score, turn, last: last or score > 0, horizon)


@strategy("Forgiver", memory=ANY, source="Axelrod-Python (Campbell)")
def forgiver(horizon: int) -> Automaton:
    """Defects while the other has defected in more than a tenth of the rounds."""
    return tally(-1, 9, lambda score, turn, last: score <= 0, horizon)


@strategy("ForgivingTitForTat", memory=ANY, source="Axelrod-Python (Campbell)")
def forgiving_tit_for_tat(horizon: int) -> Automaton:
    """Answers a defection of one who has defected in more than a tenth of the rounds."""
    return tally(-1, 9, lambda score, turn, last: last or score <= 0, horizon)


@strategy("LevelPunisher", memory=ANY, source="Arnold 2015")
def level_punisher(horizon: int) -> Automaton:
    """Defects, after ten rounds, while the other has defected in more than a fifth of them."""
    return tally(-1, 4, lambda score, turn, last: turn < 10 or score <= 0, horizon, opening=10)


@strategy("VeryBad", memory=ANY, source="Andre & others 2013")
def very_bad(horizon: int) -> Automaton:
    """Cooperates three times, then does what the other did more often; what it did last, where both are equal."""

    def cooperate(score: int, turn: int, last: bool) -> bool:
        return turn < 3 or score > 0 or (score == 0 and last)

    return tally(1, -1, cooperate, horizon, opening=3)


@strategy("Grumpy", memory=ANY, source="Axelrod-Python (Young)")
def grumpy(horizon: int) -> Automaton:
    """Turns grumpy, and defects, once it saw more than ten D too many; nice again after as many C too many."""

    def update(state: tuple[int, bool], own: bool, other: bool) -> tuple[int, bool]:
        score = max(-horizon, min(state[0] + (-1 if other else 1), horizon))
        return score, score >= -10 if state[1] else score > 10

    return from_function((0, False), lambda state: not state[1], update)


@strategy("TrickyLevelPunisher", memory=ANY, source="Arnold 2015; as played by Axelrod-Python")
def tricky_level_punisher() -> Automaton:
    """Defects in the first hundred rounds while the other has defected in more than 5 % of them, then no more."""
    # Arnold's own strategy allows 20, 10 and 5 % after 10, 50 and 100 rounds; the peer plays this.
    return from_function(
        (0, 0),
        lambda state: state[0] == 100 or 20 * state[1] <= state[0],
        lambda state, own, other: (min(state[0] + 1, 100), min(state[1] + (not other), 5)),
    )


@strategy("ShortMem", memory=ANY, source="Andre & others 2013")
def short_memory() -> Automaton:
    """Cooperates eleven times; then follows a majority of three among the last ten moves, and else tit for tat."""

    def cooperate(state: tuple[bool, tuple[bool, ...]]) -> bool:
        late, seen = state
        score = 2 * sum(seen) - len(seen)
        return not late or (seen[-1] if abs(score) < 3 else score > 0)

    def update(state: tuple[bool, tuple[bool, ...]], own: bool, other: bool) -> tuple[bool, tuple[bool, ...]]:
        return len(state[1]) == 10, (*state[1], other)[-10:]

    return from_function((False, ()), cooperate, update)


@strategy("AdaptiveTitForTat", memory=ANY, source="Tzafestas 2000")
def adaptive_tit_for_tat() -> Automaton:
    """Keeps an image of the world, half of which is the last move; cooperates if the image is at least one half."""
    # The last move decides, but for one case: in the arithmetic of doubles the image is exactly 1 after 53 moves of C
    # (54, if it was below 3/8 before), and then it is exactly one half after D.

    def update(state: tuple[bool, bool, int], own: bool, other: bool) -> tuple[bool, bool, int]:
        good, better, left = state
        if other:
            return True, good, max(left - 1, 0)
        return left == 0, False, 53 if better else 54

    return from_function((True, False, 53), lambda state: state[0], update)


@strategy("Adaptive", memory=ANY, source="Li, Hingston & Kendall 2011")
def adaptive(horizon: int, game: Payoffs) -> Automaton:
    """Plays C six times and D five times, then the move that has earned more in all."""

    def update(state: tuple[int, float], own: bool, other: bool) -> tuple[int, float]:
        earned = game[3 - 2 * own - other]
        return min(state[0] + 1, 11), round(state[1] + (earned if own else -earned), 9)

    def cooperate(state: tuple[int, float]) -> bool:
        return state[0] < 6 or (state[0] == 11 and state[1] > 0)

    return from_function((0, 0.0), cooperate, update, horizon)


def _ratio(name: str, ratio: float, called: str) -> None:
    def build(horizon: int) -> Automaton:
        # Registers: moves of C and of D of both; whether the other has never defected. A letter, where the moves that
        # are left cannot change the answer any more.
        Registers = tuple[int, int, bool] | str
        moves = 2 * horizon

        def update(state: Registers, own: bool, other: bool) -> Registers:
            if isinstance(state, str):
                return state
            c, d, innocent = state[0] + own + other, state[1] + 2 - own - other, state[2] and other
            if moves - d < ratio * d:
                return (0, moves, True) if innocent else "C"
            return "D" if not innocent and c > ratio * (moves - c) else (c, d, innocent)

        def cooperate(state: Registers) -> bool:
            if isinstance(state, str):
                return state == "C"
            c, d, innocent = state
            return c + d == 0 or (not innocent and c <= ratio * d)

        return from_function((0, 0, True), cooperate, update, horizon)

    build.__doc__ = f"Keeps the ratio of all C to all D, of both players, near {called}; defects before the other does."
    strategy(name, memory=ANY, source="Axelrod-Python (Standen)")(build)


_ratio("Golden", (1 + math.sqrt(5)) / 2, "the golden mean")
_ratio("Pi", math.pi, "pi")
_ratio("e", math.e, "e")


@strategy("ThueMorse", memory=ANY, source="Thue 1906, Morse 1921; Axelrod-Python (Palmer)")
def thue_morse(horizon: int) -> Automaton:
    """Plays the sequence of Thue and Morse: C where the number of ones in the turn's binary digits is odd."""
    return by_turn(lambda turn: turn.bit_count() % 2, horizon)


@strategy("ThueMorseInverse", memory=ANY, source="Thue 1906, Morse 1921; Axelrod-Python (Palmer)")
def thue_morse_inverse(horizon: int) -> Automaton:
    """Plays the opposite of ThueMorse."""
    return by_turn(lambda turn: 1 - turn.bit_count() % 2, horizon)


@strategy("TrickyCooperator", memory=10, source="Axelrod-Python (Langner)")
def tricky_cooperator() -> Automaton:
    """Cooperates, but defects if three rounds were played and the other has not defected in the last ten."""
    # Registers: rounds played up to 3; rounds since the last defection, up to 10.
    return from_function(
        (0, 10),
        lambda state: state[0] < 3 or state[1] < 10,
        lambda state, own, other: (min(state[0] + 1, 3), min(state[1] + 1, 10) if other else 0),
    )


@strategy("TrickyDefector", memory=ANY, source="Axelrod-Python (Langner)")
def tricky_defector() -> Automaton:
    """Defects, but cooperates after three defections in a row of one who has cooperated before."""
    return from_function(
        (False, 0),
        lambda state: state[0] and state[1] == 3,
        lambda state, own, other: (state[0] or other, 0 if other else min(state[1] + 1, 3)),
    )
