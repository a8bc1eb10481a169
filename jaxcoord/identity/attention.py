"""Whose view of itself an agent heeds: row-stochastic weights W `[N, N]`, entry (i, j) what i gives to j's view.

Each maker ends in `masked`: what is not heard is left out, the weight on oneself stays, rows sum to one again, and an
agent with nobody left to heed heeds itself.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxcoord.errors import ParameterError

Array = jax.Array


def masked(weights: Array, heard: Array | None = None) -> Array:
    """Weights of at least zero made row-stochastic.

    Args: `weights [N, N]`; `heard [N, N]` bool, entry (i, j): i can hear j, and j is there; None: everybody. The weight
      on oneself is kept in any case.
    Returns: `[N, N]`; a row with no weight left is that of the identity matrix.
    """
    itself = jnp.eye(len(weights), dtype=bool)
    if heard is not None:
        weights = jnp.where(heard | itself, weights, 0)
    total = weights.sum(1, keepdims=True)
    return jnp.where(total > 0, weights / jnp.where(total > 0, total, 1), itself)


def uniform_attention(size: int, heard: Array | None = None) -> Array:
    """1/N to everybody, oneself included, or an equal share to everybody who is heard. Returns: `[N, N]`."""
    return masked(jnp.ones((size, size)), heard)


def graph_attention(adjacency: Array) -> Array:
    """Equal shares to the neighbours on a graph.

    Args: `adjacency [N, N]`, bool or weights of at least zero, entry (i, j): i hears j.
    Returns: `[N, N]`; an agent without neighbours heeds itself.
    Source: DeGroot 1974.
    """
    return masked(jnp.asarray(adjacency, float))


def trust_attention(trust: Array, heard: Array | None = None) -> Array:
    """Shares in proportion to trust.

    Args: `trust [N, N]`, at least zero, entry (i, j): of i in j; `heard` as in `masked`.
    Returns: `[N, N]`.
    Raises: ParameterError where trust is negative or not finite.
    """
    trust = jnp.asarray(trust, float)
    if not isinstance(trust, jax.core.Tracer):
        known = np.asarray(trust)
        if not (np.isfinite(known) & (known >= 0)).all():
            raise ParameterError("trust: every entry must be a finite number of at least 0")
    return masked(trust, heard)


def distances(identity: Array) -> Array:
    """`[N, N]`: Euclidean distances between the agents. Args: `identity [N, D]`."""
    return jnp.sqrt(squared_distances(identity))


def squared_distances(identity: Array) -> Array:
    """`[N, N]`: squared distances between the agents. Args: `identity [N, D]`."""
    # A sum of squares of differences: the expanded square loses all digits between agents that are close. With the
    # dimensions first, the sum runs along vectors of agents, which is faster on a CPU.
    each = identity.T
    return ((each[:, :, None] - each[:, None, :]) ** 2).sum(0)


def rounding(opinions: Array) -> Array:
    """`[N]`: by how much rounding may put each out of a closed ball: 0.8 - 0.6 is above 0.2 in any binary precision.

    Args: `opinions [N]` or `[N, D]`; one that is not finite counts as 0.
    """
    size = jnp.where(jnp.isfinite(opinions), jnp.abs(opinions), 0)
    return (size if opinions.ndim == 1 else size.max(1)) * (2 * float(jnp.finfo(opinions.dtype).eps))


def accepts(identity: Array, radius: Any, consent: bool = False) -> Array:
    """Who takes whom for its like: |x_i - x_j| <= radius_i, a ball closed up to rounding, oneself always.

    Args:
      identity: `[N, D]`.
      radius: `[N]` or a number, at least 0, in the unit of an identity.
      consent: whether a tie needs both sides, the smaller radius: agreement to define each other.
    Returns: `[N, N]` bool.
    """
    radius = jnp.broadcast_to(radius, identity.shape[:1])
    reach = jnp.minimum(radius[:, None], radius[None]) if consent else radius[:, None]
    slack = rounding(identity)
    near = distances(identity) <= reach + (slack[:, None] + slack)
    return near | jnp.eye(len(identity), dtype=bool)


def confidence_attention(identity: Array, radius: Any, consent: bool = False, heard: Array | None = None) -> Array:
    """Equal shares to everybody within the radius of confidence.

    Args: as in `accepts` and `masked`.
    Returns: `[N, N]`. With theta = 0 and beta = 1 the mirror is then the synchronous model of Hegselmann & Krause.
    Source: Hegselmann & Krause 2002.
    """
    return masked(accepts(identity, radius, consent).astype(identity.dtype), heard)


def similarity_attention(identity: Array, length: Any, consent: bool = False, heard: Array | None = None) -> Array:
    """Shares in proportion to similarity, exp(-|x_i - x_j|^2 / (2 length_i^2)).

    Args: `length`, `[N]` or a number above 0; with `consent` the shorter of the two; others as in `accepts`.
    Returns: `[N, N]`.
    """
    length = jnp.broadcast_to(length, identity.shape[:1])
    reach = jnp.minimum(length[:, None], length[None]) if consent else length[:, None]
    return masked(jnp.exp(-squared_distances(identity) / (2 * reach**2)), heard)
