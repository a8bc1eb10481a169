"""Cross-holdings: organisations that own shares of each other, and fail one after another when values fall.

`C_ij` is the share of j that i holds, `D_ik` that of asset k, and outsiders hold what is left of j, `1 - sum_i C_ij`.
Pure, for one network; in the precision that JAX is set to. Shapes: N organisations, K assets.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxcoord.errors import ParameterError
from jaxcoord.market import checks

Array = jax.Array


class Failures(NamedTuple):
    """Who fails, and what is left (see `failure_cascade`)."""

    failed: Array
    """`[N]` bool."""
    rounds: Array
    """`[N]` int32: the round in which each fails, from 1; 0 for those that do not."""
    first_value: Array
    """`[N]`: before the shock, money."""
    value: Array
    """`[N]`: in the end, costs of failure taken off, money."""


def _holdings(holdings: Any) -> Array:
    matrix = checks.owed("holdings", holdings)
    if not isinstance(holdings, jax.core.Tracer):
        held = np.asarray(holdings, float).sum(0)
        if (held >= 1).any():
            j = int(held.argmax())
            raise ParameterError(f"holdings: {held[j]:g} of {j} is held by others; a share below 1 is needed")
    return matrix


def dependency_matrix(holdings: Any) -> Array:
    """What each organisation's outside owners have of each one's assets in the end: Chat (I - C)^-1.

    Args: `holdings [N, N]`, C_ij, the share of j that i holds; no diagonal, columns sum to less than one.
    Returns: `[N, N]`; columns sum to one.
    Raises: ParameterError where a share is negative, of oneself, or others hold all of an organisation.
    Source: Elliott, Golub & Jackson 2014, American Economic Review 104:3115, eq. 3.
    """
    matrix = _holdings(holdings)
    outside = 1 - matrix.sum(0)
    return outside[:, None] * jnp.linalg.inv(jnp.eye(len(matrix)) - matrix)


def failure_cascade(
    holdings: Any, ownership: Any, prices: Any, shocked: Any, threshold: Any, cost: Any = 0.5
) -> Failures:
    """Organisations whose value falls below a share of what it was fail, lose more, and pull others along.

    v = Chat (I - C)^-1 (D p - b), with b_i = cost * threshold * v_i(0) once i has failed; all of a round at once.

    Args:
      holdings: `[N, N]`, C (see `dependency_matrix`).
      ownership: `[N, K]`, D_ik, share of asset k that i owns, 0 to 1.
      prices, shocked: `[K]`, prices before and after, money, at least 0.
      threshold: theta, share of its first value below which an organisation fails, 0 to 1.
      cost: what a failure costs, as a share of the value at the threshold, at least 0.
    Returns: a `Failures`.
    Raises: ParameterError for shares or prices that are none.
    Source: Elliott, Golub & Jackson 2014, section II, with the hierarchy of failures of the appendix.
    """
    matrix = dependency_matrix(holdings)
    owned = checks.share("ownership", ownership)
    threshold = checks.share("threshold", threshold)
    cost = checks.within("cost", cost, 0, np.inf, "a share of at least 0 is needed")
    if owned.ndim != 2 or len(owned) != len(matrix):
        raise ParameterError(f"ownership: shape {owned.shape}; a row for each of {len(matrix)} is needed")
    before, after = (
        matrix @ (owned @ checks.amounts(name, value, owned.shape[1]))
        for name, value in (("prices", prices), ("shocked", shocked))
    )
    least = threshold * before
    # A tie is no failure, and rounding must not make one of it.
    limit = least * (1 - (1e-12 if least.dtype == jnp.float64 else 1e-6))

    def spread(carry: tuple[Array, Array, Array, Array]) -> tuple[Array, Array, Array, Array]:
        failed, rounds, count, _ = carry
        now = failed | (after - matrix @ (cost * least * failed) < limit)
        more = (now != failed).any()
        return now, jnp.where(now & ~failed, count + 1, rounds), count + 1, more

    nobody = jnp.zeros(len(matrix), bool)
    start = (nobody, jnp.zeros(len(matrix), jnp.int32), jnp.zeros((), jnp.int32), jnp.array(True))
    failed, rounds, _, _ = jax.lax.while_loop(lambda carry: carry[3], spread, start)
    return Failures(failed, rounds, before, after - matrix @ (cost * least * failed))


def random_holdings(key: Array, organisations: int, degree: Any, share: Any) -> Array:
    """Holdings `[N, N]` where each holds of every other with probability d / (N - 1), and holders have equal parts.

    Args: `organisations` N, at least 2; `degree` d, mean number of others that one has a part of, 0 to N - 1; `share`
      c, held by others of each that anybody holds, 0 to below 1.
    Source: Elliott, Golub & Jackson 2014, section III.
    """
    most = organisations - 1
    degree = checks.within("degree", degree, 0, most, f"a mean degree from 0 to {most} is needed")
    share = checks.within("share", share, 0, np.nextafter(1, 0), "a share from 0 to below 1 is needed")
    drawn = jax.random.uniform(key, (organisations, organisations)) < degree / most
    drawn = jnp.where(jnp.eye(organisations, dtype=bool), 0.0, drawn)
    return share * drawn / jnp.maximum(drawn.sum(0), 1)
