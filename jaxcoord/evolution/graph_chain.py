"""Exact fixation on a small graph: all 2^n ways to place two strategies on its nodes, on the host in float64.

What simulations on graphs are checked against. The number of states is the limit, not the arithmetic.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from jaxcoord.errors import ParameterError, nearest

MAX_NODES = 14
RULES = ("birth-death", "death-birth", "imitation")


def graph_fixation(
    adjacency: Any, payoff: Any, rule: str = "death-birth", selection: float = 1.0, average: bool = False
) -> np.ndarray:
    """Probability that a single mutant takes over a graph, for each node on which it may appear.

    An individual plays with each of its neighbours and has fitness 1 - w + w (payoff). In one step of

    - birth-death: a parent is drawn in proportion to fitness, its offspring replaces a uniformly drawn neighbour;
    - death-birth: a uniformly drawn individual dies, its neighbours compete for the place in proportion to fitness;
    - imitation: the same, but the individual itself competes too, and may thus keep its strategy.

    Everybody's fitness is that before the step.

    Args:
      adjacency: `[n, n]`, 1 where two nodes are neighbours, else 0; symmetric, connected, n from 2 to `MAX_NODES`.
      payoff: `[2, 2]`, row against column; strategy 0 is the mutant.
      rule: "birth-death", "death-birth" or "imitation".
      selection: w, from 0 (drift) to 1 (fitness is the payoff).
      average: whether payoffs are averaged over the neighbours; otherwise they are added up.
    Returns: `[n]`; its mean is for a mutant that appears anywhere.
    Raises: ParameterError for an argument out of range, or a fitness that is not positive.
    Source: Ohtsuki, Hauert, Lieberman & Nowak 2006; birth-death Lieberman, Hauert & Nowak 2005.
    """
    adjacency, payoff = _graph(adjacency), _payoff(payoff)
    if rule not in RULES:
        raise ParameterError(f"rule = {rule!r}: unknown{nearest(rule, RULES)}")
    if not 0 <= selection <= 1:
        raise ParameterError(f"selection = {selection}: 0 to 1 is needed")
    nodes = len(adjacency)
    mutant = (np.arange(2**nodes)[:, None] >> np.arange(nodes) & 1).astype(bool)
    fitness = 1 - selection + selection * _payoffs(adjacency, payoff, mutant, average)
    if fitness.min() <= 0:
        raise ParameterError(f"payoff, selection: fitness {fitness.min():g}; it must be positive in every state")
    return _won(mutant, _changes(adjacency, mutant, fitness, rule))[1 << np.arange(nodes)]


def _won(mutant: np.ndarray, changes: np.ndarray) -> np.ndarray:
    # Between the two ends, chance of changing times phi = sum over nodes of their chance times phi after the change.
    # A step adds or takes away one mutant, so the states with k mutants follow from those with k + 1, phi_k =
    # G_k phi_{k+1}: far fewer entries than a factorisation of the whole system fills in.
    from scipy.sparse import csr_matrix

    states, nodes = mutant.shape
    codes = np.arange(states)
    after = codes[:, None] ^ (1 << np.arange(nodes))
    moves = csr_matrix((changes.ravel(), (np.repeat(codes, nodes), after.ravel())), (states, states))
    leaving, mutants = changes.sum(1), mutant.sum(1)
    layers = [np.flatnonzero(mutants == k) for k in range(nodes + 1)]
    following: list[np.ndarray] = []
    for k in range(1, nodes):
        system = np.diag(leaving[layers[k]])
        if following:
            system -= moves[layers[k]][:, layers[k - 1]] @ following[-1]
        following.append(np.linalg.solve(system, moves[layers[k]][:, layers[k + 1]].toarray()))
    won = np.zeros(states)
    won[-1] = 1
    for k in range(nodes - 1, 0, -1):
        won[layers[k]] = following[k - 1] @ won[layers[k + 1]]
    return won


def _payoffs(adjacency: np.ndarray, payoff: np.ndarray, mutant: np.ndarray, average: bool) -> np.ndarray:
    # `[2^n, n]`: what each individual earns from its neighbours in each state.
    beside_mutants, beside_residents = mutant @ adjacency, ~mutant @ adjacency
    as_mutant, as_resident = (row[0] * beside_mutants + row[1] * beside_residents for row in payoff)
    earned = np.where(mutant, as_mutant, as_resident)
    return earned / adjacency.sum(1) if average else earned


def _changes(adjacency: np.ndarray, mutant: np.ndarray, fitness: np.ndarray, rule: str) -> np.ndarray:
    # `[2^n, n]`: the chance that in one step a node takes the other strategy than it has.
    weight = fitness
    reach = adjacency
    if rule == "birth-death":
        weight = fitness / fitness.sum(1, keepdims=True)
        reach = adjacency / adjacency.sum(1, keepdims=True)  # from the parent in the row to its neighbours
    to_mutant, to_resident = (mutant * weight) @ reach, (~mutant * weight) @ reach
    other = np.where(mutant, to_resident, to_mutant)
    if rule == "birth-death":
        return other
    rivals = to_mutant + to_resident + (fitness if rule == "imitation" else 0)
    return other / rivals / len(adjacency)


def _graph(adjacency: Any) -> np.ndarray:
    from scipy.sparse.csgraph import connected_components

    adjacency = np.asarray(adjacency, float)
    if adjacency.ndim != 2 or adjacency.shape[0] != adjacency.shape[1]:
        raise ParameterError(f"adjacency: shape {adjacency.shape}; a square matrix [n, n] is needed")
    nodes = len(adjacency)
    if not 2 <= nodes <= MAX_NODES:
        raise ParameterError(f"adjacency: {nodes} nodes; 2 to {MAX_NODES} are needed, for 2^n states")
    if not np.isin(adjacency, (0, 1)).all() or (adjacency != adjacency.T).any() or adjacency.diagonal().any():
        raise ParameterError("adjacency: 0 or 1, symmetric, and 0 on the diagonal is needed")
    if connected_components(adjacency)[0] > 1:
        raise ParameterError("adjacency: in several pieces; a connected graph is needed")
    return adjacency


def _payoff(payoff: Any) -> np.ndarray:
    payoff = np.asarray(payoff, float)
    if payoff.shape != (2, 2):
        raise ParameterError(f"payoff: shape {payoff.shape}; [2, 2] is needed for two strategies")
    if not np.isfinite(payoff).all():
        raise ParameterError("payoff: not finite; every entry must be a finite number")
    return payoff
