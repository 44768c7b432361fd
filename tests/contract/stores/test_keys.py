"""What every key store promises; run on each backend."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from headgate.stores.errors import KeyExists
from headgate.stores.keys import KeyRecord, KeyStore
from tests.support.aio import aio
from tests.support.stores import BACKENDS, SHARED, stores

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
async def keys(backend: str, place: Path | str) -> AsyncIterator[KeyStore]:
    async with stores(backend, place) as opened:
        yield opened.keys


both = pytest.mark.parametrize("backend", BACKENDS)


@both
def test_keys_come_back_oldest_first_and_whole(backend: str, place: Path | str) -> None:
    """Every field, empty ones too."""

    @aio
    async def run() -> None:
        older = KeyRecord(id="key_2", name="older", hash="bb", created_ns=5)
        async with keys(backend, place) as store:
            assert list(await store.all()) == []
            await store.add(KEY)
            await store.add(older)
            assert list(await store.all()) == [older, KEY]

    run()


@both
def test_a_key_that_is_as_it_was_is_not_read_anew(backend: str, place: Path | str) -> None:
    """They are asked for each second: of ten thousand keys only what has changed may cost anything."""

    @aio
    async def run() -> None:
        async with keys(backend, place) as store:
            await store.add(KEY)
            await store.add(KeyRecord(id="key_2", name="other", hash="bb", created_ns=20))
            before = await store.all()
            await store.used(["key_2"], 30)
            after = await store.all()
            assert after[0] is before[0]
            assert (before[1].last_used_ns, after[1].last_used_ns) == (None, 30)

    run()


@both
@pytest.mark.parametrize("same", ["id", "name", "hash"])
def test_a_key_that_is_there_is_not_added_again(backend: str, same: str, place: Path | str) -> None:
    """Two keys never share id, name or hash, and the message says which key."""

    @aio
    async def run() -> None:
        other = msgspec.structs.replace(
            KEY, **{"id": "key_9", "name": "new", "hash": "zz"} | {same: getattr(KEY, same)}
        )
        async with keys(backend, place) as store:
            await store.add(KEY)
            with pytest.raises(KeyExists, match=other.name):
                await store.add(other)
            assert list(await store.all()) == [KEY]

    run()


@both
def test_a_key_is_revoked_once_and_stays_on_the_list(backend: str, place: Path | str) -> None:
    """Records name it for ever, so it is not deleted; a second revocation does not move the date."""

    @aio
    async def run() -> None:
        async with keys(backend, place) as store:
            await store.add(KEY)
            assert not await store.revoke("key_none", 50)
            assert await store.revoke("key_1", 50)
            assert not await store.revoke("key_1", 60)
            (found,) = await store.all()
            assert found.revoked_ns == 50

    run()


@both
def test_the_secret_stays_the_same(backend: str, place: Path | str) -> None:
    """Hashes of keys depend on it."""

    @aio
    async def run() -> None:
        async with stores(backend, place) as opened:
            secret = await opened.keys.secret()
            assert len(secret) == 32 and secret == await opened.keys.secret()

    run()


@pytest.mark.parametrize("backend", SHARED)
def test_two_processes_agree_on_one_secret(backend: str, place: Path | str) -> None:
    """Of two that start at once, one makes it."""

    @aio
    async def run() -> None:
        async with stores(backend, place) as one, stores(backend, place) as two:
            first, second = await asyncio.gather(one.keys.secret(), two.keys.secret())
            assert first == second

    run()


@both
def test_no_number_of_a_node_is_given_twice(backend: str, place: Path | str) -> None:
    """From 1 on, also after everything was closed."""

    @aio
    async def run() -> None:
        async with stores(backend, place) as opened:
            assert [await opened.keys.next_node() for _ in range(3)] == [1, 2, 3]
        if backend in SHARED:
            async with stores(backend, place) as opened:
                assert await opened.keys.next_node() == 4

    run()


@pytest.mark.parametrize("backend", SHARED)
def test_processes_that_start_at_once_are_given_different_numbers(backend: str, place: Path | str) -> None:
    """Each the next."""

    @aio
    async def run() -> None:
        async with stores(backend, place) as one, stores(backend, place) as two:
            given = await asyncio.gather(*(store.keys.next_node() for store in (one, two) * 10))
            assert sorted(given) == list(range(1, 21))

    run()


@aio
async def test_each_installation_has_a_secret_of_its_own(tmp_path_factory) -> None:
    """Hashes of one say nothing about another's keys."""
    directory, elsewhere = tmp_path_factory.mktemp("a"), tmp_path_factory.mktemp("b")
    async with stores("sqlite", directory) as one, stores("sqlite", elsewhere) as other:
        assert await one.keys.secret() != await other.keys.secret()
