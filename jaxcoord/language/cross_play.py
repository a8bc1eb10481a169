"""Whether agents understand those that they never learned with, speak alike, and are easy to learn from.

Pure, for one population of P agents; `jax.vmap` makes a batch.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxcoord.errors import ParameterError
from jaxcoord.language.distance import edit_distance
from jaxcoord.language.information import contents, integers, message_length
from jaxcoord.language.inputs import numbers
from jaxcoord.language.monitoring import first_true

Array = jax.Array


class CrossPlay(NamedTuple):
    """Success within and across pairs (see `cross_play`)."""

    matrix: Array
    """`[P, Q]`: accuracy of speaker i with listener j."""
    own: Array
    """`[]`: mean of the diagonal; NaN where there is none."""
    across: Array
    """`[]`: mean off the diagonal; NaN for a single pair. Of unrelated codes with n words 1/n."""
    gap: Array
    """`[]`: own - across."""


def cross_play(matrix: Any) -> CrossPlay:
    """Self-play against cross-play: a gap says that a code is private to those who made it.

    Args:
      matrix: `[P, P]`, accuracy of speaker i with listener j, partners on the diagonal. For populations that were
        trained apart, the mean accuracies of the speakers of one with the listeners of another.
    Returns: a `CrossPlay`.
    Raises: ParameterError where the matrix is not square.
    Source: Hu et al. 2020, ICML.
    """
    matrix = jnp.asarray(matrix, float)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ParameterError(f"matrix: shape {matrix.shape}; [P, P] is needed, speakers by listeners")
    pairs = matrix.shape[0] * (matrix.shape[0] - 1)
    own = jnp.diagonal(matrix).mean()
    across = (matrix.sum() - jnp.trace(matrix)) / pairs if pairs else jnp.asarray(jnp.nan, float)
    return CrossPlay(matrix, own, across, own - across)


def accuracy_matrix(speakers: Any, listeners: Any) -> Array:
    """`[P, Q]`: how often listener j recovers the meaning from the one-symbol message of speaker i.

    Args:
      speakers: `[P, N]`, the symbol 0..S-1 that each says for meaning x.
      listeners: `[Q, S]`, the meaning that each takes a symbol for.
    """
    speakers = integers("speakers", speakers, "P, N", np.shape(listeners)[-1])
    listeners = integers("listeners", listeners, "Q, S")
    understood = jax.vmap(lambda said: listeners[:, said])(speakers)
    return (understood == jnp.arange(speakers.shape[1])).mean(-1)


def language_overlap(messages: Any) -> Array:
    """Share of meanings for which two speakers say the same, over all pairs of P speakers; NaN for one.

    Args:
      messages: `[P, N, J]`, of each speaker the message for every meaning, compared as it stands: contents, ids.
    """
    messages = jnp.asarray(messages)
    return _over_pairs((messages[:, None] == messages[None]).all(-1).mean(-1))


def language_synchrony(messages: Any) -> Array:
    """How alike P speakers speak: 1 - edit distance / longer length, over all pairs of speakers and all meanings.

    Args:
      messages: `[P, N, L]`, symbols from 0.
    Returns: `[]`, 0 to 1; two empty messages are alike; NaN for one speaker.
    Source: Rita et al. 2022, NeurIPS.
    """
    said = contents(integers("messages", messages, "P, N, L"))
    length = message_length(said)
    longer = jnp.maximum(length[:, None], length[None])
    across = jax.vmap(edit_distance)  # meaning by meaning
    distance = jax.vmap(lambda mine: jax.vmap(lambda other: across(mine, other))(said))(said)
    return _over_pairs((1 - distance / jnp.maximum(longer, 1)).mean(-1))


def _over_pairs(matrix: Array) -> Array:
    size = matrix.shape[0]
    if size < 2:
        return jnp.asarray(jnp.nan, float)
    return (matrix.sum() - jnp.trace(matrix)) / (size * (size - 1))


class TeachingCurve(NamedTuple):
    """How fast a new listener learns a language (see `teaching_curve`)."""

    area: Array
    """`[]`: mean accuracy while it learns."""
    first_step: Array
    """`[]` int32: where the threshold is first reached, from 0; -1 if never."""


def teaching_curve(accuracy: Any, threshold: Any) -> TeachingCurve:
    """Ease of teaching of a language that is held fixed; average it over ten or more new listeners.

    Args:
      accuracy: `[T]`, accuracy of a new listener as it learns.
      threshold: the accuracy that is asked for.
    Returns: a `TeachingCurve`.
    Raises: ParameterError where there is no curve.
    Source: Li & Bowling 2019, NeurIPS.
    """
    accuracy = numbers("accuracy", accuracy, "T")
    return TeachingCurve(accuracy.mean(), first_true(accuracy >= threshold))
