"""The minimal naming game: agents who invent names in pairs and end up with one, without anybody in charge.

A speaker says a random word of its inventory, a new one if that is empty. A hearer who does not know it learns it; one
who does agrees, and with probability beta both forget all others. A word is named for the agent who invented it, so
that N agents have at most N - 1 different words: the first invention leaves two agents who never need one.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxcoord.errors import ParameterError
from jaxcoord.networks.graph import whole

Array = jax.Array
NOTHING = -1
LARGEST_EXACT = 5  # agents of a chain that is solved exactly; the states grow faster than exponentially


class Names(NamedTuple):
    """N agents with room for W words each, and what has been counted so far."""

    words: Array
    """`[N, W]` int32: each agent's words from the left; what stands beyond its `size` does not count."""
    size: Array
    """`[N]` int32: words that each agent has."""
    holders: Array
    """`[N]` int32: agents who have the word of this number."""
    total: Array
    """`[]` int32: words of all agents together."""
    distinct: Array
    """`[]` int32: different words."""
    success: Array
    """`[]` bool: the last hearer knew the word."""
    dropped: Array
    """`[]` int32: words that were not learned for want of room; 0 in a run that can be trusted."""


def empty_names(agents: int, room: int) -> Names:
    """Agents without words. Args: `agents` N, at least 2; `room` W, at least 1, words that an agent can have."""
    agents, room = whole("agents", agents, 2), whole("room", room, 1)
    none = jnp.zeros((), jnp.int32)
    return Names(
        jnp.full((agents, room), NOTHING, jnp.int32),
        jnp.zeros(agents, jnp.int32),
        jnp.zeros(agents, jnp.int32),
        none,
        none,
        jnp.zeros((), bool),
        none,
    )


def interact(names: Names, speaker: Array, hearer: Array, word: Array, agrees: Any = True) -> Names:
    """One interaction in which a given word is said.

    Args:
      names: the agents; an empty speaker invents `word`.
      speaker, hearer: `[]` int32, two different agents.
      word: `[]` int32, 0 to N - 1, one of the speaker's unless it has none.
      agrees: whether the two, if the hearer knows the word, forget all others.
    Returns: the agents afterwards; `success` says whether the hearer knew the word.
    Source: Baronchelli, Felici, Loreto, Caglioti & Steels 2006; Baronchelli, Dall'Asta, Barrat & Loreto 2007 for beta.
    """
    room = names.words.shape[1]
    pair = jnp.stack([speaker, hearer])
    lists = names.words[pair]
    had = jnp.arange(room) < names.size[pair][:, None]
    invents = names.size[speaker] == 0
    knows = (had[1] & (lists[1] == word)).any()
    collapses = knows & agrees
    fits = names.size[hearer] < room
    learns = ~knows & fits

    # Both forget: every word they had has so many holders fewer; the one they agree on is put back below.
    lost = jnp.where(had & collapses, -1, 0)
    holders = names.holders.at[jnp.where(had, lists, 0)].add(lost)
    kept = 2 * collapses.astype(jnp.int32) + invents.astype(jnp.int32) + learns.astype(jnp.int32)
    holders = holders.at[word].add(kept)

    # Each of the two writes one entry: the word at the front, or behind the last, or what stands there already.
    front = collapses | jnp.stack([invents, jnp.zeros((), bool)])
    writes = front | jnp.stack([jnp.zeros((), bool), learns])
    place = jnp.where(front, 0, jnp.minimum(names.size[pair], room - 1))
    entry = jnp.where(writes, word, jnp.take_along_axis(lists, place[:, None], 1)[:, 0])
    size = jnp.where(front, 1, names.size[pair] + jnp.stack([jnp.zeros((), bool), learns]))

    return Names(
        names.words.at[pair, place].set(entry),
        names.size.at[pair].set(size),
        holders,
        names.total + (size - names.size[pair]).sum(dtype=jnp.int32),
        (holders > 0).sum(dtype=jnp.int32),
        knows,
        names.dropped + (~knows & ~fits),
    )


def _said(names: Names, event: Array) -> tuple[Names, Array]:
    names = interact(names, *event)
    return names, jnp.stack([names.success.astype(jnp.int32), names.total, names.distinct])


def naming_game_script(agents: int, events: Any, room: int | None = None) -> tuple[Names, Array]:
    """A listed course of the game with beta = 1.

    Args:
      agents: N.
      events: `[T, 3]`, speaker, hearer and the word said, 0 to N - 1; a speaker with no word invents it.
      room: words that an agent can have, by default N - 1, which is always enough.
    Returns: the agents at the end, and `[T, 3]` int32 after each event: whether it succeeded, words of all agents,
      different words.
    Raises: ParameterError for a number out of range, or who talks to itself.
    """
    agents = whole("agents", agents, 2)
    given = np.asarray(events)
    if given.ndim != 2 or given.shape[1] != 3 or given.dtype.kind not in "iu":
        raise ParameterError(f"events: shape {given.shape}; whole numbers [T, 3], speaker, hearer and word, are needed")
    wrong = ((given < 0) | (given >= agents)).any(1) | (given[:, 0] == given[:, 1])
    if wrong.any():
        at = int(np.flatnonzero(wrong)[0])
        raise ParameterError(f"events[{at}] = {given[at].tolist()}: two different agents and a word, each 0 to "
                             f"{agents - 1}, are needed")  # fmt: skip
    start = empty_names(agents, agents - 1 if room is None else room)
    return jax.lax.scan(_said, start, jnp.asarray(given, jnp.int32))


def naming_game_exact(agents: int, beta: float = 1.0) -> tuple[float, float]:
    """Mean and standard deviation of the interactions to consensus, from the absorbing chain; on the host, in float64.

    States are inventories up to renaming words and agents: 8 for N = 3, 59 for 4, 795 for 5. With the transitions Q
    between those that are no consensus, the mean solves (I - Q) m = 1 and the second moment (I - Q) v = 1 + 2 Q m.

    Args: `agents` N, 2 to 5; `beta`, probability that two who share a word forget the others, above 0 to 1.
    Source: Kemeny & Snell 1960, chapter 3, for the moments.
    """
    agents = whole("agents", agents, 2, LARGEST_EXACT)
    if not 0 < beta <= 1:
        raise ParameterError(f"beta = {beta}: a probability above 0 to 1 is needed, else there is no consensus")
    start = ((),) * agents
    number, rows, waiting = {start: 0}, [], [start]
    for state in waiting:
        row: dict[int, float] = {}
        for chance, after in _transitions(state, beta):
            if after not in number:
                number[after] = len(number)
                waiting.append(after)
            row[number[after]] = row.get(number[after], 0.0) + chance
        rows.append(row)
    chain = np.zeros((len(number), len(number)))
    for i, row in enumerate(rows):
        chain[i, list(row)] = list(row.values())
    on = [i for state, i in number.items() if state != ((0,),) * agents]
    system, within = np.eye(len(on)) - chain[np.ix_(on, on)], chain[np.ix_(on, on)]
    mean = np.linalg.solve(system, np.ones(len(on)))
    second = np.linalg.solve(system, 1 + 2 * within @ mean)
    return float(mean[0]), float(np.sqrt(max(second[0] - mean[0] ** 2, 0.0)))


def _transitions(state: tuple[tuple[int, ...], ...], beta: float) -> Iterator[tuple[float, Any]]:
    # (probability, canonical state) of every interaction that can happen next.
    size = len(state)
    fresh = 1 + max((word for own in state for word in own), default=-1)
    for speaker, hearer in itertools.permutations(range(size), 2):
        said = state[speaker] or (fresh,)
        for word in said:
            chance = 1 / (size * (size - 1) * len(said))
            after = list(state)
            after[speaker] = said
            if word in state[hearer]:
                agreed = [(word,) if i in (speaker, hearer) else own for i, own in enumerate(state)]
                yield chance * beta, _canonical(agreed)
                if beta < 1:
                    yield chance * (1 - beta), _canonical(after)
            else:
                after[hearer] = (*state[hearer], word)
                yield chance, _canonical(after)


def _canonical(state: Any) -> tuple[tuple[int, ...], ...]:
    # The first, in lexicographic order, of all ways to name the words and to order the agents.
    words = sorted({word for own in state for word in own})
    return min(
        tuple(sorted(tuple(sorted(names[word] for word in own)) for own in state))
        for order in itertools.permutations(range(len(words)))
        for names in [dict(zip(words, order, strict=True))]
    )
