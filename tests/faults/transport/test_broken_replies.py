"""Replies that break off, or are no HTTP, or are too much of it: always an error, never a clean end."""

from __future__ import annotations

import asyncio
import gzip

import pytest

from headgate.core.errors import UpstreamCut, UpstreamMalformed, UpstreamReset
from headgate.providers.transport import TransportSettings
from tests.support.calls import PATIENT, body_of, post, transport
from tests.support.each_loop import on_each_loop
from tests.support.fault_server import Peer, fault_server, ok, serving

CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


@on_each_loop
async def test_a_body_cut_short_is_never_a_clean_end() -> None:
    """What had come is handed out, then UpstreamCut: for lengths and chunks, closed and half closed."""
    cut_short = [
        b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello",
        CHUNKED + b"5\r\nhello\r\n",
        CHUNKED + b"5\r\nhello\r\n0\r\n",
        CHUNKED + b"9\r\nhello",
    ]
    for reply_bytes in cut_short:
        for half in (False, True):

            async def script(peer: Peer, reply_bytes: bytes = reply_bytes, half: bool = half) -> None:
                await peer.request()
                await peer.send(reply_bytes)
                if half:
                    peer.half_close()
                    await peer.gone()

            async with fault_server(script) as server, transport() as http:
                reply = await http.send(post(server.url()), PATIENT)
                assert reply.whole is None
                assert await reply.chunk() == b"hello"
                for _ in range(2):
                    with pytest.raises(UpstreamCut):
                        await reply.chunk()
                assert server.accepted == 1


@on_each_loop
async def test_a_reset_in_the_body_is_a_cut_even_where_the_end_would_be_the_end() -> None:
    """A body delimited by the connection's end is complete at an orderly end only."""
    read_it = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\nhello")
        await read_it.wait()
        peer.reset()

    async with fault_server(script) as server, transport() as http:
        reply = await http.send(post(server.url()), PATIENT)
        assert await reply.chunk() == b"hello"
        read_it.set()
        with pytest.raises(UpstreamCut):
            await reply.chunk()


@on_each_loop
async def test_a_connection_that_dies_before_the_head_is_a_reset() -> None:
    """Closed or reset, before any byte or inside the head; a new connection's failure is not retried in silence."""

    async def closes(peer: Peer) -> None:
        await peer.request()

    async def resets(peer: Peer) -> None:
        await peer.request()
        peer.reset()

    async def breaks_off(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-le")

    for script in (closes, resets, breaks_off):
        async with fault_server(script) as server, transport() as http:
            with pytest.raises(UpstreamReset, match=f"127.0.0.1:{server.port}"):
                await http.send(post(server.url()), PATIENT)
            assert len(server.requests) == 1


@on_each_loop
async def test_what_is_no_http_is_malformed() -> None:
    """Foreign protocols, broken heads, ambiguous lengths, an unasked change of protocol."""
    wrong = [
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x15\x03\x01\x00\x02\x02\x46",
        b"HTTP/1.1 2x0 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nbad header\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        b"HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-encoding: zstd\r\ncontent-length: 2\r\n\r\nab",
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\nhi",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\nhi",
    ]
    for reply_bytes in wrong:
        async with fault_server(serving(reply_bytes)) as server, transport() as http:
            with pytest.raises(UpstreamMalformed):
                await http.send(post(server.url()), PATIENT)
            assert server.accepted == 1, reply_bytes


@on_each_loop
async def test_broken_chunks_and_broken_compression_end_in_malformed() -> None:
    """What was sound before the break is handed out first."""
    packed = gzip.compress(b"hello" * 10)
    sizes = b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: %d\r\n\r\n%b"
    broken = [
        (CHUNKED + b"5\r\nhello\r\nnot-a-size\r\n", b"hello"),
        (CHUNKED + b"5\r\nhelloXX0\r\n\r\n", b"hello"),
        (CHUNKED + b"ffffffffffffffffff\r\nhello", b""),
        (sizes % (len(packed) - 4, packed[:-4]), b"hello" * 10),
        (sizes % (5, b"hello"), b""),
    ]
    for reply_bytes, sound in broken:
        async with fault_server(serving(reply_bytes)) as server, transport() as http:
            got = b""
            with pytest.raises(UpstreamMalformed):
                reply = await http.send(post(server.url()), PATIENT)
                while data := await reply.chunk():
                    got += data
            assert got in (b"", sound)
            (counts,) = http.counts().values()
            assert counts.open == counts.idle


@on_each_loop
async def test_heads_have_limits() -> None:
    """Lines, their number, their sum, and heads that never end; what is within the limits passes."""
    settings = TransportSettings(
        proxy="none", max_header_bytes=4096, max_line_bytes=1024, max_header_count=20
    )
    start = b"HTTP/1.1 200 OK\r\n"
    too_much = [
        start + b"x: " + b"a" * 1100 + b"\r\n\r\n",
        start + b"x: y\r\n" * 21 + b"\r\n",
        start + (b"x: " + b"a" * 900 + b"\r\n") * 5 + b"\r\n",
        start + b"x: " + b"a" * 100_000,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 1000,
        b"\r\n" * 10_000,
    ]
    for reply_bytes in too_much:
        async with fault_server(serving(reply_bytes)) as server, transport(settings) as http:
            with pytest.raises(UpstreamMalformed):
                await http.send(post(server.url()), PATIENT)
    fits = ok(b"x", *[b"x: " + b"a" * 900] * 4, *[b"y: z"] * 14)
    async with fault_server(serving(fits)) as server, transport(settings) as http:
        assert await body_of(await http.send(post(server.url()), PATIENT)) == b"x"


@on_each_loop
async def test_trailers_and_chunk_extensions_have_limits() -> None:
    """Bytes that bring no body cannot go on for ever; a few are passed over and reach no headers."""
    for flood in (b"0\r\nx: " + b"a" * 1_000_000, b"5;" + b"e" * 1_000_000):
        async with fault_server(serving(CHUNKED + flood)) as server, transport() as http:
            with pytest.raises(UpstreamMalformed):
                await (await http.send(post(server.url()), PATIENT)).read(1000)
    polite = CHUNKED + b"5;name=value\r\nhello\r\n0\r\ngrpc-status: 0\r\n\r\n"
    async with fault_server(serving(polite)) as server, transport() as http:
        for _ in range(2):
            reply = await http.send(post(server.url()), PATIENT)
            assert reply.whole == b"hello"
            assert reply.headers == [(b"transfer-encoding", b"chunked")]
        assert server.accepted == 1


@on_each_loop
async def test_a_body_over_the_readers_limit_costs_the_connection_not_the_memory() -> None:
    """`read` gives up at its limit and the rest is never taken."""
    async with fault_server(serving(ok(bytes(50_000_000)))) as server, transport() as http:
        reply = await http.send(post(server.url()), PATIENT)
        with pytest.raises(UpstreamMalformed, match="more than 1000 bytes"):
            await reply.read(1000)
        (counts,) = http.counts().values()
        assert counts.open == 0
        await server.emptied.wait()
