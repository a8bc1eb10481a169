"""Speed, measured: suites of ratios against a hand-written floor, with the device's name and compile time apart.

python scripts/bench.py                 # every suite, a table, and scripts/results/bench-DEVICE.json
python scripts/bench.py count-chain     # one suite
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import bench_identity
import bench_language
import bench_market
import jax
import jax.numpy as jnp

import jaxcoord as jc
from jaxcoord import random

REPEATS = 5
Row = dict[str, Any]
SUITES: dict[str, Callable[[], list[Row]]] = bench_identity.SUITES | bench_language.SUITES | bench_market.SUITES


def suite(name: str) -> Callable:
    """Enter a function that returns rows of measurements."""

    def enter(function: Callable[[], list[Row]]) -> Callable[[], list[Row]]:
        SUITES[name] = function
        return function

    return enter


def row(what: str, value: float, unit: str, target: str = "", **more: Any) -> Row:
    """One measured number."""
    return {"what": what, "value": value, "unit": unit, "target": target} | more


def device_name() -> str:
    """The first device's kind, with the processor's name for a CPU."""
    device = jax.devices()[0]
    if device.platform != "cpu":
        return device.device_kind
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or "cpu"


def count_model(size: int = 100, events: int = 1000) -> jc.Model:
    """The Fermi count chain of hawk-dove with v=2, c=3."""
    return jc.evolution.PairwiseComparison(jc.games.hawk_dove(2.0, 3.0), beta=1.0, mu=0.01, size=size, events=events)


@suite("count-chain")
def count_chain() -> list[Row]:
    """Events per core-second of the Fermi count chain, 65,536 populations, k = 2."""
    model, populations, steps = count_model(), 65536, 10
    rates, compiling = [], 0.0
    for _ in range(REPEATS):
        cpu = time.process_time()
        data = jc.simulate(model, steps, populations, record=jc.Record(every=steps), progress=False)
        compiling = data.compile_seconds
        rates.append(populations * steps * model.agents / (time.process_time() - cpu - compiling))
    rate = statistics.median(rates)
    return [
        row(
            "Fermi count chain, k=2, 65,536 populations", rate / 1e6, "M events / core-s", ">= 100", compile_s=compiling
        )
    ]


@suite("replicator")
def replicator() -> list[Row]:
    """Steps per core-second of infinite populations of 3 strategies, 65,536 of them: one step is one of `step`.

    An Euler step evaluates the replicator field once, a Runge-Kutta step four times, a generation once and divides.
    """
    from jaxcoord.evolution.infinite import InfinitePopulation, MaynardSmithReplicator

    cycle, positive = jc.games.rock_paper_scissors(), jc.games.matrix_game([[2.0, 1, 3], [3, 2, 1], [1, 3, 2]])
    models = {
        "Euler": InfinitePopulation(cycle, method="euler"),
        "discrete generations": InfinitePopulation(positive, MaynardSmithReplicator(), dt=1.0, method="euler"),
        "Runge-Kutta": InfinitePopulation(cycle),
    }
    rows, populations, steps = [], 65536, 5000
    for name, model in models.items():
        rates, compiling = [], 0.0
        for _ in range(REPEATS):
            spent = []
            for length in (steps, 2 * steps):  # what both spend, such as compiling, is taken out
                cpu = time.process_time()
                data = jc.simulate(model, length, populations, record=jc.Record(every=length), progress=False)
                spent.append(time.process_time() - cpu)
                compiling = data.compile_seconds
            rates.append(populations * steps / (spent[1] - spent[0]))
        target = "" if name == "Runge-Kutta" else ">= 200"
        what = f"replicator, k=3, 65,536 populations, {name}"
        rows.append(row(what, statistics.median(rates) / 1e6, "M steps / core-s", target, compile_s=compiling))
    return rows


@suite("exact-payoffs")
def exact_payoffs() -> list[Row]:
    """All pairs of 512 random memory-one strategies, in the limit of means: time after compiling."""
    import numpy as np

    drawn = np.random.default_rng(0).uniform(0.01, 0.99, (512, 5))
    automata = [jc.games.memory_one(*chances) for chances in drawn.tolist()]
    times = []
    for _ in range(REPEATS + 1):
        begun = time.perf_counter()
        jax.block_until_ready(jc.games.payoff_matrix(automata))
        times.append(time.perf_counter() - begun)
    what, compiling = "exact payoff matrix of 512 memory-one strategies", times[0] - min(times[1:])
    return [row(what, statistics.median(times[1:]), "s", "< 1", compile_s=compiling)]


def hand_written(model: jc.Model, width: int, tiles: int, steps: int) -> Callable[[], Any]:
    """The same model, tile and keys in the loop that one would write by hand: a jitted scan, tiles in two threads."""
    from concurrent.futures import ThreadPoolExecutor

    from jaxcoord.engine.program import compiler_options
    from jaxcoord.engine.runner import workers_on

    leaves, tree = jax.tree.flatten(model)
    options = compiler_options(jax.devices()[0])

    def run(leaves, replicates):
        keys = jax.vmap(random.population_key, (None, None, 0))(0, 0, replicates)
        state = jax.vmap(lambda x, k: tree.unflatten(x).init(random.step_key(k, 0)))(leaves, keys)

        def body(state, step):
            one = jax.vmap(lambda x, s, k: tree.unflatten(x).step(s, random.step_key(k, step)))
            return one(leaves, state, keys), None

        return jax.lax.scan(body, state, jnp.arange(1, steps + 1, dtype=jnp.uint32))[0]

    stacked = [jnp.broadcast_to(jnp.asarray(x, float), (width, *jnp.shape(x))) for x in leaves]
    compiled = jax.jit(run, compiler_options=options).lower(stacked, jnp.arange(width, dtype=jnp.uint32)).compile()
    parts = [jnp.arange(i * width, (i + 1) * width, dtype=jnp.uint32) for i in range(tiles)]
    pool = ThreadPoolExecutor(workers_on(jax.devices()[0], 1))
    return lambda: list(pool.map(lambda part: jax.block_until_ready(compiled(stacked, part)), parts))


@suite("no-tax")
def no_tax() -> list[Row]:
    """The engine's time against a hand-written scan of the same model, in pairs: nothing recorded, and to disk."""
    rows = []
    model, width, tiles, steps = count_model(events=100), 256, 64, 2000
    floor = hand_written(model, width, tiles, steps)
    floor()

    def engine(record: jc.Record, store: Path | None = None) -> float:
        begun = time.perf_counter()
        data = jc.simulate(model, steps, width * tiles, record=record, store=store, tile=width, progress=False)
        del begun
        return data.seconds

    for what, record, target, disk in (
        ("engine / hand-written scan, last step only", jc.Record(every=steps), "<= 1.05", False),
        ("engine / hand-written scan, every 100 steps to disk", jc.Record(every=100), "<= 1.15", True),
    ):
        ratios = []
        for i in range(REPEATS):
            begun = time.perf_counter()
            floor()
            by_hand = time.perf_counter() - begun
            with tempfile.TemporaryDirectory() as folder:
                ratios.append(engine(record, Path(folder) / f"run{i}" if disk else None) / by_hand)
        rows.append(row(what, statistics.median(ratios), "ratio", target, all=[round(r, 4) for r in ratios]))
    return rows


@suite("starts-fast")
def starts_fast() -> list[Row]:
    """Import time beyond JAX's, time of --help, and compile time of the demo's model."""

    def seconds(code: str) -> float:
        times = []
        for _ in range(REPEATS):
            begun = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
            times.append(time.perf_counter() - begun)
        return statistics.median(times)

    used = "import jaxcoord as jc; jc.simulate; jc.evolution.PairwiseComparison"
    base = seconds("import jax")
    from jaxcoord import config

    asked = config.read(
        Path(__file__).parent.parent / "configs" / "ai_race.toml", ["run.steps=2", "record.burn_in=0", "record.every=1"]
    )
    compiling = [jc.sweep(**asked.arguments(), progress=False).compile_seconds for _ in range(REPEATS)]
    helping = "from jaxcoord.cli.main import main\ntry: main(['--help'])\nexcept SystemExit: pass"
    beyond = "beyond import jax"
    return [
        row(f"import jaxcoord, {beyond}", seconds("import jax; import jaxcoord") - base, "s", "< 0.5"),
        row(f"import, and touch engine and models, {beyond}", seconds(f"import jax; {used}") - base, "s", "< 0.5"),
        row("jaxcoord --help", seconds(helping), "s", "< 0.5"),
        row("compile the demo's model", statistics.median(compiling), "s", "< 5"),
    ]


MILLION = """
name = "million"
[model]
name = "pairwise-comparison"
size = 50
events = 50
[sweep]
beta = "logspace(-2, 1, 25)"
mu = "logspace(-3, -1, 40)"
[run]
steps = 20
replicates = 1000
[record]
every = 10
reduce = ["mean", "std", "q0.05", "q0.95"]
"""


@suite("bounded")
def bounded() -> list[Row]:
    """A million populations, replicates reduced on the device: time, peak memory, and what --dry-run foretold."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "million.toml"
        path.write_text(MILLION)
        command = [sys.executable, "-m", "jaxcoord.cli.main", "run", str(path), "--out", folder, "--no-figure"]
        told = subprocess.run([*command, "--dry-run"], check=True, capture_output=True, text=True).stdout
        number, unit = next(line for line in told.splitlines() if line.strip().startswith("memory")).split()[1:3]
        foretold = float(number) * {"MiB": 2**20, "GiB": 2**30, "KiB": 2**10}[unit]
        begun = time.perf_counter()
        code = "import resource, subprocess, sys; subprocess.run(sys.argv[1:], check=True, capture_output=True); " \
               "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024)"  # fmt: skip
        peak = float(
            subprocess.run([sys.executable, "-c", code, *command], check=True, capture_output=True, text=True).stdout
        )
        spent = time.perf_counter() - begun
    return [
        row("a million populations x 20 steps of 50 events", spent, "s"),
        row("peak memory of it", peak / 2**30, "GiB", "< 2"),
        row("--dry-run's memory / peak", foretold / peak, "ratio", "0.8 to 1.2"),
    ]


class Walk(jc.Model):
    """A cheap model with a floating-point state, so that watching for numbers that are not finite shows."""

    drift: float = jc.param(0.0, doc="mean of a step")
    x = jc.observable(doc="position")

    def init(self, key):
        return jnp.zeros(64)

    def step(self, state, key):
        return (
            state * 0.99
            + self.drift
            + random.probability(random.words(random.seeds(key), jnp.arange(64, dtype=jnp.uint32)))
        )

    def observe(self, state):
        return {"x": state.mean()}


@suite("watch")
def watch() -> list[Row]:
    """What watching for non-finite numbers costs: a run with it against one with the check taken out, in pairs."""
    from jaxcoord.engine import runner

    real, ratios = runner.nonfinite, []
    for _ in range(2 * REPEATS):
        times = []
        for check in (real, lambda *_: jnp.zeros(256, bool)):
            runner.nonfinite = check
            times.append(
                jc.simulate(Walk(), 20000, 2048, record=jc.Record(every=2000), tile=256, progress=False).seconds
            )
        ratios.append(times[0] / times[1] - 1)
    runner.nonfinite = real
    return [
        row(
            "watching for non-finite numbers",
            100 * statistics.median(ratios),
            "%",
            "< 2",
            all=[round(100 * r, 2) for r in ratios],
        )
    ]


def main() -> None:
    """Run the suites asked for, print a table and write the JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suites", nargs="*", help=f"of: {', '.join(SUITES)}; all by default")
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results", help="folder of the JSON file")
    asked = parser.parse_args()
    unknown = [name for name in asked.suites if name not in SUITES]
    if unknown:
        parser.error(f"unknown suite {unknown[0]!r}; allowed: {', '.join(SUITES)}")
    device = device_name()
    results = {"device": device, "cores": len(jax.devices()) if jax.devices()[0].platform != "cpu" else None,
               "jax": jax.__version__, "jaxcoord": jc.__version__, "suites": {}}  # fmt: skip
    for name in asked.suites or SUITES:
        rows = SUITES[name]()
        results["suites"][name] = rows
        for r in rows:
            print(f"{name:15} {r['what']:58} {r['value']:>10.4g} {r['unit']:18} {r['target']}", flush=True)
    if not asked.suites:
        asked.out.mkdir(parents=True, exist_ok=True)
        path = asked.out / f"bench-{''.join(c if c.isalnum() else '-' for c in device.lower())}.json"
        path.write_text(json.dumps(results, indent=1) + "\n")
        print(f"written to {path}")
    if asked.json:
        print(json.dumps(results))


if __name__ == "__main__":
    main()
