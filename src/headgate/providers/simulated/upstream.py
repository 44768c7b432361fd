"""Carries requests to the simulation as a transport would: with waiting, deadlines, breaking connections and hanging up."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence

from headgate.core.clock import Clock, SystemClock
from headgate.core.errors import (
    BetweenTimeout,
    ConnectFailed,
    ConnectTimeout,
    HeadersTimeout,
    TotalTimeout,
    TransportFault,
    UpstreamCut,
    UpstreamMalformed,
    UpstreamReset,
)
from headgate.providers.catalog.rates import Rates
from headgate.providers.catalog.settings import own_rates
from headgate.providers.port import Timeouts, UpstreamRequest
from headgate.providers.simulated.script import Script
from headgate.providers.simulated.settings import SimulatedSettings
from headgate.providers.simulated.simulation import Simulation

__all__ = ["SimulatedReply", "SimulatedUpstream", "Sleep"]

Sleep = Callable[[float], Awaitable[None]]

_PEER = "the simulated provider"


class SimulatedUpstream:
    """Fulfils `headgate.providers.port.Upstream` without a socket.

    clock, sleep:  time; what sleeps must move the clock. With `speed = 0` in the settings every sleep is 0 seconds long,
                   which lets others run, and what would never come runs into its deadline at once."""

    def __init__(
        self, settings: SimulatedSettings, *, clock: Clock | None = None, sleep: Sleep = asyncio.sleep
    ) -> None:
        self._clock = clock or SystemClock()
        self._pauses = _Pauses(settings.speed, self._clock, sleep)
        self.simulation = Simulation(settings, self._clock)

    def set_faults(self, faults: Sequence[str], *, rate: float = 1.0, model: str = "*") -> None:
        """As `Simulation.set_faults`: order faults while running, `[]` to end them. Raises ValueError."""
        self.simulation.set_faults(faults, rate=rate, model=model)

    def own_price(self, model: str) -> Rates:
        """What `model` costs, as `Endpoint.own_price` carries it."""
        return own_rates(self.simulation.profile(model).price)

    async def send(self, request: UpstreamRequest, timeouts: Timeouts) -> SimulatedReply:
        """The reply, once its head has come. Raises TransportFault. Cancelled: nothing is left behind."""
        sent_at = self._clock.monotonic()
        # The provider sees nothing before everything scheduled in this turn of the loop is done.
        await self._pauses.turn()
        script = self.simulation.respond(request.method, request.url.target, request.headers, request.body)
        deadline = sent_at + timeouts.total
        if script.connection:
            raise await self._no_reply(script, timeouts, deadline)
        seconds = script.head_seconds
        if seconds and not await self._pauses.wait(seconds, min(timeouts.headers, timeouts.total)):
            raise self._late(
                deadline, HeadersTimeout(detail=f"{_PEER} sent no head within {timeouts.headers:g} s")
            )
        return SimulatedReply(script, self._pauses, timeouts.between, deadline, sent_at)

    async def aclose(self) -> None:
        """Nothing is open."""

    async def _no_reply(self, script: Script, timeouts: Timeouts, deadline: float) -> TransportFault:
        """The error after the time it takes."""
        left = deadline - self._clock.monotonic()
        if script.connection == "refused":
            return ConnectFailed(detail=f"{_PEER} refused the connection")
        if script.connection == "connect_timeout":
            await self._pauses.wait(math.inf, min(timeouts.connect, left))
            return self._late(
                deadline, ConnectTimeout(detail=f"{_PEER} was not reached within {timeouts.connect:g} s")
            )
        if script.connection == "reset" and await self._pauses.wait(
            script.head_seconds, min(timeouts.headers, left)
        ):
            return UpstreamReset(detail=f"{_PEER} closed the connection before any byte of a reply")
        await self._pauses.wait(math.inf, min(timeouts.headers, left))
        return self._late(
            deadline, HeadersTimeout(detail=f"{_PEER} sent no head within {timeouts.headers:g} s")
        )

    def _late(self, deadline: float, otherwise: TransportFault) -> TransportFault:
        if self._clock.monotonic() >= deadline:
            return TotalTimeout(detail=f"{_PEER} was not done in time")
        return otherwise


class SimulatedReply:
    """Fulfils `headgate.providers.port.UpstreamReply`. Nothing is made before it is asked for, so nothing piles up."""

    __slots__ = (
        "between",
        "_deadline",
        "_due",
        "_held",
        "_over",
        "_pauses",
        "_script",
        "_unread",
        "connected_at",
        "first_byte_at",
        "headers",
        "sent_at",
        "status",
        "whole",
    )

    def __init__(
        self, script: Script, pauses: _Pauses, between: float, deadline: float, sent_at: float
    ) -> None:
        self.status = script.status
        self.headers = script.headers
        self.whole = script.whole
        self.connected_at = 0.0
        self.sent_at = sent_at
        self.first_byte_at = pauses.now()
        self._script = script
        self._pauses = pauses
        self.between = between
        self._deadline = deadline
        self._due = self.first_byte_at  # when the piece that is held arrives, or the last one arrived
        self._held: bytes | None = None
        self._unread = script.whole or b""
        self._over: TransportFault | bool = script.whole is not None

    async def chunk(self) -> bytes:
        """Everything that is due by now, waiting for the next piece if that is nothing; b"" at the end.

        What came before a fault is handed out first; then the fault is raised, every time. Raises TransportFault.
        A cancelled call has taken nothing."""
        if self._unread:
            data, self._unread = self._unread, b""
            return data
        if self._over:
            return self._ended()
        arrived: list[bytes] = []
        while (arrives := self._next()) is not None:
            wait = arrives - self._pauses.now()
            if wait > 0:
                if arrived:
                    break
                await self._wait(wait)
            arrived.append(self._held or b"")
            self._held = None
        if arrived:
            return b"".join(arrived)
        if self._script.ending == "stall":
            await self._wait(math.inf)
        if self._script.ending == "cut":
            self._over = UpstreamCut(detail=f"{_PEER} closed the connection in the middle of its answer")
        else:
            self._over = True
        return self._ended()

    async def read(self, limit: int) -> bytes:
        """The rest. Raises UpstreamMalformed over `limit` bytes, TransportFault if it breaks off."""
        pieces: list[bytes] = []
        size = 0
        while data := await self.chunk():
            pieces.append(data)
            size += len(data)
            if size > limit:
                break
        if size > limit:
            self.close()
            raise UpstreamMalformed(detail=f"{_PEER} sent a body of more than {limit} bytes")
        return b"".join(pieces)

    def close(self) -> None:
        """Let go. Idempotent."""
        if not self._over:
            self._over = True

    def _next(self) -> float | None:
        """When the next piece arrives, which is held from now on; None after the last one."""
        if self._held is None:
            following = next(self._script.pieces, None)
            if following is None:
                return None
            seconds, self._held = following
            self._due += self._pauses.scaled(seconds)
        return self._due

    async def _wait(self, seconds: float) -> None:
        """Until the next piece is there. Raises BetweenTimeout, TotalTimeout."""
        left = self._deadline - self._pauses.now()
        if await self._pauses.wait_real(seconds, min(self.between, left)):
            return
        if left <= self.between:
            self._over = TotalTimeout(detail=f"{_PEER} was not done in time")
        else:
            self._over = BetweenTimeout(detail=f"{_PEER} was silent for {self.between:g} s")
        raise self._over

    def _ended(self) -> bytes:
        if isinstance(self._over, TransportFault):
            raise self._over
        return b""


class _Pauses:
    """Waiting at the speed of the settings."""

    def __init__(self, speed: float, clock: Clock, sleep: Sleep) -> None:
        self._scale = 1 / speed if speed else 0.0
        self._sleep = sleep
        self.now = clock.monotonic

    def scaled(self, seconds: float) -> float:
        """Real seconds; what never comes never comes at any speed."""
        return math.inf if seconds == math.inf else seconds * self._scale

    async def turn(self) -> None:
        """Let everything run that is waiting to."""
        await self._sleep(0)

    async def wait(self, seconds: float, limit: float) -> bool:
        """Wait so many simulated seconds, at most `limit` real ones. Was it enough?"""
        return await self.wait_real(self.scaled(seconds), limit)

    async def wait_real(self, seconds: float, limit: float) -> bool:
        """As `wait`, with `seconds` real."""
        enough = seconds <= limit
        pause = min(seconds, limit)
        if pause == math.inf:
            await asyncio.get_running_loop().create_future()  # nobody set a deadline: until cancelled
        if pause:
            await self._sleep(pause if self._scale else 0)
        return enough
