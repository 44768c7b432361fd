"""Ordinary exchanges, and the forms a right reply may have."""

from __future__ import annotations

import asyncio
import gzip
from typing import cast

import brotli
import pytest

from headgate.core.errors import UpstreamMalformed
from headgate.providers.port import UpstreamRequest
from tests.support.calls import PATIENT, body_of, post, transport
from tests.support.each_loop import on_each_loop
from tests.support.fault_server import Peer, fault_server, ok, serving


@on_each_loop
async def test_a_reply_that_came_at_once_is_whole() -> None:
    """When head and body came together the body is in `whole` and the connection is already back in the pool."""
    async with fault_server(serving(ok(b"hello", b"X-Kind: a"))) as server, transport() as http:
        reply = await http.send(post(server.url("/p?q=1"), b"ask", (b"x-api-key", b"k")), PATIENT)
        assert (reply.status, reply.whole) == (200, b"hello")
        assert reply.headers == [(b"x-kind", b"a"), (b"content-length", b"5")]
        assert reply.headers.get(b"x-kind") == b"a" and reply.headers.get(b"nope") is None
        (counts,) = http.counts().values()
        assert counts.idle == 1
        (request,) = server.requests
        assert request.line == b"POST /p?q=1 HTTP/1.1"
        assert request.body == b"ask"
        assert request.header(b"host") == b"127.0.0.1:%d" % server.port
        assert request.header(b"x-api-key") == b"k"
        assert request.header(b"accept-encoding") == b"gzip, deflate, br"


@on_each_loop
async def test_headers_that_stay_the_same_are_sent_with_the_path_and_the_key_they_belong_to() -> None:
    """What is kept of a head is never another request's: neither path, key nor length."""
    async with fault_server(serving(ok(b"x"))) as server, transport() as http:
        for _ in range(2):
            for path in ("/a", "/b"):
                for key in (b"one", b"two"):
                    standing = ((b"content-type", b"application/json"), (b"x-api-key", key))
                    body = path.encode() * len(server.requests)
                    await http.send(UpstreamRequest("POST", server.url(path), standing, body), PATIENT)
        said = [(each.line.split()[1], each.header(b"x-api-key")) for each in server.requests]
        assert said == 2 * [(b"/a", b"one"), (b"/a", b"two"), (b"/b", b"one"), (b"/b", b"two")]
        assert [len(each.body) for each in server.requests] == [2 * number for number in range(8)]


@on_each_loop
async def test_kept_headers_are_as_strictly_looked_at_as_others() -> None:
    """A line break in one of them is refused each time."""
    async with fault_server(serving(ok(b"x"))) as server, transport() as http:
        for _ in range(2):
            with pytest.raises(ValueError, match="x-key"):
                await http.send(
                    UpstreamRequest("POST", server.url("/"), ((b"x-key", b"a\r\nhost: b"),)), PATIENT
                )
        assert server.requests == []


@on_each_loop
async def test_a_connection_serves_one_request_after_the_other() -> None:
    """The second request goes over the first one's connection, and its marks in time say so."""
    async with fault_server(serving(ok(b"x"))) as server, transport() as http:
        first = await http.send(post(server.url()), PATIENT)
        second = await http.send(post(server.url()), PATIENT)
        assert server.accepted == 1
        assert 0.0 < first.connected_at <= first.sent_at <= first.first_byte_at
        assert second.connected_at == 0.0 and second.sent_at >= first.first_byte_at


@on_each_loop
async def test_a_body_is_read_in_the_pieces_it_comes_in() -> None:
    """`chunk` gives what is there without waiting for more; b"" is the end, again and again."""
    go_on = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n")
        await go_on.wait()
        await peer.send(b"3\r\ntwo\r\n0\r\n\r\n")
        await peer.gone()

    async with fault_server(script) as server, transport() as http:
        reply = await http.send(post(server.url()), PATIENT)
        assert reply.whole is None
        assert await reply.chunk() == b"one"
        go_on.set()
        assert await body_of(reply) == b"two"
        assert await reply.chunk() == b"" == await reply.chunk()


@on_each_loop
async def test_a_large_reply_comes_complete() -> None:
    """Ten megabytes, through every pause of the backpressure."""
    body = bytes(range(256)) * 40_000
    async with fault_server(serving(ok(body))) as server, transport() as http:
        for _ in range(2):
            reply = await http.send(post(server.url()), PATIENT)
            assert await body_of(reply) == body
        assert server.accepted == 1


@on_each_loop
async def test_a_large_request_arrives_complete() -> None:
    """Twenty megabytes go up in pieces, and the connection is kept."""
    body = bytes(range(256)) * 80_000
    async with fault_server(serving(ok(b"got it"))) as server, transport() as http:
        for _ in range(2):
            reply = await http.send(post(server.url(), body), PATIENT)
            assert await body_of(reply) == b"got it"
        assert server.accepted == 1
        assert all(request.body == body for request in server.requests)


@on_each_loop
async def test_a_refusal_before_the_request_is_read_is_the_reply() -> None:
    """A server that answers 413 and stops reading is heard; its connection is not used again."""

    async def script(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        await peer.send(ok(b"too large", status=b"413 Payload Too Large"))
        await asyncio.Event().wait()

    async with fault_server(script) as server, transport() as http:
        reply = await http.send(post(server.url(), bytes(30_000_000)), PATIENT)
        assert (reply.status, await body_of(reply)) == (413, b"too large")
        (counts,) = http.counts().values()
        assert counts.open == 0


@on_each_loop
async def test_informational_heads_are_passed_over() -> None:
    """100 and 103 may come before the reply, with headers of their own, which are not the reply's."""
    hints = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"
    async with fault_server(serving(hints + ok(b"x"))) as server, transport() as http:
        for _ in range(2):
            reply = await http.send(post(server.url()), PATIENT)
            assert (reply.status, reply.whole) == (200, b"x")
            assert reply.headers == [(b"content-length", b"1")]
        assert server.accepted == 1


@on_each_loop
async def test_replies_without_a_body_end_with_their_head() -> None:
    """204 and 304 have none whatever their content-length says; a reply to HEAD neither."""
    cases = [("POST", b"204 No Content"), ("GET", b"304 Not Modified"), ("HEAD", b"200 OK")]
    for method, status in cases:
        head = b"HTTP/1.1 %b\r\ncontent-length: 10\r\ncontent-encoding: gzip\r\n\r\n" % status
        async with fault_server(serving(head)) as server, transport() as http:
            for _ in range(2):
                reply = await http.send(post(server.url(), b"", method=method), PATIENT)
                assert (reply.status, reply.whole) == (int(status[:3]), b"")


@on_each_loop
async def test_a_body_that_ends_with_the_connection_is_complete() -> None:
    """Without content-length and chunks, the end of the connection is the end of the body."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\nall of ")
        await peer.send(b"it")

    async with fault_server(script) as server, transport() as http:
        reply = await http.send(post(server.url()), PATIENT)
        assert await body_of(reply) == b"all of it"
        (counts,) = http.counts().values()
        assert counts.open == 0


@on_each_loop
async def test_connection_close_is_obeyed() -> None:
    """A connection the server will close is not offered to the next request."""
    async with fault_server(serving(ok(b"x", b"Connection: close"))) as server, transport() as http:
        for _ in range(2):
            assert (await http.send(post(server.url()), PATIENT)).whole == b"x"
        assert server.accepted == 2


@on_each_loop
async def test_a_redirect_is_handed_up() -> None:
    """The transport follows nothing: credentials would go where nobody sent them."""
    reply = ok(b"", b"Location: http://127.0.0.1:9/", status=b"307 Temporary Redirect")
    async with fault_server(serving(reply)) as server, transport() as http:
        answer = await http.send(post(server.url()), PATIENT)
        assert (answer.status, answer.headers.get(b"location")) == (307, b"http://127.0.0.1:9/")


@on_each_loop
async def test_compressed_replies_are_undone() -> None:
    """Whole or in pieces; the headers that described the compressed bytes are gone."""
    body = b"many words " * 1000
    for coding, packed in ((b"gzip", gzip.compress(body)), (b"br", brotli.compress(body))):
        reply_bytes = ok(packed, b"Content-Encoding: " + coding, b"x: y")

        async def slowly(peer: Peer, reply_bytes: bytes = reply_bytes) -> None:
            await peer.request()
            await peer.send_in_pieces(reply_bytes, 7)
            await peer.gone()

        for script in (serving(reply_bytes), slowly):
            async with fault_server(script) as server, transport() as http:
                reply = await http.send(post(server.url()), PATIENT)
                assert reply.headers == [(b"x", b"y")]
                assert await body_of(reply) == body


@on_each_loop
async def test_a_compression_bomb_costs_what_its_reader_reads() -> None:
    """100 MB out of 100 kB: no piece is over 256 KiB, and `read` stops at its limit."""
    packed = gzip.compress(bytes(100_000_000))
    async with fault_server(serving(ok(packed, b"Content-Encoding: gzip"))) as server, transport() as http:
        reply = await http.send(post(server.url()), PATIENT)
        assert reply.whole is None
        assert [len(await reply.chunk()) for _ in range(3)] == [256 * 1024] * 3
        with pytest.raises(UpstreamMalformed, match="more than 1000000 bytes"):
            await reply.read(1_000_000)


@on_each_loop
async def test_requests_leave_after_what_was_scheduled_before_them() -> None:
    """`send` on a kept connection writes at the end of the turn: a journal flush scheduled earlier runs first."""
    order: list[str] = []
    loop = asyncio.get_running_loop()
    async with fault_server(serving(ok(b"x"))) as server, transport() as http:
        await http.send(post(server.url()), PATIENT)
        (origin,) = http._origins.values()
        (connection,) = origin.lane._idle
        wire = cast("asyncio.Transport", connection._transport)

        class Witness:
            def __getattr__(self, name: str) -> object:
                return getattr(wire, name)

            def write(self, data: bytes) -> None:
                order.append("sent")
                wire.write(data)

        connection._transport = Witness()  # type: ignore[assignment]
        loop.call_soon(order.append, "recorded")
        await http.send(post(server.url()), PATIENT)
        assert order == ["recorded", "sent"]
