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
_SERVED = "SELECT value FROM installation WHERE name = 'configuration' FOR UPDATE"
_SERVES = (
    "INSERT INTO installation (name, value) VALUES ('configuration', $1) "
    "ON CONFLICT (name) DO UPDATE SET value = excluded.value"
)


class PostgresAudit:
    """See `AuditLog`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, entry: AuditEntry) -> None:
        """See `AuditLog`."""
        await self._database.run(lambda connection: note(connection, entry))

    async def serves(self, configuration: bytes) -> bytes | None:
        """See `AuditLog`."""

        async def swap(connection: Connection) -> bytes | None:
            async with connection.transaction():
                before = await connection.fetchval(_SERVED)
                await connection.execute(_SERVES, configuration)
            return None if before is None else bytes(before)

        return await self._database.run(swap)

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
