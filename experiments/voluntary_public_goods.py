"""Cooperators, defectors and loners chase each other for ever (Hauert, De Monte, Hofbauer & Sigmund 2002).

Public goods among those who choose to take part, in groups of five out of an infinite population under replicator
dynamics. Where a contribution is worth more than twice itself, one interior rest point is surrounded by closed orbits,
along which everybody earns what a loner does, on average.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.integrate import solve_ivp

from experiments.verdict import Row, Verdict
from jaxcoord import figures
from jaxcoord.evolution import replicator
from jaxcoord.figures import style
from jaxcoord.games.group_games import voluntary_public_goods, voluntary_rest_point

PAPER = "Hauert et al. 2002"
GROUP = 5
START = (0.3, 0.4, 0.3)
TIMES = (5.0, 10.0, 20.0, 40.0)
PUBLISHED = {  # r, sigma: the interior rest point, and the shares at TIMES from START
    (3.0, 1.0): (
        (0.2693301184, 0.2693301184, 0.4613397632),
        (
            (0.1644995686, 0.2599946964, 0.5755057352),
            (0.2113520682, 0.1597219377, 0.6289259941),
            (0.2859372858, 0.4025709517, 0.3114917625),
            (0.2720980126, 0.4027739933, 0.3251279942),
        ),
    ),
    (2.5, 0.5): (
        (0.1142339646, 0.2284679292, 0.6572981061),
        (
            (0.0897529816, 0.5012179560, 0.4090290623),
            (0.0308877044, 0.2363984187, 0.7327138769),
            (0.0183824410, 0.0730498830, 0.9085676760),
            (0.0301442389, 0.0422647745, 0.9275909865),
        ),
    ),
}


payoffs = jax.jit(lambda game, shares: game.payoffs(shares))
rest_point = jax.jit(voluntary_rest_point, static_argnums=0)


@jax.jit
def velocity(game: Any, shares: Any) -> Any:
    """Replicator velocity `[3]` of a game at shares `[3]`."""
    return replicator(shares, game.payoffs(shares))


@jax.jit
def velocity_and_mean(game: Any, state: Any) -> Any:
    """Velocity `[4]` of the three shares and of the integral of the mean payoff."""
    return jnp.append(velocity(game, state[:3]), state[:3] @ game.payoffs(state[:3]))


@jax.jit
def jacobian(game: Any, shares: Any) -> Any:
    """`[2, 2]`: the linearised dynamics within the simplex, in the shares of C and D."""
    return jax.jacfwd(lambda xy: velocity(game, jnp.append(xy, 1 - xy.sum()))[:2])(shares[:2])


def path(game: Any, start: Any, times: np.ndarray) -> np.ndarray:
    """The shares `[T, 3]` at ascending times `[T]`, from `start` at time 0."""
    found = solve_ivp(lambda _, x: np.asarray(velocity(game, x)), (0, times[-1]), start, "DOP853", times,
                      rtol=1e-11, atol=1e-13)  # fmt: skip
    return found.y.T


def one_orbit(game: Any, start: Any, loners: float) -> tuple[float, float, float]:
    """The period, the time-averaged mean payoff, and the distance to itself after one orbit around `loners`."""

    def crossing(_, state):
        return state[2] - loners

    crossing.direction = 1  # type: ignore[attr-defined]
    found = solve_ivp(lambda _, x: np.asarray(velocity_and_mean(game, x)), (0, 100), [*start, 0.0], "DOP853",
                      events=crossing, rtol=1e-11, atol=1e-13)  # fmt: skip
    (first, second), (begun, ended) = found.t_events[0][:2], found.y_events[0][:2]
    period = second - first
    return period, (ended[3] - begun[3]) / period, float(np.abs(ended[:3] - begun[:3]).max())


def run(out: Path, small: bool = False, fresh: bool = False) -> Verdict:
    """Follow the orbits, linearise at the rest point, compare with the paper, and draw the simplex."""
    rows, panels = [], []
    with jax.enable_x64(True):
        for (r, sigma), (interior, states) in PUBLISHED.items():
            game = voluntary_public_goods(GROUP, r=r, sigma=sigma)
            case = f"r={r:g}, sigma={sigma:g}"
            point = np.asarray(rest_point(GROUP, r, sigma))
            there = path(game, START, np.array(TIMES))
            period, earned, gap = one_orbit(game, START, point[2])
            rows += [
                *(Row(f"{case}: rest point, {name}", float(x), y, 1e-9, PAPER)
                  for name, x, y in zip(game.strategies, point, interior, strict=True)),
                Row(f"{case}: contributors among participants", float(point[0] / point[:2].sum()), sigma / (r - 1),
                    1e-9, PAPER),
                Row(f"{case}: largest difference of payoffs there", float(np.ptp(payoffs(game, point))), 0, 1e-12,
                    "all earn sigma"),
                Row(f"{case}: shares at t = 5, 10, 20, 40, worst", float(np.abs(there - states).max()), 0, 1e-7,
                    "DOP853"),
                Row(f"{case}: mean payoff over an orbit of {period:.2f}", earned, sigma, 1e-8, PAPER),
                Row(f"{case}: distance after one orbit", gap, 0, 1e-8, "orbits are closed"),
            ]  # fmt: skip
            found = np.linalg.eigvals(np.asarray(jacobian(game, point)))
            rows.append(Row(f"{case}: real part of the eigenvalues", float(np.abs(found.real).max()), 0, 1e-12, PAPER))
            if r == 3:
                rows.append(Row(f"{case}: imaginary part", float(np.abs(found.imag).max()), 0.34215, 5e-6, PAPER))
        nearly = float(rest_point(GROUP, 2.01, 1.0)[2])
        rows.append(Row("r=2.01: share of loners at rest", nearly, 0.990, 5e-4, PAPER))
        absent = float(np.isnan(np.asarray(rest_point(GROUP, 2.0, 0.5))).all())
        rows.append(Row("r=2: no interior rest point", absent, 1, 0, PAPER))
        for r, sigma in ((1.8, 0.5), (3.0, 1.0)):
            panels.append(panel(r, sigma, 3 if small else 6))
    picture = out / f"voluntary_public_goods{'_small' if small else ''}" / "figures" / "simplex.png"
    figures.save(draw(panels), picture)
    return Verdict("voluntary-public-goods: measured against Hauert et al. 2002", rows, [picture])


def panel(r: float, sigma: float, orbits: int) -> dict[str, Any]:
    """What one simplex shows: its vector field, its rest points and some orbits."""
    game = voluntary_public_goods(GROUP, r=r, sigma=sigma)
    corners, centre = np.eye(3), np.asarray(rest_point(GROUP, r, sigma))
    inside = bool(np.isfinite(centre).all())
    rest = (np.vstack([corners, centre]), ["saddle"] * 3 + ["centre"]) if inside else (corners, ["saddle"] * 3)
    times, places = np.linspace(0, 60, 601), np.linspace(0.25, 0.85, orbits)[:, None]
    if inside:  # closed orbits, each through a point between the centre and the corner of the loners
        starts = centre + (corners[2] - centre) * places
    else:  # orbits from the loners to the loners, each through a point where defectors are about to spread
        starts = np.hstack([0.99 * places, np.full_like(places, 0.01), 0.99 * (1 - places)])
    return {
        "title": f"r = {r:g}, loners earn {sigma:g}",
        "field": lambda shares: np.asarray(jax.vmap(velocity, (None, 0))(game, shares)),
        "rest_points": rest,
        "trajectories": [path(game, start, times) for start in starts],
    }


@style.styled
def draw(panels: list[dict[str, Any]]) -> Any:
    """The simplex without and with an interior rest point, side by side."""
    figure = style.new_figure((9, 4))
    for axes, shown in zip(figure.subplots(1, 2), panels, strict=True):
        figures.simplex(("C", "D", "L"), **shown, axes=axes)
    return figure
