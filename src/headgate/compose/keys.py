"""What this process knows of keys and of outages rehearsed, kept as the database has it."""

from __future__ import annotations

import asyncio
import logging
import math

from headgate.admission.keys import hash_key, new_key
from headgate.admission.ring import KeyRing
from headgate.control.keys import Keys, create_key
from headgate.core.clock import Clock
from headgate.core.tasks import ended
from headgate.providers.rehearsal.orders import Rehearsals
from headgate.stores.errors import KeyExists, StoreUnavailable
from headgate.stores.keys import KeyRecord
from headgate.stores.rehearsals import RehearsalStore

__all__ = [
    "KEY_COMPLAINT_SECONDS",
    "KEY_REFRESH_SECONDS",
    "KEY_USE_SECONDS",
    "KnownKeys",
]

log = logging.getLogger("headgate")

KEY_REFRESH_SECONDS = 0.8
"""How often the keys are read: one that is revoked by the command line, or by another process, stops within a second."""
KEY_COMPLAINT_SECONDS = 60.0
"""How often it is said that keys cannot be read, while the database is away."""
KEY_USE_SECONDS = 60.0
"""How often it is written down which keys were used."""


class KnownKeys:
    """Fills a ring with the keys of a store, and rehearsals with those that are ordered; again and again, until closed."""

    def __init__(
        self, keys: Keys, orders: RehearsalStore, ring: KeyRing, rehearsals: Rehearsals, clock: Clock
    ) -> None:
        self._keys = keys
        self._orders = orders
        self._ring = ring
        self._rehearsals = rehearsals
        self._clock = clock
        self._pepper = b""
        self._refreshing = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    async def read(self, *, bootstrap: str | None, required: bool) -> str | None:
        """Know all there is, from now on. Raises StoreUnavailable, StoreTooNew.

        bootstrap: a key that shall be valid. Without one, if keys are required and there is none yet, the first one is
        made and returned."""
        self._pepper = await self._keys.secret()
        first = await self._first(bootstrap, required=required)
        await self.refresh()
        return first

    def start(self) -> None:
        """Read again from time to time."""
        self._task = asyncio.create_task(self._keep_fresh(), name="keys")

    async def stop(self) -> None:
        """Read no more."""
        if self._task is not None:
            await ended(self._task)

    async def refresh(self) -> None:
        """Know at once what the database knows. Raises StoreUnavailable."""
        # One at a time: what was read before must not be taken for what is true after.
        async with self._refreshing:
            self._ring.know(await self._keys.all(), self._pepper)
            self._rehearsals.know(await self._orders.active(self._clock.wall_ns()))

    async def note_used(self) -> None:
        """Write down which keys were used. Raises StoreUnavailable."""
        used = self._ring.take_used()
        if used:
            await self._keys.used(used, self._clock.wall_ns())

    async def _first(self, bootstrap: str | None, *, required: bool) -> str | None:
        known = await self._hashes()
        key, made = bootstrap, None
        if key is None:
            if known or not required:
                return None
            key = made = new_key()
        hashed = hash_key(key, self._pepper).hex()
        if hashed not in known:
            draft = KeyRecord(
                id="", name="first" if made else "bootstrap", hash="", created_ns=0, roles=("owner",)
            )
            try:
                await create_key(self._keys, draft, actor="gateway", key=key)
            except KeyExists:
                # Another node that started at the same moment was quicker, and shows the first key if there is one.
                if made is None and hashed not in await self._hashes():
                    raise
                made = None
        return made

    async def _hashes(self) -> set[str]:
        records = await self._keys.all()
        old = {one.hash for record in records for one in record.old_hashes}
        return old | {record.hash for record in records}

    async def _keep_fresh(self) -> None:
        noted = self._clock.monotonic()
        complained = -math.inf
        while True:
            await asyncio.sleep(KEY_REFRESH_SECONDS)
            try:
                await self.refresh()
                if self._clock.monotonic() - noted >= KEY_USE_SECONDS:
                    noted = self._clock.monotonic()
                    await self.note_used()
            except StoreUnavailable as failure:
                # Known keys go on working while the database does not; the next round tries again.
                if self._clock.monotonic() - complained >= KEY_COMPLAINT_SECONDS:
                    complained = self._clock.monotonic()
                    log.warning("keys and rehearsals stay as they are known: %s", failure)
            except Exception:
                log.exception("cannot read keys and rehearsals from the database")
