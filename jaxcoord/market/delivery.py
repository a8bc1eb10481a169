"""Forwards settled in kind: who sold compute delivers it, and what a seller does not have it must buy at any price.

Before the market opens sellers hand over what their machines yield. What is missing is bought in for them on the spot
market, before any other buyer is served and as far as the seller's money goes: the short squeeze. It is handed over
once the market is closed. Buyers pay the last mark, for all that prices did until then has been settled day by day.
What is not delivered stays a position, to be settled in cash at the spot price that the squeeze has made.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxcoord.market.auction import call_auction
from jaxcoord.market.ledger import Ledger, pay, positive, ration, real, whole
from jaxcoord.market.spot import orders

Array = jax.Array
SETTLEMENTS = ("cash", "physical")
NEWTON = 12  # steps: each decides for good who of those who must buy cannot pay, and few are ever needed


class Round(NamedTuple):
    """A session of the main market: the price, and whole units `[N]`."""

    price: Array
    bought: Array
    sold: Array
    bought_in: Array
    """What is bought for those who must deliver it, a part of `bought`."""


def deliver(ledger: Ledger, available: Array, mark: Array, ends: Any = True) -> tuple[Ledger, Array, Array]:
    """Sellers hand over units `[N]` to buyers who can pay the mark, in index order, and positions shrink by them.

    Args: `available`, of each seller no more than its position; `mark`, whole credits a unit; `ends`, whether
      contracts end at all.
    Returns: the ledger, and units given and received `[N]`.
    """
    wanted = jnp.where(ends, payable(ledger, mark), 0)
    moved = jnp.minimum(available.sum(), wanted.sum())
    given, received = ration(moved, jnp.where(ends, available, 0)), ration(moved, wanted)
    ledger = pay(ledger, mark * received, mark * given)
    return ledger._replace(forwards=ledger.forwards + given - received), given, received


def payable(ledger: Ledger, mark: Array) -> Array:
    """`[N]` units that each is to receive and can pay for at the mark."""
    return jnp.minimum(positive(ledger.forwards), (ledger.cash + ledger.deposits) // mark)


def still_due(ledger: Ledger, mark: Array, ends: Any) -> tuple[Array, Array]:
    """`[N]` units that sellers must buy in, and units for which buyers set their money aside: equal sums."""
    short, wanted = (jnp.where(ends, x, 0) for x in (positive(-ledger.forwards), payable(ledger, mark)))
    needs = ration(wanted.sum(), short)
    return needs, ration(needs.sum(), wanted)


def squeeze_price(demand: Any, spare: Any, needs: Array, budgets: Array, share: Array) -> Array:
    """The price of a Cobb-Douglas exchange in which some must buy: p K = A + sum min(m, s m + (1 - s) p u).

    Who lacks u units trades as one that owns -u of them, and spends all its money m where that is not enough. Where all
    can pay the price is (A + sum s m) / (K - sum (1 - s) u): it grows without bound as what must be bought nears what
    there is to spare. It is unique, and found by Newton's method from above on a convex, piecewise linear function.

    Args: `demand` A, sum of s m of those who need not buy; `spare` K, above 0, their sum of (1 - s) k; `[N]` each,
      `needs` u, `budgets` m and `share` s of those who must.
    Source: exchange of two goods, Debreu 1959; squeeze as in Kyle 1984, A theory of futures market manipulations.
    """
    forced = jnp.asarray(needs) > 0
    units, money = (jnp.where(forced, jnp.asarray(x, float), 0) for x in (needs, budgets))
    spare = jnp.maximum(spare, 1e-30)

    def better(_: int, price: Array) -> Array:
        enough = price * units <= money
        slope = spare - jnp.where(enough, (1 - share) * units, 0).sum()
        fixed = demand + jnp.where(enough, share * money, money).sum()
        return jnp.where(slope > 0, jnp.minimum(price, fixed / jnp.maximum(slope, 1e-30)), price)

    return jax.lax.fori_loop(0, NEWTON, better, (demand + money.sum()) / spare)


def exchange_round(liquid: Array, owned: Array, share: Array, needs: Array, band: tuple[Array, Array]) -> Round:
    """The Cobb-Douglas exchange with sellers of forwards who must buy: they are served first.

    Args: `[N]` each: whole credits and units of those who trade, 0 for others; their urgency, 0 for who buys only what
      it must; units that must be bought, by who owns none. `band` of prices allowed.
    """
    money, free = real(liquid), needs == 0
    demand, spare = jnp.where(free, share * money, 0).sum(), ((1 - share) * real(owned)).sum()
    price = jnp.clip(jnp.maximum(1, whole(squeeze_price(demand, spare, needs, money, share))), *band)
    buy, sell = orders(liquid, owned - needs, share, price)
    sell, asked = positive(sell), jnp.minimum(needs, buy)
    volume = jnp.minimum(buy.sum(), sell.sum())
    taken = ration(volume, asked)
    return Round(price, taken + ration(volume - taken.sum(), buy - asked), ration(volume, sell), taken)


def auction_round(
    liquid: Array, owned: Array, share: Array, expected: Array, needs: Array, band: tuple[Array, Array]
) -> Round:
    """A call auction in which who must buy bids all its money for it, and the others as in `spot.auction_round`.

    Args: as in `exchange_round`; `expected`, the price that is expected.
    """
    money, units = real(liquid), real(owned)
    value = jnp.clip(share * money / jnp.maximum((1 - share) * units, 1e-9), 1, jnp.maximum(money, 1))
    limit = jnp.sqrt(value * jnp.maximum(expected, 1))
    wishes, buys = share > 0, value > expected
    bid, ask = jnp.maximum(whole(limit), 1), jnp.maximum(-whole(-limit), 1)
    buy = jnp.where(wishes & buys, orders(liquid, owned, share, bid)[0], 0)
    sell = jnp.where(wishes & ~buys, orders(liquid, owned, share, ask)[1], 0)
    forced, highest = needs > 0, liquid // jnp.maximum(needs, 1)
    bid = jnp.where(forced, jnp.maximum(highest, 1), bid)
    buy = jnp.where(forced, jnp.where(highest > 0, needs, 0), buy)
    low, high = band
    bid, buy = jnp.minimum(bid, high), jnp.where(bid >= low, buy, 0)
    ask, sell = jnp.maximum(ask, low), jnp.where((ask <= high) & ~forced, sell, 0)
    found = call_auction(bid, buy, ask, sell)
    return Round(found.price, found.bought, found.sold, jnp.where(forced, found.bought, 0))
