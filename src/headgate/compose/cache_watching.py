"""What there is to say of the cache besides requests: how full it is, and how often it is wrong. Asked now and then, shown as metrics."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

from headgate.control.cache.report import JUDGED, wrongness
from headgate.core.clock import Clock
from headgate.core.tasks import ended
from headgate.stores.answers import Judgement, Sizes
from headgate.stores.errors import StoreUnavailable
from headgate.telemetry.metrics import Metrics
from headgate.telemetry.names import CACHE_BYTES, CACHE_ENTRIES, CACHE_EVICTED, CACHE_WRONG

__all__ = ["CacheWatch"]

LOOK_SECONDS = 60.0
_WEEK_NS = 7 * 86_400 * 1_000_000_000

log = logging.getLogger("headgate")


class Counted(Protocol):
    """Of an `AnswerStore`."""

    async def sizes(self) -> Sizes: ...

    async def judged(self, feature: str | None, since_ns: int, limit: int) -> Sequence[Judgement]: ...


class CacheWatch:
    """Never on a request's path. A cache that is away keeps the figures it had."""

    def __init__(
        self,
        store: Counted,
        clock: Clock,
        metrics: Metrics,
        *,
        any_feature: Callable[[], object],
        semantic: Callable[[], Collection[str]],
        look_seconds: float = LOOK_SECONDS,
    ) -> None:
        """any_feature: is there one that has a cache, now? semantic: features that answer questions in other words, now."""
        self._store = store
        self._any_feature = any_feature
        self._semantic = semantic
        self._clock = clock
        self._look_seconds = look_seconds
        self._task: asyncio.Task[None] | None = None
        self.sizes = Sizes(entries=0, bytes=0, most_bytes=0)
        self.wrong: Mapping[str, float] = {}
        """By feature, of those that have samples."""
        metrics.read(CACHE_ENTRIES, lambda: [((), self.sizes.entries)])
        metrics.read(CACHE_BYTES, lambda: [((), self.sizes.bytes)])
        metrics.read(CACHE_EVICTED, lambda: [((), self.sizes.evicted)])
        metrics.read(CACHE_WRONG, lambda: [((name,), share) for name, share in self.wrong.items()])

    @property
    def most_wrong(self) -> float:
        """Of the feature of which most hits were wrong; 0.0 without samples."""
        return max(self.wrong.values(), default=0.0)

    def start(self) -> None:
        """Begin to look."""
        self._task = asyncio.create_task(self._go_on(), name="cache watch")

    async def aclose(self) -> None:
        """Look no more."""
        if self._task is not None:
            await ended(self._task)
            self._task = None

    async def look(self) -> None:
        """Look once."""
        if not self._any_feature():
            return
        try:
            self.sizes = await self._store.sizes()
            since = self._clock.wall_ns() - _WEEK_NS
            found = {}
            for name in self._semantic():
                share = wrongness(await self._store.judged(name, since, JUDGED)).share
                if share is not None:
                    found[name] = share
            self.wrong = found
        except StoreUnavailable as failure:
            log.debug("the cache cannot be counted: %s", failure)

    async def _go_on(self) -> None:
        while True:
            await self.look()
            await asyncio.sleep(self._look_seconds)
