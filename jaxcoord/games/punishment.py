"""Who punishes the free riders: everybody for himself, a pool paid in advance, or an institution that needs supporters.

The mutual-aid game of Sigmund, De Silva, Traulsen & Hauert 2010 (Nature 466:861), and the collective-risk dilemma with
sanctioning institutions of Vasconcelos, Santos & Pacheco 2013 (Nature Climate Change 3:797).
"""

from __future__ import annotations

import jax
import jax.numpy as jnp

from jaxcoord.games.group_games import collective_risk
from jaxcoord.games.groups import MAX_GROUP, GroupGame
from jaxcoord.model import param, static

Array = jax.Array
MUTUAL_AID = ("cooperator", "defector", "loner", "pool-punisher", "peer-punisher")
SLACK = 1e-6  # relative; a quorum of 0.3 of 10 is 3, whatever its last binary digit


class mutual_aid(GroupGame):
    """Mutual aid with peer and pool punishment (Sigmund, De Silva, Traulsen & Hauert 2010).

    Each contribution c is multiplied by r and divided among the other participants. Cooperators contribute, defectors
    do not, loners stay out with sigma, and so does a participant who finds no other. Pool punishers contribute and pay
    G before every game; whoever they punish loses B for each of them in the group. Peer punishers contribute, fine each
    whom they punish and pay for it. Defectors are punished; with `second_order` pool punishers also punish cooperators
    and peer punishers, and peer punishers also punish cooperators where they see them beside a defector.
    """

    r: float = param(3.0, doc="what a contribution is multiplied by", low=0)
    c: float = param(1.0, doc="cost of contributing", low=0)
    sigma: float = param(1.0, doc="payoff of a loner, and of whoever finds nobody to play with")
    pool_cost: float = param(0.7, doc="G, what a pool punisher pays before a game", low=0)
    pool_fine: float = param(0.7, doc="B, fine for each pool punisher in the group", low=0)
    peer_cost: float = param(0.7, doc="gamma, what a peer punisher pays for each one punished", low=0)
    peer_fine: float = param(0.7, doc="beta, fine by each peer punisher in the group", low=0)
    second_order: bool = static(False, doc="whether those who contribute but do not punish are punished")
    punishment: str = static("both", doc="punishers that take part", choices=("none", "pool", "peer", "both"))
    voluntary: bool = static(True, doc="whether there are loners")

    def group_payoff(self, others: Array) -> Array:
        counted = dict.fromkeys(MUTUAL_AID, jnp.zeros_like(others[0]))
        counted |= dict(zip(self.strategies, others, strict=True))
        cooperators, defectors, _, pool, peers = (counted[name] for name in MUTUAL_AID)
        contributors = cooperators + pool + peers
        partners = contributors + defectors
        alone = partners == 0
        received = self.r * self.c * contributors / jnp.where(alone, 1, partners)
        contributed = received - self.c
        pool_fines, peer_fines = self.pool_fine * pool, self.peer_fine * peers
        punishing = self.peer_cost * defectors
        earned = {
            "cooperator": contributed,
            "defector": received - pool_fines - peer_fines,
            "pool-punisher": contributed - self.pool_cost,
            "peer-punisher": contributed - punishing,
        }
        if self.second_order:
            seen = defectors > 0
            earned["cooperator"] -= pool_fines + jnp.where(seen, peer_fines, 0)
            earned["peer-punisher"] -= pool_fines + jnp.where(seen, self.peer_cost * cooperators, 0)
        earned = {name: jnp.where(alone, self.sigma, payoff) for name, payoff in earned.items()}
        earned["loner"] = jnp.asarray(self.sigma, float)
        return jnp.stack([earned[name] for name in self.strategies])

    @property
    def strategies(self) -> tuple[str, ...]:
        present = {
            "loner": self.voluntary,
            "pool-punisher": self.punishment in ("pool", "both"),
            "peer-punisher": self.punishment in ("peer", "both"),
        }
        return tuple(name for name in MUTUAL_AID if present.get(name, True))


class sanctioned_risk(collective_risk):
    """Collective risk under an institution that punishes defectors (Vasconcelos, Santos & Pacheco 2013).

    Punishers P contribute as cooperators C do and pay a tax for an institution besides. It acts where at least a share
    `quorum` supports it: of each group on its own where it is local, of the population where it is global; then every
    defector D there is fined.
    """

    group: int = static(4, doc="n, players in a group", unit="individuals", low=2, high=MAX_GROUP)
    risk: float = param(0.2, doc="r, probability to lose everything where contributors are too few", low=0, high=1)
    tax: float = param(0.03, doc="what a punisher gives to the institution", low=0)
    fine: float = param(0.3, doc="what a defector loses to an institution that acts", low=0)
    quorum: float = param(0.25, doc="share of punishers from which an institution acts", low=0, high=1)
    institution: str = static("local", doc="whom the institution is for", choices=("local", "global"))

    def group_payoff(self, others: Array) -> Array:
        gift = self.cost * self.endowment
        contributors = others[0] + others[1]
        cooperator = self.kept(contributors + 1) - gift
        defector = self.kept(contributors)
        if self.institution == "local":
            defector -= self.fined(others[0], self.group)
        return jnp.stack([cooperator - self.tax, cooperator, defector])

    def fined(self, punishers: Array, members: Array | int) -> Array:
        """What a defector loses beside so many punishers among so many members of the institution's realm."""
        return jnp.where(punishers >= self.quorum * members * (1 - SLACK), self.fine, 0.0)

    def payoffs(self, shares: Array) -> Array:
        """`[3]`: the mean over multinomial groups; a global institution acts by the share of punishers."""
        return super().payoffs(shares) - self._sanction(shares[0], 1)

    def payoffs_among(self, counts: Array) -> Array:
        """`[3]`: the mean over hypergeometric groups; a global institution acts by the count of punishers."""
        return super().payoffs_among(counts) - self._sanction(counts[0], counts.sum())

    def payoff_range(self) -> Array:
        """The largest payoff less the smallest, an institution acting or not."""
        return super().payoff_range() + (self.fine if self.institution == "global" else 0.0)

    def _sanction(self, punishers: Array, members: Array | int) -> Array:
        everywhere = self.fined(punishers, members) if self.institution == "global" else 0.0
        return everywhere * jnp.array([0.0, 0.0, 1.0])

    @property
    def strategies(self) -> tuple[str, ...]:
        return ("P", "C", "D")
