"""Identity: agents that redefine each other, opinions, consensus that survives liars, and love under selection.

The mechanisms are modules of pure functions: `mirror`, `attention`, `capture`, `care`, `measures` of mutual
redefinition; `opinions`, `bounded_confidence`, `social_power`, `wisdom`; `aggregation`, `agreement`, `resilience`,
`robustness` of consensus among liars. The models are here.
"""

from jaxcoord.identity import (
    aggregation,
    agreement,
    attention,
    bounded_confidence,
    capture,
    care,
    measures,
    mirror,
    opinions,
    resilience,
    robustness,
    social_power,
    wisdom,
)
from jaxcoord.identity.bounded_confidence import BoundedConfidence
from jaxcoord.identity.culture import Culture
from jaxcoord.identity.love import LoveAndExploiters
from jaxcoord.identity.redefinition import MutualRedefinition, NetworkRedefinition
from jaxcoord.identity.resilience import ResilientConsensus
from jaxcoord.identity.server_room import ServerRoom
from jaxcoord.identity.social_influence import SocialInfluence
from jaxcoord.identity.social_power import SocialPower
from jaxcoord.identity.tags import Tags

__all__ = [
    "BoundedConfidence",
    "Culture",
    "LoveAndExploiters",
    "MutualRedefinition",
    "NetworkRedefinition",
    "ResilientConsensus",
    "ServerRoom",
    "SocialInfluence",
    "SocialPower",
    "Tags",
    "aggregation",
    "agreement",
    "attention",
    "bounded_confidence",
    "capture",
    "care",
    "measures",
    "mirror",
    "opinions",
    "resilience",
    "robustness",
    "social_power",
    "wisdom",
]
