"""Meanings, codes made by hand, and people who slip."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import assert_frequencies

from jaxcoord.errors import ParameterError
from jaxcoord.language import world
from jaxcoord.language.distance import topographic_similarity
from jaxcoord.language.structure import positional_disentanglement


def test_meanings_are_all_there_once():
    meanings = world.all_meanings(3, 4)
    assert meanings.shape == (64, 3)
    assert len({tuple(row) for row in meanings}) == 64
    assert meanings[1].tolist() == [0, 0, 1]
    assert np.asarray(world.one_hots(jnp.asarray(meanings), 4)).sum(1).tolist() == [3] * 64
    with pytest.raises(ParameterError, match="1048576|4\\^10"):
        world.all_meanings(10, 4)


@pytest.mark.slow
def test_codes_by_hand_are_what_their_names_say():
    meanings = world.all_meanings(2, 6)
    code = world.compositional_code(2, 6)
    mixed = world.holistic_code(jax.random.key(0), code)
    assert sorted(map(tuple, np.asarray(mixed))) == sorted(map(tuple, code))
    similarity = [float(topographic_similarity(meanings, x, 6)) for x in (code, mixed)]
    parts = [float(positional_disentanglement(meanings, x)) for x in (code, mixed)]
    assert similarity[0] == pytest.approx(1, abs=1e-6)
    assert parts[0] == pytest.approx(1, abs=1e-6)
    assert abs(similarity[1]) < 4 / 6
    assert parts[1] < 0.5
    drawn = np.asarray(world.random_code(jax.random.key(1), 500, 3, 7))
    assert drawn.min() == 1
    assert drawn.max() == 6


def decoded(message, attributes):
    """What a person hears in a message without slips: attribute to value."""
    heard = {}
    for marker, value in zip(message[::2], message[1::2], strict=False):
        heard[marker - 1] = value - 1 - attributes
    return heard


def test_a_vocabulary_of_the_end_alone_says_nothing():
    with pytest.raises(ParameterError, match="vocabulary = 1: at least 2"):
        world.random_code(jax.random.key(0), 3, 2, 1)


def test_people_who_do_not_slip_say_markers_and_values():
    code = world.human_code(3, 4, 8)
    meanings = world.all_meanings(3, 4)
    assert all(decoded(said[:6], 3) == dict(enumerate(meant)) for said, meant in zip(code, meanings, strict=True))
    said = world.speak_human(jax.random.key(2), jnp.asarray(meanings), 8, 16, world.People(0, 0, 0))
    np.testing.assert_array_equal(said, code)
    said = np.asarray(world.speak_human(jax.random.key(3), jnp.asarray(meanings), 8, 16, world.People(1, 0, 0)))
    assert all(decoded(row[:6], 3) == dict(enumerate(meant)) for row, meant in zip(said, meanings, strict=True))
    orders = np.array([row[:6:2] for row in said])
    assert len({tuple(row) for row in orders}) == 6
    with pytest.raises(ParameterError, match="6 symbols"):
        world.human_code(3, 4, 5)


def test_slips_are_as_frequent_as_they_should_be():
    meanings = jnp.zeros((20_000, 3), int)
    said = np.asarray(world.speak_human(jax.random.key(4), meanings, 8, 16, world.People(0.2, 0.15, 0)))
    length = (said > 0).sum(1)
    kept = [0.15**3, 3 * 0.85 * 0.15**2, 3 * 0.85**2 * 0.15, 0.85**3]
    assert_frequencies(np.bincount(length, minlength=7)[3:7], kept)
    whole = said[length == 6]
    in_order = (whole[:, :6:2] == [1, 2, 3]).all(1)
    assert_frequencies([in_order.sum(), (~in_order).sum()], [0.8 + 0.2 / 6, 0.2 * 5 / 6])
    said = np.asarray(world.speak_human(jax.random.key(5), meanings, 8, 16, world.People(0, 0, 0.1)))
    wrong = said[:, :6] != world.human_code(3, 4, 8)[0, :6]
    assert_frequencies([wrong.sum(), (~wrong).sum()], [0.1, 0.9])
    assert (said[:, 6:] == 0).all()
    assert (said[:, :6] > 0).all()
