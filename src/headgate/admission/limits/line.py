"""Where requests wait for room in a limit: higher priorities first, keys in turn, within a key first come first served."""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import Sequence
from math import inf

from headgate.admission.limits.rules import Ask
from headgate.admission.limits.settings import QueueSettings
from headgate.stores.meters import Meters, Reading

__all__ = ["Line"]

_SHORTEST = 0.001
"""Seconds between two looks, at least."""


class _Waiter:
    """A request that waits."""

    __slots__ = ("answer", "asks", "feature", "holder", "key", "priority", "reading")

    def __init__(
        self, *, asks: Sequence[Ask], holder: int, key: str, feature: str, priority: int, reading: Reading
    ) -> None:
        self.asks = asks
        self.holder = holder
        self.key = key
        self.feature = feature
        self.priority = priority
        self.reading = reading
        """Why it still waits."""
        self.answer: asyncio.Future[Reading] = asyncio.get_running_loop().create_future()


class Line:
    """All that wait, and one task that lets them in, in turn, whenever there may be room.

    Nobody overtakes whom the same count is too short for: otherwise small requests would keep a large one waiting."""

    def __init__(self, meters: Meters, *, look_every: float = inf) -> None:
        """look_every: seconds after which room may have come without a word, because other nodes give back too."""
        self.waiting = 0
        self.let_in = 0
        self.in_vain = 0
        """Requests that waited and were refused all the same, or for which there was no place."""
        self._meters = meters
        self._look_every = look_every
        self._of_feature: Counter[str] = Counter()
        self._classes: dict[int, OrderedDict[str, deque[_Waiter]]] = {}
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def room_came(self) -> None:
        """Something was given back."""
        if self.waiting:
            self._changed.set()

    def full(self, feature: str, settings: QueueSettings) -> bool:
        """Is there no place to wait?"""
        return self._of_feature[feature] >= settings.most

    async def wait(
        self,
        asks: Sequence[Ask],
        *,
        holder: int,
        key: str,
        feature: str,
        settings: QueueSettings,
        reading: Reading,
    ) -> Reading:
        """Until there is room, which is then taken, or the time is over: the reading says which. reading: why it has to
        wait, as far as that is known. Whoever is cancelled leaves the line."""
        waiter = _Waiter(
            asks=asks,
            holder=holder,
            key=key,
            feature=feature,
            priority=settings.priority,
            reading=reading,
        )
        self._join(waiter)
        answer = waiter.answer
        try:
            await asyncio.wait([answer], timeout=float(settings.wait))
        except asyncio.CancelledError:
            if answer.done() and not answer.exception():
                self._give_back(waiter)
            raise
        finally:
            self._leave(waiter)
            if not answer.done():
                answer.cancel()
        if answer.cancelled():
            self.in_vain += 1
            return waiter.reading
        self.let_in += 1
        return answer.result()

    def _join(self, waiter: _Waiter) -> None:
        keys = self._classes.setdefault(waiter.priority, OrderedDict())
        keys.setdefault(waiter.key, deque()).append(waiter)
        self._of_feature[waiter.feature] += 1
        self.waiting += 1
        self._changed.set()
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="limits line")

    def _leave(self, waiter: _Waiter) -> None:
        keys = self._classes[waiter.priority]
        keys[waiter.key].remove(waiter)
        if not keys[waiter.key]:
            del keys[waiter.key]
            if not keys:
                del self._classes[waiter.priority]
        self._of_feature[waiter.feature] -= 1
        if not self._of_feature[waiter.feature]:
            del self._of_feature[waiter.feature]
        self.waiting -= 1
        # Whoever stood behind it may fit where it did not.
        self._changed.set()

    async def _run(self) -> None:
        while self.waiting:
            self._changed.clear()
            seconds = await self._look()
            if self.waiting and not self._changed.is_set():
                timeout = max(min(seconds, self._look_every), _SHORTEST)
                try:
                    async with asyncio.timeout(None if timeout == inf else timeout):
                        await self._changed.wait()
                except TimeoutError:
                    pass  # there may be room now

    async def _look(self) -> float:
        """Let in whoever there is room for. Returns the seconds until there may be room for the next."""
        short: dict[tuple[str, str], float] = {}
        soonest = inf
        for priority in sorted(self._classes, reverse=True):
            keys = self._classes.get(priority)
            if keys is None:
                continue
            lines = {key: iter(tuple(line)) for key, line in keys.items()}
            turns = deque(lines)
            while turns:
                key = turns.popleft()
                waiter = next(lines[key], None)
                if waiter is None:
                    continue
                turns.append(key)
                if waiter.answer.done():
                    continue
                waits = [short.get((gauge.name, subject), 0.0) for gauge, subject, _ in waiter.asks]
                if any(waits):
                    waiter.reading = Reading(False, [], waits)
                    continue
                await self._try(waiter)
                if waiter.answer.done():
                    if key in keys:
                        keys.move_to_end(key)
                    continue
                soonest = min(soonest, max(waiter.reading.waits))
                for (gauge, subject, _), wait in zip(waiter.asks, waiter.reading.waits, strict=True):
                    if wait:
                        short[gauge.name, subject] = wait
        return soonest

    async def _try(self, waiter: _Waiter) -> None:
        try:
            reading = await self._meters.take(waiter.asks, waiter.holder)
        except Exception as error:  # noqa: BLE001 - it is raised where the request waits
            if not waiter.answer.done():
                waiter.answer.set_exception(error)
            return
        if not reading.ok:
            waiter.reading = reading
        elif waiter.answer.done():
            self._give_back(waiter)
        else:
            waiter.answer.set_result(reading)

    def _give_back(self, waiter: _Waiter) -> None:
        self._meters.settle(
            [(gauge, subject, -units) for gauge, subject, units in waiter.asks], waiter.holder
        )
        self._changed.set()
