"""Referential games: what is learned, from what, by whom, and what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcoord.errors import ParameterError
from jaxcoord.language import information
from jaxcoord.language.efficiency import power_law
from jaxcoord.language.referential import ReferentialGame, candidate_scores, distinct_share
from jaxcoord.model import replace
from tests import cases

SMALL = {
    "attributes": 2, "values": 3, "vocabulary": 7, "length": 2, "pairs": 2, "hidden": 16, "embedding": 4, "batch": 32,
    "updates": 100, "architecture": "perceptron", "learning_rate": 1e-2, "entropy": 0.2,
}  # fmt: skip
LEARNS = ReferentialGame(**SMALL)
SEEN = ("accuracy", "chance", "loss", "message_length", "distinct")  # other measures take long to compile


def play(model, points, steps, seed=0):
    """Observables at the end, a leading axis for points of parameters; one compilation."""
    names = list(points[0])
    values = [jnp.asarray([point[name] for point in points], float) for name in names]

    @jax.jit
    @jax.vmap
    def run(key, *values):
        game = replace(model, dict(zip(names, values, strict=True)))
        step = lambda state, number: (game.step(state, jax.random.fold_in(key, 1 + number)), None)  # noqa: E731
        state = jax.lax.scan(step, game.init(key), jnp.arange(steps))[0]
        seen = game.observe(state)
        return {name: seen[name] for name in SEEN}

    return run(jax.random.split(jax.random.key(seed), len(points)), *values)


@pytest.fixture(scope="module")
def played():
    """Six communities each: as they are, with noise, with losses that leave nothing, with a cost that is too high."""
    conditions = {"plain": {}, "noise": {"noise": 1.0}, "dropout": {"dropout": 1.0}, "cost": {"length_cost": 5.0}}
    points = [
        {"noise": 0.0, "dropout": 0.0, "length_cost": 0.0} | changes
        for changes in conditions.values()
        for _ in range(6)
    ]
    seen = play(LEARNS, points, 6)
    return {
        name: {key: np.asarray(value)[6 * i : 6 * i + 6] for key, value in seen.items()}
        for i, name in enumerate(conditions)
    }


def test_a_code_is_learned(played):
    accuracy = played["plain"]["accuracy"]
    np.testing.assert_allclose(played["plain"]["chance"], 1 / 9)
    assert np.median(accuracy) > 0.95, accuracy
    assert accuracy.min() > 0.6, accuracy
    assert (played["plain"]["distinct"] >= accuracy - 0.5).all()


def test_where_every_symbol_is_another_less_is_understood(played):
    """What a symbol is not still tells a little, with K - 2 = 5 others alike."""
    assert played["noise"]["accuracy"].mean() < played["plain"]["accuracy"].mean() - 0.2
    assert played["noise"]["loss"].min() > played["plain"]["loss"].max()


def test_where_every_symbol_is_lost_listeners_guess(played):
    """All hear the same, nothing, so that the least loss is that of uniform guesses."""
    assert played["dropout"]["loss"].min() > 0.9 * np.log(LEARNS.values)
    assert played["plain"]["loss"].max() < played["dropout"]["loss"].min()


def test_a_cost_that_nothing_outweighs_silences(played):
    assert played["cost"]["message_length"].max() == 0
    np.testing.assert_allclose(played["cost"]["accuracy"], 1 / 9, atol=1e-6)
    assert played["plain"]["message_length"].min() > 0.8


ONE = ReferentialGame(**SMALL | {"updates": 1, "batch": 8, "hidden": 6})
INIT, OBJECTIVE = jax.jit(ONE.init), jax.jit(ONE._objective)
STEP = jax.jit(lambda values, state, key: replace(ONE, values).step(state, key))  # one compilation for all values
EVEN = jnp.cumsum(power_law(9, 0.0))


def one_update(learning_rate=1e-2, length_cost=0.0, laziness=0.0, turnover=0):
    """A newborn community, and the same after each of three steps of one update."""
    values = {"learning_rate": jnp.asarray(learning_rate), "length_cost": jnp.asarray(length_cost)}
    values |= {"laziness": jnp.asarray(laziness), "turnover": jnp.asarray(turnover)}
    states = [INIT(jax.random.key(1))]
    for number in range(3):
        states.append(STEP(values, states[-1], jax.random.key(10 + number)))
    return states


@pytest.mark.slow
def test_the_baseline_is_the_mean_of_earlier_batches_and_moves_no_reward():
    """The gradient of a batch is the same, whatever that batch's own rewards would add to the baseline."""
    states = one_update()
    rewards = []
    for number, state in enumerate(states[:-1]):
        key = jax.random.fold_in(jax.random.key(10 + number), 1)
        _, (loss, _, reward) = OBJECTIVE(state.agents, state.baseline, state.order, EVEN, jnp.zeros(2), key)
        rewards.append(np.asarray(reward))
        np.testing.assert_allclose(states[number + 1].loss, loss, rtol=1e-5)
        np.testing.assert_allclose(reward, -loss, rtol=1e-5)  # nothing is charged, so that is all
        np.testing.assert_allclose(states[number + 1].baseline, np.mean(rewards, 0), rtol=1e-5)
    assert (states[0].baseline == 0).all()


@pytest.mark.slow
def test_a_baseline_leaves_the_mean_gradient_of_speakers_where_it_is():
    """Over batches, the gradients with baselines 0 and -1 differ by their standard errors; listeners' not at all."""
    model = ReferentialGame(**SMALL | {"pairs": 1, "batch": 64, "hidden": 4})
    state = jax.jit(model.init)(jax.random.key(2))

    @jax.jit
    @jax.vmap
    def difference(key):
        gradient = lambda b: jax.grad(model._objective, has_aux=True)(  # noqa: E731
            state.agents, jnp.full(1, b), state.order, EVEN, jnp.zeros(1), key
        )[0]
        return jax.tree.map(lambda x, y: (x - y).ravel(), gradient(0.0), gradient(-1.0))

    found = difference(jax.random.split(jax.random.key(3), 400))
    assert all((leaf == 0).all() for leaf in jax.tree.leaves(found["listener"]))
    off = np.concatenate([np.asarray(leaf) for leaf in jax.tree.leaves(found["speaker"])], 1)
    assert off.std(0).max() > 1e-3
    moved = off.std(0) > 1e-7  # a unit that is asleep for all meanings has no gradient
    cases.assert_means(off[:, moved], np.zeros(moved.sum()))


def test_untrained_listeners_pick_by_chance():
    """One of n candidates, over many newborn communities."""
    model = ReferentialGame(**SMALL | {"candidates": 4, "pairs": 1, "hidden": 4})

    def picked(key):
        seen = model.observe(model.init(key))
        return seen["accuracy"], seen["chance"]

    accuracy, chance = jax.jit(jax.vmap(picked))(jax.random.split(jax.random.key(4), 600))
    assert (chance == 0.25).all()
    cases.assert_means(accuracy, 0.25)


def test_candidates_are_the_meaning_and_others_that_are_learned_from():
    model = ReferentialGame(**SMALL | {"candidates": 3, "held_out": 4})
    order = jax.random.permutation(jax.random.key(5), 9)
    place = jnp.tile(jnp.arange(5), 200)
    found = np.asarray(model._candidates(order, place, jax.random.key(6))) @ [3, 1]
    assert (found[:, 0] == order[place]).all()
    assert not np.isin(found, order[5:]).any()
    assert (np.diff(np.sort(found), axis=1) > 0).all(), "all different"
    others = np.stack(
        [np.bincount(found[place == p, 1:].ravel(), minlength=9)[np.asarray(order[:5])] for p in range(5)]
    )
    for row, counts in enumerate(others):
        cases.assert_frequencies(counts, np.where(np.arange(5) == row, 0, 0.25))


def test_meanings_are_drawn_by_a_power_law_and_those_held_out_never():
    """The gradient of a listener's table shows what was meant: a row for each value, here of a single attribute."""
    model = ReferentialGame(
        attributes=1, values=6, vocabulary=8, length=1, held_out=2, architecture="table", batch=4000, updates=1
    )
    state = jax.jit(model.init)(jax.random.key(7))
    assert sorted(state.order.tolist()) == list(range(6))
    silent = jax.tree.map(jnp.zeros_like, state.agents)  # all symbols and all values alike
    gradient = jax.jit(jax.grad(lambda agents, share: model._objective(
        agents, state.baseline, state.order, share, jnp.zeros(1), jax.random.key(8))[0]))  # fmt: skip
    for exponent in (0.0, 1.0):
        share = jnp.cumsum(power_law(4, exponent))
        table = np.asarray(jax.tree.leaves(gradient(silent, share)["listener"])[0][0])
        # Softmax less one-hot, mean of the batch: of those heard, 7 of 8, a sixth less the share that was meant.
        meant = (table.sum() + 7 / 48 - table.sum(0))[np.asarray(state.order)]
        np.testing.assert_allclose(meant[:4], 7 / 8 * np.asarray(power_law(4, exponent)), atol=5 * 0.5 / 4000**0.5)
        np.testing.assert_allclose(meant[4:], 0, atol=5 * (7 / 64 / 4000) ** 0.5 / 6)


@pytest.mark.slow
def test_turnover_replaces_the_next_listener_and_nothing_else():
    """Every second step one of two: agent 1 at the third step (2 // 2 % 2), with a memory of Adam that is empty."""
    still = one_update(turnover=0, learning_rate=0.0)
    states = one_update(turnover=2, learning_rate=0.0)
    for old, new in zip(jax.tree.leaves(still[2].agents), jax.tree.leaves(states[2].agents), strict=True):
        assert (old == new).all()
    before, after = states[2], states[3]
    same = lambda a, b: np.array([(x == y).all() for x, y in zip(a, b, strict=True)])  # noqa: E731
    for kind, expected in (("speaker", [True, True]), ("listener", [True, False])):
        leaves = zip(jax.tree.leaves(before.agents[kind]), jax.tree.leaves(after.agents[kind]), strict=True)
        for old, new in leaves:
            if np.asarray(old).any():  # biases begin at 0, again
                assert same(old, new).tolist() == expected, kind
    # Nobody moves, so at the third step a bias's first moment is 0.81 m1 + 0.09 m2 + 0.1 m3 for who has been there
    # from the begin, and a tenth of one gradient, m^2 = 0.1^2 / 0.001 v, for the newborn.
    memory = after.optimiser.inner_states["listener"].inner_state
    moment, square = (np.asarray(jax.tree.leaves(x["listener"])[-1]) for x in (memory.mu, memory.nu))
    assert memory.count.tolist() == [3, 1], "updates of the one who stayed and of the newborn"
    np.testing.assert_allclose(moment[1] ** 2, 10 * square[1], rtol=1e-4)
    assert not np.allclose(moment[0] ** 2, 10 * square[0], rtol=1e-2)


@pytest.mark.slow
def test_gradients_that_pass_the_channel_teach():
    model = ReferentialGame(**SMALL | {"architecture": "recurrent", "learning": "gumbel", "pairs": 1, "updates": 150})
    seen = play(model, [{"entropy": 0.0}] * 3, 3)
    assert np.median(seen["accuracy"]) > 0.6, seen["accuracy"]


@pytest.mark.slow
def test_a_lazy_speaker_pays_once_it_is_understood():
    """The price is lambda a^p, a the share understood in the batch before: nothing at first, and lambda at p = 0."""
    states = one_update(length_cost=1.0, laziness=2.0)
    plain = one_update(length_cost=1.0)
    free = one_update()
    assert (states[0].understood == 0).all()
    np.testing.assert_array_equal(states[1].baseline, free[1].baseline)
    assert (plain[1].baseline < free[1].baseline).all()
    price = states[1].understood ** 2
    key = jax.random.fold_in(jax.random.key(11), 1)
    arguments = (states[1].agents, states[1].baseline, states[1].order, EVEN)
    reward = OBJECTIVE(*arguments, price, key)[1][2]
    np.testing.assert_allclose(states[2].baseline, (states[1].baseline + reward) / 2, rtol=1e-5)


def test_pure_parts():
    logits = jnp.asarray([[[1.0, 2.0], [3.0, 5.0]]])
    assert candidate_scores(logits, jnp.asarray([[[0, 0], [1, 1], [0, 1]]])).tolist() == [[4.0, 7.0, 6.0]]
    assert float(distinct_share(jnp.asarray([[1, 0], [2, 1], [1, 0], [1, 0]]))) == 0.5
    assert information.message_length(jnp.asarray([[1, 0]])).tolist() == [1]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"vocabulary": 2, "length": 2}, "there are 3 messages of at most 2 symbols for 9 meanings"),
        ({"vocabulary": 1}, "vocabulary"),
        ({"length": 0}, "length"),
        ({"candidates": 1}, "candidates = 1: 0, or at least 2"),
        ({"held_out": 9}, "held_out = 9: less than the 9 meanings"),
        ({"learning": "gumbel"}, "only with architecture = 'recurrent'"),
        ({"architecture": "recurrent", "learning": "gumbel", "listening": "impatient"}, "listening = 'impatient'"),
        ({"architecture": "recurrrent"}, "architecture"),
        ({"exponent": -1.0}, "exponent"),
        ({"learning_rate": float("nan")}, "learning_rate"),
        ({"values": 1000, "attributes": 3, "length": 9}, "at most 1000000"),
    ],
)
def test_refusals(changes, says):
    with pytest.raises(ParameterError, match=says) as told:
        ReferentialGame(**SMALL | changes)
    assert "\n" not in str(told.value)


@pytest.mark.slow
def test_one_symbol_besides_the_end_is_enough_where_length_tells():
    """With a vocabulary of 2 a message is its length; noise has no other symbol and changes nothing."""
    model = ReferentialGame(
        attributes=1, values=3, vocabulary=2, length=3, architecture="table", noise=1.0, learning_rate=0.05, updates=200
    )
    seen = play(model, [{"entropy": 0.2}] * 4, 3)
    assert np.median(seen["accuracy"]) == 1
    np.testing.assert_array_equal(model._heard(jnp.asarray([[1, 0, 0]]), jax.random.key(0))[0], [[1, 0, 0]])


@pytest.mark.slow
def test_the_task_is_really_learned():
    """2 attributes of 10 values, a discrete channel: 99 % in at least 95 of 100 communities; chance is 1 %."""
    model = ReferentialGame(
        attributes=2, values=10, vocabulary=20, length=3, architecture="perceptron", batch=100, updates=250,
        learning_rate=1e-2,
    )  # fmt: skip
    seen = play(model, [{"entropy": 0.3}] * 100, 5)
    assert (seen["accuracy"] > 0.985).mean() >= 0.95, "99 of 100 meanings or all"
    np.testing.assert_allclose(seen["chance"], 0.01)


@pytest.mark.slow
def test_newborns_learn_from_the_generation_before_and_replace_it():
    model = ReferentialGame(**SMALL | {"updates": 1, "lessons": 400})
    start = jax.jit(model.init)(jax.random.key(0))
    # Who is sure of what to say teaches the same every time.
    sure = jax.tree.map(lambda leaf: 30 * leaf, start.agents["speaker"])
    start = start._replace(agents=start.agents | {"speaker": sure})
    step, observe = jax.jit(model.step), jax.jit(model.observe)
    first = step(start, jax.random.key(1))
    second = step(first, jax.random.key(2))
    same = [
        np.allclose(x, y, atol=0.1) for x, y in zip(*map(jax.tree.leaves, (start.agents, first.agents)), strict=True)
    ]
    assert all(same), "the first generation has nobody to learn from"
    taught, before = observe(second), observe(first)
    assert (np.asarray(taught["messages"]) == np.asarray(before["messages"])).all(-1).mean() > 0.8
    speaker = second.agents["speaker"]
    assert max(float(jnp.abs(leaf).max()) for leaf in jax.tree.leaves(speaker)) < 8, "newborns, not the teachers"
    # Listeners learned too, two that hear the same teachers: what they cannot tell apart is what nobody could.
    assert taught["accuracy"] > before["accuracy"]
