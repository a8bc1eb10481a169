"""How many camps does limited tolerance leave? Cluster centres over confidence (Hegselmann & Krause 2002).

Agents listen only to opinions within their confidence. From evenly spaced opinions the number of camps falls with
confidence, but not steadily: at n = 50 there is consensus at 0.1775 and there are two camps again at 0.205.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import jaxcoord as jc
from experiments.verdict import Row, Verdict
from jaxcoord import figures
from jaxcoord.figures import style
from jaxcoord.identity.bounded_confidence import BoundedConfidence, cluster_centres

PAPER, PAIRS = "Hegselmann & Krause 2002", "Deffuant et al. 2000"
STEP = 0.0025
COUNTS = {  # size: {confidence: clusters}
    50: {0.0725: 6, 0.125: 3, 0.1525: 3, 0.1775: 1, 0.205: 2, 0.2275: 2, 0.25: 1},
    100: {0.1025: 4, 0.205: 2, 0.3025: 1},
}
CENTRES = {  # (size, confidence): the clusters below and at one half, in float64
    (50, 0.0725): (0.10330635199752838, 0.2616212415347786, 0.43483235717765345),
    (50, 0.125): (0.18991532852489448, 0.5),
    (100, 0.1025): (0.1530947296373353, 0.3995092995962849),
    (100, 0.205): (0.3109002117862522,),
}
MEETINGS = (0.1, 0.125, 1 / 6, 0.25, 0.5)  # confidences at which pairs should leave 5, 4, 3, 2 and 1 camps


def krause(size: int, out: Path, small: bool, fresh: bool) -> Any:
    """Final opinions over confidence, from an even start."""
    confidence = sorted(COUNTS[size]) if small else np.round(np.arange(0.02, 0.35, STEP), 4).tolist()
    data = jc.sweep(BoundedConfidence(size=size), {"epsilon": confidence}, steps=300, replicates=1,
                    record=jc.Record(every=300), store=out / f"n{size}", fresh=fresh)  # fmt: skip
    return data.opinion.isel(step=-1, replicate=0).load()


def deffuant(out: Path, small: bool, fresh: bool) -> Any:
    """Final opinions over confidence and replicate, after meetings of random pairs from a random start."""
    size, steps, replicates = (300, 150, 20) if small else (1000, 400, 100)
    model = BoundedConfidence(size=size, meeting="pairs", start="random")
    data = jc.sweep(model, {"epsilon": list(MEETINGS)}, steps=steps, replicates=replicates,
                    record=jc.Record(every=steps), store=out / "pairs", fresh=fresh)  # fmt: skip
    return data.opinion.isel(step=-1).load()


def camps(opinions: np.ndarray) -> int:
    """Clusters that hold a twentieth of all or more: a few agents are always left between."""
    return int((cluster_centres(opinions, 0.01)[1] >= len(opinions) / 20).sum())


def run(out: Path, small: bool = False, fresh: bool = False) -> Verdict:
    """Count clusters, compare their centres with the exact ones, and draw them over confidence."""
    folder = out / f"bounded_confidence{'_small' if small else ''}"
    rows, ends = [], {}
    for size, counts in COUNTS.items():
        ends[size] = krause(size, folder, small, fresh)
        for epsilon, number in counts.items():
            centres, _ = cluster_centres(ends[size].sel(epsilon=epsilon, method="nearest").values)
            rows.append(Row(f"n={size}, confidence {epsilon}: clusters", len(centres), number, 0, PAPER))
            for i, exact in enumerate(CENTRES.get((size, epsilon), ())):
                found = centres[i] if i < len(centres) else float("nan")
                rows.append(Row(f"... centre {i + 1}", float(found), exact, 2e-6, "float64 iteration"))
    met = deffuant(folder, small, fresh)
    counted = np.array([[camps(met.sel(epsilon=e, method="nearest").isel(replicate=r).values)
                         for r in range(met.sizes["replicate"])] for e in MEETINGS])  # fmt: skip
    for epsilon, numbers in zip(MEETINGS, counted, strict=True):
        rule = 1 / (2 * epsilon)
        rows.append(Row(f"pairs, confidence {epsilon:.4g}: camps, mean", numbers.mean(), rule, rule / 5,
                        f"{PAIRS}, roughly 1 / (2 eps)"))  # fmt: skip
    picture = folder / "figures" / "clusters.png"
    figures.save(draw(ends, counted), picture)
    title = "bounded-confidence: measured against Hegselmann & Krause 2002, Deffuant et al. 2000"
    return Verdict(title, rows, [picture])


@style.styled
def draw(ends: dict[int, Any], counted: np.ndarray) -> Any:
    """Cluster centres over confidence for both sizes, and the number of camps that meetings of pairs leave."""
    figure = style.new_figure((10.5, 3.6))
    panels = figure.subplots(1, 3)
    for axes, (size, data) in zip(panels, ends.items(), strict=False):
        style.light_grid(axes)
        for epsilon in data.epsilon.values:
            centres, sizes = cluster_centres(data.sel(epsilon=epsilon).values)
            axes.scatter(np.full(len(centres), epsilon), centres, s=60 * sizes / size, color=style.PALETTE[0],
                         alpha=0.7, linewidth=0)  # fmt: skip
        axes.set(xlabel="confidence eps", ylabel="cluster centre", ylim=(-0.03, 1.03))
        axes.set_title(f"all at once, n = {size}; area: agents")
    right = panels[2]
    style.light_grid(right)
    curve = np.linspace(0.08, 0.55, 200)
    right.plot(curve, 1 / (2 * curve), color="black", linestyle=style.REFERENCE_LINES[0], label="1 / (2 eps)")
    looks = style.look(1)
    right.errorbar(MEETINGS, counted.mean(1), counted.std(1), color=looks.colour, marker=looks.marker, linestyle="",
                   capsize=3, label="mean, standard deviation")  # fmt: skip
    right.set(xlabel="confidence eps", ylabel="camps of 5 % or more")
    right.set_title("meetings of random pairs")
    right.legend(handlelength=4)
    return figure
