"""The naming game: scripts, the exact chain, a plain simulation beside ours, statistics of populations, room."""

import json
import math
from functools import partial

import jax
import numpy as np
import pytest
from cases import DATA

from jaxcoord import random
from jaxcoord.errors import ParameterError
from jaxcoord.language import naming
from jaxcoord.language.naming_model import NamingGame

CASES = json.loads((DATA / "communication_cases.json").read_text())
NAMES = {"t_conv": "time", "t_max": "time_of_most", "Nw_max": "most_words", "Nd_max": "most_distinct"}

scripted = partial(naming.naming_game_script, 4)


def of(kind, op):
    """The reference cases of an operation."""
    found = [case for case in CASES[kind] if case["op"] == op]
    assert found, op
    return found


def held(names):
    """Who has which words, as a list of sets."""
    return [set(words[:size].tolist()) for words, size in zip(np.asarray(names.words), names.size, strict=True)]


def by_hand(agents, events):
    """The game by its rules, on sets."""
    have, rows = [set() for _ in range(agents)], []
    for speaker, hearer, word in events:
        have[speaker] = have[speaker] or {word}
        success = word in have[hearer]
        if success:
            have[speaker], have[hearer] = {word}, {word}
        else:
            have[hearer].add(word)
        rows.append([success, sum(map(len, have)), len(set().union(*have))])
    return have, rows


def random_script(agents, length, seed):
    """Events that the rules allow: who has words says one of them, who has none its own number."""
    draw, have, events = np.random.default_rng(seed), [set() for _ in range(agents)], []
    for _ in range(length):
        speaker, hearer = draw.choice(agents, 2, replace=False)
        word = int(draw.choice(sorted(have[speaker]))) if have[speaker] else int(speaker)
        events.append([int(speaker), int(hearer), word])
        have = by_hand(agents, events)[0]
    return events


def test_scripts_equal_reference():
    for case in of("deterministic", "naming_game_script"):
        names, rows = naming.naming_game_script(case["inputs"]["n_agents"], case["inputs"]["events"])
        np.testing.assert_array_equal(rows, case["expected"]["success_total_distinct"])
        assert held(names) == [set(words) for words in case["expected"]["final_inventories"]]


def test_scripts_equal_the_rules_on_sets():
    for seed in range(6):
        events = random_script(7, 60, seed)
        names, rows = naming.naming_game_script(7, events)
        have, expected = by_hand(7, events)
        np.testing.assert_array_equal(rows, expected)
        assert held(names) == have
        counts = [sum(word in own for own in have) for word in range(7)]
        np.testing.assert_array_equal(names.holders, counts)
        assert int(names.dropped) == 0


def test_a_word_without_room_is_dropped_and_counted():
    events = [[0, 4, 0], [1, 4, 1], [2, 4, 2], [3, 4, 3], [4, 0, 0]]
    names, rows = naming.naming_game_script(5, events, room=2)
    assert int(names.dropped) == 2
    assert held(names)[4] == {0}  # it still agrees on what it has
    np.testing.assert_array_equal(np.asarray(rows)[:4, 1], [2, 4, 5, 6])
    assert int(rows[-1][1]) == 5


def test_exact_times_equal_reference_and_a_chain_by_hand():
    for case in of("statistical", "naming_game_exact"):
        mean, deviation = naming.naming_game_exact(case["params"]["n_agents"], case["params"]["beta"])
        assert mean == pytest.approx(case["expected"]["mean_steps"], rel=1e-9)
        assert deviation == pytest.approx(case["expected"]["sd_steps"], abs=1e-8)
    assert naming.naming_game_exact(3)[0] == pytest.approx(191 / 36)
    # Two agents always share a word after the first interaction, whatever beta.
    assert naming.naming_game_exact(2, 0.3) == pytest.approx((1.0, 0.0))


@partial(jax.jit, compiler_options={"xla_backend_optimization_level": 0})
def observed(model, keys, steps):
    """What is observed of many populations after some steps."""

    def run(key):
        body = lambda t, state: model.step(state, random.step_key(key, t + 1))  # noqa: E731
        return model.observe(jax.lax.fori_loop(0, steps, body, model.init(key)))

    return jax.vmap(run)(keys)


def played(model, keys, steps):
    """What is observed of many populations after some steps, as NumPy arrays."""
    return {name: np.asarray(values) for name, values in observed(model, keys, steps).items()}


def test_drawn_games_take_the_exact_time():
    """Mean and standard deviation of three agents with beta < 1, where all branches of the chain occur."""
    seen = played(NamingGame(0.4, size=3, events=50), jax.random.split(jax.random.key(0), 4000), 4)
    assert seen["consensus"].all()
    mean, deviation = naming.naming_game_exact(3, 0.4)
    assert seen["time"].mean() == pytest.approx(mean, abs=4 * deviation / math.sqrt(4000))
    assert seen["time"].std() == pytest.approx(deviation, rel=0.15)


def statistics(case, runs, steps, room=0, seed=0):
    """Distance of each statistic from the reference, in standard errors."""
    model = NamingGame(size=case["params"]["n_agents"], room=room, events=500)
    seen = played(model, jax.random.split(jax.random.key(seed), runs), steps)
    assert seen["consensus"].all()
    assert not seen["dropped"].any()
    assert (seen["most_distinct"] <= case["params"]["n_agents"] - 1).all()
    assert (seen["words"] == case["params"]["n_agents"]).all()
    off = {}
    for name, field in NAMES.items():
        expected, found = case["expected"][name], seen[field]
        off[name] = (found.mean() - expected["mean"]) / math.hypot(expected["se"], found.std() / math.sqrt(runs))
    return off


def test_ten_agents_agree_as_in_the_reference():
    off = statistics(of("statistical", "naming_game_statistics")[0], 1000, 2)
    assert max(map(abs, off.values())) < 4, off


@pytest.mark.slow
def test_populations_agree_as_in_the_reference():
    cases = of("statistical", "naming_game_statistics")
    for case, runs, steps, room in zip(cases, (4000, 800, 150, 30), (2, 10, 40, 240), (0, 0, 48, 64), strict=True):
        off = statistics(case, runs, steps, room, seed=1)
        assert max(map(abs, off.values())) < 4, (case["id"], off)


def test_without_agreement_words_only_accumulate():
    seen = played(NamingGame(0.0, size=10, events=500), jax.random.split(jax.random.key(3), 1000), 1)
    assert (seen["words"] == seen["most_words"]).all()
    assert (seen["distinct"] == seen["most_distinct"]).all()
    assert (seen["words"] == 10 * seen["distinct"]).mean() > 0.9  # everybody ends up knowing every word
    assert not seen["consensus"].any()


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: scripted([[0, 0, 1]]), r"events\[0\] = \[0, 0, 1\]: two different agents"),
        (lambda: scripted([[0, 1, 4]]), r"events\[0\] = \[0, 1, 4\]"),
        (lambda: scripted([0, 1, 4]), r"events: shape \(3,\)"),
        (lambda: naming.naming_game_exact(6), "agents = 6: out of range; allowed: 2 to 5"),
        (lambda: naming.naming_game_exact(3, 0.0), "beta = 0.0: a probability above 0"),
        (lambda: NamingGame(beta=1.5), "naming-game.beta = 1.5"),
        (lambda: NamingGame(size=1), "naming-game.size = 1"),
    ],
)
def test_what_is_not_allowed_is_named(call, said):
    with pytest.raises(ParameterError, match=said):
        call()
