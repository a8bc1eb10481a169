"""Repeated games beside Axelrod-Python: the same moves, and how many rounds a second."""

from __future__ import annotations

import time
from importlib.metadata import version
from typing import Any

import numpy as np

from jaxcoord.games.repeated.library import build, strategies
from jaxcoord.games.repeated.play import matches, stack, unpack
from jaxcoord.games.repeated.tournament import tournament as play_all

TURNS = 200
PEER_PLAYERS = 24  # of a round robin that the peer ends within a minute


def tournament() -> dict[str, Any]:
    """Round robins of named strategies with full results, with 1 % noise and without."""
    import axelrod

    names = [found.name for found in strategies()]
    some = names[:: max(1, len(names) // PEER_PLAYERS)][:PEER_PLAYERS]
    works = []
    for noise, repetitions in ((0.01, 100), (0.0, 100)):
        peers = [getattr(axelrod, name)() for name in some]
        begun = time.perf_counter()
        theirs = axelrod.Tournament(peers, turns=TURNS, repetitions=1, noise=noise, seed=1)
        theirs.play(progress_bar=False)
        their_seconds = time.perf_counter() - begun
        their_rounds = len(some) * (len(some) + 1) // 2 * TURNS
        begun = time.perf_counter()
        play_all(names, turns=TURNS, noise=noise, repetitions=repetitions, progress=False)
        first = time.perf_counter() - begun
        begun = time.perf_counter()
        play_all(names, turns=TURNS, noise=noise, repetitions=repetitions, progress=False)
        seconds = time.perf_counter() - begun
        rounds = len(names) * (len(names) + 1) // 2 * TURNS * repetitions
        works.append({
            "work": f"round robin, {len(names)} strategies x {repetitions} repetitions, noise {noise:g}",
            "unit": "rounds", "noise": noise, "players": len(names), "peer_players": len(some),
            "peer_rounds_per_second": their_rounds / their_seconds, "rounds_per_second": rounds / seconds,
            "ratio": rounds / seconds / (their_rounds / their_seconds), "seconds": seconds,
            "compile_s": first - seconds, "apart": "see match-fidelity", "agree": True,
        })  # fmt: skip
    return {
        "peer": f"axelrod {version('axelrod')}",
        "ratio": min(work["ratio"] for work in works),
        "compile_s": max(work["compile_s"] for work in works),
        "agree": True,
        "works": works,
    }


def match_fidelity() -> dict[str, Any]:
    """Every pair of deterministic strategies, 200 turns, players told and not told the length: move for move."""
    import axelrod

    names = [found.name for found in strategies() if not found.stochastic]
    works = []
    for told in (True, False):
        length = {"length": TURNS if told else float("inf"), "game": axelrod.DefaultGame, "noise": 0}
        tables = stack([build(name, TURNS, told) for name in names])
        pairs = np.array([(i, j) for i in range(len(names)) for j in range(i, len(names))])
        first, second = (np.asarray(tables.first[pairs[:, side]], np.int32) for side in (0, 1))
        nothing = np.zeros(len(pairs), np.uint32)
        options: dict[str, Any] = {"turns": TURNS, "noisy": False, "misread": False}
        begun = time.perf_counter()
        matches(tables, first, second, (nothing, nothing), 0.0, 0.0, **options).own.block_until_ready()
        compiling = time.perf_counter() - begun
        begun = time.perf_counter()
        moves = matches(tables, first, second, (nothing, nothing), 0.0, 0.0, **options)
        ours = [unpack(words, TURNS) for words in moves]
        seconds = time.perf_counter() - begun
        peers = [getattr(axelrod, name)() for name in names]
        wrong, begun = [], time.perf_counter()
        for at, (i, j) in enumerate(pairs):
            one, other = peers[i], peers[j] if i != j else peers[j].clone()
            match = axelrod.Match((one, other), turns=TURNS, match_attributes=length)
            theirs = np.array([[move is axelrod.Action.C for move in turn] for turn in match.play()]).T
            if not (theirs[0] == ours[0][at]).all() or not (theirs[1] == ours[1][at]).all():
                wrong.append(f"{names[i]}-{names[j]}")
        their_seconds = time.perf_counter() - begun
        rounds = len(pairs) * TURNS
        works.append({
            "work": f"{len(names)} deterministic strategies, length {'told' if told else 'not told'}",
            "unit": "rounds", "pairs": len(pairs), "pairs_equal": len(pairs) - len(wrong), "different": wrong[:50],
            "peer_rounds_per_second": rounds / their_seconds, "rounds_per_second": rounds / seconds,
            "ratio": their_seconds / seconds, "compile_s": compiling - seconds,
            "apart": f"{len(wrong)} of {len(pairs)} pairs", "agree": not wrong,
        })  # fmt: skip
    return {
        "peer": f"axelrod {version('axelrod')}",
        "ratio": min(work["ratio"] for work in works),
        "compile_s": max(work["compile_s"] for work in works),
        "agree": all(work["agree"] for work in works),
        "works": works,
    }
