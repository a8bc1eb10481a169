"""Strategies that look at the last few rounds only, and those that follow a fixed rhythm."""

from __future__ import annotations

from collections.abc import Callable

from jaxcoord.games.repeated.automaton import Automaton, from_function, memory_one
from jaxcoord.games.repeated.library import ANY, strategy


def recent(depth: int, cooperate: Callable[[str, str], bool]) -> Automaton:
    """A strategy that looks at the last rounds.

    Args:
      depth: how many rounds.
      cooperate: own moves and the other's, strings of at most `depth` letters C and D, the last round last, to
        whether to cooperate.
    """

    def update(seen: tuple[str, str], own: bool, other: bool) -> tuple[str, str]:
        mine, theirs = (past + "DC"[move] for past, move in zip(seen, (own, other), strict=True))
        return mine[-depth:], theirs[-depth:]

    return from_function(("", ""), lambda seen: cooperate(*seen), update)


@strategy("Cooperator", memory=0, source="Axelrod 1984")
def cooperator() -> Automaton:
    """Always cooperates."""
    return from_function(0, lambda _: True, lambda *_: 0)


@strategy("Defector", memory=0, source="Axelrod 1984")
def defector() -> Automaton:
    """Always defects."""
    return from_function(0, lambda _: False, lambda *_: 0)


@strategy("Alternator", memory=1, source="Axelrod 1984")
def alternator() -> Automaton:
    """Cooperates and defects by turns, beginning with C."""
    return memory_one(0, 0, 1, 1)


@strategy("TitForTat", memory=1, source="Rapoport in Axelrod 1980")
def tit_for_tat() -> Automaton:
    """Cooperates first, then does what the other did."""
    return memory_one(1, 0, 1, 0)


@strategy("SuspiciousTitForTat", memory=1, source="Beaufils, Delahaye & Mathieu 1997")
def suspicious_tit_for_tat() -> Automaton:
    """Tit for tat that begins with D."""
    return memory_one(1, 0, 1, 0, first=0)


@strategy("AntiTitForTat", memory=1, source="Hilbe, Nowak & Sigmund 2013")
def anti_tit_for_tat() -> Automaton:
    """Cooperates first, then does the opposite of what the other did."""
    return memory_one(0, 1, 0, 1)


@strategy("Bully", memory=1, source="Nachbar 1992")
def bully() -> Automaton:
    """Defects first, then does the opposite of what the other did."""
    return memory_one(0, 1, 0, 1, first=0)


@strategy("WinStayLoseShift", memory=1, source="Kraines & Kraines 1989; Nowak & Sigmund 1993")
def win_stay_lose_shift() -> Automaton:
    """Pavlov: repeats a move after which the other cooperated, changes it otherwise."""
    return memory_one(1, 0, 0, 1)


@strategy("WinShiftLoseStay", memory=1, source="Li, Hingston & Kendall 2011")
def win_shift_lose_stay() -> Automaton:
    """Pavlov reversed: changes a move after which the other cooperated, repeats it otherwise; begins with D."""
    return memory_one(0, 1, 1, 0, first=0)


@strategy("Appeaser", memory=ANY, source="Axelrod-Python (Müller)")
def appeaser() -> Automaton:
    """Keeps to its move, C at first, until the other defects, then to the opposite one."""
    return memory_one(1, 0, 0, 1)


@strategy("TitFor2Tats", memory=2, source="Maynard Smith in Axelrod 1984")
def tit_for_2_tats() -> Automaton:
    """Defects after two defections in a row."""
    return recent(2, lambda own, other: other != "DD")


@strategy("TwoTitsForTat", memory=2, source="Axelrod 1984")
def two_tits_for_tat() -> Automaton:
    """Answers a defection with two."""
    return recent(2, lambda own, other: "D" not in other)


@strategy("HardTitForTat", memory=3, source="Axelrod-Python")
def hard_tit_for_tat() -> Automaton:
    """Answers a defection with three."""
    return recent(3, lambda own, other: "D" not in other)


@strategy("HardTitFor2Tats", memory=3, source="Stewart & Plotkin 2012")
def hard_tit_for_2_tats() -> Automaton:
    """Defects if two of the last three moves, in a row, were defections."""
    return recent(3, lambda own, other: "DD" not in other)


@strategy("SlowTitForTwoTats2", memory=2, source="PRISON, LIFL 1998")
def slow_tit_for_two_tats() -> Automaton:
    """Cooperates twice, then takes up a move that the other made twice in a row, and else keeps to its own."""
    return recent(2, lambda own, other: len(own) < 2 or (other if other in ("CC", "DD") else own)[-1] == "C")


@strategy("AON2", memory=2, source="Hilbe, Martinez-Vaquero, Chatterjee & Nowak 2017")
def all_or_none() -> Automaton:
    """All or none: cooperates if both made the same move in each of the last two rounds."""
    return recent(2, lambda own, other: own == other or len(own) < 2)


@strategy("DelayedAON1", memory=2, source="Hilbe, Martinez-Vaquero, Chatterjee & Nowak 2017")
def delayed_all_or_none() -> Automaton:
    """Win-stay lose-shift that wants a second look: both alike twice, or both D after one of them had cooperated."""
    kind = {("CD", "DD"), ("DD", "CD")}
    return recent(2, lambda own, other: own == other or len(own) < 2 or (own, other) in kind)


# Histories of three rounds, own moves and the other's, after which CAPRI cooperates.
_CAPRI = (
    "CCC CCC",  # cooperate
    "CCD CCC, CDC CCD, DCC CDC, CCC DCC",  # accept punishment for one's own mistake
    "CCD CDC, CDC DCC, DCC CCC",  # punish once (CCC CCD is not in the list), then make up
    "DDD DDC, DDC DCC, DCC CCC, DDC DDD, DCC DDC, CCC DCC, DDC DDC, DCC DCC",  # recover
)


@strategy("Capri", memory=3, source="Murase & Baek 2020")
def capri() -> Automaton:
    """Cooperates, accepts punishment, punishes once, recovers, and is implacable in all other cases."""
    kind = {tuple(pair.split()) for rule in _CAPRI for pair in rule.split(", ")}
    return recent(3, lambda own, other: (own.rjust(3, "C"), other.rjust(3, "C")) in kind)


@strategy("Resurrection", memory=5, source="Arnold 2015")
def resurrection() -> Automaton:
    """Tit for tat, but defects once it has defected five times in a row."""
    return recent(5, lambda own, other: own != "DDDDD" and other[-1:] != "D")


@strategy("DoubleResurrection", memory=5, source="Arnold 2015")
def double_resurrection() -> Automaton:
    """Tit for tat that defects after five own cooperations in a row, and cooperates after five own defections."""

    def cooperate(own: str, other: str) -> bool:
        return own == "DDDDD" or (own != "CCCCC" and other[-1:] != "D")

    return recent(5, cooperate)


@strategy("ContriteTitForTat", memory=3, source="Boyd 1989; Wu & Axelrod 1995")
def contrite_tit_for_tat() -> Automaton:
    """Tit for tat that, having defected by mistake, takes the answer without complaint until it has cooperated."""

    def update(state: tuple[bool, bool], own: bool, other: bool) -> tuple[bool, bool]:
        meant, contrite = state
        if contrite and own:
            return True, False
        return other, contrite or (meant and not own and other)

    return from_function((True, False), lambda state: state[0], update)
