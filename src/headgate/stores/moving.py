"""A whole installation from one store to another: table by table, in pieces, counted before it counts."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, Protocol

import msgspec

from headgate.stores.errors import StoreError

__all__ = ["Intake", "Moved", "Outlet", "Progress", "Row", "Target", "move"]

Progress = Callable[[str, int, int], None]
"""(table, rows of it so far, rows of it in all). Called from whatever thread does the work."""
Row = Sequence[Any]


class Moved(msgspec.Struct, frozen=True):
    """What was moved of one table."""

    table: str
    rows: int


class Outlet(Protocol):
    """The store that is read. Blocking. All raise StoreUnavailable."""

    def tables(self) -> Sequence[str]:
        """Its tables, those that others refer to before those others."""
        ...

    def columns(self, table: str) -> Sequence[str]:
        """Of one table."""
        ...

    def count(self, table: str) -> int:
        """Rows of one table."""
        ...

    def rows(self, table: str) -> Iterator[Sequence[Row]]:
        """Every row, in pieces of a few megabytes, the columns as `columns` has them."""
        ...


class Intake(Protocol):
    """The store that is filled, while it is. All raise StoreUnavailable."""

    async def take(self, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
        """Keep these rows."""
        ...

    async def count(self, table: str) -> int:
        """Rows of one table."""
        ...


class Target(Protocol):
    """A store that can be filled as a whole."""

    async def fill(self, work: Callable[[Intake], Awaitable[list[Moved]]]) -> list[Moved]:
        """What `work` puts in is kept if it ends well, and is as if it had never been if it does not. Raises StoreError if
        something is there already, StoreUnavailable."""
        ...


async def move(outlet: Outlet, target: Target, progress: Progress) -> list[Moved]:
    """Copy everything; the source stays as it is. Raises StoreError, and then the target is as it was before."""

    async def everything(intake: Intake) -> list[Moved]:
        return [await _table(table, outlet, intake, progress) for table in outlet.tables()]

    return await target.fill(everything)


async def _table(table: str, outlet: Outlet, intake: Intake, progress: Progress) -> Moved:
    columns, whole, done = outlet.columns(table), outlet.count(table), 0
    progress(table, 0, whole)
    for rows in outlet.rows(table):
        await intake.take(table, columns, rows)
        done += len(rows)
        progress(table, done, whole)
    kept = await intake.count(table)
    if not whole == done == kept:
        raise StoreError(
            f"table `{table}` had {whole} rows, {done} were read and {kept} were kept. Nothing was moved"
        )
    return Moved(table, kept)
