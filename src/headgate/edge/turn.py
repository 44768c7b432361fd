"""One request on a connection and the reply to it, as ASGI's `receive` and `send` over our own bytes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from headgate.edge.heads import Head

if TYPE_CHECKING:
    from headgate.edge.connection import Connection

__all__ = ["Turn"]

_STATUS_LINES: Final = {
    status: b"HTTP/1.1 %d %s\r\n"
    % (status, HTTPStatus(status).phrase.encode() if status in set(HTTPStatus) else b"")
    for status in range(100, 600)
}
_OK: Final = _STATUS_LINES[200]
_SHORT: Final = 2048
_SIZES: Final = [b"%x\r\n" % size for size in range(_SHORT)]
"""What stands before a chunk of so many bytes: a token is short, and there are many."""
_LAST_CHUNK: Final = b"0\r\n\r\n"


class Turn:
    """Request in, reply out. ASGI without the parts nobody here uses: no extensions, no trailers."""

    __slots__ = (
        "_arrived",
        "_body",
        "_chunked",
        "_connection",
        "_expects_continue",
        "_head",
        "_more_body",
        "_old",
        "_to_come",
        "disconnected",
        "done",
        "heard",
        "keep_alive",
        "scope",
        "started",
        "task",
    )

    def __init__(
        self,
        connection: Connection,
        head: Head,
        *,
        keep_alive: bool,
    ) -> None:
        """head: the request's."""
        self._connection = connection
        self.scope = head.scope.copy()
        self.scope["headgate.turn"] = self
        self.heard = head.heard
        """What the headers say."""
        self.keep_alive = keep_alive
        """May another request follow on this connection?"""
        self._old = head.old
        self.task: asyncio.Task[None] | None = None
        self.started = False
        """Has a byte of the reply left?"""
        self.done = False
        self.disconnected = False
        self._expects_continue = head.expects
        self._body: list[bytes] = []
        self._more_body = True
        self._arrived: asyncio.Future[None] | None = None
        self._head: bytes | None = None
        self._chunked = False
        self._to_come: int | None = 0
        """Bytes of the body that are missing; None if only the end of the connection tells."""

    # What the connection says

    def body_came(self, data: bytes) -> None:
        self._body.append(data)
        self._wake()

    def body_complete(self) -> None:
        self._more_body = False
        self._wake()

    @property
    def request_complete(self) -> bool:
        """Has the whole request arrived?"""
        return not self._more_body

    def caller_gone(self) -> None:
        self.disconnected = True
        self._wake()

    def _wake(self) -> None:
        if self._arrived is not None and not self._arrived.done():
            self._arrived.set_result(None)

    # What the app calls

    def whole_body(self) -> bytes | None:
        """The body, if all of it is here: what `receive` would say, without its messages. None: ask `receive`."""
        if self._more_body or self._expects_continue or self.disconnected or self.done:
            return None
        pieces, self._body = self._body, []
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    async def receive(self) -> dict[str, Any]:
        """ASGI's: the next part of the body, or `http.disconnect`."""
        if self._expects_continue and not self.disconnected:
            self._expects_continue = False
            self._connection.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        while not self._body and self._more_body and not self.disconnected:
            self._connection.want_body()
            self._arrived = asyncio.get_running_loop().create_future()
            await self._arrived
        if self.disconnected or self.done:
            return {"type": "http.disconnect"}
        pieces, self._body = self._body, []
        body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        return {"type": "http.request", "body": body, "more_body": self._more_body}

    async def send(self, message: dict[str, Any]) -> None:
        """ASGI's. The head waits for the first piece of the body, so that a whole reply is one write. Waits while the
        caller does not read. Raises RuntimeError for messages out of order or a body that is not as long as it says."""
        connection = self._connection
        if connection.write_paused:
            await connection.writable()
        if self.disconnected:
            return
        if message["type"] == "http.response.start":
            if self._head is not None or self.started:
                raise RuntimeError("a reply was begun twice")
            headers = message.get("headers", ())
            length = next((int(value) for name, value in headers if name == b"content-length"), None)
            self._head = self._render_head(message["status"], headers, length)
            return
        head = self._head
        if (head is None and not self.started) or self.done:
            raise RuntimeError(f"`{message['type']}` out of order")
        body: bytes = message.get("body", b"")
        more: bool = message.get("more_body", False)
        if self.scope["method"] == "HEAD":
            data = b""
        elif self._chunked:
            data = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            if not more:
                data += _LAST_CHUNK
        else:
            if self._to_come is not None:
                self._to_come -= len(body)
                if self._to_come < 0 or (not more and self._to_come):
                    raise RuntimeError("the reply's body is not as long as its head says")
            data = body
        if head is not None:
            self._head, self.started = None, True
            data = head + data
        if data:
            connection.write(data)
        if not more:
            self.done = True
            connection.turn_over(self)

    def whole(
        self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes, own: bytes = b""
    ) -> bool:
        """A reply from head to end, without waiting; its length is said beside `headers`. own: lines of more headers, each with
        its end, by somebody who knows that there are no others in them. False, and nothing is done: the caller does not read
        fast enough; use `send`, which waits."""
        connection = self._connection
        if connection.write_paused:
            return False
        if self.disconnected:
            return True
        if self._head is not None or self.started:
            raise RuntimeError("a reply was begun twice")
        said = self._lines(headers) if headers else b""
        end = self._end_of_head()
        self.started = self.done = True
        connection.write(
            b"%b%b%b%bcontent-length: %d\r\n%b\r\n%b"
            % (
                _OK if status == 200 else _STATUS_LINES[status],
                connection.standing_lines(),
                said,
                own,
                len(body),
                end,
                b"" if self.scope["method"] == "HEAD" else body,
            )
        )
        connection.turn_over(self)
        return True

    def begin(self, status: int, headers: list[tuple[bytes, bytes]], body: bytes) -> None:
        """Head and first piece of a reply without a length, at once and without waiting; the rest goes by `push` and
        `send`, which is not told of the head again."""
        if self.disconnected:
            return
        if self._head is not None or self.started:
            raise RuntimeError("a reply was begun twice")
        self._head = self._render_head(status, headers, None)
        head, self._head, self.started = self._head, None, True
        self._connection.write(head + (b"%x\r\n%b\r\n" % (len(body), body) if self._chunked else body))

    def push(self, body: bytes) -> bool:
        """A piece of a reply without a length that `send` has begun, without waiting. False: the caller does not read fast
        enough; go on with `send`, which waits."""
        connection = self._connection
        if self.disconnected:
            return True
        if self._head is not None or self.done or not (self._chunked or self._to_come is None):
            raise RuntimeError("only a reply under way, of unknown length, can be pushed to")
        if body:  # an empty chunk is the mark of the end
            if self._chunked:
                size = len(body)
                body = (_SIZES[size] if size < _SHORT else b"%x\r\n" % size) + body + b"\r\n"
            connection.write(body)
        return not connection.write_paused

    def end(self, body: bytes) -> bool:
        """The last piece of a reply that `begin` or `send` has begun, without waiting. False, and nothing is done: use `send`."""
        connection = self._connection
        if self.disconnected or self._head is not None or not self._chunked or connection.write_paused:
            return False
        if self.done:
            raise RuntimeError("a reply was ended twice")
        connection.write((b"%x\r\n%b\r\n" % (len(body), body) if body else b"") + _LAST_CHUNK)
        self.done = True
        connection.turn_over(self)
        return True

    def pusher(self) -> Callable[[bytes], bool]:
        """`push` for the many pieces of a reply under way: what cannot change between them is looked at once."""
        if not self._chunked:
            return self.push
        connection = self._connection
        write = connection.write

        def push(body: bytes) -> bool:
            if self.disconnected or not body:
                return True
            size = len(body)
            write((_SIZES[size] if size < _SHORT else b"%x\r\n" % size) + body + b"\r\n")
            return not connection.write_paused

        return push

    def _render_head(self, status: int, headers: Sequence[tuple[bytes, bytes]], length: int | None) -> bytes:
        """length: of the body, as one of `headers` says it; None if none does."""
        lines = self._lines(headers)
        self._chunked = False
        if length is not None:
            self._to_come = length
        elif self._old:
            # A client of 1.0 knows no chunks: the end of the connection is the end of the body.
            self.keep_alive, self._to_come = False, None
        else:
            self._chunked = True
            lines += b"transfer-encoding: chunked\r\n"
        return b"%b%b%b%b\r\n" % (
            _STATUS_LINES[status],
            self._connection.standing_lines(),
            lines,
            self._end_of_head(),
        )

    def _lines(self, headers: Sequence[tuple[bytes, bytes]]) -> bytes:
        """`headers` as they are sent, but for `connection: close`, which is taken for a wish."""
        lines = []
        for name, value in headers:
            if name == b"connection" and value == b"close":
                self.keep_alive = False
                continue
            lines.append(b"%b: %b\r\n" % (name, value))
        said = lines[0] if len(lines) == 1 else b"".join(lines)
        # One line break more than lines: somebody put one into a header, and could have put a whole reply there.
        if said.count(b"\n") != len(lines):
            raise RuntimeError("a header of the reply holds a line break")
        return said

    def _end_of_head(self) -> bytes:
        """What the last line says of the connection, if it is not what everybody expects."""
        if self._more_body:
            # The connection is closed after a reply that did not wait for the whole request.
            self.keep_alive = False
        if not self.keep_alive:
            return b"connection: close\r\n"
        return b"connection: keep-alive\r\n" if self._old else b""
