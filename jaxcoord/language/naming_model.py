"""A population that plays the naming game: pairs drawn at random, until all have one and the same word."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxcoord import random
from jaxcoord.language import naming
from jaxcoord.model import Model, observable, param, static

Array = jax.Array


class NamingState(NamedTuple):
    """A naming game and its course so far; times are numbers of interactions."""

    names: naming.Names
    """Who has which words."""
    time: Array
    """`[]` int32: interactions until consensus, or so far."""
    most: Array
    """`[]` int32: the most words that all agents together have had."""
    time_of_most: Array
    """`[]` int32: when they first had so many."""
    most_distinct: Array
    """`[]` int32: the most different words that there have been."""
    successes: Array
    """`[]` int32: successes in the last step."""


def consensus(names: naming.Names) -> Array:
    """Whether every agent has the same single word."""
    return (names.distinct == 1) & (names.total == len(names.size))


class NamingGame(Model):
    """The minimal naming game: ordered random pairs, an empty start, one object.

    A step is `events` interactions. With beta = 1 all times grow as N^(3/2), and below beta = 1/3 a large population
    never agrees. An agent has room for `room` words; what finds none is not learned and counted in `dropped`.
    Source: Baronchelli et al. 2006; Baronchelli et al. 2007 for beta.
    """

    beta: float = param(1.0, doc="probability that two who share a word forget the others", low=0, high=1)
    size: int = static(100, doc="N, agents", unit="individuals", low=2, high=2**15)
    room: int = static(0, doc="words that an agent can have; 0: N - 1, always enough", unit="words", low=0)
    events: int = static(100, doc="interactions of a step", unit="interactions", low=1)

    words = observable(doc="words of all agents together", unit="words")
    distinct = observable(doc="different words", unit="words")
    success = observable(doc="share of the last step's hearers who knew the word")
    consensus = observable(doc="1 where every agent has the same single word, else 0")
    time = observable(doc="interactions until consensus, or so far", unit="interactions")
    most_words = observable(doc="largest number of words so far", unit="words")
    time_of_most = observable(doc="interactions until there were most words", unit="interactions")
    most_distinct = observable(doc="largest number of different words so far", unit="words")
    dropped = observable(doc="words that were not learned for want of room", unit="words")

    def init(self, key: Array) -> NamingState:
        """Nobody has a word."""
        none = jnp.zeros((), jnp.int32)
        room = self.size - 1
        names = naming.empty_names(self.size, min(self.room, room) if self.room else room)
        return NamingState(names, none, none, none, none, none)

    def step(self, state: NamingState, key: Array) -> NamingState:
        words = random.words(random.seeds(key), jnp.arange(4 * self.events, dtype=jnp.uint32)).reshape(-1, 4)
        speakers = random.index_below(words[:, 0], jnp.uint32(self.size)).astype(jnp.int32)
        hearers = random.index_below(words[:, 1], jnp.uint32(self.size - 1)).astype(jnp.int32)
        hearers = hearers + (hearers >= speakers)
        agrees = random.probability(words[:, 3]) < self.beta

        def one(i: Array, state: NamingState) -> NamingState:
            names, speaker = state.names, speakers[i]
            size = names.size[speaker]
            chosen = random.index_below(words[i, 2], jnp.maximum(size, 1).astype(jnp.uint32)).astype(jnp.int32)
            word = jnp.where(size == 0, speaker, names.words[speaker, chosen])
            time = state.time + ~consensus(names)
            names = naming.interact(names, speaker, hearers[i], word, agrees[i])
            return NamingState(
                names,
                time,
                jnp.maximum(state.most, names.total),
                jnp.where(names.total > state.most, time, state.time_of_most),
                jnp.maximum(state.most_distinct, names.distinct),
                state.successes + names.success,
            )

        return jax.lax.fori_loop(0, self.events, one, state._replace(successes=jnp.zeros((), jnp.int32)))

    def observe(self, state: NamingState) -> dict[str, Array]:
        return {
            "words": state.names.total,
            "distinct": state.names.distinct,
            "success": state.successes / jnp.float32(self.events),
            "consensus": consensus(state.names).astype(jnp.float32),
            "time": state.time,
            "most_words": state.most,
            "time_of_most": state.time_of_most,
            "most_distinct": state.most_distinct,
            "dropped": state.names.dropped,
        }

    @property
    def agents(self) -> int:
        """Two agents take part in each interaction."""
        return 2 * self.events
