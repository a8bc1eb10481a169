"""Entrants of Axelrod's second tournament (1980) whose counts fit a table.

Those that weigh several counts against one another do not: Appold, Downing (revised), Harrington, Hufford, Kluepfel,
Tideman and Chieruzzi, Tranquilizer, Weiner, Yamachi. The reading is that of Axelrod-Python 4.14, which follows the
Fortran programs that were played.
"""

from __future__ import annotations

import math

from jaxcoord.games.repeated.automaton import Automaton, from_function
from jaxcoord.games.repeated.library import ANY, Payoffs, strategy


def earned(game: Payoffs, own: bool, other: bool) -> float:
    """What a round pays that one cooperated in or not, and the other did or not."""
    return (game.reward if other else game.sucker) if own else (game.temptation if other else game.punishment)


@strategy("SecondByBlack", memory=5, stochastic=True, source="Black in Axelrod 1980b")
def black() -> Automaton:
    """Cooperates five times, then with chance (26 - d^2) / 25, at most 1, for d defections in the last five moves."""

    def chance(moves):
        defections = moves.count(False)
        return min(1, (26 - defections**2) / 25) if len(moves) == 5 else 1

    return from_function((), chance, lambda moves, own, other: (*moves, other)[-5:])


@strategy("SecondByBorufsen", memory=ANY, source="Borufsen in Axelrod 1980b")
def borufsen() -> Automaton:
    """Tit for tat that mends echoes and mutual defection, and gives up for 25 moves on who seemed random or mean in 25.

    Three mutual defections are answered with one cooperation, three alternations of C D and D C by sparing the other
    the next defection. Random is who cooperated 8 to 17 times and less than 70 % of them after cooperation; mean who
    did less than 3 times.
    """

    # Moves since a review, of which the first is not counted; cooperations among them, and those after one's own
    # defection; the last round; mutual defections and alternations in a row; whether a defection is spared; mode.
    def chance(registers):
        _, _, _, (_, heard), mutual, _, spares, mode = registers
        return mode == "normal" and (heard or mutual == 3 or spares)

    def update(registers, own, other):
        moves, cooperations, unearned, (did, heard), mutual, echoes, spares, mode = registers
        if moves >= 0:
            # Numbers are kept as far as the review needs them: 18, or 12 that are earned, clear the other.
            cooperations, unearned = min(cooperations + other, 18), min(unearned + (other and not did), 6)
            if cooperations - unearned >= 12:
                cooperations, unearned = 18, 6
        # A spared defection is spent on the first that would have come.
        spares = spares and (heard or mutual == 3)
        mutual = 0 if own or other or mode == "gives up" else mutual % 3 + 1
        echoes = echoes + 1 if own != other and (own, other) == (heard, did) and mode != "gives up" else 0
        if echoes == 3:
            echoes, spares = 0, True
        moves, mode = moves + 1, "gives up" if mode == "gives up" else "normal"
        if moves == 25:
            random = 8 <= cooperations < 18 and cooperations - unearned < 0.7 * cooperations
            if random or cooperations < 3:
                mode = "gives up"
            elif mode == "gives up":
                mode = "returns"
            if mode != "normal":
                mutual, echoes, spares = 0, 0, False
            moves = cooperations = unearned = 0
        return moves, cooperations, unearned, (own, other), mutual, echoes, spares, mode

    return from_function((-1, 0, 0, (True, True), 0, 0, False, "normal"), chance, update)


@strategy("SecondByCave", memory=ANY, stochastic=True, source="Cave in Axelrod 1980b")
def cave(horizon: int) -> Automaton:
    """Cooperates, half the time even after a defection, until the other has defected too often for its turn."""

    def chance(registers):
        if registers == "gives up":
            return 0
        turn, defections, heard = registers
        allowed = next((share for last, share in ((39, 0.39), (29, 0.65), (19, 0.79)) if turn + 1 > last), 1)
        if defections / (turn + 1) > allowed:
            return 0
        return 1 if heard else 0.5 * (defections < 18)

    def update(registers, own, other):
        if registers == "gives up":
            return registers
        turn, defections = registers[0] + 1, registers[1] + (not other)
        if turn >= 39 and defections > 0.39 * horizon:
            return "gives up"
        return turn, defections, other

    return from_function((0, 0, True), chance, update, horizon)


@strategy("SecondByChampion", memory=ANY, stochastic=True, source="Champion in Axelrod 1980b")
def champion(horizon: int) -> Automaton:
    """Cooperates ten times, plays tit for tat to move 25, then forgives as often as the other has cooperated.

    Always, if that is more than 60 %.
    """

    def chance(registers):
        if registers == "trusts":
            return 1
        turn, cooperations, heard = registers
        if heard or turn < 10:
            return 1
        if turn < 25:
            return 0
        share = cooperations / turn
        return share if share <= 0.6 else 1

    def update(registers, own, other):
        if registers == "trusts":
            return registers
        turn, cooperations = registers[0] + 1, registers[1] + other
        return "trusts" if turn >= 25 and cooperations > 0.6 * horizon else (turn, cooperations, other)

    return from_function((0, 0, True), chance, update, horizon)


@strategy("SecondByColbert", memory=4, source="Colbert in Axelrod 1980b")
def colbert() -> Automaton:
    """Opens with CCCCCDCC, then answers each cooperation with C and each defection with DDCC, deaf in between."""

    # The moves that are decided.
    def update(decided, own, other):
        return decided[1:] or ("C" if other else "DDCC")

    return from_function("CCCCCDCC", lambda decided: decided[0] == "C", update)


@strategy("SecondByEatherley", memory=ANY, stochastic=True, source="Eatherley in Axelrod 1980b")
def eatherley(horizon: int) -> Automaton:
    """Answers a defection with one as likely as the other's defections have been."""

    def chance(registers):
        turn, defections, heard = registers
        return 1 if heard else 1 - defections / turn

    def update(registers, own, other):
        return registers[0] + 1, registers[1] + (not other), other

    return from_function((0, 0, True), chance, update, horizon)


@strategy("SecondByGetzler", memory=ANY, stochastic=True, source="Getzler in Axelrod 1980b")
def getzler() -> Automaton:
    """Defects with a chance that each defection of the other adds to, a half at first, then half as much each move.

    Of moves older than 13, whose defections weigh less than 1 in 8192 together, all count as the 13th did.
    """
    size = 13

    def chance(flack):
        # The oldest move of the window stands for those before it, so that a constant past is weighed exactly.
        return 1 - (flack + flack % 2) / 2**size

    def update(flack, own, other):
        return flack // 2 + (not other) * 2 ** (size - 1)

    return from_function(0, chance, update)


def _until_defection(start, chance, update, horizon=None):
    # Plays by `chance` and `update` on its own moves until the other defects, apologises once, then copies the other.
    copying = {"sorry": 1, "copies C": 1, "copies D": 0}

    def next_registers(registers, own, other):
        if registers in copying:
            return "copies C" if other else "copies D"
        return update(registers, own) if other else "sorry"

    return from_function(start, lambda now: copying[now] if now in copying else chance(now), next_registers, horizon)


@strategy("SecondByGladstein", memory=ANY, source="Gladstein in Axelrod 1980b")
def gladstein(horizon: int) -> Automaton:
    """Defects first and in less than half of its moves, until the other defects; apologises and plays tit for tat."""

    # Its cooperations less its defections, which the first move is to lower.
    def update(lead, own):
        return (lead or 0) + (1 if own else -1)

    return _until_defection(None, lambda lead: lead is not None and lead <= 0, update, horizon)


@strategy("SecondByTester", memory=ANY, source="Gladstein in Axelrod 1980b")
def tester() -> Automaton:
    """Plays DCC, then alternates, until the other defects; then apologises and plays tit for tat."""
    later = {"first": "second", "second": "third"}

    def update(registers, own):
        return later.get(registers, "after C" if own else "after D")

    return _until_defection("first", lambda registers: registers in ("second", "third", "after D"), update)


@strategy("SecondByGraaskampKatzen", memory=ANY, source="Graaskamp & Katzen in Axelrod 1980b")
def graaskamp_and_katzen(game: Payoffs) -> Automaton:
    """Tit for tat that defects for good once its score is low at a check: 23 at move 11, 53 at 21, ..., 293 at 101."""
    needed = {10: 23, 20: 53, 30: 83, 40: 113, 50: 143, 100: 293}

    def update(registers, own, other):
        if registers == "defects":
            return registers
        turn, score, _ = registers
        if score is None:
            return turn, score, other
        turn, score = turn + 1, score + earned(game, own, other)
        if score < needed.get(turn, score):
            return "defects"
        return (turn, score, other) if turn < 100 else (turn, None, other)

    return from_function((0, 0, True), lambda registers: registers != "defects" and registers[2], update)


@strategy("SecondByGrofman", memory=8, source="Grofman in Axelrod 1980b")
def grofman() -> Automaton:
    """Copies the other to move seven, then defects on 3 defections in the 7 moves before the last.

    On 2 if its own last move was one.
    """

    def chance(registers):
        own, moves = registers
        if len(moves) < 2:
            return True
        if len(moves) < 7:
            return moves[-1]
        return moves[:-1][-7:].count(False) < (3 if own else 2)

    return from_function((True, ()), chance, lambda registers, own, other: (own, (*registers[1], other)[-8:]))


@strategy("SecondByLeyvraz", memory=3, stochastic=True, source="Leyvraz in Axelrod 1980b")
def leyvraz() -> Automaton:
    """Looks at the other's last three moves: defects after CDC, mostly after DD, half the time after CCD."""
    chances = {"CCC": 1, "CCD": 0.5, "CDC": 0, "CDD": 0.25, "DCC": 1, "DCD": 1, "DDC": 1, "DDD": 0.25}
    return from_function("CCC", chances.__getitem__, lambda moves, own, other: moves[1:] + "DC"[other])


@strategy("SecondByMikkelson", memory=ANY, source="Mikkelson in Axelrod 1980b")
def mikkelson(horizon: int) -> Automaton:
    """Gives credit for cooperation, takes twice as much for defection; without credit defects on 15 % of defections.

    Credit begins at 7 and stays within -7 and 8; in the first ten moves a defection restores it to 4.
    """
    most = 3 * horizon

    # The excess is 20 times the other's defections less 3 times the moves, the one to come too: at 15 % it is 0.
    def chance(registers):
        turn, credit, excess = registers
        return credit > 0 or (turn == 10 and excess < 0)

    def update(registers, own, other):
        turn, credit, excess = registers
        if turn < 10 and credit <= 0:
            credit = 4
        credit = max(-7, min(8, credit + (1 if other else -2)))
        return min(turn + 1, 10), credit, min(excess - 3 + 20 * (not other), most)

    return from_function((0, 7, -3), chance, update, horizon)


@strategy("SecondByRowsam", memory=ANY, source="Rowsam in Axelrod 1980b")
def rowsam(horizon: int, game: Payoffs) -> Automaton:
    """Cooperates but for DCD whenever a check every six moves finds it below 2.5 a move, each time with more distrust.

    The worse its score, the more points of distrust, 1 to 5; past 6 it defects for good. Every 18 moves, 3 or more
    points lose one.
    """
    last = horizon // 6 * 6

    # The move to come, score, distrust, and moves of DCD that are left.
    def update(registers, own, other):
        if registers == "defects":
            return registers
        move, score, distrust, left = registers
        left = max(left - 1, 0)
        if move is None:
            return None, None, None, left
        move, score = move + 1, score + earned(game, own, other)
        if move % 6 == 0:
            if move % 18 == 0 and distrust >= 3:
                distrust -= 1
            points = next((points for points, least in ((5, 1), (3, 1.5), (2, 2), (1, 2.5)) if score < least * move), 0)
            distrust, left = distrust + points, 3 if points else 0
            if distrust > 6:
                return "defects"
        # No check is left that could find it wanting.
        if score + min(game) * max(last - move, 0) >= 2.5 * last or move >= last:
            return None, None, None, left
        return move, score, distrust, left

    return from_function((1, 0, 0, 0), lambda now: now != "defects" and now[3] in (0, 2), update, horizon)


@strategy("SecondByWhite", memory=ANY, source="White in Axelrod 1980b")
def white(horizon: int) -> Automaton:
    """Cooperates ten times and after cooperation; otherwise defects if defections are many for the move's number.

    Many: at least move t over the whole part of ln t.
    """
    enough = max(math.ceil(turn / math.floor(math.log(turn))) for turn in range(11, max(horizon, 11) + 1))

    def chance(registers):
        turn, defections, heard = registers
        return turn < 10 or heard or math.floor(math.log(turn + 1)) * defections <= turn

    def update(registers, own, other):
        turn, defections, _ = registers
        return turn + 1, min(defections + (not other), enough), other

    return from_function((0, 0, True), chance, update, horizon)


@strategy("SecondByWmAdams", memory=ANY, stochastic=True, source="Adams in Axelrod 1980b")
def adams(horizon: int) -> Automaton:
    """Defects while the other's defections, but for the first move, are 4, 7 or 9; then forgives ever less, by half."""

    def chance(registers):
        defections, heard = registers
        if defections in (4, 7, 9):
            return 0
        return 1 if heard or defections < 10 else 0.5 ** (defections - 9)

    def update(registers, own, other):
        defections, _ = registers
        return (0 if defections is None else defections + (not other)), other

    return from_function((None, True), lambda now: now[0] is None or chance(now), update, horizon)
