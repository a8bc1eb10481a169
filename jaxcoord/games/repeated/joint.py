"""Two automata as one chain: the joint states that a match can reach, and the single path of a certain match."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from jaxcoord.games.repeated.automaton import Automaton

MAX_LISTED = 2**18
"""Joint states of a match that are listed at most."""
_LISTED_TOGETHER = 2**21
_DEPTH = 32  # rounds after which a match that still comes to new states is taken to count them
_FEW = 144  # states up to which it is listed all the same
_PRODUCT = 2**20  # joint states that matches can have, of which so many are taken together,
_MATCHES = 128  # or so many matches, as most reach only a few of them


class Branch(NamedTuple):
    """What may happen in a round: both moves (1 for D), and whether a player takes the other's for its opposite."""

    one: int
    other: int
    one_misreads: int
    other_misreads: int


def branches(misread: bool) -> list[Branch]:
    """All that may happen in a round, by outcome CC, CD, DC, DD; 4 branches, or 16 where moves may be misread."""
    views = [(0, 0), (0, 1), (1, 0), (1, 1)] if misread else [(0, 0)]
    return [Branch(outcome >> 1, outcome & 1, *view) for outcome in range(4) for view in views]


class Stack(NamedTuple):
    """The tables of several automata in one, on the host."""

    size: np.ndarray
    """`[S]`: states of each."""
    first: np.ndarray
    """`[S]`: where the states of each begin."""
    after: np.ndarray
    """`[Q, 4]`: next states, numbered within their automaton."""


def stacked(automata: Sequence[Automaton]) -> Stack:
    """The next states of several automata in one table."""
    size = np.array([len(one.after) for one in automata])
    after = np.concatenate([np.asarray(one.after) for one in automata]).astype(np.int64)
    return Stack(size, np.cumsum(size) - size, after)


class Codes:
    """Joint states of some matches as whole numbers, in the order of match, state of one, state of the other."""

    def __init__(self, stack: Stack, one: np.ndarray, other: np.ndarray):
        self.stack, self.columns = stack, stack.size[other]
        self.from_one, self.from_other = stack.first[one], stack.first[other]
        self.width = int((stack.size[one] * self.columns).max())
        self.start = np.arange(len(one)) * self.width

    def split(self, codes: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Match, and the state of either player, numbered over all automata."""
        match, place = np.divmod(codes, self.width)
        row, column = np.divmod(place, self.columns[match])
        return match, self.from_one[match] + row, self.from_other[match] + column

    def follow(self, match: np.ndarray, a: np.ndarray, b: np.ndarray, event: Branch) -> np.ndarray:
        """The joint state after an event."""
        row = self.stack.after[a, 2 * event.one + (event.other ^ event.one_misreads)]
        column = self.stack.after[b, 2 * event.other + (event.one ^ event.other_misreads)]
        return match * self.width + row * self.columns[match] + column


class Joint(NamedTuple):
    """The joint states of several matches, one match after the other; each begins with its first state."""

    start: np.ndarray
    """`[M + 1]`: where each match's states begin, and the number of all."""
    one: np.ndarray
    """`[N]`: the state of the first player, numbered over all automata."""
    other: np.ndarray
    """`[N]`: the state of the second player."""
    after: np.ndarray
    """`[N, L]`: the joint state that follows each branch, numbered over all; itself where that cannot happen."""


def joint_states(
    stack: Stack, one: np.ndarray, other: np.ndarray, possible: np.ndarray,
    misread: bool, turns: int | None, whole: bool,
) -> Iterator[tuple[np.ndarray, Joint | None]]:  # fmt: skip
    """The joint states that matches can reach, a share of the matches at a time so that memory stays small.

    Args:
      stack: the automata.
      one, other: `[M]`, the automata of each match.
      possible: `[Q, 2]` bool, whether C and whether D can be played in each state of all automata.
      misread: whether moves may be misread.
      turns: rounds, after which it does not matter what follows; None for any number.
      whole: whether to list a match too that comes to new states for long, as one does that counts rounds. Its states
        are better followed as they are reached than listed.
    Returns: for each share, which matches they are and their joint states; None for matches that are not listed, for
      this or for reaching more than `MAX_LISTED`. Every match is in one share.
    """
    bounds = stack.size[one] * stack.size[other]
    order = np.argsort(bounds, kind="stable")
    upto = np.cumsum(bounds[order])
    waiting = []
    begin = 0
    while begin < len(order):
        before = upto[begin] - bounds[order[begin]]
        end = max(begin + _MATCHES, int(np.searchsorted(upto, before + _PRODUCT, side="right")))
        waiting.append(order[begin:end])
        begin = end
    while waiting:
        matches = waiting.pop()
        found = _reached(Codes(stack, one[matches], other[matches]), possible, misread, turns, whole)
        if found is None:
            waiting += np.array_split(matches, 2)
            continue
        joint, listed = found
        if not listed.all():
            yield matches[~listed], None
        if listed.any():
            yield matches[listed], joint


def _reached(
    codes: Codes, possible: np.ndarray, misread: bool, turns: int | None, whole: bool
) -> tuple[Joint, np.ndarray] | None:
    # Joint states of the matches that are listed, and which are; None where all of them together have too many.
    events = branches(misread)
    reached = recent = codes.start
    listed = np.ones(len(codes.start), bool)
    depth = 0
    while len(recent) and (turns is None or depth < turns - 1):
        match, a, b = codes.split(recent)
        found = []
        for event in events:
            kept = possible[a, event.one] & possible[b, event.other]
            found.append(codes.follow(match[kept], a[kept], b[kept], event))
        new = np.sort(np.concatenate(found))
        new = new[np.diff(new, prepend=-1) > 0]
        place = np.searchsorted(reached, new)
        fresh = reached[np.minimum(place, len(reached) - 1)] != new
        recent = new[fresh]
        reached = np.insert(reached, place[fresh], recent)
        depth += 1
        if len(reached) > MAX_LISTED or (depth == _DEPTH and not whole):
            found_of, new_of = (np.bincount(x // codes.width, minlength=len(listed)) for x in (reached, recent))
            large = found_of > MAX_LISTED
            if depth >= _DEPTH and not whole:
                large |= (new_of > 0) & (found_of > _FEW)
            listed &= ~large
            reached, recent = (x[listed[x // codes.width]] for x in (reached, recent))
            if len(reached) > _LISTED_TOGETHER and listed.sum() > 1:
                return None
    match, a, b = codes.split(reached)
    after = np.empty((len(reached), len(events)), np.int64)
    for number, event in enumerate(events):
        new = codes.follow(match, a, b, event)
        place = np.minimum(np.searchsorted(reached, new), len(reached) - 1)
        after[:, number] = np.where(reached[place] == new, place, np.arange(len(reached)))
    start = np.append(np.searchsorted(match, np.flatnonzero(listed)), len(match))
    return Joint(start, a, b, after), listed


def certain_rates(
    stack: Stack, cooperates: np.ndarray, one: np.ndarray, other: np.ndarray, turns: int | None, weight: float | None
) -> np.ndarray:
    """Shares of the four outcomes in matches without chance, which come into a cycle sooner or later.

    Args:
      stack: the automata.
      cooperates: `[Q]` bool, the move in each state of all automata.
      one, other: `[M]`, the automata of each match.
      turns: rounds; None for any number.
      weight: continuation probability where `turns` is None; None too for the limit of means.
    Returns: `[M, 4]` float64.
    Source: cycles are found by two walkers, one of which waits at powers of two (Brent 1980).
    """
    rates = np.zeros((len(one), 4))
    left = np.arange(len(one))
    from_one, from_other = stack.first[one], stack.first[other]
    a, b = np.zeros_like(from_one), np.zeros_like(from_other)
    waiting_a, waiting_b = a.copy(), b.copy()
    total = np.zeros((len(one), 4))
    waiting = total.copy()
    now, since, limit = 1.0, 0, 1
    rounds: Iterable[int] = itertools.count() if turns is None else range(turns)
    for _ in rounds:
        x, y = ~cooperates[from_one + a], ~cooperates[from_other + b]
        total[np.arange(len(left)), 2 * x + y] += now
        a = stack.after[from_one + a, 2 * x + y]
        b = stack.after[from_other + b, 2 * y + x]
        if turns is not None:
            continue
        since += 1
        if weight is not None:
            now *= weight
        closed = (a == waiting_a) & (b == waiting_b)
        if closed.any():
            cycle = total - waiting
            if weight is None:
                rates[left[closed]] = cycle[closed] / since
            else:
                once = -math.expm1(since * math.log(weight)) if weight > 0 else 1.0
                rates[left[closed]] = (1 - weight) * (waiting + cycle / once)[closed]
            kept = ~closed
            left, from_one, from_other = left[kept], from_one[kept], from_other[kept]
            a, b, waiting_a, waiting_b = a[kept], b[kept], waiting_a[kept], waiting_b[kept]
            total, waiting = total[kept], waiting[kept]
        if not len(left):
            return rates
        if since == limit:
            waiting_a, waiting_b, waiting = a.copy(), b.copy(), total.copy()
            since, limit = 0, 2 * limit
    return total / total.sum(1, keepdims=True)
