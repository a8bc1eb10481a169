"""Opinion dynamics against cases from elsewhere, linear algebra by NumPy, theorems, and the limits of each model."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import assert_close, load, run

from jaxcoord.errors import ParameterError
from jaxcoord.identity import opinions
from jaxcoord.identity.bounded_confidence import (
    BoundedConfidence,
    cluster_centres,
    clusters,
    confidence_weights,
    deffuant_meetings,
    hegselmann_krause_step,
    random_pairs,
)
from jaxcoord.identity.social_influence import SocialInfluence
from jaxcoord.identity.social_power import SocialPower, appraisal_step, centrality, influence_matrix, settled_power
from jaxcoord.networks.kinds import Complete, Ring

CASES = load("coordination_cases.json", "d-fj", "d-hk", "d-signed", "d-df", "d-degroot")
krause = jax.jit(hegselmann_krause_step, static_argnames="consent")
deffuant = jax.jit(deffuant_meetings, static_argnames="consent")


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def given(id):
    case = CASES[id]
    return case["params"], case["expected"], case["tolerance"]


def stochastic(size, seed):
    return np.random.default_rng(seed).dirichlet(np.ones(size), size)


# DeGroot and Friedkin-Johnsen


def test_degroot_equals_the_case():
    case, expected, tolerance = given("d-degroot")
    share = opinions.perron(case["W"])
    assert_close(share, expected["pi"], tolerance)
    assert_close(opinions.consensus_value(case["x0"], case["W"]), expected["consensus"], tolerance)
    assert_close(opinions.effective_number(share), expected["n_effective"], tolerance)
    assert_close(opinions.degroot_rate(case["W"]), expected["second_eigenvalue_modulus"], tolerance)
    values = np.array(case["x0"])
    for _ in range(60):
        values = np.asarray(opinions.degroot_step(values, case["W"]))
    assert_close(values, np.full(5, expected["consensus"]), tolerance)


def test_friedkin_johnsen_equals_the_cases():
    case, expected, tolerance = given("d-fj-fixed")
    weights, core, a = (np.array(case[name]) for name in ("W", "core", "susceptibility"))
    assert_close(opinions.friedkin_johnsen_fixed_point(weights, core, a), expected["x_star"], tolerance)
    assert_close(opinions.friedkin_johnsen_rate(weights, a), expected["spectral_radius"], tolerance)
    _, expected, tolerance = given("d-fj-traj")
    values = core
    for _ in range(3):
        values = opinions.friedkin_johnsen_step(values, weights, core, a)
    assert_close(values, expected["x_3"], tolerance)


def test_limits_of_friedkin_johnsen():
    weights, core, values = stochastic(6, 0), *np.random.default_rng(1).normal(size=(2, 6))
    np.testing.assert_allclose(
        opinions.friedkin_johnsen_step(values, weights, core, 1.0), opinions.degroot_step(values, weights), rtol=1e-14
    )
    np.testing.assert_array_equal(opinions.friedkin_johnsen_step(values, weights, core, 0.0), core)
    # Uniform weights: the distance from the mean shrinks by 1 - a.
    end = opinions.friedkin_johnsen_fixed_point(np.full((6, 6), 1 / 6), core, 0.7)
    np.testing.assert_allclose(end - core.mean(), 0.3 * (core - core.mean()), atol=1e-14)
    total = opinions.influence(weights, np.linspace(0, 1, 6))
    np.testing.assert_allclose(total.sum(1), 1, rtol=1e-13)
    assert (total >= 0).all()


def test_who_is_not_heard_weighs_nothing():
    weights = stochastic(4, 2)
    np.fill_diagonal(weights, [0.5, 0, 0, 0])
    heard = np.zeros((4, 4), bool)
    heard[1, [0, 2]] = True
    found = opinions.listening(weights, heard)
    expected = np.eye(4)
    expected[1] = np.array([weights[1, 0], 0, weights[1, 2], 0]) / (weights[1, 0] + weights[1, 2])
    np.testing.assert_allclose(found, expected, rtol=1e-14)


def test_a_consensus_needs_one_group_to_which_all_lead():
    leader = np.array([[1.0, 0, 0], [0.5, 0.5, 0], [0, 0.5, 0.5]])
    assert opinions.consensus_value([3.0, 5.0, 7.0], leader) == pytest.approx(3)
    assert opinions.closed_groups(leader) == [[0]]
    assert opinions.closed_groups(np.eye(3)) == [[0], [1], [2]]


# Friends and foes


def test_signed_opinions_equal_the_case():
    case, expected, tolerance = given("d-signed")
    weights, signs, start = (np.array(case[name]) for name in ("abs_weights", "signs_balanced", "x0"))
    assert_close(opinions.signed_consensus(start, weights, signs), expected["x_limit_balanced"], tolerance)
    np.testing.assert_array_equal(np.outer(*[opinions.camps(weights, signs)] * 2), signs)
    unbalanced = signs.copy()
    unbalanced[0, 1] *= -1
    assert opinions.camps(weights, unbalanced) is None
    assert_close(opinions.signed_consensus(start, weights, unbalanced), np.zeros(5), tolerance)
    step = jax.jit(opinions.altafini_step)
    ends = [start, start]
    for _ in range(400):
        ends = [step(end, weights, s) for end, s in zip(ends, (signs, unbalanced), strict=True)]
    assert_close(ends[0], expected["x_limit_balanced"], tolerance)
    assert_close(np.abs(ends[1]).max(), expected["max_abs_limit_unbalanced"], tolerance)
    np.testing.assert_allclose(step(start, weights, np.ones((5, 5))), opinions.degroot_step(start, weights), rtol=1e-14)


# Social power


def test_power_settles_where_the_case_says():
    case, expected, tolerance = given("d-df-irreducible")
    share = centrality(case["C"])
    assert_close(share, expected["centrality"], tolerance)
    power = settled_power(share)
    assert_close(power, expected["y_star"], tolerance)
    assert_close(power * (1 - power) / share, expected["y_times_one_minus_y_over_c"], tolerance)
    assert_close(opinions.perron(influence_matrix(power, case["C"])), expected["left_perron_of_W_of_y"], tolerance)
    assert_close(opinions.effective_number(power), expected["n_effective"], tolerance)


def test_power_from_centrality():
    case, expected, tolerance = given("d-df-centrality")
    share = np.array(case["centrality"])
    assert_close(appraisal_step(np.full(3, 1 / 3), share), expected["one_step_from_uniform"], tolerance)
    assert_close(settled_power(share), expected["y_star"], tolerance)
    power = np.array([0.01, 0.01, 0.98])
    for _ in range(300):
        power = appraisal_step(power, share)
    assert_close(power, expected["y_star"], tolerance)


def test_democracy_and_autocracy():
    _, expected, tolerance = given("d-df-democracy")
    ring = (np.roll(np.eye(6), 1, 1) + np.roll(np.eye(6), -1, 1)) / 2
    assert_close(settled_power(centrality(ring)), expected["y_star"], tolerance)
    case, expected, tolerance = given("d-df-star")
    share = centrality(case["C"])
    assert_close(settled_power(share), expected["limit"], tolerance)
    power = np.full(5, 0.2)
    assert_close(appraisal_step(power, share)[0], expected["one_step_centre"], tolerance)
    run = jax.jit(lambda y: jax.lax.fori_loop(0, case["steps"], lambda _, y: appraisal_step(y, share), y))
    assert_close(run(power)[0], expected["y_centre_after_2000"], tolerance)


@pytest.mark.parametrize("seed", range(4))
def test_settled_power_is_a_fixed_point_even_above_one_half(seed):
    raw = np.random.default_rng(seed).exponential(size=(5, 5)) + 20.0 * (seed % 2) * np.eye(5)[0]
    np.fill_diagonal(raw, 0)
    relations = raw / raw.sum(1, keepdims=True)
    share = centrality(relations)
    power = settled_power(share)
    assert (power[0] > 0.5) == (seed % 2 == 1)
    np.testing.assert_allclose(appraisal_step(power, share), power, rtol=1e-11)
    before = np.random.default_rng(seed).dirichlet(np.ones(5))
    np.testing.assert_allclose(
        appraisal_step(before, share), opinions.perron(influence_matrix(before, relations)), rtol=1e-11
    )
    assert (np.diff(power[np.argsort(share)] / np.sort(share)) > 0).all(), "power gathers at the top"
    np.testing.assert_array_equal(appraisal_step(np.eye(5)[1], share), np.eye(5)[1])


def test_the_model_of_power_settles():
    found = run(SocialPower(size=5), 30, 60)
    assert (found["unsettled"] < 1e-5).all()
    np.testing.assert_allclose(found["power"].sum(1), 1, rtol=1e-12)
    np.testing.assert_allclose(found["crowd"], 1 / (found["power"] ** 2).sum(1), rtol=1e-12)


# Bounded confidence


@pytest.mark.parametrize("id", [id for id in CASES if id.startswith("d-hk-") and id != "d-hk-step"])
@pytest.mark.parametrize("double", [True, False])
def test_hegselmann_krause_equals_the_cases(id, double):
    case, expected, tolerance = given(id)
    with jax.enable_x64(double):
        values, steps = jnp.linspace(0, 1, case["n"]), 0
        while np.abs((after := krause(values, case["epsilon"])) - values).max() > (1e-12 if double else 1e-6):
            values, steps = after, steps + 1
    centres, sizes = cluster_centres(values)
    assert steps == expected["steps_to_freeze"]
    assert sizes.tolist() == expected["sizes"]
    assert_close(centres, expected["centres"], {"abs": tolerance["abs" if double else "abs_float32"]})
    assert clusters(values).number == expected["n_clusters"]
    assert clusters(values).largest == pytest.approx(max(expected["sizes"]) / case["n"])


@pytest.mark.parametrize("double", [True, False])
def test_one_step_of_hegselmann_krause(double):
    # 0.8 - 0.6 is the confidence itself, which the closed ball holds in any precision.
    case, expected, tolerance = given("d-hk-step")
    with jax.enable_x64(double):
        found = hegselmann_krause_step(case["x0"], case["epsilon"])
    assert_close(found, expected["x_1"], {"abs": tolerance["abs"] if double else 1e-6})


@pytest.mark.parametrize(
    ("size", "consent", "dimensions"), [(30, False, 0), (30, True, 2), (130, True, 0), (130, False, 2)]
)
def test_a_step_is_the_mean_over_the_confidants(size, consent, dimensions):
    random = np.random.default_rng(size)
    values = random.random((size, dimensions) if dimensions else size)
    epsilon = random.uniform(0, 0.4, size)
    away = np.linalg.norm(np.atleast_3d(values[:, None] - values).reshape(size, size, -1), axis=2)
    near = away <= (np.minimum(epsilon[:, None], epsilon) if consent else epsilon[:, None])
    expected = near / near.sum(1, keepdims=True)
    weights = jax.jit(confidence_weights, static_argnums=2)(values, epsilon, consent)
    np.testing.assert_allclose(weights, expected, rtol=1e-14)
    np.testing.assert_allclose(krause(values, epsilon, consent=consent), expected @ values, rtol=1e-12)


def test_order_is_kept_and_frozen_clusters_are_apart():
    values, epsilon = np.sort(np.random.default_rng(3).random(40)), 0.08
    for _ in range(40):
        values = np.asarray(krause(values, epsilon))
        assert (np.diff(values) >= -1e-15).all()
    centres, _ = cluster_centres(values)
    assert len(centres) > 3
    assert np.diff(centres).min() > epsilon
    np.testing.assert_allclose(krause(values, epsilon), values, atol=1e-15)


def test_limits_of_confidence():
    values = np.random.default_rng(4).random(20)
    np.testing.assert_array_equal(krause(values, 0.0), values)
    np.testing.assert_allclose(krause(values, 1.0), values.mean(), rtol=1e-13)
    moved = krause(3 * values - 1, 3 * 0.2)
    np.testing.assert_allclose(moved, 3 * krause(values, 0.2) - 1, rtol=1e-12)


def test_a_nan_touches_nobody_else():
    values = np.random.default_rng(5).random(12)
    spoilt = np.append(values, [np.nan, np.inf])
    found = np.asarray(krause(spoilt, 0.3))
    np.testing.assert_allclose(found[:12], krause(values, 0.3), rtol=1e-14)
    assert np.isnan(found[12])
    assert np.isposinf(found[13])
    met = deffuant(spoilt, [[0, 12], [1, 13], [2, 3]], 0.5, 0.5)
    np.testing.assert_array_equal(np.asarray(met)[:2], spoilt[:2])


def test_meetings_of_pairs_by_hand():
    start, pairs = [0.0, 0.2, 0.5, 1.0], [[0, 1], [1, 2], [2, 3], [3, 1]]
    # 0 and 0.2 meet at 0.1; 0.1 and 0.5 at 0.3; 0.3 and 1 differ by too much, and so do 1 and 0.3.
    np.testing.assert_allclose(deffuant(start, pairs, 0.4, 0.5), [0.1, 0.3, 0.3, 1.0], atol=1e-15)
    np.testing.assert_allclose(deffuant(start, pairs[:1], 0.4, 0.25), [0.05, 0.15, 0.5, 1.0], atol=1e-15)
    # Only the first is confident enough; with consent nobody moves.
    epsilon = [0.3, 0.1, 0.1, 0.1]
    np.testing.assert_allclose(deffuant(start, pairs[:1], epsilon, 0.5), [0.1, 0.2, 0.5, 1.0], atol=1e-15)
    np.testing.assert_array_equal(deffuant(start, pairs[:1], epsilon, 0.5, consent=True), start)


def test_meetings_keep_the_mean_and_every_pair_is_as_likely():
    pairs = np.asarray(random_pairs(jax.random.key(0), 5, 40_000))
    counts = np.zeros((5, 5), int)
    np.add.at(counts, tuple(pairs.T), 1)
    assert (np.diagonal(counts) == 0).all()
    off = counts[~np.eye(5, dtype=bool)] - 2000
    assert np.abs(off).max() < 4.5 * np.sqrt(2000 * 0.95)
    values = np.random.default_rng(6).random(5)
    assert deffuant(values, pairs[:500], 0.3, 0.4).mean() == pytest.approx(values.mean(), rel=1e-12)


def test_deffuant_has_the_clusters_of_its_confidence():
    """1 / (2 epsilon) = 3.3, far from where the third large cluster comes (2.2) and the fourth (4.1).

    In the limit; 400 agents miss one now and then.

    Source: Ben-Naim, Krapivsky & Redner 2003, Physica D 183:190.
    """
    found = run(BoundedConfidence(meeting="pairs", start="random", epsilon=0.15, size=400), 16, 150)
    large = [(cluster_centres(values, 0.02)[1] > 20).sum() for values in found["opinion"]]
    assert np.median(large) == 3, large


@pytest.mark.parametrize(("gap", "number"), [(0.05, 4), (0.11, 3), (0.5, 1)])
def test_clusters_are_cut_at_gaps(gap, number):
    values = np.array([0.9, 0.1, 0.2, 0.1, 0.5, 0.9])
    assert clusters(values, gap).number == number == len(cluster_centres(values, gap)[0])


def test_the_model_runs_the_functions():
    model = BoundedConfidence(epsilon=0.25, size=50)
    found = run(model, 1, 12)
    expected = CASES["d-hk-2"]["expected"]
    assert found["clusters"] == 1
    assert found["largest"] == 1
    np.testing.assert_allclose(found["opinion"], expected["centres"][0], atol=1e-12)
    np.testing.assert_allclose(found["diversity"], 0, atol=1e-20)


# The discussion on a network


def discussion(**settings):
    model = SocialInfluence(**settings)
    state = jax.jit(model.init)(jax.random.key(7))
    return model, state, jax.jit(lambda s: jax.lax.fori_loop(0, 400, lambda _, s: model.step(s, None), s))(state)


def test_a_ring_with_foes_and_cores_ends_at_the_fixed_point():
    model, state, end = discussion(network=Ring(degree=4), theta=0.2, foes=0.3, size=20)
    near = np.abs((np.arange(20)[:, None] - np.arange(20) + 10) % 20 - 10) <= 2
    signed = near / 5 * np.outer(state.side, state.side)
    expected = np.linalg.solve(np.eye(20) - 0.8 * signed, 0.2 * np.asarray(state.core))
    np.testing.assert_allclose(end.opinions, expected, atol=1e-12)
    assert (np.asarray(state.side) < 0).sum() == 6
    assert model.observe(end)["uniqueness"] == pytest.approx(expected.var() / np.asarray(state.core).var())


def test_a_complete_network_without_cores_agrees_at_once_and_camps_stay_opposite():
    model, state, end = discussion(network=Complete(), foes=0.5, size=10)
    middle = np.mean(np.asarray(state.side) * np.asarray(state.core))
    np.testing.assert_allclose(model.step(state, None).opinions, middle * np.asarray(state.side), atol=1e-14)
    np.testing.assert_allclose(end.opinions, middle * np.asarray(state.side), atol=1e-13)


# Refusals


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda: opinions.degroot_step([1.0, 2.0], [[0.5, 0.4], [0, 1]]), "weights: row 0 sums to 0.9; every row"),
        (lambda: opinions.degroot_step([1.0, 2.0], [[1.0, 0.0], [-0.5, 1.5]]), "weights: row 1 has a negative entry"),
        (lambda: opinions.degroot_step([1.0, 2.0], np.ones((2, 3))), r"weights: shape \(2, 3\)"),
        (lambda: opinions.degroot_step([1.0, np.nan], np.eye(2)), "opinions: agent 1 has one that is not a finite"),
        (lambda: opinions.degroot_step([1.0], np.eye(2)), r"opinions: shape \(1,\)"),
        (lambda: opinions.consensus_value(np.ones(4), np.kron(np.eye(2), np.full((2, 2), 0.5))),
         r"agents \[0, 1\] and agents \[2, 3\] listen to nobody outside"),
        (lambda: opinions.consensus_value(np.ones(3), np.roll(np.eye(3), 1, 0)), "go round in a cycle"),
        (lambda: opinions.friedkin_johnsen_step(np.ones(2), np.eye(2), np.ones(2), [0.5, 1.5]), "1.5 of agent 1"),
        (lambda: opinions.influence(np.eye(2), [0.5, 1.0]), "agent 1 listens"),
        (lambda: centrality(np.eye(2)), r"relations\[0, 0\]"),
        (lambda: centrality([[0, 1, 0], [1, 0, 0], [0.5, 0.5, 0]]), r"agents \[0, 1\] listen to nobody else"),
        (lambda: settled_power([0.7, 0.3]), "of at most 1/2"),
        (lambda: hegselmann_krause_step([0.1, 0.2], -1.0), "epsilon = -1.0: at least 0"),
        (lambda: hegselmann_krause_step([0.1, 0.2], [0.1, 0.2, 0.3]), r"epsilon: shape \(3,\)"),
        (lambda: hegselmann_krause_step(0.5, 0.1), "opinions: shape"),
        (lambda: deffuant_meetings(np.ones((2, 2)), [[0, 1]], 0.1, 0.5), r"\[N\] is needed"),
        (lambda: cluster_centres([0.1, np.nan]), "finite numbers"),
    ],
)  # fmt: skip
def test_what_is_not_allowed_is_named(ask, words):
    with pytest.raises(ParameterError, match=words) as told:
        ask()
    assert "\n" not in str(told.value)


def test_gradients_go_through_the_fixed_points():
    weights, core = stochastic(4, 8), np.random.default_rng(9).normal(size=4)
    slope = jax.jacobian(lambda c: opinions.friedkin_johnsen_fixed_point(weights, c, 0.6))(core)
    np.testing.assert_allclose(slope, opinions.influence(weights, 0.6), rtol=1e-12)


def test_signed_opinions_that_never_settle_have_no_end():
    foes = (1 - np.eye(3)) / 2
    with pytest.raises(ParameterError, match="neither settle nor fade"):
        opinions.signed_consensus([1.0, 2, 3], foes, -np.ones((3, 3)))
    with pytest.raises(ParameterError, match="of -1 and"):
        opinions.altafini_step([1.0, 2, 3], foes, 5 * np.ones((3, 3)))
