"""Can a reader that learned only the human protocol still understand: 1 as well as it, 0 chance, below 0 misled.

The reader is trained on the human protocol before anything else and frozen. What a reader could learn with new lessons
is another quantity (`jaxcoord.language.probes`). Pure, for one language and one reader; `jax.vmap` makes a batch.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxcoord.errors import ParameterError, nearest
from jaxcoord.language import inputs
from jaxcoord.language.information import contents, entropy, integers, language
from jaxcoord.language.monitoring import wilson_interval

Array = jax.Array
FLOOR = 0.01  # share of the prior in what a reader is held to believe, so that no misreading costs infinitely many bits


class Comprehension(NamedTuple):
    """What a reader makes of one attribute (see `comprehension`)."""

    accuracy: Array
    """`[]`: share of right decisions."""
    chance: Array
    """`[]`: the accuracy that is expected when messages are shuffled against meanings."""
    score: Array
    """`[]`: C_acc, -1 to 1."""
    entropy: Array
    """`[]`: H of the attribute, bits."""
    cross_entropy: Array
    """`[]`: -log2 of the probability that the reader gives to what was meant, bits."""
    score_bits: Array
    """`[]`: C_bits, up to 1; NaN where the attribute does not vary."""
    misled: Array
    """`[]` bool: the 95 % interval of the accuracy lies below chance."""


def comprehension(labels: Any, probabilities: Any, floor: Any = FLOOR) -> Comprehension:
    """Comprehension of one attribute by a frozen reader, which decides for the most probable value.

    C_acc = (a - c) / (1 - c) from chance upward, (a - c) / c below it, 0 if c = 1; a is the accuracy and
    c = sum_v p(v) q(v), q(v) being how often v is decided. Above chance it is Cohen's kappa; guessing is 0.
    C_bits = 1 - CE / H(x), CE = mean of -log2 [(1 - floor) q(x|m) + floor p(x)]; it falls below 0 as soon as the reader
    is more wrong than silent, earlier than C_acc.

    Args:
      labels: `[N]`, the value meant, 0..V-1.
      probabilities: `[N, V]`, of the reader for each value, given the message.
      floor: 0 to 1, share of the prior p mixed in.
    Returns: a `Comprehension`.
    Raises: ParameterError where a label is not below V, or `probabilities` are none: logits need a softmax first.
    Source: Cohen 1960 (kappa); Xu et al. 2020, ICLR (usable information); Wilson 1927 (interval).
    """
    probabilities = inputs.distributions("probabilities", probabilities, 2)
    floor = inputs.probability("floor", floor)
    labels = integers("labels", labels, "N", probabilities.shape[-1])
    inputs.same_length("probabilities", probabilities, "labels", labels)
    meant = jax.nn.one_hot(labels, probabilities.shape[1], dtype=float)
    decided = jnp.argmax(probabilities, axis=1)
    prior = meant.mean(0)
    chance = (prior * jax.nn.one_hot(decided, prior.size, dtype=float).mean(0)).sum()
    right = decided == labels
    # A reader that says nothing is none that guesses: whatever is made of it is undefined.
    accuracy = right.mean() + 0 * probabilities.sum()
    above = accuracy >= chance
    room = jnp.where(above, 1 - chance, chance)
    # Whether chance is 1 is counted, since a sum of shares may miss it by rounding.
    certain = (labels == labels[0]).all() & (decided == labels[0]).all()
    score = jnp.where(certain, 0, (accuracy - chance) / jnp.where(certain, 1, room))
    spread = entropy(prior)
    believed = (meant * ((1 - floor) * probabilities + floor * prior)).sum(1)
    cost = -jnp.log2(believed).mean()
    _, high = wilson_interval(right.sum(), right.size)
    return Comprehension(accuracy, chance, score, spread, cost, 1 - cost / spread, high < chance)


class LanguageComprehension(NamedTuple):
    """What a reader makes of whole meanings (see `language_comprehension`)."""

    attributes: Comprehension
    """Each field `[A]`."""
    score: Array
    """`[]`: C_acc, mean over attributes, weighted by their entropies."""
    score_bits: Array
    """`[]`: C_bits likewise."""
    whole_accuracy: Array
    """`[]`: share of meanings of which every attribute is right; chance is V^-A."""
    misled: Array
    """`[]` bool: misled about some attribute."""

    @property
    def percent(self) -> Array:
        """`[]`: comprehension for display, 0 to 100; what is below 0 is told by `misled`."""
        return 100 * jnp.maximum(self.score, 0)


def language_comprehension(attributes: Any, probabilities: Any, floor: Any = FLOOR) -> LanguageComprehension:
    """Comprehension of a language by a frozen reader, attribute by attribute and as a whole.

    Reverse comprehension is the same with the agents' listener as the reader of the human protocol.

    Args:
      attributes: `[N, A]`, what was meant, values 0..V-1.
      probabilities: `[N, A, V]`, of the reader, given each message.
      floor: as in `comprehension`.
    Returns: a `LanguageComprehension`; NaN where no attribute varies.
    Raises: as `comprehension`.
    """
    probabilities = inputs.distributions("probabilities", probabilities, 3)
    floor = inputs.probability("floor", floor)
    attributes = integers("attributes", attributes, "N, A", probabilities.shape[-1])
    if attributes.shape != probabilities.shape[:2]:
        raise ParameterError(f"probabilities: shape {probabilities.shape}; {attributes.shape} and values are needed")
    each = jax.vmap(lambda meant, given: comprehension(meant, given, floor), (1, 1))(attributes, probabilities)
    weight = each.entropy / each.entropy.sum()
    whole = (jnp.argmax(probabilities, -1) == attributes).all(1).mean()
    bits = jnp.where(each.entropy > 0, each.score_bits, 0)
    return LanguageComprehension(each, (weight * each.score).sum(), (weight * bits).sum(), whole, each.misled.any())


def comprehension_gap(partner: Any, human: Any) -> Array:
    """Comprehension by the partner less that by the frozen reader: what reaches the one and not the other."""
    return jnp.asarray(partner, float) - jnp.asarray(human, float)


class Readers(NamedTuple):
    """The same score by several frozen readers (see `over_readers`)."""

    median: Array
    low: Array
    high: Array


def over_readers(scores: Any) -> Readers:
    """Median and range of a score over readers, `[R, ...]`: one network away from what it learned is idiosyncratic."""
    scores = jnp.asarray(scores, float)
    return Readers(jnp.median(scores, 0), scores.min(0), scores.max(0))


def marker_reader(messages: Any, number: int, values: int) -> Array:
    """Read "marker value" pairs: symbol k in 1..A announces attribute k, the next value symbol 1 + A + v sets it.

    Args:
      messages: `[N, L]`.
      number, values: A and V, static.
    Returns: `[N, A]` int32, -1 where an attribute is not set. Values that nothing announces are ignored.
    """
    said = contents(integers("messages", messages, "N, L"))

    def position(carry: tuple[Array, Array], symbol: Array) -> tuple[tuple[Array, Array], None]:
        announced, read = carry
        value = symbol - 1 - number
        sets = (value >= 0) & (value < values) & (announced > 0)
        at = (jnp.arange(1, number + 1) == announced[:, None]) & sets[:, None]
        read = jnp.where(at, value[:, None], read)
        announced = jnp.where((symbol >= 1) & (symbol <= number), symbol, jnp.where(sets, 0, announced))
        return (announced, read), None

    start = jnp.zeros(len(said), jnp.int32), jnp.full((len(said), number), -1, jnp.int32)
    return jax.lax.scan(position, start, said.T)[0][1]


def positional_reader(messages: Any, number: int, values: int) -> Array:
    """Read values in order: the k-th value symbol 1 + A + v sets attribute k; all other symbols are ignored.

    Args, returns: as in `marker_reader`.
    """
    value = contents(integers("messages", messages, "N, L")) - 1 - number
    valid = (value >= 0) & (value < values)
    place = jnp.cumsum(valid, axis=1) - 1
    at = (place[..., None] == jnp.arange(number)) & valid[..., None]
    return jnp.where(at.any(1), (at * value[..., None]).sum(1), -1).astype(jnp.int32)


READERS = {"marker": marker_reader, "positional": positional_reader}


def symbolic_accuracy(attributes: Any, messages: Any, values: int, reader: str = "marker") -> tuple[Array, Array]:
    """How much of a language a reader by rule gets right; what is not set is wrong.

    Args:
      attributes: `[N, A]`, values 0..V-1.
      messages: `[N, L]`, symbols: 0, markers 1..A, values A + 1..A + V, others.
      values: V, static.
      reader: "marker" (`marker_reader`) or "positional" (`positional_reader`).
    Returns: `[A]`, accuracy on each attribute, and `[]`, on whole meanings.
    Raises: ParameterError where `reader` is neither.
    """
    if reader not in READERS:
        raise ParameterError(f"reader = {reader!r}{nearest(str(reader), READERS)}")
    attributes, said = language(attributes, messages, values)
    right = READERS[reader](said, np.shape(attributes)[1], values) == attributes
    return right.mean(0), right.all(1).mean()
