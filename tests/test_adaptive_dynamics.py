"""Adaptive dynamics of strategies of repeated games: what is known on paper, and differences in place of gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcoord.errors import ParameterError
from jaxcoord.evolution.adaptive_dynamics import (
    adaptive_field,
    adaptive_path,
    invasion_gradient,
    memory_one_fitness,
    reactive_fitness,
    singular,
)
from jaxcoord.games.repeated.automaton import memory_one
from jaxcoord.games.repeated.exact import outcome_rates, payoff
from jaxcoord.games.repeated.library import STANDARD, Payoffs

BENEFIT, COST = 3.0, 1.0
DONATION = Payoffs(BENEFIT - COST, -COST, BENEFIT, 0.0)
NOISE = 0.02


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def difference(fitness, resident, step=1e-6):
    moves = step * np.eye(len(resident))
    return [
        (float(fitness(resident + m, resident)) - float(fitness(resident - m, resident))) / (2 * step) for m in moves
    ]


@pytest.mark.parametrize("game", [STANDARD, DONATION], ids=["5-3-1-0", "donation"])
def test_gradient_is_the_limit_of_differences(game):
    generator = np.random.default_rng(1)

    def played(mutant, resident):  # by the product chain of two automata
        one, other = (memory_one(*np.asarray(p)) for p in (mutant, resident))
        return payoff(outcome_rates(one, other, noise=NOISE), game)

    for _ in range(2):
        four = generator.uniform(0.05, 0.95, 4)
        found = invasion_gradient(memory_one_fitness(game, NOISE), four)
        np.testing.assert_allclose(found, difference(played, four), rtol=1e-6, atol=1e-8)
        two = generator.uniform(0.05, 0.95, 2)
        found = invasion_gradient(reactive_fitness(game, NOISE), two)
        embedded = difference(played, two[[0, 1, 0, 1]])
        np.testing.assert_allclose(found, [embedded[0] + embedded[2], embedded[1] + embedded[3]], rtol=1e-6, atol=1e-8)


# Reactive strategies in the donation game: everything is known


@pytest.mark.parametrize("strategy", [(0.6, 0.1), (0.4, 0.3), (0.9, 0.2), (0.2, 0.7)])
def test_reactive_gradient_in_closed_form(strategy):
    # (b r - c) / (1 - r^2) (s, 1 - s) with r = p - q and s = q / (1 - r), the cooperation of the residents.
    p, q = strategy
    r = p - q
    cooperation = q / (1 - r)
    expected = (BENEFIT * r - COST) / (1 - r**2) * np.array([cooperation, 1 - cooperation])
    np.testing.assert_allclose(invasion_gradient(reactive_fitness(DONATION), strategy), expected, atol=1e-13)


def test_cooperation_is_rewarded_beyond_a_line_which_is_at_rest():
    # Nowak & Sigmund 1990: responsiveness p - q above c / b.
    field = jax.vmap(adaptive_field(reactive_fitness(DONATION)))
    q = np.linspace(0.05, 0.6, 5)
    for offset, sign in ((0.0, 0), (0.05, 1), (-0.05, -1)):
        slope = np.asarray(field(jnp.array(np.stack([q + COST / BENEFIT + offset, q], 1))))
        assert (np.abs(slope) < 1e-12).all() if sign == 0 else (np.sign(slope) == sign).all()


def test_reactive_paths_are_circles_around_tit_for_tat():
    # dq / dp = (1 - p) / q, so q^2 + (1 - p)^2 stays as it is; towards cooperation until p = 1.
    start = np.array([0.7, 0.1])
    path = np.asarray(adaptive_path(reactive_fitness(DONATION), start, np.linspace(0, 6, 25)))
    radius = np.hypot(start[1], 1 - start[0])
    np.testing.assert_allclose(np.hypot(path[:, 1], 1 - path[:, 0]), radius, atol=1e-6)
    np.testing.assert_allclose(path[-1], [1, radius], atol=1e-5)
    assert (np.diff(path, axis=0) >= -1e-7).all()


def test_nobody_can_do_better_or_worse_against_an_equalizer():
    # Boerlijst, Nowak & Sigmund 1997: whatever a mutant does, it earns the same, so all derivatives are zero.
    r, s, t, p = STANDARD
    judged = jax.jit(lambda strategy: singular(memory_one_fitness(), strategy))
    for p1, p4 in ((0.8, 0.2), (0.9, 0.05)):
        p2 = (p1 * (t - p) - (1 + p4) * (t - r)) / (r - p)
        p3 = ((1 - p1) * (p - s) + p4 * (r - s)) / (r - p)
        found = judged(jnp.array([p1, p2, p3, p4]))
        np.testing.assert_allclose(found.gradient, 0, atol=1e-12)
        np.testing.assert_allclose(found.curvature, 0, atol=1e-10)


def test_line_at_rest_attracts_where_few_cooperate_and_repels_where_many_do():
    # The gradient is (b r - c) v, so its Jacobian on the line is b times the product of v and (1, -1).
    r = COST / BENEFIT
    judged = jax.jit(lambda point: singular(reactive_fitness(DONATION), point))
    for q in (0.2, 0.5):
        cooperation = q / (1 - r)
        found = judged(jnp.array([q + r, q]))
        expected = BENEFIT / (1 - r**2) * np.outer([cooperation, 1 - cooperation], [1, -1])
        np.testing.assert_allclose(found.jacobian, expected, atol=1e-11)
        # In a mutant's cooperation alone its payoff is linear, so against these residents all mutants earn the same.
        np.testing.assert_allclose(found.curvature, 0, atol=1e-11)


# From extortion to generosity


def zero_determinant(baseline, slope, scale=0.1):
    """Enforces (other's payoff - baseline) = slope * (own payoff - baseline)."""
    own = jnp.asarray(DONATION)
    other = own[jnp.array([0, 2, 1, 3])]
    return jnp.array([1.0, 1.0, 0.0, 0.0]) + scale * (slope * (own - baseline) - (other - baseline))


def among_zero_determinant(mutant, resident):
    return memory_one_fitness(DONATION)(zero_determinant(*mutant), zero_determinant(*resident))


@pytest.mark.parametrize(("baseline", "slope"), [(0.5, 0.5), (1.0, 0.3), (0.2, 0.7)])
def test_baseline_of_zero_determinant_strategies_rises(baseline, slope):
    # Two of them earn [l (1 - s) + s l' (1 - s')] / (1 - s s'), the derivative of which in l' is s / (1 + s).
    found = invasion_gradient(among_zero_determinant, [baseline, slope])
    np.testing.assert_allclose(found, [slope / (1 + slope), 0], atol=1e-12)


def climbed(fitness, start, length, steps, low=0.0, high=1.0):
    # Euler steps along the field, which need little time to compile.
    field = adaptive_field(fitness, low, high)
    step = jax.jit(lambda x: jax.lax.fori_loop(0, steps, lambda _, x: jnp.clip(x + length * field(x), low, high), x))
    return step(jnp.array(start))


def test_extortion_turns_into_generosity():
    top = jnp.array([BENEFIT - COST, 1.0])
    later = climbed(among_zero_determinant, [0.05, 0.5], 0.1, 30, 0.0, top)
    np.testing.assert_allclose(later, [0.05 + 3 * 0.5 / 1.5, 0.5], atol=1e-12)
    np.testing.assert_allclose(climbed(among_zero_determinant, [0.05, 0.5], 0.1, 90, 0.0, top), [2.0, 0.5], atol=1e-12)


def test_who_adapts_to_an_extortioner_gives_in():
    # Press & Dyson 2012: its payoff rises until it cooperates whenever the extortioner ever lets it choose.
    chi, extortioner = 3, np.array([11 / 13, 1 / 2, 7 / 26, 0.0])
    fitness = memory_one_fitness()
    adapted = climbed(lambda own, _: fitness(own, extortioner), [0.1, 0.3, 0.2, 0.4], 0.05, 4000, 1e-6, 1 - 1e-6)
    assert float(fitness(adapted, extortioner)) == pytest.approx((12 + 3 * chi) / (2 + 3 * chi), abs=1e-5)
    assert float(fitness(extortioner, adapted)) == pytest.approx((2 + 13 * chi) / (2 + 3 * chi), abs=1e-5)


# Edges


def test_field_stays_inside_the_box():
    field = adaptive_field(lambda mutant, resident: mutant[0] - mutant[1] + 0 * resident[0], 0.2, [0.8, 0.9])
    assert field([0.5, 0.5]).tolist() == [1, -1]
    assert field([0.8, 0.2]).tolist() == [0, 0]
    assert field([0.2, 0.9]).tolist() == [1, -1]
    assert field([0.9, 0.1]).tolist() == [0, 0]


def test_start_outside_the_box_is_refused():
    with pytest.raises(ParameterError, match=r"start = \[1.2, 0.5\]"):
        adaptive_path(reactive_fitness(), [1.2, 0.5], [1.0])


def test_single_precision_agrees():
    strategy = [0.7, 0.2, 0.3, 0.6]
    double = np.asarray(invasion_gradient(memory_one_fitness(), strategy))
    with jax.enable_x64(False):
        single = invasion_gradient(memory_one_fitness(), strategy)
    assert single.dtype == jnp.float32
    np.testing.assert_allclose(single, double, rtol=1e-4, atol=1e-6)
