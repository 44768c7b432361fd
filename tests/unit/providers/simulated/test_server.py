"""The simulated provider as a server: the same replies, and connections that break."""

from __future__ import annotations

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
    status, headers, pieces = await server().answer("POST", "/v1/chat/completions", [], json.dumps(body).encode())
    inside = await Rehearsal().send("openai.chat", body)
    assert (status, headers) == (inside.status, inside.headers)
    assert b"".join([piece async for piece in pieces]) == await inside.read(1 << 20)


@aio
async def test_a_broken_connection_is_an_exception() -> None:
    """Before the head from `answer`, after it from the pieces."""
    raw = json.dumps(chat(stream=True)).encode()
    with pytest.raises(UpstreamReset):
        await server().answer("POST", "/v1/chat/completions", [(b"x-headgate-fault", b"reset")], raw)
    _, _, pieces = await server().answer("POST", "/v1/chat/completions", [(b"X-Headgate-Fault", b"cut:2")], raw)
    with pytest.raises(UpstreamCut):
        async for piece in pieces:
            assert piece.count(b'"content":"') == 3
