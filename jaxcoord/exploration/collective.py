"""Collective search with mishearing: what errors in copying bring a crowd, and what brings the same without them.

The landscape's bits depend on their next neighbours on a circle. Whoever sees somebody better hears that solution with
errors, independent ones or the same for all; the others try a change of their own, of one bit or of many.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxcoord import random
from jaxcoord.exploration.landscape import LARGEST, ROUGHEST, Landscape, fitness, global_maximum, hamming_diversity
from jaxcoord.exploration.search import confuse
from jaxcoord.model import Model, component, observable, param, static
from jaxcoord.networks.graph import Graph, neighbour_max, whole
from jaxcoord.networks.kinds import Complete, Network

Array = jax.Array
RULES = ("keep-better", "always-adopt")
MISHEARING = ("independent", "shared")
ROUNDING = 1e-6  # by which the same solution's fitness may differ between two ways to compute it


def cyclic_landscape(key: Array, bits: int, interactions: int) -> Landscape:
    """A random NK landscape in which each bit depends on itself and on the next K, around a circle.

    Args: `bits` N, 1 to 20; `interactions` K, 0 to N - 1 and at most 15. Source: Kauffman & Weinberger 1989.
    """
    bits = whole("bits", bits, 1, LARGEST)
    interactions = whole("interactions", interactions, 0, min(bits - 1, ROUGHEST))
    links = (jnp.arange(bits)[:, None] + jnp.arange(interactions + 1)) % bits
    return Landscape(links.astype(jnp.int32), jax.random.uniform(key, (bits, 2 ** (interactions + 1))))


class Searching(NamedTuple):
    """A crowd of n members, its landscape and its network."""

    solution: Array
    """`[n]` int32: what each holds, bit i of the number being decision i."""
    fitness: Array
    """`[n]`: of what each holds."""
    best_ever: Array
    """`[]`: the largest fitness that any member has held."""
    graph: Graph
    """Who sees whom."""
    landscape: Landscape
    """What is searched."""
    maximum: Array
    """`[]`: the fitness of the best of all solutions."""


class CollectiveSearch(Model):
    """Members of a network who copy the best they see, with errors, and search for themselves where they see no better.

    In a round all look at once. Where some neighbour is strictly fitter, a member hears the best one's solution, every
    bit wrong with probability `copy_noise`, and keeps it if it is better than its own, or in any case. The others
    change each of their own bits with probability `search_noise`, at least one, and keep that if it is better.
    With `shared` mishearing one pattern of errors a round holds for all; with `copy_noise` 0 copies are exact.
    Source: Lazer & Friedman 2007 (Admin Sci Q 52:667) for exact copies.
    """

    network: Network = component(Complete, base=Network, doc="who sees whose solution")
    copy_noise: float = param(0.0, doc="e, probability that a copied bit comes out wrong", low=0, high=1)
    search_noise: float = param(0.0, doc="probability that a bit of one's own is changed; one is in any case",
                                low=0, high=1)  # fmt: skip
    rule: str = static("keep-better", choices=RULES, doc="whether a copy is kept only if it is better")
    mishearing: str = static("independent", choices=MISHEARING, doc="whether errors are each member's own")
    size: int = static(50, doc="n, members", unit="individuals", low=2, high=2**20)
    bits: int = static(15, doc="N, decisions of a solution", low=1, high=LARGEST)
    interactions: int = static(6, doc="K, following decisions on which a contribution depends", low=0, high=ROUGHEST)

    mean_fitness = observable(doc="mean fitness, relative to the best of all solutions")
    best_ever = observable(doc="best fitness that any member has held, relative to the best of all solutions")
    found = observable(doc="1 once some member has held the best of all solutions, else 0")
    diversity = observable(doc="share of bits in which two members differ")

    def init(self, key: Array) -> Searching:
        """A landscape, a network and random solutions, all of this population's own."""
        parts = [jax.random.fold_in(key, purpose) for purpose in range(3)]
        landscape = cyclic_landscape(parts[0], self.bits, self.interactions)
        solution = jax.random.randint(parts[1], (self.size,), 0, 2**self.bits, jnp.int32)
        worth = fitness(landscape, solution)
        graph = self.network.make(self.size, parts[2])
        return Searching(solution, worth, worth.max(), graph, landscape, global_maximum(landscape))

    def best_neighbour(self, state: Searching) -> tuple[Array, Array]:
        """The fitness and the solution `[n]` of each member's best neighbour, of equals the one with lowest number."""
        if isinstance(self.network, Complete):
            # Who is the best itself sees nobody better either way, so that everybody may look at all.
            best = state.fitness.argmax()
            return jnp.full(self.size, state.fitness[best]), jnp.full(self.size, state.solution[best])
        worth, who = neighbour_max(state.graph, state.fitness)
        return worth, state.solution[who]

    def step(self, state: Searching, key: Array) -> Searching:
        rows = jnp.arange(2 * self.bits + 1, dtype=jnp.uint32)[:, None]
        members = jnp.arange(self.size, dtype=jnp.uint32)
        words = random.words(random.seeds(key), rows * jnp.uint32(self.size) + members)
        wrong = random.probability(words[: self.bits]) < self.copy_noise
        if self.mishearing == "shared":
            wrong = jnp.broadcast_to(wrong[:, :1], wrong.shape)
        changed = random.probability(words[self.bits : -1]) < self.search_noise
        one = random.index_below(words[-1], jnp.uint32(self.bits)).astype(jnp.int32)
        alone = (jnp.arange(self.bits, dtype=jnp.int32)[:, None] == one) & ~changed.any(0)

        near, seen = self.best_neighbour(state)
        copies = near > state.fitness
        proposal = jnp.where(copies, confuse(seen, wrong), confuse(state.solution, changed | alone))
        worth = fitness(state.landscape, proposal)
        taken = worth > state.fitness
        if self.rule == "always-adopt":
            taken = taken | copies
        held = jnp.where(taken, worth, state.fitness)
        return state._replace(
            solution=jnp.where(taken, proposal, state.solution),
            fitness=held,
            best_ever=jnp.maximum(state.best_ever, held.max()),
        )

    def observe(self, state: Searching) -> dict[str, Array]:
        return {
            "mean_fitness": state.fitness.mean() / state.maximum,
            "best_ever": state.best_ever / state.maximum,
            "found": (state.best_ever >= state.maximum * (1 - ROUNDING)).astype(state.fitness.dtype),
            "diversity": hamming_diversity(state.solution, self.bits),
        }

    @property
    def agents(self) -> int:
        """A round updates every member."""
        return self.size
