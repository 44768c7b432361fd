"""The simulated provider as a server: the same replies, and connections that break."""

from __future__ import annotations

import asyncio
import json

import pytest

from headgate.core.errors import UpstreamCut, UpstreamReset
from headgate.providers.simulated.server import SimulatedServer
from tests.support.aio import aio
from tests.support.simulated import STEADY, FakeTime, Rehearsal, chat

__all__: list[str] = []


def server() -> SimulatedServer:
    time = FakeTime()
    return SimulatedServer(STEADY, clock=time, sleep=time.sleep)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@aio
async def test_the_server_says_what_the_upstream_says(stream: bool) -> None:
    """Byte for byte."""
    body = chat(stream=stream)
    status, headers, pieces = await server().answer(
        "POST", "/v1/chat/completions", [], json.dumps(body).encode()
    )
    inside = await Rehearsal().send("openai.chat", body)
    assert (status, headers) == (inside.status, inside.headers)
    assert b"".join([piece async for piece in pieces]) == await inside.read(1 << 20)


@aio
async def test_a_broken_connection_is_an_exception() -> None:
    """Before the head from `answer`, after it from the pieces."""
    raw = json.dumps(chat(stream=True)).encode()
    with pytest.raises(UpstreamReset):
        await server().answer("POST", "/v1/chat/completions", [(b"x-headgate-fault", b"reset")], raw)
    _, _, pieces = await server().answer(
        "POST", "/v1/chat/completions", [(b"X-Headgate-Fault", b"cut:2")], raw
    )
    with pytest.raises(UpstreamCut):
        async for piece in pieces:
            assert piece.count(b'"content":"') == 3


@pytest.mark.parametrize("fault", ["silence", "connect_timeout", "stall:1"])
@aio
async def test_what_never_comes_hangs_until_the_caller_goes(fault: str) -> None:
    """A server has no deadlines of its caller's, so also with speed 0 nothing ends by itself."""
    raw = json.dumps(chat(stream=True)).encode()
    said: list[bytes] = []

    async def listen() -> None:
        headers = [(b"x-headgate-fault", fault.encode())]
        _, _, pieces = await server().answer("POST", "/v1/chat/completions", headers, raw)
        async for piece in pieces:
            said.append(piece)

    listening = asyncio.create_task(listen())
    for _ in range(50):
        await asyncio.sleep(0)
    assert not listening.done()
    assert len(said) == (fault == "stall:1")
    listening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await listening
