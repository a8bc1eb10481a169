"""Repeated games of more than two: what the players of a group earn, exactly, and their play.

A group is described by how many of its players are in each state of their strategies (`group_strategies`). The chain
of these numbers is solved, with noise and without.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import lru_cache, partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxcoord.errors import ParameterError
from jaxcoord.games.groups import GroupGame, group_compositions
from jaxcoord.games.repeated.group_strategies import GroupAutomaton, named
from jaxcoord.games.repeated.play import checked_turns
from jaxcoord.model import param, static

Array = jax.Array
MAX_STATES = 1500  # occupations of a group: a matrix of so many rows is solved
MAX_EVENTS = 400_000  # each is walked through once, on the host


class _Chain(NamedTuple):
    """How groups move between occupations: numbers of players in each state of all strategies.

    An event is that so many players in each state cooperate, in an occupation of which they are numbered by rows; the
    arrays that collect events have the number of all events where there is none to collect.
    """

    chance: np.ndarray
    """`[Q]`: of all strategies' states, to mean C."""
    owner: np.ndarray
    """`[Q, S]`: 1 where a state is a strategy's."""
    cooperating: np.ndarray
    """`[E, Q]`: how many in each state cooperate."""
    defecting: np.ndarray
    """`[E, Q]`."""
    ways: np.ndarray
    """`[E]`: in how many ways these can be the ones who cooperate."""
    leaving: np.ndarray
    """`[G, L]`: the events of each occupation. A group of each composition of strategies begins in the first ones."""
    moves: np.ndarray
    """`[V, 2]`: occupations of which the second may follow the first."""
    moving: np.ndarray
    """`[V, L]`: the events by which it does."""


def _collected(labels: np.ndarray, number: int) -> np.ndarray:
    # `[number, L]`: the places of each label 0 .. number - 1, filled up with the number of labels.
    order = np.argsort(labels, kind="stable")
    counts = np.bincount(labels, minlength=number)
    column = np.arange(len(labels)) - np.repeat(np.cumsum(counts) - counts, counts)
    places = np.full((number, counts.max()), len(labels), np.int32)
    places[labels[order], column] = order
    return places


def _chain(strategies: Sequence[GroupAutomaton], compositions: np.ndarray, precision: Any = float) -> _Chain:
    from scipy.special import comb

    group = strategies[0].after.shape[2]
    if any(one.after.shape[2] != group for one in strategies):
        raise ParameterError("strategies: they are for groups of different sizes")
    owner = np.repeat(np.arange(len(strategies)), [len(one.cooperate) for one in strategies])
    first = np.searchsorted(owner, np.arange(len(strategies)))
    after = np.concatenate([one.after + at for one, at in zip(strategies, first, strict=True)])
    starts = np.zeros((len(compositions), len(owner)), np.int64)
    starts[:, first] = compositions
    number = {row.tobytes(): at for at, row in enumerate(starts)}
    occupations = list(starts)
    cooperating: list[np.ndarray] = []
    defecting: list[np.ndarray] = []
    sources: list[int] = []
    targets: list[int] = []
    for source, occupied in enumerate(occupations):  # grows while it is walked through
        for moves in itertools.product(*(range(count + 1) for count in occupied)):
            some = np.array(moves)
            total = some.sum()
            reached = np.zeros(len(owner), np.int64)
            if total:  # a cooperator sees one cooperator less than there are
                np.add.at(reached, after[:, 0, total - 1], some)
            if total < group:
                np.add.at(reached, after[:, 1, total], occupied - some)
            key = reached.tobytes()
            if key not in number:
                number[key] = len(occupations)
                occupations.append(reached)
            if len(occupations) > MAX_STATES or len(sources) >= MAX_EVENTS:
                raise ParameterError(
                    f"group = {group}: more than {MAX_STATES} occupations or {MAX_EVENTS} events; "
                    "take fewer strategies, or a smaller group"
                )
            cooperating.append(some)
            defecting.append(occupied - some)
            sources.append(source)
            targets.append(number[key])
    some, others = np.array(cooperating), np.array(defecting)
    pairs, pair = np.unique(np.stack([sources, targets], 1), axis=0, return_inverse=True)
    return _Chain(
        chance=np.concatenate([one.cooperate for one in strategies]).astype(precision),
        owner=(owner[:, None] == np.arange(len(strategies))).astype(np.int32),
        cooperating=some.astype(np.int32),
        defecting=others.astype(np.int32),
        ways=comb(some + others, some).prod(1).astype(precision),
        leaving=_collected(np.array(sources), len(occupations)),
        moves=pairs.astype(np.int32),
        moving=_collected(pair.ravel(), len(pairs)),
    )


def _check_noise(noise: Any) -> None:
    if not isinstance(noise, jax.core.Tracer) and not 0 <= noise <= 1:
        raise ParameterError(f"noise = {noise}: a probability, 0 to 1, is needed")


def group_payoffs(
    strategies: Sequence[GroupAutomaton], compositions: Any, payoffs: Any,
    *, rounds: int | None = None, continuation: Any = None, noise: Any = 0.0,
) -> Array:  # fmt: skip
    """Expected total payoff of a player of each strategy in groups of given compositions.

    Args:
      strategies: S automata for groups of n.
      compositions: `[M, S]`, how many of the n players follow each strategy.
      payoffs: `[2, n]`, what a player earns in a round by its move (C, D) and the number of cooperators among the
        others.
      rounds: how many.
      continuation: or: the probability below 1 that a further round follows.
      noise: probability that a move is not what was meant; everybody sees what was done.
    Returns: `[M, S]`, meaningless where a strategy has no player; differentiable in `payoffs`, `continuation`, `noise`.
    Raises: ParameterError unless one of `rounds` and `continuation` is given, or where there are too many occupations.
    Source: as `jaxcoord.games.repeated.exact` for two; for T_a without noise Boyd & Richerson 1988.
    """
    if (rounds is None) == (continuation is None):
        raise ParameterError("group_payoffs: rounds or continuation is needed, one of the two")
    if not len(strategies):
        raise ParameterError("strategies: none; at least one is needed")
    compositions = np.asarray(compositions, np.int64)
    group = strategies[0].after.shape[2]
    if compositions.ndim != 2 or compositions.shape[1] != len(strategies):
        raise ParameterError(f"compositions: shape {compositions.shape}; [M, {len(strategies)}], a column a strategy")
    if (compositions.sum(1) != group).any() or (compositions < 0).any():
        raise ParameterError(f"compositions: every row must be numbers of players that sum to the group, {group}")
    if jnp.shape(payoffs) != (2, group):
        raise ParameterError(f"payoffs: shape {jnp.shape(payoffs)}; {(2, group)} is needed, as of a group of {group}")
    if continuation is not None and not isinstance(continuation, jax.core.Tracer) and not 0 <= continuation < 1:
        raise ParameterError(f"continuation = {continuation}: a probability below 1 is needed")
    _check_noise(noise)
    rounds = None if rounds is None else checked_turns(rounds)
    return _totals(_chain(strategies, compositions), compositions, payoffs, continuation, noise, rounds)


@partial(jax.jit, static_argnames="rounds")
def _totals(
    chain: _Chain, compositions: Any, payoffs: Any, continuation: Any, noise: Any, rounds: int | None
) -> Array:  # fmt: skip
    payoffs = jnp.asarray(payoffs, float)
    group, size = payoffs.shape[1], len(chain.leaving)
    likely = jnp.asarray(chain.chance, float)
    likely = likely + noise * (1 - 2 * likely)
    # Integer exponents: 0 ** 0 is 1, so certain moves need no case of their own.
    chances = chain.ways * (likely**chain.cooperating * (1 - likely) ** chain.defecting).prod(1)
    total = chain.cooperating.sum(1)
    in_c, in_d = payoffs[0, jnp.maximum(total - 1, 0)], payoffs[1, jnp.minimum(total, group - 1)]
    earned = (chain.cooperating @ chain.owner) * in_c[:, None] + (chain.defecting @ chain.owner) * in_d[:, None]
    # Sums in a fixed order, where adding up by index would not have one on every device.
    none = jnp.zeros((1, 1))
    once = jnp.concatenate([chances[:, None] * earned, jnp.broadcast_to(none, (1, earned.shape[1]))])[chain.leaving]
    moving = jnp.concatenate([chances, none[0]])[chain.moving].sum(1)
    moves = jnp.zeros((size, size)).at[chain.moves[:, 0], chain.moves[:, 1]].set(moving)
    gain = once.sum(1)
    if rounds is None:
        totals = jnp.linalg.solve(jnp.eye(size) - continuation * moves, gain)
    else:
        totals = jax.lax.fori_loop(0, rounds, lambda _, ahead: gain + moves @ ahead, jnp.zeros_like(gain))
    return totals[: len(compositions)] / jnp.maximum(compositions, 1)


@partial(jax.jit, static_argnames="rounds")
def _played(chance: Array, after: Array, first: Array, noise: Any, key: Array, rounds: int) -> Array:
    players = first.shape[-1]

    def play(state, number):
        likely = chance[state]
        meant = jax.random.uniform(jax.random.fold_in(key, number), state.shape)
        cooperates = meant < likely + noise * (1 - 2 * likely)
        others = cooperates.sum(-1, keepdims=True) - cooperates
        return after[state, 1 - cooperates, jnp.minimum(others, players - 1)], cooperates

    _, moves = jax.lax.scan(play, first, jnp.arange(rounds))
    return jnp.moveaxis(moves, 0, -1)


def play_groups(strategies: Sequence[GroupAutomaton], members: Any, rounds: int, key: Array, noise: Any = 0.0) -> Array:
    """Play a repeated game in many groups at once.

    Args: `members [M, n]`, the number of the strategy of each player of each group; `rounds`; `key`, a random key;
      `noise`, probability that a move is not what was meant.
    Returns: `[M, n, rounds]` bool: who cooperated when.
    """
    _check_noise(noise)
    members, group = np.asarray(members), strategies[0].after.shape[2]
    if members.ndim != 2 or members.shape[1] != group:
        raise ParameterError(f"members: shape {members.shape}; [M, {group}] is needed, groups of the automata's size")
    if ((members < 0) | (members >= len(strategies))).any():
        raise ParameterError(f"members: numbers of strategies, 0 to {len(strategies) - 1}, are needed")
    sizes = [len(one.cooperate) for one in strategies]
    first = np.cumsum([0, *sizes[:-1]])
    chance = jnp.concatenate([jnp.asarray(one.cooperate, float) for one in strategies])
    after = jnp.asarray(np.concatenate([one.after + at for one, at in zip(strategies, first, strict=True)]))
    return _played(chance, after, jnp.asarray(first[np.asarray(members)]), noise, key, checked_turns(rounds))


def public_goods_payoffs(group: int, r: Any, c: Any = 1.0) -> Array:
    """`[2, n]`: r c (cooperators) / n, less c for a cooperator, by its move and the number of cooperating others."""
    others = jnp.arange(group)
    return jnp.stack([r * c * (others + 1) / group - c, r * c * others / group])


@lru_cache(maxsize=64)
def _game_chain(players: tuple[str, ...], group: int, precision: Any) -> tuple[np.ndarray, _Chain]:
    # One for each precision: JAX remembers a constant's by its identity, whatever is in force.
    compositions = group_compositions(len(players), group).astype(np.int32)
    return compositions, _chain([named(name, group) for name in players], compositions, precision)


class repeated_public_goods(GroupGame):
    """Public goods in groups of n, round after round, between strategies that look at how many others contributed.

    In a round a contribution c is multiplied by r and divided equally; a further round follows with probability w.
    Source: Boyd & Richerson 1988; Kurokawa & Ihara 2009.
    """

    players: str = static(
        "T4, ALLD", doc="strategies, separated by commas: ALLC, ALLD, T1 (wants one other to cooperate), T2, ..., "
        "majority, AON1 (all or none), AON2, ...",
    )  # fmt: skip
    r: float = param(3.0, doc="what a contribution is multiplied by", low=0)
    c: float = param(1.0, doc="cost of contributing", low=0)
    w: float = param(0.9, doc="probability that a further round follows", low=0, high=0.9999)
    noise: float = param(0.0, doc="probability that a move is not what was meant", low=0, high=1)

    def __post_init__(self):
        super().__post_init__()
        for name in self.strategies:
            named(name, self.group)

    def group_payoff(self, others: Array) -> Array:
        compositions, chain = _game_chain(self.strategies, self.group, jnp.zeros(()).dtype)
        payoffs = public_goods_payoffs(self.group, self.r, self.c)
        totals = _totals(chain, compositions, payoffs, self.w, self.noise, None)
        # A player of each strategy beside these others: the rows of their compositions.
        place = np.zeros((self.group + 1,) * len(self.strategies), np.int32)
        place[tuple(compositions.T)] = np.arange(len(compositions))
        counts = jnp.asarray(others, jnp.int32) + jnp.eye(len(self.strategies), dtype=jnp.int32)
        rows = jnp.asarray(place)[tuple(counts.T)]
        return totals[rows, jnp.arange(len(self.strategies))]

    @property
    def strategies(self) -> tuple[str, ...]:
        return tuple(name.strip() for name in self.players.split(","))


def weak_selection_sum(payoff: Any) -> Array:
    """sum_k (n - k) (a_k - b_k): above zero where weak selection favours A replacing B in a large population.

    Args: `payoff [2, n]`, of a player of A and of B with k = 0 .. n - 1 others of A in the group.
    Source: Kurokawa & Ihara 2009; Gokhale & Traulsen 2010.
    """
    payoff = jnp.asarray(payoff, float)
    return ((payoff.shape[1] - jnp.arange(payoff.shape[1])) * (payoff[0] - payoff[1])).sum()
