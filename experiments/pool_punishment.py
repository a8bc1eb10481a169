"""Pool punishment wins over peer punishment once second-order free riders are punished (Sigmund et al. 2010).

A population of a hundred plays mutual aid in groups of five, mutants being rare. The long-run share of each strategy
tends to a known fraction as imitation becomes strong; at finite strength it comes from exact fixation probabilities.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np

from experiments.verdict import Row, Verdict
from jaxcoord import figures
from jaxcoord.evolution import log_fixation_probability, stationary_from_log_rates
from jaxcoord.figures import style
from jaxcoord.games.punishment import mutual_aid

PAPER = "Sigmund et al. 2010"
SIZE = 100
STRONG = 1e4  # at 1e3 the slowest, pool punishers alone, are still 3e-7 off
STRENGTHS = (0.1, 1.0, 10.0)
STRATEGIES = mutual_aid().strategies
ABSENT = {"pool": ("peer-punisher",), "peer": ("pool-punisher",), "both": ()}
POOL, PEER, BOTH = np.array([2, 2, 2, 1]) / 7, np.array([2, 2, 2, 102]) / 108, np.array([6, 6, 4, 1, 306]) / 323
CASES = {  # punishers, second order: the limit, and what the punishers have together at the strengths above
    ("pool", False): (POOL, (0.112930, 0.082903, 0.092917)),
    ("pool", True): (np.array([0, 0, 0, 1]), (0.733169, 1.0, 1.0)),
    ("peer", False): (PEER, (0.610719, 0.882243, 0.935049)),
    ("peer", True): (PEER, (0.610719, 0.882243, 0.935049)),
    ("both", False): (BOTH, (0.634733, 0.895254, 0.941746)),
    ("both", True): (np.array([0, 0, 0, 1, 0]), (0.836910, 1.0, 1.0)),
}


@partial(jax.jit, static_argnums=1)
def log_fixation(game: Any, size: int, strengths: Any) -> Any:
    """Log fixation probabilities `[s, i, j]` of an i among j, by strength of imitation."""
    return jax.vmap(lambda s: log_fixation_probability(game, size, s))(strengths)


@jax.jit
def shares(log_fixation: Any) -> Any:
    """Share of time `[s, i]` of each strategy when mutants are rare, from log fixation probabilities `[s, i, j]`."""
    return jax.vmap(lambda logs: stationary_from_log_rates(logs.T))(log_fixation)


def part(table: np.ndarray, without: tuple[str, ...]) -> tuple[tuple[str, ...], np.ndarray]:
    """The strategies that are left without some of them, and their shares `[s, i]`.

    As mutants are rare only two strategies meet at a time, so that fewer strategies are a part of the same table.
    """
    kept = [i for i, name in enumerate(STRATEGIES) if name not in without]
    return tuple(STRATEGIES[i] for i in kept), np.asarray(shares(table[:, kept][:, :, kept]))


def run(out: Path, small: bool = False, fresh: bool = False) -> Verdict:
    """Compute the limits of rare mutation, compare them with the paper, and draw them."""
    rows, panels, tables = [], {}, {}
    curve = np.logspace(-3, 3, 13 if small else 61)
    strengths = np.concatenate([[STRONG], STRENGTHS, curve])
    with jax.enable_x64(True):
        for second in (False, True):
            tables[second] = np.asarray(log_fixation(mutual_aid(second_order=second), SIZE, strengths))
        for (punishment, second), (strong, finite) in CASES.items():
            case = f"{punishment}, {'second' if second else 'first'} order"
            names, found = part(tables[second], ABSENT[punishment])
            most = int(np.argmax(strong))
            punishers = found[:, ["punisher" in name for name in names]].sum(1)
            rows += [
                Row(f"{case}: {names[most]}s, strong", float(found[0, most]), float(strong[most]), 1e-9, PAPER),
                Row(f"{case}: worst, strong", float(np.abs(found[0] - strong).max()), 0, 1e-9, PAPER),
                *(Row(f"{case}: punishers, s={s:g}", float(share), expected, 1.1e-6, "exact fixation")
                  for s, share, expected in zip(STRENGTHS, punishers[1:], finite, strict=False)),
            ]  # fmt: skip
            _, compulsory = part(tables[second], (*ABSENT[punishment], "loner"))
            rows.append(Row(f"{case}, compulsory: defectors, strong", float(compulsory[0, 1]), 1, 1e-9, PAPER))
            if punishment == "both":
                panels[case] = found[1 + len(STRENGTHS) :]
        _, found = part(tables[False], ())
    folder = out / f"pool_punishment{'_small' if small else ''}" / "figures"
    figures.save(draw(curve, panels), folder / "shares.png")
    diagram = figures.invasion_diagram(STRATEGIES, found[1], np.exp(tables[False][1]), SIZE,
                                       title=f"both, first order, s = {STRENGTHS[0]:g}")  # fmt: skip
    figures.save(diagram, folder / "invasion.png")
    pictures = [folder / "shares.png", folder / "invasion.png"]
    return Verdict("pool-punishment: measured against Sigmund et al. 2010", rows, pictures)


@style.styled
def draw(strengths: np.ndarray, panels: dict[str, np.ndarray]) -> Any:
    """Long-run shares over the strength of imitation, with and without punishment of second-order free riders."""
    figure = style.new_figure((9, 3.8))
    for axes, (case, found) in zip(figure.subplots(1, 2, sharey=True), panels.items(), strict=True):
        style.light_grid(axes)
        for i, name in enumerate(STRATEGIES):
            looks = style.look(i)
            axes.plot(strengths, found[:, i], color=looks.colour, linestyle=looks.line, label=name)
        axes.set(xscale="log", xlabel="strength of imitation s", ylim=(-0.02, 1.02), title=case)
    figure.axes[0].set_ylabel("share of time, mutants rare")
    style.legend(figure.axes[0], figure.axes[0].get_lines(), True)
    return figure
