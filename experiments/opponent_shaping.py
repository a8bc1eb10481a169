"""Learners who reckon with the other one learning find tit-for-tat; naive ones defect (Foerster et al. 2018).

Two memory-one policies learn by gradients in the prisoner's dilemma repeated for ever. Each naive learner follows its
own gradient, and both end in mutual defection. LOLA learners follow it also through the step that the other one is
about to make, and end in cooperation, most of them with policies shaped like tit-for-tat. In matching pennies the same
term makes them settle at the equilibrium, where naive learners stay away from it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

import jaxcoord as jc
from experiments.verdict import Row, Verdict
from jaxcoord import figures
from jaxcoord.figures import style
from jaxcoord.games.repeated.learning import STATES, LearningPair

PAPER = "Foerster et al. 2018"
PAIRS, STEPS, EVERY = 200, 500, 2
NAMES = {
    "naive": "naive gradient",
    "lola": "LOLA",
    "lola-exact": "LOLA, exact look-ahead",
    "stable": "stable opponent shaping",
}
TIT_FOR_TAT = (1, 1, 0, 1, 0)
NEAR = 0.05  # of a policy from one half that counts as being there


def run(out: Path, small: bool = False, fresh: bool = False) -> Verdict:
    """Let pairs of each kind learn, compare the ends with the paper, and draw the way there and the final policies."""

    def learnt(name: str, model: Any, learners: list[str], pairs: int = PAIRS, steps: int = STEPS) -> Any:
        store = out / f"opponent_shaping_{name}{'_small' if small else ''}"
        return jc.sweep(model, {"learner": learners}, steps, pairs, store=store, record=jc.Record(every=EVERY),
                        fresh=fresh).load()  # fmt: skip

    learners, two = list(NAMES)[: 2 if small else None], list(NAMES)[:2]
    dilemma = learnt("dilemma", LearningPair(), learners)
    pennies = learnt("pennies", LearningPair(jc.games.matching_pennies(), delta=0.5, gamma=0.9), two)

    end = dilemma.isel(step=-1)
    mean = {name: float(end.normalised_return.sel(learner=name).mean()) for name in learners}
    shaped = float(end.tit_for_tat.sel(learner="lola").mean())
    apart = distance(pennies).isel(step=-1)
    settled = {name: float((apart.sel(learner=name) < NEAR).mean()) for name in two}
    rows = [
        Row("naive learners: payoff per round", mean["naive"], -1.98, 0.03, f"{PAPER}, table 3"),
        Row("LOLA: payoff per round", mean["lola"], -1.06, 0.06, f"{PAPER}, table 3"),
        Row("LOLA: policies shaped like tit-for-tat", shaped, 0.62, 0.12, "float64, 200 pairs"),
        Row("matching pennies, LOLA: pairs at one half", settled["lola"], 0.988, 0.03, f"{PAPER}, table 3"),
        Row("matching pennies, naive: pairs at one half", settled["naive"], 0.0, 0.03, f"{PAPER}, table 3"),
    ]
    if not small:
        mixed = learnt("mixed", LearningPair(opponent="naive", delta=0.5, eta=0.5), ["lola"])
        earned = mixed.normalised_return.isel(step=-1).mean(("learner", "replicate")).values
        exact = learnt("exact", LearningPair(delta=0.3), ["lola"], steps=300)
        sampled = learnt("sampled", LearningPair(delta=0.3), ["lola-sampled"], pairs=64, steps=300)
        gap = [float(data.normalised_return.isel(step=-1).mean()) for data in (sampled, exact)]
        rows += [
            Row("LOLA against naive, step 0.5: payoff of LOLA", float(earned[0]), -1.28, 0.15, f"{PAPER}, table 4"),
            Row("... payoff of the naive learner", float(earned[1]), -1.54, 0.15, f"{PAPER}, table 4"),
            Row("LOLA from 64 matches a step less LOLA exact", gap[0] - gap[1], 0.0, 0.06, "exact gradients"),
        ]
    path = out / f"opponent_shaping{'_small' if small else ''}" / "figures" / "opponent_shaping.png"
    figures.save(draw(dilemma, pennies), path)
    return Verdict(f"opponent-shaping: measured against {PAPER}", rows, [path])


def distance(data: Any) -> Any:
    """How far a pair is from playing both actions alike: the largest distance of a probability from one half."""
    return abs(data.policy - 0.5).max(("player", "state"))


def lines(axes: Any, values: Any) -> None:
    """For each learner the mean over pairs and the range of the middle half."""
    style.light_grid(axes)
    for i, name in enumerate(values.learner.values):
        look, one = style.look(i), values.sel(learner=name)
        low, high = (one.quantile(share, "replicate") for share in (0.25, 0.75))
        axes.fill_between(one.step, low, high, color=look.colour, alpha=0.15, linewidth=0)
        axes.plot(one.step, one.mean("replicate"), color=look.colour, linestyle=look.line, label=NAMES[str(name)])
    axes.set_xlabel("updates of both learners")
    axes.set_xscale("log")
    axes.margins(x=0.02)


@style.styled
def draw(dilemma: Any, pennies: Any) -> Any:
    """The payoff over the steps, every final policy, and how far from equilibrium in matching pennies."""
    figure = style.new_figure((12, 4))
    returns, policies, apart = figure.subplots(1, 3, width_ratios=(1, 1.7, 1))
    lines(returns, dilemma.normalised_return.mean("player"))
    returns.set_ylabel("payoff per round")
    returns.set_title("prisoner's dilemma: mean, middle half")
    for value, name in ((-1, "all cooperate"), (-2, "all defect")):
        returns.axhline(value, color="black", linewidth=0.8, linestyle=style.REFERENCE_LINES[1])
        returns.annotate(name, (1, value), (-2, 3), ("axes fraction", "data"), "offset points", ha="right", fontsize=8)

    jitter, kinds = np.random.default_rng(0), dilemma.learner.values
    width = 0.8 / len(kinds)
    for i, name in enumerate(kinds):
        look, final = style.look(i), dilemma.policy.sel(learner=name).isel(step=-1)
        for at, state in enumerate(STATES):
            points = final.sel(state=state).values.ravel()
            place = at + (i - (len(kinds) - 1) / 2 + jitter.uniform(-0.4, 0.4, points.size)) * width
            policies.plot(place, points, look.marker, color=look.colour, markersize=2.2, alpha=0.35, linewidth=0)
    for at, value in enumerate(TIT_FOR_TAT):
        policies.plot((at - 0.45, at + 0.45), (value, value), color="black", linewidth=1.2)
    policies.set_xticks(range(len(STATES)), [*STATES[:1], *(f"after {state}" for state in STATES[1:])])
    policies.set_ylabel("probability to cooperate")
    policies.set_title("final policies (bars: tit-for-tat)")
    style.light_grid(policies, "y")

    lines(apart, distance(pennies))
    apart.set_ylabel("largest distance from 1/2")
    apart.set_title("matching pennies: mean, middle half")
    style.legend(returns, returns.get_legend_handles_labels()[0], outside=True)
    return figure
