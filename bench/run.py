"""Measure Headgate beside nginx and its peers, in one run, over one calibrated upstream.

This is what `make bench` calls. The load is on the loopback interface only; nothing is downloaded except by
bench/setup.py, which installs the peers before the first run.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import resource
import shutil
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if not __package__:
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import click
from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table as Grid

from bench.alone import AlreadyRunning, alone
from bench.contestants.roster import roster
from bench.machine import describe_machine
from bench.page import rewrite_page
from bench.places import BUILD, PAGE, ROOT
from bench.plan import COLD, full_plan, quick_plan
from bench.results import Run, save
from bench.runner import Runner
from bench.setup import install_missing
from bench.tables import tables
from bench.upstream import UpstreamEnded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from bench.contestants.contestant import Contestant
    from bench.plan import Scenario

__all__ = ["main"]

_QUICK = ("nginx", "nginx-plain", "headgate")
_EPILOG = """\b
Examples
  make bench                                     everything, about 12 minutes, rewrites docs/reference/benchmarks.md
  python bench/run.py --quick                    nginx and Headgate, CPU budgets only, under 90 seconds
  python bench/run.py --only headgate,nginx --scenario paced
  python bench/run.py --scenario slow --json     5,000 and 10,000 open streams, result on standard output
"""


@click.command(help=__doc__, epilog=_EPILOG)
@click.option(
    "--only",
    metavar="NAMES",
    help="Contestants, comma-separated: direct nginx nginx-plain headgate portkey litellm otari.",
)
@click.option(
    "--scenario",
    "scenarios",
    multiple=True,
    metavar="NAME",
    help="cold whole hit latency large burst paced slow.",
)
@click.option("--quick", is_flag=True, help="nginx and Headgate alone, short rounds, under 90 seconds.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON instead of tables.")
@click.option(
    "--write/--no-write", default=None, help="Rewrite the page; by default only a run of everything does."
)
@click.option("--no-setup", is_flag=True, help="Do not install peers that are not there yet.")
def main(
    *,
    only: str | None,
    scenarios: tuple[str, ...],
    quick: bool,
    as_json: bool,
    write: bool | None,
    no_setup: bool,
) -> None:
    """Read the options, run, print, save."""
    chosen = _contestants(only, quick=quick)
    plan = _scenarios(scenarios, quick=quick)
    # Into a file or a pipe the tables go unbroken; rich would assume 80 columns.
    console = Console(stderr=as_json, width=None if sys.stdout.isatty() else 150)
    if not no_setup:
        peers = [one.name for one in chosen if one.name in ("litellm", "portkey", "otari")]
        with contextlib.redirect_stdout(sys.stderr):
            install_missing(peers)
    try:
        with alone():
            run = _measure(chosen, plan, console, cold=not scenarios or COLD in scenarios, quick=quick)
    except (AlreadyRunning, UpstreamEnded) as refused:
        raise click.ClickException(str(refused)) from None
    run.complete = not (only or scenarios or quick)
    path = save(run)
    if as_json:
        click.echo(path.read_text())
    else:
        _print(run, console)
    console.print(f"\nsaved as {path.relative_to(ROOT)}")
    if write or (write is None and run.complete):
        rewrite_page(run)
        console.print(f"rewrote {PAGE.relative_to(ROOT)}")


def _contestants(only: str | None, *, quick: bool) -> list[Contestant]:
    everybody = roster()
    names = only.replace(" ", "").split(",") if only else _QUICK if quick else [one.name for one in everybody]
    known = [one.name for one in everybody]
    for name in names:
        if name not in known:
            raise click.BadParameter(f"{name!r} is not one of {', '.join(known)}", param_hint="--only")
    return [one for one in everybody if one.name in names]


def _scenarios(asked: tuple[str, ...], *, quick: bool) -> list[Scenario]:
    plan = quick_plan() if quick else full_plan()
    known = [COLD, *(scenario.name for scenario in plan)]
    for name in asked:
        if not any(_named(one, name) for one in known):
            raise click.BadParameter(f"{name!r} is not one of {', '.join(known)}", param_hint="--scenario")
    return [scenario for scenario in plan if not asked or any(_named(scenario.name, name) for name in asked)]


def _named(scenario: str, asked: str) -> bool:
    return scenario == asked or scenario.startswith(asked + "-")


def _measure(
    chosen: list[Contestant], plan: list[Scenario], console: Console, *, cold: bool, quick: bool
) -> Run:
    _raise_descriptor_limit()
    began = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    run = Run(began, describe_machine(), {one.name: _about(one) for one in chosen})
    present = [one for one in chosen if "missing" not in run.contestants[one.name]]
    steps = len(present) + sum(scenario.rounds_for(one) for scenario in plan for one in present)
    columns = (
        TextColumn("{task.description}", style="dim"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
    )
    clock = time.perf_counter()
    work = BUILD / "work"
    with (
        Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as progress,
        _ending_politely(),
    ):
        task = progress.add_task("starting the upstream", total=steps)

        def say(what: str) -> None:
            progress.update(task, description=what, advance=1)

        runner = Runner(work, say)
        try:
            started = runner.start_all(present, starts=(2 if quick else 3) if cold else 1)
            if cold or any(summary.failure for summary in started.by_contestant.values()):
                run.outcomes[COLD] = started
            for name, summary in started.by_contestant.items():
                if summary.failure:
                    run.contestants[name]["missing"] = summary.failure
            for scenario in plan:
                run.outcomes[scenario.name] = runner.scenario(scenario)
        finally:
            runner.close()
    shutil.rmtree(work / "upstream", ignore_errors=True)
    run.seconds = time.perf_counter() - clock
    return run


def _about(contestant: Contestant) -> dict[str, str]:
    about = {"title": contestant.title, "does": contestant.does}
    if reason := contestant.missing():
        return about | {"version": "-", "missing": reason}
    return about | {"version": contestant.version()}


def _raise_descriptor_limit() -> None:
    # Inherited by every server and client we start.
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@contextlib.contextmanager
def _ending_politely() -> Iterator[None]:
    """Turn SIGTERM into an exception, so that `finally` ends every server also then."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _print(run: Run, console: Console) -> None:
    for table in tables(run):
        grid = Grid(
            box=box.SIMPLE_HEAD,
            title=f"{table.heading}: {table.about}",
            title_justify="left",
            title_style="bold",
        )
        for number, column in enumerate(table.columns):
            grid.add_column(
                column, justify="left" if not number or table.heading in ("who", "Held budgets") else "right"
            )
        for row in table.rows:
            grid.add_row(*row)
        console.print()
        console.print(grid)
        for note in table.notes:
            console.print(f"  {note}", style="yellow", markup=False, highlight=False)


if __name__ == "__main__":
    main()
