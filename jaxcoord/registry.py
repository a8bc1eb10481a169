"""Names of components: filled when a class is defined, and by the entry points `jaxcoord.models` of other packages."""

from __future__ import annotations

import importlib
from importlib.metadata import entry_points
from typing import Any

from jaxcoord.errors import ParameterError, nearest

_SYSTEMS = ("networks", "games", "evolution", "identity", "exploration", "market", "language")
BUILT_IN = tuple(f"jaxcoord.{system}" for system in _SYSTEMS)
_components: dict[str, type] = {}


def register(name: str, cls: type) -> None:
    """Enter a component class. A name of the library itself cannot be taken by another package."""
    held = _components.get(name)
    if held is not None and held.__module__.startswith("jaxcoord.") and held.__module__ != cls.__module__:
        raise ParameterError(f"{cls.__module__}.{cls.__qualname__}: the name {name!r} belongs to {held.__module__}")
    _components[name] = cls


def load() -> None:
    """Import the library's own systems and whatever other packages register as `jaxcoord.models`."""
    for module in BUILT_IN:
        importlib.import_module(module)
    for entry in entry_points(group="jaxcoord.models"):
        entry.load()


def names(base: type) -> list[str]:
    """Registered names of the subclasses of `base`, sorted."""
    load()
    return sorted(name for name, cls in _components.items() if issubclass(cls, base))


def find(name: Any, base: type, where: str) -> type:
    """The class registered under `name`.

    Raises: ParameterError with the nearest name where there is none; `where` says which field asked.
    """
    load()
    allowed = names(base)
    if not isinstance(name, str) or name not in allowed:
        raise ParameterError(f"{where} = {name!r}: unknown {base.__name__.lower()}{nearest(str(name), allowed)}")
    return _components[name]
