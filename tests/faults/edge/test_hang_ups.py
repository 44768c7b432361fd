"""A caller who leaves: what the provider bills is still known, within bounds, and nobody is asked again."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.faults.edge.conftest import Behind
from tests.support.aio import aio
from tests.support.chat_wire import DONE, STREAM_HEAD, WHOLE, content, finish, framed, usage
from tests.support.fault_server import Peer, fault_server, ok
from tests.support.raw_client import RawCaller, attempts_of, record_of, request_bytes, sockets_of, until

__all__: list[str] = []

LEAVING = {"closes": lambda caller: caller.socket.close(), "resets": lambda caller: caller.reset()}
either_way = pytest.mark.parametrize("leave", LEAVING.values(), ids=LEAVING)


def asked(behind: Behind, user: str, *, model: str = "small", stream: bool = False) -> RawCaller:
    """A caller whose request is on its way."""
    body = {"model": model, "stream": stream, "messages": [{"role": "user", "content": "How high is it?"}]}
    caller = RawCaller(behind.gateway.url)
    line = f"x-headgate-user: {user}"
    caller.send(
        request_bytes("/v1/chat/completions", json.dumps(body).encode(), line, key=behind.gateway.key)
    )
    return caller


async def recorded(behind: Behind, user: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """The record of this user's request, and its attempts."""
    record = await asyncio.to_thread(record_of, behind.gateway, user=user)
    return record, attempts_of(behind.gateway, record)


async def gone_for_good(behind: Behind, caller: RawCaller, leave: Any = LEAVING["closes"]) -> None:
    """Leave, and wait until the gateway has seen it: an answer at the same moment would be a race about nothing."""
    before = sockets_of(behind.gateway)
    leave(caller)
    assert await asyncio.to_thread(until, lambda: sockets_of(behind.gateway) < before), "nobody saw it"


@asynccontextmanager
async def stage(behind: Behind, script: Any) -> AsyncIterator[Any]:
    """The first provider."""
    async with fault_server(script, port=behind.first) as server:
        yield server


@either_way
@aio
async def test_leaving_before_the_answer_is_billed_as_the_provider_says(
    leave: Any, behind: Behind, request: pytest.FixtureRequest
) -> None:
    """The answer is awaited for its usage; the record says that nobody read it."""
    gone = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await gone.wait()
        await peer.send(ok(WHOLE))
        await peer.gone()

    user = request.node.name
    async with stage(behind, script) as server:
        caller = asked(behind, user)
        await server.asked.wait()
        await gone_for_good(behind, caller, leave)
        gone.set()
        record, attempts = await recorded(behind, user)
    assert (record["outcome"], record["status"], record["cost_label"]) == ("hung_up", 499, "exact")
    assert (record["input_tokens"], record["output_tokens"], record["cost_nanos"]) == (11, 7, 18_000)
    assert len(attempts) == len(server.requests) == 1


@either_way
@aio
async def test_leaving_a_stream_is_billed_as_the_provider_says(
    leave: Any, behind: Behind, request: pytest.FixtureRequest
) -> None:
    """The rest is read for the usage at its end."""
    gone = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(STREAM_HEAD + framed(content("one ")))
        await gone.wait()
        await peer.send(framed(content("two")) + framed(finish() + usage() + DONE) + framed(b""))
        await peer.gone()

    user = request.node.name
    async with stage(behind, script) as server:
        caller = asked(behind, user, stream=True)
        await asyncio.to_thread(caller.until, b"one ")
        await gone_for_good(behind, caller, leave)
        gone.set()
        record, attempts = await recorded(behind, user)
    assert (record["outcome"], record["cost_label"], record["output_tokens"]) == ("hung_up", "exact", 7)
    assert record["finish_reason"] == "end"
    assert len(attempts) == len(server.requests) == 1


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@aio
async def test_a_provider_that_does_not_end_is_hung_up_on(
    stream: bool, behind: Behind, request: pytest.FixtureRequest
) -> None:
    """After `server.drain_time` its connection is closed, and the bill is an estimate of what had come."""
    closed = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        if stream:
            await peer.send(STREAM_HEAD + framed(content("one two three four five six seven eight nine ")))
        await peer.gone()
        closed.set()

    user = request.node.name
    async with stage(behind, script) as server:
        caller = asked(behind, user, stream=stream)
        await server.asked.wait()
        if stream:
            await asyncio.to_thread(caller.until, b"nine ")
        caller.socket.close()
        await closed.wait()
        record, attempts = await recorded(behind, user)
    assert (record["outcome"], record["status"], record["cost_label"]) == ("hung_up", 499, "estimated")
    assert record["input_tokens"] > 0 and (
        record["output_tokens"] > 5 if stream else not record["output_tokens"]
    )
    assert len(attempts) == len(server.requests) == 1


@aio
async def test_only_so_many_are_drained_at_once(behind: Behind, request: pytest.FixtureRequest) -> None:
    """With `server.max_drains` draining, the next hang-up ends its call while those go on."""
    gone: asyncio.Queue[int] = asyncio.Queue()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(STREAM_HEAD + framed(content("one ")))
        await peer.gone()
        gone.put_nowait(peer.number)

    user = request.node.name
    async with stage(behind, script) as server:
        for number in range(3):
            caller = asked(behind, f"{user} {number}", stream=True)
            await asyncio.to_thread(caller.until, b"one ")
            # One after the other, so that it is the third that is one too many.
            await gone_for_good(behind, caller)
        first, *_ = [await gone.get() for _ in range(3)]
        assert first == 2
        for number in range(3):
            record, _ = await recorded(behind, f"{user} {number}")
            assert (record["outcome"], record["cost_label"]) == ("hung_up", "estimated")
    assert server.accepted == 3


@pytest.mark.parametrize("failure", ["500", "reset", "cut"])
@aio
async def test_after_a_hang_up_nobody_else_is_asked(
    failure: str, behind: Behind, request: pytest.FixtureRequest
) -> None:
    """What fails then fails for nobody: no retry, no failing over, and the record is of a hang-up."""
    gone = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await gone.wait()
        if failure == "500":
            await peer.send(ok(b'{"error":{"message":"broken"}}', status=b"500 Broken"))
        elif failure == "cut":
            await peer.send(b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n{")
        peer.reset()

    async def never(peer: Peer) -> None:
        await peer.request()

    user = request.node.name
    async with stage(behind, script) as server, fault_server(never, port=behind.second) as second:
        caller = asked(behind, user, model="pair")
        await server.asked.wait()
        await gone_for_good(behind, caller)
        gone.set()
        record, attempts = await recorded(behind, user)
    assert record["outcome"] == "hung_up" and record["status"] == 499
    assert (len(server.requests), len(second.requests), len(attempts)) == (1, 0, 1)


@aio
async def test_a_caller_with_a_large_prompt_is_noticed_when_it_leaves(
    behind: Behind, request: pytest.FixtureRequest
) -> None:
    """A body that was read in several pieces does not leave the connection unwatched."""
    closed = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.gone()
        closed.set()

    user = request.node.name
    body = {"model": "small", "messages": [{"role": "user", "content": "water " * 100_000}]}
    async with stage(behind, script) as server:
        caller = RawCaller(behind.gateway.url)
        line = f"x-headgate-user: {user}"
        data = request_bytes("/v1/chat/completions", json.dumps(body).encode(), line, key=behind.gateway.key)
        await asyncio.to_thread(caller.send, data)
        await server.asked.wait()
        caller.socket.close()
        await closed.wait()
        record, _ = await recorded(behind, user)
    assert record["outcome"] == "hung_up"
