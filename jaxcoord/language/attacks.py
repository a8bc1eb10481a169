"""Attacks on a protocol and the checks against them: forged, replayed, future, injected and flooding messages.

A message travels in an envelope: who claims to send it, a counter, when it was sent and received, content, and a tag
that holds or not. An attack takes a share rho of the slots of a batch. Pure, for one batch; `jax.vmap` makes many.
Shapes: E envelopes in order of arrival, S agents, L symbols.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxcoord.errors import ParameterError
from jaxcoord.language.monitoring import first_true
from jaxcoord.random import probability

Array = jax.Array
VERDICTS = ("accept", "forged", "future", "stale", "old", "replayed")
ACCEPT, FORGED, FUTURE, STALE, OLD, REPLAYED = range(6)


class Envelopes(NamedTuple):
    """A batch of messages on their way."""

    sender: Array
    """`[E]` int32: who really sent it."""
    claimed: Array
    """`[E]` int32: who it says sent it."""
    counter: Array
    """`[E]` int32: number of the message among those of the claimed sender, from 0."""
    sent: Array
    """`[E]` int32: tick at which it says it was sent."""
    received: Array
    """`[E]` int32: tick at which it arrives."""
    valid: Array
    """`[E]` bool: whether the tag holds."""
    payload: Array
    """`[E, L]` int32: the message."""


def honest(sender: Any, payload: Any, received: Any | None = None, latency: Any = 0) -> Envelopes:
    """Envelopes of honest traffic, counted and dated as they should be.

    Args:
      sender: `[E]`, who sends, in order of arrival.
      payload: `[E, L]`, the messages.
      received: `[E]`, ticks of arrival; 0, 1, 2, ... if not given.
      latency: ticks between sending and arrival, a number or `[E]`.
    """
    sender = jnp.asarray(sender, jnp.int32)
    received = jnp.arange(sender.size, dtype=jnp.int32) if received is None else jnp.asarray(received, jnp.int32)
    sent = jnp.broadcast_to(received - latency, sender.shape).astype(jnp.int32)
    holds = jnp.ones(sender.shape, bool)
    return Envelopes(sender, sender, _counts(sender), sent, received, holds, jnp.asarray(payload, jnp.int32))


def _counts(sender: Array) -> Array:
    """For each slot, how many slots before it are of the same sender."""
    earlier = jnp.tri(sender.size, k=-1, dtype=bool)
    return (earlier & (sender[:, None] == sender[None])).sum(1, dtype=jnp.int32)


def envelope_check(envelopes: Envelopes, agents: int, window: int, freshness: Any) -> Array:
    """The formal checks of a reader, in this order; all memory is of the claimed sender and changes on acceptance only.

    The tag does not hold, or there is no such sender: forged. Sent after it is received: future. Older than the
    freshness: stale. Counter at or below the highest accepted less the window: old. Counter accepted before: replayed.
    Else accepted.

    Args:
      envelopes: in order of arrival; their payload is not looked at.
      agents: S, static.
      window: counters that are remembered, static, at least 1.
      freshness: ticks that a message may be under way.
    Returns: `[E]` int32, places in `VERDICTS`.
    Raises: ParameterError where the window is below 1.
    """
    if window < 1:
        raise ParameterError(f"window = {window}: at least 1 counter must be remembered")

    def check(carry: tuple[Array, Array], event: tuple[Array, ...]) -> tuple[tuple[Array, Array], Array]:
        highest, accepted = carry
        claimed, counter, sent, received, valid = event
        mine = jnp.arange(agents) == claimed
        top, slot = jnp.where(mine, highest, 0).sum(), jnp.arange(window) == counter % window
        # Of the counters within the window each has a slot of its own, which holds the last one accepted there.
        again = (mine[:, None] & slot & (accepted == counter)).any()
        verdict = jnp.asarray(ACCEPT)
        for wrong, name in (
            (again, REPLAYED), (counter <= top - window, OLD), (received - sent > freshness, STALE),
            (sent > received, FUTURE), (~valid | ~mine.any(), FORGED),
        ):  # fmt: skip
            verdict = jnp.where(wrong, name, verdict)
        taken = mine & (verdict == ACCEPT)
        highest = jnp.where(taken, jnp.maximum(highest, counter), highest)
        return (highest, jnp.where(taken[:, None] & slot, counter, accepted)), verdict.astype(jnp.int32)

    start = jnp.full(agents, -1, jnp.int32), jnp.full((agents, window), -1, jnp.int32)
    numbers = (envelopes.claimed, envelopes.counter, envelopes.sent, envelopes.received)
    events = *(jnp.asarray(field, jnp.int32) for field in numbers), jnp.asarray(envelopes.valid)
    return jax.lax.scan(check, start, events)[1]


def forged_tags(key: Array, number: int, bits: Any) -> Array:
    """`[number]` bool: which of so many guessed tags of b bits hold, each with probability 2^-b; `number` is static."""
    return probability(jax.random.bits(key, (number,), jnp.uint32)) < jnp.exp2(-jnp.asarray(bits, jnp.float32))


def attacked_slots(key: Array, number: int, rate: Any) -> Array:
    """`[number]` bool: slots that an attacker takes, each with probability rho; `number` is static."""
    return jax.random.uniform(key, (number,)) < rate


def _draws(key: Array) -> tuple[Array, Array, Array]:
    """Keys for which slots are attacked, for what is chosen in each, and for tags."""
    return jax.random.fold_in(key, 0), jax.random.fold_in(key, 1), jax.random.fold_in(key, 2)


def spoof(
    key: Array, envelopes: Envelopes, rate: Any, payload: Any, agents: int, tag_bits: Any
) -> tuple[Envelopes, Array]:
    """Another's identity: the sender claims to be some other agent, with the next counter of it and a guessed tag.

    Args:
      key: draws slots, identities and tags.
      envelopes: honest traffic.
      rate: rho, 0 to 1.
      payload: `[L]` or `[E, L]`, what the attacker says.
      agents: S, static, at least 2.
      tag_bits: bits of a tag.
    Returns: the traffic under attack, and `[E]` bool, which slots were attacked.
    Raises: ParameterError where there is nobody else to be.
    """
    if agents < 2:
        raise ParameterError(f"agents = {agents}: at least 2 are needed for one to claim to be another")
    where, what, tags = _draws(key)
    number = envelopes.sender.size
    attacked = attacked_slots(where, number, rate)
    other = (envelopes.sender + 1 + jax.random.randint(what, (number,), 0, agents - 1)) % agents
    before = jnp.tri(number, k=-1, dtype=bool) & (envelopes.claimed[None] == other[:, None])
    return _replaced(
        envelopes, attacked, claimed=other, counter=before.sum(1, dtype=jnp.int32), payload=payload,
        valid=forged_tags(tags, number, tag_bits),
    ), attacked  # fmt: skip


def _replaced(envelopes: Envelopes, attacked: Array, **fields: Any) -> Envelopes:
    new = {}
    for name, value in fields.items():
        old = getattr(envelopes, name)
        mask = attacked[:, None] if old.ndim == 2 else attacked
        new[name] = jnp.where(mask, jnp.asarray(value), old).astype(old.dtype)
    return envelopes._replace(**new)


def replay(key: Array, envelopes: Envelopes, rate: Any, delay: Any) -> tuple[Envelopes, Array]:
    """An earlier envelope once more, as it was, some 1 to `delay` slots later: true, but outdated.

    Args:
      key: draws slots and delays.
      envelopes: honest traffic.
      rate: rho, 0 to 1; slots with nothing before them are left alone.
      delay: slots, at least 1.
    Returns: as in `spoof`.
    """
    where, what, _ = _draws(key)
    number = envelopes.sender.size
    place = jnp.arange(number)
    source = place - jax.random.randint(what, (number,), 1, jnp.asarray(delay) + 1)
    attacked = attacked_slots(where, number, rate) & (source >= 0)
    old = jax.tree.map(lambda field: field[jnp.where(attacked, source, place)], envelopes)
    return old._replace(received=envelopes.received), attacked


def future(key: Array, envelopes: Envelopes, rate: Any, ahead: Any) -> tuple[Envelopes, Array]:
    """A sender dates its own messages `ahead` ticks later than they are sent; returns as in `spoof`."""
    attacked = attacked_slots(_draws(key)[0], envelopes.sender.size, rate)
    return _replaced(envelopes, attacked, sent=envelopes.sent + ahead), attacked


def inject(key: Array, envelopes: Envelopes, rate: Any, payload: Any) -> tuple[Envelopes, Array]:
    """Senders are made to say `payload`, `[L]` or `[E, L]`, under their own name and tag: only its content can tell.

    Returns: as in `spoof`.
    """
    attacked = attacked_slots(_draws(key)[0], envelopes.sender.size, rate)
    return _replaced(envelopes, attacked, payload=payload), attacked


def flood(key: Array, envelopes: Envelopes, rate: Any, attacker: int, vocabulary: int) -> tuple[Envelopes, Array]:
    """One agent crowds out the others: in slots that it takes, what they said is lost, and random symbols stand there.

    Args:
      key: draws slots and symbols.
      envelopes: honest traffic.
      rate: rho, 0 to 1.
      attacker: the agent, who keeps its own counter and tag.
      vocabulary: K, static, at least 2; symbols 1..K-1 are drawn.
    Returns: as in `spoof`; the attacker's own slots count as attacked where they are taken.
    Raises: ParameterError where the vocabulary is below 2.
    """
    if vocabulary < 2:
        raise ParameterError(f"vocabulary = {vocabulary}: at least one symbol besides the terminator is needed")
    where, what, _ = _draws(key)
    attacked = attacked_slots(where, envelopes.sender.size, rate)
    noise = jax.random.randint(what, envelopes.payload.shape, 1, vocabulary)
    taken = _replaced(
        envelopes, attacked, sender=attacker, claimed=attacker, sent=envelopes.received, valid=True, payload=noise
    )
    own = taken.sender == attacker
    return taken._replace(counter=jnp.where(own, _counts(taken.sender), taken.counter)), attacked


class Robustness(NamedTuple):
    """How the formal checks did (see `robustness`)."""

    accepted: Array
    """`[]`: share of attacked messages that were accepted; NaN without any."""
    rejected_honest: Array
    """`[]`: share of honest messages that were not; NaN without any."""
    detected: Array
    """`[]` int32: the first slot in which an attacked message was not accepted; -1 if none."""


def robustness(verdicts: Any, attacked: Any) -> Robustness:
    """Acceptance of attacks, rejection of honest traffic, and time to detection, from `envelope_check`.

    Args:
      verdicts: `[E]`.
      attacked: `[E]` bool.
    """
    passed, attacked = jnp.asarray(verdicts) == ACCEPT, jnp.asarray(attacked).astype(bool)
    return Robustness(
        (passed & attacked).sum() / attacked.sum(), (~passed & ~attacked).sum() / (~attacked).sum(),
        first_true(attacked & ~passed),
    )  # fmt: skip


class Damage(NamedTuple):
    """What accepted attacks did (see `damage`)."""

    action_change: Array
    """`[]`: share of accepted attacks that changed the action."""
    reward_lost: Array
    """`[]`: reward lost per accepted attack, over all slots."""


def damage(accepted: Any, actions: Any, honest_actions: Any, rewards: Any, honest_rewards: Any) -> Damage:
    """The price of attacks, against the same run with the attack off.

    Args:
      accepted: `[E]` bool, attacked messages that were accepted.
      actions, honest_actions: `[E]`, what the listener did, and would have done.
      rewards, honest_rewards: `[E]`, likewise.
    Returns: a `Damage`; NaN where no attack was accepted.
    """
    accepted = jnp.asarray(accepted).astype(bool)
    changed = accepted & (jnp.asarray(actions) != jnp.asarray(honest_actions))
    lost = (jnp.asarray(honest_rewards, float) - jnp.asarray(rewards, float)).sum()
    return Damage(changed.sum() / accepted.sum(), jnp.where(accepted.any(), lost / accepted.sum(), jnp.nan))


class Authorship(NamedTuple):
    """Who could have said this (see `author_posterior`)."""

    log_likelihood: Array
    """`[S]`: of each author, nats."""
    posterior: Array
    """`[S]`."""
    author: Array
    """`[]` int32: the most likely one."""


def author_posterior(languages: Any, observations: Any, messages: Any, prior: Any | None = None) -> Authorship:
    """Likelihood of messages under each author's language: a content check of who claims to have sent them.

    Args:
      languages: `[S, O, M]`, p(m|o) of each author; held to be at least 1e-12.
      observations: `[T]`, what the messages were about.
      messages: `[T]`, which messages.
      prior: `[S]`, of the authors; uniform if not given.
    Returns: an `Authorship`.
    """
    languages = jnp.asarray(languages, float)
    said = languages[:, jnp.asarray(observations), jnp.asarray(messages)]
    likelihood = jnp.log(jnp.maximum(said, 1e-12)).sum(1)
    weight = likelihood if prior is None else likelihood + jnp.log(jnp.asarray(prior, float))
    return Authorship(likelihood, jax.nn.softmax(weight), jnp.argmax(weight).astype(jnp.int32))
