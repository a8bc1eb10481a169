"""Who owes whom: the networks whose shape decides how far a loss travels, and sparse random ones.

The shapes are those of Acemoglu, Ozdaglar & Tahbaz-Salehi 2015: every bank owes the same in all, and is owed the same.
The random ones are drawn as lists, N times the mean degree numbers where a matrix would need N^2.
"""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxcoord.errors import ParameterError, nearest
from jaxcoord.market import checks
from jaxcoord.networks.graph import Graph, listed, whole

Array = jax.Array
SHAPES = ("ring", "complete", "two-cliques", "mixture")


def interbank_network(shape: str, banks: int, owed: Any) -> Array:
    """Liabilities `[N, N]` of banks that each owe as much in all.

    ring: i owes all to i + 1. complete: an equal part to everybody. two-cliques: halves, each complete within.
    mixture: half of a ring and half of a complete network.

    Args: `shape`; `banks` N, at least 2, and 4 and even for two cliques; `owed` y by each, money, at least 0.
    Raises: ParameterError for an unknown shape, or banks that do not fit it.
    Source: Acemoglu, Ozdaglar & Tahbaz-Salehi 2015, American Economic Review 105:564, section II.
    """
    if shape not in SHAPES:
        raise ParameterError(f"shape = {shape!r}: one of {', '.join(map(repr, SHAPES))}{nearest(str(shape), SHAPES)}")
    banks = whole("banks", banks, 2)
    owed = checks.within("owed", owed, 0, np.inf, "a finite amount of at least 0 is needed")
    ring = np.roll(np.eye(banks), 1, 1)
    complete = (1 - np.eye(banks)) / (banks - 1)
    if shape == "two-cliques":
        half = banks // 2
        if banks % 2 or half < 2:
            raise ParameterError(f"banks = {banks}: two cliques need an even number of at least 4")
        return owed * np.kron(np.eye(2), (1 - np.eye(half)) / (half - 1))
    return owed * {"ring": ring, "complete": complete, "mixture": (ring + complete) / 2}[shape]


def shock_threshold(banks: Any, slack: Any) -> Array:
    """epsilon* = n (a - v): a larger loss of one bank exceeds what all of them together can spare.

    Args: `banks` n; `slack` a - v, what a bank earns beyond its senior debts, money.
    Source: Acemoglu, Ozdaglar & Tahbaz-Salehi 2015, propositions 4 and 6.
    """
    return jnp.asarray(banks) * jnp.asarray(slack, float)


def liability_threshold(banks: Any, slack: Any) -> Array:
    """y* = (n - 1) (a - v): with larger debts between banks a large loss reaches all of a ring or complete network.

    Args, source: as in `shock_threshold`.
    """
    return (jnp.asarray(banks) - 1) * jnp.asarray(slack, float)


def after_loss(assets: Any, senior: Any, loss: Any) -> tuple[Array, Array]:
    """Outside assets and senior debts `[N]` after a loss; what exceeds the assets is owed, before anything else.

    Args: `[N]` or numbers, money: `assets`, `senior` debts, and the `loss` of each.
    """
    left = jnp.asarray(assets, float) - jnp.asarray(loss, float)
    return jnp.maximum(left, 0), jnp.asarray(senior, float) + jnp.maximum(-left, 0)


def places_for(degree: float) -> int:
    """Places for neighbours that a node of a Poisson graph outgrows once in 10^8 nodes or less: z + 6 sqrt(z) + 8."""
    return math.ceil(degree + 6 * math.sqrt(degree) + 8)


def _steps(key: Array, nodes: int, degree: Any, places: int) -> Array:
    # Where the successes of Bernoulli trials lie, 1, 2, ...: sums of geometric gaps. Sparse, and yet exact.
    chance = jnp.clip(jnp.asarray(degree, float) / max(nodes - 1, 1), 0, 1)
    uniform = 1 - jax.random.uniform(key, (nodes, places), jnp.float32)  # in (0, 1]
    gaps = jnp.floor(jnp.log(uniform) / jnp.log1p(-chance).astype(jnp.float32)) + 1
    # Past the last node there is nothing to count, and floats of this size are whole.
    gaps = jnp.where(chance > 0, jnp.minimum(gaps, nodes), nodes).astype(jnp.int32)
    return jnp.cumsum(gaps, 1)


def random_claims(key: Array, banks: int, degree: Any, places: int) -> Graph:
    """A directed Poisson graph: every bank has lent to every other with probability z / (N - 1), independently.

    Args:
      banks: N; degree: z, the mean number of borrowers of a lender and of lenders of a borrower, 0 to N - 1.
      places: room for borrowers of one bank, at most N - 1 (see `places_for`); those beyond are dropped, and counted.
    Returns: a `Graph`, row i the borrowers of i.
    Source: Erdos & Renyi 1959, directed; drawn by geometric gaps, Batagelj & Brandes 2005.
    """
    banks, places = whole("banks", banks, 1), whole("places", places, 1)
    degree = checks.within("degree", degree, 0, banks - 1, f"a mean degree from 0 to {banks - 1} is needed")
    place = _steps(key, banks, degree, places)
    valid = place < banks
    own = jnp.arange(banks, dtype=jnp.int32)[:, None]
    others = place - 1  # 0 .. N - 2, which leaves the bank itself out
    dropped = (place[:, -1] < banks - 1).sum()
    return listed(others + (others >= own), valid, dropped)


def random_links(key: Array, agents: int, degree: Any, places: int) -> Graph:
    """An undirected Poisson graph: every pair is linked with probability c / (N - 1), independently.

    Args: `agents` N; `degree` c, mean number of links of an agent, 0 to N - 1; `places` as in `random_claims`.
    Returns: a `Graph`, row i those linked to i with a larger number: each pair stands once.
    Source: as in `random_claims`.
    """
    agents, places = whole("agents", agents, 1), whole("places", places, 1)
    degree = checks.within("degree", degree, 0, agents - 1, f"a mean degree from 0 to {agents - 1} is needed")
    other = jnp.arange(agents, dtype=jnp.int32)[:, None] + _steps(key, agents, degree, places)
    dropped = (other[:, -1] < agents - 1).sum()
    return listed(other, other < agents, dropped)
