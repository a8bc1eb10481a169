"""Figures from datasets and closed forms. Matplotlib is imported when one is drawn.

Of datasets: phase diagrams, lines with bands, bars. Of evolutionary games: the simplex of three strategies, gradients
of selection, invasion diagrams. Of tournaments, in `figures.tournament`: scores, wins, payoffs, ecology.

Example:
  >>> import jaxcoord as jc
  >>> runs = jc.simulate(jc.evolution.PairwiseComparison(size=50), steps=200, populations=8)
  >>> figure = jc.plot(runs, "results/runs.svg")  # doctest: +SKIP
"""

from jaxcoord.figures import tournament
from jaxcoord.figures.bars import bars
from jaxcoord.figures.choose import plot
from jaxcoord.figures.gradient import gradient, roots
from jaxcoord.figures.invasion import invasion_diagram
from jaxcoord.figures.lines import trajectories
from jaxcoord.figures.phase import phase_diagram
from jaxcoord.figures.simplex import simplex
from jaxcoord.figures.style import save

__all__ = [
    "bars",
    "gradient",
    "invasion_diagram",
    "phase_diagram",
    "plot",
    "roots",
    "save",
    "simplex",
    "tournament",
    "trajectories",
]
