"""Which consensus survives liars? Breakdown points, W-MSR on networks, approximate agreement (LeBlanc et al. 2013).

And which does not: an adversary who rewrites preferences moves every rule by the same share of the way.
"""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import networkx as nx
import numpy as np

import jaxcoord as jc
from experiments.verdict import Row, Verdict
from jaxcoord import figures
from jaxcoord.figures import style
from jaxcoord.identity.aggregation import RULES, aggregate, inside, mean, tolerated
from jaxcoord.identity.agreement import (
    COMBINE,
    agreement_round,
    contraction_factor,
    held_share,
    pressed,
    steps_to_shift,
    worst_case,
)
from jaxcoord.identity.resilience import wmsr_step
from jaxcoord.identity.robustness import attack, resilience, robustness
from jaxcoord.identity.server_room import ServerRoom

WMSR, AGREE = "LeBlanc et al. 2013", "Dolev et al. 1986"
GRAPHS = {  # name: network, largest r, most malicious nodes F
    "K4": (nx.complete_graph(4), 2, 1),
    "K5": (nx.complete_graph(5), 3, 2),
    "K6": (nx.complete_graph(6), 3, 2),
    "K7": (nx.complete_graph(7), 4, 3),
    "ring of 6": (nx.cycle_graph(6), 1, 0),
    "star of 6": (nx.star_graph(5), 1, 0),
    "circulant 6 (1, 2)": (nx.circulant_graph(6, [1, 2]), 2, 1),
    "circulant 7 (1, 2)": (nx.circulant_graph(7, [1, 2]), 2, 1),
    "circulant 8 (1, 2)": (nx.circulant_graph(8, [1, 2]), 2, 1),
    "K33": (nx.complete_bipartite_graph(3, 3), 2, 1),
    "cube": (nx.cubical_graph(), 1, 0),
    "wheel of 7": (nx.wheel_graph(7), 2, 1),
}
LARGEST = 8  # nodes of a listed network
ROUNDS = 500
AGENTS, TRIM = 9, 2  # of the breakdown
TEMPERATURE = (18.0, 22.0, 20.0, -273.15, math.inf)
DELTA, TARGET, VOTES = 0.02, 30.0, 50
VOTING = ("median", "trimmed-mean", "krum")
wmsr = jax.jit(wmsr_step)
compiled = jax.jit(aggregate, static_argnames=("rule", "nonfinite"))
many_rounds = jax.jit(jax.vmap(agreement_round, (0, 0, None)), static_argnums=2)


def padded(graph: Any) -> np.ndarray:
    """`[8, 8]`: the network, and nodes nobody hears, so that one program serves all."""
    found = np.zeros((LARGEST, LARGEST), bool)
    found[: len(graph), : len(graph)] = nx.to_numpy_array(graph, nodelist=sorted(graph))
    return found


@jax.jit
@jax.vmap
def three_attacks(start: Any, lying: Any, adjacency: Any, faults: Any) -> Any:
    """`[3, N]`: where W-MSR ends with liars who swing between -7 and 7, stand still at 3, or waver."""

    def step(values, t):
        lie = jnp.stack([jnp.where(t % 2, 7.0, -7.0), 3.0, jnp.sin(t)])
        told = jnp.where(lying, lie[:, None], values)
        return jax.vmap(wmsr_step, (0, None, None))(told, adjacency, faults), None

    return jax.lax.scan(step, jnp.broadcast_to(start, (3, len(start))), jnp.arange(ROUNDS))[0]


def within_bounds(starts: int) -> tuple[float, float, int]:
    """With every set of as many liars as a network bears: worst spread in the end, share inside the hull, runs."""
    tried = []
    for graph, _, faults in GRAPHS.values():
        for group in itertools.combinations(range(len(graph)), faults):
            tried += [(np.isin(np.arange(LARGEST), group), len(graph), padded(graph), faults)] * starts
    lying, sizes, adjacency, liars = (np.array(part) for part in zip(*tried, strict=True))
    start = np.random.default_rng(1).random(lying.shape)
    honest = (~lying & (np.arange(LARGEST) < sizes[:, None]))[:, None]
    ends = np.asarray(three_attacks(start, lying, adjacency, liars))
    low, high = (np.where(honest, start[:, None], fill) for fill in (np.inf, -np.inf))
    least, most = np.where(honest, ends, np.inf).min(-1), np.where(honest, ends, -np.inf).max(-1)
    inside_hull = (least >= low.min(-1) - 1e-12) & (most <= high.max(-1) + 1e-12)
    return float((most - least).max()), float(inside_hull.mean()), ends.shape[0] * ends.shape[1]


def broken(graph: Any, faults: int) -> float:
    """The spread of the honest after many rounds under the attack that the network's weakness allows; NaN if none."""
    found = attack(nx.to_numpy_array(graph, nodelist=sorted(graph)), faults)
    if found is None:
        return float("nan")
    more = LARGEST - len(graph)
    start, lying = np.pad(found.start, (0, more), constant_values=0.5), np.pad(found.malicious, (0, more))
    values = start
    for _ in range(20):
        values = np.where(lying, start, np.asarray(wmsr(values, padded(graph), faults)))
    return float(np.ptp(values[~lying]))


def largest_factor(rule: str, size: int, faults: int, trials: int) -> float:
    """The largest factor on the honest spread in so many random rounds against two-faced liars and in the worst one."""
    random = np.random.default_rng(size)
    honest = random.random((trials, size - faults)) ** random.choice([0.01, 1, 30], (trials, 1))
    lies = random.choice([-9.0, 0.0, 0.5, 1.0, 9.0], (trials, size - faults, faults))
    honest[0], lies[0] = worst_case(size, faults)
    after = np.asarray(many_rounds(honest, lies, rule))
    return float((np.ptp(after, axis=1) / np.ptp(honest, axis=1)).max())


def worst_rounds(rule: str, size: int, faults: int, rounds: int) -> np.ndarray:
    """`[rounds + 1]`: the honest spread; the f honest who hold most are told infinity, the others its opposite."""
    honest, lies = (np.asarray(part) for part in worst_case(size, faults))
    spread = [1.0]
    for _ in range(rounds):
        honest = np.sort(many_rounds(np.array([honest]), np.array([lies]), rule)[0])
        spread.append(float(np.ptp(honest)))
    return np.array(spread)


def biases() -> dict[str, np.ndarray]:
    """By rule: how far m = 0..8 liars of nine who all say a thousand million move the answer."""
    honest = np.random.default_rng(3).normal(20, 1, AGENTS)
    found = {}
    for rule in RULES:
        lied = [np.where(np.arange(AGENTS) < m, 1e9, honest) for m in range(AGENTS)]
        found[rule] = np.array([abs(float(compiled(reports, rule, TRIM)) - honest.mean()) for reports in lied])
    return found


def votes(out: Path, small: bool, fresh: bool) -> dict[str, Any]:
    """By rule: the decisions over vote and replicate, with preferences rewritten and without."""
    found = {}
    for rule in VOTING:
        model = ServerRoom(rule=rule, honest=7, faults=2, yielding=0.0, target=TARGET)
        data = jc.sweep(model, {"rewriting": [0.0, DELTA]}, steps=VOTES + 1, replicates=200 if small else 2000,
                        store=out / rule, fresh=fresh)  # fmt: skip
        found[rule] = data.decision.load()
    return found


def run(out: Path, small: bool = False, fresh: bool = False) -> Verdict:
    """Measure robustness, convergence, contraction, breakdown and the drift of preferences; draw the last three."""
    folder = out / f"resilient_consensus{'_small' if small else ''}"
    rows = []
    with jax.enable_x64(True):
        for name, (graph, r, faults) in GRAPHS.items():
            adjacency = nx.to_numpy_array(graph, nodelist=sorted(graph))
            rows.append(Row(f"{name}: largest r, r-robust", robustness(adjacency), r, 0, WMSR))
            rows.append(Row("... most malicious nodes F", resilience(adjacency), faults, 0, WMSR))
        fail = sum(broken(graph, faults + 1) == 1 for graph, _, faults in GRAPHS.values())
        rows.append(Row("networks of these that stay apart for ever with F + 1", fail, len(GRAPHS), 0, WMSR))
        worst, share, runs = within_bounds(1 if small else 20)
        rows.append(Row(f"W-MSR with F liars, {runs} runs: worst spread", worst, 0.0, 1e-6, WMSR))
        rows.append(Row("... share of runs inside the honest hull", share, 1.0, 0, WMSR))
        cliques = nx.cartesian_product(nx.complete_graph(4), nx.path_graph(2))
        rows.append(Row("two cliques joined by a matching: connectivity", nx.node_connectivity(cliques), 4, 0, WMSR))
        rows.append(Row("... spread for ever, F = 1", broken(cliques, 1), 1.0, 0, WMSR))
        for size, faults in ((4, 1), (7, 2), (13, 3)):
            for rule in COMBINE:
                found = largest_factor(rule, size, faults, 500 if small else 40_000)
                rows.append(Row(f"n={size}, f={faults}, {rule}: worst contraction of a round", found,
                                contraction_factor(rule, size, faults), 1e-9, AGREE))  # fmt: skip
        spreads = {rule: worst_rounds(rule, 7, 2, 12) for rule in COMBINE}
        for rule, spread in spreads.items():
            slope = float(np.diff(np.log(spread)).max())
            rows.append(Row(f"n=7, f=2, {rule}: flattest slope of 12 rounds", slope,
                            math.log(contraction_factor(rule, 7, 2)), 1e-9, AGREE))  # fmt: skip
        bias = biases()
        for rule, moved in bias.items():
            if "krum" not in rule:
                rows.append(Row(f"{rule} of 9: liars that carry it away", int((moved > 1e6).argmax()),
                                tolerated(rule, AGENTS, TRIM) + 1, 0, "breakdown point"))  # fmt: skip
            else:
                rows.append(Row(f"{rule} of 9, f=2: bias with 2 liars", moved[2], 0.0, 3.0, "Blanchard et al. 2017"))
        rows += server_room()
    drifting = votes(folder, small, fresh)
    for rule, decision in drifting.items():
        first, last = (decision.sel(rewriting=DELTA, method="nearest").sel(step=t).values for t in (1, VOTES + 1))
        share = float(((last - first) / (TARGET - first)).mean())
        rows.append(Row(f"{rule}, simulated: way to the target after {VOTES} votes", share, 1 - (1 - DELTA) ** VOTES,
                        1e-4, "1 - (1 - delta)^t"))  # fmt: skip
    picture = folder / "figures" / "resilience.png"
    figures.save(draw(spreads, bias, drifting), picture)
    return Verdict("resilient-consensus: measured against LeBlanc et al. 2013, Dolev et al. 1986 and closed forms",
                   rows, [picture])  # fmt: skip


def server_room() -> list[Row]:
    """The server room's temperatures, the drift that every rule shares, and what a core holds."""
    reports = jnp.array(TEMPERATURE)
    source = "order statistics"
    found = [
        ("mean, infinity dropped", compiled(reports, "mean", nonfinite="drop"), -53.2875),
        ("median", compiled(reports, "median"), 20.0),
        ("median, infinity dropped", compiled(reports, "median", nonfinite="drop"), 19.0),
        ("trimmed mean", compiled(reports, "trimmed-mean"), 20.0),
        ("mean of those within 10 to 35", mean(reports, inside(reports, 10, 35)), 20.0),
    ]
    rows = [Row(f"server room, {name}", float(value), degrees, 1e-9, source) for name, value, degrees in found]
    wants = np.array([18.0, 22.3, 20.1, 21.0, 19.4, 19.9, 20.8])
    after = pressed(wants, DELTA, TARGET, VOTES)
    kept = [(float(compiled(after, rule, TRIM)) - TARGET) / (float(compiled(wants, rule, TRIM)) - TARGET)
            for rule in RULES]  # fmt: skip
    rows.append(Row("preferences rewritten: largest ratio of shifts of two rules, less 1",
                    (1 - min(kept)) / (1 - max(kept)) - 1, 0.0, 1e-6, "equivariance"))  # fmt: skip
    rows.append(Row("... votes to shift 20 °C by 1", steps_to_shift(20.0, TARGET, DELTA, 1.0), 6, 0, "closed form"))
    said, core, theta, pressure = wants.mean(), wants.mean(), 0.3, 0.1
    for _ in range(200):
        said = (1 - pressure) * (theta * core + (1 - theta) * said) + pressure * TARGET
    rows.append(Row("only words pressed, theta = 0.3, psi = 0.1: share of the target", (said - core) / (TARGET - core),
                    float(held_share(pressure, theta)), 1e-9, "psi / (psi + (1 - psi) theta)"))  # fmt: skip
    return rows


@style.styled
def draw(spreads: dict[str, np.ndarray], bias: dict[str, np.ndarray], drifting: dict[str, Any]) -> Any:
    """Spread against round, bias against the number of liars, decisions while preferences are rewritten."""
    figure = style.new_figure((11.5, 3.9))
    left, middle, right = figure.subplots(1, 3)
    for axes in (left, middle, right):
        style.light_grid(axes)
    rounds = np.arange(len(next(iter(spreads.values()))))
    for i, (factor, name) in enumerate(((2 / 3, "(2/3)^t"), (1 / 2, "(1/2)^t"))):
        left.plot(rounds, factor**rounds, color="black", linestyle=style.REFERENCE_LINES[i], linewidth=1, label=name)
    for i, (rule, spread) in enumerate(spreads.items()):
        looks = style.look(i)
        left.plot(rounds, spread, color=looks.colour, marker=looks.marker, linestyle="", label=rule)
    left.set(yscale="log", xlabel="round", ylabel="spread of the honest")
    left.set_title("seven agents, two of them two-faced")
    left.legend(handlelength=4)
    for i, (rule, moved) in enumerate(bias.items()):
        looks = style.look(i)
        middle.plot(np.arange(AGENTS), np.maximum(moved, 1e-3), color=looks.colour, marker=looks.marker,
                    linestyle=looks.line, linewidth=1, label=rule)  # fmt: skip
    middle.set(yscale="log", xlabel="liars among 9, all saying 1e9", ylabel="distance from the honest mean, °C")
    middle.set_title(f"breakdown, with {TRIM} trimmed at each end, f = {TRIM}")
    middle.legend(handlelength=4, fontsize=7, loc="lower right")
    for i, (rule, decision) in enumerate(drifting.items()):
        looks = style.look(i)
        moved = decision.sel(rewriting=DELTA, method="nearest").mean("replicate")
        right.plot(moved.step, moved, color=looks.colour, linestyle=looks.line, label=rule)
    free = drifting["median"].sel(rewriting=0.0).mean("replicate")
    right.plot(free.step, free, color="black", linestyle=style.REFERENCE_LINES[1], label="median, left alone")
    right.axhline(TARGET, color="0.5", linewidth=0.8)
    right.annotate("the target", (VOTES, TARGET - 0.7), ha="right")
    right.set(xlabel="vote", ylabel="temperature decided, °C", ylim=(19, 34))
    right.set_title("a server room whose voters are rewritten")
    right.legend(handlelength=4, loc="upper left", fontsize=7)
    return figure
