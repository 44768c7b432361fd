"""How this engine walks steps: one after the other, on the event loop of the connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from headgate.stores.backends.postgres.statements import numbered
from headgate.stores.backends.postgres.text import read
from headgate.stores.steps import Ask, AskEach, Rows, Steps

if TYPE_CHECKING:
    from asyncpg import Connection

__all__ = ["walk"]

T = TypeVar("T")


async def walk(connection: Connection, steps: Steps[T]) -> T:
    """To their end. Raises what the driver and the steps raise."""
    try:
        asked = next(steps)
        while True:
            asked = steps.send(await _rows(connection, asked))
    except StopIteration as end:
        result: T = end.value
        return result


async def _rows(connection: Connection, asked: Ask | AskEach) -> Rows:
    if isinstance(asked, AskEach):
        if asked.rows:
            text, _ = numbered(asked.text, ())
            await connection.executemany(text, [numbered("", row)[1] for row in asked.rows])
        return ()
    # One statement however many there are, so that the server has to understand it once.
    text, values = numbered(asked.text.replace("IN ?", "= ANY(?::bytea[])"), asked.values)
    given = values if asked.keys is None else [list(asked.keys), *values]
    rows = await connection.fetch(text, *given)
    return [tuple(read(each) if type(each) is str else each for each in row) for row in rows]
