"""The exact chain of the Fermi process over all compositions of a population, sparse, for any number of strategies.

It runs on the host in float64: the number of states, not the arithmetic, is the limit.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from jaxcoord.errors import ParameterError

DIRECT_STATES = 100_000  # beyond, a factorisation fills up, and iteration takes over
MAX_STATES = 20_000_000


class Chain(NamedTuple):
    """A Markov chain on the compositions of a population."""

    states: np.ndarray
    """`[N, S]`, individuals of each strategy in each state."""
    transitions: Any
    """`[N, N]` `scipy.sparse.csr_matrix`: the probability of one event leading from row to column."""


def compositions(strategies: int, size: int) -> np.ndarray:
    """All ways to divide a population among strategies.

    Args: `strategies` S, at least 1; `size` Z.
    Returns: `[N, S]` int64 with N = (Z + S - 1)! / (Z! (S - 1)!), in lexicographic order.
    Raises: ParameterError where there are more than `MAX_STATES`.
    """
    number = math.comb(size + strategies - 1, strategies - 1)
    if number > MAX_STATES:
        raise ParameterError(f"size = {size}: {number} states with {strategies} strategies; at most {MAX_STATES}")
    rows = np.zeros((1, 0), np.int64)
    for _ in range(strategies - 1):
        left = size - rows.sum(1)
        repeats = left + 1
        first = np.repeat(np.cumsum(repeats) - repeats, repeats)
        rows = np.column_stack([np.repeat(rows, repeats, axis=0), np.arange(repeats.sum()) - first])
    return np.column_stack([rows, size - rows.sum(1)])


def fermi_chain(payoff: Any, size: int, beta: float, mu: float) -> Chain:
    """The chain of pairwise comparison with uniform mutation: one event a step.

    Args: `payoff [S, S]`, row against column; `size` Z, at least 2; `beta` selection intensity, 1 / payoff, at least 0;
      `mu` mutation probability, 0 to 1.
    Raises: ParameterError for an argument out of range, or too many states.
    Source: Traulsen, Nowak & Pacheco 2006, for any number of strategies; mutation as in `pairwise_events`.
    """
    from scipy.sparse import csr_matrix

    payoff = _checked(payoff, size, beta, mu)
    kinds = len(payoff)
    states = compositions(kinds, size)
    earned = (states @ payoff.T - np.diagonal(payoff)) / (size - 1)
    code = states @ ((size + 1) ** np.arange(kinds - 1, -1, -1, dtype=np.int64))  # ascending, as the states are
    rows, columns, chances = [], [], []
    for source in range(kinds):
        present = np.flatnonzero(states[:, source])
        counts = states[present]
        for target in range(kinds):
            if target == source:
                continue
            gain = beta * (earned[present, target] - earned[present, source])
            copies = np.exp(-np.logaddexp(0, -gain)) * counts[:, target] / (size - 1)
            chance = counts[:, source] / size * ((1 - mu) * copies + mu / (kinds - 1))
            step = (size + 1) ** (kinds - 1 - target) - (size + 1) ** (kinds - 1 - source)
            rows.append(present)
            columns.append(np.searchsorted(code, code[present] + step))
            chances.append(chance)
    index = np.arange(len(states))
    leaving = np.bincount(np.concatenate(rows), np.concatenate(chances), len(states)) if rows else np.zeros(len(states))
    data = np.concatenate([*chances, 1 - leaving])
    place = (np.concatenate([*rows, index]), np.concatenate([*columns, index]))
    return Chain(states, csr_matrix((data, place), (len(states), len(states))))


def full_stationary_distribution(chain: Chain, direct: bool | None = None) -> np.ndarray:
    """Long-run share of time in each state of an irreducible chain.

    The state where the population is most often is fixed and the others are solved for by sparse factorisation, or by
    Arnoldi iteration where there are more than `DIRECT_STATES`.

    Args: `direct` forces one or the other.
    Returns: `[N]`, summing to one.
    Raises: ParameterError where states cannot be left, as without mutation.
    """
    from scipy.sparse import eye
    from scipy.sparse.linalg import eigs, splu

    flow = chain.transitions.T.tocsc()
    number = flow.shape[0]
    if number > 1 and (chain.transitions.diagonal() >= 1).any():
        raise ParameterError(
            "mu = 0: a population of one strategy never changes; a mutation probability above 0 is needed"
        )
    if not (number <= DIRECT_STATES if direct is None else direct):
        _, vectors = eigs(flow, k=1, which="LR", v0=np.full(number, 1 / number), tol=1e-14, maxiter=100_000)
        found = np.abs(vectors[:, 0].real)
        return found / found.sum()
    balance = (flow - eye(number, format="csc")).tocsc()
    found = np.full(number, 1 / number)
    for _ in range(2):  # the first solution tells which state is the safe one to hold on to
        fixed = int(np.argmax(found))
        others = np.delete(np.arange(number), fixed)
        found = np.ones(number)
        if number > 1:
            found[others] = splu(balance[others][:, others].tocsc()).solve(-balance[others, fixed].toarray()[:, 0])
        found = np.maximum(found, 0) / np.maximum(found, 0).sum()
    return found


def _checked(payoff: Any, size: int, beta: float, mu: float) -> np.ndarray:
    payoff = np.asarray(payoff, float)
    if payoff.ndim != 2 or payoff.shape[0] != payoff.shape[1]:
        raise ParameterError(f"payoff: shape {payoff.shape}; a square matrix [S, S] is needed")
    if not np.isfinite(payoff).all():
        raise ParameterError("payoff: not finite; every entry must be a finite number")
    if size < 2 or size != int(size):
        raise ParameterError(f"size = {size}: a whole number of at least 2 individuals is needed")
    if not 0 <= beta < math.inf:
        raise ParameterError(f"beta = {beta}: at least 0 and finite is needed")
    if not 0 <= mu <= 1:
        raise ParameterError(f"mu = {mu}: a probability, 0 to 1, is needed")
    return payoff
