"""However a run is laid out, watched, cut or spread, a population is the same to the last bit."""

import functools
import itertools
import signal
import socket

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import workers
from workers import TILE, Dice, Walkers, arrays, files, many_blocks, unequal

import jaxcoord as jc
from jaxcoord import random as keys
from jaxcoord.engine import dataset, plan, run, runner
from jaxcoord.engine.program import Program
from jaxcoord.progress import Progress

cpu = functools.partial(jax.devices, "cpu")


@pytest.fixture(autouse=True)
def shared(request, monkeypatch):
    """Programs compiled once, but where compiling is what a test looks at."""
    if "programs" not in request.fixturenames:
        workers.share_programs(monkeypatch)


@pytest.fixture
def small(monkeypatch):
    """Small blocks and short calls."""
    monkeypatch.setattr(plan, "BLOCK_BYTES", 2700)
    monkeypatch.setattr(runner, "CALL_SECONDS", 0.004)


@pytest.fixture(scope="module")
def truth():
    """`many_blocks` on one device, in memory."""
    return arrays(many_blocks(None))


# Devices, processes, order, pieces


@pytest.mark.parametrize("count", [2, 4])
def test_devices(count, truth, tmp_path):
    workers.finish(workers.start("devices", tmp_path / "run", count, devices=count))
    assert unequal(arrays(jc.load(tmp_path / "run")), truth) == []


def start_two(store, die_at=0):
    """Start both processes of a run; the second one kills itself at a system call where that is asked for."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    return [workers.start("process", store, port, number, die_at * number) for number in (0, 1)]


def test_two_processes_write_one_store(truth, tmp_path):
    for process in start_two(tmp_path / "run"):
        workers.finish(process)
    assert unequal(arrays(jc.load(tmp_path / "run")), truth) == []
    assert not list((tmp_path / "run").glob("manifest-*"))


def test_one_process_goes_on_where_one_of_two_was_killed(truth, tmp_path, small):
    first, second = start_two(tmp_path / "run", die_at=200)
    second.communicate(timeout=60)
    assert second.returncode == -signal.SIGKILL
    first.kill()
    first.communicate(timeout=60)
    assert (tmp_path / "run" / "manifest-1.json").is_file()
    before = files(tmp_path / "run", "data.zarr/spread/c.*")
    many_blocks(tmp_path / "run")
    assert unequal(arrays(jc.load(tmp_path / "run")), truth) == []
    after = files(tmp_path / "run", "data.zarr/spread/c.*")
    rewritten = [name for name in before if after[name] != before[name]]
    assert len(before) > 5
    assert len(rewritten) <= 2  # written and not yet listed


def make_plan(model, over, steps, replicates, seed, record, tile):
    """The plan that `sweep` would run."""
    return run.prepare(model, over, steps, replicates, seed, "grid", None, record, tile, jax.devices()[0])


def run_boxes(made, order):
    """Run a plan's boxes in the given order, in memory."""
    memory = dataset.Memory(made)
    shown = Progress(made.populations, made.steps, 1, False)
    runner.Runner(made, cpu(), shown, memory.commit).run(order, set())
    return memory.arrays


@pytest.mark.parametrize("seed", range(3))
def test_boxes_in_any_order(seed, truth, small):
    over = {"rate": [0.1, 0.2, 0.3, 0.4], "pull": [0.0, 0.1]}
    made = make_plan(Walkers(), over, 600, 8, 3, jc.Record(every=20), TILE)
    assert made.boxes == 8
    assert made.segments == 3
    found = run_boxes(made, [int(i) for i in np.random.default_rng(seed).permutation(made.boxes)])
    assert unequal(found, {name: truth[name] for name in found}) == []


@pytest.mark.parametrize("seconds", [0.0003, 0.01, 10.0])
@pytest.mark.parametrize("block_bytes", [270, 2700, 10**6])
def test_blocks_and_calls_of_any_length(seconds, block_bytes, truth, monkeypatch):
    monkeypatch.setattr(plan, "BLOCK_BYTES", block_bytes)
    monkeypatch.setattr(runner, "CALL_SECONDS", seconds)
    assert unequal(arrays(many_blocks(None)), truth) == []


# Neighbours


class Mixer(jc.Model):
    """Products, sums, sorts and exponentials over arrays long enough that their order of summation matters."""

    heat: float = jc.param(1.0, doc="of the softmax", low=0.01)
    size: int = jc.static(96, doc="length of the state")
    shares = jc.observable(dims=("kind",), doc="shares that sum to one")
    entropy = jc.observable(doc="of the shares")

    def init(self, key):
        matrix = jax.random.normal(key, (self.size, self.size))
        return jax.nn.softmax(matrix[0]), matrix

    def step(self, state, key):
        shares, matrix = state
        payoff = matrix @ shares + 0.1 * jax.random.normal(key, (self.size,))
        return 0.9 * shares + 0.1 * jax.nn.softmax(jnp.sort(payoff) / self.heat), matrix

    def observe(self, state):
        shares, _ = state
        return {"shares": shares, "entropy": -(shares * jnp.log(shares)).sum()}


MODELS = {"walkers": (Walkers(), "rate", [0.1, 0.2, 0.3, 0.4]), "mixer": (Mixer(), "heat", [0.5, 1.0, 2.0, 4.0])}


@pytest.mark.parametrize(("points", "replicates"), [(1, 1), (1, 10), (2, 3), (4, 1), (3, 10)])
@pytest.mark.parametrize("name", MODELS)
def test_neighbours_do_not_matter(name, points, replicates):
    model, parameter, values = MODELS[name]
    options = {"steps": 60, "seed": 9, "record": jc.Record(every=5), "tile": 8}
    whole = arrays(jc.sweep(model, {parameter: values}, replicates=10, **options))
    part = arrays(jc.sweep(model, {parameter: values[:points]}, replicates=replicates, **options))
    for variable in ("place", "spread", "shares", "entropy"):
        if variable in whole:
            assert part[variable].tobytes() == whole[variable][:points, :replicates].tobytes(), variable


def loop(model, seed, point, replicate, steps):
    """A population by a plain loop over the model's own methods, with keys as the contract has them."""
    key = keys.population_key(seed, point, replicate)
    state = model.init(keys.step_key(key, 0))
    seen = []
    step = jax.jit(model.step)
    for number in range(1, steps + 1):
        state = step(state, keys.step_key(key, number))
        seen.append(model.observe(state))
    return {name: np.stack([np.asarray(row[name]) for row in seen]) for name in seen[0]}


@pytest.mark.parametrize(("point", "replicate"), [(0, 0), (0, 3), (2, 1)])
def test_a_population_is_a_plain_loop_over_its_model(point, replicate):
    sides = [4, 6, 20]
    data = jc.sweep(Dice(), {"sides": sides}, 30, 4, seed=8, record=jc.Record(every=1), tile=4)
    wanted = loop(Dice(sides=sides[point]), 8, point, replicate, 30)
    np.testing.assert_array_equal(data.total.values[point, replicate], wanted["total"])
    walk = jc.sweep(Walkers(), {"rate": [0.1, 0.2, 0.3]}, 30, 4, seed=8, record=jc.Record(every=1), tile=4)
    wanted = loop(Walkers(rate=[0.1, 0.2, 0.3][point]), 8, point, replicate, 30)
    np.testing.assert_allclose(walk.place.values[point, replicate], wanted["place"], rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(walk.crossings.values[point, replicate], wanted["crossings"])


@pytest.mark.parametrize("tile", [3, *(pytest.param(tile, marks=pytest.mark.slow) for tile in (1, 16, 64))])
def test_another_tile_gives_the_same_distribution(tile):
    options = {"steps": 200, "record": jc.Record(every=200)}
    one = jc.simulate(Walkers(), populations=400, seed=1, tile=8, **options).spread.values[:, 0]
    other = jc.simulate(Walkers(), populations=400, seed=2, tile=tile, **options).spread.values[:, 0]
    for measure in (lambda x: x, lambda x: (x - x.mean()) ** 2):
        a, b = measure(one), measure(other)
        error = np.sqrt(a.var(ddof=1) / len(a) + b.var(ddof=1) / len(b))
        assert abs(a.mean() - b.mean()) < 4 * error
    whole = {"steps": 50, "populations": 20, "seed": 1}
    a, b = jc.simulate(Dice(), tile=8, **whole), jc.simulate(Dice(), tile=tile, **whole)
    np.testing.assert_array_equal(a.total.values, b.total.values)


# Watching


WATCHED = {
    "every 1": jc.Record(every=1),
    "every 7": jc.Record(every=7),
    "one record": jc.Record(every=60),
    "only one": jc.Record(every=5, only="{first}"),
    "means too": jc.Record(every=5, kind="both"),
    "means of one": jc.Record(every=5, kind="both", only="{first}"),
    "after burn-in": jc.Record(every=5, burn_in=15),
    "after an odd burn-in": jc.Record(every=4, burn_in=13, kind="both"),
}


@pytest.mark.parametrize("how", WATCHED)
@pytest.mark.parametrize("name", MODELS)
def test_watching_changes_nothing(name, how):
    model, parameter, values = MODELS[name]
    first = next(iter(model.observables))
    record = WATCHED[how]
    only = tuple(word.format(first=first) for word in record.only)
    record = jc.Record(every=record.every, kind=record.kind, burn_in=record.burn_in, only=only)
    base = jc.sweep(model, {parameter: values}, 60, 4, seed=6, record=jc.Record(every=5), tile=8)
    seen = jc.sweep(model, {parameter: values}, 60, 4, seed=6, record=record, tile=8)
    common = np.intersect1d(base.step.values, seen.step.values)
    assert len(common)
    a, b = base[first].sel(step=common).values, seen[first].sel(step=common).values
    assert a.tobytes() == b.tobytes()


@pytest.mark.parametrize(
    ("every", "burn_in", "steps"),
    [
        (7, 0, 60),
        (5, 13, 60),
        *(pytest.param(*rest, marks=pytest.mark.slow) for rest in [(1, 0, 12), (5, 0, 60), (60, 0, 60)]),
    ],
)
@pytest.mark.slow
def test_a_mean_is_the_mean_of_every_step(every, burn_in, steps):
    each = jc.simulate(Walkers(), steps, 6, seed=2, record=jc.Record(every=1), tile=8)
    both = jc.simulate(
        Walkers(), steps, 6, seed=2, record=jc.Record(every=every, burn_in=burn_in, kind="both"), tile=8
    )  # fmt: skip
    mean = jc.simulate(
        Walkers(), steps, 6, seed=2, record=jc.Record(every=every, burn_in=burn_in, kind="mean"), tile=8
    )  # fmt: skip
    records = (steps - burn_in) // every
    np.testing.assert_array_equal(both.step.values, burn_in + every * np.arange(1, records + 1))
    for name in each.data_vars:
        values = each[name].values[:, burn_in : burn_in + records * every].astype(float)
        wanted = values.reshape(6, records, every, *values.shape[2:]).mean(axis=2)
        np.testing.assert_allclose(both[f"{name}_mean"].values, wanted, rtol=2e-6, atol=2e-6)
        assert both[f"{name}_mean"].values.tobytes() == mean[f"{name}_mean"].values.tobytes()
        assert mean[f"{name}_mean"].dtype == np.float32
        np.testing.assert_array_equal(both[name].values, each[name].sel(step=both.step).values)
    assert set(mean.data_vars) == {f"{name}_mean" for name in each.data_vars}


def test_a_mean_over_many_steps_keeps_its_digits():
    class Far(jc.Model):
        place = jc.observable(doc="a number that a sum in single precision would round")

        def init(self, key):
            return jnp.int32(0)

        def step(self, state, key):
            return state + 1

        def observe(self, state):
            return {"place": 1000.0 + (state % 2).astype(jnp.float32) * 0.125}

    mean = jc.simulate(Far(), 200_000, record=jc.Record(every=200_000, kind="mean"))
    np.testing.assert_allclose(mean.place_mean.values, 1000.0625, rtol=1e-7)


STATISTICS = ("mean", "std", "median", "q0.05", "q0.5", "q0.95", "q0", "q1")


@pytest.mark.parametrize("replicates", [1, 2, 9, 40])
@pytest.mark.parametrize("kind", ["snapshot", "both"])
def test_statistics_are_those_of_numpy(kind, replicates, tmp_path):
    over, record = {"rate": [0.1, 0.3]}, {"every": 10, "kind": kind}
    whole = jc.sweep(Walkers(), over, 50, replicates, seed=3, record=jc.Record(**record), tile=8)
    for store in (None, tmp_path / "run"):
        few = jc.sweep(
            Walkers(), over, 50, replicates, seed=3, record=jc.Record(**record, reduce=STATISTICS), tile=8, store=store
        )  # fmt: skip
        assert list(few.statistic.values) == list(STATISTICS)
        for name in whole.data_vars:
            values = whole[name].values.astype(float)
            wanted = {
                "mean": values.mean(axis=1),
                "std": values.std(axis=1, ddof=1) if replicates > 1 else np.full(values[:, 0].shape, np.nan),
                "median": np.median(values, axis=1),
            }
            assert few[name].dtype == np.float32
            assert few[name].dims[:3] == ("rate", "statistic", "step")
            for i, word in enumerate(STATISTICS):
                exact = wanted.get(word)
                exact = np.quantile(values, float(word[1:]), axis=1) if exact is None else exact
                np.testing.assert_allclose(
                    few[name].values[:, i], exact, rtol=1e-6, atol=1e-7, err_msg=f"{name} {word}"
                )


def test_only_keeps_what_it_names(tmp_path):
    record = jc.Record(every=10, only=("crossings", "ahead"))
    for store in (None, tmp_path / "run"):
        data = jc.simulate(Walkers(), 30, 3, record=record, store=store)
        assert {name: data[name].dtype for name in data.data_vars} == {"crossings": np.int32, "ahead": np.bool_}


# Designs


DESIGNS = {
    "grid": ({"rate": [0.1, 0.2, 0.3], "pull": "linspace(0, 1, 2)"}, {}, ("rate", "pull"), (3, 2)),
    "grid of one": ({"rate": 0.1}, {}, ("rate",), (1,)),
    "nothing": ({}, {}, (), ()),
    "zip": ({"rate": [0.1, 0.2, 0.3], "pull": [0.0, 0.5, 1.0]}, {"design": "zip"}, ("point",), (3,)),
    "list": ([{"rate": 0.1, "pull": 1.0}, {"rate": 0.2, "pull": 0.0}], {}, ("point",), (2,)),
    "static": ({"rate": [0.1, 0.2], "number": [5]}, {}, ("rate", "number"), (2, 1)),
} | {
    kind: (
        {"rate": "loguniform(0.01, 1)", "pull": jc.uniform(0.25, 0.75)},
        {"design": kind, "samples": 6},
        ("point",),
        (6,),
    )
    for kind in ("random", "latin", "sobol")
}


@pytest.mark.parametrize("name", DESIGNS)
def test_a_design_has_its_dims_and_coordinates_and_each_point_its_parameters(name, tmp_path):
    over, options, dims, shape = DESIGNS[name]
    record = jc.Record(every=10)
    data = jc.sweep(Walkers(), over, 40, 3, seed=7, record=record, tile=4, **options)
    stored = jc.sweep(Walkers(), over, 40, 3, seed=7, record=record, tile=4, store=tmp_path / "run", **options)
    assert unequal(arrays(stored), arrays(data)) == []
    assert data.place.dims == (*dims, "replicate", "step", "walker")
    assert data.place.shape == (*shape, 3, 4, 5)
    for point, index in enumerate(itertools.product(*map(range, shape))):
        here = data.isel(dict(zip(dims, index, strict=True)))
        given = {p: float(here[p]) for p in ("rate", "pull") if p in data.coords}
        # The same point index, reached by a list of points that differ but for the last.
        others = [dict.fromkeys(given, 0.5) for _ in range(point)]
        alone = jc.sweep(Walkers(), [*others, given] if given else {}, 40, 3, seed=7, record=record, tile=4)
        alone = alone.isel(point=-1) if given else alone
        assert here.place.values.tobytes() == alone.place.values.tobytes(), index


@pytest.mark.parametrize("kind", ["random", "latin", "sobol"])
def test_a_sampled_design_fills_its_intervals(kind):
    over = {"rate": jc.loguniform(0.01, 1), "pull": jc.uniform(0.25, 0.75)}
    data = jc.sweep(Walkers(), over, 1, seed=7, design=kind, samples=64)
    again = jc.sweep(Walkers(), over, 1, seed=8, design=kind, samples=64)
    for name, low, high in (("rate", 0.01, 1.0), ("pull", 0.25, 0.75)):
        values = data[name].values
        assert values.min() >= low
        assert values.max() <= high
        middle = np.sqrt(low * high) if name == "rate" else (low + high) / 2
        assert 16 <= (values < middle).sum() <= 48
        assert len(np.unique(values)) == 64
        assert not np.array_equal(values, again[name].values)


class Part(jc.Component):
    """A part with a parameter of the same name as an observable."""

    height: float = jc.param(1.0, doc="added in every step")


class Whole(jc.Model):
    """A model that shows what its part also calls height."""

    part: Part = jc.component(Part, doc="a part")
    height = jc.observable(doc="how far it is")

    def init(self, key):
        return jnp.float32(0)

    def step(self, state, key):
        return state + self.part.height

    def observe(self, state):
        return {"height": state}


@pytest.mark.parametrize("disk", [False, True])
def test_a_parameter_may_have_the_name_of_an_observable(disk, tmp_path):
    data = jc.sweep(Whole(), {"height": [1.0, 2.0]}, 5, store=tmp_path / "run" if disk else None)
    assert data.height.dims == ("part.height", "replicate", "step")
    np.testing.assert_array_equal(data.height.values[:, 0, -1], [5.0, 10.0])


# One trace


class Counting(jc.Model):
    """Counts how often its step is traced."""

    rate: float = jc.param(1.0, doc="added in every step")
    pull: float = jc.param(1.0, doc="not used")
    width: int = jc.static(2, doc="length of the state")
    total = jc.observable(doc="sum of the state")

    def init(self, key):
        return jnp.zeros(self.width)

    def step(self, state, key):
        traced.append(self.width)
        return state + self.rate

    def observe(self, state):
        return {"total": state.sum()}


traced: list[int] = []


@pytest.fixture
def programs(monkeypatch):
    """The programs that were compiled while a test ran."""
    made, original = [], Program.compiled

    def compiled(self, device):
        if self not in made:
            made.append(self)
        return original(self, device)

    monkeypatch.setattr(Program, "compiled", compiled)
    traced.clear()
    return made


@pytest.mark.parametrize(
    "over",
    [{}, {"rate": np.linspace(0, 1, 50)}, {"rate": [0.0, 1.0], "pull": np.arange(30.0)}, [{"rate": 1}, {"rate": 2.5}]],
)
def test_a_numeric_sweep_is_traced_once(over, programs, monkeypatch):
    monkeypatch.setattr(plan, "BLOCK_BYTES", 400)
    monkeypatch.setattr(runner, "CALL_SECONDS", 0.0005)
    jc.sweep(Counting(), over, 301, 5, record=jc.Record(every=7, burn_in=3), tile=8)
    assert [p.traces for p in programs] == [1]
    assert traced == [2]


def test_each_static_value_is_traced_once(programs):
    data = jc.sweep(Counting(), {"width": [2, 3, 5], "rate": np.linspace(0, 1, 20)}, 10, 3, tile=8)
    assert [p.traces for p in programs] == [1, 1, 1]
    assert sorted(traced) == [2, 3, 5]
    np.testing.assert_allclose(data.total.values[:, -1, 0, -1], [20, 30, 50])
