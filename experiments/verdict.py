"""Measured against published: the table that an experiment ends with."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table


@dataclasses.dataclass(frozen=True)
class Row:
    """One number of a paper or a closed form, and what was measured."""

    quantity: str
    measured: float
    published: float
    tolerance: float
    source: str

    @property
    def holds(self) -> bool:
        """Whether the measured number is finite and within the tolerance."""
        return math.isfinite(self.measured) and abs(self.measured - self.published) <= self.tolerance


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What an experiment found: its table and its figures."""

    title: str
    rows: Sequence[Row]
    figures: Sequence[Path]

    @property
    def holds(self) -> bool:
        """Whether every row does."""
        return all(row.holds for row in self.rows)

    def print(self) -> None:
        """Show the table and where the figures are."""
        console = Console()
        table = Table("quantity", "measured", "published", "tolerance", "", "source", title=self.title, box=None,
                      title_justify="left", pad_edge=False)  # fmt: skip
        for row in self.rows:
            numbers = (f"{x:.6g}" for x in (row.measured, row.published))
            mark = "[green]holds[/green]" if row.holds else "[red]FAILS[/red]"
            table.add_row(row.quantity, *numbers, f"{row.tolerance:.2g}", mark, row.source)
        console.print(table)
        for path in self.figures:
            print(f"figure in {path}")
