"""Evolution: how strategies spread."""

from jaxcoord.evolution.fixation import (
    fixation_from,
    fixation_from_continuum,
    fixation_probability,
    log_fixation_probability,
    payoff_difference,
    small_mutation_limit,
    stationary_distribution,
    stationary_from_log_rates,
)
from jaxcoord.evolution.pairwise import PairwiseComparison, fermi, mean_payoffs, pairwise_events

__all__ = [
    "PairwiseComparison",
    "fermi",
    "fixation_from",
    "fixation_from_continuum",
    "fixation_probability",
    "log_fixation_probability",
    "mean_payoffs",
    "pairwise_events",
    "payoff_difference",
    "small_mutation_limit",
    "stationary_distribution",
    "stationary_from_log_rates",
]
