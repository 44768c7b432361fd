"""Brings back into Redis what the database knows: after a restart without data, a failover or a flush, and at the very start."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from headgate.core.tasks import ended
from headgate.stores.backends.redis.holding import MARKER_MS
from headgate.stores.backends.redis.outbox import MOST_AT_ONCE
from headgate.stores.backends.redis.pots import LOCKED, MARKER, PotKeys, forgotten_at
from headgate.stores.backends.redis.purse_scripts import FILL, FILLED, LOCK
from headgate.stores.errors import StoreUnavailable
from headgate.stores.purses import PotKey, UseStore

__all__ = ["Filling"]

log = logging.getLogger("headgate.budgets")

_LOCK_MS = "60000"
_LOOK_SECONDS = 0.1
_RETRY_SECONDS = 1.0
_LONGEST_PERIOD = 40 * 86_400

Ask = Callable[[str, list[str], list[str | bytes]], Awaitable[Sequence[Any]]]
"""Runs a script: its text, keys, arguments. Raises StoreUnavailable."""


class Filling:
    """One node reads the database and writes the pots; the others wait for it."""

    def __init__(
        self,
        ask: Ask,
        keys: PotKeys,
        uses: UseStore | None,
        *,
        node: str,
        pause: float,
        done: Callable[[], None],
        ready: Callable[[], bool],
    ) -> None:
        """uses: None: nothing was spent before. pause: seconds before the database is read, so that other nodes' records are in
        it. done: called whenever the pots are known again. ready: can the database be read, or is it this node that has to
        write into it first?"""
        self.known = asyncio.Event()
        """Redis has known the pots at some time."""
        self._ask = ask
        self._keys = keys
        self._uses = uses
        self._node = node
        self._pause = pause
        self._done = done
        self._ready = ready
        self._task: asyncio.Task[None] | None = None

    def begin(self) -> None:
        """Redis does not know the pots. Never waits; once at a time."""
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._until_filled(), name="budgets from database")

    async def aclose(self) -> None:
        """Give up."""
        if self._task is not None:
            await ended(self._task)

    async def _until_filled(self) -> None:
        complained = False
        while True:
            try:
                if await self._filled():
                    break
            except StoreUnavailable as error:
                if not complained:
                    log.warning(
                        "Redis does not know what budgets have spent, and it cannot be looked up: %s", error
                    )
                complained = True
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                await asyncio.sleep(_LOOK_SECONDS)
        self.known.set()
        self._done()

    async def _filled(self) -> bool:
        """Are the pots there now? False: another node is about it, or it is too early."""
        if not self._ready():
            return False
        if (said := await self._lock())[0] != -1:
            return bool(said[0])
        if self.known.is_set():
            # Redis has lost them while requests were under way: what nodes have spent is still on its way into the database.
            await asyncio.sleep(self._pause)
            if (said := await self._lock())[0] != -1:
                return bool(said[0])
        read_at = said[1]
        uses: Mapping[PotKey, int] = {}
        if self._uses is not None:
            uses = await self._uses.uses(since=int(time.time()) - _LONGEST_PERIOD)
        pots = list(uses.items())
        for at in range(0, len(pots), MOST_AT_ONCE):
            keys, arguments = [LOCKED], [self._node]
            for (budget, subject, period), nanos in pots[at : at + MOST_AT_ONCE]:
                keys.append(self._keys.key(budget, subject, period))
                arguments += (str(nanos), forgotten_at(period, 0))
            if not (await self._ask(FILL, keys, [*arguments]))[0]:
                return False
        if not (await self._ask(FILLED, [MARKER, LOCKED], [self._node, read_at, MARKER_MS]))[0]:
            return False
        log.info("Redis has been told what %d pots of budgets have spent", len(pots))
        return True

    async def _lock(self) -> Sequence[Any]:
        return await self._ask(LOCK, [MARKER, LOCKED], [self._node, _LOCK_MS])
