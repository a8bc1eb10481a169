"""Games in groups of n: what a player earns depends on whom a random group brings together.

A group is drawn without replacement from a finite population (multivariate hypergeometric) and with replacement from
an infinite one (multinomial). A game says what a player earns beside n - 1 others of a given composition; the sums
over compositions are taken here.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxcoord.errors import ParameterError
from jaxcoord.games.game import Game
from jaxcoord.model import static

Array = jax.Array
MAX_COMPOSITIONS = 100_000
MAX_GROUP = 150  # beyond, probabilities of compositions leave single precision
SPREAD = 0.25  # of the exponents of running products, below and above zero


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


def _weights(chances: Array, shares: Array, scale: Any, compositions: np.ndarray) -> Array:
    # For every composition the product over strategies of their first k_s chances, each times `scale`, divided by k_s!;
    # `chances [..., S, n-1]`. From n = 60 on, factorials and powers alone would leave single precision. With (n-1)! and
    # exp(n/4) spread over the individuals (`scale`) and exp(-n/4) over the strategies, which is taken out again at the
    # end, running products stay within exp(-n/4) and exp(n/4) about.
    others = chances.shape[-1]
    starts = jax.lax.stop_gradient(jnp.exp(-SPREAD * others * shares))
    factors = chances * (scale / jnp.arange(1, others + 1))
    first = jnp.broadcast_to(starts[:, None], (*factors.shape[:-1], 1))
    runs = jnp.cumprod(jnp.concatenate([first, factors], -1), -1)
    terms = [runs[..., s, compositions[:, s]] for s in range(compositions.shape[1])]
    return math.prod(terms[1:], start=terms[0]) / starts.prod()


def multinomial_weights(shares: Array, compositions: np.ndarray) -> Array:
    """Probability of each composition of the others in a group drawn from an infinite population.

    Args: `shares [S]`; `compositions [M, S]` as from `group_compositions`.
    Returns: `[M]`, summing to one.
    """
    others = int(compositions[0].sum())
    shares = jnp.asarray(shares, float)
    chances = jnp.broadcast_to(shares[:, None], (len(shares), others))
    logs = math.lgamma(others + 1)
    scale = float(np.float32(math.exp(SPREAD + logs / others)))  # a rounding error would be raised to the power n - 1
    return _weights(chances, shares, scale, compositions) * math.exp(logs - others * math.log(scale))


def hypergeometric_weights(counts: Array, compositions: np.ndarray) -> Array:
    """Probability of each composition of a focal player's others, drawn without replacement from its population.

    Args: `counts [S]`, individuals of each strategy, the focal one included; `compositions [M, S]`.
    Returns: `[S, M]`, a row for each strategy of the focal player, summing to one. The row of a strategy that is absent
      is a newcomer's, who meets all of the population; where the group is larger than the population it is NaN.
    """
    others = int(compositions[0].sum())
    counts = jnp.asarray(counts, float)
    met = counts - jnp.eye(len(counts)) * (counts > 0)
    rest = counts.sum() - 1
    drawn = jnp.arange(others)
    # Everything is divided by Z - 1, so that nothing overflows; the rows are scaled roughly and normalised at the end.
    chances = jnp.maximum(met[:, :, None] - drawn, 0) / rest
    log_scale = SPREAD + (math.lgamma(others + 1) - jnp.log1p(-drawn / rest).sum()) / others
    weights = _weights(chances, counts / counts.sum(), jnp.exp(log_scale), compositions)
    return weights / weights.sum(-1, keepdims=True)


class GroupGame(Game, abstract=True):
    """A game in groups; a subclass names its `strategies` and says in `group_payoff` what a player earns."""

    group: int = static(5, doc="n, players in a group", unit="individuals", low=2, high=MAX_GROUP)

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
        return (earned * multinomial_weights(shares, compositions)).sum(1)

    def payoffs_among(self, counts: Array) -> Array:
        """`[S]`: the mean over hypergeometric groups."""
        compositions, earned = self._table()
        return (earned * hypergeometric_weights(counts, compositions)).sum(1)

    def payoff_range(self) -> Array:
        """The largest payoff in any group less the smallest."""
        return jnp.ptp(self._table()[1])
