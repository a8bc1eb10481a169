"""Kinds of network by name: parts of a model, so that a sweep or a config can ask for one as for any other parameter.

jc.sweep(NetworkSearch(network=WattsStrogatz(degree=4)), {"network.rewiring": [0, 0.1, 1]}, ...)
"""

from __future__ import annotations

import operator
from typing import Any

import jax

from jaxcoord.errors import ParameterError
from jaxcoord.model import Component, param, static
from jaxcoord.networks import generate
from jaxcoord.networks.graph import Graph, from_edges

Array = jax.Array
WIDTH = "places for neighbours; 0: room for all others. Entries beyond it are dropped and counted"


class Network(Component, abstract=True):
    """How a network is made. A model calls `make` in its `init` and keeps the graph in its state."""

    def make(self, nodes: int, key: Array) -> Graph:
        """The network of one population. Args: `nodes` N; `key`, which a network without chance does not use."""
        raise TypeError(f"{type(self).__name__}.make(self, nodes, key) is missing: it returns a Graph")


class RandomNetwork(Network, abstract=True):
    """A network drawn at random: another for every population, or one for all of them."""

    seed: int = static(-1, doc="-1: every population has its own network; otherwise all have this one", low=-1)

    def make(self, nodes: int, key: Array) -> Graph:
        return self.draw(nodes, key if self.seed < 0 else jax.random.key(self.seed, impl="threefry2x32"))

    def draw(self, nodes: int, key: Array) -> Graph:
        """The network that a key gives."""
        raise TypeError(f"{type(self).__name__}.draw(self, nodes, key) is missing: it returns a Graph")


class Complete(Network):
    """Everybody next to everybody."""

    def make(self, nodes: int, key: Array) -> Graph:
        return generate.complete_graph(nodes)


class Isolated(Network):
    """Nobody next to anybody."""

    def make(self, nodes: int, key: Array) -> Graph:
        return generate.ring_graph(nodes, 0)


class Ring(Network):
    """A circle, each node next to the nearest on either side."""

    degree: int = static(2, doc="neighbours, half of them on either side", unit="nodes", low=0)

    def make(self, nodes: int, key: Array) -> Graph:
        return generate.ring_graph(nodes, self.degree)


class Lattice(Network):
    """A rectangular grid of so many rows."""

    rows: int = static(10, doc="rows of the grid; the number of nodes is a multiple of it", unit="nodes", low=1)
    moore: bool = static(False, doc="eight neighbours, with the diagonal ones, instead of four")
    wrap: bool = static(True, doc="opposite sides of the grid join")

    def make(self, nodes: int, key: Array) -> Graph:
        if nodes % self.rows:
            raise ParameterError(f"lattice.rows = {self.rows}: does not divide the {nodes} nodes")
        return generate.lattice_graph(self.rows, nodes // self.rows, self.moore, self.wrap)


class RandomRegular(RandomNetwork):
    """Every node has the same number of neighbours, at random."""

    degree: int = static(4, doc="neighbours of every node", unit="nodes", low=0)

    def draw(self, nodes: int, key: Array) -> Graph:
        return generate.random_regular_graph(key, nodes, self.degree)


class ErdosRenyi(RandomNetwork):
    """Every pair is joined with the same probability. Source: Gilbert 1959; Erdos & Renyi 1959."""

    probability: float = param(0.1, doc="probability that a pair is joined", low=0, high=1)
    width: int = static(0, doc=WIDTH, unit="nodes", low=0)

    def draw(self, nodes: int, key: Array) -> Graph:
        return generate.erdos_renyi_graph(key, nodes, self.probability, self.width)


class WattsStrogatz(RandomNetwork):
    """A ring on which each edge is redrawn with a probability. Source: Watts & Strogatz 1998."""

    degree: int = static(4, doc="neighbours on the ring, an even number", unit="nodes", low=0)
    rewiring: float = param(0.1, doc="probability that an edge is redrawn", low=0, high=1)
    width: int = static(0, doc="places for neighbours; 0: enough but for one network in 1e9", unit="nodes", low=0)

    def draw(self, nodes: int, key: Array) -> Graph:
        return generate.watts_strogatz_graph(key, nodes, self.degree, self.rewiring, self.width)


class BarabasiAlbert(RandomNetwork):
    """Each new node joins others in proportion to their degree. Source: Barabasi & Albert 1999."""

    links: int = static(2, doc="edges that a new node brings", unit="edges", low=1)
    width: int = static(0, doc=WIDTH, unit="nodes", low=0)

    def draw(self, nodes: int, key: Array) -> Graph:
        return generate.barabasi_albert_graph(key, nodes, self.links, self.width)


class StochasticBlock(RandomNetwork):
    """Blocks of equal size: one probability within them, another between. Source: Holland, Laskey & Leinhardt 1983."""

    blocks: int = static(2, doc="blocks; the number of nodes is a multiple of it", low=1)
    within: float = param(0.3, doc="probability that two nodes of one block are joined", low=0, high=1)
    between: float = param(0.03, doc="probability that nodes of different blocks are joined", low=0, high=1)
    width: int = static(0, doc=WIDTH, unit="nodes", low=0)

    def draw(self, nodes: int, key: Array) -> Graph:
        if nodes % self.blocks:
            raise ParameterError(f"stochastic-block.blocks = {self.blocks}: does not divide the {nodes} nodes")
        sizes = [nodes // self.blocks] * self.blocks
        chance = jax.numpy.full((self.blocks, self.blocks), self.between)
        chance = jax.numpy.where(jax.numpy.eye(self.blocks, dtype=bool), self.within, chance)
        return generate.stochastic_block_graph(key, sizes, chance, self.width)


class Edges(Network):
    """A network given edge by edge; of a Graph or a NetworkX graph: `Edges(jc.networks.to_edges(graph).tolist())`."""

    edges: Any = static(((0, 1),), doc="pairs of nodes, numbered from 0")

    def __post_init__(self):
        super().__post_init__()
        try:
            pairs = tuple((operator.index(a), operator.index(b)) for a, b in self.edges)
        except (TypeError, ValueError):
            raise ParameterError(f"edges.edges = {self.edges!r}: a list of pairs of nodes is needed") from None
        object.__setattr__(self, "edges", pairs)

    def make(self, nodes: int, key: Array) -> Graph:
        return from_edges(self.edges, nodes)
