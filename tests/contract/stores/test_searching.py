"""What every store of spans promises to whoever looks for requests; run on each backend."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from headgate.core.ids import IdSource, id_ns, oldest_id
from headgate.stores import searching
from headgate.stores.searching import Bound, Found, Search
from headgate.stores.sink import Batch, Position
from headgate.stores.spans import Content, RequestRow
from headgate.testing.clock import FakeClock
from tests.support.aio import aio
from tests.support.stores import BACKENDS, Opened, open_stores

__all__: list[str] = []

BEGIN_NS = 1_800_000_000_000_000_000
MINUTE_NS = 60_000_000_000


class Subject:
    """A store, and a clock by which requests come: one a minute."""

    def __init__(self, backend: str, place: Path | str) -> None:
        self.opened: Opened = open_stores(backend, place)
        self._clock = FakeClock(wall_ns=BEGIN_NS)
        self._ids = IdSource(self._clock, node=1)
        self._offset = 0

    def write(self, *wanted: dict[str, Any], contents: Sequence[Content] = ()) -> list[int]:
        """Requests, a minute apart; their ids."""
        rows = []
        for given in wanted:
            rows.append(RequestRow(self._ids.next(), self._clock.wall_ns(), **({"trace_id": "t"} | given)))
            self._clock.advance(60)
        self._offset += 1
        self.opened.sink.write(
            Batch(journal="j", position=Position(1, self._offset), requests=rows, contents=contents)
        )
        return [row.id for row in rows]

    async def found(self, limit: int = 100, before: int = 0, **wanted: Any) -> Found:
        return await self.opened.spans.search(Search(**wanted), limit=limit, before=before, seconds=60)

    async def ids(self, **wanted: Any) -> list[int]:
        return [row.id for row in (await self.found(**wanted)).rows]


@pytest.fixture(params=BACKENDS)
def backend(request: Any) -> str:
    return str(request.param)


@pytest.fixture
def subject(backend: str, place: Path | str) -> Iterator[Subject]:
    made = Subject(backend, place)
    yield made
    aio(made.opened.aclose)()


def test_each_thing_that_is_looked_for_finds_what_has_it(subject: Subject) -> None:
    """Alone and together; nothing else is found."""
    plain, rich = subject.write(
        {},
        {
            "feature": "chat", "user": "ann", "session": "s1", "key_id": "k", "team": "red", "provider": "house",
            "outcome": "failed", "error_class": "timeout", "purpose": "shadow", "prompt": "greeting@7",
            "config_hash": "abc", "requested_model": "small", "routed_model": "mid", "reported_model": "mid-2",
            "status": 504, "cost_nanos": 500, "total_us": 2_000_000, "first_content_us": 900, "attempts": 2,
            "stream": True, "degraded": "say", "trace_id": "cafe", "parent_id": "beef", "replay_of": 7,
            "tags": json.dumps({"task": "Grüße", "n": "1"}, separators=(",", ":"), ensure_ascii=False),
        },
    )  # fmt: skip
    wanted: list[dict[str, Any]] = [
        {"only": {name: value}}
        for name, value in {
            "feature": "chat", "user": "ann", "session": "s1", "key_id": "k", "team": "red", "provider": "house",
            "outcome": "failed", "error_class": "timeout", "purpose": "shadow", "prompt": "greeting@7",
            "config_hash": "abc", "parent_id": "beef",
        }.items()
    ]  # fmt: skip
    wanted += [{"model": name} for name in ("small", "mid", "mid-2")]
    wanted += [
        {"bounds": {"status": Bound(500, 599)}},
        {"bounds": {"cost_nanos": Bound(500, 500)}},
        {"bounds": {"total_us": Bound(2_000_000)}},
        {"bounds": {"first_content_us": Bound(1)}},
        {"bounds": {"attempts": Bound(2)}},
        {"tags": {"task": "Grüße"}},
        {"tags": {"task": "Grüße", "n": "1"}},
        {"stream": True},
        {"degraded": True},
        {"failed": True},
        {"trace": "cafe"},
        {"replay_of": 7},
        {"since_ns": BEGIN_NS + 1},
    ]
    everything: dict[str, Any] = {"only": {}, "bounds": {}, "tags": {}}
    for one in wanted:
        for name, value in one.items():
            everything[name] = (everything[name] | value) if isinstance(value, dict) else value

    @aio
    async def read() -> None:
        for one in wanted:
            assert await subject.ids(**one) == [rich], one
        assert await subject.ids(**everything) == [rich]
        assert await subject.ids() == [rich, plain]
        for other in (
            {"only": {"feature": ""}},
            {"bounds": {"total_us": Bound(None, 5)}},
            {"stream": False},
            {"degraded": False},
            {"until_ns": BEGIN_NS + 1},
        ):
            assert await subject.ids(**other) == [plain], other
        for nothing in (
            {"only": {"user": "Ann"}},
            {"tags": {"task": "grüße"}},
            {"tags": {"task": "Grüß"}},
            {"model": "mi"},
            {"trace": "t"},
            {"bounds": {"cost_nanos": Bound(501)}},
        ):
            assert await subject.ids(**nothing) == [], nothing

    read()


def test_pages_follow_each_other_without_gap_or_repetition(subject: Subject) -> None:
    """Newest first, by when they came, whatever order they were stored in; the last page says that it is the last."""
    ids = subject.write(*({"feature": "even" if number % 2 == 0 else ""} for number in range(9)))

    @aio
    async def read() -> None:
        for wanted, all_of_them in (({}, ids[::-1]), ({"only": {"feature": "even"}}, ids[::-2])):
            seen: list[int] = []
            before = 0
            while True:
                page = await subject.found(limit=2, before=before, **wanted)
                seen += [row.id for row in page.rows]
                if not page.next:
                    break
                before = page.next
                assert page.searched_to_ns > 0
            assert seen == all_of_them
            assert page.searched_to_ns == 0

    read()


def test_a_page_reads_a_bounded_part_and_says_how_far_it_came(
    subject: Subject, monkeypatch: pytest.MonkeyPatch, backend: str
) -> None:
    """Who looks for what is rare goes on from page to page; each tells up to where everything has been looked through."""
    if backend == "memory":
        return
    monkeypatch.setattr(searching, "READ_AT_ONCE", 4)
    ids = subject.write({"team": "red"}, *({} for _ in range(9)))

    @aio
    async def read() -> None:
        first = await subject.found(only={"team": "red"})
        assert list(first.rows) == []
        assert first.next == ids[6]
        assert abs(first.searched_to_ns - (BEGIN_NS + 6 * MINUTE_NS)) < 1_000_000
        second = await subject.found(only={"team": "red"}, before=first.next)
        third = await subject.found(only={"team": "red"}, before=second.next)
        assert ([row.id for row in third.rows], third.next) == ([ids[0]], 0)

    read()


def test_what_is_rare_and_has_an_index_is_found_at_once(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However far back it lies; what is common is looked for in order of time."""
    monkeypatch.setattr(searching, "READ_AT_ONCE", 4)
    monkeypatch.setattr(searching, "_FEW", 2)
    ids = subject.write(
        {"user": "ann", "feature": "chat", "session": "s", "key_id": "k"},
        *({"feature": "chat"} for _ in range(9)),
    )

    @aio
    async def read() -> None:
        for only in ({"user": "ann"}, {"user": "ann", "feature": "chat"}, {"session": "s"}, {"key_id": "k"}):
            page = await subject.found(only=only)
            assert ([row.id for row in page.rows], page.next) == ([ids[0]], 0), only
        assert await subject.ids(only={"feature": "chat"}, limit=3) == ids[:-4:-1]

    read()


def test_a_stretch_of_time_reads_only_itself(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    """A minute of last month is one page, not one behind all that came since."""
    monkeypatch.setattr(searching, "READ_AT_ONCE", 8)
    ids = subject.write(*({} for _ in range(40)))

    @aio
    async def read() -> None:
        since = BEGIN_NS + 5 * MINUTE_NS
        page = await subject.found(since_ns=since, until_ns=since + 2 * MINUTE_NS)
        assert ([row.id for row in page.rows], page.next) == ([ids[6], ids[5]], 0)
        assert await subject.ids(until_ns=BEGIN_NS) == []
        assert (await subject.found(since_ns=BEGIN_NS + 10**15)).next == 0

    read()


def content(number: int, text: str, *, ascii_only: bool = False) -> Content:
    data = json.dumps({"messages": [{"role": "user", "content": text}]}, ensure_ascii=ascii_only).encode()
    return Content(hash=f"{number:032x}", kind="openai.chat", data=data, size=len(data))


@pytest.mark.parametrize(
    ("asked", "is_found"),
    [
        ("blue whale", True), ("BLUE Whale", True), ("blue  whale", False), ("Größe", True), ("GRÖSSE", False),
        ("grÖße", True), ('say "hi"', True), ("a/b", True), ("line\nend", True), ("100%", True), ("messages", True),
        ("🐋", True), ("not there", False), ("(?:", False),
    ],
)  # fmt: skip
@pytest.mark.parametrize("ascii_only", [False, True])
def test_text_is_found_however_json_spells_it(
    subject: Subject, asked: str, *, is_found: bool, ascii_only: bool
) -> None:
    """In the prompt or in the answer, with letters large or small."""
    said = 'The Blue Whale 🐋: Größe, "Größe", say "hi" at a/b,\nline\nend 100%'
    first, second, _ = subject.write(
        {"request_content": f"{1:032x}"},
        {"reply_content": f"{1:032x}", "request_content": f"{2:032x}"},
        {"request_content": f"{2:032x}", "reply_content": "gone"},
        contents=[content(1, said, ascii_only=ascii_only), content(2, "Something else.")],
    )

    @aio
    async def read() -> None:
        found = await subject.ids(text=asked)
        assert (second in found, first in found) == (is_found, is_found)

    read()


def test_a_search_for_text_stops_when_its_time_is_over_and_goes_on_from_there(
    subject: Subject, backend: str
) -> None:
    """However much there is to read, a page comes soon; page by page all of it is looked through, nothing twice."""
    if backend == "memory":
        return
    texts = [content(number, "needle" if number % 5 == 0 else "hay") for number in range(20)]
    ids = [subject.write({"request_content": each.hash}, contents=[each])[0] for each in texts]

    @aio
    async def read() -> None:
        seen: list[int] = []
        before, pages = 0, 0
        while True:
            page = await subject.opened.spans.search(Search(text="Needle"), before=before, seconds=0)
            pages += 1
            seen += [row.id for row in page.rows]
            if not page.next:
                break
            assert page.searched_to_ns >= BEGIN_NS
            before = page.next
        assert seen == ids[::5][::-1]
        assert pages >= 19

    read()


def test_names_that_no_column_has_are_refused() -> None:
    """Only our own names may come into a question."""
    for wanted in ({"only": {"id": "1"}}, {"bounds": {"user": Bound(1)}}):
        with pytest.raises(ValueError, match="`"):
            Search(**wanted)


def test_ids_and_times_go_together() -> None:
    """A minute is allowed between them."""
    assert id_ns(oldest_id(BEGIN_NS)) == BEGIN_NS - MINUTE_NS
