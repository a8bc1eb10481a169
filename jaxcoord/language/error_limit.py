"""The error limit: how many sounds are worth having when sounds are mistaken for one another, and how words lift it.

A sound that is heard as itself with probability u and is about something of value a is worth a u. More sounds say more
and are nearer to each other; beyond some number a repertoire is worth less for every sound that is added.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxcoord.errors import ParameterError
from jaxcoord.language import inputs

Array = jax.Array


def repertoire_fitness(similarity: Any, values: Any = 1.0) -> Array:
    """What a repertoire of sounds is worth: sum_i a_i u_ii with u_ij = s_ij / sum_k s_ik.

    Args: `similarity [n, n]`, s_ij of at least 0 and 1 on the diagonal; `values` a, a number or `[n]`.
    Source: Nowak & Krakauer 1999 (PNAS 96:8028).
    """
    if np.ndim(similarity) != 2 or np.shape(similarity)[0] != np.shape(similarity)[1] or not np.size(similarity):
        raise ParameterError(f"similarity: shape {np.shape(similarity)}; a square matrix [n, n] is needed")
    similarity = inputs.within("similarity", similarity, 0, np.inf, "a finite similarity of at least 0 is needed")
    return (values * jnp.diagonal(similarity) / similarity.sum(1)).sum()


def error_limit_uniform(similarity: Any, signals: Any, length: Any = 1) -> Array:
    """What n signals are worth of which any two are alike in the same measure: F = n / (1 + (n - 1) e), below 1 / e.

    Words of l signals each are worth F^l: what limits the sounds does not limit the words.

    Args: `similarity` e, 0 to 1; `signals` n, a number or an array, at least 1; `length` l, 1 for single sounds.
    Source: Nowak & Krakauer 1999 (PNAS 96:8028).
    """
    similarity = inputs.probability("similarity", similarity)
    signals = inputs.within("signals", signals, 1, np.inf, "at least one signal is needed")
    return (signals / (1 + (signals - 1) * similarity)) ** length


def error_limit_metric(alpha: Any, values: Any) -> Array:
    """What the first n = 1..M sounds are worth, spread evenly on the interval from 0 to 1.

    s_ij = exp(-alpha |x_i - x_j|); a single sound stands in the middle. The i-th value belongs to the i-th sound from
    the left.

    Args: `alpha`, how fast similarity falls with distance, at least 0; `values [M]`, worth of what each sound is about.
    Returns: `[M]`, entry n - 1 for n sounds.
    Source: Nowak & Krakauer 1999 (PNAS 96:8028).
    """
    if np.ndim(values) != 1 or not np.size(values):
        raise ParameterError(f"values: shape {np.shape(values)}; one value for each sound, at least one, is needed")
    alpha = inputs.within("alpha", alpha, 0, np.inf, "a rate of at least 0 is needed")
    values = jnp.asarray(values, float)
    place = jnp.arange(len(values))
    apart = jnp.abs(place[:, None] - place)

    def worth(sounds: Array) -> Array:
        used = place < sounds
        alike = jnp.where(used, jnp.exp(-alpha * apart / jnp.maximum(sounds - 1, 1)), 0.0)
        return jnp.where(used, values / alike.sum(1), 0.0).sum()

    return jax.lax.map(worth, place + 1)


def best_repertoire(fitness: Any) -> Array:
    """`[]` int32: the number of sounds that is worth most, of equal ones the smallest; of `error_limit_metric`."""
    return jnp.asarray(fitness).argmax().astype(jnp.int32) + 1
