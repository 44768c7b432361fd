"""The ledger: movements of money, and what pots have spent."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any

from headgate.stores.audit import AuditEntry
from headgate.stores.backends.postgres.audit import note
from headgate.stores.backends.postgres.charging import LOCK_WRITE, enter, stored_calls, take
from headgate.stores.backends.postgres.connection import Database
from headgate.stores.backends.postgres.text import kept, read
from headgate.stores.ledger import Entry, Movement
from headgate.stores.ledger_checks import QUESTIONS, Question
from headgate.stores.movements import (
    calls_question,
    entries_question,
    entry_of,
    entry_of_orphan,
    in_order,
    movement,
    movement_of_entry,
    wants_calls,
    wants_entries,
)
from headgate.stores.purses import Orphan, PotKey
from headgate.stores.totals import Which

if TYPE_CHECKING:
    from asyncpg import Connection

__all__ = ["PostgresLedger"]

_REPORT_SECONDS = 120.0
"""Sums over months read a lot."""
_BYTEWISE = ' COLLATE "C"'
_DEPOSITS = (
    "SELECT budget, subject, -sum(nanos) FROM ledger_entry WHERE kind = 'deposit' GROUP BY budget, subject"
)
_USES = (
    "SELECT budget, subject, period, nanos FROM budget_use "
    "WHERE (period >= $1 OR period = 0) AND ($2::text = '' OR budget = $2)"
)


class PostgresLedger:
    """See `LedgerStore`, `UseStore` and `LedgerChecks`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def movements(
        self, which: Which, *, kinds: Sequence[str] = (), after: tuple[int, str] = (0, ""), limit: int = 1000
    ) -> Sequence[Movement]:
        """See `LedgerStore`."""
        found: list[Movement] = []
        if wants_calls(kinds):
            question = calls_question(which, after, limit, bytewise=_BYTEWISE)
            found += [movement(row) for row in await self._asked(*question)]
        if wants_entries(which, kinds):
            question = entries_question(which, kinds, after, limit, bytewise=_BYTEWISE)
            found += [movement_of_entry(entry_of(row)) for row in await self._asked(*question)]
        return in_order(found, after, limit)

    async def add(self, entries: Sequence[Entry], audit: AuditEntry | None = None) -> int:
        """See `LedgerStore`."""

        async def change(connection: Connection) -> int:
            async with connection.transaction():
                new = await enter(connection, entries)
                await note(connection, audit if new else None)
            return new

        return await self._database.run(change)

    async def orphaned(self, orphans: Sequence[Orphan]) -> int:
        """See `LedgerStore`."""

        async def change(connection: Connection) -> int:
            new = 0
            async with connection.transaction():
                # As writers do: an orphan's own record must come before this or after it, not beside it.
                await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK_WRITE)
                calls = [(one.holder.request_id, one.holder.attempt_id) for one in orphans]
                stored = await stored_calls(connection, calls)
                for one in orphans:
                    if one.holder.attempt_id in stored:
                        continue
                    if await enter(connection, [entry_of_orphan(one)]):
                        await take(connection, dict.fromkeys(one.pots, one.nanos))
                        new += 1
            return new

        return await self._database.run(change)

    async def deposits(self) -> Mapping[tuple[str, str], int]:
        """See `LedgerStore`."""
        rows = await self._database.run(lambda connection: connection.fetch(_DEPOSITS))
        return {(read(budget), read(subject)): int(nanos) for budget, subject, nanos in rows}

    async def uses(self, *, since: int, budget: str = "") -> Mapping[PotKey, int]:
        """See `LedgerStore`."""
        rows = await self._database.run(lambda connection: connection.fetch(_USES, since, kept(budget)))
        return {(read(name), read(subject), period): nanos for name, subject, period, nanos in rows}

    async def check(self, question: Question) -> Sequence[Sequence[Any]]:
        """See `LedgerChecks`."""
        return await self._asked(QUESTIONS[question], [])

    async def _asked(self, text: str, values: Sequence[Any]) -> list[list[Any]]:
        numbers = count(1)
        numbered = re.sub(r"\?", lambda _: f"${next(numbers)}", text)
        given = [kept(value) if isinstance(value, str) else value for value in values]
        rows = await self._database.run(
            lambda connection: connection.fetch(numbered, *given), seconds=_REPORT_SECONDS
        )
        return [[read(value) if type(value) is str else value for value in row] for row in rows]
