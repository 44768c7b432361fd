"""Each phase has its deadline, and each deadline its own error."""

from __future__ import annotations

import asyncio
import socket

import pytest

from headgate.core.errors import (
    BetweenTimeout,
    ConnectFailed,
    ConnectTimeout,
    HeadersTimeout,
    PoolTimeout,
    TotalTimeout,
)
from headgate.providers.port import Timeouts, Url
from headgate.providers.transport import TransportSettings
from tests.support.aio import aio
from tests.support.calls import PATIENT, body_of, post, transport
from tests.support.each_loop import on_each_loop
from tests.support.fault_server import Peer, fault_server, ok, serving

SOON = 0.1


async def never_answers(peer: Peer) -> None:
    await peer.request()
    await asyncio.Event().wait()


@on_each_loop
async def test_nobody_listening_is_connect_failed() -> None:
    """A refused connection is no timeout, and the message names host and port."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        async with transport() as http:
            with pytest.raises(ConnectFailed, match=f"127.0.0.1:{port}"):
                await http.send(post(Url.parse(f"http://127.0.0.1:{port}/")), PATIENT)


@on_each_loop
async def test_a_name_that_does_not_exist_is_connect_failed() -> None:
    """So is a name that cannot exist."""
    async with transport() as http:
        for host in ("no-such-host.invalid", "a..b", "x" * 64 + ".invalid"):
            with pytest.raises(ConnectFailed, match=host[:10]):
                await http.send(post(Url.parse(f"http://{host}/")), PATIENT)


@on_each_loop
async def test_a_handshake_that_never_ends_is_a_connect_timeout() -> None:
    """The connect deadline covers TLS."""

    async def silent(peer: Peer) -> None:
        await peer.gone()

    async with fault_server(silent) as server, transport() as http:
        url = Url.parse(f"https://127.0.0.1:{server.port}/")
        with pytest.raises(ConnectTimeout):
            await http.send(post(url), Timeouts(connect=SOON))
        await server.emptied.wait()


@on_each_loop
async def test_a_full_pool_is_a_pool_timeout() -> None:
    """The connect deadline covers waiting for a connection; whoever holds one is not disturbed."""
    go_on = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhe")
        await go_on.wait()
        await peer.send(b"llo")
        await peer.gone()

    settings = TransportSettings(proxy="none", max_connections=1)
    async with fault_server(script) as server, transport(settings) as http:
        first = await http.send(post(server.url()), PATIENT)
        with pytest.raises(PoolTimeout):
            await http.send(post(server.url()), Timeouts(connect=SOON))
        go_on.set()
        assert await first.read(10) == b"hello"


@on_each_loop
async def test_no_head_in_time_is_a_headers_timeout() -> None:
    """Also when bytes keep dripping, and when a request is never taken off the wire."""

    async def drips(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n")
        while True:
            await peer.send(b"x: y\r\n")
            await asyncio.sleep(SOON / 5)

    async def never_reads(peer: Peer) -> None:
        peer.reader._transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.Event().wait()

    for script, body in ((never_answers, b"{}"), (drips, b"{}"), (never_reads, bytes(30_000_000))):
        async with fault_server(script) as server, transport() as http:
            with pytest.raises(HeadersTimeout):
                await http.send(post(server.url(), body), Timeouts(headers=SOON))


@on_each_loop
async def test_silence_inside_a_body_is_a_between_timeout() -> None:
    """What came before the silence is handed out; chunk sizes without chunks are silence too."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n5;ext=")
        while True:
            await peer.send(b"e")
            await asyncio.sleep(SOON / 5)

    async with fault_server(script) as server, transport() as http:
        reply = await http.send(post(server.url()), Timeouts(between=SOON))
        assert await reply.chunk() == b"hello"
        with pytest.raises(BetweenTimeout):
            await reply.chunk()


@on_each_loop
async def test_a_slow_reader_is_no_silent_provider() -> None:
    """The silence counts only while somebody waits for the next piece."""
    go_on = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello")
        await go_on.wait()
        await peer.send(b"world")
        await peer.gone()

    async with fault_server(script) as server, transport() as http:
        reply = await http.send(post(server.url()), Timeouts(between=SOON))
        assert await reply.chunk() == b"hello"
        await asyncio.sleep(SOON * 3)
        go_on.set()
        while not http.counts()[server.url().origin].idle:
            await asyncio.sleep(0)
        assert await reply.chunk() == b"world"


@on_each_loop
async def test_steady_progress_still_ends_at_the_total() -> None:
    """In the body, before the head, and while connecting."""

    async def streams(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        while True:
            await peer.send(b"1\r\nx\r\n")
            await asyncio.sleep(SOON / 5)

    async with fault_server(streams) as server, transport() as http:
        with pytest.raises(TotalTimeout):
            await (await http.send(post(server.url()), Timeouts(total=SOON * 2))).read(1_000_000)
    async with fault_server(never_answers) as server, transport() as http:
        with pytest.raises(TotalTimeout):
            await http.send(post(server.url()), Timeouts(total=SOON))
        with pytest.raises(TotalTimeout):
            await http.send(post(Url.parse(f"https://127.0.0.1:{server.port}/")), Timeouts(total=SOON))


@aio
async def test_a_reply_nobody_reads_does_not_keep_its_connection_for_ever() -> None:
    """Whoever forgets to close a reply loses its slot no longer than until the total deadline."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello")
        await peer.gone()

    async with fault_server(script) as server, transport() as http:
        reply = await http.send(post(server.url()), Timeouts(total=1.0))
        await server.emptied.wait()
        assert await reply.chunk() == b"hello"
        with pytest.raises(TotalTimeout):
            await reply.chunk()


@aio
async def test_deadlines_of_one_request_do_not_reach_the_next() -> None:
    """On one connection: a deadline of a second, and then an answer that takes longer than that."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(ok(b"quick"))
        await peer.request()
        await asyncio.sleep(1.2)
        await peer.send(ok(b"slow"))
        await peer.gone()

    async with fault_server(script) as server, transport() as http:
        first = await http.send(post(server.url()), Timeouts(headers=1.0, total=1.0))
        assert await body_of(first) == b"quick"
        assert await body_of(await http.send(post(server.url()), PATIENT)) == b"slow"
        assert server.accepted == 1


@on_each_loop
async def test_an_idle_connection_is_closed_after_its_time() -> None:
    """And its slot is free; a connection in use is not touched by the time it may be idle."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await asyncio.sleep(SOON * 3)
        await peer.send(ok(b"x"))
        await peer.gone()

    settings = TransportSettings(proxy="none", keepalive_seconds=SOON)
    async with fault_server(script) as server, transport(settings) as http:
        assert (await http.send(post(server.url()), PATIENT)).whole == b"x"
        await server.emptied.wait()
        assert http.counts()[server.url().origin].open == 0


@on_each_loop
async def test_the_peers_own_keep_alive_is_respected() -> None:
    """`keep-alive: timeout=1` leaves no time that is safe to use."""
    async with fault_server(serving(ok(b"x", b"Keep-Alive: timeout=1"))) as server, transport() as http:
        assert (await http.send(post(server.url()), PATIENT)).whole == b"x"
        await server.emptied.wait()
        assert http.counts()[server.url().origin].open == 0
