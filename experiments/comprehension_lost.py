"""Hour 1: comprehension 100. Week 2: 0? How long people can follow agents who talk among themselves.

Pairs of agents learn to speak as people do and then play with each other, under pressures that change a language and
with measures that keep it. Readers who know only the human protocol are asked again and again what they understand.
First the published conditions in a world of 64 meanings, a few communities each; then a thousand communities in a
world of 16, with intervals; and one community's code before and after, side by side.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from rich.console import Console
from rich.table import Table

import jaxcoord as jc
from experiments.verdict import Row, Verdict
from jaxcoord import figures
from jaxcoord.figures import style
from jaxcoord.language import world
from jaxcoord.language.drift import LanguageDrift

OTHER = "other program"
LONG = 48  # steps of a hundred updates
FREE = {"entropy": 0.05}
RESET = FREE | {"turnover": 6}
SQUEEZE: dict[str, Any] = {"caps": [6, 5, 4, 3, 2], "caps_from": [0, 3, 6, 9, 15]}
CONDITIONS: dict[str, dict[str, Any]] = {
    "free": FREE,
    "cost": FREE | {"length_cost": 0.1},
    "noise": FREE | {"noise": 0.1},
    "turnover": RESET,
    "squeeze": SQUEEZE | {"entropy": 0.02},
    "squeeze, exploring": SQUEEZE | {"entropy": 0.1},
    "free + anchor": FREE | {"anchor": 0.1},
    "free + supervision": FREE | {"supervision": 0.1},
    "free + person": FREE | {"human_share": 0.25},
    "turnover + anchor": RESET | {"anchor": 0.1},
    "turnover + supervision": RESET | {"supervision": 0.1},
    "turnover + person": RESET | {"human_share": 0.25},
}
TAUGHT = {"free + students": FREE, "turnover + students": RESET}  # with 50 lessons, every second step
HELPED: dict[str, dict[str, Any]] = {  # where people's protocol does not fit the channel
    "squeeze + anchor": SQUEEZE | {"entropy": 0.02, "anchor": 0.1},
    "squeeze + supervision": SQUEEZE | {"entropy": 0.02, "supervision": 0.3},
    "squeeze + person": SQUEEZE | {"entropy": 0.02, "human_share": 0.25},
}
AUDITED = {
    "free + audit": FREE | {"audit": 0.9},
    "turnover + audit": RESET | {"audit": 0.9},
    "free + cap on change": FREE | {"most_change": 0.25},
}
CROWD = "free, three pairs"
SEEN = ("task_accuracy", "comprehension", "comprehension_low", "comprehension_high", "comprehension_bits", "misled",
        "reverse_comprehension", "message_length", "topographic_similarity", "positional_disentanglement",
        "messages")  # fmt: skip
PROBED = (*SEEN, "fresh_accuracy", "linear_probe", "linear_control")
VILLAGE = {"attributes": 2, "values": 4, "vocabulary": 12, "length": 6, "hidden": 24, "embedding": 8, "school": 300}
VILLAGE_SQUEEZE: dict[str, Any] = {"caps": [4, 3, 2, 1, 1], "caps_from": [0, 6, 12, 18, 18]}
SYMBOLS = "·", "ABC", "1234", "αβγδεζηθ"


def asked(conditions: dict[str, dict[str, Any]], length: int) -> list[dict[str, Any]]:
    """The conditions as points of a sweep: every name that one of them sets, in all of them."""
    plain = {"caps": [length] * 5, "caps_from": [0] * 5, "entropy": 0.05}
    names = sorted({name for changes in conditions.values() for name in changes} | set(plain))
    rest = {name: plain.get(name, getattr(LanguageDrift(), name)) for name in names}
    return [rest | changes for changes in conditions.values()]


def talked(
    model: LanguageDrift, conditions: dict[str, dict[str, Any]], steps: int, communities: int, every: int, store: Path,
    fresh: bool, only: tuple[str, ...] = SEEN,
) -> xr.Dataset:  # fmt: skip
    """What became of communities, `[condition, replicate, step]`."""
    record = jc.Record(every=every, only=only)
    found = jc.sweep(model, asked(conditions, model.length), steps, communities, record=record, store=store,
                     fresh=fresh)  # fmt: skip
    kept = found[list(only)].load().rename(point="condition")
    return kept.drop_vars([n for n in kept.coords if n not in ("step", "replicate", "meaning")]).assign_coords(
        condition=list(conditions)
    )


def changed(data: xr.Dataset) -> xr.DataArray:
    """Share of meanings whose greedy message is another than at the record before."""
    said = data.messages
    return (said != said.shift(step=1)).any("position").mean("meaning").isel(step=slice(1, None))


def at_end(data: xr.Dataset, name: str, condition: str, step: int) -> tuple[float, float]:
    """Mean over communities and its standard error."""
    values = data[name].sel(condition=condition, step=step).values
    return float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values)))


def published(data: xr.Dataset) -> list[Row]:
    """What the conditions do in the world of 64 meanings."""
    last, early = LONG, 30

    def mean(name: str, condition: str, step: int = early) -> float:
        return at_end(data, name, condition, step)[0]

    rows = []
    for condition in ("free", "cost", "turnover", "noise"):
        # Measured before a newborn comes: turnover is at the begin of every sixth step.
        understood = float(data.task_accuracy.sel(condition=condition).mean("replicate").min())
        rows.append(Row(f"{condition}: partners understand each other, least mean", understood, 1, 0.03, OTHER))
    for condition, value in (("free", 0.59), ("cost", 0.73), ("noise", 0.73), ("turnover", 0.16)):
        found, error = at_end(data, "comprehension", condition, early)
        rows.append(
            Row(f"{condition}: comprehension after 3,000 updates", found, value, 4 * np.hypot(error, 0.04), OTHER)
        )
    gaps = [
        mean("comprehension", two) - mean("comprehension", one) for one, two in (("turnover", "free"), ("free", "cost"))
    ]
    rows += [
        Row("comprehension: free less turnover", gaps[0], 0.43, 0.3, f"{OTHER}, order"),
        Row("comprehension: cost less free", gaps[1], 0.14, 0.14, f"{OTHER}, order"),
        Row("turnover: comprehension of the luckiest community at the end",
            float(data.comprehension.sel(condition="turnover", step=last).max()), 0.11, 0.14, f"{OTHER}, below .25"),
        Row("turnover: comprehension in bits at the end", mean("comprehension_bits", "turnover", last), -0.11, 0.11,
            f"{OTHER}, below 0"),
        Row("turnover: agents understand people at the end", mean("reverse_comprehension", "turnover", last), 0.33,
            0.15, OTHER),
    ]  # fmt: skip
    for condition, value in (("free", 0.92), ("cost", 0.90), ("turnover", 0.68)):
        rows += [
            Row(
                f"{condition}: a fresh listener learns the new code", mean("fresh_accuracy", condition), 1, 0.03, OTHER
            ),
            Row(f"{condition}: a linear probe reads it", mean("linear_probe", condition), value, 0.15, OTHER),
            # The labels are dealt out once, to 20 meanings with three attributes, for all communities alike.
            Row(
                f"{condition}: and its control",
                mean("linear_control", condition),
                0.25,
                3 * (3 / 16 / 60) ** 0.5,
                "chance",
            ),
        ]
    likeness = [mean("topographic_similarity", c) for c in ("free", "free + person")]
    rows += [
        Row("a person in the loop: topographic similarity gained", likeness[1] - likeness[0], 0.05, 0.12, OTHER),
        Row("a person in the loop: comprehension gained",
            mean("comprehension", "free + person") - mean("comprehension", "free"), 0.4, 0.15, OTHER),
    ]  # fmt: skip
    moves = changed(data)
    for condition in ("free + anchor", "free + supervision", "turnover + anchor", "turnover + supervision"):
        step = last if condition.startswith("turnover") else early
        rows.append(Row(f"{condition}: comprehension", mean("comprehension", condition, step), 1, 0.03, OTHER))
        moved = float(moves.sel(condition=condition).mean())
        rows.append(Row(f"{condition}: language changed in 300 updates", moved, 0.03, 0.05, OTHER))
    for condition, value, step in (("free", 0.78, early), ("turnover", 0.39, last)):
        found, error = at_end(data, "comprehension", f"{condition} + students", step)
        rows.append(Row(f"{condition} + students: comprehension", found, value, 4 * np.hypot(error, 0.04), OTHER))
    rows += [
        Row("free + person: comprehension", mean("comprehension", "free + person"), 0.99, 0.04, OTHER),
        Row("turnover + person: comprehension", mean("comprehension", "turnover + person", last), 0.98, 0.06, OTHER),
        Row("turnover + person: language changed in 300 updates",
            float(moves.sel(condition="turnover + person").mean()), 0.99, 0.05, OTHER),
        Row("turnover + person: agents understand people", mean("reverse_comprehension", "turnover + person", last),
            0.76, 0.2, OTHER),
    ]  # fmt: skip
    for condition, value in (("squeeze", 0.31), ("squeeze, exploring", 0.22)):
        rows.append(
            Row(f"{condition}: comprehension at two symbols", mean("comprehension", condition), value, 0.1, OTHER)
        )
    for condition, value in zip(HELPED, (0.32, 0.32, 0.31), strict=True):
        rows.append(Row(f"{condition}: comprehension at two symbols", mean("comprehension", condition), value, 0.1,
                        OTHER))  # fmt: skip
    rows.append(Row("squeeze: comprehension at three symbols, markers dropped",
                    mean("comprehension", "squeeze", 15), 0.95, 0.06, OTHER))  # fmt: skip
    return rows


def told(symbols: np.ndarray, attributes: int, values: int) -> str:
    """A message for a person: markers as capitals, values as digits, what people do not use as Greek letters."""
    _, markers, digits, others = SYMBOLS
    names = markers[:attributes] + digits[:values] + others
    return " ".join(names[symbol - 1] for symbol in symbols if symbol) or "(nothing)"


def codes(data: xr.Dataset, conditions: list[str], model: LanguageDrift, shown: int = 8) -> Table:
    """Some meanings, how people say them, and how one community of each condition does at the end."""
    table = Table("meaning", "people", *conditions, box=None, title="the code before and after", title_justify="left")
    human = world.human_code(model.attributes, model.values, model.length)
    last = data.messages.isel(replicate=0, step=-1).astype(int)
    for place in np.linspace(0, data.sizes["meaning"] - 1, shown).round().astype(int):
        rows = [human[place], *(last.sel(condition=c).isel(meaning=place).values for c in conditions)]
        said = [told(row, model.attributes, model.values) for row in rows]
        table.add_row(str(data.meaning.values[place]), *said)
    return table


def village_rows(data: xr.Dataset, step: int) -> list[Row]:
    """What holds of the thousand: differences of means, less four standard errors."""

    def above(quantity: str, more: tuple[float, float], less: tuple[float, float]) -> Row:
        low = more[0] - less[0] - 4 * np.hypot(more[1], less[1])
        return Row(f"thousand, {quantity}, less 4 s.e.", float(low), 0.5, 0.5, "own result: above 0")

    rows = []
    for condition in data.condition.values:
        found = at_end(data, "comprehension", condition, step)
        if "+" in condition:
            without = at_end(data, "comprehension", condition.split(" + ")[0], step)
            rows.append(above(f"{condition}: comprehension gained", found, without))
        else:
            partners = at_end(data, "task_accuracy", condition, step)
            rows.append(above(f"{condition}: what partners understand and people do not", partners, found))
    if CROWD in data.condition:
        one, three = (at_end(data, "comprehension", condition, step) for condition in ("free", CROWD))
        rows.append(Row("thousand, three pairs rather than one: comprehension gained", three[0] - one[0], 0,
                        4 * np.hypot(one[1], three[1]), "own result: none"))  # fmt: skip
    return rows


def run(out: Path, small: bool = False, fresh: bool = False) -> Verdict:
    """Let communities drift in both worlds, compare, and print and draw how far people can follow."""
    name = "comprehension_lost" + ("_small" if small else "")
    village = LanguageDrift(**VILLAGE | ({"school": 250} if small else {}))
    chosen = {k: v for k, v in CONDITIONS.items() if not k.startswith("squeeze") and k != "turnover + supervision"}
    if small:
        chosen = {k: chosen[k] for k in ("free", "turnover", "free + anchor", "free + supervision")}
    else:
        chosen |= AUDITED | {"squeeze": FREE | VILLAGE_SQUEEZE}
    steps, communities, every = (8, 6, 2) if small else (30, 100, 3)
    data = talked(village, chosen, steps, communities, every, out / name / "thousand", fresh)
    if not small:
        others = {"students": ({"lessons": 50}, TAUGHT), "crowd": ({"pairs": 3}, {CROWD: FREE})}
        for place, (changes, conditions) in others.items():
            model = LanguageDrift(**VILLAGE | changes)
            more = talked(model, conditions, steps, communities, every, out / name / place, fresh)
            data = xr.concat([data, more], "condition")
        still = talked(village, {"start": FREE | {"learning_rate": 0.0}}, 1, 50, 1, out / name / "start", fresh)
    rows = village_rows(data, steps)
    console = Console()
    console.print(outcome(data))
    console.print(codes(data, ["free", "turnover", "free + anchor"], village))
    if not small:
        table = talked(LanguageDrift(), CONDITIONS, LONG, 6, 3, out / name / "table", fresh, PROBED)
        pupils = LanguageDrift(lessons=50)
        more = talked(pupils, TAUGHT, LONG, 6, 3, out / name / "table_students", fresh, PROBED)
        cut = talked(LanguageDrift(), HELPED, LONG, 6, 3, out / name / "table_squeeze", fresh, PROBED)
        table = xr.concat([table, more, cut], "condition")
        rows += published(table)
        rows.append(Row("thousand: comprehension after school", float(still.comprehension.mean()), 1, 0.01, OTHER))
        console.print(outcome(table))
        console.print(codes(table, ["free", "turnover", "free + anchor"], LanguageDrift()))
    path = out / name / "figures" / "comprehension_lost.png"
    pressures = [c for c in data.condition.values if "+" not in c]
    kept = ["free", *(c for c in data.condition.values if c.startswith("free +"))]
    number = data.condition.size * communities
    panels = [(f"16 meanings, {number:,} communities", data, pressures), ("16 meanings, countermeasures", data, kept)]
    if not small:
        hard = [c for c in table.condition.values if "+" not in c]
        panels.insert(1, ("64 meanings, 6 communities each", table, hard))
    figures.save(draw(panels, village.updates), path)
    return Verdict("comprehension-lost: how far people can follow", rows, [path])


def outcome(data: xr.Dataset) -> Table:
    """What is left at the end, condition by condition, with 95 % intervals."""
    number = data.sizes["replicate"]
    title = f"after {int(data.step[-1])} steps, {number} communities each"
    table = Table("condition", "partners", "people", "misled", "agents read people", "length", "changed", box=None,
                  title=title, title_justify="left")  # fmt: skip
    moves = changed(data)
    for condition in data.condition.values:
        end = data.sel(condition=condition).isel(step=-1)
        lost, error = at_end(data, "comprehension", condition, int(data.step[-1]))
        table.add_row(
            str(condition), f"{float(end.task_accuracy.mean()):.2f}", f"{lost:.2f} ± {1.96 * error:.2f}",
            f"{float((end.misled > 0.5).mean()):.0%}", f"{float(end.reverse_comprehension.mean()):.2f}",
            f"{float(end.message_length.mean()):.1f}", f"{float(moves.sel(condition=condition).mean()):.0%}",
        )  # fmt: skip
    return table


@style.styled
def draw(panels: list[tuple[str, xr.Dataset, list[str]]], updates: int) -> Any:
    """Comprehension over updates of self-play, from 100 % after school; means over communities, 95 %.

    Args: `panels`, of each its title, the data and the conditions; `updates` of a step.
    """
    figure = style.new_figure((4.6 * len(panels), 4.2))
    for axes, (title, data, conditions) in zip(figure.subplots(1, len(panels), sharey=True), panels, strict=True):
        style.light_grid(axes)
        for number, condition in enumerate(conditions):
            looks = style.look(number)
            values = 100 * data.comprehension.sel(condition=condition)
            mean, error = values.mean("replicate"), values.std("replicate", ddof=1) / np.sqrt(data.sizes["replicate"])
            at, mean, error = np.append(0, data.step * updates), np.append(100, mean), np.append(0, error)
            axes.plot(at, mean, color=looks.colour, linestyle=looks.line, label=condition)
            axes.fill_between(at, mean - 1.96 * error, mean + 1.96 * error, color=looks.colour, alpha=0.2, linewidth=0)
        axes.axhline(0, color="black", linestyle=":", linewidth=1)
        axes.set(xlabel="updates of self-play", title=title, ylim=(-12, 104))
        axes.legend(handlelength=3, loc="lower left", frameon=True, framealpha=0.9)
    figure.axes[0].set(ylabel="comprehension by people, %")
    return figure
