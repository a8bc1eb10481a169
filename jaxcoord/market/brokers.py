"""Brokers: who quotes to those without market access, at a spread that competition narrows."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxcoord.market import checks
from jaxcoord.market.ledger import real, whole
from jaxcoord.market.spot import orders

Array = jax.Array


def _lines(demand_intercept: Any, demand_slope: Any, supply_intercept: Any, supply_slope: Any) -> list[Array]:
    # A, B, C and D, of which demand begins no lower than supply, and at least one line slopes.
    top, bottom = (
        checks.finite("demand_intercept", demand_intercept),
        checks.finite("supply_intercept", supply_intercept),
    )
    falls, rises = (
        checks.within(name, value, 0, jnp.inf, "a finite slope of at least 0 is needed")
        for name, value in (("demand_slope", demand_slope), ("supply_slope", supply_slope))
    )
    checks.broadcasting(demand_intercept=top, demand_slope=falls, supply_intercept=bottom, supply_slope=rises)
    checks.at_most("supply_intercept", bottom, "demand_intercept", top)
    checks.within("demand_slope + supply_slope", falls + rises, checks.ABOVE_ZERO, jnp.inf, "above 0 is needed")
    return [top, falls, bottom, rises]


def cournot_brokers(
    demand_intercept: Any, demand_slope: Any, supply_intercept: Any, supply_slope: Any, brokers: Any
) -> dict[str, Array]:
    """N brokers choose volumes between linear demand P = A - B q and supply P = C + D q.

    volume = N / (N + 1) (A - C) / (B + D), spread = (A - C) / (N + 1).

    Args: A, B, C, D and N, at least 1; all broadcast. A is at least C, no slope is below 0, and not both are 0.
    Returns: `volume`, `spread`, `ask`, `bid`, `income` of each broker, `efficient_volume` and `deadweight` loss.
    Raises: ParameterError where there is no broker, or a number is out of range.
    Source: Cournot 1838 on both sides of a market; middlemen as in Rubinstein & Wolinsky 1987, Q J Econ 102:581.
    """
    brokers = checks.within("brokers", brokers, 1, jnp.inf, "at least 1 is needed")
    demand_intercept, demand_slope, supply_intercept, supply_slope = _lines(
        demand_intercept, demand_slope, supply_intercept, supply_slope
    )
    gap, slopes = demand_intercept - supply_intercept, demand_slope + supply_slope
    checks.broadcasting(lines=gap / slopes, brokers=brokers)
    efficient = gap / slopes
    volume, spread = efficient * brokers / (brokers + 1), gap / (brokers + 1)
    return {
        "volume": volume,
        "spread": spread,
        "ask": demand_intercept - demand_slope * volume,
        "bid": supply_intercept + supply_slope * volume,
        "income": spread * volume / brokers,
        "efficient_volume": efficient,
        "deadweight": 0.5 * spread * (efficient - volume),
    }


def free_entry_brokers(
    demand_intercept: Any, demand_slope: Any, supply_intercept: Any, supply_slope: Any, cost: Any
) -> Array:
    """How many brokers come when each pays an entry cost F: floor((A - C) / sqrt((B + D) F) - 1), at least 0.

    Args: as for `cournot_brokers`; `cost`, F, above 0.
    Raises: ParameterError where a number is out of range.
    """
    cost = checks.above("cost", cost)
    demand_intercept, demand_slope, supply_intercept, supply_slope = _lines(
        demand_intercept, demand_slope, supply_intercept, supply_slope
    )
    gap, slopes = demand_intercept - supply_intercept, demand_slope + supply_slope
    checks.broadcasting(lines=gap / slopes, cost=cost)
    return jnp.maximum(jnp.floor(gap / jnp.sqrt(slopes * cost) - 1), 0).astype(int)


class Brokered(NamedTuple):
    """A round of trade through brokers, whole numbers."""

    ask: Array
    """Credits that a customer pays for a unit."""
    bid: Array
    """Credits that a customer gets for a unit."""
    bought: Array
    """`[N]` units."""
    sold: Array
    """`[N]` units."""
    income: Array
    """`[N]` credits that each broker keeps, (ask - bid) times what it matched."""
    offered: Array
    """Credits: income per head of the brokers; without any, what a single one would have earned."""


def quotes(price: Array, spread: Any, brokers: Array) -> tuple[Array, Array]:
    """Ask and bid, whole credits: price (1 +- h / 2), with h = 2 spread / (N + 1) that falls as brokers compete.

    `spread` is that of a single broker, relative to the price, 0 to 2; the ask is rounded up and the bid down.
    """
    half = real(price) * spread / (real(brokers) + 1)
    return -whole(-(real(price) + half)), jnp.maximum(whole(real(price) - half), 0)


def broker_round(
    liquid: Array, capacity: Array, share: Array, price: Array, customers: Array, brokers: Array, spread: Any, most: int
) -> Brokered:
    """Customers are dealt out to the brokers in turn; each broker matches what its own want at its quotes.

    Matched volume is min(demand at ask, supply at bid), handed out in index order. Compute cannot be stored, so no
    broker carries any.

    Args:
      liquid, capacity: `[N]` whole credits and units; share: `[N]` the customers' urgency.
      price: the market's, whole.
      customers, brokers: `[N]` bool, disjoint; at most `most` brokers.
      spread: that of a single broker, relative to the price.
    """
    number = jnp.minimum(brokers.sum(), most)
    one = jnp.maximum(number, 1)
    ask, bid = quotes(price, spread, one)
    urgency = jnp.where(customers, share, 0)
    buy = orders(liquid, capacity, urgency, jnp.maximum(ask, 1))[0]
    sell = jnp.where(customers & (share > 0), orders(liquid, capacity, urgency, jnp.maximum(bid, 1))[1], 0)
    rank = jnp.arange(most)[:, None]
    mine = (jnp.arange(liquid.shape[0]) % one == rank) & (rank < number)
    wants, offers = jnp.where(mine, buy, 0), jnp.where(mine, sell, 0)
    volume = jnp.minimum(wants.sum(1), offers.sum(1))[:, None]

    def filled(sizes: Array) -> Array:
        return jnp.clip(volume - (jnp.cumsum(sizes, 1) - sizes), 0, sizes).sum(0)

    owner = brokers & (jnp.cumsum(brokers) - 1 == rank)
    income = jnp.where(owner, volume * (ask - bid), 0).sum(0)
    alone = (ask - bid) * jnp.minimum(buy.sum(), sell.sum())
    offered = jnp.where(number > 0, real(income.sum()) / real(one), real(alone))
    return Brokered(ask, bid, filled(wants), filled(offers), income, offered)


def broker_entry(brokers: Array, eligible: Array, income: Array, surplus: Array, cost: Any, most: int) -> Array:
    """`[N]` bool: the brokers of the next step; at most one user turns broker and at most one leaves.

    The eligible user with the least surplus enters where the income per head of brokers exceeds that surplus and an
    entry cost; the broker with the largest surplus leaves in the opposite case.

    Args: `income`, moving average of what a broker earns; `surplus` `[N]`, those of each user's gains from trade.
    """
    number, place = brokers.sum(), jnp.arange(brokers.shape[0])
    candidate = jnp.argmin(jnp.where(eligible & ~brokers, surplus, jnp.inf))
    enters = (number < most) & (eligible & ~brokers)[candidate] & (income > surplus[candidate] + cost)
    leaver = jnp.argmax(jnp.where(brokers, surplus, -jnp.inf))
    leaves = (number > 0) & (income < surplus[leaver] + cost)
    return (brokers | (enters & (place == candidate))) & ~(leaves & (place == leaver))
