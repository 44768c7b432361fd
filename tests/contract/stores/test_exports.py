"""What every engine promises whoever exports from it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from headgate.stores.backends import postgres, sqlite
from headgate.stores.backends.memory import MemorySpans
from headgate.stores.backends.memory.exports import MemoryExports
from headgate.stores.exports import ExportMark, ExportStore
from headgate.stores.sink import Batch, Position
from headgate.stores.spans import AttemptRow, RequestRow
from tests.support.aio import aio
from tests.support.stores import BACKENDS, Opened, open_stores

__all__: list[str] = []


@dataclass
class Subject:
    exports: ExportStore
    opened: Opened


@pytest.fixture(params=BACKENDS)
def backend(request: Any) -> str:
    return str(request.param)


@pytest.fixture
def subject(backend: str, place: Path | str) -> Iterator[Subject]:
    opened = open_stores(backend, place)
    exports: ExportStore
    if isinstance(opened.spans, MemorySpans):
        exports = MemoryExports(opened.spans)
    elif isinstance(opened.database, sqlite.Database):
        exports = sqlite.SqliteExports(opened.database)
    else:
        assert isinstance(opened.database, postgres.Database)
        exports = postgres.PostgresExports(opened.database)
    yield Subject(exports, opened)
    aio(opened.aclose)()


@aio
async def test_a_mark_is_moved_only_by_whoever_knows_where_it_stands(subject: Subject) -> None:
    """So that of two nodes that export at once one finds out."""
    exports = subject.exports
    assert await exports.mark("a") is None
    first, second = ExportMark(5, "n1", 2**62), ExportMark(9, "n2")
    assert await exports.move("a", None, first)
    assert not await exports.move("a", None, second), "it is there already"
    assert await exports.mark("a") == first
    assert not await exports.move("a", ExportMark(5, "n1"), second), "another time"
    assert await exports.move("a", first, second)
    assert await exports.mark("a") == second
    assert await exports.mark("b") is None, "each name has a mark of its own"
    assert not await exports.move("b", first, second)


@aio
async def test_of_many_at_once_one_moves_it(subject: Subject) -> None:
    """Also the first time."""
    for before in (None, ExportMark(0, "begun")):
        if before is not None:
            assert await subject.exports.move("other", None, before)
        name = "one" if before is None else "other"
        moved = await asyncio.gather(
            *(subject.exports.move(name, before, ExportMark(number)) for number in range(8))
        )
        assert sum(moved) == 1
        assert await subject.exports.mark(name) == ExportMark(moved.index(True))


@aio
async def test_attempts_of_many_requests_come_at_once(subject: Subject) -> None:
    """In order, by request; requests that have none or are not there are left out."""
    attempts = [
        AttemptRow(id=10 * request + number, request_id=request, number=number, provider="p", model="m")
        for request in (1, 2, 4)
        for number in (2, 1, 3)
    ]
    requests = [RequestRow(number, 1, "t") for number in (1, 2, 3, 4)]
    batch = Batch(journal="j", position=Position(1, 1), requests=requests, attempts=attempts)
    await asyncio.to_thread(subject.opened.sink.write, batch)
    found = await subject.exports.attempts_of([4, 1, 3, 99])
    assert {key: [row.number for row in rows] for key, rows in found.items()} == {1: [1, 2, 3], 4: [1, 2, 3]}
    assert await subject.exports.attempts_of([]) == {}
