"""Zipf's law of abbreviation: codes that agents invent are anti-efficient, until brevity pays and is listened for.

Inputs with frequencies 1/r, a speaker and a listener. Chaabouni et al. 2019: without pressure the most frequent inputs
get the longest messages. Rita et al. 2020: a lazy speaker, who pays for symbols once it is understood, together with an
impatient listener, who guesses after every symbol, turns the law and comes near the best code; neither does it alone.
At a size for two cores: 16 inputs instead of 1,000, 8 symbols, messages up to 5, perceptrons.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

import jaxcoord as jc
from experiments.verdict import Row, Verdict
from jaxcoord import figures
from jaxcoord.figures import style
from jaxcoord.language.efficiency import optimal_code, power_law, shortest_lengths
from jaxcoord.language.information import message_length
from jaxcoord.language.referential import ReferentialGame

CHAABOUNI, RITA, OWN = "Chaabouni et al. 2019", "Rita et al. 2020", "own bound"
INPUTS, VOCABULARY, LENGTH = 16, 8, 5
GAME = {
    "attributes": 1, "values": INPUTS, "vocabulary": VOCABULARY, "length": LENGTH, "architecture": "perceptron",
    "hidden": 32, "batch": 64, "updates": 250,
}  # fmt: skip
POINT = {"learning_rate": 1e-2, "entropy": 0.5, "exponent": 1.0, "length_cost": 0.0, "laziness": 0.0}
LAZY = {"length_cost": 0.5, "laziness": 45.0}
CONDITIONS: dict[str, tuple[str, dict[str, float]]] = {
    "no pressure": ("whole", {}),
    "lazy": ("whole", LAZY),
    "impatient": ("impatient", {}),
    "lazy and impatient": ("impatient", LAZY),
    "cost from the start": ("whole", {"length_cost": 1.0}),
}
BOTH = "lazy and impatient"
SEEN = ("accuracy", "messages")


class Code(NamedTuple):
    """What communities came to say in one condition."""

    accuracy: np.ndarray
    """`[replicate]`."""
    lengths: np.ndarray
    """`[replicate, input]`: symbols, the most frequent input first."""

    def excess(self) -> np.ndarray:
        """`[replicate]`: mean length by frequency less that of the same lengths dealt out at random, symbols."""
        return self.lengths @ np.asarray(power_law(INPUTS, 1.0)) - self.lengths.mean(1)

    def mean_length(self) -> float:
        """By frequency, over communities."""
        return float((self.lengths @ np.asarray(power_law(INPUTS, 1.0))).mean())


def invented(names: list[str], steps: int, number: int, store: Path, fresh: bool) -> dict[str, Code]:
    """The codes at the end; conditions with the same kind of listener are one compiled program."""
    found = {}
    for listening in sorted({CONDITIONS[name][0] for name in names}):
        here = [name for name in names if CONDITIONS[name][0] == listening]
        points = [POINT | CONDITIONS[name][1] for name in here]
        model = ReferentialGame(**GAME, listening=listening)
        record = jc.Record(every=steps, only=SEEN)
        data: xr.Dataset = jc.sweep(model, points, steps, number, record=record, store=store / listening, fresh=fresh)
        last = data[list(SEEN)].load().sel(step=steps)
        for place, name in enumerate(here):
            said = last.messages.isel(point=place).values
            found[name] = Code(last.accuracy.isel(point=place).values, np.asarray(message_length(said)))
    return {name: found[name] for name in names}


def bound(values: np.ndarray) -> tuple[float, float]:
    """Mean over communities and two of its standard errors."""
    return float(values.mean()), 2 * float(values.std(ddof=1)) / np.sqrt(len(values))


def compare(codes: dict[str, Code]) -> list[Row]:
    """The signs of the law, and how near the best code."""
    plain, both = codes["no pressure"], codes[BOTH]
    best = float(optimal_code(power_law(INPUTS, 1.0), VOCABULARY - 1).mean_length)
    rows = [
        Row(f"{name}: inputs understood, mean", float(codes[name].accuracy.mean()), 1, tolerance, OWN)
        for name, tolerance in (("no pressure", 0.15), (BOTH, 0.25))
    ]
    long, error = bound(plain.excess())
    rows.append(Row("no pressure: mean length by frequency less at random, less 2 s.e.", long - error, LENGTH / 2,
                    LENGTH / 2, f"{CHAABOUNI}: above 0"))  # fmt: skip
    rows.append(Row("no pressure: length of the most frequent input over the longest there can be",
                    float(plain.lengths[:, 0].mean() / LENGTH), 1, 0.25, f"{CHAABOUNI}: near the longest"))  # fmt: skip
    short, error = bound(both.excess())
    rows.append(Row(f"{BOTH}: mean length by frequency less at random, plus 2 s.e.", short + error, -LENGTH / 2,
                    LENGTH / 2, f"{RITA}: below 0"))  # fmt: skip
    left = (both.mean_length() - best) / (plain.mean_length() - best)
    rows.append(Row(f"{BOTH}: what is left of the way to the best code, {best:.2f} symbols", left, 0, 0.5,
                    f"{RITA}: near the best"))  # fmt: skip
    for name in ("lazy", "impatient"):
        if name in codes:
            gap, error = bound(codes[name].excess() - both.excess())
            rows.append(Row(f"{name} alone: excess over that of both, less 2 s.e.", gap - error, LENGTH / 2, LENGTH / 2,
                            f"{RITA}: above 0"))  # fmt: skip
    start = codes.get("cost from the start")
    if start is not None:
        rows.append(Row("cost from the start: inputs understood, which stays low", float(start.accuracy.mean()), 0, 0.5,
                        "own result"))  # fmt: skip
    return rows


def run(out: Path, small: bool = False, fresh: bool = False) -> Verdict:
    """Let communities invent codes under several pressures, compare lengths with frequencies, print and draw."""
    store = out / ("efficient_codes" + ("_small" if small else ""))
    names = ["no pressure", BOTH] if small else list(CONDITIONS)
    codes = invented(names, 8 if small else 12, 24 if small else 100, store, fresh)
    path = store / "figures" / "efficient_codes.png"
    figures.save(draw(codes), path)
    return Verdict("efficient-codes: measured against Chaabouni et al. 2019, Rita et al. 2020", compare(codes), [path])


@style.styled
def draw(codes: dict[str, Code]) -> Any:
    """Mean length over the rank of an input, beside the best code; and the excess over chance of each community."""
    figure = style.new_figure((9.5, 3.8))
    left, right = figure.subplots(1, 2)
    rank = np.arange(1, INPUTS + 1)
    for number, (name, code) in enumerate(codes.items()):
        looks = style.look(number)
        left.plot(rank, code.lengths.mean(0), color=looks.colour, linestyle=looks.line, marker=looks.marker, label=name)
        spread = number + np.linspace(-0.2, 0.2, len(code.accuracy))
        right.plot(spread, np.sort(code.excess()), ".", color=looks.colour)
        right.plot(number, code.excess().mean(), looks.marker, color="black", markersize=6, zorder=4)
    left.plot(rank, shortest_lengths(INPUTS, VOCABULARY - 1), color="black", linestyle=":", label="best code")
    left.set(xlabel="rank of an input by frequency", ylabel="mean length, symbols", ylim=(-0.2, 1.5 * LENGTH),
             xscale="log")  # fmt: skip
    left.set_xticks([1, 2, 4, 8, 16], ["1", "2", "4", "8", "16"])
    left.minorticks_off()
    left.legend(handlelength=4, loc="upper right", ncols=2)
    right.axhline(0, color="black", linestyle=":", linewidth=1)
    right.set_xticks(range(len(codes)), [name.replace(" and ", "\nand ").replace(" from", "\nfrom") for name in codes])
    right.set(ylabel="mean length by frequency less at random", title="above 0: anti-efficient; black: mean")
    for axes in (left, right):
        style.light_grid(axes)
    return figure
