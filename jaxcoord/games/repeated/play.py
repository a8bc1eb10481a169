"""Matches of repeated games: every pair of automata at once, in one compiled loop over turns.

Moves are kept as bits, 32 turns to a word, and counted afterwards, so that a round costs two look-ups a player.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxcoord import random
from jaxcoord.errors import ParameterError
from jaxcoord.games.repeated.automaton import Automaton

Array = jax.Array


class Tables(NamedTuple):
    """Several automata in one: the states of all of them, one after the other."""

    cooperate: Array
    """`[Q]` float32, over the states of all."""
    after: Array
    """`[4 Q]` int32: the next state after outcome o in state q stands at 4 q + o; states are numbered over all."""
    first: np.ndarray
    """`[S]`: the state in which each automaton begins."""


def stack(automata: Sequence[Automaton]) -> Tables:
    """Several automata as one table."""
    sizes = [len(one.cooperate) for one in automata]
    first = np.cumsum([0, *sizes[:-1]])
    after = np.concatenate([one.after + start for one, start in zip(automata, first, strict=True)])
    cooperate = np.concatenate([one.cooperate for one in automata])
    return Tables(jnp.asarray(cooperate, jnp.float32), jnp.asarray(after.ravel(), jnp.int32), first)


class Moves(NamedTuple):
    """What two players did, a bit for each turn, 1 for C: turn t is bit t % 32 of word t // 32."""

    own: Array
    """`[..., W]` uint32."""
    other: Array
    """`[..., W]` uint32."""


@partial(jax.jit, static_argnames=("turns", "noisy", "misread"))
def matches(
    tables: Tables, one: Array, other: Array, seed: tuple[Array, Array], noise: Any, perception: Any,
    *, turns: int, noisy: bool, misread: bool,
) -> Moves:  # fmt: skip
    """Play one match for each entry of `one` and `other`.

    Args:
      tables: the automata.
      one, other: `[M]` int32, first states of the two players of each match.
      seed: two arrays `[M]` uint32, as of `random.seeds`, for each match.
      noise: probability that a move is not what was meant; both see what was done.
      perception: probability that a player sees the other's move wrong; read where `misread`.
      turns: rounds.
      noisy: whether chance is needed at all; without it moves are certain and no random word is drawn.
      misread: whether perception errors happen.
    Returns: the moves, `[M, W]` words each.
    """
    draws = 4 if misread else 2

    def move(state, word):
        chance = tables.cooperate[state]
        if not noisy:
            return (chance > 0.5).astype(jnp.uint32)
        return (random.probability(word) < chance + noise * (1 - 2 * chance)).astype(jnp.uint32)

    def turn(number, carry):
        a, b, own, theirs = carry
        first = jnp.asarray(number, jnp.uint32) * jnp.uint32(draws)
        words = [random.words(seed, first + jnp.uint32(i)) if noisy else jnp.uint32(0) for i in range(draws)]
        x, y = move(a, words[0]), move(b, words[1])
        bit = jnp.asarray(number, jnp.uint32) % 32
        own, theirs = own | (x << bit), theirs | (y << bit)
        seen_y, seen_x = y, x
        if misread:
            seen_y = y ^ (random.probability(words[2]) < perception)
            seen_x = x ^ (random.probability(words[3]) < perception)
        a = tables.after[4 * a + (3 - 2 * x - seen_y).astype(jnp.int32)]
        b = tables.after[4 * b + (3 - 2 * y - seen_x).astype(jnp.int32)]
        return a, b, own, theirs

    def word(carry, number):
        a, b = carry
        nothing = jnp.zeros(one.shape, jnp.uint32)
        start = 32 * number
        a, b, own, theirs = jax.lax.fori_loop(start, jnp.minimum(start + 32, turns), turn, (a, b, nothing, nothing))
        return (a, b), (own, theirs)

    _, (own, theirs) = jax.lax.scan(word, (one, other), jnp.arange(-(-turns // 32)))
    return Moves(own.T, theirs.T)


def unpack(words: Any, turns: int) -> np.ndarray:
    """`[..., turns]` bool: whether each move was C, from words of `Moves`."""
    words = np.asarray(words)
    bits = words[..., :, None] >> np.arange(32, dtype=np.uint32) & 1
    return bits.reshape(*words.shape[:-1], -1)[..., :turns].astype(bool)


class Counts(NamedTuple):
    """What happened in a match, by outcome: CC, CD, DC, DD, one's own move first."""

    outcomes: Array
    """`[..., 4]` int32: rounds."""
    followed: Array
    """`[..., 4]` int32: rounds that another one followed."""
    cooperated: Array
    """`[..., 4, 2]` int32: of those, how often one cooperated in the next round, and how often the other did."""


def count(moves: Moves, turns: Any) -> Counts:
    """Count the outcomes of matches, and what followed them.

    Args: `moves` as of `matches`, `[..., W]` words each; `turns`, rounds that count: one number, or one for each match.
    """
    start = 32 * jnp.arange(moves.own.shape[-1])
    turns = jnp.asarray(turns)[..., None]
    played, followed = (_low_bits(jnp.clip(last - start, 0, 32)) for last in (turns, turns - 1))

    def next_moves(words):
        ahead = jnp.concatenate([words[..., 1:], jnp.zeros_like(words[..., :1])], -1)
        return (words >> 1) | (ahead << 31)

    def total(bits):
        return jax.lax.population_count(bits).astype(jnp.int32).sum(-1)

    x, y = moves
    outcomes = (x & y, x & ~y, ~x & y, ~x & ~y)
    then = [next_moves(words) for words in moves]
    return Counts(
        jnp.stack([total(o & played) for o in outcomes], -1),
        jnp.stack([total(o & followed) for o in outcomes], -1),
        jnp.stack([jnp.stack([total(o & followed & words) for words in then], -1) for o in outcomes], -2),
    )


def _low_bits(number: Array) -> Array:
    # Words whose lowest `number` bits are set, for 0 to 32.
    below = (jnp.uint32(1) << jnp.minimum(number, 31).astype(jnp.uint32)) - 1
    return jnp.where(number >= 32, jnp.uint32(0xFFFFFFFF), below)


def checked_turns(turns: int) -> int:
    """A whole number of at least one round. Raises: ParameterError otherwise."""
    return whole("turns", turns, "round")


def whole(name: str, value: Any, unit: str) -> int:
    """A whole number of at least one. Raises: ParameterError otherwise."""
    number = not isinstance(value, bool | str) and np.ndim(value) == 0 and np.asarray(value).dtype.kind in "iuf"
    if not number or not np.isfinite(value) or value != int(value) or value < 1:
        raise ParameterError(f"{name} = {value!r}: at least 1 {unit} is needed, a whole number")
    return int(value)
