"""Channels: reference cases, capacities by two ways, noise with the stated frequencies, quantisers and derivatives."""

import json
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import DATA, assert_frequencies
from scipy import stats

from jaxcoord.errors import ParameterError
from jaxcoord.language import channels, information

KEY = jax.random.key(0)
CASES = json.loads((DATA / "communication_cases.json").read_text())["deterministic"]

# These programs run once or twice.
quick = partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
symmetric = quick(channels.symmetric_channel, static_argnums=0)
capacity_of = quick(channels.channel_capacity)
quantise = quick(channels.vector_quantise)
scalar = quick(channels.finite_scalar_quantise, static_argnums=1)
replace = quick(channels.symmetric_noise, static_argnums=2)
erase = quick(channels.erasure_noise, static_argnums=2)


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def of(op):
    """The reference cases of an operation."""
    found = [case for case in CASES if case["op"] == op]
    assert found, op
    return found


def close(case, **found):
    """Every named number is the case's, within its own tolerance."""
    for name, value in found.items():
        np.testing.assert_allclose(value, case["expected"][name], case["rtol"], case["atol"], err_msg=case["id"])


# Reference cases


def test_symmetric_channels_equal_reference():
    for case in of("symmetric_channel"):
        found = symmetric(case["inputs"]["n_symbols"], case["inputs"]["error"])
        assert set(case["expected"]) == {
            "capacity_bits", "erasure_capacity_bits", "repetition3_success", "two_symbol_message_success"
        }  # fmt: skip
        close(case, capacity_bits=found.capacity, erasure_capacity_bits=found.erasure_capacity,
              repetition3_success=found.repetition, two_symbol_message_success=found.pair)  # fmt: skip


def test_capacities_equal_reference():
    for case in of("channel_capacity"):
        capacity, share = capacity_of(np.array(case["inputs"]["transition"]))
        close(case, capacity_bits=capacity)
        assert float(share.sum()) == pytest.approx(1)


def test_quantised_vectors_equal_reference():
    for case in of("vector_quantise"):
        found = quantise(*(np.array(case["inputs"][name]) for name in ("vectors", "codebook")))
        close(case, codes=found.codes, mean_squared_error=found.distance, perplexity=found.perplexity,
              usage=found.usage)  # fmt: skip


# Capacities


def test_search_for_a_capacity_finds_the_closed_forms():
    symbols, error = 4, 0.3
    closed = symmetric(symbols, error)
    capacity, share = capacity_of(channels.symmetric_matrix(symbols, error))
    assert float(capacity) == pytest.approx(float(closed.capacity), abs=1e-9)
    np.testing.assert_allclose(share, 1 / symbols)
    erasure, _ = capacity_of(channels.erasure_matrix(symbols, error))
    assert float(erasure) == pytest.approx(float(closed.erasure_capacity), abs=1e-9)


def test_an_input_that_only_confuses_is_not_used():
    """The Z channel with e = 1/2 has capacity log2(5/4) at p = 2/5; a useless third input is left alone."""
    capacity, share = capacity_of(np.array([[1, 0], [0.5, 0.5], [0.75, 0.25]]))
    assert float(capacity) == pytest.approx(np.log2(1.25), abs=1e-6)
    np.testing.assert_allclose(share, [0.6, 0.4, 0], atol=1e-3)


def test_gaussian_capacity_is_that_of_its_binary_detection_from_above():
    assert float(channels.gaussian_capacity(3.0, 1.0, dimensions=8)) == pytest.approx(8.0)
    assert float(channels.gaussian_capacity(0.0, 1.0)) == 0
    # Two levels +-1 read by their sign are a symmetric channel with e = Phi(-1/s), and carry less.
    for noise in (0.5, 1.0, 3.0):
        wrong = stats.norm.cdf(-1 / noise)
        assert float(symmetric(2, wrong).capacity) < float(channels.gaussian_capacity(1.0, noise))


def test_quantised_capacity_counts_codes():
    assert float(channels.quantised_capacity(16)) == pytest.approx(4)
    assert float(channels.quantised_capacity([8, 5, 5])) == pytest.approx(np.log2(200))


# Messages and noise


def test_what_follows_the_end_does_not_count():
    clean, dirty = [[3, 1, 0, 0], [0, 0, 0, 0], [1, 2, 3, 4]], [[3, 1, 0, 4], [0, 1, 2, 3], [1, 2, 3, 4]]
    np.testing.assert_array_equal(information.contents(dirty), clean)
    np.testing.assert_array_equal(information.message_length(dirty), [2, 0, 4])
    np.testing.assert_array_equal(information.message_length(channels.cap(dirty, 2)), [2, 0, 2])
    np.testing.assert_array_equal(channels.cap(dirty, 9), dirty)
    np.testing.assert_allclose(channels.length_cost(dirty, 0.1), [0.2, 0, 0.4])
    np.testing.assert_allclose(channels.energy_cost([[3.0, 4.0]], 0.1), [2.5])


def test_a_cap_and_a_cost_are_traced():
    cut = jax.jit(lambda c: information.message_length(channels.cap(jnp.array([[1, 2, 3]]), c)))
    assert [int(cut(c)[0]) for c in (0, 1, 3)] == [0, 1, 3]
    assert cut._cache_size() == 1


def test_noise_has_the_frequencies_of_its_matrix():
    error, vocabulary = 0.3, 5
    sent = jnp.tile(jnp.array([1, 2, 3, 4, 0, 3]), (20_000, 1))
    heard = np.asarray(replace(KEY, sent, vocabulary, error))
    assert not heard[:, 4:].any()  # the end stays the end, and what followed it is gone
    law = np.asarray(channels.symmetric_matrix(vocabulary - 1, error))
    for place in range(4):
        counts = np.bincount(heard[:, place], minlength=vocabulary)
        assert_frequencies(counts, np.append(0, law[place]))
    erased = np.asarray(erase(KEY, sent, 9, error))
    law = np.asarray(channels.erasure_matrix(4, error))
    for place in range(4):
        counts = np.bincount(erased[:, place], minlength=10)[[1, 2, 3, 4, 9]]
        assert_frequencies(counts, law[place])
    # Errors at two places are independent.
    both = ((heard[:, 0] != 1) & (heard[:, 1] != 2)).sum()
    assert_frequencies([both, len(heard) - both], [error**2, 1 - error**2])


def test_noise_is_the_same_for_symbols_of_any_type():
    said = np.arange(1, 200)[None]
    for kind in (np.uint8, np.int16, np.int64):
        np.testing.assert_array_equal(
            channels.symmetric_noise(KEY, said.astype(kind), 200, 1.0), channels.symmetric_noise(KEY, said, 200, 1.0)
        )


def test_what_is_lost_closes_up_and_is_lost_as_often_as_said():
    message = np.array([1, 2, 3, 4, 0, 9])
    number = 4000
    said = np.tile(message, (number, 1))
    places = channels.deletion_places(jax.random.key(3), said, 0.3)
    heard = np.asarray(channels.closed_up(said, places))
    for row in heard[:200]:
        left = row[: np.argmin(row)]
        assert (np.diff(left) > 0).all(), "in order"
        assert set(left) <= {1, 2, 3, 4}, "nothing new"
        assert not row[len(left) :].any()
    for symbol in range(1, 5):
        assert abs((heard == symbol).any(1).mean() - 0.7) < 4 * np.sqrt(0.21 / number)
    hot = np.asarray(channels.moved(jax.nn.one_hot(said, 10), places))
    np.testing.assert_array_equal(np.asarray(information.contents(hot.argmax(-1))), heard)
    np.testing.assert_allclose(hot.sum(-1), 1)


def test_noise_at_its_ends():
    sent = jnp.array([[1, 2, 3, 0, 0]])
    for noisy in (replace(KEY, sent, 4, 0.0), erase(KEY, sent, 9, 0.0)):
        np.testing.assert_array_equal(noisy, sent)
    assert not (replace(KEY, sent, 4, 1.0)[:, :3] == sent[:, :3]).any()
    np.testing.assert_array_equal(erase(KEY, sent, 9, 1.0), [[9, 9, 9, 0, 0]])
    noisy = quick(channels.vector_noise)(KEY, jnp.zeros((200, 200)), 0.7)
    assert float(noisy.std()) == pytest.approx(0.7, rel=0.02)  # four standard errors of 40,000 numbers


# Quantisers


def test_a_derivative_passes_a_quantiser_and_the_loss_moves_both_sides():
    vectors, codebook = np.random.default_rng(0).normal(size=(7, 3)), np.random.default_rng(1).normal(size=(4, 3))
    weights = np.random.default_rng(2).normal(size=(7, 3))
    through = quick(jax.grad(lambda z: (channels.vector_quantise(z, codebook).values * weights).sum()))(vectors)
    np.testing.assert_allclose(through, weights)
    found = quantise(vectors, codebook)
    np.testing.assert_allclose(found.values, codebook[np.asarray(found.codes)], rtol=1e-12)
    assert float(found.loss) == pytest.approx(1.25 * float(found.distance))
    slopes = jax.grad(lambda e, z: channels.vector_quantise(z, e).loss, (0, 1))
    of_codes, of_vectors = quick(slopes)(codebook, vectors)
    apart = vectors - codebook[np.asarray(found.codes)]
    np.testing.assert_allclose(of_vectors, 0.25 * 2 * apart / 7, rtol=1e-10)
    expected = np.zeros((4, 3))
    np.add.at(expected, np.asarray(found.codes), -2 * apart / 7)
    np.testing.assert_allclose(of_codes, expected, rtol=1e-10, atol=1e-15)


def test_every_code_vector_is_its_own_code():
    codebook = np.random.default_rng(3).normal(size=(6, 4))
    found = quantise(codebook, codebook)
    np.testing.assert_array_equal(found.codes, np.arange(6))
    assert float(found.distance) == pytest.approx(0, abs=1e-12)
    assert float(found.perplexity) == pytest.approx(6)


def test_finite_scalar_quantisation_reaches_every_level_evenly():
    levels = (2, 3, 4, 5)
    grid = np.linspace(-9, 9, 2001)
    values = np.asarray(scalar(np.repeat(grid[:, None], 4, 1), levels)[0])
    for place, count in enumerate(levels):
        np.testing.assert_allclose(np.unique(np.round(values[:, place], 9)), np.linspace(-1, 1, count), atol=1e-9)
        assert (np.diff(values[:, place]) >= -1e-12).all()


def test_finite_scalar_codes_are_one_to_one_and_a_derivative_passes():
    levels = (2, 3, 4)
    vectors = np.random.default_rng(4).normal(scale=2.0, size=(2000, 3))
    values, codes = (np.asarray(x) for x in scalar(vectors, levels))
    distinct = {tuple(row) for row in np.round(values, 6).tolist()}
    pairs = {(int(code), *row) for code, row in zip(codes, np.round(values, 6).tolist(), strict=True)}
    assert set(np.asarray(codes).tolist()) == set(range(24))
    assert len(distinct) == len(pairs) == 24
    slope = quick(jax.grad(lambda z: channels.finite_scalar_quantise(z, levels)[0].sum()))(vectors[:5])
    np.testing.assert_allclose(slope, 1 - np.tanh(vectors[:5]) ** 2, rtol=1e-10)


# Refusals


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: channels.symmetric_noise(KEY, [[1]], 2, 0.1), "vocabulary = 2: out of range; allowed: 3"),
        (lambda: channels.symmetric_noise(KEY, [[1]], 4, 1.1), "error = 1.1: a probability"),
        (lambda: channels.symmetric_channel(1, 0.1), "symbols = 1"),
        (lambda: channels.channel_capacity([[0.5, 0.4]]), r"transition\[0\]: sums to 0.9"),
        (lambda: channels.channel_capacity([0.5, 0.5]), r"transition: shape \(2,\)"),
        (lambda: channels.gaussian_capacity(1.0, 0.0), "noise = 0: a standard deviation above 0"),
        (lambda: channels.vector_quantise(np.ones((3, 2)), np.ones((4, 3))), r"codebook: shape \(4, 3\)"),
        (lambda: channels.finite_scalar_quantise(np.ones((3, 2)), [4]), "levels: 1 for vectors"),
        (lambda: channels.finite_scalar_quantise(np.ones(2), [1, 4]), "levels = 1"),
        (lambda: channels.finite_scalar_quantise(np.ones(2), [2**16, 2**15]), "less than 2\\*\\*31"),
    ],
)
def test_what_is_not_allowed_is_named(call, said):
    with pytest.raises(ParameterError, match=said):
        call()
