"""Where the mirror comes to rest, and who has defined whom then: closed forms of capture and of contested identity.

All are pure, batched by `jax.vmap` and differentiable, in the precision that JAX is set to.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxcoord.errors import ParameterError
from jaxcoord.identity.mirror import row_stochastic

Array = jax.Array


def fixed_point(core: Array, stubbornness: Any, matrix: Array) -> Array:
    """Where x <- Theta core + (I - Theta) G x comes to rest: (I - (I - Theta) G)^-1 Theta core.

    Args:
      core: `[N]` or `[N, D]`.
      stubbornness: theta, `[N]` or a number, 0 to 1.
      matrix: G `[N, N]`, row-stochastic, as from `mirror_matrix`.
    Returns: an array like `core`. It is unique where every agent reaches, through G, one with theta above 0; without
      that no entry of the result is finite.
    Raises: ParameterError where the matrix is not row-stochastic, or some agent reaches no core.
    Source: Friedkin & Johnsen 1990.
    """
    core, matrix = jnp.asarray(core, float), row_stochastic(matrix)
    theta = jnp.broadcast_to(jnp.asarray(stubbornness, float), core.shape[:1])
    if not isinstance(matrix, jax.core.Tracer) and not isinstance(theta, jax.core.Tracer):
        _anchored(theta, matrix)
    system = jnp.eye(len(core)) - (1 - theta)[:, None] * matrix
    return jnp.linalg.solve(system, theta.reshape((-1,) + (1,) * (core.ndim - 1)) * core)


def _anchored(theta: Any, matrix: Any) -> None:
    heeds, reached = np.asarray(matrix) > 0, np.asarray(theta) > 0
    number = -1
    while number < reached.sum():  # until nobody new is found who heeds one that is anchored
        number = reached.sum()
        reached = reached | (heeds & reached[None]).any(1)
    if not reached.all():
        lost = int(reached.argmin())
        raise ParameterError(f"stubbornness: agent {lost} heeds nobody, however far, who keeps a core (theta above 0)")


def uniform_fixed_point(core: Array, stubbornness: Any, projection: Any) -> Array:
    """`fixed_point` where everybody heeds everybody alike (W = 1/N), in O(N D).

    x_i = (theta_i core_i + (1 - theta_i) B m) / q_i, with B the mean projection, q_i = theta_i + (1 - theta_i) B, and m
    the mean of the cores with weights beta_i theta_i / q_i.

    Args: `core [N, D]`; `stubbornness`, `projection`: `[N]` or numbers, 0 to 1. Some agent has both above 0, else m is
      taken for zero.
    Returns: `[N, D]`.
    """
    theta = jnp.broadcast_to(stubbornness, core.shape[:1])[:, None]
    beta = jnp.broadcast_to(projection, core.shape[:1])[:, None]
    pull = beta.mean()
    anchor = theta + (1 - theta) * pull
    anchor = jnp.where(anchor > 0, anchor, 1)
    weight = beta * theta / anchor
    total = weight.sum()
    common = (weight * core).sum(0) / jnp.where(total > 0, total, 1)
    return (theta * core + (1 - theta) * pull * common) / anchor


class UniformMirror(NamedTuple):
    """The mirror where everybody is alike and heeds everybody alike (see `uniform_mirror`)."""

    susceptibility: Array
    """a, the Friedkin-Johnsen weight of the others: (1-theta) beta / (theta + (1-theta) beta)."""
    deviation_factor: Array
    """f = 1 - a: how far identities lie from their mean, over how far cores do."""
    uniqueness: Array
    """f^2: variance of identities over that of cores."""
    mean_rate: Array
    """1 - theta: what a step leaves of an error in the mean."""
    deviation_rate: Array
    """(1-theta)(1-beta): what a step leaves of an error in the deviations."""


def uniform_mirror(stubbornness: Any, projection: Any) -> UniformMirror:
    """Closed forms for W = 1/N and a common theta and beta, not both zero, at eta = 1.

    Args: both numbers or arrays that broadcast, 0 to 1.
    Source: derived from Friedkin & Johnsen 1990 for equal weights.
    """
    theta, beta = jnp.asarray(stubbornness, float), jnp.asarray(projection, float)
    anchor = theta + (1 - theta) * beta
    factor = theta / anchor
    return UniformMirror((1 - theta) * beta / anchor, factor, factor**2, 1 - theta, (1 - theta) * (1 - beta))


def camp_shares(size: Any, numbers: Any, stubbornness: Any, projections: Any) -> Array:
    """How much of the adaptive agents' mean identity each camp of agents that never adapt has made: a tug of war.

    (1-theta) k_g beta_g / ((1-theta) sum_h k_h beta_h + N theta), under W = 1/N. What is left is their own cores'. The
    adaptive agents' own projection does not enter, so long as they have it in common.

    Args:
      size: N, all agents.
      numbers: k `[C]`, agents of each camp, who share one core.
      stubbornness: theta of the adaptive agents, 0 to 1.
      projections: beta `[C]` of each camp, 0 to 1.
    Returns: `[C]`, shares of the camps.
    Raises: ParameterError where the camps have more agents than there are.
    """
    numbers, projections, theta = (jnp.asarray(x, float) for x in (numbers, projections, stubbornness))
    if not isinstance(numbers, jax.core.Tracer) and not isinstance(size, jax.core.Tracer) and np.sum(numbers) > size:
        raise ParameterError(f"numbers = {numbers.tolist()}: more than the {size} agents that there are")
    pulls = (1 - theta) * numbers * projections
    return pulls / (pulls.sum() + size * theta)


def capture_share(size: Any, captors: Any, stubbornness: Any, projection: Any) -> Array:
    """kappa, how much of the others' mean identity agents who never adapt have made: `camp_shares` of one camp.

    Args: `size` N; `captors` k; `stubbornness` theta of the others; `projection` of the captors; numbers or arrays that
      broadcast.
    Returns: the share; it tends to one as theta tends to zero, for any k of at least one.
    """
    size, captors, theta, beta = (jnp.asarray(x, float) for x in (size, captors, stubbornness, projection))
    pull = (1 - theta) * captors * beta
    return pull / (pull + size * theta)


def half_capture(size: Any, captors: Any, projection: Any) -> Array:
    """The stubbornness at which `capture_share` is one half: k beta / (N + k beta). Args: as there."""
    size, captors, beta = (jnp.asarray(x, float) for x in (size, captors, projection))
    return captors * beta / (size + captors * beta)


def dyad(core: Array, stubbornness: Any) -> Array:
    """Two agents who see themselves in each other (W = [[0, 1], [1, 0]], beta = 1): whose definition wins.

    x1 = (theta1 c1 + (1-theta1) theta2 c2) / D, and x2 likewise, with D = theta1 + theta2 - theta1 theta2.

    Args: `core`, `[2]` or `[2, D]`; `stubbornness [2]`, not both zero.
    Returns: an array like `core`.
    """
    core, theta = jnp.asarray(core, float), jnp.asarray(stubbornness, float)
    both = theta[0] + theta[1] - theta[0] * theta[1]
    own, other = theta[:, None], theta[::-1, None]
    flat = core.reshape(2, -1)
    return ((own * flat + (1 - own) * other * flat[::-1]) / both).reshape(core.shape)
