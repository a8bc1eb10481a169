"""Trajectories against published and computed orbits, SciPy, and what a solver must keep."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import assert_close, load
from scipy.integrate import solve_ivp

import jaxcoord as jc
from jaxcoord.evolution.dynamics import game_field, log_replicator_field
from jaxcoord.evolution.solve import solve

ORBITS = load("dynamics_cases.json", "rps-replicator")
PERIODS = load("dynamics_cases.json", "rps-zerosum-period")
GROUPS = load("dynamics_cases.json", "opgg-replicator")


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


class VoluntaryGroups(jc.games.GroupGame, name="test-voluntary-groups"):
    """C pays 1 into a pool that is multiplied by r and shared by C and D; L, or a single participant, gets sigma."""

    r: float = jc.param(3.0, doc="multiplication of the pool")
    sigma: float = jc.param(1.0, doc="what a loner gets")
    strategies = ("C", "D", "L")

    def group_payoff(self, others):
        among = others[0] + others[1]
        share = self.r / (among + 1)
        joined = jnp.stack([share * (others[0] + 1) - 1, share * others[0]])
        return jnp.append(jnp.where(among > 0, joined, self.sigma), self.sigma)


@functools.cache
def rock_paper_scissors_orbits():
    """`[cases, T, 3]`, all cases in one batch."""
    given = [case["params"] for case in ORBITS.values()]

    @jax.jit
    @functools.partial(jax.vmap, in_axes=(0, 0, None, None))
    def orbits(win, loss, start, times):
        return solve(game_field(jc.games.rock_paper_scissors(win=win, loss=loss)), start, times)

    with jax.enable_x64(True):
        win, loss = (jnp.array([g[name] for g in given]) for name in ("win", "lose"))
        return np.asarray(orbits(win, loss, jnp.array(given[0]["x0"]), jnp.array(given[0]["times"], float)))


@pytest.mark.parametrize(("row", "case"), list(enumerate(ORBITS.values())), ids=list(ORBITS))
def test_rock_paper_scissors(row, case):
    found = rock_paper_scissors_orbits()[row]
    assert_close(found, case["expected"]["trajectory"], case["tolerance"])
    assert_close(found.prod(1), case["expected"]["product_xyz"], case["tolerance"])
    if case["params"]["lose"] == case["params"]["win"]:
        np.testing.assert_allclose(found.prod(1), np.prod(case["params"]["x0"]), atol=1e-9)


def test_voluntary_public_goods():
    given = [case["params"] for case in GROUPS.values()]
    assert {g["N"] for g in given} == {5}
    games = [VoluntaryGroups(5, r=g["r"], sigma=g["sigma"]) for g in given]
    games = jax.tree.map(lambda *leaves: jnp.array(leaves), *games)
    points, starts = (jnp.array([g[name] for g in given]) for name in ("payoff_points", "x0"))
    earned = jax.vmap(jax.vmap(VoluntaryGroups.payoffs, (None, 0)))(games, points)
    times = jnp.array(given[0]["times"], float)
    found = jax.jit(jax.vmap(lambda game, start: solve(game_field(game), start, times)))(games, starts)
    for case, payoffs, orbit in zip(GROUPS.values(), earned, found, strict=True):
        assert_close(payoffs, case["expected"]["payoffs_at_points"], case["tolerance"])
        assert_close(orbit, case["expected"]["trajectory"], case["tolerance"])


@pytest.mark.slow
def test_period_and_time_average_of_closed_orbits():
    """The orbit comes back after the published period and not before, and its average is the rest point."""
    payoff = jnp.array([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]])

    def with_integral(both):
        rate = game_field(payoff)(both[0])
        return rate, both[0]

    starts = jnp.array([case["params"]["x0"] for case in PERIODS.values()])
    periods = jnp.array([case["expected"]["period"] for case in PERIODS.values()])
    fractions = jnp.linspace(0, 1, 41)
    solve_all = jax.jit(jax.vmap(lambda x, t: solve(with_integral, (x, jnp.zeros(3)), t * fractions)))
    orbits, integrals = solve_all(starts, periods)
    for orbit, integral, case in zip(orbits, integrals, PERIODS.values(), strict=True):
        speed = float(jnp.linalg.norm(game_field(payoff)(orbit[0])))
        distance = np.linalg.norm(orbit - orbit[0], axis=1)
        assert distance[-1] <= speed * case["tolerance"]["abs"]
        assert distance[2:-2].min() > 3 * speed * case["tolerance"]["abs"]
        assert distance[10:31].min() > 0.5 * distance.max()
        assert_close(integral[-1] / case["expected"]["period"], case["expected"]["time_average"], case["tolerance"])
        np.testing.assert_allclose(orbit.prod(1), case["expected"]["product"], atol=1e-9)


def test_residence_times_near_a_heteroclinic_cycle_grow_geometrically():
    case = load("dynamics_cases.json", "rps-heteroclinic")["rps-heteroclinic-s"]
    game = jc.games.rock_paper_scissors(win=case["params"]["win"], loss=case["params"]["lose"])
    times = np.linspace(0, 20_000, 100_001)
    logs = np.asarray(solve(log_replicator_field(game), np.log([0.5, 0.3, 0.2]), times))
    leader = logs.argmax(1)
    changes = times[1:][leader[1:] != leader[:-1]]
    lengths = np.diff(changes)
    assert len(lengths) > 10
    assert_close(lengths[-4:] / lengths[-5:-1], case["expected"]["residence_ratio"], case["tolerance"])
    assert (np.diff(leader[np.append(0, np.searchsorted(times, changes))]) % 3 == 1).all()  # rock, paper, scissors
    assert logs.min() < np.log(np.finfo(float).tiny)  # where shares themselves would be zero


def test_batch_equals_scipy_and_each_alone():
    random = np.random.default_rng(0)
    payoffs, starts = random.normal(size=(3, 5, 5)), random.dirichlet(np.ones(5), 3)
    starts[0, 1] = 0.0
    starts[0] /= starts[0].sum()
    times = np.array([0.0, 0.3, 2.0, 9.0])

    def one(payoff, start):
        return solve(game_field(payoff), start, times)

    batch = np.asarray(jax.jit(jax.vmap(one))(payoffs, starts))
    alone = jax.jit(one)
    for payoff, start, found in zip(payoffs, starts, batch, strict=True):
        exact = solve_ivp(
            lambda t, x, a: x * (a @ x - x @ a @ x), (0, times[-1]), start, "DOP853", times, args=(payoff,),
            rtol=1e-12, atol=1e-15,
        )  # fmt: skip
        np.testing.assert_allclose(found, exact.y.T, atol=2e-9)
        np.testing.assert_allclose(found, alone(payoff, start), atol=1e-12)
        np.testing.assert_allclose(found.sum(1), 1, atol=1e-12)
        assert (found >= 0).all()
    np.testing.assert_array_equal(batch[0, :, 1], 0)  # who is absent stays absent


def test_gradient_of_a_share_by_a_payoff():
    payoff, start = np.array([[0.0, -1, 2], [2, 0, -1], [-1, 2, 0]]), jnp.array([0.6, 0.3, 0.1])

    def last(change):
        return solve(game_field(jnp.array(payoff).at[0, 2].add(change)), start, [4.0])[-1, 0]

    step, both = 1e-4, jax.jit(jax.value_and_grad(last))
    numeric = (both(step)[0] - both(-step)[0]) / (2 * step)
    assert abs(numeric) > 1e-2
    np.testing.assert_allclose(both(0.0)[1], numeric, rtol=1e-6)


def test_single_precision():
    with jax.enable_x64(False):
        found = solve(game_field(jc.games.hawk_dove(v=2, c=3)), [0.1, 0.9], [40.0])
        assert found.dtype == jnp.float32
        np.testing.assert_allclose(found[-1], [2 / 3, 1 / 3], atol=1e-5)
        with pytest.raises(jc.ParameterError, match=r"relative = 1e-09: from 1e-06 in float32, .*enable_x64"):
            solve(lambda x: -x, [1.0], [1.0], relative=1e-9)


def test_what_cannot_be_solved_is_told():
    with pytest.raises(jc.ParameterError, match=r"field: it returns \(1,\) for x of \(2,\)"):
        solve(lambda x: x[:1], [1.0, 2.0], [1.0])
    with pytest.raises(jc.ParameterError, match="2 steps did not reach time 5"):
        solve(lambda x: -x, [1.0], [5.0], steps=2)
    blown = jax.jit(lambda x: solve(lambda x: x**2, x, [0.5, 2.0], steps=500))(jnp.array([1.0]))
    assert np.isnan(blown).all()


@pytest.mark.parametrize("times", [[1.0, 0.5], [-1.0, 2.0], [0.0], [], [[1.0]], [1.0, np.nan]], ids=str)
def test_times_are_checked(times):
    with pytest.raises(jc.ParameterError, match="^times: "):
        solve(lambda x: -x, [1.0], times)
