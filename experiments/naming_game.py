"""Agents who name a thing in pairs come to share one name, suddenly and late (Baronchelli et al. 2006).

Nobody decides, and each pair only agrees among itself. Words first pile up to some N^1.5 of them; then, in a time that
grows alike, one of them is everybody's. If success makes two agree with a probability below 1/3, it never happens.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import jax
import numpy as np
import xarray as xr

import jaxcoord as jc
from experiments.verdict import Row, Verdict
from jaxcoord import figures, random
from jaxcoord.figures import style
from jaxcoord.language.naming import naming_game_exact
from jaxcoord.language.naming_model import NamingGame

PAPER, LATER, EXACT = "Baronchelli et al. 2006", "Baronchelli et al. 2007", "absorbing chain"
OTHER = "other program, 4 s.e."
PUBLISHED = {  # agents: means and standard errors of another program
    10: {"time": (86.818, 0.269), "time_of_most": (27.274, 0.089), "most_words": (19.646, 0.023),
         "most_distinct": (4.946, 0.008)},
    50: {"time": (1005.161, 3.838), "time_of_most": (239.423, 0.836), "most_words": (157.273, 0.232),
         "most_distinct": (24.897, 0.036)},
    200: {"time": (6094.423, 30.44), "time_of_most": (1707.957, 7.227), "most_words": (1052.993, 1.808),
          "most_distinct": (99.807, 0.129)},
    800: {"time": (36373.093, 330.357), "time_of_most": (13113.203, 80.353), "most_words": (7668.257, 18.03),
          "most_distinct": (399.98, 0.588)},
}  # fmt: skip
WORDS = {"time": "interactions to consensus", "time_of_most": "interactions to most words",
         "most_words": "most words", "most_distinct": "most different words"}  # fmt: skip
# Agents: runs, room for words of one agent (0: enough for all), interactions between looks.
SIZES = {10: (4000, 0, 500), 50: (1500, 0, 1000), 100: (800, 0, 1000), 200: (400, 48, 2000), 400: (150, 56, 5000),
         800: (80, 64, 10_000), 1600: (32, 80, 25_000)}  # fmt: skip
FITTED = (50, 100, 200, 400, 800, 1600)
EXPONENTS = {"time": 1.306, "time_of_most": 1.456, "most_words": 1.419}
ASYMPTOTIC = 1.5
BETAS = {1.0: 2.4e3, 0.6: 4.0e3, 0.4: 9.0e3, 1 / 3: 2.5e4, 0.3: 1.8e5}  # probability to agree: interactions, N = 100
NEVER, PATIENCE = 0.2, 400_000


@jax.jit
def onward(model: NamingGame, states: Any, keys: Any, steps: Any, first: Any) -> Any:
    """States and observations of populations after some more steps."""

    def one(state: Any, key: Any) -> Any:
        body = lambda t, state: model.step(state, random.step_key(key, first + t + 1))  # noqa: E731
        return jax.lax.fori_loop(0, steps, body, state)

    states = jax.vmap(one)(states, keys)
    return states, jax.vmap(model.observe)(states)


def to_consensus(size: int, runs: int, room: int, look: int, beta: float = 1.0, most: int = 10**9,
                 seed: int = 0) -> dict[str, np.ndarray]:  # fmt: skip
    """What is observed of populations once all agree, or after `most` interactions; who agrees stays as it is."""
    model = NamingGame(beta, size=size, room=room, events=100)
    keys = jax.random.split(jax.random.key(seed), runs)
    states, done = jax.vmap(model.init)(keys), 0
    while True:
        states, seen = onward(model, states, keys, look // 100, done // 100)
        done += look
        if bool((seen["consensus"] > 0).all()) or done >= most:
            return {name: np.asarray(values) for name, values in seen.items()}


def exact_rows(small: bool) -> tuple[list[Row], int]:
    """Times of a few agents, from the chain, against the known ones and against simulation; and words dropped."""
    rows = [
        Row("N=2: interactions, exact", naming_game_exact(2)[0], 1.0, 1e-12, EXACT),
        Row("N=3: interactions, exact", naming_game_exact(3)[0], 191 / 36, 1e-9, EXACT),
        Row("N=3: their standard deviation, exact", naming_game_exact(3)[1], 3.722118572, 1e-8, EXACT),
    ]
    runs, dropped = 2000 if small else 10_000, 0
    for size, beta in ((3, 1.0), (4, 0.5)) if small else ((3, 1.0), (4, 1.0), (4, 0.5), (5, 1.0), (5, 0.4)):
        mean, deviation = naming_game_exact(size, beta)
        seen = to_consensus(size, runs, 0, 200, beta)
        dropped += int(seen["dropped"].sum())
        rows.append(Row(f"N={size}, beta={beta:g}: interactions, simulated", float(seen["time"].mean()), mean,
                        4 * deviation / math.sqrt(runs), f"{EXACT}, 4 s.e."))  # fmt: skip
    return rows, dropped


def size_rows(found: dict[int, dict[str, np.ndarray]], small: bool) -> list[Row]:
    """Means by size, and how they grow."""
    rows = []
    for size, published in PUBLISHED.items():
        for name, (mean, error) in published.items() if size in found else ():
            sample = found[size][name]
            own = sample.std(ddof=1) / math.sqrt(len(sample))
            rows.append(Row(f"N={size}: {WORDS[name]}", float(sample.mean()), mean, 4 * math.hypot(error, own), OTHER))
        if size in found:
            distinct = float(found[size]["most_distinct"].mean()) / size
            rows.append(Row(f"N={size}: most different words, a head", distinct, 0.5, 0.01, PAPER))
    if small:
        return rows
    logs = np.log(FITTED)
    for name, exponent in EXPONENTS.items():
        means = np.log([found[size][name].mean() for size in FITTED])
        slopes = np.diff(means) / np.diff(logs)
        rows += [
            Row(f"exponent of {WORDS[name]}, fitted", float(np.polyfit(logs, means, 1)[0]), exponent, 0.04, OTHER[:-8]),
            Row("... and between the two largest sizes, of 3/2", float(slopes[-1]), ASYMPTOTIC, 0.2, PAPER),
        ]
        if name == "time":
            rows.append(Row("... and still rising", float(slopes[-2:].mean() > slopes[:2].mean()), 1, 0, PAPER))
    return rows


def beta_rows(small: bool) -> tuple[list[Row], dict[float, np.ndarray]]:
    """Times of a hundred agents over the probability to agree, and that there is no consensus far below 1/3."""
    rows, times = [], {}
    for beta, published in BETAS.items():
        if small and beta < 0.4:
            continue
        runs = (40 if small else 200) if beta > 0.35 else 60 if beta > 0.32 else 24
        seen = to_consensus(100, runs, 0, 5000 if beta > 0.35 else 50_000, beta, seed=1)
        times[beta] = sample = seen["time"]
        # The published figures have two digits and come from a sample of unknown size: as many runs as ours.
        error = sample.std(ddof=1) * math.sqrt(2 / runs)
        rows.append(Row(f"beta={beta:.3g}: {WORDS['time']}", float(sample.mean()), published,
                        4 * error + 0.02 * published, OTHER))  # fmt: skip
    seen = to_consensus(100, 4 if small else 8, 0, 50_000, NEVER, 50_000 if small else PATIENCE, seed=2)
    rows.append(Row(f"beta={NEVER}: share that agrees", float(seen["consensus"].mean()), 0, 0, LATER))
    if not small:
        rows.append(Row("beta=1/3 takes 10 times as long as 1", float(times[1 / 3].mean() / times[1.0].mean()), 10.4, 4,
                        LATER))  # fmt: skip
    return rows, times


def course(folder: Path, small: bool, fresh: bool) -> xr.Dataset:
    """Words, different words and success over time in populations of two hundred, or of fifty."""
    model = NamingGame(size=50 if small else 200, room=40, events=20 if small else 100)
    steps = 80 if small else 120
    return jc.simulate(model, steps, 50 if small else 200, seed=3, record=jc.Record(every=1), store=folder / "course",
                       fresh=fresh).load()  # fmt: skip


def run(out: Path, small: bool = False, fresh: bool = False) -> Verdict:
    """Solve small games, play larger ones to consensus, compare, and draw course, growth and transition."""
    folder = out / f"naming_game{'_small' if small else ''}"
    rows, dropped = exact_rows(small)
    found = {}
    for size, (runs, room, look) in SIZES.items():
        if not small or size in (10, 50):
            found[size] = to_consensus(size, runs // 8 if small else runs, room, look)
            dropped += int(found[size]["dropped"].sum())
    rows += size_rows(found, small)
    rows.append(Row("words dropped for want of room, in all", dropped, 0, 0, "none may be"))
    more, times = beta_rows(small)
    data = course(folder, small, fresh)
    path = folder / "figures" / "naming_game.png"
    figures.save(draw(data, found, times), path)
    return Verdict("naming-game: measured against Baronchelli et al. 2006 and 2007", rows + more, [path])


@style.styled
def draw(data: xr.Dataset, found: dict[int, dict[str, np.ndarray]], times: dict[float, np.ndarray]) -> Any:
    """Words and success over time; how times and words grow with N; time to consensus over beta."""
    figure = style.new_figure((11.5, 3.8))
    left, middle, right = figure.subplots(1, 3)
    events = float(data.step[0]) and (20 if data.words.max() < 300 else 100)
    curves = {"words": data.words / data.words.mean("replicate").max(), "different words": data.distinct
              / data.words.mean("replicate").max(), "success": data.success}  # fmt: skip
    for i, (name, values) in enumerate(curves.items()):
        looks = style.look(i)
        left.plot(data.step * events, values.mean("replicate"), color=looks.colour, linestyle=looks.line, label=name)
    left.set(xlabel="interactions", ylabel="of the most words; share of successes", ylim=(0, 1.05))
    left.set_title("words pile up, then one is left")
    left.legend(handlelength=4)
    sizes = np.array(sorted(found))
    for i, name in enumerate(("time", "time_of_most", "most_words")):
        looks = style.look(i)
        middle.plot(sizes, [found[n][name].mean() for n in sizes], color=looks.colour, linestyle=looks.line,
                    marker=looks.marker, label=WORDS[name])  # fmt: skip
    last = found[sizes[-1]]["time_of_most"].mean()
    middle.plot(sizes, last * (sizes / sizes[-1]) ** ASYMPTOTIC, color="black", linewidth=0.9, linestyle=":",
                label="slope 3/2")  # fmt: skip
    middle.set(xlabel="agents N", xscale="log", yscale="log")
    middle.set_title("growth with N, still below 3/2")
    middle.legend(handlelength=4)
    looks = style.look(0)
    betas = sorted(times)
    right.plot(betas, [times[b].mean() for b in betas], color=looks.colour, marker=looks.marker, label="measured")
    right.plot(list(BETAS), list(BETAS.values()), "x", color="black", label="other program")
    right.axvline(1 / 3, color="0.5", linewidth=0.9)
    right.annotate("1/3", (1 / 3, right.get_ylim()[0]), (4, 12), textcoords="offset points", fontsize=8)
    right.set(xlabel="beta, probability to agree", ylabel="interactions to consensus, N = 100", yscale="log")
    right.set_title("below 1/3 agreement takes ever longer")
    right.legend(handlelength=4)
    for axes in (left, middle, right):
        style.light_grid(axes)
    return figure
