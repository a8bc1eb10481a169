"""Opinions under social influence: DeGroot, Friedkin and Johnsen, and Altafini's friends and foes.

Opinions are `[N]` or `[N, D]`, weights `[N, N]`: row i says how much i listens to each j, and sums to one. What is not
allowed is refused where it can be seen; under `jit` and `vmap`, where it cannot, a NaN spreads to whoever listens.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxcoord.errors import ParameterError

Array = jax.Array
ROW_SUM = 1e-4  # how far from one the sum of a row may be: published weights have four decimals


def _seen(*arrays: Any) -> bool:
    return not any(isinstance(array, jax.core.Tracer) for array in arrays)


def checked_weights(weights: Any, name: str = "weights") -> Array:
    """A row-stochastic matrix `[N, N]`.

    Raises: ParameterError that names the first row that is negative, not finite or does not sum to one.
    """
    weights = jnp.asarray(weights, float)
    if weights.ndim != 2 or weights.shape[0] != weights.shape[1] or not weights.size:
        raise ParameterError(f"{name}: shape {weights.shape}; a square matrix [N, N] is needed")
    if _seen(weights):
        table = np.asarray(weights, float)
        wrong = ~(np.isfinite(table) & (table >= 0)).all(1)
        if wrong.any():
            row = int(wrong.argmax())
            raise ParameterError(f"{name}: row {row} has a negative entry or one that is not finite; allowed: 0 to 1")
        off = np.abs(table.sum(1) - 1) > ROW_SUM
        if off.any():
            row = int(off.argmax())
            raise ParameterError(f"{name}: row {row} sums to {table[row].sum():.6g}; every row must sum to 1")
    return weights


def checked_opinions(opinions: Any, size: int, name: str = "opinions") -> Array:
    """Finite opinions `[N]` or `[N, D]` of so many agents. Raises: ParameterError that names the first other one."""
    opinions = jnp.asarray(opinions, float)
    if opinions.ndim not in (1, 2) or opinions.shape[0] != size:
        raise ParameterError(f"{name}: shape {opinions.shape}; [{size}] or [{size}, D] is needed, one for each agent")
    if _seen(opinions):
        bad = ~np.isfinite(np.asarray(opinions)).reshape(size, -1).all(1)
        if bad.any():
            raise ParameterError(f"{name}: agent {int(bad.argmax())} has one that is not a finite number")
    return opinions


def listening(weights: Any, heard: Any) -> Array:
    """Row-stochastic weights among those who are heard.

    What is not heard weighs nothing, one's own weight is kept, and each row is divided by its sum. Who has no weight
    left listens to itself.

    Args: `weights [N, N]`, at least 0, such as an adjacency matrix; `heard [N, N]` bool, row i true where i hears j.
    Returns: `[N, N]`.
    """
    weights = jnp.asarray(weights, float)
    itself = jnp.eye(weights.shape[0], dtype=bool)
    kept = jnp.where(jnp.asarray(heard, bool) | itself, weights, 0)
    total = kept.sum(1, keepdims=True)
    return jnp.where(total > 0, kept / jnp.where(total > 0, total, 1), itself)


def degroot_step(opinions: Any, weights: Any) -> Array:
    """Everybody takes the weighted mean of what all think: W x.

    Args: `opinions [N]` or `[N, D]`; `weights [N, N]`, row-stochastic.
    Raises: ParameterError for other weights, or an opinion that is not finite.
    Source: DeGroot 1974.
    """
    weights = checked_weights(weights)
    return weights @ checked_opinions(opinions, len(weights))


def perron(weights: Any) -> Array:
    """The left Perron vector pi of an irreducible row-stochastic matrix: pi W = pi, sum(pi) = 1.

    Args: `weights [N, N]`, with one group of agents to whom all lead; else the result is not finite or arbitrary.
    Returns: `[N]`, each agent's say in the consensus.
    Raises: ParameterError for weights that are not row-stochastic.
    """
    weights = checked_weights(weights)
    size = len(weights)
    system = (jnp.eye(size) - weights.T).at[-1].set(1.0)
    return jnp.linalg.solve(system, jnp.zeros(size).at[-1].set(1.0))


def closed_groups(weights: Any) -> list[list[int]]:
    """The smallest groups of agents who listen to nobody outside, on the host.

    Each is led by itself: with one group all others follow it, with several they never agree from every start.

    Args: `weights [N, N]`, concrete; positive where i listens to j.
    """
    reach = _reachable(np.asarray(weights) > 0)
    closed = (reach <= reach.T).all(1)
    return [list(map(int, np.flatnonzero(row))) for row in np.unique(reach[closed], axis=0)[::-1]]


def _reachable(links: np.ndarray) -> np.ndarray:
    reach = links | np.eye(len(links), dtype=bool)
    for _ in range(max(1, len(links).bit_length())):
        reach = reach @ reach
    return reach


def consensus_value(opinions: Any, weights: Any) -> Array:
    """Where DeGroot learning ends: pi . x0 for all.

    Args: `opinions [N]` or `[N, D]`, x0; `weights [N, N]`, row-stochastic, with one closed group that is not periodic.
    Returns: a number, or `[D]`.
    Raises: ParameterError where there are several closed groups or opinions go round, so that no consensus is reached;
      as `degroot_step`.
    Source: DeGroot 1974; Jackson 2008, section 8.3.
    """
    weights = checked_weights(weights)
    opinions = checked_opinions(opinions, len(weights))
    if _seen(weights):
        groups = closed_groups(weights)
        if len(groups) > 1:
            raise ParameterError(
                f"weights: agents {groups[0]} and agents {groups[1]} listen to nobody outside; a consensus needs one "
                "group to which all lead"
            )
        # Whom all are led by after many steps alike: nobody, where influence only goes round.
        power = np.asarray(weights) > 0
        for _ in range(2 * len(weights).bit_length()):
            power = power @ power
        if not power.all(0).any():
            raise ParameterError("weights: opinions go round in a cycle; a consensus needs one who listens to itself")
    return perron(weights) @ opinions


def degroot_rate(weights: Any) -> float:
    """The factor by which differences shrink in a step in the long run: the second largest modulus of an eigenvalue.

    Args: `weights [N, N]`, concrete; on the host in float64.
    """
    checked_weights(weights)
    moduli = np.sort(np.abs(np.linalg.eigvals(np.asarray(weights, float))))
    return float(moduli[-2]) if len(moduli) > 1 else 0.0


def effective_number(shares: Any) -> Array:
    """How many agents of equal say would leave as much chance in a mean: 1 / sum_i v_i^2.

    Args: `shares [N]`, summing to one.
    """
    return 1 / (jnp.asarray(shares, float) ** 2).sum()


def _susceptible(susceptibility: Any, size: int) -> Array:
    susceptibility = jnp.broadcast_to(jnp.asarray(susceptibility, float), (size,))
    if _seen(susceptibility):
        wrong = ~((np.asarray(susceptibility) >= 0) & (np.asarray(susceptibility) <= 1))
        if wrong.any():
            agent = int(wrong.argmax())
            raise ParameterError(f"susceptibility: {float(susceptibility[agent])} of agent {agent}; allowed: 0 to 1")
    return susceptibility


def _rows(values: Array, like: Array) -> Array:
    return values.reshape(values.shape + (1,) * (like.ndim - 1))


def friedkin_johnsen_step(opinions: Any, weights: Any, core: Any, susceptibility: Any) -> Array:
    """Everybody weighs what all think against its own core: a W x + (1 - a) core.

    Args: `opinions`, `core`, `[N]` or `[N, D]`; `weights [N, N]`, row-stochastic; `susceptibility [N]` or one for all,
      a, 0 to 1: 1 is DeGroot, 0 listens to nobody.
    Raises: ParameterError as `degroot_step`, and for a susceptibility out of range.
    Source: Friedkin & Johnsen 1990.
    """
    weights = checked_weights(weights)
    opinions, core = checked_opinions(opinions, len(weights)), checked_opinions(core, len(weights), "core")
    a = _rows(_susceptible(susceptibility, len(weights)), core)
    return a * (weights @ opinions) + (1 - a) * core


def influence(weights: Any, susceptibility: Any) -> Array:
    """How much each core counts in each final opinion: V = (I - diag(a) W)^-1 (I - diag(a)), row-stochastic.

    Args: as `friedkin_johnsen_step`.
    Returns: `[N, N]`. The mean of a column is that agent's share of power.
    Raises: ParameterError where somebody is led by nobody who keeps to its core, so that where it ends depends on where
      it began.
    Source: Friedkin & Johnsen 1990; Friedkin 1998.
    """
    weights = checked_weights(weights)
    size = len(weights)
    a = _susceptible(susceptibility, size)
    if _seen(weights, a):
        anchored = _reachable(np.asarray(weights) > 0)[:, np.asarray(a) < 1].any(1)
        if not anchored.all():
            agent = int((~anchored).argmax())
            raise ParameterError(
                f"susceptibility: agent {agent} listens, through others too, only to agents of susceptibility 1; one "
                "below 1 is needed"
            )
    return jnp.linalg.solve(jnp.eye(size) - a[:, None] * weights, jnp.diag(1 - a))


def friedkin_johnsen_fixed_point(weights: Any, core: Any, susceptibility: Any) -> Array:
    """Where Friedkin-Johnsen dynamics end, from any start: (I - diag(a) W)^-1 (I - diag(a)) core.

    Args, raises: as `friedkin_johnsen_step` and `influence`.
    Source: Friedkin & Johnsen 1990.
    """
    return influence(weights, susceptibility) @ checked_opinions(core, len(jnp.asarray(weights)), "core")


def friedkin_johnsen_rate(weights: Any, susceptibility: Any) -> float:
    """The factor by which the distance from the end shrinks in a step in the long run: spectral radius of diag(a) W.

    Args: as `friedkin_johnsen_step`, concrete; on the host in float64.
    """
    size = len(checked_weights(weights))
    a = np.broadcast_to(np.asarray(susceptibility, float), (size,))
    return float(np.abs(np.linalg.eigvals(a[:, None] * np.asarray(weights, float))).max())


def altafini_step(opinions: Any, weights: Any, signs: Any) -> Array:
    """Everybody moves towards friends and away from foes: x_i <- sum_j w_ij s_ij x_j.

    Args: `opinions [N]` or `[N, D]`; `weights [N, N]`, row-stochastic; `signs [N, N]`, +1 for a friend, -1 for a foe.
    Raises: ParameterError as `degroot_step`, and for signs other than +1 and -1.
    Source: Altafini 2013, in discrete time.
    """
    weights = checked_weights(weights)
    if _seen(signs) and (np.shape(signs) != weights.shape or not np.isin(np.asarray(signs), (-1, 1)).all()):
        raise ParameterError(f"signs: {weights.shape} of -1 and +1 are needed, one for each weight")
    return (weights * jnp.asarray(signs)) @ checked_opinions(opinions, len(weights))


def camps(weights: Any, signs: Any) -> np.ndarray | None:
    """The two camps of a structurally balanced network: g_i = +1 or -1 with s_ij = g_i g_j wherever i listens to j.

    Args: `weights`, `signs [N, N]`, concrete; on the host.
    Returns: `[N]`, the first agent of each part in +1; None where the signs are not balanced.
    Source: Harary 1953; Altafini 2013.
    """
    links = np.asarray(weights) > 0
    signs = np.asarray(signs)
    side = np.zeros(len(links), int)
    for first in range(len(links)):
        if side[first]:
            continue
        side[first], waiting = 1, [first]
        while waiting:
            i = waiting.pop()
            for j in np.flatnonzero((links[i] | links[:, i]) & (side == 0)):
                side[j] = side[i] * np.sign(signs[i, j] if links[i, j] else signs[j, i])
                waiting.append(int(j))
    balanced = (np.sign(signs) == side[:, None] * side)[links].all()
    return side if balanced else None


def signed_consensus(opinions: Any, weights: Any, signs: Any) -> Array:
    """Where opinions among friends and foes end: g_i sum_j pi_j g_j x0_j in balance, else 0.

    Args: as `altafini_step`, concrete; somebody must listen to itself, as a friend, and all lead to each other.
    Returns: `[N]` or `[N, D]`.
    Raises: ParameterError as `consensus_value`, or where opinions go on for ever without balance.
    Source: Altafini 2013, theorems 1 and 2.
    """
    weights = checked_weights(weights)
    opinions = checked_opinions(opinions, len(weights))
    side = camps(weights, signs)
    if side is None:
        radius = np.abs(np.linalg.eigvals(np.asarray(weights, float) * np.asarray(signs))).max()
        if radius > 1 - 1e-9:
            raise ParameterError("signs: some opinions neither settle nor fade; all must lead to each other, and one "
                                 "must listen to itself, as a friend")  # fmt: skip
        return jnp.zeros_like(opinions)
    gauge = _rows(jnp.asarray(side, opinions.dtype), opinions)
    return gauge * consensus_value(gauge * opinions, weights)
