"""The road under /v1: a plain ASGI callable, no framework in between.

A request becomes an exchange, the exchange takes the journey, and the reply is written: bytes as they came where the
caller's dialect is the provider's wire and nobody edited, encoded from canonical events otherwise.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, MutableMapping
from time import monotonic, time_ns
from typing import Any, Final, NoReturn

from headgate.core.errors import (
    BodyTooLarge,
    CallerHungUp,
    GatewayError,
    InternalFault,
    InvalidRequest,
    MethodNotAllowed,
    ShuttingDown,
    UnknownPath,
)
from headgate.core.events import events_of
from headgate.core.ids import IdSource, request_id_text
from headgate.core.messages import Answer, EmbeddingsReply, EmbeddingsRequest
from headgate.edge.hangup import Hangups
from headgate.edge.paths import ONE_MODEL, Paths
from headgate.edge.reply_headers import ReplyHeaders
from headgate.edge.settings import ServerSettings
from headgate.edge.turn import Turn
from headgate.edge.waiting import Waiting
from headgate.exchange.dialect import Peek
from headgate.exchange.exchange import Exchange
from headgate.exchange.heard import heard_of
from headgate.exchange.pumping import pumped
from headgate.exchange.reply import Frame, Reply
from headgate.exchange.stage import Proceed

__all__ = ["Gate", "Receive", "Scope", "Send"]

Scope = MutableMapping[str, Any]
Receive = Callable[[], Any]
Send = Callable[[Any], Any]
Push = Callable[[bytes], bool]
"""`edge.turn.Turn.push`, where the server is ours: `headgate.turn` of the scope."""

_JSON: Final = (b"content-type", b"application/json")
_JSON_LINE: Final = b"content-type: application/json\r\n"
_SSE: Final = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-cache"),
    # nginx and its kin buffer replies unless told not to; a buffered stream is no stream.
    (b"x-accel-buffering", b"no"),
]
_monotonic: Final = monotonic
_time_ns: Final = time_ns

log = logging.getLogger("headgate.edge")


class Gate:
    """Serves the dialects. `proceed` is the journey; it may be swapped between two requests."""

    def __init__(
        self,
        *,
        proceed: Proceed,
        paths: Paths,
        settings: ServerSettings,
        ids: IdSource,
    ) -> None:
        self.proceed = proceed
        self.settings = settings
        self.leaving = False
        """The process is about to stop and says so to load balancers; all requests are served."""
        self.draining = False
        """The process is stopping: new requests are refused, those under way go on."""
        self.in_flight = 0
        self._max_body = int(settings.max_body)
        self._waiting_seconds = float(settings.waiting)
        self._paths = paths
        self._ids = ids
        self._reply_headers = ReplyHeaders()
        self._hangups = Hangups(seconds=settings.drain_time, most=settings.max_drains)

    def send_tokens(self, mint: Callable[[int], str] | None) -> None:
        """From the next answer on, send what `mint` makes of the request's id along; None: nothing."""
        self._reply_headers.mint = mint

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        received_at = _monotonic()
        method: str = scope["method"]
        path: str = scope["path"]
        headers: list[tuple[bytes, bytes]] = scope["headers"]
        turn: Turn | None = scope.get("headgate.turn")
        heard = heard_of(headers) if turn is None else turn.heard
        exchange = Exchange(
            id=self._ids.next(),
            dialect=self._paths.dialect(method, path, headers),
            body=b"",
            headers=headers,
            received_at=received_at,
            started_ns=_time_ns(),
            path=path,
            heard=heard,
        )
        self.in_flight += 1
        watch = self._hangups.watch(scope, turn, exchange)
        waiting: Waiting | None = None
        escaped: BaseException | None = None
        try:
            body = turn.whole_body() if turn is not None else None
            if body is None:
                await self._read(exchange, method, receive)
            else:
                self._take(exchange, method, body)
            if exchange.peek.stream:
                waiting = self._waiting(turn, exchange)
            reply = exchange.reply = await self.proceed(exchange)
            if waiting is not None:
                waiting.over()
            if turn is None or not self._write_at_once(exchange, reply, turn, waiting):
                await self._write(exchange, reply, send, turn, waiting)
        except BaseException as end:  # noqa: BLE001 - raised again unless the caller is told
            escaped = end
        if escaped is not None:
            try:
                escaped = await self._failed(exchange, escaped, send, waiting)
            except BaseException as end:  # noqa: BLE001 - raised again when everything is closed
                escaped = end
        watch.over()
        self.in_flight -= 1
        pending = _closed(exchange)
        if pending is not None:
            await _closed_in_time(exchange, pending)
        if escaped is not None:
            _raise(escaped)

    async def _failed(
        self, exchange: Exchange, end: BaseException, send: Send, waiting: Waiting | None
    ) -> BaseException | None:
        """Tell the caller what has become of the request. Returns what is to be raised again; None: nothing is."""
        begun = False
        if waiting is not None:
            waiting.over()
            begun = waiting.begun
        if isinstance(end, asyncio.CancelledError):
            if not exchange.hung_up:
                return end
            exchange.error = exchange.error or CallerHungUp(
                "the caller closed the connection before the answer was complete"
            )
            return None
        if not isinstance(end, Exception):
            return end
        error = end if isinstance(end, GatewayError) else _told(exchange, end)
        if begun:
            await self._end_stream(exchange, send, error)
        else:
            await self._refuse(exchange, error, send)
        return None

    def _take(self, exchange: Exchange, method: str, body: bytes, *, begun: bool = False) -> None:
        """The request is here whole. begun: it was admitted when its head had come."""
        try:
            self._admit(exchange, method, len(body), begun=begun)
            # What is not admitted is not kept on record either: nobody can tell what it is, and no mask covers it.
            exchange.body = body
            if method == "POST":
                exchange.peek = exchange.dialect.peek(body)
            elif exchange.path.startswith(ONE_MODEL):
                exchange.peek = Peek(model=exchange.path.removeprefix(ONE_MODEL))
        except GatewayError as error:
            # Refused by stage Accept, when it is known who asked: so it is recorded, and strangers learn nothing.
            exchange.unreadable = error

    async def _read(self, exchange: Exchange, method: str, receive: Receive) -> None:
        try:
            sizes = [int(value) for name, value in exchange.headers if name == b"content-length"]
            self._admit(exchange, method, max(sizes, default=0))
            body = await self._body(receive)
        except GatewayError as error:
            exchange.unreadable = error
            return
        self._take(exchange, method, body, begun=True)

    def _admit(self, exchange: Exchange, method: str, size: int, *, begun: bool = False) -> None:
        if self.draining and not begun:
            raise ShuttingDown("Headgate is stopping; send the request again in a moment", retry_after=1.0)
        path = exchange.path
        if not self._paths.takes(method, path):
            if self._paths.serves(path):
                raise MethodNotAllowed(f"{path} does not take {method}")
            raise UnknownPath(
                f"nothing is served at {path[:200]}; the paths are {', '.join(sorted(self._paths.paths))}"
            )
        limit = self._max_body
        if size > limit:
            raise BodyTooLarge(
                f"the body has {size:,} bytes; at most {limit:,} are taken (`server.max_body`)"
            )
        if exchange.heard.coded:
            raise InvalidRequest("send the body without content-encoding: compressed requests are not taken")

    async def _body(self, receive: Receive) -> bytes:
        limit = self._max_body
        message = await receive()
        body: bytes = message.get("body", b"")
        if not message.get("more_body"):
            return body
        pieces, size = [body], len(body)
        while message.get("more_body"):
            message = await receive()
            pieces.append(message.get("body", b""))
            size += len(pieces[-1])
            if size > limit:
                raise BodyTooLarge(f"the body is over {limit:,} bytes (`server.max_body`)")
        return b"".join(pieces)

    def _write_at_once(self, exchange: Exchange, reply: Reply, turn: Turn, waiting: Waiting | None) -> bool:
        """A whole answer, without waiting. False, and nothing is written: it goes another way."""
        if reply.frames is not None or (waiting is not None and waiting.begun):
            return False
        body = self._body_of(exchange, reply)
        exchange.bytes_out = len(body)
        own = self._reply_headers.lines(exchange) + _JSON_LINE
        return turn.whole(reply.status, exchange.reply_headers, body, own)

    async def _write(
        self, exchange: Exchange, reply: Reply, send: Send, turn: Turn | None, waiting: Waiting | None
    ) -> None:
        begun = waiting is not None and waiting.begun
        if reply.frames is not None:
            await self._stream(exchange, reply, send, turn, begun=begun)
        elif begun:
            await self._end_stream(exchange, send, reply)
        else:
            body = self._body_of(exchange, reply)
            length = (b"content-length", b"%d" % len(body))
            headers = [*self._reply_headers.of(exchange), _JSON, length]
            exchange.bytes_out = len(body)
            await send({"type": "http.response.start", "status": reply.status, "headers": headers})
            await send({"type": "http.response.body", "body": body})

    def _body_of(self, exchange: Exchange, reply: Reply) -> bytes:
        body = reply.body if reply.wire == exchange.dialect.name else None
        if body is not None:
            return body
        answer = reply.answer
        if answer is None:
            raise RuntimeError("a reply has neither frames nor an answer")
        if isinstance(answer, EmbeddingsReply) and isinstance(exchange.request, EmbeddingsRequest):
            # Another vendor's vectors come as numbers; the caller may have asked for base64.
            answer.encoding = exchange.request.encoding
        return exchange.dialect.whole(answer)

    def _waiting(self, turn: Turn | None, exchange: Exchange) -> Waiting | None:
        seconds = self._waiting_seconds
        if turn is None or not seconds:
            return None
        return Waiting(
            exchange,
            turn.begin,
            turn.push,
            lambda: self._reply_headers.of(exchange, early=True) + _SSE,
            seconds=seconds,
        )

    async def _end_stream(self, exchange: Exchange, send: Send, end: GatewayError | Reply) -> None:
        """The end of a stream of which only comments are out."""
        encoder = exchange.dialect.encoder(exchange.peek)
        if isinstance(end, GatewayError):
            exchange.error = end
            last = encoder.fail(end, request_id_text(exchange.id))
        else:
            last = encoder.feed(events_of(end.answer)) if isinstance(end.answer, Answer) else b""
        exchange.bytes_out = len(last)
        if not exchange.hung_up:
            await send({"type": "http.response.body", "body": last})

    async def _stream(  # noqa: PLR0915 - the way of one stream
        self, exchange: Exchange, reply: Reply, send: Send, turn: Turn | None, *, begun: bool = False
    ) -> None:
        """begun: head and comments are out already."""
        push: Push | None = None
        frames = reply.frames
        assert frames is not None
        head = None if begun else self._reply_headers.of(exchange) + _SSE
        if head is not None and turn is None:
            await send({"type": "http.response.start", "status": reply.status, "headers": head})
            head = None
        passes = reply.wire == exchange.dialect.name
        encoder = None if passes else exchange.dialect.encoder(exchange.peek)
        sent = 0
        by_call = pumped(frames)

        def said(frame: Frame) -> bytes:
            nonlocal encoder
            data = frame.data if encoder is None else encoder.feed(frame.events)
            if data is None:
                # No bytes to pass: edited, or from a server that answers whole where a stream was asked for.
                encoder = exchange.dialect.encoder(exchange.peek)
                data = encoder.feed(frame.events)
            return data

        def deliver(frame: Frame) -> bool:
            nonlocal sent
            data = frame.data if encoder is None else None
            if data is None:
                data = said(frame)
            if not data or exchange.hung_up or push is None:
                return True
            sent += len(data)
            return push(data)

        last = b""
        escaped: BaseException | None = None
        try:
            try:
                async for frame in frames:
                    data = said(frame)
                    if data and not exchange.hung_up:
                        sent += len(data)
                        if head is not None and turn is not None:
                            turn.begin(reply.status, head, data)
                            head = None
                        else:
                            await send({"type": "http.response.body", "body": data, "more_body": True})
                        if turn is not None and by_call is not None:
                            push = turn.pusher()
                            # The head is out: from here on bytes go from socket to socket without waking this task.
                            while not await by_call.pump(deliver):
                                await send({"type": "http.response.body", "body": b"", "more_body": True})
                            break
                last = exchange.trailer() if exchange.trailer is not None else b""
            except GatewayError as error:
                # Status and content are out: the only honest end left is an explicit error event.
                exchange.error = exchange.error or error
                encoder = encoder or exchange.dialect.encoder(exchange.peek)
                last = encoder.fail(error, request_id_text(exchange.id))
            except Exception as bug:  # noqa: BLE001 - logged
                exchange.error = fault = _told(exchange, bug)
                last = exchange.dialect.encoder(exchange.peek).fail(fault, request_id_text(exchange.id))
        except BaseException as end:  # noqa: BLE001 - raised again when the stream is closed
            escaped = end
        exchange.bytes_out = sent
        await frames.aclose()  # type: ignore[attr-defined]
        if escaped is not None:
            _raise(escaped)
        exchange.bytes_out = sent + len(last)
        if exchange.hung_up:
            return
        if head is not None:
            # Nothing was said before the end.
            await send({"type": "http.response.start", "status": reply.status, "headers": head})
        if turn is None or not turn.end(last):
            await send({"type": "http.response.body", "body": last})

    async def _refuse(self, exchange: Exchange, error: GatewayError, send: Send) -> None:
        exchange.error = error
        if exchange.hung_up:
            return
        status, headers, body = exchange.dialect.problem(error, request_id_text(exchange.id))
        headers = [
            *headers,
            *self._reply_headers.of(exchange, refused=True),
            (b"content-length", b"%d" % len(body)),
        ]
        if isinstance(error, BodyTooLarge):
            # The rest of the body is not worth reading.
            headers.append((b"connection", b"close"))
        exchange.bytes_out = len(body)
        exchange.status = status
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def _told(exchange: Exchange, bug: Exception) -> InternalFault:
    """The log learns what broke, the caller only where to look."""
    request_id = request_id_text(exchange.id)
    log.error("request %s failed inside Headgate", request_id, exc_info=bug)
    text = f"Headgate failed on this request; its log has the details under {request_id}"
    return InternalFault(text, detail=repr(bug)[:500])


def _raise(escaped: BaseException) -> NoReturn:
    """Not in a `finally`, which compiled may not wait: tests/unit/test_compiled.py."""
    raise escaped


def _closed(exchange: Exchange) -> Awaitable[None] | None:
    """What is left of closing it; None: all is done."""
    try:
        return exchange.close()
    except Exception:
        log.exception("closing request %s", request_id_text(exchange.id))
        return None


async def _closed_in_time(exchange: Exchange, pending: Awaitable[None]) -> None:
    try:
        # The task may be cancelled already; what must be closed is closed all the same.
        await asyncio.shield(pending)
    except Exception:
        log.exception("closing request %s", request_id_text(exchange.id))
