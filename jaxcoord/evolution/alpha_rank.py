"""alpha-Rank: the long-run ranking of strategies, or of joint profiles, by who invades whom.

State reduction on logarithms keeps it exact at any ranking intensity, on coordination games too, where eigen-solvers
find two stationary distributions or none. For float64 call it inside `with jax.enable_x64(True):`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxcoord.errors import ParameterError
from jaxcoord.evolution.fixation import _square, stationary_from_log_rates

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
    Raises: ParameterError where `payoff` is not square or not finite, or `size` is below 2.
    Source: Omidshafiei et al. 2019 (Sci Rep 9:9937).
    """
    payoff = _square(payoff)
    _enough(size)
    gain = payoff.T - payoff  # entry (resident, mutant)
    return stationary_from_log_rates(log_takeover(gain, alpha, size))


def alpha_rank_profiles(payoffs: Sequence[Any], alpha: Any, size: int = 50) -> Array:
    """Share of time that each joint profile of K populations holds them, mutants being rare.

    Args: `payoffs`, for each player k an array `[S_1, ..., S_K]` of its payoff in a profile; the others as in
      `alpha_rank`.
    Returns: `[S_1, ..., S_K]`, summing to one.
    Raises: ParameterError where the arrays differ in shape, do not have an axis for each player, or are not finite.
    Source: Omidshafiei et al. 2019, section "multi-population".
    """
    _enough(size)
    tables = [np.asarray(table, float) if not isinstance(table, jax.Array) else table for table in payoffs]
    shape = tables[0].shape
    if len(shape) != len(tables) or any(table.shape != shape for table in tables):
        raise ParameterError(f"payoffs: shapes {[t.shape for t in tables]}; each player needs one array with an axis "
                             f"for each of the {len(tables)} players")  # fmt: skip
    rates = profile_gains(tables)
    logs = jnp.where(jnp.isnan(rates), -jnp.inf, log_takeover(jnp.nan_to_num(rates), alpha, size))
    return stationary_from_log_rates(logs).reshape(shape)


def profile_gains(payoffs: Sequence[Any]) -> Array:
    """What a single deviating player gains between two profiles, NaN where more than one player differs.

    Args: as in `alpha_rank_profiles`.
    Returns: `[N, N]` for N profiles in C order, from row to column.
    """
    tables = jnp.stack([jnp.asarray(table, float).reshape(-1) for table in payoffs])
    shape = jnp.shape(payoffs[0])
    profiles = np.indices(shape).reshape(len(shape), -1)
    differ = profiles[:, :, None] != profiles[:, None, :]
    one = differ.sum(0) == 1
    player = np.argmax(differ, axis=0)
    index = np.arange(profiles.shape[1])
    gains = tables[player, index[None, :]] - tables[player, index[:, None]]
    return jnp.where(one, gains, jnp.nan)


def alpha_rank_infinite(payoff: Any, perturbation: Any = 0.01) -> Array:
    """The limit of strong selection: a better mutant always takes over, a worse one with a small probability.

    Args: `payoff [S, S]`; `perturbation`, probability epsilon that a worse mutant takes over, between 0 and 1/2.
    Returns: `[S]`, summing to one. An equal mutant takes over half of the time.
    Raises: ParameterError where `payoff` is not square or not finite.
    Source: Rowland et al. 2019 (NeurIPS), the infinite-alpha model with perturbation.
    """
    payoff = _square(payoff)
    gain = payoff.T - payoff
    chance = jnp.where(gain > 0, 1 - perturbation, jnp.where(gain < 0, perturbation, 0.5))
    return stationary_from_log_rates(jnp.log(chance))


def _enough(size: int) -> None:
    if size < 2 or size != int(size):
        raise ParameterError(f"size = {size}: a whole number of at least 2 individuals is needed")
