"""The same work in a peer library and here, in one process: the ratio of times and whether the results agree.

    python scripts/compare_peers.py pairwise-comparison [--json]
    python scripts/compare_peers.py --all [--out scripts/results]

`ratio` is the peer's time over ours for the same work, after compilation. EGTtools takes all cores, by threads of its
own: `peer_cores` says how many it had. Needs the extra `peers`.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import numpy as np
import peers_closed_forms
import peers_language
import peers_market
import peers_repeated
from bench import device_name

import jaxcoord as jc


def deviation(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Distance between two mean vectors in units of what sampling explains; about 1 where they agree.

    Args: `[runs, values]` each, independent runs.
    """
    error = ours.var(0, ddof=1) / len(ours) + theirs.var(0, ddof=1) / len(theirs)
    return float(np.sqrt(np.square(ours.mean(0) - theirs.mean(0)).sum() / error.sum()))


def pairwise(payoff: np.ndarray, size: int, beta: float, mu: float, peer: dict, here: dict) -> dict[str, Any]:
    """One game in EGTtools and here: `runs`, `events` each and `burn_in` events of both sides."""
    from egttools.games import Matrix2PlayerGameHolder
    from egttools.numerical import PairwiseComparisonNumerical

    strategies = len(payoff)
    game = Matrix2PlayerGameHolder(strategies, payoff)
    process = PairwiseComparisonNumerical(size, game, 1_000_000)
    # With many strategies the peer cannot number the states: it then estimates frequencies.
    full = strategies == 2
    estimate = process.estimate_stationary_distribution if full else process.estimate_strategy_distribution
    estimate(1, 1000, 10, beta, mu)
    begun = time.perf_counter()
    estimate(peer["runs"], peer["events"], peer["burn_in"], beta, mu)
    their_seconds = time.perf_counter() - begun
    theirs = np.array([estimate(1, peer["events"], peer["burn_in"], beta, mu) for _ in range(peer["runs"])])

    events = size if full else 10 * size
    model = jc.evolution.PairwiseComparison(jc.games.matrix_game(payoff), beta=beta, mu=mu, size=size, events=events)
    steps, burn_in = (here[k] // events for k in ("events", "burn_in"))
    record = jc.Record(every=1, burn_in=burn_in)
    data = jc.simulate(model, steps, here["runs"], record=record, tile=here["tile"], progress=False)
    our_seconds = data.seconds
    frequency = data.frequency.values
    if full:
        # The peer lists states by the count of the second strategy.
        counts = np.rint(frequency[..., 1] * size).astype(int)
        groups = counts.reshape(16, -1)
        ours = np.array([np.bincount(row, minlength=size + 1) / row.size for row in groups])
        ours = ours if np.argmax(theirs.mean(0)) == np.argmax(ours.mean(0)) else ours[:, ::-1]
    else:
        ours = frequency.mean(1)
    apart = deviation(ours, theirs)
    rate_peer = peer["runs"] * peer["events"] / their_seconds
    rate_here = here["runs"] * steps * events / our_seconds
    return {
        "work": f"{'hawk-dove' if full else 'random'} ({strategies} strategies, Z={size})",
        "unit": "events",
        "game": "hawk-dove" if full else "random",
        "strategies": strategies,
        "size": size,
        "ratio": rate_here / rate_peer,
        "peer_events_per_second": rate_peer,
        "events_per_second": rate_here,
        "compile_s": data.compile_seconds,
        "deviation_in_standard_errors": apart,
        "apart": f"{apart:.2f} standard errors",
        "agree": apart < 2.5,
    }


def pairwise_comparison() -> dict[str, Any]:
    """EGTtools' estimate of the stationary distribution against ours: hawk-dove Z=100, and ten strategies Z=1000."""
    hawk_dove = np.array([[-0.5, 2.0], [0.0, 0.0]])
    random_game = np.random.default_rng(GAME_SEED).normal(size=(10, 10))
    works = [
        pairwise(hawk_dove, 100, 1.0, 0.01,
                 {"runs": 8, "events": 1_000_000, "burn_in": 10_000},
                 {"runs": 4096, "events": 500_000, "burn_in": 20_000, "tile": 256}),
        pairwise(random_game, 1000, 1.0, 0.01,
                 {"runs": 8, "events": 400_000, "burn_in": 150_000},
                 {"runs": 4096, "events": 400_000, "burn_in": 150_000, "tile": 256}),
    ]  # fmt: skip
    return {
        "peer": f"egttools {version('egttools')}",
        "ratio": min(work["ratio"] for work in works),
        "compile_s": max(work["compile_s"] for work in works),
        "agree": all(work["agree"] for work in works),
        "works": works,
    }


GAME_SEED = 5  # ten strategies, of which several last, and one attractor: the start does not matter

COMPARISONS: dict[str, Callable[[], dict[str, Any]]] = {
    "alpha-rank": peers_closed_forms.alpha_rank,
    "clearing": peers_market.clearing,
    "market": peers_market.market,
    "language-measures": peers_language.language_measures,
    "match-fidelity": peers_repeated.match_fidelity,
    "match-noise": peers_repeated.match_noise,
    "match-statistics": peers_repeated.match_statistics,
    "moran": peers_repeated.moran,
    "pairwise-comparison": pairwise_comparison,
    "reconstruction-game": peers_language.reconstruction_game,
    "replicator-field": peers_closed_forms.replicator_field,
    "small-mutation-limit": peers_closed_forms.small_mutation_limit,
    "stationary-distribution": peers_closed_forms.stationary_distribution,
    "tournament": peers_repeated.tournament,
}


def line(work: dict[str, Any]) -> str:
    """A piece of work for a person to read."""
    unit = work["unit"]
    rates = f"peer {work[f'peer_{unit}_per_second']:.3g} {unit}/s, here {work[f'{unit}_per_second']:.3g}"
    return (
        f"{work['work']}: {rates}, ratio {work['ratio']:.3g}, compile {work['compile_s']:.2f} s, "
        f"apart by {work['apart']}{'' if work['agree'] else ': THE RESULTS DISAGREE'}"
    )


def main() -> int:
    """Run comparisons and print them; 1 where results disagree."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked_for = parser.add_mutually_exclusive_group(required=True)
    asked_for.add_argument("name", nargs="?", choices=sorted(COMPARISONS))
    asked_for.add_argument("--all", action="store_true", help="one after the other")
    parser.add_argument("--json", action="store_true", help="end each with one line of JSON")
    parser.add_argument("--econojax", type=Path, metavar="PATH", help="a checkout of EconoJax, for the market")
    parser.add_argument("--egg", type=Path, metavar="PATH", help="a checkout of EGG, for the two of language")
    parser.add_argument("--out", type=Path, help="folder for a file peers-NAME-DEVICE.json of each")
    asked = parser.parse_args()
    comparisons = COMPARISONS | {
        "market": partial(peers_market.market, asked.econojax),
        "language-measures": partial(peers_language.language_measures, asked.egg),
        "reconstruction-game": partial(peers_language.reconstruction_game, asked.egg),
    }
    agree = True
    for name in sorted(COMPARISONS) if asked.all else [asked.name]:
        try:
            found = comparisons[name]()
        except ImportError as error:
            print(f"compare_peers: {error.name} is not installed: pip install -e '.[peers]'", file=sys.stderr)
            return 2
        except FileNotFoundError as error:
            print(f"compare_peers: {error}", file=sys.stderr)
            return 2
        found |= {"device": device_name(), "jax": jax.__version__, "jaxcoord": jc.__version__}
        agree = agree and found["agree"]
        for work in found["works"]:
            print(line(work))
        for note in found.get("notes", []):
            print(note)
        if asked.json:
            print(json.dumps(found))
        if asked.out:
            device = "".join(c if c.isalnum() else "-" for c in found["device"].lower())
            (asked.out / f"peers-{name}-{device}.json").write_text(json.dumps(found) + "\n")
    return 0 if agree else 1


if __name__ == "__main__":
    sys.exit(main())
