"""Matches between any two players, with tables or with registers: all of them in one compiled loop over turns.

Every machine steps only in the places where it plays, so that each is compiled once, whatever it meets.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxcoord import random
from jaxcoord.errors import ParameterError
from jaxcoord.games.repeated.automaton import Automaton
from jaxcoord.games.repeated.library import STANDARD, Payoffs, build, checked_payoffs
from jaxcoord.games.repeated.machine import Machine
from jaxcoord.games.repeated.play import Moves, Tables, checked_turns, matches, stack, unpack, whole

Array = jax.Array
Player = Automaton | Machine


class Seats(NamedTuple):
    """Who plays where in M matches: places 0..M-1 are those of the first players, M..2M-1 those they meet."""

    machines: tuple[Any, ...]
    """`[n]` int32 for each machine: its places."""
    automata: Any
    """`[n]` int32: places of automata."""
    first: Any
    """`[n]` int32: the state in which each of those automata begins."""
    back: Any
    """`[2M]` int32: where each place stands when they are listed machine by machine, automata last."""


class Field(NamedTuple):
    """Players who meet one another."""

    tables: Tables
    machines: tuple[Machine, ...]
    kind: np.ndarray
    """`[S]`: which of the machines each player is; as many as there are for an automaton."""
    first: np.ndarray
    """`[S]`: the state in which an automaton begins, 0 for a machine."""

    def seats(self, one: np.ndarray, other: np.ndarray) -> Seats:
        """Places of the players `one [M]` and `other [M]`, numbers in the field."""
        players = np.concatenate([one, other])
        order = np.argsort(self.kind[players], kind="stable").astype(np.int32)
        parts = np.split(order, np.searchsorted(self.kind[players][order], np.arange(1, len(self.machines) + 1)))
        return Seats(tuple(parts[:-1]), parts[-1], self.first[players[parts[-1]]], np.argsort(order).astype(np.int32))


def field(players: Sequence[Player]) -> Field:
    """Several players, to be seated. Raises: ParameterError where one is neither an automaton nor a machine."""
    for at, player in enumerate(players):
        if not isinstance(player, Player):
            raise ParameterError(f"players: number {at + 1} is a {type(player).__name__}; automata and machines play")
    automata = [player for player in players if isinstance(player, Automaton)]
    tables = stack(automata) if automata else Tables(jnp.ones(1), jnp.zeros(4, jnp.int32), np.zeros(0, int))
    machines = tuple(dict.fromkeys(player for player in players if isinstance(player, Machine)))
    kind = [machines.index(one) if isinstance(one, Machine) else len(machines) for one in players]
    first = np.zeros(len(players), np.int32)
    first[np.array(kind) == len(machines)] = tables.first
    return Field(Tables(tables.cooperate, tables.after, np.zeros(0)), machines, np.array(kind), first)


@partial(jax.jit, static_argnames=("machines", "turns", "noisy", "misread"))
def mixed_matches(
    machines: tuple[Machine, ...], tables: Tables, seats: Seats, seed: tuple[Array, Array], noise: Any, perception: Any,
    *, turns: int, noisy: bool, misread: bool,
) -> Moves:  # fmt: skip
    """Play one match for each pair of places; `matches` where some players keep registers.

    Args: `machines`, `tables`, of the `Field`; `seats`, of M matches; the rest as in `matches`. Chance is the same,
      so that a machine that does what an automaton does has the same moves.
    Returns: the moves, `[M, W]` words each.
    """
    draws = 4 if misread else 2
    number_of_matches = len(seats.back) // 2

    def exchanged(values):
        return jnp.concatenate([values[number_of_matches:], values[:number_of_matches]])

    def turn(number, carry):
        states, registers, played = carry
        chances = [
            jax.vmap(one.move, axis_size=len(places))(held).astype(jnp.float32)
            for one, held, places in zip(machines, registers, seats.machines, strict=True)
        ]
        chance = jnp.concatenate([*chances, tables.cooperate[states]])[seats.back]
        first = jnp.asarray(number, jnp.uint32) * jnp.uint32(draws)
        words = [random.words(seed, first + jnp.uint32(i)) for i in range(draws)] if noisy else []
        if noisy:
            move = random.probability(jnp.concatenate(words[:2])) < chance + noise * (1 - 2 * chance)
        else:
            move = chance > 0.5
        heard = exchanged(move)
        if misread:
            heard ^= random.probability(jnp.concatenate(words[2:])) < perception
        registers = tuple(
            jax.vmap(one.update, axis_size=len(places))(held, move[places], heard[places])
            for one, held, places in zip(machines, registers, seats.machines, strict=True)
        )
        outcome = 3 - 2 * move[seats.automata].astype(jnp.int32) - heard[seats.automata].astype(jnp.int32)
        states = tables.after[4 * states + outcome]
        return states, registers, played | (move.astype(jnp.uint32) << jnp.asarray(number, jnp.uint32) % 32)

    def word(carry, number):
        states, registers = carry
        start, nothing = 32 * number, jnp.zeros(2 * number_of_matches, jnp.uint32)
        end = jnp.minimum(start + 32, turns)
        states, registers, played = jax.lax.fori_loop(start, end, turn, (states, registers, nothing))
        return (states, registers), played

    def begun(one, places):
        return jax.tree.map(lambda x: jnp.broadcast_to(x, (len(places), *x.shape)), one.start)

    registers = tuple(begun(one, places) for one, places in zip(machines, seats.machines, strict=True))
    _, played = jax.lax.scan(word, (jnp.asarray(seats.first), registers), jnp.arange(-(-turns // 32)))
    return Moves(played[:, :number_of_matches].T, played[:, number_of_matches:].T)


class Match(NamedTuple):
    """What two players did in one or several matches; True is C."""

    own: np.ndarray
    """`[repetitions, turns]` bool: moves of the first player."""
    other: np.ndarray
    """`[repetitions, turns]` bool: moves of the other."""


def play(
    one: str | Player, other: str | Player, turns: int = 200, noise: float = 0.0, *, perception: float = 0.0,
    repetitions: int = 1, game: Payoffs = STANDARD, told: bool = True, seed: int = 0,
) -> Match:  # fmt: skip
    """Two players meet in a repeated game.

    Args:
      one, other: names of `strategies()`, automata, or machines, in any mixture.
      turns: rounds of a match.
      noise: probability that a move is not what was meant; both see what was done. Of named players Michaelos,
        RemorsefulProber and FirstByGraaskamp would remember what they meant in Axelrod-Python, and do not here.
      perception: probability that a player sees the other's move wrong.
      repetitions: matches; each has a chance of its own, which depends on `seed` and its number.
      game: payoffs of a round, which a few named strategies look at.
      told: whether named players know how many turns there are.
      seed: of all chance.
    Returns: the moves.
    Raises: ParameterError for an unknown name, turns or repetitions below 1, or a probability out of range.

    Example:
      >>> match = play("TitForTat", "SuspiciousTitForTat", turns=4)
      >>> match.own.astype(int).tolist(), match.other.astype(int).tolist()
      ([[1, 0, 1, 0]], [[0, 1, 0, 1]])
    """
    turns = checked_turns(turns)
    for name, value in (("noise", noise), ("perception", perception)):
        if not 0 <= value <= 1:
            raise ParameterError(f"{name} = {value}: a probability, 0 to 1, is needed")
    repetitions, game = whole("repetitions", repetitions, "match"), checked_payoffs(game)
    players = [build(player, turns, told, game) if isinstance(player, str) else player for player in (one, other)]
    met = field(players)
    chance = noise > 0 or perception > 0 or any(player.stochastic for player in players)
    keys = jax.vmap(random.population_key, (None, None, 0))(seed, 0, jnp.arange(repetitions))
    seeds = jax.vmap(random.seeds)(keys)
    options = {"turns": turns, "noisy": chance, "misread": perception > 0}
    if met.machines:
        seats = met.seats(np.zeros(repetitions, int), np.ones(repetitions, int))
        moves = mixed_matches(met.machines, met.tables, seats, seeds, noise, perception, **options)
    else:
        start = (jnp.full(repetitions, first, jnp.int32) for first in met.first)
        moves = matches(met.tables, *start, seeds, noise, perception, **options)
    return Match(*(unpack(words, turns) for words in moves))
