"""Leverage causes fat tails and clustered volatility (Thurner, Farmer & Geanakoplos 2012).

Funds that buy what is cheap calm a market. Let them buy on credit, and a fall that makes them sell into it turns into
a crash: returns lose their normal law, losses more than gains, and large moves come together.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

import jaxcoord as jc
from experiments.verdict import Row, Verdict
from jaxcoord import figures
from jaxcoord.figures import style
from jaxcoord.market.leverage import LeverageCycle

PAPER = "Thurner et al. 2012"
REFERENCE = {  # leverage: excess kurtosis, skewness, Hill exponent, exits, autocorrelation; by simulation
    1.0: (0.17, -0.01, 8.7, 0, 0.01),
    2.0: (0.63, -0.01, 8.0, 1, 0.07),
    3.0: (1.0, -0.02, 7.3, 52, 0.11),
    5.0: (3.7, -0.25, 5.1, 478, 0.11),
    7.0: (6.7, -0.42, 4.1, 698, 0.12),
    10.0: (10.9, -0.66, 3.6, 729, 0.13),
    15.0: (9.9, -0.59, 3.7, 698, 0.13),
}
BANDS = {1.0: ((-0.0173772, 0.630491), (0.0296891, 0.0362866)), 10.0: ((5.32568, 22.0028), (0.0265443, 0.0324431))}
BURN, LAG, TAIL = 2000, 10, 0.01
OURS = f"{PAPER}, reference simulation"


def hill(returns: np.ndarray) -> float:
    """Exponent of the law of the largest losses: the reciprocal mean log of the worst percent over its least.

    Source: Hill 1975.
    """
    losses = np.sort(-returns[returns < 0])[::-1]
    count = int(TAIL * len(losses))
    return float(1 / np.log(losses[:count] / losses[count]).mean())


def clustering(returns: np.ndarray) -> float:
    """Autocorrelation of the size of returns `[P, T]` at a lag of ten steps."""
    size = np.abs(returns) - np.abs(returns).mean(1, keepdims=True)
    return float(((size[:, LAG:] * size[:, :-LAG]).mean(1) / (size**2).mean(1)).mean())


def run(out: Path, small: bool = False, fresh: bool = False) -> Verdict:
    """Simulate every leverage, compare moments and tails, and draw a crash and the laws of returns."""
    folder = out / f"leverage{'_small' if small else ''}"
    steps, replicates = (6000, 16) if small else (12_000, 48)
    chosen = [1.0, 5.0, 10.0] if small else list(REFERENCE)
    data = jc.sweep(LeverageCycle(), {"leverage": chosen}, steps=steps, replicates=replicates, seed=1,
                    record=jc.Record(every=1, only=("log_return", "price", "exits")), store=folder / "sweep",
                    fresh=fresh).load()  # fmt: skip
    rows, tails = [], {}
    for leverage in chosen:
        at = data.sel(leverage=leverage)
        returns = at.log_return.transpose("replicate", "step").values[:, BURN:].astype(float)
        tails[leverage] = returns
        kurtosis, skewness, exponent, exits, together = REFERENCE[leverage]
        name = f"leverage {leverage:g}"
        found = float(stats.kurtosis(returns.ravel()))
        # The fourth moment of fat tails is known within a factor of two, that of a normal law much better.
        rows.append(Row(f"{name}: excess kurtosis", found, kurtosis, max(0.3, 0.5 * kurtosis), OURS))
        if leverage in BANDS:
            (low, high), (least, most) = BANDS[leverage]
            rows.append(Row(f"{name}: ... in its band", found, (low + high) / 2, (high - low) / 2, OURS))
            rows.append(Row(f"{name}: standard deviation", float(returns.std()), (least + most) / 2, (most - least) / 2,
                            OURS))  # fmt: skip
        closed = float(at.exits.isel(step=-1).mean()) * 1e5 / steps
        rows += [
            Row(f"{name}: skewness", float(stats.skew(returns.ravel())), skewness, 0.3, OURS),
            Row(f"{name}: exponent of losses, worst 1 %", hill(returns), exponent, 0.15 * exponent, OURS),
            Row(f"{name}: exits in 100,000 steps", closed, exits, 0.15 * exits + 30, OURS),
            Row(f"{name}: autocorrelation of |return|, lag {LAG}", clustering(returns), together, 0.03, OURS),
        ]
    picture = folder / "figures" / "leverage.png"
    figures.save(draw(data, tails), picture)
    return Verdict("leverage: measured against Thurner, Farmer & Geanakoplos 2012", rows, [picture])


@style.styled
def draw(data: Any, tails: dict[float, np.ndarray]) -> Any:
    """The worst crash, the laws of losses, and kurtosis over leverage."""
    figure = style.new_figure((10.5, 3.5))
    left, middle, right = figure.subplots(1, 3)
    wild = data.price.sel(leverage=10.0).transpose("replicate", "step").values
    population, step = np.unravel_index(tails[10.0].argmin(), tails[10.0].shape)
    begin = max(BURN + int(step) - 150, 0)
    path = wild[population, begin : BURN + int(step) + 100]
    left.plot(begin + np.arange(len(path)), path, color=style.look(0).colour, linewidth=1.1)
    left.set(xlabel="step", ylabel="price over worth", title="the worst crash, leverage 10")
    style.light_grid(left)

    grid = np.linspace(0, 12, 200)
    middle.plot(grid, stats.norm.sf(grid), color="black", linewidth=0.8, label="normal")
    for i, (leverage, returns) in enumerate((k, v) for k, v in tails.items() if k in (1.0, 5.0, 10.0)):
        looks = style.look(i)
        losses = np.sort(-returns.ravel() / returns.std())[::-1]
        shown = np.unique(np.geomspace(1, len(losses) // 2, 200).astype(int)) - 1
        middle.plot(losses[shown], (shown + 1) / len(losses), color=looks.colour, linestyle=looks.line,
                    label=f"leverage {leverage:g}")  # fmt: skip
    middle.set(xlabel="loss in standard deviations", ylabel="share of steps with a larger loss", yscale="log",
               ylim=(1e-6, 1), xlim=(0, 20), title="losses")  # fmt: skip
    middle.legend()
    style.light_grid(middle)

    chosen = list(tails)
    right.plot(chosen, [REFERENCE[k][0] for k in chosen], "o", color="black", label="reference", markersize=5,
               markerfacecolor="none")  # fmt: skip
    looks = style.look(0)
    right.plot(chosen, [stats.kurtosis(tails[k].ravel()) for k in chosen], color=looks.colour, marker=".",
               label="measured")  # fmt: skip
    right.set(xlabel="most that a fund may hold over its wealth", ylabel="excess kurtosis", title="fat tails",
              ylim=(0, None))  # fmt: skip
    right.legend()
    style.light_grid(right)
    return figure
