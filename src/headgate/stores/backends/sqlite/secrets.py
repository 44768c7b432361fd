"""Sealed secrets."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any

from headgate.stores.audit import AuditEntry
from headgate.stores.backends.sqlite.audit import note, transaction
from headgate.stores.backends.sqlite.connection import Database
from headgate.stores.secrets import Audited, SecretRecord

__all__ = ["SqliteSecrets"]

_ALL = "SELECT name, host, sealed, master, created_ns, changed_ns FROM secret ORDER BY name"
_PUT = (
    "INSERT INTO secret (name, host, sealed, master, created_ns, changed_ns) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (name) "
    "DO UPDATE SET host = excluded.host, sealed = excluded.sealed, master = excluded.master, changed_ns = excluded.changed_ns"
)
_RESEAL = "UPDATE secret SET sealed = ?, master = ? WHERE name = ?"
_REMOVE = "DELETE FROM secret WHERE name = ?"


class SqliteSecrets:
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

        def change(connection: sqlite3.Connection) -> None:
            with transaction(connection):
                connection.execute(_PUT, values)
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
                records = [again(record) for record in _read(connection)]
                for record in records:
                    connection.execute(_RESEAL, (record.sealed, record.master, record.name))
                note(connection, audit(records))
            return records

        return await self._database.run(change)


def _read(connection: sqlite3.Connection) -> list[SecretRecord]:
    rows: list[Any] = connection.execute(_ALL).fetchall()
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
