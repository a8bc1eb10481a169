"""Speed of the compute market: the whole economy with either market, auctions, and money exchanged at random.

python scripts/bench_market.py        # prints the table
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

import jaxcoord as jc
from jaxcoord import random
from jaxcoord.engine.program import compiler_options
from jaxcoord.market.auction import call_auction
from jaxcoord.market.double_auction_model import DoubleAuction
from jaxcoord.market.economy import ComputeEconomy
from jaxcoord.market.money_models import CreditExchange, WealthExchange

REPEATS = 5
Row = dict[str, Any]


def row(what: str, value: float, unit: str, target: str = "", **more: Any) -> Row:
    """One measured number."""
    return {"what": what, "value": value, "unit": unit, "target": target} | more


def rates(model: Any, populations: int, steps: int) -> tuple[list[float], float]:
    """Millions of agent-steps per second of some runs of the engine after compiling, and the time of compiling."""
    found, compiling = [], []
    for _ in range(REPEATS):
        data = jc.simulate(model, steps, populations, record=jc.Record(every=steps), progress=False)
        found.append(populations * steps * model.agents / data.seconds / 1e6)
        compiling.append(data.compile_seconds)
    return found, statistics.median(compiling)


def measured(model: Any, populations: int, steps: int, what: str, unit: str, target: str = "") -> Row:
    """The rate of a model, the median of some runs."""
    found, compiling = rates(model, populations, steps)
    return row(what, statistics.median(found), unit, target, all=[round(r, 2) for r in found], compile_s=compiling)


def economy(populations: int = 1000, steps: int = 100) -> list[Row]:
    """The engine's run of the whole economy with either market, and the time that compiling its step takes."""
    rows = []
    for market, target in (("exchange", ">= 5"), ("auction", ">= 1")):
        what = f"economy, {populations} populations, n=128, m=8, {market}"
        model = ComputeEconomy(size=128, issuers=8, market=market)
        rows.append(measured(model, populations, steps, what, "M agent-steps/s", target))
        rows.append(row(f"... compile, {market}", rows[-1]["compile_s"], "s", "< 15"))
    return rows


def call_auctions(populations: int = 256, size: int = 128, rounds: int = 50) -> list[Row]:
    """Orders per second of random books of 128 bids and 128 asks, cleared one after the other in a compiled loop."""

    def books(key: jax.Array) -> tuple[jax.Array, ...]:
        counter = jnp.arange(4 * size, dtype=jnp.uint32).reshape(4, size)
        words = random.words(random.seeds(key), counter)
        drawn = [random.index_below(w, jnp.uint32(n)).astype(int) for w, n in zip(words, (1000, 9) * 2, strict=True)]
        return drawn[0], drawn[1], drawn[2], drawn[3]

    def run(keys: jax.Array, given: tuple[jax.Array, ...]) -> jax.Array:
        def body(i: int, total: jax.Array) -> jax.Array:
            # Each round moves every bid, so that no round is that of another.
            found = jax.vmap(call_auction)(given[0] + i + (total[:, None] & 1), *given[1:])
            return total + found.bought.sum(1) + found.price

        return jax.lax.fori_loop(0, rounds, body, jnp.zeros(populations, int))

    keys = jax.random.split(jax.random.key(0), populations)
    given = jax.vmap(books)(keys)
    compiled = jax.jit(run).lower(keys, given).compile(compiler_options=compiler_options(jax.devices()[0], alone=True))
    jax.block_until_ready(compiled(keys, given))
    found = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        jax.block_until_ready(compiled(keys, given))
        found.append(populations * rounds * 2 * size / (time.perf_counter() - begun) / 1e6)
    return [row("call auction, 128 bids and 128 asks", statistics.median(found), "M orders/s", ">= 3")]


def double_auctions() -> list[Row]:
    """Quotes of twelve traders in many markets at once, with and without learning."""
    return [
        measured(DoubleAuction(traders=traders), markets, 4, f"double auction, {traders}", "M quotes/s")
        for traders, markets in (("constrained", 512), ("unconstrained", 512), ("zip", 64))
    ]


def wealth_exchange(populations: int = 512, steps: int = 200) -> list[Row]:
    """Every rule by which money changes hands at random; scripts/compare_peers.py holds one against Mesa's."""
    rows = [
        measured(WealthExchange(rule=rule, mean=mean), populations, steps, f"wealth exchange, {rule}, N=1000",
                 "M agent-steps/s", ">= 20")
        for rule, mean in (("give-in-turn", 1), ("give-simultaneous", 1), ("give-one-by-one", 1), ("split", 1000))
    ]  # fmt: skip
    what = "wealth exchange on credit, N=200"
    return [*rows, measured(CreditExchange(), populations, steps, what, "M agent-steps/s")]


SUITES: dict[str, Callable[[], list[Row]]] = {
    "economy": economy,
    "call-auction": call_auctions,
    "double-auction": double_auctions,
    "wealth-exchange": wealth_exchange,
}


def main() -> None:
    """Run every suite and print a table."""
    for name, suite in SUITES.items():
        for r in suite():
            print(f"{name:15} {r['what']:58} {r['value']:>10.4g} {r['unit']:18} {r['target']}", flush=True)


if __name__ == "__main__":
    main()
