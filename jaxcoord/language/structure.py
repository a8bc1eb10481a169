"""How the parts of messages stand for the parts of meanings: disentanglement, composition, a word for each concept.

Pure, for one language (see `jaxcoord.language.information`); `jax.vmap` makes a batch of communities. A concept is an
attribute with a value, number a V + v.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from optax.assignment import hungarian_algorithm
from scipy import sparse
from scipy.optimize import linprog

from jaxcoord.errors import ParameterError
from jaxcoord.language.information import contents, group_entropy, language, message_length, shared_information

Array = jax.Array


def positional_disentanglement(attributes: Any, messages: Any) -> Array:
    """Whether each position tells about one attribute: mean_j [I(y_j; x_a1) - I(y_j; x_a2)] / H(y_j).

    y_j is the symbol at position j, 0 after the end; a1 and a2 the attributes that it tells most about, a single
    attribute being followed by nothing. The mean is over the positions that vary.

    Args:
      attributes: `[N, A]`, values from 0.
      messages: `[N, L]`, symbols from 0.
    Returns: `[]`, 0 to 1; NaN where no position varies.
    Source: Chaabouni et al. 2020, ACL, eq. 2.
    """
    attributes, said = language(attributes, messages)
    return _disentanglement(attributes, said)


def bag_disentanglement(attributes: Any, messages: Any, vocabulary: int) -> Array:
    """Whether the number of times that each symbol is said tells about one attribute, wherever it stands.

    As `positional_disentanglement`, y_j being the count of symbol j in the content, j = 1..K-1.

    Args:
      attributes: `[N, A]`, values from 0.
      messages: `[N, L]`, symbols 0..K-1.
      vocabulary: K, static.
    Returns: `[]`, 0 to 1; NaN where no count varies.
    Raises: ParameterError where a symbol is not below K: it would be left out.
    Source: Chaabouni et al. 2020, ACL, section 4.2.
    """
    attributes, said = language(attributes, messages, vocabulary=vocabulary)
    return _disentanglement(attributes, (said[..., None] == jnp.arange(1, vocabulary)).sum(1, dtype=jnp.int32))


def _disentanglement(attributes: Array, columns: Array) -> Array:
    """The mean over columns `[N, J]` that vary."""
    same_value = attributes.T[:, :, None] == attributes.T[:, None, :]
    same = columns.T[:, :, None] == columns.T[:, None, :]
    told = shared_information(same[:, None], same_value[None])
    if told.shape[1] == 1:
        told = jnp.pad(told, ((0, 0), (0, 1)))
    first, second = jax.lax.top_k(told, 2)[0].T
    varies = ~same.all((1, 2))
    each = (first - second) / jnp.where(varies, group_entropy(same), 1)
    return jnp.where(varies, each, 0).sum() / varies.sum()


def one_hot_positions(messages: Any, vocabulary: int) -> Array:
    """`[..., L K]`: the contents of messages `[..., L]` as one-hot vectors, one a position, 0 after the end.

    Raises: ParameterError for a symbol that is not below K, where the messages are known: it would go unseen.
    """
    if not isinstance(messages, jax.core.Tracer):
        known = np.asarray(messages)
        if known.size and not 0 <= known.min() <= known.max() < vocabulary:
            raise ParameterError(f"messages: symbols from {known.min()} to {known.max()}; 0 to {vocabulary - 1} needed")
    hot = jax.nn.one_hot(contents(messages), vocabulary, dtype=float)
    return hot.reshape(*hot.shape[:-2], -1)


def one_hot_meanings(attributes: Any, values: int) -> Array:
    """`[..., A V]`: meanings `[..., A]` as one-hot vectors, one an attribute."""
    hot = jax.nn.one_hot(jnp.asarray(attributes), values, dtype=float)
    return hot.reshape(*hot.shape[:-2], -1)


def generalised_inverse(matrix: Array, tolerance: float) -> Array:
    """`[D, D]`: an inverse G of a symmetric matrix M without negative eigenvalues: M G M = M.

    Swept row by row, leaving out those that depend on rows before them: their pivot is within the tolerance, as a
    share of the diagonal, of 0. Not by LAPACK: two batches of it in one program can wait for each other for ever on
    the CPU (jaxlib 0.10.2).
    Source: Goodnight 1979 (the sweep operator).
    """
    least = tolerance * jnp.diagonal(matrix)

    def sweep(k: Array, carry: tuple[Array, Array]) -> tuple[Array, Array]:
        old, swept = carry
        row, column = old[k], old[:, k]
        takes = row[k] > least[k]
        pivot = jnp.where(takes, row[k], 1)
        new = old - column[:, None] * row[None] / pivot
        new = new.at[k].set(row / pivot).at[:, k].set(column / pivot).at[k, k].set(-1 / pivot)
        return jnp.where(takes, new, old), swept.at[k].set(takes)

    start = matrix, jnp.zeros(matrix.shape[0], bool)
    found, swept = jax.lax.fori_loop(0, matrix.shape[0], sweep, start)
    return jnp.where(swept[:, None] & swept[None], -found, 0)


class Reconstruction(NamedTuple):
    """How well messages are sums of parts (see `tree_reconstruction_error`)."""

    error: Array
    """`[]`: mean squared Euclidean distance to the nearest sum of parts."""
    explained: Array
    """`[]`: 1 - error / variance of the messages; NaN where all are equal."""


def tree_reconstruction_error(attributes: Any, messages: Any, values: int, vocabulary: int) -> Reconstruction:
    """Distance of messages to the best sums of one vector for each value of each attribute.

    min_e mean_i |r_i - sum_a e_{a, x_ia}|^2, r_i the one-hot vectors of the positions of message i, 0 after the end.

    Args:
      attributes: `[N, A]`, values 0..V-1.
      messages: `[N, L]`, symbols 0..K-1.
      values: V, static.
      vocabulary: K, static.
    Returns: a `Reconstruction`.
    Raises: ParameterError where a value is not below V or a symbol not below K.
    Source: Andreas 2019, ICLR, with additive composition.
    """
    attributes, said = language(attributes, messages, values, vocabulary)
    design, target = one_hot_meanings(attributes, values), one_hot_positions(said, vocabulary)
    # Never of full rank, since each attribute sums to one; any of the inverses leaves the same.
    inverse = generalised_inverse(design.T @ design, 1e-10 if design.dtype == jnp.float64 else 1e-5)
    left = target - design @ (inverse @ (design.T @ target))
    centred = target - target.mean(0)
    error, variance = (left**2).sum(1).mean(), (centred**2).sum(1).mean()
    varies = (target != target[0]).any()
    return Reconstruction(error, jnp.where(varies, 1 - error / jnp.where(varies, variance, 1), jnp.nan))


def absolute_reconstruction_error(attributes: Any, messages: Any, values: int, vocabulary: int) -> float:
    """As `tree_reconstruction_error` with the sum of absolute differences as the distance, exactly; on the host.

    A linear programme, in its dual form: max r . d, X' d = 0, |d| <= 1 for each coordinate r.

    Args, raises, source: as there, for one language.
    Returns: the mean over rows.
    """
    attributes, said = language(attributes, messages, values, vocabulary)
    design = np.eye(values)[np.asarray(attributes)].reshape(len(attributes), -1)
    target = np.eye(vocabulary)[np.asarray(said)].reshape(len(design), -1).T.ravel()
    parts = sparse.kron(sparse.eye_array(target.size // len(design)), design.T, format="csr")
    best = linprog(-target, A_eq=parts, b_eq=np.zeros(parts.shape[0]), bounds=(-1, 1), method="highs")
    return -best.fun / len(design)


def co_occurrence(attributes: Any, messages: Any, values: int, vocabulary: int) -> Array:
    """`[K - 1, A V]` int32: in how many places each symbol 1..K-1 is said of a meaning that has each concept."""
    attributes, said = language(attributes, messages, values, vocabulary)
    used = (said[..., None] == jnp.arange(1, vocabulary)).sum(1, dtype=jnp.int32)
    return used.T @ jax.nn.one_hot(attributes, values, dtype=jnp.int32).reshape(len(attributes), -1)


class BestMatch(NamedTuple):
    """A word for each concept (see `concept_best_match`)."""

    score: Array
    """`[]`: 0 to 1, weight over the most that there could be; NaN where that is 0."""
    weight: Array
    """`[]` int32: places in which a word is said of its concept."""
    most: Array
    """`[]` int32: sum over rows of the larger of message length and number of attributes."""
    words: Array
    """`[A, V]` int32: the symbol matched to each concept, 0 for none. Other matchings may be as good."""


def concept_best_match(attributes: Any, messages: Any, values: int, vocabulary: int) -> BestMatch:
    """The one-to-one translation between symbols and concepts that agrees with most places of the messages.

    max_matching sum w(word, concept) / sum_i max(|m_i|, A), w the counts of `co_occurrence`.

    Args:
      attributes: `[N, A]`, values 0..V-1.
      messages: `[N, L]`, symbols 0..K-1.
      values: V, static.
      vocabulary: K, static.
    Returns: a `BestMatch`.
    Raises: ParameterError where a value is not below V or a symbol not below K.
    Source: Carmeli, Belinkov & Meir 2024; Kuhn 1955 (the matching).
    """
    counts = co_occurrence(attributes, messages, values, vocabulary)
    number = np.shape(attributes)[1]
    word, concept = hungarian_algorithm(-counts.astype(float))
    matched = counts[word, concept]
    most = jnp.maximum(message_length(messages), number).sum(dtype=jnp.int32)
    words = jnp.zeros(number * values, jnp.int32).at[concept].set(jnp.where(matched > 0, word + 1, 0).astype(jnp.int32))
    weight = matched.sum(dtype=jnp.int32)
    return BestMatch(weight / most, weight, most, words.reshape(number, values))


def context_independence(attributes: Any, messages: Any, values: int, vocabulary: int) -> Array:
    """Whether concepts keep a symbol of their own: mean_c p(v_c|c) p(c|v_c), v_c = argmax_v p(c|v).

    p from the counts of `co_occurrence`; the mean is over the concepts that occur, one of which nothing is said
    counting 0. A language with A symbols a meaning, one for each concept, has 1 / A^2, so compare at equal length.

    Args:
      attributes: `[N, A]`, values 0..V-1.
      messages: `[N, L]`, symbols 0..K-1.
      values: V, static.
      vocabulary: K, static.
    Returns: `[]`, 0 to 1; NaN where nothing is said at all. Of equally good symbols the most frequent is v_c.
    Raises: ParameterError where a value is not below V or a symbol not below K.
    Source: Bogin, Geva & Berant 2018, section 5.
    """
    if vocabulary < 2:
        raise ParameterError(f"vocabulary = {vocabulary}: at least 2, one of them 0, is needed")
    counts = co_occurrence(attributes, messages, values, vocabulary).astype(float)
    occurs = one_hot_meanings(attributes, values).any(0)
    by_symbol, by_concept = counts.sum(1, keepdims=True), counts.sum(0)
    concept_of = counts / jnp.maximum(by_symbol, 1)
    each = jnp.where(concept_of == concept_of.max(0), concept_of * counts, 0).max(0) / jnp.maximum(by_concept, 1)
    return jnp.where(counts.any(), each.sum() / occurs.sum(), jnp.nan)
