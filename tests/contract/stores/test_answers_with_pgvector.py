"""Neighbours that a server with pgvector finds. The server comes with a package for tests."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from headgate.compose.stores import move_installation
from headgate.stores.answers import Judgement, Selection
from headgate.stores.backends import postgres
from headgate.stores.backends.postgres.answers import postgres_answers
from tests.conftest import TOOLS
from tests.support.aio import aio
from tests.support.answers import comes_true, key_of, made, opened, vector_of, written
from tests.support.postgres_server import PostgresServer, postgres_server

__all__: list[str] = []

pytestmark = pytest.mark.needs("pgvector")


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    programs = TOOLS["pgvector"].programs
    with postgres_server(Path(max(programs)).parent) as server:
        yield server


@pytest.fixture
def url(server: PostgresServer) -> str:
    return server.new_database()


def asked(seed: int) -> list[float]:
    rng = random.Random(seed)
    return [rng.gauss(0, 1) for _ in range(16)]


def cosine(one: list[float], two: list[float]) -> float:
    dot = sum(a * b for a, b in zip(one, two, strict=True))
    return dot / (sum(a * a for a in one) * sum(b * b for b in two)) ** 0.5


@pytest.mark.parametrize("large", [1_000_000, 100])
def test_the_server_finds_the_nearest(url: str, large: int) -> None:
    """Row by row in a small group, by an index in a large one; removed ones never."""

    @aio
    async def run() -> None:
        database = postgres.Database(url)
        store: Any = postgres_answers(database, memory_bytes=10**7, most_bytes=10**8, large_group=large)
        await store.start()
        for number in range(300):
            store.put(made(f"e{number}", vector=vector_of(*asked(number)), embedder="it's local"))
        store.put(made("short", vector=vector_of(1, 0), embedder="it's local", compat=key_of("another")))
        await written(store)
        await store.backing.tidy()
        near = store.backing.engine.near
        assert near._ready
        assert bool(near._indexed) == (large == 100)
        wanted = asked(7_777)
        best = sorted(range(300), key=lambda number: -cosine(wanted, asked(number)))
        group = (key_of("compat"), "it's local", vector_of(*wanted))
        found = await store.nearest(*group, 4)
        assert [each.entry.key for each in found] == [key_of(f"e{number}") for number in best[:4]]
        assert found[0].cosine == pytest.approx(cosine(wanted, asked(best[0])), abs=2e-3)
        await store.remove(Selection(keys=[found[0].entry.key]))
        store.put(made(f"e{best[1]}"))  # its newer answer has no vector
        await written(store)
        found = await store.nearest(*group, 2)
        assert [each.entry.key for each in found] == [key_of(f"e{number}") for number in best[2:4]]
        assert not store._groups.holds(*group[:2])
        rows = await database.run(lambda one: one.fetchval("SELECT count(*) FROM answer_vector"))
        assert rows == 299
        await store.aclose()
        await database.close()

    run()


def test_answers_from_before_the_extension_are_found(url: str) -> None:
    """Those that were written without it, or moved here from another engine."""

    @aio
    async def run() -> None:
        async with opened("postgres", url) as one:
            backing = one.backing  # type: ignore[attr-defined]
            backing.engine.near._usable = False  # as where it is not installed
            one.put(made("old", vector=vector_of(1, 0.1), embedder="local"))
            await written(one)
            group = (key_of("compat"), "local", vector_of(1, 0))
            assert len(await one.nearest(*group, 3)) == 1
            assert one._groups.holds(*group[:2])  # type: ignore[attr-defined]
        async with opened("postgres", url) as two:
            near = two.backing.engine.near  # type: ignore[attr-defined]
            await comes_true(lambda: near._ready, 10)
            assert [each.entry.key for each in await two.nearest(*group, 3)] == [key_of("old")]
            assert not two._groups.holds(*group[:2])  # type: ignore[attr-defined]

    run()


def test_who_may_not_make_the_extension_goes_without(server: PostgresServer, url: str) -> None:
    """An operator may have it installed and not allowed: nodes keep indexes of their own."""

    @aio
    async def run() -> None:
        name = url.rsplit("/", 1)[1]
        owner = await asyncpg.connect(url)
        await owner.execute(f"CREATE ROLE plain_{name} LOGIN PASSWORD 'plain'")
        await owner.execute(f"GRANT ALL ON SCHEMA public TO plain_{name}")
        await owner.close()
        plain = f"postgresql://plain_{name}:plain@127.0.0.1:{server.port}/{name}"
        async with opened("postgres", plain) as store:
            store.put(made("one", vector=vector_of(1, 0.1), embedder="local"))
            await written(store)
            await store.backing.tidy()  # type: ignore[attr-defined]
            near = store.backing.engine.near  # type: ignore[attr-defined]
            assert near._usable is False and not near._ready
            found = await store.nearest(key_of("compat"), "local", vector_of(1, 0), 3)
            assert [each.entry.key for each in found] == [key_of("one")]

    run()


def test_answers_are_moved_with_the_rest(url: str, tmp_path: Path) -> None:
    """From a file to a server: answers, their vectors, and what was learned."""

    @aio
    async def run() -> None:
        entry = made("moved", vector=vector_of(1, 0.1), embedder="local", tags={"a": "b\x00"}, user="a\x00")
        learned = Judgement(key=entry.key, score=0.5, right=True, at_ns=1, source="person", question="?\x00")
        async with opened("sqlite", tmp_path) as file:
            file.put(entry)
            await file.judge([learned])
        await move_installation(tmp_path / "headgate.db", url, lambda *_: None)
        async with opened("postgres", url) as store:
            assert await store.get(entry.key) == entry
            assert (await store.sizes()).entries == 1
            assert list((await store.judgements([entry.key]))[entry.key]) == [learned]
            near = store.backing.engine.near  # type: ignore[attr-defined]
            await comes_true(lambda: near._ready, 10)
            found = await store.nearest(entry.compat, "local", vector_of(1, 0), 3)
            assert [each.entry.key for each in found] == [entry.key]
            store.put(made("new"))
            await written(store)
            assert (await store.sizes()).entries == 2

    run()
