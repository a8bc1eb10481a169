"""Codes of vectors: what people start with, what an alignment restores, and how a private code comes about."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import run

from jaxcoord.errors import ParameterError
from jaxcoord.language import channels, embedding_exchange
from jaxcoord.language.embedding_exchange import EmbeddingExchange, Exchange
from jaxcoord.language.representation import procrustes_disparity

SMALL = EmbeddingExchange(meanings=6, dimensions=3, samples=1, school=2, updates=40, noise=0.4)


def turn(dimensions, seed):
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(dimensions, dimensions)))[0]


@pytest.mark.parametrize(("meanings", "dimensions"), [(2, 1), (5, 3), (16, 8), (40, 4)])
def test_human_vectors_are_as_far_apart_as_they_can_be_while_axes_last(meanings, dimensions):
    code = embedding_exchange.human_codebook(meanings, dimensions)
    np.testing.assert_allclose(np.linalg.norm(code, axis=1), embedding_exchange.LENGTH)
    inner = (code @ code.T)[np.triu_indices(meanings, 1)]
    assert inner.max(initial=-9) < 0.999 * embedding_exchange.LENGTH**2
    if meanings <= 2 * dimensions:
        assert inner.max() < 1e-9


@pytest.mark.parametrize(("meanings", "dimensions", "levels"), [(8, 3, 2), (16, 8, 3), (7, 2, 4), (30, 2, 11)])
def test_human_levels_differ_and_pass_the_quantiser(meanings, dimensions, levels):
    code = embedding_exchange.human_levels(meanings, dimensions, levels)
    assert len(np.unique(code, axis=0)) == meanings
    before = embedding_exchange.unsqueezed(code, levels)
    assert np.isfinite(before).all()
    passed, number = channels.finite_scalar_quantise(before, [levels] * dimensions)
    np.testing.assert_allclose(passed, code, atol=1e-6)
    np.testing.assert_array_equal(number, np.arange(meanings) * levels**dimensions // meanings)


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"channel": "prototype", "codes": 15}, "codes = 15: 15 codes for 16 meanings"),
        ({"channel": "scalar", "levels": 3, "dimensions": 2}, "levels = 3: 9 codes for 16 meanings"),
        ({"dimensions": 1}, "dimensions = 1: two vectors of a length for 16 meanings"),
    ],
)
def test_refuses_more_values_than_the_embedding_can_tell_apart(settings, line):
    with pytest.raises(ParameterError) as refused:
        EmbeddingExchange(**settings)
    assert str(refused.value).startswith(f"embedding-exchange.{line}, more values than the embedding can tell apart")
    assert "\n" not in str(refused.value)


def test_alignment_undoes_turn_stretch_and_shift_and_leaves_the_disparity():
    draw = np.random.default_rng(2)
    align = jax.jit(lambda now, before: embedding_exchange.align(now, before)(now))
    with jax.enable_x64(True):
        before = draw.normal(size=(12, 4))
        mirrored = turn(4, 3) @ np.diag([1, 1, 1, -1])
        for rotation in (turn(4, 3), mirrored):
            moved = 0.3 * before @ rotation + draw.normal(size=4)
            np.testing.assert_allclose(align(moved, before), before, atol=1e-9)
        other = draw.normal(size=(12, 4))
        off = ((np.asarray(align(other, before)) - before) ** 2).sum() / ((before - before.mean(0)) ** 2).sum()
        np.testing.assert_allclose(off, procrustes_disparity(other, before), rtol=1e-9)


@pytest.mark.slow
def test_readers_tell_a_turned_code_from_a_recoded_one():
    human = embedding_exchange.human_codebook(6, 3)
    layers = [(jnp.zeros((3, 6)), jnp.zeros(6))]
    # The first reads its own noisy vectors; a quarter turn takes each axis to the next; the last swaps two meanings
    # that are no opposites, which no turn can do.
    rotation = embedding_exchange.human_codebook(6, 3)[::2] / embedding_exchange.LENGTH
    quarter = rotation.T @ np.roll(rotation, 1, axis=0)
    codes = np.stack([human, human @ quarter, human[[2, 1, 0, 3, 4, 5]]])

    def seen(code):
        agents = {"speaker": code, "codebook": jnp.zeros((0, 3)), "layers": layers}
        return SMALL.observe(Exchange(agents, (), jnp.zeros((), jnp.int32)))

    same, turned, recoded = ({k: v[i] for k, v in jax.jit(jax.vmap(seen))(codes).items()} for i in range(3))
    assert same["frozen_accuracy"] > 0.97
    np.testing.assert_allclose([same["cka"], turned["cka"]], 1, atol=1e-5)
    assert turned["comprehension"] < -0.8  # everything is taken for something else
    assert turned["frozen_accuracy"] < 0.03
    np.testing.assert_allclose(turned["aligned_accuracy"], same["aligned_accuracy"], atol=0.02)
    assert same["aligned_accuracy"] > 0.97
    assert recoded["cka"] < 0.9
    assert recoded["aligned_accuracy"] < 0.97
    for each in (same, turned, recoded):
        assert each["linear_probe"] > 0.95
        np.testing.assert_allclose(each["task_accuracy"], 1 / 6, atol=1e-6)  # a listener who knows nothing
        np.testing.assert_allclose(each["power"], 4, rtol=1e-5)
        np.testing.assert_allclose(each["bits"], 1.5 * np.log2(1 + 4 / 3 / 0.16), rtol=1e-5)
        assert each["distinct"] == 1


@pytest.mark.slow
def test_an_unsteady_code_turns_and_keeps_its_geometry():
    steady, unsteady = run(EmbeddingExchange(wander=0), 6, 150), run(EmbeddingExchange(), 6, 150)
    assert steady["frozen_accuracy"].mean() > 0.85
    assert unsteady["frozen_accuracy"].mean() < 0.7
    assert unsteady["cka"].min() > 0.85
    for seen in (steady, unsteady):
        assert seen["task_accuracy"].min() > 0.9
        assert seen["aligned_accuracy"].min() > 0.9


@pytest.mark.slow
def test_a_code_of_levels_is_recoded_instead():
    seen = run(EmbeddingExchange(channel="scalar"), 6, 60)
    assert seen["task_accuracy"].min() > 0.9
    assert seen["linear_probe"].min() > 0.9
    assert seen["cka"].mean() < 0.7
    assert seen["aligned_accuracy"].mean() < 0.6


def test_energy_has_its_price():
    def power(cost):
        model = dataclasses.replace(SMALL, energy_cost=cost, wander=0)
        state = model.step(model.init(jax.random.key(0)), jax.random.key(1))
        return (state.agents["speaker"] ** 2).sum(1).mean()

    free, dear = jax.jit(jax.vmap(power))(jnp.asarray([0.0, 1.0]))
    assert dear < 0.7 * free
