"""Herding makes crowds of a few, and returns fat-tailed (Cont & Bouchaud 2000).

Two thousand traders are linked by chance and each cluster acts as one. Nobody means to herd and no cluster is large on
average; yet close to the point where one cluster spans the market, demand has tails that no normal law has.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxcoord as jc
from experiments.verdict import Row, Verdict
from jaxcoord import figures
from jaxcoord.figures import style
from jaxcoord.market.herding import Herding, cluster_sizes, herding_moments
from jaxcoord.market.interbank import places_for, random_links

PAPER, OTHER = "Cont & Bouchaud 2000", "other program"
TRADERS, ACTIVITY = 2000, 0.01
LINKS = (0.1, 0.3, 0.5, 0.7)
KURTOSIS = {0.1: 0.04, 0.3: 0.11, 0.5: 0.38, 0.7: 2.1}  # by the closed form, to the digits printed
NEAR_THRESHOLD = 0.9, 18.0  # links; excess kurtosis of a finite market, where the closed form says 66
BATCHES = 10


@jax.jit
def sizes(links: Any, numbers: Any) -> Any:
    """Sizes of the clusters of independent markets `[G, N]`."""

    def one(number: Any) -> Any:
        key = jax.random.fold_in(jax.random.key(10), number)
        return cluster_sizes(random_links(key, TRADERS, links, places_for(1)))

    return jax.lax.map(one, numbers)


def moments(drawn: np.ndarray) -> tuple[float, float]:
    """Variance and excess kurtosis of demand, exact given the clusters `[G, N]` that were drawn."""
    second = 2 * ACTIVITY * (drawn**2).sum(1)
    fourth = 3 * second**2 + (2 * ACTIVITY - 12 * ACTIVITY**2) * (drawn**4).sum(1)
    return float(second.mean()), float(fourth.mean() / second.mean() ** 2 - 3)


def measured(links: float, markets: int) -> tuple[np.ndarray, np.ndarray]:
    """Variance and excess kurtosis of many markets, and the standard errors of both, from batches of them."""
    drawn = np.asarray(sizes(links, jnp.arange(markets)), float)
    parts = np.array([moments(part) for part in np.array_split(drawn, BATCHES)])
    return np.array(moments(drawn)), parts.std(0, ddof=1) / np.sqrt(BATCHES)


def run(out: Path, small: bool = False, fresh: bool = False) -> Verdict:
    """Compare moments of demand with the closed form, let traders trade, and draw what they demand."""
    markets = 400 if small else 3000
    rows = []
    for links in LINKS:
        with jax.enable_x64(True):
            closed = [float(x) for x in herding_moments(TRADERS, links, ACTIVITY)]
        (variance, kurtosis), errors = measured(links, markets)
        # A finite market falls short of the closed form by a few parts of 1 / (N (1 - c)^3).
        finite = 3 / (TRADERS * (1 - links) ** 3)
        rows += [
            Row(f"c={links}: variance of demand", variance, closed[0], 4 * errors[0] + finite * closed[0],
                f"{PAPER}, 4 s.e."),
            Row(f"c={links}: excess kurtosis", kurtosis, closed[1], 4 * errors[1] + 3 * finite * closed[1],
                f"{PAPER}, 4 s.e."),
            Row(f"c={links}: excess kurtosis by the closed form", closed[1], KURTOSIS[links],
                0.005 if links < 0.6 else 0.05, PAPER),
        ]  # fmt: skip
    near, published = NEAR_THRESHOLD
    (_, kurtosis), errors = measured(near, markets)
    rows.append(Row(f"c={near}: excess kurtosis of a finite market", kurtosis, published, 4 * errors[1] + 0.5,
                    f"{OTHER}, 4 s.e."))  # fmt: skip
    store = out / f"herding{'_small' if small else ''}"
    model = Herding(activity=ACTIVITY, traders=TRADERS)
    steps, replicates = (20, 40) if small else (50, 200)
    data = jc.sweep(model, {"links": [0.1, 0.5, near]}, steps=steps, replicates=replicates,
                    record=jc.Record(every=1), store=store, fresh=fresh).sel(step=slice(1, None)).load()  # fmt: skip
    demand = {
        float(c): data.demand.sel(links=c).values.ravel() for c in data.links.values
    }  # fmt: skip
    with jax.enable_x64(True):
        variance = float(herding_moments(TRADERS, 0.5, ACTIVITY)[0])
    traded = demand[0.5].var()
    error = variance * np.sqrt(2.5 / demand[0.5].size)
    rows.append(Row("c=0.5: variance of demand, traded", traded, variance, 4 * error + 0.012 * variance,
                    f"{PAPER}, 4 s.e."))  # fmt: skip
    path = store / "figures" / "herding.png"
    figures.save(draw(demand), path)
    return Verdict("herding: measured against Cont & Bouchaud 2000", rows, [path])


@style.styled
def draw(demand: dict[float, np.ndarray]) -> Any:
    """How often demand is at least so many standard deviations, and the normal law."""
    from scipy.stats import norm

    figure = style.new_figure(style.SINGLE)
    axes = figure.subplots()
    style.light_grid(axes)
    for i, (links, values) in enumerate(demand.items()):
        looks = style.look(i)
        apart = np.sort(np.abs(values) / values.std())[::-1]
        axes.plot(apart, np.arange(1, len(apart) + 1) / len(apart), color=looks.colour, linestyle=looks.line,
                  label=f"c = {links:g}")  # fmt: skip
    at = np.linspace(0, 5, 200)
    axes.plot(at, 2 * norm.sf(at), color="black", linestyle=":", linewidth=1, label="normal")
    size = max(len(values) for values in demand.values())
    axes.set(yscale="log", xlabel="excess demand, standard deviations", ylabel="share of rounds with at least that",
             ylim=(0.7 / size, 1.5))  # fmt: skip
    axes.set_title("links between traders make tails")
    axes.legend(handlelength=4)
    return figure
