"""The compute economy: agents who share, trade, broker, speculate, promise and fail, every credit accounted for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxcoord import random
from jaxcoord.errors import ParameterError
from jaxcoord.market import memory, phases
from jaxcoord.market import observables as measured
from jaxcoord.market.credit import reserve_choice
from jaxcoord.market.delivery import SETTLEMENTS
from jaxcoord.market.draws import Draws, draw
from jaxcoord.market.futures import variation_at_stake
from jaxcoord.market.ledger import (
    base_money,
    broad_money,
    equity,
    largest,
    open_ledger,
    positive,
    real,
    totals,
    whole,
)  # fmt: skip
from jaxcoord.market.rescue import POLICIES, learned_belief, rescue
from jaxcoord.market.resolution import resolve
from jaxcoord.market.state import Economy, Watch, begin
from jaxcoord.market.timeline import STAGES, WINDOW, first_detected, is_crash, stages_present
from jaxcoord.market.trade import trade
from jaxcoord.market.wind_down import wind_down
from jaxcoord.model import Model, observable, param, static

Array = jax.Array
LEARNING = 0.3  # weight of the newest price in what is expected
PLACEMENTS_EVERY = 5
RESERVES = (0.02, 0.5, 97)  # ratios among which issuers choose: from, to, how many
HORIZON = 20  # steps over which they reckon
DEVIATION = 1.5  # of withdrawals, over their mean
AUDIT = 1  # what the key of a step is folded with to draw who is audited


class ComputeEconomy(Model):
    """An economy of compute: users with machines and tasks, issuers of promises, a Mint that may or may not rescue.

    One step is a day: (1) machines fail and tasks arrive; (2) users deposit and (3) borrow, issuers lend to one
    another; (4) compute is traded for credits, and what was sold forward may have to be delivered; (5) the treasury
    rewards tasks; (6) loans fall due, machines are sold, users default; (7) shocks strike, forwards are marked, pages
    of the shared memory are taken and fines paid; (8) depositors withdraw, (9) issuers are rescued or (10) resolved;
    (11) to (14) withdrawals, debts between issuers, rescue credit and dividends are paid; (15) agents learn; (16) the
    operator may pull the plug, which freezes everything, after all claims are settled if there is to be a wind-down.
    Every stock is a whole number, every operation a double entry, and every identity of the accounts is checked after
    every phase.

    Defaults have no brokers, no forwards, no rescue and no shared memory. `reserve_ratio=1` ends lending beyond
    reserves. Policies to sweep: `reserve_ratio`, `capital_buffer`, `margin`, `connectivity`, `price_limit`, `plug`,
    `fee` (a tax on sales), `policy` (rescue), `market="sharing"` (a protocol instead of a market), `settlement`,
    `memory` (an accord). The fee falls on sellers after the trade: nobody trades less for it, money moves.

    With int32 the base credits must stay below 2**28 and are best begun below 2**24; where a population outgrows that,
    it is halted at its last whole step and flagged `overflow`, as one whose base outgrows `base_limit` is
    `hyperinflation`.
    Source: accounts after Godley & Lavoie 2007; rescue as in Bagehot 1873, resolution as in Rogers & Veraart 2013, cash
      in the market as in Allen & Gale 1994, the shared memory as in Ostrom, Gardner & Walker 1994.
    """

    kappa: int = param(4, doc="compute that a machine yields in a step", unit="compute units", low=1, high=1000)
    machines: int = param(5, doc="machines of each user at the start", unit="machines", low=1, high=1000)
    credits: int = param(100_000, doc="base credits of each agent at the start", unit="credits", low=1)
    outage: float = param(0.02, doc="chance that a machine is down in a step", low=0, high=0.5)
    cash_share: float = param(0.1, doc="gamma: share of its money that a user keeps in cash", low=0, high=1)
    borrow: float = param(0.5, doc="what a user in need asks to borrow, over its money and expected output", low=0)
    loan_to_value: float = param(0.8, doc="most that is lent against machines, over their price", low=0)
    amortisation: float = param(0.05, doc="share of a loan that falls due in a step", low=0, high=1)
    interest: float = param(0.01, doc="interest on loans", unit="1/step", low=0, high=1)
    fee: float = param(0.03, doc="tax on sales of compute, paid to the treasury", low=0, high=1)
    dividends: float = param(0.5, doc="tenths of spare equity that issuers pay out", low=0, high=10)
    withdrawals: float = param(0.03, doc="omega: mean share of deposits withdrawn in a calm step", low=0, high=0.5)
    trust: float = param(0.3, doc="cover over target ratio below which depositors run", low=0)
    recovered_reserves: float = param(0.7, doc="alpha: share of reserves left after a bankruptcy", low=0, high=1)
    recovered_claims: float = param(0.9, doc="beta: share of claims left after a bankruptcy", low=0, high=1)
    reserve_ratio: float = param(0.2, doc="target ratio of reserves to deposits", low=0.01, high=1)
    capital_buffer: float = param(0.0, doc="least equity over loans with which an issuer lends; 0: none", low=0, high=1)
    connectivity: float = param(3.0, doc="issuers to whom an issuer is ready to lend, on average", low=0)
    placements: float = param(0.1, doc="most that is lent to issuers, over deposits; 0: no such market", low=0, high=1)
    closure: int = param(20, doc="steps for which who fails may not act", unit="steps", low=0, high=1_000_000)
    deficit: float = param(0.0, doc="base credits created in a step, over those created before", low=0, high=1)
    price_limit: float = param(0.0, doc="largest relative change of the price in a step; 0: none", low=0)
    base_limit: float = param(
        100.0, doc="base money over that of the start beyond which hyperinflation halts all; 0: none", low=0
    )
    plug: float = param(
        0.0, doc="resolutions in ten steps, over issuers, at which the operator pulls the plug; 0: never", low=0
    )
    shock_step: int = param(0, doc="the step that a shock strikes first, from 1", unit="steps", low=0)
    shock_size: float = param(0.5, doc="share of loans and reserves, or of compute, that a shock takes", low=0, high=1)
    shock_length: int = param(1, doc="steps that a capacity shock lasts", unit="steps", low=0)
    hedge: float = param(0.5, doc="wish for forwards, over what would be traded at once", low=0)
    margin: float = param(0.1, doc="initial margin, over the value of a position", low=0.001, high=1)
    maintenance: float = param(0.75, doc="part of initial margin below which an account is called", low=0, high=1)
    maturity: int = param(10, doc="steps from the opening of forwards to their settlement", unit="steps", low=2)
    outsiders: float = param(
        0.5, doc="share of users who need a broker, where there may be any; brokers come from the others: at 1 nobody "
        "can turn broker and nothing is traded", low=0, high=1,
    )  # fmt: skip
    spread: float = param(0.4, doc="spread of a single broker, over the price", low=0, high=2)
    pages: int = param(1000, doc="R, pages of the shared memory", unit="pages", low=1, high=1_000_000)
    page_worth: float = param(
        2.0, doc="what a page yields beyond its use elsewhere while the pool is empty; nothing when it is full",
        unit="compute units/page", low=0, high=1000,
    )  # fmt: skip
    audit: float = param(0.2, doc="under an accord: probability that a user's pages are checked", low=0, high=1)
    fine: float = param(
        10.0, doc="fine for a page over quota at the first offence, twice as much after each, paid at the spot price",
        unit="compute units/page", low=0, high=1_000_000,
    )  # fmt: skip
    entry_cost: float = param(0.0, doc="what a user must gain by turning broker, per step", unit="credits", low=0)
    size: int = static(120, doc="N, agents", unit="individuals", low=2)
    issuers: int = static(8, doc="M, agents who issue promises", unit="individuals", low=1)
    market: str = static(
        "exchange", doc="how compute is traded: Cobb-Douglas exchange, call auction, or shared without payment",
        choices=("exchange", "auction", "sharing"),
    )  # fmt: skip
    brokers: int = static(0, doc="most brokers that there may be; 0: everybody has market access", low=0, high=64)
    futures: bool = static(False, doc="whether compute is traded forward")
    settlement: str = static(
        "cash", doc="how forwards end: by a last payment, or by delivery, for which short sellers buy what they lack",
        choices=SETTLEMENTS,
    )  # fmt: skip
    memory: str = static(
        "none", doc="shared memory: none, open to all, or under an accord on quotas", choices=memory.POOLS
    )
    wind_down: bool = static(False, doc="whether all claims are settled when the plug is pulled")
    policy: str = static("none", doc="whom the Mint rescues", choices=POLICIES)
    adaptive: bool = static(False, doc="whether issuers choose their reserve ratio by what they believe")
    shock: str = static("none", doc="what strikes", choices=("none", "issuer", "capacity"))

    price = observable(doc="spot price", unit="credits")
    node_price = observable(doc="price of a machine", unit="credits")
    volume = observable(doc="compute traded", unit="compute units")
    inflation = observable(doc="change of the logarithm of the price", unit="1/step")
    efficiency = observable(doc="share of compute that is where a planner would put it")
    welfare = observable(doc="share of a planner's plan for all machines that is met; 0 once all is halted")
    unmet = observable(doc="share of tasks that get less than half of what a planner would give them")
    multiplier = observable(doc="broad over base money")
    velocity = observable(doc="spending on compute over broad money", unit="1/step")
    leverage = observable(doc="loans over equity of the issuers")
    reserve_ratio_held = observable(doc="reserves over deposits, all issuers together")
    least_reserve_ratio = observable(doc="reserves over deposits of the issuer with the least")
    reserve_target = observable(doc="mean target reserve ratio")
    belief = observable(doc="mean believed probability of being rescued")
    gini = observable(doc="Gini coefficient of the users' wealth")
    gini_compute = observable(doc="Gini coefficient of compute used")
    brokered = observable(doc="share of trade that goes through brokers")
    broker_margin = observable(doc="ask less bid over price")
    broker_income = observable(doc="what brokers keep over spending on compute")
    broker_number = observable(doc="brokers", unit="individuals")
    open_interest = observable(doc="forward compute sold and not delivered", unit="compute units")
    coverage = observable(doc="own compute of forward sellers over what they sold")
    delivered = observable(doc="forward compute delivered in the step", unit="compute units")
    bought_in = observable(doc="forward compute that its sellers had to buy in the step", unit="compute units")
    failed_deliveries = observable(doc="failures to deliver forward compute since the start")
    pages_used = observable(doc="share of the pages of the shared memory in use; 0 without one")
    page_rent = observable(doc="what the shared memory yields, over the most that it could; 0 without one")
    offences = observable(doc="audits since the start that found somebody over quota")
    hoarding = observable(doc="share of machines that stand idle with issuers")
    default_fraction = observable(doc="share of agents shut out after a failure to pay, to deliver or to stay solvent")
    user_defaults = observable(doc="defaults of users since the start")
    resolutions = observable(doc="resolutions of issuers since the start")
    rescues = observable(doc="rescues of issuers since the start")
    cascade_size = observable(doc="issuers resolved in the step", unit="individuals")
    cascade_depth = observable(doc="rounds of failures in the step after the first ones", unit="rounds")
    systemic_loss = observable(doc="losses of creditors of failed issuers since the start, over broad money")
    rescue_credit = observable(doc="rescue credit outstanding over base money")
    rescue_cost = observable(doc="rescue credit outstanding, written off and granted, over base money")
    base_growth = observable(doc="base money over that of the start")
    crashed = observable(doc="whether half as many issuers as there are failed within ten steps, at any time")
    halted = observable(doc="whether the plug is pulled")
    hyperinflation = observable(doc="whether base money outgrew `base_limit`")
    overflow = observable(doc="whether amounts outgrew the whole numbers in use")
    live_steps = observable(doc="steps until the halt", unit="steps")
    violation = observable(doc="1 + the phase after which an identity of the accounts first failed; 0: none has")
    first_step = observable(
        dims=("stage",), doc="step in which each stage was first detected; -1: not yet", unit="steps"
    )

    def __post_init__(self):
        super().__post_init__()
        if self.issuers >= self.size:
            raise ParameterError(f"compute-economy.issuers = {self.issuers}: fewer than size, {self.size}")
        if isinstance(self.credits, int) and self.credits * self.size > largest():
            most = largest() // self.size
            raise ParameterError(f"compute-economy.credits = {self.credits}: at most {most} for each of {self.size}")

    def init(self, key: Array) -> Economy:
        """Everything in cash, homes drawn uniformly, no debts; the price is what the money there is would pay."""
        counter = jnp.arange(2 * self.size, dtype=jnp.uint32).reshape(2, self.size)
        words = random.words(random.seeds(key), counter)
        user = jnp.arange(self.size) >= self.issuers
        home = jnp.where(user, random.index_below(words[0], jnp.uint32(self.issuers)).astype(int), -1)
        cash = jnp.full(self.size, self.credits, int)
        ledger = open_ledger(cash, jnp.where(user, self.machines, 0), home, self.issuers)
        outside = random.probability(words[1]) < self.outsiders
        access = ~outside if self.brokers else jnp.ones(self.size, bool)
        expected = 0.4 * jnp.asarray(self.credits, float) / (self.kappa * self.machines)
        price = jnp.maximum(1, whole(expected))
        target = jnp.full(self.issuers, self.reserve_ratio, float)
        if self.memory != "none":
            ledger = memory.open_pool(ledger, self.pages, user)
        state = begin(
            ledger, target, access, price, expected, phases.LIFETIME * self.kappa * expected, WINDOW, len(STAGES)
        )
        if self.memory == "none":
            return state
        return state._replace(pages=jnp.asarray(self.pages, int), offences=jnp.zeros(self.size, int))

    def step(self, state: Economy, key: Array) -> Economy:
        nodes, checked = state.ledger.nodes, None
        if self.memory == "accord":
            seeds = random.seeds(jax.random.fold_in(key, AUDIT))
            checked = random.probability(random.words(seeds, jnp.arange(self.size, dtype=jnp.uint32))) < self.audit
        return self.advance(state, draw(key, nodes, self.issuers, self.outage, self.connectivity), checked)

    def capacity(self, state: Economy, draws: Draws) -> Array:
        """Phase 1: `[N]` compute units of the users, from machines and from pages of the shared memory."""
        units = jnp.where(phases.users_of(state.ledger), self.kappa * (state.ledger.nodes - draws.down), 0)
        if state.pages is not None:
            units = units + memory.yields(state.ledger, state.pages, self.page_worth)
        if self.shock != "capacity":
            return units
        since = state.step + 1 - self.shock_step
        struck = (since >= 0) & (since < self.shock_length)
        return jnp.where(struck, whole(real(units) * (1 - self.shock_size)), units)

    def advance(self, state: Economy, draws: Draws, checked: Array | None = None) -> Economy:
        """The step with all that chance decides given; a halted economy stays as it is.

        Args: `checked` `[N]` bool, who is audited under an accord on the shared memory.
        """
        watch, ledger = Watch(state.nodes, state.pages), state.ledger
        capacity, user = self.capacity(state, draws), phases.users_of(ledger)
        open_ = state.shut[: self.issuers] == 0
        ledger = watch("deposits", phases.save(ledger, user & phases.at_home(ledger, open_), self.cash_share))
        may = user & (state.shut == 0) & (draws.urgency > phases.URGENT)
        ledger, lent = phases.borrow(ledger, self, may, open_, state.target, state.expected, state.node_price, capacity)
        at_stake = self._credits(state.ledger) + lent + self.deficit * real(ledger.minted)
        watch("credit", ledger)
        meets = draws.lends & open_ & open_[:, None] & (self.placements > 0) & (state.step % PLACEMENTS_EVERY == 0)
        ledger = watch("placements", phases.place_reserves(ledger, meets, state.target, self.placements))
        ledger, price, done, failed_sellers, brokers, flows = trade(self, state, ledger, draws, capacity, watch)
        ledger = watch("production", phases.produce(ledger, done, self.deficit))
        ledger, node_price, defaults = phases.serve_loans(ledger, self, price, state.node_price)
        watch("loan service", ledger)
        if self.shock == "issuer":
            ledger = phases.strike_issuer(ledger, state.step + 1 == self.shock_step, self.shock_size)
        mark, initial = state.mark, state.initial
        if self.futures:
            at_stake = jnp.maximum(at_stake, variation_at_stake(ledger, mark, price))
            # A seller who did not deliver may not sell again until its closure is over.
            may = user & (state.shut == 0) if self.settlement == "physical" else user
            ledger, mark, initial = phases.trade_forwards(
                ledger, self, draws, capacity, state.step, mark, price, state.expected, initial, may
            )
        watch("shock and forwards", ledger)
        offences = state.offences
        if state.pages is not None and offences is not None:
            ledger, offences = memory.use(ledger, self, state.pages, offences, price, checked)
            watch("memory", ledger)
        calls = phases.call_promises(ledger, self, draws, state.target, node_price)
        ledger = watch("withdrawals", phases.lend_overnight(ledger, calls, open_, state.target, self.placements > 0))
        short = positive(calls.due - ledger.cash[: self.issuers])
        ledger, lent_last, given = rescue(ledger, self.policy, short, open_, node_price)
        rescued = ((lent_last > 0) | (given > 0)).sum()
        watch("rescue", ledger)
        deposits, _ = totals(ledger)
        owes = deposits + ledger.interbank.sum(1) + ledger.rescue > 0
        still_short = calls.due > ledger.cash[: self.issuers]
        failed = owes & (still_short | (equity(ledger, node_price) < 0))
        before = ledger
        ledger, _, failing, rounds = resolve(ledger, failed, node_price, self.recovered_reserves, self.recovered_claims)
        watch("resolution", ledger)
        forgiven = (before.rescue - ledger.rescue).sum()
        lost = (before.deposits - ledger.deposits).sum() + (before.interbank - ledger.interbank).sum()
        loss = real(lost) / jnp.maximum(real(broad_money(before)), 1)
        closes = defaults | failed_sellers | jnp.pad(failing, (0, self.size - self.issuers))
        shut = jnp.where(closes, self.closure, state.shut)
        ledger = watch("pay out", phases.pay_out(ledger, calls.withdrawals))
        ledger = watch("instalments", phases.redeem_between(ledger))
        ledger = watch("repayment", phases.repay_mint(ledger, state.target))
        ledger = watch("dividends", phases.pay_dividends(ledger, self, open_, state.target, node_price))
        counts = state.counts
        recent = jnp.concatenate([counts.recent[1:], failing.sum()[None]])
        if self.wind_down:
            pulled = self._pulled(recent)
            wound, loss_at_end = wind_down(ledger, self, price, node_price)
            ledger = watch("wind-down", jax.tree.map(lambda new, old: jnp.where(pulled, new, old), wound, ledger))
            loss, initial = loss + jnp.where(pulled, loss_at_end, 0), jnp.where(pulled, 0, initial)
        flows = flows._replace(
            resolved=failing.sum(), rounds=rounds, rescued=rescued, defaults=defaults.sum(),
            coverage=measured.coverage(capacity, ledger.forwards),
        )  # fmt: skip
        troubled = (short > 0).any() | (rescued > 0) | failing.any()
        belief, target = self._learned(state, troubled, rescued > 0)
        counts = counts._replace(
            resolved=counts.resolved + flows.resolved, rescued=counts.rescued + rescued,
            defaults=counts.defaults + flows.defaults,
            granted=counts.granted + given.sum() + forgiven,
            failed=counts.failed + flows.failed,
            offences=counts.offences if offences is None else offences.sum(),
            lost=counts.lost + loss,
            crashed=counts.crashed | is_crash(recent, self.issuers), recent=recent,
        )  # fmt: skip
        violation = jnp.where(state.violation > 0, state.violation, watch.first())
        after = state._replace(
            ledger=ledger, price=price, expected=state.expected + LEARNING * (real(price) - state.expected),
            node_price=node_price, mark=mark, initial=initial, target=target, belief=belief,
            shut=positive(shut - 1), flows=flows, counts=counts, step=state.step + 1, violation=violation,
            offences=offences, **brokers,
        )  # fmt: skip
        return self._halted(state, after, at_stake > largest())

    def _pulled(self, recent: Array) -> Array:
        """Whether the operator pulls the plug, by the resolutions of the latest steps `[W]`."""
        return (self.plug > 0) & (real(recent.sum()) >= self.plug * self.issuers)

    def _learned(self, state: Economy, troubled: Array, rescued: Array) -> tuple[Array, Array]:
        """Phase 15: beliefs in rescue, and the reserve ratios that they make worth while."""
        if not self.adaptive:
            return state.belief, state.target
        belief = learned_belief(state.belief, troubled, rescued)
        grid = jnp.linspace(*RESERVES[:2], RESERVES[2], dtype=belief.dtype)
        gain, mean = HORIZON * self.interest, 2 * self.withdrawals

        def best(believed: Array) -> Array:
            # A failure costs the same whatever is held: a loss of 20 r per unit of reserves.
            return reserve_choice(grid, gain, HORIZON * grid, believed, mean, DEVIATION * self.withdrawals)

        return belief, state.target + 0.1 * (jax.vmap(best)(belief) - state.target)

    def _credits(self, ledger: Any) -> Array:
        """Float: all credits of all kinds, to be seen before whole numbers would overflow."""
        stocks = (*ledger[:3], *ledger[4:7])
        return sum((real(x).sum() for x in stocks), real(ledger.treasury) + 2 * real(ledger.clearing_cash))

    def _halted(self, state: Economy, after: Economy, overflows: Array) -> Economy:
        """Phase 16: the halt, the stages, and the old state where the economy stands still or outgrew its numbers."""
        growth = real(base_money(after.ledger)) / jnp.maximum(real(after.base), 1)
        hyper = (self.base_limit > 0) & (growth > self.base_limit)
        after = after._replace(hyperinflation=hyper, halted=hyper | self._pulled(after.counts.recent))
        reserves, _ = measured.reserve_ratios(after.ledger)
        present = stages_present({
            "spending": after.flows.spending, "brokered": after.flows.brokered,
            "open_interest": positive(after.ledger.forwards).sum(), "reserve_ratio": reserves,
            "crash": after.counts.crashed, "rescues": after.flows.rescued, "halted": after.halted,
        })  # fmt: skip
        broken = jnp.where(after.violation > 0, jnp.nan, 0.0).astype(after.accounts.dtype)
        after = after._replace(stages=first_detected(after.stages, present, after.step), accounts=broken)
        stands = state.halted | overflows
        kept = jax.tree.map(lambda old, new: jnp.where(stands, old, new), state, after)
        halt = first_detected(kept.stages, jnp.arange(len(STAGES)) == STAGES.index("halt"), state.step + 1)
        new = overflows & ~state.halted
        return kept._replace(
            halted=kept.halted | new, overflow=kept.overflow | new, stages=jnp.where(new, halt, kept.stages)
        )

    def observe(self, state: Economy) -> dict[str, Array]:
        ledger, flows, counts, kind = state.ledger, state.flows, state.counts, state.expected.dtype
        base, live = real(base_money(ledger)), ~state.halted
        broad = real(broad_money(ledger))
        together, least = measured.reserve_ratios(ledger)
        possible, pages, rent = self.kappa * real(state.nodes), jnp.zeros_like(broad), jnp.zeros_like(broad)
        if state.pages is not None:
            pages, rent = memory.share_used(ledger, state.pages), memory.rent(ledger, state.pages)
            possible = possible + memory.most(state.pages, self.page_worth)
        seen = {
            "price": state.price,
            "node_price": state.node_price,
            "volume": jnp.where(live, flows.volume, 0),
            "inflation": jnp.where(live, flows.inflation, 0),
            "efficiency": jnp.where(live, measured.efficiency(flows.used, flows.urgency), 0),
            "welfare": jnp.where(live, measured.welfare(flows.used, flows.urgency, possible), 0),
            "unmet": jnp.where(live, measured.unmet(flows.used, flows.urgency), 1),
            "multiplier": measured.money_multiplier_of(ledger),
            "velocity": jnp.where(live, real(flows.spending) / jnp.maximum(broad, 1), 0),
            "leverage": measured.leverage(ledger, state.node_price),
            "reserve_ratio_held": together,
            "least_reserve_ratio": least,
            "reserve_target": state.target.mean(),
            "belief": state.belief.mean(),
            "gini": measured.gini(measured.wealth(ledger, state.node_price)[self.issuers :]),
            "gini_compute": measured.gini(flows.used[self.issuers :]),
            "brokered": real(flows.brokered) / jnp.maximum(real(flows.volume), 1),
            "broker_margin": flows.spread,
            "broker_income": real(flows.broker_income) / jnp.maximum(real(flows.spending), 1),
            "broker_number": state.brokers.sum(),
            "open_interest": positive(ledger.forwards).sum(),
            "coverage": flows.coverage,
            "delivered": jnp.where(live, flows.delivered, 0),
            "bought_in": jnp.where(live, flows.bought_in, 0),
            "failed_deliveries": counts.failed,
            "pages_used": pages,
            "page_rent": rent,
            "offences": counts.offences,
            "hoarding": measured.hoarding(ledger),
            "default_fraction": (state.shut > 0).mean(),
            "user_defaults": counts.defaults,
            "resolutions": counts.resolved,
            "rescues": counts.rescued,
            "cascade_size": flows.resolved,
            "cascade_depth": flows.rounds,
            "systemic_loss": counts.lost,
            "rescue_credit": real(ledger.rescue.sum()) / base,
            "rescue_cost": real(ledger.rescue.sum() + counts.granted) / base,
            "base_growth": base / jnp.maximum(real(state.base), 1),
            "crashed": counts.crashed,
            "halted": state.halted,
            "hyperinflation": state.hyperinflation,
            "overflow": state.overflow,
            "live_steps": state.step,
            "violation": state.violation,
            "first_step": state.stages,
        }
        return {name: jnp.asarray(x, kind if jnp.issubdtype(jnp.result_type(x), jnp.floating) else None)
                for name, x in seen.items()}  # fmt: skip

    def coords(self) -> Mapping[str, Sequence[str]]:
        return {"stage": STAGES}

    @property
    def agents(self) -> int:
        """A step updates every agent."""
        return self.size
