"""The phases of a step of the economy: pure functions from ledger to ledger. All identities hold between any two.

`U` are users, agents who are not issuers. Amounts are floored, and raised where a debtor or a requirement rounds
against the holder. Source: stock-flow consistent phases after Godley & Lavoie 2007, Monetary Economics.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxcoord.market import credit, spot
from jaxcoord.market.futures import close_out, margin_call, mark_forwards, open_forwards, release
from jaxcoord.market.ledger import (
    Ledger,
    at_home,
    by_issuer,
    collect,
    deposit,
    equity,
    grown,
    pay,
    positive,
    raised,
    ration,
    real,
    reward,
    scaled_at_home,
    shared,
    shared_rows,
    totals,
    whole,
)

Array = jax.Array
URGENT = 0.3  # urgency above which users borrow
INSTALMENT = 20  # debts between issuers are paid back in so many parts
BUDGET = 0.1  # share of what a user has left that it spends on machines
LIFETIME = 10  # steps of output that a machine is worth


def users_of(ledger: Ledger) -> Array:
    """`[N]` bool: who is not an issuer."""
    return jnp.arange(ledger.cash.shape[0]) >= ledger.rescue.shape[0]


def save(ledger: Ledger, may: Array, kept: Any) -> Ledger:
    """Phase 2: users `[N]` bool deposit all but a share `kept` of their money."""
    spare = positive(ledger.cash - whole(kept * real(ledger.cash + ledger.deposits)))
    return deposit(ledger, jnp.where(may, spare, 0))


def borrow(
    ledger: Ledger, rules: Any, may: Array, open_: Array, target: Array, expected: Array, node_price: Array,
    capacity: Array,
) -> tuple[Ledger, Array]:  # fmt: skip
    """Phase 3: users in need borrow against their machines, as far as reserves and capital buffers allow.

    Returns: the ledger, and the new deposits as a float, to be seen before whole numbers would overflow.
    """
    room = credit.lending_room(ledger, target, open_)
    buffered = positive(equity(ledger, node_price) / jnp.maximum(rules.capital_buffer, 1e-9) - real(totals(ledger)[1]))
    room = jnp.where(rules.capital_buffer > 0, jnp.minimum(room, jnp.floor(buffered)), room)
    money = real(ledger.cash + ledger.deposits)
    limit = positive(whole(rules.loan_to_value * node_price * real(ledger.nodes)) - ledger.loans)
    asked = whole(rules.borrow * money + rules.borrow * expected * real(capacity))
    wanted = jnp.where(may, jnp.clip(asked, 0, limit), 0)
    return credit.lend(ledger, wanted, room), jnp.minimum(by_issuer(ledger, real(wanted)), room).sum()


def place_reserves(ledger: Ledger, lends: Array, target: Array, size: Any) -> Ledger:
    """Phase 3b: issuers lend spare reserves, up to a share `size` of their deposits, evenly to those they meet."""
    issuers = target.shape[0]
    deposits = by_issuer(ledger, ledger.deposits)
    spare = positive(ledger.cash[:issuers] - raised(target * real(deposits)))
    each = jnp.minimum(spare, whole(size * real(deposits))) // jnp.maximum(lends.sum(1), 1)
    return credit.place(ledger, lends, each)


def fee_on(fee: Any, sold: Array, price: Array) -> Array:
    """`[N]` credits: a share of what each sold for."""
    return whole(fee * real(sold) * real(price))


def pay_fee(ledger: Ledger, owed: Array) -> Ledger:
    """Sellers pay what they owe `[N]` to the treasury, out of promises, as far as reserves last."""
    due = jnp.minimum(owed, ledger.deposits)
    return collect(ledger, scaled_at_home(ledger, due, ledger.cash[: ledger.rescue.shape[0]]))


def produce(ledger: Ledger, done: Array, deficit: Any) -> Ledger:
    """Phase 5: the Mint creates a share `deficit` of base, and the treasury rewards tasks by the compute they used."""
    new = whole(deficit * real(ledger.minted))
    ledger = ledger._replace(minted=ledger.minted + new, treasury=ledger.treasury + new)
    return reward(ledger, shared(ledger.treasury, done))


class Service(NamedTuple):
    """What loan service leaves behind."""

    ledger: Ledger
    node_price: Array
    defaults: Array
    """`[N]` bool."""


def trade_nodes(
    ledger: Ledger, due: Array, price: Array, node_price: Array, kappa: Any, parts: int = 4
) -> tuple[Ledger, Array]:
    """Phase 6, machines: those who cannot pay what is due sell to those who can, for what cash there is.

    Issuers offer one in so many `parts` of their machines. Returns: the ledger and the price of a machine.
    """
    user = users_of(ledger)
    liquid = ledger.cash + ledger.deposits
    short = positive(due - liquid)
    sells = user & (short > 0)
    needed = jnp.minimum(ledger.nodes, raised(real(short) / jnp.maximum(node_price, 1)))
    offered = jnp.where(user, jnp.where(sells, needed, 0), -(-ledger.nodes // parts))
    budget = jnp.where(user & ~sells, whole(BUDGET * real(positive(liquid - due))), 0)
    units, fundamental = offered.sum(), LIFETIME * kappa * real(price)
    trade = jnp.minimum(fundamental, real(budget).sum() / jnp.maximum(real(units), 1))
    each = whole(trade)
    bought = jnp.where(each > 0, ration(units, budget // jnp.maximum(each, 1)), 0)
    sold = ration(bought.sum(), offered)
    ledger = pay(ledger, each * bought, each * sold)._replace(nodes=ledger.nodes + bought - sold)
    on_sale = 0.5 * node_price + 0.5 * jnp.maximum(trade, 1)
    return ledger, jnp.where(units > 0, on_sale, 0.9 * node_price + 0.1 * fundamental)


def serve_loans(ledger: Ledger, rules: Any, price: Array, node_price: Array) -> Service:
    """Phase 6: what is due on loans, the market of machines, payment, and default."""
    due, charge = credit.due_on(ledger.loans, rules.interest, rules.amortisation)
    ledger, node_price = trade_nodes(ledger, due, price, node_price, rules.kappa)
    ledger, defaults = credit.service(ledger, due, charge)
    return Service(credit.foreclose(ledger, defaults, node_price), node_price, defaults)


def strike_issuer(ledger: Ledger, struck: Array, loss: Any) -> Ledger:
    """Phase 7, shock: the largest issuer loses a share of every loan and of its reserves, these to the treasury."""
    deposits = by_issuer(ledger, ledger.deposits)
    hit = struck & (jnp.arange(deposits.shape[0]) == jnp.argmax(deposits))
    ledger = credit.write_off(ledger, jnp.where(at_home(ledger, hit), whole(loss * real(ledger.loans)), 0))
    lost = jnp.where(hit, whole(loss * real(ledger.cash[: hit.shape[0]])), 0)
    return ledger._replace(cash=grown(ledger.cash, -lost), treasury=ledger.treasury + lost.sum())


def matures(rules: Any, step: Array) -> Array:
    """Whether forwards end in a step, the first being 0."""
    return step % rules.maturity == rules.maturity - 1


def trade_forwards(
    ledger: Ledger, rules: Any, draws: Any, capacity: Array, step: Array, mark: Array, price: Array, expected: Array,
    initial: Array, may: Array,
) -> tuple[Ledger, Array, Array]:  # fmt: skip
    """Phase 7, forwards: contracts of `maturity` steps, opened together, marked every step, settled at the spot price.

    The forward price is the expected spot price. A user who `may` wants to buy or sell forward `hedge` times what it
    would trade at that price with today's urgency. Accounts that cannot meet a margin call are closed out. Where they
    are settled in kind, what is left of positions when they end is what could not be delivered.
    Returns: the ledger, the mark, and the initial margins.
    """
    opens, ends = step % rules.maturity == 0, matures(rules, step)
    forward = jnp.where(ends, price, jnp.maximum(1, whole(expected + 0.3 * (real(price) - expected))))
    ledger, _ = mark_forwards(ledger, mark, forward)
    ledger, _, fails = margin_call(ledger, initial, rules.maintenance)
    ledger, initial = close_out(ledger, initial, fails)
    ended = release(ledger._replace(forwards=jnp.where(ends, 0, ledger.forwards)))
    money = real(ledger.cash + ledger.deposits)
    wish = whole(rules.hedge * spot.net_purchase(money, real(capacity), draws.urgency, real(forward)))
    wanted = jnp.where(opens & may, wish, 0)
    opened, posted = open_forwards(ended, wanted, forward, rules.margin)
    return opened, forward, jnp.where(ends, 0, initial) + posted


class Calls(NamedTuple):
    """What is asked of issuers in a step."""

    withdrawals: Array
    """`[N]` promises to be redeemed."""
    due: Array
    """`[M]` withdrawals and debts to other issuers that fall due."""
    panic: Array
    """`[M]` bool: cover below what depositors trust."""
    worth: Array
    """`[M]` equity."""


def call_promises(ledger: Ledger, rules: Any, draws: Any, target: Array, node_price: Array) -> Calls:
    """Phase 8: depositors withdraw a little, or run where cover is thin or equity negative."""
    issuers = target.shape[0]
    reserves, deposits = real(ledger.cash[:issuers]), real(by_issuer(ledger, ledger.deposits))
    cover = jnp.where(deposits > 0, reserves / jnp.maximum(deposits, 1), 1.0)
    worth = equity(ledger, node_price)
    panic = cover < rules.trust * target
    held = real(ledger.deposits)
    running = whole(held * (0.5 + 0.5 * draws.severity))
    calm = whole(2 * rules.withdrawals * draws.withdrawal * held)
    runs = at_home(ledger, panic | (worth < 0))
    wanted = jnp.clip(jnp.where(runs, running, calm), 0, ledger.deposits)
    return Calls(wanted, by_issuer(ledger, wanted) + (ledger.interbank // INSTALMENT).sum(1), panic, worth)


def lend_overnight(ledger: Ledger, calls: Calls, open_: Array, target: Array, active: Any) -> Ledger:
    """Phase 8, overnight: calm issuers with reserves to spare lend to solvent ones that are short."""
    issuers = target.shape[0]
    left = ledger.cash[:issuers] - calls.due
    needs = jnp.where(active & (calls.worth >= 0), positive(-left), 0)
    kept = raised(0.5 * target * real(by_issuer(ledger, ledger.deposits)))
    supply = jnp.where(active & open_ & ~calls.panic, positive(left - kept), 0)
    given = jnp.minimum(shared(jnp.minimum(needs.sum(), supply.sum()), supply), supply)
    parts = shared_rows(given, needs)
    return ledger._replace(cash=grown(ledger.cash, parts.sum(0) - parts.sum(1)), interbank=ledger.interbank + parts.T)


def pay_out(ledger: Ledger, wanted: Array) -> Ledger:
    """Phase 11: withdrawals, as far as what is left of deposits and of reserves goes."""
    wanted = jnp.minimum(wanted, ledger.deposits)
    return deposit(ledger, -scaled_at_home(ledger, wanted, ledger.cash[: ledger.rescue.shape[0]]))


def repay_mint(ledger: Ledger, target: Array) -> Ledger:
    """Phase 13: rescue credit is repaid out of reserves beyond one and a half times the target."""
    kept = raised(1.5 * target * real(by_issuer(ledger, ledger.deposits)))
    back = jnp.minimum(ledger.rescue, positive(ledger.cash[: target.shape[0]] - kept))
    return ledger._replace(cash=grown(ledger.cash, -back), rescue=ledger.rescue - back)


def pay_dividends(ledger: Ledger, rules: Any, open_: Array, target: Array, node_price: Array) -> Ledger:
    """Phase 14: open issuers pay out part of their equity above a tenth of deposits, to all users alike in promises."""
    issuers = target.shape[0]
    deposits, worth = real(by_issuer(ledger, ledger.deposits)), equity(ledger, node_price)
    spare = positive(ledger.cash[:issuers] - raised(target * deposits))
    wished = whole(0.1 * rules.dividends * positive(worth - 0.1 * deposits))
    paid = jnp.where(open_ & (worth > 0), jnp.minimum(spare, wished), 0)
    users = users_of(ledger)
    each = paid.sum() // (ledger.cash.shape[0] - issuers)
    ledger = ledger._replace(cash=grown(ledger.cash, -paid), treasury=ledger.treasury + paid.sum())
    return reward(ledger, jnp.where(users, each, 0))


def redeem_between(ledger: Ledger) -> Ledger:
    """Phase 12: issuers pay one another a twentieth of their debts."""
    return credit.instalments(ledger, INSTALMENT)
