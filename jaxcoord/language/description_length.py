"""How many bits it takes to learn what messages mean: the code length of the labels, given the messages.

Unlike accuracy in the end it tells a code that is learned from a few examples from one that is learned by heart. Pure,
for one language; `jax.vmap` makes a batch. Labels come in the order of the rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxcoord.errors import ParameterError
from jaxcoord.language import inputs
from jaxcoord.language.information import integers
from jaxcoord.language.probes import logistic_probabilities, logistic_probe

Array = jax.Array


class DescriptionLength(NamedTuple):
    """The length of a code for labels."""

    bits: Array
    """`[]`: code length, bits."""
    uniform_bits: Array
    """`[]`: n log2 K, without messages."""

    @property
    def compression(self) -> Array:
        """`[]`: uniform over code length: 1 if nothing is learned, large if all is learned soon."""
        return self.uniform_bits / self.bits


def prequential_table(groups: Any, labels: Any, classes: int, prior: Any = 1.0) -> DescriptionLength:
    """Code length with a table that counts, for each message, which label came with it so far.

    sum_i -log2[(n_{m,y} + alpha) / (n_m + alpha K)], counts of the rows before i. Their order does not matter.

    Args:
      groups: `[N]`, the same number for the same message (`jaxcoord.language.information.message_groups`).
      labels: `[N]`, 0..K-1.
      classes: K, static.
      prior: alpha, above 0, count of each label before any is seen.
    Returns: a `DescriptionLength`.
    Raises: ParameterError where a label is not below K, the prior is not above 0, or the numbers of rows differ.
    Source: Dawid 1984; Krichevsky & Trofimov 1981.
    """
    groups, labels = integers("groups", groups, "N"), integers("labels", labels, "N", classes)
    inputs.same_length("labels", labels, "groups", groups)
    earlier = jnp.tri(labels.size, k=-1, dtype=bool) & (groups[:, None] == groups[None])
    of_message = earlier.sum(1)
    of_label = (earlier & (labels[:, None] == labels[None])).sum(1)
    prior = inputs.above_zero("prior", prior)
    bits = -jnp.log2((of_label + prior) / (of_message + prior * classes)).sum()
    return DescriptionLength(bits, jnp.asarray(labels.size * np.log2(classes), float))


def online_logistic(
    features: Any, labels: Any, classes: int, block_ends: Sequence[int], penalty: Any
) -> DescriptionLength:
    """Code length in blocks: the first at log2 K a label, each later one by the probe fitted on all rows before it.

    A label that the probe has not seen yet costs -log2(1 / (n + K)), Laplace's estimate after n rows, and what the
    unseen ones take is taken from the others in proportion; where all have been seen nothing is changed.

    Args:
      features: `[N, D]`, such as `jaxcoord.language.structure.one_hot_positions`.
      labels: `[N]`, 0..K-1.
      classes: K, static.
      block_ends: static, rows before the end of each block, rising to N.
      penalty: l2 of `jaxcoord.language.probes.logistic_probe`, above 0.
    Returns: a `DescriptionLength`.
    Raises: ParameterError where the ends do not rise to N, or a label is not below K.
    Source: Blier & Ollivier 2018; Voita & Titov 2020, EMNLP, eq. 4.
    """
    features, labels = jnp.asarray(features, float), integers("labels", labels, "N", classes)
    rows, ends = labels.size, list(block_ends)
    if ends != sorted(set(ends)) or not ends or ends[0] < 1 or ends[-1] != rows:
        raise ParameterError(f"block_ends = {tuple(ends)}: numbers that rise from 1 or more to {rows} are needed")
    uniform = jnp.asarray(rows * np.log2(classes), float)
    if len(ends) == 1:
        return DescriptionLength(uniform, uniform)
    place = jnp.arange(rows)

    def block(start: Array, end: Array) -> Array:
        before = place < start
        probe = logistic_probe(features, labels, classes, penalty, before)
        given = logistic_probabilities(probe, features)
        unseen = 1 / (start + classes)
        given = jnp.where(probe.present, given * (1 - (~probe.present).sum() * unseen), unseen)
        cost = -jnp.log2(jnp.take_along_axis(given, labels[:, None], 1)[:, 0])
        return jnp.where((place >= start) & (place < end), cost, 0).sum()

    later = jax.vmap(block)(jnp.array(ends[:-1]), jnp.array(ends[1:])).sum()
    return DescriptionLength(ends[0] * np.log2(classes) + later, uniform)
