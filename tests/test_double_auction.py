"""The continuous double auction: the rules of the book by hand, Gode & Sunder's efficiency, ZIP traders who learn."""

import json

import cases
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcoord.errors import ParameterError
from jaxcoord.market import double_auction as market
from jaxcoord.market.double_auction_model import DoubleAuction

ENTRIES = json.loads((cases.DATA / "market_cases.json").read_text())["cases"]
ZI = {case["id"]: case for case in ENTRIES if case["kind"] == "zi_market"}
LIMITS = np.array([[90, 40], [70, 30], [20, 60], [50, 80]])  # two buyers, two sellers
UNITS = np.array([2, 2, 2, 2])


learn = jax.jit(market.zip_learn, static_argnums=4)
equilibrium = jax.jit(market.equilibrium, static_argnums=2)


def day(inputs, **fields):
    """The model of a case's schedules."""
    return DoubleAuction(values=np.array(inputs["values"], float), costs=np.array(inputs["costs"], float),
                         price_max=inputs["price_max"], quotes=inputs["attempts"], **fields)  # fmt: skip


@jax.jit
def one_day(model, keys):
    """What is observed of the first day of many markets."""
    return jax.vmap(lambda key: model.observe(model.step(model.init(key), key)))(keys)


@jax.jit
def after_days(model, keys, days):
    """What is observed of the last of some days."""

    def run(key):
        one = lambda t, state: model.step(state, jax.random.fold_in(key, t))  # noqa: E731
        return model.observe(jax.lax.fori_loop(0, days, one, model.init(key)))

    return jax.vmap(run)(keys)


@jax.jit
def traded_after(traders, prices):
    start = market.empty_book(2, 2, 4)

    def step(book, given):
        return market.quote(book, jnp.asarray(LIMITS), jnp.asarray(UNITS), 2, *given), None

    return jax.lax.scan(step, start, (traders, prices))[0]


def after(*quotes):
    """The book after quotes (trader, price)."""
    # Padded with quotes that nobody hears, asks at the highest price there is.
    padded = np.array([*quotes, *[(2, market.NO_ASK)] * (6 - len(quotes))], np.int32)
    return traded_after(padded[:, 0], padded[:, 1])


def test_best_quotes_stand_until_improved():
    book = after((0, 40), (1, 35), (2, 70), (3, 80), (1, 41), (3, 70))
    assert (int(book.bid), int(book.bidder), int(book.ask), int(book.asker)) == (41, 1, 70, 2)
    assert not book.done.any()
    assert not book.prices.any()


def test_a_crossing_quote_trades_at_the_standing_price_and_clears_the_book():
    book = after((0, 40), (2, 55), (1, 60))
    assert book.prices.tolist() == [55, 0, 0, 0]
    assert book.done.tolist() == [0, 1, 1, 0]
    assert int(book.gains) == 70 - 20
    assert int(book.bid) == 0
    assert int(book.ask) == market.NO_ASK
    book = after((0, 40), (2, 55), (1, 60), (1, 45), (2, 10))
    assert book.prices.tolist() == [55, 45, 0, 0]
    assert book.done.tolist() == [0, 2, 2, 0]
    assert int(book.gains) == 50 + (30 - 60), "second units: worth 30, cost 60"


def test_who_has_no_unit_left_is_not_heard():
    book = after((0, 40), (2, 40), (0, 40), (2, 40), (0, 99), (2, 1))
    assert book.done.tolist() == [2, 0, 2, 0]
    assert int(book.bid) == 0
    assert int(book.ask) == market.NO_ASK


@pytest.mark.parametrize("constrained", [True, False])
def test_random_prices_are_uniform_on_what_is_allowed(constrained):
    words = jax.random.bits(jax.random.key(1), (20_000,), jnp.uint32)
    for buys, (low, high) in ((True, (1, 7)), (False, (7, 10))):
        drawn = market.random_price(jnp.int32(7), jnp.bool_(buys), words, 10, constrained)
        low, high = (low, high) if constrained else (1, 10)
        cases.assert_frequencies(
            np.bincount(drawn, minlength=high + 1)[low:], np.full(high - low + 1, 1 / (high - low + 1))
        )
        assert int(drawn.min()) == low
        assert int(drawn.max()) == high


@pytest.mark.parametrize("name", ZI)
def test_equilibrium_of_the_schedules(name):
    model = day(ZI[name]["inputs"])
    low, high, volume, gains = equilibrium(*model.limits(), 6)
    assert [int(low), int(high), int(volume)] == ZI[name]["expected"]["equilibrium"]
    assert float(gains) == ZI[name]["expected"]["max_surplus"]


def test_an_equilibrium_without_trade_or_with_few_sellers():
    assert [int(x) for x in equilibrium([[30], [50]], [1, 1], 1)] == [30, 50, 0, 0]
    low, high, volume, gains = equilibrium([[30], [20], [10]], [1, 1, 1], 2)
    assert [int(low), int(high), int(volume), int(gains)] == [20, 30, 1, 20]


@pytest.mark.parametrize("name", ZI)
def test_zero_intelligence_finds_nearly_all_gains(name):
    case = ZI[name]
    runs = one_day(day(case["inputs"]), jax.random.split(jax.random.key(1), 400))
    low, high = case["band"]["zic_efficiency"]
    assert low <= float(runs["efficiency"].mean()) <= high
    assert float(runs["efficiency"].max()) <= 1
    for observed, key in (("early_error", "zic_early_abs_dev"), ("late_error", "zic_late_abs_dev")):
        assert float(runs[observed].mean()) == pytest.approx(case["expected"][key], rel=0.1)
    assert float(runs["trades"].mean()) == pytest.approx(case["expected"]["zic_trades"], abs=0.15)


@pytest.mark.parametrize("name", ZI)
def test_traders_without_constraint_trade_every_unit(name):
    case = ZI[name]
    runs = one_day(day(case["inputs"], traders="unconstrained"), jax.random.split(jax.random.key(1), 20))
    low, high = case["band"]["ziu_efficiency"]
    np.testing.assert_array_equal(runs["trades"], case["expected"]["ziu_trades"])
    np.testing.assert_allclose(runs["efficiency"], (low + high) / 2, rtol=1e-5)


def margins(margin):
    """ZIP traders with these margins, without momentum, who go half of the way."""
    margin = jnp.asarray(margin, float)
    return market.Margins(margin, jnp.zeros_like(margin), jnp.full_like(margin, 0.5), jnp.zeros_like(margin))


@pytest.mark.parametrize(
    ("price", "bid", "accepted", "directions"),
    [
        # Two buyers who would pay 80 and 60, two sellers who would take 50 and 75: 1 raises the margin, -1 lowers it.
        (65, False, True, [1, -1, 1, 0]),  # an ask of 65 is taken
        (65, True, True, [1, 0, 1, -1]),  # a bid of 65 is taken
        (65, True, False, [0, -1, 0, 0]),  # a bid of 65 lapses: the buyer below it must bid more
        (65, False, False, [0, 0, 0, -1]),  # an ask of 65 lapses: the seller above it must ask less
    ],
)
def test_zip_traders_move_as_cliff_says(price, bid, accepted, directions):
    limit = jnp.array([100.0, 100.0, 40.0, 40.0])
    before = margins([-0.2, -0.4, 0.25, 0.875])
    words = jnp.zeros((2, 4), jnp.uint32)  # targets are the shout itself
    quotes = market.zip_quotes(before, limit, 2, 200)
    after = learn(before, limit, quotes, jnp.ones(4, bool), 2, price, bid, accepted, words)
    moves = np.asarray(market.zip_prices(after, limit) - market.zip_prices(before, limit))
    profit = moves * np.array([-1, -1, 1, 1])
    np.testing.assert_array_equal(np.sign(profit), directions)
    own = np.array([80, 60, 50, 75])
    np.testing.assert_allclose(moves, np.where(np.array(directions) != 0, 0.5 * (price - own), 0), atol=1e-4)


def test_zip_traders_never_ask_for_a_loss_and_who_is_done_lowers_nothing():
    limit = jnp.array([100.0, 40.0])
    words = jnp.full((2, 2), 2**32 - 1, jnp.uint32)
    start = margins([-0.1, 0.1])
    quotes = market.zip_quotes(start, limit, 1, 200)
    for price, bid in ((150, True), (10, False)):
        after = learn(start, limit, quotes, jnp.ones(2, bool), 1, price, bid, False, words)
        assert float(after.margin[0]) <= 0 <= float(after.margin[1])
        assert (after.margin != start.margin).any()
        done = learn(start, limit, quotes, jnp.zeros(2, bool), 1, price, bid, False, words)
        np.testing.assert_array_equal(done.margin, start.margin)


def test_zip_traders_find_the_equilibrium_price():
    """Eleven buyers and sellers with one unit each, limits 75 to 325 as in Cliff 1997: the equilibrium is at 200."""
    limits, keys = np.arange(75.0, 326.0, 25.0)[:, None], jax.random.split(jax.random.key(2), 20)
    model = DoubleAuction(values=limits, costs=limits, price_max=400, quotes=300, traders="zip")
    first, last = ({k: float(x.mean()) for k, x in after_days(model, keys, days).items()} for days in (1, 10))
    assert last["alpha"] < min(0.03, 0.3 * first["alpha"])
    assert last["efficiency"] > 0.98
    assert last["price"] == pytest.approx(200, abs=3)


def test_a_schedule_that_is_no_schedule_is_refused():
    with pytest.raises(ParameterError, match="whole numbers from 1 to price_max = 200"):
        DoubleAuction(values=[[10.5]], costs=[[5.0]])
    with pytest.raises(ParameterError, match="costs"):
        DoubleAuction(values=[[10.0]], costs=[[500.0]])
    with pytest.raises(ParameterError, match="values"):
        DoubleAuction(values=[[0.0]])
