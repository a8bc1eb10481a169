"""Learners of repeated games against cases from elsewhere, closed forms of quadratic games, and published tables."""

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import assert_close, assert_frequencies, assert_means, load
from jax.test_util import check_grads

import jaxcoord as jc
from jaxcoord.engine import conformance
from jaxcoord.errors import ParameterError
from jaxcoord.games.repeated import learning
from jaxcoord.games.repeated.learning import LEARNERS, LearningPair, discounted_values, role_payoffs, updated

STEPS = load("learning_cases.json", "lola2018-step")
TABLE = load("learning_cases.json", "lola2018-table")["lola2018-table"]
DILEMMA = jc.games.prisoners_dilemma(t=0.0, r=-1.0, p=-2.0, s=-3.0)
PENNIES = jc.games.matching_pennies()


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def values_of(game, gamma):
    payoffs = role_payoffs(game)
    return lambda theta1, theta2: discounted_values(theta1, theta2, payoffs, gamma)


def thetas(seed, shape=(2, 5)):
    return jax.random.normal(jax.random.key(seed), shape)


def round_by_round(theta1, theta2, payoffs, gamma, rounds, xp=np):
    """Returns of the first rounds, `[2]`, by walking through them."""
    first, second = (1 / (1 + xp.exp(-theta)) for theta in (theta1, theta2[np.array([0, 1, 3, 2, 4])]))
    moves = xp.stack([first * second, first * (1 - second), (1 - first) * second, (1 - first) * (1 - second)], -1)
    reached, total = moves[0], 0.0
    for at in range(rounds):
        total = total + gamma**at * xp.asarray(payoffs).reshape(2, 4) @ reached
        reached = reached @ moves[1:]
    return total


@partial(jax.jit, static_argnames=("learner", "steps"))
def learnt(start, payoffs, gamma, delta, eta, learner, steps):
    """Parameters `[P, 2, 5]` of many pairs after so many updates."""

    def values(theta1, theta2):
        return discounted_values(theta1, theta2, payoffs, gamma)

    def step(theta, _):
        def one(pair):
            return jnp.stack(updated(values, pair[0], pair[1], learner=learner, delta=delta, eta=eta))

        return jax.vmap(one)(theta), None

    return jax.lax.scan(step, start, length=steps)[0]


# Cases


@pytest.mark.parametrize("case", STEPS.values(), ids=STEPS)
def test_one_step_equals_case(case):
    given, expected, tolerance = case["params"], case["expected"], case["tolerance"]
    payoff = given["payoff"]
    game = jc.games.matrix_game([[payoff["CC"], payoff["CD"]], [payoff["DC"], payoff["DD"]]])
    values = values_of(game, given["gamma"])
    pair = jnp.array(given["theta1"]), jnp.array(given["theta2"])
    found = values(*pair)
    assert_close(found, [expected["V1"], expected["V2"]], tolerance)
    assert_close((1 - given["gamma"]) * found, expected["normalised"], tolerance)
    for player, slope in enumerate(learning.naive_direction(values, *pair)):
        assert_close(slope, expected[f"grad{player + 1}"], tolerance)
    for learner in ("naive", "lola"):
        after = updated(values, *pair, learner=learner, delta=given["delta"], eta=given["eta"])
        for player, theta in enumerate(after):
            assert_close(theta, expected[f"{learner}_theta{player + 1}"], tolerance)


@pytest.mark.slow
def test_two_hundred_pairs_end_as_in_the_case():
    given, expected, tolerance = TABLE["params"], TABLE["expected"], TABLE["tolerance"]
    start = given["init_sd"] * thetas(0, (given["pairs"], 2, 5))
    rates = given["gamma"], given["delta"], given["eta"]
    values = jax.jit(jax.vmap(values_of(DILEMMA, given["gamma"])))
    for learner in ("naive", "lola"):
        end = learnt(start, role_payoffs(DILEMMA), *rates, learner, given["steps"])
        mean = (1 - given["gamma"]) * values(end[:, 0], end[:, 1]).mean()
        assert_close(mean, expected[f"{learner}_mean"], tolerance[f"{learner}_mean"])
    shaped = learning.tit_for_tat_shaped(end).mean()
    assert_close(shaped, expected["lola_share_tft_like"], tolerance["lola_share_tft_like"])


# Values


@pytest.mark.parametrize("game", [DILEMMA, PENNIES, jc.games.snowdrift(), jc.games.battle_of_the_sexes()],
                         ids=lambda game: game.registered_name)  # fmt: skip
@pytest.mark.parametrize("gamma", [0.0, 0.5, 0.96])
def test_value_equals_the_sum_over_rounds(game, gamma):
    payoffs, pair = np.asarray(role_payoffs(game)), 2 * np.asarray(thetas(3))
    expected = round_by_round(*pair, payoffs, gamma, 1000)
    np.testing.assert_allclose(discounted_values(*pair, payoffs, gamma), expected, rtol=1e-12, atol=1e-12)


def test_known_meetings_of_pure_strategies():
    tit_for_tat, defector = 100.0 * np.array([1, 1, -1, 1, -1]), -100.0 * np.ones(5)
    gamma, payoffs = 0.9, role_payoffs(DILEMMA)
    both = discounted_values(tit_for_tat, tit_for_tat, payoffs, gamma)
    np.testing.assert_allclose(both, -1 / (1 - gamma), rtol=1e-12)
    met = discounted_values(tit_for_tat, defector, payoffs, gamma)
    np.testing.assert_allclose(met, [-3 - 2 * gamma / (1 - gamma), 0 - 2 * gamma / (1 - gamma)], rtol=1e-12)
    assert bool(learning.tit_for_tat_shaped(tit_for_tat))
    assert not bool(learning.tit_for_tat_shaped(defector))
    assert not learning.tit_for_tat_shaped(tit_for_tat * (1 - 2 * np.eye(5)))[1:].any()


def test_exchanged_players_exchange_what_they_earn():
    one, other = thetas(5)
    payoffs = role_payoffs(DILEMMA)
    forward, back = discounted_values(one, other, payoffs, 0.9), discounted_values(other, one, payoffs, 0.9)
    np.testing.assert_allclose(forward, back[::-1], rtol=1e-12)


def test_value_is_differentiable_twice():
    payoffs = role_payoffs(PENNIES)
    check_grads(lambda a, b, g: discounted_values(a, b, payoffs, g), (*thetas(7), 0.8), order=2, modes=["rev"])


# Directions: V1 = x'Ax / 2 + x'By, V2 = y'Cy / 2 + x'Dy


def quadratic(seed):
    rng = np.random.default_rng(seed)
    a, b, c, d = (rng.normal(size=shape) for shape in ((2, 2), (2, 3), (3, 3), (2, 3)))
    a, c = a + a.T, c + c.T
    return (lambda x, y: jnp.stack([x @ a @ x / 2 + x @ b @ y, y @ c @ y / 2 + x @ d @ y])), (a, b, c, d)


def expected_direction(learner, tables, x, y, eta):
    a, b, c, d = tables
    own = np.concatenate([a @ x + b @ y, c @ y + d.T @ x])
    ahead = own + eta * np.concatenate([b @ own[2:], d.T @ own[:2]])
    shaping = eta * np.concatenate([d @ (b.T @ x), b.T @ (d @ y)])
    if learner == "stable":
        along = shaping @ ahead
        reach = 1 if along > 0 else min(1, 0.5 * ahead @ ahead / -along)
        return ahead + min(reach, own @ own if own @ own < 0.1**2 else 1) * shaping
    if learner == "symplectic":
        hessian, loss = -np.block([[a, b], [d.T, c]]), -own
        adjustment, slope = (hessian.T - hessian) / 2 @ loss, hessian.T @ loss
        sign = np.sign((loss @ slope / 5) * (adjustment @ slope / 5) + 0.1)
        return -(loss + eta * sign * adjustment)
    return {"naive": own, "lola": own + shaping, "look-ahead": ahead, "lola-exact": ahead + shaping}[learner]


@pytest.mark.parametrize("learner", LEARNERS)
def test_direction_in_a_quadratic_game_equals_its_closed_form(learner):
    for seed, size in ((0, 1.0), (1, 1.0), (2, 1.0), (3, 1.0), (4, 0.003)):
        values, tables = quadratic(seed)
        start = size * np.random.default_rng(seed + 100).normal(size=5)
        x, y, eta, delta = start[:2], start[2:], 0.7, 0.3
        after = updated(values, jnp.array(x), jnp.array(y), learner=learner, delta=delta, eta=eta)
        expected = start + delta * expected_direction(learner, tables, x, y, eta)
        np.testing.assert_allclose(np.concatenate(after), expected, rtol=1e-9, atol=1e-12)


def tandem(x, y):
    together = (x + y) ** 2
    return jnp.concatenate([2 * x - together, 2 * y - together])


@pytest.mark.parametrize(("learner", "sum_at_rest"), [("naive", 1.0), ("look-ahead", 1.0), ("lola", 1 / (1 - 0.2)),
                                                      ("stable", 1.0)])  # fmt: skip
def test_lola_alone_overshoots_in_the_tandem_game(learner, sum_at_rest):
    # Letcher et al. 2019: d1 = d2 = -2 (s - 1) + 4 eta s for LOLA, so that it rests at s = x + y = 1 / (1 - 2 eta).
    def step(pair, _):
        return updated(tandem, *pair, learner=learner, delta=0.05, eta=0.1), None

    (x, y), _ = jax.jit(lambda pair: jax.lax.scan(step, pair, length=1000))((jnp.array([0.7]), jnp.array([-0.4])))
    assert float(x[0] + y[0]) == pytest.approx(sum_at_rest, abs=1e-6)


@pytest.mark.parametrize(("together", "share"), [(0.8, 1.0), (1.2, 1 / 3), (1.02, 0.0032)])
def test_stable_shaping_takes_as_much_of_lola_as_is_safe(together, share):
    # By hand at eta = 0.1: xi = 2 - 2 s, xi0 = 0.8 xi and eta chi = 0.4 s for each; share = min(p1, p2).
    place = jnp.array([together / 2])
    found = learning.stable_direction(tandem, place, place, 0.1)
    expected = 0.8 * (2 - 2 * together) + share * 0.4 * together
    np.testing.assert_allclose(np.concatenate(found), expected, rtol=1e-9)


def test_lola_settles_in_matching_pennies_where_naive_learners_do_not():
    start, payoffs = thetas(11, (200, 2, 5)), role_payoffs(PENNIES)
    ends = {name: jax.nn.sigmoid(learnt(start, payoffs, 0.9, 0.5, 1.0, name, 500)) for name in ("naive", "lola")}
    away = {name: np.abs(end - 0.5).max((1, 2)) for name, end in ends.items()}
    assert np.median(away["lola"]) < 0.01
    assert (away["naive"] > 0.25).all()


# Consistency


def steps_of_order(values, order, eta):
    return lambda x, y: jax.tree.map(lambda d: eta * d, learning.higher_order_direction(values, x, y, eta, order))


@pytest.mark.parametrize(("order", "eta", "published", "tolerance"), [
    (1, 1.0, 128.0, 1e-9), (2, 1.0, 512.0, 1e-9), (1, 0.1, 0.08, 0.005), (2, 0.1, 9.13e-3, 3e-4),
])  # fmt: skip
def test_inconsistency_equals_willi_et_al(order, eta, published, tolerance):
    # Willi et al. 2022, table 1a, of directions: steps of size eta differ by eta as much. Mean over [-1, 1]^2.
    grid = jax.random.uniform(jax.random.key(0), (500, 2, 1), minval=-1, maxval=1)
    rule = steps_of_order(tandem, order, eta)
    found = jax.jit(jax.vmap(lambda at: learning.inconsistency(rule, tandem, *at, eta)))(grid)
    assert float(found.mean()) / eta**2 == pytest.approx(published, abs=tolerance)


def test_an_affine_rule_learns_to_be_consistent():
    # At eta = 1/2, where higher orders of LOLA do not converge, both steps are p (x + y) + c with p = -(1 + p)^2.
    eta, slope = 0.5, (math.sqrt(5) - 3) / 2
    train = jax.jit(lambda key: learning.consistent_network(key, tandem, (1, 1), eta, width=0))
    network, costs = train(jax.random.key(0))
    assert float(costs[-1]) < 1e-5 * float(costs[0])
    for at in ((0.3, -0.2), (-0.5, 0.9)):
        steps = learning.network_updates(network, *(jnp.array([z]) for z in at))
        expected = slope * sum(at) + 2 * eta / (1 + 2 * eta * (1 + slope))
        np.testing.assert_allclose(np.concatenate(steps), expected, atol=0.005)


def test_a_network_is_more_consistent_than_lola_where_steps_are_large():
    def pennies(x, y):
        even = jnp.tanh(x / 2) * jnp.tanh(y / 2)
        return jnp.concatenate([even, -even])

    eta, grid = 5.0, jax.random.uniform(jax.random.key(1), (500, 2, 1), minval=-7, maxval=7)
    train = jax.jit(lambda key: learning.consistent_network(key, pennies, (1, 1), eta, span=7.0, steps=3000))
    network, _ = train(jax.random.key(0))
    rules = (partial(learning.network_updates, network), steps_of_order(pennies, 1, eta))
    learned, lola = (
        jax.jit(jax.vmap(lambda at, rule=rule: learning.inconsistency(rule, pennies, *at, eta)))(grid).mean()
        for rule in rules
    )
    assert learned < lola / 2


# From samples


def test_rollouts_have_the_probabilities_of_the_policies():
    one, other = thetas(13)
    played = np.asarray(learning.outcome_rollouts(jax.random.key(0), one, other, 2, 50_000))
    chances = np.asarray(learning.outcome_probabilities(one, other))
    np.testing.assert_allclose(chances.sum(1), 1, rtol=1e-12)
    assert_frequencies(np.bincount(4 * played[0] + played[1], minlength=16), chances[:1].T * chances[1:])


def test_dice_has_unbiased_derivatives_of_first_and_second_order():
    pair, payoffs, gamma, rounds = thetas(17), role_payoffs(jc.games.battle_of_the_sexes()), 0.9, 4
    along, weights = thetas(18), jnp.array([1.0, -0.4])

    def derivatives(value):
        """Of a mixture of both returns: value `[1]`, gradient `[10]`, and the Hessian times one vector `[10]`."""
        total, slope = jax.value_and_grad(value)(pair)
        bend = jax.jvp(jax.grad(value), (pair,), (along,))[1]
        return jnp.concatenate([total[None], slope.ravel(), bend.ravel()])

    def estimate(key):
        played = learning.outcome_rollouts(key, *pair, rounds, 20)
        return derivatives(lambda both: weights @ learning.dice_objective(*both, played, payoffs, gamma, 3.0))

    expected = derivatives(lambda both: weights @ round_by_round(*both, payoffs, gamma, rounds, jnp))
    assert_means(jax.jit(jax.vmap(estimate))(jax.random.split(jax.random.key(1), 1000)), expected)


def test_sampled_direction_is_unbiased():
    pair, payoffs, gamma, rounds, eta = thetas(19), role_payoffs(DILEMMA), 0.9, 5, 0.6

    def estimate(key):
        options = {"rounds": rounds, "matches": 16}
        naive = learning.sampled_direction(key, *pair, payoffs, gamma, shaping=False, **options)
        return jnp.stack([*naive, *learning.sampled_direction(key, *pair, payoffs, gamma, eta, **options)])

    def value(theta1, theta2):
        return round_by_round(theta1, theta2, payoffs, gamma, rounds, jnp)

    expected = [*learning.naive_direction(value, *pair), *learning.lola_direction(value, *pair, eta)]
    samples = jax.jit(jax.vmap(estimate))(jax.random.split(jax.random.key(2), 3000))
    assert_means(samples, np.stack(expected))


def test_baseline_of_other_matches_lowers_the_variance():
    pair, payoffs, gamma = thetas(23), role_payoffs(DILEMMA), 0.96

    def slopes(key):
        played, others = (learning.outcome_rollouts(jax.random.fold_in(key, i), *pair, 30, 16) for i in range(2))
        around = learning.rollout_baseline(others, payoffs, gamma)
        return jnp.stack([
            jax.grad(lambda a, b=b: learning.dice_objective(a, pair[1], played, payoffs, gamma, b)[0])(pair[0])
            for b in (0.0, around)
        ])  # fmt: skip

    spread = jax.jit(jax.vmap(slopes))(jax.random.split(jax.random.key(3), 200)).var(0).sum(-1)
    assert spread[1] < spread[0] / 4


# Pairs as a model


def test_a_step_of_the_model_is_the_formula_for_each_player():
    model = LearningPair(opponent="naive", delta=0.4, eta=0.7, gamma=0.9)
    state = model.init(jax.random.key(4))
    values = values_of(DILEMMA, 0.9)
    first, _ = updated(values, *state.theta, learner="lola", delta=0.4, eta=0.7)
    _, second = updated(values, *state.theta, learner="naive", delta=0.4)
    after = jax.jit(model.step)(state, jax.random.key(5))
    np.testing.assert_allclose(after.theta, jnp.stack([first, second]), rtol=1e-12)
    seen = model.observe(after)
    np.testing.assert_allclose(seen["normalised_return"], 0.1 * values(*after.theta), rtol=1e-12)
    np.testing.assert_allclose(seen["policy"], 1 / (1 + np.exp(-after.theta)), rtol=1e-12)


def test_adam_makes_a_first_step_of_delta_uphill():
    model = LearningPair(learner="naive", optimiser="adam", delta=0.01)
    state = model.init(jax.random.key(6))
    uphill = jnp.stack(learning.naive_direction(values_of(DILEMMA, 0.96), *state.theta))
    after = model.step(state, jax.random.key(7))
    np.testing.assert_allclose(after.theta - state.theta, 0.01 * jnp.sign(uphill), rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("proves", conformance.PROPERTIES)
def test_pair_has_property(proves):
    with jax.enable_x64(False):
        model = LearningPair(learner="naive", optimiser="adam")
        conformance.PROPERTIES[proves](model)


@pytest.mark.parametrize(("build", "words"), [
    (lambda: LearningPair(learner="lolla"), "'lola'"),
    (lambda: LearningPair(optimiser="sdg"), "'sgd'"),
    (lambda: LearningPair(gamma=1.0), "gamma"),
    (lambda: LearningPair(matches=7), "matches"),
    (lambda: learning.sampled_direction(jax.random.key(0), *thetas(0), None, 0.9, matches=1), "matches"),
    (lambda: LearningPair(jc.games.rock_paper_scissors()), "3 x 3"),
    (lambda: LearningPair(jc.games.public_goods()), "a matrix game or a two-role game"),
    (lambda: updated(tandem, jnp.zeros(1), jnp.zeros(1), learner="stabel"), "'stable'"),
])  # fmt: skip
def test_mistakes_are_named_in_one_line(build, words):
    with pytest.raises(ParameterError) as error:
        build()
    assert words in str(error.value)
    assert "\n" not in str(error.value)
