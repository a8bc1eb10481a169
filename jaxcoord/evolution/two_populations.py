"""Two finite populations that play each other, each imitating among its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxcoord import random
from jaxcoord.evolution.chain import Chain, compositions
from jaxcoord.evolution.imitation import pairwise_copying
from jaxcoord.evolution.mutation import uniform_mutation
from jaxcoord.evolution.pairwise import fermi
from jaxcoord.evolution.process import choose
from jaxcoord.games import BimatrixGame, battle_of_the_sexes
from jaxcoord.model import Model, component, observable, param, static

Array = jax.Array


class Roles(NamedTuple):
    """One array for the row population, one for the column population."""

    row: Array
    column: Array


class TwoPopulations(Model):
    """Fermi pairwise comparison in two finite populations that play each other; one step is `events` events.

    An event draws one individual of both populations together. It mutates with probability mu; otherwise it draws
    another one of its own population and copies it by their difference of payoff against the other population.
    Source: Traulsen, Nowak & Pacheco 2006, in two roles; limit of rare mutations: `alpha_rank_profiles`.
    """

    game: BimatrixGame = component(battle_of_the_sexes, base=BimatrixGame, doc="the game of the two populations")
    beta: float = param(1.0, doc="selection intensity of the Fermi rule", unit="1/payoff", low=0)
    mu: float = param(0.01, doc="probability that an event is a mutation", low=0, high=1)
    rows: int = static(50, doc="individuals in the row population", unit="individuals", low=2, high=2**23)
    columns: int = static(50, doc="individuals in the column population", unit="individuals", low=2, high=2**23)
    events: int = static(100, doc="events in one step; as many as individuals make a generation", low=1, high=2**30)

    row_frequency = observable(dims=("row_strategy",), doc="share of each strategy in the row population")
    column_frequency = observable(dims=("column_strategy",), doc="share of each strategy in the column population")

    def init(self, key: Array) -> Roles:
        """Counts, int32 `[R]` and `[C]`: every individual draws its strategy uniformly."""

        def drawn(purpose, size, options):
            strategy = jax.random.randint(jax.random.fold_in(key, purpose), (size,), 0, options)
            return (strategy[:, None] == jnp.arange(options)).sum(0, dtype=jnp.int32)

        first, second = self.game.strategies
        return Roles(drawn(0, self.rows, len(first)), drawn(1, self.columns, len(second)))

    def switching(self, counts: Roles, mu: Any) -> Roles:
        """What an individual that is drawn becomes: `[R, R]` and `[C, C]`, rows summing to one."""
        row, column = self.game.bimatrix()
        earned = Roles((row * counts.column).sum(1) / self.columns, (column * counts.row[:, None]).sum(0) / self.rows)

        def each(counts, earned):
            copied = pairwise_copying(counts, fermi(earned[None, :] - earned[:, None], self.beta))
            return (1 - mu) * copied + mu * uniform_mutation().matrix(len(counts))

        return Roles(*map(each, counts, earned))

    def step(self, state: Roles, key: Array) -> Roles:
        """The counts after `events` events."""
        seed = random.seeds(key)

        def changed(counts, switching, one, coin):
            kinds = jnp.arange(len(counts))
            focal = (one >= jnp.cumsum(counts)).sum()  # beyond the last for an individual of the other population
            row = jnp.sum(jnp.where((kinds == focal)[:, None], switching, 0), 0)
            there = (one >= 0) & (focal < len(counts))
            return jnp.where(there, counts - (kinds == focal) + (kinds == choose(row, coin)), counts)

        def event(number, counts):
            first = jnp.uint32(2) * jnp.asarray(number, jnp.uint32)
            who, coin = random.words(seed, first), random.probability(random.words(seed, first + 1))
            one = random.index_below(who, jnp.uint32(self.rows + self.columns)).astype(jnp.float32)
            switching = self.switching(counts, self.mu)
            places = (one, one - self.rows)
            return Roles(*(changed(c, s, at, coin) for c, s, at in zip(counts, switching, places, strict=True)))

        counts = jax.lax.fori_loop(0, self.events, event, Roles(*(c.astype(jnp.float32) for c in state)))
        return Roles(*(c.astype(jnp.int32) for c in counts))

    def observe(self, state: Roles) -> dict[str, Array]:
        return {
            "row_frequency": state.row / jnp.float32(self.rows),
            "column_frequency": state.column / jnp.float32(self.columns),
        }

    def coords(self) -> Mapping[str, Sequence[str]]:
        first, second = self.game.strategies
        return {"row_strategy": first, "column_strategy": second}

    @property
    def agents(self) -> int:
        """An event updates one individual."""
        return self.events


def two_population_chain(process: TwoPopulations) -> Chain:
    """The exact chain over the compositions of both populations: one event a step.

    Returns: states `[N, R + C]`, row strategies first, and sparse transitions; `full_stationary_distribution` takes it.
    Raises: ParameterError where there are too many states.
    """
    from scipy.sparse import csr_matrix

    names = process.game.strategies
    sizes, kinds = (process.rows, process.columns), tuple(map(len, names))
    first, second = (compositions(k, size) for k, size in zip(kinds, sizes, strict=True))
    pairs = np.indices((len(first), len(second))).reshape(2, -1)
    states = Roles(first[pairs[0]], second[pairs[1]])
    with jax.enable_x64(True):
        switching = _switching_at(process, Roles(*(jnp.asarray(s, float) for s in states)))
    number, total = len(pairs[0]), sum(sizes)
    places = ({tuple(s): at for at, s in enumerate(first)}, {tuple(s): at for at, s in enumerate(second)})
    from_, to, chances = [], [], []
    for role in range(2):
        parts, unit = (first, second)[role], np.eye(kinds[role], dtype=np.int64)
        for source, target in np.argwhere(unit == 0):
            present = np.flatnonzero(states[role][:, source])
            moved = np.array([places[role].get(tuple(s), 0) for s in parts - unit[source] + unit[target]])
            here = pairs[:, present].copy()
            here[role] = moved[here[role]]
            from_.append(present)
            to.append(here[0] * len(second) + here[1])
            share = states[role][present, source] / total
            chances.append(share * np.asarray(switching[role])[present, source, target])
    index = np.arange(number)
    leaving = np.bincount(np.concatenate(from_), np.concatenate(chances), number)
    data, place = (
        np.concatenate([*chances, 1 - leaving]),
        (np.concatenate([*from_, index]), np.concatenate([*to, index])),
    )
    return Chain(np.column_stack(states), csr_matrix((data, place), (number, number)))


@jax.jit
def _switching_at(process: TwoPopulations, states: Roles) -> Roles:
    return jax.vmap(lambda counts: process.switching(counts, process.mu))(states)
