"""The whole file read once, for moving to another engine."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Sequence
from importlib.resources import files

from headgate.stores.backends.sqlite.connection import Database
from headgate.stores.backends.sqlite.file import unavailable
from headgate.stores.errors import StoreUnavailable
from headgate.stores.moving import Row

__all__ = ["SqliteOutlet"]

_ROWS_AT_ONCE = 500
_PIECE_BYTES = 4_000_000
_TABLE = re.compile(r'^CREATE TABLE "?(\w+)"?', re.MULTILINE)


class SqliteOutlet:
    """See `Outlet`. Reads the file as it was at the first question, whoever writes to it meanwhile."""

    def __init__(self, database: Database) -> None:
        """Brings an older file to the present schema. Raises StoreUnavailable, also if there is no file: none is made."""
        if not database.path.is_file():
            raise StoreUnavailable(f"database {database.path} is not there")
        self._path = database.path
        self._connection = database.open()
        self._run("BEGIN")

    def tables(self) -> Sequence[str]:
        """See `Outlet`."""
        # The file of statements has them in an order in which they can be made.
        return _TABLE.findall(files(__package__).joinpath("schema.sql").read_text(encoding="utf-8"))

    def columns(self, table: str) -> Sequence[str]:
        """See `Outlet`."""
        return [row[1] for row in self._run(f'PRAGMA table_info("{table}")').fetchall()]

    def count(self, table: str) -> int:
        """See `Outlet`."""
        (found,) = self._run(f'SELECT count(*) FROM "{table}"').fetchone()  # noqa: S608 - our own names
        return int(found)

    def rows(self, table: str) -> Iterator[Sequence[Row]]:
        """See `Outlet`."""
        names = ", ".join(f'"{name}"' for name in self.columns(table))
        pending: list[Row] = []
        size = 0
        for row in self._run(f'SELECT {names} FROM "{table}"'):  # noqa: S608 - our own names
            pending.append(row)
            size += sum(len(value) for value in row if isinstance(value, bytes | str))
            if len(pending) >= _ROWS_AT_ONCE or size >= _PIECE_BYTES:
                yield pending
                pending, size = [], 0
        if pending:
            yield pending

    def _run(self, statement: str) -> sqlite3.Cursor:
        try:
            return self._connection.execute(statement)
        except sqlite3.Error as error:
            raise unavailable(self._path, error) from error

    def close(self) -> None:
        """Let the file go."""
        self._connection.close()
