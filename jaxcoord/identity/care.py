"""Identity meets payoff: whom an agent helps that weighs others' payoffs by how like itself they are.

Of a pair, U_i = (1 - care) pi_i + care s pi_j, with s the perceived similarity. In the donation game the donor pays c
and the other gains b. Plain functions, batched by `jax.vmap`, in the precision that JAX is set to.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxcoord.errors import ParameterError

Array = jax.Array


def _within(name: str, value: Any, low: float, high: float, allowed: str) -> Array:
    if not isinstance(value, jax.core.Tracer):
        known = np.asarray(value)
        if not ((known >= low) & (known <= high)).all():
            raise ParameterError(f"{name} = {known}: {allowed}")
    return jnp.asarray(value, float)


def _weight(name: str, value: Any) -> Array:
    return _within(name, value, 0, 1, "a number from 0 to 1 is needed")


def _dilemma(benefit: Any, cost: Any) -> tuple[Array, Array]:
    if not isinstance(benefit, jax.core.Tracer) and not isinstance(cost, jax.core.Tracer):
        known = np.asarray(benefit), np.asarray(cost)
        if not ((known[0] > known[1]) & (known[1] > 0)).all():
            raise ParameterError(f"benefit = {benefit}, cost = {cost}: a benefit above a cost above 0 is needed")
    return jnp.asarray(benefit, float), jnp.asarray(cost, float)


def perceived_similarity(identity: Array, perspectives: Array, length: Any) -> Array:
    """s_ij = exp(-|x_i - P[i, j]|^2 / (2 length^2)): how like itself i takes j to be.

    Args: `identity [N, D]`; `perspectives [N, N, D]`, entry (i, j): i's model of j; `length` above 0.
    Returns: `[N, N]`, 1 on the diagonal.
    """
    apart = ((identity[:, None] - perspectives) ** 2).sum(-1)
    return jnp.exp(-apart / (2 * jnp.asarray(length) ** 2))


def effective_payoffs(payoff: Array, similarity: Array, care: Any) -> Array:
    """What each agent of a group strives for: (1 - care_i) pi_i + care_i mean_j s_ij pi_j over the others.

    Of a pair it is (1 - care) pi_i + care s pi_j.

    Args: `payoff [N]`; `similarity [N, N]`, the diagonal does not count; `care`, `[N]` or a number, 0 to 1.
    Returns: `[N]`.
    Source: this library; donations follow Hamilton 1964, with likeness for relatedness.
    """
    care = jnp.broadcast_to(_weight("care", care), payoff.shape)
    weight = similarity * (1 - jnp.eye(len(payoff)))
    return (1 - care) * payoff + care * (weight @ payoff) / max(len(payoff) - 1, 1)


def effective_game(payoff: Array, care: Any, similarity: Any) -> Array:
    """The game that two who care play: (1 - care) A + care s A^T.

    Args: `payoff`, A `[S, S]`, of the row against the column strategy; `care`, `similarity`: numbers, 0 to 1.
    Returns: `[S, S]`.
    """
    payoff = jnp.asarray(payoff, float)
    care = _weight("care", care)
    return (1 - care) * payoff + care * similarity * payoff.T


def care_threshold(benefit: Any, cost: Any, similarity: Any) -> Array:
    """The care above which one donates: c / (c + s b), from care s b > (1 - care) c.

    Args: numbers or arrays that broadcast; benefit > cost > 0; `similarity` 0 to 1.
    At care = 1/2 it is Hamilton's s b > c, with s for relatedness.
    """
    benefit, cost = _dilemma(benefit, cost)
    return cost / (cost + jnp.asarray(similarity, float) * benefit)


def competition(care: Any, similarity: Any) -> Array:
    """What caring leaves of a zero-sum payoff: 1 - care - care s.

    It is zero on the line care (1 + s) = 1 only; below zero both try to lose.
    """
    care = _weight("care", care)
    return 1 - care - care * jnp.asarray(similarity, float)


def peaceful_care(similarity: Any) -> Array:
    """The care at which a zero-sum game is nobody's concern, 1 / (1 + s). Beyond it everyone is after losing."""
    return 1 / (1 + jnp.asarray(similarity, float))


def cooperation_radius(length: Any, care: Any, benefit: Any, cost: Any) -> Array:
    """How far apart two identities may be whose bearers still donate: length sqrt(2 ln(care b / ((1 - care) c))).

    Args: `length` of similarity, above 0; `care` 0 to 1; benefit > cost > 0. Numbers or arrays that broadcast.
    Returns: the radius; -1 where even one's double would get nothing, infinite at care = 1. Divide it by the deviation
      factor of `uniform_mirror` for a radius in cores, and by 1 - beta if the others are seen through the mirror's
      perspectives and not as they are.
    """
    benefit, cost = _dilemma(benefit, cost)
    care = _weight("care", care)
    ratio = care * benefit / ((1 - care) * cost)
    willing = ratio > 1
    return jnp.where(willing, length * jnp.sqrt(2 * jnp.log(jnp.where(willing, ratio, 1))), -1.0)


def cooperating_share(radius: Any, deviation_factor: Any, spread: Any, dimensions: int) -> Array:
    """Share of pairs whose identities lie within a radius, of cores drawn from N(0, spread^2) in each dimension.

    The chi-square distribution of D degrees of freedom at radius^2 / (2 f^2 spread^2); erf(radius / (2 f spread)) for
    D = 1. It holds on average over draws of the cores.

    Args: `radius` as from `cooperation_radius`, nobody below zero; `deviation_factor` f; `spread` above 0.
    """
    apart = jnp.asarray(radius, float) / (2 * jnp.asarray(deviation_factor) * spread)
    share = jax.scipy.special.gammainc(dimensions / 2, jnp.where(apart > 0, apart, 0) ** 2)
    return jnp.where(apart >= 0, share, 0.0)


class Invasion(NamedTuple):
    """Cooperators against exploiters who are accepted with another probability (see `exploiter_invasion`)."""

    threshold: Array
    """p*, the share of cooperators below which exploiters take over; above 1 they always do."""
    resists: Array
    """Whether cooperators, being common, keep exploiters out: a_CE / a_CC < 1 - c/b."""


def exploiter_invasion(benefit: Any, cost: Any, accepted: Any, accepted_exploiter: Any) -> Invasion:
    """Exploiters receive and never give: the share of cooperators that holds out against them.

    p* = a_CE c / ((a_CC - a_CE)(b - c)) under replicator dynamics on material payoff.

    Args: benefit > cost > 0; `accepted`, a_CC, with which cooperators accept each other; `accepted_exploiter`, a_CE;
      numbers or arrays that broadcast, 0 to 1.
    Returns: an `Invasion`; where a_CE is at least a_CC there is no threshold and it is infinite.
    Source: this library; donations follow Hamilton 1964, with likeness for relatedness.
    """
    benefit, cost = _dilemma(benefit, cost)
    among = _weight("accepted", accepted)
    exploited = _weight("accepted_exploiter", accepted_exploiter)
    gap = among - exploited
    threshold = jnp.where(gap > 0, exploited * cost / (jnp.where(gap > 0, gap, 1) * (benefit - cost)), jnp.inf)
    return Invasion(threshold, exploited * benefit < among * (benefit - cost))


def entangled_action(own: Array, collective: Array, blend: Any) -> Array:
    """The entangled decision: (1 - e) times the own optimum + e times the collective one. Args broadcast."""
    return (1 - jnp.asarray(blend)) * own + blend * collective


def entangled_loss(optimum: Array, blend: Any, discord: Any) -> Array:
    """Mean loss of a group that blends: of each for leaving its own optimum, gamma times that of being apart.

    With V the variance of the optima and their mean for the collective one: e^2 V + gamma (1 - e)^2 V.

    Args: `optimum [N]`; `blend` e, 0 to 1; `discord` gamma, cost of differing over that of being away from oneself.
    """
    action = entangled_action(optimum, optimum.mean(), blend)
    return ((action - optimum) ** 2).mean() + discord * action.var()


def best_blend(discord: Any) -> Array:
    """e* = gamma / (1 + gamma), the blend of least `entangled_loss`, which there is e* times the variance."""
    discord = _within("discord", discord, 0, jnp.inf, "a cost of at least 0 is needed")
    return discord / (1 + discord)
