"""The Mint as lender of last resort: who is rescued, by how much, and what belief in rescue does to caution."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxcoord.errors import ParameterError, nearest
from jaxcoord.market.ledger import Ledger, equity, grown, positive, raised, real, totals, whole

Array = jax.Array
POLICIES = ("none", "bagehot", "blanket")
COLLATERAL = 0.3  # part of loans and machines against which Bagehot's rule lends


def lend_last(ledger: Ledger, amounts: Array) -> Ledger:
    """Rescue credit `[M]` to issuers, newly created and owed back; negative amounts repay and destroy it."""
    return ledger._replace(rescue=ledger.rescue + amounts, cash=grown(ledger.cash, amounts))


def grant(ledger: Ledger, amounts: Array) -> Ledger:
    """Base credits `[N]` given away, newly created."""
    return ledger._replace(cash=ledger.cash + amounts, minted=ledger.minted + amounts.sum(dtype=amounts.dtype))


def rescue(ledger: Ledger, policy: str, short: Array, open_: Array, node_price: Array) -> tuple[Ledger, Array, Array]:
    """Help issuers that are short of reserves, by one of the policies.

    `none`: nobody. `bagehot`: the solvent, against good collateral: min(short, [floor(0.3 (loans + machines)) -
    rescue]+). `blanket`: everybody's whole shortfall, and grants ceil(-equity) to open issuers that are insolvent.

    Args: `short` `[M]` whole credits, what is due beyond reserves; `open_` `[M]` bool; `node_price` of a machine.
    Returns: the ledger, the credit lent `[M]` and the grants `[M]`.
    Source: Bagehot 1873, Lombard Street.
    """
    if policy not in POLICIES:
        raise ParameterError(f"policy = {policy!r}: one of {', '.join(POLICIES)}{nearest(policy, POLICIES)}")
    none = jnp.zeros_like(short)
    if policy == "none":
        return ledger, none, none
    issuers, worth = short.shape[0], equity(ledger, node_price)
    deposits, loans = totals(ledger)
    held = real(loans) + node_price * real(ledger.nodes[:issuers])
    if policy == "bagehot":
        limit = positive(whole(COLLATERAL * held) - ledger.rescue)
        lent = jnp.where((worth >= 0) & (deposits > 0), jnp.minimum(short, limit), 0)
        return lend_last(ledger, lent), lent, none
    lent = jnp.where(deposits > 0, short, 0)
    given = jnp.where(open_ & (worth < 0), raised(-worth), 0)
    after = grant(lend_last(ledger, lent), jnp.pad(given, (0, ledger.cash.shape[0] - issuers)))
    return after, lent, given


def learned_belief(belief: Array, troubled: Any, rescued: Any, rate: float = 0.2) -> Array:
    """Belief q in rescue after a step: where anybody was in trouble it moves towards whether anybody was rescued."""
    return jnp.where(troubled, belief + rate * (jnp.asarray(rescued, belief.dtype) - belief), belief)
