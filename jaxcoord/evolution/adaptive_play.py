"""Adaptive play: players with a memory who reply to a sample of the past and sometimes err (Young 1993).

The exact chain over all histories for games small enough, and for the others which convention survives when errors
vanish, from the fewest errors that lead from each convention to another. On the host, in float64.
"""

from __future__ import annotations

import itertools
import math
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxcoord.errors import ParameterError
from jaxcoord.evolution.state_reduction import stationary_from_log_rates
from jaxcoord.games import group_compositions

MAX_HISTORIES = 5_000  # a minute's work


class AdaptivePlay(NamedTuple):
    """The Markov chain of adaptive play on the histories of two roles."""

    histories: np.ndarray
    """`[N, m, 2]`, the actions of the row and the column player in the last m periods, the oldest first."""
    transitions: Any
    """`[N, N]` `scipy.sparse.csr_matrix`, of one period, from row to column."""


def adaptive_play(payoff: Any, memory: int, sample: int, error: float, other: Any = None) -> AdaptivePlay:
    """The exact chain: in each period a player of each role replies to what it sampled of the other role's past.

    It samples without replacement and takes a best reply to the sampled actions, each of several alike; with a
    probability it takes any action instead, uniformly.

    Args:
      payoff: `[S, S]`, the row player's action against the column player's.
      memory: m, periods that are remembered, at least 1.
      sample: k, of them are sampled, 1 to m.
      error: probability epsilon to take any action, 0 to 1.
      other: `[S, S]`, what the column player earns; by default `payoff` transposed, a symmetric game.
    Returns: the S^(2 m) histories and their chain.
    Raises: ParameterError where an argument is out of range or there are more than `MAX_HISTORIES` histories.
    Source: Young 1993 (Econometrica 61:57), section 3.
    """
    from scipy.sparse import csr_matrix

    payoff = _square(payoff)
    other = payoff.T if other is None else _square(other)
    if other.shape != payoff.shape:
        raise ParameterError(f"other: shape {other.shape}; {payoff.shape} is needed, as of payoff")
    actions = len(payoff)
    if not 1 <= sample <= memory:
        raise ParameterError(f"sample = {sample}: 1 to the memory, {memory}, is needed")
    if not 0 <= error <= 1:
        raise ParameterError(f"error = {error}: a probability, 0 to 1, is needed")
    if actions ** (2 * memory) > MAX_HISTORIES:
        raise ParameterError(f"memory = {memory}: {actions ** (2 * memory)} histories; at most {MAX_HISTORIES}")
    # A past is what one role did: a number of `memory` digits, the oldest first. A history is a pair of pasts.
    pasts = np.array(list(itertools.product(range(actions), repeat=memory)))
    replies = [(1 - error) * _replies(table, pasts, sample) + error / actions for table in (payoff, other.T)]
    number = len(pasts)
    row, column = (past.ravel() for past in np.meshgrid(np.arange(number), np.arange(number), indexing="ij"))
    sources, targets, chances = [], [], []
    for i, j in itertools.product(range(actions), repeat=2):
        sources.append(row * number + column)
        targets.append((row * actions + i) % number * number + (column * actions + j) % number)
        chances.append(replies[0][column, i] * replies[1][row, j])
    place = np.concatenate(sources), np.concatenate(targets)
    transitions = csr_matrix((np.concatenate(chances), place), (number**2, number**2))
    return AdaptivePlay(np.stack([pasts[row], pasts[column]], axis=-1), transitions)


def history_shares(chain: AdaptivePlay) -> np.ndarray:
    """Long-run share of time in each history, right to the last digits however rare errors are.

    Args: `chain`, with errors, so that every history can be reached.
    Returns: `[N]`, summing to one.
    """
    with jax.enable_x64(True), np.errstate(divide="ignore"):
        return np.asarray(stationary_from_log_rates(np.log(chain.transitions.toarray())))


def convention_weights(chain: AdaptivePlay, shares: np.ndarray) -> np.ndarray:
    """How often all that is remembered is one convention: both roles always took the same action.

    Args: `chain`; `shares [N]` of its histories.
    Returns: `[S]`, summing to less than one.
    """
    settled = (chain.histories == chain.histories[:, :1, :1]).all(axis=(1, 2))
    return np.bincount(chain.histories[settled, 0, 0], shares[settled])


def action_shares(chain: AdaptivePlay, shares: np.ndarray) -> np.ndarray:
    """How often the row and the column player take each action.

    Args: as in `convention_weights`.
    Returns: `[2, S]`, rows summing to one.
    """
    return np.array([np.bincount(chain.histories[:, -1, role], shares) for role in range(2)])


def resistances(payoff: Any, sample: int) -> np.ndarray:
    """The fewest errors among the sampled actions that lead from one convention of a symmetric game to another.

    Entry (i, j) counts the sampled entries that must differ from i, whatever they are instead, so that j is a best
    reply. A memory much longer than the sample is supposed.

    Args: `payoff [S, S]`, own action against the other's; `sample` k, actions in a sample, at least 1.
    Returns: `[S, S]`, infinite where no sample leads to j; 0 on the diagonal.
    Raises: ParameterError where `payoff` is not square or not finite, or there are too many samples to look at.
    Source: Young 1993, section 6; Young 1998, chapter 4.
    """
    payoff = _square(payoff)
    if sample < 1 or sample != int(sample):
        raise ParameterError(f"sample = {sample}: a whole number of at least 1 is needed")
    samples = group_compositions(len(payoff), int(sample))
    best = _best(samples @ payoff.T)
    needed = np.full(payoff.shape, math.inf)
    for convention in range(len(payoff)):
        errors = sample - samples[:, convention]
        needed[convention] = np.where(best, errors[:, None], math.inf).min(0)
    np.fill_diagonal(needed, 0)
    return needed


def stochastic_potential(needed: Any) -> np.ndarray:
    """What it takes to make each convention last: the least resistance of a tree that leads to it from all others.

    Conventions of least potential are stochastically stable: the only ones left as errors vanish.

    Args: `needed [S, S]`, resistance from row to column, infinite where there is no way.
    Returns: `[S]`, infinite where a convention cannot be reached from all.
    Source: Young 1993, theorem 2; trees of Freidlin & Wentzell 1984, by Edmonds' algorithm.
    """
    import networkx

    needed = np.asarray(needed, float)
    number = len(needed)
    potential = np.full(number, math.inf)
    for root in range(number):
        # Turned round, a tree towards the root grows from it. Nothing may lead into the root.
        graph = networkx.DiGraph()
        graph.add_nodes_from(range(number))
        graph.add_weighted_edges_from(
            (j, i, needed[i, j])
            for i in range(number)
            for j in range(number)
            if i not in (j, root) and math.isfinite(needed[i, j])
        )
        try:
            tree = networkx.minimum_spanning_arborescence(graph)
        except networkx.NetworkXException:  # no tree reaches every convention
            continue
        potential[root] = tree.size(weight="weight")
    return potential


def _best(earned: np.ndarray) -> np.ndarray:
    # Sums of the same payoffs in another order differ in their last digits.
    top = earned.max(-1, keepdims=True)
    return earned >= top - 1e-12 * np.abs(earned).max()


def _replies(payoff: np.ndarray, pasts: np.ndarray, sample: int) -> np.ndarray:
    """`[pasts, S]`: how often each action is the reply to a sample of the other's past."""
    actions = len(payoff)
    counts = (pasts[:, :, None] == np.arange(actions)).sum(1)
    samples = group_compositions(actions, sample)
    best = _best(samples @ payoff.T)
    reply = best / best.sum(1, keepdims=True)
    drawn = np.array(
        [[math.prod(map(math.comb, past, taken)) for taken in samples.tolist()] for past in counts.tolist()]
    )
    return drawn / math.comb(pasts.shape[1], sample) @ reply


def _square(payoff: Any) -> np.ndarray:
    payoff = np.asarray(payoff, float)
    if payoff.ndim != 2 or payoff.shape[0] != payoff.shape[1]:
        raise ParameterError(f"payoff: shape {payoff.shape}; a square matrix [S, S] is needed")
    if not np.isfinite(payoff).all():
        raise ParameterError("payoff: not finite; every entry must be a finite number")
    return payoff
