"""The fast loop of the Moran processes makes the moves that their rule makes one by one."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcoord as jc
from jaxcoord.evolution.process import EventProcess
from jaxcoord.evolution.reproduction import MoranBirthDeath, MoranDeathBirth, moran_events


@pytest.mark.parametrize(
    ("rule", "fitness", "strategies"),
    [(MoranBirthDeath, "exponential", 3), (MoranBirthDeath, "linear", 14), (MoranDeathBirth, "exponential", 5)],
)
def test_it_makes_the_moves_of_the_rule(rule, fitness, strategies):
    random = np.random.default_rng(strategies)
    payoff = random.uniform(0, 2, (strategies, strategies))
    model = rule(jc.games.matrix_game(payoff), beta=0.5, mu=0.05, size=30, events=60, fitness=fitness)
    keys = jax.random.split(jax.random.key(1), 40)
    start = jnp.asarray(random.multinomial(30, np.full(strategies, 1 / strategies), 40), jnp.int32)
    expected = jax.jit(jax.vmap(lambda state, key: EventProcess.step(model, state, key)))(start, keys)
    found = jax.jit(jax.vmap(model.step))(start, keys)
    assert found.dtype == expected.dtype
    # The sums are taken in another order: a coin that falls between two roundings parts a population for good.
    assert (np.asarray(found) == np.asarray(expected)).all(1).mean() > 0.97
    alone = jax.jit(model.step)(start[0], keys[0])
    np.testing.assert_array_equal(alone, found[0])


def test_nobody_fit_leaves_chance_and_no_other_strategy_comes_in():
    # Linear fitness of zero for all; without mutation an absent strategy stays away.
    found = moran_events(
        jnp.array([7, 0, 5]), jnp.zeros((3, 3)), 1.0, 0.0, jax.random.key(0), 200, fitness="linear", dies_first=True
    )
    assert int(found.sum()) == 12
    assert int(found[1]) == 0


def test_the_number_of_events_is_shared():
    with pytest.raises(ValueError, match="number of events is shared"):
        jax.vmap(lambda events: moran_events(jnp.array([2, 2]), jnp.eye(2), 1.0, 0.1, jax.random.key(0), events))(
            jnp.arange(3)
        )
