"""Learners who are right about each other: how far two update rules are from it, and a network that comes close.

A LOLA learner takes the other one for a naive learner. Two rules h1, h2 are consistent where each is the best gradient
step against the other as it is: h1 = eta grad1 [V1(theta1, theta2 + h2(theta1, theta2))], and with both exchanged.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxcoord.games.repeated.learning.shaping import Pair, Values

Array = jax.Array
Updates = Callable[[Array, Array], Pair]


def inconsistency(updates: Updates, values: Values, theta1: Array, theta2: Array, eta: Any) -> Array:
    """Squared distance of two update rules from what each should be, given the other.

    |h1 - eta grad1 [V1(theta1, theta2 + h2)]|^2 + |h2 - eta grad2 [V2(theta1 + h1, theta2)]|^2.

    Args:
      updates: both players' parameters to both their steps (h1, h2), such as eta times a direction.
      values: both players' parameters to what both earn, `[2]`.
      theta1, theta2: where to look.
      eta: the size of a step.
    Source: Willi et al. 2022, eqs. 5, 6 and 9.
    """
    first, second = updates(theta1, theta2)
    need1 = eta * jax.grad(lambda a: values(a, theta2 + updates(a, theta2)[1])[0])(theta1)
    need2 = eta * jax.grad(lambda b: values(theta1 + updates(theta1, b)[0], b)[1])(theta2)
    return jnp.square(first - need1).sum() + jnp.square(second - need2).sum()


class Network(NamedTuple):
    """Steps of both players as a function of the D parameters of both: affine, and one layer of W hidden units."""

    linear: Array
    """`[D, D]`."""
    shift: Array
    """`[D]`."""
    inner: Array
    """`[W, D]`."""
    offset: Array
    """`[W]`."""
    outer: Array
    """`[D, W]`."""


def network_updates(network: Network, theta1: Array, theta2: Array) -> Pair:
    """The steps of both players: linear x + shift + outer tanh(inner x + offset), x being both their parameters."""
    both = jnp.concatenate([theta1, theta2])
    hidden = jnp.tanh(network.inner @ both + network.offset)
    steps = network.linear @ both + network.shift + network.outer @ hidden
    return steps[: len(theta1)], steps[len(theta1) :]


def consistent_network(
    key: Array,
    values: Values,
    sizes: tuple[int, int],
    eta: Any,
    *,
    span: float = 1.0,
    width: int = 16,
    steps: int = 2000,
    batch: int = 32,
    rate: float = 0.01,
) -> tuple[Network, Array]:
    """Consistent LOLA (COLA): a network trained to be consistent with itself, by Adam from steps of zero.

    Args:
      key: of the initial weights and of where the network is trained.
      values: both players' parameters to what both earn, `[2]`.
      sizes: how many parameters each player has.
      eta: the size of a step.
      span: parameters are drawn uniformly between -span and span.
      width: hidden units; 0 leaves an affine rule, which is exact where values are quadratic.
      steps: of the training; batch: parameters in each; rate: of Adam at the start, falling to 0 as a cosine.
    Returns: the network, and its mean inconsistency at each step of the training `[steps]`.
    Source: Willi et al. 2022, section 4.3. Where higher orders of LOLA do not converge it may still.
    """
    import optax

    dims = sum(sizes)
    scale = 1 / (span * dims**0.5)
    start, along = jax.random.split(key)
    weights = scale * jax.random.normal(start, (width, dims + 1))
    network = Network(
        jnp.zeros((dims, dims)), jnp.zeros(dims), weights[:, :dims], span * weights[:, dims], jnp.zeros((dims, width))
    )
    rule = optax.adam(optax.cosine_decay_schedule(rate, steps))

    def loss(network, thetas):
        def one(theta):
            ends = theta[: sizes[0]], theta[sizes[0] :]
            return inconsistency(lambda a, b: network_updates(network, a, b), values, *ends, eta)

        return jax.vmap(one)(thetas).mean()

    def train(carry, number):
        network, state = carry
        thetas = jax.random.uniform(jax.random.fold_in(along, number), (batch, dims), minval=-span, maxval=span)
        cost, slope = jax.value_and_grad(loss)(network, thetas)
        change, state = rule.update(slope, state)
        return (optax.apply_updates(network, change), state), cost

    (network, _), costs = jax.lax.scan(train, (network, rule.init(network)), jnp.arange(steps))
    return network, costs
