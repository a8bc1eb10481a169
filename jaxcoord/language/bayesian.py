"""Iterated learning by Bayesians: what a chain of learners, each taught by the one before, ends up believing.

Who samples a hypothesis from the posterior hands on the prior: in the long run the chain holds each hypothesis as often
as the prior says, whatever the language looks like. Who takes the most probable one exaggerates the prior.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxcoord.errors import ParameterError, nearest
from jaxcoord.language import inputs

Array = jax.Array
LEARNERS = ("sampler", "maximiser")


def posterior(prior: Any, likelihood: Any) -> Array:
    """`[D, H]`: how probable each hypothesis is after each datum; NaN for a datum that no hypothesis produces.

    Args: `prior [H]` probabilities; `likelihood [H, D]`, rows of probabilities of the data.
    Raises: ParameterError where they are no probabilities or do not fit each other.
    """
    prior = inputs.distributions("prior", prior)
    likelihood = inputs.distributions("likelihood", likelihood, 2)
    if len(prior) != len(likelihood):
        raise ParameterError(f"likelihood: {len(likelihood)} hypotheses; the prior has {len(prior)}")
    joint = (prior[:, None] * likelihood).T
    return joint / joint.sum(1, keepdims=True)


def iterated_bayesian_learning(prior: Any, likelihood: Any, learner: str = "sampler") -> Array:
    """`[H, H]`: the probability that who learns from a teacher with the row's hypothesis takes the column's.

    sum_d P(d | teacher) P(learner | d), where a sampler takes each hypothesis with its posterior probability, and a
    maximiser the one where that is largest, of equal ones the first.

    Args: as for `posterior`; `learner` "sampler" or "maximiser".
    Source: Griffiths & Kalish 2007 (Cogn Sci 31:441).
    """
    if learner not in LEARNERS:
        raise ParameterError(f"learner = {learner!r}{nearest(str(learner), LEARNERS)}")
    belief = posterior(prior, likelihood)
    if learner == "maximiser":
        belief = jax.nn.one_hot(belief.argmax(1), belief.shape[1], dtype=belief.dtype)
    likelihood = jnp.asarray(likelihood, float)
    # A datum that nobody produces teaches nobody: its undefined posterior must not spread.
    return likelihood @ jnp.where(likelihood.sum(0)[:, None] > 0, belief, 0.0)


def generation(transition: Any, start: Any, generations: Any) -> Array:
    """`[H]`: the hypotheses held after so many generations. Args: `transition [H, H]`; `start [H]` probabilities."""
    transition = inputs.distributions("transition", transition, 2)
    start = inputs.distributions("start", start)
    return jax.lax.fori_loop(0, generations, lambda _, share: share @ transition, start)


def stationary(transition: Any) -> np.ndarray:
    """`[H]` float64: the hypotheses held in the long run by a chain that can reach all of them; on the host."""
    matrix = np.asarray(inputs.distributions("transition", transition, 2), float)
    size = len(matrix)
    system = np.vstack([matrix.T - np.eye(size), np.ones(size)])
    return np.linalg.lstsq(system, np.append(np.zeros(size), 1.0), rcond=None)[0]
