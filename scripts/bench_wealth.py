"""Speed of wealth exchange beside Mesa's model of it, and of the double auction of zero-intelligence traders.

python scripts/bench_wealth.py --mesa /path/to/python        # a Python that has mesa, for the comparison
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import time
from typing import Any

import jax

import jaxcoord as jc
from jaxcoord.market.double_auction_model import DoubleAuction
from jaxcoord.market.money_models import CreditExchange, WealthExchange

REPEATS = 5
SIZE, POPULATIONS, STEPS = 1000, 512, 200
Row = dict[str, Any]

# The wealth model of Mesa's tutorial: everybody in a random order gives one unit, if it has one, to somebody.
MESA = f"""
import time
import mesa

class Holder(mesa.Agent):
    def __init__(self, model):
        super().__init__(model)
        self.wealth = 1

    def give(self):
        if self.wealth > 0:
            other = self.random.choice(self.model.everybody)
            other.wealth += 1
            self.wealth -= 1

class Society(mesa.Model):
    def __init__(self):
        super().__init__(seed=1)
        Holder.create_agents(self, {SIZE})
        self.everybody = list(self.agents)  # to index the set of agents itself is twenty times slower

    def step(self):
        self.agents.shuffle_do("give")

society, steps = Society(), 0
society.step()
begun = time.perf_counter()
while time.perf_counter() - begun < 2:
    society.step()
    steps += 1
print(mesa.__version__, steps * {SIZE} / (time.perf_counter() - begun))
"""


def row(what: str, value: float, unit: str, target: str = "") -> Row:
    """One measured number."""
    return {"what": what, "value": value, "unit": unit, "target": target}


def rate(model: Any, populations: int, steps: int) -> float:
    """Agent-steps, or quotes, a second of the engine's run after compiling: the median of some runs."""
    found = []
    for _ in range(REPEATS):
        data = jc.simulate(model, steps, populations, record=jc.Record(every=steps), progress=False)
        found.append(populations * steps * model.agents / data.seconds)
    return statistics.median(found)


def mesa_rate(python: str) -> tuple[str, float]:
    """Mesa's version, and its agent-steps per second: it uses one core."""
    done = subprocess.run([python, "-c", MESA], check=True, capture_output=True, text=True).stdout.split()
    return done[0], float(done[1])


def wealth(python: str | None) -> list[Row]:
    """Every rule of exchange, and the one of Mesa's model, each in turn, against Mesa."""
    rows, rates = [], {}
    for rule, mean in (("give-in-turn", 1), ("give-simultaneous", 1), ("give-one-by-one", 1), ("split", 1000)):
        rates[rule] = rate(WealthExchange(rule=rule, mean=mean, size=SIZE), POPULATIONS, STEPS)
        rows.append(row(f"wealth exchange, {rule}, N={SIZE}", rates[rule] / 1e6, "M agent-steps/s", ">= 20"))
        if rule == "give-in-turn" and python:  # right after the rule that it shares, under the same load
            version, theirs = mesa_rate(python)
            rows.append(row(f"Mesa {version}, each in turn, N={SIZE}", theirs / 1e6, "M agent-steps/s"))
            rows.append(row("... give-in-turn / Mesa", rates[rule] / theirs, "ratio", ">= 50"))
    credit = rate(CreditExchange(), POPULATIONS, STEPS)
    rows.append(row("wealth exchange on credit, N=200", credit / 1e6, "M agent-steps/s"))
    return rows


def auctions() -> list[Row]:
    """Quotes of twelve traders in many markets at once, with and without learning."""
    return [
        row(f"double auction, {traders}", rate(DoubleAuction(traders=traders), 512, 4) / 1e6, "M quotes/s")
        for traders in ("constrained", "unconstrained", "zip")
    ]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mesa", metavar="PYTHON", help="a Python interpreter that has mesa")
    asked = parser.parse_args()
    begun = time.perf_counter()
    for r in wealth(asked.mesa) + auctions():
        print(f"{r['what']:62} {r['value']:>10.4g} {r['unit']:18} {r['target']}", flush=True)
    print(f"{len(jax.devices())} device, {time.perf_counter() - begun:.0f} s")


if __name__ == "__main__":
    main()
