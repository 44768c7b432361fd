"""One HTTP/1.1 connection: an asyncio protocol around httptools, from its first request to its last.

    IDLE ── begin ──> HEAD ── reply head ──> BODY ── end of message ──> IDLE (kept) or CLOSED
      └── any byte, or an end, that nobody asked for ──> CLOSED          (as does every fault, anywhere)

The pool (its `owner`) hears exactly once that a connection has `gone`, and once per exchange that it is `ready` again.
"""

from __future__ import annotations

import asyncio
import select
import ssl
from collections.abc import Callable
from enum import IntEnum
from time import monotonic
from typing import Final, Protocol, cast

from headgate.core.errors import (
    BetweenTimeout,
    HeadersTimeout,
    TlsFailed,
    TotalTimeout,
    TransportFault,
    UpstreamCut,
    UpstreamMalformed,
    UpstreamReset,
)
from headgate.providers.port import Timeouts
from headgate.providers.transport.deadlines import Deadline
from headgate.providers.transport.parsing import HeadLimits, ReplyParser, one_chunk
from headgate.providers.transport.reply import HttpReply

__all__ = ["Connection", "Owner", "StaleConnection"]

_ONE_WRITE: Final = (
    64 * 1024
)  # up to here head and body leave in one write; joining costs less than a second system call
_SLICE: Final = 256 * 1024  # a large body is handed to the kernel in pieces of this
_HIGH_WATER: Final = 256 * 1024  # unread body bytes at which the provider is made to wait
# A server that gives up an idle connection answers the crossing request with an end or a reset within a round trip. One
# that dies later was working on the request, and sending that again in silence could be billed twice.
_STALE_SECONDS: Final = 1.0


# Not the loop's, which is a millisecond coarser: a call less for every token.
_now: Final = monotonic


class StaleConnection(Exception):
    """A kept connection turned out dead before the provider can have worked on the request: send it again, once."""


class Owner(Protocol):
    """The pool, as its connections see it."""

    keepalive_seconds: float
    limits: HeadLimits

    def ready(self, connection: Connection) -> None:
        """The exchange is over and the connection can serve another."""
        ...

    def gone(self, connection: Connection) -> None:
        """The connection is closed; its slot is free."""
        ...


class Stage(IntEnum):
    """Where a connection stands."""

    IDLE = 0
    HEAD = 1
    BODY = 2
    CLOSED = 3


# Locals of this module: an enum member is looked up in two steps, and these are read several times per request.
_IDLE: Final[Stage] = Stage.IDLE
_HEAD: Final[Stage] = Stage.HEAD
_BODY: Final[Stage] = Stage.BODY
_CLOSED: Final[Stage] = Stage.CLOSED


class Connection(asyncio.Protocol):
    """One connection and the exchange it carries, if any."""

    __slots__ = (
        "_answer",
        "_arrived",
        "_between",
        "_body",
        "_buffered",
        "_connected_at",
        "_deadline",
        "_first_byte_at",
        "_head",
        "_headers_seconds",
        "_loop",
        "_owner",
        "_parser",
        "_poll",
        "_reading_paused",
        "_received",
        "_reply",
        "_reused",
        "_sent_at",
        "_sink",
        "_stage",
        "_total_at",
        "_transport",
        "_unsent",
        "_writing_paused",
        "peer",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop, owner: Owner, peer: str) -> None:
        self._loop = loop
        self._owner = owner
        self.peer = peer
        self._stage: Stage = _IDLE
        self._transport: asyncio.Transport | None = None
        self._parser = ReplyParser(owner.limits, peer)
        self._deadline = Deadline(loop, self._expired)
        self._poll: select.poll | None = None
        self._reused = False
        self._connected_at = 0.0
        self._answer: asyncio.Future[HttpReply] | None = None
        self._arrived: asyncio.Future[None] | None = None
        self._sink: Callable[[bytes | None], None] | None = None
        self._reply: HttpReply | None = None
        self._head = self._body = b""
        self._unsent: memoryview | None = None
        self._reading_paused = self._writing_paused = False
        self._received = self._buffered = 0
        self._sent_at = self._first_byte_at = 0.0
        self._headers_seconds = self._between = self._total_at = 0.0

    # What the pool and the client call

    @property
    def stage(self) -> Stage:
        """Where it stands."""
        return self._stage

    @property
    def buffered(self) -> int:
        """Bytes received for the reader and not yet taken."""
        return self._buffered

    def begin(
        self, head: bytes, body: bytes, timeouts: Timeouts, total_at: float, *, no_body: bool
    ) -> asyncio.Future[HttpReply]:
        """Start an exchange on an idle connection; the future gives the reply once its head is complete.

        The bytes leave at the end of this turn of the event loop, after whatever was scheduled in it before.
        total_at: `loop.time()` at which the whole exchange must be over.
        no_body:  the request was HEAD.
        The future raises TransportFault, or StaleConnection on a connection that had been used before."""
        self._stage = _HEAD
        self._head, self._body = head, body
        self._headers_seconds, self._between, self._total_at = timeouts.headers, timeouts.between, total_at
        self._received = 0
        self._sent_at = 0.0
        self._parser.expect(no_body=no_body)
        answer = self._answer = self._loop.create_future()
        self._loop.call_soon(self._write, answer)
        return answer

    def give_up(self, answer: asyncio.Future[HttpReply]) -> None:
        """Whoever waited for `answer` is gone: end the exchange, unless it has ended already."""
        if answer.done() and not answer.cancelled():
            answer.exception()  # seen: otherwise asyncio logs a fault that nobody was left to see
        if self._answer is not answer or self._stage is _CLOSED:
            return
        if self._stage is _HEAD and not self._sent_at:
            self._finish_exchange()  # nothing had been written: the connection is as good as before
        else:
            self.close()

    def close(self) -> None:
        """Close at once, from any stage. Unsent bytes are dropped; whoever waits is told that it broke off."""
        kind = UpstreamReset if self._reply is None else UpstreamCut
        self._fail(kind(detail=f"{self.peer}, by us"))

    # What the reply calls

    def take(self) -> bytes:
        """Undecoded body bytes that have come; b"" if none."""
        data = self._parser.take()
        self._buffered = 0
        if self._reading_paused:
            self._resume_reading()
        return data

    def arrival(self, within: float) -> asyncio.Future[None]:
        """Done when there is something to take or the reply is over; silence longer than `within` seconds ends it."""
        if self._arrived is not None and not self._arrived.done():
            raise RuntimeError("two readers of one reply")
        arrived = self._arrived = self._loop.create_future()
        self._deadline.set(min(self._loop.time() + within, self._total_at))
        return arrived

    def relay(self, sink: Callable[[bytes | None], None] | None, within: float) -> None:
        """Call `sink` with each piece instead, with None at the end; silence longer than `within` ends the reply."""
        self._sink, self._between = sink, within
        if sink is not None:
            self._deadline.set(min(self._loop.time() + within, self._total_at))

    def abandon(self) -> None:
        """Nobody wants the rest."""
        self.close()

    # What the event loop calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast("asyncio.Transport", transport)  # uvloop's do not inherit
        self._transport = transport
        # Marks in time are finer than `loop.time()`, which uvloop keeps in whole milliseconds; the clock is the same.
        self._connected_at = _now()
        # Paused means "not all of it is with the kernel", which is what tells us when a request is fully sent.
        transport.set_write_buffer_limits(high=1, low=0)
        sock = transport.get_extra_info("socket")
        if sock is not None and hasattr(select, "poll"):
            self._poll = select.poll()
            self._poll.register(sock.fileno(), select.POLLIN)

    def data_received(self, data: bytes) -> None:
        sink, parser = self._sink, self._parser
        if sink is not None and parser.between_chunks and not parser.pieces:
            # A token's whole way through the transport: no step more than it needs. With a sink there is a body under way.
            body = one_chunk(data)
            if body:
                until = _now() + self._between
                total = self._total_at
                self._deadline.at = min(total, until)
                sink(body)
                return
        stage = self._stage
        if stage is _HEAD:
            if not self._sent_at:
                self._vanish()
                return
            if not self._received:
                self._first_byte_at = _now()
            self._received += len(data)
        elif stage is not _BODY:
            self._vanish()
            return
        try:
            parser.feed(data)
        except UpstreamMalformed as error:
            self._fail(error)
            return
        if stage is _HEAD:
            if parser.status:
                self._head_came()
        elif parser.complete:
            self._finish_reply()
        elif pieces := parser.pieces:
            if sink is None:
                self._body_came(len(data))
                return
            body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            pieces.clear()
            self._deadline.at = min(self._total_at, _now() + self._between)
            sink(body)

    def eof_received(self) -> bool:
        if self._stage is _HEAD or self._stage is _BODY:
            if self._reply is not None and self._parser.ends_with_connection:
                self._parser.keep = False
                self._finish_reply()
            else:
                self._fail(self._broken_off(None))
        else:
            self._vanish()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        if self._stage is not _CLOSED:
            if self._stage is _IDLE:
                self._vanish()
            else:
                self._fail(self._broken_off(exc))

    def pause_writing(self) -> None:
        self._writing_paused = True

    def resume_writing(self) -> None:
        self._writing_paused = False
        if self._unsent is not None and self._stage is not _CLOSED:
            self._pump()

    # Sending

    def _write(self, answer: asyncio.Future[HttpReply]) -> None:
        if self._answer is not answer or answer.cancelled():
            return  # given up (or just about to be), or failed, in the same turn
        transport = self._transport
        assert transport is not None
        # An end or a byte that came while nobody listened may still be in the kernel; written after it, our request
        # would take that byte for its reply. Asking costs a system call of half a microsecond.
        if self._reused and self._poll is not None and self._poll.poll(0):
            self._vanish()
            return
        self._sent_at = _now()
        self._deadline.set(min(self._sent_at + self._headers_seconds, self._total_at))
        head, body = self._head, self._body
        self._head = self._body = b""
        if len(body) <= _ONE_WRITE:
            transport.write(head + body if body else head)
            self._unsent = memoryview(b"") if self._writing_paused else None
        else:
            transport.write(head)
            self._unsent = memoryview(body)
            self._pump()

    def _pump(self) -> None:
        """Hand over as much of the body as is taken; every piece taken moves the deadline."""
        transport, unsent = self._transport, self._unsent
        assert transport is not None and unsent is not None
        while unsent and not self._writing_paused:
            transport.write(unsent[:_SLICE])
            unsent = unsent[_SLICE:]
        self._unsent = unsent if unsent or self._writing_paused else None
        if self._stage is _HEAD:
            self._sent_at = _now()
            self._deadline.set(min(self._sent_at + self._headers_seconds, self._total_at))

    # Receiving

    def _head_came(self) -> None:
        parser, answer = self._parser, self._answer
        assert answer is not None
        try:
            reply = HttpReply(parser.status, parser.headers, self, parser.decoder(), self._between)
        except UpstreamMalformed as error:
            self._fail(error)
            return
        if not self._reused:
            reply.connected_at = self._connected_at
        reply.sent_at = self._sent_at
        reply.first_byte_at = self._first_byte_at
        if parser.complete:
            reply.arrived_whole(parser.take())
            self._finish_exchange()
        else:
            self._stage = _BODY
            self._reply = reply
            self._deadline.set(self._total_at)
            if parser.pieces:
                self._body_came(self._received)
        if not answer.done():
            answer.set_result(reply)

    def _body_came(self, size: int) -> None:
        self._buffered += size
        if self._buffered > _HIGH_WATER and not self._reading_paused:
            self._reading_paused = True
            assert self._transport is not None
            self._transport.pause_reading()
        self._wake()

    def _finish_reply(self) -> None:
        reply, self._reply = self._reply, None
        assert reply is not None
        reply.finished(self._parser.take())
        self._wake()
        self._sink = None
        self._finish_exchange()

    def _finish_exchange(self) -> None:
        """The message is complete: keep the connection if nothing speaks against it."""
        self._answer = None
        self._buffered = 0
        if not self._parser.keep or self._unsent is not None:
            self._vanish(abort=self._unsent is not None)
            return
        if self._reading_paused:
            self._resume_reading()
        self._stage = _IDLE
        self._reused = True
        keepalive = self._owner.keepalive_seconds
        if self._parser.keepalive_seconds is not None:
            keepalive = min(keepalive, self._parser.keepalive_seconds)
        self._deadline.set(self._loop.time() + keepalive)
        self._owner.ready(self)

    def _wake(self) -> None:
        sink = self._sink
        if sink is not None:
            sink(None)
            return
        arrived = self._arrived
        if arrived is not None:
            self._arrived = None
            if not arrived.done():
                arrived.set_result(None)

    def _resume_reading(self) -> None:
        self._reading_paused = False
        if self._transport is not None and not self._transport.is_closing():
            self._transport.resume_reading()

    # Ending

    def _expired(self) -> None:
        if self._stage is _IDLE:
            self._vanish(abort=False)
        elif self._loop.time() >= self._total_at:
            self._fail(TotalTimeout(detail=self.peer))
        elif not self._sent_at:
            # What rang was the idle time of a connection that has just been taken.
            self._deadline.set(self._total_at)
        elif self._stage is _HEAD:
            self._fail(HeadersTimeout(detail=self.peer))
        elif self._sink is not None or (self._arrived is not None and not self._arrived.done()):
            self._fail(BetweenTimeout(detail=self.peer))
        else:
            self._deadline.set(self._total_at)  # nobody is waiting: a slow reader is no silent provider

    def _broken_off(self, exc: Exception | None) -> TransportFault | None:
        """Why an exchange ended without us; None: the connection was stale, and the request can go out again."""
        reason = f"{self.peer}: {exc}" if exc is not None and str(exc) else self.peer
        if self._received:
            kind = UpstreamCut if self._reply is not None else UpstreamReset
            return kind(detail=reason)
        sent_at = self._sent_at
        if self._reused and (not sent_at or self._unsent or _now() - sent_at < _STALE_SECONDS):
            return None
        return TlsFailed(detail=reason) if isinstance(exc, ssl.SSLError) else UpstreamReset(detail=reason)

    def _vanish(self, *, abort: bool = True) -> None:
        """Close without blaming an exchange; one that was about to start goes elsewhere.

        abort: at once; else with TLS's goodbye."""
        self._fail(None, abort=abort)

    def _fail(self, error: TransportFault | None, *, abort: bool = True) -> None:
        """Close, free the slot, and tell whoever waits. None: the connection was stale."""
        if self._stage is _CLOSED:
            return
        if error is None and not self._reused:
            error = UpstreamReset(detail=self.peer)
        self._stage = _CLOSED
        self._deadline.cancel()
        self._head = self._body = b""
        self._unsent = None
        self._poll = None
        if self._transport is not None:
            (self._transport.abort if abort else self._transport.close)()
        self._owner.gone(self)
        reply, self._reply = self._reply, None
        answer, self._answer = self._answer, None
        if reply is not None:
            reply.broken(self._parser.take(), error or UpstreamCut(detail=self.peer))
        elif answer is not None and not answer.done():
            answer.set_exception(error or StaleConnection())
        self._wake()
        self._sink = None
