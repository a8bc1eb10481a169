"""A common pool: memory that everybody may use, what selfish use costs, and what an accord with fines can hold.

A page of the pool is worth a - b X to its user when X pages are in use, and w elsewhere. A pool that heals itself is a
stock that grows by itself and is harvested by effort.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxcoord import random
from jaxcoord.market import checks
from jaxcoord.model import Model, observable, param, static

Array = jax.Array


class Commons(NamedTuple):
    """A static pool in closed form; rent is what use of the pool earns above w."""

    nash_each: Array
    """Pages of each in the Nash equilibrium."""
    nash_total: Array
    optimum_total: Array
    """Pages in use at the largest rent."""
    nash_rent: Array
    optimum_rent: Array
    full_dissipation: Array
    """Pages at which no rent is left."""


def static_pool(agents: Any, a: Any, b: Any, outside: Any) -> Commons:
    """Nash equilibrium and optimum of a pool: x = (a - w) / (b (n + 1)), X = (a - w) / (2 b), no rent at (a - w) / b.

    Args: `agents`, n, at least 1; `a`, worth of the first page; `b`, above 0, its fall with each page; `outside`, w, at
      most a. They broadcast.
    Raises: ParameterError where a number is out of range.
    Source: Ostrom, Gardner & Walker 1994, chapter 5.
    """
    agents = checks.within("agents", agents, 1, jnp.inf, "at least 1 is needed")
    a, b, outside = checks.finite("a", a), checks.above("b", b), checks.finite("outside", outside)
    checks.broadcasting(agents=agents, a=a, b=b, outside=outside)
    checks.at_most("outside", outside, "a", a)
    return _static_pool(agents, a, b, outside)


def _static_pool(agents: Any, a: Any, b: Any, outside: Any) -> Commons:
    # A pool that is worth less than what is outside, as a model may have one, is used by nobody.
    full = jnp.maximum(jnp.asarray(a, float) - outside, 0) / b
    each = full / (agents + 1)

    def rent(total: Array) -> Array:
        return total * (a - b * total - outside)

    return Commons(each, agents * each, full / 2, rent(agents * each), rent(full / 2), full)


class Accord(NamedTuple):
    """An accord on a static pool in closed form."""

    quota: Array
    """Pages of each: its part of the optimum."""
    gain: Array
    """What the first page over quota earns."""
    least_fine: Array
    """Smallest fine per page over quota that holds the accord."""
    welfare_gain: Array
    """Rent above that of the Nash equilibrium."""


def pool_accord(agents: Any, a: Any, b: Any, outside: Any, audit: Any) -> Accord:
    """Quotas of the optimum / n hold themselves iff audit probability times fine is at least (a - w)(n - 1) / (2 n).

    Args: as for `static_pool`; `audit`, probability that use is checked, above 0.
    Raises: ParameterError where a number is out of range.
    """
    audit = checks.within("audit", audit, checks.ABOVE_ZERO, 1, "a probability above 0 is needed")
    return _accord(static_pool(agents, a, b, outside), agents, a, outside, audit)


def _accord(pool: Commons, agents: Any, a: Any, outside: Any, audit: Any) -> Accord:
    gain = jnp.maximum(jnp.asarray(a, float) - outside, 0) * (jnp.asarray(agents, float) - 1) / (2 * agents)
    return Accord(pool.optimum_total / agents, gain, gain / audit, pool.optimum_rent - pool.nash_rent)


def best_use(
    others: Array, a: Any, b: Any, outside: Any, endowment: Any, quota: Any = jnp.inf, fine: Any = 0.0
) -> Array:
    """The use x that earns most beside the use of others: x (a - b (x + others) - w) - fine (x - quota)+.

    Args: `others`, pages; `a`, `b`, `outside` as for `static_pool`; `endowment`, the most it can use; `quota`, pages;
      `fine`, expected, for a page over quota. They broadcast.
    """
    free = (a - outside - b * others) / (2 * b)
    fined = free - fine / (2 * b)
    # Below quota the fine does not count, above it does, and between the two slopes the quota itself is best.
    return jnp.clip(jnp.where(free <= quota, free, jnp.maximum(fined, quota)), 0, endowment)


class Use(NamedTuple):
    """A pool and who uses it."""

    pages: Array
    """`[N]` of each."""
    offences: Array
    """`[N]` int32, audits that found each over quota."""
    earned: Array
    """`[N]` in the last step, fines paid and shared included."""


class CommonPool(Model):
    """Agents who use a pool as suits them best, one of them reconsidering in a step; with an accord on quotas or not.

    Under the accord everybody's quota is its part of the optimum. With probability `audit` an agent's use is checked,
    and what it has over quota costs `fine` a page, twice as much after each offence; fines are shared among all.
    Without audits, or without a fine, the pool goes to its Nash equilibrium.
    Source: Ostrom, Gardner & Walker 1994; graduated sanctions of Ostrom 1990.
    """

    a: float = param(23.0, doc="worth of the first page of the pool", unit="credits/page", low=0)
    b: float = param(0.25, doc="fall of that worth with every page in use", unit="credits/page²", low=1e-6)
    outside: float = param(5.0, doc="w, worth of a page elsewhere", unit="credits/page", low=0)
    endowment: float = param(25.0, doc="most pages that an agent can use", unit="pages", low=0)
    audit: float = param(0.0, doc="probability that an agent's use is checked in a step", low=0, high=1)
    fine: float = param(0.0, doc="fine for a page over quota at the first offence", unit="credits/page", low=0)
    size: int = static(8, doc="N, agents", low=2, high=10_000)

    total = observable(doc="pages in use", unit="pages")
    rent = observable(doc="what use earns above w, over the most that it could; below 0 the pool is overrun")
    compliant = observable(doc="share of agents within quota")
    offences = observable(doc="audits so far that found somebody over quota")
    earned = observable(doc="mean of what an agent earned in the step, fines and the use elsewhere included",
                        unit="credits")  # fmt: skip

    def accord(self) -> Accord:
        """Quota and gain of the accord; its audit probability is kept from zero."""
        pool = _static_pool(self.size, self.a, self.b, self.outside)
        return _accord(pool, self.size, self.a, self.outside, jnp.maximum(self.audit, 1e-9))

    def init(self, key: Array) -> Use:
        """Uniform use up to the endowment."""
        pages = jax.random.uniform(key, (self.size,)) * self.endowment
        return Use(pages, jnp.zeros(self.size, jnp.int32), jnp.zeros_like(pages))

    def step(self, state: Use, key: Array) -> Use:
        words = random.words(random.seeds(key), jnp.arange(self.size + 1, dtype=jnp.uint32))
        quota = self.accord().quota
        # Doubled at most sixty times: beyond, it is more than there is anyway, and a number must stay finite.
        fines = self.fine * jnp.exp2(jnp.minimum(state.offences, 60))
        agent = random.index_below(words[0], jnp.uint32(self.size))
        turn = jnp.arange(self.size, dtype=jnp.uint32) == agent
        total = state.pages.sum()
        best = best_use(total - state.pages, self.a, self.b, self.outside, self.endowment, quota, self.audit * fines)
        pages = jnp.where(turn, best, state.pages)
        # A quota in floating point is kept by who is within a millionth of it.
        over = jnp.where(pages > quota * (1 + 1e-6), pages - quota, 0)
        caught = (random.probability(words[1:]) < self.audit) & (over > 0) & (self.fine > 0)
        paid = jnp.where(caught, fines * over, 0)
        worth = pages * (self.a - self.b * pages.sum()) + self.outside * (self.endowment - pages)
        return Use(pages, state.offences + caught, worth - paid + paid.mean())

    def observe(self, state: Use) -> dict[str, Array]:
        pool = _static_pool(self.size, self.a, self.b, self.outside)
        total = state.pages.sum()
        rent = total * (self.a - self.b * total - self.outside)
        return {
            "total": total,
            "rent": rent / jnp.where(pool.optimum_rent > 0, pool.optimum_rent, 1),
            "compliant": (state.pages <= self.accord().quota * (1 + 1e-6)).mean(dtype=total.dtype),
            "offences": state.offences.sum().astype(total.dtype),
            "earned": state.earned.mean(),
        }

    @property
    def agents(self) -> int:
        """One agent reconsiders in a step, but all use the pool."""
        return self.size
