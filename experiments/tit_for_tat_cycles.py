"""Defectors give way to tit-for-tat, it to cooperators, they to defectors (Imhof, Fudenberg & Nowak 2005).

Always-cooperate, always-defect and a tit-for-tat that pays for its complexity play ten rounds. To defect is the only
strict equilibrium, yet in populations of intermediate size with rare mutations tit-for-tat is there most of the time.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import numpy as np
import xarray as xr

import jaxcoord as jc
from experiments.verdict import Row, Verdict
from jaxcoord import figures
from jaxcoord.evolution import MoranBirthDeath, exact, full_stationary_distribution, game_field, pure_stability

PAPER = "Imhof et al. 2005"
STRATEGIES = ("ALLC", "ALLD", "TFT")
SHARES = {  # by population size, where mutations are rare
    10: (0.102, 0.379, 0.520),
    20: (0.076, 0.353, 0.571),
    30: (0.061, 0.368, 0.571),
    50: (0.045, 0.419, 0.536),
    100: (0.028, 0.578, 0.395),
    200: (0.011, 0.823, 0.166),
}
MUTATING = {30: (0.1034, 0.3263, 0.5703), 60: (0.1205, 0.3013, 0.5781)}  # of every hundredth offspring
MU = 0.01


def ten_rounds(reward=3.0, sucker=0.1, temptation=5.0, punishment=1.0, rounds=10, complexity=0.8) -> np.ndarray:
    """`[3, 3]`: what each earns over all rounds against each."""
    met = sucker + punishment * (rounds - 1) - complexity
    return np.array([
        [reward * rounds, sucker * rounds, reward * rounds],
        [temptation * rounds, punishment * rounds, temptation + punishment * (rounds - 1)],
        [reward * rounds - complexity, met, reward * rounds - complexity],
    ])  # fmt: skip


def moran(size: int, mu: float = MU, events: int = 100) -> MoranBirthDeath:
    """The paper's process: fitness is payoff, and each offspring mutates with probability mu."""
    game = jc.games.matrix_game(ten_rounds(), names=", ".join(STRATEGIES))
    return MoranBirthDeath(game, size=size, mu=mu, beta=1.0, fitness="linear", events=events)


rare = jax.jit(exact.small_mutation_limit)


def simulated(size: int, small: bool, store: Path, fresh: bool) -> tuple[np.ndarray, np.ndarray]:
    """Mean shares `[3]` of simulated populations, and their standard errors."""
    runs = 128 if small else 512
    model = moran(size, events=size * 100)
    record = jc.Record(kind="mean", burn_in=10, every=30 if small else 190)
    data = jc.simulate(model, steps=40 if small else 200, populations=runs, record=record, store=store, fresh=fresh)
    shares = data.frequency_mean.isel(step=-1)
    return shares.mean("replicate").values, shares.std("replicate", ddof=1).values / np.sqrt(runs)


def run(out: Path, small: bool = False, fresh: bool = False) -> Verdict:
    """Exact shares for every population size, the exact chain with mutation, a simulation, and the figures."""
    folder = out / f"tit_for_tat_cycles{'_small' if small else ''}"
    rows, densities = [], {}
    sizes = np.unique([*SHARES, *([] if small else np.geomspace(5, 300, 30).astype(int))])
    with jax.enable_x64(True):
        limits = np.array([rare(moran(int(size), 0.0)) for size in sizes])
        fixation = np.asarray(jax.jit(exact.fixation_probability)(moran(50, 0.0)))
        for size, mu in ((30, MU), (60, MU), (60, 0.05)):
            chain = exact.chain(moran(size, mu))
            densities[size, mu] = chain.states / size, full_stationary_distribution(chain)
        means = {key: probability @ states for key, (states, probability) in densities.items()}
        for size, expected in MUTATING.items():
            for name, measured, value in zip(STRATEGIES, means[size, MU], expected, strict=True):
                rows.append(Row(f"N={size}, mu={MU}: {name}, exact chain", float(measured), value, 5e-5, PAPER))
        strict = pure_stability(ten_rounds()).strict
    for size, expected in SHARES.items():
        found = limits[np.searchsorted(sizes, size)]
        for name, measured, value in zip(STRATEGIES, found, expected, strict=True):
            rows.append(Row(f"N={size}, rare mutations: {name}", float(measured), value, 5.1e-4, PAPER))
    mean, error = simulated(30, small, folder / "n30", fresh)
    order = [
        STRATEGIES[int(np.argmax(np.where(np.eye(3)[resident], 0, fixation[:, resident])))] for resident in range(3)
    ]
    rows += [
        Row("N=30, simulated less the exact chain, worst share in standard errors",
            float((np.abs(mean - means[30, MU]) / error).max()), 0.0, 4.0, "closed form"),
        Row("N=50: best invaders of ALLC, ALLD, TFT: ALLD, TFT, ALLC", float(order == ["ALLD", "TFT", "ALLC"]),
            1.0, 0, PAPER),
        Row("strict equilibria: ALLD alone", float(np.flatnonzero(strict).tolist() == [1]), 1.0, 0, PAPER),
        Row("sizes from 10 to 50 where TFT is commonest",
            float(np.mean(limits[(sizes >= 10) & (sizes <= 50)].argmax(1) == 2)), 1.0, 0, PAPER),
    ]  # fmt: skip
    paths = [folder / "figures" / f"{name}.png" for name in ("shares", "simplex", "invasion")]
    figures.save(draw_shares(sizes, limits), paths[0])
    figures.save(draw_simplex(densities[60, 0.05]), paths[1])
    at = int(np.searchsorted(sizes, 50))
    figures.save(
        figures.invasion_diagram(STRATEGIES, limits[at], fixation, 50, title="N = 50, rare mutations"), paths[2]
    )
    return Verdict("tit-for-tat-cycles: measured against Imhof, Fudenberg & Nowak 2005", rows, paths)


def draw_shares(sizes: np.ndarray, limits: np.ndarray) -> Any:
    """Shares over population size, where mutations are rare, with the published ones."""
    data = xr.DataArray(limits, {"size": sizes, "strategy": list(STRATEGIES)}, ("size", "strategy"), "share",
                        {"long_name": "long-run share", "units": "1"})  # fmt: skip
    data.coords["size"].attrs = {"long_name": "population size N", "units": "individuals"}
    figure = figures.trajectories(data, over="size", hue="strategy", title="Rare mutations; crosses: published")
    axes = figure.axes[0]
    axes.plot(list(SHARES), list(SHARES.values()), "kx", zorder=4)
    axes.set_xscale("log")
    return figure


def draw_simplex(density: tuple[np.ndarray, np.ndarray]) -> Any:
    """The stationary distribution of a population of 60 with mutation 0.05, over the flow of an infinite one."""
    field = jax.vmap(game_field(ten_rounds()))
    return figures.simplex(
        STRATEGIES, field=lambda shares: np.asarray(field(shares)), density=density,
        title="N = 60, mutation 0.05; arrows: an infinite population",
    )  # fmt: skip
