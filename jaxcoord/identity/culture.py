"""The dissemination of culture (Axelrod 1997): the more alike neighbours are, the more alike they become."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxcoord import random
from jaxcoord.errors import ParameterError
from jaxcoord.model import Model, component, observable, static
from jaxcoord.networks.graph import Graph
from jaxcoord.networks.kinds import Lattice, Network
from jaxcoord.networks.measures import components

Array = jax.Array


class Cultures(NamedTuple):
    """The sites of a network and their cultures."""

    traits: Array
    """`[n, F]` int32: the trait of each site in each feature."""
    graph: Graph
    """Who is next to whom."""


def _shared(traits: Array, graph: Graph) -> Array:
    # A count: whether two are alike in everything must not hang on how a share is rounded.
    return (traits[graph.neighbours] == traits[:, None]).sum(2, dtype=jnp.int32)


def similarity(traits: Array, graph: Graph) -> Array:
    """`[n, K]`: the share of features in which each neighbour of a site has its trait; 1 in an empty place."""
    return _shared(traits, graph) / jnp.float32(traits.shape[1])


def active_bonds(traits: Array, graph: Graph) -> Array:
    """`[]` int32: bonds whose ends are alike in some features and differ in others; the process stops at none."""
    shared = _shared(traits, graph)
    return (graph.valid & (shared > 0) & (shared < traits.shape[1])).sum(dtype=jnp.int32) // 2


def regions(traits: Array, graph: Graph) -> Array:
    """`[]` int32: connected groups of sites with the same culture."""
    same = graph.valid & (_shared(traits, graph) == traits.shape[1])
    names = components(graph._replace(valid=same))
    return (names == jnp.arange(len(names))).sum(dtype=jnp.int32)


def disseminate(traits: Array, graph: Graph, key: Array, events: int) -> Array:
    """A number of events, one after the other.

    In each a random site looks at a random neighbour and, with probability equal to their similarity, takes over one
    of the traits in which they differ, drawn at random.

    Args: `traits [n, F]` int32; `graph`, of the sites; `key`; `events`, how many.
    Returns: `[n, F]` int32, the traits afterwards.
    Source: Axelrod 1997, p. 208.
    """
    sites, features = traits.shape
    if not graph.neighbours.shape[1]:
        raise ParameterError("network: nobody has a neighbour; a culture spreads between neighbours")
    degree = graph.valid.sum(1, dtype=jnp.uint32)
    seed = random.seeds(key)
    row = jnp.arange(features + 3, dtype=jnp.uint32)

    def body(event: Any, traits: Array) -> Array:
        words = random.words(seed, jnp.uint32(event) * jnp.uint32(features + 3) + row)
        site = random.index_below(words[0], jnp.uint32(sites)).astype(jnp.int32)
        place = random.index_below(words[1], degree[site]).astype(jnp.int32)
        own, other = traits[site], traits[graph.neighbours[site, place]]
        differ = own != other
        # The largest of as many random words as there are features that differ.
        chosen = jnp.where(differ, words[3:] | 1, 0)
        alike = 1 - differ.mean(dtype=jnp.float32)
        takes = (random.probability(words[2]) < alike) & differ & (chosen == chosen.max())
        return traits.at[site].set(jnp.where(takes, other, own))

    return jax.lax.fori_loop(0, events, body, traits)


class Culture(Model):
    """Sites of a network with cultures of several features; a step is as many events as there are sites.

    In an event a random site interacts with a random neighbour with probability equal to the share of features in
    which they are alike, and takes over one trait in which they differ. The process ends where all neighbours are
    alike in everything or in nothing.
    Source: Axelrod 1997 (J Conflict Resolut 41:203).
    """

    network: Network = component(lambda: Lattice(rows=10, wrap=False), base=Network, doc="who is next to whom")
    features: int = static(5, doc="F, features of a culture", low=1, high=1000)
    traits: int = static(10, doc="q, traits that each feature may have", low=1, high=2**24)
    size: int = static(100, doc="n, sites", unit="sites", low=2, high=2**24 - 1)

    regions = observable(doc="connected groups of sites with the same culture", unit="regions")
    active = observable(doc="bonds whose ends are partly alike; none at the end", unit="bonds")

    def init(self, key: Array) -> Cultures:
        """Traits drawn uniformly."""
        drawn, network = (jax.random.fold_in(key, purpose) for purpose in range(2))
        traits = jax.random.randint(drawn, (self.size, self.features), 0, self.traits, jnp.int32)
        return Cultures(traits, self.network.make(self.size, network))

    def step(self, state: Cultures, key: Array) -> Cultures:
        return state._replace(traits=disseminate(state.traits, state.graph, key, self.size))

    def observe(self, state: Cultures) -> dict[str, Array]:
        return {"regions": regions(*state), "active": active_bonds(*state)}

    @property
    def agents(self) -> int:
        """A step updates as many sites as there are, some more than once."""
        return self.size
