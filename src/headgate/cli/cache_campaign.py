"""What `headgate cache warm` asks, one after the other: in cheap hours, at a pace, and within a cap."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol

from headgate.cli.cache_questions import Item
from headgate.cli.output import say

if TYPE_CHECKING:
    from headgate.cli.cheap_hours import Hours
    from headgate.control.http.cache.warming import WarmedTold

__all__ = ["OUTCOMES", "Campaign", "Warmer", "run_campaign"]

OUTCOMES = {
    "stored": "fetched and kept",
    "fresh": "there already, and fresh",
    "estimated": "to be fetched",
    "not_kept": "fetched, but not kept",
    "failed": "failed",
    "refused": "not asked",
    "capped": "not asked: too little was left of --max-usd",
    "price_unknown": "not asked: no price is known",
}
"""In words."""


class Warmer(Protocol):
    """Asks for one, here or elsewhere."""

    async def asked(self, feature: str, since: str, count: int) -> list[tuple[str, int]]:
        """(request, how often it came) of those that came most often."""
        ...

    async def one(
        self, feature: str, item: Item, left: Decimal, *, like: str, estimate_only: bool
    ) -> WarmedTold:
        """What came of it."""
        ...


@dataclass(slots=True)
class Campaign:
    """What came of all."""

    wanted: int
    outcomes: Counter[str] = field(default_factory=Counter)
    why: Counter[str] = field(default_factory=Counter)
    spent: Decimal = Decimal(0)
    most: Decimal = Decimal(0)
    """What it could cost at most, as far as it was estimated."""
    capped: bool = False
    stopped: bool = False


async def run_campaign(
    warmer: Warmer,
    feature: str,
    items: Sequence[Item],
    cap: Decimal,
    *,
    pause: float = 0.0,
    hours: Hours | None = None,
    like: str = "",
    estimate_only: bool = False,
    quiet: bool = True,
) -> Campaign:
    """One after the other. pause: seconds from the beginning of one to that of the next, at least. quiet: without a bar."""
    from headgate.cli.replay_many import interruptible

    done, stop = Campaign(len(items)), asyncio.Event()
    loop = asyncio.get_running_loop()
    with _bar(len(items), quiet=quiet) as step, interruptible(stop):
        for item in items:
            began = loop.time()
            if hours is not None and not estimate_only:
                await _until(hours, stop)
            if stop.is_set():
                done.stopped = True
                break
            told = await warmer.one(feature, item, cap - done.spent, like=like, estimate_only=estimate_only)
            _count(done, told)
            step(done.spent)
            if told.outcome == "capped":
                done.capped = True
                break
            # What is there already costs nobody anything: no need to wait.
            if told.outcome not in ("fresh", "estimated", "refused"):
                await _wait(stop, pause - (loop.time() - began))
    return done


def _count(done: Campaign, told: WarmedTold) -> None:
    done.outcomes[told.outcome] += 1
    done.spent += Decimal(told.cost_usd)
    if told.outcome == "estimated" and told.most_usd is not None:
        done.most += Decimal(told.most_usd)
    if told.why:
        done.why[f"{OUTCOMES[told.outcome]}: {told.why}"] += 1


async def _until(hours: Hours, stop: asyncio.Event) -> None:
    said = False
    while not stop.is_set() and (seconds := hours.wait_seconds()) > 0:
        if not said:
            say(f"Waiting for {hours.words}: {seconds / 3600:.1f} hours")
            said = True
        # A clock that is set, or a machine that slept: looked at again and again.
        await _wait(stop, min(seconds, 30.0))


async def _wait(stop: asyncio.Event, seconds: float) -> None:
    if seconds <= 0:
        return
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        pass


def _bar(total: int, *, quiet: bool) -> Any:
    from contextlib import contextmanager

    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    @contextmanager
    def bar() -> Any:
        console = Console(stderr=True)
        columns = (
            TextColumn("warming"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[spent]}"),
        )
        off = quiet or not console.is_terminal
        with Progress(*columns, console=console, transient=True, disable=off) as shown:
            task = shown.add_task("warming", total=total, spent="")
            yield lambda spent: shown.update(task, advance=1, spent=f"{spent:.4f} USD" if spent else "")

    return bar()
