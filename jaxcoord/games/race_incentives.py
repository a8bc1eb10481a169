"""Incentives in the AI race: punishment, reward, and commitments that developers are free to make.

On top of `jaxcoord.games.race`: some safe developers slow those down who break safety, or speed those up who keep it,
each at a price (Han, Pereira, Lenaerts & Santos 2021, PLoS ONE 16:e0244592); or only where both have agreed to it
(Han, Lenaerts, Santos & Pereira 2022, Technology in Society 68:101843).
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxcoord.errors import ParameterError
from jaxcoord.games.game import MatrixGame
from jaxcoord.games.matrix import matrix
from jaxcoord.games.race import race_payoff, round_payoffs
from jaxcoord.model import param

Array = jax.Array


def punished_race(
    speed: Any, risk: Any, rounds: Any, prize: Any, benefit: Any, cost: Any, effort: Any, impact: Any
) -> tuple[Array, Array]:
    """Payoffs per round, averaged over the race, of a punisher and of the unsafe developer that it punishes.

    The first round is as between safe and unsafe. From then on the punisher is slower by `effort` and the other by
    `impact`; who is not faster than 0 stands still. The first to arrive has the prize, who arrive together half of it
    each, and the benefit of a round is shared in proportion to the new speeds. Disaster strikes an unsafe developer
    that arrives, first or together. Where both stand still nobody earns anything more.

    Args: as in `race_payoff`, and `effort`, s_alpha, `impact`, s_beta, both in speeds of safe development, at least 0.
    Returns: two scalars.
    Source: Han, Pereira, Lenaerts & Santos 2021, section 2.
    """
    _, first_safe, first_unsafe, _ = round_payoffs(speed, benefit, cost, 0.0)
    slowed, slow = jnp.maximum(speed - impact, 0.0), jnp.maximum(1.0 - effort, 0.0)

    def left(distance, pace):
        return jnp.where(pace > 0, distance / jnp.where(pace > 0, pace, 1.0), jnp.inf)

    unsafe_needs, punisher_needs = left(rounds - speed, slowed), left(rounds - 1.0, slow)
    more = jnp.minimum(unsafe_needs, punisher_needs)
    together = slowed + slow
    share = jnp.where(together > 0, slow / jnp.where(together > 0, together, 1.0), 0.0)
    other = jnp.where(together > 0, 1 - share, 0.0)
    stuck = jnp.isinf(more)
    more = jnp.where(stuck, 0.0, more)
    wins = jnp.where(punisher_needs < unsafe_needs, 1.0, jnp.where(punisher_needs > unsafe_needs, 0.0, 0.5))
    survive = jnp.where(wins == 1, 1.0, 1 - risk)
    punisher = (first_safe + wins * prize + more * (share * benefit - cost)) / (1 + more)
    unsafe = survive * (first_unsafe + (1 - wins) * prize + more * other * benefit) / (1 + more)
    # A race that never ends is all later rounds, and no prize: safety is paid for, nothing else happens.
    return jnp.where(stuck, -1.0 * cost, punisher), jnp.where(stuck, 0.0, unsafe)


def punishment_payoff(
    speed: Any, risk: Any, rounds: Any, prize: Any, benefit: Any = 4.0, cost: Any = 1.0, effort: Any = 0.3,
    impact: Any = 1.0,
) -> Array:  # fmt: skip
    """Payoff per round of AS (always safe), AU (always unsafe) and PS (safe, punishes the unsafe).

    Args: as in `punished_race`. Returns: `[3, 3]`, in units of `benefit`.
    Source: Han, Pereira, Lenaerts & Santos 2021, eq. 2.
    """
    (safe, lone), (ahead, racing) = race_payoff(speed, risk, rounds, prize, benefit, cost)[:2, :2]
    punisher, punished = punished_race(speed, risk, rounds, prize, benefit, cost, effort, impact)
    return matrix([[safe, lone, safe], [ahead, racing, punished], [safe, punisher, safe]])


def reward_payoff(
    speed: Any, risk: Any, rounds: Any, prize: Any, benefit: Any = 4.0, cost: Any = 1.0, effort: Any = 0.3,
    impact: Any = 1.0,
) -> Array:  # fmt: skip
    """Payoff per round of AS (always safe), AU (always unsafe) and RS (safe, helps the safe).

    A rewarder speeds a safe co-player up by `impact` and pays with `effort` of its own speed.

    Args: as in `punished_race`. Returns: `[3, 3]`, in units of `benefit`.
    Source: Han, Pereira, Lenaerts & Santos 2021, eq. 3.
    """
    (safe, lone), (ahead, racing) = race_payoff(speed, risk, rounds, prize, benefit, cost)[:2, :2]
    per_round = round_payoffs(speed, benefit, cost, 0.0)[0]
    helped = per_round + (1 + impact) * prize / rounds
    mutual = per_round + jnp.maximum(1 + impact - effort, 0) * prize / (2 * rounds)
    return matrix([[safe, lone, helped], [ahead, racing, ahead], [per_round, lone, mutual]])


def commitment_payoff(
    speed: Any, risk: Any, rounds: Any, prize: Any, benefit: Any = 4.0, cost: Any = 1.0, effort: Any = 0.3,
    impact: Any = 1.0, fee: Any = 0.1,
) -> Array:  # fmt: skip
    """Payoff per round where developers may agree on safety: AS-out, AU-out, AS-in, AU-in and PS-in.

    Two who are in agree, at a fee each; who is in but finds no agreement does not care for safety. AU-in breaks what it
    agreed to, PS-in punishes that.

    Args: as in `punished_race`, and `fee`, epsilon, of an agreement, in units of `benefit`.
    Returns: `[5, 5]`, in units of `benefit`.
    Source: Han, Lenaerts, Santos & Pereira 2022, section 3.
    """
    pairs = punishment_payoff(speed, risk, rounds, prize, benefit, cost, effort, impact)
    # What each does without an agreement (0 safe, 1 unsafe), and with one (0 safe, 1 unsafe, 2 punishing).
    alone, agreed = jnp.array([0, 1, 1, 1, 1]), jnp.array([0, 1, 0, 1, 2])
    joined = jnp.arange(5) >= 2
    both = joined[:, None] & joined[None, :]
    return jnp.where(both, pairs[agreed[:, None], agreed] - fee, pairs[alone[:, None], alone])


class IncentiveRace(MatrixGame, abstract=True):
    """What the races with incentives share."""

    speed: float = param(1.5, doc="s, speed of unsafe development; safe development has speed 1", low=1.0)
    risk: float = param(0.6, doc="p_r, probability that disaster takes an unsafe developer's gains", low=0, high=1)
    rounds: float = param(100.0, doc="W, rounds to the prize at safe speed; many rounds: a late race", low=1.0)
    prize: float = param(1e4, doc="B, value of being first", low=0)
    benefit: float = param(4.0, doc="b, benefit of one round, shared in proportion to speed", low=0)
    cost: float = param(1.0, doc="c, cost of safety per round", low=0)
    effort: float = param(0.3, doc="s_alpha, speed that an incentive costs who gives it", low=0)
    impact: float = param(1.0, doc="s_beta, speed that it takes from, or gives to, the other", low=0)

    def __post_init__(self):
        super().__post_init__()
        if isinstance(self.speed, float) and isinstance(self.rounds, float) and self.rounds < self.speed:
            name = self.registered_name
            raise ParameterError(f"{name}.rounds = {self.rounds:g}: at least the speed, {self.speed:g}, is needed")

    def race(self) -> dict[str, Any]:
        """The parameters by name, as the payoff functions take them."""
        return {name: getattr(self, name) for name in IncentiveRace.fields}


class race_punishment(IncentiveRace):
    """AI race in which some of the safe punish the unsafe (Han, Pereira, Lenaerts & Santos 2021)."""

    def payoff(self) -> Array:
        return punishment_payoff(**self.race())

    @property
    def strategies(self) -> tuple[str, ...]:
        return ("AS", "AU", "PS")


class race_reward(IncentiveRace):
    """AI race in which some of the safe help the safe (Han, Pereira, Lenaerts & Santos 2021)."""

    def payoff(self) -> Array:
        return reward_payoff(**self.race())

    @property
    def strategies(self) -> tuple[str, ...]:
        return ("AS", "AU", "RS")


class race_commitment(IncentiveRace):
    """AI race in which developers may agree on safety and punish a breach (Han, Lenaerts, Santos & Pereira 2022)."""

    fee: float = param(0.1, doc="epsilon, what an agreement costs each of the two", low=0)

    def payoff(self) -> Array:
        return commitment_payoff(**self.race(), fee=self.fee)

    @property
    def strategies(self) -> tuple[str, ...]:
        return ("AS-out", "AU-out", "AS-in", "AU-in", "PS-in")
