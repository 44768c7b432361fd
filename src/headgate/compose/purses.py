"""Keeps purses and ledger of one mind: what was spent before is told to the purses, what dead nodes held to the ledger."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Sequence

from headgate.budgets.away import SharedPurses
from headgate.core.clock import Clock
from headgate.core.tasks import ended
from headgate.stores.backends.memory.purses import MemoryPurses
from headgate.stores.errors import StoreUnavailable
from headgate.stores.ledger import LedgerStore
from headgate.stores.purses import Orphan
from headgate.telemetry.metrics import Metrics
from headgate.telemetry.names import BUDGET_UNTOLD, BUDGET_UNTOLD_DROPPED, BUDGET_WITHOUT_REDIS

__all__ = ["SWEEP_SECONDS", "PurseKeeper", "watch_purses"]

log = logging.getLogger("headgate.budgets")

SWEEP_SECONDS = 5.0
"""How often it is asked for what dead nodes held."""
_LOOK_SECONDS = 0.02
_RETRY_SECONDS = 1.0
_COMPLAINT_SECONDS = 60.0
_LONGEST_PERIOD = 40 * 86_400


class PurseKeeper:
    """See above. For gateways that have budgets: for others it is not started, and costs nothing."""

    def __init__(
        self,
        purses: MemoryPurses | SharedPurses,
        ledger: LedgerStore,
        ready: Callable[[], bool],
        clock: Clock,
    ) -> None:
        """ready: are the records of earlier processes stored? What they spent is in the ledger then."""
        self._purses = purses
        self._ledger = ledger
        self._ready = ready
        self._clock = clock
        self._task: asyncio.Task[None] | None = None
        self._complained = -math.inf

    def start(self) -> None:
        """Begin. Requests that a budget is about wait until it has read the ledger. Idempotent."""
        if self._task is None:
            if isinstance(self._purses, SharedPurses):
                self._purses.start()
            self._task = asyncio.create_task(self._keep(), name="purses and ledger")

    async def stop(self) -> None:
        """Idempotent."""
        if self._task is not None:
            await ended(self._task)

    async def _keep(self) -> None:
        await self._load()
        if isinstance(self._purses, MemoryPurses):
            return  # no other node pays from them
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            try:
                found = await self._purses.orphans()
                if found:
                    await self._note(found)
            except StoreUnavailable:
                continue  # Redis is away, and those who wait for it have said so
            except Exception:
                # Whatever is wrong with one of them, the next ones have to be found all the same.
                log.exception("cannot look for what dead nodes had set aside")

    async def _load(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            if not self._ready():
                continue
            since = self._clock.wall_ns() // 1_000_000_000 - _LONGEST_PERIOD
            try:
                uses = await self._ledger.uses(since=since)
            except StoreUnavailable as failure:
                self._purses.not_loaded(f"what was spent before cannot be read: {failure}")
                self._complain("what budgets have spent cannot be read", failure)
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                self._purses.load(uses)
                return

    async def _note(self, found: Sequence[Orphan]) -> None:
        """Asking for more would say that these are dealt with: so first they are."""
        while True:
            try:
                new = await self._ledger.orphaned(found)
            except StoreUnavailable as failure:
                self._complain("what dead nodes had set aside cannot be written down", failure)
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                if new:
                    log.warning(
                        "%d calls of nodes that are gone count with all that was set aside for them", new
                    )
                return

    def _complain(self, what: str, failure: StoreUnavailable) -> None:
        now = self._clock.monotonic()
        if now - self._complained >= _COMPLAINT_SECONDS:
            self._complained = now
            log.warning("%s: %s", what, failure)


def watch_purses(metrics: Metrics, purses: MemoryPurses | SharedPurses) -> None:
    """Have `metrics` read what becomes of budgets without Redis. In memory there is nothing of the kind."""
    if isinstance(purses, SharedPurses):
        metrics.read(BUDGET_WITHOUT_REDIS, lambda: [((), purses.away)])
        metrics.read(BUDGET_UNTOLD, lambda: [((), purses.waiting)])
        metrics.read(BUDGET_UNTOLD_DROPPED, lambda: [((), purses.dropped)])
