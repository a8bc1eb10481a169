"""Channels: what happens to symbols and vectors between speaker and listener, and how many bits can get through.

A message is a row of whole numbers; symbol 0 ends it, and what follows the first 0 does not count. With K symbols in
the vocabulary, K - 1 can carry something. A vector without noise or quantiser would carry any number of bits, so the
capacity of one is always stated with its noise or its code.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxcoord.errors import ParameterError
from jaxcoord.language import inputs
from jaxcoord.language.information import contents, mask, message_length
from jaxcoord.networks.graph import whole

Array = jax.Array
ROUNDS = 20_000  # of the search for a capacity; it stops before, where its bounds meet
COMMITMENT = 0.25
LEAST_NOISE = 1e-30  # of a channel whose capacity is still a number in float32

# Messages


def cap(messages: Any, positions: Any) -> Array:
    """Messages `[..., L]` cut after so many positions; the cut needs no terminator and may be traced."""
    messages = jnp.asarray(messages)
    return jnp.where(jnp.arange(messages.shape[-1]) < positions, messages, 0)


def length_cost(messages: Any, cost: Any) -> Array:
    """`[...]`: what a message costs its speaker, so much for each symbol before the first 0."""
    return cost * message_length(messages).astype(float)


def energy_cost(vectors: Any, cost: Any) -> Array:
    """`[...]`: what a vector `[..., D]` costs its speaker, cost times its squared length."""
    return cost * (jnp.asarray(vectors, float) ** 2).sum(-1)


# Noise


def symmetric_noise(key: Array, messages: Any, vocabulary: int, error: Any) -> Array:
    """Each symbol but 0 comes out, with probability `error`, as another one but 0, all of those alike.

    Args:
      messages: `[..., L]` whole numbers, 0 to `vocabulary` - 1; the terminator and what follows stay.
      vocabulary: K, at least 3: two symbols beside the terminator, so that there is another.
      error: probability, 0 to 1; may be traced.
    Returns: `[..., L]` int32.
    """
    vocabulary = whole("vocabulary", vocabulary, 3)
    error = inputs.probability("error", error)
    messages = contents(jnp.asarray(messages, jnp.int32))  # narrower types would wrap around
    coin, other = jax.random.uniform(key, (2, *messages.shape))
    # One of the K - 2 others: a shift by 1..K-2 among the symbols 1..K-1.
    shift = 1 + jnp.minimum((other * (vocabulary - 2)).astype(messages.dtype), vocabulary - 3)
    replaced = (messages - 1 + shift) % (vocabulary - 1) + 1
    return jnp.where((messages != 0) & (coin < error), replaced, messages)


def erasure_noise(key: Array, messages: Any, erased: int, error: Any) -> Array:
    """Each symbol but 0 comes out, with probability `error`, as the reserved symbol `erased`.

    Args: as for `symmetric_noise`; `erased`, at least 1, is no symbol of the speaker's. Returns: `[..., L]`.
    """
    erased = whole("erased", erased, 1)
    error = inputs.probability("error", error)
    messages = contents(messages)
    lost = jax.random.uniform(key, messages.shape) < error
    return jnp.where((messages != 0) & lost, jnp.asarray(erased, messages.dtype), messages)


def deletion_places(key: Array, messages: Any, lost: Any) -> Array:
    """`[..., L]` int32: where each symbol stands when some before the first 0 are lost and what follows closes up.

    Args: `messages` `[..., L]`; `lost`, probability that a symbol is lost, may be traced.
    Returns: -1 for a symbol that is lost; the terminator and what follows it never are.
    """
    lost = inputs.probability("lost", lost)
    messages = jnp.asarray(messages)
    stays = ~(mask(messages) & (jax.random.uniform(key, messages.shape) < lost))
    return jnp.where(stays, jnp.cumsum(stays, -1, dtype=jnp.int32) - 1, -1)


def moved(symbols: Array, places: Array) -> Array:
    """`[..., L, K]`: one-hot symbols, or weights, at their new places; the terminator where nothing stands.

    Args: `symbols` `[..., L, K]`; `places` `[..., L]` of `deletion_places`.
    """
    number = symbols.shape[-2]
    at = (places[..., None] == jnp.arange(number)).astype(symbols.dtype)
    empty = 1 - at.sum(-2)
    ends = jax.nn.one_hot(0, symbols.shape[-1], dtype=symbols.dtype)
    return jnp.einsum("...lm,...lk->...mk", at, symbols) + empty[..., None] * ends


def closed_up(messages: Any, places: Array) -> Array:
    """`[..., L]`: messages whose symbols stand at their places, 0 after them. Args: as for `moved`."""
    messages = jnp.asarray(messages)
    at = places[..., None] == jnp.arange(messages.shape[-1])
    return contents(jnp.where(at, messages[..., None], 0).sum(-2, dtype=messages.dtype))


def vector_noise(key: Array, vectors: Any, deviation: Any) -> Array:
    """Vectors `[..., D]` plus independent normal noise of the given standard deviation."""
    vectors = jnp.asarray(vectors, float)
    return vectors + deviation * jax.random.normal(key, vectors.shape, vectors.dtype)


# Transition matrices and what gets through


class SymmetricChannel(NamedTuple):
    """What a channel of q symbols with independent errors lets through, for symmetric errors and for erasures."""

    capacity: Array
    """Bits a symbol where a wrong symbol looks like any other."""
    erasure_capacity: Array
    """Bits a symbol where an error shows."""
    repetition: Array
    """Probability that the majority of three copies is right; of three that differ one is taken at random."""
    pair: Array
    """Probability that both symbols of a message of two arrive."""


def symmetric_matrix(symbols: int, error: Any) -> Array:
    """`[q, q]`: from the row's to the column's symbol; with probability `error` to one of the others, all alike."""
    symbols = whole("symbols", symbols, 2)
    error = inputs.probability("error", error)
    return jnp.where(jnp.eye(symbols, dtype=bool), 1 - error, error / (symbols - 1))


def erasure_matrix(symbols: int, error: Any) -> Array:
    """`[q, q+1]`: as `symmetric_matrix`, but an error leads to the last column, which stands for nothing heard."""
    symbols = whole("symbols", symbols, 1)
    error = inputs.probability("error", error)
    return jnp.concatenate([(1 - error) * jnp.eye(symbols), jnp.full((symbols, 1), error)], 1)


def _entropy(probabilities: Array) -> Array:
    # In bits, over the last axis; 0 log 0 is 0, in the derivative too.
    safe = jnp.where(probabilities > 0, probabilities, 1.0)
    return -(probabilities * jnp.log2(safe)).sum(-1)


def symmetric_channel(symbols: int, error: Any) -> SymmetricChannel:
    """Capacities log2 q - H2(e) - e log2(q - 1) and (1 - e) log2 q, and how often simple codes get through.

    Args: `symbols` q, at least 2; `error` e, 0 to 1.
    Source: Cover & Thomas 2006, sections 7.1 and 7.2.
    """
    symbols = whole("symbols", symbols, 2)
    error = inputs.probability("error", error)
    right, two = 1 - error, jnp.stack([error, 1 - error], -1)
    # Two wrong copies differ from one another with probability (q - 2) / (q - 1), and then one of three is guessed.
    differ = right * error**2 * (symbols - 2) / (symbols - 1)
    return SymmetricChannel(
        np.log2(symbols) - _entropy(two) - error * np.log2(symbols - 1),
        right * np.log2(symbols),
        right**3 + 3 * right**2 * error + differ,
        right**2,
    )


def channel_capacity(transition: Any, tolerance: float = 1e-7) -> tuple[Array, Array]:
    """The capacity of a channel in bits, and how often each input is used to reach it.

    p(x) <- p(x) 2^D(x) / sum, with D(x) = sum_y W(y|x) log2(W(y|x) / q(y)) and q the outputs' distribution; capacity
    lies between sum_x p(x) D(x) and max_x D(x), and the search ends where these are within the tolerance.

    Args: `transition [X, Y]`, rows of probabilities; `tolerance` in bits, at best 1e-6 in float32.
    Returns: `[]` bits, the lower of the two bounds; `[X]` probabilities.
    Raises: ParameterError where a row does not sum to one.
    Source: Blahut 1972 and Arimoto 1972.
    """
    transition = inputs.distributions("transition", transition, 2)
    known = -_entropy(transition)

    def divergence(share: Array) -> Array:
        seen = share @ transition
        return known - transition @ jnp.log2(jnp.where(seen > 0, seen, 1.0))

    def better(carry: tuple[Array, Array]) -> tuple[Array, Array]:
        share, count = carry
        gain = divergence(share)
        grown = share * jnp.exp2(gain - gain.max())
        return grown / grown.sum(), count + 1

    def goes_on(carry: tuple[Array, Array]) -> Array:
        share, count = carry
        gain = divergence(share)
        return (gain.max() - share @ gain > tolerance) & (count < ROUNDS)

    inputs_ = len(transition)
    share, _ = jax.lax.while_loop(goes_on, better, (jnp.full(inputs_, 1 / inputs_), jnp.zeros((), jnp.int32)))
    return share @ divergence(share), share


def gaussian_capacity(power: Any, noise: Any, dimensions: Any = 1) -> Array:
    """Bits that a vector of D real numbers carries: D/2 log2(1 + P / s^2).

    Args: `power` P, mean square of a number, at least 0; `noise` s, its standard deviation, above 0: without noise the
      capacity has no bound. `dimensions` D.
    Source: Shannon 1948.
    """
    noise = inputs.within("noise", noise, LEAST_NOISE, np.inf, "a standard deviation above 0 is needed")
    power = inputs.within("power", power, 0, np.inf, "a mean square of at least 0 is needed")
    return dimensions / 2 * jnp.log2(1 + power / noise**2)


def quantised_capacity(levels: Any) -> Array:
    """Bits that a quantised vector carries at most: log2 of the number of codes.

    Args: `levels`, the number of code vectors, or `[D]` levels of each coordinate of finite scalar quantisation.
    """
    levels = inputs.within("levels", levels, 1, np.inf, "at least one level is needed")
    return jnp.log2(jnp.atleast_1d(levels)).sum()


# Quantisers


class Quantised(NamedTuple):
    """Vectors brought to the nearest of K code vectors."""

    values: Array
    """`[N, D]`: the code vectors; a derivative passes through them to the vectors unchanged."""
    codes: Array
    """`[N]` int32: which; of equally near ones the first."""
    distance: Array
    """`[]`: mean squared distance, summed over the D numbers."""
    loss: Array
    """`[]`: distance for the code vectors, plus `commitment` times it for the vectors."""
    perplexity: Array
    """`[]`: exp of the entropy (nats) of how often each code is used, 1 to K."""
    usage: Array
    """`[]` int32: codes that are used at all."""


def vector_quantise(vectors: Any, codebook: Any, commitment: Any = COMMITMENT) -> Quantised:
    """The nearest code vectors, with a straight-through derivative and the codebook's loss.

    loss = mean ||sg(z) - e||^2 + commitment mean ||z - sg(e)||^2, where sg stops the derivative.

    Args: `vectors [N, D]`; `codebook [K, D]`; `commitment`, weight of moving the vectors to the codes.
    Raises: ParameterError where the two have different D, or there is no code.
    Source: van den Oord, Vinyals & Kavukcuoglu 2017, eqs. 1 to 3.
    """
    vectors, codebook = jnp.asarray(vectors, float), jnp.asarray(codebook, float)
    if vectors.ndim != 2 or codebook.ndim != 2 or vectors.shape[1] != codebook.shape[1] or not len(codebook):
        raise ParameterError(
            f"codebook: shape {codebook.shape} for vectors {vectors.shape}; [K, D] for [N, D] is needed"
        )
    # The square of each vector is the same for every code and decides nothing.
    codes = ((codebook**2).sum(1) - 2 * vectors @ codebook.T).argmin(1).astype(jnp.int32)
    chosen = codebook[codes]
    apart = lambda a, b: ((a - b) ** 2).sum(1).mean()  # noqa: E731
    stop = jax.lax.stop_gradient
    share = jnp.zeros(len(codebook)).at[codes].add(1.0) / len(vectors)
    return Quantised(
        vectors + stop(chosen - vectors),
        codes,
        apart(vectors, chosen),
        apart(stop(vectors), chosen) + commitment * apart(vectors, stop(chosen)),
        jnp.exp2(_entropy(share)),
        (share > 0).sum(dtype=jnp.int32),
    )


def finite_scalar_quantise(vectors: Any, levels: Sequence[int]) -> tuple[Array, Array]:
    """Each coordinate squeezed into a range and rounded to one of its levels; no codebook has to be learned.

    A coordinate with l levels becomes h tanh(z) with h = (l - 1) / 2, goes to the nearest of the l levels
    -h, -h + 1, ..., h, and is divided by h, so that the levels lie evenly on [-1, 1].

    Args: `vectors [..., D]`; `levels`, l >= 2 for each of the D coordinates.
    Returns: values `[..., D]`, with a straight-through derivative past the rounding; codes `[...]` int32, 0 to
      product of levels - 1, the first coordinate counting fastest.
    Raises: ParameterError where levels do not fit the coordinates or their product passes 2**31 - 1.
    Source: Mentzer, Minnen, Agustsson & Tschannen 2023, with levels that lie evenly about 0 for even l too.
    """
    vectors = jnp.asarray(vectors, float)
    counts = [whole("levels", level, 2) for level in levels]
    if vectors.ndim < 1 or vectors.shape[-1] != len(counts) or not counts:
        raise ParameterError(f"levels: {len(counts)} for vectors {vectors.shape}; one for each coordinate is needed")
    if np.prod(np.asarray(counts, float)) >= 2**31:
        raise ParameterError(
            f"levels: {np.prod(np.asarray(counts, float)):.4g} codes in all; less than 2**31 is needed"
        )
    half = jnp.asarray((np.asarray(counts) - 1) / 2, vectors.dtype)
    bounded = half * jnp.tanh(vectors)
    digits = jnp.round(bounded + half)
    values = bounded + jax.lax.stop_gradient(digits - half - bounded)
    places = np.cumprod([1, *counts[:-1]]).astype(np.int32)
    return values / half, (digits.astype(jnp.int32) * places).sum(-1, dtype=jnp.int32)
