"""Speed of the compute market: the whole economy with either market, and the call auction alone.

python scripts/bench_market.py
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
from jaxcoord.market.economy import ComputeEconomy

REPEATS = 5
Row = dict[str, Any]


def row(what: str, value: float, unit: str, target: str, **more: Any) -> Row:
    """One measured number."""
    return {"what": what, "value": value, "unit": unit, "target": target} | more


def economy(market: str, target: str, populations: int = 1000, steps: int = 100) -> list[Row]:
    """Agent-steps per second of the engine's run, after compiling, and the time that compiling takes."""
    model = ComputeEconomy(size=128, issuers=8, market=market)
    rates, compiling = [], []
    for _ in range(REPEATS):
        data = jc.simulate(model, steps, populations, record=jc.Record(every=steps), progress=False)
        rates.append(populations * steps * model.agents / data.seconds / 1e6)
        compiling.append(data.compile_seconds)
    rate, what = statistics.median(rates), f"compute economy, {populations} populations, n=128, m=8, {market}"
    return [
        row(what, rate, "M agent-steps/s", target, all=[round(r, 2) for r in rates]),
        row(f"compile, {market}", statistics.median(compiling), "s", "< 15"),
    ]


def auctions(populations: int = 256, size: int = 128, rounds: int = 50) -> list[Row]:
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
    rates = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        jax.block_until_ready(compiled(keys, given))
        rates.append(populations * rounds * 2 * size / (time.perf_counter() - begun) / 1e6)
    return [row("call auction, 128 bids and 128 asks", statistics.median(rates), "M orders/s", ">= 3")]


SUITES: dict[str, Callable[[], list[Row]]] = {
    "economy, exchange": lambda: economy("exchange", ">= 5"),
    "economy, auction": lambda: economy("auction", ">= 1"),
    "call auction": auctions,
}


def main() -> None:
    """Run every suite and print a table."""
    for suite in SUITES.values():
        for r in suite():
            print(f"{r['what']:62} {r['value']:>10.4g} {r['unit']:18} {r['target']}", flush=True)


if __name__ == "__main__":
    main()
