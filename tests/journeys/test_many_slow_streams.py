"""Hundreds of slow streams open at once stay up, and all complete. The 5,000 are in the benchmark, with their memory."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

from tests.support.aio import aio_within
from tests.support.gateway import RunningGateway, running_gateway
from tests.support.recording_upstream import Answered, Received, recording_upstream
from tests.support.records import all_shown
from tests.support.vendors import House, Said

__all__: list[str] = []

STREAMS, LEAVING, ROUNDS = 300, 10, 3
HOUSE = House()
TEXT = "drip drip drip drip drip drip drip"


class Sluice:
    """An upstream's answers stop after each round of pieces until the test lets the next round go."""

    def __init__(self) -> None:
        self._gates = [asyncio.Event() for _ in range(ROUNDS)]
        self._loop: asyncio.AbstractEventLoop | None = None

    def __call__(self, received: Received) -> Answered:
        self._loop = asyncio.get_running_loop()
        return Answered(self._pieces(), headers=HOUSE.stream_headers())

    async def _pieces(self) -> AsyncIterator[bytes]:
        pieces = HOUSE.pieces(Said(TEXT))
        for number, gate in enumerate(self._gates):
            yield b"".join(pieces[2 * number : 2 * number + 2])
            await gate.wait()
        yield b"".join(pieces[2 * ROUNDS :])

    def open(self, number: int) -> None:
        assert self._loop is not None, "nobody has asked yet"
        self._loop.call_soon_threadsafe(self._gates[number].set)


class Caller:
    """One open stream."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer
        self._body = b""

    @classmethod
    async def ask(cls, gateway: RunningGateway) -> Caller:
        host, _, port = gateway.url.removeprefix("http://").partition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        body = json.dumps(
            {"model": HOUSE.name, "stream": True, "messages": [{"role": "user", "content": "Drip."}]}
        )
        head = f"POST /v1/chat/completions HTTP/1.1\r\nhost: gate\r\nauthorization: Bearer {gateway.key}\r\n"
        writer.write(
            f"{head}content-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n{body}".encode()
        )
        caller = cls(reader, writer)
        status = await reader.readline()
        assert b" 200 " in status, status
        return caller

    async def events(self, count: int) -> None:
        """Return when so many events have come in all."""
        while self._body.count(b"data: ") < count:
            data = await self._reader.read(65536)
            assert data, f"the stream was cut after {self._body!r}"
            self._body += data

    async def rest(self) -> bytes:
        """All of the stream, once it has said its end."""
        while b"[DONE]" not in self._body:
            await self.events(self._body.count(b"data: ") + 1)
        return self._body


@aio_within(90)
async def drive(gateway: RunningGateway, sluice: Sluice) -> None:
    callers = await asyncio.gather(*(Caller.ask(gateway) for _ in range(STREAMS)))
    leaving, staying = callers[:LEAVING], callers[LEAVING:]
    try:
        for number in range(ROUNDS):
            # Everybody gets this round's pieces, so all streams were open together.
            await asyncio.gather(
                *(caller.events(2 * number + 2) for caller in (staying if number else callers))
            )
            if number == 0:
                for caller in leaving:
                    caller.writer.close()
            sluice.open(number)
        whole = await asyncio.gather(*(caller.rest() for caller in staying))
    finally:
        for caller in callers:
            caller.writer.close()
    words = [json.loads(line[6:]) for line in whole[0].splitlines() if line.startswith(b"data: {")]
    assert "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in words) == TEXT
    assert {body.count(b"data: ") for body in whole} == {whole[0].count(b"data: ")}


def test_hundreds_of_slow_streams_stay_up_and_complete(tmp_path: Path) -> None:
    """Some callers leave in the middle; nobody else notices, and each stream is in the records as it went."""
    sluice = Sluice()
    with recording_upstream() as upstream:
        upstream.answer = sluice
        with running_gateway(tmp_path, HOUSE.section(upstream.url)) as gateway:
            drive(gateway, sluice)
            assert len(upstream.take()) == STREAMS
            assert gateway.stop() == 0
            outcomes = Counter(record.request.outcome for record in all_shown(gateway))
    assert outcomes == {"ok": STREAMS - LEAVING, "hung_up": LEAVING}
