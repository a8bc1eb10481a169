"""Compositionality and generalisation: who learns from many meanings can name new ones, whatever the code looks like.

Communities of a speaker and a listener, two attributes, and a tenth of the meanings held out. As Chaabouni et al. 2020
and Kharitonov & Baroni 2020 found: new meanings are understood where the world is large; among communities that
succeed, the measures of compositionality tell little about it; and yet a compositional code is learned sooner by new
listeners. At a size for two cores: up to 16 values instead of 100, and perceptrons, which learn in a tenth of the time.
The authors saw no correlation of the measures with generalisation; in worlds as small as these there is some, of
perceptrons more than of recurrent agents.
"""

from __future__ import annotations

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
from jaxcoord.language import agents, learning, world
from jaxcoord.language.optimisers import adam
from jaxcoord.language.referential import ReferentialGame

CHAABOUNI = "Chaabouni et al. 2020"
TEACHING = "Chaabouni et al. 2020, section 6"
OWN = "own bound"
LEARNED = 0.99  # accuracy of a community that succeeds
ROUNDING = 1e-6
RECURRENT = 12  # values of the attributes in the world of recurrent agents
GAME = {"attributes": 2, "length": 3, "hidden": 64, "batch": 128, "updates": 250}
PLAIN = {"learning_rate": 1e-2, "entropy": 0.3}
MEASURES = {"topographic_similarity": "topographic similarity", "positional_disentanglement": "disentanglement"}
SEEN = ("accuracy", "held_out_accuracy", "chance")
PUPILS = {"perceptron": 1e-2, "recurrent": 1e-2}  # new listeners, and their learning rate
LESSONS = 60  # batches for a new listener
TAUGHT = 10  # values of the attributes in the codes that are taught


def communities(
    values: int, held_out: int, steps: int, number: int, store: Path, fresh: bool, only: tuple[str, ...] = SEEN,
    kind: str = "perceptron",
) -> xr.Dataset:  # fmt: skip
    """What became of communities at the end, `[replicate]`."""
    asked = {"values": values, "vocabulary": 2 * values, "held_out": held_out, "architecture": kind}
    record = jc.Record(every=steps, only=only)
    found = jc.sweep(ReferentialGame(**GAME | asked), [PLAIN], steps, number, record=record, store=store, fresh=fresh)
    return found[list(only)].load().isel(point=0).sel(step=steps)


def taught(kind: str, code: Any, values: int, lessons: int, key: Any) -> Any:
    """`[lessons]`: accuracy of one new listener over its lessons in a code `[V^A, L]`, of which it hears all."""
    meant = jnp.asarray(world.all_meanings(2, values))
    listener: Any = agents.listener(kind, 2 * values + 1, 2, values, 64, 16)
    weights = agents.newborn(listener, key, code)

    def lesson(carry: tuple[Any, Any], _: None) -> tuple[tuple[Any, Any], Any]:
        weights, memory = carry
        right = (jnp.argmax(listener.apply(weights, code), -1) == meant).all(-1).mean()
        loss = lambda weights: learning.reconstruction_loss(listener.apply(weights, code), meant).mean()  # noqa: E731
        change, memory = adam().update(jax.grad(loss)(weights), memory)
        return (jax.tree.map(lambda value, by: value - PUPILS[kind] * by, weights, change), memory), right

    return jax.lax.scan(lesson, (weights, adam().init(weights)), length=lessons)[1]


def classes(kind: str, number: int, values: int, lessons: int) -> dict[str, np.ndarray]:
    """`[number, lessons]`: accuracies of new listeners in the compositional code and, each in its own, permuted."""
    keys = jax.random.split(jax.random.key(7), number)
    code = jnp.asarray(world.compositional_code(2, values))
    permuted = jax.vmap(lambda key: world.holistic_code(jax.random.fold_in(key, 1), code))(keys)
    codes = jnp.stack([jnp.broadcast_to(code, permuted.shape), permuted])
    each = jax.vmap(jax.vmap(lambda code, key: taught(kind, code, values, lessons, key), (0, 0)), (0, None))
    found = np.asarray(jax.jit(each)(codes, keys))
    return {"compositional": found[0], "permuted": found[1]}


def explained(data: xr.Dataset, name: str) -> float:
    """Share of the variance of the accuracy at new meanings that a measure explains, among communities that succeed."""
    successful = data.isel(replicate=data.accuracy.values >= LEARNED - ROUNDING)
    return float(np.corrcoef(successful[name], successful.held_out_accuracy)[0, 1]) ** 2


def generalisation_rows(worlds: dict[int, xr.Dataset]) -> list[Row]:
    """Successes, what is understood of new meanings, and whether a measure would have told."""
    rows = []
    for values, data in worlds.items():
        share = float((data.accuracy >= LEARNED - ROUNDING).mean())
        rows.append(Row(f"{values} values: communities with accuracy of {LEARNED:g}", share, 1, 0.25, OWN))
    small, large = (worlds[pick(worlds)].held_out_accuracy for pick in (min, max))
    error = np.hypot(*(x.std(ddof=1) / np.sqrt(x.size) for x in (small, large)))
    gain = float(large.mean() - small.mean())
    rows += [
        Row(f"{max(worlds)} values: accuracy at new meanings over chance",
            float(large.mean() / worlds[max(worlds)].chance.mean()) , 100, 90, f"{OWN}, above 10"),
        Row(f"new meanings: {max(worlds)} values less {min(worlds)}, less 2 s.e.", gain - 2 * float(error), 0.5, 0.5,
            f"{CHAABOUNI}: above 0"),
    ]  # fmt: skip
    return rows


def measure_rows(kinds: dict[str, xr.Dataset]) -> list[Row]:
    """Whether a measure of compositionality tells what will be understood of new meanings."""
    return [
        Row(f"{kind}: variance of it explained by {title}", explained(data, name), 0.25, 0.25,
            "own result: below a half; Chaabouni et al. 2020: none")
        for kind, data in kinds.items()
        for name, title in MEASURES.items()
    ]  # fmt: skip


def run(out: Path, small: bool = False, fresh: bool = False) -> Verdict:
    """Let communities of several worlds learn, teach hand-made codes, compare, print and draw."""
    store = out / ("compositionality" + ("_small" if small else ""))
    sizes, number, steps = ((5, 16), 12, 6) if small else ((5, 8, 12, 16), 40, 8)
    only = SEEN if small else (*SEEN, *MEASURES)
    # In the smallest world, with two meanings held out, a community tells little.
    runs = {values: 4 * number if values == min(sizes) else number for values in sizes}
    worlds = {
        values: communities(values, values**2 // 10, steps, runs[values], store / f"values_{values}", fresh, only)
        for values in sizes
    }
    rows = generalisation_rows(worlds)
    if not small:
        whole = communities(10, 0, 5, 100, store / "all", fresh)
        share, chance = float((whole.accuracy >= LEARNED - ROUNDING).mean()), float(whole.chance.mean())
        rows.insert(0, Row(f"10 values, nothing held out, 100 communities: accuracy of {LEARNED:g} (chance {chance:g})",
                           share, 1, 0.05, OWN))  # fmt: skip
        recurrent = communities(
            RECURRENT, RECURRENT**2 // 10, 4, 60, store / "recurrent", fresh, only, kind="recurrent"
        )
        rows += measure_rows({
            f"recurrent agents, {RECURRENT} values": recurrent, f"perceptrons, {max(worlds)}": worlds[max(worlds)],
        })  # fmt: skip
    lessons = {
        kind: classes(kind, 4 if small else 20, TAUGHT, LESSONS) for kind in PUPILS if not small or kind != "recurrent"
    }
    for kind, found in lessons.items():
        mean = {name: float(curve.mean()) for name, curve in found.items()}
        rows.append(Row(f"new {kind} listeners: mean accuracy of lessons, compositional less permuted",
                        mean["compositional"] - mean["permuted"], 0.55, 0.45, f"{TEACHING}: above 0"))  # fmt: skip
    path = store / "figures" / "compositionality.png"
    figures.save(draw(worlds, lessons), path)
    return Verdict("compositionality: measured against Chaabouni et al. 2020", rows, [path])


@style.styled
def draw(worlds: dict[int, xr.Dataset], lessons: dict[str, dict[str, np.ndarray]]) -> Any:
    """New meanings over the size of the world; over topographic similarity; and the lessons of new listeners."""
    measured = all("topographic_similarity" in data for data in worlds.values())
    figure = style.new_figure((11.5 if measured else 7.7, 3.8))
    left, *middle, right = figure.subplots(1, 3 if measured else 2)
    for number, (values, data) in enumerate(worlds.items()):
        looks = style.look(number)
        held = data.held_out_accuracy.values
        spread = np.linspace(-0.25, 0.25, len(held)) * values / 5
        left.plot(values + spread, held, ".", color=looks.colour, alpha=0.5)
        left.plot(values, held.mean(), looks.marker, color="black", markersize=6)
        for axes in middle:
            axes.plot(data.topographic_similarity, held, looks.marker, color=looks.colour, alpha=0.7,
                      label=f"{values} values")  # fmt: skip
    left.set(
        xlabel="values of each attribute", ylabel="accuracy at new meanings", title="dots: communities; black: means"
    )
    for axes in middle:
        axes.set(xlabel="topographic similarity", ylabel="accuracy at new meanings", title="does the measure tell?")
        axes.legend()
    for number, (kind, found) in enumerate(lessons.items()):
        for name, curves in found.items():
            looks = style.look(2 * number + (name == "permuted"))
            right.plot(curves.mean(0), color=looks.colour, linestyle=looks.line, label=f"{name}, {kind}")
    right.set(xlabel="lessons", ylabel="accuracy of new listeners", title="a code with parts is learned sooner")
    right.legend(handlelength=4)
    for axes in (left, *middle, right):
        style.light_grid(axes)
    return figure
