"""Herding: agents that are linked by chance act as one, and the few large clusters make returns fat-tailed.

Agents form a random graph with c links each on average. Each connected cluster buys or sells one unit a head with
probability a each, and rests otherwise; the price moves with the sum.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxcoord.market import checks
from jaxcoord.market.interbank import places_for, random_links
from jaxcoord.model import Model, observable, param, static
from jaxcoord.networks.graph import Graph

Array = jax.Array


def clusters(links: Graph) -> Array:
    """The connected cluster of each agent, named by its smallest member; a link may stand in one list or in both.

    Everybody takes the smallest name along its links, hands it on along them, and then takes the name of the agent
    whose name it has, so that a name travels twice as far in each round.

    Returns: `[N]` int32.
    """
    everybody = jnp.arange(len(links.neighbours), dtype=jnp.int32)

    def spread(carry: tuple[Array, Array]) -> tuple[Array, Array]:
        names, _ = carry
        # An empty place shows the agent itself, which changes nothing.
        lower = jnp.minimum(names, names[links.neighbours].min(1, initial=names.shape[0]))
        lower = lower.at[links.neighbours].min(lower[:, None])
        lower = lower[lower]
        return lower, (lower != names).any()

    return jax.lax.while_loop(lambda carry: carry[1], spread, (everybody, jnp.array(True)))[0]


def cluster_sizes(links: Graph) -> Array:
    """`[N]` int32: entry i is the size of the cluster named i, 0 where there is none (see `clusters`)."""
    names = clusters(links)
    return jnp.zeros_like(names).at[names].add(1)


def herd_demand(key: Array, sizes: Array, activity: Any) -> Array:
    """Excess demand `[]` of clusters that each buy or sell as one: the sum of their sizes, signed.

    Args: `sizes [N]`, as from `cluster_sizes`; `activity` a, probability to buy and probability to sell, 0 to 1/2.
    """
    activity = checks.within("activity", activity, 0, 0.5, "a probability from 0 to 0.5 is needed")
    drawn = jax.random.uniform(key, sizes.shape)
    sign = (drawn < activity).astype(jnp.int32) - (drawn >= 1 - activity)
    return (sizes * sign).sum()


def herding_moments(agents: Any, links: Any, activity: Any) -> tuple[Array, Array]:
    """Variance and excess kurtosis of excess demand in a large population.

    Variance 2 a N / (1 - c), excess kurtosis (2a - 12a^2) N (1 + 2c) / (1 - c)^5 / variance^2: second and fourth
    moments of the sizes of clusters, 1 / (1 - c) and (1 + 2c) / (1 - c)^5 a head.

    Args: `agents` N; `links` c, mean links of an agent, 0 to below 1; `activity` a, above 0 to 1/2.
    Source: Cont & Bouchaud 2000, Macroeconomic Dynamics 4:170, with the moments of a subcritical Poisson graph.
    """
    c = checks.within("links", links, 0, 1 - 1e-9, "a mean number of links from 0 to below 1 is needed")
    a = checks.within("activity", activity, 1e-300, 0.5, "a probability above 0 to 0.5 is needed")
    agents = jnp.asarray(agents, float)
    variance = 2 * a * agents / (1 - c)
    fourth = (2 * a - 12 * a**2) * agents * (1 + 2 * c) / (1 - c) ** 5
    return variance, fourth / variance**2


class Herd(NamedTuple):
    """State of `Herding`: the last round of trade."""

    demand: Array
    """`[]` int32: bought less sold, units."""
    largest: Array
    """`[]` int32: agents in the largest cluster."""


class Herding(Model):
    """Traders in random clusters that buy, sell or rest as one (Cont & Bouchaud 2000).

    A step is one round of trade: links are drawn anew, each cluster decides, and demand moves the price.
    """

    links: float = param(0.9, doc="mean number of links of a trader; from 1 on one cluster spans the market", low=0)
    activity: float = param(0.01, doc="probability that a cluster buys, and that it sells", low=0, high=0.5)
    depth: float = param(1.0, doc="excess demand that moves the log price by one", unit="units", low=1e-9)
    traders: int = static(2000, doc="number of traders", unit="agents", low=2, high=1_000_000)
    places: int = static(places_for(1), doc="room for links of a trader to others of higher number", low=1)

    demand = observable(doc="excess demand of the last round", unit="units")
    log_return = observable(doc="change of the log price in the last round")
    largest_cluster = observable(doc="share of traders in the largest cluster")

    @property
    def agents(self) -> int:
        """Traders a step."""
        return self.traders

    def init(self, key: Array) -> Herd:
        nothing = jnp.zeros((), jnp.int32)
        return Herd(nothing, nothing)

    def step(self, state: Herd, key: Array) -> Herd:
        most = self.traders - 1
        links = random_links(jax.random.fold_in(key, 0), self.traders, jnp.minimum(jnp.asarray(self.links), most),
                             min(self.places, most))  # fmt: skip
        sizes = cluster_sizes(links)
        demand = herd_demand(jax.random.fold_in(key, 1), sizes, jnp.asarray(self.activity))
        return Herd(demand.astype(jnp.int32), sizes.max())

    def observe(self, state: Herd) -> dict[str, Array]:
        demand = state.demand.astype(jnp.zeros(()).dtype)
        return {
            "demand": demand,
            "log_return": demand / self.depth,
            "largest_cluster": state.largest / self.traders,
        }
