"""What to look at while agents redefine each other: how different, how recognisable, how captured they are.

Each is a pure function of the identities `[N, D]` of one population.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

Array = jax.Array


def diversity(identity: Array) -> Array:
    """Mean squared distance of the agents to their mean. Args: `identity [N, D]`."""
    return ((identity - identity.mean(0)) ** 2).sum(1).mean()


def uniqueness(identity: Array, core: Array) -> Array:
    """Diversity of the identities over that of the cores; 1 where the cores are all alike. Args: both `[N, D]`."""
    cores = diversity(core)
    return jnp.where(cores > 0, diversity(identity) / jnp.where(cores > 0, cores, 1), 1.0)


def identifiability(identity: Array, core: Array) -> Array:
    """Share of agents who can still be told by their cores.

    Both are centred and scaled to the same diversity; an agent counts if no core lies nearer to its identity than its
    own, ties going to the lowest index.

    Args: both `[N, D]`.
    """

    def standard(x):
        spread = diversity(x)
        return (x - x.mean(0)) / jnp.sqrt(jnp.where(spread > 0, spread, 1))

    shown, own = standard(identity), standard(core)
    apart = ((shown[:, None] - own[None]) ** 2).sum(-1)
    return (apart.argmin(1) == jnp.arange(len(core))).mean()


def capture(identity: Array, core: Array, captor: Array, members: Array | None = None) -> Array:
    """How far the members' mean identity has gone from the mean of their cores towards a captor's core.

    ((mean x - mean core) . (e - mean core)) / |e - mean core|^2: 0 not at all, 1 all the way.

    Args: `identity`, `core`: `[N, D]`; `captor [D]`; `members [N]` bool, who counts, such as who adapts; None: all.
    Returns: a number; 0 where nobody counts or the captor's core is the members' mean.
    """
    counted = jnp.ones(len(core)) if members is None else members.astype(core.dtype)
    number = jnp.maximum(counted.sum(), 1)
    start, now = counted @ core / number, counted @ identity / number
    way = captor - start
    length = (way**2).sum()
    return jnp.where(length > 0, ((now - start) * way).sum() / jnp.where(length > 0, length, 1), 0.0)


def agreement(accepted: Array) -> Array:
    """Share of ordered pairs of different agents of whom the first accepts the second.

    Args: `accepted [N, N]` bool, as from `attention.accepts`.
    """
    size = len(accepted)
    return (accepted & ~jnp.eye(size, dtype=bool)).sum() / (size * (size - 1))


def mutual_ties(accepted: Array) -> Array:
    """Share of ties that both sides accept: agreement to define each other. 0 where there are no ties.

    Args: `accepted [N, N]` bool; the diagonal does not count.
    """
    ties = accepted & ~jnp.eye(len(accepted), dtype=bool)
    return (ties & ties.T).sum() / jnp.maximum(ties.sum(), 1)


def model_error(perspectives: Array, identity: Array) -> Array:
    """Mean squared distance |P[j, i] - x_i|^2 between what the others take an agent for and what it is.

    Args: `perspectives [N, N, D]`, `identity [N, D]`.
    """
    size = len(identity)
    error = ((perspectives - identity[None]) ** 2).sum(-1)
    return (error * (1 - jnp.eye(size))).sum() / (size * (size - 1))


def surprise(perspectives: Array, shown: Array, scale: Any) -> Array:
    """How far from what each agent expected the others turn out to be: mean_j |x_j - P[i, j]|^2 / (2 scale^2).

    Args: `perspectives [N, N, D]`, before the look; `shown [N, D]`, what is seen then; `scale`, above 0, a fixed scale
      of identities.
    Returns: `[N]`, the surprise of each agent, itself left out.
    """
    size = len(shown)
    error = ((shown[None] - perspectives) ** 2).sum(-1) * (1 - jnp.eye(size))
    return error.sum(1) / (size - 1) / (2 * scale**2)


def authenticity(identity: Array, core: Array) -> Array:
    """1 - r_i / (r_i + s), with r_i = |x_i - core_i| and s the mean distance of the cores to their mean.

    Args: both `[N, D]`. Returns: `[N]`, 1: an agent is its core; 1 too where all cores are alike and kept.
    """
    moved = jnp.sqrt(((identity - core) ** 2).sum(1))
    scale = jnp.sqrt(((core - core.mean(0)) ** 2).sum(1)).mean()
    total = moved + scale
    return 1 - jnp.where(total > 0, moved / jnp.where(total > 0, total, 1), 0.0)
