"""Two learners in a repeated game as a model: thousands of pairs, swept, batched and recorded like any population."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxcoord.errors import ParameterError
from jaxcoord.games.matrix import prisoners_dilemma
from jaxcoord.games.repeated.learning.sampled import sampled_direction
from jaxcoord.games.repeated.learning.shaping import LEARNERS, Pair, higher_order_direction
from jaxcoord.games.repeated.learning.value import STATES, discounted_values, role_payoffs, tit_for_tat_shaped
from jaxcoord.model import Component, Model, component, observable, param, static

Array = jax.Array

SAMPLED = {"naive-sampled": False, "lola-sampled": True}
KINDS = (*LEARNERS, *SAMPLED)
OPTIMISERS = ("sgd", "momentum", "rmsprop", "adam")


class Learners(NamedTuple):
    """Two learners."""

    theta: Array
    """`[2, 5]`: logits of both policies at start, CC, CD, DC, DD, one's own move first."""
    optimiser: Any
    """What the optimiser remembers."""


class LearningPair(Model):
    """Two players with memory-one policies who both learn in a game that is repeated for ever.

    One step is one update of both at the same time, theta + delta times the direction of the learner (`LEARNERS`, or
    estimated from matches that the two play). A step of the game itself is never seen: returns and gradients are exact,
    except those that the sampled learners use. `theta` starts normal with mean 0.
    Source: Foerster et al. 2018.
    """

    game: Component = component(
        lambda: prisoners_dilemma(t=0.0, r=-1.0, p=-2.0, s=-3.0), doc="a matrix game or a two-role game, 2 x 2 actions"
    )
    learner: str = static("lola", doc="how the first player learns", choices=KINDS)
    opponent: str = static("same", doc="how the second player learns", choices=("same", *KINDS))
    optimiser: str = static("sgd", doc="how a direction is applied; sgd adds delta times it", choices=OPTIMISERS)
    delta: float = param(1.0, doc="size of a learner's own step", low=0)
    eta: float = param(1.0, doc="size of the step that a learner takes the other one to make", low=0)
    gamma: float = param(0.96, doc="discount factor: weight of the next round", low=0, high=0.9999)
    spread: float = param(1.0, doc="standard deviation of the initial logits", low=0)
    order: int = static(1, doc="lola-exact: 1 expects a naive opponent, n one of order n - 1", low=1, high=4)
    rounds: int = static(100, doc="length of a match of sampled learners", unit="rounds", low=1, high=100_000)
    matches: int = static(64, doc="matches that sampled learners play in a step, an even number", low=2, high=1_000_000)

    normalised_return = observable(dims=("player",), unit="payoff", doc="(1 - gamma) times the discounted return")
    policy = observable(dims=("player", "state"), doc="probability to cooperate, or to take the first action")
    tit_for_tat = observable(doc="share of the two whose policy repeats the other's last move, more likely than not")

    def __post_init__(self):
        super().__post_init__()
        role_payoffs(self.game)
        if self.matches % 2:
            raise ParameterError(f"learning-pair.matches = {self.matches}: an even number is needed")

    def init(self, key: Array) -> Learners:
        """Normally distributed logits."""
        theta = self.spread * jax.random.normal(key, (2, 5))
        return Learners(theta, self._rule().init(theta))

    def step(self, state: Learners, key: Array) -> Learners:
        """Both learners after one update."""
        import optax

        first = self.direction(self.learner, state.theta, key)
        second = first if self.opponent == "same" else self.direction(self.opponent, state.theta, key)
        uphill = jnp.stack([first[0], second[1]])
        change, memory = self._rule().update(-uphill, state.optimiser, state.theta)
        return Learners(optax.apply_updates(state.theta, change), memory)

    def direction(self, learner: str, theta: Array, key: Array) -> Pair:
        """Where two learners of one kind go, `[5]` each; `key` is for matches that they sample."""
        payoffs = role_payoffs(self.game)
        first, second = theta[0], theta[1]
        if learner in SAMPLED:
            return sampled_direction(key, first, second, payoffs, self.gamma, self.eta, rounds=self.rounds,
                                     matches=self.matches, shaping=SAMPLED[learner])  # fmt: skip

        def values(theta1, theta2):
            return discounted_values(theta1, theta2, payoffs, self.gamma)

        if learner == "lola-exact":
            return higher_order_direction(values, first, second, self.eta, self.order)
        return LEARNERS[learner](values, first, second, self.eta)

    def _rule(self) -> Any:
        import optax

        rules = {
            "sgd": lambda: optax.sgd(self.delta),
            "momentum": lambda: optax.sgd(self.delta, momentum=0.9),
            "rmsprop": lambda: optax.rmsprop(self.delta),
            "adam": lambda: optax.adam(self.delta),
        }
        return rules[self.optimiser]()

    def observe(self, state: Learners) -> dict[str, Array]:
        returns = discounted_values(state.theta[0], state.theta[1], role_payoffs(self.game), self.gamma)
        return {
            "normalised_return": (1 - self.gamma) * returns,
            "policy": jax.nn.sigmoid(state.theta),
            "tit_for_tat": tit_for_tat_shaped(state.theta).astype(jnp.float32).mean(),
        }

    def coords(self) -> Mapping[str, Sequence[str]]:
        return {"player": ("first", "second"), "state": STATES}

    @property
    def agents(self) -> int:
        """A step updates both learners."""
        return 2
