"""Love among exploiters: one step by hand, closed forms at rest, and either answer to the question."""

import itertools
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import assert_frequencies, assert_means
from scipy import stats

from jaxcoord.identity import capture
from jaxcoord.identity.love import ADAPTIVE, EXPLOITER, MIMIC, LoveAndExploiters, Lovers

play, observe = jax.jit(LoveAndExploiters.play), jax.jit(LoveAndExploiters.observe)
redefine = jax.jit(LoveAndExploiters.redefine)


def state_of(kinds, core, identity=None, pretending=None):
    kinds = jnp.asarray(kinds, jnp.int32)
    core = jnp.asarray(core, jnp.float32)
    identity = core if identity is None else jnp.asarray(identity, jnp.float32)
    pretending = jnp.zeros(len(kinds), bool) if pretending is None else jnp.asarray(pretending)
    return Lovers(kinds, core, identity, pretending)


def drawn(seed=0):
    """Twelve agents of all kinds, some of them pretending."""
    random = np.random.default_rng(seed)
    kinds = np.array([ADAPTIVE] * 7 + [EXPLOITER] * 3 + [MIMIC] * 2)
    pretending = (random.uniform(size=12) < 0.3) & (kinds == ADAPTIVE)
    return state_of(kinds, random.normal(size=(12, 2)), random.normal(size=(12, 2)), pretending)


def plain_acceptance(model, state):
    """Whom each would help, agent by agent."""
    found, kind, identity = np.zeros((12, 12), bool), np.asarray(state.kind), np.asarray(state.identity)
    for i, j in itertools.product(range(12), range(12)):
        apart = np.linalg.norm(identity[i] - identity[j]) * ((1 - model.mimicry) if kind[j] == MIMIC else 1)
        likeness = np.exp(-(apart**2) / (2 * model.length**2))
        found[i, j] = model.care * likeness * model.benefit > (1 - model.care) * model.cost
    return found


@pytest.mark.parametrize("mimicry", [1.0, 0.5])
def test_play_by_hand(mimicry):
    model = LoveAndExploiters(size=12, length=1.1, entanglement=0.3, mimicry=mimicry)
    state, given = drawn(), np.zeros((12, 12))
    accepted, pretending = plain_acceptance(model, state), np.asarray(state.pretending)
    giver = np.asarray(state.kind) == ADAPTIVE
    pairs = [(i, j) for i, j in itertools.product(range(12), range(12)) if i != j and giver[i]]
    collective = np.mean([accepted[pair] for pair in pairs])
    for i, j in pairs:
        if not pretending[i]:
            given[i, j] = 0.7 * accepted[i, j] + 0.3 * collective
    found = play(model, state)
    np.testing.assert_array_equal(found.accepted, accepted)
    np.testing.assert_allclose(found.donation, given, atol=1e-6)
    np.testing.assert_allclose(found.payoff, (3 * given.sum(0) - given.sum(1)) / 11, atol=1e-5)
    seen = observe(model, state)
    np.testing.assert_allclose(seen["donation"], given.sum() / 132, rtol=1e-5)
    np.testing.assert_allclose(seen["acceptance"], np.mean([accepted[i, j] for i, j in pairs if giver[j]]), rtol=1e-5)
    np.testing.assert_allclose(seen["exposure"], np.mean([accepted[i, j] for i, j in pairs if not giver[j]]), rtol=1e-5)
    np.testing.assert_allclose(seen["pretending"], pretending.mean(), rtol=1e-5)


@pytest.mark.parametrize("consent", [0.0, 0.6, 1.0])
def test_redefinition_by_hand(consent):
    model = LoveAndExploiters(size=12, length=1.1, consent=consent, rounds=1, stubbornness=0.2, contest=0.9)
    state, expected = drawn(1), np.empty((12, 2))
    adaptive, identity = np.asarray(state.kind) == ADAPTIVE, np.asarray(state.identity, float)
    cores, pretending = np.asarray(state.core), np.asarray(state.pretending)
    tie = plain_acceptance(model, state) | ~adaptive[:, None]
    beta = np.where(adaptive, 0.6, np.where(np.asarray(state.kind) == EXPLOITER, 0.9, 0.0))
    for i in range(12):
        weight = 1 - consent + consent * (tie[i] & tie[:, i])
        weight /= weight.sum()
        seen = (1 - beta)[:, None] * identity[i] + beta[:, None] * identity
        seen[i] = identity[i]
        free = adaptive[i] and not pretending[i]
        core = cores[i] if adaptive[i] else np.array([3.0, 0.0])
        expected[i] = 0.2 * core + 0.8 * weight @ seen if free else core
    np.testing.assert_allclose(redefine(model, state).identity, expected, atol=1e-5)


def test_revision_is_pairwise_comparison_of_kinds():
    """Frequencies of the kind that a focal agent has after a step against the enumeration of its partners."""
    model = LoveAndExploiters(size=12, settling=0, rounds=1, revision=0.7, mu=0.2, selection=1.5, length=1.1)
    state = drawn(2)
    payoff, kind = np.asarray(play(model, state).payoff, float), np.asarray(state.kind)
    step = jax.jit(jax.vmap(lambda key: model.step(state, key).kind))
    after = np.asarray(step(jax.random.split(jax.random.key(1), 20_000)))
    for focal in (0, 8, 11):
        chance = np.zeros(3)
        for other in set(range(12)) - {focal}:
            copies = 0.8 / 11 / (1 + np.exp(-1.5 * (payoff[other] - payoff[focal])))
            chance[kind[other]] += 0.7 * copies
            chance[kind[focal]] += 0.7 * (0.8 / 11 - copies)
        chance += 0.7 * 0.2 / 2 * (np.arange(3) != kind[focal]) + 0.3 * (np.arange(3) == kind[focal])
        assert_frequencies(np.bincount(after[:, focal], minlength=3), chance)


def test_pretence_is_as_frequent_as_humour_and_only_among_the_adaptive():
    model = LoveAndExploiters(size=12, settling=0, rounds=1, humour=0.25, revision=0.0)
    state = drawn(3)
    step = jax.jit(jax.vmap(lambda key: model.step(state, key).pretending))
    found = np.asarray(step(jax.random.split(jax.random.key(2), 4000)))
    assert not found[:, 7:].any()
    assert_means(found[:, :7], np.full(7, 0.25))


@partial(jax.jit, static_argnums=(1, 2))
def settled(model, populations, steps=0):
    """Observations after settling, and a number of steps; compiled once for models of one structure."""

    def run(key):
        state = model.init(key)
        walk = jax.lax.fori_loop(0, steps, lambda t, s: model.step(s, jax.random.fold_in(key, t)), state)
        return model.observe(walk)

    return jax.vmap(run)(jax.random.split(jax.random.key(5), populations))


# Of one structure and batch, so that they share a program.
RESTING, DRAWS = {"size": 20, "settling": 100}, 800


def test_settled_identities_are_captured_as_the_closed_form_says():
    found = settled(LoveAndExploiters(exploiters=0.1, stubbornness=0.02, contest=0.8, **RESTING), DRAWS)
    np.testing.assert_allclose(found["capture"], capture.capture_share(20, 2, 0.02, 0.8), rtol=1e-3)
    np.testing.assert_allclose(found["share"][0], [0.9, 0.1, 0.0], atol=1e-6)


def test_acceptance_and_exposure_are_those_of_normal_identities():
    """At rest x_i - e is normal: mean (1-kappa) distance, variance the mean core's and the shrunk deviation's."""
    theta, good = 0.2, 16
    found = settled(LoveAndExploiters(exploiters=0.2, stubbornness=theta, distance=1.5, **RESTING), DRAWS)
    kappa = float(capture.capture_share(20, 4, theta, 0.6))
    factor = float(capture.uniform_mirror(theta, 0.6).deviation_factor)
    radius = 0.5 * np.sqrt(2 * np.log(3))
    variance = (1 - kappa) ** 2 / good + factor**2 * (1 - 1 / good)
    assert_means(found["acceptance"], stats.chi2.cdf(radius**2 / (2 * factor**2), 2))
    exposure = stats.ncx2.cdf(radius**2 / variance, 2, ((1 - kappa) * 1.5) ** 2 / variance)
    assert 0.05 < exposure < 0.95
    assert_means(found["exposure"], exposure)


def test_humour_is_a_core_on_average():
    """With one round a step a pretender is as stubborn as can be: theta + humour (1 - theta) on average."""
    model = LoveAndExploiters(
        size=10, exploiters=0.1, stubbornness=0.01, humour=0.1, revision=0.0, rounds=1, settling=0, contest=1.0
    )
    found = settled(model, 600, 250)
    assert_means(found["capture"], float(capture.capture_share(10, 1, 0.01 + 0.1 * 0.99, 1.0)))
    earnest = float(capture.capture_share(10, 1, 0.01, 1.0))
    assert found["capture"].mean() < earnest - 0.3, "what frees a population is far from nothing"


def test_consent_keeps_strangers_out():
    """Who needs acceptance by both is not captured from afar, where others are."""
    common = {"exploiters": 0.2, "stubbornness": 0.02, "spread": 0.1, "distance": 4.0} | RESTING
    open_to_all, consenting = (settled(LoveAndExploiters(consent=c, **common), DRAWS) for c in (0.0, 1.0))
    assert float(open_to_all["capture"].min()) > 0.8
    assert np.abs(consenting["capture"]).max() < 1e-3
    # Who is captured agrees with everybody; among the others 16 accept each other and the 4 whom they refuse do too.
    np.testing.assert_allclose(open_to_all["mutual_ties"], 1.0, rtol=1e-6)
    np.testing.assert_allclose(consenting["mutual_ties"], (16 * 15 + 4 * 3) / (16 * 15 + 4 * 3 + 4 * 16), rtol=1e-5)


@pytest.mark.parametrize(
    ("changes", "lowest", "highest"),
    [
        ({"exploiters": 0.0}, 0.99, 1.0),  # nobody to exploit: all alike, all give
        ({"stubbornness": 0.05}, 0.9, 1.0),  # a little core: exploiters look strange and die out
        ({"stubbornness": 1e-3}, 0.0, 0.1),  # hardly any: all look like the exploiters, who take over
        ({"stubbornness": 1.0}, 0.0, 0.25),  # nothing but cores: nobody is like anybody
        ({"care": 0.2}, 0.0, 0.0),  # below the threshold of care even doubles get nothing
        ({"stubbornness": 0.05, "exploiters": 0.0, "mimics": 0.15}, 0.0, 0.1),  # mimics are always taken for friends
        ({"stubbornness": 1e-3, "contest": 0.0}, 0.9, 1.0),  # no conflict, no capture
    ],
    ids=["alone", "window", "captured", "strangers", "careless", "mimics", "no-contest"],
)
def test_either_answer(changes, lowest, highest):
    model = LoveAndExploiters(**({"size": 16, "exploiters": 0.125} | changes))
    donation = settled(model, 60, 120)["donation"].mean()
    assert lowest <= float(donation) <= highest + 1e-6
