"""alpha-Rank against the reference implementation's numbers, its symmetries, and the games on which peers fail."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import assert_close, load

import jaxcoord as jc
from jaxcoord import evolution
from jaxcoord.evolution import alpha_rank_infinite, alpha_rank_profiles
from jaxcoord.evolution.alpha_rank import alpha_rank_profiles_infinite, log_takeover

# Compiled once for a size, which is several times faster here than one operation after the other.
alpha_rank = jax.jit(evolution.alpha_rank, static_argnums=2)
small_mutation_limit = jax.jit(evolution.small_mutation_limit, static_argnums=1)

PEER = load("egt_cases.json", "S-E")
PAPER = load("paper_cases.json", "alpharank")


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


@pytest.mark.parametrize("entry", PEER["S-E1"]["expected"], ids=lambda e: f"alpha={e['alpha']}")
def test_one_population(entry):
    case = PEER["S-E1"]
    assert_close(
        alpha_rank(np.array(case["game"]["A"]), entry["alpha"], case["params"]["m"]), entry["pi"], case["tolerance"]
    )
    payoff = np.array(case["game"]["A"])
    rho = np.exp(log_takeover(payoff.T - payoff, entry["alpha"], case["params"]["m"]))
    off_diagonal = ~np.eye(3, dtype=bool)
    expected = np.array(entry["rho_row_resident_column_mutant"])
    np.testing.assert_allclose(rho[off_diagonal], expected[off_diagonal], rtol=1e-9)


def test_global_selection_is_the_small_mutation_limit():
    case = PEER["S-E2"]
    found = small_mutation_limit(np.array(case["game"]["A"]), case["params"]["m"], case["params"]["alpha"])
    assert_close(found, case["expected"]["pi"], case["tolerance"])


@pytest.mark.parametrize("entry", PEER["S-E3"]["expected"], ids=lambda e: f"alpha={e['alpha']}")
def test_two_populations_also_where_the_peer_raises(entry):
    case = PEER["S-E3"]
    found = alpha_rank_profiles([case["game"]["A"], case["game"]["B"]], entry["alpha"], case["params"]["m"])
    assert_close(found.reshape(-1), entry["pi"], case["tolerance"])


@pytest.mark.parametrize("entry", PEER["S-E4"]["expected"], ids=lambda e: f"epsilon={e['epsilon']}")
def test_infinite_intensity(entry):
    case = PEER["S-E4"]
    assert_close(alpha_rank_infinite(case["game"]["A"], entry["epsilon"]), entry["pi"], case["tolerance"])


@pytest.mark.parametrize("name", PAPER)
def test_published_examples(name):
    case = PAPER[name]
    given = case["params"]
    if "payoff" in given:
        found = alpha_rank(np.array(given["payoff"]), given["alpha"], given["m"])
    else:
        found = alpha_rank_profiles(given["payoffs"], given["alpha"], given["m"]).reshape(-1)
    assert_close(found, case["expected"]["stationary"], case["tolerance"])


@pytest.mark.parametrize("name", PAPER)
def test_limit_of_published_examples(name):
    """At strong selection what is left is what the limit with ever less perturbation says."""
    given = PAPER[name]["params"]
    if "payoff" in given:
        strong = alpha_rank(np.array(given["payoff"]), 1e3, given["m"])
        limit = alpha_rank_infinite(given["payoff"], 1e-9)
    else:
        strong = alpha_rank_profiles(given["payoffs"], 1e3, given["m"])
        limit = alpha_rank_profiles_infinite(given["payoffs"], 1e-9)
    np.testing.assert_allclose(limit, strong, atol=1e-7)


def test_limit_with_ties_and_several_populations():
    """Two populations without influence on each other: each is a chain of its own, with the rates as stated."""
    epsilon = 0.1
    own = [np.array([0.0, 1.0]), np.array([2.0, 2.0])]
    tables = [np.broadcast_to(own[0][:, None], (2, 2)), np.broadcast_to(own[1][None, :], (2, 2))]
    expected = np.outer([epsilon, 1 - epsilon], [0.5, 0.5])
    np.testing.assert_allclose(alpha_rank_profiles_infinite(tables, epsilon), expected, rtol=1e-12)


@pytest.mark.parametrize("alpha", [0.01, 1.0])
def test_is_the_small_mutation_limit_of_what_one_wins_over_the_other(alpha):
    payoff, size = np.random.default_rng(4).normal(size=(5, 5)), 30
    game = (payoff - payoff.T) * (size - 1) / size
    expected = small_mutation_limit(game, size, alpha)
    np.testing.assert_allclose(alpha_rank(payoff, alpha, size), expected, rtol=1e-9)


def test_five_hundred_strategies_at_strong_selection():
    payoff = np.random.default_rng(5).normal(size=(512, 512))
    ranks = np.asarray(alpha_rank(payoff, 100.0))
    assert np.isfinite(ranks).all()
    # Flow into each strategy balances the flow out of it, in logarithms since rates go down to exp(-10^4).
    logs = np.array(log_takeover(payoff.T - payoff, 100.0, 50))
    np.fill_diagonal(logs, -np.inf)
    rates = np.exp(logs)
    often = ranks > 1e-12
    np.testing.assert_allclose((ranks @ rates)[often], (ranks * rates.sum(1))[often], rtol=1e-9)


@pytest.mark.parametrize("players", [2, 3])
def test_profiles_of_players_without_influence_are_independent(players):
    """Each player's own game decides its marginal: a chain per player, here two strategies, so rates decide alone."""
    rng = np.random.default_rng(0)
    own = rng.normal(size=(players, 2))
    tables = [np.broadcast_to(own[k].reshape([2 if i == k else 1 for i in range(players)]), (2,) * players)
              for k in range(players)]  # fmt: skip
    found = np.asarray(alpha_rank_profiles(tables, 0.1, 20))
    # Two states: their shares are as the rates into them, and exp(alpha d (m - 1)) is the ratio of those.
    marginals = [1 / (1 + np.exp(0.1 * 19 * (own[k, 0] - own[k, 1]) * np.array([-1, 1]))) for k in range(players)]
    expected = np.einsum("i,j->ij", *marginals) if players == 2 else np.einsum("i,j,k->ijk", *marginals)
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize("alpha", [1e-3, 1.0, 1e3, 1e5])
@pytest.mark.parametrize("size", [2, 50, 1000])
def test_finite_at_any_intensity_and_invariant_under_relabelling(alpha, size):
    payoff = np.random.default_rng(1).normal(size=(7, 7))
    order = np.random.default_rng(2).permutation(7)
    ranks = np.asarray(alpha_rank(payoff, alpha, size))
    assert np.isfinite(ranks).all()
    np.testing.assert_allclose(ranks.sum(), 1, rtol=1e-12)
    moved = np.asarray(alpha_rank(payoff[np.ix_(order, order)], alpha, size))
    np.testing.assert_allclose(moved, ranks[order], rtol=1e-9, atol=1e-300)


def test_gradient_is_that_of_a_difference():
    payoff = jnp.asarray(np.random.default_rng(3).normal(size=(4, 4)))
    slope = jax.jit(jax.grad(lambda a: alpha_rank(payoff, a, 20)[0]))(0.1)
    by_hand = (alpha_rank(payoff, 0.1 + 1e-6, 20)[0] - alpha_rank(payoff, 0.1 - 1e-6, 20)[0]) / 2e-6
    np.testing.assert_allclose(slope, by_hand, rtol=1e-5)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: evolution.alpha_rank([[1, 2, 3], [4, 5, 6]], 1.0), "square"),
        (lambda: evolution.alpha_rank([[1, np.nan], [0, 1]], 1.0), "not finite"),
        (lambda: evolution.alpha_rank([[1, 0], [0, 1]], 1.0, 1), "at least 2"),
        (lambda: evolution.alpha_rank([[1, 0], [0, 1]], -1.0), "alpha = -1.0: at least 0"),
        (lambda: alpha_rank_profiles([np.eye(2), np.eye(3)], 1.0), "each player"),
        (lambda: alpha_rank_profiles([np.eye(2)], 1.0), "each player"),
        (lambda: alpha_rank_profiles([], 1.0), "each player"),
        (lambda: alpha_rank_profiles([np.eye(2), np.full((2, 2), np.nan)], 1.0), r"payoffs\[1\]: not finite"),
        (lambda: alpha_rank_infinite([[1, 0], [0, 1]], 0.7), "perturbation = 0.7"),
        (lambda: alpha_rank_infinite([[1, 0], [0, 1]], 0.0), "perturbation = 0.0"),
    ],
)
def test_refuses_in_one_line(call, words):
    with pytest.raises(jc.ParameterError, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)
