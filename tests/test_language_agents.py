"""Speakers and listeners: one interface, messages that end once, gradients that arrive, PyTorch's recurrent unit."""

import jax
import jax.numpy as jnp
import jax.test_util
import numpy as np
import pytest

from jaxcoord.language import agents, learning, world

MEANINGS = jnp.asarray(world.all_meanings(2, 3))
INPUTS = world.one_hots(MEANINGS, 3)
LENGTH, VOCABULARY = 4, 6
KINDS = ("recurrent", "perceptron", "table")


def speaker(kind):
    made = agents.speaker(kind, VOCABULARY, LENGTH, 16, 8)
    return made, agents.newborn(made, jax.random.key(0), INPUTS, jnp.zeros((9, LENGTH), int), method="score")


def listener(kind):
    made = agents.listener(kind, VOCABULARY, 2, 3, 16, 8)
    return made, agents.newborn(made, jax.random.key(1), jnp.zeros((9, LENGTH), int))


@pytest.mark.parametrize("kind", KINDS)
def test_speaking_scoring_and_greedy_messages_agree(kind):
    made, weights = speaker(kind)
    coins = jax.random.uniform(jax.random.key(2), (9, LENGTH))
    messages, scores = made.apply(weights, INPUTS, coins, method="speak")
    np.testing.assert_allclose(np.exp(scores).sum(-1), 1, rtol=1e-5)
    ended = np.cumsum(np.asarray(messages) == 0, 1) > 0
    assert (np.asarray(messages)[ended] == 0).all()
    again = made.apply(weights, INPUTS, messages, method="score")
    counts = learning.decided(messages)[..., None]
    np.testing.assert_allclose(jnp.where(counts, again, 0), jnp.where(counts, scores, 0), atol=1e-5)
    greedy = made.apply(weights, INPUTS, method="say")
    score = made.apply(weights, INPUTS, greedy, method="score")
    best = jnp.argmax(score, -1)
    assert jnp.where(learning.decided(greedy), best == greedy, True).all()


def test_symbols_are_drawn_by_their_probabilities():
    logits = jnp.broadcast_to(jnp.log(jnp.array([0.6, 0.3, 0.1])), (30_000, 3))
    drawn = agents.draw_symbol(logits, jax.random.uniform(jax.random.key(3), (30_000,)))
    share = np.bincount(np.asarray(drawn), minlength=3) / 30_000
    assert np.all(np.abs(share - [0.6, 0.3, 0.1]) < 4 * np.sqrt(np.array([0.24, 0.21, 0.09]) / 30_000))
    assert agents.draw_symbol(jnp.array([[0.0, -jnp.inf, -jnp.inf]]), jnp.array([0.999999])).tolist() == [0]


def test_what_is_given_is_said():
    made, weights = speaker("recurrent")
    coins = jax.random.uniform(jax.random.key(4), (9, LENGTH))
    given = jnp.where(jnp.arange(9)[:, None] < 4, -1, jnp.array([2, 5, 1, 0]))
    messages, scores = made.apply(weights, INPUTS, coins, given, method="speak")
    alone, _ = made.apply(weights, INPUTS, coins, method="speak")
    assert (messages[:4] == alone[:4]).all()
    assert (messages[4:] == given[4:]).all()
    np.testing.assert_allclose(scores[4:], made.apply(weights, INPUTS, messages, method="score")[4:], atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_listeners_do_not_hear_what_follows_the_end(kind):
    made, weights = listener(kind)
    one = made.apply(weights, jnp.array([[3, 2, 0, 0], [1, 2, 3, 4], [0, 0, 0, 0]]))
    other = made.apply(weights, jnp.array([[3, 2, 0, 5], [1, 2, 3, 4], [0, 1, 2, 3]]))
    np.testing.assert_array_equal(one, other)
    assert not np.allclose(one[0], one[2])


def test_a_listener_hears_relaxed_symbols_as_it_hears_whole_ones():
    made, weights = listener("recurrent")
    messages = jnp.array([[3, 2, 0, 0], [1, 2, 3, 4], [0, 0, 0, 0]])
    read = made.apply(weights, jax.nn.one_hot(messages, VOCABULARY), method="readings")
    hard = learning.stopping_weights((messages == 0).astype(float))
    np.testing.assert_allclose(jnp.einsum("nt,ntav->nav", hard, read), made.apply(weights, messages), atol=1e-5)


def test_gradients_reach_the_speaker_through_the_channel():
    """A dead channel trains silently: every weight of the speaker feels the listener's loss."""
    made, weights = speaker("recurrent")
    hears, ears = listener("recurrent")
    coins = jax.random.uniform(jax.random.key(5), (9, LENGTH, VOCABULARY))

    def loss(weights):
        symbols, _ = made.apply(weights, INPUTS, coins, 1.0, method="relax")
        at_each = learning.reconstruction_loss(hears.apply(ears, symbols, method="readings"), MEANINGS[:, None])
        return (learning.stopping_weights(symbols[..., 0]) * at_each).sum(-1).mean()

    for path, leaf in jax.tree_util.tree_leaves_with_path(jax.jit(jax.grad(loss))(weights)):
        assert jnp.abs(leaf).max() > 1e-7, jax.tree_util.keystr(path)


def test_the_recurrent_unit_is_the_one_of_the_literature():
    """Gates one by one, from Cho et al. 2014 with the reset after the product."""
    rng = np.random.default_rng(6)
    hidden, inputs, state = 3, rng.normal(size=(2, 9)), rng.normal(size=(2, 3))
    recur, bias = rng.normal(size=(3, 9)), rng.normal(size=9)
    sigmoid = lambda x: 1 / (1 + np.exp(-x))  # noqa: E731
    inner = state @ recur + bias
    reset = sigmoid(inputs[:, :hidden] + inner[:, :hidden])
    update = sigmoid(inputs[:, hidden : 2 * hidden] + inner[:, hidden : 2 * hidden])
    new = np.tanh(inputs[:, 2 * hidden :] + reset * inner[:, 2 * hidden :])
    found = agents.advance(*(jnp.asarray(x, jnp.float32) for x in (inputs, state, recur, bias)))
    np.testing.assert_allclose(found, (1 - update) * new + update * state, rtol=2e-5)


def test_the_derivative_of_the_gates_is_that_of_their_formula():
    """Against differences, in double precision."""
    rng = np.random.default_rng(7)
    with jax.enable_x64(True):
        given = [jnp.asarray(rng.normal(size=shape)) for shape in ((2, 9), (2, 9), (2, 3))]
        jax.test_util.check_grads(agents.gated, given, order=1, modes=["rev"], eps=1e-6, atol=1e-8, rtol=1e-6)


def test_newborns_differ_and_have_the_scale_they_should():
    made, weights = speaker("recurrent")
    other = agents.newborn(made, jax.random.key(9), INPUTS, jnp.zeros((9, LENGTH), int), method="score")["params"]
    words = np.asarray(weights["params"]["cell"]["words"])
    assert abs(words).max() <= 3**0.5
    assert abs(words.var() - 1) < 4 * np.sqrt(0.8 / words.size), "variance of a uniform square is 4/5 of its mean's"
    assert not np.allclose(words, other["cell"]["words"])
    assert abs(np.asarray(weights["params"]["choose"])).max() <= 16**-0.5
