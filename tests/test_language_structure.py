"""Measures of a language: reference cases, what must not change them, terminators, undefined values, refusals."""

import json
from functools import partial
from itertools import product

import jax
import numpy as np
import pytest
from cases import DATA
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.optimize import linear_sum_assignment

from jaxcoord.errors import ParameterError
from jaxcoord.language.correlation import average_ranks, kendall, spearman
from jaxcoord.language.distance import (
    edit_distance,
    edit_distances,
    normalised_edit_distance,
    topographic_similarity,
)
from jaxcoord.language.information import (
    contents,
    entropy,
    expected_information,
    joint_counts,
    message_entropy,
    message_groups,
    message_length,
    mutual_information,
    table_information,
    transmitted_length,
)
from jaxcoord.language.structure import (
    absolute_reconstruction_error,
    bag_disentanglement,
    co_occurrence,
    concept_best_match,
    context_independence,
    one_hot_positions,
    positional_disentanglement,
    tree_reconstruction_error,
)

ALL = json.loads((DATA / "communication_cases.json").read_text())["deterministic"]
LONGEST, VOCABULARY = 6, 12  # every table of the cases fits
TABLES = (
    "topsim", "posdis", "bosdis", "message_entropy", "mutual_information", "tre_additive", "concept_best_match",
    "context_independence",
)  # fmt: skip
TOPSIM = {
    "hamming edit_norm spearman": ("hamming", "edit-normalised", "spearman"),
    "cosine_onehot edit spearman": ("hamming", "edit", "spearman"),
    "euclidean hamming pearson": ("euclidean", "hamming", "pearson"),
}


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def of(*ops):
    return [case for case in ALL if case["op"] in ops]


def close(found, expected, case, what=""):
    """Within the case's tolerance; what is null there is NaN here."""
    expected = np.array(expected, float)  # None becomes NaN
    np.testing.assert_allclose(found, expected, case["rtol"], case["atol"], err_msg=f"{case['id']} {what}")


def every(attributes, messages, values, vocabulary=VOCABULARY):
    """All measures of one language by name."""
    similar = partial(topographic_similarity, attributes, messages, values)
    return {
        "topsim": {
            name: similar(meaning=meaning, message=message, correlation=correlation)
            for name, (meaning, message, correlation) in TOPSIM.items()
        },
        "posdis": positional_disentanglement(attributes, messages),
        "bosdis": bag_disentanglement(attributes, messages, vocabulary),
        "message_entropy": message_entropy(messages, vocabulary),
        "mutual_information": mutual_information(attributes, messages, values),
        "tre_additive": tree_reconstruction_error(attributes, messages, values, vocabulary),
        "concept_best_match": concept_best_match(attributes, messages, values, vocabulary),
        "context_independence": context_independence(attributes, messages, values, vocabulary),
    }


VALUES = {(9, 2): 3, (8, 3): 2, (25, 2): 5, (16, 2): 4, (27, 3): 3}  # of the worlds in the cases
QUICK = {(16, 2), (27, 3)}  # worlds whose programs other tests share; the others are as long to compile
BATCH = 80  # languages at once, always, so that there is one program for each world


def quick(function, **more):
    """Compiled for a program that runs once."""
    return jax.jit(function, compiler_options={"xla_backend_optimization_level": 0}, **more)


batched = quick(jax.vmap(every, (0, 0, None)), static_argnums=2)


def padded(messages):
    return np.pad(messages, ((0, 0), (0, LONGEST - np.shape(messages)[1])))


def measured(languages):
    """All measures of pairs (attributes, messages) of one of the worlds, by language."""
    attributes, messages = (np.stack([*part, *[part[0]] * (BATCH - len(part))]) for part in (
        [attributes for attributes, _ in languages],
        [padded(said) for _, said in languages],
    ))  # fmt: skip
    found = jax.device_get(batched(attributes, messages, VALUES[attributes.shape[1:]]))
    return [jax.tree.map(lambda x, row=row: x[row], found) for row in range(len(languages))]


def check(case, found):
    expected, op = case["expected"], case["op"]
    if op == "topsim":
        close(found[" ".join(case["params"].values())], expected, case)
    elif op in ("posdis", "bosdis", "context_independence"):
        close(found, expected, case)
    elif op == "message_entropy":
        names = ("message_entropy_bits", "message_entropy_miller_madow_bits", "symbol_entropy_bits",
                 "distinct_messages", "mean_length", "max_length")  # fmt: skip
        close(np.array(found), [expected[name] for name in names], case)
    elif op == "mutual_information":
        close(found.meaning_message, expected["meaning_message_bits"], case)
        close(found.attribute_message, expected["attribute_message_bits"], case)
        positions = np.shape(expected["attribute_position_bits"])[1]
        close(found.attribute_position[:, :positions], expected["attribute_position_bits"], case)
        close(found.normalised, expected["normalised_mi_arithmetic"], case)
        close(found.adjusted, expected["adjusted_mi_arithmetic"], case, "adjusted")
    elif op == "tre_additive":
        close(found.error, expected["l2_mean"], case)
        close(found.explained, expected["additive_r2"], case)
    else:
        close([found.score, found.weight, found.most], [expected[k] for k in ("score", "matched_weight", "normaliser")],
              case)  # fmt: skip


def world(case):
    """Rows and attributes of a case; tables of messages alone have one of the worlds with so many rows."""
    rows = len(case["inputs"]["messages"])
    return next(shape for shape in VALUES if shape[0] == rows)


@pytest.mark.parametrize(
    "shape", [pytest.param(shape, marks=() if shape in QUICK else pytest.mark.slow) for shape in VALUES], ids=str
)
def test_measures_of_tables_equal_reference(shape):
    cases = [case for case in of(*TABLES) if world(case) == shape]
    meanings = next(case["inputs"]["attributes"] for case in cases if "attributes" in case["inputs"])
    assert len(cases) > 20
    languages = [(case["inputs"].get("attributes", meanings), case["inputs"]["messages"]) for case in cases]
    for case, found in zip(cases, measured(languages), strict=True):
        check(case, found[case["op"]])


def test_absolute_reconstruction_equals_reference():
    for case in of("tre_additive"):
        values, vocabulary = case["inputs"]["n_values"], case["inputs"]["vocab_size"]
        attributes, messages = (np.array(case["inputs"][name]) for name in ("attributes", "messages"))
        found = absolute_reconstruction_error(attributes, padded(messages), values, vocabulary)
        close(found, case["expected"]["l1_mean"], case)


def test_edit_distances_and_lengths_equal_reference():
    measure = quick(jax.vmap(edit_distance))
    for case in of("edit_distance"):
        x, y = (np.array([row + [0] * (10 - len(row)) for row in case["inputs"][k]]) for k in "xy")
        np.testing.assert_array_equal(measure(x, y), case["expected"])
    for case in of("message_length"):
        np.testing.assert_array_equal(
            message_length(case["inputs"]["messages"]), case["expected"]["symbols_before_eos"]
        )
        np.testing.assert_array_equal(
            transmitted_length(case["inputs"]["messages"]), case["expected"]["with_eos_capped"]
        )


# Edit distance and ranks against other algorithms


def by_table(x, y):
    """Levenshtein's table, a cell at a time."""
    x, y = ([s for i, s in enumerate(m) if all(m[: i + 1])] for m in (x, y))
    row = list(range(len(y) + 1))
    for i, mine in enumerate(x):
        above, row = row, [i + 1]
        for j, other in enumerate(y):
            row.append(min(above[j + 1] + 1, row[j] + 1, above[j] + (mine != other)))
    return row[-1]


@pytest.mark.parametrize(("first", "second"), [(70, 33)])
def test_edit_distance_equals_the_table(first, second):
    random = np.random.default_rng(first)
    x, y = random.integers(1, 4, (30, first)), random.integers(1, 4, (30, second))
    x[random.random(x.shape) < 0.5 / first] = 0
    y[random.random(y.shape) < 0.5 / second] = 0
    found = quick(jax.vmap(edit_distance))(x, y)
    np.testing.assert_array_equal(found, [by_table(*pair) for pair in zip(x.tolist(), y.tolist(), strict=True)])


def test_edit_distance_is_a_metric():
    messages = np.array(list(product(range(3), repeat=3)))  # every message of up to three of two symbols
    distance = np.asarray(quick(edit_distances)(messages))
    length = np.asarray(message_length(messages))
    np.testing.assert_array_equal(distance, distance.T)
    same = (np.asarray(contents(messages))[:, None] == np.asarray(contents(messages))).all(-1)
    np.testing.assert_array_equal(distance == 0, same)
    assert (distance[:, :, None] <= distance[:, None] + distance.T[None]).all()
    assert (distance >= np.abs(length[:, None] - length)).all()
    assert (distance <= np.maximum(length[:, None], length)).all()


def test_normalised_edit_distance_of_nothing_is_0():
    pairs = np.array([[[0, 1, 1], [0, 2, 2]], [[0, 1, 1], [2, 3, 0]], [[1, 2, 0], [1, 0, 5]]])
    np.testing.assert_allclose(quick(jax.vmap(normalised_edit_distance))(pairs[:, 0], pairs[:, 1]), [0, 2, 1 / 1.5])


@quick
def correlations(x, y):
    return average_ranks(x), spearman(x, y), kendall(x, y)


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 2**32 - 1), levels=st.integers(1, 6))
def test_correlations_equal_scipy(seed, levels):
    x, y = np.random.default_rng(seed).integers(0, levels, (2, 20)).astype(float)
    ranks, *found = correlations(x, y)
    np.testing.assert_array_equal(ranks, stats.rankdata(x))
    for mine, other in zip(found, (stats.spearmanr, stats.kendalltau), strict=True):
        if x.std() and y.std():
            np.testing.assert_allclose(mine, other(x, y).statistic, atol=1e-12)
        else:
            assert np.isnan(mine)


@pytest.mark.slow
def test_topographic_similarity_equals_its_definition():
    """Distances of pairs, ranked by scipy: random messages of 0 to 5 symbols and meanings of uneven numbers."""
    random = np.random.default_rng(3)
    attributes, messages = random.integers(0, 7, (24, 3)), random.integers(0, 4, (24, 5))
    pairs = np.triu_indices(24, 1)
    edit = np.array([[by_table(x, y) for y in messages.tolist()] for x in messages.tolist()])[pairs]
    length = np.asarray(message_length(messages))
    mean = ((length[:, None] + length) / 2)[pairs]
    said = np.asarray(contents(messages))
    of_meaning = {
        "hamming": (attributes[:, None] != attributes).mean(-1)[pairs],
        "euclidean": np.sqrt(((attributes[:, None] - attributes) ** 2).sum(-1))[pairs],
    }
    of_message = {
        "edit": edit,
        "edit-normalised": edit / np.maximum(mean, 0.5),
        "hamming": (said[:, None] != said).mean(-1)[pairs],
    }
    correlations = {"spearman": stats.spearmanr, "pearson": stats.pearsonr}
    trials = (("hamming", "hamming", "spearman"), ("hamming", "edit", "pearson"),
              ("euclidean", "edit-normalised", "spearman"))  # fmt: skip
    found = quick(lambda *language: [
        topographic_similarity(*language, 7, **dict(zip(("meaning", "message", "correlation"), words, strict=True)))
        for words in trials
    ])(attributes, messages)  # fmt: skip
    for (meaning, message, name), similarity in zip(trials, found, strict=True):
        expected = correlations[name](of_meaning[meaning], of_message[message]).statistic
        np.testing.assert_allclose(similarity, expected, atol=1e-12)


# What leaves the measures alone


def compositional(number=3, values=3):
    """A private symbol for every concept, one position an attribute; the last value is left unsaid."""
    attributes = np.stack(np.unravel_index(np.arange(values**number), (values,) * number), 1)
    messages = attributes + 1 + np.arange(number) * values
    return attributes, messages


def random_language(seed=0, length=5, vocabulary=7):
    random = np.random.default_rng(seed)
    attributes, _ = compositional(2, 4)
    return attributes, random.integers(0, vocabulary, (16, length))


def numbers(found):
    """All numbers of a tree of measures, the words of a matching left out, which need not be unique."""
    best = found["concept_best_match"]
    found = found | {"concept_best_match": (best.score, best.weight, best.most)}
    leaves = jax.tree_util.tree_flatten_with_path(found)[0]
    return {jax.tree_util.keystr(path): np.asarray(leaf) for path, leaf in leaves}


def test_measures_ignore_names_order_and_what_follows_the_end():
    random = np.random.default_rng(1)
    attributes, messages = random_language()
    assert (message_length(messages) < 5).sum() > 3
    renaming = np.append(0, 1 + random.permutation(VOCABULARY - 1))
    rows = random.permutation(16)
    garbage = np.where(np.cumprod(messages != 0, 1) == 1, messages, random.integers(0, 7, messages.shape))
    garbage = np.where(np.cumsum(messages == 0, 1) == 1, np.where(messages == 0, 0, garbage), garbage)
    order, swapped = random.permutation(5), attributes[:, ::-1]
    full = np.where(messages == 0, 7, messages)  # without terminators, so that positions can be permuted
    variants = [
        (attributes, messages), (attributes, renaming[messages]), (attributes[rows], messages[rows]),
        (attributes, garbage), (swapped, messages), (attributes, full), (attributes, full[:, order]),
    ]  # fmt: skip
    assert (garbage != messages).any()
    base, renamed, moved, after, exchanged, whole, shuffled = (numbers(found) for found in measured(variants))
    for other in (renamed, moved, after):
        for name, value in base.items():
            np.testing.assert_allclose(other[name], value, atol=1e-10, err_msg=name)
    for name in base:
        if name.startswith(("['topsim']", "['posdis']", "['bosdis']")):
            np.testing.assert_allclose(exchanged[name], base[name], atol=1e-10, err_msg=name)
        if name.startswith(("['bosdis']", "['concept_best_match']", "['message_entropy']", "['context")):
            np.testing.assert_allclose(shuffled[name], whole[name], atol=1e-10, err_msg=name)
    assert abs(base["['posdis']"] - whole["['posdis']"]) > 0.01  # a change of language is seen


def test_shuffling_messages_destroys_structure():
    attributes, messages = compositional()
    orders = [np.random.default_rng(seed).permutation(27) for seed in range(BATCH - 1)]
    found = measured([(attributes, messages), *((attributes, messages[order]) for order in orders)])
    ordered, *shuffled = (each["topsim"]["hamming edit_norm spearman"] for each in found)
    np.testing.assert_allclose(ordered, 1, atol=1e-12)
    assert abs(np.mean(shuffled)) < 4 * np.std(shuffled) / np.sqrt(len(shuffled))
    assert np.abs(shuffled).max() < 4 / np.sqrt(27)
    gain = [each["posdis"] for each in found]
    assert gain[0] == pytest.approx(1)
    assert max(gain[1:]) < 0.7


def test_matching_is_optimal_and_gives_the_dictionary():
    attributes, messages = compositional()
    random = np.random.default_rng(5)
    languages = [messages, *random.integers(0, 9, (30, 27, 5))]
    clear, *found = (each["concept_best_match"] for each in measured([(attributes, said) for said in languages]))
    np.testing.assert_array_equal(clear.words, np.arange(9).reshape(3, 3) + 1)
    for said, match in zip(languages[1:], found, strict=True):
        used = (np.asarray(contents(said))[:, :, None] == np.arange(1, 9)).sum(1)
        counts = np.concatenate([used.T @ (attributes[:, [a]] == np.arange(3)) for a in range(3)], 1)
        np.testing.assert_array_equal(counts, co_occurrence(attributes, said, 3, 9))
        assert match.weight == counts[linear_sum_assignment(counts, maximize=True)].sum()


# Known traps


def test_positions_are_all_looked_at():
    """A first position without information, attributes in the two others: a loop that returns early finds nothing."""
    attributes, messages = compositional(2, 4)
    messages = np.column_stack([np.full(16, 9), messages])
    tangled = messages.copy()
    tangled[:, 2] = 1 + attributes.sum(1) % 4  # about neither alone
    clear, half = (found["posdis"] for found in measured([(attributes, messages), (attributes, tangled)]))
    assert (clear, half) == (pytest.approx(1), pytest.approx(0.5))


def few(attributes, messages, values):
    return (topographic_similarity(attributes, messages, values), positional_disentanglement(attributes, messages),
            bag_disentanglement(attributes, messages, 5))  # fmt: skip


def test_a_single_attribute_has_no_second():
    attributes, messages = np.arange(4)[:, None], np.array([[1, 0], [2, 0], [3, 0], [3, 4]])
    similar, position, bag = quick(few, static_argnums=2)(attributes, messages, 4)
    # All meanings are equally far apart, and whatever varies tells about the only attribute.
    assert np.isnan(similar)
    assert (position, bag) == (pytest.approx(1), pytest.approx(1))


def test_one_meaning_has_no_pairs():
    assert np.isnan(quick(few, static_argnums=2)(np.zeros((1, 2), int), np.array([[1, 2]]), 2)).all()


def test_what_is_undefined_is_not_a_number():
    attributes, _ = compositional(2, 4)
    silent, constant = np.zeros((16, 2), int), np.tile([1, 2], (16, 1))
    for found in measured([(attributes, silent), (attributes, constant), (np.zeros_like(attributes), constant)]):
        assert np.isnan([*found["topsim"].values(), found["posdis"], found["bosdis"]]).all()
        assert np.isnan(found["tre_additive"].explained)
        np.testing.assert_allclose(found["tre_additive"].error, 0, atol=1e-12)
    first, second, nothing = measured(
        [(attributes, silent), (attributes, constant), (np.zeros_like(attributes), silent)]
    )
    assert np.isnan([first["context_independence"], nothing["context_independence"]]).all()
    assert not np.isnan(second["context_independence"])
    np.testing.assert_array_equal(first["mutual_information"].adjusted, 0)
    assert np.isnan([nothing["mutual_information"].normalised, *nothing["mutual_information"].adjusted]).all()


def test_plug_in_information_praises_every_language_without_homonyms():
    attributes, messages = compositional()
    for found in measured([(attributes, messages), (attributes, messages[np.random.default_rng(0).permutation(27)])]):
        informed = found["mutual_information"]
        np.testing.assert_allclose(informed.meaning_message, np.log2(27))
        np.testing.assert_allclose(informed.attribute_message, np.log2(3))
        np.testing.assert_allclose(informed.adjusted, 0, atol=1e-9)


def test_expected_information_is_that_of_random_pairings():
    random = np.random.default_rng(2)
    labels, groups = np.repeat([0, 1, 2], [10, 6, 4]), np.repeat(np.arange(5), [7, 5, 4, 3, 1])
    sizes, histogram = np.bincount(labels), np.bincount(np.bincount(groups), minlength=21)
    orders = np.stack([random.permutation(20) for _ in range(4000)])
    information = quick(jax.vmap(lambda dealt: table_information(joint_counts(dealt, groups, 3, 5))))
    drawn = np.asarray(information(labels[orders]))
    found = float(quick(expected_information, static_argnums=2)(sizes, histogram, 20))
    assert abs(drawn.mean() - found) < 4 * drawn.std() / np.sqrt(4000)
    np.testing.assert_allclose(entropy([1, 1, 2, 0]), 1.5)


def test_messages_are_the_same_where_their_contents_are():
    messages = [[1, 0, 2], [1, 2, 0], [1, 0, 3], [0, 1, 1], [0, 0, 0]]
    np.testing.assert_array_equal(message_groups(messages), [0, 1, 0, 3, 3])


# Single precision, batches, refusals


def test_one_language_in_single_precision_gives_what_a_batch_gives():
    attributes, _ = random_language()
    languages = [random_language(seed, LONGEST)[1] for seed in range(4)]
    with jax.enable_x64(False):
        measure = quick(every, static_argnums=2)
        alone = [numbers(measure(attributes, said, 4)) for said in languages]
    for found, single in zip(measured([(attributes, said) for said in languages]), alone, strict=True):
        for name, value in numbers(found).items():
            np.testing.assert_allclose(single[name], value, atol=1e-4, err_msg=name)
            assert single[name].dtype in (np.float32, np.int32)


@pytest.mark.parametrize(
    ("attributes", "messages", "said"),
    [
        ([[0, 4]], [[1, 2]], r"attributes\[0, 1\] = 4: 0 to 3 is needed"),
        ([[0, 1]], [[1, 12]], r"messages\[0, 1\] = 12: 0 to 11 is needed"),
        ([[0, 1]], [[1, -2]], r"messages\[0, 1\] = -2"),
        ([[0, 1]], [[1.5, 2]], "messages: type float64; whole numbers"),
        ([[0, 1]], [1, 2], r"messages: shape \(2,\); \[N, L\]"),
        ([[0, 1], [1, 1]], [[1, 2]], "messages: 1 rows; 2 meanings need one each"),
        (np.zeros((0, 2), int), np.zeros((0, 2), int), r"attributes: shape \(0, 2\)"),
    ],
)
def test_what_is_not_a_language_is_named(attributes, messages, said):
    for measure in (bag_disentanglement, tree_reconstruction_error, concept_best_match, context_independence):
        sizes = (12,) if measure is bag_disentanglement else (4, 12)
        if "attributes[" in said.replace("\\", "") and measure is bag_disentanglement:
            continue
        with pytest.raises(ParameterError, match=said):
            measure(np.array(attributes), np.array(messages), *sizes)


def test_unknown_words_are_answered_with_the_nearest():
    with pytest.raises(ParameterError, match=r"message = 'edit-normalized'.*did you mean 'edit-normalised'"):
        topographic_similarity(*random_language(), 4, message="edit-normalized")
    with pytest.raises(ParameterError, match=r"messages\[\d+, \d+\] = 6: 0 to 5"):
        bag_disentanglement(*random_language(), 6)


def test_symbols_beyond_the_vocabulary_are_named():
    with pytest.raises(ParameterError, match="messages: symbols from 0 to 3; 0 to 2 needed"):
        one_hot_positions([[1, 3], [2, 0]], 3)
