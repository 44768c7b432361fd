"""Marks of exports, in the table of what is true of the installation."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from sqlite3 import Connection

import msgspec

from headgate.stores.backends.sqlite.connection import Database
from headgate.stores.backends.sqlite.statements import column_list
from headgate.stores.exports import ExportMark, by_request
from headgate.stores.spans import AttemptRow

__all__ = ["SqliteExports"]

_READ = "SELECT value FROM installation WHERE name = ?"
_BEGIN = "INSERT OR IGNORE INTO installation (name, value) VALUES (?, ?)"
_MOVE = "UPDATE installation SET value = ? WHERE name = ? AND value = ?"
# Only names of our own fields go into this text.
_ATTEMPTS = (
    f"SELECT {column_list(AttemptRow)} FROM attempt "  # noqa: S608
    "WHERE request_id IN (SELECT value FROM json_each(?)) ORDER BY request_id, number"
)

_encode = msgspec.json.encode


class SqliteExports:
    """See `ExportStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def mark(self, name: str) -> ExportMark | None:
        """See `ExportStore`."""
        row = await self._database.run(
            lambda connection: connection.execute(_READ, (f"export:{name}",)).fetchone()
        )
        return msgspec.json.decode(row[0], type=ExportMark) if row else None

    async def move(self, name: str, before: ExportMark | None, after: ExportMark) -> bool:
        """See `ExportStore`."""
        key, value = f"export:{name}", _encode(after)

        def change(connection: Connection) -> bool:
            if before is None:
                return connection.execute(_BEGIN, (key, value)).rowcount > 0
            return connection.execute(_MOVE, (value, key, _encode(before))).rowcount > 0

        return await self._database.run(change)

    async def attempts_of(self, request_ids: Collection[int]) -> Mapping[int, Sequence[AttemptRow]]:
        """See `ExportStore`."""
        wanted = _encode(list(request_ids)).decode()
        rows = await self._database.run(
            lambda connection: connection.execute(_ATTEMPTS, (wanted,)).fetchall()
        )
        return by_request([msgspec.convert(row, AttemptRow, strict=False) for row in rows])
