"""Cancelled in any phase: the connection is closed if it must be, and the pool counts right afterwards."""

from __future__ import annotations

import asyncio

import pytest

from headgate.core.errors import ConnectFailed, UpstreamCut, UpstreamReset
from headgate.providers.port import Url
from headgate.providers.transport import TransportSettings
from tests.support.calls import PATIENT, body_of, post, transport
from tests.support.each_loop import on_each_loop
from tests.support.fault_server import Peer, fault_server, ok, serving

ONE = TransportSettings(proxy="none", max_connections=1)


async def never_answers(peer: Peer) -> None:
    await peer.request()
    await peer.gone()


async def cancel(task: asyncio.Task[object]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@on_each_loop
async def test_cancelled_while_connecting() -> None:
    """In the TLS handshake: the socket is closed and the slot is free."""
    here = asyncio.Event()

    async def silent(peer: Peer) -> None:
        await peer.reader.read(1)
        here.set()
        await peer.gone()

    async with fault_server(silent) as server, transport(ONE) as http:
        url = Url.parse(f"https://127.0.0.1:{server.port}/")
        task = asyncio.create_task(http.send(post(url), PATIENT))
        await here.wait()
        await cancel(task)
        await server.emptied.wait()
        assert http.counts()[url.origin].open == 0


@on_each_loop
async def test_what_is_cancelled_before_it_left_says_so() -> None:
    """While connecting, and in the line for a place: the provider cannot have seen it. Later it can."""
    here = asyncio.Event()

    async def silent(peer: Peer) -> None:
        await peer.reader.read(1)
        here.set()
        await peer.gone()

    async with fault_server(silent) as server, transport(ONE) as http:
        url = Url.parse(f"https://127.0.0.1:{server.port}/")
        connecting, in_line = post(url), post(url)
        tasks = [asyncio.create_task(http.send(one, PATIENT)) for one in (connecting, in_line)]
        await here.wait()
        for task in reversed(tasks):
            await cancel(task)
        assert connecting.withheld and in_line.withheld
    async with fault_server(never_answers) as server, transport(ONE) as http:
        sent = post(server.url())
        task = asyncio.create_task(http.send(sent, PATIENT))
        await server.asked.wait()
        await cancel(task)
        assert not sent.withheld


@on_each_loop
async def test_cancelled_while_waiting_for_the_head() -> None:
    """The provider sees the connection end, so that it can stop working."""
    async with fault_server(never_answers) as server, transport(ONE) as http:
        task = asyncio.create_task(http.send(post(server.url()), PATIENT))
        await server.asked.wait()
        await cancel(task)
        await server.emptied.wait()
        assert http.counts()[server.url().origin].open == 0


@on_each_loop
async def test_cancelled_in_the_middle_of_an_upload() -> None:
    """What has not left stays here; the connection does not linger to send it."""
    begun = asyncio.Event()

    async def reads_little(peer: Peer) -> None:
        await peer.reader.readexactly(100_000)
        begun.set()
        await asyncio.sleep(0.05)
        await peer.gone()

    async with fault_server(reads_little) as server, transport(ONE) as http:
        task = asyncio.create_task(http.send(post(server.url(), bytes(50_000_000)), PATIENT))
        await begun.wait()
        await cancel(task)
        assert http.counts()[server.url().origin].open == 0
        await server.emptied.wait()


@on_each_loop
async def test_cancelled_in_the_turn_of_sending_nothing_is_sent() -> None:
    """On a kept connection the bytes had not left yet: it goes back to the pool unused."""
    async with fault_server(serving(ok(b"x"))) as server, transport(ONE) as http:
        await http.send(post(server.url()), PATIENT)
        task = asyncio.create_task(http.send(post(server.url()), PATIENT))
        asyncio.get_running_loop().call_soon(task.cancel)  # after the task's first step, before its bytes
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await http.send(post(server.url()), PATIENT)).whole == b"x"
        assert server.accepted == 1
        assert len(server.requests) == 2


@on_each_loop
async def test_a_cancelled_chunk_has_taken_nothing() -> None:
    """A reader may give `chunk` a time limit and call it again; letting go is `close`, which the provider sees."""
    go_on = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello")
        await go_on.wait()
        await peer.send(b"wor")
        await peer.gone()

    async with fault_server(script) as server, transport(ONE) as http:
        reply = await http.send(post(server.url()), PATIENT)
        assert await reply.chunk() == b"hello"
        task = asyncio.create_task(reply.chunk())
        await asyncio.sleep(0)
        await cancel(task)
        go_on.set()
        assert await reply.chunk() == b"wor"
        reply.close()
        reply.close()
        await server.emptied.wait()
        assert http.counts()[server.url().origin].open == 0


@on_each_loop
async def test_a_cancelled_read_lets_go() -> None:
    """What `read` had gathered is lost, so the connection is closed."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello")
        await peer.gone()

    async with fault_server(script) as server, transport(ONE) as http:
        reply = await http.send(post(server.url()), PATIENT)
        task = asyncio.create_task(reply.read(100))
        await asyncio.sleep(0)
        await cancel(task)
        await server.emptied.wait()
        assert http.counts()[server.url().origin].open == 0


@on_each_loop
async def test_a_waiter_that_is_cancelled_gives_its_place_back() -> None:
    """Those behind it move up, and the one connection serves them all."""
    answer = asyncio.Event()

    async def script(peer: Peer) -> None:
        while True:
            await peer.request()
            await answer.wait()
            await peer.send(ok(b"x"))

    async with fault_server(script) as server, transport(ONE) as http:
        first = asyncio.create_task(http.send(post(server.url()), PATIENT))
        await server.asked.wait()
        second, third = (asyncio.create_task(http.send(post(server.url()), PATIENT)) for _ in range(2))
        await asyncio.sleep(0)
        assert http.counts()[server.url().origin].waiting == 2
        await cancel(second)
        assert http.counts()[server.url().origin].waiting == 1
        answer.set()
        assert await body_of(await first) == b"x"
        assert await body_of(await third) == b"x"
        assert server.accepted == 1


@on_each_loop
async def test_slots_survive_a_storm_of_cancellations() -> None:
    """Two hundred requests over four connections, every other one cancelled at some point: none is lost."""
    settings = TransportSettings(proxy="none", max_connections=4)

    async def script(peer: Peer) -> None:
        while True:
            await peer.request()
            await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nx")
            await asyncio.sleep(0)
            await peer.send(b"y")

    async def one(http: object, number: int) -> bytes:
        reply = await http.send(post(server.url()), PATIENT)  # type: ignore[attr-defined]
        return await body_of(reply)

    async with fault_server(script) as server, transport(settings) as http:
        tasks = [asyncio.create_task(one(http, number)) for number in range(200)]
        for number, task in enumerate(tasks):
            if number % 2:
                for _ in range(number % 5):
                    await asyncio.sleep(0)
                task.cancel()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert all(result == b"xy" for result in results[::2])
        assert all(result == b"xy" or isinstance(result, asyncio.CancelledError) for result in results)
        await asyncio.gather(*(one(http, number) for number in range(8)))


@on_each_loop
async def test_closing_the_transport_breaks_everything_off() -> None:
    """Requests under way, readers and waiters are told; later requests are refused."""

    async def script(peer: Peer) -> None:
        await peer.request()
        if peer.number == 0:
            await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello")
        await peer.gone()

    settings = TransportSettings(proxy="none", max_connections=2)
    async with fault_server(script) as server, transport(settings) as http:
        reply = await http.send(post(server.url()), PATIENT)
        server.asked.clear()
        asking = asyncio.create_task(http.send(post(server.url()), PATIENT))
        await server.asked.wait()
        waiting = asyncio.create_task(http.send(post(server.url()), PATIENT))
        await asyncio.sleep(0)
        await http.aclose()
        with pytest.raises(UpstreamReset):
            await asking
        with pytest.raises(ConnectFailed):
            await waiting
        assert await reply.chunk() == b"hello"
        with pytest.raises(UpstreamCut):
            await reply.chunk()
        with pytest.raises(ConnectFailed):
            await http.send(post(server.url()), PATIENT)
        await server.emptied.wait()


@on_each_loop
async def test_a_retired_transport_finishes_what_it_has_and_keeps_nothing() -> None:
    """For settings that were replaced: no request is disturbed, no connection stays."""
    go_on = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        if peer.number == 1:
            await go_on.wait()
        await peer.send(ok(b"x"))
        await peer.gone()

    async with fault_server(script) as server, transport() as http:
        under_way = [asyncio.create_task(http.send(post(server.url()), PATIENT)) for _ in range(2)]
        await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
        http.retire()
        go_on.set()
        for task in under_way:
            assert (await task).whole == b"x"
        assert (await http.send(post(server.url()), PATIENT)).whole == b"x"
        await server.emptied.wait()
        assert http.counts()[server.url().origin].open == 0
