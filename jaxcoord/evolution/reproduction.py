"""Rules by which strategies spread with their fitness: the Moran processes and Wright-Fisher."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxcoord.errors import ParameterError
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


def offspring(counts: Array, log_fitness: Array) -> Array:
    """Probability that a parent drawn in proportion to fitness is of each strategy.

    Args: `counts [..., S]`, `log_fitness` broadcasting with it.
    Returns: `[..., S]`, summing to one; where nobody's fitness is above zero all are equal.
    """
    logs = jnp.where(counts > 0, log_fitness, -jnp.inf)
    best = logs.max(-1, keepdims=True)
    weights = counts * jnp.where(best > -jnp.inf, jnp.exp(logs - jnp.maximum(best, -1e30)), 1.0)
    return weights / weights.sum(-1, keepdims=True)


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


class MoranBirthDeath(_Selection, EventProcess):
    """Moran process: a parent drawn by fitness has an offspring, which replaces a uniformly drawn individual.

    The one that is replaced may be the parent. The offspring mutates with probability mu.
    Source: Moran 1958; frequency-dependent: Nowak, Sasaki, Taylor & Fudenberg 2004.
    """

    def copying(self, counts: Array) -> Array:
        parent = offspring(counts, self.fitnesses(counts))
        return jnp.broadcast_to(parent, (len(counts), len(counts)))

    def log_ratio(self, mutant: Array, resident: Array) -> Array:
        return log_fitness(resident, self.beta, self.fitness) - log_fitness(mutant, self.beta, self.fitness)


class MoranDeathBirth(_Selection, EventProcess):
    """Moran process with death first: a uniformly drawn individual dies, the others compete for its place by fitness.

    Fitness is that before the death. The offspring mutates with probability mu.
    Source: Ohtsuki, Hauert, Lieberman & Nowak 2006, on the complete graph.
    """

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
