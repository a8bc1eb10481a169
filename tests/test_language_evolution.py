"""The evolutionary language game: reference cases, bounds, what a child hears, and how populations settle."""

import json
import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import DATA, assert_frequencies, assert_means

from jaxcoord import random
from jaxcoord.errors import ParameterError
from jaxcoord.language import language_evolution as evolution
from jaxcoord.language.language_evolution import LanguageEvolution

CASES = json.loads((DATA / "communication_cases.json").read_text())
PAYOFF, EVOLUTION = (
    [case for case in CASES[kind] if case["op"] == op]
    for kind, op in (("deterministic", "language_payoff"), ("statistical", "language_evolution"))
)

quick = partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
five = quick(jax.vmap(evolution.language_payoff))


def payoff(first, second, heard=None):
    """Payoffs of pairs, in float64, each language filled up to five objects and signals that are never used."""
    pairs = [
        [np.pad(x, [(0, 5 - n) for n in x.shape]) for x in (a, b, np.eye(a.shape[1]) if u is None else u)]
        for a, b, u in zip(first, second, heard or [None] * len(first), strict=True)
    ]
    pairs += [[np.eye(5)] * 3] * (64 - len(pairs))  # one shape for one compilation
    with jax.enable_x64(True):
        return np.asarray(five(*np.moveaxis(np.array(pairs), 1, 0)))[: len(first)]


def alike(signals, similarity):
    """How signals of one mutual similarity are heard."""
    return np.asarray(evolution.confusion(np.where(np.eye(signals), 1.0, similarity)))


def test_payoffs_equal_reference():
    assert len(PAYOFF) == 4
    first, second = ([np.array(case["inputs"][f"association_{i}"]) for case in PAYOFF] for i in (1, 2))
    with jax.enable_x64(True):
        heard = [alike(x.shape[1], case["params"]["similarity"]) for x, case in zip(first, PAYOFF, strict=True)]
    found = {
        "payoff_12": payoff(first, second),
        "payoff_11": payoff(first, first),
        "payoff_22": payoff(second, second),
        "payoff_12_confusable": payoff(first, second, heard),
    }
    for i, case in enumerate(PAYOFF):
        for name, values in found.items():
            np.testing.assert_allclose(values[i], case["expected"][name], case["rtol"], case["atol"])
        assert case["expected"]["upper_bound"] == min(first[i].shape)
    np.testing.assert_allclose(payoff(second, first), found["payoff_12"], rtol=1e-12)


def test_only_a_code_reaches_the_bound():
    code, other = np.eye(5)[[2, 0, 4, 1, 3]], np.eye(5)
    shared = np.eye(5)[[2, 2, 4, 1, 3]]  # two objects share a signal, and a signal is unused
    # Confusion costs what the error limit says: each of 5 signals is heard right with 1 / (1 + 4 e).
    found = payoff([code, shared, code, code], [code, shared, other, code], [None, None, None, alike(5, 0.1)])
    np.testing.assert_allclose(found, [5, 4, 0, 5 / 1.4], rtol=1e-6)  # no object has one name in both of the third


def test_a_populations_payoffs_are_means_over_pairs():
    crowd = np.random.default_rng(0).uniform(size=(6, 3, 4)).round(1)
    crowd[0, :, 1] = 0
    for channel in (np.eye(4), alike(4, 0.2)):
        pairs = np.array([payoff([a] * 6, crowd, [channel] * 6) for a in crowd])
        expected = (pairs.sum(1) - np.diag(pairs)) / 5
        np.testing.assert_allclose(quick(evolution.payoffs)(crowd, channel), expected, rtol=1e-5)


def test_a_child_hears_what_its_parent_says():
    parent = jnp.array([[1.0, 0.0, 3.0], [0.5, 0.5, 0.0]])
    coins = jax.random.uniform(jax.random.key(0), (4000, 7, 2))
    heard = np.asarray(quick(jax.vmap(evolution.sampled, (None, 0)))(parent, coins))
    assert (heard.sum(2) == 7).all()
    for i, row in enumerate(np.asarray(evolution.speaking(parent))):
        assert_frequencies(heard[:, i].sum(0), row)
    # Responses are independent: the variance of a count is binomial.
    assert_means((heard[:, 0, 0] - 7 / 4) ** 2, 7 * 3 / 16)


def test_children_are_had_in_proportion_to_payoff():
    """Two kinds that do not understand each other: the common one earns more, and its share grows as it should."""
    codes = np.eye(2), np.eye(2)[::-1]
    crowd = jnp.asarray(np.stack([codes[0]] * 12 + [codes[1]] * 8))
    model = LanguageEvolution(size=20, objects=2, signals=2)
    offspring = quick(jax.vmap(lambda model, key: model.step(crowd, key), (None, 0)))
    children = offspring(model, jax.random.split(jax.random.key(1), 1000))
    earned = np.array([11 * 2 / 19] * 12 + [7 * 2 / 19] * 8)
    np.testing.assert_allclose(quick(evolution.payoffs)(crowd), earned, rtol=1e-5)
    assert_means(np.asarray(children)[:, :, 0, 0].mean(1), earned[:12].sum() / earned.sum())
    alike_ = LanguageEvolution(size=20, objects=2, signals=2, parent="random")
    children = offspring(alike_, jax.random.split(jax.random.key(2), 1000))
    assert_means(np.asarray(children)[:, :, 0, 0].mean(1), 12 / 20)


def grow(model, keys, generations):
    """Mean payoff `[P, T+1]` of many populations over the generations."""

    def run(key):
        def step(state, t):
            state = model.step(state, random.step_key(key, t + 1))
            return state, model.observe(state)["payoff"]

        start = model.init(key)
        paid = jax.lax.scan(step, start, jnp.arange(generations))[1]
        return jnp.append(model.observe(start)["payoff"], paid)

    return jax.vmap(run)(keys)


history, history_fast = quick(grow, static_argnums=2), jax.jit(grow, static_argnums=2)


def compare(case, runs, generations, seed=0, history=history):
    """Payoff at the reference's generations, each within four standard errors of both samples."""
    asked, expected = case["params"], case["expected"]
    parent = "random" if asked["parent_choice"].startswith("random") else "payoff"
    model = LanguageEvolution(parent=parent, samples=asked["samples_per_object"], size=asked["n_agents"],
                              objects=asked["n_objects"], signals=asked["n_signals"])  # fmt: skip
    paid = np.asarray(history(model, jax.random.split(jax.random.key(seed), runs), generations))
    for at, mean in expected["mean_payoff_at_generation"].items():
        if int(at) <= generations:
            sample = paid[:, int(at)]
            spread = sample.std(ddof=1) * math.sqrt(1 / runs + 1 / expected["final"]["runs"])
            assert float(sample.mean()) == pytest.approx(mean, abs=float(4 * spread + 1e-4)), (case["id"], at)
    return paid


def test_selection_makes_a_language_in_twenty_generations():
    paid = compare(EVOLUTION[0], 24, 50)
    assert (np.abs(paid[:, -1] - paid[:, -1].round()) < 0.1).mean() > 0.8  # with few samples it freezes early


@pytest.mark.slow
def test_populations_evolve_as_in_the_reference():
    for case in EVOLUTION:
        paid = compare(case, 60, 499, 1, history_fast)[:, -1]
        for level in (4, 5):
            expected = case["expected"][f"fraction_final_at_{level}"]
            spread = math.sqrt(max(expected * (1 - expected), 0.01) * (1 / 60 + 1 / 200))
            assert (np.abs(paid - level) < 0.01).mean() == pytest.approx(expected, abs=4 * spread), case["id"]


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: evolution.language_payoff(np.ones((2, 3)), np.ones((3, 2))), r"association: shapes \(2, 3\)"),
        (lambda: evolution.language_payoff(-np.ones((2, 3)), np.ones((2, 3))), r"association\[0, 0\] = -1"),
        (lambda: LanguageEvolution(parent="payof"), "did you mean 'payoff'"),
        (lambda: LanguageEvolution(samples=0), "language-evolution.samples = 0"),
    ],
)
def test_what_is_not_allowed_is_named(call, said):
    with pytest.raises(ParameterError, match=said):
        call()
