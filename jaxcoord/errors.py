"""The errors that a person meets: one line each, with the field, the value, what is allowed and the nearest name."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence


class JaxcoordError(Exception):
    """Base of every error that jaxcoord raises on purpose; the command line prints it and exits with 2."""


class ParameterError(JaxcoordError, ValueError):
    """A parameter, a setting or a name that is not allowed."""


class ConfigError(JaxcoordError, ValueError):
    """A configuration with one or several faults, all of them in `problems`."""

    def __init__(self, problems: Sequence[str], source: str = "config"):
        self.problems = list(problems)
        super().__init__("\n".join(f"{source}: {problem}" for problem in self.problems))


class StoreError(JaxcoordError, OSError):
    """A run on disk that cannot be read, written or continued; what was committed to it is safe."""


class Interrupted(JaxcoordError):
    """A run that was asked to stop and has committed what it had; the same command continues it."""


def nearest(name: str, allowed: Iterable[str]) -> str:
    """`; did you mean 'x'?` for the closest allowed name, or the list of allowed names when none is close."""
    names = sorted(allowed)
    close = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; allowed: {', '.join(names)}" if names else ""
