"""NK landscapes: N bits, each of which contributes what it and K random others say, and how good the best of all is.

A solution is an int32 whose bit i is decision i, so that copying is one number and comparing is one word.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxcoord.errors import ParameterError
from jaxcoord.networks.graph import whole

Array = jax.Array
LARGEST = 20  # bits of a landscape whose 2**N solutions are all looked at
ROUGHEST = 15  # others on which a bit may depend: its table has 2**(K+1) entries


class Landscape(NamedTuple):
    """An NK landscape."""

    links: Array
    """`[N, K+1]` int32: the bits that each contribution reads, the bit itself first."""
    table: Array
    """`[N, 2**(K+1)]`: the contributions, at the number whose binary digit j is what link j says."""


def nk_landscape(key: Array, bits: int, interactions: int) -> Landscape:
    """A random landscape: each bit depends on itself and on others drawn at random, its table is uniform on [0, 1).

    Args: `bits` N, 1 to 20; `interactions` K, 0 to N - 1 and at most 15: 0 is smooth, N - 1 pure chance.
    Raises: ParameterError for a number out of range.
    Source: Kauffman & Weinberger 1989.
    """
    bits = whole("bits", bits, 1, LARGEST)
    interactions = whole("interactions", interactions, 0, min(bits - 1, ROUGHEST))
    own = jnp.arange(bits, dtype=jnp.int32)[:, None]
    order = jnp.argsort(jax.random.uniform(jax.random.fold_in(key, 0), (bits, bits - 1)), 1)
    others = order[:, :interactions].astype(jnp.int32)
    links = jnp.concatenate([own, others + (others >= own)], 1)
    return Landscape(links, jax.random.uniform(jax.random.fold_in(key, 1), (bits, 2 ** (interactions + 1))))


def _places(landscape: Landscape, solutions: Array) -> Array:
    # `[N, ...]`: where in its table each contribution of a solution stands.
    links = landscape.links.reshape(landscape.links.shape + (1,) * solutions.ndim)
    said = [((solutions >> links[:, j]) & 1) << j for j in range(links.shape[1])]
    return sum(said[1:], said[0])


def fitness(landscape: Landscape, solutions: Array) -> Array:
    """The mean of the N contributions.

    Args: `solutions [...]` int32. Returns: `[...]`, the same for the same solution to the last bit.
    """
    bits, entries = landscape.table.shape
    first = jnp.arange(bits, dtype=jnp.int32).reshape((bits,) + (1,) * solutions.ndim) * entries
    # Summed over the leading axis, in one order for all: equal solutions must not differ by a rounding.
    parts = jnp.ravel(landscape.table).at[first + _places(landscape, solutions)].get(mode="promise_in_bounds")
    return parts.sum(0) / bits


def _block(landscape: Landscape) -> tuple[Any, int, int]:
    """(fitness of all solutions with given high bits, low bits, high bits)."""
    bits, entries = landscape.table.shape
    low = (bits + 1) // 2
    first = jnp.arange(bits, dtype=jnp.int32)[:, None] * entries
    # Places are sums of what the low and what the high bits say: both are tabled, and one addition makes a place.
    below = first + _places(landscape, jnp.arange(2**low, dtype=jnp.int32))
    above = _places(landscape, jnp.arange(2 ** (bits - low), dtype=jnp.int32) << low)
    table = landscape.table.ravel()

    def block(high):
        return table.at[below + above[:, high, None]].get(mode="promise_in_bounds").sum(0) / bits

    return block, low, bits - low


def global_maximum(landscape: Landscape) -> Array:
    """The largest fitness of all 2**N solutions, by looking at each: 2**20 times N look-ups for N = 20."""
    block, _, high = _block(landscape)
    return jax.lax.fori_loop(0, 2**high, lambda h, best: jnp.maximum(best, block(h).max()), jnp.zeros(()))


def all_fitness(landscape: Landscape) -> Array:
    """`[2**N]`: the fitness of every solution, by its number."""
    block, _, high = _block(landscape)
    return jax.lax.map(block, jnp.arange(2**high)).ravel()


def local_optimum(values: Array, solutions: Array) -> Array:
    """Where steepest ascent by single bits ends.

    Args: `values [2**N]`, of `all_fitness`; `solutions [...]` int32, where to start. Returns: `[...]` int32.
    Raises: ParameterError where `values` is not of a power of two.
    """
    bits = len(values).bit_length() - 1
    if len(values) != 2**bits:
        raise ParameterError(f"values: {len(values)}; the fitness of all 2**N solutions is needed")
    flips = jnp.asarray([0] + [1 << i for i in range(bits)], jnp.int32)

    def climb(carry):
        here, _ = carry
        around = here[..., None] ^ flips
        best = jnp.take_along_axis(around, values[around].argmax(-1)[..., None], -1)[..., 0]
        return best, (best != here).any()

    start = jnp.asarray(solutions, jnp.int32)
    return jax.lax.while_loop(lambda carry: carry[1], climb, (start, jnp.asarray(True)))[0]


def crossover(first: Array, second: Array, word: Array) -> Array:
    """Uniform crossover: each bit from one of two solutions, as the bit of a random word says."""
    mask = word.astype(jnp.int32)
    return (first & mask) | (second & ~mask)


def hamming_diversity(solutions: Array, bits: int) -> Array:
    """The mean share of bits in which two different members differ: 0 for copies, 1/2 for random solutions.

    Args: `solutions [n]` int32, of `bits` bits. Source: the sum over pairs counted bit by bit, O(n N).
    """
    members = len(solutions)
    ones = ((solutions[:, None] >> jnp.arange(bits, dtype=jnp.int32)) & 1).sum(0).astype(float)
    pairs = max(members * (members - 1) / 2, 1.0)
    return (ones * (members - ones)).sum() / (pairs * bits)


def distinct(solutions: Array) -> Array:
    """`[]` int32: how many different solutions there are."""
    ordered = jnp.sort(solutions)
    return (ordered[1:] != ordered[:-1]).sum(dtype=jnp.int32) + 1
