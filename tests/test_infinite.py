"""Infinite populations as a model: integration, simplex, starts, and the properties that every model has."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import assert_close, assert_means, load
from test_solve import VoluntaryGroups

import jaxcoord as jc
from jaxcoord.engine import conformance
from jaxcoord.evolution import dynamics, infinite
from jaxcoord.evolution.infinite import InfinitePopulation

PAYOFF = np.array([[1.0, 0.4, 2.0], [2.0, 1.0, 0.3], [0.5, 1.8, 1.0]])
DYNAMICS = {
    "replicator": infinite.Replicator(),
    "maynard-smith-replicator": infinite.MaynardSmithReplicator(),
    "replicator-mutator": infinite.ReplicatorMutator(mu=0.1),
    "logit": infinite.Logit(noise=0.3),
    "best-response": infinite.BestResponse(),
    "smith": infinite.Smith(),
    "brown-von-neumann-nash": infinite.BrownVonNeumannNash(),
    "projection": infinite.Projection(),
    "boltzmann-q-learning": infinite.BoltzmannQLearning(temperature=0.5),
    "policy-gradient": infinite.PolicyGradient(),
}


@jax.jit
def after(model, start, steps):
    """Shares after so many of the model's own steps."""
    return jax.lax.fori_loop(0, steps, lambda _, x: model.step(x, None), jnp.asarray(start))


@jax.jit
def way(model, start):
    """Shares after each of 300 steps."""
    return jax.lax.scan(lambda x, _: (model.step(x, None),) * 2, start, length=300)[1]


def test_gradient_by_a_payoff():
    conformance.gradient(InfinitePopulation(method="euler"), "game.v", "mean_payoff", step=1e-2)


def test_every_dynamic_is_found_by_its_name():
    from jaxcoord import registry

    assert {name: type(dynamic) for name, dynamic in DYNAMICS.items()} == {
        name: registry.find(name, infinite.Dynamic, "dynamic")
        for name in registry.names(infinite.Dynamic)
        if registry.find(name, infinite.Dynamic, "").__module__.startswith("jaxcoord.")
    }


@pytest.mark.parametrize("name", DYNAMICS)
def test_shares_stay_in_the_simplex(name):
    model = InfinitePopulation(jc.games.matrix_game(PAYOFF), DYNAMICS[name], dt=0.2)
    for start in ([0.7, 0.2, 0.1], [0.0, 0.95, 0.05]):
        shares = way(model, jnp.float32(start))
        assert (shares >= 0).all()
        np.testing.assert_allclose(shares.sum(1), 1, atol=3e-7)
        assert np.abs(shares[-1] - np.array(start)).max() > 1e-2
    if name in ("replicator", "maynard-smith-replicator", "boltzmann-q-learning", "policy-gradient"):
        np.testing.assert_array_equal(shares[:, 0], 0)  # who imitates meets nobody to imitate
    else:
        assert shares[-1, 0] > 0


def test_parameters_reach_the_dynamic():
    """The rate is that of the function with this component's parameter."""
    x, p = jnp.array([0.2, 0.3, 0.5]), jnp.array([1.0, 0.5, 2.0])
    spread = 0.9 * np.eye(3) + 0.05 * (1 - np.eye(3))
    expected = {
        "replicator-mutator": dynamics.replicator_mutator(x, p, spread),
        "logit": dynamics.logit(x, p, 0.3),
        "boltzmann-q-learning": dynamics.boltzmann_q_learning(x, p, 0.5),
    }
    for name, rate in expected.items():
        np.testing.assert_allclose(DYNAMICS[name].rate(x, p), rate, atol=1e-6)
    alone = infinite.ReplicatorMutator(mu=0.3).rate(jnp.ones(1), jnp.ones(1))
    np.testing.assert_allclose(alone, 0)


@pytest.mark.parametrize(("method", "order"), [("runge-kutta", 4), ("euler", 1)])
def test_order_of_the_method(method, order):
    """Half the step divides the error by two to the order."""
    with jax.enable_x64(True):
        game, start = jc.games.matrix_game(PAYOFF), np.array([0.7, 0.2, 0.1])
        model = InfinitePopulation(game, method=method)
        ends = [after(dataclasses.replace(model, dt=4 / steps), start, steps) for steps in (40, 80, 20_000)]
        errors = [np.linalg.norm(end - ends[-1]) for end in ends[:-1]]
        np.testing.assert_allclose(np.log2(errors[0] / errors[1]), order, atol=0.15)
        assert errors[1] < 0.05**order


def test_hawk_dove_of_the_reference():
    case = load("paper_cases.json", "hawkdove")["hawkdove-replicator-s"]
    given = case["params"]
    with jax.enable_x64(True):
        model = InfinitePopulation(jc.games.hawk_dove(v=given["V"], c=given["C"]), dt=0.05)
        found = [after(model, np.array(given["x0"]), 20 * t)[0] for t in given["times"]]
        assert_close(found, case["expected"]["hawk"], case["tolerance"])


def test_discrete_generations():
    """An Euler step of 1 is x_i p_i / p.x."""
    model = InfinitePopulation(jc.games.matrix_game(PAYOFF), infinite.MaynardSmithReplicator(), dt=1.0, method="euler")
    shares, start = np.array([0.7, 0.2, 0.1]), np.float32([0.7, 0.2, 0.1])
    for _ in range(10):
        shares = dynamics.discrete_replicator(shares, PAYOFF @ shares)
    np.testing.assert_allclose(after(model, start, 10), shares, atol=1e-6)


def test_starts_are_uniform_on_the_simplex():
    """Dirichlet(1, 1, 1): each share has mean 1/3, mean square 1/6, and exceeds t with chance (1 - t)^2."""
    starts = np.asarray(
        jax.vmap(InfinitePopulation(jc.games.rock_paper_scissors()).init)(jax.random.split(jax.random.key(0), 20_000))
    )
    np.testing.assert_allclose(starts.sum(1), 1, atol=1e-6)
    assert_means(starts, np.full(3, 1 / 3))
    assert_means(starts**2, np.full(3, 1 / 6))
    for t in (0.1, 0.5, 0.9):
        assert_means(starts > t, np.full(3, (1 - t) ** 2))


def test_sweep_ends_at_the_stable_points():
    """Hawks at v/c, from every start, at every point of the sweep."""
    over = {"v": [0.5, 1.0, 2.0], "c": [3.0, 4.0]}
    runs = jc.sweep(InfinitePopulation(dt=0.5), over, steps=400, replicates=8, progress=False)
    last = runs.isel(step=-1)
    expected = (runs.v / runs.c).broadcast_like(last.mean_payoff)
    np.testing.assert_allclose(last.frequency.sel(strategy="hawk").transpose(*expected.dims), expected, atol=1e-5)
    # There a hawk and a dove both earn (v/2)(1 - v/c).
    np.testing.assert_allclose(last.mean_payoff, runs.v / 2 * (1 - expected), atol=1e-5)


def test_games_in_groups():
    """Where a pool is multiplied by less than two, loners take over."""
    model = InfinitePopulation(VoluntaryGroups(5, r=1.5, sigma=1.0), dt=0.1)
    runs = jc.simulate(model, steps=1000, populations=4, record=jc.Record(every=1000), progress=False)
    assert (runs.frequency.sel(strategy="L") > 0.99).all()
    np.testing.assert_allclose(runs.mean_payoff, 1, atol=0.01)


def test_unknown_method_and_dynamic_are_told():
    with pytest.raises(jc.ParameterError, match="infinite-population.method = 'eulr'.*'euler'"):
        InfinitePopulation(method="eulr")
    with pytest.raises(jc.ParameterError, match="infinite-population.dynamic = 'logit': a dynamic is needed"):
        InfinitePopulation(dynamic="logit")
    with pytest.raises(jc.ParameterError, match="logit.noise = 0: out of range"):
        infinite.Logit(noise=0)
