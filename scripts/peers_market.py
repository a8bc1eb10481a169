"""The compute market's mechanisms beside the usual tools: the same numbers, and how long each takes."""

from __future__ import annotations

import sys
import time
import warnings
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from peers_closed_forms import compiled, report, timed, work

import jaxcoord as jc
from jaxcoord.market.auction import call_auction
from jaxcoord.market.clearing import clearing as clear
from jaxcoord.market.economy import ComputeEconomy
from jaxcoord.market.money_models import WealthExchange
from jaxcoord.market.observables import gini

NETWORKS, BANKS = 1024, 64
ALONE = 32  # networks that the peer solves: its time is the same for each
TOGETHER = 32  # networks that sweep together: a few megabytes, which stay in cache

BOOKS, ORDERS = 4096, 128  # books of so many bids and so many asks
BOOKS_ALONE = 32
HOLDERS, SOCIETIES, SWEEPS = 1000, 1024, 200
PAIRS = 5  # of runs, one of the peer and one here
ECONOJAX_KNOWN = 44e3, 87e3  # agent-steps per second, measured on two cores


def random_systems(networks: int = NETWORKS, banks: int = BANKS) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Liabilities, outside assets and outside debts of sparse random networks; two banks of three are in default."""
    random = np.random.default_rng(4)
    debts = random.uniform(0, 1, (networks, banks, banks)) * (random.random((networks, banks, banks)) < 0.2)
    debts[:, np.arange(banks), np.arange(banks)] = 0
    external = 0.3 * random.uniform(0, 1, (networks, banks)) * debts.sum(2)
    return debts, 2.2 * random.uniform(0, 1, (networks, banks)), external


def programme(debts: np.ndarray, assets: np.ndarray, external: np.ndarray) -> np.ndarray:
    """max sum p with p <= e + Pi' p, 0 <= p <= pbar: its solution is the clearing vector (Eisenberg & Noe 2001)."""
    from scipy.optimize import linprog

    total = debts.sum(1) + external
    share = debts / np.where(total > 0, total, 1)[:, None]
    limits = np.column_stack([np.zeros(len(total)), total])
    return np.asarray(linprog(-np.ones(len(total)), np.eye(len(total)) - share.T, assets, bounds=limits).x)


def clearing() -> dict[str, Any]:
    """1,024 Eisenberg-Noe networks of 64 banks: a linear programme each by scipy's HiGHS, and sweeps of all here.

    That ours is the greatest solution is shown by its residual, and by the programme, whose maximum it is.
    """
    debts, assets, external = random_systems()
    alone = list(zip(debts[:ALONE], assets[:ALONE], external[:ALONE], strict=True))
    peer = timed(lambda: [programme(*each) for each in alone], calls=1)
    with jax.enable_x64(True):
        given = jnp.asarray(debts), jnp.asarray(assets), jnp.asarray(external)
        program, compile_s = compiled(
            lambda *systems: jax.lax.map(lambda each: clear(*each), systems, batch_size=TOGETHER), *given
        )
        here = timed(lambda: program(*given), calls=5)
    paid, residual = np.asarray(here.result.paid), float(np.max(here.result.residual))
    apart = float(np.abs(paid[:ALONE] - np.array(peer.result)).max())
    peer = peer._replace(seconds=peer.seconds * NETWORKS / ALONE)
    row = work(
        f"{NETWORKS} networks of {BANKS} banks, float64", "networks", NETWORKS, peer, here, compile_s, apart,
        residual=residual, peer_networks=ALONE, default_share=float(np.mean(here.result.default)),
    )  # fmt: skip
    row["agree"] = row["agree"] and residual < 1e-9
    return report("scipy", row)


def random_books(books: int = BOOKS) -> tuple[np.ndarray, ...]:
    """Prices and sizes of the bids and of the asks of random books.

    Demand is even at every price and supply, from the cheapest ask on, is odd: they never meet between two orders,
    where a whole interval of prices would clear.
    """
    random = np.random.default_rng(6)
    prices, sizes = random.uniform(0, 100, (2, books, ORDERS)), 2.0 * random.integers(1, 10, (2, books, ORDERS))
    sizes[1, np.arange(books), prices[1].argmin(1)] += 1
    return prices[0], sizes[0], prices[1], sizes[1]


def pymarket_auction() -> tuple[dict[str, Any], str]:
    """Random books at one price: the curves of demand and supply of PyMarket and where they meet, and `call_auction`.

    Those functions are what its manual makes the uniform-price mechanism of; the package itself has no such mechanism.
    """
    import pymarket

    given = random_books()

    def table(bids: np.ndarray, bid_sizes: np.ndarray, asks: np.ndarray, ask_sizes: np.ndarray) -> Any:
        manager = pymarket.BidManager()
        for buying, prices, sizes in ((True, bids, bid_sizes), (False, asks, ask_sizes)):
            for user, (price, size) in enumerate(zip(prices, sizes, strict=True)):
                manager.add_bid(size, price, user, buying)
        return manager.get_df()

    def price_and_volume(bids: Any) -> tuple[float, float]:
        (demand, _), (supply, _) = pymarket.demand_curve_from_bids(bids), pymarket.supply_curve_from_bids(bids)
        volume, _, _, price = pymarket.intersect_stepwise(demand, supply)
        return price, volume

    tables = [table(*(x[i] for x in given)) for i in range(BOOKS_ALONE)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer = timed(lambda: np.array([price_and_volume(each) for each in tables]), calls=1)
    with jax.enable_x64(True):
        books = tuple(jnp.asarray(x) for x in given)
        program, compile_s = compiled(
            lambda *x: jax.lax.map(lambda each: call_auction(*each), x, batch_size=4 * TOGETHER), *books
        )
        here = timed(lambda: program(*books), calls=5)
    ours = np.column_stack([here.result.price, here.result.volume])[:BOOKS_ALONE]
    apart = float(np.abs(ours - peer.result).max())
    orders = 2 * ORDERS * BOOKS
    peer = peer._replace(seconds=peer.seconds * BOOKS / BOOKS_ALONE)
    name = f"{BOOKS} books of {ORDERS} bids and {ORDERS} asks, float64"
    return work(name, "orders", orders, peer, here, compile_s, apart), f"pymarket {version('pymarket')}"


def mesa_society() -> Any:
    """The wealth model of Mesa's tutorial: all in a random order give one unit, if they have one, to somebody."""
    import mesa

    class Holder(mesa.Agent):
        def __init__(self, model: Any) -> None:
            super().__init__(model)
            self.wealth = 1

        def give(self) -> None:
            if self.wealth > 0:
                other = self.random.choice(self.model.everybody)
                other.wealth += 1
                self.wealth -= 1

    class Society(mesa.Model):
        def __init__(self) -> None:
            super().__init__(seed=1)
            Holder.create_agents(self, HOLDERS)
            self.everybody = list(self.agents)  # to index the set of agents itself is twenty times slower

        def step(self) -> None:
            self.agents.shuffle_do("give")

    return Society()


def mesa_wealth() -> tuple[dict[str, Any], str]:
    """Each agent in turn gives one unit to another: Mesa, on one core, and `give-in-turn`, in pairs of runs.

    Both are equal in distribution: the Gini coefficient of a society of Mesa's, every hundred sweeps after as many as
    ours have made, against that of ours.
    """
    society = mesa_society()
    model = WealthExchange(rule="give-in-turn", mean=1, size=HOLDERS)
    ratios, theirs, ours, seen = [], [], [], []
    for _ in range(PAIRS):
        begun = time.perf_counter()
        for sweep in range(1, 5 * SWEEPS + 1):
            society.step()
            if sweep % 100 == 0:
                seen.append([agent.wealth for agent in society.everybody])
        theirs.append((time.perf_counter() - begun) / (5 * SWEEPS * HOLDERS))
        data = jc.simulate(model, SWEEPS, SOCIETIES, record=jc.Record(every=SWEEPS), progress=False)
        ours.append(data.seconds / (SWEEPS * SOCIETIES * HOLDERS))
        ratios.append(theirs[-1] / ours[-1])
    peer = np.array([float(gini(np.array(held, float))) for held in seen[SWEEPS // 100 :]])
    here = data.gini.values[:, -1]
    error = np.sqrt(peer.var(ddof=1) / len(peer) + here.var(ddof=1) / len(here))
    apart = float(abs(peer.mean() - here.mean()) / error)
    row = {
        "work": f"wealth exchange in turn, N={HOLDERS}, {SOCIETIES} populations",
        "unit": "agent_steps",
        "ratio": float(np.median(ratios)),
        "ratios": [round(x, 1) for x in ratios],
        "peer_agent_steps_per_second": 1 / float(np.median(theirs)),
        "agent_steps_per_second": 1 / float(np.median(ours)),
        "compile_s": data.compile_seconds,
        "gini": float(here.mean()),
        "peer_gini": float(peer.mean()),
        "apart": f"{apart:.2f} standard errors",
        "agree": apart < 4,
    }
    return row, f"mesa {version('mesa')}"


def econojax_rate(path: Path, size: int, populations: int = 64, steps: int = 100) -> float:
    """Agent-steps per second of so many of EconoJax's economies at once, where everybody acts at random."""
    sys.path.insert(0, str(path.resolve()))
    from econojax import EconoJax

    economy = EconoJax(num_population=size)
    spaces = economy.action_space

    def step(state: Any, key: jax.Array) -> tuple[Any, jax.Array]:
        draws, within = jax.random.split(key)
        each = dict(zip(spaces, jax.random.split(draws, len(spaces)), strict=True))
        moment, state = economy.step(within, state, {name: space.sample(each[name]) for name, space in spaces.items()})
        return state, sum(jax.tree.leaves(moment.reward))

    def run(key: jax.Array) -> jax.Array:
        state = economy.reset(key)[1]
        return jax.lax.scan(step, state, jax.random.split(key, steps))[1]

    program, _ = compiled(jax.vmap(run), keys := jax.random.split(jax.random.key(0), populations))
    return size * populations * steps / timed(lambda: program(keys)).seconds


def economies(path: Path | None) -> tuple[dict[str, Any] | None, str, str]:
    """The whole economy here, and EconoJax's at its own size or at ours, whichever is faster, if it is there.

    Returns: a row of the report, None without a checkout of EconoJax; what was compared; and a line for the reader.
    """
    theirs = 0.0 if path is None else max(econojax_rate(path, size) for size in (12, 128))
    populations, steps = 1000, 100
    model = ComputeEconomy(size=128, issuers=8, market="exchange")
    found = []
    for _ in range(3):
        data = jc.simulate(model, steps, populations, record=jc.Record(every=steps), progress=False)
        found.append(populations * steps * model.agents / data.seconds)
    ours = float(np.median(found))
    if path is None:
        low, high = (ours / known for known in ECONOJAX_KNOWN)
        note = (
            f"EconoJax: not timed, no --econojax PATH; here {ours:.3g} agent-steps/s, which is {high:.0f} to {low:.0f} "
            f"times the {ECONOJAX_KNOWN[0] / 1e3:.0f} to {ECONOJAX_KNOWN[1] / 1e3:.0f} thousand measured of it"
        )
        return None, "", note
    row = {
        "work": f"whole economy, n=128, {populations} populations",
        "unit": "agent_steps",
        "ratio": ours / theirs,
        "peer_agent_steps_per_second": theirs,
        "agent_steps_per_second": ours,
        "compile_s": data.compile_seconds,
        "apart": "what makes them two models",
        "agree": True,
    }
    return (
        row,
        "econojax, a checkout",
        "EconoJax: another model of an economy; only the time of an agent's step compares",
    )


def market(econojax: Path | None = None) -> dict[str, Any]:
    """Call auctions and PyMarket's, money given in turn and Mesa's, the whole economy and EconoJax's.

    Raises: FileNotFoundError where the path is no checkout of EconoJax.
    """
    if econojax is not None and not (econojax / "econojax" / "__init__.py").is_file():
        raise FileNotFoundError(
            f"--econojax {econojax}: it has no econojax/__init__.py; a checkout of EconoJax is needed"
        )
    works, peers, notes = [], [], []
    try:
        row, peer = pymarket_auction()
        works, peers = [row], [peer]
    except (ImportError, AttributeError) as error:  # it is of 2020, and uses what NumPy or pandas no longer has
        notes = [f"PyMarket: skipped, it does not run here: {type(error).__name__}: {error}"]
    for found, peer, *said in (mesa_wealth(), economies(econojax)):
        if found:
            works.append(found)
            peers.append(peer)
        notes += said
    return {
        "peer": ", ".join(peers),
        "ratio": min(row["ratio"] for row in works),
        "compile_s": max(row["compile_s"] for row in works),
        "agree": all(row["agree"] for row in works),
        "works": works,
        "notes": notes,
    }
