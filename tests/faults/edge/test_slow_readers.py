"""A caller who does not read: memory stays where it is, the provider is held back, and after a while it is over."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.faults.edge.conftest import Behind
from tests.support.aio import aio
from tests.support.chat_wire import DONE, STREAM_HEAD, content, finish, framed, usage
from tests.support.fault_server import Peer, fault_server
from tests.support.raw_client import RawCaller, record_of, request_bytes, resident_kb

__all__: list[str] = []

PIECES, PIECE = 6_400, framed(content("water " * 1_300))
"""50 MB in all."""
HELD_BACK = 0.4
"""Seconds without a byte taken that mean: nothing more is taken."""


@aio
async def test_a_caller_who_does_not_read_holds_the_provider_back(
    behind: Behind, request: pytest.FixtureRequest
) -> None:
    """Of 50 MB little is taken from the provider, memory grows by less than 8 MB, and `write_stall` ends it."""
    sent, over, warm = 0, asyncio.Event(), True

    async def script(peer: Peer) -> None:
        nonlocal sent
        await peer.request()
        await peer.send(STREAM_HEAD)
        if warm:
            await peer.send(PIECE * 100 + framed(finish() + usage() + DONE) + framed(b""))
            return
        try:
            for _ in range(PIECES):
                await peer.send(PIECE)
                sent += len(PIECE)
        finally:
            over.set()

    user, gateway = request.node.name, behind.gateway
    body = {"model": "small", "stream": True, "messages": [{"role": "user", "content": "?"}]}
    async with fault_server(script, port=behind.first):
        line = f"x-headgate-user: {user}"
        data = request_bytes("/v1/chat/completions", json.dumps(body).encode(), line, key=gateway.key)
        with RawCaller(gateway.url) as reader:
            reader.send(data.replace(user.encode(), b"warming up"))
            await asyncio.to_thread(reader.reply)
        # What a first stream and its storing take once is not what a slow reader costs.
        await asyncio.to_thread(record_of, gateway, user="warming up")
        warm, before = False, resident_kb(gateway)
        caller = RawCaller(gateway.url, receive_buffer=4096)
        caller.send(data)
        taken = -1
        while taken != sent or not sent:
            taken = sent
            await asyncio.sleep(HELD_BACK)
        grown = resident_kb(gateway) - before
        assert not over.is_set() and sent < 30_000_000, f"{sent:,} bytes were taken"
        assert grown < 8_000, f"{grown:,} kB more for {sent:,} bytes"
        record = await asyncio.to_thread(record_of, gateway, user=user, seconds=20)
        caller.socket.close()
    assert (record["outcome"], record["status"]) == ("hung_up", 499)
    assert record["bytes_out"] < 30_000_000


@aio
async def test_a_caller_who_reads_slowly_gets_everything(behind: Behind) -> None:
    """Backpressure loses nothing: what was held back comes when the caller reads on."""
    pieces = 600

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(STREAM_HEAD)
        for _ in range(pieces):
            await peer.send(PIECE)
        await peer.send(framed(finish() + usage() + DONE) + framed(b""))
        await peer.gone()

    body = {"model": "small", "stream": True, "messages": [{"role": "user", "content": "?"}]}
    async with fault_server(script, port=behind.first):
        with RawCaller(behind.gateway.url, receive_buffer=65_536) as caller:
            caller.send(
                request_bytes("/v1/chat/completions", json.dumps(body).encode(), key=behind.gateway.key)
            )
            await asyncio.sleep(HELD_BACK)
            reply = await asyncio.to_thread(caller.reply)
    assert reply.body.count(b"data: ") == pieces + 2
    assert DONE in reply.body
