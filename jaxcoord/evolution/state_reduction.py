"""Stationary distributions by state reduction (GTH), with numbers of any size: nothing is subtracted or overflows.

Every rate is held as m 2^e with an integer e of its own, so that rates may differ by any power of ten, as the
invasion rates of strong selection do. Adding two costs a few multiplications, a tenth of an addition in logarithms.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

Array = jax.Array
STAGES = 4  # more of them save little and compile longer
SMALLEST_STAGE = 64


class _Scaled(NamedTuple):
    """Non-negative numbers m 2^e. Derivatives flow through m alone, which is why e is never chosen by them."""

    m: Array
    e: Array


@jax.jit
def stationary_from_log_rates(log_rates: Any) -> Array:
    """Stationary distribution of an irreducible chain from the logarithms of its transition rates.

    The last state is taken out and its flow is led past it, until one is left; then each is put back in turn.

    Args: `log_rates [S, S]`, from row to column, minus infinity where there is none; the diagonal is not read.
    Returns: `[S]`, summing to one.
    Source: Grassmann, Taksar & Heyman 1985.
    """
    log_rates = jnp.asarray(log_rates, float)
    size = log_rates.shape[0]
    index = jnp.arange(size)
    rates = _scaled(jnp.where(index[:, None] == index, -jnp.inf, log_rates))
    # A loop has one shape, so it works on whole matrices: after each stage the matrix is cut to the states left.
    stage = max(SMALLEST_STAGE, -(-size // STAGES))
    shares, left = [], size
    while left > 1:
        taken = min(stage, left - 1)
        rates, into = jax.checkpoint(_eliminate, static_argnums=1)(rates, taken)
        shares.append(jnp.pad(_log(into), ((0, 0), (0, size - left)), constant_values=-jnp.inf))
        left -= taken
    into = jnp.concatenate([jnp.full((1, size), -jnp.inf), *shares[::-1]])

    def put_back(k, logs):
        return logs.at[k].set(jax.nn.logsumexp(jnp.where(index < k, logs + into[k], -jnp.inf)))

    return jax.nn.softmax(jax.lax.fori_loop(1, size, put_back, jnp.zeros(size)))


def _eliminate(rates: _Scaled, taken: int) -> tuple[_Scaled, _Scaled]:
    """Take the last states out.

    Args: `rates [n, n]`; `taken`, how many states, fewer than n.
    Returns: the rates `[n - taken, n - taken]` of the others, and `[taken, n]`, a row for each state that was taken, in
      order: the rate into it from each before it over the rate at which it is left for them.
    """
    size = rates.m.shape[0]
    index = jnp.arange(size)

    def take(i, carry):
        rates, into = carry
        k = size - 1 - i
        onward = _Scaled(*(jax.lax.dynamic_index_in_dim(x, k, 0, keepdims=False) for x in rates))
        onward = _tidy(_where(index < k, onward))
        top = onward.e.max()
        leaving = (onward.m * _power(onward.e - top)).sum()
        arriving = _Scaled(*(jax.lax.dynamic_index_in_dim(x, k, 1, keepdims=False) for x in rates))
        arriving = _tidy(_where(index < k, _Scaled(arriving.m / leaving, arriving.e - top)))
        past = _Scaled(arriving.m[:, None] * onward.m, arriving.e[:, None] + onward.e)
        into = _Scaled(*(whole.at[taken - 1 - i].set(row) for whole, row in zip(into, arriving, strict=True)))
        return _add(rates, past), into

    none = _Scaled(jnp.zeros((taken, size), rates.m.dtype), jnp.zeros((taken, size), rates.e.dtype))
    rates, into = jax.lax.fori_loop(0, taken, take, (rates, none))
    return _tidy(_Scaled(*(x[: size - taken, : size - taken] for x in rates))), into


def _integers(kind: Any) -> tuple[Any, int, int, int]:
    # The integer as wide as the float, the bits of its mantissa, its exponent's offset, and an exponent for zero that
    # is below all others and may be doubled without overflow.
    if kind == jnp.float64:
        return jnp.int64, 52, 1023, -(2**60)
    return jnp.int32, 23, 127, -(2**28)


def _scaled(logs: Array) -> _Scaled:
    integer, _, _, nothing = _integers(logs.dtype)
    there = logs != -jnp.inf  # NaN is kept, to be seen in the result
    logs = jnp.where(there, jnp.maximum(logs, nothing / 16), logs)
    e = jnp.where(there, jnp.floor(jax.lax.stop_gradient(logs) / math.log(2)), 0)
    m = jnp.where(there, jnp.exp(jnp.where(there, logs, 0) - e * math.log(2)), 0)
    return _Scaled(m, jnp.where(there, e.astype(integer), nothing))


def _log(x: _Scaled) -> Array:
    there = x.m != 0
    return jnp.where(there, jnp.log(jnp.where(there, x.m, 1)) + x.e * math.log(2), -jnp.inf)


def _power(e: Array) -> Array:
    """2^e for e up to 0, made of its bits; 0 where that is too small for a float."""
    kind = jnp.float64 if e.dtype == jnp.int64 else jnp.float32
    _, bits, offset, _ = _integers(kind)
    return jax.lax.bitcast_convert_type((jnp.maximum(e, -offset) + offset) << bits, kind)


def _where(kept: Array, x: _Scaled) -> _Scaled:
    nothing = _integers(x.m.dtype)[3]
    return _Scaled(jnp.where(kept, x.m, 0), jnp.where(kept, x.e, nothing))


def _tidy(x: _Scaled) -> _Scaled:
    """The same numbers with m in [1, 2), and zero with its own exponent."""
    integer, bits, offset, nothing = _integers(x.m.dtype)
    excess = (jax.lax.bitcast_convert_type(jax.lax.stop_gradient(x.m), integer) >> bits) - offset
    shrunk = jnp.where(excess > 0, x.m * _power(-jnp.maximum(excess, 0)), x.m / _power(jnp.minimum(excess, 0)))
    return _Scaled(jnp.where(x.m != 0, shrunk, 0), jnp.where(x.m != 0, x.e + excess, nothing))


def _add(x: _Scaled, y: _Scaled) -> _Scaled:
    # The sum takes the greater exponent and its m grows by less than 4: a stage is too short for it to overflow.
    top = jnp.maximum(x.e, y.e)
    return _Scaled(x.m * _power(x.e - top) + y.m * _power(y.e - top), top)
