"""Finite machines: those of the fingerprint literature, machines that were evolved, and fixed cycles of moves.

A machine answers the other's last move with a move and a next state. Tables are as published; states that are never
reached are left out.
"""

from __future__ import annotations

from jaxcoord.games.repeated.automaton import Automaton, automaton, from_function
from jaxcoord.games.repeated.library import ANY, strategy


def machine(first: str, answers: str) -> Automaton:
    """A machine whose move depends on its state and on the other's last move.

    Args:
      first: the first move and the state in which it is made, such as `C0`.
      answers: for each state, in order, the move and the next state after the other's C, and after its D, such as
        `C0 D1, D0 C1`.
    """
    table = [[(answer[0] == "C", int(answer[1:])) for answer in state.split()] for state in answers.split(", ")]
    start = first[0] == "C", int(first[1:])
    return from_function(start, lambda now: now[0], lambda now, own, other: table[now[1]][not other])


def cycle(moves: str) -> Automaton:
    """Plays the same moves over and over, whatever the other does."""
    return automaton([move == "C" for move in moves], [[(at + 1) % len(moves)] * 4 for at in range(len(moves))])


@strategy("Fortress3", memory=2, source="Ashlock & Ashlock 2006")
def fortress_3() -> Automaton:
    """Cooperates with who cooperates once both have opened with two defections; after any slip it opens again."""
    return machine("D0", "D0 D1, D0 C2, C2 D0")


@strategy("Fortress4", memory=3, source="Ashlock & Ashlock 2006")
def fortress_4() -> Automaton:
    """Cooperates with who cooperates once both have opened with three defections; after any slip it opens again."""
    return machine("D0", "D0 D1, D0 D2, D0 C3, C3 D0")


@strategy("Predator", memory=ANY, source="Ashlock & Ashlock 2006")
def predator() -> Automaton:
    """Nine states that feel their way to one in which the other's cooperation is never returned."""
    return machine("C0", "D0 D1, D2 D3, C4 D3, D5 C4, C2 D6, D7 D3, C7 D7, D8 D7, D8 D6")


@strategy("Pun1", memory=ANY, source="Ashlock, Kim & Leahy 2006")
def pun_1() -> Automaton:
    """Defects first; then every other move is cooperation, and those between copy the other."""
    return machine("D0", "C1 C1, C0 D0")


@strategy("Raider", memory=ANY, source="Ashlock, Tsang & Ashlock 2014")
def raider() -> Automaton:
    """Four states that exploit cooperation and offer some of their own only after defection."""
    return machine("D0", "D2 D2, C1 D1, D0 C3, D0 C1")


@strategy("Ripoff", memory=3, source="Ashlock & Kim 2008")
def ripoff() -> Automaton:
    """Alternates, defecting first, until the other defects; then cooperates once and plays tit for tat."""
    return machine("D0", "C1 C2, D0 C2, C2 D2")


@strategy("SolutionB1", memory=2, source="Ashlock, Brown & Hingston 2015")
def solution_b1() -> Automaton:
    """Defects until the other cooperates and once more, then cooperates for good."""
    return machine("D0", "D1 D0, C1 C2, C2 C2")


@strategy("SolutionB5", memory=ANY, source="Ashlock, Brown & Hingston 2015")
def solution_b5() -> Automaton:
    """Six states, evolved against several opponents at once: good to cooperators, hard on defectors."""
    return machine("D0", "C1 D5, C1 D2, C5 D0, C2 D5, D4 D3, C2 D4")


@strategy("TF1", memory=ANY, source="Knight et al. 2018")
def tf_1() -> Automaton:
    """Sixteen states, evolved to take over a population of others by a Moran process."""
    return machine(
        "C0",
        "C7 C1, D11 D11, D8 C8, C3 D12, C6 C3, C11 D8, D13 C14, D4 D2, D14 D8, "
        "C0 D10, C8 C15, D6 D5, D6 D9, D9 D8, D8 D13, C4 C5",
    )


@strategy("TF2", memory=ANY, source="Knight et al. 2018")
def tf_2() -> Automaton:
    """Fourteen states, evolved to take over a population of others by a Moran process."""
    return machine(
        "C0", "D11 D10, D3 D4, D12 D7, C0 D1, D1 D2, D10 D2, D5 D7, D6 D0, C2 C13, D5 D11, C3 D6, C5 D8, D8 D5, C13 D9"
    )


@strategy("TF3", memory=ANY, source="Knight et al. 2018")
def tf_3() -> Automaton:
    """Eight states, evolved to take over a population of others by a Moran process."""
    return machine("C0", "C0 C3, D5 C0, C3 D2, D4 D6, C3 D1, C6 D3, D6 D6, D7 C5")


@strategy("Thumper", memory=ANY, source="Ashlock & Kim 2008")
def thumper() -> Automaton:
    """Answers a defection with two, deaf to what comes in between."""
    return machine("C0", "C0 D1, D0 D0")


@strategy("UsuallyCooperates", memory=ANY, source="Ashlock, Kim & Ashlock 2009")
def usually_cooperates() -> Automaton:
    """Cooperates, but for one defection when the other has gone from defection to cooperation."""
    return machine("C0", "C0 C1, D0 C0")


@strategy("UsuallyDefects", memory=ANY, source="Ashlock, Kim & Ashlock 2009")
def usually_defects() -> Automaton:
    """Defects, but for one cooperation when the other has gone from cooperation to defection."""
    return machine("D0", "D1 D0, D0 C0")


@strategy("EvolvedFSM4", memory=ANY, source="Harper et al. 2017")
def evolved_fsm_4() -> Automaton:
    """Four states, evolved for its score against the strategies of a library."""
    return machine("C0", "C0 D2, D3 C0, D2 C1, D3 D1")


@strategy("EvolvedFSM6", memory=ANY, source="Vincent & Fryer in Axelrod-Python 4.10")
def evolved_fsm_6() -> Automaton:
    """Six states, evolved for its score against the strategies of a library."""
    return machine("C2", "D0 D5, D4 C2, C2 D4, D0 D5, C1 D3, C0 D1")


@strategy("EvolvedFSM16", memory=ANY, source="Harper et al. 2017")
def evolved_fsm_16() -> Automaton:
    """Fourteen states that are reached of sixteen, evolved for their score against the strategies of a library."""
    return machine(
        "C0",
        "C0 D10, D3 C5, D2 D12, D3 D3, D10 D8, C4 D10, D3 C1, C4 C4, D9 C7, D13 D4, C7 D9, D11 D6, D11 D11, D13 C2",
    )


@strategy("EvolvedFSM16Noise05", memory=ANY, source="Harper et al. 2017")
def evolved_fsm_16_noise() -> Automaton:
    """Fourteen states that are reached of sixteen, evolved where one move in twenty goes wrong."""
    return machine(
        "C0", "C7 D3, C11 D13, C10 D3, C8 D3, D5 D4, D4 D8, C7 D6, C2 D4, D4 D1, D12 C11, C11 C2, C11 C6, D3 D11, D5 C9"
    )


@strategy("CyclerDC", memory=1, source="Harper in Axelrod-Python")
def cycler_dc() -> Automaton:
    """Plays DC over and over."""
    return cycle("DC")


@strategy("CyclerCCD", memory=2, source="Mittal & Deb 2009")
def cycler_ccd() -> Automaton:
    """Plays CCD over and over."""
    return cycle("CCD")


@strategy("CyclerDDC", memory=2, source="Mittal & Deb 2009")
def cycler_ddc() -> Automaton:
    """Plays DDC over and over."""
    return cycle("DDC")


@strategy("CyclerCCCD", memory=3, source="Harper in Axelrod-Python")
def cycler_cccd() -> Automaton:
    """Plays CCCD over and over."""
    return cycle("CCCD")


@strategy("CyclerCCCCCD", memory=5, source="Harper in Axelrod-Python")
def cycler_cccccd() -> Automaton:
    """Plays CCCCCD over and over."""
    return cycle("CCCCCD")


@strategy("CyclerCCCDCD", memory=5, source="Harper in Axelrod-Python")
def cycler_cccdcd() -> Automaton:
    """Plays CCCDCD over and over."""
    return cycle("CCCDCD")


@strategy("AntiCycler", memory=ANY, source="Harper in Axelrod-Python")
def anti_cycler(horizon: int) -> Automaton:
    """Plays CDD, CD, CCD, CCCD and so on, with one more C each time, so that no cycle appears."""
    moves = "CDD"
    run = 0
    while len(moves) < horizon:
        run += 1
        moves += "C" * run + "D"
    return cycle(moves[:horizon])
