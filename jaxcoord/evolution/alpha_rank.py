"""alpha-Rank: the long-run ranking of strategies, or of joint profiles, by who invades whom.

State reduction keeps it exact at any ranking intensity, on coordination games too, where eigen-solvers find two
stationary distributions or none. For float64 call it inside `with jax.enable_x64(True):`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxcoord.errors import ParameterError
from jaxcoord.evolution.fixation import _square
from jaxcoord.evolution.state_reduction import stationary_from_log_rates

Array = jax.Array


def log_takeover(gain: Any, alpha: Any, size: int) -> Array:
    """Natural logarithm of the probability that a mutant which earns `gain` more takes over a population of `size`.

    (1 - exp(-u)) / (1 - exp(-m u)) with u = alpha * gain, and 1/m at u = 0.

    Args: `gain` of any shape, payoff; `alpha` ranking intensity, 1 / payoff, at least 0; `size` m, at least 2.
    Source: Omidshafiei et al. 2019, eq. 4 (local selection: payoffs of the pair, not of the whole population).
    """
    u = jnp.asarray(alpha * jnp.asarray(gain, float))
    small = jnp.abs(u) < 1e-12
    safe = jnp.where(small, 1.0, u)
    # For u < 0 both terms are turned round: exp(-m |u|) never grows.
    turned = jnp.where(safe > 0, 0.0, (size - 1) * safe)
    logs = turned + jnp.log(-jnp.expm1(-jnp.abs(safe))) - jnp.log(-jnp.expm1(-size * jnp.abs(safe)))
    return jnp.where(small, -jnp.log(float(size)), logs)


def alpha_rank(payoff: Any, alpha: Any, size: int = 50) -> Array:
    """Share of time that each strategy of one population holds it, mutants being rare.

    Args: `payoff [S, S]`, row against column; `alpha` ranking intensity, 1 / payoff; `size` m, individuals.
    Returns: `[S]`, summing to one.
    Raises: ParameterError where `payoff` is not square or not finite, `alpha` is negative, or `size` is below 2.
    Source: Omidshafiei et al. 2019 (Sci Rep 9:9937).
    """
    payoff = _square(payoff)
    _check(alpha, size)
    gain = payoff.T - payoff  # entry (resident, mutant)
    return stationary_from_log_rates(log_takeover(gain, alpha, size))


def alpha_rank_infinite(payoff: Any, perturbation: Any = 0.01) -> Array:
    """The limit of strong selection: a better mutant always takes over, a worse one with a small probability.

    Args: `payoff [S, S]`; `perturbation`, probability epsilon that a worse mutant takes over, between 0 and 1/2.
    Returns: `[S]`, summing to one. An equal mutant takes over half of the time.
    Raises: ParameterError where `payoff` is not square or not finite, or `perturbation` is out of range.
    Source: Rowland et al. 2019 (NeurIPS), the infinite-alpha model with perturbation.
    """
    payoff = _square(payoff)
    return stationary_from_log_rates(_log_chance(payoff.T - payoff, perturbation))


def alpha_rank_profiles(payoffs: Sequence[Any], alpha: Any, size: int = 50) -> Array:
    """Share of time that each joint profile of K populations holds them, mutants being rare.

    Args: `payoffs`, for each player k an array `[S_1, ..., S_K]` of its payoff in a profile; the others as in
      `alpha_rank`.
    Returns: `[S_1, ..., S_K]`, summing to one.
    Raises: ParameterError where the arrays differ in shape, do not have an axis for each player, or are not finite, or
      as in `alpha_rank`.
    Source: Omidshafiei et al. 2019, section "multi-population".
    """
    _check(alpha, size)
    return _among_profiles(payoffs, lambda gain: log_takeover(gain, alpha, size))


def alpha_rank_profiles_infinite(payoffs: Sequence[Any], perturbation: Any = 0.01) -> Array:
    """The limit of strong selection for K populations.

    Args, returns, raises: `payoffs` as in `alpha_rank_profiles`, `perturbation` as in `alpha_rank_infinite`.
    Source: Rowland et al. 2019 (NeurIPS).
    """
    return _among_profiles(payoffs, lambda gain: _log_chance(gain, perturbation))


def profile_gains(payoffs: Sequence[Any]) -> tuple[Array, np.ndarray]:
    """What a single deviating player gains between two profiles.

    Args: as in `alpha_rank_profiles`.
    Returns: `[N, N]` for N profiles in C order, from row to column, and whether one player alone differs.
    """
    tables = jnp.stack([jnp.asarray(table, float).reshape(-1) for table in payoffs])
    shape = np.shape(payoffs[0])
    profiles = np.indices(shape).reshape(len(shape), -1)
    differ = profiles[:, :, None] != profiles[:, None, :]
    player = np.argmax(differ, axis=0)
    index = np.arange(profiles.shape[1])
    return tables[player, index[None, :]] - tables[player, index[:, None]], differ.sum(0) == 1


def _among_profiles(payoffs: Sequence[Any], log_rate: Callable[[Array], Array]) -> Array:
    shapes = [np.shape(table) for table in payoffs]
    if not shapes or len(shapes[0]) != len(shapes) or any(shape != shapes[0] for shape in shapes):
        raise ParameterError(f"payoffs: shapes {shapes}; each player needs one array with an axis for each of the "
                             f"{len(shapes)} players")  # fmt: skip
    for player, table in enumerate(payoffs):
        if not isinstance(table, jax.core.Tracer) and not np.isfinite(np.asarray(table, float)).all():
            raise ParameterError(f"payoffs[{player}]: not finite; every entry must be a finite number")
    gains, single = profile_gains(payoffs)
    return stationary_from_log_rates(jnp.where(single, log_rate(gains), -jnp.inf)).reshape(shapes[0])


def _log_chance(gain: Array, perturbation: Any) -> Array:
    if not isinstance(perturbation, jax.core.Tracer) and not 0 < perturbation < 0.5:
        raise ParameterError(f"perturbation = {perturbation}: a probability between 0 and 1/2 is needed")
    return jnp.log(jnp.where(gain > 0, 1 - perturbation, jnp.where(gain < 0, perturbation, 0.5)))


def _check(alpha: Any, size: int) -> None:
    if size < 2 or size != int(size):
        raise ParameterError(f"size = {size}: a whole number of at least 2 individuals is needed")
    if not isinstance(alpha, jax.core.Tracer) and not (np.asarray(alpha) >= 0).all():
        raise ParameterError(f"alpha = {alpha}: at least 0 is needed")
