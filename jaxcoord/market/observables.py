"""What is measured of an economy: inequality, efficiency, money, risk."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxcoord.errors import ParameterError
from jaxcoord.market.ledger import Ledger, base_money, broad_money, equity, net_worth, positive, real, totals

Array = jax.Array


def gini(values: Any) -> Array:
    """Inequality of amounts, clipped at zero: sum_k (2k - n - 1) x_(k) / (n sum x), 0 (equal) to 1 - 1/n (one has all).

    Args: `[N]`. Returns: 0 where nobody has anything; NaN where an amount is not a finite number.
    Raises: ParameterError where they have more or fewer axes than one.
    Source: Gini 1912, as the mean absolute difference over twice the mean.
    """
    amounts = positive(jnp.asarray(values, float)) + 0.0  # not -0.0
    if amounts.ndim != 1:
        raise ParameterError(f"values: shape {amounts.shape}; an array [N] is needed")
    # Positive floats are ordered as their bits, and whole numbers are sorted several times faster.
    kind = jnp.int64 if amounts.dtype.itemsize == 8 else jnp.int32
    bits = jnp.sort(jax.lax.bitcast_convert_type(amounts, kind))
    ordered = jax.lax.bitcast_convert_type(bits, amounts.dtype)
    count = ordered.shape[0]
    weights = 2.0 * jnp.arange(1, count + 1) - count - 1
    total = ordered.sum()
    # Compared with 0 for equality: a total that is NaN must not pass for nothing.
    return jnp.where(total == 0, 0.0, (weights * ordered).sum() / jnp.where(total == 0, 1, count * total))


def wealth(ledger: Ledger, node_price: Array) -> Array:
    """`[N]` float: financial net worth and machines at their price."""
    return real(net_worth(ledger)) + node_price * real(ledger.nodes)


def needs(done: Array, urgency: Array) -> Array:
    """`[N]` units that a planner gives to each out of what is used: in proportion to urgency.

    That maximises sum s log(x), the planner's aim for tasks of urgency s.
    """
    return real(done.sum()) * urgency / jnp.maximum(urgency.sum(), 1e-30)


def efficiency(done: Array, urgency: Array) -> Array:
    """Share of the compute in use that is where a planner would put it: sum min(x, need) / sum x, 1 at the optimum."""
    used = real(done.sum())
    met = jnp.minimum(real(done), needs(done, urgency)).sum()
    return jnp.where(used > 0, met / jnp.maximum(used, 1), 0.0)


def welfare(done: Array, urgency: Array, possible: Array) -> Array:
    """Share of a planner's plan that is met, had all machines run for those who need them: sum min(x, plan) / possible.

    Args: `possible`, units that all machines yield; machines that are down or idle count against it.
    """
    plan = real(possible) * urgency / jnp.maximum(urgency.sum(), 1e-30)
    return jnp.minimum(real(done), plan).sum() / jnp.maximum(real(possible), 1)


def unmet(done: Array, urgency: Array) -> Array:
    """Share of agents with a task that get less than half of what a planner would give them."""
    tasks = urgency > 0
    return (tasks & (real(done) < 0.5 * needs(done, urgency))).sum() / jnp.maximum(tasks.sum(), 1)


def money_multiplier_of(ledger: Ledger) -> Array:
    """Broad money over base money."""
    return real(broad_money(ledger)) / jnp.maximum(real(base_money(ledger)), 1)


def leverage(ledger: Ledger, node_price: Array) -> Array:
    """Loans of all issuers over their positive equity; 0 without any."""
    lent, own = real(totals(ledger)[1]).sum(), positive(equity(ledger, node_price)).sum()
    return jnp.where(own > 0, lent / jnp.maximum(own, 1), 0.0)


def reserve_ratios(ledger: Ledger) -> tuple[Array, Array]:
    """All reserves over all deposits, and the least cover of any issuer; 1 where nothing is deposited, at most 10."""
    issuers = ledger.rescue.shape[0]
    deposits, reserves = real(totals(ledger)[0]), real(ledger.cash[:issuers])
    each = jnp.where(deposits > 0, reserves / jnp.maximum(deposits, 1), 1.0)
    total = jnp.where(deposits.sum() > 0, reserves.sum() / jnp.maximum(deposits.sum(), 1), 1.0)
    return jnp.minimum(total, 10.0), jnp.minimum(each.min(), 10.0)


def coverage(capacity: Array, forwards: Array) -> Array:
    """What sellers of forward compute could deliver: their own capacity over what they sold; 1 without sellers."""
    sold = real(positive(-forwards)).sum()
    own = real(jnp.where(forwards < 0, capacity, 0)).sum()
    return jnp.where(sold > 0, own / jnp.maximum(sold, 1), 1.0)


def hoarding(ledger: Ledger) -> Array:
    """Share of all machines that stand idle: those that issuers took for bad debts and have not sold."""
    idle = ledger.nodes[: ledger.rescue.shape[0]].sum()
    return real(idle) / jnp.maximum(real(ledger.nodes.sum()), 1)
