"""The idealised AI race of Han, Pereira, Santos & Lenaerts 2020 (JAIR 69:881): safe or unsafe development.

Two developers race for a prize over `rounds` development rounds. An unsafe one moves faster and saves the cost of
safety, but may be found out in any round, and with probability `risk` a disaster takes all that it gained.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxcoord.errors import ParameterError
from jaxcoord.games.game import MatrixGame
from jaxcoord.games.matrix import matrix
from jaxcoord.model import param, static

Array = jax.Array


def round_payoffs(speed: Any, benefit: Any, cost: Any, detection: Any) -> tuple[Any, Any, Any, Any]:
    """Payoffs of one round before risk: (safe-safe, safe-unsafe, unsafe-safe, unsafe-unsafe).

    The benefit b is shared in proportion to speed; a developer that is found out gets nothing in that round.
    Args as in `race_payoff`. Source: Han et al. 2020, section 3.
    """
    safe_safe = benefit / 2 - cost
    safe_unsafe = (1 - detection) * benefit / (speed + 1) + detection * benefit - cost
    unsafe_safe = (1 - detection) * speed * benefit / (speed + 1)
    unsafe_unsafe = (1 - detection**2) * benefit / 2
    return safe_safe, safe_unsafe, unsafe_safe, unsafe_unsafe


def race_payoff(
    speed: Any, risk: Any, rounds: Any, prize: Any, benefit: Any = 4.0, cost: Any = 1.0, detection: Any = 0.0
) -> Array:
    """Payoff per round, averaged over the race, of AS (always safe), AU (always unsafe) and CS (conditionally safe).

    CS is safe in the first round and then does what the other did.
    Args (all scalars):
      speed: s, rounds of safe development that an unsafe one does in one round, at least 1.
      risk: p_r, probability that a disaster takes all the gains of an unsafe developer.
      rounds: W, development rounds to the prize at safe speed, at least `speed`.
      prize: B, shared when both arrive together.
      benefit: b, of one round of development, shared in proportion to speed.
      cost: c, of safety per round.
      detection: p_fo, probability that an unsafe developer is found out in a round.
    Returns: `[3, 3]`, order AS, AU, CS, in units of `benefit`.
    Source: Han, Pereira, Santos & Lenaerts 2020, table 1.
    """
    s, w, survive = speed, rounds, 1 - risk
    p11, p12, p21, p22 = round_payoffs(speed, benefit, cost, detection)
    together = prize / (2 * w) + p11
    copied = (s / w) * (p21 + (w / s - 1) * p22)
    return matrix(
        [
            [together, p12, together],
            [
                survive * (s * prize / w + p21),
                survive * (s * prize / (2 * w) + p22),
                survive * (s * prize / w + copied),
            ],
            [together, (s / w) * (p12 + (w / s - 1) * p22), together],
        ]
    )


class Thresholds(NamedTuple):
    """Risks at which the race changes its character; between the two lies the dilemma zone."""

    society: Array
    """Above it mutual safety pays both more than mutual racing."""
    risk_dominance: Array
    """Above it always safe is risk-dominant against always unsafe, so that selection favours safety."""


def race_thresholds(
    speed: Any, rounds: Any, prize: Any, benefit: Any = 4.0, cost: Any = 1.0, detection: Any = 0.0
) -> Thresholds:
    """The two critical risks as functions of the other parameters (arguments as in `race_payoff`, broadcast).

    Returns: two probabilities of the broadcast shape.
    As B/W outgrows b they tend to 1 - 1/s and 1 - 1/(3 s). A negative value means: at any risk.
    Source: Han et al. 2020, eqs. for the collective preference and for risk dominance.
    """
    s, w = jnp.asarray(speed, float), rounds
    p11, p12, p21, p22 = round_payoffs(s, benefit, cost, detection)
    mutual_safe = prize / (2 * w) + p11
    society = 1 - mutual_safe / (s * prize / (2 * w) + p22)
    dominance = 1 - (mutual_safe + p12) / (3 * s * prize / (2 * w) + p21 + p22)
    return Thresholds(society, dominance)


class ai_race(MatrixGame):
    """AI race between safe and unsafe developers (Han, Pereira, Santos & Lenaerts 2020)."""

    speed: float = param(1.5, doc="s, speed of unsafe development; safe development has speed 1", low=1.0)
    risk: float = param(0.6, doc="p_r, probability that disaster takes an unsafe developer's gains", low=0, high=1)
    rounds: float = param(100.0, doc="W, rounds to the prize at safe speed; many rounds: a late race", low=1.0)
    prize: float = param(1e4, doc="B, value of being first", low=0)
    benefit: float = param(4.0, doc="b, benefit of one round, shared in proportion to speed", low=0)
    cost: float = param(1.0, doc="c, cost of safety per round", low=0)
    detection: float = param(0.0, doc="p_fo, probability that an unsafe round is found out", low=0, high=1)
    conditional: bool = static(True, doc="whether conditionally safe developers (CS) take part beside AS and AU")

    def __post_init__(self):
        super().__post_init__()
        if isinstance(self.speed, float) and isinstance(self.rounds, float) and self.rounds < self.speed:
            raise ParameterError(f"ai-race.rounds = {self.rounds:g}: at least the speed, {self.speed:g}, is needed")

    def payoff(self) -> Array:
        full = race_payoff(
            self.speed, self.risk, self.rounds, self.prize, self.benefit, self.cost, self.detection
        )  # fmt: skip
        return full if self.conditional else full[:2, :2]

    @property
    def strategies(self) -> tuple[str, ...]:
        return ("AS", "AU", "CS") if self.conditional else ("AS", "AU")
