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
from jaxcoord.games.repeated.automaton import Automaton, automaton, from_function, memory_n, memory_one
from jaxcoord.games.repeated.exact import cooperation_rate, outcome_matrix, outcome_rates, payoff_matrix
from jaxcoord.games.repeated.fingerprint import ashlock_fingerprint, transitive_fingerprint
from jaxcoord.games.repeated.group_strategies import GroupAutomaton, all_or_none, majority, reciprocator
from jaxcoord.games.repeated.known_end import best_replies, best_reply, known_end, random_end, reply_chain, stopping
from jaxcoord.games.repeated.learning import LearningPair
from jaxcoord.games.repeated.library import Payoffs, Strategy, build, strategies
from jaxcoord.games.repeated.machine import Machine, machine
from jaxcoord.games.repeated.meet import Match, play
from jaxcoord.games.repeated.n_player import group_payoffs, play_groups, repeated_public_goods
from jaxcoord.games.repeated.tournament import ecology, tournament
from jaxcoord.games.repeated.zero_determinant import (
    Character,
    character,
    equalizer,
    extortionate,
    generous,
    zero_determinant,
)

__all__ = [
    "Automaton",
    "BimatrixGame",
    "Character",
    "Game",
    "GroupAutomaton",
    "GroupGame",
    "LearningPair",
    "Machine",
    "Match",
    "MatrixGame",
    "Payoffs",
    "Strategy",
    "Thresholds",
    "ai_race",
    "all_or_none",
    "ashlock_fingerprint",
    "automaton",
    "battle_of_the_sexes",
    "best_replies",
    "best_reply",
    "bimatrix_game",
    "build",
    "character",
    "collective_risk",
    "commitment_payoff",
    "cooperation_rate",
    "coordination",
    "defection_gain",
    "donation",
    "ecology",
    "equalizer",
    "extortionate",
    "from_function",
    "game",
    "generous",
    "group_compositions",
    "group_payoffs",
    "hawk_dove",
    "hypergeometric_weights",
    "known_end",
    "machine",
    "majority",
    "matching_pennies",
    "matrix_game",
    "mean_payoffs",
    "memory_n",
    "memory_one",
    "multinomial_weights",
    "mutual_aid",
    "n_player_stag_hunt",
    "outcome_matrix",
    "outcome_rates",
    "payoff_matrix",
    "play",
    "play_groups",
    "prisoners_dilemma",
    "public_goods",
    "punished_race",
    "punishment_payoff",
    "race_commitment",
    "race_payoff",
    "race_punishment",
    "race_reward",
    "race_thresholds",
    "random_end",
    "reciprocator",
    "repeated_public_goods",
    "reply_chain",
    "reward_payoff",
    "rock_paper_scissors",
    "round_payoffs",
    "sanctioned_risk",
    "snowdrift",
    "stag_hunt",
    "stopping",
    "strategies",
    "tournament",
    "transitive_fingerprint",
    "voluntary_payoffs",
    "voluntary_public_goods",
    "voluntary_rest_point",
    "volunteers_dilemma",
    "zero_determinant",
]
