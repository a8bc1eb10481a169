"""Closed forms and exact chains: the same numbers from a peer and from here, how long each takes, whether they agree.

Both sides compute in double precision, on the same inputs, in one process. The peer gets whichever of its own functions
is right and fastest. Where it is wrong, the equations that define the result decide.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from importlib.metadata import version
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxcoord import evolution

AGREE = 1e-8
LEAST = 1e-7  # EGTtools returns zero for a smaller fixation probability


class Timed(NamedTuple):
    """What a call returns, and its median time."""

    result: Any
    seconds: float
    cores: float
    """CPU time over wall time."""


def timed(run: Callable[[], Any], calls: int = 3, at_least: float = 0.2) -> Timed:
    """Call `run` at least so often, and until so many seconds have passed."""
    walls: list[float] = []
    begun, cpu = time.perf_counter(), time.process_time()
    while len(walls) < calls or time.perf_counter() - begun < at_least:
        start = time.perf_counter()
        result = jax.block_until_ready(run())
        walls.append(time.perf_counter() - start)
    cores = (time.process_time() - cpu) / (time.perf_counter() - begun)
    return Timed(jax.tree.map(np.asarray, result), float(np.median(walls)), cores)


def compiled(function: Callable, *arguments: Any) -> tuple[Callable, float]:
    """`function` as a program that has been called with these arguments, and the seconds that compiling it took."""
    program = jax.jit(function)
    begun = time.perf_counter()
    jax.block_until_ready(program(*arguments))
    return program, time.perf_counter() - begun


def work(
    name: str, unit: str, number: int, peer: Timed, here: Timed, compile_s: float, apart: float, **more: Any
) -> dict:
    """A row of the report: `number` units of work in each call."""
    return {
        "work": name,
        "unit": unit,
        "ratio": peer.seconds / here.seconds,
        f"peer_{unit}_per_second": number / peer.seconds,
        f"{unit}_per_second": number / here.seconds,
        "peer_seconds": peer.seconds,
        "seconds": here.seconds,
        "peer_cores": peer.cores,
        "cores": here.cores,
        "compile_s": compile_s,
        "apart": f"{apart:.1g}",
        "agree": bool(apart < AGREE),
        **more,
    }


def report(peer: str, row: dict[str, Any]) -> dict[str, Any]:
    """A comparison of one row."""
    found = {key: row[key] for key in ("ratio", "compile_s", "agree")}
    return {"peer": f"{peer} {version(peer)}", **found, "works": [row]}


def egttools_process(payoff: np.ndarray, size: int) -> tuple[Any, Any]:
    """EGTtools' exact pairwise comparison, and the game, which must outlive it."""
    from egttools.analytical import PairwiseComparison
    from egttools.games import Matrix2PlayerGameHolder

    game = Matrix2PlayerGameHolder(len(payoff), payoff)
    return PairwiseComparison(size, game), game


def egttools_stationary(transitions: Any) -> np.ndarray:
    """EGTtools' stationary distribution, by eigenvectors of a dense matrix."""
    from egttools.utils import calculate_stationary_distribution

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says when a chain is nearly decomposable
        return np.asarray(calculate_stationary_distribution(transitions.T))


def small_mutation_limit() -> dict[str, Any]:
    """All fixation probabilities of 64 random strategies, Z=100, and the share of time of each, in EGTtools and here.

    The peer has zeros for what is below 1e-7, so its chain is another one: fixation is compared above that, and shares
    are held against the balance of flows into and out of each strategy, which is what defines them.
    """
    strategies, size, beta = 64, 100, 1.0
    payoff = np.random.default_rng(0).normal(size=(strategies, strategies))
    process, _game = egttools_process(payoff, size)

    def theirs() -> tuple[np.ndarray, np.ndarray]:
        transitions, fixation = process.calculate_transition_and_fixation_matrix_sml(beta)
        return np.asarray(fixation), egttools_stationary(transitions)

    peer = timed(theirs, calls=1)
    with jax.enable_x64(True):
        given = jnp.asarray(payoff)
        program, compile_s = compiled(lambda x: evolution.small_mutation_limit(x, size, beta), given)
        here = timed(lambda: program(given))
        rates = np.array(evolution.fixation_probability(payoff, size, beta)).T  # from a resident to a mutant
    np.fill_diagonal(rates, 0)
    held = peer.result[0] > 0
    np.fill_diagonal(held, False)
    fixation = np.abs(peer.result[0] - rates)[held].max()
    missed = rates[~held].max()
    flow = here.result[:, None] * rates
    out, into = flow.sum(1), flow.sum(0)
    balance = np.abs(out - into)[into > 0] / into[into > 0]
    row = work(
        f"{strategies} strategies, Z={size}", "limits", 1, peer, here, compile_s, max(fixation, balance.max()),
        peer_false_zeros=int((~held & (rates > 0)).sum()),
        shares_apart=float(np.abs(peer.result[1] - here.result).max()),
    )  # fmt: skip
    row["agree"] = row["agree"] and bool(missed < LEAST)
    return report("egttools", row)


def stationary_distribution() -> dict[str, Any]:
    """The whole chain of three strategies, Z=50, 1,326 states, and its stationary distribution, in EGTtools and here.

    The peer's exact class builds the right matrix (its `StochDynamics` does not). Ours runs on the host: no compiling.
    """
    import egttools

    strategies, size, beta, mu = 3, 50, 1.0, 0.01
    payoff = np.random.default_rng(1).normal(size=(strategies, strategies))
    process, _game = egttools_process(payoff, size)
    peer = timed(lambda: egttools_stationary(process.calculate_transition_matrix(beta, mu).toarray()), 1, 2.0)

    def ours() -> tuple[np.ndarray, np.ndarray]:
        chain = evolution.fermi_chain(payoff, size, beta, mu)
        return chain.states, evolution.full_stationary_distribution(chain)

    here = timed(ours, at_least=1.0)
    share = dict(zip(map(tuple, here.result[0].tolist()), here.result[1], strict=True))
    states = [tuple(egttools.sample_simplex(i, size, strategies).tolist()) for i in range(len(share))]
    apart = np.abs(peer.result - [share[state] for state in states]).max()
    return report("egttools", work(f"{strategies} strategies, Z={size}", "chains", 1, peer, here, 0.0, float(apart)))


def replicator_field() -> dict[str, Any]:
    """The replicator fields of 100 games in turn, on a grid of 5,151 points of the simplex, in EGTtools and here.

    Of the peer's three functions one is wrong (the compiled `egttools.numerical` one: its fields do not sum to zero).
    Of the others the vectorised one counts, in the shape in which it is fastest (5,151 = 51 x 101: as one row of points
    it takes a thousand times longer). Both sides loop over the games and hold the points by columns.
    """
    from egttools.analytical import replicator_equation
    from egttools.helpers.vectorized import vectorized_replicator_equation

    steps, games = 100, 100
    points = np.array([(i, j, steps - i - j) for i in range(steps + 1) for j in range(steps + 1 - i)]) / steps
    payoffs = np.random.default_rng(2).normal(size=(games, 3, 3))
    grid = np.ascontiguousarray(points.T.reshape(3, 51, 101))

    def in_turn(field: Callable, games: Any) -> Any:
        for payoff in games:
            found = field(payoff)
        return found

    peer = timed(lambda: in_turn(lambda payoff: vectorized_replicator_equation(grid, payoff), payoffs))
    one_by_one = timed(lambda: np.array([replicator_equation(point, payoffs[-1]) for point in points]))
    with jax.enable_x64(True):
        columns, each = jnp.asarray(points.T.copy()), [jnp.asarray(payoff) for payoff in payoffs]
        field = jax.vmap(lambda shares, payoff: evolution.replicator(shares, payoff @ shares), (1, None), 1)
        program, compile_s = compiled(field, columns, each[0])
        here = timed(lambda: in_turn(lambda payoff: program(columns, payoff), each))
    apart = max(np.abs(peer.result.reshape(3, -1) - here.result).max(), np.abs(one_by_one.result.T - here.result).max())
    row = work(
        f"{len(points)} points", "points", games * len(points), peer, here, compile_s, float(apart),
        peer_points_per_second_one_by_one=len(points) / one_by_one.seconds,
    )  # fmt: skip
    return report("egttools", row)


def alpha_rank() -> dict[str, Any]:
    """alpha-Rank of 128 random strategies in OpenSpiel and here, at an intensity that its eigenvectors stand."""
    from open_spiel.python.egt import alpharank

    strategies, size, alpha = 128, 50, 1.0
    payoff = np.random.default_rng(3).normal(size=(strategies, strategies))
    peer = timed(lambda: alpharank.compute([payoff], m=size, alpha=alpha)[2], 1, 2.0)
    with jax.enable_x64(True):
        given = jnp.asarray(payoff), jnp.asarray(alpha)
        program, compile_s = compiled(lambda x, a: evolution.alpha_rank(x, a, size), *given)
        here = timed(lambda: program(*given))
    apart = float(np.abs(peer.result - here.result).max())
    return report("open_spiel", work(f"{strategies} strategies, m={size}", "ranks", 1, peer, here, compile_s, apart))
