"""Populations whose agents make each other's identities: with all their models of each other, or on a large network."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxcoord.errors import ParameterError
from jaxcoord.identity import attention, measures, mirror
from jaxcoord.model import Model, component, observable, param, static
from jaxcoord.networks.graph import Graph, to_dense
from jaxcoord.networks.kinds import Complete, Network, Ring

Array = jax.Array
KERNELS = ("uniform", "confidence", "similarity", "understanding")


class Identities(NamedTuple):
    """A population of N agents in D dimensions, and what each takes each other one for."""

    core: Array
    """`[N, D]`; the captors come first and share one."""
    identity: Array
    """`[N, D]`."""
    perspectives: Array
    """`[N, N, D]`, entry (j, i): j's model of i."""
    heard: Array
    """`[N, N]` bool, entry (i, j): i hears j."""


class MutualRedefinition(Model):
    """The mirror with all perspectives: everybody keeps a model of everybody, and becomes what the others see in it.

    In a step every model follows what is seen, P[j, i] <- (1-eta) P[j, i] + eta ((1-beta_j) x_i + beta_j x_j + noise),
    and then x_i <- theta_i core_i + (1-theta_i) sum_j W[i, j] P[j, i], with W from the identities before the step:
    `uniform`, alike to all who are heard; `confidence`, alike to those within `radius`; `similarity`, by
    exp(-|x_i - x_j|^2 / (2 radius^2)); `understanding`, by exp(-|x_i - P[j, i]|^2 / (2 radius^2)), to those who know
    one as one is. Captors, if any, never adapt and share a core at `distance` from the others' mean.
    Source: this library; the limits are Friedkin & Johnsen 1990, DeGroot 1974, Hegselmann &
      Krause 2002.
    """

    stubbornness: float = param(0.3, doc="theta, weight on the own core; 1: never adapts", low=0, high=1)
    projection: float = param(0.6, doc="beta, how much an observer sees others as itself", low=0, high=1)
    speed: float = param(1.0, doc="eta, how fast models of others follow what is seen", low=0, high=1)
    noise: float = param(0.0, doc="standard deviation of what is misread; needs misread = true", unit="identity", low=0)
    radius: float = param(1.0, doc="reach of attention for all kernels but uniform", unit="identity", low=1e-6)
    spread: float = param(1.0, doc="standard deviation of cores in each dimension", unit="identity", low=0)
    insistence: float = param(1.0, doc="beta of the captors: how much they see others as themselves", low=0, high=1)
    distance: float = param(3.0, doc="of the captors' core from the mean of the others'", unit="identity", low=0)
    network: Network = component(Complete, base=Network, doc="who hears whom")
    size: int = static(24, doc="N, agents", unit="individuals", low=2, high=4096)
    dimensions: int = static(4, doc="D, of an identity", low=1, high=64)
    captors: int = static(0, doc="agents who never adapt", unit="individuals", low=0)
    kernel: str = static("uniform", doc="whose view counts how much", choices=KERNELS)
    consent: bool = static(False, doc="a tie of confidence or similarity needs both sides")
    misread: bool = static(False, doc="draw noise, N^2 D numbers a step")

    diversity = observable(doc="mean squared distance of identities to their mean", unit="identity^2")
    uniqueness = observable(doc="diversity of the identities over that of the cores")
    identifiability = observable(doc="share of agents whose identity still tells their core")
    capture = observable(doc="how far captors have drawn the others' mean identity to their core; 0 without captors")
    agreement = observable(doc="share of ordered pairs within the radius")
    mutual_ties = observable(doc="share of ties, as heard and within the radius, that both sides accept")
    model_error = observable(doc="mean squared error of the models of others", unit="identity^2")
    surprise = observable(doc="mean over agents of how far others are from what was expected, in units of the spread")
    authenticity = observable(
        doc="mean of 1 - r / (r + s), r the distance to one's core, s that of cores to their mean"
    )

    def __post_init__(self):
        super().__post_init__()
        if self.captors >= self.size:
            raise ParameterError(f"captors = {self.captors}: fewer than the {self.size} agents")
        if not self.misread and isinstance(self.noise, float) and self.noise > 0:
            raise ParameterError(f"noise = {self.noise}: nothing is misread unless misread = true")

    def init(self, key: Array) -> Identities:
        """Everybody is its core, and known as such."""
        core = self.spread * jax.random.normal(jax.random.fold_in(key, 0), (self.size, self.dimensions))
        core = jnp.where((jnp.arange(self.size) < self.captors)[:, None], self.captor(), core)
        graph = self.network.make(self.size, jax.random.fold_in(key, 1))
        heard = to_dense(graph) | jnp.eye(self.size, dtype=bool)
        return Identities(core, core, jnp.broadcast_to(core, (self.size, *core.shape)), heard)

    def captor(self) -> Array:
        """`[D]`, the captors' core, on the first axis."""
        return self.distance * (jnp.arange(self.dimensions) == 0)

    def attention(self, state: Identities) -> Array:
        """`[N, N]`, W."""
        if self.kernel == "confidence":
            return attention.confidence_attention(state.identity, self.radius, self.consent, state.heard)
        if self.kernel == "similarity":
            return attention.similarity_attention(state.identity, self.radius, self.consent, state.heard)
        if self.kernel == "understanding":
            missed = ((state.perspectives - state.identity) ** 2).sum(-1).T
            return attention.trust_attention(jnp.exp(-missed / (2 * self.radius**2)), state.heard)
        return attention.uniform_attention(self.size, state.heard)

    def step(self, state: Identities, key: Array) -> Identities:
        captor = jnp.arange(self.size) < self.captors
        noise = self.noise * jax.random.normal(key, state.perspectives.shape) if self.misread else None
        beta = jnp.where(captor, self.insistence, self.projection)
        models = mirror.sense(state.perspectives, state.identity, beta, self.speed, noise, state.heard)
        theta = jnp.where(captor, 1, self.stubbornness)
        identity = mirror.synthesize(state.core, theta, self.attention(state), models)
        return state._replace(identity=identity, perspectives=models)

    def observe(self, state: Identities) -> dict[str, Array]:
        accepted = attention.accepts(state.identity, self.radius)
        adaptive = jnp.arange(self.size) >= self.captors
        error = measures.model_error(state.perspectives, state.identity)
        known = measures.surprise(state.perspectives, state.identity, 1.0).mean()
        scale = jnp.where(self.spread > 0, self.spread, 1)
        captured = measures.capture(state.identity, state.core, self.captor(), adaptive)
        return {
            "diversity": measures.diversity(state.identity),
            "uniqueness": measures.uniqueness(state.identity, state.core),
            "identifiability": measures.identifiability(state.identity, state.core),
            "capture": captured if self.captors else jnp.zeros_like(captured),
            "agreement": measures.agreement(accepted),
            "mutual_ties": measures.mutual_ties(accepted & state.heard),
            "model_error": error,
            "surprise": known / scale**2,
            "authenticity": measures.authenticity(state.identity, state.core).mean(),
        }

    @property
    def agents(self) -> int:
        """Models of others, one for each ordered pair, that a step updates."""
        return self.size * self.size


class Crowd(NamedTuple):
    """A population of N agents in D dimensions on a network."""

    core: Array
    """`[N, D]`; the captors come first and share one."""
    identity: Array
    """`[N, D]`."""
    graph: Graph


class NetworkRedefinition(Model):
    """The mirror on a network, where each hears its neighbours only: O(N K) for N agents with K places for neighbours.

    Models of others follow at once and without noise, so that none is stored:
    x_i <- theta_i core_i + (1-theta_i) mean over neighbours j of ((1-beta_j) x_i + beta_j x_j).
    Captors never adapt and share a core at `distance` from the others' mean.
    Source: this library; a Friedkin-Johnsen system (Friedkin & Johnsen 1990).
    """

    stubbornness: float = param(0.3, doc="theta, weight on the own core; 1: never adapts", low=0, high=1)
    projection: float = param(0.6, doc="beta, how much an observer sees others as itself", low=0, high=1)
    insistence: float = param(1.0, doc="beta of the captors", low=0, high=1)
    spread: float = param(1.0, doc="standard deviation of cores in each dimension", unit="identity", low=0)
    distance: float = param(3.0, doc="of the captors' core from the mean of the others'", unit="identity", low=0)
    network: Network = component(lambda: Ring(degree=10), base=Network, doc="who hears whom")
    size: int = static(1000, doc="N, agents", unit="individuals", low=2)
    dimensions: int = static(4, doc="D, of an identity", low=1, high=64)
    captors: int = static(0, doc="agents who never adapt, numbered first", unit="individuals", low=0)

    diversity = observable(doc="mean squared distance of identities to their mean", unit="identity^2")
    uniqueness = observable(doc="diversity of the identities over that of the cores")
    capture = observable(doc="how far captors have drawn the others' mean identity to their core; 0 without captors")
    authenticity = observable(
        doc="mean of 1 - r / (r + s), r the distance to one's core, s that of cores to their mean"
    )

    def __post_init__(self):
        super().__post_init__()
        if self.captors >= self.size:
            raise ParameterError(f"captors = {self.captors}: fewer than the {self.size} agents")

    def init(self, key: Array) -> Crowd:
        """Everybody is its core."""
        core = self.spread * jax.random.normal(jax.random.fold_in(key, 0), (self.size, self.dimensions))
        core = jnp.where((jnp.arange(self.size) < self.captors)[:, None], self.captor(), core)
        return Crowd(core, core, self.network.make(self.size, jax.random.fold_in(key, 1)))

    def captor(self) -> Array:
        """`[D]`, the captors' core, on the first axis."""
        return self.distance * (jnp.arange(self.dimensions) == 0)

    def step(self, state: Crowd, key: Array) -> Crowd:
        captor = jnp.arange(self.size) < self.captors
        theta = jnp.where(captor, 1, self.stubbornness)
        beta = jnp.where(captor, self.insistence, self.projection)
        moved = mirror.mirror_step_on_network(state.identity, state.core, theta, state.graph, beta)
        return state._replace(identity=moved)

    def observe(self, state: Crowd) -> dict[str, Array]:
        adaptive = jnp.arange(self.size) >= self.captors
        captured = measures.capture(state.identity, state.core, self.captor(), adaptive)
        return {
            "diversity": measures.diversity(state.identity),
            "uniqueness": measures.uniqueness(state.identity, state.core),
            "capture": captured if self.captors else jnp.zeros_like(captured),
            "authenticity": measures.authenticity(state.identity, state.core).mean(),
        }

    @property
    def agents(self) -> int:
        """A step updates every agent."""
        return self.size
