"""Whether frequent meanings have short messages: the best code, and the law of abbreviation.

Pure, for one distribution of N inputs; `jax.vmap` makes a batch.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxcoord.errors import ParameterError
from jaxcoord.language import inputs
from jaxcoord.language.correlation import kendall, spearman
from jaxcoord.language.information import entropy

Array = jax.Array


def power_law(inputs: int, exponent: Any) -> Array:
    """`[N]`: p(r) = r^-s / Z of ranks r = 1..N, s the exponent (0 is uniform, 1 Zipf's law); `inputs` is static."""
    weight = jnp.arange(1, inputs + 1.0) ** -jnp.asarray(exponent, float)
    return weight / weight.sum()


def shortest_lengths(inputs: int, symbols: int) -> np.ndarray:
    """`[N]`: lengths of the N shortest different strings of k symbols, in order; there are k^l of length l.

    Raises: ParameterError where `symbols` is below 1.
    """
    if symbols < 1:
        raise ParameterError(f"symbols = {symbols}: at least 1 besides the terminator is needed")
    lengths: list[int] = []
    while len(lengths) < inputs:
        length = lengths[-1] + 1 if lengths else 0
        lengths += [length] * min(symbols**length, inputs - len(lengths))
    return np.array(lengths)


class OptimalCode(NamedTuple):
    """The shortest code for a distribution (see `optimal_code`)."""

    entropy: Array
    """`[]`: H of the inputs, bits."""
    mean_length: Array
    """`[]`: symbols a message, the terminator not counted."""
    uniform_mean_length: Array
    """`[]`: the same where all inputs are equally frequent."""
    max_length: Array
    """`[]` int32: symbols of the longest message."""
    huffman_bits: Array
    """`[]`: mean length of the best binary code whose messages need no terminator, bits."""


def optimal_code(probabilities: Any, symbols: int) -> OptimalCode:
    """The code without homonyms of least mean length: shortest strings to the most frequent inputs, one of them empty.

    Args:
      probabilities: `[N]`, frequencies, at least 0; normalised here.
      symbols: k = K - 1, static, the terminator not counted.
    Returns: an `OptimalCode`.
    Raises: ParameterError where `symbols` is below 1, or the frequencies are no weights.
    Source: Alon & Orlitsky 1994, IEEE Trans. Inf. Theory 40:1646 (one-to-one codes); Huffman 1952.
    """
    weight = inputs.weights("probabilities", probabilities)
    share = jnp.sort(weight / weight.sum(), descending=True)
    lengths = shortest_lengths(share.shape[0], symbols)
    return OptimalCode(
        entropy(share), (share * lengths).sum(), jnp.asarray(lengths.mean()), jnp.asarray(lengths.max(), jnp.int32),
        _huffman(share),
    )  # fmt: skip


def _huffman(share: Array) -> Array:
    """Every merger of the two rarest lengthens what is in it by a bit."""

    def merge(nodes: Array, _: None) -> tuple[Array, Array]:
        least = jnp.argmin(nodes)
        rest = nodes.at[least].set(jnp.inf)
        other = jnp.argmin(rest)
        both = nodes[least] + rest[other]
        return rest.at[other].set(both), both

    return jax.lax.scan(merge, share, length=share.shape[0] - 1)[1].sum()


class LengthLaw(NamedTuple):
    """How message lengths follow frequencies (see `length_law`)."""

    spearman: Array
    """`[]`: rank correlation of frequency and length; below 0 frequent inputs are short."""
    kendall: Array
    """`[]`: the same, Kendall's tau-b."""
    mean_length: Array
    """`[]`: sum p |m|, symbols."""
    random_mean_length: Array
    """`[]`: its mean when the same lengths are dealt out at random."""
    best_mean_length: Array
    """`[]`: the shortest to the most frequent."""
    worst_mean_length: Array
    """`[]`: the longest to the most frequent."""


def length_law(probabilities: Any, lengths: Any) -> LengthLaw:
    """Zipf's law of abbreviation: are the messages of frequent inputs short, or, anti-efficiently, long?

    Args:
      probabilities: `[N]`, frequencies, at least 0; normalised here.
      lengths: `[N]`, symbols of each message.
    Returns: a `LengthLaw`; the correlations are NaN where all frequencies or all lengths are equal.
    Raises: ParameterError where the frequencies are no weights, or lengths are not as many.
    Source: Zipf 1949; Chaabouni et al. 2019, NeurIPS (anti-efficient codes).
    """
    weight, lengths = inputs.weights("probabilities", probabilities), inputs.numbers("lengths", lengths, "N")
    inputs.same_length("lengths", lengths, "probabilities", weight)
    share = weight / weight.sum()
    frequent, short = jnp.sort(share, descending=True), jnp.sort(lengths)
    return LengthLaw(
        spearman(weight, lengths), kendall(weight, lengths), (share * lengths).sum(), lengths.mean(),
        (frequent * short).sum(), (frequent * short[::-1]).sum(),
    )  # fmt: skip
