"""Rules by which strategies spread with their fitness: the Moran processes and Wright-Fisher."""

from __future__ import annotations

import functools
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_batching import custom_vmap

from jaxcoord import random
from jaxcoord.errors import ParameterError
from jaxcoord.evolution.mutation import uniform_mutation
from jaxcoord.evolution.process import EventProcess, FinitePopulation, GenerationProcess
from jaxcoord.games import MatrixGame
from jaxcoord.model import param, static

Array = jax.Array
FITNESS = ("exponential", "linear")


def log_fitness(payoffs: Any, beta: Any, fitness: str) -> Array:
    """Natural logarithm of fitness, from weak to strong selection.

    Args:
      payoffs: of any shape.
      beta: selection intensity; 0 is neutral.
      fitness: "exponential", exp(beta * payoff), or "linear", 1 - beta + beta * payoff with beta at most 1. A linear
        fitness below zero counts as zero: no offspring.
    Returns: of the shape of `payoffs`.
    Source: linear: Nowak, Sasaki, Taylor & Fudenberg 2004; exponential: Traulsen, Shoresh & Nowak 2008.
    """
    if fitness == "exponential":
        return beta * jnp.asarray(payoffs)
    return jnp.log(jnp.maximum(1 - beta + beta * jnp.asarray(payoffs), 0))


def offspring(counts: Array, log_fitness: Array, axis: int = -1) -> Array:
    """Probability that a parent drawn in proportion to fitness is of each strategy.

    Args: `counts [..., S]`, `log_fitness` broadcasting with it; `axis`, where the strategies are if not last.
    Returns: `[..., S]`, summing to one; where nobody's fitness is above zero all are equal.
    """
    logs = jnp.where(counts > 0, log_fitness, -jnp.inf)
    best = logs.max(axis, keepdims=True)
    weights = counts * jnp.where(best > -jnp.inf, jnp.exp(logs - jnp.maximum(best, -1e30)), 1.0)
    return weights / weights.sum(axis, keepdims=True)


def _drawn(weights: Array, target: Array) -> Array:
    # How many cumulative weights do not exceed the target.
    cumulative, index = weights[0], (target >= weights[0]).astype(jnp.int32)
    for weight in weights[1:]:
        cumulative = cumulative + weight
        index = index + (target >= cumulative)
    return index


def _move(counts: Array, source: Array, target: Array) -> Array:
    kinds = jnp.arange(len(counts)).reshape((-1,) + (1,) * source.ndim)
    return counts - (kinds == source) + (kinds == target)


def _moran(
    counts: Array, payoff: Array, beta: Array, mu: Array, seed0: Array, seed1: Array, number: Array, *, fitness: str,
    dies_first: bool,
) -> Array:  # fmt: skip
    """Moran events one after the other. Populations, if any, are on the LAST axis of every argument.

    The loop carries a move and makes it at the start of the next event, so that the compiler computes it once.
    """
    size = len(counts)
    kinds = jnp.arange(size).reshape((-1,) + (1,) * (counts.ndim - 1))
    diagonal = jnp.stack([payoff[s, s] for s in range(size)])

    def event(number, carry):
        counts = _move(*carry)
        total = counts.sum(0)
        first = jnp.uint32(2) * number.astype(jnp.uint32)
        who = random.words((seed0, seed1), first)
        coin = random.probability(random.words((seed0, seed1), first + 1))
        dead = _drawn(counts[:-1], random.index_below(who, total.astype(jnp.uint32)).astype(jnp.float32))
        earned = (sum(payoff[:, s] * counts[s] for s in range(size)) - diagonal) / (total - 1)
        parents = counts - (kinds == dead) if dies_first else counts
        parent = offspring(parents, log_fitness(earned, beta, fitness), axis=0)
        born = (1 - mu) * parent + mu * (1 - parent) / (size - 1)
        # As `choose` does: the likeliest takes what the others leave.
        likeliest = jnp.argmax(born, 0)
        drawn = _drawn(jnp.where(kinds == likeliest, 0, born), coin)
        return counts, dead, jnp.where(drawn == size, likeliest, drawn).astype(jnp.int32)

    nobody = jnp.zeros(counts.shape[1:], jnp.int32)
    moved = jax.lax.fori_loop(0, number, event, (counts.astype(jnp.float32), nobody, nobody))
    return _move(*moved).astype(counts.dtype)


@functools.cache
def _moran_batched(fitness: str, dies_first: bool) -> Any:
    events = functools.partial(_moran, fitness=fitness, dies_first=dies_first)
    batched_events = custom_vmap(events)

    @batched_events.def_vmap
    def batch_last(axis_size, batched, *arguments):  # those of `_moran`
        # `[P, S]` puts S, a handful, on the axis that vector units run along; `[S, P]` is ten times faster on a CPU.
        def last(array, is_batched):
            return jnp.moveaxis(array if is_batched else jnp.broadcast_to(array, (axis_size, *array.shape)), 0, -1)

        if batched[-1]:
            raise ValueError("moran_events: the number of events is shared by all populations of a batch")
        arrays = (last(*pair) for pair in zip(arguments[:-1], batched[:-1], strict=True))
        moved = events(*arrays, arguments[-1])  # type: ignore[call-arg]
        return jnp.moveaxis(moved, -1, 0), True

    return batched_events


def moran_events(
    counts: Array, payoff: Array, beta: Any, mu: Any, key: Array, events: int, *, fitness: str = "exponential",
    dies_first: bool = False,
) -> Array:  # fmt: skip
    """A number of events of a Moran process in a matrix game, one after the other.

    Args:
      counts: `[S]` int32, individuals of each strategy, S at least 2; their sum Z, at least 2, does not change.
      payoff: `[S, S]`, payoff of the row against the column strategy.
      beta: selection intensity, as in `log_fitness`.
      mu: probability that the offspring mutates, to another strategy chosen uniformly.
      key: the random key of these events.
      events: how many.
      fitness: "exponential" or "linear".
      dies_first: whether the one that dies cannot be the parent.
    Returns: `[S]` int32, the counts afterwards.
    Source: Moran 1958; Nowak, Sasaki, Taylor & Fudenberg 2004.
    """
    seed0, seed1 = random.seeds(key)
    arrays = (payoff, jnp.asarray(beta), jnp.asarray(mu))
    payoff, beta, mu = (array.astype(jnp.float32) for array in arrays)
    return _moran_batched(fitness, dies_first)(counts, payoff, beta, mu, seed0, seed1, jnp.int32(events))


class _Selection(FinitePopulation, abstract=True):
    """What the rules with a fitness share."""

    beta: float = param(1.0, doc="selection intensity; 0 is neutral drift; at most 1 with linear fitness", low=0)
    fitness: str = static("exponential", doc="how payoff becomes fitness", choices=FITNESS)

    def __post_init__(self):
        super().__post_init__()
        if self.fitness == "linear" and isinstance(self.beta, float):
            if self.beta > 1:
                raise ParameterError(f"{self.registered_name}.beta = {self.beta:g}: at most 1 with linear fitness")
            leaves = jax.tree.leaves(self.game)
            if isinstance(self.game, MatrixGame) and all(isinstance(x, float | np.ndarray) for x in leaves):
                least = float(np.min(self.game.payoff()))
                if 1 - self.beta + self.beta * least < 0:
                    raise ParameterError(
                        f"{self.registered_name}.beta = {self.beta:g}: payoff {least:g} makes linear fitness negative"
                    )

    def fitnesses(self, counts: Array) -> Array:
        """`[S]`: the logarithm of each strategy's fitness."""
        return log_fitness(self.game.payoffs_among(counts), self.beta, self.fitness)


class _Moran(_Selection, EventProcess, abstract=True):
    """What the Moran processes share."""

    dies_first: ClassVar[bool] = False

    def step(self, state: Array, key: Array) -> Array:
        """`[S]` int32: the counts after `events` events; of a matrix game by the faster `moran_events`."""
        if isinstance(self.game, MatrixGame) and isinstance(self.kernel, uniform_mutation) and len(state) > 1:
            options: dict[str, Any] = {"fitness": self.fitness, "dies_first": self.dies_first}
            return moran_events(state, self.game.payoff(), self.beta, self.mu, key, self.events, **options)
        return super().step(state, key)


class MoranBirthDeath(_Moran):
    """Moran process: a parent drawn by fitness has an offspring, which replaces a uniformly drawn individual.

    The one that is replaced may be the parent. The offspring mutates with probability mu.
    Source: Moran 1958; frequency-dependent: Nowak, Sasaki, Taylor & Fudenberg 2004.
    """

    def copying(self, counts: Array) -> Array:
        parent = offspring(counts, self.fitnesses(counts))
        return jnp.broadcast_to(parent, (len(counts), len(counts)))

    def log_ratio(self, mutant: Array, resident: Array) -> Array:
        return log_fitness(resident, self.beta, self.fitness) - log_fitness(mutant, self.beta, self.fitness)


class MoranDeathBirth(_Moran):
    """Moran process with death first: a uniformly drawn individual dies, the others compete for its place by fitness.

    Fitness is that before the death. The offspring mutates with probability mu.
    Source: Ohtsuki, Hauert, Lieberman & Nowak 2006, on the complete graph.
    """

    dies_first = True

    def copying(self, counts: Array) -> Array:
        others = counts - jnp.eye(len(counts))
        return offspring(jnp.maximum(others, 0), self.fitnesses(counts))

    def log_ratio(self, mutant: Array, resident: Array) -> Array:
        k = jnp.arange(1, self.size, dtype=float)
        one, other = (log_fitness(earned, self.beta, self.fitness) for earned in (mutant, resident))
        resident_dies = jnp.logaddexp(jnp.log(k) + one, jnp.log(self.size - k - 1) + other)
        mutant_dies = jnp.logaddexp(jnp.log(k - 1) + one, jnp.log(self.size - k) + other)
        return other - one + resident_dies - mutant_dies


class WrightFisher(_Selection, GenerationProcess):
    """Wright-Fisher process: every individual of the next generation draws a parent by fitness.

    Each offspring mutates with probability mu.
    Source: Ewens 2004; frequency-dependent: Imhof & Nowak 2006.
    """

    def copying(self, counts: Array) -> Array:
        parent = offspring(counts, self.fitnesses(counts))
        return jnp.broadcast_to(parent, (len(counts), len(counts)))
