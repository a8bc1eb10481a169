"""What is stable: evolutionary stability in infinite and finite populations, risk dominance, and who invades whom.

In the matrices `[S, S]` of two strategies, entry (i, j) is about a mutant i among residents j.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxcoord.errors import ParameterError
from jaxcoord.evolution.fixation import _population, _square, pair_payoffs
from jaxcoord.games import Game, MatrixGame

Array = jax.Array


class PureStability(NamedTuple):
    """Which strategies are stable when nearly all play them, each a stronger demand than the next. All `[S]`."""

    strict: Array
    """Any other earns less against it: a strict Nash equilibrium."""
    evolutionary: Array
    """Rare mutants of any kind die out: an ESS."""
    neutral: Array
    """Rare mutants of any kind do not spread: weakly stable."""


class FiniteStability(NamedTuple):
    """Stability among Z individuals. The diagonals are False."""

    resists_invasion: Array
    """`[S, S]`: a single i earns less than the residents j."""
    resists_replacement: Array
    """`[S, S]`: a single i takes over less often than a neutral mutant."""
    stable: Array
    """`[S]`: both hold for all mutants: an ESS_N."""


class CooperationThresholds(NamedTuple):
    """Benefit-to-cost ratios above which cooperation passes each test."""

    evolutionary: Array
    """It is evolutionarily stable."""
    risk_dominance: Array
    """It has the larger basin of attraction."""
    one_third: Array
    """A single cooperator among many defectors is favoured by weak selection."""


class InvasionGraph(NamedTuple):
    """What takes over from what when mutations are rare."""

    favoured: np.ndarray
    """`[S, S]`: a single i among j takes over more often than a neutral mutant."""
    neutral: np.ndarray
    """`[S, S]`: as often; drift alone leads from j to i. False on the diagonal."""
    sinks: list[tuple[int, ...]]
    """Sets of strategies that replace one another in turn and are not replaced by any outside, in ascending order."""


def pure_stability(payoff: Any) -> PureStability:
    """Stability of the pure strategies of a matrix game in an infinite population, against pure mutants.

    i is an ESS where, for all j: a_ii > a_ji, or a_ii = a_ji and a_ij > a_jj. (`is_stable_mixture` looks at mutants
    that mix as well.)

    Args: `payoff [S, S]`, row against column.
    Raises: ParameterError where `payoff` is not square or not finite.
    Source: Maynard Smith & Price 1973; neutral stability Maynard Smith 1982.
    """
    payoff = _square(payoff)
    own = jnp.diagonal(payoff)
    ahead = own[:, None] - payoff.T  # (i, j): i against i less j against i
    after = payoff - own[None, :]  # (i, j): i against j less j against j
    same = jnp.eye(len(payoff), dtype=bool)
    strict = ahead > 0
    stable = strict | ((ahead == 0) & (after > 0))
    neutral = strict | ((ahead == 0) & (after >= 0))
    return PureStability(*((test | same).all(1) for test in (strict, stable, neutral)))


def is_stable_mixture(payoff: Any, shares: Any, tolerance: float = 1e-6) -> bool:
    """Whether a mixed strategy is evolutionarily stable. On the host, in float64.

    It must be a best reply to itself, and y.Ay < 0 for all changes y of shares among the best replies that do not
    lower the share of an absent one: negative definite on its support, strictly copositive on the rest.

    Args: `payoff [S, S]`, row against column; `shares [S]`, summing to one; `tolerance`, as a part of the range of
      payoffs, within which numbers are equal.
    Raises: ParameterError where `payoff` is not square or not finite, or `shares` do not fit it.
    Source: Haigh 1975; Abakuks 1980; copositivity by Kaplan 2000.
    """
    payoff = _host_square("payoff", payoff)
    shares = np.asarray(shares, float)
    if shares.shape != payoff.shape[:1] or not (shares >= 0).all() or abs(shares.sum() - 1) > 1e-5:
        raise ParameterError(
            f"shares: shape {shares.shape}; {len(payoff)} non-negative numbers that sum to one are needed"
        )
    scale = max(np.ptp(payoff), 1e-300)
    earned = payoff @ shares
    support = np.flatnonzero(shares > tolerance)
    best = np.flatnonzero(earned >= earned.max() - tolerance * scale)
    if not np.isin(support, best).all():
        return False
    # The directions: from the first of the support to each other best reply. Those to the support go both ways.
    first, inside = support[0], support[1:]
    outside = np.setdiff1d(best, support)
    others = np.concatenate([inside, outside])
    form = -(payoff[others][:, others] - payoff[others, first][:, None] - payoff[first, others] + payoff[first, first])
    form = (form + form.T) / (2 * scale)
    free = len(inside)
    if free and np.linalg.eigvalsh(form[:free, :free])[0] <= tolerance:
        return False
    # What the best combination of free directions leaves of the others must be positive for all non-negative ones.
    rest = form[free:, free:]
    if free:
        rest = rest - form[free:, :free] @ np.linalg.solve(form[:free, :free], form[:free, free:])
    return _strictly_copositive(rest, tolerance)


def finite_stability(game: Any, size: int, fixation: Any = None, tolerance: float = 1e-6) -> FiniteStability:
    """Stability in a population of Z: selection opposes both that a mutant invades and that it replaces all.

    Args:
      game: a payoff matrix `[S, S]` or any `Game`.
      size: Z, at least 2.
      fixation: `[S, S]`, probability that a single i takes over from j; by default the limit of weak selection, for a
        matrix game.
      tolerance: how much of the largest payoff, and of 1/Z, is still a tie, which opposes nothing.
    Raises: ParameterError where an argument is out of range, or `fixation` is missing for a game in groups.
    Source: Nowak, Sasaki, Taylor & Fudenberg 2004.
    """
    mutant, resident = pair_payoffs(game, size)
    scale = jnp.maximum(jnp.abs(mutant).max(), jnp.abs(resident).max())
    if fixation is not None:
        gain = jnp.asarray(fixation, float) * size - 1
        if gain.shape != mutant.shape[:2]:
            raise ParameterError(f"fixation: shape {gain.shape}; {mutant.shape[:2]} is needed")
    elif isinstance(game, Game) and not isinstance(game, MatrixGame):
        raise ParameterError("fixation: missing; without it a matrix game is needed")
    else:
        gain = weak_selection_slope(game, size) / jnp.where(scale > 0, scale, 1)
    apart = ~jnp.eye(len(mutant), dtype=bool)
    invasion = apart & (resident[:, :, 0] - mutant[:, :, 0] > tolerance * scale)
    replacement = apart & (gain < -tolerance)
    return FiniteStability(invasion, replacement, (invasion & replacement | ~apart).all(0))


def weak_selection_slope(game: Any, size: int) -> Array:
    """Slope of the fixation probability in the intensity of selection at zero: (alpha Z - beta) / (6 Z).

    alpha = a + 2 b - c - 2 d, beta = 2 a + b + c - 4 d for a mutant that earns a against its kind and b against
    residents, who earn c and d. The Moran process in w and the Fermi rule in beta share it.

    Args: `game`, `[S, S]` or a `MatrixGame`; `size` Z, at least 2.
    Returns: `[S, S]`, 1 / payoff; positive where a single i among j is favoured.
    Raises: ParameterError where the matrix is not square or not finite, or `size` is below 2.
    Source: Nowak, Sasaki, Taylor & Fudenberg 2004, eq. 3 and its supplement.
    """
    a, b, c, d = _entries(game)
    size = _population(size)
    return ((a + 2 * b - c - 2 * d) * size - (2 * a + b + c - 4 * d)) / (6 * size)


def stability_margin(game: Any) -> Array:
    """a_ii - a_ji `[S, S]`: above 0, i is stable against j; argument as in `risk_dominance_margin`."""
    a, _, c, _ = _entries(game)
    return a - c


def risk_dominance_margin(game: Any) -> Array:
    """a_ii + a_ij - a_ji - a_jj: above 0, i does better where half of the others play each, it risk-dominates j.

    Args: `game`, a payoff matrix `[S, S]` or a `MatrixGame`.
    Returns: `[S, S]`, antisymmetric.
    Source: Harsanyi & Selten 1988.
    """
    a, b, c, d = _entries(game)
    return a + b - c - d


def one_third_margin(game: Any) -> Array:
    """a_ii + 2 a_ij - a_ji - 2 a_jj: above 0, a single i among very many j is favoured by weak selection.

    So it is where i does better with one third of the population already: the barrier is below 1/3.

    Args, returns: as in `risk_dominance_margin`, not antisymmetric.
    Source: Nowak, Sasaki, Taylor & Fudenberg 2004.
    """
    a, b, c, d = _entries(game)
    return a + 2 * b - c - 2 * d


def invasion_barrier(game: Any) -> Array:
    """The share of i above which i does better than j, where each is stable against the other.

    Args: `game`, a payoff matrix `[S, S]` or a `MatrixGame`.
    Returns: `[S, S]`, (d - b) / (a - b - c + d); NaN where one of the two is not stable against the other.
    Source: Nowak, Sasaki, Taylor & Fudenberg 2004.
    """
    a, b, c, d = _entries(game)
    both = (a > c) & (d > b)
    return jnp.where(both, (d - b) / jnp.where(both, a - b - c + d, 1), jnp.nan)


def cooperation_thresholds(payoff: Callable[[Array], Array]) -> CooperationThresholds:
    """Benefits at unit cost from which cooperation, strategy 0 of two, passes the tests against defection.

    Args: `payoff`, the benefit b to `[2, 2]`, in which each entry is a straight line over b.
    Returns: three scalars, differentiable in what `payoff` depends on.
    Source: Nowak 2006 (Science 314:1560), table 1.
    """
    zero, one = payoff(jnp.zeros(())), payoff(jnp.ones(()))

    def root(margin):
        low, high = margin(zero)[0, 1], margin(one)[0, 1]
        return low / (low - high)

    return CooperationThresholds(root(stability_margin), root(risk_dominance_margin), root(one_third_margin))


def invasion_graph(fixation: Any, size: int, tolerance: float = 1e-6) -> InvasionGraph:
    """What takes over from what, and where the population ends when the unfavoured steps are never made.

    Neutral steps are made by drift and lead on like favoured ones.

    Args: `fixation [S, S]`, probability that a single i takes over from j; `size` Z, at least 2; `tolerance`, how far
      from 1/Z, as a part of it, is still neutral.
    Raises: ParameterError where `fixation` is not square, or `size` is below 2.
    Source: Hauert, Traulsen, Brandt, Nowak & Sigmund 2007 (diagrams); sinks as in Omidshafiei et al. 2019.
    """
    from scipy.sparse.csgraph import connected_components

    relative = _host_square("fixation", fixation) * _population(size) - 1
    apart = ~np.eye(len(relative), dtype=bool)
    favoured, neutral = apart & (relative > tolerance), apart & (np.abs(relative) <= tolerance)
    steps = favoured | neutral
    _, label = connected_components(steps.T, directed=True, connection="strong")
    left = {int(label[j]) for i, j in zip(*np.nonzero(steps), strict=True) if label[i] != label[j]}
    sinks = [tuple(map(int, np.flatnonzero(label == one))) for one in np.unique(label) if one not in left]
    return InvasionGraph(favoured, neutral, sorted(sinks))


def _entries(game: Any) -> tuple[Array, Array, Array, Array]:
    # a, b, c, d of a mutant i (row) among residents j (column), `[S, S]` each.
    payoff = _square(game.payoff() if isinstance(game, MatrixGame) else game)
    own = jnp.broadcast_to(jnp.diagonal(payoff), payoff.shape)
    return own.T, payoff, payoff.T, own


def _host_square(name: str, matrix: Any) -> np.ndarray:
    matrix = np.asarray(matrix, float)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1] or not np.isfinite(matrix).all():
        raise ParameterError(f"{name}: shape {matrix.shape}; a square matrix [S, S] of finite numbers is needed")
    return matrix


def _strictly_copositive(form: np.ndarray, tolerance: float) -> bool:
    # A symmetric form is positive for all non-negative vectors unless a principal part has a positive eigenvector
    # whose eigenvalue is not.
    for number in range(1, len(form) + 1):
        for part in itertools.combinations(range(len(form)), number):
            values, vectors = np.linalg.eigh(form[np.ix_(part, part)])
            low = values <= tolerance
            one_sign = (vectors > 0).all(0) | (vectors < 0).all(0)
            if (low & one_sign).any():
                return False
    return True
