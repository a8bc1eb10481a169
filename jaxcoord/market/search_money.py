"""Money as what others accept: which goods circulate where agents meet at random and barter (Kiyotaki & Wright 1989).

Type i consumes good i and produces good i + 1 (type 3: good 1) as soon as it has consumed. Nobody meets whoever has
what it wants and wants what it has, so that some good must be taken to be handed on. Goods cost more to store the
higher their number. In Model A type 2 takes good 1 for its good 3: good 1 is money. If type 1 speculates it also takes
good 3, dearer to store but easier to sell.
"""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from jaxcoord import random
from jaxcoord.market.money import random_pairs
from jaxcoord.model import Model, observable, static

Array = jax.Array
STRATEGIES = ("fundamental", "speculative")
SWEEPS = 400


def accepts(strategy: str) -> Array:
    """`[3, 3, 3]` bool: whether type i that holds good j takes good k.

    Everybody takes what it consumes. Beyond that it takes what is cheaper to store than what it holds, and, where it
    speculates, type 1 takes good 3 for good 2 and keeps it.
    """
    kind, held, offered = np.indices((3, 3, 3))
    takes = (offered == kind) | ((offered < held) & (held != kind))
    if strategy == "speculative":
        takes[0, 1, 2], takes[0, 2, 1] = True, False
    return jnp.asarray(takes & (offered != held))


def after_trade(kind: Array, good: Array) -> Array:
    """What a type holds once it has this good: it consumes its own, and produces the next."""
    return jnp.where(good == kind, (kind + 1) % 3, good)


def inventory_shares(strategy: str) -> Array:
    """`[3, 3]` share of each type (row) that holds each good in the long run, for many agents and equal types.

    The mean of what a random meeting does to the shares, iterated from everybody's own product.
    Closed form of the share that holds its own product: 1, 1/2, 1 (fundamental); sqrt(1/2), sqrt(2) - 1, 1
    (speculative).
    Source: Kiyotaki & Wright 1989, theorem 1 and section IV.
    """
    takes = accepts(strategy).astype(float)
    # [i, j, l, k]: type i with good j and type l with good k both agree to trade.
    agree = jnp.einsum("ijk,lkj->ijlk", takes, takes)
    kind = np.arange(3)[:, None]
    becomes = jax.nn.one_hot(after_trade(jnp.asarray(kind), jnp.arange(3)), 3)  # [i, k, held after]

    def meet(_: int, shares: Array) -> Array:
        got = jnp.einsum("ij,ijlk,lk->ijk", shares, agree, shares) / 3
        return shares - got.sum(2) + jnp.einsum("ijk,ikm->im", got, becomes)

    start = jax.nn.one_hot((jnp.arange(3) + 1) % 3, 3)
    return jax.lax.fori_loop(0, SWEEPS, meet, start)


def meet(holdings: Array, kinds: Array, first: Array, second: Array, takes: Array) -> tuple[Array, Array]:
    """Pairs meet, and exchange their goods where both want to; who gets what it consumes does, and produces.

    Args: `holdings [N]` goods 0 to 2; `kinds [N]` types 0 to 2; `first`, `second`: `[K]` the pairs; `takes`: see
      `accepts`.
    Returns: holdings `[N]`, and `[3]` how often each good was taken by somebody who does not consume it.
    """
    mine, theirs = holdings[first], holdings[second]
    one, other = kinds[first], kinds[second]
    # One number for type and both goods: a small table is read once.
    table = takes.ravel()
    trade = table[one * 9 + mine * 3 + theirs] & table[other * 9 + theirs * 3 + mine]
    goods = jnp.arange(3)[:, None]
    indirect = (trade & (theirs != one) & (theirs == goods)).sum(1) + (trade & (mine != other) & (mine == goods)).sum(1)
    holdings = holdings.at[first].set(jnp.where(trade, after_trade(one, theirs), mine))
    return holdings.at[second].set(jnp.where(trade, after_trade(other, mine), theirs)), indirect


class SearchMoney(Model):
    """Three types of agents in equal numbers who meet at random and barter; in a step everybody meets one other.

    Source: Kiyotaki & Wright 1989, Model A.
    """

    strategy: str = static("fundamental", choices=STRATEGIES, doc="whether type 1 speculates on good 3")
    third: int = static(200, doc="agents of each type", unit="individuals", low=1, high=2**22)

    own_product = observable(dims=("type",), doc="share of each type that holds the good it produces")
    medium = observable(dims=("good",), doc="share of agents who took each good in the last step to hand it on")

    def init(self, key: Array) -> tuple[Array, Array]:
        """`[N]` what each holds, its own product, and `[3]` media of exchange, none yet."""
        return (self.kinds() + 1) % 3, jnp.zeros(3, jnp.int32)

    def kinds(self) -> Array:
        """`[N]` type of each, 0 to 2."""
        return jnp.repeat(jnp.arange(3, dtype=jnp.int32), self.third)

    def step(self, state: tuple[Array, Array], key: Array) -> tuple[Array, Array]:
        first, second = random_pairs(random.seeds(key), self.agents)
        holdings, indirect = meet(state[0], self.kinds(), first, second, accepts(self.strategy))
        return holdings, indirect.astype(jnp.int32)

    def observe(self, state: tuple[Array, Array]) -> dict[str, Array]:
        own = (state[0] == (self.kinds() + 1) % 3).reshape(3, self.third)
        return {"own_product": own.mean(1, dtype=float), "medium": state[1] / float(self.agents)}

    def coords(self) -> dict[str, tuple[int, ...]]:
        """Types and goods are numbered from 1, as in the paper."""
        return {"type": (1, 2, 3), "good": (1, 2, 3)}

    @property
    def agents(self) -> int:
        """Everybody meets somebody in a step."""
        return 3 * self.third
