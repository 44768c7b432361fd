"""A lean upstream that answers by its path and counts what it served.

`/s/TOKENS/EVERY_MS/PER_WRITE/v1/...` streams TOKENS events, PER_WRITE of them in each write, one write every
EVERY_MS milliseconds (0: as fast as the loop turns); `/whole/v1/...` reads the body and answers one JSON text;
`GET /counts` says what was served so far. One process, no parsing beyond what is needed: it must never be the
bottleneck, and the harness prints its own CPU time beside the results.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import socket
from typing import TYPE_CHECKING, cast

import uvloop

from bench.shapes import stream_events, whole_reply

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Counts", "Wheel", "serve"]

_STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)
_SLOT_SECONDS = 0.005


class Counts:
    """What this upstream has served since it started."""

    __slots__ = ("body_bytes", "cut", "finished", "requests", "streams", "tokens")

    def __init__(self) -> None:
        self.requests = self.streams = self.finished = self.tokens = self.cut = self.body_bytes = 0

    def json(self) -> bytes:
        """The counters as a JSON object."""
        return json.dumps({name: getattr(self, name) for name in self.__slots__}).encode()


class Wheel:
    """Many slow timers for the price of one: callbacks due in the same 5 ms slot run in one loop callback."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._slots: dict[int, list[Callable[[], None]]] = {}

    def after(self, seconds: float, call: Callable[[], None]) -> None:
        """Run `call` in `seconds`, up to one slot late."""
        slot = math.ceil((self._loop.time() + seconds) / _SLOT_SECONDS)
        due = self._slots.get(slot)
        if due is None:
            due = self._slots[slot] = []
            self._loop.call_at(slot * _SLOT_SECONDS, self._turn, slot)
        due.append(call)

    def _turn(self, slot: int) -> None:
        for call in self._slots.pop(slot, ()):
            call()


class Script:
    """The writes of one stream shape, framed once as HTTP chunks and shared by every connection."""

    __slots__ = ("seconds", "tokens", "writes")

    def __init__(self, tokens: int, every_ms: int, per_write: int) -> None:
        events = stream_events(tokens)
        # The role, the finish, the usage and [DONE] travel with the first and the last token: a token is a write.
        first, last = events[0] + events[1], b"".join(events[tokens:])
        pieces = [first, *events[2:tokens], last] if tokens > 1 else [b"".join(events)]
        groups = [b"".join(pieces[at : at + per_write]) for at in range(0, len(pieces), per_write)]
        self.writes = [b"%x\r\n%b\r\n" % (len(group), group) for group in groups]
        self.writes[-1] += b"0\r\n\r\n"
        self.tokens = [min(per_write, tokens - at) for at in range(0, tokens, per_write)]
        self.seconds = every_ms / 1000


class Upstream(asyncio.Protocol):
    """One connection: reads requests one after the other and plays their script."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._head = b""
        self._missing = 0
        self._until_last_chunk = False
        self._path = b""
        self._script: Script | None = None
        self._at = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._script is not None:
            self._server.counts.cut += 1
            self._script = None

    def data_received(self, data: bytes) -> None:
        if self._missing:
            self._body(data)
        elif self._until_last_chunk:
            self._chunked(data)
        else:
            self._opening(self._head + data)

    def _opening(self, data: bytes) -> None:
        end = data.find(b"\r\n\r\n")
        if end < 0:
            self._head = data
            return
        self._head = b""
        head = data[:end].lower()
        self._path = data[data.index(b" ") + 1 : data.index(b" ", data.index(b" ") + 1)]
        rest = data[end + 4 :]
        at = head.find(b"\r\ncontent-length:")
        if at >= 0:
            self._missing = int(head[at + 17 :].split(b"\r\n", 1)[0])
            if b"\r\nexpect: 100-continue" in head:
                self._transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            if self._missing:
                self._body(rest)
                return
        elif b"\r\ntransfer-encoding: chunked" in head:
            self._until_last_chunk = True
            self._chunked(rest)
            return
        self._answer()

    def _body(self, data: bytes) -> None:
        self._server.counts.body_bytes += len(data)
        self._missing -= len(data)
        if self._missing <= 0:
            self._missing = 0
            self._answer()

    def _chunked(self, data: bytes) -> None:
        self._server.counts.body_bytes += len(data)
        tail = self._head + data
        self._head = tail[-5:]
        if tail.endswith(b"0\r\n\r\n"):
            self._head, self._until_last_chunk = b"", False
            self._answer()

    def _answer(self) -> None:
        server = self._server
        if self._path == b"/counts":
            self._json(server.counts.json())
            return
        server.counts.requests += 1
        if not self._path.startswith(b"/s/"):
            self._transport.write(server.whole)
            return
        server.counts.streams += 1
        self._script, self._at = server.script(self._path), 0
        self._transport.write(_STREAM_HEAD)
        self._step()

    def _json(self, text: bytes) -> None:
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(text)
        self._transport.write(head + text)

    def _step(self) -> None:
        script = self._script
        if script is None:
            return
        server, at = self._server, self._at
        self._transport.write(script.writes[at])
        server.counts.tokens += script.tokens[at]
        self._at = at + 1
        if self._at == len(script.writes):
            server.counts.finished += 1
            self._script = None
        elif script.seconds:
            server.wheel.after(script.seconds, self._step)
        else:
            server.loop.call_soon(self._step)


class Server:
    """What all connections share."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.counts = Counts()
        self.wheel = Wheel(loop)
        reply = whole_reply()
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(reply)
        self.whole = head + reply
        self._scripts: dict[bytes, Script] = {}

    def script(self, path: bytes) -> Script:
        """The script a path asks for, built once."""
        found = self._scripts.get(path)
        if found is None:
            tokens, every_ms, per_write = (int(part) for part in path.split(b"/")[2:5])
            found = self._scripts[path] = Script(tokens, every_ms, per_write)
        return found


async def serve(port: int) -> None:
    """Listen on 127.0.0.1 until the process is told to end."""
    loop = asyncio.get_running_loop()
    shared = Server(loop)
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind(("127.0.0.1", port))
    server = await loop.create_server(lambda: Upstream(shared), sock=listening, backlog=4096)
    await server.serve_forever()


def main() -> None:
    """Read the port and serve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    uvloop.run(serve(parser.parse_args().port))


if __name__ == "__main__":
    main()
