"""The README's own programs run as they are printed."""

import re
import runpy
from pathlib import Path

import jax
import pytest

import jaxcoord as jc
from jaxcoord.engine import conformance

README = (Path(__file__).parent.parent / "README.md").read_text()
PROGRAMS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
DRIFT = PROGRAMS[-1]


@pytest.mark.parametrize(
    ("program", "picture"), list(zip(PROGRAMS, ["hawks.png", "invasion.png", "payoffs.png", "drift.png"], strict=True))
)
def test_program_runs_and_draws(program, picture, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("program.py").write_text(program)
    runpy.run_path("program.py", run_name="__main__")
    assert Path(picture).read_bytes().startswith(b"\x89PNG")


def test_own_model_takes_twenty_lines_and_conforms(tmp_path):
    lines = DRIFT.partition("class Drift")[2].partition("if __name__")[0].splitlines()
    assert sum(bool(line.strip()) for line in lines) <= 20
    (tmp_path / "drift.py").write_text(DRIFT)
    drift = runpy.run_path(str(tmp_path / "drift.py"))["Drift"]
    conformance.check(drift(size=20))


def test_own_model_has_the_stationary_mean_of_neutral_drift(tmp_path):
    (tmp_path / "drift.py").write_text(DRIFT)
    drift = runpy.run_path(str(tmp_path / "drift.py"))["Drift"]
    runs = jc.simulate(drift(size=50, mutation=0.05), 200, 2000, record=jc.Record(every=200))
    share = runs.share.isel(step=-1)
    # Symmetric mutation leaves a mean of one half.
    assert abs(float(share.mean()) - 0.5) < 4 * float(share.std(ddof=1)) / 2000**0.5


def test_commands_of_the_readme_exist():
    from jaxcoord.cli.main import COMMANDS

    used = set(re.findall(r"^    jaxcoord (\w+)", README, re.MULTILINE))
    assert used
    assert used <= set(COMMANDS)
    assert jax.__version__
