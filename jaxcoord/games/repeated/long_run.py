"""Long-run shares of many Markov chains at once, where some rates are smaller than others by whole orders.

A number here is the leading term c e^k of a series in an infinitesimal e. Sums, products and quotients of such terms
need no subtraction, so that state reduction gives the limit e -> 0 itself: no small number stands for e, and a chain
may fall apart into several closed classes, alternate, or leave a state only by an error that has become infinitely
rare.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

Array = jax.Array
RARE = 2**18
"""The order at which a chain starts anew: beyond that of any number of errors."""
_ZERO_BIT = 26
_ZERO = 2**_ZERO_BIT  # added to the order of what is zero; its own order is kept below, for derivatives


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Terms:
    """Non-negative numbers c e^k."""

    c: Array
    k: Array
    """int32, of the same shape."""

    def __getitem__(self, at: Any) -> Terms:
        return Terms(self.c[at], self.k[at])

    def __mul__(self, other: Any) -> Terms:
        return Terms(self.c * other.c, self.k + other.k)

    def __truediv__(self, other: Terms) -> Terms:
        return Terms(self.c / other.c, self.k - other.k)

    def __add__(self, other: Any) -> Terms:
        top = jnp.minimum(self.k, other.k)
        return Terms(leading(self, top) + leading(other, top), top)

    def sum(self, axis: int) -> Terms:
        """Along an axis."""
        top = self.k.min(axis, keepdims=True)
        return Terms(leading(self, top).sum(axis), jnp.squeeze(top, axis))


def terms(c: Any, k: int = 0) -> Terms:
    """Numbers as leading terms, of order k where they are not zero."""
    c = jnp.asarray(c, float)
    return Terms(c, jnp.where(c > 0, k, k + _ZERO).astype(jnp.int32))


def leading(x: Terms, top: Any) -> Array:
    """The coefficients of numbers that are of order `top`, 0 for those of a higher one."""
    # What is zero adds nothing, but were it moved it would: its derivative counts where its own order is the top one.
    # That order is in the lower bits.
    above = 32 - _ZERO_BIT
    return jnp.where((x.k << above) == (top << above), x.c, 0)


def where(kept: Array, x: Terms, y: Terms) -> Terms:
    """The one where `kept`, the other elsewhere."""
    return Terms(jnp.where(kept, x.c, y.c), jnp.where(kept, x.k, y.k))


def long_run_shares(moves: Terms, stages: int = 1) -> Array:
    """Share of time that chains spend in each state in the limit e -> 0.

    The last state is censored, its flow led past it, until the first is left; then each is put back in turn. The
    derivative in a rate that is zero is right where the chains are as of `rooted`.

    Args:
      moves: `[N, N, B]`, rates from row to column in each of B chains; what stays is not read. Every state must lead
        to state 0, be it at order `RARE`.
      stages: how often the matrices are cut to the states that are left. 2 take half the time of 1, more save little,
        and each is compiled by itself.
    Returns: `[N, B]`, summing to one.
    Source: Grassmann, Taksar & Heyman 1985, in leading terms.
    """
    size = moves.c.shape[0]
    if size == 1:
        return jnp.ones_like(moves.c[0])
    index = jnp.arange(size)[:, None]
    parts, left = [], size
    while left > 1:
        taken = min(-(-size // stages), left - 1)
        moves, into = _censor(moves, taken)
        parts.append(jax.tree.map(lambda x, wide=size - left: jnp.pad(x, ((0, 0), (0, wide), (0, 0))), into))
        left -= taken
    first = jax.tree.map(lambda x: jnp.zeros_like(x[:1]), parts[0])
    into = jax.tree.map(lambda *rows: jnp.concatenate(rows), first, *parts[::-1])
    nothing = terms(jnp.zeros_like(into.c[0]))

    def put_back(k, found):
        share = where(index < k, found * into[k], nothing).sum(0)
        return jax.tree.map(lambda x, y: x.at[k].set(y), found, _bounded(share))

    found = jax.lax.fori_loop(1, size, put_back, terms(nothing.c.at[0].set(1)))
    shares = leading(found, found.k.min(0))
    return shares / shares.sum(0)


def restarted(moves: Terms) -> Terms:
    """The chains with a return to state 0 from everywhere, at order `RARE`: the limit from there, for any chain.

    Args: `moves [N, N, B]`, rates from row to column.
    """
    column = jnp.arange(moves.c.shape[0])[:, None]
    return moves + where(column == 0, terms(1.0, RARE), terms(0.0))


def rooted(moves: Terms) -> tuple[Terms, Array]:
    """The same limit as of `restarted`, with derivatives in rates that are zero if there is one closed class.

    There nothing need be restarted, but state 0 must be in that class: to censor a state that is left only by what is
    now zero would divide by zero. So it changes places with the most frequent state.

    Args: `moves [N, N, B]`, rates from row to column.
    Returns: the chains for `long_run_shares`, and `[N, B]`, which state stands where.
    """
    size = moves.c.shape[0]
    index = jnp.arange(size)[:, None]
    root = jax.lax.stop_gradient(long_run_shares(restarted(moves))).argmax(0)
    place = jnp.where(index == 0, root, jnp.where(index == root, 0, index))

    def exchange(x):
        return jnp.take_along_axis(jnp.take_along_axis(x, place[:, None], 0), place[None], 1)

    moves = jax.tree.map(exchange, moves)
    there = moves.c > 0
    start = index == root

    def widen(_, sets):
        leading_there, reached = sets
        return leading_there | (there & leading_there[None]).any(1), reached | (there & reached[:, None]).any(0)

    leading_there, reached = jax.lax.fori_loop(0, size, widen, (jnp.broadcast_to(index == 0, start.shape), start))
    again = ~leading_there | (~leading_there & reached).any(0)
    return moves + where(again[:, None] & start[None], terms(1.0, RARE), terms(0.0)), place


def _censor(moves: Terms, taken: int) -> tuple[Terms, Terms]:
    """Take the last states out.

    Args: `moves [N, N, B]`; `taken`, fewer than N.
    Returns: the rates among the others; `[taken, N, B]`, for each state taken out, in order, the rates into it from
      those before it over the rate at which it was left for them.
    """
    size = moves.c.shape[0]
    index = jnp.arange(size)[:, None]
    nothing = terms(jnp.zeros_like(moves.c[0]))

    def take(i, carry):
        moves, into = carry
        k = size - 1 - i
        onward = _bounded(where(index < k, moves[k], nothing))
        arriving = _bounded(where(index < k, moves[:, k], nothing) / onward.sum(0))
        into = jax.tree.map(lambda x, y: x.at[taken - 1 - i].set(y), into, arriving)
        return moves + arriving[:, None] * onward[None], into

    into = jax.tree.map(lambda x: jnp.zeros((taken, *x.shape[1:]), x.dtype), moves)
    moves, into = jax.lax.fori_loop(0, taken, take, (moves, into))
    return moves[: size - taken, : size - taken], into


def _bounded(x: Terms) -> Terms:
    # Zeros multiply again and again: their order must not overflow.
    return Terms(x.c, jnp.minimum(x.k, 2 * _ZERO))
