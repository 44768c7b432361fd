"""Through a proxy: CONNECT for https, the whole URL for http."""

from __future__ import annotations

import asyncio
import base64
import tempfile
from pathlib import Path

import pytest

from headgate.core.errors import ConnectFailed, ConnectTimeout, TlsFailed
from headgate.providers.port import Timeouts, Url
from headgate.providers.transport import Transport, TransportSettings
from tests.support.authorities import authority
from tests.support.calls import PATIENT, body_of, post, transport
from tests.support.each_loop import on_each_loop
from tests.support.fault_server import Peer, fault_server, ok, serving
from tests.support.tcp_proxy import forward_proxy


@on_each_loop
async def test_https_goes_through_a_tunnel() -> None:
    """The proxy learns the name and its own password, the provider's certificate is checked for the name asked."""
    ours = authority(Path(tempfile.mkdtemp()), "api.example")
    async with (
        fault_server(serving(ok(b"x")), tls=ours.server) as server,
        forward_proxy(server.port) as proxy,
        transport(
            TransportSettings(proxy=f"http://me:p%40ss@127.0.0.1:{proxy.port}", ca_file=ours.ca_file)
        ) as http,
    ):
        for _ in range(2):
            reply = await http.send(post(Url.parse("https://api.example/v1?x=1"), bytes(300_000)), PATIENT)
            assert await body_of(reply) == b"x"
        (head,) = proxy.heads
        assert head.startswith(b"CONNECT api.example:443 HTTP/1.1\r\nhost: api.example:443\r\n")
        assert b"proxy-authorization: Basic " + base64.b64encode(b"me:p@ss") in head
        assert [request.line for request in server.requests] == [b"POST /v1?x=1 HTTP/1.1"] * 2
        assert server.requests[0].header(b"host") == b"api.example"
        assert server.requests[0].header(b"proxy-authorization") is None
        with pytest.raises(TlsFailed, match="not valid for"):
            await http.send(post(Url.parse("https://other.example/")), PATIENT)


@on_each_loop
async def test_a_tunnel_can_stand_inside_tls() -> None:
    """An https:// proxy: TLS with the proxy, and inside it TLS with the provider."""
    ours = authority(Path(tempfile.mkdtemp()))
    async with (
        fault_server(serving(ok(b"x" * 100_000)), tls=ours.server) as server,
        forward_proxy(server.port, tls=ours.server) as proxy,
        transport(TransportSettings(proxy=f"https://127.0.0.1:{proxy.port}", ca_file=ours.ca_file)) as http,
    ):
        for _ in range(2):
            assert await body_of(await http.send(post(server.url()), PATIENT)) == b"x" * 100_000
        assert len(proxy.heads) == 1


@on_each_loop
async def test_http_is_asked_of_the_proxy_itself() -> None:
    """The request line holds the whole URL, the headers the proxy's password."""
    async with fault_server(serving(ok(b"x"))) as proxy:
        settings = TransportSettings(proxy=f"http://me:secret@127.0.0.1:{proxy.port}")
        async with transport(settings) as http:
            await http.send(post(Url.parse("http://api.example:8000/v1?x=1")), PATIENT)
        (request,) = proxy.requests
        assert request.line == b"POST http://api.example:8000/v1?x=1 HTTP/1.1"
        assert request.header(b"host") == b"api.example:8000"
        assert request.header(b"proxy-authorization") == b"Basic " + base64.b64encode(b"me:secret")


@on_each_loop
async def test_the_environment_names_the_proxy() -> None:
    """And a name in NO_PROXY goes without."""
    async with (
        fault_server(serving(ok(b"by proxy"))) as proxy,
        fault_server(serving(ok(b"direct"))) as direct,
    ):
        environ = {"HTTP_PROXY": f"http://127.0.0.1:{proxy.port}", "NO_PROXY": "0.0.0.0"}
        http = Transport(environ=environ)
        try:
            asked = [Url.parse("http://api.example/"), direct.url(host="0.0.0.0"), direct.url()]
            replies = [await http.send(post(url), PATIENT) for url in asked]
            assert [reply.whole for reply in replies] == [b"by proxy", b"direct", b"direct"]
        finally:
            await http.aclose()


@on_each_loop
async def test_a_proxy_that_refuses_is_connect_failed() -> None:
    """The message says what it answered; the password is not in it."""
    no = b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n"
    early = b"HTTP/1.1 200 OK\r\n\r\nHELLO"
    for answer, said in ((no, "407 Proxy"), (b"SSH-2.0- 200\r\n\r\n", "SSH-2.0"), (early, "spoke before")):
        async with (
            forward_proxy(1, answer=answer) as proxy,
            transport(TransportSettings(proxy=f"http://me:secret@127.0.0.1:{proxy.port}")) as http,
        ):
            with pytest.raises(ConnectFailed, match=said) as caught:
                await http.send(post(Url.parse("https://api.example/")), PATIENT)
            assert "secret" not in str(caught.value)
            assert f"127.0.0.1:{proxy.port}" in str(caught.value)


@on_each_loop
async def test_a_proxy_that_says_nothing_or_hangs_up_is_no_endless_wait() -> None:
    """Silence is a connect timeout, an end is connect failed, an endless head too."""

    async def silent(peer: Peer) -> None:
        await peer.gone()

    async def hangs_up(peer: Peer) -> None:
        await peer.request()

    async def never_ends(peer: Peer) -> None:
        await peer.request()
        while True:
            await peer.send(b"x" * 10_000)

    cases = ((silent, ConnectTimeout, 0.3), (hangs_up, ConnectFailed, 20), (never_ends, ConnectFailed, 20))
    for script, fault, seconds in cases:
        async with fault_server(script) as proxy:
            async with transport(TransportSettings(proxy=f"127.0.0.1:{proxy.port}")) as http:
                with pytest.raises(fault):
                    await http.send(post(Url.parse("https://api.example/")), Timeouts(connect=seconds))
            await asyncio.wait_for(proxy.emptied.wait(), 10)


@on_each_loop
async def test_a_kind_of_proxy_we_do_not_speak_is_said_and_not_passed_by() -> None:
    """Going direct instead would leak what the operator wanted to go through the proxy."""
    http = Transport(environ={"ALL_PROXY": "socks5://127.0.0.1:1080"})
    with pytest.raises(ConnectFailed, match="socks5"):
        await http.send(post(Url.parse("https://api.example/")), PATIENT)
    await http.aclose()
