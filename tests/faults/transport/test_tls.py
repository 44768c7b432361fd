"""TLS is verified, always: chain, name, and our own certificate where one is asked for."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path

import pytest

from headgate.core.errors import ConnectFailed, TlsFailed, TransportFault, UpstreamCut
from headgate.providers.port import Url
from headgate.providers.transport import TransportSettings
from tests.support.aio import aio
from tests.support.authorities import Authority, authority
from tests.support.calls import PATIENT, body_of, post, transport
from tests.support.each_loop import on_each_loop
from tests.support.fault_server import Peer, fault_server, ok, serving


def made(server_name: str = "127.0.0.1") -> Authority:
    return authority(Path(tempfile.mkdtemp()), server_name)


def trusting(authority: Authority, **more: str) -> TransportSettings:
    return TransportSettings(proxy="none", ca_file=authority.ca_file, **more)  # type: ignore[arg-type]


@on_each_loop
async def test_a_certificate_of_the_given_authority_is_accepted() -> None:
    """Requests, kept connections and megabytes both ways over TLS."""
    ours, body = made(), bytes(range(256)) * 20_000
    async with fault_server(serving(ok(body)), tls=ours.server) as server, transport(trusting(ours)) as http:
        for size in (10, 5_000_000, 10):
            reply = await http.send(post(server.url(), bytes(size)), PATIENT)
            assert await body_of(reply) == body
            assert len(server.requests[-1].body) == size
        assert server.accepted == 1


@on_each_loop
async def test_a_certificate_of_another_authority_is_refused() -> None:
    """Of an unknown one, and of the system's if a file was given instead; nothing of the request is sent."""
    ours, theirs = made(), made()
    for settings in (trusting(ours), TransportSettings(proxy="none")):
        async with fault_server(serving(ok(b"x")), tls=theirs.server) as server, transport(settings) as http:
            with pytest.raises(TlsFailed, match=r"127\.0\.0\.1:\d+: .*certificate"):
                await http.send(post(server.url()), PATIENT)
            assert not server.requests
            assert http.counts()[server.url().origin].open == 0


@on_each_loop
async def test_a_certificate_for_another_name_is_refused() -> None:
    """A valid certificate of somebody else proves nothing."""
    ours = made("other.example")
    async with fault_server(serving(ok(b"x")), tls=ours.server) as server, transport(trusting(ours)) as http:
        with pytest.raises(TlsFailed, match="not valid for"):
            await http.send(post(server.url()), PATIENT)
        assert not server.requests


@on_each_loop
async def test_our_own_certificate_is_shown_to_a_server_that_asks() -> None:
    """With one the request passes; without one it is never read. What the refusal looks like is up to the network:

    under TLS 1.3 the server refuses after our side of the handshake is over, and may reset before its alert is read."""
    ours = made()
    shown = trusting(ours, client_cert=ours.client_cert, client_key=ours.client_key)
    async with fault_server(serving(ok(b"x")), tls=ours.strict_server) as server:
        async with transport(shown) as http:
            assert await body_of(await http.send(post(server.url()), PATIENT)) == b"x"
        async with transport(trusting(ours)) as http:
            with pytest.raises(TransportFault):
                await http.send(post(server.url()), PATIENT)
        assert len(server.requests) == 1


@on_each_loop
async def test_a_plain_server_on_a_tls_port_is_a_tls_fault() -> None:
    """So is the end of the connection inside the handshake, which may be worth another try."""

    async def speaks_plain(peer: Peer) -> None:
        await peer.reader.read(1)
        await peer.send(ok(b"x"))
        await peer.gone()

    async def hangs_up(peer: Peer) -> None:
        await peer.reader.read(1)

    for script, fault in ((speaks_plain, TlsFailed), (hangs_up, ConnectFailed)):
        async with fault_server(script) as server, transport() as http:
            with pytest.raises(fault):
                await http.send(post(Url.parse(f"https://127.0.0.1:{server.port}/")), PATIENT)


@aio
async def test_an_end_without_tls_goodbye_is_a_cut() -> None:
    """Anybody on the way can end a TCP connection: a body without a length is complete at TLS's own end only.

    On uvloop: asyncio's own loop reports both ends alike (docs/decisions/0003-own-transport.md)."""
    ours = made()
    read_it = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\nhello")
        await read_it.wait()
        if peer.number == 0:
            peer.writer.transport.abort()  # without a reset: nothing of ours is unread

    async with fault_server(script, tls=ours.server) as server, transport(trusting(ours)) as http:
        reply = await http.send(post(server.url()), PATIENT)
        assert await reply.chunk() == b"hello"
        read_it.set()
        with pytest.raises(UpstreamCut):
            await reply.chunk()
        reply = await http.send(post(server.url()), PATIENT)
        assert await reply.read(10) == b"hello"


@on_each_loop
async def test_a_slow_reader_stops_a_provider_behind_tls() -> None:
    """Decrypted and unread stays bounded; read on, the body is complete."""
    ours, total, sent = made(), 60, 0

    async def script(peer: Peer) -> None:
        nonlocal sent
        await peer.request()
        await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % (total * 1_000_000))
        for _ in range(total):
            await peer.send(bytes(1_000_000))
            sent += 1
        await peer.gone()

    async with fault_server(script, tls=ours.server) as server, transport(trusting(ours)) as http:
        reply = await http.send(post(server.url()), PATIENT)
        before = -1
        while before != sent or sent == 0:
            before = sent
            await asyncio.sleep(0.05)
        assert sent < total / 2
        received = 0
        while data := await reply.chunk():
            received += len(data)
        assert received == total * 1_000_000
