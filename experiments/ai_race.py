"""When does safety lose the race? Regions of the idealised AI race (Han, Pereira, Santos & Lenaerts 2020).

A finite population imitates by payoff while racing: always safe (AS) or always unsafe (AU). Over the speed of unsafe
development s and the risk of disaster p_r lie three regions: above p_r = 1 - 1/(3 s) safety is selected (I), below
1 - 1/s racing pays all of them more (III), and between the two selection picks racing though safety would pay more
(II, the dilemma zone).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import numpy as np

import jaxcoord as jc
from experiments.verdict import Row, Verdict
from jaxcoord import config, figures
from jaxcoord.evolution import small_mutation_limit, stationary_distribution
from jaxcoord.games import ai_race, race_payoff, race_thresholds

CONFIG = Path(__file__).parent.parent / "configs" / "ai_race.toml"
SMALL = ("name=ai_race_small", "sweep.speed=linspace(1.05,4,7)", "sweep.risk=linspace(0,1,17)")
PAPER = "Han et al. 2020"


def exact_safety(model: Any, speed: Any, risk: Any) -> jax.Array:
    """Long-run share of AS in the two-strategy race, from the stationary distribution of the exact chain."""
    game = model.game
    payoff = race_payoff(speed, risk, game.rounds, game.prize, game.benefit, game.cost, game.detection)[:2, :2]
    chain = stationary_distribution(payoff, model.size, model.beta, model.mu)
    return (chain * np.arange(model.size + 1)).sum() / model.size


def crossing(risk: np.ndarray, share: np.ndarray) -> float:
    """The risk at which a share that rises with risk passes one half, linearly between grid points."""
    above = int(np.argmax(share > 0.5))
    x, y = risk[above - 1 : above + 1], share[above - 1 : above + 1]
    return float(x[0] + (0.5 - y[0]) * (x[1] - x[0]) / (y[1] - y[0]))


def run(out: Path, small: bool = False, fresh: bool = False) -> Verdict:
    """Run the sweep, compare it with the exact chain and the published boundaries, and draw the phase diagram."""
    asked = config.read(CONFIG, SMALL if small else ())
    model: Any = asked.model
    data = jc.sweep(**asked.arguments(), store=out / asked.name, fresh=fresh)
    safety = data.frequency_mean.sel(strategy="AS").isel(step=-1).load()
    mean, error = safety.mean("replicate"), safety.std("replicate", ddof=1) / np.sqrt(safety.sizes["replicate"])
    speed, risk = data.speed.values, data.risk.values

    with jax.enable_x64(True):
        over_risk = jax.vmap(exact_safety, (None, None, 0))
        exact = np.asarray(jax.jit(jax.vmap(over_risk, (None, 0, None)))(model, speed, risk))
        bounds = race_thresholds(speed, model.game.rounds, model.game.prize)
        society, dominance = np.asarray(bounds.society), np.asarray(bounds.risk_dominance)
        paper = {
            r: float(small_mutation_limit(ai_race(speed=1.5, risk=r).payoff(), 100, 0.01)[1]) for r in (0.6, 0.75, 0.8)
        }

    deviation = float(np.sqrt(np.square(mean.values - exact).sum() / np.square(error.values).sum()))
    points = mean.size
    measured = np.array([crossing(risk, row) for row in mean.values])
    chain = np.array([crossing(risk, row) for row in exact])
    limit = 1 - 1 / (3 * speed)
    clear = np.abs(risk[None, :] - limit[:, None]) > 0.05
    one, below = clear & (risk[None, :] > limit[:, None]), clear & (risk[None, :] < limit[:, None])
    slope = np.abs(np.gradient(exact, risk, axis=1)).max(axis=1)
    grain = float(4 * error.values.max() / slope.min())
    rows = [
        Row("deviation from the exact chain, in standard errors", deviation, 1.0, 4 / np.sqrt(points) + 0.1,
            f"closed form, {points} points"),
        Row("risk where half are safe, worst speed, less the exact chain's", float(np.abs(measured - chain).max()), 0.0,
            grain, "closed form, 4 s.e."),
        Row("the same less 1 - 1/(3 s)", float(np.abs(measured - limit).max()), 0.0, 0.05, f"{PAPER}, B/W >> b"),
        Row("region I: share of points that end safe", float((mean.values > 0.5)[one].mean()), 1.0, 0.0, PAPER),
        Row("regions II, III: share that end unsafe", float((mean.values < 0.5)[below].mean()), 1.0, 0.0, PAPER),
        Row("s=1.5, AS/AU/CS, rare mutation: AU at p_r=0.6", paper[0.6], 1.0, 5e-5, PAPER),
        Row("... at p_r=0.75", paper[0.75], 0.8901, 5e-5, PAPER),
        Row("... at p_r=0.8", paper[0.8], 0.0272, 5e-5, PAPER),
    ]  # fmt: skip

    mean.attrs = {"long_name": "share of safe developers", "units": "1"}
    figure = figures.phase_diagram(
        mean,
        levels=[0.5],
        boundaries={
            "safety selected above (I)": (speed, dominance),
            "racing pays all more below (III)": (speed, society),
        },
        title="AI race: who is left, safe or unsafe developers",
    )
    path = out / asked.name / "figures" / "phase_diagram.png"
    figures.save(figure, path)
    return Verdict("ai-race: measured against Han, Pereira, Santos & Lenaerts 2020", rows, [path])
