"""Copies of requests for another model: which, when, how many, and that nobody notices."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import pytest

from headgate.core.errors import InternalFault, ProviderFailed, ShuttingDown, TotalTimeout, UpstreamCut
from headgate.core.frame import Frame
from headgate.core.ids import request_id_text, trace_id
from headgate.core.messages import Answer, ChatRequest
from headgate.core.section import Duration
from headgate.dispatch.shadow import Shadows, ShadowSettings, copy_of, sampled
from headgate.exchange.caller import Caller
from headgate.exchange.exchange import Exchange
from headgate.exchange.reply import Reply, whole
from tests.support.aio import aio
from tests.support.exchanges import Desk, closed

__all__: list[str] = []

ALL = ShadowSettings(model="large", share=1.0)


class Frames:
    """A stream that says whether it was read and closed."""

    def __init__(self, *ends: object) -> None:
        self.ends = list(ends)
        self.closed = False

    def __aiter__(self) -> AsyncIterator[Frame]:
        return self

    async def __anext__(self) -> Frame:
        await asyncio.sleep(0)
        if not self.ends:
            raise StopAsyncIteration
        following = self.ends.pop(0)
        if isinstance(following, Exception):
            raise following
        return Frame(b"x", [])

    async def aclose(self) -> None:
        self.closed = True


class Journey:
    """Where copies arrive; answers when it is let."""

    def __init__(self, answer: Reply | Exception | None = None) -> None:
        self.copies: list[Exchange] = []
        self.closed: list[Exchange] = []
        self.answer = answer or whole(Answer())
        self.open = asyncio.Event()
        self.open.set()

    async def __call__(self, exchange: Exchange) -> Reply:
        self.copies.append(exchange)
        exchange.on_close(lambda: self.closed.append(exchange))
        await self.open.wait()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Theatre:
    """Shadows over a journey, and requests that are answered."""

    def __init__(
        self, settings: ShadowSettings | None = ALL, answer: Reply | Exception | None = None
    ) -> None:
        self.desk = Desk()
        self.journey = Journey(answer)
        self.shadows = Shadows(self.journey, self.desk.ids, self.desk.clock, lambda _feature: settings)

    async def answered(self, **more: Any) -> Exchange:
        """A request that was answered, handed over and closed."""
        exchange = self.desk.exchange()
        exchange.feature = "support-chat"
        exchange.reply = whole(Answer())
        for name, value in more.items():
            setattr(exchange, name, value)
        self.shadows.after(exchange)
        assert len(self.journey.copies) == len(self.journey.closed)
        await closed(exchange)
        return exchange

    async def settle(self) -> None:
        """Let copies get on."""
        for _ in range(20):
            await asyncio.sleep(0)


@aio
async def test_a_copy_begins_only_when_the_answer_was_handed_over() -> None:
    """Nobody waits for it, not even for its beginning."""
    theatre = Theatre()
    exchange = theatre.desk.exchange()
    theatre.shadows.after(exchange)
    exchange.reply = whole(Answer())
    await theatre.settle()
    assert theatre.journey.copies == []
    assert exchange.close() is None
    assert theatre.journey.copies == []
    await theatre.settle()
    assert len(theatre.journey.copies) == len(theatre.journey.closed) == 1


@aio
async def test_a_copy_is_the_same_request_for_another_model() -> None:
    """Same words and rules, own id, a mark; in the same trace, and without the key that paid for the original."""
    theatre = Theatre()
    original = await theatre.answered(tags={"a": "b"}, user="ann", session="s1")
    await theatre.settle()
    (copy,) = theatre.journey.copies
    assert copy.id != original.id and copy.purpose == "shadow"
    assert (copy.body, copy.headers, copy.dialect) == (original.body, original.headers, original.dialect)
    assert (copy.peek.model, original.peek.model) == ("large", "small")
    assert (copy.feature, copy.user, copy.session) == ("support-chat", "ann", "s1")
    assert copy.tags == {"a": "b", "shadow_of": request_id_text(original.id)}
    assert copy.trace_parent == f"00-{trace_id(original.id)}-{original.id:016x}-01"
    assert copy.caller == Caller("", "shadow", team="canal", tenant="acme")
    assert theatre.shadows.sent == 1


def test_a_copy_joins_the_trace_its_caller_began() -> None:
    """Below the original's span."""
    desk = Desk()
    exchange = desk.exchange(known=False)
    exchange.trace_parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    copy = copy_of(exchange, "large", 5, desk.clock)
    assert copy.trace_parent == f"00-4bf92f3577b34da6a3ce929d0e0e4736-{exchange.id:016x}-01"
    assert copy.caller is None


def test_a_copy_says_what_was_really_asked() -> None:
    """If a stage has changed the request, the copy is of the changed one."""
    desk = Desk()
    exchange = desk.exchange()
    changed = ChatRequest(model="small", messages=[])
    exchange.edit(changed)
    copy = copy_of(exchange, "large", 5, desk.clock)
    assert copy.edited and copy.request is changed


@pytest.mark.parametrize(
    "more",
    [
        {"purpose": "shadow"},
        {"hung_up": True},
        {"error": ProviderFailed("no")},
        {"reply": None},
        {"degraded": "say"},
    ],
    ids=str,
)
@aio
async def test_there_is_no_copy_of_what_is_nothing_to_compare_with(more: dict[str, Any]) -> None:
    """Copies themselves, answers that nobody waited for, that broke off, or that no model gave."""
    theatre = Theatre()
    await theatre.answered(**more)
    await theatre.settle()
    assert theatre.journey.copies == []


@aio
async def test_without_settings_there_is_no_copy() -> None:
    """Most features have none."""
    theatre = Theatre(None)
    await theatre.answered()
    await theatre.settle()
    assert theatre.journey.copies == []


@pytest.mark.parametrize("share", [0.05, 0.5, 1.0])
def test_the_share_is_kept_and_the_lot_is_always_the_same(share: float) -> None:
    """Ids come one after the other; the lots do not."""
    desk = Desk()
    ids = []
    for _ in range(20_000):
        desk.clock.advance(0.0007)
        ids.append(desk.ids.next())
    drawn = [sampled(one, share) for one in ids]
    assert abs(sum(drawn) / len(drawn) - share) < 0.01
    assert drawn == [sampled(one, share) for one in ids]
    runs = sum(one != other for one, other in pairwise(drawn))
    assert abs(runs / len(drawn) - 2 * share * (1 - share)) < 0.02


@aio
async def test_too_many_copies_are_left_out_and_counted(caplog: pytest.LogCaptureFixture) -> None:
    """The request path never queues for them; the log says so once a minute."""
    theatre = Theatre(ShadowSettings(model="large", share=1.0, most=2))
    theatre.journey.open.clear()
    with caplog.at_level(logging.WARNING, logger="headgate.shadow"):
        for _ in range(5):
            exchange = theatre.desk.exchange()
            exchange.reply = whole(Answer())
            theatre.shadows.after(exchange)
            await closed(exchange)
        await theatre.settle()
        assert (len(theatre.journey.copies), theatre.shadows.dropped) == (2, 3)
        assert len(caplog.records) == 1
    theatre.journey.open.set()
    await theatre.settle()
    await theatre.answered()
    await theatre.settle()
    assert len(theatre.journey.copies) == 3


@aio
async def test_a_stream_is_read_to_its_end_and_closed() -> None:
    """Its usage comes last."""
    frames = Frames(1, 2, 3)
    theatre = Theatre(answer=Reply(wire="w", frames=frames))
    await theatre.answered()
    await theatre.settle()
    assert frames.ends == [] and frames.closed
    assert theatre.journey.closed[0].error is None and theatre.journey.closed[0].reply is not None


@pytest.mark.parametrize("late", [False, True], ids=["at once", "in the middle"])
@aio
async def test_a_copy_that_fails_fails_alone(late: bool) -> None:
    """Its record says how; the request it is a copy of was long answered."""
    broke = UpstreamCut(detail="x")
    frames = Frames(1, broke)
    theatre = Theatre(answer=Reply(wire="w", frames=frames) if late else broke)
    await theatre.answered()
    await theatre.settle()
    assert theatre.journey.closed[0].error is broke
    assert frames.closed == late


@aio
async def test_a_bug_on_the_way_is_logged_and_recorded(caplog: pytest.LogCaptureFixture) -> None:
    """As for any request."""
    theatre = Theatre(answer=KeyError("oh"))
    await theatre.answered()
    await theatre.settle()
    assert isinstance(theatre.journey.closed[0].error, InternalFault)
    assert "failed inside Headgate" in caplog.text


@aio
async def test_a_copy_that_takes_too_long_is_given_up() -> None:
    """And makes room for others."""
    theatre = Theatre(ShadowSettings(model="large", share=1.0, most=1, total=Duration(0.01)))
    theatre.journey.open.clear()
    await theatre.answered()
    while not theatre.journey.closed:
        await asyncio.sleep(0.001)
    assert isinstance(theatre.journey.closed[0].error, TotalTimeout)
    await theatre.answered()
    assert theatre.shadows.dropped == 0


@aio
async def test_stopping_gives_up_what_is_under_way_and_records_it() -> None:
    """Afterwards no copy begins."""
    theatre = Theatre()
    theatre.journey.open.clear()
    await theatre.answered()
    await theatre.settle()
    await theatre.shadows.aclose()
    assert isinstance(theatre.journey.closed[0].error, ShuttingDown)
    exchange = theatre.desk.exchange()
    exchange.reply = whole(Answer())
    theatre.shadows.after(exchange)
    await closed(exchange)
    assert len(theatre.journey.copies) == 1 and theatre.shadows.dropped == 0
