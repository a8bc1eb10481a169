"""Trajectories of a field: dx/dt = field(x), by an adaptive Runge-Kutta method of order 8."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxcoord.errors import ParameterError

Tree = Any
PRECISION = {"float32": (1e-6, 1e-6), "float64": (1e-10, 1e-13)}  # by default, and the finest that rounding allows


def solve(
    field: Callable[[Tree], Tree],
    start: Tree,
    times: Any,
    *,
    relative: float | None = None,
    absolute: float | None = None,
    steps: int = 100_000,
) -> Tree:
    """Where a field takes a point: dx/dt = field(x), x(0) = start, at each of the times.

        >>> import numpy as np
        >>> from jaxcoord import evolution, games
        >>> field = evolution.game_field(games.rock_paper_scissors())
        >>> orbit = evolution.solve(field, [0.5, 0.3, 0.2], np.linspace(0, 20, 101))
        >>> orbit.shape
        (101, 3)

    It solves one initial value problem. `jax.vmap` over `start`, or over parameters that `field` closes over, solves a
    batch, each with steps of its own; `jax.grad` goes through; `jax.jit` around many calls compiles once, for 1 to 2 s
    on a CPU (a gradient for 5 s), where a plain call compiles every time.

    Args:
      field: from x to its rate of change, of the same structure and shapes.
      start: x at time 0, an array or list of numbers, or a tuple or dict of them.
      times: `[T]`, at least 0, ascending, the last above 0.
      relative, absolute: the error allowed in one step, relative to x and at least; 1e-10 and a hundredth of it in
        float64, 1e-6 in float32. What is near an exit along which errors grow needs less.
      steps: the most that are tried.
    Returns: x at the times, with a leading axis `[T]` on every array. Where the steps did not suffice or a number was
      not finite, ParameterError, or NaN throughout within `jit`, `vmap` and `grad`, which cannot raise.
    Raises: ParameterError for times out of order, a rate of another shape, or a relative error too small for the
      precision.
    Source: Prince & Dormand 1981; of diffrax (Kidger 2021), imported when first used.
    """
    import diffrax

    start = jax.tree.map(lambda x: jnp.asarray(x, float), start, is_leaf=lambda x: isinstance(x, list))
    rate = jax.eval_shape(field, start)
    if jax.tree.map(jnp.shape, rate) != jax.tree.map(jnp.shape, start):
        raise ParameterError(
            f"field: it returns {jax.tree.map(jnp.shape, rate)} for x of {jax.tree.map(jnp.shape, start)}; "
            "both must have the same structure and shapes"
        )
    times = _checked_times(times)
    usual, finest = PRECISION[times.dtype.name]
    relative = usual if relative is None else relative
    if not finest <= relative < 1:
        raise ParameterError(f"relative = {relative!r}: from {finest:g} in {times.dtype.name}, below 1"
                             + (", smaller with jax.enable_x64(True)" if finest > 1e-7 else ""))  # fmt: skip
    found = diffrax.diffeqsolve(
        diffrax.ODETerm(lambda t, x, _: field(x)),
        diffrax.Dopri8(),
        t0=0.0,
        t1=times[-1],
        dt0=None,
        y0=start,
        saveat=diffrax.SaveAt(ts=times),
        stepsize_controller=diffrax.PIDController(relative, relative / 100 if absolute is None else absolute),
        max_steps=steps,
        throw=False,
    )
    done = found.result == diffrax.RESULTS.successful
    done &= jnp.array([jnp.isfinite(x).all() for x in jax.tree.leaves(found.ys)]).all()
    if not isinstance(done, jax.core.Tracer) and not bool(done):
        raise ParameterError(
            f"solve: {steps} steps did not reach time {float(times[-1]):g}, or x did not stay finite; "
            "try a shorter time, more steps or a larger relative error"
        )
    return jax.tree.map(lambda x: jnp.where(done, x, jnp.nan), found.ys)


def _checked_times(times: Any) -> jax.Array:
    times = jnp.asarray(times, float)
    if times.ndim != 1 or not len(times):
        raise ParameterError(f"times: shape {times.shape}; a list of times [T] is needed")
    if not isinstance(times, jax.core.Tracer):
        known = np.asarray(times)
        if not np.isfinite(known).all() or known[0] < 0 or known[-1] <= 0 or (np.diff(known) < 0).any():
            raise ParameterError("times: not ascending from 0 or more to a last one above 0")
    return times
