"""Entrants of Axelrod's first tournament (1980) whose counts fit a table.

Two do not and are among the `registers`: Downing's rule needs four counts, Tideman and Chieruzzi's several counts and
both scores, millions of states for 200 moves. Where the report is vague the reading is that of Axelrod-Python 4.14.
"""

from __future__ import annotations

from jaxcoord.games.repeated.automaton import Automaton, automaton, from_function, memory_one
from jaxcoord.games.repeated.library import ANY, strategy

CHI_SQUARE_95 = 3.841458820694124
"""What chi-square with one degree of freedom exceeds one time in twenty."""


def looks_random(balance: int, seen: int) -> bool:
    """Whether a fair coin could be the author of `seen` moves: the chi-square test does not reject it at 5 %.

    Args: `balance`, cooperations less defections; `seen`, moves.
    """
    return balance**2 <= CHI_SQUARE_95 * seen


def cleared(balance: int, seen: int, last: int) -> bool:
    """Whether no look up to the one at move `last` can find the moves random, even if the rest restores the balance."""
    left = last - seen
    return left <= 0 or (abs(balance) > left and not looks_random(abs(balance) - left, last))


@strategy("FirstByAnonymous", memory=0, stochastic=True, source="Axelrod 1980")
def anonymous() -> Automaton:
    """Cooperates with a chance that is itself drawn each time, from 30 to 70 %."""
    # On the whole that is one time in two, each move on its own.
    return automaton([0.5], [[0, 0, 0, 0]])


@strategy("FirstByDavis", memory=ANY, source="Davis in Axelrod 1980")
def davis() -> Automaton:
    """Cooperates ten times, then for as long as the other has never defected."""

    def update(registers, own, other):
        turn, wronged = registers
        return min(turn + 1, 10), wronged or not other

    return from_function((0, False), lambda registers: registers != (10, True), update)


@strategy("FirstByFeld", memory=200, stochastic=True, source="Feld in Axelrod 1980")
def feld() -> Automaton:
    """Tit for tat whose answer to cooperation fades evenly from certain to one in two at the 200th move."""

    def chance(registers):
        turn, cooperated = registers
        return cooperated * (1 - 0.5 * turn / 200)

    return from_function((0, True), chance, lambda registers, own, other: (min(registers[0] + 1, 200), other))


@strategy("FirstByGraaskamp", memory=ANY, stochastic=True, source="Graaskamp in Axelrod 1980")
def graaskamp(horizon: int) -> Automaton:
    """Tit for tat and a probe at move 51; from 57 on coins are given up, mimics copied, the rest betrayed at times.

    Coins are those whose moves so far look like a coin's. Mimics have always done the same as it, or as it had done
    one move before. The rest are betrayed 5 to 14 moves after the last time, each as likely. Noise is taken for what
    was meant: a slip 5 moves or more after a betrayal passes for the next one.
    """
    coin = ("coin",)

    # Moves and balance until they no longer matter, the other's last move, one's own while the other may be its shadow,
    # whether the other may be its twin, moves since a betrayal once there are any.

    def chance(registers):
        if registers == coin:
            return 0
        turn, _, heard, _, _, since = registers
        if since is not None:
            return 1 - 1 / (15 - since) if since >= 5 else 1
        return heard and turn != 50

    def update(registers, own, other):
        if registers == coin:
            return coin
        turn, balance, _, did, twin, since = registers
        shadow = turn == 0 or did == other
        twin = twin and own == other
        if turn is not None:
            turn, balance = turn + 1, balance + (1 if other else -1)
            if turn >= 56 and looks_random(balance, turn):
                return coin
            if turn >= 56 and cleared(balance, turn, horizon - 1):
                turn, balance = None, None
        if since is not None:
            since = 1 if since == 14 or (since >= 5 and not own) else since + 1
        elif not (shadow or twin) and (turn is None or turn >= 56):
            since = 0
        if since is not None:
            return turn, balance, None, None, False, since
        return turn, balance, other, own if shadow else None, twin, None

    return from_function((0, 0, True, None, True, None), chance, update, horizon)


@strategy("FirstByGrofman", memory=1, stochastic=True, source="Grofman in Axelrod 1980")
def grofman() -> Automaton:
    """Cooperates if both did the same, else two times in seven."""
    return memory_one(1, 2 / 7, 2 / 7, 1)


@strategy("FirstByJoss", memory=1, stochastic=True, source="Joss in Axelrod 1980")
def joss() -> Automaton:
    """Tit for tat that defects one time in ten after the other's cooperation."""
    return memory_one(0.9, 0, 0.9, 0)


@strategy("FirstByNydegger", memory=3, source="Nydegger in Axelrod 1980")
def nydegger() -> Automaton:
    """Tit for tat for three moves, then a table of the last three outcomes that defects in 19 of 64 cases."""
    # Points of an outcome: 1 for one's own defection and 2 for the other's, times 16 for the last, 4 and 1.
    defects = {1, 6, 7, 17, 22, 23, 26, 29, 30, 31, 33, 38, 39, 45, 49, 54, 55, 58, 61}

    def chance(points):
        if len(points) < 3:
            # The other's defection that cooperation followed is answered late, at the third move.
            return not points or (points[-1] < 2 and not (len(points) == 2 and points[0] >= 2))
        return 16 * points[2] + 4 * points[1] + points[0] not in defects

    return from_function((), chance, lambda points, own, other: (*points, (not own) + 2 * (not other))[-3:])


@strategy("FirstByShubik", memory=ANY, source="Shubik in Axelrod 1980")
def shubik(horizon: int) -> Automaton:
    """Answers each departure from cooperation with one defection more than the last time."""

    def update(registers, own, other):
        length, left = registers[0], max(registers[1] - 1, 0)
        departure = own and not other and not left
        return (length + 1, length + 1) if departure else (length, left)

    return from_function((0, 0), lambda registers: registers[1] == 0, update, horizon)


@strategy("FirstBySteinAndRapoport", memory=ANY, source="Stein & Rapoport in Axelrod 1980")
def stein_and_rapoport(horizon: int, length: int | None) -> Automaton:
    """Cooperates four times, then plays tit for tat, but defects on who looks random and in the last two moves.

    Looks are taken every 15 moves and stand until the next. The end is known only where players are told.
    """
    last = horizon // 15 * 15 - 1

    def chance(registers):
        turn, _, suspect, heard = registers
        if length is not None and turn >= length - 2:
            return False
        return not suspect and (heard or turn < 4)

    def update(registers, own, other):
        turn, balance, suspect, _ = registers
        if balance is None:
            return turn if length is None else turn + 1, None, suspect, other and not suspect
        turn, balance = turn + 1, balance + (1 if other else -1)
        if turn % 15 == 14:
            suspect = looks_random(balance, turn)
        # What no longer changes anything is forgotten.
        if turn >= 4 and (turn >= last or not suspect) and cleared(balance, turn, last):
            turn, balance = 4 if length is None else turn, None
        return turn, balance, suspect, other and not suspect

    return from_function((0, 0, False, True), chance, update, horizon)


@strategy("FirstByTullock", memory=ANY, stochastic=True, source="Tullock in Axelrod 1980")
def tullock() -> Automaton:
    """Cooperates eleven times, then one time in ten less often than the other did in the last ten moves."""

    def chance(moves):
        return max(sum(moves[-10:]) - 1, 0) / 10 if len(moves) == 11 else 1

    return from_function((), chance, lambda moves, own, other: (*moves, other)[-11:])
