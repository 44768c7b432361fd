"""Kept connections that died or were poisoned while nobody looked."""

from __future__ import annotations

import asyncio
import socket

import pytest

from headgate.core.errors import UpstreamReset
from headgate.providers.port import Url
from headgate.providers.transport import Transport, TransportSettings
from tests.support.aio import aio
from tests.support.calls import PATIENT, body_of, post, transport
from tests.support.each_loop import on_each_loop
from tests.support.fault_server import Peer, fault_server, ok, serving

POISON = ok(b"somebody else's answer")


async def left(http: Transport) -> None:
    """Until the pool is empty."""
    while any(counts.open for counts in http.counts().values()):
        await asyncio.sleep(0)


@on_each_loop
async def test_an_end_on_an_idle_connection_takes_it_out_of_the_pool() -> None:
    """The next request finds nothing kept and opens a new connection."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(ok(b"x"))

    async with fault_server(script) as server, transport() as http:
        for _ in range(2):
            assert (await http.send(post(server.url()), PATIENT)).whole == b"x"
            await left(http)
        assert len(server.requests) == server.accepted == 2


@on_each_loop
async def test_a_stale_connection_is_retried_once() -> None:
    """The server takes the request off a kept connection and dies without a byte: it is sent again on a new one."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(ok(b"connection %d" % peer.number))
        await peer.request()
        if peer.number % 2:
            peer.reset()

    async with fault_server(script) as server, transport() as http:
        bodies = [await body_of(await http.send(post(server.url()), PATIENT)) for _ in range(4)]
        assert bodies == [b"connection %d" % number for number in range(4)]
        assert len(server.requests) == 4 + 3


@on_each_loop
async def test_a_stale_connection_is_retried_with_its_whole_body() -> None:
    """Twenty megabytes break off in the middle of the upload and go out again from the start."""
    body = bytes(20_000_000)

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(ok(b"x"))
        if peer.number == 0:
            await peer.reader.readexactly(1_000_000)
            peer.reset()
        else:
            await peer.gone()

    async with fault_server(script) as server, transport() as http:
        await http.send(post(server.url()), PATIENT)
        assert (await http.send(post(server.url(), body), PATIENT)).whole == b"x"
        assert server.requests[1].body == body


@on_each_loop
async def test_a_new_connection_that_dies_is_not_retried_again() -> None:
    """After the one retry the fault is told."""

    async def script(peer: Peer) -> None:
        await peer.request()
        if peer.number == 0:
            await peer.send(ok(b"x"))
            await peer.request()

    async with fault_server(script) as server, transport() as http:
        await http.send(post(server.url()), PATIENT)
        with pytest.raises(UpstreamReset):
            await http.send(post(server.url()), PATIENT)
        assert server.accepted == 2
        assert len(server.requests) == 3


@on_each_loop
async def test_after_a_byte_of_reply_nothing_is_sent_again() -> None:
    """A server that began to answer has worked on the request."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(ok(b"x"))
        await peer.request()
        await peer.send(b"H")

    async with fault_server(script) as server, transport() as http:
        await http.send(post(server.url()), PATIENT)
        with pytest.raises(UpstreamReset):
            await http.send(post(server.url()), PATIENT)
        assert len(server.requests) == 2


@aio
async def test_a_death_long_after_sending_is_not_staleness() -> None:
    """A server that kept the request for over a second was working on it: sending again could bill twice."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(ok(b"x"))
        await peer.request()
        await asyncio.sleep(1.2)

    async with fault_server(script) as server, transport() as http:
        await http.send(post(server.url()), PATIENT)
        with pytest.raises(UpstreamReset):
            await http.send(post(server.url()), PATIENT)
        assert len(server.requests) == 2


@on_each_loop
async def test_the_retry_works_in_a_pool_of_one() -> None:
    """With one connection allowed and others waiting for it, the retry goes before them and nobody is lost."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(ok(b"x"))
        await peer.request()

    settings = TransportSettings(proxy="none", max_connections=1)
    async with fault_server(script) as server, transport(settings) as http:
        replies = await asyncio.gather(*(http.send(post(server.url()), PATIENT) for _ in range(6)))
        assert [reply.whole for reply in replies] == [b"x"] * 6


@on_each_loop
async def test_bytes_nobody_asked_for_close_an_idle_connection() -> None:
    """Whatever they are; the next request goes over a new connection."""
    for junk in (POISON, b"\r\n", b"HTTP/1.1 408 Request Timeout\r\n\r\n", b"\0"):
        go_on = asyncio.Event()

        async def script(peer: Peer, junk: bytes = junk, go_on: asyncio.Event = go_on) -> None:
            await peer.request()
            await peer.send(ok(b"right"))
            if peer.number == 0:
                await go_on.wait()
                await peer.send(junk)
            await peer.gone()

        async with fault_server(script) as server, transport() as http:
            assert (await http.send(post(server.url()), PATIENT)).whole == b"right"
            go_on.set()
            await left(http)
            assert (await http.send(post(server.url()), PATIENT)).whole == b"right"
            assert server.accepted == 2


@on_each_loop
async def test_bytes_behind_a_reply_reach_nobody() -> None:
    """A second reply in the same packet, or junk, is neither part of the first nor the answer to the next."""
    chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nright\r\n0\r\n\r\n"
    for reply in (ok(b"right"), chunked):
        for junk in (POISON, b"junk", b"HTTP/1.1 100 Continue\r\n\r\n"):
            async with fault_server(serving(reply + junk)) as server, transport() as http:
                for _ in range(2):
                    answer = await http.send(post(server.url()), PATIENT)
                    assert answer.whole == b"right"
                    assert len(answer.headers) == 1
                assert server.accepted == 2


@on_each_loop
async def test_poison_already_in_the_kernel_does_not_answer_the_next_request() -> None:
    """The bytes have come, the event loop has not looked yet, and the next request starts in this very turn."""
    loop = asyncio.get_running_loop()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        url = Url.parse(f"http://127.0.0.1:{listening.getsockname()[1]}/")

        async def answer(reply: bytes) -> socket.socket:
            accepted, _ = await loop.sock_accept(listening)
            while not (await loop.sock_recv(accepted, 65536)).endswith(b"{}"):
                pass
            await loop.sock_sendall(accepted, reply)
            return accepted

        async with transport() as http:
            server = loop.create_task(answer(ok(b"first")))
            assert (await http.send(post(url), PATIENT)).whole == b"first"
            with await server as accepted:
                server = loop.create_task(answer(ok(b"second")))
                await asyncio.sleep(0)
                accepted.send(POISON)
                assert (await http.send(post(url), PATIENT)).whole == b"second"
                (await server).close()


@on_each_loop
async def test_a_server_that_speaks_first_is_not_believed() -> None:
    """Bytes on a new connection before our request are nobody's reply."""

    async def script(peer: Peer) -> None:
        await peer.send(POISON)
        await peer.gone()

    async with fault_server(script) as server, transport() as http:
        try:
            reply = await http.send(post(server.url()), PATIENT)
        except UpstreamReset:
            pass
        else:
            # Over plain TCP a reply that crosses the request on its way cannot be told from an answer to it.
            assert reply.sent_at <= reply.first_byte_at
