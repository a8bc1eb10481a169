"""What there is to talk about: meanings, codes made by hand, and the protocol of people, which learned codes leave.

A world has A attributes with V values each. A meaning is a row of A whole numbers, 0 to V - 1; there are V^A of them.
A message is a row of L whole numbers below K; symbol 0 ends it, and what follows the first 0 does not count.
"""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxcoord.errors import ParameterError
from jaxcoord.language.channels import symmetric_noise
from jaxcoord.language.information import integers
from jaxcoord.networks.graph import whole

Array = jax.Array
MOST_MEANINGS = 1_000_000


def number_of_meanings(attributes: int, values: int) -> int:
    """V^A. Raises: ParameterError where there are more than a million, which no table holds."""
    attributes, values = whole("attributes", attributes, 1), whole("values", values, 1)
    meanings = values**attributes
    if meanings > MOST_MEANINGS:
        raise ParameterError(
            f"values = {values}: {values}^{attributes} meanings are too many for a table; at most {MOST_MEANINGS}"
        )
    return meanings


def all_meanings(attributes: int, values: int) -> np.ndarray:
    """`[V^A, A]` int32: every meaning, the last attribute changing fastest."""
    number_of_meanings(attributes, values)
    return np.indices((values,) * attributes, dtype=np.int32).reshape(attributes, -1).T


def one_hots(meanings: Array, values: int) -> Array:
    """`[..., A * V]`: for each attribute of `meanings` `[..., A]` a one at its value, one block after the other."""
    return jax.nn.one_hot(meanings, values).reshape(*meanings.shape[:-1], meanings.shape[-1] * values)


def compositional_code(attributes: int, values: int) -> np.ndarray:
    """`[V^A, A]` int32: position a names the value of attribute a by a symbol of its own, 1 + a V + v."""
    return all_meanings(attributes, values) + 1 + values * np.arange(attributes, dtype=np.int32)


def holistic_code(key: Array, code: Array) -> Array:
    """The same messages as in `code` `[N, L]`, given to meanings at random: a language without parts."""
    return jax.random.permutation(key, jnp.asarray(code))


def random_code(key: Array, meanings: int, length: int, vocabulary: int) -> Array:
    """`[N, L]` int32: messages drawn uniformly from all of that length, without symbol 0; they may repeat.

    Raises: ParameterError where there is no other symbol.
    """
    if vocabulary < 2:
        raise ParameterError(f"vocabulary = {vocabulary}: at least 2, one of them 0, is needed")
    return jax.random.randint(key, (meanings, length), 1, vocabulary, jnp.int32)


class People(NamedTuple):
    """How people say a meaning: for every attribute a marker and a value, with slips.

    Symbols: 1 to A mark attributes, A + 1 to A + V name values (the same for all attributes), the rest are not used.
    """

    reordered: float = 0.2
    """Probability that the attributes come in random order."""
    omitted: float = 0.15
    """Probability that a marker is left out, each on its own."""
    mistyped: float = 0.02
    """Probability that a symbol comes out as another, each on its own."""


USUAL = People()


def _fits(length: int, attributes: int) -> None:
    if whole("length", length, 1) < 2 * attributes:
        raise ParameterError(f"length = {length}: people need {2 * attributes} symbols for {attributes} attributes")


def human_code(attributes: int, values: int, length: int) -> np.ndarray:
    """`[V^A, L]` int32: what people say where nothing slips, "marker value" for each attribute, padded with 0.

    Raises: ParameterError where the message, 2 A symbols, is longer than L.
    """
    _fits(length, attributes)
    meanings = all_meanings(attributes, values)
    code = np.zeros((len(meanings), length), np.int32)
    code[:, 0 : 2 * attributes : 2] = 1 + np.arange(attributes)
    code[:, 1 : 2 * attributes : 2] = 1 + attributes + meanings
    return code


def speak_human(key: Array, meanings: Array, length: int, vocabulary: int, people: People = USUAL) -> Array:
    """Messages of people about meanings, with their slips.

    Args: `meanings` `[n, A]`; `length` L, at least 2 A; `vocabulary` K, at least 1 + A + V.
    Returns: `[n, L]` int32, padded with 0.
    Raises: ParameterError where L is too short or a value has no symbol.
    """
    number, attributes = meanings.shape
    _fits(length, attributes)
    meanings = integers("meanings", meanings, "n, A", vocabulary - 1 - attributes)
    coins = jax.random.uniform(jax.random.fold_in(key, 0), (number, 2 * attributes + 1))
    shuffled = jnp.argsort(coins[:, :attributes], axis=1)
    order = jnp.where(coins[:, -1:] < people.reordered, shuffled, jnp.arange(attributes))
    kept = coins[:, attributes:-1] >= people.omitted
    value = jnp.take_along_axis(meanings, order, 1)
    # Marker and value alternate; those that are kept close up to the left.
    symbols = jnp.stack([1 + order, 1 + attributes + value], 2).reshape(number, -1)
    said = jnp.stack([kept, jnp.ones_like(kept)], 2).reshape(number, -1)
    place = jnp.where(said, said.cumsum(1) - 1, -1)
    message = (symbols[:, :, None] * (place[:, :, None] == jnp.arange(length))).sum(1, dtype=jnp.int32)
    return symmetric_noise(jax.random.fold_in(key, 1), message, vocabulary, people.mistyped)
