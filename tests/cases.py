"""Reference cases that were computed elsewhere, and the plain NumPy arithmetic that they are compared with."""

import json
import math
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

from jaxcoord import random

DATA = Path(__file__).parent / "data"
FAMILY = 1e-4  # chance that a correct program fails one statistical test, whatever the number of comparisons in it


def load(file, *prefixes):
    """The cases of a file whose id starts with one of the prefixes, by id."""
    entries = json.loads((DATA / file).read_text())["cases"]
    found = {case["id"]: case for case in entries if case["id"].startswith(prefixes)}
    if not found:
        raise LookupError(f"{file}: no case starts with {prefixes}")
    return found


def assert_close(actual, expected, tolerance):
    """Equal within the case's own tolerance."""
    bounds = {"rtol": tolerance.get("rel", 0.0), "atol": tolerance.get("abs", 0.0)}
    np.testing.assert_allclose(np.asarray(actual), np.asarray(expected), **bounds)


def critical(comparisons):
    """Standard errors that one of so many comparisons may be off: 3.9 for one, 4.9 for a hundred (Bonferroni)."""
    return stats.norm.isf(FAMILY / (2 * comparisons))


def assert_means(samples, expected):
    """Means over independent populations `[P, ...]` agree with their expectations by their own standard errors."""
    samples, expected = np.asarray(samples, float), np.asarray(expected, float)
    error = samples.std(0, ddof=1) / math.sqrt(len(samples))
    off = np.abs(samples.mean(0) - expected)
    assert (off <= critical(expected.size) * error).all(), f"{(off / error).max():.2f} standard errors off"


def assert_frequencies(observed, probabilities):
    """Counts of independent trials agree with probabilities: nothing impossible, each cell, and all of them jointly."""
    observed, probabilities = np.ravel(observed), np.ravel(probabilities)
    trials = observed.sum()
    expected = trials * probabilities
    assert not observed[probabilities == 0].any(), "an impossible outcome"
    common = expected >= 20
    error = np.sqrt(expected * (1 - probabilities))[common]
    off = np.abs(observed - expected)[common]
    assert (off <= critical(common.sum()) * error).all(), f"{(off / error).max():.2f} standard errors off"
    pooled = [np.append(x[common], x[~common].sum()) for x in (observed, expected)]
    kept = pooled[1] > 1e-9 * trials
    if not kept[-1]:
        assert pooled[0][-1] == 0
    agreement = stats.chisquare(pooled[0][kept], pooled[1][kept] * trials / pooled[1][kept].sum())
    assert agreement.pvalue > FAMILY, f"chi-square {agreement.statistic:.1f} in {kept.sum()} cells"


def one_event(counts, payoff, beta, mu):
    """`[S, S]`: probability that one event of pairwise comparison turns an i (row) into a j (column), i != j.

    What is left to one, that nothing changes, stands at [0, 0].
    """
    counts, payoff = np.asarray(counts, float), np.asarray(payoff, float)
    size, options = counts.sum(), len(counts)
    earned = (payoff @ counts - np.diag(payoff)) / (size - 1)
    copies = 1 / (1 + np.exp(-beta * (earned[None, :] - earned[:, None])))
    moves = counts[:, None] / size * (mu / (options - 1) + (1 - mu) * counts[None, :] / (size - 1) * copies)
    np.fill_diagonal(moves, 0)
    moves[0, 0] = 1 - moves.sum()
    return moves


def chain(payoff, size, beta, mu):
    """States `[M, S]` of all populations of this size, and the transition matrix `[M, M]` of one event."""
    options = len(payoff)
    bars = np.indices((size + 1,) * (options - 1)).reshape(options - 1, -1).T
    bars = bars[bars.sum(1) <= size]
    states = np.column_stack([bars, size - bars.sum(1)])
    place = {tuple(state): row for row, state in enumerate(states)}
    matrix = np.zeros((len(states), len(states)))
    unit = np.eye(options, dtype=int)
    for row, state in enumerate(states):
        for (i, j), chance in np.ndenumerate(one_event(state, payoff, beta, mu)):
            if chance > 0:
                matrix[row, place[tuple(state + unit[j] - unit[i])]] += chance
    return states, matrix


def null_vector(matrix):
    """The stationary distribution of a transition matrix, by a linear solve."""
    system = matrix.T - np.eye(len(matrix))
    system[-1] = 1
    return np.linalg.solve(system, np.eye(len(matrix))[-1])


def communication(op):
    """The cases of one operation on languages: each with its inputs and what is expected."""
    entries = json.loads((DATA / "communication_cases.json").read_text())["deterministic"]
    found = [(case, case["inputs"], case["expected"]) for case in entries if case["op"] == op]
    assert found
    return found


def assert_case(found, expected, case):
    """Within the case's tolerance; what is null there is NaN here."""
    expected = np.array(expected, float)
    np.testing.assert_allclose(np.array(found, float), expected, case["rtol"], case["atol"], err_msg=case["id"])


def quick(function, **more):
    """Compiled for a program that runs once."""
    return jax.jit(function, compiler_options={"xla_backend_optimization_level": 0}, **more)


def run(model, populations, steps):
    """Observables `[populations, ...]` of a model after some steps."""

    def one(key):
        state = model.init(random.step_key(key, 0))
        step = lambda state, at: (model.step(state, random.step_key(key, at)), None)  # noqa: E731
        return model.observe(jax.lax.scan(step, state, 1 + jnp.arange(steps))[0])

    keys = jax.vmap(random.population_key, (None, None, 0))(0, 0, jnp.arange(populations))
    return {name: np.asarray(value, float) for name, value in jax.jit(jax.vmap(one))(keys).items()}
