"""Players who learn while they play a repeated game, and who may reckon with the other one learning as well."""

from jaxcoord.games.repeated.learning.consistent import (
    Network,
    consistent_network,
    inconsistency,
    network_updates,
)
from jaxcoord.games.repeated.learning.pair import LearningPair
from jaxcoord.games.repeated.learning.sampled import (
    dice_objective,
    outcome_rollouts,
    rollout_baseline,
    sampled_direction,
)
from jaxcoord.games.repeated.learning.shaping import (
    LEARNERS,
    anticipation_term,
    higher_order_direction,
    lola_direction,
    look_ahead_direction,
    naive_direction,
    shaping_term,
    stable_direction,
    symplectic_direction,
    updated,
)
from jaxcoord.games.repeated.learning.value import (
    STATES,
    discounted_values,
    outcome_probabilities,
    role_payoffs,
    tit_for_tat_shaped,
)

__all__ = [
    "LEARNERS",
    "STATES",
    "LearningPair",
    "Network",
    "anticipation_term",
    "consistent_network",
    "dice_objective",
    "discounted_values",
    "higher_order_direction",
    "inconsistency",
    "lola_direction",
    "look_ahead_direction",
    "naive_direction",
    "network_updates",
    "outcome_probabilities",
    "outcome_rollouts",
    "role_payoffs",
    "rollout_baseline",
    "sampled_direction",
    "shaping_term",
    "stable_direction",
    "symplectic_direction",
    "tit_for_tat_shaped",
    "updated",
]
