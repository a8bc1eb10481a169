"""Measures of language refuse what they cannot measure: one line that names the input and what is needed."""

import jax
import numpy as np
import pytest

from jaxcoord.errors import ParameterError
from jaxcoord.language import (
    comprehension,
    correlation,
    cross_play,
    description_length,
    distance,
    efficiency,
    information,
    learning,
    monitoring,
    probes,
    representation,
    signalling,
    structure,
    urns,
    world,
)

HALF, FAIR = [0.5, 0.5], [[0.5, 0.5], [0.5, 0.5]]
TOLD = [[0], [1]], [[1], [2]]
LOGITS = [[3.0, -1.0], [0.0, 2.0]]

REFUSED = {
    "no distribution": (lambda: signalling.positive_signalling([1.0, 1.0], FAIR), r"observed: sums to 2"),
    "other observations": (lambda: signalling.positive_signalling([1.0], FAIR), "speaker: 2 entries; observed has 1"),
    "other messages": (
        lambda: signalling.influence([1.0], [FAIR]), "listener: 2 messages; 1 are sent"),
    "negative": (lambda: signalling.positive_listening([1.5, -0.5], FAIR, [FAIR]), r"observed\[0\] = 1.5"),
    "no listener": (lambda: signalling.causal_influence(HALF, FAIR, FAIR), "an array with 3 axes"),
    "unpaired": (lambda: signalling.message_action_information([0, 1], [0], [0, 1], 2, 2), "y: 1 entries; x has 2"),
    "no points": (lambda: signalling.message_variance_ratio([1.0, 2.0], [0, 0]), r"points: shape \(2,\); \[N, D\]"),
    "ungrouped": (lambda: signalling.message_variance_ratio([[1.0], [2.0]], [0]), "groups: 1 entries; points has 2"),
    "logits": (lambda: comprehension.comprehension([0, 1], LOGITS), r"probabilities\[0, 0\] = 3"),
    "one row": (lambda: comprehension.comprehension([0, 1], HALF), r"probabilities: shape \(2,\)"),
    "unread": (lambda: comprehension.comprehension([0, 1, 1], FAIR), "probabilities: 2 entries; labels has 3"),
    "floor": (lambda: comprehension.comprehension([0, 1], FAIR, 1.5), "floor = 1.5: a probability"),
    "languages": (lambda: comprehension.language_comprehension([[0], [1]], [FAIR]), r"shape \(1, 2, 2\); \(2, 1\)"),
    "unlike": (lambda: correlation.spearman([1, 2], [1, 2, 3]), r"shapes \(2,\) and \(3,\)"),
    "table": (lambda: correlation.kendall([[1, 2]], [[1, 2]]), "two vectors"),
    "frequencies": (lambda: efficiency.length_law([1.0, -1.0], [1, 2]), r"probabilities\[1\] = -1: a weight"),
    "lengths": (lambda: efficiency.length_law([1.0, 2.0], [1, 2, 3]), "lengths: 3 entries; probabilities has 2"),
    "nothing to say": (lambda: efficiency.optimal_code([0.0, 0.0], 2), "all weights are 0"),
    "prior": (lambda: description_length.prequential_table([0, 1], [0, 1], 2, 0.0), "prior = 0: a number above 0"),
    "no classes": (lambda: description_length.prequential_table([0], [0], 0), "labels: numbers below 0 are asked for"),
    "groups": (lambda: description_length.prequential_table([0], [0, 1], 2), "labels: 2 entries; groups has 1"),
    "beyond": (lambda: information.joint_counts([0, 2], [0, 1], 2, 2), r"x\[1\] = 2: 0 to 1 is needed"),
    "wrapped": (lambda: information.joint_counts([0, -1], [0, 1], 2, 2), r"x\[1\] = -1"),
    "detected": (lambda: monitoring.detection([1, 0], [0.1]), "scores: 1 entries; attacked has 2"),
    "certain": (lambda: monitoring.audit_size(0.9, 0.5, 0.0, 0.1), "false_alarm = 0: a probability between"),
    "rate": (lambda: monitoring.audit_size(1.2, 0.5, 0.1, 0.1), "fine = 1.2"),
    "half right": (lambda: monitoring.sequential_test([1, 2], 0.9, 0.5, 0.1, 0.1), r"correct\[1\] = 2"),
    "unwatched": (lambda: monitoring.drop_monitor([], 1.0, 0.1, 1.0, 0.1), r"scores: shape \(0,\); \[T\]"),
    "untaught": (lambda: cross_play.teaching_curve([], 0.9), r"accuracy: shape \(0,\)"),
    "no row": (lambda: representation.linear_cka(np.zeros((0, 2)), np.zeros((0, 2))), "two or more"),
    "a row": (lambda: representation.rbf_cka([[1.0]], [[2.0]]), "two or more"),
    "lone row": (lambda: representation.representational_similarity([[1.0]], [[2.0]]), "two or more"),
    "no units": (
        lambda: probes.mlp_probe(jax.random.key(0), [[1.0]], [0], 2, [True], hidden=0), "hidden = 0"),
    "no symbol": (lambda: structure.context_independence([[0]], [[0]], 1, 1), "vocabulary = 1: at least 2"),
    "many messages": (lambda: distance.edit_distance([[1, 2]], [1]), r"x: shape \(1, 2\); one message"),
    "kind": (lambda: distance.topographic_similarity(*TOLD, 2, message="edits"), "'edits'; did you mean 'edit'"),
    "too short": (lambda: world.speak_human(jax.random.key(0), np.array([[0, 1]]), 3, 9), "people need 4 symbols"),
    "no word": (lambda: world.speak_human(jax.random.key(0), np.array([[0, 4]]), 4, 7), r"\[0, 1\] = 4: 0 to 3"),
    "state that never is": (lambda: urns.RothErev(prior=[1.0, 0.0]), "weights above 0"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case):
    ask, said = REFUSED[case]
    with pytest.raises(ParameterError, match=said):
        ask()


def test_what_is_no_number_has_no_rank():
    assert np.isnan(correlation.spearman([1.0, np.nan, 2.0], [1.0, 2.0, 3.0]))
    assert np.isnan(correlation.kendall([1.0, 2.0, 3.0], [1.0, np.nan, 3.0]))


def test_what_is_impossible_costs_nothing_where_it_is_not_said():
    with np.errstate(divide="ignore"):
        scores = np.log(np.array([[1.0, 0.0], [0.5, 0.5]], np.float32))
    np.testing.assert_allclose(learning.chosen(scores, np.array([0, 1])), [0, np.log(0.5)], rtol=1e-6)
    np.testing.assert_allclose(learning.entropies(scores), [0, np.log(2)], rtol=1e-6)


def test_an_interval_of_a_million_trials_is_that_of_the_normal_law():
    low, high = monitoring.exact_interval(500_000, 1_000_000)
    half = 1.959964 * np.sqrt(0.25 / 1e6) + 0.5e-6  # with the correction for continuity
    np.testing.assert_allclose([low, high], [0.5 - half, 0.5 + half], atol=2e-9)
