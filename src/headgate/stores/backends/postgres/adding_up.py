"""What batches add to rollups, inside their transaction and under the writers' lock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from headgate.stores.adding_up import Added, Names, Rolling, RollupKey, add_up, merge_counts
from headgate.stores.backends.postgres.charging import LOCK_WRITE
from headgate.stores.backends.postgres.statements import column_list, numbered, row_of
from headgate.stores.backends.postgres.text import kept_column
from headgate.stores.filling import FILL, Filling, filling_of, started_filling
from headgate.stores.noticing import NOTICED, Noticing
from headgate.stores.rolled_lists import ADD_MARK
from headgate.stores.rolled_spend import SPENT_SUMS, dimensions_question
from headgate.stores.rollups import SUMS, WEEK, SessionRow, decoded_sketches, encoded_sketches
from headgate.stores.sink import Batch
from headgate.stores.spans import AttemptRow, RequestRow
from headgate.stores.weeks import (
    EARLIEST,
    WEEKS,
    encoded_weeks,
    fold_question,
    folded_until,
    is_over,
    week_of,
    with_weeks,
)

if TYPE_CHECKING:
    from asyncpg import Connection

__all__ = ["AddingUp"]

_KEY = ("seconds", "at", "feature", "model", "provider", "outcome", "purpose")
_TEXTS = _KEY[2:]


def _more(table: str, names: Sequence[str]) -> str:
    return ", ".join(f"{name} = {table}.{name} + excluded.{name}" for name in names)


class _Upsert:
    """All rows in one statement: a list for each column."""

    def __init__(self, table: str, columns: Mapping[str, str], key: Sequence[str], update: str) -> None:
        """columns: name -> type."""
        names = ", ".join(f'"{name}"' for name in columns)
        place = ", ".join(f'"{name}"' for name in key)
        arrays = ", ".join(f"${number}::{kind}[]" for number, kind in enumerate(columns.values(), 1))
        self._texts = [index for index, kind in enumerate(columns.values()) if kind == "text"]
        self._statement = (
            f"INSERT INTO {table} ({names}) SELECT * FROM unnest({arrays}) "  # noqa: S608 - our own names
            f"ON CONFLICT ({place}) DO UPDATE SET {update}"
        )

    async def run(self, connection: Connection, rows: Iterable[Sequence[Any]]) -> None:
        columns: list[Sequence[Any]] = list(zip(*rows, strict=True))
        if columns:
            for index in self._texts:
                columns[index] = kept_column(columns[index])
            await connection.execute(self._statement, *columns)


def _numbers(*names: str) -> dict[str, str]:
    return dict.fromkeys(names, "bigint")


def _words(*names: str) -> dict[str, str]:
    return dict.fromkeys(names, "text")


_ADD_ROLLUPS = _Upsert(
    "rollup",
    {**_numbers("seconds", "at"), **_words(*_TEXTS), **_numbers(*SUMS), "sketches": "bytea"},
    _KEY,
    f"{_more('rollup', SUMS)}, sketches = excluded.sketches",
)
_SPEND = ("seconds", "at", "dimension", "value")
_ADD_SPEND = _Upsert(
    "spend",
    {**_numbers(*_SPEND[:2]), **_words(*_SPEND[2:]), **_numbers(*SPENT_SUMS)},
    _SPEND,
    _more("spend", SPENT_SUMS),
)
_FAILURE = ("at", "feature", "model", "error_class", "user")
_ADD_FAILURES = _Upsert(
    "failure",
    {**_numbers("at"), **_words(*_FAILURE[1:]), **_numbers("requests")},
    _FAILURE,
    _more("failure", ("requests",)),
)
_SESSION = SessionRow.__struct_fields__
_SESSION_SUMS = _SESSION[_SESSION.index("requests") :]
_LATEST = ", ".join(
    f'"{name}" = CASE WHEN excluded.last_ns >= session.last_ns THEN excluded."{name}" ELSE session."{name}" END'
    for name in ("feature", "user", "key_id")
)
_ADD_SESSIONS = _Upsert(
    "session",
    {
        **_words("session", "feature", "user", "key_id"),
        **_numbers("first_ns", "last_ns", *_SESSION_SUMS),
    },
    ("session",),
    f"{_LATEST}, first_ns = least(session.first_ns, excluded.first_ns), "
    f"last_ns = greatest(session.last_ns, excluded.last_ns), {_more('session', _SESSION_SUMS)}",
)
# By number of the key asked for: its texts need not come back.
_ASKED = ", ".join(
    f"${number}::{'bigint' if name not in _TEXTS else 'text'}[]" for number, name in enumerate(_KEY, 1)
)
_SKETCHES = (
    f"SELECT asked.number, r.sketches FROM unnest({_ASKED}) WITH ORDINALITY AS asked({', '.join(_KEY)}, number) "  # noqa: S608
    f"JOIN rollup r ON {' AND '.join(f'r.{name} = asked.{name}' for name in _KEY)}"
)
_STORED = "SELECT id FROM request WHERE id = ANY($1::bigint[])"
_GET = "SELECT value FROM installation WHERE name = $1"
_SET = (
    "INSERT INTO installation (name, value) VALUES ($1, $2) "
    "ON CONFLICT (name) DO UPDATE SET value = excluded.value"
)
_LAST = "SELECT coalesce(max(stored), 0) FROM request"
_OLDER = (
    f"SELECT stored, {column_list(RequestRow)} FROM request "  # noqa: S608 - our own names
    "WHERE stored > $1 AND stored <= $2 ORDER BY stored LIMIT $3"
)
_ATTEMPTS = f"SELECT {column_list(AttemptRow)} FROM attempt WHERE request_id = ANY($1::bigint[])"  # noqa: S608 - as above


class AddingUp:
    """Belongs to the writer, and remembers which names it has seen today."""

    def __init__(self) -> None:
        self._names = Names()
        self._noticing = Noticing()
        self._begun = False

    async def add(self, connection: Connection, batch: Batch, *, again: bool) -> None:
        """Count the batch's requests. Before they are stored.

        again: some of them may have been stored before, and then count no more."""
        if not self._begun:
            await self._begin(connection)
        requests = {row.id: row for row in batch.requests}
        if again:
            for row in await connection.fetch(_STORED, list(requests)):
                del requests[row[0]]
        if requests:
            await _put(connection, add_up(list(requests.values()), batch.attempts, self._names))
            await self._notice(connection, list(requests.values()), batch.attempts)

    async def _notice(
        self, connection: Connection, requests: Sequence[RequestRow], attempts: Sequence[AttemptRow]
    ) -> None:
        found = self._noticing.look(requests, attempts)
        if found:
            stored = await connection.fetchval(_GET, NOTICED)
            marks, known = self._noticing.settle(stored, found)
            for mark in marks:
                text, values = numbered(ADD_MARK, msgspec.structs.astuple(mark))
                await connection.execute(text, *values)
            await connection.execute(_SET, NOTICED, known)

    def forget(self) -> None:
        """The transaction was undone, and the next one is perhaps on another database."""
        self._begun = False
        self._noticing.forget()

    async def _begin(self, connection: Connection) -> None:
        """Requests that were stored before anybody added up are left to `fill`."""
        if await connection.fetchval(_GET, FILL) is None:
            await connection.execute(_SET, FILL, started_filling(await connection.fetchval(_LAST)))
        self._begun = True

    async def fill(self, connection: Connection, limit: int) -> Filling:
        """Count the next `limit` of those that were stored before anybody added up. In a transaction."""
        await connection.execute("SELECT pg_advisory_xact_lock($1)", LOCK_WRITE)
        if not self._begun:
            await self._begin(connection)
        at = filling_of(await connection.fetchval(_GET, FILL))
        if at.done:
            return at
        rows = await connection.fetch(_OLDER, at.position, at.until, limit)
        requests = [row_of(RequestRow, tuple(row)[1:]) for row in rows]
        several = [row.id for row in requests if row.attempts > 1]
        attempts = [row_of(AttemptRow, row) for row in await connection.fetch(_ATTEMPTS, several)]
        await _put(connection, add_up(requests, attempts, self._names))
        at = at.moved(rows[-1][0] if rows else at.until)
        await connection.execute(_SET, FILL, at.encoded())
        return at


async def _put(connection: Connection, added: Added) -> None:
    there = await _sketches(connection, list(added.rollups))
    rows = [(*key, *one.sums, _merged(there.get(key), one)) for key, one in added.rollups.items()]
    await _ADD_ROLLUPS.run(connection, rows)
    weeks = folded_until(await connection.fetchval(_GET, WEEKS))
    late = weeks is not None and added.earliest < weeks
    spend = with_weeks(added.spend, weeks or 0) if late else added.spend
    await _ADD_SPEND.run(connection, [(*key, *sums) for key, sums in spend.items()])
    if weeks is None or is_over(weeks, added.latest):
        await _fold(connection, weeks)
    await _ADD_FAILURES.run(connection, [(*key, count) for key, count in added.failures.items()])
    sessions = [msgspec.structs.astuple(row) for row in added.sessions.values()]
    await _ADD_SESSIONS.run(connection, sessions)


async def _fold(connection: Connection, since: int | None) -> None:
    """The week that begins there is over: its days become one. None: find out where the first week begins."""
    if since is None:
        earliest = await connection.fetchval(EARLIEST)
        if earliest is not None:
            await connection.execute(_SET, WEEKS, encoded_weeks(week_of(earliest)))
        return
    asked, given = numbered(*dimensions_question(since, since + WEEK))
    for row in await connection.fetch(asked, *given):
        # As it stands in the table, which is not always as callers wrote it.
        text, values = numbered(*fold_question(row[0], since))
        await connection.execute(text, *values)
    await connection.execute(_SET, WEEKS, encoded_weeks(since + WEEK))


def _merged(known: bytes | None, added: Rolling) -> bytes:
    """The sketches as they shall be kept: with those that are there."""
    if not known:
        return encoded_sketches(added.sketches)
    sketches = decoded_sketches(known)
    merge_counts(sketches, added.sketches)
    return encoded_sketches(sketches)


async def _sketches(connection: Connection, keys: Sequence[RollupKey]) -> dict[RollupKey, bytes]:
    if not keys:
        return {}
    columns: list[Sequence[Any]] = list(zip(*keys, strict=True))
    asked = [*columns[:2], *map(kept_column, columns[2:])]
    return {keys[row[0] - 1]: row[1] for row in await connection.fetch(_SKETCHES, *asked)}
