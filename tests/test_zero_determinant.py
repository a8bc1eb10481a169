"""Zero-determinant strategies against cases from elsewhere, and what they promise against whoever they meet."""

import jax
import numpy as np
import pytest
from cases import assert_close, load
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxcoord.errors import ParameterError
from jaxcoord.evolution import payoff_difference, small_mutation_limit
from jaxcoord.games.repeated.automaton import automaton, memory_one
from jaxcoord.games.repeated.exact import cooperation_rate, outcome_matrix, payoff
from jaxcoord.games.repeated.library import STANDARD, Payoffs
from jaxcoord.games.repeated.memory_one import memory_one_payoffs, memory_one_rates
from jaxcoord.games.repeated.zero_determinant import (
    character,
    equalizer,
    extortionate,
    generous,
    largest_phi,
    zero_determinant,
)

CASES = load("repeated_exact_cases.json", "pd2012", "sp2013", "S-A4")
DONATION = Payoffs(2.0, -1.0, 3.0, 0.0)
# How the peer's named strategies are described: slope, baseline, phi.
NAMED = {
    "ZDExtort2": (1 / 2, 1, 1 / 9),
    "ZDExtort2v2": (1 / 2, 1, 1 / 8),
    "ZDExtort3": (1 / 3, 1, 3 / 26),
    "ZDExtort4": (1 / 4, 1, 4 / 17),
    "ZDExtortion": (0.1, 1, 0.2),
    "ZDGen2": (1 / 2, 3, 1 / 8),
    "ZDGTFT2": (1 / 2, 3, 1 / 4),
    "ZDMischief": (0, 1, 0.1),
    "ZDSet2": (0, 2, 1 / 4),
}
CERTAIN = [[float(move) for move in f"{number:04b}"] for number in range(16)]


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def both_payoffs(p, others, game=STANDARD):
    """What a strategy and each of some automata earn against each other."""
    rates = outcome_matrix([memory_one(*p)], others)[0]
    return payoff(rates, game), payoff(rates[:, np.array([0, 2, 1, 3])], game)


def opponents(seed):
    """Random strategies of four states, and all certain ones of memory one, whichever move they begin with."""
    rng = np.random.default_rng(seed)
    random = [automaton(rng.random(4), rng.integers(0, 4, (4, 4))) for _ in range(20)]
    return random + [memory_one(*q, first=first) for q in CERTAIN for first in (0, 1)]


# Cases


@pytest.mark.parametrize("name", [name for name in CASES if "extort" in name])
def test_extortion_equals_case_pd2012(name):
    case = CASES[name]
    params, expected = case["params"], case["expected"]
    game, chi = Payoffs(*params["RSTP"]), params["chi"]
    scale = chi / (game.punishment - game.sucker)  # Press & Dyson measure phi in other units
    assert_close(largest_phi(1 / chi, game.punishment, game), scale * params["phi_max"], case["tolerance"])
    p = extortionate(chi, scale * params["phi"], game)
    assert_close(p, expected["p"], case["tolerance"])
    others = [np.ones(4), *np.array(params["opponents"])]
    for q, scores in zip(others, [expected["vs_ALLC"], *expected["vs_opponents"]], strict=True):
        assert_close(payoff(memory_one_rates(p, q), game), scores["s_X"], case["tolerance"])
        assert_close(payoff(memory_one_rates(q, p), game), scores["s_Y"], case["tolerance"])


@pytest.mark.parametrize("name", [name for name in CASES if "equalizer" in name])
def test_equalizer_equals_case_pd2012_whoever_it_meets(name):
    case = CASES[name]
    game = Payoffs(*case["params"]["RSTP"])
    p = equalizer(case["params"]["p1"], case["params"]["p4"], game)
    assert_close(p, case["expected"]["p"], case["tolerance"])
    _, theirs = both_payoffs(p, opponents(1), game)
    assert_close(theirs, np.full(52, case["expected"]["s_Y"]), case["tolerance"])
    found = character(p, game)
    assert found.equalizer
    assert_close(found.baseline, case["expected"]["s_Y"], case["tolerance"])


@pytest.mark.parametrize("name", NAMED)
def test_named_strategies_equal_case_s_a4(name):
    expected = CASES["S-A4"]["expected"][name]["p_CC_CD_DC_DD"]
    np.testing.assert_allclose(zero_determinant(*NAMED[name]), expected, atol=1e-12)
    found = character(expected)
    np.testing.assert_allclose([found.slope, found.baseline, found.phi], NAMED[name], atol=1e-12)
    assert found.zero_determinant
    assert found.extortionate == name.startswith("ZDExtort")
    assert found.generous == (name in ("ZDGen2", "ZDGTFT2"))
    assert found.equalizer == (name in ("ZDMischief", "ZDSet2"))


@pytest.mark.parametrize("name", [name for name in CASES if "sml" in name])
def test_small_mutation_limit_equals_case_sp2013(name):
    case = CASES[name]
    params, expected = case["params"], case["expected"]
    vectors = np.array([params["strategies"][kind] for kind in expected["names"]], float)
    earned = memory_one_payoffs(vectors, Payoffs(*params["RSTP"]), noise=params["eps"])
    assert_close(earned, expected["payoff_matrix"], case["tolerance"])
    shares = small_mutation_limit(earned, params["N"], params["beta"])
    assert_close(shares, expected["stationary"], case["tolerance"])
    alone = cooperation_rate(memory_one_rates(vectors, vectors, params["eps"]))
    assert_close(shares @ alone, expected["cooperation"], case["tolerance"])


@pytest.mark.parametrize("index", [0, 1])
def test_threshold_of_robust_generosity_equals_case_sp2013(index):
    # The worst mutant cooperates with its like and costs a resident what the line allows: neutral at the threshold.
    case = CASES["sp2013-robust-threshold-s"]
    size, threshold = case["params"]["N"][index], case["expected"]["chi_threshold"][index]

    def gain(slope):
        p = zero_determinant(slope, DONATION.reward, game=DONATION)
        q = np.array([1.0, 0.2, 0.1, 0.3]) * [0.9, 1, 1, 1]
        held, taken = (payoff(memory_one_rates(*pair), DONATION) for pair in ((p, q), (q, p)))
        game = np.array([[DONATION.reward, taken], [held, DONATION.reward]])
        # To first order in selection the mutant's chance to take over grows with this.
        return (payoff_difference(game, size)[0, 1] * (size - np.arange(1, size))).mean()

    assert gain(threshold) == pytest.approx(0, abs=1e-11)
    assert gain(threshold - 0.01) > 1e-3
    assert gain(threshold + 0.01) < -1e-3


# What they promise


@settings(max_examples=20, deadline=None)
@given(slope=st.floats(-0.3, 0.95), place=st.floats(0, 1), strength=st.floats(0.05, 1), seed=st.integers(0, 1000))
def test_payoffs_lie_on_the_line_whoever_it_meets(slope, place, strength, seed):
    with jax.enable_x64(True):
        baseline = 1 + 2 * place
        try:
            most = largest_phi(slope, baseline)
        except ParameterError:
            low = min(baseline / (5 - baseline), (5 - baseline) / baseline)
            assert slope < -low
            return
        p = zero_determinant(slope, baseline, strength * most)
        mine, theirs = both_payoffs(p, opponents(seed)[:20])
        np.testing.assert_allclose(theirs - baseline, slope * (mine - baseline), atol=1e-9)
        found = character(p)
        np.testing.assert_allclose([found.slope, found.baseline], [slope, baseline], atol=1e-7)
        np.testing.assert_allclose(found.phi, strength * most, rtol=1e-9)


def test_largest_phi_is_the_largest():
    for slope, baseline in ((0.5, 1.0), (0.5, 3.0), (0.0, 2.0), (-0.2, 1.7), (1.0, 2.0)):
        most = largest_phi(slope, baseline)
        p = zero_determinant(slope, baseline, most)
        assert ((p >= 0) & (p <= 1)).all()
        with pytest.raises(ParameterError, match="phi = "):
            zero_determinant(slope, baseline, most * 1.001)
        beyond = np.array([1, 1, 0, 0]) + 1.001 * (p - [1, 1, 0, 0])
        assert ((beyond < 0) | (beyond > 1)).any()


def test_generous_strategies_lose_duels_and_extortionate_ones_win_them():
    for chi in (1.5, 3.0, 10.0):
        mine, theirs = both_payoffs(generous(chi), opponents(2))
        assert (mine <= theirs + 1e-12).all()
        np.testing.assert_allclose(mine - 3, chi * (theirs - 3), atol=1e-9)
        mine, theirs = both_payoffs(extortionate(chi), opponents(3))
        assert (mine >= theirs - 1e-12).all()
        assert character(generous(chi)).generous
        assert character(extortionate(chi)).extortionate
    np.testing.assert_allclose(zero_determinant(1, 2, 1 / 5), [1, 0, 1, 0], atol=1e-15)  # tit-for-tat is fair


# Partners and rivals


@pytest.mark.parametrize(
    ("p", "game", "partner", "rival"),
    [
        ((1, 0, 1, 0), STANDARD, True, True),
        ((1, 0, 0, 0), STANDARD, True, True),
        ((1, 0, 0, 1), STANDARD, False, False),  # 2 R = T + P: nobody loses by exploiting it
        ((1, 0, 0, 1), Payoffs(3, 0, 4.9, 1), True, False),
        ((1, 0, 0, 1), DONATION, True, False),
        ((1, 0.3, 1, 0.3), STANDARD, True, False),  # just below the limit of generosity
        ((1, 0.34, 1, 0.34), STANDARD, False, False),
        ((1, 1, 1, 1), STANDARD, False, False),
        ((0, 0, 0, 0), STANDARD, False, True),
        ((1, 1, 0, 0), STANDARD, False, False),  # it repeats its move, C against ALLD too
        ((8 / 9, 1 / 2, 1 / 3, 0), STANDARD, False, True),
    ],
)
def test_known_strategies_have_their_character(p, game, partner, rival):
    found = character(p, game)
    assert (found.partner, found.rival) == (partner, rival)


def test_partners_and_rivals_are_those_that_keep_their_promise():
    # A best reply in any linear combination of payoffs is a certain strategy of memory one, so these are enough.
    rng = np.random.default_rng(6)
    others = [memory_one(*q, first=first) for q in CERTAIN for first in (0, 1)]
    vectors = np.concatenate([rng.random((40, 4)), 0.5 * rng.random((40, 4))])
    vectors[:, 0] = np.where(rng.random(80) < 0.7, 1, vectors[:, 0])
    vectors[:, 3] = np.where(rng.random(80) < 0.5, 0, vectors[:, 3])
    found = [character(p) for p in vectors]
    rates = outcome_matrix([memory_one(*p) for p in vectors], others)
    mine, theirs = np.asarray(payoff(rates)), np.asarray(payoff(rates[..., np.array([0, 2, 1, 3])]))
    rival = (mine >= theirs - 1e-9).all(1)
    fair = (theirs < 3 - 1e-9) | (np.abs(mine - 3) < 1e-9)
    nice = np.array([one.nice for one in found])
    assert [one.rival for one in found] == rival.tolist()
    assert [one.partner for one in found] == (nice & fair.all(1)).tolist()
    assert 10 < rival.sum() < 70
    assert 10 < (nice & fair.all(1)).sum() < nice.sum() - 10


# Refusals


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: zero_determinant(0.5, 4), "baseline = 4: between P = 1 and R = 3"),
        (lambda: zero_determinant(-0.5, 1), r"slope = -0.5: at least -0.25 is needed with baseline 1"),
        (lambda: zero_determinant(1.5, 1), "slope = 1.5: at most 1"),
        (lambda: zero_determinant(0.5, 1, 0.0), "phi = 0: above 0"),
        (lambda: extortionate(0.5), "factor = 0.5: at least 1"),
        (lambda: equalizer(0.2, 0.9), "-1.5 after CD and 1.75 after DC"),
        (lambda: equalizer(1, 0), "would never change its move"),
        (lambda: equalizer(1.2, 0), "after_cc = 1.2"),
        (lambda: character((1, 0, 1)), "four probabilities"),
        (lambda: character((1, 0, 1, 2)), "four probabilities"),
        (lambda: character((1, 0, 1, 0), Payoffs(1, 0, 3, 0.5)), "2 R > S \\+ T are needed"),
    ],
)
def test_what_does_not_exist_is_refused(build, message):
    with pytest.raises(ParameterError, match=message):
        build()
