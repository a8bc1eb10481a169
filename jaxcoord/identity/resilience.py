"""Consensus on a network in spite of liars: W-MSR, which hears the moderate and drops the extreme."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxcoord.errors import ParameterError
from jaxcoord.identity.aggregation import by_rank, mean, median
from jaxcoord.model import Model, component, observable, param, static
from jaxcoord.networks.graph import Graph
from jaxcoord.networks.kinds import Network, Ring

Array = jax.Array


def moderate_mean(own: Any, heard: Any, valid: Any, faults: Any) -> Array:
    """The mean of an agent's own value and of what it hears, without the F most extreme on either side of its own.

    Of the values strictly above its own the F largest are dropped, of those strictly below the F smallest; all, where
    there are fewer.

    Args:
      own: the agent's value.
      heard: `[K]`, what it hears; NaN counts as silence, and infinity as the extreme that it is.
      valid: `[K]` bool, who is there to be heard.
      faults: F, at least 0.
    Source: LeBlanc, Zhang, Koutsoukos & Sundaram 2013, eq. 2, with equal weights.
    """
    own, heard = jnp.asarray(own, float), jnp.asarray(heard, float)
    if not isinstance(faults, jax.core.Tracer) and (faults != int(faults) or faults < 0):
        raise ParameterError(f"faults = {faults}: a whole number of at least 0 is needed")
    valid = valid & ~jnp.isnan(heard)
    below = jnp.minimum((valid & (heard < own)).sum(dtype=jnp.int32), faults)
    above = jnp.minimum((valid & (heard > own)).sum(dtype=jnp.int32), faults)
    kept = valid.sum(dtype=jnp.int32) - below - above
    rest = by_rank(heard, valid, lambda rank, count: (rank >= below) & (rank < count - above))
    return (own + kept * rest) / (kept + 1)


def wmsr_step(values: Any, adjacency: Any, faults: Any, heard: Any = None) -> Array:
    """One step of W-MSR of everybody at once, on a matrix: O(N^3) for up to 64 agents, else O(N^2 log N).

    Args:
      values: `[N]`. Whoever holds a NaN keeps it and is heard by nobody.
      adjacency: `[N, N]` bool, row i true where i hears j; the diagonal does not count.
      faults: F, at least 0.
      heard: `[N, N]`, what i hears from j where liars tell everyone something else; by default j's value.
    Returns: `[N]`. What liars do afterwards is for the caller to say.
    Raises: ParameterError where the shapes do not fit.
    Source: LeBlanc, Zhang, Koutsoukos & Sundaram 2013.
    """
    values = jnp.asarray(values, float)
    adjacency = jnp.asarray(adjacency, bool)
    size = values.shape[0] if values.ndim == 1 else -1
    if adjacency.shape != (size, size):
        raise ParameterError(f"adjacency: shape {adjacency.shape}; [N, N] is needed for values {values.shape}")
    heard = jnp.broadcast_to(values, (size, size)) if heard is None else jnp.asarray(heard, float)
    others = adjacency & ~jnp.eye(size, dtype=bool)
    return jax.vmap(moderate_mean, (0, 0, 0, None))(values, heard, others, faults)


def wmsr_step_on_graph(values: Any, neighbours: Any, valid: Any, faults: Any) -> Array:
    """One step of W-MSR of everybody at once, on padded lists of neighbours: O(N K^2), for a few neighbours each.

    Args: `values [N]` and `faults` as in `wmsr_step`; `neighbours [N, K]`, `valid [N, K]` as in `networks.Graph`.
    Returns: `[N]`.
    """
    values = jnp.asarray(values, float)
    return jax.vmap(moderate_mean, (0, 0, 0, None))(values, values[neighbours], jnp.asarray(valid, bool), faults)


class ArguingNetwork(NamedTuple):
    """A network of N agents, some of whom lie."""

    values: Array
    """`[N]`; those of liars are not read."""
    graph: Graph
    hull: Array
    """`[2]`: the smallest and the largest value that an honest agent began with."""
    median: Array
    """Of the values that the honest began with."""
    rounds: Array
    """int32: steps until the honest agreed, -1 before."""
    step: Array
    """int32."""


class ResilientConsensus(Model, name="resilient-consensus"):
    """Agents on a network who average what they hear by W-MSR, with liars among them; a step is one round of all.

    The first `liars` agents lie. "constant": they say `lie` for ever. "swing": `lie` and its opposite in turn. "noise":
    a new number between these for all in every step. "two-faced": `lie` to those who hold more than the honest on
    average, and the opposite to the others. Honest agents begin with uniform numbers, 0 to 1.
    Source: LeBlanc, Zhang, Koutsoukos & Sundaram 2013; two-faced liars as in Dolev et al. 1986.
    """

    network: Network = component(lambda: Ring(degree=8), base=Network, doc="who hears whom")
    faults: int = param(1, doc="F, values dropped on either side", unit="individuals", low=0)
    liars: int = param(1, doc="agents who lie", unit="individuals", low=0)
    lie: float = param(5.0, doc="what liars say, or the size of it")
    goal: float = param(1e-3, doc="spread of the honest from which on they agree", low=0)
    size: int = static(24, doc="N, agents, liars included", unit="individuals", low=2)
    attack: str = static("constant", doc="how liars lie", choices=("constant", "swing", "noise", "two-faced"))

    spread = observable(doc="largest less smallest value of an honest agent")
    inside = observable(doc="1 where all honest agents are within the range in which they began, else 0")
    distance = observable(doc="from the mean of the honest to the median with which they began")
    rounds = observable(doc="steps until the spread of the honest was at most the goal, -1 before", unit="steps")

    def __post_init__(self):
        super().__post_init__()
        if isinstance(self.liars, int) and self.liars >= self.size:
            raise ParameterError(f"resilient-consensus.liars = {self.liars}: fewer than the {self.size} agents")

    @property
    def honest(self) -> Array:
        """`[N]` bool."""
        return jnp.arange(self.size) >= self.liars

    def init(self, key: Array) -> ArguingNetwork:
        values = jax.random.uniform(jax.random.fold_in(key, 0), (self.size,))
        graph = self.network.make(self.size, jax.random.fold_in(key, 1))
        rounds = jnp.where(_spread(values, self.honest) <= self.goal, 0, -1).astype(jnp.int32)
        hull = jnp.stack([_least(values, self.honest), -_least(-values, self.honest)])
        return ArguingNetwork(values, graph, hull, median(values, self.honest), rounds, jnp.int32(0))

    def step(self, state: ArguingNetwork, key: Array) -> ArguingNetwork:
        values, honest, graph = state.values, self.honest, state.graph
        lie = jnp.asarray(self.lie, values.dtype)
        if self.attack == "swing":
            lie = jnp.where(state.step % 2 == 0, lie, -lie)
        elif self.attack == "noise":
            lie = lie * jax.random.uniform(key, (), minval=-1.0)
        told = jnp.broadcast_to(lie, values.shape)
        if self.attack == "two-faced":
            told = jnp.where(values > mean(values, honest), lie, -lie)
        heard = jnp.where(honest[graph.neighbours], values[graph.neighbours], told[:, None])
        moved = jax.vmap(moderate_mean, (0, 0, 0, None))(values, heard, graph.valid, self.faults)
        values, step = jnp.where(honest, moved, values), state.step + 1
        agreed = (state.rounds < 0) & (_spread(values, honest) <= self.goal)
        return state._replace(values=values, step=step, rounds=jnp.where(agreed, step, state.rounds))

    def observe(self, state: ArguingNetwork) -> dict[str, Array]:
        values, honest = state.values, self.honest
        # A mean is rounded: what leaves the hull by less is inside.
        slack = 1e-5 * jnp.maximum(jnp.abs(state.hull).max(), 1)
        within = (values >= state.hull[0] - slack) & (values <= state.hull[1] + slack)
        return {
            "spread": _spread(values, honest),
            "inside": (within | ~honest).all().astype(values.dtype),
            "distance": jnp.abs(mean(values, honest) - state.median),
            "rounds": state.rounds,
        }

    @property
    def agents(self) -> int:
        return self.size


def _least(values: Array, chosen: Array) -> Array:
    return jnp.where(chosen, values, jnp.inf).min()


def _spread(values: Array, chosen: Array) -> Array:
    return -_least(-values, chosen) - _least(values, chosen)
