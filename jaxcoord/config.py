"""Runs described in TOML: read as data, checked whole, every fault listed at once with the nearest valid name.

name = "ai_race"
[model]                    # a registered model and its parameters
name = "pairwise-comparison"
[model.game]               # a part of it
name = "ai-race"
[sweep]                    # parameters by path or last name: lists, or "linspace(0, 1, 33)"
risk = "linspace(0, 1, 33)"
[run]                      # steps, replicates, seed, design, samples, tile
[record]                   # every, kind, burn_in, only, reduce
"""

from __future__ import annotations

import dataclasses
import functools
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from jaxcoord import model as ground
from jaxcoord import registry
from jaxcoord.engine import design as designs
from jaxcoord.engine import plan, store
from jaxcoord.engine.record import Record
from jaxcoord.errors import ConfigError, ParameterError, nearest
from jaxcoord.model import Component, Model, static

SECTIONS = ("name", "model", "sweep", "run", "record")


class Settings(Component, abstract=True):
    """The section `run`: how much to run."""

    steps: int = static(1000, doc="steps that each population makes", unit="steps", low=1, high=plan.MAX_STEPS)
    replicates: int = static(1, doc="populations at each point", low=1, high=2**31)
    seed: int = static(0, doc="seed of all random numbers", low=0, high=2**32 - 1)
    design: str = static("grid", doc="how swept values combine", choices=designs.KINDS)
    samples: int = static(0, doc="points of a sampled design", low=0, high=designs.ranges.MAX_VALUES)
    tile: int = static(0, doc="populations that one program advances together; 0: automatic", low=0, high=2**24)


@dataclasses.dataclass(frozen=True)
class Config:
    """A whole run: its name, its model, what is swept, how much, and what is recorded."""

    name: str
    model: Model
    over: Any
    run: Settings
    record: Record

    def arguments(self) -> dict[str, Any]:
        """Keyword arguments for `jaxcoord.sweep`."""
        return {
            "model": self.model,
            "over": self.over,
            "steps": self.run.steps,
            "replicates": self.run.replicates,
            "seed": self.run.seed,
            "design": self.run.design,
            "samples": self.run.samples if self.run.design in designs.SAMPLED else None,
            "record": self.record,
            "tile": self.run.tile or None,
        }


def read(path: str | Path, changes: Sequence[str] = ()) -> Config:
    """Read and check a configuration file.

    Args:
      path: of a TOML file.
      changes: texts such as `model.speed=2` or `sweep.risk=linspace(0,1,33)`, applied to it.
    Raises: ConfigError with every fault in it.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "is not UTF-8 text"
        raise ConfigError([f"{reason}"], str(path)) from None
    try:
        table = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise ConfigError([f"not valid TOML: {str(error) or 'nested too deeply'}"], str(path)) from None
    table.setdefault("name", Path(path).stem)
    return build(table, changes, str(path))


def build(table: Mapping[str, Any], changes: Sequence[str] = (), source: str = "config") -> Config:
    """Make a run of plain data. Raises: ConfigError with every fault in it."""
    problems: list[str] = []
    table = {key: dict(value) if isinstance(value, Mapping) else value for key, value in table.items()}
    parameters = _apply(table, changes, problems)
    for key in table:
        if key in ("plugin", "plugins", "module", "import"):
            problems.append(f"{key}: a config names no Python module; use --plugin on the command line")
        elif key not in SECTIONS:
            problems.append(f"{key}: unknown key{nearest(key, SECTIONS)}")
    try:
        store.resolve(table.get("name", "run"))
    except ParameterError as error:
        problems.append(str(error))
    run = _settings(Settings, table.get("run", {}), "run", problems)
    record = _settings(Record, table.get("record", {}), "record", problems)
    model = _component(table.get("model"), Model, "model", problems)
    over = _swept(table.get("sweep", {}), run, problems)
    if model is not None:
        model = _changed(model, parameters, over, problems)
    if not problems and model is not None and run is not None and record is not None:
        parts = [{name: spec} for name, spec in over.items()] if isinstance(over, Mapping) else []
        checks: tuple[Callable[[], Any], ...] = (
            *(functools.partial(designs.make, model, part, run.design, run.samples, run.seed) for part in parts),
            lambda: problems or designs.make(model, over, run.design, run.samples, run.seed),
            lambda: record.interval(run.steps),
            lambda: record.names(model.observables),
        )
        for check in checks:
            try:
                check()
            except ParameterError as error:
                problems.append(str(error))
    if problems:
        raise ConfigError(problems, source)
    assert isinstance(model, Model)
    assert isinstance(run, Settings)
    assert isinstance(record, Record)
    return Config(table.get("name", "run"), model, over, run, record)


def _apply(table: dict[str, Any], changes: Sequence[str], problems: list[str]) -> dict[str, Any]:
    """Put changes into the table; those of the model's parameters are returned, to be resolved by their names."""
    parameters: dict[str, Any] = {}
    for change in changes:
        key, equals, text = change.partition("=")
        path = key.strip().split(".")
        if not equals or not all(path):
            problems.append(f"--set {change}: write KEY=VALUE, such as model.speed=2")
            continue
        if path[0] not in SECTIONS:
            problems.append(f"--set {key.strip()}: unknown key{nearest(path[0], SECTIONS)}")
            continue
        value = _value(text.strip())
        if path[0] == "model" and len(path) > 1 and path[-1] != "name":
            parameters[".".join(path[1:])] = value
            continue
        if path[0] == "sweep" and len(path) > 2:
            path = ["sweep", ".".join(path[1:])]
        inner: Any = table
        for part in path[:-1]:
            inner = inner.setdefault(part, {})
            if not isinstance(inner, dict):
                problems.append(f"--set {key.strip()}: {part} is not a table")
                break
        else:
            inner[path[-1]] = value
    return parameters


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (tomllib.TOMLDecodeError, KeyError, RecursionError):
        return text


def _settings(cls: type[Component], table: Any, where: str, problems: list[str]) -> Any:
    if not isinstance(table, Mapping):
        problems.append(f"{where} = {table!r}: a table is needed")
        return None
    before = len(problems)
    values = _fields(cls, table, where, problems)
    if len(problems) > before:
        return None
    try:
        return cls(**values)
    except ParameterError as error:
        problems.append(str(error))
        return None


def _component(table: Any, base: type, where: str, problems: list[str]) -> Any:
    if isinstance(table, str):
        table = {"name": table}
    if not isinstance(table, Mapping):
        problems.append(f"{where} = {table!r}: a table with the name of a {base.__name__.lower()} is needed")
        return None
    try:
        cls = registry.find(table.get("name"), base, f"{where}.name")
    except ParameterError as error:
        problems.append(str(error))
        return None
    before = len(problems)
    values = _fields(cls, {k: v for k, v in table.items() if k != "name"}, where, problems)
    return cls(**values) if len(problems) == before else None


def _fields(cls: type, table: Mapping[str, Any], where: str, problems: list[str]) -> dict[str, Any]:
    values = {}
    fields = {field.name: field for field in dataclasses.fields(cls)}
    for key, value in table.items():
        if key not in fields:
            problems.append(f"{where}.{key}: unknown key{nearest(key, fields)}")
        elif fields[key].metadata["jaxcoord"].kind == "component":
            base = fields[key].metadata["jaxcoord"].base or Component
            values[key] = _component(value, base, f"{where}.{key}", problems)
        else:
            try:
                values[key] = ground.checked(cls, fields[key], value)
            except ParameterError as error:
                name = cls.registered_name or cls.__name__  # type: ignore[attr-defined]
                problems.append(str(error).replace(f"{name}.{key}", f"{where}.{key}", 1))
    return values


def _swept(table: Any, run: Any, problems: list[str]) -> Any:
    if not isinstance(table, Mapping):
        problems.append(f"sweep = {table!r}: a table of parameter names and values is needed")
        return {}
    if run is not None and run.design == "list":
        if set(table) != {"points"}:
            problems.append("sweep: with run.design = 'list' write sweep.points = [{...}, {...}]")
            return {}
        points = table["points"]
        if not isinstance(points, list) or not points or not all(isinstance(point, Mapping) for point in points):
            problems.append(f"sweep.points = {points!r}: a list of tables is needed, such as [{{risk = 0.1}}]")
            return {}
        return points
    flat: dict[str, Any] = {}

    def flatten(inner: Mapping[str, Any], prefix: str) -> None:
        for key, value in inner.items():
            if isinstance(value, Mapping):
                flatten(value, f"{prefix}{key}.")
            else:
                flat[f"{prefix}{key}"] = value

    flatten(table, "")
    return flat


def _changed(model: Model, parameters: Mapping[str, Any], over: Any, problems: list[str]) -> Model:
    swept = set()
    names = over if isinstance(over, Mapping) else (over[0] if over and isinstance(over[0], Mapping) else {})
    for name in names:
        try:
            swept.add(ground.resolve(model, name))
        except ParameterError:
            continue
    for name, value in parameters.items():
        try:
            path = ground.resolve(model, name)
            if path in swept:
                problems.append(f"--set model.{name}: this parameter is swept; set sweep.{name} instead")
            else:
                model = ground.replace(model, {path: value})
        except ParameterError as error:
            problems.append(f"--set model.{name}: {error}")
    return model
