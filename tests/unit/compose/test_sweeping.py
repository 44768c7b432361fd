"""The sweeper: what has been kept long enough goes, by the settings that hold now, while others write."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

from headgate.compose.stores import Stores, open_stores
from headgate.compose.sweeping import Sweeper, sweep
from headgate.config.loader import parse
from headgate.config.model import Settings
from headgate.core.ids import oldest_id
from headgate.records.entries import Closed
from headgate.records.journal import Journal
from headgate.stores.segments import CONTENT_EPOCH
from headgate.stores.sink import Batch, Position
from headgate.stores.spans import AttemptRow, Content, RequestRow
from headgate.stores.totals import Which
from headgate.testing.clock import FakeClock
from tests.support.aio import aio

__all__: list[str] = []

NOW_NS = 1_900_000_000_000_000_000
DAY_NS = 86_400 * 10**9


def settings(folder: Path, text: str = "") -> Settings:
    base = f'[server]\ndatabase = "sqlite:///{folder}/headgate.db"\n[providers.sim]\nkind = "simulated"\n'
    return parse(base + text, {}).settings


def write(stores: Stores, *days: float, feature: str = "", offset: int = 1) -> list[int]:
    """A request with a prompt of its own for each age; their ids."""
    rows, contents, attempts = [], [], []
    for number, each in enumerate(days):
        at = NOW_NS - int(each * DAY_NS)
        data = f"{feature} prompt {number}".encode()
        kept = Content(
            hash=f"{hash((feature, number)) & (1 << 60) - 1:032x}", kind="k", data=data, size=len(data)
        )
        contents.append(kept)
        row = RequestRow(
            oldest_id(at + 60 * 10**9) + number,
            at,
            "t",
            feature=feature,
            request_content=kept.hash,
            total_us=1000,
        )
        rows.append(row)
        attempts.append(AttemptRow(row.id + 7, row.id, 1, "p", "m"))
    stores.sink.write(
        Batch(journal="j", position=Position(1, offset), requests=rows, attempts=attempts, contents=contents)
    )
    return [row.id for row in rows]


async def kept(stores: Stores, ids: list[int]) -> list[str]:
    """Of each: whole, bare (without its prompt), gone."""
    found = []
    for each in ids:
        row = await stores.spans.request(each)
        if row is None:
            found.append("gone")
        else:
            found.append("whole" if await stores.spans.content(row.request_content) else "bare")
    return found


@aio
async def test_each_kind_goes_when_its_time_has_come(tmp_path: Path) -> None:
    """Prompts after a month, requests after a year, a feature's own by its own lengths; what was deleted is counted."""
    there = settings(
        tmp_path, '[features.mail]\nroute = "sim/sim-small"\nkeep = { content = "7d", spans = "20d" }\n'
    )
    stores = open_stores(there)
    counted: dict[str, int] = {}

    def count(name: str, deleted: int) -> None:
        counted[name] = counted.get(name, 0) + deleted

    try:
        others = write(stores, 1, 29, 31, 364, 366)
        mails = write(stores, 1.5, 8, 21, feature="mail", offset=2)
        await sweep(stores, there, NOW_NS, count, pause=0)
        assert await kept(stores, others) == ["whole", "whole", "bare", "bare", "gone"]
        assert await kept(stores, mails) == ["whole", "bare", "gone"]
        assert (counted["contents"], counted["requests"]) == (5, 2)
        shorter = settings(tmp_path, '[records]\nkeep = { content = "2d", spans = "30d" }\n')
        await sweep(stores, shorter, NOW_NS, count, pause=0)
        assert await kept(stores, others) == ["whole", "bare", "gone", "gone", "gone"]
        assert (await stores.spans.totals([], Which()))[0].requests == 4
    finally:
        stores.sink.close()
        await stores.aclose()


@aio
async def test_one_node_sweeps_and_all_tidy_their_journals(tmp_path: Path) -> None:
    """Two look at the same moment: one does it. When contents were deleted, each begins a new file of its journal."""
    there, clock = settings(tmp_path), FakeClock(wall_ns=NOW_NS)
    stores = open_stores(there)
    journals = [Journal(tmp_path / name, clock) for name in "ab"]
    sweepers = [Sweeper(stores, lambda: there, each, clock) for each in journals]
    try:
        ids = write(stores, 1, 31)
        for each in sweepers:
            await each._tidy_journal()
        for journal in journals:
            journal.append(entry(ids[0]))
            journal.flush()
        for each in sweepers:
            await each.look()
        assert [dict(each.swept).get("contents", 0) for each in sweepers] == [1, 0]
        assert await kept(stores, ids) == ["whole", "bare"]
        for each in sweepers:
            await each.look()
        assert [journal.end.segment for journal in journals] == [2, 2]
        assert await stores.keeper.read(
            "SELECT count(*) FROM installation WHERE name = ?", [CONTENT_EPOCH]
        ) == [(1,)]
    finally:
        for journal in journals:
            journal.close()
        stores.sink.close()
        await stores.aclose()


@aio
async def test_whoever_writes_hardly_waits(tmp_path: Path) -> None:
    """Pieces are small: another connection gets its turn while thousands of contents are deleted."""
    there = settings(tmp_path)
    stores = open_stores(there)
    waited: list[float] = []
    over = threading.Event()

    def others() -> None:
        connection = sqlite3.connect(tmp_path / "headgate.db", timeout=10, isolation_level=None)
        while not over.wait(0.005):
            begun = time.perf_counter()
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("COMMIT")
            waited.append(time.perf_counter() - begun)
        connection.close()

    try:
        for batch in range(10):
            write(
                stores, *(40 + number / 1000 for number in range(300)), feature=f"f{batch}", offset=batch + 1
            )
        writer = threading.Thread(target=others)
        writer.start()
        counted: list[int] = []
        await sweep(stores, there, NOW_NS, lambda _, deleted: counted.append(deleted), pause=0.001)
        over.set()
        await asyncio.to_thread(writer.join)
        assert sum(counted) >= 3000
        # Not a figure of this machine: a piece is some milliseconds, and 250 ms is a machine that does something else.
        assert sorted(waited)[len(waited) // 2] < 0.25
    finally:
        over.set()
        stores.sink.close()
        await stores.aclose()


def entry(request_id: int) -> Any:
    return Closed(RequestRow(request_id, 1, "t"))
