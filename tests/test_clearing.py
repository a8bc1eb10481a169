"""Clearing: reference cases, the linear programme, accounts, costs of bankruptcy, derivatives, refusals."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import DATA
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.test_util import check_grads
from scipy.optimize import linprog

from jaxcoord.errors import ParameterError
from jaxcoord.market.clearing import clearing, fictitious_default
from jaxcoord.market.interbank import after_loss, interbank_network, liability_threshold, shock_threshold

ALL = json.loads((DATA / "market_cases.json").read_text())["cases"]
CASES = {case["id"]: case for case in ALL if case["kind"] == "clearing"}
SHAPES = {case["id"]: case for case in ALL if case["kind"] == "ring_vs_complete"}
NAMES = ("L", "e", "ext_liab", "senior", "alpha", "beta")

by_sweeps = jax.jit(clearing, static_argnames="which")
by_rounds = jax.jit(fictitious_default)


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def network(seed, banks=12, senior=True):
    """A sparse random network with assets of about a third of what is owed, and loops."""
    random = np.random.default_rng(seed)
    debts = random.uniform(0, 4, (banks, banks)) * (random.random((banks, banks)) < 0.4)
    np.fill_diagonal(debts, 0)
    first = random.uniform(0, 2, banks) if senior else np.zeros(banks)
    return debts, random.uniform(0, 4, banks), random.uniform(0, 1, banks), first


def close(found, expected, tolerance):
    """Every number within the tolerance, and who is in default exactly."""
    banks = len(expected["p"])
    for name, key in (("paid", "p"), ("received", "received"), ("equity", "equity"), ("recovery", "recovery")):
        numbers = getattr(found, name)[:banks]
        np.testing.assert_allclose(numbers, expected[key], atol=tolerance, rtol=tolerance, err_msg=name)
    np.testing.assert_array_equal(found.default[:banks], expected["default"])
    shortfall = np.asarray(found.owed - found.paid).sum()
    np.testing.assert_allclose(shortfall, expected["total_shortfall"], atol=tolerance, rtol=tolerance)


def padded(cases, dtype):
    """The arguments of cases as one batch, with banks that owe nothing to make them equally large."""
    size = max(len(case["inputs"]["e"]) for case in cases)
    arguments = []
    for name in NAMES:
        given_ = [np.asarray(case["inputs"][name], dtype) for case in cases]
        arguments.append(np.stack([np.pad(x, [(0, size - n) for n in x.shape]) if x.ndim else x for x in given_]))
    return arguments


# Cases


@pytest.mark.parametrize("which", ["greatest", "least"])
@pytest.mark.parametrize("double", [True, False], ids=["float64", "float32"])
def test_clearing_equals_reference(which, double):
    cases = [case for case in CASES.values() if case["inputs"]["which"] == which]
    with jax.enable_x64(double):
        arguments = padded(cases, np.float64 if double else np.float32)
        batch = jax.vmap(lambda *a: by_sweeps(*a, which=which))(*arguments)
        assert batch.paid.dtype == (jnp.float64 if double else jnp.float32)
        assert float(batch.residual.max()) < (1e-10 if double else 1e-6)
    for row, case in enumerate(cases):
        close(jax.tree.map(lambda x, row=row: x[row], batch), case["expected"], case["abs_tol"] if double else 1e-4)


def test_rounds_of_default_equal_reference():
    cases = [case for case in CASES.values() if case["inputs"]["which"] == "greatest"]
    batch, rounds = jax.vmap(by_rounds)(*padded(cases, float))
    for row, (case, when) in enumerate(zip(cases, np.asarray(rounds), strict=True)):
        close(jax.tree.map(lambda x, row=row: x[row], batch), case["expected"], case["abs_tol"])
        listed = [np.flatnonzero(when == r).tolist() for r in range(1, when.max() + 1)]
        assert listed == case["expected"]["default_rounds"]


def test_shape_decides_how_many_fail():
    solve = jax.jit(lambda debts, assets, senior: clearing(debts, assets, senior=senior))
    for case in SHAPES.values():
        given_, expected = case["inputs"], case["expected"]
        banks, slack = given_["n"], given_["a"] - given_["v"]
        assert float(shock_threshold(banks, slack)) == pytest.approx(expected["epsilon_star"])
        assert float(liability_threshold(banks, slack)) == pytest.approx(expected["y_star"])
        assets, senior = after_loss(given_["a"], given_["v"], np.eye(banks)[0] * given_["shock"])
        for shape, numbers in expected["networks"].items():
            found = solve(interbank_network(shape.replace("_", "-"), banks, given_["y"]), assets, senior)
            assert int(found.default.sum()) == numbers["defaults"], shape
            lost = [found.shortfall.sum(), (senior - found.senior).sum()]
            wanted = [numbers["total_interbank_shortfall"], numbers["senior_shortfall"]]
            np.testing.assert_allclose(lost, wanted, atol=case["abs_tol"])


# What clearing means


@pytest.mark.parametrize("seed", range(8))
def test_payments_without_costs_solve_the_linear_programme(seed):
    """max sum p with p <= e + Pi' p and 0 <= p <= pbar (Eisenberg & Noe 2001, lemma 4)."""
    debts, assets, external, _ = network(seed)
    total = debts.sum(1) + external
    best = linprog(-np.ones(12), np.eye(12) - (debts / total[:, None]).T, assets, bounds=np.c_[np.zeros(12), total])
    found = by_sweeps(debts, assets, external, np.zeros(12), 1.0, 1.0)
    np.testing.assert_allclose(found.paid, best.x, atol=1e-8)
    assert 0 < int(found.default.sum()) < 12


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), alpha=st.floats(0, 1), beta=st.floats(0, 1))
def test_sweeps_and_rounds_agree(seed, alpha, beta):
    arguments = (*network(seed), alpha, beta)
    swept, (solved, rounds) = by_sweeps(*arguments), by_rounds(*arguments)
    np.testing.assert_allclose(swept.paid, solved.paid, atol=1e-8)
    np.testing.assert_array_equal(swept.default, solved.default)
    np.testing.assert_array_equal(rounds > 0, solved.default)
    assert float(solved.residual) < 1e-10


@settings(deadline=None, max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), alpha=st.floats(0, 1), beta=st.floats(0, 1))
def test_payments_obey_the_rule_bank_by_bank(seed, alpha, beta):
    debts, assets, external, senior = network(seed)
    found = by_sweeps(debts, assets, external, senior, alpha, beta)
    total = debts.sum(1) + external
    paid, received = np.asarray(found.paid), (np.asarray(found.paid) / total) @ debts
    np.testing.assert_allclose(found.received, received, atol=1e-12)
    for i in range(len(debts)):
        if assets[i] + received[i] - senior[i] >= total[i] - 1e-9:
            assert paid[i] == pytest.approx(total[i])
            assert float(found.equity[i]) == pytest.approx(assets[i] + received[i] - senior[i] - total[i], abs=1e-8)
        else:
            value = alpha * assets[i] + beta * received[i]
            assert paid[i] == pytest.approx(max(value - senior[i], 0), abs=1e-8)
            assert float(found.senior[i]) == pytest.approx(min(value, senior[i]), abs=1e-8)
            assert float(found.equity[i]) == 0


def test_leaps_end_where_plain_sweeps_end():
    """Both solutions of dense and slow systems, by NumPy sweeps without leaps; leaping takes no solution's place."""
    rng = np.random.default_rng(8)
    for alpha, beta in ((1, 1), (0.8, 0.9), (0, 1)):
        debts = rng.uniform(0, 1, (40, 15, 15)) * (rng.random((40, 15, 15)) < 0.3)
        debts[:, np.arange(15), np.arange(15)] = 0
        assets = rng.uniform(0, 0.3, (40, 15)) * rng.integers(0, 2, (40, 15))
        total = debts.sum(2) + 0.05
        external = total - debts.sum(2)
        for which in ("greatest", "least"):
            share = np.full((40, 15), float(which == "greatest"))
            for _ in range(3000):
                received = np.einsum("bi,bij->bj", share, debts)
                part = np.minimum((alpha * assets + beta * received) / total, 1)
                share = np.where(assets + received >= total * (1 - 1e-9), 1, part)
            found = jax.vmap(lambda L, e, x: clearing(L, e, x, alpha=alpha, beta=beta, which=which))(  # noqa: B023
                debts, assets, external
            )
            np.testing.assert_allclose(found.recovery, share, atol=1e-8)
            assert found.residual.max() < 1e-11


@pytest.mark.parametrize("seed", range(4))
def test_nothing_is_lost_without_costs(seed):
    """What owners, senior and outside creditors get is what there was."""
    debts, assets, external, senior = network(seed)
    found = by_sweeps(debts, assets, external, senior, 1.0, 1.0)
    outside = (found.recovery * external).sum()
    np.testing.assert_allclose(found.equity.sum() + found.senior.sum() + outside, assets.sum(), rtol=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_more_assets_and_lower_costs_never_mean_lower_payments(seed):
    debts, assets, external, senior = network(seed)
    base = by_sweeps(debts, assets, external, senior, 0.5, 0.5).paid
    for other in (
        by_sweeps(debts, 1.2 * assets, external, senior, 0.5, 0.5),
        by_sweeps(debts, assets, external, senior, 0.6, 0.5),
        by_sweeps(debts, assets, external, senior, 0.5, 0.6),
    ):
        assert (other.paid >= base - 1e-9).all()


@pytest.mark.parametrize("seed", range(4))
def test_least_is_a_solution_below_the_greatest(seed):
    debts, assets, _, _ = network(seed)
    least, greatest = (
        by_sweeps(debts, 0.5 * assets, np.zeros(12), np.zeros(12), 0.3, 0.3, which=which)
        for which in ("least", "greatest")
    )
    assert max(float(least.residual), float(greatest.residual)) < 1e-10
    assert (least.paid <= greatest.paid + 1e-9).all()


def test_an_ascent_does_not_stop_where_a_bank_could_pay():
    """Rogers & Veraart 2013, example 3.3: sweeps from nothing creep up to (1, 1), which is no solution."""
    least = clearing([[0.0, 2.0], [2.2, 0.0]], 1.0, alpha=0.5, beta=0.5, which="least")
    np.testing.assert_allclose(least.paid, [2.0, 2.2])
    assert float(least.residual) == 0


@pytest.mark.parametrize("extra", [0.0, 1e-7, 1e-3])
@pytest.mark.parametrize("solve", [by_sweeps, lambda *a: by_rounds(*a)[0]], ids=["sweeps", "rounds"])
def test_a_loop_that_owes_only_itself_and_seniors_pays_nothing(solve, extra):
    found = solve(
        interbank_network("ring", 3, 2.0), np.ones(3), np.zeros(3), np.array([1.0, 1.0, 1.5 + extra]), 1.0, 1.0
    )
    np.testing.assert_allclose(found.paid, [0.0, 0.0, 0.0], atol=1e-6)
    np.testing.assert_allclose(found.senior, 1.0, atol=1e-6)
    assert found.default.all()


def test_who_owes_nothing_or_nobody_is_handled():
    three = {"debts": np.zeros((3, 3)), "external": np.zeros(3), "alpha": 1.0, "beta": 1.0}

    def solve(assets, senior, **other):
        debts, external, alpha, beta = (three | other).values()
        return by_sweeps(debts, np.array(assets), external, np.array(senior), alpha, beta)

    nobody = solve([0.0, 0.0, 0.0], [0.0, 0.0, 0.0])
    np.testing.assert_array_equal(nobody.recovery, 1)
    assert not nobody.default.any()
    seniors = solve([1.0, 3.0, 0.0], [2.0, 2.0, 0.0], alpha=0.5)
    np.testing.assert_array_equal(seniors.default, [True, False, False])
    np.testing.assert_allclose(seniors.senior, [0.5, 2.0, 0.0])
    np.testing.assert_allclose(seniors.equity, [0.0, 1.0, 0.0])
    outsiders = solve([1.0, 0.0, 0.0], [0.0, 0.0, 0.0], external=np.array([4.0, 0.0, 0.0]))
    np.testing.assert_allclose(outsiders.recovery, [0.25, 1.0, 1.0])


def test_a_tie_is_no_default_in_single_precision():
    with jax.enable_x64(False):
        debts = interbank_network("complete", 64, 0.1)
        found = clearing(debts, 0.3, external=0.2, senior=0.1, alpha=0.0, beta=0.0)
        assert not found.default.any()


# Shapes of networks


@pytest.mark.parametrize("shape", ["ring", "complete", "two-cliques", "mixture"])
@pytest.mark.parametrize("banks", [4, 10])
def test_every_bank_of_a_shape_owes_and_is_owed_the_same(shape, banks):
    found = np.asarray(interbank_network(shape, banks, 12.0))
    np.testing.assert_allclose(found.sum(0), 12)
    np.testing.assert_allclose(found.sum(1), 12)
    assert not np.diagonal(found).any()
    reach = np.linalg.matrix_power(np.eye(banks) + (found > 0), banks) > 0
    assert reach.all() == (shape != "two-cliques")


# Derivatives and batches


@jax.jit
def outcome(debts, assets, external, senior, alpha, beta, weights):
    found = clearing(jnp.where(debts > 0.01, debts, 0.0), assets, external, senior, alpha, beta)
    return (weights * jnp.stack([found.paid, found.equity, found.senior])).sum()


@pytest.mark.parametrize(("alpha", "beta"), [(0.99, 0.99), (0.7, 0.9)])
@pytest.mark.parametrize("seed", [0, 1])
def test_derivatives_equal_central_differences(seed, alpha, beta):
    arguments = (*(jnp.asarray(x) for x in network(seed)), alpha, beta)
    assert 0 < int(by_sweeps(*arguments).default.sum()) < 12
    weights = np.random.default_rng(seed).uniform(0.5, 1.5, (3, 12))
    check_grads(lambda *a: outcome(*a, weights), arguments, order=1, modes=["fwd", "rev"], eps=1e-6, rtol=1e-5,
                atol=1e-6)  # fmt: skip


def test_a_credit_to_a_ring_in_default_is_worth_its_closed_form():
    """All of a ring in default, passing on b = beta y / (y + x): d(sum p)/de_0 = alpha / (1 - b)."""
    ring, passed = interbank_network("ring", 12, 2.0), 0.9 * 2 / 3
    weights = np.zeros((3, 12))
    weights[0] = 1.0
    cash = jnp.full(12, 0.5)
    slope = jax.grad(outcome, argnums=1)(ring, cash, np.ones(12), np.zeros(12), 0.8, 0.9, weights)
    np.testing.assert_allclose(slope, 0.8 / (1 - passed), rtol=1e-9)


def test_a_batch_equals_a_loop():
    networks = [(*network(seed), 0.6, 0.8) for seed in range(6)]
    stacked = [np.stack(parts) for parts in zip(*networks, strict=True)]
    batch, rounds = jax.vmap(by_sweeps)(*stacked), jax.vmap(by_rounds)(*stacked)[1]
    for row, arguments in enumerate(networks):
        np.testing.assert_allclose(batch.paid[row], by_sweeps(*arguments).paid, atol=1e-9)
        np.testing.assert_array_equal(rounds[row], by_rounds(*arguments)[1])


# Refusals


@pytest.mark.parametrize("solve", [clearing, fictitious_default])
@pytest.mark.parametrize(
    ("debts", "rest", "said"),
    [
        ([[0.0, -1.0], [1.0, 0.0]], {}, r"liabilities\[0, 1\] = -1: a finite amount of at least 0"),
        ([[0.0, np.nan], [1.0, 0.0]], {}, r"liabilities\[0, 1\] = nan"),
        ([[0.0, 1.0], [1.0, 2.0]], {}, r"liabilities\[1, 1\] = 2: nobody owes itself"),
        ([[0.0, 1.0]], {}, r"liabilities: shape \(1, 2\)"),
        ([[0.0, 1.0], [1.0, 0.0]], {"assets": [1.0, -2.0]}, r"assets\[1\] = -2"),
        ([[0.0, 1.0], [1.0, 0.0]], {"assets": [1.0, 2.0, 3.0]}, r"assets: shape \(3,\); one amount for each of 2"),
        ([[0.0, 1.0], [1.0, 0.0]], {"external": -1.0}, r"external = -1"),
        ([[0.0, 1.0], [1.0, 0.0]], {"senior": np.inf}, r"senior = inf"),
        ([[0.0, 1.0], [1.0, 0.0]], {"alpha": 1.1}, r"alpha = 1.1: a share from 0 to 1"),
        ([[0.0, 1.0], [1.0, 0.0]], {"beta": -0.1}, r"beta = -0.1: a share from 0 to 1"),
    ],
)
def test_what_is_not_allowed_is_named(solve, debts, rest, said):
    with pytest.raises(ParameterError, match=said):
        solve(debts, **({"assets": 1.0} | rest))


def test_unknown_words_are_answered_with_the_nearest():
    with pytest.raises(ParameterError, match=r"which = 'greatst'.*did you mean 'greatest'"):
        clearing([[0.0]], 1.0, which="greatst")
    with pytest.raises(ParameterError, match=r"shape = 'rings'.*did you mean 'ring'"):
        interbank_network("rings", 4, 1.0)
    with pytest.raises(ParameterError, match=r"banks = 5: two cliques"):
        interbank_network("two-cliques", 5, 1.0)


def test_a_bankruptcy_cost_is_one_for_all_or_one_for_each():
    with pytest.raises(ParameterError, match=r"alpha: shape \(3,\); a number, or one for each of 2, is needed"):
        clearing([[0.0, 1.0], [1.0, 0.0]], [1.0, 1.0], alpha=[0.5, 0.5, 0.5])
