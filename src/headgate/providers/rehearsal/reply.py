"""A provider's reply that suffers, and one that nobody gave. Both fulfil `headgate.providers.port.UpstreamReply`."""

from __future__ import annotations

import math
from collections import deque
from typing import NoReturn

from headgate.core.errors import BetweenTimeout, TotalTimeout, TransportFault, UpstreamCut, UpstreamMalformed
from headgate.providers.port import Headers, UpstreamReply
from headgate.providers.rehearsal.orders import Met
from headgate.providers.rehearsal.patience import Patience
from headgate.providers.rehearsal.pieces import Pieces
from headgate.providers.rehearsal.spoiling import Spoiling

__all__ = ["MadeUpReply", "SpoiltReply", "marked"]

_MOST = 64 * 1024 * 1024
"""Bytes of a whole answer that is held to be spoilt."""


def marked(headers: Headers, met: Met) -> Headers:
    """The headers with the rehearsal's mark where the record looks for the provider's own name of the request."""
    return Headers([(b"x-request-id", met.mark.encode()), *headers])


class MadeUpReply:
    """A whole reply that never came from the provider."""

    def __init__(self, status: int, headers: Headers, body: bytes, *, sent_at: float, now: float) -> None:
        """sent_at, now: `time.monotonic()`."""
        self.status = status
        self.headers = headers
        self.connected_at = 0.0
        self.sent_at = sent_at
        self.first_byte_at = now
        self.between = 0.0
        self.whole: bytes | None = body
        self._unread = body

    async def chunk(self) -> bytes:
        """See `UpstreamReply`."""
        data, self._unread = self._unread, b""
        return data

    async def read(self, limit: int) -> bytes:
        """See `UpstreamReply`."""
        data = await self.chunk()
        if len(data) > limit:
            raise UpstreamMalformed(detail=f"a body of more than {limit} bytes")
        return data

    def close(self) -> None:
        """Nothing is open."""


class SpoiltReply:
    """A reply under way, with its fault. The provider is asked for more when the reader asks, never ahead.

    What came before a fault is handed out first; then the fault is raised, every time. A cancelled call has taken
    nothing. No relay: the bytes are looked at one piece after the other."""

    __slots__ = (
        "between",
        "_body",
        "_due",
        "_first",
        "_inner",
        "_met",
        "_over",
        "_patience",
        "_pieces",
        "_ready",
        "_spoiling",
        "connected_at",
        "first_byte_at",
        "headers",
        "sent_at",
        "status",
        "whole",
    )

    def __init__(
        self, inner: UpstreamReply, met: Met, wire: str, patience: Patience, *, stream: bool
    ) -> None:
        """stream: its pieces are those of a stream; else the whole body is one."""
        self.status = inner.status
        self.headers = marked(inner.headers, met)
        self.connected_at = inner.connected_at
        self.sent_at = patience.began
        self.first_byte_at = inner.first_byte_at
        self.between = inner.between
        self.whole: bytes | None = None
        self._inner = inner
        self._met = met
        self._spoiling = Spoiling(met.fault, wire, met.mark)
        self._patience = patience
        self._pieces = Pieces(inner.headers) if stream else None
        self._body = b""
        self._ready: deque[bytes] = deque()
        self._over: TransportFault | None = None
        self._due: float | None = None
        """When the piece in front may be handed out, once somebody has begun to wait for it."""
        self._first = True

    async def chunk(self) -> bytes:
        """See `UpstreamReply`."""
        while not self._ready:
            if self._over is not None:
                raise self._over
            ending = self._spoiling.ending
            if ending == "end":
                return b""
            if ending == "stall":
                await self._wait_until(math.inf)
            if ending == "cut":
                self._fail(UpstreamCut(detail=f"{self._met.mark}: the connection broke in the middle"))
            await self._more()
        pause = self._pause()
        if pause:
            if self._due is None:
                self._due = self._patience.now() + pause
            await self._wait_until(self._due)
            self._due = None
        elif self._met.fault.name == "one_byte":
            await self._patience.turn()
        self._first = False
        return self._ready.popleft()

    async def read(self, limit: int) -> bytes:
        """See `UpstreamReply`. An interrupted call loses what it had, and the connection."""
        pieces: list[bytes] = []
        size = 0
        try:
            while data := await self.chunk():
                size += len(data)
                if size > limit:
                    raise UpstreamMalformed(detail=f"{self._met.mark}: a body of more than {limit} bytes")
                pieces.append(data)
        except BaseException:
            self.close()
            raise
        return b"".join(pieces)

    def close(self) -> None:
        """See `UpstreamReply`."""
        self._ready.clear()
        if self._over is None:
            self._spoiling.ending = "end"
        self._inner.close()

    async def _more(self) -> None:
        """Ask the provider for what comes next, and let the fault have it."""
        inner, pieces, spoiling = self._inner, self._pieces, self._spoiling
        inner.between = self.between
        data = inner.whole if pieces is None and inner.whole is not None else await inner.chunk()
        if pieces is None:
            self._body += data
            if len(self._body) > _MOST:
                self._fail(UpstreamMalformed(detail=f"{self._met.mark}: a body of more than {_MOST} bytes"))
            if not data or inner.whole is not None:
                self._ready.extend(spoiling.whole(self._body))
        else:
            for piece in pieces.feed(data) if data else [pieces.rest()]:
                if piece and not spoiling.ending:
                    self._ready.extend(spoiling.piece(piece))
            if not data and not spoiling.ending:
                self._ready.extend(spoiling.finish())
        if spoiling.ending:
            # Nothing more of it is wanted; one that has ended by itself has let go of its connection already.
            inner.close()

    def _pause(self) -> float:
        """Seconds to keep back the piece in front."""
        fault = self._met.fault
        if fault.name == "slow_drip" or (fault.name == "slow_first_token" and self._first):
            return fault.seconds or 0.0
        return 0.0

    async def _wait_until(self, moment: float) -> None:
        """Raises BetweenTimeout, TotalTimeout."""
        left = self._patience.left
        if await self._patience.wait(moment - self._patience.now(), min(self.between, left)):
            return
        if left <= self.between:
            self._fail(TotalTimeout(detail=f"{self._met.mark}: not done in time"))
        self._fail(BetweenTimeout(detail=f"{self._met.mark}: silent for {self.between:g} s"))

    def _fail(self, error: TransportFault) -> NoReturn:
        self._over = error
        self._ready.clear()
        self._inner.close()
        raise error
