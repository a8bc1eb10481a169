"""Referential games: communities of speakers and listeners that learn a code by using it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxcoord.errors import ParameterError
from jaxcoord.language import channels, information, learning, world
from jaxcoord.language.distance import topographic_similarity
from jaxcoord.language.efficiency import power_law
from jaxcoord.language.optimisers import adams, fresh_adam, renewed
from jaxcoord.language.structure import positional_disentanglement
from jaxcoord.model import Model, observable, param, static

Array = jax.Array
MEASURED = 500  # meanings among which distances are compared, where there are more
PURPOSES = 5  # of draws in an update


class Community(NamedTuple):
    """A community of P speakers and P listeners."""

    agents: Any
    """Parameters `{"speaker": ..., "listener": ...}`, every leaf with a first axis P."""
    optimiser: Any
    """What Adam remembers of each agent, leaves with a first axis P."""
    baseline: Array
    """`[P]`: mean reward of each speaker over all batches so far."""
    order: Array
    """`[M]` int32: numbers of the meanings, those that are held out last."""
    step: Array
    loss: Array
    """`[P]` nats: of each speaker's listener in the last batch, mean of attributes."""
    understood: Array
    """`[P]`: share of the last batch that each speaker's listener wholly understood."""


class ReferentialGame(Model):
    """A community invents a code: speakers see a meaning, listeners must name or find it from the message alone.

    One step is `updates` batches. In each, speakers and listeners are paired at random, every speaker sends a message
    for each meaning of its batch through the channel, and both learn by Adam: listeners by cross-entropy, speakers by
    REINFORCE (reward: minus the listener's loss, less a cost per symbol; baseline: the mean of earlier batches;
    bonus: entropy) or, with `learning="gumbel"`, by straight-through gradients that pass the channel. With
    `candidates=0` the listener names every attribute; with n it picks the meaning among n, the others drawn at random.
    With `lessons` a step is a generation: newborns who imitated the generation before, for so many updates, play on.
    An impatient listener's loss is the mean over all beginnings of a message; a lazy speaker pays once it is
    understood.
    Source: Lewis 1969; Lazaridou, Peysakhovich & Baroni 2017; Chaabouni et al. 2020; Kharitonov et al. 2021 (EGG);
    Rita, Chaabouni & Dupoux 2020 (lazy and impatient); Ren et al. 2020 (generations).
    """

    learning_rate: float = param(1e-3, doc="step size of Adam", low=0, high=10)
    entropy: float = param(0.05, doc="eta: weight of a message's mean entropy per symbol", unit="1/nat", low=0)
    length_cost: float = param(0.0, doc="lambda: reward lost per symbol", unit="nats", low=0)
    laziness: float = param(0.0, doc="a: the cost is lambda times the share understood in the last batch, to a", low=0)
    noise: float = param(0.0, doc="probability that a symbol arrives as another", low=0, high=1)
    dropout: float = param(0.0, doc="probability that a symbol is lost; those after it close up", low=0, high=1)
    temperature: float = param(1.0, doc="tau of relaxed symbols, where gradients pass the channel", low=1e-3)
    exponent: float = param(0.0, doc="s: meaning r of those learned from is drawn with p ~ r^-s; 0: all alike", low=0)
    turnover: int = param(
        0, doc="steps after which the next listener is replaced by a newborn; 0: never", unit="steps", low=0
    )
    attributes: int = static(2, doc="A, attributes of a meaning", low=1, high=10)
    values: int = static(10, doc="V, values of each attribute", low=2, high=1000)
    vocabulary: int = static(20, doc="K, symbols, with 0, which ends a message", unit="symbols", low=2, high=1000)
    length: int = static(5, doc="L, most symbols of a message", unit="symbols", low=1, high=100)
    pairs: int = static(1, doc="P, speakers, and as many listeners", unit="individuals", low=1, high=64)
    candidates: int = static(0, doc="meanings from which a listener picks; 0: it names attributes", low=0, high=1000)
    held_out: int = static(0, doc="meanings, drawn at random, that nobody learns from", low=0)
    architecture: str = static(
        "recurrent", doc="what speakers and listeners are", choices=("recurrent", "perceptron", "table")
    )
    learning: str = static("reinforce", doc="how speakers learn", choices=("reinforce", "gumbel"))
    listening: str = static(
        "whole",
        doc="what a listener learns from: whole messages, or all their beginnings",
        choices=("whole", "impatient"),
    )
    hidden: int = static(64, doc="units of an agent's hidden layer", low=1, high=4096)
    embedding: int = static(32, doc="dimensions in which an agent represents a symbol", low=1, high=4096)
    batch: int = static(32, doc="meanings in a batch of one pair", low=1)
    updates: int = static(50, doc="batches in a step", low=1)
    lessons: int = static(0, doc="batches from which newborns learn, who then replace everybody; 0: nobody", low=0)

    accuracy = observable(doc="share of meanings learned from that are wholly understood, greedy, mean of all pairs")
    attribute_accuracy = observable(doc="share of their attributes that are understood")
    held_out_accuracy = observable(
        doc="share of held-out meanings that are wholly understood; undefined where there are none", undefined=True
    )
    chance = observable(doc="accuracy of a listener that guesses")
    loss = observable(doc="loss of the listeners in the last batch, mean of attributes", unit="nats")
    message_length = observable(doc="mean length of the greedy messages", unit="symbols")
    distinct = observable(doc="different greedy messages over meanings")
    topographic_similarity = observable(
        doc="rank correlation of distances between meanings and between messages; undefined where all are alike",
        undefined=True,
    )
    positional_disentanglement = observable(
        doc="how far each position names one attribute; undefined where no position varies", undefined=True
    )
    agreement = observable(doc="share of meanings for which a speaker says what the first one says")
    messages = observable(dims=("meaning", "position"), doc="greedy messages of the first speaker")

    def __post_init__(self):
        super().__post_init__()
        meanings, name = world.number_of_meanings(self.attributes, self.values), self.registered_name
        sayable = sum((self.vocabulary - 1) ** length for length in range(self.length + 1))
        if sayable < meanings:
            raise ParameterError(
                f"{name}.vocabulary = {self.vocabulary}: there are {sayable} messages of at most {self.length} symbols "
                f"for {meanings} meanings; more symbols or a longer message are needed"
            )
        if self.held_out >= meanings:
            raise ParameterError(f"{name}.held_out = {self.held_out}: less than the {meanings} meanings that there are")
        if self.candidates == 1:
            raise ParameterError(f"{name}.candidates = 1: 0, or at least 2")
        if self.candidates > meanings - self.held_out:
            raise ParameterError(
                f"{name}.candidates = {self.candidates}: at most the {meanings - self.held_out} meanings learned from"
            )
        if self.learning == "gumbel" and (self.architecture != "recurrent" or self.candidates):
            raise ParameterError(
                f"{name}.learning = 'gumbel': only with architecture = 'recurrent' and candidates = 0, or 'reinforce'"
            )
        if self.learning == "gumbel" and self.listening == "impatient":
            raise ParameterError(f"{name}.listening = 'impatient': only with learning = 'reinforce', or 'whole'")

    @property
    def meanings(self) -> int:
        """M, all meanings that there are."""
        return self.values**self.attributes

    def _speaker(self) -> Any:
        from jaxcoord.language import agents

        return agents.speaker(self.architecture, self.vocabulary, self.length, self.hidden, self.embedding)

    def _listener(self) -> Any:
        from jaxcoord.language import agents

        return agents.listener(
            self.architecture, self.vocabulary, self.attributes, self.values, self.hidden, self.embedding
        )

    def _newborn(self, key: Array) -> dict[str, Any]:
        """Parameters of a speaker and a listener that know nothing."""
        from jaxcoord.language.agents import newborn

        seen, message = self._seen(jnp.zeros(1, jnp.int32)), jnp.zeros((1, self.length), jnp.int32)
        return {
            "speaker": newborn(self._speaker(), jax.random.fold_in(key, 0), seen, message, method="score"),
            "listener": newborn(self._listener(), jax.random.fold_in(key, 1), message),
        }

    def _meant(self, number: Array) -> Array:
        """`[..., A]`: meanings by their numbers."""
        return number[..., None] // self.values ** jnp.arange(self.attributes - 1, -1, -1) % self.values

    def _seen(self, number: Array) -> Array:
        """`[..., D]`: what a speaker sees of meanings; one with a table sees which row it is."""
        if self.architecture == "table":
            return jax.nn.one_hot(number, self.meanings)
        return world.one_hots(self._meant(number), self.values)

    def init(self, key: Array) -> Community:
        """Newborn agents who have never met."""
        agents = jax.vmap(self._newborn)(jax.random.split(jax.random.fold_in(key, 0), self.pairs))
        order = jnp.arange(self.meanings, dtype=jnp.int32)
        if self.held_out:
            order = jax.random.permutation(jax.random.fold_in(key, 1), order)
        none = jnp.zeros(self.pairs)
        return Community(agents, jax.vmap(adams().init)(agents), none, order, jnp.zeros((), jnp.int32), none, none)

    def step(self, state: Community, key: Array) -> Community:
        share = jnp.cumsum(power_law(self.meanings - self.held_out, self.exponent))
        if self.lessons:
            state = self._next_generation(state, share, jax.random.fold_in(key, 1 + self.updates))
        state = self._replace_one(state, jax.random.fold_in(key, 0))

        def update(state: Community, number: Array) -> tuple[Community, None]:
            price = self.length_cost * state.understood**self.laziness
            gradient, (loss, understood, reward) = jax.grad(self._objective, has_aux=True)(
                state.agents, state.baseline, state.order, share, price, jax.random.fold_in(key, 1 + number)
            )
            change, optimiser = jax.vmap(adams().update)(gradient, state.optimiser)
            agents = jax.tree.map(lambda value, by: value - self.learning_rate * by, state.agents, change)
            batches = state.step * self.updates + number
            baseline = jax.vmap(learning.running_mean, (0, None, 0))(state.baseline, batches, reward)
            learned = {"agents": agents, "optimiser": optimiser, "baseline": baseline}
            return state._replace(**learned, loss=loss, understood=understood), None

        state, _ = jax.lax.scan(update, state, jnp.arange(self.updates))
        return state._replace(agents=learning.unless_diverged(state.agents), step=state.step + 1)

    def _replace_one(self, state: Community, key: Array) -> Community:
        """A newborn instead of the next listener, where its time has come; Adam remembers nothing of it."""
        every = jnp.maximum(jnp.asarray(self.turnover), 1)
        due = (jnp.asarray(self.turnover) > 0) & (state.step > 0) & (state.step % every == 0)
        leaves = due & (jnp.arange(self.pairs) == state.step // every % self.pairs)
        newborn = jax.vmap(self._newborn)(jnp.broadcast_to(key, (self.pairs,)))
        listeners = renewed(leaves, state.agents["listener"], newborn["listener"])
        optimiser = fresh_adam(leaves, state.optimiser, jax.vmap(adams().init)(newborn))
        return state._replace(agents=state.agents | {"listener": listeners}, optimiser=optimiser)

    def _next_generation(self, state: Community, share: Array, key: Array) -> Community:
        """Newborns instead of all, each speaker and each listener taught by what one speaker says."""
        newborn = jax.vmap(self._newborn)(jax.random.split(jax.random.fold_in(key, 0), self.pairs))
        optimiser = jax.vmap(adams().init)(newborn)

        def lesson(carry: tuple[Any, Any], number: Array) -> tuple[tuple[Any, Any], None]:
            agents, optimiser = carry
            keys = jax.random.split(jax.random.fold_in(key, 1 + number), 3)
            place = self._places(share, keys[0])
            seen = self._seen(state.order[place])
            messages, _ = self._speak(state.agents["speaker"], seen, keys[1])

            def loss(agents: Any) -> Array:
                score = lambda *given: self._speaker().apply(*given, method="score")  # noqa: E731
                scores = jax.vmap(score)(agents["speaker"], seen, messages)
                logits = jax.vmap(self._listener().apply)(agents["listener"], messages)
                lost, _ = self._losses(logits, state.order, place, keys[2])
                return (learning.imitation(scores, messages) + lost).mean(1).sum()

            change, optimiser = jax.vmap(adams().update)(jax.grad(loss)(agents), optimiser)
            return (jax.tree.map(lambda value, by: value - self.learning_rate * by, agents, change), optimiser), None

        taught, _ = jax.lax.scan(lesson, (newborn, optimiser), jnp.arange(self.lessons))
        agents, optimiser = renewed(state.step > 0, (state.agents, state.optimiser), taught)
        return state._replace(agents=agents, optimiser=optimiser)

    def _places(self, share: Array, key: Array) -> Array:
        """`[P, n]` int32: places in the order of meanings, drawn for a batch of each speaker."""
        coin = share[-1] * jax.random.uniform(key, (self.pairs, self.batch))
        return jnp.minimum(jnp.searchsorted(share, coin, side="right"), share.shape[0] - 1)

    def _speak(self, speakers: Any, seen: Array, key: Array) -> tuple[Array, Array]:
        """Messages `[P, n, L]` about what is seen `[P, n, D]`, and their log-probabilities `[P, n, L, K]`."""
        coins = jax.random.uniform(key, (self.pairs, self.batch, self.length))
        speak = lambda weights, seen, coin: self._speaker().apply(weights, seen, coin, method="speak")  # noqa: E731
        return jax.vmap(speak)(speakers, seen, coins)

    def _objective(
        self, agents: Any, baseline: Array, order: Array, share: Array, price: Array, key: Array
    ) -> tuple[Array, tuple[Array, Array, Array]]:
        """What a batch asks to be minimised, summed over pairs; `[P]` losses, shares understood and rewards.

        Args: `share`, sums of the probabilities with which the meanings at the first places of the order are drawn;
        `price` `[P]` of a symbol.
        """
        keys = [jax.random.fold_in(key, purpose) for purpose in range(PURPOSES)]
        place = self._places(share, keys[0])
        partner = jax.random.permutation(keys[1], self.pairs) if self.pairs > 1 else jnp.zeros(1, int)
        if self.learning == "gumbel":
            loss, right, scores, messages = self._through(agents, order[place], partner, price, keys)
        else:
            messages, scores = self._speak(agents["speaker"], self._seen(order[place]), keys[2])
            heard = channels.closed_up(*self._heard(messages, keys[3]))[partner]

            def listen(heard: Array) -> tuple[Array, Array]:
                logits = jax.vmap(self._listener().apply)(agents["listener"], heard)
                return self._losses(logits, order, place[partner], keys[4])

            loss, right = listen(heard) if self.listening == "whole" else self._at_once(listen, heard)
        back = jnp.argsort(partner)  # from the order of listeners to that of speakers
        if self.pairs > 1:
            loss, right = loss[back], right[back]
        reward = -jax.lax.stop_gradient(loss) - channels.length_cost(messages, price[:, None])
        freedom = learning.over_decided(learning.entropies(scores), messages) / learning.decided(messages).sum(-1)
        asked = loss - self.entropy * freedom
        if self.learning == "reinforce":
            said = learning.message_log_probability(scores, messages)
            asked = asked + learning.surrogate(said, reward, baseline[:, None])
        return asked.mean(1).sum(), (loss.mean(1), right.mean(1, dtype=float), reward.mean(1))

    def _at_once(self, listen: Callable[[Array], tuple[Array, Array]], heard: Array) -> tuple[Array, Array]:
        """Losses, mean of all readings up to the end of a message, and whether the last one is right; `[P, n]`."""
        loss, right = jax.vmap(lambda position: listen(channels.cap(heard, position)))(jnp.arange(1, self.length + 1))
        counts = learning.decided(heard)
        return (jnp.moveaxis(loss, 0, -1) * counts).sum(-1) / counts.sum(-1), right[-1]

    def _through(
        self, agents: Any, number: Array, partner: Array, price: Array, keys: list[Array]
    ) -> tuple[Array, Array, Array, Array]:
        """Losses and whether understood `[P, n]`, in the order of listeners, log-probabilities and messages.

        Gradients pass the channel.
        """
        coins = jax.random.uniform(keys[2], (self.pairs, self.batch, self.length, self.vocabulary))
        relax = lambda weights, seen, coin: self._speaker().apply(  # noqa: E731
            weights, seen, coin, self.temperature, method="relax"
        )
        symbols, scores = jax.vmap(relax)(agents["speaker"], self._seen(number), coins)
        messages = information.contents(jnp.argmax(symbols, -1).astype(jnp.int32))
        heard, places = self._heard(messages, keys[3])
        replaced = jax.nn.one_hot(heard, self.vocabulary)
        symbols = channels.moved(jnp.where((heard != messages)[..., None], replaced, symbols), places)
        read = lambda weights, given: self._listener().apply(weights, given, method="readings")  # noqa: E731
        logits = jax.vmap(read)(agents["listener"], symbols[partner])
        meant = self._meant(number[partner])[:, :, None]
        at_each, right = learning.reconstruction_loss(logits, meant), (jnp.argmax(logits, -1) == meant).all(-1)
        ends = learning.stopping_weights(symbols[partner][..., 0])
        spent = price[partner, None, None] * jnp.arange(self.length + 1)
        cost = (ends * spent).sum(-1)
        # The cost's value is in the reward already; here it has a gradient as well.
        loss = (ends * at_each).sum(-1) + cost - jax.lax.stop_gradient(cost)
        return loss, (ends * right).sum(-1), scores, messages

    def _heard(self, messages: Array, key: Array) -> tuple[Array, Array]:
        """What becomes of symbols, and where they arrive; with one symbol there is no other that it is taken for."""
        heard = messages
        if self.vocabulary > 2:
            heard = channels.symmetric_noise(key, messages, self.vocabulary, self.noise)
        return heard, channels.deletion_places(jax.random.fold_in(key, 1), heard, self.dropout)

    def _candidates(self, order: Array, place: Array, key: Array) -> Array:
        """`[..., C, A]`: the meaning at a place of the order, and others of those learned from, all different."""
        learned, others = self.meanings - self.held_out, self.candidates - 1
        coins = jax.random.uniform(key, (*place.shape, others))

        def draw(number: Array, apart: Array) -> Array:
            # Floyd's sampling: the next of 1..top, or top itself where that is taken; every set is as likely.
            top = learned - others + number
            wished = 1 + jnp.minimum((coins[..., number] * top).astype(jnp.int32), top - 1)
            taken = (apart == wished[..., None]).any(-1)
            return apart.at[..., number].set(jnp.where(taken, top, wished))

        apart = jax.lax.fori_loop(0, others, draw, jnp.zeros((*place.shape, others), jnp.int32))
        found = (place[..., None] + apart) % learned
        return self._meant(order[jnp.concatenate([place[..., None], found], -1)])

    def _losses(self, logits: Array, order: Array, place: Array, key: Array) -> tuple[Array, Array]:
        """`[...]` nats, and whether all is understood: readings `[..., A, V]` of meanings at places of the order."""
        if not self.candidates:
            meant = self._meant(order[place])
            return learning.reconstruction_loss(logits, meant), (jnp.argmax(logits, -1) == meant).all(-1)
        fits = candidate_scores(logits, self._candidates(order, place, key))
        return -jax.nn.log_softmax(fits)[..., 0], jnp.argmax(fits, -1) == 0

    def observe(self, state: Community) -> dict[str, Array]:
        number = jnp.asarray(np.unique(np.linspace(0, self.meanings - 1, MEASURED).round()).astype(np.int32))
        say = lambda weights: self._speaker().apply(weights, self._seen(number), method="say")  # noqa: E731
        messages = jax.vmap(say)(state.agents["speaker"])
        right = jax.vmap(lambda said: jax.vmap(lambda w: self._understood(w, said, number, state))(
            state.agents["listener"]))(messages)  # fmt: skip
        held = jnp.zeros(self.meanings, bool).at[state.order[self.meanings - self.held_out :]].set(True)[number]
        learned, whole = ~held, right.min(-1).mean((0, 1))
        first = messages[0]
        meant = self._meant(number)
        return {
            "accuracy": jnp.where(learned, whole, 0).sum() / learned.sum(),
            "attribute_accuracy": jnp.where(learned, right.mean((0, 1, 3)), 0).sum() / learned.sum(),
            "held_out_accuracy": jnp.where(held, whole, 0).sum() / held.sum(),
            "chance": jnp.asarray(1 / self.candidates if self.candidates else self.values**-self.attributes, float),
            "loss": state.loss.mean(),
            "message_length": information.message_length(messages).mean(),
            "distinct": distinct_share(first),
            "topographic_similarity": topographic_similarity(meant, first, self.values),
            "positional_disentanglement": positional_disentanglement(meant, first),
            "agreement": (messages == first).all(-1)[1:].mean() if self.pairs > 1 else jnp.ones(()),
            "messages": first,
        }

    def _understood(self, weights: Any, said: Array, number: Array, state: Community) -> Array:
        """`[M, A]`: which attributes a listener gets right, 0 or 1; all alike where it picks a candidate.

        Where it cannot tell the meaning from others, it picks one of them: what that is worth on the average.
        """
        logits = self._listener().apply(weights, said)
        if not self.candidates:
            return (jnp.argmax(logits, -1) == self._meant(number)).astype(float)
        place = jnp.argsort(state.order)[number]
        options = self._candidates(state.order, place, jax.random.fold_in(jax.random.key(0), state.step))
        fits = candidate_scores(logits, options)
        best = fits == fits.max(-1, keepdims=True)
        return jnp.broadcast_to((best[:, :1] / best.sum(-1, keepdims=True)), (len(number), self.attributes))

    @property
    def agents(self) -> int:
        """Samples of a step, which is what it costs."""
        return self.pairs * self.batch * (self.updates + self.lessons)

    def coords(self) -> Mapping[str, Sequence[Any]]:
        number = np.unique(np.linspace(0, self.meanings - 1, MEASURED).round()).astype(int)
        names = ["-".join(map(str, row)) for row in world.all_meanings(self.attributes, self.values)[number]]
        return {"meaning": names}


def candidate_scores(logits: Array, candidates: Array) -> Array:
    """`[..., C]`: how well a reading fits each candidate, the sum of its attributes' logits.

    Args: `logits` `[..., A, V]`; `candidates` `[..., C, A]`.
    """
    return jnp.einsum("...av,...cav->...c", logits, jax.nn.one_hot(candidates, logits.shape[-1], dtype=logits.dtype))


def distinct_share(messages: Array) -> Array:
    """Different messages over meanings. Args: `[M, L]`, 0 after their ends."""
    same = (messages[:, None] == messages[None]).all(-1)
    return 1 - jnp.triu(same, 1).any(0).mean()
