"""Mean dynamics of infinite populations: how fast the shares of strategies change, given what each earns.

Every function takes shares `[S]` that sum to one and payoffs `[S]`, one for each strategy; for a matrix game the
payoffs are `payoff @ shares`, for groups they are `group_payoffs`. All are batched by `jax.vmap` and differentiable, so
`jax.jacfwd` gives the stability of a rest point. They return shares per unit of time, `[S]`, summing to zero.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxcoord.errors import ParameterError

Array = jax.Array


def replicator(shares: Any, payoffs: Any) -> Array:
    """x_i (p_i - p.x): a strategy grows by how much it earns above the mean. Source: Taylor & Jonker 1978."""
    return shares * (payoffs - jnp.dot(shares, payoffs))


def replicator_mutator(shares: Any, payoffs: Any, mutation: Any) -> Array:
    """sum_j x_j p_j q_ji - x_i (p.x): offspring of j are of strategy i with probability q_ji.

    Args: `mutation [S, S]`, rows summing to one; with the identity this is `replicator`.
    Source: Hadeler 1981; Komarova, Niyogi & Nowak 2001.
    """
    return jnp.dot(shares * payoffs, mutation) - shares * jnp.dot(shares, payoffs)


def logit(shares: Any, payoffs: Any, noise: Any) -> Array:
    """softmax(p / noise)_i - x_i: everybody turns to a noisy best response.

    Args: `noise`, in payoff, above 0; the smaller, the sharper the choice. Source: Fudenberg & Levine 1998.
    """
    return jax.nn.softmax(payoffs / noise) - shares


def best_response(shares: Any, payoffs: Any) -> Array:
    """b_i - x_i with b uniform over the strategies that earn most. Source: Gilboa & Matsui 1991."""
    best = payoffs == jnp.max(payoffs)
    return best / best.sum() - shares


def smith(shares: Any, payoffs: Any) -> Array:
    """sum_j x_j [p_i - p_j]+ - x_i sum_j [p_j - p_i]+: switching at a rate of the gain. Source: Smith 1984."""
    gain = jnp.maximum(payoffs[:, None] - payoffs[None, :], 0)
    return gain @ shares - shares * gain.sum(0)


def brown_von_neumann_nash(shares: Any, payoffs: Any) -> Array:
    """e_i - x_i sum_j e_j with e the payoff above the mean, where positive. Source: Brown & von Neumann 1950."""
    excess = jnp.maximum(payoffs - jnp.dot(shares, payoffs), 0)
    return excess - shares * excess.sum()


def projection(shares: Any, payoffs: Any) -> Array:
    """The payoffs projected on the directions that stay in the simplex: the closest feasible direction to them.

    In the interior p_i - mean(p); a strategy that is absent and earns less than the others' mean stays absent.
    Source: Nagurney & Zhang 1997; Sandholm, Dokumaci & Lahkar 2008.
    """
    payoffs = jnp.asarray(payoffs)
    # Absent strategies enter in the order of their payoffs, as long as each is above the mean of those already in.
    absent = shares <= 0
    order = jnp.argsort(jnp.where(absent, -payoffs, -jnp.inf))
    ranked = payoffs[order]
    means = jnp.cumsum(ranked) / jnp.arange(1, payoffs.shape[0] + 1)
    before = jnp.concatenate([jnp.full(1, -jnp.inf, means.dtype), means[:-1]])
    inside = jnp.cumprod(jnp.where(absent[order], ranked > before, True))
    mean = (ranked * inside).sum() / inside.sum()
    return jnp.zeros_like(payoffs).at[order].set((ranked - mean) * inside)


def bimatrix_replicator(first: Any, second: Any, payoff: Any, other: Any) -> tuple[Array, Array]:
    """Replicator dynamics of two populations that play each other.

    Args:
      first, second: shares `[R]` and `[C]` of the row and the column population.
      payoff, other: `[R, C]`, what the row player and what the column player earns in each pair of strategies.
    Returns: the change of both shares, `[R]` and `[C]`.
    Source: Taylor 1979.
    """
    return replicator(first, jnp.dot(payoff, second)), replicator(second, jnp.dot(first, other))


def group_payoffs(share: Any, table: Any) -> Array:
    """Mean payoffs of two strategies that meet in groups drawn from an infinite population.

    Args:
      share: of strategy 0.
      table: `[2, n]`, what a player of each strategy earns with k = 0..n-1 others of strategy 0 in its group of n.
    Returns: `[2]`. Raises: ParameterError where `table` does not have two rows.
    Source: binomial sampling; Gokhale & Traulsen 2010.
    """
    table = jnp.asarray(table, float)
    if table.ndim != 2 or table.shape[0] != 2:
        raise ParameterError(f"table: shape {table.shape}; [2, n] is needed, a row for each strategy")
    others = table.shape[1] - 1
    k = jnp.arange(others + 1, dtype=float)
    logs = jax.scipy.special.gammaln(others + 1.0) - jax.scipy.special.gammaln(k + 1)
    ways = jnp.exp(logs - jax.scipy.special.gammaln(others - k + 1))
    return table @ (ways * share**k * (1 - share) ** (others - k))
