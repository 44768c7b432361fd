"""Rehearsals that were ordered."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

import msgspec

from headgate.stores.audit import AuditEntry
from headgate.stores.backends.sqlite.audit import note, transaction
from headgate.stores.backends.sqlite.connection import Database
from headgate.stores.rehearsals import RehearsalRecord

__all__ = ["SqliteRehearsals"]

_FIELDS = "endpoint, targets, fault, share, feature, started_ns, until_ns, stopped_ns"
_ALL = f"SELECT id, {_FIELDS} FROM rehearsal ORDER BY id"  # noqa: S608 - our own names
_ACTIVE = f"SELECT id, {_FIELDS} FROM rehearsal WHERE stopped_ns IS NULL AND until_ns > ? ORDER BY id"  # noqa: S608 - as above
_ADD = f"INSERT INTO rehearsal ({_FIELDS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"  # noqa: S608 - as above
_STOP = "UPDATE rehearsal SET stopped_ns = ? WHERE id = ? AND stopped_ns IS NULL AND until_ns > ?"


class SqliteRehearsals:
    """See `RehearsalStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> Sequence[RehearsalRecord]:
        """See `RehearsalStore`."""
        rows: list[Any] = await self._database.run(lambda connection: connection.execute(_ALL).fetchall())
        return [_record(row) for row in rows]

    async def active(self, now_ns: int) -> Sequence[RehearsalRecord]:
        """See `RehearsalStore`."""

        def ask(connection: sqlite3.Connection) -> list[Any]:
            return connection.execute(_ACTIVE, (now_ns,)).fetchall()

        return [_record(row) for row in await self._database.run(ask)]

    async def add(self, record: RehearsalRecord, audit: AuditEntry | None = None) -> RehearsalRecord:
        """See `RehearsalStore`."""
        values = (
            record.endpoint,
            msgspec.json.encode(record.targets).decode(),
            record.fault,
            record.share,
            record.feature,
            record.started_ns,
            record.until_ns,
            record.stopped_ns,
        )

        def change(connection: sqlite3.Connection) -> int:
            with transaction(connection):
                number = connection.execute(_ADD, values).lastrowid or 0
                if audit is not None:
                    note(connection, msgspec.structs.replace(audit, subject=str(number)))
            return number

        return msgspec.structs.replace(record, id=await self._database.run(change))

    async def stop(self, rehearsal_id: int, at_ns: int, audit: AuditEntry | None = None) -> bool:
        """See `RehearsalStore`."""

        def change(connection: sqlite3.Connection) -> bool:
            with transaction(connection):
                found = connection.execute(_STOP, (at_ns, rehearsal_id, at_ns)).rowcount > 0
                note(connection, audit if found else None)
            return found

        return await self._database.run(change)


def _record(row: tuple[Any, ...]) -> RehearsalRecord:
    values = dict(zip(RehearsalRecord.__struct_fields__, row, strict=True))
    values["targets"] = tuple(msgspec.json.decode(values["targets"]))
    return RehearsalRecord(**values)
