"""Mutation and selection among strategies of the repeated prisoner's dilemma in an infinite population.

Generations are discrete: strategies grow by their exact long-run payoffs against one another, what is rarer than a
limit dies out, and now and then a mutant enters. Between two mutations a population comes to rest after a few
generations, as a rule; the rest are then counted, not computed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.custom_batching import custom_vmap

from jaxcoord import random
from jaxcoord.errors import ParameterError
from jaxcoord.evolution.dynamics import discrete_replicator
from jaxcoord.model import Model, observable, param, static

Array = jax.Array
PATIENCE = 24  # generations that a population waits, on average, for others to be due for a mutation as well
ENOUGH = 2**30  # generations; no mutation is waited for longer
WORDS = 5  # random words for a mutation


def chronicle(payoff: Any, shares: Any, generations: int, every: int = 1) -> Array:
    """Shares of strategies under the replicator of discrete generations, x_i p_i / p.x.

    Args:
      payoff: `[S, S]`, of the row against the column strategy, above 0.
      shares: `[S]`, of generation 0.
      generations: how many.
      every: generations between two rows of the result.
    Returns: `[1 + generations // every, S]`, the first row being `shares`.
    Source: Nowak & Sigmund 1992.
    """
    payoff, shares = jnp.asarray(payoff, float), jnp.asarray(shares, float)

    def record(now, _):
        now = jax.lax.fori_loop(0, every, lambda _, x: discrete_replicator(x, payoff @ x), now)
        return now, now

    _, rows = jax.lax.scan(record, shares, length=generations // every)
    return jnp.concatenate([shares[None], rows])


def long_run_outcomes(own: Any, other: Any) -> Array:
    """Shares of rounds that end CC, CD, DC and DD between two memory-one strategies, whatever they did at first.

    As `memory_one_rates`, with outcomes on the first axis so that vector units run along pairs, and by state reduction:
    a third of the work, and derivatives that compile in a tenth of the time. Nothing is subtracted.

    Args: `own`, `other`: `[4, ...]`, probabilities to cooperate after CC, CD, DC and DD, one's own move first. They are
      inside 0 to 1: of moves that are certain it can make NaN.
    Returns: `[4, ...]`, the first player's move first.
    Source: Nowak & Sigmund 1993; elimination of Grassmann, Taksar & Heyman 1985.
    """
    rows = [
        [x * y, x * (1 - y), (1 - x) * y, (1 - x) * (1 - y)]
        for x, y in zip(own, [other[0], other[2], other[1], other[3]], strict=True)
    ]
    for last in (3, 2, 1):
        leaving = 1 / sum(rows[last][1:last], rows[last][0])
        for i in range(last):
            rows[i][last] = rows[i][last] * leaving
            for j in range(last):
                rows[i][j] = rows[i][j] + rows[i][last] * rows[last][j]
    weights = [jnp.ones_like(rows[0][0])]
    for last in (1, 2, 3):
        weights.append(sum((weights[i] * rows[i][last] for i in range(1, last)), weights[0] * rows[0][last]))
    stacked = jnp.stack(weights)
    return stacked / stacked.sum(0)


class Population(NamedTuple):
    """An infinite population of at most K strategies; the slot of one that died out is free."""

    strategies: Array
    """`[4, K]`: probabilities to cooperate after CC, CD, DC, DD."""
    shares: Array
    """`[K]`; 0 where the slot is free."""
    payoff: Array
    """`[K, K]`: long-run payoff of the row against the column strategy; of free slots it means nothing."""
    earned: Array
    """Mean payoff per round over the generations of the last step."""


class Setting(NamedTuple):
    """The numbers of a run, as `MutationSelection` has them."""

    payoffs: Array
    """`[4]`: R, S, T, P."""
    mu: Array
    entry: Array
    least: Array
    slip: Array
    reactive: Array
    """Whether mutants look at the other's move only."""


class Clock(NamedTuple):
    """How far a population has come in a step."""

    wait: Array
    """Generations until its next mutation."""
    left: Array
    """Generations until the end of the step."""
    still: Array
    """Whether selection alone changes nothing any more."""
    total: Array
    """Mean payoff, summed over generations."""


def _payoffs(setting: Setting, own: Array, other: Array) -> tuple[Array, Array]:
    reward, sucker, temptation, punishment = setting.payoffs
    both, used, using, none = long_run_outcomes(own, other)
    common = reward * both + punishment * none
    return common + sucker * used + temptation * using, common + temptation * used + sucker * using


def _generation(shares: Array, against: Array, least: Array, occupied: Array) -> tuple[Array, Array]:
    # The shares after one generation, and what an individual earned in it on average.
    def add(j, earned):
        return earned + against[j] * shares[j]

    offspring = shares * jax.lax.fori_loop(1, occupied, add, against[0] * shares[0])
    mean = offspring.sum(0)
    kept = jnp.where(offspring < least * mean, 0, offspring)
    return kept * (1 / kept.sum(0)), mean


def _mutant(setting: Setting, seed: tuple[Array, Array], first: Array) -> Array:
    # sin^2(pi u / 2) has the U-shaped density of Nowak & Sigmund: much of it near 0 and 1.
    chances = [random.probability(random.words(seed, first + jnp.uint32(i))) for i in range(4)]
    entries = jnp.stack([chances[0], chances[1], *(
        jnp.where(setting.reactive > 0, chances[i - 2], chances[i]) for i in (2, 3)
    )])  # fmt: skip
    return jnp.clip(jnp.sin(entries * (jnp.pi / 2)) ** 2, setting.slip, 1 - setting.slip)


def _wait(setting: Setting, word: Array) -> Array:
    # Generations until the next mutation, geometric: the first with probability mu, and so on.
    chance = jnp.maximum(random.probability(word), 2.0**-33)
    return jnp.minimum(jnp.log(chance) / jnp.log1p(-setting.mu), ENOUGH).astype(jnp.int32) + 1


def _evolve(population: Population, setting: Setting, seed0: Array, seed1: Array, generations: Array) -> Population:
    """A number of generations. Populations, if any, are on the LAST axis of every argument but `generations`.

    Populations that are due for a mutation wait for the others, as long as computing mutants for all of them at once
    is worth it; how long they wait changes nothing in any of them.
    """
    seed = (seed0, seed1)
    slots = len(population.shares)
    rows = jnp.arange(slots).reshape((slots,) + (1,) * seed0.ndim)

    def running(clock: Clock) -> Array:
        return (clock.wait > 0) & (clock.left > 0)

    def generation(carry):
        shares, clock, idle, against, occupied = carry
        active = running(clock)
        after, mean = _generation(shares, against, setting.least, occupied)
        passed = jnp.where(active, jnp.where(clock.still, jnp.minimum(clock.wait, clock.left), 1), 0)
        after = jnp.where(active, after, shares)
        still = (after == shares).all(0) | (after.max(0) == after.sum(0))
        clock = Clock(clock.wait - passed, clock.left - passed, still, clock.total + passed * mean)
        return after, clock, idle + 1 - active.mean(), against, occupied

    def mutation(strategies, shares, against, clock, number):
        due = clock.wait == 0
        first = number * jnp.uint32(WORDS)
        mutant = _mutant(setting, seed, first)
        # The first free slot; were none free, that of the rarest strategy.
        here = (rows == jnp.argmin(shares, 0)) & due
        others = (1 - setting.entry) / (1 - shares.min(0))
        strategies = jnp.where(here, mutant[:, None], strategies)
        shares = jnp.where(here, setting.entry, jnp.where(due, shares * others, shares))
        of_mutant, of_others = _payoffs(setting, mutant[:, None], strategies)
        against = jnp.where(here[None, :], of_mutant[:, None], jnp.where(here[:, None], of_others, against))
        wait = jnp.where(due, _wait(setting, random.words(seed, first + jnp.uint32(4))), clock.wait)
        return strategies, shares, against, clock._replace(wait=wait, still=clock.still & ~due), number + due

    def body(carry):
        strategies, shares, against, clock, number = carry
        occupied = 1 + jnp.max(jnp.where(shares > 0, rows, 0))
        begin = (shares, clock, jnp.zeros((), shares.dtype), against, occupied)
        shares, clock, *_ = jax.lax.while_loop(
            lambda inner: running(inner[1]).any() & (inner[2] < PATIENCE), generation, begin
        )
        return mutation(strategies, shares, against, clock, number)

    nothing = jnp.zeros(seed0.shape, jnp.uint32)
    # A geometric wait has no memory: it may be drawn anew at the start of every step.
    wait = _wait(setting, random.words(seed, ~nothing))
    clock = Clock(wait, jnp.broadcast_to(generations, wait.shape), nothing > 0, jnp.zeros_like(population.earned))
    carry = (population.strategies, population.shares, population.payoff.swapaxes(0, 1), clock, nothing)
    carry = jax.lax.while_loop(lambda carry: (carry[3].left > 0).any(), body, carry)
    strategies, shares, against, clock, _ = carry
    return Population(strategies, shares, against.swapaxes(0, 1), clock.total / generations)


_evolve_batched: Any = custom_vmap(_evolve)


@_evolve_batched.def_vmap
def _batch_last(axis_size, batched, population, setting, seed0, seed1, generations):
    # As in pairwise comparison: vector units run along populations, not along a handful of slots.
    def last(array, is_batched):
        array = array if is_batched else jnp.broadcast_to(array, (axis_size, *array.shape))
        return jnp.moveaxis(array, 0, -1)

    if batched[-1]:
        raise ValueError("mutation_selection: the number of generations is shared by all populations of a batch")
    arrays = (population, setting, seed0, seed1)
    population, setting, seed0, seed1 = jax.tree.map(last, arrays, tuple(batched[:-1]))
    after = _evolve(population, setting, seed0, seed1, generations)
    return jax.tree.map(lambda x: jnp.moveaxis(x, -1, 0), after), jax.tree.map(lambda x: True, after)


class MutationSelection(Model):
    """Strategies with a memory of one round, in an infinite population with selection and rare mutants.

    One step is `generations` generations, of each of which: every strategy grows by its payoff over the mean, what is
    below `least` dies out, and with probability mu a mutant with random entries comes in.
    Source: Nowak & Sigmund 1993 (Nature 364:56); with `space = "reactive"` Nowak & Sigmund 1992 (Nature 355:250).
    """

    t: float = param(5.0, doc="temptation: I defect, the other cooperates", low=0)
    r: float = param(3.0, doc="reward: both cooperate", low=0)
    p: float = param(1.0, doc="punishment: both defect", low=0)
    s: float = param(0.0, doc="sucker's payoff: I cooperate, the other defects", low=0)
    mu: float = param(0.01, doc="probability that a mutant enters in a generation", low=0, high=1)
    entry: float = param(0.0011, doc="share with which a mutant enters", low=0, high=0.5)
    least: float = param(0.001, doc="share below which a strategy dies out", low=0, high=0.5)
    slip: float = param(0.001, doc="least probability of either move", low=1e-5, high=0.5)
    start: Any = param(
        [0.5, 0.5, 0.5, 0.5], doc="the first strategy: probabilities to cooperate after CC, CD, DC, DD",
        low=0, high=1, shape=("outcome",),
    )  # fmt: skip
    space: str = static("memory-one", doc="what a strategy looks at: the last round of both, or the other's last move",
                        choices=("memory-one", "reactive"))  # fmt: skip
    slots: int = static(12, doc="most strategies at a time; were there more, the rarest would go", low=2, high=256)
    generations: int = static(10_000, doc="generations in a step", low=1, high=2**24)

    payoff = observable(doc="mean payoff per round over the step")
    cooperation = observable(doc="share of cooperative moves at the end of the step")
    strategy = observable(dims=("after",), doc="mean probability to cooperate after each outcome, one's own move first")
    wsls = observable(doc="whether the mean strategy is win-stay, lose-shift: above 0.9, below 0.2 twice, above 0.6")
    present = observable(doc="number of strategies", unit="strategies")

    def __post_init__(self):
        super().__post_init__()
        if isinstance(self.least, float) and self.least * self.slots > 1:
            raise ParameterError(
                f"mutation-selection.least = {self.least:g}: at most 1 / slots, {1 / self.slots:g}, or all may die out"
            )

    def init(self, key: Array) -> Population:
        """Everybody plays `start`."""
        one = jnp.clip(jnp.asarray(self.start, float), self.slip, 1 - self.slip)
        strategies = jnp.broadcast_to(one[:, None], (4, self.slots))
        payoff, _ = _payoffs(self._setting(), one, one)
        shares = (jnp.arange(self.slots) == 0).astype(payoff.dtype)
        return Population(strategies, shares, jnp.broadcast_to(payoff, (self.slots, self.slots)), payoff)

    def step(self, state: Population, key: Array) -> Population:
        return _evolve_batched(state, self._setting(), *random.seeds(key), jnp.int32(self.generations))

    def observe(self, state: Population) -> dict[str, Array]:
        strategies, shares = state.strategies, state.shares
        rates = long_run_outcomes(strategies[:, :, None], strategies[:, None, :])
        mean = (strategies * shares).sum(1)
        wsls = (mean[0] > 0.9) & (mean[1] < 0.2) & (mean[2] < 0.2) & (mean[3] > 0.6)
        return {
            "payoff": state.earned,
            "cooperation": ((rates[0] + rates[1]) * shares[:, None] * shares).sum(),
            "strategy": mean,
            "wsls": wsls.astype(shares.dtype),
            "present": (shares > 0).sum(),
        }

    def coords(self) -> Mapping[str, Sequence[str]]:
        return {"after": ("CC", "CD", "DC", "DD")}

    def _setting(self) -> Setting:
        mu, entry, least, slip = (jnp.asarray(x, float) for x in (self.mu, self.entry, self.least, self.slip))
        payoffs = jnp.stack([jnp.asarray(x, float) for x in (self.r, self.s, self.t, self.p)])
        return Setting(payoffs, mu, entry, least, slip, jnp.asarray(self.space == "reactive", float))
