"""A pool that heals itself: a stock with logistic growth, harvested by effort, and the tragedy of open access."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxcoord.model import Model, observable, param, static

Array = jax.Array


class Renewable(NamedTuple):
    """Steady states of a self-healing pool in closed form."""

    largest_harvest: Array
    """The largest harvest that lasts, rho K / 4."""
    largest_harvest_effort: Array
    open_access_effort: Array
    """Effort that leaves no rent."""
    open_access_stock: Array
    nash_effort: Array
    """All effort of n agents in the Nash equilibrium."""
    nash_stock: Array
    optimum_effort: Array
    """Effort with the largest rent."""
    optimum_stock: Array
    optimum_rent: Array
    nash_rent: Array
    collapse_effort: Array
    """Effort from which on nothing is left."""


def renewable_pool(growth: Any, capacity: Any, catchability: Any, cost: Any, price: Any, agents: Any) -> Renewable:
    """Steady states of S' = S + rho S (1 - S / K) - q E S at rent p q E S - c E.

    Open access goes on to E = (rho / q)(1 - c / (p q K)), where no rent is left; n agents stop at n / (n + 1) of that,
    and half of it is best. At E = rho / q the pool is empty.

    Args: `growth`, rho, per step; `capacity`, K, pages; `catchability`, q, share of the stock that a unit of effort
      takes; `cost`, c, of a unit of effort; `price`, p, of a page; `agents`, n. A cost above p q K leaves no effort.
    Source: Gordon 1954; Schaefer 1954.
    """
    rho, most, q, cost, price, n = (
        jnp.asarray(x, float) for x in (growth, capacity, catchability, cost, price, agents)
    )
    access = rho / q * jnp.maximum(1 - cost / (price * q * most), 0)

    def stock(effort: Array) -> Array:
        return most * (1 - q * effort / rho)

    def rent(effort: Array) -> Array:
        return effort * (price * q * stock(effort) - cost)

    nash, best = n / (n + 1) * access, access / 2
    return Renewable(rho * most / 4, rho / (2 * q), access, stock(access), nash, stock(nash), best, stock(best),
                     rent(best), rent(nash), rho / q)  # fmt: skip


def regrow(stock: Array, effort: Array, growth: Any, capacity: Any, catchability: Any) -> tuple[Array, Array]:
    """The stock one step later, and the harvest: S + rho S (1 - S / K) - q E S, never below zero.

    Args: `stock`, pages; `effort`, of all; others as for `renewable_pool`.
    Returns: stock and harvest, which is at most what there is.
    """
    grown = stock + growth * stock * (1 - stock / capacity)
    harvest = jnp.clip(catchability * effort * stock, 0, jnp.maximum(grown, 0))
    return jnp.maximum(grown, 0) - harvest, harvest


class Harvest(NamedTuple):
    """A pool and the effort of its users."""

    stock: Array
    effort: Array
    """`[N]` of each."""
    harvest: Array
    """Pages taken in the last step."""


class RenewablePool(Model):
    """Agents who harvest a pool that heals itself and adapt their effort to what it earns.

    Each agent changes its effort by `speed` times what a further unit earns: in `open-access` the average,
    p q S - c, as if everybody else stood still and nobody's effort mattered; in `nash` less what it costs itself when
    the stock shrinks to its steady state, p q S - c - p q^2 K e_i / rho; in `shared` less what it costs all.
    Source: dynamic entry of Smith 1969 (J Polit Econ 77:181) in the pool of Gordon 1954 and Schaefer 1954.
    """

    growth: float = param(0.5, doc="rho, growth of a small stock", unit="1/step", low=0, high=1)
    capacity: float = param(1000.0, doc="K, stock without harvest", unit="pages", low=1e-6)
    catchability: float = param(
        0.01, doc="q, share of the stock that a unit of effort takes", unit="1/effort", low=1e-9
    )
    cost: float = param(2.0, doc="c, cost of a unit of effort", unit="credits/effort", low=0)
    price: float = param(1.0, doc="p, worth of a page", unit="credits/page", low=1e-9)
    speed: float = param(0.02, doc="change of an agent's effort for a gain of one credit", unit="effort²/credit", low=0)
    rule: str = static("nash", choices=("open-access", "nash", "shared"), doc="whose loss an agent minds")
    size: int = static(6, doc="N, agents", low=1, high=10_000)

    stock = observable(doc="pages in the pool", unit="pages")
    effort = observable(doc="effort of all", unit="effort")
    harvest = observable(doc="pages taken in the step", unit="pages")
    rent = observable(doc="worth of the harvest less cost of the effort", unit="credits")

    def init(self, key: Array) -> Harvest:
        """A full pool, and random efforts that add up to at most a tenth of what empties it."""
        drawn = jax.random.uniform(key, (self.size,))
        effort = drawn * (0.1 * self.growth / self.catchability / self.size)
        return Harvest(jnp.ones_like(effort[0]) * self.capacity, effort, jnp.zeros_like(effort[0]))

    def step(self, state: Harvest, key: Array) -> Harvest:
        stock, harvest = regrow(state.stock, state.effort.sum(), self.growth, self.capacity, self.catchability)
        loss = self.price * self.catchability**2 * self.capacity / jnp.maximum(self.growth, 1e-9)
        minded = 0 * state.effort if self.rule == "open-access" else state.effort
        minded = minded.sum() if self.rule == "shared" else minded
        gain = self.price * self.catchability * stock - self.cost - loss * minded
        return Harvest(stock, jnp.maximum(state.effort + self.speed * gain, 0), harvest)

    def observe(self, state: Harvest) -> dict[str, Array]:
        effort = state.effort.sum()
        rent = self.price * state.harvest - self.cost * effort
        return {"stock": state.stock, "effort": effort, "harvest": state.harvest, "rent": rent}

    @property
    def agents(self) -> int:
        """All adapt in every step."""
        return self.size
