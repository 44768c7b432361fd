"""Rollups out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from headgate.stores.backends.postgres.charging import LOCK_WRITE
from headgate.stores.backends.postgres.connection import Database
from headgate.stores.backends.postgres.statements import numbered
from headgate.stores.backends.postgres.text import read
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
from headgate.stores.rolled_sql import Question, whole_hours
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

if TYPE_CHECKING:
    from asyncpg import Connection

__all__ = ["PostgresRollups"]

T = TypeVar("T")
_SET = (
    "INSERT INTO installation (name, value) VALUES ($1, $2) "
    "ON CONFLICT (name) DO UPDATE SET value = excluded.value"
)


class PostgresRollups:
    """See `RollupStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def rolled(
        self, scope: Scope, *, step: int = 0, by: Sequence[str] = (), sketches: Collection[str] = ()
    ) -> Sequence[Rolled]:
        """See `RollupStore`."""
        rolls = Rolls(scope, step, by, sketches)

        async def ask(connection: Connection) -> list[Rolled]:
            for piece in rolls.pieces(await _kept(connection)):
                rolls.take_sums(await _rows(connection, rolls.sums(piece)))
                if rolls.wants_sketches:
                    rolls.take_sketches(await _rows(connection, rolls.sketches(piece)))
            return rolls.answer()

        return await self._database.run(ask)

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

        async def ask(connection: Connection) -> list[Spent]:
            weeks = await connection.fetchval("SELECT value FROM installation WHERE name = $1", WEEKS)
            kept, only = with_weeks_until(await _kept(connection), weeks), list(values)[:limit]
            if not only and not step:
                # It groups by hashes: all sums at once are quicker than a look for the sums of each of the dearest.
                question = spent_question(dimension, since, until, step=0, values=(), kept=kept, limit=limit)
                return [spent_of(row) for row in await _rows(connection, question)] if question else []
            if not only:
                question = dearest_question(dimension, since, until, limit=limit, kept=kept)
                only = [row[0] for row in await _rows(connection, question)] if question else []
            if not only:
                return []
            question = spent_question(dimension, since, until, step=step, values=only, kept=kept)
            return [spent_of(row) for row in await _rows(connection, question)] if question else []

        return await self._database.run(ask)

    async def dimensions(self, since: int, until: int) -> Sequence[str]:
        """See `RollupStore`."""
        return await self._asked(dimensions_question(since, until), lambda row: str(row[0]))

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
        return await self._asked(failures_question(since, until, step=step, by=by, only=only), failed_of)

    async def sessions(
        self, *, before_ns: int = 0, before: str = "", limit: int = 50, only: Mapping[str, str] = {}
    ) -> Sequence[SessionRow]:
        """See `RollupStore`."""
        question = sessions_question(before_ns, before, limit, only, bytewise=' COLLATE "C"')
        return await self._asked(question, session_of)

    async def marks(self, since_ns: int, until_ns: int, limit: int = 200) -> Sequence[Mark]:
        """See `RollupStore`."""
        return (await self._asked(marks_question(since_ns, until_ns, limit), mark_of))[::-1]

    async def add_marks(self, marks: Sequence[Mark]) -> None:
        """See `RollupStore`."""
        await self._change(
            [(ADD_MARK, [mark.event, mark.at_ns, mark.kind, mark.subject, mark.text]) for mark in marks]
        )

    async def gauges(self, name: str, since: int, until: int) -> Sequence[Gauge]:
        """See `RollupStore`."""
        return await self._asked((GAUGES, [name, since, until]), gauge_of)

    async def add_gauges(self, gauges: Sequence[Gauge]) -> None:
        """See `RollupStore`."""
        await self._change([(ADD_GAUGE, [gauge.at, gauge.name, gauge.node, gauge.value]) for gauge in gauges])

    async def sweep(self, ages: Ages, limit: int = 2_000) -> int:
        """See `RollupStore`."""

        async def change(connection: Connection) -> int:
            deleted = 0
            async with connection.transaction():
                # Not while a batch adds to what is deleted.
                await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK_WRITE)
                kept = kept_after(await _kept(connection), ages)
                await connection.execute(_SET, KEPT, msgspec.msgpack.encode(kept))
                every = await _rows(connection, dimensions_question(0, ages.hours_before, HOUR))
                for one in expired(ages, [row[0] for row in every]):
                    cut = await _rows(connection, one.cut(limit - deleted))
                    text, values = numbered(*one.delete(cut[0][0] if cut else None))
                    told = await connection.execute(text, *values)
                    deleted += int(told.rpartition(" ")[2])
                    if deleted >= limit:
                        break
            return deleted

        return await self._database.run(change)

    async def _asked(self, question: Question, made: Callable[[Sequence[Any]], T]) -> list[T]:
        async def ask(connection: Connection) -> list[T]:
            return [made(row) for row in await _rows(connection, question)]

        return await self._database.run(ask)

    async def _change(self, changes: Sequence[Question]) -> None:
        async def change(connection: Connection) -> None:
            async with connection.transaction():
                for text, values in changes:
                    asked, given = numbered(text, values)
                    await connection.execute(asked, *given)

        await self._database.run(change)


async def _rows(connection: Connection, question: Question) -> list[list[Any]]:
    text, values = numbered(*question)
    rows = await connection.fetch(text, *values)
    return [[read(value) if type(value) is str else value for value in row] for row in rows]


async def _kept(connection: Connection) -> Kept:
    data = await connection.fetchval("SELECT value FROM installation WHERE name = $1", KEPT)
    return kept_of(data, await connection.fetchval(ENDS))
