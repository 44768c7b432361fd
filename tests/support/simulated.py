"""A simulated provider in a time of its own, asked as dispatch would ask it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from typing import Any

from headgate.core.errors import GatewayError
from headgate.core.events import AnswerBuilder, Event
from headgate.core.messages import Answer, Operation
from headgate.providers.port import Call, Reply, Timeouts, Wire
from headgate.providers.simulated.adapter import SimulatedAdapter
from headgate.providers.simulated.settings import ProfileSettings, SimulatedSettings
from headgate.providers.simulated.upstream import SimulatedReply, SimulatedUpstream

__all__ = ["STEADY", "FakeTime", "Rehearsal", "chat", "messages", "responses"]

STEADY = SimulatedSettings(speed=0, models={"steady": ProfileSettings(error_rate=0, quality=1)})
Headers = Sequence[tuple[bytes, bytes]]


class FakeTime:
    """A clock that moves only when somebody sleeps."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self.slept: list[float] = []

    def wall_ns(self) -> int:
        return 1_700_000_000_000_000_000 + int(self.seconds * 1e9)

    def monotonic(self) -> float:
        return self.seconds

    async def sleep(self, seconds: float) -> None:
        """Others get a turn, the clock goes on."""
        self.slept.append(seconds)
        await asyncio.sleep(0)
        self.seconds += seconds


class Rehearsal:
    """Adapter and upstream of one simulated provider."""

    def __init__(self, settings: SimulatedSettings = STEADY, time: FakeTime | None = None) -> None:
        self.time = time or FakeTime()
        self.adapter = SimulatedAdapter(settings)
        self.upstream = SimulatedUpstream(settings, clock=self.time, sleep=self.time.sleep)

    def wire(self, operation: Operation, name: str) -> Wire:
        wire = self.adapter.wire_for(operation, name)
        assert wire is not None
        assert wire.name == name
        return wire

    async def send(
        self,
        wire: str,
        body: dict[str, Any],
        *,
        fault: str = "",
        timeouts: Timeouts | None = None,
        operation: Operation = "chat",
    ) -> SimulatedReply:
        """The raw reply."""
        headers = [(b"X-Headgate-Fault", fault.encode())] if fault else []
        raw = json.dumps(body).encode()
        call = Call(operation, wire, body.get("model", ""), raw, bool(body.get("stream")), headers)
        return await self.upstream.send(self.adapter.request(call), timeouts or Timeouts())

    async def ask(self, wire: str, body: dict[str, Any], **more: Any) -> Reply:
        """The reply through the real wire, folded if it was streamed. Raises what dispatch would see."""
        operation: Operation = more.get("operation", "chat")
        reply = await self.send(wire, body, **more)
        speaks = self.wire(operation, wire)
        if reply.status >= 300:
            raise speaks.decode_error(reply.status, reply.headers, await reply.read(1 << 20))
        if not body.get("stream"):
            return speaks.decode(await reply.read(1 << 20))
        builder = AnswerBuilder()
        async for event in self.events(speaks, reply):
            builder.add(event)
        if builder.failure is not None:
            raise builder.failure
        return builder.answer()

    async def answer(self, wire: str, body: dict[str, Any], **more: Any) -> Answer:
        """As `ask`, for chat."""
        answer = await self.ask(wire, body, **more)
        assert isinstance(answer, Answer)
        return answer

    async def failure(self, wire: str, body: dict[str, Any], **more: Any) -> GatewayError:
        """What went wrong; an answer is an AssertionError."""
        try:
            answer = await self.ask(wire, body, **more)
        except GatewayError as error:
            return error
        raise AssertionError(f"an answer came: {answer}")

    @staticmethod
    async def events(wire: Wire, reply: SimulatedReply) -> AsyncIterator[Event]:
        """A stream's events, read with the real decoder."""
        decoder = wire.decoder()
        while data := await reply.chunk():
            if frame := decoder.feed(data):
                for event in frame.events:
                    yield event
        if last := decoder.finish():
            for event in last.events:
                yield event


def chat(text: str = "How do I bake good bread at home?", /, **more: Any) -> dict[str, Any]:
    """A body of `openai.chat`."""
    return {"model": "steady", "messages": [{"role": "user", "content": text}]} | more


def messages(text: str = "How do I bake good bread at home?", /, **more: Any) -> dict[str, Any]:
    """A body of `anthropic.messages`."""
    return {"model": "steady", "max_tokens": 900, "messages": [{"role": "user", "content": text}]} | more


def responses(text: str = "How do I bake good bread at home?", /, **more: Any) -> dict[str, Any]:
    """A body of `openai.responses`."""
    return {"model": "steady", "input": text} | more
