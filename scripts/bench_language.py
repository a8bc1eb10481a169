"""Speed of the measures of a language: topographic similarity of one large language and of many small ones.

python scripts/bench_language.py        # prints the table
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from jaxcoord.language.distance import topographic_similarity

REPEATS = 5
Row = dict[str, Any]


def seconds(function: Callable[[], Any]) -> float:
    """CPU seconds, over all threads, of a call that has been compiled: the median of a few."""
    jax.block_until_ready(function())
    times = []
    for _ in range(REPEATS):
        begun = time.process_time()
        jax.block_until_ready(function())
        times.append(time.process_time() - begun)
    return statistics.median(times)


def topographic() -> list[Row]:
    """Random messages of 10 symbols, vocabulary 20, for meanings of 2 attributes with values enough for all."""
    random = np.random.default_rng(0)
    rows = []
    for messages, target in ((100, "peer: 0.05"), (300, "peer: 0.43"), (1000, "peer: 5.8")):
        values = int(np.ceil(np.sqrt(messages)))
        attributes = np.stack(np.divmod(np.arange(messages), values), 1)
        said = random.integers(1, 20, (messages, 10))
        measure = jax.jit(topographic_similarity, static_argnums=2)
        cost = seconds(lambda a=attributes, s=said, v=values, f=measure: f(a, s, v))
        rows.append(
            {"what": f"topographic similarity, {messages} messages", "value": cost, "unit": "CPU s", "target": target}
        )
    attributes = np.stack(np.unravel_index(np.arange(64), (4, 4, 4)), 1)
    said = random.integers(0, 16, (1000, 64, 8))
    batch = jax.jit(jax.vmap(lambda messages: topographic_similarity(attributes, messages, 4)))
    what = "topographic similarity, 1,000 communities of 64 messages"
    return [*rows, {"what": what, "value": seconds(lambda: batch(said)), "unit": "CPU s", "target": ""}]


SUITES: dict[str, Callable[[], list[Row]]] = {"topographic-similarity": topographic}

if __name__ == "__main__":
    for name, suite in SUITES.items():
        for row in suite():
            print(f"{name:24} {row['what']:60} {row['value']:10.4f} {row['unit']:8} {row['target']}")
