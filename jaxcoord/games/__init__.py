"""Games: who earns what against whom."""

from jaxcoord.games.bimatrix import BimatrixGame, battle_of_the_sexes, bimatrix_game, matching_pennies
from jaxcoord.games.game import Game, MatrixGame, mean_payoffs
from jaxcoord.games.group_games import (
    collective_risk,
    defection_gain,
    n_player_stag_hunt,
    public_goods,
    voluntary_payoffs,
    voluntary_public_goods,
    voluntary_rest_point,
    volunteers_dilemma,
)
from jaxcoord.games.groups import GroupGame, group_compositions, hypergeometric_weights, multinomial_weights
from jaxcoord.games.matrix import (
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
from jaxcoord.games.punishment import mutual_aid, sanctioned_risk
from jaxcoord.games.race import Thresholds, ai_race, race_payoff, race_thresholds, round_payoffs
from jaxcoord.games.race_incentives import (
    commitment_payoff,
    punished_race,
    punishment_payoff,
    race_commitment,
    race_punishment,
    race_reward,
    reward_payoff,
)

__all__ = [
    "BimatrixGame",
    "Game",
    "GroupGame",
    "MatrixGame",
    "Thresholds",
    "ai_race",
    "battle_of_the_sexes",
    "bimatrix_game",
    "collective_risk",
    "commitment_payoff",
    "coordination",
    "defection_gain",
    "donation",
    "game",
    "group_compositions",
    "hawk_dove",
    "hypergeometric_weights",
    "matching_pennies",
    "matrix_game",
    "mean_payoffs",
    "multinomial_weights",
    "mutual_aid",
    "n_player_stag_hunt",
    "prisoners_dilemma",
    "public_goods",
    "punished_race",
    "punishment_payoff",
    "race_commitment",
    "race_payoff",
    "race_punishment",
    "race_reward",
    "race_thresholds",
    "reward_payoff",
    "rock_paper_scissors",
    "round_payoffs",
    "sanctioned_risk",
    "snowdrift",
    "stag_hunt",
    "voluntary_payoffs",
    "voluntary_public_goods",
    "voluntary_rest_point",
    "volunteers_dilemma",
]
