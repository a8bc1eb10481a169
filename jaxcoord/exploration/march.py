"""Exploration and exploitation in organizational learning (March 1991): who learns slowly ends up knowing more."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxcoord import random
from jaxcoord.model import Model, observable, param, static

Array = jax.Array


class Organization(NamedTuple):
    """Members, the code of the organization, and the reality that they try to know."""

    beliefs: Array
    """`[n, m]` int32: 1, -1, or 0 for none."""
    code: Array
    """`[m]` int32: what the organization says, 1, -1, or 0 for nothing."""
    reality: Array
    """`[m]` int32: 1 or -1."""


def knowledge(beliefs: Array, reality: Array) -> Array:
    """The share of dimensions in which beliefs `[..., m]` agree with reality `[m]`."""
    return (beliefs == reality).mean(-1)


def code_change(beliefs: Array, code: Array, reality: Array, p2: Array) -> tuple[Array, Array]:
    """What the code would learn from those members who know more than it, and with what probability.

    In each dimension what most of them believe replaces what the code says with probability 1 - (1 - p2)^k, where k
    is how many more believe it than believe the opposite; who believes nothing does not count.

    Args: `beliefs [n, m]`, `code [m]`, `reality [m]`; `p2` as in `OrganizationalLearning`.
    Returns: the beliefs `[m]` int32 that would be learned, and probabilities `[m]`.
    Source: March 1991, p. 74.
    """
    better = (knowledge(beliefs, reality) > knowledge(code, reality))[:, None]
    votes = jnp.where(better, beliefs, 0).sum(0, dtype=jnp.int32)
    common = jnp.sign(votes)
    return common, jnp.where((common != 0) & (common != code), 1 - (1 - p2) ** jnp.abs(votes), 0.0)


class OrganizationalLearning(Model):
    """Members learn from the organization's code, and the code from those members who know more than it.

    In a step each member takes over each thing that the code says with probability p1, while the code learns from
    those above it (see `code_change`), both from what the other was before. With probability `turnover` a member is
    then replaced by a newcomer with random beliefs.
    Source: March 1991 (Organization Science 2:71).
    """

    p1: float = param(0.1, doc="probability that a member takes over what the code says", low=0, high=1)
    p2: float = param(0.5, doc="effectiveness of the code's learning from the members who know more", low=0, high=1)
    turnover: float = param(0.0, doc="probability that a member is replaced in a step", low=0, high=1)
    size: int = static(50, doc="n, members", unit="individuals", low=1)
    dimensions: int = static(30, doc="m, things that there are to know", low=1)

    knowledge = observable(doc="mean share of reality that the members know")
    code_knowledge = observable(doc="share of reality that the code knows")
    variety = observable(doc="mean share of dimensions in which a member differs from the code")

    def init(self, key: Array) -> Organization:
        """Reality by coin tosses, beliefs -1, 0 or 1 alike, an empty code."""
        beliefs, reality = (jax.random.fold_in(key, purpose) for purpose in range(2))
        return Organization(
            jax.random.randint(beliefs, (self.size, self.dimensions), -1, 2, jnp.int32),
            jnp.zeros(self.dimensions, jnp.int32),
            2 * jax.random.randint(reality, (self.dimensions,), 0, 2, jnp.int32) - 1,
        )

    def step(self, state: Organization, key: Array) -> Organization:
        people, things = state.beliefs.shape
        # A row of words for what each is taught, one for each newcomer's beliefs, one for the code, one for who leaves.
        rows = jnp.arange(2 * people + 1, dtype=jnp.uint32)[:, None]
        seed, columns = random.seeds(key), jnp.arange(things, dtype=jnp.uint32)
        words = random.words(seed, rows * jnp.uint32(things) + columns)
        leaving = random.words(
            seed, rows[-1] * jnp.uint32(things) + jnp.uint32(things) + jnp.arange(people, dtype=jnp.uint32)
        )

        taught = (random.probability(words[:people]) < self.p1) & (state.code != 0)
        beliefs = jnp.where(taught, state.code, state.beliefs)
        common, chance = code_change(state.beliefs, state.code, state.reality, jnp.asarray(self.p2))
        code = jnp.where(random.probability(words[-1]) < chance, common, state.code)
        newcomers = random.index_below(words[people:-1], jnp.uint32(3)).astype(jnp.int32) - 1
        leaves = (random.probability(leaving) < self.turnover)[:, None]
        return Organization(jnp.where(leaves, newcomers, beliefs), code, state.reality)

    def observe(self, state: Organization) -> dict[str, Array]:
        return {
            "knowledge": knowledge(state.beliefs, state.reality).mean(),
            "code_knowledge": knowledge(state.code, state.reality),
            "variety": (state.beliefs != state.code).mean(),
        }

    @property
    def agents(self) -> int:
        """A step updates every member."""
        return self.size
