"""What every span store promises, reading and writing; run on each backend."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from headgate.stores import browsing
from headgate.stores.backends import memory
from headgate.stores.sink import Batch, Position, SpanSink
from headgate.stores.spans import AttemptRow, Content, RequestRow, SpanStore
from headgate.stores.totals import Which
from tests.support.aio import aio
from tests.support.stores import BACKENDS, Opened, open_stores

__all__: list[str] = []


@dataclass
class Subject:
    sink: SpanSink
    store: SpanStore
    opened: Opened


@pytest.fixture(params=BACKENDS)
def backend(request: Any) -> str:
    return str(request.param)


@pytest.fixture
def subject(backend: str, place: Path | str) -> Iterator[Subject]:
    opened = open_stores(backend, place)
    yield Subject(opened.sink, opened.spans, opened)
    aio(opened.aclose)()


def full(kind: type[msgspec.Struct], **given: Any) -> Any:
    """A row in which every field has a value of its own."""
    values: dict[str, Any] = {}
    for number, field in enumerate(msgspec.structs.fields(kind), start=1):
        if field.name == "outcome":
            values[field.name] = "hung_up"
        elif field.type is bool:
            values[field.name] = True
        elif field.type in (int, int | None):
            values[field.name] = 1_000_000_007 * number
        else:
            values[field.name] = f"{field.name} \N{SNOWMAN} '\"\x00"
    return kind(**(values | given))


def content(number: int, data: bytes = b"") -> Content:
    data = data or b"content %d" % number
    return Content(hash=f"{number:032x}", kind="openai.chat", data=data, size=len(data) + number % 2)


def batch(*requests: RequestRow, offset: int = 1, **more: Any) -> Batch:
    return Batch(journal="j", position=Position(1, offset), requests=requests, **more)


def request(number: int, **given: Any) -> RequestRow:
    return RequestRow(number, 5, "t", **given)


def test_many_hits_come_back_as_they_went_in(subject: Subject) -> None:
    """Also where they say what hits hardly ever do, and where others stand between them; and a second time changes nothing."""
    said: dict[str, Any] = {"cache": "exact", "origin_id": 3, "avoided_us": 4, "cost_nanos": 0, "status": 200}
    rows = [request(number, key_id=f"k{number}", **said) for number in range(1, 301)]
    rows[7] = full(RequestRow, id=8, cache="exact")
    rows[20] = request(21, provider="p", attempts=1, cost_nanos=5)
    rows[30] = request(31, tags='{"a":"b"}', **said)
    subject.sink.write(batch(*rows))
    subject.sink.write(batch(*rows, offset=2, recovered=True))

    @aio
    async def check() -> None:
        page = await subject.store.latest(400)
        assert sorted(page.rows, key=lambda row: row.id) == rows

    check()


def test_every_field_comes_back_as_it_went_in(subject: Subject) -> None:
    """Unicode, quotes, zero bytes, big numbers, true and false."""
    row, attempt, kept = (
        full(RequestRow),
        full(AttemptRow, request_id=7, number=1),
        content(1, bytes(range(256))),
    )
    subject.sink.write(batch(row, attempts=[attempt], contents=[kept]))

    @aio
    async def read() -> None:
        assert await subject.store.request(row.id) == row
        assert await subject.store.attempts(7) == [attempt]
        assert await subject.store.content(kept.hash) == kept

    read()


def test_defaults_and_missing_costs_come_back_too(subject: Subject) -> None:
    """None is None and not 0: an unknown cost must stay unknown."""
    subject.sink.write(batch(request(1)))

    @aio
    async def read() -> None:
        row = await subject.store.request(1)
        assert row == request(1)
        assert row is not None
        assert row.cost_nanos is None
        assert row.stream is False

    read()


def test_what_is_not_there_is_none(subject: Subject) -> None:
    """No row, no attempts, no content, no page; and no error."""

    @aio
    async def read() -> None:
        assert await subject.store.request(1) is None
        assert await subject.store.attempts(1) == []
        assert await subject.store.content("00") is None
        page = await subject.store.latest(10)
        assert (page.position, list(page.rows)) == (0, [])
        page = await subject.store.after(0, 10)
        assert (page.position, list(page.rows)) == (0, [])

    read()


def test_storing_twice_changes_nothing(subject: Subject) -> None:
    """A journal that is read again adds no row and overwrites none."""
    first = batch(
        request(1, status=200), attempts=[AttemptRow(3, 1, 1, "p", "m", status=200)], contents=[content(1)]
    )
    again = batch(
        request(1, status=500), attempts=[AttemptRow(4, 1, 1, "q", "m", status=500)], contents=[content(1)]
    )
    subject.sink.write(first)
    subject.sink.write(again)

    @aio
    async def read() -> None:
        row = await subject.store.request(1)
        assert row is not None and row.status == 200
        assert [a.status for a in await subject.store.attempts(1)] == [200]
        assert len((await subject.store.latest(10)).rows) == 1

    read()


def test_a_large_batch_is_stored_whole(subject: Subject) -> None:
    """More rows than one statement takes, and a remainder."""
    rows = [request(n) for n in range(1, 301)]
    attempts = [AttemptRow(1000 + n, n, k, "p", "m") for n in range(1, 301) for k in (2, 1)]
    contents = [content(n, b"%d " % n * 2000) for n in range(1, 301)]
    subject.sink.write(batch(*rows, attempts=attempts, contents=contents))

    @aio
    async def read() -> None:
        assert list((await subject.store.latest(1000)).rows) == rows
        for n in (1, 32, 33, 299, 300):
            assert [a.number for a in await subject.store.attempts(n)] == [1, 2]
            assert await subject.store.content(f"{n:032x}") == contents[n - 1]

    read()


def test_pages_follow_the_order_of_storing(subject: Subject) -> None:
    """A request with an old id that is stored late is not missed."""

    @aio
    async def follow() -> None:
        subject.sink.write(batch(request(10), request(30)))
        page = await subject.store.latest(1)
        assert [row.id for row in page.rows] == [30]
        nothing = await subject.store.after(page.position, 10)
        assert list(nothing.rows) == [] and nothing.position == page.position
        subject.sink.write(batch(request(20), request(40), request(5)))
        page = await subject.store.after(page.position, 2)
        assert [row.id for row in page.rows] == [20, 40]
        page = await subject.store.after(page.position, 2)
        assert [row.id for row in page.rows] == [5]
        assert [row.id for row in (await subject.store.latest(3)).rows] == [20, 40, 5]
        assert (await subject.store.latest(0)).position == page.position

    follow()


def test_the_same_content_twice_in_one_batch_is_kept_once(subject: Subject) -> None:
    """Also together with others that are new."""
    subject.sink.write(batch(contents=[content(1), content(1), content(2)]))
    subject.sink.write(batch(contents=[content(2), content(3), content(1)]))

    @aio
    async def read() -> None:
        for n in (1, 2, 3):
            assert await subject.store.content(f"{n:032x}") == content(n)

    read()


def test_a_position_is_kept_until_it_is_forgotten(subject: Subject) -> None:
    """Each journal has its own; an unknown one begins at its beginning."""
    assert subject.sink.position("j") == Position()
    subject.sink.write(batch(offset=55))
    subject.sink.write(Batch(journal="other", position=Position(3, 4)))
    assert subject.sink.position("j") == Position(1, 55)
    assert subject.sink.position("other") == Position(3, 4)
    subject.sink.forget("j")
    subject.sink.forget("j")
    assert subject.sink.position("j") == Position()
    assert subject.sink.position("other") == Position(3, 4)


def test_a_closed_sink_opens_anew(subject: Subject) -> None:
    """Closing lets go; writing again connects again."""
    subject.sink.write(batch(request(1), contents=[content(1)]))
    subject.sink.close()
    subject.sink.close()
    subject.sink.write(batch(request(2), contents=[content(1)]))

    @aio
    async def read() -> None:
        assert [row.id for row in (await subject.store.latest(5)).rows] == [1, 2]

    read()


def test_looking_back_comes_in_pages_the_latest_first(subject: Subject) -> None:
    """Each request once, though more are stored between two pages; by what is looked for."""
    subject.sink.write(
        batch(
            *(
                request(n, feature="chat" if n % 2 else "", user="Ä'\x00" if n == 3 else "")
                for n in range(1, 8)
            )
        )
    )

    @aio
    async def read() -> None:
        store, everything = subject.opened.spans, Which()
        first = await store.before(0, 3, everything)
        assert [row.id for row in first.rows] == [7, 6, 5]
        subject.sink.write(batch(request(8), offset=2))
        second = await store.before(first.position, 3, everything)
        assert [row.id for row in second.rows] == [4, 3, 2]
        last = await store.before(second.position, 3, everything)
        assert ([row.id for row in last.rows], last.position) == ([1], 0)
        chats = await store.before(0, 10, Which(only={"feature": "chat"}))
        assert ([row.id for row in chats.rows], chats.position) == ([7, 5, 3, 1], 0)
        named = await store.before(0, 10, Which(only={"user": "Ä'\x00"}))
        assert [row.id for row in named.rows] == [3]
        assert list((await store.before(0, 10, Which(since_ns=6))).rows) == []
        assert [row.id for row in (await store.before(10**17, 1, everything)).rows] == [8]

    read()


def test_looking_back_reads_a_bounded_part_at_a_time(subject: Subject, monkeypatch: Any) -> None:
    """A page may be empty and not the last: whoever goes on finds what there is, and comes to an end."""
    for module in (browsing, memory):
        monkeypatch.setattr(module, "READ_AT_ONCE", 3)
    subject.sink.write(batch(*(request(n, feature="rare" if n == 2 else "") for n in range(1, 12))))

    @aio
    async def read() -> None:
        position, found, pages = 0, [], 0
        while position or not pages:
            page = await subject.opened.spans.before(position, 5, Which(only={"feature": "rare"}))
            position, pages = page.position, pages + 1
            found += [row.id for row in page.rows]
        assert found == [2] and pages == 4
        assert (await subject.opened.spans.before(1, 5, Which())).rows == []

    read()


def test_looking_back_on_nothing_ends_at_once(subject: Subject) -> None:
    """Without an error."""

    @aio
    async def read() -> None:
        page = await subject.opened.spans.before(0, 5, Which())
        assert (list(page.rows), page.position) == ([], 0)

    read()
