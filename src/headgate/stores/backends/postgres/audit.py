"""The audit log, and how a change is kept together with its entry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from headgate.stores.audit import AuditEntry
from headgate.stores.backends.postgres.connection import Database

if TYPE_CHECKING:
    from asyncpg import Connection

__all__ = ["PostgresAudit", "note"]

_ADD = 'INSERT INTO audit (at_ns, actor, action, subject, "before", "after") VALUES ($1, $2, $3, $4, $5, $6)'
_SINCE = (
    'SELECT id, at_ns, actor, action, subject, "before", "after" FROM audit '
    "WHERE at_ns >= $1 ORDER BY id DESC LIMIT $2"
)
_BEFORE = (
    'SELECT id, at_ns, actor, action, subject, "before", "after" FROM audit '
    "WHERE id < $1 AND at_ns >= $2 ORDER BY id DESC LIMIT $3"
)


class PostgresAudit:
    """See `AuditLog`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, entry: AuditEntry) -> None:
        """See `AuditLog`."""
        await self._database.run(lambda connection: note(connection, entry))

    async def since(self, at_ns: int, limit: int) -> Sequence[AuditEntry]:
        """See `AuditLog`."""
        return (await self._asked(_SINCE, at_ns, limit))[::-1]

    async def before(self, entry_id: int, at_ns: int, limit: int) -> Sequence[AuditEntry]:
        """See `AuditLog`."""
        return await self._asked(_BEFORE, entry_id, at_ns, limit)

    async def _asked(self, text: str, *values: int) -> list[AuditEntry]:
        rows = await self._database.run(lambda connection: connection.fetch(text, *values))
        return [AuditEntry(**dict(zip(AuditEntry.__struct_fields__, row, strict=True))) for row in rows]


async def note(connection: Connection, entry: AuditEntry | None) -> None:
    """Write an entry, if there is one, in whatever transaction is open."""
    if entry is not None:
        values = (entry.at_ns, entry.actor, entry.action, entry.subject, entry.before, entry.after)
        await connection.execute(_ADD, *values)
