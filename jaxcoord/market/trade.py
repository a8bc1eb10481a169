"""Phase 4 of a step of the economy: compute is traded, directly and through brokers, paid for and taxed."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxcoord.market import phases, spot
from jaxcoord.market.brokers import broker_entry, broker_round
from jaxcoord.market.draws import Draws
from jaxcoord.market.ledger import Ledger, largest, pay, real, whole
from jaxcoord.market.state import Economy, Flows, Watch

Array = jax.Array
BROKER_MEMORY = 0.1  # weight of the newest income of brokers, and of the newest gain from own trade


def band(rules: Any, price: Array) -> tuple[Array, Array]:
    """The whole prices that the price limit allows next."""
    change = whole(rules.price_limit * real(price))
    limited = rules.price_limit > 0
    low = jnp.where(limited, jnp.maximum(price - change, 1), 1)
    return low, jnp.where(limited, price + change, largest())


def trade(
    rules: Any, state: Economy, ledger: Ledger, draws: Draws, capacity: Array, watch: Watch
) -> tuple[Ledger, Array, Array, dict[str, Array], Flows]:
    """Phase 4: the market, brokers, payment and the fee.

    Returns: the ledger, the price, compute used `[N]`, what changed for brokers, and the flows.
    """
    liquid, low_high, share = ledger.cash + ledger.deposits, band(rules, state.price), draws.urgency
    inside = state.access & ~state.brokers & phases.users_of(ledger)
    bought = sold = out = into = jnp.zeros_like(liquid)
    price, spending = state.price, jnp.zeros((), int)
    if rules.market == "sharing":
        bought, sold = spot.share_out(capacity, share)
    else:
        money, owned, wish = (jnp.where(inside, x, 0) for x in (liquid, capacity, share))
        if rules.market == "auction":
            clearing, bought, sold = spot.auction_round(money, owned, wish, state.expected, low_high)
        else:
            clearing = jnp.clip(spot.exchange_price(money, owned, wish), *low_high)
            buy, sell = spot.orders(money, owned, wish, clearing)
            bought, sold, _ = spot.match(buy, sell)
        price = jnp.where(bought.sum() > 0, clearing, state.price)
        out, into = price * bought, price * sold
        spending = out.sum()
    volume = bought.sum()
    flows, changes = state.flows, {}
    brokered, income, margin = jnp.zeros((), int), jnp.zeros((), int), jnp.zeros_like(state.expected)
    if rules.brokers and rules.market != "sharing":
        customers = ~state.access & phases.users_of(ledger)
        through = broker_round(liquid, capacity, share, price, customers, state.brokers, rules.spread, rules.brokers)
        bought, sold = bought + through.bought, sold + through.sold
        out, into = out + through.ask * through.bought, into + through.bid * through.sold + through.income
        brokered, income = through.bought.sum(), through.income.sum()
        spending, volume = spending + through.ask * brokered, volume + brokered
        margin = jnp.where(brokered > 0, real(through.ask - through.bid) / real(price), 0)
        earned = state.broker_income + BROKER_MEMORY * (through.offered - state.broker_income)
        gain = spot.gain_from_trade(real(liquid), real(capacity), share, real(price))
        surplus = state.surplus + BROKER_MEMORY * (gain - state.surplus)
        eligible = state.access & phases.users_of(ledger)
        brokers = broker_entry(state.brokers, eligible, earned, surplus, rules.entry_cost, rules.brokers)
        changes = {"brokers": brokers, "broker_income": earned, "surplus": surplus}
    done = capacity + bought - sold
    balanced = (bought.sum() == sold.sum()) & (done.sum() == capacity.sum()) & (done.min() >= 0)
    ledger = watch(pay(ledger, out, into), balanced)
    ledger = watch(phases.pay_fee(ledger, rules.fee, jnp.where(out.sum() > 0, sold, 0), price))
    flows = flows._replace(
        volume=volume, brokered=brokered, broker_income=income, spending=spending, spread=margin,
        inflation=jnp.log(real(price)) - jnp.log(real(state.price)),
        used=done, urgency=share,
    )  # fmt: skip
    return ledger, price, done, changes, flows
