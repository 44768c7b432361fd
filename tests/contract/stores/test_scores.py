"""What every store of judgements promises; run on each backend."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from headgate.core.ids import oldest_id
from headgate.stores.backends import postgres, sqlite
from headgate.stores.backends.memory import MemorySpans
from headgate.stores.backends.memory.scores import MemoryScores
from headgate.stores.backends.postgres.scores import PostgresScores
from headgate.stores.backends.sqlite.scores import SqliteScores
from headgate.stores.scores import DAY, HOUR, ScoreRow, ScoreScope, ScoreStore
from headgate.stores.sink import Batch, Position, SpanSink
from headgate.stores.spans import RequestRow
from tests.support.aio import aio
from tests.support.stores import BACKENDS

__all__: list[str] = []

NOON = 1_790_000_000 // DAY * DAY + 43_200
"""Seconds since 1970, at the beginning of an hour."""
NS = 1_000_000_000
every = pytest.mark.parametrize("backend", BACKENDS)


def request_id(seconds: float, number: int = 0) -> int:
    """Of a request that came then."""
    return oldest_id(int((seconds + 60) * NS)) + number


FIRST = request_id(NOON + 60, 1)


@dataclass
class Subject:
    scores: ScoreStore
    sink: SpanSink
    stored: int = 0

    def store(self, *rows: RequestRow) -> None:
        self.stored += 1
        self.sink.write(
            Batch(journal="j", position=Position(0, self.stored), requests=rows, attempts=(), contents=())
        )


@asynccontextmanager
async def opened(backend: str, place: Path | str) -> AsyncIterator[Subject]:
    if backend == "memory":
        spans = MemorySpans()
        yield Subject(MemoryScores(spans), spans)
    elif backend == "sqlite":
        file = sqlite.Database(Path(place) / "headgate.db")
        sink: SpanSink = sqlite.SqliteSink(file)
        yield Subject(SqliteScores(file), sink)
        sink.close()
        await file.close()
    else:
        server = postgres.Database(str(place))
        sink = postgres.PostgresSink(server)
        yield Subject(PostgresScores(server), sink)
        sink.close()
        await server.close()


def asked(number: int = FIRST, **given: Any) -> RequestRow:
    """A request that is stored."""
    usual: dict[str, Any] = {
        "key_id": "key_shop",
        "team": "web",
        "feature": "chat",
        "routed_model": "small",
        "provider": "house",
        "prompt": "greeting@7",
        "user": "ann",
        "session": "s1",
    }
    return RequestRow(number, NOON * NS, "t", **(usual | given))


def thumb(event: str = "e1", number: float = 1.0, **given: Any) -> ScoreRow:
    usual: dict[str, Any] = {
        "request_id": FIRST,
        "name": "thumbs",
        "kind": "boolean",
        "label": "up" if number else "down",
        "source": "user",
        "at_ns": (NOON + 90) * NS,
        "key_id": "key_shop",
    }
    return ScoreRow(event=event, number=number, **(usual | given))


async def sums(store: ScoreStore, *, step: int = 0, by: Sequence[str] = (), **only: str) -> list[Any]:
    scope = ScoreScope(NOON - 2 * DAY, NOON + 2 * DAY, only)
    return [
        (each.at, each.group, each.scores, each.total)
        for each in await store.added_up(scope, step=step, by=by)
    ]


NOW = (NOON + 100) * NS


@every
def test_a_judgement_of_a_stored_request_is_counted_with_what_it_is_about(
    backend: str, place: Path | str
) -> None:
    """At once: its feature, model, prompt and user are the request's."""

    @aio
    async def run() -> None:
        async with opened(backend, place) as subject:
            subject.store(asked())
            assert list(await subject.scores.add([thumb(text="a\x00b\x1a")], NOW)) == ["joined"]
            (kept,) = await subject.scores.about([FIRST])
            assert kept.joined and kept.text == "a\x00b\x1a"
            found = (kept.feature, kept.model, kept.provider, kept.prompt, kept.user, kept.session)
            assert found == ("chat", "small", "house", "greeting@7", "ann", "s1")
            by = ("name", "kind", "source", "feature", "model", "prompt")
            group = ("thumbs", "boolean", "user", "chat", "small", "greeting@7")
            assert await sums(subject.scores, step=HOUR, by=by) == [(NOON, group, 1, 1.0)]
            assert await sums(subject.scores, step=DAY, by=("name",)) == [
                (NOON - 43_200, ("thumbs",), 1, 1.0)
            ]

    run()


@every
def test_an_early_judgement_is_joined_once_when_its_request_is_stored(
    backend: str, place: Path | str
) -> None:
    """It is kept at once, counted later, and never twice."""

    @aio
    async def run() -> None:
        async with opened(backend, place) as subject:
            assert list(await subject.scores.add([thumb()], NOW)) == ["waiting"]
            assert not (await subject.scores.join(NOW)).joined
            assert await sums(subject.scores) == []
            subject.store(asked())
            assert [each.feature for each in (await subject.scores.join(NOW)).joined] == ["chat"]
            assert not (await subject.scores.join(NOW)).joined
            assert [each[2:] for each in await sums(subject.scores)] == [(1, 1.0)]

    run()


@every
def test_an_event_that_is_told_again_changes_nothing(backend: str, place: Path | str) -> None:
    """Whatever it says the second time."""

    @aio
    async def run() -> None:
        async with opened(backend, place) as subject:
            subject.store(asked())
            assert list(await subject.scores.add([thumb(), thumb(number=0.0)], NOW)) == ["joined", "repeated"]
            assert list(await subject.scores.add([thumb(number=0.0)], NOW)) == ["repeated"]
            assert [each[2:] for each in await sums(subject.scores)] == [(1, 1.0)]
            assert len(await subject.scores.about([FIRST])) == 1

    run()


@every
def test_the_latest_of_one_author_counts_and_all_stay(backend: str, place: Path | str) -> None:
    """A second thumb of the same author stands in the place of the first; another author's stands beside it."""

    @aio
    async def run() -> None:
        async with opened(backend, place) as subject:
            subject.store(asked())
            await subject.scores.add(
                [thumb("e1", 1.0), thumb("e2", 0.0), thumb("e3", 1.0, author="bob")], NOW
            )
            assert [each[2:] for each in await sums(subject.scores)] == [(2, 1.0)]
            assert [each.event for each in await subject.scores.about([FIRST])] == ["e1", "e2", "e3"]
            (judged,) = await subject.scores.lowest("thumbs", 0)
            assert (judged.request_id, judged.scores, judged.mean) == (FIRST, 2, 0.5)

    run()


@every
def test_an_older_judgement_that_is_joined_later_does_not_win(backend: str, place: Path | str) -> None:
    """Told first, joined after the author thought otherwise."""

    @aio
    async def run() -> None:
        async with opened(backend, place) as subject:
            await subject.scores.add([thumb("e1", 1.0)], NOW)
            subject.store(asked())
            await subject.scores.add([thumb("e2", 0.0)], NOW)
            await subject.scores.join(NOW)
            assert [each[2:] for each in await sums(subject.scores)] == [(1, 0.0)]

    run()


@every
def test_a_request_that_cannot_be_is_refused(backend: str, place: Path | str) -> None:
    """Came more than five minutes ago and is not stored; or has not come yet."""

    @aio
    async def run() -> None:
        async with opened(backend, place) as subject:
            late, early = request_id(NOON - 400), request_id(NOON + 4000)
            rows = [thumb("e1", request_id=late), thumb("e2", request_id=early)]
            assert list(await subject.scores.add(rows, NOW)) == ["unknown", "unknown"]
            assert list(await subject.scores.about([late, early])) == []

    run()


@every
def test_requests_of_others_are_not_judged(backend: str, place: Path | str) -> None:
    """Neither when they are stored nor when they are stored later; of the same team they are."""

    @aio
    async def run() -> None:
        async with opened(backend, place) as subject:
            subject.store(asked())
            rows = [
                thumb("e1", key_id="key_other"),
                thumb("e2", key_id="key_other", team="else"),
                thumb("e3", key_id="key_other", team="web"),
                thumb("e4", key_id="", author="ops"),
                thumb("e5", key_id="key_other", request_id=FIRST + 1),
            ]
            fates = list(await subject.scores.add(rows, NOW))
            assert fates == ["foreign", "foreign", "joined", "joined", "waiting"]
            subject.store(asked(FIRST + 1))
            assert (await subject.scores.join(NOW)).foreign == 1
            assert list(await subject.scores.about([FIRST + 1])) == []
            assert await subject.scores.alone(NOW + NS) == 0

    run()


@every
def test_a_conversation_is_judged_as_its_latest_request(backend: str, place: Path | str) -> None:
    """Of those of the key or its team; the judgement waits for the first."""

    @aio
    async def run() -> None:
        async with opened(backend, place) as subject:
            done = thumb(request_id=0, session="s1", name="task_completed")
            assert list(await subject.scores.add([done], NOW)) == ["waiting"]
            subject.store(asked(FIRST, key_id="key_else", team="", feature="other"))
            assert not (await subject.scores.join(NOW)).joined
            subject.store(asked(FIRST + 1), asked(FIRST + 2, routed_model="large"))
            (joined,) = (await subject.scores.join(NOW)).joined
            assert (joined.feature, joined.model) == ("chat", "large")
            assert [each[2:] for each in await sums(subject.scores, name="task_completed")] == [(1, 1.0)]
            (judged,) = await subject.scores.lowest("task_completed", 0, by="session")
            assert (judged.session, judged.mean) == ("s1", 1.0)

    run()


@every
def test_judgements_whose_request_never_came_are_counted_and_forgotten(
    backend: str, place: Path | str
) -> None:
    """After an hour they are not looked for any more."""

    @aio
    async def run() -> None:
        async with opened(backend, place) as subject:
            await subject.scores.add([thumb()], NOW)
            later = NOW + 2 * HOUR * NS
            assert await subject.scores.alone(later - HOUR * NS) == 1
            subject.store(asked())
            assert not (await subject.scores.join(later)).joined
            assert await subject.scores.forget_alone(later) == 1
            assert await subject.scores.alone(later) == 0

    run()


@every
def test_the_latest_are_listed_by_what_they_are_about(backend: str, place: Path | str) -> None:
    """Newest first, page by page."""

    @aio
    async def run() -> None:
        async with opened(backend, place) as subject:
            subject.store(asked(), asked(FIRST + 1, feature="other"))
            rows = [
                thumb(f"e{number}", author=str(number), request_id=FIRST + number % 2) for number in range(6)
            ]
            await subject.scores.add(rows, NOW)
            first = await subject.scores.before(0, 2, only={"feature": "chat"})
            assert [each.event for each in first] == ["e4", "e2"]
            second = await subject.scores.before(first[-1].id, 2, only={"feature": "chat", "name": "thumbs"})
            assert [each.event for each in second] == ["e0"]
            assert [
                each.event for each in await subject.scores.before(0, 9, only={"request_id": FIRST + 1})
            ] == [
                "e5",
                "e3",
                "e1",
            ]
            assert list(await subject.scores.before(0, 9, since_ns=NOW)) == []
            with pytest.raises(ValueError):
                await subject.scores.before(0, 9, only={"1=1; --": ""})

    run()


@every
def test_sums_are_kept_apart_and_bounded_in_time(backend: str, place: Path | str) -> None:
    """By hour of the request, by any of the parts, of what is asked only."""

    @aio
    async def run() -> None:
        async with opened(backend, place) as subject:
            ids = [request_id(NOON + hour * HOUR, hour) for hour in range(3)]
            subject.store(*(asked(each, prompt=f"p@{place}") for place, each in enumerate(ids)))
            given: dict[str, Any] = {"name": "rating", "kind": "number", "label": ""}
            rows = [thumb(f"e{each}", float(each % 5), request_id=each, **given) for each in ids]
            await subject.scores.add(rows, NOW + 3 * HOUR * NS)
            scope = ScoreScope(NOON + 1, NOON + 2 * HOUR, {"kind": "number"})
            found = await subject.scores.added_up(scope, step=HOUR, by=["prompt"])
            assert [(each.at, each.group) for each in found] == [(NOON, ("p@0",)), (NOON + HOUR, ("p@1",))]
            (all_of_it,) = await subject.scores.added_up(ScoreScope(NOON, NOON + 3 * HOUR))
            numbers = [each % 5 for each in ids]
            assert (all_of_it.scores, all_of_it.total) == (3, sum(numbers))
            assert all_of_it.squares == sum(each * each for each in numbers)
            for wrong in ({"step": 60}, {"by": ["user"]}):
                with pytest.raises(ValueError):
                    await subject.scores.added_up(scope, **wrong)

    run()
