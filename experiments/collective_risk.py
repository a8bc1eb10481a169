"""Risk of collective failure makes groups cooperate (Santos & Pacheco 2011).

Groups of six out of a population of fifty face the loss of everything unless three contribute. Above a critical risk
the gradient of selection has two roots: a barrier of coordination, and a mix of cooperators and defectors that lasts.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import brentq
from scipy.stats import hypergeom

import jaxcoord as jc
from experiments.verdict import Row, Verdict
from jaxcoord import figures
from jaxcoord.evolution import PairwiseComparison, payoff_difference
from jaxcoord.figures import style
from jaxcoord.games.group_games import collective_risk

PAPER = "Santos & Pacheco 2011"
SIZE, BETA, MUTATION = 50, 5.0, 0.01
PUBLISHED = {  # risk: roots in the finite and in an infinite population, mean cooperation, group achievement
    0.2: ((), (), 0.0499, 0.0122),
    0.5: ((0.2207, 0.6063), (0.1963, 0.6311), 0.5436, 0.7231),
    0.9: ((0.1550, 0.6959), (0.1299, 0.7230), 0.7044, 0.9284),
}

differences = jax.jit(payoff_difference, static_argnums=1)


@jax.jit
def gain(game: Any, share: Any) -> Any:
    """What a cooperator earns above a defector in an infinite population with this share of cooperators."""
    earned = game.payoffs(jnp.stack([share, 1 - share]))
    return earned[0] - earned[1]


def rates(game: Any, size: int, beta: float, mu: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities T+ and T- `[Z+1]` that one event adds or takes away a cooperator, in float64.

    Here an individual may draw itself as its model, k/Z (Z-k)/Z, unlike in `evolution.fermi_rates`.
    Source: Santos & Pacheco 2011, eqs. 2 and 3.
    """
    with jax.enable_x64(True):
        difference = np.pad(np.asarray(differences(game, size)[0, 1]), 1)
    k = np.arange(size + 1) / size
    meet = (1 - mu) * k * (1 - k)
    copies = 1 / (1 + np.exp(-beta * difference))
    return meet * copies + mu * (1 - k), meet * (1 - copies) + mu * k


def gradient(game: Any, size: int, beta: float) -> np.ndarray:
    """The gradient of selection T+ - T- `[Z+1]`, without mutation."""
    up, down = rates(game, size, beta)
    return up - down


def stationary(game: Any, size: int, beta: float, mu: float) -> np.ndarray:
    """Share of time `[Z+1]` with k = 0..Z cooperators, from the product of T+(k-1) / T-(k)."""
    up, down = rates(game, size, beta, mu)
    logs = np.concatenate([[0.0], np.cumsum(np.log(up[:-1]) - np.log(down[1:]))])
    found = np.exp(logs - logs.max())
    return found / found.sum()


def achievement(game: Any, share: np.ndarray) -> float:
    """Share of groups that reach the threshold, over the stationary distribution `[Z+1]`."""
    size = len(share) - 1
    return float(share @ hypergeom.sf(game.threshold - 1, size, np.arange(size + 1), game.group))


def roots(gradient: np.ndarray) -> np.ndarray:
    """Interior shares at which a gradient `[Z+1]` changes sign, linearly between neighbours."""
    before = np.flatnonzero(gradient[1:-2] * gradient[2:-1] < 0) + 1
    part = gradient[before] / (gradient[before] - gradient[before + 1])
    return (before + part) / (len(gradient) - 1)


def infinite_roots(game: Any) -> list[float]:
    """Interior shares of cooperators at which both strategies earn alike in an infinite population."""
    with jax.enable_x64(True):
        grid = np.linspace(0, 1, 201)
        values = np.asarray(jax.vmap(gain, (None, 0))(game, grid))
        starts = np.flatnonzero(values[:-1] * values[1:] < 0)
        return [brentq(lambda x: float(gain(game, x)), grid[i], grid[i + 1], xtol=1e-14) for i in starts]


def critical_risk(game: Any) -> tuple[float, float]:
    """The share of cooperators whose group most needs one more, and the risk from which that pays.

    One contributor decides with probability C(n-1, M-1) x^(M-1) (1-x)^(n-M), which is largest at x = (M-1)/(n-1).
    """
    share = (game.threshold - 1) / (game.group - 1)
    with jax.enable_x64(True):
        decides = float(gain(collective_risk(game.group, game.threshold, risk=1.0, cost=0.0), share))
    return share, game.cost / decides


def simulated(out: Path, small: bool, fresh: bool) -> Any:
    """The share of cooperators at the end of many independent populations, over risk and replicate.

    The model draws another individual, (Z-k)/(Z-1), where the paper may draw the same: with mutation probability
    mu Z / (mu Z + (1 - mu) (Z-1)) all its rates are the paper's times a constant.
    """
    mutation = MUTATION * SIZE / (MUTATION * SIZE + (1 - MUTATION) * (SIZE - 1))
    game = collective_risk(group=6, threshold=3, cost=0.1)
    model = PairwiseComparison(game, beta=BETA, mu=mutation, size=SIZE, events=1000)
    steps = 30 if small else 50  # the chain forgets its start in 6,600 events
    store = out / f"collective_risk{'_small' if small else ''}"
    data = jc.sweep(model, {"risk": list(PUBLISHED)}, steps=steps, replicates=200 if small else 1000,
                    record=jc.Record(every=steps), store=store, fresh=fresh)  # fmt: skip
    return data.frequency.sel(strategy="C").isel(step=-1).load()


def run(out: Path, small: bool = False, fresh: bool = False) -> Verdict:
    """Solve the chain at three risks, compare it with the paper, and draw gradients and distributions."""
    rows, curves, shares = [], {}, {}
    cooperators = simulated(out, small, fresh)
    for risk, (finite, infinite, mean, achieved) in PUBLISHED.items():
        game = collective_risk(group=6, threshold=3, risk=risk, cost=0.1)
        slope = gradient(game, SIZE, BETA)
        share = stationary(game, SIZE, BETA, MUTATION)
        for name, found, published in (
            ("finite population", roots(slope), finite),
            ("infinite population", infinite_roots(game), infinite),
        ):
            rows.append(Row(f"r={risk}: roots, {name}", len(found), len(published), 0, PAPER))
            rows += [
                Row(f"r={risk}: {kind}, {name}", float(x), y, 5.1e-5, PAPER)
                for kind, x, y in zip(("barrier", "lasting mix"), found, published, strict=False)
            ]
        cooperation = float(share @ np.arange(SIZE + 1)) / SIZE
        ends = cooperators.sel(risk=risk)
        error = float(ends.std("replicate", ddof=1)) / np.sqrt(ends.sizes["replicate"])
        rows += [
            Row(f"r={risk}: mean cooperation", cooperation, mean, 5.1e-5, PAPER),
            Row(f"r={risk}: mean cooperation, simulated", float(ends.mean()), mean, 4 * error, f"{PAPER}, 4 s.e."),
            Row(f"r={risk}: groups that reach the target", achievement(game, share), achieved, 5.1e-5, PAPER),
        ]
        curves[f"r = {risk}"], shares[f"r = {risk}"] = slope, share
    most, critical = critical_risk(game)
    rows.append(Row("share of cooperators where one more decides", most, 0.4, 1e-12, PAPER))
    rows.append(Row("critical risk", critical, 0.28935, 5e-6, PAPER))
    picture = out / f"collective_risk{'_small' if small else ''}" / "figures" / "gradient.png"
    figures.save(draw(curves, shares), picture)
    return Verdict("collective-risk: measured against Santos & Pacheco 2011", rows, [picture])


@style.styled
def draw(curves: dict[str, np.ndarray], shares: dict[str, np.ndarray]) -> Any:
    """The gradient of selection with its roots, and the share of time with each number of cooperators."""
    figure = style.new_figure((9, 3.6))
    left, right = figure.subplots(1, 2)
    fraction = np.arange(SIZE + 1) / SIZE
    figures.gradient(fraction, curves, xlabel="share of cooperators k/Z", ylabel="gradient of selection",
                     title="which way selection pushes", axes=left)  # fmt: skip
    style.light_grid(right)
    for i, (label, share) in enumerate(shares.items()):
        looks = style.look(i)
        right.plot(fraction, share, color=looks.colour, linestyle=looks.line, label=label)
    right.set(xlabel="share of cooperators k/Z", ylabel="share of time")
    right.set_title(f"where the population is, mutation {MUTATION:g}")
    right.legend(handlelength=4)
    return figure
