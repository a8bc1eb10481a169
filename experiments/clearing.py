"""What do banks pay each other when not all can pay? Clearing with and without costs of bankruptcy.

Without costs there is one answer (Eisenberg & Noe 2001), which is also the solution of a linear programme. With costs
there may be several (Rogers & Veraart 2013): who pays depends on who is believed to pay, and a loss that the banks
could bear together can take far more than itself.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import linprog

from experiments.verdict import Row, Verdict
from jaxcoord import figures
from jaxcoord.figures import style
from jaxcoord.market.clearing import clearing, fictitious_default

NOE, VERAART, LEMMA = "Eisenberg & Noe 2001", "Rogers & Veraart 2013", "Eisenberg & Noe 2001, lemma 4"
EXAMPLES = {  # name: liabilities, cash, alpha = beta, which, payments, source
    "two firms, no cash, greatest": ([[0, 1], [1, 0]], 0.0, 1.0, "greatest", (1.0, 1.0), NOE),
    "two firms, no cash, least": ([[0, 1], [1, 0]], 0.0, 1.0, "least", (0.0, 0.0), NOE),
    "example 3.3, debts 2 and 2.2": ([[0, 2], [2.2, 0]], 1.0, 0.5, "greatest", (2.0, 2.2), VERAART),
    "example 3.3, debts 2.2, greatest": ([[0, 2.2], [2.2, 0]], 1.0, 0.5, "greatest", (2.2, 2.2), VERAART),
    "example 3.3, debts 2.2, least": ([[0, 2.2], [2.2, 0]], 1.0, 0.5, "least", (1.0, 1.0), VERAART),
}
COSTS = (1.0, 0.9, 0.7, 0.5)  # alpha = beta, what is left of the assets of a bankrupt bank
BANKS = 32


def random_networks(number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Liabilities, cash and debts to outsiders of sparse random networks in which everybody can just pay."""
    random = np.random.default_rng(6)
    debts = random.uniform(0, 1, (number, BANKS, BANKS)) * (random.random((number, BANKS, BANKS)) < 0.2)
    debts[:, np.arange(BANKS), np.arange(BANKS)] = 0
    external = random.uniform(0.5, 1.5, (number, BANKS))
    owed = debts.sum(2) + external
    cash = np.maximum(owed - debts.sum(1), 0) + random.uniform(0.1, 0.6, (number, BANKS)) * owed
    return debts, cash, external


@jax.jit
def unpaid(debts: Any, cash: Any, external: Any, left: Any, cost: Any) -> tuple[Any, Any, Any]:
    """Share of all debts that is not paid `[P]` in the greatest and in the least solution, and the worst residual."""

    def one(debts: Any, cash: Any, external: Any) -> tuple[Any, ...]:
        both = [clearing(debts, left * cash, external, 0.0, cost, cost, which) for which in ("greatest", "least")]
        lost = [found.shortfall.sum() / found.owed.sum() for found in both]
        return (*lost, jnp.maximum(both[0].residual, both[1].residual))

    return jax.vmap(one)(debts, cash, external)


def programme(debts: np.ndarray, cash: np.ndarray, external: np.ndarray) -> np.ndarray:
    """The payments of largest sum that nobody's means forbid."""
    total = debts.sum(1) + external
    limits = np.column_stack([np.zeros(BANKS), total])
    return np.asarray(linprog(-np.ones(BANKS), np.eye(BANKS) - (debts / total[:, None]).T, cash, bounds=limits).x)


def run(out: Path, small: bool = False, fresh: bool = False) -> Verdict:
    """Clear published examples and random networks, by sweeps, rounds and a linear programme; draw losses and costs."""
    number = 24 if small else 256
    rows = []
    with jax.enable_x64(True):
        for name, (owed, held, costs, which, payments, source) in EXAMPLES.items():
            found = clearing(np.array(owed, float), held, alpha=costs, beta=costs, which=which)
            off = float(np.abs(np.asarray(found.paid) - payments).max())
            rows.append(Row(f"{name}: payments less published", off, 0, 1e-7, source))
        debts, cash, external = random_networks(number)
        stressed = 0.5 * cash
        swept = jax.jit(jax.vmap(clearing))(debts, stressed, external)
        solved, rounds = jax.jit(jax.vmap(fictitious_default))(debts, stressed, external)
        best = np.array([programme(*each) for each in zip(debts, stressed, external, strict=True)])
        outside = (np.asarray(swept.recovery) * external).sum(1) + np.asarray(swept.equity).sum(1)
        rows += [
            Row("sweeps less linear programme, worst", float(np.abs(np.asarray(swept.paid) - best).max()), 0, 1e-7,
                LEMMA),
            Row("sweeps less fictitious default, worst", float(jnp.abs(swept.paid - solved.paid).max()), 0, 1e-8, NOE),
            Row("most rounds of default, at most n", float(rounds.max() <= BANKS), 1, 0, NOE),
            Row("without costs: what is lost on the way, share", float(np.abs(outside / stressed.sum(1) - 1).max()),
                0, 1e-9, NOE),
        ]  # fmt: skip
        kept = np.linspace(1, 0, 11 if small else 41)
        curves, worst = {}, 0.0
        for cost in COSTS:
            greatest, least, residual = (np.array(x) for x in zip(*(
                unpaid(debts, cash, external, left, cost) for left in kept), strict=True))  # fmt: skip
            curves[cost] = greatest.mean(1), least.mean(1)
            worst = max(worst, float(residual.max()))
        gap = {cost: float(np.max(least - greatest)) for cost, (greatest, least) in curves.items()}
        rows += [
            Row("largest residual of any solution", worst, 0, 1e-9, "by construction"),
            Row("without costs: greatest less least solution", gap[1.0], 0, 1e-8, NOE),
            Row("costs one half: several solutions somewhere", float(gap[0.5] > 0.01), 1, 0, VERAART),
            Row("higher costs never mean that more is paid",
                float(all((curves[a][0] <= curves[b][0] + 1e-9).all()
                          for a, b in pairwise(COSTS))), 1, 0, VERAART),
        ]  # fmt: skip
    path = out / f"clearing{'_small' if small else ''}" / "figures" / "clearing.png"
    figures.save(draw(1 - kept, curves), path)
    return Verdict("clearing: measured against Eisenberg & Noe 2001 and Rogers & Veraart 2013", rows, [path])


@style.styled
def draw(lost: np.ndarray, curves: dict[float, tuple[np.ndarray, np.ndarray]]) -> Any:
    """Unpaid debts over the loss, by cost; and the band between the solutions in which most and least is paid."""
    figure = style.new_figure((9, 3.6))
    left, right = figure.subplots(1, 2, sharey=True)
    for axes in (left, right):
        style.light_grid(axes)
        axes.set(xlabel="share of outside assets lost by every bank")
    for i, (cost, (greatest, _)) in enumerate(curves.items()):
        looks = style.look(i)
        name = "no costs" if cost == 1 else f"{1 - cost:.0%} of assets lost in bankruptcy"
        left.plot(lost, greatest, color=looks.colour, linestyle=looks.line, label=name)
    greatest, least = curves[COSTS[-1]]
    right.fill_between(lost, greatest, least, color="0.88", linewidth=0)
    for i, (name, values) in enumerate((("least: nobody is believed to pay", least),
                                        ("greatest: everybody is", greatest))):  # fmt: skip
        looks = style.look(i + 4)
        right.plot(lost, values, color=looks.colour, linestyle=looks.line, label=name)
    left.set(ylabel="share of debts unpaid")
    left.set_title("greatest solution: costs amplify a loss")
    left.legend(handlelength=4, loc="upper left")
    right.set_title(f"{1 - COSTS[-1]:.0%} lost in bankruptcy: two solutions")
    right.legend(handlelength=4, loc="lower right")
    return figure
