"""Lewis games: reference cases, brute force over pairs of strategies, what maps must and must not change, basins."""

import itertools
import json
import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import DATA

from jaxcoord.errors import ParameterError
from jaxcoord.language import lewis
from jaxcoord.language.lewis_models import LewisReplicator

CASES = json.loads((DATA / "communication_cases.json").read_text())
DYNAMICS = {
    "two_population": "two-populations", "one_population": "one-population", "behavioural": "behavioural"
}  # fmt: skip

quick = partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
stepped = quick(lewis.two_population_step, static_argnums=3)
flow = quick(lewis.replicator_flow, static_argnums=(3, 5))


def of(kind, op):
    """The reference cases of an operation."""
    found = [case for case in CASES[kind] if case["op"] == op]
    assert found, op
    return found


def shares(*sizes, seed=0):
    """Random points on simplices."""
    draw = np.random.default_rng(seed)
    return [draw.dirichlet(np.ones(size)) for size in sizes]


def brute(prior, signals, sender, receiver):
    """What every pure strategy earns, by going through all pairs and states."""
    states = len(prior)
    first = list(itertools.product(range(signals), repeat=states))
    second = list(itertools.product(range(states), repeat=signals))
    table = np.array([[sum(p for t, p in enumerate(prior) if r[s[t]] == t) for r in second] for s in first])
    return table @ receiver, sender @ table, table


# Reference cases


def test_games_equal_reference():
    with jax.enable_x64(True):
        for case in of("deterministic", "lewis_game"):
            given, expected = case["inputs"], case["expected"]
            found = quick(lewis.lewis_game)(*(
                np.array(given[name]) for name in ("p_state", "sender", "receiver", "utility")
            ))  # fmt: skip
            assert len(expected) == len(found)
            for (name, value), mine in zip(expected.items(), found, strict=True):
                np.testing.assert_allclose(mine, value, case["rtol"], case["atol"], err_msg=f"{case['id']} {name}")


def test_replicator_maps_and_flows_equal_reference():
    with jax.enable_x64(True):
        for case in of("deterministic", "lewis_replicator"):
            given, expected = case["inputs"], case["expected"]
            prior = np.array(given["p_state"])
            start = [np.array(given[f"{role}_frequencies"]) for role in ("sender", "receiver")]
            start = [x / x.sum() for x in start]

            def paid(sender, receiver, prior=prior):
                return float(sender @ brute(prior, 2, sender, receiver)[2] @ receiver)

            tolerance = case["rtol"], case["atol"]
            # Steps of 1/20, in one compiled program for all times.
            ends = [tuple(map(np.asarray, flow(*start, prior, 2, t, 400))) for t in case["params"]["times"]]
            np.testing.assert_allclose([paid(*end) for end in ends], expected["continuous_mean_payoff"], *tolerance)
            senders = [end[0] for end in ends]
            np.testing.assert_allclose(senders, expected["continuous_sender_frequencies"], *tolerance)
            path = [start]
            for _ in range(max(case["params"]["discrete_steps"])):
                path.append([np.asarray(x) for x in stepped(*path[-1], prior, 2)])
            found = [paid(*path[n]) for n in case["params"]["discrete_steps"]]
            np.testing.assert_allclose(found, expected["discrete_mean_payoff"], *tolerance)


# What the pieces mean


def test_payoffs_of_pure_strategies_are_those_of_all_pairs():
    prior = np.array([0.2, 0.5, 0.3])
    sender, receiver = shares(2**3, 3**2)
    with jax.enable_x64(True):
        found = quick(lewis.strategy_payoffs, static_argnums=1)(prior, 2, sender, receiver)
        as_sender, as_receiver, table = brute(prior, 2, sender, receiver)
        np.testing.assert_allclose(found[0], as_sender, rtol=1e-12)
        np.testing.assert_allclose(found[1], as_receiver, rtol=1e-12)
        # One population of pairs: the payoff of a pair is its mean over both roles against everybody.
        share = shares(8 * 9)[0].reshape(8, 9)
        earned = (table @ share.sum(0))[:, None] / 2 + (share.sum(1) @ table) / 2
        expected = share * (5 + earned)
        grown = quick(lewis.one_population_step, static_argnums=2)(share, prior, 2, 5.0)
        np.testing.assert_allclose(grown, expected / expected.sum(), rtol=1e-12)


def test_behaviour_pays_what_its_population_does():
    prior = np.array([0.2, 0.5, 0.3])
    sender, receiver = shares(2**3, 3**2, seed=1)
    with jax.enable_x64(True):
        expected = sender @ brute(prior, 2, sender, receiver)[2] @ receiver
        found = quick(lambda s, r: lewis.lewis_game(prior, lewis.behaviour(s, 3, 2), lewis.behaviour(r, 2, 3)))(
            sender, receiver
        )
    assert float(found.payoff) == pytest.approx(expected)
    assert 0 <= float(found.mean_information) <= 1


def test_a_choice_earns_what_it_adds_to_the_payoff():
    """The behavioural map's payoffs are the derivatives of the expected payoff."""
    prior = jnp.array([0.2, 0.5, 0.3])
    sender, receiver = (
        jnp.array(np.random.default_rng(s).dirichlet(np.ones(k), n)) for s, n, k in ((0, 3, 2), (1, 2, 3))
    )

    @quick
    def both(s, r):
        slopes = jax.grad(lambda s, r: (prior[:, None] * s * r.T).sum(), (0, 1))(s, r)
        return lewis.behavioural_step(s, r, prior, 3.0), [
            lewis.grown(x, f, 3.0) for x, f in zip((s, r), slopes, strict=True)
        ]

    for found, expected in zip(*both(sender, receiver), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_many_small_steps_are_the_continuous_dynamics():
    """With background C the map is a step of length 1 / (C + mean payoff): C = 400 from 0 to time 2."""
    prior, start = np.array([0.7, 0.3]), shares(4, 4, seed=3)
    with jax.enable_x64(True):
        state, time = start, 0.0
        while time < 2:
            mean = state[0] @ brute(prior, 2, *state)[2] @ state[1]
            state, time = [np.asarray(x) for x in stepped(*state, prior, 2, 400.0)], time + 1 / (400 + mean)
        expected = flow(*start, prior, 2, time, 400)
    np.testing.assert_allclose(state[0], expected[0], atol=1e-3)


def test_a_signal_that_is_never_given_has_no_meaning():
    game = quick(lewis.lewis_game)
    prior, sender = np.array([0.7, 0.3]), np.array([[1.0, 0], [1, 0]])
    found = game(prior, sender, np.array([[1.0, 0], [1, 0]]))
    assert np.isnan(found.posterior[1]).all()
    assert np.isnan(found.information[1])
    assert float(found.mean_information) == pytest.approx(0, abs=1e-6)
    assert float(found.payoff) == pytest.approx(0.7)
    assert bool(found.is_nash)  # pooling is an equilibrium, unless the receiver heeds the other signal
    assert not bool(game(prior, sender, np.array([[1.0, 0], [0.5, 0.5]])).is_nash)


def test_a_population_that_earns_nothing_does_not_move():
    share = jnp.array([0.3, 0.7])
    np.testing.assert_array_equal(quick(lewis.grown)(share, jnp.zeros(2), 0.0), share)


# Basins


def to_the_end(model, keys, steps):
    """What is observed of many populations at the start and in the end."""

    def run(key):
        start = model.init(key)
        end = jax.lax.fori_loop(0, steps, lambda _, state: model.step(state, key), start)
        return jax.vmap(model.observe)(jax.tree.map(lambda *x: jnp.stack(x), start, end))

    return jax.vmap(run)(keys)


settled, settled_fast = quick(to_the_end), jax.jit(to_the_end)


def basin(case, runs, steps, seed=0, settled=settled):
    """Share of runs that end in a signalling system, and that share's distance from the reference in errors."""
    asked, expected = case["params"], case["expected"]["fraction_signalling"]
    states = asked["n_states"]
    prior = [1 / states] * states if asked["p_state"] == "uniform" else asked["p_state"]
    model = LewisReplicator(prior, asked["background_payoff"], dynamics=DYNAMICS[asked["dynamics"]], signals=states)
    seen = settled(model, jax.random.split(jax.random.key(seed), runs), steps)
    share = float(seen["signalling"][:, 1].mean())
    error = math.hypot(expected["se"], math.sqrt(max(share * (1 - share), 1 / runs) / runs))
    assert (np.diff(seen["payoff"]) > -1e-5).all()  # the mean payoff never falls
    return share, (share - expected["mean"]) / error


def test_basins_of_two_states():
    """Equal states signal from everywhere, unequal ones pool from an open set; the dynamics decides how large."""
    found = {}
    for case in of("statistical", "lewis_basin"):
        asked = case["params"]
        if asked["p_state"] in ([0.5, 0.5], [0.8, 0.2]) and asked["dynamics"] != "one_population":
            share, off = basin(case, 500, 600 if asked["p_state"][0] == 0.5 else 3000)
            assert abs(off) < 4, case["id"]
            found[asked["dynamics"], asked["p_state"][0]] = share
    assert len(found) == 4
    assert all(share == 1 for (_, p), share in found.items() if p == 0.5)
    assert found["behavioural", 0.8] > found["two_population", 0.8]


@pytest.mark.slow
def test_basins_equal_reference():
    for case in of("statistical", "lewis_basin"):
        background = case["params"]["background_payoff"]
        heavy = case["params"]["n_states"] > 2 and "behavioural" not in case["params"]["dynamics"]
        steps = {0.0: 1500, 5.0: 6000, 20.0: 20_000}[background]
        share, off = basin(case, 800 if heavy else 2000, steps, 1, settled_fast)
        assert abs(off) < 4, f"{case['id']}: {share}"


@pytest.mark.slow
def test_mutation_leaves_no_partial_pooling():
    model = LewisReplicator([1 / 3] * 3, signals=3, mutation=0.005)
    seen = settled(model, jax.random.split(jax.random.key(2), 100), 1500)
    assert float(seen["signalling"][:, 1].min()) == 1


# Refusals


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: lewis.lewis_game([0.5, 0.4], np.eye(2), np.eye(2)), "prior: sums to 0.9"),
        (lambda: lewis.lewis_game([0.5, 0.5], np.eye(3), np.eye(2)), "lewis game with 2 states"),
        (lambda: lewis.lewis_game([0.5, 0.5], [[0.5, 0.6], [0, 1]], np.eye(2)), r"sender\[0\]: sums to 1.1"),
        (lambda: lewis.pure_strategies(9, 9), r"places = 9: 9\*\*9 pure strategies"),
        (lambda: LewisReplicator(dynamics="two-population"), "did you mean 'two-populations'"),
        (lambda: LewisReplicator([1.0]), "two states or more"),
        (lambda: LewisReplicator([0.0, 0.0]), "weights above 0"),
        (lambda: LewisReplicator([-1.0, 2.0]), "out of range"),
    ],
)
def test_what_is_not_allowed_is_named(call, said):
    with pytest.raises(ParameterError, match=said):
        call()
