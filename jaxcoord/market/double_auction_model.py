"""A market day after day: the double auction of zero-intelligence or ZIP traders as a population."""

from __future__ import annotations

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxcoord.errors import ParameterError
from jaxcoord.market.double_auction import (
    Book,
    Margins,
    empty_book,
    equilibrium,
    random_margins,
    zero_intelligence_period,
    zip_period,
)
from jaxcoord.model import Model, observable, param, static

Array = jax.Array
VALUES = [[128.0 - 30 * unit - 5 * trader for unit in range(4)] for trader in range(6)]
COSTS = [[10.0 + 30 * unit + 5 * trader for unit in range(4)] for trader in range(6)]


class Day(NamedTuple):
    """A market at the end of a day."""

    book: Book
    margins: Margins


class DoubleAuction(Model):
    """Buyers and sellers with limits for each of their units trade for a day, again and again; a step is a day.

    Random traders quote whole prices. `constrained` ones draw any price that makes them no loss, `unconstrained` ones
    any price at all (Gode & Sunder 1993): best quotes stand until improved. `zip` traders shout a price of limit and
    margin that lapses unless somebody takes it, and adapt the margin from day to day (Cliff 1997).
    """

    values: Any = param(VALUES, doc="worth of each unit to its buyer, in the order of trade; whole numbers",
                        unit="price", low=1, high=2**20, shape=("B", "K"))  # fmt: skip
    costs: Any = param(COSTS, doc="cost of each unit to its seller, in the order of trade; whole numbers",
                       unit="price", low=1, high=2**20, shape=("S", "L"))  # fmt: skip
    price_max: int = param(200, doc="the highest price", unit="price", low=1, high=2**20)
    traders: str = static("constrained", choices=("constrained", "unconstrained", "zip"), doc="how traders quote")
    quotes: int = static(3000, doc="quotes in a day", low=1, high=2**20)

    efficiency = observable(doc="gains from trade over the most that there are")
    trades = observable(doc="units traded", unit="units")
    price = observable(doc="mean price of the day; 0 without trade", unit="price")
    early_error = observable(doc="mean distance of prices from the equilibrium, first half of a day's trades",
                             unit="price")  # fmt: skip
    late_error = observable(doc="... second half, with the middle one of an odd number", unit="price")
    alpha = observable(doc="Smith's alpha: root mean square distance of prices from the equilibrium, over its price")

    def __post_init__(self):
        super().__post_init__()
        tables = self.values, self.costs
        if all(isinstance(table, np.ndarray) for table in tables) and isinstance(self.price_max, int):
            for name, table in zip(("values", "costs"), tables, strict=True):
                if (table != np.floor(table)).any() or table.max() > self.price_max:
                    wrong = table[(table != np.floor(table)) | (table > self.price_max)].flat[0]
                    raise ParameterError(
                        f"{self.registered_name}.{name} = {wrong:g}: whole numbers from 1 to price_max = "
                        f"{self.price_max} needed"
                    )
            most = (2**31 - 1) // (self.values.size + self.costs.size)
            if self.price_max > most:
                raise ParameterError(
                    f"{self.registered_name}.price_max = {self.price_max}: at most {most}, or gains of all units "
                    "outgrow whole numbers"
                )

    def limits(self) -> tuple[Array, Array]:
        """`[B + S, K]` whole limits, buyers first, and how many units each trader has `[B + S]`."""
        (buyers, bought), (sellers, sold) = self.values.shape, self.costs.shape
        most = max(bought, sold)
        table = jnp.concatenate([
            jnp.pad(jnp.asarray(self.values), ((0, 0), (0, most - bought)), constant_values=1),
            jnp.pad(jnp.asarray(self.costs), ((0, 0), (0, most - sold)), constant_values=1),
        ])  # fmt: skip
        return table.astype(jnp.int32), jnp.array([bought] * buyers + [sold] * sellers, jnp.int32)

    def init(self, key: Array) -> Day:
        """Before the first day: nothing traded."""
        buyers, sellers = len(self.values), len(self.costs)
        most = max(self.values.shape[1], self.costs.shape[1]) * max(buyers, sellers)
        return Day(empty_book(buyers, sellers, most), random_margins(key, buyers, sellers))

    def step(self, state: Day, key: Array) -> Day:
        limits, units = self.limits()
        buyers = len(self.values)
        if self.traders == "zip":
            return Day(*zip_period(key, state.margins, limits, units, buyers, self.price_max, self.quotes))
        constrained = self.traders == "constrained"
        book = zero_intelligence_period(key, limits, units, buyers, self.price_max, self.quotes, constrained)
        return Day(book, state.margins)

    def observe(self, state: Day) -> dict[str, Array]:
        low, high, _, gains = equilibrium(*self.limits(), len(self.values))
        prices = state.book.prices.astype(float)
        real = state.book.prices > 0
        count = real.sum()
        centre = (low + high) / 2
        distance = jnp.abs(prices - centre)
        early = real & (jnp.arange(len(prices)) < count // 2)
        late = real & ~early

        def mean(values, chosen):
            return jnp.where(chosen, values, 0).sum() / jnp.maximum(chosen.sum(), 1)

        return {
            "efficiency": state.book.gains / jnp.maximum(gains, 1).astype(prices.dtype),
            "trades": count.astype(prices.dtype),
            "price": mean(prices, real),
            "early_error": mean(distance, early),
            "late_error": mean(distance, late),
            "alpha": jnp.sqrt(mean(distance**2, real)) / centre,
        }

    @property
    def agents(self) -> int:
        """A day lets so many quotes arrive."""
        return self.quotes
