"""One report out of many: cases from elsewhere, order statistics by NumPy, breakdown points, and the server room."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import assert_close, load
from scipy import optimize, stats

from jaxcoord.errors import ParameterError
from jaxcoord.identity import aggregation
from jaxcoord.identity.aggregation import RULES, by_rank, inside, screen, tolerated
from jaxcoord.identity.agreement import held_share, pressed, steps_to_shift
from jaxcoord.identity.server_room import ServerRoom

# Compiled once for a size, which is several times faster here than one operation after the other.
compiled = jax.jit(aggregation.aggregate, static_argnames=("rule", "nonfinite"))
CASES = load("coordination_cases.json", "d-agg", "d-geomed", "d-breakdown", "d-temperature", "d-drift")


def aggregate(reports, rule, faults=1, valid=None, nonfinite="extreme"):
    reports = np.asarray(reports, float)
    valid = np.ones(len(reports), bool) if valid is None else np.asarray(valid)
    return compiled(reports, rule, faults, valid, nonfinite)


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


def normal(shape, seed=0):
    return np.random.default_rng(seed).normal(20, 2, shape)


# Cases


def test_the_temperature_of_the_server_room():
    case = CASES["d-temperature"]
    reports = np.array(case["params"]["reports"], float)
    found = {
        "mean_range_10_35": aggregation.mean(reports, inside(reports, 10, 35)),
    } | {
        f"{name}_{policy}": aggregate(reports, rule, 1, nonfinite=policy)
        for name, rule in (("mean", "mean"), ("median", "median"), ("trimmed1", "trimmed-mean"))
        for policy in ("extreme", "drop")
    }
    assert found.keys() == case["expected"].keys()
    for name, value in found.items():
        assert_close(value, float(case["expected"][name]), case["tolerance"])


def test_reports_of_one_number():
    case = CASES["d-agg-1d"]
    reports, expected = case["params"]["reports"], case["expected"]
    for name, rule in (("mean", "mean"), ("median", "median"), ("trimmed_mean", "trimmed-mean"),
                       ("midpoint_of_trimmed", "midpoint"), ("krum", "krum")):  # fmt: skip
        assert_close(aggregate(reports, rule, 2), expected[name], case["tolerance"])
    scores = aggregation.krum_scores(reports, 2)
    assert_close(scores, expected["krum_scores"], case["tolerance"])
    assert scores.argmin() == expected["krum_index"]
    assert_close(aggregation.multi_krum(reports, 2, 4), expected["multi_krum_m4"], case["tolerance"])


def test_reports_of_two_numbers():
    case = CASES["d-agg-2d"]
    reports, expected = case["params"]["reports"], case["expected"]
    for name, rule in (("mean", "mean"), ("coordinate_median", "median"), ("coordinate_trimmed", "trimmed-mean"),
                       ("geometric_median", "geometric-median"), ("krum", "krum")):  # fmt: skip
        assert_close(aggregate(reports, rule, 2), expected[name], case["tolerance"])
    assert_close(aggregation.krum_scores(reports, 2), expected["krum_scores"], case["tolerance"])


def test_single_precision_is_as_near_as_the_cases_ask():
    with jax.enable_x64(False):
        case = CASES["d-agg-2d"]
        found = aggregation.geometric_median(case["params"]["reports"])
        assert found.dtype == jnp.float32
        assert_close(found, case["expected"]["geometric_median"], {"abs": case["tolerance"]["abs_float32"]})


def test_geometric_median_of_a_triangle():
    case = CASES["d-geomed-triangle"]
    points = np.array(case["params"]["points"])
    found = aggregate(points, "geometric-median")
    assert_close(found, case["expected"]["y"], case["tolerance"])
    assert_close(np.linalg.norm(points - found, axis=1).sum(), case["expected"]["objective"], case["tolerance"])


def test_breakdown_of_mean_median_and_trimmed_mean():
    case = CASES["d-breakdown"]
    honest, lie = case["params"]["honest"], case["params"]["adversary_value"]
    reports = np.append(honest, [lie] * (len(honest) + 1))
    for adversaries, expected in case["expected"].items():
        valid = np.arange(len(reports)) < len(honest) + int(adversaries)
        for name, rule in (("mean", "mean"), ("median", "median"), ("trim2", "trimmed-mean")):
            assert_close(aggregate(reports, rule, 2, valid), expected[name], case["tolerance"])


# Definitions


@pytest.mark.parametrize("size", [10, 100])
def test_order_statistics_equal_numpy(size):
    reports = normal((size, 2), size)
    ordered = np.sort(reports, 0)
    np.testing.assert_allclose(aggregate(reports, "mean"), reports.mean(0), rtol=1e-13)
    np.testing.assert_allclose(aggregate(reports, "median"), np.median(reports, 0), rtol=1e-13)
    for trim in (0, 1, 2):
        kept = ordered[trim : size - trim]
        np.testing.assert_allclose(
            aggregate(reports, "trimmed-mean", trim), stats.trim_mean(reports, (trim + 1e-9) / size), rtol=1e-13
        )
        np.testing.assert_allclose(aggregate(reports, "midpoint", trim), (kept[0] + kept[-1]) / 2, rtol=1e-13)
        np.testing.assert_allclose(aggregate(reports, "select-mean", trim), kept[:: max(trim, 1)].mean(0), rtol=1e-13)


@pytest.mark.parametrize("dimensions", [1, 2, 5])
@pytest.mark.parametrize("seed", range(4))
def test_geometric_median_is_where_no_pull_is_left(dimensions, seed):
    points = normal((10, dimensions), seed)
    found = np.asarray(aggregate(points, "geometric-median"))
    distance = np.linalg.norm(points - found, axis=1)
    here = distance < 1e-12
    pull = ((points - found)[~here] / distance[~here, None]).sum(0)
    assert np.linalg.norm(pull) <= here.sum() + 1e-5
    if dimensions > 1:
        best = optimize.minimize(lambda y: np.linalg.norm(points - y, axis=1).sum(), points.mean(0), tol=1e-12)
        assert distance.sum() <= best.fun + 1e-9


def test_geometric_median_stays_at_a_corner_of_120_degrees_or_more():
    points = np.array([[0.0, 0.0], [5.0, 0.1], [-5.0, 0.2], [0.0, -0.1]])
    np.testing.assert_array_equal(aggregate(points, "geometric-median", 1, [1, 1, 1, 0]), points[0])
    # Of points on a line the middle one, at once.
    np.testing.assert_array_equal(aggregate([[1.0], [7.0], [2.0], [1e6], [-3.0]], "geometric-median"), [2.0])


def test_coordinate_median_may_leave_the_convex_hull():
    np.testing.assert_array_equal(aggregate(np.eye(3), "median"), np.zeros(3))


def test_an_infinite_report_of_weight_nothing_counts_nothing():
    values = jnp.array([1.0, jnp.inf, -jnp.inf, 3.0])
    heard = jnp.ones(4, bool)
    assert by_rank(values, heard, lambda rank, count: (rank > 0) & (rank < count - 1)) == 2


# Properties of all rules


@pytest.mark.parametrize("rule", RULES)
def test_equivariance_and_agreement(rule):
    reports = normal((10, 2), 1)
    found = np.asarray(aggregate(reports, rule, 2))
    shuffled = np.random.default_rng(2).permutation(reports)
    np.testing.assert_allclose(aggregate(shuffled, rule, 2), found, rtol=1e-10)
    np.testing.assert_allclose(aggregate(5 + 3 * reports, rule, 2), 5 + 3 * found, rtol=1e-10)
    if rule != "select-mean":
        np.testing.assert_allclose(aggregate(5 - 3 * reports, rule, 2), 5 - 3 * found, rtol=1e-10)
    np.testing.assert_allclose(aggregate(np.full((10, 2), 7.5), rule, 2), 7.5, rtol=1e-14)
    if "krum" not in rule:
        np.testing.assert_allclose(aggregate(reports, rule, 0, np.arange(10) == 3), reports[3], rtol=1e-14)


@pytest.mark.parametrize(("rule", "size", "kept"), [(rule, 13, 10) for rule in RULES] + [("trimmed-mean", 133, 100)])
def test_a_mask_is_a_shorter_list(rule, size, kept):
    reports, valid = normal((size, 2), 3), np.arange(size) % 4 != 1
    assert valid.sum() == kept
    spoilt = np.where(valid[:, None], reports, np.nan)
    expected = aggregate(reports[valid], rule, 2)
    np.testing.assert_allclose(aggregate(reports, rule, 2, valid), expected, rtol=1e-9)
    np.testing.assert_allclose(aggregate(spoilt, rule, 2, valid), expected, rtol=1e-9)


@pytest.mark.parametrize("rule", RULES)
def test_a_batch_is_a_loop(rule):
    reports = normal((6, 10, 2), 4)
    batch = jax.jit(jax.vmap(lambda each: aggregation.aggregate(each, rule, 2)))(reports)
    np.testing.assert_allclose(batch, [aggregate(each, rule, 2) for each in reports], rtol=1e-12)


# Breakdown


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("size", [9, 10])
def test_as_many_liars_as_are_tolerated_move_it_no_further_than_the_honest_are_apart(rule, size):
    honest, liars, valid = normal((10, 2), 6), tolerated(rule, size, 2), np.arange(10) < size
    centre = honest[liars:size].mean(0)
    radius = np.linalg.norm(honest[liars:size] - centre, axis=1).max()
    # Of the geometric median, Lopuhaa & Rousseeuw 1991; the other rules give less.
    bound = 2 * (size - liars) / (size - 2 * liars) * radius
    for lie in (-1e3, 1e6, -1e12, 1e300, np.inf):
        found = aggregate(np.concatenate([np.full((liars, 2), lie), honest[liars:]]), rule, 2, valid)
        assert np.linalg.norm(found - centre) <= bound


@pytest.mark.parametrize("rule", [rule for rule in RULES if "krum" not in rule])
@pytest.mark.parametrize("size", [9, 10])
def test_one_liar_more_carries_it_away(rule, size):
    reports = normal((10, 2), 7)
    reports[: tolerated(rule, size, 2) + 1] = -1e9
    assert (aggregate(reports, rule, 2, np.arange(10) < size) < -1e7).all()


def test_krum_is_carried_away_by_a_crowd_that_agrees():
    reports = normal((10, 2), 8)
    reports[:7] = -1e9
    assert (aggregate(reports, "krum", 2) == -1e9).all()


# What is not finite


def test_policies():
    reports = [1.0, 2.0, 4.0, np.nan, np.inf]
    assert aggregate(reports, "median", nonfinite="extreme") == 3
    assert aggregate(reports, "median", nonfinite="drop") == 2
    assert np.isnan(aggregate(reports, "median", nonfinite="reject"))
    assert aggregate(reports, "median", 1, [True, True, True, False, False], "reject") == 2
    assert screen(reports, nonfinite="extreme").dropped == 1
    assert screen(reports, nonfinite="drop").dropped == 2
    assert screen(reports, nonfinite="reject").refused
    assert np.isposinf(aggregate(reports, "mean"))


@pytest.mark.parametrize("rule", RULES)
def test_nobody_heard_is_no_answer(rule):
    assert np.isnan(aggregate(normal((10, 2)), rule, 2, np.zeros(10, bool))).all()
    assert np.isnan(aggregate(np.full((10, 2), np.nan), rule, 2)).all()


@pytest.mark.parametrize("rule", ["krum", "multi-krum"])
def test_a_vector_that_is_not_finite_is_one_of_the_faulty(rule):
    reports = normal((10, 2), 9)
    far, gone = reports.copy(), reports.copy()
    far[0], gone[0] = 1e6, (3.0, np.nan)
    np.testing.assert_allclose(aggregate(gone, rule, 2), aggregate(far, rule, 2), rtol=1e-12)
    assert np.isinf(aggregation.krum_scores(gone, 2)[0])
    assert np.isnan(aggregate(gone, rule, 2, nonfinite="reject")).all()


def test_geometric_median_survives_the_largest_numbers():
    with jax.enable_x64(False):
        points = [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [3e38, 3e38], [-3e38, 1.0]]
        found = aggregation.geometric_median(jnp.array(points))
        assert np.abs(found).max() <= 2


# Refusals


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda: aggregation.aggregate([1.0, 2.0], "medain"), "did you mean 'median'"),
        (lambda: aggregation.aggregate([1.0, 2.0], "median", nonfinite="keep"), "extreme, drop, reject"),
        (lambda: aggregation.aggregate([[[1.0]]], "median"), r"shape \(1, 1, 1\)"),
        (lambda: aggregation.aggregate([1.0, 2.0], "median", 1, [True]), "one for each report"),
        (lambda: aggregation.aggregate(np.ones(4), "trimmed-mean", 2), r"trim = 2: a whole number of 0 to 1"),
        (lambda: aggregation.aggregate(np.ones(4), "midpoint", 0.5), r"trim = 0.5"),
        (lambda: aggregation.aggregate(np.ones(5), "krum", 2), r"faults = 2: a whole number of 0 to 1"),
        (lambda: aggregation.aggregate(np.ones(2), "krum", 0), "at least 3"),
        (lambda: aggregation.multi_krum(np.ones(7), 2, 6), r"chosen = 6: a whole number of 1 to 5"),
        (lambda: tolerated("krum", 5, 2), "faults = 2"),
        (lambda: ServerRoom(rule="krum", faults=3), r"faults = 3: a whole number of 0 to 2"),
        (lambda: ServerRoom(rule="trimmed-mean", cold=0, hot=0, faults=3), r"trim|faults = 3"),
        (lambda: ServerRoom(coldest=36.0), "warmest"),
    ],
)
def test_what_is_not_allowed_is_named(ask, words):
    with pytest.raises(ParameterError, match=words) as told:
        ask()
    assert "\n" not in str(told.value)


# The server room


def room(model, wants):
    wants = jnp.asarray(wants, float)
    wanted = jnp.stack([wants.mean(), jnp.median(wants)])
    return model.init(jax.random.key(0))._replace(core=wants, expressed=wants, wanted=wanted)


def after(model, state, steps):
    key = jax.random.key(0)
    return jax.jit(lambda state: jax.lax.fori_loop(0, steps, lambda _, state: model.step(state, key), state))(state)


@pytest.mark.parametrize(
    ("settings", "decision", "failed"),
    [
        ({"rule": "median"}, 20.0, 0),
        ({"rule": "median", "nonfinite": "drop"}, 19.0, 0),
        ({"rule": "trimmed-mean", "faults": 1}, 20.0, 0),
        ({"rule": "mean", "nonfinite": "drop"}, -53.2875, 0),
        ({"rule": "mean", "nonfinite": "drop", "check_range": True}, 20.0, 0),
        ({"rule": "mean"}, 21.5, 1),
        ({"rule": "median", "nonfinite": "reject"}, 21.5, 1),
    ],
)
def test_the_first_decision(settings, decision, failed):
    model = ServerRoom(**settings, honest=3, comfort=21.5)
    seen = model.observe(after(model, room(model, [18.0, 22.0, 20.0]), 1))
    assert seen["decision"] == pytest.approx(decision, abs=1e-12)
    assert seen["failed"] == failed
    assert seen["inside"] == (18 <= decision <= 22 and not failed)
    expected_spread = 4.0 if failed else 2.0
    assert seen["spread"] == pytest.approx(expected_spread)
    assert seen["dropped"] == {"extreme": 0, "drop": 1, "reject": 1}[model.nonfinite] + bool(model.check_range)


def test_a_rule_on_distances_drops_infinity():
    model = ServerRoom(rule="krum", faults=2, honest=5)
    seen = model.observe(after(model, model.init(jax.random.key(1)), 1))
    assert seen["dropped"] == 1
    assert seen["inside"] == 1


def test_arguing_ends_in_agreement_after_the_rounds_that_yielding_takes():
    model = ServerRoom(yielding=0.5, honest=3, goal=0.1)
    seen = model.observe(after(model, room(model, [18.0, 22.0, 20.0]), 8))
    # The spread of 4 is halved every round: 4 / 2^6 is the first below 0.1.
    assert seen["rounds"] == 6
    assert seen["spread"] == pytest.approx(4 / 2**8)


@pytest.mark.parametrize("rule", ["mean", "median", "trimmed-mean", "krum", "geometric-median"])
def test_preferences_are_rewritten_whatever_the_rule(rule):
    case = CASES["d-drift-0"]
    given, expected = case["params"], case["expected"]
    model = ServerRoom(rule=rule, faults=1, honest=5, cold=0, hot=0, yielding=0.0, rewriting=given["delta"],
                       target=given["target"])  # fmt: skip
    # Evenly spaced, Krum's scores are equal but for rounding, and it could choose another.
    wants = np.array(given["pref0"]) + (rule == "krum") * np.array([0.0, 0.3, 0.1, 0.0, 0.4])
    end = after(model, room(model, wants), given["steps"])
    np.testing.assert_allclose(end.core, pressed(wants, given["delta"], given["target"], given["steps"]))
    before, outcome = float(aggregate(wants, rule, 1)), float(aggregate(end.core, rule, 1))
    if rule != "krum":
        assert_close(outcome, expected["median"], case["tolerance"])
    kept = (1 - given["delta"]) ** given["steps"]
    assert (outcome - given["target"]) / (before - given["target"]) == pytest.approx(kept, rel=1e-6)
    assert model.observe(end)["drift"] > 5


def test_time_to_shift_the_outcome():
    case = CASES["d-drift-0"]
    given = case["params"]
    start = float(np.median(given["pref0"]))
    steps = steps_to_shift(start, given["target"], given["delta"], 1.0)
    assert steps == case["expected"]["steps_to_shift_1_degree"]
    way = [float(pressed(start, given["delta"], given["target"], t)) - start for t in (steps - 1, steps)]
    assert way[0] < 1 <= way[1]
    assert steps_to_shift(20, 30, 0.1, 10) == np.inf
    assert steps_to_shift(20, 30, 0.0, 1) == np.inf
    assert steps_to_shift(20, 30, 1.0, 10) == 1


@pytest.mark.parametrize("theta", [0.0, 0.1, 0.6])
def test_a_core_holds_against_persuasion(theta):
    wants = [18.0, 22.0, 20.0, 21.0, 19.0]
    model = ServerRoom(honest=5, theta=theta, persuasion=0.2, yielding=0.0, target=30.0)
    end = after(model, room(model, wants), 150)
    expected = np.mean(wants) + float(held_share(0.2, theta)) * (30 - np.mean(wants))
    assert end.expressed.mean() == pytest.approx(expected, rel=1e-9)
    assert model.observe(end)["drift"] == 0


def test_only_those_in_reach_are_rewritten():
    model = ServerRoom(honest=4, rewriting=1.0, reach=0.5, target=30.0)
    end = after(model, room(model, [18.0, 22.0, 20.0, 21.0]), 1)
    np.testing.assert_array_equal(end.core, [30.0, 30.0, 20.0, 21.0])


def test_krum_has_no_answer_where_too_few_are_valid():
    reports, valid = [1e6, 20.0, 21, 22, 5, 5, 5], [True] * 4 + [False] * 3
    assert np.isnan(aggregation.krum(reports, 2, valid))
    assert np.isnan(aggregation.multi_krum(reports, 2, None, valid))
    assert aggregation.krum(reports[1:6], 1) == 21  # its distances 1, 1 are the least
