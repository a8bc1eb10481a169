"""Closed forms of the Fermi process: fixation probabilities, stationary distribution, small-mutation limit.

All are pure, batched by `jax.vmap` and differentiable. They compute in the precision that JAX is set to: for float64
call them inside `with jax.enable_x64(True):`, which strong selection needs.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

from jaxcoord.errors import ParameterError
from jaxcoord.evolution.state_reduction import stationary_from_log_rates
from jaxcoord.games import Game, GroupGame, MatrixGame

Array = jax.Array


def _square(payoff: Any) -> Array:
    payoff = jnp.asarray(payoff, float)
    if payoff.ndim != 2 or payoff.shape[0] != payoff.shape[1]:
        raise ParameterError(f"payoff: shape {payoff.shape}; a square matrix [S, S] is needed")
    if not isinstance(payoff, jax.core.Tracer) and not bool(jnp.isfinite(payoff).all()):
        raise ParameterError("payoff: not finite; every entry must be a finite number")
    return payoff


def _two(payoff: Any) -> Array:
    payoff = _square(payoff)
    if payoff.shape != (2, 2):
        raise ParameterError(f"payoff: shape {payoff.shape}; [2, 2] is needed for two strategies")
    return payoff


def _population(size: int) -> int:
    if size < 2 or size != int(size):
        raise ParameterError(f"size = {size}: a whole number of at least 2 individuals is needed")
    return int(size)


def _intensity(beta: Any) -> Array:
    beta = jnp.asarray(beta, float)
    if not isinstance(beta, jax.core.Tracer) and not bool((beta >= 0).all() & jnp.isfinite(beta).all()):
        raise ParameterError(f"beta = {beta}: a finite selection intensity of at least 0 is needed")
    return beta


def _chance(mu: Any) -> Array:
    mu = jnp.asarray(mu, float)
    if not isinstance(mu, jax.core.Tracer) and not bool(((mu >= 0) & (mu <= 1)).all()):
        raise ParameterError(f"mu = {mu}: a probability, 0 to 1, is needed")
    return mu


def pair_payoffs(game: Any, size: int) -> tuple[Array, Array]:
    """Mean payoffs of a mutant i and of a resident j while there are k = 1..Z-1 mutants among Z individuals.

    Args: `game`, a payoff matrix `[S, S]` or any `Game`; `size` Z, at least 2 and at least the size of a group.
    Returns: two arrays `[S, S, Z-1]`, entry (i, j, k-1): what the mutant and what the resident earns.
    Raises: ParameterError where a matrix is not square or not finite, or `size` is too small.
    """
    size = _population(size)
    k = jnp.arange(1, size, dtype=float)
    if isinstance(game, MatrixGame):
        game = game.payoff()
    if isinstance(game, Game):
        if isinstance(game, GroupGame) and game.group > size:
            raise ParameterError(f"group = {game.group}: larger than the population of {size}")
        kinds = jnp.eye(len(game.strategies))

        def meet(mutant, resident, k):
            earned = game.payoffs_among(k * kinds[mutant] + (size - k) * kinds[resident])
            return earned[mutant], earned[resident]

        index = jnp.arange(len(kinds))
        over_k = jax.vmap(meet, (None, None, 0))
        return jax.vmap(jax.vmap(over_k, (None, 0, None)), (0, None, None))(index, index, k)
    payoff = _square(game)
    own = jnp.diagonal(payoff)
    mutant = own[:, None, None] * (k - 1) + payoff[:, :, None] * (size - k)
    resident = payoff.T[:, :, None] * k + own[None, :, None] * (size - k - 1)
    return mutant / (size - 1), resident / (size - 1)


def payoff_difference(game: Any, size: int) -> Array:
    """Mean payoff of a mutant i less that of a resident j while there are k = 1..Z-1 mutants among Z individuals.

    Of a matrix a it is [k (a_ii - a_ji) + (Z-k) (a_ij - a_jj) - (a_ii - a_jj)] / (Z-1): equal payoffs cancel exactly.

    Args, raises: as in `pair_payoffs`.
    Returns: `[S, S, Z-1]`, entry (i, j, k-1), without self-play.
    Source: Traulsen, Nowak & Pacheco 2006, eqs. 4 and 5.
    """
    size = _population(size)
    if isinstance(game, Game) and not isinstance(game, MatrixGame):
        mutant, resident = pair_payoffs(game, size)
        return mutant - resident
    k = jnp.arange(1, size, dtype=float)
    return _weighted_difference(game, size, k, size - k, jnp.ones(()))


def _weighted_difference(game: Any, size: int, like: Array, unlike: Array, alone: Array) -> Array:
    payoff = _square(game.payoff() if isinstance(game, MatrixGame) else game)
    own = jnp.diagonal(payoff)
    beside_mutant, beside_resident = own[:, None] - payoff.T, payoff - own[None, :]
    itself = (own[:, None] - own[None, :])[..., None]
    return (like * beside_mutant[..., None] + unlike * beside_resident[..., None] - alone * itself) / (size - 1)


def _summed_difference(game: Any, size: int) -> Array:
    # `payoff_difference` summed over 1..k; of a matrix a polynomial in k, which large sums of either sign leave exact.
    if isinstance(game, Game) and not isinstance(game, MatrixGame):
        return jnp.cumsum(payoff_difference(game, size), -1)
    k = jnp.arange(1, _population(size), dtype=float)
    triangle = k * (k + 1) / 2
    return _weighted_difference(game, size, triangle, size * k - triangle, k)


def log_fixation_probability(payoff: Any, size: int, beta: Any) -> Array:
    """Natural logarithm of `fixation_probability`, exact where the probability itself underflows.

    Args, returns, raises, source as there.
    """
    exponents = -_intensity(beta) * _summed_difference(payoff, size)
    return -jax.nn.logsumexp(jnp.concatenate([jnp.zeros_like(exponents[..., :1]), exponents], -1), axis=-1)


def fixation_probability(payoff: Any, size: int, beta: Any) -> Array:
    """Probability that a single mutant takes over a population under the Fermi rule.

    1 / (1 + sum_{k=1}^{Z-1} prod_{j=1}^{k} exp(-beta [f_mutant(j) - f_resident(j)])), evaluated by log-sum-exp.

    Args:
      payoff: `[S, S]`, payoff of the row strategy against the column strategy.
      size: population size Z, at least 2.
      beta: selection intensity, 1 / payoff, at least 0. 0 is neutral drift (1/Z).
    Returns: `[S, S]`, entry (i, j): a single i among Z-1 j. The diagonal is 1/Z.
    Raises: ParameterError where `payoff` is not square or not finite, `size` is below 2, or `beta` is negative.
    Source: Traulsen, Nowak & Pacheco 2006, eq. 5.
    """
    return jnp.exp(log_fixation_probability(payoff, size, beta))


def fixation_from(payoff: Any, size: int, beta: Any) -> Array:
    """Probability that k individuals of strategy 0 take over a population of strategies 0 and 1.

    Args: as in `fixation_probability`, with `payoff [2, 2]`.
    Returns: `[Z+1]`, for k = 0..Z: 0 at 0, 1 at Z.
    Source: Traulsen, Nowak & Pacheco 2006, eq. 5.
    """
    return jnp.exp(log_fixation_from(payoff, size, beta))


def log_fixation_from(payoff: Any, size: int, beta: Any) -> Array:
    """Natural logarithm of `fixation_from`, exact where the probability itself underflows; minus infinity at 0.

    Args, returns, raises, source as there.
    """
    exponents = jnp.concatenate([jnp.zeros(1), -_intensity(beta) * _summed_difference(_two(payoff), size)[0, 1]])
    partial = jax.lax.associative_scan(jnp.logaddexp, exponents)
    return jnp.concatenate([jnp.full(1, -jnp.inf), partial - partial[-1]])


def fixation_from_continuum(payoff: Any, size: int, beta: Any) -> Array:
    """The large-population approximation of `fixation_from` by error functions (exact where payoffs are additive).

    With f_0 - f_1 = 2 u k + 2 v: [erf(xi_k) - erf(xi_0)] / [erf(xi_Z) - erf(xi_0)], xi_k = sqrt(beta/u) (k u + v).
    The integral of exp(-beta (u k^2 + 2 v k)) is taken by Gauss-Legendre quadrature, which serves every sign of u.

    Args, returns as in `fixation_from`.
    Source: Traulsen, Pacheco & Nowak 2007, eq. 9.
    """
    (a, b), (c, d) = _square(payoff)
    u = (a - b - c + d) / (2 * (size - 1))
    v = (-a + b * size - d * size + d) / (2 * (size - 1))
    nodes, weights = (jnp.asarray(x, float) for x in _gauss_legendre(16))
    k = jnp.arange(_population(size))[:, None] + (nodes + 1) / 2
    exponent = -_intensity(beta) * (u * k**2 + 2 * v * k)
    pieces = (weights / 2 * jnp.exp(exponent - exponent.max())).sum(-1)
    total = jnp.concatenate([jnp.zeros(1), jnp.cumsum(pieces)])
    return total / total[-1]


def _gauss_legendre(order: int):
    import numpy as np

    return np.polynomial.legendre.leggauss(order)


def fermi_rates(payoff: Any, size: int, beta: Any, mu: Any = 0.0) -> tuple[Array, Array]:
    """Probabilities that one event adds, or takes away, an individual of strategy 0 of two.

    Args: `payoff [2, 2]`; `size` Z, at least 2; `beta` selection intensity, 1 / payoff; `mu` mutation probability.
    Returns: T+ and T-, each `[Z+1]`, for k = 0..Z individuals of strategy 0.
    Raises: ParameterError where `payoff` is not `[2, 2]` or not finite, or `size` is below 2.
    Source: Traulsen, Nowak & Pacheco 2006, eq. 2, with mutation.
    """
    payoff, size, beta, mu = _two(payoff), _population(size), _intensity(beta), _chance(mu)
    gain = jnp.concatenate([jnp.zeros(1), payoff_difference(payoff, size)[0, 1], jnp.zeros(1)])
    k = jnp.arange(size + 1, dtype=float)
    meet = k / size * (size - k) / (size - 1)  # a product of two counts would overflow 32-bit integers
    up = (1 - mu) * meet * jax.nn.sigmoid(beta * gain) + mu * (size - k) / size
    down = (1 - mu) * meet * jax.nn.sigmoid(-beta * gain) + mu * k / size
    return up, down


def stationary_distribution(payoff: Any, size: int, beta: Any, mu: Any) -> Array:
    """Long-run distribution of the number of strategy-0 individuals under the Fermi rule with mutation.

    The chain moves by one, so the distribution is the normalised product of T+(k-1) / T-(k), summed in logarithms.

    Args:
      payoff: `[2, 2]`; size: Z, at least 2; beta: selection intensity, 1 / payoff;
      mu: mutation probability, above 0 (without mutation the ends absorb).
    Returns: `[Z+1]`, for k = 0..Z individuals of strategy 0.
    Raises: ParameterError where `payoff` is not `[2, 2]` or not finite.
    Source: Karlin & Taylor 1975, birth-death chains; rates of Traulsen, Pacheco & Nowak 2007 with mutation.
    """
    up, down = fermi_rates(payoff, size, beta, mu)
    logs = jnp.concatenate([jnp.zeros(1), jnp.cumsum(jnp.log(up[:-1]) - jnp.log(down[1:]))])
    return jax.nn.softmax(logs)


def small_mutation_limit(payoff: Any, size: int, beta: Any) -> Array:
    """Share of time that each strategy is the whole population when mutations are rare.

    The population moves between monomorphic states with the mutants' fixation probabilities. The stationary vector
    comes from state reduction (GTH) on logarithms: nothing is subtracted, nothing overflows.

    Args: as in `fixation_probability`.
    Returns: `[S]`, summing to one.
    Raises: ParameterError where `payoff` is not square or not finite, `size` is below 2, or `beta` is negative.
    Source: Fudenberg & Imhof 2006; elimination of Grassmann, Taksar & Heyman 1985.
    """
    logs = log_fixation_probability(payoff, size, beta)
    return stationary_from_log_rates(logs.T)
