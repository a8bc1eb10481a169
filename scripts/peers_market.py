"""The compute market's mechanisms beside the usual tools: the same numbers, and how long each takes."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from peers_closed_forms import compiled, report, timed, work

from jaxcoord.market.clearing import clearing as clear

NETWORKS, BANKS = 1024, 64
ALONE = 32  # networks that the peer solves: its time is the same for each
TOGETHER = 32  # networks that sweep together: a few megabytes, which stay in cache


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
