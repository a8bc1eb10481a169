"""Fixation under the Fermi rule, simulated, exact and in the large-population limit (Traulsen et al. 2006, 2007).

The probability that k individuals of one strategy take over a population of 20, for a dilemma whose payoffs add up,
a snowdrift game and a stag hunt.
"""

from __future__ import annotations

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

import jaxcoord as jc
from experiments.verdict import Row, Verdict
from jaxcoord import figures
from jaxcoord.evolution import fixation_from, fixation_from_continuum

SIZE = 20
GAMES = {  # payoff, beta, published probability for a single mutant
    "prisoner's dilemma": ([[0.8, -0.2], [1.0, 0.0]], 0.1, 0.03891715),
    "snowdrift": ([[1.0, 0.5], [1.2, 0.0]], 1.0, 0.25396646),
    "stag hunt": ([[1.0, -0.5], [0.5, 0.0]], 0.3, 0.02664847),
}


class FermiFromMutants(jc.evolution.PairwiseComparison):
    """Pairwise comparison that begins with a given number of individuals of the first strategy."""

    mutants: int = jc.param(1, doc="individuals of strategy 0 at step 0", unit="individuals", low=0)

    def init(self, key):
        return jnp.stack([jnp.asarray(self.mutants), self.size - jnp.asarray(self.mutants)]).astype(jnp.int32)


def run(out: Path, small: bool = False, fresh: bool = False) -> Verdict:
    """Simulate until one strategy is left, for every initial number and game."""
    replicates = 1000 if small else 8000
    rows, panels = [], {}
    for name, (payoff, beta, published) in GAMES.items():
        game = jc.games.matrix_game(payoff)
        model = FermiFromMutants(game, beta=beta, mu=0.0, size=SIZE, events=1000)
        store = out / f"fermi_fixation_{name.replace(' ', '_').replace(chr(39), '')}{'_small' if small else ''}"
        data = jc.sweep(model, {"mutants": list(range(1, SIZE))}, steps=20, replicates=replicates, store=store,
                        record=jc.Record(every=20), fresh=fresh)  # fmt: skip
        share = data.frequency.isel(strategy=0, step=-1).load()
        with jax.enable_x64(True):
            exact = np.asarray(fixation_from(payoff, SIZE, beta))
            limit = np.asarray(fixation_from_continuum(payoff, SIZE, beta))
        measured = share.mean("replicate").values
        inner = exact[1:-1]
        error = np.sqrt(inner * (1 - inner) / replicates)
        z = np.abs(measured - inner) / error
        undecided = float(((share > 0) & (share < 1)).mean())
        rows += [
            Row(f"{name}: fixation of one mutant", float(measured[0]), published, float(4 * error[0]),
                "Traulsen et al. 2006, 4 s.e."),
            Row(f"{name}: worst of k = 1..19, in standard errors", float(z.max()), 0.0, 4.0, "exact sum"),
            Row(f"{name}: runs not yet decided", undecided, 0.0, 1e-3, "absorbing states"),
            Row(f"{name}: error-function limit, worst k", float(np.abs(limit - exact).max()), 0.0, 0.01,
                "Traulsen et al. 2007"),
        ]  # fmt: skip
        panels[name] = (share, exact, limit)
    path = out / f"fermi_fixation{'_small' if small else ''}" / "figures" / "fixation.png"
    figures.save(draw(panels), path)
    return Verdict("fermi-fixation: measured against Traulsen et al. 2006, 2007", rows, [path])


def draw(panels):
    """Three panels: simulated fixation probability with 95 % intervals, the exact sum and the error-function limit."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 3.4), layout="constrained")
    for axes, (name, (share, exact, limit)) in zip(figure.subplots(1, 3, sharey=True), panels.items(), strict=True):
        mean = share.mean("replicate").values
        half = 1.96 * np.sqrt(mean * (1 - mean) / share.sizes["replicate"])
        k = np.arange(SIZE + 1)
        axes.plot(k, exact, color="black", linewidth=1.2, label="exact")
        axes.plot(k, limit, color="#0072B2", linestyle="--", linewidth=1.2, label="error functions")
        axes.plot(k, k / SIZE, color="0.6", linestyle=":", linewidth=1, label="neutral")
        axes.errorbar(share.mutants, mean, half, fmt="o", markersize=3.5, color="#D55E00", label="simulated, 95 %")
        axes.set_title(name)
        axes.set_xticks(range(0, SIZE + 1, 5))
        axes.set_xlabel("initial number k of 20")
    figure.axes[0].set_ylabel("fixation probability")
    figure.axes[0].legend(frameon=False, fontsize=8)
    return figure
