"""Fire sales: banks sell to mend their balance sheets, the price falls, and others must sell.

Two published forms: capital ratios with a price that solves for itself (Cifuentes, Ferrucci & Shin), and one linear
round of returning to a target leverage (Greenwood, Landier & Thesmar). Pure, for one system; in the precision that JAX
is set to. Shapes: N banks, K classes of assets.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxcoord.errors import ParameterError
from jaxcoord.market import checks

Array = jax.Array
SWEEPS = 5000  # of the price, at most


class FireSale(NamedTuple):
    """Prices and sales that go together (see `fire_sale`)."""

    price: Array
    """`[]`: of the illiquid asset, 1 before."""
    sales: Array
    """`[N]`: units that each bank sells."""
    equity: Array
    """`[N]`: at that price, money."""
    insolvent: Array
    """`[N]` bool: equity is 0 or less."""
    residual: Array
    """`[]`: by how much a further sweep would move the price."""


def fire_sale(liquid: Any, illiquid: Any, claims: Any, liabilities: Any, min_ratio: Any, price_impact: Any) -> FireSale:
    """The greatest price at which banks sell what just restores their capital ratios.

    Equity is E = pi u + c + z - x. A bank whose ratio E / (pi u + z) is below r sells u - (E - r z) / (r pi) of its u
    units, none to all, everything if E <= 0; the price is pi = exp(-a sum of sales). Cash carries no risk weight and
    claims on banks are paid in full. A lower price never means fewer sales, so sweeps from 1 downward end at the
    greatest solution.

    Args:
      liquid: `[N]`, c, cash, money.
      illiquid: `[N]`, u, units of the illiquid asset.
      claims: `[N]`, z, claims on other banks, money.
      liabilities: `[N]`, x, money.
      min_ratio: r, least ratio of equity to risky assets, above 0 to 1.
      price_impact: a, 1 / unit, at least 0.
    Returns: a `FireSale`.
    Raises: ParameterError where an amount is negative or not finite, or r is not above 0 and at most 1.
    Source: Cifuentes, Ferrucci & Shin 2005, J. Eur. Econ. Assoc. 3:556, eqs. 5 to 11.
    """
    cash = checks.amounts("liquid", liquid)
    units, lent, debt = (
        checks.amounts(name, value, len(cash))
        for name, value in (("illiquid", illiquid), ("claims", claims), ("liabilities", liabilities))
    )
    ratio = checks.above_zero("min_ratio", checks.share("min_ratio", min_ratio))
    impact = checks.within("price_impact", price_impact, 0, np.inf, "a finite impact of at least 0 is needed")
    change = 1e-14 if cash.dtype == jnp.float64 else 1e-7

    def sold(price: Array) -> tuple[Array, Array]:
        equity = price * units + cash + lent - debt
        short = equity < ratio * (price * units + lent)
        needed = jnp.clip(units - (equity - ratio * lent) / (ratio * price), 0, units)
        return jnp.where(equity <= 0, units, jnp.where(short, needed, 0.0)), equity

    def clears(price: Array) -> Array:
        return jnp.exp(-impact * sold(price)[0].sum())

    def sweep(carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        price, _, count = carry
        new = jnp.minimum(clears(price), price)
        return new, price - new > change, count + 1

    start = (jnp.ones((), cash.dtype), jnp.array(True), jnp.array(0))
    price = jax.lax.while_loop(lambda c: c[1] & (c[2] < SWEEPS), sweep, start)[0]
    sales, equity = sold(price)
    return FireSale(price, sales, equity, equity <= 0, jnp.abs(clears(price) - price))


class Deleveraging(NamedTuple):
    """One round of sales (see `deleveraging`); losses are negative."""

    direct_loss: Array
    """`[N]`: A M f, money."""
    sales: Array
    """`[K]`: net change of the holdings of each class, money; negative is sold."""
    price_change: Array
    """`[K]`: relative."""
    spillover_loss: Array
    """`[N]`: what the sales of all cost each bank, money."""
    vulnerability: Array
    """`[]`: spillover losses of all over the equity of all, positive."""


def deleveraging(assets: Any, weights: Any, debt_to_equity: Any, price_impact: Any, shock: Any) -> Deleveraging:
    """Banks return to their leverage by selling what they hold in proportion, and prices fall by what is sold.

    Direct loss A M f, sales M' B A M f, price change L M' B A M f, spillover A M L M' B A M f.

    Args:
      assets: `[N]`, A, money.
      weights: `[N, K]`, M, share of each class in a bank's assets; rows sum to one.
      debt_to_equity: `[N]`, B, leverage to which a bank returns, at least 0.
      price_impact: `[K]`, L, relative fall of a price per unit of money sold, at least 0.
      shock: `[K]`, f, first relative change of prices; a fall is negative.
    Returns: a `Deleveraging`.
    Raises: ParameterError where an amount is negative, a bank's weights do not sum to one, or lengths differ.
    Source: Greenwood, Landier & Thesmar 2015, J. Financial Economics 115:471, eqs. 3 to 6.
    """
    assets = checks.amounts("assets", assets)
    target = checks.amounts("debt_to_equity", debt_to_equity, len(assets))
    shares = checks.share("weights", weights)
    if shares.ndim != 2 or len(shares) != len(assets):
        raise ParameterError(f"weights: shape {shares.shape}; a row for each of {len(assets)} banks is needed")
    checks.one_sum("weights", weights)
    impact = checks.amounts("price_impact", price_impact, shares.shape[1])
    shock = checks.within("shock", shock, -1, np.inf, "a relative change of at least -1 is needed")
    shock = checks.sized("shock", shock, shares.shape[1])
    loss = assets * (shares @ shock)
    sales = shares.T @ (target * loss)
    change = impact * sales
    spillover = assets * (shares @ change)
    return Deleveraging(loss, sales, change, spillover, -spillover.sum() / (assets / (1 + target)).sum())
