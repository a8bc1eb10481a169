"""Incentives in the AI race against the co-authors' numbers, and against races run round by round."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import assert_close, load
from jax.test_util import check_grads

import jaxcoord as jc
from jaxcoord import evolution
from jaxcoord.games.race_incentives import (
    commitment_payoff,
    punished_race,
    punishment_payoff,
    race_commitment,
    race_punishment,
    race_reward,
    reward_payoff,
)

CASES = load("equilibria_cases.json", "dsair2021", "dsair2022")
INCENTIVES = [name for name in CASES if name.startswith("dsair2021")]
COMMITMENTS = [name for name in CASES if name.startswith("dsair2022")]
small_mutation_limit = jax.jit(evolution.small_mutation_limit, static_argnums=1)
STANDARD = {"risk": 0.6, "rounds": 100.0, "prize": 1e4, "benefit": 4.0, "cost": 1.0}


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def arguments(given):
    names = {"speed": "s", "risk": "p_r", "rounds": "W", "prize": "B", "benefit": "b", "cost": "c", "effort": "s_alpha",
             "impact": "s_beta"}  # fmt: skip
    return {name: float(given[letter]) for name, letter in names.items()}


def assert_case(game, case, kind=""):
    given, expected = case["params"], case["expected"]
    assert game.strategies == tuple(expected["order" + kind])
    assert_close(game.payoff(), expected["payoff" + kind], case["tolerance"])
    share = small_mutation_limit(game.payoff(), given["N"], given["beta"])
    assert_close(share, expected["stationary" + kind], case["tolerance"])


@pytest.mark.parametrize("name", INCENTIVES)
def test_punishment_and_reward_equal_the_cases(name):
    given = arguments(CASES[name]["params"])
    assert_case(race_punishment(**given), CASES[name], "_punishment")
    assert_case(race_reward(**given), CASES[name], "_reward")


@pytest.mark.parametrize("name", COMMITMENTS)
def test_commitments_equal_the_cases(name):
    given = CASES[name]["params"]
    assert_case(race_commitment(**arguments(given), fee=given["eps"]), CASES[name])


def round_by_round(speed, effort, impact, risk, rounds, prize, benefit, cost):
    """A punished race played out in small steps of time after its first round, until someone arrives."""
    paces = max(1 - effort, 0.0), max(speed - impact, 0.0)
    at, earned, time = [1.0, speed], [benefit / (speed + 1) - cost, speed * benefit / (speed + 1)], 1.0
    step = 1e-3
    while max(at) < rounds - 1e-9:
        total = sum(paces)
        for who, pace in enumerate(paces):
            at[who] += step * pace
            earned[who] += step * (benefit * pace / total - (cost if who == 0 else 0))
        time += step
    first = [place >= max(at) - 1e-9 for place in at]
    for who in range(2):
        earned[who] += prize * first[who] / sum(first)
    earned[1] *= 1 - risk if first[1] else 1
    return [x / time for x in earned]


@pytest.mark.parametrize(
    ("speed", "effort", "impact"),
    [(1.5, 0.3, 1.0), (1.5, 1.0, 1.0), (1.5, 0.3, 1.5), (1.5, 0.5, 0.5), (3.0, 0.0, 0.4), (2.0, 1.4, 0.0), (1.2, 0, 2)],
)
def test_punished_race_is_what_happens_round_by_round(speed, effort, impact):
    expected = round_by_round(speed, effort, impact, **STANDARD)
    found = punished_race(speed, effort=effort, impact=impact, **STANDARD)
    # Time goes in steps of 1e-3, and the prize is shared over some hundred rounds.
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_who_arrive_together_share_the_prize_and_the_risk():
    # At speeds 0.75 and 0.5 both take four rounds more, and share each round 3 to 2.
    found = punished_race(2.0, 0.6, 4.0, 100.0, 4.0, 1.0, effort=0.25, impact=1.5)
    punisher = (4 / 3 - 1 + 50 + 4 * (4 * 0.6 - 1)) / 5
    unsafe = 0.4 * (8 / 3 + 50 + 4 * 4 * 0.4) / 5
    np.testing.assert_allclose(found, [punisher, unsafe], rtol=1e-12)


def test_nobody_arrives_where_both_stand_still():
    found = punished_race(1.5, effort=1.0, impact=2.0, **STANDARD)
    np.testing.assert_allclose(found, [-1.0, 0.0])
    slopes = jax.jit(jax.jacrev(lambda x: jnp.stack(punished_race(1.5, effort=x[0], impact=x[1], **STANDARD))))
    assert np.isfinite(slopes(jnp.array([1.0, 2.0]))).all()
    assert np.isfinite(slopes(jnp.array([0.3, 1.5]))).all()


@pytest.mark.parametrize("payoff", [punishment_payoff, reward_payoff, commitment_payoff])
def test_payoffs_without_incentives_are_the_races(payoff):
    plain = np.asarray(jc.games.race_payoff(1.5, 0.6, 100.0, 1e4))[:2, :2]
    table = np.asarray(payoff(1.5, 0.6, 100.0, 1e4, effort=0.0, impact=0.0))
    np.testing.assert_allclose(table[:2, :2], plain if len(table) == 3 else table[:2, :2])
    if payoff is reward_payoff:
        np.testing.assert_allclose(table[2, :2], [plain[0, 0] - 1e4 / 200, plain[0, 1]])
        assert table[2, 2] == pytest.approx(plain[0, 0])
    if payoff is commitment_payoff:
        # Out, each does as it likes; in, as agreed, at the fee; in without an agreement, unsafe.
        np.testing.assert_allclose(table[:2, :2], plain)
        np.testing.assert_allclose(table[2:4, 2:4], plain - 0.1)
        np.testing.assert_allclose(table[2:, :2], np.tile(plain[1], (3, 1)))
        np.testing.assert_allclose(table[:2, 2:], np.tile(plain[:, 1:], 3))


def test_gradient_equals_differences():
    check_grads(
        jax.jit(lambda x: commitment_payoff(1.5, x[0], 100.0, 1e4, effort=x[1], impact=x[2], fee=x[3])),
        (jnp.array([0.6, 0.3, 1.0, 0.1]),), 1, ["rev"], eps=1e-5, rtol=1e-5,
    )  # fmt: skip


def test_refuses_fewer_rounds_than_speed():
    with pytest.raises(jc.ParameterError, match="race-reward.rounds = 1: at least the speed, 1.5, is needed"):
        race_reward(rounds=1.0)
