"""Is the engine of answers there? Nobody waits for one that is away, and one that comes back is used again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from headgate.stores.errors import StoreError, StoreUnavailable

__all__ = ["Reach", "looked_at", "to_its_end"]

T = TypeVar("T")

log = logging.getLogger("headgate.cache")

_REST_SECONDS = 0.5
"""After a failure nobody asks for so long."""


class Reach:
    """See above. Says in the log when it changes, once."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._rest_until = 0.0
        self._away = self._full = False

    def may_ask(self) -> None:
        """Raises StoreUnavailable, if it was away a moment ago."""
        if self._monotonic() < self._rest_until:
            raise StoreUnavailable("the cache's engine was away a moment ago")

    async def asked(self, question: Awaitable[T]) -> T:
        """What it is answered with. Raises StoreUnavailable, and remembers it."""
        try:
            return await question
        except StoreUnavailable as error:
            self.note_away(error)
            raise

    async def keep(
        self, work: Callable[[], Coroutine[Any, Any, None]], note: Callable[[BaseException], None]
    ) -> None:
        """Begin again whenever the engine goes away, for ever. note: what to do with a failure."""
        while True:
            try:
                await work()
            except StoreError as error:
                note(error)
            except Exception:
                log.exception("the cache cannot be kept up; trying again")
            await asyncio.sleep(_REST_SECONDS)

    def note_there(self) -> None:
        """It has answered."""
        self._rest_until = 0.0
        if self._away:
            log.info("the cache's engine is back")
        self._away = False

    def note_away(self, error: BaseException) -> None:
        """It does not answer."""
        self._rest_until = self._monotonic() + _REST_SECONDS
        if not self._away:
            log.warning("the cache's engine is away (%s): requests go on without it", error)
        self._away = True

    def note_full(self, error: BaseException) -> None:
        """It does not take anything now; it may be read all the same."""
        if not self._away and not self._full:
            log.warning("the cache's engine takes no answers (%s); trying again", error)
        self._full = True

    def note_taken(self) -> None:
        """It has taken something."""
        self._full = False


async def to_its_end(work: Coroutine[Any, Any, T]) -> T:
    """Whoever waits may give up soon. A question that is broken off costs some engines their connection."""
    task = asyncio.ensure_future(work)
    task.add_done_callback(looked_at)
    return await asyncio.shield(task)


def looked_at(task: asyncio.Future[Any]) -> None:
    """Whoever asked may have gone: asyncio would complain that nobody has heard of the failure."""
    if not task.cancelled():
        task.exception()
