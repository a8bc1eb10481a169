"""Models and helpers of the endurance tests, and the jobs that they start as processes: `python workers.py JOB ...`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import jaxcoord as jc
from jaxcoord.engine import durable, plan, processes, runner
from jaxcoord.engine.program import Program

TILE = 8


class Walkers(jc.Model):
    """Walkers that are drawn to their mean: floats, whole numbers and truth values, with sums whose order matters."""

    rate: float = jc.param(0.1, doc="size of a step", low=0.0)
    pull: float = jc.param(0.05, doc="pull of the mean", low=0.0, high=1.0)
    number: int = jc.static(5, doc="walkers", low=1)
    place = jc.observable(dims=("walker",), unit="m", doc="where each walker is")
    spread = jc.observable(doc="standard deviation of the places")
    crossings = jc.observable(doc="sign changes so far")
    ahead = jc.observable(dims=("walker",), doc="whether a walker is ahead of the mean")

    def init(self, key):
        return {"place": jax.random.normal(key, (self.number,)), "crossings": jnp.int32(0)}

    def step(self, state, key):
        place, noise = state["place"], jax.random.normal(key, (self.number,))
        drawn = self.pull * (place.mean() - place) - 0.01 * jnp.tanh(place)
        after = 0.99 * place + drawn + self.rate * noise * jnp.exp(-0.1 * place.var())
        return {"place": after, "crossings": state["crossings"] + (after * place < 0).sum(dtype=jnp.int32)}

    def observe(self, state):
        place = state["place"]
        return {
            "place": place,
            "spread": place.std(),
            "crossings": state["crossings"],
            "ahead": place > place.mean(),
        }

    def coords(self):
        return {"walker": [f"w{i}" for i in range(self.number)]}


class Dice(jc.Model):
    """Whole numbers only, so that a plain loop gives the same values whatever the compiler does."""

    sides: int = jc.param(6, doc="sides of the die", low=1)
    total = jc.observable(doc="sum of the throws")

    def init(self, key):
        return jax.random.randint(key, (), 0, self.sides)

    def step(self, state, key):
        return state + jax.random.randint(key, (), 0, self.sides)

    def observe(self, state):
        return {"total": state}


class Sick(jc.Model):
    """A random walk that stops being finite at a chosen step: in its state, or in what is seen of it alone."""

    at: int = jc.param(-1, doc="step at which the level is lost; -1: never", unit="steps")
    seen_at: int = jc.param(-1, doc="step from which the level is seen as infinite; -1: never", unit="steps")
    level = jc.observable(doc="where the walk is")
    count = jc.observable(doc="steps made")

    def init(self, key):
        level = jnp.where(self.at == 0, jnp.nan, jax.random.normal(key))
        return {"count": jnp.int32(0), "body": {"level": level, "sound": jnp.float32(1)}}

    def step(self, state, key):
        count, body = state["count"] + 1, state["body"]
        level = jnp.where(count == self.at, jnp.nan, body["level"] + 0.1 * jax.random.normal(key))
        return {"count": count, "body": body | {"level": level}}

    def observe(self, state):
        hidden = (self.seen_at >= 0) & (state["count"] >= self.seen_at)
        return {"level": jnp.where(hidden, jnp.inf, state["body"]["level"]), "count": state["count"]}


def arrays(data: Any) -> dict[str, np.ndarray]:
    """Every variable and coordinate of a dataset, read."""
    return {str(name): np.asarray(data[name].values) for name in [*data.data_vars, *data.coords]}


def unequal(found: dict[str, np.ndarray], wanted: dict[str, np.ndarray]) -> list[str]:
    """Names of the arrays that differ in type, shape or a single bit."""
    if found.keys() != wanted.keys():
        return sorted(found.keys() ^ wanted.keys())
    return [
        name
        for name, b in wanted.items()
        if (a := found[name]).dtype != b.dtype or a.shape != b.shape or not same_bits(a, b)
    ]


def same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two arrays hold the same bytes; texts are compared as texts."""
    return bool((a == b).all()) if a.dtype.kind in "OUT" else a.tobytes() == b.tobytes()


def files(store: Path, pattern: str = "**/*") -> dict[str, tuple[int, bytes]]:
    """Time of the last change and content of every file of a store."""
    found = {}
    for path in sorted(store.glob(pattern)):
        if path.is_file():
            found[str(path.relative_to(store))] = (path.stat().st_mtime_ns, path.read_bytes())
    return found


def share_programs(monkeypatch: Any) -> None:
    """Compile each program once for all runs of the test process: what is tested does not lie in the compiler."""
    original, text = plan.Plan.program, Program.text

    def program(self: plan.Plan, model: jc.Model) -> Program:
        shapes = tuple(np.shape(leaf) for leaf in jax.tree.leaves(model))
        alone = self.populations <= self.tile
        key = (jax.tree.structure(model), shapes, self.tile, self.every, self.segment, self.record.only, alone)
        key += (self.record.kind,)
        if key not in _programs:
            _programs[key] = original(self, model)
        return _programs[key]

    def kept_text(self: Program) -> str:
        if self not in _texts:
            _texts[self] = text(self)
        return _texts[self]

    monkeypatch.setattr(plan.Plan, "program", program)
    monkeypatch.setattr(Program, "text", kept_text)


_programs: dict[Any, Program] = {}
_texts: dict[Program, str] = {}


class Faulty:
    """The module `os` as `jaxcoord.engine.durable` sees it: counts its calls and does something else at one of them."""

    COUNTED = ("open", "write", "fsync", "close", "replace")

    def __init__(self, at: int = 0, instead: Callable[[Callable, tuple], Any] | None = None):
        self.at, self.instead = at, instead
        self.calls = 0
        self._mutex = threading.Lock()

    def __getattr__(self, name: str) -> Any:
        real = getattr(os, name)
        if name not in self.COUNTED:
            return real

        def call(*arguments: Any) -> Any:
            with self._mutex:
                self.calls += 1
                hit = self.calls == self.at
            if hit and self.instead is not None:
                return self.instead(real, arguments)
            return real(*arguments)

        return call


def failing(error: int) -> Callable[[Callable, tuple], Any]:
    """What a system call does that fails: nothing, but a descriptor is closed all the same."""

    def instead(real: Callable, arguments: tuple) -> Any:
        if real is os.close:
            real(*arguments)
        raise OSError(error, os.strerror(error))

    return instead


def many_blocks(store: Any, **options: Any) -> Any:
    """Eight points of eight replicates: eight boxes of three segments."""
    return jc.sweep(
        Walkers(),
        {"rate": [0.1, 0.2, 0.3, 0.4], "pull": [0.0, 0.1]},
        steps=600,
        replicates=8,
        seed=3,
        record=jc.Record(every=20),
        tile=TILE,
        store=store,
        **options,
    )


def long_run(store: Any, **options: Any) -> Any:
    """One population for many steps in several segments, with checkpoints inside them."""
    return jc.simulate(
        Walkers(),
        steps=600_000,
        seed=5,
        record=jc.Record(every=2500),
        tile=1,
        store=store,
        checkpoint_seconds=0.01,
        **options,
    )


def few_blocks(store: Any, **options: Any) -> Any:
    """Two boxes of two segments, small enough to fail at each of its system calls in turn."""
    return jc.sweep(
        Dice(), {"sides": [4, 6]}, steps=40, replicates=TILE, seed=1, record=jc.Record(every=2), tile=TILE, store=store,
        **options,
    )  # fmt: skip


RUNS = {"many_blocks": many_blocks, "long_run": long_run}


def cut_small(block_bytes: int = 2700, call_seconds: float = 0.004) -> None:
    """Make small blocks and short calls, for this process."""
    plan.BLOCK_BYTES, runner.CALL_SECONDS = block_bytes, call_seconds


def start(*arguments: Any, devices: int = 1, cache: Path | None = None) -> subprocess.Popen:
    """Start a job of this file as a process; its standard output and error are pipes."""
    flags = f"--xla_force_host_platform_device_count={devices}" if devices > 1 else ""
    environment = os.environ | {"XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
    if cache is not None:
        environment |= {
            "JAX_COMPILATION_CACHE_DIR": str(cache),
            "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
            "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
        }
    command = [sys.executable, __file__, *map(str, arguments)]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen, seconds: float = 120) -> str:
    """Wait for a job and give its output; an AssertionError shows what it wrote where it failed."""
    out, err = process.communicate(timeout=seconds)
    assert process.returncode == 0, err[-3000:]
    return out


def job_run(name: str, store: str, die_at: str = "0") -> None:
    """Run one of RUNS; kill this process at its n-th system call where that is asked for."""
    cut_small()
    durable.os = Faulty(int(die_at), lambda *_: os.kill(os.getpid(), signal.SIGKILL))  # type: ignore[assignment]
    print("ready", flush=True)
    RUNS[name](store)


def job_devices(store: str, count: str) -> None:
    """Run `many_blocks` on several devices of this process."""
    cut_small()
    assert len(jax.local_devices()) == int(count)
    many_blocks(store)


def job_process(store: str, port: str, number: str, die_at: str = "0") -> None:
    """Run `many_blocks` as one of two processes; kill this one at its n-th system call where that is asked for."""
    processes.start(f"localhost:{port}", 2, int(number))
    cut_small()
    durable.os = Faulty(int(die_at), lambda *_: os.kill(os.getpid(), signal.SIGKILL))  # type: ignore[assignment]
    assert jax.process_count() == 2
    many_blocks(store)


def job_hold(store: str) -> None:
    """Hold a store's lock until this process is killed."""
    from jaxcoord.engine.store import Store

    held = Store(Path(store))
    held.lock()
    print("held", flush=True)
    signal.pause()


def main(arguments: Sequence[str]) -> None:
    """Run the job that the first argument names."""
    jobs = {"run": job_run, "devices": job_devices, "process": job_process, "hold": job_hold}
    jobs[arguments[0]](*arguments[1:])


if __name__ == "__main__":
    main(sys.argv[1:])
