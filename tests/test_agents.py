"""Agents one by one: what one step does on average, exactly, and what memory does."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcoord as jc
from jaxcoord import evolution, games
from jaxcoord.evolution import AgentImitation, Agents

PAYOFF = np.array([[0.5, -1.0, 2.0], [1.5, 0.0, -0.5], [-1.0, 1.0, 0.3]])


def expected_switching(counts, beta, mu, encounters):
    """`[S, S]` of one agent that revises: partners, the model and the model's partners enumerated."""
    size, kinds = sum(counts), range(len(counts))

    def earned(a):
        rest = np.array(counts) - np.eye(len(counts))[a]
        for met in itertools.product(kinds, repeat=encounters):
            yield np.mean([PAYOFF[a, b] for b in met]), np.prod([rest[b] / (size - 1) for b in met])

    found = np.zeros((len(counts), len(counts)))
    for a in kinds:
        for b in kinds:
            draws = (counts[b] - (a == b)) / (size - 1)
            for (mine, chance), (theirs, other_chance) in itertools.product(earned(a), earned(b)):
                copies = chance * other_chance / (1 + np.exp(-beta * (theirs - mine)))
                found[a, b] += (1 - mu) * draws * copies
                found[a, a] += (1 - mu) * draws * (chance * other_chance - copies)
            if a != b:
                found[a, b] += mu / (len(counts) - 1)
    return found


@pytest.mark.parametrize("encounters", [1, 2])
def test_the_mean_of_one_step_is_the_enumeration(encounters):
    counts, beta, mu, revision, populations = np.array([4, 3, 5]), 1.2, 0.1, 0.6, 60_000
    made = AgentImitation(
        games.matrix_game(PAYOFF), beta=beta, mu=mu, revision=revision, size=12, encounters=encounters
    )
    start = Agents(jnp.repeat(jnp.arange(3), jnp.array(counts)), jnp.zeros(12))
    step = jax.jit(jax.vmap(lambda key: made.observe(made.step(start, key))["frequency"]))
    after = 12 * np.asarray(step(jax.random.split(jax.random.key(1), populations)))
    switching = revision * expected_switching(counts, beta, mu, encounters) + (1 - revision) * np.eye(3)
    off = (after.mean(0) - counts @ switching) / (after.std(0) / np.sqrt(populations))
    assert np.abs(off).max() < 4


def test_memory_weighs_the_past():
    made = AgentImitation(games.matrix_game(np.full((2, 2), 2.0)), memory=0.75, size=6)
    state = made.init(jax.random.key(0))
    for step in range(1, 6):
        state = made.step(state, jax.random.key(step))
        np.testing.assert_allclose(state.payoff, 2 * (1 - 0.75**step), rtol=1e-6)


def test_what_is_copied_is_the_strategy_and_not_the_memory():
    made = AgentImitation(games.matrix_game(np.zeros((2, 2))), beta=1e4, mu=0.0, memory=1.0, revision=1.0, size=4)
    rich = Agents(jnp.array([1, 0, 0, 0]), jnp.array([9.0, 0.0, 0.0, 0.0]))
    after = jax.vmap(lambda key: made.step(rich, key))(jax.random.split(jax.random.key(2), 200))
    assert (after.strategy[:, 0] == 1).all(), "nobody leaves what pays most"
    np.testing.assert_array_equal(after.payoff, np.broadcast_to(rich.payoff, (200, 4)))
    # Each of the poor draws the rich one with probability 1/3, and another poor one copies on a coin toss, in vain.
    assert after.strategy[:, 1:].mean() == pytest.approx(1 / 3, abs=4 * np.sqrt(2 / 9 / 600))


def test_neutral_agents_drift_as_their_mutations_say():
    made = AgentImitation(games.matrix_game(np.zeros((3, 3))), mu=0.2, revision=1.0, size=20)
    runs = jc.simulate(made, steps=60, populations=800, seed=4, record=jc.Record(every=60)).isel(step=-1)
    share = runs.frequency.values
    assert np.abs((share.mean(0) - 1 / 3) / (share.std(0) / np.sqrt(800))).max() < 4


@pytest.mark.slow
def test_all_encounters_and_rare_revisions_are_pairwise_comparison():
    """With many encounters payoffs are nearly the means, and revisions nearly come one at a time."""
    game, size = games.hawk_dove(v=2.0, c=3.0), 10
    made = AgentImitation(game, beta=1.0, mu=0.1, revision=0.05, size=size, encounters=200)
    runs = jc.simulate(made, steps=800, populations=600, seed=5, record=jc.Record(every=800)).isel(step=-1)
    stationary = evolution.stationary_distribution(game.payoff(), size, 1.0, 0.1)
    expected = float(stationary @ jnp.arange(size + 1) / size)
    share = runs.frequency.sel(strategy="hawk").values
    assert share.mean() == pytest.approx(expected, abs=4 * share.std() / np.sqrt(600) + 0.01)
