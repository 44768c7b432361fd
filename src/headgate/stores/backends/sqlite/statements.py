"""SQL of the span tables, spelt once from the fields of their rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from sqlite3 import Connection
from typing import Any

import msgspec

__all__ = ["ROWS_AT_ONCE", "Insert", "column_list"]

ROWS_AT_ONCE = 128
_FEW = 16


def column_list(row: type[msgspec.Struct]) -> str:
    """The row's fields as SQL names."""
    return ", ".join(f'"{name}"' for name in row.__struct_fields__)


class Insert:
    """Inserts rows of one table, those that are not there yet.

    Many rows a statement: the driver lets go of the interpreter's lock for each statement, and behind a busy event loop
    it waits up to 5 ms to get it back. With one statement a row the writer fell behind under load; with 128 rows instead
    of 32, and larger batches, a request costs 153 µs of CPU in all instead of 214, and the writer keeps up.

    What is the same in all rows of a statement is handed over once: of the 90 values of a request and its attempt most are
    empty, or the same for all requests of a moment, and to hand over one costs as much as to store it."""

    def __init__(self, table: str, columns: Sequence[str]) -> None:
        self._width = len(columns)
        names = ", ".join(f'"{name}"' for name in columns)
        self._head = f"INSERT OR IGNORE INTO {table} ({names}) VALUES "  # noqa: S608 - names are our own fields
        self._one = self._head + f"({', '.join('?' * self._width)})"
        self._alike = list(range(self._width))
        """Columns that were the same in all rows of every statement until now. Never more than before: a statement of so many rows
        takes longer to prepare than to run."""
        self._many: dict[int, str] = {}
        """By number of rows."""

    def run(self, connection: Connection, rows: Sequence[Sequence[Any]]) -> None:
        """Insert `rows`, each in the order of the columns."""
        start = 0
        for many in (ROWS_AT_ONCE, _FEW):
            while len(rows) - start >= many:
                self._insert(connection, rows[start : start + many])
                start += many
        if start < len(rows):
            connection.executemany(self._one, rows[start:])

    def _insert(self, connection: Connection, rows: Sequence[Sequence[Any]]) -> None:
        columns = list(zip(*rows, strict=True))
        many = len(rows)
        alike = [place for place in self._alike if columns[place].count(columns[place][0]) == many]
        if len(alike) < len(self._alike):
            self._alike = alike
            self._many.clear()
        statement = self._many.get(many)
        if statement is None:
            statement = self._many[many] = self._head + self._places(many)
        values = [columns[place][0] for place in alike]
        for place in reversed(alike):
            del columns[place]
        values.extend(chain.from_iterable(zip(*columns, strict=True)))
        connection.execute(statement, values)

    def _places(self, many: int) -> str:
        """Where the values of so many rows stand: first those that all of them have, then those of each row."""
        alike = {place: number for number, place in enumerate(self._alike, 1)}
        own = iter(range(len(alike) + 1, len(alike) + 1 + many * (self._width - len(alike))))
        return ", ".join(_row(alike.get(place) or next(own) for place in range(self._width)) for _ in range(many))


def _row(numbers: Iterable[int]) -> str:
    return f"({', '.join([f'?{number}' for number in numbers])})"
