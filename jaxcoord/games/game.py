"""What a game is: named strategies, and what each of them earns in a population of a given composition."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxcoord.model import Component

Array = jax.Array


class Game(Component, abstract=True):
    """A symmetric game of any number of players: who earns what, in an infinite and in a finite population."""

    def payoffs(self, shares: Array) -> Array:
        """Mean payoff of each strategy in an infinite population.

        Args: `shares [S]`, of each strategy, summing to one.
        Returns: `[S]`.
        """
        raise TypeError(f"{type(self).__name__}.payoffs(self, shares) is missing")

    def payoffs_among(self, counts: Array) -> Array:
        """Mean payoff of each strategy in a finite population, where nobody meets itself.

        Args: `counts [S]`, individuals of each strategy; their sum Z is at least 2.
        Returns: `[S]`, meaningful for strategies that are present.
        """
        raise TypeError(f"{type(self).__name__}.payoffs_among(self, counts) is missing")

    def payoff_range(self) -> Array:
        """The largest difference that there can be between two mean payoffs."""
        raise TypeError(f"{type(self).__name__}.payoff_range(self) is missing")

    @property
    def strategies(self) -> tuple[str, ...]:
        """The S names of the strategies."""
        raise TypeError(f"{type(self).__name__}.strategies is missing")


class MatrixGame(Game, abstract=True):
    """A symmetric two-player game: a payoff matrix made from parameters."""

    def payoff(self) -> Array:
        """`[S, S]`: the payoff of the row strategy against the column strategy."""
        raise TypeError(f"{type(self).__name__}.payoff(self) is missing")

    def payoffs(self, shares: Array) -> Array:
        """`[S]`: payoff @ shares."""
        return self.payoff() @ shares

    def payoffs_among(self, counts: Array) -> Array:
        """`[S]`: see `mean_payoffs`."""
        return mean_payoffs(counts, self.payoff())

    def payoff_range(self) -> Array:
        """The largest entry of the matrix less the smallest."""
        return jnp.ptp(self.payoff())

    @property
    def strategies(self) -> tuple[str, ...]:
        return tuple(str(i) for i in range(self.payoff().shape[0]))


def mean_payoffs(counts: Array, payoff: Array) -> Array:
    """Mean payoff of each strategy against all the others of a population, without self-play.

    Args: `counts [S]`, individuals of each strategy; `payoff [S, S]`.
    Returns: `[S]`, ((payoff @ counts)_i - payoff_ii) / (Z - 1); meaningful for strategies that are present.
    """
    return (payoff @ counts - jnp.diagonal(payoff)) / (counts.sum() - 1)
