"""Retention and deletion in a file: what is freed is written over, and the log is copied into the file and emptied."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from headgate.stores.audit import AuditEntry
from headgate.stores.backends.sqlite.audit import note, transaction
from headgate.stores.backends.sqlite.connection import Database, set_pragma
from headgate.stores.backends.sqlite.contents import delete_contents, segments_of
from headgate.stores.keeping import Change

__all__ = ["SqliteKeeper"]

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
                locks = connection.execute(_TRIGGERS, (unlocked,)).fetchall() if unlocked else []
                for name, _ in locks:
                    connection.execute(f'DROP TRIGGER "{name}"')
                for text, rows in changes:
                    if rows:
                        connection.executemany(text, rows)
                for _, text in locks:
                    connection.execute(text)
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
