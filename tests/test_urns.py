"""Reinforcement in urns: one play by its chances, what is conserved, and where learning ends."""

import json
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import DATA, assert_frequencies

from jaxcoord import random
from jaxcoord.errors import ParameterError
from jaxcoord.language.urns import RothErev, Urns, drawn, urn_play

CASES = [
    case for case in json.loads((DATA / "communication_cases.json").read_text())["statistical"]
    if case["op"] == "roth_erev"
]  # fmt: skip


@jax.jit
def learned(model, keys, steps):
    """Urns of many runs after some steps, and what is observed of them."""

    def run(key):
        body = lambda t, urns: model.step(urns, random.step_key(key, t + 1))  # noqa: E731
        urns = jax.lax.fori_loop(0, steps, body, model.init(key))
        return urns, model.observe(urns)

    return jax.vmap(run)(keys)


def test_an_urn_gives_each_option_by_its_weight():
    weights, coins = jnp.array([1.0, 0.0, 3.0, 4.0]), jnp.linspace(0, 1, 8000, endpoint=False)
    taken = np.asarray(jax.vmap(drawn, (None, 0))(weights, coins))
    assert (taken.sum(1) == 1).all()
    np.testing.assert_allclose(taken.mean(0), weights / 8, atol=2e-3)
    assert not taken[:, 1].any()


def test_a_play_follows_its_chances():
    """Every way that a play can end, over many plays of the same urns."""
    prior = jnp.array([0.25, 0.75])
    urns = Urns(jnp.array([[1.0, 3.0], [2.0, 2.0]]), jnp.array([[1.0, 4.0], [3.0, 1.0]]))
    coins = jax.random.uniform(jax.random.key(0), (20_000, 3))
    after = jax.jit(jax.vmap(lambda c: urn_play(urns, prior, 2.0, c)))(coins)
    added = np.asarray(after.sender - urns.sender)
    assert set(np.unique(added).tolist()) <= {0.0, 2.0}
    np.testing.assert_array_equal(np.asarray(after.receiver - urns.receiver), added.transpose(0, 2, 1))
    speaks, acts = (np.asarray(urn / urn.sum(1, keepdims=True)) for urn in urns)
    chance = np.asarray(prior)[:, None] * speaks * acts.T
    counts = (added > 0).sum(0)
    assert_frequencies([*counts.ravel(), 20_000 - counts.sum()], [*chance.ravel(), 1 - chance.sum()])


def test_both_sides_gain_the_same_and_no_more_than_the_plays():
    model = RothErev([0.6, 0.4], initial=0.5, reward=2.0, plays=1000)
    urns, seen = learned(model, jax.random.split(jax.random.key(1), 200), 2)
    gained = [np.asarray(urn).sum((1, 2)) - 2.0 for urn in urns]
    np.testing.assert_array_equal(*gained)
    assert (gained[0] <= 2 * 2000).all()
    assert (gained[0] > 0).all()
    assert ((np.asarray(seen["payoff"]) > 0) & (np.asarray(seen["payoff"]) <= 1)).all()


def reference(case, runs, plays, seed=0):
    """The share of runs above the case's threshold, in standard errors from the reference's."""
    asked, expected = case["params"], case["expected"]["fraction_payoff_above"]
    states = asked["n_states"]
    prior = [1 / states] * states if asked["p_state"] == "uniform" else asked["p_state"]
    model = RothErev(prior, asked["initial_weight"], asked["reward"], signals=states, plays=1000)
    payoff = np.asarray(learned(model, jax.random.split(jax.random.key(seed), runs), plays // 1000)[1]["payoff"])
    share = (payoff > expected["threshold"]).mean()
    return payoff, (share - expected["mean"]) / math.hypot(expected["se"], math.sqrt(share * (1 - share) / runs))


def test_unequal_states_pool_as_often_as_in_the_reference():
    case = CASES[2]
    assert case["params"]["p_state"] == [0.9, 0.1]
    payoff, off = reference(case, 200, case["params"]["plays"])
    assert abs(off) < 4
    # Who does not signal ends at the payoff of pooling, .9: a run is seldom in between.
    assert ((np.abs(payoff - 0.9) < 0.01) | (payoff > 0.95)).mean() > 0.9


@pytest.mark.slow
def test_learning_ends_as_in_the_reference():
    for case in CASES:
        _, off = reference(case, 500 if case["params"]["n_states"] == 2 else 200, case["params"]["plays"], seed=1)
        assert abs(off) < 4, case["id"]


def test_what_is_not_allowed_is_named():
    with pytest.raises(ParameterError, match="roth-erev.initial = 0"):
        RothErev(initial=0)
    with pytest.raises(ParameterError, match="two states or more"):
        RothErev([1.0])
