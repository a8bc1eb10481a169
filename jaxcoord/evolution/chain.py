"""The exact chain of the Fermi process over all compositions of a population, sparse, for any number of strategies.

It runs on the host in float64: the number of states, not the arithmetic, is the limit.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from jaxcoord.errors import ParameterError

BAND_ENTRIES = 250_000_000  # 2 GB; beyond, iteration takes over
SMALLEST_GAP = 1e-6
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

    By state reduction: states are censored one after the other, which adds, multiplies and divides but never subtracts,
    so a share is right to about 1e-12 of itself however long the chain stays in one region before it finds another.
    Only what is below 1e-300 of the rest is lost, shares as well as chances of passing from one region to another.
    Where the band of transitions exceeds `BAND_ENTRIES`, Arnoldi iteration takes over. It is right to about 1e-14 over
    the spectral gap and refuses a gap below `SMALLEST_GAP`.

    Args: `direct` forces one or the other (fewer than four states are always reduced).
    Returns: `[N]`, summing to one.
    Raises: ParameterError where states cannot be left, as without mutation, or where iteration does not suffice.
    Source: Grassmann, Taksar & Heyman 1985; accuracy of every entry: O'Cinneide 1993.
    """
    moves = chain.transitions.tocoo()
    off = (moves.row != moves.col) & (moves.data > 0)
    source, target, chance = moves.row[off].astype(np.int64), moves.col[off].astype(np.int64), moves.data[off]
    number = chain.transitions.shape[0]
    if number > 1 and (np.bincount(source, chance, number) == 0).any():
        raise ParameterError(_ABSORBING)
    first = _envelope(source, target, number)
    width = max(state - reached for state, reached in enumerate(first))
    if number > 3 and not (2 * number * width <= BAND_ENTRIES if direct is None else direct):
        return _by_iteration(chain.transitions)
    block = min(max(width // 25, 2), 32)  # a wide band is worth products of large blocks, a narrow one is not
    band = _band(source, target, chance, number, width + block)
    blocks = [(max(end - block, 1), end) for end in range(number, 1, -block)]
    try:
        _eliminate(band, first, blocks)
    except ZeroDivisionError as error:
        raise ParameterError(_ABSORBING) from error
    return _rebuild(band, first, blocks[::-1])


_ABSORBING = "mu = 0: a population of one strategy never changes; a mutation probability above 0 is needed"


def _envelope(source: np.ndarray, target: np.ndarray, number: int) -> list[int]:
    # For each state the first one that it exchanges with, once all the later ones have been censored.
    first = np.arange(number)
    np.minimum.at(first, np.maximum(source, target), np.minimum(source, target))
    return np.minimum.accumulate(first[::-1])[::-1].tolist()


def _band(source: np.ndarray, target: np.ndarray, chance: np.ndarray, number: int, width: int) -> np.ndarray:
    # A view `[N, N]` on the entries within `width` of the diagonal, which alone exist: row i begins at 2 i width + i.
    entries = np.zeros(number * (2 * width + 1) + width)
    entries[2 * width * source + target + width] = chance
    stride = entries.itemsize
    return np.lib.stride_tricks.as_strided(entries[width:], (number, number), (2 * width * stride, stride))


def _eliminate(band: np.ndarray, first: list[int], blocks: list[tuple[int, int]]) -> None:
    # Censors the states from the last block on. Afterwards a block's columns, above it, hold how often its states are
    # visited while they are the last ones left, for every visit to an earlier state.
    ones = np.ones(len(first))
    for begin, end in blocks:
        low = first[begin]
        rows, columns = band[begin:end, low:begin], band[low:begin, begin:end]
        columns[:] = columns @ _visits(band[begin:end, begin:end], rows @ ones[low:begin])
        earlier = band[low:begin, low:begin]
        earlier += columns @ rows


def _visits(rates: np.ndarray, leaving: np.ndarray) -> np.ndarray:
    # The inverse of diag(rates.sum(1) + leaving) - rates, where the diagonal of `rates` counts as nought. Halves are
    # inverted one within the other, so that nothing is subtracted.
    if len(leaving) == 1:
        return np.array([[1 / float(leaving[0])]])
    if len(leaving) == 2:
        (_, forth), (back, _) = rates.tolist()
        first, second = leaving.tolist()
        first_total, second_total = first + forth, second + back
        there, here = forth / first_total, back / second_total
        both = first / first_total + there * (second / second_total)  # 1 - there * here
        at_first, at_second = 1 / (first_total * both), 1 / (second_total * both)
        return np.array((at_first, there * at_second, here * at_first, at_second)).reshape(2, 2)
    half = len(leaving) // 2
    forth, back = rates[:half, half:], rates[half:, :half]
    second = _visits(rates[half:, half:], leaving[half:] + back.sum(1))
    there, back = forth @ second, second @ back
    first = _visits(rates[:half, :half] + there @ rates[half:, :half], leaving[:half] + there @ leaving[half:])
    after = first @ there
    return np.block([[first, after], [back @ first, second + back @ after]])


def _rebuild(band: np.ndarray, first: list[int], blocks: list[tuple[int, int]]) -> np.ndarray:
    # From state 0 on: a state's share is what flows into it from those before. Only the last ones matter to the next,
    # so they are rescaled together before they leave the range of floating point.
    found, logs = np.zeros(len(first)), np.zeros(len(first))  # a share is found exp(logs), but for a common factor
    found[0] = 1
    for begin, end in blocks:
        window = found[first[begin] : begin]
        shares = window @ band[first[begin] : begin, begin:end]
        found[begin:end] = shares
        values = shares.tolist()
        if min(values) < 1e-100 or max(values) > 1e6:
            largest = max(window.max(), *values)
            if largest > 0:
                found[first[begin] : end] /= largest
                logs[first[begin] :] = logs[begin] + math.log(largest)
    with np.errstate(divide="ignore"):
        logs += np.log(found)
    shares = np.exp(logs - logs.max())
    return shares / shares.sum()


def _by_iteration(transitions: Any) -> np.ndarray:
    from scipy.sparse.linalg import ArpackNoConvergence, eigs

    number = transitions.shape[0]
    start = np.random.default_rng(0).uniform(1, 2, number)  # no symmetry of the chain may hide an eigenvector
    options = {"which": "LR", "v0": start, "tol": 1e-13, "ncv": min(40, number), "maxiter": 10_000}
    try:
        values, vectors = eigs(transitions.T.tocsr(), k=2, **options)
    except ArpackNoConvergence as error:
        raise ParameterError(f"{number} states: iteration does not converge; a smaller size is needed") from error
    gap = 1 - values.real.min()
    if gap < SMALLEST_GAP:
        raise ParameterError(
            f"{number} states: the chain settles at a rate of {max(gap, 0):.0e} an event; "
            f"iteration needs {SMALLEST_GAP:.0e}, reduction a smaller size"
        )
    found = np.abs(vectors[:, values.real.argmax()].real)
    return found / found.sum()


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
