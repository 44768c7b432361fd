"""What `headgate cache warm` asks, a few at a time: in cheap hours, at a pace, and within a cap."""

from __future__ import annotations

import asyncio
import json
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Decimal
from functools import partial
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
_FREE = ("fresh", "estimated", "refused")
_NANO = Decimal("0.000000001")


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
    at_once: int = 1,
    pause: float = 0.0,
    hours: Hours | None = None,
    like: str = "",
    estimate_only: bool = False,
    quiet: bool = True,
) -> Campaign:
    """at_once: how many are under way at a time, at most. pause: seconds from the beginning of one to that of the next, at least. quiet:
    without a bar."""
    from headgate.cli.replay_many import interruptible

    stop = asyncio.Event()
    pace = _Pace(pause, None if estimate_only else hours, stop)
    with _bar(len(items), quiet=quiet) as step, interruptible(stop):
        run = _Run(warmer, feature, items, cap, pace, stop, like=like, estimate_only=estimate_only, step=step)
        await run.all(at_once)
    return run.done


class _Run:
    """Asks for all. Those under way together have a part each of what is left, so that they cannot pass the cap together."""

    def __init__(
        self,
        warmer: Warmer,
        feature: str,
        items: Sequence[Item],
        cap: Decimal,
        pace: _Pace,
        stop: asyncio.Event,
        *,
        like: str,
        estimate_only: bool,
        step: Callable[[Decimal], None],
    ) -> None:
        self.done = Campaign(len(items))
        self._one = partial(warmer.one, feature, like=like, estimate_only=estimate_only)
        self._cap = cap
        self._pace = pace
        self._stop = stop
        self._step = step
        self._waiting, self._later = _apart(items)
        self._parts: list[Decimal] = []
        """Of those under way."""
        self._short = False
        """Was a part too little for one of them?"""

    async def all(self, at_once: int) -> None:
        """Side by side as long as a part of what is left is enough, and then one after the other; those last that were said before."""
        workers = [asyncio.create_task(self._work(at_once)) for _ in range(at_once)]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
        self._short = False
        self._waiting += self._later
        await self._work(1)

    async def _work(self, at_once: int) -> None:
        while self._more():
            await self._pace.turn()
            if self._stop.is_set():
                self.done.stopped = True
            elif self._more():
                await self._ask(self._waiting.popleft(), at_once)

    def _more(self) -> bool:
        return bool(self._waiting) and not (self.done.capped or self.done.stopped or self._short)

    async def _ask(self, item: Item, at_once: int) -> None:
        done = self.done
        part = (self._cap - done.spent - sum(self._parts)) / (at_once - len(self._parts))
        part = part.quantize(_NANO, ROUND_DOWN)
        self._parts.append(part)
        try:
            told = await self._one(item, part)
        finally:
            self._parts.remove(part)
        if told.outcome in _FREE:
            # What is there already costs nobody anything: no need to wait.
            self._pace.give_back()
        if told.outcome == "capped" and at_once > 1:
            self._short = True
            self._waiting.appendleft(item)
            self._pace.give_back()
            return
        _count(done, told)
        self._step(done.spent)
        done.capped = done.capped or told.outcome == "capped"


def _apart(items: Sequence[Item]) -> tuple[deque[Item], deque[Item]]:
    """Each once, and those that were said before: when it is their turn, they are there already."""
    first: dict[str, Item] = {}
    again: deque[Item] = deque()
    for item in items:
        if first.setdefault(json.dumps(item, sort_keys=True), item) is not item:
            again.append(item)
    return deque(first.values()), again


class _Pace:
    """Who may begin, and when: one after the other, in the hours that were said."""

    def __init__(self, pause: float, hours: Hours | None, stop: asyncio.Event) -> None:
        self._pause = pause
        self._hours = hours
        self._stop = stop
        self._next = 0.0
        self._sooner = asyncio.Event()
        self._one_waits = asyncio.Lock()

    async def turn(self) -> None:
        """It is time to begin, or to stop."""
        loop = asyncio.get_running_loop()
        async with self._one_waits:
            while not self._stop.is_set() and (seconds := self._next - loop.time()) > 0:
                self._sooner.clear()
                await _first_of(self._stop, self._sooner, seconds=seconds)
            if self._hours is not None:
                await _until(self._hours, self._stop)
            self._next = loop.time() + self._pause

    def give_back(self) -> None:
        """The turn was not needed."""
        self._next -= self._pause
        self._sooner.set()


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
        await _first_of(stop, seconds=min(seconds, 30.0))


async def _first_of(*events: asyncio.Event, seconds: float) -> None:
    waiting = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in waiting:
            each.cancel()


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
