"""Look-up tables of the last moves and of the other's first ones: certain, or with probabilities (gamblers)."""

from __future__ import annotations

from collections.abc import Sequence

from jaxcoord.games.repeated.automaton import Automaton, from_function
from jaxcoord.games.repeated.library import ANY, strategy


def look_up(own: int, other: int, opening: int, table: Sequence[float] | str, first: str) -> Automaton:
    """Cooperates as a table says about the last moves of both and the other's first ones.

    Args:
      own, other: how many of the last moves of each are looked at.
      opening: how many of the other's first moves are.
      table: `[2**(own + other + opening)]`, probabilities to cooperate, or a string of C and D; in the order of own
        moves, then the other's, then its first ones, each from the oldest on, C before D.
      first: moves while the match is shorter than the longest of the three.
    """
    chances = [float(entry == "C") for entry in table] if isinstance(table, str) else list(table)

    def chance(registers):
        mine, theirs, start, turn = registers
        if turn < len(first):
            return first[turn] == "C"
        return chances[sum((not move) << at for at, move in enumerate(reversed(mine + theirs + start)))]

    def update(registers, did, heard):
        mine, theirs, start, turn = registers
        start = start if len(start) == opening else (*start, heard)
        return latest((*mine, did), own), latest((*theirs, heard), other), start, min(turn + 1, len(first))

    return from_function(((), (), (), 0), chance, update)


def latest(moves: tuple, size: int) -> tuple:
    """The last `size` moves, all of them where there are less, none for 0."""
    return moves[max(len(moves) - size, 0) :]


@strategy("EvolvedLookerUp1_1_1", memory=ANY, source="Harper et al. 2017")
def evolved_1_1_1() -> Automaton:
    """Looks at the last move of both and at the other's first one; evolved against a library."""
    return look_up(1, 1, 1, "CDDDDCDD", "C")


@strategy("EvolvedLookerUp2_2_2", memory=ANY, source="Harper et al. 2017")
def evolved_2_2_2() -> Automaton:
    """Looks at the last two moves of both and at the other's first two; evolved against a library."""
    return look_up(2, 2, 2, "CDDCDCDDCDDDCDDDDDCDCDCCCDDCCDCDDDCCCCCDDDCDDDDDDDDDCCDDCDDDCCCD", "CC")


@strategy("Winner12", memory=2, source="Mathieu & Delahaye 2015")
def winner_12() -> Automaton:
    """Looks at its last move and at the other's last two; the best of all tables of that kind."""
    return look_up(1, 2, 0, "CDCDDCDD", "CC")


@strategy("Winner21", memory=2, source="Mathieu & Delahaye 2015")
def winner_21() -> Automaton:
    """As Winner12 but for one entry, and defects first."""
    return look_up(1, 2, 0, "CDCDCDDD", "DC")


@strategy("PSOGamblerMem1", memory=1, stochastic=True, source="Harper et al. 2017")
def gambler_memory_one() -> Automaton:
    """Four probabilities after the last round, tuned by a particle swarm against a library."""
    return look_up(1, 1, 0, [1, 0.52173487, 0, 0.12050939], "C")


@strategy("PSOGambler1_1_1", memory=ANY, stochastic=True, source="Harper et al. 2017")
def gambler_1_1_1() -> Automaton:
    """Probabilities by the last move of both and the other's first one, tuned by a particle swarm against a library."""
    return look_up(1, 1, 1, [1, 1, 0.12304797, 0.57740178, 0, 0, 0.13581423, 0.11886807], "C")


def numbers(text: str) -> list[float]:
    """The numbers in a text."""
    return [float(word) for word in text.split()]


# Own last two moves by rows of sixteen: CC, CD, DC, DD.
GAMBLER = """
    1 1 1 0 1 0.95280465 0 0 0 0.80897541 0 0 0.02126434 0 0.43278586 0
    0 0 1 0.15140743 1 0 0 0 1 0 0.23563137 0 0 0.65147565 1 0
    0 0.15412392 1 0 0 0.24922166 1 0 0 0 0.00227615 0 0 0 0 1
    0 0 0 0 0 0 0 1 0 0 0 0.77344942 1 0.24523149 1 0
"""
GAMBLER_NOISE = """
    1 1 0 0 0 1 0.98603825 1 1 0 0 0.16240799 0.63548102 0 0 0
    1 0 1 0 1 0.13863175 0.06434619 1 1 1 1 1 0 0.7724137 1 0
    0 0 1 0 1 1 0.50999729 1 0 0 0.00524508 0.87463905 0 0.07127653 1 0
    1 0 1 0 0 1 1 1 0 0.28124022 1 0 0 0 1 0
"""


@strategy("PSOGambler2_2_2", memory=ANY, stochastic=True, source="Koutsovoulos; Harper et al. 2017")
def gambler_2_2_2() -> Automaton:
    """Probabilities by the last two moves of both and the other's first two, tuned by a particle swarm."""
    return look_up(2, 2, 2, numbers(GAMBLER), "CC")


@strategy("PSOGambler2_2_2_Noise05", memory=ANY, stochastic=True, source="Harper et al. 2017")
def gambler_2_2_2_noise() -> Automaton:
    """As PSOGambler2_2_2, tuned where one move in twenty goes wrong."""
    return look_up(2, 2, 2, numbers(GAMBLER_NOISE), "CC")


@strategy("ZDMem2", memory=2, stochastic=True, source="Li 2014")
def zero_determinant_memory_two() -> Automaton:
    """A zero-determinant rule for the last two rounds: it fixes a linear relation between the two long-run payoffs."""
    rows = (11 / 12, 4 / 11), (5 / 6, 3 / 11), (2 / 3, 1 / 11), (3 / 4, 2 / 11)
    return look_up(2, 2, 0, [chance for row in rows for chance in (*row, 7 / 9, 1 / 10)], "CC")
