"""Approximate agreement with liars who tell everyone something else, and the adversary who changes preferences.

Rounds are synchronous: nothing here says that an asynchronous protocol ends (Fischer, Lynch & Paterson 1985).
"""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp

from jaxcoord.errors import ParameterError, nearest
from jaxcoord.identity.aggregation import midpoint, select_mean, trimmed_mean

Array = jax.Array
COMBINE = {"mean": trimmed_mean, "midpoint": midpoint, "select": select_mean}


def checked_faults(size: int, faults: int) -> int:
    """The number of two-faced agents, fewer than a third. Raises: ParameterError for more."""
    if faults != int(faults) or not 0 <= faults <= (size - 1) // 3:
        raise ParameterError(
            f"faults = {faults}: two-faced agents must be fewer than a third; of {size}, 0 to {(size - 1) // 3}"
        )
    return int(faults)


def _combine(rule: str) -> Any:
    if rule not in COMBINE:
        raise ParameterError(f"rule = {rule!r}: unknown{nearest(rule, COMBINE)}")
    return COMBINE[rule]


def agreement_round(honest: Any, lies: Any, rule: str = "midpoint") -> Array:
    """One round: every honest agent hears all, drops the f smallest and the f largest, and combines the rest.

    Args:
      honest: `[H]`, values of the n - f honest agents, who tell everyone the same.
      lies: `[H, f]`, what each faulty agent tells each honest one; may be infinite. What is NaN counts as not sent, and
        its receiver puts its own value there.
      rule: "mean" of the rest, its "midpoint", or "select", the mean of every f-th.
    Returns: `[H]`, the new values.
    Raises: ParameterError where n > 3 f does not hold, or the shapes do not fit.
    Source: Dolev, Lynch, Pinter, Stark & Weihl 1986.
    """
    combine = _combine(rule)
    honest, lies = jnp.asarray(honest, float), jnp.asarray(lies, float)
    if honest.ndim != 1 or lies.ndim != 2 or len(lies) != len(honest):
        raise ParameterError(f"lies: shape {lies.shape}; [H, f] is needed for honest values of shape {honest.shape}")
    faults = checked_faults(honest.shape[0] + lies.shape[1], lies.shape[1])
    lies = jnp.where(jnp.isnan(lies), honest[:, None], lies)
    return jax.vmap(lambda told: combine(jnp.concatenate([honest, told]), faults))(lies)


def contraction_factor(rule: str, size: int, faults: int) -> float:
    """The largest factor by which one round can leave the spread of the honest, whatever the faulty say.

    f / (n - 2 f) for the mean, 1/2 for the midpoint, 1 / (floor((n - 2 f - 1) / f) + 1) for select; 0 where f = 0 and
    all combine the same values.

    Args: `rule` as in `agreement_round`; `size` n; `faults` f, with n > 3 f.
    Raises: ParameterError for an unknown rule or too many faults.
    Source: Dolev, Lynch, Pinter, Stark & Weihl 1986.
    """
    _combine(rule)
    faults = checked_faults(size, faults)
    if faults == 0:
        return 0.0
    if rule == "mean":
        return faults / (size - 2 * faults)
    return 0.5 if rule == "midpoint" else 1 / ((size - 2 * faults - 1) // faults + 1)


def rounds_needed(spread: float, goal: float, factor: float) -> int:
    """Rounds after which a spread is certainly at most `goal`: ln(spread / goal) / ln(1 / factor), rounded up.

    Args: `spread`, at least 0; `goal` above 0; `factor`, of `contraction_factor`, below 1.
    Raises: ParameterError for numbers out of these ranges.
    """
    if not (spread >= 0 and math.isfinite(spread) and goal > 0 and 0 <= factor < 1):
        raise ParameterError(
            f"spread = {spread}, goal = {goal}, factor = {factor}: a spread of at least 0, a goal above 0 and a factor "
            "of 0 to below 1 are needed"
        )
    if spread <= goal:
        return 0
    return 1 if factor == 0 else math.ceil(math.log(spread / goal) / -math.log(factor) - 1e-12)


def worst_case(size: int, faults: int) -> tuple[Array, Array]:
    """Honest values and lies for which one round of any rule leaves as much of the spread as it ever can.

    n - 2 f agents hold 0 and f hold 1; the faulty tell all who hold 0 minus infinity, and the others plus infinity.

    Args: `size` n; `faults` f, with n > 3 f and f at least 1.
    Returns: `[H]` and `[H, f]`, as `agreement_round` takes them.
    Raises: ParameterError for too many faults, or none.
    """
    faults = checked_faults(size, faults)
    if faults == 0:
        raise ParameterError("faults = 0: at least 1 is needed, without a fault all agree in one round")
    honest = jnp.concatenate([jnp.zeros(size - 2 * faults), jnp.ones(faults)])
    lies = jnp.where(honest > 0, jnp.inf, -jnp.inf)
    return honest, jnp.broadcast_to(lies[:, None], (size - faults, faults))


def pressed(preference: Any, delta: Any, target: Any, steps: Any = 1) -> Array:
    """Preferences after an adversary has pulled them towards a target: target + (1 - delta)^t (preference - target).

    All rules of `aggregation` are equivariant under shifts and positive scaling. Where everybody is in reach they move
    by the same factor: none protects more than another.

    Args: `preference`, any shape; `delta`, share of the way in one step, 0 to 1; `target`; `steps` t. All broadcast.
    """
    return target + (1 - jnp.asarray(delta)) ** steps * (jnp.asarray(preference, float) - target)


def steps_to_shift(start: float, target: float, delta: float, margin: float) -> float:
    """The fewest steps of `pressed` that move an outcome by `margin`; infinite where it never gets so far.

    Args: `start`, the outcome before; `delta` 0 to 1; `margin` at least 0.
    """
    if margin <= 0:
        return 0
    way = abs(target - start)
    if delta <= 0 or margin > way or (margin == way and delta < 1):
        return math.inf
    return 1 if delta >= 1 else max(1, math.ceil(math.log1p(-margin / way) / math.log1p(-delta) - 1e-12))


def held_share(pressure: Any, theta: Any) -> Array:
    """The target's share of what is expressed in the end, where cores cannot be reached: psi / (psi + (1 - psi) theta).

    Of x <- (1 - psi) (theta core + (1 - theta) x) + psi target. A core, theta > 0, keeps it below one.

    Args: `pressure` psi and stubbornness `theta`, both 0 to 1 and not both 0.
    """
    pressure, theta = jnp.asarray(pressure, float), jnp.asarray(theta, float)
    return pressure / (pressure + (1 - pressure) * theta)
