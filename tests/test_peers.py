"""Two hundred random games each in EGTtools, OpenSpiel and Nashpy and here, in double precision.

Where a peer is at fault the closed form decides, and the test says what the peer does instead, so that it fails on the
day on which the peer is mended. Run with the extra `peers`: `pytest -m peers`.
"""

import subprocess
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import critical, one_event

from jaxcoord import evolution
from jaxcoord.evolution.dynamics import replicator
from jaxcoord.evolution.rest_points import replicator_rest_points
from jaxcoord.evolution.stability import pure_stability
from jaxcoord.games.group_games import n_player_stag_hunt

pytestmark = [pytest.mark.peers, pytest.mark.filterwarnings("ignore::RuntimeWarning")]

GAMES = 200
TOLERANCE = 1e-8
LEAST = 1e-7  # EGTtools returns zero for a smaller fixation probability
SIZES = (5, 10, 20)
kept_alive = []

fixation_probability = jax.jit(evolution.fixation_probability, static_argnums=1)
small_mutation_limit = jax.jit(evolution.small_mutation_limit, static_argnums=1)
stationary_distribution = jax.jit(evolution.stationary_distribution, static_argnums=1)
alpha_rank = jax.jit(evolution.alpha_rank, static_argnums=2)
alpha_rank_profiles = jax.jit(evolution.alpha_rank_profiles, static_argnums=2)
field = jax.jit(jax.vmap(lambda payoff, shares: replicator(shares, payoff @ shares)))


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def random_games(strategies, beta):
    """Payoffs, population size, selection intensity and mutation probability of each game."""
    for seed in range(GAMES):
        random = np.random.default_rng(seed)
        payoff, size = random.normal(size=(strategies, strategies)), SIZES[seed % len(SIZES)]
        yield payoff, size, random.uniform(0, beta), random.uniform(0.001, 0.2)


def peer_process(payoff, size):
    """EGTtools' exact pairwise comparison."""
    from egttools.analytical import PairwiseComparison
    from egttools.games import Matrix2PlayerGameHolder

    kept_alive.append(Matrix2PlayerGameHolder(len(payoff), payoff))  # it crashes where the game is a temporary
    return PairwiseComparison(size, kept_alive[-1])


def peer_stationary(matrix):
    from egttools.utils import calculate_stationary_distribution

    return calculate_stationary_distribution(np.asarray(matrix).T)


def peer_states(size, strategies, number):
    import egttools

    return np.array([egttools.sample_simplex(i, size, strategies) for i in range(number)])


# EGTtools


def test_fixation_probabilities():
    zeros = 0
    for payoff, size, beta, _ in random_games(3, beta=3):
        exact, ours = peer_process(payoff, size), np.asarray(fixation_probability(payoff, size, beta))
        for i, j in zip(*np.nonzero(1 - np.eye(3)), strict=True):
            theirs = exact.calculate_fixation_probability(i, j, beta)
            if ours[i, j] < LEAST:
                zeros += 1
                assert theirs == 0
            else:
                assert theirs == pytest.approx(ours[i, j], abs=TOLERANCE)
    assert zeros > 50


def test_below_a_ten_millionth_the_peer_has_zeros_and_the_chain_decides():
    payoff, size, beta = np.array([[3.0, 0.0], [5.0, 1.0]]), 20, 1.0
    assert peer_process(payoff, size).calculate_fixation_probability(0, 1, beta) == 0
    leaving = np.zeros((size + 1, 2))
    for mutants in range(1, size):
        moves = one_event([mutants, size - mutants], payoff, beta, 0.0)
        leaving[mutants] = moves[1, 0], moves[0, 1]
        leaving[mutants] /= leaving[mutants].sum()
    chain = np.eye(size - 1) - np.diag(leaving[1:-2, 0], 1) - np.diag(leaving[2:-1, 1], -1)
    expected = np.linalg.solve(chain, np.append(np.zeros(size - 2), leaving[-2, 0]))[0]
    assert 0 < expected < LEAST
    assert fixation_probability(payoff, size, beta)[0, 1] == pytest.approx(expected, rel=1e-9)


def test_small_mutation_limits():
    compared = 0
    for payoff, size, beta, _ in random_games(4, beta=1):
        rates = np.array(fixation_probability(payoff, size, beta))
        if rates.min() < LEAST:  # the peer's chain then lacks a transition, and its shares are off by up to 0.006
            continue
        compared += 1
        transitions, fixation = peer_process(payoff, size).calculate_transition_and_fixation_matrix_sml(beta)
        np.testing.assert_allclose(
            peer_stationary(transitions), small_mutation_limit(payoff, size, beta), atol=TOLERANCE
        )
        np.fill_diagonal(rates, 0)
        np.fill_diagonal(fixation, 0)
        np.testing.assert_allclose(fixation, rates.T, atol=TOLERANCE)
    assert compared > GAMES / 2


def test_false_zeros_change_the_peers_small_mutation_limit():
    payoff, size, beta = np.random.default_rng(24).normal(size=(5, 5)), 40, 0.8
    transitions, _ = peer_process(payoff, size).calculate_transition_and_fixation_matrix_sml(beta)
    rates = np.asarray(fixation_probability(payoff, size, beta)).T
    assert rates.min() > 0
    assert ((transitions == 0) & (rates > 0)).any()
    off = np.abs(peer_stationary(transitions) - small_mutation_limit(payoff, size, beta)).max()
    assert off > 0.001
    flow = np.asarray(small_mutation_limit(payoff, size, beta))[:, None] * rates
    np.testing.assert_allclose(flow.sum(1), flow.sum(0), rtol=1e-9)


def test_stationary_distributions_of_two_strategies():
    for payoff, size, beta, mu in random_games(2, beta=2):
        transitions = peer_process(payoff, size).calculate_transition_matrix(beta, mu).toarray()
        ours = np.asarray(stationary_distribution(payoff, size, beta, mu))
        of_first = peer_states(size, 2, size + 1)[:, 0]
        np.testing.assert_allclose(peer_stationary(transitions), ours[of_first], atol=TOLERANCE)


def test_stationary_distributions_of_three_strategies():
    for payoff, size, beta, mu in random_games(3, beta=2):
        size = min(size, 12)
        transitions = peer_process(payoff, size).calculate_transition_matrix(beta, mu).toarray()
        chain = evolution.fermi_chain(payoff, size, beta, mu)
        ours = dict(zip(map(tuple, chain.states), evolution.full_stationary_distribution(chain), strict=True))
        states = peer_states(size, 3, len(transitions))
        found = [ours[tuple(state)] for state in states]
        np.testing.assert_allclose(peer_stationary(transitions), found, atol=TOLERANCE)


@pytest.mark.parametrize("strategies", [3, 4])
def test_the_peers_other_transition_matrix_is_not_one(strategies):
    from egttools.analytical import StochDynamics

    payoff, size, beta, mu = np.random.default_rng(1).normal(size=(strategies, strategies)), 8, 1.0, 0.05
    theirs = StochDynamics(strategies, payoff, size, mu=mu).calculate_full_transition_matrix(beta).toarray()
    assert np.abs(theirs.sum(0) - 1).max() > 0.001
    assert np.abs(theirs.sum(1) - 1).max() > 0.001
    np.testing.assert_allclose(evolution.fermi_chain(payoff, size, beta, mu).transitions.sum(1), 1, atol=1e-14)


def test_a_chain_that_hardly_mixes_is_lost_by_the_peers_eigenvectors():
    # Two ends that exchange once in 1e40 events. Detailed balance says how the time is shared; the peer does not know.
    payoff, size, beta, mu = np.array([[1.0, 0.0], [0.0, 1.001]]), 40, 15.0, 1e-3
    chain = evolution.fermi_chain(payoff, size, beta, mu)
    theirs = peer_stationary(peer_process(payoff, size).calculate_transition_matrix(beta, mu).toarray())
    ours, states = evolution.full_stationary_distribution(chain), chain.states[:, 0]
    moves = chain.transitions.toarray()
    flow = ours[:, None] * moves
    np.testing.assert_allclose(flow, flow.T, rtol=1e-9)
    np.testing.assert_allclose(ours[states], stationary_distribution(payoff, size, beta, mu)[states], rtol=1e-9)
    assert np.abs(np.asarray(theirs)[peer_states(size, 2, size + 1)[:, 0]] - ours).max() > 0.01


def test_replicator_fields():
    from egttools.analytical import replicator_equation

    random = np.random.default_rng(0)
    payoffs, shares = random.normal(size=(GAMES, 4, 4)), random.dirichlet(np.ones(4), GAMES)
    theirs = [replicator_equation(x, payoff) for x, payoff in zip(shares, payoffs, strict=True)]
    np.testing.assert_allclose(field(payoffs, shares), theirs, atol=TOLERANCE)


def test_the_gradient_of_selection_is_two_over_n_of_the_expected_change_in_the_peer():
    for payoff, size, beta, _ in random_games(3, beta=2):
        counts = np.array([size - 2 * (size // 3), size // 3, size // 3])
        theirs = peer_process(payoff, size).calculate_gradient_of_selection(beta, counts)
        ours = np.asarray(evolution.gradient_of_selection(counts, payoff, beta))
        moves = one_event(counts, payoff, beta, 0.0)
        moves[0, 0] = 0
        np.testing.assert_allclose(ours, moves.sum(0) - moves.sum(1), atol=1e-14)
        np.testing.assert_allclose(theirs, ours * 2 / 3, atol=TOLERANCE)


def test_the_peers_simulated_fixation_is_biased_where_time_runs_out():
    # Of the runs that have not ended it says nothing, and losing is quicker than winning: 0.02 instead of 0.0585.
    from egttools.games import Matrix2PlayerGameHolder
    from egttools.numerical import PairwiseComparisonNumerical

    payoff, size, beta, runs = np.array([[0.875, 0.75], [1.0, 1.0]]), 20, 0.1, 2000
    game = Matrix2PlayerGameHolder(2, payoff)
    process = PairwiseComparisonNumerical(size, game, 100_000)
    exact = float(fixation_probability(payoff, size, beta)[1, 0])
    error = np.sqrt(exact * (1 - exact) / runs)
    assert exact == pytest.approx(peer_process(payoff, size).calculate_fixation_probability(1, 0, beta), abs=TOLERANCE)
    assert exact - process.estimate_fixation_probability(1, 0, runs, 500, beta) > critical(1) * error
    assert abs(process.estimate_fixation_probability(1, 0, runs, 100_000, beta) - exact) < critical(1) * error


def test_the_peers_stag_hunt_forgets_the_cost_unless_all_cooperate():
    from egttools.games import NPlayerStagHunt

    group, factor, threshold, cost = 5, 2.0, 2, 0.5
    theirs = np.asarray(NPlayerStagHunt(group, factor, threshold, cost).payoffs())
    game = n_player_stag_hunt(group=group, f=factor, threshold=threshold, c=cost)
    ours = np.array([game.group_payoff(jnp.array([k, group - 1 - k], float)) for k in range(group)]).T
    # By Pacheco and others (2009) everybody has F c k / n where k of n contribute and k >= M; contributors pay c.
    k = np.arange(group)
    np.testing.assert_allclose(ours[1], np.where(k >= threshold, factor * cost * k / group, 0), atol=1e-15)
    np.testing.assert_allclose(
        ours[0], np.where(k + 1 >= threshold, factor * cost * (k + 1) / group, 0) - cost, atol=1e-15
    )
    assert theirs[1, group] == pytest.approx(ours[0, group - 1])
    paid = theirs[1, threshold:group] + cost
    np.testing.assert_allclose(paid, (ours[0, threshold - 1 : group - 1] + cost) / cost)


def test_a_temporary_game_crashes_the_peer_and_not_us():
    program = (
        "import numpy as np; from egttools.analytical import PairwiseComparison as P; "
        "from egttools.games import Matrix2PlayerGameHolder as G\n"
        "for _ in range(50): P(20, G(3, np.eye(3))).calculate_transition_matrix(1.0, 0.01)"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, check=False).returncode < 0
    assert evolution.fermi_chain(np.eye(3), 20, 1.0, 0.01).transitions.shape == (231, 231)


# OpenSpiel


def open_spiel_rank(tables, alpha, size):
    from open_spiel.python.egt import alpharank

    return alpharank.compute(tables, m=size, alpha=alpha)[2]


def test_alpha_rank():
    for seed in range(GAMES):
        random = np.random.default_rng(seed)
        payoff, alpha = random.normal(size=(5, 5)), random.uniform(0.001, 2)
        ours = alpha_rank(payoff, alpha, 20)
        np.testing.assert_allclose(ours, open_spiel_rank([payoff], alpha, 20), atol=TOLERANCE)


def test_alpha_rank_of_two_populations():
    for seed in range(GAMES):
        random = np.random.default_rng(seed)
        tables, alpha = list(random.normal(size=(2, 3, 4))), random.uniform(0.001, 1)
        ours = alpha_rank_profiles(tables, alpha, 20).ravel()
        np.testing.assert_allclose(ours, open_spiel_rank(tables, alpha, 20), atol=TOLERANCE)


def test_strong_ranking_fails_in_the_peer_and_not_here():
    tables = [np.eye(2), np.eye(2)]  # two conventions, each for ever: the peer finds two answers and raises
    with pytest.raises(ValueError, match="stationary"):
        open_spiel_rank(tables, 100.0, 50)
    np.testing.assert_allclose(alpha_rank_profiles(tables, 100.0, 50), np.diag([0.5, 0.5]), atol=1e-12)
    payoff = np.random.default_rng(0).normal(size=(3, 3))
    with np.errstate(all="ignore"), pytest.raises(ValueError, match="infs or NaNs"):
        open_spiel_rank([payoff], 1e4, 50)
    # The third strategy earns more against each of the others than they against it.
    assert (payoff[2, :2] > payoff[:2, 2]).all()
    np.testing.assert_allclose(alpha_rank(payoff, 1e4, 50), [0, 0, 1], atol=1e-12)


def test_replicator_fields_of_open_spiel():
    from open_spiel.python.egt import dynamics

    random = np.random.default_rng(1)
    payoffs, shares = random.normal(size=(GAMES, 3, 3)), random.dirichlet(np.ones(3), GAMES)
    theirs = [
        dynamics.SinglePopulationDynamics(np.stack([payoff, payoff.T]), dynamics.replicator)(x)
        for x, payoff in zip(shares, payoffs, strict=True)
    ]
    np.testing.assert_allclose(field(payoffs, shares), theirs, atol=TOLERANCE)


# Nashpy


def test_symmetric_equilibria_are_rest_points():
    import nashpy

    seen = 0
    for payoff, *_ in random_games(3, beta=1):
        found = replicator_rest_points(payoff).points
        for row, column in nashpy.Game(payoff, payoff.T).vertex_enumeration():
            if np.allclose(row, column, atol=TOLERANCE):
                seen += 1
                np.testing.assert_allclose(replicator(row, payoff @ row), 0, atol=TOLERANCE)
                assert np.abs(np.asarray(found) - row).max(1).min() < TOLERANCE
    assert seen >= GAMES  # every symmetric game has one


def test_pure_equilibria_are_the_strict_strategies():
    import nashpy

    for payoff, *_ in random_games(4, beta=1):
        theirs = {
            int(row.argmax())
            for row, column in nashpy.Game(payoff, payoff.T).support_enumeration()
            if row.max() == column.max() == 1 and row.argmax() == column.argmax()
        }
        assert theirs == set(np.flatnonzero(pure_stability(payoff).strict))
