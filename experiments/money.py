"""Statistical mechanics of money: random exchange makes unequal wealth (Dragulescu & Yakovenko 2000, and others).

Splits without saving lead to an exponential law, with saving to a Gamma law (Chakraborti & Chakrabarti 2000), bank
credit to a law with two sides (Xi, Ding & Wang 2005), and "give one unit to another" to three, by who gives when.
"""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
from scipy import stats

import jaxcoord as jc
from experiments.verdict import Row, Verdict
from jaxcoord import figures, random
from jaxcoord.figures import style
from jaxcoord.market.money import reserve_wealth, saving_variance, simultaneous_donors
from jaxcoord.market.money_models import CreditExchange, WealthExchange

DY, CC, XDW = "Dragulescu & Yakovenko 2000", "Chakraborti & Chakrabarti 2000", "Xi, Ding & Wang 2005"
RELAXATION = (0.333, 0.414, 0.449, 0.469, 0.480, 0.487, 0.490, 0.494)  # Gini by sweep, from equality
SAVING = {0.25: 0.3740, 0.5: 0.2739, 0.75: 0.176, 0.9: 0.106}  # share saved: Gini of many agents, simulated
GIVING = {"give-simultaneous": 0.579929, "give-in-turn": 0.63, "give-one-by-one": 2 / 3}
RATIO = 0.5


@partial(jax.jit, static_argnums=2)
def states(model: Any, keys: Any, steps: int) -> Any:
    """What everybody holds `[P, N]` in populations after some steps."""

    def run(key: Any) -> Any:
        def step(t: Any, state: Any) -> Any:
            return model.step(state, random.step_key(key, t + 1))

        return jax.lax.fori_loop(0, steps, step, model.init(key))

    return jax.vmap(run)(keys)


def mean_and_error(values: Any) -> tuple[float, float]:
    """Mean over replicates and its standard error."""
    return float(values.mean()), float(values.std("replicate", ddof=1)) / math.sqrt(values.sizes["replicate"])


def splits(folder: Path, small: bool, fresh: bool) -> list[Row]:
    """The exponential law, and how inequality rises to it."""
    steps, record = 100, jc.Record(every=1)
    data = jc.simulate(WealthExchange(size=500), steps, 200 if small else 2000, seed=1, record=record,
                       store=folder / "splits", fresh=fresh).load()  # fmt: skip
    rows = []
    for sweep, published in enumerate(RELAXATION, 1):
        found, error = mean_and_error(data.gini.sel(step=sweep))
        # A finite population has a little less inequality: one of N is never compared with itself.
        rows.append(Row(f"splits: Gini after sweep {sweep}", found, published, 4 * error + 0.003, DY))
    last = data.sel(step=steps)
    for name, what, published in (
        ("gini", "Gini", 0.5), ("below_mean", "share below the mean", 1 - math.exp(-1)),
        ("median", "median over mean", math.log(2)), ("top_tenth", "share of the richest tenth", 0.330259),
    ):  # fmt: skip
        found, error = mean_and_error(last[name])
        rows.append(Row(f"splits: {what}", found, published, 4 * error + 1 / 500, DY))
    return rows


def savings(folder: Path, small: bool, fresh: bool) -> list[Row]:
    """The law of those who save: its variance is exact, its Gini coefficient nearly that of a Gamma law."""
    model = WealthExchange(size=2000, mean=100_000)
    steps = 100 if small else 200
    data = jc.sweep(model, {"saving": list(SAVING)}, steps=steps, replicates=16 if small else 64,
                    record=jc.Record(every=steps), store=folder / "savings", fresh=fresh)  # fmt: skip
    data, rows = data.sel(step=steps).load(), []
    for saving, gini in SAVING.items():
        at = data.sel(saving=saving)
        found, error = mean_and_error(at.variance)
        exact = float(saving_variance(saving))
        rows.append(Row(f"saving {saving}: variance", found, exact, 4 * error + exact / 1000, CC))
        found, error = mean_and_error(at.gini)
        rows.append(Row(f"saving {saving}: Gini", found, gini, 4 * error + 0.001, CC))
    return rows


def gifts(folder: Path, small: bool, fresh: bool) -> tuple[list[Row], dict[str, Any]]:
    """Three ways to give one unit to another, and the path of inequality in each."""
    rows, paths = [], {}
    steps = 200 if small else 400
    for rule, published in GIVING.items():
        model = WealthExchange(rule=rule, mean=1, size=1000)
        data = jc.simulate(model, steps, 100 if small else 1000, record=jc.Record(every=5), seed=2,
                           store=folder / rule, fresh=fresh).load()  # fmt: skip
        paths[rule] = data.gini.mean("replicate")
        last = data.sel(step=steps)
        found, error = mean_and_error(last.gini)
        slack = 0.003 if rule == "give-in-turn" else 0.001  # the reference gives two digits
        rows.append(
            Row(f"{rule}: Gini", found, published, 4 * error + slack, "exact" if slack < 0.002 else "simulated")
        )
        if rule == "give-simultaneous":
            found, error = mean_and_error(1 - last.penniless)
            rows.append(Row(f"{rule}: donors", found, float(simultaneous_donors(1)), 4 * error + 1e-3, "2 - sqrt(2)"))
            found, error = mean_and_error(last.variance)
            rows.append(Row(f"{rule}: variance", found, 4 / 3, 4 * error + 0.004, "exact"))
    return rows, paths


def credit(folder: Path, small: bool, fresh: bool) -> list[Row]:
    """The two-sided law of bank credit; relaxing takes the square of the mean, so the small run has less money."""
    mean, steps = (5, 4000) if small else (20, 40_000)
    model = CreditExchange(reserve_ratio=RATIO, mean=mean)
    data = jc.simulate(model, steps, 16, record=jc.Record(every=steps), seed=3, store=folder / "credit", fresh=fresh)
    law, last = reserve_wealth(RATIO, mean), data.sel(step=steps).load()
    return [
        Row(f"credit: {what}", mean_and_error(last[name])[0], float(expected), part * float(expected), XDW)
        for name, what, expected, part in (
            ("positive", "positive money per head", law.positive, 0.04),
            ("mean_positive", "scale above zero", law.scale_positive, 0.1),
            ("mean_negative", "scale below zero", law.scale_negative, 0.1),
            ("in_debt", "share in debt", law.share_in_debt, 0.12),
        )
    ]


def run(out: Path, small: bool = False, fresh: bool = False) -> Verdict:
    """Measure every law, compare, and draw what people hold and how inequality rises."""
    folder = out / f"money{'_small' if small else ''}"
    rows = splits(folder, small, fresh) + savings(folder, small, fresh)
    given, paths = gifts(folder, small, fresh)
    rows += given + credit(folder, small, fresh)
    picture = folder / "figures" / "money.png"
    figures.save(draw(paths, small), picture)
    return Verdict("money: measured against the laws of random exchange", rows, [picture])


def histogram(axes: Any, values: Any, bins: Any, label: str, index: int) -> None:
    """Density of what is held, as points, and its look for the law's line."""
    density, edges = np.histogram(np.ravel(values), bins)
    width = np.diff(edges)
    looks = style.look(index)
    axes.plot(edges[:-1] + width / 2, density / density.sum() / width, looks.marker, color=looks.colour, label=label,
              markersize=3.5, linestyle="none")  # fmt: skip


@style.styled
def draw(paths: dict[str, Any], small: bool) -> Any:
    """Who holds how much after splits and with credit, and inequality under the three orders of giving."""
    figure = style.new_figure((10.5, 3.5))
    left, middle, right = figure.subplots(1, 3)
    keys = jax.random.split(jax.random.key(0), 10 if small else 100)
    for i, saving in enumerate((0.0, 0.5, 0.9)):
        held = np.asarray(states(WealthExchange(size=1000, saving=saving), keys, 100)) / 1000
        histogram(left, held, np.linspace(0, 4, 33), f"saving {saving:g}", i)
        shape, grid = 1 + 3 * saving / (1 - saving), np.linspace(1e-3, 4, 400)
        left.plot(grid, stats.gamma.pdf(grid, shape, scale=1 / shape), color="black", linewidth=0.8)
    left.set(xlabel="money over its mean", ylabel="density", title="splits: Gamma laws (lines)", yscale="log",
             ylim=(1e-3, 3))  # fmt: skip
    left.legend()

    mean = 4
    held = np.asarray(states(CreditExchange(reserve_ratio=RATIO, mean=mean), keys, 3000)) / mean
    histogram(middle, held, np.arange(-12.125, 20.2, 0.75), "200 agents", 0)
    law = reserve_wealth(RATIO, 1.0)
    grid = np.linspace(-12, 20, 400)
    above = (1 - float(law.share_in_debt)) / float(law.scale_positive) * np.exp(-grid / float(law.scale_positive))
    below = float(law.share_in_debt) / float(law.scale_negative) * np.exp(grid / float(law.scale_negative))
    middle.plot(grid, np.where(grid > 0, above, below), color="black", linewidth=0.8, label="law")
    middle.set(xlabel="money over base money", ylabel="density", title=f"credit, reserve ratio {RATIO:g}", yscale="log",
               ylim=(1e-4, 0.3))  # fmt: skip
    middle.legend()

    for i, (rule, path) in enumerate(paths.items()):
        looks = style.look(i)
        right.plot(path.step, path, color=looks.colour, linestyle=looks.line, label=rule.removeprefix("give-"))
        right.axhline(GIVING[rule], color="black", linewidth=0.6)
    right.set(xlabel="sweep", ylabel="Gini coefficient", title="giving one unit: who gives when", ylim=(0, 0.75))
    right.legend(loc="lower right")
    return figure
