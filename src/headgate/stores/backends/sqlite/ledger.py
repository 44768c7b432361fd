"""The ledger: movements of money, and what pots have spent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from sqlite3 import Connection
from typing import Any

from headgate.stores.audit import AuditEntry
from headgate.stores.backends.sqlite.audit import note, transaction
from headgate.stores.backends.sqlite.charging import enter, stored_calls, take
from headgate.stores.backends.sqlite.connection import Database
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

__all__ = ["SqliteLedger"]

_DEPOSITS = (
    "SELECT budget, subject, -sum(nanos) FROM ledger_entry WHERE kind = 'deposit' GROUP BY budget, subject"
)
_USES = (
    "SELECT budget, subject, period, nanos FROM budget_use "
    "WHERE (period >= ? OR period = 0) AND (? = '' OR budget = ?)"
)


class SqliteLedger:
    """See `LedgerStore`, `UseStore` and `LedgerChecks`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def movements(
        self, which: Which, *, kinds: Sequence[str] = (), after: tuple[int, str] = (0, ""), limit: int = 1000
    ) -> Sequence[Movement]:
        """See `LedgerStore`."""

        def ask(connection: Connection) -> list[Movement]:
            found: list[Movement] = []
            if wants_calls(kinds):
                rows = connection.execute(*calls_question(which, after, limit)).fetchall()
                found += [movement(row) for row in rows]
            if wants_entries(which, kinds):
                rows = connection.execute(*entries_question(which, kinds, after, limit)).fetchall()
                found += [movement_of_entry(entry_of(row)) for row in rows]
            return in_order(found, after, limit)

        return await self._database.look_back(ask)

    async def add(self, entries: Sequence[Entry], audit: AuditEntry | None = None) -> int:
        """See `LedgerStore`."""

        def change(connection: Connection) -> int:
            with transaction(connection):
                new = enter(connection, entries)
                note(connection, audit if new else None)
            return new

        return await self._database.run(change)

    async def orphaned(self, orphans: Sequence[Orphan]) -> int:
        """See `LedgerStore`."""

        def change(connection: Connection) -> int:
            with transaction(connection):
                calls = [(one.holder.request_id, one.holder.attempt_id) for one in orphans]
                stored, new = stored_calls(connection, calls), 0
                for one in orphans:
                    if one.holder.attempt_id not in stored and enter(connection, [entry_of_orphan(one)]):
                        take(connection, dict.fromkeys(one.pots, one.nanos))
                        new += 1
            return new

        return await self._database.run(change)

    async def deposits(self) -> Mapping[tuple[str, str], int]:
        """See `LedgerStore`."""
        rows: list[Any] = await self._database.run(lambda one: one.execute(_DEPOSITS).fetchall())
        return {(budget, subject): nanos for budget, subject, nanos in rows}

    async def uses(self, *, since: int, budget: str = "") -> Mapping[PotKey, int]:
        """See `LedgerStore`."""
        values = (since, budget, budget)
        rows: list[Any] = await self._database.run(lambda one: one.execute(_USES, values).fetchall())
        return {(name, subject, period): nanos for name, subject, period, nanos in rows}

    async def check(self, question: Question) -> Sequence[Sequence[Any]]:
        """See `LedgerChecks`."""
        text = QUESTIONS[question]
        rows: list[Any] = await self._database.look_back(lambda one: one.execute(text).fetchall())
        return rows
