"""Credit, runs, brokers, futures and inequality: reference cases and closed forms."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import DATA
from scipy import stats

from jaxcoord.errors import ParameterError
from jaxcoord.market.brokers import broker_entry, broker_round, cournot_brokers, free_entry_brokers, quotes
from jaxcoord.market.credit import (
    bank_run,
    credit_rounds,
    money_multiplier,
    reserve_choice,
    reserve_failure,
    reserve_value,
    shortfall_of_promises,
)
from jaxcoord.market.futures import (
    close_out,
    hedge_ratio,
    margin_call,
    mark_forwards,
    open_forwards,
    release,
    settle_forwards,
)
from jaxcoord.market.ledger import identities, open_ledger
from jaxcoord.market.observables import gini
from jaxcoord.market.rescue import learned_belief


def of_kind(kind):
    entries = json.loads((DATA / "market_cases.json").read_text())["cases"]
    return [pytest.param(case, id=case["id"]) for case in entries if case["kind"] == kind]


@pytest.fixture
def wide():
    with jax.enable_x64(True):
        yield


@pytest.mark.usefixtures("wide")
@pytest.mark.parametrize("case", of_kind("money_multiplier"))
def test_money_multiplier_case(case):
    asked, want, tolerance = case["inputs"], case["expected"], case["abs_tol"]
    ratio, currency, base = asked["reserve_ratio"], asked["currency_deposit_ratio"], asked["base"]
    multiplier = float(money_multiplier(ratio, currency))
    assert multiplier == pytest.approx(want["limit_multiplier"], abs=tolerance)
    deposits = base * multiplier / (1 + currency)
    assert deposits == pytest.approx(want["limit_deposits"], abs=1e-6)
    assert deposits * (1 - ratio) == pytest.approx(want["limit_loans"], abs=1e-6)
    rounds = credit_rounds(base, ratio, currency, asked["rounds"])
    for name, value in want["after_rounds"].items():
        assert float(rounds[name][-1]) == pytest.approx(value, abs=tolerance)
    for i, first in enumerate(want["first_rounds"]):
        for name, value in first.items():
            assert float(rounds[name][i]) == pytest.approx(value, abs=tolerance)


@pytest.mark.usefixtures("wide")
@pytest.mark.parametrize("case", of_kind("promise_run"))
def test_promise_run_case(case):
    asked, want = case["inputs"], case["expected"]
    chance, missing = shortfall_of_promises(asked["promises"], asked["redeem_prob"], asked["deliverable"])
    assert float(chance) == pytest.approx(want["p_shortfall"], abs=case["abs_tol"])
    assert float(missing) == pytest.approx(want["expected_shortfall"], abs=case["abs_tol"])


@pytest.mark.usefixtures("wide")
@pytest.mark.parametrize("chance", [0.0, 1.0])
def test_promises_that_are_all_or_never_redeemed(chance):
    short, missing = shortfall_of_promises(10, chance, 7)
    assert (float(short), float(missing)) == ((1.0, 3.0) if chance else (0.0, 0.0))


@pytest.mark.usefixtures("wide")
@pytest.mark.parametrize("case", of_kind("bank_run"))
def test_bank_run_case(case):
    want, found = case["expected"], bank_run(**case["inputs"])
    assert float(found["early"]) == pytest.approx(want["c1"], abs=case["abs_tol"])
    assert float(found["late"]) == pytest.approx(want["c2"], abs=case["abs_tol"])
    assert bool(found["possible"]) == want["run_possible"]
    limit = 1.0 if want["run_threshold"] is None else want["run_threshold"]
    assert float(found["threshold"]) == pytest.approx(limit, abs=case["abs_tol"])


@pytest.mark.usefixtures("wide")
@pytest.mark.parametrize("case", of_kind("reserve_choice"))
def test_reserve_choice_case(case):
    asked, want = case["inputs"], case["expected"]
    count = round((asked["grid_stop"] - asked["grid_start"]) / asked["grid_step"]) + 1
    grid = jnp.asarray(asked["grid_start"] + asked["grid_step"] * np.arange(count))
    rest = (
        asked["loan_margin"],
        asked["loss"],
        asked["bailout_prob"],
        asked["mean_withdrawal"],
        asked["sd_withdrawal"],
    )
    best = reserve_choice(grid, *rest)
    assert float(best) == pytest.approx(want["r_star"], abs=case["abs_tol"])
    assert float(reserve_value(best, *rest)) == pytest.approx(want["utility"], abs=case["abs_tol"])
    assert float(reserve_failure(best, *rest[3:])) == pytest.approx(want["p_fail"], abs=case["abs_tol"])


def test_belief_moves_only_in_trouble():
    belief = jnp.array([0.5, 0.1])
    np.testing.assert_allclose(learned_belief(belief, True, True), [0.6, 0.28], rtol=1e-6)
    np.testing.assert_allclose(learned_belief(belief, True, False), [0.4, 0.08], rtol=1e-6)
    np.testing.assert_array_equal(learned_belief(belief, False, False), belief)


@pytest.mark.usefixtures("wide")
@pytest.mark.parametrize("case", of_kind("brokers"))
def test_brokers_case(case):
    asked, want = case["inputs"], case["expected"]
    lines = [asked[k] for k in ("demand_intercept", "demand_slope", "supply_intercept", "supply_slope")]
    found = cournot_brokers(*lines, asked["brokers"])
    for mine, theirs in {"income": "broker_income_each"}.items():
        assert float(found[mine]) == pytest.approx(want[theirs], abs=case["abs_tol"])
    for name in ("volume", "spread", "ask", "bid", "efficient_volume", "deadweight"):
        assert float(found[name]) == pytest.approx(want[name], abs=case["abs_tol"])
    entrants = int(free_entry_brokers(*lines, asked["entry_cost"]))
    assert entrants == want["free_entry_brokers"]
    pays = [float(cournot_brokers(*lines, n)["income"]) >= asked["entry_cost"] for n in (entrants, entrants + 1)]
    assert pays == [True, False]


def test_the_spread_of_brokers_falls_as_they_compete():
    price = jnp.asarray(9000)
    wide = [float(ask - bid) for ask, bid in (quotes(price, 0.4, jnp.asarray(n)) for n in (1, 2, 3, 7))]
    np.testing.assert_allclose(wide, 9000 * 0.8 / np.array([2, 3, 4, 8]), atol=2)


def test_a_round_of_brokers_balances():
    draw = np.random.default_rng(1)
    liquid, capacity = jnp.asarray(draw.integers(0, 9000, 30)), jnp.asarray(draw.integers(0, 20, 30))
    share, place = jnp.asarray(draw.beta(2, 5, 30), float), np.arange(30)
    brokers, customers = jnp.asarray(place >= 27), jnp.asarray(place < 20)
    done = broker_round(liquid, capacity, share, jnp.asarray(100), customers, brokers, 0.4, 4)
    assert done.bought.sum() == done.sold.sum() > 0
    assert done.income.sum() == (done.ask - done.bid) * done.bought.sum()
    assert (done.ask * done.bought <= liquid).all()
    assert (done.sold <= capacity).all()
    assert not np.any(np.asarray(done.bought + done.sold)[20:])
    assert not np.any(np.asarray(done.income)[:27])
    nobody = broker_round(liquid, capacity, share, jnp.asarray(100), customers, jnp.zeros(30, bool), 0.4, 4)
    assert nobody.bought.sum() == nobody.income.sum() == 0
    assert nobody.offered > 0, "what a first broker would earn"


def test_brokers_enter_where_it_pays_and_leave_where_not():
    surplus, eligible = jnp.array([5.0, 1.0, 9.0, 4.0]), jnp.array([True, False, True, True])
    nobody, one = jnp.zeros(4, bool), jnp.array([False, False, True, False])
    np.testing.assert_array_equal(broker_entry(nobody, eligible, jnp.asarray(7.0), surplus, 2.0, 3), [0, 0, 0, 1])
    np.testing.assert_array_equal(broker_entry(nobody, eligible, jnp.asarray(5.9), surplus, 2.0, 3), [0, 0, 0, 0])
    np.testing.assert_array_equal(broker_entry(one, eligible, jnp.asarray(12.0), surplus, 2.0, 1), [0, 0, 1, 0])
    np.testing.assert_array_equal(broker_entry(one, eligible, jnp.asarray(5.0), surplus, 2.0, 1), [0, 0, 0, 0])


@pytest.mark.usefixtures("wide")
@pytest.mark.parametrize("case", of_kind("gini"))
def test_gini_case(case):
    assert float(gini(case["inputs"]["x"])) == pytest.approx(case["expected"]["gini"], abs=case["abs_tol"])


def test_gini_is_the_mean_difference_and_ignores_debts():
    values = np.random.default_rng(0).normal(3, 4, 57)
    clipped = np.maximum(values, 0)
    expected = np.abs(clipped[:, None] - clipped).mean() / (2 * clipped.mean())
    assert float(gini(values)) == pytest.approx(expected, rel=1e-5)
    assert float(gini(np.zeros(5))) == 0


@pytest.mark.usefixtures("wide")
@pytest.mark.parametrize("case", of_kind("futures_margin"))
def test_futures_margin_case(case):
    asked, want = case["inputs"], case["expected"]
    position, prices = np.array(asked["positions"], int), asked["prices"]
    ledger = open_ledger([1000] * 3, [0] * 3, [-1] * 3, 1)
    ledger, initial = open_forwards(ledger, jnp.asarray(position), jnp.asarray(prices[0]), asked["initial_margin_rate"])
    np.testing.assert_array_equal(ledger.forwards, position)
    np.testing.assert_array_equal(initial, want["initial"])
    calls, start = np.zeros(3), np.asarray(ledger.cash + ledger.margin)
    for old, step in zip(prices, want["steps"], strict=False):
        before = np.asarray(ledger.margin)
        ledger, missing = mark_forwards(ledger, jnp.asarray(old), jnp.asarray(step["price"]))
        np.testing.assert_array_equal(np.asarray(ledger.margin) - before, step["variation"])
        ledger, met, fails = margin_call(ledger, initial, asked["maintenance_fraction"])
        np.testing.assert_array_equal(met, step["call"])
        np.testing.assert_array_equal(ledger.margin, step["account"])
        assert missing == 0
        assert not fails.any()
        calls += np.asarray(met)
    np.testing.assert_array_equal(calls, want["total_calls"])
    np.testing.assert_array_equal(np.asarray(ledger.cash + ledger.margin) - start, want["pnl"])


def speculators(cash):
    ledger = open_ledger(cash, [0] * 4, [-1] * 4, 1)
    return open_forwards(ledger, jnp.array([-60, 50, 20, -10]), jnp.asarray(10), 0.1)


def test_forwards_are_cut_to_what_cash_can_margin():
    ledger, initial = speculators([30, 100, 100, 100])
    np.testing.assert_array_equal(ledger.forwards, [-30, 40, 0, -10])
    np.testing.assert_array_equal(initial, [30, 40, 0, 10])
    assert all(identities(ledger, 0).values())


def test_losses_beyond_margin_and_cash_fall_on_the_winners_in_proportion():
    ledger, _ = speculators([40, 100, 100, 100])
    np.testing.assert_array_equal(ledger.forwards, [-40, 50, 0, -10])
    settled, missing = settle_forwards(ledger, jnp.asarray(10), jnp.asarray(13))
    assert missing == 3 * 40 - 40
    np.testing.assert_array_equal(settled.cash, [0, 100 + 70, 100, 70])
    np.testing.assert_array_equal(settled.forwards, 0)
    assert all(identities(settled, 0).values())
    both, _ = mark_forwards(ledger, jnp.asarray(10), jnp.asarray(13))
    assert all(identities(both, 0).values())


def test_the_remainder_of_a_haircut_goes_to_the_first_winner():
    ledger = open_ledger([7, 100, 100], [0] * 3, [-1] * 3, 1)._replace(forwards=jnp.array([-3, 1, 2]))
    marked, missing = mark_forwards(ledger, jnp.asarray(0), jnp.asarray(10))
    np.testing.assert_array_equal(marked.margin, [0, 7 - 7 * 20 // 30, 7 * 20 // 30])
    assert missing == 23


def test_who_cannot_meet_a_call_is_closed_out_and_positions_still_sum_to_zero():
    ledger, initial = speculators([40, 100, 100, 100])
    ledger, _ = mark_forwards(ledger, jnp.asarray(10), jnp.asarray(11))
    ledger, met, fails = margin_call(ledger, initial, 0.75)
    np.testing.assert_array_equal(fails, [True, False, False, False])
    ledger, left = close_out(ledger, initial, fails)
    np.testing.assert_array_equal(ledger.forwards, [0, 10, 0, -10])
    np.testing.assert_array_equal(left, [0, 10, 0, 10])
    assert met[3] == 10, "the other short is topped up"
    assert ledger.margin[0] == 0
    assert all(identities(ledger, 0).values())
    assert release(ledger).clearing_cash == ledger.clearing_cash


@pytest.mark.usefixtures("wide")
@pytest.mark.parametrize("case", of_kind("hedge_ratio"))
def test_hedge_ratio_case(case):
    asked, want = case["inputs"], case["expected"]
    found = hedge_ratio(asked["spot_changes"], asked["future_changes"])
    assert float(found["ratio"]) == pytest.approx(want["h"], abs=case["abs_tol"])
    assert float(found["effectiveness"]) == pytest.approx(want["effectiveness"], abs=case["abs_tol"])
    unbiased = float(found["variance"])
    count = len(asked["spot_changes"])
    assert want["hedged_variance"] == pytest.approx(unbiased, abs=1e-9) or want["hedged_variance"] == pytest.approx(
        unbiased * (count - 1) / count, abs=1e-9
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: money_multiplier(0.0, 0.1), "reserve_ratio = 0.0: above 0 and at most 1 is needed"),
        (lambda: shortfall_of_promises(5, 1.5, 2), "redeemed = 1.5: a share from 0 to 1 is needed"),
        (lambda: cournot_brokers(100, 1, 20, 1, 0), "brokers = 0: at least 1"),
        (lambda: bank_run(1.5, 2.0, 2.0), "impatient = 1.5"),
    ],
)
def test_refuses(call, message):
    with pytest.raises(ParameterError, match=message):
        call()


@pytest.mark.parametrize(
    ("count", "chance", "flow"), [(50, 0.3, 17), (7, 0.9, 6), (10_000, 0.2, 1900), (1_000_000, 0.01, 10_050.5)]
)
def test_promises_agree_with_scipy(count, chance, flow):
    """In the usual precision too, however many promises are out."""
    redeemed = np.arange(count + 1)
    excess = stats.binom.pmf(redeemed, count, chance) @ np.maximum(redeemed - flow, 0)
    found = shortfall_of_promises(count, chance, flow)
    np.testing.assert_allclose(found, (stats.binom.sf(flow, count, chance), excess), rtol=1e-5)
    with jax.enable_x64(True):
        found = shortfall_of_promises(count, chance, flow)
    np.testing.assert_allclose(found, (stats.binom.sf(flow, count, chance), excess), rtol=1e-9)
