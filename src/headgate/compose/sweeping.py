"""The sweeper: deletes what has been kept long enough, a small piece at a time; one of all nodes does it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

from headgate.compose.stores import Stores
from headgate.config.model import Settings
from headgate.core.clock import Clock
from headgate.core.tasks import ended
from headgate.records.journal import Journal
from headgate.records.retention import Kept, kept
from headgate.stores.errors import StoreError
from headgate.stores.retention import (
    Lease,
    Piece,
    sweep_alerts,
    sweep_contents,
    sweep_sessions,
    sweep_spans,
    sweep_words,
)
from headgate.stores.rollups import Ages
from headgate.stores.segments import CONTENT_EPOCH
from headgate.telemetry.metrics import Metrics
from headgate.telemetry.names import SWEPT

__all__ = ["Sweeper", "kept_of", "sweep"]

log = logging.getLogger("headgate")

_LOOK_SECONDS = 60.0
_LEASE_SECONDS = 300.0
_PAUSE_SECONDS = 0.05
"""Between two pieces: whoever writes comes in between."""
_NS = 1_000_000_000

Counted = Callable[[str, int], None]


def kept_of(settings: Settings) -> list[Kept]:
    """Which requests are kept how long."""
    return kept(settings.records.keep, {name: each.keep for name, each in settings.features.items()})


async def sweep(
    stores: Stores, settings: Settings, now_ns: int, count: Counted, *, pause: float = _PAUSE_SECONDS
) -> None:
    """Delete all that has been kept long enough. count: is told what was deleted, of which kind. Raises StoreUnavailable."""
    async for name, deleted in _steps(stores, settings, now_ns):
        count(name, deleted)
        await asyncio.sleep(pause)


async def _steps(stores: Stores, settings: Settings, now_ns: int) -> AsyncIterator[tuple[str, int]]:
    def before(seconds: float) -> int:
        return max(now_ns - int(seconds * _NS), 0)

    async def pieces(name: str, step: Callable[[], Awaitable[Piece]]) -> AsyncIterator[tuple[str, int]]:
        more = True
        while more:
            piece = await step()
            more = piece.more
            yield name, piece.deleted

    keeper, keep = stores.keeper, settings.records.keep
    for one in kept_of(settings):
        scope, content_ns, spans_ns = one.scope, before(one.content), before(one.spans)
        async for each in pieces("contents", lambda s=scope, at=content_ns: sweep_contents(keeper, s, at)):  # type: ignore[misc]
            yield each
        async for each in pieces("contents", lambda s=scope, at=content_ns: sweep_words(keeper, s, at)):  # type: ignore[misc]
            yield each
        async for each in pieces("requests", lambda s=scope, at=spans_ns: sweep_spans(keeper, s, at)):  # type: ignore[misc]
            yield each
    async for each in pieces("sessions", lambda: sweep_sessions(keeper, before(keep.spans))):
        yield each
    async for each in pieces("alerts", lambda: sweep_alerts(keeper, before(keep.alerts))):
        yield each
    deleted = -1
    while deleted:
        deleted = await stores.rollups.sweep(
            Ages(
                minutes_before=before(keep.minutes) // _NS,
                hours_before=before(keep.hours) // _NS,
                failures_before=before(keep.failures) // _NS,
                gauges_before=before(keep.failures) // _NS,
            )
        )
        yield "sums", deleted


class Sweeper:
    """Looks once a minute. Nothing of it is on a request's way."""

    def __init__(
        self,
        stores: Stores,
        settings: Callable[[], Settings],
        journal: Journal,
        clock: Clock,
        *,
        look_seconds: float = _LOOK_SECONDS,
    ) -> None:
        self._stores = stores
        self._settings = settings
        self._journal = journal
        self._clock = clock
        self._look_seconds = look_seconds
        self._lease = Lease(stores.keeper, "sweep", f"{os.getpid()}-{os.urandom(4).hex()}")
        self._swept: dict[str, int] = {}
        self._epoch: bytes | None = None
        self._task: asyncio.Task[None] | None = None

    def report(self, metrics: Metrics) -> None:
        """Have `metrics` read what is counted here."""
        metrics.read(SWEPT, lambda: [((name,), count) for name, count in self._swept.items()])

    @property
    def swept(self) -> Mapping[str, int]:
        """What was deleted, by kind."""
        return self._swept

    def start(self) -> None:
        """Begin to look."""
        self._task = asyncio.create_task(self._run(), name="sweep")

    async def aclose(self) -> None:
        """Stop; a piece that was begun is done or undone whole."""
        if self._task is not None:
            await ended(self._task)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._look_seconds)
            try:
                await self.look()
            except StoreError as failure:
                log.warning("nothing was swept: %s; in a minute it is tried again", failure)

    async def look(self) -> None:
        """Sweep, if it is ours to do. Raises StoreError."""
        await self._tidy_journal()
        now = self._clock.wall_ns()
        if await self._lease.take(now, now + int(_LEASE_SECONDS * _NS)):
            # No longer than the lease: whoever takes it next goes on where this one stopped.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LEASE_SECONDS):
                    await sweep(self._stores, self._settings(), now, self._count)

    async def _tidy_journal(self) -> None:
        """Somebody has deleted contents: they may stand in this node's journal, too, stored long ago."""
        rows = await self._stores.keeper.read(
            "SELECT value FROM installation WHERE name = ?", [CONTENT_EPOCH]
        )
        epoch = bytes(rows[0][0]) if rows else b""
        if self._epoch is not None and epoch != self._epoch:
            self._journal.begin_anew()
        self._epoch = epoch

    def _count(self, name: str, deleted: int) -> None:
        self._swept[name] = self._swept.get(name, 0) + deleted
