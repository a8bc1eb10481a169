"""Markets without intelligence: zero-intelligence traders find the gains from trade (Gode & Sunder 1993).

Traders who quote at random, but never at a loss, take nearly all gains of a double auction; without that rule they
take what the schedule leaves. Traders who also adapt a margin, ZIP, find the price as well (Cliff 1997).
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

import jaxcoord as jc
from experiments.verdict import Row, Verdict
from jaxcoord import figures
from jaxcoord.figures import style
from jaxcoord.market.double_auction import equilibrium
from jaxcoord.market.double_auction_model import DoubleAuction

PAPER, CLIFF, OURS = "Gode & Sunder 1993", "Cliff 1997", "reference simulation"


def schedule(first: float, per_unit: float, per_trader: float) -> list[list[float]]:
    """Limits of six traders with four units each, from the first trader's first unit on."""
    return [[first + per_unit * unit + per_trader * trader for unit in range(4)] for trader in range(6)]


SCHEDULES = {  # values, costs; price interval, units and gains in equilibrium
    "price 69": (schedule(128, -30, -5), schedule(10, 30, 5), (68, 70, 12, 756)),
    "price 170": (schedule(195, -12, -2), schedule(146, 12, 2), (170, 171, 13, 325)),
}
REFERENCE = {  # of constrained traders: efficiency, its deviation from day to day, early and late error; unconstrained
    "price 69": (0.9877, 0.0141, 20.57, 10.56, 0.0952381),
    "price 170": (0.9888, 0.0113, 10.60, 4.68, 0.2215385),
}
REFERENCE_DAYS = 300
CHARTS = {  # limits of eleven buyers and eleven sellers with one unit, whose equilibrium price is 200
    "symmetric": (np.arange(75.0, 326.0, 25.0), np.arange(75.0, 326.0, 25.0)),
    "flat supply": (np.arange(75.0, 326.0, 25.0), np.full(11, 200.0)),
}
DAYS = 10


def mean_and_error(values: Any) -> tuple[float, float]:
    """Mean over replicates and its standard error."""
    return float(values.mean()), float(values.std("replicate", ddof=1)) / math.sqrt(values.sizes["replicate"])


def random_traders(folder: Path, small: bool, fresh: bool) -> tuple[list[Row], dict[str, np.ndarray]]:
    """One day of many markets without learning, with and without the rule against losses."""
    rows, found = [], {}
    for name, (values, costs, expected) in list(SCHEDULES.items())[: 1 if small else None]:
        reference = REFERENCE[name]
        for traders in ("constrained", "unconstrained"):
            model = DoubleAuction(values, costs, price_max=200, traders=traders, quotes=3000)
            data = jc.simulate(model, 1, 300 if small else 3000, record=jc.Record(every=1), seed=1,
                               store=folder / f"{traders}-{name.split()[1]}", fresh=fresh)  # fmt: skip
            data = data.sel(step=1).load()
            found[f"{traders}, {name}"] = data.efficiency.values
            efficiency, error = mean_and_error(data.efficiency)
            if traders == "unconstrained":
                rows.append(
                    Row(f"{name}, unconstrained: efficiency", efficiency, reference[4], 1e-6, "every unit trades")
                )
                continue
            shown = [float(x) for x in equilibrium(*model.limits(), len(values))]
            rows += [
                Row(f"{name}: equilibrium {what}", x, y, 0, "schedule")
                for what, x, y in zip(("low", "high", "units", "gains"), shown, expected, strict=True)
            ]
            theirs = reference[1] / math.sqrt(REFERENCE_DAYS)
            tolerance = 4 * math.hypot(error, theirs)
            rows.append(Row(f"{name}, constrained: efficiency", efficiency, reference[0], tolerance, OURS))
            rows.append(Row(f"{name}, constrained: efficiency, 97-100 %", efficiency, 0.985, 0.015, PAPER))
            for half, published in (("early", reference[2]), ("late", reference[3])):
                distance, error = mean_and_error(data[f"{half}_error"])
                # The reference gives no deviation of its own: that of as many days as it ran.
                spread = float(data[f"{half}_error"].std()) / math.sqrt(REFERENCE_DAYS)
                rows.append(Row(f"{name}, constrained: {half} price error", distance, published,
                                4 * math.hypot(error, spread), OURS))  # fmt: skip
    return rows, found


def learners(folder: Path, small: bool, fresh: bool) -> tuple[list[Row], dict[str, Any]]:
    """Ten days of ZIP beside random traders: the distance of prices from the equilibrium, day by day."""
    rows, paths = [], {}
    for chart, (values, costs) in list(CHARTS.items())[: 1 if small else None]:
        last = {}
        for traders in ("constrained", "zip"):
            model = DoubleAuction(values[:, None], costs[:, None], price_max=400, traders=traders, quotes=300)
            data = jc.simulate(model, DAYS, 100 if small else 1000, seed=2, record=jc.Record(every=1),
                               store=folder / f"{traders}-{chart.replace(' ', '-')}", fresh=fresh).load()  # fmt: skip
            paths[f"{traders}, {chart}"] = data.alpha.mean("replicate")
            last[traders] = data.sel(step=DAYS).mean("replicate")
        rows += [
            Row(f"{chart}: alpha of ZIP over that of random traders, day {DAYS}",
                float(last["zip"].alpha / last["constrained"].alpha), 0.0, 0.25, f"{CLIFF}: a fraction"),
            Row(f"{chart}: mean price of ZIP, day {DAYS}", float(last["zip"].price), 200.0, 4.0, f"{CLIFF}: to 2 %"),
        ]  # fmt: skip
        if chart == "symmetric":
            rows.append(Row(f"{chart}: efficiency of ZIP", float(last["zip"].efficiency), 1.0, 0.01, CLIFF))
        else:
            off = float(last["constrained"].price) - 200
            rows.append(Row(f"{chart}: random traders stay off the price, by over 5 %", float(off > 10), 1.0, 0, CLIFF))
    return rows, paths


def run(out: Path, small: bool = False, fresh: bool = False) -> Verdict:
    """Measure efficiency and prices, compare, and draw both."""
    folder = out / f"zero_intelligence{'_small' if small else ''}"
    rows, found = random_traders(folder, small, fresh)
    learned, paths = learners(folder, small, fresh)
    picture = folder / "figures" / "zero_intelligence.png"
    figures.save(draw(found, paths), picture)
    return Verdict("zero-intelligence: measured against Gode & Sunder 1993 and Cliff 1997", rows + learned, [picture])


@style.styled
def draw(found: dict[str, np.ndarray], paths: dict[str, Any]) -> Any:
    """Efficiency of random traders with and without the rule, and how far prices are from the equilibrium."""
    figure = style.new_figure((9, 3.6))
    left, right = figure.subplots(1, 2)
    each = [style.look(i) for i in range(len(found))]
    weights = [np.full(len(values), 1 / len(values)) for values in found.values()]
    left.hist([np.minimum(values, 1) for values in found.values()], np.linspace(0, 1, 21), weights=weights,
              color=[x.colour for x in each], hatch=[x.hatch for x in each], label=list(found))  # fmt: skip
    left.set(xlabel="share of all gains from trade", ylabel="share of days", title="zero-intelligence traders")
    left.legend(loc="upper center")
    style.light_grid(left, "y")
    for i, (label, path) in enumerate(paths.items()):
        looks = style.look(i)
        right.plot(path.step, 100 * path, color=looks.colour, linestyle=looks.line, marker=looks.marker, label=label,
                   markersize=4)  # fmt: skip
    right.set(xlabel="day", ylabel="distance from the equilibrium, % (alpha)", title="who learns finds the price",
              ylim=(0, 32))  # fmt: skip
    right.legend(loc="upper right", ncols=2)
    style.light_grid(right)
    return figure
