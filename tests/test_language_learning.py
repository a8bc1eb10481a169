"""Policy gradients, baselines and relaxed symbols against closed forms."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcoord.language import learning

CASES = json.loads((Path(__file__).parent / "data" / "communication_cases.json").read_text())["deterministic"]


def cases(op):
    return [pytest.param(case, id=case["id"]) for case in CASES if case["op"] == op]


@pytest.mark.parametrize("case", cases("policy_gradient_exact"))
def test_gradients_are_those_of_the_expectations(case):
    with jax.enable_x64(True):
        logits, rewards, reference = (jnp.asarray(case["inputs"][k]) for k in ("logits", "rewards", "reference_logits"))
        tolerance = {"rtol": case["rtol"], "atol": case["atol"]}
        symbols = jnp.arange(len(logits))[:, None]

        def all_said(logits):
            """Log-probabilities of every one-symbol message, `[K, 1, K]`."""
            return jnp.broadcast_to(jax.nn.log_softmax(logits), (len(logits), 1, len(logits)))

        def estimator(logits, baseline):
            """Gradients of the surrogate for every message, `[K, K]`."""

            def one(x):
                said = learning.message_log_probability(all_said(x), symbols)
                return learning.surrogate(said, rewards, baseline)

            return -jax.jit(jax.jacobian(one))(logits)

        policy = np.asarray(jax.nn.softmax(logits))
        expected = case["expected"]
        np.testing.assert_allclose(policy @ rewards, expected["objective"], **tolerance)
        for baseline in (0.0, 7.0):
            np.testing.assert_allclose(policy @ estimator(logits, baseline), expected["gradient"], **tolerance)
        for name, baseline in (("no_baseline", 0.0), ("mean_baseline", policy @ rewards)):
            first = np.asarray(estimator(logits, baseline))[:, 0]
            variance = policy @ first**2 - (policy @ first) ** 2
            np.testing.assert_allclose(variance, expected["reinforce_variance_first_logit"][name], **tolerance)
        for name, measured in (
            ("entropy", lambda x: learning.entropies(jax.nn.log_softmax(x))),
            ("kl", lambda x: learning.divergences(jax.nn.log_softmax(x), jax.nn.log_softmax(reference))),
        ):
            value, gradient = jax.jit(jax.value_and_grad(measured))(logits)
            given = expected["entropy_nats" if name == "entropy" else "kl_to_reference_nats"]
            np.testing.assert_allclose(value, given, **tolerance)
            np.testing.assert_allclose(gradient, expected[f"{name}_gradient"], **tolerance)


@pytest.mark.parametrize("case", cases("baselines"))
def test_baselines_do_not_see_their_own_sample(case):
    tolerance = {"rtol": case["rtol"], "atol": case["atol"]}
    found = learning.leave_one_out(jnp.asarray(case["inputs"]["losses"]))
    np.testing.assert_allclose(found, case["expected"]["leave_one_out"], **tolerance)
    mean, before = 0.0, []
    for number, batch in enumerate(case["inputs"]["batches"]):
        before.append(mean)
        mean = learning.running_mean(mean, number, jnp.asarray(batch))
    np.testing.assert_allclose(before, case["expected"]["running_mean_before_each_batch"], **tolerance)


def test_decisions_end_with_the_first_zero():
    messages = jnp.array([[3, 0, 0], [0, 0, 0], [1, 2, 3]])
    assert learning.decided(messages).tolist() == [[True, True, False], [True, False, False], [True, True, True]]
    score = jnp.log(jnp.full((3, 3, 4), 0.25))
    np.testing.assert_allclose(learning.message_log_probability(score, messages), np.log(0.25) * np.array([2, 1, 3]))
    np.testing.assert_allclose(learning.imitation(score, messages), -np.log(0.25) * np.array([2, 1, 3]))


def test_all_messages_together_have_probability_one():
    """Over all messages that a speaker of three positions can say, whatever its logits."""
    logits = jax.random.normal(jax.random.key(0), (3, 3))
    score = jax.nn.log_softmax(logits)
    every = np.indices((3, 3, 3)).reshape(3, -1).T
    kept = {tuple(np.where(np.cumprod(row != 0), row, 0)) for row in every}
    messages = jnp.array(sorted(kept))
    total = jnp.exp(learning.message_log_probability(jnp.broadcast_to(score, (len(messages), 3, 3)), messages)).sum()
    np.testing.assert_allclose(total, 1, rtol=1e-5)


def test_stopping_weights_sum_to_one_and_are_those_of_a_hard_message():
    stop = jax.random.uniform(jax.random.key(1), (100, 4))
    weights = learning.stopping_weights(stop)
    np.testing.assert_allclose(weights.sum(-1), 1, rtol=1e-6)
    np.testing.assert_allclose(weights[:, 2], (1 - stop[:, 0]) * (1 - stop[:, 1]) * stop[:, 2], rtol=1e-6)
    hard = learning.stopping_weights(jnp.array([[0.0, 1, 1], [1, 0, 1], [0, 0, 0]]))
    assert hard.tolist() == [[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]]


def test_relaxed_symbols_are_drawn_by_their_probabilities_and_pass_gradients():
    logits = jnp.log(jnp.array([0.5, 0.3, 0.2]))
    number = 40_000
    coins = jax.random.uniform(jax.random.key(2), (number, 3))
    drawn = learning.gumbel_softmax(jnp.broadcast_to(logits, (number, 3)), coins, 0.5)
    assert set(np.unique(np.asarray(drawn).round(5))) == {0, 1}
    error = np.sqrt(np.array([0.25, 0.21, 0.16]) / number)
    assert np.all(np.abs(np.asarray(drawn).mean(0) - [0.5, 0.3, 0.2]) < 4 * error)
    gradient = jax.grad(lambda x: (learning.gumbel_softmax(x, coins[0], 0.5) * jnp.array([1.0, 0, 0])).sum())(logits)
    soft = jax.nn.softmax((logits - jnp.log(-jnp.log(coins[0]))) / 0.5)
    np.testing.assert_allclose(gradient, soft[0] * (np.eye(3)[0] - soft) / 0.5, rtol=1e-4)
    assert np.isfinite(learning.gumbel_softmax(logits, jnp.array([0.0, 1.0, 0.5]), 0.5)).all()


def test_discretised_messages():
    assert learning.discretise(jnp.array([-0.1, 0.1]), jnp.zeros(2), training=False).tolist() == [0, 1]
    slope = jax.grad(lambda m: learning.discretise(m, jnp.zeros(()), training=True))(0.0)
    np.testing.assert_allclose(slope, 0.25, rtol=1e-6)
