"""Whose definition wins? One agent that never adapts captures a crowd whose members do (identity, figure 1a).

Agents are made anew from their cores and from what the others see in them. One who keeps its core pulls the others'
mean identity to it, by a share that depends on their stubbornness alone; several camps of such agents draw at the
crowd as in a tug of war. With exploiters among them, those who adapt do best with a little core, neither none nor all.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

import jaxcoord as jc
from experiments.verdict import Row, Verdict
from jaxcoord import figures
from jaxcoord.figures import style
from jaxcoord.identity import capture, mirror
from jaxcoord.identity.attention import uniform_attention
from jaxcoord.identity.love import ADAPTIVE, EXPLOITER, LoveAndExploiters, Lovers
from jaxcoord.identity.redefinition import MutualRedefinition

FORMULA, TABLE = "closed form", "table, 4 s.e."
SIZE, STEPS = 100, 1600
PUBLISHED = {1e-4: (0.990, 5e-4), 1e-3: (0.909, 5e-4), 1e-2: (0.4975, 5e-5), 0.1: (0.0826, 5e-5), 0.5: (0.0099, 5e-5)}
WELFARE = {  # stubbornness: payoff of adaptive agents and of exploiters, cooperating share of adaptive pairs
    0.001: (1.878, 2.939, 1.0), 0.01: (1.918, 0.0, 1.0), 0.05: (1.918, 0.0, 1.0), 0.1: (1.914, 0.0, 1.0),
    0.2: (1.55, 0.0, 0.81), 0.3: (1.07, 0.0, 0.56), 0.5: (0.58, 0.0, 0.30), 1.0: (0.25, 0.015, 0.13),
}  # fmt: skip
HUMANS, PULL = 4, 0.7


def crowd(small: bool, store: Path, fresh: bool) -> Any:
    """Populations of 100 with one captor, all perspectives kept, at rest: capture over stubbornness."""
    theta = sorted({*PUBLISHED, *np.geomspace(1e-4, 1, 5 if small else 25).round(12).tolist()})
    model = MutualRedefinition(insistence=1.0, captors=1, size=SIZE, dimensions=2)
    return jc.sweep(
        model, {"stubbornness": theta}, STEPS, 2, record=jc.Record(every=STEPS), store=store, fresh=fresh
    ).isel(step=-1)  # fmt: skip


@partial(jax.jit, static_argnums=0)
def tug(size: int, exploiters: Any, theta: Any, projection: Any) -> jax.Array:
    """`[3]`: shares of humans, exploiters and own cores in the mean of those who adapt, after 20,000 steps."""
    index = jnp.arange(size)
    camp = jnp.where(index < HUMANS, 0, jnp.where(index < HUMANS + exploiters, 1, 2))
    core, free = jnp.eye(3)[camp], camp == 2
    beta = jnp.stack([jnp.asarray(PULL), projection, jnp.asarray(0.6)])[camp]
    theta, weights = jnp.where(free, theta, 1.0), uniform_attention(size)

    def step(_, identity):
        return mirror.mirror_step(identity, core, theta, weights, beta)

    rest = jax.lax.fori_loop(0, 20_000, step, core)
    return (rest * free[:, None]).sum(0) / free.sum()


@partial(jax.jit, static_argnums=1)
def welfare(theta: Any, draws: int) -> tuple[jax.Array, jax.Array]:
    """At rest: `[draws, 2]`, payoffs of adaptive agents and exploiters; `[draws]`, share of pairs that cooperate."""
    model = LoveAndExploiters(size=50, dimensions=2, settling=0)

    def draw(key):
        kind = jnp.where(jnp.arange(50) < 2, EXPLOITER, ADAPTIVE).astype(jnp.int32)
        core = model.anchor(kind, jax.random.normal(key, (50, 2)))
        rest = capture.uniform_fixed_point(core, jnp.where(kind == ADAPTIVE, theta, 1.0), 0.6)
        seen = model.observe(Lovers(kind, core, rest, jnp.zeros(50, bool)))
        return seen["payoff"][:2], seen["acceptance"]

    return jax.vmap(draw)(jax.random.split(jax.random.key(0), draws))


def run(out: Path, small: bool = False, fresh: bool = False) -> Verdict:
    """Simulate the mirror, compare it with closed forms and an independent simulation's tables, draw all three."""
    folder = out / f"capture{'_small' if small else ''}"
    data = crowd(small, folder / "crowd", fresh)
    theta = data.stubbornness.values
    formula = np.asarray(capture.capture_share(SIZE, 1, theta, 1.0))
    rows = []
    for value, (published, tolerance) in PUBLISHED.items():
        found = float(data.capture.sel(stubbornness=value).mean())
        rows.append(Row(f"theta={value:g}: share captured by 1 of 100", found, published, tolerance, "figure 1a"))
    worst = float(np.abs(data.capture.values - formula[:, None]).max())
    rows.append(Row("... less the closed form, worst of all theta", worst, 0.0, 2e-4, FORMULA))
    mirrored = capture.uniform_mirror(theta, 0.6)
    single = jc.sweep(
        MutualRedefinition(size=SIZE, dimensions=2), {"stubbornness": [x for x in theta if x >= 0.01]}, STEPS,
        record=jc.Record(every=STEPS, only="uniqueness"), store=folder / "alone", fresh=fresh,
    ).isel(step=-1)  # fmt: skip
    unique = single.uniqueness.values[:, 0] / np.asarray(mirrored.uniqueness)[theta >= 0.01]
    rows.append(Row("H1.1: uniqueness / (1-a)^2, farthest from one", float(unique[np.abs(unique - 1).argmax()]), 1.0,
                    2e-3, FORMULA))  # fmt: skip

    numbers = np.arange(0, 13)
    shares = np.asarray(jax.vmap(lambda k: tug(60, k, 0.1, 1.0))(jnp.asarray(numbers)))
    rows += [
        Row("4 humans (0.7), 3 exploiters (1.0), theta=0.1: humans' share", shares[3, 0], 0.22459893, 1e-5, FORMULA),
        Row("... exploiters' share", shares[3, 1], 0.24064171, 1e-5, FORMULA),
    ]
    loose = np.asarray(jax.vmap(lambda k: tug(60, k, 1e-3, 1.0))(jnp.asarray(numbers)))
    expected = [capture.camp_shares(60, np.array([HUMANS, k]), 1e-3, np.array([PULL, 1.0]))[0] for k in numbers]
    worst = float(np.abs(loose[:, 0] - np.array(expected)).max())
    rows += [
        Row("H1.4: humans' share over 0 to 12 exploiters, worst error", worst, 0.0, 1e-3, FORMULA),
        Row("H1.4: exploiters that take the humans' majority", int((loose[:, 0] > loose[:, 1]).sum()), 3, 0,
            "k > 4 x 0.7"),
    ]  # fmt: skip

    draws = 400 if small else 4000
    paid = {}
    for value, (adaptive, exploiting, cooperating) in WELFARE.items():
        payoff, share = (np.asarray(x, float) for x in welfare(value, draws))
        paid[value] = payoff.mean(0)
        for name, drawn, expects, digit in (
            ("adaptive agents' payoff", payoff[:, 0], adaptive, 5e-4 if value < 0.2 else 5e-3),
            ("exploiters' payoff", payoff[:, 1], exploiting, 5e-4),
            ("cooperating share of pairs", share, cooperating, 5e-3),
        ):
            error = drawn.std(ddof=1) * np.sqrt(1 / 40 + 1 / draws)
            rows.append(Row(f"theta={value:g}: {name}", drawn.mean(), expects, digit + 4 * error, TABLE))
    best = max(paid, key=lambda value: paid[value][0])
    rows.append(Row("H1.5: the best stubbornness is neither end", float(0.001 < best < 1), 1.0, 0, TABLE))

    payoffs = xr.DataArray(
        np.array(list(paid.values())),
        {"stubbornness": list(paid), "kind": ["adaptive agents", "exploiters"]},
        attrs={"long_name": "payoff", "units": "payoff"},
    )
    humans = xr.DataArray(
        loose[:, :2],
        {"exploiters": numbers, "camp": ["humans", "exploiters"]},
        attrs={"long_name": "share of the crowd's identity", "units": "1"},
    )
    humans.coords["exploiters"].attrs = {"long_name": "exploiters", "units": "individuals"}
    path = folder / "figures" / "capture.png"
    figures.save(draw(data, formula, humans, np.array(expected), payoffs), path)
    return Verdict("capture: measured against closed forms and independent tables", rows, [path])


@style.styled
def draw(data: Any, formula: np.ndarray, humans: Any, expected: np.ndarray, payoffs: Any) -> Any:
    """Capture by one, a tug of war, and what a core is worth."""
    figure = style.new_figure((11, 3.6))
    one, two, three = figure.subplots(1, 3)
    figures.trajectories(data.capture.mean("replicate", keep_attrs=True), over="stubbornness", axes=one,
                         reference={"closed form": (data.stubbornness.values, formula)}, label="share captured",
                         title="one of 100 never adapts")  # fmt: skip
    figures.trajectories(humans, over="exploiters", hue="camp", axes=two, title="against four humans, theta = 0.001",
                         reference={"closed form, humans": (humans.exploiters.values, expected)})  # fmt: skip
    payoffs.coords["stubbornness"].attrs = data.stubbornness.attrs
    figures.trajectories(payoffs, over="stubbornness", hue="kind", axes=three, title="2 exploiters among 50")
    for axes in (one, three):
        axes.set(xlabel="stubbornness of those who adapt", xscale="log")
    return figure
