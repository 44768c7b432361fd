"""Keys, and the installation's secret."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from headgate.stores.audit import AuditEntry
from headgate.stores.backends.postgres.audit import note
from headgate.stores.backends.postgres.connection import Database, Taken
from headgate.stores.errors import KeyExists
from headgate.stores.keys import KeyRecord, outlived

if TYPE_CHECKING:
    from asyncpg import Connection

__all__ = ["PostgresKeys"]

_FIELDS = KeyRecord.__struct_fields__
_JSON = frozenset({"models", "features", "roles", "old_hashes"})
"""Columns that hold a list, as JSON."""
_COLUMNS = ", ".join(f'"{name}"' for name in _FIELDS)
_MARKS = ", ".join(f"${number}" for number in range(1, len(_FIELDS) + 1))
# Text in the order of its bytes, whatever language the database sorts by.
_ALL = f'SELECT {_COLUMNS} FROM "key" ORDER BY created_ns, id COLLATE "C"'  # noqa: S608 - our own names
_ONE = f'SELECT {_COLUMNS} FROM "key" WHERE id = $1 AND revoked_ns IS NULL FOR UPDATE'  # noqa: S608 - as above
_ADD = f'INSERT INTO "key" ({_COLUMNS}) VALUES ({_MARKS})'  # noqa: S608 - as above
_REVOKE = 'UPDATE "key" SET revoked_ns = $1 WHERE id = $2 AND revoked_ns IS NULL RETURNING id'
_ROTATE = 'UPDATE "key" SET hash = $1, old_hashes = $2 WHERE id = $3'
_USED = (
    'UPDATE "key" SET last_used_ns = $1 WHERE id = ANY($2::text[]) '
    "AND (last_used_ns IS NULL OR last_used_ns < $1)"
)
_SECRET_BYTES = 32


class PostgresKeys:
    """See `KeyStore` and `Installation`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: dict[tuple[Any, ...], KeyRecord] = {}

    async def all(self) -> Sequence[KeyRecord]:
        """See `KeyStore`."""

        async def ask(connection: Connection) -> list[KeyRecord]:
            rows = [tuple(row) for row in await connection.fetch(_ALL)]
            # As with SQLite: asked each second, and nearly always told what it was told before.
            known = self._known
            self._known = {row: known.get(row) or _record(row) for row in rows}
            return list(self._known.values())

        return await self._database.run(ask)

    async def add(self, record: KeyRecord, audit: AuditEntry | None = None) -> None:
        """See `KeyStore`."""
        values = [_column(name, getattr(record, name)) for name in _FIELDS]

        async def change(connection: Connection) -> None:
            async with connection.transaction():
                await connection.execute(_ADD, *values)
                await note(connection, audit)

        try:
            await self._database.run(change)
        except Taken:
            raise KeyExists(
                f"a key `{record.name}` ({record.id}) is there already: choose another name"
            ) from None

    async def revoke(self, key_id: str, at_ns: int, audit: AuditEntry | None = None) -> bool:
        """See `KeyStore`."""

        async def change(connection: Connection) -> bool:
            async with connection.transaction():
                found = await connection.fetchval(_REVOKE, at_ns, key_id) is not None
                await note(connection, audit if found else None)
            return found

        return await self._database.run(change)

    async def rotate(
        self, key_id: str, new_hash: str, until_ns: int, audit: AuditEntry | None = None
    ) -> bool:
        """See `KeyStore`."""

        async def change(connection: Connection) -> bool:
            async with connection.transaction():
                row = await connection.fetchrow(_ONE, key_id)
                if row is not None:
                    old = _column("old_hashes", outlived(_record(row), until_ns))
                    await connection.execute(_ROTATE, new_hash, old, key_id)
                    await note(connection, audit)
            return row is not None

        try:
            return await self._database.run(change)
        except Taken:
            raise KeyExists("another key has that hash already: make a new one") from None

    async def used(self, key_ids: Iterable[str], at_ns: int) -> None:
        """See `KeyStore`."""
        ids = list(key_ids)
        await self._database.run(lambda connection: connection.execute(_USED, at_ns, ids))

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


async def _secret(connection: Connection) -> bytes:
    # Of two nodes that start at once, one's bytes stay and both read those.
    await connection.execute(
        "INSERT INTO installation (name, value) VALUES ('secret', $1) ON CONFLICT DO NOTHING",
        os.urandom(_SECRET_BYTES),
    )
    return bytes(await connection.fetchval("SELECT value FROM installation WHERE name = 'secret'"))


async def _next_node(connection: Connection) -> int:
    async with connection.transaction():
        await connection.execute(
            "INSERT INTO installation (name, value) VALUES ('node', $1) ON CONFLICT DO NOTHING", bytes(8)
        )
        # Locked: of two nodes that start at once, one waits for the other's number.
        last = await connection.fetchval("SELECT value FROM installation WHERE name = 'node' FOR UPDATE")
        node = int.from_bytes(last, "big") + 1
        await connection.execute(
            "UPDATE installation SET value = $1 WHERE name = 'node'", node.to_bytes(8, "big")
        )
    return node
