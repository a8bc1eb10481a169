"""Exact fingerprints of strategies: what one earns against a plane of opponents, and what it does round by round.

Against each opponent the product chain is solved, so there is no sampling error and the limit of long matches is there.
"""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any

import jax
import numpy as np

from jaxcoord.errors import ParameterError
from jaxcoord.games.repeated.automaton import Automaton, automaton, memory_one
from jaxcoord.games.repeated.exact import cooperation_rate, outcome_matrix, outcomes_by_turn, payoff
from jaxcoord.games.repeated.library import STANDARD, Payoffs


def dual(strategy: Automaton) -> Automaton:
    """The strategy that does the opposite whatever happens, and takes its own moves for their opposites to do so."""
    return automaton(1 - strategy.cooperate, strategy.after[:, [2, 3, 0, 1]])


def joss_ann(probe: Automaton, x: float, y: float) -> Automaton:
    """A strategy that plays C with probability x, D with probability y, and otherwise as the probe would.

    Where x + y exceeds 1 it is the one of the dual probe at (1 - y, 1 - x). So all over the square it cooperates with
    1 - y where the probe would, and with x where it would not.

    Args: `probe`, which goes on from what was really played; `x`, `y`, 0 to 1.
    Raises: ParameterError where x or y is no probability.
    Source: Ashlock & Kim 2008; Ashlock, Kim & Ashlock 2010 for the dual.
    """
    for name, value in (("x", x), ("y", y)):
        if not 0 <= value <= 1:
            raise ParameterError(f"{name} = {value:g}: a probability, 0 to 1, is needed")
    chance = probe.cooperate * (1 - y) + (1 - probe.cooperate) * x
    return automaton(chance, (probe if x + y <= 1 else dual(probe)).after)


def ashlock_fingerprint(
    strategy: Automaton, probe: Automaton | None = None, *, points: int | Sequence[float] = 21,
    game: Payoffs = STANDARD, turns: int | None = None, continuation: Any = None, noise: Any = 0.0,
) -> Any:  # fmt: skip
    """Payoff per round of a strategy against Joss-Ann strategies of a probe, over the unit square.

    This is the double fingerprint: below the diagonal x + y = 1 from the probe, above it from its dual.

    Args:
      strategy: whose fingerprint is taken.
      probe: tit-for-tat unless given.
      points: how many x and how many y, evenly from 0 to 1, or which.
      game: payoffs R, S, T, P of a round.
      turns, continuation, noise: as in `exact.outcome_matrix`; the limit of means unless one of the first two is given.
    Returns: an `xarray.DataArray`, payoffs over ("x", "y"). In the limit of means a corner of the square depends on
      what is played first.
    Source: Ashlock & Kim 2008; Ashlock, Kim & Ashlock 2010 for the double fingerprint.
    """
    at = _points(points)
    probe = memory_one(1, 0, 1, 0) if probe is None else probe
    opponents = [joss_ann(probe, x, y) for x in at.tolist() for y in at.tolist()]
    rates = outcome_matrix([strategy], opponents, turns=turns, continuation=continuation, noise=noise)
    earned = np.asarray(payoff(rates[0], game)).reshape(len(at), len(at))
    import xarray

    return xarray.DataArray(earned, {"x": at, "y": at}, name="payoff")


def transitive_fingerprint(
    strategy: Automaton, opponents: int | Sequence[float] | Sequence[Automaton] = 50, turns: int = 50, *,
    noise: Any = 0.0,
) -> Any:  # fmt: skip
    """Probability that a strategy cooperates in each round against each of a row of opponents.

    Args:
      strategy: whose fingerprint is taken.
      opponents: how many random strategies, which cooperate with probabilities evenly from 0 to 1, or with which
        probabilities; or automata.
      turns: rounds.
      noise: probability that a move is not what was meant.
    Returns: an `xarray.DataArray` over ("opponent", "turn"). The coordinate of an opponent is its probability to
      cooperate, or its number among the automata; turns are counted from 1.
    Source: Harper et al. 2017, whose fingerprints average simulated matches.
    """
    if isinstance(opponents, int | Integral) or not any(isinstance(one, Automaton) for one in opponents):
        chances = _points(opponents)
        row, others = chances, [automaton([chance], [[0] * 4]) for chance in chances.tolist()]
    else:
        others = list(opponents)  # type: ignore[arg-type]
        row = np.arange(len(others))
    rates: jax.Array = outcomes_by_turn(strategy, others, turns, noise=noise)
    cooperates = np.asarray(cooperation_rate(rates))
    import xarray

    return xarray.DataArray(cooperates, {"opponent": row, "turn": np.arange(1, turns + 1)}, name="cooperation")


def _points(points: Any) -> np.ndarray:
    if not isinstance(points, Integral):
        return np.asarray(points, float)
    if points < 2:
        raise ParameterError(f"points = {points}: at least 2, from 0 to 1, are needed")
    return np.linspace(0, 1, int(points))
