"""Budgets counted in this process: what is spent and set aside of each pot. Nobody else may pay from them meanwhile."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence

from headgate.stores.errors import StoreUnavailable
from headgate.stores.purses import Hold, Orphan, Pot, PotKey, Standing

__all__ = ["MemoryPurses"]

LOADING_SECONDS = 5.0
"""How long a request waits at the start for what was spent before."""
_GRACE = 2 * 86_400
"""Seconds for which a pot is kept after its period: a long stream may end in the next one."""
_LONGEST_PERIOD = 32 * 86_400
"""Seconds after which a pot of which only the beginning is known is over."""
_SWEEP = 10_000
"""Pots kept before those of old periods are looked for: a pot for each user and day may be many."""
_SETTLED = 10_000
"""Holds that are remembered as settled, at least."""


class _Row:
    """A pot as it stands."""

    __slots__ = ("ends", "reserved", "spent", "told")

    def __init__(self, spent: int, ends: int) -> None:
        self.spent = spent
        self.reserved = 0
        self.ends = ends
        self.told = -1
        """What was spent when somebody was told last."""


class MemoryPurses:
    """See `Purses`. Nothing here is ever waited for, once it is known what was spent before."""

    def __init__(self, *, loaded: bool = False, seconds: Callable[[], float] = time.time) -> None:
        """loaded: nothing was spent before, begin at once. seconds: since 1970, for leaving old periods behind."""
        self.heard: Callable[[Pot, int, int], None] | None = None
        self.on_freed: Callable[[], None] | None = None
        """Called whenever something that was set aside is free again."""
        self._seconds = seconds
        self._rows: dict[PotKey, _Row] = {}
        self._holds: dict[int, int] = {}
        """Attempt -> what is set aside for it."""
        self._settled: set[int] = set()
        self._settled_before: set[int] = set()
        self._sweep_at = _SWEEP
        self._loaded = loaded
        self._failed = ""
        self._told = asyncio.Event()

    def __len__(self) -> int:
        return len(self._rows)

    def load(self, uses: Mapping[PotKey, int]) -> None:
        """This was spent before, by other processes or by this one in an earlier life. Once, before anything is reserved."""
        for key, nanos in uses.items():
            # Its end is not told; a request that pays from it tells.
            self._row(key, 0).spent += nanos
        self._loaded, self._failed = True, ""
        self._told.set()

    def not_loaded(self, why: str) -> None:
        """It could not be read what was spent before. Until `load` comes, nothing can be set aside."""
        if not self._loaded:
            self._failed = why
            self._told.set()

    def take_now(self, hold: Hold) -> bool:
        """As `reserve`, without saying how the pots stand. False: it was not set aside, and `reserve` says why."""
        rows, nanos = self._rows, hold.nanos
        mine: list[_Row] = []
        for pot in hold.pots:
            row = rows.get(pot.key)
            if row is None or row.told != row.spent or row.ends != pot.ends:
                return False  # something is to be told first
            if nanos and row.spent + row.reserved + nanos > pot.most >= 0:
                return False
            mine.append(row)
        attempt_id = hold.holder.attempt_id
        if not self._loaded or attempt_id in self._holds:
            return False
        self._holds[attempt_id] = nanos
        for row in mine:
            row.reserved += nanos
        return True

    def reserve_now(self, hold: Hold) -> Standing:
        """As `reserve`, for who cannot wait. Raises StoreUnavailable where `reserve` would wait."""
        if not self._loaded:
            raise StoreUnavailable(self._failed or "what was spent before is not known yet")
        rows, nanos = self._rows, hold.nanos
        mine: list[_Row] = []
        spent: list[int] = []
        reserved: list[int] = []
        ok = True
        for pot in hold.pots:
            row = rows.get(pot.key)
            if row is None or not row.ends:
                row = self._row(pot.key, pot.ends)
            # What costs nothing is never refused, also where somebody used more than they had set aside.
            if nanos and row.spent + row.reserved + nanos > pot.most >= 0:
                ok = False
            mine.append(row)
            spent.append(row.spent)
            reserved.append(row.reserved)
        attempt_id = hold.holder.attempt_id
        if ok and attempt_id not in self._holds:
            self._holds[attempt_id] = nanos
            for at, row in enumerate(mine):
                row.reserved += nanos
                reserved[at] += nanos
        for at, row in enumerate(mine):
            # What is set aside comes and goes; told is what is spent, and nearly always the last settlement has done so.
            if row.told != row.spent:
                self._tell(hold.pots[at], row)
        return Standing(ok, spent, reserved)

    async def reserve(self, hold: Hold) -> Standing:
        """See `Purses`."""
        if not self._loaded:
            await self._loading()
        return self.reserve_now(hold)

    def settle(self, hold: Hold, nanos: int) -> None:
        """See `Purses`."""
        attempt_id = hold.holder.attempt_id
        reserved = self._holds.pop(attempt_id, None)
        if attempt_id in self._settled or attempt_id in self._settled_before:
            return
        self._settled.add(attempt_id)
        if len(self._settled) >= _SETTLED:
            self._settled_before, self._settled = self._settled, set()
        back, rows, heard = reserved or 0, self._rows, self.heard
        for pot in hold.pots:
            row = rows.get(pot.key) or self._row(pot.key, pot.ends)
            row.reserved -= back
            row.spent += nanos
            if heard is not None:
                row.told = row.spent
                heard(pot, row.spent, row.reserved)
        if back > nanos and self.on_freed is not None:
            self.on_freed()

    async def standing(self, pots: Sequence[Pot]) -> Standing:
        """See `Purses`."""
        if not self._loaded:
            await self._loading()
        rows = [self._rows.get(pot.key) for pot in pots]
        return Standing(
            True, [row.spent if row else 0 for row in rows], [row.reserved if row else 0 for row in rows]
        )

    async def add(self, pot: Pot, nanos: int) -> None:
        """See `Purses`."""
        if not self._loaded:
            await self._loading()
        row = self._row(pot.key, pot.ends)
        row.spent += nanos
        self._tell(pot, row)
        if nanos < 0 and self.on_freed is not None:
            self.on_freed()

    async def orphans(self) -> Sequence[Orphan]:
        """See `Purses`."""
        return ()

    async def aclose(self) -> None:
        """See `Purses`."""

    def _tell(self, pot: Pot, row: _Row) -> None:
        if self.heard is not None:
            row.told = row.spent
            self.heard(pot, row.spent, row.reserved)

    async def _loading(self) -> None:
        try:
            async with asyncio.timeout(LOADING_SECONDS):
                await self._told.wait()
        except TimeoutError:
            raise StoreUnavailable("what was spent before is not known yet") from None
        if not self._loaded:
            raise StoreUnavailable(self._failed)

    def _row(self, key: PotKey, ends: int) -> _Row:
        row = self._rows.get(key)
        if row is None:
            if len(self._rows) >= self._sweep_at:
                self._sweep()
            row = self._rows[key] = _Row(0, ends)
        elif not row.ends:
            row.ends = ends
        return row

    def _sweep(self) -> None:
        now = self._seconds()
        self._rows = {
            key: row
            for key, row in self._rows.items()
            if row.reserved or not key[2] or (row.ends or key[2] + _LONGEST_PERIOD) + _GRACE > now
        }
        # Twice as many may come before the next look, so that looking stays cheap whatever there is.
        self._sweep_at = max(_SWEEP, 2 * len(self._rows))
