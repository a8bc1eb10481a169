"""Contagion: reference cases, exact cascades, windows, fire sales, cross-holdings, herding, and random networks."""

import json
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import DATA, assert_frequencies, assert_means, critical
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse, stats
from scipy.sparse.csgraph import connected_components

from jaxcoord.errors import ParameterError
from jaxcoord.market import contagion, cross_holdings, debtrank, fire_sales, herding
from jaxcoord.market.interbank import places_for, random_claims, random_links
from jaxcoord.networks.graph import to_dense

ALL = json.loads((DATA / "market_cases.json").read_text())["cases"]


def of_kind(kind):
    return [pytest.param(case, id=case["id"]) for case in ALL if case["kind"] == kind]


@pytest.fixture
def float64():
    with jax.enable_x64(True):
        yield


def near(actual, expected, case, double):
    tolerance = case["abs_tol"] if double else 1e-4
    np.testing.assert_allclose(actual, expected, atol=tolerance, rtol=0 if double else tolerance)


ranked = jax.jit(debtrank.debtrank, static_argnames="rule")
held = jax.jit(cross_holdings.failure_cascade)
sold = jax.jit(fire_sales.fire_sale)


def arrays(case, *names):
    return [np.asarray(case["inputs"][name], float) for name in names]


both = pytest.mark.parametrize("double", [True, False], ids=["float64", "float32"])


# DebtRank


@both
@pytest.mark.parametrize("case", of_kind("debtrank"))
def test_debtrank_equals_reference(case, double):
    with jax.enable_x64(double):
        for rule, expected in case["expected"].items():
            found = ranked(*arrays(case, "A", "E", "h0", "weights"), rule=rule.replace("_", "-"))
            near(found.distress, expected["h"], case, double)
            near(found.debtrank, expected["debtrank"], case, double)


@pytest.mark.usefixtures("float64")
def test_linear_debtrank_resums_the_walks_where_nobody_fails():
    random = np.random.default_rng(0)
    claims = random.uniform(0, 0.1, (9, 9)) * (1 - np.eye(9))
    first, equity = random.uniform(0, 0.05, 9), np.ones(9)
    linear = debtrank.debtrank(claims, equity, first, np.full(9, 1 / 9))
    np.testing.assert_allclose(linear.distress, np.linalg.solve(np.eye(9) - claims, first), rtol=1e-10)
    single = debtrank.debtrank(claims, equity, first, np.full(9, 1 / 9), rule="single-hit")
    assert (single.distress <= linear.distress + 1e-12).all()
    # All are in distress at once, so each passes it on once, in the first round.
    np.testing.assert_allclose(single.distress, first + claims @ first, rtol=1e-12)


# Thresholds


@pytest.mark.parametrize("case", of_kind("gk_window"))
def test_window_equals_reference(case):
    capital, interbank = case["inputs"]["capital_pct"], case["inputs"]["interbank_asset_pct"]
    expected = case["expected"]
    assert contagion.largest_vulnerable_degree(capital, interbank) == expected["max_vulnerable_degree"]
    edges = contagion.contagion_window(capital, interbank)
    np.testing.assert_allclose(edges, [expected["z_low"], expected["z_high"]], atol=case["abs_tol"])
    inside = contagion.vulnerable_links([edges[0] - 0.01, *edges, edges[0] + 0.01, edges[1] - 0.01, edges[1] + 0.01],
                                        capital, interbank)  # fmt: skip
    np.testing.assert_array_equal(np.sign(np.round(inside - 1, 9)), [-1, 0, 0, 1, 1, -1])


@pytest.mark.parametrize(("capital", "edges"), [(3, (1.0006, 9.0970)), (4, (1.0037, 7.4771)), (5, (1.0207, 5.7647))])
def test_windows_of_the_paper(capital, edges):
    np.testing.assert_allclose(contagion.contagion_window(capital, 20), edges, atol=5.1e-5)


def test_there_is_no_window_where_banks_are_too_safe():
    assert contagion.contagion_window(7, 20) is None
    assert contagion.contagion_window(21, 20) is None
    degrees = np.linspace(0, 20, 400)
    assert (contagion.vulnerable_links(degrees, 7, 20) < 1).all()
    assert not contagion.vulnerable_links(degrees, 21, 20).any()
    assert contagion.contagion_window(6, 20) is not None


@pytest.mark.parametrize("dense", [False, True], ids=["lists", "matrix"])
@pytest.mark.parametrize("case", of_kind("gk_cascade"))
def test_cascade_equals_reference(case, dense):
    given_, expected = case["inputs"], case["expected"]
    claims = contagion.claims_among(given_["claims"], given_["n"])
    first = np.isin(np.arange(given_["n"]), given_["seed"])
    found = contagion.threshold_cascade(
        to_dense(claims) if dense else claims, first, given_["capital_units"], given_["interbank_units"]
    )
    assert np.asarray(found.failed).tolist() == expected["default"]
    assert (int(found.failed.sum()), int(found.rounds)) == (expected["n_default"], expected["rounds"])


cascades = jax.jit(jax.vmap(contagion.threshold_cascade))


@settings(deadline=None, max_examples=10)
@given(seed=st.integers(0, 2**32 - 1))
def test_cascade_is_the_smallest_set_closed_under_failure(seed):
    random = np.random.default_rng(seed)
    lent = random.random((20, 15, 15)) < 0.25
    lent &= ~np.eye(15, dtype=bool)
    first = random.random((20, 15)) < 0.1
    capital, interbank = random.integers(1, 6, 20), random.integers(1, 21, 20)
    found = cascades(lent, first, capital, interbank)
    for i in range(20):
        failed, rounds = first[i].copy(), 0
        while True:
            count, degree = (lent[i] & failed).sum(1), lent[i].sum(1)
            now = failed | ((degree > 0) & (count * interbank[i] >= capital[i] * degree))
            if (now == failed).all():
                break
            failed, rounds = now, rounds + 1
        np.testing.assert_array_equal(found.failed[i], failed)
        assert int(found.rounds[i]) == rounds


def draws(degree, capital, number, banks=1000):
    """Extent of the contagion in independent draws of the model's own step."""
    model = contagion.InterbankContagion(degree=degree, capital=capital, banks=banks)
    return simulate(model, jnp.arange(number))


@jax.jit
def simulate(model, numbers):
    def one(i):
        key = jax.random.fold_in(jax.random.key(7), i)
        return model.observe(model.step(model.init(key), key))

    return jax.lax.map(one, numbers)


@pytest.mark.parametrize("case", of_kind("gk_mc"))
def test_frequency_and_extent_of_contagion(case):
    """The band is for 300 draws or more; a standard error more is allowed for fewer."""
    given_, band, number = case["inputs"], case["band"], 150
    found = draws(float(given_["z"]), given_["capital_units"], number)
    assert not found["dropped"].any()
    systemic = np.asarray(found["contagion"], bool)
    low, high = band["frequency"]
    likely = case["expected"]["frequency"]
    room = 2 * math.sqrt(max(likely * (1 - likely), 1 / number) / number)
    assert low - room <= systemic.mean() <= high + room
    if "extent" in band and systemic.sum() > 10:
        extent = np.asarray(found["extent"])[systemic].mean()
        assert band["extent"][0] <= extent <= min(band["extent"][1], 1)


def test_nobody_fails_after_a_bank_that_owes_nobody_or_whose_lenders_are_safe():
    found = draws(0.0, 4, 5)
    np.testing.assert_allclose(found["extent"], 1 / 1000, rtol=1e-6)
    assert not found["rounds"].any()
    safe = draws(3.0, 21, 5)
    np.testing.assert_allclose(safe["extent"], 1 / 1000, rtol=1e-6)


# Random networks


def test_claims_are_drawn_pair_by_pair():
    """Every ordered pair with the same probability, numbers of borrowers and of lenders binomial, pairs independent."""
    banks, degree, number = 12, 3.0, 3000
    keys = jax.vmap(lambda i: jax.random.fold_in(jax.random.key(1), i))(jnp.arange(number))
    drawn = jax.jit(jax.vmap(lambda key: random_claims(key, banks, degree, banks - 1)))(keys)
    lent = np.asarray(jax.jit(jax.vmap(to_dense))(drawn))
    assert not drawn.dropped.any()
    assert not lent[:, np.arange(banks), np.arange(banks)].any()
    chance = degree / (banks - 1)
    off = np.abs(lent.mean(0) - chance)[~np.eye(banks, dtype=bool)]
    assert off.max() < critical(off.size) * math.sqrt(chance * (1 - chance) / number)
    for axis in (1, 2):
        counts = np.bincount(lent.sum(axis).ravel(), minlength=banks)
        assert_frequencies(counts, stats.binom.pmf(np.arange(banks), banks - 1, chance))
    mutual = (lent[:, 0, 1] & lent[:, 1, 0]).sum(), (lent[:, 0, 1] & lent[:, 0, 2]).sum()
    for both_drawn in mutual:
        assert stats.binomtest(int(both_drawn), number, chance**2).pvalue > 1e-4


def test_links_are_drawn_pair_by_pair():
    agents, degree, number = 10, 2.0, 3000
    keys = jax.vmap(lambda i: jax.random.fold_in(jax.random.key(2), i))(jnp.arange(number))
    drawn = jax.jit(jax.vmap(lambda key: random_links(key, agents, degree, agents - 1)))(keys)
    matrix = np.asarray(jax.jit(jax.vmap(to_dense))(drawn))
    assert not np.tril(matrix.any(0) & ~np.eye(agents, dtype=bool)).any()
    chance = degree / (agents - 1)
    pairs = np.triu_indices(agents, 1)
    off = np.abs(matrix[:, pairs[0], pairs[1]].mean(0) - chance)
    assert off.max() < critical(off.size) * math.sqrt(chance * (1 - chance) / number)
    total = np.bincount(matrix[:, pairs[0], pairs[1]].sum(1), minlength=46)
    assert_frequencies(total, stats.binom.pmf(np.arange(46), 45, chance))


def test_borrowers_beyond_the_places_are_counted():
    draw = jax.jit(random_claims, static_argnums=(1, 3))
    full, cut = (draw(jax.random.key(0), 10, 9.0, places) for places in (9, 4))
    assert int(full.valid.sum()) == 90
    assert not int(full.dropped)
    assert int(cut.valid.sum()) == 40
    assert int(cut.dropped) == 10
    for degree in (0.1, 1.0, 10.0, 100.0):
        assert stats.poisson.sf(places_for(degree), degree) < 1e-8


# Cross-holdings


@both
@pytest.mark.parametrize("case", of_kind("cross_holdings"))
def test_cross_holdings_equal_reference(case, double):
    expected = case["expected"]
    holdings, ownership, prices, *rest = arrays(case, "C", "D", "p", "threshold_fraction", "cost_fraction_of_threshold")
    shocked = prices.copy()
    for shock in case["inputs"]["shock"]:
        shocked[shock["asset"]] *= shock["multiplier"]
    with jax.enable_x64(double):
        near(cross_holdings.dependency_matrix(holdings), expected["dependency"], case, double)
        found = held(holdings, ownership, prices, shocked, *rest)
        near(found.first_value, expected["v0"], case, double)
        near(found.value, expected["v_final"], case, double)
    np.testing.assert_array_equal(found.failed, expected["failed"])
    rounds = np.asarray(found.rounds)
    assert [np.flatnonzero(rounds == r).tolist() for r in range(1, rounds.max() + 1)] == expected["rounds"]


def test_holdings_keep_all_value_among_outsiders():
    holdings = np.asarray(jax.jit(cross_holdings.random_holdings, static_argnums=1)(jax.random.key(3), 40, 3.0, 0.5))
    total = holdings.sum(0)
    np.testing.assert_allclose(total[total > 0], 0.5, rtol=1e-6)
    assert all(np.unique(column).size <= 2 for column in holdings.T)
    np.testing.assert_allclose(cross_holdings.dependency_matrix(holdings).sum(0), 1, rtol=1e-5)
    unhurt = held(holdings, np.eye(40), np.ones(40), np.ones(40), 1.0)
    assert not unhurt.failed.any()


@jax.jit
def mean_failed(degrees, share, threshold):
    return jax.vmap(lambda degree: failed_shares(degree, share, threshold, 40))(degrees)


def failed_shares(degree, share, threshold, networks):
    def one(i):
        holdings = cross_holdings.random_holdings(jax.random.fold_in(jax.random.key(5), i), 100, degree, share)
        after = jnp.ones(100).at[0].set(0.0)
        return cross_holdings.failure_cascade(holdings, jnp.eye(100), jnp.ones(100), after, threshold).failed.mean()

    return jax.lax.map(one, jnp.arange(networks))


@pytest.mark.parametrize(
    ("threshold", "share", "published"),
    [(0.93, 0.5, {0.5: 0.02, 3.0: 0.45, 8.0: 0.02}), (0.96, 0.5, {2.0: 0.62, 6.0: 0.97, 20.0: 0.02})],
)
def test_failures_are_most_at_middle_diversification(threshold, share, published):
    samples = np.asarray(mean_failed(jnp.array(list(published)), share, threshold))
    for row, expected in zip(samples, published.values(), strict=True):
        # Both samples have an error, 200 networks there and 40 here, nearly all or nothing; two digits were printed.
        error = math.sqrt(expected * (1 - expected) * (1 / 40 + 1 / 200))
        assert abs(row.mean() - expected) <= 4 * error + 0.005


# Fire sales


@both
@pytest.mark.parametrize("case", of_kind("fire_sale"))
def test_fire_sale_equals_reference(case, double):
    expected = case["expected"]
    names = ("liquid", "illiquid_units", "claims", "liabilities", "min_ratio", "price_impact")
    with jax.enable_x64(double):
        found = sold(*arrays(case, *names))
        near(found.price, expected["price"], case, double)
        # A sale follows from small differences of large numbers: a unit in single precision counts a hundred times.
        near(found.sales, expected["sales"], case | {"abs_tol": 1e-9}, double)
        near(found.equity, expected["equity"], case, double)
    np.testing.assert_array_equal(found.insolvent, expected["insolvent"])
    assert float(found.residual) < (1e-13 if double else 1e-6)


@pytest.mark.usefixtures("float64")
def test_the_price_of_a_fire_sale_is_the_greatest():
    """On a fine grid of prices no higher one clears; a seller ends at its ratio."""
    random = np.random.default_rng(4)
    for _ in range(20):
        cash, units, lent = (random.uniform(5, 20, 6) for _ in range(3))
        debt = (cash + units + lent) * random.uniform(0.85, 1.0, 6)
        found = sold(cash, units, lent, debt, 0.08, 0.004)
        price = float(found.price)
        assert price == pytest.approx(math.exp(-0.004 * float(found.sales.sum())), rel=1e-12)
        worth = price * units + cash + lent - debt
        some = (np.asarray(found.sales) > 1e-9) & (np.asarray(found.sales) < units - 1e-9)
        kept = units[some] - np.asarray(found.sales)[some]
        np.testing.assert_allclose(worth[some] / (price * kept + lent[some]), 0.08, rtol=1e-9)
        for higher in np.linspace(price + 1e-6, 1, 2000):
            value = higher * units + cash + lent - debt
            needed = np.clip(units - (value - 0.08 * lent) / (0.08 * higher), 0, units)
            sales = np.where(value <= 0, units, np.where(value < 0.08 * (higher * units + lent), needed, 0))
            assert math.exp(-0.004 * sales.sum()) < higher


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("case", of_kind("deleveraging"))
def test_deleveraging_equals_reference(case):
    found = fire_sales.deleveraging(
        *arrays(case, "assets", "weights", "debt_to_equity", "price_impact", "asset_return_shock")
    )
    keys = ("direct_loss", "net_asset_sales", "price_change", "spillover_loss", "aggregate_vulnerability")
    for number, key in zip(found, keys, strict=True):
        np.testing.assert_allclose(number, case["expected"][key], atol=case["abs_tol"], rtol=0)


# Herding


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("case", of_kind("herding"))
def test_moments_of_herding(case):
    """The closed form, and cluster sizes drawn: given them, the second and fourth moments of demand are exact."""
    agents, c, a = (case["inputs"][name] for name in ("N", "c", "a"))
    expected, band, number = case["expected"], case["band"], 150
    found = herding.herding_moments(agents, c, a)
    np.testing.assert_allclose(found, [expected["variance"], expected["excess_kurtosis"]], rtol=1e-9)
    sizes = np.asarray(drawn_sizes(c, number), float)
    assert (sizes.sum(1) == agents).all()
    second = 2 * a * (sizes**2).sum(1)
    fourth = 3 * second**2 + (2 * a - 12 * a**2) * (sizes**4).sum(1)
    variance, kurtosis = second.mean(), fourth.mean() / second.mean() ** 2 - 3
    assert band["variance"][0] <= variance <= band["variance"][1]
    assert band["excess_kurtosis"][0] <= kurtosis <= band["excess_kurtosis"][1]


@jax.jit
def links_drawn(c, numbers):
    return jax.lax.map(
        lambda i: random_links(jax.random.fold_in(jax.random.key(9), i), 2000, c, places_for(1)), numbers
    )


@jax.jit
def sizes_of(links):
    return jax.lax.map(herding.cluster_sizes, links)


def drawn_sizes(c, number):
    return sizes_of(links_drawn(c, jnp.arange(number)))


def test_clusters_are_those_of_a_union_find():
    for c in (0.5, 1.5):
        links = links_drawn(c, jnp.arange(5))
        names = np.asarray(jax.jit(jax.vmap(herding.clusters))(links))
        for i in range(5):
            rows, places = np.nonzero(np.asarray(links.valid[i]))
            edges = sparse.coo_matrix((np.ones(len(rows)), (rows, np.asarray(links.neighbours[i])[rows, places])),
                                      (2000, 2000))  # fmt: skip
            _, labels = connected_components(edges, directed=False)
            first = np.full(labels.max() + 1, 2000)
            np.minimum.at(first, labels, np.arange(2000))
            np.testing.assert_array_equal(names[i], first[labels])


def test_demand_of_clusters_has_its_moments():
    sizes, a, number = jnp.array([5, 3, 0, 1, 1]), 0.2, 20_000
    keys = jax.vmap(lambda i: jax.random.fold_in(jax.random.key(3), i))(jnp.arange(number))
    demand = np.asarray(jax.jit(jax.vmap(lambda key: herding.herd_demand(key, sizes, a)))(keys))
    second = 2 * a * (25 + 9 + 1 + 1)
    fourth = 3 * second**2 + (2 * a - 12 * a**2) * (625 + 81 + 1 + 1)
    assert_means(np.stack([demand, demand**2, demand**3, demand**4], 1), [0, second, 0, fourth])


def test_herding_steps_by_clusters():
    model = herding.Herding(links=0.0, activity=0.5, depth=10.0, traders=50)
    key = jax.random.key(0)
    seen = jax.jit(lambda k: model.observe(model.step(model.init(k), k)))(key)
    assert float(seen["largest_cluster"]) == pytest.approx(1 / 50)
    assert float(seen["log_return"]) == pytest.approx(float(seen["demand"]) / 10)
    assert float(seen["demand"]) % 2 == 0  # all of an even number trade one unit
    one = herding.Herding(links=49.0, activity=0.5, traders=50, places=49)
    seen = jax.jit(lambda k: one.observe(one.step(one.init(k), k)))(key)
    assert float(seen["largest_cluster"]) == 1
    assert abs(float(seen["demand"])) == 50


# Refusals


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: debtrank.debtrank([[0.0, 1.0], [1.0, 0.0]], [1.0, 0.0], [1.0, 0.0], [1.0, 1.0]), r"equity\[1\] = 0"),
        (lambda: debtrank.debtrank([[0.0, -1.0], [1.0, 0.0]], [1.0, 1.0], [1, 0], [1.0, 1.0]), r"claims\[0, 1\] = -1"),
        (lambda: debtrank.debtrank([[0.0, 1.0], [1.0, 0.0]], [1.0, 1.0], [2, 0], [1.0, 1.0]), r"first\[0\] = 2"),
        (lambda: debtrank.debtrank([[0.0]], [1.0], [0.0], [1.0], rule="lineal"), "did you mean 'linear'"),
        (lambda: contagion.threshold_cascade(np.eye(2), [True, False], 4.5, 20), "capital = 4.5: a whole number"),
        (lambda: contagion.threshold_cascade(np.eye(2), [True, False], 4, 0), "interbank = 0"),
        (lambda: contagion.threshold_cascade(np.ones((2, 3)), [True, False], 4, 20), r"claims: shape \(2, 3\)"),
        (lambda: contagion.threshold_cascade(np.eye(2), [True], 4, 20), r"first: shape \(1,\)"),
        (lambda: contagion.contagion_window(-4, 20), "capital = -4"),
        (lambda: random_claims(jax.random.key(0), 10, 10.0, 9), "degree = 10: a mean degree from 0 to 9"),
        (lambda: cross_holdings.dependency_matrix([[0.0, 1.0], [0.5, 0.0]]), "1 of 1 is held by others"),
        (lambda: cross_holdings.dependency_matrix([[0.1, 0.2], [0.5, 0.0]]), r"holdings\[0, 0\] = 0.1"),
        (lambda: fire_sales.fire_sale([1.0], [1.0], [1.0], [np.nan], 0.08, 0.1), r"liabilities\[0\] = nan"),
        (lambda: fire_sales.fire_sale([1.0], [1.0], [1.0], [1.0], 0.0, 0.1), "min_ratio.* = 0: an amount above 0"),
        (lambda: fire_sales.deleveraging([1.0], [[0.5, 0.4]], [9.0], [0.1, 0.1], [0.0, 0.0]), "sum to 0.9"),
        (lambda: herding.herding_moments(100, 1.0, 0.1), "links = 1"),
        (lambda: herding.herd_demand(jax.random.key(0), jnp.ones(3), 0.7), "activity = 0.7"),
    ],
)
def test_refusals_name_the_value(call, said):
    with pytest.raises(ParameterError, match=said):
        call()
