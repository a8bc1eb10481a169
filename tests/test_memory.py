"""The shared memory of the economy: pages taken in turn, the accord, and the account of pages."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcoord.market.commons import best_use, pool_accord, static_pool
from jaxcoord.market.ledger import base_money, identities, net_worth, open_ledger
from jaxcoord.market.memory import (
    expected_fine,
    in_use,
    most,
    open_pool,
    punish,
    quota,
    rent,
    share_used,
    take_in_turn,
    yields,
)

take = jax.jit(take_in_turn)
USERS, ISSUERS, PAGES, WORTH = 8, 2, 352, 1.5
USER = jnp.arange(ISSUERS + USERS) >= ISSUERS


def pool(cash=1000):
    ledger = open_ledger([cash] * (ISSUERS + USERS), [1] * (ISSUERS + USERS), [-1, -1] + [0, 1] * 4, ISSUERS)
    return open_pool(ledger, PAGES, USER)


def sweeps(ledger, fined, times=60):
    for _ in range(times):
        ledger = take(ledger, jnp.asarray(PAGES), WORTH, USER, jnp.full(ISSUERS + USERS, fined), quota(PAGES, USERS))
    return ledger


def sound(ledger, pages=PAGES):
    return all(identities(ledger, ISSUERS + USERS, jnp.asarray(pages)).values())


def test_it_begins_at_the_quotas_of_the_optimum():
    ledger, closed = pool(), static_pool(USERS, WORTH, WORTH / PAGES, 0.0)
    pages, free = in_use(ledger)
    assert pages.sum() <= closed.optimum_total < pages.sum() + USERS
    assert free == PAGES - pages.sum()
    assert sound(ledger)
    assert rent(ledger, jnp.asarray(PAGES)) > 0.99
    assert most(jnp.asarray(PAGES), WORTH) == pytest.approx(float(closed.optimum_rent))
    assert yields(ledger, jnp.asarray(PAGES), WORTH).sum() == pytest.approx(float(closed.optimum_rent), abs=USERS)


def test_without_fines_it_comes_to_the_nash_equilibrium():
    """Each has R / (n + 1) pages, to the last; nobody would have one more or less by the pool's own formula."""
    ledger, closed = sweeps(pool(), 0.0), static_pool(USERS, WORTH, WORTH / PAGES, 0.0)
    pages = np.asarray(in_use(ledger)[0])[ISSUERS:]
    assert np.abs(pages - float(closed.nash_each)).max() <= 1
    best = best_use(pages.sum() - pages, WORTH, WORTH / PAGES, 0.0, PAGES)
    assert np.abs(np.asarray(best) - pages).max() <= 0.5 + 1e-4, "whole pages next to the best use"
    assert share_used(ledger, jnp.asarray(PAGES)) == pytest.approx(USERS / (USERS + 1), abs=0.01)
    assert rent(ledger, jnp.asarray(PAGES)) == pytest.approx(4 * USERS / (USERS + 1) ** 2, abs=0.03)
    assert sound(ledger)
    np.testing.assert_array_equal(ledger.pages[:ISSUERS], 0)


@pytest.mark.parametrize("part", [1.02, 0.9])
def test_an_accord_holds_iff_the_expected_fine_is_the_gain_of_the_first_page(part):
    """With audit probability 1/2 the least fine is that of the closed form, less the bend of a whole page."""
    least = float(pool_accord(USERS, WORTH, WORTH / PAGES, 0.0, 0.5).least_fine)
    fined = float(expected_fine(0.5, part * least, jnp.asarray(0)))
    over = np.asarray(in_use(sweeps(pool(), fined))[0])[ISSUERS:] - int(quota(jnp.asarray(PAGES), USERS))
    assert (over > 0).any() == (part < 1)
    assert (over >= 0).all()


def test_fines_double_and_stay_in_the_ledger():
    ledger = sweeps(pool(), 0.0)
    checked = jnp.arange(ISSUERS + USERS) % 2 == 1
    allowed, before = quota(jnp.asarray(PAGES), USERS), jnp.zeros(ISSUERS + USERS, int)
    fine = jax.jit(punish)
    once, offences = fine(ledger, checked, before, 0.5, jnp.asarray(2), allowed, USER)
    np.testing.assert_array_equal(offences, jnp.where(USER & checked, 1, 0))
    over = np.asarray(ledger.pages - allowed)
    paid = np.where(USER & checked, over, 0)
    shares = np.where(USER, paid.sum() // USERS, 0)
    np.testing.assert_allclose(np.asarray(net_worth(once) - net_worth(ledger)), shares - paid, atol=1)
    assert (net_worth(once) - net_worth(ledger)).sum() == 0
    twice, offences = fine(once, checked, offences, 0.5, jnp.asarray(2), allowed, USER)
    np.testing.assert_allclose(np.asarray(net_worth(twice) - net_worth(once)), 2 * (shares - paid), atol=8)
    assert offences.max() == 2
    ruined, _ = fine(ledger, checked, before + 60, 1e5, jnp.asarray(2**20), allowed, USER)
    assert sound(ruined), "nobody pays more than it has"
    assert base_money(ruined) == base_money(ledger)
    assert net_worth(ruined).min() >= 0
    for book in (once, twice):
        assert sound(book)


def test_a_lost_page_is_found():
    ledger = pool()
    assert not sound(ledger, PAGES + 1)
    assert not sound(ledger._replace(free=ledger.free + 1))
    negative = ledger._replace(pages=ledger.pages.at[2].add(-100), free=ledger.free + 100)
    assert not sound(negative)
    assert "pages" not in identities(open_ledger([1, 1], [0, 0], [-1, 0], 1), 0)
