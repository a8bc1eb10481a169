"""An infinite population as a model: shares of strategies that follow a mean dynamic, a fixed time at each step.

For one trajectory to many digits use `solve`; this is for very many of them, swept, batched and recorded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxcoord.evolution import dynamics
from jaxcoord.games import Game, hawk_dove
from jaxcoord.model import Component, Model, component, observable, param, static

Array = jax.Array


class Dynamic(Component, abstract=True):
    """A mean dynamic with its parameters: a subclass says in `rate` how shares change."""

    def rate(self, shares: Array, payoffs: Array) -> Array:
        """`[S]`: the change of each share per unit of time, summing to zero.

        Args: `shares [S]`, summing to one; `payoffs [S]`, what each strategy earns.
        """
        raise TypeError(f"{type(self).__name__}.rate(self, shares, payoffs) is missing")


class Replicator(Dynamic):
    """Strategies grow by what they earn above the mean (Taylor & Jonker 1978)."""

    def rate(self, shares: Array, payoffs: Array) -> Array:
        return dynamics.replicator(shares, payoffs)


class MaynardSmithReplicator(Dynamic):
    """Growth relative to a mean payoff above 0; an Euler step of 1 is a discrete generation (Maynard Smith 1982)."""

    def rate(self, shares: Array, payoffs: Array) -> Array:
        return dynamics.maynard_smith_replicator(shares, payoffs)


class ReplicatorMutator(Dynamic):
    """Replicator with offspring of another strategy (Hadeler 1981); payoffs are birth rates, at least 0."""

    mu: float = param(0.01, doc="probability that offspring mutates, uniformly to the others", low=0, high=1)

    def rate(self, shares: Array, payoffs: Array) -> Array:
        others = len(shares) - 1
        mutation = jnp.where(jnp.eye(len(shares), dtype=bool), 1 - self.mu, self.mu / max(1, others))
        return dynamics.replicator_mutator(shares, payoffs, mutation if others else jnp.ones((1, 1)))


class Logit(Dynamic):
    """Noisy best response (Fudenberg & Levine 1998)."""

    noise: float = param(0.1, doc="noise of the choice", unit="payoff", low=1e-6)

    def rate(self, shares: Array, payoffs: Array) -> Array:
        return dynamics.logit(shares, payoffs, self.noise)


class BestResponse(Dynamic):
    """Everybody turns to a best response (Gilboa & Matsui 1991)."""

    def rate(self, shares: Array, payoffs: Array) -> Array:
        return dynamics.best_response(shares, payoffs)


class Smith(Dynamic):
    """Pairwise comparison at a rate of the gain (Smith 1984)."""

    def rate(self, shares: Array, payoffs: Array) -> Array:
        return dynamics.smith(shares, payoffs)


class BrownVonNeumannNash(Dynamic):
    """Turning to strategies that earn above the mean, at a rate of the excess (Brown & von Neumann 1950)."""

    def rate(self, shares: Array, payoffs: Array) -> Array:
        return dynamics.brown_von_neumann_nash(shares, payoffs)


class Projection(Dynamic):
    """The closest feasible direction to the payoffs (Nagurney & Zhang 1997)."""

    def rate(self, shares: Array, payoffs: Array) -> Array:
        return dynamics.projection(shares, payoffs)


class BoltzmannQLearning(Dynamic, name="boltzmann-q-learning"):
    """Many Q-learners that choose by the Boltzmann rule (Tuyls, Verbeeck & Lenaerts 2003)."""

    temperature: float = param(0.1, doc="temperature of the choice", unit="payoff", low=1e-6)

    def rate(self, shares: Array, payoffs: Array) -> Array:
        return dynamics.boltzmann_q_learning(shares, payoffs, self.temperature)


class PolicyGradient(Dynamic):
    """Gradient ascent of a softmax policy, QPG (Hennes et al. 2020)."""

    def rate(self, shares: Array, payoffs: Array) -> Array:
        return dynamics.policy_gradient(shares, payoffs)


class InfinitePopulation(Model):
    """Shares of strategies in an infinite well-mixed population; one step is `dt` of a mean dynamic.

    A step is one of the classical Runge-Kutta method (the error at a given time falls as dt^4) or of Euler's (as dt).
    Shares that it takes below zero are set to zero, and all are divided by their sum, so that rounding does not add up:
    they stay in the simplex. Nothing else is conserved exactly: the product of shares in zero-sum rock-paper-scissors
    drifts by a few millionths over a time of 100, by rounding in float32, and by 4e-9 in float64 with dt = 0.05.
    The start is uniform on the simplex; what follows is deterministic. Generations that do not overlap, x_i p_i / p.x,
    are `MaynardSmithReplicator` with the method "euler" and dt = 1.

    Source: Hofbauer & Sigmund 1998; Sandholm 2010.
    """

    game: Game = component(hawk_dove, base=Game, doc="the game that everybody plays with everybody else")
    dynamic: Dynamic = component(Replicator, base=Dynamic, doc="how payoffs change the shares")
    dt: float = param(0.05, doc="length of a step; times the spread of payoffs well below 1", unit="time", low=0)
    method: str = static("runge-kutta", doc="how a step is integrated", choices=("runge-kutta", "euler"))

    frequency = observable(dims=("strategy",), doc="share of each strategy in the population")
    mean_payoff = observable(doc="what an individual earns on average", unit="payoff")

    def init(self, key: Array) -> Array:
        """`[S]`: uniform on the simplex, as exponential draws divided by their sum."""
        draws = jax.random.exponential(key, (len(self.game.strategies),))
        return draws / draws.sum()

    def step(self, state: Array, key: Array) -> Array:
        """`[S]`: the shares `dt` later."""
        if self.method == "euler":
            return _in_simplex(state + self.dt * self.field(state))
        first = self.field(state)
        second = self.field(state + self.dt / 2 * first)
        third = self.field(state + self.dt / 2 * second)
        fourth = self.field(state + self.dt * third)
        return _in_simplex(state + self.dt / 6 * (first + 2 * second + 2 * third + fourth))

    def field(self, shares: Any) -> Array:
        """`[S]`: the rate of change of the shares, as `solve` and `rest_points` take it."""
        return self.dynamic.rate(shares, dynamics.game_payoffs(self.game, shares))

    def observe(self, state: Array) -> dict[str, Array]:
        earned = dynamics.game_payoffs(self.game, state)
        return {"frequency": state, "mean_payoff": dynamics.mean_payoff(state, earned)}

    def coords(self) -> Mapping[str, Sequence[str]]:
        return {"strategy": self.game.strategies}


def _in_simplex(shares: Array) -> Array:
    shares = jnp.maximum(shares, 0)
    return shares / dynamics.mean_payoff(shares, jnp.ones_like(shares))
