"""Sealed secrets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from headgate.stores.audit import AuditEntry
from headgate.stores.backends.postgres.audit import note
from headgate.stores.backends.postgres.connection import Database
from headgate.stores.secrets import Audited, SecretRecord

if TYPE_CHECKING:
    from asyncpg import Connection

__all__ = ["PostgresSecrets"]

# Text in the order of its bytes, whatever language the database sorts by.
_ALL = 'SELECT name, host, sealed, master, created_ns, changed_ns FROM secret ORDER BY name COLLATE "C"'
_PUT = (
    "INSERT INTO secret (name, host, sealed, master, created_ns, changed_ns) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (name) "
    "DO UPDATE SET host = excluded.host, sealed = excluded.sealed, master = excluded.master, changed_ns = excluded.changed_ns"
)
# What another node gives meanwhile waits, and is sealed by itself.
_ALONE = "LOCK TABLE secret IN EXCLUSIVE MODE"
_RESEAL = "UPDATE secret SET sealed = $1, master = $2 WHERE name = $3"
_REMOVE = "DELETE FROM secret WHERE name = $1 RETURNING name"


class PostgresSecrets:
    """See `SecretStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> Sequence[SecretRecord]:
        """See `SecretStore`."""
        return await self._database.run(_read)

    async def put(self, record: SecretRecord, audit: AuditEntry | None = None) -> None:
        """See `SecretStore`."""
        values = (
            record.name,
            " ".join(record.hosts),
            record.sealed,
            record.master,
            record.created_ns,
            record.changed_ns,
        )

        async def change(connection: Connection) -> None:
            async with connection.transaction():
                await connection.execute(_PUT, *values)
                await note(connection, audit)

        await self._database.run(change)

    async def remove(self, name: str, audit: AuditEntry | None = None) -> bool:
        """See `SecretStore`."""

        async def change(connection: Connection) -> bool:
            async with connection.transaction():
                found = await connection.fetchval(_REMOVE, name) is not None
                await note(connection, audit if found else None)
            return found

        return await self._database.run(change)

    async def reseal(
        self, again: Callable[[SecretRecord], SecretRecord], audit: Audited
    ) -> Sequence[SecretRecord]:
        """See `SecretStore`."""

        async def change(connection: Connection) -> Sequence[SecretRecord]:
            async with connection.transaction():
                await connection.execute(_ALONE)
                records = [again(record) for record in await _read(connection)]
                for record in records:
                    await connection.execute(_RESEAL, record.sealed, record.master, record.name)
                await note(connection, audit(records))
            return records

        return await self._database.run(change)


async def _read(connection: Connection) -> list[SecretRecord]:
    rows: list[Any] = await connection.fetch(_ALL)
    return [
        SecretRecord(
            name=name,
            hosts=tuple(host.split()),
            sealed=bytes(sealed),
            master=master,
            created_ns=created_ns,
            changed_ns=changed_ns,
        )
        for name, host, sealed, master, created_ns, changed_ns in rows
    ]
