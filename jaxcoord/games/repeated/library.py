"""The strategies that have a name: looked up, listed, and built for a game and a number of rounds."""

from __future__ import annotations

import functools
import importlib
import inspect
import math
from collections.abc import Callable
from typing import Any, NamedTuple

from jaxcoord.errors import ParameterError, nearest
from jaxcoord.games.repeated.automaton import Automaton
from jaxcoord.games.repeated.machine import Machine

FAMILIES = (
    "basic", "counting", "grudging", "first_tournament", "second_tournament", "finite_state", "lookup", "hunting",
    "neural", "random", "registers",
)  # fmt: skip


class Payoffs(NamedTuple):
    """What a round of the prisoner's dilemma pays, by what both do."""

    reward: float = 3.0
    """R, both cooperate."""
    sucker: float = 0.0
    """S, I cooperate and the other defects."""
    temptation: float = 5.0
    """T, I defect and the other cooperates."""
    punishment: float = 1.0
    """P, both defect."""


STANDARD = Payoffs()


def checked_payoffs(game: Any) -> Payoffs:
    """R, S, T, P as `Payoffs`. Raises: ParameterError unless they are four finite numbers."""
    try:
        payoffs = Payoffs(*(float(payoff) for payoff in game))
    except (TypeError, ValueError):
        payoffs = None
    if payoffs is None or not all(math.isfinite(payoff) for payoff in payoffs):
        raise ParameterError(f"game = {game!r}: four numbers are needed, R, S, T and P of a round")
    return payoffs


class Strategy(NamedTuple):
    """A named strategy of the repeated prisoner's dilemma."""

    name: str
    family: str
    memory: float
    """Rounds of the past that its next move depends on; infinite where any may matter."""
    stochastic: bool
    source: str
    doc: str
    build: Callable[..., Automaton | Machine]


_strategies: dict[str, Strategy] = {}


def strategy(name: str, *, memory: float, source: str, stochastic: bool = False) -> Callable:
    """Enter a function that returns an automaton or a machine as a named strategy; its file is its family.

    The function may ask, by the name of an argument, for `horizon` (rounds that it must serve), `length` (the
    rounds of the match where players are told, else None) and `game` (a `Payoffs`).
    """

    def enter(function: Callable[..., Automaton | Machine]) -> Callable[..., Automaton | Machine]:
        if name in _strategies:
            raise ParameterError(f"strategy {name!r}: the name is taken")
        family = function.__module__.rpartition(".")[2]
        doc = (inspect.getdoc(function) or "").partition("\n")[0]
        _strategies[name] = Strategy(name, family, memory, stochastic, source, doc, function)
        return function

    return enter


def _load() -> dict[str, Strategy]:
    for family in FAMILIES:
        importlib.import_module(f"jaxcoord.games.repeated.strategies.{family}")
    return _strategies


def strategies() -> list[Strategy]:
    """All named strategies, sorted by name."""
    return [found for _, found in sorted(_load().items())]


def find_strategy(name: str) -> Strategy:
    """The strategy of a name. Raises: ParameterError with the nearest name where there is none."""
    known = _load()
    if name not in known:
        raise ParameterError(f"unknown strategy {name!r}{nearest(str(name), known)}")
    return known[name]


@functools.lru_cache(maxsize=1024)
def build(name: str, turns: int = 200, told: bool = False, game: Payoffs = STANDARD) -> Automaton | Machine:
    """The automaton of a named strategy, or the machine of one that keeps registers.

    Args:
      name: as in `strategies()`.
      turns: how many rounds it must serve.
      told: whether players know how many rounds there are.
      game: payoffs of a round, which a few strategies look at.
    Raises: ParameterError where the name is unknown, or turns are below 1.
    """
    if turns != int(turns) or turns < 1:
        raise ParameterError(f"turns = {turns}: at least 1 round is needed")
    function = find_strategy(name).build
    given = {"horizon": turns, "length": turns if told else None, "game": game}
    asked = inspect.signature(function).parameters
    return function(**{key: value for key, value in given.items() if key in asked})


ANY = math.inf
"""Memory of a strategy that may depend on any round of the past."""
