"""Pairs that drift from a human protocol: what each pressure and each countermeasure does to the pair itself."""

import functools
import operator

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import jaxcoord as jc
from jaxcoord.errors import ParameterError
from jaxcoord.language import LanguageDrift, information
from jaxcoord.model import replace

TINY = {"attributes": 2, "values": 2, "vocabulary": 7, "length": 4, "hidden": 16, "embedding": 8, "school": 400}
MODEL = LanguageDrift(**TINY, caps=[4, 4], caps_from=[0, 1], updates=10)
POPULATIONS = 3


@functools.cache
def programs():
    """Compiled once for all parameters: start, step, what is said, and what is observed."""
    keys = jax.random.split(jax.random.key(0), POPULATIONS)
    start = jax.jit(jax.vmap(MODEL.init))(keys)
    step = jax.jit(lambda model, state, key: jax.vmap(model.step)(state, jax.random.split(key, POPULATIONS)))
    say = jax.jit(jax.vmap(lambda state: MODEL.say(state.agents.speaker)))
    return start, step, say, jax.jit(lambda model, state: jax.vmap(model.observe)(state))


def after(steps, **changes):
    start, step, _, _ = programs()
    model, state = replace(MODEL, changes), start
    for number in range(steps):
        state = step(model, state, jax.random.fold_in(jax.random.key(1), number))
    return state


def same(one, other):
    return all(np.array_equal(x, y) for x, y in zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True))


@pytest.mark.slow
def test_people_are_the_same_for_all_and_do_not_change():
    start, *_ = programs()
    for leaf in jax.tree.leaves(start.readers):
        assert (leaf == leaf[:1]).all()
    state = after(2)
    assert same(state.readers, start.readers)
    assert same(state.fluent, start.fluent)


@pytest.mark.slow
def test_pairs_leave_school_fluent():
    start, _, _, observe = programs()
    seen = observe(MODEL, start)
    assert (seen["comprehension"] > 0.9).all()
    assert (seen["reverse_comprehension"] > 0.9).all()
    assert (seen["task_accuracy"] > 0.9).all()
    assert (seen["comprehension_low"] <= seen["comprehension"]).all()
    assert (seen["comprehension"] <= seen["comprehension_high"]).all()
    assert (seen["fresh_accuracy"] > 0.9).all()


@pytest.mark.slow
def test_who_does_not_learn_does_not_drift():
    start, _, say, _ = programs()
    state = after(2, learning_rate=0.0, entropy=1.0)
    assert same(state.agents, start.agents)
    np.testing.assert_array_equal(say(state), say(start))


@pytest.mark.slow
@pytest.mark.parametrize("bound", [{"most_change": 0.0}, {"audit": 1.0}], ids=["cap on change", "audit"])
def test_speakers_forget_a_step_that_went_too_far_and_listeners_do_not(bound):
    start, _, say, _ = programs()
    hurried = {"entropy": 2.0, "learning_rate": 0.05}
    free, bound = after(3, **hurried), after(3, **hurried, **bound)
    assert (say(free) != say(start)).any()
    assert same(bound.agents.speaker, start.agents.speaker)
    assert not same(bound.agents.listener, start.agents.listener)
    assert (bound.step == 3).all()


@pytest.mark.slow
def test_an_anchor_holds_the_language():
    start, _, say, _ = programs()
    hurried = {"entropy": 0.5, "learning_rate": 0.02}
    held = (say(after(4, anchor=5.0, **hurried)) != say(start)).any(-1).mean()
    moved = (say(after(4, **hurried)) != say(start)).any(-1).mean()
    assert held < moved


@pytest.mark.slow
def test_a_newborn_listener_knows_nothing_and_the_speaker_stays():
    one, two = after(2, learning_rate=0.0, turnover=1), after(2, learning_rate=0.0)
    assert same(one.agents.speaker, two.agents.speaker)
    assert not same(one.agents.listener, two.agents.listener)
    assert same(after(1, learning_rate=0.0, turnover=1).agents, after(1, learning_rate=0.0).agents), "not before step 1"
    assert same(after(2, learning_rate=0.0, turnover=3).agents, two.agents)
    assert (one.optimiser.count == MODEL.updates).all(), "Adam begins anew with the newborn"
    assert (two.optimiser.count == 2 * MODEL.updates).all()


@pytest.mark.slow
def test_a_crowd_of_equals_is_seen_as_one_pair_and_its_listeners_leave_in_turn():
    crowd = LanguageDrift(**TINY, caps=[4, 4], caps_from=[0, 1], updates=1, pairs=2)
    start, _, _, observe = programs()
    alone = jax.tree.map(lambda leaf: leaf[0], start)
    twice = lambda tree: jax.tree.map(lambda leaf: jnp.concatenate([leaf, leaf]), tree)  # noqa: E731
    agents = twice(alone.agents)
    equal = alone._replace(agents=agents, fluent=agents.speaker, optimiser=optax.scale_by_adam().init(agents))
    seen, one = jax.jit(crowd.observe)(equal), observe(MODEL, start)
    for name in ("task_accuracy", "comprehension", "misled", "reverse_comprehension", "distinct", "linear_probe"):
        np.testing.assert_allclose(seen[name], one[name][0], atol=1e-6, err_msg=name)
    step = jax.jit(replace(crowd, {"learning_rate": 0.0, "turnover": 1}).step)
    later = step(step(equal, jax.random.key(1)), jax.random.key(2))
    first, second = (jax.tree.map(operator.itemgetter(n), later.agents.listener) for n in (0, 1))
    assert same(first, jax.tree.map(lambda leaf: leaf[0], equal.agents.listener))
    assert not same(second, first)


@pytest.mark.slow
def test_caps_cut_in_their_stages():
    _, _, _, observe = programs()
    model = replace(MODEL, {"caps": [3, 1], "caps_from": [0, 1]})
    lengths = [information.message_length(observe(model, after(n, caps=[3, 1]))["messages"]).max() for n in (0, 1, 2)]
    assert lengths[0] == 4
    assert lengths[1] == 3
    assert lengths[2] == 1


@pytest.mark.slow
def test_supervision_teaches_the_way_back():
    """The listener hears only noise from its partner; what it knows of people it has from people."""
    lost = {"noise": 1.0, "learning_rate": 0.03, "entropy": 1.0}
    _, _, _, observe = programs()
    alone, taught = (observe(MODEL, after(6, supervision=a, **lost)) for a in (0.0, 3.0))
    assert taught["reverse_comprehension"].mean() > alone["reverse_comprehension"].mean()
    assert taught["comprehension"].mean() > 0.9


@pytest.mark.slow
def test_a_student_takes_over_when_it_is_time():
    model = LanguageDrift(**TINY, updates=5, lessons=100, generation=2)
    key = jax.random.key(5)
    start = jax.jit(model.init)(key)
    step = jax.jit(model.step)
    first = step(start, jax.random.fold_in(key, 1))
    second = step(first, jax.random.fold_in(key, 2))
    assert same(first.student, start.student)
    assert not same(first.agents, start.agents)
    assert same(second.student, second.agents)
    said = model.say(second.agents.speaker)
    assert (np.asarray(said) == np.asarray(model.say(first.agents.speaker))).mean() > 0.7


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"length": 3}, "people need 4 symbols"),
        ({"vocabulary": 4}, "people need 5 symbols"),
        ({"caps": [1, 2, 3]}, "one for each"),
        ({"caps": [], "caps_from": []}, "at least one is needed"),
        ({"caps": [2, 1], "caps_from": [4, 1]}, "steps in rising order are needed"),
        ({"values": 1}, "2 to 100"),
        ({"noise": 1.5}, "0 to 1"),
    ],
)
def test_what_cannot_be_said_is_refused(changes, said):
    with pytest.raises(ParameterError, match=said):
        LanguageDrift(**TINY | changes)


@pytest.mark.slow
def test_a_divergent_rate_is_reported_with_population_and_step():
    model = LanguageDrift(**TINY | {"school": 1}, updates=20)
    record = jc.Record(every=1, only=("reward", "task_accuracy"))
    with pytest.warns(UserWarning, match="not finite from step"):
        data = jc.sweep(model, {"learning_rate": [1e-3, 10.0]}, 3, 1, record=record, progress=False)
    assert '"population": 1' in data.attrs["nonfinite"]
    assert jnp.isfinite(data.reward.isel(learning_rate=0).values).all()
