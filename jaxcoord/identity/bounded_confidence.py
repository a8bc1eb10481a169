"""Opinions that move only towards opinions not too far from them: Hegselmann and Krause, Deffuant and others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxcoord import random
from jaxcoord.errors import ParameterError
from jaxcoord.identity.attention import rounding
from jaxcoord.model import Model, observable, param, static

Array = jax.Array
CLUSTER = 1e-3  # opinions closer than this are of one cluster
TOGETHER = 100  # agents up to which all pairs are looked at at once


def _opinions(opinions: Any) -> Array:
    opinions = jnp.asarray(opinions, float)
    if opinions.ndim not in (1, 2) or not opinions.size:
        raise ParameterError(f"opinions: shape {opinions.shape}; [N] or [N, D] is needed, N and D at least 1")
    return opinions


def _confidence(epsilon: Any, size: int) -> Array:
    epsilon = jnp.asarray(epsilon, float)
    if not isinstance(epsilon, jax.core.Tracer) and not (np.asarray(epsilon) >= 0).all():
        raise ParameterError(f"epsilon = {epsilon}: at least 0 is needed")
    if epsilon.shape not in ((), (size,)):
        raise ParameterError(f"epsilon: shape {epsilon.shape}; one number, or [{size}], is needed")
    return epsilon


def _each(function: Callable[..., Any], *rows: Array) -> Any:
    # Of many agents one after the other: all pairs at once would leave the cache.
    if len(rows[0]) <= TOGETHER:
        return jax.vmap(function)(*rows)
    return jax.lax.map(lambda row: function(*row), rows)


def _with_confidants(opinions: Array, epsilon: Any, consent: bool, function: Callable[[Array, Array], Array]) -> Array:
    """A function of `[N]` bool, whom an agent listens to, and of their number, for every agent."""
    size = len(opinions)
    epsilon, slack, index = _confidence(epsilon, size), rounding(opinions), jnp.arange(size)

    def one(i, own, confidence, rounded):
        limit = jnp.minimum(confidence, epsilon) if consent else confidence
        away = jnp.abs(opinions - own) if opinions.ndim == 1 else jnp.sqrt(((opinions - own) ** 2).sum(1))
        near = (away <= limit + (rounded + slack)) | (index == i)
        return function(near, near.sum(dtype=opinions.dtype))

    return _each(one, index, opinions, jnp.broadcast_to(epsilon, (size,)), slack)


def confidence_weights(opinions: Any, epsilon: Any, consent: bool = False) -> Array:
    """Equal weights on all who are within confidence, oneself included: 1[|x_i - x_j| <= eps_i] over their number.

    Args:
      opinions: `[N]` or `[N, D]`, distances are Euclidean.
      epsilon: confidence, in units of opinion, at least 0; one for all or `[N]`. The ball is closed, up to rounding.
      consent: both sides must accept, |x_i - x_j| <= min(eps_i, eps_j).
    Returns: `[N, N]`, row-stochastic. Whoever holds a NaN is heard by nobody but itself.
    Raises: ParameterError for a negative confidence or shapes that do not fit.
    Source: Hegselmann & Krause 2002, eq. BC.
    """
    return _with_confidants(_opinions(opinions), epsilon, consent, lambda near, count: near / count)


def hegselmann_krause_step(opinions: Any, epsilon: Any, consent: bool = False) -> Array:
    """Everybody at once takes the mean of all opinions within confidence, its own included.

    Args, raises: as `confidence_weights`. A NaN stays, and touches nobody else.
    Returns: the opinions afterwards, of the same shape. O(N^2 D) operations; O(N D) memory for more than a hundred.
    Source: Hegselmann & Krause 2002.
    """
    opinions = _opinions(opinions)

    def mean(near, count):
        return jnp.where(near if opinions.ndim == 1 else near[:, None], opinions, 0).sum(0) / count

    return _with_confidants(opinions, epsilon, consent, mean)


def deffuant_meetings(opinions: Any, pairs: Any, epsilon: Any, mu: Any, consent: bool = False) -> Array:
    """Pairs meet one after the other; where they differ by less than confidence, each moves a share mu to the other.

    Args:
      opinions: `[N]`.
      pairs: `[M, 2]`, who meets whom, in this order. Nobody meets itself.
      epsilon: as `confidence_weights`. Of two that differ in it only the confident one moves, unless with consent.
      mu: 0 to 1/2; 1/2 meets in the middle.
      consent: whether neither moves unless both would.
    Returns: `[N]`. A NaN stays, and touches nobody else.
    Source: Deffuant, Neau, Amblard & Weisbuch 2000, with a closed interval.
    """
    opinions = _opinions(opinions)
    if opinions.ndim != 1:
        raise ParameterError(f"opinions: shape {opinions.shape}; [N] is needed")
    epsilon = jnp.broadcast_to(_confidence(epsilon, len(opinions)), opinions.shape)
    if not isinstance(mu, jax.core.Tracer) and not 0 <= mu <= 0.5:
        raise ParameterError(f"mu = {mu}: 0 to 1/2 is needed")
    pairs = jnp.asarray(pairs, jnp.int32)
    if not isinstance(pairs, jax.core.Tracer):
        wrong = np.asarray(pairs)[(np.asarray(pairs) < 0) | (np.asarray(pairs) >= len(opinions))]
        if wrong.size:
            raise ParameterError(f"pairs: agent {wrong.flat[0]}; allowed: 0 to {len(opinions) - 1}")

    def meet(opinions, pair):
        values, limit = opinions[pair], epsilon[pair]
        limit = jnp.broadcast_to(limit.min(), limit.shape) if consent else limit
        gap = values[::-1] - values
        listens = jnp.abs(gap) <= limit + rounding(values).sum()
        return opinions.at[pair].add(jnp.where(listens, mu * gap, 0)), None

    return jax.lax.scan(meet, opinions, pairs)[0]


def random_pairs(key: Array, size: int, meetings: int) -> Array:
    """Pairs `[meetings, 2]` int32 of two different agents out of `size`, each uniform and independent."""
    words = random.words(random.seeds(key), jnp.arange(2 * meetings, dtype=jnp.uint32).reshape(meetings, 2))
    first = random.index_below(words[:, 0], jnp.uint32(size))
    second = random.index_below(words[:, 1], jnp.uint32(size - 1))
    return jnp.stack([first, second + (second >= first)], 1).astype(jnp.int32)


class Clusters(NamedTuple):
    """Groups of like opinions: along the line no gap within one is above the limit."""

    number: Array
    """int32."""
    largest: Array
    """Share of the agents in the largest one, as far as it is no wider than the limit."""


def clusters(opinions: Any, gap: Any = CLUSTER) -> Clusters:
    """How many groups there are, by counting, without a sort.

    Args: `opinions [N]`; `gap`, above 0, below which neighbouring opinions are of one cluster.
    """
    opinions = _opinions(opinions)
    index = jnp.arange(len(opinions))

    def one(i, own):
        ahead = own - opinions
        follows = ((ahead > 0) & (ahead <= gap)) | ((ahead == 0) & (index < i))
        return ~follows.any(), (jnp.abs(ahead) <= gap).sum(dtype=jnp.int32)

    first, around = _each(one, index, opinions)
    return Clusters(first.sum(dtype=jnp.int32), around.max() / len(opinions))


def cluster_centres(opinions: Any, gap: float = CLUSTER) -> tuple[np.ndarray, np.ndarray]:
    """Means and sizes of the groups `clusters` counts, in ascending order; on the host.

    Args: as `clusters`, concrete.
    Raises: ParameterError for an opinion that is not finite.
    """
    ordered = np.sort(np.asarray(opinions, float))
    if ordered.ndim != 1 or not np.isfinite(ordered).all():
        raise ParameterError(f"opinions: shape {ordered.shape}; [N] finite numbers are needed")
    parts = np.split(ordered, np.flatnonzero(np.diff(ordered) > gap) + 1)
    return np.array([part.mean() for part in parts]), np.array([len(part) for part in parts])


class BoundedConfidence(Model, name="bounded-confidence"):
    """Agents who listen only to opinions within their confidence; a step is a round of all, or N meetings of pairs.

    "all-at-once" is Hegselmann and Krause, "pairs" is Deffuant and others. Opinions begin on [0, 1], evenly spaced or
    at random. Confidence is uniform on epsilon - spread to epsilon + spread, cut at 0.
    Source: Hegselmann & Krause 2002; Deffuant, Neau, Amblard & Weisbuch 2000.
    """

    epsilon: float = param(0.2, doc="confidence: the largest difference at which one listens", low=0)
    spread: float = param(0.0, doc="half the range of the agents' confidences", low=0)
    mu: float = param(0.5, doc="share of the way to each other in a meeting of two", low=0, high=0.5)
    gap: float = param(CLUSTER, doc="difference above which neighbouring opinions are of two clusters", low=0)
    size: int = static(100, doc="N, agents", unit="individuals", low=2)
    meeting: str = static("all-at-once", doc="who meets in a step", choices=("all-at-once", "pairs"))
    start: str = static("even", doc="the first opinions", choices=("even", "random"))
    consent: bool = static(False, doc="both sides must be within each other's confidence")

    opinion = observable(dims=("agent",), doc="what each agent thinks")
    clusters = observable(doc="groups of like opinions", unit="clusters")
    largest = observable(doc="share of agents in the largest cluster")
    diversity = observable(doc="mean squared distance of an opinion from the mean opinion")

    def init(self, key: Array) -> tuple[Array, Array]:
        """Opinions and confidences, each `[N]`."""
        draws = jax.random.uniform(key, (2, self.size))
        opinions = jnp.linspace(0, 1, self.size, dtype=draws.dtype) if self.start == "even" else draws[0]
        return opinions, jnp.maximum(self.epsilon + self.spread * (2 * draws[1] - 1), 0)

    def step(self, state: tuple[Array, Array], key: Array) -> tuple[Array, Array]:
        opinions, epsilon = state
        if self.meeting == "all-at-once":
            return hegselmann_krause_step(opinions, epsilon, self.consent), epsilon
        pairs = random_pairs(key, self.size, self.size)
        return deffuant_meetings(opinions, pairs, epsilon, self.mu, self.consent), epsilon

    def observe(self, state: tuple[Array, Array]) -> dict[str, Array]:
        found = clusters(state[0], self.gap)
        return {
            "opinion": state[0],
            "clusters": found.number,
            "largest": found.largest,
            "diversity": state[0].var(),
        }

    @property
    def agents(self) -> int:
        return self.size
