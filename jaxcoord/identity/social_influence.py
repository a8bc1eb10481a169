"""A discussion on a network: agents between their core and what their neighbours say, friends or foes."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxcoord.model import Model, component, observable, param, static
from jaxcoord.networks.graph import Graph, neighbour_mean
from jaxcoord.networks.kinds import Network, Ring

Array = jax.Array


class Discussion(NamedTuple):
    """N agents who discuss on a network."""

    opinions: Array
    """`[N]`."""
    core: Array
    """`[N]`, with which they began."""
    side: Array
    """`[N]`, +1 or -1: the camp of each."""
    graph: Graph
    """Who listens to whom."""


class SocialInfluence(Model, name="social-influence"):
    """Agents who listen to themselves and their neighbours, stay partly with their core, and may have foes.

    x <- theta core + (1 - theta) mean of s_ij x_j over neighbours and oneself; s_ij = -1 between the two camps, of
    which the second has the share `foes`, and 1 within. theta = 0 is DeGroot, with foes Altafini; theta > 0 is
    Friedkin-Johnsen. Cores are normal, with mean 0 and standard deviation 1. In O(N K), for large networks too.
    Source: DeGroot 1974; Friedkin & Johnsen 1990; Altafini 2013.
    """

    network: Network = component(lambda: Ring(degree=4), base=Network, doc="who listens to whom")
    theta: float = param(0.0, doc="stubbornness: weight of one's own core", low=0, high=1)
    foes: float = param(0.0, doc="share of agents in a camp that all others hear with the opposite sign", low=0, high=1)
    size: int = static(50, doc="N, agents", unit="individuals", low=1)

    opinion = observable(dims=("agent",), doc="what each agent says")
    mean = observable(doc="mean opinion")
    diversity = observable(doc="mean squared distance of an opinion from the mean opinion")
    uniqueness = observable(doc="diversity over that of the cores")
    disagreement = observable(doc="mean distance of an opinion from the mean of its neighbours'")

    def init(self, key: Array) -> Discussion:
        core = jax.random.normal(jax.random.fold_in(key, 0), (self.size,))
        side = jnp.where(jnp.arange(self.size) < self.foes * self.size, -1, 1).astype(core.dtype)
        return Discussion(core, core, side, self.network.make(self.size, jax.random.fold_in(key, 1)))

    def step(self, state: Discussion, key: Array) -> Discussion:
        # Camps are balanced, s_ij = g_i g_j: each hears the mean in the words of its own side.
        heard = state.side * neighbour_mean(state.graph, state.side * state.opinions, itself=True)
        return state._replace(opinions=self.theta * state.core + (1 - self.theta) * heard)

    def observe(self, state: Discussion) -> dict[str, Array]:
        opinions, cores = state.opinions, state.core.var()
        return {
            "opinion": opinions,
            "mean": opinions.mean(),
            "diversity": opinions.var(),
            "uniqueness": opinions.var() / jnp.where(cores > 0, cores, 1),
            "disagreement": jnp.abs(opinions - neighbour_mean(state.graph, opinions)).mean(),
        }

    @property
    def agents(self) -> int:
        return self.size
