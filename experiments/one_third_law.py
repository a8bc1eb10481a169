"""When can one cooperator invade defectors? The one-third law (Nowak, Sasaki, Taylor & Fudenberg 2004).

In a finite population a single tit-for-tat player among always-defectors, over n rounds of the prisoner's dilemma, is
favoured by weak selection where it would do better than they do at a frequency below one third.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

import jaxcoord as jc
from experiments.verdict import Row, Verdict
from jaxcoord import figures
from jaxcoord.evolution import MoranBirthDeath, exact, invasion_barrier, weak_selection_slope

PAPER = "Nowak et al. 2004"


def repeated(rounds: int) -> list[list[float]]:
    """TFT and ALLD over n rounds of the prisoner's dilemma 5-3-1-0."""
    return [[3.0 * rounds, rounds - 1.0], [rounds + 4.0, float(rounds)]]


def moran(payoff: Any, size: int, w: Any) -> MoranBirthDeath:
    """The paper's process: fitness 1 - w + w * payoff."""
    return MoranBirthDeath(jc.games.matrix_game(payoff), beta=w, fitness="linear", size=size, mu=0.0)


@partial(jax.jit, static_argnums=1)
def fixation(payoff: Any, size: int, w: Any) -> jax.Array:
    """Probability that a single strategy-0 individual takes over."""
    return exact.fixation_probability(moran(payoff, size, w))[0, 1]


def advantage(rounds: int, size: int, w: float) -> float:
    """Z times the fixation probability of one TFT among ALLD: above one it is favoured."""
    return size * float(fixation(np.array(repeated(rounds)), size, w))


class FromOneMutant(MoranBirthDeath):
    """The Moran process from a single individual of the first strategy."""

    def init(self, key):
        return jnp.array([1, self.size - 1], jnp.int32)


def simulated(small: bool, store: Path, fresh: bool) -> tuple[float, float]:
    """Share of populations that one TFT takes over at n = 10, Z = 20, w = 0.1, and its standard error."""
    replicates = 4000 if small else 40_000
    model = FromOneMutant(jc.games.matrix_game(repeated(10)), beta=0.1, fitness="linear", size=20, mu=0.0, events=400)
    data = jc.simulate(model, steps=20, populations=replicates, record=jc.Record(every=20), store=store, fresh=fresh)
    last = data.frequency.isel(strategy=0).sel(step=20).values
    won = float((last == 1).mean())
    return won, float(np.sqrt(won * (1 - won) / replicates)) + float(((last > 0) & (last < 1)).mean())


def agreement(size: int = 20_000) -> float:
    """Share of 200 random coordination games where selection favours a mutant as its barrier says."""
    random = np.random.default_rng(4)
    tables = random.uniform(0, 1, (200, 2, 2)) + np.eye(2)
    barrier = np.array([invasion_barrier(table)[0, 1] for table in tables])
    slope = np.array([weak_selection_slope(table, size)[0, 1] for table in tables])
    return float(((slope > 0) == (barrier < 1 / 3)).mean())


def run(out: Path, small: bool = False, fresh: bool = False) -> Verdict:
    """Compare fixation probabilities, slopes, windows and a simulation with the paper; draw where TFT is favoured."""
    folder = out / f"one_third_law{'_small' if small else ''}"
    measured, error = simulated(small, folder / "n10", fresh)
    rounds, sizes = np.arange(2, 13), np.unique(np.geomspace(4, 400, 12 if small else 40).astype(int))
    with jax.enable_x64(True):
        barriers = {n: float(invasion_barrier(repeated(n))[0, 1]) for n in (3, 4, 10)}
        slopes = [
            (jax.grad(fixation, argnums=2)(np.array(repeated(n)), z, 0.0),
             weak_selection_slope(repeated(n), z)[0, 1])
            for n, z in ((2, 10), (4, 25), (10, 100))
        ]  # fmt: skip
        exact_tft = advantage(10, 20, 0.1) / 20
        rows = [
            Row("n=10, Z=20, w=0.01: fixation of one TFT", advantage(10, 20, 0.01) / 20, 0.0664493, 5e-8, PAPER),
            Row("... Z=100", advantage(10, 100, 0.01) / 100, 0.0247450, 5e-8, PAPER),
            Row("... Z=20, w=0.1, simulated, less the exact sum", measured - exact_tft, 0.0, 4 * error, "4 s.e."),
            Row("slope in w less (alpha Z - beta) / 6 Z, worst", max(abs(float(a - b)) for a, b in slopes), 0.0, 1e-9,
                PAPER),
            Row("barrier at n=3", barriers[3], 1 / 3, 1e-12, PAPER),
            Row("barrier at n=4", barriers[4], 1 / 5, 1e-12, PAPER),
            Row("barrier at n=10", barriers[10], 1 / 17, 1e-12, PAPER),
            Row("200 coordination games that follow the one-third law", agreement(), 1.0, 0.005, PAPER),
        ]  # fmt: skip
        for n, least in ((4, 10), (5, 6), (10, 4)):
            found = next(z for z in range(2, 100) if advantage(n, z, 1e-6) > 1)
            rows.append(Row(f"n={n}, weak selection: smallest Z that favours TFT", found, least, 0, PAPER))
        for n, low, high in ((5, 10, 82), (10, 4, 880)):
            inside = [advantage(n, z, 1.0) > 1 for z in (low - 1, low, high, high + 1)]
            rows.append(Row(f"n={n}, w=1: TFT favoured from Z={low} to {high}, and not beyond",
                            float(inside == [False, True, True, False]), 1.0, 0, PAPER))  # fmt: skip
        tables = np.array([repeated(int(n)) for n in rounds])
        favoured = np.array([z * jax.vmap(fixation, (0, None, None))(tables, int(z), 0.01) for z in sizes]).T
        edge = [_edge(int(n)) for n in rounds]

    data = xr.DataArray(
        favoured,
        {"rounds": rounds, "size": sizes},
        attrs={"long_name": "fixation of one TFT over neutral", "units": "1"},
    )
    data.coords["rounds"].attrs = {"long_name": "rounds n", "units": "1"}
    data.coords["size"].attrs = {"long_name": "population size Z", "units": "individuals"}
    kept = [(n, z) for n, z in zip(rounds, edge, strict=True) if 0 < z < sizes[-1]]
    figure = figures.phase_diagram(
        data, levels=[1.0], boundaries={"weak selection: Z = beta / alpha": tuple(np.array(kept).T)},
        title="One tit-for-tat among always-defectors, w = 0.01",
    )  # fmt: skip
    path = folder / "figures" / "one_third_law.png"
    figures.save(figure, path)
    return Verdict("one-third-law: measured against Nowak, Sasaki, Taylor & Fudenberg 2004", rows, [path])


def _edge(rounds: int) -> float:
    # The population size beta / alpha from which weak selection favours TFT; negative where none does.
    (a, b), (c, d) = repeated(rounds)
    alpha, beta = a + 2 * b - c - 2 * d, 2 * a + b + c - 4 * d
    return beta / alpha if alpha > 0 else -1.0
