"""A caller who writes bytes instead of requests, and what can be seen of a gateway from outside while it does."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sqlite3
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Self
from urllib.parse import urlsplit

from headgate.core.ids import parse_request_id
from tests.support.gateway import RunningGateway

__all__ = [
    "RawCaller",
    "RawReply",
    "attempts_of",
    "record_of",
    "request_bytes",
    "resident_kb",
    "sockets_of",
    "until",
]


@dataclass(frozen=True, slots=True)
class RawReply:
    """One reply as it came."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def closes(self) -> bool:
        return self.headers.get("connection", "") == "close"


class RawCaller:
    """One TCP connection to a gateway. Reading gives up after `patience` seconds with a TimeoutError."""

    def __init__(self, url: str, *, patience: float = 10.0, receive_buffer: int = 0) -> None:
        parts = urlsplit(url)
        self.socket = socket.socket()
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.settimeout(patience)
        try:
            self.socket.connect((parts.hostname, parts.port))
        except OSError:
            self.socket.close()
            raise
        self._rest = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, data: bytes) -> None:
        """Send, and take no offence if the other side has stopped listening: its reply is what counts."""
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.socket.sendall(data)

    def reset(self) -> None:
        """Leave with a TCP reset."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def more(self) -> bytes:
        """Whatever comes next; b"" at the end."""
        return self.socket.recv(65_536)

    def until(self, mark: bytes) -> bytes:
        """All up to and with `mark`. Raises EOFError if it never comes."""
        while mark not in self._rest:
            data = self.more()
            if not data:
                raise EOFError(f"closed after {self._rest!r}")
            self._rest += data
        found, _, self._rest = self._rest.partition(mark)
        return found + mark

    def reply(self, *, method: str = "POST") -> RawReply:
        """The next whole reply, chunked or with a length. Raises EOFError if the connection ends first."""
        head = self.until(b"\r\n\r\n")[:-4].decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:])}
        status = int(head[0].split(" ")[1])
        if method == "HEAD" or status < 200:
            return RawReply(status, headers, b"")
        return RawReply(status, headers, self._body(headers))

    def _body(self, headers: dict[str, str]) -> bytes:
        if "content-length" in headers:
            length = int(headers["content-length"])
            while len(self._rest) < length:
                data = self.more()
                if not data:
                    raise EOFError("closed in the middle of a body")
                self._rest += data
            body, self._rest = self._rest[:length], self._rest[length:]
            return body
        if headers.get("transfer-encoding") != "chunked":
            return self.rest()
        body = b""
        while size := int(self.until(b"\r\n"), 16):
            while len(self._rest) < size + 2:
                data = self.more()
                if not data:
                    raise EOFError("closed in the middle of a chunk")
                self._rest += data
            body, self._rest = body + self._rest[:size], self._rest[size + 2 :]
        self.until(b"\r\n")
        return body

    def rest(self) -> bytes:
        """All up to the end of the connection."""
        while data := self.more():
            self._rest += data
        rest, self._rest = self._rest, b""
        return rest

    def closed(self) -> bool:
        """Has the gateway closed its side, with nothing more to say? A reset counts."""
        try:
            return self.rest() == b""
        except ConnectionResetError:
            return True


def request_bytes(
    path: str, body: bytes = b"", *lines: str, key: str = "", method: str = "POST", length: bool = True
) -> bytes:
    """A request. lines: more header lines. length: say how long the body is."""
    head = [f"{method} {path} HTTP/1.1", "host: gateway", *lines]
    if key:
        head.append(f"authorization: Bearer {key}")
    if length:
        head.append(f"content-length: {len(body)}")
    return "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body


def until(true: Callable[[], Any], *, seconds: float = 10.0) -> Any:
    """Wait until something outside this process is so; what it said last, true or not."""
    due = time.monotonic() + seconds
    while not (found := true()) and time.monotonic() < due:
        time.sleep(0.02)
    return found


def sockets_of(gateway: RunningGateway) -> int:
    """Sockets the process holds open, the listening one included."""
    folder = f"/proc/{gateway.process.pid}/fd"
    found = 0
    for name in os.listdir(folder):
        with contextlib.suppress(OSError):
            found += os.readlink(f"{folder}/{name}").startswith("socket:")
    return found


def resident_kb(gateway: RunningGateway) -> int:
    """Memory the process occupies, in kB."""
    with open(f"/proc/{gateway.process.pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


def _rows(gateway: RunningGateway, question: str, *values: Any) -> Iterator[dict[str, Any]]:
    with contextlib.closing(sqlite3.connect(gateway.database, timeout=10)) as connection:
        connection.row_factory = sqlite3.Row
        for row in connection.execute(question, values):
            yield dict(row)


def record_of(
    gateway: RunningGateway, request_id: str = "", *, user: str = "", seconds: float = 10.0
) -> dict[str, Any]:
    """The stored record of a request, waiting for it. By its id, or by its `x-headgate-user`."""
    column, value = ("id", parse_request_id(request_id)) if request_id else ("user", user)

    def stored() -> dict[str, Any] | None:
        return next(_rows(gateway, f'SELECT * FROM request WHERE "{column}" = ?', value), None)

    found = until(stored, seconds=seconds)
    assert found is not None, f"no record of {request_id or user}"
    return dict(found)


def attempts_of(gateway: RunningGateway, record: dict[str, Any]) -> list[dict[str, Any]]:
    """The attempts of a recorded request, in order."""
    return list(_rows(gateway, "SELECT * FROM attempt WHERE request_id = ? ORDER BY number", record["id"]))
