"""How this engine walks steps: one after the other, in the thread of the connection."""

from __future__ import annotations

import sqlite3
from typing import TypeVar

from headgate.stores.steps import Ask, AskEach, Rows, Steps

__all__ = ["walk"]

T = TypeVar("T")


def walk(connection: sqlite3.Connection, steps: Steps[T]) -> T:
    """To their end. Raises sqlite3.Error, and what the steps raise."""
    try:
        asked = next(steps)
        while True:
            asked = steps.send(_rows(connection, asked))
    except StopIteration as end:
        result: T = end.value
        return result


def _rows(connection: sqlite3.Connection, asked: Ask | AskEach) -> Rows:
    if isinstance(asked, AskEach):
        connection.executemany(asked.text, asked.rows)
        return ()
    text, values, keys = asked
    if keys is not None:
        text = text.replace("IN ?", f"IN ({', '.join('?' * len(keys))})")
        values = [*keys, *values]
    return connection.execute(text, values).fetchall()
