"""The engine: batches, loops, stores. It knows what a model is and no particular model."""

from jaxcoord.engine.dataset import load
from jaxcoord.engine.ranges import linspace, logspace, loguniform, uniform
from jaxcoord.engine.record import Record
from jaxcoord.engine.run import simulate, sweep

__all__ = ["Record", "linspace", "load", "logspace", "loguniform", "simulate", "sweep", "uniform"]
