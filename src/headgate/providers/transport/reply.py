"""A reply as its reader sees it: head, marks in time, and a body that comes in pieces."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from headgate.core.errors import TransportFault, UpstreamMalformed
from headgate.providers.port import Headers
from headgate.providers.transport.decoding import Decoder

__all__ = ["BodySource", "HttpReply"]

_PIECE = 256 * 1024  # decoded bytes per chunk() at most, so that a bomb cannot fill the memory


class BodySource(Protocol):
    """The connection behind an unfinished reply."""

    peer: str

    def take(self) -> bytes:
        """Undecoded body bytes that have come; b"" if none."""
        ...

    def arrival(self, within: float) -> asyncio.Future[None]:
        """Done when there is something to take or the reply is over; silence longer than `within` seconds ends it."""
        ...

    def relay(self, sink: Callable[[bytes | None], None] | None, within: float) -> None:
        """Call `sink` with each piece instead, with None at the end; silence longer than `within` ends the reply."""
        ...

    def abandon(self) -> None:
        """Nobody wants the rest."""
        ...


class HttpReply:
    """Fulfils `headgate.providers.port.UpstreamReply`. One reader at a time.

    It is attached to its connection until the message is complete or broken; from then on it holds what is left
    itself, and the connection may already serve somebody else."""

    __slots__ = (
        "_decoder",
        "_error",
        "_peer",
        "_ready",
        "_rest",
        "_source",
        "between",
        "connected_at",
        "first_byte_at",
        "headers",
        "sent_at",
        "status",
        "whole",
    )

    def __init__(
        self, status: int, headers: Headers, source: BodySource, decoder: Decoder | None, between: float
    ) -> None:
        self.status = status
        self.between = between
        self.headers = headers
        self.whole: bytes | None = None
        self.connected_at = 0.0
        self.sent_at = 0.0
        self.first_byte_at = 0.0
        self._source: BodySource | None = source
        self._peer = source.peer
        self._decoder = decoder
        self._rest = b""  # undecoded, after the connection is gone
        self._ready = b""  # decoded ahead of its reader
        self._error: TransportFault | None = None

    async def chunk(self) -> bytes:
        """All decoded bytes that came since the last call, waiting for some; b"" at the end.

        What came before a fault is handed out first; then the fault is raised, every time. A cancelled call has
        taken nothing. Raises TransportFault."""
        if self._decoder is None:
            # As `_raw` begins, without a coroutine more for every piece of a stream.
            while (source := self._source) is not None:
                if data := source.take():
                    return data
                await source.arrival(self.between)
            return await self._raw()
        if self._ready:
            data, self._ready = self._ready, b""
            return data
        try:
            return await self._decoded(self._decoder)
        except UpstreamMalformed as error:
            self._end(error)
            raise

    def relay(self, sink: Callable[[bytes | None], None] | None) -> bool:
        """See `headgate.providers.port.Relaying`."""
        if sink is not None and self._decoder is not None:
            return False
        source = self._source
        if source is not None:
            source.relay(sink, self.between)
        return True

    def take(self) -> bytes | None:
        """See `headgate.providers.port.Relaying`. Not for replies that are compressed."""
        source = self._source
        if source is not None:
            return source.take() or None
        if self._rest:
            data, self._rest = self._rest, b""
            return data
        if self._error is not None:
            raise self._error
        return b""

    async def read(self, limit: int) -> bytes:
        """The rest of the body, at most `limit` decoded bytes. Raises UpstreamMalformed over it, TransportFault.

        An interrupted call (a fault, the limit, cancellation) loses what it had and lets go of the connection."""
        pieces: list[bytes] = []
        size = 0
        try:
            while data := await self.chunk():
                size += len(data)
                if size > limit:
                    raise UpstreamMalformed(detail=f"{self._peer} sent a body of more than {limit} bytes")
                pieces.append(data)
        except BaseException:
            self.close()
            raise
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def close(self) -> None:
        """Let go. An unfinished reply costs its connection; a finished one has returned it already. Idempotent."""
        source, self._source = self._source, None
        if source is not None:
            source.abandon()

    async def aclose(self) -> None:
        """As `close`; nothing is waited for."""
        self.close()

    def finished(self, rest: bytes) -> None:
        """The connection says: the message is complete, `rest` of its body is not yet taken."""
        self._source = None
        self._rest = rest

    def broken(self, rest: bytes, error: TransportFault) -> None:
        """The connection says: nothing comes any more, and why."""
        self._source = None
        self._rest = rest
        self._error = error

    def arrived_whole(self, body: bytes) -> None:
        """The connection says: head and body came together; nobody has read yet."""
        self._source = None
        if self._decoder is None:
            self.whole = self._rest = (
                body  # `chunk` and `read` hand it out too: who streams does not look at `whole`
            )
            return
        try:
            decoded = self._decoder.decode(body, _PIECE)
            if self._decoder.pending:
                self._ready = decoded
            else:
                self._decoder.finish()
                self._decoder = None
                self.whole = self._rest = decoded
        except UpstreamMalformed as error:
            self._end(error)

    def _end(self, error: TransportFault) -> None:
        self._decoder, self._rest, self._error = None, b"", error
        self.close()

    async def _raw(self) -> bytes:
        while (source := self._source) is not None:
            if data := source.take():
                return data
            await source.arrival(self.between)
        if self._rest:
            data, self._rest = self._rest, b""
            return data
        if self._error is not None:
            raise self._error
        return b""

    async def _decoded(self, decoder: Decoder) -> bytes:
        while True:
            if decoder.pending:
                data = decoder.decode(b"", _PIECE)
            elif raw := await self._raw():
                data = decoder.decode(raw, _PIECE)
            else:
                decoder.finish()
                return b""
            if data:
                return data
