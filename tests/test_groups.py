"""Sampling of groups against exact fractions, and what every game in groups has in common."""

import math
from fractions import Fraction
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import hypergeom, multinomial

from jaxcoord import evolution, registry
from jaxcoord.errors import ParameterError
from jaxcoord.games import GroupGame, donation
from jaxcoord.games.group_games import collective_risk, public_goods
from jaxcoord.games.groups import group_compositions, hypergeometric_weights, multinomial_weights
from jaxcoord.games.punishment import mutual_aid

GAMES = registry.names(GroupGame)
finite = jax.jit(lambda game, counts: game.payoffs_among(counts))
infinite = jax.jit(lambda game, shares: game.payoffs(shares))
both = jax.jit(lambda game, counts: (game.payoffs_among(counts), game.payoffs(counts / counts.sum())))


@partial(jax.jit, static_argnums=1)
def weights_among(counts, group):
    return hypergeometric_weights(counts, group_compositions(len(counts), group - 1))


@partial(jax.jit, static_argnums=1)
def weights(shares, group):
    return multinomial_weights(shares, group_compositions(len(shares), group - 1))


class PairsInGroups(GroupGame, abstract=True):
    """The donation game played with each of the others, payoffs averaged: its mean is that of the matrix."""

    def group_payoff(self, others):
        return donation(b=3, c=1).payoff() @ others / (self.group - 1)

    @property
    def strategies(self):
        return ("C", "D")


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def drawn(counts, focal, compositions):
    """Probabilities of compositions by counting subsets, of the others of a focal who is taken from the counts."""
    rest = [count - (s == focal and count > 0) for s, count in enumerate(counts)]
    ways = math.comb(sum(rest), int(compositions[0].sum()))
    return [
        float(Fraction(math.prod(math.comb(c, int(k)) for c, k in zip(rest, row, strict=True)), ways))
        for row in compositions
    ]


def parts(game, number):
    """`[number]` divided among the strategies of a game as evenly as can be."""
    kinds = len(game.strategies)
    return np.array([number // kinds + (s < number % kinds) for s in range(kinds)])


# Compositions and their probabilities


@pytest.mark.parametrize(("strategies", "others"), [(1, 3), (2, 1), (2, 49), (3, 4), (5, 4)])
def test_compositions_are_all_ways_to_divide_a_group(strategies, others):
    found = group_compositions(strategies, others)
    grid = np.indices((others + 1,) * strategies).reshape(strategies, -1).T
    assert sorted(map(tuple, found)) == sorted(map(tuple, grid[grid.sum(1) == others]))


@pytest.mark.parametrize(("double", "tolerance"), [(False, 5e-6), (True, 1e-12)])
@pytest.mark.parametrize(
    ("counts", "group"),
    [
        ([5, 7], 2),
        ([9_999, 1], 50),
        ([5_000, 5_000], 50),
        ([3, 9_997], 50),
        ([0, 60], 50),
        ([30, 20], 50),
        ([60, 90], 150),
        ([5_000, 5_000], 150),
        ([3_000, 3_000, 4_000], 20),
        ([10, 20, 0], 20),
        ([2, 0, 0, 3, 0], 5),
        ([20, 30, 25, 10, 15], 5),
    ],
    ids=str,
)
def test_finite_groups_are_drawn_without_replacement(counts, group, double, tolerance):
    compositions = group_compositions(len(counts), group - 1)
    with jax.enable_x64(double):
        found = np.asarray(weights_among(np.array(counts), group))
    expected = [drawn(counts, focal, compositions) for focal in range(len(counts))]
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=1e-30)
    np.testing.assert_allclose(found.sum(1), 1, rtol=tolerance)


@pytest.mark.parametrize(("double", "tolerance"), [(False, 5e-6), (True, 2e-12)])
@pytest.mark.parametrize(
    ("shares", "group"),
    [([0.5, 0.5], 50), ([0.02, 0.98], 50), ([0.5, 0.5], 150), ([1.0, 0.0], 150), ([0.2, 0, 0.8], 9)],
    ids=str,
)
def test_infinite_groups_are_drawn_with_replacement(shares, group, double, tolerance):
    compositions = group_compositions(len(shares), group - 1)
    with jax.enable_x64(double):
        found = np.asarray(weights(np.array(shares), group))
    expected = multinomial.pmf(compositions, group - 1, shares)
    kept = expected > 1e-30  # the rest underflows in single precision
    np.testing.assert_allclose(found[kept], expected[kept], rtol=tolerance)
    np.testing.assert_allclose(found[~kept], 0, atol=1e-29)


@settings(deadline=None, max_examples=30)
@given(counts=st.lists(st.integers(0, 10**6), min_size=3, max_size=3).filter(lambda counts: sum(counts) >= 6))
def test_others_are_met_as_often_as_there_are_individuals(counts):
    found = np.asarray(weights_among(jnp.array(counts), 6))
    assert (found >= 0).all()
    np.testing.assert_allclose(found.sum(1), 1, rtol=1e-12)
    others = np.array(counts) - np.eye(3) * (np.array(counts) > 0)
    expected = others / others.sum(1, keepdims=True) * 5
    np.testing.assert_allclose(found @ group_compositions(3, 5), expected, rtol=1e-10, atol=1e-12)


def test_a_strategy_that_is_absent_has_the_payoffs_of_a_newcomer():
    absent, arrived = weights_among(jnp.array([0, 6, 3]), 4)[0], weights_among(jnp.array([1, 6, 3]), 4)[0]
    np.testing.assert_allclose(absent, arrived, rtol=1e-12)


@pytest.mark.parametrize("counts", [[2, 2], [4, 0], [1, 0]])
def test_a_group_larger_than_the_population_has_no_payoffs(counts):
    assert np.isnan(np.asarray(finite(public_goods(5), np.array(counts)))).all()


@pytest.mark.parametrize("shares", [[1.0, 0.0, 0.0], [0.0, 0.4, 0.6], [0.2, 0.3, 0.5]])
def test_derivatives_are_those_of_the_polynomial_at_corners_too(shares):
    slopes = jax.jit(jax.jacfwd(weights), static_argnums=1)(jnp.array(shares), 5)
    for k, slope in zip(group_compositions(3, 4), np.asarray(slopes), strict=True):
        ways = math.factorial(4) / math.prod(math.factorial(i) for i in k)
        lowered = [k - np.eye(3, dtype=int)[axis] for axis in range(3)]
        expected = [ways * k[i] * np.prod(np.power(shares, np.maximum(lowered[i], 0))) for i in range(3)]
        np.testing.assert_allclose(slope, expected, rtol=1e-12, atol=1e-14)


# Games in groups


def test_a_game_whose_payoffs_add_up_over_pairs_is_the_matrix_game():
    matrix, game = donation(b=3, c=1), PairsInGroups(group=6)
    shares = jnp.array([0.3, 0.7])
    np.testing.assert_allclose(infinite(game, shares), infinite(matrix, shares), rtol=1e-12)
    pair_payoffs = jax.jit(evolution.pair_payoffs, static_argnums=1)
    np.testing.assert_allclose(pair_payoffs(game, 20), pair_payoffs(matrix, 20), rtol=1e-10, atol=1e-12)


def test_the_payoff_difference_of_linear_public_goods_is_constant():
    # Among Z a cooperator meets (n-1)(k-1)/(Z-1) others, a defector (n-1) k/(Z-1): k cancels.
    size, group, r, c = 10_000, 50, 20.0, 2.0
    expected = r * c / group * (1 - (group - 1) / (size - 1)) - c
    with jax.enable_x64(False):
        difference = jax.jit(evolution.payoff_difference, static_argnums=1)(public_goods(group, r=r, c=c), size)
    found = np.asarray(difference)[0, 1]
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found, expected, atol=3e-6 * r * c)


@pytest.mark.parametrize(("double", "tolerance"), [(False, 3e-6), (True, 1e-9)])
def test_a_threshold_in_a_large_population_is_a_tail_of_the_hypergeometric_distribution(double, tolerance):
    counts, group, threshold = np.array([4_000, 6_000]), 50, 20
    with jax.enable_x64(double):
        game = collective_risk(group, threshold, risk=0.7, cost=0.1)
        earned = finite(game, counts)
    reached = hypergeom.sf([threshold - 2, threshold - 1], 9_999, [3_999, 4_000], group - 1)
    np.testing.assert_allclose(earned, 1 - 0.7 * (1 - reached) - [0.1, 0], rtol=tolerance)


@pytest.mark.parametrize("name", GAMES)
def test_large_populations_are_infinite_ones(name):
    game = registry.find(name, GroupGame, "game")()
    counts = parts(game, 10**7)
    np.testing.assert_allclose(*both(game, counts), atol=1e-5)


@pytest.mark.parametrize("name", GAMES)
def test_single_precision_is_enough(name):
    game = registry.find(name, GroupGame, "game")()
    counts = parts(game, 10_000)
    double = both(game, counts)
    with jax.enable_x64(False):
        single = both(game, counts)
    assert {x.dtype for x in single} == {np.dtype("float32")}
    np.testing.assert_allclose(single, double, atol=1e-5)


@pytest.mark.parametrize("name", GAMES)
def test_every_game_is_described_batches_as_a_loop_and_is_differentiable(name):
    game = registry.find(name, GroupGame, "game")()
    assert len(set(game.strategies)) == len(game.strategies)
    assert all(field.doc for field in game.fields.values())
    counts = parts(game, 10_000)
    smaller = jax.tree.map(lambda leaf: leaf if isinstance(leaf, int) else 0.9 * leaf, game)
    stack = jax.tree.map(lambda *leaves: np.stack(leaves), game, smaller)
    shares = counts / counts.sum()
    batch, slopes = jax.jit(jax.vmap(lambda one: jax.jvp(one.payoffs, (shares,), (shares,))))(stack)
    np.testing.assert_allclose(batch, [both(game, counts)[1], both(smaller, counts)[1]], rtol=1e-12)
    # Payoffs are polynomials in the shares, all of whose terms have degree n - 1 (Euler).
    np.testing.assert_allclose(slopes, (game.group - 1) * batch, rtol=1e-12, atol=1e-12)


# Refusals


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: group_compositions(5, 49), "group = 50: 292825 compositions of 5 strategies; at most 100000"),
        (lambda: public_goods(151), r"public-goods\.group = 151: out of range; allowed: 2 to 150"),
        (lambda: public_goods(1), r"public-goods\.group = 1: out of range"),
        (lambda: evolution.pair_payoffs(public_goods(6), 5), "group = 6: larger than the population of 5"),
        (lambda: mutual_aid(60).payoffs(jnp.full(5, 0.2)), "compositions of 5 strategies"),
    ],
)
def test_what_is_not_allowed_is_named(make, words):
    with pytest.raises(ParameterError, match=words) as raised:
        make()
    assert "\n" not in str(raised.value)


def test_a_game_that_lacks_its_payoff_says_so():
    class Bare(GroupGame, abstract=True):
        """Nothing in it."""

    with pytest.raises(TypeError, match=r"Bare\.group_payoff\(self, others\) is missing"):
        Bare().group_payoff(jnp.zeros(2))
