"""Contagion by thresholds: a bank fails when too many of those that it has lent to have failed.

Every lender spreads its interbank assets A evenly over its borrowers and loses all that it lent to a failed one; it
fails when the losses reach its capital K: failed borrowers * A >= K * borrowers, in whole numbers, for a tie decides
where the window of contagion ends.
"""

from __future__ import annotations

import operator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy import optimize, special

from jaxcoord.errors import ParameterError
from jaxcoord.market import checks
from jaxcoord.market.interbank import places_for, random_claims
from jaxcoord.model import Model, observable, param, static
from jaxcoord.networks.graph import Graph, listed

Array = jax.Array


class Cascade(NamedTuple):
    """Who has failed in the end (see `threshold_cascade`)."""

    failed: Array
    """`[N]` bool."""
    rounds: Array
    """`[]` int32: rounds that added failures to the first ones."""


def _units(name: str, value: Any) -> Any:
    if isinstance(value, jax.core.Tracer):
        return value
    try:
        value = operator.index(value)
    except TypeError:
        raise ParameterError(f"{name} = {value!r}: a whole number of units is needed, at least 1") from None
    if value < 1:
        raise ParameterError(f"{name} = {value}: a whole number of units is needed, at least 1")
    return value


def threshold_cascade(claims: Any, first: Any, capital: Any, interbank: Any) -> Cascade:
    """Failures spread until nobody else fails, all of a round at once.

    Args:
      claims: a `Graph` whose row i lists the borrowers of i, or `[N, N]`, row i true where i has lent to j.
      first: `[N]` bool, the banks that fail to begin with, with nothing recovered from them.
      capital, interbank: K and A of every bank, whole numbers of one unit, at least 1 (4 and 20 for 4% and 20%);
        only their ratio matters, and N times either, in lowest terms, must stay below 2^31.
    Returns: a `Cascade`. A bank that has lent to nobody fails only if it is among the first.
    Raises: ParameterError where a unit is not whole.
    Source: Gai & Kapadia 2010, Proc. R. Soc. A 466:2401, section 2.
    """
    capital, interbank = _units("capital", capital), _units("interbank", interbank)
    first = jnp.asarray(first, bool)
    if isinstance(claims, Graph):
        borrowers = claims.valid.sum(1, dtype=jnp.int32)
        # An empty place shows the bank itself: a failed one cannot fail twice, any other has not failed.
        count = lambda failed: failed[claims.neighbours].sum(1, dtype=jnp.int32)  # noqa: E731
    else:
        lent = jnp.asarray(claims, bool)
        if lent.ndim != 2 or lent.shape[0] != lent.shape[1]:
            raise ParameterError(f"claims: shape {lent.shape}; a square matrix [N, N] or a Graph is needed")
        borrowers = lent.sum(1, dtype=jnp.int32)
        count = lambda failed: (lent & failed).sum(1, dtype=jnp.int32)  # noqa: E731
    if first.shape != borrowers.shape:
        raise ParameterError(f"first: shape {first.shape}; one entry for each of {len(borrowers)} banks")
    common = jnp.gcd(jnp.asarray(capital, jnp.int32), jnp.asarray(interbank, jnp.int32))
    capital, interbank = capital // common, interbank // common
    limit = jnp.where(borrowers > 0, capital * borrowers, jnp.iinfo(jnp.int32).max)

    def spread(carry: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        failed, rounds, _ = carry
        now = failed | (count(failed) * interbank >= limit)
        more = (now != failed).any()
        return now, rounds + more, more

    start = (first, jnp.zeros((), jnp.int32), first.any())
    failed, rounds, _ = jax.lax.while_loop(lambda carry: carry[2], spread, start)
    return Cascade(failed, rounds)


def claims_among(pairs: Any, banks: int) -> Graph:
    """Lists from pairs (lender, borrower), `[M, 2]`, of banks 0 to N - 1; on the host."""
    matrix = np.zeros((banks, banks), bool)
    pairs = np.asarray(pairs, int).reshape(-1, 2)
    matrix[pairs[:, 0], pairs[:, 1]] = True
    width = max(int(matrix.sum(1).max(initial=0)), 1)
    order = np.argsort(~matrix, 1, kind="stable")[:, :width]
    return listed(jnp.asarray(order), jnp.asarray(np.take_along_axis(matrix, order, 1)))


def largest_vulnerable_degree(capital: Any, interbank: Any) -> int:
    """floor(A / K): the most borrowers of a bank that one failure among them brings down."""
    return _units("interbank", interbank) // _units("capital", capital)


def vulnerable_links(degree: Any, capital: Any, interbank: Any) -> np.ndarray:
    """z P(Poisson(z) <= j - 1) with j the largest vulnerable degree: vulnerable lenders of a failed bank, on average.

    Above one a failure can spread without end in a large directed Poisson graph of mean degree z.

    Source: Gai & Kapadia 2010, eqs. 12 and 13, with Poisson degrees.
    """
    checks.within("degree", degree, 0, np.inf, "a mean degree of at least 0 is needed")
    degree = np.asarray(degree, float)
    most = largest_vulnerable_degree(capital, interbank)
    return degree * special.pdtr(most - 1, degree) if most else np.zeros_like(degree)


def contagion_window(capital: Any, interbank: Any) -> tuple[float, float] | None:
    """The mean degrees between which a failure can spread without end: where `vulnerable_links` is above one.

    Args: `capital` K and `interbank` A, whole numbers of one unit, at least 1.
    Returns: both edges, in float64; None where there is no such degree (A / K below 3).
    Source: Gai & Kapadia 2010, section 3.
    """
    most = largest_vulnerable_degree(capital, interbank)

    def excess(degree: float) -> float:
        return degree * float(special.pdtr(most - 1, degree)) - 1

    if not most:
        return None
    peak = optimize.minimize_scalar(lambda z: -excess(z), bounds=(0, 2.0 * most + 2), method="bounded").x
    if excess(peak) <= 0:
        return None
    low = optimize.brentq(excess, 0.0, peak, xtol=1e-13)
    high = optimize.brentq(excess, peak, 10.0 * most + 50, xtol=1e-13)
    return low, high


class Crisis(NamedTuple):
    """State of `InterbankContagion`: what the last failure has led to."""

    extent: Array
    """`[]`: share of banks that failed."""
    rounds: Array
    """`[]` int32: rounds of the cascade."""
    dropped: Array
    """`[]` int32: lenders that had more borrowers than places."""


class InterbankContagion(Model):
    """One bank fails, in an interbank network drawn anew in each step, and lenders fail after it (Gai & Kapadia 2010).

    A step is one draw: a directed Poisson graph of claims, a random bank that fails with nothing recovered, and the
    cascade to its end.
    """

    degree: float = param(3.0, doc="mean number of borrowers of a bank", unit="banks", low=0)
    capital: int = param(4, doc="capital of a bank", unit="percent of assets", low=1, high=100)
    interbank: int = param(
        20, doc="interbank assets of a bank, spread evenly", unit="percent of assets", low=1, high=100
    )
    systemic: float = param(0.05, doc="share of banks whose failure makes a crisis systemic", low=0, high=1)
    banks: int = static(1000, doc="number of banks", unit="banks", low=2, high=1_000_000)
    places: int = static(places_for(10), doc="room for borrowers of one bank; more are dropped, and counted", low=1)

    extent = observable(doc="share of banks that failed in the last draw")
    contagion = observable(doc="1 where more than the systemic share failed")
    rounds = observable(doc="rounds that the cascade lasted", unit="rounds")
    dropped = observable(doc="banks that had more borrowers than places", unit="banks")

    @property
    def agents(self) -> int:
        """Banks a step."""
        return self.banks

    def init(self, key: Array) -> Crisis:
        nothing = jnp.zeros((), jnp.int32)
        return Crisis(jnp.zeros(()), nothing, nothing)

    def step(self, state: Crisis, key: Array) -> Crisis:
        most = self.banks - 1
        claims = random_claims(jax.random.fold_in(key, 0), self.banks, jnp.minimum(jnp.asarray(self.degree), most),
                               min(self.places, most))  # fmt: skip
        hit = jax.random.randint(jax.random.fold_in(key, 1), (), 0, self.banks)
        cascade = threshold_cascade(
            claims, jnp.arange(self.banks) == hit, jnp.asarray(self.capital), jnp.asarray(self.interbank)
        )
        return Crisis(cascade.failed.mean(dtype=float), cascade.rounds, claims.dropped)

    def observe(self, state: Crisis) -> dict[str, Array]:
        return {
            "extent": state.extent,
            "contagion": (state.extent > self.systemic).astype(state.extent.dtype),
            "rounds": state.rounds,
            "dropped": state.dropped,
        }
