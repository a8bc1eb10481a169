"""Forwards settled in kind: delivery against payment, the squeeze, and what cannot be delivered."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcoord as jc
from jaxcoord.market.delivery import auction_round, deliver, exchange_round, squeeze_price, still_due
from jaxcoord.market.economy import ComputeEconomy
from jaxcoord.market.ledger import identities, net_worth, open_ledger
from jaxcoord.market.spot import cobb_douglas_price

price_of = jax.jit(squeeze_price)
ANY = (jnp.asarray(1), jnp.asarray(2**28))


def demand(price, needs, money, share):
    """Units that those who must buy buy, in plain NumPy: as owners of -u units, but no more than their money."""
    return np.minimum(money, share * money + (1 - share) * price * needs) / price


def test_the_squeeze_price_clears_the_market_whatever_the_budgets():
    draw = np.random.default_rng(0)
    for _ in range(60):
        needs, money, share = draw.integers(0, 9, 20), draw.exponential(50, 20), draw.random(20)
        given, spare = draw.exponential(300), draw.exponential(60)
        with jax.enable_x64(True):
            price = float(price_of(given, spare, needs, money, share))
        forced = needs > 0
        bought = given / price + demand(price, needs[forced], money[forced], share[forced]).sum()
        assert bought == pytest.approx(spare, rel=1e-9), "one price at which as much is bought as is to spare"


def test_the_squeeze_price_in_closed_form():
    share, money, owned = np.array([0.2, 0.5, 0.4]), np.array([90.0, 40.0, 500.0]), np.array([10.0, 6.0, 0.0])
    given, spare = (share * money)[:2].sum(), ((1 - share) * owned).sum()
    with jax.enable_x64(True):
        none = price_of(given, spare, np.zeros(3), money, share)
        assert none == pytest.approx(float(cobb_douglas_price(money[:2], owned[:2], share[:2])), rel=1e-12)
        prices = [float(price_of(given, spare, np.array([0, 0, u]), money, share)) for u in (1, 4, 8)]
        for units, price in zip((1, 4, 8), prices, strict=True):
            rich = (given + 0.4 * 500) / (spare - 0.6 * units)
            assert price == pytest.approx(rich, rel=1e-12)
        poor = price_of(given, spare, np.array([0, 0, 40]), money, share)
        assert poor == pytest.approx((given + 500) / spare, rel=1e-12), "all its money, and no more"
    assert prices == sorted(prices), "the more must be bought, the dearer it is"


@pytest.mark.slow
def test_who_must_buy_is_served_first_and_pays_the_price_of_the_squeeze():
    """Two sell, one buys, one must buy 5 and one must buy 3 without the money for it."""
    liquid, owned = jnp.array([100, 100, 900, 900, 2]), jnp.array([10, 8, 1, 0, 0])
    share, needs = jnp.array([0.1, 0.1, 0.6, 0.0, 0.0]), jnp.array([0, 0, 0, 5, 3])
    for session in (
        jax.jit(exchange_round)(liquid, owned, share, needs, ANY),
        jax.jit(auction_round)(liquid, owned, share, jnp.asarray(60.0), needs, ANY),
    ):
        assert session.bought.sum() == session.sold.sum()
        assert session.bought_in[3] == 5
        assert session.price * session.bought_in[4] <= 2
        assert (session.price * session.bought <= liquid).all()
        assert (session.bought_in <= session.bought).all()
        assert not session.bought_in[:3].any()
        np.testing.assert_array_equal(session.sold[2:], 0)
    calm = exchange_round(liquid[:3], owned[:3], share[:3], needs[:3], ANY).price
    assert exchange_round(liquid, owned, share, needs, ANY).price > calm


def forward(cash, positions, mark):
    """A ledger of one issuer and users with cash and positions."""
    ledger = open_ledger([0, *cash], [0] * (len(cash) + 1), [-1] + [0] * len(cash), 1)
    return ledger._replace(forwards=jnp.array([0, *positions])), jnp.asarray(mark)


def test_delivery_is_against_payment_and_shrinks_positions_alike():
    """The second buyer can pay for 2 of the 6 units due to it; the first seller has 1 unit of the 4 it sold."""
    ledger, mark = forward([500, 25, 0, 0], [3, 6, -4, -5], 10)
    after, given, received = jax.jit(deliver)(ledger, jnp.array([0, 0, 0, 1, 5]), mark, True)
    np.testing.assert_array_equal(given, [0, 0, 0, 1, 4])
    np.testing.assert_array_equal(received, [0, 3, 2, 0, 0])
    np.testing.assert_array_equal(after.forwards, [0, 0, 4, -3, -1])
    np.testing.assert_array_equal(net_worth(after) - net_worth(ledger), [0, -30, -20, 10, 40])
    assert all(identities(after, 0).values())
    needs, coming = still_due(after, mark, True)
    assert not needs.any(), "nobody must buy in for who cannot pay"
    assert not coming.any()
    same, given, _ = deliver(ledger, jnp.array([0, 0, 0, 1, 5]), mark, jnp.asarray(False))
    assert not given.any()
    np.testing.assert_array_equal(same.forwards, ledger.forwards)


def test_what_is_still_due_is_bought_in_as_far_as_buyers_can_pay():
    ledger, mark = forward([500, 45, 100, 0], [3, 6, -4, -5], 10)
    needs, coming = still_due(ledger, mark, True)
    np.testing.assert_array_equal(needs, [0, 0, 0, 4, 3])
    np.testing.assert_array_equal(coming, [0, 3, 4, 0, 0])
    assert not still_due(ledger, mark, False)[0].any()


@pytest.mark.slow
def test_in_kind_those_who_sold_what_they_lack_drive_the_price_up():
    """The same draws until the first delivery that needs buying in; without need of it delivery is neutral."""
    model = ComputeEconomy(
        size=60, issuers=6, futures=True, maturity=10, reserve_ratio=0.4, margin=0.02, cash_share=0.5
    )
    record = jc.Record(every=1, only=("price", "bought_in", "delivered", "failed_deliveries", "violation"))
    runs = {
        kind: jc.sweep(
            dataclasses.replace(model, settlement=kind), {"hedge": [0.5, 4.0]}, 10, 64, seed=2, record=record,
            progress=False,
        )
        for kind in ("cash", "physical")
    }  # fmt: skip
    cash, kind = runs["cash"], runs["physical"]
    assert (cash.price == kind.price).isel(step=slice(0, 9)).all()
    end = kind.isel(step=-1)
    squeezed, calm = np.log(end.price / cash.price.isel(step=-1)).transpose("replicate", "hedge").values.T[::-1]
    assert end.bought_in.sel(hedge=4.0).mean() > 10
    assert end.bought_in.sel(hedge=0.5).max() == 0
    assert squeezed.mean() > 4 * squeezed.std(ddof=1) / 8
    assert np.abs(calm).mean() < 0.1 * squeezed.mean()
    assert cash.delivered.max() == 0
    assert kind.violation.max() == 0


@pytest.mark.slow
def test_sellers_who_may_not_bid_the_price_up_fail():
    model = ComputeEconomy(
        size=60, issuers=6, futures=True, reserve_ratio=0.4, margin=0.02, cash_share=0.5, hedge=6.0,
        settlement="physical", shock="capacity", shock_step=10, shock_size=0.8, placements=0.0,
    )  # fmt: skip
    record = jc.Record(every=10, only=("failed_deliveries", "violation"))
    data = jc.sweep(model, {"price_limit": [0.0, 0.01]}, 10, 32, record=record, progress=False)
    free, limited = data.failed_deliveries.isel(step=-1).mean("replicate").values
    assert limited > free, "a price limit turns a squeeze into failures"
    assert data.violation.max() == 0
