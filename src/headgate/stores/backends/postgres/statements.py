"""SQL of the span tables, spelt once from the fields of their rows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import count
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from headgate.stores.backends.postgres.text import kept, kept_column, read

if TYPE_CHECKING:
    from asyncpg import Connection

__all__ = ["Insert", "column_list", "numbered", "row_of"]

R = TypeVar("R", bound=msgspec.Struct)


def column_list(row: type[msgspec.Struct]) -> str:
    """The row's fields as SQL names."""
    return ", ".join(f'"{name}"' for name in row.__struct_fields__)


def row_of(kind: type[R], values: Sequence[Any]) -> R:
    """A row from its columns, in their order."""
    return kind(*[read(value) if type(value) is str else value for value in values])


def numbered(text: str, values: Sequence[Any]) -> tuple[str, list[Any]]:
    """A question as this engine wants it: numbers for `?`, texts as they are kept."""
    numbers = count(1)
    return (
        re.sub(r"\?", lambda _: f"${next(numbers)}", text),
        [kept(value) if isinstance(value, str) else value for value in values],
    )


class Insert:
    """Inserts rows of one table, those that are not there yet, in one statement: a list for each column."""

    def __init__(self, table: str, kind: type[msgspec.Struct]) -> None:
        types = [_type(field.type) for field in msgspec.structs.fields(kind)]
        self._texts = [index for index, each in enumerate(types) if each == "text"]
        arrays = ", ".join(f"${number}::{each}[]" for number, each in enumerate(types, 1))
        # In the order of the rows: `stored` is given to them as they come out of here.
        self._statement = (
            f"INSERT INTO {table} ({column_list(kind)}) SELECT * FROM unnest({arrays}) ON CONFLICT DO NOTHING"  # noqa: S608
        )

    async def run(self, connection: Connection, rows: Sequence[msgspec.Struct]) -> None:
        """Insert `rows`."""
        if not rows:
            return
        columns: list[Sequence[Any]] = list(zip(*[msgspec.structs.astuple(row) for row in rows], strict=True))
        for index in self._texts:
            columns[index] = kept_column(columns[index])
        await connection.execute(self._statement, *columns)


def _type(kind: object) -> str:
    if kind is bool:
        return "boolean"
    return "bigint" if kind in (int, int | None) else "text"
