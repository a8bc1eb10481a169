"""Reinforcement in urns: a sender and a receiver who learn a Lewis game by adding to what has worked."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxcoord import random
from jaxcoord.language import lewis
from jaxcoord.language.lewis_models import check_prior, is_signalling, normalised
from jaxcoord.model import Model, observable, param, static

Array = jax.Array


class Urns(NamedTuple):
    """A sender and a receiver who draw from urns."""

    sender: Array
    """`[n, k]`: weight of each signal in the urn of each state."""
    receiver: Array
    """`[k, n]`: weight of each act in the urn of each signal."""


def drawn(weights: Array, coin: Array) -> Array:
    """`[S]` bool: the option that a uniform number in [0, 1) draws from an urn with weights `[S]`, as one of S."""
    upto = jnp.cumsum(weights)
    above = coin * upto[-1] < upto
    return above & ~jnp.concatenate([jnp.zeros(1, bool), above[:-1]])


def urn_play(urns: Urns, prior: Array, reward: Any, coins: Array) -> Urns:
    """One play: nature, sender and receiver draw; where the act is the state, both put `reward` back in addition.

    Args: `urns`; `prior [n]` probabilities; `coins [3]`, uniform numbers for nature, sender and receiver.
    Source: Roth & Erev 1995, without forgetting; Barrett 2006.
    """
    state = drawn(prior, coins[0])
    signal = drawn(jnp.where(state[:, None], urns.sender, 0.0).sum(0), coins[1])
    act = drawn(jnp.where(signal[:, None], urns.receiver, 0.0).sum(0), coins[2])
    paid = jnp.where((state & act).any(), reward, 0.0)
    return Urns(
        urns.sender + jnp.where(state[:, None] & signal, paid, 0.0),
        urns.receiver + jnp.where(signal[:, None] & act, paid, 0.0),
    )


class RothErev(Model):
    """A sender and a receiver in a Lewis game who learn by reinforcement: success adds to the urns it came from.

    An urn for each state holds weights of the signals, one for each signal weights of the acts. A step is `plays`
    plays. The act of the state's number succeeds, every other earns nothing.
    Source: Roth & Erev 1995; Barrett 2006; Skyrms 2010, chapter 8.
    """

    prior: np.ndarray = param([0.5, 0.5], doc="how often each state occurs, in proportion", low=0, shape=("state",))
    initial: float = param(1.0, doc="weight of each option at the start", low=1e-6)
    reward: float = param(1.0, doc="weight that a success adds", low=0)
    signals: int = static(2, doc="k, signals that the sender has", low=1)
    plays: int = static(100, doc="plays of a step", unit="plays", low=1)

    payoff = observable(doc="probability of success with the urns as they are")
    information = observable(doc="what a signal says about the state, on average", unit="bits")
    signalling = observable(doc="1 where the payoff is above that of all equilibria but signalling systems, else 0")

    def __post_init__(self):
        super().__post_init__()
        check_prior(self, self.prior)

    def init(self, key: Array) -> Urns:
        """The same weight for every option."""
        states = len(self.prior)
        start = jnp.asarray(self.initial, float)
        return Urns(jnp.full((states, self.signals), start), jnp.full((self.signals, states), start))

    def step(self, state: Urns, key: Array) -> Urns:
        prior = normalised(self.prior)
        words = random.words(random.seeds(key), jnp.arange(3 * self.plays, dtype=jnp.uint32))
        coins = random.probability(words).reshape(self.plays, 3)
        return jax.lax.fori_loop(0, self.plays, lambda i, urns: urn_play(urns, prior, self.reward, coins[i]), state)

    def observe(self, state: Urns) -> dict[str, Array]:
        prior = normalised(self.prior)
        sender, receiver = (urn / urn.sum(1, keepdims=True) for urn in state)
        found = lewis.lewis_game(prior, sender, receiver)
        return {
            "payoff": found.payoff,
            "information": found.mean_information,
            "signalling": is_signalling(prior, found.payoff).astype(found.payoff.dtype),
        }

    @property
    def agents(self) -> int:
        """Two learn in each play."""
        return 2 * self.plays
