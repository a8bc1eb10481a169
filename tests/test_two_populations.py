"""Two populations that play each other: events, the exact chain, its limit of rare mutations."""

import cases
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcoord as jc
from jaxcoord import ParameterError, evolution, games
from jaxcoord.evolution import Roles, TwoPopulations, two_population_chain

ROW = [[1.0, -0.5, 0.3], [0.2, 0.8, -1.0]]
COLUMN = [[0.1, 0.9, -0.4], [0.6, -0.3, 0.5]]


def spelled_out(rows, columns, beta, mu):
    """Of every individual of both populations, `{(role, from, to): probability}` that an event changes it so."""
    total, moves = sum(rows) + sum(columns), {}
    row, column = np.array(ROW), np.array(COLUMN)
    earned = (row @ columns / sum(columns), column.T @ rows / sum(rows))
    for role, counts in enumerate((rows, columns)):
        people = [s for s, n in enumerate(counts) for _ in range(n)]
        for i, a in enumerate(people):
            for b in set(range(len(counts))) - {a}:
                moves[role, a, b] = moves.get((role, a, b), 0) + mu / (len(counts) - 1) / total
            for j, b in enumerate(people):
                if j != i and a != b:
                    chance = 1 / (1 + np.exp(-beta * (earned[role][b] - earned[role][a])))
                    moves[role, a, b] = moves.get((role, a, b), 0) + (1 - mu) * chance / (len(people) - 1) / total
    return moves


def test_the_chain_is_what_the_rule_says_of_every_individual():
    made = TwoPopulations(games.bimatrix_game(ROW, COLUMN), beta=1.3, mu=0.1, rows=3, columns=4)
    chain = two_population_chain(made)
    place = {tuple(state): at for at, state in enumerate(chain.states)}
    assert len(chain.states) == 4 * 15
    expected = np.zeros((60, 60))
    for at, state in enumerate(chain.states):
        for (role, a, b), chance in spelled_out(state[:2], state[2:], 1.3, 0.1).items():
            moved = state.copy()
            moved[2 * role + a] -= 1
            moved[2 * role + b] += 1
            expected[at, place[tuple(moved)]] += chance
        expected[at, at] += 1 - expected[at].sum()
    np.testing.assert_allclose(chain.transitions.toarray(), expected, atol=1e-14)


def test_simulated_distribution_is_that_of_the_chain():
    made = TwoPopulations(games.bimatrix_game(ROW, COLUMN), beta=1.3, mu=0.1, rows=3, columns=4, events=50)
    chain = two_population_chain(made)
    stationary = evolution.full_stationary_distribution(chain)
    runs = jc.simulate(made, steps=10, populations=4000, seed=2, record=jc.Record(every=10)).isel(step=-1)
    counts = np.rint(np.hstack([runs.row_frequency * 3, runs.column_frequency * 4])).astype(int)
    cases.assert_means(counts, stationary @ chain.states)
    place = {tuple(state): at for at, state in enumerate(chain.states)}
    cases.assert_frequencies(np.bincount([place[tuple(c)] for c in counts], minlength=60), stationary)


def test_one_event_changes_one_individual_as_often_as_the_chain_says():
    made = TwoPopulations(games.bimatrix_game(ROW, COLUMN), beta=1.3, mu=0.2, rows=5, columns=7, events=1)
    start = Roles(jnp.array([2, 3]), jnp.array([1, 2, 4]))
    after = jax.vmap(lambda key: made.step(start, key))(jax.random.split(jax.random.key(3), 40_000))
    moves = spelled_out(np.array([2, 3]), np.array([1, 2, 4]), 1.3, 0.2)
    observed, expected, seen = [], [], 0
    for (role, a, b), chance in moves.items():
        change = np.zeros(len(start[role]), int)
        change[a], change[b] = -1, 1
        observed.append(int((np.asarray(after[role]) - np.asarray(start[role]) == change).all(1).sum()))
        seen += observed[-1]
        expected.append(chance)
    cases.assert_frequencies([*observed, 40_000 - seen], [*expected, 1 - sum(expected)])


@pytest.mark.parametrize("game", [games.battle_of_the_sexes(), games.matching_pennies(stake=0.7)])
def test_rare_mutations_give_alpha_rank(game):
    """Against a population of one strategy payoffs are constant: fixation is that of alpha-rank, alpha being beta."""
    made = TwoPopulations(game, beta=0.4, mu=1e-5, rows=8, columns=8)
    chain = two_population_chain(made)
    stationary = evolution.full_stationary_distribution(chain)
    pure = [
        stationary[(chain.states == [8 * (r == 0), 8 * (r == 1), 8 * (c == 0), 8 * (c == 1)]).all(1)].sum()
        for r in range(2)
        for c in range(2)
    ]
    with jax.enable_x64(True):
        ranks = np.asarray(evolution.alpha_rank_profiles(game.bimatrix(), alpha=0.4, size=8))
    np.testing.assert_allclose(pure, ranks.ravel(), atol=2e-3)


def test_populations_of_one_strategy_and_no_mutation_stay():
    made = TwoPopulations(mu=0.0, rows=4, columns=6)
    state = Roles(jnp.array([0, 4]), jnp.array([6, 0]))
    after = made.step(state, jax.random.key(0))
    np.testing.assert_array_equal(after.row, [0, 4])
    np.testing.assert_array_equal(after.column, [6, 0])


def test_games_of_two_roles():
    with pytest.raises(ParameterError, match=r"bimatrix-game: row \(2, 2\), column \(2, 3\); both are \[R, C\]"):
        games.bimatrix_game(np.eye(2), np.ones((2, 3)))
    row, column = games.matching_pennies(stake=2.0).bimatrix()
    np.testing.assert_array_equal(row + column, 0)
    row, column = games.battle_of_the_sexes(preferred=3.0, other=2.0).bimatrix()
    np.testing.assert_array_equal(row, [[3, 0], [0, 2]])
    np.testing.assert_array_equal(column, [[2, 0], [0, 3]])
    assert games.bimatrix_game(ROW, COLUMN).strategies == (("0", "1"), ("0", "1", "2"))
