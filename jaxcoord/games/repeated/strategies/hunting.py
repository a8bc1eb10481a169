"""Strategies that probe the other, look for a kind of player, and treat it accordingly."""

from __future__ import annotations

from collections.abc import Callable

from jaxcoord.games.repeated.automaton import Automaton, from_function
from jaxcoord.games.repeated.library import ANY, strategy


def probe(opening: str, verdict: Callable[[str], str]) -> Automaton:
    """Plays an opening, judges the other by its answers, and goes on in one of four ways.

    Args:
      opening: the first moves, letters C and D.
      verdict: the other's first moves, as many letters, to what is played from then on: "C" or "D", "T" for tit for
        tat, "G" for C until the other defects.
    """

    def cooperate(state: tuple[str, str]) -> bool:
        kind, seen = state
        if not kind:
            return opening[len(seen)] == "C"
        return kind in "CG" or (kind == "T" and seen[-1] == "C")

    def update(state: tuple[str, str], own: bool, other: bool) -> tuple[str, str]:
        kind, seen = state
        if kind:
            return "D" if kind == "G" and not other else kind, "DC"[other] if kind == "T" else ""
        seen += "DC"[other]
        return (verdict(seen), seen[-1]) if len(seen) == len(opening) else ("", seen)

    return from_function(("", ""), cooperate, update)


@strategy("Prober", memory=ANY, source="Li, Hingston & Kendall 2011")
def prober() -> Automaton:
    """Plays DCC; always defects against who cooperated in rounds 2 and 3, else plays tit for tat."""
    return probe("DCC", lambda seen: "D" if seen[1:] == "CC" else "T")


@strategy("Prober2", memory=ANY, source="PRISON, LIFL 1998")
def prober_2() -> Automaton:
    """Plays DCC; always cooperates with who played D and C in rounds 2 and 3, else plays tit for tat."""
    return probe("DCC", lambda seen: "C" if seen[1:] == "DC" else "T")


@strategy("Prober3", memory=ANY, source="PRISON, LIFL 1998")
def prober_3() -> Automaton:
    """Plays DC; always defects against who cooperated in round 2, else plays tit for tat."""
    return probe("DC", lambda seen: "D" if seen[1] == "C" else "T")


@strategy("HardProber", memory=ANY, source="PRISON, LIFL 1998")
def hard_prober() -> Automaton:
    """Plays DDCC; always defects against who cooperated in rounds 2 and 3, else plays tit for tat."""
    return probe("DDCC", lambda seen: "D" if seen[1:3] == "CC" else "T")


@strategy("Detective", memory=ANY, source="Case 2017")
def detective() -> Automaton:
    """Plays CDCC; plays tit for tat with who defected meanwhile, and always defects against all others."""
    return probe("CDCC", lambda seen: "T" if "D" in seen else "D")


@strategy("Handshake", memory=ANY, source="Robson 1990")
def handshake() -> Automaton:
    """Plays CD; always cooperates with who did the same, and defects against all others."""
    return probe("CD", lambda seen: "C" if seen == "CD" else "D")


@strategy("CollectiveStrategy", memory=ANY, source="Li & Kendall 2009")
def collective_strategy() -> Automaton:
    """Plays CD; cooperates with who did the same until it defects, and never with others."""
    return probe("CD", lambda seen: "G" if seen == "CD" else "D")


@strategy("GradualKiller", memory=ANY, source="PRISON, LIFL 1998")
def gradual_killer() -> Automaton:
    """Plays DDDDDCC; always defects against who defected in rounds 6 and 7, and cooperates with all others."""
    return probe("DDDDDCC", lambda seen: "D" if seen[5:] == "DD" else "C")


@strategy("Prober4", memory=ANY, source="PRISON, LIFL 1998")
def prober_4() -> Automaton:
    """Plays twenty moves; always defects if it met D beside own D and own C about as often, else CCCCC, tit for tat."""
    script = "CCDCDDDCCDCDCCDCDDCDCCCCC"
    # Registers: rounds played, -1 after a bad verdict; D beside own D less those beside own C; the other's last move.

    def cooperate(state: tuple[int, int, bool]) -> bool:
        turn, _, last = state
        return turn >= 0 and (script[turn] == "C" if turn < len(script) else last)

    def update(state: tuple[int, int, bool], own: bool, other: bool) -> tuple[int, int, bool]:
        turn, score, _ = state
        if turn < 0:
            return state
        score += (not other) * (-1 if own else 1) * (turn < 19)
        turn = min(turn + 1, len(script))
        if turn == 20:
            turn, score = -1 if abs(score) <= 2 else 20, 0
        return turn, score, other or turn < len(script)

    return from_function((0, 0, True), cooperate, update)


def adaptive_pavlov(classify: Callable[[str], str]) -> Automaton:
    """Plays tit for tat for six rounds, then, after each six rounds, tries to tell what the other is.

    Args: `classify`, the other's last six moves to a kind, or "" where they do not tell:
      "cooperative", answered with tit for tat; "defector"; "suspicious", answered by cooperating twice and then tit for
      tat; "pavlov", answered with DCCCCC; "patient", answered with tit for two tats. Before the first that tells,
      the other is taken for a defector.
    """

    def cooperate(state: tuple[str, str, str]) -> bool:
        kind, block, last = state
        return {
            "": last[-1] == "C",
            "cooperative": last[-1] == "C",
            "defector": False,
            "suspicious": len(block) < 2 or last[-1] == "C",
            "pavlov": len(block) > 0,
            "patient": last != "DD",
        }[kind]

    def update(state: tuple[str, str, str], own: bool, other: bool) -> tuple[str, str, str]:
        kind, block, last = state
        block, last = block + "DC"[other], last[-1] + "DC"[other]
        if len(block) < 6:
            return kind, block, last
        return classify(block) or kind or "defector", "", last

    return from_function(("", "", "CC"), cooperate, update)


@strategy("APavlov2006", memory=ANY, source="Li 2007")
def adaptive_pavlov_2006() -> Automaton:
    """Tells cooperators, defectors, suspicious tit for tat and Pavlov by six moves; defects against others."""
    kinds = {"CCCCCC": "cooperative", "DDDDDD": "defector", "DCDCDC": "suspicious", "DDCDDC": "pavlov"}
    return adaptive_pavlov(lambda block: kinds.get(block, ""))


@strategy("APavlov2011", memory=ANY, source="Li, Hingston & Kendall 2011")
def adaptive_pavlov_2011() -> Automaton:
    """Tells cooperators, defectors and patient players by how often they defected in six rounds."""
    return adaptive_pavlov(
        lambda block: ("cooperative", "", "", "patient", "defector", "defector", "defector")[block.count("D")]
    )


@strategy("MEM2", memory=ANY, source="Li & Kendall 2014")
def memory_2() -> Automaton:
    """Every two rounds picks tit for tat, tit for two tats or defection by what happened; defection twice is final."""

    def cooperate(state: tuple[str, int, int, str]) -> bool:
        kind, _, _, seen = state
        return seen[-1] != "D" if kind == "TFT" else seen[1::2] != "DD" if kind == "TFTT" else False

    def update(state: tuple[str, int, int, str], own: bool, other: bool) -> tuple[str, int, int, str]:
        kind, wait, defections, seen = state
        if defections == 2:
            return state
        seen = (seen + "DC"[own] + "DC"[other])[-4:]
        if wait > 1:
            return kind, wait - 1, defections, seen
        kind = {"CCCC": "TFT", "CDDC": "TFTT", "DCCD": "TFTT"}.get(seen, "ALLD")
        return kind, 2, defections + (kind == "ALLD"), seen

    return from_function(("TFT", 2, 0, "CCCC"), cooperate, update)


@strategy("OmegaTFT", memory=ANY, source="Slany & Kienreich 2007")
def omega_tit_for_tat(horizon: int) -> Automaton:
    """Tit for tat that breaks out of alternating retaliation, and gives up on who seems to play at random."""
    # Registers: the other's last two moves; what to play; signs of a deadlock; signs of randomness.

    def update(state: tuple[str, bool, int, int], own: bool, other: bool) -> tuple[str, bool, int, int]:
        seen, _, deadlock, randomness = state
        seen = (seen + "DC"[other])[-2:]
        if len(seen) < 2:
            return seen, other, 0, 0
        if deadlock >= 3:
            return seen, True, 4 if deadlock == 3 else 0, randomness
        changed = seen[0] != seen[1]
        randomness = max(randomness + changed + (own != other) - (seen == "CC"), -horizon)
        if randomness >= 8:
            return seen, False, deadlock, randomness
        return seen, other, deadlock + 1 if changed else 0, randomness

    return from_function(("", True, 0, 0), lambda state: state[1], update, horizon)


def _constant(name: str, move: str) -> None:
    def build() -> Automaton:
        return from_function(
            (0, True),
            lambda state: state[0] < 4 or not state[1],
            lambda state, own, other: (min(state[0] + 1, 4), state[1] and other == (move == "C")),
        )

    build.__doc__ = f"Cooperates, but defects after four rounds against who has always played {move}."
    strategy(name, memory=ANY, source="Axelrod-Python (Langner)")(build)


_constant("CooperatorHunter", "C")
_constant("DefectorHunter", "D")


@strategy("AlternatorHunter", memory=ANY, source="Axelrod-Python (Langner)")
def alternator_hunter() -> Automaton:
    """Cooperates, but defects for ever after six rounds against who has alternated in them."""
    return probe(6 * "C", lambda seen: "D" if seen in ("CDCDCD", "DCDCDC") else "C")


@strategy("CycleHunter", memory=ANY, source="Axelrod-Python (Harper)")
def cycle_hunter() -> Automaton:
    """Cooperates until the other has played a cycle of 3 to 12 moves, not all the same, twice; then always defects."""
    # Registers: the other's first moves, up to 11; for each cycle that is still possible, what would complete it.
    # None for a cycle that was completed.
    Registers = tuple[str, frozenset[str]] | None

    def update(state: Registers, own: bool, other: bool) -> Registers:
        if state is None:
            return None
        seen, awaited = state
        awaited = frozenset(rest[1:] for rest in awaited if rest[0] == "DC"[other])
        if "" in awaited:
            return None
        if len(seen) == 12:
            return seen, awaited
        seen += "DC"[other]
        if len(seen) >= 3 and len(set(seen)) == 2:
            awaited |= {seen}
        return seen if len(seen) < 12 else 12 * "-", awaited

    return from_function(("", frozenset()), lambda state: state is not None, update)
