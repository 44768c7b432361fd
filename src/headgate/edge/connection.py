"""The connection with a caller: HTTP/1.1 on httptools, under uvicorn's server, with bounds on all that strangers send.

uvicorn brings sockets, signals and graceful shutdown; its own protocol class costs a little more per request than this
one and bounds neither heads nor slow senders nor slow readers (docs/decisions/0011-own-server-connection.md).

All deadlines are kept by one lazy timer per connection, so that a request pays an attribute write for each.
`Connection.on_hangup` tells the app at once when its caller is gone, without a task that waits for it.
"""

from __future__ import annotations

import asyncio
import logging
import urllib.parse
from collections import deque
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, cast

import httptools
from uvicorn.config import Config
from uvicorn.server import ServerState

from headgate.core.errors import GatewayError, HeadersTooLarge, InternalFault, InvalidRequest, RequestTooSlow
from headgate.edge.entrance import Entrance
from headgate.edge.problems import plain_response
from headgate.edge.turn import Turn

__all__ = ["Connection"]

log = logging.getLogger("headgate.edge")

_NEVER = float("inf")
_NO_PARSER = cast("httptools.HttpRequestParser", None)
"""Of a connection that is over: nothing comes any more."""
_UNREAD_BODY = 64 * 1024
"""Bytes of a request's body taken before the app has asked for them."""
_PATHS_KEPT = 256
_PATH_BYTES_KEPT = 256
_FIRST_REQUEST_SECONDS = 1.0
"""How long a new connection may take to bring its request when the port is closed already."""
_GOODBYE_SECONDS = 5.0
"""How long a connection that is being closed may take to be gone: the caller may neither read nor stop sending."""


class Connection(asyncio.Protocol):
    """One caller's connection: turn after turn, requests that come early wait."""

    def __init__(
        self,
        entrance: Entrance,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],  # noqa: ARG002 - uvicorn gives it
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        """As uvicorn constructs its protocols, but for the first."""
        self._entrance = entrance
        self.settings = entrance.settings
        if not config.loaded:
            config.load()
        self._app: Callable[..., Coroutine[Any, Any, None]] = config.loaded_app
        self._loop = _loop or asyncio.get_event_loop()
        self._server = server_state
        # Of all kinds of connections, by uvicorn's types; ours is none of them.
        self._others: set[Any] = server_state.connections
        self._transport: asyncio.Transport
        self.write: Callable[[bytes], None]
        """Hand bytes to the transport, which never blocks; `write_paused` says when to stop."""
        self._parser = httptools.HttpRequestParser(self)
        self._client: tuple[str, int] | None = None
        self._scheme = "http"
        self.on_hangup: Callable[[], None] | None = None
        """Called once when the caller closes the connection; set by the app for the request under way."""
        self.write_paused = False
        self._writable: asyncio.Future[None] | None = None
        self._reading_paused = False
        # The turn whose request is arriving, the one that is being answered, and those that wait for their turn.
        self._arriving: Turn | None = None
        self._current: Turn | None = None
        self._waiting: deque[Turn] = deque()
        self._unread = 0
        self._deaf = False
        """What still comes is thrown away."""
        self._closing = False
        self._begun = False
        """Has a request begun to arrive that is not here whole?"""
        self._in_head = True
        self._head_bytes = 0
        self._fed = 0
        self._framing = 0
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._due = _NEVER
        self._watch: asyncio.TimerHandle | None = None

    # asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self.write = self._transport.write
        self._others.add(self)
        peer = transport.get_extra_info("peername")
        self._client = (str(peer[0]), int(peer[1])) if isinstance(peer, tuple) and len(peer) > 1 else None
        self._scheme = "https" if transport.get_extra_info("sslcontext") else "http"
        self._wait(self.settings.request_time)
        self._watch = self._loop.call_later(self._entrance.look_after, self._look)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - why does not matter here
        self._others.discard(self)
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        self._closing = self._deaf = True
        self._caller_gone()
        self.resume_writing()
        # The parser holds methods of ours: together we would stay until the collector looks.
        self._parser = _NO_PARSER

    def _caller_gone(self) -> None:
        for turn in (self._current, self._arriving, *self._waiting):
            if turn is not None and not turn.done:
                turn.caller_gone()
        self._waiting.clear()
        if self.on_hangup is not None:
            hangup, self.on_hangup = self.on_hangup, None
            hangup()

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        self._fed = size = len(data)
        if self._in_head:
            self._head_bytes += size
        else:
            self._framing += size
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._take_no_notice(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self._refuse(
                InvalidRequest(
                    "the request is not valid HTTP/1.1; check method, path, headers and body framing"
                )
            )
        else:
            most = self.settings.max_headers
            if (self._head_bytes if self._in_head else self._framing) > most:
                self._refuse(
                    HeadersTooLarge(
                        f"the request's head, or what is neither head nor body of it, is over {most:,} bytes"
                    )
                )

    def _take_no_notice(self, rest: bytes) -> None:
        """Serve a request that asks for another protocol as if it did not: RFC 9110 allows it, and Java's client asks for
        h2c each time. The parser skips such a request's body, so another one reads it again, the wish left out."""
        if self._deaf:
            return
        parser = self._parser
        method = parser.get_method()
        if method == b"CONNECT":
            self._refuse(InvalidRequest("this is no proxy: send the request itself instead of CONNECT"))
            return
        wishes = (b"upgrade", b"connection", b"http2-settings")
        lines = [b"%b %b HTTP/%b" % (method, self._url, parser.get_http_version().encode())]
        lines += [b"%b: %b" % pair for pair in self._headers if pair[0] not in wishes]
        self._parser = httptools.HttpRequestParser(self)
        self._fed = 0
        self.data_received(b"\r\n".join([*lines, b"connection: close", b"", rest]))

    def eof_received(self) -> bool:
        """A caller that closes its side has left: who wants an answer keeps the connection open."""
        return False

    def pause_writing(self) -> None:
        self.write_paused = True
        self._wait(self.settings.write_stall)

    def resume_writing(self) -> None:
        self.write_paused = False
        if not self._closing:
            self._due = _NEVER
            if self._begun:
                self._wait(self.settings.request_time)
            elif self._current is None:
                self._wait(self.settings.keep_alive)
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)

    # httptools

    def on_message_begin(self) -> None:
        self._url = b""
        self._headers = []
        self._begun = self._in_head = True
        if not self.write_paused:
            self._wait(self.settings.request_time)

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        # Not trailers: they come after whoever checked the head has let it pass.
        if self._in_head:
            self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        # A head that came in one piece with what is around it is only measured when it can be too long.
        large = max(self._head_bytes, self._fed) > self.settings.max_headers
        self._in_head, self._head_bytes, self._framing = False, 0, 0
        if self._deaf:
            return
        headers = self._headers
        if (
            large
            and len(self._url) + sum(len(name) + len(value) + 4 for name, value in headers)
            > self.settings.max_headers
        ):
            self._refuse(HeadersTooLarge(f"the request's head is over {self.settings.max_headers:,} bytes"))
            return
        if len(headers) > self.settings.max_header_count:
            self._refuse(
                HeadersTooLarge(f"the request has more than {self.settings.max_header_count} headers")
            )
            return
        parser = self._parser
        if parser.should_upgrade():
            return  # the parser is about to say so to `data_received`
        known = self._entrance.paths.get(self._url) or self._take_apart(self._url)
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": _ASGI,
            "http_version": parser.get_http_version(),
            "method": parser.get_method().decode("ascii"),
            "scheme": self._scheme,
            "path": known[0],
            "raw_path": self._url,
            "query_string": known[1],
            "root_path": "",
            "headers": headers,
            "client": self._client,
            "server": None,
            "headgate.connection": self,
        }
        expects = False
        for name, value in headers:
            if name == b"expect":
                expects = value.lower() == b"100-continue"
        keep_alive = parser.should_keep_alive() and not self._entrance.leaving
        turn = Turn(self, scope, keep_alive=keep_alive, expects_continue=expects)
        scope["headgate.turn"] = turn
        self._arriving = turn
        if expects:
            self._begin(turn)

    def on_body(self, data: bytes) -> None:
        turn = self._arriving
        if turn is None or self._deaf:
            return
        turn.body_came(data)
        self._framing = 0
        self._unread += len(data)
        if self._unread > _UNREAD_BODY:
            # Too much to wait for the end: whoever answers decides whether to take the rest.
            self._pause_reading()
            if turn.task is None:
                self._begin(turn)

    def on_message_complete(self) -> None:
        self._begun, self._in_head, self._head_bytes = False, True, 0
        if not self.write_paused:
            self._due = _NEVER
        turn, self._arriving = self._arriving, None
        if turn is None or self._deaf:
            return
        turn.body_complete()
        if turn.task is None:
            self._begin(turn)
        if not self._waiting:
            # The body is here whole: read on, for only who reads sees a caller leave.
            self.want_body()

    def _take_apart(self, url: bytes) -> tuple[str, bytes]:
        path, _, query = url.partition(b"?")
        if path[:1] != b"/":
            # Absolute form, as proxies are sent: what counts is the path.
            path = urllib.parse.urlsplit(path.decode("latin-1")).path.encode("latin-1") or b"/"
        parts = (urllib.parse.unquote(path.decode("latin-1")), query)
        if len(self._entrance.paths) < _PATHS_KEPT and len(url) <= _PATH_BYTES_KEPT:
            self._entrance.paths[url] = parts
        return parts

    # Turns

    def _begin(self, turn: Turn) -> None:
        if self._current is not None:
            if turn not in self._waiting:
                self._waiting.append(turn)
                self._pause_reading()
            return
        self._current = turn
        # The app is the task itself: a coroutine around it would be walked through again for every streamed token.
        task = turn.task = self._loop.create_task(self._app(turn.scope, turn.receive, turn.send))
        self._server.tasks.add(task)
        task.add_done_callback(partial(self._app_returned, turn))

    def _app_returned(self, turn: Turn, task: asyncio.Task[None]) -> None:
        self._server.tasks.discard(task)
        if not task.cancelled() and (bug := task.exception()) is not None:
            log.error("a request failed outside the journey", exc_info=bug)
        if not turn.done:
            # Nothing more will come, and half a reply cannot be completed.
            turn.done = True
            turn.keep_alive = False
            if not turn.started and not turn.disconnected:
                self.write(
                    plain_response(InternalFault("Headgate failed on this request; its log has the details"))
                )
            self.turn_over(turn)
        # The scope holds the turn, and the turn the scope: together they would stay until the collector looks.
        del turn.scope["headgate.turn"]

    def turn_over(self, turn: Turn) -> None:
        """The reply is written."""
        self._server.total_requests += 1
        self._unread = 0
        if turn is self._current:
            self._current = None
        if not turn.keep_alive or not turn.request_complete:
            # With part of a body unread, what follows cannot be told from a request.
            self._close(sending=not turn.request_complete)
            return
        if self._waiting:
            self._begin(self._waiting.popleft())
        else:
            if not self.write_paused and self._due == _NEVER:
                self._wait(self.settings.keep_alive)
            self._resume_reading()

    def shutdown(self) -> None:
        """uvicorn calls this when stopping begins: close if idle, else after the reply under way."""
        last = self._waiting[-1] if self._waiting else self._current
        if last is not None:
            last.keep_alive = False
        elif self._arriving is not None:
            # Its end is awaited, so that it can be told that we are stopping.
            self._arriving.keep_alive = False
        elif self._entrance.leaving and self._begun:
            pass  # its head is arriving; the reply will be the last
        elif self._entrance.leaving and not self._url:
            # Nobody connects for nothing: the first request is on its way.
            self._wait(_FIRST_REQUEST_SECONDS)
            if self._watch is not None:
                self._watch.cancel()
            self._watch = self._loop.call_at(self._due, self._look)
        else:
            self._close()

    # What turns need

    async def writable(self) -> None:
        """Wait until the caller has read enough."""
        while self.write_paused:
            if self._writable is None or self._writable.done():
                self._writable = self._loop.create_future()
            await self._writable

    def want_body(self) -> None:
        """The app reads on."""
        self._unread = 0
        self._resume_reading()

    def standing_headers(self) -> list[bytes]:
        """Header lines of every reply, without their ends: the date, in a list which uvicorn renews each second."""
        return self._entrance.standing_headers(self._server.default_headers)

    def _pause_reading(self) -> None:
        if not self._reading_paused and not self._transport.is_closing():
            self._reading_paused = True
            self._transport.pause_reading()

    def _resume_reading(self) -> None:
        if self._reading_paused and not self._transport.is_closing():
            self._reading_paused = False
            self._transport.resume_reading()

    def drop(self) -> None:
        """Cut it at once, in the middle of anything."""
        self._transport.abort()

    # Deadlines

    def _wait(self, seconds: float) -> None:
        self._due = self._loop.time() + seconds

    def _look(self) -> None:
        """The one timer: is anything overdue?"""
        now = self._loop.time()
        if now < self._due:
            wait = min(self._due - now, self._entrance.look_after)
            self._watch = self._loop.call_later(max(wait, 0.05), self._look)
            return
        self._watch = None
        if self.write_paused or self._closing:
            # Nobody reads: a polite close would wait for the very buffer that does not drain.
            self._transport.abort()
        elif not self._begun:
            self._close()
        else:
            seconds = f"{float(self.settings.request_time):g} s"
            self._refuse(
                RequestTooSlow(f"the request did not arrive complete within {seconds}; send it faster")
            )
            if not self._closing:
                # Requests that came before it are still being answered.
                self._due = _NEVER
                self._watch = self._loop.call_later(self._entrance.look_after, self._look)

    # Ending

    def _last_request(self) -> bool:
        """Answer the requests that have come whole, read no more, then close. False: there is none to answer."""
        self._deaf = True
        if self._waiting and not self._waiting[-1].request_complete:
            self._waiting.pop()
        last = self._waiting[-1] if self._waiting else self._current
        if last is None or not last.request_complete:
            return False
        last.keep_alive = False
        return True

    def _refuse(self, error: GatewayError) -> None:
        """Answer without the app, then close: after a broken head nothing on this connection can be trusted."""
        if self._deaf or self._closing or self._last_request():
            return
        if self._current is None or not self._current.started:
            self.write(plain_response(error))
        self._caller_gone()
        self._close(sending=True)

    def _close(self, *, sending: bool = False) -> None:
        """Close when all is written.

        sending: the caller may not be done. Then only our side is closed until the caller closes too or time is up:
                 closing with bytes unread resets the connection, and the reset can overtake the reply that says why."""
        if self._closing:
            return
        self._closing = self._deaf = True
        self._wait(min(_GOODBYE_SECONDS, self.settings.write_stall) if sending else self.settings.write_stall)
        if self._watch is not None:
            self._watch.cancel()
        self._watch = self._loop.call_at(self._due, self._look)
        if sending and self._transport.can_write_eof() and not self._transport.is_closing():
            self._resume_reading()
            self._transport.write_eof()
        else:
            self._transport.close()


_ASGI = {"version": "3.0", "spec_version": "2.3"}
