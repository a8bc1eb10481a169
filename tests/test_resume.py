"""Runs that are killed or stopped anywhere go on where they were, and end equal to the last bit."""

import json
import shutil
import signal
import threading
import time

import numpy as np
import pytest
import workers
from workers import RUNS, arrays, files, unequal

import jaxcoord as jc
from jaxcoord.engine import plan, runner


@pytest.fixture
def small(monkeypatch):
    """Small blocks, short calls, programs compiled once."""
    monkeypatch.setattr(plan, "BLOCK_BYTES", 2700)
    monkeypatch.setattr(runner, "CALL_SECONDS", 0.004)
    workers.share_programs(monkeypatch)


@pytest.fixture(scope="module")
def truth(tmp_path_factory):
    """The uninterrupted runs, and the folder of compiled programs that the killed processes share."""
    folder = tmp_path_factory.mktemp("truth")
    for name in RUNS:
        workers.finish(workers.start("run", name, folder / name, cache=folder / "cache"))
    return folder


def listed(store):
    """The block files that the manifest lists, as they are."""
    try:
        whole = json.loads((store / "manifest.json").read_text())
    except FileNotFoundError:
        return {}
    names = {name for block in whole["manifest"]["blocks"].values() for name in block["files"]}
    return {name: facts for name, facts in files(store).items() if name in names}


def kill_often(name, kills, store, truth, seed):
    """Kill a run so many times, by the clock and at its system calls in turn, and take it to its end."""
    random = np.random.default_rng(seed)
    wanted = arrays(jc.load(truth / name))
    done, in_the_middle = 0, 0
    before = {}
    while True:
        last, by_clock = done == kills, done % 2 == 0
        at_call = 0 if last or by_clock else int(random.integers(1, 400))
        process = workers.start("run", name, store, at_call, cache=truth / "cache")
        process.stdout.readline()
        if not last and by_clock:
            time.sleep(random.uniform(0, 0.8))
            process.kill()
        _, problems = process.communicate(timeout=120)
        assert process.returncode in (0, -signal.SIGKILL), problems[-3000:]
        after = listed(store)
        for block, facts in before.items():
            assert after[block] == facts, f"{block} was written again"
        before = after
        if process.returncode:
            done += 1
            in_the_middle += 0 < len(after) < len(listed(truth / name))
            continue
        assert unequal(arrays(jc.load(store)), wanted) == []
        if last:
            return in_the_middle
        shutil.rmtree(store)
        before = {}


@pytest.mark.parametrize("name", RUNS)
def test_a_run_that_is_killed_goes_on(name, tmp_path, truth):
    kill_often(name, 4, tmp_path / "run", truth, seed=11)


@pytest.mark.slow
@pytest.mark.parametrize("name", RUNS)
def test_a_run_that_is_killed_twenty_times_goes_on(name, tmp_path, truth):
    assert kill_often(name, 20, tmp_path / "run", truth, seed=12) >= 3


def stop_often(run, store, seed, within):
    """Stop a run after a random time, again and again, until it is complete; how often it took."""
    random = np.random.default_rng(seed)
    for times in range(200):
        stop = threading.Event()
        # The first two come before any machine can be done.
        timer = threading.Timer(random.uniform(0, within if times > 1 else within / 20), stop.set)
        timer.start()
        try:
            run(store, stop=stop)
            return times
        except jc.Interrupted:
            pass
        finally:
            timer.cancel()
    raise AssertionError("200 stops and no end")


@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("seed", [0, 1])
def test_time_in_pieces_gives_the_bits_of_time_in_one(name, seed, tmp_path, truth, small):
    within = {"many_blocks": 0.1, "long_run": 0.25}[name]
    assert stop_often(RUNS[name], tmp_path / "run", seed, within) >= 2
    assert unequal(arrays(jc.load(tmp_path / "run")), arrays(jc.load(truth / name))) == []


@pytest.mark.parametrize("seconds", [0.0005, 0.02, 10.0])
@pytest.mark.parametrize("name", RUNS)
def test_the_length_of_a_call_changes_no_bit(name, seconds, truth, small, monkeypatch):
    monkeypatch.setattr(runner, "CALL_SECONDS", seconds)
    assert unequal(arrays(RUNS[name](None)), arrays(jc.load(truth / name))) == []


def test_a_finished_run_leaves_only_what_it_lists(tmp_path, truth):
    """Files of killed writes and of checkpoints that have served are not left to pile up."""
    store = tmp_path / "run"
    codes = []
    for at_call in (40, 63, 100, 131, 0):
        process = workers.start("run", "long_run", store, at_call, cache=truth / "cache")
        process.communicate(timeout=120)
        codes.append(process.returncode)
    # A fast machine takes fewer checkpoints, so a later start may come to its end before its kill.
    assert codes[0] == -signal.SIGKILL
    assert set(codes[1:-1]) <= {0, -signal.SIGKILL}
    assert codes[-1] == 0
    assert files(store).keys() - {".lock"} == files(truth / "long_run").keys() - {".lock"}


def test_a_run_that_is_complete_is_not_run_again(tmp_path, small):
    store = tmp_path / "run"
    first, before = workers.few_blocks(store), files(store)
    again = workers.few_blocks(store)
    assert unequal(arrays(again), arrays(first)) == []
    assert files(store) == before
