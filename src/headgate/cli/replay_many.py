"""`headgate replay` of many: estimated, asked for, sent with a bar and a cap, ended by Ctrl-C, summed up."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headgate.cli.output import fail, print_json, say

if TYPE_CHECKING:
    from headgate.compose.gateway import Gateway
    from headgate.control.campaigns import Campaign, Forecast
    from headgate.control.replays import Replayed
    from headgate.exchange.caller import Caller
    from headgate.quality.replay.capping import SpendCap
    from headgate.quality.replay.changing import Changes
    from headgate.stores.spans import RequestRow

__all__ = ["CAPPED", "INTERRUPTED", "Job", "interruptible", "line_of", "many", "private", "told_of"]

CAPPED, INTERRUPTED = 3, 130
"""Exit codes."""


class Job:
    """What is wanted, but for which requests."""

    def __init__(
        self,
        changes: Changes,
        cap_nanos: int | None,
        concurrency: int,
        jsonl: Path | None,
        *,
        as_json: bool,
        yes: bool,
        estimate_only: bool,
    ) -> None:
        self.changes = changes
        self.cap_nanos = cap_nanos
        self.concurrency = concurrency
        self.jsonl = jsonl
        self.as_json = as_json
        self.yes = yes
        self.estimate_only = estimate_only

    def cap(self) -> SpendCap | None:
        from headgate.quality.replay.capping import SpendCap

        return SpendCap(self.cap_nanos) if self.cap_nanos is not None else None


async def many(gateway: Gateway, job: Job, rows: Sequence[RequestRow], caller: Caller) -> int:
    from headgate.cli.replay_text import campaign_lines, forecast_lines
    from headgate.control.campaigns import estimate_many

    with _bar(len(rows), "estimating", job) as step:
        forecast, able = await estimate_many(
            gateway.spans, gateway.replaying, rows, job.changes, caller, told=lambda: step(0)
        )
    if not job.as_json or job.estimate_only is False:
        for line in forecast_lines(forecast, len(rows)):
            say(line)
    if job.estimate_only:
        if job.as_json:
            print_json(_forecast_told(forecast))
        return 0 if able else 1
    if not able:
        say("none of them can be sent again so")
        return 1
    _ask(job, forecast)
    campaign = await _sent(gateway, job, able, caller)
    campaign.left_out.update(forecast.left_out)
    if job.as_json:
        print_json(_campaign_told(campaign, forecast))
    else:
        campaign_lines(campaign)
    if campaign.stopped:
        return INTERRUPTED
    if campaign.capped:
        return CAPPED
    return 0 if campaign.pairs else 1


def _ask(job: Job, forecast: Forecast) -> None:
    if job.yes or job.cap_nanos is not None:
        return
    if not sys.stdin.isatty():
        fail(f"this sends {forecast.requests:,} requests: say --most-usd USD, or --yes", code=2)
    click.confirm(f"Send {forecast.requests:,} requests?", abort=True, err=True)


async def _sent(gateway: Gateway, job: Job, rows: Sequence[RequestRow], caller: Caller) -> Campaign:
    from headgate.control.campaigns import replay_many

    stop = asyncio.Event()
    file = private(job.jsonl) if job.jsonl is not None else None
    try:
        with _bar(len(rows), "replaying", job) as step, interruptible(stop):

            async def told(done: Replayed) -> None:
                if file is not None:
                    file.write(line_of(done))
                step(done.replay.cost_nanos or 0)

            return await replay_many(
                gateway.spans,
                gateway.replaying,
                rows,
                job.changes,
                caller,
                cap=job.cap(),
                concurrency=job.concurrency,
                stop=stop,
                told=told,
            )
    finally:
        if file is not None:
            file.close()


@contextmanager
def interruptible(stop: asyncio.Event) -> Iterator[None]:
    """Ctrl-C lets what is under way end; a second one does not."""
    loop, task = asyncio.get_running_loop(), asyncio.current_task()

    def interrupt() -> None:
        if stop.is_set() and task is not None:
            task.cancel()
            return
        say("Stopping: what is under way ends first; Ctrl-C again gives it up")
        stop.set()

    try:
        loop.add_signal_handler(signal.SIGINT, interrupt)
    except (NotImplementedError, RuntimeError, ValueError):
        yield  # no main thread, or no such thing on this system
        return
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)


@contextmanager
def _bar(total: int, what: str, job: Job) -> Iterator[Any]:
    """Call what is given with the nano-dollars of each that is done."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    spent = 0
    columns = (
        TextColumn(what),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[spent]}"),
    )
    console = Console(stderr=True)
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal or job.as_json
    ) as bar:
        task = bar.add_task(what, total=total, spent="")

        def step(nanos: int) -> None:
            nonlocal spent
            spent += nanos
            bar.update(task, advance=1, spent=f"{spent / 1e9:.4f} USD" if spent else "")

        yield step


def private(out: Path) -> Any:
    """A file for its owner alone: prompts' answers are in it."""
    import os

    return os.fdopen(os.open(out, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "wb")


def line_of(done: Replayed) -> bytes:
    return json.dumps(told_of(done.comparison), ensure_ascii=False).encode() + b"\n"


def told_of(value: Any) -> dict[str, Any]:
    import msgspec

    told: dict[str, Any] = msgspec.to_builtins(value)
    return told


def _forecast_told(forecast: Forecast) -> dict[str, Any]:
    return {
        "requests": forecast.requests,
        "expected_usd": forecast.expected_nanos / 1e9,
        "least_usd": forecast.least_nanos / 1e9,
        "most_usd": None if forecast.unpriced else forecast.most_nanos / 1e9,
        "unpriced": forecast.unpriced,
        "unpriced_places": sorted(forecast.unpriced_places),
        "left_out": dict(forecast.left_out),
    }


def _campaign_told(campaign: Campaign, forecast: Forecast) -> dict[str, Any]:
    return {
        "estimate": _forecast_told(forecast),
        "wanted": campaign.wanted,
        "spent_usd": campaign.spent_nanos / 1e9,
        "unknown_cost": campaign.unknown_cost,
        "capped": campaign.capped,
        "interrupted": campaign.stopped,
        "left_out": dict(campaign.left_out),
        "summary": told_of(campaign.summary),
    }
