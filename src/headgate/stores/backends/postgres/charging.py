"""What batches take from pots, inside their transaction and under the writers' lock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from headgate.stores.backends.postgres.statements import column_list
from headgate.stores.backends.postgres.text import kept, kept_column, read
from headgate.stores.ledger import Entry
from headgate.stores.movements import charges, entry_of, orphan_event
from headgate.stores.purses import PotKey
from headgate.stores.sink import Batch

if TYPE_CHECKING:
    from asyncpg import Connection

__all__ = ["LOCK_WRITE", "charge", "enter", "stored_calls", "take"]

LOCK_WRITE = 0x6865_6164_6761_7402
"""Held by whoever writes records or counts orphans, until the commit."""
_FIELDS = Entry.__struct_fields__
_ORPHANS = f"SELECT {column_list(Entry)} FROM ledger_entry WHERE event = ANY($1::text[])"  # noqa: S608 - our own names
_TAKE = (
    "INSERT INTO budget_use (budget, subject, period, nanos) "
    "SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[]) "
    "ON CONFLICT (budget, subject, period) DO UPDATE SET nanos = budget_use.nanos + excluded.nanos"
)
_ENTER = (
    f"INSERT INTO ledger_entry ({column_list(Entry)}) "  # noqa: S608 - our own names
    f"VALUES ({', '.join(f'${number}' for number in range(1, len(_FIELDS) + 1))}) ON CONFLICT DO NOTHING RETURNING id"
)
_STORED = "SELECT id FROM attempt WHERE request_id = ANY($1::bigint[]) AND id = ANY($2::bigint[])"


async def charge(connection: Connection, batch: Batch, *, again: bool) -> None:
    """Count what the batch has used. Before its calls are stored.

    again: parts of it may have been stored before, and then count no more."""
    calls = [(row.request_id, row.id) for row in batch.attempts]
    stored = await stored_calls(connection, calls) if again else set[int]()
    names = [orphan_event(number) for number in dict.fromkeys(use.attempt_id for use in batch.uses)]
    rows = await connection.fetch(_ORPHANS, names)
    found = [entry_of([read(value) if type(value) is str else value for value in row]) for row in rows]
    orphans = {entry.attempt_id: entry for entry in found}
    sums, voids = charges(batch.uses, stored, orphans)
    await take(connection, sums)
    await enter(connection, voids)


async def take(connection: Connection, sums: Mapping[PotKey, int]) -> None:
    """Add to what pots have spent."""
    rows = [(*pot, nanos) for pot, nanos in sums.items() if nanos]
    if rows:
        budgets, subjects, periods, amounts = zip(*rows, strict=True)
        await connection.execute(_TAKE, kept_column(budgets), kept_column(subjects), periods, amounts)


async def enter(connection: Connection, entries: Iterable[Entry]) -> int:
    """Add entries; how many were new."""
    new = 0
    for entry in entries:
        values: list[Any] = [
            kept(value) if isinstance(value, str) else value for value in msgspec.structs.astuple(entry)
        ]
        new += await connection.fetchval(_ENTER, *values) is not None
    return new


async def stored_calls(connection: Connection, calls: Sequence[tuple[int, int]]) -> set[int]:
    """Which of these (request, call) are stored."""
    rows = await connection.fetch(_STORED, [request for request, _ in calls], [number for _, number in calls])
    return {row[0] for row in rows}
