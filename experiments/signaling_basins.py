"""Signals get their meaning by evolution and learning, but not always (Hofbauer & Huttegger 2008).

Where states are equally likely, two states end in a signalling system from nearly everywhere. With unequal states
pooling, and with three or more partial pooling, keep an open set of starts. How large it is depends several-fold on
which replicator dynamics is meant, and learners with urns fail about as often (Barrett 2006).
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

import jaxcoord as jc
from experiments.verdict import Row, Verdict
from jaxcoord import figures
from jaxcoord.figures import style
from jaxcoord.language.lewis_models import DYNAMICS, LewisReplicator
from jaxcoord.language.urns import RothErev

PAPER, BASIN, URNS, OTHER = "Hofbauer & Huttegger 2008", "Huttegger et al. 2010", "Barrett 2006", "other program"
SHORT = {"two-populations": "two populations", "one-population": "one population", "behavioural": "behavioural"}
# Share of random starts that end in a signalling system, and its standard error, as another program finds them.
STATES = {  # of two states, by the probability of the likelier one
    ("behavioural", 0.5): (1.0, 0.0002), ("behavioural", 0.6): (0.993, 0.00132),
    ("behavioural", 0.7): (0.9425, 0.00368), ("behavioural", 0.8): (0.8715, 0.00529),
    ("behavioural", 0.9): (0.8035, 0.00628),
    ("one-population", 0.5): (1.0, 0.0002), ("one-population", 0.6): (0.994, 0.00122),
    ("one-population", 0.7): (0.92375, 0.0042), ("one-population", 0.8): (0.7815, 0.00653),
    ("one-population", 0.9): (0.59875, 0.00775),
    ("two-populations", 0.5): (1.0, 0.0002), ("two-populations", 0.6): (0.97875, 0.00228),
    ("two-populations", 0.7): (0.9145, 0.00442), ("two-populations", 0.8): (0.83425, 0.00588),
    ("two-populations", 0.9): (0.709, 0.00718),
}  # fmt: skip
NUMBER = {  # of so many equally likely states
    ("behavioural", 3): (0.8605, 0.00346), ("behavioural", 4): (0.7012, 0.00647), ("behavioural", 5): (0.5685, 0.01107),
    ("one-population", 3): (0.9826, 0.00131),
    ("two-populations", 3): (0.9548, 0.00147), ("two-populations", 4): (0.91725, 0.00436),
}  # fmt: skip
LEARNED = {  # states, probability of the first: plays, threshold, share of learners above it, its standard error
    (2, 0.5): (100_000, 0.95, 0.989, 0.0033), (2, 0.7): (100_000, 0.95, 0.839, 0.0116),
    (2, 0.9): (100_000, 0.95, 0.514, 0.0158), (4, 0.25): (1_000_000, 0.8, 0.786, 0.013),
}  # fmt: skip
FAILURES = {3: (0.8, 0.096), 4: (0.8, 0.209), 8: (0.95, 0.594)}  # states: threshold, share that fails, 1,000 runs each
PARTIAL = 0.047  # of starts with three states end in partial pooling, as published
MUTATION = 0.005
SKEWS = (0.5, 0.6, 0.7, 0.8, 0.9)


def background(skew: float) -> float:
    """C of the map for two states: near 0.9 steps must be small for the map to follow the continuous dynamics."""
    return {0.5: 0.0, 0.9: 20.0}.get(skew, 5.0)


def prior(states: int, first: float | None = None) -> list[float]:
    """Equal states, or two of them with the given probability of the first."""
    return [1 / states] * states if first is None else [first, 1 - first]


def ends(model: Any, over: Any, steps: int, runs: int, store: Path, fresh: bool) -> xr.Dataset:
    """What is observed in the end, over points and replicates."""
    return jc.sweep(model, over, steps, runs, record=jc.Record(every=steps), store=store, fresh=fresh).isel(
        step=-1
    ).load()  # fmt: skip


def share_row(name: str, hits: Any, published: float, error: float, source: str) -> Row:
    """A share of runs against a published one, by the standard errors of both; a share of 0 or 1 has one too."""
    share, runs = float(np.mean(hits)), np.size(hits)
    own = max(share * (1 - share), 1 / runs) / runs
    return Row(name, share, published, 4 * math.hypot(error, math.sqrt(own)), f"{source}, 4 s.e.")


def basins(folder: Path, small: bool, fresh: bool) -> tuple[list[Row], dict[tuple[str, Any], float]]:
    """Shares of starts that end in a signalling system, for two states and for more."""
    rows, shares = [], {}
    for dynamics in DYNAMICS:
        points = [{"prior": prior(2, p), "background": background(p)} for p in SKEWS]
        model = LewisReplicator(dynamics=dynamics)
        steps, runs = (6000, 500) if small else (24_000, 4000)
        found = ends(model, points, steps, runs, folder / f"two_states_{dynamics}", fresh)
        for i, p in enumerate(SKEWS):
            hits = found.signalling.isel(point=i).values
            shares[dynamics, p] = float(hits.mean())
            rows.append(share_row(f"p={p}, {SHORT[dynamics]}", hits, *STATES[dynamics, p], OTHER))
    for (dynamics, states), (published, error) in NUMBER.items():
        heavy = states**states > 27 or dynamics == "one-population"
        if small and (heavy or states == 5):
            continue
        model = LewisReplicator(prior(states), dynamics=dynamics, signals=states)
        runs = 500 if small else 2000 if heavy and dynamics != "behavioural" else 5000
        found = ends(model, {"background": [0.0]}, 1500, runs, folder / f"{states}_states_{dynamics}", fresh)
        hits = found.signalling.values.ravel()
        shares[dynamics, states] = float(hits.mean())
        rows.append(share_row(f"n={states}, {SHORT[dynamics]}", hits, published, error, OTHER))
        if (dynamics, states) == ("two-populations", 3):
            rows.append(Row("n=3: share that ends in partial pooling", 1 - shares[dynamics, 3], PARTIAL,
                            4 * math.sqrt(PARTIAL * (1 - PARTIAL) / runs) + 0.0005, f"{BASIN}, 4 s.e."))  # fmt: skip
    model = LewisReplicator(prior(3), signals=3)
    found = ends(model, {"mutation": [MUTATION]}, 3000, 300 if small else 3000, folder / "mutation", fresh)
    rows.append(Row("n=3 with mutation: share that signals", float(found.signalling.mean()), 1, 0, BASIN))
    pooling = [1 - shares[dynamics, p] for dynamics in DYNAMICS for p in SKEWS[2:]]
    rows.append(Row("p>0.6: least share that pools is above 0", float(min(pooling) > 0.01), 1, 0, PAPER))
    if not small:
        several = (1 - shares["behavioural", 3]) / (1 - shares["one-population", 3])
        rows.append(Row("n=3: dynamics differ in failures more than 4-fold", float(several > 4), 1, 0, OTHER))
    return rows, shares


def urns(folder: Path, small: bool, fresh: bool) -> tuple[list[Row], dict[str, np.ndarray]]:
    """Payoffs of learners with urns in the end, against another program's and Barrett's."""
    rows, payoffs = [], {}
    two = [first for states, first in LEARNED if states == 2]
    model, over = RothErev(plays=1000), [{"prior": prior(2, p)} for p in two]
    found = ends(model, over, 100, 150 if small else 1000, folder / "urns_2", fresh)
    for i, p in enumerate(two):
        payoffs[f"p={p}"] = found.payoff.isel(point=i).values
    for states in () if small else (3, 4, 8):
        model = RothErev(prior(states), signals=states, plays=1000)
        found = ends(model, {"reward": [1.0]}, 1000, 150 if states == 8 else 300, folder / f"urns_{states}", fresh)
        payoffs[f"n={states}"] = found.payoff.values.ravel()
    for (states, first), (plays, threshold, published, error) in LEARNED.items():
        name = f"p={first}" if states == 2 else f"n={states}"
        if name in payoffs:
            hits = payoffs[name] > threshold
            rows.append(
                share_row(f"urns, {name}, {plays} plays: payoff above {threshold}", hits, published, error, OTHER)
            )
    for states, (threshold, published) in FAILURES.items():
        if f"n={states}" in payoffs:
            hits = payoffs[f"n={states}"] < threshold
            error = math.sqrt(published * (1 - published) / 1000)
            rows.append(share_row(f"urns, n={states}: share that fails", hits, published, error, URNS))
    return rows, payoffs


def run(out: Path, small: bool = False, fresh: bool = False) -> Verdict:
    """Start populations and learners at random, see where they end, compare, and draw shares and payoffs."""
    folder = out / f"signaling_basins{'_small' if small else ''}"
    rows, shares = basins(folder, small, fresh)
    learned, payoffs = urns(folder, small, fresh)
    picture = folder / "figures" / "signaling_basins.png"
    figures.save(draw(shares, payoffs), picture)
    return Verdict("signaling-basins: measured against Hofbauer & Huttegger 2008 and others", rows + learned, [picture])


@style.styled
def draw(shares: dict[tuple[str, Any], float], payoffs: dict[str, np.ndarray]) -> Any:
    """Who signals, by how unequal two states are and by how many there are; how well learners end."""
    figure = style.new_figure((11.5, 3.8))
    left, middle, right = figure.subplots(1, 3)
    for i, dynamics in enumerate(DYNAMICS):
        looks = style.look(i)
        options = {"color": looks.colour, "linestyle": looks.line, "marker": looks.marker, "label": SHORT[dynamics]}
        left.plot(SKEWS, [shares[dynamics, p] for p in SKEWS], **options)
        numbers = [n for n in (2, 3, 4, 5) if n == 2 or (dynamics, n) in shares]
        middle.plot(numbers, [shares[dynamics, 0.5 if n == 2 else n] for n in numbers], **options)
    for axes, marks in ((left, STATES), (middle, NUMBER)):
        axes.plot([at for _, at in marks], [share for share, _ in marks.values()], "x", color="black",
                  label="other program", zorder=4)  # fmt: skip
        axes.set(ylabel="share of starts that end signalling", ylim=(0.5, 1.02))
    left.set(xlabel="probability of the likelier of two states", xticks=SKEWS)
    left.set_title("unequal states: pooling attracts")
    left.legend(loc="lower left", handlelength=4)
    middle.set(xlabel="equally likely states", xticks=[2, 3, 4, 5])
    middle.set_title("more states: partial pooling attracts")
    for i, (name, payoff) in enumerate(payoffs.items()):
        looks = style.look(i)
        right.plot(np.sort(payoff), (np.arange(len(payoff)) + 1) / len(payoff), color=looks.colour,
                   linestyle=looks.line, label=name)  # fmt: skip
    right.set(xlabel="success of learners in the end", ylabel="share of learners with at most that", xlim=(0.6, 1.01))
    right.set_title("urns: learners stop at pooling payoffs")
    right.legend(loc="upper left", handlelength=4)
    for axes in (left, middle, right):
        style.light_grid(axes)
    return figure
