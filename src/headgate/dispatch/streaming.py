"""A streamed answer, from the provider's first byte to its last."""
from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from time import monotonic

from headgate.core.errors import BetweenTimeout, FirstContentTimeout, GatewayError, TransportFault
from headgate.core.events import Begin, End, Failure, Stop, TextDelta, UsageReport, is_content
from headgate.core.frame import Frame
from headgate.exchange.attempt import Attempt
from headgate.exchange.exchange import Exchange
from headgate.providers.port import StreamDecoder, Timeouts, UpstreamReply, Wire

__all__ = ["StreamedAnswer"]

FAREWELL_SECONDS = 1.0
"""After the provider's own terminal mark, how long its connection may take to end properly and so be used again."""


class StreamedAnswer:
    """Reads one stream. Until content has come (`until_content`) failing over is possible; after that, `frames` ends well,
    or raises the error that the edge turns into an explicit error event."""

    def __init__(
        self, exchange: Exchange, attempt: Attempt, reply: UpstreamReply, wire: Wire, timeouts: Timeouts
    ) -> None:
        self._exchange = exchange
        self._attempt = attempt
        self._reply = reply
        self._timeouts = timeouts
        same = wire.name == exchange.dialect.name
        self._decoder: StreamDecoder = wire.decoder(hide_usage=same and not exchange.peek.include_usage)
        self._held: list[Frame] = []
        self._time = monotonic
        self._over = False
        """The provider has said that this is the end."""

    async def until_content(self) -> None:
        """Read up to the first frame with content, or to the end of an answer that has none.

        Raises FirstContentTimeout, any TransportFault, and the provider's own error if one comes first."""
        due = (self._attempt.sent_at or self._attempt.started_at) + self._timeouts.first_content
        reply = self._reply
        reply.between = self._timeouts.first_content
        try:
            while True:
                frame = await self._next()
                if frame is None:
                    return
                self._held.append(frame)
                if self._over or any(is_content(event) for event in frame.events):
                    self._attempt.first_content_at = self._time()
                    reply.between = self._timeouts.between
                    return
                left = due - self._time()
                if left <= 0:
                    raise FirstContentTimeout(detail=self._attempt.endpoint.name)
                reply.between = left
        except BetweenTimeout as error:
            raise FirstContentTimeout(detail=error.detail) from None

    async def frames(self) -> AsyncGenerator[Frame, None]:
        """The held frames, then the rest as it comes. Closing it early hangs up on the provider."""
        attempt = self._attempt
        try:
            held, self._held = self._held, []
            for frame in held:
                yield frame
            while (more := await self._next()) is not None:
                yield more
        except GatewayError as error:
            attempt.error = error
            raise
        finally:
            attempt.ended_at = self._time()
            if self._over:
                self._exchange.on_close(self._farewell)
            else:
                self._reply.close()
            if self._exchange.observer is not None:
                self._exchange.observer.attempt_closed(self._exchange, attempt)

    async def _next(self) -> Frame | None:
        """The next frame, None at the end. Raises what broke the stream."""
        while not self._over:
            data = await self._reply.chunk()
            self._over = not data
            frame = self._decoder.feed(data) if data else self._decoder.finish()
            if frame is not None:
                self._note(frame)
                return frame
        return None

    def _note(self, frame: Frame) -> None:
        attempt = self._attempt
        for event in frame.events:
            kind = type(event)
            if kind is TextDelta:
                continue
            if isinstance(event, UsageReport):
                attempt.usage = event.usage
            elif isinstance(event, Stop):
                attempt.finish_reason = event.reason
            elif isinstance(event, Begin):
                attempt.reported_model = event.model
            elif isinstance(event, End):
                self._over = True
            elif isinstance(event, Failure):
                raise event.error

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
