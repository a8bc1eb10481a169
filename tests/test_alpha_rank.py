"""alpha-Rank against the reference implementation's numbers, its symmetries, and the games on which peers fail."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import assert_close, load

import jaxcoord as jc
from jaxcoord.evolution import alpha_rank, alpha_rank_infinite, alpha_rank_profiles, small_mutation_limit
from jaxcoord.evolution.alpha_rank import log_takeover

PEER = load("egt_cases.json", "S-E")
PAPER = load("paper_cases.json", "alpharank")


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


@pytest.mark.parametrize("entry", PEER["S-E1"]["expected"], ids=lambda e: f"alpha={e['alpha']}")
def test_one_population(entry):
    case = PEER["S-E1"]
    assert_close(alpha_rank(case["game"]["A"], entry["alpha"], case["params"]["m"]), entry["pi"], case["tolerance"])
    payoff = np.array(case["game"]["A"])
    rho = np.exp(log_takeover(payoff.T - payoff, entry["alpha"], case["params"]["m"]))
    off_diagonal = ~np.eye(3, dtype=bool)
    expected = np.array(entry["rho_row_resident_column_mutant"])
    np.testing.assert_allclose(rho[off_diagonal], expected[off_diagonal], rtol=1e-9)


def test_global_selection_is_the_small_mutation_limit():
    case = PEER["S-E2"]
    found = small_mutation_limit(case["game"]["A"], case["params"]["m"], case["params"]["alpha"])
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
        found = alpha_rank(given["payoff"], given["alpha"], given["m"])
    else:
        found = alpha_rank_profiles(given["payoffs"], given["alpha"], given["m"]).reshape(-1)
    assert_close(found, case["expected"]["stationary"], case["tolerance"])


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
    slope = jax.grad(lambda a: alpha_rank(payoff, a, 20)[0])(0.1)
    by_hand = (alpha_rank(payoff, 0.1 + 1e-6, 20)[0] - alpha_rank(payoff, 0.1 - 1e-6, 20)[0]) / 2e-6
    np.testing.assert_allclose(slope, by_hand, rtol=1e-5)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: alpha_rank([[1, 2, 3], [4, 5, 6]], 1.0), "square"),
        (lambda: alpha_rank([[1, np.nan], [0, 1]], 1.0), "not finite"),
        (lambda: alpha_rank([[1, 0], [0, 1]], 1.0, 1), "at least 2"),
        (lambda: alpha_rank_profiles([np.eye(2), np.eye(3)], 1.0), "each player"),
    ],
)
def test_refuses_in_one_line(call, words):
    with pytest.raises(jc.ParameterError, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)
