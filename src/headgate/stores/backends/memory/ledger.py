"""The ledger in memory: what pots have spent and the entries, beside the spans they belong to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from headgate.stores.audit import AuditEntry
from headgate.stores.backends.memory import MemoryAudit, MemorySpans
from headgate.stores.ledger import Entry, Movement
from headgate.stores.movements import (
    entry_is_meant,
    entry_of_orphan,
    in_order,
    movement_of_call,
    movement_of_entry,
    wants_calls,
    wants_entries,
)
from headgate.stores.purses import Orphan, PotKey
from headgate.stores.totals import Which, is_meant

__all__ = ["MemoryLedger"]


class MemoryLedger:
    """See `LedgerStore`. Over the spans whose calls it tells of."""

    def __init__(self, spans: MemorySpans, audit: MemoryAudit | None = None) -> None:
        self._spans = spans
        self._audit = audit or MemoryAudit()

    async def movements(
        self, which: Which, *, kinds: Sequence[str] = (), after: tuple[int, str] = (0, ""), limit: int = 1000
    ) -> Sequence[Movement]:
        """See `LedgerStore`."""
        found: list[Movement] = []
        if wants_calls(kinds):
            found += [
                movement_of_call(request, attempt)
                for request, attempts in self._spans.calls()
                if is_meant(request, which)
                for attempt in attempts
            ]
        if wants_entries(which, kinds):
            entries = self._spans.entries()
            found += [movement_of_entry(entry) for entry in entries if entry_is_meant(entry, which, kinds)]
        return in_order(found, after, limit)

    async def add(self, entries: Sequence[Entry], audit: AuditEntry | None = None) -> int:
        """See `LedgerStore`."""
        new = self._spans.enter(entries)
        if new:
            self._audit.note(audit)
        return new

    async def orphaned(self, orphans: Sequence[Orphan]) -> int:
        """See `LedgerStore`."""
        return sum(self._spans.enter([entry_of_orphan(one)], pots=one.pots) for one in orphans)

    async def deposits(self) -> Mapping[tuple[str, str], int]:
        """See `LedgerStore`."""
        sums: dict[tuple[str, str], int] = {}
        for entry in self._spans.entries():
            if entry.kind == "deposit":
                key = (entry.budget, entry.subject)
                sums[key] = sums.get(key, 0) - entry.nanos
        return sums

    async def uses(self, *, since: int, budget: str = "") -> Mapping[PotKey, int]:
        """See `LedgerStore`."""
        return {
            key: nanos
            for key, nanos in self._spans.pots().items()
            if (key[2] >= since or not key[2]) and budget in ("", key[0])
        }
