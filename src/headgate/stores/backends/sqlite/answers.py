"""Answers in the database's file. Three connections of their own: who looks for one waits neither for those that are written nor
for a search through all of them, and the writer of records for none of it longer than a batch takes."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from headgate.stores.answer_table import AnswerTable, Look
from headgate.stores.answer_tiers import TieredAnswers
from headgate.stores.answers import CacheEntry
from headgate.stores.backends.sqlite.audit import transaction
from headgate.stores.backends.sqlite.connection import Database
from headgate.stores.backends.sqlite.file import set_pragma
from headgate.stores.backends.sqlite.walking import walk
from headgate.stores.steps import Steps

__all__ = ["SqliteAnswers", "sqlite_answers"]

T = TypeVar("T")


def sqlite_answers(
    database: Database, *, memory_bytes: int, most_bytes: int, now_ns: Callable[[], int] = time.time_ns
) -> TieredAnswers:
    """Answers in the file, with those asked for lately in memory."""
    table = AnswerTable(SqliteAnswers(database), most_bytes, now_ns=now_ns)
    return TieredAnswers(table, memory_bytes=memory_bytes, most_bytes=most_bytes, alone=True, now_ns=now_ns)


class SqliteAnswers:
    """See `AnswerEngine`."""

    def __init__(self, database: Database) -> None:
        self._reading = database.line("headgate-answers")
        self._writing = database.line("headgate-answers-writer")
        self._looking = database.line("headgate-answers-search")

    async def look(self, steps: Steps[T], at: Look) -> T:
        """See `AnswerEngine`."""
        line = self._looking if at == "all" else self._reading
        return await line.run(lambda connection: walk(connection, steps))

    async def look_at_once(self, steps: Steps[T]) -> T:
        """See `AnswerEngine`."""

        def ask(connection: sqlite3.Connection) -> T:
            connection.execute("BEGIN")
            try:
                return walk(connection, steps)
            finally:
                connection.execute("COMMIT")

        return await self._reading.run(ask)

    async def change(self, steps: Steps[T], *, overwrite: bool = False) -> T:
        """See `AnswerEngine`."""

        def ask(connection: sqlite3.Connection) -> T:
            if not overwrite:
                with transaction(connection):
                    return walk(connection, steps)
            set_pragma(connection, "secure_delete=ON")
            try:
                with transaction(connection):
                    return walk(connection, steps)
            finally:
                set_pragma(connection, "secure_delete=FAST")

        return await self._writing.run(ask)

    async def put(self, steps: Steps[tuple[int, int]], entries: Sequence[CacheEntry]) -> tuple[int, int]:  # noqa: ARG002 - as below
        """See `AnswerEngine`."""
        return await self.change(steps)

    async def nearest(
        self,
        compat: bytes,  # noqa: ARG002 - as below
        embedder: str,  # noqa: ARG002 - as below
        vector: bytes,  # noqa: ARG002 - as below
        count: int,  # noqa: ARG002 - this engine knows no vectors
    ) -> None:
        """See `AnswerEngine`."""
        return

    async def catch_up(self) -> int:
        """See `AnswerEngine`."""
        return 0

    async def aclose(self) -> None:
        """See `AnswerEngine`."""
        for line in (self._reading, self._writing, self._looking):
            await line.close()
