"""Speed of mutual redefinition: pair updates per second against memory bandwidth, NumPy, and a million agents.

python scripts/bench_identity.py        # prints the table
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import jax
import numpy as np

import jaxcoord as jc
from jaxcoord.identity.redefinition import MutualRedefinition

REPEATS = 5
POPULATIONS, SIZE, DIMENSIONS = 4096, 64, 8
Row = dict[str, Any]


def numpy_step(perspectives: Any, identity: Any, core: Any, theta: Any, beta: Any, eta: Any, weights: Any) -> tuple:
    """The mirror as one would write it in NumPy, batched over populations.

    Args: `perspectives [P, N, N, D]`, `identity`, `core`: `[P, N, D]`, `weights [P, N, N]`; the others numbers.
    """
    seen = (1 - beta) * identity[:, None, :, :] + beta * identity[:, :, None, :]
    perspectives = (1 - eta) * perspectives + eta * seen
    every = np.arange(identity.shape[1])
    perspectives[:, every, every] = identity
    mirrored = np.einsum("pij,pjid->pid", weights, perspectives, optimize=True)
    return perspectives, theta * core + (1 - theta) * mirrored


def numpy_seconds(dtype: Any, populations: int, steps: int = 2) -> float:
    """Seconds for a step of all populations, of which so many are held at a time."""
    random = np.random.default_rng(0)
    core = random.normal(size=(populations, SIZE, DIMENSIONS)).astype(dtype)
    perspectives = np.repeat(core[:, None], SIZE, axis=1)
    weights = np.full((populations, SIZE, SIZE), 1 / SIZE, dtype)
    theta, beta, eta, identity = (dtype(0.3), dtype(0.6), dtype(0.5), core.copy())
    times = []
    for _ in range(steps + 1):
        begun = time.perf_counter()
        perspectives, identity = numpy_step(perspectives, identity, core, theta, beta, eta, weights)
        times.append(time.perf_counter() - begun)
    return min(times[1:]) * POPULATIONS / populations


def copy_seconds(threads: int) -> float:
    """Seconds to read and write once the bytes of all perspectives in float32: what a step moves, at the least."""
    parts = [np.ones((POPULATIONS // threads, SIZE, SIZE, DIMENSIONS), np.float32) for _ in range(threads)]
    targets = [np.zeros_like(part) for part in parts]
    times = []
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(REPEATS):
            begun = time.perf_counter()
            list(pool.map(np.copyto, targets, parts))
            times.append(time.perf_counter() - begun)
    return min(times)


def engine_seconds(steps: int, populations: int) -> tuple[float, int]:
    """Seconds of a run of the model with all perspectives, without compiling, and its tile."""
    model = MutualRedefinition(speed=0.5, size=SIZE, dimensions=DIMENSIONS)
    data = jc.simulate(model, steps, populations, record=jc.Record(every=steps, only="diversity"), progress=False)
    return data.seconds, data.attrs["tile"]


def mirror() -> list[Row]:
    """4,096 populations of 64 agents in 8 dimensions with every perspective: against bandwidth and NumPy."""
    threads, steps = len(jax.devices()) if jax.devices()[0].platform != "cpu" else 2, 200
    times, tile = zip(*(engine_seconds(steps, POPULATIONS) for _ in range(REPEATS)), strict=True)
    # The least of each, as of NumPy and of copying: what else the machine does only ever adds.
    spent, pairs = min(times) / steps, POPULATIONS * SIZE**2
    floor = copy_seconds(threads)
    wide, narrow = (numpy_seconds(dtype, POPULATIONS // 4) for dtype in (np.float64, np.float32))
    what = "4,096 x 64 agents x 8 dimensions"
    return [
        row(f"mirror, {what}", pairs / spent / 1e6, "M pairs / s", tile=tile[0]),
        row("... seconds a step", spent, "s"),
        row("... copying the perspectives once", floor, "s"),
        row("... bandwidth floor / time", floor / spent, "ratio"),
        row("... NumPy float64 / time", wide / spent, "ratio", ">= 30", seconds=wide),
        row("... NumPy float32 / time", narrow / spent, "ratio", seconds=narrow),
    ]


MILLION = """
import resource, time
import jaxcoord as jc
from jaxcoord.identity.redefinition import NetworkRedefinition
model = NetworkRedefinition(size=10**6, dimensions=8, captors=1000)
data = jc.simulate(model, 20, record=jc.Record(every=20), progress=False)
print(data.seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
"""


def million() -> list[Row]:
    """One population of a million agents with ten neighbours: time of a step, and the peak of memory."""
    done = subprocess.run([sys.executable, "-c", MILLION], check=True, capture_output=True, text=True).stdout.split()
    return [
        row("mirror on a network, 10^6 agents x 10 neighbours x 8", 20e6 / float(done[0]) / 1e6, "M agents / s"),
        row("... peak memory", float(done[1]), "GiB", "<= 4"),
    ]


def row(what: str, value: float, unit: str, target: str = "", **more: Any) -> Row:
    """One measured number."""
    return {"what": what, "value": value, "unit": unit, "target": target} | more


SUITES: dict[str, Callable[[], list[Row]]] = {"mirror": mirror, "million": million}


def main() -> None:
    """Print the table."""
    for name, suite in SUITES.items():
        for r in suite():
            print(f"{name:12} {r['what']:58} {r['value']:>10.4g} {r['unit']:18} {r['target']}", flush=True)
    print(f"peak memory of this process {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.1f} GiB")


if __name__ == "__main__":
    main()
