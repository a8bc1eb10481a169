"""The continuous double auction: traders quote one at a time, and a quote that crosses another is a trade.

Zero-intelligence traders quote at random: any price, or, constrained, no price at a loss. The market then finds nearly
all gains from trade although nobody in it learns. ZIP traders (zero intelligence plus) adapt a profit margin to what
they hear. Prices are whole numbers from 1 on. Traders are listed buyers first: one table of limits, the worth of each
unit to a buyer and its cost to a seller, in the order in which units are traded.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxcoord import random

Array = jax.Array


class Book(NamedTuple):
    """What stands and what was traded in a period, of B buyers and S sellers."""

    bid: Array
    """Best standing bid; 0 without one."""
    bidder: Array
    """Who made it."""
    ask: Array
    """Best standing ask; `NO_ASK` without one."""
    asker: Array
    """Who made it."""
    done: Array
    """`[B + S]` units that each has traded."""
    prices: Array
    """`[M]` prices of the trades in their order, 0 from there on; M is all that buyers or all that sellers have."""
    gains: Array
    """Worth of all units traded to their buyers less cost to their sellers."""


NO_ASK = 2**30


def empty_book(buyers: int, sellers: int, most: int) -> Book:
    """Nothing quoted and nothing traded; `most` is how many trades there is room for."""
    zero = jnp.zeros((), jnp.int32)
    return Book(zero, zero, zero + NO_ASK, zero, jnp.zeros(buyers + sellers, jnp.int32),
                jnp.zeros(most, jnp.int32), zero)  # fmt: skip


def limit_of(book: Book, limits: Array, units: Array, trader: Array) -> tuple[Array, Array]:
    """The limit of a trader's next unit, and whether it has one left.

    Args: `limits [B + S, K]`; `units [B + S]`, of which each trader has so many.
    """
    left = book.done[trader] < units[trader]
    return limits[trader, jnp.minimum(book.done[trader], limits.shape[1] - 1)], left


def traded(book: Book, limits: Array, buyer: Array, seller: Array, price: Array, happens: Array) -> Book:
    """The book after a trade of the next unit of both, which clears all quotes; unchanged where none happens."""
    own = limits.shape[1] - 1
    gain = limits[buyer, jnp.minimum(book.done[buyer], own)] - limits[seller, jnp.minimum(book.done[seller], own)]
    count = book.done.sum() // 2
    one = happens.astype(jnp.int32)
    return Book(
        bid=jnp.where(happens, 0, book.bid),
        bidder=book.bidder,
        ask=jnp.where(happens, NO_ASK, book.ask),
        asker=book.asker,
        done=book.done.at[buyer].add(one).at[seller].add(one),
        prices=book.prices.at[count].add(one * price, mode="drop"),
        gains=book.gains + one * gain,
    )


def quote(book: Book, limits: Array, units: Array, buyers: int, trader: Array, price: Array) -> Book:
    """One trader quotes a price: it trades at the standing quote that it meets, or stands itself if it is better.

    Best quotes stand until improved; a trade clears both. A trader without units left is not heard.

    Args:
      book: what stands.
      limits: `[B + S, K]` whole prices.
      units: `[B + S]` how many of its K units each trader has.
      buyers: B, the first so many of the traders.
      trader: who quotes.
      price: whole number, at least 1.
    Source: Gode & Sunder 1993, section III.
    """
    _, left = limit_of(book, limits, units, trader)
    buys = trader < buyers
    crosses = left & jnp.where(buys, price >= book.ask, price <= book.bid)
    at = jnp.where(buys, book.ask, book.bid)
    better_bid, better_ask = left & buys & (price > book.bid), left & ~buys & (price < book.ask)
    book = book._replace(
        bid=jnp.where(better_bid, price, book.bid),
        bidder=jnp.where(better_bid, trader, book.bidder),
        ask=jnp.where(better_ask, price, book.ask),
        asker=jnp.where(better_ask, trader, book.asker),
    )
    # Who crosses has just become the best of its own side, so that both sides of the trade stand in the book.
    return traded(book, limits, book.bidder, book.asker, at, crosses)


def random_price(limit: Array, buys: Array, word: Array, price_max: Any, constrained: bool) -> Array:
    """A zero-intelligence price: uniform on 1..price_max, or, constrained, on those that make no loss.

    A constrained buyer bids 1..limit, a constrained seller asks limit..price_max.
    """
    top = jnp.asarray(price_max, jnp.int32)
    if not constrained:
        return 1 + random.index_below(word, top.astype(jnp.uint32)).astype(jnp.int32)
    low, high = jnp.where(buys, 1, limit), jnp.where(buys, limit, top)
    return low + random.index_below(word, (high - low + 1).astype(jnp.uint32)).astype(jnp.int32)


def zero_intelligence_period(
    key: Array, limits: Array, units: Array, buyers: int, price_max: Any, quotes: int, constrained: bool = True
) -> Book:
    """A period of zero-intelligence trade: so many quotes, each of a random trader.

    Args: as for `quote`; `price_max`, the highest price; `quotes`, how many.
    Returns: the book at the end.
    Source: Gode & Sunder 1993.
    """
    limits, units = jnp.asarray(limits, jnp.int32), jnp.asarray(units, jnp.int32)
    traders = len(limits)
    words = random.words(random.seeds(key), jnp.arange(2 * quotes, dtype=jnp.uint32)).reshape(quotes, 2)
    who = random.index_below(words[:, 0], jnp.uint32(traders)).astype(jnp.int32)

    def arrive(book: Book, arrival: tuple[Array, Array]) -> tuple[Book, None]:
        trader, word = arrival
        limit, _ = limit_of(book, limits, units, trader)
        price = random_price(limit, trader < buyers, word, price_max, constrained)
        return quote(book, limits, units, buyers, trader, price), None

    start = empty_book(buyers, traders - buyers, limits.shape[1] * max(buyers, traders - buyers))
    return jax.lax.scan(arrive, start, (who, words[:, 1]))[0]


def equilibrium(limits: Any, units: Any, buyers: int) -> tuple[Array, Array, Array, Array]:
    """The competitive equilibrium: lowest and highest price, the most units that trade at a gain, and all gains.

    Nobody can gain more in all than sum (worth - p)+ + sum (p - cost)+ at any price p; the equilibrium prices are those
    at which this is least, and there all of it is reached. So nothing needs to be sorted.

    Args: as for `quote`.
    Returns: low, high, volume, gains. Where nothing trades the interval is from the best bid to the best ask.
    """
    limits, units = jnp.asarray(limits, jnp.int32), jnp.asarray(units, jnp.int32)
    real = jnp.arange(limits.shape[1]) < units[:, None]
    worth = jnp.where(real[:buyers], limits[:buyers], 0).ravel()
    cost = jnp.where(real[buyers:], limits[buyers:], NO_ASK).ravel()
    prices = jnp.where(real, limits, limits[0, 0]).ravel()
    bound = jnp.maximum(worth - prices[:, None], 0).sum(1) + jnp.maximum(prices[:, None] - cost, 0).sum(1)
    gains = bound.min()
    low = jnp.where(bound == gains, prices, NO_ASK).min()
    high = jnp.where(bound == gains, prices, 0).max()
    demand, supply = (worth > prices[:, None]).sum(1), (cost <= prices[:, None]).sum(1)
    return low, high, jnp.minimum(demand, supply).max(), gains


class Margins(NamedTuple):
    """What ZIP traders adapt: a profit margin, with the learning rate and momentum that each was born with."""

    margin: Array
    """`[B + S]`: a quote is limit (1 + margin); at most 0 for buyers, at least 0 for sellers."""
    change: Array
    """`[B + S]` momentum: the last change of the price."""
    rate: Array
    """`[B + S]` share of the way to the target that a price moves, 0.1 to 0.5."""
    inertia: Array
    """`[B + S]` weight of the last change, 0 to 0.1."""


def random_margins(key: Array, buyers: int, sellers: int) -> Margins:
    """ZIP traders as they start: margins of 5 to 35 %, rates of 0.1 to 0.5, inertia of 0 to 0.1, all uniform.

    Source: Cliff 1997, section 4.
    """
    drawn = jax.random.uniform(key, (3, buyers + sellers))
    side = jnp.where(jnp.arange(buyers + sellers) < buyers, -1.0, 1.0)
    return Margins(side * (0.05 + 0.3 * drawn[0]), jnp.zeros_like(side), 0.1 + 0.4 * drawn[1], 0.1 * drawn[2])


def zip_prices(margins: Margins, limit: Array) -> Array:
    """`[B + S]` real prices at which each would trade: limit (1 + margin)."""
    return limit * (1 + margins.margin)


def zip_quotes(margins: Margins, limit: Array, buyers: int, price_max: Any) -> Array:
    """`[B + S]` whole prices that they would shout: rounded to the next that makes no loss, 1 to price_max."""
    wanted = zip_prices(margins, limit)
    rounded = jnp.where(jnp.arange(len(limit)) < buyers, jnp.floor(wanted), jnp.ceil(wanted))
    return jnp.clip(rounded, 1, price_max).astype(jnp.int32)


def zip_learn(
    margins: Margins,
    limit: Array,
    quotes: Array,
    active: Array,
    buyers: int,
    price: Array,
    bid: Array,
    accepted: Array,
    words: Array,
) -> Margins:
    """What all ZIP traders make of one shout that was accepted or not.

    Those who could have had a better price raise their margin: sellers whose price is at most, and buyers whose price
    is at least, that of an accepted shout. Active traders who were undercut lower it: after an accepted shout of the
    other side that they would have refused, and after a refused one of their own side that was as good as theirs.
    The target is R q + A, with R up to 5 % and A up to 0.05 in the direction of the change, towards which a price
    moves by the Widrow-Hoff rule with momentum.

    Args:
      margins: of all B + S traders.
      limit: `[B + S]` limits of their next units.
      quotes: `[B + S]` the whole prices of `zip_quotes`, which are compared with the shout.
      active: `[B + S]` whether they have units left.
      buyers: B.
      price: the shout, q.
      bid: whether a buyer shouted.
      accepted: whether somebody took it.
      words: `[2, B + S]` random words.
    Source: Cliff 1997, section 4 and eqs. 10 to 15.
    """
    mine, side = zip_prices(margins, limit), jnp.arange(len(limit)) < buyers
    # Seen from a seller; for a buyer all prices are mirrored.
    sign = jnp.where(side, -1.0, 1.0)
    gap = sign * (price - quotes)  # above zero: the shout is better for it than its own price
    opposite = bid != side
    raises = accepted & (gap >= 0)
    lowers = active & (gap <= 0) & jnp.where(accepted, opposite, ~opposite) & ~raises
    up = sign * jnp.where(raises, 1.0, -1.0)
    share, step = 0.05 * random.probability(words)
    target = price * (1 + up * share) + up * step
    moved = margins.rate * (target - mine)
    change = margins.inertia * margins.change + (1 - margins.inertia) * moved
    learns = raises | lowers
    change = jnp.where(learns, change, margins.change)
    margin = jnp.where(learns, (mine + change) / limit - 1, margins.margin)
    return margins._replace(margin=sign * jnp.maximum(sign * margin, 0.0), change=change)


def zip_period(
    key: Array, margins: Margins, limits: Array, units: Array, buyers: int, price_max: Any, quotes: int
) -> tuple[Book, Margins]:
    """A period of ZIP trade: random traders shout, a random one of those who would take it does, and all learn.

    A shout that nobody takes lapses. Whole prices: a trader rounds to the next that makes it no loss.

    Args: as for `zero_intelligence_period`; `margins`, as the last period left them.
    Returns: the book and the margins at the end.
    Source: Cliff 1997, section 4.
    """
    limits, units = jnp.asarray(limits, jnp.int32), jnp.asarray(units, jnp.int32)
    traders = len(limits)
    words = random.words(random.seeds(key), jnp.arange(quotes * (2 + 2 * traders), dtype=jnp.uint32))
    words = words.reshape(quotes, 2 + 2 * traders)
    everybody, own = jnp.arange(traders), limits.shape[1] - 1
    buys = everybody < buyers

    def shout(state: tuple[Book, Margins], word: Array) -> tuple[tuple[Book, Margins], None]:
        book, margins = state
        limit = limits[everybody, jnp.minimum(book.done, own)]
        active = book.done < units
        whole = zip_quotes(margins, limit, buyers, price_max)
        trader = random.index_below(word[0], jnp.uint32(traders)).astype(jnp.int32)
        price, bid, heard = whole[trader], trader < buyers, active[trader]
        willing = active & (buys != bid) & jnp.where(bid, whole <= price, whole >= price)
        rank = random.index_below(word[1], jnp.maximum(willing.sum(), 1).astype(jnp.uint32)).astype(jnp.int32)
        taker = jnp.argmax(willing & (jnp.cumsum(willing) - 1 == rank)).astype(jnp.int32)
        accepted = heard & willing.any()
        buyer, seller = jnp.where(bid, trader, taker), jnp.where(bid, taker, trader)
        noise = word[2:].reshape(2, traders)
        learned = zip_learn(margins, limit, whole, active, buyers, price, bid, accepted, noise)
        margins = jax.tree.map(lambda new, old: jnp.where(heard, new, old), learned, margins)
        return (traded(book, limits, buyer, seller, price, accepted), margins), None

    start = empty_book(buyers, traders - buyers, limits.shape[1] * max(buyers, traders - buyers))
    return jax.lax.scan(shout, (start, margins), words)[0]
