"""The provider's upstream as rehearsals see it: while nothing is ordered, nothing but the upstream itself."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Coroutine
from dataclasses import dataclass, field, replace
from typing import Any

from headgate.core.clock import Clock, SystemClock
from headgate.core.errors import (
    ConnectFailed,
    ConnectTimeout,
    HeadersTimeout,
    TotalTimeout,
    TransportFault,
    UpstreamReset,
)
from headgate.providers.port import Timeouts, Upstream, UpstreamReply, UpstreamRequest
from headgate.providers.rehearsal.bodies import PAGE, error_reply, page_headers
from headgate.providers.rehearsal.faults import FAULTS
from headgate.providers.rehearsal.orders import Met, Rehearsals
from headgate.providers.rehearsal.patience import Patience, Sleep
from headgate.providers.rehearsal.pieces import is_stream
from headgate.providers.rehearsal.reply import MadeUpReply, SpoiltReply, marked

__all__ = ["Rehearsing"]


@dataclass(frozen=True, slots=True)
class Rehearsing:
    """Fulfils `headgate.providers.port.Upstream` over another one. Two over the same one are equal, as endpoints compare.

    clock, sleep: time; what sleeps must move the clock."""

    inner: Upstream
    provider: str
    """Its name in the configuration."""
    rehearsals: Rehearsals
    clock: Clock = field(default_factory=SystemClock, compare=False)
    sleep: Sleep = field(default=asyncio.sleep, compare=False)

    def send(self, request: UpstreamRequest, timeouts: Timeouts) -> Coroutine[Any, Any, UpstreamReply]:
        """See `Upstream`. No coroutine of its own, unless a fault is met: this is on the road of every request."""
        rehearsals = self.rehearsals
        if rehearsals.ordered and (met := rehearsals.draw(self.provider, request.call)):
            return self._suffer(met, request, timeouts)
        return self.inner.send(request, timeouts)

    async def aclose(self) -> None:
        """See `Upstream`."""
        await self.inner.aclose()

    async def _suffer(self, met: Met, request: UpstreamRequest, timeouts: Timeouts) -> UpstreamReply:
        patience = Patience(self.clock, self.sleep, timeouts.total)
        stage = FAULTS[met.fault.name].stage
        if stage == "answer" and not _refuses_instead(met, request):
            return await self._spoil(met, request, timeouts, patience)
        request.withheld = True
        # As from a real upstream: no reply before everything scheduled in this turn of the loop is done.
        await patience.turn()
        if stage == "connect":
            raise await _no_reply(met, timeouts, patience)
        return _made_up(met, request, patience)

    async def _spoil(
        self, met: Met, request: UpstreamRequest, timeouts: Timeouts, patience: Patience
    ) -> UpstreamReply:
        fault = met.fault
        if fault.name == "latency":
            request.withheld = True  # until it leaves
            await _keep_back(met, timeouts, patience, fault.seconds or 0.0)
            request.withheld = False
            timeouts = _what_is_left(timeouts, patience)
        reply = await self.inner.send(request, timeouts)
        if fault.name == "latency":
            # What the provider has not seen yet counts as waiting for it.
            reply.sent_at = patience.began
            reply.headers = marked(reply.headers, met)
            return reply
        if not 200 <= reply.status < 300:
            return reply
        stream = is_stream(reply.headers)
        if fault.name == "slow_first_token" and not stream:
            try:
                await _keep_back(met, timeouts, patience, fault.seconds or 0.0)
            except BaseException:
                reply.close()
                raise
            reply.headers = marked(reply.headers, met)
            return reply
        wire = request.call.wire if request.call else ""
        return SpoiltReply(reply, met, wire, patience, stream=stream)


def _refuses_instead(met: Met, request: UpstreamRequest) -> bool:
    """A whole answer has no place for an error inside it."""
    return met.fault.name == "error_in_stream" and not (request.call and request.call.stream)


def _what_is_left(timeouts: Timeouts, patience: Patience) -> Timeouts:
    gone = timeouts.total - patience.left
    return replace(timeouts, headers=max(timeouts.headers - gone, 0.0), total=max(patience.left, 0.0))


async def _keep_back(met: Met, timeouts: Timeouts, patience: Patience, seconds: float) -> None:
    """Wait before the head. Raises HeadersTimeout, TotalTimeout when that is longer than anybody waits."""
    if not await patience.wait(seconds, min(timeouts.headers, timeouts.total)):
        raise _late(
            patience, HeadersTimeout(detail=f"{met.mark}: no head within {timeouts.headers:g} s"), met
        )


async def _no_reply(met: Met, timeouts: Timeouts, patience: Patience) -> TransportFault:
    """The error, after the time it takes."""
    name = met.fault.name
    if name == "refused":
        return ConnectFailed(detail=f"{met.mark}: the connection was refused")
    if name == "reset":
        return UpstreamReset(detail=f"{met.mark}: the connection was closed before any byte of a reply")
    if name == "connect_timeout":
        await patience.wait(math.inf, min(timeouts.connect, timeouts.total))
        late = ConnectTimeout(detail=f"{met.mark}: not reached within {timeouts.connect:g} s")
        return _late(patience, late, met)
    await patience.wait(math.inf, min(timeouts.headers, timeouts.total))
    return _late(patience, HeadersTimeout(detail=f"{met.mark}: no head within {timeouts.headers:g} s"), met)


def _late(patience: Patience, otherwise: TransportFault, met: Met) -> TransportFault:
    return TotalTimeout(detail=f"{met.mark}: not done in time") if patience.left <= 0 else otherwise


def _made_up(met: Met, request: UpstreamRequest, patience: Patience) -> MadeUpReply:
    fault, wire = met.fault, request.call.wire if request.call else ""
    status = {"rate_limit": 429, "error_in_stream": 500}.get(fault.name) or fault.count
    if fault.name == "html":
        headers, body = page_headers(), PAGE
    else:
        headers, body = error_reply(wire, status, f"{met.mark}: the provider says no")
    if fault.name == "rate_limit" and fault.seconds is not None:
        # HTTP knows whole seconds only; OpenAI adds a header that knows more.
        headers.append((b"retry-after", b"%d" % math.ceil(fault.seconds)))
        headers.append((b"retry-after-ms", b"%d" % round(fault.seconds * 1000)))
    return MadeUpReply(status, marked(headers, met), body, sent_at=patience.began, now=patience.now())
