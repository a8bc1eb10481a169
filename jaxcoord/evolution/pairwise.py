"""Pairwise comparison in a finite well-mixed population: the Fermi rule with mutation.

One event draws a focal and a model individual; the focal copies the model with a probability that grows with the
difference of their payoffs, or mutates. The state is the number of individuals of each strategy, so that an event
costs the same at any population size.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax.custom_batching import custom_vmap

from jaxcoord import random
from jaxcoord.evolution.imitation import pairwise_copying
from jaxcoord.evolution.mutation import uniform_mutation
from jaxcoord.evolution.process import EventProcess
from jaxcoord.games import MatrixGame
from jaxcoord.model import param

Array = jax.Array
UNROLLED_STRATEGIES = 12  # up to here payoffs are summed term by term; beyond, compiling S**2 terms takes too long


def fermi(difference: Any, beta: Any) -> Array:
    """Probability 1 / (1 + exp(-beta * difference)) that the focal copies a model who earns `difference` more.

    Args: both broadcast; `beta` is the selection intensity in 1 / payoff, 0 is a coin toss.
    Source: Blume 1993; Szabo & Toke 1998; Traulsen, Nowak & Pacheco 2006, eq. 1.
    """
    return jax.nn.sigmoid(jnp.asarray(beta * difference))


def _index(weights: list[Array], target: Array) -> Array:
    # How many cumulative weights do not exceed the target: the index drawn in proportion to integer weights.
    cumulative, index = weights[0], (target >= weights[0]).astype(jnp.int32)
    for weight in weights[1:-1]:
        cumulative = cumulative + weight
        index = index + (target >= cumulative)
    return index


def _payoff_gain(counts: Array, payoff: Array, model: Array, focal: Array) -> Array:
    # Z - 1 times the payoff of the model less that of the focal.
    size = counts.shape[0]
    if size <= UNROLLED_STRATEGIES:
        each = [sum(payoff[s, j] * counts[j] for j in range(size)) - payoff[s, s] for s in range(size)]
        gains = [each[s] * ((model == s).astype(jnp.float32) - (focal == s)) for s in range(size)]
        return sum(gains[1:], gains[0])
    rows = jnp.arange(size).reshape((size,) + (1,) * focal.ndim)
    diagonal = jnp.stack([payoff[s, s] for s in range(size)])
    terms = sum(payoff[:, j] * counts[j] for j in range(size)) - diagonal
    return (terms * ((rows == model).astype(jnp.float32) - (rows == focal))).sum(0)


def _event(
    counts: Array, payoff: Array, beta: Array, mu: Array, seed: tuple[Array, Array], event: Array
) -> tuple[Array, Array]:
    """The strategy that one event takes an individual from, and the one that it gives it."""
    size = counts.shape[0]
    if size == 1:
        only = jnp.zeros(counts.shape[1:], jnp.int32)
        return only, only
    each = [counts[s] for s in range(size)]
    total = sum(each[1:], each[0])
    first = jnp.uint32(3) * event.astype(jnp.uint32)
    who, whom = random.words(seed, first), random.words(seed, first + 1)
    coin = random.probability(random.words(seed, first + 2))

    def drawn(word: Array, options: Array) -> Array:
        return random.index_below(word, options.astype(jnp.uint32)).astype(jnp.float32)

    focal = _index(each, drawn(who, total))
    model = _index([each[s] - (focal == s) for s in range(size)], drawn(whom, total - 1))
    copies = fermi(_payoff_gain(counts, payoff, model, focal) / (total - 1), beta)
    mutant = random.index_below(whom, jnp.full_like(whom, size - 1)).astype(jnp.int32)
    mutant = mutant + (mutant >= focal)
    # One coin decides both: below mu a mutation, below mu + (1 - mu) p a copy.
    return focal, jnp.where(coin < mu, mutant, jnp.where(coin < mu + (1 - mu) * copies, model, focal))


def _move(counts: Array, source: Array, target: Array) -> Array:
    rows = jnp.arange(counts.shape[0]).reshape((counts.shape[0],) + (1,) * source.ndim)
    return counts - (rows == source) + (rows == target)


def _events(counts: Array, payoff: Array, beta: Array, mu: Array, seed0: Array, seed1: Array, number: Array) -> Array:
    """Events one after the other. Populations, if any, are on the LAST axis of every argument.

    The loop carries a move and makes it at the start of the next event: so the compiler computes each choice once.
    Were the counts alone carried, it would compute the whole event again for every strategy's row.
    """

    def body(event, carry):
        counts = _move(*carry)
        source, target = _event(counts, payoff, beta, mu, (seed0, seed1), event)
        return counts, source, target

    nowhere = jnp.zeros(counts.shape[1:], jnp.int32)
    moved = jax.lax.fori_loop(0, number, body, (counts.astype(jnp.float32), nowhere, nowhere))
    return _move(*moved).astype(counts.dtype)


_events_batched: Any = custom_vmap(_events)


@_events_batched.def_vmap
def _batch_last(axis_size, batched, counts, payoff, beta, mu, seed0, seed1, number):
    # `[P, S]` puts S, a handful, on the axis that vector units run along; `[S, P]` is some ten times faster on a CPU.
    def last(array, is_batched):
        array = array if is_batched else jnp.broadcast_to(array, (axis_size, *array.shape))
        return jnp.moveaxis(array, 0, -1)

    if batched[-1]:
        raise ValueError("pairwise_events: the number of events is shared by all populations of a batch")
    arrays = (counts, payoff, beta, mu, seed0, seed1)
    counts, payoff, beta, mu, seed0, seed1 = map(last, arrays, batched[:-1])
    return jnp.moveaxis(_events(counts, payoff, beta, mu, seed0, seed1, number), -1, 0), True


def pairwise_events(counts: Array, payoff: Array, beta: Any, mu: Any, key: Array, events: int) -> Array:
    """A number of pairwise-comparison events, one after the other.

    Args:
      counts: `[S]` int32, individuals of each strategy; their sum Z, at least 2 and below 2**24, does not change.
      payoff: `[S, S]`, payoff of the row against the column strategy.
      beta: selection intensity, 1 / payoff, at least 0.
      mu: probability that the focal mutates, to another strategy chosen uniformly, instead of comparing.
      key: the random key of these events.
      events: how many.
    Returns: `[S]` int32, the counts afterwards.
    Source: Traulsen, Nowak & Pacheco 2006; Traulsen, Pacheco & Nowak 2007; mutation as in EGTtools (Fernandez Domingos,
      Santos & Lenaerts 2023).
    """
    seed0, seed1 = random.seeds(key)
    beta, mu = jnp.asarray(beta, jnp.float32), jnp.asarray(mu, jnp.float32)
    return _events_batched(counts, payoff.astype(jnp.float32), beta, mu, seed0, seed1, jnp.int32(events))


class PairwiseComparison(EventProcess):
    """Fermi pairwise comparison with mutation in a finite well-mixed population; one step is `events` events.

    A focal individual mutates with probability mu; otherwise it draws another one and copies it with the Fermi
    probability of their difference of payoff.
    Source: Traulsen, Nowak & Pacheco 2006 (Phys Rev E 74:011909).
    """

    beta: float = param(1.0, doc="selection intensity of the Fermi rule", unit="1/payoff", low=0)

    mutants_are_offspring = False

    def copying(self, counts: Array) -> Array:
        earned = self.game.payoffs_among(counts)
        return pairwise_copying(counts, fermi(earned[None, :] - earned[:, None], self.beta))

    def log_ratio(self, mutant: Array, resident: Array) -> Array:
        return self.beta * (resident - mutant)

    def step(self, state: Array, key: Array) -> Array:
        """`[S]` int32: the counts after `events` events; of a matrix game by the faster `pairwise_events`."""
        if isinstance(self.game, MatrixGame) and isinstance(self.kernel, uniform_mutation):
            return pairwise_events(state, self.game.payoff(), self.beta, self.mu, key, self.events)
        return super().step(state, key)
