"""Spans out: short questions, each on a connection of its own for so long."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from headgate.stores.backends.postgres.connection import Database
from headgate.stores.backends.postgres.contents import read_content
from headgate.stores.backends.postgres.searching import PostgresSource
from headgate.stores.backends.postgres.statements import column_list, numbered, row_of
from headgate.stores.backends.postgres.text import read
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

if TYPE_CHECKING:
    from asyncpg import Connection

__all__ = ["PostgresSpans"]

_REPORT_SECONDS = 120.0
"""Sums over months read a lot."""
# Only names of our own fields go into these texts.
_COLUMNS = f"stored, {column_list(RequestRow)}"
_REQUEST = f"SELECT {_COLUMNS} FROM request "  # noqa: S608
_ATTEMPTS = f"SELECT {column_list(AttemptRow)} FROM attempt WHERE request_id = $1 ORDER BY number"  # noqa: S608


class PostgresSpans:
    """See `SpanStore`, `TotalsStore`, `Browsing` and `Searching`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._source = PostgresSource(database)

    async def request(self, request_id: int) -> RequestRow | None:
        """See `SpanStore`."""
        page = await self._page("WHERE id = $1", request_id)
        return page.rows[0] if page.rows else None

    async def attempts(self, request_id: int) -> Sequence[AttemptRow]:
        """See `SpanStore`."""

        async def ask(connection: Connection) -> list[AttemptRow]:
            return [row_of(AttemptRow, row) for row in await connection.fetch(_ATTEMPTS, request_id)]

        return await self._database.run(ask)

    async def content(self, content_hash: str) -> Content | None:
        """See `SpanStore`."""
        return await self._database.run(lambda connection: read_content(connection, content_hash))

    async def latest(self, limit: int) -> Page:
        """See `SpanStore`."""
        page = await self._page("ORDER BY stored DESC LIMIT $1", limit)
        position = page.position
        if not page.rows:
            position = await self._database.run(_last_stored)
        return Page(position, page.rows[::-1])

    async def after(self, position: int, limit: int) -> Page:
        """See `SpanStore`."""
        page = await self._page("WHERE stored > $1 ORDER BY stored LIMIT $2", position, limit)
        return Page(max(position, page.position), page.rows)

    async def totals(self, by: Sequence[str], which: Which) -> Sequence[Totals]:
        """See `TotalsStore`."""
        text, values = totals_question(by, which)
        rows = await self._asked(text, values)
        return [
            totals_of([read(value) if type(value) is str else value for value in row], by) for row in rows
        ]

    async def usages(
        self, which: Which, *, after: tuple[int, int] = (0, -1), limit: int = 10_000
    ) -> Sequence[AttemptUsage]:
        """See `TotalsStore`."""
        text, values = usages_question(which, after, limit)
        return [row_of(AttemptUsage, row) for row in await self._asked(text, values)]

    async def before(self, position: int, limit: int, which: Which) -> Page:
        """See `Browsing`."""

        async def ask(connection: Connection) -> tuple[tuple[int, int], list[Any]]:
            ends = tuple(await connection.fetchrow(ENDS))
            text, values = numbered(*older_question(_COLUMNS, ends, position, limit, which))
            return ends, await connection.fetch(text, *values)

        ends, rows = await self._database.run(ask)
        found = [(row[0], row_of(RequestRow, tuple(row)[1:])) for row in rows]
        return older_page(ends, position, limit, found)

    async def search(
        self, search: Search, *, before: int = 0, limit: int = 100, seconds: float = TEXT_SECONDS
    ) -> Found:
        """See `Searching`."""
        return await find(self._source, search, before=before, limit=limit, seconds=seconds)

    async def _asked(self, text: str, values: Sequence[Any]) -> list[Any]:
        question, given = numbered(text, values)
        return await self._database.run(
            lambda connection: connection.fetch(question, *given), seconds=_REPORT_SECONDS
        )

    async def _page(self, which: str, *values: Any) -> Page:
        async def ask(connection: Connection) -> Page:
            rows = await connection.fetch(_REQUEST + which, *values)
            found = [row_of(RequestRow, tuple(row)[1:]) for row in rows]
            return Page(max((row[0] for row in rows), default=0), found)

        return await self._database.run(ask)


async def _last_stored(connection: Connection) -> int:
    return int(await connection.fetchval("SELECT coalesce(max(stored), 0) FROM request"))
