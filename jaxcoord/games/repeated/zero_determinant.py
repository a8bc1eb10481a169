"""Zero-determinant strategies: memory-one strategies that hold both payoffs to a line, whatever the other does.

With a slope and a baseline, s_other - baseline = slope (s_own - baseline) in the long run. They exist where
p - (1, 1, 0, 0) = phi [slope (S_own - baseline) - (S_other - baseline)] over the outcomes CC, CD, DC, DD is made of
probabilities. All of this is about games without errors and without end.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from jaxcoord.errors import ParameterError
from jaxcoord.games.repeated.library import STANDARD, Payoffs, checked_payoffs

_REPEAT = np.array([1.0, 1.0, 0.0, 0.0])


def _dilemma(game: Payoffs) -> tuple[float, float, float, float]:
    r, s, t, p = (float(x) for x in game)
    if not (t > r > p > s and 2 * r > s + t):
        raise ParameterError(f"game: T, R, P, S = {t:g}, {r:g}, {p:g}, {s:g}; T > R > P > S and 2 R > S + T are needed")
    return r, s, t, p


def _line(slope: float, baseline: float, game: Payoffs) -> np.ndarray:
    # What phi is multiplied with: at most 0 after CC and CD, at least 0 after DC and DD.
    r, s, t, p = _dilemma(game)
    own, other = np.array([r, s, t, p]), np.array([r, t, s, p])
    return slope * (own - baseline) - (other - baseline)


def largest_phi(slope: float, baseline: float, game: Payoffs = STANDARD) -> float:
    """The largest phi with which a zero-determinant strategy exists; every smaller one above 0 serves too.

    Args: as in `zero_determinant`.
    Raises: ParameterError where no phi serves.
    Source: Hilbe, Nowak & Sigmund 2013, supplement.
    """
    r, _, _, p = _dilemma(game)
    if not slope <= 1:
        raise ParameterError(f"slope = {slope:g}: at most 1, where both earn the same, is possible")
    line = _line(slope, baseline, game)
    if slope < 1 and not p <= baseline <= r:
        raise ParameterError(f"baseline = {baseline:g}: between P = {p:g} and R = {r:g} is needed")
    if line[1] > 0 or line[2] < 0:
        _, s, t, _ = game
        low, high = baseline - s, t - baseline
        raise ParameterError(
            f"slope = {slope:g}: at least {-min(low / high, high / low):g} is needed with baseline {baseline:g}"
        )
    return float(1 / np.abs(line).max())


def zero_determinant(slope: float, baseline: float, phi: float | None = None, game: Payoffs = STANDARD) -> np.ndarray:
    """The strategy that enforces s_other - baseline = slope (s_own - baseline) against everybody.

    Args:
      slope: 1 / chi; below 1, and 1 for equal payoffs. 0 fixes the other's payoff at the baseline.
      baseline: payoff between P and R that both get where they get the same; any number where the slope is 1.
      phi: how strongly it reacts, above 0 and at most `largest_phi`; half of that unless given.
      game: payoffs R, S, T, P of a round.
    Returns: `[4]` float64, after CC, CD, DC, DD, for `automaton.memory_one`.
    Raises: ParameterError where there is no such strategy.
    Source: Press & Dyson 2012; in slope and baseline Hilbe, Nowak & Sigmund 2013.
    """
    most = largest_phi(slope, baseline, game)
    if phi is None:
        phi = most / 2
    if not 0 < phi <= most * (1 + 1e-12):
        raise ParameterError(f"phi = {phi:g}: above 0 and at most {most:g} is needed")
    return np.clip(_REPEAT + phi * _line(slope, baseline, game), 0, 1)


def extortionate(factor: float, phi: float | None = None, game: Payoffs = STANDARD) -> np.ndarray:
    """The strategy that takes `factor` times as much above P as the other: s_own - P = factor (s_other - P).

    Args: `factor` chi, at least 1; the rest as in `zero_determinant`. The phi of Press & Dyson, eq. 12, is
      phi (P - S) / chi here.
    Returns, raises: as there.
    Source: Press & Dyson 2012, eq. 12.
    """
    return zero_determinant(1 / _factor(factor), checked_payoffs(game).punishment, phi, game)


def generous(factor: float, phi: float | None = None, game: Payoffs = STANDARD) -> np.ndarray:
    """The strategy that bears `factor` times as much of what is lost below R: s_own - R = factor (s_other - R).

    Args: `factor` chi, at least 1; the rest as in `zero_determinant`.
    Returns, raises: as there.
    Source: Stewart & Plotkin 2013.
    """
    return zero_determinant(1 / _factor(factor), checked_payoffs(game).reward, phi, game)


def _factor(factor: float) -> float:
    if not factor >= 1:
        raise ParameterError(f"factor = {factor:g}: at least 1 is needed")
    return factor


def equalizer(after_cc: float, after_dd: float, game: Payoffs = STANDARD) -> np.ndarray:
    """The strategy that fixes the other's payoff at ((1 - p_CC) P + p_DD R) / (1 - p_CC + p_DD), by these two entries.

    Args: `after_cc`, `after_dd`, probabilities to cooperate after CC and after DD, not 1 and 0 together.
    Returns: `[4]` float64.
    Raises: ParameterError where the other two entries are no probabilities.
    Source: Press & Dyson 2012, eqs. 8 and 9.
    """
    r, s, t, p = _dilemma(game)
    for name, value in (("after_cc", after_cc), ("after_dd", after_dd)):
        if not 0 <= value <= 1:
            raise ParameterError(f"{name} = {value:g}: a probability, 0 to 1, is needed")
    after_cd = (after_cc * (t - p) - (1 + after_dd) * (t - r)) / (r - p)
    after_dc = ((1 - after_cc) * (p - s) + after_dd * (r - s)) / (r - p)
    if (after_cc, after_dd) == (1, 0):
        raise ParameterError("after_cc = 1, after_dd = 0: it would never change its move; no payoff is fixed by that")
    rounding = 1e-12
    if not (-rounding <= after_cd <= 1 + rounding and -rounding <= after_dc <= 1 + rounding):
        raise ParameterError(
            f"after_cc = {after_cc:g}, after_dd = {after_dd:g}: {after_cd:g} after CD and {after_dc:g} after DC would "
            "be needed; nearer to 1 and to 0 they are probabilities"
        )
    return np.clip([after_cc, after_cd, after_dc, after_dd], 0, 1)


class Character(NamedTuple):
    """What a memory-one strategy is, in games without errors and without end."""

    zero_determinant: bool
    """It enforces a line, s_other - baseline = slope (s_own - baseline)."""
    extortionate: bool
    """The line goes through P, with a slope between 0 and 1: it never earns less than the other."""
    generous: bool
    """The line goes through R, with a slope between 0 and 1: it never earns more than the other."""
    equalizer: bool
    """The line has slope 0: the other's payoff is fixed."""
    fair: bool
    """The line has slope 1: both earn the same."""
    nice: bool
    """It cooperates after CC for certain, so that it is never the first to defect if it begins with C."""
    partner: bool
    """It is nice, and where it earns less than R, so does the other, whoever that is."""
    rival: bool
    """It never earns less than the other, whoever that is."""
    residual: float
    """Distance of p - (1, 1, 0, 0) from what zero-determinant strategies span: 0 for these."""
    slope: float
    """Of the line, 1 / chi; NaN where there is none."""
    baseline: float
    """Payoff where the line meets the diagonal; NaN where there is none, or every payoff does."""
    phi: float
    """How strongly it reacts; NaN where there is no line."""
    partner_margin: float
    """A nice strategy is a partner where this is above 0, by how much 1 - p_CD exceeds what is needed."""


def character(p: Any, game: Payoffs = STANDARD, tolerance: float = 1e-9) -> Character:
    """Whether a memory-one strategy is zero-determinant, extortionate, generous, an equalizer, a partner or a rival.

    A strategy with p_CC = 1 is a partner iff (T - R) p_DC < (R - S)(1 - p_CD) and (T - R) p_DD < (R - P)(1 - p_CD). It
    is a rival iff p_DD = 0, p_CD + p_DC <= 1 and p_CD < 1.

    Args:
      p: `[4]`, after CC, CD, DC, DD.
      game: payoffs R, S, T, P with T > R > P > S and 2 R > S + T.
      tolerance: up to which numbers are equal.
    Raises: ParameterError where `p` is not four probabilities, or the game is no dilemma.
    Source: Akin 2016 (good strategies); Hilbe, Traulsen & Sigmund 2015; named as by Hilbe, Chatterjee & Nowak 2018.
    """
    r, s, t, punished = _dilemma(game)
    p = np.asarray(p, float)
    if p.shape != (4,) or not ((p >= 0) & (p <= 1)).all():
        raise ParameterError(f"p = {p.tolist()}: four probabilities, after CC, CD, DC, DD, are needed")
    basis = np.array([[r, s, t, punished], [r, t, s, punished], [1.0, 1.0, 1.0, 1.0]]).T
    (alpha, beta, gamma), *_ = np.linalg.lstsq(basis, p - _REPEAT, rcond=None)
    residual = float(np.linalg.norm(basis @ [alpha, beta, gamma] - (p - _REPEAT)))
    phi = -beta
    line = residual <= tolerance and phi > tolerance
    slope = alpha / phi if line else np.nan
    fair = line and abs(slope - 1) <= tolerance
    baseline = gamma / (phi - alpha) if line and not fair else np.nan
    inclined = line and not fair and tolerance < slope
    after_cc, after_cd, after_dc, after_dd = p
    nice = after_cc >= 1 - tolerance
    needed = (t - r) * max(after_dc / (r - s), after_dd / (r - punished))
    margin = float(1 - after_cd - needed)
    return Character(
        zero_determinant=bool(line),
        extortionate=bool(inclined and abs(baseline - punished) <= tolerance),
        generous=bool(inclined and abs(baseline - r) <= tolerance),
        equalizer=bool(line and abs(slope) <= tolerance),
        fair=bool(fair),
        nice=bool(nice),
        partner=bool(nice and margin > tolerance),
        rival=bool(after_dd <= tolerance and after_cd < 1 - tolerance and after_cd + after_dc <= 1 + tolerance),
        residual=residual,
        slope=float(slope),
        baseline=float(baseline),
        phi=float(phi) if line else float("nan"),
        partner_margin=margin,
    )
