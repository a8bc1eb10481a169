"""The compiled program of one tile: a fixed number of populations advanced together through one executable.

Every numeric parameter is a traced array with a value for each population, so a whole numeric sweep, a single run and
a resumed run share one program and give equal bits. How many steps a call makes is a traced number, so cutting time
never recompiles.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxcoord import random
from jaxcoord.errors import ParameterError
from jaxcoord.model import Model

Array = jax.Array
Tree = Any


class Carry(NamedTuple):
    """What a tile takes from one step to the next: the states, and sums with their rounding errors since a record."""

    state: Tree
    total: dict[str, Array]
    lost: dict[str, Array]


class Span(NamedTuple):
    """What one call does: `head` steps to the first boundary, then `intervals - 1` of full length."""

    start: int
    head: int
    intervals: int
    row: int
    reset: bool


@functools.cache
def vector_width() -> int:
    """Bits in the widest vectors of this machine's CPU that LLVM would not use unasked; 0: its own choice serves."""
    try:
        wide = " avx512f " in Path("/proc/cpuinfo").read_text()
    except OSError:
        return 0
    return 512 if wide else 0


def compiler_options(device: jax.Device, alone: bool = False) -> dict[str, Any]:
    """How tiles are compiled for a device.

    On a CPU tiles run side by side, one in a thread, unless one is `alone`; wide vectors are a third to a half faster.
    """
    if device.platform != "cpu":
        return {}
    # The first as in `jaxcoord/__init__.py`, for a process that had made arrays before it imported jaxcoord.
    options: dict[str, Any] = {"xla_cpu_experimental_ynn_fusion_type": ""}
    options |= {} if alone else {"xla_cpu_multi_thread_eigen": False}
    return options | ({"xla_cpu_prefer_vector_width": vector_width()} if vector_width() else {})


def leaf_paths(model: Model) -> list[str]:
    """Dotted paths of the model's leaves, in the order of its pytree."""
    keyed, _ = jax.tree_util.tree_flatten_with_path(model)
    return [".".join(str(getattr(key, "name", key)) for key in path) for path, _ in keyed]


def leaf_dtype(value: Any) -> np.dtype:
    """The type that a parameter has on the device: JAX's default for Python numbers and host arrays."""
    if isinstance(value, jax.Array):
        return value.dtype
    kind = np.asarray(value).dtype.kind
    return np.dtype(jnp.result_type({"b": bool, "i": int, "u": int}.get(kind, float)))


class Program:
    """Init and advance for tiles of `width` populations of one compiled shape.

    Args:
      model: gives the structure and the parameters that are not swept.
      width: populations in a tile.
      every: steps between records.
      rows: records that a tile's buffer holds; one more row takes what is not a record.
      names: observables to keep; snapshot, mean: which kinds of record.
      alone: whether the run is a single tile, which may then use several threads of a CPU.
    """

    def __init__(
        self,
        model: Model,
        width: int,
        every: int,
        rows: int,
        names: Sequence[str],
        snapshot: bool,
        mean: bool,
        alone: bool,
    ):
        self.model, self.width, self.every, self.rows = model, width, every, rows
        self.names, self.snapshot, self.mean, self.alone = tuple(names), snapshot, mean, alone
        self.leaves: list[Any]
        self.tree: Any
        self.leaves, self.tree = jax.tree_util.tree_flatten(model)
        self.traces = 0
        self.compile_seconds = 0.0
        self._compiled: dict[jax.Device, tuple[Any, Any]] = {}

    def batch_shapes(self) -> list[jax.ShapeDtypeStruct]:
        """Shapes of the stacked parameters."""
        return [jax.ShapeDtypeStruct((self.width, *np.shape(leaf)), leaf_dtype(leaf)) for leaf in self.leaves]

    def _keys(self, seed: Array, points: Array, replicates: Array) -> Array:
        return jax.vmap(random.population_key, (None, 0, 0))(seed, points, replicates)

    def _observe(self, leaves: Sequence[Array], state: Tree) -> dict[str, Array]:
        seen = self.tree.unflatten(leaves).observe(state)
        if not isinstance(seen, dict) or set(seen) != set(self.model.observables):
            got = sorted(seen) if isinstance(seen, dict) else type(seen).__name__
            raise ParameterError(
                f"{self.model.registered_name}.observe returned {got}; declared are {sorted(self.model.observables)}"
            )
        seen = {name: jnp.asarray(seen[name]) for name in self.names}
        for name, value in seen.items():
            dims = self.model.observables[name].dims
            if value.ndim != len(dims):
                raise ParameterError(f"observable {name!r} has shape {value.shape}; its dims are {list(dims)}")
        return seen

    @functools.cached_property
    def observed(self) -> dict[str, jax.ShapeDtypeStruct]:
        """Shape and type of each kept observable for one population."""

        def first(leaves):
            state = self.tree.unflatten(leaves).init(jax.random.key(0))
            return self._observe(leaves, state)

        one = [jax.ShapeDtypeStruct(s.shape[1:], s.dtype) for s in self.batch_shapes()]
        return jax.eval_shape(first, one)

    def _init(self, leaves, seed, points, replicates) -> Carry:
        def one(leaves, key):
            state = self.tree.unflatten(leaves).init(random.step_key(key, jnp.uint32(0)))
            return jax.tree.map(jnp.asarray, state), self._observe(leaves, state)

        state, seen = jax.vmap(one)(leaves, self._keys(seed, points, replicates))
        zero = {n: jnp.zeros(v.shape, float) for n, v in seen.items()} if self.mean else {}
        return Carry(state, zero, zero)

    def _advance(self, leaves, seed, points, replicates, carry, buffer, start, head, count, row, reset):
        self.traces += 1
        keys = self._keys(seed, points, replicates)

        def one_step(leaves, state, key, step):
            after = self.tree.unflatten(leaves).step(state, random.step_key(key, step))
            after = jax.tree.map(jnp.asarray, after)
            _same_shape(self.model, state, after)
            return jax.tree.map(lambda a, b: a if a.dtype == b.dtype else a.astype(b.dtype), after, state)

        step_all = jax.vmap(one_step, (0, 0, 0, None))
        observe_all = jax.vmap(self._observe)

        def advance_one(step, carry):
            state = step_all(leaves, carry.state, keys, step)
            if not self.mean:
                return Carry(state, {}, {})
            seen = observe_all(leaves, state)
            # Kahan's sum: a float32 sum over a million steps would lose three digits.
            total, lost = {}, {}
            for name, value in seen.items():
                term = value.astype(carry.total[name].dtype) - carry.lost[name]
                total[name] = carry.total[name] + term
                lost[name] = (total[name] - carry.total[name]) - term
            return Carry(state, total, lost)

        def interval(i, loop):
            carry, buffer, step = loop
            steps = jnp.where(i == 0, head, jnp.uint32(self.every))
            carry = jax.lax.fori_loop(step + 1, step + 1 + steps, advance_one, carry)
            seen = observe_all(leaves, carry.state) if self.snapshot else {}
            if self.mean:
                seen |= {f"{name}_mean": carry.total[name] / self.every for name in self.names}
            buffer = {
                name: jax.lax.dynamic_update_index_in_dim(buffer[name], value.astype(buffer[name].dtype), row + i, 0)
                for name, value in seen.items()
            }
            sums = [jax.tree.map(lambda x: jnp.where(reset, 0, x), part) for part in (carry.total, carry.lost)]
            return Carry(carry.state, *sums), buffer, step + steps

        carry, buffer, _ = jax.lax.fori_loop(jnp.uint32(0), count, interval, (carry, buffer, start))
        return carry, buffer

    def compiled(self, device: jax.Device) -> tuple[Any, Any]:
        """The executables (init, advance) for a device, compiled once and timed apart."""
        if device not in self._compiled:
            begun = time.perf_counter()
            options = compiler_options(device, self.alone)
            place = jax.sharding.SingleDeviceSharding(device)

            def struct(tree):
                return jax.tree.map(lambda s: jax.ShapeDtypeStruct(s.shape, s.dtype, sharding=place), tree)

            word = jax.ShapeDtypeStruct((), jnp.uint32)
            index = jax.ShapeDtypeStruct((self.width,), jnp.uint32)
            leaves = self.batch_shapes()
            carry = jax.eval_shape(self._init, leaves, word, index, index)
            start = struct((leaves, word, index, index))
            init = self._jit_init.lower(*start).compile(compiler_options=options)
            scalars = struct((word, word, word, word, jax.ShapeDtypeStruct((), bool)))
            arguments = (*start, struct(carry), struct(self.buffer_shapes), *scalars)
            advance = self._jit_advance.lower(*arguments).compile(compiler_options=options)
            self._compiled[device] = init, advance
            self._fits(device)
            self.compile_seconds += time.perf_counter() - begun
        return self._compiled[device]

    @functools.cached_property
    def _jit_init(self):
        return jax.jit(self._init)

    @functools.cached_property
    def _jit_advance(self):
        return jax.jit(self._advance)

    def text(self) -> str:
        """The program as compiled text, for a digest that changes when the model's code does."""
        word, index = jax.ShapeDtypeStruct((), jnp.uint32), jax.ShapeDtypeStruct((self.width,), jnp.uint32)
        leaves = self.batch_shapes()
        carry = jax.eval_shape(self._init, leaves, word, index, index)
        flag = jax.ShapeDtypeStruct((), bool)
        arguments = (leaves, word, index, index, carry, self.buffer_shapes, word, word, word, word, flag)
        lowered = self._jit_advance.lower(*arguments)
        return self._jit_init.lower(leaves, word, index, index).as_text() + lowered.as_text()

    @functools.cached_property
    def buffer_shapes(self) -> dict[str, jax.ShapeDtypeStruct]:
        """Shapes of the record buffer `[rows + 1, width, ...]`."""
        return {
            name: jax.ShapeDtypeStruct((self.rows + 1, self.width, *s.shape), s.dtype)
            for name, s in self.variables().items()
        }

    def variables(self) -> dict[str, jax.ShapeDtypeStruct]:
        """What a record holds for one population: the observables, with `_mean` where a mean over time is kept."""
        seen = self.observed
        kept = {name: jax.ShapeDtypeStruct(s.shape, recorded(name, s.dtype)) for name, s in seen.items()}
        kept = kept if self.snapshot else {}
        if self.mean:
            wide = jnp.result_type(float)
            kept |= {f"{name}_mean": jax.ShapeDtypeStruct(s.shape, wide) for name, s in seen.items()}
        return kept

    def init(self, device: jax.Device, batch: tuple) -> Carry:
        """States at step 0 for a batch (leaves, seed, points, replicates) that lies on the device."""
        return self.compiled(device)[0](*batch)

    def advance(self, device: jax.Device, batch: tuple, carry: Carry, buffer: dict, span: Span) -> tuple[Carry, dict]:
        """Run one span and return the new carry and buffer; the arguments stay valid."""
        words = [np.uint32(x) for x in (span.start, span.head, span.intervals, span.row)]
        return self.compiled(device)[1](*batch, carry, buffer, *words, np.bool_(span.reset))

    def _fits(self, device: jax.Device) -> None:
        limit = (device.memory_stats() or {}).get("bytes_limit") if device.platform != "cpu" else None
        if limit and self.memory(device) > limit:
            need, have = self.memory(device) / 2**30, limit / 2**30
            raise ParameterError(
                f"run.tile = {self.width}: a tile needs {need:.3g} GiB and the device has {have:.3g} GiB; "
                f"at most {max(1, int(self.width * have / need))} would fit"
            )

    def memory(self, device: jax.Device) -> int:
        """Bytes that one call of the advance program holds: arguments, results and temporary arrays."""
        analysis = self.compiled(device)[1].memory_analysis()
        if analysis is None:
            return 0
        parts = (analysis.argument_size_in_bytes, analysis.output_size_in_bytes, analysis.temp_size_in_bytes)
        return int(sum(parts))


def recorded(name: str, dtype: Any) -> np.dtype:
    """The type in which an observable is kept: its own, or float32 for the short floats that NumPy does not have.

    Raises: ParameterError for what is not a number.
    """
    if jnp.issubdtype(dtype, jax.dtypes.prng_key) or jnp.issubdtype(dtype, jnp.complexfloating):
        raise ParameterError(f"observable {name!r} is of type {dtype}: a real number or a truth value is needed")
    dtype = np.dtype(dtype)
    return dtype if dtype.kind in "biuf" else np.dtype(np.float32)


def _same_shape(model: Model, before: Tree, after: Tree) -> None:
    name = model.registered_name
    one, other = (str(jax.tree.structure(tree)) for tree in (before, after))
    if one != other:
        raise ParameterError(f"{name}.step returned a state of another structure than init: {other}, needed {one}")
    named = jax.tree_util.tree_leaves_with_path(before)
    for (path, old), new in zip(named, jax.tree.leaves(after), strict=True):
        fits = old.dtype == new.dtype or (new.aval.weak_type and jnp.promote_types(old.dtype, new.dtype) == old.dtype)
        if old.shape != new.shape or not fits:
            at = jax.tree_util.keystr(path)
            raise ParameterError(
                f"{name}.step changed state{at} from {old.dtype}{list(old.shape)} to {new.dtype}{list(new.shape)}; "
                "init and step must return the same shape and type (0.0 is a float, 0 a whole number)"
            )


@jax.jit
def nonfinite(now: Tree, buffer: dict[str, Array], first: Array, last: Array) -> Array:
    """`[P]`: which populations of a tile have a number that is not finite.

    Args: `now`, arrays `[P, ...]`, read whole; `buffer`, arrays `[rows, P, ...]`, of which rows first..last-1 are read.
    """

    def bad_lanes(values: Array, axis: int) -> Array:
        return ~jnp.isfinite(values).all(axis=tuple(a for a in range(values.ndim) if a != axis))

    found = jnp.zeros(next(x.shape[0] for x in jax.tree.leaves(now)), bool)
    for values in jax.tree.leaves(now):
        if jnp.issubdtype(values.dtype, jnp.inexact):
            found |= bad_lanes(values, 0)
    for rows in buffer.values():
        if jnp.issubdtype(rows.dtype, jnp.inexact):
            number = jnp.arange(rows.shape[0]).reshape(-1, *[1] * (rows.ndim - 1))
            found |= bad_lanes(jnp.where((first <= number) & (number < last), rows, 0), 1)
    return found


def nonfinite_fields(tree: Tree, lane: int) -> list[str]:
    """Names of the arrays of a tile in which one population's numbers are not finite."""
    found = []
    for path, leaf in jax.tree_util.tree_leaves_with_path(tree):
        if jnp.issubdtype(leaf.dtype, jnp.inexact) and not np.isfinite(np.asarray(leaf[lane], float)).all():
            found.append("state" + jax.tree_util.keystr(path))
    return found
