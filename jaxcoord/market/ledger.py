"""The integer ledger: who holds and owes what, and payments that book the same whole number on both sides.

Stocks are whole credits, of JAX's default integer: int32, or int64 inside `with jax.enable_x64(True):`. A product of
an amount and a share is formed in the default float, floored, clamped to what there is, and the result is booked on
both sides, so that conservation never depends on a rounding. In float32 an amount above 2**24 may be shared out a few
credits differently than by exact arithmetic; in float64 amounts to 2**53 are exact, and so are the reference cases.

Source: balance sheets after Godley & Lavoie 2007, Monetary Economics.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxcoord.errors import ParameterError
from jaxcoord.market import checks

Array = jax.Array


class Ledger(NamedTuple):
    """The accounts of a population of N agents, of whom agents 0 to M-1 are issuers of promises. All whole numbers."""

    cash: Array
    """`[N]` base credits held; an issuer's are its reserves."""
    deposits: Array
    """`[N]` promises held at `home`."""
    loans: Array
    """`[N]` debt owed to `home`."""
    home: Array
    """`[N]` the issuer of an agent's deposits and loans; -1: none, as for issuers themselves."""
    interbank: Array
    """`[M, M]` entry (j, k): issuer j owes issuer k."""
    rescue: Array
    """`[M]` rescue credit owed to the Mint."""
    margin: Array
    """`[N]` deposited at the clearing house."""
    forwards: Array
    """`[N]` net forward position in compute units, long positive."""
    nodes: Array
    """`[N]` machines."""
    treasury: Array
    """The Mint's spendable account."""
    clearing_cash: Array
    """Base credits at the clearing house."""
    minted: Array
    """Base credits ever created outright."""
    pages: Array | None = None
    """`[N]` pages in use of a shared memory; None: there is none."""
    free: Array | None = None
    """Pages of it that nobody uses."""


def open_ledger(cash: Any, nodes: Any, home: Any, issuers: int) -> Ledger:
    """A ledger without debts: everybody holds base credits and machines.

    Args: `cash`, `nodes`, `[N]` whole numbers of at least 0; `home`, `[N]`, -1 to M - 1 and -1 for issuers; `issuers`,
      M, 1 to N.
    Raises: ParameterError where a number is out of range or not whole, or the lengths differ.
    """
    most = int(jnp.iinfo(jnp.asarray(0).dtype).max)
    shapes = {
        name: checks.within(name, value, low, most, f"a whole number from {low} to {most} is needed", whole=True).shape
        for name, value, low in (("cash", cash, 0), ("nodes", nodes, 0), ("home", home, -1))
    }
    size = shapes["cash"]
    for name, shape in shapes.items():
        if len(shape) != 1 or shape != size:
            agents = size[0] if len(size) == 1 else "N"
            raise ParameterError(f"{name}: shape {shape}; one whole number for each of {agents} agents is needed")
    if not isinstance(issuers, int | np.integer) or not 1 <= issuers <= size[0]:
        raise ParameterError(
            f"issuers = {issuers!r}: a whole number from 1 to {size[0]}, that of the agents, is needed"
        )
    checks.within("home", home, -1, issuers - 1, f"a whole number from -1 to {issuers - 1} is needed")
    known = checks.concrete("home", home)
    if known is not None and (known[:issuers] >= 0).any():
        i = int((known[:issuers] >= 0).argmax())
        raise ParameterError(f"home[{i}] = {known[i]:g}: an issuer has none; -1 is needed")
    cash, nodes, home = (jnp.asarray(x, int) for x in (cash, nodes, home))
    none, zero = jnp.zeros_like(cash), jnp.zeros((), int)
    few = jnp.zeros(issuers, int)
    return Ledger(
        cash, none, none, home, jnp.zeros((issuers, issuers), int), few, none, none, nodes, zero, zero, cash.sum()
    )


def largest() -> int:
    """The most credits of any kind with which a step may go on: no sum within it then overflows.

    2**28 with int32; with int64 what a float64 holds exactly, less two doublings.
    """
    flags: Any = jax.config
    return 2**50 if flags.jax_enable_x64 else 2**28


def real(amount: Any) -> Array:
    """A whole amount as a number of JAX's default float."""
    return jnp.asarray(amount).astype(float)


def whole(amount: Array) -> Array:
    """The floor of a number as a whole amount, clamped to what the integer holds."""
    bound = 4 * largest()
    return jnp.clip(jnp.floor(amount), -bound, bound).astype(int)


def raised(amount: Array) -> Array:
    """The ceiling of a number as a whole amount."""
    return -whole(-amount)


def positive(amount: Array) -> Array:
    """The positive part."""
    return jnp.maximum(amount, 0)


def ration(quantity: Array, wanted: Array) -> Array:
    """Hand out a quantity in index order: clip(quantity - sum of those before, 0, wanted)."""
    return jnp.clip(quantity - (jnp.cumsum(wanted) - wanted), 0, wanted)


def by_issuer(ledger: Ledger, amounts: Array) -> Array:
    """`[M]`: sums of the amounts `[N]` over the customers of each issuer."""
    issuers = ledger.rescue.shape[0]
    return jax.ops.segment_sum(amounts, jnp.where(ledger.home < 0, issuers, ledger.home), issuers + 1)[:issuers]


def at_home(ledger: Ledger, values: Array) -> Array:
    """`[N]`: the value `[M]` of each agent's issuer; 0 (false) without one."""
    return jnp.where(ledger.home < 0, jnp.zeros((), values.dtype), values[jnp.maximum(ledger.home, 0)])


def scaled(amounts: Array, available: Array, total: Array) -> Array:
    """floor(amounts * min(1, available / max(1, total))), whole numbers that broadcast, between 0 and the amounts."""
    share = jnp.minimum(1, real(available) / jnp.maximum(1, real(total)))
    return jnp.where(available >= total, amounts, jnp.clip(whole(real(amounts) * share), 0, amounts))


def within(amounts: Array, exceeds: Array) -> Array:
    """Amounts cut by a part in a million where rounding up in float32 let their sum exceed what there is."""
    return jnp.where(exceeds, whole(real(amounts) * (1 - 2.0**-20)), amounts)


def scaled_at_home(ledger: Ledger, amounts: Array, limits: Array) -> Array:
    """Amounts `[N]` scaled down, issuer by issuer, so that what each issuer's customers get is within its limit `[M]`.

    floor(amount * min(1, limit / max(1, sum of the issuer's amounts))).
    """
    cut = scaled(amounts, at_home(ledger, limits), at_home(ledger, by_issuer(ledger, amounts)))
    return within(cut, at_home(ledger, by_issuer(ledger, cut) > limits))


def portion(amount: Array, part: Array, of: Array) -> Array:
    """floor(amount * part / of) of whole amounts, at least 0; exact where a float holds the product.

    The quotient is mended by its remainder: compilers turn a division by one number for many into a product.
    """
    product, of = real(amount) * real(part), jnp.maximum(real(of), 1)
    quotient = jnp.floor(product / of)
    rest = product - quotient * of
    return positive(whole(quotient + (rest >= of) - (rest < 0)))


def shared(pot: Array, weights: Array) -> Array:
    """floor(pot * weights / sum of weights): whole amounts whose sum is at most the pot; nothing if no weight."""
    parts = portion(pot, weights, weights.sum())
    return within(parts, parts.sum() > pot)


def shared_rows(amounts: Array, weights: Array) -> Array:
    """`[M, M]`: entry (j, k) is floor(amounts_j * weights_k / sum of weights), rows within their amount."""
    parts = portion(amounts[:, None], weights, weights.sum())
    return within(parts, (parts.sum(1) > amounts)[:, None])


def grown(vector: Array, issuers: Array) -> Array:
    """`[N]` amounts with `[M]` more for the issuers, who come first."""
    return vector + jnp.pad(issuers, (0, vector.shape[0] - issuers.shape[0]))


def totals(ledger: Ledger) -> tuple[Array, Array]:
    """Deposits and loans `[M]` of each issuer's customers."""
    return by_issuer(ledger, ledger.deposits), by_issuer(ledger, ledger.loans)


def net_worth(ledger: Ledger) -> Array:
    """`[N]` financial net worth: claims less debts, machines apart; forwards are worth zero once marked."""
    deposits, loans = totals(ledger)
    issued = loans - deposits + ledger.interbank.sum(0) - ledger.interbank.sum(1) - ledger.rescue
    return grown(ledger.cash + ledger.deposits + ledger.margin - ledger.loans, issued)


def equity(ledger: Ledger, node_price: Array) -> Array:
    """`[M]` float: financial net worth of the issuers and what their machines would bring."""
    issuers = ledger.rescue.shape[0]
    return real(net_worth(ledger)[:issuers]) + node_price * real(ledger.nodes[:issuers])


def base_money(ledger: Ledger) -> Array:
    """Base credits in existence: held by agents, by the clearing house and by the treasury."""
    return ledger.cash.sum() + ledger.clearing_cash + ledger.treasury


def broad_money(ledger: Ledger) -> Array:
    """Base credits in the hands of those who are not issuers, and all promises."""
    return ledger.cash[ledger.rescue.shape[0] :].sum() + ledger.deposits.sum()


def identities(ledger: Ledger, nodes: Array, pages: Array | None = None) -> dict[str, Array]:
    """Whether each identity of the accounts holds, exactly.

    Args: `nodes` and `pages`, the machines and the pages of shared memory that there are in all.
    Returns: truth values by name: `sum to zero` (every liability is somebody's asset), `base credits` (all of them
      minted or lent by the Mint), `clearing house` (cash equals margins, positions sum to zero), `nodes` (none lost),
      `not negative` (no stock is); with a shared memory also `pages` (those in use and those free are all).
    """
    base = base_money(ledger)
    mint = ledger.treasury + ledger.rescue.sum() - base
    house = ledger.clearing_cash - ledger.margin.sum()
    stocks = [ledger.cash, ledger.deposits, ledger.loans, ledger.interbank, ledger.rescue, ledger.margin, ledger.nodes]
    memory = {}
    if ledger.pages is not None and ledger.free is not None and pages is not None:
        stocks += [ledger.pages, ledger.free]
        memory = {"pages": ledger.pages.sum() + ledger.free == pages}
    least = jnp.stack([x.min() for x in (*stocks, ledger.treasury)]).min()
    return memory | {
        "sum to zero": net_worth(ledger).sum() + mint + house == 0,
        "base credits": base == ledger.minted + ledger.rescue.sum(),
        "clearing house": (house == 0) & (ledger.forwards.sum() == 0),
        "nodes": ledger.nodes.sum() == nodes,
        "not negative": least >= 0,
    }


def pay(ledger: Ledger, out: Array, into: Array) -> Ledger:
    """Settle payments: promises first, then cash; promises reach a payee who has an issuer, cash one who has none.

    Issuers settle what is left between them in reserves. One that runs short owes the issuers that gain, each in
    proportion, and, where nobody gains as much, the Mint. No payment is ever unwound.

    Args: `out`, `into`, `[N]` whole amounts, at most what each has, of equal sum.
    """
    banked = ledger.home >= 0
    promises = jnp.minimum(out, ledger.deposits)
    received = jnp.where(banked, into, 0)
    cash = ledger.cash - (out - promises) + (into - received)
    net = by_issuer(ledger, received - promises)
    short = positive(-net - cash[: net.shape[0]])
    gain = positive(net)
    lent, gained = short.sum(), gain.sum()
    claims = jnp.minimum(shared(jnp.minimum(lent, gained), short), short)
    interbank = shared_rows(claims, gain)
    interbank = within(interbank, interbank.sum(0) > gain)
    owed = interbank.sum(1)
    cash = grown(cash, net + short - interbank.sum(0))
    return ledger._replace(
        cash=cash,
        deposits=ledger.deposits + received - promises,
        interbank=ledger.interbank + interbank,
        rescue=ledger.rescue + short - owed,
    )


def collect(ledger: Ledger, amounts: Array) -> Ledger:
    """The treasury receives amounts `[N]`, from promises (the issuer's reserves fall) and then from cash.

    Each agent must have its amount, and each issuer the reserves for its customers'.
    """
    promises = jnp.minimum(amounts, ledger.deposits)
    cash = grown(ledger.cash - (amounts - promises), -by_issuer(ledger, promises))
    return ledger._replace(
        cash=cash, deposits=ledger.deposits - promises, treasury=ledger.treasury + amounts.sum(dtype=amounts.dtype)
    )


def reward(ledger: Ledger, amounts: Array) -> Ledger:
    """The treasury pays amounts `[N]`: promises, with reserves for the issuer, to who has one, cash to who has none."""
    promises = jnp.where(ledger.home >= 0, amounts, 0)
    cash = grown(ledger.cash + amounts - promises, by_issuer(ledger, promises))
    return ledger._replace(
        cash=cash, deposits=ledger.deposits + promises, treasury=ledger.treasury - amounts.sum(dtype=amounts.dtype)
    )


def deposit(ledger: Ledger, amounts: Array) -> Ledger:
    """Agents hand base credits to their issuer for promises; negative amounts are withdrawals."""
    cash = grown(ledger.cash - amounts, by_issuer(ledger, amounts))
    return ledger._replace(cash=cash, deposits=ledger.deposits + amounts)


def withdraw(ledger: Ledger, amounts: Array) -> Ledger:
    """Promises redeemed for base credits, scaled down where an issuer's reserves do not suffice for its customers."""
    issuers = ledger.rescue.shape[0]
    return deposit(ledger, -scaled_at_home(ledger, jnp.minimum(amounts, ledger.deposits), ledger.cash[:issuers]))
