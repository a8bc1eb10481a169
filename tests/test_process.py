"""Rules of finite populations: what they say of one individual, and that simulating them does what they say."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxcoord as jc
from jaxcoord import ParameterError, evolution, games
from jaxcoord.evolution import exact

RULES = {
    "pairwise-comparison": (evolution.PairwiseComparison, {"beta": 0.7}),
    "moran-birth-death": (evolution.MoranBirthDeath, {"beta": 0.4}),
    "moran-birth-death, linear": (evolution.MoranBirthDeath, {"beta": 0.2, "fitness": "linear"}),
    "moran-death-birth": (evolution.MoranDeathBirth, {"beta": 0.4}),
    "local-update": (evolution.LocalUpdate, {"beta": 0.9}),
    "wright-fisher": (evolution.WrightFisher, {"beta": 0.2}),
    "imitate-the-best": (evolution.ImitateTheBest, {}),
}
# Imitating the best never lets a mutant drift: it fixates or not for certain, and is left out where chance is tested.
DRIFTING = {name: rule for name, rule in RULES.items() if name != "imitate-the-best"}
GAMES = 50
QUICK = ("pairwise-comparison", "moran-death-birth", "local-update", "wright-fisher")  # the others: `make test-all`


def process(name, payoff, **options):
    rule, own = RULES[name]
    if issubclass(rule, evolution.EventProcess):
        options = {"events": 50} | options
    else:
        options.pop("events", None)
    return rule(games.matrix_game(payoff), **(own | options))


def random_games(strategies, seed):
    # Payoffs above -1 keep a linear fitness positive.
    return np.random.default_rng(seed).uniform(-1, 2, (GAMES, strategies, strategies))


def spelled_out(name, counts, payoff):
    """`copying`, one individual and one outcome at a time, from the words of the sources."""
    rule, own = RULES[name]
    beta, linear = own.get("beta"), own.get("fitness") == "linear"
    people = [s for s, n in enumerate(counts) for _ in range(n)]
    size = len(people)
    earned = [np.mean([payoff[a, b] for j, b in enumerate(people) if j != i]) for i, a in enumerate(people)]
    fitness = [1 - beta + beta * e if linear else np.exp(beta * e) for e in earned] if beta else None
    found = np.zeros((len(counts), len(counts)))
    for i, a in enumerate(people):
        share = 1 / counts[a]
        others = [j for j in range(size) if j != i]
        if rule in (evolution.MoranBirthDeath, evolution.WrightFisher, evolution.MoranDeathBirth):
            parents = others if rule is evolution.MoranDeathBirth else range(size)
            for j in parents:
                found[a, people[j]] += share * fitness[j] / sum(fitness[k] for k in parents)
        elif rule is evolution.ImitateTheBest:
            best = {people[j] for j in range(size) if earned[j] == max(earned)}
            for b in {a} if a in best else best:
                found[a, b] += share / (1 if a in best else len(best))
        else:
            for j in others:
                gain = earned[j] - earned[i]
                if rule is evolution.PairwiseComparison:
                    chance = 1 / (1 + np.exp(-beta * gain))
                else:
                    chance = 0.5 + beta / 2 * gain / (payoff.max() - payoff.min())
                found[a, people[j]] += share * chance / (size - 1)
                found[a, a] += share * (1 - chance) / (size - 1)
    return found


@pytest.mark.parametrize("name", RULES)
def test_copying_is_what_the_rule_says_of_every_individual(name):
    random = np.random.default_rng(5)
    with jax.enable_x64(True):
        for strategies in (2, 3, 4):
            payoff = random.uniform(-1, 2, (strategies, strategies))
            counts = random.integers(1, 5, strategies)
            counts[-1] = 0 if strategies > 2 else 3
            made = process(name, payoff, size=int(counts.sum()))
            found = np.asarray(made.copying(jnp.asarray(counts, float)))
            present = counts > 0
            np.testing.assert_allclose(found[present], spelled_out(name, counts, payoff)[present], atol=1e-13)


@pytest.mark.parametrize("name", RULES)
def test_mutation_goes_where_the_kernel_says(name):
    rows = [[0.1, 0.2, 0.7], [0.0, 0.0, 1.0], [0.5, 0.5, 0.0]]
    payoff = random_games(3, 7)[0]
    made = process(name, payoff, size=12, kernel=evolution.mutation_kernel(rows), mu=0.3)
    counts = jnp.array([5.0, 4.0, 3.0])
    copied = np.asarray(made.copying(counts))
    mutants = copied @ rows if made.mutants_are_offspring else np.array(rows)
    np.testing.assert_allclose(made.switching(counts, 0.3), 0.7 * copied + 0.3 * mutants, atol=1e-6)
    np.testing.assert_allclose(made.switching(counts, 1.0), mutants, atol=1e-6)


# Simulation against the exact chains: 50 random games a rule


@jax.jit
def run(stack, states, keys, steps):
    def population(model, state, key):
        return jax.lax.fori_loop(0, steps, lambda at, now: model.step(now, jax.random.fold_in(key, at)), state)

    return jax.vmap(jax.vmap(population, (None, 0, 0)))(stack, states, keys)


def together(models):
    return jax.tree.map(lambda *leaves: jnp.stack([jnp.asarray(x, jnp.float32) for x in leaves]), *models)


def keys_of(models, replicates, seed):
    return jax.random.split(jax.random.key(seed), (len(models), replicates))


@pytest.mark.parametrize("name", DRIFTING)
@pytest.mark.slow
def test_simulated_fixation_is_the_closed_form(name):
    size, replicates = 8, 200
    models = [process(name, payoff, size=size, mu=0.0) for payoff in random_games(2, 11)]
    stack, end = together(models), jnp.full((GAMES, replicates, 2), jnp.array([1, size - 1]))
    for part in range(100):
        end = run(stack, end, keys_of(models, replicates, 100 + part), 10)
        if set(np.unique(end)) == {0, size}:
            break
    else:
        raise AssertionError("some population is not decided")
    with jax.enable_x64(True):
        rho = np.array([exact.fixation_probability(model)[0, 1] for model in models])
    error = np.sqrt(rho * (1 - rho) / replicates)
    off = np.abs((np.asarray(end)[..., 0] == size).mean(1) - rho) / error
    assert off.max() < 4
    assert 0.5 < np.square(off).mean() < 1.6, "as large as chance makes it: 50 games, sd of the mean 0.2"


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in RULES]
)
def test_simulated_stationary_distribution_is_that_of_the_exact_chain(name):
    size, replicates = 7, 200
    mu = 0.4 if name == "imitate-the-best" else 0.15  # the best are left by many mutations at once only
    models = [process(name, payoff, size=size, mu=mu) for payoff in random_games(3, 12)]
    start = jax.vmap(jax.vmap(models[0].init))(keys_of(models, replicates, 22))
    steps = 12 if isinstance(models[0], evolution.EventProcess) else 80
    end = np.asarray(run(together(models), start, keys_of(models, replicates, 23), steps))
    off = []
    for model, counts in zip(models, end, strict=True):
        chain = exact.chain(model)
        stationary = evolution.full_stationary_distribution(chain)
        mean = stationary @ chain.states
        variance = stationary @ np.square(chain.states - mean)
        off.append((counts.mean(0) - mean) / np.sqrt(variance / replicates))
    assert np.abs(off).max() < 4
    assert 0.5 < np.square(off).mean() < 1.6


@pytest.mark.parametrize("name", RULES)
def test_a_rule_runs_in_the_engine_and_keeps_its_individuals(name):
    made = process(name, games.rock_paper_scissors(win=1.5).payoff(), size=30, mu=0.1)
    runs = jc.simulate(made, steps=20, populations=16, seed=1)
    np.testing.assert_allclose(runs.frequency.sum("strategy"), 1, rtol=1e-6)
    assert runs.frequency.std() > 0.05


@pytest.mark.parametrize("name", ["pairwise-comparison", "moran-death-birth", "local-update", "wright-fisher"])
@pytest.mark.slow
def test_a_group_game_is_played_by_rules_of_every_kind(name):
    class Threshold(games.GroupGame, name="test-threshold"):
        strategies = ("C", "D")

        def group_payoff(self, others):
            return jnp.stack([jnp.where(others[0] >= 1, 1.0, 0.0) - 0.3, jnp.where(others[0] >= 2, 1.0, 0.0)])

    rule, own = RULES[name]
    made = rule(Threshold(group=4), mu=0.1, size=9, **own)
    counts = np.array([4, 5])
    groups = list(itertools.combinations(range(8), 3))
    earned = []
    for focal in range(2):
        rest = [0] * (4 - (focal == 0)) + [1] * (5 - (focal == 1))
        others = [sum(rest[i] == 0 for i in group) for group in groups]
        earned.append(np.mean([(k >= 1) - 0.3 if focal == 0 else float(k >= 2) for k in others]))
    np.testing.assert_allclose(made.game.payoffs_among(jnp.asarray(counts)), earned, rtol=1e-5)
    chain = exact.chain(made)
    assert np.isfinite(evolution.full_stationary_distribution(chain)).all()
    assert jc.simulate(made, steps=3, populations=4, seed=0).frequency.notnull().all()


def test_rare_outcomes_keep_their_probability():
    """A float32 sum near one has steps of 6e-8: the likeliest outcome takes the rest, wherever it stands."""
    coins = (jnp.arange(1000, dtype=jnp.float32) + 0.5) * 2.0**-32
    rows = jnp.array([1 - 2e-7, 1e-7, 1e-7])
    for shift in range(3):
        turned = jnp.roll(rows, shift)
        drawn = evolution.process.choose(jnp.broadcast_to(turned, (1000, 3)), coins)
        expected = sorted((np.array([1, 2]) + shift) % 3)
        edge = int(np.ceil(1e-7 * 2**32 - 0.5))
        np.testing.assert_array_equal(
            drawn, [expected[0]] * edge + [expected[1]] * (859 - edge) + [shift] * (1000 - 859)
        )


# Refusals


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"size": 1}, "size = 1: out of range; allowed: 2 to"),
        ({"beta": -1.0}, r"beta = -1\.0: out of range; allowed: at least 0"),
        ({"mu": 1.5}, r"mu = 1\.5: out of range; allowed: 0 to 1"),
        ({"fitness": "linaer"}, "fitness = 'linaer'.*did you mean 'linear'"),
        ({"fitness": "linear", "beta": 1.5}, r"beta = 1\.5: at most 1 with linear fitness"),
        ({"fitness": "linear", "beta": 0.9}, r"beta = 0\.9: payoff -5 makes linear fitness negative"),
        ({"game": games.bimatrix_game()}, "a game is needed"),
    ],
)
def test_a_wrong_argument_is_refused_in_one_line(values, message):
    with pytest.raises(ParameterError, match=message) as refusal:
        evolution.MoranBirthDeath(**({"game": games.matrix_game([[1.0, 0.0], [-5.0, 1.0]])} | values))
    assert "\n" not in str(refusal.value)


def test_a_kernel_that_is_none_is_refused():
    with pytest.raises(ParameterError, match=r"rows\[1\] sums to 0\.9: 1 is needed"):
        evolution.mutation_kernel([[0.5, 0.5], [0.4, 0.5]])
    with pytest.raises(ParameterError, match="the game has 2 strategies"):
        evolution.mutation_kernel(np.eye(3)).matrix(2)
