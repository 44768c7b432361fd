"""Spans out: short questions, each answered in the database's thread."""

from __future__ import annotations

from collections.abc import Sequence
from sqlite3 import Connection
from typing import Any

import msgspec

from headgate.stores.backends.sqlite.connection import Database
from headgate.stores.backends.sqlite.contents import read_content
from headgate.stores.backends.sqlite.searching import SqliteSource
from headgate.stores.backends.sqlite.statements import column_list
from headgate.stores.browsing import ENDS, older_page, older_question
from headgate.stores.searching import TEXT_SECONDS, Found, Search, find
from headgate.stores.spans import AttemptRow, Content, Page, RequestRow
from headgate.stores.totals import (
    AttemptUsage,
    Totals,
    Which,
    totals_of,
    totals_question,
    usages_question,
)

__all__ = ["SqliteSpans"]

# Only names of our own fields go into these texts.
_COLUMNS = f"stored, {column_list(RequestRow)}"
_REQUEST = f"SELECT {_COLUMNS} FROM request "  # noqa: S608
_ATTEMPTS = f"SELECT {column_list(AttemptRow)} FROM attempt WHERE request_id = ? ORDER BY number"  # noqa: S608


class SqliteSpans:
    """See `SpanStore`, `TotalsStore`, `Browsing` and `Searching`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._source = SqliteSource(database)

    async def request(self, request_id: int) -> RequestRow | None:
        """See `SpanStore`."""
        page = await self._page("WHERE id = ?", (request_id,))
        return page.rows[0] if page.rows else None

    async def attempts(self, request_id: int) -> Sequence[AttemptRow]:
        """See `SpanStore`."""

        def ask(connection: Connection) -> list[AttemptRow]:
            rows = connection.execute(_ATTEMPTS, (request_id,)).fetchall()
            return [msgspec.convert(row, AttemptRow, strict=False) for row in rows]

        return await self._database.run(ask)

    async def content(self, content_hash: str) -> Content | None:
        """See `SpanStore`."""
        return await self._database.run(lambda connection: read_content(connection, content_hash))

    async def latest(self, limit: int) -> Page:
        """See `SpanStore`."""
        page = await self._page("ORDER BY stored DESC LIMIT ?", (limit,))
        position = page.position
        if not page.rows:
            position = await self._database.run(_last_stored)
        return Page(position, page.rows[::-1])

    async def after(self, position: int, limit: int) -> Page:
        """See `SpanStore`."""
        page = await self._page("WHERE stored > ? ORDER BY stored LIMIT ?", (position, limit))
        return Page(max(position, page.position), page.rows)

    async def totals(self, by: Sequence[str], which: Which) -> Sequence[Totals]:
        """See `TotalsStore`."""
        text, values = totals_question(by, which)
        rows = await self._database.look_back(lambda connection: connection.execute(text, values).fetchall())
        return [totals_of(row, by) for row in rows]

    async def usages(
        self, which: Which, *, after: tuple[int, int] = (0, -1), limit: int = 10_000
    ) -> Sequence[AttemptUsage]:
        """See `TotalsStore`."""
        text, values = usages_question(which, after, limit)
        rows = await self._database.look_back(lambda connection: connection.execute(text, values).fetchall())
        return [AttemptUsage(*row) for row in rows]

    async def before(self, position: int, limit: int, which: Which) -> Page:
        """See `Browsing`."""

        def ask(connection: Connection) -> tuple[tuple[int, int], list[tuple[Any, ...]]]:
            ends = connection.execute(ENDS).fetchone()
            text, values = older_question(_COLUMNS, ends, position, limit, which)
            return ends, connection.execute(text, values).fetchall()

        ends, rows = await self._database.look_back(ask)
        found = [(row[0], msgspec.convert(row[1:], RequestRow, strict=False)) for row in rows]
        return older_page(ends, position, limit, found)

    async def search(
        self, search: Search, *, before: int = 0, limit: int = 100, seconds: float = TEXT_SECONDS
    ) -> Found:
        """See `Searching`."""
        return await find(self._source, search, before=before, limit=limit, seconds=seconds)

    async def _page(self, which: str, values: tuple[Any, ...]) -> Page:
        rows = await self._database.run(
            lambda connection: connection.execute(_REQUEST + which, values).fetchall()
        )
        # strict=False: SQLite keeps true and false as 1 and 0.
        found = [msgspec.convert(row[1:], RequestRow, strict=False) for row in rows]
        return Page(max((row[0] for row in rows), default=0), found)


def _last_stored(connection: Connection) -> int:
    (last,) = connection.execute("SELECT coalesce(max(stored), 0) FROM request").fetchone()
    return int(last)
