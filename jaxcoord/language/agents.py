"""Speakers and listeners: tables, perceptrons and gated recurrent networks that share one interface.

A speaker has `speak` (sample a message), `score` (log-probabilities of given messages) and `say` (the greedy message);
a listener reads messages into logits of meanings. All are Flax modules for one agent: parameters of many agents are
one tree with a leading axis.
"""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxcoord.language import information
from jaxcoord.language.learning import gumbel_softmax

Array = jax.Array
ZERO = nn.initializers.zeros  # see `newborn`
UNROLLED = 5  # messages up to this length have their loops written out: a third faster, and slower to compile


def newborn(module: nn.Module, key: Array, *given: Array, method: str = "__call__") -> Any:
    """Initial parameters of an agent, drawn in one block, which compiles ten times faster than a draw for each.

    Matrices are uniform up to the inverse root of their rows, embeddings ("words") uniform with variance one, biases 0.
    Args: `given`, what the agent's `method` is called with.
    """
    shapes = jax.eval_shape(lambda key: module.init(key, *given, method=method), key)
    named, tree = jax.tree_util.tree_flatten_with_path(shapes)
    matrices = [leaf.size if len(leaf.shape) == 2 else 0 for _, leaf in named]
    coins = jax.random.uniform(key, (sum(matrices),), minval=-1, maxval=1)
    drawn, start = [], 0
    for (path, leaf), size in zip(named, matrices, strict=True):
        scale = 3**0.5 if path[-1].key == "words" else leaf.shape[0] ** -0.5
        drawn.append((scale * coins[start : start + size]).reshape(leaf.shape) if size else jnp.zeros(leaf.shape))
        start += size
    return jax.tree.unflatten(tree, drawn)


class SymbolGRU(nn.Module):
    """A gated recurrent unit that reads symbols. Their embeddings go through the input weights once, not per sample.

    Source: Cho et al. 2014, with the reset gate after the recurrent product, as in cuDNN and PyTorch.
    """

    symbols: int
    embedding: int
    hidden: int

    def setup(self) -> None:
        self.words = self.param("words", ZERO, (self.symbols, self.embedding))
        self.enter = self.param("enter", ZERO, (self.embedding, 3 * self.hidden))
        self.recur = self.param("recur", ZERO, (self.hidden, 3 * self.hidden))
        self.enter_bias = self.param("enter_bias", ZERO, (3 * self.hidden,))
        self.recur_bias = self.param("recur_bias", ZERO, (3 * self.hidden,))

    def weights(self) -> tuple[Array, Array, Array]:
        """What each symbol does to the gates `[symbols, 3 H]`, the recurrent weights and their bias."""
        return self.words @ self.enter + self.enter_bias, self.recur, self.recur_bias


def advance(gates: Array, state: Array, recur: Array, bias: Array) -> Array:
    """`[n, H]`: the state after a symbol. Args: `gates` `[n, 3 H]` of the symbol; `state` `[n, H]`."""
    return gated(gates, state @ recur + bias, state)


@jax.custom_vjp
def gated(outer: Array, inner: Array, state: Array) -> Array:
    """`[n, H]`: z h + (1 - z) tanh(o + r i), what the gates make of a state.

    Its derivative is written out: left to itself, the compiler computes the gates again for every use, and a
    listener's gradient takes half as long again.
    Args: `outer`, `inner` `[n, 3 H]`, what the symbol and the state do to r, z and the new state; `state` `[n, H]`.
    """
    return _gated(outer, inner, state)[0]


def _gated(outer: Array, inner: Array, state: Array) -> tuple[Array, tuple[Array, ...]]:
    one, two = state.shape[-1], 2 * state.shape[-1]
    reset = jax.nn.sigmoid(outer[:, :one] + inner[:, :one])
    keep = jax.nn.sigmoid(outer[:, one:two] + inner[:, one:two])
    recalled = inner[:, two:]
    new = jnp.tanh(outer[:, two:] + reset * recalled)
    return new + keep * (state - new), (reset, keep, new, recalled, state)


def _back(saved: tuple[Array, ...], by: Array) -> tuple[Array, Array, Array]:
    reset, keep, new, recalled, state = saved
    to_new = by * (1 - keep) * (1 - new**2)
    to_keep = by * (state - new) * keep * (1 - keep)
    to_reset = to_new * recalled * reset * (1 - reset)
    outer = jnp.concatenate([to_reset, to_keep, to_new], 1)
    return outer, jnp.concatenate([to_reset, to_keep, to_new * reset], 1), by * keep


gated.defvjp(_gated, _back)


def draw_symbol(logits: Array, coin: Array) -> Array:
    """`[n]` int32: a symbol by inversion of the distribution's sum. Args: `logits` `[n, K]`; `coin` `[n]` in [0, 1)."""
    symbols = logits.shape[-1]
    weight = jnp.exp(logits - logits.max(-1, keepdims=True))
    total = weight @ jnp.triu(jnp.ones((symbols, symbols), logits.dtype))
    return jnp.minimum((total <= coin[:, None] * total[:, -1:]).sum(-1, dtype=jnp.int32), symbols - 1)


def whole_symbols(weights: Array) -> Array:
    """`[...]` int32: the symbols of one-hot weights `[..., K]`."""
    return (weights @ jnp.arange(weights.shape[-1], dtype=weights.dtype)).round().astype(jnp.int32)


class RecurrentSpeaker(nn.Module):
    """The meaning is the first state; every symbol said is read back before the next."""

    vocabulary: int
    length: int
    hidden: int
    embedding: int

    def setup(self) -> None:
        self.cell = SymbolGRU(self.vocabulary + 1, self.embedding, self.hidden)  # the last word opens a message
        self.understand = nn.Dense(self.hidden)
        self.choose = self.param("choose", ZERO, (self.hidden, self.vocabulary))
        self.choose_bias = self.param("choose_bias", ZERO, (self.vocabulary,))

    def _run(self, inputs: Array, pick: Any, given: Any) -> tuple[Array, Array]:
        """Weights of the symbols said and log-probabilities, `[n, L, K]` both.

        Args: `pick`, from logits `[n, K]` and an entry of `given` to weights `[n, K]`; `given`, arrays `[L, n, ...]`.
        """
        table, recur, bias = self.cell.weights()
        choose, choose_bias = self.choose, self.choose_bias

        def say(carry: tuple[Array, Array], given: Any) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
            state, gates = carry
            state = advance(gates, state, recur, bias)
            logits = state @ choose + choose_bias
            symbol = pick(logits, given)
            return (state, symbol @ table[:-1]), (symbol, logits)

        start = self.understand(inputs)
        opening = jnp.broadcast_to(table[-1], (*start.shape[:-1], table.shape[-1]))
        _, (symbols, logits) = jax.lax.scan(say, (start, opening), given, unroll=self.length <= UNROLLED)
        return symbols.swapaxes(0, 1), jax.nn.log_softmax(logits).swapaxes(0, 1)

    def speak(self, inputs: Array, coins: Array, given: Array | None = None) -> tuple[Array, Array]:
        """Sampled messages `[n, L]`, 0 after the first 0, and log-probabilities `[n, L, K]`.

        Args: `inputs` `[n, D]`; `coins` `[n, L]` uniform; `given` `[n, L]`, symbols to be said instead, -1 for none.
        """

        def sample(logits: Array, at: tuple[Array, Array | None]) -> Array:
            coin, forced = at
            symbol = draw_symbol(jax.lax.stop_gradient(logits), coin)
            if forced is not None:
                symbol = jnp.where(forced < 0, symbol, forced)
            return jax.nn.one_hot(symbol, self.vocabulary)

        symbols, scores = self._run(inputs, sample, (coins.T, None if given is None else given.T))
        return information.contents(whole_symbols(symbols)), scores

    def relax(self, inputs: Array, coins: Array, temperature: Any) -> tuple[Array, Array]:
        """Symbols as straight-through weights and log-probabilities, `[n, L, K]` both, what follows a 0 included.

        Args: `inputs` `[n, D]`; `coins` `[n, L, K]` uniform; `temperature` of the relaxation.
        """
        return self._run(inputs, lambda x, u: gumbel_softmax(x, u, temperature), coins.swapaxes(0, 1))

    def score(self, inputs: Array, messages: Array) -> Array:
        """`[n, L, K]`: log-probabilities of each symbol after those of given `messages` `[n, L]`."""
        return self._run(inputs, lambda _, symbol: jax.nn.one_hot(symbol, self.vocabulary), messages.T)[1]

    def say(self, inputs: Array) -> Array:
        """`[n, L]` int32: the greedy messages, 0 after the first 0."""

        def best(logits: Array, _: Array) -> Array:
            return jax.nn.one_hot(jnp.argmax(logits, -1), self.vocabulary)

        nothing = jnp.zeros((self.length, inputs.shape[0]))
        return information.contents(whole_symbols(self._run(inputs, best, nothing)[0]))


class FlatSpeaker(nn.Module):
    """Chooses all symbols at once: from one hidden layer, or, without one (`hidden` 0), from a table of meanings."""

    vocabulary: int
    length: int
    hidden: int

    @nn.compact
    def logits(self, inputs: Array) -> Array:
        """`[n, L, K]`."""
        if self.hidden:
            inputs = nn.relu(nn.Dense(self.hidden, name="understand")(inputs))
        chosen = nn.Dense(self.length * self.vocabulary, use_bias=bool(self.hidden), name="choose")(inputs)
        return chosen.reshape(-1, self.length, self.vocabulary)

    def speak(self, inputs: Array, coins: Array) -> tuple[Array, Array]:
        """As `RecurrentSpeaker.speak`."""
        logits = self.logits(inputs)
        fixed = jax.lax.stop_gradient(logits).reshape(-1, self.vocabulary)
        symbols = draw_symbol(fixed, coins.reshape(-1)).reshape(coins.shape)
        return information.contents(symbols), jax.nn.log_softmax(logits)

    def score(self, inputs: Array, messages: Array) -> Array:
        """As `RecurrentSpeaker.score`; what was said before does not matter."""
        return jax.nn.log_softmax(self.logits(inputs))

    def say(self, inputs: Array) -> Array:
        """As `RecurrentSpeaker.say`."""
        return information.contents(jnp.argmax(self.logits(inputs), -1).astype(jnp.int32))


class RecurrentListener(nn.Module):
    """Reads symbol after symbol and stands still at the first 0."""

    vocabulary: int
    attributes: int
    values: int
    hidden: int
    embedding: int

    def setup(self) -> None:
        self.cell = SymbolGRU(self.vocabulary, self.embedding, self.hidden)
        self.decide = self.param("decide", ZERO, (self.hidden, self.attributes * self.values))
        self.decide_bias = self.param("decide_bias", ZERO, (self.attributes * self.values,))

    def __call__(self, messages: Array) -> Array:
        """`[n, A, V]` logits. Args: `messages` `[n, L]`."""
        table, recur, bias = self.cell.weights()

        def read(state: Array, at: tuple[Array, Array]) -> tuple[Array, None]:
            symbol, heard = at
            gates = jax.nn.one_hot(symbol, self.vocabulary, dtype=state.dtype) @ table
            return jnp.where(heard[:, None], advance(gates, state, recur, bias), state), None

        each = (messages.T, information.mask(messages).T)
        state, _ = jax.lax.scan(read, self._start(messages), each, unroll=messages.shape[1] <= UNROLLED)
        return self._logits(state)

    def readings(self, symbols: Array) -> Array:
        """`[n, L + 1, A, V]` logits after 0, 1, ..., L symbols, given by weights `[n, L, K]`."""
        gates, recur, bias = self._gates(symbols)

        def read(state: Array, gate: Array) -> tuple[Array, Array]:
            state = advance(gate, state, recur, bias)
            return state, state

        start = self._start(symbols)
        _, states = jax.lax.scan(read, start, gates, unroll=symbols.shape[1] <= UNROLLED)
        return self._logits(jnp.concatenate([start[None], states]).swapaxes(0, 1))

    def _gates(self, symbols: Array) -> tuple[Array, Array, Array]:
        table, recur, bias = self.cell.weights()
        return symbols.swapaxes(0, 1) @ table, recur, bias

    def _start(self, messages: Array) -> Array:
        return jnp.zeros((messages.shape[0], self.hidden), self.decide.dtype)

    def _logits(self, state: Array) -> Array:
        return (state @ self.decide + self.decide_bias).reshape(*state.shape[:-1], self.attributes, self.values)


class FlatListener(nn.Module):
    """Reads all positions at once: through one hidden layer, or, without one (`hidden` 0), by a table of symbols."""

    vocabulary: int
    attributes: int
    values: int
    hidden: int

    @nn.compact
    def __call__(self, messages: Array) -> Array:
        """`[n, A, V]` logits. Args: `messages` `[n, L]`."""
        heard = information.mask(messages)[..., None]
        symbols = jnp.where(heard, jax.nn.one_hot(messages, self.vocabulary), 0).reshape(messages.shape[0], -1)
        if self.hidden:
            symbols = nn.relu(nn.Dense(self.hidden, name="read")(symbols))
        found = nn.Dense(self.attributes * self.values, use_bias=bool(self.hidden), name="decide")(symbols)
        return found.reshape(-1, self.attributes, self.values)


def speaker(kind: str, vocabulary: int, length: int, hidden: int, embedding: int) -> nn.Module:
    """A recurrent speaker, a perceptron, or a table, which sees one-hots of whole meanings, not of attributes."""
    if kind == "recurrent":
        return RecurrentSpeaker(vocabulary, length, hidden, embedding)
    return FlatSpeaker(vocabulary, length, 0 if kind == "table" else hidden)


def listener(kind: str, vocabulary: int, attributes: int, values: int, hidden: int, embedding: int) -> nn.Module:
    """A recurrent listener, a perceptron or a table."""
    if kind == "recurrent":
        return RecurrentListener(vocabulary, attributes, values, hidden, embedding)
    return FlatListener(vocabulary, attributes, values, 0 if kind == "table" else hidden)
