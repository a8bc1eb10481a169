"""The command line: what it prints, what it writes, and how it refuses."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import jaxcoord as jc
from jaxcoord.cli import main as cli

SMALL = """
[model]
name = "pairwise-comparison"
size = 20
events = 20
[model.game]
name = "ai-race"
[sweep]
risk = "linspace(0, 1, 3)"
speed = [1.5, 3]
[run]
steps = 10
replicates = 4
"""
PLUGIN = """
import jax
import jaxcoord as jc

class Walk(jc.Model, name="plugged-walk"):
    '''A random walk.'''
    drift: float = jc.param(0.0, doc="mean of a step")
    x = jc.observable(doc="position")
    def init(self, key):
        return jax.numpy.zeros(())
    def step(self, state, key):
        return state + self.drift + jax.random.normal(key)
    def observe(self, state):
        return {"x": state}
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("small.toml").write_text(SMALL)
    return tmp_path


def command(*arguments):
    """Exit code of a command run in this process."""
    with pytest.raises(SystemExit) as ended:
        cli.main(list(arguments))
        sys.exit(0)
    return ended.value.code or 0


def test_help_imports_nothing_heavy():
    code = (
        "import sys\nfrom jaxcoord.cli.main import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: pass\n"
        "print([m for m in ('jax', 'numpy', 'xarray', 'zarr', 'matplotlib', 'scipy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("[]\n")
    assert "run" in done.stdout


def test_import_stays_light():
    code = "import sys, jaxcoord; print([m for m in ('jax', 'xarray', 'zarr', 'matplotlib') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


def test_models_lists_ours(capsys):
    assert command("models") == 0
    out = capsys.readouterr().out
    assert "pairwise-comparison" in out
    assert "ai-race" in out


def test_describe_shows_parameters_ranges_observables_and_source(capsys):
    assert command("describe", "pairwise-comparison") == 0
    out = capsys.readouterr().out
    for word in ("beta", "at least 0", "1/payoff", "frequency", "strategy", "Traulsen", "game.v", "static"):
        assert word in out


def test_run_writes_data_config_manifest_and_figure(folder, capsys):
    assert command("run", "small.toml") == 0
    out = capsys.readouterr().out
    assert "24 populations (6 points x 4 replicates)" in out
    run = folder / "results" / "small"
    for name in ("config.toml", "manifest.json", "data.zarr", "figures/frequency.png"):
        assert (run / name).exists()
        assert name.partition("/")[0] in out or name in ("config.toml", "manifest.json")
    data = jc.load(run)
    assert dict(data.sizes) == {"risk": 3, "speed": 2, "replicate": 4, "step": 10, "strategy": 3}
    assert list(data.strategy.values) == ["AS", "AU", "CS"]
    assert np.isfinite(data.frequency.values).all()
    manifest = json.loads((run / "manifest.json").read_text())["manifest"]
    assert manifest["blocks"]


def test_xarray_opens_the_store_without_us(folder):
    import xarray

    assert command("run", "small.toml", "--no-figure") == 0
    data = xarray.open_zarr(folder / "results" / "small" / "data.zarr", consolidated=False)
    assert data.frequency.dims == ("risk", "speed", "replicate", "step", "strategy")
    assert data.frequency.attrs["long_name"] == "share of each strategy in the population"
    assert data.strategy.attrs["labels"] == ["AS", "AU", "CS"]
    np.testing.assert_array_equal(data.risk, [0, 0.5, 1])


def test_running_again_changes_nothing(folder, capsys):
    assert command("run", "small.toml", "--no-figure") == 0
    chunks = sorted((folder / "results" / "small" / "data.zarr" / "frequency").glob("c.*"))
    before = [c.stat().st_mtime_ns for c in chunks]
    assert command("run", "small.toml", "--no-figure") == 0
    assert chunks
    assert before == [c.stat().st_mtime_ns for c in chunks]


def test_plot_draws_png_and_svg(folder):
    assert command("run", "small.toml", "--no-figure") == 0
    assert command("plot", "results/small", "--out", "race.svg") == 0
    assert command("plot", "results/small") == 0
    assert Path("race.svg").read_text().lstrip().startswith("<?xml")
    assert Path("results/small/figures/frequency.png").read_bytes().startswith(b"\x89PNG")


def test_dry_run_prints_and_writes_nothing(folder, capsys):
    assert command("run", "small.toml", "--dry-run") == 0
    out = capsys.readouterr().out
    for word in ("points", "populations", "24", "memory", "disk", "files"):
        assert word in out
    assert not (folder / "results").exists()


def test_seed_name_set_and_out(folder):
    arguments = ("run", "small.toml", "--no-figure", "--out", "elsewhere")
    assert command(*arguments, "--name", "one", "--seed", "1", "--set", "model.speed=2", "--set", "sweep.risk=0.5") == 2
    assert command(*arguments, "--name", "one", "--seed", "1", "--set", "sweep.risk=0.5") == 0
    assert command(*arguments, "--name", "two", "--seed", "2", "--set", "sweep.risk=0.5") == 0
    one, two = jc.load("elsewhere/one"), jc.load("elsewhere/two")
    assert list(one.risk.values) == [0.5]
    assert not np.array_equal(one.frequency.values, two.frequency.values)


def test_log_json_is_json(folder, capsys):
    assert command("run", "small.toml", "--no-figure", "--log-json") == 0
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert lines[-1]["population_steps"] == lines[-1]["population_steps_total"] == 24 * 10


def test_plugin_makes_a_model_available(folder, monkeypatch):
    monkeypatch.syspath_prepend(str(folder))
    Path("walking.py").write_text(PLUGIN)
    Path("walk.toml").write_text('[model]\nname = "plugged-walk"\n[sweep]\ndrift = [0, 1]\n[run]\nsteps = 5\n')
    assert command("run", "walk.toml", "--plugin", "walking", "--no-figure") == 0
    assert jc.load("results/walk").x.dims == ("drift", "replicate", "step")
    assert command("describe", "plugged-walk", "--plugin", "walking") == 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run", "none.toml"), ["none.toml", "No such file"]),
        (("run", "small.toml", "--set", "run.steps=0"), ["run.steps", "0", "1 to"]),
        (("run", "small.toml", "--set", "model.beta=-1"), ["beta", "-1", "at least 0"]),
        (("run", "small.toml", "--name", "../up"), ["../up"]),
        (("run", "small.toml", "--plugin", "no_such_module"), ["--plugin", "no_such_module"]),
        (("run", "small.toml", "--device", "tpu"), ["tpu"]),
        (("run", "small.toml", "--processes", "2"), ["--coordinator", "--process-id"]),
        (("run", "small.toml", "--set", "sweep.risk=linspace(0,1,1000000)", "--set", "sweep.mu=linspace(0,1,1000000)"),
         ["2e+12 points"]),
        (("describe", "pairwise"), ["pairwise", "'pairwise-comparison'"]),
        (("plot", "results/none"), ["results/none", "no such run"]),
        (("config", "check", "small.toml", "--set", "modle.x=1"), ["modle", "'model'"]),
    ],
)  # fmt: skip
def test_refusal_is_short_and_names_the_remedy(folder, arguments, words):
    done = subprocess.run(
        [sys.executable, "-m", "jaxcoord.cli.main", *arguments], capture_output=True, text=True, cwd=folder
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    for word in words:
        assert word in done.stderr
    assert not (folder / "results").exists()


def test_another_config_is_refused_and_nothing_lost(folder, capsys):
    assert command("run", "small.toml", "--no-figure") == 0
    before = jc.load("results/small").load()
    assert command("run", "small.toml", "--no-figure", "--set", "model.beta=2") == 2
    err = capsys.readouterr().err
    assert "model.beta: there 1.0, here 2.0" in err
    assert "--fresh" in err
    assert command("run", "small.toml", "--no-figure", "--no-resume") == 2
    assert jc.load("results/small").load().equals(before)
    assert command("run", "small.toml", "--no-figure", "--set", "model.beta=2", "--fresh") == 0
    assert not jc.load("results/small").load().equals(before)


def test_a_path_that_cannot_be_written_is_one_line(folder, capsys):
    Path("results").write_text("a file where the folder should be")
    assert command("run", "small.toml", "--no-figure") == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
    assert Path("results").read_text() == "a file where the folder should be"


@pytest.mark.slow
def test_terminated_run_goes_on_to_the_same_data(folder):
    changes = ["--set", "run.steps=300000", "--set", "run.replicates=64", "--set", "record.every=150000", "--no-figure"]
    whole = [sys.executable, "-m", "jaxcoord.cli.main", "run", "small.toml", *changes]
    process = subprocess.Popen([*whole, "--name", "stopped"], cwd=folder, stderr=subprocess.PIPE, text=True)
    manifest = folder / "results" / "stopped" / "manifest.json"
    deadline = time.monotonic() + 60
    while not manifest.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(1)
    begun = time.monotonic()
    process.send_signal(signal.SIGTERM)
    _, err = process.communicate(timeout=60)
    assert time.monotonic() - begun < 30
    assert process.returncode == cli.RESUMABLE
    assert "same command" in err
    environment = os.environ | {"JAXCOORD_TRACEBACK": "1"}
    assert subprocess.run([*whole, "--name", "stopped"], cwd=folder, env=environment).returncode == 0
    assert subprocess.run([*whole, "--name", "straight"], cwd=folder, env=environment).returncode == 0
    assert jc.load(folder / "results/stopped").load().equals(jc.load(folder / "results/straight").load())


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("rnu",), ["rnu", "'run'"]),
        (("run", "small.toml", "--sed", "3"), ["--sed", "'--seed'"]),
        (("run", "small.toml", "--seed", "x"), ["--seed", "'x'", "jaxcoord run --help"]),
        (("run", "small.toml", "--device", "gup"), ["gup", "cpu"]),
        (("run",), ["PATH", "TOML"]),
        (("config", "chek", "small.toml"), ["chek", "check"]),
    ],
)
def test_wrong_arguments_are_one_line(folder, arguments, words, capsys):
    assert command(*arguments) == 2
    err = capsys.readouterr().err
    assert len(err.strip().splitlines()) == 1
    for word in words:
        assert word in err


def test_fresh_replaces_a_run_with_its_figure(folder):
    for _ in range(3):
        assert command("run", "small.toml", "--fresh") == 0
    assert Path("results/small/figures/frequency.png").exists()


def test_a_model_that_cannot_start_costs_no_earlier_run(tmp_path):
    import jax.numpy as jnp

    class Fine(jc.Model, name="test-cli-fine"):
        x = jc.observable(doc="anything")
        init = lambda self, key: jnp.zeros(())  # noqa: E731
        step = lambda self, state, key: state + 1  # noqa: E731
        observe = lambda self, state: {"x": state}  # noqa: E731

    class Broken(Fine, name="test-cli-broken"):
        step = lambda self, state, key: jnp.stack([state, state])  # noqa: E731

    before = jc.simulate(Fine(), 10, store=tmp_path / "run").load()
    with pytest.raises(jc.ParameterError, match="shape and type"):
        jc.simulate(Broken(), 10, store=tmp_path / "run", fresh=True)
    assert jc.load(tmp_path / "run").load().equals(before)
