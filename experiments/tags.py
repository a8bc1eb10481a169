"""Cooperation by similarity, and the inequality that it hangs on (Riolo, Cohen & Axelrod 2001).

Agents give to those whose tag is close to theirs, and three quarters of all meetings end with a gift. The number is
right, the reason is not: agents with equal tags are forced to give. Where they may refuse, by a strict inequality or
by a tolerance below zero, nearly all giving ends (Roberts & Sherratt 2002; Edmonds & Hales 2003). Who wins a tie
decides the rows with few meetings.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

import jaxcoord as jc
from experiments.verdict import Row, Verdict
from jaxcoord import figures
from jaxcoord.figures import style
from jaxcoord.identity.tags import Tags

PAPER, OTHER = "Riolo et al. 2001", "other program"
RUNS = {PAPER: 30, OTHER: 12}  # of the published numbers
# (pairings, cost, ties, strict, floor): share of meetings with a gift, mean tolerance.
PUBLISHED = {
    PAPER: {
        (1, 0.1, "keep", False, 0.0): (0.021, 0.009),
        (2, 0.1, "keep", False, 0.0): (0.043, 0.007),
        (3, 0.1, "keep", False, 0.0): (0.736, 0.019),
        (4, 0.1, "keep", False, 0.0): (0.768, 0.021),
        (6, 0.1, "keep", False, 0.0): (0.787, 0.024),
        (3, 0.4, "keep", False, 0.0): (0.601, 0.011),
        (3, 0.5, "keep", False, 0.0): (0.247, 0.007),
        (3, 0.6, "keep", False, 0.0): (0.022, 0.005),
    },
    OTHER: {
        (1, 0.1, "random", False, 0.0): (0.051, 0.010),
        (2, 0.1, "random", False, 0.0): (0.42, 0.012),
        (3, 0.1, "random", False, 0.0): (0.736, 0.018),
        (4, 0.1, "random", False, 0.0): (0.769, 0.021),
        (6, 0.1, "random", False, 0.0): (0.787, 0.023),
        (3, 0.5, "random", False, 0.0): (0.46, 0.008),
        (3, 0.1, "random", True, 0.0): (0.039, 0.005),
        (3, 0.1, "random", False, -1e-6): (0.039, 0.005),
    },
}
IN_SMALL = ((1, 0.1, "keep", False, 0.0), (3, 0.1, "keep", False, 0.0), (3, 0.1, "random", True, 0.0))
DETAILS = {
    "equal tags\nmust give": (3, 0.1, "keep", False, 0.0),
    "they may refuse:\nstrict inequality": (3, 0.1, "random", True, 0.0),
    "they may refuse:\ntolerance below 0": (3, 0.1, "random", False, -1e-6),
}


def simulated(settings: list[tuple], generations: int, start: int, runs: int, store: Path, fresh: bool) -> dict:
    """Means over generations of each setting, by setting: those that share a structure in one program."""
    structures: dict[tuple, list[tuple[float, float]]] = {}
    for pairings, cost, ties, strict, floor in settings:
        structures.setdefault((pairings, ties, strict), []).append((cost, floor))
    found = {}
    for (pairings, ties, strict), points in structures.items():
        model = Tags(pairings=pairings, ties=ties, strict=strict)
        data = jc.sweep(
            model, [{"cost": cost, "floor": floor} for cost, floor in points], generations + start, runs,
            record=jc.Record(every=generations, kind="mean", burn_in=start),
            store=store / f"pairings{pairings}_{ties}{'_strict' if strict else ''}", fresh=fresh,
        ).isel(step=-1).load()  # fmt: skip
        for i, (cost, floor) in enumerate(points):
            found[pairings, cost, ties, strict, floor] = data.isel(point=i)
    return found


def words(setting: tuple) -> str:
    """A setting as a line of the table."""
    pairings, cost, ties, strict, floor = setting
    details = ["random ties"] * (ties == "random") + ["strict"] * strict + [f"floor {floor:g}"] * (floor != 0)
    return ", ".join([f"{pairings} x, cost {cost:g}", *details])


def run(out: Path, small: bool = False, fresh: bool = False) -> Verdict:
    """Run the table's settings, with ties kept and random, and the variants in which equal tags may refuse."""
    store = out / f"tags{'_small' if small else ''}"
    published = {
        setting: (numbers, source) for source, table in PUBLISHED.items() for setting, numbers in table.items()
        if not small or setting in IN_SMALL
    }  # fmt: skip
    # All generations count, as in the paper; a short run leaves out the start, which weighs more in it.
    generations, start, runs = (4000, 500, 16) if small else (30_000, 0, 24)
    found = simulated(list(published), generations, start, runs, store, fresh)
    rows = []
    for setting, ((donation, tolerance), source) in published.items():
        for name, number, rounding in (("donation", donation, 0.004), ("tolerance", tolerance, 0.001)):
            sample = found[setting][f"{name}_mean"]
            spread = float(sample.std(ddof=1)) * np.sqrt(1 / runs + 1 / RUNS[source])
            rows.append(Row(f"{words(setting)}: {name}", float(sample.mean()), number, 4 * spread + rounding,
                            f"{source}, 4 s.e."))  # fmt: skip
    path = store / "figures" / "tags.png"
    figures.save(draw(found), path)
    return Verdict("tags: measured against Riolo, Cohen & Axelrod 2001, and variants", rows, [path])


@style.styled
def draw(found: dict[tuple, xr.Dataset]) -> Any:
    """Donation over meetings, ties kept and random, with the paper's; and what refusal among equals leaves."""
    figure = style.new_figure((9, 3.8))
    left, right = figure.subplots(1, 2)
    handles = []
    for i, (ties, label) in enumerate((("keep", "a tie keeps the agent"), ("random", "ties random"))):
        kept = sorted(s for s in found if s[1:] == (0.1, ties, False, 0.0))
        if kept:
            look, samples = style.look(i), [found[s].donation_mean for s in kept]
            handles += left.plot([s[0] for s in kept], [float(x.mean()) for x in samples], color=look.colour,
                                 linestyle=look.line, marker=look.marker, label=label)  # fmt: skip
    paper = {s[0]: numbers[0] for s, numbers in PUBLISHED[PAPER].items() if s[1] == 0.1}
    handles += left.plot(*zip(*sorted(paper.items()), strict=True), "kx", markersize=7, label=PAPER)
    left.set(xlabel="meetings of an agent in a generation", ylabel="share of meetings with a gift", ylim=(-0.03, 1.03))
    left.set_title("giving among the similar")
    left.legend(handles=handles, handlelength=4, loc="lower right")
    bars = {label: found[s].donation_mean for label, s in DETAILS.items() if s in found}
    for i, (label, sample) in enumerate(bars.items()):
        look = style.look(i)
        right.bar(label, float(sample.mean()), 0.6, color=look.colour, hatch=look.hatch, edgecolor="white")
        right.annotate(f"{float(sample.mean()):.3f}", (i, float(sample.mean())), (0, 3), textcoords="offset points",
                       ha="center", fontsize=8)  # fmt: skip
    right.set(ylabel="share of meetings with a gift", xlim=(-0.6, len(bars) - 0.4), ylim=(0, 1))
    right.set_title("3 meetings, cost 0.1: when equals may refuse")
    style.light_grid(left)
    style.light_grid(right, "y")
    return figure
