"""What every key store promises; run on each backend."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from headgate.stores.backends.memory import MemoryKeys
from headgate.stores.backends.sqlite import Database, SqliteKeys
from headgate.stores.errors import KeyExists
from headgate.stores.keys import KeyRecord
from tests.support.aio import aio

__all__: list[str] = []

KEY = KeyRecord(
    id="key_1",
    name="app",
    hash="aa",
    created_ns=10,
    expires_ns=99,
    team="canal",
    tenant="acme",
    models=("small", "support-chat"),
)


@asynccontextmanager
async def keys(backend: str, directory: Path) -> AsyncIterator[MemoryKeys | SqliteKeys]:
    if backend == "memory":
        yield MemoryKeys()
        return
    database = Database(directory / "headgate.db")
    try:
        yield SqliteKeys(database)
    finally:
        await database.close()


both = pytest.mark.parametrize("backend", ["memory", "sqlite"])


@both
def test_keys_come_back_oldest_first_and_whole(backend: str, tmp_path: Path) -> None:
    """Every field, empty ones too."""

    @aio
    async def run() -> None:
        older = KeyRecord(id="key_2", name="older", hash="bb", created_ns=5)
        async with keys(backend, tmp_path) as store:
            assert list(await store.all()) == []
            await store.add(KEY)
            await store.add(older)
            assert list(await store.all()) == [older, KEY]

    run()


@both
@pytest.mark.parametrize("same", ["id", "name", "hash"])
def test_a_key_that_is_there_is_not_added_again(backend: str, same: str, tmp_path: Path) -> None:
    """Two keys never share id, name or hash, and the message says which key."""

    @aio
    async def run() -> None:
        other = msgspec.structs.replace(
            KEY, **{"id": "key_9", "name": "new", "hash": "zz"} | {same: getattr(KEY, same)}
        )
        async with keys(backend, tmp_path) as store:
            await store.add(KEY)
            with pytest.raises(KeyExists, match=other.name):
                await store.add(other)
            assert list(await store.all()) == [KEY]

    run()


@both
def test_a_key_is_revoked_once_and_stays_on_the_list(backend: str, tmp_path: Path) -> None:
    """Records name it for ever, so it is not deleted; a second revocation does not move the date."""

    @aio
    async def run() -> None:
        async with keys(backend, tmp_path) as store:
            await store.add(KEY)
            assert not await store.revoke("key_none", 50)
            assert await store.revoke("key_1", 50)
            assert not await store.revoke("key_1", 60)
            (found,) = await store.all()
            assert found.revoked_ns == 50

    run()


@both
def test_the_secret_stays_the_same(backend: str, tmp_path: Path) -> None:
    """Hashes of keys depend on it."""

    @aio
    async def run() -> None:
        async with keys(backend, tmp_path) as store:
            secret = await store.secret()
            assert len(secret) == 32 and secret == await store.secret()

    run()


@aio
async def test_two_processes_agree_on_one_secret(tmp_path_factory) -> None:
    """Of two that start at once, one makes it; each installation has another."""
    directory, elsewhere = tmp_path_factory.mktemp("a"), tmp_path_factory.mktemp("b")
    async with (
        keys("sqlite", directory) as one,
        keys("sqlite", directory) as two,
        keys("sqlite", elsewhere) as other,
    ):
        assert await one.secret() == await two.secret() != await other.secret()
