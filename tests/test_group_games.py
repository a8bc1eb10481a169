"""Games in groups: against rules spelled out in plain Python, closed forms on paper, and cases from elsewhere."""

from itertools import combinations, product
from math import comb

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import assert_close, load
from scipy.integrate import solve_ivp

from experiments import collective_risk as experiment
from jaxcoord import evolution
from jaxcoord.errors import ParameterError
from jaxcoord.games.group_games import (
    collective_risk,
    defection_gain,
    n_player_stag_hunt,
    public_goods,
    voluntary_payoffs,
    voluntary_public_goods,
    voluntary_rest_point,
    volunteers_dilemma,
)
from jaxcoord.games.punishment import mutual_aid, sanctioned_risk

FILE = "groups_cases.json"
LONERS = load(FILE, "opgg-replicator")
PUNISHMENT = load(FILE, "sdth2010-pool", "sdth2010-peer", "sdth2010-both")
PAYOFFS = load(FILE, "sdth2010-payoffs")["sdth2010-payoffs-s"]
RISK = load(FILE, "crd2011")
FIXATION = load(FILE, "S-B2")["S-B2"]
LETTERS = {"X": "cooperator", "Y": "defector", "Z": "loner", "V": "pool-punisher", "W": "peer-punisher"}

finite = jax.jit(lambda game, counts: game.payoffs_among(counts))
infinite = jax.jit(lambda game, shares: game.payoffs(shares))
velocity = jax.jit(lambda game, shares: evolution.replicator(shares, game.payoffs(shares)))
rest_point = jax.jit(voluntary_rest_point, static_argnums=0)
small_mutation_limit = jax.jit(evolution.small_mutation_limit, static_argnums=1)
fixation_probability = jax.jit(evolution.fixation_probability, static_argnums=1)


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


# The rules, one player at a time: what `me` earns in a `group` that it is one of.


def linear(game, me, group):
    mine = game.c if me == "C" else 0.0
    if game.shared == "all":
        return game.r * game.c * group.count("C") / len(group) - mine
    return game.r * (game.c * group.count("C") - mine) / (len(group) - 1) - mine


def volunteering(game, me, group):
    return (game.b if "C" in group else 0.0) - (game.c if me == "C" else 0.0)


def risky(game, me, group):
    reached = group.count("C") >= game.threshold
    return game.endowment * ((1.0 if reached else 1 - game.risk) - (game.cost if me == "C" else 0.0))


def hunting(game, me, group):
    hunters = group.count("C")
    return (game.f * game.c * hunters / len(group) if hunters >= game.threshold else 0.0) - game.c * (me == "C")


def optional(game, me, group):
    players = [one for one in group if one != "L"]
    if me == "L" or len(players) == 1:
        return game.sigma
    return game.r * game.c * players.count("C") / len(players) - game.c * (me == "C")


def aiding(game, me, group):
    players = [one for one in group if one != "loner"]
    if me == "loner" or len(players) == 1:
        return game.sigma
    others = list(players)
    others.remove(me)
    earned = game.r * game.c * sum(one != "defector" for one in others) / len(others)
    punished_by_pool = ["defector", "cooperator", "peer-punisher"] if game.second_order else ["defector"]
    punished_by_peers = ["defector"]
    if game.second_order and "defector" in players:
        punished_by_peers.append("cooperator")
    if me != "defector":
        earned -= game.c
    if me in punished_by_pool:
        earned -= game.pool_fine * others.count("pool-punisher")
    if me in punished_by_peers:
        earned -= game.peer_fine * others.count("peer-punisher")
    if me == "pool-punisher":
        earned -= game.pool_cost
    if me == "peer-punisher":
        earned -= game.peer_cost * sum(one in punished_by_peers for one in others)
    return earned


def sanctioned(game, me, group, population=()):
    reached = len(group) - group.count("D") >= game.threshold
    earned = game.endowment * ((1.0 if reached else 1 - game.risk) - (0.0 if me == "D" else game.cost))
    realm = group if game.institution == "local" else population
    if me == "D" and realm.count("P") / len(realm) >= game.quorum - 1e-9:
        earned -= game.fine
    return earned - game.tax * (me == "P")


def mean_in_population(game, rule, counts):
    """The mean over all groups that include a player of each strategy, `[S]`; zero where it is absent."""
    population = [name for name, count in zip(game.strategies, counts, strict=True) for _ in range(count)]
    realm = (population,) if rule is sanctioned else ()
    earned = np.zeros(len(counts))
    for s, name in enumerate(game.strategies):
        if counts[s]:
            others = list(population)
            others.remove(name)
            groups = [[name, *rest] for rest in combinations(others, game.group - 1)]
            earned[s] = np.mean([rule(game, name, group, *realm) for group in groups])
    return earned


def mean_in_infinity(game, rule, shares):
    """The mean over groups of players drawn one after the other, `[S]`."""
    earned = np.zeros(len(shares))
    for others in product(range(len(shares)), repeat=game.group - 1):
        names = [game.strategies[s] for s in others]
        for s, name in enumerate(game.strategies):
            earned[s] += np.prod(np.array(shares)[list(others)]) * rule(game, name, [name, *names])
    return earned


RULES = [
    (public_goods(4, r=2.2, c=1.5), linear),
    (public_goods(4, r=2.2, c=1.5, shared="others"), linear),
    (volunteers_dilemma(4, b=3, c=1.2), volunteering),
    (collective_risk(4, threshold=3, risk=0.7, cost=0.2, endowment=2.0), risky),
    (n_player_stag_hunt(4, threshold=2, f=3.1, c=1.3), hunting),
    (voluntary_public_goods(4, r=2.7, sigma=0.8, c=1.1), optional),
    (mutual_aid(4, sigma=0.9, pool_cost=0.4, pool_fine=0.5, peer_cost=0.6, peer_fine=0.8), aiding),
    (mutual_aid(4, pool_cost=0.4, pool_fine=0.5, peer_cost=0.6, peer_fine=0.8, second_order=True), aiding),
    (mutual_aid(4, second_order=True, punishment="peer", voluntary=False), aiding),
    (mutual_aid(4, second_order=True, punishment="pool", peer_fine=9.0), aiding),
    (sanctioned_risk(4, threshold=3, risk=0.6, quorum=0.5, tax=0.05), sanctioned),
]
COUNTS = {2: ([3, 5], [1, 7], [8, 0]), 3: ([3, 1, 4], [0, 2, 6], [1, 7, 0]), 4: ([2, 1, 3, 2], [0, 5, 3, 0]),
          5: ([2, 2, 1, 2, 1], [1, 0, 5, 1, 1], [0, 3, 0, 3, 2])}  # fmt: skip


@pytest.mark.parametrize(("game", "rule"), RULES, ids=lambda x: getattr(x, "registered_name", ""))
def test_mean_payoffs_are_those_of_all_groups_played_out(game, rule):
    for counts in COUNTS[len(game.strategies)]:
        present = np.array(counts) > 0
        expected = mean_in_population(game, rule, counts)
        np.testing.assert_allclose(np.asarray(finite(game, np.array(counts)))[present], expected[present], rtol=1e-12)
    shares = np.arange(1.0, len(game.strategies) + 1)
    shares /= shares.sum()
    np.testing.assert_allclose(infinite(game, shares), mean_in_infinity(game, rule, shares), rtol=1e-12)


@pytest.mark.parametrize("counts", [[1, 4, 4], [3, 3, 3], [2, 0, 7], [0, 4, 5]])
def test_a_global_institution_counts_the_whole_population(counts):
    game = sanctioned_risk(4, threshold=3, risk=0.6, quorum=0.3, institution="global")
    expected = mean_in_population(game, sanctioned, counts)
    present = np.array(counts) > 0
    np.testing.assert_allclose(np.asarray(finite(game, np.array(counts)))[present], expected[present], rtol=1e-12)


# Two strategies


def test_volunteers_abstain_as_diekmann_says():
    game = volunteers_dilemma(7, b=2.0, c=0.3)
    abstain = (0.3 / 2.0) ** (1 / 6)
    earned = infinite(game, np.array([1 - abstain, abstain]))
    np.testing.assert_allclose(earned, 2.0 - 0.3, rtol=1e-12)


def test_a_stag_hunt_that_needs_one_is_public_goods_and_one_that_needs_all_has_a_known_barrier():
    counts = np.array([4, 8])
    one, all_of_them = n_player_stag_hunt(5, threshold=1, f=3.0), n_player_stag_hunt(5, threshold=5, f=3.0)
    np.testing.assert_allclose(finite(one, counts), finite(public_goods(5, r=3.0), counts), rtol=1e-12)
    barrier = 3.0 ** (-1 / 4)
    earned = np.asarray(infinite(all_of_them, np.array([barrier, 1 - barrier])))
    assert earned[0] == pytest.approx(earned[1], rel=1e-12)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.4, 1.0])
def test_a_contributor_gains_what_it_decides(share):
    game = collective_risk(6, 3, risk=0.8, cost=0.15, endowment=2.0)
    earned = infinite(game, np.array([share, 1 - share]))
    decides = comb(5, 2) * share**2 * (1 - share) ** 3
    assert float(earned[0] - earned[1]) == pytest.approx(2.0 * (0.8 * decides - 0.15), rel=1e-12)


def test_fixation_in_collective_risk_equals_case_s_b2():
    kind, given_, expected = FIXATION["game"], FIXATION["params"], FIXATION["expected"]
    game = collective_risk(
        kind["group_size"], kind["threshold"], kind["risk"], kind["cost_fraction"], kind["endowment"]
    )
    rho = np.asarray(fixation_probability(game, given_["Z"], given_["beta"]))
    assert_close([rho[0, 1], rho[1, 0]], [expected["one_C_fixates_in_D"], expected["one_D_fixates_in_C"]],
                 FIXATION["tolerance"])  # fmt: skip
    found = experiment.gradient(game, given_["Z"], given_["beta"]) * given_["Z"] / (given_["Z"] - 1)
    for k, slope in expected["peer_gradient_at_k_cooperators"]:
        assert_close(found[k], slope, FIXATION["tolerance"])


@pytest.mark.parametrize("case", RISK.values(), ids=RISK)
def test_collective_risk_equals_the_paper(case):
    given_, expected, tolerance = case["params"], case["expected"], case["tolerance"]
    game = collective_risk(given_["N"], given_["M"], given_["r"], given_["c"], given_["b"])
    slope = experiment.gradient(game, given_["Z"], given_["beta"])
    share = experiment.stationary(game, given_["Z"], given_["beta"], given_["mu"])
    assert_close(slope, expected["gradient"], tolerance)
    assert_close(experiment.roots(slope), expected["finite_roots"], tolerance)
    assert_close(experiment.infinite_roots(game), expected["infinite_roots"], tolerance)
    assert_close(share, expected["stationary"], tolerance)
    assert_close(share @ np.arange(given_["Z"] + 1) / given_["Z"], expected["mean_cooperation"], tolerance)
    assert_close(experiment.achievement(game, share), expected["group_achievement"], tolerance)
    most, critical = experiment.critical_risk(game)
    assert_close(most, expected["infinite_extremum_x"], tolerance)
    assert_close(given_["c"] / critical, expected["infinite_max_cost_to_risk"], tolerance)


# Optional participation


@pytest.mark.parametrize("case", LONERS.values(), ids=LONERS)
def test_voluntary_public_goods_equal_the_paper(case):
    given_, expected, tolerance = case["params"], case["expected"], case["tolerance"]
    group, r, sigma = given_["N"], given_["r"], given_["sigma"]
    game = voluntary_public_goods(group, r, sigma, given_["c"])
    for shares, earned in zip(given_["payoff_points"], expected["payoffs_at_points"], strict=True):
        assert_close(infinite(game, np.array(shares)), earned, tolerance)
    point = np.asarray(rest_point(group, r, sigma))
    assert_close(point, expected["interior_fixed_point"], tolerance)
    assert_close(point[0] / point[:2].sum(), expected["contributor_share_of_participants"], tolerance)
    found = solve_ivp(lambda _, x: np.asarray(velocity(game, x)), (0, given_["times"][-1]), given_["x0"], "DOP853",
                      given_["times"], rtol=1e-10, atol=1e-12)  # fmt: skip
    assert_close(found.y.T, expected["trajectory"], tolerance)


@pytest.mark.parametrize(
    "shares", [[0.2, 0.3, 0.5], [1, 0, 0], [0, 1, 0], [0, 0, 1], [0.5, 0, 0.5], [1e-7, 0, 1 - 1e-7]]
)
def test_the_closed_form_of_optional_participation_is_the_sum_over_groups(shares):
    found = voluntary_payoffs(np.array(shares, float), 6, 3.3, 0.7, 1.2)
    expected = infinite(voluntary_public_goods(6, r=3.3, sigma=0.7, c=1.2), np.array(shares, float))
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_defectors_gain_what_the_paper_says():
    z = np.linspace(0, 0.99, 12)
    expected = 1.5 * (1 + 1.4 * z**4 - 2.4 / 5 * (1 - z**5) / (1 - z))
    np.testing.assert_allclose(defection_gain(z, 5, 2.4, 1.5), expected, rtol=1e-10, atol=1e-14)
    assert float(defection_gain(1.0, 5, 2.4)) == 0


@pytest.mark.parametrize(("group", "r", "sigma", "c"), [(5, 3.0, 1.0, 1.0), (3, 2.9, 0.1, 2.0), (20, 2.001, 0.9, 1.0)])
def test_at_the_interior_rest_point_all_earn_what_loners_do(group, r, sigma, c):
    point = np.asarray(rest_point(group, r, sigma, c))
    np.testing.assert_allclose(voluntary_payoffs(point, group, r, sigma, c), sigma, rtol=1e-10)
    assert (point > 0).all()
    assert point.sum() == pytest.approx(1, rel=1e-12)


def test_the_rest_point_is_differentiable_and_a_centre():
    slope = jax.grad(lambda r: rest_point(5, r, 1.0)[2])(3.0)
    change = (rest_point(5, 3.0 + 1e-5, 1.0) - rest_point(5, 3.0 - 1e-5, 1.0))[2] / 2e-5
    assert float(slope) == pytest.approx(float(change), rel=1e-7)
    game, point = voluntary_public_goods(5, r=3.0, sigma=1.0), np.asarray(rest_point(5, 3.0, 1.0))
    inside = jax.jacfwd(lambda xy: velocity(game, jnp.append(xy, 1 - xy.sum()))[:2])(jnp.array(point[:2]))
    found = np.linalg.eigvals(np.asarray(inside))
    np.testing.assert_allclose(found.real, 0, atol=1e-13)
    np.testing.assert_allclose(np.sort(found.imag), [-0.34215, 0.34215], atol=5e-6)


@pytest.mark.parametrize(
    ("group", "r", "sigma"), [(5, 2.0, 0.5), (5, 1.5, 0.2), (5, 5.0, 1.0), (5, 3.0, 2.0), (5, 3.0, 0.0), (2, 3.0, 1.0)]
)
def test_where_there_is_no_interior_rest_point_it_is_nan(group, r, sigma):
    assert np.isnan(np.asarray(rest_point(group, r, sigma))).all()


# Peer and pool punishment


def aid(params, **options):
    return mutual_aid(
        params["N"], params["r"], params["c"], params["sig"], params["G"], params["B"], params["gam"], params["beta"],
        **options,
    )  # fmt: skip


def closed_form(game, counts):
    """The expected payoffs of mutual aid by moments of the hypergeometric distribution, of X, Y, Z, V and W."""
    x, y, z, v, w = counts
    size, n, pairs = sum(counts), game.group, (game.group - 1) / (sum(counts) - 1)
    alone = comb(z, n - 1) / comb(size - 1, n - 1)
    given_ = alone * game.sigma + (1 - alone) * game.c * (game.r * (size - z - y - 1) / (size - z - 1) - 1)
    taken = alone * game.sigma + (1 - alone) * game.r * game.c * (size - z - y) / (size - z - 1)
    pool, peer = game.pool_fine * pairs * v, game.peer_fine * pairs * w
    seen = 1 - comb(size - y - 2, n - 2) / comb(size - 2, n - 2)
    second = game.second_order
    return [
        given_ - second * (pool + seen * peer),
        taken - pool - peer,
        game.sigma,
        given_ - (1 - alone) * game.pool_cost,
        given_ - game.peer_cost * pairs * (y + second * seen * x) - second * pool,
    ]


@pytest.mark.parametrize("second", [False, True])
def test_mutual_aid_pays_what_the_paper_says(second):
    game = aid(PAYOFFS["params"], second_order=second)
    counts = [PAYOFFS["params"]["counts"][letter] for letter in LETTERS]
    expected = PAYOFFS["expected"]["second_order" if second else "first_order"]
    assert_close(finite(game, np.array(counts)), [expected[letter] for letter in LETTERS], PAYOFFS["tolerance"])
    assert game.strategies == tuple(LETTERS.values())
    for counts in ([20, 30, 25, 10, 15], [1, 1, 96, 1, 1], [3, 2, 1, 2, 2], [50, 0, 20, 20, 10]):
        present = np.array(counts) > 0
        found, expected = np.asarray(finite(game, np.array(counts))), np.array(closed_form(game, counts))
        np.testing.assert_allclose(found[present], expected[present], rtol=1e-10)


@pytest.mark.parametrize("case", PUNISHMENT.values(), ids=PUNISHMENT)
def test_rare_mutants_in_mutual_aid_equal_the_paper(case):
    given_, expected, tolerance = case["params"], case["expected"], case["tolerance"]
    punishment = {"XYZV": "pool", "XYZW": "peer", "XYZVW": "both"}["".join(given_["strategies"])]
    game = aid(given_, second_order=given_["second_order"], punishment=punishment)
    assert game.strategies == tuple(LETTERS[letter] for letter in given_["strategies"])
    for s in given_["s"]:
        found = small_mutation_limit(game, given_["M"], s)
        assert_close(found, expected["stationary"][str(s)], tolerance["stationary"])
    assert_close(small_mutation_limit(game, given_["M"], 1e4), expected["strong_imitation_limit"], {"abs": 1e-9})


def test_who_never_meets_a_defector_is_neutral_to_a_peer_punisher():
    rho = np.asarray(fixation_probability(mutual_aid(punishment="peer"), 100, 1e4))
    assert rho[0, 3] == pytest.approx(1 / 100, rel=1e-9)
    assert rho[3, 0] == pytest.approx(1 / 100, rel=1e-9)


@pytest.mark.parametrize(("punishment", "second"), [("peer", False), ("both", True)])
def test_who_must_take_part_ends_as_a_defector(punishment, second):
    game = mutual_aid(punishment=punishment, second_order=second, voluntary=False)
    ends = np.asarray(small_mutation_limit(game, 100, 1e4))
    np.testing.assert_allclose(ends, np.array(game.strategies) == "defector", atol=1e-9)


def test_mutual_aid_without_loners_and_punishers_is_public_goods_for_others():
    counts = np.array([4, 5])
    game = mutual_aid(punishment="none", voluntary=False, r=2.5, c=1.5)
    np.testing.assert_allclose(finite(game, counts), finite(public_goods(5, 2.5, 1.5, "others"), counts), rtol=1e-12)


# Institutions


@pytest.mark.parametrize("institution", ["local", "global"])
def test_without_punishers_there_is_collective_risk_alone(institution):
    game = sanctioned_risk(6, 3, 0.7, 0.1, 1.0, institution=institution)
    plain = collective_risk(6, 3, 0.7, 0.1, 1.0)
    np.testing.assert_allclose(finite(game, np.array([0, 5, 9]))[1:], finite(plain, np.array([5, 9])), rtol=1e-12)
    shares = infinite(game, np.array([0.0, 0.4, 0.6]))[1:], infinite(plain, np.array([0.4, 0.6]))
    np.testing.assert_allclose(*shares, rtol=1e-12)


def test_punishers_earn_a_tax_less_than_cooperators():
    for counts in ([5, 3, 4], [1, 10, 1]):
        earned = finite(sanctioned_risk(tax=0.07), np.array(counts))
        # Each of them sees as many contributors and nobody is fined who contributes.
        assert float(earned[1] - earned[0]) == pytest.approx(0.07, rel=1e-12)


def test_a_global_institution_acts_from_its_quorum_on():
    game, free = (sanctioned_risk(quorum=0.3, fine=fine, institution="global") for fine in (0.4, 0.0))
    fined = [
        float(finite(free, counts)[2] - finite(game, counts)[2])
        for counts in (np.array([p, 2, 8 - p]) for p in range(6))
    ]
    np.testing.assert_allclose(fined, [0, 0, 0, 0.4, 0.4, 0.4], atol=1e-12)  # 3 of 10, whatever 0.3 is in binary
    shares = [np.array([p, 0.2, 0.8 - p]) for p in (0.29, 0.31)]
    fined = [float(infinite(free, x)[2] - infinite(game, x)[2]) for x in shares]
    np.testing.assert_allclose(fined, [0, 0.4], atol=1e-12)


def test_a_group_of_everybody_has_the_same_institution_either_way():
    counts = np.array([2, 1, 3])
    local, whole = (sanctioned_risk(6, 3, quorum=1 / 3, institution=kind) for kind in ("local", "global"))
    np.testing.assert_allclose(finite(local, counts), finite(whole, counts), rtol=1e-12)


def test_few_punishers_are_enough_for_some_groups_and_not_for_the_population():
    # One in four makes a quorum: so much is met beside a defector where any of the three others is a punisher.
    local, whole = (sanctioned_risk(4, quorum=0.25, fine=0.3, institution=kind) for kind in ("local", "global"))
    few = np.array([10, 5, 85])
    fined = float(finite(whole, few)[2] - finite(local, few)[2])
    assert fined == pytest.approx(0.3 * (1 - comb(89, 3) / comb(99, 3)), rel=1e-12)


# Refusals


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: collective_risk(4, threshold=5), r"collective-risk\.threshold = 5: at most the group, 4, is needed"),
        (lambda: n_player_stag_hunt(4, threshold=5), r"n-player-stag-hunt\.threshold = 5: at most the group, 4"),
        (lambda: sanctioned_risk(4, threshold=6), r"sanctioned-risk\.threshold = 6: at most the group, 4"),
        (lambda: collective_risk(threshold=0), r"collective-risk\.threshold = 0: out of range; allowed: at least 1"),
        (lambda: collective_risk(threshold=2.5), r"collective-risk\.threshold = 2\.5: a whole number"),
        (lambda: collective_risk(risk=-0.1), r"collective-risk\.risk = -0\.1: out of range; allowed: 0 to 1"),
        (lambda: collective_risk(risk=1.1), r"collective-risk\.risk = 1\.1: out of range"),
        (lambda: collective_risk(cost=1.5), r"collective-risk\.cost = 1\.5: out of range"),
        (lambda: sanctioned_risk(quorum=2), r"sanctioned-risk\.quorum = 2: out of range; allowed: 0 to 1"),
        (lambda: sanctioned_risk(institution="locl"), r"institution = 'locl': one of .* did you mean 'local'"),
        (lambda: mutual_aid(punishment="pol"), r"punishment = 'pol': one of .* did you mean 'pool'"),
        (lambda: mutual_aid(pool_fine=-1), r"mutual-aid\.pool_fine = -1: out of range"),
        (lambda: public_goods(shared="some"), r"public-goods\.shared = 'some': one of 'all', 'others'"),
        (lambda: small_mutation_limit(collective_risk(), 5, 1.0), "group = 6: larger than the population of 5"),
        (lambda: voluntary_rest_point(1, 3.0, 1.0), "group = 1: a whole number of at least 2"),
        (lambda: defection_gain(0.5, 2.5, 3.0), r"group = 2\.5: a whole number of at least 2"),
    ],
)
def test_what_is_not_allowed_is_named(make, words):
    with pytest.raises(ParameterError, match=words) as raised:
        make()
    assert "\n" not in str(raised.value)
