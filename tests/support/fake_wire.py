"""A connection of the transport on a wire that only exists in the test."""

from __future__ import annotations

import asyncio

from headgate.providers.port import Timeouts
from headgate.providers.transport.connection import Connection
from headgate.providers.transport.parsing import HeadLimits
from headgate.providers.transport.pool import Lane
from headgate.providers.transport.reply import HttpReply

__all__ = ["FakeWire", "begin", "wired"]


class FakeWire:
    """As much of an asyncio transport as a connection uses."""

    def __init__(self) -> None:
        self.sent = b""
        self.over = False
        self.reading = True

    def write(self, data: bytes) -> None:
        self.sent += data

    def abort(self) -> None:
        self.over = True

    close = abort

    def is_closing(self) -> bool:
        return self.over

    def get_extra_info(self, name: str) -> None:
        return None

    def set_write_buffer_limits(self, **limits: int) -> None:
        pass

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True


async def wired() -> tuple[Connection, FakeWire, Lane]:
    """A new connection that holds the only slot of its pool."""
    lane, wire = Lane(1, 30.0, HeadLimits()), FakeWire()
    assert await lane.acquire() is None
    connection = Connection(asyncio.get_running_loop(), lane, "host:1")
    connection.connection_made(wire)  # type: ignore[arg-type]
    lane.adopt(connection)
    return connection, wire, lane


def begin(connection: Connection) -> asyncio.Future[HttpReply]:
    """Start an exchange; its bytes leave in the next turn of the loop."""
    until = asyncio.get_running_loop().time() + 60
    return connection.begin(b"GET / HTTP/1.1\r\n\r\n", b"", Timeouts(), until, no_body=False)
