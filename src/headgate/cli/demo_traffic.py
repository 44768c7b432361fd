"""The demonstration's traffic: what a product with several AI features sends in a minute, and what its users say of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from headgate.cli.demo_callers import Call, Callers, choice
from headgate.cli.demo_desk import Ask, give_feedback
from headgate.cli.demo_scenarios import SCENARIOS

__all__ = ["PER_SECOND", "Sent", "Traffic", "total_of"]

PER_SECOND = 5
"""Calls begun each second."""
_TELL_SECONDS = 1.0
"""How often the application tells what its users have said."""


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
    _said: list[dict[str, Any]] = field(default_factory=list)

    async def send_for(self, seconds: float) -> None:
        """Send traffic for so long, each kind at least once, then wait for the answers under way."""
        total = total_of(seconds)
        begun = time.monotonic()
        telling = asyncio.create_task(self._keep_telling(), name="feedback")
        try:
            async with asyncio.TaskGroup() as calls:
                for number, scenario in enumerate(choice(self.callers.dice, total)):
                    await asyncio.sleep(max(0.0, begun + number * seconds / total - time.monotonic()))
                    calls.create_task(self._one(self.callers.call(scenario)))
        finally:
            telling.cancel()
            await asyncio.wait({telling})
        await self._tell()

    async def _one(self, call: Call) -> None:
        scenario = call.scenario
        began = time.monotonic()
        answer = await self.ask(
            "POST", scenario.path, call.headers, call.body, hang_up_after=scenario.hang_up_after
        )
        self.callers.heard(call, answer.body)
        opinion = self.callers.opinion(call) if answer.status == 200 else {}
        if opinion and "x-request-id" in answer.headers:
            self._said.append({"request": answer.headers["x-request-id"], **opinion})
        expected = answer.status in scenario.expected
        self.note(Sent(scenario.name, answer.status, expected, time.monotonic() - began))

    async def _keep_telling(self) -> None:
        while True:
            await asyncio.sleep(_TELL_SECONDS)
            await self._tell()

    async def _tell(self) -> None:
        while self._said:
            some, self._said = self._said[:100], self._said[100:]
            answer = await give_feedback(self.ask, self.callers.keys["shop"], some)
            if answer.status == 200:
                self.judged += len(some)
            else:
                self.refused = f"{answer.status} {answer.body[:300].decode('utf-8', 'replace')}"


def total_of(seconds: float) -> int:
    """How many calls are sent in so long a time."""
    return max(round(seconds * PER_SECOND), len(SCENARIOS))
