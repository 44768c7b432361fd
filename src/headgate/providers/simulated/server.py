"""The simulated provider for a server of its own: one HTTP request in, status, headers and a body in pieces out.

Whoever serves it (`headgate simulate`) brings the socket; nothing here listens."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Sequence

from headgate.core.clock import Clock
from headgate.providers.port import Headers, Timeouts, UpstreamRequest, Url
from headgate.providers.simulated.settings import SimulatedSettings
from headgate.providers.simulated.upstream import SimulatedReply, SimulatedUpstream, Sleep

__all__ = ["SimulatedServer"]

_PATIENCE = Timeouts(
    connect=math.inf, headers=math.inf, first_content=math.inf, between=math.inf, total=math.inf
)


class SimulatedServer:
    """Answers like a provider's server. There are no deadlines: a fault that hangs, hangs until the caller goes, at any speed."""

    def __init__(
        self, settings: SimulatedSettings, *, clock: Clock | None = None, sleep: Sleep = asyncio.sleep
    ) -> None:
        self.upstream = SimulatedUpstream(settings, clock=clock, sleep=sleep)

    async def answer(
        self, method: str, target: str, headers: Sequence[tuple[bytes, bytes]], body: bytes
    ) -> tuple[int, Headers, AsyncIterator[bytes]]:
        """Status, headers and the body's pieces for one request. target: path and query.

        Raises TransportFault, here or from the iterator: drop the connection without another byte. Close the iterator
        (`aclose`) when the caller hangs up."""
        url = Url("http", "simulated.invalid", 80, target.encode("latin-1", "replace"))
        reply = await self.upstream.send(UpstreamRequest(method, url, list(headers), body), _PATIENCE)
        return reply.status, reply.headers, _pieces(reply)


async def _pieces(reply: SimulatedReply) -> AsyncIterator[bytes]:
    if reply.whole is not None:
        yield reply.whole
        return
    try:
        while data := await reply.chunk():
            yield data
    finally:
        reply.close()
