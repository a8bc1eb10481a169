"""The leverage cycle: the clearing price by hand, credit within its limit, and calm markets that crash."""

import json

import cases
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from scipy.optimize import brentq

from jaxcoord import random
from jaxcoord.errors import ParameterError
from jaxcoord.market.leverage import Cycle, LeverageCycle, clear, fund_demand

ENTRIES = json.loads((cases.DATA / "market_cases.json").read_text())["cases"]
CYCLE = {case["id"]: case for case in ENTRIES if case["kind"] == "leverage_cycle"}


@jax.jit
def log_returns(models, keys):
    """`[M, P, T]` log returns and `[M, P]` exits of several models in populations of 6,000 steps."""

    def run(model, key):
        def step(state, t):
            state = model.step(state, random.step_key(key, t))
            return state, state.log_return

        state, found = jax.lax.scan(step, model.init(key), jnp.arange(1, 6001))
        return found, state.exits

    return jax.vmap(jax.vmap(run, (None, 0)), (0, None))(models, keys)


@pytest.fixture(scope="module")
def measured():
    """Returns without the first 2,000 steps at leverage 1 and 10, and exits for 100,000 steps."""
    models = [LeverageCycle(leverage=float(case["inputs"]["lambda_max"])) for case in CYCLE.values()]
    stacked = jax.tree.map(lambda *leaves: jnp.stack([jnp.asarray(x) for x in leaves]), *models)
    found, exits = log_returns(stacked, jax.random.split(jax.random.key(1), 24))
    rates = np.asarray(exits).sum(1) * 1e5 / (24 * 6000)
    return dict(zip(CYCLE, zip(np.asarray(found)[:, :, 2000:], rates, strict=True), strict=True))


@pytest.mark.parametrize("name", CYCLE)
def test_fat_tails_need_leverage(measured, name):
    case, (found, exits) = CYCLE[name], measured[name]
    for value, key in ((stats.kurtosis(found.ravel()), "excess_kurtosis"), (found.std(), "sd")):
        low, high = case["band"][key]
        assert low <= value <= high, f"{key} = {value}"
    assert exits == pytest.approx(case["expected"]["exits_per_1e5_steps"], rel=0.2)
    assert stats.skew(found.ravel()) == pytest.approx(case["expected"]["skew"], abs=0.3)


def test_leverage_makes_crashes_and_calm(measured):
    calm, wild = (measured[name][0] for name in CYCLE)
    assert wild.min() < 2 * calm.min()
    assert wild.std() < calm.std()


def test_demand_rises_with_cheapness_up_to_the_limit():
    aggression = jnp.array([5.0, 50.0])
    for price, weights in ((1.2, [0, 0]), (1.0, [0, 0]), (0.98, [0.1, 1]), (0.8, [1, 3]), (0.1, [3, 3])):
        found = fund_demand(jnp.float32(price), jnp.array([2.0, 4.0]), aggression, 3.0, 1.0)
        np.testing.assert_allclose(found, np.array(weights) * [2, 4] / price, rtol=1e-4, atol=1e-5)
    assert float(fund_demand(jnp.float32(0.5), jnp.array([-1.0]), aggression[:1], 3.0, 1.0)[0]) == 0


def test_the_price_clears_the_market():
    draw = np.random.default_rng(2)
    solve = jax.jit(clear)
    aggression = np.linspace(5, 50, 6)
    for _ in range(20):
        cash, shares, noise = draw.uniform(0, 60, 6), draw.uniform(0, 20, 6), draw.uniform(300, 1200)

        def excess(price, cash=cash, shares=shares, noise=noise):
            weight = np.clip(aggression * (1 - price), 0, 4)
            return (weight * (cash + shares * price) / price).sum() + noise / price - 1000

        expected = brentq(excess, 1e-3, 20)
        assert float(solve(cash, shares, aggression, noise, 1000.0, 4.0, 1.0)) == pytest.approx(expected, rel=1e-5)


def test_without_funds_the_price_is_the_noise_traders():
    aggression, nothing = jnp.array([5.0]), jnp.zeros(1)
    assert float(clear(nothing, nothing, aggression, jnp.float32(700), 1000.0, 5.0, 1.0)) == pytest.approx(
        0.7, rel=1e-5
    )


def test_holdings_stay_within_the_limit_and_a_closed_fund_waits_and_starts_afresh():
    model = LeverageCycle(leverage=3.0, flow=0.0, restart=4)
    ruined = model.init(jax.random.key(0))._replace(cash=jnp.full(10, 0.3).at[3].set(0.1))
    state, waits, cash, step = ruined, [], [], jax.jit(model.step)
    for t in range(6):
        state = step(state, random.step_key(jax.random.key(3), t))
        wealth = state.cash + state.shares * state.price
        assert (state.shares * state.price <= 3 * wealth * (1 + 1e-4) + 1e-6).all()
        waits.append(int(state.wait[3]))
        cash.append(float(state.cash[3]))
    assert waits[:5] == [4, 3, 2, 1, 0]
    assert cash[:5] == [0, 0, 0, 0, 2]
    assert int(state.exits) == 1


def test_flows_follow_performance():
    """A fund in cash that earns less than the benchmark loses b times the gap, the other funds alike."""
    model = LeverageCycle(sigma=0.0, flow=0.2, benchmark=0.01)
    rich = model.init(jax.random.key(0))._replace(noise=jnp.log(jnp.float32(1200.0)))
    after = jax.jit(model.step)(rich, jax.random.key(1))
    assert isinstance(after, Cycle)
    assert float(after.price) > 1
    assert not after.shares.any()
    np.testing.assert_allclose(after.cash, 2 * (1 - 0.2 * 0.01), rtol=1e-6)


def test_what_cannot_be_is_refused():
    with pytest.raises(ParameterError, match="leverage"):
        LeverageCycle(leverage=-1.0)
    with pytest.raises(ParameterError, match="worth"):
        LeverageCycle(worth=0.0)
