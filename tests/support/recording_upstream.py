"""A server that writes down exactly what it received and answers what a test tells it, in a thread of this process."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn

__all__ = ["Answered", "Handler", "Received", "RecordingUpstream", "recording_upstream"]


@dataclass(frozen=True, slots=True)
class Received:
    """A request as it came."""

    method: str
    target: str
    """Path and query, still escaped."""
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        """The first value of `name` (lower case), or None."""
        return next((value for key, value in self.headers if key == name), None)

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(slots=True)
class Answered:
    """What to send back."""

    body: bytes | list[bytes] | AsyncIterator[bytes] = b""
    """Whole, or in pieces, each in a packet of its own."""
    status: int = 200
    headers: list[tuple[str, str]] = field(default_factory=lambda: [("content-type", "application/json")])


Handler = Callable[[Received], Answered]


class RecordingUpstream:
    """A running upstream. Give it something to `answer` before it is asked."""

    def __init__(self) -> None:
        self.answer: Handler = _nothing_to_say
        self.received: list[Received] = []
        self.url = ""
        self.heard = threading.Event()
        """Set at each request."""

    def take(self) -> list[Received]:
        """All that came since the last time."""
        taken, self.received = self.received, []
        return taken

    def only(self) -> Received:
        """The one request that came since the last time; an AssertionError if there were more or none."""
        taken = self.take()
        assert len(taken) == 1, f"the upstream was asked {len(taken)} times"
        return taken[0]

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        query = scope["query_string"].decode()
        target = scope["raw_path"].decode() + (f"?{query}" if query else "")
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
        received = Received(scope["method"], target, headers, body)
        self.received.append(received)
        self.heard.set()
        answered = self.answer(received)
        pieces = answered.body if not isinstance(answered.body, bytes) else [answered.body]
        await send(
            {
                "type": "http.response.start",
                "status": answered.status,
                "headers": [(name.encode(), value.encode()) for name, value in answered.headers],
            }
        )
        if isinstance(pieces, list):
            for piece in pieces:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
                # A turn of the loop, so that pieces are packets of their own as far as the kernel plays along.
                await asyncio.sleep(0)
        else:
            async for piece in pieces:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body"})


def _nothing_to_say(received: Received) -> Answered:
    return Answered(b'{"error":{"message":"the test gave no answer"}}', 500)


@contextmanager
def recording_upstream() -> Iterator[RecordingUpstream]:
    """Serve on a free port of 127.0.0.1 until the block ends; streams still open then are cut."""
    upstream = RecordingUpstream()
    config = uvicorn.Config(
        upstream, host="127.0.0.1", port=0, log_level="critical", lifespan="off", timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, name="recording-upstream", daemon=True)
    thread.start()
    due = time.monotonic() + 20
    while not server.started:
        assert thread.is_alive() and time.monotonic() < due, "the recording upstream did not start"
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    upstream.url = f"http://127.0.0.1:{port}"
    try:
        yield upstream
    finally:
        server.should_exit = True
        thread.join(10)
