"""A provider on a real socket that does, for each of its models, what a test tells it; all others it serves well.

with misbehaving_provider() as provider:
    provider.plays["m-1"] = faults.reset        # what is said to requests for that model from now on
    ... provider.url; provider.asked("m-1")
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.support.fault_server import FaultServer, Peer, Request, fault_server, ok
from tests.support.three_wires import WIRES, Problem, ThreeWires

__all__ = ["STREAM_HEAD", "Misbehaving", "Play", "Turn", "framed", "misbehaving_provider", "well"]

STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
_JSON = b"content-type: application/json"
_WIRE_OF_PATH = {
    b"chat/completions": "chat",
    b"responses": "responses",
    b"messages": "messages",
    b"embeddings": "embeddings",
    b"count_tokens": "count",
}


def framed(data: bytes) -> bytes:
    """One HTTP chunk; of nothing, the last one."""
    return b"%x\r\n%b\r\n" % (len(data), data)


class Turn:
    """One request for one model, to be answered."""

    def __init__(
        self, peer: Peer, request: Request, number: int, came: asyncio.Event, *, reused: bool
    ) -> None:
        body = json.loads(request.body)
        path = request.line.split(b" ")[1].split(b"?")[0]
        self.peer = peer
        self.request = request
        self.number = number
        """0 for the first request for this model."""
        self.reused = reused
        """Did another request come on this connection before?"""
        self.came = came
        """Set when the caller at the other end of the gateway has seen a word of the answer."""
        self.half = "one "
        """What `begin` says."""
        self.asked: dict[str, Any] = body
        self.model: str = body["model"]
        self.stream: bool = body.get("stream", False)
        self.wire: ThreeWires = WIRES[next(name for end, name in _WIRE_OF_PATH.items() if path.endswith(end))]

    async def send(self, data: bytes) -> None:
        """Bytes as they are."""
        await self.peer.send(data)

    @property
    def key(self) -> str:
        """The credential it came with."""
        given = self.request.header(b"authorization") or self.request.header(b"x-api-key") or b""
        return given.decode().removeprefix("Bearer ")

    async def answer(self, text: str = "one two", *lines: bytes) -> None:
        """All is well. lines: more header lines."""
        if self.stream:
            head = STREAM_HEAD.removesuffix(b"\r\n") + b"".join(line + b"\r\n" for line in lines) + b"\r\n"
            await self.send(head + framed(self.wire.stream(text)) + framed(b""))
        else:
            await self.send(ok(self.wire.whole(text), _JSON, *lines))

    async def refuse(self, problem: Problem, *lines: bytes) -> None:
        """A refusal with a status. lines: more header lines."""
        status, body = self.wire.refusal(problem)
        await self.send(ok(body, _JSON, *lines, status=b"%d No" % status))

    async def begin(self) -> None:
        """The beginning of an answer; of a stream, the caller has seen its first words when this returns."""
        if self.stream:
            await self.send(STREAM_HEAD + framed(self.wire.opening() + self.wire.words(self.half)))
            await self.came.wait()
        else:
            head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 4000\r\n\r\n"
            await self.send(head + self.wire.whole(self.half)[:-20])

    async def open(self) -> None:
        """The head, and of a stream all that comes before the first word."""
        if self.stream:
            await self.send(STREAM_HEAD + framed(self.wire.opening()))
        else:
            await self.send(
                b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 4000\r\n\r\n"
            )


Play = Callable[[Turn], Awaitable[None]]
"""Answers one request. A connection is used again if it leaves it in order."""


async def well(turn: Turn) -> None:
    """Answer as one should."""
    await turn.answer()


class Misbehaving:
    """A running provider, in a thread of its own."""

    def __init__(self) -> None:
        self.plays: dict[str, Play] = {}
        self.url = ""
        self.server = FaultServer()
        self.gone: dict[str, threading.Event] = defaultdict(threading.Event)
        """Set when the gateway has closed the connection on which a model was asked."""
        self._asked: dict[str, list[Turn]] = defaultdict(list)
        self._came: dict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._loop: asyncio.AbstractEventLoop | None = None

    def asked(self, model: str) -> list[Turn]:
        """The requests for a model, in order."""
        return list(self._asked[model])

    def saw(self, model: str) -> None:
        """The caller has seen a word of this model's answer."""
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._came[model].set)

    async def __call__(self, peer: Peer) -> None:
        """A connection's script."""
        model, reused = "", False
        try:
            while True:
                request = await peer.request()
                if request.line.startswith(b"GET "):
                    await peer.send(ok(b'{"object":"list","data":[]}', _JSON))
                    continue
                model = json.loads(request.body)["model"]
                turns = self._asked[model]
                turn = Turn(peer, request, len(turns), self._came[model], reused=reused)
                reused = True
                turns.append(turn)
                await self.plays.get(model, well)(turn)
                if peer.writer.transport.is_closing():
                    return
        finally:
            if model:
                self.gone[model].set()

    def run(self, started: threading.Event, stop: threading.Event) -> None:
        """The thread."""

        async def serve() -> None:
            self._loop = asyncio.get_running_loop()
            async with fault_server(self) as server:
                self.server, self.url = server, f"http://127.0.0.1:{server.port}"
                started.set()
                await asyncio.to_thread(stop.wait)

        asyncio.run(serve())


@contextmanager
def misbehaving_provider() -> Iterator[Misbehaving]:
    """Serve on a free port of 127.0.0.1 until the block ends."""
    provider = Misbehaving()
    started, stop = threading.Event(), threading.Event()
    thread = threading.Thread(
        target=provider.run, args=(started, stop), name="misbehaving-provider", daemon=True
    )
    thread.start()
    assert started.wait(20), "the misbehaving provider did not start"
    try:
        yield provider
    finally:
        stop.set()
        thread.join(10)
