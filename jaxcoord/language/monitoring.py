"""Watching a code from outside: intervals, audits, alarms, detectors, and how fast a code rewrites itself.

Pure, for one series or one language; `jax.vmap` makes a batch.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import ndtri
from scipy.special import betaincinv

from jaxcoord.errors import ParameterError
from jaxcoord.language import inputs
from jaxcoord.language.correlation import average_ranks
from jaxcoord.language.information import contents

Array = jax.Array
UNDECIDED, DRIFT, FINE = 0, 1, -1  # decisions of a sequential test


def first_true(flags: Any) -> Array:
    """`[]` int32: the index of the first true of `[T]`, -1 if there is none."""
    flags = jnp.asarray(flags)
    return jnp.where(flags.any(), jnp.argmax(flags), -1).astype(jnp.int32)


def wilson_interval(successes: Any, trials: Any, confidence: Any = 0.95) -> tuple[Array, Array]:
    """Wilson's interval of a probability: (p + z^2/2n -+ z sqrt(p(1-p)/n + z^2/4n^2)) / (1 + z^2/n).

    Args:
      successes, trials: counts of any shape.
      confidence: 0 to 1.
    Returns: low and high; NaN without trials.
    Source: Wilson 1927.
    """
    successes, trials = jnp.asarray(successes, float), jnp.asarray(trials, float)
    z = ndtri(jnp.asarray(0.5 + confidence / 2, float))
    share, spread = successes / trials, z * z / trials
    centre = (share + spread / 2) / (1 + spread)
    half = z * jnp.sqrt((share * (1 - share) + spread / 4) / trials) / (1 + spread)
    return jnp.clip(centre - half, 0, 1), jnp.clip(centre + half, 0, 1)


def exact_interval(successes: Any, trials: Any, confidence: Any = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Clopper and Pearson's interval of a probability, quantiles of Beta(k, n - k + 1) and Beta(k + 1, n - k).

    On the host: a float32 does not hold the beta function of a million trials.
    Args, returns: as in `wilson_interval`; (0, 1) without trials. It covers at least as often as it says.
    Source: Clopper & Pearson 1934.
    """
    successes, trials = np.asarray(successes, float), np.asarray(trials, float)
    tail = (1 - np.asarray(confidence, float)) / 2
    failures = trials - successes
    low = betaincinv(np.maximum(successes, 1), failures + 1, tail)
    high = betaincinv(successes + 1, np.maximum(failures, 1), 1 - tail)
    return np.where(successes > 0, low, 0), np.where(failures > 0, high, 1)


class DropMonitor(NamedTuple):
    """A watched score (see `drop_monitor`)."""

    cusum: Array
    """`[T]`: sum of what is missing."""
    alarm: Array
    """`[]` int32: the first time it exceeds the threshold, from 0; -1 if never."""
    average: Array
    """`[T]`: exponentially weighted moving average of the scores, started at the target."""


def drop_monitor(scores: Any, target: Any, slack: Any, threshold: Any, weight: Any) -> DropMonitor:
    """A one-sided CUSUM, S_t = max(0, S_{t-1} + target - x_t - slack), that alarms at S_t > threshold.

    Args:
      scores: `[T]`, x, such as comprehension at each audit.
      target: what the score should be.
      slack: how far below it is let pass.
      threshold: sum at which to alarm.
      weight: 0 to 1, of the newest score in the moving average.
    Returns: a `DropMonitor`.
    Raises: ParameterError where there is no score, or the weight is not from 0 to 1.
    Source: Page 1954; Roberts 1959 (the average).
    """
    scores = inputs.numbers("scores", scores, "T")
    weight = inputs.probability("weight", weight)

    def watch(carry: tuple[Array, Array], score: Array) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
        missing, average = carry
        new = jnp.maximum(0, missing + target - score - slack), average + weight * (score - average)
        return new, new

    start = jnp.zeros_like(scores[0]), jnp.full_like(scores[0], target)
    _, (cusum, average) = jax.lax.scan(watch, start, scores)
    return DropMonitor(cusum, first_true(cusum > threshold), average)


def audit_size(fine: Any, drifted: Any, false_alarm: Any, miss: Any) -> Array:
    """How many messages an audit must read to tell one rate of understanding from another.

    ceil([(z_{1-alpha} sqrt(p0 (1-p0)) + z_{1-beta} sqrt(p1 (1-p1))) / (p0 - p1)]^2).

    Args:
      fine, drifted: p0 > p1, shares of messages understood.
      false_alarm, miss: alpha and beta, 0 to 1.
    Returns: `[]` int32.
    Raises: ParameterError where p0 is not above p1, or a rate is none.
    """
    fine, drifted, false_alarm, miss = _falling(fine, drifted, false_alarm, miss)
    alarm, missed = (ndtri(1 - rate) for rate in (false_alarm, miss))
    spread = alarm * jnp.sqrt(fine * (1 - fine)) + missed * jnp.sqrt(drifted * (1 - drifted))
    return jnp.ceil((spread / (fine - drifted)) ** 2).astype(jnp.int32)


def _falling(fine: Any, drifted: Any, false_alarm: Any, miss: Any) -> tuple[Array, ...]:
    """The rates of a test, checked."""
    known = not any(isinstance(rate, jax.core.Tracer) for rate in (fine, drifted))
    if known and not bool((np.asarray(drifted) < np.asarray(fine)).all()):
        raise ParameterError(f"drifted = {drifted}: a rate below fine = {fine} is needed")
    tiny = float(np.finfo(float).tiny)
    rates = (
        inputs.within(name, rate, tiny, np.nextafter(1, 0), "a probability between 0 and 1 is needed")
        for name, rate in (("false_alarm", false_alarm), ("miss", miss))
    )
    return inputs.probability("fine", fine), inputs.probability("drifted", drifted), *rates


class SequentialTest(NamedTuple):
    """An audit that stops when it knows (see `sequential_test`)."""

    decision: Array
    """`[]` int32: 1 drift, -1 fine, 0 undecided at the end."""
    decided: Array
    """`[]` int32: the message that decided, from 0; -1 if none did."""
    ratio: Array
    """`[T]`: log likelihood ratio of drift to fine, nats."""
    upper: Array
    """`[]`: log((1 - beta) / alpha), where drift is decided, nats."""
    lower: Array
    """`[]`: log(beta / (1 - alpha)), where fine is, nats."""


def sequential_test(correct: Any, fine: Any, drifted: Any, false_alarm: Any, miss: Any) -> SequentialTest:
    """Wald's sequential probability ratio test of whether messages are still understood.

    Args:
      correct: `[T]`, 1 where a message was understood, 0 where not.
      fine, drifted: p0 > p1, shares of messages understood.
      false_alarm, miss: alpha and beta, 0 to 1.
    Returns: a `SequentialTest`.
    Raises: ParameterError where p0 is not above p1, or a rate is none.
    Source: Wald 1945.
    """
    fine, drifted, alpha, beta = _falling(fine, drifted, false_alarm, miss)
    understood = inputs.within("correct", correct, 0, 1, "1 or 0 is needed").astype(bool)
    step = jnp.where(understood, jnp.log(drifted / fine), jnp.log((1 - drifted) / (1 - fine)))
    ratio = jnp.cumsum(step)
    upper, lower = jnp.log((1 - beta) / alpha), jnp.log(beta / (1 - alpha))
    decided = first_true((ratio >= upper) | (ratio <= lower))
    decision = jnp.where(decided < 0, UNDECIDED, jnp.where(ratio[decided] >= upper, DRIFT, FINE))
    return SequentialTest(decision.astype(jnp.int32), decided, ratio, upper, lower)


class Detection(NamedTuple):
    """How well a score tells attacked from honest messages (see `detection`)."""

    area: Array
    """`[]`: under the ROC curve: the chance that an attacked one scores higher, ties one half; NaN without both."""
    average_precision: Array
    """`[]`: mean over the attacked of the share of attacked among those that score at least as high; NaN without."""


def detection(attacked: Any, scores: Any) -> Detection:
    """Area under the ROC curve and average precision of a detector.

    Args:
      attacked: `[N]`, 1 where there is something to find, else 0.
      scores: `[N]`, higher is more suspicious.
    Returns: a `Detection`.
    Raises: ParameterError where they are not paired.
    Source: Hanley & McNeil 1982; Davis & Goadrich 2006.
    """
    attacked, scores = inputs.numbers("attacked", attacked, "N").astype(bool), inputs.numbers("scores", scores, "N")
    inputs.same_length("scores", scores, "attacked", attacked)
    found, honest = attacked.sum().astype(float), (~attacked).sum().astype(float)
    ranks = average_ranks(scores)
    area = ((attacked * ranks).sum() / found - (found + 1) / 2) / honest
    # Sorted with the honest ones first, below every score.
    low = jnp.where(attacked, scores, -jnp.inf)
    hits, all_ = (
        scores.size - jnp.searchsorted(jnp.sort(group), scores, side="left", method="sort") for group in (low, scores)
    )
    return Detection(area, (attacked * (hits / all_)).sum() / found)


def self_modification(before: Any, after: Any) -> Array:
    """Share of meanings whose message has changed since the last audit; tables `[N, L]` of the same meanings."""
    return (contents(before) != contents(after)).any(1).mean()


def novelty(before: Any, after: Any) -> Array:
    """Share of meanings whose message was nobody's at the last audit; words that are only swapped are not new."""
    before, after = contents(before), contents(after)
    return (~(after[:, None] == before[None]).all(-1).any(1)).mean()
