"""Do messages depend on what is seen, and do actions depend on messages: signalling, listening, causal influence.

Pure, for one pair of agents; `jax.vmap` makes a batch. Shapes: O observations of the speaker, M messages,
U observations of the listener (equally likely and independent of the speaker's), A actions.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxcoord.errors import ParameterError
from jaxcoord.language import inputs
from jaxcoord.language.information import integers, joint_counts, table_information

Array = jax.Array


def positive_signalling(observed: Any, speaker: Any) -> Array:
    """I(O;M), bits: how much messages tell about what the speaker sees.

    Args:
      observed: `[O]`, p(o).
      speaker: `[O, M]`, p(m|o).
    Raises: ParameterError where one is no table of probabilities, or they do not fit each other.
    Source: Lowe et al. 2019, AAMAS.
    """
    observed, speaker = _spoken(observed, speaker)
    return table_information(observed[:, None] * speaker)


def _spoken(observed: Any, speaker: Any) -> tuple[Array, Array]:
    """p(o) `[O]` and p(m|o) `[O, M]`, checked."""
    observed, speaker = inputs.distributions("observed", observed), inputs.distributions("speaker", speaker, 2)
    inputs.same_length("speaker", speaker, "observed", observed)
    return observed, speaker


def _listens(listener: Any, messages: int) -> Array:
    """R(a|u, m) `[U, M, A]`, checked."""
    listener = inputs.distributions("listener", listener, 3)
    if listener.shape[1] != messages:
        raise ParameterError(f"listener: {listener.shape[1]} messages; {messages} are sent")
    return listener


def influence(weights: Any, listener: Any) -> Array:
    """Information between a message that is set by hand and the action, at fixed observation of the listener; bits.

    E_u sum_{m, a} w(m) R(a|u, m) log2(R(a|u, m) / sum_m' w(m') R(a|u, m')).

    Args:
      weights: `[M]`, w, probabilities with which messages are set.
      listener: `[U, M, A]`, R(a|u, m).
    Returns: `[]`, 0 where the listener does not listen, whatever the speaker does.
    Raises: ParameterError where one is no table of probabilities, or they do not fit each other.
    Source: Lowe et al. 2019, section 4.3; Jaques et al. 2019.
    """
    weights = inputs.distributions("weights", weights)
    return table_information(weights[:, None] * _listens(listener, weights.size)).mean()


class CausalInfluence(NamedTuple):
    """What a message changes in the action (see `causal_influence`); bits."""

    state_policy: Array
    """`[]`: messages set as the speaker would in each state, averaged over states; 0 for one that never hesitates."""
    marginal: Array
    """`[]`: messages set as often as the speaker says them."""
    uniform: Array
    """`[]`: all messages set equally often."""


def causal_influence(observed: Any, speaker: Any, listener: Any) -> CausalInfluence:
    """Causal influence of communication under three ways to set the message (see `influence`).

    Args:
      observed: `[O]`, p(o).
      speaker: `[O, M]`, p(m|o).
      listener: `[U, M, A]`, R(a|u, m).
    Returns: a `CausalInfluence`.
    Raises: as `influence`.
    Source: Lowe et al. 2019, section 4.3.
    """
    observed, speaker = _spoken(observed, speaker)
    listener = _listens(listener, speaker.shape[1])
    by_state = jax.vmap(influence, (0, None))(speaker, listener)
    number = speaker.shape[1]
    return CausalInfluence(
        (observed * by_state).sum(), influence(observed @ speaker, listener),
        influence(jnp.full(number, 1 / number), listener),
    )  # fmt: skip


def positive_listening(observed: Any, speaker: Any, listener: Any) -> Array:
    """E_u sum_m p(m) sum_a |R(a|u, m) - sum_m' p(m') R(a|u, m')|: how far a message moves the action, 0 to 2.

    Args, raises: as in `causal_influence`.
    Source: Eccles et al. 2019, NeurIPS, section 3.2.
    """
    observed, speaker = _spoken(observed, speaker)
    said, listener = observed @ speaker, _listens(listener, speaker.shape[1])
    usual = jnp.einsum("m,uma->ua", said, listener)
    return (said[:, None] * jnp.abs(listener - usual[:, None])).sum((1, 2)).mean()


class MessageAction(NamedTuple):
    """Information between messages and actions in samples (see `message_action_information`); bits."""

    speaker_consistency: Array
    """`[]`: I(own message; own action)."""
    instantaneous_coordination: Array
    """`[]`: I(message; action of the other)."""


def message_action_information(
    messages: Any, speaker_actions: Any, listener_actions: Any, symbols: int, actions: int
) -> MessageAction:
    """Plug-in information between messages and actions from paired samples.

    Both can be above 0 without any effect of the message, as when message and action follow the same hidden state:
    alone they are no evidence of communication.

    Args:
      messages, speaker_actions, listener_actions: `[T]` each, whole numbers from 0.
      symbols, actions: how many there are of each, static.
    Returns: a `MessageAction`.
    Raises: ParameterError where a number is too high, or the samples are not paired.
    Source: Jaques et al. 2019; Lowe et al. 2019 (the warning).
    """
    messages = integers("messages", messages, "T", symbols)
    each = [
        table_information(joint_counts(messages, integers(name, taken, "T", actions), symbols, actions))
        for name, taken in (("speaker_actions", speaker_actions), ("listener_actions", listener_actions))
    ]
    return MessageAction(*each)


def message_variance_ratio(points: Any, groups: Any) -> Array:
    """Share of the spread of inputs that is left among those with the same message.

    sum_m sum_{i in m} |x_i - mean_m|^2 / sum_i |x_i - mean|^2: 0 if each message names a point, 1 if messages say
    nothing about where inputs lie, which a game of discrimination allows.

    Args:
      points: `[N, D]`, the inputs as numbers.
      groups: `[N]`, the same number for the same message (`jaxcoord.language.information.message_groups`).
    Returns: `[]`, 0 to 1; NaN where all inputs are equal.
    Raises: ParameterError where the shapes do not fit.
    Source: Ben Zion, Carmeli, Paradise & Belinkov 2024.
    """
    points, groups = inputs.numbers("points", points, "N, D"), integers("groups", groups, "N")
    inputs.same_length("groups", groups, "points", points)
    same = (groups[:, None] == groups[None]).astype(float)
    varies = (points != points[0]).any()
    points = points - points[0]
    points = points - points.mean(0)
    within = points - (same @ points) / same.sum(1, keepdims=True)
    return jnp.where(varies, (within**2).sum() / jnp.where(varies, (points**2).sum(), 1), jnp.nan)
