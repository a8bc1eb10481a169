"""Strategies that bear a grudge: for ever, for a while, or until they are even; and those that betray at the end."""

from __future__ import annotations

from jaxcoord.games.repeated.automaton import Automaton, automaton, from_function, memory_one
from jaxcoord.games.repeated.library import ANY, strategy

TIT_FOR_TAT = memory_one(1, 0, 1, 0)


def grudge(provocations: int, opening: int = 0, first: bool = True) -> Automaton:
    """Cooperates until the other has defected so often, then never again.

    Args: `provocations`, how many defections; `opening`, rounds in which `first` is played whatever happens.
    """
    return from_function(
        (0, 0),
        lambda state: first if state[0] < opening else state[1] < provocations,
        lambda state, own, other: (min(state[0] + 1, opening), min(state[1] + (not other), provocations)),
    )


def defect_at_end(table: Automaton, length: int | None, rounds: int) -> Automaton:
    """The same strategy, but it defects in the last rounds of a match if it knows the length of it."""
    if length is None:
        return table
    return from_function(
        (0, 0),
        lambda state: 0.0 if state[0] >= length - rounds else table.cooperate[state[1]],
        lambda state, own, other: (min(state[0] + 1, length), int(table.after[state[1], 3 - 2 * own - other])),
    )


@strategy("Grudger", memory=ANY, source="Friedman 1971; Axelrod 1980")
def grudger() -> Automaton:
    """Grim: cooperates until the other defects, then never again."""
    return grudge(1)


@strategy("Aggravater", memory=ANY, source="Axelrod-Python (Campbell)")
def aggravater() -> Automaton:
    """Defects three times, then plays as Grudger."""
    return grudge(1, opening=3, first=False)


@strategy("SpitefulCC", memory=ANY, source="Mathieu & Delahaye 2015")
def spiteful_cc() -> Automaton:
    """Cooperates twice, then plays as Grudger."""
    return grudge(1, opening=2)


@strategy("FoolMeOnce", memory=ANY, source="Axelrod-Python (Harper)")
def fool_me_once() -> Automaton:
    """Forgives one defection, but never a second one."""
    return grudge(2)


@strategy("EasyGo", memory=ANY, source="PRISON, LIFL 1998")
def easy_go() -> Automaton:
    """Defects until the other defects, then always cooperates."""
    return automaton([0, 1], [[0, 1, 0, 1], [1, 1, 1, 1]])


@strategy("OppositeGrudger", memory=ANY, source="Axelrod-Python (Palmer)")
def opposite_grudger() -> Automaton:
    """Defects until the other cooperates, then always cooperates."""
    return automaton([0, 1], [[1, 0, 1, 0], [1, 1, 1, 1]])


@strategy("GrudgerAlternator", memory=ANY, source="PRISON, LIFL 1998")
def grudger_alternator() -> Automaton:
    """Cooperates until the other defects, then alternates D and C."""
    return automaton([1, 0, 1], [[0, 1, 0, 2], [1, 1, 2, 2], [1, 1, 2, 2]])


def punish(provocations: int, plan: str) -> Automaton:
    """Cooperates until the other has defected so many times in a row, plays a plan, and looks again.

    Args: `provocations`, defections in a row; `plan`, moves such as DDDDCC.
    """

    def update(state: tuple[int, int], own: bool, other: bool) -> tuple[int, int]:
        row, left = state
        row, left = 0 if other else min(row + 1, provocations), max(left - 1, 0)
        return row, left or len(plan) * (row == provocations)

    return from_function((0, 0), lambda state: not state[1] or plan[-state[1]] == "C", update)


@strategy("ForgetfulGrudger", memory=10, source="Axelrod-Python (Palmer)")
def forgetful_grudger() -> Automaton:
    """Cooperates until the other defects, then defects ten times and forgets."""
    return punish(1, 10 * "D")


@strategy("SoftGrudger", memory=6, source="Li, Hingston & Kendall 2011")
def soft_grudger() -> Automaton:
    """Answers a defection with DDDDCC."""
    return punish(1, "DDDDCC")


@strategy("GeneralSoftGrudger", memory=ANY, source="Axelrod-Python (Smith)")
def general_soft_grudger() -> Automaton:
    """Answers a defection with DDDDCC; the strategy of which SoftGrudger is a case, at its defaults."""
    return punish(1, "DDDDCC")


@strategy("OnceBitten", memory=12, source="Axelrod-Python (Marissa)")
def once_bitten() -> Automaton:
    """Cooperates until the other defects twice in a row, then defects, and holds the grudge ten more rounds."""
    return punish(2, 11 * "D")


@strategy("NTitsForMTats", memory=ANY, source="Axelrod-Python (Harper)")
def n_tits_for_m_tats() -> Automaton:
    """Answers each two defections in a row with three, counted from the last of them."""

    def update(state: tuple[int, int], own: bool, other: bool) -> tuple[int, int]:
        row = 0 if other else min(state[0] + 1, 2)
        return row, 3 if row == 2 else max(state[1] - 1, 0)

    return from_function((0, 0), lambda state: not state[1], update)


def gradual(horizon: int, counts_always: bool) -> Automaton:
    """Answers the n-th defection with n of its own and two acts of reconciliation.

    Args: `counts_always`: whether defections count that the other made meanwhile.
    """

    def update(state: tuple[int, int], own: bool, other: bool) -> tuple[int, int]:
        defections, left = state
        left = max(left - 1, 0)
        defections += not other and (counts_always or not left)
        return defections, left or (0 if other else min(defections, horizon) + 2)

    return from_function((0, 0), lambda state: state[1] <= 2, update, horizon)


@strategy("Gradual", memory=ANY, source="CRISTAL, Lille 2018")
def gradual_of_all(horizon: int) -> Automaton:
    """Answers a defection with as many as the other has made so far, then cooperates twice whatever happens."""
    return gradual(horizon, True)


@strategy("OriginalGradual", memory=ANY, source="Beaufils, Delahaye & Mathieu 1997")
def original_gradual(horizon: int) -> Automaton:
    """Punishes with one defection, the next time with two, and so on; cooperates twice after each punishment."""
    return gradual(horizon, False)


def _score(score: int, own: bool, other: bool, parts: tuple[int, int], horizon: int) -> int:
    # Above zero while the other's successes, D against C, are more than a share of one's own. Wins lower it by `won`,
    # so that a score above what all rounds could win back makes no difference.
    lost, won = parts
    return max(-horizon * won, min(score + lost * (own and not other) - won * (other and not own), horizon * won + 1))


def _retaliate(name: str, parts: tuple[int, int]) -> None:
    def build(horizon: int) -> Automaton:
        return from_function(
            0, lambda score: score <= 0, lambda score, own, other: _score(score, own, other, parts, horizon), horizon
        )

    build.__doc__ = f"Defects while exploited more than {parts[1] / parts[0]:.0%} as often as it exploited the other."
    strategy(name, memory=ANY, source="Axelrod-Python (Campbell)")(build)


def _retaliate_limited(name: str, parts: tuple[int, int], limit: int) -> None:
    def build(horizon: int) -> Automaton:
        def update(state: tuple[int, int], own: bool, other: bool) -> tuple[int, int]:
            score, done = state
            done = 0 if score <= 0 or done == limit else done + 1
            return _score(score, own, other, parts, horizon), done

        return from_function((0, 0), lambda state: state[0] <= 0 or state[1] == limit, update, horizon)

    build.__doc__ = f"As Retaliate with {parts[1] / parts[0]:.0%}, but no more than {limit} defections in a row."
    strategy(name, memory=ANY, source="Axelrod-Python (Campbell)")(build)


_retaliate("Retaliate", (10, 1))
_retaliate("Retaliate2", (25, 2))
_retaliate("Retaliate3", (20, 1))
_retaliate_limited("LimitedRetaliate", (10, 1), 20)
_retaliate_limited("LimitedRetaliate2", (25, 2), 15)
_retaliate_limited("LimitedRetaliate3", (20, 1), 20)


@strategy("SpitefulTitForTat", memory=ANY, source="PRISON, LIFL 1998")
def spiteful_tit_for_tat() -> Automaton:
    """Tit for tat until the other defects twice in a row, then never cooperates again."""
    return automaton([1, 0, 0], [[0, 1, 0, 1], [0, 2, 0, 2], [2, 2, 2, 2]])


@strategy("SneakyTitForTat", memory=ANY, source="Axelrod-Python (Langner)")
def sneaky_tit_for_tat() -> Automaton:
    """Cooperates twice, then defects until it is punished; repents once of what was punished, and plays tit for tat."""

    def cooperate(state: tuple[str, bool, bool]) -> bool:
        own, innocent, last = state
        return len(own) < 2 or (not innocent and (last or own[0] == "D"))

    def update(state: tuple[str, bool, bool], own: bool, other: bool) -> tuple[str, bool, bool]:
        return (state[0] + "DC"[own])[-2:], state[1] and other, other

    return from_function(("", True, True), cooperate, update)


@strategy("Alexei", memory=ANY, source="LessWrong 2011")
def alexei(length: int | None) -> Automaton:
    """Tit for tat that defects in the last round."""
    return defect_at_end(TIT_FOR_TAT, length, 1)


@strategy("EugineNier", memory=ANY, source="LessWrong 2011")
def eugine_nier(length: int | None) -> Automaton:
    """Tit for tat that defects in the last round, and always after five defections of the other."""
    table = from_function(
        (True, 0),
        lambda state: state[0] and state[1] < 5,
        lambda state, own, other: (other, min(state[1] + (not other), 5)),
    )
    return defect_at_end(table, length, 1)


@strategy("BackStabber", memory=ANY, source="Axelrod-Python (Campbell)")
def back_stabber(length: int | None) -> Automaton:
    """Forgives three defections, not a fourth one, and defects in the last two rounds."""
    return defect_at_end(grudge(4), length, 2)


@strategy("DoubleCrosser", memory=ANY, source="Axelrod-Python (Campbell)")
def double_crosser(length: int | None) -> Automaton:
    """Plays as BackStabber, but in rounds 8 to 180 as TitFor2Tats against who did not defect in the first seven."""

    def cooperate(state: tuple[int, int, int, bool]) -> bool:
        turn, defections, row, trusted = state
        return row < 2 if trusted and 7 <= turn < 180 else defections < 4

    def update(state: tuple[int, int, int, bool], own: bool, other: bool) -> tuple[int, int, int, bool]:
        turn, defections, row, trusted = state
        trusted = trusted and (other or turn >= 7)
        row = 0 if other or not trusted else min(row + 1, 2)
        return min(turn + 1, 180), min(defections + (not other), 4), row, trusted

    return defect_at_end(from_function((0, 0, 0, True), cooperate, update), length, 2)
