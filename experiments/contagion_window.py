"""Robust yet fragile: the window of contagion in a network of banks (Gai & Kapadia 2010).

One of a thousand banks fails. Whether others follow depends on how many links there are: too few, and nothing spreads;
too many, and no single loss is large. In between it spreads, and near the upper end rarely, but then to everybody.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import jaxcoord as jc
from experiments.verdict import Row, Verdict
from jaxcoord import figures
from jaxcoord.figures import style
from jaxcoord.market.contagion import InterbankContagion, contagion_window, largest_vulnerable_degree

PAPER, OTHER = "Gai & Kapadia 2010", "other program"
INTERBANK, CAPITAL = 20, 4
WINDOWS = {3: (1.0006, 9.0970), 4: (1.0037, 7.4771), 5: (1.0207, 5.7647)}  # capital: edges
DRAWS = 1000  # of the published table
PUBLISHED = {  # mean degree: frequency of contagion, extent where there is one
    1.0: (0.09, 0.12), 1.5: (0.56, 0.58), 2.0: (0.78, 0.80), 2.5: (0.84, 0.89), 3.0: (0.88, 0.94), 4.0: (0.89, 0.98),
    5.0: (0.85, 0.993), 6.0: (0.69, 0.997), 7.0: (0.44, 0.999), 7.5: (0.25, 1.0), 8.0: (0.14, 1.0), 8.5: (0.04, 1.0),
    9.0: (0.006, 1.0), 10.0: (0.0, np.nan),
}  # fmt: skip
IN_SMALL = (1.0, 2.0, 4.0, 7.0, 10.0)
FEW = 10  # contagions, of which no mean is taken


def simulated(small: bool, store: Path, fresh: bool) -> Any:
    """Extent of independent draws over degree and capital, each replicate a row of draws."""
    over = {
        "degree": list(IN_SMALL if small else PUBLISHED),
        "capital": [CAPITAL] if small else list(WINDOWS),
    }
    steps, replicates = (20, 10) if small else (50, 20)
    data = jc.sweep(InterbankContagion(interbank=INTERBANK), over, steps=steps, replicates=replicates,
                    record=jc.Record(every=1), store=store, fresh=fresh)  # fmt: skip
    return data.sel(step=slice(1, None)).load()


def run(out: Path, small: bool = False, fresh: bool = False) -> Verdict:
    """Draw networks over mean degree, compare frequency and extent with the table and the window with its equation."""
    store = out / f"contagion_window{'_small' if small else ''}"
    data = simulated(small, store, fresh)
    rows = []
    for capital, edges in WINDOWS.items():
        found = contagion_window(capital, INTERBANK)
        for name, edge, published in zip(("opens", "closes"), found or (np.nan, np.nan), edges, strict=True):
            rows.append(Row(f"capital {capital}%: window {name} at z", edge, published, 5.1e-5, PAPER))
    rows.append(Row("capital 4%: largest vulnerable degree", largest_vulnerable_degree(4, INTERBANK), 5, 0, PAPER))
    curves = {}
    for capital in data.capital.values.tolist():
        extent = data.extent.sel(capital=capital).stack(draw=("replicate", "step")).transpose("degree", "draw").values
        contagion = data.contagion.sel(capital=capital).stack(draw=("replicate", "step"))
        systemic = contagion.transpose("degree", "draw").values > 0
        number = systemic.sum(1)
        mean = np.where(number > 0, (extent * systemic).sum(1) / np.maximum(number, 1), np.nan)
        curves[capital] = systemic.mean(1), mean
    draws = systemic.shape[1]
    frequency, mean = curves[CAPITAL]
    for z, often, far in zip(data.degree.values.tolist(), frequency, mean, strict=True):
        likely, reach = PUBLISHED[z]
        # A frequency of 0 or 1 has an error too: as if one more draw had gone the other way.
        variance = max(likely * (1 - likely), 1 / DRAWS)
        error = np.sqrt(variance * (1 / draws + 1 / DRAWS))
        rows.append(Row(f"z={z:g}: frequency of contagion", often, likely, 4 * error + 0.005, f"{OTHER}, 4 s.e."))
        if min(often * draws, likely * DRAWS) >= FEW:
            sample = extents(data, z)
            error = sample.std(ddof=1) * np.sqrt(1 / len(sample) + 1 / (likely * DRAWS))
            rows.append(Row(f"z={z:g}: extent where there is one", far, reach, 4 * error + 0.005, f"{OTHER}, 4 s.e."))
    dropped = int(data.dropped.sum())
    rows.append(Row("banks with more borrowers than places", dropped, 0, 0, "by construction"))
    path = store / "figures" / "contagion_window.png"
    figures.save(draw(data.degree.values, curves), path)
    return Verdict("contagion-window: measured against Gai & Kapadia 2010", rows, [path])


def extents(data: Any, degree: float) -> np.ndarray:
    """Extents of the contagions at this mean degree."""
    chosen = data.sel(degree=degree, capital=CAPITAL)
    return chosen.extent.values[chosen.contagion.values > 0]


@style.styled
def draw(degrees: np.ndarray, curves: dict[int, tuple[np.ndarray, np.ndarray]]) -> Any:
    """Frequency and extent at the paper's capital with its window, and the frequency at other capitals."""
    figure = style.new_figure((9, 3.8))
    left, right = figure.subplots(1, 2, sharey=True)
    for axes in (left, right):
        style.light_grid(axes)
        axes.set(xlabel="mean number of borrowers z", ylim=(-0.03, 1.09))
    frequency, extent = curves[CAPITAL]
    low, high = WINDOWS[CAPITAL]
    left.axvspan(low, high, color="0.9", linewidth=0, label="window, infinitely many banks")
    for i, (label, values) in enumerate((("frequency", frequency), ("extent where there is one", extent))):
        looks = style.look(i)
        left.plot(degrees, values, color=looks.colour, linestyle=looks.line, marker=looks.marker, label=label)
    left.plot(list(PUBLISHED), [p[0] for p in PUBLISHED.values()], "kx", markersize=6, label=OTHER)
    left.plot(list(PUBLISHED), [p[1] for p in PUBLISHED.values()], "kx", markersize=6)
    left.set(ylabel="share")
    left.set_title(f"capital {CAPITAL}%: rarer, but then everybody")
    left.legend(handlelength=3.5, loc="lower center", fontsize=7.5)
    for i, (capital, (often, _)) in enumerate(sorted(curves.items())):
        looks = style.look(i)
        right.plot(degrees, often, color=looks.colour, linestyle=looks.line, marker=looks.marker,
                   label=f"capital {capital}%")  # fmt: skip
        right.axvline(WINDOWS[capital][1], color=looks.colour, linestyle=":", linewidth=1)
    right.set_title("frequency of contagion; dotted: where the window closes")
    right.legend(handlelength=4, loc="lower center")
    return figure
