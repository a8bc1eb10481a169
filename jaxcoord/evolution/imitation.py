"""Rules by which individuals imitate one another: local update, and everybody the best."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxcoord.evolution.process import EventProcess, GenerationProcess
from jaxcoord.model import param

Array = jax.Array


def meeting(counts: Array) -> Array:
    """`[S, S]`: probability that an individual of the row strategy draws another one of the column strategy.

    Args: `counts [S]`, individuals of each strategy. Rows of absent strategies mean nothing.
    """
    return jnp.maximum(counts - jnp.eye(len(counts)), 0) / (counts.sum() - 1)


def pairwise_copying(counts: Array, chances: Array) -> Array:
    """`[S, S]`: what a focal becomes who draws another individual and copies it with a probability.

    Args: `counts [S]`; `chances [S, S]`, that a focal of the row strategy copies a model of the column strategy.
    """
    same = jnp.eye(len(counts))
    copies = meeting(counts) * chances * (1 - same)
    return copies + same * (1 - copies.sum(1, keepdims=True))


class LocalUpdate(EventProcess):
    """Local update: the focal copies a model with probability 1/2 + beta/2 times their difference of payoff.

    The difference is divided by the largest that the game allows. An individual mutates in place of comparing.
    Source: Traulsen, Claussen & Hauert 2005, eq. 3.
    """

    beta: float = param(0.5, doc="selection intensity; 0 is neutral drift", low=0, high=1)

    mutants_are_offspring = False

    def copying(self, counts: Array) -> Array:
        earned = self.game.payoffs_among(counts)
        gain = (earned[None, :] - earned[:, None]) / _positive(self.game.payoff_range())
        return pairwise_copying(counts, jnp.clip(0.5 + self.beta / 2 * gain, 0, 1))

    def log_ratio(self, mutant: Array, resident: Array) -> Array:
        push = self.beta * (mutant - resident) / _positive(self.game.payoff_range())
        return jnp.log1p(-push) - jnp.log1p(push)


class ImitateTheBest(GenerationProcess):
    """Everybody takes the strategy that earns most at present, then mutates with probability mu.

    Who earns as much as the best keeps its strategy. In a coordination game this is the best-reply dynamics.
    Source: Kandori, Mailath & Rob 1993.
    """

    def copying(self, counts: Array) -> Array:
        earned = jnp.where(counts > 0, self.game.payoffs_among(counts), -jnp.inf)
        best = earned >= earned.max()
        same = jnp.eye(len(counts))
        return jnp.where(best[:, None], same, best / best.sum())


def _positive(x: Array) -> Array:
    return jnp.where(x > 0, x, 1.0)
