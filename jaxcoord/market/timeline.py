"""The stages of a speculative economy, detected from what is measured and never scripted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

Array = jax.Array

STAGES = ("trade", "middlemen", "derivatives", "fractional reserve", "crash", "bailout", "halt")
WINDOW = 10  # steps within which the resolutions of a crash fall
NEVER = -1


def is_crash(recent: Array, issuers: int) -> Array:
    """Whether resolutions in a window of steps `[..., W]` are at least half as many as there are issuers."""
    return 2 * recent.sum(-1) >= issuers


def stages_present(seen: Mapping[str, Any]) -> Array:
    """`[..., 7]` bool: which stages a step shows, in the order of `STAGES`.

    Args: `seen`, arrays of one shape by the names of the economy's observables: `spending` (credits: what is shared is
      not traded), `brokered` (units), `open_interest`, `reserve_ratio` (all reserves over all deposits), `crash`,
      `rescues`, `halted`.
    """
    signs = (
        jnp.asarray(seen["spending"]) > 0,
        jnp.asarray(seen["brokered"]) > 0,
        jnp.asarray(seen["open_interest"]) > 0,
        jnp.asarray(seen["reserve_ratio"]) < 1,
        jnp.asarray(seen["crash"]) > 0,
        jnp.asarray(seen["rescues"]) > 0,
        jnp.asarray(seen["halted"]) > 0,
    )
    return jnp.stack(signs, -1)


def first_detected(first: Array, present: Array, step: Array) -> Array:
    """`[7]`: the step at which each stage was first seen, kept once it is known; -1: not yet."""
    return jnp.where((first == NEVER) & present, step, first)


def timeline(present: Array) -> Array:
    """`[7]`: the first of T steps, counted from 1, at which each stage is seen in a record `[T, 7]`; -1: never."""
    present = jnp.asarray(present, bool)
    return jnp.where(present.any(0), jnp.argmax(present, 0) + 1, NEVER)
