"""Words and scales of axes: labels from attributes, log axes, cell edges, limits."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping
from typing import Any

import numpy as np

SYMBOL = re.compile(r"^([A-Za-z])(?:_([A-Za-z0-9]+))?, ")


def quantity(name: str, attributes: Mapping[str, Any], width: int = 44, lines: int = 2) -> str:
    """A label such as `$s$, speed of unsafe development [1/step]` from `long_name` and `units`.

    What follows a semicolon in a long name is left out, a leading symbol is set as one, and the whole is wrapped.

    Args:
      name: used where there is no long name.
      attributes: of the variable or coordinate; the unit "1" is left out.
      width, lines: letters to a line and lines, at most; a longer text ends in an ellipsis.
    """
    text = str(attributes.get("long_name") or name).split(";")[0].strip()
    unit = str(attributes.get("units") or "")
    unit = "" if unit in ("", "1") else f" [{unit}]"
    wrapped = textwrap.wrap(text + unit, width)
    if len(wrapped) > lines:
        wrapped = textwrap.wrap(text, width)
        last = textwrap.shorten(" ".join(wrapped[lines - 1 :]), max(8, width - len(unit)), placeholder=" ...")
        wrapped = [*wrapped[: lines - 1], last + unit]
    return "\n".join(symbol(plain(line)) if i == 0 else plain(line) for i, line in enumerate(wrapped))


def plain(text: str) -> str:
    """Text that matplotlib does not take for mathematics."""
    return str(text).replace("$", r"\$")


def symbol(text: str) -> str:
    """A leading `p_r, ` as mathematics."""
    found = SYMBOL.match(text)
    if not found:
        return text
    below = f"_{{{found[2]}}}" if found[2] else ""
    return f"${found[1]}{below}$, {text[found.end() :]}"


def number(value: Any) -> str:
    """A value for a title: four digits of a number, another as it is."""
    if isinstance(value, np.generic):
        value = value.item()
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def wrapped(parts: list[str], width: int) -> str:
    """Parts of a title joined by semicolons and wrapped."""
    return "\n".join(textwrap.wrap("; ".join(plain(part) for part in parts if part), width))


def is_numeric(array: Any) -> bool:
    """Whether a coordinate is a list of numbers: integers or floats, not booleans, nor a matrix at each index."""
    return array.ndim <= 1 and array.dtype.kind in "iuf"


def coordinate(data: Any, name: str) -> np.ndarray:
    """`[n]` float: the values of a coordinate, or 0 to n - 1 where a dimension has none that is numeric."""
    if name in data.coords and is_numeric(data[name]):
        return np.asarray(data[name].values, float)
    return np.arange(data.sizes[name], dtype=float)


def attributes(data: Any, name: str) -> Mapping[str, Any]:
    """The attributes of a coordinate, none where a dimension has no coordinate."""
    return data[name].attrs if name in data.coords else {}


def is_log_spaced(values: Any) -> bool:
    """Whether values are spread evenly on a log axis, and not on a linear one.

    Positive, over a factor of ten or more, and 95 % or more of the variance of their logarithms (less of their own)
    is that of a straight line through their ranks: grids such as `logspace` and log-uniform samples alike.
    """
    values = np.unique(np.asarray(values, float))
    if len(values) < 3 or not np.isfinite(values).all() or values[0] <= 0 or values[-1] < 10 * values[0] * (1 - 1e-9):
        return False
    return _bend(np.log(values)) < 0.05 < _bend(values)


def _bend(values: np.ndarray) -> float:
    return 1 - float(np.corrcoef(np.arange(len(values)), values)[0, 1]) ** 2


def cell_edges(centres: np.ndarray, log: bool) -> np.ndarray:
    """`[n + 1]`: edges of the cells around `[n]` ascending centres, half-way between them, or so on a log axis."""
    at = np.log(centres) if log else np.asarray(centres, float)
    if len(at) == 1:
        half = 0.5 if log or at[0] == 0 else 0.5 * abs(at[0])
        edges = np.array([at[0] - half, at[0] + half])
    else:
        middle = (at[1:] + at[:-1]) / 2
        edges = np.concatenate([[2 * at[0] - middle[0]], middle, [2 * at[-1] - middle[-1]]])
    return np.exp(edges) if log else edges


def value_limits(values: Any, attributes: Mapping[str, Any]) -> tuple[float, float]:
    """Limits of a colour or value axis: 0 and 1 for shares that fill half of that range, else the finite extremes."""
    values = np.asarray(values, float)
    finite = values[np.isfinite(values)]
    if not finite.size:
        return 0.0, 1.0
    low, high = float(finite.min()), float(finite.max())
    if str(attributes.get("units") or "1") == "1" and low >= 0 and high <= 1 and high - low >= 0.5:
        return 0.0, 1.0
    return low, high
