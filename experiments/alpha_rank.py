"""alpha-Rank's published games: which strategies last, over the intensity of ranking (Omidshafiei et al. 2019).

Closed forms at the published settings, the limit of strong selection, and populations simulated by the engine: of one
population alpha-Rank is the Fermi process, mutations rare, on the game in which i earns from j what it wins over it.
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
from jaxcoord.evolution import alpha_rank, alpha_rank_profiles, fermi_chain, full_stationary_distribution
from jaxcoord.evolution.alpha_rank import log_takeover
from jaxcoord.figures import style

SIZE = 50
ALPHA, MU = 0.1, 1e-3
THIRD = 1 / 3
ROCK = np.array([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]])
BIASED = np.array([[0.0, -0.5, 1.0], [0.5, 0.0, -0.1], [-1.0, 0.1, 0.0]])
SEXES = np.array([[[3.0, 0.0], [0.0, 2.0]], [[2.0, 0.0], [0.0, 3.0]]])
PENNIES = np.array([[[1.0, -1.0], [-1.0, 1.0]], [[-1.0, 1.0], [1.0, -1.0]]])
# Payoffs, names, and the masses that the reference gives by alpha; None: not stated.
GAMES: dict[str, tuple[Any, tuple[str, ...], dict[float, tuple[float | None, ...]]]] = {
    "rock-paper-scissors": (ROCK, ("rock", "paper", "scissors"), {0.1: (THIRD,) * 3, 1.0: (THIRD,) * 3}),
    "biased rock-paper-scissors": (
        BIASED,
        ("rock", "paper", "scissors"),
        {0.1: (0.21296, 0.67715, 0.10990), 1.0: (0.19164, 0.66826, 0.14010), 1e4: (THIRD,) * 3},
    ),
    "battle of the sexes": (SEXES, ("O, O", "O, M", "M, O", "M, M"), {0.1: (0.499986, None, None, 0.499986)}),
    "matching pennies": (PENNIES, ("H, H", "H, T", "T, H", "T, T"), {1.0: (0.25,) * 4}),
}
SHOWN = ("biased rock-paper-scissors", "battle of the sexes")  # the others do not depend on alpha


def masses(payoff: Any, alpha: float) -> jax.Array:
    """alpha-Rank of one population's matrix `[S, S]` or of two populations' `[2, S, T]`, flat."""
    return alpha_rank(payoff, alpha, SIZE) if payoff.ndim == 2 else alpha_rank_profiles(payoff, alpha, SIZE).reshape(-1)


def fermi_game(payoff: np.ndarray, size: int) -> np.ndarray:
    """The matrix on which the Fermi rule with beta = alpha has alpha-Rank's fixation probabilities.

    i earns (a_ij - a_ji) (m - 1) / m from j, so that at any number of mutants it is a_ij - a_ji ahead of it.
    """
    return (payoff - payoff.T) * (size - 1) / size


def run(out: Path, small: bool = False, fresh: bool = False) -> Verdict:
    """Published masses, the simulated and the exact chain of one game, and the figures."""
    rows = []
    intensity = np.logspace(-4, 2, 25 if small else 97)
    with jax.enable_x64(True):
        for name, (payoff, kinds, published) in GAMES.items():
            for alpha, expected in published.items():
                found = np.asarray(masses(payoff, alpha))  # alpha = 1e4 stands for infinity
                wanted = [(kind, mass) for kind, mass in zip(kinds, expected, strict=True) if mass is not None]
                worst = max(wanted, key=lambda pair: abs(found[kinds.index(pair[0])] - pair[1]))
                measured = float(found[kinds.index(worst[0])])
                what = f"{name}, alpha={alpha:g}: {worst[0]} (worst of {len(wanted)})"
                rows.append(Row(what, measured, worst[1], 5e-6, "Omidshafiei et al. 2019"))
        over_alpha = jax.jit(jax.vmap(masses, (None, 0)))
        panels = {name: np.asarray(over_alpha(jnp.asarray(GAMES[name][0]), intensity)) for name in SHOWN}

    game = fermi_game(BIASED, SIZE)
    ranked, often = np.asarray(GAMES["biased rock-paper-scissors"][2][ALPHA]), {}
    for mu in (MU, 1e-7):
        chain = fermi_chain(game, SIZE, ALPHA, mu)
        often[mu] = full_stationary_distribution(chain) @ chain.states / SIZE
    model = jc.evolution.PairwiseComparison(jc.games.matrix_game(game), beta=ALPHA, mu=MU, size=SIZE, events=5000)
    steps, replicates = (60, 128) if small else (200, 512)
    share = jc.simulate(
        model, steps=steps, populations=replicates, seed=0, record=jc.Record(every=steps),
        store=out / f"alpha_rank{'_small' if small else ''}", fresh=fresh,
    ).frequency.isel(step=-1).load()  # fmt: skip
    mean, error = share.mean("replicate").values, share.std("replicate", ddof=1).values / np.sqrt(replicates)
    rows += [
        Row("biased rock-paper-scissors, simulated: worst of 3, in standard errors",
            float(np.abs((mean - often[MU]) / error).max()), 0.0, 4.0, f"exact chain, mu = {MU:g}"),
        Row("exact chain of it as mutations become rare: worst of 3", float(np.abs(often[1e-7] - ranked).max()), 0.0,
            2e-5, "Omidshafiei et al. 2019"),
    ]  # fmt: skip
    folder = out / f"alpha_rank{'_small' if small else ''}" / "figures"
    paths = [folder / "masses.png", folder / "invasion_diagram.png"]
    figures.save(draw(intensity, panels), paths[0])
    with jax.enable_x64(True):
        fixation = np.exp(np.asarray(log_takeover(BIASED.T - BIASED, ALPHA, SIZE))).T
        shares = np.asarray(masses(BIASED, ALPHA))
    title = f"Biased rock-paper-scissors, α = {ALPHA:g}, m = {SIZE}"
    kinds = GAMES["biased rock-paper-scissors"][1]
    figures.save(figures.invasion_diagram(kinds, shares, fixation, SIZE, title=title), paths[1])
    return Verdict("alpha-rank: measured against Omidshafiei et al. 2019", rows, paths)


@style.styled
def draw(intensity, panels):
    """The masses over the intensity of ranking, and the published ones as crosses."""
    import xarray

    figure = style.new_figure((8.4, 3.6))
    for axes, (name, found) in zip(figure.subplots(1, 2, sharey=True), panels.items(), strict=True):
        _, kinds, published = GAMES[name]
        data = xarray.DataArray(found, {"alpha": intensity, "strategy": list(kinds)}, ("alpha", "strategy"), "mass")
        data.attrs["long_name"], data.alpha.attrs["long_name"] = "mass", "ranking intensity α"
        figures.trajectories(data, over="alpha", hue="strategy", axes=axes, title=f"{name} (crosses: published)")
        for alpha, expected in published.items():
            if alpha <= intensity[-1]:
                axes.plot(
                    [alpha] * len(kinds), [np.nan if mass is None else mass for mass in expected], "x", color="black"
                )
        axes.set_ylim(-0.02, 1.02)
    return figure
