"""Exact results of any rule of `jaxcoord.evolution.process`: fixation, stationary distributions, times, whole chains.

They follow from what the rule itself says (`switching`, `log_ratio`), so a rule of one's own has them too. Two
strategies and the small-mutation limit are functions of JAX, batched and differentiable, in float64 inside
`with jax.enable_x64(True):`. Chains over all compositions are built on the host.
"""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxcoord.errors import ParameterError
from jaxcoord.evolution.chain import Chain, compositions
from jaxcoord.evolution.fixation import pair_payoffs, stationary_from_log_rates
from jaxcoord.evolution.process import EventProcess, FinitePopulation, GenerationProcess
from jaxcoord.evolution.times import FixationTimes, times_from_log_rates

Array = jax.Array
DENSE_STATES = 20_000


def _two(process: FinitePopulation) -> None:
    if len(process.game.strategies) != 2:
        raise ParameterError(f"game: {len(process.game.strategies)} strategies; this needs two, see `exact.chain`")


def rates(process: EventProcess) -> tuple[Array, Array]:
    """Probabilities that one event adds, or takes away, an individual of strategy 0 of two.

    Returns: T+ and T-, each `[Z+1]`, for k = 0..Z individuals of strategy 0.
    Raises: ParameterError where the game does not have two strategies.
    """
    _two(process)
    k = jnp.arange(process.size + 1, dtype=float)

    def at(k):
        switching = process.switching(jnp.stack([k, process.size - k]), process.mu)
        return (process.size - k) / process.size * switching[1, 0], k / process.size * switching[0, 1]

    up, down = jax.vmap(at)(k)
    # Where nobody is left to change its strategy the row means nothing.
    return jnp.where(k < process.size, up, 0), jnp.where(k > 0, down, 0)


def stationary_distribution(process: FinitePopulation) -> Array:
    """Long-run distribution of the number of strategy-0 individuals of two, with mutation.

    Of events by the product form; of generations by state reduction of the whole chain.

    Returns: `[Z+1]`, for k = 0..Z.
    Raises: ParameterError where the game does not have two strategies.
    Source: Karlin & Taylor 1975; Grassmann, Taksar & Heyman 1985.
    """
    if isinstance(process, EventProcess):
        up, down = rates(process)
        return jax.nn.softmax(jnp.concatenate([jnp.zeros(1), jnp.cumsum(jnp.log(up[:-1]) - jnp.log(down[1:]))]))
    return stationary_from_log_rates(_log_generations(process, process.mu))


def log_fixation_probability(process: FinitePopulation) -> Array:
    """Natural logarithm of the probability that one mutant takes over a population, without mutation.

    Of events by the sum of products of T-/T+; of generations by a linear system over the number of mutants.

    Returns: `[S, S]`, entry (i, j): a single i among Z-1 j. The diagonal is -ln Z.
    Source: Karlin & Taylor 1975; Nowak 2006, eq. 6.13.
    """
    if isinstance(process, EventProcess):
        mutant, resident = pair_payoffs(process.game, process.size)
        sums = jnp.cumsum(process.log_ratio(mutant, resident), axis=-1)
        return -jax.nn.logsumexp(jnp.concatenate([jnp.zeros_like(sums[..., :1]), sums], -1), axis=-1)
    kinds = len(process.game.strategies)

    def absorb(i, j):
        flow = jnp.exp(_log_generations(process, 0.0, i, j))
        inside = jnp.eye(process.size - 1) - flow[1:-1, 1:-1]
        return jnp.log(jnp.linalg.solve(inside, flow[1:-1, -1])[0])

    index = jnp.arange(kinds)
    found = jax.vmap(jax.vmap(absorb, (None, 0)), (0, None))(index, index)
    return jnp.where(jnp.eye(kinds, dtype=bool), -math.log(process.size), found)


def fixation_probability(process: FinitePopulation) -> Array:
    """Probability that one mutant takes over a population, without mutation: see `log_fixation_probability`."""
    return jnp.exp(log_fixation_probability(process))


def fixation_times(process: EventProcess) -> FixationTimes:
    """Expected absorption and conditional fixation times of a single strategy-0 mutant, in events, without mutation.

    Raises: ParameterError where the game does not have two strategies.
    Source: as `jaxcoord.evolution.fixation_times`.
    """
    _two(process)
    mutant, resident = pair_payoffs(process.game, process.size)
    ratio = process.log_ratio(mutant, resident)[0, 1]

    def loses(k):
        return process.copying(jnp.stack([k, process.size - k]))[0, 1]

    k = jnp.arange(1, process.size, dtype=float)
    down = jnp.log(k / process.size) + jnp.log(jax.vmap(loses)(k))
    return times_from_log_rates(down - ratio, down)


def small_mutation_limit(process: FinitePopulation) -> Array:
    """Share of time that each strategy is the whole population when mutations are rare.

    Mutants come by the process's kernel and fixate with `log_fixation_probability`.

    Returns: `[S]`, summing to one.
    Source: Fudenberg & Imhof 2006.
    """
    kinds = len(process.game.strategies)
    return stationary_from_log_rates(log_fixation_probability(process).T + jnp.log(process.kernel.matrix(kinds)))


def gradient_of_selection(process: FinitePopulation, counts: Any) -> Array:
    """Expected change of the counts in one event, or in one generation, without mutation.

    Args: `counts [S]`, individuals of each strategy.
    Returns: `[S]`, individuals; it sums to zero.
    """
    counts = jnp.asarray(counts, float)
    change = jnp.sum(jnp.where(counts[:, None] > 0, counts[:, None] * process.copying(counts), 0), 0) - counts
    return change / process.size if isinstance(process, EventProcess) else change


def chain(process: FinitePopulation) -> Chain:
    """The chain over all compositions of the population: one event, or one generation, a step.

    Returns: states `[N, S]` and sparse transitions; `full_stationary_distribution` takes it.
    Raises: ParameterError where there are too many states; a chain of generations is dense, with at most
      `DENSE_STATES` states.
    """
    from scipy.sparse import csr_matrix

    kinds, size = len(process.game.strategies), process.size
    states = compositions(kinds, size)
    if isinstance(process, GenerationProcess) and len(states) > DENSE_STATES:
        raise ParameterError(f"size = {size}: {len(states)} states; at most {DENSE_STATES} in a chain of generations")
    with jax.enable_x64(True):
        switching = np.nan_to_num(np.asarray(_switching_at(process, jnp.asarray(states, float))))
    code = states @ ((size + 1) ** np.arange(kinds - 1, -1, -1, dtype=np.int64))
    if isinstance(process, GenerationProcess):
        return Chain(states, csr_matrix(_generation_rows(states, switching)))
    from_, to, chances = [], [], []
    for source in range(kinds):
        present = np.flatnonzero(states[:, source])
        for target in range(kinds):
            if target != source:
                step = (size + 1) ** (kinds - 1 - target) - (size + 1) ** (kinds - 1 - source)
                from_.append(present)
                to.append(np.searchsorted(code, code[present] + step))
                chances.append(states[present, source] / size * switching[present, source, target])
    index = np.arange(len(states))
    leaving = np.bincount(np.concatenate(from_), np.concatenate(chances), len(states)) if from_ else np.zeros(1)
    data = np.concatenate([*chances, 1 - leaving])
    place = (np.concatenate([*from_, index]), np.concatenate([*to, index]))
    return Chain(states, csr_matrix((data, place), (len(states),) * 2))


@jax.jit
def _switching_at(process: FinitePopulation, states: Array) -> Array:
    return jax.vmap(lambda counts: process.switching(counts, process.mu))(states)


def _log_binomial(number: Array, chance: Array, top: int) -> Array:
    # Logarithms of the binomial distribution of `number` trials over 0..top; minus infinity where impossible.
    k = jnp.arange(top + 1, dtype=float)
    rest = number - k
    gammaln = jax.scipy.special.gammaln
    ways = gammaln(number + 1) - gammaln(k + 1) - gammaln(jnp.maximum(rest, 0) + 1)
    logs = ways + jax.scipy.special.xlogy(k, chance) + jax.scipy.special.xlog1py(jnp.maximum(rest, 0), -chance)
    return jnp.where(rest >= 0, logs, -jnp.inf)


def _log_generations(process: FinitePopulation, mu: Any, one: Any = 0, other: Any = 1) -> Array:
    # `[Z+1, Z+1]`: logarithms of the chain of k individuals of one strategy among those of another.
    if isinstance(one, int):
        _two(process)
    kinds = jnp.arange(len(process.game.strategies))

    def row(k):
        counts = jnp.where(kinds == one, k, jnp.where(kinds == other, process.size - k, 0.0))
        switching = process.switching(counts, mu)
        stay = jnp.where(k > 0, switching[one, one], 0.0)
        turn = jnp.where(k < process.size, switching[other, one], 0.0)
        kept = jnp.exp(_log_binomial(k, stay, process.size))
        won = jnp.exp(_log_binomial(process.size - k, turn, process.size))
        return jnp.convolve(kept, won)[: process.size + 1]

    return jnp.log(jax.vmap(row)(jnp.arange(process.size + 1, dtype=float)))


def _generation_rows(states: np.ndarray, switching: np.ndarray) -> np.ndarray:
    # Each composition goes to the sum of one multinomial for every strategy present: polynomials multiplied.
    size, kinds = int(states[0].sum()), states.shape[1]
    place = {tuple(state): at for at, state in enumerate(states)}
    rows = np.zeros((len(states), len(states)))
    for at, (counts, chances) in enumerate(zip(states, switching, strict=True)):
        reached = np.zeros((1,) * (kinds - 1))
        reached.flat[0] = 1.0
        for strategy in np.flatnonzero(counts):
            reached = _convolved(reached, _multinomial(int(counts[strategy]), chances[strategy]))
        for index in np.argwhere(reached > 0):
            rows[at, place[(*index, size - index.sum())]] += reached[tuple(index)]
    return rows


def _multinomial(number: int, chances: np.ndarray) -> np.ndarray:
    from scipy.special import gammaln, xlogy

    parts = compositions(len(chances), number)
    logs = gammaln(number + 1) - gammaln(parts + 1).sum(1) + xlogy(parts, chances).sum(1)
    grid = np.zeros((number + 1,) * (len(chances) - 1))
    grid[tuple(parts[:, :-1].T)] = np.exp(logs)
    return grid


def _convolved(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    from scipy.signal import convolve

    return convolve(first, second, method="direct")
