"""The random draws of a step of the economy: one block of words, each used once."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxcoord import random

Array = jax.Array
TERMS = 12  # outcomes of a binomial that are enumerated
ENUMERATED_MEAN = 3.0  # up to this mean more than TERMS have a chance below 2e-5


class Draws(NamedTuple):
    """All that chance decides in a step of N agents, M of them issuers."""

    down: Array
    """`[N]` machines out of order, Binomial(nodes, outage)."""
    urgency: Array
    """`[N]` of the users' tasks, Beta(2, 5); 0 for issuers."""
    withdrawal: Array
    """`[N]` uniform: how much an agent withdraws when all is calm."""
    severity: Array
    """`[N]` uniform: how much it withdraws in a run."""
    lends: Array
    """`[M, M]` bool: who is ready to lend to whom, without a diagonal."""


def binomial(uniform: Array, number: Array, chance: Any) -> Array:
    """A binomial number for each uniform one, by its inverse distribution; a rounded normal one beyond a mean of 3.

    Args: `uniform` in [0, 1); `number` of trials, whole; `chance` of each, 0 to 0.5.
    """
    trials = number.astype(uniform.dtype)
    mass = jnp.exp(trials * jnp.log1p(-chance))
    below, found = mass, jnp.zeros_like(number)
    for outcome in range(TERMS):
        found = found + (uniform >= below)
        mass = mass * jnp.maximum(trials - outcome, 0) / (outcome + 1) * (chance / (1 - chance))
        below = below + mass
    mean = trials * chance
    normal = mean + jnp.sqrt(mean * (1 - chance)) * 2**0.5 * jax.lax.erf_inv(
        jnp.clip(2 * uniform - 1, -0.9999999, 0.9999999)
    )
    many = jnp.clip(jnp.round(normal), 0, trials).astype(number.dtype)
    return jnp.minimum(jnp.where(mean > ENUMERATED_MEAN, many, found), number)


def second_smallest(first: Array, second: Array, of: int) -> Array:
    """The second smallest of a number of uniform values, out of two: 1 - u^(1/K) v^(1/(K-1)), Beta(2, K - 1).

    The smallest of K is 1 - u^(1/K), and the next is the smallest of K - 1 that lie above it.
    """
    logs = [jnp.log(jnp.maximum(x, 2.0**-24)) for x in (first, second)]
    return -jnp.expm1(logs[0] / of + logs[1] / (of - 1))


def draw(key: Array, nodes: Array, issuers: int, outage: Any, degree: Any) -> Draws:
    """The draws of a step.

    Args: `nodes` `[N]` machines; `issuers` M; `outage`, chance that a machine is down; `degree`, how many others an
      issuer is ready to lend to, on average.
    """
    agents = nodes.shape[0]
    counter = jnp.arange(5 * agents + issuers**2, dtype=jnp.uint32)
    uniform = random.probability(random.words(random.seeds(key), counter)).astype(float)
    each = uniform[: 5 * agents].reshape(5, agents)
    meets = uniform[5 * agents :].reshape(issuers, issuers) < degree / max(issuers - 1, 1)
    user = jnp.arange(agents) >= issuers
    return Draws(
        binomial(each[0], nodes, outage),
        jnp.where(user, second_smallest(each[1], each[2], 6), 0),
        each[3],
        each[4],
        meets & ~jnp.eye(issuers, dtype=bool),
    )
