"""Evolution: how strategies spread."""

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
from jaxcoord.evolution.pairwise import PairwiseComparison, fermi, pairwise_events
from jaxcoord.evolution.times import FixationTimes, fixation_times, gradient_of_selection

__all__ = [
    "Chain",
    "FixationTimes",
    "PairwiseComparison",
    "alpha_rank",
    "alpha_rank_infinite",
    "alpha_rank_profiles",
    "best_response",
    "bimatrix_replicator",
    "brown_von_neumann_nash",
    "compositions",
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
    "log_fixation_from",
    "log_fixation_probability",
    "logit",
    "pair_payoffs",
    "pairwise_events",
    "payoff_difference",
    "projection",
    "replicator",
    "replicator_mutator",
    "small_mutation_limit",
    "smith",
    "stationary_distribution",
    "stationary_from_log_rates",
]
