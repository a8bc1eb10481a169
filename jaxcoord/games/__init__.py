"""Games: who earns what against whom."""

from jaxcoord.games.matrix import (
    Game,
    coordination,
    donation,
    game,
    hawk_dove,
    matrix_game,
    prisoners_dilemma,
    rock_paper_scissors,
    snowdrift,
    stag_hunt,
)
from jaxcoord.games.race import Thresholds, ai_race, race_payoff, race_thresholds, round_payoffs

__all__ = [
    "Game",
    "Thresholds",
    "ai_race",
    "coordination",
    "donation",
    "game",
    "hawk_dove",
    "matrix_game",
    "prisoners_dilemma",
    "race_payoff",
    "race_thresholds",
    "rock_paper_scissors",
    "round_payoffs",
    "snowdrift",
    "stag_hunt",
]
