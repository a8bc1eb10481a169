"""Resolution of issuers that cannot pay: losses are cleared between them and spread over those who hold claims."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxcoord.market.ledger import Ledger, at_home, equity, grown, real, totals, whole

Array = jax.Array
SWEEPS = 200  # downward sweeps at most; they converge geometrically, in about 40


def recovery(ledger: Ledger, failed: Array, node_price: Array, assets: Any, claims: Any) -> tuple[Array, Array, Array]:
    """What each issuer's creditors recover, from above: the greatest solution.

    rho_j = 1 for those that live, else clip((alpha cash_j + beta (loans_j + machines_j + sum_k ib_kj rho_k)) /
    (deposits_j + sum_k ib_jk + rescue_j), 0, 1). An issuer whose equity at these rho is negative fails too.

    Args: `failed` `[M]` bool, those known to fail; `assets` alpha and `claims` beta, shares of reserves and of claims
      that survive a bankruptcy, 0 to 1.
    Returns: `[M]` rho, `[M]` bool who fails in the end, and the rounds that added failures after the first.
    Source: Rogers & Veraart 2013, Management Science 59:882; Eisenberg & Noe 2001 for alpha = beta = 1.
    """
    issuers = failed.shape[0]
    deposits, loans = (real(x) for x in totals(ledger))
    between, reserves = real(ledger.interbank), real(ledger.cash[:issuers])
    outside = loans + node_price * real(ledger.nodes[:issuers])
    liabilities = deposits + between.sum(1) + real(ledger.rescue)
    nothing = jnp.finfo(reserves.dtype).eps
    # What is neither reserve nor debt is the same in every sweep; equity is compared as exactly as floats allow.
    worth = equity(ledger, node_price)

    def sweep(carry: tuple[Array, Array, Array, Array, Array]) -> tuple[Array, Array, Array, Array, Array]:
        share, failing, rounds, count, _ = carry
        from_others = (between * share[:, None]).sum(0)
        value = assets * reserves + claims * (outside + from_others)
        paid = jnp.clip(value / jnp.maximum(liabilities, 1), 0, 1)
        new = jnp.where(failing & (liabilities > 0), jnp.minimum(paid, share), 1.0).astype(share.dtype)
        lost = (between * (1 - new)[:, None]).sum(0)
        now = failing | (worth - lost < 0)
        joined = (now & ~failing).any()
        moves = joined | (jnp.abs(new - share) > nothing).any()
        return new, now, rounds + joined, count + 1, moves

    start = (jnp.ones(issuers, reserves.dtype), failed, jnp.zeros((), int), jnp.zeros((), int), failed.any())
    share, failing, rounds, _, _ = jax.lax.while_loop(lambda c: c[4] & (c[3] < SWEEPS), sweep, start)
    return share, failing, rounds


def resolve(
    ledger: Ledger, failed: Array, node_price: Array, assets: Any, claims: Any
) -> tuple[Ledger, Array, Array, Array]:
    """Clear failed issuers: deposits, debts between issuers and rescue credit are cut to what is recovered.

    A share 1 - alpha of their reserves is lost to the cost of bankruptcy and goes to the treasury; rescue credit that
    is not paid back becomes base credits created outright. What holders lose the issuer gains, to the credit.

    Args, Source: as in `recovery`.
    Returns: the ledger, rho `[M]`, who failed `[M]` bool, and the rounds of the cascade.
    """
    issuers = failed.shape[0]
    share, failing, rounds = recovery(ledger, failed, node_price, assets, claims)

    def cut(amounts: Array, shares: Array, applies: Array) -> Array:
        return jnp.where(applies, jnp.clip(whole(real(amounts) * shares), 0, amounts), amounts)

    rescue = cut(ledger.rescue, share, failing)
    reserves = cut(ledger.cash[:issuers], jnp.asarray(assets), failing)
    lost = ledger.cash[:issuers] - reserves
    after = ledger._replace(
        deposits=cut(ledger.deposits, at_home(ledger, share), at_home(ledger, failing)),
        interbank=cut(ledger.interbank, share[:, None], failing[:, None]),
        rescue=rescue,
        minted=ledger.minted + (ledger.rescue - rescue).sum(),
        cash=grown(ledger.cash, -lost),
        treasury=ledger.treasury + lost.sum(),
    )
    return after, share, failing, rounds
