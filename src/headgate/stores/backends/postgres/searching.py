"""What `find` asks of this engine."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from headgate.stores.backends.postgres.connection import Database
from headgate.stores.backends.postgres.statements import column_list, numbered, row_of
from headgate.stores.searching import ContentPlace
from headgate.stores.spans import RequestRow

__all__ = ["PostgresSource"]

_REQUEST = f"SELECT {column_list(RequestRow)} FROM request "  # noqa: S608 - names of our own fields


class PostgresSource:
    """See `Source`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def asked(self, text: str, values: Sequence[Any]) -> Sequence[Sequence[Any]]:
        """See `Source`."""
        question, given = numbered(text, values)
        return [
            tuple(row)
            for row in await self._database.run(lambda connection: connection.fetch(question, *given))
        ]

    async def requests(self, text: str, values: Sequence[Any]) -> Sequence[RequestRow]:
        """See `Source`."""
        return [row_of(RequestRow, row) for row in await self.asked(_REQUEST + text, values)]

    async def places(self, hashes: Collection[str]) -> Mapping[str, ContentPlace]:
        """See `Source`."""
        text = 'SELECT hash, segment_id, "offset", length FROM content WHERE hash = ANY($1::text[])'
        rows = await self._database.run(lambda connection: connection.fetch(text, list(hashes)))
        return {row[0]: ContentPlace(*tuple(row)[1:]) for row in rows}

    async def segment(self, number: int) -> bytes:
        """See `Source`."""
        rows = await self.asked("SELECT data FROM content_segment WHERE id = ?", [number])
        return bytes(rows[0][0]) if rows else b""
