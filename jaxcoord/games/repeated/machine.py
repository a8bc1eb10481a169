"""Strategies of repeated games as functions over registers: for those that count too much for a table of states.

Registers are a few numbers or small arrays of fixed shape. JAX traces the functions, so that thousands of matches run
through them at once, beside automata.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

import jax
import jax.numpy as jnp

from jaxcoord.errors import ParameterError


@dataclass(frozen=True, eq=False)
class Machine:
    """A strategy of a repeated game with two actions that keeps registers. Made by `machine`."""

    start: Any
    """The registers before the first round: arrays in any tree of tuples, dicts and the like."""
    move: Callable[[Any], Any]
    """Registers to the probability that the player means to cooperate."""
    update: Callable[[Any, Any, Any], Any]
    """Registers, whether one cooperated, whether the other did, to the next registers."""
    stochastic: bool
    """Whether any move may be left to chance."""

    @property
    def cooperate(self) -> NoReturn:
        """Refused: there are no states to list. Raises: ParameterError."""
        raise ParameterError("strategy: registers have no table of states, which this needs; it can be played only")

    after = cooperate


def machine(
    start: Any, cooperate: Callable[[Any], Any], update: Callable[[Any, Any, Any], Any], *, stochastic: bool = True
) -> Machine:
    """A strategy from functions over registers, in JAX: what `from_function` is where a table would be too large.

    Args:
      start: the registers before the first round: numbers or arrays, or a tuple, a dict, ... of them.
      cooperate: registers to the probability to cooperate (a truth value serves).
      update: registers, whether one cooperated, whether the other did, to the next registers: the same tree of arrays
        of the same shapes, which keep their types. Moves are what was done and seen, after noise.
      stochastic: False promises that the probability is always 0 or 1, so that certain matches are played only once.
    Both functions see one match, without a batch axis. They are traced: where they would ask `if`, it is `jnp.where`.
    Raises: ParameterError where a function does not return what is said above.

    Example, one that never forgives a share of defections above a third:
      >>> import jax.numpy as jnp
      >>> strict = machine(
      ...     {"defections": 0, "rounds": 0},
      ...     lambda seen: 3 * seen["defections"] <= seen["rounds"],
      ...     lambda seen, own, other: {"defections": seen["defections"] + ~other, "rounds": seen["rounds"] + 1},
      ...     stochastic=False,
      ... )
      >>> from jaxcoord.games.repeated.meet import play
      >>> "".join("DC"[int(move)] for move in play(strict, "Alternator", turns=8).own[0])
      'CCDCDDDD'
    """
    start = jax.tree.map(jnp.asarray, start)
    flag = jax.ShapeDtypeStruct((), bool)
    chance = _shape("cooperate", cooperate, start)
    leaves = jax.tree.leaves(chance)
    if len(leaves) != 1 or leaves[0] is not chance or chance.shape:
        shapes = ", ".join(str(leaf.shape) for leaf in leaves)
        raise ParameterError(f"cooperate: returns {len(leaves)} arrays, shapes {shapes}; one probability is needed")
    after = _shape("update", update, start, flag, flag)
    given, returned = (str(jax.tree.structure(registers)) for registers in (start, after))
    if given != returned:
        raise ParameterError(f"update: returns {returned[10:-1]}; the registers are {given[10:-1]}")
    for (path, old), new in zip(jax.tree.leaves_with_path(start), jax.tree.leaves(after), strict=True):
        if old.shape != new.shape:
            name = jax.tree_util.keystr(path) or "it"
            raise ParameterError(f"update: {name} becomes of shape {new.shape}; a register keeps its own, {old.shape}")

    def kept(registers, own, other):
        return jax.tree.map(lambda old, new: jnp.asarray(new, old.dtype), start, update(registers, own, other))

    return Machine(start, cooperate, kept, stochastic)


def _shape(name: str, function: Callable, *arguments: Any) -> Any:
    try:
        return jax.eval_shape(function, *arguments)
    except jax.errors.JAXTypeError as error:
        first = str(error).partition("\n")[0].rstrip(".")
        raise ParameterError(f"{name}: asks for the value of a register, use jnp.where ({first})") from None
