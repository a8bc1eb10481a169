"""Configs are data: valid ones run, faulty ones are refused whole with every fault named, nothing is executed."""

import tomllib
from unittest import mock

import pytest
import tomli_w
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import jaxcoord as jc
from jaxcoord import config
from jaxcoord.errors import ConfigError

NAN = float("nan")
VALID = """
name = "small"
[model]
name = "pairwise-comparison"
beta = 0.1
size = 20
[model.game]
name = "ai-race"
speed = 1.5
[sweep]
risk = "linspace(0, 1, 3)"
[run]
steps = 10
replicates = 2
[record]
every = 5
"""


def problems(table, changes=()):
    with pytest.raises(ConfigError) as caught:
        config.build(table, changes)
    return caught.value.problems


def table(text=VALID, **sections):
    return tomllib.loads(text) | sections


def test_valid_config_runs_and_reads_back_the_same(tmp_path):
    path = tmp_path / "small.toml"
    path.write_text(VALID)
    first = config.read(path)
    data = jc.sweep(**first.arguments(), store=tmp_path / "results" / "small")
    assert dict(data.sizes) == {"risk": 3, "replicate": 2, "step": 2, "strategy": 3}
    # What the store keeps is complete and describes the same run.
    again = config.read(tmp_path / "results" / "small" / "config.toml")
    assert jc.sweep(**again.arguments()).equals(data.load())


def test_name_defaults_to_the_file(tmp_path):
    path = tmp_path / "other.toml"
    path.write_text(VALID.replace('name = "small"\n', ""))
    assert config.read(path).name == "other"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("model.speed=2", ("game.speed", 2.0)),
        ("model.game.speed=2", ("game.speed", 2.0)),
        ("model.beta=0.5", ("beta", 0.5)),
    ],
)
def test_set_changes_a_parameter_by_path_or_short_name(change, expected):
    from jaxcoord.model import get

    assert get(config.build(table(), [change]).model, expected[0]) == expected[1]


def test_set_changes_sweep_run_record_and_parts():
    changes = [
        "sweep.risk=linspace(0,1,33)",
        "sweep.game.speed=[1, 2]",
        "run.steps=50",
        'record.kind="mean"',
        "model.game.name=ai-race",
    ]
    found = config.build(table(), changes)
    assert found.over == {"risk": "linspace(0,1,33)", "game.speed": [1, 2]}
    assert (found.run.steps, found.record.kind) == (50, "mean")


@pytest.mark.parametrize(
    ("sections", "changes", "words"),
    [
        ({"modle": {}}, (), ["modle", "'model'"]),
        ({"model": {"name": "pairwise-comparisons"}}, (), ["model.name", "'pairwise-comparison'"]),
        ({"model": {"name": "pairwise-comparison", "betta": 1}}, (), ["model.betta", "'beta'"]),
        ({"model": {"name": "pairwise-comparison", "beta": "high"}}, (), ["model.beta", "'high'", "at least 0"]),
        ({"model": {"name": "pairwise-comparison", "beta": -1}}, (), ["model.beta", "-1", "at least 0"]),
        ({"model": {"name": "pairwise-comparison", "size": 2.5}}, (), ["model.size", "2.5", "whole number"]),
        ({"model": {"name": "pairwise-comparison", "beta": float("nan")}}, (), ["model.beta", "nan", "not finite"]),
        (
            {"model": {"name": "pairwise-comparison", "game": {"name": "hawk-dove", "v": True}}},
            (),
            ["model.game.v", "number"],
        ),
        (
            {"model": {"name": "pairwise-comparison", "game": {"name": "matrix-game", "matrix": [[NAN, 2], [0, 1]]}}},
            (),
            ["matrix", "nan", "not finite"],
        ),
        (
            {"model": {"name": "pairwise-comparison", "game": {"name": "matrix-game", "matrix": [[1, 2], [3]]}}},
            (),
            ["model.game.matrix", "array"],
        ),
        ({"model": {"name": "ai-race"}}, (), ["model.name", "unknown model"]),
        ({"model": 3}, (), ["model = 3", "table"]),
        ({}, ("run.steps=0",), ["run.steps", "0", "1 to"]),
        ({}, ("run.stpes=5",), ["run.stpes", "'steps'"]),
        ({}, ("run.design=gird",), ["run.design", "'grid'"]),
        ({}, ("run.design=sobol",), ["samples"]),
        ({}, ("record.kind=maen",), ["record.kind", "'mean'"]),
        ({}, ("record.every=11",), ["record.every", "11", "10"]),
        ({}, ("record.burn_in=10",), ["record.burn_in", "10"]),
        ({}, ("record.only=[\"frequencies\"]",), ["record.only", "'frequency'"]),
        ({}, ("record.reduce=[\"avg\"]",), ["record.reduce", "'avg'", "mean"]),
        ({}, ("sweep.risk=[0.5, 2.0]",), ["sweep.risk", "2.0", "0 to 1"]),
        ({}, ("sweep.risk=linspace(0,1)",), ["sweep.risk", "linspace(first, last, number)"]),
        ({}, ("sweep.risk=linspcae(0,1,3)",), ["sweep.risk", "'linspace'"]),
        ({}, ("sweep.risk=__import__('os')",), ["sweep.risk", "not a range"]),
        ({}, ("sweep.rsik=[0.5]",), ["rsik", "'risk'"]),
        ({}, ("sweep.risk=[]",), ["sweep.risk", "at least one"]),
        ({}, ("sweep.risk=linspace(0,1,1000000000000)",), ["sweep.risk", "1e+12"]),
        (
            {"sweep": {"risk": "linspace(0,1,1000000)", "speed": "linspace(1,2,1000000)"}},
            (),
            ["1e+12 points", "fewer values"],
        ),
        ({}, ("model.risk=0.5",), ["model.risk", "sweep.risk"]),
        ({}, ("name=../other",), ["name", "'../other'"]),
        ({}, ("name=/tmp/other",), ["name"]),
        ({"plugin": "os"}, (), ["plugin", "--plugin"]),
        ({"import": ["os"]}, (), ["import", "--plugin"]),
        ({"model": {"name": "os.system"}}, (), ["model.name", "os.system"]),
    ],
)  # fmt: skip
def test_fault_is_named_with_the_remedy(sections, changes, words):
    text = "\n".join(problems(table(**sections), changes))
    for word in words:
        assert word in text


def test_every_fault_is_listed_at_once():
    found = problems(table(extra=1, run={"steps": 0, "relicates": 3}), ["model.beta=-1"])
    text = "\n".join(found)
    assert len(found) == 4
    for word in ("extra", "run.steps", "run.relicates", "model.beta"):
        assert word in text


@pytest.mark.parametrize("content", [b"\xff\xfe", b"a = ", b"[model", b"x = " + b"[" * 5000])
def test_unreadable_file_is_one_line(tmp_path, content):
    path = tmp_path / "bad.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        config.read(path)
    assert "\n" not in str(caught.value)


def test_missing_file_names_itself(tmp_path):
    with pytest.raises(ConfigError, match="none.toml"):
        config.read(tmp_path / "none.toml")


scalars = st.one_of(
    st.none().map(lambda _: "none"), st.booleans(), st.integers(-(10**20), 10**20), st.floats(), st.text(max_size=20),
    st.sampled_from(["linspace(0,1,3)", "__import__('os')", "../../etc", "hawk-dove", "ai-race", "grid", "mean"]),
)  # fmt: skip
values = st.recursive(
    scalars, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.text(max_size=8), v, max_size=3), max_leaves=6
)
KEYS = st.sampled_from(
    "name model sweep run record steps replicates seed design samples tile every kind burn_in only reduce beta mu size "
    "events game v c speed risk points plugin".split()
)


@settings(max_examples=300, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(st.lists(st.tuples(st.lists(KEYS, min_size=1, max_size=3), values), min_size=1, max_size=4))
def test_fuzzed_config_is_accepted_or_refused_in_words(edits):
    broken = table()
    for path, value in edits:
        inner = broken
        for key in path[:-1]:
            inner = inner.setdefault(key, {}) if isinstance(inner, dict) else {}
            if not isinstance(inner, dict):
                break
        if isinstance(inner, dict):
            inner[path[-1]] = value
    try:
        broken = tomllib.loads(tomli_w.dumps(broken))
    except (TypeError, ValueError):
        pass  # not expressible in TOML; still data
    forbidden = AssertionError("a config was executed")
    with mock.patch("builtins.eval", side_effect=forbidden), mock.patch("os.system", side_effect=forbidden):
        try:
            config.build(broken)
        except ConfigError as error:
            assert error.problems
            assert all(problem.strip() for problem in error.problems)
