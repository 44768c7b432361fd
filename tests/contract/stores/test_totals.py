"""What every store of spans promises of sums over many requests; run on each backend."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.core.ids import IdSource
from headgate.stores.sink import Batch, Position
from headgate.stores.spans import AttemptRow, RequestRow
from headgate.stores.totals import (
    GROUPS,
    SUMS,
    AttemptUsage,
    Totals,
    TotalsStore,
    Which,
    add_up,
    usage_of_attempt,
)
from tests.support.aio import aio
from tests.support.cost_rows import DAY, attempts_of, request
from tests.support.stores import BACKENDS, open_stores

__all__: list[str] = []


class Subject:
    """A store and how to fill it."""

    def __init__(self, backend: str, place: Path | str) -> None:
        self._opened = open_stores(backend, place)
        self.store: TotalsStore = self._opened.spans

    def write(self, *rows: RequestRow, attempts: tuple[AttemptRow, ...] = ()) -> None:
        self._opened.sink.write(Batch(journal="j", position=Position(1, 1), requests=rows, attempts=attempts))

    async def close(self) -> None:
        await self._opened.aclose()


@pytest.fixture(params=BACKENDS)
def backend(request: Any) -> str:
    return str(request.param)


@pytest.fixture
def subject(backend: str, place: Path | str) -> Iterator[Subject]:
    made = Subject(backend, place)
    yield made
    aio(made.close)()


def ordered(found: Any) -> list[Totals]:
    return sorted(found, key=lambda one: one.group)


def test_each_group_is_added_up(subject: Subject) -> None:
    """Every number, costs by their label, and nothing of an unknown cost."""
    subject.write(
        request(1, feature="chat", cost_nanos=5, cost_label="exact", attempts=2, input_tokens=7),
        request(2, feature="chat", cost_nanos=6, cost_label="estimated", attempts=1, reasoning_tokens=3),
        request(3, feature="chat", cost_nanos=None, cost_label="unknown", attempts=1, output_tokens=4),
        request(4, feature="mail", cost_nanos=1, cost_label="reconciled", cache_read_tokens=2),
        request(5, feature="mail", cost_nanos=None, cost_label="", cache_write_tokens=1),
        request(6, feature="mail", cost_nanos=None, cost_label="", cache_write_1h_tokens=9),
    )

    @aio
    async def read() -> None:
        assert ordered(await subject.store.totals(["feature"], Which())) == [
            Totals(("chat",), 3, 4, 7, 0, 0, 0, 4, 3, 11, 6, 1, 1, 0, 1),
            Totals(("mail",), 3, 0, 0, 2, 1, 9, 0, 0, 1, 0, 0, 0, 1, 0),
        ]
        (everything,) = await subject.store.totals([], Which())
        assert (everything.group, everything.requests, everything.cost_nanos) == ((), 6, 12)

    read()


def test_nothing_recorded_adds_up_to_nothing(subject: Subject) -> None:
    """No groups, and one sum of noughts over all."""

    @aio
    async def read() -> None:
        assert list(await subject.store.totals(["feature"], Which())) == []
        assert list(await subject.store.totals([], Which())) == [Totals(())]
        assert list(await subject.store.usages(Which())) == []

    read()


def test_a_day_is_a_day_of_utc(subject: Subject) -> None:
    """From midnight, inclusive, to midnight."""
    subject.write(
        request(1, started_ns=20_000 * DAY - 1),
        request(2, started_ns=20_000 * DAY),
        request(3, started_ns=20_001 * DAY - 1),
    )

    @aio
    async def read() -> None:
        found = ordered(await subject.store.totals(["day"], Which()))
        assert [(one.group, one.requests) for one in found] == [(("2024-10-03",), 1), (("2024-10-04",), 2)]

    read()


def test_the_model_is_the_one_that_answered_if_any_did(subject: Subject) -> None:
    """Else the one it was routed to, else the one asked for."""
    subject.write(
        request(1, reported_model="r-1", routed_model="r", requested_model="f"),
        request(2, routed_model="r", requested_model="f"),
        request(3, requested_model="f"),
        request(4),
    )

    @aio
    async def read() -> None:
        found = ordered(await subject.store.totals(["model"], Which()))
        assert [one.group for one in found] == [("",), ("f",), ("r",), ("r-1",)]

    read()


def test_a_time_begins_with_its_first_moment_and_ends_before_its_last(subject: Subject) -> None:
    """Also for requests whose ids are made as ids are made, which the index goes by."""
    now = time.time_ns()
    real = IdSource(node=1).next()
    subject.write(
        request(1, started_ns=now - 1),
        *(
            request(number, started_ns=started)
            for number, started in ((real, now), (real + 1, now + 5), (real + 2, now + 10))
        ),
    )

    @aio
    async def read() -> None:
        (found,) = await subject.store.totals([], Which(since_ns=now, until_ns=now + 10))
        assert found.requests == 2
        (found,) = await subject.store.totals([], Which(until_ns=now))
        assert found.requests == 1

    read()


def test_only_what_is_meant_is_added_up(subject: Subject) -> None:
    """All conditions hold; a text that looks like SQL is a text."""
    trick = "x' OR '1'='1"
    subject.write(
        request(1, feature="chat", user=trick), request(2, feature="chat", user="u"), request(3, user="u")
    )

    @aio
    async def read() -> None:
        for only, count in (
            ({"feature": "chat"}, 2),
            ({"feature": "chat", "user": "u"}, 1),
            ({"user": trick}, 1),
            ({"user": "x"}, 0),
        ):
            (found,) = await subject.store.totals([], Which(only=only))
            assert found.requests == count, only

    read()


def test_a_name_that_is_no_column_is_refused(subject: Subject) -> None:
    """Names go into SQL, so only known ones do."""
    with pytest.raises(ValueError, match="request_content"):
        Which(only={"request_content": "x"})
    with pytest.raises(ValueError, match="no column"):
        Which(only={"day": "2024-10-03"})

    @aio
    async def read() -> None:
        with pytest.raises(ValueError, match="not grouped"):
            await subject.store.totals(["1; DROP TABLE request"], Which())
        for name in GROUPS:
            await subject.store.totals([name, "feature"], Which())

    read()


def test_attempts_are_read_page_by_page_and_each_once(subject: Subject) -> None:
    """In the order of request and attempt, whatever the size of a page."""
    rows = [request(n, feature="ab"[n % 2], tags=json.dumps({"n": str(n)})) for n in range(1, 8)]
    attempts = tuple(attempt for row in rows for attempt in attempts_of(row, row.id % 3))
    subject.write(*rows, attempts=attempts)

    @aio
    async def read() -> None:
        for limit in (1, 2, 100):
            for only, wanted in ({}, rows), ({"feature": "b"}, rows[::2]):
                after, seen = (0, -1), list[AttemptUsage]()
                while page := await subject.store.usages(Which(only=only), after=after, limit=limit):
                    assert len(page) <= limit
                    seen += page
                    after = (page[-1].request_id, page[-1].number)
                assert seen == [
                    usage_of_attempt(row, attempt)
                    for row in wanted
                    for attempt in attempts
                    if attempt.request_id == row.id
                ]

    read()


def test_attempts_of_a_time_are_those_of_its_requests(subject: Subject) -> None:
    """The moment that counts is the request's."""
    rows = [request(n, started_ns=n * 10) for n in (1, 2, 3)]
    subject.write(*rows, attempts=tuple(attempt for row in rows for attempt in attempts_of(row, 2)))

    @aio
    async def read() -> None:
        found = await subject.store.usages(Which(since_ns=20, until_ns=30))
        assert [(one.request_id, one.number) for one in found] == [(2, 1), (2, 2)]

    read()


@settings(max_examples=20, deadline=None)
@given(
    rows=st.lists(
        st.tuples(
            st.sampled_from(["", "chat", "mail"]),
            st.sampled_from(["", "u", "v"]),
            st.integers(0, 3 * DAY),
            st.sampled_from(["exact", "estimated", "reconciled", "unknown", ""]),
            st.one_of(st.none(), st.integers(0, 10**12)),
            st.integers(0, 10**6),
        ),
        max_size=30,
    ),
    by=st.lists(st.sampled_from(["feature", "user", "day"]), unique=True, max_size=3),
)
def test_the_sums_of_the_groups_are_the_sum_of_all(tmp_path_factory: Any, rows: Any, by: list[str]) -> None:
    """However they are grouped, on every engine, and equal to what adding up by hand gives."""
    made = [
        request(n, feature=f, user=u, started_ns=at, cost_label=label, cost_nanos=cost, input_tokens=tokens)
        for n, (f, u, at, label, cost, tokens) in enumerate(rows, start=1)
    ]
    for kind in ("memory", "sqlite"):
        subject = Subject(kind, tmp_path_factory.mktemp("totals"))
        subject.write(*made)

        @aio
        async def read(subject: Subject = subject) -> None:
            try:
                groups = ordered(await subject.store.totals(by, Which()))
                assert groups == ordered(add_up(made, by, Which()))
                (everything,) = await subject.store.totals([], Which())
                for name in SUMS:
                    assert sum(getattr(one, name) for one in groups) == getattr(everything, name)
            finally:
                await subject.close()

        read()


def test_the_fields_of_the_sums_are_numbers() -> None:
    """A field that is added is added up everywhere, or this fails."""
    assert all(field.type is int for field in msgspec.structs.fields(Totals)[1:])
    one = Totals(("a",), *range(1, len(SUMS) + 1))
    assert one.plus(one) == Totals(("a",), *(2 * n for n in range(1, len(SUMS) + 1)))
