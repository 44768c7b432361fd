"""Neither a slow reader nor a slow provider makes memory grow."""

from __future__ import annotations

import asyncio

from headgate.providers.transport import Transport
from headgate.providers.transport.connection import Connection
from tests.support.calls import PATIENT, body_of, post, transport
from tests.support.each_loop import on_each_loop
from tests.support.fault_server import Peer, fault_server, ok

BLOCK = bytes(1_000_000)
BLOCKS = 200
MOST_UNREAD = 1_000_000  # high-water mark, and one read of either event loop on top


def busy_connection(http: Transport) -> Connection:
    (origin,) = http._origins.values()
    (connection,) = origin.lane._busy
    return connection


@on_each_loop
async def test_a_slow_reader_stops_the_provider() -> None:
    """200 MB are pushed at a reader that does not read: the server's writes block, our buffer stays under 1 MB.

    Read on, the body comes complete, and never more is held than that."""
    sent = 0

    async def script(peer: Peer) -> None:
        nonlocal sent
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (len(BLOCK) * BLOCKS))
        for _ in range(BLOCKS):
            await peer.send(BLOCK)
            sent += 1
        await peer.gone()

    async with fault_server(script) as server, transport() as http:
        reply = await http.send(post(server.url()), PATIENT)
        connection = busy_connection(http)
        while not connection._reading_paused:
            await asyncio.sleep(0)
        before = -1
        while before != sent:  # the kernel's own buffers fill up too
            before = sent
            await asyncio.sleep(0.05)
        assert sent < BLOCKS / 2
        assert connection.buffered < MOST_UNREAD
        received = most = 0
        while data := await reply.chunk():
            received += len(data)
            most = max(most, len(data), connection.buffered)
        assert received == len(BLOCK) * BLOCKS
        assert most < MOST_UNREAD


@on_each_loop
async def test_a_slow_provider_stops_the_upload() -> None:
    """A body of 100 MB is handed to the event loop in pieces: what it holds unsent stays under 1 MB."""
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        begun.set()
        await go_on.wait()
        await peer.reader.readexactly(100_000_000)
        await peer.send(ok(b"x"))
        await peer.gone()

    async with fault_server(script) as server, transport() as http:
        task = asyncio.create_task(http.send(post(server.url(), bytes(100_000_000)), PATIENT))
        await begun.wait()
        connection = busy_connection(http)
        assert connection._transport is not None
        assert connection._writing_paused
        assert connection._transport.get_write_buffer_size() < MOST_UNREAD
        go_on.set()
        assert await body_of(await task) == b"x"


@on_each_loop
async def test_a_connection_that_was_paused_serves_the_next_request() -> None:
    """It reads again, and hears the next answer."""

    async def script(peer: Peer) -> None:
        for _ in range(2):
            await peer.request()
            await peer.send(ok(bytes(700_000)))
        await peer.gone()

    async with fault_server(script) as server, transport() as http:
        for _ in range(2):
            reply = await http.send(post(server.url()), PATIENT)
            assert len(await body_of(reply)) == 700_000
        assert server.accepted == 1
