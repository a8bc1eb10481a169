"""English sentences as a human code."""

import sys

import jax
import numpy as np
import pytest

from jaxcoord.errors import ParameterError
from jaxcoord.language import sentences
from jaxcoord.language.embedding_exchange import EmbeddingExchange


@pytest.mark.parametrize("meanings", [1, 7, 16, 144])
def test_every_meaning_has_a_sentence_and_a_paraphrase(meanings):
    for said in (sentences.sentences(meanings), sentences.paraphrases(meanings)):
        assert len(set(said)) == len(said) == meanings
    for plain, other in zip(sentences.sentences(meanings), sentences.paraphrases(meanings), strict=True):
        assert set(plain.lower().split()[1:3]) < set(other.lower().rstrip(".").split()), "the same words matter"


def test_refusals_are_one_line(monkeypatch):
    with pytest.raises(ParameterError, match="meanings = 145: from 1 to 144 can be said in sentences"):
        sentences.sentences(145)
    monkeypatch.setitem(sys.modules, "wordllama", None)
    sentences._model.cache_clear()
    with pytest.raises(ParameterError) as refused:
        EmbeddingExchange(human="sentences", meanings=5)
    assert 'embedding-exchange.human = "sentences": the package wordllama is needed' in str(refused.value)
    with pytest.raises(ParameterError, match="needs channel = 'vector'"):
        EmbeddingExchange(human="sentences", channel="scalar")


@pytest.mark.peers
def test_paraphrases_mean_the_same():
    """The model takes every paraphrase to be nearest to its own sentence."""
    plain, other = (sentences.embedded(f(sentences.MOST)) for f in (sentences.sentences, sentences.paraphrases))
    np.testing.assert_array_equal((other @ plain.T).argmax(1), np.arange(sentences.MOST))


@pytest.mark.peers
def test_main_axes_keep_the_geometry():
    """With as many axes as sentences, distances are those of the vectors."""
    vectors = sentences.embedded(sentences.sentences(9))
    code = sentences.sentence_codebook(9, 9, 2.0)
    assert (code**2).sum(1).mean() == pytest.approx(4)
    scale = np.sqrt(((vectors - vectors.mean(0)) ** 2).sum(1).mean()) / 2
    np.testing.assert_allclose(scale * code @ code.T, (c := vectors - vectors.mean(0)) @ c.T / scale, atol=1e-6)
    with pytest.raises(ParameterError, match="two of 144 sentences share a vector"):
        sentences.sentence_codebook(144, 1, 2.0)


@pytest.mark.peers
def test_a_pair_begins_with_the_meanings_of_sentences():
    model = EmbeddingExchange(human="sentences", meanings=9, dimensions=6, noise=0.2, school=200)
    seen = model.observe(model.init(jax.random.key(0)))
    assert float(seen["cka"]) == pytest.approx(1, abs=1e-5)
    assert float(seen["frozen_accuracy"]) > 0.95
    assert float(seen["task_accuracy"]) > 0.95
