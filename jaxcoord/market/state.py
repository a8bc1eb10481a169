"""The state of a compute economy: its ledger, what agents believe, what has happened, and whether the accounts hold."""

from __future__ import annotations

from typing import NamedTuple

import jax
import jax.numpy as jnp

from jaxcoord.market.ledger import Ledger, identities

Array = jax.Array

PHASES = (
    "deposits", "credit", "placements", "spot market", "delivery", "fees", "production", "loan service",
    "shock and forwards", "memory", "withdrawals", "rescue", "resolution", "pay out", "instalments", "repayment",
    "dividends", "wind-down",
)  # fmt: skip


class Flows(NamedTuple):
    """What passed in one step."""

    volume: Array
    """Units traded, through brokers or not."""
    brokered: Array
    """Units traded through brokers."""
    broker_income: Array
    """Credits that brokers kept."""
    spending: Array
    """Credits spent on compute."""
    spread: Array
    """(ask - bid) / price of the brokers; 0 without trade through them."""
    inflation: Array
    """Change of the price's logarithm."""
    used: Array
    """`[N]` units of compute used."""
    urgency: Array
    """`[N]` of the tasks."""
    coverage: Array
    resolved: Array
    """Issuers resolved."""
    rounds: Array
    """Rounds of the cascade after the first failures."""
    rescued: Array
    """Issuers rescued."""
    defaults: Array
    """Users who default on a loan."""
    delivered: Array
    """Units of forward compute delivered."""
    bought_in: Array
    """Units of them that their sellers had to buy."""
    failed: Array
    """Sellers of forward compute who could not deliver all of it."""


class Counts(NamedTuple):
    """What has happened since the start."""

    resolved: Array
    rescued: Array
    defaults: Array
    granted: Array
    """Base credits given to failing issuers, and rescue credit written off."""
    failed: Array
    """Failures to deliver forward compute."""
    offences: Array
    """Audits that found somebody over quota in the shared memory."""
    lost: Array
    """Float: credits that creditors of failed issuers lost, over broad money at the time."""
    crashed: Array
    """Whether there was a crash."""
    recent: Array
    """`[W]` issuers resolved in the latest steps."""


class Economy(NamedTuple):
    """One population."""

    ledger: Ledger
    price: Array
    """Whole credits for a unit of compute."""
    expected: Array
    """Expected spot price."""
    node_price: Array
    mark: Array
    """Whole credits: the last forward price."""
    initial: Array
    """`[N]` initial margin of the positions held."""
    target: Array
    """`[M]` target reserve ratios."""
    belief: Array
    """`[M]` believed probabilities of being rescued."""
    shut: Array
    """`[N]` steps until a resolved issuer, or a user in default, may act again."""
    access: Array
    """`[N]` bool: who may trade without a broker."""
    brokers: Array
    """`[N]` bool."""
    broker_income: Array
    """Moving average of a broker's income."""
    surplus: Array
    """`[N]` moving averages of gains from own trade, in credits."""
    flows: Flows
    counts: Counts
    stages: Array
    """`[7]` the step in which each stage was first detected; -1: not yet."""
    step: Array
    halted: Array
    hyperinflation: Array
    overflow: Array
    violation: Array
    """1 + index in `PHASES` of the phase after which an identity first failed; 0: none has."""
    accounts: Array
    """0.0 while every identity holds, NaN from the first violation: so the engine reports its population and step."""
    base: Array
    """Base credits at the start."""
    nodes: Array
    """Machines that there are."""
    pages: Array | None = None
    """Pages of shared memory that there are; None: there is no such memory."""
    offences: Array | None = None
    """`[N]` audits that found each over quota."""


def no_flows(agents: int) -> Flows:
    """Nothing has passed, and nobody has sold forward (coverage 1)."""
    zero, none = jnp.zeros((), float), jnp.zeros((), int)
    used, urgency = jnp.zeros(agents, int), jnp.zeros(agents, float)
    return Flows(none, none, none, none, zero, zero, used, urgency, zero + 1, *(none,) * 7)


def begin(
    ledger: Ledger, target: Array, access: Array, price: Array, expected: Array, node_price: Array, window: int,
    stages: int,
) -> Economy:  # fmt: skip
    """An economy at step 0, without debts or beliefs.

    Args: `target` `[M]` reserve ratios; `access` `[N]` bool; `price`, whole; `expected` and `node_price`, floats;
      `window`, steps of `recent`; `stages`, how many are watched for.
    """
    agents, kind = ledger.cash.shape[0], jnp.zeros((), float).dtype
    none, zero, no = jnp.zeros((), int), jnp.zeros((), kind), jnp.zeros((), bool)
    everybody = jnp.zeros(agents, int)
    counts = Counts(*(none,) * 6, zero, no, jnp.zeros(window, int))
    return Economy(
        ledger=ledger, price=jnp.asarray(price, int), expected=jnp.asarray(expected, kind),
        node_price=jnp.asarray(node_price, kind), mark=jnp.asarray(price, int), initial=everybody,
        target=jnp.asarray(target, kind), belief=jnp.zeros_like(jnp.asarray(target, kind)), shut=everybody,
        access=access, brokers=jnp.zeros(agents, bool), broker_income=zero, surplus=jnp.zeros(agents, kind),
        flows=no_flows(agents), counts=counts, stages=jnp.full(stages, -1, int), step=none, halted=no,
        hyperinflation=no,
        overflow=no, violation=none, accounts=zero, base=ledger.cash.sum(), nodes=ledger.nodes.sum(),
    )  # fmt: skip


class Watch:
    """Checks the identities after each phase of a step, and remembers the first that fails."""

    def __init__(self, nodes: Array, pages: Array | None = None):
        self.nodes, self.pages = nodes, pages
        self.holds: dict[int, Array] = {}

    def __call__(self, phase: str, ledger: Ledger, *others: Array) -> Ledger:
        """The ledger itself; `others` are truths that must hold too, such as that as much is bought as sold."""
        every = jnp.stack([*identities(ledger, self.nodes, self.pages).values(), *others])
        self.holds[PHASES.index(phase)] = every.all()
        return ledger

    def first(self) -> Array:
        """1 + index in `PHASES` of the first phase after which an identity failed; 0: all hold."""
        failed, numbers = ~jnp.stack(list(self.holds.values())), jnp.asarray([*self.holds], int)
        return jnp.where(failed.any(), numbers[jnp.argmax(failed)] + 1, 0).astype(int)
