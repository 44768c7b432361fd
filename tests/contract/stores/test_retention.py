"""What every database promises of what has been kept long enough; run on each engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from headgate.core.ids import oldest_id
from headgate.stores import retention
from headgate.stores.alerts import Alert
from headgate.stores.backends import postgres, sqlite
from headgate.stores.retention import (
    Lease,
    Scope,
    sweep_alerts,
    sweep_contents,
    sweep_sessions,
    sweep_spans,
    sweep_words,
)
from headgate.stores.sink import Batch, Position
from headgate.stores.spans import AttemptRow, Content, RequestRow
from tests.support.aio import aio
from tests.support.stores import SHARED, open_stores

__all__: list[str] = []

NOW_NS = 1_900_000_000_000_000_000
DAY_NS = 86_400 * 10**9
EVERYTHING = Scope()


class Subject:
    def __init__(self, backend: str, place: Path | str) -> None:
        self.stores = open_stores(backend, place)
        database: Any = self.stores.database
        self.keeper = (sqlite.SqliteKeeper if backend == "sqlite" else postgres.PostgresKeeper)(database)
        self.alerts = (sqlite.SqliteAlerts if backend == "sqlite" else postgres.PostgresAlerts)(database)
        self._offset = 0

    def write(
        self,
        days_ago: float,
        number: int = 0,
        *,
        body: str = "",
        feature: str = "chat",
        recovered: bool = False,
        **given: Any,
    ) -> int:
        """A request of so many days ago, stored in a batch of its own; its id."""
        at = NOW_NS - int(days_ago * DAY_NS)
        request_id = oldest_id(at + 60_000_000_000) + number
        contents = []
        if body:
            data = body.encode()
            contents = [Content(hash=f"{abs(hash(body)):032x}", kind="k", data=data, size=len(data))]
            given["request_content"] = contents[0].hash
        row = RequestRow(request_id, at, "t", feature=feature, **given)
        attempt = AttemptRow(request_id + 1, request_id, 1, "p", "m", error_detail="their words")
        self._offset += 1
        self.stores.sink.write(
            Batch(
                journal="j",
                position=Position(1, self._offset),
                requests=[row],
                attempts=[attempt],
                contents=contents,
                recovered=recovered,
            )
        )
        return request_id

    async def text(self, request_id: int) -> str | None:
        """The prompt, "" if it is gone, None if the request is."""
        row = await self.stores.spans.request(request_id)
        if row is None:
            return None
        kept = await self.stores.spans.content(row.request_content)
        return kept.data.decode() if kept else ""

    async def contents_swept(self, days: float, scope: Scope = EVERYTHING) -> int:
        deleted, more = 0, True
        while more:
            piece = await sweep_contents(self.keeper, scope, NOW_NS - int(days * DAY_NS))
            deleted, more = deleted + piece.deleted, piece.more
        return deleted

    async def words_swept(self, days: float, scope: Scope = EVERYTHING) -> int:
        deleted, more = 0, True
        while more:
            piece = await sweep_words(self.keeper, scope, NOW_NS - int(days * DAY_NS))
            deleted, more = deleted + piece.deleted, piece.more
        return deleted

    async def spans_swept(self, days: float, scope: Scope = EVERYTHING) -> int:
        deleted, more = 0, True
        while more:
            piece = await sweep_spans(self.keeper, scope, NOW_NS - int(days * DAY_NS))
            deleted, more = deleted + piece.deleted, piece.more
        return deleted


@pytest.fixture(params=SHARED)
def backend(request: Any) -> str:
    return str(request.param)


@pytest.fixture
def subject(backend: str, place: Path | str) -> Iterator[Subject]:
    made = Subject(backend, place)
    yield made
    aio(made.stores.aclose)()


def test_contents_go_and_spans_stay(subject: Subject) -> None:
    """Prompts and the words of errors of long ago; figures, and what is younger, stay. Once is enough."""
    old = subject.write(40, body="an old prompt", error_detail="x", cost_nanos=5, variables='{"a":"b"}')
    filled = subject.write(39, variables='{"a":"c"}')
    young = subject.write(20, body="a young prompt", error_detail="y", variables='{"a":"d"}')

    @aio
    async def check() -> None:
        assert await subject.contents_swept(30) == 1
        assert (await subject.text(old), await subject.text(young)) == ("", "a young prompt")
        row = await subject.stores.spans.request(old)
        assert row is not None
        assert (row.cost_nanos, row.error_detail, row.variables) == (5, "", "")
        # Also of one that has nothing else to delete.
        row, kept = [await subject.stores.spans.request(each) for each in (filled, young)]
        assert row is not None and kept is not None and (row.variables, kept.variables) == ("", '{"a":"d"}')
        assert [each.error_detail for each in await subject.stores.spans.attempts(old)] == [""]
        assert [each.error_detail for each in await subject.stores.spans.attempts(young)] == ["their words"]
        assert await subject.contents_swept(30) == 0

    check()


def test_a_content_that_a_younger_request_has_stays_until_that_one_is_old(subject: Subject) -> None:
    """The same prompt again keeps it readable for both."""
    old = subject.write(40, body="good morning")
    young = subject.write(20, body="good morning")

    @aio
    async def check() -> None:
        assert await subject.contents_swept(30) == 0
        assert [await subject.text(each) for each in (old, young)] == ["good morning"] * 2
        assert await subject.contents_swept(10) == 1
        assert [await subject.text(each) for each in (old, young)] == [""] * 2

    check()


def test_a_prompt_that_was_deleted_is_stored_again_when_it_comes_again(subject: Subject) -> None:
    """Also by a writer that has seen it before and thinks it is there."""
    subject.write(40, body="good morning")

    @aio
    async def sweep() -> None:
        assert await subject.contents_swept(30) == 1

    sweep()
    again = subject.write(0, body="good morning")

    @aio
    async def check() -> None:
        assert await subject.text(again) == "good morning"

    check()


def test_neighbours_in_a_segment_stay_readable(subject: Subject) -> None:
    """It is written anew without what is deleted."""
    bodies = [f"prompt number {number} {'x' * number}" for number in range(20)]
    contents = [
        Content(hash=f"{number:032x}", kind="k", data=body.encode(), size=len(body))
        for number, body in enumerate(bodies)
    ]
    at = [NOW_NS - (40 if number % 3 == 0 else 5) * DAY_NS for number in range(20)]
    rows = [
        RequestRow(
            oldest_id(at[number] + 60_000_000_000) + number, at[number], "t", request_content=f"{number:032x}"
        )
        for number in range(20)
    ]
    subject.stores.sink.write(Batch(journal="j", position=Position(1, 1), requests=rows, contents=contents))

    @aio
    async def check() -> None:
        assert await subject.contents_swept(30) == 7
        texts = [await subject.text(row.id) for row in rows]
        assert texts == ["" if number % 3 == 0 else body for number, body in enumerate(bodies)]

    check()


def test_a_feature_may_keep_shorter_or_longer(subject: Subject) -> None:
    """Each by its own length; the others by theirs."""
    mine, other = subject.write(10, 1, body="mine", feature="mail"), subject.write(10, 2, body="other")

    @aio
    async def check() -> None:
        assert await subject.contents_swept(7, Scope(("mail",), but=False)) == 1
        assert await subject.contents_swept(30, Scope(("mail",))) == 0
        assert (await subject.text(mine), await subject.text(other)) == ("", "other")
        assert await subject.spans_swept(5, Scope(("mail",))) == 1
        assert (await subject.text(mine), await subject.text(other)) == ("", None)

    check()


def test_spans_go_with_all_that_belongs_to_them(subject: Subject) -> None:
    """Attempts and contents; what is younger stays whole."""
    old, young = subject.write(400, body="old"), subject.write(300, body="young")

    @aio
    async def check() -> None:
        assert await subject.spans_swept(365) == 1
        assert await subject.stores.spans.request(old) is None
        assert list(await subject.stores.spans.attempts(old)) == []
        assert await subject.keeper.read("SELECT count(*) FROM content") == [(1,)]
        assert await subject.text(young) == "young"
        assert await subject.keeper.read(
            "SELECT name FROM installation WHERE name = ?", [retention.SPANS_SWEPT]
        )

    check()


def test_pieces_are_small_and_together_reach_everything(
    subject: Subject, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever writes comes in between; a piece of others' requests is passed over."""
    monkeypatch.setattr(retention, "_LOOKED_AT", 3)
    monkeypatch.setattr(retention, "_CONTENTS_AT_ONCE", 2)
    monkeypatch.setattr(retention, "_SPANS_AT_ONCE", 2)
    ids = [
        subject.write(40, number, body=f"p{number}", feature="mail" if number in (0, 10) else "chat")
        for number in range(11)
    ]

    @aio
    async def check() -> None:
        only = Scope(("mail",), but=False)
        piece = await sweep_contents(subject.keeper, Scope(), NOW_NS - 30 * DAY_NS)
        assert (piece.deleted, piece.more) == (2, True)
        assert await subject.contents_swept(30) == 9
        assert await subject.spans_swept(30, only) == 2
        assert [await subject.text(each) for each in (ids[0], ids[5], ids[10])] == [None, "", None]

    check()


def test_alerts_go_with_their_deliveries(subject: Subject) -> None:
    """They were never swept before; younger ones stay."""

    @aio
    async def check() -> None:
        for number, days in enumerate((400, 10)):
            await subject.alerts.add(
                Alert(
                    event=f"e{number}",
                    kind="budget",
                    subject="all",
                    severity="info",
                    at_ns=NOW_NS - days * DAY_NS,
                    text="t",
                ),
                ["ops"],
                1,
            )
        assert (await sweep_alerts(subject.keeper, NOW_NS - 365 * DAY_NS)).deleted == 1
        assert [told.alert.event for told in await subject.alerts.since(0, 10)] == ["e1"]
        assert await subject.keeper.read("SELECT count(*) FROM delivery") == [(1,)]

    check()


def test_conversations_that_are_over_go(subject: Subject) -> None:
    """By when their last request was."""

    @aio
    async def check() -> None:
        add = "INSERT INTO session (session, last_ns) VALUES (?, ?)"
        rows = [("old", NOW_NS - 400 * DAY_NS), ("young", NOW_NS)]
        await subject.keeper.change([(add, rows)])
        assert (await sweep_sessions(subject.keeper, NOW_NS - 365 * DAY_NS)).deleted == 1
        assert await subject.keeper.read("SELECT session FROM session") == [("young",)]

    check()


def test_one_of_several_nodes_sweeps(subject: Subject) -> None:
    """Until its time is over; then whoever asks first."""

    @aio
    async def check() -> None:
        one, other = (Lease(subject.keeper, "sweep", name) for name in ("one", "other"))
        assert await one.take(100, 200)
        assert not await other.take(150, 250)
        assert await one.take(160, 260)
        assert not await other.take(250, 300)
        assert await other.take(261, 300)
        assert not await one.take(262, 300)

    check()


def test_a_feature_whose_own_length_is_taken_away_is_swept_like_the_others(subject: Subject) -> None:
    """The others were swept beyond its requests before: they are looked at again."""
    mine = subject.write(40, 1, body="mine", feature="mail")
    subject.write(40, 2, body="other")

    @aio
    async def check() -> None:
        assert await subject.contents_swept(90, Scope(("mail",), but=False)) == 0
        assert await subject.contents_swept(30, Scope(("mail",))) == 1
        assert await subject.contents_swept(30, Scope()) == 1
        assert await subject.text(mine) == ""
        assert await subject.spans_swept(35, Scope(("mail",))) == 1
        assert await subject.spans_swept(35, Scope()) == 1

    check()


def test_words_that_are_said_late_or_of_a_conversation_are_kept_no_longer_than_contents(
    subject: Subject,
) -> None:
    """They come when the request's contents are gone already, or are about no single request; figures stay."""
    old = subject.write(40, body="an old prompt")
    add = (
        "INSERT INTO score (event, at_ns, request_id, session, name, kind, number, text, source, feature) "
        "VALUES (?, ?, ?, ?, 'comment', ?, ?, ?, 'user', ?)"
    )

    def day(days: float) -> int:
        return NOW_NS - int(days * DAY_NS)

    @aio
    async def check() -> None:
        assert await subject.contents_swept(30) == 1
        rows = [
            ("late", day(31), old, "", "text", None, "late words", "chat"),
            ("session", day(35), 0, "s", "text", None, "words of a conversation", "chat"),
            ("mail", day(35), 0, "s", "text", None, "others", "mail"),
            ("young", day(3), 0, "s", "text", None, "young words", "chat"),
        ]
        await subject.keeper.change([(add, rows)])
        await subject.words_swept(30, Scope(("mail",)))
        await subject.words_swept(90, Scope(("mail",), but=False))
        left = await subject.keeper.read("SELECT event, text FROM score ORDER BY id")
        assert list(left) == [("late", ""), ("session", ""), ("mail", "others"), ("young", "young words")]
        assert await subject.words_swept(1) == 2

    check()


def test_what_comes_to_the_database_late_is_swept_all_the_same(subject: Subject) -> None:
    """A node that was away for long has what it wrote down stored after its place was swept."""
    subject.write(1300, body="in time")

    @aio
    async def sweep() -> None:
        assert await subject.contents_swept(1290) == 1

    sweep()
    late = subject.write(1301, body="late", recovered=True)

    @aio
    async def check() -> None:
        assert await subject.text(late) == "late"
        assert await subject.contents_swept(1290) == 1
        assert await subject.text(late) == ""

    check()
