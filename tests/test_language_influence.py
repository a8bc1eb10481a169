"""Codes in use: abbreviation, signalling and listening, representations, cross-play, comprehension."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import assert_case, communication, quick

from jaxcoord.errors import ParameterError
from jaxcoord.language.comprehension import (
    comprehension,
    comprehension_gap,
    language_comprehension,
    marker_reader,
    over_readers,
    positional_reader,
    symbolic_accuracy,
)
from jaxcoord.language.cross_play import (
    accuracy_matrix,
    cross_play,
    language_overlap,
    language_synchrony,
    teaching_curve,
)
from jaxcoord.language.efficiency import length_law, optimal_code, power_law, shortest_lengths
from jaxcoord.language.representation import (
    canonical_correlation,
    debiased_cka,
    embedding_drift,
    linear_cka,
    procrustes_disparity,
    rbf_cka,
    representational_similarity,
)
from jaxcoord.language.signalling import (
    causal_influence,
    message_action_information,
    message_variance_ratio,
    positive_listening,
    positive_signalling,
)


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


# Efficiency


def test_optimal_codes_equal_reference():
    measure = quick(lambda n, k, s: (power_law(n, s)[:5], optimal_code(power_law(n, s), k)), static_argnums=(0, 1))
    for case, given, expected in communication("optimal_code"):
        first, found = measure(given["n_inputs"], given["alphabet"], given["exponent"])
        names = ("entropy_bits", "optimal_mean_length", "uniform_mean_length", "max_length", "huffman_binary_mean_bits")
        assert_case(found, [expected[name] for name in names], case)
        assert_case(first, expected["top5_probabilities"], case)


def test_no_code_of_distinct_strings_is_shorter():
    np.testing.assert_array_equal(shortest_lengths(8, 2), [0, 1, 1, 2, 2, 2, 2, 3])
    np.testing.assert_array_equal(shortest_lengths(3, 1), [0, 1, 2])
    with pytest.raises(ParameterError, match="symbols = 0: at least 1"):
        optimal_code([0.5, 0.5], 0)


def test_length_laws_equal_reference_and_what_is_constant_has_none():
    measure = quick(length_law)
    for case, given, expected in communication("length_law"):
        names = ("spearman", "kendall_tau_b", "weighted_mean_length", "random_assignment_mean_length",
                 "best_assignment_mean_length", "worst_assignment_mean_length")  # fmt: skip
        assert_case(measure(*map(np.array, given.values())), [expected[name] for name in names], case)
        flat = measure(np.array(given["probabilities"]), np.full(40, 3))
        assert np.isnan([flat.spearman, flat.kendall]).all()
        np.testing.assert_allclose([flat.mean_length, flat.best_mean_length, flat.worst_mean_length], 3)


# Signalling and listening


def test_causal_influence_equals_reference():
    measure = quick(lambda *a: (positive_signalling(*a[:2]), *causal_influence(*a), positive_listening(*a)))
    for case, given, expected in communication("causal_influence"):
        names = ("positive_signalling_bits", "cic_state_policy_bits", "cic_marginal_bits", "cic_uniform_bits",
                 "positive_listening_l1")  # fmt: skip
        arguments = [np.array(given[name], float) for name in ("p_obs", "speaker", "listener")]
        assert_case(measure(*arguments), [expected[name] for name in names], case)


def test_a_deaf_listener_is_not_influenced_whatever_is_said():
    """Messages and actions correlate through what both see; nothing changes if messages are set by hand."""
    random = np.random.default_rng(0)
    seen = random.integers(0, 3, 3000)
    messages, actions = seen, np.where(random.random(3000) < 0.1, random.integers(0, 3, 3000), seen)
    assert min(quick(lambda *sample: message_action_information(*sample, 3, 3))(messages, messages, actions)) > 0.9
    deaf = np.tile(random.dirichlet(np.ones(3), 3)[:, None], (1, 3, 1))  # [U, M, A], alike for every message
    hears = quick(lambda *a: (*causal_influence(*a), positive_listening(*a)))
    np.testing.assert_allclose(hears(np.full(3, 1 / 3), np.eye(3), deaf), 0, atol=1e-12)
    heard = hears(np.full(3, 1 / 3), np.eye(3), np.tile(np.eye(3), (3, 1, 1)))
    np.testing.assert_allclose(heard, [0, np.log2(3), np.log2(3), 4 / 3], atol=1e-12)


def test_information_of_samples_equals_reference():
    measure = quick(lambda *sample: message_action_information(*sample, 8, 8))
    for case, given, expected in communication("message_action_mi"):
        found = measure(*map(np.array, given.values()))
        assert_case(found, list(expected.values()), case)
    with pytest.raises(ParameterError, match=r"speaker_actions\[1\] = 4: 0 to 3"):
        message_action_information([0, 1], [0, 4], [0, 1], 2, 4)


def test_variance_within_messages_equals_reference():
    measure = quick(message_variance_ratio)
    for case, given, expected in communication("message_variance_ratio"):
        assert_case(measure(*map(np.array, given.values())), expected["within_over_total"], case)
    points = np.random.default_rng(0).normal(size=(30, 3))
    np.testing.assert_allclose(measure(points, np.arange(30)), 0, atol=1e-12)
    np.testing.assert_allclose(measure(points, np.full(30, 7)), 1)
    assert np.isnan(measure(np.full((30, 3), 0.1), np.arange(30) % 3))


# Representations


def similarities(x, y):
    return (linear_cka(x, y), debiased_cka(x, y), rbf_cka(x, y), canonical_correlation(x, y),
            representational_similarity(x, y), procrustes_disparity(x, y))  # fmt: skip


together = quick(similarities)


def test_similarities_equal_reference():
    names = ("cka_linear", "cka_debiased", "cka_rbf_median", "cca_mean", "rsa_spearman", "procrustes_disparity")
    for case, given, expected in communication("representation_similarity"):
        assert_case(together(np.array(given["x"]), np.array(given["y"])), [expected[name] for name in names], case)


def test_similarities_do_not_see_rotation_scale_and_shift():
    random = np.random.default_rng(4)
    x = random.normal(size=(12, 3))
    turns = np.stack([np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))[0] for seed in range(40)])
    # A batch, as of many communities.
    found = quick(jax.vmap(similarities, (None, 0)))(x, 3 * x @ turns + 2)
    np.testing.assert_allclose(np.transpose(found), np.tile([1, 1, 1, 1, 1, 0], (40, 1)), atol=1e-10)
    found = np.array(together(x, random.normal(size=(12, 3))))
    assert (found[:5] < 0.9).all()
    assert found[5] > 0.3


def test_equal_rows_have_no_similarity():
    x = np.random.default_rng(4).normal(size=(12, 3))
    assert np.isnan(together(x, np.full((12, 3), 0.1))).all()
    with pytest.raises(ParameterError, match=r"shapes \(3, 2\) and \(4, 2\)"):
        linear_cka(np.ones((3, 2)), np.ones((4, 2)))


def test_debiased_cka_of_unrelated_codes_is_0():
    draws = np.random.default_rng(0).normal(size=(300, 2, 12, 3))
    found = np.array(quick(jax.vmap(lambda pair: jnp.stack([debiased_cka(*pair), linear_cka(*pair)])))(draws))
    error = found.std(0) / np.sqrt(300)
    assert abs(found[:, 0].mean()) < 4 * error[0]
    assert found[:, 1].mean() > 10 * error[1]  # the bias that is taken off


def test_drift_of_prototypes_equals_reference():
    measure = quick(embedding_drift)
    for case, given, expected in communication("embedding_drift"):
        found = measure(*map(np.array, given.values()))
        assert_case(found.decisions, expected["frozen_decisions"], case)
        names = ("frozen_nearest_accuracy", "cka_linear", "retrained_nearest_accuracy")
        assert_case([found.frozen, found.cka, found.retrained], [expected[name] for name in names], case)
    with pytest.raises(ParameterError, match=r"now: shape \(4, 3\); \(4, 2\)"):
        embedding_drift(np.ones((4, 2)), np.ones((4, 3)))


# Populations


def test_cross_play_equals_reference():
    measure = quick(lambda senders, receivers: (
        cross_play(accuracy_matrix(senders, receivers)), language_overlap(senders[..., None]),
    ))  # fmt: skip
    for case, given, expected in communication("cross_play"):
        found, overlap = measure(np.array(given["senders"]), np.array(given["receivers"]))
        assert_case(found.matrix, expected["matrix"], case)
        assert_case(
            [found.own, found.across, found.gap], [expected[k] for k in ("self_play", "cross_play", "gap")], case
        )
        assert_case(overlap, expected["language_overlap"], case)


def test_unrelated_bijections_have_chance_cross_play():
    random = np.random.default_rng(1)
    words = np.stack([[random.permutation(6) for _ in range(4)] for _ in range(300)])
    across = quick(jax.vmap(lambda said: cross_play(accuracy_matrix(said, jnp.argsort(said, 1))).across))
    found = np.asarray(across(words))
    assert abs(found.mean() - 1 / 6) < 4 * found.std() / np.sqrt(300)
    single = cross_play([[0.5]])
    assert (float(single.own), np.isnan(single.across), np.isnan(single.gap)) == (0.5, True, True)
    with pytest.raises(ParameterError, match=r"matrix: shape \(1, 2\)"):
        cross_play([[1.0, 0.5]])


def test_synchrony_equals_reference():
    measure = quick(language_synchrony)
    for case, given, expected in communication("language_synchrony"):
        assert_case(measure(np.array(given["messages"])), expected, case)
    alike = np.tile(np.arange(20).reshape(1, 5, 4), (3, 1, 1))  # the first message is empty
    np.testing.assert_allclose(measure(alike), 1)
    assert np.isnan(measure(alike[:1]))


def test_teaching_curves_equal_reference():
    for case, given, expected in communication("teaching_curve"):
        found = teaching_curve(given["accuracy"], given["threshold"])
        assert_case(found, [expected["area"], expected["first_step"]], case)
    assert int(teaching_curve([0.1, 0.2], 0.8).first_step) == -1


# Comprehension

understand = quick(comprehension)


def test_comprehension_equals_reference():
    names = ("accuracy", "chance", "score_accuracy", "entropy_bits", "cross_entropy_bits", "score_bits")
    for case, given, expected in communication("comprehension_frozen"):
        found = understand(*map(np.array, given.values()), case["params"]["floor_epsilon"])
        assert_case(found[:6], [expected[name] for name in names], case)
        # Misled where nothing is right of 16 and more; half right of 16 is no evidence of it.
        assert bool(found.misled) == (expected["score_accuracy"] == -1)


def decided(values, size=4):
    return np.eye(size)[values]


def test_shuffled_messages_are_not_understood_nor_misleading():
    """In the mean: shuffled against meanings, the score is 0 up to its own error."""
    random = np.random.default_rng(0)
    labels = np.arange(24) % 4
    guesses = decided(np.stack([random.permutation(labels) for _ in range(2000)]))
    found = np.asarray(quick(jax.vmap(lambda given: comprehension(labels, given).accuracy))(guesses))
    assert abs(found.mean() - 0.25) < 4 * found.std() / np.sqrt(2000)
    constant = understand(labels, decided(np.full(24, 2)), 0.01)
    assert (float(constant.score), bool(constant.misled)) == (0, False)


def test_an_attribute_that_does_not_vary_has_no_bits():
    found = understand(np.zeros(24, int), decided(np.zeros(24, int)), 0.01)
    assert (float(found.score), float(found.accuracy)) == (0, 1)
    assert np.isnan(found.score_bits)


def test_confident_misreading_shows_in_bits_first():
    labels = np.arange(24) % 4
    wrong = np.where(np.arange(24) < 12, labels, (labels + 1) % 4)  # half right: well above chance
    found = understand(labels, decided(wrong), 0.01)
    assert float(found.score) == pytest.approx(1 / 3)
    assert float(found.score_bits) < -1


def test_a_language_is_understood_attribute_by_attribute():
    attributes = np.stack(np.unravel_index(np.arange(64), (4, 4, 4)), 1)
    swapped = attributes.copy()
    swapped[:, 2] = (swapped[:, 2] + 1) % 4  # old words with new meanings
    measure = quick(language_comprehension)
    found = jax.device_get(measure(attributes, decided(swapped)))
    np.testing.assert_allclose(found.attributes.score, [1, 1, -1], atol=1e-12)
    np.testing.assert_array_equal(found.attributes.misled, [False, False, True])
    assert float(found.score) == pytest.approx(1 / 3)
    assert (float(found.whole_accuracy), bool(found.misled)) == (0, True)
    assert float(found.percent) == pytest.approx(100 / 3)
    assert float(comprehension_gap(1.0, found.score)) == pytest.approx(2 / 3)
    # An attribute that does not vary is left out.
    attributes[:, 0] = 2
    fixed = measure(attributes, decided(attributes))
    assert (float(fixed.score), float(fixed.whole_accuracy)) == (pytest.approx(1), 1)
    assert np.isfinite(fixed.score_bits)


def test_readers_are_summed_up_by_median_and_range():
    found = over_readers([[0.2, 0.9], [0.5, 1.0], [0.4, 0.1]])
    np.testing.assert_allclose(found, [[0.4, 0.9], [0.2, 0.1], [0.5, 1.0]])


def test_readers_by_rule_equal_reference():
    names = ("marker", "positional")
    measure = quick(lambda *language: [symbolic_accuracy(*language, 4, reader) for reader in names])
    for case, given, expected in communication("symbolic_decoder"):
        attributes, messages = np.array(given["attributes"]), np.array(given["messages"])
        for reader, (each, whole) in zip(names, measure(attributes, messages), strict=True):
            assert_case(each, expected[f"{reader}_reader"]["attribute_accuracy"], case)
            assert_case(whole, expected[f"{reader}_reader"]["whole_accuracy"], case)
    with pytest.raises(ParameterError, match="reader = 'human'; allowed: marker, positional"):
        symbolic_accuracy(attributes, messages, 4, "human")


def test_rules_of_reading():
    """Two attributes of three values: markers 1 and 2, values 3, 4, 5, and 6 means nothing."""
    messages = [[2, 5, 1, 3, 0, 4], [1, 2, 4, 5, 0, 0], [6, 1, 6, 4, 0, 0], [0, 1, 3, 0, 0, 0], [1, 3, 1, 5, 0, 0]]
    read = quick(lambda said: (marker_reader(said, 2, 3), positional_reader(said, 2, 3)))
    marked, placed = read(np.array(messages))
    np.testing.assert_array_equal(marked, [[0, 2], [-1, 1], [1, -1], [-1, -1], [2, -1]])
    np.testing.assert_array_equal(placed, [[2, 0], [1, 2], [1, -1], [-1, -1], [0, 2]])


def test_a_reader_that_says_nothing_is_not_one_that_guesses():
    found = quick(comprehension)(np.array([0, 0, 0, 1]), np.full((4, 2), np.nan))
    assert np.isnan(found.accuracy)
    assert np.isnan(found.score)
