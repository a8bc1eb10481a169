"""The mirror against reference cases, its special cases and the classical models that it contains."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import assert_close, assert_means, load

from jaxcoord.errors import ParameterError
from jaxcoord.identity import attention, capture, measures, mirror
from jaxcoord.identity.bounded_confidence import hegselmann_krause_step
from jaxcoord.identity.redefinition import Identities, MutualRedefinition, NetworkRedefinition
from jaxcoord.networks import graph
from jaxcoord.networks.kinds import Ring

CASES = load("coordination_cases.json", "d-mirror", "d-capture", "d-tug", "d-dyad", "d-fj", "d-degroot", "d-signed")

# Compiled once for a shape, which is several times faster here than one operation after the other.
sense, synthesize = jax.jit(mirror.sense), jax.jit(mirror.synthesize)
mirror_step, mirror_matrix = jax.jit(mirror.mirror_step), jax.jit(mirror.mirror_matrix)
mirror_step_on_network = jax.jit(mirror.mirror_step_on_network)
fixed_point, uniform_fixed_point = jax.jit(capture.fixed_point), jax.jit(capture.uniform_fixed_point)
captured, camp_shares = jax.jit(measures.capture), jax.jit(capture.camp_shares)


@pytest.fixture(params=[1e-5, 1e-10], ids=["float32", "float64"])
def exact(request):
    """The tolerance of a precision, inside it."""
    with jax.enable_x64(request.param < 1e-6):
        yield request.param


@pytest.fixture
def float64():
    with jax.enable_x64(True):
        yield


def arrays(case, *names):
    return [jnp.asarray(case["params"][name], float) for name in names]


def population(seed=0, size=6, dimensions=3):
    """Cores, identities, stubbornness, projection and a row-stochastic attention, drawn at random."""
    random = np.random.default_rng(seed)
    weights = random.uniform(0, 1, (size, size)) * (random.uniform(0, 1, (size, size)) < 0.8) + np.eye(size)
    core, identity = random.normal(size=(2, size, dimensions))
    made = (core, identity, *random.uniform(0.1, 0.9, (2, size)), weights / weights.sum(1, keepdims=True))
    return [jnp.asarray(x, float) for x in made]


def seen_from(core):
    return jnp.broadcast_to(core, (len(core), *core.shape))


def walk(identity, perspectives, core, theta, beta, weights, eta, steps):
    for _ in range(steps):
        perspectives = sense(perspectives, identity, beta, eta)
        identity = synthesize(core, theta, weights, perspectives)
    return identity, perspectives


def test_fixed_point_of_the_case(float64):
    case = CASES["d-mirror-fixed"]
    weights, theta, beta, core = arrays(case, "W", "theta", "beta", "core")
    matrix = mirror_matrix(weights, beta)
    assert_close(matrix, case["expected"]["G"], case["tolerance"])
    rest = fixed_point(core, theta, matrix)
    assert_close(rest, case["expected"]["x_star"], case["tolerance"])
    first = sense(seen_from(core), rest, beta)[0]
    assert_close(first, case["expected"]["P_star_first_row"], case["tolerance"])


@pytest.mark.parametrize("eta", [1.0, 0.3])
def test_iteration_comes_to_rest_there_whatever_the_speed(eta, float64):
    case = CASES["d-mirror-fixed"]
    weights, theta, beta, core = arrays(case, "W", "theta", "beta", "core")

    def step(_, state):
        return walk(*state, core, theta, beta, weights, eta, 1)

    identity, perspectives = jax.jit(lambda s: jax.lax.fori_loop(0, 400, step, s))((-core, seen_from(3 * core)))
    assert_close(identity, case["expected"]["x_star"], case["tolerance"])
    assert_close(perspectives[0], case["expected"]["P_star_first_row"], case["tolerance"])


def test_trajectory_of_the_case(float64):
    case = CASES["d-mirror-traj"]
    weights, theta, beta, core = arrays(case, "W", "theta", "beta", "core")
    found = walk(core, seen_from(core), core, theta, beta, weights, case["params"]["eta"], case["params"]["steps"])
    assert_close(found[0], case["expected"]["x_3"], case["tolerance"])
    assert_close(found[1][0], case["expected"]["P_3_first_row"], case["tolerance"])


@pytest.mark.parametrize("name", ["d-mirror-uniform-0", "d-mirror-uniform-1"])
def test_uniform_closed_forms(name, float64):
    case, found = CASES[name], capture.uniform_mirror(CASES[name]["params"]["theta"], CASES[name]["params"]["beta"])
    keys = ("effective_susceptibility", "deviation_factor", "uniqueness_variance_ratio", "mean_mode_rate",
            "deviation_mode_rate")  # fmt: skip
    assert_close(found, [case["expected"][key] for key in keys], case["tolerance"])
    core = population(3)[0]
    weights = attention.uniform_attention(6)
    matrix = mirror_matrix(weights, case["params"]["beta"])
    rest = fixed_point(core, case["params"]["theta"], matrix)
    np.testing.assert_allclose(jax.jit(measures.uniqueness)(rest, core), found.uniqueness, rtol=1e-9)
    start = population(4)[1]
    after = mirror_step(start, core, case["params"]["theta"], weights, case["params"]["beta"])
    np.testing.assert_allclose((after - rest).mean(0), found.mean_rate * (start - rest).mean(0), atol=1e-12)
    off = [(x - rest) - (x - rest).mean(0) for x in (start, after)]
    np.testing.assert_allclose(off[1], found.deviation_rate * off[0], atol=1e-12)


@pytest.mark.parametrize("name", [f"d-capture-{i}" for i in range(4)])
def test_capture_is_that_of_the_linear_solve(name, float64):
    case = CASES[name]
    size, captors, theta, beta = (case["params"][k] for k in ("n", "n_stubborn", "theta", "beta_stubborn"))
    assert_close(capture.capture_share(size, captors, theta, beta), case["expected"]["capture_share"],
                 case["tolerance"])  # fmt: skip
    random = np.random.default_rng(1)
    captor = np.arange(size) < captors
    core = jnp.asarray(np.where(captor[:, None], 5.0, random.normal(size=(size, 2))))
    projection = jnp.where(captor, beta, random.uniform(0.1, 1))  # of the others: any, if they have it in common
    rest = uniform_fixed_point(core, jnp.where(captor, 1.0, theta), projection)
    share = captured(rest, core, core[0], jnp.asarray(~captor))
    np.testing.assert_allclose(share, case["expected"]["capture_share"], rtol=1e-9)


def test_half_capture():
    half = capture.half_capture(100, 3, 0.8)
    np.testing.assert_allclose(capture.capture_share(100, 3, half, 0.8), 0.5, rtol=1e-6)
    assert float(half) == pytest.approx(2.4 / 102.4)


def test_tug_of_war(float64):
    case = CASES["d-tug"]
    given = case["params"]
    numbers, betas = jnp.array([given["k_a"], given["k_b"]]), jnp.array([given["beta_a"], given["beta_b"]])
    shares = camp_shares(given["n"], numbers, given["theta"], betas)
    expected = [case["expected"][key] for key in ("share_a", "share_b", "share_own_cores")]
    assert_close([*shares, 1 - shares.sum()], expected, case["tolerance"])
    camp = np.repeat([0, 1, 2], [4, 3, 53])
    core, theta, beta = np.eye(3)[camp], np.array([1.0, 1.0, 0.1])[camp], np.array([0.7, 1.0, 0.35])[camp]
    rest = fixed_point(core, theta, mirror_matrix(np.full((60, 60), 1 / 60), beta))
    assert_close(np.asarray(rest)[7:].mean(0), expected, case["tolerance"])


@pytest.mark.parametrize("name", ["d-dyad-0", "d-dyad-1"])
def test_dyad(name, float64):
    case = CASES[name]
    core, theta, weights = arrays(case, "core", "theta", "W")
    assert_close(capture.dyad(core, theta), case["expected"]["x_star"], case["tolerance"])
    rest = fixed_point(core, theta, mirror_matrix(weights, 1.0))
    assert_close(rest, case["expected"]["x_star"], case["tolerance"])


def test_uniform_fixed_point_is_the_linear_solve(exact):
    core, _, theta, beta, _ = population(5)
    solved = fixed_point(core, theta, mirror_matrix(attention.uniform_attention(6), beta))
    np.testing.assert_allclose(uniform_fixed_point(core, theta, beta), solved, atol=exact)


def test_a_step_without_perspectives_is_the_step_with_them(exact):
    core, identity, theta, beta, weights = population(6)
    whole = walk(identity, seen_from(7 * core), core, theta, beta, weights, 1.0, 1)[0]
    np.testing.assert_allclose(mirror_step(identity, core, theta, weights, beta), whole, atol=exact)


@pytest.mark.parametrize("size", [1, 2, 7, 12])
def test_folding_is_a_sum(size):
    terms = np.random.default_rng(size).integers(-9, 9, (size, 3)).astype(np.float32)
    np.testing.assert_array_equal(jax.jit(mirror.folded)(terms), terms.sum(0))


@pytest.mark.parametrize("weighted", [False, True])
def test_a_step_on_lists_of_neighbours_is_the_dense_step(weighted, exact):
    core, identity, theta, beta, _ = population(7)
    lists = graph.from_edges([(0, 1), (0, 2), (0, 3), (2, 3), (3, 4)], 6, width=4)
    valid, given = np.asarray(lists.valid), np.random.default_rng(8).uniform(0, 0.25, (6, 4))
    share = given if weighted else 1 / np.maximum(valid.sum(1, keepdims=True), 1) * np.ones((6, 4))
    dense = np.zeros((6, 6))
    for i, others in enumerate(np.asarray(lists.neighbours)):
        dense[i, others[valid[i]]] = share[i, valid[i]]
        dense[i, i] = 1 - dense[i].sum()
    weights = jnp.asarray(given) if weighted else None
    found = mirror_step_on_network(identity, core, theta, lists, beta, weights)
    np.testing.assert_allclose(found, mirror_step(identity, core, theta, dense, beta), atol=exact)


# Special cases.


def test_who_never_adapts_is_its_core_at_once(exact):
    core, identity, _, beta, weights = population(8)
    np.testing.assert_allclose(mirror_step(identity, core, 1.0, weights, beta), core, atol=exact)


def test_perfect_mirrors_do_not_define_each_other(exact):
    core, identity, theta, _, weights = population(9)
    found = walk(identity, seen_from(core), core, theta, 0.0, weights, 1.0, 1)[0]
    np.testing.assert_allclose(found, theta[:, None] * core + (1 - theta)[:, None] * identity, atol=exact)
    np.testing.assert_allclose(fixed_point(core, theta, mirror_matrix(weights, 0.0)), core, atol=exact)


def test_without_core_and_projection_nothing_moves(exact):
    core, identity, _, _, weights = population(10)
    np.testing.assert_allclose(mirror_step(identity, core, 0.0, weights, 0.0), identity, atol=exact)


def test_all_projection_and_no_core_is_the_mean_in_one_step(exact):
    core, identity, _, _, _ = population(11)
    found = walk(identity, seen_from(core), core, 0.0, 1.0, attention.uniform_attention(6), 1.0, 1)[0]
    np.testing.assert_allclose(found, np.broadcast_to(identity.mean(0), found.shape), atol=exact)


def test_who_heeds_itself_only_returns_to_its_core(exact):
    core, identity, theta, beta, _ = population(12)
    found = mirror_step(identity, core, theta, jnp.eye(6), beta)
    np.testing.assert_allclose(found, theta[:, None] * core + (1 - theta)[:, None] * identity, atol=exact)


def test_motions_of_space_and_names_commute_with_the_step(exact):
    core, identity, theta, beta, weights = population(13)
    models = jnp.asarray(np.random.default_rng(2).normal(size=(6, 6, 3)))

    def step(move):
        args = (move(identity), move(models), move(core))
        return walk(*args, theta, beta, weights, 0.4, 2)

    plain = step(lambda a: a)
    turn = jnp.asarray(np.linalg.qr(np.random.default_rng(3).normal(size=(3, 3)))[0])
    for move in (lambda a: a + jnp.array([1.0, -2.0, 0.5]), lambda a: a @ turn, lambda a: -2.5 * a):
        for found, expected in zip(step(move), plain, strict=True):
            np.testing.assert_allclose(found, move(expected), atol=4 * exact)
    order = np.array([3, 1, 5, 0, 2, 4])
    found = walk(identity[order], models[order][:, order], core[order], theta[order], beta[order],
                 weights[order][:, order], 0.4, 2)  # fmt: skip
    np.testing.assert_allclose(found[0], plain[0][order], atol=exact)
    np.testing.assert_allclose(found[1], plain[1][order][:, order], atol=exact)


def test_identities_stay_in_the_hull(exact):
    core, identity, theta, beta, weights = population(14)
    models = seen_from(core) + 1.0
    directions = np.random.default_rng(4).normal(size=(3, 200))
    start = np.concatenate([np.asarray(a).reshape(-1, 3) for a in (core, identity, models)]) @ directions
    for _ in range(10):
        identity, models = walk(identity, models, core, theta, beta, weights, 0.7, 1)
        reach = np.asarray(identity) @ directions
        assert (reach <= start.max(0) + exact).all()
        assert (reach >= start.min(0) - exact).all()


def test_doubling_everybody_changes_nobody(exact):
    core, identity, theta, beta, weights = population(15)
    single = walk(identity, seen_from(core), core, theta, beta, weights, 1.0, 1)[0]
    twice = [jnp.tile(a, (2, 1)) for a in (identity, core)] + [jnp.tile(a, 2) for a in (theta, beta)]
    # A double sees as the original does: where it is itself the mirror it projects, and so beta is 1 on the diagonal.
    double = walk(twice[0], seen_from(twice[1]), twice[1], twice[2], jnp.ones(12), jnp.tile(weights, (2, 2)) / 2, 1.0,
                  1)[0]  # fmt: skip
    alone = walk(identity, seen_from(core), core, theta, jnp.ones(6), weights, 1.0, 1)[0]
    np.testing.assert_allclose(double, jnp.tile(alone, (2, 1)), atol=exact)
    assert np.abs(single - alone).max() > 0.01, "with beta below one these are two models"


# The classical models, each in plain NumPy.


def test_degroot(exact):
    case = CASES["d-degroot"]
    weights, start = arrays(case, "W", "x0")
    plain = np.array(case["params"]["x0"])
    identity = start[:, None]
    for _ in range(60):
        identity = mirror_step(identity, 0 * identity, 0.0, weights, 1.0)
        plain = np.array(case["params"]["W"]) @ plain
    np.testing.assert_allclose(identity[:, 0], plain, atol=exact)
    np.testing.assert_allclose(identity[:, 0], case["expected"]["consensus"], atol=max(exact, 1e-8))


def test_friedkin_johnsen(exact):
    """With beta = 1 the mirror is their model, susceptibility 1 - theta; so are the reference's own numbers."""
    case = CASES["d-fj-traj"]
    weights, susceptibility, core = arrays(case, "W", "susceptibility", "core")
    identity = core
    for _ in range(3):
        identity = mirror_step(identity, core, 1 - susceptibility, weights, 1.0)
    np.testing.assert_allclose(identity, case["expected"]["x_3"], atol=exact)
    rest = fixed_point(core, 1 - susceptibility, mirror_matrix(weights, 1.0))
    np.testing.assert_allclose(rest, CASES["d-fj-fixed"]["expected"]["x_star"], atol=exact)


@pytest.mark.parametrize("consent", [False, True])
def test_hegselmann_krause(consent, exact):
    random = np.random.default_rng(16)
    plain, radius = random.uniform(0, 1, 30), random.uniform(0.05, 0.3, 30)
    identity = jnp.asarray(plain)[:, None]
    for _ in range(12):
        weights = attention.confidence_attention(identity, jnp.asarray(radius), consent)
        identity = mirror_step(identity, 0 * identity, 0.0, weights, 1.0)
        reach = np.minimum(radius[:, None], radius[None]) if consent else radius[:, None]
        near = np.abs(plain[:, None] - plain[None]) <= reach
        plain = near @ plain / near.sum(1)
    np.testing.assert_allclose(identity[:, 0], plain, atol=exact)
    assert 1 < len(np.unique(plain.round(3))) < 30


@pytest.mark.parametrize("balanced", [True, False])
def test_altafini(balanced, exact):
    case = CASES["d-signed"]
    weights, signs, start = arrays(case, "abs_weights", "signs_balanced", "x0")
    signs = signs if balanced else signs.at[0, 1].multiply(-1)
    plain, identity = np.array(case["params"]["x0"]), start[:, None]
    matrix = np.asarray(weights, float) * np.asarray(signs)
    for _ in range(400):
        identity, plain = mirror_step(identity, 0 * identity, 0.0, weights, 1.0, signs), matrix @ plain
    np.testing.assert_allclose(identity[:, 0], plain, atol=exact)
    limit = case["expected"]["x_limit_balanced"] if balanced else np.zeros(5)
    np.testing.assert_allclose(identity[:, 0], limit, atol=max(exact, 1e-7))


def test_signs_and_half_a_projection():
    core, identity, theta, beta, weights = population(17)
    core, identity, theta, beta, weights = map(np.asarray, (core, identity, theta, beta, weights))
    signs, expected = np.where(np.random.default_rng(5).uniform(size=(6, 6)) < 0.5, 1.0, -1.0), np.empty((6, 3))
    for i in range(6):
        views = [w * ((1 - b) * identity[i] + b * s * x)
                 for w, b, s, x in zip(weights[i], beta, signs[i], identity, strict=True)]  # fmt: skip
        expected[i] = theta[i] * core[i] + (1 - theta[i]) * sum(views)
    found = mirror_step(identity, core, theta, weights, beta, signs)
    np.testing.assert_allclose(found, expected, atol=1e-5)


# Attention and what is heard.


def test_what_is_not_heard_is_left_out():
    weights = jnp.array([[0.2, 0.3, 0.5], [0.0, 0.0, 1.0], [0.4, 0.4, 0.2]])
    heard = jnp.array([[False, True, False], [True, False, False], [True, True, True]])
    found = attention.masked(weights, heard)
    np.testing.assert_allclose(found, [[0.4, 0.6, 0], [0, 1, 0], [0.4, 0.4, 0.2]], atol=1e-6)


def test_models_of_whom_one_does_not_meet_stay():
    _, identity, _, beta, _ = population(18)
    heard = jnp.ones((6, 6), bool).at[2, 4].set(False)
    before = jnp.full((6, 6, 3), 9.0)
    found, all_heard = sense(before, identity, beta, 1.0, None, heard), sense(before, identity, beta)
    np.testing.assert_array_equal(found[4, 2], before[4, 2])
    untouched = np.ones((6, 6), bool)
    untouched[4, 2] = False
    np.testing.assert_allclose(found[untouched], all_heard[untouched], atol=1e-6)


def test_closed_ball_and_consent():
    identity, radius = jnp.array([[0.0], [1.0], [3.0]]), jnp.array([1.0, 2.0, 0.5])
    np.testing.assert_array_equal(attention.accepts(identity, radius), [[1, 1, 0], [1, 1, 1], [0, 0, 1]])
    np.testing.assert_array_equal(attention.accepts(identity, radius, True), [[1, 1, 0], [1, 1, 0], [0, 0, 1]])
    assert float(measures.mutual_ties(attention.accepts(identity, radius))) == pytest.approx(2 / 3)
    assert float(measures.agreement(attention.accepts(identity, radius))) == pytest.approx(3 / 6)


def test_similarity_and_trust():
    identity, length = jnp.array([[0.0], [1.0]]), jnp.array([1.0, 2.0])
    found = np.asarray(attention.similarity_attention(identity, length))
    np.testing.assert_allclose(found[:, ::-1][[0, 1], [0, 1]], [1 / (1 + np.exp(0.5)), 1 / (1 + np.exp(1 / 8))],
                               rtol=1e-5)  # fmt: skip
    both = attention.similarity_attention(identity, length, consent=True)
    np.testing.assert_allclose(both[0, 1], both[1, 0], rtol=1e-6)
    np.testing.assert_allclose(attention.trust_attention([[1.0, 3.0], [0.0, 0.0]]), [[0.25, 0.75], [0, 1]])


# Measures by hand, and models.


def test_measures_by_hand():
    core = jnp.array([[0.0, 0.0], [4.0, 0.0], [0.0, 2.0]])
    identity = jnp.array([[1.0, 0.0], [3.0, 0.0], [2.0, 3.0]])
    np.testing.assert_allclose(jax.jit(measures.diversity)(identity), (2 + 2 + 4) / 3, rtol=1e-6)
    middle = np.asarray(core) - np.asarray(core).mean(0)
    np.testing.assert_allclose(jax.jit(measures.uniqueness)(identity, core), 8 / (middle**2).sum(), rtol=1e-6)
    np.testing.assert_allclose(captured(identity, core, jnp.array([4.0, 0.0]), jnp.array([True, False, True])),
                               ((1.5 * 4) + (0.5 * -1)) / 17, rtol=1e-6)  # fmt: skip
    scale = np.sqrt((middle**2).sum(1)).mean()
    moved = np.array([1.0, 1.0, np.sqrt(5)])
    np.testing.assert_allclose(jax.jit(measures.authenticity)(identity, core), 1 - moved / (moved + scale), rtol=1e-6)
    models = jnp.broadcast_to(core, (3, 3, 2))
    np.testing.assert_allclose(jax.jit(measures.model_error)(models, identity), (2 * (1 + 1 + 5)) / 6, rtol=1e-6)
    np.testing.assert_allclose(
        jax.jit(measures.surprise)(models, identity, 2.0), np.array([6, 6, 2]) / 2 / 8, rtol=1e-6
    )
    assert float(jax.jit(measures.identifiability)(3 * core + 5, core)) == 1.0
    assert float(jax.jit(measures.identifiability)(jnp.roll(core, 1, 0), core)) == 0.0


step, observe = jax.jit(lambda model, *rest: model.step(*rest)), jax.jit(lambda model, state: model.observe(state))


def everybody(core):
    """Agents who are their cores, known as such, and all hear each other."""
    return Identities(core, core, seen_from(core), jnp.ones((len(core), len(core)), bool))


def test_a_population_with_captors_comes_to_rest_as_the_closed_form_says():
    model = MutualRedefinition(stubbornness=0.1, projection=0.6, insistence=0.9, speed=0.7, size=20, captors=1)
    start = jax.jit(model.init)(jax.random.key(7))
    rest = jax.jit(lambda s: jax.lax.fori_loop(0, 250, lambda _, s: model.step(s, jax.random.key(0)), s))(start)
    found = observe(model, rest)
    np.testing.assert_allclose(found["capture"], CASES["d-capture-0"]["expected"]["capture_share"], rtol=1e-4)
    off = np.asarray(start.core)[1:] - np.asarray(start.core)[1:].mean(0)
    beta = (19 * 0.6 + 0.9) / 20
    shrunk = np.asarray(rest.identity)[1:] - np.asarray(rest.identity)[1:].mean(0)
    np.testing.assert_allclose(shrunk, off * 0.1 / (0.1 + 0.9 * beta), atol=1e-5)


def test_misreading_is_as_large_as_asked_for():
    model = MutualRedefinition(stubbornness=1.0, projection=0.0, noise=0.4, misread=True, size=40, dimensions=3)
    state = everybody(jnp.zeros((40, 3)))
    read = np.asarray(step(model, state, jax.random.key(1)).perspectives)
    assert (read[np.eye(40, dtype=bool)] == 0).all(), "oneself one knows"
    others = read[~np.eye(40, dtype=bool)]
    assert_means(others.reshape(-1, 1) ** 2, 0.16)
    assert_means(others.reshape(-1, 1), 0.0)


@pytest.mark.parametrize("kernel", ["confidence", "similarity", "understanding"])
def test_kernels_of_the_population(kernel):
    """With a reach beyond everybody all kernels are the uniform one; with a short one agents keep to themselves."""
    state, key = everybody(population(19)[0].astype(jnp.float32)), jax.random.key(2)
    options = {"kernel": kernel, "size": 6, "dimensions": 3}
    uniform = mirror_step(state.identity, state.core, 0.3, attention.uniform_attention(6), 0.6)
    found = step(MutualRedefinition(radius=1e4, **options), state, key)
    np.testing.assert_allclose(found.identity, uniform, atol=1e-4)
    apart = state._replace(perspectives=state.perspectives + 1.0)
    found = step(MutualRedefinition(radius=1e-3, **options), apart, key)
    np.testing.assert_allclose(found.identity, state.core, atol=1e-5)


def test_network_population_is_the_dense_mirror():
    model = NetworkRedefinition(size=14, dimensions=3, captors=2, network=Ring(degree=4), insistence=0.8)
    state = jax.jit(model.init)(jax.random.key(3))
    near = np.minimum(*(np.subtract.outer(*[np.arange(14)] * 2) * sign % 14 for sign in (1, -1)))
    dense = ((near > 0) & (near <= 2)) / 4
    captor = np.arange(14) < 2
    theta, beta = np.where(captor, 1.0, 0.3), np.where(captor, 0.8, 0.6)
    rest = fixed_point(state.core, theta, mirror_matrix(dense, beta))
    walked = jax.jit(lambda s: jax.lax.fori_loop(0, 200, lambda _, s: model.step(s, jax.random.key(0)), s))(state)
    np.testing.assert_allclose(walked.identity, rest, atol=1e-5)


def test_one_agent_who_hears_others_through_a_network():
    model = MutualRedefinition(size=7, network=Ring(degree=2), stubbornness=0.2)
    state = jax.jit(model.init)(jax.random.key(4))
    found, core = step(model, state, jax.random.key(5)).identity[0], np.asarray(state.core)
    near = sum(0.4 * core[0] + 0.6 * core[j] for j in (6, 1))
    np.testing.assert_allclose(found, 0.2 * core[0] + 0.8 * (near + core[0]) / 3, atol=1e-5)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: mirror.mirror_matrix([[0.5, 0.4], [0.0, 1.0]], 1.0), "row 0 sums to 0.9"),
        (lambda: mirror.mirror_matrix([[1.5, -0.5], [0.0, 1.0]], 1.0), "negative"),
        (lambda: mirror.mirror_matrix([[np.nan, 0.5], [0.0, 1.0]], 1.0), "not a number"),
        (lambda: mirror.mirror_matrix([[0.5, 0.5]], 1.0), "square"),
        (lambda: capture.fixed_point([1.0, 2.0, 3.0], [1.0, 0.0, 0.0], np.eye(3)), "agent 1"),
        (lambda: capture.camp_shares(3, [2, 2], 0.1, [1.0, 1.0]), "more than the 3"),
        (lambda: attention.trust_attention([[1.0, -1.0], [0.0, 1.0]]), "at least 0"),
    ],
)
def test_refusals_name_what_is_wrong(call, said):
    with pytest.raises(ParameterError, match=said):
        call()


@pytest.mark.parametrize(("size", "radius"), [(51, 0.1), (51, 0.14), (21, 0.2), (101, 0.11)])
def test_even_opinions_freeze_as_in_hegselmann_and_krause(size, radius):
    # Distances equal to the radius abound here; both must call them within it.
    step = jax.jit(lambda x: mirror.mirror_step(x, x, 0.0, attention.confidence_attention(x, radius), 1.0))
    theirs = jax.jit(lambda x: hegselmann_krause_step(x, radius))
    with jax.enable_x64(True):
        mine = other = jnp.linspace(0, 1, size)[:, None]
        for _ in range(40):
            mine, other = step(mine), theirs(other)
        np.testing.assert_allclose(mine, other, atol=1e-10)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: mirror.mirror_step(jnp.zeros(3), jnp.zeros(3), 0.5, jnp.eye(3), 1.0), r"core: shape \(3,\)"),
        (lambda: mirror.mirror_step(*jnp.zeros((2, 3, 1)), 1.5, jnp.eye(3), 1.0), "stubbornness = 1.5"),
        (lambda: MutualRedefinition(size=5, captors=5), "captors = 5: fewer than the 5"),
        (lambda: NetworkRedefinition(size=5, captors=9), "captors = 9"),
        (lambda: MutualRedefinition(noise=2.0), "noise = 2.0: nothing is misread"),
    ],
)
def test_what_would_mean_nothing_is_refused(make, message):
    with pytest.raises(ParameterError, match=message):
        make()
