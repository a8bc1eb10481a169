"""Pictures of a tournament: who scores what, who beats whom, and what becomes of them as they reproduce."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from jaxcoord.errors import ParameterError
from jaxcoord.figures import style

ROW = 0.16  # inches that a player's line takes
NAMED = 12  # shares that are named in the legend of an ecology


def _needs(data: Any, *names: str) -> None:
    missing = [name for name in names if name not in getattr(data, "variables", ())]
    if missing:
        raise ParameterError(f"data: no {missing[0]!r} in it; the dataset of a tournament is needed")


def _ranked(data: Any) -> Any:
    return data.sortby("rank")


def _tall(players: int, least: float = 2.6) -> tuple[float, float]:
    return 5.6, max(least, 1.0 + ROW * players)


def _spread(data: Any, name: str, label: str, title: str, axes: Any) -> Any:
    own = axes is None
    players = data.sizes["player"]
    figure = style.new_figure(_tall(players)) if own else axes.get_figure(root=True)
    axes = figure.add_subplot() if own else axes
    ranked = _ranked(data)
    values = ranked[name].transpose("player", "repetition").values.astype(float)
    place = np.arange(players)
    low, left, middle, right, high = np.quantile(values, [0, 0.25, 0.5, 0.75, 1], axis=1)
    axes.hlines(place, low, high, color="0.6", linewidth=0.8)
    axes.hlines(place, left, right, color=style.look(0).colour, linewidth=4, alpha=0.6)
    axes.plot(middle, place, style.look(0).marker, color=style.look(0).colour, markersize=3.5)
    axes.set_yticks(place, [str(player) for player in ranked.player.values], fontsize=7 if players > 25 else 8)
    axes.set_ylim(players - 0.5, -0.5)
    style.light_grid(axes, "x")
    axes.set_xlabel(label)
    axes.set_title(title or None)
    return figure


@style.styled
def scores(data: Any, *, title: str = "", axes: Any = None) -> Any:
    """Points per round of each player, best first: median, quartiles and extremes over repetitions.

    Args: `data`, the dataset of `jc.games.tournament`; `title`; `axes`, matplotlib axes, by default of a new figure.
    Returns: the `matplotlib.figure.Figure`. Raises: ParameterError for another dataset.
    """
    _needs(data, "normalised", "rank")
    return _spread(data, "normalised", "points per round, matches against itself apart", title, axes)


@style.styled
def wins(data: Any, *, title: str = "", axes: Any = None) -> Any:
    """Opponents whom each player outscores in their match, in the order of the ranking; arguments as of `scores`."""
    _needs(data, "wins", "rank")
    return _spread(data, "wins", "opponents who scored less in their match", title, axes)


@style.styled
def payoffs(data: Any, *, title: str = "", axes: Any = None) -> Any:
    """Payoff per round of every player (row) against every opponent, best player first; arguments as of `scores`."""
    _needs(data, "payoff", "rank")
    ranked = _ranked(data)
    names = [str(player) for player in ranked.player.values]
    table = ranked.payoff.sel(opponent=ranked.player.values).values
    own = axes is None
    side = max(3.2, 1.6 + ROW * len(names))
    figure = style.new_figure((side + 1.0, side)) if own else axes.get_figure(root=True)
    axes = figure.add_subplot() if own else axes
    mesh = axes.imshow(table, cmap=style.COLOURMAP, interpolation="nearest", aspect="auto")
    small = 6 if len(names) > 25 else 8
    axes.set_xticks(range(len(names)), names, rotation=90, fontsize=small)
    axes.set_yticks(range(len(names)), names, fontsize=small)
    axes.tick_params(length=0)
    axes.set_xlabel("opponent")
    axes.set_title(title or None)
    figure.colorbar(mesh, ax=axes, label="payoff per round")
    return figure


@style.styled
def ecology(shares: Any, names: Sequence[str], *, title: str = "", axes: Any = None) -> Any:
    """Shares of players over generations as areas on top of each other, the largest at the end lowest.

    Args: `shares [T, S]`, as of `jc.games.ecology`; `names [S]`; `title`; `axes`.
    Returns: the `matplotlib.figure.Figure`. The players with most at any time are named, the others drawn in grey.
    Raises: ParameterError where there is not a name for each.
    """
    shares = np.asarray(shares, float)
    if shares.ndim != 2 or shares.shape[1] != len(names):
        raise ParameterError(f"shares: shape {shares.shape} for {len(names)} names; [generations, names] is needed")
    own = axes is None
    figure, axes = style.canvas(axes)
    order = np.argsort(-shares[-1], kind="stable")
    named = set(np.argsort(-shares.max(0), kind="stable")[:NAMED].tolist())
    base = np.zeros(len(shares))
    generation = np.arange(len(shares))
    handles: list[Any] = []
    for at in order:
        if at not in named:
            continue
        looks = style.look(len(handles))
        area = axes.fill_between(
            generation, base, base + shares[:, at], facecolor=looks.colour, hatch=looks.hatch, edgecolor="white",
            linewidth=0.4, alpha=1.0 if len(handles) < len(style.PALETTE) else 0.55, label=str(names[at]),
        )  # fmt: skip
        handles.append(area)
        base = base + shares[:, at]
    if len(names) > len(named):
        handles.append(axes.fill_between(generation, base, 1, facecolor="0.85", edgecolor="white", label="others"))
    axes.set_xlim(0, len(shares) - 1)
    axes.set_ylim(0, 1)
    axes.set_xlabel("generation")
    axes.set_ylabel("share of the population")
    axes.set_title(title or None)
    style.legend(axes, handles, own)
    return figure
