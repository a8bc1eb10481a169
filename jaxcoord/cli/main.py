"""The command `jaxcoord`. Everything heavy is imported inside the commands, so that `--help` answers at once."""

from __future__ import annotations

import contextlib
import functools
import inspect
import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import tyro

from jaxcoord.errors import Interrupted, JaxcoordError, ParameterError, nearest

RESUMABLE = 75  # EX_TEMPFAIL: run the same command again


def models(plugin: tyro.conf.UseAppendAction[list[str]] = []) -> None:  # noqa: B006
    """List the models and the parts that they are made of.

    Args:
        plugin: Python module that defines further models.
    """
    from jaxcoord.cli import commands

    commands.models(plugin)


def describe(name: tyro.conf.Positional[str], plugin: tyro.conf.UseAppendAction[list[str]] = []) -> None:  # noqa: B006
    """Show a model's or a part's parameters, units, ranges, observables and source.

    Args:
        name: as `jaxcoord models` lists it.
        plugin: Python module that defines further models.
    """
    from jaxcoord.cli import commands

    commands.describe(name, plugin)


def run(
    config: tyro.conf.Positional[Path],
    set: tyro.conf.UseAppendAction[list[str]] = [],  # noqa: B006
    out: Path = Path("results"),
    name: str | None = None,
    seed: int | None = None,
    fresh: bool = False,
    resume: bool = True,
    dry_run: bool = False,
    figure: bool = True,
    device: Literal["cpu", "gpu", "tpu"] | None = None,
    log_json: bool = False,
    plugin: tyro.conf.UseAppendAction[list[str]] = [],  # noqa: B006
    coordinator: str | None = None,
    processes: int | None = None,
    process_id: int | None = None,
) -> None:
    """Run a sweep from a TOML file, or go on with it where it was stopped.

    Args:
        config: the TOML file.
        set: change one setting, such as model.speed=2 or sweep.risk="linspace(0,1,33)"; may be repeated.
        out: the results folder; the run is written to OUT/NAME.
        name: name of the run in place of the config's.
        seed: seed of all random numbers in place of the config's.
        fresh: replace a run of that name.
        resume: go on with a run of that name; without it an existing run is refused.
        dry_run: print points, populations, memory and files, and stop.
        figure: draw the figure at the end.
        device: kind of device; by default the best that JAX finds.
        log_json: print progress as lines of JSON on standard error.
        plugin: Python module that defines further models; may be repeated.
        coordinator: HOST:PORT of the first of several processes (found by itself under SLURM).
        processes: number of processes.
        process_id: this process's number, from 0.
    """
    from jaxcoord.cli import commands

    commands.run(
        config, set, out, name, seed, fresh, resume, dry_run, figure, device, log_json, plugin,
        (coordinator, processes, process_id),
    )  # fmt: skip


def plot(store: tyro.conf.Positional[Path], out: Path | None = None, variable: str | None = None) -> None:
    """Draw a run.

    Args:
        store: folder of a run, such as results/ai_race.
        out: PNG or SVG file; by default STORE/figures/VARIABLE.png.
        variable: observable to draw; by default the first.
    """
    from jaxcoord.cli import commands

    commands.plot(store, out, variable)


def config(
    action: tyro.conf.Positional[Literal["check"]],
    file: tyro.conf.Positional[Path],
    set: tyro.conf.UseAppendAction[list[str]] = [],  # noqa: B006
    plugin: tyro.conf.UseAppendAction[list[str]] = [],  # noqa: B006
) -> None:
    """Check a TOML file and list every fault in it.

    Args:
        action: what to do.
        file: the TOML file.
        set: change one setting first; may be repeated.
        plugin: Python module that defines further models.
    """
    from jaxcoord.cli import commands

    commands.check(file, set, plugin)


COMMANDS: dict[str, Callable[..., Any]] = {
    "models": models,
    "describe": describe,
    "run": run,
    "plot": plot,
    "config": config,
}


def deferred(command: Callable[..., None]) -> Callable[..., Callable[[], None]]:
    """A command that, called, is returned with its arguments in place instead of being run."""

    @functools.wraps(command)
    def ready(*values: Any, **named: Any) -> Callable[[], None]:
        return functools.partial(command, *values, **named)

    ready.__annotations__ = {**command.__annotations__, "return": Callable[[], None]}
    return ready


def parsed(argv: list[str]) -> Callable[[], None]:
    """The command that the arguments ask for, ready to run. Raises: ParameterError in one line for a wrong argument."""
    if argv and not argv[0].startswith("-"):
        if argv[0] not in COMMANDS:
            raise ParameterError(f"{argv[0]}: unknown command{nearest(argv[0], COMMANDS)}")
        flags = {"--help"}
        for name, argument in inspect.signature(COMMANDS[argv[0]]).parameters.items():
            flags |= {f"--{name.replace('_', '-')}"}
            flags |= {f"--no-{name.replace('_', '-')}"} if isinstance(argument.default, bool) else set()
        for word in argv[1:]:
            flag = word.partition("=")[0].replace("_", "-")
            if flag.startswith("--") and flag not in flags:
                raise ParameterError(f"{flag}: unknown flag of {argv[0]}{nearest(flag, flags)}")
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            return tyro.extras.subcommand_cli_from_dict(
                {name: deferred(command) for name, command in COMMANDS.items()},
                prog="jaxcoord", description="Thousands of agent populations at once, in JAX.", args=argv,
            )  # fmt: skip
    except SystemExit as ended:
        if not ended.code:
            raise
        # The parser draws a box; its text up to the first rule says what is wrong.
        lines = [line.strip("│╭╮╰╯─ ") for line in said.getvalue().split("─" * 10 + " │")[0].splitlines()]
        command = f"jaxcoord {argv[0]}" if argv and argv[0] in COMMANDS else "jaxcoord"
        title, *text = [line for line in lines if line] or ["wrong arguments"]
        raise ParameterError(f"{title.lower()}: {' '.join(text)}; see {command} --help") from None


def main(argv: list[str] | None = None) -> None:
    """Entry point: runs a command and turns an error into one line and exit code 2."""
    try:
        parsed(sys.argv[1:] if argv is None else argv)()
    except KeyboardInterrupt:
        print("jaxcoord: interrupted before the run had begun", file=sys.stderr)
        sys.exit(130)
    except Interrupted as error:
        print(f"jaxcoord: {error}", file=sys.stderr)
        sys.exit(RESUMABLE)
    except JaxcoordError as error:
        for line in str(error).splitlines():
            print(f"jaxcoord: {line}", file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except MemoryError:
        print("jaxcoord: out of memory; reduce over replicates, record less, or use a smaller tile", file=sys.stderr)
        sys.exit(2)
    except OSError as error:
        print(f"jaxcoord: {error.filename or ''}: {error.strerror or error}", file=sys.stderr)
        sys.exit(2)
    except Exception as error:
        if os.environ.get("JAXCOORD_TRACEBACK"):
            raise
        line = " ".join(str(error).split())[:300]
        place = _place(error)
        print(
            f"jaxcoord: {type(error).__name__}: {line}{place} (JAXCOORD_TRACEBACK=1 shows the whole trace)",
            file=sys.stderr,
        )
        sys.exit(1)


def _place(error: BaseException) -> str:
    """The last place outside installed packages, where a user's model went wrong."""
    place, trace = "", error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if "site-packages" not in file and not file.startswith("<"):
            place = f" at {file}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place


if __name__ == "__main__":
    main()
