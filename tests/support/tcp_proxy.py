"""A forward proxy for tests: tunnels CONNECT, and remembers what it was asked."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator

__all__ = ["ForwardProxy", "forward_proxy"]


@dataclass
class ForwardProxy:
    """What a running proxy has seen."""

    port: int = 0
    heads: list[bytes] = field(default_factory=list)
    """The head of each CONNECT, whole."""


async def _pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


@asynccontextmanager
async def forward_proxy(
    target_port: int,
    *,
    answer: bytes = b"HTTP/1.1 200 Connection established\r\n\r\n",
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[ForwardProxy]:
    """Tunnel every CONNECT, whatever name it asks for, to `target_port` of 127.0.0.1.

    answer:  what the proxy says; anything but a 2xx closes the connection after it."""
    seen = ForwardProxy()
    running: set[asyncio.Task[None]] = set()

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        running.add(task)
        task.add_done_callback(running.discard)
        try:
            seen.heads.append(await reader.readuntil(b"\r\n\r\n"))
            writer.write(answer)
            await writer.drain()
            if answer.split(b" ", 2)[1].startswith(b"2"):
                far_reader, far_writer = await asyncio.open_connection("127.0.0.1", target_port)
                try:
                    await asyncio.gather(_pour(reader, far_writer), _pour(far_reader, writer))
                finally:
                    far_writer.close()
        except (EOFError, ConnectionError, asyncio.CancelledError):
            pass  # the client left, or the test is over
        finally:
            writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
    seen.port = server.sockets[0].getsockname()[1]
    try:
        yield seen
    finally:
        server.close()
        for task in list(running):
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await asyncio.sleep(0)
