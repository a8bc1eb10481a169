"""Sharing and truthful mechanisms: the cases, definitions checked by trying, and that lying does not pay."""

import itertools
import json
from functools import partial

import cases
import jax
import numpy as np
import pytest
from scipy.optimize import linprog

from jaxcoord.errors import ParameterError
from jaxcoord.market import sharing

ENTRIES = json.loads((cases.DATA / "market_cases.json").read_text())["cases"]
MCAFEE, VCG, DRF = ({c["id"]: c for c in ENTRIES if c["kind"] == kind} for kind in ("mcafee", "vcg_units", "drf"))
draw = np.random.default_rng(0)


def table(rows):
    """Rows of unequal length, filled up with zeros."""
    return np.array(list(itertools.zip_longest(*rows, fillvalue=0)), float).T


@pytest.mark.parametrize("name", MCAFEE)
def test_mcafee(name):
    inputs, expected = MCAFEE[name]["inputs"], MCAFEE[name]["expected"]
    with jax.enable_x64(True):
        found = sharing.mcafee(inputs["values"], inputs["costs"])
    assert [int(found.efficient), int(found.trades)] == [expected["q"], expected["trades"]]
    measured = [found.buyer_price, found.seller_price, found.surplus]
    np.testing.assert_allclose(
        measured, [expected[k] for k in ("buyer_price", "seller_price", "budget_surplus")], atol=MCAFEE[name]["abs_tol"]
    )


def test_mcafee_at_the_edges():
    none = sharing.mcafee([1.0, 2.0], [5.0, 6.0])
    assert int(none.efficient) == int(none.trades) == 0
    assert np.isnan(none.buyer_price)
    assert float(none.surplus) == 0
    alone = sharing.mcafee([9.0, 8.0], [2.0, 3.0])  # no further pair to set a price
    assert [int(alone.efficient), int(alone.trades)] == [2, 1]
    assert [float(alone.buyer_price), float(alone.seller_price), float(alone.surplus)] == [8, 3, 5]


def buyer_gain(bid, worth, values, costs):
    """What the first buyer gains with a bid, where it is worth something else."""
    found = jax_mcafee(np.array([bid, *values]), costs)
    trades = int(found.trades)
    wins = trades and sum(v > bid for v in values) < trades
    return worth - float(found.buyer_price) if wins else 0.0


jax_mcafee, jax_vcg, jax_drf = (
    jax.jit(sharing.mcafee),
    jax.jit(sharing.vcg_units),
    jax.jit(sharing.dominant_resource_fair),
)


def test_truth_is_the_best_bid_in_mcafees_auction():
    for _ in range(25):
        worth, values, costs = draw.uniform(0, 10), draw.uniform(0, 10, 3), draw.uniform(0, 10, 4)
        honest = buyer_gain(worth, worth, values, costs)
        assert honest >= -1e-5
        for bid in draw.uniform(0, 12, 8):
            assert buyer_gain(bid, worth, values, costs) <= honest + 1e-5


@pytest.mark.parametrize("name", VCG)
def test_vcg(name):
    inputs, expected = VCG[name]["inputs"], VCG[name]["expected"]
    with jax.enable_x64(True):
        found = sharing.vcg_units(table(inputs["marginal_values"]), inputs["slots"])
    np.testing.assert_array_equal(found.units, expected["allocation"])
    np.testing.assert_allclose(found.payments, expected["payments"], atol=VCG[name]["abs_tol"])
    assert float(found.welfare) == pytest.approx(expected["welfare"], abs=VCG[name]["abs_tol"])


def test_vcg_gives_to_the_best_and_truth_pays():
    for _ in range(25):
        values = -np.sort(-draw.integers(0, 12, (4, 3)), axis=1).astype(float)
        units = int(draw.integers(0, 8))
        found = jax_vcg(values, units)
        assert float(found.welfare) == np.sort(values.ravel())[::-1][:units].sum()
        assert int(found.units.sum()) <= units
        assert (np.asarray(found.payments) >= 0).all()
        honest = values[0, : int(found.units[0])].sum() - float(found.payments[0])
        assert honest >= 0
        for _ in range(5):
            lie = values.copy()
            lie[0] = -np.sort(-draw.integers(0, 14, 3))
            got = jax_vcg(lie, units)
            assert values[0, : int(got.units[0])].sum() - float(got.payments[0]) <= honest + 1e-4


@pytest.mark.parametrize("name", DRF)
def test_dominant_resource_fairness(name):
    inputs, expected = DRF[name]["inputs"], DRF[name]["expected"]
    with jax.enable_x64(True):
        found = sharing.dominant_resource_fair(inputs["capacity"], inputs["demand_per_task"], inputs["weights"])
    for value, key in zip(found, ("tasks", "dominant_shares", "used"), strict=True):
        np.testing.assert_allclose(value, expected[key], atol=DRF[name]["abs_tol"])


def lexicographic(capacity, demands, weights):
    """Dominant shares by linear programmes: raise the least weighted share, fix who cannot rise, again."""
    dominant, count = (demands / capacity).max(1), len(demands)
    fixed = {}
    while len(fixed) < count:
        free = [i for i in range(count) if i not in fixed]
        bounds = [(fixed.get(i, 0), fixed.get(i)) for i in range(count)]
        above = [[-float(j == i) for j in range(count)] + [weights[i]] for i in free]
        use = np.column_stack([(demands / dominant[:, None]).T, np.zeros(len(capacity))])

        limits = np.concatenate([capacity, np.zeros(len(free))])
        solve = partial(linprog, A_ub=np.vstack([use, above]), b_ub=limits)
        level = solve(np.append(np.zeros(count), -1), bounds=[*bounds, (0, None)]).x[-1]
        held = [*bounds, (level, None)]
        for i in free:
            most = -solve(np.append(-1.0 * (np.arange(count) == i), 0.0), bounds=held).fun
            if most <= weights[i] * level + 1e-7:
                fixed[i] = weights[i] * level
    return np.array([fixed[i] for i in range(count)])


def test_progressive_filling_is_the_lexicographic_optimum():
    for _ in range(12):
        capacity = draw.uniform(5, 20, 3)
        demands = draw.uniform(0.5, 4, (4, 3)) * (draw.random((4, 3)) < 0.6)
        demands[np.arange(4), draw.integers(0, 3, 4)] += 1
        weights = draw.uniform(0.5, 2, 4)
        found = jax_drf(capacity, demands, weights)
        np.testing.assert_allclose(found.shares, lexicographic(capacity, demands, weights), rtol=2e-4, atol=1e-5)
        np.testing.assert_allclose(found.used, np.asarray(found.tasks) @ demands, rtol=1e-4)
        assert (np.asarray(found.used) <= capacity * (1 + 1e-5)).all()


def test_with_one_resource_dominant_fairness_is_max_min():
    demands = np.array([[2.0], [5.0], [1.0]])
    found = sharing.dominant_resource_fair([12.0], demands)
    np.testing.assert_allclose(np.asarray(found.tasks) * demands[:, 0], 4.0, rtol=1e-6)


def test_max_min_is_water_filling():
    np.testing.assert_allclose(sharing.max_min_share([2, 2.6, 4, 5], 10), [2, 2.6, 2.7, 2.7], rtol=1e-6)
    np.testing.assert_allclose(sharing.max_min_share([1, 2, 3], 7), [1, 2, 3])
    for _ in range(20):
        demands, capacity = draw.integers(0, 10, 6).astype(float), draw.uniform(0, 40)
        got = np.asarray(sharing.max_min_share(demands, capacity))
        assert got.sum() == pytest.approx(min(capacity, demands.sum()), rel=1e-5, abs=1e-6)
        unmet = got < demands - 1e-5
        assert not unmet.any() or (got[unmet] >= got.max() - 1e-4).all(), "whoever wants more has as much as anybody"


def test_proportional_share_rewards_who_asks_for_more_and_max_min_does_not():
    truth, lie = np.array([4.0, 6.0, 8.0]), np.array([4.0, 6.0, 80.0])
    np.testing.assert_allclose(sharing.proportional_share(truth, 9), truth / 2)
    np.testing.assert_allclose(sharing.proportional_share(truth, 100), truth)
    assert float(sharing.proportional_share(lie, 9)[2]) == pytest.approx(8)
    np.testing.assert_allclose(sharing.max_min_share(lie, 9), sharing.max_min_share(truth, 9))


@pytest.mark.parametrize("share", [sharing.proportional_share, sharing.max_min_share])
def test_nobody_asks_for_anything(share):
    np.testing.assert_array_equal(share([0.0, 0.0], 5.0), [0, 0])


def test_what_cannot_be_shared_is_refused():
    with pytest.raises(ParameterError, match=r"demands = \[1.0, -1.0\]"):
        sharing.max_min_share([1.0, -1.0], 5)
    with pytest.raises(ParameterError, match="capacity"):
        sharing.dominant_resource_fair([0.0], [[1.0]])
    with pytest.raises(ParameterError, match=r"demands\[1\]: a user that needs nothing"):
        sharing.dominant_resource_fair([1.0], [[1.0], [0.0]])
    with pytest.raises(ParameterError, match="values"):
        sharing.mcafee([float("nan")], [1.0])
    with pytest.raises(ParameterError, match="not be worth more"):
        sharing.vcg_units([[1.0, 2.0]], 1)
