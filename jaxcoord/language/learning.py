"""How speakers and listeners learn: policy gradients with baselines, relaxed symbols, and what anchors a language.

A message `[..., L]` counts up to and including its first 0, the terminator: that is where a speaker stops deciding.
Log-probabilities are natural logarithms, entropies here in nats.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

Array = jax.Array


OUTGROWN = 50.0  # size of a weight that nobody reaches who learns: with logits of it every choice is certain for ever


def unless_diverged(weights: Any) -> Any:
    """The weights of an agent, or not-a-numbers where one of them has outgrown all learning.

    Adam scales its steps, so that a rate which is far too large leaves finite weights; they are of no use all the same.
    """
    largest = jnp.stack([jnp.abs(leaf).max() for leaf in jax.tree.leaves(weights)]).max()
    fault = jnp.where(largest < OUTGROWN, 0.0, jnp.nan)
    return jax.tree.map(lambda leaf: leaf + fault.astype(leaf.dtype), weights)


def decided(messages: Array) -> Array:
    """`[..., L]` bool: the positions up to and including the first 0, at which the speaker chose a symbol."""
    ended = jnp.cumsum(messages == 0, -1)
    return (ended == 0) | ((ended == 1) & (messages == 0))


def chosen(log_probability: Array, messages: Array) -> Array:
    """`[..., L]`: log-probability of each symbol said. Args: `log_probability` `[..., L, K]`; `messages` `[..., L]`."""
    said = jax.nn.one_hot(messages, log_probability.shape[-1], dtype=bool)
    return jnp.where(said, log_probability, 0).sum(-1)  # a product would make 0 of what is impossible not a number


def message_log_probability(log_probability: Array, messages: Array) -> Array:
    """`[...]`: of whole messages, over the positions that were decided."""
    return jnp.where(decided(messages), chosen(log_probability, messages), 0).sum(-1)


def entropies(log_probability: Array) -> Array:
    """`[..., L]` nats: entropy of each position's distribution `[..., L, K]`."""
    finite = jnp.maximum(log_probability, jnp.finfo(log_probability.dtype).min)  # 0 log 0 is 0
    return -(jnp.exp(log_probability) * finite).sum(-1)


def divergences(log_probability: Array, log_reference: Array) -> Array:
    """`[..., L]` nats: Kullback-Leibler divergence of each position's distribution from that of a reference."""
    return (jnp.exp(log_probability) * (log_probability - log_reference)).sum(-1)


def over_decided(per_symbol: Array, messages: Array) -> Array:
    """`[...]`: sum of a quantity `[..., L]` over the positions that were decided."""
    return jnp.where(decided(messages), per_symbol, 0).sum(-1)


def surrogate(log_probability: Array, reward: Array, baseline: Array) -> Array:
    """`[...]`: what has REINFORCE's gradient, to be minimised: -(r - b) log p.

    Unbiased for every baseline that does not depend on the sampled message. Source: Williams 1992.
    """
    return -jax.lax.stop_gradient(reward - baseline) * log_probability


def leave_one_out(rewards: Array, axis: int = -1) -> Array:
    """The mean of the others along an axis: a baseline that does not see its own sample. Source: Kool et al. 2019."""
    rewards = jnp.asarray(rewards, float)
    return (rewards.sum(axis, keepdims=True) - rewards) / (rewards.shape[axis] - 1)


def running_mean(mean: Any, batches: Any, rewards: Array) -> Array:
    """The mean of all batch means with this batch; use the old one as this batch's baseline, or it is biased.

    Args: `mean` over `batches` batches so far; `rewards` of this batch.
    """
    return mean + (rewards.mean() - mean) / (batches + 1)


def imitation(log_probability: Array, messages: Array) -> Array:
    """`[...]`: cross-entropy of messages to be imitated, the terminator included."""
    return -message_log_probability(log_probability, messages)


def reconstruction_loss(logits: Array, meanings: Array) -> Array:
    """`[...]` nats: cross-entropy of a reading `[..., A, V]` of `meanings` `[..., A]`, mean of attributes."""
    scores = jax.nn.log_softmax(logits)
    return -(scores * jax.nn.one_hot(meanings, logits.shape[-1], dtype=scores.dtype)).sum(-1).mean(-1)


def gumbel_softmax(logits: Array, uniform: Array, temperature: Any) -> Array:
    """A relaxed draw from a distribution, made hard: one-hot forward, the relaxation's gradient backward.

    `softmax((logits + g) / temperature)` with g = -log(-log u). Args: `logits`, `uniform` `[..., K]`, u in (0, 1).
    Source: Jang, Gu & Poole 2017; Maddison, Mnih & Teh 2017.
    """
    tiny = jnp.finfo(logits.dtype).tiny
    noise = -jnp.log(-jnp.log(jnp.clip(uniform, tiny, 1 - jnp.finfo(logits.dtype).epsneg)))
    soft = jax.nn.softmax((logits + noise) / temperature)
    hard = jax.nn.one_hot(jnp.argmax(soft, -1), logits.shape[-1], dtype=logits.dtype)
    return soft + jax.lax.stop_gradient(hard - soft)


def stopping_weights(stop: Array) -> Array:
    """`[..., L + 1]`: weight of a message's having 0, 1, ..., L symbols; they sum to one.

    w_t = s_t prod_{u<t} (1 - s_u), and what is left goes to the whole length. Args: `stop` `[..., L]`, the weight of
    symbol 0 at each position, 0 or 1 for a hard message.
    """
    going = jnp.cumprod(1 - stop, -1)
    before = jnp.concatenate([jnp.ones_like(stop[..., :1]), going[..., :-1]], -1)
    return jnp.concatenate([stop * before, going[..., -1:]], -1)


def discretise(messages: Array, noise: Array, training: bool) -> Array:
    """Real messages as a differentiable channel passes them: sigmoid(m + noise) in training, [m > 0] in use.

    Source: Foerster et al. 2016 (DIAL), the discretise/regularise unit.
    """
    return jax.nn.sigmoid(messages + noise) if training else (messages > 0).astype(messages.dtype)
