"""What rooms tell is kept and delivered, whatever the database and the receivers do."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Collection
from decimal import Decimal

import pytest

from headgate.alerts import telling
from headgate.alerts.receivers import Receiver, configured
from headgate.alerts.settings import AlertOnlySettings, AlertSettings, SpendRateSettings
from headgate.alerts.telling import Alerting
from headgate.core.clock import SystemClock
from headgate.stores.alerts import Alert, AlertSink, ReceiverRecord
from headgate.stores.backends.memory import MemorySpans
from headgate.stores.backends.memory.alerts import MemoryAlerts
from headgate.stores.errors import StoreUnavailable
from tests.support.aio import aio

__all__: list[str] = []

OPS = AlertSettings(name="ops", url="https://ops.example/")


class Fragile(MemoryAlerts):
    """A store that may be away."""

    away = False

    async def add(self, alert: Alert, receivers: Collection[str], now_ns: int) -> bool:
        if self.away:
            raise StoreUnavailable("gone")
        return await super().add(alert, receivers, now_ns)


class Node:
    """One alerting over a store, and what it sent."""

    def __init__(
        self, store: MemoryAlerts, *settings: AlertSettings, spend: SpendRateSettings | None = None
    ) -> None:
        self.sent: list[tuple[str, str]] = []
        self.alerting = Alerting(
            store, MemorySpans(), self.send, SystemClock(), self.secret, look_seconds=0.02, spend_seconds=0.01
        )
        self.sink: AlertSink = self.alerting
        self.alerting.use(configured(settings), spend or SpendRateSettings())

    async def send(self, receiver: Receiver, alert: Alert) -> str:
        self.sent.append((receiver.name, alert.event))
        return ""

    async def secret(self) -> bytes:
        return b"installation"


async def until(happened: Callable[[], object]) -> None:
    while not happened():
        await asyncio.sleep(0.005)


def alert(event: str, subject: str = "all") -> Alert:
    now = SystemClock().wall_ns()
    return Alert(event=event, kind="budget", subject=subject, severity="warning", at_ns=now, text="t")


def test_an_event_is_told_once_to_everybody_who_wants_it() -> None:
    """Also if it was told before the start, by two nodes, or again."""

    @aio
    async def run() -> None:
        store = MemoryAlerts()
        shop = AlertSettings(name="shop", url="https://s.example/", only=AlertOnlySettings(feature=["shop"]))
        one, two = Node(store, OPS, shop), Node(store, OPS, shop)
        one.sink.tell(alert("e1"))
        one.alerting.start()
        two.alerting.start()
        for node in (one, two, one):
            node.sink.tell(alert("e1"))
            node.sink.tell(alert("e2", "feature:shop"))
        await until(lambda: len(one.sent + two.sent) >= 3)
        await one.alerting.aclose()
        await two.alerting.aclose()
        assert sorted(one.sent + two.sent) == [("ops", "e1"), ("ops", "e2"), ("shop", "e2")]
        assert one.alerting.kept + two.alerting.kept == 2

    run()


def test_telling_never_waits_and_may_be_done_from_any_thread() -> None:
    """The record writer is one."""

    @aio
    async def run() -> None:
        node = Node(MemoryAlerts(), OPS)
        node.alerting.start()

        def tell(part: int) -> None:
            for number in range(20):
                node.sink.tell(alert(f"{part}/{number}"))

        threads = [threading.Thread(target=tell, args=(part,)) for part in range(4)]
        for thread in threads:
            thread.start()
        await until(lambda: len(node.sent) == 80)
        for thread in threads:
            thread.join()
        await node.alerting.aclose()

    run()


def test_while_the_database_is_away_alerts_wait_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is beyond it is counted, and may be told again."""
    monkeypatch.setattr(telling, "MOST_WAITING", 3)

    @aio
    async def run() -> None:
        store = Fragile()
        store.away = True
        node = Node(store, OPS)
        node.alerting.start()
        for number in range(5):
            node.sink.tell(alert(f"e{number}"))
        assert node.alerting.dropped == 2 and node.sent == []
        store.away = False
        await until(lambda: len(node.sent) == 3)
        node.sink.tell(alert("e4"))
        await until(lambda: len(node.sent) == 4)
        await node.alerting.aclose()
        assert [event for _, event in node.sent] == ["e0", "e1", "e2", "e4"]

    run()


def test_one_that_cannot_be_kept_is_not_in_the_way_of_the_others(caplog: pytest.LogCaptureFixture) -> None:
    """It is counted as lost, and the log says why."""

    @aio
    async def run() -> None:
        class Picky(MemoryAlerts):
            async def add(self, alert: Alert, receivers: Collection[str], now_ns: int) -> bool:
                if alert.event == "e1":
                    raise UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed")
                return await super().add(alert, receivers, now_ns)

        node = Node(Picky(), OPS)
        for event in ("e1", "e2"):
            node.sink.tell(alert(event))
        node.alerting.start()
        await until(lambda: node.sent)
        await node.alerting.aclose()
        assert node.sent == [("ops", "e2")] and node.alerting.dropped == 1

    run()
    assert "an alert about budget is lost" in caplog.text


def test_what_was_told_last_is_kept_when_it_stops_and_delivered_after_the_next_start() -> None:
    """By whoever starts."""

    @aio
    async def run() -> None:
        store = MemoryAlerts()
        node = Node(store, OPS)
        node.sink.tell(alert("e1"))
        await node.alerting.aclose()
        assert node.sent == []
        (told,) = await store.since(0, 10)
        assert [each.receiver for each in told.deliveries] == ["file:ops"]
        node.sink.tell(alert("e2"))
        after = Node(store, OPS)
        after.alerting.start()
        await until(lambda: after.sent)
        await after.alerting.aclose()
        assert after.sent == [("ops", "e1")]

    run()


def test_receivers_that_are_added_count_soon_and_those_that_are_taken_away_too() -> None:
    """From the table, and from a changed configuration."""

    @aio
    async def run() -> None:
        store = MemoryAlerts()
        node = Node(store)
        node.alerting.start()
        await store.add_receiver(
            ReceiverRecord(
                name="ann", created_ns=1, kind="webhook", address="https://a.example/", subject="user:ann"
            )
        )
        await store.add_receiver(
            ReceiverRecord(name="bob", created_ns=1, kind="email", address="bob@example.com")
        )
        await until(lambda: "added:ann" in node.alerting._receivers)
        node.sink.tell(alert("e1", "user:ann"))
        node.sink.tell(alert("e2", "user:bob"))
        await until(lambda: node.sent)
        node.alerting.use(configured([OPS]), SpendRateSettings())
        node.sink.tell(alert("e3", "user:ann"))
        await until(lambda: len(node.sent) == 3)
        await store.remove_receiver("ann", 0)
        await until(lambda: "added:ann" not in node.alerting._receivers)
        node.sink.tell(alert("e4", "user:ann"))
        await until(lambda: ("ops", "e4") in node.sent)
        await node.alerting.aclose()
        assert sorted(node.sent) == [("ann", "e1"), ("ann", "e3"), ("ops", "e3"), ("ops", "e4")]

    run()


def test_nobody_looks_at_spending_unless_somebody_is_told_of_it() -> None:
    """Nor when it is turned off."""

    @aio
    async def run() -> None:
        for settings, spend, looks in (
            ((), SpendRateSettings(), False),
            (
                (AlertSettings(name="b", url="https://b.example/", about=["budget"]),),
                SpendRateSettings(),
                False,
            ),
            ((OPS,), SpendRateSettings(factor=Decimal(0)), False),
            ((OPS,), SpendRateSettings(), True),
        ):
            node = Node(MemoryAlerts(), *settings, spend=spend)
            looked = asyncio.Event()

            async def look(_: object, looked: asyncio.Event = looked) -> bool:
                looked.set()
                return True

            node.alerting._watch.look = look  # type: ignore[method-assign,assignment]
            node.alerting.start()
            await asyncio.sleep(0.05)
            assert looked.is_set() == looks
            await node.alerting.aclose()

    run()
