"""What `find` asks of this engine, in the thread for questions that may take long."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from sqlite3 import Connection
from typing import Any

import msgspec

from headgate.stores.backends.sqlite.connection import Database
from headgate.stores.backends.sqlite.statements import column_list
from headgate.stores.searching import ContentPlace
from headgate.stores.spans import RequestRow

__all__ = ["SqliteSource"]

_REQUEST = f"SELECT {column_list(RequestRow)} FROM request "  # noqa: S608 - names of our own fields
_HASHES_AT_ONCE = 500


class SqliteSource:
    """See `Source`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def asked(self, text: str, values: Sequence[Any]) -> Sequence[Sequence[Any]]:
        """See `Source`."""
        return await self._database.look_back(lambda connection: connection.execute(text, values).fetchall())

    async def requests(self, text: str, values: Sequence[Any]) -> Sequence[RequestRow]:
        """See `Source`."""
        rows = await self.asked(_REQUEST + text, values)
        # strict=False: SQLite keeps true and false as 1 and 0.
        return [msgspec.convert(row, RequestRow, strict=False) for row in rows]

    async def places(self, hashes: Collection[str]) -> Mapping[str, ContentPlace]:
        """See `Source`."""
        wanted = list(hashes)

        def ask(connection: Connection) -> dict[str, ContentPlace]:
            found: dict[str, ContentPlace] = {}
            for start in range(0, len(wanted), _HASHES_AT_ONCE):
                some = wanted[start : start + _HASHES_AT_ONCE]
                text = f'SELECT hash, segment_id, "offset", length FROM content WHERE hash IN ({", ".join("?" * len(some))})'  # noqa: S608
                found |= {row[0]: ContentPlace(*row[1:]) for row in connection.execute(text, some)}
            return found

        return await self._database.look_back(ask)

    async def segment(self, number: int) -> bytes:
        """See `Source`."""
        rows = await self.asked("SELECT data FROM content_segment WHERE id = ?", (number,))
        return bytes(rows[0][0]) if rows else b""
