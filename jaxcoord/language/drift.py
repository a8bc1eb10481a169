"""Agents who learned to speak as people do, then talk among themselves: how long can people still follow?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxcoord.errors import ParameterError
from jaxcoord.language import channels, information, learning, world
from jaxcoord.language.comprehension import language_comprehension, over_readers
from jaxcoord.language.distance import topographic_similarity
from jaxcoord.language.optimisers import adam, renewed
from jaxcoord.language.probes import logistic_reader, probe_selectivity
from jaxcoord.language.referential import distinct_share
from jaxcoord.language.structure import positional_disentanglement
from jaxcoord.model import Model, observable, param, static

Array = jax.Array
READERS = 3  # frozen readers of the human protocol: two recurrent ones and a perceptron
SCHOOL_RATE = 3e-3  # of Adam, for whoever learns from fixed messages
READERS_NOISE = 0.1  # of the messages that they learn from, so that a slip does not throw them
HELD_OUT = 20 / 64  # share of meanings that a fresh listener and a probe are tested on
FRESH_LESSONS = 400
PENALTY = 0.01
PURPOSES = 3  # of draws in an update, and one more


class Pair(NamedTuple):
    """Parameters of a speaker and a listener, or of P of each, every leaf with a first axis P."""

    speaker: Any
    listener: Any


class Drifting(NamedTuple):
    """P speakers and P listeners that talk, and what they came from."""

    agents: Pair
    optimiser: Any
    student: Any
    """The agents of the generation before; nothing where there are no lessons."""
    fluent: Any
    """The speakers as they were when they spoke like people."""
    readers: tuple[Any, Any]
    """People: parameters of recurrent readers, with a first axis, of whom the first is in the loop and does not judge
    comprehension, and of a perceptron."""
    step: Array
    reward: Array
    """Mean reward in the last update, nats."""


class LanguageDrift(Model):
    """Agents imitate a human protocol until they are fluent; then they play a reconstruction game and drift.

    At step 0 speakers and listeners have imitated `world.speak_human` for `school` updates. In each update of self-play
    they are paired at random; the speaker sends `samples` messages for each of all meanings, cut at the cap of the step
    and mistyped by the channel; the listener learns by cross-entropy, the speaker by REINFORCE against the mean of the
    other messages for the same meaning (reward: minus the mean of the attributes' cross-entropies, less a cost per
    symbol; bonus: entropies of its decisions). People are three readers, trained on their own protocol with 10 % noise
    and frozen, the same for all populations. Without pressure nothing drifts but by exploration: state the entropy
    bonus.

    With a `turnover` the listeners give way to newborns, one after the other, and everybody's Adam begins anew: were it
    to keep its memory of the old listener, speakers would leave the human protocol more slowly and not as far.
    Countermeasures, all off by default: more `pairs`, an `anchor` to the fluent speaker, `supervision` by fresh human
    messages, `human_share` of the reward from a frozen reader (a fourth, who is no judge of comprehension), `lessons`
    in which students imitate the agents and take their place, `audit`, by the same fourth reader, and `most_change`:
    speakers forget a step after which it understands less, or which changed more of the language; listeners do not.
    Source: Lee, Cho & Kiela 2019; Lazaridou, Potapenko & Tieleman 2020 (anchor, supervision); Lu et al. 2020 (seeded
      iterated learning); Li & Bowling 2019 (turnover of listeners).
    """

    learning_rate: float = param(3e-3, doc="step size of Adam", low=0, high=10)
    entropy: float = param(0.05, doc="eta: weight of the summed entropies of a message's symbols", unit="1/nat", low=0)
    length_cost: float = param(0.0, doc="lambda: reward lost per symbol", unit="nats", low=0)
    noise: float = param(0.0, doc="probability that a symbol arrives as another", low=0, high=1)
    caps: Any = param([8], doc="most symbols that pass the channel, one stage after the other", unit="symbols",
                      low=1, shape=("stage",))  # fmt: skip
    caps_from: Any = param([0], doc="the step with which each stage of `caps` begins", unit="steps", low=0,
                           shape=("stage",))  # fmt: skip
    turnover: int = param(
        0, doc="steps after which a newborn replaces the next listener; 0: never", unit="steps", low=0
    )
    anchor: float = param(0.0, doc="beta: weight of the divergence from the fluent speaker", unit="1/nat", low=0)
    supervision: float = param(0.0, doc="alpha: weight of imitating fresh human messages", low=0)
    human_share: float = param(0.0, doc="share of the reward that a frozen reader gives", low=0, high=1)
    generation: int = param(2, doc="steps after which a student takes over, where there are lessons", low=1)
    audit: float = param(-1.0, doc="C_acc of a person below which speakers forget a step; -1: none", low=-1, high=1)
    most_change: float = param(
        1.0, doc="share of the language that a step may change before speakers forget it", low=0, high=1
    )
    attributes: int = static(3, doc="A, attributes of a meaning", low=1, high=10)
    values: int = static(4, doc="V, values of each attribute", low=2, high=100)
    vocabulary: int = static(16, doc="K, symbols, with 0, which ends a message", unit="symbols", low=4, high=1000)
    length: int = static(8, doc="L, most symbols of a message", unit="symbols", low=2, high=100)
    hidden: int = static(48, doc="units of an agent's recurrent layer", low=1, high=4096)
    embedding: int = static(16, doc="dimensions in which an agent represents a symbol", low=1, high=4096)
    pairs: int = static(1, doc="P, speakers, and as many listeners", unit="individuals", low=1, high=64)
    samples: int = static(2, doc="messages for each meaning in an update", low=2, high=100)
    school: int = static(1500, doc="updates of imitating people before step 0", low=1)
    updates: int = static(100, doc="updates of self-play in a step", low=1)
    lessons: int = static(0, doc="updates of students imitating the agents; 0: no students", low=0)

    task_accuracy = observable(doc="share of attributes that listeners get right, greedy messages, mean of all pairs")
    comprehension = observable(doc="C_acc of people: 1 as at school, 0 chance, below 0 misled; median of readers")
    comprehension_low = observable(doc="C_acc of the reader who understands least")
    comprehension_high = observable(doc="C_acc of the reader who understands most")
    comprehension_bits = observable(doc="C_bits of people, median of readers")
    misled = observable(doc="share of readers who are right about some attribute less often than by chance, at 95 %")
    reverse_comprehension = observable(doc="share of attributes that listeners get right when people speak")
    message_length = observable(doc="mean length of the greedy messages", unit="symbols")
    distinct = observable(doc="different greedy messages over meanings")
    topographic_similarity = observable(
        doc="rank correlation of distances between meanings and between messages; undefined where all are alike",
        undefined=True,
    )
    positional_disentanglement = observable(
        doc="how far each position names one attribute; undefined where no position varies", undefined=True
    )
    fresh_accuracy = observable(doc="share of attributes that a fresh listener learns, meanings of its lessons")
    fresh_held_out = observable(doc="the same, meanings that it never met")
    fresh_area = observable(doc="area under its learning curve")
    linear_probe = observable(doc="share of attributes that a linear probe reads, held-out meanings")
    linear_control = observable(doc="the same for labels dealt to messages at random")
    reward = observable(doc="mean reward in the last update", unit="nats")
    messages = observable(dims=("meaning", "position"), doc="the greedy language of the first speaker")

    def __post_init__(self):
        super().__post_init__()
        world.number_of_meanings(self.attributes, self.values)
        name = self.registered_name
        if self.length < 2 * self.attributes:
            raise ParameterError(f"{name}.length = {self.length}: people need {2 * self.attributes} symbols")
        if self.vocabulary < 1 + self.attributes + self.values:
            least = 1 + self.attributes + self.values
            raise ParameterError(f"{name}.vocabulary = {self.vocabulary}: people need {least} symbols, 0 among them")
        if not jnp.size(self.caps):
            raise ParameterError(f"{name}.caps = []: at least one is needed")
        known = self.caps_from
        if not isinstance(known, jax.core.Tracer) and jnp.ndim(known) == 1 and (np.diff(np.asarray(known)) < 0).any():
            raise ParameterError(f"{name}.caps_from = {np.asarray(known).tolist()}: steps in rising order are needed")
        if jnp.shape(self.caps) != jnp.shape(self.caps_from):
            raise ParameterError(
                f"{name}.caps_from: {jnp.size(self.caps_from)} steps for {jnp.size(self.caps)} caps; one for each"
            )

    @property
    def meanings(self) -> Array:
        """`[M, A]`."""
        return jnp.asarray(world.all_meanings(self.attributes, self.values))

    @property
    def agents(self) -> int:
        """Messages of a step, which is what it costs."""
        return self.pairs * self.samples * self.values**self.attributes * self.updates

    def _speaker(self) -> Any:
        from jaxcoord.language import agents

        return agents.speaker("recurrent", self.vocabulary, self.length, self.hidden, self.embedding)

    def _listener(self, kind: str = "recurrent") -> Any:
        from jaxcoord.language import agents

        return agents.listener(kind, self.vocabulary, self.attributes, self.values, self.hidden, self.embedding)

    def _newborn_listener(self, key: Array, kind: str = "recurrent") -> Any:
        from jaxcoord.language.agents import newborn

        return newborn(self._listener(kind), key, jnp.zeros((1, self.length), jnp.int32))

    def _newborn(self, key: Array) -> Pair:
        from jaxcoord.language.agents import newborn

        seen, message = world.one_hots(self.meanings[:1], self.values), jnp.zeros((1, self.length), jnp.int32)
        speaker = newborn(self._speaker(), jax.random.fold_in(key, 0), seen, message, method="score")
        return Pair(speaker, self._newborn_listener(jax.random.fold_in(key, 1)))

    def _human(self, key: Array) -> Array:
        """`[M, L]`: people speak about every meaning."""
        return world.speak_human(key, self.meanings, self.length, self.vocabulary)

    def _cap(self, step: Array) -> Array:
        """Most symbols that pass in a step."""
        begun = (jnp.asarray(self.caps_from) <= step).sum()
        return jnp.where(begun > 0, jnp.asarray(self.caps)[jnp.maximum(begun - 1, 0)], self.length)

    def _seen(self) -> Array:
        return world.one_hots(self.meanings, self.values)

    def _imitate(self, agents: Pair, optimiser: Any, messages: Array, rate: Any) -> tuple[Pair, Any]:
        """Speakers and listeners learn from messages `[P, M, L]` about every meaning."""

        def lost(agents: Pair, messages: Array) -> Array:
            scores = self._speaker().apply(agents.speaker, self._seen(), messages, method="score")
            heard = self._listener().apply(agents.listener, messages)
            return (learning.imitation(scores, messages) + learning.reconstruction_loss(heard, self.meanings)).mean()

        def loss(agents: Pair) -> tuple[Array, None]:
            return jax.vmap(lost)(agents, messages).sum(), None

        agents, optimiser, _ = descend(loss, rate, agents, optimiser)
        return agents, optimiser

    def _people(self) -> tuple[Any, Any]:
        """Readers who know the human protocol, the same wherever they are asked."""

        def taught(kind: str, key: Array) -> Any:
            weights = self._newborn_listener(jax.random.fold_in(key, 0), kind)

            def loss(weights: Any, messages: Array) -> tuple[Array, None]:
                heard = self._listener(kind).apply(weights, messages)
                return learning.reconstruction_loss(heard, self.meanings).mean(), None

            def lesson(carry: tuple[Any, Any], number: Array) -> tuple[tuple[Any, Any], None]:
                at = jax.random.fold_in(key, 1 + number)
                slips = jax.random.fold_in(at, 2)
                said = channels.symmetric_noise(slips, self._human(at), self.vocabulary, READERS_NOISE)
                return descend(loss, SCHOOL_RATE, *carry, said)[:2], None

            (weights, _), _ = jax.lax.scan(lesson, (weights, adam().init(weights)), jnp.arange(self.school))
            return weights

        keys = jax.random.split(jax.random.key(0), READERS + 1)
        return jax.vmap(lambda key: taught("recurrent", key))(keys[1:]), taught("perceptron", keys[0])

    def _readings(self, readers: tuple[Any, Any], messages: Array) -> Array:
        """`[3, n, A, V]`: what people make of messages, probabilities; all but the one in the loop."""
        judges = jax.tree.map(lambda leaf: leaf[1:], readers[0])
        recurrent = jax.vmap(lambda weights: self._listener().apply(weights, messages))(judges)
        flat = self._listener("perceptron").apply(readers[1], messages)
        return jax.nn.softmax(jnp.concatenate([recurrent, flat[None]]))

    def init(self, key: Array) -> Drifting:
        """The agents after school, each taught on its own."""

        def lesson(carry: tuple[Pair, Any], number: Array) -> tuple[tuple[Pair, Any], None]:
            said = jax.vmap(self._human)(jax.random.split(jax.random.fold_in(key, 1 + number), self.pairs))
            return self._imitate(*carry, said, SCHOOL_RATE), None

        agents = jax.vmap(self._newborn)(jax.random.split(jax.random.fold_in(key, 0), self.pairs))
        (agents, _), _ = jax.lax.scan(lesson, (agents, adam().init(agents)), jnp.arange(self.school))
        student = agents if self.lessons else ()
        none = jnp.zeros((), jnp.int32)
        return Drifting(agents, adam().init(agents), student, agents.speaker, self._people(), none, jnp.zeros(()))

    def step(self, state: Drifting, key: Array) -> Drifting:
        state = self._replace_listener(state, jax.random.fold_in(key, 0))
        cap = self._cap(state.step)

        def update(carry: tuple[Pair, Any, Array], number: Array) -> tuple[tuple[Pair, Any, Array], None]:
            agents, optimiser, _ = carry
            at = jax.random.fold_in(key, 2 + number)
            return descend(self._objective, self.learning_rate, agents, optimiser, state, cap, at), None

        (agents, optimiser, reward), _ = jax.lax.scan(
            update, (state.agents, state.optimiser, state.reward), jnp.arange(self.updates)
        )
        said = self.say(agents.speaker)
        changed = (said != self.say(state.agents.speaker)).any(-1).mean()
        auditor = jax.tree.map(lambda leaf: leaf[0], state.readers[0])
        read = jax.vmap(lambda said: jax.nn.softmax(self._listener().apply(auditor, said)))(channels.cap(said, cap))
        understood = jax.vmap(language_comprehension, (None, 0))(self.meanings, read).score.mean()
        # A score of -1 may round to less: where nobody audits, none is too low.
        allowed = (changed <= self.most_change) & ((understood >= self.audit) | (jnp.asarray(self.audit) <= -1))
        agents = agents._replace(speaker=renewed(allowed, state.agents.speaker, agents.speaker))
        agents = learning.unless_diverged(agents)
        state = state._replace(agents=agents, optimiser=optimiser, reward=reward, step=state.step + 1)
        return self._graduate(state) if self.lessons else state

    def _objective(self, agents: Pair, state: Drifting, cap: Array, key: Array) -> tuple[Array, Array]:
        """What an update asks to be minimised, summed over pairs, and the mean reward."""
        if self.pairs == 1:  # an axis of one would cost a tenth of the time
            pair, fluent = jax.tree.map(lambda leaf: leaf[0], (agents, state.fluent))
            return self._talk(pair, fluent, state.readers, cap, key)
        partner = jax.random.permutation(jax.random.fold_in(key, PURPOSES), self.pairs)
        agents = agents._replace(listener=jax.tree.map(lambda leaf: leaf[partner], agents.listener))
        asked, reward = jax.vmap(self._talk, (0, 0, None, None, 0))(
            agents, state.fluent, state.readers, cap, jax.random.split(key, self.pairs)
        )
        return asked.sum(), reward.mean()

    def _talk(self, agents: Pair, fluent: Any, readers: Any, cap: Array, key: Array) -> tuple[Array, Array]:
        """What a speaker and its listener ask to be minimised, and their mean reward."""
        keys = [jax.random.fold_in(key, purpose) for purpose in range(PURPOSES)]
        human, played = self._human(keys[0]), self.samples * len(self.meanings)
        meant = jnp.tile(self.meanings, (self.samples, 1))
        seen = world.one_hots(meant, self.values)
        # What is sampled and what is imitated go through the networks together.
        coins = jax.random.uniform(keys[1], (played + len(human), self.length))
        given = jnp.concatenate([jnp.full((played, self.length), -1), human])
        said, scores = self._speaker().apply(
            agents.speaker, jnp.concatenate([seen, self._seen()]), coins, given, method="speak"
        )
        messages, scores, imitated = said[:played], scores[:played], scores[played:]
        sent = channels.cap(messages, cap)
        heard = channels.symmetric_noise(keys[2], sent, self.vocabulary, self.noise)
        logits = self._listener().apply(agents.listener, jnp.concatenate([heard, human]))
        loss = learning.reconstruction_loss(logits[:played], meant)
        person = jax.tree.map(lambda leaf: leaf[0], readers[0])
        by_people = learning.reconstruction_loss(self._listener().apply(person, heard), meant)
        reward = -(1 - self.human_share) * jax.lax.stop_gradient(loss) - self.human_share * by_people
        reward = reward - channels.length_cost(sent, self.length_cost)
        baseline = learning.leave_one_out(reward.reshape(self.samples, -1), 0).reshape(-1)
        counts = learning.decided(messages) & (jnp.arange(self.length) < cap)
        usual = self._speaker().apply(fluent, seen, messages, method="score")

        def over(per_symbol: Array) -> Array:
            return jnp.where(counts, per_symbol, 0).sum(-1)

        policy = learning.surrogate(over(learning.chosen(scores, messages)), reward, baseline)
        freedom, strayed = over(learning.entropies(scores)), over(learning.divergences(scores, usual))
        taught = learning.imitation(imitated, human) + learning.reconstruction_loss(logits[played:], self.meanings)
        asked = loss + policy - self.entropy * freedom + self.anchor * strayed
        return asked.mean() + self.supervision * taught.mean(), reward.mean()

    def _replace_listener(self, state: Drifting, key: Array) -> Drifting:
        """A newborn instead of the next listener, where its time has come."""
        every = jnp.maximum(jnp.asarray(self.turnover), 1)
        due = (jnp.asarray(self.turnover) > 0) & (state.step > 0) & (state.step % every == 0)
        leaves = due & (jnp.arange(self.pairs) == state.step // every % self.pairs)
        newborn = jax.vmap(self._newborn_listener)(jax.random.split(key, self.pairs))
        agents = state.agents._replace(listener=renewed(leaves, state.agents.listener, newborn))
        return state._replace(agents=agents, optimiser=renewed(due, state.optimiser, adam().init(agents)))

    def _graduate(self, state: Drifting) -> Drifting:
        """Students of the generation before imitate the greedy messages, and take over when it is time."""
        messages = self.say(state.agents.speaker)

        def lesson(carry: tuple[Pair, Any], _: None) -> tuple[tuple[Pair, Any], None]:
            return self._imitate(*carry, messages, self.learning_rate), None

        start = (state.student, adam().init(state.student))
        (student, _), _ = jax.lax.scan(lesson, start, length=self.lessons)
        due = state.step % jnp.asarray(self.generation) == 0
        stays, takes = (state.agents, state.student, state.optimiser), (student, student, adam().init(student))
        agents, student, optimiser = renewed(due, stays, takes)
        return state._replace(agents=agents, student=student, optimiser=optimiser)

    def say(self, speaker: Any) -> Array:
        """`[P, M, L]` int32: the greedy message of each speaker for every meaning."""
        return jax.vmap(lambda weights: self._speaker().apply(weights, self._seen(), method="say"))(speaker)

    def observe(self, state: Drifting) -> dict[str, Array]:
        messages = channels.cap(self.say(state.agents.speaker), self._cap(state.step - 1))  # of the step just made
        human = jnp.asarray(world.human_code(self.attributes, self.values, self.length))

        def right(messages: Array) -> Array:
            heard = jax.vmap(lambda weights: self._listener().apply(weights, messages))(state.agents.listener)
            return (jnp.argmax(heard, -1) == self.meanings).mean()

        keys = jax.random.split(jax.random.fold_in(jax.random.key(2), state.step), self.pairs)
        spoken = jax.vmap(self._described, (0, None, 0))(messages, state.readers, keys)
        return jax.tree.map(lambda leaf: leaf.mean(0), spoken) | {
            "task_accuracy": jax.vmap(right)(messages).mean(),
            "reverse_comprehension": right(human),
            "reward": state.reward,
            "messages": messages[0],
        }

    def _described(self, messages: Array, readers: tuple[Any, Any], key: Array) -> dict[str, Array]:
        """What there is to say of the greedy messages `[M, L]` of a speaker."""
        meanings = self.meanings
        people = jax.vmap(lambda given: language_comprehension(meanings, given))(self._readings(readers, messages))
        score = over_readers(people.score)
        held_out = jax.random.permutation(jax.random.key(1), len(meanings)) < round(HELD_OUT * len(meanings))
        fresh = self._fresh(messages, held_out, key)
        read = logistic_reader(messages, self.values, self.vocabulary, PENALTY)
        probe = probe_selectivity(jax.random.key(3), meanings, messages, ~held_out, read)
        return {
            "comprehension": score.median,
            "comprehension_low": score.low,
            "comprehension_high": score.high,
            "comprehension_bits": over_readers(people.score_bits).median,
            "misled": people.misled.mean(),
            "message_length": information.message_length(messages).mean(),
            "distinct": distinct_share(messages),
            "topographic_similarity": topographic_similarity(meanings, messages, self.values),
            "positional_disentanglement": positional_disentanglement(meanings, messages),
            "fresh_accuracy": fresh[0],
            "fresh_held_out": fresh[1],
            "fresh_area": fresh[2],
            "linear_probe": probe.task.mean(),
            "linear_control": probe.control.mean(),
        }

    def _fresh(self, messages: Array, held_out: Array, key: Array) -> tuple[Array, Array, Array]:
        """A newborn listener's accuracy after its lessons, on their meanings and on others, and its curve's mean."""
        weights = self._newborn_listener(key)

        def loss(weights: Any) -> tuple[Array, Array]:
            logits = self._listener().apply(weights, messages)
            right = (jnp.argmax(logits, -1) == self.meanings).mean(-1)
            lost = learning.reconstruction_loss(logits, self.meanings)
            return jnp.where(held_out, 0, lost).sum() / (~held_out).sum(), right

        def lesson(carry: tuple[Any, Any], _: None) -> tuple[tuple[Any, Any], Array]:
            weights, optimiser, right = descend(loss, SCHOOL_RATE, *carry)
            return (weights, optimiser), right

        _, right = jax.lax.scan(lesson, (weights, adam().init(weights)), length=FRESH_LESSONS)
        known = jnp.where(held_out, 0, right).sum(-1) / (~held_out).sum()
        return known[-1], jnp.where(held_out, right[-1], 0).sum() / held_out.sum(), known.mean()

    def coords(self) -> Mapping[str, Sequence[Any]]:
        return {"meaning": ["-".join(map(str, row)) for row in world.all_meanings(self.attributes, self.values)]}


def descend(loss: Any, rate: Any, weights: Any, optimiser: Any, *given: Any) -> tuple[Any, Any, Any]:
    """One step of Adam. Args: `loss`, from weights and what is given to a number and anything else, which returns."""
    gradient, other = jax.grad(loss, has_aux=True)(weights, *given)
    change, optimiser = adam().update(gradient, optimiser)
    return jax.tree.map(lambda x, by: x - rate * by, weights, change), optimiser, other
