"""The plan of a run: its dimensions, its tiles, its blocks, and the memory and disk that they take.

Populations lie on the design's dimensions and `replicate`. A block is a box of them times a range of records: the
unit that is committed to disk, one Zarr chunk for each variable. A block's populations run in tiles of one width.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np

from jaxcoord import model as ground
from jaxcoord.engine.design import Design
from jaxcoord.engine.program import Program, leaf_dtype, leaf_paths
from jaxcoord.engine.record import Record
from jaxcoord.errors import ParameterError, nearest
from jaxcoord.model import Model

BLOCK_BYTES = 32 * 2**20
BLOCKS_WANTED = 64
TILES_IN_BLOCK = 8
CPU_TILE = 256
ACCELERATOR_TILE = 16384
CPU_CACHE_BYTES = 2**19
UNKNOWN_MEMORY_BYTES = 2**33
MAX_STEPS = 2**32 - 2
RESERVED = ("point", "replicate", "statistic", "step")


@dataclasses.dataclass(frozen=True)
class Variable:
    """One array of the result: dims after the design's, replicate or statistic, and step."""

    name: str
    dims: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: np.dtype
    doc: str
    unit: str


@dataclasses.dataclass(frozen=True)
class Block:
    """A box of populations and a range of records."""

    index: int
    box: tuple[slice, ...]
    records: slice

    @property
    def populations(self) -> int:
        """How many populations the box holds."""
        return math.prod(part.stop - part.start for part in self.box)


@dataclasses.dataclass(frozen=True)
class Group:
    """The populations of a block that share a compiled shape: linear points, replicates and places in the block."""

    model: Model
    points: np.ndarray
    replicates: np.ndarray
    places: np.ndarray


@dataclasses.dataclass(frozen=True)
class Plan:
    """All that fixes a run's result and its layout on disk."""

    model: Model
    design: Design
    record: Record
    steps: int
    replicates: int
    seed: int
    every: int
    records: int
    tile: int
    chunk: tuple[int, ...]
    segment: int
    variables: tuple[Variable, ...]
    bytes_per_population: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the design's dimensions and `replicate`."""
        return (*self.design.shape, self.replicates)

    @property
    def populations(self) -> int:
        """Points times replicates."""
        return math.prod(self.shape)

    @property
    def boxes(self) -> int:
        """How many boxes of populations there are."""
        return math.prod(-(-size // part) for size, part in zip(self.shape, self.chunk, strict=True))

    @property
    def segments(self) -> int:
        """How many ranges of records each box has."""
        return -(-self.records // self.segment)

    def block(self, box: int, segment: int) -> Block:
        """The block of a box and a segment."""
        counts = [-(-size // part) for size, part in zip(self.shape, self.chunk, strict=True)]
        corner = np.unravel_index(box, counts)
        slices = tuple(
            slice(int(i) * part, min((int(i) + 1) * part, size))
            for i, part, size in zip(corner, self.chunk, self.shape, strict=True)
        )
        first = segment * self.segment
        return Block(box * self.segments + segment, slices, slice(first, min(first + self.segment, self.records)))

    def groups(self, box: int) -> Iterator[Group]:
        """The populations of a box, one group for each setting of the swept static fields."""
        slices = self.block(box, 0).box
        index = np.indices([s.stop - s.start for s in slices]).reshape(len(slices), -1)
        index += np.array([s.start for s in slices])[:, None]
        points = (
            np.ravel_multi_index(tuple(index[:-1]), self.design.shape)
            if self.design.shape
            else np.zeros(index.shape[1], int)
        )
        statics = [c for c in self.design.columns if c.field.kind == "static"]
        settings = list(zip(*(c.at(points, self.design.shape) for c in statics), strict=True)) or [()] * len(points)
        for setting in dict.fromkeys(settings):
            places = np.flatnonzero([s == setting for s in settings]) if statics else np.arange(len(points))
            values = {c.path: v for c, v in zip(statics, setting, strict=True)}
            model = ground.replace(self.model, values) if values else self.model
            yield Group(model, points[places], index[-1][places], places)

    def leaves(self, model: Model, points: np.ndarray) -> list[np.ndarray]:
        """The model's parameters for populations at these points, each `[P, ...]`."""
        swept = {c.path: c for c in self.design.columns if c.field.kind != "static"}
        stacked = []
        for path, leaf in zip(leaf_paths(model), jax.tree.leaves(model), strict=True):
            if path in swept:
                value = np.asarray(swept[path].at(points, self.design.shape))
                stacked.append(value.astype(leaf_dtype(value)))
            else:
                value = np.asarray(leaf).astype(leaf_dtype(leaf))
                stacked.append(np.broadcast_to(value, (len(points), *value.shape)))
        return stacked

    def program(self, model: Model) -> Program:
        """The program of one compiled shape."""
        snapshot, mean = self.record.kind in ("snapshot", "both"), self.record.kind in ("mean", "both")
        names = self.record.names(model.observables)
        alone = self.populations <= self.tile
        return Program(model, self.tile, self.every, self.segment, names, snapshot, mean, alone)

    @property
    def row_bytes(self) -> int:
        """Bytes of one record of one population."""
        return sum(math.prod(v.shape) * v.dtype.itemsize for v in self.variables)

    @property
    def result_bytes(self) -> int:
        """Bytes of the whole result, uncompressed."""
        kept = len(self.record.reduce) or self.replicates
        return self.row_bytes * self.records * self.design.points * kept

    @property
    def chunk_populations(self) -> int:
        """Populations in a full block."""
        return math.prod(self.chunk)

    def step_of(self, record: int) -> int:
        """The step at which a record is taken."""
        return self.record.burn_in + self.every * (record + 1)

    def with_layout(self, layout: dict[str, Any]) -> Plan:
        """This plan with the tiles and blocks of a run that is continued."""
        chunk = tuple(layout["chunk"])
        return dataclasses.replace(self, tile=layout["tile"], chunk=chunk, segment=layout["segment"])

    def models(self) -> Iterator[Model]:
        """The model of each compiled shape, one for each setting of the swept static fields that occurs."""
        statics = [c for c in self.design.columns if c.field.kind == "static"]
        columns = (c.at(np.arange(self.design.points), self.design.shape) for c in statics)
        for setting in dict.fromkeys(zip(*columns, strict=True)) if statics else [()]:
            values = {c.path: v for c, v in zip(statics, setting, strict=True)}
            yield ground.replace(self.model, values) if values else self.model

    def layout(self) -> dict[str, Any]:
        """What must be equal for a run to be continued, beside what was asked."""
        return {"tile": self.tile, "chunk": list(self.chunk), "segment": self.segment, "every": self.every}


def make(
    model: Model,
    design: Design,
    record: Record,
    steps: int,
    replicates: int,
    seed: int,
    free: int | None = None,
    tile: int | None = None,
) -> Plan:
    """Work out a plan.

    Args:
      free: bytes of memory that an accelerator has free; None for a CPU, where the cache decides.
      tile: populations in a tile; by default as many as fit the cache, or an accelerator's memory.
    Raises: ParameterError for a setting out of range or observables whose shape differs between swept static fields.
    """
    limits = {
        "run.steps": (steps, 1, MAX_STEPS),
        "run.replicates": (replicates, 1, 2**31),
        "run.seed": (seed, 0, 2**32 - 1),
    }
    if tile is not None:
        limits["run.tile"] = (tile, 1, 2**24)
    for name, (value, low, high) in limits.items():
        if not isinstance(value, int | np.integer) or isinstance(value, bool) or not low <= value <= high:
            raise ParameterError(f"{name} = {value!r}: a whole number from {low} to {high} is needed")
    every = record.interval(steps)
    records = (steps - record.burn_in) // every
    draft = Plan(model, design, record, steps, replicates, seed, every, records, 1, (), 1, (), 0)
    variables, state_bytes = _variables(draft)
    leaf_bytes = sum(a.nbytes for a in draft.leaves(model, np.zeros(1, int)))
    row = sum(math.prod(v.shape) * v.dtype.itemsize for v in variables)
    draft = dataclasses.replace(draft, variables=variables, bytes_per_population=state_bytes + leaf_bytes + row)
    return _laid_out(draft, free, tile)


def _check_dims(model: Model, plan: Plan) -> None:
    """Observables that share a dimension agree on its length, and labels fit it. Raises: ParameterError."""
    sizes: dict[str, int] = {}
    for name, struct in plan.program(model).observed.items():
        dims = model.observables[name].dims
        taken = {*RESERVED, *plan.design.dims} & set(dims)
        if taken or len(set(dims)) < len(dims):
            raise ParameterError(f"observable {name!r}: dims {list(dims)}; each once, and {sorted(RESERVED)} are taken")
        for dim, size in zip(dims, struct.shape, strict=True):
            if sizes.setdefault(dim, size) != size:
                raise ParameterError(
                    f"observable {name!r}: dim {dim!r} has length {size} here and {sizes[dim]} elsewhere"
                )
    known = {dim for seen in model.observables.values() for dim in seen.dims}
    for dim, labels in model.coords().items():
        if dim not in known:
            raise ParameterError(
                f"{model.registered_name}.coords: no observable has the dim {dim!r}{nearest(dim, known)}"
            )
        if dim in sizes and len(labels) != sizes[dim]:
            raise ParameterError(
                f"{model.registered_name}.coords: {len(labels)} labels for {dim!r}, of length {sizes[dim]}"
            )


def _variables(plan: Plan) -> tuple[tuple[Variable, ...], int]:
    found: tuple[Variable, ...] | None = None
    state_bytes = 0
    for model in plan.models():
        _check_dims(model, plan)
        program = plan.program(model)
        variables, kept = [], program.variables()
        declared = [*model.observables, *(f"{name}_mean" for name in model.observables)]
        for name in dict.fromkeys(name for name in declared if name in kept):
            struct, meta = kept[name], model.observables[name if name in model.observables else name[: -len("_mean")]]
            doc = meta.doc if name in model.observables else f"{meta.doc}, mean over {plan.every} steps"
            variables.append(Variable(name, meta.dims, struct.shape, np.dtype(struct.dtype), doc, meta.unit))
        if found is not None and tuple(variables) != found:
            names = ", ".join(c.name for c in plan.design.columns if c.field.kind == "static")
            raise ParameterError(f"sweep.{names}: it changes the shape of an observable; sweep it in runs of their own")
        found = tuple(variables)
        state = jax.eval_shape(lambda m: m.init(jax.random.key(0)), model)
        state_bytes = max(state_bytes, sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(state)))
    assert found is not None
    return found, state_bytes


def free_memory(device: jax.Device) -> int | None:
    """Bytes that an accelerator has free; None for a CPU."""
    if device.platform == "cpu":
        return None
    known = device.memory_stats() or {}
    return known.get("bytes_limit", UNKNOWN_MEMORY_BYTES) - known.get("bytes_in_use", 0)


def _laid_out(plan: Plan, free: int | None, tile: int | None) -> Plan:
    each = max(1, plan.bytes_per_population)
    if free is None:
        widest, memory, fewest = CPU_TILE, CPU_CACHE_BYTES, TILES_IN_BLOCK
    else:
        # A call holds the states before and after it, its temporaries, and the records.
        widest, memory, fewest = ACCELERATOR_TILE, free // 16, 1
    base = tile or max(1, min(widest, 2 ** int(math.log2(max(1, memory // each)))))
    row = max(1, plan.row_bytes)
    wanted = max(TILES_IN_BLOCK * base, plan.populations // BLOCKS_WANTED)
    affordable = max(1, BLOCK_BYTES // (row * plan.records))
    wanted = max(1, min(wanted, max(affordable, base)))
    parts: list[int] = []
    room = wanted
    for i, size in enumerate(reversed(plan.shape)):
        part = size if (i == 0 and plan.record.reduce) else max(1, min(size, room))
        parts.append(part)
        room = max(1, room // part) if part == size else 1
    chunk = tuple(reversed(parts))
    populations = math.prod(chunk)
    segment = max(1, min(plan.records, BLOCK_BYTES // (row * populations)))
    if tile is None:
        # Share a block's populations evenly among its tiles, in whole vectors, so that little is padding.
        tiles = max(1, round(populations / base), min(fewest, populations // 16))
        base = -(-populations // tiles)
        base = base if base < 16 else -(-base // 16) * 16
    return dataclasses.replace(plan, tile=base, chunk=chunk, segment=segment)
