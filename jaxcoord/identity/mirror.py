"""The mirror: each agent's identity is made again from its core and from what the others believe that it is.

    P[j, i] <- (1 - eta) P[j, i] + eta ((1 - beta_j) x_i + beta_j x_j + noise)      j's model of i; P[i, i] <- x_i
    x_i     <- theta_i core_i + (1 - theta_i) sum_j W[i, j] P[j, i]

An observer with projection beta = 0 is a perfect mirror, one with beta = 1 sees itself in everybody. The observers'
models `P [N, N, D]` are the theory of mind. Where they are kept up at once (eta = 1) and without noise they need not be
stored: `mirror_step` then needs memory for the attention only, and `mirror_step_on_network` for `[N, K]` of it.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxcoord.errors import ParameterError
from jaxcoord.networks.graph import Graph

Array = jax.Array


def sense(
    perspectives: Array,
    identity: Array,
    projection: Any,
    speed: Any = 1.0,
    noise: Array | None = None,
    heard: Array | None = None,
) -> Array:
    """What each agent believes each other one to be, after one look at it.

    Args:
      perspectives: `[N, N, D]`, entry (j, i): j's model of i.
      identity: `[N, D]`, what each agent expresses.
      projection: beta, `[N]` or a number, 0 to 1: how much an observer sees others as itself.
      speed: eta, 0 to 1: how fast a model follows what is seen. It does not move the fixed point.
      noise: `[N, N, D]`, what is misread, added to what is seen; None: nothing.
      heard: `[N, N]` bool, entry (i, j): i hears j, and so j sees i; other models stay as they are. None: everybody.
    Returns: `[N, N, D]`; the diagonal is the identity itself.
    Source: this library; its fixed point is that of Friedkin & Johnsen 1990 (see `mirror_matrix`).
    """
    # Coefficients are worked out for a pair, so that each of the N^2 D numbers costs three products.
    itself = jnp.eye(len(identity), dtype=bool)
    rate = jnp.where(itself, 1, speed if heard is None else speed * heard.T)
    beta = jnp.where(itself, 0, jnp.broadcast_to(projection, identity.shape[:1])[:, None])
    seen = (rate * (1 - beta))[..., None] * identity[None] + (rate * beta)[..., None] * identity[:, None]
    models = (1 - rate)[..., None] * perspectives + seen
    if noise is None:
        return models
    return models + jnp.where(itself, 0, rate)[..., None] * noise


def synthesize(core: Array, stubbornness: Any, attention: Array, perspectives: Array) -> Array:
    """The identity equation: theta_i core_i + (1 - theta_i) sum_j W[i, j] P[j, i].

    Args: `core [N, D]`; `stubbornness`, theta, `[N]` or a number, 0 to 1; `attention`, W `[N, N]`, row-stochastic;
      `perspectives`, P `[N, N, D]`.
    Returns: `[N, D]`.
    """
    return blend(core, stubbornness, folded(attention.T[:, :, None] * perspectives))


def folded(terms: Array) -> Array:
    """The sum over the leading axis, half onto half: as exact as pairwise summation, and fused with what makes terms.

    On a CPU it takes less than half the time of `sum(0)`, and a quarter of that of a batch of matrix products.

    Args: `terms [N, ...]`, N at least 1. Returns: `[...]`.
    """
    left = None
    while len(terms) > 1:
        half, odd = divmod(len(terms), 2)
        if odd:
            left = terms[-1] if left is None else left + terms[-1]
        terms = terms[:half] + terms[half : 2 * half]
    return terms[0] if left is None else terms[0] + left


def blend(core: Array, stubbornness: Any, mirrored: Array) -> Array:
    """theta core + (1 - theta) mirrored, `[N, D]`.

    Args: `stubbornness [N]` or a number, 0 to 1; the others `[N, D]`.
    Raises: ParameterError for another shape or a stubbornness out of range.
    """
    if core.ndim != 2:
        raise ParameterError(f"core: shape {core.shape}; [N, D] is needed, for one dimension [N, 1]")
    if not isinstance(stubbornness, jax.core.Tracer):
        wrong = [x for x in np.ravel(stubbornness).tolist() if not 0 <= x <= 1]
        if wrong:
            raise ParameterError(f"stubbornness = {wrong[0]}: 0 to 1 is needed")
    theta = jnp.broadcast_to(stubbornness, core.shape[:1])[:, None]
    return theta * core + (1 - theta) * mirrored


def mirror_matrix(attention: Array, projection: Any, signs: Array | None = None) -> Array:
    """The mirror as one matrix G: x_i <- theta_i core_i + (1 - theta_i) sum_j G[i, j] x_j.

    G = diag(W_ii + sum_{j != i} W_ij (1 - beta_j)) + offdiag(W_ij beta_j), row-stochastic: a Friedkin-Johnsen system.

    Args:
      attention: W `[N, N]`, row-stochastic.
      projection: beta, `[N]` or a number, 0 to 1.
      signs: `[N, N]` of -1 and 1: how i takes what j projects, for friends and foes; None: all 1. G then has rows whose
        absolute values sum to at most one.
    Returns: `[N, N]`.
    Raises: ParameterError where the attention is not row-stochastic.
    Source: a Friedkin-Johnsen system (Friedkin & Johnsen 1990) on the mirror's matrix; signed as Altafini 2013.
    """
    attention = row_stochastic(attention)
    pulled = attention * jnp.broadcast_to(projection, attention.shape[:1])[None]
    itself = jnp.eye(len(attention), dtype=bool)
    kept = 1 - pulled.sum(1)
    if signs is None:
        # i sees itself as it is, whatever it projects on others.
        pulled = jnp.where(itself, 0, pulled)
        return pulled + jnp.diag(1 - pulled.sum(1))
    return pulled * signs + jnp.diag(kept)


def mirror_step(
    identity: Array, core: Array, stubbornness: Any, attention: Array, projection: Any, signs: Array | None = None
) -> Array:
    """One step of the mirror with eta = 1 and without noise, where no models need be stored.

    It equals `synthesize(sense(...))`; args as there and in `mirror_matrix`.
    Returns: `[N, D]`.
    """
    return blend(core, stubbornness, mirror_matrix(attention, projection, signs) @ identity)


def mirror_step_on_network(
    identity: Array, core: Array, stubbornness: Any, graph: Graph, projection: Any, weights: Array | None = None
) -> Array:
    """One step of the mirror on a network: `mirror_step` in O(N K D) time and O(N D) memory beside the lists.

    Args:
      identity, core, stubbornness, projection: as in `mirror_step`.
      graph: lists of neighbours, whom each agent hears.
      weights: `[N, K]`, attention to each neighbour, at least 0, at most 1 in all; what is left is on oneself. None:
        equal shares to the neighbours.
    Returns: `[N, D]`.
    """
    beta = jnp.broadcast_to(projection, identity.shape[:1])
    if weights is None:
        weights = 1 / jnp.maximum(graph.valid.sum(1, keepdims=True), 1).astype(identity.dtype)
    weights = jnp.where(graph.valid, weights, 0)

    def add(pulls, tie):
        # One neighbour of everybody at a time: all at once would hold N K D numbers.
        other, weight = tie
        pull = (weight * beta[other])[:, None]
        return pulls + pull * (identity[other] - identity), None

    moved, _ = jax.lax.scan(add, jnp.zeros_like(identity), (graph.neighbours.T, weights.T))
    return blend(core, stubbornness, identity + moved)


def row_stochastic(attention: Array) -> Array:
    """The attention as it is, if it is square, not negative and sums to one in every row.

    Raises: ParameterError otherwise; under `jit` and `vmap` only the shape is looked at.
    """
    attention = jnp.asarray(attention, float)
    if attention.ndim != 2 or attention.shape[0] != attention.shape[1]:
        raise ParameterError(f"attention: shape {attention.shape}; a square matrix [N, N] is needed")
    if isinstance(attention, jax.core.Tracer):
        return attention
    known = np.asarray(attention)  # in NumPy: a constant inside a traced function can be looked at, too
    if not (known >= 0).all():
        raise ParameterError("attention: an entry is negative or not a number; weights of at least 0 are needed")
    total = known.sum(1)
    worst = int(np.abs(total - 1).argmax())
    if abs(total[worst] - 1) > 1e-4:
        raise ParameterError(f"attention: row {worst} sums to {total[worst]:.6g}; every row must to 1")
    return attention
