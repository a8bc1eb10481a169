"""What the commands do, once everything that they need may be imported."""

from __future__ import annotations

import importlib
import inspect
import math
import re
import resource
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
from rich.console import Console
from rich.table import Table

from jaxcoord import config as configs
from jaxcoord import model as ground
from jaxcoord import registry
from jaxcoord.engine import dataset, processes
from jaxcoord.engine import run as engine
from jaxcoord.engine.arrays import metadata_files
from jaxcoord.engine.plan import Plan
from jaxcoord.engine.runner import BLOCKS_IN_FLIGHT
from jaxcoord.engine.store import path_of, resolve
from jaxcoord.errors import ParameterError, StoreError
from jaxcoord.model import Component, Model


def load_plugins(modules: Sequence[str]) -> None:
    """Import modules that define models, from the Python path or the present folder. Raises: ParameterError."""
    if modules and "" not in sys.path:
        sys.path.insert(0, "")
    for name in modules:
        try:
            importlib.import_module(name.removesuffix(".py").replace("/", "."))
        except Exception as error:  # whatever a person's module raises is one line
            raise ParameterError(f"--plugin {name}: {type(error).__name__}: {' '.join(str(error).split())}") from None


def summary(cls: type) -> str:
    """The first line of a docstring."""
    return (inspect.getdoc(cls) or "").partition("\n")[0]


def models(plugins: Sequence[str]) -> None:
    """Print the models and the parts."""
    load_plugins(plugins)
    console = Console()
    names = registry.names(Component)
    found = {name: registry.find(name, Component, "name") for name in names}
    groups: dict[str, list[str]] = {}
    for name, cls in found.items():
        groups.setdefault(group(cls), []).append(name)
    for title in sorted(groups, key=lambda title: (title != "models", title)):
        table = Table("name", "what it is", title=title, title_justify="left", box=None, pad_edge=False)
        for name in groups[title]:
            table.add_row(name, summary(found[name]))
        console.print(table)
        console.print()
    console.print("jaxcoord describe NAME shows parameters, ranges and observables.")


def group(cls: type) -> str:
    """What kind of part a class is, for a list: the name of its base class below `Component`."""
    at = cls.__mro__.index(Component) - 1
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", cls.__mro__[at].__name__).lower()
    return {"game": "games", "model": "models", "bimatrix game": "games of two roles", "dynamic": "dynamics"}.get(
        words, words if cls.__mro__[at] is not cls else "parts"
    )


def describe(name: str, plugins: Sequence[str]) -> None:
    """Print all that is known of a model or a part."""
    load_plugins(plugins)
    cls: Any = registry.find(name, Component, "name")
    console = Console()
    console.print(f"[bold]{name}[/bold]")
    for paragraph in inspect.cleandoc(cls.__doc__ or "").split("\n\n"):
        console.print(re.sub(r"\n(?! *Source:) *", " ", paragraph), "", sep="\n", markup=False, highlight=False)
    example = cls()
    table = Table("parameter", "default", "unit", "allowed", "what it is", title="\nparameters", title_justify="left",
                  box=None, pad_edge=False)  # fmt: skip
    for path, field in ground.parameters(example):
        kind = " (static)" if field.kind == "static" else ""
        allowed = field.allowed if not field.shape else f"array {list(field.shape)}"
        value = ground.describe_value(ground.get(example, path))
        if isinstance(value, bool) or value == "":
            allowed = "true or false" if isinstance(value, bool) else "text"
        table.add_row(path, str(value), field.unit, allowed + kind, field.doc)
    console.print(table)
    for part, field in cls.fields.items():
        if field.kind == "component":
            held = getattr(example, part).registered_name
            console.print(f"\n{part}: {field.doc}; here {held!r}, see `jaxcoord models` for others", highlight=False)
    if issubclass(cls, Model):
        table = Table("observable", "dims", "unit", "what it is", title="\nobservables", title_justify="left", box=None,
                      pad_edge=False)  # fmt: skip
        for key, seen in cls.observables.items():
            table.add_row(key, ", ".join(seen.dims) or "-", seen.unit, seen.doc)
        console.print(table)


def check(file: Path, changes: Sequence[str], plugins: Sequence[str]) -> None:
    """Check a config and say what it would run."""
    load_plugins(plugins)
    found = configs.read(file, changes)
    made = _plan(found, jax.devices()[0])
    print(f"{file}: valid; {made.design.points:,} points x {made.replicates:,} replicates, {made.steps:,} steps")


def _plan(found: configs.Config, device: jax.Device) -> Plan:
    run = found.run
    return engine.prepare(
        found.model, found.over, run.steps, run.replicates, run.seed, run.design, run.samples,
        found.record, run.tile or None, device,
    )  # fmt: skip


def run(
    file: Path, changes: Sequence[str], out: Path, name: str | None, seed: int | None, fresh: bool, resume: bool,
    dry: bool, figure: bool, device: str | None, log_json: bool, plugins: Sequence[str], joined: tuple,
) -> None:  # fmt: skip
    """Run a config."""
    load_plugins(plugins)
    if device is not None:
        jax.config.update("jax_platforms", {"gpu": "cuda,rocm"}.get(device, device))
    processes.start(joined[0], joined[1], joined[2])
    changes = list(changes) + ([f"run.seed={seed}"] if seed is not None else [])
    found = configs.read(file, changes)
    path = resolve(name or found.name, out)
    try:
        devices = jax.local_devices()
    except RuntimeError as error:
        raise ParameterError(f"--device {device}: {' '.join(str(error).split())[:160]}") from None
    made = _plan(found, devices[0])
    if dry:
        print_plan(made, path, devices[0], figure)
        return
    if not resume and not fresh and (path / "manifest.json").exists():
        raise StoreError(f"{path}: exists; leave out --no-resume to go on with it, or use --fresh to replace it")
    stop = threading.Event()
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stop.set())
    first = jax.process_index() == 0
    if first and not log_json:
        where = f"{len(devices)} {devices[0].device_kind} device{'s' if len(devices) > 1 else ''}"
        points = f"{made.design.points:,} points x {made.replicates:,} replicates"
        print(
            f"{path}: {made.populations:,} populations ({points}) x {made.steps:,} steps on {where}, tile {made.tile}"
        )
    begun = time.perf_counter()

    def note(line: str) -> None:
        print(f"jaxcoord: {line}", file=sys.stderr, flush=True)

    data = engine.sweep(**found.arguments(), store=path, fresh=fresh, log_json=log_json, stop=stop, note=note)
    if not first:
        return
    print(f"done in {time.perf_counter() - begun:.1f} s; data in {path / 'data.zarr'}")
    if figure:
        plot(path, None, next(iter(data.data_vars)))


def plot(store: Path, out: Path | None, variable: str | None) -> None:
    """Draw a store."""
    from jaxcoord import figures

    path = path_of(store)
    data = dataset.load(path)
    chosen = variable or str(next(iter(data.data_vars)))
    target = out or path / "figures" / f"{chosen}.png"
    figures.plot(data, target, variable=chosen)
    print(f"figure in {target}")


def print_plan(made: Plan, path: Path, device: jax.Device, figure: bool) -> None:
    """Print what a run would take, its program compiled to know."""
    begun = time.perf_counter()
    made.program(next(made.groups(0)).model).compiled(device)
    compiling = time.perf_counter() - begun
    blocks = made.boxes * made.segments
    described = metadata_files(made, {}, dataset.coordinates(made))
    shape = " x ".join(f"{name} {size}" for name, size in zip(made.design.dims, made.design.shape, strict=True))
    rows = {
        "points": f"{made.design.points:,}" + (f"  ({shape})" if shape else ""),
        "populations": f"{made.populations:,}  ({made.replicates:,} replicates at each point)",
        "steps": f"{made.steps:,}  ({made.records:,} records, every {made.every:,})",
        "tile": f"{made.tile:,} populations",
        "blocks": f"{blocks:,}  ({made.chunk_populations:,} populations x {made.segment:,} records each)",
        "memory": f"{human(memory(made, figure))} at most",
        "disk": f"{human(made.result_bytes)} before compression",
        "files": f"{blocks * len(made.variables) + len(described) + 4 + figure:,} in {path}",
        "compile": f"{compiling:.1f} s",
    }
    for key, value in rows.items():
        print(f"{key:>12}  {value}")


def memory(made: Plan, figure: bool) -> int:
    """Bytes that the process will hold at its peak: what it holds now, and the blocks in flight."""
    drawn = ("matplotlib.figure", "matplotlib.backends.backend_agg", "matplotlib.tri") if figure else ()
    for needed in ("xarray", "zarr", "tomli_w", "filelock", *drawn):  # a run loads them, and they count
        importlib.import_module(needed)
    now = held()
    records = made.chunk_populations * made.segment * made.row_bytes
    states = made.chunk_populations * made.bytes_per_population
    # The tiles' buffers, the gathered block, and what encoding or reducing it makes of it.
    copies = 8 if made.record.reduce else 4
    swept = sum(8 * len(column.values) for column in made.design.columns)
    return now + min(BLOCKS_IN_FLIGHT, made.boxes) * (copies * records + 2 * states) + 2 * swept


def held() -> int:
    """Bytes that this process has held at its peak so far."""
    try:
        # Not ru_maxrss where it can be helped: that starts from what the parent process held.
        status = Path("/proc/self/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024
    except (OSError, IndexError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def human(number: float) -> str:
    """A number of bytes with its unit."""
    power = min(4, int(math.log(max(number, 1), 1024)))
    return f"{number / 1024**power:.3g} {('B', 'KiB', 'MiB', 'GiB', 'TiB')[power]}"
