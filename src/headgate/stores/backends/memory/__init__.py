"""Everything in memory, gone with the process: for tests, and for a gateway that shall leave nothing behind."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from headgate.stores.audit import AuditEntry
from headgate.stores.browsing import READ_AT_ONCE, older_page
from headgate.stores.errors import KeyExists
from headgate.stores.finding import Needle
from headgate.stores.keys import KeyRecord, outlived
from headgate.stores.ledger import Entry
from headgate.stores.movements import charges, orphan_event
from headgate.stores.purses import PotKey
from headgate.stores.rehearsals import RehearsalRecord
from headgate.stores.searching import TEXT_SECONDS, Found, Search, is_found
from headgate.stores.sink import Batch, Position
from headgate.stores.spans import AttemptRow, Content, Page, RequestRow
from headgate.stores.totals import AttemptUsage, Totals, Which, add_up, is_meant, usage_of_attempt

__all__ = ["MemoryAudit", "MemoryKeys", "MemoryRehearsals", "MemorySpans"]


class MemorySpans:
    """See `SpanStore`, `TotalsStore`, `Browsing`, `Searching` and `SpanSink`: written by one thread, read by another."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: dict[int, RequestRow] = {}
        self._attempts: dict[int, dict[int, AttemptRow]] = {}
        self._contents: dict[str, Content] = {}
        self._positions: dict[str, Position] = {}
        self._pots: dict[PotKey, int] = {}
        self._entries: dict[str, Entry] = {}

    def write(self, batch: Batch) -> None:
        """See `SpanSink`."""
        with self._lock:
            if batch.uses:
                self._charge(batch)
            for row in batch.requests:
                self._requests.setdefault(row.id, row)
            for attempt in batch.attempts:
                self._attempts.setdefault(attempt.request_id, {}).setdefault(attempt.number, attempt)
            for content in batch.contents:
                self._contents.setdefault(content.hash, content)
            self._positions[batch.journal] = batch.position

    def fill(self, limit: int = 0) -> bool:  # noqa: ARG002 - as the port has it  # noqa: ARG002 - as its port has it
        """See `SpanSink`. Nothing is added up here."""
        return False

    def _charge(self, batch: Batch) -> None:
        stored = {row.id for row in batch.attempts if self._is_stored(row.request_id, row.id)}
        orphans = {
            entry.attempt_id: entry
            for use in batch.uses
            if (entry := self._entries.get(orphan_event(use.attempt_id))) is not None
        }
        sums, voids = charges(batch.uses, stored, orphans)
        self._take(sums)
        self._entries |= {entry.event: entry for entry in voids}

    def _take(self, sums: Mapping[PotKey, int]) -> None:
        for pot, nanos in sums.items():
            if nanos:
                self._pots[pot] = self._pots.get(pot, 0) + nanos

    def _is_stored(self, request_id: int, attempt_id: int) -> bool:
        return any(attempt.id == attempt_id for attempt in self._attempts.get(request_id, {}).values())

    def enter(self, entries: Iterable[Entry], *, pots: Iterable[PotKey] = ()) -> int:
        """For the ledger: add entries, and what those that are new have spent to `pots`; how many were new. An orphan whose
        call is stored is not entered."""
        with self._lock:
            new = {
                entry.event: entry
                for entry in entries
                if entry.event not in self._entries
                and not (entry.kind == "orphan" and self._is_stored(entry.request_id, entry.attempt_id))
            }
            self._entries |= new
            self._take(dict.fromkeys(pots, sum(entry.nanos for entry in new.values())))
            return len(new)

    def entries(self) -> list[Entry]:
        """For the ledger."""
        with self._lock:
            return list(self._entries.values())

    def pots(self) -> dict[PotKey, int]:
        """For the ledger: what each has spent."""
        with self._lock:
            return dict(self._pots)

    def calls(self) -> list[tuple[RequestRow, list[AttemptRow]]]:
        """For the ledger: every request with its attempts."""
        with self._lock:
            return [
                (row, list(self._attempts.get(number, {}).values())) for number, row in self._requests.items()
            ]

    def position(self, journal: str) -> Position:
        """See `SpanSink`."""
        with self._lock:
            return self._positions.get(journal, Position())

    def forget(self, journal: str) -> None:
        """See `SpanSink`."""
        with self._lock:
            self._positions.pop(journal, None)

    def close(self) -> None:
        """See `SpanSink`."""

    async def request(self, request_id: int) -> RequestRow | None:
        """See `SpanStore`."""
        return self._requests.get(request_id)

    async def attempts(self, request_id: int) -> Sequence[AttemptRow]:
        """See `SpanStore`."""
        with self._lock:
            found = self._attempts.get(request_id, {})
            return [found[number] for number in sorted(found)]

    async def content(self, content_hash: str) -> Content | None:
        """See `SpanStore`."""
        return self._contents.get(content_hash)

    async def latest(self, limit: int) -> Page:
        """See `SpanStore`."""
        with self._lock:
            rows = list(self._requests.values())
        return Page(len(rows), rows[max(len(rows) - limit, 0) :])

    async def after(self, position: int, limit: int) -> Page:
        """See `SpanStore`."""
        with self._lock:
            rows = list(self._requests.values())[position : position + limit]
        return Page(position + len(rows), rows)

    async def before(self, position: int, limit: int, which: Which) -> Page:
        """See `Browsing`."""
        with self._lock:
            rows = list(enumerate(self._requests.values(), 1))
        top = min(position or len(rows) + 1, len(rows) + 1)
        part = reversed(rows[max(top - 1 - READ_AT_ONCE, 0) : top - 1])
        found = [(place, row) for place, row in part if is_meant(row, which)][:limit]
        return older_page((1, len(rows)) if rows else (None, None), position, limit, found)

    async def search(
        self,
        search: Search,
        *,
        before: int = 0,
        limit: int = 100,
        seconds: float = TEXT_SECONDS,  # noqa: ARG002 - the port's; this is over at once
    ) -> Found:
        """See `Searching`. Scores are not kept here: nothing has one."""
        with self._lock:
            rows = sorted(self._requests.values(), key=lambda row: row.id, reverse=True)
        needle = Needle(search.text) if search.text else None
        found = [
            row
            for row in rows
            if (not before or row.id < before)
            and search.score is None
            and is_found(row, search)
            and (needle is None or self._has(needle, row))
        ]
        more = len(found) > limit
        page = found[:limit]
        return Found(
            rows=page, next=page[-1].id if more else 0, searched_to_ns=page[-1].started_ns if more else 0
        )

    def _has(self, needle: Needle, row: RequestRow) -> bool:
        kept = (self._contents.get(each) for each in (row.request_content, row.reply_content) if each)
        return any(needle.stands_in(needle.prepared(each.data)) for each in kept if each is not None)

    async def totals(self, by: Sequence[str], which: Which) -> Sequence[Totals]:
        """See `TotalsStore`."""
        with self._lock:
            rows = list(self._requests.values())
        return add_up(rows, by, which)

    async def usages(
        self, which: Which, *, after: tuple[int, int] = (0, -1), limit: int = 10_000
    ) -> Sequence[AttemptUsage]:
        """See `TotalsStore`."""
        with self._lock:
            meant = {request.id for request in self._requests.values() if is_meant(request, which)}
            places = sorted(
                (request_id, number)
                for request_id in meant
                for number in self._attempts.get(request_id, {})
                if (request_id, number) > after
            )
            return [
                usage_of_attempt(self._requests[request_id], self._attempts[request_id][number])
                for request_id, number in places[:limit]
            ]


class MemoryAudit:
    """See `AuditLog`."""

    def __init__(self) -> None:
        self._entries: list[AuditEntry] = []
        self._serves: bytes | None = None

    def note(self, entry: AuditEntry | None) -> None:
        """Keep an entry, if there is one."""
        if entry is not None:
            self._entries.append(msgspec.structs.replace(entry, id=len(self._entries) + 1))

    async def add(self, entry: AuditEntry) -> None:
        """See `AuditLog`."""
        self.note(entry)

    async def serves(self, configuration: bytes) -> bytes | None:
        """See `AuditLog`."""
        before, self._serves = self._serves, configuration
        return before

    async def since(self, at_ns: int, limit: int) -> Sequence[AuditEntry]:
        """See `AuditLog`."""
        found = [entry for entry in self._entries if entry.at_ns >= at_ns]
        return found[max(len(found) - limit, 0) :]

    async def before(self, entry_id: int, at_ns: int, limit: int) -> Sequence[AuditEntry]:
        """See `AuditLog`."""
        found = [entry for entry in self._entries if entry.at_ns >= at_ns and entry.id < entry_id]
        return found[::-1][:limit]


class MemoryKeys:
    """See `KeyStore` and `Installation`."""

    def __init__(self, audit: MemoryAudit | None = None) -> None:
        self._records: dict[str, KeyRecord] = {}
        self._secret = os.urandom(32)
        self._nodes = 0
        self._audit = audit or MemoryAudit()

    async def all(self) -> Sequence[KeyRecord]:
        """See `KeyStore`."""
        return sorted(self._records.values(), key=lambda record: (record.created_ns, record.id))

    async def add(self, record: KeyRecord, audit: AuditEntry | None = None) -> None:
        """See `KeyStore`."""
        for other in self._records.values():
            if record.id == other.id or record.name == other.name or record.hash == other.hash:
                raise KeyExists(f"a key `{record.name}` ({record.id}) is there already: choose another name")
        self._records[record.id] = record
        self._audit.note(audit)

    async def revoke(self, key_id: str, at_ns: int, audit: AuditEntry | None = None) -> bool:
        """See `KeyStore`."""
        record = self._records.get(key_id)
        if record is None or record.revoked_ns is not None:
            return False
        self._records[key_id] = msgspec.structs.replace(record, revoked_ns=at_ns)
        self._audit.note(audit)
        return True

    async def rotate(
        self, key_id: str, new_hash: str, until_ns: int, audit: AuditEntry | None = None
    ) -> bool:
        """See `KeyStore`."""
        record = self._records.get(key_id)
        if record is None or record.revoked_ns is not None:
            return False
        if any(other.hash == new_hash and other.id != key_id for other in self._records.values()):
            raise KeyExists("another key has that hash already: make a new one")
        self._records[key_id] = msgspec.structs.replace(
            record, hash=new_hash, old_hashes=outlived(record, until_ns)
        )
        self._audit.note(audit)
        return True

    async def used(self, key_ids: Iterable[str], at_ns: int) -> None:
        """See `KeyStore`."""
        for key_id in key_ids:
            record = self._records.get(key_id)
            if record is not None and (record.last_used_ns or 0) < at_ns:
                self._records[key_id] = msgspec.structs.replace(record, last_used_ns=at_ns)

    async def secret(self) -> bytes:
        """See `Installation`."""
        return self._secret

    async def next_node(self) -> int:
        """See `Installation`."""
        self._nodes += 1
        return self._nodes


class MemoryRehearsals:
    """See `RehearsalStore`."""

    def __init__(self, audit: MemoryAudit | None = None) -> None:
        self._records: dict[int, RehearsalRecord] = {}
        self._audit = audit or MemoryAudit()

    async def all(self) -> Sequence[RehearsalRecord]:
        """See `RehearsalStore`."""
        return list(self._records.values())

    async def active(self, now_ns: int) -> Sequence[RehearsalRecord]:
        """See `RehearsalStore`."""
        return [one for one in self._records.values() if one.stopped_ns is None and one.until_ns > now_ns]

    async def add(self, record: RehearsalRecord, audit: AuditEntry | None = None) -> RehearsalRecord:
        """See `RehearsalStore`."""
        kept = msgspec.structs.replace(record, id=len(self._records) + 1)
        self._records[kept.id] = kept
        if audit is not None:
            self._audit.note(msgspec.structs.replace(audit, subject=str(kept.id)))
        return kept

    async def stop(self, rehearsal_id: int, at_ns: int, audit: AuditEntry | None = None) -> bool:
        """See `RehearsalStore`."""
        record = self._records.get(rehearsal_id)
        if record is None or record.stopped_ns is not None or record.until_ns <= at_ns:
            return False
        self._records[rehearsal_id] = msgspec.structs.replace(record, stopped_ns=at_ns)
        self._audit.note(audit)
        return True
