"""A number that stops being finite is reported with population, point, step and field; the others go on."""

import itertools
import json
import threading

import jax.numpy as jnp
import numpy as np
import pytest
import workers
from workers import Sick, arrays

import jaxcoord as jc
from jaxcoord.engine import plan, runner

STEPS, POINTS = 5000, 150
LEVEL = ["state['body']['level']"]
SEEN = ["observable level"]


@pytest.fixture(autouse=True)
def shared(monkeypatch):
    """Programs compiled once; calls of a few hundred steps, so that a fault lies inside one."""
    monkeypatch.setattr(runner, "CALL_SECONDS", 0.01)
    workers.share_programs(monkeypatch)


def points(field, at):
    """A list design in which the given points lose their level at the given steps."""
    return [{field: at.get(i, -1)} for i in range(POINTS)]


def sick(field, at, record, store=None, tile=16, **options):
    """A run in which some points fall ill; the dataset and the lines that it notes."""
    lines = []
    over = points(field, at)
    data = jc.sweep(Sick(), over, STEPS, seed=4, record=record, tile=tile, store=store, note=lines.append, **options)
    return data, lines


def reports(data):
    """The reports of a dataset as (population, point, replicate, step, fields), in order of population."""
    rows = json.loads(data.attrs["nonfinite"])
    return sorted((r["population"], r["point"], r["replicate"], r["step"], r["fields"]) for r in rows)


def expected(at, fields):
    """The reports that a fault at these points and steps must give, with one replicate."""
    return [(point, point, 0, step, fields) for point, step in sorted(at.items())]


RECORDS = {
    "every 10": jc.Record(every=10),
    "every 1000": jc.Record(every=1000),
    "mean of 10": jc.Record(every=10, kind="mean"),
    "mean of 1000": jc.Record(every=1000, kind="mean"),
    "both, after burn-in": jc.Record(every=100, kind="both", burn_in=30),
    "the other observable": jc.Record(every=100, only="count"),
}


@pytest.mark.parametrize("disk", [False, True])
@pytest.mark.parametrize("how", RECORDS)
def test_the_first_bad_step_of_a_state_is_reported(how, disk, tmp_path):
    at = {137: 4021}
    data, lines = sick("at", at, RECORDS[how], tmp_path / "run" if disk else None)
    assert reports(data) == expected(at, LEVEL)
    (row,) = json.loads(data.attrs["nonfinite"])
    assert row["parameters"] == {"at": 4021}
    assert len(lines) == 1
    for words in ("population 137 ", "point 137", "at=4021", "replicate 0", "from step 4021 on", LEVEL[0]):
        assert words in lines[0]


@pytest.mark.parametrize("how", ["every 10", "mean of 1000"])
def test_the_other_populations_are_those_of_a_healthy_run(how):
    at = {3: 0, 137: 4021, 138: 1, 149: 5000}
    ill, _ = sick("at", at, RECORDS[how])
    healthy, none = sick("at", {}, RECORDS[how])
    assert none == []
    assert reports(healthy) == []
    others = [i for i in range(POINTS) if i not in at]
    for name in ill.data_vars:
        a, b = ill[name].values, healthy[name].values
        assert a[others].tobytes() == b[others].tobytes()
    level = ill[next(n for n in ill.data_vars if n.startswith("level"))]
    for point, step in at.items():
        lost = np.isnan(level.values[point, 0])
        np.testing.assert_array_equal(lost, level.step.values >= step)


@pytest.mark.parametrize("how", ["every 10", "every 1000", "mean of 10", "mean of 1000"])
def test_several_populations_at_several_steps(how):
    at = {0: 0, 1: 1, 2: 999, 3: 1000, 4: 1001, 15: 2500, 16: 2500, 31: 4999, 149: 5000}
    data, lines = sick("at", at, RECORDS[how])
    assert reports(data) == expected(at, LEVEL)
    assert len(lines) == len(at)


def test_many_reports_are_noted_in_few_lines():
    at = {i: 10 * i for i in range(1, 40)}
    data, lines = sick("at", at, RECORDS["every 1000"])
    assert reports(data) == expected(at, LEVEL)
    assert len(lines) == 11
    assert lines[-1].startswith("29 more populations")


def test_population_counts_replicates():
    data = jc.sweep(
        Sick(), {"at": [-1, 7]}, 20, 3, record=jc.Record(every=5), tile=4, note=lambda line: None
    )  # fmt: skip
    assert reports(data) == [(3 + r, 1, r, 7, LEVEL) for r in range(3)]


def test_an_observable_alone_is_reported_at_its_record():
    data, lines = sick("seen_at", {137: 4021}, RECORDS["every 10"])
    assert reports(data) == [(137, 137, 0, 4030, SEEN)]
    assert "observable level" in lines[0]
    assert np.isinf(data.level.values[137, 0, 402:]).all()
    assert np.isfinite(data.level.values[137, 0, :402]).all()


@pytest.mark.parametrize("seconds", [0.0001, 0.003, 10.0])
@pytest.mark.parametrize("how", ["mean of 10", "mean of 1000"])
@pytest.mark.slow
def test_an_observable_alone_is_reported_at_its_step_where_every_step_is_seen(how, seconds, monkeypatch):
    monkeypatch.setattr(runner, "CALL_SECONDS", seconds)
    at = {137: 4021, 20: 500}
    data, _ = sick("seen_at", at, RECORDS[how])
    assert reports(data) == expected(at, SEEN)


def test_an_observable_that_is_not_recorded_is_not_reported():
    data, lines = sick("seen_at", {137: 4021}, jc.Record(every=10, only="count"))
    assert reports(data) == []
    assert lines == []


@pytest.mark.parametrize("how", ["every 10", "mean of 1000"])
@pytest.mark.parametrize("seed", [0, 1])
def test_a_run_in_pieces_reports_what_a_run_in_one_does(how, seed, tmp_path, monkeypatch):
    """Stopped before, between and after the faults, and gone on with: the same reports, none twice."""
    monkeypatch.setattr(plan, "BLOCK_BYTES", 20_000)
    monkeypatch.setattr(runner, "CALL_SECONDS", 0.001)
    at = {3: 0, 20: 700, 21: 2500, 137: 4021}
    random = np.random.default_rng(seed)
    original, stops = runner.Runner._call, 0
    for limit in [*random.integers(1, 40, size=12), None]:
        stop, left = threading.Event(), itertools.count(1)

        def counted(self, *arguments, stop=stop, left=left, limit=limit):
            original(self, *arguments)
            if next(left) == limit:
                stop.set()

        monkeypatch.setattr(runner.Runner, "_call", counted)
        try:
            data, _ = sick("at", at, RECORDS[how], tmp_path / "run", stop=stop, checkpoint_seconds=0.01)
            break
        except jc.Interrupted:
            stops += 1
    assert stops >= 1
    assert reports(data) == expected(at, LEVEL)


def test_reports_outlive_the_run_that_made_them(tmp_path):
    at = {137: 4021}
    sick("at", at, RECORDS["every 1000"], tmp_path / "run")
    again, _ = sick("at", at, RECORDS["every 1000"], tmp_path / "run")
    assert reports(again) == reports(jc.load(tmp_path / "run")) == expected(at, LEVEL)


def test_statistics_over_replicates_show_that_one_is_lost():
    record = jc.Record(every=100, reduce=("mean", "median"))
    data = jc.sweep(Sick(), {"at": [-1, 250]}, 500, 4, record=record, tile=4, note=lambda line: None)
    steps = arrays(data)["step"]
    assert np.isfinite(data.level.values[0]).all()
    np.testing.assert_array_equal(np.isnan(data.level.values[1]), np.broadcast_to(steps >= 250, (2, 5)))


class Ratio(jc.Model):
    """Zero over zero until step 3, and then infinite."""

    start: float = jc.param(0.0, doc="what is counted at the start")

    undefined = jc.observable(doc="0 / 0 is no number and no fault here", undefined=True)
    defined = jc.observable(doc="0 / 0 would be a fault here")

    def init(self, key):
        return jnp.asarray(self.start, float)

    def step(self, state, key):
        return state + 1

    def observe(self, state):
        return {"undefined": state * 0 / jnp.where(state < 3, 0, 1), "defined": state * 0 / jnp.where(state == 3, 0, 1)}


@pytest.mark.parametrize("kind", ["snapshot", "mean"])
def test_what_may_be_undefined_is_no_fault(kind):
    record = jc.Record(every=1, kind=kind)
    name = {"snapshot": "undefined", "mean": "undefined_mean"}[kind]
    data = jc.simulate(Ratio(), 5, 2, record=jc.Record(every=1, kind=kind, only="undefined"), progress=False)
    assert np.isnan(data[name].values).any()
    assert data.attrs["nonfinite"] == "[]"
    with pytest.warns(UserWarning, match="observable defined"):
        data = jc.simulate(Ratio(), 5, 2, record=record, progress=False)
    (first, _) = json.loads(data.attrs["nonfinite"])
    assert (first["step"], first["fields"]) == (3, ["observable defined"])
