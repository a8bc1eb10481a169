"""What each policy does to the economy: one program with every stage on, one setting changed at a time."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcoord import random
from jaxcoord.market.economy import ComputeEconomy

QUICK = {"xla_backend_optimization_level": 0}  # the program runs once
STEPS, POPULATIONS = 40, 24
BASE = ComputeEconomy(
    size=28, issuers=4, credits=10_000, futures=True, settlement="physical", hedge=1.0,
    memory="accord", pages=200, wind_down=True, shock="issuer", shock_step=20, shock_size=0.6, reserve_ratio=0.3,
)  # fmt: skip
CHANGED = {
    "base": {},
    "thin reserves": {"reserve_ratio": 0.15},
    "capital buffer": {"capital_buffer": 0.6},
    "margin": {"margin": 0.6},
    "nobody lends to issuers": {"connectivity": 0.0},
    "price limit": {"price_limit": 0.02},
    "tax": {"fee": 0.3},
    "deficit": {"deficit": 0.03},
    "plug": {"reserve_ratio": 0.15, "plug": 0.25},
    "hedge": {"hedge": 6.0},
    "no fine": {"fine": 0.0},
    "no loss": {"shock_size": 0.0},
}


@functools.cache
def found():
    """Observables `[point, population, step]` by name, of all settings and the same keys."""
    points = [[change.get(name, getattr(BASE, name)) for change in CHANGED.values()] for name in BASE.fields
              if BASE.fields[name].kind == "param"]  # fmt: skip
    models = jax.tree.unflatten(jax.tree.structure(BASE), [jnp.asarray(values) for values in points])

    def population(model, key):
        def step(state, count):
            state = model.step(state, random.step_key(key, count))
            return state, model.observe(state)

        return jax.lax.scan(step, model.init(key), jnp.arange(1, STEPS + 1))[1]

    keys = jax.vmap(lambda i: random.population_key(0, 0, i))(jnp.arange(POPULATIONS))
    run = jax.jit(jax.vmap(jax.vmap(population, (None, 0)), (0, None)))
    observed = run.lower(models, keys).compile(compiler_options=QUICK)(models, keys)
    return {name: np.asarray(values, float) for name, values in observed.items()}


def of(point, name):
    return found()[name][list(CHANGED).index(point)]


def difference(point, name, against="base", reduced=np.mean):
    """Mean effect over populations in standard errors, those of paired draws."""
    effect = reduced(of(point, name), -1) - reduced(of(against, name), -1)
    return effect.mean() / (effect.std(ddof=1) / math.sqrt(POPULATIONS) + 1e-12)


def last(values, axis):
    return values[..., -1]


EFFECTS = {
    "less reserve, more money (1 + c)/(r + c)": ("thin reserves", "multiplier", "base", np.mean, 1),
    "less reserve, more failures": ("thin reserves", "resolutions", "base", last, 1),
    "a capital buffer bounds leverage": ("capital buffer", "leverage", "base", np.mean, -1),
    "dearer margins, fewer positions": ("margin", "open_interest", "base", np.mean, -1),
    "a price limit smooths the price": ("price limit", "inflation", "base", np.std, -1),
    "a tax on sellers that is handed out by use evens budgets": ("tax", "welfare", "base", np.mean, 1),
    "new money raises the price": ("deficit", "price", "base", last, 1),
    "who promises more must buy more": ("hedge", "bought_in", "base", np.mean, 1),
    "without a fine the pool is overrun": ("no fine", "pages_used", "base", last, 1),
    "and its rent lost": ("no fine", "page_rent", "base", last, -1),
    "a loss makes issuers fail": ("no loss", "resolutions", "base", last, -1),
    "without credit between issuers reserves do not reach who is short": (
        "nobody lends to issuers", "least_reserve_ratio", "base", np.mean, -1,
    ),
    "the plug stops the failures": ("plug", "resolutions", "thin reserves", last, -1),
}  # fmt: skip


@pytest.mark.parametrize("effect", EFFECTS)
@pytest.mark.slow
def test_each_policy_does_what_theory_says(effect):
    point, name, against, reduced, sign = EFFECTS[effect]
    assert sign * difference(point, name, against, reduced) > 4


def test_accounts_hold_and_limits_bind():
    assert of("base", "violation").max() == 0
    assert found()["violation"].max() == 0
    steady = ~(of("price limit", "halted") > 0)
    assert np.abs(of("price limit", "inflation"))[steady].max() <= -math.log(1 - 0.02) + 1e-6
    assert np.abs(of("base", "inflation")).max() > -math.log(1 - 0.02)
