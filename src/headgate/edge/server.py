"""The connection with a caller: uvicorn's HTTP/1.1 protocol, with bounds on heads, slow senders and slow readers.

uvicorn bounds none of these itself. All are kept by one lazy timer per connection, so that a request pays two attribute
writes for them. `Connection.on_hangup` tells the app at once when the caller is gone, without a task that waits for it.
"""
from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from headgate.core.errors import GatewayError, HeadersTooLarge, InvalidRequest, RequestTooSlow
from headgate.edge.plain import plain_response
from headgate.edge.settings import ServerSettings

__all__ = ["Connection", "connection_class"]

_NEVER = float("inf")


class Connection(HttpToolsProtocol):
    """One caller's connection."""

    settings: ServerSettings

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.on_hangup: Callable[[], None] | None = None
        """Called once when the caller closes the connection; set by the app for the request under way."""
        self._in_head = True
        self._head_bytes = 0
        self._refused = False
        self._due = _NEVER
        self._watch: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._due = self.loop.time() + self.settings.request_time
        self._watch = self.loop.call_later(self.settings.request_time, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        super().connection_lost(exc)
        if self.on_hangup is not None:
            hangup, self.on_hangup = self.on_hangup, None
            hangup()

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        if not self._in_head:
            super().data_received(data)
            return
        self._head_bytes += len(data)
        super().data_received(data)
        if self._in_head and self._head_bytes > self.settings.max_headers:
            self._refuse(HeadersTooLarge(f"the request's head is over {self.settings.max_headers:,} bytes"))

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope["headgate.connection"] = self  # type: ignore[typeddict-unknown-key]
        self._due = self.loop.time() + self.settings.request_time

    def on_headers_complete(self) -> None:
        self._in_head = False
        if len(self.headers) > self.settings.max_header_count:
            self._refuse(HeadersTooLarge(f"the request has more than {self.settings.max_header_count} headers"))
            return
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if not self._refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        self._in_head, self._head_bytes, self._due = True, 0, _NEVER
        if not self._refused:
            super().on_message_complete()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._due = self.loop.time() + self.settings.write_stall

    def resume_writing(self) -> None:
        super().resume_writing()
        self._due = _NEVER

    def send_400_response(self, msg: str) -> None:
        """Bytes that are not HTTP; uvicorn calls this."""
        self._refuse(InvalidRequest("the request is not valid HTTP/1.1; check method, path, headers and body framing"))

    def _look(self) -> None:
        now = self.loop.time()
        if now < self._due:
            wait = min(self._due - now, float(self.settings.request_time))
            self._watch = self.loop.call_later(max(wait, 0.05), self._look)
            return
        self._watch = None
        if self.flow.write_paused:
            # Nobody reads: a polite close would wait for the very buffer that does not drain.
            self.transport.abort()
        else:
            seconds = f"{float(self.settings.request_time):g} s"
            self._refuse(RequestTooSlow(f"the request did not arrive complete within {seconds}; send it faster"))

    def _refuse(self, error: GatewayError) -> None:
        """Answer without the app, then close: after a broken head nothing on this connection can be trusted."""
        if self.transport.is_closing():
            return
        self._refused = True
        cycle: Any = self.cycle  # None before the first request, whatever uvicorn's annotation says
        if cycle is None or cycle.response_complete or not cycle.response_started:
            self.transport.write(plain_response(error))
        self.transport.close()


def connection_class(settings: ServerSettings) -> type[Connection]:
    """The class uvicorn is to make connections of. uvicorn constructs it itself, so settings travel on the class."""
    return type("Connection", (Connection,), {"settings": settings})
