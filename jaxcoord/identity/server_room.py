"""The temperature of the server room: a vote among the honest, liars at both ends, and one who rewrites preferences."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxcoord.errors import ParameterError
from jaxcoord.identity.aggregation import NONFINITE, RULES, aggregate, inside, median, screen, tolerated
from jaxcoord.identity.agreement import pressed
from jaxcoord.model import Model, observable, param, static

Array = jax.Array
ABSOLUTE_ZERO = -273.15


class Room(NamedTuple):
    """A server room and those who argue about its temperature."""

    core: Array
    """`[H]`, what each honest agent really wants."""
    expressed: Array
    """`[H]`, what it says."""
    setting: Array
    """The temperature last decided."""
    wanted: Array
    """`[2]`: mean and median of what the honest wanted at first."""
    inside: Array
    """Whether the last decision was within what the honest said."""
    dropped: Array
    """int32: reports of the last vote that did not count."""
    failed: Array
    """Whether the last vote had no answer."""
    rounds: Array
    """int32: votes until the honest agreed, -1 before."""
    step: Array
    """int32."""


class ServerRoom(Model, name="server-room"):
    """Agents vote on a temperature again and again: honest ones, some who say absolute zero, some who say infinity.

    A step: all report, and the rule makes one decision v of it, which everybody hears. An honest agent then says
    theta core + (1 - theta) ((1 - yielding) said + yielding v). Last comes the adversary of preferences: for all in
    its reach it pulls what is wanted and said (`rewriting`), or said only (`persuasion`), towards its target. A vote
    without a finite answer fails: nobody moves towards it, and the setting stays.
    Source: attacks on aggregation, Blanchard et al. 2017; wireheading of preferences, Everitt et al. 2021; the core as
      in Friedkin & Johnsen 1990.
    """

    comfort: float = param(
        20.0, doc="what the honest want on average, and the setting before the first vote", unit="°C"
    )
    variety: float = param(2.0, doc="standard deviation of what the honest want", unit="°C", low=0)
    faults: int = param(2, doc="reports that the rule trims at either end, or Krum's f", unit="individuals", low=0)
    yielding: float = param(0.5, doc="how far an honest agent moves towards the decision", low=0, high=1)
    theta: float = param(0.0, doc="stubbornness: weight of what an honest agent really wants", low=0, high=1)
    rewriting: float = param(0.0, doc="share of the way to the target by which wants are rewritten", low=0, high=1)
    persuasion: float = param(0.0, doc="share of the way to the target by which words are shifted", low=0, high=1)
    target: float = param(30.0, doc="what the adversary of preferences wants", unit="°C")
    reach: float = param(1.0, doc="share of the honest whom the adversary of preferences reaches", low=0, high=1)
    coldest: float = param(10.0, doc="least report that is heard where the range is checked", unit="°C")
    warmest: float = param(35.0, doc="largest report that is heard where the range is checked", unit="°C")
    goal: float = param(0.1, doc="spread of what the honest say from which on they agree", unit="°C", low=0)
    honest: int = static(5, doc="honest agents", unit="individuals", low=1)
    cold: int = static(1, doc="agents who say absolute zero", unit="individuals", low=0)
    hot: int = static(1, doc="agents who say infinity", unit="individuals", low=0)
    rule: str = static("median", doc="how a decision is made of reports", choices=tuple(RULES))
    nonfinite: str = static("extreme", doc="what becomes of an infinite report", choices=NONFINITE)
    check_range: bool = static(False, doc="reports outside of coldest to warmest are not heard")

    decision = observable(doc="temperature that is set", unit="°C")
    distance = observable(doc="from the setting to the median of what the honest wanted at first", unit="°C")
    spread = observable(doc="largest less smallest report of an honest agent", unit="°C")
    inside = observable(doc="1 where the last decision was within the reports of the honest, else 0")
    dropped = observable(doc="reports of the last vote that did not count", unit="reports")
    failed = observable(doc="1 where the last vote had no finite answer, else 0")
    drift = observable(doc="mean of what the honest want, less what it was at first", unit="°C")
    rounds = observable(doc="votes until the spread was at most the goal, -1 before", unit="steps")

    def __post_init__(self):
        super().__post_init__()
        if isinstance(self.faults, int):
            try:
                tolerated(self.rule, self.size, self.faults)
            except ParameterError as error:
                raise ParameterError(f"server-room, rule {self.rule!r}: {error}") from None
        if isinstance(self.coldest, float) and isinstance(self.warmest, float) and self.coldest > self.warmest:
            raise ParameterError(f"server-room.coldest = {self.coldest}: at most warmest = {self.warmest}")

    @property
    def size(self) -> int:
        """Everybody who reports."""
        return self.honest + self.cold + self.hot

    def init(self, key: Array) -> Room:
        core = self.comfort + self.variety * jax.random.normal(key, (self.honest,))
        rounds = jnp.where(jnp.ptp(core) <= self.goal, 0, -1).astype(jnp.int32)
        wanted = jnp.stack([core.mean(), median(core)])
        no, none = jnp.asarray(False), jnp.int32(0)
        return Room(core, core, jnp.asarray(self.comfort, core.dtype), wanted, ~no, none, no, rounds, none)

    def step(self, state: Room, key: Array) -> Room:
        said, core = state.expressed, state.core
        lies = np.repeat([ABSOLUTE_ZERO, np.inf], [self.cold, self.hot])
        reports = jnp.concatenate([said, jnp.asarray(lies, said.dtype)])
        valid = inside(reports, self.coldest, self.warmest) if self.check_range else jnp.ones(self.size, bool)
        answer = aggregate(reports, self.rule, self.faults, valid, self.nonfinite)
        failed = ~jnp.isfinite(answer)
        # What a rule on distances cannot use counts as dropped, and so does what is out of range.
        usable = "drop" if self.rule in ("geometric-median", "krum", "multi-krum") else self.nonfinite
        dropped = self.size - screen(reports, valid, usable).heard.sum(dtype=jnp.int32)
        within = ~failed & (answer >= said.min()) & (answer <= said.max())

        heard = jnp.where(failed, said, answer)
        said = self.theta * core + (1 - self.theta) * ((1 - self.yielding) * said + self.yielding * heard)
        reached = jnp.arange(self.honest) < self.reach * self.honest
        core = jnp.where(reached, pressed(core, self.rewriting, self.target), core)
        said = jnp.where(reached, pressed(said, self.rewriting, self.target), said)
        said = jnp.where(reached, pressed(said, self.persuasion, self.target), said)
        step = state.step + 1
        rounds = jnp.where((state.rounds < 0) & (jnp.ptp(said) <= self.goal), step, state.rounds)
        setting = jnp.where(failed, state.setting, answer)
        return Room(core, said, setting, state.wanted, within, dropped, failed, rounds, step)

    def observe(self, state: Room) -> dict[str, Array]:
        return {
            "decision": state.setting,
            "distance": jnp.abs(state.setting - state.wanted[1]),
            "spread": jnp.ptp(state.expressed),
            "inside": state.inside.astype(jnp.float32),
            "dropped": state.dropped,
            "failed": state.failed.astype(jnp.float32),
            "drift": state.core.mean() - state.wanted[0],
            "rounds": state.rounds,
        }

    @property
    def agents(self) -> int:
        return self.size
