"""Repeated games beside Axelrod-Python: the same moves, and how many rounds a second."""

from __future__ import annotations

import time
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import version
from multiprocessing import get_context
from typing import Any

import numpy as np

import jaxcoord as jc
from jaxcoord.games.repeated.exact import payoff_matrix
from jaxcoord.games.repeated.library import STANDARD, build, strategies
from jaxcoord.games.repeated.meet import Field, field, mixed_matches, play
from jaxcoord.games.repeated.play import matches, unpack
from jaxcoord.games.repeated.tournament import tournament as play_all

TURNS = 200
PEER_PLAYERS = 24  # of a round robin that the peer ends within a minute
MORAN = ("Cooperator", "Defector", "TitForTat", "WinStayLoseShift")
OPPONENTS = ("TitForTat", "Defector", "Cooperator", "WinStayLoseShift", "Grudger", "Alternator", "TitFor2Tats",
             "SuspiciousTitForTat", "Random", "GTFT")  # fmt: skip
PEER_STEPS = 4  # births of a Moran process, for each of which the peer plays all matches


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


def played(met: Field, pairs: np.ndarray) -> list[np.ndarray]:
    """Moves of pairs `[M, 2]` that leave nothing to chance, `[M, TURNS]` of each side: tables apart from machines."""
    own, other = np.zeros((2, len(pairs), TURNS), bool)
    options: dict[str, Any] = {"turns": TURNS, "noisy": False, "misread": False}
    registers = (met.kind < len(met.machines))[pairs].any(1)
    for mixed in (False, True):
        chosen = pairs[registers == mixed]
        seed = (np.zeros(len(chosen), np.uint32),) * 2
        if mixed:
            seats = met.seats(*chosen.T)
            moves = mixed_matches(met.machines, met.tables, seats, seed, 0.0, 0.0, **options)
        else:
            moves = matches(met.tables, *(met.first[side] for side in chosen.T), seed, 0.0, 0.0, **options)
        own[registers == mixed], other[registers == mixed] = (unpack(words, TURNS) for words in moves)
    return [own, other]


def match_fidelity() -> dict[str, Any]:
    """Every pair of deterministic strategies, 200 turns, players told and not told the length: move for move."""
    import axelrod

    names = [found.name for found in strategies() if not found.stochastic]
    works = []
    for told in (True, False):
        length = {"length": TURNS if told else float("inf"), "game": axelrod.DefaultGame, "noise": 0}
        met = field([build(name, TURNS, told) for name in names])
        pairs = np.array([(i, j) for i in range(len(names)) for j in range(i, len(names))])
        begun = time.perf_counter()
        played(met, pairs)
        compiling = time.perf_counter() - begun
        begun = time.perf_counter()
        ours = played(met, pairs)
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


def their_statistics(
    name: str, opponent: str, turns: int, repetitions: int, noise: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Means and variances `[2]` of the peer's score and number of cooperations in matches of a pair."""
    import axelrod

    match = axelrod.Match((getattr(axelrod, name)(), getattr(axelrod, opponent)()), turns, noise=noise, seed=seed)
    found = np.empty((repetitions, 2))
    for place in range(repetitions):
        match.play()
        found[place] = match.final_score()[0], match.cooperation()[0]
    return found.mean(0), found.var(0, ddof=1)


def match_statistics() -> dict[str, Any]:
    """Score and cooperation of every stochastic strategy in 10,000 matches against each of ten opponents."""
    return statistics([found.name for found in strategies() if found.stochastic], 10, 10_000, 0.0)


def match_noise() -> dict[str, Any]:
    """The same of every deterministic strategy where 5 % of moves go wrong: longer matches, for longer memories."""
    return statistics([found.name for found in strategies() if not found.stochastic], 50, 400, 0.05)


def statistics(names: list[str], turns: int, repetitions: int, noise: float) -> dict[str, Any]:
    """Means over matches of each of `names` with each of ten opponents, here and there, in standard errors."""
    pairs = [(name, opponent) for name in names for opponent in OPPONENTS]
    begun = time.perf_counter()
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        jobs = [
            pool.submit(their_statistics, *pair, turns, repetitions, noise, seed) for seed, pair in enumerate(pairs)
        ]
        theirs = [job.result() for job in jobs]
    their_seconds = time.perf_counter() - begun
    begun = time.perf_counter()
    off = []
    for seed, ((name, opponent), (mean, variance)) in enumerate(zip(pairs, theirs, strict=True)):
        match = play(name, opponent, turns, noise=noise, repetitions=repetitions, told=True, seed=seed)
        outcome = 3 - 2 * match.own.astype(int) - match.other
        ours = np.column_stack([np.array(STANDARD)[outcome].sum(1), match.own.sum(1)])
        error = np.sqrt((variance + ours.var(0, ddof=1)) / repetitions)
        apart = np.abs(mean - ours.mean(0))
        off.append(np.where(error > 0, apart / np.where(error > 0, error, 1), np.where(apart > 0, np.inf, 0)))
    seconds, far, varies = time.perf_counter() - begun, np.array(off).max(1), np.array(off) > 0
    rounds = len(pairs) * turns * repetitions
    work = {
        "work": f"{len(names)} strategies x {len(OPPONENTS)} opponents x {repetitions} matches of {turns} turns"
        + f", noise {noise:g}",
        "unit": "rounds", "peer_rounds_per_second": rounds / their_seconds, "rounds_per_second": rounds / seconds,
        "ratio": their_seconds / seconds, "compile_s": 0.0, "worst_standard_errors": float(far.max()),
        "mean_square": float(np.square(off)[varies].mean()),
        "beyond_4": ["-".join(pairs[i]) for i in np.flatnonzero(far > 4)],
        "apart": f"{far.max():.2f} standard errors, the worst of {varies.sum()}", "agree": bool(far.max() < 4.7),
    }  # fmt: skip
    return {"peer": f"axelrod {version('axelrod')}", "ratio": work["ratio"], "compile_s": 0.0, "agree": work["agree"],
            "works": [work]}  # fmt: skip


def moran() -> dict[str, Any]:
    """Births of a Moran process of 100 individuals with noise: 1,000 populations here, exact payoffs computed once."""
    import axelrod

    size, populations, steps, noise, mutation = 100, 1000, 10_000, 0.01, 0.01
    players = [getattr(axelrod, name)() for name in MORAN for _ in range(size // len(MORAN))]
    process = axelrod.MoranProcess(players, turns=TURNS, noise=noise, mutation_rate=mutation, seed=1)
    begun = time.perf_counter()
    for _ in range(PEER_STEPS):
        next(process)
    their_rate = PEER_STEPS / (time.perf_counter() - begun)
    begun = time.perf_counter()
    payoffs = np.asarray(payoff_matrix([build(name, TURNS) for name in MORAN], turns=TURNS, noise=noise))
    payoff_seconds = time.perf_counter() - begun
    model = jc.evolution.MoranBirthDeath(
        jc.games.matrix_game(payoffs), beta=1.0, fitness="linear", mu=mutation, size=size, events=1000
    )
    data = jc.simulate(model, steps // 1000, populations, record=jc.Record(every=steps // 1000), progress=False)
    rate = populations * steps / data.seconds
    work = {
        "work": f"Moran process, {size} individuals, {len(MORAN)} strategies, {populations} populations here",
        "unit": "steps", "peer_steps_per_second": their_rate, "steps_per_second": rate, "ratio": rate / their_rate,
        "seconds": data.seconds, "payoff_s": payoff_seconds, "compile_s": data.compile_seconds,
        "apart": "see match-fidelity; the process is tested against its exact chain", "agree": True,
    }  # fmt: skip
    return {"peer": f"axelrod {version('axelrod')}", "ratio": work["ratio"], "compile_s": work["compile_s"],
            "agree": True, "works": [work]}  # fmt: skip
