"""Stability against its definitions, the literature's own examples, and the fixation probabilities it stands for."""

import itertools
from fractions import Fraction

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import assert_close, load

import jaxcoord as jc
from jaxcoord import evolution
from jaxcoord.evolution import stability
from jaxcoord.evolution.nash import symmetric_equilibria
from jaxcoord.evolution.stability import (
    cooperation_thresholds,
    invasion_barrier,
    invasion_graph,
    is_stable_mixture,
    one_third_margin,
    risk_dominance_margin,
)

# Compiled once for a size, which is several times faster here than one operation after the other.
fixation_probability = jax.jit(evolution.fixation_probability, static_argnums=1)
small_mutation_limit = jax.jit(evolution.small_mutation_limit, static_argnums=1)
pure_stability = jax.jit(stability.pure_stability)
finite_stability = jax.jit(stability.finite_stability, static_argnums=1)
weak_selection_slope = jax.jit(stability.weak_selection_slope, static_argnums=1)

FIVE_RULES = load("equilibria_cases.json", "five-rules")["five-rules-thresholds"]
DILEMMA = [[3.0, 0.0], [5.0, 1.0]]
HAWK_DOVE = [[-0.5, 2.0], [0.0, 1.0]]
STAG_HUNT = [[4.0, 0.0], [3.0, 2.0]]


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def tit_for_tat(rounds):
    """TFT against ALLD over rounds of the 5-3-1-0 dilemma."""
    return [[3 * rounds, rounds - 1], [rounds + 4, rounds]]


# Infinite populations


def spreads(payoff, resident, mutant):
    """The sign of what a rare mutant gains on residents, its share being small but not zero, in fractions."""
    share = Fraction(1, 10**6)
    met = {resident: 1 - share, mutant: share}
    earned = [sum(Fraction(int(payoff[i][j])) * x for j, x in met.items()) for i in (mutant, resident)]
    return (earned[0] > earned[1]) - (earned[0] < earned[1])


@pytest.mark.parametrize("seed", range(20))
def test_pure_stability_is_that_rare_mutants_earn_less(seed):
    payoff = np.random.default_rng(seed).integers(-2, 3, (4, 4))
    found = pure_stability(payoff)
    for i in range(4):
        gains = [spreads(payoff, i, j) for j in range(4) if j != i]
        assert found.evolutionary[i] == all(gain < 0 for gain in gains)
        assert found.neutral[i] == all(gain <= 0 for gain in gains)
        assert found.strict[i] == all(payoff[i, i] > payoff[j, i] for j in range(4) if j != i)


def test_pure_stability_of_known_games():
    assert pure_stability(jnp.array(DILEMMA)).evolutionary.tolist() == [False, True]
    assert pure_stability(jnp.array(HAWK_DOVE)).evolutionary.tolist() == [False, False]
    assert pure_stability(jnp.array(STAG_HUNT)).strict.tolist() == [True, True]
    # Always-cooperate drifts among tit for tat: neither is evolutionarily stable, both are neutrally so among the two.
    assert [x.tolist() for x in pure_stability(jnp.full((2, 2), 3.0))] == [[False] * 2, [False] * 2, [True] * 2]


@pytest.mark.parametrize(("v", "c"), [(1.0, 2.0), (2.0, 3.0), (0.3, 5.0)])
def test_hawks_at_v_over_c_are_stable_and_no_other_share(v, c):
    payoff = jc.games.hawk_dove(v=v, c=c).payoff()
    assert is_stable_mixture(payoff, [v / c, 1 - v / c])
    assert not is_stable_mixture(payoff, [v / c + 0.01, 1 - v / c - 0.01])
    assert not is_stable_mixture(payoff, [1.0, 0.0])


@pytest.mark.parametrize(("win", "loss", "stable"), [(2.0, 1.0, True), (1.0, 1.0, False), (1.0, 2.0, False)])
def test_rock_paper_scissors_is_stable_where_winning_pays_more(win, loss, stable):
    payoff = jc.games.rock_paper_scissors(win=win, loss=loss).payoff()
    assert is_stable_mixture(payoff, [1 / 3] * 3) is stable


def test_mixtures_of_single_precision():
    with jax.enable_x64(False):
        payoff = jc.games.hawk_dove(v=0.7, c=2.1).payoff()
        share = jnp.float32(1 / 3)
        assert is_stable_mixture(payoff, jnp.stack([share, 1 - share]))
        assert not is_stable_mixture(payoff, jnp.array([0.334, 0.666]))
        assert not is_stable_mixture(jc.games.rock_paper_scissors().payoff(), jnp.full(3, 1 / 3))


def test_mixed_mutants_may_break_what_pure_ones_do_not():
    # All are best replies to the first. Each alone dies out; both in one mutant help each other.
    helping = [[0, 0, 0], [0, -1, 2], [0, 2, -1]]
    assert pure_stability(jnp.array(helping)).evolutionary[0]
    assert not is_stable_mixture(helping, [1, 0, 0])
    # Hurting each other they do not, though the form is not definite: it is only ever read for positive shares.
    hurting = [[0, 0, 0], [0, -1, -2], [0, -2, -1]]
    assert is_stable_mixture(hurting, [1, 0, 0])


@pytest.mark.parametrize("seed", range(12))
def test_stable_mixtures_do_better_than_all_near_them(seed):
    """p is stable iff p.Ay > y.Ay for all y near p (Hofbauer, Schuster & Sigmund 1979); looked for at random."""
    rng = np.random.default_rng(seed)
    payoff = rng.integers(-3, 4, (3, 3)).astype(float)
    for p in symmetric_equilibria(payoff):
        others = rng.dirichlet(np.full(3, 0.6), 20_000) * (rng.random((20_000, 3)) < 0.7)  # corners and edges too
        others = others[others.sum(1) > 0] / others.sum(1, keepdims=True)[others.sum(1) > 0]
        near = p + 1e-3 * (others - p)
        gain = np.einsum("ni,ij,nj->n", p - near, payoff, near)
        moved = np.abs(near - p).max(1) > 1e-6
        assert is_stable_mixture(payoff, p) == (gain[moved] > 1e-16).all()


@pytest.mark.parametrize("seed", range(12))
def test_no_support_of_a_stable_mixture_contains_another(seed):
    """Bishop & Cannings 1976, which also bounds how many there can be."""
    payoff = np.random.default_rng(100 + seed).normal(size=(4, 4))
    supports = [set(np.flatnonzero(p)) for p in symmetric_equilibria(payoff) if is_stable_mixture(payoff, p)]
    assert not any(a < b or b < a for a, b in itertools.combinations(supports, 2))
    strict = {int(i) for i in np.flatnonzero(pure_stability(payoff).strict)}
    assert {next(iter(s)) for s in supports if len(s) == 1} == strict


# Finite populations


@pytest.mark.parametrize("size", [2, 3, 10, 300])
def test_finite_stability_is_nowaks_two_inequalities(size):
    for seed in range(20):
        payoff = np.random.default_rng(seed).normal(size=(2, 2))
        (a, b), (c, d) = payoff
        found = finite_stability(payoff, size)
        invasion = b * (size - 1) < c + d * (size - 2)
        replacement = a * (size - 2) + b * (2 * size - 1) < c * (size + 1) + d * (2 * size - 4)
        assert found.resists_invasion[0, 1] == invasion
        assert found.resists_replacement[0, 1] == replacement
        assert found.stable[1] == (invasion and replacement)


def test_ties_oppose_nothing():
    tied = finite_stability(np.full((3, 3), 0.7), 7, np.full((3, 3), (1 - 1e-12) / 7))
    assert not tied.resists_invasion.any()
    assert not tied.resists_replacement.any()
    assert not tied.stable.any()


def test_finite_stability_by_a_process_of_ones_own():
    payoff, size = np.random.default_rng(0).normal(size=(3, 3)), 20
    weak = finite_stability(payoff, size, fixation_probability(payoff, size, 1e-5))
    for mine, formula in zip(weak, finite_stability(jc.games.matrix_game(payoff), size), strict=True):
        np.testing.assert_array_equal(mine, formula)
    strong = finite_stability(jnp.array(STAG_HUNT), size, fixation_probability(jnp.array(STAG_HUNT), size, 10.0))
    assert strong.stable.all()
    assert finite_stability(jnp.array(STAG_HUNT), size).stable.tolist() == [False, True]


@pytest.mark.parametrize("size", [2, 5, 60])
def test_slope_is_that_of_the_fixation_probability(size):
    payoff = np.random.default_rng(size).normal(size=(3, 3))
    slope = jax.jacfwd(lambda beta: fixation_probability(payoff, size, beta))(0.0)
    apart = ~np.eye(3, dtype=bool)
    np.testing.assert_allclose(weak_selection_slope(payoff, size)[apart], slope[apart], rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize(
    ("rounds", "barrier", "from_size"), [(3, 1 / 3, None), (4, 1 / 5, 10), (5, 1 / 7, 6), (10, 1 / 17, 4)]
)
def test_tit_for_tat_needs_rounds_and_company(rounds, barrier, from_size):
    """Nowak et al. 2004: the barrier is 1/3 at three rounds; favoured from Z > 9.5, 5.75, 3.07 on."""
    payoff = np.array(tit_for_tat(rounds), float)
    assert float(invasion_barrier(payoff)[0, 1]) == pytest.approx(barrier)
    assert bool(one_third_margin(payoff)[0, 1] > 0) == (from_size is not None)
    favoured = [size for size in range(3, 400) if stability.weak_selection_slope(payoff, size)[0, 1] > 0]
    assert favoured == ([] if from_size is None else list(range(from_size, 400)))


def test_margins_and_barriers_belong_together():
    payoff = np.random.default_rng(4).normal(size=(6, 6)) + 2 * np.eye(6)
    barrier = np.asarray(invasion_barrier(payoff))
    both = np.isfinite(barrier)
    assert both.sum() >= 4
    np.testing.assert_allclose((barrier + barrier.T)[both], 1)
    np.testing.assert_array_equal((risk_dominance_margin(payoff) > 0)[both], (barrier < 1 / 2)[both])
    np.testing.assert_array_equal((one_third_margin(payoff) > 0)[both], (barrier < 1 / 3)[both])
    assert np.isnan(invasion_barrier(DILEMMA)).all()
    assert np.isnan(invasion_barrier(HAWK_DOVE)).all()


def five_rules():
    """Payoff matrices of Nowak 2006, table 1, at cost 1."""
    given = FIVE_RULES["params"]
    w, q, r, k, n, m = (given[name] for name in ("w", "q", "r", "k", "n_group", "m_groups"))
    return {
        "direct": lambda b: jnp.array([[(b - 1) / (1 - w), -1], [b, 0]]),
        "indirect": lambda b: jnp.array([[b - 1, q - 1], [b * (1 - q), 0]]),
        "kin": lambda b: jnp.array([[(b - 1) * (1 + r), b * r - 1], [b - r, 0]]),
        "network": lambda b: jnp.array([
            [b - 1, ((b - 1) * k - 2) / ((k + 1) * (k - 2)) - 1],
            [b - ((b - 1) * k - 2) / ((k + 1) * (k - 2)), 0],
        ]),
        "group": lambda b: jnp.array([[(b - 1) * (m + n), (b - 1) * m - n], [b * n, 0]]),
    }  # fmt: skip


@pytest.mark.parametrize("rule", ["direct", "indirect", "kin", "network", "group"])
def test_five_rules(rule):
    found = cooperation_thresholds(five_rules()[rule])
    expected = FIVE_RULES["expected"][rule]
    expected = [expected[test] for test in ("ESS", "RD", "AD")] if isinstance(expected, dict) else [expected] * 3
    assert_close(found, expected, FIVE_RULES["tolerance"])


def test_threshold_of_direct_reciprocity_falls_with_the_next_round():
    slope = jax.grad(
        lambda w: cooperation_thresholds(lambda b: jnp.array([[(b - 1) / (1 - w), -1], [b, 0]])).evolutionary
    )
    assert float(slope(0.8)) == pytest.approx(-1 / 0.8**2)


# Who invades whom


def test_invasion_graph_of_known_games():
    cycle = jc.games.rock_paper_scissors().payoff()
    graph = invasion_graph(fixation_probability(cycle, 50, 1.0), 50)
    assert graph.favoured.tolist() == [[False, False, True], [True, False, False], [False, True, False]]
    assert graph.sinks == [(0, 1, 2)]
    assert invasion_graph(fixation_probability(jnp.array(DILEMMA), 50, 1.0), 50).sinks == [(1,)]
    assert invasion_graph(fixation_probability(jnp.array(STAG_HUNT), 50, 1.0), 50).sinks == [(0,), (1,)]


def test_drift_leads_on():
    # The third holds out against the second, but drifts to the first, which does not.
    payoff = [[3, 0, 3], [5, 1, 0.5], [3, -1, 3]]
    graph = invasion_graph(fixation_probability(jnp.array(payoff), 100, 0.1), 100)
    assert graph.neutral[0, 2]
    assert graph.neutral[2, 0]
    assert not graph.neutral.diagonal().any()
    assert not graph.favoured[:, 2].any()
    assert graph.sinks == [(1,)]
    assert invasion_graph(fixation_probability(np.zeros((3, 3)), 40, 1.0), 40).sinks == [(0, 1, 2)]


@pytest.mark.parametrize("seed", range(6))
def test_strong_selection_leaves_the_sinks_alone(seed):
    payoff = np.random.default_rng(seed).normal(size=(6, 6))
    size, beta = 30, 50.0
    graph = invasion_graph(fixation_probability(payoff, size, beta), size)
    share = np.asarray(small_mutation_limit(payoff, size, beta))
    assert share[list(itertools.chain(*graph.sinks))].sum() == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: stability.pure_stability([[1, 2, 3], [4, 5, 6]]), "square"),
        (lambda: stability.pure_stability([[1, np.nan], [0, 1]]), "not finite"),
        (lambda: is_stable_mixture(DILEMMA, [1, 0, 0]), "2 non-negative numbers"),
        (lambda: is_stable_mixture(DILEMMA, [0.7, 0.7]), "sum to one"),
        (lambda: stability.finite_stability(DILEMMA, 1), "size = 1"),
        (lambda: stability.finite_stability(DILEMMA, 10, np.ones((3, 3))), r"\(2, 2\) is needed"),
        (lambda: stability.weak_selection_slope(DILEMMA, 2.5), "size = 2.5"),
        (lambda: invasion_graph([[0.1, 0.2]], 10), "fixation: shape"),
        (lambda: invasion_graph(np.full((2, 2), np.nan), 10), "finite"),
        (lambda: invasion_graph(np.full((2, 2), 0.1), 1), "size = 1"),
    ],
)
def test_refuses_in_one_line(call, words):
    with pytest.raises(jc.ParameterError, match=words) as caught:
        call()
    assert "\n" not in str(caught.value)
