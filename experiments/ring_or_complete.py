"""Is a dense network of debts safer? It depends on the shock (Acemoglu, Ozdaglar & Tahbaz-Salehi 2015).

Ten banks owe each other as much in a ring, all to all, or in two separate cliques, and one of them makes a loss. A
small loss is shared best by a complete network and worst by a ring. Beyond n (a - v) both pass it on to everybody, and
only what is weakly linked is spared.
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
from jaxcoord.market.clearing import Clearing, clearing
from jaxcoord.market.interbank import (
    SHAPES,
    after_loss,
    interbank_network,
    liability_threshold,
    shock_threshold,
)

PAPER = "Acemoglu et al. 2015"
BANKS, EARNED, SENIOR, OWED = 10, 2.0, 1.0, 12.0
PUBLISHED = {  # loss: defaults in a ring, a complete network, two cliques, a mixture
    1.5: (1, 1, 1, 1),
    2.5: (2, 1, 1, 1),
    3.2: (3, 1, 1, 2),
    9.5: (9, 1, 5, 5),
    10.5: (10, 10, 5, 10),
    15.0: (10, 10, 5, 10),
}
FEW_DEBTS = (3.0, 15.0, (3, 1, 1, 2))  # debts between banks below y*, a large loss, defaults


@jax.jit
def after(networks: Any, losses: Any) -> Clearing:
    """Clear every network `[S, N, N]` after every loss `[L]` of its first bank; results `[S, L, ...]`."""

    def one(debts: Any, loss: Any) -> Clearing:
        assets, senior = after_loss(EARNED, SENIOR, jnp.zeros(BANKS).at[0].set(loss))
        return clearing(debts, assets, senior=senior)

    return jax.vmap(jax.vmap(one, (None, 0)), (0, None))(networks, losses)


def shapes(owed: float) -> np.ndarray:
    """Liabilities `[S, N, N]` of all shapes."""
    return np.stack([interbank_network(shape, BANKS, owed) for shape in SHAPES])


def ordered(defaults: tuple[int, int, int, int]) -> dict[str, int]:
    """A row of the table by shape."""
    ring, complete, cliques, mixture = defaults
    return {"ring": ring, "complete": complete, "two-cliques": cliques, "mixture": mixture}


def run(out: Path, small: bool = False, fresh: bool = False) -> Verdict:
    """Clear the networks at the table's losses, find where each shape gives way, and draw defaults over losses."""
    slack = EARNED - SENIOR
    rows = []
    with jax.enable_x64(True):
        found = after(shapes(OWED), np.array(list(PUBLISHED)))
        count = np.asarray(found.default.sum(-1))
        for i, (loss, published) in enumerate(PUBLISHED.items()):
            for s, shape in enumerate(SHAPES):
                wanted = ordered(published)[shape]
                rows.append(Row(f"loss {loss:g}: defaults, {shape}", int(count[s, i]), wanted, 0, PAPER))
        owed, loss, few_defaults = FEW_DEBTS
        few = np.asarray(after(shapes(owed), np.array([loss])).default.sum(-1))[:, 0]
        for s, shape in enumerate(SHAPES):
            wanted = ordered(few_defaults)[shape]
            rows.append(Row(f"debts {owed:g}, loss {loss:g}: defaults, {shape}", int(few[s]), wanted, 0, PAPER))
        # Off the whole numbers, at which one bank more is about to fail.
        losses = np.arange(0.05, 16, 0.1 if not small else 0.2)
        swept = after(shapes(OWED), losses)
        defaults = np.asarray(swept.default.sum(-1))
        by_formula = np.array([min(sum(k * slack < loss for k in range(1, 100)), BANKS) for loss in losses])
        rows += [
            Row("ring: losses at which defaults differ from #{k: k (a - v) < loss}",
                int((defaults[SHAPES.index("ring")] != by_formula).sum()), 0, 0, PAPER),
            Row("shock threshold n (a - v)", float(shock_threshold(BANKS, slack)), 10.0, 0, PAPER),
            Row("debts threshold (n - 1)(a - v)", float(liability_threshold(BANKS, slack)), 9.0, 0, PAPER),
            Row("complete: smallest loss on the grid that takes all", gives_way(losses, defaults, "complete"),
                losses[losses > 10][0], 1e-9, PAPER),
            Row("largest residual of a clearing", float(swept.residual.max()), 0, 1e-9, "by construction"),
        ]  # fmt: skip
        unpaid = np.asarray(swept.shortfall.sum(-1)) / (BANKS * OWED)
    path = out / f"ring_or_complete{'_small' if small else ''}" / "figures" / "ring_or_complete.png"
    figures.save(draw(losses, defaults, unpaid), path)
    return Verdict("ring-or-complete: measured against Acemoglu, Ozdaglar & Tahbaz-Salehi 2015", rows, [path])


def gives_way(losses: np.ndarray, defaults: np.ndarray, shape: str) -> float:
    """The smallest loss after which everybody is in default."""
    all_fail = defaults[SHAPES.index(shape)] == BANKS
    return float(losses[all_fail.argmax()]) if all_fail.any() else float("nan")


@style.styled
def draw(losses: np.ndarray, defaults: np.ndarray, unpaid: np.ndarray) -> Any:
    """Defaults, and the share of debts between banks that is not paid, over the loss of one bank."""
    figure = style.new_figure((9, 3.6))
    left, right = figure.subplots(1, 2)
    for axes, values in ((left, defaults), (right, unpaid)):
        style.light_grid(axes)
        for i, shape in enumerate(SHAPES):
            looks = style.look(i)
            axes.plot(losses, values[i], color=looks.colour, linestyle=looks.line, label=shape.replace("-", " "),
                      drawstyle="steps-mid")  # fmt: skip
        axes.axvline(BANKS * (EARNED - SENIOR), color="black", linestyle=":", linewidth=1)
        axes.set(xlabel="loss of one bank, in units of a - v")
    left.set(ylabel="banks in default", ylim=(-0.3, 10.8))
    left.set_title("ten banks that owe each other alike")
    left.legend(handlelength=4, loc="upper left")
    right.set(ylabel="share of interbank debts unpaid")
    right.set_title("dotted: all that the others can spare")
    return figure
