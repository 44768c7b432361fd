"""Brings to the engine what was put and noted here: in batches, beside the requests."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from headgate.stores.answer_at_hand import AtHand
from headgate.stores.answer_backing import Backing
from headgate.stores.answer_hearing import Hearing
from headgate.stores.answer_reach import Reach
from headgate.stores.answer_waiting import Hits
from headgate.stores.errors import StoreUnavailable

__all__ = ["Writing"]

log = logging.getLogger("headgate.cache")

_GATHER_SECONDS = 0.02
_HITS_SECONDS = 2.0
_TIDY_SECONDS = 30.0
_PAUSE_SECONDS = 0.05
_FLUSH_SECONDS = 5.0


class Writing:
    """See above. One event loop uses it. All raise StoreUnavailable."""

    def __init__(
        self,
        backing: Backing,
        hand: AtHand,
        hearing: Hearing,
        reach: Reach,
        monotonic: Callable[[], float],
    ) -> None:
        self.hits = Hits()
        self._backing = backing
        self._waiting = hand.waiting
        self._hearing = hearing
        self._reach = reach
        self._monotonic = monotonic
        self._something, self._nothing = asyncio.Event(), asyncio.Event()
        self._nothing.set()

    def has_come(self) -> None:
        """Something waits to be written."""
        self._nothing.clear()
        self._something.set()

    async def keep_writing(self) -> None:
        """For ever."""
        while True:
            await self._something.wait()
            if not self._waiting.fills_a_batch:
                await asyncio.sleep(_GATHER_SECONDS)
            while self._waiting:
                await self._write_some()
            self._something.clear()
            self._nothing.set()

    async def keep_tidy(self) -> None:
        """For ever: what was noted of entries, and what of them is over."""
        tidied_at = self._monotonic() - _TIDY_SECONDS
        while True:
            await asyncio.sleep(_HITS_SECONDS)
            await self.write_hits()
            if self._monotonic() - tidied_at >= _TIDY_SECONDS:
                tidied_at = self._monotonic()
                while await self._backing.tidy():  # noqa: ASYNC110 - others shall come in between
                    await asyncio.sleep(_PAUSE_SECONDS)
            if self._waiting.dropped:
                log.warning("the cache's engine is too slow: %d answers were not kept", self._waiting.dropped)
                self._waiting.dropped = 0

    async def write_hits(self) -> None:
        """What was noted until now."""
        hits = self.hits.taken()
        if hits:
            try:
                await self._backing.note_hits(hits)
            except StoreUnavailable:
                self.hits.put_back(hits)
                raise

    async def flushed(self) -> None:
        """Wait until what was put is written."""
        # They are written in the order in which they were put.
        last = self._waiting.last()
        until = self._monotonic() + _FLUSH_SECONDS
        while last is not None and self._waiting.get(last.key) is last:
            if self._monotonic() > until:
                raise StoreUnavailable("the cache's engine does not take what is put")
            await asyncio.sleep(_GATHER_SECONDS)

    async def finished(self) -> None:
        """Wait until all is written, however long it takes."""
        await self._nothing.wait()
        await self.write_hits()

    async def _write_some(self) -> None:
        if self._hearing.removed < 0:
            await self._hearing.hear()
        batch = self._waiting.batch()
        if not batch:
            return
        number = await self._backing.write(batch, self._hearing.removed)
        if not number:
            await self._hearing.hear()
            return
        self._reach.note_taken()
        self._hearing.wrote(number)
        self._waiting.written(batch)
