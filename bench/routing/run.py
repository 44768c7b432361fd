"""`make bench-routing`: run every trial, print the tables, write docs/reference/routing-benchmark.md.

python -m bench.routing.run             everything, a few minutes on two cores (embeddings are kept)
python -m bench.routing.run --quick     few draws, prints only
python -m bench.routing.run --json      the figures on standard output, for programs
"""

from __future__ import annotations

import argparse
import datetime as dt
import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bench.machine import describe_machine
from bench.routing.page import PAGE, page, tables
from bench.routing.plan import Outcome, Plan, run
from bench.routing.rows import DataMissing
from headgate.providers.embedding.port import EmbedderMissing

__all__ = ["main"]


def main() -> int:
    """The command line. 0: all was run; 1: the rows or the embedder are not here."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="few draws; the page is not written")
    parser.add_argument("--json", action="store_true", help="figures as JSON instead of tables")
    parser.add_argument("--no-page", action="store_true", help="do not write the page")
    chosen = parser.parse_args()
    plan = (
        Plan(draws=3, repeats=2, mmlu_labels=(500,), gsm8k_labels=(200,), first_labels=(50,))
        if chosen.quick
        else Plan()
    )
    started = time.perf_counter()
    about = _about()
    try:
        outcome = _with_progress(plan)
    except (DataMissing, EmbedderMissing) as fault:
        sys.stderr.write(f"bench-routing: {fault}\n")
        return 1
    about["the run took"] = f"{time.perf_counter() - started:.0f} s"
    if chosen.json:
        print(json.dumps(_plain(outcome, about), indent=2))
    else:
        for title, table in tables(outcome).items():
            print(f"\n{title}\n{table}")
    if not (chosen.quick or chosen.no_page):
        PAGE.write_text(page(outcome, plan, about), encoding="utf-8")
        sys.stderr.write(f"bench-routing: wrote {PAGE}\n")
    return 0


def _with_progress(plan: Plan) -> Outcome:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:

        def begin(what: str, steps: int) -> Callable[[], None]:
            task = progress.add_task(what, total=steps)
            return lambda: progress.advance(task)

        return run(plan, begin)


def _about() -> dict[str, Any]:
    machine = describe_machine()
    kept = {name: value for name, value in machine.items() if "wrk" not in name and "descriptors" not in name}
    return {
        "date": dt.datetime.now(dt.UTC).date().isoformat(),
        "Headgate": version("headgate"),
        "numpy": version("numpy"),
        "onnxruntime": version("onnxruntime"),
        **kept,
    }


def _plain(outcome: Outcome, about: dict[str, Any]) -> dict[str, Any]:
    return {
        "about": about,
        "embedder": outcome.embedder,
        "trials": {
            name: {one: asdict(trial) for one, trial in trials.items()}
            for name, trials in outcome.trials.items()
        },
        "nine_models": [asdict(one) for one in outcome.nine],
        "calibration": outcome.calibration,
        "milliseconds": outcome.milliseconds,
    }


if __name__ == "__main__":
    sys.exit(main())
