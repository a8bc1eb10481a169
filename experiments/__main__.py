"""`python -m experiments` lists the experiments; with a name it runs one, with --all every one."""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import sys
import time
from pathlib import Path

import experiments
from jaxcoord.errors import JaxcoordError, nearest

HELPERS = ("verdict",)


def names() -> list[str]:
    """The experiments' names: modules of this package, with hyphens."""
    found = (m.name for m in pkgutil.iter_modules(experiments.__path__))
    return sorted(name.replace("_", "-") for name in found if name not in HELPERS and not name.startswith("_"))


def summary(name: str) -> str:
    """The first line of an experiment's docstring."""
    module = importlib.import_module(f"experiments.{name.replace('-', '_')}")
    return (module.__doc__ or "").strip().partition("\n")[0]


def main() -> int:
    """Run what the command line asks for; 0 where every number holds, 1 where one fails, 2 for an error."""
    parser = argparse.ArgumentParser(prog="python -m experiments", description=experiments.__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="experiments to run; none: list them")
    parser.add_argument("--all", action="store_true", help="run every experiment")
    parser.add_argument("--small", action="store_true", help="at reduced size, for a quick check")
    parser.add_argument("--fresh", action="store_true", help="run again what is already on disk")
    parser.add_argument("--out", type=Path, default=Path("results"), help="results folder (default: results)")
    asked = parser.parse_args()
    chosen = names() if asked.all else asked.names
    if not chosen:
        for name in names():
            print(f"{name:20} {summary(name)}")
        return 0
    failed = []
    for name in chosen:
        if name not in names():
            print(f"experiments: unknown experiment {name!r}{nearest(name, names())}", file=sys.stderr)
            return 2
    for name in chosen:
        module = importlib.import_module(f"experiments.{name.replace('-', '_')}")
        begun = time.perf_counter()
        try:
            verdict = module.run(asked.out, small=asked.small, fresh=asked.fresh)
        except JaxcoordError as error:
            print(f"experiments: {name}: {error}", file=sys.stderr)
            return 2
        verdict.print()
        print(f"{name}: {'holds' if verdict.holds else 'FAILS'} after {time.perf_counter() - begun:.1f} s\n")
        if not verdict.holds:
            failed.append(name)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
