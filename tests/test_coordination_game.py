"""Talk before a game: what the measures say of agents made by hand, the gradient, and what two learners come to."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import assert_means, run

from jaxcoord.errors import ParameterError
from jaxcoord.games import prisoners_dilemma
from jaxcoord.language import coordination, signalling
from jaxcoord.language.coordination import MatrixCommunication, Policies

ACTS = 3
PAIRS = np.indices((ACTS, ACTS)).reshape(2, -1)  # every pair of private states once
EYE = np.eye(ACTS)
use_of = jax.jit(coordination.message_use)


def every_private_game(acts=ACTS):
    state = np.eye(acts)[np.indices((acts, acts)).reshape(2, -1)]
    both = (state[1][:, :, None] + state[0][:, None, :]) / 2
    return jnp.asarray(state, jnp.float32), jnp.asarray(np.stack([both, both]), jnp.float32)


def heeding(number):
    """Acts by what is heard, whatever is seen."""
    return np.broadcast_to(EYE, (2, number, ACTS, ACTS))


def ignoring(own):
    """Acts by one's own plan `[2, n]`, whatever is heard."""
    return np.broadcast_to(EYE[own][:, :, None], (2, *np.shape(own)[1:], ACTS, ACTS))


def test_agents_who_name_their_state_and_heed_the_other_are_seen_to_communicate():
    use = use_of(Policies(jnp.asarray(EYE[PAIRS]), jnp.asarray(heeding(9))), every_private_game()[1])
    np.testing.assert_allclose(use.reward, 1, rtol=1e-6)
    np.testing.assert_allclose(use.scrambled, 1 / ACTS, rtol=1e-6)
    np.testing.assert_allclose(use.speaker_consistency, 0, atol=1e-6)
    for bits in (use.instantaneous_coordination, use.causal_influence):
        np.testing.assert_allclose(bits, np.log2(ACTS), rtol=1e-6)
    np.testing.assert_allclose(use.positive_listening, 2 * (1 - 1 / ACTS), rtol=1e-6)


def test_agents_who_say_what_they_will_do_but_do_not_listen_only_seem_to():
    # Both see all, and take the best pair of acts: their symbols name their own acts and, where plans agree, the
    # other's. Setting a symbol by hand changes nothing, nor does scrambling.
    plan = np.stack([PAIRS[0], PAIRS[0]])
    payoff = np.random.default_rng(0).normal(size=(2, 9, ACTS, ACTS)).astype(np.float32)
    use = use_of(Policies(jnp.asarray(EYE[plan]), jnp.asarray(ignoring(plan))), payoff)
    for bits in (use.speaker_consistency, use.instantaneous_coordination):
        np.testing.assert_allclose(bits, np.log2(ACTS), rtol=1e-6)
    for nothing in (use.causal_influence, use.positive_listening, use.reward - use.scrambled):
        np.testing.assert_allclose(nothing, 0, atol=1e-6)
    np.testing.assert_allclose(use.reward, payoff[:, np.arange(9), PAIRS[0], PAIRS[0]].mean(1), rtol=1e-6)


def test_expectations_are_what_samples_tend_to():
    draw = np.random.default_rng(1)
    games, copies = 9, 20_000
    found = Policies(*(draw.dirichlet(np.full(ACTS, 0.3), shape) for shape in ((2, games), (2, games, ACTS))))
    payoff = draw.normal(size=(2, games, ACTS, ACTS))
    use = use_of(Policies(*map(jnp.asarray, found)), jnp.asarray(payoff))

    def sample(weights):
        return (draw.random(weights.shape[:-1])[..., None] > weights.cumsum(-1)).sum(-1).clip(max=ACTS - 1)

    game = np.tile(np.arange(games), copies)
    said = sample(found.messages[:, game])
    done = [sample(found.acts[i, game, said[1 - i]]) for i in range(2)]
    earned = payoff[:, game, done[0], done[1]]
    # Deviations of payoffs are about 1, so that 0.02 is nine standard errors; information errs far less.
    np.testing.assert_allclose(use.reward, earned.mean(1), atol=0.02)
    scrambled = [sample(found.acts[i, game, draw.permutation(said[1 - i])]) for i in range(2)]
    np.testing.assert_allclose(use.scrambled, payoff[:, game, scrambled[0], scrambled[1]].mean(1), atol=0.02)
    bits_of = jax.jit(lambda *each: signalling.message_action_information(*each, ACTS, ACTS))
    for own in range(2):
        bits = bits_of(said[own], done[own], done[1 - own])
        np.testing.assert_allclose(use.speaker_consistency[own], bits.speaker_consistency, atol=0.01)
        np.testing.assert_allclose(use.instantaneous_coordination[own], bits.instantaneous_coordination, atol=0.01)


def test_matrix_games_show_each_agent_its_own_payoffs_first_and_by_its_own_acts():
    seen, payoff = jax.jit(coordination.matrix_games, static_argnums=(1, 2))(jax.random.key(2), 5, ACTS)
    first, second = np.asarray(seen).reshape(2, 5, 2, ACTS, ACTS)
    np.testing.assert_array_equal(first, np.asarray(payoff).swapaxes(0, 1))
    np.testing.assert_array_equal(second[:, 0], np.asarray(payoff[1]).swapaxes(1, 2))
    np.testing.assert_array_equal(second[:, 1], np.asarray(payoff[0]).swapaxes(1, 2))


def test_private_games_pay_for_naming_what_the_other_sees():
    seen, payoff = (
        np.asarray(x) for x in jax.jit(coordination.private_games, static_argnums=(1, 2))(jax.random.key(3), 50, ACTS)
    )
    state = seen.argmax(-1)
    assert {tuple(pair) for pair in state.T} == {(i, j) for i in range(ACTS) for j in range(ACTS)}
    acts = np.indices((ACTS, ACTS))
    for (mine, other), paid in zip(state.T, payoff.swapaxes(0, 1), strict=True):
        np.testing.assert_array_equal(paid, [((acts[0] == other) * 0.5 + (acts[1] == mine) * 0.5)] * 2)


def test_a_game_of_the_library_is_seen_from_both_sides():
    dilemma = np.array([[3.0, 0.0], [5.0, 1.0]])
    seen, payoff = (np.asarray(x) for x in coordination.table_games(jnp.asarray(dilemma), 3))
    assert seen.shape == (2, 3, 1)
    for mine, other in np.ndindex(2, 2):
        np.testing.assert_array_equal(payoff[:, 0, mine, other], [dilemma[mine, other], dilemma[other, mine]])


@pytest.mark.slow
def test_cheap_talk_does_not_save_a_dilemma():
    """Whatever is said, defection pays more: two learners end at its payoff, and no symbol moves an act."""
    found = run(MatrixCommunication(game="table", table=prisoners_dilemma(), acts=2), 16, 20)
    np.testing.assert_allclose(found["reward"], 1, atol=0.05)
    assert found["causal_influence"].max() < 0.01


def test_a_table_has_its_own_number_of_acts():
    with pytest.raises(ParameterError, match="acts = 3: the game of the table has 2"):
        MatrixCommunication(game="table")


def test_policy_gradient_is_unbiased():
    model = MatrixCommunication(entropy=0, acts=2, symbols=2, hidden=6, batch=32)
    seen, payoff = every_private_game(2)
    draw = np.random.default_rng(5)
    shapes = jax.eval_shape(model.init, jax.random.key(4)).agents
    agents = jax.tree.map(lambda leaf: jnp.asarray(draw.normal(size=leaf.shape), jnp.float32), shapes)

    def expected(agents):
        # Each agent's reward is the common one: half of their sum, in which each agent's gradient is its own.
        return coordination.message_use(coordination.policies(agents, seen), payoff).reward.mean()

    exact = jax.jit(jax.grad(expected))(agents)
    estimates = jax.vmap(lambda key: jax.grad(model._objective, has_aux=True)(agents, key)[0])
    estimate = jax.jit(lambda key: estimates(jax.random.split(key, 500)))(jax.random.key(5))
    flat = [np.concatenate([np.reshape(leaf, (count, -1)) for leaf in jax.tree.leaves(tree)], 1)
            for tree, count in ((estimate, 500), (jax.tree.map(lambda leaf: leaf[None], exact), 1))]  # fmt: skip
    assert np.abs(flat[1]).max() > 0.01
    assert_means(-flat[0], flat[1][0])


@pytest.mark.slow
def test_symbols_that_tell_of_acts_are_no_communication():
    private = run(MatrixCommunication(), 16, 20)
    matrix = run(MatrixCommunication(game="matrix"), 16, 20)
    assert np.median(private["causal_influence"]) > 1
    assert private["speaker_consistency"].max() < 0.05
    assert (private["reward"] - private["scrambled_reward"]).mean() > 0.5
    # In matrix games symbols tell more of their own speaker's acts than in private ones, and matter to nobody.
    assert matrix["speaker_consistency"].mean() > 0.02
    assert matrix["causal_influence"].mean() < 0.02
    assert (matrix["reward"] - matrix["scrambled_reward"]).max() < 0.01 * matrix["reward"].min()


def test_refuses_a_game_that_it_does_not_have():
    with pytest.raises(
        ParameterError, match=r"matrix-communication\.game = 'chess': one of 'private', 'matrix', 'table'"
    ):
        dataclasses.replace(MatrixCommunication(), game="chess")
