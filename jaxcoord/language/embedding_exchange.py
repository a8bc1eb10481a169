"""Agents who exchange vectors instead of words: their code keeps its geometry while an old reader loses the thread."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxcoord.errors import ParameterError
from jaxcoord.language import channels, learning
from jaxcoord.language.comprehension import comprehension
from jaxcoord.language.drift import descend
from jaxcoord.language.optimisers import adam
from jaxcoord.language.probes import logistic_probabilities, logistic_probe, probe_score
from jaxcoord.language.representation import linear_cka, squared_distances
from jaxcoord.language.sentences import sentence_codebook
from jaxcoord.model import Model, observable, param, static

Array = jax.Array
COPIES = 20  # noisy copies of every meaning that all readers are tested on
LESSONS = 20  # as many others, which a probe learns from
SCHOOL_RATE = 1e-2  # of Adam, for a listener who learns the human code
PENALTY = 0.01  # of the probe
LENGTH = 2.0  # of a human vector
TURNS = 80  # of the iteration for the nearest rotation
INSIDE = 0.25  # how far a human code of levels stays within its outermost ones, in levels


def human_codebook(meanings: int, dimensions: int) -> np.ndarray:
    """`[M, D]`: a vector of length 2 for every meaning, the same for ever.

    The first 2 D are orthogonal or opposite, as far apart as so many vectors can be; the others point in directions
    drawn once. All are turned at random together, so that no number of a vector means anything by itself.
    Raises: ParameterError where two meanings would share a vector: in one dimension there are two of a length.
    """
    if dimensions == 1 and meanings > 2:
        raise ParameterError(
            f"dimensions = 1: two vectors of a length for {meanings} meanings, more values than the embedding can tell "
            "apart; at least 2 dimensions are needed"
        )
    axes = np.stack([np.eye(dimensions), -np.eye(dimensions)], 1).reshape(-1, dimensions)
    drawn = np.random.default_rng(0).normal(size=(dimensions + meanings, dimensions))
    turn, others = np.linalg.qr(drawn[:dimensions])[0], drawn[dimensions:]
    others = others / np.linalg.norm(others, axis=1, keepdims=True)
    return LENGTH * np.concatenate([axes @ turn, others])[:meanings]


def human_levels(meanings: int, dimensions: int, levels: int) -> np.ndarray:
    """`[M, D]`: a code of levels for every meaning, evenly spread over all codes, as `finite_scalar_quantise` gives it.

    The code of meaning m has the digits of m L^D // M, base L, the first coordinate counting fastest.
    Raises: ParameterError where there are fewer codes than meanings.
    """
    number = np.arange(meanings) * _enough("levels", levels, levels**dimensions, meanings) // meanings
    digits = number[:, None] // levels ** np.arange(dimensions) % levels
    return 2 * digits / (levels - 1) - 1


def unsqueezed(code: Any, levels: int) -> Array:
    """What a scalar quantiser takes to a code of levels, well within the outermost, where it has a derivative."""
    return jnp.arctanh(jnp.asarray(code, float) * (1 - INSIDE * 2 / (levels - 1)))


def _enough(name: str, value: int, codes: int, meanings: int) -> int:
    if codes < meanings:
        raise ParameterError(
            f"{name} = {value}: {codes} codes for {meanings} meanings, more values than the embedding can tell apart"
        )
    return codes


class Alignment(NamedTuple):
    """What best turns one code into another: x to (x - offset) turn scale + target (see `align`)."""

    offset: Array
    """`[D]`."""
    turn: Array
    """`[D, D]`: a rotation, or a reflection."""
    scale: Array
    """`[]`."""
    target: Array
    """`[D]`."""

    def __call__(self, vectors: Array) -> Array:
        return (vectors - self.offset) @ self.turn * self.scale + self.target


def align(now: Any, before: Any) -> Alignment:
    """The rotation or reflection, scale and shift that bring labelled vectors nearest to those of the old code.

    The turn is the orthogonal factor U of the polar form of Xc' Yc, by U <- (3 U - U U' U) / 2.

    Args: `now`, `before`: `[N, D]` each, the vectors of the same N meanings.
    Returns: an `Alignment`; directions in which one of the codes does not vary are dropped.
    Source: Schönemann 1966 (the problem); Björck & Bowie 1971 (the iteration).
    """
    now, before = jnp.asarray(now, float), jnp.asarray(before, float)
    offset, target = now.mean(0), before.mean(0)
    first, second = now - offset, before - target
    cross = first.T @ second
    size = jnp.linalg.norm(cross)
    start = cross / jnp.where(size > 0, size, 1)
    turn = jax.lax.fori_loop(0, TURNS, lambda _, u: 1.5 * u - 0.5 * u @ (u.T @ u), start)
    spread = (first**2).sum()
    return Alignment(offset, turn, (turn * cross).sum() / jnp.where(spread > 0, spread, 1), target)


def nearest(vectors: Array, prototypes: Array) -> Array:
    """`[N]` int32: which prototype `[K, D]` is nearest to each vector `[N, D]`, of equally near ones the first."""
    return jnp.argmin(squared_distances(vectors, prototypes), 1).astype(jnp.int32)


class Exchange(NamedTuple):
    """A speaker and a listener who share a code of vectors."""

    agents: Any
    """`speaker` `[M, D]`, `codebook` `[K, D]` of the channel, and the listener's `layers`, weights and biases."""
    optimiser: Any
    """What Adam remembers of them."""
    step: Array


class EmbeddingExchange(Model):
    """A pair starts with a human code of vectors and goes on by itself; can those who know the human code follow?

    The speaker has a vector for each meaning, the listener names the meaning of a noisy one, having been to school
    with the human code. A step is `updates` updates by Adam of the mean cross-entropy (plus a cost of energy), in each
    of which every meaning is sent `samples` times; gradients pass the channel. Channels: `vector`, D numbers;
    `prototype`, the nearest of K learned code vectors; `scalar`, D numbers of L levels each. The noise comes after the
    quantiser. Nothing in the task holds a code of vectors in place, since it serves as well when turned; learners who
    are unsteady (`wander`) let it turn on and on, while cost and noise hold its geometry. Steady ones hardly do.

    The frozen reader takes the nearest of the human vectors; the aligned one does so after the best turn, stretch and
    shift, found from one clean vector of each meaning. What the one loses and the other does not is a private code as
    rich as the old one; what both lose is recoded.
    Source: Kornblith et al. 2019 (CKA); van den Oord et al. 2017 and Mentzer et al. 2023 (the quantisers).
    """

    learning_rate: float = param(0.03, doc="step size of Adam", low=0, high=10)
    noise: float = param(0.5, doc="s, standard deviation of what the channel adds to each number", low=1e-3)
    energy_cost: float = param(0.1, doc="lambda: lost per squared length of what is sent", unit="nats", low=0)
    wander: float = param(0.05, doc="standard deviation of what an update adds at random to each number of the code",
                          low=0)  # fmt: skip
    channel: str = static("vector", doc="what can be sent", choices=("vector", "prototype", "scalar"))
    human: str = static(
        "axes", doc="what people send on a `vector` channel: vectors as far apart as can be, or those of English "
        "sentences by a model of sentences, on their main axes (needs the extra `sentences`)",
        choices=("axes", "sentences"),
    )  # fmt: skip
    meanings: int = static(16, doc="M, meanings", low=2, high=10_000)
    dimensions: int = static(8, doc="D, numbers of a vector", low=1, high=1000)
    codes: int = static(32, doc="K, code vectors of a `prototype` channel", low=2, high=10_000)
    levels: int = static(3, doc="L, levels of each number of a `scalar` channel", low=2, high=100)
    hidden: int = static(0, doc="units of the listener's hidden layer; 0: a linear listener", low=0, high=4096)
    samples: int = static(4, doc="times that each meaning is sent in an update", low=1)
    school: int = static(300, doc="updates by which the listener learns the human code", low=1)
    updates: int = static(100, doc="updates in a step", low=1)

    task_accuracy = observable(doc="share of noisy vectors that the listener understands")
    frozen_accuracy = observable(doc="share that a reader takes rightly who looks for the nearest human vector")
    comprehension = observable(doc="C_acc of that reader: 1 always right, 0 chance, below 0 misled")
    cka = observable(doc="linear CKA of the vectors sent and the human ones; undefined where all are alike",
                     undefined=True)  # fmt: skip
    aligned_accuracy = observable(doc="share that it takes rightly after turning, stretching and shifting")
    linear_probe = observable(doc="share that a linear probe reads rightly, which learned from other noisy vectors")
    power = observable(doc="mean squared length of what is sent")
    bits = observable(doc="what the channel can carry at this power, or with so many codes", unit="bits")
    distinct = observable(doc="different vectors sent over meanings")

    def __post_init__(self):
        super().__post_init__()
        if self.human == "sentences" and self.channel != "vector":
            raise ParameterError(f"{self.registered_name}.human = 'sentences': needs channel = 'vector'")
        self._human()

    def _human(self) -> np.ndarray:
        """`[M, D]`: what people send."""
        try:
            if self.human == "sentences":
                return sentence_codebook(self.meanings, self.dimensions, LENGTH)
            if self.channel == "scalar":
                return human_levels(self.meanings, self.dimensions, self.levels)
            if self.channel == "prototype":
                _enough("codes", self.codes, self.codes, self.meanings)
            return human_codebook(self.meanings, self.dimensions)
        except ParameterError as error:
            raise ParameterError(f"{self.registered_name}.{error}") from None

    @property
    def agents(self) -> int:
        """Vectors sent in a step, which is what it costs."""
        return self.meanings * self.samples * self.updates

    def _listener(self, key: Array) -> list[tuple[Array, Array]]:
        sizes = [self.dimensions, *[self.hidden] * (self.hidden > 0), self.meanings]
        return [
            (jax.random.uniform(jax.random.fold_in(key, at), (n, m), minval=-1, maxval=1) * n**-0.5, jnp.zeros(m))
            for at, (n, m) in enumerate(pairwise(sizes))
        ]

    def _send(self, agents: Any) -> tuple[Array, Array]:
        """What enters the line for each meaning `[M, D]`, and the loss of the quantiser."""
        if self.channel == "prototype":
            found = channels.vector_quantise(agents["speaker"], agents["codebook"])
            return found.values, found.loss
        if self.channel == "scalar":
            return channels.finite_scalar_quantise(agents["speaker"], [self.levels] * self.dimensions)[0], jnp.zeros(())
        return agents["speaker"], jnp.zeros(())

    def _received(self, key: Array, code: Array, copies: int) -> Array:
        """`[copies * M, D]`: what arrives of a code sent so many times."""
        return channels.vector_noise(key, jnp.tile(code, (copies, 1)), self.noise)

    def _lost(self, layers: Any, received: Array) -> Array:
        """Mean cross-entropy of the listener, nats."""
        meant = jnp.tile(jnp.arange(self.meanings), len(received) // self.meanings)
        return learning.reconstruction_loss(_read(layers, received)[:, None], meant[:, None]).mean()

    def init(self, key: Array) -> Exchange:
        """Both use the human code, the listener after school."""
        code = jnp.asarray(self._human(), float)
        speaker = unsqueezed(code, self.levels) if self.channel == "scalar" else code
        codebook = jnp.zeros((0, self.dimensions))
        if self.channel == "prototype":
            codebook = jnp.asarray(human_codebook(self.codes, self.dimensions), float)

        def lesson(carry: tuple[Any, Any], number: Array) -> tuple[tuple[Any, Any], None]:
            received = self._received(jax.random.fold_in(key, 2 + number), code, self.samples)
            taught = lambda layers: (self._lost(layers, received), None)  # noqa: E731
            return descend(taught, SCHOOL_RATE, *carry)[:2], None

        layers = self._listener(jax.random.fold_in(key, 0))
        (layers, _), _ = jax.lax.scan(lesson, (layers, adam().init(layers)), jnp.arange(self.school))
        agents = {"speaker": speaker, "codebook": codebook, "layers": layers}
        return Exchange(agents, adam().init(agents), jnp.zeros((), jnp.int32))

    def step(self, state: Exchange, key: Array) -> Exchange:
        def objective(agents: Any, at: Array) -> tuple[Array, None]:
            code, quantised = self._send(agents)
            lost = self._lost(agents["layers"], self._received(at, code, self.samples))
            return lost + quantised + channels.energy_cost(code, self.energy_cost).mean(), None

        def update(carry: tuple[Any, Any], number: Array) -> tuple[tuple[Any, Any], None]:
            at = jax.random.fold_in(key, number)
            agents, optimiser, _ = descend(objective, self.learning_rate, *carry, jax.random.fold_in(at, 0))
            return (self._strayed(agents, jax.random.fold_in(at, 1)), optimiser), None

        (agents, optimiser), _ = jax.lax.scan(update, (state.agents, state.optimiser), jnp.arange(self.updates))
        agents["layers"] = learning.unless_diverged(agents["layers"])
        return Exchange(agents, optimiser, state.step + 1)

    def _strayed(self, agents: Any, key: Array) -> Any:
        """Agents whose code went astray a little: the channel's code vectors if it has any, else the speaker's."""
        name = "codebook" if self.channel == "prototype" else "speaker"
        return agents | {name: channels.vector_noise(key, agents[name], self.wander)}

    def observe(self, state: Exchange) -> dict[str, Array]:
        human, code = jnp.asarray(self._human(), float), self._send(state.agents)[0]
        received = self._received(jax.random.key(0), code, COPIES + LESSONS)
        meant = jnp.tile(jnp.arange(self.meanings), COPIES + LESSONS)
        tested = jnp.arange(meant.size) < COPIES * self.meanings
        probe = logistic_probe(received, meant, self.meanings, PENALTY, ~tested)
        exam, answers = received[: COPIES * self.meanings], meant[: COPIES * self.meanings]
        frozen = nearest(exam, human)
        power = (code**2).sum(1).mean()
        if self.channel == "vector":
            bits = channels.gaussian_capacity(power / self.dimensions, self.noise, self.dimensions)
        else:
            levels = [self.codes] if self.channel == "prototype" else [self.levels] * self.dimensions
            bits = channels.quantised_capacity(levels)
        return {
            "task_accuracy": (jnp.argmax(_read(state.agents["layers"], exam), 1) == answers).mean(),
            "frozen_accuracy": (frozen == answers).mean(),
            "comprehension": comprehension(answers, jax.nn.one_hot(frozen, self.meanings)).score,
            "cka": linear_cka(code, human),
            "aligned_accuracy": (nearest(align(code, human)(exam), human) == answers).mean(),
            "linear_probe": probe_score(logistic_probabilities(probe, received), meant, tested).accuracy,
            "power": power,
            "bits": bits,
            "distinct": 1 - jnp.triu((code[:, None] == code[None]).all(-1), 1).any(0).mean(),
        }


def _read(layers: list[tuple[Array, Array]], received: Array) -> Array:
    """`[n, M]`: logits of a listener of one or two layers for vectors `[n, D]`."""
    for weights, bias in layers[:-1]:
        received = jax.nn.relu(received @ weights + bias)
    return received @ layers[-1][0] + layers[-1][1]
