"""The evolutionary language game: children learn words from parents, and who is understood has more children.

An association matrix says how often an individual has heard each signal for each object. Its rows, normalised, say how
it speaks; its columns, normalised, how it understands.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxcoord import random
from jaxcoord.errors import ParameterError
from jaxcoord.language import inputs
from jaxcoord.model import Model, observable, param, static

Array = jax.Array
PARENTS = ("payoff", "random")


def _shares(counts: Array, axis: int) -> Array:
    # Counts as parts of their sum; zeros stay zeros.
    total = counts.sum(axis, keepdims=True)
    return counts / jnp.where(total > 0, total, 1.0)


def speaking(association: Any) -> Array:
    """P `[..., n, m]`: probability of each signal for each object; an object that has none is never named."""
    return _shares(inputs.within("association", association, 0, np.inf, "an association of at least 0 is needed"), -1)


def understanding(association: Any) -> Array:
    """Q `[..., m, n]`: probability of each object for each signal; a signal that means nothing is not understood."""
    counts = inputs.within("association", association, 0, np.inf, "an association of at least 0 is needed")
    return jnp.swapaxes(_shares(counts, -2), -1, -2)


def confusion(similarity: Any) -> Array:
    """U `[m, m]`, u_jk = s_jk / sum_k s_jk: how often a signal is heard as each, from their similarity."""
    similarity = inputs.within("similarity", similarity, 0, np.inf, "a finite similarity of at least 0 is needed")
    return similarity / similarity.sum(-1, keepdims=True)


def language_payoff(first: Any, second: Any, heard: Any = None) -> Array:
    """What two individuals gain from talking: F = 1/2 sum_i sum_jk (P1_ij u_jk Q2_ki + P2_ij u_jk Q1_ki).

    At most the smaller of the numbers of objects and of signals.

    Args: `first`, `second`: association matrices `[n, m]`; `heard`: u `[m, m]` as from `confusion`, by default every
      signal is heard as what it is.
    Raises: ParameterError for matrices of different shapes.
    Source: Nowak, Plotkin & Krakauer 1999 (J Theor Biol 200:147).
    """
    if np.ndim(first) != 2 or np.shape(first) != np.shape(second):
        raise ParameterError(
            f"association: shapes {np.shape(first)} and {np.shape(second)}; two alike [n, m] are needed"
        )
    said = [speaking(language) for language in (first, second)]
    if heard is not None:
        said = [one @ jnp.asarray(heard, float) for one in said]
    meant = [understanding(language) for language in (first, second)]
    return ((said[0] * meant[1].T).sum() + (said[1] * meant[0].T).sum()) / 2


def payoffs(association: Array, heard: Any = None) -> Array:
    """`[N]`: mean payoff of each individual from talking to every other one (see `language_payoff`).

    Args: `association [N, n, m]`. The sum over others is that over all less what one would gain from oneself.
    """
    said, meant = speaking(association), jnp.swapaxes(understanding(association), -1, -2)
    if heard is not None:
        said = said @ heard
    everybody = (said * meant.sum(0) + meant * said.sum(0)).sum((1, 2)) / 2
    return (everybody - (said * meant).sum((1, 2))) / (len(association) - 1)


def sampled(association: Array, coins: Array) -> Array:
    """What a child hears: so many responses to each object, drawn from how its parent speaks.

    Args: `association [n, m]`, the parent's; `coins [k, n]`, uniform numbers in [0, 1). Returns: counts `[n, m]`.
    """
    upto = jnp.cumsum(association, 1)
    # The k-th response is the signal below whose cumulative weight the coin falls first.
    above = (coins[..., None] * upto[:, -1:] < upto).sum(0, dtype=association.dtype)
    return jnp.diff(above, axis=1, prepend=0.0)


class LanguageEvolution(Model):
    """Generations of talkers: all gain from being understood, have children in proportion, and teach them words.

    A step is a generation: every child draws a parent, in proportion to payoff or at random, and hears `samples`
    responses to each object. Objects for which signals collide, or that share one, stay that way where learning is
    exact enough: populations get stuck with ambiguous signals.
    Source: Nowak, Plotkin & Krakauer 1999 (J Theor Biol 200:147).
    """

    similarity: float = param(0.0, doc="of any two signals, 1 for those that cannot be told apart", low=0, high=1)
    parent: str = static("payoff", choices=PARENTS, doc="whether parents are drawn in proportion to payoff or alike")
    samples: int = static(1, doc="k, responses to each object that a child hears", low=1)
    size: int = static(100, doc="N, individuals", unit="individuals", low=2)
    objects: int = static(5, doc="n, objects to talk about", low=1)
    signals: int = static(5, doc="m, signals", low=1)

    payoff = observable(doc="mean payoff of talking to the others, at most the smaller of objects and signals")
    best_payoff = observable(doc="payoff of the best individual")
    signals_used = observable(doc="signals that are used for some object, mean over individuals", unit="signals")

    def heard(self) -> Array:
        """How often a signal is heard as each `[m, m]`."""
        return confusion(jnp.where(jnp.eye(self.signals, dtype=bool), 1.0, self.similarity))

    def init(self, key: Array) -> Array:
        """Associations `[N, n, m]`, uniform on [0, 1)."""
        return jax.random.uniform(key, (self.size, self.objects, self.signals))

    def step(self, state: Array, key: Array) -> Array:
        numbers = self.size * (1 + self.samples * self.objects)
        coins = random.probability(random.words(random.seeds(key), jnp.arange(numbers, dtype=jnp.uint32)))
        if self.parent == "payoff":
            earned = payoffs(state, self.heard())
            upto = jnp.cumsum(jnp.where(earned.sum() > 0, earned, 1.0))
            bar = coins[: self.size, None] * upto[-1]
            parents = jnp.minimum((upto <= bar).sum(1, dtype=jnp.int32), self.size - 1)
        else:
            parents = (coins[: self.size] * self.size).astype(jnp.int32)
        heard = coins[self.size :].reshape(self.size, self.samples, self.objects)
        return jax.vmap(sampled)(state[parents], heard)

    def observe(self, state: Array) -> dict[str, Array]:
        earned = payoffs(state, self.heard())
        return {
            "payoff": earned.mean(),
            "best_payoff": earned.max(),
            "signals_used": (state.sum(1) > 0).sum(1).mean(dtype=earned.dtype),
        }

    @property
    def agents(self) -> int:
        """A generation replaces everybody."""
        return self.size
