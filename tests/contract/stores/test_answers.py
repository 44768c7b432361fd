"""What every store of answers promises of keeping and giving them; run on each engine."""

from __future__ import annotations

import time
from pathlib import Path

from headgate.stores.answers import Selection
from tests.support.aio import aio
from tests.support.answers import (
    SECOND,
    comes_true,
    every,
    key_of,
    made,
    one_store,
    opened,
    shared,
    spot,
    tiers,
    vector_of,
    written,
)

__all__: list[str] = []


@every
@aio
async def test_an_answer_comes_back_whole(backend: str, place: Path | str) -> None:
    """At once from memory, and as it was from the engine, zero bytes and all."""
    async with spot(backend, place) as where:
        entry = made(
            "moon",
            tags={"customer": "ac\x00me", "ü": "ß"},
            question="How\x00 far? \ud83d".encode("utf-8", "replace").decode(),
            vector=vector_of(1, 2, 3),
            embedder="local",
            request=b"{}",
            dialect="openai",
            user="a\x00da",
        )
        async with opened(backend, where) as store:
            assert await store.get(entry.key) is None
            store.put(entry)
            assert store.at_hand(entry.key) == entry
            assert not store.absent(entry.key)
            assert await store.get(entry.key) == entry
            assert await store.get(key_of("sun")) is None
            await store.sizes()
            await written(store)
            if backend != "memory":
                async with opened(backend, where) as other:
                    assert other.at_hand(entry.key) is None
                    assert await other.get(entry.key) == entry
                    assert other.at_hand(entry.key) == entry


@every
@aio
async def test_nothing_is_given_after_its_time(backend: str, place: Path | str) -> None:
    """Neither from memory nor from the engine; what is over is not even put."""
    ahead = 0

    def now() -> int:
        return time.time_ns() + ahead

    async with one_store(backend, place, now_ns=now) as store:
        entry = made("short", until_ns=time.time_ns() + 100 * SECOND, vector=vector_of(1, 0), embedder="e")
        over = made("over", until_ns=time.time_ns() - 1)
        store.put(entry)
        store.put(over)
        assert store.at_hand(over.key) is None
        assert await store.get(over.key) is None
        assert await store.get(entry.key) == entry
        found = await store.browse(Selection(), order="newest", limit=9)
        assert [each.entry.key for each in found] == [entry.key]
        ahead = 101 * SECOND
        assert store.at_hand(entry.key) is None
        assert await store.get(entry.key) is None
        assert await store.browse(Selection(), order="newest", limit=9) == []
        assert list(await store.nearest(entry.compat, "e", vector_of(1, 0), 3)) == []


@every
@aio
async def test_the_later_answer_of_a_key_counts(backend: str, place: Path | str) -> None:
    """In place of the earlier one, and the room is not counted twice."""
    async with one_store(backend, place) as store:
        first = made("same")
        store.put(first)
        await written(store)
        before = await store.sizes()
        second = made("same", origin_id=99)
        store.put(second)
        found = await store.browse(Selection(), order="hits", limit=9)
        assert [each.entry.origin_id for each in found] == [99]
        assert await store.get(second.key) == second
        after = await store.sizes()
        assert after.entries == before.entries == 1
        assert after.bytes == before.bytes


@every
@aio
async def test_what_is_given_often_comes_first_and_pages_follow(backend: str, place: Path | str) -> None:
    """By hits, most first; by age, newest first. A page begins after the key that the one before ended with."""
    async with one_store(backend, place) as store:
        entries = [made(f"e{number}", made_ns=10**18 + number * 10**9) for number in range(7)]
        for entry in entries:
            store.put(entry)
        await written(store)
        at = time.time_ns()
        for number, entry in enumerate(entries):
            for _ in range(number % 4):
                store.hit(entry.key, at)
        store.hit(key_of("unknown"), at)
        seen: list[int] = []
        after = b""
        while page := await store.browse(Selection(feature="shop"), order="hits", limit=3, after=after):
            after = page[-1].entry.key
            seen += [each.hits for each in page]
            assert all(abs(each.last_ns - at) <= 10**6 for each in page if each.hits)
            assert all(each.last_ns == 0 for each in page if not each.hits)
        assert seen == [3, 2, 2, 1, 1, 0, 0]
        newest = await store.browse(Selection(), order="newest", limit=3)
        following = await store.browse(Selection(), order="newest", limit=9, after=newest[-1].entry.key)
        order = [each.entry.made_ns for each in (*newest, *following)]
        assert order == sorted((entry.made_ns for entry in entries), reverse=True)


@every
@aio
async def test_what_is_rare_is_found_behind_much_else(backend: str, place: Path | str) -> None:
    """In whatever order, and on the page after."""
    async with one_store(backend, place) as store:
        for number in range(1_300):
            rare = number in (0, 3, 700)
            store.put(made(f"e{number}", question="A needle" if rare else "Hay", made_ns=10**18 + number))
        for order in ("newest", "hits"):
            found = list(await store.browse(Selection(text="needle"), order=order, limit=2))
            after = found[-1].entry.key
            found += await store.browse(Selection(text="needle"), order=order, limit=9, after=after)
            names = [key_of(f"e{number}") for number in (700, 3, 0)]
            assert [each.entry.key for each in found] == (names if order == "newest" else sorted(names))


@every
@aio
async def test_the_bound_is_held_and_who_was_not_asked_for_goes_first(
    backend: str, place: Path | str
) -> None:
    """In bytes, whatever is put. What is larger than a hundredth of the room is passed over."""
    most = 300_000
    async with one_store(backend, place, memory_bytes=most, most_bytes=most) as store:
        popular = made("popular")
        store.put(popular)
        await written(store)
        sizes = await store.sizes()
        for number in range(60):
            for each in range(10):
                store.put(made(f"e{number}-{each}", answer=b'"' + b"x" * 700 + b'"'))
            store.hit(popular.key, time.time_ns())
            if backend != "memory":
                await tiers(store)._writing.write_hits()
            if number % 10 == 9:
                await written(store)
                sizes = await store.sizes()
                assert sizes.bytes <= sizes.most_bytes == most
        assert sizes.evicted > 300
        assert 100 < sizes.entries < 400
        assert await store.get(popular.key) == popular
        assert await store.get(key_of("e0-0")) is None
        huge = made("huge", answer=b'"' + b"x" * (most // 50) + b'"')
        store.put(huge)
        assert store.at_hand(huge.key) is None
        assert await store.get(huge.key) is None


@shared
@aio
async def test_contents_that_are_not_to_be_written_stay_in_this_process(
    backend: str, place: Path | str
) -> None:
    """Given again from memory, by nobody else."""
    async with spot(backend, place) as where:
        entry = made("secret", durable=False, vector=vector_of(1, 0), embedder="local")
        async with opened(backend, where) as one, opened(backend, where) as two:
            one.put(made("open"))
            one.put(entry)
            await written(one)
            assert await one.get(entry.key) == entry
            assert await two.get(entry.key) is None
            assert (await one.sizes()).entries == 1
            assert (await one.remove(Selection(keys=[entry.key]), dry_run=True)).entries == 1
        async with opened(backend, where) as one:
            assert await one.get(entry.key) is None
            assert await one.get(key_of("open")) is not None


@shared
@aio
async def test_answers_survive_a_restart(backend: str, place: Path | str) -> None:
    """What was put before the stop is there after the start, and what is not there costs no look."""
    async with spot(backend, place) as where:
        entries = [made(f"e{number}") for number in range(450)]
        async with opened(backend, where) as store:
            for entry in entries:
                store.put(entry)
        async with opened(backend, where) as store:
            for entry in entries[::50]:
                assert await store.get(entry.key) == entry
            if backend == "sqlite":
                await comes_true(lambda: store.absent(key_of("nowhere")))
                assert not any(store.absent(entry.key) for entry in entries)
                new = made("new")
                store.put(new)
                assert not store.absent(new.key)
                # Of another process.
                async with opened(backend, where, started=False) as other:
                    warm = made("warm")
                    other.put(warm)
                await comes_true(lambda: not store.absent(warm.key))
                assert await store.get(warm.key) == warm


@every
@aio
async def test_a_store_that_was_not_started_may_be_asked(backend: str, place: Path | str) -> None:
    """By the command line, beside a gateway or without one."""
    async with one_store(backend, place, started=False) as store:
        assert (await store.sizes()).entries == 0
        entry = made("a")
        store.put(entry)
        assert (await store.remove(Selection(text="far"))).entries == 1
        assert await store.get(entry.key) is None
