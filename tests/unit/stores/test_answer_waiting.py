"""What waits for the engine of answers, what overtakes what it says, and what is done while it is away."""

from __future__ import annotations

import asyncio
import logging

import pytest

from headgate.stores.answer_choice import Choice
from headgate.stores.answer_presence import Known
from headgate.stores.answer_reach import Reach, to_its_end
from headgate.stores.answer_removals import Removals
from headgate.stores.answer_waiting import Hits, Waiting
from headgate.stores.answers import Selection
from headgate.stores.errors import StoreUnavailable
from tests.support.aio import aio
from tests.support.answers import key_of, made

__all__: list[str] = []


def test_what_waits_goes_in_batches_in_the_order_in_which_it_was_put() -> None:
    """Of 200 entries, or of a megabyte; what was put anew while its batch was under way waits on."""
    waiting = Waiting()
    entries = [made(f"e{number}") for number in range(450)]
    for entry in entries:
        waiting.put(entry, 100)
    assert waiting.last() is entries[-1]
    batch = waiting.batch()
    assert [entry for entry, _ in batch] == entries[:200]
    assert waiting.fills_a_batch
    newer = made("e7")
    waiting.put(newer, 100)
    waiting.written(batch)
    assert len(waiting) == 251
    assert waiting.get(newer.key) is newer is waiting.last()
    assert next(iter(waiting)) == entries[200].key
    waiting.put(made("large"), 999_950)
    waiting.drop_those(Choice(Selection(keys=[each.key for each in entries[201:]])))
    waiting.put(made("after"), 100)
    assert [size for _, size in waiting.batch()] == [100, 100, 999_950]
    waiting.clear()
    assert not waiting and waiting.last() is None and waiting.batch() == []


def test_what_waits_is_bounded_in_bytes() -> None:
    """The oldest goes, and is counted; an entry put again takes its room once."""
    waiting = Waiting()
    for _ in range(40):
        assert waiting.put(made("same"), 1_000_000) == []
    others = [made(f"e{number}") for number in range(16)]
    gone = [each for entry in others for each in waiting.put(entry, 1_000_000)]
    assert [entry.key for entry in gone] == [key_of("same")]
    assert waiting.dropped == 1
    assert len(waiting) == 16
    waiting.drop(others[0].key)
    assert waiting.put(made("more"), 1_000_000) == []


def test_hits_that_were_not_written_are_not_lost() -> None:
    """But for those of an entry that was given again meanwhile."""
    hits = Hits()
    hits.note(b"a", 5)
    hits.note(b"a", 3)
    hits.note(b"b", 1)
    taken = hits.taken()
    assert taken == {b"a": (2, 5), b"b": (1, 1)}
    hits.note(b"b", 9)
    hits.put_back(taken)
    assert hits.taken() == {b"a": (2, 5), b"b": (1, 9)}
    assert hits.taken() == {}


def test_an_answer_is_held_against_what_was_heard_since_it_was_asked_for() -> None:
    """Nothing from before; while something is being removed, that; and if too much was heard to remember, everything."""
    removals = Removals()
    shop, mail = made("a", feature="shop"), made("b", feature="mail")
    removals.note(Choice(Selection(feature="shop")))
    before = removals.count
    assert not removals.overtook(shop, before)
    removals.note(Choice(Selection(feature="shop")))
    assert removals.overtook(shop, before)
    assert not removals.overtook(mail, before)
    going = Choice(Selection(feature="mail"))
    removals.begin(going)
    assert removals.overtook(mail, removals.count)
    before = removals.count
    removals.end(going)
    assert not removals.overtook(mail, removals.count)
    assert removals.overtook(mail, before)
    for _ in range(65):
        removals.note(Choice(Selection(feature="none")))
    assert removals.overtook(made("c", feature="other"), removals.count - 65)
    assert not removals.overtook(made("c", feature="other"), removals.count - 64)


def test_keys_that_come_while_they_are_learned_are_known() -> None:
    """Before they are learned nothing is absent, nor after all was forgotten."""
    known = Known()
    assert known.is_stale
    assert not known.absent(key_of("a"))
    learning = known.begin([key_of("waits")])
    learning.add([key_of("kept")])
    known.add([key_of("new")])
    assert not known.absent(key_of("nowhere"))
    known.end(learning)
    assert not known.is_stale
    assert known.absent(key_of("nowhere"))
    assert not any(known.absent(key_of(name)) for name in ("waits", "kept", "new"))
    known.add([key_of("later")])
    assert not known.absent(key_of("later"))
    again = known.begin([])
    known.forget()
    known.end(again)
    assert known.is_stale
    assert not known.absent(key_of("nowhere"))


def test_an_engine_that_was_away_is_not_asked_for_half_a_second(caplog: pytest.LogCaptureFixture) -> None:
    """It is said once that it went, once that it is back, and once each time that it takes nothing."""
    now = 100.0
    reach = Reach(lambda: now)

    async def fails() -> None:
        raise StoreUnavailable("gone")

    @aio
    async def run() -> None:
        nonlocal now
        reach.may_ask()
        for _ in range(3):
            with pytest.raises(StoreUnavailable, match="gone"):
                await reach.asked(fails())
        with pytest.raises(StoreUnavailable, match="a moment ago"):
            reach.may_ask()
        now += 0.6
        reach.may_ask()
        reach.note_there()
        reach.note_there()
        reach.note_full(StoreUnavailable("full"))
        reach.note_full(StoreUnavailable("full"))
        reach.note_taken()
        reach.note_full(StoreUnavailable("full"))

    with caplog.at_level(logging.INFO, "headgate.cache"):
        run()
    said = [record.getMessage() for record in caplog.records]
    assert [text.split("(")[0].strip() for text in said] == [
        "the cache's engine is away",
        "the cache's engine is back",
        "the cache's engine takes no answers",
        "the cache's engine takes no answers",
    ]


@aio
async def test_a_question_goes_on_when_nobody_waits_for_it_any_more() -> None:
    """Who gives up does not break it off."""
    asked, told, ended = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def question() -> None:
        asked.set()
        await told.wait()
        ended.set()

    waiting = asyncio.create_task(to_its_end(question()))
    await asked.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    told.set()
    await ended.wait()
