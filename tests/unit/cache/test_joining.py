"""One call for all who ask the same at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from headgate.cache import readers
from headgate.cache.flight import MOST_READERS, Flight, LeaderFailed
from headgate.core.errors import GatewayError, ProviderFailed, RequestTooSlow, UpstreamCut
from headgate.core.events import AnswerBuilder, Begin, End, Event, Stop, TextDelta, UsageReport
from headgate.core.frame import Frame
from headgate.core.messages import Answer, Choice, Text
from headgate.core.usage import Usage
from headgate.exchange.exchange import Exchange
from headgate.exchange.reply import Reply
from tests.support.aio import aio
from tests.support.exchanges import Desk, closed

__all__: list[str] = []

Piece = Event | asyncio.Event | GatewayError


class Source:
    """A provider's stream: says its pieces in order, waits at events, raises errors."""

    def __init__(self, *pieces: Piece) -> None:
        self._pieces = list(pieces)
        self.closed = False

    def __aiter__(self) -> AsyncIterator[Frame]:
        return self

    async def __anext__(self) -> Frame:
        while self._pieces:
            piece = self._pieces[0]
            if isinstance(piece, asyncio.Event):
                await piece.wait()
                self._pieces.pop(0)
                continue
            self._pieces.pop(0)
            if isinstance(piece, GatewayError):
                raise piece
            await asyncio.sleep(0)
            return Frame(f"data: {piece!r}\n\n".encode(), [piece])
        raise StopAsyncIteration

    async def aclose(self) -> None:
        self.closed = True


END: list[Event] = [Stop(reason="end"), UsageReport(usage=Usage(input=3, output=2)), End()]


def words(*texts: str) -> list[Event]:
    return [Begin(id="a1", model="llama"), *(TextDelta(text=text) for text in texts)]


def answers_with(source: Source) -> Callable[[Exchange], Awaitable[Reply]]:
    async def proceed(_: Exchange) -> Reply:
        await asyncio.sleep(0)
        return Reply(wire="openai.chat", frames=source)

    return proceed


async def read(reply: Reply) -> Answer:
    """All that a stream says."""
    assert reply.frames is not None
    builder = AnswerBuilder()
    async for frame in reply.frames:
        for event in frame.events:
            builder.add(event)
    return builder.answer()


async def soon() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


@aio
async def test_everyone_hears_the_same_and_late_comers_hear_the_beginning() -> None:
    """Of one stream: the leader from the start with the provider's bytes, one who comes in the middle, one who comes at the end."""
    desk, on = Desk(), asyncio.Event()
    source = Source(*words("high ", "water"), on, TextDelta(text=" today"), *END)
    leader, early, late = (desk.exchange(stream=True) for _ in range(3))
    flight = Flight(leader)
    reply = await flight.lead(answers_with(source))
    assert reply.wire == "openai.chat" and reply.frames is not None
    first = asyncio.create_task(read(reply))
    await soon()
    joined = await flight.heard(early)
    assert joined.wire == ""
    second = asyncio.create_task(read(joined))
    await soon()
    assert not second.done() and flight.joined == 1
    on.set()
    told = await first
    assert told.text == "high water today" and told.usage == Usage(input=3, output=2)
    assert await second == told
    assert flight.complete and flight.answer() == told
    assert await read(await flight.heard(late)) == told
    assert source.closed


@aio
async def test_whole_and_streamed_callers_share_a_call() -> None:
    """Who wants a whole answer waits for the end of the stream; who wants a stream of a whole answer gets it in one."""
    desk, on = Desk(), asyncio.Event()
    flight = Flight(desk.exchange(stream=True))
    reply = await flight.lead(answers_with(Source(*words("one"), on, *END)))
    whole = asyncio.create_task(flight.heard(desk.exchange()))
    first = asyncio.create_task(read(reply))
    await soon()
    assert not whole.done()
    on.set()
    assert (await whole).answer == await first

    answer = Answer(id="b", model="llama", choices=[Choice(parts=[Text(text="two")], stop_reason="end")])

    async def proceed(_: Exchange) -> Reply:
        return Reply(wire="x", answer=answer, body=b"{}")

    other = Flight(desk.exchange())
    assert (await other.lead(proceed)).body == b"{}"
    assert (await read(await other.heard(desk.exchange(stream=True)))).text == "two"
    again = await other.heard(desk.exchange())
    assert again.body is None and again.answer == answer  # another dialect's bytes are not theirs


@aio
async def test_the_leader_leaves_and_the_others_hear_the_end() -> None:
    """What the leader has to close is closed when the call is over: it has paid for it, and its record knows all."""
    desk, on, notes = Desk(), asyncio.Event(), []
    leader = desk.exchange(stream=True)
    leader.on_close(lambda: notes.append("record"))
    flight = Flight(leader)
    reply = await flight.lead(answers_with(Source(*words("a"), on, TextDelta(text="b"), *END)))
    leader.on_close(lambda: notes.append("attempt"))
    other = asyncio.create_task(flight.heard(desk.exchange(stream=True)))
    await soon()
    assert reply.frames is not None
    await reply.frames.aclose()  # type: ignore[attr-defined]
    await closed(leader)
    assert notes == []
    on.set()
    assert (await read(await other)).text == "ab"
    await soon()
    assert notes == ["attempt", "record"]


@aio
async def test_a_leader_who_leaves_before_the_first_word_leaves_alone() -> None:
    """The one who waits with it still gets the answer of this very call."""
    desk, on = Desk(), asyncio.Event()
    calls: list[int] = []

    async def proceed(_: Exchange) -> Reply:
        calls.append(1)
        await on.wait()
        return Reply(wire="openai.chat", frames=Source(*words("still here"), *END))

    leader, notes = desk.exchange(stream=True), []
    leader.on_close(lambda: notes.append("record"))
    flight = Flight(leader)
    leading = asyncio.create_task(flight.lead(proceed))
    await soon()
    other = asyncio.create_task(flight.heard(desk.exchange(stream=True)))
    await soon()
    leading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leading
    await closed(leader)
    assert notes == []
    on.set()
    assert (await read(await other)).text == "still here"
    await soon()
    assert calls == [1] and notes == ["record"]


@aio
async def test_a_call_that_nobody_listens_to_is_given_up() -> None:
    """When the last one leaves: before the first word, in the middle, and when the leader has left before them."""
    desk, never = Desk(), asyncio.Event()
    given_up: list[str] = []

    async def waits(_: Exchange) -> Reply:
        try:
            await never.wait()
        except asyncio.CancelledError:
            given_up.append("early")
            raise
        raise AssertionError

    flight = Flight(desk.exchange(stream=True))
    leading = asyncio.create_task(flight.lead(waits))
    await soon()
    leading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leading
    assert given_up == ["early"] and not flight.open

    for followers in (0, 2):
        source = Source(*words("x"), never)
        leader = desk.exchange(stream=True)
        flight = Flight(leader)
        readers = [(leader, await flight.lead(answers_with(source)))]
        for _ in range(followers):
            exchange = desk.exchange(stream=True)
            readers.append((exchange, await flight.heard(exchange)))
        for exchange, reply in readers:
            assert not source.closed
            assert reply.frames is not None
            await reply.frames.aclose()  # type: ignore[attr-defined]
            await closed(exchange)
        await soon()
        assert source.closed and not flight.complete


@aio
async def test_a_stream_that_breaks_off_breaks_off_for_all() -> None:
    """Each is told what was said, and then the same error; who wants a whole answer can still have another call."""
    desk, on = Desk(), asyncio.Event()
    flight = Flight(desk.exchange(stream=True))
    reply = await flight.lead(answers_with(Source(*words("so far"), on, UpstreamCut(detail="gone"))))
    joined = await flight.heard(desk.exchange(stream=True))
    whole = asyncio.create_task(flight.heard(desk.exchange()))
    await soon()
    on.set()
    for each in (reply, joined):
        heard = ""
        assert each.frames is not None
        with pytest.raises(UpstreamCut):
            async for frame in each.frames:
                heard += "".join(event.text for event in frame.events if isinstance(event, TextDelta))
        assert heard == "so far"
    with pytest.raises(LeaderFailed):
        await whole
    assert not flight.open and flight.answer() is None


@aio
async def test_what_fails_before_the_first_word_is_told_as_such() -> None:
    """So that one of those who waited can try."""
    desk = Desk()
    error = ProviderFailed("no")

    async def fails(_: Exchange) -> Reply:
        await asyncio.sleep(0)
        raise error

    flight = Flight(desk.exchange(stream=True))
    leading = asyncio.create_task(flight.lead(fails))
    await asyncio.sleep(0)
    other = asyncio.create_task(flight.heard(desk.exchange(stream=True)))
    with pytest.raises(ProviderFailed):
        await leading
    with pytest.raises(LeaderFailed) as failed:
        await other
    assert failed.value.error is error


@aio
async def test_frames_go_from_the_source_to_the_reader_without_waking_it() -> None:
    """A reader that is called for each frame says when it is full, and then nothing is lost or turned round."""
    desk, on = Desk(), asyncio.Event()
    texts = [f"{n} " for n in range(50)]
    flight = Flight(desk.exchange(stream=True))
    source = Source(Begin(), on, *(TextDelta(text=text) for text in texts), *END)
    reply = await flight.lead(answers_with(source))
    frames: Any = reply.frames
    heard: list[str] = []

    def deliver(frame: Frame) -> bool:
        heard.extend(event.text for event in frame.events if isinstance(event, TextDelta))
        return len(heard) % 7 != 0

    asyncio.get_running_loop().call_soon(on.set)
    while not await frames.pump(deliver):
        await asyncio.sleep(0)
    assert heard == texts


@aio
async def test_the_only_reader_holds_the_source_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """As it does where nothing stands between: what it does not take is not read far ahead."""
    monkeypatch.setattr(readers, "ALONE_BEHIND", 1_000)
    desk = Desk()
    source = Source(Begin(), *(TextDelta(text="x" * 50) for _ in range(100)), *END)
    flight = Flight(desk.exchange(stream=True))
    reply = await flight.lead(answers_with(source))
    for _ in range(500):
        await asyncio.sleep(0)
    assert len(source._pieces) > 80 and not flight.landed
    assert len((await read(reply)).text) == 5_000


@aio
async def test_a_slow_reader_does_not_hold_the_others_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within the bound nobody waits for it; beyond it they do for a moment, and then it is cut off with an error."""
    monkeypatch.setattr(readers, "MOST_BEHIND", 2_000)
    monkeypatch.setattr(readers, "PATIENCE_SECONDS", 0.05)
    desk = Desk()
    source = Source(Begin(), *(TextDelta(text="x" * 50) for _ in range(100)), *END)
    flight = Flight(desk.exchange(stream=True))
    reply = await flight.lead(answers_with(source))
    slow = await flight.heard(desk.exchange(stream=True))
    assert len((await read(reply)).text) == 5_000
    with pytest.raises(RequestTooSlow):
        await read(slow)


@aio
async def test_a_reader_that_breaks_breaks_alone() -> None:
    """Whatever one caller's dialect makes of a frame, the others hear on."""
    desk, on = Desk(), asyncio.Event()
    flight = Flight(desk.exchange(stream=True))
    reply = await flight.lead(answers_with(Source(*words("a"), on, TextDelta(text="b"), *END)))
    other: Any = (await flight.heard(desk.exchange(stream=True))).frames
    await anext(other)

    def breaks(_: Frame) -> bool:
        raise ValueError("cannot be written")

    pumping = asyncio.create_task(other.pump(breaks))
    await soon()
    on.set()
    with pytest.raises(ValueError, match="cannot be written"):
        await pumping
    assert (await read(reply)).text == "ab"


@aio
async def test_only_so_many_join() -> None:
    """Who comes after them makes a call of their own; so does who comes when too much was said to be kept in mind."""
    desk = Desk()
    flight = Flight(desk.exchange(stream=True))
    await flight.lead(answers_with(Source(*words("a"), asyncio.Event())))
    for _ in range(MOST_READERS):
        assert flight.open
        await flight.heard(desk.exchange(stream=True))
    assert not flight.open
    await flight.aclose()
    assert isinstance(flight.failure, GatewayError)


@aio
async def test_a_leader_who_does_not_read_keeps_nobody_who_waits_for_the_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A lone reader holds the provider back; with somebody waiting for the end it is no longer alone."""
    monkeypatch.setattr(readers, "ALONE_BEHIND", 200)
    desk = Desk()
    said = [TextDelta(text="word ") for _ in range(50)]
    source = Source(*words(), *said, *END)
    flight = Flight(desk.exchange(stream=True))
    reply = await flight.lead(answers_with(source))
    await soon()
    assert not flight.landed  # held back: the leader has not read yet
    waiting = asyncio.create_task(flight.heard(desk.exchange()))
    found = (await waiting).answer
    assert isinstance(found, Answer) and found.text == "word " * 50
    assert await read(reply) == found
