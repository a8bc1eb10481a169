"""Adaptive dynamics: a population of one strategy moves where rare mutants close to it do best.

A fitness is any differentiable function of a mutant's and a resident's traits `[D]`: the mutant's payoff among
residents. Its gradient in the mutant, by `jax.grad`, is the direction; so a strategy may be anything that JAX computes
a payoff for, such as `memory_one_fitness`, `reactive_fitness`, or one of these behind a map of one's own, as from slope
and baseline to a zero-determinant strategy.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxcoord.errors import ParameterError
from jaxcoord.evolution.mutation_selection import long_run_outcomes
from jaxcoord.evolution.solve import solve
from jaxcoord.games.repeated.exact import payoff
from jaxcoord.games.repeated.library import STANDARD, Payoffs
from jaxcoord.games.repeated.memory_one import reactive_rates

Array = jax.Array
Fitness = Callable[[Any, Any], Array]


def memory_one_fitness(game: Payoffs = STANDARD, noise: Any = 0.0) -> Fitness:
    """Long-run payoff per round between memory-one strategies in the repeated prisoner's dilemma.

    Args: `game`, R, S, T, P of a round; `noise`, probability that a move is not what was meant, seen by both.
    Returns: a function of a mutant and a resident, each `[4]`: probabilities to cooperate after CC, CD, DC and DD,
      one's own move first, inside 0 to 1 unless there is noise.
    Source: Nowak & Sigmund 1993.
    """

    def fitness(mutant: Any, resident: Any) -> Array:
        own, other = (jnp.asarray(one, float) for one in (mutant, resident))
        return payoff(long_run_outcomes(own + noise * (1 - 2 * own), other + noise * (1 - 2 * other)), game)

    return fitness


def reactive_fitness(game: Payoffs = STANDARD, noise: Any = 0.0) -> Fitness:
    """Long-run payoff per round between reactive strategies (p, q), in closed form.

    Args: as in `memory_one_fitness`.
    Returns: a function of a mutant and a resident, each `[2]`: probabilities to cooperate after C and after D.
    Source: Nowak & Sigmund 1990; 1992.
    """
    return lambda mutant, resident: payoff(reactive_rates(mutant, resident, noise), game)


def invasion_gradient(fitness: Fitness, resident: Any) -> Array:
    """How much better a mutant does than the resident, per unit of each trait, where it hardly differs.

    Args: `resident [D]`. Returns: `[D]`, the gradient of fitness(mutant, resident) in the mutant, at the resident.
    Source: Metz et al. 1996; Dieckmann & Law 1996.
    """
    resident = jnp.asarray(resident, float)
    return jax.grad(fitness)(resident, resident)


def adaptive_field(fitness: Fitness, low: Any = 0.0, high: Any = 1.0) -> Callable[[Any], Array]:
    """The canonical equation of adaptive dynamics with equal, independent mutations: a field for `solve`.

    The invasion gradient, without what would lead out of the box of allowed traits.

    Args: `fitness`, of mutant and resident; `low`, `high`, the box, numbers or `[D]`.
    Returns: a function of traits `[D]` to their rates of change.
    Source: Dieckmann & Law 1996; for strategies of repeated games Nowak & Sigmund 1990.
    """

    low, high = jnp.asarray(low, float), jnp.asarray(high, float)

    def field(traits: Any) -> Array:
        traits = jnp.asarray(traits, float)
        slope = invasion_gradient(fitness, jnp.clip(traits, low, high))
        outward = ((traits <= low) & (slope < 0)) | ((traits >= high) & (slope > 0))
        return jnp.where(outward, 0.0, slope)

    return field


def adaptive_path(fitness: Fitness, start: Any, times: Any, low: Any = 0.0, high: Any = 1.0) -> Array:
    """Where adaptive dynamics lead a resident.

    Args: `start [D]`, inside the box; `times [T]`, at least 0, ascending; the rest as in `adaptive_field`.
    Returns: `[T, D]`.
    Raises: ParameterError where the start is outside the box, or as `solve`.
    """
    start, low, high = (jnp.asarray(x, float) for x in (start, low, high))
    if not isinstance(start, jax.core.Tracer) and bool(((start < low) | (start > high)).any()):
        raise ParameterError(f"start = {start.tolist()}: outside the allowed traits, {low} to {high}")
    # Where a path meets the edge its direction has a kink, which a small step crosses with a small error.
    path = solve(adaptive_field(fitness, low, high), start, times, relative=1e-6, absolute=1e-8)
    return jnp.clip(path, low, high)


class Singular(NamedTuple):
    """What happens where the invasion gradient is zero."""

    gradient: Array
    """`[D]`: the invasion gradient, to see how far it is from zero."""
    curvature: Array
    """`[D, D]`: second derivative of fitness in the mutant; no mutant invades where it is negative definite."""
    jacobian: Array
    """`[D, D]`: of the invasion gradient; residents move towards the point where its eigenvalues are negative."""


def singular(fitness: Fitness, resident: Any) -> Singular:
    """The derivatives that tell whether a strategy with zero gradient is stable, and whether it is reached.

    Args: `resident [D]`.
    Source: Geritz, Kisdi, Meszena & Metz 1998.
    """
    resident = jnp.asarray(resident, float)
    return Singular(
        invasion_gradient(fitness, resident),
        jax.hessian(fitness)(resident, resident),
        jax.jacfwd(lambda here: invasion_gradient(fitness, here))(resident),
    )
