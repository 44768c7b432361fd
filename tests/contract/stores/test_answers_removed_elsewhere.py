"""What was removed on one node is not given on another, whatever was under way there; run on each engine that nodes share."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

from headgate.stores.answers import AnswerStore, CacheEntry, Selection
from tests.support.aio import aio
from tests.support.answers import comes_true, hears, key_of, made, shared, tiers, two_nodes, written

__all__: list[str] = []


@shared
@aio
async def test_other_nodes_let_go_within_a_second(backend: str, place: Path | str) -> None:
    """Of what they had at hand, also of what is never written anywhere; the rest they find again."""
    async with two_nodes(backend, place) as (one, two):
        gone, kept = made("gone", user="bob"), made("kept")
        secret = made("secret", user="bob", durable=False)
        for entry in (gone, kept):
            one.put(entry)
        two.put(secret)
        await written(one)
        await comes_true(lambda: not two.absent(kept.key))
        assert await two.get(gone.key) == gone
        assert await two.get(kept.key) == kept
        assert two.at_hand(gone.key) == gone
        await one.remove(Selection(user="bob"))
        removed_at = time.monotonic()
        assert one.at_hand(gone.key) is None
        await comes_true(lambda: two.at_hand(gone.key) is None)
        assert time.monotonic() - removed_at < 1.2
        assert two.at_hand(secret.key) is None
        assert await two.get(gone.key) is None
        assert await two.get(kept.key) == kept


@shared
@aio
async def test_a_batch_of_a_node_that_has_not_heard_is_turned_away(backend: str, place: Path | str) -> None:
    """It hears first, lets go of what was meant, and comes again with the rest."""
    async with two_nodes(backend, place) as (one, two):
        await one.sizes()
        entry, other = made("late"), made("other", feature="mail")
        backing: Any = tiers(two).backing
        write, held = backing.write, asyncio.Event()

        async def slowly(entries: object, removed: int) -> int:
            await held.wait()
            return int(await write(entries, removed))

        backing.write = slowly
        two.put(entry)
        two.put(other)
        # Its batch has left, with the number of the last removal that it knew of.
        await asyncio.sleep(0.1)
        await one.remove(Selection(feature="shop"))
        held.set()
        await comes_true(lambda: has(one, other))
        assert await one.get(entry.key) is None
        await comes_true(lambda: two.at_hand(entry.key) is None)
        assert await two.get(entry.key) is None


async def has(store: AnswerStore, entry: CacheEntry) -> bool:
    return await store.get(entry.key) is not None


@shared
@aio
async def test_removals_overtake_what_is_under_way(backend: str, place: Path | str) -> None:
    """Two nodes put and look without a pause, and remove in between: nothing from before a removal is there after it."""
    async with two_nodes(backend, place) as (one, two):
        count, over = 0, False

        async def busy(store: AnswerStore) -> None:
            nonlocal count
            while not over:
                for _ in range(3):
                    count += 1
                    store.put(made(f"k{count % 40}", origin_id=count))
                await store.get(key_of(f"k{count * 7 % 40}"))
                await asyncio.sleep(0.001)

        working = [asyncio.create_task(busy(store)) for store in (one, two)]
        for turn in range(4):
            await asyncio.sleep(0.05)
            before = count
            await (one, two)[turn % 2].remove(Selection(text="far"))
            for store in (one, two):
                await hears(store)
            for store in (one, two):
                for number in range(40):
                    for found in (
                        store.at_hand(key_of(f"k{number}")),
                        await store.get(key_of(f"k{number}")),
                    ):
                        assert found is None or found.origin_id > before
        over = True
        await asyncio.gather(*working)


@shared
@aio
async def test_an_answer_that_was_on_its_way_when_it_was_removed_does_not_stay(
    backend: str, place: Path | str
) -> None:
    """Read before the removal, it arrives after this node has heard of it."""
    async with two_nodes(backend, place) as (one, two):
        entry = made("slow")
        one.put(entry)
        await one.sizes()
        await written(one)
        backing: Any = tiers(two).backing
        fetch, held = backing.fetch, asyncio.Event()

        async def slowly(keys: object) -> object:
            found = await fetch(keys)
            await held.wait()
            return found

        backing.fetch = slowly
        await comes_true(lambda: not two.absent(entry.key))
        asked = asyncio.create_task(two.get(entry.key))
        await asyncio.sleep(0.1)
        await one.remove(Selection(feature="shop"))
        await comes_true(lambda: tiers(two)._hearing.removed > 0)
        held.set()
        assert await asked is None
        assert two.at_hand(entry.key) is None


@shared
@aio
async def test_what_another_node_reads_while_it_is_removed_does_not_stay_there(
    backend: str, place: Path | str
) -> None:
    """It has heard of the removal already, and the engine still had the entry."""
    async with two_nodes(backend, place) as (one, two):
        entry = made("kept")
        one.put(entry)
        await one.sizes()
        await written(one)
        backing: Any = tiers(one).backing
        drop = backing.drop

        async def late(keys: list[bytes]) -> None:
            await hears(two)
            await two.get(entry.key)
            await drop(keys)

        backing.drop = late
        assert (await one.remove(Selection(feature="shop"))).entries == 1
        await hears(two)
        assert two.at_hand(entry.key) is None and await two.get(entry.key) is None
