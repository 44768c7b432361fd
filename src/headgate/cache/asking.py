"""Asking where answers are kept, without ever waiting long: who is slow or away is passed over, and after a few times not asked
for a while."""

from __future__ import annotations

import asyncio
import logging

from headgate.core.clock import Clock
from headgate.stores.answers import AnswerStore, CacheEntry
from headgate.stores.errors import StoreError

__all__ = ["Asking"]

_IN_A_ROW = 3
_SHORTEST_REST = 1.0
_LONGEST_REST = 30.0
_TOLD_EVERY = 60.0

log = logging.getLogger("headgate.cache")


class Asking:
    """Asks a store for single entries."""

    def __init__(self, store: AnswerStore, clock: Clock) -> None:
        self.slow = 0.02
        """Seconds."""
        self.late = 0
        """How often it took too long."""
        self.failed = 0
        """How often it was not there."""
        self.unasked = 0
        """How often it was not asked, because it had been slow or away."""
        self._store = store
        self._clock = clock
        self._in_a_row = 0
        self._rest = _SHORTEST_REST
        self._until = 0.0
        self._told_at = -_TOLD_EVERY

    async def get(self, key: bytes) -> CacheEntry | None:
        """The entry; None also if nobody can tell in time. Never raises."""
        began = self._clock.monotonic()
        if self._until and began < self._until:
            self.unasked += 1
            return None
        if self._until:
            # One is sent to see whether it is back; the others do not wait with it.
            self._until = began + self._rest
        try:
            async with asyncio.timeout(self.slow):
                entry = await self._store.get(key)
        except TimeoutError:
            self.late += 1
            self._bad(f"no answer within {1000 * self.slow:g} ms (`cache.slow`)")
        except StoreError as failure:
            self.failed += 1
            self._bad(str(failure))
        except Exception:
            self.failed += 1
            log.exception("the cache cannot be asked")
            self._bad("it failed")
        else:
            self._in_a_row, self._until, self._rest = 0, 0.0, _SHORTEST_REST
            return entry
        return None

    def _bad(self, why: str) -> None:
        self._in_a_row += 1
        if self._in_a_row < _IN_A_ROW:
            return
        now = self._clock.monotonic()
        self._until = now + self._rest
        self._rest = min(2 * self._rest, _LONGEST_REST)
        if now - self._told_at >= _TOLD_EVERY:
            self._told_at = now
            log.warning("answers are made without the cache for a while: %s", why)
