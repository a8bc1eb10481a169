"""Watching a code and attacking it: reference cases, coverage, error rates, checks of envelopes, interventions."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import assert_case, assert_means, communication, quick
from scipy import stats

from jaxcoord.errors import ParameterError
from jaxcoord.language.attacks import (
    ACCEPT,
    FORGED,
    FUTURE,
    VERDICTS,
    Envelopes,
    author_posterior,
    damage,
    envelope_check,
    flood,
    forged_tags,
    future,
    honest,
    inject,
    replay,
    robustness,
    spoof,
)
from jaxcoord.language.monitoring import (
    audit_size,
    detection,
    drop_monitor,
    exact_interval,
    first_true,
    novelty,
    self_modification,
    sequential_test,
    wilson_interval,
)


@pytest.fixture(autouse=True)
def float64():
    with jax.enable_x64(True):
        yield


# Monitoring


def test_intervals_equal_reference_and_scipy():
    quick_wilson = quick(lambda successes, trials: jnp.stack(wilson_interval(successes, trials)))

    def both(successes, trials):
        return quick_wilson(successes, trials), np.stack(exact_interval(successes, trials))

    for case, given, expected in communication("binomial_interval"):
        wilson, exact = both(np.full(4, given["successes"]), np.full(4, given["trials"]))
        assert_case(wilson[:, 0], expected["wilson95"], case)
        assert_case(exact[:, 0], expected["clopper_pearson95"], case)
    successes, trials = np.array([0, 7, 400, 12]), np.array([1, 7, 1000, 13])
    wilson, exact = both(successes, trials)
    for row, (k, n) in enumerate(zip(successes, trials, strict=True)):
        trial = stats.binomtest(int(k), int(n))
        for found, method in ((wilson, "wilson"), (exact, "exact")):
            np.testing.assert_allclose(found[:, row], trial.proportion_ci(0.95, method), atol=1e-8)
    wilson, exact = both(np.zeros(4, int), np.zeros(4, int))
    assert np.isnan(wilson).all()
    np.testing.assert_array_equal(exact[:, 0], [0, 1])


def test_drop_monitors_equal_reference():
    monitor = quick(drop_monitor)
    for case, given, expected in communication("drop_monitor"):
        params = case["params"]
        found = monitor(
            np.array(given["scores"]), *(params[k] for k in ("target", "slack", "threshold", "ewma_lambda"))
        )
        assert_case(found.cusum, expected["cusum"], case)
        assert_case([found.alarm, found.average[-1], found.average.min()],
              [expected[k] for k in ("alarm_index", "ewma_last", "ewma_min")], case)  # fmt: skip


def test_audits_equal_reference():
    names = {"undecided": 0, "drift": 1, "ok": -1}
    measure = quick(lambda correct, *rates: (sequential_test(correct, *rates), audit_size(*rates)))
    for case, given, expected in communication("audit_sequential_test"):
        rates = [case["params"][k] for k in ("p_ok", "p_drift", "alpha", "beta")]
        found, size = measure(np.array(given["correct"]), *rates)
        assert_case([found.upper, found.lower, found.decided], [expected[k] for k in ("upper", "lower", "index")], case)
        assert int(found.decision) == names[expected["decision"]]
        assert int(size) == expected["fixed_sample_size"]
    with pytest.raises(ParameterError, match="drifted = 0.9: a rate below fine = 0.8"):
        audit_size(0.8, 0.9, 0.05, 0.1)


@pytest.mark.slow
def test_a_sequential_audit_errs_as_seldom_as_it_says():
    """Wald: false alarms at most alpha / (1 - beta), misses at most beta / (1 - alpha); and it reads less."""
    random = np.random.default_rng(0)
    test = quick(jax.vmap(lambda correct: sequential_test(correct, 0.9, 0.8, 0.05, 0.1)))
    reads = []
    for rate, wrong, bound in ((0.9, 1, 0.05 / 0.9), (0.8, -1, 0.1 / 0.95)):
        found = test(random.random((2000, 600)) < rate)
        decision = np.asarray(found.decision)
        assert (decision != 0).mean() > 0.995
        assert (decision == wrong).mean() < bound + 4 * np.sqrt(bound / 2000)
        reads.append(np.asarray(found.decided).mean())
    assert max(reads) < int(audit_size(0.9, 0.8, 0.05, 0.1))


def test_detectors_equal_reference():
    measure = quick(detection)
    for case, given, expected in communication("detector_auc"):
        found = measure(np.array(given["labels"]), np.array(given["scores"]))
        assert_case(found, [expected["auc"], expected["average_precision"]], case)
    # Ties count one half, and are one threshold.
    found = measure(np.array([1, 0, 1, 0]), np.array([1.0, 1.0, 1.0, 0.0]))
    np.testing.assert_allclose(found, [0.75, 2 / 3])
    assert np.isnan(measure(np.zeros(30, int), np.arange(30.0))).all()
    assert np.isnan(measure(np.ones(30, int), np.arange(30.0)).area)


def test_how_fast_a_code_rewrites_itself():
    before = np.array([[1, 2, 0], [3, 0, 0], [4, 4, 4], [5, 0, 1]])
    after = np.array([[3, 0, 2], [1, 2, 0], [4, 4, 1], [5, 0, 2]])  # two words swapped, one new, one with new garbage
    measure = quick(lambda *tables: (self_modification(*tables), novelty(*tables)))
    assert measure(before, after) == (0.75, 0.25)
    assert measure(before, before) == (0, 0)
    np.testing.assert_array_equal([first_true([False, True, True]), first_true([False, False])], [1, -1])


# Checks of envelopes

check = quick(envelope_check, static_argnums=(1, 2))
spoofing = quick(lambda key, before, rate, bits: spoof(key, before, rate, [7, 7, 7], 4, bits))
report = quick(robustness)


def by_hand(envelopes, window, freshness):
    """The rules, one event after the other, with a set of what was accepted."""
    highest, accepted, found = {}, set(), []
    for claimed, counter, sent, received, valid in zip(*(np.asarray(x).tolist() for x in envelopes[1:6]), strict=True):
        rules = (not valid, sent > received, received - sent > freshness,
                 counter <= highest.get(claimed, -1) - window, (claimed, counter) in accepted)  # fmt: skip
        verdict = next((name for name, broken in zip(VERDICTS[1:], rules, strict=True) if broken), "accept")
        if verdict == "accept":
            highest[claimed] = max(highest.get(claimed, -1), counter)
            accepted.add((claimed, counter))
        found.append(verdict)
    return found


def test_envelopes_equal_reference():
    for case, given, expected in communication("envelope_check"):
        sender, claimed, counter, sent, received, valid = np.array(given["events"]).T
        envelopes = Envelopes(sender, claimed, counter, sent, received, valid == 1, np.zeros((30, 1), int))
        found = check(envelopes, 3, case["params"]["window"], case["params"]["freshness"])
        assert [VERDICTS[verdict] for verdict in found] == expected, case["id"]


def test_envelopes_equal_the_rules_by_hand():
    """Random counters and dates, so that every rule is met many times."""
    random = np.random.default_rng(0)
    sender, received = random.integers(0, 3, 600), np.arange(600)
    counter = np.maximum(0, np.arange(600) // 6 + random.integers(-5, 6, 600))
    sent, valid = received - random.integers(-2, 8, 600), random.random(600) < 0.9
    envelopes = Envelopes(sender, sender, counter, sent, received, valid, np.zeros((600, 1), int))
    expected = by_hand(envelopes, 4, 5)
    assert {*expected} == {*VERDICTS}
    assert [VERDICTS[verdict] for verdict in check(envelopes, 3, 4, 5)] == expected
    with pytest.raises(ParameterError, match="window = 0"):
        envelope_check(envelopes, 3, 0, 5)


@cache
def traffic():
    """400 messages of four agents."""
    random = np.random.default_rng(2)
    return quick(honest)(random.integers(0, 4, 400), random.integers(0, 9, (400, 3)), latency=1)


def assert_untouched(attacked, before, after):
    """What is not attacked is as it was."""
    for old, new in zip(before, after, strict=True):
        np.testing.assert_array_equal(np.asarray(new)[~attacked], np.asarray(old)[~attacked])


def test_honest_traffic_is_accepted():
    envelopes = traffic()
    assert (np.asarray(check(envelopes, 4, 8, 5)) == ACCEPT).all()
    for agent in range(4):
        mine = np.asarray(envelopes.counter)[np.asarray(envelopes.sender) == agent]
        np.testing.assert_array_equal(mine, np.arange(mine.size))
    found = report(check(envelopes, 4, 8, 5), np.zeros(400, bool))
    assert (np.isnan(found.accepted), float(found.rejected_honest), int(found.detected)) == (True, 0, -1)


def test_a_guessed_tag_holds_with_probability_two_to_the_minus_bits():
    guess = quick(jax.vmap(lambda key, bits: forged_tags(key, 500, bits), (0, None)))
    keys = jax.random.split(jax.random.key(0), 20)
    assert_means(np.asarray(guess(keys, 3)).mean(1)[:, None], [1 / 8])
    assert np.asarray(guess(keys, 0)).all()
    assert not np.asarray(guess(keys, 60)).any()


def test_spoofed_messages_are_forged():
    before = traffic()
    after, attacked = spoofing(jax.random.key(0), before, 0.3, 60)
    attacked, verdicts = np.asarray(attacked), np.asarray(check(after, 4, 8, 5))
    assert 80 < attacked.sum() < 160
    assert_untouched(attacked, before, after)
    assert (verdicts[attacked] == FORGED).all()
    assert (verdicts[~attacked] == ACCEPT).all()
    assert (np.asarray(after.claimed != after.sender) == attacked).all()
    assert {*np.asarray((after.claimed - after.sender) % 4)[attacked]} == {1, 2, 3}
    assert (np.asarray(after.payload)[attacked] == 7).all()
    # Without a tag it gets through, up to clashes with what the one that it claims to be has really sent.
    bare, taken = spoofing(jax.random.key(0), before, 0.3, 0)
    found = report(check(bare, 4, 8, 5), taken)
    assert 0.3 < float(found.accepted) < 1
    with pytest.raises(ParameterError, match="agents = 1"):
        spoof(jax.random.key(0), before, 0.3, [7], 1, 8)


def test_replayed_messages_are_true_and_outdated():
    before = traffic()
    attack = quick(replay)
    after, attacked = attack(jax.random.key(0), before, 0.3, 12)
    attacked, verdicts = np.asarray(attacked), np.asarray(check(after, 4, 50, 5))
    assert_untouched(attacked, before, after)
    age = np.asarray(after.received - after.sent)
    assert (age[attacked] > 1).all()
    assert (age[attacked] <= 13).all()
    assert (verdicts[attacked & (age > 5)] == VERDICTS.index("stale")).all()
    # A copy is caught unless the slot of its original was itself taken.
    fresh = attacked & (age <= 5)
    places = np.arange(400)[fresh] - (age[fresh] - 1)
    lost = attacked[places]
    assert (verdicts[fresh][~lost] == VERDICTS.index("replayed")).all()
    assert lost.any()
    assert (verdicts[~attacked] == ACCEPT).all()
    assert not np.asarray(attack(jax.random.key(0), before, 1.0, 12)[1])[0]


def test_future_dates_are_seen_and_injections_are_not():
    before = traffic()
    after, attacked = quick(future)(jax.random.key(1), before, 0.2, 5)
    attacked = np.asarray(attacked)
    assert_untouched(attacked, before, after)
    assert (np.asarray(check(after, 4, 8, 5))[attacked] == FUTURE).all()
    after, attacked = quick(inject)(jax.random.key(1), before, 0.2, np.array([8, 8, 0]))
    attacked = np.asarray(attacked)
    assert_untouched(attacked, before, after)
    assert (np.asarray(after.payload)[attacked] == [8, 8, 0]).all()
    assert float(report(check(after, 4, 8, 5), attacked).accepted) == 1


def test_a_flood_crowds_out_the_others():
    before = traffic()
    after, attacked = quick(flood, static_argnums=4)(jax.random.key(1), before, 0.8, 2, 9)
    attacked = np.asarray(attacked)
    assert (np.asarray(after.claimed)[attacked] == 2).all()
    mine = np.asarray(after.sender) == 2
    np.testing.assert_array_equal(np.asarray(after.counter)[mine], np.arange(mine.sum()))
    payload = np.asarray(after.payload)[attacked]
    assert (payload.min(), payload.max()) == (1, 8)
    assert_untouched(attacked | mine, before, after)
    assert (np.asarray(check(after, 4, 400, 5)) == ACCEPT).all()
    with pytest.raises(ParameterError, match="vocabulary = 1"):
        flood(jax.random.key(1), before, 0.8, 2, 1)


def test_reports_of_attacks():
    found = robustness([ACCEPT, FORGED, ACCEPT, FUTURE, FORGED], [False, False, True, True, True])
    np.testing.assert_allclose(found, [1 / 3, 1 / 2, 3])
    hurt = damage([True, True, False], [0, 1, 2], [1, 1, 1], [0.0, 0.5, 1.0], [1.0, 1.0, 1.0])
    np.testing.assert_allclose(hurt, [1 / 2, 1.5 / 2])
    assert np.isnan(damage([False], [0], [1], [0.0], [1.0])).all()


def test_attacks_of_a_batch_equal_a_loop():
    before, keys, rates = traffic(), jax.random.split(jax.random.key(3), 3), jnp.linspace(0.1, 0.9, 3)

    def attack(key, rate):
        after, attacked = spoof(key, before, rate, [7, 7, 7], 4, 2)
        return robustness(envelope_check(after, 4, 8, 5), attacked), after

    batch = jax.device_get(quick(jax.vmap(attack))(keys, rates))
    for row in range(3):
        after, attacked = spoofing(keys[row], before, rates[row], 2)
        alone = report(check(after, 4, 8, 5), attacked), after
        for found, expected in zip(jax.tree.leaves(batch), jax.tree.leaves(alone), strict=True):
            np.testing.assert_array_equal(found[row], expected)


def test_authors_equal_reference():
    measure = quick(author_posterior)
    for case, given, expected in communication("author_posterior"):
        found = measure(*map(np.array, given.values()), np.ones(3))
        assert_case(found.log_likelihood, expected["log_likelihood"], case)
        assert_case(found.posterior, expected["posterior"], case)
        assert int(found.author) == expected["argmax"]
    # A prior that is certain is not moved.
    certain = measure(*map(np.array, given.values()), np.array([1.0, 0.0, 0.0]))
    np.testing.assert_allclose(certain.posterior, [1, 0, 0])


def test_a_sender_that_there_is_not_is_forged():
    number = np.array([0, 1, 2])
    for claimed in (7, -1):
        envelopes = Envelopes(
            number * 0, number * 0 + claimed, number, number, number, number >= 0, np.zeros((3, 1), int)
        )
        assert (check(envelopes, 4, 8, 5) == VERDICTS.index("forged")).all()
