"""Strategies that count too much for a table of states: long windows, conditional frequencies, all of the past.

Fractions are compared in whole numbers, which is exact. Where two of them tie, the reference compares numbers in double
precision, and the last bit decides. To play the same, a table for each fraction tells how it falls.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from jaxcoord.games.repeated.library import ANY, Payoffs, strategy
from jaxcoord.games.repeated.machine import Machine, machine

Array = jax.Array


def remember(window: Array, move: Array) -> Array:
    """A window of 32 moves, bits of a word with the last one lowest, after one more."""
    return window << 1 | move.astype(jnp.uint32)


def cooperations(window: Array, size: int) -> Array:
    """How many of the last `size` moves of a window, up to 32, were C."""
    return jax.lax.population_count(window & jnp.uint32(2**size - 1)).astype(jnp.int32)


def fractions(horizon: int) -> tuple[np.ndarray, np.ndarray]:
    """Numerators `[N, 1]` and denominators `[1, N]` of all shares of at most `horizon` + 1 rounds."""
    whole = np.arange(horizon + 2.0)
    return whole[:, None], np.maximum(whole, 1)[None, :]


def _majority(name: str, size: int, soft: bool) -> None:
    def build() -> Machine:
        # Registers: the other's last 32 moves, the 32 before them, rounds played up to the size of the window.
        def cooperate(registers):
            late, early, rounds = registers
            count = cooperations(late, min(size, 32)) + cooperations(early, max(size - 32, 0))
            return 2 * count - rounds >= (0 if soft else 1)

        def update(registers, own, other):
            late, early, rounds = registers
            return remember(late, other), remember(early, late >> 31), jnp.minimum(rounds + 1, size)

        return machine((jnp.uint32(0), jnp.uint32(0), 0), cooperate, update, stochastic=False)

    wins = "at least as often as" if soft else "more often than"
    build.__doc__ = f"Cooperates if the other cooperated {wins} it defected in the last {size} rounds."
    strategy(name, memory=size, source="Axelrod-Python (Langner)")(build)


for _size in (20, 40):
    _majority(f"GoByMajority{_size}", _size, True)
    _majority(f"HardGoByMajority{_size}", _size, False)


@strategy("RandomHunter", memory=ANY, source="Axelrod-Python (Langner)")
def random_hunter() -> Machine:
    """Cooperates, but defects on who has answered C with C, and D with D, in about half of the cases."""

    # Registers: own last move; own C and D; C that answered the C before, D that answered the D before.
    def cooperate(registers):
        _, c, d, c_after_c, d_after_d = registers

        def like_a_coin(times, count):
            return (count <= 5) | ((4 * times > count) & (4 * times < 3 * count))

        return (c + d <= 10) | ~(like_a_coin(c_after_c, c) & like_a_coin(d_after_d, d))

    def update(registers, own, other):
        before, c, d, c_after_c, d_after_d = registers
        answers = c + d > 0
        return own, c + own, d + ~own, c_after_c + (answers & before & other), d_after_d + (answers & ~before & ~other)

    return machine((False, 0, 0, 0, 0), cooperate, update, stochastic=False)


@strategy("FirstByDowning", memory=ANY, source="Downing in Axelrod 1980")
def downing(horizon: int, game: Payoffs) -> Machine:
    """Estimates how often its C and its D are answered with C, and plays what then pays more; defects twice first."""
    reward, sucker, temptation, punishment = game
    # The first estimate tells what always C earns, the tied one what always D earns: equal but for rounding.
    times, rounds = fractions(horizon)
    one = times / rounds
    tied = (times * (reward - sucker) + rounds * (sucker - punishment)) / (rounds * (temptation - punishment))
    by_c, by_d = one * reward + (1 - one) * sucker, tied * temptation + (1 - tied) * punishment
    fall = np.sign(by_c - by_d).astype(np.int8)

    # Registers: own last move; own C, with one before the match, and D; C that answered the C and the D before.
    def cooperate(registers):
        last, c, d, c_after_c, c_after_d = registers
        at_least = jnp.maximum(d, 2)
        by_c = (c_after_c * reward + (c - c_after_c) * sucker) * at_least
        by_d = (c_after_d * temptation + (at_least - c_after_d) * punishment) * c
        better = jnp.where(by_c == by_d, jnp.asarray(fall)[c_after_c, c], jnp.sign(by_c - by_d))
        return (c + d > 2) & ((better > 0) | ((better == 0) & ~last))

    def update(registers, own, other):
        before, c, d, c_after_c, c_after_d = registers
        return own, c + own, d + ~own, c_after_c + (before & other), c_after_d + (~before & other)

    return machine((True, 1, 0, 0, 0), cooperate, update, stochastic=False)


@strategy("RevisedDowning", memory=ANY, source="Downing in Axelrod 1980b")
def revised_downing(horizon: int) -> Machine:
    """Downing's rule with a kind first impression: C, D or alternation, by how its C and D were answered with C."""
    times, rounds = fractions(horizon)
    good = times / rounds
    bad = (2 * times - rounds) / (3 * rounds)
    for_c = 6 * good - 8 * bad - 2 >= 4 * good - 5 * bad - 1
    bad = (4 * times - rounds) / (5 * rounds)
    for_turns = 4 * good - 5 * bad - 1 >= 0

    # Registers: own last move; rounds played; own C and D, and how often the other answered each with C.
    def cooperate(registers):
        last, turn, c, d, c_after_c, c_after_d = registers
        # Shares x / y after C, 1 at first, and v / w after D: what C and what taking turns pay beyond D, times y w.
        x, y = jnp.where(c == 0, 1, c_after_c), jnp.maximum(c, 1)
        v, w = c_after_d, jnp.maximum(d, 1)
        by_c, by_turns = 6 * x * w - 8 * v * y - 2 * y * w, 4 * x * w - 5 * v * y - y * w
        prefers_c = jnp.where(by_c == by_turns, jnp.asarray(for_c)[x, y], by_c > by_turns)
        takes_turns = jnp.where(by_turns == 0, jnp.asarray(for_turns)[x, y], by_turns > 0)
        return (turn == 0) | jnp.where((by_c >= 0) & prefers_c, True, takes_turns & ~last)

    def update(registers, own, other):
        before, turn, c, d, c_after_c, c_after_d = registers
        after_c, after_d = (turn > 0) & before, (turn > 0) & ~before
        return own, turn + 1, c + after_c, d + after_d, c_after_c + (after_c & other), c_after_d + (after_d & other)

    return machine((True, 0, 0, 0, 0, 0), cooperate, update, stochastic=False)


@strategy("MathConstantHunter", memory=ANY, source="Axelrod-Python (Langner)")
def math_constant_hunter(horizon: int) -> Machine:
    """Cooperates, but defects if both players cooperated about equally often in three halves of an uneven past."""
    # The three halves: the first, the middle and the last. Shares are equal if they are less than 1/5 apart.
    times, rounds = fractions(horizon)
    share = 0.5 * times / rounds
    below, above = (np.abs(share - (5 * times + side * 2 * rounds) / (10 * rounds)) < 0.2 for side in (-1, 1))
    start = 32 * np.arange(-(-horizon // 32))

    # Registers: rounds played; moves of both, a bit for each, first moves lowest.
    def cooperate(registers):
        turn, mine, theirs = registers

        def before(words, end):
            # How often there was C before a round.
            number = jnp.clip(end - start, 0, 32)
            low = jnp.where(number == 32, jnp.uint32(2**32 - 1), (jnp.uint32(1) << number.astype(jnp.uint32) % 32) - 1)
            return jax.lax.population_count(words & low).astype(jnp.int32).sum()

        half, other_half, quarter = turn // 2, turn - turn // 2, turn // 4
        middle = 3 * turn // 4 - quarter
        counts = [before(mine, end) + before(theirs, end) for end in (half, quarter, quarter + middle, turn)]
        first = counts[0]

        def near(count, size):
            apart = 5 * (first * size - count * half)
            tie = jnp.where(apart > 0, jnp.asarray(below)[first, half], jnp.asarray(above)[first, half])
            return jnp.where(jnp.abs(apart) == 2 * half * size, tie, jnp.abs(apart) < 2 * half * size)

        heard = before(theirs, turn)
        alike = near(counts[2] - counts[1], middle) & near(counts[3] - first, other_half)
        return (turn < 8) | (heard == 0) | (heard == turn) | ~alike

    def update(registers, own, other):
        turn, mine, theirs = registers
        bit = jnp.where(start == turn // 32 * 32, jnp.uint32(1) << (turn % 32).astype(jnp.uint32), 0)
        return turn + 1, jnp.where(own, mine | bit, mine), jnp.where(other, theirs | bit, theirs)

    empty = jnp.zeros(len(start), jnp.uint32)
    return machine((0, empty, empty), cooperate, update, stochastic=False)


@strategy("FrequencyAnalyzer", memory=ANY, source="Axelrod-Python (Miller)")
def frequency_analyzer() -> Machine:
    """Tit for tat for 30 rounds and after pairs of rounds new to it; C after those that C followed often enough.

    Often enough: C has followed this pair of outcomes in more than a quarter of all rounds.
    """
    pairs = np.arange(16)

    # Registers: rounds played; outcomes of the last two, 4 times the older; for each such pair whether it has been
    # followed, and how often by C, from the seventh round on.
    def cooperate(registers):
        turn, recent, seen, count = registers
        here = pairs == recent
        known = (turn >= 30) & (here & seen).any()
        return jnp.where(known, 4 * jnp.where(here, count, 0).sum() > turn, (turn == 0) | (recent % 2 == 0))

    def update(registers, own, other):
        turn, recent, seen, count = registers
        here = (pairs == recent) & (turn >= 5)
        following = 4 * (recent % 4) + 3 - 2 * own - other
        return turn + 1, following, seen | here, count + (here & other)

    return machine((0, 0, np.zeros(16, bool), np.zeros(16, int)), cooperate, update, stochastic=False)


@strategy("EventualCycleHunter", memory=ANY, source="Axelrod-Python (Harper)")
def eventual_cycle_hunter() -> Machine:
    """Every ten rounds looks whether the other has repeated a cycle of 3 to 12 moves since the tenth; then defects."""
    sizes = np.arange(3, 13)

    # Registers: rounds played; the other's last moves, and whether all were C; for each size whether the moves since
    # the tenth may be a cycle of it; whether one was found.
    def update(registers, own, other):
        turn, window, kind, cycles, _ = registers
        repeats = (window >> (sizes - 1).astype(jnp.uint32) & 1).astype(bool) == other
        cycles &= repeats | (turn - 10 < sizes)
        turn, kind = turn + 1, kind & other
        twice = 2 * sizes <= turn - 10
        found = jnp.where(turn % 10 == 0, (cycles & twice).any() & ~kind, registers[-1])
        return turn, remember(window, other), kind, cycles, found

    start = (0, jnp.uint32(0), True, np.ones(len(sizes), bool), False)
    return machine(start, lambda registers: ~registers[-1], update, stochastic=False)


@strategy("FirstByTidemanAndChieruzzi", memory=ANY, source="Tideman & Chieruzzi in Axelrod 1980")
def tideman_and_chieruzzi(length: int | None, game: Payoffs) -> Machine:
    """Punishes the n-th run of defections with n, but gives a fresh start to who is ten points behind and no coin.

    A fresh start is two cooperations, and all is forgotten. It is given after cooperation, twenty moves or more after
    the last one, ten or more before the end, and if defections are three standard deviations from a coin's. Who knows
    the end defects in the last two rounds.
    """
    gain = game.temptation - game.sucker
    never = -(2**20)

    # Registers: rounds played; the move to come; times one exploited the other less those it was; its defections; how
    # long the last punishment was and what is left of it; when a start was given, and whether in this round.
    def update(registers, own, other):
        turn, _, ahead, defections, punishment, left, given, fresh = registers
        turn, defections = turn + 1, defections + ~other
        ahead = ahead + (~own & other) - (own & ~other)
        no_coin = (turn - 2 * defections) ** 2 >= 9 * turn
        in_time = True if length is None else length - turn - 1 >= 10
        start = ~fresh & other & no_coin & in_time & (ahead * gain >= 10) & (turn - given >= 20)
        provoked = ~fresh & ~start & (left == 0) & ~other
        punishes = ~fresh & ~start & ((left > 0) | provoked)
        punishment = jnp.where(start, 0, punishment + provoked)
        left = jnp.where(start, 0, jnp.where(provoked, punishment, left) - punishes)
        given, defections = jnp.where(start, turn, given), jnp.where(start, 0, defections)
        return turn, ~punishes, ahead, defections, punishment, left, given, start

    def cooperate(registers):
        turn, move, *_ = registers
        return move if length is None else move & (turn < length - 2)

    return machine((0, True, 0, 0, 0, 0, never, False), cooperate, update, stochastic=False)


@strategy("SecondByWeiner", memory=ANY, source="Weiner in Axelrod 1980b")
def weiner() -> Machine:
    """Tit for tat that may forgive after an odd run of defections, each time 20 rounds later at the earliest.

    It defects if 5 or more of the 12 moves before the last were defections.
    """

    # Registers: rounds played; the move to come; the other's defections, a bit for each, last one lowest; whether it
    # may forgive; defections in a row, odd or even; from when on it forgives.
    def update(registers, own, other):
        turn, _, defections, ready, odd, grudge = registers
        turn = turn + 1
        forgives = ready & ~other & (grudge < turn + 1)
        # Who may forgive now may not at once again.
        following = ~ready & other & odd
        odd = ~ready & ~other & ~odd
        move = (other | forgives) & (cooperations(defections, 12) < 5)
        return turn, move, remember(defections, ~other), following, odd, grudge + 20 * forgives

    return machine((0, True, jnp.uint32(0), False, False, 0), lambda registers: registers[1], update, stochastic=False)
