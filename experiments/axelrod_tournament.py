"""Who wins the repeated prisoner's dilemma? Axelrod's tournaments and the ecology of their entrants (Axelrod 1980).

Exact round robins of classic rules, what becomes of them as they reproduce by their scores, and a reconstruction of the
first tournament from the published descriptions. Nice rules, never the first to defect, are above all others.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from experiments.verdict import Row, Verdict
from jaxcoord import figures
from jaxcoord.figures import tournament as pictures
from jaxcoord.games.repeated.tournament import ecology, tournament

PAPER = "Axelrod 1980"
SCORES = "exact integers, games without chance"
CLASSICS = (
    "Cooperator", "Defector", "TitForTat", "SuspiciousTitForTat", "TitFor2Tats", "TwoTitsForTat", "Grudger",
    "WinStayLoseShift", "Alternator", "GoByMajority", "FirstByDavis",
)  # fmt: skip
FEW = ("Cooperator", "Defector", "TitForTat", "Grudger", "WinStayLoseShift")
NICE = {  # points per match of 200 turns in the reconstruction of a library, five repetitions
    "FirstBySteinAndRapoport": 514, "FirstByGrofman": 504.5, "FirstByShubik": 501.3, "TitForTat": 501.0,
    "FirstByTidemanAndChieruzzi": 495, "FirstByNydegger": 492, "FirstByDavis": 480, "Grudger": 479,
}  # fmt: skip
OTHERS = {
    "FirstByGraaskamp": 457, "FirstByDowning": 452, "FirstByFeld": 393, "FirstByJoss": 356, "FirstByTullock": 353,
    "FirstByAnonymous": 321, "Random": 321,
}  # fmt: skip
TOTALS = {  # of 200 turns against each of the eleven, itself included
    "TitForTat": 5997, "TitFor2Tats": 5895, "TwoTitsForTat": 5799, "Grudger": 5799, "GoByMajority": 5799,
    "FirstByDavis": 5796, "WinStayLoseShift": 5751, "Cooperator": 5697,
}  # fmt: skip
FROZEN = {
    "TitForTat": 0.1404, "TwoTitsForTat": 0.1280, "Grudger": 0.1280, "FirstByDavis": 0.1274, "TitFor2Tats": 0.1250,
    "WinStayLoseShift": 0.1205, "GoByMajority": 0.1178, "Cooperator": 0.1129,
}  # fmt: skip


def with_itself(data: Any) -> dict[str, float]:
    """Points of each player in all matches, that against itself included."""
    total = data.score.isel(repetition=0).sum("opponent")
    return {str(player): float(total.sel(player=player)) for player in total.player.values}


def run(out: Path, small: bool = False, fresh: bool = False) -> Verdict:
    """Play the round robins and the reconstruction, reproduce by score, compare and draw."""
    folder = out / f"axelrod_tournament{'_small' if small else ''}" / "figures"
    classics = tournament(CLASSICS, turns=200, repetitions=1)
    few = tournament(FEW, turns=10, repetitions=1)
    first = tournament([*NICE, *OTHERS], turns=200, repetitions=20 if small else 200, seed=1)
    points, short = with_itself(classics), with_itself(few)
    rows = [Row(f"eleven rules, 200 turns: {name}", points[name], total, 0, SCORES) for name, total in TOTALS.items()]
    rows.append(Row("... rank of TitForTat", sorted(points.values())[::-1].index(points["TitForTat"]) + 1, 1, 0, PAPER))
    for name, total in {"TitForTat": 129, "Grudger": 129, "WinStayLoseShift": 125, "Defector": 118}.items():
        rows.append(Row(f"five rules, 10 turns: {name}", short[name], total, 0, SCORES))
    alone = few.total.isel(repetition=0)
    rows.append(Row("... rank of Defector without matches against oneself",
                    int((alone > alone.sel(player="Defector")).sum()) + 1, 1, 0, SCORES))  # fmt: skip
    history = ecology(classics.payoff, 1000)
    at = {name: CLASSICS.index(name) for name in CLASSICS}
    for generation, share in ((1, 0.0652), (10, 0.0010), (1000, 0.0)):
        rows.append(Row(f"ecology: Defector after {generation}", history[generation, at["Defector"]], share, 5e-5,
                        "discrete replicator on exact scores"))  # fmt: skip
    for name, share in FROZEN.items():
        rows.append(Row(f"... {name} in the end", history[-1, at[name]], share, 5e-5, "the same"))
    ranked = [str(player) for player in first.sortby("rank").player.values]
    rows.append(Row("first tournament: nice rules among the first eight", len(set(ranked[:8]) & set(NICE)), 8, 0,
                    f"{PAPER}; reconstruction"))  # fmt: skip
    scored = 200 * first.normalised.mean("repetition")
    for name, points_published in (NICE | OTHERS).items():
        # Three standard errors of the five repetitions that were published: chance moves the others more.
        rows.append(Row(f"... points of {name}", float(scored.sel(player=name)), points_published,
                        9 if name in NICE else 20, "reconstruction of a library, five repetitions"))  # fmt: skip
    paths = [
        figures.save(pictures.ecology(history[:81], CLASSICS, title="Eleven rules reproduce by score"),
                     folder / "ecology.png"),
        figures.save(pictures.scores(first, title="First tournament, as described"), folder / "first_tournament.png"),
        figures.save(pictures.payoffs(classics, title="Payoffs of eleven rules"), folder / "payoffs.png"),
    ]  # fmt: skip
    return Verdict("axelrod-tournament: measured against Axelrod 1980", rows, paths)
