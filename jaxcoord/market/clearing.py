"""Clearing of a payment system: what everybody pays when nobody can pay more than comes in.

Bank i owes `L_ij` to bank j and `x_i` to outsiders, in all `pbar_i`, and `v_i` to senior creditors who are paid first.
It has outside assets `e_i` and is paid `sum_j rho_j L_ji` by the others, rho being the share of its debts that a bank
pays. One that cannot pay in full keeps a share alpha of its assets and beta of its claims, the rest is lost.

Pure, for one network; `jax.vmap` makes a batch. In the precision that JAX is set to. Shapes: N banks.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxcoord.errors import ParameterError, nearest
from jaxcoord.market import checks

Array = jax.Array
SWEEPS = 5000  # at most; they converge geometrically, random networks in some tens
LEAP = 5  # sweeps from one leap to the next
LARGEST_RATIO = 0.999  # of differences, that a leap believes: rounding must not send it further
KINDS = ("greatest", "least")


class Clearing(NamedTuple):
    """A solution of a payment system (see `clearing`)."""

    paid: Array
    """`[N]`: paid on debts, senior ones apart; outside creditors have their part of it."""
    received: Array
    """`[N]`: received from the other banks."""
    default: Array
    """`[N]` bool: who cannot pay in full."""
    equity: Array
    """`[N]`: what is left to the owners, 0 in default."""
    recovery: Array
    """`[N]`: rho, the share of its debts that each pays, 1 where nothing is owed."""
    owed: Array
    """`[N]`: debts, senior ones apart."""
    senior: Array
    """`[N]`: paid to senior creditors."""
    residual: Array
    """`[]`: by how much a further sweep would move a recovery; 0 to rounding where the system is cleared."""

    @property
    def shortfall(self) -> Array:
        """`[N]`: what the creditors of each go short of, senior ones apart."""
        return self.owed - self.paid


class System(NamedTuple):
    """A payment system that has been checked; all but the first `[N]` or `[]`."""

    liabilities: Array
    assets: Array
    senior: Array
    total: Array
    alpha: Array
    beta: Array


def payment_system(
    liabilities: Any, assets: Any, external: Any = 0.0, senior: Any = 0.0, alpha: Any = 1.0, beta: Any = 1.0
) -> System:
    """Check and complete the arguments of `clearing`, which see."""
    liabilities = checks.owed("liabilities", liabilities)
    banks = len(liabilities)
    external = checks.amounts("external", external, banks)
    return System(
        liabilities, checks.amounts("assets", assets, banks), checks.amounts("senior", senior, banks),
        liabilities.sum(1) + external,
        *(checks.sized(name, checks.share(name, x), banks) for name, x in (("alpha", alpha), ("beta", beta))),
    )  # fmt: skip


def tolerances(dtype: Any) -> tuple[float, float]:
    """The relative gap up to which a debtor counts as able to pay, and the change at which sweeps end.

    Rounding must not bankrupt a bank that can just pay, and an ascent must reach the jump that it creeps up to.
    """
    return (1e-9, 1e-12) if dtype == jnp.float64 else (1e-6, 2.4e-7)


def pays_in_full(system: System, received: Array) -> Array:
    """`[N]` bool: outside assets and what is received suffice for all that is owed; a tie does."""
    gap, _ = tolerances(received.dtype)
    return system.assets + received >= (system.senior + system.total) * (1 - gap)


def shares_paid(system: System, recovery: Array) -> Array:
    """One sweep: the share of its debts that each bank pays when the others pay these shares.

    1 if e + sum_j rho_j L_j. - v >= pbar, else clip((alpha e + beta sum_j rho_j L_j. - v) / pbar, 0, 1).
    """
    return swept(system, recovery)[0]


def swept(system: System, recovery: Array) -> tuple[Array, Array]:
    """The shares of `shares_paid`, and `[N]` bool who pays in full."""
    received = recovery @ system.liabilities
    value = system.alpha * system.assets + system.beta * received - system.senior
    owes = system.total > 0
    # Written without min and max: on a kink they would halve the gradient.
    part = jnp.where(value > 0, value, 0.0) / jnp.where(owes, system.total, 1.0)
    sound = pays_in_full(system, received)
    return jnp.where(sound | ~owes | (part > 1), 1.0, part), sound


def leap(differences: Array, before: Array) -> Array:
    """How many times the last differences of a sequence are still to come, at least: lambda / (1 - lambda).

    While the set in default stays, differences follow d' = M d with M >= 0. If d' >= lambda d in every bank, then
    M d' >= lambda d' too, and all that follow add up to d' lambda / (1 - lambda) or more. Going on from there neither
    passes the solution nor turns the sequence round, and a further default only takes it further the same way.
    Args: `differences` `[N]` of the last sweep, `before` `[N]` of the one before it, both at least 0.
    Returns: `[]`, 0 where they do not shrink everywhere. Source: bounds of Collatz 1942 and Wielandt 1950.
    """
    moved = before > 0
    ratio = differences / jnp.where(moved, before, 1.0)
    least = jnp.where(moved, ratio, jnp.inf).min()
    shrinks = jnp.where(moved, ratio, 0.0).max() < 1
    least = jnp.where(jnp.isfinite(least) & shrinks, jnp.minimum(least, LARGEST_RATIO), 0.0)
    return least / (1 - least)


def clearing(
    liabilities: Any,
    assets: Any,
    external: Any = 0.0,
    senior: Any = 0.0,
    alpha: Any = 1.0,
    beta: Any = 1.0,
    which: str = "greatest",
) -> Clearing:
    """The clearing payments of a network of debts, with or without costs of bankruptcy.

    p_i = pbar_i if e_i + sum_j rho_j L_ji - v_i >= pbar_i, else [alpha e_i + beta sum_j rho_j L_ji - v_i]+, with
    p_i = rho_i pbar_i, from rho = 1 by sweeps downward: payments fall, and the set of those in default only grows;
    where it stays, some sweeps `leap`. With alpha = beta = 1 the solution is unique where everybody is within reach of
    cash; else there may be several.

    Args:
      liabilities: `[N, N]`, L_ij that i owes j, money; no diagonal.
      assets: `[N]` or a number, e, outside assets of at least 0, money.
      external: `[N]` or a number, owed to outsiders in the same rank as to banks, money.
      senior: `[N]` or a number, v, owed to those who are paid before anybody else, money.
      alpha, beta: shares of outside assets and of claims that survive a bankruptcy, 0 to 1.
      which: "greatest", the solution in which everybody pays most, or "least", in which least.
    Returns: a `Clearing`. Its `residual` says whether sweeps have ended. Derivatives, forward and backward, solve the
      linear system I - beta L'/pbar on those in default as they are: they hold where no bank is about to fail, and do
      not exist where banks in default owe only each other.
    Raises: ParameterError where a debt is negative, not finite or to oneself, or a share is not one.
    Source: Eisenberg & Noe 2001, Management Science 47:236; Rogers & Veraart 2013, Management Science 59:882.
    """
    if which not in KINDS:
        raise ParameterError(f"which = {which!r}: one of {', '.join(map(repr, KINDS))}{nearest(str(which), KINDS)}")
    system = payment_system(liabilities, assets, external, senior, alpha, beta)
    downward = which == "greatest"
    _, change = tolerances(system.assets.dtype)

    # Leaps need sweeps that do not bend upward: not where a senior claim leaves nothing, nor where banks recover.
    straight = (system.senior <= 0).all() & downward

    def solve(gap: Callable[[Array], Array], start: Array) -> Array:
        def sweep(carry: tuple[Array, ...]) -> tuple[Array, ...]:
            share, before, sound, _, count = carry
            new, still_sound = swept(system, share)
            # Kept monotone, so that rounding cannot make it turn for ever.
            new = jnp.minimum(new, share) if downward else jnp.maximum(new, share)
            moved = jnp.abs(new - share)
            leaps = straight & (count % LEAP == LEAP - 1) & (sound == still_sound).all()
            further = jnp.maximum(new - jnp.where(leaps, leap(moved, before), 0.0) * moved, 0.0)
            return further, moved, still_sound, moved.max() > change, count + 1

        begin: tuple[Array, ...] = (
            start,
            jnp.zeros_like(start),
            jnp.zeros(start.shape, bool),
            jnp.array(True),
            jnp.array(0),
        )
        return jax.lax.while_loop(lambda c: c[3] & (c[4] < SWEEPS), sweep, begin)[0]

    def tangent(gap: Callable[[Array], Array], target: Array) -> Array:
        return jnp.linalg.solve(jax.jacobian(gap)(target), target)

    start = jnp.full(system.total.shape, 1.0 if downward else 0.0)
    recovery = jax.lax.custom_root(lambda share: shares_paid(system, share) - share, start, solve, tangent)
    return settled(system, recovery)


def settled(system: System, recovery: Array) -> Clearing:
    """The accounts of a payment system in which each bank pays this share `[N]` of its debts."""
    received = recovery @ system.liabilities
    default = ~pays_in_full(system, received)
    left = system.assets + received - system.senior - system.total
    kept = jnp.where(default, system.alpha * system.assets + system.beta * received, system.senior)
    return Clearing(
        paid=recovery * system.total,
        received=received,
        default=default,
        equity=jnp.where(default, 0.0, jnp.maximum(left, 0.0)),
        recovery=recovery,
        owed=system.total,
        senior=jnp.minimum(kept, system.senior),
        residual=jnp.abs(shares_paid(system, recovery) - recovery).max(),
    )


def fictitious_default(
    liabilities: Any, assets: Any, external: Any = 0.0, senior: Any = 0.0, alpha: Any = 1.0, beta: Any = 1.0
) -> tuple[Clearing, Array]:
    """The greatest clearing payments by rounds of default, each a linear system, exact after at most N of them.

    Everybody pays, and who cannot is in default; those pay what they can while the others still pay in full; who
    cannot then is in default too. Where senior claims take all, a bank's payment is 0 instead of below: which banks
    those are is found by policy iteration, from all of them paying.

    Args, raises, source: as in `clearing`, whose sweeps are faster in a batch; this one names the rounds.
    Returns: a `Clearing`, and `[N]` int32, the round in which each fails, 0 for those that do not.
    """
    system = payment_system(liabilities, assets, external, senior, alpha, beta)
    banks = len(system.liabilities)
    owes = system.total > 0
    debts = jnp.where(owes, system.total, 1.0)
    # Banks that owe only each other make the system singular; a hair less than all is passed on.
    passed = system.beta * (1 - jnp.finfo(debts.dtype).eps) * system.liabilities.T / debts[:, None]
    outside = (system.alpha * system.assets - system.senior) / debts
    Carry = tuple[Array, Array, Array, Array, Array]

    def step(carry: Carry) -> Carry:
        share, failed, paying, rounds, _ = carry
        # rho is 1 outside the failed, 0 of those that have nothing left, linear of the rest.
        active = failed & paying
        fixed = jnp.where(failed, 0.0, 1.0)
        matrix = jnp.eye(banks) - jnp.where(active[:, None] & active[None, :], passed, 0.0)
        share = jnp.linalg.solve(matrix, jnp.where(active, outside + passed @ fixed, fixed))
        worth = outside + passed @ jnp.maximum(share, 0.0)
        able = worth > 0
        settles = (~failed | (able == paying)).all()
        share = jnp.where(settles, jnp.clip(share, 0.0, 1.0), share)
        now = failed | (settles & ~pays_in_full(system, share @ system.liabilities))
        joined = now & ~failed
        rounds = jnp.where(joined, rounds.max() + 1, rounds)
        return share, now, jnp.where(joined.any(), owes, able), rounds, joined.any() | ~settles

    first = ~pays_in_full(system, system.liabilities.sum(0))
    start = (jnp.ones(banks), first, owes, first.astype(jnp.int32), first.any())
    share, _, _, rounds, _ = jax.lax.while_loop(lambda carry: carry[4], step, start)
    return settled(system, jnp.where(owes, share, 1.0)), rounds
