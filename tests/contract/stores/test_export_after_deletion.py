"""Who follows what is stored misses nothing when the newest of it was deleted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from headgate.stores.backends import postgres, sqlite
from headgate.stores.exports import ExportMark
from headgate.stores.sink import Batch, Position
from headgate.stores.spans import RequestRow
from tests.support.aio import aio
from tests.support.stores import SHARED, open_stores

__all__: list[str] = []


@pytest.mark.parametrize("backend", SHARED)
@pytest.mark.parametrize("deleted", [(3,), (1, 2, 3), (1,)])
@aio
async def test_what_comes_after_a_deletion_is_exported(
    backend: str, place: Path | str, deleted: tuple[int, ...]
) -> None:
    """A file gives the numbers of deleted rows to new ones; an idle installation may have no row left at all."""
    stores = open_stores(backend, place)
    database: Any = stores.database
    engine = sqlite if backend == "sqlite" else postgres
    keeper: Any = engine.SqliteKeeper(database) if engine is sqlite else postgres.PostgresKeeper(database)
    exports: Any = engine.SqliteExports(database) if engine is sqlite else postgres.PostgresExports(database)

    def write(*numbers: int) -> None:
        rows = [RequestRow(number, 1, "t") for number in numbers]
        stores.sink.write(Batch(journal="j", position=Position(1, numbers[-1]), requests=rows))

    try:
        write(1, 2, 3)
        page = await stores.spans.after(0, 10)
        mark = ExportMark(page.position, "node", 5)
        assert await exports.move("otlp", None, mark)
        await keeper.change([("DELETE FROM request WHERE id = ?", [(number,) for number in deleted])])
        write(4, 5)
        kept = await exports.mark("otlp")
        assert kept is not None and (kept.holder, kept.until_ns) == ("node", 5)
        new = await stores.spans.after(kept.position, 10)
        assert [row.id for row in new.rows] == [4, 5]
        # Who holds it goes on from there.
        assert await exports.move("otlp", kept, ExportMark(new.position))
    finally:
        stores.sink.close()
        await database.close()
