"""What every store of answers promises of judgements; run on each engine."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from headgate.stores.answers import MOST_JUDGEMENTS, Judgement, Selection
from tests.support.aio import aio
from tests.support.answers import SECOND, every, key_of, made, one_store, shared, tiers, written

__all__: list[str] = []


@every
@aio
async def test_judgements_are_kept_and_found(backend: str, place: Path | str) -> None:
    """By entry, oldest first, the latest of them; by feature, newest first. They outlive the entry, not the request."""
    async with one_store(backend, place) as store:
        now = time.time_ns() // 1_000_000 * 1_000_000
        key, other = key_of("a"), key_of("b")
        one = Judgement(
            key=key,
            score=0.5,
            right=True,
            at_ns=now,
            source="sample",
            question="How\x00?",
            feature="shop",
        )
        many = [replace(one, at_ns=now + at * 1_000, right=bool(at % 2)) for at in range(MOST_JUDGEMENTS + 5)]
        mail = replace(one, key=other, at_ns=now + 10**9, feature="mail", request_id=7, source="person")
        await store.judge(many)
        await store.judge([mail, mail])
        await store.judge([])
        found = await store.judgements([key, other, key_of("c")])
        assert list(found[key]) == many[5:]
        assert list(found[other]) == [mail, mail]
        assert key_of("c") not in found
        assert await store.judgements([]) == {}
        latest = await store.judged(None, now, 3)
        assert list(latest) == [mail, mail, many[-1]]
        assert list(await store.judged("shop", now + (MOST_JUDGEMENTS + 3) * 1_000 - 500, 9)) == [
            many[-1],
            many[-2],
        ]
        assert list(await store.judged("nobody", now, 9)) == []
        await store.remove(Selection(keys=[key]))
        assert len((await store.judgements([key]))[key]) == MOST_JUDGEMENTS
        await store.unlearn([7, 0])
        assert other not in await store.judgements([other])
        assert all(each.feature == "shop" for each in await store.judged(None, now - 500, 999))


@shared
@aio
async def test_what_is_over_is_tidied_away_and_old_judgements_quote_nobody(
    backend: str, place: Path | str
) -> None:
    """Entries when their time is over; the questions of judgements after a week, judgements after ninety days."""
    ahead = 0

    def now() -> int:
        return time.time_ns() + ahead

    async with one_store(backend, place, now_ns=now) as store:
        backing: Any = tiers(store).backing
        store.put(made("short", until_ns=now() + 5 * SECOND))
        store.put(made("long", until_ns=now() + 200 * 86_400 * SECOND))
        at = time.time_ns() // 1_000_000 * 1_000_000
        first = Judgement(key=key_of("long"), score=1, right=True, at_ns=at, source="sample", question="Me?")
        second = replace(first, at_ns=at + 4 * 86_400 * SECOND, question="You?")
        await store.judge([first, second])
        await written(store)
        ahead = 8 * 86_400 * SECOND
        while await backing.tidy():
            pass
        assert (await store.sizes()).entries == 1
        found = await store.judgements([first.key])
        assert list(found[first.key]) == [replace(first, question=""), second]
        ahead = 92 * 86_400 * SECOND
        while await backing.tidy():
            pass
        assert [each.at_ns for each in await store.judged(None, 0, 9)] == [second.at_ns]
