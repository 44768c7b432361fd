"""Takes what rooms notice, keeps it with a delivery for each receiver that wants it, and sees to it that they are carried out."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections import deque
from collections.abc import Awaitable, Callable, Sequence

from headgate.alerts.courier import CLAIM_SECONDS, Courier, Send
from headgate.alerts.receivers import Receiver, added
from headgate.alerts.settings import SpendRateSettings
from headgate.alerts.spend import KIND
from headgate.alerts.watch import SpendWatch
from headgate.core.clock import Clock
from headgate.stores.alerts import Alert, Alerts
from headgate.stores.errors import StoreUnavailable
from headgate.stores.totals import TotalsStore

__all__ = ["LOOK_SECONDS", "MOST_WAITING", "SPEND_SECONDS", "Alerting"]

LOOK_SECONDS = 5.0
"""How soon a receiver that was added, and a delivery that another node has left behind, are seen."""
SPEND_SECONDS = 60.0
MOST_WAITING = 1000
"""Alerts that are not kept yet, while the database is away; more are dropped, and counted."""
_MOST_REMEMBERED = 10_000
_CLOSE_SECONDS = 5.0
_COMPLAINT_SECONDS = 60.0

log = logging.getLogger("headgate")


class Alerting:
    """All that one node does about alerts. An `AlertSink`. Belongs to the event loop that starts it."""

    def __init__(
        self,
        store: Alerts,
        totals: TotalsStore,
        send: Send,
        clock: Clock,
        installation_secret: Callable[[], Awaitable[bytes]],
        *,
        look_seconds: float = LOOK_SECONDS,
        spend_seconds: float = SPEND_SECONDS,
        claim_seconds: float = CLAIM_SECONDS,
    ) -> None:
        """installation_secret: read when a receiver that was added needs it."""
        self._store = store
        self._clock = clock
        self._installation_secret = installation_secret
        self._secret = b""
        self._look_seconds = look_seconds
        self._spend_seconds = spend_seconds
        self._watch = SpendWatch(totals, store, self.tell, clock)
        self._spend_rate = SpendRateSettings()
        self._wake = asyncio.Event()
        self._courier = Courier(store, send, clock, ended=self._wake.set, claim_seconds=claim_seconds)
        self._queue: deque[Alert] = deque()
        self._told: set[str] = set()
        self._configured: Sequence[Receiver] = ()
        self._receivers: dict[str, Receiver] = {}
        self._unusable: set[str] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self._complained = -math.inf
        self.kept = 0
        """Alerts of which this node was the first to tell."""
        self.dropped = 0

    @property
    def courier(self) -> Courier:
        """Its counts say what became of deliveries."""
        return self._courier

    def use(self, configured: Sequence[Receiver], spend_rate: SpendRateSettings) -> None:
        """What the configuration says from now on. From the event loop, or before the start."""
        self._configured, self._spend_rate = configured, spend_rate
        kept = {name: each for name, each in self._receivers.items() if not each.trusted}
        self._receivers = {each.id: each for each in configured} | kept
        self._wake.set()

    def tell(self, alert: Alert) -> None:
        """See `AlertSink`."""
        if alert.event in self._told:
            return
        if len(self._queue) >= MOST_WAITING:
            self.dropped += 1
            return
        if len(self._told) >= _MOST_REMEMBERED:
            # The store knows them all; this only spares it being asked.
            self._told = set()
        self._told.add(alert.event)
        self._queue.append(alert)
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is told any more
                self._loop.call_soon_threadsafe(self._wake.set)

    async def publish(self, alert: Alert) -> bool:
        """Keep it now; whoever returns from here has told. False: it was told before. Raises StoreUnavailable."""
        wanted = [each.id for each in self._receivers.values() if each.wants(alert)]
        if not await self._store.add(alert, wanted, self._clock.wall_ns()):
            return False
        self.kept += 1
        # Not the text: it may name a user.
        log.info("an alert about %s; `headgate alerts log` tells it", alert.kind)
        self._wake.set()
        return True

    def start(self) -> None:
        """Begin. What another node, or this one before it was stopped, has left to do is done too."""
        self._loop = asyncio.get_running_loop()
        self._tasks = [
            asyncio.create_task(self._go_on(), name="alerts"),
            asyncio.create_task(self._watch_spending(), name="spend rate"),
        ]

    async def aclose(self) -> None:
        """Keep what was told, let tries under way end, both for a bounded time. What is kept is delivered after the next
        start, or by another node."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        with contextlib.suppress(StoreUnavailable, TimeoutError):
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._keep()
        await self._courier.aclose(_CLOSE_SECONDS)

    async def _go_on(self) -> None:
        looked = -math.inf
        while True:
            self._wake.clear()
            try:
                if self._clock.monotonic() - looked >= self._look_seconds:
                    await self._know_receivers()
                    looked = self._clock.monotonic()
                await self._keep()
                await self._courier.round(self._receivers)
            except StoreUnavailable as failure:
                self._complain(failure)
                await asyncio.sleep(self._look_seconds)
            except Exception:
                log.exception("alerts: trying again")
                await asyncio.sleep(self._look_seconds)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._look_seconds):
                    await self._wake.wait()

    async def _watch_spending(self) -> None:
        while True:
            await asyncio.sleep(self._spend_seconds)
            wanted = any(not each.about or KIND in each.about for each in self._receivers.values())
            if not wanted or not self._spend_rate.factor:
                continue
            try:
                await self._watch.look(self._spend_rate)
            except StoreUnavailable as failure:
                self._complain(failure)
            except Exception:
                log.exception("looking for unusual spending")

    async def _keep(self) -> None:
        while self._queue:
            alert = self._queue[0]
            try:
                await self.publish(alert)
            except StoreUnavailable:
                raise
            except Exception:
                # One that cannot be kept, whatever is in it, must not keep those behind it from being told.
                log.exception("an alert about %s is lost", alert.kind)
                self.dropped += 1
            self._queue.popleft()

    async def _know_receivers(self) -> None:
        found = {each.id: each for each in self._configured}
        records = await self._store.receivers()
        if records and not self._secret:
            self._secret = await self._installation_secret()
        unusable = set()
        for record in records:
            try:
                receiver = added(record, self._configured, self._secret)
                found[receiver.id] = receiver
            except ValueError as wrong:
                unusable.add(record.name)
                if record.name not in self._unusable:
                    log.warning("alerts: `%s` cannot be told of anything: %s", record.name, wrong)
        self._unusable = unusable
        self._receivers = found

    def _complain(self, failure: StoreUnavailable) -> None:
        if self._clock.monotonic() - self._complained >= _COMPLAINT_SECONDS:
            self._complained = self._clock.monotonic()
            log.warning("alerts wait for the database: %s", failure)
