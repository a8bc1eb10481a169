"""Which way a learner moves its policy: up its own gradient, or with the other one's learning reckoned in.

Every function takes `values`, any differentiable function of both players' parameters to what both earn `[2]`, and
returns two directions to ascend, one for each player. Nothing is special to repeated games: one gradient is taken of
another. A player's direction assumes that the other one makes a step of rate `eta` at the same time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxcoord.errors import ParameterError, nearest

Array = jax.Array
Pair = tuple[Array, Array]
Values = Callable[[Array, Array], Array]


def gradients(values: Values, theta1: Array, theta2: Array) -> tuple[Pair, Pair]:
    """All first derivatives: ((grad1 V1, grad2 V2), (grad2 V1, grad1 V2)), one's own and those by the other's."""
    by_first, by_second = jax.jacrev(values, (0, 1))(theta1, theta2)
    return (by_first[0], by_second[1]), (by_second[0], by_first[1])


def shaping_term(values: Values, theta1: Array, theta2: Array, across: Pair) -> Pair:
    """What a player gains by turning the other one's step: (grad2 V1)^T d/dtheta1 (grad2 V2), and with both exchanged.

    Args: `values` that the other one's gradient is taken of; `across`, the pair (grad2 V1, grad1 V2).
    """
    first = jax.grad(lambda a: across[0] @ jax.grad(lambda b: values(a, b)[1])(theta2))(theta1)
    second = jax.grad(lambda b: across[1] @ jax.grad(lambda a: values(a, b)[0])(theta1))(theta2)
    return first, second


def anticipation_term(values: Values, theta1: Array, theta2: Array, own: Pair) -> Pair:
    """How the other one's step changes one's own slope: d/dtheta1 (grad2 V1)^T (grad2 V2 held fixed), and exchanged.

    Args: `own`, the pair (grad1 V1, grad2 V2).
    """
    first = jax.grad(lambda a: own[1] @ jax.grad(lambda b: values(a, b)[0])(theta2))(theta1)
    second = jax.grad(lambda b: own[0] @ jax.grad(lambda a: values(a, b)[1])(theta1))(theta2)
    return first, second


def naive_direction(values: Values, theta1: Array, theta2: Array, eta: Any = 0.0) -> Pair:
    """The gradient of one's own value, as if the other one stood still; `eta` is not used."""
    return gradients(values, theta1, theta2)[0]


def lola_direction(values: Values, theta1: Array, theta2: Array, eta: Any = 1.0) -> Pair:
    """Learning with opponent-learning awareness, first order: grad1 V1 + eta (grad2 V1)^T d/dtheta1 (grad2 V2).

    Args: `values`, see the module; `theta1`, `theta2`, parameters; `eta`, the step that the other is taken to make.
    Returns: the directions of both players.
    Source: Foerster et al. 2018, section 4.2: of the Taylor expansion of V1(theta1, theta2 + eta grad2 V2) without the
      term that `look_ahead_direction` has.
    """
    own, across = gradients(values, theta1, theta2)
    return _plus(own, eta, shaping_term(values, theta1, theta2, across))


def look_ahead_direction(values: Values, theta1: Array, theta2: Array, eta: Any = 1.0) -> Pair:
    """The gradient of one's own value after the other one's step, which one cannot turn, to first order.

    grad1 V1 + eta d/dtheta1 (grad2 V1)^T (grad2 V2 held fixed).
    Args and returns as in `lola_direction`. Source: Zhang & Lesser 2010; as LookAhead in Letcher et al. 2019.
    """
    own, _ = gradients(values, theta1, theta2)
    return _plus(own, eta, anticipation_term(values, theta1, theta2, own))


def higher_order_direction(values: Values, theta1: Array, theta2: Array, eta: Any = 1.0, order: int = 1) -> Pair:
    """The exact gradient of one's own value after the other one's step, not its Taylor expansion.

    d^0 = naive, d1^n = grad1 [V1(theta1, theta2 + eta d2^(n-1)(theta1, theta2))], and with both exchanged. Order 1 is
    LOLA with the exact look-ahead: the other is taken for a naive learner. Order n takes it for one of order n - 1.
    Where it converges as n grows the two learners are right about each other (see `inconsistency`).

    Args: as in `lola_direction`; `order`, at least 0: as many gradients plus one are nested.
    Source: Foerster et al. 2018, section 4.5; Willi et al. 2022 (HOLA).
    """

    def first(a, b, order):
        def reached(a):
            return values(a, b + eta * second(a, b, order - 1) if order else b)[0]

        return jax.grad(reached)(a)

    def second(a, b, order):
        def reached(b):
            return values(a + eta * first(a, b, order - 1) if order else a, b)[1]

        return jax.grad(reached)(b)

    return first(theta1, theta2, order), second(theta1, theta2, order)


def stable_direction(
    values: Values, theta1: Array, theta2: Array, eta: Any = 1.0, reach: Any = 0.5, calm: Any = 0.1
) -> Pair:
    """Stable opponent shaping (SOS): look-ahead plus as much of the shaping term as does not turn it around.

    With xi the naive gradient, xi0 the look-ahead and chi the shaping term of both players together, xi0 + p eta chi.
    p = min(p1, p2); p1 = 1 where eta chi . xi0 > 0, otherwise min(1, reach |xi0|^2 / |eta chi . xi0|); p2 = |xi|^2
    where |xi| < calm, otherwise 1. So it comes to rest only where the naive gradient vanishes.

    Args: as in `lola_direction`; `reach` and `calm`, a and b of the paper, between 0 and 1.
    Source: Letcher et al. 2019, algorithm 1.
    """
    own, across = gradients(values, theta1, theta2)
    ahead = _plus(own, eta, anticipation_term(values, theta1, theta2, own))
    shaping = shaping_term(values, theta1, theta2, across)
    along = eta * _dot(shaping, ahead)
    against = jnp.where(along > 0, 1.0, -along)  # 1 where it is not used: the quotient stays finite
    first = jnp.where(along > 0, 1.0, jnp.minimum(1.0, reach * _dot(ahead, ahead) / jnp.maximum(against, 1e-30)))
    steep = _dot(own, own)
    second = jnp.where(steep < calm**2, steep, 1.0)
    return _plus(ahead, eta * jnp.minimum(first, second), shaping)


def symplectic_direction(values: Values, theta1: Array, theta2: Array, eta: Any = 1.0) -> Pair:
    """Symplectic gradient adjustment: the naive gradient turned by the part of the game in which the players circle.

    With xi the gradient of the losses -V of both players, H its Jacobian and A = (H - H^T) / 2: -(xi + l A^T xi). The
    size of l is `eta`, its sign that of (xi . g)(A^T xi . g) / d^2 + 1/10 with g = H^T xi, of d numbers: towards rest
    points that are stable, away from others.
    Source: Balduzzi et al. 2018, with their alignment.
    """

    def losses_field(a, b):
        return jax.tree.map(jnp.negative, naive_direction(values, a, b))

    here = (theta1, theta2)
    xi, turned = jax.jvp(losses_field, here, losses_field(*here))
    transposed = jax.vjp(losses_field, *here)[1](xi)
    adjustment = jax.tree.map(lambda t, h: (t - h) / 2, transposed, turned)
    number = theta1.size + theta2.size
    aligned = _dot(xi, transposed) * _dot(adjustment, transposed) / number**2 + 0.1
    return jax.tree.map(jnp.negative, _plus(xi, eta * jnp.sign(aligned), adjustment))


LEARNERS: dict[str, Callable[..., Pair]] = {
    "naive": naive_direction,
    "lola": lola_direction,
    "lola-exact": higher_order_direction,
    "look-ahead": look_ahead_direction,
    "stable": stable_direction,
    "symplectic": symplectic_direction,
}


def updated(
    values: Values, theta1: Array, theta2: Array, *, learner: str = "lola", delta: Any = 1.0, eta: Any = 1.0
) -> Pair:
    """Both players' parameters after one step at the same time, theta + delta times the direction of the learner.

    Args: `learner`, a name of `LEARNERS`; `delta`, the step of both; `eta`, the step that each takes the other to make.
    Raises: ParameterError for an unknown learner.

    Example:
      >>> import jax.numpy as jnp
      >>> values = lambda x, y: jnp.stack([(x * y).sum(), -(x * y).sum()])
      >>> [float(theta[0]) for theta in updated(values, jnp.ones(1), jnp.ones(1), learner="naive", delta=0.5)]
      [1.5, 0.5]
    """
    if learner not in LEARNERS:
        raise ParameterError(f"learner = {learner!r}: unknown{nearest(learner, LEARNERS)}")
    return _plus((theta1, theta2), delta, LEARNERS[learner](values, theta1, theta2, eta))


def _plus(pair: Pair, scale: Any, other: Pair) -> Pair:
    return pair[0] + scale * other[0], pair[1] + scale * other[1]


def _dot(one: Pair, other: Pair) -> Array:
    return (one[0] * other[0]).sum() + (one[1] * other[1]).sum()
