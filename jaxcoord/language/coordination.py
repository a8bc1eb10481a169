"""Talk before a game: two agents learn to send a symbol and then to act, where the symbol matters and where not."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxcoord.errors import ParameterError
from jaxcoord.games import MatrixGame, stag_hunt
from jaxcoord.language import learning, signalling
from jaxcoord.language.drift import descend
from jaxcoord.language.information import table_information
from jaxcoord.language.optimisers import adam
from jaxcoord.model import Model, component, observable, param, static

Array = jax.Array
EXAM = 512  # games on which all populations are measured
AGENTS = 2
SIZES = ("enter", "speak", "combine", "act")  # layers of an agent


class Games(NamedTuple):
    """A batch of games for two."""

    seen: Array
    """`[2, n, D]`: what each agent observes."""
    payoff: Array
    """`[2, n, A, A]`: of each agent, for the act of the first (row) and of the second (column)."""


def private_games(key: Array, number: int, acts: int) -> Games:
    """Games in which each agent alone sees a state that the other has to name by its act; both are paid alike.

    The payoff is 1 if both acts are right, 1/2 if one is. States are uniform, as many as acts, so that agents who
    cannot communicate get 1 / acts whatever they do.

    Args: `number` n and `acts` A, static.
    """
    state = jax.nn.one_hot(jax.random.randint(key, (AGENTS, number), 0, acts), acts)
    both = (state[1][:, :, None] + state[0][:, None, :]) / 2
    return Games(state, jnp.stack([both, both]))


def matrix_games(key: Array, number: int, acts: int) -> Games:
    """Games whose payoffs are independent normal numbers, all of which both agents see.

    An agent observes its own payoffs, then the other's, a row for each act of its own.

    Args: `number` n and `acts` A, static.
    Source: after the matrix communication games of Lowe et al. 2019, AAMAS.
    """
    payoff = jax.random.normal(key, (AGENTS, number, acts, acts))
    turned = payoff.swapaxes(2, 3)
    first, second = jnp.stack([payoff[0], payoff[1]], 1), jnp.stack([turned[1], turned[0]], 1)
    return Games(jnp.stack([first, second]).reshape(AGENTS, number, -1), payoff)


def table_games(payoff: Array, number: int) -> Games:
    """The same game every time, one of the library's, of which agents see nothing: what they say is cheap talk.

    Args: `payoff` `[A, A]`, of the row against the column, for both; `number` n, static.
    """
    both = jnp.stack([payoff, payoff.T])
    return Games(jnp.ones((AGENTS, number, 1)), jnp.broadcast_to(both[:, None], (AGENTS, number, *payoff.shape)))


GAMES = "private", "matrix", "table"


def newborn(key: Array, observed: int, symbols: int, acts: int, hidden: int) -> dict[str, tuple[Array, Array]]:
    """Weights and biases of an agent, drawn in one block, uniform up to the inverse root of the inputs.

    Args: `observed` D, `symbols` M, `acts` A and `hidden` units, static.
    Returns: for each layer of `SIZES` weights `[inputs, outputs]` and a bias.
    """
    shapes = (observed, hidden), (hidden, symbols), (hidden + symbols, hidden), (hidden, acts)
    coins = jax.random.uniform(key, (sum(n * m for n, m in shapes),), minval=-1, maxval=1)
    layers, start = {}, 0
    for name, (n, m) in zip(SIZES, shapes, strict=True):
        layers[name] = (coins[start : start + n * m].reshape(n, m) * n**-0.5, jnp.zeros(m))
        start += n * m
    return layers


def _layer(weights: tuple[Array, Array], given: Array) -> Array:
    return given @ weights[0] + weights[1]


def talk(weights: dict[str, tuple[Array, Array]], seen: Array) -> tuple[Array, Array]:
    """Log-probabilities of the symbol to send `[n, M]`, and the hidden layer `[n, H]` that the act depends on too."""
    features = jax.nn.relu(_layer(weights["enter"], seen))
    return jax.nn.log_softmax(_layer(weights["speak"], features)), features


def act(weights: dict[str, tuple[Array, Array]], features: Array, heard: Array) -> Array:
    """Log-probabilities of acts `[..., A]`. Args: `features` `[..., H]` of `talk`; `heard` `[..., M]`, one-hot."""
    both = jnp.concatenate([features, heard], -1)
    return jax.nn.log_softmax(_layer(weights["act"], jax.nn.relu(_layer(weights["combine"], both))))


class Policies(NamedTuple):
    """What two agents would do in n games."""

    messages: Array
    """`[2, n, M]`: probabilities of the symbols each sends."""
    acts: Array
    """`[2, n, M, A]`: probabilities of each one's acts, for every symbol that it could be made to hear."""


def policies(agents: Any, seen: Array) -> Policies:
    """The policies of two agents, their acts under every symbol of the other, set by hand.

    Args: `agents`, weights with a first axis of 2; `seen` `[2, n, D]`.
    """
    messages, features = jax.vmap(talk)(agents, seen)
    symbols = messages.shape[-1]
    every = jnp.broadcast_to(jnp.eye(symbols), (AGENTS, *seen.shape[1:-1], symbols, symbols))
    wide = jnp.broadcast_to(features[:, :, None], (*every.shape[:-1], features.shape[-1]))
    return Policies(jnp.exp(messages), jnp.exp(jax.vmap(act)(agents, wide, every)))


class Usage(NamedTuple):
    """What messages do in games (see `message_use`), `[2]` each: of the agent as a listener, or as a speaker."""

    reward: Array
    """Expected payoff of each agent."""
    scrambled: Array
    """The same where each hears a symbol that was meant for another game."""
    speaker_consistency: Array
    """I(own symbol; own act), bits."""
    instantaneous_coordination: Array
    """I(own symbol; the other's act), bits."""
    causal_influence: Array
    """Bits between a symbol set by hand, as often as it is said, and the act of who hears it, in a given game."""
    positive_listening: Array
    """How far the symbol moves the act of who hears it, 0 to 2."""


def message_use(found: Policies, payoff: Array) -> Usage:
    """Reward with and without the messages, and the informations that claim to tell whether they matter.

    All are expectations over the agents' own coins, so that only the choice of the n games is random. Information
    between symbols and acts is that of the n games; it exceeds that of all games by about (M-1)(A-1) / (2 n ln 2) bits.

    Args: `found` policies in n games; `payoff` `[2, n, A, A]` of `Games`.
    Returns: a `Usage`.
    Source: Lowe et al. 2019, AAMAS; Jaques et al. 2019; Eccles et al. 2019.
    """
    heard = found.messages[::-1]
    number = heard.shape[1]
    usual = jnp.broadcast_to(heard.mean(1, keepdims=True), heard.shape)

    def taken(symbols: Array) -> Array:
        return (symbols[..., None] * found.acts).sum(2)

    def worth(chosen: Array) -> Array:
        return (payoff * chosen[0][:, :, None] * chosen[1][:, None, :]).sum((2, 3)).mean(1)

    def shared(own: Array, done: Array) -> Array:
        # Games are summed over as a product of matrices.
        return table_information(own.T @ done / number)

    # A symbol reaches the other's act in each game alone: what the other does, given that symbol.
    joint = (found.messages[..., None] * found.acts[::-1]).mean(1)
    listens = jax.vmap(lambda said, does: signalling.positive_listening(jnp.full(number, 1 / number), said, does))
    return Usage(
        worth(taken(heard)),
        worth(taken(usual)),
        jax.vmap(shared)(found.messages, taken(heard)),
        jax.vmap(table_information)(joint),
        jax.vmap(signalling.influence)(heard.mean(1), found.acts),
        listens(heard, found.acts),
    )


class Talkers(NamedTuple):
    """Two agents who talk and act."""

    agents: Any
    """Weights, every leaf with a first axis of 2."""
    optimiser: Any
    """What Adam remembers of them."""
    step: Array


class MatrixCommunication(Model):
    """Two agents meet in new games; each sends a symbol, hears the other's, and acts. Both learn by policy gradients.

    One step is `updates` batches. In each game an agent's hidden layer, a perceptron's on what it observes, decides
    its symbol and, with the symbol it hears, its act. Symbol and act are reinforced together by the agent's own payoff
    (REINFORCE, baseline: the mean of the batch's other games; bonus: entropies), with Adam. In `private` games each
    must name what only the other sees, so that the payoff needs the messages; in `matrix` games both see all there is
    to know; in `table` games they talk before the one game given by `table`, and see nothing.

    Symbols that tell what their speaker will do are no evidence of communication: a message matters where, set by hand,
    it changes an act, and where rewards fall when messages are scrambled.
    Source: Lowe et al. 2019, AAMAS; Williams 1992 (the gradient).
    """

    learning_rate: float = param(5e-3, doc="step size of Adam", low=0, high=10)
    entropy: float = param(0.01, doc="eta: weight of the entropies of symbol and act", unit="1/nat", low=0)
    game: str = static("private", doc="what payoffs depend on and who sees it", choices=GAMES)
    table: MatrixGame = component(stag_hunt, base=MatrixGame, doc="what is played after the talk where game = 'table'")
    acts: int = static(3, doc="A, acts of each agent; those of the `table`, where it is played", low=2, high=100)
    symbols: int = static(4, doc="M, symbols, one of which each agent sends", unit="symbols", low=2, high=1000)
    hidden: int = static(32, doc="units of an agent's hidden layers", low=1, high=4096)
    batch: int = static(64, doc="games in a batch", low=2)
    updates: int = static(50, doc="batches in a step", low=1)

    reward = observable(doc="expected payoff, mean of both agents")
    scrambled_reward = observable(doc="the same where every agent hears a symbol that was sent in another game")
    speaker_consistency = observable(doc="I(own symbol; own act), mean of both", unit="bits")
    instantaneous_coordination = observable(doc="I(own symbol; act of the other), mean of both", unit="bits")
    causal_influence = observable(
        doc="information between a symbol that is set by hand and the act of who hears it, mean of both", unit="bits"
    )
    positive_listening = observable(doc="how far a symbol moves the act of who hears it, 0 to 2, mean of both")

    def __post_init__(self):
        super().__post_init__()
        there = len(self.table.strategies)
        if self.game == "table" and self.acts != there:
            raise ParameterError(f"{self.registered_name}.acts = {self.acts}: the game of the table has {there}")

    def _deal(self, key: Array, number: int) -> Games:
        if self.game == "table":
            return table_games(self.table.payoff(), number)
        return (private_games if self.game == "private" else matrix_games)(key, number, self.acts)

    @property
    def agents(self) -> int:
        """Games of a step, which is what it costs."""
        return self.batch * self.updates

    def _newborn(self, key: Array) -> Any:
        observed = {"private": self.acts, "matrix": 2 * self.acts**2, "table": 1}[self.game]
        return newborn(key, observed, self.symbols, self.acts, self.hidden)

    def init(self, key: Array) -> Talkers:
        """Newborn agents who have never met."""
        agents = jax.vmap(self._newborn)(jax.random.split(key, AGENTS))
        return Talkers(agents, adam().init(agents), jnp.zeros((), jnp.int32))

    def step(self, state: Talkers, key: Array) -> Talkers:
        def update(carry: tuple[Any, Any], number: Array) -> tuple[tuple[Any, Any], None]:
            at = jax.random.fold_in(key, number)
            return descend(self._objective, self.learning_rate, *carry, at)[:2], None

        (agents, optimiser), _ = jax.lax.scan(update, (state.agents, state.optimiser), jnp.arange(self.updates))
        return Talkers(learning.unless_diverged(agents), optimiser, state.step + 1)

    def _objective(self, agents: Any, key: Array) -> tuple[Array, None]:
        """What a batch asks to be minimised, summed over agents."""
        games = self._deal(jax.random.fold_in(key, 0), self.batch)
        coins = jax.random.uniform(jax.random.fold_in(key, 1), (2, AGENTS, self.batch))
        spoken, features = jax.vmap(talk)(agents, games.seen)
        said = drawn(spoken, coins[0])
        acting = jax.vmap(act)(agents, features, said[::-1])
        done = drawn(acting, coins[1])
        reward = (games.payoff * done[0][:, :, None] * done[1][:, None, :]).sum((2, 3))
        chosen = (spoken * said).sum(-1) + (acting * done).sum(-1)
        freedom = learning.entropies(spoken) + learning.entropies(acting)
        asked = learning.surrogate(chosen, reward, learning.leave_one_out(reward)) - self.entropy * freedom
        return asked.mean(1).sum(), None

    def observe(self, state: Talkers) -> dict[str, Array]:
        games = self._deal(jax.random.key(0), EXAM)
        use = message_use(policies(state.agents, games.seen), games.payoff)
        return {
            "reward": use.reward.mean(),
            "scrambled_reward": use.scrambled.mean(),
            "speaker_consistency": use.speaker_consistency.mean(),
            "instantaneous_coordination": use.instantaneous_coordination.mean(),
            "causal_influence": use.causal_influence.mean(),
            "positive_listening": use.positive_listening.mean(),
        }


def drawn(log_probability: Array, coins: Array) -> Array:
    """`[..., K]`: one-hot draws, by inversion of the distribution's sum. Args: `coins` `[...]`, uniform in [0, 1)."""
    reached = jnp.cumsum(jnp.exp(jax.lax.stop_gradient(log_probability)), -1) <= coins[..., None]
    number = log_probability.shape[-1]
    return jax.nn.one_hot(jnp.minimum(reached.sum(-1), number - 1), number, dtype=log_probability.dtype)
