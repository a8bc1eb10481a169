"""Mean dynamics against peers' right-hand sides, trajectories by SciPy, and what holds for each of them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import assert_close, load
from scipy.integrate import solve_ivp
from scipy.optimize import minimize

import jaxcoord as jc
from jaxcoord import evolution

CASES = load("egt_cases.json", "S-D")
CYCLE = np.array(CASES["S-D1"]["game"]["A"], float)
DYNAMICS = {
    "replicator": evolution.replicator,
    "replicator_mutator": lambda x, p: evolution.replicator_mutator(x, p, jnp.full((3, 3), 0.02) + 0.94 * jnp.eye(3)),
    "logit": lambda x, p: evolution.logit(x, p, 0.5),
    "best_response": evolution.best_response,
    "smith": evolution.smith,
    "brown_von_neumann_nash": evolution.brown_von_neumann_nash,
    "projection": evolution.projection,
}


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def trajectory(field, start, times):
    """A field's orbit at given times, by SciPy."""
    quick = jax.jit(field)
    solved = solve_ivp(
        lambda t, x: np.asarray(quick(x)), (0, times[-1]), start, "DOP853", t_eval=times, rtol=1e-12, atol=1e-14
    )
    return solved.y.T


@pytest.mark.parametrize("entry", CASES["S-D1"]["expected"], ids=lambda e: str(e["x"]))
def test_replicator(entry):
    x = jnp.array(entry["x"])
    assert_close(evolution.replicator(x, CYCLE @ x), entry["dx"], CASES["S-D1"]["tolerance"])


@pytest.mark.parametrize("entry", CASES["S-D2"]["expected"], ids=lambda e: str(e["x"]))
def test_replicator_of_groups(entry):
    case = CASES["S-D2"]
    full = np.array(case["game"]["payoff_of_strategy_i_in_composition_k"])[:, ::-1]  # by cooperators in the group, 0..n
    table = np.stack([full[0, 1:], full[1, :-1]])  # by cooperators among the others
    payoffs = evolution.group_payoffs(entry["x"][0], table)
    assert_close(payoffs, entry["fitness"], case["tolerance"])
    assert_close(evolution.replicator(jnp.array(entry["x"]), payoffs), entry["dx"], case["tolerance"])


def test_replicator_trajectory():
    case = CASES["S-D3"]
    found = trajectory(lambda x: evolution.replicator(x, CYCLE @ x), case["params"]["x0"], case["params"]["t"])
    assert_close(found, case["expected"]["x"], case["tolerance"])


def test_hawk_dove_trajectory_ends_at_v_over_c():
    case = load("paper_cases.json", "hawkdove")["hawkdove-replicator-s"]
    given, expected = case["params"], case["expected"]
    payoff = np.asarray(jc.games.hawk_dove(v=given["V"], c=given["C"]).payoff())
    found = trajectory(lambda x: evolution.replicator(x, payoff @ x), given["x0"], given["times"])
    assert_close(found[:, 0], expected["hawk"], case["tolerance"])
    rest = jnp.array([expected["ess"], 1 - expected["ess"]])
    np.testing.assert_allclose(evolution.replicator(rest, payoff @ rest), 0, atol=1e-14)


def test_replicator_mutator():
    case = CASES["S-D4"]
    payoff, mutation = np.array(case["game"]["A"]), np.array(case["params"]["mutation_matrix"])

    def field(x):
        return evolution.replicator_mutator(x, payoff @ x, mutation)

    assert_close(field(jnp.array(case["params"]["x0"])), case["expected"]["dx0"], case["tolerance"])
    assert_close(trajectory(field, case["params"]["x0"], case["params"]["t"]), case["expected"]["x"], case["tolerance"])


def test_two_populations():
    case = CASES["S-D5"]
    payoff, other = np.array(case["game"]["A"]), np.array(case["game"]["B"])
    given, expected = case["params"], case["expected"]

    def field(xy):
        return jnp.concatenate(evolution.bimatrix_replicator(xy[:2], xy[2:], payoff, other))

    start = np.r_[given["x0"], given["y0"]]
    assert_close(field(jnp.array(start)), np.r_[expected["dx0"], expected["dy0"]], case["tolerance"])
    found = trajectory(field, start, given["t"])
    assert_close(found, np.hstack([expected["x"], expected["y"]]), case["tolerance"])


@pytest.mark.parametrize("entry", CASES["S-D6"]["expected"], ids=lambda e: str(e["x"]))
def test_revision_protocols(entry):
    case, x = CASES["S-D6"], jnp.array(entry["x"])
    p = CYCLE @ x
    assert_close(evolution.logit(x, p, case["params"]["eta"]), entry["logit"], case["tolerance"])
    assert_close(evolution.smith(x, p), entry["smith"], case["tolerance"])
    assert_close(evolution.brown_von_neumann_nash(x, p), entry["bnn"], case["tolerance"])


def test_stability_of_the_rest_point_by_differentiation():
    case = CASES["S-D8"]
    rest = jnp.array(case["expected"]["rest_point"])
    jacobian = np.asarray(jax.jacfwd(lambda x: evolution.replicator(x, CYCLE @ x))(rest))
    tangent = np.linalg.qr(np.c_[np.ones(3), np.eye(3)[:, :2]])[0][:, 1:]
    found = np.sort_complex(np.linalg.eigvals(tangent.T @ jacobian @ tangent))
    expected = np.sort_complex([complex(*pair) for pair in case["expected"]["eigenvalues"]])
    np.testing.assert_allclose(found, expected, atol=1e-9)


@pytest.mark.parametrize("name", DYNAMICS)
def test_shares_stay_in_the_simplex_and_move_by_relabelling(name):
    random = np.random.default_rng(0)
    for shares in (*random.dirichlet(np.ones(3), 20), np.array([0.0, 0.3, 0.7]), np.array([0.0, 0.0, 1.0])):
        payoffs, order = random.uniform(0.5, 2, 3), random.permutation(3)
        change = np.asarray(DYNAMICS[name](jnp.array(shares), jnp.array(payoffs)))
        np.testing.assert_allclose(change.sum(), 0, atol=1e-12)
        assert (change[shares == 0] >= -1e-15).all()
        moved = np.asarray(DYNAMICS[name](jnp.array(shares[order]), jnp.array(payoffs[order])))
        np.testing.assert_allclose(moved, change[order], atol=1e-12)


@pytest.mark.parametrize("name", ["replicator", "smith", "brown_von_neumann_nash", "projection", "best_response"])
def test_never_against_the_payoffs(name):
    """Positive correlation: away from rest the change earns more than nothing (Sandholm 2010, ch. 5)."""
    random = np.random.default_rng(1)
    for _ in range(50):
        shares, payoffs = random.dirichlet(np.ones(3)), random.normal(size=3)
        change = np.asarray(DYNAMICS[name](jnp.array(shares), jnp.array(payoffs)))
        assert change @ payoffs > 0


@pytest.mark.parametrize("seed", range(20))
def test_projection_is_the_closest_feasible_direction(seed):
    random = np.random.default_rng(seed)
    shares = random.dirichlet(np.ones(5)) * (random.random(5) < 0.6)
    shares = shares / shares.sum() if shares.sum() > 0 else np.eye(5)[0]
    payoffs = random.normal(size=5)
    bounds = [(0, None) if share == 0 else (None, None) for share in shares]
    closest = minimize(
        lambda z: ((z - payoffs) ** 2).sum(), np.zeros(5), jac=lambda z: 2 * (z - payoffs), method="SLSQP",
        bounds=bounds, constraints={"type": "eq", "fun": np.sum}, options={"ftol": 1e-14, "maxiter": 500},
    )  # fmt: skip
    np.testing.assert_allclose(evolution.projection(jnp.array(shares), jnp.array(payoffs)), closest.x, atol=1e-5)


def test_best_response_shares_a_tie():
    found = evolution.best_response(jnp.array([1.0, 0.0, 0.0]), jnp.array([0.0, 2.0, 2.0]))
    np.testing.assert_allclose(found, [-1, 0.5, 0.5])


def test_group_table_is_checked():
    with pytest.raises(jc.ParameterError, match=r"\[2, n\]"):
        evolution.group_payoffs(0.5, np.zeros((3, 4)))
