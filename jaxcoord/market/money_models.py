"""Populations that exchange money at random: with or without saving, one unit at a time, and with bank credit."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxcoord import random
from jaxcoord.errors import ParameterError
from jaxcoord.market import money as rules
from jaxcoord.model import Model, observable, param, static

Array = jax.Array


def others(words: Array, own: Array, size: int) -> Array:
    """Random agents other than `own`, int32, of words of the same shape."""
    found = random.index_below(words, jnp.uint32(size - 1)).astype(jnp.int32)
    return found + (found >= own)


def check_total(model: Model, units: Any) -> None:
    """Refuse a model whose money could pass the largest whole number of 32 bits.

    Raises: ParameterError.
    """
    if np.max(units) >= 2**31:
        raise ParameterError(
            f"{model.registered_name}: {np.max(units):.4g} units of money in all; less than 2**31 is needed"
        )


class WealthExchange(Model):
    """Agents who exchange money at random; one step is a sweep, in which everybody acts once on average.

    `split`: a random matching of all agents, each pair of which splits at random what it does not save: an exponential
    law without saving (Dragulescu & Yakovenko 2000), nearly a Gamma law with it (Chakraborti & Chakrabarti 2000).
    `give-simultaneous`, `give-in-turn`, `give-one-by-one`: agents give one unit to a random other, all at the same
    time, each once in a random order, or N random donors one after the other. In the last every distribution of
    the units is equally likely in the long run: a geometric law, and the Gini coefficient is 2/3 at one unit each.
    """

    saving: float = param(0.0, doc="share of its money that an agent keeps out of a split", low=0, high=1)
    mean: int = param(1000, doc="money of each agent at the start", unit="units", low=1, high=2**24)
    rule: str = static(
        "split", choices=("split", "give-simultaneous", "give-in-turn", "give-one-by-one"), doc="how money moves"
    )
    size: int = static(1000, doc="N, agents; all their money is less than 2**31", low=2, high=2**24)

    gini = observable(doc="Gini coefficient of money, 0 (all equal) to 1")
    variance = observable(doc="variance of money over its squared mean")
    penniless = observable(doc="share of agents without money")
    below_mean = observable(doc="share of agents with less than the mean")
    median = observable(doc="median money over its mean")
    top_tenth = observable(doc="share of all money that the richest tenth holds")
    total = observable(doc="all money, conserved", unit="units")

    def __post_init__(self):
        super().__post_init__()
        if not isinstance(self.mean, jax.core.Tracer):
            check_total(self, np.multiply(self.mean, float(self.size)))

    def init(self, key: Array) -> Array:
        """`[N]` int32: the same for everybody."""
        return jnp.full(self.size, self.mean, jnp.int32)

    def step(self, state: Array, key: Array) -> Array:
        seed = random.seeds(key)
        if self.rule == "split":
            first, second = rules.random_pairs(seed, self.size)
            words = random.words(seed, jnp.arange(self.size, self.size + len(first), dtype=jnp.uint32))
            return rules.split(state, first, second, words, self.saving)
        everybody = jnp.arange(self.size, dtype=jnp.int32)
        words = random.words(seed, jnp.arange(2 * self.size, dtype=jnp.uint32)).reshape(2, self.size)
        if self.rule == "give-one-by-one":
            donors = random.index_below(words[1], jnp.uint32(self.size)).astype(jnp.int32)
            return rules.give_one_by_one(state, donors, others(words[0], donors, self.size))
        receiver = others(words[0], everybody, self.size)
        if self.rule == "give-in-turn":
            # The receiver's turn is drawn again rather than looked up: a gather takes ten times as long as a word.
            turn = random.words(seed, jnp.uint32(self.size) + receiver.astype(jnp.uint32))
            return rules.give_in_turn(state, receiver, words[1] < turn)
        return rules.give_simultaneously(state, receiver)

    def observe(self, state: Array) -> dict[str, Array]:
        held = state.astype(float)
        mean = held.mean()
        ordered = jnp.sort(state)
        # As `observables.gini`, on what is sorted already for the other figures.
        rank = 2.0 * jnp.arange(1, self.size + 1) - self.size - 1
        middle = (ordered[(self.size - 1) // 2] + ordered[self.size // 2]) / 2
        return {
            "gini": (rank * ordered).sum() / (self.size * held.sum()),
            "variance": ((held - mean) ** 2).mean() / mean**2,
            "penniless": (state == 0).mean(dtype=held.dtype),
            "below_mean": (held < mean).mean(dtype=held.dtype),
            "median": middle / mean,
            "top_tenth": ordered[self.size - self.size // 10 :].sum() / held.sum(),
            "total": state.sum(dtype=jnp.int32),
        }

    @property
    def agents(self) -> int:
        """A sweep lets every agent act once, on average where donors are drawn."""
        return self.size


class CreditExchange(Model):
    """Payments of one unit at random, on credit too, while banks keep a share of their deposits in base money.

    In a step N payers are drawn one after the other; each pays one unit to another agent, if it has money or if all
    debts stay within M0 N (1 - r) / r. Wealth becomes a two-sided exponential law, see `reserve_wealth`.
    Source: Xi, Ding & Wang 2005.
    """

    reserve_ratio: float = param(0.5, doc="share of deposits that banks hold in base money", low=1e-3, high=1)
    mean: int = param(20, doc="M0, base money of each agent at the start", unit="units", low=1, high=2**20)
    size: int = static(200, doc="N, agents; all their money and credit is less than 2**31", low=2, high=2**20)

    positive = observable(doc="positive money per head", unit="units")
    debt = observable(doc="debt per head", unit="units")
    mean_positive = observable(doc="mean money of those who have any", unit="units")
    mean_negative = observable(doc="mean debt of those who owe", unit="units")
    in_debt = observable(doc="share of agents who owe")
    total = observable(doc="money less debt of all, conserved", unit="units")

    def __post_init__(self):
        super().__post_init__()
        if not isinstance(self.mean, jax.core.Tracer) and not isinstance(self.reserve_ratio, jax.core.Tracer):
            check_total(self, np.multiply(self.mean, float(self.size)) / self.reserve_ratio)

    def init(self, key: Array) -> Array:
        """`[N]` int32: base money only."""
        return jnp.full(self.size, self.mean, jnp.int32)

    def step(self, state: Array, key: Array) -> Array:
        words = random.words(random.seeds(key), jnp.arange(2 * self.size, dtype=jnp.uint32)).reshape(2, self.size)
        payers = random.index_below(words[0], jnp.uint32(self.size)).astype(jnp.int32)
        # A little above the limit is floored to it: 20 N (1 - r) / r may come out below a whole number in float32.
        limit = jnp.floor(rules.credit_limit(self.reserve_ratio, self.mean * float(self.size)) + 1e-3)
        return rules.pay_on_credit(state, limit.astype(jnp.int32), payers, others(words[1], payers, self.size))

    def observe(self, state: Array) -> dict[str, Array]:
        held = state.astype(float)
        above, below = jnp.maximum(held, 0).sum(), jnp.maximum(-held, 0).sum()
        owners, debtors = (state > 0).sum(), (state < 0).sum()
        return {
            "positive": above / self.size,
            "debt": below / self.size,
            "mean_positive": above / jnp.maximum(owners, 1),
            "mean_negative": below / jnp.maximum(debtors, 1),
            "in_debt": debtors / held.dtype.type(self.size),
            "total": state.sum(dtype=jnp.int32),
        }

    @property
    def agents(self) -> int:
        """A step makes one payment for each agent."""
        return self.size
