"""Arrays of threshold units that hear the same signal: where independent noise tells a crowd more than silence would.

N units see a signal x ~ N(0, 1), each with noise of its own; a unit fires where signal plus noise is above 0. Without
noise all fire together and their count is one bit. With noise they disagree, and the count says how large x is.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import log_ndtr

from jaxcoord.language import inputs
from jaxcoord.networks.graph import whole

Array = jax.Array
POINTS = 2001  # of the quadrature; the error is below 1e-6 bits in float64
REACH = 8.0  # standard deviations of the signal that are looked at
LEAST_NOISE = 1e-8  # in place of less, where the information differs from one bit by less than rounding


def threshold_array_information(units: int, noise: Any) -> Array:
    """Information between the signal and the number of units that fire, in bits: H(count) - H(count | signal).

    The count given x is binomial with probability Phi(x / s). The integral over x is a sum over x = s sinh(v) with even
    steps of v, which are fine where the units change their mind, |x| of about s, and reach to where the signal ends.

    Args: `units` N, at least 1; `noise` s, its standard deviation over that of the signal, at least 0; may be traced.
    Returns: `[]` bits, at most log2(N + 1).
    Source: Stocks 2000 (Phys Rev Lett 84:2310).
    """
    units = whole("units", units, 1, 100_000)
    noise = inputs.within("noise", noise, 0, np.inf, "a standard deviation of at least 0 is needed")
    scale = jnp.maximum(noise, LEAST_NOISE)
    steps = jnp.linspace(-1.0, 1.0, POINTS) * jnp.arcsinh(REACH / scale)
    at = jnp.sinh(steps)  # in units of the noise
    weight = jnp.exp(-((scale * at) ** 2) / 2) * jnp.cosh(steps)
    weight = weight / weight.sum()

    count, factorial = np.arange(units + 1), np.cumsum(np.log(np.maximum(np.arange(units + 1), 1)))
    ways = factorial[units] - factorial - factorial[::-1]
    fires = log_ndtr(at)[:, None]
    # The points lie evenly about 0, so that what does not fire at one fires at its mirror image.
    logs = ways.astype(at.dtype) + count * fires + (units - count) * fires[::-1]
    given = jnp.exp(logs)
    # x log x at 0 is 0, and the logarithm there is finite, so that no case is needed.
    unsure = -(weight @ (given * logs).sum(1))
    share = weight @ given
    return (-(share * jnp.log(share)).sum() - unsure) / jnp.log(2.0)


def equal_noise_information(units: int) -> float:
    """`threshold_array_information` where the noise is as strong as the signal: every count is equally likely.

    log2(N + 1) - N / (2 ln 2) - sum_{n=2}^{N} (N + 1 - 2n) log2(n) / (N + 1).

    Source: Stocks 2001 (Phys Rev E 63:041114).
    """
    units = whole("units", units, 1)
    n = np.arange(2, units + 1)
    rest = ((units + 1 - 2 * n) * np.log2(n)).sum() / (units + 1)
    return float(np.log2(units + 1) - units / (2 * np.log(2)) - rest)
