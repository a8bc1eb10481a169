"""Integration and diversification of financial ties pull apart (Elliott, Golub & Jackson 2014).

A hundred organisations hold parts of each other. The more of each is held by others (integration), the more a failure
hurts; the more others hold it (diversification), the further it can travel, until each part is too small to hurt. One
asset is lost: most fail in the middle.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.verdict import Row, Verdict
from jaxcoord import figures
from jaxcoord.figures import style
from jaxcoord.market.cross_holdings import failure_cascade, random_holdings

OTHER, PAPER = "other program, 4 s.e.", "Elliott et al. 2014"
ORGANISATIONS, NETWORKS = 100, 200
DEGREES = (0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 20.0)
PUBLISHED = {  # threshold, share held by others: mean share that fails, by degree
    (0.93, 0.5): (0.02, 0.06, 0.14, 0.29, 0.45, 0.30, 0.06, 0.02, 0.01, 0.01),
    (0.93, 0.2): (0.02, 0.02, 0.03, 0.03, 0.02, 0.02, 0.01, 0.01, 0.01, 0.01),
    (0.96, 0.5): (0.02, 0.09, 0.33, 0.62, 0.90, 0.95, 0.97, 0.90, 0.52, 0.02),
    (0.96, 0.2): (0.02, 0.04, 0.07, 0.10, 0.10, 0.08, 0.03, 0.02, 0.01, 0.01),
}
IN_SMALL = (0.5, 3.0, 6.0, 20.0)


@jax.jit
def failed(numbers: Any, degree: Any, share: Any, thresholds: Any) -> Any:
    """Share of organisations that fail `[n, thresholds]`, in each network after its first asset has lost its value."""
    assets = jnp.ones(ORGANISATIONS)

    def one(number: Any) -> Any:
        key = jax.random.fold_in(jax.random.key(6), number)
        holdings = random_holdings(key, ORGANISATIONS, degree, share)
        after = assets.at[0].set(0.0)

        def at(threshold: Any) -> Any:
            return failure_cascade(holdings, jnp.eye(ORGANISATIONS), assets, after, threshold).failed.mean()

        return jax.vmap(at)(thresholds)

    return jax.lax.map(one, numbers)


def run(out: Path, small: bool = False, fresh: bool = False) -> Verdict:
    """Draw networks over degree, share and threshold, and compare the mean share that fails with the table."""
    number = 40 if small else 400
    degrees = IN_SMALL if small else DEGREES
    rows, curves = [], {}
    shares, thresholds = (sorted({key[i] for key in PUBLISHED}, reverse=True) for i in (1, 0))
    samples = {
        (share, degree): np.asarray(failed(jnp.arange(number), degree, share, jnp.array(thresholds)), float)
        for share in shares for degree in degrees
    }  # fmt: skip
    for (threshold, share), table in PUBLISHED.items():
        found = []
        for degree in degrees:
            sample = samples[share, degree][:, thresholds.index(threshold)]
            # Where no network of the sample collapsed, one of the table's may have.
            variance = max(sample.var(ddof=1), 1 / NETWORKS)
            error = np.sqrt(variance * (1 / number + 1 / NETWORKS))
            rows.append(Row(f"theta {threshold}, c {share}, d {degree:g}: share that fails", sample.mean(),
                            table[DEGREES.index(degree)], 4 * error + 0.005, OTHER))  # fmt: skip
            found.append(sample.mean())
        curves[threshold, share] = np.array(found)
    for (threshold, share), curve in curves.items():
        if share == 0.5:
            inside = curve[1:-1].max() > 2 * max(curve[0], curve[-1])
            rows.append(Row(f"theta {threshold}, c {share}: most fail at a middle degree", float(inside), 1, 0, PAPER))
            more = (curve >= curves[threshold, 0.2] - 0.02).all()
            rows.append(Row(f"theta {threshold}: no fewer fail at c 0.5 than at 0.2", float(more), 1, 0, PAPER))
    path = out / f"integration{'_small' if small else ''}" / "figures" / "integration.png"
    figures.save(draw(degrees, curves), path)
    return Verdict("integration: measured against Elliott, Golub & Jackson 2014", rows, [path])


@style.styled
def draw(degrees: tuple[float, ...], curves: dict[tuple[float, float], np.ndarray]) -> Any:
    """The mean share that fails over diversification, by integration, with the table's; a panel for each threshold."""
    figure = style.new_figure((9, 3.6))
    for axes, threshold in zip(figure.subplots(1, 2, sharey=True), (0.93, 0.96), strict=True):
        style.light_grid(axes)
        for i, share in enumerate((0.5, 0.2)):
            looks = style.look(i)
            axes.plot(degrees, curves[threshold, share], color=looks.colour, linestyle=looks.line, marker=looks.marker,
                      label=f"{share:.0%} of each held by others")  # fmt: skip
            axes.plot(DEGREES, PUBLISHED[threshold, share], "kx", markersize=6,
                      label="other program" if i else "_")  # fmt: skip
        axes.set(xscale="log", xlabel="mean number of others held", ylim=(-0.03, 1.03))
        axes.set_xticks([0.5, 1, 2, 5, 10, 20], ["0.5", "1", "2", "5", "10", "20"])
        axes.minorticks_off()
        axes.set_title(f"failure below {threshold:.0%} of the first value")
        if threshold == 0.93:
            axes.legend(handlelength=4, loc="upper left")
            axes.set(ylabel="share of organisations that fail")
    return figure
