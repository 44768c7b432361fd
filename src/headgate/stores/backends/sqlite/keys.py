"""Keys, and the installation's secret."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from headgate.stores.audit import AuditEntry
from headgate.stores.backends.sqlite.audit import note, transaction
from headgate.stores.backends.sqlite.connection import Database
from headgate.stores.errors import KeyExists
from headgate.stores.keys import KeyRecord, outlived

__all__ = ["SqliteKeys"]

_FIELDS = KeyRecord.__struct_fields__
_JSON = frozenset({"models", "features", "roles", "old_hashes"})
"""Columns that hold a list, as JSON."""
_COLUMNS = ", ".join(f'"{name}"' for name in _FIELDS)
_ALL = f'SELECT {_COLUMNS} FROM "key" ORDER BY created_ns, id'  # noqa: S608 - our own names
_ONE = f'SELECT {_COLUMNS} FROM "key" WHERE id = ? AND revoked_ns IS NULL'  # noqa: S608 - as above
_ADD = f'INSERT INTO "key" ({_COLUMNS}) VALUES ({", ".join("?" * len(_FIELDS))})'  # noqa: S608 - as above
_REVOKE = 'UPDATE "key" SET revoked_ns = ? WHERE id = ? AND revoked_ns IS NULL'
_ROTATE = 'UPDATE "key" SET hash = ?, old_hashes = ? WHERE id = ?'
_USED = 'UPDATE "key" SET last_used_ns = ? WHERE id = ? AND (last_used_ns IS NULL OR last_used_ns < ?)'
_SECRET_BYTES = 32


class SqliteKeys:
    """See `KeyStore` and `Installation`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[tuple[Any, ...], KeyRecord] = {}

    async def all(self) -> Sequence[KeyRecord]:
        """See `KeyStore`."""

        def ask(connection: sqlite3.Connection) -> list[KeyRecord]:
            # Asked each second, and nearly always told what it was told before: to read ten thousand keys anew takes as long
            # as a thousand requests.
            known = self._known
            self._known = {row: known.get(row) or _record(row) for row in connection.execute(_ALL)}
            return list(self._known.values())

        return await self._database.run(ask)

    async def add(self, record: KeyRecord, audit: AuditEntry | None = None) -> None:
        """See `KeyStore`."""
        values = [_column(name, getattr(record, name)) for name in _FIELDS]

        def change(connection: sqlite3.Connection) -> None:
            with transaction(connection):
                connection.execute(_ADD, values)
                note(connection, audit)

        try:
            await self._database.run(change)
        except sqlite3.IntegrityError:
            raise KeyExists(
                f"a key `{record.name}` ({record.id}) is there already: choose another name"
            ) from None

    async def revoke(self, key_id: str, at_ns: int, audit: AuditEntry | None = None) -> bool:
        """See `KeyStore`."""

        def change(connection: sqlite3.Connection) -> bool:
            with transaction(connection):
                found = connection.execute(_REVOKE, (at_ns, key_id)).rowcount > 0
                note(connection, audit if found else None)
            return found

        return await self._database.run(change)

    async def rotate(
        self, key_id: str, new_hash: str, until_ns: int, audit: AuditEntry | None = None
    ) -> bool:
        """See `KeyStore`."""

        def change(connection: sqlite3.Connection) -> bool:
            with transaction(connection):
                row = connection.execute(_ONE, (key_id,)).fetchone()
                if row is not None:
                    old = _column("old_hashes", outlived(_record(row), until_ns))
                    connection.execute(_ROTATE, (new_hash, old, key_id))
                    note(connection, audit)
            return row is not None

        try:
            return await self._database.run(change)
        except sqlite3.IntegrityError:
            raise KeyExists("another key has that hash already: make a new one") from None

    async def used(self, key_ids: Iterable[str], at_ns: int) -> None:
        """See `KeyStore`."""
        rows = [(at_ns, key_id, at_ns) for key_id in key_ids]

        def change(connection: sqlite3.Connection) -> None:
            with transaction(connection):
                connection.executemany(_USED, rows)

        await self._database.run(change)

    async def secret(self) -> bytes:
        """See `Installation`."""
        return await self._database.run(_secret)

    async def next_node(self) -> int:
        """See `Installation`."""
        return await self._database.run(_next_node)


def _column(name: str, value: Any) -> Any:
    return msgspec.json.encode(value).decode() if name in _JSON else value


def _record(row: Sequence[Any]) -> KeyRecord:
    values = dict(zip(_FIELDS, row, strict=True))
    for name in _JSON:
        values[name] = msgspec.json.decode(values[name])
    return msgspec.convert(values, KeyRecord)


def _secret(connection: sqlite3.Connection) -> bytes:
    # Of two processes that start at once, one's bytes stay and both read those.
    connection.execute(
        "INSERT OR IGNORE INTO installation (name, value) VALUES ('secret', ?)", (os.urandom(_SECRET_BYTES),)
    )
    (value,) = connection.execute("SELECT value FROM installation WHERE name = 'secret'").fetchone()
    return bytes(value)


def _next_node(connection: sqlite3.Connection) -> int:
    with transaction(connection):
        found = connection.execute("SELECT value FROM installation WHERE name = 'node'").fetchone()
        node = int.from_bytes(found[0], "big") + 1 if found else 1
        connection.execute(
            "INSERT OR REPLACE INTO installation (name, value) VALUES ('node', ?)", (node.to_bytes(8, "big"),)
        )
    return node
