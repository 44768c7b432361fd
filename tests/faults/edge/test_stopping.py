"""SIGTERM: what is under way ends well, what comes late is told to come again, and every record is stored."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path

import pytest

from tests.faults.edge.conftest import PROVIDERS
from tests.support.aio import aio_within
from tests.support.chat_wire import DONE, STREAM_HEAD, content, finish, framed, usage
from tests.support.fault_server import Peer, fault_server
from tests.support.gateway import running_gateway
from tests.support.ports import free_port
from tests.support.raw_client import RawCaller, record_of, request_bytes, until

__all__: list[str] = []

BODY = json.dumps(
    {"model": "small", "stream": True, "messages": [{"role": "user", "content": "How high is it?"}]}
).encode()


@aio_within(60)
async def test_streams_under_way_end_well_and_late_requests_are_told_to_come_again(tmp_path: Path) -> None:
    """Three streams to their last byte, 503 with `retry-after` for a request that was arriving, exit code 0, all recorded."""
    go = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(STREAM_HEAD + framed(content("one ")))
        await go.wait()
        for word in ("two ", "three "):
            await peer.send(framed(content(word)))
            await asyncio.sleep(0.05)
        await peer.send(framed(finish() + usage() + DONE) + framed(b""))
        await peer.gone()

    port = free_port()
    async with fault_server(script, port=port):
        with running_gateway(tmp_path, PROVIDERS.format(first=port, second=port)) as gateway:
            callers = [RawCaller(gateway.url) for _ in range(3)]
            for number, caller in enumerate(callers):
                line = f"x-headgate-user: caller {number}"
                caller.send(request_bytes("/v1/chat/completions", BODY, line, key=gateway.key))
            heads = [await asyncio.to_thread(caller.until, b"one ") for caller in callers]
            assert all(head.startswith(b"HTTP/1.1 200 ") for head in heads)
            idle, late = RawCaller(gateway.url), RawCaller(gateway.url)
            data = request_bytes("/v1/chat/completions", BODY, key=gateway.key)
            late.send(request_bytes("/healthz", method="GET") + data[:-10])
            # Its answer says that the gateway has read this far.
            assert (await asyncio.to_thread(late.reply)).status == 200
            gateway.process.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(idle.closed)
            with pytest.raises(ConnectionRefusedError):
                RawCaller(gateway.url)
            late.send(data[-10:])
            refused = await asyncio.to_thread(late.reply)
            assert (refused.status, refused.json["error"]["code"]) == (503, "shutting_down")
            assert refused.headers["retry-after"] == "1" and refused.headers["x-should-retry"] == "true"
            assert refused.closes
            go.set()
            for caller in callers:
                rest = await asyncio.to_thread(caller.rest)
                assert b"three " in rest and DONE in rest and rest.endswith(b"0\r\n\r\n")
            assert await asyncio.to_thread(gateway.process.wait, 20) == 0
            for number in range(3):
                record = record_of(gateway, user=f"caller {number}", seconds=0)
                assert (record["outcome"], record["cost_label"], record["output_tokens"]) == (
                    "ok",
                    "exact",
                    7,
                )
            assert "Traceback" not in gateway.log
            assert list((tmp_path / "headgate.journal").iterdir()) == []
            for caller in (*callers, idle, late):
                caller.socket.close()


@aio_within(60)
async def test_a_stream_that_does_not_end_is_cut_after_shutdown_time(tmp_path: Path) -> None:
    """Stopping takes no longer than it may; the cut is no success for the caller and is in the record."""

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(STREAM_HEAD + framed(content("one ")))
        await peer.gone()

    port = free_port()
    config = PROVIDERS.format(first=port, second=port).replace("[server]", '[server]\nshutdown_time = "1s"')
    async with fault_server(script, port=port):
        with running_gateway(tmp_path, config) as gateway:
            caller = RawCaller(gateway.url)
            line = "x-headgate-user: patient"
            caller.send(request_bytes("/v1/chat/completions", BODY, line, key=gateway.key))
            await asyncio.to_thread(caller.until, b"one ")
            gateway.process.send_signal(signal.SIGTERM)
            assert not (await asyncio.to_thread(caller.rest)).endswith(b"0\r\n\r\n")
            assert await asyncio.to_thread(gateway.process.wait, 20) == 0
            record = until(lambda: record_of(gateway, user="patient", seconds=0))
            assert record["outcome"] != "ok" and record["cost_label"] == "estimated"
            caller.socket.close()
