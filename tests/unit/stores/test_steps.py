"""Steps that are the same on every engine, walked by the one that is always there."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator

import pytest

from headgate.stores.backends.sqlite.walking import walk
from headgate.stores.steps import Ask, AskEach, Rows, Steps

__all__: list[str] = []


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.execute("CREATE TABLE thing (key BLOB PRIMARY KEY, number INTEGER)")
    yield connection
    connection.close()


def put(rows: Rows) -> Steps[int]:
    yield AskEach("INSERT INTO thing VALUES (?, ?)", rows)
    counted = yield Ask("SELECT count(*) FROM thing")
    return int(counted[0][0])


def of(keys: list[bytes], beyond: int) -> Steps[list[bytes]]:
    found = yield Ask("SELECT key FROM thing WHERE key IN ? AND number > ? ORDER BY key", [beyond], keys)
    return [row[0] for row in found]


def test_steps_are_sent_what_was_answered(connection: sqlite3.Connection) -> None:
    """And end with what they return; one may be made of others."""

    def both() -> Steps[tuple[int, list[bytes]]]:
        count = yield from put([(b"a", 1), (b"b", 2), (b"c", 3)])
        return count, (yield from of([b"a", b"c", b"x"], 0))

    assert walk(connection, both()) == (3, [b"a", b"c"])
    assert walk(connection, of([b"a", b"c"], 1)) == [b"c"]


def test_no_keys_are_none(connection: sqlite3.Connection) -> None:
    """Not all of them, and no error."""
    walk(connection, put([(b"a", 1)]))
    assert walk(connection, of([], 0)) == []


def test_a_failure_ends_the_steps(connection: sqlite3.Connection) -> None:
    """Whoever walks hears of it; what comes after is not done."""
    done: list[str] = []

    def fails() -> Steps[None]:
        yield AskEach("INSERT INTO thing VALUES (?, ?)", [(b"a", 1)])
        done.append("before")
        yield Ask("SELECT * FROM nothing")
        done.append("after")

    with pytest.raises(sqlite3.OperationalError, match="nothing"):
        walk(connection, fails())
    assert done == ["before"]
