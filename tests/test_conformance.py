"""Every model has every property, and the harness finds a model that lacks one."""

import jax
import jax.numpy as jnp
import pytest

import jaxcoord as jc
from jaxcoord.engine import conformance
from jaxcoord.networks import ErdosRenyi, Lattice, Ring


class Logistic(jc.Model, name="test-logistic"):
    """The logistic map from a random start."""

    growth: float = jc.param(2.5, doc="growth rate", low=0, high=4)
    x = jc.observable(doc="population")

    def init(self, key):
        return jax.random.uniform(key)

    def step(self, state, key):
        return self.growth * state * (1 - state)

    def observe(self, state):
        return {"x": state}


MODELS = {
    "pairwise-comparison": jc.evolution.PairwiseComparison(events=5),
    "pairwise-comparison, three strategies": jc.evolution.PairwiseComparison(
        jc.games.rock_paper_scissors(), size=30, events=5
    ),
    "pairwise-comparison, ai race": jc.evolution.PairwiseComparison(jc.games.ai_race(), beta=0.01, events=5),
    "pairwise-comparison, kernel": jc.evolution.PairwiseComparison(
        jc.games.rock_paper_scissors(), size=12, events=3, kernel=jc.evolution.mutation_kernel([[0, 1, 0]] * 3)
    ),
    "moran-birth-death": jc.evolution.MoranBirthDeath(size=20, events=2),
    "moran-death-birth": jc.evolution.MoranDeathBirth(size=20, events=2, fitness="linear", beta=0.1),
    "local-update": jc.evolution.LocalUpdate(size=20, events=2),
    "wright-fisher": jc.evolution.WrightFisher(size=20),
    "imitate-the-best": jc.evolution.ImitateTheBest(size=20),
    "two-populations": jc.evolution.TwoPopulations(rows=10, columns=12, events=2),
    "agent-imitation": jc.evolution.AgentImitation(size=20, encounters=2),
    "infinite-population": jc.evolution.InfinitePopulation(jc.games.rock_paper_scissors()),
    "infinite-population, logit": jc.evolution.InfinitePopulation(dynamic=jc.evolution.Logit(), method="euler"),
    "learning-pair": jc.games.LearningPair(learner="naive-sampled", optimiser="adam", rounds=4, matches=4),
    "mutation-selection": jc.evolution.MutationSelection(mu=0.3, generations=4, slots=4),
    "network-search": jc.exploration.NetworkSearch(Ring(), confusion=0.1, humour=0.1, size=12, bits=8, interactions=2),
    "network-search, random": jc.exploration.NetworkSearch(ErdosRenyi(), size=12, bits=8, interactions=2),
    "organizational-learning": jc.exploration.OrganizationalLearning(size=10),
    "tags": jc.identity.Tags(size=20),
    "culture": jc.identity.Culture(Lattice(rows=4), size=20),
    "server-room": jc.identity.ServerRoom(),
    "resilient-consensus": jc.identity.ResilientConsensus(size=12),
    "bounded-confidence": jc.identity.BoundedConfidence(size=20),
    "bounded-confidence, pairs": jc.identity.BoundedConfidence(size=20, meeting="pairs", start="random"),
    "social-influence": jc.identity.SocialInfluence(size=20, theta=0.2, foes=0.3),
    "social-power": jc.identity.SocialPower(),
    "mutual-redefinition": jc.identity.MutualRedefinition(size=6),
    "mutual-redefinition, consent": jc.identity.MutualRedefinition(
        size=6, dimensions=2, captors=1, kernel="confidence", consent=True
    ),
    "mutual-redefinition, understanding": jc.identity.MutualRedefinition(
        size=6, kernel="understanding", speed=0.5, noise=0.1, misread=True
    ),
    "network-redefinition": jc.identity.NetworkRedefinition(size=30, captors=2),
    "love-and-exploiters": jc.identity.LoveAndExploiters(
        size=6, exploiters=0.2, mimics=0.1, mu=0.1, humour=0.1, consent=0.5, entanglement=0.2, settling=1, rounds=2
    ),
    "compute-economy": jc.market.ComputeEconomy(size=20, issuers=3),
    "lewis-replicator": jc.language.LewisReplicator([0.6, 0.4], background=1.0),
    "lewis-replicator, one population": jc.language.LewisReplicator(
        [0.5, 0.3, 0.2], dynamics="one-population", mutation=0.01
    ),
    "lewis-replicator, behavioural": jc.language.LewisReplicator([0.5, 0.3, 0.2], dynamics="behavioural", signals=3),
    "roth-erev": jc.language.RothErev(plays=5),
    "naming-game": jc.language.NamingGame(0.5, size=6, events=5),
    "language-evolution": jc.language.LanguageEvolution(size=10, samples=2, similarity=0.1),
    "language-evolution, random": jc.language.LanguageEvolution(size=10, parent="random"),
    "collective-search": jc.exploration.CollectiveSearch(
        Ring(), copy_noise=0.1, search_noise=0.1, size=10, bits=6, interactions=2
    ),
    "collective-search, shared": jc.exploration.CollectiveSearch(
        copy_noise=0.1, rule="always-adopt", mishearing="shared", size=10, bits=6, interactions=2
    ),
    "referential-game": jc.language.ReferentialGame(
        turnover=2,
        noise=0.1,
        values=3,
        vocabulary=5,
        length=2,
        pairs=2,
        held_out=2,
        hidden=4,
        embedding=2,
        batch=4,
        updates=2,
    ),
    "language-drift": jc.language.LanguageDrift(
        caps=[2, 1],
        caps_from=[0, 1],
        turnover=2,
        attributes=1,
        values=3,
        vocabulary=6,
        length=2,
        hidden=4,
        embedding=2,
        school=2,
        updates=2,
        lessons=1,
    ),
    "matrix-communication": jc.language.MatrixCommunication(acts=2, symbols=2, hidden=3, batch=4, updates=1),
    "embedding-exchange": jc.language.EmbeddingExchange(meanings=3, dimensions=2, samples=1, school=1, updates=1),
    "attacked-protocol": jc.language.AttackedProtocol(
        rate=0.5, change=0.5, threshold=0, attack="spoof", tag_bits=1, slots=8, window=2, states=3
    ),
    "compute-economy, everything": jc.market.ComputeEconomy(
        size=20,
        issuers=3,
        credits=10_000,
        futures=True,
        settlement="physical",
        memory="accord",
        wind_down=True,
        pages=100,
        maturity=3,
        hedge=3.0,
    ),
    "interbank-contagion": jc.market.InterbankContagion(banks=40, places=20),
    "herding": jc.market.Herding(traders=60),
    "wealth-exchange": jc.market.WealthExchange(size=20),
    "wealth-exchange, in turn": jc.market.WealthExchange(rule="give-in-turn", mean=1, size=20),
    "wealth-exchange, one by one": jc.market.WealthExchange(rule="give-one-by-one", mean=1, size=20),
    "credit-exchange": jc.market.CreditExchange(size=20),
    "double-auction": jc.market.DoubleAuction(quotes=40),
    "double-auction, zip": jc.market.DoubleAuction(traders="zip", quotes=40),
    "common-pool": jc.market.CommonPool(audit=0.2, fine=5.0),
    "renewable-pool": jc.market.RenewablePool(),
    "leverage-cycle": jc.market.LeverageCycle(),
    "search-money": jc.market.SearchMoney(third=10),
    "logistic": Logistic(),
}


# These compile the model anew; in a quick run a few models stand for the others.
LONG = ("finite", "jit_is_no_jit", "one_trace", "vmap_is_loop", "layouts", "resume")
FEW = ("pairwise-comparison", "wright-fisher", "infinite-population", "tags", "logistic")


def cases():
    for name in MODELS:
        for proves in conformance.PROPERTIES:
            long = proves in LONG and name not in FEW
            yield pytest.param(name, proves, marks=pytest.mark.slow if long else (), id=f"{name}-{proves}")


@pytest.mark.parametrize(("name", "proves"), list(cases()))
def test_model_has_property(name, proves):
    conformance.PROPERTIES[proves](MODELS[name])


def test_every_registered_model_is_listed():
    from jaxcoord import registry

    ours = [n for n in registry.names(jc.Model) if registry.find(n, jc.Model, "").__module__.startswith("jaxcoord.")]
    assert set(ours) <= {model.registered_name for model in MODELS.values()}


def test_gradient_of_a_smooth_model():
    conformance.gradient(Logistic(), "growth", "x")


class GrowsState(Logistic, name="test-grows-state"):
    def step(self, state, key):
        return jnp.stack([state, state])


class WrongNames(Logistic, name="test-wrong-names"):
    def observe(self, state):
        return {"y": state}


class Explodes(Logistic, name="test-explodes"):
    def step(self, state, key):
        return state / 0.0


class ReadsAClock(Logistic, name="test-reads-a-clock"):
    calls = [0]

    def step(self, state, key):
        self.calls[0] += 1
        return state + self.calls[0]


class Rounds(Logistic, name="test-rounds"):
    """Its gradient is zero though its value moves."""

    def step(self, state, key):
        return state + jax.lax.stop_gradient(self.growth)


@pytest.mark.parametrize(
    ("model", "proves"),
    [(GrowsState(), "shapes"), (WrongNames(), "shapes"), (Explodes(), "finite"), (ReadsAClock(), "jit_is_no_jit")],
)
def test_harness_finds_the_fault(model, proves):
    with pytest.raises(jc.JaxcoordError):
        conformance.PROPERTIES[proves](model)


def test_harness_names_what_fails():
    with pytest.raises(conformance.ConformanceError, match=r"test-explodes: finite: .*state"):
        conformance.check(Explodes())


def test_harness_finds_a_wrong_gradient():
    with pytest.raises(conformance.ConformanceError, match="by difference"):
        conformance.gradient(Rounds(), "growth", "x")


@pytest.mark.parametrize("wide", [False, True])
def test_a_step_keeps_the_types_of_the_state(wide):
    """In single and in double precision, of every model; traced only."""
    types = lambda tree: jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), tree)  # noqa: E731
    with jax.enable_x64(wide):
        key = jax.random.key(0)
        for name, model in MODELS.items():
            state = jax.eval_shape(model.init, key)
            assert types(jax.eval_shape(model.step, state, key)) == types(state), name
