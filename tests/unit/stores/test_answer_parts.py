"""The parts of the cache's stores: the shelf, which keys are absent, groups of neighbours, what is told of removals."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import tracemalloc
from pathlib import Path

import pytest

from headgate.stores.answer_backing import Vectors, told_of
from headgate.stores.answer_groups import Groups
from headgate.stores.answer_presence import Presence
from headgate.stores.answer_shelf import Shelf, weight
from headgate.stores.answers import Selection
from headgate.stores.backends.sqlite import Database, sqlite_answers
from headgate.stores.errors import StoreUnavailable
from tests.support.aio import aio
from tests.support.answers import key_of, made, vector_of

__all__: list[str] = []


def test_a_shelf_counts_what_entries_take() -> None:
    """Its bytes are those of this process, within a fifth."""
    shelf = Shelf(10**9)
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    for number in range(2_000):
        shelf.put(
            made(
                f"e{number}",
                tenant=f"tenant {number}",
                answer=os.urandom(1_000),
                question=f"Grüße {number} " * 30,
                tags={f"tag {number}": f"value {number}"},
            )
        )
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert shelf.bytes == pytest.approx(after - before, rel=0.2)


def test_a_shelf_lets_go_of_who_was_not_asked_for_longest() -> None:
    """Asking makes young; one that is larger than a hundredth has no place, and takes that of an earlier one away."""
    entries = [made(f"e{number:03}") for number in range(200)]
    shelf = Shelf(sum(map(weight, entries[:150])) + 10)
    for entry in entries[:150]:
        shelf.put(entry)
    assert len(shelf) == 150
    assert shelf.get(entries[0].key) is entries[0]
    shelf.put(entries[150])
    assert shelf.get(entries[0].key) is entries[0]
    assert shelf.get(entries[1].key) is None
    assert shelf.evicted == 151 - len(shelf) == 1
    assert not shelf.put(made("e000", answer=b"x" * shelf.most_bytes))
    assert shelf.get(entries[0].key) is None
    assert shelf.bytes == sum(slot.bytes for slot in shelf) <= shelf.most_bytes


def test_what_was_added_is_never_said_to_be_absent() -> None:
    """And hardly anything else is said to be there."""
    presence = Presence()
    keys = [os.urandom(16) for _ in range(50_000)]
    presence.add(keys)
    assert not any(map(presence.absent, keys))
    assert sum(presence.absent(os.urandom(16)) for _ in range(10_000)) > 9_990


def test_what_is_told_of_a_removal_names_nobody() -> None:
    """Users, texts and tags stay here; where very much is named, nothing is."""
    which = Selection(
        user="ann", text="secret", tag="customer=acme", feature="shop", keys=[b"k"], origins=[1]
    )
    assert told_of(which) == Selection(feature="shop", keys=[b"k"], origins=[1])
    assert told_of(Selection(origins=range(5_000))) == Selection()


class Shelves:
    """Groups of vectors as an engine has them; counts how often one is read."""

    def __init__(self) -> None:
        self.reads = 0
        self.fails = False
        self.held = asyncio.Event()
        self.held.set()

    async def vectors(self, compat: bytes, embedder: str, after: bytes) -> Vectors:
        self.reads += 1
        await self.held.wait()
        if self.fails:
            raise StoreUnavailable("away")
        number = int(after or b"0")
        rows = [(key_of(f"{embedder} {number}"), vector_of(1, number))]
        return Vectors(rows, str(number + 1).encode() if number < 2 else None)


@aio
async def test_a_group_is_read_once_and_kept_up() -> None:
    """However many ask; what comes meanwhile is newer than what is read; a failure is told, and tried again."""
    engine = Shelves()
    groups = Groups(engine, 10**7)  # type: ignore[arg-type]
    asked = (key_of("compat"), "e", vector_of(1, 0), 9)
    engine.fails = True
    with pytest.raises(StoreUnavailable):
        await groups.nearest(*asked)
    engine.fails = False
    engine.reads = 0
    engine.held.clear()
    asking = [asyncio.create_task(groups.nearest(*asked)) for _ in range(5)]
    given_up = asyncio.create_task(groups.nearest(*asked))
    await asyncio.sleep(0)
    given_up.cancel()
    groups.put(made("e 0", vector=vector_of(0, 1), embedder="e"))
    groups.put(made("other", vector=vector_of(1, 0), embedder="other"))
    engine.held.set()
    for found in await asyncio.gather(*asking):
        assert {key for key, _ in found} == {key_of("e 0"), key_of("e 1"), key_of("e 2")}
        assert dict(found)[key_of("e 0")] == pytest.approx(0, abs=1e-3)
    assert engine.reads == 3
    groups.drop(key_of("compat"), "e", key_of("e 1"))
    assert len(await groups.nearest(*asked)) == 2
    groups.clear()
    assert len(await groups.nearest(*asked)) == 3
    await groups.aclose()


@aio
async def test_the_bound_of_all_groups_is_held() -> None:
    """Those that nobody asked for longest go."""
    engine = Shelves()
    groups = Groups(engine, 200_000)  # type: ignore[arg-type]
    for number in range(500):
        await groups.nearest(key_of(f"group {number}"), "e", vector_of(1, 0), 1)
    assert not groups.holds(key_of("group 0"), "e")
    assert groups.holds(key_of("group 499"), "e")
    assert len(groups._groups) < 150
    await groups.aclose()


@aio
async def test_a_store_that_nobody_uses_costs_nothing(tmp_path: Path) -> None:
    """No thread, no task, no file: whoever configures no cache has none."""
    threads, tasks = threading.active_count(), len(asyncio.all_tasks())
    store = sqlite_answers(Database(tmp_path / "headgate.db"), memory_bytes=10**6, most_bytes=10**7)
    assert (threading.active_count(), len(asyncio.all_tasks())) == (threads, tasks)
    assert store.at_hand(key_of("a")) is None
    await store.aclose()
    assert not list(tmp_path.iterdir())
