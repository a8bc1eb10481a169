"""Agents one by one, where each carries more than a strategy: here what it has earned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxcoord import random
from jaxcoord.evolution.pairwise import fermi
from jaxcoord.games import MatrixGame, hawk_dove
from jaxcoord.model import Model, component, observable, param, static

Array = jax.Array


class Agents(NamedTuple):
    """A population of N agents."""

    strategy: Array
    """`[N]` int32."""
    payoff: Array
    """`[N]`: what each remembers to have earned in an encounter, on average."""


class AgentImitation(Model):
    """Agents who meet a few others, remember what they earned, and imitate whoever remembers more; all at once.

    In a step every agent plays with `encounters` random others and its payoff becomes memory times the old plus
    1 - memory times the new mean. Then each, with probability `revision`, draws another agent and copies its strategy
    by the Fermi rule of what both remember, or mutates with probability mu. It keeps its own memory.
    Source: pairwise comparison of Traulsen, Nowak & Pacheco 2006 with payoffs from single encounters, Traulsen,
      Nowak & Pacheco 2007 (J Theor Biol 244:349).
    """

    game: MatrixGame = component(hawk_dove, base=MatrixGame, doc="the game of every encounter")
    beta: float = param(1.0, doc="selection intensity of the Fermi rule", unit="1/payoff", low=0)
    mu: float = param(0.01, doc="probability that an agent that revises mutates, to any other strategy", low=0, high=1)
    memory: float = param(0.0, doc="weight of the past in what an agent remembers to earn", low=0, high=1)
    revision: float = param(0.1, doc="probability that an agent revises its strategy in a step", low=0, high=1)
    size: int = static(100, doc="N, agents", unit="individuals", low=2, high=2**24 - 1)
    encounters: int = static(1, doc="others whom an agent meets in a step", unit="individuals", low=1, high=1000)

    frequency = observable(dims=("strategy",), doc="share of each strategy in the population")
    payoff = observable(doc="mean of what the agents remember to earn", unit="payoff")

    def init(self, key: Array) -> Agents:
        """Uniformly drawn strategies; everybody remembers zero."""
        strategy = jax.random.randint(key, (self.size,), 0, len(self.game.strategies), jnp.int32)
        return Agents(strategy, jnp.zeros(self.size, jnp.float32))

    def step(self, state: Agents, key: Array) -> Agents:
        seed, everybody = random.seeds(key), jnp.arange(self.size, dtype=jnp.uint32)

        def words(first, rows):
            """`[rows, N]` random words: rows `first`, `first + 1`, ... of this step."""
            row = jnp.arange(first, first + rows, dtype=jnp.uint32)[:, None]
            return random.words(seed, row * jnp.uint32(self.size) + everybody)

        def others(words):
            other = random.index_below(words, jnp.uint32(self.size - 1))
            return other + (other >= everybody)

        met = others(words(0, self.encounters))
        table = self.game.payoff().astype(jnp.float32)
        earned = table[state.strategy, state.strategy[met]].mean(0)
        payoff = self.memory * state.payoff + (1 - self.memory) * earned

        model_word, coin_word, mutant_word = words(self.encounters, 3)
        model, coin, options = others(model_word), random.probability(coin_word), len(table)
        mutant = random.index_below(mutant_word, jnp.uint32(max(options - 1, 1))).astype(jnp.int32)
        mutant = jnp.minimum(mutant + (mutant >= state.strategy), options - 1)
        copies = fermi(payoff[model] - payoff, self.beta)
        # One coin decides all: mutate below revision * mu, copy below revision * (mu + (1 - mu) * copies).
        copied = coin < self.revision * (self.mu + (1 - self.mu) * copies)
        strategy = jnp.where(copied, state.strategy[model], state.strategy)
        return Agents(jnp.where(coin < self.revision * self.mu, mutant, strategy), payoff)

    def observe(self, state: Agents) -> dict[str, Array]:
        kinds = jnp.arange(len(self.game.strategies))
        count = (state.strategy[:, None] == kinds).sum(0, dtype=jnp.int32)
        return {"frequency": count / jnp.float32(self.size), "payoff": state.payoff.mean()}

    def coords(self) -> Mapping[str, Sequence[str]]:
        return {"strategy": self.game.strategies}

    @property
    def agents(self) -> int:
        """A step updates every agent."""
        return self.size
