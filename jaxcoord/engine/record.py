"""What to record of a run: a value of its own, apart from the model; watching never changes a run."""

from __future__ import annotations

from typing import Any

from jaxcoord.errors import ParameterError, nearest
from jaxcoord.model import Component, Observable, static

RECORDS_BY_DEFAULT = 100
STATISTICS = ("mean", "std", "median")


class Record(Component, abstract=True):
    """Which observables, how often, as a snapshot or a mean over time, and how replicates are reduced.

    Records are taken at steps `burn_in + every`, `burn_in + 2 every`, ... A mean covers the `every` steps that end
    at its record and is stored as `NAME_mean`.
    """

    every: int = static(0, doc="steps between records; 0: a hundred records in all", unit="steps", low=0)
    kind: str = static("snapshot", doc="what is kept of an interval", choices=("snapshot", "mean", "both"))
    burn_in: int = static(0, doc="steps before the first interval, not recorded", unit="steps", low=0)
    only: Any = static((), doc="names of the observables to keep; empty: all")
    reduce: Any = static(
        (), doc="statistics over replicates, computed on the device: mean, std (by R - 1), median, q0.05, ..."
    )

    def __post_init__(self):
        super().__post_init__()
        for name in ("only", "reduce"):
            value = getattr(self, name)
            value = (value,) if isinstance(value, str) else value
            if not isinstance(value, tuple | list) or not all(isinstance(word, str) for word in value):
                raise ParameterError(f"record.{name} = {value!r}: a list of names is needed")
            object.__setattr__(self, name, tuple(value))
        for word in self.reduce:
            quantile(word)

    def interval(self, steps: int) -> int:
        """Steps between records of a run of so many steps. Raises: ParameterError where nothing would be recorded."""
        left = steps - self.burn_in
        if left < 1:
            raise ParameterError(f"record.burn_in = {self.burn_in}: the run has only {steps} steps")
        every = self.every or max(1, left // RECORDS_BY_DEFAULT)
        if every > left:
            raise ParameterError(f"record.every = {every}: only {left} steps are left after burn-in; at most {left}")
        return every

    def names(self, observables: dict[str, Observable]) -> tuple[str, ...]:
        """The observables to keep. Raises: ParameterError for a name that the model does not have."""
        for name in self.only:
            if name not in observables:
                raise ParameterError(f"record.only: unknown observable {name!r}{nearest(name, observables)}")
        if not observables:
            raise ParameterError("nothing to record: the model declares no observable()")
        return self.only or tuple(observables)


def quantile(word: str) -> float | None:
    """The quantile that a statistic's name asks for, None for a mean or a standard deviation.

    Raises: ParameterError for any other word.
    """
    if word == "median":
        return 0.5
    if word in STATISTICS:
        return None
    try:
        value = float(word.removeprefix("q")) if word.startswith("q") else -1.0
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise ParameterError(f"record.reduce: unknown statistic {word!r}; allowed: mean, std, median, q0 to q1 (q0.05)")
    return value
