"""Who has the say, issue after issue: one's weight on oneself becomes the power one had (reflected appraisal)."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxcoord.errors import ParameterError
from jaxcoord.identity.opinions import checked_weights, closed_groups, effective_number, perron
from jaxcoord.model import Model, observable, param, static

Array = jax.Array


def centrality(relations: Any) -> Array:
    """The left Perron vector c of relative weights: how central each agent is to those to whom the others listen.

    Args: `relations [N, N]`, row-stochastic with zero diagonal, irreducible, N at least 2.
    Returns: `[N]`, summing to one; at most 1/2 each, which only the centre of a star has.
    Raises: ParameterError for other relations.
    """
    relations = checked_weights(relations, "relations")
    if not isinstance(relations, jax.core.Tracer):
        if np.diagonal(relations).any():
            agent = int(np.flatnonzero(np.diagonal(relations))[0])
            raise ParameterError(f"relations[{agent}, {agent}]: 0 is needed, it weighs the others only")
        groups = closed_groups(relations)
        if len(groups[0]) < len(relations):
            raise ParameterError(f"relations: agents {groups[0]} listen to nobody else; all must lead to each other")
    return perron(relations)


def influence_matrix(power: Any, relations: Any) -> Array:
    """What everybody listens to when its weight on itself is its power: diag(y) + (I - diag(y)) C.

    Args: `power [N]`, y, 0 to 1; `relations [N, N]`, C, row-stochastic with zero diagonal.
    Returns: `[N, N]`, row-stochastic.
    Source: Friedkin 2011.
    """
    power = jnp.asarray(power, float)
    return jnp.diag(power) + (1 - power)[:, None] * jnp.asarray(relations, float)


def appraisal_step(power: Any, centrality: Any) -> Array:
    """Power after one more issue: c_i / (1 - y_i), divided by the sum; all of it to an agent that has all.

    It is the left Perron vector of `influence_matrix`.

    Args: `power [N]`, y, summing to one; `centrality [N]`, c.
    Returns: `[N]`.
    Source: Friedkin 2011; Jia, MirTabatabaei, Friedkin & Bullo 2015, lemma 2.2.
    """
    power, centrality = jnp.asarray(power, float), jnp.asarray(centrality, float)
    whole = power >= 1
    raw = centrality / jnp.where(whole, 1, 1 - power)
    return jnp.where(whole.any(), whole.astype(power.dtype), raw / raw.sum())


def settled_power(centrality: Any) -> Array:
    """Where power settles: the interior point at which y_i (1 - y_i) / c_i is the same for all.

    Solved by bisection on the power u of the most central agent, the others having the smaller root of
    y (1 - y) = c u (1 - u) / c_max. Of a star's centre, with c = 1/2, it is 1: autocracy, which the dynamics reach only
    as slowly as 1/t.

    Args: `centrality [N]`, c, N at least 3, positive and summing to one, none above 1/2.
    Returns: `[N]`.
    Source: Jia, MirTabatabaei, Friedkin & Bullo 2015, theorem 4.1.
    """
    centrality = jnp.asarray(centrality, float)
    size = centrality.shape[0]
    if not isinstance(centrality, jax.core.Tracer):
        values = np.asarray(centrality)
        if size < 3 or not (values > 0).all() or abs(values.sum() - 1) > 1e-5 or values.max() > 0.5 + 1e-5:
            raise ParameterError(
                f"centrality: {values.tolist()}; three or more shares above 0, of at most 1/2, are needed"
            )
    top = jnp.arange(size) == jnp.argmax(centrality)
    ratio = centrality / centrality.max()

    def all_of_them(most):
        product = ratio * most * (1 - most)
        # The smaller root, without a difference of nearly equal numbers.
        others = 2 * product / (1 + jnp.sqrt(jnp.maximum(1 - 4 * product, 0)))
        return jnp.where(top, most, others)

    def halve(_, ends):
        low, high = ends
        middle = (low + high) / 2
        short = all_of_them(middle).sum() < 1
        return jnp.where(short, middle, low), jnp.where(short, high, middle)

    ends = (jnp.zeros((), centrality.dtype), jnp.ones((), centrality.dtype))
    low, _ = jax.lax.fori_loop(0, 60, halve, ends)
    found = all_of_them(jnp.where(centrality.max() >= 0.5, 1, low).astype(centrality.dtype))
    return found / found.sum()


class Council(NamedTuple):
    """N agents who decide one issue after another."""

    power: Array
    """`[N]`, each one's say in the last issue."""
    centrality: Array
    """`[N]`."""


class SocialPower(Model, name="social-power"):
    """Power among agents over a sequence of issues; a step is an issue, discussed to consensus.

    Relative weights are drawn once: the first agent gets the extra weight `centre` in everybody's eyes, so that from
    random (0) it goes to a star (large). Each begins with the same power.
    Source: Friedkin 2011; Jia, MirTabatabaei, Friedkin & Bullo 2015.
    """

    centre: float = param(0.0, doc="extra weight of the first agent, where a random weight is 1 on average", low=0)
    size: int = static(10, doc="N, agents", unit="individuals", low=3)

    power = observable(dims=("agent",), doc="share in the decision of the last issue")
    top = observable(doc="largest share of power")
    crowd = observable(
        doc="agents of equal power that would make a mean as good: 1 / sum of squares", unit="individuals"
    )
    unsettled = observable(doc="largest difference from the power in which it settles")

    def init(self, key: Array) -> Council:
        raw = jax.random.exponential(key, (self.size, self.size))
        raw = raw + self.centre * (jnp.arange(self.size) == 0)
        raw = jnp.where(jnp.eye(self.size, dtype=bool), 0, raw)
        return Council(jnp.full(self.size, 1 / self.size), perron(raw / raw.sum(1, keepdims=True)))

    def step(self, state: Council, key: Array) -> Council:
        return state._replace(power=appraisal_step(state.power, state.centrality))

    def observe(self, state: Council) -> dict[str, Array]:
        power = state.power
        off = jnp.abs(power - settled_power(state.centrality)).max()
        return {"power": power, "top": power.max(), "crowd": effective_number(power), "unsettled": off}

    @property
    def agents(self) -> int:
        return self.size
