"""The database file, asked questions in threads of their own."""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from headgate.stores.backends.sqlite.file import DatabaseFile, unavailable

__all__ = ["Database", "Line"]

T = TypeVar("T")


class Database(DatabaseFile):
    """One file and what is needed to talk to it."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        # One thread: SQLite has one writer anyway, and most reads are short.
        self._line = Line(self, "headgate-database")
        # A sum over months takes seconds, and a key that was revoked must not stay valid for so long.
        self._long_line = Line(self, "headgate-reports")
        # Nor a plot wait for a search through every answer.
        self._short_line = Line(self, "headgate-plots")

    async def run(self, question: Callable[[sqlite3.Connection], T]) -> T:
        """Ask in the database's own thread. Raises StoreUnavailable."""
        return await self._line.run(question)

    async def look_back(self, question: Callable[[sqlite3.Connection], T]) -> T:
        """Ask what may take long and changes nothing: only others of that kind wait for it. Raises StoreUnavailable."""
        return await self._long_line.run(question)

    async def glance(self, question: Callable[[sqlite3.Connection], T]) -> T:
        """Ask what pages show, which takes no longer than they may and changes nothing. Raises StoreUnavailable."""
        return await self._short_line.run(question)

    def line(self, name: str) -> Line:
        """A connection with a thread of its own, for one that closes it."""
        return Line(self, name)

    async def probe(self) -> None:
        """A real write and read, for `/readyz`. Raises StoreUnavailable."""
        await self.run(_write_and_read)

    async def close(self) -> None:
        """Finish what is being asked and let go. Idempotent; a later question opens anew."""
        await self._short_line.close()
        await self._long_line.close()
        await self._line.close()


class Line:
    """A connection, and the one thread that uses it. Both are made when something is asked."""

    def __init__(self, database: Database, name: str) -> None:
        self._database = database
        self._name = name
        self._connection: sqlite3.Connection | None = None
        self._thread: ThreadPoolExecutor | None = None

    async def run(self, question: Callable[[sqlite3.Connection], T]) -> T:
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix=self._name)
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._ask, question)

    def _ask(self, question: Callable[[sqlite3.Connection], T]) -> T:
        if self._connection is None:
            self._connection = self._database.open()
        try:
            return question(self._connection)
        except sqlite3.IntegrityError:
            raise
        except sqlite3.Error as error:
            raise unavailable(self._database.path, error) from error

    async def close(self) -> None:
        thread, self._thread = self._thread, None
        if thread is not None:
            await asyncio.get_running_loop().run_in_executor(thread, self._let_go)
            thread.shutdown(wait=True)

    def _let_go(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _write_and_read(connection: sqlite3.Connection) -> None:
    stamp = os.urandom(8)
    connection.execute("INSERT OR REPLACE INTO installation (name, value) VALUES ('probe', ?)", (stamp,))
    row = connection.execute("SELECT value FROM installation WHERE name = 'probe'").fetchone()
    if row is None:
        raise sqlite3.OperationalError("a row that was just written is not there")
