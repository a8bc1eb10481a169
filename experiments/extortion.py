"""Extortion wins its duels and loses the population; generosity spreads (Press & Dyson 2012; Stewart & Plotkin 2013).

A player with a memory of one round can fix a linear relation between both payoffs, whoever it meets. Taking the larger
part of any surplus, it beats everybody it meets; among many it earns little from its like. Taking the larger part of
any loss, it is beaten by all, and stays.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import numpy as np
import xarray as xr
from scipy.optimize import brentq

import jaxcoord as jc
from experiments.verdict import Row, Verdict
from jaxcoord import figures
from jaxcoord.evolution import (
    MoranBirthDeath,
    exact,
    fermi_chain,
    fixation_probability,
    full_stationary_distribution,
    small_mutation_limit,
)
from jaxcoord.evolution.adaptive_dynamics import adaptive_path, memory_one_fitness
from jaxcoord.figures import style
from jaxcoord.games.repeated.exact import cooperation_rate, payoff
from jaxcoord.games.repeated.memory_one import memory_one_payoffs, memory_one_rates
from jaxcoord.games.repeated.zero_determinant import equalizer, extortionate, generous

DYSON, PLOTKIN = "Press & Dyson 2012", "Stewart & Plotkin 2013"
STRATEGIES = {
    "ALLC": (1, 1, 1, 1),
    "ALLD": (0, 0, 0, 0),
    "TFT": (1, 0, 1, 0),
    "WSLS": (1, 0, 0, 1),
    "GTFT": (1, 1 / 3, 1, 1 / 3),
    "EXTORT2": (8 / 9, 1 / 2, 1 / 3, 0),
    "ZDGTFT2": (1, 1 / 8, 1, 1 / 4),
}
SHARES = {  # by population size, with errors of one in a hundred moves, beta 1, rare mutations
    100: (0.0097, 0.2491, 0.0125, 0.1620, 0.3506, 0.0016, 0.2144),
    10: (0.0373, 0.2561, 0.0573, 0.2003, 0.1875, 0.0221, 0.2395),
}
COOPERATION = {100: 0.7161, 10: 0.6693}
ROBUST = {10: 0.578947, 100: 0.507538}  # least slope with which a generous resident resists its worst mutant
ERROR = 0.01


def relations() -> list[Row]:
    """What zero-determinant strategies enforce, against a thousand random opponents and against ALLC."""
    met = np.random.default_rng(2012).uniform(0, 1, (1000, 4))

    def both(strategy: Any) -> tuple[np.ndarray, np.ndarray]:
        rates = np.asarray(memory_one_rates(strategy, met))
        return np.asarray(payoff(rates)), np.asarray(payoff(rates[:, [0, 2, 1, 3]]))

    rows = []
    own, other = both(extortionate(3))
    rows.append(
        Row("chi = 3: s_X - 1 less 3 (s_Y - 1), worst of 1000", np.abs(own - 1 - 3 * (other - 1)).max(), 0, 1e-9, DYSON)
    )
    worst = np.abs(extortionate(3) - np.array([11 / 13, 1 / 2, 7 / 26, 0])).max()
    rows.append(Row("... its entries less 11/13, 1/2, 7/26, 0", float(worst), 0, 1e-12, DYSON))
    rows.append(Row("... opponents that earn more than it", float((other > own).mean()), 0, 0, DYSON))
    for chi in (3, 5):
        rates = memory_one_rates(extortionate(chi), np.ones(4))
        rows += [
            Row(f"chi = {chi} against ALLC: s_X", float(payoff(rates)), (2 + 13 * chi) / (2 + 3 * chi), 1e-9, DYSON),
            Row("... s_Y", float(payoff(rates[np.array([0, 2, 1, 3])])), (12 + 3 * chi) / (2 + 3 * chi), 1e-9, DYSON),
        ]
    _, other = both(equalizer(0.8, 0.2))
    rows.append(Row("equalizer (0.8, 0.4, 0.4, 0.2): s_Y less 2, worst", np.abs(other - 2).max(), 0, 1e-9, DYSON))
    own, other = both(generous(2))
    rows.append(
        Row(
            "generous, chi = 2: s_X - 3 less 2 (s_Y - 3), worst",
            np.abs(own - 3 - 2 * (other - 3)).max(),
            0,
            1e-9,
            PLOTKIN,
        )
    )
    rows.append(Row("... opponents that earn less than it", float((other < own - 1e-9).mean()), 0, 0, PLOTKIN))
    return rows


weakly = jax.jit(lambda process: exact.fixation_probability(process)[0, 1])


def threshold(size: int) -> float:
    """The slope of generous residents from which their worst mutant is no longer favoured under weak selection.

    That mutant earns with its like what they do, takes a loss of `slope` from them and leaves them one of 1.
    """

    def favoured(slope: float) -> float:
        game = jc.games.matrix_game([[2.0, 2.0 - slope], [1.0, 2.0]])
        process = MoranBirthDeath(game, size=size, beta=1e-7, fitness="linear", mu=0.0)
        return size * float(weakly(process)) - 1

    return brentq(favoured, 0.1, 1.0, xtol=1e-12)


def simulated(payoff: np.ndarray, small: bool, store: Path, fresh: bool) -> float:
    """How far simulated shares are from the exact chain at N = 6, mu = 0.01: the worst in standard errors."""
    model = jc.evolution.PairwiseComparison(
        jc.games.matrix_game(payoff, names=", ".join(STRATEGIES)), size=6, mu=0.01, events=1000
    )
    runs, steps = (128, 60) if small else (1024, 200)
    data = jc.simulate(model, steps=steps, populations=runs, store=store, fresh=fresh,
                       record=jc.Record(kind="mean", burn_in=10, every=steps - 10))  # fmt: skip
    shares = data.frequency_mean.isel(step=-1)
    chain = fermi_chain(payoff, 6, 1.0, 0.01)
    expected = full_stationary_distribution(chain) @ chain.states / 6
    error = shares.std("replicate", ddof=1).values / np.sqrt(runs)
    return float((np.abs(shares.mean("replicate").values - expected) / error).max())


def adapting(times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Payoffs `[T]` of an extortioner (chi = 3) and of a player who climbs its own payoff against it."""
    extortioner, fitness = np.asarray(extortionate(3)), memory_one_fitness()
    path = adaptive_path(lambda own, _: fitness(own, extortioner), [0.1, 0.3, 0.2, 0.4], times, 1e-6, 1 - 1e-6)
    return tuple(np.asarray(jax.vmap(play)(path)) for play in (
        lambda own: fitness(extortioner, own), lambda own: fitness(own, extortioner)
    ))  # type: ignore[return-value]  # fmt: skip


def run(out: Path, small: bool = False, fresh: bool = False) -> Verdict:
    """Relations, shares of seven strategies in populations of every size, robustness, adaptation, and the figures."""
    folder = out / f"extortion{'_small' if small else ''}"
    names, vectors = list(STRATEGIES), np.array(list(STRATEGIES.values()))
    sizes = np.unique([2, 10, 100, *(() if small else np.geomspace(2, 300, 40).astype(int))])
    times = np.linspace(0, 20, 201)
    with jax.enable_x64(True):
        rows = relations()
        table = np.asarray(memory_one_payoffs(vectors, noise=ERROR))
        alone = np.asarray(cooperation_rate(memory_one_rates(vectors, vectors, ERROR)))
        limit = jax.jit(small_mutation_limit, static_argnums=1)
        shares = np.array([limit(table, int(size), 1.0) for size in sizes])
        fixation = np.asarray(jax.jit(fixation_probability, static_argnums=1)(table, 100, 1.0))
        thresholds = {size: threshold(size) for size in ROBUST}
        taken, left = adapting(times)
    for size, expected in SHARES.items():
        found = shares[np.searchsorted(sizes, size)]
        rows += [
            Row(f"N = {size}: share of {name}", float(x), y, 5.1e-5, PLOTKIN)
            for name, x, y in zip(names, found, expected, strict=True)
        ]
        rows.append(Row(f"N = {size}: cooperation", float(found @ alone), COOPERATION[size], 5.1e-5, PLOTKIN))
    rows += [
        Row(f"N = {size}: least slope that is robust", thresholds[size], value, 1e-5, PLOTKIN)
        for size, value in ROBUST.items()
    ]
    rows += [
        Row("who adapts to chi = 3 ends as against ALLC: s_X", float(taken[-1]), 41 / 11, 1e-4, DYSON),
        Row("... s_Y", float(left[-1]), 21 / 11, 1e-4, DYSON),
    ]
    rows.append(Row("N = 6, mu = 0.01: simulated less exact, worst, in s.e.",
                    simulated(table, small, folder / "n6", fresh), 0, 4.5, "exact chain"))  # fmt: skip
    paths = [folder / "figures" / f"{name}.png" for name in ("shares", "invasion", "adaptation")]
    figures.save(draw_shares(sizes, shares, names), paths[0])
    largest = shares[np.searchsorted(sizes, 100)]
    figures.save(figures.invasion_diagram(names, largest, fixation, 100, title="N = 100, rare mutations"), paths[1])
    figures.save(draw_adaptation(times, taken, left), paths[2])
    return Verdict("extortion: measured against Press & Dyson 2012, Stewart & Plotkin 2013", rows, paths)


def draw_shares(sizes: np.ndarray, shares: np.ndarray, names: list[str]) -> Any:
    """Long-run shares over population size."""
    data = xr.DataArray(shares, {"size": sizes, "strategy": names}, ("size", "strategy"), "share",
                        {"long_name": "long-run share", "units": "1"})  # fmt: skip
    data.coords["size"].attrs = {"long_name": "population size N", "units": "individuals"}
    figure = figures.trajectories(data, over="size", hue="strategy", title="Rare mutations, errors 0.01")
    figure.axes[0].set_xscale("log")
    return figure


@style.styled
def draw_adaptation(times: np.ndarray, taken: np.ndarray, left: np.ndarray) -> Any:
    """Payoffs of an extortioner and of who adapts to it, over time."""
    figure, axes = style.canvas()
    style.light_grid(axes)
    handles = []
    for i, (name, values) in enumerate((("extortioner, chi = 3", taken), ("who adapts to it", left))):
        look = style.look(i)
        handles += axes.plot(times, values, color=look.colour, linestyle=look.line, label=name)
    for value in (41 / 11, 21 / 11):
        axes.axhline(value, color="black", linewidth=0.8, linestyle=":")
    axes.set(xlabel="time", ylabel="payoff per round", title="Who adapts to an extortioner pays it")
    style.legend(axes, handles, True)
    return figure
