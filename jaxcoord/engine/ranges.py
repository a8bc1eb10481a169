"""Ranges of swept values: written as text in a config or as numbers in Python, parsed and never evaluated."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxcoord.errors import ParameterError, nearest

MAX_VALUES = 10_000_000
NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
CALL = re.compile(rf"\s*([A-Za-z_]+)\s*\(\s*({NUMBER}(?:\s*,\s*{NUMBER})*)\s*\)\s*")
ARGUMENTS = {
    "linspace": "linspace(first, last, number)",
    "logspace": "logspace(first exponent of ten, last exponent, number)",
    "arange": "arange(first, limit, step)",
    "uniform": "uniform(low, high)",
    "loguniform": "loguniform(low, high)",
}
TWO = ("uniform", "loguniform")


class Interval(NamedTuple):
    """A continuous range to sample from, on a linear or a logarithmic scale."""

    low: float
    high: float
    log: bool = False

    def at(self, quantile: np.ndarray) -> np.ndarray:
        """The values at quantiles in [0, 1]."""
        if self.log:
            return np.exp(np.log(self.low) + quantile * (np.log(self.high) - np.log(self.low)))
        return self.low + quantile * (self.high - self.low)


def linspace(first: float, last: float, number: int) -> np.ndarray:
    """`number` evenly spaced values from `first` to `last`, both included: `[number]` float64."""
    return np.linspace(first, last, number)


def logspace(first: float, last: float, number: int) -> np.ndarray:
    """`number` values from `10**first` to `10**last`, evenly spaced in their logarithm: `[number]` float64."""
    return np.logspace(first, last, number)


def uniform(low: float, high: float) -> Interval:
    """An interval that a random, Latin hypercube or Sobol design samples evenly."""
    return Interval(float(low), float(high))


def loguniform(low: float, high: float) -> Interval:
    """An interval that a random, Latin hypercube or Sobol design samples evenly in the logarithm."""
    return Interval(float(low), float(high), True)


def parse(text: str, where: str) -> np.ndarray | Interval:
    """A range from text such as `linspace(0, 1, 33)`.

    Raises: ParameterError naming `where` for an unknown word, a wrong number of arguments or too many values.
    """
    match = CALL.fullmatch(text)
    if match is None:
        raise ParameterError(f"{where} = {text!r}: not a range; write a list of values or {ARGUMENTS['linspace']}")
    word, numbers = match[1], [float(part) for part in match[2].split(",")]
    if word not in ARGUMENTS:
        raise ParameterError(f"{where} = {text!r}: unknown range {word!r}{nearest(word, ARGUMENTS)}")
    if len(numbers) != (2 if word in TWO else 3) or not np.isfinite(numbers).all():
        raise ParameterError(f"{where} = {text!r}: write {ARGUMENTS[word]}")
    if word in TWO:
        return interval(numbers[0], numbers[1], word == "loguniform", f"{where} = {text!r}")
    count = numbers[2]
    if word == "arange":
        count = (numbers[1] - numbers[0]) / numbers[2] if numbers[2] else 0.0
    if not 1 <= count <= MAX_VALUES or (word != "arange" and count != int(count)):
        raise ParameterError(f"{where} = {text!r}: {count:g} values; allowed: a whole number from 1 to {MAX_VALUES}")
    if word == "arange":
        return np.arange(*numbers)
    with np.errstate(over="ignore"):
        values = (np.linspace if word == "linspace" else np.logspace)(numbers[0], numbers[1], int(count))
    if not np.isfinite(values).all():
        raise ParameterError(f"{where} = {text!r}: runs beyond the largest number")
    return values


def interval(low: float, high: float, log: bool, where: str) -> Interval:
    """A checked interval. Raises: ParameterError where it is empty, or logarithmic and not above 0."""
    if not low < high or not np.isfinite([low, high]).all():
        raise ParameterError(f"{where}: the low end must be below the high end, both finite")
    if log and low <= 0:
        raise ParameterError(f"{where}: a logarithmic interval must lie above 0")
    return Interval(float(low), float(high), log)


def values(spec: Any, where: str) -> np.ndarray | list | Interval:
    """Swept values from a list, an array, a single value, an Interval or a text range."""
    if isinstance(spec, Interval):
        return interval(*spec, where)
    if isinstance(spec, str):
        return parse(spec, where)
    if isinstance(spec, np.ndarray) or hasattr(spec, "__jax_array__") or type(spec).__module__.startswith("jax"):
        spec = np.asarray(spec)
        return spec if spec.ndim else spec[None]
    spec = list(spec) if isinstance(spec, Sequence) else [spec]
    if not spec:
        raise ParameterError(f"{where} = []: no values; write at least one")
    return spec
