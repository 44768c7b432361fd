"""What every store of alerts and of receivers promises; run on each backend."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from headgate.stores.alerts import Alert, Alerts, Claimed, Delivery, ReceiverRecord
from headgate.stores.audit import AuditEntry, AuditLog
from headgate.stores.backends import postgres, sqlite
from headgate.stores.backends.memory import MemoryAudit
from headgate.stores.backends.memory.alerts import MemoryAlerts
from headgate.stores.backends.postgres.alerts import PostgresAlerts
from headgate.stores.backends.sqlite.alerts import SqliteAlerts
from headgate.stores.errors import ReceiverExists
from tests.support.aio import aio
from tests.support.stores import BACKENDS, SHARED

__all__: list[str] = []

ALERT = Alert(
    event="budget/monthly/feature:shop/0/0.8",
    kind="budget",
    subject="feature:shop",
    severity="warning",
    at_ns=100,
    text="Feature `shop` has spent 80 % of its budget\x00\x1a, „monthly“.",
    facts={"feature": "shop", "fraction": 0.8, "limit_usd": 10, "note": "a\x00b"},
)
OTHER = Alert(
    event="spend_rate/all/1", kind="spend_rate", subject="all", severity="critical", at_ns=200, text="Much."
)
ADDED = ReceiverRecord(
    name="ann",
    created_ns=5,
    kind="email",
    address="ann@example.com",
    subject="user:ann",
    about=("budget",),
    least="warning",
    via="ops",
    note="asked for it",
)
CHANGE = AuditEntry(at_ns=1, actor="test", action="receiver.add", subject="ann")


@asynccontextmanager
async def opened(backend: str, place: Path | str) -> AsyncIterator[tuple[Alerts, AuditLog]]:
    if backend == "memory":
        log = MemoryAudit()
        yield MemoryAlerts(log), log
    elif backend == "sqlite":
        file = sqlite.Database(Path(place) / "headgate.db")
        yield SqliteAlerts(file), sqlite.SqliteAudit(file)
        await file.close()
    else:
        server = postgres.Database(str(place))
        yield PostgresAlerts(server), postgres.PostgresAudit(server)
        await server.close()


every = pytest.mark.parametrize("backend", BACKENDS)
shared = pytest.mark.parametrize("backend", SHARED)


def names(claimed: list[Claimed] | tuple[Claimed, ...]) -> list[tuple[str, str]]:
    return [(each.alert.event, each.delivery.receiver) for each in claimed]


async def claim(store: Alerts, *receivers: str, now: int, until: int = 10_000, limit: int = 10):
    return list(await store.claim(receivers, now_ns=now, until_ns=until, limit=limit))


@every
def test_an_event_is_kept_once_and_comes_back_whole(backend: str, place: Path | str) -> None:
    """Also with what databases do not like in texts; the second time neither alert nor deliveries are kept."""

    @aio
    async def run() -> None:
        async with opened(backend, place) as (store, _):
            assert await store.add(ALERT, ["file:b", "file:a"], 50)
            assert not await store.add(replace(ALERT, text="again"), ["file:c"], 60)
            assert await store.add(OTHER, [], 60)
            first, second = await store.since(0, 10)
            assert first.alert == ALERT and second.alert == OTHER
            assert [each.receiver for each in first.deliveries] == ["file:a", "file:b"]
            assert [each.state for each in first.deliveries] == ["waiting", "waiting"]
            assert second.deliveries == ()

    run()


@every
def test_the_newest_alerts_are_shown_oldest_first(backend: str, place: Path | str) -> None:
    """Up to a limit, from a moment on."""

    @aio
    async def run() -> None:
        async with opened(backend, place) as (store, _):
            for number in range(5):
                await store.add(replace(ALERT, event=f"e{number}", at_ns=100 + number), [], 0)
            assert [each.alert.event for each in await store.since(0, 2)] == ["e3", "e4"]
            assert [each.alert.event for each in await store.since(102, 10)] == ["e2", "e3", "e4"]

    run()


@every
def test_the_latest_of_a_kind_is_known_for_each_subject(backend: str, place: Path | str) -> None:
    """So that everybody knows what state somebody was told of last."""

    @aio
    async def run() -> None:
        async with opened(backend, place) as (store, _):
            for number, subject in enumerate(["all", "feature:a", "all"], 1):
                await store.add(replace(OTHER, event=f"e{number}", subject=subject), [], 0)
            await store.add(ALERT, [], 0)
            latest = await store.latest("spend_rate")
            assert {subject: each.event for subject, each in latest.items()} == {
                "all": "e3",
                "feature:a": "e2",
            }
            assert await store.latest("nothing") == {}

    run()


@every
def test_a_delivery_is_claimed_by_one_until_its_time_is_over(backend: str, place: Path | str) -> None:
    """Only what is due, only for receivers that are known, the longest due first; then others may take it over."""

    @aio
    async def run() -> None:
        async with opened(backend, place) as (store, _):
            await store.add(OTHER, ["file:a"], 30)
            await store.add(ALERT, ["file:a", "file:b"], 20)
            assert await claim(store, "file:a", now=19) == []
            assert await claim(store, now=50) == []
            first = await claim(store, "file:a", now=50, until=90)
            assert names(first) == [(ALERT.event, "file:a"), (OTHER.event, "file:a")]
            assert first[0].alert == ALERT
            assert first[0].delivery == Delivery(receiver="file:a", tries=1, next_ns=90)
            assert await claim(store, "file:a", now=89) == []
            assert names(await claim(store, "file:a", "file:b", now=89)) == [(ALERT.event, "file:b")]
            again = await claim(store, "file:a", now=90, limit=1)
            assert len(again) == 1 and again[0].delivery.tries == 2

    run()


@every
def test_what_came_of_a_try_counts_unless_another_has_tried_since(backend: str, place: Path | str) -> None:
    """A node that was taken for dead does not undo what the next one did."""

    @aio
    async def run() -> None:
        async with opened(backend, place) as (store, _):
            await store.add(ALERT, ["file:a"], 0)
            (late,) = await claim(store, "file:a", now=1, until=10)
            (mine,) = await claim(store, "file:a", now=10, until=20)
            done = replace(late.delivery, done_ns=11)
            assert not await store.settle(late, done)
            assert await store.settle(mine, replace(mine.delivery, next_ns=40, error="HTTP 500"))
            (told,) = await store.since(0, 1)
            assert told.deliveries == (Delivery(receiver="file:a", tries=2, next_ns=40, error="HTTP 500"),)
            assert await claim(store, "file:a", now=39) == []
            (last,) = await claim(store, "file:a", now=40, until=60)
            assert await store.settle(last, replace(last.delivery, done_ns=41, error=""))
            assert not await store.settle(last, replace(last.delivery, done_ns=42, failed=True))
            (told,) = await store.since(0, 1)
            assert told.deliveries[0].state == "delivered" and told.deliveries[0].done_ns == 41
            assert await claim(store, "file:a", now=1000) == []

    run()


@every
def test_what_is_too_old_is_given_up_unless_somebody_is_trying(backend: str, place: Path | str) -> None:
    """By the moment of the alert; it stays on the list."""

    @aio
    async def run() -> None:
        async with opened(backend, place) as (store, _):
            await store.add(ALERT, ["file:a", "file:b"], 0)
            await store.add(OTHER, ["file:a"], 0)
            await claim(store, "file:b", now=1, until=500)
            assert await store.give_up(150, 300) == 1
            first, second = await store.since(0, 5)
            assert [each.state for each in first.deliveries] == ["given up", "waiting"]
            assert first.deliveries[0].done_ns == 300
            assert second.deliveries[0].state == "waiting"

    run()


@every
def test_receivers_come_and_go_with_an_entry_in_the_log(backend: str, place: Path | str) -> None:
    """A name is given once while it is there; what failed leaves no entry."""

    @aio
    async def run() -> None:
        async with opened(backend, place) as (store, log):
            await store.add_receiver(ADDED, CHANGE)
            bob = ReceiverRecord(name="bob", created_ns=4, kind="slack", address="https://example.com/x")
            await store.add_receiver(bob)
            assert list(await store.receivers()) == [bob, ADDED]
            with pytest.raises(ReceiverExists, match="ann"):
                await store.add_receiver(replace(bob, name="ann"), CHANGE)
            gone = replace(CHANGE, action="receiver.remove")
            assert await store.remove_receiver("ann", 9, gone)
            assert not await store.remove_receiver("ann", 9, gone)
            assert list(await store.receivers()) == [bob]
            await store.add_receiver(replace(ADDED, created_ns=10))
            assert [each.action for each in await log.since(0, 10)] == ["receiver.add", "receiver.remove"]

    run()


@every
def test_a_receiver_that_is_removed_is_told_nothing_any_more(backend: str, place: Path | str) -> None:
    """Also not under a later receiver of the same name, who may be somebody else."""

    @aio
    async def run() -> None:
        async with opened(backend, place) as (store, _):
            await store.add_receiver(ADDED)
            await store.add(ALERT, ["added:ann", "file:ann"], 0)
            await store.remove_receiver("ann", 9)
            await store.add_receiver(ADDED)
            assert names(await claim(store, "added:ann", "file:ann", now=10)) == [(ALERT.event, "file:ann")]
            (told,) = await store.since(0, 1)
            assert [each.state for each in told.deliveries] == ["given up", "waiting"]

    run()


@shared
def test_of_many_nodes_one_keeps_the_event_and_each_delivery_has_one_taker(
    backend: str, place: Path | str
) -> None:
    """All at the same moment, from connections of their own."""

    @aio
    async def run() -> None:
        async with opened(backend, place) as (one, _), opened(backend, place) as (two, _):
            nodes = [one, two] * 4
            added = await asyncio.gather(*(each.add(ALERT, [f"file:{i}"], 0) for i, each in enumerate(nodes)))
            assert sum(added) == 1
            for number in range(20):
                await one.add(replace(OTHER, event=f"e{number}"), ["file:x"], 0)
            found = await asyncio.gather(*(claim(each, "file:x", now=5, limit=4) for each in nodes))
            taken = [name for each in found for name in names(each)]
            assert len(taken) == len(set(taken)) >= 4

    run()
