"""An upstream that answers as it was told to, and keeps what it was asked."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from time import monotonic

from headgate.core.errors import GatewayError
from headgate.providers.port import Headers, Timeouts, UpstreamReply, UpstreamRequest

__all__ = ["Script", "ScriptedReply", "ScriptedUpstream"]


@dataclass(slots=True)
class Script:
    """One reply.

    pieces: body pieces in order. An exception is raised when its turn comes; an Event is waited for."""

    pieces: Sequence[bytes | GatewayError | asyncio.Event] = ()
    status: int = 200
    headers: Sequence[tuple[bytes, bytes]] = ()
    refuse: GatewayError | None = None
    """Raised instead of a reply."""


class ScriptedReply:
    """A reply read piece by piece."""

    def __init__(self, script: Script) -> None:
        self.status = script.status
        self.headers = Headers(script.headers)
        self.connected_at = 0.0
        self.sent_at = self.first_byte_at = monotonic()
        self.between = 60.0
        self.whole: bytes | None = None
        self.closed = False
        """Has whoever held the reply let go of it?"""
        self.read_to_end = False
        self._pieces = list(script.pieces)

    async def chunk(self) -> bytes:
        while self._pieces:
            piece = self._pieces[0]
            if isinstance(piece, asyncio.Event):
                await piece.wait()
                self._pieces.pop(0)
                continue
            self._pieces.pop(0)
            if isinstance(piece, GatewayError):
                raise piece
            # A real connection wakes its reader in a later turn of the loop; code must not rely on less.
            await asyncio.sleep(0)
            return piece
        self.read_to_end = True
        return b""

    async def read(self, limit: int) -> bytes:
        pieces = []
        while piece := await self.chunk():
            pieces.append(piece)
        return b"".join(pieces)[:limit]

    def close(self) -> None:
        self.closed = True


@dataclass(slots=True)
class ScriptedUpstream:
    """Plays its scripts in order; the last one again and again. Fulfils `providers.port.Upstream`."""

    scripts: list[Script]
    requests: list[UpstreamRequest] = field(default_factory=list)
    replies: list[ScriptedReply] = field(default_factory=list)

    async def send(self, request: UpstreamRequest, timeouts: Timeouts) -> UpstreamReply:
        self.requests.append(request)
        script = self.scripts[min(len(self.requests), len(self.scripts)) - 1]
        await asyncio.sleep(0)
        if script.refuse is not None:
            raise script.refuse
        reply = ScriptedReply(script)
        reply.between = timeouts.between
        self.replies.append(reply)
        return reply

    async def aclose(self) -> None:
        """Nothing is open."""
