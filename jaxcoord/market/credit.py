"""Promises beyond reserves: credit, its service, the money multiplier, and runs on those who promised too much."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxcoord.errors import ParameterError
from jaxcoord.market import checks
from jaxcoord.market.ledger import (
    Ledger,
    at_home,
    by_issuer,
    grown,
    positive,
    raised,
    real,
    scaled,
    within,
)

Array = jax.Array


def _fraction(name: str, value: Any, zero: bool = True) -> None:
    if isinstance(value, jax.core.Tracer):
        return
    known = np.asarray(value, float)
    wrong = ~((known >= 0) & (known <= 1) & (zero | (known > 0)))
    if wrong.any():
        first = float(known[wrong].flat[0])
        raise ParameterError(f"{name} = {first!r}: {'0 to 1' if zero else 'above 0 and at most 1'} is needed")


def money_multiplier(reserve_ratio: Any, currency_ratio: Any) -> Array:
    """Broad money over base money when lending is bound by reserves everywhere: (1 + c) / (r + c).

    Args: `reserve_ratio` r of deposits, above 0; `currency_ratio` c, cash that the public holds per unit of deposits.
    Source: Friedman & Schwartz 1963, appendix B.
    """
    _fraction("reserve_ratio", reserve_ratio, zero=False)
    return (1 + jnp.asarray(currency_ratio, float)) / (jnp.asarray(reserve_ratio, float) + currency_ratio)


def credit_rounds(base: Any, reserve_ratio: Any, currency_ratio: Any, rounds: int) -> dict[str, Array]:
    """Rounds of depositing and lending on a base: fresh cash is deposited but for c / (1 + c), 1 - r of it lent on.

    Args: `base`, base credits held by the public; ratios as in `money_multiplier`; `rounds`, how many.
    Returns: `[rounds]` arrays `deposits`, `currency`, `reserves`, `loans`, `broad_money` after each round.
    """
    _fraction("reserve_ratio", reserve_ratio, zero=False)
    base, ratio = jnp.asarray(base, float), jnp.asarray(reserve_ratio, float)
    kept = jnp.asarray(currency_ratio, float) / (1 + jnp.asarray(currency_ratio, float))
    fresh = base * ((1 - ratio) * (1 - kept)) ** jnp.arange(rounds)  # cash that reaches the public in each round
    deposits = jnp.cumsum(fresh * (1 - kept))
    loans = (1 - ratio) * deposits
    currency = jnp.cumsum(fresh * kept) + fresh * (1 - kept) * (1 - ratio)
    return {
        "deposits": deposits,
        "currency": currency,
        "reserves": base - currency,
        "loans": loans,
        "broad_money": deposits + currency,
    }


def shortfall_of_promises(promises: int, redeemed: Any, deliverable: Any) -> tuple[Array, Array]:
    """Promises of compute on demand against a flow: chance that more are redeemed than can be delivered.

    P(X > K) and E[X - K]+ for X ~ Binomial(promises, redeemed).

    Args: `promises`, how many are out; `redeemed`, probability of each; `deliverable`, K units.
    Returns: probability of a shortfall, and the expected units that cannot be delivered.
    Raises: ParameterError where a number is out of range.
    """
    checks.within("promises", promises, 0, 2**31 - 2, "a whole number from 0 to 2^31 - 2 is needed", whole=True)
    chance, deliverable = checks.share("redeemed", redeemed), checks.finite("deliverable", deliverable)
    count = jnp.arange(promises + 1)
    # Masses by their ratios from the mode outwards: factorials of many promises would leave few digits.
    mode = jnp.floor((promises + 1) * chance)
    ratios = jnp.log((promises - count[:-1]) / (count[:-1] + 1) * (chance / (1 - chance)))
    above = jnp.cumsum(jnp.where(count[:-1] >= mode, ratios, 0))
    below = jnp.cumsum(jnp.where(count[:-1] < mode, ratios, 0)[::-1])[::-1]
    mass = jnp.exp(jnp.pad(above, (1, 0)) - jnp.pad(below, (0, 1)))
    missing = positive(count - deliverable)
    return jnp.where(missing > 0, mass, 0).sum() / mass.sum(), (mass * missing).sum() / mass.sum()


def bank_run(impatient: Any, long_return: Any, risk_aversion: Any) -> dict[str, Array]:
    """Demand deposits that insure against having to consume early, and whether they invite a run.

    c1 = 1 / (lambda + (1 - lambda) R^(1/g - 1)), c2 = c1 R^(1/g); a run is an equilibrium where c1 > 1.

    Args: `impatient`, share lambda that must consume early; `long_return` R, above 1, of what is not liquidated (early
      it is worth 1); `risk_aversion` g, above 0.
    Returns: `early` and `late` consumption, `possible` (a run is an equilibrium) and `threshold`: the share withdrawn
      beyond which patient depositors withdraw too, at most 1 and 1 where no run is possible.
    Source: Diamond & Dybvig 1983, J Polit Econ 91:401.
    """
    _fraction("impatient", impatient)
    growth = jnp.asarray(long_return, float)
    inverse = 1 / jnp.asarray(risk_aversion, float)
    early = 1 / (impatient + (1 - impatient) * growth ** (inverse - 1))
    threshold = (growth - early) / (early * (growth - 1))
    return {
        "early": early,
        "late": early * growth**inverse,
        "possible": early > 1,
        "threshold": jnp.where(early > 1, threshold, 1.0),
    }


def reserve_value(reserve_ratio: Any, margin: Any, loss: Any, rescued: Any, mean: Any, deviation: Any) -> Array:
    """What an issuer expects per unit of reserves: [i (1 - r) - (1 - q) loss P(withdrawals > r)] / r.

    Args: `reserve_ratio` r; `margin` i on loans; `loss` where reserves do not suffice; `rescued` q, the believed chance
      of a rescue then; `mean` and `deviation` of the normally distributed share withdrawn. All broadcast.
    """
    return (margin * (1 - reserve_ratio) - (1 - rescued) * loss * reserve_failure(reserve_ratio, mean, deviation)) / (
        reserve_ratio
    )


def reserve_failure(reserve_ratio: Any, mean: Any, deviation: Any) -> Array:
    """Probability that normally distributed withdrawals exceed the reserves."""
    return jax.scipy.special.ndtr(jnp.asarray((mean - reserve_ratio) / deviation, float))


def reserve_choice(grid: Array, margin: Any, loss: Any, rescued: Any, mean: Any, deviation: Any) -> Array:
    """The reserve ratio on a grid `[K]` that is worth most to an issuer (see `reserve_value`); the lowest of equals."""
    value = reserve_value(grid, margin, loss, rescued, mean, deviation)
    return grid[jnp.argmax(value)]


def lending_room(ledger: Ledger, target: Array, open_: Array, pace: float = 0.2) -> Array:
    """`[M]` whole: what each issuer lends in a step: a share of the way to where reserves bind, 0 where closed.

    floor(pace [cash / r - deposits - owed to issuers]+), in float and floored by the caller's `lend`.
    Args: `target` r `[M]`, above 0; `open_` `[M]` bool.
    """
    issuers = target.shape[0]
    reserves = real(ledger.cash[:issuers])
    owed = real(by_issuer(ledger, ledger.deposits)) + real(ledger.interbank.sum(1))
    return jnp.where(open_, jnp.floor(pace * positive(reserves / target - owed)), 0)


def lend(ledger: Ledger, wanted: Array, room: Array) -> Ledger:
    """Issuers credit the deposits of their borrowers: money is created, and no other account moves.

    Args: `wanted` `[N]` whole; `room` `[M]` float, what each issuer lends at most; wishes are cut in proportion.
    """
    # Wishes are summed as floats: nobody has what they ask for, and whole numbers could overflow.
    share = jnp.minimum(1, room / jnp.maximum(1, by_issuer(ledger, real(wanted))))
    new = jnp.clip(jnp.floor(real(wanted) * at_home(ledger, share)), 0, real(wanted)).astype(wanted.dtype)
    return ledger._replace(deposits=ledger.deposits + new, loans=ledger.loans + new)


def place(ledger: Ledger, lends: Array, each: Array) -> Ledger:
    """Issuers lend reserves to one another, all at once.

    Args: `lends` `[M, M]` bool, entry (k, j): k lends to j; `each` `[M]` whole, what k lends to each.
    """
    given = jnp.where(lends, each[:, None], 0)
    cash = grown(ledger.cash, given.sum(0) - given.sum(1))
    return ledger._replace(cash=cash, interbank=ledger.interbank + given.T)


def repay(ledger: Ledger, principal: Array, interest: Array) -> Ledger:
    """Borrowers pay their own issuer out of promises, `[N]` each: the promises cease to be."""
    return ledger._replace(
        deposits=ledger.deposits - principal - interest, loans=ledger.loans - jnp.minimum(principal, ledger.loans)
    )


def due_on(loans: Array, interest: Any, amortisation: Any) -> tuple[Array, Array]:
    """What is due on loans `[N]` in a step, in all and as interest: both rounded up, at most loan and interest."""
    charge = raised(interest * real(loans))
    return jnp.minimum(charge + raised(amortisation * real(loans)), loans + charge), charge


def service(ledger: Ledger, due: Array, interest: Array) -> tuple[Ledger, Array]:
    """Borrowers pay what is due `[N]`: set off against promises, then cash into the issuer's reserves.

    Returns: the ledger, and `[N]` bool: who paid less than was due.
    """
    set_off = jnp.minimum(due, ledger.deposits)
    cash = jnp.minimum(due - set_off, ledger.cash)
    paid = set_off + cash
    after = ledger._replace(
        cash=grown(ledger.cash - cash, by_issuer(ledger, cash)),
        deposits=ledger.deposits - set_off,
        loans=ledger.loans - jnp.minimum(ledger.loans, positive(paid - interest)),
    )
    return after, paid < due


def foreclose(ledger: Ledger, defaults: Array, node_price: Array) -> Ledger:
    """Issuers take machines of those who default `[N]` bool, but one at most, and write off the rest."""
    wanted = raised(real(ledger.loans) / jnp.maximum(node_price, 1))
    seized = jnp.where(defaults, jnp.minimum(positive(ledger.nodes - 1), wanted), 0)
    nodes = grown(ledger.nodes - seized, by_issuer(ledger, seized))
    return ledger._replace(nodes=nodes, loans=jnp.where(defaults, 0, ledger.loans))


def write_off(ledger: Ledger, amounts: Array) -> Ledger:
    """Loans written down by amounts `[N]`, at most what is owed: the issuer's loss is the borrower's gain."""
    return ledger._replace(loans=ledger.loans - jnp.minimum(amounts, ledger.loans))


def instalments(ledger: Ledger, part: int = 20) -> Ledger:
    """Issuers pay one another a part of their debts, all at once, scaled down where reserves do not suffice."""
    reserves = ledger.cash[: ledger.rescue.shape[0]]
    due = ledger.interbank // part
    paid = scaled(due, reserves[:, None], due.sum(1, keepdims=True))
    paid = within(paid, paid.sum(1, keepdims=True) > reserves[:, None])
    return ledger._replace(cash=grown(ledger.cash, paid.sum(0) - paid.sum(1)), interbank=ledger.interbank - paid)
