"""One collective report out of many, some of which may lie: means, medians, trimmed means, Krum.

Every rule is a plain function of reports `[N]` or `[N, D]` and of who is heard, batched by `jax.vmap`. The answer is
NaN where there is none: nobody was heard, or a report that is not finite was to be refused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxcoord.errors import ParameterError, nearest

Array = jax.Array
NONFINITE = ("extreme", "drop", "reject")
COUNTED = 64  # reports up to which ranks are counted pair by pair; beyond, sorting is faster
ITERATIONS = 128  # of the geometric median


class Screened(NamedTuple):
    """Reports after a look at what is not finite."""

    reports: Array
    """`[N]` or `[N, D]`."""
    heard: Array
    """`[N]` bool: valid, and not dropped."""
    dropped: Array
    """How many valid reports were dropped."""
    refused: Array
    """Whether the whole vote fails, as it does under "reject"."""


def screen(reports: Any, valid: Any = None, nonfinite: str = "extreme") -> Screened:
    """Say which reports count.

    Args:
      reports: `[N]` or `[N, D]`; a vector with one bad entry is bad as a whole.
      valid: `[N]` bool, whose reports are there at all; everybody's by default.
      nonfinite: "extreme" keeps plus and minus infinity as the largest and the smallest of numbers, "drop" leaves them
        out, "reject" lets the vote fail. NaN is dropped under the first two.
    Raises: ParameterError for another policy, reports of no or more than two axes, or `valid` of another length.
    """
    reports = jnp.asarray(reports, float)
    if nonfinite not in NONFINITE:
        raise ParameterError(f"nonfinite = {nonfinite!r}: one of {', '.join(NONFINITE)}{nearest(nonfinite, NONFINITE)}")
    if reports.ndim not in (1, 2) or not reports.size:
        raise ParameterError(f"reports: shape {reports.shape}; [N] or [N, D] is needed, N and D at least 1")
    size = reports.shape[0]
    valid = jnp.ones(size, bool) if valid is None else jnp.asarray(valid, bool)
    if valid.shape != (size,):
        raise ParameterError(f"valid: shape {valid.shape}; ({size},) is needed, one for each report")
    good = ~jnp.isnan(reports) if nonfinite == "extreme" else jnp.isfinite(reports)
    bad = valid & ~good.reshape(size, -1).all(1)
    refused = bad.any() if nonfinite == "reject" else jnp.asarray(False)
    return Screened(reports, valid & ~bad, bad.sum(dtype=jnp.int32), refused)


def inside(reports: Any, low: Any, high: Any) -> Array:
    """`[N]` bool: reports of which every entry is within the closed range `low` to `high`; NaN is not."""
    reports = jnp.asarray(reports, float)
    within = (reports >= low) & (reports <= high)
    return within.reshape(reports.shape[0], -1).all(1)


def ranked(values: Array, heard: Array) -> tuple[Array, Array, Array]:
    """Values with their ranks among those that are heard, 0 for the smallest, in some order.

    The order statistics of a fixed shape: nothing is sliced. Equal values rank in the order of their indices.

    Args: `values [N]`, none heard that is NaN; `heard [N]` bool.
    Returns: values, ranks and whether they are heard, each `[N]`.
    """
    size = values.shape[0]
    values = jnp.where(heard, values, jnp.inf)
    index = jnp.arange(size, dtype=jnp.int32)
    if size > COUNTED:
        return jnp.sort(values), index, index < heard.sum()
    below = (values < values[:, None]) | ((values == values[:, None]) & (index < index[:, None]))
    return values, (below & heard).sum(1, dtype=jnp.int32), heard


def by_rank(values: Array, heard: Array, weight: Callable[[Array, Array], Array]) -> Array:
    """The mean of the values that are heard, weighted by their ranks.

    Args: `values [N]`, `heard [N]` as in `ranked`; `weight`, a function of the ranks `[N]` and of how many are heard. A
      value of weight 0 does not count even if it is infinite.
    """
    values, rank, heard = ranked(values, heard)
    share = jnp.where(heard, weight(rank, heard.sum(dtype=jnp.int32)), 0).astype(values.dtype)
    total = share.sum()
    return jnp.where(share > 0, share * values, 0).sum() / jnp.where(total > 0, total, 1)


def _decided(screened: Screened, value: Array) -> Array:
    return jnp.where(screened.refused | ~screened.heard.any(), jnp.nan, value)


def _ordered(reports: Any, valid: Any, nonfinite: str, weight: Callable[[Array, Array], Array]) -> Array:
    seen = screen(reports, valid, nonfinite)
    if seen.reports.ndim == 1:
        return _decided(seen, by_rank(seen.reports, seen.heard, weight))
    return _decided(seen, jax.vmap(lambda column: by_rank(column, seen.heard, weight), 1)(seen.reports))


def _number(name: str, value: Any, most: int, why: str) -> Any:
    # A whole number 0..most, looked at where it is known already.
    if isinstance(value, jax.core.Tracer):
        return value
    whole = isinstance(value, int | float | np.number | np.ndarray | jax.Array) and np.ndim(value) == 0
    if not whole or not 0 <= value <= most or value != int(value):
        raise ParameterError(f"{name} = {value}: a whole number of 0 to {most} is needed, {why}")
    return int(value)


def _trim(reports: Any, trim: Any) -> Any:
    size = jnp.asarray(reports, float).shape[0]
    return _number("trim", trim, (size - 1) // 2, f"less than half of the {size} reports")


def _cut(trim: Any, count: Array) -> Array:
    # Where too few are heard, as many are cut as leave the median.
    return jnp.minimum(jnp.asarray(trim, jnp.int32), jnp.maximum(count - 1, 0) // 2)


def mean(reports: Any, valid: Any = None, nonfinite: str = "extreme") -> Array:
    """The mean, which a single report carries anywhere.

    Args: as `screen`. Under "extreme" an infinite report makes it infinite, and two opposite ones NaN.
    Returns: a number, or `[D]`.
    """
    seen = screen(reports, valid, nonfinite)
    heard = seen.heard.reshape((-1,) + (1,) * (seen.reports.ndim - 1))
    return _decided(seen, jnp.where(heard, seen.reports, 0).sum(0) / jnp.maximum(seen.heard.sum(), 1))


def median(reports: Any, valid: Any = None, nonfinite: str = "extreme") -> Array:
    """The median; of vectors that of each coordinate. Of an even number it is the mean of the middle two.

    Of three or more coordinates it may leave the convex hull of the reports.

    Args: as `screen`.
    Returns: a number, or `[D]`.
    """

    def weight(rank, count):
        return (rank == (count - 1) // 2) | (rank == count // 2)

    return _ordered(reports, valid, nonfinite, weight)


def trimmed_mean(reports: Any, trim: Any, valid: Any = None, nonfinite: str = "extreme") -> Array:
    """The mean without the `trim` smallest and the `trim` largest reports; of vectors that of each coordinate.

    Args: `trim` below N/2, 0 gives the mean; where so few are heard that nothing would be left, the median is. The rest
      as `screen`.
    Returns: a number, or `[D]`.
    Raises: ParameterError for a `trim` of half of the reports or more.
    """
    trim = _trim(reports, trim)

    def weight(rank, count):
        cut = _cut(trim, count)
        return (rank >= cut) & (rank < count - cut)

    return _ordered(reports, valid, nonfinite, weight)


def midpoint(reports: Any, trim: Any, valid: Any = None, nonfinite: str = "extreme") -> Array:
    """The middle between the smallest and the largest report that trimming leaves; of vectors of each coordinate.

    Args, returns, raises: as `trimmed_mean`.
    Source: Dolev, Lynch, Pinter, Stark & Weihl 1986.
    """
    trim = _trim(reports, trim)

    def weight(rank, count):
        cut = _cut(trim, count)
        return (rank == cut) | (rank == count - 1 - cut)

    return _ordered(reports, valid, nonfinite, weight)


def select_mean(reports: Any, trim: Any, valid: Any = None, nonfinite: str = "extreme") -> Array:
    """The mean of every `trim`-th of the sorted reports that trimming leaves, the smallest included.

    Where the largest is not one of them, turning all signs turns the answer into another.

    Args, returns, raises: as `trimmed_mean`.
    Source: Dolev, Lynch, Pinter, Stark & Weihl 1986, the function that approximates agreement fastest.
    """
    trim = _trim(reports, trim)
    stride = jnp.maximum(jnp.asarray(trim, jnp.int32), 1)

    def weight(rank, count):
        cut = _cut(trim, count)
        return (rank >= cut) & (rank < count - cut) & ((rank - cut) % stride == 0)

    return _ordered(reports, valid, nonfinite, weight)


def _distances(points: Array, centre: Array) -> Array:
    # Scaled by the largest entry, so that a square neither overflows nor vanishes.
    away = points - centre
    largest = jnp.abs(away).max(-1)
    unit = away / jnp.where(largest > 0, largest, 1)[..., None]
    return largest * jnp.sqrt((unit**2).sum(-1))


def geometric_median(reports: Any, valid: Any = None, nonfinite: str = "drop", iterations: int = ITERATIONS) -> Array:
    """The point with the least sum of distances to the reports.

    Weiszfeld's iteration with the step of Vardi and Zhang at a report. It starts at the best of the reports: if that is
    the median it stays; else it descends from there, and so meets no other report on its way.

    Args: as `screen`, but what is not finite is never kept; `iterations`, each O(N D).
    Returns: `[D]`, or a number for reports `[N]`.
    Source: Weiszfeld 1937; Vardi & Zhang 2000, eq. 2.6.
    """
    seen = screen(reports, valid, "reject" if nonfinite == "reject" else "drop")
    points = seen.reports.reshape(seen.reports.shape[0], -1)
    most = float(jnp.finfo(points.dtype).max) / 4
    points = jnp.clip(jnp.where(seen.heard[:, None], points, 0), -most, most)
    between = jax.vmap(_distances, (None, 0))(points, points)
    cost = jnp.where(seen.heard, between / len(points), 0).sum(1)
    best = points[jnp.argmin(jnp.where(seen.heard, cost, jnp.inf))]

    def closer(_, centre):
        distance = _distances(points, centre)
        here = distance <= 0
        pull = jnp.where(seen.heard & ~here, 1 / jnp.where(here, 1, distance), 0)
        force = (pull[:, None] * (points - centre)).sum(0)
        strength, held = jnp.sqrt((force**2).sum()), (seen.heard & here).sum()
        share = jnp.where(held > 0, jnp.maximum(1 - held / jnp.where(strength > 0, strength, 1), 0), 1)
        total = pull.sum()
        return centre + share * force / jnp.where(total > 0, total, 1)

    found = jax.lax.fori_loop(0, iterations, closer, best)
    return _decided(seen, found.reshape(seen.reports.shape[1:]))


def krum_scores(reports: Any, faults: Any, valid: Any = None) -> Array:
    """For each report the sum of its squared distances to its n - f - 2 nearest others.

    Args: `reports [N]` or `[N, D]`; `faults` f, with N >= 2 f + 3; `valid [N]` bool. n is the number of valid ones; one
      that is not finite is left out and counts as one of the f.
    Returns: `[N]`, infinite for what is left out; NaN for all where fewer than 2 f + 3 are valid.
    Raises: ParameterError for more faults than the guarantee covers.
    Source: Blanchard, El Mhamdi, Guerraoui & Stainer 2017.
    """
    size = jnp.asarray(reports, float).shape[0]
    faults = _number("faults", faults, max(size - 3, 0) // 2, f"so that n = {size} is at least 2 f + 3")
    if size < 3:
        raise ParameterError(f"reports: {size}; Krum needs at least 3, and 2 f + 3 against f faults")
    seen = screen(reports, valid, "drop")
    points = jnp.where(seen.heard[:, None], seen.reports.reshape(size, -1), 0)
    near = seen.heard.sum() - jnp.maximum(jnp.asarray(faults, jnp.int32) - seen.dropped, 0) - 2
    away = ((points[:, None] - points) ** 2).sum(-1)
    others = seen.heard & ~jnp.eye(size, dtype=bool)
    away, rank, others = jax.vmap(ranked)(away, others)
    scores = jnp.where(seen.heard, jnp.where(others & (rank < near), away, 0).sum(1), jnp.inf)
    enough = seen.heard.sum() + seen.dropped >= 2 * jnp.asarray(faults, jnp.int32) + 3
    return jnp.where(enough, scores, jnp.nan)


def krum(reports: Any, faults: Any, valid: Any = None, nonfinite: str = "drop") -> Array:
    """The one report with the least score of `krum_scores`; the first of equals.

    Args, raises: as `krum_scores`; under "reject" a report that is not finite lets the vote fail, else it is dropped.
    Returns: `[D]`, or a number for reports `[N]`.
    Source: Blanchard, El Mhamdi, Guerraoui & Stainer 2017.
    """
    return multi_krum(reports, faults, 1, valid, nonfinite)


def multi_krum(reports: Any, faults: Any, chosen: Any = None, valid: Any = None, nonfinite: str = "drop") -> Array:
    """The mean of the `chosen` reports with the least scores of `krum_scores`.

    Args: as `krum`; `chosen` is 1 to N - f, more would let a faulty one in; n - f by default.
    Returns: `[D]`, or a number for reports `[N]`.
    Raises: ParameterError as `krum_scores`, and for another `chosen`.
    Source: Blanchard, El Mhamdi, Guerraoui & Stainer 2017.
    """
    scores = krum_scores(reports, faults, valid)
    size = len(scores)
    most = size if isinstance(faults, jax.core.Tracer) else size - int(faults)
    if (
        chosen is not None
        and not isinstance(chosen, jax.core.Tracer)
        and (chosen != int(chosen) or not 0 < chosen <= most)
    ):
        raise ParameterError(f"chosen = {chosen}: a whole number of 1 to {most} is needed, n - f at most")
    seen = screen(reports, valid, "reject" if nonfinite == "reject" else "drop")
    index = jnp.arange(size)
    better = (scores < scores[:, None]) | ((scores == scores[:, None]) & (index < index[:, None]))
    honest = seen.heard.sum() - jnp.maximum(jnp.asarray(faults, jnp.int32) - seen.dropped, 0)
    best = seen.heard & ((better & seen.heard).sum(1) < (honest if chosen is None else chosen))
    best = best & ~jnp.isnan(scores)
    points = jnp.where(best.reshape((-1,) + (1,) * (seen.reports.ndim - 1)), seen.reports, 0)
    return jnp.where(best.any(), _decided(seen, points.sum(0) / jnp.maximum(best.sum(), 1)), jnp.nan)


RULES: dict[str, Callable[[Any, Any, Any, str], Array]] = {
    "mean": lambda reports, faults, valid, nonfinite: mean(reports, valid, nonfinite),
    "median": lambda reports, faults, valid, nonfinite: median(reports, valid, nonfinite),
    "trimmed-mean": trimmed_mean,
    "midpoint": midpoint,
    "select-mean": select_mean,
    "geometric-median": lambda reports, faults, valid, nonfinite: geometric_median(reports, valid, nonfinite),
    "krum": krum,
    "multi-krum": lambda reports, faults, valid, nonfinite: multi_krum(reports, faults, None, valid, nonfinite),
}


def aggregate(reports: Any, rule: str, faults: Any = 1, valid: Any = None, nonfinite: str = "extreme") -> Array:
    """The collective report by the rule of this name.

    Args: `rule`, one of `RULES`; `faults`, what is trimmed at each end, or Krum's f; the rest as `screen`.
    Raises: ParameterError for an unknown rule, and as the rule itself.
    """
    if rule not in RULES:
        raise ParameterError(f"rule = {rule!r}: unknown{nearest(rule, RULES)}")
    return RULES[rule](reports, faults, valid, nonfinite)


def tolerated(rule: str, size: int, faults: int = 1) -> int:
    """The most corrupt reports among `size` with which a rule's answer stays bounded, whatever they say.

    One more can carry it away; (tolerated + 1) / size is the breakdown point. Of Krum and multi-Krum it is what is
    guaranteed.

    Args: `rule`, one of `RULES`; `faults` as in `aggregate`.
    Raises: ParameterError for an unknown rule, or for more faults than it takes.
    Source: Donoho & Huber 1983; Lopuhaa & Rousseeuw 1991; Blanchard et al. 2017.
    """
    if rule not in RULES:
        raise ParameterError(f"rule = {rule!r}: unknown{nearest(rule, RULES)}")
    if rule == "mean":
        return 0
    if rule in ("median", "geometric-median"):
        return (size + 1) // 2 - 1
    if rule in ("krum", "multi-krum"):
        return _number("faults", faults, max(size - 3, 0) // 2, f"so that n = {size} is at least 2 f + 3")
    return _number("faults", faults, (size - 1) // 2, f"less than half of the {size} reports")
