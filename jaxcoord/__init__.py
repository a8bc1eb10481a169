"""jaxcoord: thousands of agent populations at once, in JAX.

    >>> import jaxcoord as jc
    >>> model = jc.evolution.PairwiseComparison(game=jc.games.hawk_dove(v=1, c=2), size=100)
    >>> runs = jc.simulate(model, steps=100, populations=4, seed=0)

Names are imported when they are first used, so that `import jaxcoord` costs nothing.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

# On CPUs jaxlib 0.10.2 and 0.11.0 sum some products of float32 numbers wrongly, without a word, unless this fusion is
# off (jax-ml/jax issues 39103, 39257). XLA reads its flags when the first array is made.
_FUSION = "xla_cpu_experimental_ynn_fusion_type"
if _FUSION not in os.environ.get("XLA_FLAGS", ""):
    os.environ["XLA_FLAGS"] = f"{os.environ.get('XLA_FLAGS', '')} --{_FUSION}=".strip()

if TYPE_CHECKING:
    from jaxcoord import (
        engine,
        evolution,
        exploration,
        figures,
        games,
        identity,
        language,
        market,
        model,
        networks,
        random,
    )  # fmt: skip
    from jaxcoord.engine import Record, linspace, load, logspace, loguniform, simulate, sweep, uniform
    from jaxcoord.errors import ConfigError, Interrupted, JaxcoordError, ParameterError, StoreError
    from jaxcoord.figures import plot
    from jaxcoord.model import Component, Model, component, observable, param, static

_MODULES = (
    "engine",
    "evolution",
    "exploration",
    "figures",
    "games",
    "identity",
    "language",
    "market",
    "model",
    "networks",
    "random",
)
_NAMES = {
    "jaxcoord.engine": ("Record", "linspace", "load", "loguniform", "logspace", "simulate", "sweep", "uniform"),
    "jaxcoord.errors": ("ConfigError", "Interrupted", "JaxcoordError", "ParameterError", "StoreError"),
    "jaxcoord.figures": ("plot",),
    "jaxcoord.model": ("Component", "Model", "component", "observable", "param", "static"),
}
_HOME = {name: module for module, names in _NAMES.items() for name in names}
__all__ = sorted([*_MODULES, *_HOME])
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"jaxcoord.{name}")
    if name in _HOME:
        return getattr(importlib.import_module(_HOME[name]), name)
    raise AttributeError(f"module 'jaxcoord' has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
