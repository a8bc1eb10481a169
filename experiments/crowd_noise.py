"""Noise in a crowd: it tells more where errors are independent (Stocks 2000), and what mishearing does for a search.

Threshold units that hear one signal with noise of their own say together more than one bit. Searchers who mishear each
other find better solutions, if they keep only what is better; but the same errors shared by all do nothing where all
see all, and the same noise in one's own search does as much: the gain is exploration, not misunderstanding.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import jax
import numpy as np
import xarray as xr

import jaxcoord as jc
from experiments.verdict import Row, Verdict
from jaxcoord import figures
from jaxcoord.exploration.collective import CollectiveSearch
from jaxcoord.figures import style
from jaxcoord.language.thresholds import equal_noise_information, threshold_array_information
from jaxcoord.networks.kinds import Complete, Ring

PAPER, OTHER, BEFORE = "Stocks 2000", "other program", "Lazer & Friedman 2007"
NOISE = (0.0, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0, 1.5, 2.0)
INFORMATION = {  # units: bits at each noise over signal
    1: (1.000, 0.897, 0.796, 0.616, 0.470, 0.360, 0.279, 0.158, 0.098),
    7: (1.000, 1.352, 1.472, 1.480, 1.354, 1.192, 1.033, 0.715, 0.507),
    31: (1.000, 1.712, 2.048, 2.292, 2.255, 2.112, 1.940, 1.540, 1.230),
}
GAIN, ROUNDS, RUNS_ELSEWHERE = 1.29, 100, 400
NETWORKS = {"complete": Complete(), "ring": Ring()}
MISHEARD, ADOPTED, SHARED, OWN = "kept if better", "always adopted", "shared mishearing", "exact copy, noisy own search"
# arm: rate: mean fitness, best ever, share that found the best of all, and the standard errors of the three.
SEARCHED: dict[str, dict[str, dict[float, tuple[float, float, float, float, float, float]]]] = {
    "complete": {
        MISHEARD: {
            0.0: (0.9089, 0.9089, 0.05, 0.0025, 0.0025, 0.0109),
            0.005: (0.9064, 0.9064, 0.0425, 0.0025, 0.0025, 0.0101),
            0.02: (0.9072, 0.9072, 0.045, 0.0025, 0.0025, 0.0104),
            0.1: (0.9358, 0.9358, 0.0925, 0.0022, 0.0022, 0.0145),
            0.3: (0.928, 0.9759, 0.3375, 0.0012, 0.0014, 0.0237),
        },
        ADOPTED: {
            0.002: (0.9078, 0.9078, 0.05, 0.0025, 0.0025, 0.0109),
            0.01: (0.9076, 0.9076, 0.0525, 0.0025, 0.0025, 0.0112),
            0.05: (0.9163, 0.9163, 0.0575, 0.0024, 0.0024, 0.0117),
            0.2: (0.9468, 0.9655, 0.225, 0.002, 0.0016, 0.0209),
        },
        SHARED: {
            0.05: (0.9061, 0.9061, 0.0425, 0.0025, 0.0025, 0.0101),
            0.2: (0.9111, 0.9124, 0.055, 0.0024, 0.0024, 0.0114),
        },
        OWN: {
            0.05: (0.947, 0.9471, 0.12, 0.0019, 0.0019, 0.0163),
            0.2: (0.9734, 0.9736, 0.2725, 0.0013, 0.0013, 0.0223),
        },
    },
    "ring": {
        MISHEARD: {
            0.0: (0.9531, 0.9531, 0.155, 0.0018, 0.0018, 0.0181),
            0.005: (0.9546, 0.9546, 0.145, 0.0017, 0.0017, 0.0176),
            0.02: (0.9585, 0.9585, 0.1925, 0.0017, 0.0017, 0.0197),
            0.1: (0.9728, 0.9784, 0.3425, 0.0012, 0.0012, 0.0238),
            0.3: (0.9083, 0.9904, 0.58, 0.0009, 0.0008, 0.0247),
        },
        ADOPTED: {
            0.002: (0.9525, 0.9525, 0.115, 0.0017, 0.0017, 0.016),
            0.01: (0.9563, 0.9563, 0.16, 0.0018, 0.0018, 0.0184),
            0.05: (0.967, 0.9671, 0.2325, 0.0015, 0.0015, 0.0211),
            0.2: (0.8913, 0.9873, 0.54, 0.0012, 0.001, 0.025),
        },
        SHARED: {
            0.05: (0.9631, 0.9631, 0.195, 0.0016, 0.0016, 0.0198),
            0.2: (0.9435, 0.9846, 0.46, 0.0012, 0.0011, 0.025),
        },
        OWN: {
            0.05: (0.9678, 0.9682, 0.265, 0.0016, 0.0016, 0.0221),
            0.2: (0.9782, 0.9786, 0.37, 0.0012, 0.0012, 0.0242),
        },
    },
}
MEASURED = (("mean_fitness", "mean fitness"), ("best_ever", "best ever"), ("found", "share that found the optimum"))
COMMON = (0.0, 0.05, 0.1, 0.2)  # rates at which the arms are drawn beside one another


def arrays() -> tuple[list[Row], dict[int, np.ndarray]]:
    """Information of threshold arrays, exact, against the published curves and the closed form."""
    rows, curves = [], {}
    with jax.enable_x64(True):
        told = jax.jit(jax.vmap(threshold_array_information, (None, 0)), static_argnums=0)
        fine = np.unique(np.append(np.linspace(0, 2, 81), NOISE))
        for units, published in INFORMATION.items():
            curves[units] = found = np.asarray(told(units, fine))
            at = {noise: float(found[np.searchsorted(fine, noise)]) for noise in NOISE}
            rows += [Row(f"N={units}, noise {noise}: bits", at[noise], bits, 6e-4, f"{PAPER}, {OTHER}")
                     for noise, bits in zip(NOISE, published, strict=True)]  # fmt: skip
            rows.append(Row(f"N={units}, noise as strong as the signal: bits", at[1.0], equal_noise_information(units),
                            1e-8, f"{PAPER}, closed form"))  # fmt: skip
    best = {units: fine[found.argmax()] for units, found in curves.items()}
    rows.append(Row("N=1: noise that tells most", best[1], 0.0, 0.0, PAPER))
    rows.append(Row("N=31: noise that tells most", best[31], 0.4, 0.2, PAPER))
    rows.append(Row("N=31: bits gained at noise 0.4", at[0.4] - at[0.0], GAIN, 5e-3, PAPER))
    return rows, curves


def crowd(network: str, arm: str) -> tuple[CollectiveSearch, str]:
    """The model of an arm, and the parameter that its rate is."""
    rule = "always-adopt" if arm == ADOPTED else "keep-better"
    mishearing = "shared" if arm == SHARED else "independent"
    return (CollectiveSearch(NETWORKS[network], rule=rule, mishearing=mishearing),
            "search_noise" if arm == OWN else "copy_noise")  # fmt: skip


def searched(network: str, arm: str, rates: list[float], runs: int, store: Path, fresh: bool) -> xr.Dataset:
    """Crowds of one arm in the end, over rate and replicate."""
    model, name = crowd(network, arm)
    folder = store / f"{network}_{arm.replace(', ', '_').replace(' ', '_')}"
    return jc.sweep(model, {name: rates}, ROUNDS, runs, record=jc.Record(every=ROUNDS), store=folder,
                    fresh=fresh).isel(step=-1).rename({name: "rate"}).load()  # fmt: skip


def run(out: Path, small: bool = False, fresh: bool = False) -> Verdict:
    """Compute the arrays, let crowds search in every arm, compare with the table, and draw both."""
    store = out / f"crowd_noise{'_small' if small else ''}"
    rows, curves = arrays()
    runs = 60 if small else 400
    found: dict[tuple[str, str], xr.Dataset] = {}
    for network in ("complete",) if small else NETWORKS:
        for arm, table in SEARCHED[network].items():
            if small and arm == ADOPTED:
                continue
            rates = sorted({*table, *COMMON})
            data = found[network, arm] = searched(network, arm, rates, runs, store, fresh)
            for rate, numbers in table.items():
                for i, (field, what) in enumerate(MEASURED):
                    sample = data[field].sel(rate=rate).values
                    # A sample of a few runs may hold no success at all; its error is not zero for that.
                    spread = max(sample.std(ddof=1), 0.05 if field == "found" else 0.0) / math.sqrt(runs)
                    rows.append(Row(f"{network}, {arm}, {rate}: {what}", float(sample.mean()), numbers[i],
                                    4 * math.hypot(numbers[i + 3], spread), f"{OTHER}, 4 s.e."))  # fmt: skip

    def fitness(network: str, arm: str, rate: float) -> float:
        return float(found[network, arm].mean_fitness.sel(rate=rate).mean())

    plain = fitness("complete", MISHEARD, 0.0)
    gain = {arm: fitness("complete", arm, 0.2) - plain for arm in (MISHEARD, SHARED, OWN)}
    half, as_much = gain[SHARED] < gain[MISHEARD] / 2, gain[OWN] > gain[MISHEARD] - 0.005
    rows += [
        Row("complete: mishearing at 0.2 gains", float(gain[MISHEARD] > 0.02), 1, 0, OTHER),
        Row("complete: shared by all it gains less than half of that", float(half), 1, 0, OTHER),
        Row("complete: noise in one's own search gains as much", float(as_much), 1, 0, OTHER),
    ]
    if not small:
        ring = fitness("ring", MISHEARD, 0.0)
        rows.append(Row("exact copies: the ring ends higher", float(ring > plain), 1, 0, BEFORE))
    path = store / "figures" / "crowd_noise.png"
    figures.save(draw(curves, found), path)
    return Verdict("crowd-noise: measured against Stocks 2000 and another program", rows, [path])


@style.styled
def draw(curves: dict[int, np.ndarray], found: dict[tuple[str, str], xr.Dataset]) -> Any:
    """Bits of threshold arrays over noise; mean fitness and best of searching crowds over the rate of errors."""
    networks = sorted({network for network, _ in found})
    figure = style.new_figure((4 + 3.6 * len(networks), 4.2))
    panels = np.atleast_1d(figure.subplots(1, 1 + len(networks)))
    left = panels[0]
    fine = np.unique(np.append(np.linspace(0, 2, 81), NOISE))
    for i, (units, bits) in enumerate(curves.items()):
        looks = style.look(i)
        left.plot(fine, bits, color=looks.colour, linestyle=looks.line, label=f"{units} unit{'s' * (units > 1)}")
        left.plot(NOISE, INFORMATION[units], "x", color="black", label="published" if units == 1 else None)
    left.set(xlabel="noise over signal", ylabel="bits that the count tells", ylim=(0, 2.5))
    left.set_title("units with a threshold and noise of their own")
    left.legend(handlelength=4)
    arms = (MISHEARD, ADOPTED, SHARED, OWN)
    for axes, network in zip(panels[1:], networks, strict=True):
        for i, arm in enumerate(arm for arm in arms if (network, arm) in found):
            looks, data = style.look(i), found[network, arm].mean_fitness
            error = data.std("replicate", ddof=1) / math.sqrt(data.sizes["replicate"])
            axes.errorbar(data.rate, data.mean("replicate"), 2 * error, color=looks.colour, linestyle=looks.line,
                          marker=looks.marker, label=arm)  # fmt: skip
        axes.set(xlabel="errors per bit", ylabel=f"mean fitness after {ROUNDS} rounds", ylim=(0.86, 1.0))
        axes.set_title("all see all" if network == "complete" else "a ring")
    handles, _ = panels[1].get_legend_handles_labels()
    figure.legend(handles=handles, loc="outside lower center", ncols=2 if len(networks) == 1 else 4, handlelength=4)
    for axes in panels:
        style.light_grid(axes)
    return figure
