"""A streamed answer, from the provider's first byte to its last."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any, Final

from headgate.core.errors import (
    BetweenTimeout,
    FirstContentTimeout,
    GatewayError,
    TotalTimeout,
    TransportFault,
    UpstreamMalformed,
)
from headgate.core.events import Begin, End, Failure, Stop, TextDelta, UsageReport, is_content
from headgate.core.frame import Frame
from headgate.dispatch.pace import Pace
from headgate.dispatch.remedy import verdict
from headgate.exchange.attempt import Attempt
from headgate.exchange.exchange import Exchange
from headgate.exchange.pumping import pump_one
from headgate.providers.discretion import hush
from headgate.providers.health.health import Verdict
from headgate.providers.port import Relaying, StreamDecoder, Timeouts, UpstreamReply, Wire

__all__ = ["StreamedAnswer"]

FAREWELL_SECONDS: Final = 1.0
"""After the provider's own terminal mark, how long its connection may take to end properly and so be used again."""


class StreamedAnswer:
    """Reads one stream. Until content has come (`until_content`) failing over is possible; after that, iterating ends
    well, or raises the error that the edge turns into an explicit error event.

    No generator: one that was never begun would swallow `aclose`, and the provider's stream would stay open."""

    def __init__(
        self,
        exchange: Exchange,
        attempt: Attempt,
        reply: UpstreamReply,
        wire: Wire,
        timeouts: Timeouts,
        *,
        pace: Pace | None = None,
        sent: Sequence[tuple[bytes, bytes]] = (),
    ) -> None:
        """pace: judges its rate after its first content; None: any rate will do. sent: the headers of the call."""
        self._exchange = exchange
        self.attempt = self._attempt = attempt
        self._reply = reply
        self._timeouts = timeouts
        same = wire.name == exchange.dialect.name
        self._decoder: StreamDecoder = wire.decoder(hide_usage=same and not exchange.peek.include_usage)
        self._sent = sent
        self._held: list[Frame] = []
        self._time = monotonic
        self._over = False
        """The provider has said that this is the end."""
        self._caller: Relaying | None = None
        """The reply, once it has called for its pieces."""
        self._ended = False
        self._pace = pace

    async def until_content(self) -> None:
        """Read up to the first frame with content, or to the end of an answer that has none.

        Raises UpstreamMalformed for a page of HTML, FirstContentTimeout, any TransportFault, and the provider's own
        error if one comes first."""
        _refuse_a_page(self._reply)
        due = (self._attempt.sent_at or self._attempt.started_at) + self._timeouts.first_content
        reply = self._reply
        reply.between = max(due - self._time(), 0.0)
        try:
            while True:
                frame = await self._next(due)
                if frame is None:
                    return
                self._held.append(frame)
                if self._over or any(is_content(event) for event in frame.events):
                    attempt = self._attempt
                    now = attempt.first_content_at = self._time()
                    attempt.endpoint.health.answered(
                        now, now - (attempt.sent_at or attempt.started_at), ticket=attempt.ticket
                    )
                    reply.between = self._timeouts.between
                    return
        except BetweenTimeout as error:
            raise FirstContentTimeout(detail=error.detail) from None

    def __aiter__(self) -> StreamedAnswer:
        return self

    async def __anext__(self) -> Frame:
        """The held frames, then the rest as it comes."""
        if self._held:
            return self._held.pop(0)
        try:
            frame = await self._next()
        except GatewayError as error:
            self._end(error)
            raise
        except BaseException:
            self._end()
            raise
        if frame is None:
            self._end()
            raise StopAsyncIteration
        return frame

    async def pump(self, deliver: Callable[[Frame], bool]) -> bool:
        """See `exchange.reply.Pumped`."""
        while self._held:
            if not deliver(self._held.pop(0)):
                return False
        reply = _relaying(self._reply)
        if self._over or reply is None:
            return await pump_one(self, deliver)
        outcome = self._relay(reply, deliver)
        if outcome is None:
            return await pump_one(self, deliver)
        try:
            ended = await outcome
        except GatewayError as error:
            self._end(error)
            raise
        except BaseException:
            self._end()
            raise
        finally:
            reply.relay(None)
        if ended:
            self._end()
        return ended

    def _relay(self, reply: Relaying, deliver: Callable[[Frame], bool]) -> asyncio.Future[bool] | None:
        """Have the transport call for each piece. The outcome is `pump`'s; None: this reply cannot."""
        pace = self._pace
        if pace is not None:
            pace.begin(self._time())
        outcome: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        feed, note = self._decoder.feed, self._note

        def came(data: bytes | None) -> None:
            # Called from inside the transport: whatever happens belongs to whoever waits for the outcome.
            try:
                if data is None:
                    drain()
                    return
                frame = feed(data)
                if frame is None:
                    return
                if frame.words is None:
                    note(frame)
                if pace is not None:
                    pace.came(frame, self._time())
                if not deliver(frame) or self._over:
                    over()
            except Exception as error:  # noqa: BLE001 - raised where it is waited for
                over(error)

        def drain() -> None:
            while not outcome.done() and (data := reply.take()) is not None:
                self._over = not data
                frame = feed(data) if data else self._decoder.finish()
                full = False
                if frame is not None:
                    note(frame)
                    if pace is not None:
                        pace.came(frame, self._time())
                    full = not deliver(frame)
                if full or self._over:
                    over()

        def over(error: Exception | None = None) -> None:
            # At once, so that what comes from now on is kept for whoever reads next.
            reply.relay(None)
            if outcome.done():
                return
            if error is None:
                outcome.set_result(self._over)
            else:
                outcome.set_exception(error)

        if not reply.relay(came):
            return None
        self._caller = reply
        came(None)
        return outcome

    async def aclose(self) -> None:
        """Hang up on the provider, if there is more to come. Idempotent."""
        self._end()

    def let_go(self) -> None:
        """As `aclose`, for when the exchange is over."""
        self._end()

    def _end(self, error: GatewayError | None = None) -> None:
        if self._ended:
            return
        self._ended = True
        attempt = self._attempt
        if error is not None:
            hush(error, self._sent)
        attempt.error = error
        now = attempt.ended_at = self._time()
        complete = self._over and error is None
        attempt.cut_short = not complete
        if complete and not self._read_out():
            self._exchange.on_close(self._farewell)
        else:
            self._reply.close()
        attempt.endpoint.health.end(now, "ok" if complete else _verdict(error), ticket=attempt.ticket)
        if self._exchange.observer is not None:
            self._exchange.observer.attempt_closed(self._exchange, attempt)

    async def _next(self, due: float = 0.0) -> Frame | None:
        """The next frame, None at the end. Raises what broke the stream. due: the moment when content has to be there."""
        pace = self._pace
        while not self._over:
            asked = self._time() if pace is not None else 0.0
            if due:
                # Bytes that are no whole event yet are no sign of life either: they must not move the limit.
                left = due - self._time()
                if left <= 0:
                    raise FirstContentTimeout(detail=self._attempt.endpoint.name)
                self._reply.between = left
            data = await self._reply.chunk()
            self._over = not data
            frame = self._decoder.feed(data) if data else self._decoder.finish()
            if frame is not None:
                self._note(frame)
                if pace is not None and self._attempt.first_content_at:
                    pace.waited(frame, self._time() - asked)
                return frame
        return None

    def _note(self, frame: Frame) -> None:
        attempt = self._attempt
        for event in frame.events:
            # Not `isinstance`, which for these classes is a call of several hundred instructions each.
            if type(event) is TextDelta:
                continue
            if type(event) is UsageReport:
                attempt.usage = event.usage
            elif type(event) is Stop:
                attempt.finish_reason = event.reason
            elif type(event) is Begin:
                attempt.reported_model = event.model
                attempt.fingerprint = event.fingerprint
                # Callers expect a name; a vendor that says none (Bedrock) answered as the model it was asked for.
                event.model = event.model or attempt.endpoint.model
            elif type(event) is End:
                self._over = True
            elif type(event) is Failure:
                raise event.error

    def _read_out(self) -> bool:
        """Is nothing left to come? Mostly the body ends with the terminal mark, and there is nobody to take leave of."""
        reply = self._caller
        if reply is None:
            return False
        try:
            while rest := reply.take():
                pass
        except TransportFault:
            return True
        return rest is not None

    async def _farewell(self) -> None:
        # Terminal mark and end of body often come in two packets. A connection that ends properly goes back to the pool.
        try:
            async with asyncio.timeout(FAREWELL_SECONDS):
                while await self._reply.chunk():
                    pass
        except (TimeoutError, TransportFault):
            pass
        finally:
            self._reply.close()


def _relaying(reply: UpstreamReply) -> Relaying | None:
    """`reply`, if it can call for each piece. As in `exchange.pumping.pumped`, the protocol itself is too dear to be asked."""
    found: Any = reply if hasattr(reply, "relay") else None
    return found  # type: ignore[no-any-return]


def _refuse_a_page(reply: UpstreamReply) -> None:
    # A proxy's page may be large and slow to end, and no event will come of it. JSON is left to the wire: a server that
    # does not stream sends its whole answer, or an error.
    kind = reply.headers.first(b"content-type")
    if kind is not None and kind[:9].lower() == b"text/html":
        raise UpstreamMalformed(detail="a page of HTML came where a stream was asked for")


def _verdict(error: GatewayError | None) -> Verdict:
    """Of a stream that did not come to its end. One that was left, or that was merely too long, is no failure."""
    return "ignored" if error is None or isinstance(error, TotalTimeout) else verdict(error)
