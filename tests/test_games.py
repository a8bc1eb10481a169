"""Games against their textbook matrices, and the AI race against the paper and against races played move by move."""

from fractions import Fraction
from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import assert_close, load
from scipy.optimize import brentq

from jaxcoord import evolution, games, registry
from jaxcoord.errors import ParameterError
from jaxcoord.evolution import PairwiseComparison
from jaxcoord.games import Game, MatrixGame, ai_race, race_payoff, race_thresholds
from jaxcoord.games.matrix import matrix
from jaxcoord.model import param

RACES = load("paper_cases.json", *(f"dsair2020-s{i}" for i in range(1, 7)))
HALFWAY = load("paper_cases.json", "dsair2020-halfway-s")["dsair2020-halfway-s"]
SLICE = load("paper_cases.json", "dsair2020-figure-slice-s")["dsair2020-figure-slice-s"]
LATE = load("paper_cases.json", "dsair2020-late-thresholds")["dsair2020-late-thresholds"]
small_mutation_limit = jax.jit(evolution.small_mutation_limit, static_argnums=1)
NAMES = {"s": "speed", "p_r": "risk", "W": "rounds", "B": "prize", "b": "benefit", "c": "cost", "p_fo": "detection"}


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


@pytest.fixture(autouse=True)
def own_registry(monkeypatch):
    """Games that are defined by a test are not left behind for other tests."""
    registry.load()
    monkeypatch.setattr(registry, "_components", dict(registry._components))


def race_arguments(params, *left_out):
    return {NAMES[name]: value for name, value in params.items() if name in NAMES and NAMES[name] not in left_out}


# Textbook matrices


@pytest.mark.parametrize(
    ("game", "expected"),
    [
        (games.donation(b=3, c=1), [[2, -1], [3, 0]]),
        (games.prisoners_dilemma(t=5, r=3, p=1, s=0), [[3, 0], [5, 1]]),
        (games.hawk_dove(v=4, c=10), [[-3, 4], [0, 2]]),
        (games.snowdrift(b=10, c=6), [[7, 4], [10, 0]]),
        (games.stag_hunt(stag=4, hare=3, alone=1), [[4, 1], [3, 3]]),
        (games.coordination(a=2, b=5), [[2, 0], [0, 5]]),
        (games.rock_paper_scissors(win=2, loss=3), [[0, -3, 2], [2, 0, -3], [-3, 2, 0]]),
        (games.matrix_game(matrix=[[1, 2], [3, 4]]), [[1, 2], [3, 4]]),
    ],
    ids=lambda value: type(value).__name__,
)
def test_payoff_is_the_textbook_matrix(game, expected):
    np.testing.assert_allclose(game.payoff(), expected, rtol=1e-12)


def test_default_games_have_the_structure_of_their_names():
    (reward, sucker), (temptation, punishment) = np.asarray(games.prisoners_dilemma().payoff())
    assert temptation > reward > punishment > sucker
    assert 2 * reward > temptation + sucker
    (both, alone), (hare, safe) = np.asarray(games.stag_hunt().payoff())
    assert both > hare == safe > alone
    (hill, low), (high, none) = np.asarray(games.snowdrift().payoff())
    assert high > hill > low > none


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9])
def test_hawks_and_doves_earn_alike_at_v_over_c(share):
    earned = np.asarray(games.hawk_dove(v=3 * share, c=3.0).payoff()) @ [share, 1 - share]
    assert earned[0] == pytest.approx(earned[1], rel=1e-12)


@pytest.mark.parametrize("name", registry.names(MatrixGame))
def test_every_game_names_each_row_of_a_square_finite_matrix(name):
    game = registry.find(name, MatrixGame, "game")()
    payoff = np.asarray(game.payoff())
    assert payoff.shape == (len(game.strategies),) * 2
    assert np.isfinite(payoff).all()
    assert len(set(game.strategies)) == len(game.strategies)
    assert all(field.doc for field in game.fields.values())


@pytest.mark.parametrize("name", registry.names(MatrixGame))
def test_every_payoff_is_differentiable_and_batches_as_a_loop(name):
    game = registry.find(name, MatrixGame, "game")()
    stack = jax.tree.map(lambda leaf: jnp.stack([jnp.asarray(leaf, float) * scale for scale in (1.0, 1.1)]), game)
    payoff = jax.jit(lambda one: one.payoff())
    batch = jax.jit(jax.vmap(payoff))(stack)
    for row in range(2):
        one = jax.tree.map(lambda leaf, row=row: leaf[row], stack)
        np.testing.assert_allclose(batch[row], payoff(one), rtol=1e-12)
    slopes = jax.tree.leaves(jax.jit(jax.jacrev(payoff))(jax.tree.map(jnp.asarray, game)))
    assert len(slopes) == len(jax.tree.leaves(game))
    assert all(np.isfinite(slope).all() and np.any(slope) for slope in slopes)


def test_a_gradient_has_the_form_of_the_game():
    slope = jax.grad(lambda game: game.payoff()[0, 0])(games.hawk_dove(v=2.0, c=3.0))
    assert isinstance(slope, games.hawk_dove)
    assert (float(slope.v), float(slope.c)) == (0.5, -0.5)


# Making games


def test_a_decorated_payoff_function_is_a_game():
    @games.game("left", "right")
    def sides(
        same: float = param(2.0, doc="both alike", low=0),
        other: float = param(-1.0, doc="not alike", high=0),
    ):
        """Which side of the road."""
        return matrix([[same, other], [other, same]])

    made = sides(same=3)
    np.testing.assert_array_equal(made.payoff(), [[3, -1], [-1, 3]])
    np.testing.assert_array_equal(sides(5, -2).payoff(), [[5, -2], [-2, 5]])
    assert isinstance(made, Game)
    assert made.strategies == ("left", "right")
    assert sides.__doc__ == "Which side of the road."
    assert {name: field.doc for name, field in sides.fields.items()} == {"same": "both alike", "other": "not alike"}
    assert registry.find("sides", Game, "game") is sides
    assert len(jax.tree.leaves(made)) == 2
    with pytest.raises(ParameterError, match=r"sides\.same = -1: out of range; allowed: at least 0"):
        sides(same=-1)
    with pytest.raises(TypeError, match="third"):
        sides(third=1)


@pytest.mark.parametrize("value", [-3, "x", float("nan")])
def test_a_parameter_without_annotation_is_checked_as_well(value):
    @games.game("A", "B")
    def plain(v=param(1.0, doc="value", low=0)):  # noqa: B008 (annotated, it would not be complained of)
        return matrix([[v, 0], [0, v]])

    with pytest.raises(ParameterError, match=r"plain\.v"):
        plain(v=value)


def test_matrix_game_takes_names_or_numbers():
    assert games.matrix_game(matrix=np.eye(3)).strategies == ("0", "1", "2")
    assert games.matrix_game(matrix=np.eye(2), names="left, right").strategies == ("left", "right")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([[1, 2, 3], [4, 5, 6]], "same length"),
        ([1, 2], "1 axes; needed: 2"),
        ([[1, 2], [3]], "array of numbers"),
        ([["a", "b"], ["c", "d"]], "array of numbers"),
        ([[1, float("nan")], [0, 1]], r"\[0, 1\] = nan: not finite"),
    ],
)
def test_a_faulty_matrix_is_refused(values, words):
    with pytest.raises(ParameterError, match=rf"matrix-game\.matrix.*{words}"):
        games.matrix_game(matrix=values)


@pytest.mark.parametrize("names", ["a", "a,b,c"])
def test_names_that_do_not_fit_the_matrix_are_refused(names):
    with pytest.raises(ParameterError, match="names"):
        _ = games.matrix_game(matrix=np.eye(2), names=names).strategies


def test_a_payoff_that_does_not_fit_the_strategies_is_refused():
    @games.game("A", "B")
    def three(v: float = param(1.0, doc="value")):
        return matrix([[v, 0, 0], [0, v, 0], [0, 0, v]])

    def play():
        model = PairwiseComparison(game=three())
        return model.step(model.init(jax.random.key(0)), jax.random.key(1))

    with pytest.raises(ParameterError, match="strateg"):
        play()


# The AI race


def play_race(first, second, speed, rounds, prize, benefit, cost, detection):
    """Payoff per round of the first developer, by playing the race: AS, AU, CS, no disaster."""
    places, earned, moves, played = [Fraction(0)] * 2, Fraction(0), [None, None], 0
    while max(places) < rounds:
        seen = moves
        moves = [
            strategy == "AU" or (strategy == "CS" and played > 0 and seen[1 - me])
            for me, strategy in enumerate((first, second))
        ]
        speeds = [speed if unsafe else Fraction(1) for unsafe in moves]
        for found in product((False, True), repeat=2):
            chance = Fraction(1)
            for unsafe, caught in zip(moves, found, strict=True):
                chance *= (detection if caught else 1 - detection) if unsafe else Fraction(not caught)
            sharing = [0 if caught else pace for pace, caught in zip(speeds, found, strict=True)]
            if sharing[0]:
                earned += chance * benefit * sharing[0] / sum(sharing)
        earned -= 0 if moves[0] else cost
        places = [place + pace for place, pace in zip(places, speeds, strict=True)]
        played += 1
    winners = [place >= rounds for place in places]
    if winners[0]:
        earned += Fraction(prize) / sum(winners)
    return earned / played


@pytest.mark.parametrize("detection", [Fraction(0), Fraction(3, 10), Fraction(1)])
@pytest.mark.parametrize(("speed", "rounds"), [(Fraction(3, 2), 99), (Fraction(2), 40), (Fraction(5, 4), 25)])
def test_race_payoffs_are_those_of_races_played_round_by_round(speed, rounds, detection):
    strategies, prize, benefit, cost = ("AS", "AU", "CS"), 1000, 4, 1
    played = [
        [float(play_race(i, j, speed, rounds, prize, benefit, cost, detection)) for j in strategies] for i in strategies
    ]
    payoff = race_payoff(float(speed), 0.0, rounds, prize, benefit, cost, float(detection))
    np.testing.assert_allclose(payoff, played, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("risk", [0.3, 1.0])
def test_a_disaster_takes_from_the_always_unsafe_alone(risk):
    safe, risky = (np.asarray(race_payoff(1.5, p, 100.0, 1e4)) for p in (0.0, risk))
    np.testing.assert_allclose(risky, safe * [[1], [1 - risk], [1]], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("case", RACES.values(), ids=RACES)
def test_race_equals_paper(case):
    given, expected, tolerance = case["params"], case["expected"], case["tolerance"]
    game = ai_race(**race_arguments(given), conditional="CS" in expected["order"])
    assert list(game.strategies) == expected["order"]
    assert_close(game.payoff(), expected["payoff"], tolerance)
    share = small_mutation_limit(game.payoff(), given["N"], given["beta"])
    assert_close(share, expected["stationary"], tolerance)
    found = race_thresholds(**race_arguments(given, "risk"))
    limits = race_thresholds(given["s"], 1.0, 1e30)
    assert_close(found.society, expected["thresholds"]["pr_society"], tolerance)
    assert_close(found.risk_dominance, expected["thresholds"]["pr_risk_dominance"], tolerance)
    assert_close(limits.society, expected["thresholds"]["pr_society_limit"], tolerance)
    assert_close(limits.risk_dominance, expected["thresholds"]["pr_risk_dominance_limit"], tolerance)


@pytest.mark.parametrize(("name", "conditional"), [("AU_three", True), ("AU_two", False)])
def test_figure_slice_equals_paper(name, conditional):
    given = SLICE["params"]

    @jax.vmap
    def unsafe(risk):
        game = ai_race(**race_arguments(given, "risk"), risk=risk, conditional=conditional)
        return small_mutation_limit(game.payoff(), given["N"], given["beta"])[1]

    assert_close(jax.jit(unsafe)(jnp.array(given["p_r"])), SLICE["expected"][name], SLICE["tolerance"])


def test_halfway_point_equals_paper():
    given = HALFWAY["params"]

    @jax.jit
    def above_half(risk):
        game = ai_race(**race_arguments(given), risk=risk, conditional=False)
        return small_mutation_limit(game.payoff(), given["N"], given["beta"])[1] - 0.5

    found = brentq(lambda risk: float(above_half(risk)), 0.6, 0.9, xtol=1e-12)
    assert_close(found, HALFWAY["expected"]["p_r_half"], HALFWAY["tolerance"])


@pytest.mark.parametrize("row", range(3))
def test_late_thresholds_equal_paper(row):
    given, expected = LATE["params"], LATE["expected"]["thresholds"][row]
    found = race_thresholds(given["s"], 1e18, 1e4, given["b"], given["c"], given["p_fo"][row])
    assert_close(found.society, expected["pr_society"], LATE["tolerance"])
    assert_close(found.risk_dominance, expected["pr_risk_dominance"], LATE["tolerance"])


@pytest.mark.parametrize("case", RACES.values(), ids=RACES)
def test_thresholds_are_where_the_payoffs_change_their_order(case):
    arguments = race_arguments(case["params"], "risk")
    found = race_thresholds(**arguments)

    def payoffs(risk):
        return np.asarray(race_payoff(risk=risk, **arguments))

    (safe, _, _), (_, racing, _), _ = payoffs(found.society)
    assert safe == pytest.approx(racing, rel=1e-9)
    dominant = payoffs(found.risk_dominance)
    assert dominant[0, :2].sum() == pytest.approx(dominant[1, :2].sum(), rel=1e-9)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"risk": 1.2}, r"risk = 1\.2: out of range; allowed: 0 to 1"),
        ({"speed": 0.5}, r"speed = 0\.5: out of range; allowed: at least 1"),
        ({"rounds": float("inf")}, r"rounds = inf: not finite"),
        ({"conditional": 1}, "conditional = 1: true or false is needed"),
    ],
)
def test_race_parameters_out_of_range_are_refused(values, words):
    with pytest.raises(ParameterError, match=rf"ai-race\.{words}"):
        ai_race(**values)
