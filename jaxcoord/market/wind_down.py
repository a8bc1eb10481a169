"""An orderly end: all claims fall due at once, machines are sold for what cash there is, and one clearing settles all.

Order: forwards are settled at the last mark and margins returned; loans fall due in full, against own promises first,
then cash, then machines; issuers sell their machines; what issuers owe to depositors, to one another and to the Mint
ranks alike and is cut to what is recovered; debts between issuers, deposits and rescue credit are paid.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxcoord.market import credit, phases
from jaxcoord.market.futures import release
from jaxcoord.market.ledger import Ledger, broad_money, deposit, equity, grown, positive, real, scaled_at_home
from jaxcoord.market.resolution import resolve

Array = jax.Array


def sell_up(ledger: Ledger, rules: Any, price: Array, node_price: Array) -> Ledger:
    """Loans fall due, and issuers turn machines, their own and those they take for bad debts, into credits.

    Machines that nobody has the cash for stay with their issuer.
    """
    ledger, node_price = phases.trade_nodes(ledger, ledger.loans, price, node_price, rules.kappa)
    ledger, defaults = credit.service(ledger, ledger.loans, jnp.zeros_like(ledger.loans))
    ledger = credit.foreclose(ledger, defaults, node_price)
    return phases.trade_nodes(ledger, jnp.zeros_like(ledger.loans), price, node_price, rules.kappa, parts=1)[0]


def pay_all(ledger: Ledger) -> Ledger:
    """Issuers that can, to the rounding of shares, pay all that they owe; nothing is owed afterwards.

    Debts between issuers are settled net and all at once. Credits that roundings leave short are created by the Mint
    where issuers pay one another, and lost to depositors and to the Mint otherwise.
    """
    issuers = ledger.rescue.shape[0]
    net = ledger.interbank.sum(0) - ledger.interbank.sum(1)
    lent = positive(-(ledger.cash[:issuers] + net))
    ledger = ledger._replace(
        cash=grown(ledger.cash, net + lent), interbank=jnp.zeros_like(ledger.interbank), rescue=ledger.rescue + lent
    )
    ledger = deposit(ledger, -scaled_at_home(ledger, ledger.deposits, ledger.cash[:issuers]))
    back = jnp.minimum(ledger.rescue, ledger.cash[:issuers])
    return ledger._replace(
        deposits=jnp.zeros_like(ledger.deposits),
        cash=grown(ledger.cash, -back),
        rescue=jnp.zeros_like(ledger.rescue),
        minted=ledger.minted + (ledger.rescue - back).sum(),
    )


def wind_down(ledger: Ledger, rules: Any, price: Array, node_price: Array) -> tuple[Ledger, Array]:
    """Everything is settled: afterwards nobody owes anything, and all money is base credits.

    Args: `rules` with `kappa`, `recovered_reserves` and `recovered_claims`; `price` of compute, whole; `node_price`.
    Returns: the ledger, and what creditors of issuers lost over broad money before.
    Source: one clearing of all claims, Eisenberg & Noe 2001; costs of bankruptcy, Rogers & Veraart 2013.
    """
    before = broad_money(ledger)
    ledger = sell_up(release(ledger._replace(forwards=jnp.zeros_like(ledger.forwards))), rules, price, node_price)
    worthless = jnp.zeros_like(node_price)  # machines without a buyer pay no debts
    owed = ledger.deposits.sum() + ledger.interbank.sum()
    failed = equity(ledger, worthless) < 0
    ledger = resolve(ledger, failed, worthless, rules.recovered_reserves, rules.recovered_claims)[0]
    lost = owed - ledger.deposits.sum() - ledger.interbank.sum()
    if ledger.pages is not None and ledger.free is not None:
        ledger = ledger._replace(pages=jnp.zeros_like(ledger.pages), free=ledger.free + ledger.pages.sum())
    return pay_all(ledger), real(lost) / jnp.maximum(real(before), 1)
