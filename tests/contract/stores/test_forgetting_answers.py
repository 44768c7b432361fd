"""A user who is forgotten is forgotten by the cache, too: on each engine, and on every node within a second."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from headgate.stores.answers import Judgement, Selection
from headgate.stores.audit import AuditEntry
from headgate.stores.backends import postgres, sqlite
from headgate.stores.forgetting import forget
from headgate.stores.sink import Batch, Position
from headgate.stores.spans import RequestRow
from tests.support.aio import aio
from tests.support.answers import ENGINES, comes_true, key_of, made, opened, spot, written
from tests.support.stores import open_stores

__all__: list[str] = []

MARK = "zq7markerzq7"
ENTRY = AuditEntry(at_ns=1, actor="test", action="user.forget", subject="hash")


@pytest.mark.parametrize("backend", ENGINES)
def test_answers_of_a_forgotten_user_are_gone(backend: str, place: Path | str, tmp_path: Path) -> None:
    """Those made for them, those that are theirs, those of their requests, and what was learned from these. Others' stay."""
    home: Path | str = place if backend == "postgres" else tmp_path
    records = "postgres" if backend == "postgres" else "sqlite"
    stores = open_stores(records, home)
    rows = [
        RequestRow(id=number, started_ns=time.time_ns(), trace_id="", user=user, cache=cache)
        for number, user, cache in ((1, "ann", "miss"), (2, "ann", "semantic"), (3, "bob", "miss"))
    ]
    stores.sink.write(Batch(journal="j", position=Position(1, 1), requests=rows))

    @aio
    async def run() -> None:
        keeper = (sqlite.SqliteKeeper if records == "sqlite" else postgres.PostgresKeeper)(stores.database)  # type: ignore[arg-type]
        async with spot(backend, home) as where, opened(backend, where) as one:
            nodes = AsyncExitStack()
            node = one
            if backend != "memory":
                node = await nodes.enter_async_context(opened(backend, where))
            for name, changes in (
                ("asked", {"user": "ann"}),
                ("owned", {"user": "", "scope": "user", "owner": "ann"}),
                ("request", {"user": "", "origin_id": 1}),
                ("bobs", {"user": "bob", "origin_id": 3}),
            ):
                text = f'"{name} {MARK if name != "bobs" else "harmless"}"'.encode()
                one.put(made(name, answer=text, question=text.decode(), **{"origin_id": 9, **changes}))
            now = time.time_ns()
            learned = Judgement(key=key_of("bobs"), score=1, right=True, at_ns=now, source="sample")
            anns = Judgement(
                key=key_of("bobs"), score=1, right=False, at_ns=now + 1_000, source="sample",
                question=MARK, request_id=2,
            )  # fmt: skip
            await one.judge([learned, anns])
            await written(one)
            if backend != "memory":
                await comes_true(lambda: not node.absent(key_of("asked")))
                assert await node.get(key_of("asked")) is not None
            if backend == "sqlite":
                assert MARK.encode() in everything(Path(where))
            done = await forget(keeper, "ann", audit=ENTRY, answers=[one])
            assert done.answers == 3
            found = await one.browse(Selection(), order="hits", limit=9)
            assert [each.entry.key for each in found] == [key_of("bobs")]
            assert list((await one.judgements([key_of("bobs")]))[key_of("bobs")]) == [learned]
            await comes_true(lambda: node.at_hand(key_of("asked")) is None, 1.2)
            if backend == "sqlite":
                assert MARK.encode() not in everything(Path(where))
            await nodes.aclose()
        await stores.aclose()

    run()


def everything(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.glob("headgate.db*")))
