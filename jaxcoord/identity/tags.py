"""Cooperation by similarity: agents give to those whose tag is close enough (Riolo, Cohen & Axelrod 2001)."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxcoord import random
from jaxcoord.model import Model, observable, param, static

Array = jax.Array


class Tagged(NamedTuple):
    """A population of n agents."""

    tag: Array
    """`[n]`, 0 to 1."""
    tolerance: Array
    """`[n]`: how far another's tag may be from an agent's own for the agent to give."""
    donation: Array
    """`[]`: the share of the last generation's meetings in which something was given."""


def gives(tag: Array, tolerance: Array, other: Array, strict: bool = False) -> Array:
    """Whether an agent gives: its tag differs from the other's by no more than its tolerance, or, strictly, by less.

    Between equal tags nobody with a tolerance of at least 0 can refuse, unless the inequality is strict.
    """
    distance = jnp.abs(tag - other)
    return distance < tolerance if strict else distance <= tolerance


def scores(gave: Array, partner: Array, benefit: Array, cost: Array) -> Array:
    """What everybody has earned: benefit times gifts received less cost times gifts made.

    Args: `gave [m, n]` bool, `partner [m, n]` int32: whether, and to whom, each of n agents gave in m meetings.
    Returns: `[n]`. Gifts are counted as whole numbers first: equal counts make equal scores.
    """
    received = jnp.zeros(gave.shape[1], jnp.int32).at[partner].add(gave.astype(jnp.int32))
    return benefit * received - cost * gave.sum(0, dtype=jnp.int32)


def parents(score: Array, other: Array, coin: Array, ties_at_random: bool) -> Array:
    """Who leaves each agent's offspring: of the agent and another one, whoever has the higher score.

    Args: `score [n]`; `other [n]` int32; `coin [n]` bool, who wins a tie where ties are broken at random; otherwise
      the agent itself does. Returns: `[n]` int32.
    """
    own = jnp.arange(len(score), dtype=jnp.int32)
    wins = score[other] > score
    if ties_at_random:
        wins |= coin & (score[other] == score)
    return jnp.where(wins, other, own)


class Tags(Model):
    """Agents give to those with a similar tag, and the more successful ones' tags and tolerances are inherited.

    In a generation each agent meets `pairings` random others and gives to those whose tag is within its tolerance;
    it pays `cost`, they get `benefit`. Then each is compared with one random other, and the one with the higher score
    leaves the offspring in its place. With probability `mutation` each, the offspring has a new random tag, or its
    tolerance changes by a normal number, not below `floor`.

    Three details decide whether agents give at all: who wins a tie, whether equal tags force an agent to give, and
    whether a tolerance may be negative.
    Source: Riolo, Cohen & Axelrod 2001 (Nature 414:441); the details: Roberts & Sherratt 2002 (Nature 418:499),
      Edmonds & Hales 2003 (J Artif Soc Soc Simul 6:4:11).
    """

    pairings: int = static(3, doc="meetings of each agent as the one who may give", low=1, high=1000)
    cost: float = param(0.1, doc="cost of giving", unit="payoff", low=0)
    benefit: float = param(1.0, doc="benefit of a gift", unit="payoff", low=0)
    mutation: float = param(0.1, doc="probability of a new tag, and of a changed tolerance", low=0, high=1)
    change: float = param(0.01, doc="standard deviation of a change of tolerance", low=0)
    floor: float = param(0.0, doc="the lowest tolerance; below 0 it refuses even equal tags", low=-1, high=1)
    strict: bool = static(False, doc="a tag must differ by less than the tolerance, instead of by no more")
    ties: str = static("keep", doc="who leaves the offspring at equal scores: the agent itself, or either at random",
                       choices=("keep", "random"))  # fmt: skip
    size: int = static(100, doc="n, agents", unit="individuals", low=2, high=2**24 - 1)

    donation = observable(doc="share of meetings in which something is given")
    tolerance = observable(doc="mean tolerance")

    def init(self, key: Array) -> Tagged:
        """Tags and tolerances uniform on 0 to 1."""
        tag, tolerance = jax.random.uniform(key, (2, self.size), jnp.float32)
        return Tagged(tag, tolerance, jnp.float32(0))

    def step(self, state: Tagged, key: Array) -> Tagged:
        seed, everybody = random.seeds(key), jnp.arange(self.size, dtype=jnp.uint32)
        rows = jnp.arange(self.pairings + 5, dtype=jnp.uint32)[:, None]
        words = random.words(seed, rows * jnp.uint32(self.size) + everybody)
        others = random.index_below(words[: self.pairings + 1], jnp.uint32(self.size - 1))
        others = (others + (others >= everybody)).astype(jnp.int32)
        coin, redraws, new_tag, changes = words[self.pairings + 1 :]

        partner, rival = others[:-1], others[-1]
        gave = gives(state.tag, state.tolerance, state.tag[partner], self.strict)
        score = scores(gave, partner, jnp.float32(self.benefit), jnp.float32(self.cost))
        parent = parents(score, rival, (coin >> 31) == 1, self.ties == "random")

        tag = jnp.where(random.probability(redraws) < self.mutation, random.probability(new_tag), state.tag[parent])
        moved = state.tolerance[parent] + self.change * jax.random.normal(key, (self.size,), jnp.float32)
        changed = random.probability(changes) < self.mutation
        tolerance = jnp.where(changed, jnp.maximum(moved, self.floor), state.tolerance[parent])
        return Tagged(tag, tolerance, gave.astype(jnp.float32).mean())

    def observe(self, state: Tagged) -> dict[str, Array]:
        return {"donation": state.donation, "tolerance": state.tolerance.mean()}

    @property
    def agents(self) -> int:
        """A step updates every agent."""
        return self.size
