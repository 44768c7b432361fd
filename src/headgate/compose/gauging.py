"""What a gateway sees of itself, looked at every few seconds and kept once a minute: for plots and for rules of alerts."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Mapping
from typing import Protocol

from headgate.core.clock import Clock
from headgate.core.tasks import ended
from headgate.stores.errors import StoreError
from headgate.stores.rollups import MINUTE, Gauge, GaugeName

__all__ = ["LOOK_SECONDS", "Gauging"]

LOOK_SECONDS = 5.0
_MOST_WAITING = 60
"""Minutes that wait for a database which does not answer."""
_COMPLAINT_SECONDS = 60.0

log = logging.getLogger("headgate")


class GaugeStore(Protocol):
    """Where it is kept."""

    async def add_gauges(self, gauges: list[Gauge]) -> None: ...


class Gauging:
    """The highest of each gauge in each minute. Never on a request's path."""

    def __init__(
        self,
        store: GaugeStore,
        gauges: Mapping[GaugeName, Callable[[], float]],
        clock: Clock,
        node: Callable[[], int],
        *,
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        """node: tells gateways apart that share a database."""
        self._store = store
        self._gauges = gauges
        self._clock = clock
        self._node = node
        self._look_seconds = look_seconds
        self._minutes: dict[int, dict[GaugeName, float]] = {}
        self._task: asyncio.Task[None] | None = None
        self._complained = -math.inf

    def start(self) -> None:
        """Begin to look."""
        self._task = asyncio.create_task(self._go_on(), name="gauges")

    async def aclose(self) -> None:
        """Look once more, and keep what was seen."""
        if self._task is not None:
            await ended(self._task)
            self._task = None
            self.look()
            await self._keep(everything=True)

    def look(self) -> None:
        """Look at all of them."""
        at = self._clock.wall_ns() // 1_000_000_000 // MINUTE * MINUTE
        highest = self._minutes.setdefault(at, {})
        for name, read in self._gauges.items():
            value = float(read())
            highest[name] = max(value, highest.get(name, value))

    async def keep(self) -> None:
        """Keep the minutes that are over."""
        await self._keep(everything=False)

    async def _keep(self, *, everything: bool) -> None:
        over = sorted(self._minutes) if everything else sorted(self._minutes)[:-1]
        if not over:
            return
        node = self._node()
        rows = [
            Gauge(at=at, name=name, node=node, value=value)
            for at in over
            for name, value in self._minutes[at].items()
        ]
        try:
            await self._store.add_gauges(rows)
        except StoreError as failure:
            self._complain(failure)
            over = over[:-_MOST_WAITING]
        for at in over:
            del self._minutes[at]

    def _complain(self, failure: StoreError) -> None:
        now = self._clock.monotonic()
        if now - self._complained >= _COMPLAINT_SECONDS:
            self._complained = now
            log.warning("what this gateway sees of itself cannot be stored: %s", failure)

    async def _go_on(self) -> None:
        while True:
            self.look()
            await self.keep()
            await asyncio.sleep(self._look_seconds)
