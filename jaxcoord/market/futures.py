"""Forward compute and its clearing house: margin, daily marks, calls, close-outs, hedges.

Positions are whole units, and every mark pays variation between the two sides, so that a position is worth nothing
once it is marked. Compute cannot be stored: the forward price is the expected spot price and no spot plus carry.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxcoord.market.ledger import Ledger, portion, positive, raised, ration, real, whole, within

Array = jax.Array


def open_forwards(ledger: Ledger, wanted: Array, price: Array, rate: Any) -> tuple[Ledger, Array]:
    """Match wishes for forward compute; both sides post margin from cash.

    Longs and shorts are cut to what their cash can margin and matched in index order; each posts ceil(rate |f| F).

    Args: `wanted` `[N]` whole units, long positive; `price` F, whole credits; `rate`, initial margin, above 0.
    Returns: the ledger, and the initial margin `[N]` of the positions opened.
    """
    affordable = whole(real(ledger.cash) / jnp.maximum(rate * real(price), 1e-9))
    longs, shorts = (jnp.minimum(positive(x), affordable) for x in (wanted, -wanted))
    matched = jnp.minimum(longs.sum(), shorts.sum())
    opened = ration(matched, longs) - ration(matched, shorts)
    posted = jnp.minimum(raised(rate * (real(jnp.abs(opened)) * real(price))), ledger.cash)
    return _post(ledger, posted)._replace(forwards=ledger.forwards + opened), posted


def _post(ledger: Ledger, amounts: Array) -> Ledger:
    return ledger._replace(
        cash=ledger.cash - amounts,
        margin=ledger.margin + amounts,
        clearing_cash=ledger.clearing_cash + amounts.sum(dtype=amounts.dtype),
    )


def variation_at_stake(ledger: Ledger, old: Array, new: Array) -> Array:
    """Float: the sum of what a mark moves, to be seen before whole numbers would overflow."""
    return (jnp.abs(real(ledger.forwards)) * jnp.abs(real(new) - real(old))).sum()


def mark_forwards(ledger: Ledger, old: Array, new: Array) -> tuple[Ledger, Array]:
    """Mark all positions from one price to another: losers pay winners f (new - old), from margin and then cash.

    What losers cannot pay reduces the winners' gains in proportion (gain * pot // total, the remainder to the lowest
    index), so that the clearing house always holds what it owes.

    Returns: the ledger, and the shortfall in credits.
    Source: variation-margin haircut of a clearing house, Duffie 2015, Resolution of failing central counterparties.
    """
    change = ledger.forwards * (new - old)
    loss, gain = positive(-change), positive(change)
    from_margin = jnp.minimum(loss, ledger.margin)
    from_cash = jnp.minimum(loss - from_margin, ledger.cash)
    pot, total = (from_margin + from_cash).sum(), gain.sum()
    cut = jnp.minimum(portion(gain, pot, total), gain)
    cut = within(cut, cut.sum() > pot)
    first = jnp.arange(gain.shape[0]) == jnp.argmax(gain > 0)
    cut = cut + jnp.where(first & (gain > 0), pot - cut.sum(), 0)
    won = jnp.where(pot == total, gain, cut)
    after = ledger._replace(
        cash=ledger.cash - from_cash,
        margin=ledger.margin - from_margin + won,
        clearing_cash=ledger.clearing_cash + from_cash.sum(dtype=from_cash.dtype),
    )
    return after, total - pot


def margin_call(ledger: Ledger, initial: Array, maintenance: Any) -> tuple[Ledger, Array, Array]:
    """Accounts below a part of their initial margin are topped up from cash to the initial margin, if cash suffices.

    Args: `initial` `[N]` whole credits; `maintenance`, the part, 0 to 1.
    Returns: the ledger, the calls met `[N]`, and `[N]` bool: who could not.
    """
    called = (ledger.forwards != 0) & (real(ledger.margin) < maintenance * real(initial))
    needed = jnp.where(called, positive(initial - ledger.margin), 0)
    fails = needed > ledger.cash
    met = jnp.where(fails, 0, needed)
    return _post(ledger, met), met, fails


def close_out(ledger: Ledger, initial: Array, fails: Array) -> tuple[Ledger, Array]:
    """Close positions `[N]` bool at the mark, and as many of the other side, in index order; free their margin.

    Returns: the ledger, and the initial margins in proportion to what is left of the positions.
    """
    position = jnp.where(fails, 0, ledger.forwards)
    longs, shorts = positive(position), positive(-position)
    over = longs.sum() - shorts.sum()
    position = position - ration(positive(over), longs) + ration(positive(-over), shorts)
    left = real(jnp.abs(position)) / jnp.maximum(real(jnp.abs(ledger.forwards)), 1)
    initial = jnp.where(position == ledger.forwards, initial, whole(real(initial) * left))
    return release(ledger._replace(forwards=position)), jnp.where(position == 0, 0, initial)


def release(ledger: Ledger) -> Ledger:
    """Margin of those without a position goes back to their cash."""
    freed = jnp.where(ledger.forwards == 0, ledger.margin, 0)
    return _post(ledger, -freed)


def settle_forwards(ledger: Ledger, old: Array, new: Array) -> tuple[Ledger, Array]:
    """Mark for the last time, end all positions and return all margin. Returns: the ledger and the shortfall."""
    marked, shortfall = mark_forwards(ledger, old, new)
    return release(marked._replace(forwards=jnp.zeros_like(ledger.forwards))), shortfall


def hedge_ratio(spot_changes: Any, forward_changes: Any) -> dict[str, Array]:
    """Forwards to sell per unit of spot for the least variance: h = cov(spot, forward) / var(forward).

    Returns: `ratio`, `effectiveness` (share of variance removed) and `variance` of what is left (by N - 1).
    Source: Ederington 1979, J Finance 34:157.
    """
    spot, forward = jnp.asarray(spot_changes, float), jnp.asarray(forward_changes, float)
    ratio = ((spot - spot.mean()) * (forward - forward.mean())).sum() / ((forward - forward.mean()) ** 2).sum()
    left = (spot - ratio * forward).var(ddof=1)
    return {"ratio": ratio, "effectiveness": 1 - left / spot.var(ddof=1), "variance": left}
