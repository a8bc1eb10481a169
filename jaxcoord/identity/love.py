"""Does love make cooperation inevitable? Agents that redefine each other, among exploiters, under selection.

Whether it does is left open by the model: exploiters pull the others' identities towards their own, which makes them
look alike and be helped; and who keeps too much of its core finds nobody like itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxcoord import random
from jaxcoord.errors import ParameterError
from jaxcoord.identity import care as caring
from jaxcoord.identity import measures
from jaxcoord.identity.attention import masked, squared_distances
from jaxcoord.identity.mirror import blend, mirror_matrix
from jaxcoord.model import Model, observable, param, static

Array = jax.Array
KINDS = ("adaptive", "exploiter", "mimic")
ADAPTIVE, EXPLOITER, MIMIC = range(3)


class Lovers(NamedTuple):
    """A population of N agents in D dimensions."""

    kind: Array
    """`[N]` int32, index into `KINDS`."""
    core: Array
    """`[N, D]`, what each would be by itself, were it adaptive."""
    identity: Array
    """`[N, D]`, what each expresses."""
    pretending: Array
    """`[N]` bool, who plays the exploiter for fun in this step."""


class Play(NamedTuple):
    """What a population does in a step (see `LoveAndExploiters.play`)."""

    accepted: Array
    """`[N, N]` bool, entry (i, j): i, were it adaptive, takes j for one it cares enough for to help."""
    donation: Array
    """`[N, N]`, entry (i, j): share of the possible donation that i makes to j; none to itself."""
    payoff: Array
    """`[N]`, material payoff of each, a mean over the others."""


class LoveAndExploiters(Model):
    """Identities redefined by the mirror, donations by care and likeness, kinds selected by what they earn.

    In a step, with N agents of three kinds:

    1. Selection. Everybody has earned pi_i. Each agent, with probability `revision`, draws another and takes its kind
       with probability 1 / (1 + exp(-selection (pi_j - pi_i))), or with probability mu becomes another kind.
    2. Humour. Each adaptive agent pretends with probability `humour` to be an exploiter, for this step.
    3. Redefinition, `rounds` times: x_i <- theta_i core_i + (1 - theta_i) sum_j G_ij x_j, G the matrix of the mirror
       with W_ij proportional to 1 - consent + consent [i and j accept each other], and
         adaptive    theta_i = `stubbornness`, beta_i = `projection`, its own core drawn from N(0, spread^2)
         pretending  theta_i = 1: it shows its core
         exploiter   theta_i = 1, beta_i = `contest`: it insists, from one core at `distance` from the others' mean
         mimic       beta_i = 0: it tells everybody that they are right, and looks (1 - mimicry) as far from them as an
                     exploiter is
    4. Play, all pairs. i accepts j where care s_ij b > (1 - care) c, s_ij = exp(-|x_i - x_j|^2 / (2 length^2)).
       Adaptive agents who do not pretend give the entangled decision (1 - e) [i accepts j] + e (the group's mean
       acceptance); others give nothing. pi_i = sum_j (b given_ji - c given_ij) / (N - 1).

    Exploiters accept everybody as a tie, and agents see each other as they are when they decide. Kinds are inherited,
    cores are not: who becomes adaptive has the core that it was born with.
    """

    benefit: float = param(3.0, doc="b, what a donation is worth to whom it is made", unit="payoff", low=0)
    cost: float = param(1.0, doc="c, what a donation costs", unit="payoff", low=0)
    care: float = param(0.5, doc="weight on the payoff of one's double", low=0, high=1)
    length: float = param(0.5, doc="distance at which likeness fades", unit="identity", low=1e-6)
    stubbornness: float = param(
        0.05, doc="theta, weight of an adaptive agent's own core; coupling is 1 - theta", low=0, high=1
    )
    projection: float = param(0.6, doc="beta of adaptive agents: how much they see others as themselves", low=0, high=1)
    contest: float = param(
        0.6, doc="beta of exploiters: how much they insist on their definition; 0: no conflict", low=0, high=1
    )
    consent: float = param(
        0.0, doc="how much attention needs acceptance by both; 0: everybody is heeded alike", low=0, high=1
    )
    entanglement: float = param(
        0.0, doc="e, weight of the collective's decision in one's own; 0: one decides alone", low=0, high=1
    )
    humour: float = param(
        0.0, doc="probability that an adaptive agent plays the exploiter in a step; 0: all in earnest", low=0, high=1
    )
    mimicry: float = param(1.0, doc="how much of the distance to a mimic its show hides", low=0, high=1)
    exploiters: float = param(0.1, doc="share of exploiters at the start, rounded to whole agents", low=0, high=1)
    mimics: float = param(0.0, doc="share of mimics at the start, rounded to whole agents", low=0, high=1)
    distance: float = param(
        3.0, doc="of the exploiters' core from the mean of the others' cores", unit="identity", low=0
    )
    spread: float = param(1.0, doc="standard deviation of cores in each dimension", unit="identity", low=0)
    selection: float = param(5.0, doc="selection intensity of the Fermi rule", unit="1/payoff", low=0)
    revision: float = param(0.1, doc="probability that an agent revises its kind in a step", low=0, high=1)
    mu: float = param(0.0, doc="probability that an agent that revises becomes any other kind", low=0, high=1)
    size: int = static(24, doc="N, agents", unit="individuals", low=2, high=4096)
    dimensions: int = static(2, doc="D, of an identity", low=1, high=64)
    rounds: int = static(4, doc="redefinitions in a step", low=1, high=1000)
    settling: int = static(50, doc="steps of redefinition alone, from the cores, before the first step", low=0)

    share = observable(dims=("kind",), doc="share of each kind in the population")
    payoff = observable(dims=("kind",), doc="mean material payoff of a kind; 0 where there is none", unit="payoff")
    donation = observable(doc="donations made, of all that could be")
    acceptance = observable(doc="share of pairs of adaptive agents who would help each other; 0 where there are none")
    exposure = observable(doc="share of exploiters and mimics whom adaptive agents would help; 0 where there are none")
    capture = observable(doc="how far exploiters have drawn the adaptive agents' mean identity to their core")
    diversity = observable(doc="mean squared distance of identities to their mean", unit="identity^2")
    mutual_ties = observable(doc="share of ties between agents that both accept")
    pretending = observable(doc="share of agents who play the exploiter")

    def __post_init__(self):
        super().__post_init__()
        if isinstance(self.exploiters, float) and isinstance(self.mimics, float) and self.exploiters + self.mimics > 1:
            raise ParameterError(f"love-and-exploiters.mimics = {self.mimics}: more than the exploiters leave, "
                                 f"{1 - self.exploiters:g}")  # fmt: skip

    def init(self, key: Array) -> Lovers:
        """Cores drawn, kinds given by number, identities settled; nobody pretends."""
        core = self.spread * jax.random.normal(key, (self.size, self.dimensions))
        index = jnp.arange(self.size)
        bad = jnp.round(self.exploiters * self.size)
        false = bad + jnp.round(self.mimics * self.size)
        kind = jnp.where(index < bad, EXPLOITER, jnp.where(index < false, MIMIC, ADAPTIVE)).astype(jnp.int32)
        nobody = jnp.zeros(self.size, bool)
        start = Lovers(kind, core, self.anchor(kind, core), nobody)
        return jax.lax.fori_loop(0, self.settling, lambda _, state: self.redefine(state), start)

    def anchor(self, kind: Array, core: Array) -> Array:
        """`[N, D]`: the cores that agents of these kinds `[N]` hold to; that of exploiters lies on the first axis."""
        theirs = self.distance * (jnp.arange(self.dimensions) == 0)
        return jnp.where((kind == ADAPTIVE)[:, None], core, theirs)

    def accepted(self, state: Lovers) -> Array:
        """`[N, N]` bool: whom i, were it adaptive, cares enough for to help, by how like itself it looks."""
        radius = caring.cooperation_radius(self.length, self.care, self.benefit, self.cost)
        hidden = jnp.where(state.kind == MIMIC, 1 - self.mimicry, 1)
        apart = squared_distances(state.identity) * hidden[None] ** 2
        return (apart <= radius**2) & (radius >= 0)

    def redefine(self, state: Lovers) -> Lovers:
        """The population after `rounds` of the mirror, with the ties that there were before them."""
        adaptive = state.kind == ADAPTIVE
        tie = self.accepted(state) | ~adaptive[:, None]
        attention = masked(1 - self.consent + self.consent * (tie & tie.T))
        beta = jnp.where(adaptive, self.projection, jnp.where(state.kind == EXPLOITER, self.contest, 0))
        theta = jnp.where(adaptive & ~state.pretending, self.stubbornness, 1)
        matrix, core = mirror_matrix(attention, beta), self.anchor(state.kind, state.core)

        def once(_, identity):
            return blend(core, theta, matrix @ identity)

        return state._replace(identity=jax.lax.fori_loop(0, self.rounds, once, state.identity))

    def play(self, state: Lovers) -> Play:
        """Who accepts whom, what is given, and what everybody earns."""
        others = ~jnp.eye(self.size, dtype=bool)
        adaptive, accepted = state.kind == ADAPTIVE, self.accepted(state)
        wills = others & adaptive[:, None]
        collective = (accepted & wills).sum() / jnp.maximum(wills.sum(), 1)
        giving = wills & ~state.pretending[:, None]
        given = jnp.where(giving, caring.entangled_action(accepted, collective, self.entanglement), 0)
        payoff = (self.benefit * given.sum(0) - self.cost * given.sum(1)) / (self.size - 1)
        return Play(accepted, given, payoff)

    def step(self, state: Lovers, key: Array) -> Lovers:
        seed, everybody = random.seeds(key), jnp.arange(self.size, dtype=jnp.uint32)
        rows = jnp.arange(4, dtype=jnp.uint32)[:, None]
        whom, coin, which, fun = random.words(seed, rows * jnp.uint32(self.size) + everybody)
        other = random.index_below(whom, jnp.uint32(self.size - 1))
        other = other + (other >= everybody)
        payoff = self.play(state).payoff
        copies = jax.nn.sigmoid(self.selection * (payoff[other] - payoff))
        mutant = (state.kind + 1 + random.index_below(which, jnp.uint32(2)).astype(jnp.int32)) % 3
        # One coin decides all: mutate below revision * mu, copy below revision * (mu + (1 - mu) * copies).
        chance = random.probability(coin)
        copied = chance < self.revision * (self.mu + (1 - self.mu) * copies)
        kind = jnp.where(copied, state.kind[other], state.kind)
        kind = jnp.where(chance < self.revision * self.mu, mutant, kind)
        pretending = (random.probability(fun) < self.humour) & (kind == ADAPTIVE)
        return self.redefine(state._replace(kind=kind, pretending=pretending))

    def observe(self, state: Lovers) -> dict[str, Array]:
        play = self.play(state)
        is_kind = state.kind == jnp.arange(3)[:, None]
        number = is_kind.sum(1)
        adaptive, others = is_kind[ADAPTIVE], ~jnp.eye(self.size, dtype=bool)
        pairs = adaptive[:, None] & adaptive[None] & others
        exposed = adaptive[:, None] & ~adaptive[None]
        tie = play.accepted | ~adaptive[:, None]
        captor = self.anchor(jnp.full(1, EXPLOITER), state.core[:1])[0]
        possible = self.size * (self.size - 1)
        return {
            "share": number / jnp.float32(self.size),
            "payoff": (is_kind * play.payoff).sum(1) / jnp.maximum(number, 1),
            "donation": play.donation.sum() / possible,
            "acceptance": (play.accepted & pairs).sum() / jnp.maximum(pairs.sum(), 1),
            "exposure": (play.accepted & exposed).sum() / jnp.maximum(exposed.sum(), 1),
            "capture": measures.capture(state.identity, state.core, captor, adaptive),
            "diversity": measures.diversity(state.identity),
            "mutual_ties": measures.mutual_ties(tie),
            "pretending": state.pretending.mean(),
        }

    def coords(self) -> Mapping[str, Sequence[str]]:
        return {"kind": KINDS}

    @property
    def agents(self) -> int:
        """A step updates every agent."""
        return self.size
