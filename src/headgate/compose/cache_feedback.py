"""Feedback about an answer that another question had got first teaches how similar is similar enough.

Only where the question was asked in other words: whoever dislikes the answer to the very same question says nothing of similarity.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from typing import Literal, Protocol

from headgate.core.clock import Clock
from headgate.core.tasks import ended
from headgate.stores.answers import Judgement, Popular, Selection
from headgate.stores.errors import StoreError
from headgate.stores.scores import ScoreRow
from headgate.stores.spans import RequestRow

__all__ = ["CacheFeedback", "opinion"]

log = logging.getLogger("headgate.feedback")

_MOST_WAITING = 1_000
_LOOKS = (0.0, 1.0, 2.0, 4.0, 8.0)
"""Seconds before each look for a request that is not stored yet."""
_GOOD, _BAD = 4, 2
"""A rating of so much at least says that the answer was right; of so much at most, that it was not."""


class Requests(Protocol):
    """What is asked of the records."""

    async def request(self, request_id: int) -> RequestRow | None: ...


class Answers(Protocol):
    """What is asked of the cache."""

    async def browse(
        self, which: Selection, *, order: Literal["hits", "newest"], limit: int, after: bytes = b""
    ) -> Sequence[Popular]: ...

    async def judge(self, judgements: Sequence[Judgement]) -> None: ...


class CacheFeedback:
    """Never on anybody's way: what is heard waits, within a bound."""

    def __init__(self, requests: Requests, answers: Answers, clock: Clock) -> None:
        self._requests = requests
        self._answers = answers
        self._clock = clock
        self._waiting: deque[tuple[int, bool]] = deque(maxlen=_MOST_WAITING)
        self._there = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to learn."""
        self._task = asyncio.create_task(self._go_on(), name="cache feedback")

    async def aclose(self) -> None:
        """Learn no more."""
        if self._task is not None:
            await ended(self._task)
            self._task = None

    def hear(self, rows: Sequence[ScoreRow]) -> None:
        """What users said. Never waits."""
        for row in rows:
            right = opinion(row)
            if right is not None and row.request_id:
                self._waiting.append((row.request_id, right))
                self._there.set()

    async def learn(self, request_id: int, *, right: bool, looks: Sequence[float] = _LOOKS) -> bool:
        """Keep it as a judgement of the entry that answered; False if none did, or it is gone. Raises StoreUnavailable."""
        row = await self._stored(request_id, looks)
        if row is None or row.cache != "semantic" or not row.origin_id:
            return False
        found = await self._answers.browse(Selection(origins=(row.origin_id,)), order="newest", limit=1)
        for each in found:
            judgement = Judgement(
                each.entry.key,
                row.similarity / 1e6,
                right,
                self._clock.wall_ns(),
                "feedback",
                request_id=request_id,
                feature=row.feature,
            )
            await self._answers.judge([judgement])
        return bool(found)

    async def _stored(self, request_id: int, looks: Sequence[float]) -> RequestRow | None:
        for pause in looks:
            await asyncio.sleep(pause)
            if (row := await self._requests.request(request_id)) is not None:
                return row
        return None

    async def _go_on(self) -> None:
        while True:
            await self._there.wait()
            self._there.clear()
            while self._waiting:
                request_id, right = self._waiting.popleft()
                try:
                    await self.learn(request_id, right=right)
                except StoreError as failure:
                    log.debug("feedback about an answer from memory is not learned from: %s", failure)


def opinion(row: ScoreRow) -> bool | None:
    """Was the answer right, as a user says? None: it says nothing of that."""
    if row.source != "user" or row.number is None:
        return None
    if row.name == "thumbs":
        return row.number > 0
    if row.name == "rating":
        return True if row.number >= _GOOD else False if row.number <= _BAD else None
    return None
