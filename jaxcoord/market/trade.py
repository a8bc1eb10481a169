"""Phase 4 of a step of the economy: compute is traded, directly and through brokers, paid for and taxed."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxcoord.market import delivery, phases, spot
from jaxcoord.market.brokers import broker_entry, broker_round
from jaxcoord.market.draws import Draws
from jaxcoord.market.ledger import Ledger, largest, pay, positive, real, whole
from jaxcoord.market.state import Economy, Flows, Watch

Array = jax.Array
BROKER_MEMORY = 0.1  # weight of the newest income of brokers, and of the newest gain from own trade


def band(rules: Any, price: Array) -> tuple[Array, Array]:
    """The whole prices that the price limit allows next."""
    change = whole(rules.price_limit * real(price))
    limited = rules.price_limit > 0
    low = jnp.where(limited, jnp.maximum(price - change, 1), 1)
    return low, jnp.where(limited, price + change, largest())


class Traded(NamedTuple):
    """What phase 4 leaves behind."""

    ledger: Ledger
    price: Array
    done: Array
    """`[N]` units of compute used."""
    failed: Array
    """`[N]` bool: who sold forward, had to deliver and could not."""
    changes: dict[str, Array]
    """What is new of brokers, by the names of the state."""
    flows: Flows


def main_market(
    rules: Any, state: Economy, liquid: Array, capacity: Array, share: Array, needs: Array | None
) -> delivery.Round:
    """The market of those with access, and of all who have sold forward and must buy what they `need`, if any may."""
    inside, limits = state.access & ~state.brokers & phases.users_of(state.ledger), band(rules, state.price)
    owned, wish = (jnp.where(inside, x, 0) for x in (capacity, share))
    if needs is not None:
        owned, money = jnp.where(needs > 0, 0, owned), jnp.where(inside | (needs > 0), liquid, 0)
        if rules.market == "auction":
            return delivery.auction_round(money, owned, wish, state.expected, needs, limits)
        return delivery.exchange_round(money, owned, wish, needs, limits)
    money = jnp.where(inside, liquid, 0)
    if rules.market == "auction":
        price, bought, sold = spot.auction_round(money, owned, wish, state.expected, limits)
    else:
        price = jnp.clip(spot.exchange_price(money, owned, wish), *limits)
        buy, sell = spot.orders(money, owned, wish, price)
        bought, sold, _ = spot.match(buy, sell)
    return delivery.Round(price, bought, sold, jnp.zeros_like(bought))


def trade(rules: Any, state: Economy, ledger: Ledger, draws: Draws, capacity: Array, watch: Watch) -> Traded:
    """Phase 4: the market, brokers, payment, delivery of forwards that end in kind, and the fee."""
    share, ends = draws.urgency, phases.matures(rules, state.step)
    flows, changes, user = state.flows, {}, phases.users_of(ledger)
    own, customers, needs, given = capacity, ~state.access & user, None, jnp.zeros_like(capacity)
    liquid = ledger.cash + ledger.deposits
    if rules.futures and rules.settlement == "physical":
        ledger, given, received = delivery.deliver(
            ledger, jnp.minimum(capacity, positive(-ledger.forwards)), state.mark, ends
        )
        own = capacity - given + received
        needs, coming = delivery.still_due(ledger, state.mark, ends)
        customers = customers & (needs == 0)
        liquid = ledger.cash + ledger.deposits - state.mark * coming
    bought = sold = out = into = bought_in = jnp.zeros_like(liquid)
    price, spending = state.price, jnp.zeros((), int)
    if rules.market == "sharing":
        bought, sold = spot.share_out(own, share)
    else:
        clearing, bought, sold, bought_in = main_market(rules, state, liquid, own, share, needs)
        price = jnp.where(bought.sum() > 0, clearing, state.price)
        out, into = price * bought, price * sold
        spending = out.sum()
    volume = bought.sum()
    brokered, income, margin = jnp.zeros((), int), jnp.zeros((), int), jnp.zeros_like(state.expected)
    fee = phases.fee_on(rules.fee, jnp.where(out.sum() > 0, sold, 0), price)
    if rules.brokers and rules.market != "sharing":
        through = broker_round(liquid, own, share, price, customers, state.brokers, rules.spread, rules.brokers)
        bought, sold = bought + through.bought, sold + through.sold
        out, into = out + through.ask * through.bought, into + through.bid * through.sold + through.income
        fee = fee + phases.fee_on(rules.fee, through.sold, through.bid)
        brokered, income = through.bought.sum(), through.income.sum()
        spending, volume = spending + through.ask * brokered, volume + brokered
        margin = jnp.where(brokered > 0, real(through.ask - through.bid) / real(price), 0)
        earned = state.broker_income + BROKER_MEMORY * (through.offered - state.broker_income)
        gain = spot.gain_from_trade(real(liquid), real(own), share, real(price))
        surplus = state.surplus + BROKER_MEMORY * (gain - state.surplus)
        eligible = state.access & user
        brokers = broker_entry(state.brokers, eligible, earned, surplus, rules.entry_cost, rules.brokers)
        changes = {"brokers": brokers, "broker_income": earned, "surplus": surplus}
    done = own + bought - sold
    balanced = (bought.sum() == sold.sum()) & (done.sum() == capacity.sum()) & (done.min() >= 0)
    ledger = watch("spot market", pay(ledger, out, into), balanced)
    failed = jnp.zeros_like(state.access)
    if needs is not None:
        ledger, late, received = delivery.deliver(ledger, bought_in, state.mark, ends)
        done, failed = done + received - late, needs > bought_in
        watch("delivery", ledger, (done.sum() == capacity.sum()) & (done.min() >= 0))
        flows = flows._replace(delivered=(given + late).sum(), bought_in=bought_in.sum(), failed=failed.sum())
    ledger = watch("fees", phases.pay_fee(ledger, fee))
    flows = flows._replace(
        volume=volume, brokered=brokered, broker_income=income, spending=spending, spread=margin,
        inflation=jnp.log(real(price)) - jnp.log(real(state.price)),
        used=done, urgency=share,
    )  # fmt: skip
    return Traded(ledger, price, done, failed, changes, flows)
