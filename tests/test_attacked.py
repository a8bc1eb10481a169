"""A code under attack: what each attack costs, against the law of a changing world, and when it is noticed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import assert_means

from jaxcoord import random
from jaxcoord.language.attacked import AttackedProtocol, last_accepted

SLOTS, POPULATIONS, DELAY = 60, 400, 20


def after_one_step(settings, **leaves):
    """Tally and observables after the first step: with a first axis for the values of `leaves`, then populations."""

    def one(key, leaves):
        model = AttackedProtocol(slots=SLOTS, delay=DELAY, **settings, **leaves)
        tally = model.step(model.init(random.step_key(key, 0)), random.step_key(key, 1))
        return tally, model.observe(tally)

    keys = jax.vmap(random.population_key, (None, None, 0))(0, 0, jnp.arange(POPULATIONS))
    values = {name: jnp.asarray(value, float) for name, value in leaves.items()}
    tally, seen = jax.jit(jax.vmap(jax.vmap(one, (0, None)), (None, 0)))(keys, values)
    return jax.tree.map(np.asarray, tally), jax.tree.map(np.asarray, seen)


def outdated(age, change, states):
    """Probability that what was true so many slots ago no longer is, of a world that goes to any other state alike."""
    return (1 - 1 / states) * (1 - (1 - change * states / (states - 1)) ** age)


def test_the_newest_accepted_content_counts():
    draw = np.random.default_rng(0)
    accepted, content = draw.random(50) < 0.4, draw.integers(0, 9, 50)
    known, expected = 7, []
    for passes, says in zip(accepted, content, strict=True):
        known = says if passes else known
        expected.append(known)
    np.testing.assert_array_equal(last_accepted(jnp.asarray(accepted), jnp.asarray(content), 7), expected)


@pytest.mark.slow
def test_rejecting_true_messages_costs_what_the_world_has_changed():
    rate, change = [0.0, 0.3, 0.6, 1.0], [0.2, 0.2, 0.05, 1.0]
    tally, seen = after_one_step({"attack": "future", "states": 2}, rate=rate, change=change)
    np.testing.assert_array_equal(tally.accepted, 0)
    np.testing.assert_array_equal(tally.rejected, 0)
    # Without an attack nothing is lost and nothing is noticed.
    assert (seen["reward"][0] == 1).all()
    assert (tally.alarms[0] == 0).all()
    assert np.isnan(seen["acceptance"][0]).all()
    # What is known at a slot is as old as the run of attacked slots that ends there.
    ages = np.arange(SLOTS + 1)
    for each in (1, 2):
        rho = rate[each]
        wrong = outdated(ages, change[each], 2)
        kept = np.cumsum(rho**ages * (1 - rho) * wrong)[:-1] + rho ** ages[1:] * wrong[1:]
        assert_means(tally.lost[each], kept.sum())
        assert_means(tally.attacked[each], rho * SLOTS)
    # A world of two states that always changes makes the last known one wrong at every other slot, the first included:
    # the sum of what is missing is 0.9, 0.8, 1.7, 1.6, 2.5, 2.4, 3.3.
    np.testing.assert_allclose(seen["reward"][3], 0.5)
    assert (seen["alarm"][3] == 1).all()
    assert (seen["detected"][3] == 6).all()


def test_a_replay_costs_what_the_world_has_changed():
    rate, change = [0.2, 0.2, 0.5], [0.0, 0.02, 0.3]
    tally, seen = after_one_step({"attack": "replay", "checks": False}, rate=rate, change=change)
    np.testing.assert_array_equal(tally.accepted, tally.attacked)
    assert (tally.lost[0] == 0).all()
    ages = np.arange(1, DELAY + 1)
    sources = np.minimum(np.arange(SLOTS), DELAY)  # how many messages there are that may be repeated
    for each in (1, 2):
        so_far = np.concatenate([[0], np.cumsum(outdated(ages, change[each], 8))])
        assert_means(tally.attacked[each], rate[each] * sources.sum() / DELAY)
        assert_means(tally.lost[each], rate[each] * so_far[sources].sum() / DELAY)
    np.testing.assert_array_equal(tally.changed, tally.lost)  # only a replay that is wrong costs anything
    lost = tally.lost[2] / tally.accepted[2]
    np.testing.assert_allclose(seen["reward_lost"][2], lost, rtol=1e-6)


def test_tags_keep_forgeries_out_and_counters_let_them_silence_the_forged():
    tally, seen = after_one_step({"attack": "spoof"}, tag_bits=[0.0, 40.0])
    assert (tally.accepted[1] == 0).all()
    assert (tally.rejected[1] == 0).all()
    # A forgery with a tag that holds takes the next counter of the one it names, whose own message then is a replay.
    assert np.nanmean(seen["acceptance"][0]) > 0.5
    assert tally.rejected[0].sum() > 0
    assert (tally.rejected[0] <= tally.accepted[0]).all()


@pytest.mark.slow
@pytest.mark.parametrize("attack", ["injection", "flood"])
def test_formal_checks_do_not_see_content(attack):
    tally, seen = after_one_step({"attack": attack}, rate=[0.1, 1.0], change=[0.1, 0.1])
    np.testing.assert_array_equal(tally.accepted, tally.attacked)
    np.testing.assert_array_equal(tally.rejected, 0)
    # One state in eight is the one that is said.
    assert_means(tally.lost[0], 0.1 * SLOTS * 7 / 8)
    assert_means(tally.lost[1], SLOTS * 7 / 8)
    assert np.mean(seen["alarm"][1]) > 0.99
