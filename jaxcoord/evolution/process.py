"""Finite well-mixed populations: what is common to all rules by which strategies spread.

A rule says what an individual becomes when it is updated: `switching`, a row for its present strategy. It is updated
alone (`EventProcess`, one uniformly drawn individual after the other) or together with all others
(`GenerationProcess`). The state is the number of individuals of each strategy. The exact chain of a rule, its fixation
probabilities and its stationary distribution follow from the same `switching` (`jaxcoord.evolution.exact`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from jaxcoord import random
from jaxcoord.errors import ParameterError
from jaxcoord.evolution.mutation import Mutation, uniform_mutation
from jaxcoord.games import Game, GroupGame, hawk_dove
from jaxcoord.model import Model, component, observable, param, static

Array = jax.Array


def choose(rows: Array, coin: Array) -> Array:
    """The column that a coin chooses from each row of probabilities.

    The likeliest column takes what the others leave, so that rare ones keep their probability to the last float32.

    Args: `rows [..., S]`, non-negative, summing to one; `coin [...]`, uniform in [0, 1).
    Returns: `[...]` int32.
    """
    columns = jnp.arange(rows.shape[-1])
    likeliest = jnp.argmax(rows, -1)
    rare = jnp.cumsum(jnp.where(columns == likeliest[..., None], 0, rows), -1)
    drawn = (coin[..., None] >= rare).sum(-1, dtype=jnp.int32)
    return jnp.where(drawn == rows.shape[-1], likeliest, drawn).astype(jnp.int32)


class FinitePopulation(Model, abstract=True):
    """Z individuals who play a game with one another and take up strategies by a rule."""

    game: Game = component(hawk_dove, base=Game, doc="the game that everybody plays with everybody else")
    mu: float = param(0.01, doc="probability of a mutation where an individual is updated", low=0, high=1)
    size: int = static(100, doc="Z, individuals in the population", unit="individuals", low=2, high=2**24 - 1)

    kernel: Mutation = component(uniform_mutation, base=Mutation, doc="which strategy a mutant takes")

    frequency = observable(dims=("strategy",), doc="share of each strategy in the population")

    mutants_are_offspring: ClassVar[bool] = True
    """Whether what is copied may mutate; otherwise an individual mutates in place of copying."""

    def __post_init__(self):
        super().__post_init__()
        if isinstance(self.game, GroupGame) and self.game.group > self.size:
            raise ParameterError(f"group = {self.game.group}: larger than the population of {self.size}")

    def copying(self, counts: Array) -> Array:
        """What an individual that is updated becomes, mutation apart.

        Args: `counts [S]`, individuals of each strategy, floating point.
        Returns: `[S, S]`, rows summing to one: from its strategy to the next. Rows of absent strategies are not read.
        """
        raise TypeError(f"{type(self).__name__}.copying(self, counts) is missing")

    def switching(self, counts: Array, mu: Any) -> Array:
        """What an individual that is updated becomes, as `copying`, with mutation."""
        copied = self.copying(counts)
        mutant = self.kernel.matrix(len(counts))
        if self.mutants_are_offspring:
            return (1 - mu) * copied + mu * jnp.sum(copied[:, :, None] * mutant[None, :, :], 1)
        return (1 - mu) * copied + mu * mutant

    def init(self, key: Array) -> Array:
        """`[S]` int32: every individual draws its strategy uniformly."""
        options = len(self.game.strategies)
        drawn = jax.random.randint(key, (self.size,), 0, options)
        return (drawn[:, None] == jnp.arange(options)).sum(0, dtype=jnp.int32)

    def observe(self, state: Array) -> dict[str, Array]:
        return {"frequency": state / jnp.float32(self.size)}

    def coords(self) -> Mapping[str, Sequence[str]]:
        return {"strategy": self.game.strategies}


class EventProcess(FinitePopulation, abstract=True):
    """A rule that updates one uniformly drawn individual at a time; one step is `events` events."""

    events: int = static(100, doc="events in one step; as many as individuals make a generation", low=1, high=2**30)

    def log_ratio(self, mutant: Array, resident: Array) -> Array:
        """ln(T- / T+): how much likelier k = 1..Z-1 mutants are to lose one than to gain one, without mutation.

        Args: `mutant`, `resident`, `[..., Z-1]`: their mean payoffs at each k (`pair_payoffs`).
        Returns: `[..., Z-1]`.
        """
        raise TypeError(f"{type(self).__name__}.log_ratio(self, mutant, resident) is missing")

    def step(self, state: Array, key: Array) -> Array:
        """`[S]` int32: the counts after `events` events."""
        seed = random.seeds(key)
        kinds = jnp.arange(len(self.game.strategies))

        def event(number, counts):
            first = jnp.uint32(2) * jnp.asarray(number, jnp.uint32)
            who, coin = random.words(seed, first), random.probability(random.words(seed, first + 1))
            one = random.index_below(who, jnp.uint32(self.size)).astype(jnp.float32)
            focal = (one >= jnp.cumsum(counts)).sum()
            row = jnp.sum(jnp.where((kinds == focal)[:, None], self.switching(counts, self.mu), 0), 0)
            return counts - (kinds == focal) + (kinds == choose(row, coin))

        counts = state.astype(jnp.float32)
        return jax.lax.fori_loop(0, self.events, event, counts).astype(state.dtype)

    @property
    def agents(self) -> int:
        """An event updates one individual."""
        return self.events


class GenerationProcess(FinitePopulation, abstract=True):
    """A rule that updates all individuals at once; one step is a generation."""

    def step(self, state: Array, key: Array) -> Array:
        """`[S]` int32: the counts one generation later."""
        counts = state.astype(jnp.float32)
        kinds = jnp.arange(len(counts))
        everybody = jnp.arange(self.size)
        words = random.words(random.seeds(key), everybody.astype(jnp.uint32))
        before = (everybody[:, None] >= jnp.cumsum(state)).sum(1)
        after = choose(self.switching(counts, self.mu)[before], random.probability(words))
        return (after[:, None] == kinds).sum(0, dtype=state.dtype)

    @property
    def agents(self) -> int:
        """A step updates every individual."""
        return self.size
