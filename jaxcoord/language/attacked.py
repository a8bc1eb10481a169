"""A fixed code under attack: what forged, replayed, future and flooding messages cost, checked and unchecked."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxcoord.language import attacks
from jaxcoord.language.monitoring import drop_monitor
from jaxcoord.model import Model, observable, param, static

Array = jax.Array
HIJACK = 1  # the symbol that injecting and spoofing attackers say: state 0
FLOODER = 0  # the sender who floods
AVERAGED = 0.1  # weight of the monitor's moving average, which is not looked at


class Tally(NamedTuple):
    """What happened so far, over all batches."""

    state: Array
    """`[]` int32: of the world, after the last slot."""
    attacked: Array
    """`[]`: messages that were attacked."""
    accepted: Array
    """`[]`: of these, those accepted."""
    honest: Array
    """`[]`: messages that were not attacked."""
    rejected: Array
    """`[]`: of these, those not accepted."""
    changed: Array
    """`[]`: accepted attacks that changed the act."""
    lost: Array
    """`[]`: reward lost, against the same batches without the attack, in which every act is right."""
    alarms: Array
    """`[]`: batches in which the monitor raised an alarm."""
    delay: Array
    """`[]`: slots until then, summed."""
    batches: Array


def last_accepted(accepted: Array, content: Array, start: Any) -> Array:
    """`[E]`: the newest content that was accepted at each slot, the one at hand included; `start` before any."""
    slot = jnp.arange(accepted.size)
    newest = jax.lax.cummax(jnp.where(accepted, slot, -1))
    return jnp.where(newest < 0, start, content[jnp.maximum(newest, 0)])


def chosen(coins: Array, number: int) -> Array:
    """Whole numbers 0 to `number` - 1, all alike, from uniform ones in [0, 1)."""
    return jnp.minimum((coins * number).astype(jnp.int32), number - 1)


class AttackedProtocol(Model):
    """Senders report a changing world in a fixed code; a listener acts on the newest report that passes its checks.

    One step is a batch of slots. In each, the world may change, one sender says what it is (symbol 1 + state), and the
    listener acts on what it last accepted, for a reward of 1 if that is the state of the world. An attack takes each
    slot with probability rho: `injection` (the sender is made to say "state 0" under its own name), `spoof` (it says
    so as another, with a guessed tag), `replay` (an earlier message comes again), `future` (a true message is dated
    ahead), `flood` (one sender crowds out the others with random symbols). What a batch loses is told against the same
    batch without the attack. Detection is by a one-sided CUSUM on rewards.
    Source: Page 1954 (the monitor).
    """

    rate: float = param(0.2, doc="rho, probability that a slot is attacked", low=0, high=1)
    change: float = param(0.05, doc="probability per slot that the world takes another state", low=0, high=1)
    delay: int = param(20, doc="a replayed message is at most so old", unit="slots", low=1, high=1_000_000)
    ahead: int = param(5, doc="how far a future message is dated ahead", unit="slots", low=1, high=1_000_000)
    tag_bits: float = param(8.0, doc="b: a guessed tag holds with probability 2^-b", unit="bits", low=0)
    freshness: int = param(100, doc="age at which a message is stale", unit="slots", low=0)
    slack: float = param(0.1, doc="shortfall per slot that the monitor lets pass", low=0, high=1)
    threshold: float = param(3.0, doc="summed shortfall at which it raises an alarm", low=0)
    attack: str = static("replay", doc="kind of attack",
                         choices=("injection", "spoof", "replay", "future", "flood"))  # fmt: skip
    checks: bool = static(True, doc="messages that fail the formal checks are not read; else all are")
    senders: int = static(4, doc="S, who take slots at random", unit="individuals", low=2, high=1000)
    states: int = static(8, doc="V, states of the world, with a symbol each", low=2, high=1000)
    slots: int = static(200, doc="E, messages in a step", low=2, high=10_000)
    window: int = static(32, doc="counters of each sender that the checks remember", low=1, high=10_000)

    acceptance = observable(doc="share of attacked messages accepted; undefined before any", undefined=True)
    rejected_honest = observable(doc="share of honest messages rejected; undefined before any", undefined=True)
    action_change = observable(doc="share of accepted attacks that changed the act; undefined before any",
                               undefined=True)  # fmt: skip
    reward_lost = observable(
        doc="reward lost in all slots, over accepted attacks; undefined before any", undefined=True
    )
    reward = observable(doc="reward per slot; undefined before any", undefined=True)
    alarm = observable(doc="share of steps in which the monitor raised an alarm; undefined before any", undefined=True)
    detected = observable(doc="mean time to the alarm in those; undefined where there are none", unit="slots",
                          undefined=True)  # fmt: skip

    @property
    def agents(self) -> int:
        """Messages of a step, which is what it costs."""
        return self.slots

    def init(self, key: Array) -> Tally:
        none = jnp.zeros(())
        return Tally(jax.random.randint(key, (), 0, self.states), *[none] * (len(Tally._fields) - 1))

    def _world(self, coin: Array, other: Array, state: Array) -> Array:
        """`[E]`: the state of the world in each slot; it changes to one of the others, all alike."""
        by = 1 + chosen(other, self.states - 1)
        return (state + jnp.cumsum(jnp.where(coin < self.change, by, 0))) % self.states

    def attacked(self, key: Array, envelopes: attacks.Envelopes) -> tuple[attacks.Envelopes, Array]:
        """Traffic under this model's attack, and `[E]` bool, which slots were attacked."""
        hijack = jnp.full(1, HIJACK)
        if self.attack == "injection":
            return attacks.inject(key, envelopes, self.rate, hijack)
        if self.attack == "spoof":
            return attacks.spoof(key, envelopes, self.rate, hijack, self.senders, self.tag_bits)
        if self.attack == "replay":
            return attacks.replay(key, envelopes, self.rate, self.delay)
        if self.attack == "future":
            return attacks.future(key, envelopes, self.rate, self.ahead)
        return attacks.flood(key, envelopes, self.rate, FLOODER, self.states + 1)

    def verdicts(self, envelopes: attacks.Envelopes) -> Array:
        """`[E]`: what the listener makes of envelopes, places in `attacks.VERDICTS`."""
        if self.checks:
            return attacks.envelope_check(envelopes, self.senders, self.window, self.freshness)
        return jnp.full(self.slots, attacks.ACCEPT)

    def step(self, state: Tally, key: Array) -> Tally:
        coins = jax.random.uniform(jax.random.fold_in(key, 0), (3, self.slots))
        world = self._world(coins[0], coins[1], state.state)
        truth = attacks.honest(chosen(coins[2], self.senders), 1 + world[:, None])
        sent, attacked = self.attacked(jax.random.fold_in(key, 1), truth)
        passed = self.verdicts(sent) == attacks.ACCEPT
        # Honest traffic passes all checks, so that without the attack every act would be right.
        right = last_accepted(passed, sent.payload[:, 0] - 1, state.state) == world
        reward = right.astype(float)
        alarm = drop_monitor(reward, 1.0, self.slack, self.threshold, AVERAGED).alarm
        new: tuple[Any, ...] = (
            attacked, attacked & passed, ~attacked, ~attacked & ~passed, attacked & passed & ~right,
            1 - reward, alarm >= 0, jnp.maximum(alarm, 0), jnp.ones(()),
        )  # fmt: skip
        return Tally(world[-1], *(old + value.sum() for old, value in zip(state[1:], new, strict=True)))

    def observe(self, state: Tally) -> dict[str, Array]:
        slots = state.batches * self.slots
        return {
            "acceptance": state.accepted / state.attacked,
            "rejected_honest": state.rejected / state.honest,
            "action_change": state.changed / state.accepted,
            "reward_lost": jnp.where(state.accepted > 0, state.lost / state.accepted, jnp.nan),
            "reward": 1 - state.lost / slots,
            "alarm": state.alarms / state.batches,
            "detected": state.delay / state.alarms,
        }
