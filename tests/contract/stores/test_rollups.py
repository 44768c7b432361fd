"""What every store of rollups promises; run on each backend."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from headgate.core.sketch import Sketch
from headgate.stores.backends import postgres, sqlite
from headgate.stores.rollups import (
    DAY,
    FAILURE_PARTS,
    HOUR,
    MEMORY,
    MINUTE,
    PARTS,
    SKETCHES,
    SUMS,
    WEEK,
    Ages,
    Gauge,
    Mark,
    RollupStore,
    Scope,
)
from headgate.stores.sink import Batch, Position, SpanSink
from headgate.stores.spans import AttemptRow, RequestRow
from tests.support.aio import aio
from tests.support.stores import SHARED

__all__: list[str] = []

GIVEN = ("exact", "semantic", "joined", "stale")
NOON = 1_790_000_000 // DAY * DAY + 12 * HOUR
SECOND = 10**9
every = pytest.mark.parametrize("backend", SHARED)


@dataclass
class Opened:
    database: Any
    sink: SpanSink
    rollups: RollupStore

    def write(self, *rows: RequestRow, attempts: Sequence[AttemptRow] = (), recovered: bool = False) -> None:
        self.sink.write(
            Batch(journal="j", position=Position(1, 1), requests=rows, attempts=attempts, recovered=recovered)
        )


@asynccontextmanager
async def opened(backend: str, place: Path | str) -> AsyncIterator[Opened]:
    database: Any
    if backend == "sqlite":
        database = sqlite.Database(Path(place) / "headgate.db")
        made = Opened(database, sqlite.SqliteSink(database), sqlite.SqliteRollups(database))
    else:
        database = postgres.Database(str(place))
        made = Opened(database, postgres.PostgresSink(database), postgres.PostgresRollups(database))
    try:
        yield made
    finally:
        made.sink.close()
        await database.close()


def request(number: int, *, at: float = NOON, **given: Any) -> RequestRow:
    """One that ends at this moment."""
    values: dict[str, Any] = {
        "feature": "shop",
        "routed_model": "small",
        "provider": "house",
        "key_id": "key_1",
        "attempts": 1,
        "total_us": 1_000_000,
        "cost_nanos": 1_000,
        "cost_label": "exact",
    } | given
    return RequestRow(number, round(at * SECOND) - values["total_us"] * 1_000, "t", **values)


def some_requests(count: int, *, seed: int = 1, seconds: int = 3 * DAY) -> list[RequestRow]:
    """Of every sort, over some days."""
    chance = random.Random(seed)
    found = []
    for number in range(1, count + 1):
        outcome = chance.choice(["ok", "ok", "ok", "refused", "failed", "hung_up", "cut_off"])
        stream = chance.random() < 0.5
        found.append(
            request(
                number,
                at=NOON + chance.uniform(0, seconds),
                feature=chance.choice(["shop", "search", "a\x00b"]),
                routed_model=chance.choice(["small", "large", ""]),
                provider=chance.choice(["house", "cloud"]),
                outcome=outcome,
                error_class="" if outcome in ("ok", "hung_up") else chance.choice(["timeout", "rate"]),
                purpose=chance.choice(["", "", "shadow"]),
                user=chance.choice(["", "ann", "bob", "cy\x00"]),
                key_id=chance.choice(["key_1", "key_2"]),
                session=chance.choice(["", "s1", "s2"]),
                tags=chance.choice(["", '{"plan":"pro"}', '{"plan":"free","lang":"de"}']),
                prompt=chance.choice(["", "greeting@7"]),
                team=chance.choice(["", "red"]),
                stream=stream,
                total_us=chance.randrange(10_000, 5_000_000),
                first_content_us=chance.randrange(1, 9_000) if stream else 0,
                overhead_us=chance.randrange(400),
                queued_us=chance.choice([0, 0, 70]),
                input_tokens=chance.randrange(1_000),
                cache_read_tokens=chance.randrange(10),
                cache_write_tokens=chance.randrange(10),
                cache_write_1h_tokens=chance.randrange(10),
                output_tokens=chance.randrange(1_000),
                reasoning_tokens=chance.randrange(10),
                cost_nanos=chance.choice([None, 5, 7_000_000]),
                cost_label=chance.choice(["exact", "estimated"]),
                avoided_nanos=chance.choice([0, 0, 9]),
                avoided_us=chance.choice([0, 0, 8]),
                cache=chance.choice(
                    ["", "", "miss", "bypass", "refreshed", "exact", "semantic", "joined", "stale"]
                ),
                attempts=chance.choice([0, 1, 1, 2]),
                finish_reason=chance.choice(["end", "end", "content_filter"]),
                degraded=chance.choice(["", "", "sorry"]),
            )
        )
    return found


def from_memory(row: RequestRow) -> bool:
    """It asked nobody, so it is of no model."""
    return row.cache in GIVEN and not row.attempts


def ended(row: RequestRow) -> int:
    return (row.started_ns + row.total_us * 1_000) // SECOND


def expected(
    rows: Iterable[RequestRow], step: int, by: Sequence[str], since: int
) -> dict[Any, dict[str, int]]:
    """The sums, reckoned the slow way."""
    names = {"model": "routed_model"}
    found: dict[Any, dict[str, int]] = {}
    for row in rows:
        at = ended(row) // step * step if step else since
        group = tuple(
            MEMORY
            if from_memory(row) and part in ("model", "provider")
            else getattr(row, names.get(part, part))
            for part in by
        )
        sums = found.setdefault((at, group), dict.fromkeys(SUMS, 0))
        for name in ("attempts", "input_tokens", "cache_read_tokens", "output_tokens", "reasoning_tokens"):
            sums[name] += getattr(row, name)
        sums["avoided_nanos"] += row.avoided_nanos
        sums["requests"] += 1
        sums["cost_nanos"] += row.cost_nanos or 0
        sums["estimated_nanos"] += (row.cost_nanos or 0) if row.cost_label == "estimated" else 0
        sums["unpriced"] += row.cost_nanos is None and row.attempts > 0
        sums["degraded"] += row.degraded != ""
        sums["cached"] += row.cache in GIVEN
        sums["reworded"] += row.cache == "semantic"
        sums["joined"] += row.cache == "joined"
        sums["cacheable"] += row.cache in (*GIVEN, "miss")
        sums["avoided_us"] += row.avoided_us
        sums["refusals"] += row.finish_reason == "content_filter"
        sums["cache_write_tokens"] += row.cache_write_tokens + row.cache_write_1h_tokens
    return found


def in_batches(rows: Sequence[RequestRow], size: int) -> Iterable[Sequence[RequestRow]]:
    return (rows[start : start + size] for start in range(0, len(rows), size))


@every
@aio
async def test_sums_are_those_of_the_requests_whatever_the_step_and_the_group(
    backend: str, place: Path | str
) -> None:
    """Each request is in exactly one sum of each answer, over every level of rows and across batches."""
    rows = some_requests(400)
    since, until = NOON + 5 * HOUR + 7 * MINUTE, NOON + 2 * DAY + 13 * MINUTE
    inside = [row for row in rows if since <= ended(row) < until]
    async with opened(backend, place) as stores:
        for batch in in_batches(rows, 37):
            stores.write(*batch)
        for step, by in (
            (0, ()),
            (0, PARTS),
            (MINUTE, ("outcome",)),
            (10 * MINUTE, ()),
            (25 * MINUTE, ("feature",)),
            (HOUR, ("feature", "model")),
            (6 * HOUR, ("provider",)),
            (DAY, ("purpose", "model")),
        ):
            answer = await stores.rollups.rolled(Scope(since, until, purpose=None), step=step, by=by)
            found = {(one.at, one.group): {name: getattr(one, name) for name in SUMS} for one in answer}
            assert found == expected(inside, step, by, since), (step, by)
            assert [one.at for one in answer] == sorted(one.at for one in answer)
            assert not answer[0].sketches


@every
@aio
async def test_spreads_are_those_of_the_requests(backend: str, place: Path | str) -> None:
    """A sketch has every number once, whichever rows it came together from."""
    rows = some_requests(300)
    async with opened(backend, place) as stores:
        for batch in in_batches(rows, 50):
            stores.write(*batch)
        for step in (0, MINUTE, HOUR, DAY):
            answer = await stores.rollups.rolled(
                Scope(NOON, NOON + 4 * DAY, purpose=None), step=step, by=("feature",), sketches=SKETCHES
            )
            whole = {name: Sketch() for name in SKETCHES}
            for one in answer:
                for name, sketch in one.sketches.items():
                    whole[name].merge([sketch])
            for name, numbers in {
                "total_us": [row.total_us for row in rows],
                "overhead_us": [row.overhead_us for row in rows if row.cache != "joined" or row.attempts],
                "queued_us": [row.queued_us for row in rows],
                "first_content_us": [row.first_content_us for row in rows if row.stream],
                "cost_nanos": [row.cost_nanos for row in rows if row.cost_nanos is not None],
                "output_tokens": [
                    row.output_tokens for row in rows if row.outcome == "ok" and not from_memory(row)
                ],
            }.items():
                sketch = Sketch()
                for number in numbers:
                    sketch.add(number)
                assert whole[name] == sketch, name
        only = await stores.rollups.rolled(Scope(NOON, NOON + DAY), sketches=["queued_us"])
        assert list(only[0].sketches) == ["queued_us"]


@every
@aio
async def test_only_what_the_scope_names_is_counted(backend: str, place: Path | str) -> None:
    """By part, and callers' own requests unless copies are asked for too."""
    async with opened(backend, place) as stores:
        stores.write(
            request(1, feature="shop"),
            request(2, feature="search"),
            request(3, feature="shop", outcome="failed", error_class="timeout"),
            request(4, feature="shop", purpose="shadow"),
        )

        async def count(**scope: Any) -> int:
            rows = await stores.rollups.rolled(Scope(NOON - HOUR, NOON + HOUR, **scope))
            return sum(row.requests for row in rows)

        assert await count() == 3
        assert await count(only={"feature": "shop"}) == 2
        assert await count(only={"feature": "shop", "outcome": "failed"}) == 1
        assert await count(purpose=None) == 4
        assert await count(purpose="shadow") == 1
        assert await count(only={"feature": "nothing"}) == 0


@every
@aio
async def test_an_unknown_name_or_step_is_a_mistake_of_the_caller(backend: str, place: Path | str) -> None:
    """Nothing of what is asked with reaches the SQL unchecked."""
    async with opened(backend, place) as stores:
        scope, read = Scope(NOON, NOON + HOUR), stores.rollups
        for asked in (
            read.rolled(scope, by=["user"]),
            read.rolled(scope, sketches=["bytes"]),
            read.rolled(scope, step=90),
            read.rolled(Scope(NOON, NOON + HOUR, only={"1=1 --": ""})),
            read.spent("user", NOON, NOON + HOUR, step=60),
            read.failures(NOON, NOON + HOUR, by=["user"]),
            read.failures(NOON, NOON + HOUR, step=60),
            read.sessions(only={"cost_nanos": "1"}),
        ):
            with pytest.raises(ValueError, match=r"there is no|a step is"):
                await asked
        assert not await read.rolled(Scope(NOON, NOON))


@every
@aio
async def test_a_request_counts_for_the_minute_it_ended_in(backend: str, place: Path | str) -> None:
    """However long it took, and from its last microsecond on."""
    async with opened(backend, place) as stores:
        stores.write(
            request(1, at=NOON + MINUTE - 0.000_001, total_us=600_000_000), request(2, at=NOON + MINUTE)
        )
        rows = await stores.rollups.rolled(Scope(NOON - HOUR, NOON + HOUR), step=MINUTE)
        assert [(row.at, row.requests) for row in rows] == [(NOON, 1), (NOON + MINUTE, 1)]


@every
@aio
async def test_a_batch_that_is_read_again_counts_only_what_is_new(backend: str, place: Path | str) -> None:
    """A journal of a process that was killed may be read from further back than it was stored to."""
    async with opened(backend, place) as stores:
        stores.write(request(1, user="ann", session="s"), request(2))
        stores.write(request(1, user="ann", session="s"), request(2), request(3, session="s"), recovered=True)
        whole = (await stores.rollups.rolled(Scope(NOON - HOUR, NOON + HOUR)))[0]
        assert whole.requests == 3
        assert [row.requests for row in await stores.rollups.spent("key_id", NOON, NOON + HOUR)] == [3]
        assert [row.requests for row in await stores.rollups.sessions()] == [2]


@every
@aio
async def test_a_batch_that_was_undone_is_not_counted_and_counts_when_it_comes_again(
    backend: str, place: Path | str
) -> None:
    """Rows and their sums are stored together or not at all."""
    async with opened(backend, place) as stores:
        stores.write(request(1))
        broken = msgspec.structs.replace(request(2), feature=object())
        with pytest.raises(Exception):  # noqa: B017 - whatever the driver says of it
            stores.write(broken)
        stores.write(request(2))
        assert (await stores.rollups.rolled(Scope(NOON - HOUR, NOON + HOUR)))[0].requests == 2


@every
@aio
async def test_failing_over_is_counted_where_another_endpoint_answered(
    backend: str, place: Path | str
) -> None:
    """A retry at the same endpoint is none, nor is a request that nobody answered."""

    def attempt(of: int, number: int, model: str, outcome: Any) -> AttemptRow:
        return AttemptRow(of * 10 + number, of, number, "house", model, outcome=outcome)

    async with opened(backend, place) as stores:
        stores.write(
            request(1, attempts=2),
            request(2, attempts=2),
            request(3, attempts=2, outcome="failed", error_class="timeout"),
            request(4),
            attempts=[
                *(attempt(1, 1, "a", "failed"), attempt(1, 2, "b", "ok")),
                *(attempt(2, 1, "a", "failed"), attempt(2, 2, "a", "ok")),
                *(attempt(3, 1, "a", "failed"), attempt(3, 2, "b", "failed")),
                attempt(4, 1, "a", "ok"),
            ],
        )
        assert (await stores.rollups.rolled(Scope(NOON - HOUR, NOON + HOUR)))[0].failovers == 1


@every
@aio
async def test_spending_is_added_up_by_who_and_what_for(backend: str, place: Path | str) -> None:
    """By key, user, team, prompt and each tag; the dearest first; copies cost money too."""
    rows = some_requests(300)
    async with opened(backend, place) as stores:
        for batch in in_batches(rows, 64):
            stores.write(*batch)
        since, until = NOON + HOUR, NOON + 2 * DAY + 3 * HOUR
        inside = [row for row in rows if since <= ended(row) < until]
        for dimension, value_of in {
            "key_id": lambda row: row.key_id,
            "user": lambda row: row.user,
            "team": lambda row: row.team,
            "prompt": lambda row: row.prompt,
            "tag:plan": lambda row: msgspec.json.decode(row.tags).get("plan", "") if row.tags else "",
        }.items():
            found = await stores.rollups.spent(dimension, since, until)
            costs: dict[str, list[int]] = {}
            for row in inside:
                costs.setdefault(value_of(row), []).append(row.cost_nanos or 0)
            costs.pop("", None)
            assert {one.value: (one.requests, one.cost_nanos) for one in found} == {
                value: (len(each), sum(each)) for value, each in costs.items()
            }
            assert [one.cost_nanos for one in found] == sorted((sum(x) for x in costs.values()), reverse=True)
        dimensions = {"key_id", "user", "team", "prompt", "tag:plan", "tag:lang"}
        assert set(await stores.rollups.dimensions(since, until)) == dimensions
        assert not await stores.rollups.dimensions(NOON - 9 * DAY, NOON - 8 * DAY)


@every
@aio
async def test_spending_over_time_is_of_the_dearest(backend: str, place: Path | str) -> None:
    """`limit` says how many values, not how many rows; or the caller says which."""
    async with opened(backend, place) as stores:
        stores.write(
            *(request(number, at=NOON + number * HOUR, user="ann", cost_nanos=9) for number in range(3)),
            *(request(10 + number, at=NOON + number * HOUR, user="bob", cost_nanos=1) for number in range(3)),
            request(20, at=NOON, user="cy", cost_nanos=0),
        )
        read, until = stores.rollups, NOON + 4 * HOUR
        first = await read.spent("user", NOON, until, step=HOUR, limit=1)
        assert [(one.at, one.value, one.cost_nanos) for one in first] == [
            (NOON + number * HOUR, "ann", 9) for number in range(3)
        ]
        given = await read.spent("user", NOON, until, step=DAY, values=["bob", "cy"])
        assert [(one.value, one.requests) for one in given] == [("bob", 3), ("cy", 1)]
        assert [one.value for one in await read.spent("user", NOON, until, limit=2)] == ["ann", "bob"]
        assert not await read.spent("tenant", NOON, until, step=HOUR)
        assert not await read.spent("user", NOON, NOON)


@every
@aio
async def test_weeks_say_the_same_as_their_days_also_of_what_comes_late(
    backend: str, place: Path | str
) -> None:
    """Spending of many weeks is what was spent, whenever each batch came; and it is read from few rows."""
    rows = sorted(some_requests(400, seconds=40 * DAY), key=ended)
    late = random.Random(2).sample(rows, 60)
    early = request(900, at=NOON - 20 * DAY, user="ann", team="red", cost_nanos=3)
    async with opened(backend, place) as stores:
        for batch in in_batches([row for row in rows if row not in late], 30):
            stores.write(*batch)
        for batch in in_batches([*late, early], 30):
            stores.write(*batch)
        everything = [*rows, early]
        ends = random.Random(3)
        for _ in range(20):
            since = NOON - 25 * DAY + ends.randrange(40 * DAY) // HOUR * HOUR
            until = since + ends.randrange(50 * DAY) // HOUR * HOUR
            for dimension, values in (("user", ()), ("team", ()), ("user", ("ann", "cy\x00"))):
                costs: dict[str, list[int]] = {}
                for row in everything:
                    value = getattr(row, dimension)
                    if since <= ended(row) < until and value and (not values or value in values):
                        costs.setdefault(value, []).append(row.cost_nanos or 0)
                found = await stores.rollups.spent(dimension, since, until, values=values)
                assert {one.value: (one.requests, one.cost_nanos) for one in found} == {
                    value: (len(each), sum(each)) for value, each in costs.items()
                }
        weeks, days = (
            await rows_of_spending(stores.database, WEEK),
            await rows_of_spending(stores.database, DAY),
        )
        assert 5 * 3 <= weeks < days / 3


@every
@aio
async def test_failures_say_how_many_users_they_hit(backend: str, place: Path | str) -> None:
    """Each user once; where the caller names none, the key stands for them. Who left was not failed; copies have no users."""
    async with opened(backend, place) as stores:
        failing: dict[str, Any] = {"outcome": "failed", "error_class": "timeout"}
        stores.write(
            request(1, user="ann", **failing),
            request(2, user="ann", at=NOON + HOUR, **failing),
            request(3, user="bob", **failing),
            request(4, **failing),
            request(5, user="cy", outcome="refused", error_class="rate"),
            request(6, user="cy", feature="search", routed_model="", outcome="refused", error_class="rate"),
            request(7, outcome="hung_up", error_class="caller_hung_up"),
            request(8, purpose="shadow", **failing),
            request(9),
        )
        read = stores.rollups
        whole = await read.failures(NOON, NOON + DAY)
        assert {one.group: (one.requests, one.users) for one in whole} == {
            ("shop", "small", "timeout"): (4, 3),
            ("shop", "small", "rate"): (1, 1),
            ("search", "", "rate"): (1, 1),
        }
        assert len(FAILURE_PARTS) == len(whole[0].group)
        by_class = await read.failures(NOON, NOON + DAY, by=["error_class"], only={"error_class": "rate"})
        assert [(one.group, one.requests, one.users) for one in by_class] == [(("rate",), 2, 1)]
        steps = await read.failures(NOON, NOON + DAY, step=HOUR, by=[])
        assert [(one.at, one.requests, one.users) for one in steps] == [(NOON, 5, 4), (NOON + HOUR, 1, 1)]


@every
@aio
async def test_conversations_come_latest_first_in_pages(backend: str, place: Path | str) -> None:
    """A conversation is one row, however many batches its requests came in; who it belongs to is said by the latest."""
    async with opened(backend, place) as stores:
        stores.write(
            request(1, at=NOON + 5, session="s1", user="ann", input_tokens=3, output_tokens=4),
            request(2, at=NOON + 6, session="s2", user="bob"),
            request(3, at=NOON + 7, session="s3", feature="search"),
        )
        stores.write(
            request(4, at=NOON + 9, session="s1", user="eve", outcome="failed", error_class="timeout"),
            request(5, at=NOON + 1, session="s1", user="old"),
            request(6, at=NOON + 60, session="s2", purpose="shadow"),
        )
        read = stores.rollups
        rows = await read.sessions()
        assert [row.session for row in rows] == ["s1", "s3", "s2"]
        first = rows[0]
        assert (first.user, first.requests, first.failed, first.cost_nanos) == ("eve", 3, 1, 3_000)
        assert (first.first_ns, first.last_ns) == (NOON * SECOND, (NOON + 8) * SECOND)
        assert (first.input_tokens, first.output_tokens) == (3, 4)
        pages, before_ns, before = [], 0, ""
        while page := await read.sessions(before_ns=before_ns, before=before, limit=1):
            pages.append(page[0].session)
            before_ns, before = page[0].last_ns, page[0].session
        assert pages == ["s1", "s3", "s2"]
        assert [row.session for row in await read.sessions(only={"user": "bob"})] == ["s2"]
        assert [row.session for row in await read.sessions(only={"feature": "search"})] == ["s3"]


@every
@aio
async def test_conversations_that_began_at_one_moment_are_each_on_one_page(
    backend: str, place: Path | str
) -> None:
    """Their names decide which comes first."""
    async with opened(backend, place) as stores:
        names = [f"{letter}{number}" for letter in "aZ-" for number in range(4)]
        stores.write(*(request(place, session=name) for place, name in enumerate(names, 1)))
        seen: list[str] = []
        before_ns, before = 0, ""
        while page := await stores.rollups.sessions(before_ns=before_ns, before=before, limit=5):
            seen += [row.session for row in page]
            before_ns, before = page[-1].last_ns, page[-1].session
        assert seen == sorted(names, reverse=True)


@every
@aio
async def test_marks_are_kept_once_and_come_in_order(backend: str, place: Path | str) -> None:
    """Several nodes notice the same."""
    async with opened(backend, place) as stores:
        later = Mark(event="b", at_ns=20, kind="model", subject="house/m", text="another\x00one")
        sooner = Mark(event="a", at_ns=10, kind="config")
        await stores.rollups.add_marks([later])
        await stores.rollups.add_marks([sooner, msgspec.structs.replace(later, text="twice")])
        assert await stores.rollups.marks(0, 100) == [sooner, later]
        assert await stores.rollups.marks(0, 100, limit=1) == [later]
        assert await stores.rollups.marks(10, 20) == [sooner]


@every
@aio
async def test_of_a_gauge_the_highest_in_the_minute_stays(backend: str, place: Path | str) -> None:
    """For each node apart."""
    async with opened(backend, place) as stores:
        read = stores.rollups
        await read.add_gauges([gauge(60, 1, 4.0), gauge(60, 2, 1.5)])
        await read.add_gauges([gauge(60, 1, 3.0), gauge(120, 1, 0.0)])
        await read.add_gauges([gauge(60, 2, 2.5), gauge(60, 1, 9.0, "waiting")])
        assert [(one.at, one.node, one.value) for one in await read.gauges("in_flight", 60, 180)] == [
            (60, 1, 4.0),
            (60, 2, 2.5),
            (120, 1, 0.0),
        ]
        assert not await read.gauges("in_flight", 180, 240)


@every
@aio
async def test_what_is_old_goes_in_pieces_and_wider_rows_answer_for_it(
    backend: str, place: Path | str
) -> None:
    """Where minutes are not kept any more hours are read, the ends rounded out, and days where hours are not."""
    async with opened(backend, place) as stores:
        for number in range(1, 61):
            moment = NOON + (number - 1) * HOUR + 5 * MINUTE
            failing = {"outcome": "failed", "error_class": "timeout"} if number % 2 else {}
            stores.write(request(number, at=moment, user="ann", **failing))
        read = stores.rollups
        await read.add_gauges([gauge(NOON, 1, 1.0), gauge(NOON + DAY, 1, 1.0)])
        ages = Ages(
            minutes_before=NOON + 40 * HOUR,
            hours_before=NOON + 20 * HOUR,
            failures_before=NOON + 10 * HOUR,
            gauges_before=NOON + HOUR,
        )
        deleted: list[int] = []
        while not deleted or deleted[-1]:
            deleted.append(await read.sweep(ages, limit=7))
        # By minutes and ten minutes 40 hours each, by hours 20, and the same of all groups together; of two dimensions 20 each;
        # every second failed.
        assert sum(deleted) == 2 * (40 + 40 + 20) + 2 * 20 + 5 + 1
        assert max(deleted) <= 8

        async def count(since: int, until: int) -> int:
            return sum(row.requests for row in await read.rolled(Scope(since, until)))

        assert await count(NOON, NOON + 61 * HOUR) == 60
        assert await count(NOON + 50 * HOUR + 6 * MINUTE, NOON + 51 * HOUR) == 0
        assert await count(NOON + 30 * HOUR + 6 * MINUTE, NOON + 31 * HOUR) == 1
        assert await count(NOON + 6 * MINUTE, NOON + HOUR) == 12
        minutes = await read.rolled(Scope(NOON + 30 * HOUR, NOON + 42 * HOUR), step=MINUTE)
        assert [row.at - NOON for row in minutes] == [
            *(number * HOUR for number in range(30, 40)),
            40 * HOUR + 5 * MINUTE,
            41 * HOUR + 5 * MINUTE,
        ]
        spent = await read.spent("user", NOON + HOUR, NOON + 61 * HOUR)
        assert [row.requests for row in spent] == [60]
        assert sum(row.requests for row in await read.failures(NOON, NOON + 61 * HOUR)) == 25
        assert [row.at for row in await read.gauges("in_flight", 0, NOON + 2 * DAY)] == [NOON + DAY]
        assert await read.sweep(Ages()) == 0


@every
@aio
async def test_what_was_stored_before_anybody_added_up_is_added_up_in_pieces(
    backend: str, place: Path | str
) -> None:
    """An older installation's requests count once: those stored since then when they were stored, the others by and by."""
    rows = some_requests(60, seconds=DAY)
    async with opened(backend, place) as stores:
        stores.write(*rows[:40])
        await forget_rollups(stores.database)
        stores.sink.close()
    async with opened(backend, place) as stores:
        stores.write(*rows[40:50])
        later = iter(rows[50:])
        while stores.sink.fill(7):
            stores.write(next(later))
        stores.write(*later)
        assert not stores.sink.fill(7)
        answer = await stores.rollups.rolled(Scope(NOON, NOON + 2 * DAY, purpose=None), step=HOUR, by=PARTS)
        found = {(one.at, one.group): {name: getattr(one, name) for name in SUMS} for one in answer}
        assert found == expected(rows, HOUR, PARTS, 0)


def gauge(at: int, node: int, value: float, name: str = "in_flight") -> Gauge:
    return Gauge(at=at, name=name, node=node, value=value)


async def rows_of_spending(database: Any, seconds: int) -> int:
    """By user, of this level."""
    text = f"SELECT count(*) FROM spend WHERE dimension = 'user' AND seconds = {seconds}"

    async def on_a_server(connection: Any) -> int:
        return int(await connection.fetchval(text))

    def in_a_file(connection: Any) -> int:
        return int(connection.execute(text).fetchone()[0])

    return int(await database.run(in_a_file if isinstance(database, sqlite.Database) else on_a_server))


async def forget_rollups(database: Any) -> None:
    """As an installation was before there were any."""
    texts = [f"DELETE FROM {table}" for table in ("rollup", "spend", "failure", "session", "installation")]

    async def on_a_server(connection: Any) -> None:
        for text in texts:
            await connection.execute(text)

    def in_a_file(connection: Any) -> None:
        for text in texts:
            connection.execute(text)

    await database.run(in_a_file if isinstance(database, sqlite.Database) else on_a_server)
