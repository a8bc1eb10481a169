"""Games in groups of n: what a player earns depends on whom a random group brings together.

A group is drawn without replacement from a finite population (multivariate hypergeometric) and with replacement from
an infinite one (multinomial). A game says what a player earns beside n - 1 others of a given composition; the sums
over compositions are taken here.
"""

from __future__ import annotations

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np

from jaxcoord.errors import ParameterError
from jaxcoord.games.game import Game
from jaxcoord.model import static

Array = jax.Array
MAX_COMPOSITIONS = 100_000


def group_compositions(strategies: int, others: int) -> np.ndarray:
    """All ways in which the others of a group can be divided among strategies.

    Args: `strategies` S; `others` n - 1.
    Returns: `[M, S]` integers with M = (n - 2 + S)! / ((n - 1)! (S - 1)!).
    Raises: ParameterError where there are more than `MAX_COMPOSITIONS`.
    """
    number = math.comb(others + strategies - 1, strategies - 1)
    if number > MAX_COMPOSITIONS:
        raise ParameterError(
            f"group = {others + 1}: {number} compositions of {strategies} strategies; at most {MAX_COMPOSITIONS}"
        )
    # Stars and bars: the bars among others + S - 1 places divide them into S runs.
    bars = np.array(list(itertools.combinations(range(others + strategies - 1), strategies - 1)), np.int64)
    edges = np.column_stack([np.full(number, -1), bars.reshape(number, -1), np.full(number, others + strategies - 1)])
    return np.diff(edges, axis=1) - 1


def _ways(compositions: np.ndarray) -> np.ndarray:
    others = int(compositions[0].sum())
    factorial = [math.factorial(k) for k in range(others + 1)]
    return np.array([factorial[others] / math.prod(factorial[k] for k in row) for row in compositions])


def _products(factors: Array, compositions: np.ndarray) -> Array:
    # For every composition the product over strategies of the first k_s factors of strategy s; `factors [..., S, n-1]`.
    ones = jnp.ones((*factors.shape[:-1], 1), factors.dtype)
    powers = jnp.concatenate([ones, jnp.cumprod(factors, -1)], -1)
    terms = [powers[..., s, compositions[:, s]] for s in range(compositions.shape[1])]
    return math.prod(terms[1:], start=terms[0])


def multinomial_weights(shares: Array, compositions: np.ndarray) -> Array:
    """Probability of each composition of the others in a group drawn from an infinite population.

    Args: `shares [S]`; `compositions [M, S]` as from `group_compositions`.
    Returns: `[M]`, summing to one.
    """
    others = int(compositions[0].sum())
    shares = jnp.asarray(shares, float)
    factors = jnp.broadcast_to(shares[:, None], (len(shares), others))
    return jnp.asarray(_ways(compositions), float) * _products(factors, compositions)


def hypergeometric_weights(counts: Array, compositions: np.ndarray) -> Array:
    """Probability of each composition of a focal player's others, drawn without replacement from its population.

    Args: `counts [S]`, individuals of each strategy, the focal one included; `compositions [M, S]`.
    Returns: `[S, M]`, a row for each strategy of the focal player, summing to one.
    """
    others = int(compositions[0].sum())
    counts = jnp.asarray(counts, float)
    kinds = len(counts)
    rest = counts.sum() - 1
    drawn = jnp.arange(others)
    # Every factor is divided by Z - 1, so that nothing overflows.
    left = counts[None, :, None] - jnp.eye(kinds)[:, :, None] - drawn
    chances = jnp.asarray(_ways(compositions), float) * _products(left / rest, compositions)
    return chances / jnp.prod(1 - drawn / rest)


class GroupGame(Game, abstract=True):
    """A game in groups; a subclass names its `strategies` and says in `group_payoff` what a player earns."""

    group: int = static(5, doc="n, players in a group", unit="individuals", low=2, high=1000)

    def group_payoff(self, others: Array) -> Array:
        """What a player of each strategy earns in one group.

        Args: `others [S]`, how many of the n - 1 others play each strategy.
        Returns: `[S]`.
        """
        raise TypeError(f"{type(self).__name__}.group_payoff(self, others) is missing")

    def _table(self) -> tuple[np.ndarray, Array]:
        compositions = group_compositions(len(self.strategies), self.group - 1)
        earned = jax.vmap(self.group_payoff, out_axes=1)(jnp.asarray(compositions, float))
        return compositions, earned

    def payoffs(self, shares: Array) -> Array:
        """`[S]`: the mean over multinomial groups."""
        compositions, earned = self._table()
        return earned @ multinomial_weights(shares, compositions)

    def payoffs_among(self, counts: Array) -> Array:
        """`[S]`: the mean over hypergeometric groups."""
        compositions, earned = self._table()
        return (earned * hypergeometric_weights(counts, compositions)).sum(1)
