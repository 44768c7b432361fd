"""The audit log, and how a change is kept together with its entry."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from headgate.stores.audit import AuditEntry
from headgate.stores.backends.sqlite.connection import Database

__all__ = ["SqliteAudit", "note", "transaction"]

_ADD = 'INSERT INTO audit (at_ns, actor, action, subject, "before", "after") VALUES (?, ?, ?, ?, ?, ?)'
_SINCE = (
    'SELECT id, at_ns, actor, action, subject, "before", "after" FROM audit '
    "WHERE at_ns >= ? ORDER BY id DESC LIMIT ?"
)
_BEFORE = (
    'SELECT id, at_ns, actor, action, subject, "before", "after" FROM audit '
    "WHERE id < ? AND at_ns >= ? ORDER BY id DESC LIMIT ?"
)
_SERVED = "SELECT value FROM installation WHERE name = 'configuration'"
_SERVES = "INSERT OR REPLACE INTO installation (name, value) VALUES ('configuration', ?)"


class SqliteAudit:
    """See `AuditLog`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, entry: AuditEntry) -> None:
        """See `AuditLog`."""
        await self._database.run(lambda connection: note(connection, entry))

    async def serves(self, configuration: bytes) -> bytes | None:
        """See `AuditLog`."""

        def swap(connection: sqlite3.Connection) -> bytes | None:
            with transaction(connection):
                row = connection.execute(_SERVED).fetchone()
                connection.execute(_SERVES, (configuration,))
            return bytes(row[0]) if row else None

        return await self._database.run(swap)

    async def since(self, at_ns: int, limit: int) -> Sequence[AuditEntry]:
        """See `AuditLog`."""
        return (await self._asked(_SINCE, at_ns, limit))[::-1]

    async def before(self, entry_id: int, at_ns: int, limit: int) -> Sequence[AuditEntry]:
        """See `AuditLog`."""
        return await self._asked(_BEFORE, entry_id, at_ns, limit)

    async def _asked(self, text: str, *values: int) -> list[AuditEntry]:
        rows = await self._database.run(lambda connection: connection.execute(text, values).fetchall())
        return [AuditEntry(**dict(zip(AuditEntry.__struct_fields__, row, strict=True))) for row in rows]


def note(connection: sqlite3.Connection, entry: AuditEntry | None) -> None:
    """Write an entry, if there is one, in whatever transaction is open."""
    if entry is not None:
        values = (entry.at_ns, entry.actor, entry.action, entry.subject, entry.before, entry.after)
        connection.execute(_ADD, values)


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """What is done inside is kept whole or not at all; what is read inside stays as it was read."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        # A full disk ends the transaction by itself.
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
