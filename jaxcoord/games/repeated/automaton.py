"""Strategies of repeated games as tables: in each state a probability to cooperate, after each round the next state.

A strategy that counts, remembers or waits is written as a small function over its registers and turned into a table by
walking through the states that it can reach. So one program plays every pair.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxcoord.errors import ParameterError

MAX_STATES = 500_000
OUTCOMES = ("CC", "CD", "DC", "DD")


class Automaton(NamedTuple):
    """A strategy of a repeated game with two actions; it begins in state 0."""

    cooperate: np.ndarray
    """`[Q]`: the probability that a player in this state means to cooperate."""
    after: np.ndarray
    """`[Q, 4]` int32: the next state after CC, CD, DC and DD, one's own move first, as they were seen."""

    @property
    def stochastic(self) -> bool:
        """Whether any move is left to chance."""
        return bool(((self.cooperate > 0) & (self.cooperate < 1)).any())


def automaton(cooperate: Any, after: Any) -> Automaton:
    """An automaton from its tables.

    Args: `cooperate [Q]`, probabilities; `after [Q, 4]`, next states after CC, CD, DC, DD, one's own move first.
    Raises: ParameterError where a probability is none, or a next state does not exist.
    """
    try:
        cooperate, after = np.asarray(cooperate, float), np.asarray(after, float)
    except (TypeError, ValueError):
        raise ParameterError("automaton: tables of numbers are needed, cooperate [Q] and after [Q, 4], each row with "
                             "the next states after CC, CD, DC and DD") from None  # fmt: skip
    if cooperate.ndim != 1 or not len(cooperate):
        raise ParameterError(f"cooperate: shape {cooperate.shape}; [Q] is needed, a probability for each state")
    wrong = ~((cooperate >= 0) & (cooperate <= 1))
    if wrong.any():
        state = int(np.argmax(wrong))
        raise ParameterError(f"cooperate[{state}] = {cooperate[state]:g}: a probability, 0 to 1, is needed")
    if after.shape != (len(cooperate), 4):
        raise ParameterError(f"after: shape {after.shape}; {(len(cooperate), 4)} is needed, next states by outcome")
    missing = ~((after == np.floor(after)) & (after >= 0) & (after < len(cooperate)))
    if missing.any():
        state, outcome = (int(i) for i in np.argwhere(missing)[0])
        raise ParameterError(
            f"after[{state}]: state {after[state, outcome]:g} after {OUTCOMES[outcome]} is missing; "
            f"there are 0 to {len(cooperate) - 1}"
        )
    return Automaton(cooperate, after.astype(np.int32))


def from_function(
    start: Hashable,
    cooperate: Callable[[Any], float],
    update: Callable[[Any, bool, bool], Hashable],
    turns: int | None = None,
) -> Automaton:
    """An automaton from functions over registers: any hashable value, such as a tuple of counters.

    Args:
      start: the registers before the first round.
      cooperate: registers to the probability to cooperate (True and False serve).
      update: registers, whether one cooperated, whether the other did, to the next registers.
      turns: how many rounds will be played. Without it the reachable states must be finite in number; with it states
        that are reached only later do not matter.
    Raises: ParameterError where more than `MAX_STATES` states are reached, or a probability is none.

    Example, a grudge that needs two provocations:
      >>> table = from_function(0, lambda seen: seen < 2, lambda seen, own, other: min(seen + (not other), 2))
      >>> table.after.tolist()
      [[0, 1, 0, 1], [1, 2, 1, 2], [2, 2, 2, 2]]
    """
    number = {start: 0}
    registers: list[Any] = [start]
    chances, after = [], []
    depth, last_of_depth = 0, 1
    at = 0
    while at < len(registers):
        if at == last_of_depth:
            depth, last_of_depth = depth + 1, len(registers)
        now = registers[at]
        chance = float(cooperate(now))
        chances.append(chance)
        row = []
        for outcome in range(4):
            own, other = outcome < 2, outcome % 2 == 0
            if turns is not None and depth >= turns - 1:
                row.append(at)
                continue
            # What one cannot do still matters: a move may be changed by noise.
            following = update(now, own, other)
            if following not in number:
                if len(registers) >= MAX_STATES:
                    raise ParameterError(
                        f"automaton: more than {MAX_STATES} states; say how many turns are played, or forget more"
                    )
                number[following] = len(registers)
                registers.append(following)
            row.append(number[following])
        after.append(row)
        at += 1
    return automaton(chances, after)


def memory_one(after_cc: float, after_cd: float, after_dc: float, after_dd: float, first: float = 1.0) -> Automaton:
    """A strategy that cooperates with a probability given by the last round, one's own move first.

    Args: the four probabilities, and that of the first move.
    """
    return automaton([first, after_cc, after_cd, after_dc, after_dd], [[1, 2, 3, 4]] * 5)


def memory_n(depth: int, probabilities: Sequence[float], first: Sequence[float] | float = 1.0) -> Automaton:
    """A strategy that looks at the last `depth` rounds.

    Args:
      depth: n, at least 1.
      probabilities: `[4**n]`, to cooperate after each history of n outcomes, in the order of CC, CD, DC, DD with the
        oldest outcome first: for n = 2 CC CC, CC CD, ..., DD DD.
      first: to cooperate while fewer than n rounds were played: one number, or one for each of those n rounds.
    Raises: ParameterError for another number of probabilities.
    """
    if depth < 1 or len(probabilities) != 4**depth:
        raise ParameterError(f"probabilities: {len(probabilities)} given; depth {depth} needs {4 ** max(depth, 1)}")
    opening = [float(first)] * depth if np.ndim(first) == 0 else [float(x) for x in first]  # type: ignore[arg-type, union-attr]
    if len(opening) != depth:
        raise ParameterError(f"first: {len(opening)} given; depth {depth} needs one number, or {depth}")

    def chance(history: tuple[int, ...]) -> float:
        if len(history) < depth:
            return opening[len(history)]
        return probabilities[sum(outcome * 4 ** (depth - 1 - at) for at, outcome in enumerate(history))]

    def update(history: tuple[int, ...], own: bool, other: bool) -> tuple[int, ...]:
        return (*history, 2 * (not own) + (not other))[-depth:]

    return from_function((), chance, update)


def minimal(table: Automaton) -> Automaton:
    """The smallest automaton that plays the same from state 0 on: states that no future can tell apart are one.

    Source: Moore 1956; partition refinement.
    """
    _, blocks = np.unique(table.cooperate, return_inverse=True)
    while True:
        signature = np.column_stack([blocks, blocks[table.after]])
        _, refined = np.unique(signature, axis=0, return_inverse=True)
        refined = refined.ravel()
        if refined.max() == blocks.max():
            break
        blocks = refined
    # Number the blocks as they are reached, so that the first state is 0.
    order: dict[int, int] = {int(blocks[0]): 0}
    members = [0]
    for at in members:
        for following in table.after[at]:
            if int(blocks[following]) not in order:
                order[int(blocks[following])] = len(members)
                members.append(int(following))
    after = [[order[int(blocks[following])] for following in table.after[at]] for at in members]
    return automaton(table.cooperate[members], after)
