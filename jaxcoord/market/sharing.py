"""Sharing instead of a market, and mechanisms in which the truth is the best bid.

Shares of one resource in proportion to demand or max-min fair, of several by dominant resource fairness; identical
units by Vickrey-Clarke-Groves; many buyers and sellers by McAfee's double auction.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxcoord.errors import ParameterError
from jaxcoord.market import checks

Array = jax.Array


def _checked(name: str, values: Any, axes: str) -> Array:
    # As floats of so many axes, and where they are known they must be finite and at least 0.
    known = checks.concrete(name, values)
    if known is not None and not (np.isfinite(known) & (known >= 0)).all():
        raise ParameterError(f"{name} = {known.tolist()}: finite numbers of at least 0 needed")
    array = jnp.asarray(values, float)
    if array.ndim != len(axes):
        shape = f"an array [{', '.join(axes)}]" if axes else "a number"
        raise ParameterError(f"{name}: shape {array.shape}; {shape} is needed")
    return array


def proportional_share(demands: Any, capacity: Any) -> Array:
    """Everybody gets the same part of what it asks for: d_i min(1, capacity / sum d). Asking for more gets more.

    Args: `demands [N]` units, at least 0; `capacity`, units, at least 0.
    Returns: `[N]` units.
    Raises: ParameterError where one is negative or not finite, or has another shape.
    """
    demands, capacity = _checked("demands", demands, "N"), _checked("capacity", capacity, "")
    total = demands.sum()
    return demands * jnp.minimum(1, capacity / jnp.where(total > 0, total, 1))


def max_min_share(demands: Any, capacity: Any) -> Array:
    """Nobody could get more without somebody getting less who has no more: min(d_i, level), where all is given out.

    With k demands below the level, it is (capacity - their sum) / (N - k). Asking for more than one needs is useless.

    Args, Returns, Raises: as for `proportional_share`.
    Source: Bertsekas & Gallager 1992, section 6.5.
    """
    demands, capacity = _checked("demands", demands, "N"), _checked("capacity", capacity, "")
    if not demands.size:
        return demands
    below = demands[:, None] < demands  # [i, k]: demand i is less than demand k
    spent = (below * demands[:, None]).sum(0)
    count = demands.shape[0] - below.sum(0)
    # Meeting one demand too few or too many leaves less for the others than the right number does.
    level = ((capacity - spent) / count).max()
    return jnp.minimum(demands, level)


class Fair(NamedTuple):
    """What dominant resource fairness gives out."""

    tasks: Array
    """`[N]` tasks of each user, which may be parts of a task."""
    shares: Array
    """`[N]` dominant share: the largest share of any resource that a user has."""
    used: Array
    """`[R]` of each resource."""


def dominant_resource_fair(capacity: Any, demands: Any, weights: Any = 1.0) -> Fair:
    """All users' dominant shares rise together until a resource runs out; who needs none of it goes on.

    Args:
      capacity: `[R]` of each resource, above 0.
      demands: `[N, R]` for a task of each user, at least 0 and not all zero.
      weights: `[N]` or a number, above 0: how fast a user's dominant share rises.
    Raises: ParameterError where a number is out of range, a user needs nothing, or shapes do not go together.
    Source: Ghodsi et al. 2011, algorithm 1 with divisible tasks (progressive filling).
    """
    capacity, demands = _checked("capacity", capacity, "R"), _checked("demands", demands, "NR")
    if demands.shape[1] != capacity.shape[0]:
        raise ParameterError(
            f"demands: shape {demands.shape}; a column for each of {capacity.shape[0]} resources needed"
        )
    if not isinstance(capacity, jax.core.Tracer) and not (np.asarray(capacity) > 0).all():
        raise ParameterError(f"capacity = {np.asarray(capacity).tolist()}: numbers above 0 are needed")
    if not isinstance(demands, jax.core.Tracer) and not (np.asarray(demands) > 0).any(1).all():
        nobody = int(np.flatnonzero(~(np.asarray(demands) > 0).any(1))[0])
        raise ParameterError(f"demands[{nobody}]: a user that needs nothing; at least one number above 0 is needed")
    weights = checks.sized("weights", checks.above("weights", weights), demands.shape[0])
    dominant = (demands / capacity).max(1)
    pace = weights / dominant  # tasks while a weight of one gains a dominant share of one

    def fill(_: int, state: tuple[Array, Array, Array]) -> tuple[Array, Array, Array]:
        tasks, left, out = state
        active = ~((demands > 0) & out).any(1)
        speed = jnp.where(active, pace, 0.0)
        use = (speed[:, None] * demands).sum(0)
        time = jnp.where((use > 0) & ~out, left / jnp.where(use > 0, use, 1), jnp.inf)
        first = time.min()
        gone = jnp.isfinite(time) & (time <= first)
        first = jnp.where(jnp.isfinite(first), first, 0)
        return tasks + speed * first, jnp.where(gone, 0, left - use * first), out | gone

    start = jnp.zeros_like(dominant), capacity, jnp.zeros(capacity.shape, bool)
    tasks, left, _ = jax.lax.fori_loop(0, capacity.shape[0], fill, start)
    return Fair(tasks, tasks * dominant, capacity - left)


class Award(NamedTuple):
    """What the Vickrey-Clarke-Groves mechanism decides."""

    units: Array
    """`[N]` int32, units that each gets."""
    payments: Array
    """`[N]`: what the others lose by its presence."""
    welfare: Array
    """Worth of all units to those who get them."""


def vcg_units(values: Any, units: Any) -> Award:
    """Identical units go to those who value them most, and each pays what it takes from the others.

    payment_i = best worth that the others could have without i - what they have. With one unit that is the second
    price. To bid one's true values is the best answer to whatever the others bid.

    Args:
      values: `[N, K]` what the first, second, ... unit adds for each, at least 0 and not rising; 0 beyond.
      units: how many there are, a whole number of at least 0.
    Raises: ParameterError where a value is negative, not finite, or above the one before, or units are not whole.
    Source: Vickrey 1961, Clarke 1971, Groves 1973.
    """
    bids = _checked("values", values, "NK")
    shape = checks.within("units", units, 0, np.inf, "a whole number of at least 0 is needed", whole=True).shape
    if shape:
        raise ParameterError(f"units: shape {shape}; a number is needed")
    if not isinstance(bids, jax.core.Tracer) and (np.diff(np.asarray(bids), axis=1) > 0).any():
        raise ParameterError("values: a further unit may not be worth more than the one before")
    count, most = bids.shape
    flat, place = bids.ravel(), jnp.arange(count * most)
    # Place in the order of worth, equal ones by index: how many are worth more, or as much and stand before.
    more = (flat > flat[:, None]) | ((flat == flat[:, None]) & (place < place[:, None]))
    won = (more.sum(1) < units) & (flat > 0)
    owner = place // most
    others = owner != jnp.arange(count)[:, None]  # [i, unit]: not of i
    rank_without = (others[:, None, :] & more).sum(2)
    best_without = jnp.where(others & (rank_without < units), flat, 0).sum(1)
    have = jnp.where(others & won, flat, 0).sum(1)
    return Award(won.reshape(count, most).sum(1, dtype=jnp.int32), best_without - have, jnp.where(won, flat, 0).sum())


class DoubleTrade(NamedTuple):
    """What McAfee's double auction decides."""

    efficient: Array
    """Pairs who could gain from trade, q."""
    trades: Array
    """Pairs who trade, q or q - 1."""
    buyer_price: Array
    """What every buyer who trades pays; NaN without trade."""
    seller_price: Array
    """What every seller who trades gets; NaN without trade."""
    surplus: Array
    """What is left over, at least 0."""


def mcafee(values: Any, costs: Any) -> DoubleTrade:
    """A double auction in which the truth is the best bid, at the loss of one trade at most.

    With values falling v_1 >= v_2 ... and costs rising, q is the last pair with v_q >= c_q. If the midpoint of the next
    pair lies between c_q and v_q all q trade at it. Otherwise, or if there is no next pair, q - 1 trade: buyers pay v_q
    and sellers get c_q.

    Args: `values [B]` of one unit to each buyer, `costs [S]` of one unit to each seller; at least 0.
    Raises: ParameterError where one is negative or not finite.
    Source: McAfee 1992.
    """
    values, costs = _checked("values", values, "B"), _checked("costs", costs, "S")
    pairs = min(values.shape[0], costs.shape[0])
    if not pairs:  # nobody on one side
        none, unknown = jnp.zeros((), jnp.int32), jnp.asarray(jnp.nan, values.dtype)
        return DoubleTrade(none, none, unknown, unknown, jnp.zeros((), values.dtype))
    worth, cost = jnp.sort(values, descending=True)[:pairs], jnp.sort(costs)[:pairs]
    efficient = (worth >= cost).sum(dtype=jnp.int32)  # both are sorted: the first so many
    last, following = jnp.maximum(efficient - 1, 0), jnp.minimum(efficient, pairs - 1)
    high, low = worth[last], cost[last]
    middle = (worth[following] + cost[following]) / 2
    at_middle = (efficient < pairs) & (low <= middle) & (middle <= high)
    trades = jnp.where(at_middle, efficient, efficient - 1)
    trades = jnp.maximum(jnp.where(efficient > 0, trades, 0), 0)
    buyer, seller = jnp.where(at_middle, middle, high), jnp.where(at_middle, middle, low)
    nothing = trades == 0
    return DoubleTrade(efficient, trades, jnp.where(nothing, jnp.nan, buyer), jnp.where(nothing, jnp.nan, seller),
                       jnp.where(nothing, 0.0, trades * (buyer - seller)))  # fmt: skip
