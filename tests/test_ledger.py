"""The ledger: the scripted week, payments between issuers, resolution, and exact shares."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import DATA

from jaxcoord.errors import ParameterError
from jaxcoord.market import credit
from jaxcoord.market.futures import mark_forwards as mark
from jaxcoord.market.futures import open_forwards, settle_forwards
from jaxcoord.market.ledger import (
    Ledger,
    base_money,
    broad_money,
    collect,
    deposit,
    identities,
    net_worth,
    open_ledger,
    pay,
    portion,
    reward,
    scaled_at_home,
    shared,
    withdraw,
)
from jaxcoord.market.rescue import grant, lend_last, rescue
from jaxcoord.market.resolution import resolve

NAMES = {
    "cash": "cash", "dep": "deposits", "loan": "loans", "ib": "interbank", "margin": "margin", "fwd": "forwards",
    "treasury": "treasury", "ccp_cash": "clearing_cash", "minted": "minted",
}  # fmt: skip


def script():
    entries = json.loads((DATA / "market_cases.json").read_text())["cases"]
    return next(case for case in entries if case["kind"] == "ledger_script")


class Week:
    """Carries out the events of a script with the ledger's own functions, each compiled once."""

    def __init__(self, setup):
        agents = setup["n"]
        self.agents, self.issuers = agents, len(setup["issuers"])
        self.ledger = open_ledger(setup["cash"], setup["nodes"], [-1] * agents, self.issuers)
        self.node_price, self.price, self.halted, self.seen = float(setup["node_price"]), None, False, {}

    def one(self, agent, amount, size=None):
        return jnp.zeros(size or self.agents, int).at[agent].set(amount)

    def do(self, op, **given):
        if not self.halted:
            getattr(self, op)(**given)

    def pay(self, payer, payee, amount):
        self.ledger = pay(self.ledger, self.one(payer, amount), self.one(payee, amount))

    def fee(self, agent, amount):
        self.ledger = collect(self.ledger, self.one(agent, amount))

    def reward(self, agent, amount):
        self.ledger = reward(self.ledger, self.one(agent, amount))

    def deposit(self, agent, issuer, amount):
        moved = self.ledger._replace(home=self.ledger.home.at[agent].set(issuer))
        self.ledger = deposit(moved, self.one(agent, amount))

    def withdraw(self, agent, amount):
        self.ledger = withdraw(self.ledger, self.one(agent, amount))

    def lend(self, issuer, borrower, amount):
        room = jnp.zeros(self.issuers).at[issuer].set(amount)
        self.ledger = credit.lend(self.ledger, self.one(borrower, amount), room)

    def repay(self, borrower, principal, interest):
        self.ledger = credit.repay(self.ledger, self.one(borrower, principal), self.one(borrower, interest))

    def interbank(self, lender, borrower, amount):
        lends = jnp.zeros((self.issuers,) * 2, bool).at[lender, borrower].set(True)
        self.ledger = credit.place(self.ledger, lends, self.one(lender, amount, self.issuers))

    def forward(self, long, short, qty, price, margin):
        wanted = self.one(long, qty) + self.one(short, -qty)
        self.ledger, _ = open_forwards(self.ledger, wanted, jnp.asarray(price), margin / (qty * price))
        self.price = price

    def mark(self, price):
        self.ledger, missing = mark(self.ledger, jnp.asarray(self.price), jnp.asarray(price))
        self.price, self.seen["margin_shortfall"] = price, missing

    def settle(self, price):
        self.ledger, missing = settle_forwards(self.ledger, jnp.asarray(self.price), jnp.asarray(price))
        self.seen["margin_shortfall"] = missing

    def lolr(self, issuer, amount):
        self.ledger = lend_last(self.ledger, self.one(issuer, amount, self.issuers))

    def grant(self, agent, amount):
        self.ledger = grant(self.ledger, self.one(agent, amount))

    def write_off(self, borrower, num, den):
        self.ledger = credit.write_off(self.ledger, self.one(borrower, self.ledger.loans[borrower] * num // den))

    def resolve(self, issuers, alpha, beta):
        failed = jnp.isin(jnp.arange(self.issuers), jnp.asarray(issuers))
        self.ledger, share, failing, _ = resolve(self.ledger, failed, jnp.asarray(self.node_price), alpha, beta)
        self.seen |= {"recovery": share, "resolved": np.flatnonzero(failing)}

    def halt(self):
        self.halted = True


def test_the_scripted_week():
    case = script()
    with jax.enable_x64(True):
        week = Week(case["inputs"]["setup"])
        nodes = int(week.ledger.nodes.sum())
        for day, want in zip(case["inputs"]["days"], case["expected"]["days"], strict=True):
            week.seen = {}
            for event in day["events"]:
                week.do(**event)
            ledger = week.ledger
            found = {theirs: getattr(ledger, ours) for theirs, ours in NAMES.items()}
            found |= {"lolr": np.pad(np.asarray(ledger.rescue), (0, week.agents - week.issuers)), **week.seen}
            found |= {"fnw": net_worth(ledger), "base_money": base_money(ledger), "broad_money": broad_money(ledger)}
            for name, value in want.items():
                if name == "recovery":
                    np.testing.assert_allclose(found[name], value, rtol=1e-11)
                elif name != "day":
                    np.testing.assert_array_equal(found[name], value, err_msg=f"{want['day']}: {name}")
            holds = {name: bool(truth) for name, truth in identities(ledger, nodes).items()}
            assert all(holds.values()), (want["day"], holds)


def random_ledger(seed, agents=12, issuers=3):
    """A ledger in the midst of things, every stock of it consistent."""
    draw = np.random.default_rng(seed)
    home = np.append([-1] * issuers, draw.integers(0, issuers, agents - issuers))
    user = home >= 0
    deposits, loans = (np.where(user, draw.integers(0, 900, agents), 0) for _ in range(2))
    between = draw.integers(0, 200, (issuers, issuers)) * (1 - np.eye(issuers, dtype=int))
    rescued, cash = draw.integers(0, 50, issuers), draw.integers(0, 400, agents)
    ledger = open_ledger(cash, draw.integers(0, 9, agents), home, issuers)
    minted = int(cash.sum()) - rescued.sum()
    return ledger._replace(
        deposits=jnp.asarray(deposits), loans=jnp.asarray(loans), interbank=jnp.asarray(between),
        rescue=jnp.asarray(rescued), minted=jnp.asarray(minted),
    )  # fmt: skip


def assert_sound(ledger, nodes):
    holds = {name: bool(truth) for name, truth in identities(ledger, nodes).items()}
    assert all(holds.values()), holds


def payment(ledger, seed):
    draw = np.random.default_rng(seed)
    has = np.array(ledger.cash + ledger.deposits)
    has[: ledger.rescue.shape[0]] = 0
    out = draw.integers(0, has + 1)
    into = draw.multinomial(out.sum(), draw.dirichlet(np.ones(len(has))))
    return jnp.asarray(out), jnp.asarray(into)


def test_payments_move_net_worth_by_what_is_paid_and_nothing_else():
    step = jax.jit(pay)
    short = 0
    for seed in range(40):
        ledger = random_ledger(seed)
        out, into = payment(ledger, seed)
        after = step(ledger, out, into)
        assert_sound(after, ledger.nodes.sum())
        np.testing.assert_array_equal(net_worth(after) - net_worth(ledger), into - out)
        short += int((after.interbank != ledger.interbank).any())
    assert short > 5, "issuers ran short of reserves in some"


def test_an_issuer_that_runs_short_owes_those_that_gain():
    """Issuer 0 has 10 credits of reserves and must pass on 100, 60 of them to issuer 1 and 40 to issuer 2."""
    ledger = open_ledger([10, 0, 0, 0, 0, 0], [0] * 6, [-1, -1, -1, 0, 1, 2], 3)
    ledger = ledger._replace(deposits=jnp.array([0, 0, 0, 100, 0, 0]))
    after = pay(ledger, jnp.array([0, 0, 0, 100, 0, 0]), jnp.array([0, 0, 0, 0, 60, 40]))
    np.testing.assert_array_equal(after.interbank[0], [0, 54, 36])
    np.testing.assert_array_equal(after.cash[:3], [0, 6, 4])
    np.testing.assert_array_equal(after.deposits, [0, 0, 0, 0, 60, 40])
    assert not after.rescue.any()


def test_payments_to_who_has_no_issuer_are_in_cash_lent_by_the_mint_if_need_be():
    ledger = open_ledger([10, 0, 0], [0] * 3, [-1, 0, -1], 1)._replace(deposits=jnp.array([0, 50, 0]))
    after = pay(ledger, jnp.array([0, 50, 0]), jnp.array([0, 0, 50]))
    np.testing.assert_array_equal(after.cash, [0, 0, 50])
    np.testing.assert_array_equal(after.rescue, [40])
    assert base_money(after) == after.minted + after.rescue.sum()


def test_shares_are_exact_and_within_the_pot():
    draw = np.random.default_rng(0)
    with jax.enable_x64(True):
        for _ in range(20):
            weights = draw.integers(0, 10**6, 50)
            pot = int(draw.integers(0, 10**9))
            exact = [pot * int(w) // int(weights.sum()) for w in weights]
            np.testing.assert_array_equal(shared(jnp.asarray(pot), jnp.asarray(weights)), exact)
        assert portion(jnp.asarray(7958), jnp.asarray([7958]), jnp.asarray(7958))[0] == 7958
    for _ in range(20):
        weights = draw.integers(0, 10**6, 50)
        pot = int(draw.integers(0, 2**28))
        parts = np.asarray(shared(jnp.asarray(pot), jnp.asarray(weights)), np.int64)
        exact = np.array([pot * int(w) // int(weights.sum()) for w in weights])
        assert parts.sum() <= pot
        np.testing.assert_allclose(parts, exact, rtol=4e-6, atol=2)


def test_what_customers_get_is_within_the_limit_in_float32_too():
    draw = np.random.default_rng(1)
    scale = jax.jit(scaled_at_home)
    for seed in range(20):
        ledger = random_ledger(seed, 60, 4)
        amounts = jnp.asarray(draw.integers(0, 2**22, 60))
        limits = jnp.asarray(draw.integers(0, 2**26, 4))
        got, home = np.asarray(scale(ledger, amounts, limits)), np.asarray(ledger.home)
        for j in range(4):
            asked = np.asarray(amounts)[home == j]
            assert got[home == j].sum() <= limits[j]
            least = min(asked.sum(), limits[j]) * (1 - 4e-6) - len(asked)
            assert got[home == j].sum() >= least


def brute_recovery(ledger, failed, node_price, alpha, beta):
    """The greatest recovery by plain downward iteration in float64, failures added until none is."""
    book = Ledger(*(np.asarray(x, float) for x in ledger))
    issuers = len(failed)
    home = np.asarray(ledger.home)
    sums = [np.array([x[home == j].sum() for j in range(issuers)]) for x in (book.deposits, book.loans)]
    liabilities = sums[0] + book.interbank.sum(1) + book.rescue
    outside = sums[1] + node_price * book.nodes[:issuers]
    while True:
        share = np.ones(issuers)
        for _ in range(3000):
            value = alpha * book.cash[:issuers] + beta * (outside + book.interbank.T @ share)
            paid = np.clip(value / np.maximum(liabilities, 1), 0, 1)
            share = np.where(failed & (liabilities > 0), paid, 1)
        worth = book.cash[:issuers] + outside + book.interbank.T @ share - liabilities
        more = failed | (worth < 0)
        if (more == failed).all():
            return share, failed
        failed = more


def test_resolution_finds_the_greatest_recovery_and_spreads_losses_to_the_credit():
    cleared = jax.jit(resolve)
    cascades = 0
    with jax.enable_x64(True):
        for seed in range(25):
            ledger = random_ledger(seed, 14, 4)
            failed = np.arange(4) == seed % 4
            after, share, failing, rounds = cleared(ledger, jnp.asarray(failed), jnp.asarray(30.0), 0.6, 0.7)
            expected, expected_failing = brute_recovery(ledger, failed, 30.0, 0.6, 0.7)
            np.testing.assert_allclose(share, expected, atol=1e-9)
            np.testing.assert_array_equal(failing, expected_failing)
            assert (rounds > 0) == (failing.sum() > 1)
            cascades += int(rounds > 0)
            assert_sound(after, ledger.nodes.sum())
            np.testing.assert_array_equal(after.interbank[~failed], ledger.interbank[~failed]) if rounds == 0 else None
    assert cascades > 3


def test_rescue_policies():
    """Three issuers: short and solvent, short and insolvent, insolvent though not short."""
    ledger = open_ledger([5, 5, 90, 0, 0, 0], [0] * 6, [-1, -1, -1, 0, 1, 2], 3)
    ledger = ledger._replace(deposits=jnp.array([0, 0, 0, 100, 100, 100]), loans=jnp.array([0, 0, 0, 200, 10, 0]))
    short, open_, price = jnp.array([90, 20, 0]), jnp.ones(3, bool), jnp.asarray(0.0)
    same, lent, given = rescue(ledger, "none", short, open_, price)
    assert same is ledger
    assert not lent.any()
    assert not given.any()
    after, lent, given = rescue(ledger, "bagehot", short, open_, price)
    np.testing.assert_array_equal(lent, [60, 0, 0])
    assert not given.any()
    np.testing.assert_array_equal(after.cash[:3], [65, 5, 90])
    after, lent, given = rescue(ledger, "blanket", short, open_, price)
    np.testing.assert_array_equal(lent, [90, 20, 0])
    np.testing.assert_array_equal(given, [0, 85, 10])
    assert base_money(after) == after.minted + after.rescue.sum()
    np.testing.assert_array_equal(net_worth(after)[:3], [105, 0, 0])


@pytest.mark.parametrize("name", ["sum to zero", "base credits", "clearing house", "nodes", "not negative"])
def test_each_identity_can_fail(name):
    ledger = random_ledger(2)
    broken = {
        "sum to zero": ledger._replace(deposits=ledger.deposits.at[0].add(1)),
        "base credits": ledger._replace(treasury=ledger.treasury + 1),
        "clearing house": ledger._replace(forwards=ledger.forwards.at[4].add(1)),
        "nodes": ledger._replace(nodes=ledger.nodes.at[4].add(1)),
        "not negative": ledger._replace(deposits=ledger.deposits.at[5].add(-2000)),
    }
    nodes = ledger.nodes.sum()
    assert all(identities(ledger, nodes).values())
    failed = [which for which, holds in identities(broken[name], nodes).items() if not holds]
    assert failed == [name]


def test_wishes_that_whole_numbers_cannot_sum_are_rationed():
    ledger = open_ledger([100] * 5, [1] * 5, [-1, 0, 0, 0, 0], 1)
    asked = jnp.array([0] + [2**29] * 4)
    lent = credit.lend(ledger, asked, jnp.array([10.0]))
    assert lent.deposits.tolist() == [0, 2, 2, 2, 2]


@pytest.mark.parametrize("ratio", [0, 0.0, np.float32(0), np.array([0.5, 0]), -1, float("nan")])
def test_a_reserve_ratio_of_nothing_is_refused(ratio):
    with pytest.raises(ParameterError, match="above 0 and at most 1"):
        credit.money_multiplier(ratio, 0.1)
