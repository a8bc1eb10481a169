"""Heuristic payoff tables against the peer's numbers and against groups drawn one by one."""

import itertools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import assert_close, load

import jaxcoord as jc
from jaxcoord.evolution.payoff_tables import PayoffTable, elo_win_probability, expected_payoffs, payoff_table
from jaxcoord.games import group_compositions

ELO = load("equilibria_cases.json", "S-E5")["S-E5"]


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def by_ordered_groups(table, shares):
    """Every ordered group of n with its chance, and what its members of a strategy earn where it has some."""
    players, kinds = int(table.counts[0].sum()), len(shares)
    row = {tuple(counts): i for i, counts in enumerate(table.counts.tolist())}
    earned, present = np.zeros(kinds), np.zeros(kinds)
    for group in itertools.product(range(kinds), repeat=players):
        chance = math.prod(shares[s] for s in group)
        for s in set(group):
            earned[s] += chance * table.payoffs[row[tuple(group.count(k) for k in range(kinds))], s]
            present[s] += chance
    return earned / present


def random_table(players, kinds, seed=0):
    counts = group_compositions(kinds, players)
    payoffs = np.random.default_rng(seed).normal(size=counts.shape)
    return PayoffTable(counts, jnp.where(counts > 0, payoffs, np.nan))  # what nobody earns is not read


def test_table_and_expectation_equal_case_s_e5():
    expected, shares = ELO["expected"], np.array(ELO["params"]["x"])
    chance = elo_win_probability(ELO["game"]["elo"])
    assert_close(chance, expected["pairwise_win_probability"], ELO["tolerance"])
    table = payoff_table(chance)
    rows = np.column_stack([table.counts, table.payoffs])
    assert_close(rows, expected["elo_table_rows_counts_then_payoffs"], ELO["tolerance"])
    assert_close(expected_payoffs(table, shares), expected["expected_payoff"], ELO["tolerance"])
    assert_close(chance @ shares, expected["W_times_x"], ELO["tolerance"])


@pytest.mark.parametrize(("players", "kinds"), [(1, 3), (2, 2), (3, 3), (5, 2)])
def test_expectation_is_that_over_groups(players, kinds):
    table = random_table(players, kinds)
    for shares in np.random.default_rng(1).dirichlet(np.ones(kinds), 5):
        np.testing.assert_allclose(expected_payoffs(table, shares), by_ordered_groups(table, shares), rtol=1e-12)


def test_an_absent_strategy_has_its_limit_and_a_finite_slope():
    table = random_table(4, 3)
    absent, rare = (expected_payoffs(table, [x, 0.4, 0.6 - x]) for x in (0.0, 1e-9))
    np.testing.assert_allclose(absent, rare, atol=1e-7)
    slope = jax.jit(jax.jacfwd(lambda x: expected_payoffs(table, x)))(jnp.array([0.0, 1.0, 0.0]))
    assert np.isfinite(slope).all()


def test_a_batch_of_mixtures():
    table, shares = random_table(3, 3), np.random.default_rng(2).dirichlet(np.ones(3), 6)
    together = jax.jit(jax.vmap(lambda x: expected_payoffs(table, x)))(shares)
    for one, x in zip(together, shares, strict=True):
        np.testing.assert_allclose(one, expected_payoffs(table, x), rtol=1e-12)


def test_elo_of_equals_and_of_far_apart():
    chance = np.asarray(elo_win_probability([1e5, 0.0, 0.0]))
    assert chance[1, 2] == chance[0, 0] == 0.5
    assert chance[0, 1] == 1
    np.testing.assert_allclose(chance + chance.T, 1)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: elo_win_probability([[1.0]]), "a list of finite numbers"),
        (lambda: elo_win_probability([1.0, np.nan]), "finite"),
        (lambda: payoff_table([[1.0, 2.0]]), "square"),
        (lambda: expected_payoffs(payoff_table(np.eye(2)), [0.5, 0.3, 0.2]), r"\(2,\) is needed"),
    ],
)
def test_refuses_in_one_line(call, words):
    with pytest.raises(jc.ParameterError, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)
