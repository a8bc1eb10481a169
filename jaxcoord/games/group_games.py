"""Public goods in groups: what cooperators, defectors and loners earn beside others of any composition.

Two strategies, C (contributes) and D (does not), or three where taking part is a choice, with L (stays out).
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxcoord.errors import ParameterError
from jaxcoord.games.groups import MAX_GROUP, GroupGame
from jaxcoord.model import param, static

Array = jax.Array
HALVINGS = 60  # of the interval with the root: below the spacing of double precision


def check_threshold(game: GroupGame, name: str) -> None:
    """Raises: ParameterError where the number in the field `name` is larger than the group."""
    needed = getattr(game, name)
    if isinstance(needed, int) and needed > game.group:
        raise ParameterError(f"{game.registered_name}.{name} = {needed}: at most the group, {game.group}, is needed")


class public_goods(GroupGame):
    """Linear public goods: contributions are multiplied by r and divided equally among the group.

    Contributing to the whole group pays iff r > n; where contributions go to the others only, it never pays.
    """

    r: float = param(3.0, doc="what a contribution is multiplied by", low=0)
    c: float = param(1.0, doc="cost of contributing", low=0)
    shared: str = static("all", doc="who receives of a contribution", choices=("all", "others"))

    def group_payoff(self, others: Array) -> Array:
        given = self.r * self.c
        if self.shared == "all":
            return jnp.stack([given * (others[0] + 1) / self.group - self.c, given * others[0] / self.group])
        received = given * others[0] / (self.group - 1)
        return jnp.stack([received - self.c, received])

    @property
    def strategies(self) -> tuple[str, ...]:
        return ("C", "D")


class volunteers_dilemma(GroupGame):
    """One volunteer is enough for all; in the mixed equilibrium a share (c/b)^(1/(n-1)) abstains (Diekmann 1985)."""

    b: float = param(2.0, doc="benefit to everybody where at least one volunteers")
    c: float = param(1.0, doc="cost of volunteering", low=0)

    def group_payoff(self, others: Array) -> Array:
        return jnp.stack([jnp.asarray(self.b - self.c, float), jnp.where(others[0] >= 1, self.b, 0.0)])

    @property
    def strategies(self) -> tuple[str, ...]:
        return ("C", "D")


class collective_risk(GroupGame):
    """Collective-risk dilemma: too few contributors put at risk what everybody has left (Santos & Pacheco 2011).

    D has b where at least M of the group contribute and (1 - r) b on average otherwise; C has c b less.
    """

    group: int = static(6, doc="n, players in a group", unit="individuals", low=2, high=MAX_GROUP)
    threshold: int = param(3, doc="M, contributors needed in a group", unit="individuals", low=1)
    risk: float = param(0.9, doc="r, probability to lose everything where contributors are too few", low=0, high=1)
    cost: float = param(0.1, doc="c, share of the endowment that a contributor gives", low=0, high=1)
    endowment: float = param(1.0, doc="b, what everybody has at first", low=0)

    def __post_init__(self):
        super().__post_init__()
        check_threshold(self, "threshold")

    def kept(self, contributors: Array) -> Array:
        """Mean of the endowment that is left to a player who gave nothing, by the contributors in the group."""
        return self.endowment * jnp.where(contributors >= self.threshold, 1.0, 1 - self.risk)

    def group_payoff(self, others: Array) -> Array:
        gift = self.cost * self.endowment
        return jnp.stack([self.kept(others[0] + 1) - gift, self.kept(others[0])])

    @property
    def strategies(self) -> tuple[str, ...]:
        return ("C", "D")


class n_player_stag_hunt(GroupGame):
    """Public goods that nobody has before M contribute (Pacheco, Santos, Souza & Skyrms 2009).

    With k contributors in the group D has F c k / n where k >= M, else nothing; C has c less. M = 1 is `public_goods`.
    """

    threshold: int = param(3, doc="M, contributors needed in a group", unit="individuals", low=1)
    f: float = param(4.0, doc="F, what contributions are multiplied by", low=0)
    c: float = param(1.0, doc="cost of contributing", low=0)

    def __post_init__(self):
        super().__post_init__()
        check_threshold(self, "threshold")

    def group_payoff(self, others: Array) -> Array:
        contributors = jnp.stack([others[0] + 1, others[0]])
        shared = jnp.where(contributors >= self.threshold, self.f * self.c * contributors / self.group, 0.0)
        return shared - self.c * jnp.array([1.0, 0.0])

    @property
    def strategies(self) -> tuple[str, ...]:
        return ("C", "D")


class voluntary_public_goods(GroupGame):
    """Public goods among those who take part: loners live on a safe sigma (Hauert, De Monte, Hofbauer & Sigmund 2002).

    The contributions of a group are multiplied by r and divided among its participants; a lone one has sigma.
    """

    r: float = param(3.0, doc="what a contribution is multiplied by", low=0)
    sigma: float = param(1.0, doc="payoff of a loner, and of whoever finds nobody to play with")
    c: float = param(1.0, doc="cost of contributing", low=0)

    def group_payoff(self, others: Array) -> Array:
        contributors, players = others[0], others[0] + others[1] + 1
        given = self.r * self.c / players
        alone = players == 1
        return jnp.stack([
            jnp.where(alone, self.sigma, given * (contributors + 1) - self.c),
            jnp.where(alone, self.sigma, given * contributors),
            jnp.asarray(self.sigma, float),
        ])  # fmt: skip

    @property
    def strategies(self) -> tuple[str, ...]:
        return ("C", "D", "L")


def defection_gain(loners: Any, group: int, r: Any, c: Any = 1.0) -> Array:
    """What a defector earns above a cooperator in voluntary public goods, by the share of loners alone.

    F(z) = c [1 + (r-1) z^(n-1) - (r/n) (1 - z^n) / (1 - z)], evaluated as c (1 - z) sum_m z^m (1 - r (m+1) / n) over
    m = 0..n-2, which is exact at z = 1 as well.

    Args: `loners` z, share of loners; `group` n, at least 2; `r` multiplication and `c` cost of a contribution.
    Returns: payoff, of the shape of `loners`, `r` and `c` together.
    Source: Hauert, De Monte, Hofbauer & Sigmund 2002 (J Theor Biol 218:187).
    """
    z = jnp.asarray(loners, float)
    return c * (1 - z) * _gain_slope(z, group, r)


def _gain_slope(z: Array, group: int, r: Any) -> Array:
    # F(z) / (1 - z). Its coefficients turn from positive to negative once, so that it has at most one positive root.
    total = jnp.zeros_like(z)
    for m in reversed(range(_players(group) - 1)):
        total = total * z + (1 - r * (m + 1) / group)
    return total


def _players(group: int) -> int:
    if group < 2 or group != int(group):
        raise ParameterError(f"group = {group}: a whole number of at least 2 players is needed")
    return int(group)


def voluntary_payoffs(shares: Any, group: int, r: Any, sigma: Any, c: Any = 1.0) -> Array:
    """Mean payoffs of C, D and L in voluntary public goods, in closed form; equal to `voluntary_public_goods.payoffs`.

    P_D = sigma z^(n-1) + r c x / (1-z) [1 - (1 - z^n) / (n (1 - z))], P_C = P_D - F(z), P_L = sigma.

    Args: `shares [3]` x, y, z of C, D and L; `group` n, at least 2; `r`, `sigma`, `c` as in `voluntary_public_goods`.
    Returns: `[3]`, finite at z = 1 too, where the fraction is taken as the polynomial that it is.
    Source: Hauert, De Monte, Hofbauer & Sigmund 2002 (J Theor Biol 218:187).
    """
    shares = jnp.asarray(shares, float)
    x, z = shares[0], shares[2]
    met = jnp.polyval(jnp.arange(1.0, _players(group)), z) / group
    defector = sigma * z ** (group - 1) + r * c * x * met
    return jnp.stack([defector - defection_gain(z, group, r, c), defector, jnp.asarray(sigma, float)])


def voluntary_rest_point(group: int, r: Any, sigma: Any, c: Any = 1.0) -> Array:
    """Shares of C, D and L at which all three earn sigma: the one interior rest point of voluntary public goods.

    The share of loners is the root of F between 0 and 1, and sigma / ((r-1) c) of the others contribute. Under
    replicator dynamics it is a centre, surrounded by closed orbits.

    Args: `group` n, at least 2; scalars `r`, `sigma`, `c` as in `voluntary_public_goods`.
    Returns: `[3]`, differentiable in `r`, `sigma` and `c`; NaN where there is no such point: r <= 2, r >= n, sigma <= 0
      or sigma >= (r-1) c.
    Source: Hauert, De Monte, Hofbauer & Sigmund 2002 (J Theor Biol 218:187).
    """
    r, sigma = jnp.asarray(r, float), jnp.asarray(sigma, float)
    fixed = jax.lax.stop_gradient(r)

    def halve(_, ends):
        low, high = ends
        middle = (low + high) / 2
        above = _gain_slope(middle, group, fixed) > 0
        return jnp.where(above, middle, low), jnp.where(above, high, middle)

    low, high = jax.lax.fori_loop(0, HALVINGS, halve, (jnp.zeros_like(r), jnp.ones_like(r)))
    root = (low + high) / 2
    # One step of Newton's method from the root changes nothing but its derivatives.
    slope = jax.grad(lambda z: _gain_slope(z, group, fixed))(root)
    loners = root - _gain_slope(root, group, r) / slope
    contributing = sigma / ((r - 1) * c)
    found = jnp.stack([contributing * (1 - loners), (1 - contributing) * (1 - loners), loners])
    exists = (r > 2) & (r < group) & (contributing > 0) & (contributing < 1)
    return jnp.where(exists, found, np.nan)
