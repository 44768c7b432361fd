"""An engine of the cache that is slow, gone or locked: whoever asks is told at once, nothing old is given, and it recovers by itself."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from headgate.stores.answers import AnswerStore, CacheEntry, Selection
from headgate.stores.errors import StoreUnavailable
from tests.support.aio import aio
from tests.support.answers import comes_true, key_of, made, opened
from tests.support.postgres_server import postgres_server
from tests.support.redis_server import RedisServer, redis_server

if TYPE_CHECKING:
    from collections.abc import Callable

__all__: list[str] = []


def is_there(store: AnswerStore, entry: CacheEntry) -> Callable[[], object]:
    async def ask() -> bool:
        try:
            return await store.get(entry.key) == entry
        except StoreUnavailable:
            return False

    return ask


async def goes_on_without(store: AnswerStore, kept: CacheEntry) -> CacheEntry:
    """While the engine is silent. Returns what was put meanwhile."""
    with pytest.raises(StoreUnavailable):
        async with asyncio.timeout(5):
            await store.get(key_of("unknown"))
    # Told at once from then on, not after a wait each.
    with pytest.raises(StoreUnavailable):
        async with asyncio.timeout(0.05):
            await store.get(key_of("unknown"))
    # Somebody may have removed it, and nobody here would hear of it.
    await comes_true(lambda: store.at_hand(kept.key) is None)
    meanwhile = made("meanwhile")
    store.put(meanwhile)
    store.hit(kept.key, 1)
    with pytest.raises(StoreUnavailable):
        await store.remove(Selection())
    return meanwhile


@pytest.mark.needs("redis")
def test_a_frozen_redis_is_passed_over_and_comes_back() -> None:
    """What was put meanwhile arrives; what was at hand is given again."""

    @aio
    async def run() -> None:
        async with redis_server() as server, opened("redis", server.url) as store:
            kept = made("kept")
            store.put(kept)
            await comes_true(is_there(store, kept))
            await store.browse(Selection(), order="hits", limit=1)
            server.freeze()
            meanwhile = await goes_on_without(store, made("kept"))
            server.thaw()
            await comes_true(is_there(store, kept), 10)
            await comes_true(lambda: store.at_hand(kept.key) == kept, 10)
            async with opened("redis", server.url) as other:
                await comes_true(is_there(other, meanwhile), 10)

    run()


@pytest.mark.needs("redis")
def test_a_redis_that_has_lost_everything_is_believed() -> None:
    """Nobody knows what was removed since: nothing that was at hand is given, and what comes now is kept."""

    @aio
    async def run() -> None:
        async with redis_server() as server, opened("redis", server.url) as store:
            kept = made("kept")
            store.put(kept)
            await store.remove(Selection(feature="other"))
            await comes_true(is_there(store, kept))
            await server.kill()
            await server.start()
            await comes_true(lambda: gone(store, kept), 10)
            assert store.at_hand(kept.key) is None
            new = made("new")
            store.put(new)
            async with opened("redis", server.url) as other:
                await comes_true(is_there(other, new), 10)

    async def gone(store: AnswerStore, entry: CacheEntry) -> bool:
        try:
            return await store.get(entry.key) is None
        except StoreUnavailable:
            return False

    run()


@pytest.mark.needs("redis")
def test_a_gateway_starts_without_its_redis() -> None:
    """It is looked for again."""

    @aio
    async def run() -> None:
        server = RedisServer()
        try:
            async with opened("redis", server.url) as store:
                entry = made("early")
                store.put(entry)
                assert store.at_hand(entry.key) is None
                await server.start()
                await comes_true(is_there(store, entry), 10)
                async with opened("redis", server.url) as other:
                    await comes_true(is_there(other, entry), 10)
        finally:
            await server.kill()

    run()


@pytest.mark.needs("postgres")
def test_a_frozen_database_is_passed_over_and_comes_back() -> None:
    """As a frozen Redis is."""
    with postgres_server() as server:
        url = server.new_database()

        @aio
        async def run() -> None:
            async with opened("postgres", url) as store:
                kept = made("kept")
                store.put(kept)
                await comes_true(is_there(store, kept))
                await store.browse(Selection(), order="hits", limit=1)
                server.freeze()
                with pytest.raises(StoreUnavailable):
                    await store.get(key_of("unknown"))
                assert store.at_hand(kept.key) is None
                meanwhile = made("meanwhile")
                store.put(meanwhile)
                server.thaw()
                await comes_true(is_there(store, kept), 15)
                async with opened("postgres", url) as other:
                    await comes_true(is_there(other, meanwhile), 15)

        run()


def test_a_file_that_somebody_else_writes_to_is_read_all_the_same(tmp_path: Path) -> None:
    """The writer of records, a backup: who looks for an answer does not wait for them, and what was put waits in memory."""

    @aio
    async def run() -> None:
        async with opened("sqlite", tmp_path, memory_bytes=1_000) as store:
            kept = made("kept")
            store.put(kept)
            await store.browse(Selection(), order="hits", limit=1)
            other = sqlite3.connect(tmp_path / "headgate.db", isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            meanwhile = made("meanwhile")
            store.put(meanwhile)
            await asyncio.sleep(0.1)
            async with asyncio.timeout(2):
                assert await store.get(kept.key) == kept
                assert await store.get(meanwhile.key) == meanwhile
            other.execute("COMMIT")
            other.close()
            await store.browse(Selection(), order="hits", limit=1)
            assert (await store.sizes()).entries == 2

    run()
