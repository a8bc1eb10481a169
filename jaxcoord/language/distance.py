"""Do like meanings have like messages: edit distance and topographic similarity.

Pure, for one language (see `jaxcoord.language.information`); `jax.vmap` makes a batch of communities.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxcoord.errors import ParameterError, nearest
from jaxcoord.language.correlation import weighted_pearson
from jaxcoord.language.information import contents, language, message_length

Array = jax.Array
WORD = 32  # bits of a machine word that holds a column of the table of distances
MEANINGS = ("hamming", "euclidean")
MESSAGES = ("edit-normalised", "edit", "hamming")
CORRELATIONS = ("spearman", "pearson")


def edit_distance(x: Any, y: Any) -> Array:
    """Insertions, deletions and substitutions that turn the content of one message into that of another.

    A column of the table of distances is kept as two bits an entry, whether it is one more or one less than the entry
    above it, so that a position of y costs a few operations on words instead of one an entry.

    Args:
      x, y: `[L]` each, of any two lengths, symbols from 0; what follows the first 0 is ignored.
    Returns: `[]` int32.
    Raises: ParameterError where one has not one axis.
    Source: Levenshtein 1966; Myers 1999, J. ACM 46:395, and Hyyrö 2003 (bit-parallel columns).
    """
    for name, message in (("x", x), ("y", y)):
        if np.ndim(message) != 1:
            raise ParameterError(f"{name}: shape {np.shape(message)}; one message [L] is needed (`edit_distances`)")
    x, y = contents(x), contents(y)
    length = message_length(x)
    words = range(0, x.shape[0], WORD)
    none, every = jnp.uint32(0), jnp.uint32(0xFFFFFFFF)

    def column(carry: list[tuple[Array, Array]], symbol: Array) -> tuple[list[tuple[Array, Array]], None]:
        rises, falls = jnp.uint32(1), none  # the first row of the table is 0, 1, 2, ...
        new = []
        for start, (up, down) in zip(words, carry, strict=True):
            equal = none
            for bit, mine in enumerate(x[start : start + WORD]):
                equal = equal | ((mine == symbol).astype(jnp.uint32) << bit)
            vertical = equal | down
            equal = equal | falls
            across = (((equal & up) + up) ^ up) | equal
            higher, lower = down | ~(across | up), up & across
            higher, rises = (higher << 1) | rises, higher >> (WORD - 1)
            lower, falls = (lower << 1) | falls, lower >> (WORD - 1)
            new.append((lower | ~(vertical | higher), higher & vertical))
        alive = symbol != 0
        kept = [
            (jnp.where(alive, up, old_up), jnp.where(alive, down, old_down))
            for (up, down), (old_up, old_down) in zip(new, carry, strict=True)
        ]
        return kept, None

    columns, _ = jax.lax.scan(column, [(every, none) for _ in words], y)
    distance = message_length(y)
    for start, (up, down) in zip(words, columns, strict=True):
        inside = jnp.clip(length - start, 0, WORD).astype(jnp.uint32)
        # A shift by a whole word is undefined.
        mask = jnp.where(inside == WORD, every, (jnp.uint32(1) << (inside % WORD)) - 1)
        change = jax.lax.population_count(up & mask).astype(jnp.int32)
        distance = distance + change - jax.lax.population_count(down & mask).astype(jnp.int32)
    return distance


def edit_distances(messages: Any) -> Array:
    """`[N, N]` int32: the edit distance of every pair of messages `[N, L]`."""
    messages = jnp.asarray(messages)
    return jax.vmap(lambda x: jax.vmap(lambda y: edit_distance(x, y))(messages))(messages)


def normalised_edit_distance(x: Any, y: Any) -> Array:
    """Edit distance over the mean length of the two contents, 0 to 2; 0 where both are empty."""
    size = (message_length(x) + message_length(y)).astype(float)
    return jnp.where(size > 0, 2 * edit_distance(x, y) / jnp.maximum(size, 1), 0)


def topographic_similarity(
    attributes: Any,
    messages: Any,
    values: int,
    *,
    meaning: str = "hamming",
    message: str = "edit-normalised",
    correlation: str = "spearman",
) -> Array:
    """Correlation of the distances of the N (N - 1) / 2 pairs of meanings with those of their messages.

    Distances take few values. Pairs are counted by them, and ranks, ties averaged, come from the counts: nothing is
    sorted, and the numbers are exact. Time and space grow as N squared; of more than some 1,000 meanings take a fixed
    random subset, and say how large it is.

    Args:
      attributes: `[N, A]`, values 0..V-1.
      messages: `[N, L]`, symbols from 0.
      values: V, static.
      meaning: "hamming", attributes that differ (the cosine distance of their one-hot vectors is the same), or
        "euclidean", of the numbers of the values.
      message: "edit-normalised", edit distance over mean length; "edit"; or "hamming", positions that differ, 0 being
        the symbol of those after the end.
      correlation: "spearman" or "pearson".
    Returns: `[]`, -1 to 1; NaN where all distances of the meanings or of the messages are equal.
    Raises: ParameterError where a word or a value is not allowed.
    Source: Brighton & Kirby 2006, Artificial Life 12:229.
    """
    for name, word, allowed in (
        ("meaning", meaning, MEANINGS), ("message", message, MESSAGES), ("correlation", correlation, CORRELATIONS)
    ):  # fmt: skip
        if word not in allowed:
            raise ParameterError(f"{name} = {word!r}{nearest(str(word), allowed)}")
    attributes, said = language(attributes, messages, values)
    if meaning == "hamming":
        level = sum((column[:, None] != column[None]).astype(jnp.int32) for column in attributes.T)
        scale = np.arange(attributes.shape[1] + 1.0)
    else:
        level = sum((column[:, None] - column[None]) ** 2 for column in attributes.T)
        scale = np.sqrt(np.arange(attributes.shape[1] * (values - 1) ** 2 + 1.0))
    code, steps = _message_levels(said, message)
    # Every pair stands there twice, which moves no correlation, and every row once with itself.
    counts = jnp.zeros((scale.size, steps.size), jnp.int32).at[level, code].add(1).at[0, 0].add(-len(said))
    if correlation == "spearman":
        return weighted_pearson(_midranks(counts.sum(1))[:, None], _midranks(counts.sum(0))[None], counts)
    return weighted_pearson(scale[:, None], steps[None], counts)


def _message_levels(said: Array, message: str) -> tuple[Array, np.ndarray]:
    """For each pair of contents `[N, L]` the number of its distance `[N, N]`, and the distances in order."""
    positions = said.shape[1]
    steps = np.arange(positions + 1.0)
    if message == "hamming":
        return sum((column[:, None] != column[None]).astype(jnp.int32) for column in said.T), steps
    distance = edit_distances(said)
    if message == "edit":
        return distance, steps
    # All ratios that there can be, exactly: rank[d, s] is the place of 2 d / s among them.
    ratios = [[Fraction(2 * d, max(s, 1)) for s in range(2 * positions + 1)] for d in range(positions + 1)]
    order = sorted({ratio for row in ratios for ratio in row if ratio <= 2})
    place = {ratio: number for number, ratio in enumerate(order)}
    rank = np.array([[place.get(ratio, 0) for ratio in row] for row in ratios], np.int32)
    length = message_length(said)
    return jnp.asarray(rank)[distance, length[:, None] + length[None]], np.array(order, float)


def _midranks(counts: Array) -> Array:
    """Average ranks of values that occur so often `[X]`, as shares of all."""
    counts = counts.astype(float)
    return (jnp.cumsum(counts) - counts / 2) / counts.sum()
