"""Keys and random words: counter-based, so that nothing depends on what ran before or beside a population."""

from __future__ import annotations

import jax
import jax.numpy as jnp

Array = jax.Array


def population_key(seed: int | Array, point: int | Array, replicate: int | Array) -> Array:
    """The key of one population: `fold_in(fold_in(key(seed), point), replicate)`."""
    return jax.random.fold_in(jax.random.fold_in(jax.random.key(seed, impl="threefry2x32"), point), replicate)


def step_key(key: Array, step: int | Array) -> Array:
    """The key of one step of a population. Step 0 draws the initial state; step t leads from t - 1 to t."""
    return jax.random.fold_in(key, step)


def seeds(key: Array) -> tuple[Array, Array]:
    """Two words `uint32` that seed the stream of `words`, drawn once from a key."""
    pair = jax.random.bits(key, (2,), jnp.uint32)
    return pair[0], pair[1]


def words(seed: tuple[Array, Array], counter: Array) -> Array:
    """Random words `uint32` by hashing a counter: some twenty times cheaper than Threefry on a CPU.

    A Weyl sequence (Knuth's golden-ratio increment) goes twice through a 32-bit avalanche function of two multiplies
    and three xor-shifts, the second time with another half of the seed. The stream is for the many small draws within
    one step: a fresh seed comes from the step's key, so the period of 2**32 is never walked far.

    Args:
      seed: the pair of `seeds`, of any shape.
      counter: `uint32` of a shape that broadcasts with the seed; a counter is used once per seed.
    Returns: `uint32` of the broadcast shape.
    The seeds must be random, as `seeds` makes them: words of hand-made neighbouring second seeds are correlated.
    Source: multipliers of Wellons 2018, Hash function prospector (lowbias32); construction after SplitMix
      (Steele, Lea & Flood 2014). Tested for uniformity and independence in tests/test_random.py.
    """
    mixed = _avalanche(seed[0] + counter * jnp.uint32(0x9E3779B9))
    return _avalanche(mixed ^ seed[1])


def _avalanche(x: Array) -> Array:
    x = (x ^ (x >> 16)) * jnp.uint32(0x7FEB352D)
    x = (x ^ (x >> 15)) * jnp.uint32(0x846CA68B)
    return x ^ (x >> 16)


def index_below(word: Array, size: Array) -> Array:
    """A word as a uniform index 0..size-1, `uint32`: the high half of word times size.

    Each index has `2**32 / size` words, rounded up or down; by way of a float32 it would have `2**24 / size`.
    Source: Lemire 2019, without the rejection step.
    """
    return jax.lax.mulhi(word, size)


def probability(word: Array) -> Array:
    """A word as a uniform number in [0, 1), in steps of 2**-32 near 0: to compare with a small probability."""
    return jnp.minimum(word.astype(jnp.float32) * jnp.float32(2.0**-32), jnp.float32(1 - 2.0**-24))
