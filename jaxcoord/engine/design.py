"""Designs: which parameter values a sweep visits, as dimensions with coordinates."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxcoord import model as ground
from jaxcoord.engine import ranges
from jaxcoord.errors import ParameterError, nearest
from jaxcoord.model import Component, Field

MAX_POINTS = 2**31
CHECKED_POINTS = 4096  # whose models are built before a run, spread evenly over all
KINDS = ("grid", "zip", "list", "random", "latin", "sobol")
SAMPLED = ("random", "latin", "sobol")


@dataclasses.dataclass(frozen=True)
class Column:
    """One swept parameter: its short name, full path, what is known of it, its values and the dimension they run on."""

    name: str
    path: str
    field: Field
    values: Any
    axis: int

    def at(self, points: np.ndarray, shape: tuple[int, ...]) -> Any:
        """The values at linear point indices."""
        index = np.unravel_index(points, shape)[self.axis]
        if isinstance(self.values, np.ndarray):
            return self.values[index]
        return [self.values[i] for i in index]


@dataclasses.dataclass(frozen=True)
class Design:
    """Points of parameter space in a fixed order: the last dimension runs fastest."""

    dims: tuple[str, ...]
    shape: tuple[int, ...]
    columns: tuple[Column, ...]

    @property
    def points(self) -> int:
        """How many settings there are; one where nothing is swept."""
        return math.prod(self.shape)


def make(model: Component, over: Any, kind: str = "grid", samples: int | None = None, seed: int = 0) -> Design:
    """The design of a sweep.

    Args:
      model: whose parameters are swept.
      over: a mapping from parameter names to values (lists, arrays, texts such as `linspace(0, 1, 33)`), or, for a
        sampled design, to intervals; or a list of mappings, one for each point.
      kind: "grid" (every combination), "zip" (values side by side), "list" (a list of points), "random", "latin"
        (Latin hypercube) or "sobol", the last three by scipy.stats.qmc.
      samples: points of a sampled design.
      seed: of a sampled design.
    Raises: ParameterError for an unknown parameter, a value out of range, lengths that differ, or too many points.
    """
    if isinstance(over, Sequence) and not isinstance(over, str | bytes):
        kind, over = "list", _by_name(over)
    elif not isinstance(over, Mapping):
        raise ParameterError(f"sweep = {over!r}: a table of parameter names and values is needed")
    if kind not in KINDS:
        raise ParameterError(f"run.design = {kind!r}: unknown design{nearest(str(kind), KINDS)}")
    if not over:
        if kind in SAMPLED:
            raise ParameterError(
                f"run.design = {kind!r}: nothing is swept; write intervals such as risk = 'uniform(0, 1)'"
            )
        return Design((), (), ())
    paths = {name: ground.resolve(model, name) for name in over}
    if len(set(paths.values())) < len(paths):
        raise ParameterError(f"sweep: the same parameter is given twice among {', '.join(over)}")
    fields = dict(ground.parameters(model))
    specs = {name: ranges.values(spec, f"sweep.{name}") for name, spec in over.items()}
    if kind in SAMPLED:
        specs = _sampled(specs, kind, samples, seed, {name: fields[paths[name]] for name in specs})
    for name, spec in specs.items():
        if isinstance(spec, ranges.Interval):
            raise ParameterError(f"sweep.{name}: an interval needs a sampled design: run.design = 'sobol'")
    lengths = {name: len(spec) for name, spec in specs.items()}
    short = _short_names(model, paths)
    if kind == "grid":
        shape, axes = tuple(lengths.values()), list(range(len(specs)))
        dims = tuple(short[name] for name in specs)
    else:
        if len(set(lengths.values())) > 1:
            raise ParameterError(f"sweep: a {kind} design needs lists of one length, not {lengths}")
        shape, axes, dims = (next(iter(lengths.values())),), [0] * len(specs), ("point",)
    if math.prod(shape) > MAX_POINTS:
        raise ParameterError(
            f"sweep: {math.prod(shape):.3g} points; at most {MAX_POINTS:.3g}: use fewer values or run.design = 'sobol'"
        )
    columns = []
    for (name, spec), axis in zip(specs.items(), axes, strict=True):
        field = fields[paths[name]]
        columns.append(Column(short[name], paths[name], field, _checked(model, paths[name], field, spec, name), axis))
    design = Design(dims, shape, tuple(columns))
    _check_together(model, design)
    return design


def _check_together(model: Component, design: Design) -> None:
    """Build the models of the points, or of many of them: what a model asks of several values at once is checked then.

    Raises: ParameterError, the model's own.
    """
    own = ground.Component.__post_init__
    if all(type(part).__post_init__ is own for part in ground.parts(model)):
        return
    points = np.unique(np.linspace(0, design.points - 1, min(design.points, CHECKED_POINTS)).astype(np.int64))
    columns = [(column.path, column.at(points, design.shape)) for column in design.columns]
    for place in range(len(points)):
        at = {path: values[place] for path, values in columns}
        ground.replace(model, {path: x.item() if isinstance(x, np.generic) else x for path, x in at.items()})


def _by_name(points: Sequence[Any]) -> dict[str, list]:
    if not points or not all(isinstance(point, Mapping) for point in points):
        raise ParameterError("sweep: a list of points needs one table of parameter values for each point")
    names = list(points[0])
    for i, point in enumerate(points):
        if set(point) != set(names):
            raise ParameterError(f"sweep: point {i} sets {sorted(point)}; the first one sets {sorted(names)}")
    return {name: [point[name] for point in points] for name in names}


def _short_names(model: Any, paths: Mapping[str, str]) -> dict[str, str]:
    """Last parts of the paths, or whole paths where those would clash with one another or with a name of the result."""
    seen: Mapping[str, Any] = getattr(model, "observables", {})
    taken = {"point", "replicate", "step", "statistic", *seen, *(f"{name}_mean" for name in seen)}
    taken |= {dim for observable in seen.values() for dim in observable.dims}
    tails = [path.rpartition(".")[2] for path in paths.values()]
    short = {}
    for name, path in paths.items():
        tail = path.rpartition(".")[2]
        free = tails.count(tail) == 1 and tail not in taken
        short[name] = tail if free else path if path not in taken else f"model.{path}"
    return short


def _sampled(specs: Mapping[str, Any], kind: str, samples: int | None, seed: int, fields: Mapping[str, Field]) -> dict:
    from scipy.stats import qmc

    if not isinstance(samples, int) or isinstance(samples, bool) or not 1 <= samples <= ranges.MAX_VALUES:
        raise ParameterError(f"run.samples = {samples!r}: a {kind} design needs 1 to {ranges.MAX_VALUES} samples")
    for name, spec in specs.items():
        if not isinstance(spec, ranges.Interval):
            raise ParameterError(f"sweep.{name}: a {kind} design needs an interval such as 'uniform(0, 1)'")
        if fields[name].kind == "static" or fields[name].shape:
            raise ParameterError(
                f"sweep.{name}: only numeric parameters can be sampled, this one is {fields[name].kind}"
            )
    if kind == "random":
        unit = np.random.default_rng(seed).random((samples, len(specs)))
    elif kind == "latin":
        unit = qmc.LatinHypercube(len(specs), rng=seed).random(samples)
    else:
        unit = qmc.Sobol(len(specs), rng=seed).random_base2(math.ceil(math.log2(samples)))[:samples]
    return {name: spec.at(unit[:, i]) for i, (name, spec) in enumerate(specs.items())}


def _checked(model: Component, path: str, field: Field, values: Any, name: str) -> Any:
    head, _, tail = path.rpartition(".")
    owner = ground.get(model, head) if head else model
    field_of = next(f for f in ground.declared(owner) if f.name == tail)
    kind = getattr(field_of.type, "__name__", str(field_of.type))
    if field.kind == "param" and not field.shape and kind in ("int", "float"):
        try:
            array = np.asarray(values)
            numeric = array.dtype.kind in "iuf" and array.ndim == 1
        except ValueError:
            numeric = False
        if numeric:
            bad = ~np.isfinite(array) | (array < field.low) | (array > field.high)
            bad |= np.abs(np.where(bad, 0, array).astype(float)) > ground.largest(kind)
            if kind == "int":
                bad |= array != np.round(array)
            if not bad.any():
                return array.astype(np.int64 if kind == "int" else float)
            values = [array[np.argmax(bad)].item()]
    checked = []
    for value in values:
        try:
            checked.append(ground.checked(type(owner), field_of, value))
        except ParameterError as error:
            raise ParameterError(f"sweep.{name}: {error}") from None
    if not field.shape:
        return checked
    if len({value.shape for value in checked}) > 1:
        raise ParameterError(f"sweep.{name}: arrays of the shapes {sorted({v.shape for v in checked})}; one is needed")
    return np.stack(checked)
