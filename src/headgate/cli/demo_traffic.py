"""The demonstration's traffic: what a product with several AI features sends in a minute, and what its users say of it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from headgate.cli.demo_callers import Call, Callers, Judgement, choice
from headgate.cli.demo_desk import Ask, tell_judgements
from headgate.cli.demo_scenarios import SCENARIOS

__all__ = ["PER_SECOND", "Sent", "Traffic", "total_of"]

PER_SECOND = 5
"""Calls begun each second."""
_TELL_SECONDS = 1.0
"""How often applications tell what was said of answers."""
_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class Sent:
    """What came of one call, seen by the client."""

    scenario: str
    status: int
    """0: no answer came."""
    expected: bool
    seconds: float


@dataclass(slots=True)
class Traffic:
    """Sends calls, and feedback on them."""

    ask: Ask
    callers: Callers
    note: Callable[[Sent], None]
    judged: int = 0
    """Judgements that were told."""
    refused: str = ""
    """Why the last judgement was not taken."""
    _said: list[Judgement] = field(default_factory=list)

    async def send_for(self, seconds: float) -> None:
        """Send traffic for so long, each kind at least once, then wait for the answers under way."""
        total = total_of(seconds)
        begun = time.monotonic()
        over = asyncio.Event()
        telling = asyncio.create_task(self._keep_telling(over), name="feedback")
        try:
            async with asyncio.TaskGroup() as calls:
                for number, scenario in enumerate(choice(self.callers.dice, total)):
                    await asyncio.sleep(max(0.0, begun + number * seconds / total - time.monotonic()))
                    calls.create_task(self._one(self.callers.call(scenario)))
        finally:
            # Not cancelled: what it is telling would be told, and not counted.
            over.set()
            await telling

    async def _one(self, call: Call) -> None:
        scenario = call.scenario
        began = time.monotonic()
        answer = await self.ask(
            "POST", scenario.path, call.headers, call.body, hang_up_after=scenario.hang_up_after
        )
        self.callers.heard(call, answer.body)
        if answer.status == 200 and not scenario.hang_up_after:
            self._said += self.callers.judged(call, answer.headers["x-request-id"], answer.body)
        expected = answer.status in scenario.expected
        self.note(Sent(scenario.name, answer.status, expected, time.monotonic() - began))

    async def _keep_telling(self, over: asyncio.Event) -> None:
        while not over.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(over.wait(), _TELL_SECONDS)
            for by in ("user", "code"):
                await self._tell(by)

    async def _tell(self, by: str) -> None:
        items = [each.item for each in self._said if each.by == by]
        self._said = [each for each in self._said if each.by != by]
        for start in range(0, len(items), _AT_ONCE):
            some = items[start : start + _AT_ONCE]
            answer = await tell_judgements(self.ask, self.callers.keys, by, some)
            if answer.status == 200:
                self.judged += len(some)
            else:
                self.refused = f"{answer.status} {answer.body[:300].decode('utf-8', 'replace')}"


def total_of(seconds: float) -> int:
    """How many calls are sent in so long a time."""
    return max(round(seconds * PER_SECOND), len(SCENARIOS))
