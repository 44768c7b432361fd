"""Questions as vectors: read once, by one reader, for all who wait."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from headgate.cache.semantic import reading
from headgate.cache.semantic.reading import RemoteReader, Vectors
from headgate.exchange.exchange import Exchange
from headgate.testing.clock import FakeClock
from tests.support.aio import aio
from tests.support.identities import asks, chat

__all__: list[str] = []


class Reads:
    """Counts; waits until `go`."""

    name = "fake"

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.go = asyncio.Event()
        self.go.set()
        self.closed = False

    async def read(self, text: str, exchange: Exchange | None) -> Sequence[float] | None:
        self.texts.append(text)
        await self.go.wait()
        if text == "broken":
            raise RuntimeError("the runtime failed")
        return [3.0, 4.0] if text != "nothing" else [0.0, 0.0]

    def close(self) -> None:
        self.closed = True


@aio
async def test_a_vector_has_length_one_and_is_remembered() -> None:
    """Two bytes a number. What has no length, or cannot be read, is none, and is tried again."""
    reads = Reads()
    vectors = Vectors(reads)
    assert (await vectors.of("water", None)).hex() == "cd38663a"  # 0.6 and 0.8
    await vectors.of("water", None)
    assert reads.texts == ["water"]
    assert await vectors.of("nothing", None) == b"" == await vectors.of("broken", None)
    await vectors.of("broken", None)
    assert reads.texts.count("broken") == 2


@aio
async def test_no_more_is_remembered_than_there_is_room() -> None:
    """Who was not asked for longest goes first."""
    vectors = Vectors(reads := Reads())
    for number in range(reading.REMEMBERED):
        await vectors.of(str(number), None)
    await vectors.of("0", None)
    await vectors.of("one more", None)
    count = len(reads.texts)
    await vectors.of("0", None)
    assert len(reads.texts) == count
    await vectors.of("1", None)
    assert len(reads.texts) == count + 1


@aio
async def test_equal_texts_are_read_once_and_who_leaves_takes_nothing_from_others() -> None:
    """The first one hangs up: the second still gets the vector of the one reading."""
    vectors = Vectors(reads := Reads())
    reads.go.clear()
    first = asyncio.create_task(vectors.of("water", None))
    second = asyncio.create_task(vectors.of("water", None))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait([first])
    reads.go.set()
    assert first.cancelled() and len(await second) == 4 and reads.texts == ["water"]


@aio
async def test_who_waits_when_it_is_closed_gets_none() -> None:
    """And is not cancelled itself: its request goes on."""
    vectors = Vectors(reads := Reads())
    reads.go.clear()
    waits = asyncio.create_task(vectors.of("water", None))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    vectors.close()
    assert await waits == b"" and reads.closed


@aio
async def test_a_model_that_fails_three_times_is_left_alone_for_a_while() -> None:
    """And asked again afterwards. What nobody asked for is never asked of a model: nobody would pay."""
    clock, asked, answers = FakeClock(), [], [None, None, None, [1.0, 0.0]]

    async def ask(text: str, exchange: Exchange) -> Sequence[float] | None:
        asked.append(text)
        return answers[len(asked) - 1]

    reader, exchange = RemoteReader("openai/embed", ask, clock.monotonic), asks(chat())
    assert await reader.read("water", None) is None and not asked
    for _ in range(5):
        assert await reader.read("water", exchange) is None
    assert len(asked) == 3
    clock.advance(31)
    assert await reader.read("water", exchange) == [1.0, 0.0]
