"""Populations that play a Lewis signalling game: replicator dynamics from random starts."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxcoord.errors import ParameterError
from jaxcoord.language import lewis
from jaxcoord.model import Model, observable, param, static

Array = jax.Array
DYNAMICS = ("two-populations", "one-population", "behavioural")


def normalised(prior: Any) -> Array:
    """Weights of the states as probabilities."""
    prior = jnp.asarray(prior, float)
    return prior / prior.sum()


def is_signalling(prior: Array, payoff: Array) -> Array:
    """Whether a payoff lies above that of every equilibrium but signalling systems, by a hundredth of what is missing.

    The best of the others tells all but the rarest state apart and earns 1 - min p. Under replicator dynamics the mean
    payoff never falls, so that a population above it ends in a signalling system.
    """
    return payoff > 1 - 0.99 * prior.min()


def check_prior(model: Model, prior: Any) -> None:
    """Refuse a state that cannot occur, and one that is alone. Raises: ParameterError."""
    if isinstance(prior, np.ndarray) and (len(prior) < 2 or not prior.min() > 0):
        raise ParameterError(f"{model.registered_name}.prior = {prior.tolist()}: two states or more are needed, "
                             "with weights above 0")  # fmt: skip


class LewisReplicator(Model):
    """Populations in a Lewis game under a discrete replicator map, x <- x (C + f) / sum, from random starts.

    `two-populations`: shares of pure senders and of pure receivers. `one-population`: shares of pairs of both, each
    playing both roles. `behavioural`: a mixed choice in each state and after each signal. A step is one update, of all
    at once. Acts are as many as states; the act of the state's number pays 1, every other 0.
    Source: Huttegger 2007; Hofbauer & Huttegger 2008; Huttegger, Skyrms, Smead & Zollman 2010.
    """

    prior: np.ndarray = param([0.5, 0.5], doc="how often each state occurs, in proportion", low=0, shape=("state",))
    background: float = param(0.0, doc="C, payoff that all have anyway; the larger, the smaller a step", low=0)
    mutation: float = param(0.0, doc="part of each population that is replaced by all options alike", low=0, high=1)
    dynamics: str = static("two-populations", choices=DYNAMICS, doc="what the shares are shares of")
    signals: int = static(2, doc="k, signals that the sender has", low=1)

    payoff = observable(doc="mean payoff: probability that the act is the state's")
    information = observable(doc="what a signal says about the state, on average", unit="bits")
    signalling = observable(doc="1 where the payoff is above that of all equilibria but signalling systems, else 0")

    def __post_init__(self):
        super().__post_init__()
        check_prior(self, self.prior)

    def init(self, key: Array) -> tuple[Array, ...]:
        """Uniform on each simplex: of the strategies, or of the options at each information set."""
        states, signals = len(self.prior), self.signals
        first, second = (jax.random.fold_in(key, purpose) for purpose in range(2))
        if self.dynamics == "behavioural":
            return (lewis.uniform_on_simplex(first, (states, signals)),
                    lewis.uniform_on_simplex(second, (signals, states)))  # fmt: skip
        senders, receivers = signals**states, states**signals
        if self.dynamics == "one-population":
            return (lewis.uniform_on_simplex(first, (senders * receivers,)).reshape(senders, receivers),)
        return lewis.uniform_on_simplex(first, (senders,)), lewis.uniform_on_simplex(second, (receivers,))

    def step(self, state: tuple[Array, ...], key: Array) -> tuple[Array, ...]:
        prior = normalised(self.prior)
        if self.dynamics == "behavioural":
            return lewis.behavioural_step(state[0], state[1], prior, self.background, self.mutation)
        rest = prior, self.signals, self.background, self.mutation
        if self.dynamics == "one-population":
            return (lewis.one_population_step(state[0], *rest),)
        return lewis.two_population_step(state[0], state[1], *rest)

    def behaviour(self, state: tuple[Array, ...]) -> tuple[Array, Array]:
        """How often each signal is given in each state `[n, k]`, and each act taken after each signal `[k, n]`."""
        if self.dynamics == "behavioural":
            return state[0], state[1]
        states, signals = len(self.prior), self.signals
        sender, receiver = (state[0].sum(1), state[0].sum(0)) if self.dynamics == "one-population" else state
        return lewis.behaviour(sender, states, signals), lewis.behaviour(receiver, signals, states)

    def observe(self, state: tuple[Array, ...]) -> dict[str, Array]:
        prior = normalised(self.prior)
        found = lewis.lewis_game(prior, *self.behaviour(state))
        return {
            "payoff": found.payoff,
            "information": found.mean_information,
            "signalling": is_signalling(prior, found.payoff).astype(found.payoff.dtype),
        }
