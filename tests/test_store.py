"""A store on disk: commits that fail, files that are damaged, and runs that are refused."""

import errno
import json
import os
import shutil
import signal

import jax.numpy as jnp
import numpy as np
import pytest
import workers
from workers import Dice, Faulty, Walkers, arrays, failing, few_blocks, files, unequal

import jaxcoord as jc
from jaxcoord.engine import arrays as arrays_on_disk
from jaxcoord.engine import durable, plan, runner, store
from jaxcoord.engine.store import Manifest, Store


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Small blocks, programs compiled once."""
    monkeypatch.setattr(plan, "BLOCK_BYTES", 400)
    monkeypatch.setattr(runner, "CALL_SECONDS", 10.0)
    workers.share_programs(monkeypatch)


@pytest.fixture(scope="module")
def truth(tmp_path_factory):
    """What `few_blocks` and `walkers` give, kept on disk: the first complete, the second stopped in the middle too."""
    folder = tmp_path_factory.mktemp("truth")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plan, "BLOCK_BYTES", 400)
        workers.share_programs(patch)
        few_blocks(folder / "few")
        walkers(folder / "whole")
        stopped(patch, folder / "half")
    return folder


def walkers(path, **options):
    """A run with every kind of data: floats, whole numbers, truth values, labels; blocks of several segments."""
    record = jc.Record(every=10)
    over = {"rate": [0.1, 0.2, 0.3]}
    return jc.sweep(Walkers(), over, 100, 4, seed=2, record=record, tile=4, store=path, **options)


def stopped(patch, path):
    """The run of `walkers` as a disk that is full leaves it: some blocks and a checkpoint."""
    patch.setattr(durable, "os", Faulty(340, failing(errno.ENOSPC)))
    with pytest.raises(jc.StoreError):
        walkers(path)
    patch.setattr(durable, "os", os)
    content = json.loads((path / "manifest.json").read_text())["manifest"]
    assert content["blocks"]
    assert content["checkpoints"]


# Commits that fail


def is_one_line(error, path):
    """Whether an error is a line that names a file of the store."""
    return "\n" not in str(error) and str(error).startswith(str(path))


@pytest.fixture
def calls(tmp_path, monkeypatch):
    """How many system calls a whole run of `few_blocks` makes."""
    counted = Faulty()
    monkeypatch.setattr(durable, "os", counted)
    few_blocks(tmp_path / "counted")
    assert counted.calls > 200
    return counted.calls


def run_with(faulty, path, monkeypatch):
    """Run `few_blocks` with a fault and check that it ends with one line."""
    monkeypatch.setattr(durable, "os", faulty)
    with pytest.raises(jc.StoreError) as caught:
        few_blocks(path)
    assert is_one_line(caught.value, path)
    monkeypatch.setattr(durable, "os", os)


def fail_at(call, instead, path, truth, monkeypatch):
    """Run with one system call that fails, look at what is left, and run again."""
    run_with(Faulty(call, instead), path, monkeypatch)
    wanted = arrays(jc.load(truth / "few"))
    before = {}
    content = json.loads((path / "manifest.json").read_text())["manifest"] if (path / "manifest.json").is_file() else {}
    if "metadata" not in content:
        with pytest.raises(jc.StoreError, match="no such run|no manifest|never begun"):
            jc.load(path)
    else:
        found = jc.load(path).total.values
        for block in content["blocks"].values():
            (point, replicate), records = block["box"], block["records"]
            part = (slice(*point), slice(*replicate), slice(*records))
            np.testing.assert_array_equal(found[part], wanted["total"][part])
            before |= {name: files(path)[name] for name in block["files"]}
    assert unequal(arrays(few_blocks(path)), wanted) == []
    assert {name: files(path)[name] for name in before} == before


@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC])
@pytest.mark.parametrize("first", range(4))
def test_a_system_call_that_fails_loses_nothing_that_was_committed(first, error, calls, tmp_path, truth, monkeypatch):
    for call in range(1 + first + (error == errno.EIO) * 4, calls + 1, 41):
        fail_at(call, failing(error), tmp_path / f"run{call}", truth, monkeypatch)


@pytest.mark.slow
@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC])
@pytest.mark.parametrize("first", range(8))
def test_every_system_call_may_fail(first, error, calls, tmp_path, truth, monkeypatch):
    for call in range(1 + first, calls + 1, 8):
        fail_at(call, failing(error), tmp_path / f"run{call}", truth, monkeypatch)


def test_short_writes_are_written_on(tmp_path, truth, monkeypatch):
    class Short(Faulty):
        def __getattr__(self, name):
            if name == "write":
                return lambda descriptor, data: os.write(descriptor, data[: max(1, len(data) // 3)])
            return super().__getattr__(name)

    monkeypatch.setattr(durable, "os", Short())
    assert unequal(arrays(few_blocks(tmp_path / "run")), arrays(jc.load(truth / "few"))) == []


# Damage


def damage(random, path):
    """Flip a bit, cut or remove one file of a store, of each folder as often; its name and what was done."""
    names = sorted(files(path))
    part = random.choice(sorted({n.rpartition("/")[0] or n for n in names}))
    name = str(random.choice([n for n in names if part in (n, n.rpartition("/")[0])]))
    target = path / name
    data = bytearray(target.read_bytes())
    kind = random.choice(["flip", "cut", "remove"])
    if kind == "remove" or not data:
        target.unlink()
    elif kind == "cut":
        target.write_bytes(data[: random.integers(0, len(data))])
    else:
        data[random.integers(0, len(data))] ^= 1 << int(random.integers(0, 8))
        target.write_bytes(data)
    return name, kind


def damage_and_mend(which, trials, seed, truth, tmp_path):
    """Damage a copy of a store, run the same sweep, and compare data and the other files with the truth."""
    random = np.random.default_rng(seed)
    wanted = arrays(jc.load(truth / "whole"))
    for trial in range(trials):
        path = tmp_path / f"run{trial}"
        shutil.copytree(truth / which, path)
        sound = files(path)
        name, kind = damage(random, path)
        lines = []
        found = walkers(path, note=lines.append)
        assert unequal(arrays(found), wanted) == [], (name, kind)
        content = json.loads((truth / which / "manifest.json").read_text())["manifest"]
        listed = content["blocks"]
        kept = {file for one in content["checkpoints"].values() for file in one["files"]}
        blocks = {file for block in listed.values() for file in block["files"]}
        hurt = next((set(block["files"]) for block in listed.values() if name in block["files"]), set())
        after = files(path)
        assert {n: after[n] for n in blocks - hurt} == {n: sound[n] for n in blocks - hurt}, (name, kind)
        assert bool(hurt or name in kept) == bool(lines), (name, kind, lines)
        shutil.rmtree(path)


@pytest.mark.parametrize("which", ["whole", "half"])
def test_damage_is_mended_by_the_same_command(which, truth, tmp_path):
    damage_and_mend(which, {"whole": 40, "half": 20}[which], 21, truth, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("which", ["whole", "half"])
def test_five_hundred_kinds_of_damage_are_mended(which, seed, truth, tmp_path):
    damage_and_mend(which, 50, 100 + seed, truth, tmp_path)


@pytest.mark.parametrize("seed", range(3))
def test_damage_never_reads_as_data(seed, truth, tmp_path):
    """Without running again: what `load` gives is the truth, an error, or marked as missing."""
    random = np.random.default_rng(30 + seed)
    wanted = arrays(jc.load(truth / "whole"))
    for trial in range(60):
        path = tmp_path / f"run{trial}"
        shutil.copytree(truth / "whole", path)
        name, kind = damage(random, path)
        try:
            found = arrays(jc.load(path))
        except Exception:  # zarr, xarray and the codecs raise many kinds; that one is raised is what counts
            found = {}
        for variable, values in found.items():
            wrong = values != wanted[variable]
            if values.dtype.kind == "f":
                wrong &= ~np.isnan(values)
            elif variable == "crossings":
                wrong &= values != arrays_on_disk.fill_value(values.dtype)
            assert not np.any(wrong), (name, kind, variable)
        shutil.rmtree(path)


@pytest.mark.parametrize("name", ["manifest.json", "manifest.backup.json"])
def test_a_manifest_is_mended_from_its_copy(name, truth, tmp_path):
    path = tmp_path / "run"
    shutil.copytree(truth / "whole", path)
    (path / name).write_text("{")
    walkers(path)
    assert files(path)[name][1] == files(truth / "whole")[name][1]


def test_a_store_whose_manifests_are_both_damaged_is_refused(truth, tmp_path):
    path = tmp_path / "run"
    shutil.copytree(truth / "whole", path)
    for name in ("manifest.json", "manifest.backup.json"):
        (path / name).write_text("{")
    before = files(path)
    for action in (walkers, jc.load):
        with pytest.raises(jc.StoreError, match=r"manifest\.json: damaged.*--fresh"):
            action(path)
    assert {n: f for n, f in files(path).items() if n != ".lock"} == {n: f for n, f in before.items() if n != ".lock"}
    assert unequal(arrays(walkers(path, fresh=True)), arrays(jc.load(truth / "whole"))) == []


# Refusals


def refused(path, match, action):
    """Check that an action is refused in one line and that no file of the store is touched by it."""
    before = {n: f for n, f in files(path).items() if not n.startswith(".")}
    with pytest.raises(jc.StoreError, match=match) as caught:
        action()
    assert is_one_line(caught.value, path)
    assert {n: f for n, f in files(path).items() if not n.startswith(".")} == before


DIFFERENT = {
    "steps": (lambda p: jc.simulate(Dice(), 21, 4, store=p), r"run\.steps: there 20, here 21"),
    "replicates": (lambda p: jc.simulate(Dice(), 20, 5, store=p), r"run\.replicates: there 4, here 5"),
    "seed": (lambda p: jc.simulate(Dice(), 20, 4, seed=1, store=p), r"run\.seed: there 0, here 1"),
    "parameter": (lambda p: jc.simulate(Dice(sides=7), 20, 4, store=p), r"model\.sides: there 6\D*, here 7"),
    "swept": (lambda p: jc.sweep(Dice(), {"sides": [6]}, 20, 4, store=p), r"sweep\.sides: there None, here \[6"),
    "model": (lambda p: jc.simulate(Walkers(), 20, 4, store=p), r"model\.name: there 'dice', here 'walkers'"),
    "record": (
        lambda p: jc.simulate(Dice(), 20, 4, store=p, record=jc.Record(every=2)),
        r"record\.every: there 0, here 2",
    ),
    "tile": (lambda p: jc.simulate(Dice(), 20, 4, store=p, tile=2), r"tile 4, not 2"),
}


@pytest.mark.parametrize("what", DIFFERENT)
def test_another_run_is_refused_with_the_differences(what, tmp_path):
    path = tmp_path / "run"
    jc.simulate(Dice(), 20, 4, store=path)
    action, match = DIFFERENT[what]
    refused(path, match, lambda: action(path))


def test_several_differences_are_listed_together(tmp_path):
    path = tmp_path / "run"
    jc.simulate(Dice(), 20, 4, store=path)
    refused(path, r"run\.seed.*run\.steps", lambda: jc.simulate(Dice(), 30, 4, seed=1, store=path))


def test_a_newer_schema_is_refused(tmp_path):
    path = tmp_path / "run"
    jc.simulate(Dice(), 20, store=path)
    manifest = Manifest(path)
    manifest.load()
    manifest.content["schema"] = store.SCHEMA + 1
    manifest.save()
    for action in (lambda: jc.simulate(Dice(), 20, store=path), lambda: jc.load(path)):
        refused(path, f"newer version of jaxcoord, schema {store.SCHEMA + 1}", action)


def stepping(by, mode=1):
    """A model whose step adds a number that stands in its code, in one branch of a static field."""

    class Stepping(jc.Model):
        mode: int = jc.static(1, doc="which branch")
        height = jc.observable(doc="how far it is")

        def init(self, key):
            return jnp.float32(0)

        def step(self, state, key):
            return state + (by if self.mode == mode else 1.0)

        def observe(self, state):
            return {"height": state}

    return Stepping()


@pytest.mark.parametrize("changed", [1, 2])
def test_a_model_whose_code_has_changed_is_refused(changed, tmp_path, monkeypatch):
    monkeypatch.undo()
    path, over = tmp_path / "run", {"mode": [1, 2]}
    jc.sweep(stepping(2.0, changed), over, 5, store=path)
    jc.sweep(stepping(2.0, changed), over, 5, store=path)
    refused(path, r"versions\.program", lambda: jc.sweep(stepping(3.0, changed), over, 5, store=path))


@pytest.mark.parametrize("fresh", [False, True])
@pytest.mark.parametrize(
    "name",
    ["notes.txt", "work/notes.txt", "config.toml", "report.html", "figures/mine.png", "data.zarr/notes.txt"],
)
def test_a_folder_of_someone_else_is_left_alone(name, fresh, tmp_path):
    path = tmp_path / "mine"
    (path / name).parent.mkdir(parents=True)
    (path / name).write_text("precious")
    refused(path, "mine|run", lambda: jc.simulate(Dice(), 20, store=path, fresh=fresh))


@pytest.mark.parametrize("name", ["notes.txt", "work/notes.txt", "data.zarr/notes.txt"])
def test_fresh_keeps_foreign_files_of_a_run(name, tmp_path):
    path = tmp_path / "run"
    jc.simulate(Dice(), 20, store=path)
    (path / name).parent.mkdir(exist_ok=True)
    (path / name).write_text("precious")
    refused(path, "mine|run", lambda: jc.simulate(Dice(), 30, store=path, fresh=True))


def test_fresh_replaces_another_run(tmp_path):
    path = tmp_path / "run"
    jc.simulate(Dice(), 20, store=path)
    new = jc.simulate(Dice(), 30, seed=1, store=path, fresh=True)
    assert unequal(arrays(new), arrays(jc.simulate(Dice(), 30, seed=1))) == []


@pytest.fixture
def holder(tmp_path):
    """A process that holds the lock of the store `run`."""
    process = workers.start("hold", tmp_path / "run")
    assert process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.communicate()


def test_a_live_writer_is_named_and_a_dead_one_is_not_in_the_way(holder, tmp_path):
    path = tmp_path / "run"
    for fresh in (False, True):
        with pytest.raises(jc.StoreError, match=f"process {holder.pid} on .* is writing this run"):
            jc.simulate(Dice(), 20, store=path, fresh=fresh)
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    assert jc.simulate(Dice(), 20, store=path).sizes["step"] == 20


def test_a_lock_that_cannot_be_taken_is_not_kept(tmp_path, monkeypatch):
    """The error of a failed start is still held, as a notebook holds it, when the run is started again."""
    monkeypatch.setattr(durable, "os", Faulty(4, failing(errno.EIO)))
    with pytest.raises(jc.StoreError) as caught:
        jc.simulate(Dice(), 20, store=tmp_path / "run")
    monkeypatch.setattr(durable, "os", os)
    assert "Input/output error" in str(caught.value)
    assert jc.simulate(Dice(), 20, store=tmp_path / "run").sizes["step"] == 20


def test_a_run_can_be_read_while_it_is_written(tmp_path):
    path = tmp_path / "run"
    wanted = arrays(jc.simulate(Dice(), 20, store=path))
    held = Store(path)
    held.lock()
    try:
        assert unequal(arrays(jc.load(path)), wanted) == []
    finally:
        held.unlock()


@pytest.mark.parametrize("name", ["..", ".", "", "a/b", "/etc/run", "-x", ".hidden", "a b", "a\n", "x" * 65, "run\0"])
def test_a_name_that_is_not_plain_is_refused(name, tmp_path):
    with pytest.raises(jc.ParameterError, match="letters, digits"):
        store.resolve(name, tmp_path)


def test_a_link_that_leaves_the_folder_is_refused(tmp_path):
    (tmp_path / "results").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "results" / "run").symlink_to(tmp_path / "outside")
    for action in (lambda p: jc.simulate(Dice(), 20, store=p), jc.load):
        with pytest.raises(jc.ParameterError, match="link that leaves"):
            action(tmp_path / "results" / "run")
    assert list((tmp_path / "outside").iterdir()) == []


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "run").write_text("precious")
    with pytest.raises(jc.StoreError, match="run"):
        jc.simulate(Dice(), 20, store=tmp_path / "run")
    with pytest.raises(jc.StoreError, match="no such run"):
        jc.load(tmp_path / "run")
    assert (tmp_path / "run").read_text() == "precious"


def test_a_folder_without_permission_is_refused(tmp_path, monkeypatch):
    class Denied(Faulty):
        def __getattr__(self, name):
            if name == "open":
                return lambda *_: failing(errno.EACCES)(os.open, ())
            return super().__getattr__(name)

    monkeypatch.setattr(durable, "os", Denied())
    with pytest.raises(jc.StoreError, match="Permission denied") as caught:
        jc.simulate(Dice(), 20, store=tmp_path / "run")
    assert is_one_line(caught.value, tmp_path)


def test_a_folder_without_a_run_is_not_loaded(tmp_path):
    (tmp_path / "run").mkdir()
    with pytest.raises(jc.StoreError, match="no manifest"):
        jc.load(tmp_path / "run")


class Nested(jc.Model):
    """A model whose fields are not plain numbers: a tuple and an array."""

    names: tuple = jc.static(("a", "b"), doc="a tuple")
    payoff: np.ndarray = jc.param([[1, 2], [3, 4]], doc="an array", shape=("S", "S"))
    height = jc.observable(doc="how far it is")

    def init(self, key):
        return jnp.float32(len(self.names))

    def step(self, state, key):
        return state + jnp.asarray(self.payoff).sum()

    def observe(self, state):
        return {"height": state}


@pytest.mark.parametrize(
    "over",
    [
        {},
        {"payoff": [[[1, 2], [3, 4]], [[0, 0], [0, 1]]]},
        {"payoff": [((1, 2), (3, 4)), ((0, 0), (0, 1))]},
        {"payoff": np.arange(8.0).reshape(2, 2, 2)},
        {"names": [("a",), ("b", "c")]},
        [{"payoff": np.eye(2)}, {"payoff": ((1, 2), (3, 4))}],
    ],
)
def test_whatever_was_asked_can_be_asked_again(over, tmp_path):
    first = arrays(jc.sweep(Nested(), over, 5, store=tmp_path / "run"))
    assert unequal(arrays(jc.sweep(Nested(), over, 5, store=tmp_path / "run")), first) == []


# What is read back


def test_types_labels_units_and_attributes_survive_the_disk(tmp_path):
    on_disk, in_memory = walkers(tmp_path / "run"), walkers(None)
    assert unequal(arrays(on_disk), arrays(in_memory)) == []
    kinds = {name: on_disk[name].dtype for name in on_disk.data_vars}
    assert kinds == {"place": np.float32, "spread": np.float32, "crossings": np.int32, "ahead": np.bool_}
    assert on_disk.place.dims == ("rate", "replicate", "step", "walker")
    assert on_disk.spread.dims == ("rate", "replicate", "step")
    assert list(on_disk.walker.values) == ["w0", "w1", "w2", "w3", "w4"]
    for name in [*in_memory.data_vars, *in_memory.coords]:
        assert on_disk[name].attrs == in_memory[name].attrs, name
    assert on_disk.place.attrs == {"units": "m", "long_name": "where each walker is"}
    differ = {name for name in in_memory.attrs if on_disk.attrs[name] != in_memory.attrs[name]}
    assert differ <= {"title", "versions", "seconds", "compile_seconds"}
    assert on_disk.attrs["tile"] == 4


def test_variables_come_in_the_order_of_the_model_and_swept_samples_are_coordinates(tmp_path):
    """On disk and in memory; folders of a store have no order, and the first variable is what is drawn."""
    samples = [{"rate": 0.2}, {"rate": 0.4}, {"rate": 0.3}]
    for data in (jc.sweep(Walkers(), samples, 2, store=tmp_path / "run"), jc.sweep(Walkers(), samples, 2)):
        assert list(data.data_vars) == ["place", "spread", "crossings", "ahead"]
        assert "rate" in data.coords


def test_a_block_that_is_not_there_reads_as_not_a_number(truth):
    half = jc.load(truth / "half")
    whole = jc.load(truth / "whole")
    missing = np.isnan(half.spread.values)
    assert 0 < missing.sum() < missing.size
    np.testing.assert_array_equal(half.spread.values[~missing], whole.spread.values[~missing])
