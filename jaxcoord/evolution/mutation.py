"""Where mutants go: to any other strategy alike, or by a kernel of one's own."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxcoord.errors import ParameterError
from jaxcoord.model import Component, param

Array = jax.Array


class Mutation(Component, abstract=True):
    """What an individual becomes when it mutates."""

    def matrix(self, strategies: int) -> Array:
        """`[S, S]`, rows summing to one: the probability that a mutant of the row strategy has the column strategy."""
        raise TypeError(f"{type(self).__name__}.matrix(self, strategies) is missing")


class uniform_mutation(Mutation):
    """A mutant takes one of the other strategies, each with the same probability."""

    def matrix(self, strategies: int) -> Array:
        return (1 - jnp.eye(strategies)) / max(strategies - 1, 1)


class mutation_kernel(Mutation):
    """A mutant takes a strategy by a matrix of probabilities."""

    rows: Any = param(
        [[0.0, 1.0], [1.0, 0.0]], doc="probability that a mutant of the row strategy has the column strategy",
        low=0, high=1, shape=("S", "S"),
    )  # fmt: skip

    def __post_init__(self):
        super().__post_init__()
        if isinstance(self.rows, np.ndarray) and not np.allclose(self.rows.sum(-1), 1, rtol=0, atol=1e-6):
            worst = int(np.argmax(np.abs(self.rows.sum(-1) - 1)))
            raise ParameterError(f"mutation-kernel.rows[{worst}] sums to {self.rows[worst].sum():g}: 1 is needed")

    def matrix(self, strategies: int) -> Array:
        rows = jnp.asarray(self.rows, float)
        if rows.shape != (strategies, strategies):
            raise ParameterError(f"mutation-kernel.rows: shape {rows.shape}; the game has {strategies} strategies")
        return rows
