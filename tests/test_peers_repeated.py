"""Move for move as in Axelrod-Python, and in the mean where chance decides. Needs the extra `peers`."""

import sys
from pathlib import Path

import numpy as np
import pytest

from jaxcoord.games.repeated.library import strategies
from jaxcoord.games.repeated.tournament import tournament

sys.path.insert(0, str(Path(__file__).parent.parent / "scripts"))
pytestmark = pytest.mark.peers
OPPONENTS = ["TitForTat", "Defector", "Cooperator", "WinStayLoseShift", "Grudger"]
# A table cannot tell what was meant from what was done: where these look at what they meant, noise parts us.
LOOK_AT_WHAT_WAS_MEANT = ("Michaelos", "RemorsefulProber", "FirstByGraaskamp")


def test_every_pair_of_deterministic_strategies_plays_the_same():
    import peers_repeated

    found = peers_repeated.match_fidelity()
    assert [work["different"] for work in found["works"]] == [[], []]


def compared(names, noise, matches):
    """Standard errors between mean scores and cooperation here and there, `[names, opponents, 2]`."""
    import axelrod

    ours = tournament([*names, *(o for o in OPPONENTS if o not in names)], turns=200, noise=noise, repetitions=400)
    off = []
    for name in names:
        for opponent in OPPONENTS:
            match = axelrod.Match((getattr(axelrod, name)(), getattr(axelrod, opponent)()), 200, noise=noise, seed=7)
            theirs = []
            for _ in range(matches):
                match.play()
                theirs.append([match.final_score()[0], match.cooperation()[0]])
            here = ours.sel(player=name, opponent=opponent)
            mine = np.column_stack([here.score, here.cooperations])
            theirs = np.array(theirs)
            error = np.sqrt(theirs.var(0, ddof=1) / matches + mine.var(0, ddof=1) / len(mine))
            apart = np.abs(theirs.mean(0) - mine.mean(0))
            off.append(np.where(error > 0, apart / np.where(error > 0, error, 1), np.where(apart > 0, np.inf, 0)))
    return np.array(off)


def test_stochastic_strategies_score_and_cooperate_as_often():
    names = [one.name for one in strategies() if one.stochastic and one.name not in ("GTFT", *LOOK_AT_WHAT_WAS_MEANT)]
    off = compared(names, 0.0, 60)
    assert off.max() < 4.7, "one in five hundred thousand, of some five hundred"
    assert np.square(off).mean() < 1.3


def test_noise_does_the_same_to_both():
    names = [one.name for one in strategies() if not one.stochastic][::9]
    off = compared(names, 0.05, 60)
    assert off.max() < 4.5
    assert np.square(off).mean() < 1.3
