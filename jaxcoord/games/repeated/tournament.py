"""Round-robin tournaments: everybody meets everybody, all matches in one compiled program.

Pairs that leave nothing to chance are played once, whatever the number of repetitions.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxcoord import random
from jaxcoord.errors import ParameterError
from jaxcoord.games.repeated.automaton import OUTCOMES
from jaxcoord.games.repeated.library import STANDARD, Payoffs, build, checked_payoffs
from jaxcoord.games.repeated.meet import Field, Player, field, mixed_matches
from jaxcoord.games.repeated.play import Counts, checked_turns, count, matches, whole
from jaxcoord.progress import Progress

BLOCK = 16_384  # matches in one call: what a core keeps in its cache


def tournament(
    players: Sequence[str] | Mapping[str, Player],
    *,
    turns: int | None = None,
    continuation: float | None = None,
    repetitions: int = 10,
    noise: float = 0.0,
    perception: float = 0.0,
    game: Payoffs = STANDARD,
    told: bool = True,
    seed: int = 0,
    progress: bool | None = None,
) -> Any:
    """Everybody plays everybody, itself included, in a repeated prisoner's dilemma.

    Args:
      players: names of `strategies()`; or a mapping from names of one's own to automata, machines, or such names.
      turns: rounds of a match, 200 by default; or else
      continuation: probability that another round follows, below 1: every match has a length of its own.
      repetitions: matches of each pair.
      noise: probability that a move is not what was meant; both see what was done.
      perception: probability that a player sees the other's move wrong.
      game: payoffs of a round.
      told: whether players know how many turns there are.
      seed: of all chance. A match depends on the seed, the number of players, its two places among them and its
        repetition.
      progress: whether to draw a bar; by default on a terminal.
    Returns: an `xarray.Dataset`:
      `payoff`, `cooperation` `[player, opponent]`, means per round;
      `score`, `cooperations` `[repetition, player, opponent]`, points and cooperative moves of a match;
      `total`, `normalised` `[repetition, player]`, points in all matches but that against itself, and per round;
      `wins` `[repetition, player]`, opponents who scored less in their match;
      `rank` `[player]`, 1 is best, by the median of `normalised`, ties in the order of `players`;
      `outcomes` `[player, opponent, outcome]`, share of rounds, the player's move first;
      `cooperation_after`, the same dims, how often the player cooperates after each outcome;
      `good_partner`, `cooperating`, `eigenjesus`, `eigenmoses` `[player]`, how it treats the others.
    Raises: ParameterError for an unknown name, no players, turns below 1, or a probability out of range.
    Source: Axelrod 1980; definitions of wins and ratings as in Axelrod-Python (Knight et al. 2016).

    Example:
      >>> results = tournament(["TitForTat", "Defector", "Grudger"], turns=100)
      >>> [str(name) for name in results.sortby("rank").player.values]
      ['TitForTat', 'Grudger', 'Defector']
    """
    for name, value in (("noise", noise), ("perception", perception)):
        if not 0 <= value <= 1:
            raise ParameterError(f"{name} = {value}: a probability, 0 to 1, is needed")
    if turns is not None and continuation is not None:
        raise ParameterError("turns and continuation: one of them says how long a match is")
    repetitions, game = whole("repetitions", repetitions, "match"), checked_payoffs(game)
    if seed != int(seed) or not 0 <= seed < 2**32:
        raise ParameterError(f"seed = {seed}: a whole number, 0 to {2**32 - 1}, is needed")
    if continuation is None:
        longest = checked_turns(200 if turns is None else turns)
        lengths = None
    else:
        lengths = _lengths(continuation, len(players), repetitions, seed)
        longest, told = int(lengths.max()), False
    named = _named(players, longest, told, game)
    names = list(named)
    met = field(list(named.values()))
    pairs = np.array([(i, j) for i in range(len(names)) for j in range(i, len(names))])
    chance = np.array([one.stochastic for one in named.values()])
    random_pair = chance[pairs].any(1) | (noise > 0) | (perception > 0)
    with_machine = (met.kind < len(met.machines))[pairs].any(1)
    results = _Results(len(names), repetitions, game)
    work = []
    for noisy in (False, True):
        each = repetitions if noisy or lengths is not None else 1
        for mixed in (True, False):
            parts = _portions(pairs[(random_pair == noisy) & (with_machine == mixed)], each, mixed)
            work += [(mixed, noisy, each, *part) for part in parts]
    shown = Progress(sum(len(part[3]) for part in work), longest, 1, progress, names=("matches", "turns", "rounds"))

    def play(part):
        mixed, noisy, each, pair, repetition, size = part
        last = longest if lengths is None else lengths[repetition, pair[:, 0], pair[:, 1]]
        options = {"turns": longest, "noisy": noisy, "misread": perception > 0}
        counts = _play_portion(met, mixed, pair, repetition, size, seed, noise, perception, last, options)
        shown.add(len(pair) * longest)
        return pair, repetition, repetitions if each < repetitions else 1, counts

    try:
        with ThreadPoolExecutor(os.cpu_count() if jax.default_backend() == "cpu" else 1) as pool:
            for pair, repetition, times, counts in pool.map(play, work):
                results.add(pair, repetition, times, counts)
    finally:
        shown.close()
    return results.dataset(names, longest, lengths, attributes={
        "turns": longest if lengths is None else "random", "continuation": continuation or 0.0, "noise": noise,
        "perception": perception, "repetitions": repetitions, "seed": seed, "game": str(tuple(game)),
        "rounds_played": sum(len(part[3]) for part in work) * longest, **shown.times,
    })  # fmt: skip


def _named(players: Any, turns: int, told: bool, game: Payoffs) -> dict[str, Player]:
    if not players:
        raise ParameterError("players: at least one is needed")
    if isinstance(players, Mapping):
        return {name: build(one, turns, told, game) if isinstance(one, str) else one for name, one in players.items()}
    if isinstance(players, str):
        raise ParameterError(f"players = {players!r}: a list of names is needed")
    if len(set(players)) < len(players):
        twice = next(name for name in players if list(players).count(name) > 1)
        raise ParameterError(f"players: {twice!r} stands there twice; name them with a mapping of automata")
    return {name: build(name, turns, told, game) for name in players}


def _lengths(continuation: float, players: int, repetitions: int, seed: int) -> np.ndarray:
    if not 0 <= continuation < 1:
        raise ParameterError(f"continuation = {continuation}: at least 0 and below 1 is needed")
    drawn = np.random.default_rng(seed).random((repetitions, players, players))
    if continuation == 0:
        return np.ones(drawn.shape, int)
    return 1 + np.floor(np.log1p(-drawn) / math.log(continuation)).astype(int)


def _portions(pairs: np.ndarray, each: int, mixed: bool) -> list[tuple[np.ndarray, np.ndarray, int]]:
    """Pairs `[m, 2]`, numbers of their repetitions `[m]`, and to what size such a portion is to be filled up.

    Where machines play all pairs stay together, so that every machine has as many places in each portion.
    """
    if not mixed:
        pair, repetition = np.repeat(pairs, each, axis=0), np.tile(np.arange(each), len(pairs))
        size = min(BLOCK, 1 << (len(pair) - 1).bit_length())
    else:
        pair, repetition = np.tile(pairs, (each, 1)), np.repeat(np.arange(each), len(pairs))
        portions = -(-each // max(BLOCK // max(len(pairs), 1), 1))
        size = len(pairs) * -(-each // portions)
    return [(pair[at : at + size], repetition[at : at + size], size) for at in range(0, len(pair), max(size, 1))]


@partial(jax.jit, static_argnames=("machines", "turns", "noisy", "misread"))
def _compiled(machines, tables, who, seed, places, repetition, noise, perception, last, **options):
    keys = jax.vmap(random.population_key, (None, 0, 0))(seed, places, repetition)
    seeds = jax.vmap(random.seeds)(keys)
    if machines is None:
        moves = matches(tables, *who, seeds, noise, perception, **options)
    else:
        moves = mixed_matches(machines, tables, who, seeds, noise, perception, **options)
    return count(moves, last)


def _play_portion(
    met: Field, mixed: bool, pair: np.ndarray, repetition: np.ndarray, size: int, seed: int, noise: float,
    perception: float, last: Any, options: dict[str, Any],
) -> Counts:  # fmt: skip
    # The last portion is filled up, with matches from its own beginning, so that there is one program.
    missing = size - len(pair)
    fill = partial(np.pad, mode="wrap")
    pair, repetition = fill(pair, ((0, missing), (0, 0))), fill(repetition, (0, missing))
    last = last if np.ndim(last) == 0 else fill(last, (0, missing))
    who = met.seats(*pair.T) if mixed else tuple(jnp.asarray(met.first[players]) for players in pair.T)
    counts = _compiled(
        met.machines if mixed else None, met.tables, who, seed, pair[:, 0] * len(met.kind) + pair[:, 1], repetition,
        noise, perception, last, **options,
    )  # fmt: skip
    return jax.tree.map(lambda x: np.asarray(x)[: len(repetition) - missing], counts)


class _Results:
    """Sums over matches, as they come in."""

    def __init__(self, players: int, repetitions: int, game: Payoffs):
        self.game = np.array([game.reward, game.sucker, game.temptation, game.punishment])
        self.score = np.zeros((repetitions, players, players))
        self.cooperations = np.zeros((repetitions, players, players), np.int64)
        self.outcomes, self.followed, self.cooperated = np.zeros((3, players, players, 4), np.int64)

    def add(self, pair: np.ndarray, repetition: np.ndarray, times: int, counts: Counts) -> None:
        """Enter matches of player pair[:, 0] with pair[:, 1]; each stands for `times` repetitions."""
        own, after = counts.outcomes, counts.cooperated
        mirror = [0, 2, 1, 3]  # the other's view of CC, CD, DC, DD
        for player, opponent, view, side in ((0, 1, [0, 1, 2, 3], 0), (1, 0, mirror, 1)):
            chosen = slice(None) if side == 0 else pair[:, 0] != pair[:, 1]
            i, j = pair[chosen, player], pair[chosen, opponent]
            rows: Any = slice(None) if times > 1 else repetition[chosen]
            seen = own[chosen][:, view]
            self.score[rows, i, j] = seen @ self.game
            self.cooperations[rows, i, j] = seen[:, 0] + seen[:, 1]
            np.add.at(self.outcomes, (i, j), times * seen)
            np.add.at(self.followed, (i, j), times * counts.followed[chosen][:, view])
            np.add.at(self.cooperated, (i, j), times * after[chosen][:, view, side])

    def dataset(self, names: list[str], turns: int, lengths: Any, attributes: dict[str, Any]) -> Any:
        """Everything as an `xarray.Dataset`."""
        import xarray as xr

        others = ~np.eye(len(names), dtype=bool)
        rounds = np.full(self.score.shape, turns) if lengths is None else lengths
        if lengths is not None:  # the pair (j, i) played the match of (i, j)
            upper = np.triu(np.ones(others.shape, bool))
            rounds = np.where(upper, lengths, lengths.transpose(0, 2, 1))
        total = (self.score * others).sum(2)
        normalised = total / np.maximum((rounds * others).sum(2), 1)
        wins = ((self.score > self.score.transpose(0, 2, 1)) & others).sum(2)
        partner = (self.cooperations >= self.cooperations.transpose(0, 2, 1)) & others
        rate = self.cooperations.sum(0) / rounds.sum(0)
        order = np.argsort(-np.median(normalised, 0), kind="stable")
        rank = np.empty(len(names), int)
        rank[order] = np.arange(1, len(names) + 1)
        played = np.maximum(self.outcomes.sum(2, keepdims=True), 1)
        with np.errstate(invalid="ignore"):
            after = np.where(self.followed > 0, self.cooperated / np.maximum(self.followed, 1), np.nan)
        pair, each = ("player", "opponent"), ("repetition", "player")
        several = max(len(names) - 1, 1)
        variables = {
            "payoff": (pair, self.score.sum(0) / rounds.sum(0), "payoff per round of the player against the opponent"),
            "cooperation": (pair, rate, "share of rounds in which the player cooperates with the opponent"),
            "score": (("repetition", *pair), self.score, "points of the player in a match"),
            "cooperations": (("repetition", *pair), self.cooperations, "cooperative moves of the player in a match"),
            "total": (each, total, "points in all matches, that against itself apart"),
            "normalised": (each, normalised, "points per round in all matches, that against itself apart"),
            "wins": (each, wins, "opponents who scored less in their match"),
            "rank": (("player",), rank, "place by the median of the points per round, 1 is best"),
            "outcomes": ((*pair, "outcome"), self.outcomes / played, "share of rounds, the player's move first"),
            "cooperation_after": ((*pair, "outcome"), after, "how often the player cooperates after each outcome"),
            "good_partner": (("player",), partner.sum((0, 2)) / (several * len(total)),
                             "share of matches in which it cooperates at least as often as the other"),
            "cooperating": (("player",), (rate * others).sum(1) / several, "mean rate of cooperation with others"),
            "eigenjesus": (("player",), _leading(rate), "leading eigenvector of cooperation, to three digits"),
            "eigenmoses": (("player",), _leading(2 * rate - 1), "the same where no cooperation is -1"),
        }  # fmt: skip
        coords = {"player": names, "opponent": names, "outcome": list(OUTCOMES), "repetition": np.arange(len(total))}
        data = {
            name: (dims, values, {"long_name": doc, "units": "1"}) for name, (dims, values, doc) in variables.items()
        }
        return xr.Dataset(data, coords, attributes)


def _leading(matrix: np.ndarray) -> np.ndarray:
    # The leading eigenvector, of length one, by power iteration from equal entries until a step is below 1e-3: so the
    # peer defines its ratings, and so are they equal to its own digits.
    vector = np.ones(len(matrix))
    for _ in range(1000):
        following = matrix @ vector
        length = np.linalg.norm(following)
        if length == 0:
            return following
        step = np.linalg.norm(following / length - vector)
        vector = following / length
        if step < 1e-3:
            break
    return vector


def ecology(payoff: Any, generations: int, start: Any = None) -> np.ndarray:
    """Shares of strategies that reproduce by their mean payoff: x_i <- x_i f_i / mean f, with f = payoff @ x.

    Args: `payoff [S, S]`, per round, not negative; `generations`; `start [S]`, uniform by default.
    Returns: `[generations + 1, S]`, the start first.
    Raises: ParameterError where a payoff is negative or the shares do not sum to one.
    Source: Axelrod 1980b; Axelrod & Hamilton 1981.
    """
    payoff = np.asarray(payoff, float)
    if payoff.ndim != 2 or payoff.shape[0] != payoff.shape[1] or not payoff.size or not np.isfinite(payoff).all():
        raise ParameterError(f"payoff: shape {payoff.shape}; finite numbers [S, S] are needed")
    if generations != int(generations) or generations < 0:
        raise ParameterError(f"generations = {generations}: a whole number of at least 0 is needed")
    if (payoff < 0).any():
        raise ParameterError(f"payoff: {payoff.min():g} is negative; shares grow by a factor, add a constant")
    shares = np.full(len(payoff), 1 / len(payoff)) if start is None else np.asarray(start, float)
    if shares.shape != (len(payoff),):
        raise ParameterError(f"start: shape {shares.shape}; [{len(payoff)}] is needed, a share for each strategy")
    if not np.isclose(shares.sum(), 1) or (shares < 0).any():
        raise ParameterError(f"start: sums to {shares.sum():g}; shares that sum to one are needed")
    history = [shares]
    for _ in range(generations):
        fitness = payoff @ history[-1]
        history.append(history[-1] * fitness / (history[-1] @ fitness))
    return np.array(history)
