"""Round robins: the peer's results to the digit, published fields, and what chance and lengths do."""

import cases
import numpy as np
import pytest

from jaxcoord import ParameterError
from jaxcoord.games.repeated.automaton import from_function, memory_one
from jaxcoord.games.repeated.library import Payoffs, build, find_strategy, strategies
from jaxcoord.games.repeated.tournament import ecology, tournament

CASES = cases.load("tournament_cases.json", "S-A2", "S-A3", "axelrod-")
SHORT = {
    "ALLC": "Cooperator", "ALLD": "Defector", "TFT": "TitForTat", "STFT": "SuspiciousTitForTat", "TF2T": "TitFor2Tats",
    "TTFT": "TwoTitsForTat", "GRIM": "Grudger", "WSLS": "WinStayLoseShift", "ALT": "Alternator", "MAJ": "GoByMajority",
    "DAVIS": "FirstByDavis",
}  # fmt: skip


@pytest.fixture(scope="module")
def sixteen():
    return tournament(CASES["S-A2"]["params"]["strategies"], turns=200, repetitions=1)


def test_round_robin_of_sixteen_is_the_peers(sixteen):
    expected = CASES["S-A2"]["expected"]
    np.testing.assert_array_equal(sixteen.score[0], expected["score_matrix_row_vs_column"])
    np.testing.assert_array_equal(sixteen.total[0], expected["total_score_excluding_self_play"])
    np.testing.assert_array_equal(sixteen.wins[0], expected["wins"])
    np.testing.assert_array_equal(sixteen.cooperations[0], expected["cooperation_count_matrix"])
    np.testing.assert_allclose(sixteen.cooperation, expected["normalised_cooperation"], atol=1e-12)
    np.testing.assert_allclose(2 * sixteen.cooperation - 1, expected["vengeful_cooperation"], atol=1e-12)
    np.testing.assert_allclose(sixteen.good_partner, expected["good_partner_rating"], atol=1e-12)
    np.testing.assert_allclose(sixteen.cooperating, expected["cooperating_rating"], atol=1e-12)
    np.testing.assert_allclose(sixteen.eigenjesus, expected["eigenjesus_rating"], atol=1e-6)
    np.testing.assert_allclose(sixteen.eigenmoses, expected["eigenmoses_rating"], atol=1e-6)
    names = dict(zip(CASES["S-A2"]["params"]["strategies"], CASES["S-A2"]["params"]["names"], strict=True))
    ranked = sixteen.sortby("rank").player.values
    assert [names[str(player)] for player in ranked] == [name.partition(":")[0] for name in expected["ranked_names"]]


def test_ecology_is_the_peers(sixteen):
    expected = CASES["S-A3"]["expected"]
    history = ecology(sixteen.payoff, CASES["S-A3"]["params"]["generations"])
    np.testing.assert_allclose(history[-1], expected["population"], atol=1e-10)
    np.testing.assert_allclose(history[1], expected["population_after_1"], atol=1e-10)
    np.testing.assert_allclose(history[5], expected["population_after_5"], atol=1e-10)


@pytest.mark.parametrize("name", ["axelrod-roundrobin-s-11x200", "axelrod-roundrobin-s-5x10"])
def test_fields_of_classics(name):
    case = CASES[name]
    values, expected = case["params"], case["expected"]
    found = tournament([SHORT[key] for key in values["strategies"]], turns=values["turns"], repetitions=1)
    np.testing.assert_array_equal(found.score[0], expected["score_matrix"])
    np.testing.assert_array_equal(found.total[0], expected["total_without_self"])
    history = ecology(found.payoff, max(map(int, expected["ecological"])))
    for generation, shares in expected["ecological"].items():
        np.testing.assert_allclose(history[int(generation)], shares, atol=case["tolerance"]["abs"])


def test_what_happened_is_told_by_outcome():
    tricky = from_function(0, lambda t: t % 3 > 0, lambda t, own, other: t + 1, turns=7)
    found = tournament({"TFT": memory_one(1, 0, 1, 0), "CD": tricky}, turns=7, repetitions=2)
    # TFT: C D C C D C C; the other: D C C D C C D.
    pair = found.sel(player="TFT", opponent="CD")
    np.testing.assert_allclose(pair.outcomes, np.array([2, 3, 2, 0]) / 7)
    np.testing.assert_allclose(pair.cooperation_after, [1, 0, 1, np.nan])
    assert float(pair.payoff) == pytest.approx((2 * 3 + 2 * 5) / 7)
    other = found.sel(player="CD", opponent="TFT")
    np.testing.assert_allclose(other.outcomes, np.array([2, 2, 3, 0]) / 7)
    np.testing.assert_allclose(other.cooperation_after, [0, 1, 1, np.nan])


def test_another_game_pays_otherwise():
    game = Payoffs(reward=1.0, sucker=-0.5, temptation=1.5, punishment=0.25)
    found = tournament({"C": memory_one(1, 1, 1, 1), "D": memory_one(0, 0, 0, 0, 0)}, turns=4, game=game, repetitions=1)
    np.testing.assert_allclose(found.payoff, [[1, -0.5], [1.5, 0.25]])


def test_chance_has_its_expectations_and_depends_on_the_seed_alone():
    players = {"half": memory_one(0.5, 0.5, 0.5, 0.5, 0.5), "C": memory_one(1, 1, 1, 1), "D": memory_one(0, 0, 0, 0, 0)}
    found = tournament(players, turns=64, repetitions=400, noise=0.1, seed=3)
    rounds = 64 * 400
    for player, chance in (("half", 0.5), ("C", 0.9), ("D", 0.1)):
        rates = found.cooperation.sel(player=player)
        error = np.sqrt(chance * (1 - chance) / rounds)
        assert (np.abs(rates - chance) < 4.5 * error).all()
    again = tournament(players, turns=64, repetitions=400, noise=0.1, seed=3)
    assert found.drop_attrs().equals(again.drop_attrs())
    other = tournament(players, turns=64, repetitions=400, noise=0.1, seed=4)
    assert not found.score.equals(other.score)
    fewer = tournament(players, turns=64, repetitions=7, noise=0.1, seed=3)
    np.testing.assert_array_equal(fewer.score, found.score[:7])


def test_certain_pairs_are_played_once_and_count_for_all():
    found = tournament(["TitForTat", "Defector", "Random"], turns=50, repetitions=30)
    assert int(found.attrs["rounds_played"]) == 50 * (3 + 3 * 30)
    assert (found.score.sel(player="TitForTat", opponent="Defector") == 49).all()
    assert float(found.score.sel(player="Random", opponent="Random").std()) > 0


def test_lengths_are_geometric_and_shared_by_a_pair():
    found = tournament(["Cooperator", "Defector"], continuation=0.9, repetitions=3000, seed=1)
    rounds = found.score.sel(player="Defector", opponent="Cooperator") / 5
    assert float(rounds.mean()) == pytest.approx(10, abs=4 * np.sqrt(90 / 3000))
    assert float((rounds == 1).mean()) == pytest.approx(0.1, abs=4 * np.sqrt(0.09 / 3000))
    np.testing.assert_array_equal(found.score.sel(player="Cooperator", opponent="Defector"), 0)
    np.testing.assert_allclose(found.payoff, [[3, 0], [5, 1]])
    np.testing.assert_allclose(found.normalised, [[0, 5]] * 3000)


def test_the_first_tournament_has_its_nice_rules_above_the_others():
    nice = [
        "TitForTat", "FirstByShubik", "FirstByGrofman", "FirstByDavis", "Grudger", "FirstByNydegger",
        "FirstBySteinAndRapoport", "FirstByTidemanAndChieruzzi",
    ]  # fmt: skip
    others = [
        "FirstByGraaskamp", "FirstByDowning", "FirstByFeld", "FirstByJoss", "FirstByTullock", "FirstByAnonymous",
        "Random",
    ]  # fmt: skip
    found = tournament([*nice, *others], turns=200, repetitions=5, seed=1)
    assert set(found.sortby("rank").player.values[: len(nice)]) == set(nice)
    median = found.normalised.median("repetition")
    assert float(median.sel(player="TitForTat")) > float(median.sel(player=others).max())


def test_named_strategies_are_listed_with_what_is_known_of_them():
    listed = strategies()
    assert len(listed) >= 195
    assert [one.name for one in listed] == sorted(one.name for one in listed)
    assert all(one.doc and one.source for one in listed)
    assert find_strategy("TitForTat").memory == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"players": ["TitForTta"]}, "unknown strategy 'TitForTta'.*'TitForTat'"),
        ({"players": []}, "players: at least one is needed"),
        ({"players": ["TitForTat", "TitForTat"]}, "'TitForTat' stands there twice"),
        ({"players": "TitForTat"}, "a list of names is needed"),
        ({"turns": 0}, "turns = 0: at least 1 round is needed"),
        ({"turns": 2.5}, r"turns = 2\.5: at least 1 round"),
        ({"noise": 1.5}, r"noise = 1\.5: a probability, 0 to 1, is needed"),
        ({"perception": -0.1}, r"perception = -0\.1: a probability"),
        ({"continuation": 1.0}, r"continuation = 1\.0: at least 0 and below 1"),
        ({"continuation": 0.5, "turns": 9}, "turns and continuation: one of them"),
        ({"repetitions": 0}, "repetitions = 0: at least 1 match is needed"),
        ({"repetitions": float("nan")}, "repetitions = nan"),
        ({"turns": "10"}, "turns = '10': at least 1 round"),
        ({"game": (3, 0, 5, float("nan"))}, "game = .*: four numbers are needed"),
        ({"seed": -1}, "seed = -1: a whole number"),
    ],
)
def test_a_wrong_argument_is_refused_in_one_line(arguments, message):
    with pytest.raises(ParameterError, match=message) as refusal:
        tournament(**({"players": ["TitForTat", "Defector"]} | arguments))
    assert "\n" not in str(refusal.value)


def test_ecology_refuses_what_cannot_grow():
    with pytest.raises(ParameterError, match="-1 is negative"):
        ecology([[1.0, -1.0], [0.0, 1.0]], 3)
    with pytest.raises(ParameterError, match=r"sums to 0\.9"):
        ecology(np.eye(2), 3, start=[0.5, 0.4])


def test_players_are_told_the_length_or_not():
    told, untold = (build("BackStabber", 20, told=known) for known in (True, False))
    assert told.cooperate.min() == 0
    found = tournament({"told": told, "C": memory_one(1, 1, 1, 1)}, turns=20, repetitions=1)
    assert int(found.cooperations.sel(player="told", opponent="C")[0]) == 18
    found = tournament({"untold": untold, "C": memory_one(1, 1, 1, 1)}, turns=20, repetitions=1)
    assert int(found.cooperations.sel(player="untold", opponent="C")[0]) == 20


def test_own_strategies_stand_beside_named_ones_and_payoffs_may_be_four_numbers():
    players = {"mine": memory_one(1, 0, 1, 0), "theirs": "TitForTat", "b": "Defector"}
    found = tournament(players, turns=10, repetitions=1, game=(3, 0, 5, 1), progress=False)
    np.testing.assert_array_equal(found.score.sel(player="mine"), found.score.sel(player="theirs"))
