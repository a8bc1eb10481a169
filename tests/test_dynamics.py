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
from jaxcoord.evolution import dynamics

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
    "maynard_smith_replicator": dynamics.maynard_smith_replicator,
    "boltzmann_q_learning": lambda x, p: dynamics.boltzmann_q_learning(x, p, 0.5),
    "policy_gradient": dynamics.policy_gradient,
}
UPHILL = ("replicator", "smith", "brown_von_neumann_nash", "projection", "best_response", "policy_gradient")


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

    class Table(jc.games.GroupGame, name="test-table"):
        strategies = ("C", "D")

        def group_payoff(self, others):
            return jnp.asarray(table)[:, others[0].astype(int)]

    payoffs = Table(group=table.shape[1]).payoffs(jnp.array(entry["x"]))
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


@pytest.mark.parametrize("entry", load("dynamics_cases.json", "S-D7")["S-D7"]["expected"], ids=lambda e: str(e["x"]))
def test_learning_dynamics(entry):
    case, x = load("dynamics_cases.json", "S-D7")["S-D7"], jnp.array(entry["x"])
    p = np.array(case["game"]["A"]) @ x
    temperature = case["params"]["temperature"]
    assert_close(dynamics.boltzmann_q_learning(x, p, temperature), entry["boltzmann_q"], case["tolerance"])
    assert_close(dynamics.policy_gradient(x, p), entry["qpg"], case["tolerance"])


def test_policy_gradient_is_the_gradient_of_the_mean_payoff():
    """The logits y climb d(p.x)/dy, and x = softmax(y) follows by the chain rule."""
    random = np.random.default_rng(2)
    for _ in range(10):
        logits, payoffs = jnp.array(random.normal(size=4)), jnp.array(random.normal(size=4))
        climb = jax.grad(lambda y, p=payoffs: jax.nn.softmax(y) @ p)(logits)
        _, change = jax.jvp(jax.nn.softmax, (logits,), (climb,))
        np.testing.assert_allclose(dynamics.policy_gradient(jax.nn.softmax(logits), payoffs), change, atol=1e-14)


def test_boltzmann_q_learning_rests_at_the_softmax():
    payoffs = jnp.array([0.3, -1.0, 0.7, 2.0])
    rest = jax.nn.softmax(payoffs / 0.4)
    np.testing.assert_allclose(dynamics.boltzmann_q_learning(rest, payoffs, 0.4), 0, atol=1e-14)
    assert dynamics.boltzmann_q_learning(jnp.array([0.0, 0.5, 0.5, 0.0]), payoffs, 0.4)[0] == 0


@pytest.mark.parametrize("strategies", [1, 2, 12, 13, 30])
def test_many_strategies_follow_the_same_formulas(strategies):
    random = np.random.default_rng(strategies)
    shares, payoff = random.dirichlet(np.ones(strategies)), random.uniform(1, 2, (strategies, strategies))
    p = payoff @ shares
    found = dynamics.game_field(payoff)(jnp.array(shares))
    np.testing.assert_allclose(found, shares * (p - shares @ p), atol=1e-15)
    np.testing.assert_allclose(dynamics.mean_payoff(shares, p), shares @ p, rtol=1e-14)
    np.testing.assert_allclose(dynamics.discrete_replicator(shares, p), shares * p / (shares @ p), rtol=1e-14)
    generation = shares + dynamics.maynard_smith_replicator(shares, p)
    np.testing.assert_allclose(generation, shares * p / (shares @ p), rtol=1e-13)


def test_log_coordinates_follow_the_replicator():
    random = np.random.default_rng(3)
    for _ in range(10):
        shares, payoff = random.dirichlet(np.ones(4)), random.normal(size=(4, 4))
        rate = dynamics.log_replicator_field(payoff)(jnp.log(shares) + 5.0)
        np.testing.assert_allclose(shares * rate, dynamics.game_field(payoff)(jnp.array(shares)), atol=1e-14)


@pytest.mark.parametrize("name", DYNAMICS)
def test_two_populations_under_any_dynamic(name):
    """A population that plays its own mirror image moves as one that plays itself."""
    random = np.random.default_rng(4)
    payoff, x = random.uniform(0.5, 2, (3, 3)), jnp.array(random.dirichlet(np.ones(3)))
    first, second = dynamics.bimatrix_field(payoff, payoff.T, DYNAMICS[name])((x, x))
    np.testing.assert_allclose(first, dynamics.game_field(payoff, DYNAMICS[name])(x), atol=1e-14)
    np.testing.assert_allclose(second, first, atol=1e-14)


def test_populations_of_different_numbers_of_strategies():
    random = np.random.default_rng(5)
    payoff, other = random.normal(size=(2, 3)), random.normal(size=(2, 3))
    x, y = random.dirichlet(np.ones(2)), random.dirichlet(np.ones(3))
    first, second = dynamics.bimatrix_field(payoff, other)((jnp.array(x), jnp.array(y)))
    np.testing.assert_allclose(first, x * (payoff @ y - x @ payoff @ y), atol=1e-14)
    np.testing.assert_allclose(second, y * (x @ other - x @ other @ y), atol=1e-14)


def test_payoff_of_another_size_is_refused():
    with pytest.raises(jc.ParameterError, match=r"\(3, 3\); a matrix with 2 columns"):
        dynamics.game_field(np.ones((3, 3)))(jnp.array([0.5, 0.5]))


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


@pytest.mark.parametrize("name", UPHILL)
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
