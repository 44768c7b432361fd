"""Retention and deletion in a file: what is freed is written over, and the log is copied into the file and emptied."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from headgate.stores.audit import AuditEntry
from headgate.stores.backends.sqlite.audit import note, transaction
from headgate.stores.backends.sqlite.connection import Database
from headgate.stores.backends.sqlite.contents import delete_contents, segments_of
from headgate.stores.backends.sqlite.file import set_pragma
from headgate.stores.exports import ExportMark
from headgate.stores.filling import FILL, Filling, filling_of
from headgate.stores.keeping import Change

__all__ = ["SqliteKeeper"]

_NEWEST = "SELECT coalesce(max(stored), 0) FROM request"
_FOLLOWING = "SELECT name, value FROM installation WHERE name = ? OR name >= 'export:' AND name < 'export;'"
_SET = "UPDATE installation SET value = ? WHERE name = ?"
_TRIGGERS = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = ?"


class SqliteKeeper:
    """See `Keeper`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self, text: str, values: Sequence[Any] = ()) -> Sequence[Sequence[Any]]:
        """See `Keeper`."""
        return await self._database.look_back(lambda connection: connection.execute(text, values).fetchall())

    async def alter(self, text: str, values: Sequence[Any] = ()) -> int:
        """See `Keeper`."""
        return await self._database.run(lambda connection: connection.execute(text, values).rowcount)

    async def change(
        self, changes: Sequence[Change], audit: AuditEntry | None = None, *, unlocked: str = ""
    ) -> None:
        """See `Keeper`."""

        def ask(connection: sqlite3.Connection) -> None:
            set_pragma(connection, "secure_delete=ON")
            with transaction(connection):
                newest = connection.execute(_NEWEST).fetchone()[0]
                locks = connection.execute(_TRIGGERS, (unlocked,)).fetchall() if unlocked else []
                for name, _ in locks:
                    connection.execute(f'DROP TRIGGER "{name}"')
                for text, rows in changes:
                    if rows:
                        connection.executemany(text, rows)
                for _, text in locks:
                    connection.execute(text)
                _give_back(connection, newest)
                note(connection, audit)

        if audit is not None or any(rows for _, rows in changes):
            await self._database.run(ask)

    async def segments(self, hashes: Sequence[str]) -> Mapping[int, Sequence[str]]:
        """See `Keeper`."""
        return await self._database.look_back(lambda connection: segments_of(connection, hashes))

    async def drop(self, segment: int, hashes: Sequence[str], used_before: int) -> int:
        """See `Keeper`."""

        def ask(connection: sqlite3.Connection) -> int:
            set_pragma(connection, "secure_delete=ON")
            with transaction(connection):
                return delete_contents(connection, segment, hashes, used_before=used_before)

        return await self._database.run(ask)

    async def scour(self, *, whole: bool) -> bool:
        """See `Keeper`."""

        def ask(connection: sqlite3.Connection) -> bool:
            if whole:
                connection.execute("VACUUM")
            (busy, _, _) = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            return not busy

        return await self._database.run(ask)


def _give_back(connection: sqlite3.Connection, newest: int) -> None:
    """A file gives the numbers of its last rows that were deleted to new rows: who follows them must not take those for known."""
    last: int = connection.execute(_NEWEST).fetchone()[0]
    if last >= newest:
        return
    for name, value in connection.execute(_FOLLOWING, (FILL,)).fetchall():
        if name == FILL:
            at = filling_of(value)
            if at.until > last:
                connection.execute(_SET, (Filling(min(at.position, last), last).encoded(), name))
            continue
        mark = msgspec.json.decode(value, type=ExportMark)
        if mark.position > last:
            moved = msgspec.structs.replace(mark, position=last)
            connection.execute(_SET, (msgspec.json.encode(moved), name))
