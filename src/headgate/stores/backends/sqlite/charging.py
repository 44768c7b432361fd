"""What batches take from pots, inside their transaction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from sqlite3 import Connection
from typing import Any

import msgspec

from headgate.stores.ledger import Entry
from headgate.stores.movements import charges, entry_of, orphan_event
from headgate.stores.purses import PotKey
from headgate.stores.sink import Batch

__all__ = ["ENTRY", "charge", "enter", "stored_calls", "take"]

_ASK_AT_ONCE = 500
ENTRY = ", ".join(f'"{name}"' for name in Entry.__struct_fields__)
"""The columns of an entry."""
_TAKE = (
    "INSERT INTO budget_use (budget, subject, period, nanos) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (budget, subject, period) DO UPDATE SET nanos = nanos + excluded.nanos"
)
_ENTER = (
    f"INSERT OR IGNORE INTO ledger_entry ({ENTRY}) VALUES ({', '.join('?' * len(Entry.__struct_fields__))})"  # noqa: S608
)


def charge(connection: Connection, batch: Batch, *, again: bool) -> None:
    """Count what the batch has used. Before its calls are stored.

    again: parts of it may have been stored before, and then count no more."""
    stored = stored_calls(connection, [(row.request_id, row.id) for row in batch.attempts]) if again else ()
    names = [orphan_event(number) for number in dict.fromkeys(use.attempt_id for use in batch.uses)]
    rows = _asked(connection, f"SELECT {ENTRY} FROM ledger_entry WHERE event IN", names)  # noqa: S608 - our own names
    orphans = {entry.attempt_id: entry for entry in map(entry_of, rows)}
    sums, voids = charges(batch.uses, stored, orphans)
    take(connection, sums)
    enter(connection, voids)


def take(connection: Connection, sums: Mapping[PotKey, int]) -> None:
    """Add to what pots have spent."""
    connection.executemany(_TAKE, [(*pot, nanos) for pot, nanos in sums.items() if nanos])


def enter(connection: Connection, entries: Iterable[Entry]) -> int:
    """Add entries; how many were new."""
    return sum(connection.execute(_ENTER, msgspec.structs.astuple(entry)).rowcount for entry in entries)


def stored_calls(connection: Connection, calls: Sequence[tuple[int, int]]) -> set[int]:
    """Which of these (request, call) are stored."""
    # By request, which the table is ordered by.
    asked = list(dict.fromkeys(request for request, _ in calls))
    found = {row[0] for row in _asked(connection, "SELECT id FROM attempt WHERE request_id IN", asked)}
    return found & {number for _, number in calls}


def _asked(connection: Connection, question: str, values: Sequence[Any]) -> Iterator[Any]:
    for start in range(0, len(values), _ASK_AT_ONCE):
        some = values[start : start + _ASK_AT_ONCE]
        yield from connection.execute(f"{question} ({', '.join('?' * len(some))})", some).fetchall()
