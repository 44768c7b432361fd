"""Sealed secrets."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence

from headgate.stores.audit import AuditEntry
from headgate.stores.backends.sqlite.audit import note, transaction
from headgate.stores.backends.sqlite.connection import Database
from headgate.stores.backends.sqlite.walking import walk
from headgate.stores.secret_steps import all_secrets, put_secret, reseal_all
from headgate.stores.secrets import Audited, SecretRecord

__all__ = ["SqliteSecrets"]

_REMOVE = "DELETE FROM secret WHERE name = ?"


class SqliteSecrets:
    """See `SecretStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> Sequence[SecretRecord]:
        """See `SecretStore`."""
        return await self._database.run(lambda connection: walk(connection, all_secrets()))

    async def put(self, record: SecretRecord, audit: AuditEntry | None = None) -> None:
        """See `SecretStore`."""

        def change(connection: sqlite3.Connection) -> None:
            with transaction(connection):
                walk(connection, put_secret(record))
                note(connection, audit)

        await self._database.run(change)

    async def remove(self, name: str, audit: AuditEntry | None = None) -> bool:
        """See `SecretStore`."""

        def change(connection: sqlite3.Connection) -> bool:
            with transaction(connection):
                found = connection.execute(_REMOVE, (name,)).rowcount > 0
                note(connection, audit if found else None)
            return found

        return await self._database.run(change)

    async def reseal(
        self, again: Callable[[SecretRecord], SecretRecord], audit: Audited
    ) -> Sequence[SecretRecord]:
        """See `SecretStore`."""

        def change(connection: sqlite3.Connection) -> Sequence[SecretRecord]:
            with transaction(connection):
                records = walk(connection, reseal_all(again))
                note(connection, audit(records))
            return records

        return await self._database.run(change)
