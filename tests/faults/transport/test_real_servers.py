"""Against servers that are not ours: whole, streamed, large both ways, over kept connections."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from headgate.providers.port import Url
from headgate.providers.transport import Transport, TransportSettings
from tests.support.aio import aio
from tests.support.calls import PATIENT, body_of, post, transport
from tests.support.real_servers import BIG, SMALL, nginx, node, uvicorn_app

EVENTS = b"".join(b"data: %d\n\n" % number for number in range(100))


async def ask(http: Transport, port: int, path: str, body: bytes = b"", method: str = "GET") -> bytes:
    url = Url.parse(f"http://127.0.0.1:{port}{path}")
    reply = await http.send(post(url, body, (b"content-type", b"application/json"), method=method), PATIENT)
    assert reply.status == 200
    if method != "HEAD":
        assert reply.headers.get(b"content-encoding") is None
    return await body_of(reply)


async def go_through(http: Transport, port: int, *, small: bytes, stream: bytes) -> None:
    """Everything twice over kept connections, then many at once."""
    for _ in range(2):
        assert await ask(http, port, "/small") == small
        assert await ask(http, port, "/big") == BIG
        assert await ask(http, port, "/stream") == stream
        assert await ask(http, port, "/echo-size", bytes(12_345_678), "POST") == b"12345678"
        assert await ask(http, port, "/small", method="HEAD") == b""
    many = await asyncio.gather(*(ask(http, port, path) for path in ("/small", "/stream", "/big") * 8))
    assert many == [small, stream, BIG] * 8


@pytest.mark.needs("nginx")
def test_nginx(tmp_path: Path) -> None:
    """gzip is asked for and undone, a stream is proxied in chunks."""

    @aio
    async def main() -> None:
        async with nginx(tmp_path) as port:
            for encoding in ("gzip, deflate, br", "identity"):
                settings = TransportSettings(proxy="none", accept_encoding=encoding)
                async with transport(settings) as http:
                    await go_through(http, port, small=SMALL * 10, stream=BIG)

    main()


@aio
async def test_uvicorn() -> None:
    """Whole answers with a length, streams in chunks."""
    async with uvicorn_app() as port, transport() as http:
        await go_through(http, port, small=SMALL, stream=EVENTS)


@pytest.mark.needs("node")
@aio
async def test_node() -> None:
    """It promises `keep-alive: timeout=5`, and sends streams in small writes."""
    async with node() as port, transport() as http:
        await go_through(http, port, small=SMALL, stream=EVENTS)


@aio
async def test_a_server_that_restarts_between_two_requests() -> None:
    """Kept connections are gone with the old process; the next request meets the new one."""
    async with transport() as http:
        for _ in range(2):
            async with uvicorn_app() as port:
                assert await asyncio.gather(*(ask(http, port, "/small") for _ in range(5))) == [SMALL] * 5
