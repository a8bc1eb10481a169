"""Rock, paper, scissors without end: spirals, closed orbits and a heteroclinic cycle (Hofbauer & Sigmund 1998).

The winner earns w = 1, the loser pays l. Under the replicator dynamics the middle of the simplex attracts every
population where l < w; at l = w each runs for ever on its own closed orbit, on which the product of shares is constant
and the mean over time is the middle; where l > w all spiral outwards, and rest near each corner l / w times as long as
near the one before.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxcoord as jc
from experiments.verdict import Row, Verdict
from jaxcoord import figures
from jaxcoord.evolution.dynamics import game_field, log_replicator_field
from jaxcoord.evolution.infinite import InfinitePopulation
from jaxcoord.evolution.rest_points import linear_stability, replicator_rest_points
from jaxcoord.evolution.solve import solve
from jaxcoord.games import rock_paper_scissors

LOSSES = (0.5, 1.0, 1.5)
START = (0.5, 0.3, 0.2)
MIDDLE = np.full(3, 1 / 3)
BOOK, SCIPY = "Hofbauer & Sigmund", "SciPy's DOP853"


@jax.jit
def orbit(loss: Any, start: Any, length: Any) -> tuple[jax.Array, jax.Array]:
    """Shares at 601 times from 0 to `length`, and their integrals over time, where a win earns 1."""
    field = game_field(rock_paper_scissors(1.0, loss))
    times = jnp.linspace(0, length, 601)
    start = jnp.asarray(start, float)
    both = start, jnp.zeros(3)
    return solve(lambda both: (field(both[0]), both[0]), both, times, relative=1e-12, absolute=1e-15)


def period(start: Any, guess: float) -> float:
    """The time after which a closed orbit comes back to its start: Newton's method on the way along the first rate.

    Args: `guess`, near enough that no other passage of the plane through the start is closer.
    """
    field = game_field(rock_paper_scissors(1.0, 1.0))
    ahead, time = field(jnp.asarray(start, float)), guess
    for _ in range(6):
        there = orbit(1.0, start, time)[0][-1]
        time -= float((there - jnp.asarray(start)) @ ahead / (field(there) @ ahead))
    return time


def residence_ratio(win: float, loss: float, horizon: float) -> float:
    """How much longer the last strategy led than the one before, in a long orbit."""
    times = np.linspace(0, horizon, 200_001)
    logs = np.asarray(solve(log_replicator_field(rock_paper_scissors(win, loss)), np.log(START), times))
    leader = logs.argmax(1)
    changes = times[1:][leader[1:] != leader[:-1]]
    return float((changes[-1] - changes[-2]) / (changes[-2] - changes[-3]))


def run(out: Path, small: bool = False, fresh: bool = False) -> Verdict:
    """Solve the three cases, and let populations from random starts settle."""
    rows = []
    with jax.enable_x64(True):
        for loss in LOSSES:
            eigenvalues, _ = linear_stability(game_field(rock_paper_scissors(1.0, loss)), MIDDLE)
            largest = eigenvalues[eigenvalues.imag.argmax()]
            rows += [
                Row(f"l={loss:g}: growth rate, (l-w)/6", largest.real, (loss - 1) / 6, 1e-9, BOOK),
                Row("angular speed, sqrt(3)(w+l)/6", largest.imag, np.sqrt(3) * (1 + loss) / 6, 1e-9, BOOK),
            ]
        back = period(START, 11.4)
        small_orbits = period(MIDDLE + 1e-4 * np.array([1, -0.5, -0.5]), 10.9)
        shares, integral = (np.asarray(part) for part in orbit(1.0, START, back))
        ratio = residence_ratio(1.0, 2.0, 5e3 if small else 2e4)
    rows += [
        Row("l=1: period through (.5,.3,.2)", back, 11.398259482, 1e-6, SCIPY),
        Row("small orbits, 2 pi sqrt(3)", small_orbits, 2 * np.pi * np.sqrt(3), 1e-6, BOOK),
        Row("change of the product xyz", float(np.abs(shares.prod(1) - 0.03).max()), 0.0, 1e-9, BOOK),
        Row("mean over a period less 1/3", float(np.abs(integral[-1] / back - MIDDLE).max()), 0.0, 1e-6, BOOK),
        Row("l=2: growth of residence, l/w", ratio, 2.0, 0.02, BOOK),
    ]

    name = f"rock_paper_scissors{'_small' if small else ''}"
    steps = 10_000
    runs = jc.sweep(InfinitePopulation(rock_paper_scissors()), {"loss": [LOSSES[0], LOSSES[2]]}, steps=steps,
                    replicates=256 if small else 4096, record=jc.Record(every=steps), store=out / name,
                    fresh=fresh)  # fmt: skip
    last = runs.frequency.isel(step=-1).load()
    middle = (np.abs(last - 1 / 3) < 0.01).all("strategy").mean("replicate").values
    edge = (last.min("strategy") < 1e-4).mean("replicate").values
    rows += [
        Row("l=0.5: random starts that settle", float(middle[0]), 1.0, 0.0, BOOK),
        Row("l=1.5: random starts that go out", float(edge[1]), 1.0, 0.0, BOOK),
    ]
    path = out / name / "figures" / "simplex.png"
    figures.save(draw(), path)
    return Verdict("rock-paper-scissors: measured against Hofbauer & Sigmund 1998", rows, [path])


def draw() -> Any:
    """Three simplices: the flow, the rest points and orbits where a loss is less, as much and more than a win."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 3.9), layout="constrained")
    panels = (
        ("loss below win: inwards", [(0.86, 0.1, 0.04)], 40.0),
        ("loss equals win: closed orbits", [START, (0.42, 0.3, 0.28), (0.7, 0.2, 0.1)], 14.0),
        ("loss above win: outwards", [(0.36, 0.33, 0.31)], 60.0),
    )
    for axes, loss, (title, starts, length) in zip(figure.subplots(1, 3), LOSSES, panels, strict=True):
        game = rock_paper_scissors(1.0, loss)
        rest = replicator_rest_points(game)
        payoff = np.asarray(game.payoff())
        with jax.enable_x64(True):
            orbits = [np.asarray(orbit(loss, start, length)[0]) for start in starts]
        figures.simplex(
            game.strategies,
            field=lambda x, payoff=payoff: x * (x @ payoff.T - ((x @ payoff.T) * x).sum(1, keepdims=True)),
            rest_points=(rest.points, rest.kinds),
            trajectories=orbits,
            title=title,
            axes=axes,
        )
    return figure
