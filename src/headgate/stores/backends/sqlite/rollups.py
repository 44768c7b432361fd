"""Rollups out. Asked in a thread of their own: keys and budgets never wait for a plot, nor a plot for a report."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from sqlite3 import Connection
from typing import Any

import msgspec

from headgate.stores.backends.sqlite.audit import transaction
from headgate.stores.backends.sqlite.connection import Database
from headgate.stores.rolled import Rolls
from headgate.stores.rolled_ages import (
    ENDS,
    KEPT,
    expired,
    kept_after,
    kept_of,
)
from headgate.stores.rolled_lists import (
    ADD_GAUGE,
    ADD_MARK,
    GAUGES,
    failed_of,
    failures_question,
    gauge_of,
    mark_of,
    marks_question,
    session_of,
    sessions_question,
)
from headgate.stores.rolled_spend import (
    dearest_question,
    dimensions_question,
    spent_of,
    spent_question,
)
from headgate.stores.rolled_sql import whole_hours
from headgate.stores.rollups import (
    FAILURE_PARTS,
    HOUR,
    Ages,
    Failed,
    Gauge,
    Kept,
    Mark,
    Rolled,
    Scope,
    SessionRow,
    Spent,
)
from headgate.stores.weeks import WEEKS, with_weeks_until

__all__ = ["SqliteRollups"]

_SET = "INSERT OR REPLACE INTO installation (name, value) VALUES (?, ?)"


class SqliteRollups:
    """See `RollupStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def rolled(
        self, scope: Scope, *, step: int = 0, by: Sequence[str] = (), sketches: Collection[str] = ()
    ) -> Sequence[Rolled]:
        """See `RollupStore`."""
        rolls = Rolls(scope, step, by, sketches)

        def ask(connection: Connection) -> list[Rolled]:
            for piece in rolls.pieces(_kept(connection)):
                rolls.take_sums(connection.execute(*rolls.sums(piece)).fetchall())
                if rolls.wants_sketches:
                    rolls.take_sketches(connection.execute(*rolls.sketches(piece)).fetchall())
            return rolls.answer()

        return await self._database.glance(ask)

    async def spent(
        self,
        dimension: str,
        since: int,
        until: int,
        *,
        step: int = 0,
        limit: int = 100,
        values: Sequence[str] = (),
    ) -> Sequence[Spent]:
        """See `RollupStore`."""
        whole_hours(step)

        def ask(connection: Connection) -> list[Spent]:
            kept, only = with_weeks_until(_kept(connection), _weeks(connection)), list(values)[:limit]
            if not only:
                question = dearest_question(dimension, since, until, limit=limit, kept=kept)
                only = [row[0] for row in connection.execute(*question)] if question else []
            if not only:
                return []
            question = spent_question(dimension, since, until, step=step, values=only, kept=kept)
            return [spent_of(row) for row in connection.execute(*question)] if question else []

        return await self._database.glance(ask)

    async def dimensions(self, since: int, until: int) -> Sequence[str]:
        """See `RollupStore`."""
        text, values = dimensions_question(since, until)
        return await self._database.glance(
            lambda connection: [str(row[0]) for row in connection.execute(text, values)]
        )

    async def failures(
        self,
        since: int,
        until: int,
        *,
        step: int = 0,
        by: Sequence[str] = FAILURE_PARTS,
        only: Mapping[str, str] = {},
    ) -> Sequence[Failed]:
        """See `RollupStore`."""
        text, values = failures_question(
            since, until, step=step, by=by, only=only, by_users="INDEXED BY failure_users"
        )
        return await self._database.glance(
            lambda connection: [failed_of(row) for row in connection.execute(text, values)]
        )

    async def sessions(
        self, *, before_ns: int = 0, before: str = "", limit: int = 50, only: Mapping[str, str] = {}
    ) -> Sequence[SessionRow]:
        """See `RollupStore`."""
        text, values = sessions_question(before_ns, before, limit, only)
        return await self._database.glance(
            lambda connection: [session_of(row) for row in connection.execute(text, values)]
        )

    async def marks(self, since_ns: int, until_ns: int, limit: int = 200) -> Sequence[Mark]:
        """See `RollupStore`."""
        text, values = marks_question(since_ns, until_ns, limit)
        rows = await self._database.glance(lambda connection: connection.execute(text, values).fetchall())
        return [mark_of(row) for row in reversed(rows)]

    async def add_marks(self, marks: Sequence[Mark]) -> None:
        """See `RollupStore`."""
        rows = [(mark.event, mark.at_ns, mark.kind, mark.subject, mark.text) for mark in marks]

        def change(connection: Connection) -> None:
            with transaction(connection):
                connection.executemany(ADD_MARK, rows)

        await self._database.run(change)

    async def gauges(self, name: str, since: int, until: int) -> Sequence[Gauge]:
        """See `RollupStore`."""
        return await self._database.glance(
            lambda connection: [gauge_of(row) for row in connection.execute(GAUGES, (name, since, until))]
        )

    async def add_gauges(self, gauges: Sequence[Gauge]) -> None:
        """See `RollupStore`."""
        rows = [(gauge.at, gauge.name, gauge.node, gauge.value) for gauge in gauges]

        def change(connection: Connection) -> None:
            with transaction(connection):
                connection.executemany(ADD_GAUGE, rows)

        await self._database.run(change)

    async def sweep(self, ages: Ages, limit: int = 2_000) -> int:
        """See `RollupStore`."""

        def change(connection: Connection) -> int:
            deleted = 0
            with transaction(connection):
                kept = kept_after(_kept(connection), ages)
                connection.execute(_SET, (KEPT, msgspec.msgpack.encode(kept)))
                every = dimensions_question(0, ages.hours_before, HOUR)
                for one in expired(ages, [row[0] for row in connection.execute(*every)]):
                    cut: Any = connection.execute(*one.cut(limit - deleted)).fetchone()
                    deleted += connection.execute(*one.delete(cut[0] if cut else None)).rowcount
                    if deleted >= limit:
                        break
            return deleted

        return await self._database.run(change)


def _weeks(connection: Connection) -> bytes | None:
    row: Any = connection.execute("SELECT value FROM installation WHERE name = ?", (WEEKS,)).fetchone()
    return row[0] if row else None


def _kept(connection: Connection) -> Kept:
    row = connection.execute("SELECT value FROM installation WHERE name = ?", (KEPT,)).fetchone()
    return kept_of(row[0] if row else None, connection.execute(ENDS).fetchone()[0])
