"""Mutation and selection find win-stay, lose-shift, which mends its errors and does not spare fools (Nowak & Sigmund).

Populations of strategies with a memory of one round, with mutants now and then, pass from defection over tit-for-tat
and its generous kin to cooperation that lasts, kept by win-stay, lose-shift in most runs (Nature 364:56, 1993).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import numpy as np

import jaxcoord as jc
from experiments.verdict import Row, Verdict
from jaxcoord import figures
from jaxcoord.evolution.mutation_selection import MutationSelection
from jaxcoord.figures import style
from jaxcoord.games.repeated.automaton import memory_one
from jaxcoord.games.repeated.exact import payoff_matrix
from jaxcoord.games.repeated.memory_one import memory_one_payoffs

PAPER = "Nowak & Sigmund 1993"
STRATEGIES = {
    "ALLC": (1, 1, 1, 1),
    "ALLD": (0, 0, 0, 0),
    "TFT": (1, 0, 1, 0),
    "WSLS": (1, 0, 0, 1),
    "GTFT": (1, 1 / 3, 1, 1 / 3),
    "GRIM": (1, 0, 0, 0),
}
ERROR = 0.001
PAYOFFS = {  # of the first against the second, per round
    ("TFT", "TFT"): 2.25,
    ("WSLS", "WSLS"): 2.9950,
    ("WSLS", "ALLD"): 0.5035,
    ("ALLD", "WSLS"): 2.9985,
    ("WSLS", "ALLC"): 3.9965,
    ("GTFT", "GTFT"): 2.9970,
    ("GRIM", "GRIM"): 1.0040,
}
RARE = {("TFT", "TFT"): 9 / 4, ("WSLS", "WSLS"): 3.0, ("ALLD", "WSLS"): 3.0}  # as errors vanish
COURSE = {  # generations: share of runs that cooperate, that are like WSLS, mean payoff
    1_000_000: (0.60, 0.45, 2.26),
    5_000_000: (0.86, 0.69, 2.74),
    10_000_000: (0.96, 0.78, 2.92),
}
TEMPTATIONS = (4.5, 5.0)  # only below 5 is 2 R > T + P, so that defectors gain nothing from WSLS
WINDOW = 100_000  # generations over which payoffs are averaged
COOPERATIVE = 2.8  # mean payoff above which a run counts as cooperative


def simulate(small: bool, store: Path, fresh: bool) -> Any:
    """The runs of every temptation, as means over windows; over a tenth of the generations where small."""
    model = MutationSelection()
    windows, runs = (10, 96) if small else (100, 128)
    every = WINDOW // model.generations
    return jc.sweep(model, {"t": list(TEMPTATIONS)}, steps=windows * every, replicates=runs, store=store, fresh=fresh,
                    record=jc.Record(kind="mean", every=every), tile=len(TEMPTATIONS) * runs).load()  # fmt: skip


def judged(runs: Any, generations: int) -> tuple[float, float, float]:
    """Shares of runs that cooperate and that are like WSLS, and the mean payoff, in the window that ends then."""
    window = runs.isel(step=generations // WINDOW - 1)
    after = {name: window.strategy_mean.sel(after=name) for name in ("CC", "CD", "DC", "DD")}
    like = (after["CC"] > 0.9) & (after["CD"] < 0.2) & (after["DC"] < 0.2) & (after["DD"] > 0.6)
    return float((window.payoff_mean > COOPERATIVE).mean()), float(like.mean()), float(window.payoff_mean.mean())


def run(out: Path, small: bool = False, fresh: bool = False) -> Verdict:
    """Exact payoffs, runs of mutation and selection, and how cooperation comes and goes in some of them."""
    folder = out / f"win_stay_lose_shift{'_small' if small else ''}"
    names, vectors = list(STRATEGIES), np.array(list(STRATEGIES.values()))
    with jax.enable_x64(True):
        table = np.asarray(memory_one_payoffs(vectors, noise=ERROR))
        limits = np.asarray(payoff_matrix([memory_one(*vector) for vector in vectors], noise=1.0, vanishing=True))
    rows = [
        Row(f"{one} against {other}", float(table[names.index(one), names.index(other)]), value, 5.1e-5, PAPER)
        for (one, other), value in PAYOFFS.items()
    ]
    rows += [
        Row(
            f"... {one} against {other}, rare errors",
            float(limits[names.index(one), names.index(other)]),
            value,
            1e-12,
            PAPER,
        )
        for (one, other), value in RARE.items()
    ]
    data = simulate(small, folder / "runs", fresh)
    lower, runs = (data.sel(t=temptation) for temptation in TEMPTATIONS)
    for generations, expected in COURSE.items():
        if generations > runs.sizes["step"] * WINDOW:
            continue
        measured = judged(runs, generations)
        what = ("runs that cooperate", "runs like WSLS", "mean payoff")
        rows += [
            Row(f"{name}, {generations:.0e} generations".replace("e+0", "e"), x, y, 0.15, "reference, 100 runs")
            for name, x, y in zip(what, measured, expected, strict=True)
        ]
    rows.append(Row("more runs like WSLS after 1e6 generations at T = 4.5",
                    float(judged(lower, 1_000_000)[1] > judged(runs, 1_000_000)[1]), 1.0, 0, PAPER))  # fmt: skip
    path = folder / "figures" / "cooperation.png"
    figures.save(draw(runs, lower), path)
    return Verdict("win-stay-lose-shift: measured against Nowak & Sigmund 1993", rows, [path])


@style.styled
def draw(runs: Any, lower: Any) -> Any:
    """Cooperation over time in single runs, and over all of them how many cooperate and how many are like WSLS."""
    figure = style.new_figure((9, 3.8))
    first, second = figure.subplots(1, 2)
    generations = runs.step.values * (WINDOW / runs.step.values[0]) / 1e6
    for i in range(6):
        look = style.look(i)
        first.plot(generations, runs.cooperation_mean.isel(replicate=i), color=look.colour, linestyle=look.line)
    first.set(title="Six runs", xlabel="million generations", ylabel="share of cooperative moves", ylim=(-0.03, 1.03))
    for i, (data, name) in enumerate(((runs, "T = 5"), (lower, "T = 4.5"))):
        course = np.array([judged(data, (k + 1) * WINDOW) for k in range(data.sizes["step"])])
        colour = style.look(i).colour
        times = generations[: len(course)]
        second.plot(times, course[:, 0], color=colour, label=f"cooperative, {name}")
        second.plot(times, course[:, 1], color=colour, linestyle="--", label=f"like WSLS, {name}")
    within = {at: values for at, values in COURSE.items() if at / 1e6 <= generations[-1] + 1e-9}
    at = np.array(list(within)) / 1e6
    second.plot(at, [values[0] for values in within.values()], "ko", label="cooperative, reference, T = 5")
    second.plot(at, [values[1] for values in within.values()], "kx", label="like WSLS, reference, T = 5")
    second.set(title="All runs", xlabel="million generations", ylabel="share of runs", ylim=(-0.03, 1.03))
    second.legend(fontsize=7)
    for axes in (first, second):
        style.light_grid(axes)
    return figure
