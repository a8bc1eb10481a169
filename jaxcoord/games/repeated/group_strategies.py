"""Strategies of repeated games in groups: automata that look at how many of the others cooperated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxcoord.errors import ParameterError, nearest


class GroupAutomaton(NamedTuple):
    """A strategy in groups of n; it begins in state 0."""

    cooperate: np.ndarray
    """`[Q]`: the probability that a player in this state means to cooperate."""
    after: np.ndarray
    """`[Q, 2, n]`: the next state, by one's own move (C, D) and by how many of the n - 1 others cooperated."""


def group_automaton(cooperate: Any, after: Any) -> GroupAutomaton:
    """A strategy in groups from its tables.

    Args: `cooperate [Q]`, probabilities; `after [Q, 2, n]`, next states.
    Raises: ParameterError where a probability is none, or a next state does not exist.
    """
    cooperate, after = np.asarray(cooperate, float), np.asarray(after)
    if cooperate.ndim != 1 or not ((cooperate >= 0) & (cooperate <= 1)).all():
        raise ParameterError("cooperate: [Q] probabilities, 0 to 1, are needed")
    if after.ndim != 3 or after.shape[:2] != (len(cooperate), 2) or after.shape[2] < 2:
        raise ParameterError(
            f"after: shape {after.shape}; [{len(cooperate)}, 2, n] is needed, states by move and number"
        )
    if (after != after.astype(int)).any() or after.min() < 0 or after.max() >= len(cooperate):
        raise ParameterError(f"after: a state is missing; there are 0 to {len(cooperate) - 1}")
    return GroupAutomaton(cooperate, after.astype(np.int64))


def reactive_group(after: Sequence[float], first: float = 1.0) -> GroupAutomaton:
    """A strategy that looks at the others' last moves: a probability for each number of cooperators among them.

    Args: `after [n]`, to cooperate after k = 0 .. n - 1 others did; `first`, in the first round.
    """
    states = np.broadcast_to(1 + np.arange(len(after)), (len(after) + 1, 2, len(after)))
    return group_automaton([first, *after], states)


def reciprocator(group: int, least: int) -> GroupAutomaton:
    """T_a: cooperates first, then where at least a of the n - 1 others did.

    Args: `group` n; `least` a, 0 to n - 1: 0 always cooperates, n - 1 wants all others to.
    Raises: ParameterError for another number.
    Source: Boyd & Richerson 1988.
    """
    if not 0 <= least <= group - 1:
        raise ParameterError(f"least = {least}: 0 to {group - 1}, the others of a group of {group}, are needed")
    enough = np.arange(group) >= least
    return group_automaton([1.0, 0.0], np.broadcast_to(np.where(enough, 0, 1), (2, 2, group)))


def majority(group: int) -> GroupAutomaton:
    """Cooperates first, then where at least half of the others did."""
    return reciprocator(group, group // 2)


def all_or_none(group: int, memory: int = 1) -> GroupAutomaton:
    """Cooperates where in each of the last rounds all of the group did the same, all C or all D; so at the start.

    With two players and a memory of one round it is win-stay, lose-shift.
    Args: `group` n; `memory`, rounds that have to be of one mind, at least 1.
    Source: Pinheiro, Vasconcelos, Santos & Pacheco 2014; of longer memory Hilbe, Martinez-Vaquero, Chatterjee & Nowak
      2017.
    """
    if memory < 1:
        raise ParameterError(f"memory = {memory}: at least 1 round is needed")
    # State s: so many rounds of one mind are still missing.
    fewer = np.maximum(np.arange(memory + 1) - 1, 0)
    after = np.full((memory + 1, 2, group), memory)
    after[:, 0, group - 1] = fewer
    after[:, 1, 0] = fewer
    return group_automaton([1.0] + [0.0] * memory, after)


def always(group: int, cooperate: bool) -> GroupAutomaton:
    """ALLC or ALLD."""
    return group_automaton([float(cooperate)], np.zeros((1, 2, group), int))


def named(name: str, group: int) -> GroupAutomaton:
    """A strategy by its name: ALLC, ALLD, T1 to T(n-1), majority, AON1, AON2, ...

    Raises: ParameterError with the nearest name where there is none.
    """
    plain = {
        "ALLC": lambda: always(group, True),
        "ALLD": lambda: always(group, False),
        "majority": lambda: majority(group),
    }
    if name in plain:
        return plain[name]()
    for start, build in (("AON", all_or_none), ("T", reciprocator)):
        digits = name.removeprefix(start)
        if name.startswith(start) and digits.isdecimal():
            return build(group, int(digits))
    known = [*plain, *(f"T{a}" for a in range(group)), "AON1", "AON2"]
    raise ParameterError(f"unknown strategy in groups {name!r}{nearest(name, known)}")
