"""Deliveries: tried, tried again, taken over, given up."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from headgate.alerts.courier import CLAIM_SECONDS, GIVE_UP_SECONDS, Courier, wait_after
from headgate.alerts.post import NotTaken
from headgate.alerts.receivers import Receiver, configured
from headgate.alerts.settings import AlertSettings
from headgate.stores.alerts import Alert, Delivery
from headgate.stores.backends.memory.alerts import MemoryAlerts
from headgate.testing.clock import FakeClock
from tests.support.aio import aio

__all__: list[str] = []

A, B = configured([AlertSettings(name=name, url=f"https://{name}.example/") for name in ("a", "b")])


class Scene:
    """A store, a clock, and senders whose outcome the test decides."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.store = MemoryAlerts()
        self.sent: list[str] = []
        self.outcomes: dict[str, list[object]] = {}
        """By receiver, in turn: an error to raise, words to return, or an event to wait for; then it is taken."""
        self.courier = self.node()

    def node(self, claim_seconds: float = CLAIM_SECONDS) -> Courier:
        return Courier(self.store, self.send, self.clock, ended=lambda: None, claim_seconds=claim_seconds)

    async def send(self, receiver: Receiver, alert: Alert) -> str:
        self.sent.append(f"{receiver.name} {alert.event}")
        outcome = self.outcomes.get(receiver.name, []).pop(0) if self.outcomes.get(receiver.name) else ""
        if isinstance(outcome, BaseException):
            raise outcome
        if isinstance(outcome, asyncio.Event):
            await outcome.wait()
            return ""
        return str(outcome)

    async def alert(self, event: str, receivers: Sequence[Receiver] = (A,)) -> None:
        now = self.clock.wall_ns()
        alert = Alert(event=event, kind="budget", subject="all", severity="info", at_ns=now, text="t")
        await self.store.add(alert, [each.id for each in receivers], now)

    async def round(self, courier: Courier | None = None, receivers: Sequence[Receiver] = (A, B)) -> None:
        courier = courier or self.courier
        await courier.round({each.id: each for each in receivers})
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    async def delivery(self, event: str) -> Delivery:
        (found,) = [told for told in await self.store.since(0, 100) if told.alert.event == event]
        return found.deliveries[0]


def test_what_is_due_is_delivered_once() -> None:
    """And is not tried again."""

    @aio
    async def run() -> None:
        scene = Scene()
        await scene.alert("e1", (A, B))
        await scene.round()
        await scene.courier.aclose(1)
        await scene.round()
        assert sorted(scene.sent) == ["a e1", "b e1"]
        assert (await scene.delivery("e1")).state == "delivered" and scene.courier.delivered == 2

    run()


def test_one_that_fails_waits_longer_each_time_and_is_given_up_after_a_day() -> None:
    """The reason of the last try is kept; the others are not held up."""
    assert [wait_after(tries) for tries in (1, 2, 3, 10, 11, 99)] == [5, 10, 20, 2560, 3600, 3600]

    @aio
    async def run() -> None:
        scene = Scene()
        scene.outcomes["a"] = [NotTaken(f"no {number}") for number in range(1000)]
        await scene.alert("e1", (A, B))
        waits, began = [], scene.clock.wall_ns()
        found = await scene.delivery("e1")
        while found.done_ns is None:
            await scene.round()
            found = await scene.delivery("e1")
            if found.done_ns is None:
                waits.append((found.next_ns - scene.clock.wall_ns()) / 1e9)
                scene.clock.advance(waits[-1])
        assert waits[:4] == [5, 10, 20, 40] and waits[-1] == 3600
        assert waits == sorted(waits)
        assert (
            found.state == "given up" and found.error == f"no {len(waits) - 1}" and found.tries == len(waits)
        )
        assert GIVE_UP_SECONDS <= (scene.clock.wall_ns() - began) / 1e9 <= GIVE_UP_SECONDS + 3600
        assert scene.courier.given_up == 1 and scene.courier.delivered == 1
        assert scene.sent.count("b e1") == 1

    run()


def test_what_a_dead_node_had_begun_is_begun_again_by_another_when_its_claim_is_over() -> None:
    """Not before; and what the dead one says later changes nothing."""

    @aio
    async def run() -> None:
        scene, other = Scene(), asyncio.Event()
        scene.outcomes["a"] = [other]
        await scene.alert("e1")
        await scene.round()
        second = scene.node()
        scene.clock.advance(CLAIM_SECONDS - 1)
        await scene.round(second)
        assert scene.sent == ["a e1"]
        scene.clock.advance(1)
        await scene.round(second)
        assert scene.sent == ["a e1", "a e1"] and second.delivered == 1
        done = await scene.delivery("e1")
        scene.clock.advance(10)
        other.set()
        await scene.courier.aclose(1)
        assert await scene.delivery("e1") == done

    run()


def test_a_receiver_that_hangs_does_not_hold_up_the_others() -> None:
    """A try has an end, and others have room beside it; it is told one thing at a time, in order."""

    @aio
    async def run() -> None:
        scene = Scene()
        scene.courier = scene.node(claim_seconds=0.1)
        scene.outcomes["a"] = [asyncio.Event() for _ in range(2)]
        for number in range(3):
            await scene.alert(f"e{number}", (A, B))
        await scene.round()
        assert scene.sent[:4] == ["a e0", "b e0", "b e1", "b e2"] and scene.courier.delivered == 3
        await scene.round()
        assert scene.sent[4:] == []
        await scene.courier.aclose(5)
        assert scene.sent[4:] == ["a e1", "a e2"]
        assert (await scene.delivery("e0")).error == "no answer within 0.05 s"
        assert (await scene.delivery("e2")).state == "delivered"

    run()


def test_what_cannot_be_tried_within_its_claim_is_left_for_the_next_one() -> None:
    """Another node could begin with it while we are still at it."""

    @aio
    async def run() -> None:
        scene = Scene()
        await scene.alert("e0")
        await scene.alert("e1")
        scene.outcomes["a"] = [slow := asyncio.Event()]
        await scene.round()
        scene.clock.advance(CLAIM_SECONDS / 2 + 1)
        slow.set()
        await scene.courier.aclose(1)
        assert scene.sent == ["a e0"]
        scene.clock.advance(CLAIM_SECONDS)
        await scene.round()
        await scene.courier.aclose(1)
        assert scene.sent == ["a e0", "a e1"]

    run()


def test_nobody_is_told_of_what_this_node_does_not_know() -> None:
    """A node with an older configuration leaves it to the others; at last it is given up."""

    @aio
    async def run() -> None:
        scene = Scene()
        await scene.alert("e1", (B,))
        await scene.round(receivers=(A,))
        await scene.round(receivers=())
        assert scene.sent == []
        scene.clock.advance(GIVE_UP_SECONDS + 1)
        await scene.round(receivers=())
        assert (await scene.delivery("e1")).state == "given up"

    run()


def test_a_mistake_of_ours_is_a_failed_try() -> None:
    """And what a receiver adds to having taken it is kept."""

    @aio
    async def run() -> None:
        scene = Scene()
        scene.outcomes["a"] = [RuntimeError("oh\nno"), "not for bob"]
        await scene.alert("e1")
        await scene.round()
        assert (await scene.delivery("e1")).error == "RuntimeError: oh no"
        scene.clock.advance(5)
        await scene.round()
        found = await scene.delivery("e1")
        assert (found.state, found.error) == ("delivered", "not for bob")

    run()
