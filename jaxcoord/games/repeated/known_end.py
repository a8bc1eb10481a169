"""The end of the game: strategies that stop cooperating, games whose last round is known, and games that end by chance.

Where the last round is known, the best reply to a strategy that stops is one that stops a round earlier, and so on
until nobody cooperates. Where another round always may follow, there is nothing to begin from.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxcoord.errors import ParameterError
from jaxcoord.games.game import MatrixGame
from jaxcoord.games.repeated.automaton import Automaton, automaton, from_function, minimal
from jaxcoord.games.repeated.library import STANDARD, Payoffs
from jaxcoord.games.repeated.play import checked_turns
from jaxcoord.model import param, static

Array = jax.Array
SAME = 1e-9  # of the range of payoffs: two moves whose worth differs by less are equally good


def stopping(rounds: int) -> Automaton:
    """S_k: cooperates in rounds 1 to k as long as the other has not defected, then defects.

    Args: `rounds` k, at least 0.
    Raises: ParameterError where `rounds` is negative.
    """
    if rounds < 0 or rounds != int(rounds):
        raise ParameterError(f"rounds = {rounds}: 0 or more rounds of cooperation are needed")
    return automaton([1.0] * rounds + [0.0], [*([i + 1, rounds] * 2 for i in range(rounds)), [rounds] * 4])


def stopping_payoffs(weights: Any, game: Payoffs = STANDARD) -> Array:
    """Payoffs of the stopping strategies S_0 .. S_n against one another.

    Until the first of two stops they earn R in each round, in the next one T and S, and P from then on.

    Args: `weights [n]`, of each round: 1 where there are n, w^(t-1) where a further round follows with probability w.
    Returns: `[n + 1, n + 1]`, totals over the rounds, row against column.
    """
    weights = jnp.asarray(weights, float)
    reward, sucker, temptation, punishment = game
    upto = jnp.concatenate([jnp.zeros(1), jnp.cumsum(weights)])  # weight of the first k rounds
    one = jnp.arange(len(upto))
    first = jnp.minimum(one[:, None], one[None, :])
    turn = jnp.concatenate([weights, jnp.zeros(1)])[first] * (one[:, None] != one)
    parted = jnp.where(one[:, None] < one, temptation, sucker)
    return reward * upto[first] + parted * turn + punishment * (upto[-1] - upto[first] - turn)


class _Stopping(MatrixGame, abstract=True):
    """What games between stopping strategies share."""

    rounds: int = static(10, doc="n, rounds of the game, or latest round of a planned stop", low=1, high=1000)
    t: float = param(5.0, doc="temptation: I defect, the other cooperates")
    r: float = param(3.0, doc="reward: both cooperate")
    p: float = param(1.0, doc="punishment: both defect")
    s: float = param(0.0, doc="sucker's payoff: I cooperate, the other defects")

    @property
    def _payoffs(self) -> Payoffs:
        return Payoffs(self.r, self.s, self.t, self.p)

    @property
    def strategies(self) -> tuple[str, ...]:
        return tuple(f"S{k}" for k in range(self.rounds + 1))


class known_end(_Stopping):
    """The prisoner's dilemma over n rounds, known to all, between S_0 .. S_n; total payoffs.

    The best reply to S_k is S_(k-1): backward induction leaves S_0 alone.
    Source: Luce & Raiffa 1957, section 5.5.
    """

    def payoff(self) -> Array:
        return stopping_payoffs(jnp.ones(self.rounds), self._payoffs)


class random_end(_Stopping):
    """The same when a further round follows each with probability w, between S_0 .. S_(n-1) and one that never stops.

    Never to stop ("grim") is a strict equilibrium where w > (T - R) / (T - P). The game lasts 1 / (1 - w) rounds on
    average.
    Source: Axelrod & Hamilton 1981.
    """

    w: float = param(0.9, doc="probability that a further round follows", low=0, high=0.999999)

    def payoff(self) -> Array:
        weights = self.w ** jnp.arange(self.rounds, dtype=float)
        table = stopping_payoffs(weights, self._payoffs)
        # What follows round n: the two that never stop go on, everybody else has met a defection.
        after = self.w**self.rounds / (1 - self.w)
        never = jnp.arange(self.rounds + 1) == self.rounds
        return table + after * jnp.where(never[:, None] & never, self.r, self.p)

    @property
    def strategies(self) -> tuple[str, ...]:
        return (*super().strategies[:-1], "never")


def continuation_needed(game: Payoffs = STANDARD) -> float:
    """The probability of a further round above which never to stop is the best reply to itself: (T - R) / (T - P)."""
    return (game.temptation - game.reward) / (game.temptation - game.punishment)


def best_replies(payoff: Any) -> Array:
    """Which row does best against each column; the first of equals.

    Args: `payoff [S, S]`. Returns: `[S]` integers.
    """
    return jnp.argmax(jnp.asarray(payoff), axis=0)


class Reply(NamedTuple):
    """A strategy that does as well as can be done against another."""

    table: Automaton
    value: float
    """What it earns: in total over a known number of rounds, per round in a game that ends by chance."""


def best_reply(
    other: Automaton,
    *,
    rounds: int | None = None,
    continuation: float | None = None,
    game: Payoffs = STANDARD,
    noise: float = 0.0,
) -> Reply:
    """The best reply to an automaton, among all strategies whatsoever, by dynamic programming over its states.

    Moves are seen as they are done, so that a player knows which state the other is in. Of two moves that are equally
    good it takes C; a move of the other's that cannot happen it answers with D for ever.

    Args:
      other: the automaton.
      rounds: how many, known to the replier, who counts them.
      continuation: or: the probability below 1 that a further round follows.
      game: R, S, T, P of a round.
      noise: probability that a move, the replier's or the other's, is not what was meant; below 1/2.
    Returns: the reply, as small as it can be, and its value.
    Raises: ParameterError unless one of `rounds` and `continuation` is given, or one is out of range.
    Source: Bellman 1957, Howard 1960; for finite automata Gilboa 1988.
    """
    if (rounds is None) == (continuation is None):
        raise ParameterError("best_reply: rounds or continuation is needed, one of the two")
    if not 0 <= noise < 0.5:
        raise ParameterError(f"noise = {noise}: a probability below 1/2 is needed")
    if continuation is not None and not 0 <= continuation < 1:
        raise ParameterError(f"continuation = {continuation}: a probability below 1 is needed")
    against = _Against(other, game, noise)
    if continuation is not None:
        value, cooperate = against.settled(float(continuation))
        plan, gain = [cooperate], float(value * (1 - continuation))
    else:
        plan, gain = against.planned(checked_turns(rounds))  # type: ignore[arg-type]

    def meant(now: tuple[int, int]) -> bool:
        return now[1] >= 0 and bool(plan[now[0]][now[1]])

    def update(now: tuple[int, int], own: bool, theirs: bool) -> tuple[int, int]:
        turn, state = now
        if state < 0 or against.cooperates[state] == (0.0 if theirs else 1.0):
            return 0, -1
        return min(turn + 1, len(plan) - 1), int(other.after[state, 2 * (not theirs) + (not own)])

    return Reply(minimal(from_function((0, 0), meant, update, rounds)), gain)


class _Against:
    """The decisions of a player who meets an automaton: what a move earns and where it leads."""

    def __init__(self, other: Automaton, game: Payoffs, noise: float):
        self.noise = noise
        self.cooperates = likely = other.cooperate + noise * (1 - 2 * other.cooperate)
        self.scale = SAME * float(np.ptp(game))
        # `[2, Q]`: what a round earns in which C, or D, is done, by the other's state; `[2, Q, 2]`: the states after
        # the other's C and D. Its outcomes have its own move first: after one's C they are CC and DC.
        self.earned = np.stack([
            likely * game.reward + (1 - likely) * game.sucker,
            likely * game.temptation + (1 - likely) * game.punishment,
        ])  # fmt: skip
        self.following = np.stack([other.after[:, [0, 2]], other.after[:, [1, 3]]])

    def ahead(self, value: np.ndarray, weight: float) -> np.ndarray:
        """`[2, Q]`: what it is worth to mean C, or D, when the following states are worth `value`."""
        likely = self.cooperates
        after = likely * value[self.following[..., 0]] + (1 - likely) * value[self.following[..., 1]]
        done = self.earned + weight * after
        return done + self.noise * (done[::-1] - done)

    def planned(self, rounds: int) -> tuple[list[np.ndarray], float]:
        """Whether to mean C, `[Q]` for each round, and the total: from the last round backward."""
        value, plan = np.zeros(len(self.cooperates)), []
        for _ in range(rounds):
            worth = self.ahead(value, 1.0)
            value = worth.max(0)
            plan.append(worth[0] >= worth[1] - self.scale)
        return plan[::-1], float(value[0])

    def settled(self, weight: float) -> tuple[float, np.ndarray]:
        """The value of the first state, and whether to mean C in each `[Q]`: policies are improved until none can."""
        from scipy.sparse import csr_array, eye_array
        from scipy.sparse.linalg import spsolve

        states = np.arange(len(self.cooperates))
        likely = np.stack([self.cooperates, 1 - self.cooperates], 1)
        cooperate = np.ones(len(states), bool)
        while True:
            moves = np.where(cooperate, 1 - self.noise, self.noise)
            chances = np.stack([moves, 1 - moves])[:, :, None] * likely
            place = (np.tile(np.repeat(states, 2), 2), self.following.ravel())
            chain = csr_array((chances.ravel(), place), (len(states),) * 2)
            earned = moves * self.earned[0] + (1 - moves) * self.earned[1]
            value = np.atleast_1d(spsolve((eye_array(len(states)) - weight * chain).tocsc(), earned))
            worth = self.ahead(value, weight)
            slack = self.scale / (1 - weight)
            better = np.where(cooperate, worth[1] > worth[0] + slack, worth[0] > worth[1] + slack)
            if not better.any():
                return float(value[0]), worth[0] >= worth[1] - slack
            cooperate = cooperate ^ better


def reply_chain(other: Automaton, steps: int, **setting: Any) -> list[Automaton]:
    """An arms race of best replies: the best reply to an automaton, the best reply to that, and so on.

    Args: `other`, what it begins with; `steps`, how many replies; `setting`, as in `best_reply`.
    Returns: the automata from `other` on, up to the first that is a best reply to itself.
    """
    chain = [minimal(other)]
    for _ in range(steps):
        reply = best_reply(chain[-1], **setting).table
        if all(np.array_equal(one, two) for one, two in zip(chain[-1], reply, strict=True)):
            break
        chain.append(reply)
    return chain
