"""Money that changes hands at random: each rule is its loop, nothing is lost, and wealth follows its law."""

import itertools
import json
from functools import partial

import cases
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcoord import random
from jaxcoord.errors import ParameterError
from jaxcoord.market import money, search_money
from jaxcoord.market.money_models import CreditExchange, WealthExchange


def of_kind(kind):
    """The reference's cases of one kind, by id."""
    entries = json.loads((cases.DATA / "market_cases.json").read_text())["cases"]
    return {case["id"]: case for case in entries if case["kind"] == kind}


EXCHANGE, RESERVE, CREDIT = (of_kind(k) for k in ("wealth_exchange", "reserve_wealth", "reserve_wealth_mc"))


def within(case, **measured):
    """Every measured quantity that the case has a band for lies in it, and there is one."""
    bands = {name: band for name, band in case["band"].items() if name in measured}
    assert bands
    for name, (low, high) in bands.items():
        assert low <= measured[name] <= high, f"{name} = {measured[name]}"


@partial(jax.jit, static_argnums=(0, 2))
def after(model, key, steps, state=None):
    """The state of one population after some steps."""
    state = model.init(key) if state is None else state
    return jax.lax.fori_loop(0, steps, lambda t, state: model.step(state, random.step_key(key, t + 1)), state)


@jax.jit
def ensemble(model, keys, steps):
    """What is observed of many populations after some steps; models that differ in numbers only are compiled once."""

    def run(key):
        body = lambda t, state: model.step(state, random.step_key(key, t + 1))  # noqa: E731
        return model.observe(jax.lax.fori_loop(0, steps, body, model.init(key)))

    return jax.vmap(run)(keys)


def splits(steps, **fields):
    """120 populations of 500 agents who split."""
    found = ensemble(WealthExchange(size=500, **fields), jax.random.split(jax.random.key(1), 120), steps)
    return {name: np.asarray(values) for name, values in found.items()}


def gifts(rule, steps, mean=1):
    """24 populations of 1,000 agents who give."""
    found = ensemble(WealthExchange(rule=rule, size=1000, mean=mean), jax.random.split(jax.random.key(2), 24), steps)
    return {name: np.asarray(values) for name, values in found.items()}


def payments(steps, **fields):
    """16 populations of 200 agents who pay on credit."""
    found = ensemble(CreditExchange(size=200, **fields), jax.random.split(jax.random.key(3), 16), steps)
    return {name: np.asarray(values) for name, values in found.items()}


def rules_by_hand(held, receiver, turn, donors, payees):
    """What the three give-one rules come to, by loops over agents."""
    at_once, in_turn, one_by_one = held.copy(), held.copy(), held.copy()
    for agent in np.flatnonzero(held > 0):
        at_once[agent] -= 1
        at_once[receiver[agent]] += 1
    for agent in np.argsort(turn):
        if in_turn[agent] > 0:
            in_turn[agent] -= 1
            in_turn[receiver[agent]] += 1
    for donor, payee in zip(donors, payees, strict=True):
        if one_by_one[donor] > 0:
            one_by_one[donor] -= 1
            one_by_one[payee] += 1
    return at_once, in_turn, one_by_one


def test_each_rule_of_giving_is_its_loop_over_agents():
    draw = np.random.default_rng(1)
    rules = jax.jit(lambda m, r, t, d, p: (
        money.give_simultaneously(m, r), money.give_in_turn(m, r, t < t[r]), money.give_one_by_one(m, d, p)
    ))  # fmt: skip
    for _ in range(60):
        held = draw.integers(0, 3, 30) * draw.integers(0, 2)
        receiver = (np.arange(30) + draw.integers(1, 30, 30)) % 30
        turn, donors, payees = draw.permutation(30), draw.integers(0, 30, 30), draw.integers(0, 30, 30)
        found = rules(*(jnp.asarray(x, jnp.int32) for x in (held, receiver, turn, donors, payees)))
        for mine, expected in zip(found, rules_by_hand(held, receiver, turn, donors, payees), strict=True):
            np.testing.assert_array_equal(mine, expected)


def test_a_chain_of_gifts_reaches_its_end():
    """One unit goes through everybody in turn, and nowhere if the turns are the other way round."""
    size = 50
    held, turn, receiver = jnp.zeros(size, jnp.int32).at[0].set(1), jnp.arange(size), (jnp.arange(size) + 1) % size
    forth = money.give_in_turn(held, receiver, turn < turn[receiver])
    back = money.give_in_turn(held, receiver, turn > turn[receiver])
    np.testing.assert_array_equal(forth, held)
    np.testing.assert_array_equal(back, jnp.zeros(size, jnp.int32).at[1].set(1))


@pytest.mark.parametrize("size", [7, 12, 5000])
def test_a_matching_pairs_everybody_once(size):
    first, second = money.random_pairs(random.seeds(jax.random.key(3)), size)
    both = np.concatenate([first, second])
    assert len(both) == size // 2 * 2
    assert len(set(both.tolist())) == len(both)
    assert both.min() >= 0
    assert both.max() < size


def test_matchings_are_all_equally_likely():
    draw = jax.jit(jax.vmap(lambda key: jnp.stack(money.random_pairs(random.seeds(key), 4))))
    first, second = np.moveaxis(np.asarray(draw(jax.random.split(jax.random.key(4), 6000))), 1, 0)
    with_zero = np.where(first == 0, second, 0).sum(1) + np.where(second == 0, first, 0).sum(1)
    cases.assert_frequencies(np.bincount(with_zero, minlength=4)[1:], np.full(3, 1 / 3))


def test_a_split_shares_the_pool_evenly_and_keeps_the_savings():
    count = 20_000
    words = jax.random.bits(jax.random.key(5), (count,), jnp.uint32)
    held = jnp.tile(jnp.array([3, 5], jnp.int32), count)
    first = 2 * jnp.arange(count)
    shared = np.asarray(money.split(held, first, first + 1, words)).reshape(-1, 2)
    cases.assert_frequencies(np.bincount(shared[:, 0], minlength=9), np.full(9, 1 / 9))
    assert (shared.sum(1) == 8).all()
    saved = np.asarray(money.split(held, first, first + 1, words, 0.5)).reshape(-1, 2)  # they keep 1 and 2 of 3 and 5
    cases.assert_frequencies(np.bincount(saved[:, 0], minlength=7)[1:], np.full(6, 1 / 6))
    assert (saved.sum(1) == 8).all()
    assert saved[:, 1].min() == 2
    np.testing.assert_array_equal(money.split(held, first, first + 1, words, 1.0), held)


@pytest.mark.parametrize("rule", WealthExchange.fields["rule"].choices)
def test_money_is_conserved_to_the_unit(rule):
    seen = splits(100, mean=3, saving=0.3) if rule == "split" else gifts(rule, 100, mean=3)
    np.testing.assert_array_equal(seen["total"], 3 * (500 if rule == "split" else 1000))
    assert (seen["gini"] > 0.3).all()


def test_relaxation_from_equality():
    """After one matching the Gini coefficient is 1/3; then it rises to 1/2 as in the reference, sweep by sweep."""
    case = EXCHANGE["dy_relaxation"]
    for sweep, value in enumerate((1 / 3, 0.414, 0.449, 0.469), 1):
        measured = splits(sweep)["gini"]
        error = cases.critical(4) * measured.std() / np.sqrt(len(measured))
        assert measured.mean() == pytest.approx(value, abs=error + 0.002)
        if sweep == case["inputs"]["sweeps"]:
            within(case, gini=measured.mean())


def test_random_splits_lead_to_the_exponential_law():
    case, seen = EXCHANGE["dy_uniform"], splits(100)
    assert case["inputs"]["n"] == 500
    within(case, gini=seen["gini"][0], fraction_below_mean=seen["below_mean"][0])
    for name, key in (
        ("below_mean", "fraction_below_mean"), ("top_tenth", "top10_share"), ("gini", "gini"),
        ("median", "median_over_mean"),
    ):  # fmt: skip
        error = cases.critical(4) * seen[name].std() / np.sqrt(120)
        assert seen[name].mean() == pytest.approx(case["expected"][key], abs=error + 1.5 / 500)
    # Every distribution of M units over N agents is equally likely: the variance is known to the last agent.
    cases.assert_means(seen["variance"][:, None], [499 / 501 * (1 + 1 / 1000)])


@pytest.mark.parametrize("name", ["cc_lambda0.25", "cc_lambda0.5"])
def test_saving_leads_nearly_to_a_gamma_law(name):
    case = EXCHANGE[name]
    saving = case["inputs"]["saving"]
    seen = splits(100, mean=100_000, saving=saving)
    within(case, gini=seen["gini"].mean(), variance_over_mean2=seen["variance"].mean())
    assert float(money.saving_variance(saving)) == pytest.approx(case["expected"]["variance"], rel=1e-6)
    assert float(money.gamma_gini(case["expected"]["gamma_shape"])) == pytest.approx(
        case["expected"]["gini_gamma"], rel=1e-5
    )


def served_queue(mean):
    """Stationary law of m -> m - 1[m > 0] + Poisson(q), by iteration, at the q that makes its mean `mean`."""
    donors = 1 + mean - np.sqrt(1 + mean**2)
    arrivals = np.exp(-donors) * np.cumprod(np.concatenate([[1.0], donors / np.arange(1, 60)]))
    law = np.eye(60)[1]
    for _ in range(2000):
        served = np.append(law[1:], 0)
        served[0] += law[0]
        law = np.convolve(served, arrivals)[:60]
    return law / law.sum()


def test_giving_all_at_once_has_its_own_law():
    case, law, held = EXCHANGE["give_one_synchronous"], served_queue(1.0), np.arange(60)
    above = 1 - np.cumsum(law)
    assert law @ held == pytest.approx(1)
    assert 1 - law[0] == pytest.approx(float(money.simultaneous_donors(1.0)), rel=1e-5)
    assert 1 - (above**2).sum() == pytest.approx(case["expected"]["gini"], abs=1e-9)
    seen = gifts("give-simultaneous", 200)
    donors = 1 - seen["penniless"]
    within(case, gini=seen["gini"].mean(), donor_fraction=donors.mean())
    error = 4 / np.sqrt(24)
    assert donors.mean() == pytest.approx(case["expected"]["donor_fraction"], abs=error * donors.std() + 1e-3)
    assert seen["variance"].mean() == pytest.approx(4 / 3, abs=error * seen["variance"].std() + 0.005)


def test_one_donor_after_the_other_visits_every_distribution_alike():
    """Three agents with three units: ten distributions, each as often as another."""
    model = WealthExchange(rule="give-one-by-one", mean=1, size=3)
    keys = jax.random.split(jax.random.key(8), 6000)
    states = np.asarray(jax.vmap(lambda key: after(model, key, 12))(keys))
    listed = [s for s in itertools.product(range(4), repeat=3) if sum(s) == 3]
    counts = np.array([(states == s).all(1).sum() for s in listed])
    assert counts.sum() == 6000
    cases.assert_frequencies(counts, np.full(len(listed), 1 / len(listed)))


def test_the_three_orders_of_giving_differ():
    expected = {"give-simultaneous": 0.5799, "give-in-turn": 0.63, "give-one-by-one": 2 / 3}
    for rule, value in expected.items():
        assert gifts(rule, 200)["gini"].mean() == pytest.approx(value, abs=0.01)


@pytest.mark.parametrize("name", RESERVE)
def test_closed_form_of_wealth_with_bank_credit(name):
    case = RESERVE[name]
    with jax.enable_x64(True):
        found = money.reserve_wealth(case["inputs"]["reserve_ratio"], case["inputs"]["base_money_per_agent"])
    expected = case["expected"]
    measured = {
        "positive_money_per_agent": found.positive, "debt_per_agent": found.debt, "share_in_debt": found.share_in_debt,
        "scale_positive": found.scale_positive, "scale_negative": found.scale_negative,
        "scale_ratio": found.scale_negative / found.scale_positive,
    }  # fmt: skip
    assert measured.keys() == expected.keys()
    for key, value in measured.items():
        assert float(value) == pytest.approx(expected[key], abs=case["abs_tol"])
    # Money per head is that of both sides, and each side is its share times its scale.
    assert float(found.share_in_debt * found.scale_negative) == pytest.approx(expected["debt_per_agent"])


def test_payments_on_credit_visit_every_allowed_state_alike():
    """Three agents with one unit each may owe three in all: every such state is as likely as another."""
    model = CreditExchange(reserve_ratio=0.5, mean=1, size=3)
    keys = jax.random.split(jax.random.key(9), 8000)
    states = np.asarray(jax.vmap(lambda key: after(model, key, 60))(keys))
    listed = [s for s in itertools.product(range(-3, 7), repeat=3) if sum(s) == 3 and -sum(min(x, 0) for x in s) <= 3]
    counts = np.array([(states == s).all(1).sum() for s in listed])
    assert counts.sum() == 8000
    cases.assert_frequencies(counts, np.full(len(listed), 1 / len(listed)))


def test_credit_obeys_its_limit_and_full_reserves_allow_none():
    seen = payments(600, reserve_ratio=0.5, mean=2)
    np.testing.assert_array_equal(seen["total"], 400)
    assert (seen["debt"] <= 2).all()
    assert (seen["debt"] > 1.8).all()
    np.testing.assert_array_equal(payments(600, reserve_ratio=1.0, mean=2)["debt"], 0)


def test_wealth_with_bank_credit_near_its_law():
    """At a tenth of the reference's money, where a hundredth of the trades mix: the bands, scaled."""
    (case,) = CREDIT.values()
    seen = payments(1500, reserve_ratio=case["inputs"]["reserve_ratio"], mean=2)
    within(case, positive=10 * seen["positive"].mean(), mean_positive=10 * seen["mean_positive"].mean())


def test_what_cannot_be_is_refused():
    with pytest.raises(ParameterError, match="reserve_ratio = 0: above 0 and at most 1"):
        money.reserve_wealth(0, 20)
    with pytest.raises(ParameterError, match="reserve_ratio"):
        CreditExchange(reserve_ratio=0.0)
    with pytest.raises(ParameterError, match="money"):
        WealthExchange(mean=100_000, size=100_000)
    with pytest.raises(ParameterError, match="money"):
        CreditExchange(mean=1_000_000, size=2000, reserve_ratio=0.5)


KIYOTAKI = of_kind("kiyotaki_wright")
SHARES = {"fundamental": (1, 1 / 2, 1), "speculative": (2**-0.5, 2**0.5 - 1, 1)}


@pytest.mark.parametrize("strategy", SHARES)
def test_which_good_is_money(strategy):
    """Shares that hold their own product, by iterating the mean, by the paper's closed form, and among agents."""
    with jax.enable_x64(True):
        shares = np.asarray(search_money.inventory_shares(strategy))
    np.testing.assert_allclose(shares.sum(1), 1, atol=1e-12)
    own = shares[np.arange(3), (np.arange(3) + 1) % 3]
    np.testing.assert_allclose(own, SHARES[strategy], atol=1e-9)
    for case in KIYOTAKI.values():
        if case["inputs"]["strategy"] == strategy:
            np.testing.assert_allclose(own, [case["expected"][f"p{i}"] for i in (1, 2, 3)], atol=case["abs_tol"])
    model = search_money.SearchMoney(strategy=strategy, third=300)
    states = jax.vmap(lambda key: after(model, key, 150))(jax.random.split(jax.random.key(11), 24))
    seen = jax.vmap(model.observe)(states)
    cases.assert_means(np.asarray(seen["own_product"]) * (1 - 1e-9), SHARES[strategy] * np.ones(3))
    media = np.asarray(seen["medium"]).mean(0)
    assert (media > 0).tolist() == ([True, False, False] if strategy == "fundamental" else [True, False, True])
