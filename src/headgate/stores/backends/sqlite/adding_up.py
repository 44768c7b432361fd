"""What batches add to rollups, inside their transaction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from sqlite3 import Connection
from typing import Any

import msgspec

from headgate.stores.adding_up import (
    Added,
    Names,
    Rolling,
    RollupKey,
    add_up,
    merge_counts,
)
from headgate.stores.backends.sqlite.statements import column_list
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

__all__ = ["AddingUp"]

_ASK_AT_ONCE = 500
_KEY = ("seconds", "at", "feature", "model", "provider", "outcome", "purpose")
_ROLLUP = (*_KEY, *SUMS, "sketches")
_SPEND = ("seconds", "at", "dimension", "value", *SPENT_SUMS)
_FAILURE = ("at", "feature", "model", "error_class", "user", "requests")
_SESSION = SessionRow.__struct_fields__


def _more(names: Sequence[str]) -> str:
    return ", ".join(f"{name} = {name} + excluded.{name}" for name in names)


class _Upsert:
    """Many rows a statement, for the reason that `Insert` gives."""

    def __init__(
        self, table: str, columns: Sequence[str], key: Sequence[str], update: str, many: int
    ) -> None:
        self._many = many
        names = ", ".join(f'"{name}"' for name in columns)
        place = ", ".join(f'"{name}"' for name in key)
        one = f"({', '.join('?' * len(columns))})"
        head = f"INSERT INTO {table} ({names}) VALUES "  # noqa: S608 - our own names
        tail = f" ON CONFLICT ({place}) DO UPDATE SET {update}"
        self._one = head + one + tail
        self._all = head + ", ".join([one] * many) + tail

    def run(self, connection: Connection, rows: Sequence[Sequence[Any]]) -> None:
        many = self._many
        full = len(rows) - len(rows) % many
        for start in range(0, full, many):
            connection.execute(self._all, list(chain.from_iterable(rows[start : start + many])))
        if full < len(rows):
            connection.executemany(self._one, rows[full:])


_ADD_ROLLUPS = _Upsert("rollup", _ROLLUP, _KEY, f"{_more(SUMS)}, sketches = excluded.sketches", 24)
_ADD_SPEND = _Upsert("spend", _SPEND, _SPEND[:4], _more(SPENT_SUMS), 64)
_ADD_FAILURES = _Upsert("failure", _FAILURE, _FAILURE[:5], _more(("requests",)), 32)
_LATEST = ", ".join(
    f'"{name}" = CASE WHEN excluded.last_ns >= last_ns THEN excluded."{name}" ELSE "{name}" END'
    for name in ("feature", "user", "key_id")
)
_ADD_SESSIONS = _Upsert(
    "session",
    _SESSION,
    ("session",),
    f"{_LATEST}, first_ns = min(first_ns, excluded.first_ns), last_ns = max(last_ns, excluded.last_ns), "
    + _more(_SESSION[_SESSION.index("requests") :]),
    32,
)
_GET = "SELECT value FROM installation WHERE name = ?"
_SET = "INSERT OR REPLACE INTO installation (name, value) VALUES (?, ?)"
_LAST = "SELECT coalesce(max(stored), 0) FROM request"
# Only names of our own fields go into these texts.
_OLDER = (
    f"SELECT stored, {column_list(RequestRow)} FROM request "  # noqa: S608
    "WHERE stored > ? AND stored <= ? ORDER BY stored LIMIT ?"
)
_ATTEMPTS = f"SELECT {column_list(AttemptRow)} FROM attempt WHERE request_id IN"  # noqa: S608


class AddingUp:
    """Belongs to the writer, and remembers which names it has seen today."""

    def __init__(self) -> None:
        self._names = Names()
        self._noticing = Noticing()
        self._begun = False

    def add(self, connection: Connection, batch: Batch, *, again: bool) -> None:
        """Count the batch's requests. Before they are stored.

        again: some of them may have been stored before, and then count no more."""
        if not self._begun:
            self._begin(connection)
        requests = {row.id: row for row in batch.requests}
        if again:
            for number in _stored(connection, list(requests)):
                del requests[number]
        if requests:
            _put(connection, add_up(list(requests.values()), batch.attempts, self._names))
            self._notice(connection, list(requests.values()), batch.attempts)

    def _notice(
        self, connection: Connection, requests: Sequence[RequestRow], attempts: Sequence[AttemptRow]
    ) -> None:
        found = self._noticing.look(requests, attempts)
        if found:
            row: Any = connection.execute(_GET, (NOTICED,)).fetchone()
            marks, known = self._noticing.settle(row[0] if row else None, found)
            connection.executemany(ADD_MARK, [msgspec.structs.astuple(mark) for mark in marks])
            connection.execute(_SET, (NOTICED, known))

    def forget(self) -> None:
        """The transaction was undone, and the next one is perhaps on another file."""
        self._begun = False
        self._noticing.forget()

    def _begin(self, connection: Connection) -> None:
        """Requests that were stored before anybody added up are left to `fill`."""
        if connection.execute(_GET, (FILL,)).fetchone() is None:
            last: int = connection.execute(_LAST).fetchone()[0]
            connection.execute(_SET, (FILL, started_filling(last)))
        self._begun = True

    def fill(self, connection: Connection, limit: int) -> Filling:
        """Count the next `limit` of those that were stored before anybody added up. In a transaction."""
        if not self._begun:
            self._begin(connection)
        row: Any = connection.execute(_GET, (FILL,)).fetchone()
        at = filling_of(row[0] if row else None)
        if at.done:
            return at
        rows = connection.execute(_OLDER, (at.position, at.until, limit)).fetchall()
        requests = [msgspec.convert(row[1:], RequestRow, strict=False) for row in rows]
        several = [row.id for row in requests if row.attempts > 1]
        attempts = [
            msgspec.convert(row, AttemptRow, strict=False) for row in _asked(connection, _ATTEMPTS, several)
        ]
        _put(connection, add_up(requests, attempts, self._names))
        at = at.moved(rows[-1][0] if rows else at.until)
        connection.execute(_SET, (FILL, at.encoded()))
        return at


def _put(connection: Connection, added: Added) -> None:
    keys = list(added.rollups)
    merged = _merged(connection, added.rollups, keys)
    _ADD_ROLLUPS.run(
        connection,
        [(*key, *added.rollups[key].sums, data) for key, data in zip(keys, merged, strict=True)],
    )
    weeks = _folded(connection)
    late = weeks is not None and added.earliest < weeks
    spend = with_weeks(added.spend, weeks or 0) if late else added.spend
    _ADD_SPEND.run(connection, [(*key, *sums) for key, sums in spend.items()])
    if weeks is None or is_over(weeks, added.latest):
        _fold(connection, weeks)
    _ADD_FAILURES.run(connection, [(*key, count) for key, count in added.failures.items()])
    _ADD_SESSIONS.run(connection, [msgspec.structs.astuple(row) for row in added.sessions.values()])


def _folded(connection: Connection) -> int | None:
    row: Any = connection.execute(_GET, (WEEKS,)).fetchone()
    return folded_until(row[0] if row else None)


def _fold(connection: Connection, since: int | None) -> None:
    """The week that begins there is over: its days become one. None: find out where the first week begins."""
    if since is None:
        earliest: int | None = connection.execute(EARLIEST).fetchone()[0]
        if earliest is not None:
            connection.execute(_SET, (WEEKS, encoded_weeks(week_of(earliest))))
        return
    for (dimension,) in connection.execute(*dimensions_question(since, since + WEEK)).fetchall():
        connection.execute(*fold_question(dimension, since))
    connection.execute(_SET, (WEEKS, encoded_weeks(since + WEEK)))


def _merged(
    connection: Connection, rollups: dict[RollupKey, Rolling], keys: Sequence[RollupKey]
) -> Iterator[bytes]:
    """The sketches of each as they shall be kept: with those that are there."""
    there = _sketches(connection, keys)
    for key in keys:
        known = there.get(key)
        if known:
            sketches = decoded_sketches(known)
            merge_counts(sketches, rollups[key].sketches)
        else:
            sketches = rollups[key].sketches
        yield encoded_sketches(sketches)


def _sketches(connection: Connection, keys: Sequence[RollupKey]) -> dict[RollupKey, bytes]:
    found: dict[RollupKey, bytes] = {}
    for start in range(0, len(keys), _ASK_AT_ONCE):
        some = keys[start : start + _ASK_AT_ONCE]
        asked = ", ".join([f"({', '.join('?' * len(_KEY))})"] * len(some))
        # CROSS JOIN: SQLite takes it as the order of reading, so that each key is looked up.
        question = (
            f"WITH asked({', '.join(_KEY)}) AS (VALUES {asked}) "  # noqa: S608 - our own names
            f"SELECT {', '.join(f'r.{name}' for name in _KEY)}, r.sketches FROM asked CROSS JOIN rollup r "
            f"WHERE {' AND '.join(f'r.{name} = asked.{name}' for name in _KEY)}"
        )
        for row in connection.execute(question, list(chain.from_iterable(some))):
            found[row[:-1]] = row[-1]
    return found


def _stored(connection: Connection, numbers: Sequence[int]) -> Iterator[int]:
    for row in _asked(connection, "SELECT id FROM request WHERE id IN", numbers):
        yield row[0]


def _asked(connection: Connection, question: str, values: Sequence[Any]) -> Iterator[Any]:
    for start in range(0, len(values), _ASK_AT_ONCE):
        some = values[start : start + _ASK_AT_ONCE]
        yield from connection.execute(f"{question} ({', '.join('?' * len(some))})", some).fetchall()
