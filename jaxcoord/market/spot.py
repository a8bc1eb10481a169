"""Spot markets of compute in closed form: Cobb-Douglas exchange, trading post, machines for what cash there is."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxcoord.errors import ParameterError
from jaxcoord.market import checks
from jaxcoord.market.auction import call_auction
from jaxcoord.market.ledger import positive, ration, real, whole

Array = jax.Array


def cobb_douglas_price(money: Any, capacity: Any, share: Any) -> Array:
    """The price at which agents who spend a constant share of their wealth on compute clear the market.

    p = sum(s m) / sum((1 - s) k): the price of agents with utility x^s y^(1-s) who own money m and capacity k.
    Homogeneous of degree one in money, and differentiable.

    Args: `[N]` each: money, units of compute, and the share of wealth that each wants to hold in compute, 0 to 1.
    Capacity and share may be one number for all.
    Returns: credits per unit; inf where nobody has compute to spare.
    Raises: ParameterError where an amount is negative or not finite, a share is none, or the lengths differ.
    Source: Debreu 1959; closed form of the two-good exchange economy.
    """
    money = checks.amounts("money", money)
    capacity = checks.amounts("capacity", capacity, len(money))
    share = checks.sized("share", checks.share("share", share), len(money))
    demand, spare = (share * money).sum(), ((1 - share) * capacity).sum()
    return jnp.where(spare > 0, demand / jnp.where(spare > 0, spare, 1), jnp.inf)


def net_purchase(money: Any, capacity: Any, share: Any, price: Any) -> Array:
    """`[N]` units that each wants to buy at a price, negative to sell: s (m + p k) / p - k."""
    money, capacity = jnp.asarray(money, float), jnp.asarray(capacity, float)
    return share * (money + price * capacity) / price - capacity


def gain_from_trade(money: Any, capacity: Any, share: Any, price: Any) -> Array:
    """`[N]` credits that the chance to trade at a price is worth to a Cobb-Douglas agent, at least 0.

    m + p k - (p k / s)^s (m / (1 - s))^(1 - s): its wealth, less what would buy the utility of its own endowment.
    """
    money, capacity, share = (jnp.asarray(x, float) for x in (money, capacity, share))
    compute = jax.scipy.special.xlogy(share, price * capacity) - jax.scipy.special.xlogy(share, share)
    kept = jax.scipy.special.xlogy(1 - share, money) - jax.scipy.special.xlogy(1 - share, 1 - share)
    return positive(money + price * capacity - jnp.exp(compute + kept))


def trading_post(bids: Any, offers: Any) -> tuple[Array, Array, Array]:
    """Money bids and goods offered meet at one post: p = sum(bids) / sum(offers).

    Args: `[N]` each, at least 0: money bid and units offered by each.
    Returns: the price, goods received and money received, `[N]` each; where one side is empty nothing is exchanged, and
      the price is NaN.
    Raises: ParameterError where an amount is negative or not finite, or the lengths differ.
    Source: Shapley & Shubik 1977, J Polit Econ 85:937.
    """
    bids, offers = checks.amounts("bids", bids), checks.amounts("offers", offers)
    if bids.shape != offers.shape:
        raise ParameterError(f"offers: shape {offers.shape}; one for each of {len(bids)} bids is needed")
    trades = (bids.sum() > 0) & (offers.sum() > 0)
    price = jnp.where(trades, bids.sum() / jnp.where(trades, offers.sum(), 1), jnp.nan)
    paid = jnp.where(trades, price, 1.0)
    return price, jnp.where(trades, bids / paid, 0), jnp.where(trades, offers * paid, 0)


def cash_in_market(units: Any, budgets: Any, fundamental: Any) -> Array:
    """What machines fetch when buyers have only so much cash: min(fundamental, sum(budgets) / sum(units)).

    Args: `units` for sale, `budgets` of the buyers in credits, numbers or arrays; `fundamental`, credits per unit; all
      at least 0.
    Raises: ParameterError where one is negative or not finite.
    Source: Allen & Gale 1994, Am Econ Rev 84:933.
    """
    units, budgets, fundamental = (
        checks.within(name, value, 0, jnp.inf, "a finite amount of at least 0 is needed")
        for name, value in (("units", units), ("budgets", budgets), ("fundamental", fundamental))
    )
    return jnp.minimum(fundamental, budgets.sum() / jnp.maximum(units.sum(), 1e-30))


def orders(liquid: Array, capacity: Array, share: Array, price: Array) -> tuple[Array, Array]:
    """Whole units that Cobb-Douglas agents with whole credits bid for and offer at a whole price, `[N]` each."""
    wanted = net_purchase(real(liquid), real(capacity), share, real(price))
    buy = jnp.minimum(whole(positive(wanted)), liquid // price)
    return buy, jnp.minimum(whole(positive(-wanted)), capacity)


def match(buy: Array, sell: Array) -> tuple[Array, Array, Array]:
    """The shorter side trades whole, the longer one in index order. Returns: bought, sold `[N]`, and the volume."""
    volume = jnp.minimum(buy.sum(), sell.sum())
    return ration(volume, buy), ration(volume, sell), volume


def exchange_price(liquid: Array, capacity: Array, share: Array) -> Array:
    """The Cobb-Douglas price in whole credits, at least 1."""
    demand, spare = (share * real(liquid)).sum(), ((1 - share) * real(capacity)).sum()
    return jnp.maximum(1, whole(demand / jnp.maximum(spare, 1e-30)))


def auction_round(
    liquid: Array, capacity: Array, share: Array, expected: Array, band: tuple[Array, Array]
) -> tuple[Array, Array, Array]:
    """Cobb-Douglas agents send one limit order each to a call auction: price, bought and sold `[N]`.

    An agent that values compute at v = s m / ((1 - s) k) bids where v exceeds the expected price and asks where it
    falls short. Its limit is the geometric mean of the two, and its size the point of its demand at that limit: so no
    order costs more than its agent has, and none is regretted at any price that fills it. Outside the `band` of prices
    (lowest, highest) nothing is traded. Price 0: nobody trades.
    """
    money, owned = real(liquid), real(capacity)
    value = share * money / jnp.maximum((1 - share) * owned, 1e-9)
    value = jnp.clip(value, 1, jnp.maximum(money, 1))
    limit = jnp.sqrt(value * jnp.maximum(expected, 1))
    trades = share > 0
    buys = trades & (value > expected)
    bid, ask = jnp.maximum(whole(limit), 1), jnp.maximum(-whole(-limit), 1)
    buy = jnp.where(buys, orders(liquid, capacity, share, bid)[0], 0)
    sell = jnp.where(trades & ~buys, orders(liquid, capacity, share, ask)[1], 0)
    low, high = band
    bid, buy = jnp.minimum(bid, high), jnp.where(bid >= low, buy, 0)
    ask, sell = jnp.maximum(ask, low), jnp.where(ask <= high, sell, 0)
    found = call_auction(bid, buy, ask, sell)
    return found.price, found.bought, found.sold


def share_out(capacity: Array, share: Array) -> tuple[Array, Array]:
    """Sharing instead of a market: all compute goes to agents in proportion to their urgency, and nobody pays.

    Returns: units received from and given to others, `[N]` whole numbers of equal sum.
    """
    due = whole(real(capacity.sum()) * share / jnp.maximum(share.sum(), 1e-30))
    received, given, _ = match(positive(due - capacity), positive(capacity - due))
    return received, given
