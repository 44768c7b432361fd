"""Sealed secrets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from headgate.stores.audit import AuditEntry
from headgate.stores.backends.postgres.audit import note
from headgate.stores.backends.postgres.connection import Database
from headgate.stores.backends.postgres.text import kept
from headgate.stores.backends.postgres.walking import walk
from headgate.stores.secret_steps import all_secrets, put_secret, reseal_all
from headgate.stores.secrets import Audited, SecretRecord

if TYPE_CHECKING:
    from asyncpg import Connection

__all__ = ["PostgresSecrets"]

# What another node gives meanwhile waits, and is sealed by itself.
_ALONE = "LOCK TABLE secret IN EXCLUSIVE MODE"
_REMOVE = "DELETE FROM secret WHERE name = $1 RETURNING name"


class PostgresSecrets:
    """See `SecretStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> Sequence[SecretRecord]:
        """See `SecretStore`."""
        return await self._database.run(lambda connection: walk(connection, all_secrets()))

    async def put(self, record: SecretRecord, audit: AuditEntry | None = None) -> None:
        """See `SecretStore`."""

        async def change(connection: Connection) -> None:
            async with connection.transaction():
                await walk(connection, put_secret(record))
                await note(connection, audit)

        await self._database.run(change)

    async def remove(self, name: str, audit: AuditEntry | None = None) -> bool:
        """See `SecretStore`."""

        async def change(connection: Connection) -> bool:
            async with connection.transaction():
                found = await connection.fetchval(_REMOVE, kept(name)) is not None
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
                records = await walk(connection, reseal_all(again))
                await note(connection, audit(records))
            return records

        return await self._database.run(change)
