"""Properties that every model has to have, ours or a user's: list the model, and each is checked.

    from jaxcoord.engine import conformance
    conformance.check(MyModel())                 # raises, naming each property that fails

Under pytest, parametrise over `conformance.PROPERTIES`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxcoord import random
from jaxcoord.engine import design, plan
from jaxcoord.engine.dataset import Memory
from jaxcoord.engine.plan import Block
from jaxcoord.engine.program import Span
from jaxcoord.engine.record import Record
from jaxcoord.engine.run import sweep
from jaxcoord.engine.runner import Runner
from jaxcoord.errors import Interrupted, JaxcoordError
from jaxcoord.model import Model
from jaxcoord.progress import Progress

STEPS, POPULATIONS, TILE = 6, 5, 4
RELATIVE, ABSOLUTE = 1e-4, 1e-5


class ConformanceError(JaxcoordError, AssertionError):
    """A model that lacks a property."""


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ConformanceError(message)


def _keys() -> jax.Array:
    return jax.vmap(random.population_key, (None, 0, 0))(0, jnp.zeros(POPULATIONS, int), jnp.arange(POPULATIONS))


def _trajectory(model: Model, key: jax.Array) -> dict[str, jax.Array]:
    state = model.init(random.step_key(key, 0))
    for step in range(1, STEPS + 1):
        state = model.step(state, random.step_key(key, step))
    return {name: jnp.asarray(value) for name, value in model.observe(state).items()}


def _same(a: Any, b: Any, message: str) -> None:
    for name in a:
        # NaN is equal to NaN here: where it is a fault, `finite` says so.
        one, other = (np.asarray(x[name], float) for x in (a, b))
        close = np.allclose(one, other, RELATIVE, ABSOLUTE, equal_nan=True)
        _require(close, f"{name}: {message}")


def shapes(model: Model) -> None:
    """`step` keeps the state's structure, shapes and types; observables have the declared dims and labels."""
    state = jax.eval_shape(lambda k: model.init(k), jax.random.key(0))
    after = jax.eval_shape(lambda s, k: model.step(s, k), state, jax.random.key(0))
    _require(
        str(jax.tree.structure(state)) == str(jax.tree.structure(after)), "step changes the structure of the state"
    )
    for old, new in zip(jax.tree.leaves(state), jax.tree.leaves(after), strict=True):
        weak = getattr(new, "weak_type", False) and jnp.promote_types(old.dtype, new.dtype) == old.dtype
        same = old.shape == new.shape and (old.dtype == new.dtype or weak)
        _require(same, f"step changes a state array from {old.dtype}{old.shape} to {new.dtype}{new.shape}")
    seen = jax.eval_shape(lambda s: model.observe(s), state)
    _require(isinstance(seen, dict), f"observe returns {type(seen).__name__}, not a dict of arrays")
    _require(set(seen) == set(model.observables), f"observe returns {sorted(seen)}, not {sorted(model.observables)}")
    labels = model.coords()
    for name, value in seen.items():
        dims = model.observables[name].dims
        _require(len(value.shape) == len(dims), f"{name} has shape {value.shape} and dims {dims}")
        for dim, size in zip(dims, value.shape, strict=True):
            _require(len(labels.get(dim, range(size))) == size, f"coords()[{dim!r}] does not have {size} labels")


def one_trace(model: Model) -> None:
    """The whole of a run traces `step` once."""
    made = plan.make(model, design.make(model, {}), Record(every=2), STEPS, POPULATIONS, 0, tile=TILE)
    runner = Runner(made, jax.local_devices(), Progress(1, 1, 1, show=False), Memory(made).commit)
    runner.run(range(made.boxes), set())
    traces = [program.traces for program in runner.programs.values()]
    _require(traces == [1], f"step was traced {traces} times in one run")


def finite(model: Model) -> None:
    """No population of a short run has a number that is not finite."""
    data = sweep(model, {}, STEPS, POPULATIONS, tile=TILE, progress=False, note=lambda line: None)
    _require(data.attrs["nonfinite"] == "[]", f"not finite: {data.attrs['nonfinite']}")


def jit_is_no_jit(model: Model) -> None:
    """Compiled and interpreted trajectories agree."""
    key = _keys()[0]
    with jax.disable_jit():
        plain = _trajectory(model, key)
    _same(plain, jax.jit(_trajectory)(model, key), "differs under jit")


def vmap_is_loop(model: Model) -> None:
    """A batch of populations agrees with each of them alone."""
    keys = _keys()
    batch = jax.jit(jax.vmap(_trajectory, (None, 0)))(model, keys)
    alone = jax.jit(_trajectory)
    for i in range(POPULATIONS):
        one = alone(model, keys[i])
        _same({n: v[i] for n, v in batch.items()}, one, f"population {i} differs under vmap")


def layouts(model: Model) -> None:
    """Another number of replicates and another order of blocks give the same bits at one tile size."""
    few = sweep(model, {}, STEPS, POPULATIONS, tile=TILE, progress=False, note=lambda line: None)
    more = sweep(model, {}, STEPS, 3 * POPULATIONS, tile=TILE, progress=False, note=lambda line: None)
    _require(few.equals(more.isel(replicate=slice(POPULATIONS))), "results depend on how many populations there are")


class _Stopping(Runner):
    """Makes single steps, and stops after so many of them."""

    left = STEPS + 1

    def span(self, step: int, budget: int, block: Block) -> tuple[Span, int]:
        return super().span(step, 1, block)

    def _call(self, *arguments: Any) -> None:
        super()._call(*arguments)
        self.left -= 1
        if self.left == 0:
            self.stop.set()


def resume(model: Model) -> None:
    """A run that is stopped in the midst and continued from its checkpoints gives the bits of one that is not."""
    record = Record(every=STEPS // 2, kind="both")
    whole = sweep(model, {}, STEPS, POPULATIONS, record=record, tile=TILE, progress=False, note=lambda line: None)
    made = plan.make(model, design.make(model, {}), record, STEPS, POPULATIONS, 0, tile=TILE)
    kept: dict[int, tuple[int, bytes]] = {}
    memory, done = Memory(made), set()

    def commit(block: Block, arrays: Any, data: bytes | None, reports: Any) -> None:
        memory.commit(block, arrays)
        done.add(block.index)

    def save(box: int, data: bytes, block: int) -> None:
        kept[box] = (block, data)

    devices = jax.local_devices()[:1]
    arguments = (made, devices, Progress(1, 1, 1, show=False), commit, save, kept.get)
    with contextlib.suppress(Interrupted):
        _Stopping(*arguments).run(range(made.boxes), set())
    _require(bool(kept), "the run could not be stopped in the midst")
    Runner(*arguments).run(range(made.boxes), set(done))
    for name, values in memory.arrays.items():
        _require(
            np.array_equal(values, whole[name].values, equal_nan=values.dtype.kind == "f"),
            f"{name}: a resumed run differs from one in a piece",
        )


PROPERTIES: dict[str, Callable[[Model], None]] = {
    "shapes": shapes,
    "one_trace": one_trace,
    "finite": finite,
    "jit_is_no_jit": jit_is_no_jit,
    "vmap_is_loop": vmap_is_loop,
    "layouts": layouts,
    "resume": resume,
}


def gradient(model: Model, path: str, observable: str, step: float = 1e-3) -> None:
    """The derivative of an observable's sum by a parameter agrees with a central difference (where one is claimed).

    Args: `path` of a numeric parameter; `observable` whose sum over a trajectory's last step is differentiated.
    Raises: ConformanceError where they differ by more than 1 percent and 1e-3.
    """
    from jaxcoord import model as ground

    key = _keys()[0]

    def total(value: Any) -> jax.Array:
        return jnp.sum(_trajectory(ground.replace(model, {path: value}), key)[observable])

    at = jnp.asarray(ground.get(model, path), float)
    slope, numeric = jax.grad(total)(at), (total(at + step) - total(at - step)) / (2 * step)
    close = np.allclose(slope, numeric, rtol=1e-2, atol=1e-3)
    _require(bool(np.isfinite(slope)) and close, f"d {observable} / d {path}: {slope}, by difference {numeric}")


def check(model: Model) -> None:
    """Check every property. Raises: ConformanceError naming each one that fails."""
    failed = []
    for name, prove in PROPERTIES.items():
        try:
            prove(model)
        except Exception as error:
            failed.append(f"{name}: {' '.join(str(error).split())[:200]}")
    _require(not failed, f"{model.registered_name}: " + "; ".join(failed))
