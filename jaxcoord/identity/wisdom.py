"""When many know more than one: diversity, social power and majorities. Identities, exact for any numbers."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxcoord.errors import ParameterError
from jaxcoord.identity.opinions import effective_number, influence

Array = jax.Array


class CrowdError(NamedTuple):
    """The error of a crowd's mean and what it is made of."""

    collective: Array
    """`[]`: squared error of the mean estimate."""
    average: Array
    """`[]`: mean squared error of the estimates."""
    diversity: Array
    """`[]`: mean squared distance of the estimates from their mean."""


def _finite(name: str, values: Any) -> Array:
    values = jnp.asarray(values, float)
    if not isinstance(values, jax.core.Tracer) and not bool(jnp.isfinite(values).all()):
        raise ParameterError(f"{name}: not finite; every entry must be a finite number")
    return values


def crowd_error(estimates: Any, truth: Any) -> CrowdError:
    """The diversity prediction theorem: the error of the mean is the mean error less the diversity, exactly.

    (mean s - truth)^2 = mean (s_i - truth)^2 - mean (s_i - mean s)^2

    Args: `estimates [n]`, at least one; `truth`, a number in the same unit.
    Raises: ParameterError for no estimates or one that is not finite.
    Source: Page 2007, The Difference; as the ambiguity decomposition Krogh & Vedelsby 1995.
    """
    estimates, truth = _finite("estimates", estimates), _finite("truth", truth)
    if estimates.ndim != 1 or not len(estimates):
        raise ParameterError(f"estimates: shape {estimates.shape}; a list of at least one is needed")
    mean = estimates.mean()
    return CrowdError((mean - truth) ** 2, ((estimates - truth) ** 2).mean(), ((estimates - mean) ** 2).mean())


class CrowdAccuracy(NamedTuple):
    """How well a crowd does whose members have listened to each other."""

    power: Array
    """`[n]`: the weight of each agent's first opinion in the crowd's final mean."""
    collective: Array
    """`[]`: expected squared error of the final mean."""
    individual: Array
    """`[]`: expected squared error of a final opinion, mean over agents."""
    effective_size: Array
    """`[]`: how many independent agents with equal power would err as little."""


def crowd_accuracy(weights: Any, susceptibility: Any, noise: Any = 1.0, bias: Any = 0.0) -> CrowdAccuracy:
    """What listening does to a crowd whose first opinions are the truth, a common bias and independent noise.

    With power v = V^T 1/n: collective error bias^2 + noise^2 sum v_i^2, effective size 1 / sum v_i^2.

    Args: `weights`, `susceptibility` as in `opinions.influence`; `noise`, standard deviation of first opinions; `bias`,
      of all. Returns, raises: see `CrowdAccuracy`, `opinions.influence`.
    Source: Friedkin & Johnsen 1990; DeGroot 1974 and Golub & Jackson 2010 for crowds without stubbornness.
    """
    owed = influence(weights, susceptibility)
    noise, bias = _finite("noise", noise), _finite("bias", bias)
    power = owed.mean(0)
    each, size = (owed**2).sum(1).mean(), effective_number(power)
    return CrowdAccuracy(power, bias**2 + noise**2 / size, bias**2 + noise**2 * each, size)


def majority_accuracy(voters: int, competence: Any) -> Array:
    """Probability that more than half of the voters are right, each with the same probability, independently.

    P(Bin(n, p) > n / 2)

    Args: `voters` n, odd; `competence` p, 0 to 1.
    Raises: ParameterError for an even number of voters, whose ties have no winner, or a p that is no probability.
    Source: Condorcet 1785.
    """
    if voters < 1 or voters % 2 != 1:
        raise ParameterError(f"voters = {voters}: an odd number is needed, so that there is no tie")
    competence = jnp.asarray(competence, float)
    if not isinstance(competence, jax.core.Tracer) and not bool(((competence >= 0) & (competence <= 1)).all()):
        raise ParameterError(f"competence = {competence}: a probability, 0 to 1, is needed")
    most = (voters + 1) // 2
    return jax.scipy.special.betainc(float(most), float(voters - most + 1), competence)
