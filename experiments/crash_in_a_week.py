"""A crash in a week: how likely and how costly, over reserve ratio, connectivity of credit and bailout rule.

Agents who share compute trade it, brokers come between, forwards are sold, issuers promise what they do not hold, one
of them loses most of its loans. A hundred thousand populations say when the rest follow, what that does to welfare,
and what each policy changes. Nothing is scripted but the loss: stages are detected from what is measured.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

import jaxcoord as jc
from experiments.verdict import Row, Verdict
from jaxcoord import figures
from jaxcoord.figures import style
from jaxcoord.market.economy import ComputeEconomy
from jaxcoord.market.timeline import STAGES

Interval = tuple[float, float]  # a mean and half of its 95 % interval
STEPS, SHOCK = 100, 50
RATIOS = (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5)
DEGREES = (0.0, 1.0, 2.0, 3.0, 5.0, 7.0)
POLICIES = ("none", "bagehot", "blanket")
BASE = {"reserve_ratio": 0.3, "connectivity": 2.0, "policy": "none", "market": "exchange", "capital_buffer": 0.0,
        "margin": 0.1, "price_limit": 0.0, "fee": 0.03, "plug": 0.0}  # fmt: skip
CRASHES, WELFARE = "crash probability", "welfare"


class Change(NamedTuple):
    """A policy, and what theory says of it."""

    settings: dict[str, Any]
    of: str
    """The quantity whose direction theory gives."""
    sign: int
    source: str


CHANGES = {
    "reserve ratio 0.4": Change({"reserve_ratio": 0.4}, CRASHES, -1, "Diamond & Dybvig 1983: reserves meet runs"),
    "reserve ratio 0.2": Change({"reserve_ratio": 0.2}, CRASHES, 1, "Diamond & Dybvig 1983: reserves meet runs"),
    "capital buffer 0.5": Change({"capital_buffer": 0.5}, CRASHES, -1, "Gai & Kapadia 2010: capital absorbs losses"),
    "nobody lends to issuers": Change({"connectivity": 0.0}, CRASHES, 1, "Allen & Gale 2000: insurance"),
    "all lend to all issuers": Change({"connectivity": 7.0}, CRASHES, -1, "Allen & Gale 2000: complete markets"),
    "rescue of the solvent": Change({"policy": "bagehot"}, CRASHES, -1, "Bagehot 1873: who is only short lives"),
    "rescue of all": Change({"policy": "blanket"}, CRASHES, -1, "Bagehot 1873, without his limits"),
    "margin 0.5": Change({"margin": 0.5}, "open interest", -1, "Hardouvelis & Kim 1995: dearer positions"),
    "price limit 5%": Change({"price_limit": 0.05}, WELFARE, -1, "Kim & Rhee 1997: trade is hindered"),
    "transaction tax 10%": Change({"fee": 0.1}, WELFARE, 1, "Varian 1974: equal budgets, as paid out by use"),
    "plug at 2 failures": Change({"plug": 0.25}, CRASHES, -1, "a crash is 4 failures"),
    "call auction": Change({"market": "auction"}, WELFARE, -1, "Rustichini et al. 1994: one order each"),
    "sharing, no market": Change({"market": "sharing"}, CRASHES, -1, "no payments to fail"),
}
RUN = {"reserve_ratio": 0.2, "policy": "bagehot", "plug": 0.5}
SHOWN = ("price", "brokered", "open_interest", "reserve_ratio_held", "cascade_size", "rescues", "volume", "halted",
         "first_step")  # fmt: skip
WATCHED = ("crashed", "welfare", "open_interest", "violation", "overflow", "hyperinflation", "resolutions")


def economy() -> ComputeEconomy:
    """Forty-eight agents, eight of them issuers; brokers and forwards are possible, and one issuer will be struck."""
    return ComputeEconomy(
        size=48, issuers=8, brokers=4, futures=True, credits=10_000, reserve_ratio=0.3, shock="issuer",
        shock_step=SHOCK, shock_size=0.9,
    )  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Effects(Verdict):
    """The table, and beneath it what is found without a prediction: what each policy changes."""

    effects: Sequence[tuple[str, Interval, Interval]]

    def print(self) -> None:
        """Show the verdict, then the effects with their intervals."""
        super().print()
        table = Table("policy", CRASHES, WELFARE, title="own result: effect of each policy, 95 % interval", box=None,
                      title_justify="left", pad_edge=False)  # fmt: skip
        for label, *found in self.effects:
            table.add_row(label, *(f"{mean:+.4f} \u00b1 {half:.4f}" for mean, half in found))
        if self.effects:
            Console().print(table)


def interval(values: Any) -> Interval:
    """A mean over populations and half of its 95 % interval."""
    values = np.asarray(values, float)
    return float(values.mean()), float(1.96 * values.std(ddof=1) / math.sqrt(len(values)))


def quantity(data: Any, name: str) -> Any:
    """Crashes by the end; of all else the mean over the run."""
    if name == CRASHES:
        return data.crashed.isel(step=-1)
    name = name.replace(" ", "_")
    return data[f"{name}_mean"].isel(step=-1) if f"{name}_mean" in data else data[name].mean("step")


def run(out: Path, small: bool = False, fresh: bool = False) -> Verdict:
    """Sweep the map, then each policy alone, then watch one population; when small a map of six points only."""
    folder = out / f"crash_in_a_week{'_small' if small else ''}"
    effects = None
    if small:
        over = {"policy": ["none"], "reserve_ratio": list(RATIOS[::3]), "connectivity": list(DEGREES[::5])}
        record = jc.Record(every=1, only=(*WATCHED, *SHOWN))
        data = jc.sweep(economy(), over, STEPS, 32, seed=1, record=record, store=folder / "map", fresh=fresh).load()
        strip = data.isel(policy=0, reserve_ratio=1, connectivity=0).expand_dims("point")
    else:
        over = {"policy": list(POLICIES), "reserve_ratio": list(RATIOS), "connectivity": list(DEGREES)}
        record = jc.Record(every=STEPS, kind="both", only=WATCHED)
        data = jc.sweep(economy(), over, STEPS, 700, seed=1, record=record, store=folder / "map", fresh=fresh).load()
        points = [BASE, *(BASE | change.settings for change in CHANGES.values())]
        effects = jc.sweep(economy(), points, STEPS, 2000, seed=2, record=record, store=folder / "effects",
                           fresh=fresh).load()  # fmt: skip
        strip = jc.sweep(economy(), [RUN], STEPS, 64, seed=3, record=jc.Record(every=1, only=SHOWN),
                         store=folder / "strip", fresh=fresh).load()  # fmt: skip
    picture = folder / "figures" / "crash.png"
    figures.save(draw(data, effects, strip), picture)
    title = "crash-in-a-week: what theory leads one to expect, and what was found"
    found = [] if effects is None else [(label, *change(effects, i + 1)) for i, label in enumerate(CHANGES)]
    return Effects(title, measured(data, effects), [picture], found)


def measured(data: Any, effects: Any) -> list[Row]:
    """The rows of the table."""
    end = data.isel(step=-1)
    alone = end.crashed.sel(policy="none").mean("replicate")
    broken = sum(float(x[name].max()) for x in (data, effects) if x is not None for name in ("violation", "overflow"))
    rows = [
        Row("identities violated, amounts overflowed", broken, 0, 0, "exact accounts"),
        Row("crash probability, no rescue, lowest reserve ratio", float(alone.isel(reserve_ratio=0).mean()), 1, 0.02,
            "independent simulation of the same equations"),
    ]  # fmt: skip
    if effects is None:
        return rows
    (share, half), (mean, own) = (interval(quantity(effects, name)[0]) for name in (CRASHES, WELFARE))
    text = f"base: crash probability {share:.3f} +- {half:.3f}, welfare {mean:.4f} +- {own:.4f}"
    rows.append(Row(text, share, 0.5, 0.49, "neither sure nor excluded"))
    for i, (label, policy) in enumerate(CHANGES.items(), start=1):
        moved, wide = difference(effects, i, policy.of)
        text = f"{label}: {policy.of} {moved:+.4f} +- {wide:.4f}; sign"
        rows.append(Row(text, math.copysign(abs(moved) > 2 * wide, moved), policy.sign, 0, f"{policy.source}; 4 s.e."))
    return rows


def difference(effects: Any, point: int, name: str) -> Interval:
    """What a policy changes, against the base, with half of its 95 % interval."""
    values = quantity(effects, name)
    (mean, half), (before, own) = interval(values.isel(point=point)), interval(values.isel(point=0))
    return mean - before, math.hypot(half, own)


def change(effects: Any, point: int) -> tuple[Interval, Interval]:
    """What a policy changes of crash probability and of welfare."""
    return difference(effects, point, CRASHES), difference(effects, point, WELFARE)


@style.styled
def draw(data: Any, effects: Any, strip: Any) -> Any:
    """Maps of crash probability and welfare, the effect of each policy, and the strip of a typical run."""
    policies, whole = data.policy.values, effects is not None
    figure = style.new_figure((12, 10 if whole else 7))
    above, below = figure.subfigures(2, 1, height_ratios=(1.35, 1) if whole else (1, 1))
    maps = above.subplots(2 if whole else 1, 3 if whole else 2, squeeze=False, sharex=True, sharey=True)
    crashes, good = data.crashed.isel(step=-1).mean("replicate"), quantity(data, WELFARE).mean("replicate")
    kinds = ((crashes, "crash probability", (0.0, 1.0)), (good, "welfare", (float(good.min()), float(good.max()))))
    for row, (values, label, limits) in enumerate(kinds):
        for i, policy in enumerate(policies):
            axes = maps[row, i] if whole else maps[0, row]
            chosen = values.sel(policy=policy).transpose("reserve_ratio", "connectivity")
            figures.phase_diagram(chosen, axes=axes, label=label, limits=limits, colourbar=i == len(policies) - 1,
                                  title=f"{label}, rescue: {policy}", levels=None if row else 0.5,
                                  legend=False)  # fmt: skip
            axes.set(xlabel="" if whole and row == 0 else "reserve ratio", ylabel="" if i else "issuers lent to")
    if whole:
        left, right = below.subplots(1, 2)
        draw_effects(left, effects, list(CHANGES))
    else:
        right = below.subplots(1, 1)
    draw_strip(right, strip)
    return figure


def draw_effects(axes: Any, effects: Any, labels: list[str]) -> None:
    """Change of crash probability by each policy, and of welfare as numbers beside it."""
    style.light_grid(axes, "x")
    for i in range(len(labels)):
        (crash, wide), (gain, narrow) = change(effects, i + 1)
        axes.barh(i, crash, color=style.look(0).colour, height=0.6)
        axes.errorbar(crash, i, xerr=wide, color="black", linewidth=1)
        axes.text(1.4, i, f"{gain:+.3f} \u00b1 {narrow:.3f}", va="center", ha="right", fontsize="small")
    axes.axvline(0, color="black", linewidth=0.8)
    axes.text(1.4, len(labels) - 0.3, "welfare", ha="right", fontsize="small")
    axes.set_yticks(range(len(labels)), labels)
    axes.set(xlabel="change of crash probability, 95 % interval", xlim=(-0.6, 1.45), ylim=(-0.6, len(labels) + 0.2))
    axes.set_xticks([-0.5, 0, 0.5], ["-0.5", "0", "0.5"])
    axes.set_title("each policy alone; base: ratio 0.3, two partners")


def typical(strip: Any) -> Any:
    """The population with the most stages that crashes at the median step of those."""
    first = strip.first_step.isel(point=0, step=-1)
    reached = (first > 0).sum("stage").values
    best = np.flatnonzero(reached == reached.max())
    crash = first.sel(stage="crash").values[best]
    return strip.isel(point=0, replicate=int(best[np.argsort(crash, kind="stable")[len(best) // 2]]))


def draw_strip(axes: Any, strip: Any) -> None:
    """When each stage is present in one run, and when it was first detected."""
    run = typical(strip)
    rescued = np.diff(run.rescues.values, prepend=0) > 0
    failing = run.cascade_size.values > 0
    present = {
        "trade": (run.volume.values > 0) & ~run.halted.values, "middlemen": run.brokered.values > 0,
        "derivatives": run.open_interest.values > 0, "fractional reserve": run.reserve_ratio_held.values < 1,
        "crash": failing, "bailout": rescued, "halt": run.halted.values,
    }  # fmt: skip
    step = run.step.values
    for lane, stage in enumerate(STAGES):
        shown, looks = present[stage], style.look(lane)
        if stage != "halt":
            shown = shown & ~run.halted.values
        axes.bar(step[shown], 0.7, bottom=lane - 0.35, width=1.0, color=looks.colour, alpha=0.55, linewidth=0)
        first = int(run.first_step.sel(stage=stage).values[-1])
        if first > 0:
            axes.plot(first, lane, marker="v", color="black", markersize=6)
            axes.text(first + 1.5, lane, f"step {first}", va="center", fontsize="small", path_effects=style.halo(2))
    axes.axvline(SHOCK, color="black", linestyle=":", linewidth=1)
    axes.text(SHOCK, len(STAGES) - 0.45, "loss strikes", fontsize="small", ha="center", path_effects=style.halo(2))
    axes.set_yticks(range(len(STAGES)), STAGES)
    axes.set(xlabel="step", xlim=(0, STEPS + 1), ylim=(-0.6, len(STAGES) - 0.1))
    axes.set_title("one run: what each step shows (crash: issuers fail), and first detection", pad=14)
