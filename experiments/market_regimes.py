"""Regimes of the compute economy: reserves, rescues, moral hazard, deficits, connectivity, crises, borrower defaults.

The tables were measured by an independent simulation of the same equations in float64. Each entry is compared within
its own and this run's standard errors. In 64 bits, so that unlimited rescue can run to a hundredfold of base money.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import numpy as np

import jaxcoord as jc
from experiments.verdict import Row, Verdict
from jaxcoord import figures
from jaxcoord.figures import style
from jaxcoord.market.credit import money_multiplier
from jaxcoord.market.economy import ComputeEconomy

REFERENCE = "independent simulation of the same equations, float64"
Entry = tuple[float, float]  # mean and standard error; 0: the same in every population
RESERVES: dict[float, dict[str, Entry]] = {
    1.00: {"multiplier": (0.93504, 18e-5), "resolutions": (0, 0), "crashed": (0, 0), "price": (2048.7, 1.2),
           "gini": (0.03491, 3e-5)},
    0.60: {"multiplier": (1.13266, 2e-4), "resolutions": (0, 0), "crashed": (0, 0), "price": (2533.2, 1.5),
           "gini": (0.03932, 5e-5)},
    0.40: {"multiplier": (1.53140, 28e-5), "resolutions": (0, 0), "crashed": (0, 0), "price": (3503.1, 2.1),
           "gini": (0.04579, 8e-5)},
    0.30: {"multiplier": (1.9067, 4e-4), "resolutions": (0.016, 0.016), "crashed": (0, 0), "price": (4416.6, 2.7),
           "gini": (0.05036, 1e-4)},
    0.25: {"multiplier": (2.1977, 8e-4), "resolutions": (0.24, 0.05), "crashed": (0, 0), "price": (5127, 4),
           "gini": (0.05317, 1e-4)},
    0.20: {"multiplier": (2.591, 4e-3), "resolutions": (3.31, 0.27), "crashed": (0.086, 0.025), "price": (6091, 9),
           "gini": (0.05690, 1e-4)},
    0.15: {"multiplier": (2.411, 0.019), "resolutions": (74.4, 2.1), "crashed": (1, 0), "price": (5707, 46),
           "gini": (0.06624, 22e-5)},
    0.10: {"multiplier": (1.657, 0.016), "resolutions": (295, 7), "crashed": (1, 0), "price": (3967, 39),
           "gini": (0.0860, 9e-4)},
    0.05: {"multiplier": (1.589, 0.021), "resolutions": (583, 13), "crashed": (1, 0), "price": (3951, 57),
           "gini": (0.154, 0.010)},
}  # fmt: skip
RESCUES: dict[tuple[float, str], dict[str, Entry]] = {
    (0.20, "none"): {"resolutions": (3.31, 0.27), "rescues": (0, 0), "crashed": (0.086, 0.025),
                     "multiplier": (2.591, 4e-3), "price": (6091, 9)},
    (0.20, "bagehot"): {"resolutions": (0, 0), "rescues": (1.93, 0.11), "crashed": (0, 0),
                        "multiplier": (2.6216, 11e-4), "price": (6167, 4)},
    (0.20, "blanket"): {"resolutions": (0, 0), "rescues": (1.93, 0.11), "crashed": (0, 0),
                        "multiplier": (2.6216, 11e-4), "price": (6167, 4)},
    (0.10, "none"): {"resolutions": (295, 7), "rescues": (0, 0), "crashed": (1, 0), "multiplier": (1.657, 0.016),
                     "price": (3967, 39)},
    (0.10, "bagehot"): {"resolutions": (23.3, 1.3), "rescues": (130.4, 1.0), "crashed": (0.85, 0.03),
                        "multiplier": (3.452, 0.023), "price": (8855, 48), "rescue_credit": (0.0264, 17e-4)},
    (0.10, "blanket"): {"resolutions": (0, 0), "rescues": (127.7, 0.9), "crashed": (0, 0),
                        "multiplier": (3.675, 4e-3), "price": (8952, 13), "rescue_credit": (0.0130, 5e-4)},
}  # fmt: skip
HAZARD: dict[str, dict[str, Entry]] = {
    "none": {"reserve_target": (0.175, 0), "resolutions": (19.0, 1.0), "rescues": (0, 0), "hyperinflation": (0, 0),
             "live_steps": (400, 0), "log_base": (0, 0), "log_price": (0.002, 0.014)},
    "bagehot": {"reserve_target": (0.0249, 0.0027), "resolutions": (284, 9), "rescues": (420, 15),
                "hyperinflation": (0, 0), "live_steps": (400, 0), "log_base": (0.179, 0.012),
                "log_price": (-0.080, 0.019)},
    "blanket": {"reserve_target": (0.020110, 4e-6), "resolutions": (0, 0), "rescues": (173.7, 2.2),
                "hyperinflation": (1, 0), "live_steps": (186, 8), "log_base": (2.081, 0.008),
                "log_price": (2.056, 0.017)},
}  # fmt: skip
DEFICITS: dict[float, tuple[Entry, float]] = {
    0.0: ((-1e-6, 16e-6), 0.0), 0.0025: ((0.002496, 15e-6), 0.002497), 0.005: ((0.004987, 15e-6), 0.004988),
    0.01: ((0.009949, 15e-6), 0.009950), 0.02: ((0.019801, 15e-6), 0.019803),
}  # fmt: skip
DEGREES = (0, 1, 2, 3, 4, 5, 7)
SMALL_LOSS: tuple[Entry, ...] = ((1.52, 0.11), (1.06, 0.03), (1.05, 0.03), (1.039, 0.020), (1.023, 0.013),
                                 (1.023, 0.013), (1.008, 0.008))  # fmt: skip
LARGE_LOSS: tuple[Entry, ...] = ((1, 0), (1.16, 0.04), (1.80, 0.17), (1.51, 0.14), (1.45, 0.14), (1.06, 0.06), (1, 0))
MANY_FAIL: tuple[Entry, ...] = ((0, 0), (0.016, 0.011), (0.13, 0.03), (0.078, 0.024), (0.062, 0.021), (0.008, 0.008),
                                (0, 0))  # fmt: skip
CAPACITY: dict[float, dict[str, Entry]] = {
    0.3: {"mean": (1.426, 0.005), "peak": (1.612, 0.008), "afterwards": (0.9983, 0.0025)},
    0.6: {"mean": (2.503, 0.008), "peak": (2.831, 0.014), "afterwards": (0.9983, 0.0025)},
}
BORROWERS: dict[tuple[float, float, float, float], dict[str, Entry]] = {  # borrow, loan to value, amortisation, rate
    (3, 2, 0.05, 0.01): {"user_defaults": (0, 0), "resolutions": (0.03, 0.03), "multiplier": (1.9078, 7e-4),
                         "gini": (0.05045, 21e-5)},
    (3, 2, 0.3, 0.01): {"user_defaults": (14.20, 0.29), "resolutions": (0, 0), "multiplier": (1.427, 4e-3),
                        "gini": (0.0680, 5e-4)},
    (3, 4, 0.5, 0.05): {"user_defaults": (296.9, 2.2), "resolutions": (5.45, 0.28), "multiplier": (0.909, 4e-3),
                        "gini": (0.740, 0.009)},
}  # fmt: skip
COUNTED = ("resolutions", "rescues", "crashed", "user_defaults")
SHOCK = 120  # steps before a shock
FEWER = 8  # times fewer populations when small


@contextlib.contextmanager
def wide() -> Iterator[None]:
    """64-bit numbers in all threads of the engine."""
    flags: Any = jax.config
    before = flags.jax_enable_x64
    jax.config.update("jax_enable_x64", True)
    try:
        yield
    finally:
        jax.config.update("jax_enable_x64", before)


class Measure:
    """Runs sweeps into stores of one folder, and gathers rows."""

    def __init__(self, out: Path, small: bool, fresh: bool):
        self.out, self.small, self.fresh = out / f"market_regimes{'_small' if small else ''}", small, fresh
        self.rows: list[Row] = []
        self.violations = 0.0

    def sweep(self, name: str, model: ComputeEconomy, over: Any, steps: int, populations: int, record: Any) -> Any:
        """One sweep, loaded; what the accounts say is kept."""
        populations = populations // FEWER if self.small else populations
        data = jc.sweep(model, over, steps, populations, record=record, store=self.out / name, fresh=self.fresh).load()
        for watched in ("violation", "overflow"):
            if watched in data:
                self.violations += float(data[watched].max())
        return data

    def row(self, label: str, values: Any, entry: Entry) -> None:
        """A mean over populations and its entry: within 4 standard errors of the difference, or six digits."""
        values = np.asarray(values, float)
        mean, error = entry
        own = values.std(ddof=1) / math.sqrt(len(values))
        tolerance = max(4 * math.hypot(own, error), 1e-6 * max(1.0, abs(mean)))
        self.rows.append(Row(label, float(values.mean()), mean, tolerance, f"{REFERENCE}, 4 s.e."))


def late(steps: int) -> Any:
    """Means over the steps from 100 to the end, and the state at the end."""
    return jc.Record(every=steps - 100, burn_in=100, kind="both")


def average(data: Any, name: str) -> np.ndarray:
    """Counts and shares at the end; of all else the mean from step 100."""
    chosen = data[name] if name in COUNTED else data[f"{name}_mean"]
    return chosen.isel(step=-1).values


def reserves(measure: Measure) -> tuple[Any, Any]:
    """The reserve-ratio table. Returns: multipliers and crash shares, for the figure."""
    model, ratios = ComputeEconomy(), list(RESERVES)
    data = measure.sweep("reserves", model, {"reserve_ratio": ratios}, 250, 128, late(250))
    for ratio, entries in RESERVES.items():
        for name, entry in entries.items():
            measure.row(f"r={ratio:g}: {name}", average(data.sel(reserve_ratio=ratio), name), entry)
    return data["multiplier_mean"].isel(step=-1), data["crashed"].isel(step=-1)


def rescues(measure: Measure) -> None:
    """The table of rescue policies at a fixed reserve ratio."""
    over = {"policy": ["none", "bagehot", "blanket"], "reserve_ratio": [0.2, 0.1]}
    data = measure.sweep("rescues", ComputeEconomy(), over, 250, 128, late(250))
    for (ratio, policy), entries in RESCUES.items():
        for name, entry in entries.items():
            chosen = data.sel(policy=policy, reserve_ratio=ratio)
            measure.row(f"{policy}, r={ratio:g}: {name}", average(chosen, name), entry)


def hazard(measure: Measure) -> Any:
    """The table of moral hazard. Returns: target reserve ratios over time."""
    model = ComputeEconomy(adaptive=True, reserve_ratio=0.3)
    data = measure.sweep("hazard", model, {"policy": list(HAZARD)}, 400, 64, jc.Record(every=10))
    for policy, entries in HAZARD.items():
        chosen = data.sel(policy=policy)
        end = chosen.isel(step=-1)
        found = {name: end[name].values for name in entries if not name.startswith("log_")}
        found["log_base"] = np.log10(end.base_growth.values)
        found["log_price"] = np.log10(end.price.values / chosen.price.sel(step=50).values)
        for name, entry in entries.items():
            measure.row(f"adaptive, {policy}: {name}", found[name], entry)
    return data.reserve_target


def slopes(series: np.ndarray) -> np.ndarray:
    """Least-squares slope of each row `[P, T]`."""
    time = np.arange(series.shape[1]) - (series.shape[1] - 1) / 2
    return series @ time / (time @ time)


def deficits(measure: Measure) -> None:
    """The table of deficit finance."""
    model = ComputeEconomy(reserve_ratio=0.4, base_limit=0.0)
    record = jc.Record(every=1, burn_in=100, only=("price", "base_growth", "overflow", "violation"))
    data = measure.sweep("deficits", model, {"deficit": list(DEFICITS)}, 300, 32, record)
    for deficit, (price, base) in DEFICITS.items():
        chosen = data.sel(deficit=deficit)
        measure.row(f"deficit {deficit:g}: slope of log price", slopes(np.log(chosen.price.values)), price)
        slope = slopes(np.log(chosen.base_growth.values))
        measure.rows.append(Row(f"deficit {deficit:g}: slope of log base", slope.mean(), base, 1e-6, REFERENCE))


def connectivity(measure: Measure) -> Any:
    """The table of interbank connectivity. Returns: issuers resolved after the shock, over loss and degree."""
    model = ComputeEconomy(reserve_ratio=0.4, shock="issuer", shock_step=SHOCK + 1)
    points = [
        {"shock_size": loss, "connectivity": degree, "placements": 0.3 if degree else 0.0}
        for loss in (0.25, 0.9) for degree in DEGREES
    ]  # fmt: skip
    data = measure.sweep("connectivity", model, points, 150, 128, jc.Record(every=15, burn_in=105))
    count = data.resolutions.values  # [point, replicate, step 120, 135, 150]
    after = (count[..., 2] - count[..., 0]).reshape(2, len(DEGREES), -1)
    soon = (count[..., 1] - count[..., 0]).reshape(2, len(DEGREES), -1)[1] >= 3
    for i, degree in enumerate(DEGREES):
        measure.row(f"loss 25%, degree {degree}: resolutions", after[0, i], SMALL_LOSS[i])
        measure.row(f"loss 90%, degree {degree}: resolutions", after[1, i], LARGE_LOSS[i])
        measure.row(f"loss 90%, degree {degree}: three or more", soon[i], MANY_FAIL[i])
    return after


def crises(measure: Measure) -> None:
    """The capacity crisis of 15 steps."""
    model = ComputeEconomy(reserve_ratio=0.3, shock="capacity", shock_step=SHOCK + 1, shock_length=15)
    record = jc.Record(every=1, burn_in=60, only=("price", "overflow", "violation"))
    data = measure.sweep("crises", model, {"shock_size": list(CAPACITY)}, 200, 64, record)
    for loss, entries in CAPACITY.items():
        price = data.price.sel(shock_size=loss).values  # from step 61
        normal = price[:, : SHOCK - 60].mean(1)
        during, later = price[:, SHOCK - 60 : SHOCK - 45], price[:, SHOCK - 30 :]
        found = {"mean": during.mean(1), "peak": during.max(1), "afterwards": later.mean(1)}
        for name, entry in entries.items():
            measure.row(f"capacity -{loss:.0%}: price, {name}", found[name] / normal, entry)


def borrowers(measure: Measure) -> None:
    """The table of borrower defaults."""
    names = ("borrow", "loan_to_value", "amortisation", "interest")
    points = [dict(zip(names, map(float, point), strict=True)) for point in BORROWERS]
    data = measure.sweep("borrowers", ComputeEconomy(reserve_ratio=0.3), points, 160, 64, late(160))
    for i, entries in enumerate(BORROWERS.values()):
        for name, entry in entries.items():
            label = ", ".join(f"{n} {v:g}" for n, v in points[i].items())
            measure.row(f"{label}: {name}", average(data.isel(point=i), name), entry)


def run(out: Path, small: bool = False, fresh: bool = False) -> Verdict:
    """Measure every table; when small the first only, with fewer populations."""
    measure = Measure(out, small, fresh)
    picture = measure.out / "figures" / "regimes.png"
    with wide():
        multipliers, crashes = reserves(measure)
        if small:
            figures.save(draw(multipliers, crashes), picture)
            return Verdict("market-regimes: measured against an independent simulation", measure.rows, [picture])
        rescues(measure)
        targets = hazard(measure)
        deficits(measure)
        failures = connectivity(measure)
        crises(measure)
        borrowers(measure)
    measure.rows.append(Row("identities violated, amounts overflowed", measure.violations, 0, 0, "exact accounts"))
    figures.save(draw(multipliers, crashes, targets, failures), picture)
    return Verdict("market-regimes: measured against an independent simulation", measure.rows, [picture])


@style.styled
def draw(multipliers: Any, crashes: Any, targets: Any = None, failures: Any = None) -> Any:
    """Multiplier and crashes over the reserve ratio, reserve ratios under rescue, failures over connectivity."""
    whole = targets is not None
    figure = style.new_figure((11, 3.4) if whole else (4, 3.4))
    left, *others = figure.subplots(1, 3 if whole else 1, squeeze=False)[0]
    ratios = multipliers.reserve_ratio.values
    looks = [style.look(i) for i in range(3)]
    for axes in (left, *others):
        style.light_grid(axes)
    left.plot(ratios, multipliers.mean("replicate"), color=looks[0].colour, marker="o", label="broad over base money")
    with jax.enable_x64(True):
        bound = [float(money_multiplier(r, 1 / 9)) for r in ratios]
    left.plot(ratios, bound, color="0.5", linestyle=":", label="bound (1 + c)/(r + c)")
    left.plot(ratios, crashes.mean("replicate"), color=looks[1].colour, marker="s", label="share with a crash")
    left.set(xlabel="reserve ratio r", ylim=(0, 4.5), title="less reserve, more money, until they fail")
    left.legend(fontsize="small")
    if not whole:
        return figure
    middle, right = others
    for i, policy in enumerate(targets.policy.values):
        series = targets.sel(policy=policy).mean("replicate")
        middle.plot(series.step, series, color=looks[i].colour, linestyle=looks[i].line, label=str(policy))
    middle.set(xlabel="step", ylabel="target reserve ratio", ylim=(0, 0.32), title="rescue breeds thin reserves")
    middle.legend(title="rescue policy", fontsize="small")
    for i, (loss, values) in enumerate(zip(("25%", "90%"), failures, strict=True)):
        error = values.std(-1, ddof=1) / math.sqrt(values.shape[-1])
        right.errorbar(
            DEGREES, values.mean(-1), 1.96 * error, color=looks[i].colour, marker="os"[i], label=f"loss {loss}"
        )
    right.set(xlabel="issuers that an issuer lends to", ylabel="issuers resolved", title="one large issuer is struck")
    right.legend(fontsize="small")
    return figure
