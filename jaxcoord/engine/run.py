"""`simulate` and `sweep`: a model, what to vary and what to record, to a dataset in memory or a store on disk."""

from __future__ import annotations

import hashlib
import json
import operator
import os
import platform
import threading
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax

from jaxcoord import model as ground
from jaxcoord.engine import dataset, design, durable, plan, processes
from jaxcoord.engine.plan import Plan
from jaxcoord.engine.program import vector_width
from jaxcoord.engine.record import Record
from jaxcoord.engine.runner import Runner
from jaxcoord.engine.store import Store, path_of
from jaxcoord.errors import ParameterError, StoreError
from jaxcoord.model import Model
from jaxcoord.progress import Progress


def simulate(
    model: Model,
    steps: int,
    populations: int = 1,
    seed: int = 0,
    record: Record | None = None,
    store: str | os.PathLike | None = None,
    **options: Any,
) -> Any:
    """Run a number of populations of one model.

    Args:
      model: the model, its parameters set.
      steps: steps that each population makes.
      populations: independent populations, the dimension `replicate` of the result.
      seed: of all random numbers, 0 to 2**32 - 1.
      record: what to keep; by default a hundred snapshots of every observable.
      store: path of a run on disk, such as "results/mine"; it goes on from there when interrupted.
      options: as in `sweep`.
    Returns: `xarray.Dataset` with dims `replicate`, `step` and the observables' own.
    Raises: ParameterError, StoreError, Interrupted: one line each, saying what to change.

    Example:
      >>> import jaxcoord as jc
      >>> runs = jc.simulate(jc.evolution.PairwiseComparison(size=50), steps=200, populations=8)
      >>> runs.frequency.dims
      ('replicate', 'step', 'strategy')
    """
    return sweep(model, {}, steps, populations, seed, record=record, store=store, **options)


def sweep(
    model: Model,
    over: Mapping[str, Any] | Sequence[Mapping[str, Any]],
    steps: int,
    replicates: int = 1,
    seed: int = 0,
    *,
    design: str = "grid",
    samples: int | None = None,
    record: Record | None = None,
    store: str | os.PathLike | None = None,
    fresh: bool = False,
    tile: int | None = None,
    devices: Sequence[jax.Device] | None = None,
    progress: bool | None = None,
    log_json: bool = False,
    stop: threading.Event | None = None,
    checkpoint_seconds: float = 30.0,
    note: Callable[[str], None] | None = None,
) -> Any:
    """Run replicates of a model at every point of a design.

    Args:
      model: the model; its parameters hold wherever they are not swept.
      over: parameter names and their values: lists, arrays, `jc.linspace(...)`, texts such as "linspace(0, 1, 33)";
        intervals such as `jc.uniform(0, 1)` for a sampled design; or a list of points. A name is a path such as
        "game.speed" or its last part. A static field is swept too, each value compiled on its own.
      steps: steps that each population makes.
      replicates: populations at each point.
      seed: of all random numbers, 0 to 2**32 - 1.
      design: "grid", "zip", "list", "random", "latin" or "sobol".
      samples: points of a sampled design.
      record: what to keep; by default a hundred snapshots of every observable.
      store: path of a run on disk, such as "results/beta". A run that exists there is continued, or refused with the
        differences listed if it is another one.
      fresh: replace what the store holds.
      tile: populations that one program advances together; by default from the model's size and the device. Part of
        the run: results are equal to the last bit at one tile, and equal in distribution at another.
      devices: local devices; all by default.
      progress: whether to draw a progress bar; by default on a terminal.
      log_json: print progress as lines of JSON on standard error.
      stop: an event that ends the run at the next call boundary with what is done kept.
      checkpoint_seconds: time between checkpoints inside a block.
      note: called with each line that a person should read, such as a damaged block; by default `warnings.warn`.
    Returns: `xarray.Dataset` with the swept parameters (or `point`), `replicate` (or `statistic`), `step`, and the
      observables' own dims; lazily read where it is on disk.
    Raises: ParameterError, StoreError, Interrupted: one line each, saying what to change.
    """
    note = note or (lambda line: warnings.warn(line, stacklevel=2))
    devices = list(devices or jax.local_devices())
    if not isinstance(model, Model):
        raise ParameterError(f"model = {model!r}: an instance of a jaxcoord Model is needed")
    steps, replicates, seed = (_whole(n, v) for n, v in (("steps", steps), ("replicates", replicates), ("seed", seed)))
    samples = None if samples is None else _whole("samples", samples)
    if record is not None and not isinstance(record, Record):
        raise ParameterError(f"record = {record!r}: a Record is needed, such as jc.Record(every=100)")
    if isinstance(over, Mapping):
        over = {
            n: v if isinstance(v, str | tuple | list) or hasattr(v, "shape") else _listed(v) for n, v in over.items()
        }
    asked = describe(model, over, steps, replicates, seed, design, samples, record)
    made = prepare(model, over, steps, replicates, seed, design, samples, record, tile, devices[0])
    runner_of = _runner_factory(devices, progress, log_json, stop, checkpoint_seconds)
    if store is None:
        if jax.process_count() > 1:
            raise ParameterError("several processes need a store on disk that they share: give store=...")
        fits_in_memory(made)
        identity = {"config": asked, "versions": versions(), "layout": made.layout()}
        memory = dataset.Memory(made)
        runner = runner_of(made, memory.commit, None, lambda box: None)
        runner.run(range(made.boxes), set())
        _tell(runner.reports, note)
        return memory.dataset(identity, runner.reports).assign_attrs(runner.progress.times)
    return _on_disk(path_of(store), asked, made, tile, fresh, devices, runner_of, note)


def _whole(name: str, value: Any) -> int:
    try:
        return operator.index(value)
    except TypeError:
        raise ParameterError(f"run.{name} = {value!r}: a whole number is needed") from None


def _listed(values: Any) -> Any:
    return list(values) if isinstance(values, Iterable) else [values]


def prepare(
    model: Model, over: Any, steps: int, replicates: int, seed: int, kind: str, samples: int | None,
    record: Record | None, tile: int | None, device: jax.Device,
) -> Plan:  # fmt: skip
    """The plan that `sweep` runs on a kind of device."""
    points = design.make(model, over, kind, samples, seed if isinstance(seed, int) else 0)
    # The compiled shape is that of the swept arrays, not of the model's own.
    model = ground.replace(model, {c.path: c.values[0] for c in points.columns if c.field.shape})
    return plan.make(model, points, record or Record(), steps, replicates, seed, plan.free_memory(device), tile)


def _runner_factory(devices, progress, log_json, stop, checkpoint_seconds) -> Callable[..., Runner]:
    def build(made: Plan, commit, save, resume) -> Runner:
        shown = Progress(made.populations, made.steps, max(1, int(made.model.agents)), progress, log_json)
        return Runner(made, devices, shown, commit, save, resume, stop, checkpoint_seconds)

    return build


def _on_disk(path, asked, made, tile, fresh, devices, runner_of, note) -> Any:
    process, count = jax.process_index(), jax.process_count()
    held = Store(path, process)
    try:
        if process == 0:
            with processes.agreed():
                durable.make_folder(path)
                held.lock()
                made, programs = _open(held, asked, made, tile, fresh, devices[0], note)
        else:
            processes.agree()
            held.load()
            made, programs = made.with_layout(held.others[0].content["identity"]["layout"]), {}
            held.manifest.save()

        committed = held.committed

        def commit(block, arrays, kept, reports):
            held.commit(made, block, arrays, kept, reports)

        runner = runner_of(made, commit, held.save_checkpoint, held.checkpoint)
        runner.programs.update(programs)
        runner.know(held.reports)
        for index in committed:
            block = made.block(index // made.segments, index % made.segments)
            runner.progress.skip(block.populations * (block.records.stop - block.records.start) * made.every)
        runner.run(range(process, made.boxes, count), committed)
        _tell(runner.reports, note)
        processes.barrier("blocks written")
        if process == 0:
            held.merge()
            held.sweep_out()
        processes.barrier("manifests joined")
    finally:
        if process == 0:
            held.unlock()
    return dataset.load(path).assign_attrs(runner.progress.times)


def _open(held: Store, asked, made: Plan, tile, fresh, device, note) -> tuple[Plan, dict]:
    """Begin, continue or refuse the run that a store holds: its plan, and the programs by which it was checked."""
    programs: dict[Any, Any] = {}
    if fresh:
        program_digest(made, device, programs)  # a model that cannot start must not cost the old run
        held.clear()
    exists = held.load()
    old = held.manifest.content["identity"] if exists else {}
    if exists:
        if tile is not None and tile != old["layout"]["tile"]:
            was = old["layout"]["tile"]
            raise StoreError(f"{held.path}: was run with tile {was}, not {tile}; leave it out or use --fresh")
        wrong = differences(old["config"], asked, "config.")
        if not wrong:
            made = made.with_layout(old["layout"])
    else:
        wrong = []
    here = {"device": device.device_kind, "program": "" if wrong else program_digest(made, device, programs)}
    identity = {"config": asked, "versions": versions() | here, "layout": made.layout()}
    if wrong:
        here["program"] = old["versions"]["program"]
        wrong += differences(old["versions"], versions() | here, "versions.")
    elif exists:
        wrong = differences(old, identity)
    if wrong:
        raise StoreError(f"{held.path}: holds another run ({'; '.join(wrong)}); choose another name or use --fresh")
    if exists:
        for line in held.verify():
            note(f"{held.path}: {line}; it will be computed again")
        held.write_metadata(made, identity, dataset.coordinates(made))
    else:
        held.create(made, identity, dataset.coordinates(made))
    _write_config(held.path, asked, made)
    return made, programs


def _write_config(path: Path, asked: Mapping[str, Any], made: Plan) -> None:
    import tomli_w

    whole = {"name": path.name} | _without_none(asked)
    whole["run"]["tile"] = made.tile
    target, data = path / "config.toml", tomli_w.dumps(whole).encode()
    if not target.is_file() or target.read_bytes() != data:
        durable.write(target, data)


def _without_none(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {k: _without_none(v) for k, v in value.items() if v is not None}
    return value


def describe(
    model: Model, over: Any, steps: int, replicates: int, seed: int, kind: str, samples: int | None,
    record: Record | None,
) -> dict[str, Any]:  # fmt: skip
    """What was asked, as plain data with every default written out: the content of `config.toml`."""
    record = record or Record()
    if isinstance(over, Mapping):
        swept: dict[str, Any] = {name: plain_range(spec) for name, spec in over.items()}
    elif isinstance(over, Sequence) and not isinstance(over, str | bytes):
        kind = "list"
        swept = {"points": [{n: ground.describe_value(v) for n, v in dict(point).items()} for point in over]}
    else:
        raise ParameterError(f"sweep = {over!r}: a table of parameter names and values is needed")
    asked = {
        "model": ground.to_plain(model),
        "sweep": swept,
        "run": {
            "steps": steps, "replicates": replicates, "seed": seed, "design": kind,
            "samples": samples if kind in design.SAMPLED else None,
        },
        "record": {name: getattr(record, name) for name in record.fields},
    }  # fmt: skip
    return json.loads(json.dumps(asked))  # as a manifest gives it back: lists for tuples


def plain_range(spec: Any) -> Any:
    """Swept values as plain data: a text range stays as it is written."""
    if isinstance(spec, design.ranges.Interval):
        return f"{'loguniform' if spec.log else 'uniform'}({spec.low!r}, {spec.high!r})"
    if isinstance(spec, str):
        return spec
    value = ground.describe_value(spec)
    if isinstance(value, list | tuple):
        return [ground.describe_value(v) for v in value]
    return [value]


def versions() -> dict[str, Any]:
    """Versions and switches that decide a run's last bits."""
    from importlib.metadata import version

    flags: Any = jax.config
    return {
        "jaxcoord": version("jaxcoord"),
        "jax": jax.__version__,
        "x64": bool(flags.jax_enable_x64),
        "partitionable": bool(flags.jax_threefry_partitionable),
        "matmul": str(flags.jax_default_matmul_precision),
        "machine": platform.machine(),
        "vectors": vector_width(),
    }


def program_digest(made: Plan, device: jax.Device, programs: dict[Any, Any]) -> str:
    """A digest of the programs' text, one for each compiled shape: it changes when the model's code does.

    The programs are entered in `programs` by their structure, for the run to use.
    """
    digest = hashlib.sha256()
    with jax.default_device(device):
        for model in made.models():
            program = programs.setdefault(jax.tree.structure(model), made.program(model))
            digest.update(program.text().encode())
    return digest.hexdigest()[:16]


def differences(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> list[str]:
    """What differs between two nested tables, as `path: there ..., here ...`."""
    found = []
    for key in dict.fromkeys([*old, *new]):
        path = f"{prefix}{key}"
        a, b = old.get(key), new.get(key)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            found += differences(a, b, f"{path}.")
        elif a != b:
            found.append(f"{path}: there {_short(a)}, here {_short(b)}")
    return found


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def fits_in_memory(made: Plan) -> None:
    """Raises: ParameterError where the result would not fit in the memory that is free."""
    free = free_memory()
    if made.result_bytes > 0.8 * free:
        raise ParameterError(
            f"the result takes {made.result_bytes / 2**30:.3g} GiB and {free / 2**30:.3g} GiB are free: give a store, "
            "record fewer observables or less often, or reduce over replicates"
        )


def free_memory() -> int:
    """Bytes of memory that a new process could have."""
    import psutil

    return int(psutil.virtual_memory().available)


def _tell(reports: Sequence[Mapping[str, Any]], note: Callable[[str], None]) -> None:
    for report in reports[:10]:
        setting = ", ".join(
            f"{k}={v:.6g}" if isinstance(v, float) else f"{k}={v}" for k, v in report["parameters"].items()
        )
        note(
            f"population {report['population']} (point {report['point']}{': ' + setting if setting else ''}, replicate "
            f"{report['replicate']}) is not finite from step {report['step']} on: {', '.join(report['fields'])}"
        )
    if len(reports) > 10:
        note(f"{len(reports) - 10} more populations are not finite: see the attribute 'nonfinite' of the result")
