"""Evolution: how strategies spread."""

from jaxcoord.evolution import exact
from jaxcoord.evolution.agents import AgentImitation, Agents
from jaxcoord.evolution.alpha_rank import alpha_rank, alpha_rank_infinite, alpha_rank_profiles
from jaxcoord.evolution.chain import Chain, compositions, fermi_chain, full_stationary_distribution
from jaxcoord.evolution.dynamics import (
    best_response,
    bimatrix_replicator,
    brown_von_neumann_nash,
    group_payoffs,
    logit,
    projection,
    replicator,
    replicator_mutator,
    smith,
)
from jaxcoord.evolution.fixation import (
    fermi_rates,
    fixation_from,
    fixation_from_continuum,
    fixation_probability,
    log_fixation_from,
    log_fixation_probability,
    pair_payoffs,
    payoff_difference,
    small_mutation_limit,
    stationary_distribution,
    stationary_from_log_rates,
)
from jaxcoord.evolution.imitation import ImitateTheBest, LocalUpdate, meeting, pairwise_copying
from jaxcoord.evolution.mutation import Mutation, mutation_kernel, uniform_mutation
from jaxcoord.evolution.pairwise import PairwiseComparison, fermi, pairwise_events
from jaxcoord.evolution.process import EventProcess, FinitePopulation, GenerationProcess
from jaxcoord.evolution.reproduction import MoranBirthDeath, MoranDeathBirth, WrightFisher, log_fitness, offspring
from jaxcoord.evolution.times import FixationTimes, fixation_times, gradient_of_selection, times_from_log_rates
from jaxcoord.evolution.two_populations import Roles, TwoPopulations, two_population_chain

__all__ = [
    "AgentImitation",
    "Agents",
    "Chain",
    "EventProcess",
    "FinitePopulation",
    "FixationTimes",
    "GenerationProcess",
    "ImitateTheBest",
    "LocalUpdate",
    "MoranBirthDeath",
    "MoranDeathBirth",
    "Mutation",
    "PairwiseComparison",
    "Roles",
    "TwoPopulations",
    "WrightFisher",
    "alpha_rank",
    "alpha_rank_infinite",
    "alpha_rank_profiles",
    "best_response",
    "bimatrix_replicator",
    "brown_von_neumann_nash",
    "compositions",
    "exact",
    "fermi",
    "fermi_chain",
    "fermi_rates",
    "fixation_from",
    "fixation_from_continuum",
    "fixation_probability",
    "fixation_times",
    "full_stationary_distribution",
    "gradient_of_selection",
    "group_payoffs",
    "log_fitness",
    "log_fixation_from",
    "log_fixation_probability",
    "logit",
    "meeting",
    "mutation_kernel",
    "offspring",
    "pair_payoffs",
    "pairwise_copying",
    "pairwise_events",
    "payoff_difference",
    "projection",
    "replicator",
    "replicator_mutator",
    "small_mutation_limit",
    "smith",
    "stationary_distribution",
    "stationary_from_log_rates",
    "times_from_log_rates",
    "two_population_chain",
    "uniform_mutation",
]
