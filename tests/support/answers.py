"""Entries of the cache, and stores of them on every engine."""

from __future__ import annotations

import asyncio
import itertools
import time
from contextlib import asynccontextmanager
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from headgate.stores.answer_tiers import TieredAnswers
from headgate.stores.answers import AnswerStore, CacheEntry, Selection
from headgate.stores.backends import postgres, sqlite
from headgate.stores.backends.memory.answers import MemoryAnswers
from headgate.stores.backends.postgres.answers import postgres_answers
from headgate.stores.backends.redis.answers import redis_answers
from headgate.stores.backends.sqlite.answers import sqlite_answers
from tests.support.redis_server import redis_server
from tests.support.stores import POSTGRES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

__all__ = [
    "ENGINES",
    "SECOND",
    "SHARED_ENGINES",
    "comes_true",
    "every",
    "hears",
    "key_of",
    "made",
    "one_store",
    "opened",
    "shared",
    "spot",
    "tiers",
    "two_nodes",
    "vector_of",
    "written",
]

REDIS = pytest.param("redis", marks=pytest.mark.needs("redis"))
ENGINES = ["memory", "sqlite", POSTGRES, REDIS]
SHARED_ENGINES = ["sqlite", POSTGRES, REDIS]
"""Those that several processes may open at once."""
every = pytest.mark.parametrize("backend", ENGINES)
shared = pytest.mark.parametrize("backend", SHARED_ENGINES)

SECOND = 10**9
_numbers = itertools.count(1)


def key_of(name: str) -> bytes:
    """A key of the right size."""
    return blake2b(name.encode(), digest_size=16).digest()


def made(name: str = "", **changes: Any) -> CacheEntry:
    """An entry under the key of that name."""
    number = next(_numbers)
    now = time.time_ns()
    facts: dict[str, Any] = {
        "key": key_of(name or f"entry {number}"),
        "compat": key_of("compat"),
        "tenant": "house",
        "feature": "shop",
        "scope": "feature",
        "owner": "",
        "user": "ada",
        "operation": "chat",
        "model": "openai/small",
        "reported_model": "small-1",
        "prompt": "greeting@7",
        "tags": {"team": "blue"},
        "question": f"How far is it to {name}?",
        "answer": b'{"text": "A long way\\nto ' + name.encode() + b'"}',
        "origin_id": number,
        "made_ns": now + number,
        "fresh_ns": now + 60 * SECOND,
        "until_ns": now + 600 * SECOND,
        "cost_nanos": 5_000,
        "took_us": 800_000,
    }
    return CacheEntry(**{**facts, **changes})


def vector_of(*numbers: float) -> bytes:
    """float16, of length one."""
    import struct  # noqa: PLC0415 - here alone

    length = sum(each * each for each in numbers) ** 0.5
    return struct.pack(f"<{len(numbers)}e", *(each / length for each in numbers))


@asynccontextmanager
async def spot(engine: str, place: Path | str) -> AsyncIterator[Path | str]:
    """Where an engine keeps what a test stores. place: of the fixture of that name."""
    if engine == "redis":
        async with redis_server() as server:
            yield server.url
    else:
        yield place


@asynccontextmanager
async def opened(
    engine: str,
    place: Path | str,
    *,
    memory_bytes: int = 4_000_000,
    most_bytes: int = 40_000_000,
    now_ns: Callable[[], int] = time.time_ns,
    started: bool = True,
) -> AsyncIterator[AnswerStore]:
    """place: a folder for SQLite, a URL for servers. Opened twice at one place, both are nodes of one installation."""
    database: Any = None
    if engine == "memory":
        store: Any = MemoryAnswers(memory_bytes, now_ns=now_ns)
    elif engine == "sqlite":
        database = sqlite.Database(Path(place) / "headgate.db")
        store = sqlite_answers(database, memory_bytes=memory_bytes, most_bytes=most_bytes, now_ns=now_ns)
    elif engine == "postgres":
        database = postgres.Database(str(place))
        store = postgres_answers(database, memory_bytes=memory_bytes, most_bytes=most_bytes, now_ns=now_ns)
    else:
        store = redis_answers(str(place), memory_bytes=memory_bytes, most_bytes=most_bytes, now_ns=now_ns)
    try:
        if started:
            await store.start()
        yield store
    finally:
        await store.aclose()
        if database is not None:
            await database.close()


@asynccontextmanager
async def one_store(engine: str, place: Path | str, **facts: Any) -> AsyncIterator[AnswerStore]:
    """A store at a place of its own. facts: of `opened`."""
    async with spot(engine, place) as where, opened(engine, where, **facts) as store:
        yield store


@asynccontextmanager
async def two_nodes(engine: str, place: Path | str) -> AsyncIterator[tuple[AnswerStore, AnswerStore]]:
    """Of one installation."""
    async with spot(engine, place) as where, opened(engine, where) as one, opened(engine, where) as two:
        yield one, two


def tiers(store: AnswerStore) -> TieredAnswers:
    """The same, for who looks inside."""
    assert isinstance(store, TieredAnswers)
    return store


async def hears(store: AnswerStore) -> None:
    """Of what other nodes have removed: now, instead of within a second."""
    await tiers(store)._hearing.hear()


async def written(store: AnswerStore) -> None:
    """All that was put so far."""
    await store.browse(Selection(), order="hits", limit=1)


async def comes_true(what: Callable[[], Any], seconds: float = 5.0) -> None:
    """Ask until it is so."""
    until = time.monotonic() + seconds
    while True:
        found = what()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return
        assert time.monotonic() < until, "it has not come true"
        await asyncio.sleep(0.02)
