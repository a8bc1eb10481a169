"""The shared memory of the economy: whole pages of a common pool, taken in turn, and an accord on quotas.

A page yields compute, the less the more pages are in use: worth (1 - X / R) units beyond what it would yield elsewhere,
when X of the R pages of the pool are in use. Nothing is left of that when all are. Pages are a stock of the ledger:
those in use and those free are always R.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxcoord.market.ledger import Ledger, pay, positive, real, whole

Array = jax.Array
POOLS = ("none", "open", "accord")
DOUBLINGS = 20  # of a fine, at most: beyond, it is more than anybody has


def in_use(ledger: Ledger) -> tuple[Array, Array]:
    """`[N]` pages of each, and pages that are free; none of either where there is no pool."""
    if ledger.pages is None or ledger.free is None:
        return jnp.zeros_like(ledger.cash), jnp.zeros_like(ledger.treasury)
    return ledger.pages, ledger.free


def quota(total: Array, users: Any) -> Array:
    """Whole pages of each of n users at the largest rent of all, X = R / 2: floor(R / (2 n)).

    Source: Ostrom, Gardner & Walker 1994, chapter 5, with a - w = b R.
    """
    return total // (2 * users)


def open_pool(ledger: Ledger, total: Any, users: Array) -> Ledger:
    """A pool of `total` pages, of which every user `[N]` bool has its quota and the rest are free."""
    total = jnp.asarray(total, int)
    pages = jnp.where(users, quota(total, users.sum()), 0).astype(int)
    return ledger._replace(pages=pages, free=total - pages.sum())


def yields(ledger: Ledger, total: Array, worth: Any) -> Array:
    """`[N]` compute units, floor(worth x (1 - X / R)): what the pages x of each yield beyond their use elsewhere."""
    pages, free = in_use(ledger)
    return whole(worth * real(pages) * real(free) / jnp.maximum(real(total), 1))


def most(total: Array, worth: Any) -> Array:
    """Compute units that the pool yields beyond its use elsewhere at X = R / 2, the most that it can: worth R / 4."""
    return worth * real(total) / 4


def share_used(ledger: Ledger, total: Array) -> Array:
    """Share of the pages that is in use."""
    return real(in_use(ledger)[0].sum()) / jnp.maximum(real(total), 1)


def rent(ledger: Ledger, total: Array) -> Array:
    """What all pages yield, over the most that they could: 4 X (R - X) / R^2."""
    share = share_used(ledger, total)
    return 4 * share * (1 - share)


def take_in_turn(ledger: Ledger, total: Array, worth: Any, users: Array, fined: Array, allowed: Array) -> Ledger:
    """One after the other, each user takes a free page more, or gives one back, where that suits it best.

    The x-th page of a user is worth worth (1 - (X + x - 1) / R) to it, X with that page, less the expected fine if it
    is over quota; it takes the next page where that is above zero and gives its last one back where it is below. The
    use that nobody would change is the Nash equilibrium of the pool, R / (n + 1) pages each.

    Args: `total` R; `worth` of a page of the empty pool, compute units; `users` `[N]` bool; `fined` `[N]` expected fine
      for a page over quota, compute units; `allowed`, the quota.
    Source: Ostrom, Gardner & Walker 1994, chapter 5; best replies in turn.
    """
    slope = worth / jnp.maximum(real(total), 1)

    def turn(free: Array, agent: tuple[Array, Array, Array]) -> tuple[Array, Array]:
        held, may, fine = agent
        above, below = held >= allowed, held > allowed
        more = slope * real(free - 1 - held) - jnp.where(above, fine, 0)
        last = slope * real(free + 1 - held) - jnp.where(below, fine, 0)
        change = jnp.where((more > 0) & (free > 0), 1, jnp.where((last < 0) & (held > 0), -1, 0))
        change = jnp.where(may, change, 0).astype(held.dtype)
        return free - change, held + change

    pages, free = in_use(ledger)
    free, pages = jax.lax.scan(turn, free, (pages, users, fined))
    return ledger._replace(pages=pages, free=free)


def expected_fine(chance: Any, fine: Any, offences: Array) -> Array:
    """`[N]` compute units for a page over quota: audit probability times a fine that doubles with each offence.

    An accord on R / (2 n) pages each holds itself where this is at least worth (n - 1) / (2 n).
    Source: graduated sanctions of Ostrom 1990; condition as in `commons.pool_accord`.
    """
    return chance * fine * jnp.exp2(jnp.minimum(real(offences), DOUBLINGS))


def punish(
    ledger: Ledger, checked: Array, offences: Array, fine: Any, price: Array, allowed: Array, users: Array
) -> tuple[Ledger, Array]:
    """Who is found over quota pays a fine at the spot price, as far as its money goes; all users share the fines.

    Args: `checked` `[N]` bool; `offences` `[N]` before; `fine` for a page, compute units; `price` of a unit, whole;
      `allowed`, the quota; `users` `[N]` bool.
    Returns: the ledger and the offences `[N]`.
    """
    over = jnp.where(checked & users, positive(in_use(ledger)[0] - allowed), 0)
    owed = whole(expected_fine(1.0, fine, offences) * real(over) * real(price))
    paid = jnp.minimum(owed, ledger.cash + ledger.deposits)
    each, rest = jnp.divmod(paid.sum(), users.sum())
    shares = jnp.where(users, each + (jnp.cumsum(users) <= rest), 0)
    return pay(ledger, paid, shares), offences + (over > 0)


def use(
    ledger: Ledger, rules: Any, total: Array, offences: Array, price: Array, checked: Array | None
) -> tuple[Ledger, Array]:
    """A step of the pool: pages are taken in turn, and under an accord use is audited and fined.

    Args: `rules` with `page_worth`, `audit` and `fine`; `checked` `[N]` bool, who is audited; None: there is no accord.
    Returns: the ledger and the offences `[N]`.
    """
    issuers = ledger.rescue.shape[0]
    users = jnp.arange(ledger.cash.shape[0]) >= issuers
    if checked is None:
        nothing = jnp.zeros(users.shape, float)
        return take_in_turn(ledger, total, rules.page_worth, users, nothing, total), offences
    allowed = quota(total, ledger.cash.shape[0] - issuers)
    fined = expected_fine(rules.audit, rules.fine, offences)
    ledger = take_in_turn(ledger, total, rules.page_worth, users, fined, allowed)
    return punish(ledger, checked, offences, rules.fine, price, allowed, users)
