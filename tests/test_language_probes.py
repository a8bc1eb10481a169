"""Probes and description length: reference cases, convergence, and whether they tell a code from a list."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import assert_case, communication, quick
from scipy.optimize import minimize
from scipy.special import gammaln, logsumexp

from jaxcoord.errors import ParameterError
from jaxcoord.language.description_length import online_logistic, prequential_table
from jaxcoord.language.information import message_groups
from jaxcoord.language.probes import (
    control_labels,
    first_position_reader,
    logistic_probabilities,
    logistic_probe,
    logistic_reader,
    majority_table,
    mlp_reader,
    probe_curve,
    probe_score,
    probe_selectivity,
    table_reader,
)
from jaxcoord.language.structure import one_hot_positions


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def padded(rows, number):
    """The rows, with zero rows up to this number, and which are real: cases of several sizes share a program."""
    rows = np.array(rows)
    return np.pad(rows, [(0, number - len(rows)), *[(0, 0)] * (rows.ndim - 1)]), np.arange(number) < len(rows)


# Reference

fit = quick(lambda features, labels, classes, *more: (
    probe := logistic_probe(features, labels, classes, *more), logistic_probabilities(probe, features),
), static_argnums=2)  # fmt: skip


def test_logistic_probes_equal_reference():
    score = quick(probe_score)
    for case, given, expected in communication("linear_probe"):
        number, classes = len(given["y_train"]), given["n_classes"]
        wide = [np.pad(given[name], ((0, 0), (0, 6 - len(given[name][0])))) for name in ("x_train", "x_test")]
        features, trained = padded(np.concatenate(wide), 100)
        labels, real = padded(given["y_train"] + given["y_test"], 100)
        trained[number:] = False
        probe, chances = fit(features, labels, 5, case["params"]["l2"], trained)
        assert float(probe.gap) < 1e-20
        train, test = score(chances, labels, trained), score(chances, labels, real & ~trained)
        assert_case(probe.objective, expected["objective_nats"], case)
        names = ("train_accuracy", "test_accuracy", "test_cross_entropy_bits")
        assert_case([train.accuracy, *test], [expected[name] for name in names], case)
        assert_case(chances[number : number + 20, :classes], expected["test_probs"], case)


def test_a_probe_is_at_the_minimum():
    """Of a hard problem: one-hot positions, separable labels, a small penalty, single and double precision."""
    random = np.random.default_rng(0)
    messages, labels = random.integers(1, 6, (30, 3)), random.integers(0, 3, 30)
    features = np.eye(6)[messages].reshape(30, -1)

    def objective(flat):
        weights = flat.reshape(-1, 3)
        scores = features @ weights[:-1] + weights[-1]
        cost = (logsumexp(scores, 1) - scores[np.arange(30), labels]).mean()
        return cost + 0.01 / 2 * (weights[:-1] ** 2).sum()

    best = minimize(objective, np.zeros(19 * 3), options={"gtol": 1e-9}).fun
    assert float(fit(features, labels, 3, 0.01)[0].objective) == pytest.approx(best, abs=1e-9)
    with jax.enable_x64(False):
        single = quick(logistic_probe, static_argnums=2)(features, labels, 3, 0.01)
    assert float(single.objective) == pytest.approx(best, abs=1e-5)


def test_labels_that_were_not_learned_are_impossible():
    features, labels = np.random.default_rng(0).normal(size=(20, 2)), np.arange(20) % 2
    probe, given = fit(features, labels * 2, 3, 0.1)
    np.testing.assert_array_equal(probe.present, [True, False, True])
    np.testing.assert_array_equal(given[:, 1], 0)
    _, two = fit(features, labels, 3, 0.1)
    np.testing.assert_allclose(given[:, [0, 2]], two[:, :2], atol=1e-8)
    assert np.isinf(quick(probe_score)(given, np.ones(20, int)).cross_entropy)


def test_tables_equal_reference():
    names, decide, grouped = (
        ("task", "control", "selectivity"),
        quick(majority_table, static_argnums=2),
        quick(message_groups),
    )
    for case, given, expected in communication("probe_selectivity"):
        # Rows that are not real are not trained on, and no score counts them.
        messages, _ = padded([[*row, 0][:3] for row in given["train_messages"] + given["test_messages"]], 64)
        trained, tested = (np.arange(64) < len(given["train_messages"]), np.arange(64) >= len(given["train_messages"]))
        tested[len(given["train_messages"] + given["test_messages"]) :] = False
        for groups, wanted in ((grouped(messages), "message_table"), (messages[:, 0], "first_position_table")):
            scores = []
            for kind in ("labels", "control"):
                labels, _ = padded(given[f"train_{kind}"] + given[f"test_{kind}"], 64)
                decided = np.asarray(decide(groups, labels, 4, trained))
                scores.append((decided == labels)[tested].mean())
            assert_case([*scores, scores[0] - scores[1]], [expected[wanted][name] for name in names], case)


def test_prequential_code_lengths_equal_reference_and_the_closed_form():
    measure = quick(prequential_table, static_argnums=2)
    for case, given, expected in communication("mdl_prequential_table"):
        groups, labels = np.array(given["messages"]), np.array(given["labels"])
        classes, alpha = given["n_classes"], case["params"]["alpha"]
        found = measure(groups, labels, classes, alpha)
        assert_case([found.bits, found.uniform_bits, found.compression], list(expected.values()), case)
        counts = np.zeros((given["n_messages"], classes))
        np.add.at(counts, (groups, labels), 1)
        closed = (gammaln(counts + alpha) - gammaln(alpha)).sum()
        closed -= (gammaln(counts.sum(1) + alpha * classes) - gammaln(alpha * classes)).sum()
        np.testing.assert_allclose(found.bits, -closed / np.log(2))


def test_online_code_lengths_equal_reference():
    measure = quick(online_logistic, static_argnums=(2, 3))
    for case, given, expected in communication("mdl_online_logistic"):
        ends = tuple(case["params"]["block_ends"])
        found = measure(np.array(given["x"]), np.array(given["labels"]), given["n_classes"], ends, case["params"]["l2"])
        assert_case([found.bits, found.uniform_bits, found.compression], list(expected.values()), case)


def test_a_new_label_is_dear_but_not_infinitely():
    """The second block brings a label that the first had not: -log2 1/(4 + 2) each."""
    found = quick(online_logistic, static_argnums=(2, 3))(
        np.zeros((6, 1)), np.array([0, 0, 0, 0, 1, 1]), 2, (4, 6), 0.1
    )
    np.testing.assert_allclose(found.bits, 4 + 2 * np.log2(6))
    assert float(online_logistic(np.zeros((6, 1)), np.zeros(6, int), 2, (6,), 0.1).compression) == 1


# A probe is honest

VALUES, NUMBER, VOCABULARY = 4, 3, 13
MEANINGS = np.stack(np.unravel_index(np.arange(64), (4, 4, 4)), 1)
COMPOSITIONAL = MEANINGS + 1 + np.arange(NUMBER) * VALUES


def languages(count=12):
    """`[3, count, 64, 3]`: compositional ones, the same messages dealt out anew, and symbols at random."""
    random = np.random.default_rng(0)
    names = [np.append(0, 1 + random.permutation(VOCABULARY - 1)) for _ in range(count)]
    return np.stack([
        [name[COMPOSITIONAL] for name in names],
        [COMPOSITIONAL[random.permutation(64)] for _ in range(count)],
        random.integers(1, VOCABULARY, (count, 64, NUMBER)),
    ])  # fmt: skip


def split(key):
    """44 meanings to learn from and 20 held out."""
    return jnp.argsort(jax.random.uniform(key, (64,))) < 44


def test_probes_tell_a_code_from_a_list():
    """On held-out meanings a position-wise reader follows composition only, a table nothing, controls are at chance."""
    keys = jax.random.split(jax.random.key(1), 12)

    def probed(key, said):
        trained = split(key)
        readers = (logistic_reader(said, VALUES, VOCABULARY), table_reader(said, VALUES))
        found = [probe_selectivity(key, MEANINGS, said, trained, read) for read in readers]
        features, order = one_hot_positions(said, VOCABULARY), jnp.argsort(jax.random.uniform(key, (64,)))
        lengths = jax.vmap(lambda labels: (
            prequential_table(message_groups(said), labels, VALUES).compression,
            online_logistic(features[order], labels[order], VALUES, (8, 16, 32, 64), 0.05).compression,
        ))(MEANINGS.T)  # fmt: skip
        return found, lengths

    (linear, table), (by_table, by_probe) = jax.device_get(
        quick(jax.vmap(jax.vmap(probed), (None, 0)))(keys, languages())
    )
    # [kind of language, language, attribute]; a held-out accuracy of 20 has a standard error of about 0.1.
    error = 0.1 / np.sqrt(36)
    task, control, selective = (np.asarray(x).mean((1, 2)) for x in linear)
    assert task[0] > 0.97
    np.testing.assert_allclose(task[1:], 1 / 4, atol=5 * error)
    np.testing.assert_allclose(control, 1 / 4, atol=5 * error)
    assert selective[0] > 0.6
    np.testing.assert_allclose(selective[1:], 0, atol=7 * error)
    assert (np.asarray(linear.selectivity)[0].mean(1) > np.asarray(linear.selectivity)[1:].mean(2)).all()
    # No message comes twice, nearly: a table cannot generalise, and takes every language of them for noise.
    assert (np.asarray(table.task).mean((1, 2)) < 1 / 4).all()
    assert (by_table < 1.1).all()
    code, dealt, noise = by_probe.mean((1, 2))
    assert code > 1.8
    assert max(dealt, noise) < 1.05
    assert by_probe[0].min() > by_probe[1:].max()


def test_a_table_learns_by_heart_what_it_has_met():
    """Held-out repetitions of what was seen: the table and its control are perfect, so it is not selective."""
    meanings, said = np.tile(MEANINGS[:16], (2, 1)), np.tile(languages(1)[1, 0][:16], (2, 1))
    trained = np.arange(32) < 16
    probe = quick(lambda key: probe_selectivity(key, meanings, said, trained, table_reader(said, VALUES)))
    found = probe(jax.random.key(0))
    np.testing.assert_array_equal(found.task, 1)
    np.testing.assert_array_equal(found.control, 1)
    np.testing.assert_array_equal(found.selectivity, 0)


def test_controls_are_one_label_a_message_as_often_as_labels_occur():
    groups, labels = np.repeat(np.arange(0, 40, 2), 2), np.repeat([0, 0, 0, 1], 10)
    deal = quick(jax.vmap(lambda key: control_labels(key, groups, labels)))
    drawn = np.asarray(deal(jax.random.split(jax.random.key(0), 300)))
    np.testing.assert_array_equal(drawn[:, ::2], drawn[:, 1::2])
    assert abs(drawn.mean() - 0.25) < 4 * np.sqrt(0.25 * 0.75 / (300 * 20))


@pytest.mark.slow
def test_a_network_reads_what_no_sum_of_positions_can():
    """The label is whether two symbols are equal: the network learns it, the linear probe cannot."""
    said = np.tile(np.array([[1, 1], [1, 2], [2, 1], [2, 2]]), (8, 1))
    equal = (said[:, 0] == said[:, 1]).astype(int)[:, None]
    trained = np.arange(32) < 16
    key = jax.random.key(0)
    features = np.eye(3)[said].reshape(32, -1)

    @quick
    def probed(penalty):
        network = mlp_reader(key, said, 2, 3, hidden=8, steps=200, penalty=penalty)
        return probe_selectivity(key, equal, said, trained, network).task[0]

    assert float(probed(0.0)) == 1
    assert float(probed(100.0)) <= 0.5  # weights that are held at 0 learn nothing
    _, linear = fit(features, equal[:, 0], 2, 0.01, trained)
    np.testing.assert_allclose(linear, 0.5, atol=1e-6)


@pytest.mark.slow
def test_lessons_help_a_reader_of_a_code_and_not_of_a_list():
    random = np.random.default_rng(3)
    order, tested = random.permutation(64), random.permutation(64) < 16
    sizes = np.array([3, 12, 48])
    curve = quick(lambda said: probe_curve(MEANINGS, order, tested, sizes, logistic_reader(said, VALUES, VOCABULARY)))
    code, dealt = (np.asarray(curve(languages(1)[kind, 0])).mean(1) for kind in (0, 1))
    assert code[0] < code[1] < code[2]
    assert code[2] == 1
    assert dealt.max() < 0.45
    reader = first_position_reader(COMPOSITIONAL, VALUES)
    first = np.asarray(quick(lambda: probe_curve(MEANINGS, order, tested, sizes, reader))())
    np.testing.assert_array_equal(first[2, 0], 1)  # the first symbol says the first attribute,
    assert first[2, 1:].max() < 0.45  # and nothing of the others


def test_what_is_not_allowed_is_named():
    features, labels = np.zeros((4, 1)), np.array([0, 1, 0, 1])
    with pytest.raises(ParameterError, match="penalty = 0: above 0"):
        logistic_probe(features, labels, 2, 0)
    with pytest.raises(ParameterError, match=r"labels\[1\] = 1: 0 to 0"):
        logistic_probe(features, labels, 1, 0.1)
    for ends in ((2, 2, 4), (4, 2), (0, 4), (2, 3), ()):
        with pytest.raises(ParameterError, match="block_ends = .*rise from 1 or more to 4"):
            online_logistic(features, labels, 2, ends, 0.1)
