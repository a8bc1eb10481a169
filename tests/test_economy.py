"""The whole economy: every step of the reference, its regimes, its accounts, and each stage on and off."""

import functools
import json
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import DATA, assert_frequencies, assert_means
from scipy import stats

import jaxcoord as jc
from jaxcoord import random
from jaxcoord.errors import ParameterError
from jaxcoord.market.draws import Draws, binomial, draw
from jaxcoord.market.economy import ComputeEconomy
from jaxcoord.market.ledger import base_money, broad_money, identities, net_worth, open_ledger
from jaxcoord.market.state import PHASES, Watch, begin
from jaxcoord.market.timeline import STAGES, first_detected, stages_present, timeline

PARAMETERS = {
    "kappa": "kappa", "gamma": "cash_share", "borrow": "borrow", "ltv": "loan_to_value", "amort": "amortisation",
    "irate": "interest", "fee": "fee", "div": "dividends", "omega": "withdrawals", "trust": "trust",
    "alpha": "recovered_reserves", "beta": "recovered_claims", "r0": "reserve_ratio", "adapt": "adaptive",
    "policy": "policy", "deficit": "deficit", "ib_size": "placements", "rec_steps": "closure", "n": "size",
    "m": "issuers", "shock": "shock", "shock_f": "shock_size", "shock_len": "shock_length",
}  # fmt: skip
QUICK = {"xla_backend_optimization_level": 0}  # these programs run once


def economy_case(name):
    entries = json.loads((DATA / "market_cases.json").read_text())["cases"]
    return next(case for case in entries if case["id"] == name)


@functools.cache
def start(name):
    """Model, first state, draws and expected states of a case, and the compiled step, in the precision in force."""
    case = economy_case(name)
    given, first = case["inputs"]["params"], case["inputs"]["initial"]
    model = ComputeEconomy(**{ours: given[theirs] for theirs, ours in PARAMETERS.items()})
    ledger = open_ledger(first["cash"], first["nodes"], first["home"], given["m"])
    access = jnp.ones(given["n"], bool)
    state = begin(ledger, jnp.asarray(first["r"]), access, first["p"], first["pe"], first["pn"], 10, len(STAGES))
    steps = [
        Draws(jnp.asarray(d["down"]), *(jnp.asarray(d[k], float) for k in "suv"), jnp.asarray(d["adj"], bool))
        for d in case["inputs"]["draws"]
    ]
    step = jax.jit(ComputeEconomy.advance).lower(model, state, steps[0]).compile(compiler_options=QUICK)
    return model, state, steps, case["expected"]["states"], step


def reported(state):
    """The state under the names of the reference."""
    book, flows = state.ledger, state.flows
    return {
        "cash": book.cash, "dep": book.deposits, "loan": book.loans, "nodes": book.nodes, "ib": book.interbank,
        "lolr": book.rescue, "treasury": book.treasury, "minted": book.minted, "p": state.price,
        "pe": state.expected, "pn": state.node_price, "shut": state.shut, "r": state.target, "volume": flows.volume,
        "resolved": flows.resolved, "rescued": flows.rescued, "user_defaults": flows.defaults,
        "broad_money": broad_money(book), "base_money": base_money(book), "fnw": net_worth(book),
    }  # fmt: skip


@pytest.mark.parametrize("name", ["econ_calm", "econ_stress"])
def test_every_step_equals_the_reference(name):
    """Whole numbers exactly, all of them after every step, and floats to 1e-9."""
    with jax.enable_x64(True):
        model, state, draws, expected, step = start(name)
        for number, (chance, want) in enumerate(zip(draws, expected, strict=True)):
            state = step(model, state, chance)
            for key, found in reported(state).items():
                exact = key not in ("pe", "pn", "r")
                check = np.testing.assert_array_equal if exact else functools.partial(
                    np.testing.assert_allclose, rtol=1e-9
                )  # fmt: skip
                check(found, want[key], err_msg=f"step {number}: {key}")
        assert state.violation == 0
        assert not state.brokers.any()
        assert not state.ledger.forwards.any()
        assert (state.stages[jnp.array([STAGES.index(s) for s in ("middlemen", "derivatives", "halt")])] == -1).all()
        assert (state.ledger.pages, state.pages, state.offences) == (None, None, None), "no memory unless asked for"
    if name == "econ_stress":
        assert sum(want["resolved"] for want in expected) > 0, "the case is one of failures"


@pytest.mark.slow
def test_the_first_step_in_float32_is_within_five_credits():
    start.cache_clear()
    model, state, draws, expected, step = start("econ_stress")
    start.cache_clear()
    state = step(model, state, draws[0])
    for key, found in reported(state).items():
        assert np.asarray(found).dtype.itemsize == 4, "whole and real numbers are short by default"
        np.testing.assert_allclose(found, expected[0][key], rtol=1e-6, atol=5)
    assert all(identities(state.ledger, state.nodes).values())


def test_a_broken_account_is_found_in_the_phase_that_breaks_it_or_the_first_and_made_known():
    with jax.enable_x64(True):
        model, state, draws, _, step = start("econ_calm")
        wrong = state._replace(ledger=state.ledger._replace(treasury=state.ledger.treasury + 1))
        for corrupt in (wrong, state._replace(nodes=state.nodes + 1)):
            after = step(model, corrupt, draws[0])
            assert after.violation == 1
            assert math.isnan(after.accounts), "what the engine reports, with population and step"
        start.cache_clear()


def test_a_phase_that_need_not_be_is_named_all_the_same():
    """Phases are found by name, so that those which are left out do not shift the others."""
    ledger = open_ledger([10, 10, 10], [0, 2, 2], [-1, 0, 0], 1)
    sound, broken = jnp.asarray(4), ledger._replace(treasury=ledger.treasury + 1)
    watch = Watch(sound)
    for phase in ("deposits", "memory", "dividends"):
        watch(phase, broken if phase == "memory" else ledger)
    assert watch.first() == PHASES.index("memory") + 1
    assert Watch(sound)("deposits", ledger) is ledger
    odd = Watch(sound)
    odd("spot market", ledger, jnp.asarray(False))
    assert odd.first() == PHASES.index("spot market") + 1


REGIMES = {  # reserve ratio: multiplier, price and Gini from step 100, resolutions, of the reference, and their errors
    1.0: ((0.93504, 18e-5), (2048.7, 1.2), (0.03491, 3e-5), (0, 0)),
    0.25: ((2.1977, 8e-4), (5127, 4), (0.05317, 1e-4), (0.24, 0.05)),
    0.1: ((1.657, 0.016), (3967, 39), (0.0860, 9e-4), (295, 7)),
}


@functools.cache
def regimes():
    kept = (
        "multiplier",
        "price",
        "gini",
        "resolutions",
        "crashed",
        "violation",
        "brokered",
        "open_interest",
        "rescues",
    )
    record = jc.Record(every=150, burn_in=100, kind="both", only=(*kept, "first_step"))
    return jc.sweep(ComputeEconomy(), {"reserve_ratio": list(REGIMES)}, 250, 16, seed=3, record=record, progress=False)


@pytest.mark.slow
@pytest.mark.parametrize("ratio", REGIMES)
def test_regimes_of_the_reserve_ratio(ratio):
    """Within 4 standard errors of the reference's table, whose populations were 128."""
    data = regimes().sel(reserve_ratio=ratio).isel(step=-1)
    names = ("multiplier_mean", "price_mean", "gini_mean", "resolutions")
    for name, (mean, error) in zip(names, REGIMES[ratio], strict=True):
        found = data[name].values
        own = found.std(ddof=1) / math.sqrt(len(found))
        assert abs(found.mean() - mean) <= 4 * math.hypot(own, error) + 1e-6 * mean, name
    assert data.crashed.mean() == (ratio == 0.1)
    assert data.violation.max() == 0
    assert regimes().attrs["nonfinite"] == "[]"


EVERYTHING = ComputeEconomy(
    size=40, issuers=5, market="auction", brokers=3, futures=True, policy="blanket", adaptive=True, shock="issuer",
    shock_step=20, shock_size=0.9, reserve_ratio=0.15, credits=10_000, deficit=0.001, interest=0.03,
    amortisation=0.2, borrow=2.0, loan_to_value=2.0, settlement="physical", hedge=4.0, memory="accord", fine=1.0,
    wind_down=True,
)  # fmt: skip
POINTS = {
    "plain": {},
    "overflow": {"credits": 2**22, "deficit": 0.1},
    "hyperinflation": {"deficit": 0.05, "base_limit": 3.0},
    "plug": {"plug": 0.2, "recovered_claims": 0.3},
    "limited": {"price_limit": 0.01, "capital_buffer": 0.5},
    "full reserve": {"reserve_ratio": 1.0, "adaptive": False},
}


@functools.cache
def everything():
    """Every stage and policy at once, at several settings, 60 steps."""
    paths = sorted({path for point in POINTS.values() for path in point} - {"adaptive"})
    points = [{path: point.get(path, getattr(EVERYTHING, path)) for path in paths} for point in POINTS.values()]
    return jc.sweep(EVERYTHING, points, 60, 24, seed=5, record=jc.Record(every=1), progress=False)


def at(name):
    return everything().isel(point=list(POINTS).index(name))


@pytest.mark.slow
def test_accounts_hold_with_everything_at_once():
    data = everything()
    assert data.violation.max() == 0
    assert data.attrs["nonfinite"] == "[]"
    assert at("plain").resolutions.isel(step=-1).sum() + at("plain").rescues.isel(step=-1).sum() > 0
    assert at("plain").user_defaults.isel(step=-1).sum() > 0
    assert (at("plain").brokered > 0).any()
    assert (at("plain").open_interest > 0).any()
    assert (at("plain").bought_in > 0).any(), "some promised compute that they did not have"
    assert at("plain").offences.isel(step=-1).sum() > 0


@pytest.mark.slow
def test_overflow_is_flagged_at_the_last_whole_step():
    data = at("overflow")
    assert data.overflow.isel(step=-1).all()
    assert (data.halted == data.overflow).all()
    assert (data.live_steps.isel(step=-1) < 60).all()
    assert (data.base_growth > 0).all()
    frozen = data.where(data.halted)
    assert (frozen.base_growth.max("step") == frozen.base_growth.min("step")).all()
    assert not at("plain").overflow.any()


@pytest.mark.slow
def test_hyperinflation_halts():
    data = at("hyperinflation")
    end = data.isel(step=-1)
    assert end.hyperinflation.all()
    assert (end.base_growth > 3).all()
    growth = data.base_growth.where(~data.halted)
    assert growth.max() <= 3
    # What the Mint creates in a step is 5 percent of what it created; rescue comes on top.
    assert (end.live_steps <= 1 + math.ceil(math.log(3) / math.log(1.05))).all()


@pytest.mark.slow
def test_the_plug_is_pulled_after_failures_and_freezes_everything():
    data = at("plug")
    failing = data.cascade_size.rolling(step=10, min_periods=1).sum()
    before = failing.where(~data.halted)
    assert before.max() < 0.2 * 5
    pulled = data.halted.isel(step=-1)
    stage = data.first_step.isel(step=-1).sel(stage="halt")
    assert ((stage > 0) == pulled).all()
    assert (data.live_steps.isel(step=-1) == stage.where(pulled, 60)).all()


@pytest.mark.slow
def test_a_price_limit_binds():
    price = at("limited").price.values.astype(float)
    assert (np.abs(np.diff(price, axis=-1)) <= 0.01 * price[:, :-1] + 1e-9).all()
    assert (np.abs(np.diff(at("plain").price.values.astype(float), axis=-1)) > 0.01 * price[:, :-1]).any()


@pytest.mark.slow
def test_a_capital_buffer_lowers_leverage():
    limited, plain = (at(name).leverage.mean("step").values for name in ("limited", "plain"))
    assert limited.mean() < plain.mean()
    assert (at("limited").leverage <= 2 * 1.5).all(), (
        "loans may stand at equity over 0.5, and losses come after lending"
    )


@pytest.mark.slow
def test_stages_are_detected_from_the_record():
    """The steps that a run remembers are those found in its record afterwards."""
    data = at("plain")
    seen = {
        "spending": data.velocity, "brokered": data.brokered, "open_interest": data.open_interest,
        "reserve_ratio": data.reserve_ratio_held, "crash": data.crashed,
        "rescues": data.rescues.diff("step").reindex(step=data.step, fill_value=0), "halted": data.halted,
    }  # fmt: skip
    seen = {name: np.asarray(x.transpose("replicate", "step")) for name, x in seen.items()}
    seen["rescues"][:, 0] = data.rescues.isel(step=0)
    present = stages_present(seen)
    found = jax.vmap(timeline)(present)
    np.testing.assert_array_equal(found, data.first_step.isel(step=-1).transpose("replicate", "stage"))
    assert (np.asarray(found)[:, :4] >= 1).all(), "trade, middlemen, derivatives and fractional reserve all begin"


def test_a_timeline_keeps_the_first_step():
    present = np.zeros((5, 7), bool)
    present[2:, 0], present[4, 3] = True, True
    np.testing.assert_array_equal(timeline(present), [3, -1, -1, 5, -1, -1, -1])
    kept = first_detected(jnp.array([2, -1, -1]), jnp.array([True, True, False]), jnp.asarray(9))
    np.testing.assert_array_equal(kept, [2, 9, -1])


@pytest.mark.slow
def test_without_brokers_futures_or_rescue_there_are_none():
    data = regimes().isel(step=-1)
    for name in ("brokered_mean", "open_interest_mean", "rescues"):
        assert data[name].max() == 0, name
    never = data.first_step.sel(stage=["middlemen", "derivatives", "bailout", "halt"])
    assert (never == -1).all()


@pytest.mark.slow
def test_sharing_puts_compute_where_it_is_urgent_and_moves_no_credits():
    model = ComputeEconomy(size=30, issuers=3, market="sharing", shock="capacity", shock_step=2, shock_size=0.5)
    key = jax.random.key(0)
    state = model.init(key)

    def watched(state, key):
        after = model.step(state, key)
        seen = model.observe(after)
        return after, {name: seen[name] for name in ("efficiency", "velocity")}

    run = jax.jit(watched).lower(state, key).compile(compiler_options=QUICK)
    capacity = []
    for step in range(1, 4):
        state, seen = run(state, random.step_key(key, step))
        assert seen["efficiency"] > 0.85, "all but the parts of units that floors leave over"
        assert seen["velocity"] == 0
        assert state.ledger.treasury < 27 * step, "the remainders of dividends, no fee"
        capacity.append(int(state.flows.used.sum()))
    assert state.violation == 0
    assert capacity[1] < 0.6 * capacity[0], "half of the compute is gone in step 2"
    assert capacity[2] > 0.8 * capacity[0]


def test_draws_are_binomial_beta_uniform_and_bernoulli():
    keys = jax.random.split(jax.random.key(1), 4000)
    nodes = jnp.array([0, 0, 0, 5, 40, 300])
    made = jax.jit(jax.vmap(lambda key: draw(key, nodes, 3, 0.1, 1.5)))(keys)
    counts = np.bincount(made.down[:, 3], minlength=6)
    assert_frequencies(counts, stats.binom.pmf(np.arange(6), 5, 0.1))
    assert_means(made.down[:, 4:], nodes[4:] * 0.1)
    assert made.down[:, 5].std() == pytest.approx(math.sqrt(300 * 0.09), rel=0.06)
    assert not made.down[:, :3].any()
    assert not made.urgency[:, :3].any()
    urgency = np.asarray(made.urgency[:, 3:]).ravel()
    assert stats.kstest(urgency, stats.beta(2, 5).cdf).pvalue > 1e-4
    for values in (made.withdrawal, made.severity):
        assert stats.kstest(np.ravel(values), "uniform").pvalue > 1e-4
    assert not made.lends[:, jnp.arange(3), jnp.arange(3)].any()
    assert_means(made.lends.sum((1, 2)), 3 * 1.5)


def test_the_binomial_is_its_inverse_distribution():
    uniform = (np.arange(2000) + 0.5) / 2000
    for number, chance in ((5, 0.02), (7, 0.4), (100, 0.025)):
        found = binomial(jnp.asarray(uniform, jnp.float32), jnp.full(2000, number), chance)
        agree = np.asarray(found) == stats.binom.ppf(uniform, number, chance)
        assert agree.mean() > 0.998


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"reserve_ratio": 0.0}, "compute-economy.reserve_ratio = 0.0: out of range; allowed: 0.01 to 1"),
        ({"credits": -5}, "compute-economy.credits = -5: out of range; allowed: at least 1"),
        ({"credits": 2**27}, "compute-economy.credits = 134217728: at most 2236962 for each of 120"),
        ({"issuers": 120}, "compute-economy.issuers = 120: fewer than size, 120"),
        ({"policy": "bagehott"}, "did you mean 'bagehot'"),
    ],
)
def test_refuses(fields, message):
    with pytest.raises(ParameterError, match=message):
        ComputeEconomy(**fields)


FAULTY = {
    "exchange, issuer struck, rescue of the solvent, physical delivery, accord": {
        "market": "exchange", "shock": "issuer", "policy": "bagehot", "settlement": "physical", "memory": "accord",
    },
    "exchange, capacity lost, rescue of all, physical delivery, open memory": {
        "market": "exchange", "shock": "capacity", "policy": "blanket", "settlement": "physical", "memory": "open",
    },
    "auction, issuer struck, no rescue, physical delivery, accord": {
        "market": "auction", "shock": "issuer", "policy": "none", "settlement": "physical", "memory": "accord",
    },
    "auction, capacity lost, rescue of the solvent, cash": {
        "market": "auction", "shock": "capacity", "policy": "bagehot", "settlement": "cash", "memory": "accord",
    },
    "sharing, issuer struck, rescue of all, physical delivery, open memory": {
        "market": "sharing", "shock": "issuer", "policy": "blanket", "settlement": "physical", "memory": "open",
    },
    "sharing, capacity lost, rescue of the solvent, cash": {
        "market": "sharing", "shock": "capacity", "policy": "bagehot", "settlement": "cash", "memory": "none",
    },
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", FAULTY)
def test_a_million_population_steps_keep_every_account(name):
    """175,000 population-steps of each: every policy and fault on, at random settings."""
    model = ComputeEconomy(
        size=24, issuers=4, brokers=3, futures=True, adaptive=True, wind_down=True, shock_step=50, shock_length=20,
        credits=20_000, interest=0.03, amortisation=0.2, borrow=2.0, loan_to_value=2.0, pages=200, **FAULTY[name],
    )  # fmt: skip
    over = {"reserve_ratio": "uniform(0.02, 1)", "connectivity": "uniform(0, 3)", "shock_size": "uniform(0, 1)",
            "plug": "uniform(0, 3)", "price_limit": "uniform(0, 0.5)", "deficit": "uniform(0, 0.02)",
            "hedge": "uniform(0, 6)", "margin": "uniform(0.01, 0.5)", "fine": "uniform(0, 5)", "fee": "uniform(0, 0.3)",
            "capital_buffer": "uniform(0, 0.5)"}  # fmt: skip
    record = jc.Record(every=250, only=("violation", "overflow", "resolutions", "halted", "live_steps"))
    data = jc.sweep(model, over, 250, 10, design="random", samples=70, record=record, progress=False)
    assert data.violation.max() == 0
    assert data.attrs["nonfinite"] == "[]"
    assert data.resolutions.max() > 0
    assert data.halted.any(), "some are wound down"
