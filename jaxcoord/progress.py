"""What a person or a machine sees while a run goes on: a bar on a terminal, lines of JSON on request, else nothing."""

from __future__ import annotations

import json
import sys
import threading
import time
from typing import Any

PATIENCE = 2.0  # seconds before a bar appears


class Progress:
    """Counts of populations and steps done, with the rate and the time left.

    Args:
      populations, steps: of the whole run.
      agents: individuals that one step of a population updates.
      show: whether to draw a bar; log_json: whether to print a line of JSON for each committed block.
      names: what is counted: the populations, the steps, and what a second makes many of.
    """

    def __init__(
        self, populations: int, steps: int, agents: int, show: bool | None = None, log_json: bool = False,
        names: tuple[str, str, str] = ("populations", "steps", "agent-steps"),
    ):  # fmt: skip
        self.total, self.agents = populations * steps, agents
        self.title, self.unit = f"{populations:,} {names[0]} x {steps:,} {names[1]}", names[2]
        self.show = sys.stderr.isatty() if show is None else show
        self.log_json = log_json
        self.done = self.before = 0
        self.begun = time.perf_counter()
        self.compiling = 0.0
        self._mutex = threading.Lock()
        self._bar: Any = None
        self._task: Any = None

    def skip(self, population_steps: int) -> None:
        """Count what an earlier run has done already."""
        self.before += population_steps

    def add(self, population_steps: int) -> None:
        """Count steps of populations that were just made, and redraw at most a few times a second."""
        with self._mutex:
            self.done += population_steps
            if self.show and not self.log_json and time.perf_counter() - self.begun > PATIENCE:
                self._draw()

    @property
    def seconds(self) -> float:
        """Time since the beginning, compilation apart."""
        return max(1e-9, time.perf_counter() - self.begun - self.compiling)

    @property
    def times(self) -> dict[str, float]:
        """Seconds that running and compiling took."""
        return {"seconds": round(self.seconds, 6), "compile_seconds": round(self.compiling, 6)}

    @property
    def rate(self) -> float:
        """Agent-steps per second of this run."""
        return self.done * self.agents / self.seconds

    def event(self, kind: str, **facts: Any) -> None:
        """Print one line of JSON, where that was asked for."""
        if not self.log_json:
            return
        done = self.before + self.done
        left = self.seconds * (self.total - done) / self.done if self.done else None
        line = {
            "event": kind,
            "seconds": round(time.perf_counter() - self.begun, 3),
            "compile_seconds": round(self.compiling, 3),
            "population_steps": done,
            "population_steps_total": self.total,
            "agent_steps_per_second": round(self.rate),
            "seconds_left": left if left is None else round(left, 1),
        }
        print(json.dumps(line | facts), file=sys.stderr, flush=True)

    def _draw(self) -> None:
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

        if self._bar is None:
            from rich.console import Console

            self._bar = Progress(
                TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(),
                TextColumn("{task.fields[rate]}"), TimeRemainingColumn(), console=Console(stderr=True), transient=True,
            )  # fmt: skip
            self._bar.start()
            self._task = self._bar.add_task(self.title, total=self.total, rate="")
        rate = f"{self.rate:.3g} {self.unit}/s"
        self._bar.update(self._task, completed=self.before + self.done, rate=rate)

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
