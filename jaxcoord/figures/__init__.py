"""Figures from datasets: phase diagrams, lines with bands, bars. Matplotlib is imported when one is drawn.

Example:
  >>> import jaxcoord as jc
  >>> runs = jc.simulate(jc.evolution.PairwiseComparison(size=50), steps=200, populations=8)
  >>> figure = jc.plot(runs, "results/runs.svg")  # doctest: +SKIP
"""

from jaxcoord.figures.bars import bars
from jaxcoord.figures.choose import plot
from jaxcoord.figures.lines import trajectories
from jaxcoord.figures.phase import phase_diagram
from jaxcoord.figures.style import save

__all__ = ["bars", "phase_diagram", "plot", "save", "trajectories"]
