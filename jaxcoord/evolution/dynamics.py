"""Mean dynamics of infinite populations: how fast the shares of strategies change, given what each earns.

Every dynamic takes shares `[S]` that sum to one and payoffs `[S]`, one for each strategy: `game.payoffs(shares)` of any
game, `payoff @ shares` for a matrix. It returns shares per unit of time, `[S]`, summing to zero. `game_field` and
`bimatrix_field` close a dynamic over a game. All are batched by `jax.vmap` and differentiable, so that `jax.jacfwd`
gives the stability of a rest point and `solve` the trajectories with their gradients.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxcoord.errors import ParameterError
from jaxcoord.games import Game, MatrixGame

Array = jax.Array
Rate = Callable[[Any, Any], Array]
UNROLLED_STRATEGIES = 12  # up to here sums run term by term; beyond, compiling S**2 terms takes too long


def mean_payoff(shares: Any, payoffs: Any) -> Array:
    """p.x: what an individual earns on average."""
    # Term by term a batch of populations fills the vector units; along a handful of strategies they are mostly idle.
    if len(shares) > UNROLLED_STRATEGIES:
        return jnp.dot(shares, payoffs)
    return sum((shares[i] * payoffs[i] for i in range(1, len(shares))), shares[0] * payoffs[0])


def replicator(shares: Any, payoffs: Any) -> Array:
    """x_i (p_i - p.x): a strategy grows by how much it earns above the mean. Source: Taylor & Jonker 1978."""
    mean = mean_payoff(shares, payoffs)
    if len(shares) > UNROLLED_STRATEGIES:
        return shares * (payoffs - mean)
    return jnp.stack([shares[i] * (payoffs[i] - mean) for i in range(len(shares))])


def maynard_smith_replicator(shares: Any, payoffs: Any) -> Array:
    """x_i (p_i - p.x) / p.x: growth relative to the mean, which must be above 0.

    An Euler step of length 1 is the replicator of discrete generations, `discrete_replicator`.
    Source: Maynard Smith 1982.
    """
    return replicator(shares, payoffs / mean_payoff(shares, payoffs))


def discrete_replicator(shares: Any, payoffs: Any) -> Array:
    """x_i p_i / p.x: the shares of the next generation, where everybody leaves offspring as it earns.

    Args: `payoffs`, all at least 0, and of those present one above.
    Returns: `[S]`, summing to one: shares, not their rate of change.
    Source: Maynard Smith 1982.
    """
    return shares * payoffs / mean_payoff(shares, payoffs)


def replicator_mutator(shares: Any, payoffs: Any, mutation: Any) -> Array:
    """sum_j x_j p_j q_ji - x_i (p.x): offspring of j are of strategy i with probability q_ji.

    Args: `mutation [S, S]`, rows summing to one; with the identity this is `replicator`.
    Source: Hadeler 1981; Komarova, Niyogi & Nowak 2001.
    """
    return jnp.dot(shares * payoffs, mutation) - shares * mean_payoff(shares, payoffs)


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
    excess = jnp.maximum(payoffs - mean_payoff(shares, payoffs), 0)
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


def boltzmann_q_learning(shares: Any, payoffs: Any, temperature: Any) -> Array:
    """x_i (p_i - p.x) / T + x_i sum_j x_j ln(x_j / x_i): many Q-learners that choose by the Boltzmann rule.

    Args: `temperature` T, in payoff, above 0; the second term draws towards equal shares, the more, the higher it is.
    Source: Tuyls, Verbeeck & Lenaerts 2003, with the learning rate as the unit of time.
    """
    entropies = jax.scipy.special.entr(jnp.asarray(shares, float))
    return replicator(shares, payoffs) / temperature + entropies - shares * entropies.sum()


def policy_gradient(shares: Any, payoffs: Any) -> Array:
    """x_i (x_i r_i - sum_j x_j^2 r_j) with r = p - p.x: gradient ascent on the logits of a softmax policy.

    Source: the mean dynamic of QPG, Q-based policy gradient, in Hennes et al. 2020 (Neural Replicator Dynamics).
    """
    advantage = replicator(shares, payoffs)
    return shares * (advantage - mean_payoff(shares, advantage))


def game_payoffs(game: Any, shares: Array) -> Array:
    """Mean payoff of each strategy: `game.payoffs(shares)`, or `payoff @ shares` for a matrix, fast in a batch.

    Args: `game`, a payoff matrix `[S, S]` or any `Game`; `shares [S]`.
    Returns: `[S]`.
    """
    if isinstance(game, Game) and not isinstance(game, MatrixGame):
        return game.payoffs(shares)
    payoff = game.payoff() if isinstance(game, MatrixGame) else jnp.asarray(game, float)
    if payoff.ndim != 2 or payoff.shape[1] != len(shares):
        raise ParameterError(f"payoff: shape {payoff.shape}; a matrix with {len(shares)} columns is needed")
    if len(shares) > UNROLLED_STRATEGIES:
        return payoff @ shares
    index = range(len(shares))
    return jnp.stack([sum(payoff[i, j] * shares[j] for j in index) for i in range(len(payoff))])


def game_field(game: Any, dynamic: Rate = replicator) -> Callable[[Any], Array]:
    """How a population that plays a game changes: the function x -> dynamic(x, payoffs of x), for `solve`.

    Args: `game`, a payoff matrix `[S, S]` or any `Game`; `dynamic`, of shares and payoffs.
    """
    return lambda shares: dynamic(shares, game_payoffs(game, shares))


def log_replicator_field(game: Any) -> Callable[[Any], Array]:
    """The replicator dynamics of y = ln x, up to a constant in all of them: dy_i/dt = p_i - p.x with x = softmax(y).

    Shares that fall below the smallest number, as near a heteroclinic cycle, are followed all the same.
    Args: `game` as in `game_field`. Returns: a field of `[S]` logarithms.
    Source: Hofbauer & Sigmund 1998, who follow orbits near the boundary in these coordinates.
    """

    def field(logs: Array) -> Array:
        shares = jax.nn.softmax(logs)
        payoffs = game_payoffs(game, shares)
        return payoffs - mean_payoff(shares, payoffs)

    return field


def bimatrix_field(payoff: Any, other: Any, dynamic: Rate = replicator) -> Callable[[Any], tuple[Array, Array]]:
    """How two populations that play each other change, each by the same dynamic.

    Args: `payoff`, `other`: `[R, C]`, what the row player and what the column player earns in each pair of strategies.
    Returns: a function of the pair of shares `([R], [C])` to the pair of their rates.
    Source: Taylor 1979 for the replicator.
    """

    def field(shares: tuple[Any, Any]) -> tuple[Array, Array]:
        first, second = shares
        return dynamic(first, game_payoffs(payoff, second)), dynamic(second, game_payoffs(jnp.transpose(other), first))

    return field


def bimatrix_replicator(first: Any, second: Any, payoff: Any, other: Any) -> tuple[Array, Array]:
    """Replicator dynamics of two populations that play each other.

    Args:
      first, second: shares `[R]` and `[C]` of the row and the column population.
      payoff, other: `[R, C]`, what the row player and what the column player earns in each pair of strategies.
    Returns: the change of both shares, `[R]` and `[C]`.
    Source: Taylor 1979.
    """
    return bimatrix_field(payoff, other)((first, second))
