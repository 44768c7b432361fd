"""Those who listen to one call: each has its own place in the stream, and its own pace.

A reader that is alone holds the provider back. One of several may be far behind before the others wait for it, and they do not wait long."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from headgate.core.errors import RequestTooSlow
from headgate.core.frame import Frame

__all__ = ["FRAME_BYTES", "Audience", "Reader", "Source"]

ALONE_BEHIND = 65_536
"""Bytes that the only reader may be behind before the provider is told to wait."""
MOST_BEHIND = 8_000_000
"""Bytes, about, that one of several readers may be behind before the others wait for it."""
PATIENCE_SECONDS = 5.0
"""How long they do. Then it is cut off: its stream ends in an error."""
FRAME_BYTES = 64
"""Of a frame beside its data, about."""


class Source(Protocol):
    """What is read: a `Flight`."""

    landed: bool
    """All has been said, or will never be."""
    failure: BaseException | None

    def leave(self, reader: Reader) -> None:
        """It reads no more."""
        ...


class Audience:
    """The readers of one call, and those who wait to be."""

    __slots__ = ("_room", "readers", "waiting")

    def __init__(self) -> None:
        self.readers: list[Reader] = []
        self.waiting = 0
        """Readers to be: they wait for the first word, or for a whole answer."""
        self._room: asyncio.Future[None] | None = None

    @property
    def alone(self) -> bool:
        """Is there one reader, and nobody who waits for the whole of it?"""
        return len(self.readers) == 1 and not self.waiting

    def offer(self, frame: Frame) -> bool:
        """The next frame, to all. False: somebody is too far behind."""
        readers = self.readers
        if len(readers) == 1 and not self.waiting:
            return readers[0].offer(frame, ALONE_BEHIND)
        fits = True
        for reader in tuple(readers):
            fits = reader.offer(frame, MOST_BEHIND) and fits
        return fits

    async def until_room(self) -> None:
        """Somebody is far behind: wait for them, and with several readers not for ever."""
        loop = asyncio.get_running_loop()
        until = loop.time() + PATIENCE_SECONDS
        while behind := self._far_behind():
            room = self._room = loop.create_future()
            if self.alone:
                await room
                until = loop.time() + PATIENCE_SECONDS
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout_at(until):
                    await room
            if loop.time() >= until:
                for reader in behind:
                    reader.cut_off()

    def progress(self) -> None:
        """A reader has taken something, has left, or is no longer alone."""
        room = self._room
        if room is not None and not room.done():
            room.set_result(None)

    def _far_behind(self) -> list[Reader]:
        most = ALONE_BEHIND if self.alone else MOST_BEHIND
        return [reader for reader in self.readers if reader.behind > most // 2]


class Reader:
    """One place in the stream. See `exchange.pumping.Pumped`."""

    __slots__ = ("_audience", "_cut", "_deliver", "_full", "_late", "_next", "_source", "behind")

    def __init__(self, source: Source, audience: Audience) -> None:
        self.behind = 0
        """Bytes that it has not taken yet, about."""
        self._source = source
        self._audience = audience
        self._late: deque[Frame] = deque()
        self._deliver: Callable[[Frame], bool] | None = None
        self._full = False
        self._next: asyncio.Future[None] | None = None
        self._cut: BaseException | None = None

    def begin(self, frame: Frame) -> None:
        """What was said before it came."""
        self._late.append(frame)

    def offer(self, frame: Frame, most: int) -> bool:
        """The next frame. False: it is more than `most` behind."""
        if self._deliver is not None:
            try:
                self._full = not self._deliver(frame)
            except Exception as bug:  # noqa: BLE001 - its own: raised where it reads
                self._cut = bug
            if self._full or self._cut is not None:
                self._deliver = None
                self.wake()
            return True
        self._late.append(frame)
        self.behind += len(frame.data or b"") + FRAME_BYTES
        self.wake()
        return self.behind <= most

    def cut_off(self) -> None:
        """It is too slow for the others."""
        self._late.clear()
        self.behind = 0
        self._cut = RequestTooSlow(
            "the answer was read too slowly: others who asked the same are waiting for it"
        )
        self.wake()
        self._source.leave(self)

    def wake(self) -> None:
        """There is something to be read, or nothing more will come."""
        waiting = self._next
        if waiting is not None and not waiting.done():
            waiting.set_result(None)

    def __aiter__(self) -> Reader:
        return self

    async def __anext__(self) -> Frame:
        while not self._late:
            if self._over():
                raise StopAsyncIteration
            await self._wait()
        return self._take()

    async def pump(self, deliver: Callable[[Frame], bool]) -> bool:
        """See `Pumped`."""
        while True:
            while self._late:
                if not deliver(self._take()):
                    return False
            if self._over():
                return True
            self._full, self._deliver = False, deliver
            try:
                await self._wait()
            finally:
                self._deliver = None
            if self._full:
                return False

    async def aclose(self) -> None:
        """It reads no more."""
        self.let_go()

    def let_go(self) -> None:
        """As `aclose`, for when the exchange is over."""
        self._late.clear()
        self.behind = 0
        self._source.leave(self)

    def _take(self) -> Frame:
        frame = self._late.popleft()
        if self.behind:
            self.behind = max(self.behind - len(frame.data or b"") - FRAME_BYTES, 0)
            self._audience.progress()
        return frame

    def _over(self) -> bool:
        """Has all been read? Raises what broke the stream."""
        failure = self._cut
        if failure is None:
            if not self._source.landed:
                return False
            failure = self._source.failure
        if failure is not None:
            raise failure
        return True

    async def _wait(self) -> None:
        self._next = asyncio.get_running_loop().create_future()
        try:
            await self._next
        finally:
            self._next = None
