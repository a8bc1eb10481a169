"""Shares of the four outcomes in matches under chance: by matrices in blocks, or along the moves that can happen."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxcoord.errors import ParameterError
from jaxcoord.games.repeated.joint import Codes, Joint, Stack, branches
from jaxcoord.games.repeated.long_run import leading, long_run_shares, restarted, rooted, terms, where

Array = jax.Array
MAX_DENSE_STATES = 2048
"""Joint states of a match up to which a limit of means under chance, or a derivative, is computed."""
MAX_SPREAD_STATES = 20_000_000
"""Joint states in which a match may be at the same time."""
_DENSE = 144  # joint states beyond which following the moves that there are is faster than a matrix
_BLOCK = 40_000  # entries of the matrices that are solved together, so that they stay in the cache
_COARSE = (25, 64, _DENSE)
_CHEAP = 5e7  # multiplications that take less time than a compilation
_SPREAD_TOGETHER = 64
_NEGLIGIBLE = 1e-18  # weight of the rounds that are left out where a game ends at random


class Setting(NamedTuple):
    """How matches are played; the fields are the arguments of `exact.outcome_matrix`."""

    turns: int | None
    continuation: Any
    noise: Any
    perception: Any
    vanishing: bool
    by_turn: bool = False
    """Whether each round is asked for, not their mean."""

    @property
    def misread(self) -> bool:
        """Whether moves may be misread."""
        return happens(self.perception)


def traced(*values: Any) -> bool:
    """Whether JAX traces any of these values."""
    return any(isinstance(value, jax.core.Tracer) for value in values)


def happens(chance: Any) -> bool:
    """Whether a probability may be above 0."""
    return traced(chance) or bool(chance > 0)


def joint_rates(chance: Any, joint: Joint, setting: Setting) -> Iterator[tuple[np.ndarray, Array]]:
    """Matches and their shares of outcomes, those of about the same number of joint states together.

    Args:
      chance: `[Q]`, probabilities to cooperate in the states of all automata, float64 on the host or traced.
      joint: joint states of the matches.
      setting: how they are played.
    Returns: numbers of some matches and their shares `[B, 4]` or `[B, turns, 4]`, until all were there. Shares beyond
      so many matches mean nothing.
    Raises: ParameterError where a match needs a matrix that is too large.
    """
    size = np.diff(joint.start)
    derived = traced(chance, *setting)
    followed = np.zeros(len(size), bool)
    if not derived and (rounds := _rounds(setting)) is not None:
        # Following costs so many rounds times the states, a matrix their third power.
        followed = (size > _DENSE) & ((setting.turns is not None) | (rounds < size**2) | (size > MAX_DENSE_STATES))
        if followed.any():
            yield np.flatnonzero(followed), _total(_followed(chance, joint, followed, setting), setting)
    for wide, members in _shapes(size, np.flatnonzero(~followed)):
        full = max(1, _BLOCK // wide**2)
        if derived:  # compiled with the rest, so it may have a shape of its own
            full = min(full, len(members))
        for begin in range(0, len(members), full):
            part = members[begin : begin + full]
            one, other, after = _padded(joint, part, wide, full)
            rates = _dense(
                chance[one], chance[other], after, setting.noise, setting.perception, setting.continuation,
                setting.turns, misread=setting.misread, vanishing=setting.vanishing, by_turn=setting.by_turn,
                length=setting.turns if setting.by_turn or derived else None, derived=derived,
                stages=1 if len(members) * wide**3 < _CHEAP else 2,
            )  # fmt: skip
            yield part, rates


def _rounds(setting: Setting) -> int | None:
    """How many rounds a match is followed, until what is left has no weight; None in the limit of means."""
    if setting.continuation is None:
        return setting.turns
    again = float(setting.continuation)
    return 1 if again == 0 else math.ceil(math.log(_NEGLIGIBLE) / math.log(again))


def _shapes(size: np.ndarray, members: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Numbers of joint states for which programs are compiled, and the matches that are padded to each.

    They are squares, as two automata of Q states have up to Q^2 joint ones; coarse ones for a few matches, which cost
    less than another compilation.
    """
    if len(members) and (most := size[members].max()) > MAX_DENSE_STATES:
        raise _too_large(str(most))
    shape = np.array([(math.isqrt(number - 1) + 1) ** 2 for number in size[members].tolist()])
    for wide in np.unique(shape).tolist():
        coarse = min((step for step in _COARSE if step >= wide), default=wide)
        if (shape == wide).sum() * coarse**3 < _CHEAP:
            shape[shape == wide] = coarse
    for wide in np.unique(shape).tolist():
        yield wide, members[shape == wide]


def _too_large(states: str) -> ParameterError:
    return ParameterError(
        f"automata: {states} joint states of a pair; at most {MAX_DENSE_STATES} in a limit of means under chance and "
        "in derivatives. A number of turns has no such bound"
    )


def _padded(joint: Joint, part: np.ndarray, wide: int, block: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    # The states of some matches as columns: `[N, B]` of each player, `[N, L, B]` what follows. What is added leads to
    # the first state and is led to by none.
    size = np.diff(joint.start)[part]
    row = np.arange(wide)[:, None]
    real = row < np.pad(size, (0, block - len(part)))
    place = np.where(real, np.pad(joint.start[part], (0, block - len(part))) + row, 0)
    after = (joint.after[place] - place[0][None, :, None]) * real[:, :, None]
    return joint.one[place], joint.other[place], after.transpose(0, 2, 1).astype(np.int32)


@partial(jax.jit, static_argnames=("misread", "vanishing", "by_turn", "length", "derived", "stages"))
def _dense(
    one: Any, other: Any, after: Any, noise: Any, perception: Any, continuation: Any, turns: Any,
    *, misread: bool, vanishing: bool, by_turn: bool, length: int | None, derived: bool, stages: int,
) -> Array:  # fmt: skip
    """Shares of outcomes `[B, 4]`, or `[B, turns, 4]`, in B matches.

    `one` and `other` `[N, B]` are the probabilities to cooperate, and `after` is as of `_padded`. With `length`, the
    same as `turns`, there are derivatives and rounds one by one; without it one program serves any number of them.
    `derived` sees to it that derivatives are right where a probability is 0 or 1.
    """
    number: Any = terms if vanishing else partial(jnp.asarray, dtype=float)
    pick: Any = where if vanishing else jnp.where
    nothing = number(0.0)
    meant = [(number(c), number(1 - c)) for c in (jnp.asarray(one, float), jnp.asarray(other, float))]
    if vanishing:
        move, view = ((number(1.0), terms(rate, 1)) for rate in (noise, perception))
    else:
        move, view = ((1 - rate, rate) for rate in (noise, perception))
    outcomes, events = _round(meant, move, view, misread)
    column = jnp.arange(one.shape[0])[:, None]
    moves: Any = nothing
    for branch, event in enumerate(events):
        moves = moves + pick(after[:, branch][:, None] == column, event[:, None], nothing)
    if vanishing:
        outcomes = [leading(outcome, 0) for outcome in outcomes]
    seen = jnp.stack(outcomes)
    start = (column == 0).astype(seen.dtype)
    if turns is None:
        if continuation is not None:
            moves = terms(continuation * moves + (1 - continuation) * start)
        else:
            moves = moves if vanishing else terms(moves)
            if derived:
                moves, place = rooted(moves)
                seen = jnp.take_along_axis(seen, place[None], 1)
            else:
                moves = restarted(moves)
        return (seen * long_run_shares(moves, stages)).sum(1).T
    seen, moves = seen.transpose(2, 1, 0), moves.transpose(2, 0, 1)

    def turn(carry, _):
        shares, total = carry
        now = jnp.einsum("bn,bno->bo", shares, seen) if by_turn else None
        return (jnp.einsum("bn,bnm->bm", shares, moves), total + shares), now

    start = jnp.broadcast_to(start.T, one.T.shape)
    carry = (start, jnp.zeros_like(start))
    if length is None:
        _, total = jax.lax.fori_loop(0, turns, lambda _, carry: turn(carry, None)[0], carry)
    else:
        (_, total), rates = jax.lax.scan(turn, carry, length=length)
    return rates.transpose(1, 0, 2) if by_turn else jnp.einsum("bn,bno->bo", total / turns, seen)


def _round(meant: Any, move: Any, view: Any, misread: bool) -> tuple[list[Any], list[Any]]:
    """Probabilities of what may happen in a round, in any kind of number.

    Args:
      meant: for each player, that C and that D is meant.
      move: that a move is done as meant, and that it is not.
      view: that a player sees the other's move as it is, and that it does not; read where `misread`.
    Returns: of the four outcomes, and of all branches.
    """
    x, y = ((c * move[0] + d * move[1], d * move[0] + c * move[1]) for c, d in meant)
    outcomes = [x[outcome >> 1] * y[outcome & 1] for outcome in range(4)]
    events = []
    for event in branches(misread):
        happens = outcomes[2 * event.one + event.other]
        events.append(happens * view[event.one_misreads] * view[event.other_misreads] if misread else happens)
    return outcomes, events


def _followed(chance: np.ndarray, joint: Joint, matches: np.ndarray, setting: Setting) -> Iterator[np.ndarray]:
    """Probabilities `[M, 4]` of the outcomes of some matches (`matches`, bool) in one round after the other."""
    from scipy.sparse import csr_array

    size = np.diff(joint.start)
    states = np.repeat(matches, size)
    number = np.cumsum(states) - 1
    first = number[joint.start[:-1][matches]]
    outcomes, events = _on_host(chance, joint.one[states], joint.other[states], setting)
    into = number[joint.after[states].T].ravel()
    source = np.tile(np.arange(states.sum()), len(events))
    moves = csr_array((np.concatenate(events), (into, source)), (states.sum(),) * 2)
    moves.eliminate_zeros()
    shares = np.zeros(states.sum())
    shares[first] = 1
    while True:
        yield np.add.reduceat(outcomes * shares, first, axis=1).T
        shares = moves @ shares


def spread_rates(
    stack: Stack, one: np.ndarray, other: np.ndarray, chance: Any, setting: Setting
) -> Iterator[tuple[np.ndarray, Array]]:
    """Shares of outcomes in matches with joint states that are not listed: they are found as they are reached.

    Args: `one`, `other`, `[M]`, the automata; the rest as in `joint_rates`.
    Returns: as there.
    Raises: ParameterError where that does not suffice, or more than `MAX_SPREAD_STATES` are reached at a time.
    """
    if traced(chance, *setting) or _rounds(setting) is None:
        raise _too_large(f"more than {MAX_DENSE_STATES}")
    for begin in range(0, len(one), _SPREAD_TOGETHER):
        part = np.arange(begin, min(begin + _SPREAD_TOGETHER, len(one)))
        yield part, _total(_spread(Codes(stack, one[part], other[part]), chance, setting), setting)


def _spread(codes: Codes, chance: np.ndarray, setting: Setting) -> Iterator[np.ndarray]:
    # States are kept in the order of their codes, so those of a match stand together.
    at, shares = codes.start, np.ones(len(codes.start))
    while True:
        match, a, b = codes.split(at)
        outcomes, events = _on_host(chance, a, b, setting)
        yield np.add.reduceat(outcomes * shares, np.flatnonzero(np.diff(match, prepend=-1)), axis=1).T
        found, carried = [], []
        for likely, event in zip(events, branches(setting.misread), strict=True):
            kept = likely > 0
            found.append(codes.follow(match[kept], a[kept], b[kept], event))
            carried.append(shares[kept] * likely[kept])
        new = np.concatenate(found)
        order = np.argsort(new, kind="stable")
        new = new[order]
        first = np.flatnonzero(np.diff(new, prepend=-1))
        at, shares = new[first], np.add.reduceat(np.concatenate(carried)[order], first)
        if len(at) > MAX_SPREAD_STATES:
            raise ParameterError(f"automata: matches are in more than {MAX_SPREAD_STATES} joint states at a time")


def _on_host(chance: np.ndarray, a: np.ndarray, b: np.ndarray, setting: Setting) -> tuple[np.ndarray, list[np.ndarray]]:
    meant = [(chance[state], 1 - chance[state]) for state in (a, b)]
    noise, perception = float(setting.noise), float(setting.perception)
    outcomes, events = _round(meant, (1 - noise, noise), (1 - perception, perception), setting.misread)
    return np.stack(outcomes), events


def _total(rounds: Iterator[np.ndarray], setting: Setting) -> Array:
    # `[M, 4]`, or `[M, turns, 4]`, from `[M, 4]` in each round.
    kept = itertools.islice(rounds, _rounds(setting))
    if setting.by_turn:
        return jnp.asarray(np.stack(list(kept), 1), float)
    total: Any = 0.0
    weight = 1.0
    for rates in kept:
        total = total + weight * rates
        if setting.continuation is not None:
            weight *= float(setting.continuation)
    return jnp.asarray(total / total.sum(-1, keepdims=True), float)
