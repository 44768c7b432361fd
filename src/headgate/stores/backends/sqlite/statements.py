"""SQL of the span tables, spelt once from the fields of their rows."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count, islice
from sqlite3 import Connection
from typing import Any

import msgspec

__all__ = ["ROWS_AT_ONCE", "Insert", "column_list"]

ROWS_AT_ONCE = 128
_FEW = 16

_Plan = tuple[Sequence[int], Sequence[int], dict[int, str]]
"""The columns that are handed over once, the others, and the statement for so many rows."""


def column_list(row: type[msgspec.Struct]) -> str:
    """The row's fields as SQL names."""
    return ", ".join(f'"{name}"' for name in row.__struct_fields__)


class Insert:
    """Inserts rows of one table, those that are not there yet.

    Many rows a statement: the driver lets go of the interpreter's lock for each statement, and behind a busy event loop
    it waits up to 5 ms to get it back. With one statement a row the writer fell behind under load; with 128 rows instead
    of 32, and larger batches, a request costs 153 µs of CPU in all instead of 214, and the writer keeps up.

    What all rows of a statement have in common is handed over once: of the 90 values of a request and its attempt most are
    empty, or the same for all requests of a moment, and to hand one over costs about as much as to store it."""

    def __init__(self, table: str, columns: Sequence[str]) -> None:
        self._width = len(columns)
        names = ", ".join(f'"{name}"' for name in columns)
        self._head = f"INSERT OR IGNORE INTO {table} ({names}) VALUES "  # noqa: S608 - names are our own fields
        self._one = self._head + f"({', '.join('?' * self._width)})"
        self._plan = self._sharing(range(self._width))
        """All in one, as other connections may insert from threads of their own."""

    def _sharing(self, shared: Sequence[int]) -> _Plan:
        """These columns are handed over once a statement."""
        own = [place for place in range(self._width) if place not in shared]
        return (
            shared,
            own,
            {many: self._head + self._places(shared, own, many) for many in (ROWS_AT_ONCE, _FEW)},
        )

    def _places(self, shared: Sequence[int], own: Sequence[int], many: int) -> str:
        """Where the values of so many rows stand: first what they have in common, then the others column by column."""
        places = {place: [number] * many for number, place in enumerate(shared, 1)}
        following = count(len(shared) + 1)
        places |= {place: list(islice(following, many)) for place in own}
        rows = zip(*(places[place] for place in range(self._width)), strict=True)
        return ", ".join([f"({', '.join([f'?{number}' for number in row])})" for row in rows])

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
        width, many = self._width, len(rows)
        # One list: to cut a column out of it takes a tenth of making columns of rows.
        flat: list[Any] = []
        for row in rows:
            flat += row
        plan = self._plan
        shared = [place for place in plan[0] if flat[place::width].count(flat[place]) == many]
        if len(shared) < len(plan[0]):
            # Never more again: a statement of so many rows takes longer to prepare than to run, so there shall be few.
            plan = self._plan = self._sharing(shared)
        _, own, statements = plan
        values = [flat[place] for place in shared]
        for place in own:
            values += flat[place::width]
        connection.execute(statements[many], values)
