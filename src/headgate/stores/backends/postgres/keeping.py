"""Retention and deletion on a server. Old versions of rows stand in its files until it vacuums, which it does by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from headgate.stores.audit import AuditEntry
from headgate.stores.backends.postgres.audit import note
from headgate.stores.backends.postgres.charging import LOCK_WRITE
from headgate.stores.backends.postgres.connection import WRITE_SECONDS, Database
from headgate.stores.backends.postgres.contents import delete_contents, segments_of
from headgate.stores.backends.postgres.statements import numbered
from headgate.stores.backends.postgres.text import read as as_it_was
from headgate.stores.keeping import Change

if TYPE_CHECKING:
    from asyncpg import Connection

__all__ = ["PostgresKeeper"]

_SCOUR_SECONDS = 3600.0
_TOUCHED = (
    "request", "attempt", "content", "content_segment", "session", "spend", "failure", "score", "alert", "delivery",
    "receiver", "rule_state", "budget_use", "ledger_entry", "key", "audit", "answer", "answer_judgement",
)  # fmt: skip


class PostgresKeeper:
    """See `Keeper`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(self, text: str, values: Sequence[Any] = ()) -> Sequence[Sequence[Any]]:
        """See `Keeper`."""
        question, given = numbered(text, values)
        rows = await self._database.run(lambda one: one.fetch(question, *given), seconds=WRITE_SECONDS)
        return [tuple(as_it_was(each) if type(each) is str else each for each in row) for row in rows]

    async def alter(self, text: str, values: Sequence[Any] = ()) -> int:
        """See `Keeper`."""
        question, given = numbered(text, values)
        # `UPDATE 3`, `INSERT 0 1`
        said = await self._database.run(lambda one: one.execute(question, *given))
        return int(str(said).rpartition(" ")[2])

    async def change(
        self, changes: Sequence[Change], audit: AuditEntry | None = None, *, unlocked: str = ""
    ) -> None:
        """See `Keeper`."""

        async def ask(connection: Connection) -> None:
            async with connection.transaction():
                if unlocked:
                    await connection.execute(f'ALTER TABLE "{unlocked}" DISABLE TRIGGER USER')
                for text, rows in changes:
                    if rows:
                        question, _ = numbered(text, ())
                        await connection.executemany(question, [numbered("", row)[1] for row in rows])
                if unlocked:
                    await connection.execute(f'ALTER TABLE "{unlocked}" ENABLE TRIGGER USER')
                await note(connection, audit)

        if audit is not None or any(rows for _, rows in changes):
            await self._database.run(ask, seconds=WRITE_SECONDS)

    async def segments(self, hashes: Sequence[str]) -> Mapping[int, Sequence[str]]:
        """See `Keeper`."""
        return await self._database.run(lambda connection: segments_of(connection, hashes))

    async def drop(self, segment: int, hashes: Sequence[str], used_before: int) -> int:
        """See `Keeper`."""

        async def ask(connection: Connection) -> int:
            async with connection.transaction():
                # A writer that has just seen a content stored must not find it gone when its own request is.
                await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK_WRITE)
                return await delete_contents(connection, segment, hashes, used_before=used_before)

        return await self._database.run(ask, seconds=WRITE_SECONDS)

    async def scour(self, *, whole: bool) -> bool:
        """See `Keeper`. Not whole, old versions stand in the server's files until it has vacuumed and used the room again."""

        async def ask(connection: Connection) -> None:
            for table in _TOUCHED:
                await connection.execute(f'VACUUM FULL "{table}"')

        if whole:
            await self._database.run(ask, seconds=_SCOUR_SECONDS)
        return whole
