"""Spans in: batches from the writer's thread, one transaction each."""

from __future__ import annotations

import sqlite3
import time
from typing import Any

import msgspec

from headgate.stores.backends.sqlite.adding_up import AddingUp
from headgate.stores.backends.sqlite.charging import charge
from headgate.stores.backends.sqlite.contents import ContentWriter
from headgate.stores.backends.sqlite.file import DatabaseFile, unavailable
from headgate.stores.backends.sqlite.statements import Insert
from headgate.stores.errors import StoreRefused
from headgate.stores.filling import FILL_AT_ONCE
from headgate.stores.retention import LOOK_AGAIN, came_late
from headgate.stores.sink import Batch, Position
from headgate.stores.spans import AttemptRow, RequestRow

__all__ = ["SqliteSink"]

_REQUESTS = Insert("request", RequestRow.__struct_fields__)
_ATTEMPTS = Insert("attempt", AttemptRow.__struct_fields__)
_SET_POSITION = 'INSERT OR REPLACE INTO journal_position (journal, segment, "offset") VALUES (?, ?, ?)'
_GET_POSITION = 'SELECT segment, "offset" FROM journal_position WHERE journal = ?'

_astuple = msgspec.structs.astuple


class SqliteSink:
    """The one that writes spans. Belongs to one thread; connects when first used, so that this happens there."""

    def __init__(self, database: DatabaseFile) -> None:
        self._database = database
        self._connection: sqlite3.Connection | None = None
        self._contents = ContentWriter()
        self._rollups = AddingUp()
        self._doubtful = False
        """Of the last batch nobody knows whether it was stored: the error may have come after the commit."""

    def write(self, batch: Batch) -> None:
        """See `SpanSink`."""
        connection = self._open()
        try:
            # IMMEDIATE: waits for another process's transaction here, and never fails half-way for having only read before.
            connection.execute("BEGIN IMMEDIATE")
            again = batch.recovered or self._doubtful
            if batch.uses:
                charge(connection, batch, again=again)
            if again and came_late(batch.requests, time.time_ns()):
                connection.execute(LOOK_AGAIN)
            self._rollups.add(connection, batch, again=again)
            _REQUESTS.run(connection, [_astuple(row) for row in batch.requests])
            _ATTEMPTS.run(connection, [_astuple(row) for row in batch.attempts])
            self._contents.write(connection, batch.contents, batch.requests)
            connection.execute(_SET_POSITION, (batch.journal, batch.position.segment, batch.position.offset))
            connection.execute("COMMIT")
        except BaseException as error:
            self._contents.rolled_back()
            self._rollups.forget()
            self._doubtful = True
            # Closing rolls back; the next batch finds out afresh what there is, also if the file was replaced.
            self.close()
            if isinstance(error, sqlite3.Error):
                raise unavailable(self._database.path, error) from error
            if isinstance(error, OverflowError | UnicodeError):
                # What Python can hold and a column cannot: a number of more than 64 bits, half a character.
                raise StoreRefused(f"database {self._database.path}: {error}") from error
            raise
        self._contents.committed()
        self._doubtful = False

    def fill(self, limit: int = FILL_AT_ONCE) -> bool:
        """See `SpanSink`."""
        connection = self._open()
        try:
            connection.execute("BEGIN IMMEDIATE")
            at = self._rollups.fill(connection, limit)
            connection.execute("COMMIT")
        except BaseException as error:
            self._rollups.forget()
            self.close()
            if isinstance(error, sqlite3.Error):
                raise unavailable(self._database.path, error) from error
            raise
        return not at.done

    def position(self, journal: str) -> Position:
        """See `SpanSink`."""
        row: Any = self._run(_GET_POSITION, (journal,)).fetchone()
        return Position(*row) if row else Position()

    def forget(self, journal: str) -> None:
        """See `SpanSink`."""
        self._run("DELETE FROM journal_position WHERE journal = ?", (journal,))

    def _run(self, statement: str, values: tuple[Any, ...]) -> sqlite3.Cursor:
        try:
            return self._open().execute(statement, values)
        except sqlite3.Error as error:
            raise unavailable(self._database.path, error) from error

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = self._database.open()
        return self._connection

    def close(self) -> None:
        """See `SpanSink`."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()
