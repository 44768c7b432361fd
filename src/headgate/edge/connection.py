"""The connection with a caller: HTTP/1.1 on httptools, under uvicorn's server, with bounds on all that strangers send.

uvicorn brings sockets, signals and graceful shutdown; its own protocol class costs a little more per request than this
one and bounds neither heads nor slow senders nor slow readers (docs/decisions/0011-own-server-connection.md).

All deadlines are kept by one lazy timer per connection, so that a request pays an attribute write for each.
`Connection.on_hangup` tells the app at once when its caller is gone, without a task that waits for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Any, Final, cast

import httptools
from uvicorn.config import Config
from uvicorn.server import ServerState

from headgate.core.errors import GatewayError, HeadersTooLarge, InternalFault, InvalidRequest, RequestTooSlow
from headgate.edge.entrance import Entrance
from headgate.edge.heads import Head, target_of
from headgate.edge.problems import plain_response
from headgate.edge.serving import Serving
from headgate.edge.turn import Turn

__all__ = ["Connection"]

log = logging.getLogger("headgate.edge")

_NEVER: Final = float("inf")
_NO_PARSER: Final = cast("httptools.HttpRequestParser", None)
"""Of a connection that is over: nothing comes any more."""
_UNREAD_BODY: Final = 64 * 1024
"""Bytes of a request's body taken before the app has asked for them."""
_PATHS_KEPT: Final = 256
_PATH_BYTES_KEPT: Final = 256
_OTHER_HEADS: Final = 4
"""One after the other, and it is not expected any more that one comes again."""
_FIRST_REQUEST_SECONDS: Final = 1.0
"""How long a new connection may take to bring its request when the port is closed already."""
_GOODBYE_SECONDS: Final = 5.0
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
        self._loop = _loop or asyncio.get_event_loop()
        self._server = server_state
        self._serving: Serving | None = Serving(self, config.loaded_app, self._loop, server_state.tasks)
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
        self.closing = False
        self._begun = False
        """Has a request begun to arrive that is not here whole?"""
        self._in_head = True
        self._head_bytes = 0
        self._fed = 0
        self._framing = 0
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        # The head that came last, what the bytes that are being parsed began with, and how often it was another one.
        self._head: Head | None = None
        self._parsed: Head | None = None
        self._other_heads = 0
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
        self._wait(self._entrance.request_time)
        self._watch = self._loop.call_later(self._entrance.look_after, self._look)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - why does not matter here
        self._others.discard(self)
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        self.closing = self._deaf = True
        self._caller_gone()
        self.resume_writing()
        # The parser holds methods of ours: together we would stay until the collector looks.
        self._parser = _NO_PARSER
        self._head = self._parsed = None
        # It holds us, too.
        serving, self._serving = self._serving, None
        if serving is not None:
            serving.end()

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
        size = len(data)
        if self._head is not None and not self._begun and size <= _UNREAD_BODY:
            at = self._head.body_at(data)
            if at:
                self._come_whole(self._head, data[at:])
                return
        self._parse(data, size)

    def _come_whole(self, head: Head, body: bytes) -> None:
        """As the parser would tell it of a request that has come in one piece."""
        self._other_heads = self._head_bytes = 0
        if not self.write_paused:
            self._due = _NEVER
        turn = self._turn_of(head)
        if body:
            turn.body_came(body)
        turn.body_complete()
        self._begin(turn)
        if not self._waiting:
            self.want_body()

    def _parse(self, data: bytes, size: int) -> None:
        begins = self._begins()
        self._fed = size
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
            most = self._entrance.max_headers
            if (self._head_bytes if self._in_head else self._framing) > most:
                self._refuse(
                    HeadersTooLarge(
                        f"the request's head, or what is neither head nor body of it, is over {most:,} bytes"
                    )
                )
            elif begins and self._other_heads < _OTHER_HEADS and self._parsed is not None:
                self._other_heads += 1
                self._head = self._parsed if self._parsed.remember(data) else None

    def _begins(self) -> bool:
        """Does a request begin with what comes now?"""
        self._parsed = None
        return not self._begun

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
        self._wait(self._entrance.write_stall)

    def resume_writing(self) -> None:
        self.write_paused = False
        if not self.closing:
            self._due = _NEVER
            if self._begun:
                self._wait(self._entrance.request_time)
            elif self._current is None:
                self._wait(self._entrance.keep_alive)
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)

    # httptools

    def on_message_begin(self) -> None:
        self._url = b""
        self._headers = []
        self._begun = self._in_head = True
        if not self.write_paused:
            self._wait(self._entrance.request_time)

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        # Not trailers: they come after whoever checked the head has let it pass.
        if self._in_head:
            self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        # A head that came in one piece with what is around it is only measured when it can be too long.
        large = max(self._head_bytes, self._fed) > self._entrance.max_headers
        self._in_head, self._head_bytes, self._framing = False, 0, 0
        if self._deaf:
            return
        headers = self._headers
        if (
            large
            and len(self._url) + sum(len(name) + len(value) + 4 for name, value in headers)
            > self._entrance.max_headers
        ):
            self._refuse(HeadersTooLarge(f"the request's head is over {self._entrance.max_headers:,} bytes"))
            return
        if len(headers) > self.settings.max_header_count:
            self._refuse(
                HeadersTooLarge(f"the request has more than {self.settings.max_header_count} headers")
            )
            return
        parser = self._parser
        if parser.should_upgrade():
            return  # the parser is about to say so to `data_received`
        head = self._head_of(headers)
        if self._parsed is None:
            self._parsed = head
        turn = self._arriving = self._turn_of(head)
        if head.expects:
            self._begin(turn)

    def _head_of(self, headers: list[tuple[bytes, bytes]]) -> Head:
        parser, paths = self._parser, self._entrance.paths
        target = paths.get(self._url)
        if target is None:
            target = target_of(self._url)
            if len(paths) < _PATHS_KEPT and len(self._url) <= _PATH_BYTES_KEPT:
                paths[self._url] = target
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": _ASGI,
            "http_version": parser.get_http_version(),
            "method": parser.get_method().decode("ascii"),
            "scheme": self._scheme,
            "path": target[0],
            "raw_path": self._url,
            "query_string": target[1],
            "root_path": "",
            "headers": headers,
            "client": self._client,
            "server": None,
            "headgate.connection": self,
        }
        return Head(scope, headers, keep_alive=parser.should_keep_alive())

    def _turn_of(self, head: Head) -> Turn:
        return Turn(self, head, keep_alive=head.keep_alive and not self._entrance.leaving)

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

    # Turns

    def _begin(self, turn: Turn) -> None:
        if self._current is not None:
            if turn not in self._waiting:
                self._waiting.append(turn)
                self._pause_reading()
            return
        self._current = turn
        assert self._serving is not None
        self._serving.begin(turn)

    def app_returned(self, turn: Turn, bug: BaseException | None) -> None:
        """bug: what the app has raised."""
        if isinstance(bug, Exception):
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
                self._wait(self._entrance.keep_alive)
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

    def standing_lines(self) -> bytes:
        """Header lines of every reply, each with its end: the date, in a list which uvicorn renews each second."""
        return self._entrance.standing_lines(self._server.default_headers)

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
        if self.write_paused or self.closing:
            # Nobody reads: a polite close would wait for the very buffer that does not drain.
            self._transport.abort()
        elif not self._begun:
            self._close()
        else:
            seconds = f"{float(self._entrance.request_time):g} s"
            self._refuse(
                RequestTooSlow(f"the request did not arrive complete within {seconds}; send it faster")
            )
            if not self.closing:
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
        if self._deaf or self.closing or self._last_request():
            return
        if self._current is None or not self._current.started:
            self.write(plain_response(error))
        self._caller_gone()
        self._close(sending=True)

    def _close(self, *, sending: bool = False) -> None:
        """Close when all is written.

        sending: the caller may not be done. Then only our side is closed until the caller closes too or time is up:
                 closing with bytes unread resets the connection, and the reset can overtake the reply that says why."""
        if self.closing:
            return
        self.closing = self._deaf = True
        self._wait(
            min(_GOODBYE_SECONDS, self._entrance.write_stall) if sending else self._entrance.write_stall
        )
        if self._watch is not None:
            self._watch.cancel()
        self._watch = self._loop.call_at(self._due, self._look)
        if sending and self._transport.can_write_eof() and not self._transport.is_closing():
            self._resume_reading()
            self._transport.write_eof()
        else:
            self._transport.close()


_ASGI = {"version": "3.0", "spec_version": "2.3"}
