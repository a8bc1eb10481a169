"""Exploration: populations that search rugged landscapes and learn from each other."""

from jaxcoord.exploration.collective import CollectiveSearch, cyclic_landscape
from jaxcoord.exploration.landscape import (
    Landscape,
    all_fitness,
    crossover,
    distinct,
    fitness,
    global_maximum,
    hamming_diversity,
    local_optimum,
    nk_landscape,
)
from jaxcoord.exploration.march import Organization, OrganizationalLearning
from jaxcoord.exploration.search import NetworkSearch, Searchers

__all__ = [
    "CollectiveSearch",
    "Landscape",
    "NetworkSearch",
    "Organization",
    "OrganizationalLearning",
    "Searchers",
    "all_fitness",
    "crossover",
    "cyclic_landscape",
    "distinct",
    "fitness",
    "global_maximum",
    "hamming_diversity",
    "local_optimum",
    "nk_landscape",
]
