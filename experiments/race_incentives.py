"""Do punishment, reward or free commitments stop the AI race? (Han, Pereira, Lenaerts & Santos 2021, 2022)

The idealised race with a third kind of developer. Cheap and strong punishment of the unsafe ends the dilemma, but it
ends racing also where the risk would serve all better; rewards do not help; agreements that nobody has to join leave
that freedom.
Closed forms at the papers' parameters, and the engine's simulated populations against the exact chain.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import numpy as np

import jaxcoord as jc
from experiments.verdict import Row, Verdict
from jaxcoord import figures
from jaxcoord.evolution import fermi_chain, fixation_probability, full_stationary_distribution, small_mutation_limit
from jaxcoord.games import race_thresholds
from jaxcoord.games.race_incentives import race_commitment, race_punishment, race_reward

SIZE, BETA, MU = 100, 0.01, 0.01
PAPERS = {2021: "Han et al. 2021", 2022: "Han et al. 2022"}
# Paper, game, what it is about, and the shares that the reference gives, by strategy.
PUBLISHED = [
    (2021, race_punishment(), "dilemma zone, punishment", {"AS": 0.0737, "AU": 0.0245, "PS": 0.9018}),
    (2021, race_punishment(effort=1.0), "... that costs its giver as much", {"AU": 0.9991}),
    (2021, race_punishment(risk=0.2, impact=1.5), "over-regulation, p_r=0.2", {"PS": 0.9156}),
    (2021, race_reward(), "dilemma zone, reward", {"AU": 0.9999}),
    (2022, race_commitment(), "dilemma zone, commitments",
     {"PS-in": 0.898, "AS-in": 0.074, "AU-in": 0.024, "AU-out": 0.003}),
    (2022, race_commitment(risk=0.3), "p_r=0.3, commitments", {"AU-out": 0.516, "PS-in": 0.408}),
    (2022, race_punishment(risk=0.3), "p_r=0.3, punishment alone", {"PS": 0.928, "AU": 0.051}),
]  # fmt: skip
SHOWN = ("dilemma zone, punishment", "dilemma zone, reward", "p_r=0.3, commitments")


def first_to_arrive(game: Any) -> float:
    """The least s_beta from which a punisher reaches the prize before the unsafe developer that it punishes."""
    return game.speed - (game.rounds - game.speed) * (1 - game.effort) / (game.rounds - 1)


def unsafe_share(risk: Any, impact: Any) -> jax.Array:
    """Long-run share of AU among AS, AU and PS when mutations are rare."""
    return small_mutation_limit(race_punishment(risk=risk, impact=impact), SIZE, BETA)[1]


def simulate(out: Path, small: bool, fresh: bool) -> tuple[Any, np.ndarray, np.ndarray]:
    """Shares of AU over risk and impact `[R, I]`: simulated, their standard errors, and those of the exact chain."""
    risks = [0.2, 0.6, 0.9] if small else np.linspace(0.1, 0.9, 9)
    impacts = [0.5, 1.0, 1.5] if small else np.linspace(0.2, 1.6, 8)
    model = jc.evolution.PairwiseComparison(race_punishment(), beta=BETA, mu=MU, size=SIZE, events=1000)
    data = jc.sweep(model, {"risk": list(risks), "impact": list(impacts)}, steps=400, replicates=16,
                    record=jc.Record(kind="mean", burn_in=200, every=200), fresh=fresh,
                    store=out / f"race_incentives{'_small' if small else ''}")  # fmt: skip
    share = data.frequency_mean.sel(strategy="AU").isel(step=-1).load()
    error = share.std("replicate", ddof=1).values / np.sqrt(share.sizes["replicate"])
    exact = np.empty(error.shape)
    for i, j in np.ndindex(*exact.shape):
        with jax.enable_x64(True):
            payoff = np.asarray(race_punishment(risk=float(risks[i]), impact=float(impacts[j])).payoff())
        chain = fermi_chain(payoff, SIZE, BETA, MU)
        exact[i, j] = full_stationary_distribution(chain) @ chain.states[:, 1] / SIZE
    return share.mean("replicate"), error, exact


def run(out: Path, small: bool = False, fresh: bool = False) -> Verdict:
    """Closed forms at the papers' settings, a sweep against the exact chain, and the figures."""
    rows, kept = [], {}
    limit = jax.jit(lambda payoff: small_mutation_limit(payoff, SIZE, BETA))
    with jax.enable_x64(True):
        for year, game, what, shares in PUBLISHED:
            found = dict(zip(game.strategies, np.asarray(limit(game.payoff())), strict=True))
            kept[what] = game, found
            for name, share in shares.items():
                digits = 5e-5 if year == 2021 else 5e-4
                rows.append(Row(f"{what}: {name}", float(found[name]), share, digits, PAPERS[year]))
        risk, impact = np.linspace(0, 1, 33 if small else 101), np.linspace(0, 1.6, 33 if small else 129)
        over_impact = jax.vmap(unsafe_share, (None, 0))
        unsafe = np.asarray(jax.jit(jax.vmap(over_impact, (0, None)))(risk, impact))
        base = race_punishment()
        bounds = race_thresholds(base.speed, base.rounds, base.prize)
        society, dominance = float(bounds.society), float(bounds.risk_dominance)
    least = first_to_arrive(base)
    dilemma = (risk > society) & (risk < dominance)
    strong, weak = unsafe[dilemma][:, impact > least], unsafe[dilemma][:, impact < least]
    simulated, error, exact = simulate(out, small, fresh)
    deviation = float(np.sqrt(np.square(simulated.values - exact).sum() / np.square(error).sum()))
    rows += [
        Row("dilemma zone, punisher arrives first: most AU", float(strong.max()), 0.0, 0.05, "Han et al. 2021"),
        Row("dilemma zone, AU arrives first: least AU at p_r < 0.7",
            float(weak[risk[dilemma] < 0.7].min()), 1.0, 0.05, "Han et al. 2021"),
        Row("simulated AU less the exact chain's, in standard errors", deviation, 1.0, 4 / np.sqrt(exact.size) + 0.1,
            f"closed form, {exact.size} points"),
    ]  # fmt: skip
    folder = out / f"race_incentives{'_small' if small else ''}" / "figures"
    paths = [folder / "phase_diagram.png"]
    figures.save(draw_phases(risk, impact, unsafe, society, dominance, least), paths[0])
    for what in SHOWN:
        game, shares = kept[what]
        with jax.enable_x64(True):
            fixation = np.asarray(fixation_probability(game, SIZE, BETA))
        figure = figures.invasion_diagram(game.strategies, list(shares.values()), fixation, SIZE, title=what)
        paths.append(folder / f"{game.registered_name}.png")
        figures.save(figure, paths[-1])
    return Verdict("race-incentives: measured against Han, Pereira, Lenaerts & Santos 2021, 2022", rows, paths)


def draw_phases(risk, impact, unsafe, society, dominance, least):
    """The share of AU over risk and the strength of punishment, with the race's regions."""
    import xarray

    data = xarray.DataArray(
        unsafe, {"risk": risk, "impact": impact}, ("risk", "impact"), "unsafe",
        {"long_name": "share of unsafe developers", "units": "1"},
    )  # fmt: skip
    data.risk.attrs["long_name"], data.impact.attrs["long_name"] = "risk of disaster", "speed that punishment takes"
    ends = np.array([impact[0], impact[-1]])
    return figures.phase_diagram(
        data,
        levels=[0.5],
        boundaries={
            "racing pays all more to the left (III)": (np.full(2, society), ends),
            "safety selected unaided to the right (I)": (np.full(2, dominance), ends),
            "punisher arrives first above": (np.array([risk[0], risk[-1]]), np.full(2, least)),
        },
        title="Punishment in the AI race",
    )
