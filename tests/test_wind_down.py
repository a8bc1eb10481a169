"""The wind-down: everything is settled in order, nothing is lost but what issuers could not pay."""

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from test_ledger import assert_sound, random_ledger

from jaxcoord.market.ledger import base_money, net_worth, open_ledger, pay
from jaxcoord.market.wind_down import pay_all, wind_down

RULES = SimpleNamespace(kappa=4, recovered_reserves=0.7, recovered_claims=0.9)
FREE = SimpleNamespace(kappa=4, recovered_reserves=1.0, recovered_claims=1.0)
end = jax.jit(lambda ledger, price, node_price: wind_down(ledger, RULES, price, node_price))
end_without_costs = jax.jit(lambda ledger, price, node_price: wind_down(ledger, FREE, price, node_price))


@pytest.mark.parametrize("wide", [False, True])
def test_afterwards_nobody_owes_anything_and_every_account_holds(wide):
    failures = 0
    with jax.enable_x64(wide):
        for seed in range(30):
            ledger = random_ledger(seed)
            margin = jnp.where(ledger.home >= 0, ledger.cash // 3, 0)
            ledger = ledger._replace(
                cash=ledger.cash - margin, margin=margin, clearing_cash=margin.sum(),
                forwards=jnp.where(ledger.home >= 0, jnp.arange(12) % 2 * 2 - 1, 0),
            )  # fmt: skip
            ledger = ledger._replace(forwards=ledger.forwards.at[11].add(-ledger.forwards.sum()))
            assert_sound(ledger, ledger.nodes.sum())
            after, lost = end(ledger, jnp.asarray(5), jnp.asarray(60.0))
            assert_sound(after, ledger.nodes.sum())
            for name in ("deposits", "loans", "interbank", "rescue", "margin", "forwards", "clearing_cash"):
                assert not getattr(after, name).any(), name
            assert net_worth(after).sum() + after.treasury == base_money(after) == after.minted
            assert 0 <= lost <= 1
            failures += int(lost > 0)
    assert 0 < failures < 30, "some end with all paid, some do not"


def test_the_solvent_are_paid_to_the_credit():
    """Deposits of 60 against reserves of 40 and a good loan of 30: the depositor has all, and nothing is lost."""
    ledger = open_ledger([40, 0, 30], [0, 0, 0], [-1, 0, 0], 1)
    ledger = ledger._replace(deposits=jnp.array([0, 60, 0]), loans=jnp.array([0, 0, 30]))
    after, lost = end(ledger, jnp.asarray(5), jnp.asarray(60.0))
    np.testing.assert_array_equal(after.cash, [10, 60, 0])
    assert lost == 0
    assert after.treasury == 0


def test_the_insolvent_pay_all_alike_what_is_recovered():
    """Reserves of 40 against deposits of 60 and 20: half of each without costs, and 7/20 where 0.7 of them are left."""
    ledger = open_ledger([40, 0, 0], [0, 0, 0], [-1, 0, 0], 1)._replace(deposits=jnp.array([0, 60, 20]))
    after, lost = end_without_costs(ledger, jnp.asarray(5), jnp.asarray(60.0))
    np.testing.assert_array_equal(after.cash, [0, 30, 10])
    assert lost == pytest.approx(0.5)
    after, lost = end(ledger, jnp.asarray(5), jnp.asarray(60.0))
    np.testing.assert_array_equal(after.cash, [0, 21, 7])
    assert after.treasury == 12
    assert lost == pytest.approx(0.65)


def test_loans_are_set_off_then_paid_then_machines_are_sold():
    """A debtor of 100 with 30 on deposit, 20 in cash and two machines: a neighbour's tenth buys one of them at 10."""
    ledger = open_ledger([500, 20, 100], [0, 2, 0], [-1, 0, 0], 1)
    ledger = ledger._replace(deposits=jnp.array([0, 30, 0]), loans=jnp.array([0, 100, 0]))
    after, lost = end(ledger, jnp.asarray(5), jnp.asarray(20.0))
    assert lost == 0
    assert after.cash[1] == 0
    assert after.nodes.sum() == 2
    assert after.nodes[2] >= 1
    assert after.cash[2] < 100
    assert after.cash[0] == 620 - after.cash[2]


def test_credits_that_rounding_leaves_short_come_from_the_mint():
    """A debt of 12 between issuers with 10 of reserves, and a circle of debts without any reserves at all."""
    ledger = open_ledger([10, 0, 0], [0] * 3, [-1, -1, -1], 3)
    ledger = ledger._replace(interbank=jnp.array([[0, 12, 0], [0, 0, 7], [0, 0, 0]]))
    after = pay_all(ledger)
    np.testing.assert_array_equal(after.cash, [0, 5, 7])
    assert after.minted == 12
    circle = open_ledger([0, 0, 0], [0] * 3, [-1, -1, -1], 3)
    circle = circle._replace(interbank=jnp.array([[0, 9, 0], [0, 0, 9], [9, 0, 0]]))
    after = pay_all(circle)
    assert not after.cash.any()
    assert after.minted == 0
    assert not after.interbank.any()


def test_a_wind_down_after_payments_that_ran_short():
    """Credit that the Mint lent within the day is repaid or written off, and base money is all that was minted."""
    ledger = open_ledger([10, 0, 0], [0] * 3, [-1, 0, -1], 1)._replace(deposits=jnp.array([0, 50, 0]))
    ledger = pay(ledger, jnp.array([0, 50, 0]), jnp.array([0, 0, 50]))
    assert ledger.rescue[0] == 40
    after, _ = end(ledger, jnp.asarray(5), jnp.asarray(60.0))
    assert after.cash[2] == 50
    assert base_money(after) == after.minted == 50
