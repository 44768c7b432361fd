"""Many rows a statement, what they have in common handed over once: whatever they have in common, they are stored as they are."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from headgate.stores.backends.sqlite.statements import ROWS_AT_ONCE, Insert

__all__: list[str] = []

COLUMNS = ("id", "text", "number", "flag", "bytes")
ROW = st.tuples(
    st.sampled_from(["", "a", "ä\N{SNOWMAN}", "a longer word"]),
    st.sampled_from([None, 0, 1, -1, 2**62]),
    st.booleans(),
    st.sampled_from([b"", b"\0", b"x"]),
)
SOME = st.builds(
    # All alike, alike but for one, or each of its own.
    lambda row, other, many: [row] * (many // 2) + [other] + [row] * (many - many // 2),
    ROW,
    ROW,
    st.sampled_from([0, 1, 15, 16, 17, ROWS_AT_ONCE - 1, ROWS_AT_ONCE, ROWS_AT_ONCE + 40]),
) | st.lists(ROW, min_size=1, max_size=ROWS_AT_ONCE + 20)


def table() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    connection.execute(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT, number BIGINT, flag BOOLEAN, bytes BLOB)"
    )
    return connection


def rows_in(connection: sqlite3.Connection) -> list[Any]:
    return connection.execute("SELECT * FROM t ORDER BY id").fetchall()


@given(st.lists(SOME, min_size=1, max_size=4))
def test_rows_come_back_as_they_were_whatever_those_before_them_were(
    portions: list[list[tuple[Any, ...]]],
) -> None:
    """What one statement had in common the next need not."""
    insert, connection = Insert("t", COLUMNS), table()
    stored: list[tuple[Any, ...]] = []
    for portion in portions:
        rows = [(len(stored) + place, *row) for place, row in enumerate(portion)]
        insert.run(connection, rows)
        stored += rows
    assert rows_in(connection) == stored
    connection.close()


def test_what_is_there_already_stays() -> None:
    """A journal may be read twice."""
    insert, connection = Insert("t", COLUMNS), table()
    first = [(number, "first", number, True, b"") for number in range(0, ROWS_AT_ONCE * 2, 2)]
    second = [(number, "second", 7, False, b"x") for number in range(ROWS_AT_ONCE * 2)]
    insert.run(connection, first)
    insert.run(connection, second)
    assert rows_in(connection) == sorted([*first, *second[1::2]])
    connection.close()


def test_one_row_and_none() -> None:
    """Little traffic."""
    insert, connection = Insert("t", COLUMNS), table()
    insert.run(connection, [])
    insert.run(connection, [(1, "a", None, True, b"x")])
    assert rows_in(connection) == [(1, "a", None, 1, b"x")]
    connection.close()


class Interrupting(str):
    """A text during whose comparison another thread has its turn."""

    __slots__ = ("turn",)
    turn: Callable[[], None]

    def __eq__(self, other: object) -> bool:
        self.turn()
        return super().__eq__(other)

    __hash__ = str.__hash__


def test_several_connections_insert_at_once() -> None:
    """What one of them has found to differ changes nothing of what another one is about to hand over."""
    insert, one, other = Insert("t", COLUMNS), table(), table()
    mixed = [(number, str(number), number, number % 2 == 0, b"%d" % number) for number in range(16)]

    def turn() -> None:
        if not rows_in(other):
            insert.run(other, mixed)

    text = Interrupting("alike")
    text.turn = turn
    # The same object is equal without being asked.
    insert.run(one, [(number, text if number < 15 else "alike", 7, True, b"x") for number in range(16)])
    assert rows_in(one) == [(number, "alike", 7, 1, b"x") for number in range(16)]
    assert rows_in(other) == mixed
    one.close()
    other.close()
