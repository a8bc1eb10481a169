"""Exact results of every rule, against cases computed elsewhere, linear systems and one another."""

import dataclasses
import functools

import cases
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from test_process import DRIFTING, RULES, process, random_games

from jaxcoord import ParameterError, evolution, games
from jaxcoord.evolution import exact

CASES = cases.load("process_cases.json", "S-C", "nstf", "ifn", "kmr")
EVENTS = [name for name, (rule, _) in RULES.items() if issubclass(rule, evolution.EventProcess)]
GENERATIONS = [name for name in RULES if name not in EVENTS]


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


class WithItself(games.matrix_game, name="test-with-itself"):
    """Everybody meets itself too, as in the peer library of the cases."""

    def payoffs_among(self, counts):
        return self.payoff() @ counts / counts.sum()


# Cases computed elsewhere


@pytest.mark.parametrize("row", range(4))
def test_constant_fitness(row):
    case = CASES["S-C1"]
    r, expected = case["expected"][row]["r"], case["expected"][row]["fixation_probability"]
    made = evolution.MoranBirthDeath(games.matrix_game([[r, r], [1, 1]]), beta=1.0, fitness="linear", size=20)
    cases.assert_close(exact.fixation_probability(made)[0, 1], expected, case["tolerance"])


@pytest.mark.parametrize(("name", "fitness"), [("S-C2", "exponential"), ("S-C3", "linear")])
def test_moran_with_a_matrix_game(name, fitness):
    case = CASES[name]
    game = games.matrix_game(case["game"]["A"])
    found = exact.fixation_probability(evolution.MoranBirthDeath(game, beta=0.1, fitness=fitness, size=25))
    for row in case["expected"]:
        cases.assert_close(found[row["invader"], row["resident"]], row["fixation_probability"], case["tolerance"])


@pytest.mark.parametrize(("name", "rule"), [("S-C4", evolution.MoranBirthDeath), ("S-C5", evolution.WrightFisher)])
def test_stationary_distribution_with_mutation(name, rule):
    case = CASES[name]
    made = rule(WithItself(case["game"]["A"]), beta=1.0, fitness="linear", mu=0.05, size=case["params"]["N"])
    cases.assert_close(exact.stationary_distribution(made), case["expected"]["stationary"], case["tolerance"])
    whole = evolution.full_stationary_distribution(exact.chain(made))
    cases.assert_close(whole, case["expected"]["stationary"], case["tolerance"])


@pytest.mark.parametrize("name", [name for name in CASES if name.startswith("nstf")])
def test_nowak_sasaki_taylor_fudenberg(name):
    case = CASES[name]
    values, expected = case["params"], case["expected"]
    game = games.matrix_game(values["payoff"])
    made = evolution.MoranBirthDeath(game, beta=float(values["w"]), fitness="linear", size=values["N"])
    found = exact.fixation_probability(made)
    cases.assert_close([found[0, 1], found[1, 0]], [expected["rho_A"], expected["rho_B"]], case["tolerance"])
    assert bool(found[0, 1] * values["N"] > 1) == expected["favours_A"]


def repeated(values):
    """ALLC, ALLD and TFT over m rounds; TFT pays c."""
    reward, sucker, temptation, punishment, m = (values[k] for k in "RSTPm")
    table = [
        [reward * m, sucker * m, reward * m],
        [temptation * m, punishment * m, temptation + punishment * (m - 1)],
        [reward * m, sucker + punishment * (m - 1), reward * m],
    ]
    return np.array(table, float) - np.array([[0], [0], [values["c"]]])


@pytest.mark.parametrize("name", [name for name in CASES if name.startswith("ifn")])
def test_imhof_fudenberg_nowak(name):
    case = CASES[name]
    values, expected = case["params"], case["expected"]
    game = games.matrix_game(repeated(values))
    made = evolution.MoranBirthDeath(game, beta=1.0, fitness="linear", size=values["N"], mu=values["mu"] or 0.0)
    found = np.asarray(exact.fixation_probability(made))
    rho = np.array(expected["rho"], float)
    inside = ~np.eye(3, dtype=bool)
    cases.assert_close(found[inside], rho.T[inside], case["tolerance"])
    cases.assert_close(exact.small_mutation_limit(made), expected["stationary_small_mutation"], case["tolerance"])
    if values["mu"]:
        chain = exact.chain(made)
        share = evolution.full_stationary_distribution(chain) @ chain.states / values["N"]
        cases.assert_close(share, expected["mean_frequencies"], case["tolerance"])


@pytest.mark.parametrize("name", [name for name in CASES if name.startswith("kmr")])
def test_kandori_mailath_rob(name):
    case = CASES[name]
    values, size = case["params"], case["params"]["N"]
    for eps in values["eps"]:
        made = evolution.ImitateTheBest(games.matrix_game(values["payoff"]), mu=eps, size=size)
        found, expected = np.asarray(exact.stationary_distribution(made)), case["expected"]["stationary"][str(eps)]
        wanted = [expected["pi_all2"], expected["pi_all1"], expected["mean_fraction_1"]]
        cases.assert_close([found[0], found[-1], found @ np.arange(size + 1) / size], wanted, case["tolerance"])


# Against linear systems and one another


def flow(made, mu):
    """The transition matrix `[Z+1, Z+1]` over the count of strategy 0, from `switching` by NumPy convolutions."""
    from scipy.stats import binom

    size, rows = made.size, []
    for k in range(size + 1):
        switching = np.asarray(made.switching(jnp.array([k, size - k], float), mu))
        row = np.zeros(size + 1)
        if isinstance(made, evolution.EventProcess):
            up = (size - k) / size * switching[1, 0] if k < size else 0.0
            down = k / size * switching[0, 1] if k else 0.0
            row[k] = 1 - up - down
            row[min(k + 1, size)] += up
            row[max(k - 1, 0)] += down
        else:
            stay, turn = (switching[0, 0] if k else 0.0), (switching[1, 0] if k < size else 0.0)
            row = np.convolve(binom.pmf(range(k + 1), k, stay), binom.pmf(range(size - k + 1), size - k, turn))
        rows.append(row)
    return np.array(rows)


@pytest.mark.parametrize("name", DRIFTING)
def test_fixation_solves_the_absorbing_chain(name):
    made = process(name, random_games(2, 3)[0], size=9)
    chain = flow(made, 0.0)
    inner = np.eye(8) - chain[1:-1, 1:-1]
    win = np.linalg.solve(inner, chain[1:-1, -1])
    found = exact.fixation_probability(made)
    np.testing.assert_allclose([found[0, 1], found[1, 0]], [win[0], 1 - win[-1]], rtol=1e-10)
    np.testing.assert_allclose(np.diagonal(found), 1 / 9)
    np.testing.assert_allclose(exact.log_fixation_probability(made), np.log(found), rtol=1e-12)


@pytest.mark.parametrize("name", RULES)
@pytest.mark.slow
def test_stationary_distribution_is_that_of_the_whole_chain(name):
    made = process(name, random_games(2, 4)[0], size=9, mu=0.07)
    chain = flow(made, 0.07)
    found = exact.stationary_distribution(made)
    np.testing.assert_allclose(found, cases.null_vector(chain), atol=1e-12)
    np.testing.assert_allclose(exact.chain(made).transitions.toarray(), chain, atol=1e-14)


@pytest.mark.parametrize("name", EVENTS)
def test_times_solve_the_absorbing_chain(name):
    made = process(name, random_games(2, 6)[0], size=9)
    chain = flow(made, 0.0)
    inner = np.eye(8) - chain[1:-1, 1:-1]
    win = np.linalg.solve(inner, chain[1:-1, -1])
    found = exact.fixation_times(made)
    np.testing.assert_allclose(found.absorption, np.linalg.solve(inner, np.ones(8))[0], rtol=1e-10)
    np.testing.assert_allclose(found.fixation, np.linalg.solve(inner, win)[0] / win[0], rtol=1e-10)


@pytest.mark.parametrize("name", RULES)
def test_gradient_of_selection_is_the_mean_step(name):
    made = process(name, random_games(3, 8)[0], size=9)
    chain = exact.chain(process(name, random_games(3, 8)[0], size=9, mu=0.0))
    change = chain.transitions @ chain.states - chain.states
    for at in (0, 5, 20, len(chain.states) - 1):
        np.testing.assert_allclose(exact.gradient_of_selection(made, chain.states[at]), change[at], atol=1e-12)


@pytest.mark.parametrize("name", ["moran-death-birth", pytest.param("wright-fisher", marks=pytest.mark.slow)])
def test_small_mutation_limit_is_the_limit_of_the_whole_chain(name):
    rows = [[0, 0.3, 0.7], [0.9, 0, 0.1], [0.5, 0.5, 0]]
    made = functools.partial(process, name, random_games(3, 9)[0], size=6, kernel=evolution.mutation_kernel(rows))
    limit, apart = exact.small_mutation_limit(made()), []
    for mu in (1e-3, 1e-4):
        chain = exact.chain(made(mu=mu))
        apart.append(np.abs(evolution.full_stationary_distribution(chain) @ chain.states / 6 - limit).max())
    assert apart[1] < 2e-3
    assert apart[1] < apart[0] / 5, "in proportion to mu"


def test_three_strategies_of_generations_are_multinomials():
    from scipy.stats import multinomial

    made = process("wright-fisher", random_games(3, 10)[0], size=5, mu=0.1)
    chain = exact.chain(made)
    for at, counts in enumerate(chain.states):
        parents = np.asarray(made.switching(jnp.asarray(counts, float), 0.1))[np.flatnonzero(counts)[0]]
        expected = multinomial.pmf(chain.states, 5, parents / parents.sum())
        np.testing.assert_allclose(chain.transitions[at].toarray()[0], expected, atol=1e-13)


@pytest.mark.slow
def test_of_pairwise_comparison_they_are_the_closed_forms_of_the_fermi_process():
    payoff = random_games(4, 13)[0]
    made = process("pairwise-comparison", payoff, size=30, mu=0.02)
    fermi = functools.partial(evolution.fixation_probability, payoff, 30, 0.7)
    np.testing.assert_allclose(exact.fixation_probability(made), fermi(), rtol=1e-12)
    np.testing.assert_allclose(
        exact.small_mutation_limit(made), evolution.small_mutation_limit(payoff, 30, 0.7), rtol=1e-11
    )
    two = process("pairwise-comparison", payoff[:2, :2], size=30, mu=0.02)
    np.testing.assert_allclose(
        exact.stationary_distribution(two), evolution.stationary_distribution(payoff[:2, :2], 30, 0.7, 0.02), rtol=1e-10
    )
    np.testing.assert_allclose(
        exact.chain(made).transitions.toarray()[::97],
        evolution.fermi_chain(payoff, 30, 0.7, 0.02).transitions.toarray()[::97],
        atol=1e-14,
    )


def test_strong_selection_does_not_overflow():
    made = evolution.MoranBirthDeath(games.matrix_game([[1000.0, 0.0], [2000.0, 500.0]]), beta=10.0, size=200)
    found = np.asarray(exact.log_fixation_probability(made))
    # The invader's advantage is at least 500 * 10 in the exponent: it fixates; the other way is a sum of one term.
    assert found[1, 0] == pytest.approx(0, abs=1e-12)
    k = np.arange(1, 200)
    gain = 10.0 * ((1000 * (k - 1)) - (2000 * k + 500 * (199 - k))) / 199
    assert found[0, 1] == pytest.approx(gain.sum(), rel=1e-12)
    death_birth = evolution.MoranDeathBirth(games.matrix_game([[1000.0, 0.0], [2000.0, 500.0]]), beta=10.0, size=200)
    assert np.isfinite(exact.log_fixation_probability(death_birth)).all()


@pytest.mark.parametrize("name", EVENTS)
def test_results_batch_and_have_gradients(name):
    made = process(name, random_games(2, 14)[0], size=12, mu=0.1)

    @jax.jit
    def share(beta):
        one = dataclasses.replace(made, beta=beta)
        return exact.stationary_distribution(one) @ jnp.arange(13.0) / 12 + exact.fixation_probability(one)[0, 1]

    low, high, middle = (float(share(0.1 + step)) for step in (-1e-5, 1e-5, 0.0))
    np.testing.assert_allclose(jax.vmap(share)(jnp.array([0.1 - 1e-5, 0.1])), [low, middle], rtol=1e-12)
    assert jax.grad(share)(0.1) == pytest.approx((high - low) / 2e-5, rel=1e-6)


def test_what_needs_two_strategies_says_so():
    made = process("moran-birth-death", np.eye(3), size=5)
    for ask in (exact.rates, exact.stationary_distribution, exact.fixation_times):
        with pytest.raises(ParameterError, match="3 strategies; this needs two"):
            ask(made)
    with pytest.raises(ParameterError, match=r"size = 400: 80601 states; at most 20000"):
        exact.chain(process("wright-fisher", np.eye(3), size=400))
