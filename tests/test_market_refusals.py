"""What the functions of the market refuse, in one line that names the argument, and what they must not refuse."""

import jax
import numpy as np
import pytest

from jaxcoord.errors import ParameterError
from jaxcoord.market import brokers, commons, debtrank, fire_sales, ledger, money, observables, sharing, spot

NAN, INF = float("nan"), float("inf")
CLAIMS = [[0.0, 1.0], [1.0, 0.0]]


def deleverage(shock):
    return fire_sales.deleveraging([1.0, 2.0], [[0.5, 0.5], [1.0, 0.0]], [9.0, 9.0], [0.1, 0.1], shock)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: money.credit_limit(0, 5), "reserve_ratio = 0: above 0 and at most 1"),
        (lambda: money.credit_limit(0.5, -5), "base_money = -5: a finite amount of at least 0"),
        (lambda: money.reserve_wealth(0.5, -1), "base_money = -1: a finite amount of at least 0"),
        (lambda: money.reserve_wealth([0.5, NAN], 1), r"reserve_ratio\[1\] = nan: above 0"),
        (lambda: money.reserve_wealth([0.5, 0.2], [1, 2, 3]), r"base_money \(3,\): shapes that broadcast"),
        (lambda: spot.cobb_douglas_price([-5, 1], [1, 1], [0.5, 0.5]), r"money\[0\] = -5: a finite amount"),
        (lambda: spot.cobb_douglas_price([NAN, 1], [1, 1], [0.5, 0.5]), r"money\[0\] = nan: a finite amount"),
        (lambda: spot.cobb_douglas_price([5, 1], [1, 1], [0.5, 2]), r"share\[1\] = 2: a share from 0 to 1"),
        (lambda: spot.cobb_douglas_price([5, 1], [1, 1, 1], 0.5), r"capacity: shape \(3,\); one amount for each of 2"),
        (lambda: spot.cobb_douglas_price([5, 1], 1, [0.5] * 3), r"share: shape \(3,\); a number, or one for each of 2"),
        (lambda: spot.cobb_douglas_price("much", 1, 0.5), "money = 'much': a number or an array of numbers"),
        (lambda: spot.trading_post([NAN, 1], [1, 1]), r"bids\[0\] = nan: a finite amount"),
        (lambda: spot.trading_post([-1, 3], [1, 1]), r"bids\[0\] = -1: a finite amount"),
        (lambda: spot.trading_post([1, 3], [1, INF]), r"offers\[1\] = inf: a finite amount"),
        (lambda: spot.trading_post([1, 3], [1, 1, 1]), r"offers: shape \(3,\); one for each of 2 bids"),
        (lambda: spot.cash_in_market(2, [3, -9], 10), r"budgets\[1\] = -9: a finite amount"),
        (lambda: spot.cash_in_market(-2, [3, 9], 10), "units = -2: a finite amount"),
        (lambda: spot.cash_in_market(2, [3, 9], NAN), "fundamental = nan: a finite amount"),
        (lambda: ledger.open_ledger([-5, 1], [0, 0], [-1, 0], 1), r"cash\[0\] = -5: a whole number from 0"),
        (lambda: ledger.open_ledger([NAN, 1], [0, 0], [-1, 0], 1), r"cash\[0\] = nan: a whole number"),
        (lambda: ledger.open_ledger([5, 1], [0, 2.7], [-1, 0], 1), r"nodes\[1\] = 2.7: a whole number"),
        (
            lambda: ledger.open_ledger([5, 1, 1], [0, 2], [-1, 0, 0], 1),
            r"nodes: shape \(2,\); one whole number for each of 3",
        ),
        (lambda: ledger.open_ledger([5, 1], [0, 2], [-1], 1), r"home: shape \(1,\); one whole number for each of 2"),
        (lambda: ledger.open_ledger(5, 0, -1, 1), r"cash: shape \(\); one whole number for each of N"),
        (lambda: ledger.open_ledger([5, 1], [0, 2], [-1, 7], 1), r"home\[1\] = 7: a whole number from -1 to 0"),
        (lambda: ledger.open_ledger([5, 1], [0, 2], [0, 0], 1), r"home\[0\] = 0: an issuer has none; -1"),
        (lambda: ledger.open_ledger([5, 1], [0, 2], [-1, -1], 3), "issuers = 3: a whole number from 1 to 2"),
        (lambda: brokers.cournot_brokers(100, 1, 20, 1, np.array([0, 1])), r"brokers\[0\] = 0: at least 1"),
        (lambda: brokers.cournot_brokers(1, 1, 2, 1, 1), "supply_intercept = 2: at most demand_intercept, 1,"),
        (lambda: brokers.cournot_brokers(2, -1, 1, 1, 1), "demand_slope = -1: a finite slope of at least 0"),
        (lambda: brokers.cournot_brokers(2, 0, 1, 0, 1), r"demand_slope \+ supply_slope = 0: above 0"),
        (lambda: brokers.cournot_brokers([2, 3], 1, 1, 1, [1, 2, 3]), r"brokers \(3,\): shapes that broadcast"),
        (lambda: brokers.free_entry_brokers(100, 1, 20, 1, 0), "cost = 0: a finite number above 0"),
        (lambda: brokers.free_entry_brokers(NAN, 1, 20, 1, 1), "demand_intercept = nan: a finite number"),
        (lambda: sharing.vcg_units([[5, 3], [4, 1]], 1.5), "units = 1.5: a whole number of at least 0"),
        (lambda: sharing.vcg_units([[5, 3], [4, 1]], -1), "units = -1: a whole number"),
        (lambda: sharing.vcg_units([[5, 3], [4, 1]], NAN), "units = nan: a whole number"),
        (lambda: sharing.vcg_units([[5, 3], [4, 1]], [1]), r"units: shape \(1,\); a number"),
        (lambda: sharing.vcg_units([5, 3], 1), r"values: shape \(2,\); an array \[N, K\]"),
        (lambda: sharing.mcafee([[1.0]], [1.0]), r"values: shape \(1, 1\); an array \[B\]"),
        (lambda: sharing.max_min_share(3, 1), r"demands: shape \(\); an array \[N\]"),
        (lambda: sharing.proportional_share([3], [1]), r"capacity: shape \(1,\); a number"),
        (
            lambda: sharing.dominant_resource_fair([9.0], [[1.0], [2.0]], [1, 0]),
            r"weights\[1\] = 0: a finite number ab",
        ),
        (lambda: sharing.dominant_resource_fair([9.0], [[1.0], [2.0]], [1, 1, 1]), r"weights: shape \(3,\); a number"),
        (
            lambda: sharing.dominant_resource_fair([9.0], [[1.0, 2.0]]),
            r"demands: shape \(1, 2\); a column for each of 1",
        ),
        (lambda: sharing.dominant_resource_fair([9.0], [1.0]), r"demands: shape \(1,\); an array \[N, R\]"),
        (lambda: debtrank.debtrank(CLAIMS, [2, 2], [1, 0, 0], [0.5, 0.5]), r"first: shape \(3,\); a number, or one fo"),
        (lambda: debtrank.debtrank(CLAIMS, [2, 2], [1, 0], [5, 2]), "weights: sum to 7; shares must sum to 1"),
        (lambda: deleverage([-0.1, 0, 0]), r"shock: shape \(3,\); a number, or one for each of 2"),
        (lambda: deleverage([-2, 0]), r"shock\[0\] = -2: a relative change of at least -1"),
        (lambda: observables.gini([[1.0, 2.0]]), r"values: shape \(1, 2\); an array \[N\]"),
        (lambda: commons.static_pool(8, 3, 1, 5), "outside = 5: at most a, 3, is needed"),
        (lambda: commons.static_pool(8, 9, 0, 5), "b = 0: a finite number above 0"),
        (lambda: commons.static_pool(0, 9, 1, 5), "agents = 0: at least 1"),
        (lambda: commons.static_pool(8, NAN, 1, 5), "a = nan: a finite number"),
        (lambda: commons.pool_accord(8, 9, 1, 5, 0), "audit = 0: a probability above 0"),
        (lambda: commons.pool_accord(8, 9, 1, 5, 1.5), "audit = 1.5: a probability above 0"),
    ],
)
def test_refused(call, said):
    with pytest.raises(ParameterError, match=said) as refused:
        call()
    assert "\n" not in str(refused.value)


def test_what_is_empty_has_an_outcome():
    for values, costs in (([], [1.0]), ([1.0], []), ([], [])):
        found = sharing.mcafee(values, costs)
        assert (int(found.efficient), int(found.trades), float(found.surplus)) == (0, 0, 0)
        assert np.isnan([found.buyer_price, found.seller_price]).all()
    assert sharing.max_min_share([], 1).shape == (0,)
    for capacity, share in (([0, 0], [0.5, 0.5]), ([3, 3], [1, 1])):
        assert float(spot.cobb_douglas_price([0, 0], capacity, share)) == INF


def test_gini_passes_on_what_is_no_number():
    assert np.isnan(observables.gini([NAN, 1, 2]))
    assert np.isnan(observables.gini([1, INF]))
    assert float(observables.gini([-3, 0])) == 0


def test_a_pool_worth_less_than_elsewhere_is_used_by_nobody():
    model = commons.CommonPool(a=3.0, outside=5.0, audit=0.5, fine=1.0)
    start = model.init(jax.random.key(0))
    assert float(model.accord().quota) == 0
    assert float(model.observe(start._replace(pages=0 * start.pages))["compliant"]) == 1
