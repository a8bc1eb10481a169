"""Two-role games: the row player and the column player have strategies and payoffs of their own."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxcoord.errors import ParameterError
from jaxcoord.games.matrix import matrix
from jaxcoord.model import Component, param

Array = jax.Array


class BimatrixGame(Component, abstract=True):
    """A game of a row player with R strategies and a column player with C."""

    def bimatrix(self) -> tuple[Array, Array]:
        """Two arrays `[R, C]`: what the row player and what the column player earns in each pair of strategies."""
        raise TypeError(f"{type(self).__name__}.bimatrix(self) is missing")

    @property
    def strategies(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The names of the R and of the C strategies."""
        rows, columns = self.bimatrix()[0].shape
        return tuple(str(i) for i in range(rows)), tuple(str(i) for i in range(columns))


class bimatrix_game(BimatrixGame):
    """Any two-role game, given by its two payoff matrices."""

    row: Any = param([[1.0, 0.0], [0.0, 1.0]], doc="payoff of the row player", shape=("R", "C"))
    column: Any = param([[1.0, 0.0], [0.0, 1.0]], doc="payoff of the column player", shape=("R", "C"))

    def __post_init__(self):
        super().__post_init__()
        if np.shape(self.row) != np.shape(self.column):
            raise ParameterError(
                f"bimatrix-game: row {np.shape(self.row)}, column {np.shape(self.column)}; both are [R, C]"
            )

    def bimatrix(self) -> tuple[Array, Array]:
        return jnp.asarray(self.row, float), jnp.asarray(self.column, float)


class battle_of_the_sexes(BimatrixGame):
    """Both want to meet, each at another place (Luce & Raiffa 1957)."""

    preferred: float = param(3.0, doc="payoff of meeting at one's own favourite place")
    other: float = param(2.0, doc="payoff of meeting at the other's")

    def bimatrix(self) -> tuple[Array, Array]:
        return matrix([[self.preferred, 0.0], [0.0, self.other]]), matrix([[self.other, 0.0], [0.0, self.preferred]])


class matching_pennies(BimatrixGame):
    """The row player wins where both show the same side, the column player where not."""

    stake: float = param(1.0, doc="what the winner wins and the loser loses")

    def bimatrix(self) -> tuple[Array, Array]:
        row = matrix([[self.stake, -self.stake], [-self.stake, self.stake]])
        return row, -row
