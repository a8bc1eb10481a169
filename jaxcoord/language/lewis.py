"""Lewis signalling games: what a code is worth, what its signals say, and where replicator dynamics lead it.

Nature draws one of n states, the sender sees it and gives one of k signals, the receiver sees the signal and acts; both
are paid by how the act fits the state. Which replicator dynamics is meant changes the share of starts that end in a
signalling system several-fold, so there is none by default: two populations of pure strategies, one population that
plays both roles, or behaviour at each information set (Hofbauer & Huttegger 2008, Huttegger et al. 2010).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxcoord.errors import ParameterError
from jaxcoord.language import inputs
from jaxcoord.networks.graph import whole

Array = jax.Array
NASH = 1e-6  # by which the best response may pay more and still count as none
LARGEST = 2**16  # pure strategies of one role


class LewisGame(NamedTuple):
    """What a sender and a receiver achieve together, and what each signal says (n states, k signals)."""

    payoff: Array
    """`[]`: expected payoff."""
    signal_probability: Array
    """`[k]`: how often each signal is given."""
    posterior: Array
    """`[k, n]`: how probable each state is after each signal; NaN for a signal that is never given."""
    information: Array
    """`[k]` bits: what each signal says about the state; NaN for one that is never given."""
    mean_information: Array
    """`[]` bits: what a signal says on average."""
    best_receiver: Array
    """`[]`: payoff if the receiver answered the sender as well as possible."""
    best_sender: Array
    """`[]`: payoff if the sender addressed the receiver as well as possible."""
    is_nash: Array
    """`[]` bool: neither could do better."""


def lewis_game(prior: Any, sender: Any, receiver: Any, utility: Any = None) -> LewisGame:
    """Payoff, information in signals, and best responses.

    payoff = sum_t p(t) sum_m S[t, m] sum_a R[m, a] u(t, a); information in m is sum_t p(t|m) log2(p(t|m) / p(t)).

    Args:
      prior: p `[n]`, probability of each state.
      sender: S `[n, k]`, probability of each signal in each state.
      receiver: R `[k, a]`, probability of each act after each signal.
      utility: u `[n, a]`, payoff of each act in each state; by default 1 for the act of the state's number, else 0.
    Raises: ParameterError for what is no probabilities, or shapes that do not fit.
    Source: Lewis 1969; Skyrms 2010, chapter 3, for information.
    """
    prior = inputs.distributions("prior", prior)
    sender = inputs.distributions("sender", sender, 2)
    receiver = inputs.distributions("receiver", receiver, 2)
    states, acts = len(prior), receiver.shape[1]
    utility = jnp.eye(states, acts) if utility is None else jnp.asarray(utility, float)
    if len(sender) != states or len(receiver) != sender.shape[1] or utility.shape != (states, acts):
        shapes = f"sender {sender.shape}, receiver {receiver.shape}, utility {utility.shape}"
        raise ParameterError(f"lewis game with {states} states: {shapes}; [n, k], [k, a] and [n, a] are needed")
    joint = prior[:, None] * sender
    heard = joint.sum(0)
    posterior = (joint / heard).T
    ratio = jnp.where(posterior > 0, posterior / prior, 1.0)
    information = (posterior * jnp.log2(ratio)).sum(1)
    answered, addressed = joint.T @ utility, utility @ receiver.T  # worth of each act, and of each signal
    payoff = (answered * receiver).sum()
    best_receiver, best_sender = answered.max(1).sum(), prior @ addressed.max(1)
    return LewisGame(
        payoff,
        heard,
        posterior,
        information,
        jnp.where(heard > 0, heard * information, 0.0).sum(),
        best_receiver,
        best_sender,
        jnp.maximum(best_receiver, best_sender) <= payoff + NASH,
    )


def pure_strategies(places: int, options: int) -> np.ndarray:
    """`[options**places, places]`: every way to choose an option at each place, in lexicographic order."""
    places, options = whole("places", places, 1), whole("options", options, 1)
    if options**places > LARGEST:
        raise ParameterError(f"places = {places}: {options}**{places} pure strategies; at most {LARGEST} are listed")
    return np.stack(np.meshgrid(*[np.arange(options)] * places, indexing="ij"), -1).reshape(-1, places)


def _taken(places: int, options: int) -> np.ndarray:
    # `[options**places, places * options]`: 1 where a strategy takes an option at a place.
    chosen = pure_strategies(places, options)[..., None] == np.arange(options)
    return chosen.reshape(len(chosen), -1).astype(np.float32)


def behaviour(share: Any, places: int, options: int) -> Array:
    """`[places, options]`: how often a population `[options**places]` of pure strategies takes each option."""
    share = jnp.asarray(share, float)
    return (share @ jnp.asarray(_taken(places, options), share.dtype)).reshape(places, options)


def strategy_payoffs(prior: Any, signals: int, sender: Any, receiver: Any) -> tuple[Array, Array]:
    """What each pure sender earns against a population of receivers, and each pure receiver against one of senders.

    Only how the other population behaves counts, so that the table of all pairs is never made.

    Args:
      prior: `[n]`, probability of each state; there are as many acts, and the one of the state's number pays 1.
      signals: k.
      sender: `[k**n]` shares of strategies that choose a signal for each state (see `pure_strategies`).
      receiver: `[n**k]` shares of strategies that choose an act for each signal.
    Returns: `[k**n]` and `[n**k]`.
    """
    prior = inputs.distributions("prior", prior)
    states = len(prior)
    acting = behaviour(receiver, signals, states)  # [k, n]
    speaking = behaviour(sender, states, signals)  # [n, k]
    return (
        jnp.asarray(_taken(states, signals), prior.dtype) @ (prior[:, None] * acting.T).ravel(),
        jnp.asarray(_taken(signals, states), prior.dtype) @ (prior[:, None] * speaking).T.ravel(),
    )


def grown(share: Array, payoff: Array, background: Any, mutation: Any = 0.0) -> Array:
    """One step of the discrete replicator map over the last axis: x <- x (C + f) / sum, then mutation.

    Where everything earns nothing and C is 0, nothing changes.

    Args: `share [..., S]`; `payoff [..., S]` f, at least 0; `background` C; `mutation`, the part that is replaced by
      all options alike.
    """
    weight = share * (background + payoff)
    total = weight.sum(-1, keepdims=True)
    share = jnp.where(total > 0, weight / jnp.where(total > 0, total, 1.0), share)
    return (1 - mutation) * share + mutation / share.shape[-1]


def two_population_step(
    sender: Array, receiver: Array, prior: Array, signals: int, background: Any = 0.0, mutation: Any = 0.0
) -> tuple[Array, Array]:
    """Populations of pure senders `[k**n]` and of pure receivers `[n**k]`, both updated from what the other was.

    Args: `prior`, `signals`: see `strategy_payoffs`; `background`, `mutation`: see `grown`.
    """
    earned = strategy_payoffs(prior, signals, sender, receiver)
    return grown(sender, earned[0], background, mutation), grown(receiver, earned[1], background, mutation)


def one_population_step(share: Array, prior: Array, signals: int, background: Any = 0.0, mutation: Any = 0.0) -> Array:
    """A population `[k**n, n**k]` of pairs of a sender's and a receiver's strategy, each playing both roles alike.

    Payoff is the mean over the roles, so that a signalling system earns 1. Other arguments as for two populations.
    """
    speaking, acting = strategy_payoffs(prior, signals, share.sum(1), share.sum(0))
    earned = (speaking[:, None] + acting) / 2
    return grown(share.ravel(), earned.ravel(), background, mutation).reshape(share.shape)


def behavioural_step(
    sender: Array, receiver: Array, prior: Array, background: Any = 0.0, mutation: Any = 0.0
) -> tuple[Array, Array]:
    """A mixed choice at each information set: of a signal in each state `[n, k]`, of an act after each signal `[k, n]`.

    A choice earns what it adds to the expected payoff, weighted by how often its information set is reached.
    """
    return (
        grown(sender, prior[:, None] * receiver.T, background, mutation),
        grown(receiver, (prior[:, None] * sender).T, background, mutation),
    )


def replicator_flow(sender: Any, receiver: Any, prior: Any, signals: int, time: Any, steps: int) -> tuple[Array, Array]:
    """Two populations after some time of the continuous replicator dynamics x' = x (f - mean f).

    Args: as for `two_population_step`; `time`, at least 0; `steps` of the classical Runge-Kutta method, about 20 for a
      unit of time.
    Source: Hofbauer & Huttegger 2008 for the dynamics.
    """
    steps = whole("steps", steps, 1)
    length = jnp.asarray(time, float) / steps

    def speed(at: tuple[Array, Array]) -> list[Array]:
        earned = strategy_payoffs(prior, signals, *at)
        return [x * (f - x @ f) for x, f in zip(at, earned, strict=True)]

    def moved(at: tuple[Array, Array], slope: list[Array], part: float) -> tuple[Array, Array]:
        return at[0] + part * length * slope[0], at[1] + part * length * slope[1]

    def onward(_: Any, at: tuple[Array, Array]) -> tuple[Array, Array]:
        first = speed(at)
        second = speed(moved(at, first, 0.5))
        third = speed(moved(at, second, 0.5))
        fourth = speed(moved(at, third, 1.0))
        mean = [(a + 2 * b + 2 * c + d) / 6 for a, b, c, d in zip(first, second, third, fourth, strict=True)]
        return moved(at, mean, 1.0)

    start = inputs.distributions("sender", sender), inputs.distributions("receiver", receiver)
    return jax.lax.fori_loop(0, steps, onward, start)


def uniform_on_simplex(key: Array, shape: tuple[int, ...]) -> Array:
    """Random points, uniform on the simplex along the last axis."""
    drawn = jax.random.exponential(key, shape)
    return drawn / drawn.sum(-1, keepdims=True)
