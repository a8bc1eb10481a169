"""Exact payoffs of repeated games: what two automata earn on average, without playing a match.

The states of both players form a Markov chain. Its mean over a number of turns, over a random ending or over all time
is computed for every pair of a set at once, and can be differentiated in the probabilities of the automata.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxcoord.errors import ParameterError
from jaxcoord.games.repeated.automaton import Automaton
from jaxcoord.games.repeated.joint import certain_rates, joint_states, stacked
from jaxcoord.games.repeated.joint_rates import Setting, happens, joint_rates, spread_rates, traced
from jaxcoord.games.repeated.library import STANDARD, Payoffs
from jaxcoord.games.repeated.play import checked_turns

Array = jax.Array
_SWAPPED = np.array([0, 2, 1, 3], np.int32)


def outcome_rates(one: Automaton, other: Automaton, **setting: Any) -> Array:
    """Expected shares of rounds that end in CC, CD, DC and DD, the first player's move first.

    Args: `one`, `other`, two automata; the rest as in `outcome_matrix`.
    Returns: `[4]`, summing to one. Their dot with a game's R, S, T, P is the first player's payoff per round.
    Raises, source: as in `outcome_matrix`.
    """
    return outcome_pairs([one], [other], **setting)[0]


def outcome_pairs(ones: Sequence[Automaton], others: Sequence[Automaton], **setting: Any) -> Array:
    """Expected shares of CC, CD, DC and DD in M matches, each between the first, second, ... of both lists.

    Args: `ones`, `others`, M automata each; the rest as in `outcome_matrix`.
    Returns: `[M, 4]`, the move of `ones` first.
    Raises: as in `outcome_matrix`, and ParameterError where the lists differ in length.
    """
    if len(ones) != len(others):
        raise ParameterError(f"others: {len(others)} automata; as many as the {len(ones)} that they meet are needed")
    index = np.arange(len(ones))
    return jnp.asarray(_rates([*ones, *others], index, index + len(ones), _checked(**setting)))


def outcome_matrix(
    automata: Sequence[Automaton], others: Sequence[Automaton] | None = None, *, turns: int | None = None,
    continuation: Any = None, noise: Any = 0.0, perception: Any = 0.0, vanishing: bool = False,
) -> Array:  # fmt: skip
    """Expected shares of rounds that end in CC, CD, DC and DD for every pair.

    Without `turns` and `continuation` it is the limit of means over infinitely many rounds. What was played first
    decides where the chain of joint states has several closed classes; one that alternates counts by its mean. All
    this is exact, as no small number stands for a limit; state reduction adds, multiplies and divides, so that an
    answer is right to about 1e-14 in float64 and 1e-6 in float32, where rates below 1e-38 are lost.

    Args:
      automata: S strategies. Their `cooperate` may be traced by JAX, their `after` may not.
      others: K strategies that they meet; themselves unless given.
      turns: mean over so many rounds.
      continuation: probability below 1 that a round is followed by another; mean weighted with it.
      noise: probability that a move is not what was meant; both see what was done.
      perception: probability that a player sees the other's move wrong, for each player and round.
      vanishing: limit of means as errors become infinitely rare. `noise` and `perception` are then the rates of their
        kinds, of which only the ratio matters.
    Returns: `[S, K, 4]`, one's own move first, differentiable in `cooperate`, `noise`, `perception`, `continuation`
      where the limit is smooth, at probabilities of 0 and 1 too if the chain has one closed class. A table that was
      built for a number of turns must not be asked for more.
    Raises: ParameterError where an argument is out of range, or a pair is too large for a limit of means under chance
      or for derivatives, as one with more than 2,048 joint states is. Otherwise the distribution is spread over the
      states that it reaches, thousands of each player.
    Source: product chain as in Nowak & Sigmund 1993; Grassmann, Taksar & Heyman 1985 for its stationary distribution.
    """
    setting = _checked(turns, continuation, noise, perception, vanishing)
    together = [*automata, *(others or [])]
    if others is None:
        one, other = np.triu_indices(len(automata))
    else:
        one, other = (x.ravel() for x in np.indices((len(automata), len(others))))
        other = other + len(automata)
    rates = _rates(together, one, other, setting)
    if others is not None:
        return jnp.asarray(rates.reshape(len(automata), len(others), 4))
    pair = np.zeros((len(automata), len(automata)), np.int32)
    pair[one, other] = pair[other, one] = np.arange(len(one))
    upper = np.triu(np.ones_like(pair)).astype(bool)
    return jnp.where(upper[..., None], rates[pair], rates[pair][..., _SWAPPED])


def payoff_matrix(
    automata: Sequence[Automaton], game: Payoffs = STANDARD, others: Sequence[Automaton] | None = None, **setting: Any
) -> Array:
    """Expected payoff per round of every strategy against every other.

    Args: `game`, payoffs R, S, T, P of a round; the rest as in `outcome_matrix`.
    Returns: `[S, K]`, row against column.
    """
    return payoff(outcome_matrix(automata, others, **setting), game)


def payoff(rates: Any, game: Payoffs = STANDARD) -> Array:
    """Payoff per round of the first player from shares `[..., 4]` of CC, CD, DC and DD."""
    return (jnp.asarray(rates, float) * jnp.asarray(game, float)).sum(-1)


def cooperation_rate(rates: Any) -> Array:
    """Share of rounds in which the first player cooperated, from shares `[..., 4]` of CC, CD, DC and DD."""
    rates = jnp.asarray(rates, float)
    return rates[..., 0] + rates[..., 1]


def outcomes_by_turn(
    one: Automaton, others: Sequence[Automaton], turns: int, *, noise: Any = 0.0, perception: Any = 0.0
) -> Array:
    """Probability of CC, CD, DC and DD in each round, the first player's move first.

    Args: `one`, an automaton; `others`, K that it meets one at a time; the rest as in `outcome_matrix`.
    Returns: `[K, turns, 4]`.
    """
    setting = _checked(turns, noise=noise, perception=perception)._replace(by_turn=True)
    index = np.arange(len(others))
    return jnp.asarray(_rates([one, *others], 0 * index, index + 1, setting))


def _checked(
    turns: Any = None, continuation: Any = None, noise: Any = 0.0, perception: Any = 0.0, vanishing: bool = False
) -> Setting:
    if turns is not None:
        turns = checked_turns(turns)
        if continuation is not None:
            raise ParameterError(f"continuation = {continuation}: turns = {turns} are given; one of them is allowed")
    if continuation is not None and not traced(continuation) and not 0 <= continuation < 1:
        raise ParameterError(f"continuation = {continuation}: a probability below 1 is needed; None for no end")
    for name, value in (("noise", noise), ("perception", perception)):
        if not traced(value) and not 0 <= value <= 1:
            raise ParameterError(f"{name} = {value}: a probability, 0 to 1, is needed")
    if vanishing and (turns is not None or continuation is not None):
        raise ParameterError("vanishing: errors vanish in the limit of means; turns and continuation must be None")
    if vanishing and not happens(noise) and not happens(perception):
        raise ParameterError("vanishing: noise = perception = 0; the rate of one of them must be above 0")
    return Setting(turns, continuation, noise, perception, vanishing)


def _rates(automata: Sequence[Automaton], one: np.ndarray, other: np.ndarray, setting: Setting) -> Any:
    """Shares of outcomes `[M, 4]`, or `[M, turns, 4]`, of matches between automata `one [M]` and `other [M]`.

    They are put together on the host, for which nothing need be compiled, unless JAX traces them.
    """
    if not len(one):
        raise ParameterError("automata: none; at least one is needed")
    stack = stacked(automata)
    cooperate = [automaton.cooperate for automaton in automata]
    chance: Any = jnp.concatenate(cooperate) if traced(*cooperate) else np.concatenate(cooperate).astype(np.float64)
    possible = np.ones((len(stack.after), 2), bool)
    certain = np.zeros(len(automata), bool)
    if not traced(chance) and not happens(setting.noise):
        possible = np.column_stack([chance > 0, chance < 1])
        if not setting.misread and not setting.by_turn and not traced(setting.continuation):
            certain = np.array([not automaton.stochastic for automaton in automata])
    found: list[tuple[np.ndarray, Any]] = []
    walked = np.flatnonzero(certain[one] & certain[other])
    if len(walked):
        path = certain_rates(stack, possible[:, 0], one[walked], other[walked], setting.turns, setting.continuation)
        found.append((walked, path))
    rest = np.flatnonzero(~(certain[one] & certain[other]))
    whole = traced(chance, *setting) or (setting.turns is None and setting.continuation is None)
    for share, joint in joint_states(stack, one[rest], other[rest], possible, setting.misread, setting.turns, whole):
        matches = rest[share]
        if joint is None:
            parts = spread_rates(stack, one[matches], other[matches], chance, setting)
        else:
            parts = joint_rates(chance, joint, setting)
        found += [(matches[part], rates) for part, rates in parts]
    order = np.argsort(np.concatenate([matches for matches, _ in found]))
    shares = [rates[: len(matches)] if traced(rates) else np.asarray(rates)[: len(matches)] for matches, rates in found]
    together = jnp.concatenate(shares) if traced(*shares) else np.concatenate(shares)
    return together.astype(jnp.result_type(float))[order]
