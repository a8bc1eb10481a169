"""How many liars a network bears: r- and (r, s)-robustness, exactly, and the attack that uses a weakness.

All of it runs on the host: the check is NP-hard, so it takes time 2^N N and is for small networks.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from jaxcoord.errors import ParameterError
from jaxcoord.networks.graph import Graph, to_dense

LARGEST = 12


class WeakPair(NamedTuple):
    """Two disjoint sets of nodes, the pair that hears least from outside."""

    first: tuple[int, ...]
    second: tuple[int, ...]
    reached: tuple[int, ...]
    """The nodes of both that have r neighbours or more outside their own set; not all of either set."""


class Attack(NamedTuple):
    """A start and liars with which the honest never agree."""

    start: np.ndarray
    """`[N]`: 0 in one set, 1 in the other, 1/2 elsewhere."""
    malicious: np.ndarray
    """`[N]` bool: who keeps to its start for ever, whatever it hears."""


def checked_adjacency(adjacency: Any, most: int = LARGEST) -> np.ndarray:
    """`[N, N]` bool, row i true where i hears j, without the diagonal; of a matrix or a `networks.Graph`.

    Raises: ParameterError where it is not square or has more than `most` nodes.
    """
    adjacency = np.array(to_dense(adjacency) if isinstance(adjacency, Graph) else adjacency, bool)
    if adjacency.ndim != 2 or adjacency.shape[0] != adjacency.shape[1] or not adjacency.size:
        raise ParameterError(f"adjacency: shape {adjacency.shape}; a square matrix [N, N] is needed")
    if len(adjacency) > most:
        raise ParameterError(
            f"adjacency: {len(adjacency)} nodes; robustness takes time 2^N, at most {most} are allowed"
        )
    np.fill_diagonal(adjacency, False)
    return adjacency


def weakest_pair(adjacency: Any, r: int) -> WeakPair | None:
    """Of all pairs of disjoint non-empty sets, of which neither is reached as a whole, the one that is reached least.

    A node is reached if it has r neighbours or more outside its own set. The network is (r, s)-robust exactly if in
    every such pair s nodes or more are reached.

    Args: `adjacency [N, N]`, row i true where i hears j; `r`, at least 1.
    Returns: None where there is no such pair, so that the network is (r, s)-robust for every s.
    Raises: ParameterError for more than 12 nodes, a matrix that is not square, or another r.
    Source: LeBlanc, Zhang, Koutsoukos & Sundaram 2013, definition 5.
    """
    adjacency = checked_adjacency(adjacency)
    if r != int(r) or r < 1:
        raise ParameterError(f"r = {r}: a whole number of at least 1 is needed")
    size = len(adjacency)
    sets = np.arange(2**size)
    member = (sets[:, None] >> np.arange(size)) & 1
    outside = adjacency.sum(1) - member @ adjacency.T
    reached = (member == 1) & (outside >= r)
    count = reached.sum(1)
    allowed = (sets > 0) & (count < member.sum(1))
    # Of every set the allowed subset that is reached least, one node after the other.
    never = size + 1
    least, which = np.where(allowed, count, never), sets.copy()
    for node in range(size):
        having = sets[member[:, node] == 1]
        without = having ^ (1 << node)
        better = least[without] < least[having]
        least[having] = np.where(better, least[without], least[having])
        which[having] = np.where(better, which[without], which[having])
    rest = sets[::-1]
    total = np.where(allowed, count, never) + least[rest]
    found = int(total.argmin())
    if total[found] >= never:
        return None
    first, second = found, int(which[rest[found]])
    together = np.flatnonzero(reached[first] | reached[second])
    return WeakPair(_nodes(member[first]), _nodes(member[second]), tuple(int(i) for i in together))


def _nodes(member: np.ndarray) -> tuple[int, ...]:
    return tuple(int(i) for i in np.flatnonzero(member))


def is_robust(adjacency: Any, r: int, s: int = 1) -> bool:
    """Whether a network is (r, s)-robust: r-robust for s = 1.

    For every two disjoint non-empty sets, all of one, or all of the other, or s or more of both together have r
    neighbours or more outside their own set.

    Args, raises: as `weakest_pair`; `s` is at least 1.
    Source: LeBlanc, Zhang, Koutsoukos & Sundaram 2013, definition 5.
    """
    if s != int(s) or s < 1:
        raise ParameterError(f"s = {s}: a whole number of at least 1 is needed")
    pair = weakest_pair(adjacency, r)
    return pair is None or len(pair.reached) >= s


def robustness(adjacency: Any) -> int:
    """The largest r for which a network is r-robust, up to half of its nodes; 0 where it falls into parts.

    Args, raises: as `weakest_pair`.
    Source: LeBlanc, Zhang, Koutsoukos & Sundaram 2013.
    """
    size = len(checked_adjacency(adjacency))
    return max((r for r in range(1, (size + 1) // 2 + 1) if is_robust(adjacency, r)), default=0)


def resilience(adjacency: Any) -> int:
    """The most malicious nodes F that W-MSR bears for certain: the largest F of an (F+1, F+1)-robust network.

    0 also where the network does not even agree without them, as one that falls into parts.

    Args, raises: as `weakest_pair`.
    Source: LeBlanc, Zhang, Koutsoukos & Sundaram 2013, theorem 1.
    """
    size = len(checked_adjacency(adjacency))
    return max((f for f in range(1, (size + 1) // 2) if is_robust(adjacency, f + 1, f + 1)), default=0)


def attack(adjacency: Any, faults: int) -> Attack | None:
    """A start and at most `faults` malicious nodes with which honest nodes under W-MSR stay apart for ever.

    In the weakest pair of sets, whoever hears more than F from outside lies; the others drop all that they hear from
    outside, and stay.

    Args: `adjacency` as in `weakest_pair`; `faults` F, at least 0.
    Returns: None where the network is (F+1, F+1)-robust, so that there is no such attack.
    Raises: ParameterError as `weakest_pair`.
    Source: LeBlanc, Zhang, Koutsoukos & Sundaram 2013, the necessity part of theorem 1.
    """
    if faults != int(faults) or faults < 0:
        raise ParameterError(f"faults = {faults}: a whole number of at least 0 is needed")
    pair = weakest_pair(adjacency, faults + 1)
    if pair is None or len(pair.reached) > faults:
        return None
    start, malicious = np.full(len(adjacency), 0.5), np.zeros(len(adjacency), bool)
    start[list(pair.first)], start[list(pair.second)] = 0.0, 1.0
    malicious[list(pair.reached)] = True
    return Attack(start, malicious)
