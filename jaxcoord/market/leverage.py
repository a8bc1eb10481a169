"""The leverage cycle: funds that buy on credit what is cheap calm a market, until margin calls make it crash.

Value funds buy an asset below its worth V, the more the cheaper it is, up to a multiple of their wealth. As long as
that limit does not bind they dampen the price. Where it does a falling price makes them sell into the fall.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxcoord.model import Model, observable, param, static

Array = jax.Array
LOWEST, HIGHEST = 1e-3, 20.0  # the price is sought between these multiples of the worth
HALVINGS = 30


def fund_demand(price: Array, wealth: Array, aggression: Array, leverage: Any, worth: Any) -> Array:
    """`[N]` shares that funds want: min(leverage, aggression (V - p) / V) W / p where p < V, else none.

    Args: `price`, p; `wealth [N]` at that price, none wanted below zero; `aggression [N]`, at least 0; `leverage`, the
      most that a fund may hold over its wealth; `worth`, V.
    Source: Thurner, Farmer & Geanakoplos 2012, eq. 2.
    """
    weight = jnp.clip(aggression * (worth - price) / worth, 0, leverage)
    return weight * jnp.maximum(wealth, 0) / price


def clear(cash: Array, shares: Array, aggression: Array, noise: Array, supply: Any, leverage: Any, worth: Any) -> Array:
    """The price at which funds and noise traders hold all shares, by bisection on LOWEST..HIGHEST times the worth.

    sum of the funds' demand + noise / p = supply, where a fund's wealth is cash + shares p at that same price.

    Args: `cash [N]`, credits, negative for debt; `shares [N]`; `aggression [N]`; `noise`, what noise traders hold, in
      credits; `supply`, shares in all.
    Returns: the price; the end of the interval where there is none.
    Source: Thurner, Farmer & Geanakoplos 2012, eq. 1.
    """

    def halve(_: int, interval: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = interval
        price = (low + high) / 2
        wanted = fund_demand(price, cash + shares * price, aggression, leverage, worth).sum() + noise / price
        short = wanted > supply
        return jnp.where(short, price, low), jnp.where(short, high, price)

    start = jnp.ones_like(noise) * worth
    low, high = jax.lax.fori_loop(0, HALVINGS, halve, (start * LOWEST, start * HIGHEST))
    return (low + high) / 2


class Cycle(NamedTuple):
    """A market and its N funds at the end of a step."""

    price: Array
    log_return: Array
    noise: Array
    """log of what noise traders hold, in credits."""
    cash: Array
    """`[N]` credits; negative is debt to the bank."""
    shares: Array
    """`[N]`."""
    performance: Array
    """`[N]` moving average of each fund's return."""
    wait: Array
    """`[N]` int32 steps until a closed fund opens again; 0 if it is open."""
    exits: Array
    """int32, funds closed so far."""


class LeverageCycle(Model):
    """Value funds with credit and noise traders in a market for one asset.

    In a step what noise traders hold moves, the price clears, and investors give funds that do better than a benchmark
    more to manage and take from others. A fund below `exit` of its first wealth closes, and its shares go on sale; it
    starts afresh `restart` steps later.
    Source: Thurner, Farmer & Geanakoplos 2012 (Quant Finance 12:695).
    """

    leverage: float = param(5.0, doc="lambda, most that a fund may hold over its wealth", low=0, high=1000)
    least: float = param(5.0, doc="aggression of the most careful fund", low=0)
    most: float = param(50.0, doc="aggression of the boldest fund, the others evenly between", low=0)
    worth: float = param(1.0, doc="V, what a share is worth", unit="credits/share", low=1e-6)
    supply: float = param(1000.0, doc="shares in all", unit="shares", low=1e-6)
    memory: float = param(0.99, doc="rho, what is left of the noise traders' deviation after a step", low=0, high=1)
    sigma: float = param(0.035, doc="standard deviation of their log holdings' change in a step", low=0)
    wealth: float = param(2.0, doc="W0, wealth of a new fund", unit="credits", low=1e-6)
    exit: float = param(0.1, doc="share of W0 below which a fund closes", low=0, high=1)
    flow: float = param(0.15, doc="b, share of its wealth that moves for a return of one above the benchmark", low=0)
    benchmark: float = param(0.005, doc="return that investors expect of a fund in a step", low=-1, high=1)
    recent: float = param(0.1, doc="weight of the last step in a fund's performance", low=0, high=1)
    restart: int = param(100, doc="steps after which a closed fund starts afresh", unit="steps", low=1, high=2**24)
    funds: int = static(10, doc="N, funds", low=1, high=10_000)

    price = observable(doc="price of a share", unit="credits/share")
    log_return = observable(doc="log price less that of the step before")
    fund_wealth = observable(doc="wealth of all funds", unit="credits")
    leverage_used = observable(doc="what all funds hold over what they own; 0 without wealth")
    held = observable(doc="share of all shares that funds hold")
    exits = observable(doc="funds closed so far", unit="funds")

    def aggression(self) -> Array:
        """`[N]` from `least` to `most`."""
        return self.least + (self.most - self.least) * jnp.linspace(0, 1, self.funds)

    def init(self, key: Array) -> Cycle:
        """A price at the worth, noise traders who hold all shares, funds in cash."""
        one = jnp.ones(())
        nothing = jnp.zeros(self.funds)
        return Cycle(one * self.worth, 0 * one, jnp.log(one * self.worth * self.supply), nothing + self.wealth,
                     nothing, nothing, jnp.zeros(self.funds, jnp.int32), jnp.zeros((), jnp.int32))  # fmt: skip

    def step(self, state: Cycle, key: Array) -> Cycle:
        normal = jnp.log(self.worth * self.supply)
        noise = normal + self.memory * (state.noise - normal) + self.sigma * jax.random.normal(key)
        aggression = self.aggression()
        price = clear(state.cash, state.shares, aggression, jnp.exp(noise), self.supply, self.leverage, self.worth)

        before = state.cash + state.shares * state.price
        wealth = state.cash + state.shares * price
        gained = jnp.where(before > 0, wealth / jnp.where(before > 0, before, 1) - 1, 0)
        performance = (1 - self.recent) * state.performance + self.recent * gained
        shares = fund_demand(price, wealth, aggression, self.leverage, self.worth)
        flow = jnp.maximum(self.flow * (performance - self.benchmark), -1) * wealth
        after = wealth + flow

        closed = state.wait > 0
        closes = ~closed & (after < self.exit * self.wealth)
        wait = jnp.where(closes, jnp.asarray(self.restart, jnp.int32), jnp.maximum(state.wait - 1, 0))
        opens = closed & (wait == 0)
        idle = closed | closes
        return Cycle(
            price=price,
            log_return=jnp.log(price / state.price),
            noise=noise,
            cash=jnp.where(idle, jnp.where(opens, self.wealth, 0.0), after - shares * price),
            shares=jnp.where(idle, 0.0, shares),
            performance=jnp.where(idle, 0.0, performance),
            wait=wait,
            exits=state.exits + closes.sum(dtype=jnp.int32),
        )

    def observe(self, state: Cycle) -> dict[str, Array]:
        wealth = (state.cash + state.shares * state.price).sum()
        held = state.shares.sum()
        return {
            "price": state.price,
            "log_return": state.log_return,
            "fund_wealth": wealth,
            "leverage_used": jnp.where(wealth > 0, held * state.price / jnp.where(wealth > 0, wealth, 1), 0),
            "held": held / self.supply,
            "exits": state.exits.astype(wealth.dtype),
        }

    @property
    def agents(self) -> int:
        """All funds trade in every step."""
        return self.funds
