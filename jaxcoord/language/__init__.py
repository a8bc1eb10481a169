"""Language: communities that invent a code, measures of it, and how long people can still follow.

Codes and what they pass through: `world`, `channels`, `attacks`. Agents that learn: `agents` (Flax, imported when
used), `learning`. Measures of a language, a table of meanings and messages: `information`, `distance`, `structure`,
`efficiency`, `signalling`, `representation`, `cross_play`. What a reader makes of it: `comprehension` (one who knows
only the human protocol), `probes` and `description_length` (one who takes lessons), `monitoring` (one who watches for
change). Tables that learn, with closed forms: `lewis`, `urns`, `naming`, `language_evolution`, `error_limit`,
`bayesian`, `thresholds`. The models are here.
"""

from jaxcoord.language import (
    attacks,
    bayesian,
    channels,
    comprehension,
    cross_play,
    description_length,
    distance,
    efficiency,
    error_limit,
    information,
    learning,
    lewis,
    monitoring,
    naming,
    probes,
    representation,
    signalling,
    structure,
    thresholds,
    urns,
    world,
)
from jaxcoord.language.attacked import AttackedProtocol
from jaxcoord.language.coordination import MatrixCommunication
from jaxcoord.language.drift import LanguageDrift
from jaxcoord.language.embedding_exchange import EmbeddingExchange
from jaxcoord.language.language_evolution import LanguageEvolution
from jaxcoord.language.lewis_models import LewisReplicator
from jaxcoord.language.naming_model import NamingGame
from jaxcoord.language.referential import ReferentialGame
from jaxcoord.language.urns import RothErev

__all__ = [
    "AttackedProtocol",
    "EmbeddingExchange",
    "LanguageDrift",
    "LanguageEvolution",
    "LewisReplicator",
    "MatrixCommunication",
    "NamingGame",
    "ReferentialGame",
    "RothErev",
    "attacks",
    "bayesian",
    "channels",
    "comprehension",
    "cross_play",
    "description_length",
    "distance",
    "efficiency",
    "error_limit",
    "information",
    "learning",
    "lewis",
    "monitoring",
    "naming",
    "probes",
    "representation",
    "signalling",
    "structure",
    "thresholds",
    "urns",
    "world",
]
