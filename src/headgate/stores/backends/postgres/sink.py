"""Spans in: batches from the writer's thread, one transaction each."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from headgate.stores.backends.postgres.adding_up import AddingUp
from headgate.stores.backends.postgres.charging import LOCK_WRITE, charge
from headgate.stores.backends.postgres.connection import WRITE_SECONDS, Database
from headgate.stores.backends.postgres.contents import ContentWriter
from headgate.stores.backends.postgres.statements import Insert
from headgate.stores.filling import FILL_AT_ONCE
from headgate.stores.retention import LOOK_AGAIN, came_late
from headgate.stores.sink import Batch, Position
from headgate.stores.spans import AttemptRow, RequestRow

if TYPE_CHECKING:
    from asyncpg import Connection

__all__ = ["PostgresSink"]

_REQUESTS = Insert("request", RequestRow)
_ATTEMPTS = Insert("attempt", AttemptRow)
_SET_POSITION = (
    'INSERT INTO journal_position (journal, segment, "offset") VALUES ($1, $2, $3) '
    'ON CONFLICT (journal) DO UPDATE SET segment = excluded.segment, "offset" = excluded."offset"'
)
_GET_POSITION = 'SELECT segment, "offset" FROM journal_position WHERE journal = $1'


class PostgresSink:
    """The one that writes spans, of this process: others do the same on the same database. Belongs to one thread."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._contents = ContentWriter()
        self._rollups = AddingUp()
        self._doubtful = False
        """Of the last batch nobody knows whether it was stored: the line may have been cut after the commit."""

    def write(self, batch: Batch) -> None:
        """See `SpanSink`."""

        async def store(connection: Connection) -> None:
            async with connection.transaction():
                # One batch at a time, of all nodes: numbers of `stored` are given before a transaction ends, and who
                # follows them would pass over a batch whose numbers are lower and which ends later.
                await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK_WRITE)
                again = batch.recovered or self._doubtful
                if batch.uses:
                    await charge(connection, batch, again=again)
                if again and came_late(batch.requests, time.time_ns()):
                    await connection.execute(LOOK_AGAIN)
                await self._rollups.add(connection, batch, again=again)
                await _REQUESTS.run(connection, batch.requests)
                await _ATTEMPTS.run(connection, batch.attempts)
                await self._contents.write(connection, batch.contents, batch.requests)
                position = batch.position
                await connection.execute(_SET_POSITION, batch.journal, position.segment, position.offset)

        try:
            self._database.ask(store, seconds=WRITE_SECONDS)
        except BaseException:
            self._contents.rolled_back()
            self._rollups.forget()
            self._doubtful = True
            raise
        self._contents.committed()
        self._doubtful = False

    def fill(self, limit: int = FILL_AT_ONCE) -> bool:
        """See `SpanSink`."""

        async def some(connection: Connection) -> bool:
            async with connection.transaction():
                return not (await self._rollups.fill(connection, limit)).done

        return self._database.ask(some, seconds=WRITE_SECONDS)

    def position(self, journal: str) -> Position:
        """See `SpanSink`."""

        async def ask(connection: Connection) -> Position:
            row = await connection.fetchrow(_GET_POSITION, journal)
            return Position(*row) if row else Position()

        return self._database.ask(ask)

    def forget(self, journal: str) -> None:
        """See `SpanSink`."""

        async def ask(connection: Connection) -> None:
            await connection.execute("DELETE FROM journal_position WHERE journal = $1", journal)

        self._database.ask(ask)

    def close(self) -> None:
        """See `SpanSink`. The connections are the database's; what was seen may be another's by the next time."""
        self._contents = ContentWriter()
