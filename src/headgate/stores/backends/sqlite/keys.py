"""Keys, and the installation's secret."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from typing import Any

import msgspec

from headgate.stores.backends.sqlite.connection import Database
from headgate.stores.errors import KeyExists
from headgate.stores.keys import KeyRecord

__all__ = ["SqliteKeys"]

_COLUMNS = "id, name, hash, created_ns, expires_ns, revoked_ns, team, tenant, models"
_ALL = f'SELECT {_COLUMNS} FROM "key" ORDER BY created_ns, id'  # noqa: S608 - our own names
_ADD = f'INSERT INTO "key" ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)'  # noqa: S608 - our own names
_REVOKE = 'UPDATE "key" SET revoked_ns = ? WHERE id = ? AND revoked_ns IS NULL'
_SECRET_BYTES = 32


class SqliteKeys:
    """See `KeyStore` and `Installation`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> Sequence[KeyRecord]:
        """See `KeyStore`."""
        rows: list[Any] = await self._database.run(lambda connection: connection.execute(_ALL).fetchall())
        return [_record(row) for row in rows]

    async def add(self, record: KeyRecord) -> None:
        """See `KeyStore`."""
        values = (*msgspec.structs.astuple(record)[:-1], msgspec.json.encode(record.models).decode())
        try:
            await self._database.run(lambda connection: connection.execute(_ADD, values))
        except sqlite3.IntegrityError:
            raise KeyExists(
                f"a key `{record.name}` ({record.id}) is there already: choose another name"
            ) from None

    async def revoke(self, key_id: str, at_ns: int) -> bool:
        """See `KeyStore`."""
        changed = await self._database.run(
            lambda connection: connection.execute(_REVOKE, (at_ns, key_id)).rowcount
        )
        return changed > 0

    async def secret(self) -> bytes:
        """See `Installation`."""
        return await self._database.run(_secret)


def _record(row: tuple[Any, ...]) -> KeyRecord:
    values = dict(zip(KeyRecord.__struct_fields__, row, strict=True))
    values["models"] = tuple(msgspec.json.decode(values["models"]))
    return KeyRecord(**values)


def _secret(connection: sqlite3.Connection) -> bytes:
    # Of two processes that start at once, one's bytes stay and both read those.
    connection.execute(
        "INSERT OR IGNORE INTO installation (name, value) VALUES ('secret', ?)", (os.urandom(_SECRET_BYTES),)
    )
    (value,) = connection.execute("SELECT value FROM installation WHERE name = 'secret'").fetchone()
    return bytes(value)
