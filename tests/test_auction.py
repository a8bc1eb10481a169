"""The call auction and closed-form clearing: reference cases, brute force over every price, what must not matter."""

import json
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import DATA

from jaxcoord.errors import ParameterError
from jaxcoord.market.auction import call_auction
from jaxcoord.market.spot import (
    auction_round,
    cash_in_market,
    cobb_douglas_price,
    exchange_price,
    gain_from_trade,
    match,
    net_purchase,
    orders,
    share_out,
    trading_post,
)


def of_kind(kind):
    entries = json.loads((DATA / "market_cases.json").read_text())["cases"]
    return [pytest.param(case, id=case["id"]) for case in entries if case["kind"] == kind]


SIZE = 14  # all books are filled up to it with empty orders, so that the auction is compiled once
clear = jax.jit(call_auction, static_argnames="pro_rata")


def book(orders, kind):
    padded = np.zeros((SIZE, 2), kind)
    padded[: len(orders)] = np.array(orders, kind).reshape(-1, 2)
    return padded.T


@pytest.mark.parametrize("case", of_kind("call_auction"))
@pytest.mark.parametrize("kind", [float, int])
def test_case(case, kind):
    asked, want, tolerance = case["inputs"], case["expected"], case["abs_tol"]
    bids, asks = (book(asked[side], kind) for side in ("bids", "asks"))
    with jax.enable_x64(True):
        found, shared = (jax.tree.map(np.asarray, clear(*bids, *asks, pro_rata=way)) for way in (False, True))
    bought, sold = (x[: len(asked[side])] for x, side in ((found.bought, "bids"), (found.sold, "asks")))
    assert found.volume == want["volume"]
    np.testing.assert_array_equal(bought, want["bid_fills_priority"])
    np.testing.assert_array_equal(sold, want["ask_fills_priority"])
    np.testing.assert_allclose(shared.bought[: len(bought)], want["bid_fills_prorata"], atol=tolerance)
    np.testing.assert_allclose(shared.sold[: len(sold)], want["ask_fills_prorata"], atol=tolerance)
    if kind is float:
        for mine, theirs in (
            (found.low, want["p_low"]),
            (found.high, want["p_high"]),
            (found.price, want["price_mid"]),
        ):
            assert not math.isfinite(mine) if theirs is None else abs(mine - theirs) <= tolerance
    elif want["price_mid"] is not None:
        assert (found.low, found.high, found.price) == (want["p_low"], want["p_high"], math.floor(want["price_mid"]))
    gains = (bids[0] * found.bought).sum() - (asks[0] * found.sold).sum()
    assert gains == want["gains"]
    assert gains == pytest.approx(want["max_gains"], abs=tolerance)


def random_book(seed, bids=SIZE, asks=SIZE):
    draw = np.random.default_rng(seed)
    return [x.astype(np.int32) for x in (
        draw.integers(1, 30, bids), draw.integers(0, 6, bids), draw.integers(1, 30, asks), draw.integers(0, 6, asks)
    )]  # fmt: skip


def best_volume(bids, units, asks, offered):
    prices = np.concatenate([bids, asks])
    return max(min(units[bids >= x].sum(), offered[asks <= x].sum()) for x in prices)


def test_random_books_trade_all_that_any_price_allows():
    """Largest volume by trying every price, no order at a loss, better ones whole, gains those of the best pairing."""
    for seed in range(60):
        bids, units, asks, offered = random_book(seed)
        found = jax.tree.map(np.asarray, clear(bids, units, asks, offered))
        assert found.volume == best_volume(bids, units, asks, offered) == found.bought.sum() == found.sold.sum()
        if found.volume == 0:
            assert found.low == bids[units > 0].max(initial=np.iinfo(np.int32).min)
            continue
        assert found.low <= found.price <= found.high
        assert (bids[found.bought > 0] >= found.price).all()
        assert (asks[found.sold > 0] <= found.price).all()
        assert (found.bought == units)[bids > found.price].all()
        assert (found.sold == offered)[asks < found.price].all()
        worth, cost = np.sort(np.repeat(bids, units))[::-1], np.sort(np.repeat(asks, offered))
        short = min(len(worth), len(cost))
        best = np.maximum(worth[:short] - cost[:short], 0).sum()
        assert (bids * found.bought).sum() - (asks * found.sold).sum() == best


def test_real_sizes_leave_no_crumb_of_an_order_at_the_margin():
    """Sizes whose sums round: the price is in the interval that the order book's steps leave, found by sorting."""
    rng = np.random.default_rng(6)
    prices, sizes = rng.uniform(0, 100, (2, 200, 60)), rng.uniform(0.5, 9, (2, 200, 60))
    with jax.enable_x64(True):
        found = jax.vmap(call_auction)(prices[0], sizes[0], prices[1], sizes[1])
    for number in range(200):
        bids, asks = np.argsort(-prices[0, number]), np.argsort(prices[1, number])
        wanted, offered = np.cumsum(sizes[0, number][bids]), np.cumsum(sizes[1, number][asks])
        bid, ask = prices[0, number][bids], prices[1, number][asks]
        volume = max(
            min(wanted[np.searchsorted(-bid, -x, "right") - 1] if (bid >= x).any() else 0,
                offered[np.searchsorted(ask, x, "right") - 1] if (ask <= x).any() else 0)
            for x in np.concatenate([bid, ask])
        )  # fmt: skip
        last_bid, last_ask = (int(np.searchsorted(x, volume - 1e-9)) for x in (wanted, offered))
        next_bid = last_bid + (abs(wanted[last_bid] - volume) < 1e-9)
        next_ask = last_ask + (abs(offered[last_ask] - volume) < 1e-9)
        low = max(ask[last_ask], bid[next_bid] if next_bid < len(bid) else -np.inf)
        high = min(bid[last_bid], ask[next_ask] if next_ask < len(ask) else np.inf)
        np.testing.assert_allclose([found.low[number], found.high[number]], [low, high], rtol=1e-12)
        np.testing.assert_allclose(found.volume[number], volume, rtol=1e-12)


@pytest.mark.parametrize("kind", [np.int32, np.uint8, np.int8, np.uint32])
def test_the_outermost_whole_prices_are_prices(kind):
    ends = np.iinfo(kind)
    found = call_auction(np.array([5, ends.max], kind), [1, 1], np.array([3, ends.min], kind), [1, 1])
    assert (int(found.volume), int(found.low), int(found.high)) == (2, 3, 5)


def test_what_must_not_matter():
    """Empty orders anywhere, the order of equal orders under pro rata, and whether prices are whole or real."""
    for seed in range(20):
        bids, units, asks, offered = random_book(seed)
        units[3], offered[5] = 0, 0
        plain = jax.tree.map(np.asarray, clear(bids, units, asks, offered))
        bids[3], asks[5] = 1000, 1
        other = clear(bids, units, asks, offered)
        np.testing.assert_array_equal(other.bought, plain.bought)
        assert (other.volume, other.price) == (plain.volume, plain.price)
        real = clear((bids / 3 - 4).astype(np.float32), units, (asks / 3 - 4).astype(np.float32), offered)
        np.testing.assert_array_equal(real.bought, plain.bought)
        np.testing.assert_array_equal(real.sold, plain.sold)
        turn = np.argsort(bids, kind="stable")[::-1]
        some = clear(bids, units, asks, offered, pro_rata=True)
        turned = clear(bids[turn], units[turn], asks, offered, pro_rata=True)
        np.testing.assert_allclose(turned.bought, np.asarray(some.bought)[turn], rtol=1e-6)


def test_the_price_moves_with_k_within_the_interval():
    limits = [np.array(x, np.float32) for x in ([10, 9], [3, 5])]
    one = np.ones(2, np.int32)
    ends = [float(clear(limits[0], one, limits[1], one, k).price) for k in (0.0, 0.25, 1.0)]
    assert ends == [5.0, 6.0, 9.0]


def test_batches_agree_with_each_alone():
    books = [np.stack(x) for x in zip(*(random_book(seed) for seed in range(8)), strict=True)]
    together = jax.jit(jax.vmap(call_auction))(*books)
    for i in range(8):
        for one, other in zip(clear(*(x[i] for x in books)), together, strict=True):
            np.testing.assert_array_equal(one, other[i])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([math.nan], [1], [1.0], [1]), r"bid_prices\[0\] = nan"),
        (([2.0], [1], [1.0], [-1]), r"ask_sizes\[0\] = -1: at least 0"),
        (([2.0, 3.0], [1], [1.0], [1]), "bid_sizes: 1 of them; needed: 2"),
        (([[2.0]], [[1]], [1.0], [1]), "a list of numbers"),
    ],
)
def test_refuses(arguments, message):
    with pytest.raises(ParameterError, match=message):
        call_auction(*arguments)


def test_a_traced_order_that_is_no_number_never_trades():
    found = clear(jnp.array([jnp.nan, 9.0]), jnp.array([5, 1]), jnp.array([4.0, 99.0]), jnp.array([3, 0]))
    np.testing.assert_array_equal(found.bought, [0, 1])


def test_nobody_bids():
    found = call_auction(np.zeros(0), np.zeros(0, int), np.zeros(0), np.zeros(0, int))
    assert found.volume == 0
    assert math.isnan(found.price)
    assert (found.low, found.high) == (-math.inf, math.inf)


@pytest.mark.parametrize("case", of_kind("cobb_douglas_price"))
def test_cobb_douglas_case(case):
    money, capacity, share = (np.array(case["inputs"][k]) for k in ("money", "capacity", "compute_share"))
    want, tolerance = case["expected"], case["abs_tol"]
    with jax.enable_x64(True):
        price = cobb_douglas_price(money, capacity, share)
        net = np.asarray(net_purchase(money, capacity, share, price))
        doubled = cobb_douglas_price(2 * money, capacity, share)
    assert float(price) == pytest.approx(want["price"], abs=tolerance)
    assert float(doubled) == pytest.approx(want["price_if_money_doubles"], abs=tolerance)
    np.testing.assert_allclose(net, want["net_purchase"], atol=tolerance)
    np.testing.assert_allclose(money - float(price) * net, want["money_after"], atol=10 * tolerance)
    assert net[net > 0].sum() == pytest.approx(want["volume"], abs=tolerance)


def test_tatonnement_ends_at_the_closed_form():
    money, capacity, share = np.array([9.0, 2, 5]), np.array([1.0, 4, 2]), np.array([0.3, 0.1, 0.7])
    price = 1.0
    for _ in range(500):
        net = np.asarray(net_purchase(money, capacity, share, price))
        price *= math.exp(0.1 * net.sum() / capacity.sum())
    assert price == pytest.approx(float(cobb_douglas_price(money, capacity, share)), rel=1e-5)


def test_the_gain_from_trade_is_what_autarky_would_cost():
    """By search: the least wealth that buys, at the price, the utility of what one has."""
    money, capacity, share, price = 7.0, 3.0, 0.35, 2.5
    utility = capacity**share * money ** (1 - share)
    compute = np.linspace(0.01, 30, 300_000)
    cost = (price * compute + (utility / compute**share) ** (1 / (1 - share))).min()
    assert float(gain_from_trade(money, capacity, share, price)) == pytest.approx(
        money + price * capacity - cost, rel=1e-4
    )
    at_home = share * money / ((1 - share) * capacity)
    assert float(gain_from_trade(money, capacity, share, at_home)) == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("case", of_kind("trading_post"))
def test_trading_post_case(case):
    with jax.enable_x64(True):
        price, goods, money = trading_post(case["inputs"]["money_bids"], case["inputs"]["goods_offered"])
    want = case["expected"]
    np.testing.assert_allclose(price, want["price"], atol=case["abs_tol"])
    np.testing.assert_allclose(goods, want["goods_received"], atol=1e-11)
    np.testing.assert_allclose(money, want["money_received"], atol=1e-11)


def test_a_trading_post_without_goods_gives_the_bids_back():
    price, goods, money = trading_post([3.0, 1.0], [0.0, 0.0])
    assert math.isnan(price)
    assert not np.any(goods)
    assert not np.any(money)


@pytest.mark.parametrize("case", of_kind("cash_in_market"))
def test_cash_in_market_case(case):
    asked = case["inputs"]
    with jax.enable_x64(True):
        price = float(cash_in_market(asked["units_for_sale"], asked["buyer_budgets"], asked["fundamental"]))
    assert price == pytest.approx(case["expected"]["price"], abs=case["abs_tol"])
    assert (price < asked["fundamental"]) == case["expected"]["constrained"]


def users(seed, count=40):
    draw = np.random.default_rng(seed)
    return (jnp.asarray(draw.integers(0, 9000, count)), jnp.asarray(draw.integers(0, 20, count)),
            jnp.asarray(draw.beta(2, 5, count), float))  # fmt: skip


def test_whole_orders_are_affordable_and_match():
    for seed in range(10):
        liquid, capacity, share = users(seed)
        price = exchange_price(liquid, capacity, share)
        buy, sell = orders(liquid, capacity, share, price)
        assert (buy * price <= liquid).all()
        assert (sell <= capacity).all()
        bought, sold, volume = match(buy, sell)
        assert bought.sum() == sold.sum() == volume == min(buy.sum(), sell.sum())


def test_an_auction_of_users_is_affordable_and_in_its_band():
    meet = jax.jit(auction_round)
    for seed in range(10):
        liquid, capacity, share = users(seed)
        band = (jnp.asarray(150), jnp.asarray(200))
        price, bought, sold = meet(liquid, capacity, share, jnp.asarray(170.0), band)
        assert bought.sum() == sold.sum() > 0
        assert 150 <= price <= 200
        assert (price * bought <= liquid).all()
        assert (sold <= capacity).all()


def test_sharing_gives_to_the_urgent():
    _, capacity, share = users(3)
    received, given = share_out(capacity, share)
    assert received.sum() == given.sum() > 0
    have = np.asarray(capacity + received - given)
    due = np.asarray(capacity.sum() * share / share.sum())
    short = due.sum() - np.floor(due).sum()  # units that the floor leaves over stay where they were
    assert (have >= np.floor(due) - 1e-3).all()
    assert (have - due).sum() == pytest.approx(0, abs=1e-3)
    assert np.maximum(have - due, 0).sum() <= short + 1e-3


def test_a_bid_at_any_price_trades_at_what_the_ask_says():
    """Where one side is ready to pay whatever it costs, the price is the other's; where both are, it is unknown."""
    assert float(call_auction([math.inf], [1.0], [3.0], [1.0]).price) == 3
    assert float(call_auction([3.0], [1.0], [-math.inf], [1.0]).price) == 3
    assert not math.isfinite(float(call_auction([math.inf], [1.0], [-math.inf], [1.0]).price))
    with pytest.raises(ParameterError, match=r"k = 1.5: a share from 0 to 1 is needed"):
        call_auction([1.0], [1.0], [1.0], [1.0], 1.5)
