"""Strategies that look at the last round or two."""

from jaxcoord.games.repeated.automaton import Automaton, memory_one
from jaxcoord.games.repeated.library import strategy


@strategy("TitForTat", memory=1, source="Rapoport in Axelrod 1980")
def tit_for_tat() -> Automaton:
    """Cooperates first, then does what the other did."""
    return memory_one(1, 0, 1, 0)
