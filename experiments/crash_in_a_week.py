"""A crash in a week: how likely and how costly, over reserve ratio, connectivity of credit and bailout rule.

Agents who share compute trade it, brokers come between, forwards are sold, issuers promise what they do not hold, one
of them loses most of its loans. A hundred thousand populations say when the rest follow, what that does to welfare,
and what each policy changes. Nothing is scripted but the loss: stages are detected from what is measured.
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
from jaxcoord.market.economy import ComputeEconomy
from jaxcoord.market.timeline import STAGES

STEPS, SHOCK = 100, 50
RATIOS = (0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5)
DEGREES = (0.0, 1.0, 2.0, 3.0, 5.0, 7.0)
POLICIES = ("none", "bagehot", "blanket")
BASE = {"reserve_ratio": 0.3, "connectivity": 2.0, "policy": "none", "market": "exchange", "capital_buffer": 0.0,
        "margin": 0.1, "price_limit": 0.0, "fee": 0.03, "plug": 0.0}  # fmt: skip
CHANGES: dict[str, tuple[dict[str, Any], int]] = {  # what is changed, and the sign of its effect on crashes: 0, unknown
    "reserve ratio 0.4": ({"reserve_ratio": 0.4}, -1),
    "reserve ratio 0.2": ({"reserve_ratio": 0.2}, 1),
    "capital buffer 0.5": ({"capital_buffer": 0.5}, -1),
    "nobody lends to issuers": ({"connectivity": 0.0}, 1),
    "all lend to all issuers": ({"connectivity": 7.0}, -1),
    "rescue of the solvent": ({"policy": "bagehot"}, -1),
    "rescue of all": ({"policy": "blanket"}, -1),
    "margin 0.5": ({"margin": 0.5}, 0),
    "price limit 5%": ({"price_limit": 0.05}, 0),
    "transaction tax 10%": ({"fee": 0.1}, 0),
    "plug at 2 failures": ({"plug": 0.25}, -1),
    "call auction": ({"market": "auction"}, 0),
    "sharing, no market": ({"market": "sharing"}, -1),
}
SIGNS = "theory, at 4 s.e."
RUN = {"reserve_ratio": 0.2, "policy": "bagehot", "plug": 0.5}
SHOWN = ("price", "brokered", "open_interest", "reserve_ratio_held", "cascade_size", "rescues", "volume", "halted",
         "first_step")  # fmt: skip
WATCHED = ("crashed", "welfare", "violation", "overflow", "hyperinflation", "resolutions")


def economy() -> ComputeEconomy:
    """Forty-eight agents, eight of them issuers; brokers and forwards are possible, and one issuer will be struck."""
    return ComputeEconomy(
        size=48, issuers=8, brokers=4, futures=True, credits=10_000, reserve_ratio=0.3, shock="issuer",
        shock_step=SHOCK, shock_size=0.9,
    )  # fmt: skip


def interval(values: Any) -> tuple[float, float]:
    """A mean over populations and half of its 95 % interval."""
    values = np.asarray(values, float)
    return float(values.mean()), float(1.96 * values.std(ddof=1) / math.sqrt(len(values)))


def welfare(data: Any) -> Any:
    """Mean welfare over the run."""
    return data.welfare_mean.isel(step=-1) if "welfare_mean" in data else data.welfare.mean("step")


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
        points = [BASE, *(BASE | change for change, _ in CHANGES.values())]
        effects = jc.sweep(economy(), points, STEPS, 2000, seed=2, record=record, store=folder / "effects",
                           fresh=fresh).load()  # fmt: skip
        strip = jc.sweep(economy(), [RUN], STEPS, 64, seed=3, record=jc.Record(every=1, only=SHOWN),
                         store=folder / "strip", fresh=fresh).load()  # fmt: skip
    picture = folder / "figures" / "crash.png"
    figures.save(draw(data, effects, strip), picture)
    title = "crash-in-a-week: what theory leads one to expect, and what was found"
    return Verdict(title, measured(data, effects), [picture])


def measured(data: Any, effects: Any) -> list[Row]:
    """The rows of the table."""
    end = data.isel(step=-1)
    alone = end.crashed.sel(policy="none").mean("replicate")
    broken = sum(float(x[name].max()) for x in (data, effects) if x is not None for name in ("violation", "overflow"))
    rows = [
        Row("identities violated, amounts overflowed", broken, 0, 0, "exact accounts"),
        Row("crash probability, no rescue, lowest reserve ratio", float(alone.isel(reserve_ratio=0).mean()), 1, 0.02,
            "regimes of the reference economy"),
    ]  # fmt: skip
    if effects is None:
        return rows
    (share, half), (mean, own) = interval(effects.crashed.isel(point=0, step=-1)), interval(welfare(effects)[0])
    text = f"base: crash probability {share:.3f} +- {half:.3f}, welfare {mean:.4f} +- {own:.4f}"
    rows.append(Row(text, share, 0.5, 0.49, "neither sure nor excluded"))
    for i, (label, (_, expected)) in enumerate(CHANGES.items(), start=1):
        (crash, wide), (gain, narrow) = change(effects, i)
        found = f"{label}: crashes {crash:+.3f} +- {wide:.3f}, welfare {gain:+.4f} +- {narrow:.4f}"
        if expected:
            rows.append(Row(f"{found}; sign", math.copysign(abs(crash) > 2 * wide, crash), expected, 0, SIGNS))
        else:
            rows.append(Row(found, crash, 0, 1, "no prediction"))
    return rows


def change(effects: Any, point: int) -> tuple[tuple[float, float], tuple[float, float]]:
    """What a policy changes, against the base: crash probability and welfare, each with half of its 95 % interval."""
    found = []
    for values in (effects.crashed.isel(step=-1), welfare(effects)):
        (mean, half), (before, own) = interval(values.isel(point=point)), interval(values.isel(point=0))
        found.append((mean - before, math.hypot(half, own)))
    return found[0], found[1]


@style.styled
def draw(data: Any, effects: Any, strip: Any) -> Any:
    """Maps of crash probability and welfare, the effect of each policy, and the strip of a typical run."""
    policies, whole = data.policy.values, effects is not None
    figure = style.new_figure((12, 10 if whole else 7))
    above, below = figure.subfigures(2, 1, height_ratios=(1.35, 1) if whole else (1, 1))
    maps = above.subplots(2 if whole else 1, 3 if whole else 2, squeeze=False, sharex=True, sharey=True)
    crashes, good = data.crashed.isel(step=-1).mean("replicate"), welfare(data).mean("replicate")
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
    axes.text(SHOCK, len(STAGES) - 0.45, "loss strikes", fontsize="small", ha="center")
    axes.set_yticks(range(len(STAGES)), STAGES)
    axes.set(xlabel="step", xlim=(0, STEPS + 1), ylim=(-0.6, len(STAGES) - 0.1))
    axes.set_title("one run: what each step shows (crash: issuers fail), and first detection", pad=14)
