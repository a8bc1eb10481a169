"""Experiments at reduced size: every number holds, and a wrong one is told."""

import subprocess
import sys
from pathlib import Path

import pytest

from experiments.__main__ import names
from experiments.verdict import Row

ROOT = Path(__file__).parent.parent
QUICK = ("fermi-fixation",)  # `make experiments-small` runs all of them, in one process


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in names()]
)
@pytest.mark.slow
def test_experiment_holds_at_small_size(name, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "experiments", name, "--small", "--out", str(tmp_path)],
        capture_output=True, text=True, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "published" in done.stdout
    figure = Path(next(line for line in done.stdout.splitlines() if line.startswith("figure in")).split()[-1])
    assert figure.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(("measured", "holds"), [(1.0, True), (1.09, True), (1.11, False), (float("nan"), False)])
def test_verdict_follows_the_tolerance(measured, holds):
    assert Row("x", measured, 1.0, 0.1, "nowhere").holds is holds


def test_failing_number_gives_exit_code_one(tmp_path):
    code = (
        "import sys, experiments.__main__ as m, experiments.fermi_fixation as f\n"
        "payoff, beta, published = f.GAMES['snowdrift']\n"
        "f.GAMES = {'snowdrift': (payoff, beta, published + 0.2)}\n"
        f"f.draw = lambda panels: __import__('matplotlib.figure').figure.Figure()\n"
        f"sys.argv = ['experiments', 'fermi-fixation', '--small', '--out', {str(tmp_path)!r}]\n"
        "sys.exit(m.main())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "FAILS" in done.stdout


def test_unknown_experiment_names_the_nearest():
    done = subprocess.run(
        [sys.executable, "-m", "experiments", "fermi-fixatoin"], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 2
    assert "'fermi-fixation'" in done.stderr
