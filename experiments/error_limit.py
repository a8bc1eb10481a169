"""How many signals are worth having, and how a population comes to share them (Nowak, Plotkin & Krakauer 1999).

Sounds that are mistaken for one another put a limit on what single sounds can say; words of several sounds lift it
(Nowak & Krakauer 1999). Languages that are learned from parents and rewarded by understanding rise fast and stop short
of the limit: most populations lock in with one ambiguous signal.
"""

from __future__ import annotations

import math
from functools import reduce
from pathlib import Path
from typing import Any

import jax
import numpy as np
import xarray as xr

import jaxcoord as jc
from experiments.verdict import Row, Verdict
from jaxcoord import figures
from jaxcoord.figures import style
from jaxcoord.language.error_limit import (
    best_repertoire,
    error_limit_metric,
    error_limit_uniform,
    repertoire_fitness,
)
from jaxcoord.language.language_evolution import LanguageEvolution, confusion, language_payoff

PAPER, GAME, OTHER = "Nowak & Krakauer 1999", "Nowak, Plotkin & Krakauer 1999", "other program, 4 s.e."
UNIFORM = {  # similarity: fitness of 2, 5, 10 and 50 signals
    0.02: (1.960784314, 4.62962963, 8.474576271, 25.25252525),
    0.25: (1.6, 2.5, 3.076923077, 3.773584906),
}
WORDS = {0.02: {2: 71.81844298, 3: 608.6308727}, 0.25: {2: 9.467455621, 3: 29.13063268}}  # by length, of 10 signals
METRIC = {1.0: (1.374489923, 2), 10.0: (5.776476314, 7)}  # rate: fitness of 40 sounds, best number with unequal values
SOUNDS = 40
TIMES = (5, 10, 20, 50, 100, 200, 499)
EVOLVED = {  # parents, samples: payoff at these times, its standard error at the last, share that ends at 5 and at 4
    ("payoff", 1): ((1.1478, 2.8642, 4.0469, 4.2044, 4.21, 4.21, 4.21), 0.0366, 0.26, 0.69),
    ("payoff", 7): ((0.9997, 1.3787, 3.2685, 4.3727, 4.4475, 4.45, 4.45), 0.038, 0.47, 0.51),
    ("random", 4): ((0.8781, 0.8826, 1.0941, 1.6248, 2.3491, 2.9427, 3.3205), 0.0545, 0.05, 0.355),
    ("random", 10): ((1.0031, 0.9947, 1.075, 1.5235, 2.3047, 2.9288, 3.3398), 0.0507, 0.02, 0.41),
}
RUNS_ELSEWHERE = 200


def alike(signals: int, similarity: float) -> np.ndarray:
    """Signals of one mutual similarity."""
    return np.where(np.eye(signals, dtype=bool), 1.0, similarity)


def limits() -> tuple[list[Row], dict[float, Any]]:
    """The laws of the error limit, each by two ways where there are two."""
    rows: list[Row] = []
    with jax.enable_x64(True):
        for e, numbers in UNIFORM.items():
            for n, published in zip((2, 5, 10, 50), numbers, strict=True):
                # A code that has a signal for every object, over a channel that confuses them.
                code = np.eye(n)
                found = float(language_payoff(code, code, confusion(alike(n, e))))
                rows.append(Row(f"e={e}: {n} signals", found, published, 1e-6 * published, PAPER))
            limit = float(error_limit_uniform(e, 1e9))
            rows.append(Row(f"e={e}: any number of signals, at most", limit, 1 / e, 1e-5 / e, PAPER))
            for length, published in WORDS[e].items():
                # Words are alike as the product of what their sounds are.
                words = reduce(np.kron, [alike(10, e)] * length)
                rows.append(Row(f"e={e}: words of {length} of 10 signals", float(repertoire_fitness(words)), published,
                                1e-6 * published, PAPER))  # fmt: skip
        falling, curves = np.exp(-0.1 * np.arange(SOUNDS)), {}
        for alpha, (published, best) in METRIC.items():
            equal, weighted = (np.asarray(error_limit_metric(alpha, v)) for v in (np.ones(SOUNDS), falling))
            curves[alpha] = equal, weighted
            fewer = weighted[-1] < weighted.max()
            rows += [
                Row(f"alpha={alpha:g}: {SOUNDS} sounds", float(equal[-1]), published, 1e-6, PAPER),
                Row(f"alpha={alpha:g}: best number of sounds", int(best_repertoire(weighted)), best, 0, PAPER),
                Row(f"alpha={alpha:g}: {SOUNDS} sounds are worth less than the best", float(fewer), 1, 0, PAPER),
            ]  # fmt: skip
        rows.append(Row("alpha=1: equal values, best number of sounds", int(best_repertoire(curves[1.0][0])), 2.5, 0.5,
                        PAPER))  # fmt: skip
    return rows, curves


def evolved(parent: str, samples: int, steps: int, runs: int, store: Path, fresh: bool) -> xr.DataArray:
    """Mean payoff of populations over the generations."""
    model = LanguageEvolution(parent=parent, samples=samples)
    record = jc.Record(every=1, only=("payoff",))
    return jc.simulate(model, steps, runs, seed=samples, record=record, store=store / f"{parent}_{samples}",
                       fresh=fresh).payoff.load()  # fmt: skip


def run(out: Path, small: bool = False, fresh: bool = False) -> Verdict:
    """Compute the limits, let languages evolve, compare, and draw them."""
    store = out / f"error_limit{'_small' if small else ''}"
    rows, curves = limits()
    runs, steps = (40, 50) if small else (200, 499)
    paths: dict[tuple[str, int], xr.DataArray] = {}
    for (parent, samples), (generations, error, at_five, at_four) in EVOLVED.items():
        if small and (parent, samples) not in (("payoff", 1), ("random", 4)):
            continue
        data = paths[parent, samples] = evolved(parent, samples, steps, runs, store, fresh)
        name = f"{parent} parents, {samples} sample{'s' * (samples > 1)}"
        for generation, published in zip(TIMES, generations, strict=True):
            if generation <= steps:
                sample = data.sel(step=generation)
                spread = float(sample.std("replicate", ddof=1))
                elsewhere = error if generation == TIMES[-1] else spread / math.sqrt(RUNS_ELSEWHERE)
                both = math.hypot(elsewhere, spread / math.sqrt(runs))
                rows.append(Row(f"{name}: payoff at generation {generation}", float(sample.mean()), published, 4 * both,
                                OTHER))  # fmt: skip
        if not small:
            for level, published in ((5, at_five), (4, at_four)):
                share = float((np.abs(data.sel(step=steps) - level) < 0.01).mean())
                spread = math.sqrt((published * (1 - published) + share * (1 - share)) / RUNS_ELSEWHERE)
                rows.append(Row(f"{name}: share that ends at {level}", share, published, 4 * spread, OTHER))
    early = {key: float(data.sel(step=20).mean()) for key, data in paths.items()}
    fast = min(value for (parent, _), value in early.items() if parent == "payoff")
    slow = max(value for (parent, _), value in early.items() if parent == "random")
    rows.append(
        Row("selection is needed for the fast rise: twice as much after 20", float(fast > 2 * slow), 1, 0, GAME)
    )
    path = store / "figures" / "error_limit.png"
    figures.save(draw(curves, paths), path)
    return Verdict("error-limit: measured against Nowak & Krakauer 1999 and others", rows, [path])


@style.styled
def draw(curves: dict[float, Any], paths: dict[tuple[str, int], xr.DataArray]) -> Any:
    """What n signals are worth, alike and on an interval; mean payoff over the generations."""
    figure = style.new_figure((11.5, 3.8))
    left, middle, right = figure.subplots(1, 3)
    n = np.unique(np.round(np.geomspace(1, 1000, 60)))
    for i, (e, length) in enumerate(((0.25, 1), (0.02, 1), (0.25, 3))):
        looks = style.look(i)
        label = f"e = {e}" + (f", words of {length}" if length > 1 else "")
        left.plot(n, error_limit_uniform(e, n, length), color=looks.colour, linestyle=looks.line, label=label)
        left.axhline(e**-length, color="0.5", linewidth=0.8, linestyle=":")
    left.set(xlabel="signals", ylabel="what they are worth", xscale="log", yscale="log")
    left.set_title("alike signals: a limit, which words lift")
    left.legend(handlelength=4)
    sounds = np.arange(1, SOUNDS + 1)
    for i, (alpha, (equal, weighted)) in enumerate(curves.items()):
        looks = style.look(i)
        middle.plot(sounds, equal, color=looks.colour, linestyle="-", label=f"alpha = {alpha:g}, equal values")
        middle.plot(
            sounds, weighted, color=looks.colour, linestyle=(0, (6, 2)), label=f"alpha = {alpha:g}, falling values"
        )
        best = weighted.argmax()
        middle.plot(sounds[best], weighted[best], "o", color="black", zorder=4, label="best" if i == 0 else None)
    middle.set(xlabel="sounds on an interval", ylabel="what they are worth", ylim=(0, 10.5))
    middle.set_title("more sounds can be worth less")
    middle.legend(handlelength=4, loc="upper right")
    for i, ((parent, samples), data) in enumerate(paths.items()):
        looks = style.look(i)
        label = f"{'fitter' if parent == 'payoff' else 'random'} parents, {samples} sample{'s' * (samples > 1)}"
        right.plot(data.step, data.mean("replicate"), color=looks.colour, linestyle=looks.line, label=label)
        shown = [(g, p) for g, p in zip(TIMES, EVOLVED[parent, samples][0], strict=True) if g <= data.step.max()]
        right.plot(*zip(*shown, strict=True), "x", color="black", label="other program" if i == 0 else None)
    right.set(xlabel="generation", ylabel="mean payoff, at most 5", xscale="log", ylim=(0, 7.4))
    right.set_title("languages learned from parents")
    right.legend(handlelength=4, loc="upper left")
    for axes in (left, middle, right):
        style.light_grid(axes)
    return figure
