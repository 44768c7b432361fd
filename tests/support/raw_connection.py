"""The server's connection without a socket: bytes in by hand, bytes out in a list, time moved by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from headgate.edge.connection import Connection
from headgate.edge.entrance import Entrance
from headgate.edge.settings import ServerSettings

__all__ = ["FakeTransport", "ManualTime", "RawConnection", "echo"]

App = Callable[..., Any]


class ManualTime:
    """The parts of a loop that tell time, standing still; the rest is the running loop's."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._timers: list[tuple[float, Callable[[], None], Any]] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[[], None]) -> Any:
        handle = SimpleNamespace(cancelled=False)
        handle.cancel = lambda: setattr(handle, "cancelled", True)
        self._timers.append((when, callback, handle))
        return handle

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Any:
        return self.call_at(self.now + seconds, callback)

    def create_task(self, coroutine: Any) -> Any:
        return asyncio.get_running_loop().create_task(coroutine)

    def create_future(self) -> Any:
        return asyncio.get_running_loop().create_future()

    def advance(self, seconds: float) -> None:
        """Move on, running what becomes due in its order."""
        until = self.now + seconds
        while due := [timer for timer in self._timers if timer[0] <= until]:
            first = min(due, key=lambda timer: timer[0])
            self._timers.remove(first)
            self.now = max(self.now, first[0])
            if not first[2].cancelled:
                first[1]()
        self.now = until

    @property
    def waiting(self) -> int:
        """Timers that would still fire."""
        return sum(not handle.cancelled for _, _, handle in self._timers)


class FakeTransport:
    """Takes everything at once unless it is told to be stuck."""

    def __init__(self) -> None:
        self.written = b""
        self.writes = 0
        self.reading = True
        self.ended = False
        """Our side is closed, the caller's is not."""
        self.closed = False
        self.aborted = False
        self.stuck = False
        """What is written stays in the buffer, so that `close` does not come to its end."""
        self.connection: Connection | None = None

    def get_extra_info(self, name: str) -> Any:
        return ("192.0.2.7", 4711) if name == "peername" else None

    def write(self, data: bytes) -> None:
        assert not self.ended, "written after the end"
        assert not self.closed, "written after close"
        self.written += data
        self.writes += 1

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.ended = True

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            if not self.stuck:
                self._lost()

    def abort(self) -> None:
        self.aborted = self.closed = True
        self._lost()

    def _lost(self) -> None:
        if self.connection is not None:
            asyncio.get_running_loop().call_soon(self.connection.connection_lost, None)

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


async def echo(scope: Any, receive: Any, send: Any) -> None:
    """Answers with method, path and body."""
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        body += message["body"]
        more = message["more_body"]
    said = b"%b %b %b" % (scope["method"].encode(), scope["path"].encode(), body)
    headers = [(b"content-length", b"%d" % len(said))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": said})


class RawConnection:
    """One caller's connection to `app`. To be made inside a running loop."""

    def __init__(self, app: App = echo, **settings: Any) -> None:
        self.time = ManualTime()
        self.transport = FakeTransport()
        self.state = SimpleNamespace(
            connections=set(), tasks=set(), default_headers=[(b"date", b"now")], total_requests=0
        )
        self.scopes: list[Any] = []

        async def noting(scope: Any, receive: Any, send: Any) -> None:
            self.scopes.append(scope)
            await app(scope, receive, send)

        config: Any = SimpleNamespace(loaded=True, loaded_app=noting)
        loop: Any = self.time
        state: Any = self.state
        self.connection = Connection(Entrance(ServerSettings(**settings)), config, state, {}, loop)
        self.transport.connection = self.connection
        transport: Any = self.transport
        self.connection.connection_made(transport)

    def feed(self, data: bytes, *, by: int = 0) -> None:
        """Bytes from the caller. by: so many at a time."""
        for start in range(0, len(data), by or len(data) or 1):
            self.connection.data_received(data[start : start + (by or len(data))])

    async def settle(self) -> None:
        """Let everything run that can."""
        for _ in range(20):
            await asyncio.sleep(0)

    async def say(self, data: bytes, *, by: int = 0) -> bytes:
        """Bytes in, and what came out for them."""
        before = len(self.transport.written)
        self.feed(data, by=by)
        await self.settle()
        return self.transport.written[before:]

    def leave(self) -> None:
        """The caller is gone."""
        self.transport.closed = True
        self.connection.connection_lost(None)
