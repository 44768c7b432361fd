"""A TCP server that does exactly what a test tells it, wrong things included.

async def script(peer: Peer) -> None:      # runs once per connection
    await peer.request()
    await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel")
    peer.reset()

async with fault_server(script) as server:
    ... server.url("/x"), server.accepted, server.requests
"""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from headgate.providers.port import Url

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Awaitable, Callable

__all__ = ["FaultServer", "Peer", "Request", "fault_server", "ok", "serving"]


@dataclass(frozen=True, slots=True)
class Request:
    """A request as it came over the wire."""

    line: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes

    def header(self, name: bytes) -> bytes | None:
        """The first value of `name` (lower case), or None."""
        return next((value for key, value in self.headers if key.lower() == name), None)


@dataclass(eq=False)
class Peer:
    """One accepted connection, from the server's side."""

    number: int
    """0 for the first connection this server accepted."""
    server: FaultServer
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def request(self) -> Request:
        """Read one request whole. Raises EOFError or ConnectionError when the client leaves."""
        head = await self.reader.readuntil(b"\r\n\r\n")
        line, *lines = head[:-4].split(b"\r\n")
        headers = [(name, value.strip()) for name, _, value in (text.partition(b":") for text in lines)]
        length = next((int(value) for name, value in headers if name.lower() == b"content-length"), 0)
        request = Request(line, headers, await self.reader.readexactly(length))
        self.server.requests.append(request)
        self.server.asked.set()
        return request

    async def send(self, data: bytes) -> None:
        """Send and wait until the kernel has taken it."""
        self.writer.write(data)
        await self.writer.drain()

    async def send_in_pieces(self, data: bytes, size: int = 1) -> None:
        """Send `size` bytes at a time, one piece per packet as far as the kernel plays along."""
        for start in range(0, len(data), size):
            await self.send(data[start : start + size])
            await asyncio.sleep(0)

    def half_close(self) -> None:
        """Say that nothing more comes, and go on reading."""
        self.writer.write_eof()

    def reset(self) -> None:
        """Break the connection with a TCP reset."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def gone(self) -> None:
        """Return when the client has closed its side."""
        with suppress(ConnectionError):
            while await self.reader.read(65536):
                pass


@dataclass
class FaultServer:
    """What a running server has seen so far."""

    port: int = 0
    scheme: str = "http"
    accepted: int = 0
    """Connections accepted, ever."""
    open: int = 0
    """Connections whose script has not ended."""
    requests: list[Request] = field(default_factory=list)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    """Set at each complete request."""
    emptied: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the last open connection is over."""
    trouble: list[BaseException] = field(default_factory=list)
    """What scripts raised, apart from clients that left; `fault_server` raises the first one at its end."""

    def url(self, path: str = "/", host: str = "127.0.0.1") -> Url:
        """An address on this server."""
        return Url.parse(f"{self.scheme}://{host}:{self.port}{path}")


@asynccontextmanager
async def fault_server(
    script: Callable[[Peer], Awaitable[None]], *, tls: ssl.SSLContext | None = None, port: int = 0
) -> AsyncIterator[FaultServer]:
    """Serve `script` on 127.0.0.1 (port: a free one if 0); connections still open at the end are aborted."""
    seen = FaultServer(scheme="https" if tls else "http")
    running: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = Peer(seen.accepted, seen, reader, writer)
        task = asyncio.current_task()
        assert task is not None
        running.add(task)
        seen.accepted += 1
        seen.open += 1
        seen.emptied.clear()
        try:
            await script(peer)
        except (EOFError, ConnectionError):
            pass  # the client left
        except asyncio.CancelledError:
            pass  # the test is over
        except Exception as error:
            seen.trouble.append(error)
        finally:
            seen.open -= 1
            running.discard(task)
            if not seen.open:
                seen.emptied.set()
            writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", port, ssl=tls, limit=1 << 20)
    seen.port = server.sockets[0].getsockname()[1]
    try:
        yield seen
    finally:
        server.close()
        for task in list(running):
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await asyncio.sleep(0)
    if seen.trouble:
        raise seen.trouble[0]


def ok(body: bytes, *lines: bytes, status: bytes = b"200 OK") -> bytes:
    """A whole reply with a content-length."""
    head = b"".join(line + b"\r\n" for line in lines)
    return b"HTTP/1.1 %b\r\n%bcontent-length: %d\r\n\r\n%b" % (status, head, len(body), body)


def serving(reply: bytes) -> Callable[[Peer], Awaitable[None]]:
    """A script that answers every request of a connection with the same bytes."""

    async def script(peer: Peer) -> None:
        while True:
            await peer.request()
            await peer.send(reply)

    return script
