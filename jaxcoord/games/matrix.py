"""Two-player matrix games: a payoff function with its parameters' names, ranges and meaning beside them.

`payoff[i, j]` is what strategy i (row) earns against strategy j (column).
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxcoord.errors import ParameterError
from jaxcoord.games.game import MatrixGame
from jaxcoord.model import param, static

Array = jax.Array


def game(*strategies: str) -> Callable[[Callable[..., Array]], Callable[..., MatrixGame]]:
    """Make a game of a payoff function whose defaults are `param(...)`; its arguments become the game's parameters.

    Args:
      strategies: names of the rows, in order.
    Returns: a decorator that turns `f(v, c) -> [S, S]` into a game that is built by the same call, `f(v=1, c=2)`.
    """

    def decorate(function: Callable[..., Array]) -> Callable[..., MatrixGame]:
        arguments = inspect.signature(function).parameters
        body: dict[str, Any] = {name: argument.default for name, argument in arguments.items()}
        body["__annotations__"] = {name: argument.annotation for name, argument in arguments.items()}
        body["__doc__"], body["__module__"] = function.__doc__, function.__module__

        def payoff(self: MatrixGame) -> Array:
            table = function(**{name: getattr(self, name) for name in arguments})
            if table.shape != (len(strategies), len(strategies)):
                raise ParameterError(f"{function.__name__}: payoff {table.shape} for the strategies {strategies}")
            return table

        body["payoff"] = payoff
        body["strategies"] = property(lambda self: strategies)
        return types.new_class(function.__name__, (MatrixGame,), {}, lambda namespace: namespace.update(body))

    return decorate


def matrix(rows: list[list[Any]]) -> Array:
    """Nested lists of numbers or scalars arrays as one floating-point array."""
    return jnp.stack([jnp.stack([jnp.asarray(x, float) for x in row]) for row in rows])


class matrix_game(MatrixGame):
    """Any symmetric two-player game, given by its payoff matrix."""

    matrix: Any = param([[1.0, 0.0], [0.0, 1.0]], doc="payoff of the row against the column strategy", shape=("S", "S"))
    names: str = static("", doc="names of the strategies, separated by commas; numbered when empty")

    def __post_init__(self):
        super().__post_init__()
        if len(self.strategies) != self.matrix.shape[-1]:
            raise ParameterError(f"matrix-game.names = {self.names!r}: {self.matrix.shape[-1]} strategies need names")

    def payoff(self) -> Array:
        return jnp.asarray(self.matrix, float)

    @property
    def strategies(self) -> tuple[str, ...]:
        if self.names:
            return tuple(name.strip() for name in self.names.split(","))
        return tuple(str(i) for i in range(self.matrix.shape[-1]))


@game("C", "D")
def donation(
    b: float = param(3.0, doc="benefit that a cooperator gives"),
    c: float = param(1.0, doc="cost that a cooperator pays"),
) -> Array:
    """Donation game: a cooperator pays c and the other receives b."""
    return matrix([[b - c, -c], [b, 0.0]])


@game("C", "D")
def prisoners_dilemma(
    t: float = param(5.0, doc="temptation: I defect, the other cooperates"),
    r: float = param(3.0, doc="reward: both cooperate"),
    p: float = param(1.0, doc="punishment: both defect"),
    s: float = param(0.0, doc="sucker's payoff: I cooperate, the other defects"),
) -> Array:
    """Prisoner's dilemma by its four payoffs T > R > P > S."""
    return matrix([[r, s], [t, p]])


@game("hawk", "dove")
def hawk_dove(
    v: float = param(2.0, doc="value of the contested resource"),
    c: float = param(3.0, doc="cost of losing an escalated fight"),
) -> Array:
    """Hawk-dove: with v < c the evolutionarily stable share of hawks is v/c (Maynard Smith & Price 1973)."""
    return matrix([[(v - c) / 2, v], [0.0, v / 2]])


@game("C", "D")
def snowdrift(
    b: float = param(1.0, doc="benefit of a cleared road, to both"),
    c: float = param(0.6, doc="cost of clearing it alone; shared when both clear"),
) -> Array:
    """Snowdrift game: with b > c > 0 each does best by the opposite of the other (Hauert & Doebeli 2004)."""
    return matrix([[b - c / 2, b - c], [b, 0.0]])


@game("stag", "hare")
def stag_hunt(
    stag: float = param(4.0, doc="payoff of hunting stag together"),
    hare: float = param(3.0, doc="payoff of hunting hare, whatever the other does"),
    alone: float = param(0.0, doc="payoff of hunting stag alone"),
) -> Array:
    """Stag hunt: hunting stag pays most, hunting hare is safe (Skyrms 2004)."""
    return matrix([[stag, alone], [hare, hare]])


@game("A", "B")
def coordination(
    a: float = param(2.0, doc="payoff when both choose A"),
    b: float = param(1.0, doc="payoff when both choose B"),
) -> Array:
    """Pure coordination: a payoff only when both choose alike (Kandori, Mailath & Rob 1993)."""
    return matrix([[a, 0.0], [0.0, b]])


@game("rock", "paper", "scissors")
def rock_paper_scissors(
    win: float = param(1.0, doc="payoff of the winner"),
    loss: float = param(1.0, doc="what the loser loses"),
) -> Array:
    """Rock-paper-scissors: the interior rest point is stable iff win > loss (Hofbauer & Sigmund 1998)."""
    return matrix([[0.0, -loss, win], [win, 0.0, -loss], [-loss, win, 0.0]])
