"""Networks and collective search: who sees less finds more in the end (Lazer & Friedman 2007), and what errors do.

A hundred members search NK landscapes and copy their best neighbours. Where all see all they agree at once on what is
good and never on what is best; on a ring they take longer and end higher. Errors in copying stand in for the lack of
links: up to a tenth of the bits helps those who see all on a rugged landscape, half of the bits destroys all knowledge.
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
from jaxcoord.exploration.landscape import all_fitness, crossover, local_optimum, nk_landscape
from jaxcoord.exploration.search import NetworkSearch
from jaxcoord.figures import style
from jaxcoord.networks.kinds import Complete, Isolated, Ring

PAPER, OTHER = "Lazer & Friedman 2007", "other program"
STEPS, TIMES = 200, (5, 20, 50, 200)
NETWORKS = {"all see all": Complete(), "ring": Ring(), "isolated": Isolated()}
CONFUSION = (0.0, 0.02, 0.05, 0.1, 0.2, 0.5)
RUNS_ELSEWHERE = 200

# Mean payoff of 200 landscapes: K=0 at t=5; K=5 at t=5, 20, 50 and 200; K=10 at t=200. (network, confusion, humour)
PUBLISHED = {
    ("all see all", 0.0, 0.0): (0.781, 0.457, 0.539, 0.539, 0.539, 0.372),
    ("ring", 0.0, 0.0): (0.417, 0.206, 0.579, 0.776, 0.806, 0.571),
    ("isolated", 0.0, 0.0): (0.211, 0.099, 0.234, 0.368, 0.460, 0.305),
    ("all see all", 0.05, 0.0): (0.839, 0.422, 0.586, 0.587, 0.587, 0.412),
    ("all see all", 0.1, 0.0): (0.708, 0.272, 0.562, 0.654, 0.657, 0.478),
    ("all see all", 0.2, 0.0): (0.467, 0.107, 0.179, 0.313, 0.666, 0.530),
    ("all see all", 0.5, 0.0): (0.132, 0.044, 0.046, 0.047, 0.049, 0.044),
    ("ring", 0.05, 0.0): (0.425, 0.181, 0.484, 0.723, 0.894, 0.623),
    ("all see all", 0.0, 0.1): (0.781, 0.457, 0.539, 0.556, 0.620, 0.441),
    ("ring", 0.0, 0.1): (0.417, 0.206, 0.579, 0.762, 0.801, 0.565),
}
AT = ((0, 5), (5, 5), (5, 20), (5, 50), (5, 200), (10, 200))
# Pairs of local optima: share whose crossover beats both, whose climb from it does, and whose fresh climb does.
PARADOX = {1: (0.0074, 0.124, 0.193), 2: (0.0044, 0.197, 0.285), 5: (0.0015, 0.281, 0.325), 10: (0.0017, 0.307, 0.334)}


def searched(network: str, interactions: int, points: list[tuple[float, float]], runs: int, store: Path,
             fresh: bool) -> xr.Dataset:  # fmt: skip
    """Runs of one network and ruggedness, over `point`: pairs of confusion and humour."""
    over = [{"confusion": mu, "humour": h} for mu, h in points]
    model = NetworkSearch(NETWORKS[network], interactions=interactions)
    name = f"{network.replace(' ', '_')}_K{interactions}"
    return jc.sweep(model, over, STEPS, runs, record=jc.Record(every=5), store=store / name, fresh=fresh).load()


def crossing(ring: xr.DataArray, complete: xr.DataArray) -> float:
    """The time at which the ring's mean payoff overtakes, linearly between records."""
    gain = (ring.mean("replicate") - complete.mean("replicate")).values
    times = ring.step.values
    after = int(np.flatnonzero(gain > 0)[0])
    part = gain[after - 1] / (gain[after - 1] - gain[after])
    return float(times[after - 1] + part * (times[after] - times[after - 1]))


@partial(jax.jit, static_argnums=(1, 2))
def paradox(key: jax.Array, interactions: int, pairs: int) -> jax.Array:
    """`[3]`: of pairs of different local optima, the shares whose crossover, climb from it, and fresh climb beat both.

    Source: Kauffman & Weinberger 1989 for the landscape; uniform crossover Syswerda 1989.
    """
    keys = [jax.random.fold_in(key, purpose) for purpose in range(3)]
    values = all_fitness(nk_landscape(keys[0], 20, interactions))
    starts = jax.random.randint(keys[1], (3, pairs), 0, 2**20, jnp.int32)
    first, second, fresh = local_optimum(values, starts)
    child = crossover(first, second, jax.random.bits(keys[2], (pairs,), jnp.uint32))
    bar = jnp.maximum(values[first], values[second])
    better = jnp.stack([values[child], values[local_optimum(values, child)], values[fresh]]) > bar
    different = first != second
    return (better & different).sum(1) / jnp.maximum(different.sum(), 1)


def paradox_rows(interactions: int, landscapes: int, pairs: int) -> list[Row]:
    """Measured shares of pairs against another program's 40 landscapes of 1,000 pairs."""
    keys = jax.random.split(jax.random.key(interactions), landscapes)
    found = np.array([paradox(key, interactions, pairs) for key in keys])
    error = found.std(0, ddof=1) * np.sqrt(1 / landscapes + 1 / 40) + np.array([1e-3, 0.0, 0.0])
    names = ("crossover beats both parents", "... climbing from it does", "... a fresh climb does")
    return [
        Row(f"K={interactions}: {name}", float(mean), published, 4 * off, f"{OTHER}, 4 s.e.")
        for name, mean, published, off in zip(names, found.mean(0), PARADOX[interactions], error, strict=True)
    ]


def run(out: Path, small: bool = False, fresh: bool = False) -> Verdict:
    """Search with every network, ruggedness, confusion and humour; compare with the table; draw time and confusion."""
    store = out / f"network_exploration{'_small' if small else ''}"
    runs, rugged = (24, (5,)) if small else (200, (0, 5, 10))
    grid = [(mu, 0.0) for mu in ((0.0, 0.1, 0.5) if small else CONFUSION)] + [(0.0, 0.1)]
    points = {"all see all": grid, "ring": grid} | ({} if small else {"isolated": [(0.0, 0.0)]})
    found = {
        (name, k): searched(name, k, points[name], runs, store, fresh) for k in rugged for name in points
    }  # fmt: skip

    def payoff(name: str, k: int, mu: float, h: float) -> xr.DataArray:
        return found[name, k].payoff.isel(point=points[name].index((mu, h)))

    rows = []
    for (name, mu, h), numbers in PUBLISHED.items():
        words = name + (f", mu={mu:g}" if mu else "") + (f", humour {h:g}" if h else "")
        for (k, time), published in zip(AT, numbers, strict=True):
            if (name, k) in found and (mu, h) in points[name]:
                sample = payoff(name, k, mu, h).sel(step=time)
                spread = float(sample.std(ddof=1)) * np.sqrt(1 / runs + 1 / RUNS_ELSEWHERE)
                rows.append(Row(f"{words}: K={k}, t={time}", float(sample.mean()), published, 4 * spread + 0.005,
                                f"{OTHER}, 4 s.e."))  # fmt: skip
    when = crossing(payoff("ring", 5, 0.0, 0.0), payoff("all see all", 5, 0.0, 0.0))
    rows.append(Row("K=5: the ring overtakes at t", when, 15.0, 5.0, PAPER))
    last = {key: data.payoff.sel(step=STEPS).mean("replicate").values for key, data in found.items()}
    linked = last["all see all", 5]
    best = int(linked[:-1].argmax())
    rows.append(Row("K=5, all see all: best mu is in between", float(0 < best < len(linked) - 2), 1, 0,
                    OTHER))  # fmt: skip
    if not small:
        gain = linked[-1] - linked[0], last["ring", 5][-1] - last["ring", 5][0]
        rows.append(Row("K=5: humour gains more where all see all", float(gain[0] > gain[1]), 1, 0, OTHER))
        smooth = last["all see all", 0]
        rows.append(Row("K=0: largest gain by errors", float(smooth[:-1].max() - smooth[0]), 0.0, 1e-6, OTHER))
    for k in (5,) if small else PARADOX:
        rows += paradox_rows(k, 12 if small else 40, 400 if small else 1000)
    path = store / "figures" / "network_exploration.png"
    figures.save(draw(found, points, when), path)
    return Verdict("network-exploration: measured against Lazer & Friedman 2007 and another program", rows, [path])


@style.styled
def draw(found: dict[tuple[str, int], xr.Dataset], points: dict[str, list[tuple[float, float]]], when: float) -> Any:
    """Payoff over time with the crossing; final payoff over confusion; what the population still explores."""
    figure = style.new_figure((11.5, 3.9))
    left, middle, right = figure.subplots(1, 3)
    looks = {key: style.look(i) for i, key in enumerate(key for key in found if key[0] != "isolated")}
    for (name, k), look in looks.items():
        data, mus = found[name, k], [mu for mu, h in points[name] if h == 0]
        label = f"{name}, K = {k}"
        if k < 10:
            curve = data.payoff.isel(point=0).mean("replicate")
            left.plot(curve.step, curve, color=look.colour, linestyle=look.line, label=label)
        final = data.isel(point=slice(len(mus))).sel(step=STEPS).mean("replicate")
        options = {"color": look.colour, "linestyle": look.line, "marker": look.marker, "label": label}
        middle.plot(mus, final.payoff, **options)
        right.plot(mus, final.explored, **options)
    left.axvline(when, color="0.5", linewidth=0.9)
    left.annotate(f"t = {when:.0f}", (when, 0.02), (5, 0), textcoords="offset points", fontsize=8)
    left.set(
        xscale="log",
        xticks=[5, 10, 20, 50, 100, 200],
        xticklabels=[5, 10, 20, 50, 100, 200],
        xlabel="step",
        ylabel="mean payoff, relative to the best",
        ylim=(0, 1.03),
    )
    left.set_title("exact copying: the ring overtakes")
    middle.set(xlabel="confusion, errors per copied bit", ylabel=f"mean payoff at step {STEPS}", ylim=(0, 1.03))
    middle.set_title("what copying with errors finds")
    right.set(xlabel="confusion, errors per copied bit", ylabel="different solutions ever held", yscale="log")
    right.set_title("what copying with errors looks at")
    for axes in (middle, right):
        axes.set_xscale("symlog", linthresh=0.02, linscale=0.4)
        axes.set(xlim=(-0.006, 0.58))
        axes.set_xticks(mus, [f"{mu:g}" for mu in mus])
    for axes in (left, middle, right):
        style.light_grid(axes)
        axes.minorticks_off()
    handles, _ = middle.get_legend_handles_labels()
    figure.legend(handles=handles, loc="outside lower center", ncols=3, handlelength=4)
    return figure
