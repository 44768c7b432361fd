"""A stream whose terminal mark has come: is there still somebody to take leave of?"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Any

import pytest

from headgate.core.errors import UpstreamCut
from headgate.core.frame import Frame
from headgate.dispatch.streaming import StreamedAnswer
from headgate.providers.port import Headers, Timeouts
from headgate.providers.transport.reply import HttpReply
from headgate.providers.wires.openai_chat import OpenAIChat
from tests.support.aio import aio
from tests.support.chat_wire import DONE, content, finish, usage
from tests.support.exchanges import Desk

__all__: list[str] = []

SAID = [content("one "), content("two"), finish(), usage()]


class Line:
    """The connection of a reply."""

    peer = "host:1"

    def __init__(self) -> None:
        self.come = b""
        self.abandoned = False
        self.sink: Callable[[bytes | None], None] | None = None
        self.waiting: list[asyncio.Future[None]] = []

    def take(self) -> bytes:
        data, self.come = self.come, b""
        return data

    def arrival(self, within: float) -> asyncio.Future[None]:
        arrived: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waiting.append(arrived)
        return arrived

    def relay(self, sink: Callable[[bytes | None], None] | None, within: float) -> None:
        self.sink = sink

    def abandon(self) -> None:
        self.abandoned = True


class Streaming:
    """A stream under way, its first word held."""

    def __init__(self) -> None:
        self.line = Line()
        source: Any = self.line
        self.reply = HttpReply(200, Headers(), source, None, 5.0)
        desk = Desk()
        self.exchange = desk.exchange(stream=True)
        self.exchange.peek.include_usage = True
        self.attempt = desk.attempt(self.exchange)
        self.attempt.started_at = monotonic()
        self.stream = StreamedAnswer(self.exchange, self.attempt, self.reply, OpenAIChat(), Timeouts())
        self.frames: list[Frame] = []

    async def begin(self) -> None:
        self.line.come = SAID[0]
        await self.stream.until_content()

    def deliver(self, frame: Frame) -> bool:
        self.frames.append(frame)
        return True

    async def pumped(self, then: Callable[[], None]) -> bool:
        """Pump while `then` happens, and to the end of that."""
        task = asyncio.create_task(self.stream.pump(self.deliver))
        await asyncio.sleep(0)
        then()
        return await task

    @property
    def data(self) -> bytes:
        return b"".join(frame.data or b"" for frame in self.frames)


@aio
@pytest.mark.parametrize("apart", [False, True])
async def test_a_body_that_has_ended_is_left_at_once(apart: bool) -> None:
    """Mark and end of body came together: nothing is waited for at the end of the exchange, nothing is given up."""
    way = Streaming()
    await way.begin()

    def end() -> None:
        if apart:
            for piece in SAID[1:]:
                assert way.line.sink is not None
                way.line.sink(piece)
        sink = way.line.sink
        way.reply.finished(DONE if apart else b"".join([*SAID[1:], DONE]))
        assert sink is not None
        sink(None)

    assert await way.pumped(end)
    assert way.exchange.close() is None and not way.line.abandoned
    assert way.data == b"".join([*SAID, DONE])
    assert way.attempt.error is None and way.attempt.complete
    assert way.attempt.usage is not None and way.attempt.usage.output == 7


@aio
async def test_a_body_that_has_not_ended_is_waited_for_when_the_exchange_is_over() -> None:
    """The end comes in a packet of its own: its connection is kept."""
    way = Streaming()
    await way.begin()

    def mark() -> None:
        for piece in [*SAID[1:], DONE]:
            assert way.line.sink is not None
            way.line.sink(piece)
        # More than there should be, and still no end.
        way.line.come = b"\n"

    assert await way.pumped(mark)
    farewell = way.exchange.close()
    assert farewell is not None

    async def leave() -> None:
        await farewell

    task = asyncio.create_task(leave())
    while not way.line.waiting:
        await asyncio.sleep(0)
    way.reply.finished(b"")
    way.line.waiting.pop().set_result(None)
    await task
    assert not way.line.abandoned and way.attempt.complete and way.data == b"".join([*SAID, DONE])


@aio
async def test_what_breaks_behind_the_mark_breaks_nothing() -> None:
    """All was said: the attempt has ended well."""
    way = Streaming()
    await way.begin()

    def end() -> None:
        sink = way.line.sink
        way.reply.broken(b"".join([*SAID[1:], DONE]), UpstreamCut(detail="reset"))
        assert sink is not None
        sink(None)

    assert await way.pumped(end)
    assert way.exchange.close() is None
    assert way.attempt.error is None and way.attempt.complete


@aio
async def test_who_was_asked_for_each_piece_is_waited_for() -> None:
    """It may not be able to say what is there without waiting."""
    way = Streaming()
    await way.begin()
    way.reply.finished(b"".join([*SAID[1:], DONE]))
    frames = [frame async for frame in way.stream]
    assert b"".join(frame.data or b"" for frame in frames) == b"".join([*SAID, DONE])
    farewell = way.exchange.close()
    assert farewell is not None
    await farewell
    assert not way.line.abandoned and way.attempt.complete
