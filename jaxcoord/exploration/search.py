"""Populations that search a rugged landscape, copying whoever does better, with errors: confusion, humour, paradox."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxcoord import random
from jaxcoord.exploration.landscape import (
    LARGEST,
    ROUGHEST,
    Landscape,
    crossover,
    distinct,
    fitness,
    global_maximum,
    hamming_diversity,
    nk_landscape,
)
from jaxcoord.model import Model, component, observable, param, static
from jaxcoord.networks.graph import Graph, neighbour_max
from jaxcoord.networks.kinds import Complete, Network

Array = jax.Array
PRETENDED_FLIPS = 3


class Searchers(NamedTuple):
    """A population of n members, its landscape and its network."""

    solution: Array
    """`[n]` int32: what each shows, bit i of the number being decision i."""
    fitness: Array
    """`[n]`: of what each shows."""
    best: Array
    """`[n]` int32: the best that each has ever held."""
    best_fitness: Array
    """`[n]`: of that."""
    idle: Array
    """`[n]` int32: steps since that last rose."""
    pretending: Array
    """`[n]` int32: steps until a pretender comes back; 0 for the others."""
    held: Array
    """`[2**N / 32]` uint32: a bit for every solution that some member has ever held."""
    surprise: Array
    """`[]`: the share of members whose solution nobody had held before this step."""
    resolved: Array
    """`[]`: the share of members who took a crossing that is better than both its parents."""
    graph: Graph
    """Who sees whom."""
    landscape: Landscape
    """What is searched."""
    maximum: Array
    """`[]`: the fitness of the best of all solutions."""


def confuse(solutions: Array, flips: Array) -> Array:
    """Solutions as they are misheard. Args: `solutions [n]` int32; `flips [N, n]` bool, the bits that come out wrong.

    Returns: `[n]` int32.
    """
    place = jnp.arange(len(flips), dtype=jnp.int32)[:, None]
    return solutions ^ (flips.astype(jnp.int32) << place).sum(0, dtype=jnp.int32)


def remember(held: Array, solutions: Array) -> tuple[Array, Array]:
    """Enter solutions in the record of what was ever held.

    Args: `held [M]` uint32, a bit for every solution; `solutions [n]` int32.
    Returns: the record afterwards, and the share of members whose solution was not in it.
    """
    ordered = jnp.sort(solutions)
    word, bit = ordered >> 5, jnp.uint32(1) << (ordered & 31).astype(jnp.uint32)
    new = held[word] & bit == 0
    once = jnp.concatenate([jnp.ones(1, bool), ordered[1:] != ordered[:-1]])
    # Each missing bit is added once, which sets it, even where several new solutions share a word.
    return held.at[word].add(jnp.where(new & once, bit, 0)), new.astype(jnp.float32).mean()


class NetworkSearch(Model):
    """Members of a network search an NK landscape: each copies its best neighbour, or else tries a change of its own.

    In a step everybody looks at its neighbours. Where the best of them is strictly better, it takes that solution, and
    each bit comes out wrong with probability `confusion`; otherwise it flips one random bit and keeps that if it is
    strictly better. With probability `synthesis` it instead crosses its own solution with a random other member's,
    each bit from either, and keeps that if it is strictly better than both. Who has found nothing better than
    its best for `patience` steps shows, with probability `humour`, its solution with three random flips, whatever that
    is worth, and after `patience` more steps goes back to the best it ever held, if that is better than what it holds.
    Payoff is (fitness / largest fitness)**8.
    Source: Lazer & Friedman 2007 (Admin Sci Q 52:667), without confusion, humour and synthesis.
    """

    network: Network = component(Complete, base=Network, doc="who sees whose solution")
    confusion: float = param(0.0, doc="mu, probability that a copied bit comes out wrong", low=0, high=1)
    humour: float = param(0.0, doc="h, probability that a stuck member shows a pretended solution", low=0, high=1)
    synthesis: float = param(0.0, doc="probability that a member crosses its solution with another's", low=0, high=1)
    patience: int = param(20, doc="tau, steps without success before pretending, and of it", unit="steps", low=1)
    sharpness: float = param(8.0, doc="power of the relative fitness that is the payoff", low=0)
    size: int = static(100, doc="n, members", unit="individuals", low=2, high=2**24 - 1)
    bits: int = static(20, doc="N, decisions of a solution", low=1, high=LARGEST)
    interactions: int = static(5, doc="K, others on which a decision's contribution depends", low=0, high=ROUGHEST)

    payoff = observable(doc="mean payoff, relative to the best of all solutions", unit="payoff")
    best_payoff = observable(doc="payoff of the best member", unit="payoff")
    distinct = observable(doc="different solutions that are held", unit="solutions")
    diversity = observable(doc="share of bits in which two members differ")
    surprise = observable(doc="share of members whose solution nobody held before this step")
    pretending = observable(doc="share of members who show a pretended solution")
    resolved = observable(doc="share of members who took a crossing that is better than both its parents")
    explored = observable(doc="different solutions that were ever held", unit="solutions")

    def init(self, key: Array) -> Searchers:
        """A landscape, a network and random solutions, all of this population's own."""
        parts = [jax.random.fold_in(key, purpose) for purpose in range(3)]
        landscape = nk_landscape(parts[0], self.bits, self.interactions)
        solution = jax.random.randint(parts[1], (self.size,), 0, 2**self.bits, jnp.int32)
        worth = fitness(landscape, solution)
        held, surprise = remember(jnp.zeros(max(1, 2**self.bits // 32), jnp.uint32), solution)
        none = jnp.zeros(self.size, jnp.int32)
        graph = self.network.make(self.size, parts[2])
        return Searchers(
            solution,
            worth,
            solution,
            worth,
            none,
            none,
            held,
            surprise,
            jnp.zeros_like(surprise),
            graph,
            landscape,
            global_maximum(landscape),
        )

    def best_neighbour(self, state: Searchers) -> tuple[Array, Array]:
        """The fitness and the solution `[n]` of each member's best neighbour, of equals the one with lowest number."""
        if isinstance(self.network, Complete):
            # Who is the best itself sees nobody better either way, so that everybody may look at all.
            best = state.fitness.argmax()
            return jnp.full(self.size, state.fitness[best]), jnp.full(self.size, state.solution[best])
        worth, who = neighbour_max(state.graph, state.fitness)
        return worth, state.solution[who]

    def step(self, state: Searchers, key: Array) -> Searchers:
        seed, everybody = random.seeds(key), jnp.arange(self.size, dtype=jnp.uint32)
        rows = jnp.arange(self.bits + 7, dtype=jnp.uint32)[:, None]
        words = random.words(seed, rows * jnp.uint32(self.size) + everybody)
        flips = random.probability(words[: self.bits]) < self.confusion
        trial, joke, mix, whom, mask, second, third = words[self.bits :]

        def flipped(solution, *drawn):
            for word in drawn:
                place = random.index_below(word, jnp.uint32(self.bits)).astype(jnp.int32)
                solution = solution ^ (jnp.int32(1) << place)
            return solution

        # One proposal each, so that one fitness is computed; `bar` is what it must exceed to be taken.
        near, seen = self.best_neighbour(state)
        copies = near > state.fitness
        proposal = jnp.where(copies, confuse(seen, flips), flipped(state.solution, trial))
        bar = jnp.where(copies, -jnp.inf, state.fitness)

        other = random.index_below(whom, jnp.uint32(self.size - 1))
        other = other + (other >= everybody)
        mixes = random.probability(mix) < self.synthesis
        proposal = jnp.where(mixes, crossover(state.solution, state.solution[other], mask), proposal)
        bar = jnp.where(mixes, jnp.maximum(state.fitness, state.fitness[other]), bar)

        pretends = (state.idle >= self.patience) & (state.pretending == 0) & (random.probability(joke) < self.humour)
        proposal = jnp.where(pretends, flipped(state.solution, trial, second, third), proposal)
        bar = jnp.where(pretends, -jnp.inf, bar)

        worth = fitness(state.landscape, proposal)
        taken = worth > bar
        solution, worth = jnp.where(taken, proposal, state.solution), jnp.where(taken, worth, state.fitness)

        pretending = jnp.where(pretends, jnp.int32(self.patience), jnp.maximum(state.pretending - 1, 0))
        returns = (state.pretending == 1) & (state.best_fitness > worth)
        solution = jnp.where(returns, state.best, solution)
        worth = jnp.where(returns, state.best_fitness, worth)

        better = worth > state.best_fitness
        held, surprise = remember(state.held, solution)
        return state._replace(
            solution=solution, fitness=worth,
            best=jnp.where(better, solution, state.best), best_fitness=jnp.maximum(worth, state.best_fitness),
            idle=jnp.where(better, 0, state.idle + 1), pretending=pretending, held=held, surprise=surprise,
            resolved=(mixes & ~pretends & taken).mean(dtype=jnp.float32),
        )  # fmt: skip

    def observe(self, state: Searchers) -> dict[str, Array]:
        payoff = (state.fitness / state.maximum) ** self.sharpness
        return {
            "payoff": payoff.mean(),
            "best_payoff": payoff.max(),
            "distinct": distinct(state.solution),
            "diversity": hamming_diversity(state.solution, self.bits),
            "surprise": state.surprise,
            "pretending": (state.pretending > 0).mean(),
            "resolved": state.resolved,
            "explored": jax.lax.population_count(state.held).sum(dtype=jnp.int32),
        }

    @property
    def agents(self) -> int:
        """A step updates every member."""
        return self.size
