"""The commons: closed forms, agents who reach them by what suits them, and accords that hold or break."""

import json

import cases
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcoord import random
from jaxcoord.errors import ParameterError
from jaxcoord.market.commons import CommonPool, best_use, pool_accord, static_pool
from jaxcoord.market.renewable import RenewablePool, regrow, renewable_pool

ENTRIES = json.loads((cases.DATA / "market_cases.json").read_text())["cases"]
POOL, ACCORD, RENEWABLE = (
    {c["id"]: c for c in ENTRIES if c["kind"] == kind} for kind in ("commons", "accord", "renewable")
)


@jax.jit
def after(model, key, steps):
    """What is observed of one population after some steps, and its state."""
    body = lambda t, state: model.step(state, random.step_key(key, t + 1))  # noqa: E731
    state = jax.lax.fori_loop(0, steps, body, model.init(key))
    return model.observe(state), state


def compare(measured, case):
    assert measured.keys() == case["expected"].keys()
    for name, value in measured.items():
        assert float(value) == pytest.approx(case["expected"][name], abs=case["abs_tol"]), name


@pytest.mark.parametrize("name", POOL)
def test_static_pool(name):
    inputs = POOL[name]["inputs"]
    with jax.enable_x64(True):
        found = static_pool(inputs["n"], inputs["a"], inputs["b"], inputs["w"])
        measured = {
            "nash_individual": found.nash_each, "nash_total": found.nash_total, "optimum_total": found.optimum_total,
            "nash_rent": found.nash_rent, "optimum_rent": found.optimum_rent,
            "rent_share_at_nash": found.nash_rent / found.optimum_rent,
            "full_dissipation_total": found.full_dissipation,
        }  # fmt: skip
    compare(measured, POOL[name])


@pytest.mark.parametrize("name", ACCORD)
def test_accord(name):
    inputs = ACCORD[name]["inputs"]
    with jax.enable_x64(True):
        found = pool_accord(inputs["n"], inputs["a"], inputs["b"], inputs["w"], inputs["audit_prob"])
        measured = {
            "quota_each": found.quota, "total": found.quota * inputs["n"],
            "marginal_gain_of_first_unit_over": found.gain, "min_fine_per_unit": found.least_fine,
            "welfare_gain_over_nash": found.welfare_gain,
        }  # fmt: skip
    compare(measured, ACCORD[name])


@pytest.mark.parametrize("name", RENEWABLE)
def test_renewable_pool(name):
    with jax.enable_x64(True):
        inputs = RENEWABLE[name]["inputs"]
        found = renewable_pool(*(inputs[k] for k in ("growth", "capacity", "catchability", "cost", "price", "n")))
        measured = found._asdict()
    measured["msy"], measured["msy_effort"] = measured.pop("largest_harvest"), measured.pop("largest_harvest_effort")
    compare(measured, RENEWABLE[name])


def test_best_use_is_the_best_of_a_fine_grid():
    draw, grid = np.random.default_rng(0), np.linspace(0, 25, 5001)
    for _ in range(40):
        others, quota, fine = draw.uniform(0, 80), draw.uniform(0, 20), draw.uniform(0, 12)
        earned = grid * (23 - 0.25 * (grid + others) - 5) - fine * np.maximum(grid - quota, 0)
        assert float(best_use(others, 23.0, 0.25, 5.0, 25.0, quota, fine)) == pytest.approx(
            grid[earned.argmax()], abs=0.006
        )


@pytest.mark.parametrize("name", POOL)
def test_selfish_agents_reach_the_nash_equilibrium(name):
    inputs, expected = POOL[name]["inputs"], POOL[name]["expected"]
    model = CommonPool(
        a=inputs["a"], b=inputs["b"], outside=inputs["w"], endowment=inputs["endowment"], size=inputs["n"]
    )
    seen, state = after(model, jax.random.key(1), 1500)
    np.testing.assert_allclose(state.pages, expected["nash_individual"], rtol=1e-3)
    assert float(seen["rent"]) == pytest.approx(expected["rent_share_at_nash"], rel=1e-3)
    assert int(seen["offences"]) == 0


@pytest.mark.parametrize(("factor", "holds"), [(1.01, True), (0.9, False)])
def test_an_accord_holds_exactly_from_its_least_fine_on(factor, holds):
    """Everybody starts within quota; below the least fine somebody reconsiders and leaves it."""
    (case,) = ACCORD.values()
    model = CommonPool(audit=0.2, fine=factor * case["expected"]["min_fine_per_unit"])
    start = model.init(jax.random.key(0))._replace(pages=jnp.full(8, case["expected"]["quota_each"]))
    step, state = jax.jit(model.step), start
    for t in range(40):
        state = step(state, random.step_key(jax.random.key(2), t))
    broken = bool((state.pages > start.pages * 1.001).any()) or bool(state.offences.any())
    assert broken != holds


def test_an_accord_restores_the_optimum_and_growing_fines_enforce_a_weak_one():
    (case,) = ACCORD.values()
    strong, _ = after(CommonPool(audit=0.2, fine=1.01 * case["expected"]["min_fine_per_unit"]), jax.random.key(3), 600)
    assert float(strong["rent"]) == pytest.approx(1, abs=1e-3)
    assert float(strong["compliant"]) == 1
    weak, _ = after(CommonPool(audit=0.2, fine=4.0), jax.random.key(3), 3000)
    assert float(weak["offences"]) > 8
    assert float(weak["rent"]) == pytest.approx(1, abs=1e-3)


def test_fines_stay_among_the_agents():
    model = CommonPool(audit=0.5, fine=10.0)
    state, step = model.init(jax.random.key(4)), jax.jit(model.step)
    for t in range(5):
        state = step(state, random.step_key(jax.random.key(5), t))
        total = state.pages.sum()
        worth = total * (model.a - model.b * total) + model.outside * (8 * model.endowment - total)
        assert float(state.earned.sum()) == pytest.approx(float(worth), rel=1e-5)
    assert state.offences.any()


@pytest.mark.parametrize(("rule", "state"), [("open-access", "open_access"), ("nash", "nash"), ("shared", "optimum")])
def test_effort_goes_to_the_steady_state_of_its_rule(rule, state):
    (case,) = RENEWABLE.values()
    seen, _ = after(RenewablePool(rule=rule), jax.random.key(6), 6000)
    assert float(seen["effort"]) == pytest.approx(case["expected"][f"{state}_effort"], rel=2e-3)
    assert float(seen["stock"]) == pytest.approx(case["expected"][f"{state}_stock"], rel=2e-3)
    if rule == "nash":
        assert float(seen["rent"]) == pytest.approx(case["expected"]["nash_rent"], rel=0.02)


def test_too_much_effort_empties_the_pool_and_little_does_not():
    (case,) = RENEWABLE.values()
    edge = case["expected"]["collapse_effort"]
    left = {}
    for effort in (0.98 * edge, 1.02 * edge, 300.0):
        stock = jnp.float32(1000)
        for _ in range(3000 if effort < 300 else 1):
            stock, harvest = jax.jit(regrow)(stock, effort, 0.5, 1000.0, 0.01)
            assert float(harvest) >= 0
            assert float(stock) >= 0
        left[effort] = float(stock)
    assert left[0.98 * edge] == pytest.approx(1000 * 0.02, rel=0.05)
    assert left[1.02 * edge] < 1e-6
    assert left[300.0] == 0


def test_a_pool_without_worth_is_refused():
    with pytest.raises(ParameterError, match="b = 0"):
        CommonPool(b=0.0)
    with pytest.raises(ParameterError, match="audit = 2"):
        CommonPool(audit=2.0)
