"""English sentences as a human code: what they mean to a small model of sentences, as vectors.

The model is WordLlama's, which its package brings along; nothing is downloaded. Install it with the extra `sentences`.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from jaxcoord.errors import ParameterError

WHO = ("farmer", "teacher", "doctor", "pilot", "judge", "baker", "soldier", "singer", "miner", "nurse", "clerk", "king")
DOES = ("sells", "paints", "fears", "repairs", "hides", "steals", "loves", "burns", "lends", "cleans", "copies",
        "finds")  # fmt: skip
MOST = len(WHO) * len(DOES)  # meanings that there are sentences for


def sentences(meanings: int) -> list[str]:
    """A sentence for each meaning: who does what, as many of each as it takes, the deed counting fastest.

    Raises: ParameterError where there are more meanings than sentences.
    """
    return ["The {} {} a clock.".format(*words) for words in _words(meanings)]


def paraphrases(meanings: int) -> list[str]:
    """The same said otherwise."""
    return ["It is a clock that this {} {}.".format(*words) for words in _words(meanings)]


def _words(meanings: int) -> list[tuple[str, str]]:
    if not 0 < meanings <= MOST:
        raise ParameterError(f"meanings = {meanings}: from 1 to {MOST} can be said in sentences")
    side = int(np.ceil(np.sqrt(meanings)))
    return [(WHO[m // side], DOES[m % side]) for m in range(meanings)]


def embedded(said: list[str]) -> np.ndarray:
    """`[n, 256]`: the vectors of sentences, of length 1.

    Raises: ParameterError where the model is not installed.
    Source: Miller 2024, WordLlama: token vectors taken from large language models, averaged over a sentence.
    """
    return _model().embed(said, norm=True).astype(float)


@lru_cache
def _model() -> Any:
    try:
        import wordllama
    except ImportError:
        raise ParameterError(
            'human = "sentences": the package wordllama is needed; install it by pip install -e ".[sentences]"'
        ) from None
    # Its own folder as the cache: the tokenizer that it ships is looked for there.
    shipped = Path(wordllama.__file__).parent
    return wordllama.WordLlama.load(cache_dir=shipped, disable_download=True)


@lru_cache
def sentence_codebook(meanings: int, dimensions: int, length: float) -> np.ndarray:
    """`[M, D]`: vectors of the sentences along their D main axes, centred; `length` is their root mean square length.

    Raises: ParameterError where the model is not installed, or two meanings would share a vector.
    """
    vectors = embedded(sentences(meanings))
    vectors = vectors - vectors.mean(0)
    axes = np.linalg.svd(vectors, full_matrices=False)[2][:dimensions]
    axes = axes * np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(1)])[:, None]
    code = np.pad(vectors @ axes.T, ((0, 0), (0, dimensions - len(axes))))
    code *= length / np.sqrt((code**2).sum(1).mean())
    apart = np.linalg.norm(code[:, None] - code, axis=-1) + 10 * length * np.eye(meanings)
    if apart.min() < 1e-3 * length:
        raise ParameterError(
            f"dimensions = {dimensions}: two of {meanings} sentences share a vector, more values than the embedding "
            "can tell apart"
        )
    code.setflags(write=False)
    return code
