"""Marks of exports, in the table of what is true of the installation."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from headgate.stores.backends.postgres.connection import Database
from headgate.stores.backends.postgres.statements import column_list, row_of
from headgate.stores.exports import ExportMark, by_request
from headgate.stores.spans import AttemptRow

if TYPE_CHECKING:
    from asyncpg import Connection

__all__ = ["PostgresExports"]

_READ = "SELECT value FROM installation WHERE name = $1"
_BEGIN = "INSERT INTO installation (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING name"
_MOVE = "UPDATE installation SET value = $2 WHERE name = $1 AND value = $3 RETURNING name"
# Only names of our own fields go into this text.
_ATTEMPTS = (
    f"SELECT {column_list(AttemptRow)} FROM attempt "  # noqa: S608
    "WHERE request_id = ANY($1::bigint[]) ORDER BY request_id, number"
)

_encode = msgspec.json.encode


class PostgresExports:
    """See `ExportStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def mark(self, name: str) -> ExportMark | None:
        """See `ExportStore`."""
        value = await self._database.run(lambda connection: connection.fetchval(_READ, f"export:{name}"))
        return None if value is None else msgspec.json.decode(bytes(value), type=ExportMark)

    async def move(self, name: str, before: ExportMark | None, after: ExportMark) -> bool:
        """See `ExportStore`."""
        key, value = f"export:{name}", _encode(after)

        async def change(connection: Connection) -> bool:
            if before is None:
                return await connection.fetchval(_BEGIN, key, value) is not None
            return await connection.fetchval(_MOVE, key, value, _encode(before)) is not None

        return await self._database.run(change)

    async def attempts_of(self, request_ids: Collection[int]) -> Mapping[int, Sequence[AttemptRow]]:
        """See `ExportStore`."""
        wanted = list(request_ids)

        async def ask(connection: Connection) -> list[AttemptRow]:
            return [row_of(AttemptRow, row) for row in await connection.fetch(_ATTEMPTS, wanted)]

        return by_request(await self._database.run(ask))
