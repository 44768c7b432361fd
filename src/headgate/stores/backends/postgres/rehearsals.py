"""Rehearsals that were ordered."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from headgate.stores.audit import AuditEntry
from headgate.stores.backends.postgres.audit import note
from headgate.stores.backends.postgres.connection import Database
from headgate.stores.rehearsals import RehearsalRecord

if TYPE_CHECKING:
    from asyncpg import Connection

__all__ = ["PostgresRehearsals"]

_FIELDS = "endpoint, targets, fault, share, feature, started_ns, until_ns, stopped_ns"
_ALL = f"SELECT id, {_FIELDS} FROM rehearsal ORDER BY id"  # noqa: S608 - our own names
_ACTIVE = f"SELECT id, {_FIELDS} FROM rehearsal WHERE stopped_ns IS NULL AND until_ns > $1 ORDER BY id"  # noqa: S608 - as above
_ADD = f"INSERT INTO rehearsal ({_FIELDS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id"  # noqa: S608 - as above
_STOP = (
    "UPDATE rehearsal SET stopped_ns = $1 WHERE id = $2 AND stopped_ns IS NULL AND until_ns > $1 RETURNING id"
)


class PostgresRehearsals:
    """See `RehearsalStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> Sequence[RehearsalRecord]:
        """See `RehearsalStore`."""
        return [_record(row) for row in await self._database.run(lambda connection: connection.fetch(_ALL))]

    async def active(self, now_ns: int) -> Sequence[RehearsalRecord]:
        """See `RehearsalStore`."""
        rows = await self._database.run(lambda connection: connection.fetch(_ACTIVE, now_ns))
        return [_record(row) for row in rows]

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

        async def change(connection: Connection) -> int:
            async with connection.transaction():
                number = int(await connection.fetchval(_ADD, *values))
                if audit is not None:
                    await note(connection, msgspec.structs.replace(audit, subject=str(number)))
            return number

        return msgspec.structs.replace(record, id=await self._database.run(change))

    async def stop(self, rehearsal_id: int, at_ns: int, audit: AuditEntry | None = None) -> bool:
        """See `RehearsalStore`."""

        async def change(connection: Connection) -> bool:
            async with connection.transaction():
                found = await connection.fetchval(_STOP, at_ns, rehearsal_id) is not None
                await note(connection, audit if found else None)
            return found

        return await self._database.run(change)


def _record(row: Sequence[Any]) -> RehearsalRecord:
    values = dict(zip(RehearsalRecord.__struct_fields__, row, strict=True))
    values["targets"] = tuple(msgspec.json.decode(values["targets"]))
    return RehearsalRecord(**values)
