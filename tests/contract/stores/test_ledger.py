"""What every store of the ledger promises: each movement once, whatever is read or told twice; run on each backend."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headgate.stores.audit import AuditEntry
from headgate.stores.backends import postgres
from headgate.stores.backends.sqlite import Database, SqliteOutlet
from headgate.stores.errors import StoreUnavailable
from headgate.stores.ledger import Entry, Movement
from headgate.stores.ledger_checks import FAULTS, QUESTIONS
from headgate.stores.moving import move
from headgate.stores.purses import Holder, Orphan
from headgate.stores.sink import Batch, Position, Use
from headgate.stores.spans import AttemptRow, RequestRow
from headgate.stores.totals import Which
from tests.support.aio import aio
from tests.support.stores import BACKENDS, POSTGRES, SHARED, Opened, stores

__all__: list[str] = []

each = pytest.mark.parametrize("backend", BACKENDS)
shared = pytest.mark.parametrize("backend", SHARED)
MONTH, DAY, FOREVER = 1_000_000, 2_000_000, 0
POTS = (("canal", "*", MONTH), ("people", "ann\x00", DAY))
ENTRY = AuditEntry(at_ns=5, actor="cli:ann", action="ledger.reconcile", subject="openai")


def call(
    number: int, nanos: int | None = 70, *, at_ns: int = 0, **given: Any
) -> tuple[RequestRow, AttemptRow]:
    """A request with one call, which 100 were set aside for; ids as numbers are given."""
    label = "unknown" if nanos is None else "exact"
    common: dict[str, Any] = {"cost_nanos": nanos, "cost_label": label}
    whose: dict[str, Any] = {"feature": "chat", "user": "ann\x00", "key_id": "key_1", "team": "web"}
    request = RequestRow(
        number,
        at_ns or number,
        "t",
        **({"attempts": 1} | whose | common | given),
    )
    attempt = AttemptRow(
        number + 1000,
        number,
        0,
        "openai",
        "gpt",
        reported_model="gpt-1",
        reserved_nanos=100,
        **common,
    )
    return request, attempt


def batch(
    *calls: tuple[RequestRow, AttemptRow], recovered: bool = False, journal: str = "j", uses: bool = True
) -> Batch:
    return Batch(
        journal=journal,
        position=Position(1, 1),
        requests=[request for request, _ in calls],
        attempts=[attempt for _, attempt in calls],
        uses=[
            Use(one.id, *pot, one.reserved_nanos if one.cost_nanos is None else one.cost_nanos)
            for _, one in calls
            for pot in POTS
        ]
        if uses
        else [],
        recovered=recovered,
    )


def orphan(number: int, nanos: int = 100) -> Orphan:
    """What is left of that call if its gateway died."""
    holder = Holder(
        number + 1000, number, number, "openai", "gpt", "chat", key_id="key_1", user="ann\x00", team="web"
    )
    return Orphan(holder, nanos, POTS)


async def pots(kept: Opened) -> list[int]:
    """What each of POTS has spent."""
    found = await kept.ledger.uses(since=0)
    assert set(found) <= set(POTS)
    return [found.get(pot, 0) for pot in POTS]


async def told(kept: Opened, **asked: Any) -> list[tuple[str, int | None]]:
    return [(one.event, one.nanos) for one in await kept.ledger.movements(Which(), **asked)]


@each
def test_what_calls_have_used_is_added_up_with_them(backend: str, place: Path | str) -> None:
    """Of each pot by itself; a call of unknown cost counts as what was set aside; other budgets and times are not told."""

    @aio
    async def run() -> None:
        async with stores(backend, place) as kept:
            await asyncio.to_thread(kept.sink.write, batch(call(1), call(2, 30), call(3, None), call(4, 0)))
            await asyncio.to_thread(kept.sink.write, batch(call(5, 1)))
            assert await pots(kept) == [201, 201]
            assert dict(await kept.ledger.uses(since=0, budget="canal")) == {POTS[0]: 201}
            assert dict(await kept.ledger.uses(since=DAY)) == {POTS[1]: 201}
            prepaid = Use(9, "gift", "ann", FOREVER, 4)
            await asyncio.to_thread(
                kept.sink.write, Batch(journal="j", position=Position(1, 2), uses=[prepaid])
            )
            assert dict(await kept.ledger.uses(since=DAY + 1)) == {("gift", "ann", FOREVER): 4}

    run()


@each
def test_a_journal_that_is_read_twice_counts_once(backend: str, place: Path | str) -> None:
    """Of what an earlier process has left only what was not stored yet counts, however the pieces overlap."""

    @aio
    async def run() -> None:
        async with stores(backend, place) as kept:
            write = kept.sink.write
            await asyncio.to_thread(write, batch(call(1), call(2)))
            await asyncio.to_thread(write, batch(call(1), call(2), call(3), recovered=True))
            await asyncio.to_thread(write, batch(call(1), call(2), call(3), recovered=True))
            await asyncio.to_thread(write, batch(call(3), call(4), recovered=True))
            assert await pots(kept) == [280, 280]
            assert len(await told(kept)) == 4

    run()


@shared
def test_a_batch_that_may_have_been_stored_counts_once(backend: str, place: Path | str) -> None:
    """An error can come after the commit; then the same batch is written again. After that all is as before."""

    @aio
    async def run() -> None:
        async with stores(backend, place) as kept:
            again = batch(call(1), call(2))
            await asyncio.to_thread(kept.sink.write, again)
            broken = Batch(journal="j", position=Position(2**70, 0))
            with pytest.raises(Exception, match=r".+"):
                await asyncio.to_thread(kept.sink.write, broken)
            await asyncio.to_thread(kept.sink.write, again)
            assert await pots(kept) == [140, 140]
            await asyncio.to_thread(kept.sink.write, batch(call(3)))
            assert await pots(kept) == [210, 210]

    run()


@each
@pytest.mark.parametrize("recovered", [False, True])
def test_an_orphan_whose_record_turns_up_is_taken_back(
    backend: str, place: Path | str, *, recovered: bool
) -> None:
    """In either order, told any number of times: the call counts once, as what it has cost."""

    @aio
    async def run() -> None:
        async with stores(backend, place) as kept:
            write = kept.sink.write
            # The record first: there is nothing to be an orphan of.
            await asyncio.to_thread(write, batch(call(1)))
            assert await kept.ledger.orphaned([orphan(1), orphan(2)]) == 1
            assert await kept.ledger.orphaned([orphan(2), orphan(1)]) == 0
            assert await pots(kept) == [170, 170]
            # The orphan first; then its record, once and once more.
            await asyncio.to_thread(write, batch(call(2, 60), call(3, 5), recovered=recovered))
            assert await pots(kept) == [135, 135]
            await asyncio.to_thread(write, batch(call(2, 60), recovered=True))
            assert await kept.ledger.orphaned([orphan(2)]) == 0
            assert await pots(kept) == [135, 135]
            assert await told(kept) == [
                ("call:1001", 70),
                ("call:1002", 60),
                ("orphan:1002", 100),
                ("void:1002", -100),
                ("call:1003", 5),
            ]
            assert sum(nanos or 0 for _, nanos in await told(kept)) == 135

    run()


@each
def test_a_line_says_all_that_is_known(backend: str, place: Path | str) -> None:
    """Of calls what their records say, of entries what they say themselves."""

    @aio
    async def run() -> None:
        async with stores(backend, place) as kept:
            await asyncio.to_thread(kept.sink.write, batch(call(1, at_ns=50, purpose="shadow")))
            entry = Entry(
                event="reconcile:openai:2026-11-21:gpt:1",
                at_ns=60,
                kind="reconcile",
                nanos=-7,
                label="reconciled",
                provider="openai",
                model="gpt",
                note="of a bill\x00",
            )
            assert await kept.ledger.add([entry]) == 1
            await kept.ledger.orphaned([orphan(70)])
            whose: dict[str, Any] = {"feature": "chat", "key_id": "key_1", "user": "ann\x00", "team": "web"}
            first, second, third = await kept.ledger.movements(Which())
            assert first == Movement(
                at_ns=50,
                kind="call",
                nanos=70,
                label="exact",
                reserved_nanos=100,
                event="call:1001",
                attempt_id=1001,
                request_id=1,
                provider="openai",
                model="gpt-1",
                note="shadow",
                **whose,
            )
            assert second == Movement(
                at_ns=60,
                kind="reconcile",
                nanos=-7,
                label="reconciled",
                event=entry.event,
                provider="openai",
                model="gpt",
                note="of a bill\x00",
            )
            assert msgspec.structs.replace(third, note="") == Movement(
                at_ns=70,
                kind="orphan",
                nanos=100,
                label="estimated",
                event="orphan:1070",
                attempt_id=1070,
                request_id=70,
                provider="openai",
                model="gpt",
                **whose,
            )

    run()


@each
def test_only_what_is_meant_is_told(backend: str, place: Path | str) -> None:
    """By kind, by moment, by whose it is; an entry that does not say whose it is belongs to nobody."""

    @aio
    async def run() -> None:
        async with stores(backend, place) as kept:
            await asyncio.to_thread(kept.sink.write, batch(call(1), call(20, feature="mail")))
            await kept.ledger.add([Entry(event="deposit:a", at_ns=10, kind="deposit", nanos=-5)])
            await kept.ledger.orphaned([orphan(30)])
            assert [event for event, _ in await told(kept, kinds=["call"])] == ["call:1001", "call:1020"]
            assert await told(kept, kinds=["deposit", "orphan"]) == [("deposit:a", -5), ("orphan:1030", 100)]
            for which, count in (
                (Which(since_ns=10, until_ns=30), 2),
                (Which(only={"feature": "chat"}), 2),
                (Which(only={"feature": "mail"}), 1),
                (Which(only={"session": ""}), 2),
                (Which(only={"user": "ann\x00", "feature": "chat"}), 2),
            ):
                assert len(await kept.ledger.movements(which)) == count, which

    run()


@each
def test_pages_hold_every_line_once(backend: str, place: Path | str) -> None:
    """In order of time, then of the event byte by byte, whatever the page's size."""

    @aio
    async def run() -> None:
        async with stores(backend, place) as kept:
            calls = [call(number, at_ns=5 + number % 3) for number in range(8, 13)]
            await asyncio.to_thread(kept.sink.write, batch(*calls))
            names = ("B", "a", "b", "_", "call:", "call:10099", "ä")
            entries = [Entry(event=name, at_ns=6, kind="deposit", nanos=-1) for name in names]
            await kept.ledger.add(entries)
            whole = await told(kept)
            assert len(whole) == 12
            assert [one for one, _ in whole if one in names] == sorted(names)
            for limit in (1, 2, 5, 100):
                after, seen = (0, ""), list[str]()
                while page := await kept.ledger.movements(Which(), after=after, limit=limit):
                    assert len(page) <= limit
                    seen += [one.event for one in page]
                    after = (page[-1].at_ns, page[-1].event)
                assert seen == [event for event, _ in whole]

    run()


@each
def test_an_event_is_entered_once_and_audited_once(backend: str, place: Path | str) -> None:
    """A second time changes nothing and is no change, also where some of the entries are new."""

    @aio
    async def run() -> None:
        async with stores(backend, place) as kept:
            first = Entry(event="e1", at_ns=1, kind="reconcile", nanos=3)
            second = Entry(event="e2", at_ns=2, kind="reconcile", nanos=4)
            assert await kept.ledger.add([first], ENTRY) == 1
            assert await kept.ledger.add([msgspec.structs.replace(first, nanos=9)], ENTRY) == 0
            assert await kept.ledger.add([first, second], ENTRY) == 1
            assert await kept.ledger.add([], ENTRY) == 0
            assert await told(kept) == [("e1", 3), ("e2", 4)]
            assert len(await kept.audit.since(0, 10)) == 2

    run()


@each
def test_deposits_are_added_up(backend: str, place: Path | str) -> None:
    """By budget and whom they are for; what was taken out again is taken off."""

    @aio
    async def run() -> None:
        async with stores(backend, place) as kept:
            assert dict(await kept.ledger.deposits()) == {}
            made = [
                ("gift", "ann\x00", -50),
                ("gift", "ann\x00", 20),
                ("gift", "bob", -1),
                ("canal", "*", -7),
            ]
            await kept.ledger.add(
                [
                    Entry(event=f"d{n}", at_ns=n, kind="deposit", nanos=nanos, budget=budget, subject=subject)
                    for n, (budget, subject, nanos) in enumerate(made)
                ]
            )
            assert dict(await kept.ledger.deposits()) == {
                ("gift", "ann\x00"): 30,
                ("gift", "bob"): 1,
                ("canal", "*"): 7,
            }

    run()


@shared
def test_every_question_about_the_ledger_is_answered(backend: str, place: Path | str) -> None:
    """With nothing where all is well, and with what is wrong where something is."""

    @aio
    async def run() -> None:
        async with stores(backend, place) as kept:
            check = kept.ledger.check  # type: ignore[union-attr]
            for question in QUESTIONS:
                await check(question)
            await asyncio.to_thread(kept.sink.write, batch(call(1), call(2, None)))
            await kept.ledger.orphaned([orphan(3, 100)])
            await asyncio.to_thread(kept.sink.write, batch(call(3)))
            for question in FAULTS:
                assert [tuple(row) for row in await check(question)] == [], question
            assert [tuple(map(int, row)) for row in await check("requests")] == [(3, 140)]
            assert [tuple(map(int, row)) for row in await check("calls")] == [(3, 140, 0, 300, 1)]
            assert [tuple(row) for row in await check("entries")] == [("orphan", 1, 100), ("void", 1, -100)]
            assert [(row[0], int(row[1])) for row in await check("days")] == [(0, 240)]
            assert [(*row[:3], int(row[3]), row[4]) for row in await check("pots")] == [
                ("canal", MONTH, 1, 240, 240),
                ("people", DAY, 1, 240, 240),
            ]
            wrong = [
                call(4, cost_nanos=71),
                call(5, attempts=2),
                (call(6)[0], msgspec.structs.replace(call(6)[1], id=1005)),
            ]
            await asyncio.to_thread(kept.sink.write, batch(*wrong, uses=False))
            homeless = msgspec.structs.replace(call(7)[1], request_id=77)
            await asyncio.to_thread(
                kept.sink.write, Batch(journal="j", position=Position(1, 1), attempts=[homeless])
            )
            await kept.ledger.orphaned([orphan(8)])
            await asyncio.to_thread(kept.sink.write, batch(call(8), uses=False))
            await kept.ledger.add([Entry(event="void:9", attempt_id=9, at_ns=1, kind="void", nanos=-3)])
            found = {question: [tuple(map(int, row)) for row in await check(question)] for question in FAULTS}
            assert found == {
                "request_sums": [(4, 71, 70)],
                "request_attempts": [(5, 2, 1)],
                "twice": [(1005, 2, 0)],
                "homeless": [(1007, 77, 70)],
                "not_voided": [(1008, 100, 70)],
                "wrong_voids": [(9, -3, 0)],
            }

    run()


@pytest.mark.parametrize("backend", ["sqlite"])
def test_no_line_can_be_changed(backend: str, place: Path | str) -> None:
    """By whoever writes into the database by mistake."""

    @aio
    async def run() -> None:
        async with stores(backend, place) as kept:
            await kept.ledger.add([Entry(event="e1", at_ns=1, kind="deposit", nanos=3)])

    run()
    with closing(sqlite3.connect(Path(place) / "headgate.db")) as connection:
        for statement in ("UPDATE ledger_entry SET nanos = 0", "DELETE FROM ledger_entry"):
            with pytest.raises(sqlite3.IntegrityError, match="only ever added to"):
                connection.execute(statement)


@pytest.mark.parametrize("backend", [POSTGRES])
def test_no_line_can_be_changed_on_a_server_either(backend: str, place: Path | str) -> None:
    """Nor can all of them."""

    @aio
    async def run() -> None:
        async with stores(backend, place) as kept:
            await kept.ledger.add([Entry(event="e1", at_ns=1, kind="deposit", nanos=3)])
            assert isinstance(kept.database, postgres.Database)
            statements = (
                "UPDATE ledger_entry SET nanos = 0",
                "DELETE FROM ledger_entry",
                "TRUNCATE ledger_entry",
            )
            for statement in statements:
                with pytest.raises(StoreUnavailable, match="only ever added to"):

                    async def change(connection: Any, said: str = statement) -> None:
                        await connection.execute(said)

                    await kept.database.run(change)

    run()


@settings(max_examples=25, deadline=None)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["store", "recover", "orphan"]), st.lists(st.integers(1, 6), max_size=4)),
        max_size=12,
    )
)
def test_whatever_comes_twice_and_in_whatever_order_counts_once(tmp_path_factory: Any, steps: Any) -> None:
    """Each call that was heard of counts as its cost if its record is there, and as what was set aside if it is not."""

    @aio
    async def run(backend: str) -> None:
        async with stores(backend, tmp_path_factory.mktemp("ledger")) as kept:
            stored, orphans = set[int](), set[int]()
            for kind, numbers in steps:
                chosen = set(numbers)
                if kind == "orphan":
                    await kept.ledger.orphaned([orphan(number) for number in chosen])
                    orphans |= chosen
                    continue
                if kind == "store":
                    chosen -= stored
                rows = [call(number, 10 * number) for number in chosen]
                await asyncio.to_thread(kept.sink.write, batch(*rows, recovered=kind == "recover"))
                stored |= chosen
            wanted = sum(10 * number for number in stored) + 100 * len(orphans - stored)
            assert await pots(kept) == [wanted, wanted]
            assert sum(nanos or 0 for _, nanos in await told(kept)) == wanted

    run("memory")
    run("sqlite")


@pytest.mark.parametrize("backend", [POSTGRES])
def test_the_ledger_is_moved_whole(backend: str, place: Path | str, tmp_path: Path) -> None:
    """Calls, entries and pots, and the other engine goes on where the file ended."""

    @aio
    async def run() -> None:
        async with stores("sqlite", tmp_path) as old:
            await asyncio.to_thread(old.sink.write, batch(call(1), call(2, None)))
            await old.ledger.orphaned([orphan(3)])
            await old.ledger.add(
                [Entry(event="d", at_ns=9, kind="deposit", nanos=-5, budget="b", note="\x00")]
            )
            wanted = await old.ledger.movements(Which())
            assert len(wanted) == 4
        server, outlet = postgres.Database(str(place)), SqliteOutlet(Database(tmp_path / "headgate.db"))
        try:
            moved = await move(outlet, postgres.PostgresTarget(server), lambda *_: None)
        finally:
            outlet.close()
            await server.close()
        counts = {one.table: one.rows for one in moved}
        assert (counts["ledger_entry"], counts["budget_use"], counts["attempt"]) == (2, 2, 2)
        async with stores(backend, place) as new:
            assert await new.ledger.movements(Which()) == wanted
            assert await pots(new) == [270, 270]
            assert dict(await new.ledger.deposits()) == {("b", ""): 5}
            await asyncio.to_thread(new.sink.write, batch(call(3, 5)))
            assert await new.ledger.orphaned([orphan(4)]) == 1
            assert await pots(new) == [275, 275]

    run()
