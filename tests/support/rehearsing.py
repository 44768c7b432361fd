"""A provider on any wire, its calls met by ordered faults, in a time that moves only when somebody sleeps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from headgate.core.errors import GatewayError
from headgate.core.events import AnswerBuilder
from headgate.core.messages import Answer
from headgate.providers.port import Call, Timeouts, UpstreamReply, UpstreamRequest, Url, Wire
from headgate.providers.rehearsal.orders import Rehearsals
from headgate.providers.rehearsal.upstream import Rehearsing
from headgate.providers.wires.anthropic_messages import AnthropicMessages
from headgate.providers.wires.bedrock_converse import BedrockConverse
from headgate.providers.wires.gemini import GeminiGenerate
from headgate.providers.wires.openai_chat import OpenAIChat
from headgate.providers.wires.openai_responses import OpenAIResponses
from headgate.stores.rehearsals import RehearsalRecord
from headgate.testing.scripted import Script, ScriptedUpstream
from tests.support.simulated import FakeTime, Rehearsal, chat, messages, responses
from tests.unit.providers.bedrock.eventstream import event

__all__ = ["WIRES", "Stage", "order"]

WIRES: dict[str, Wire] = {
    wire.name: wire
    for wire in (
        OpenAIChat(),
        OpenAIResponses(),
        AnthropicMessages(),
        GeminiGenerate(),
        BedrockConverse(),
    )
}
_GOLDEN = Path(__file__).parents[1] / "golden"
_BODIES = {"openai.chat": chat, "openai.responses": responses, "anthropic.messages": messages}
_URL = Url.parse("http://provider.test/v1")


def order(fault: str, *, number: int = 7, at: str = "house", **more: Any) -> RehearsalRecord:
    """An order that began long ago and is in force for ever, on provider `house`."""
    told: dict[str, Any] = {"endpoint": at, "targets": (at,), "started_ns": 1, "until_ns": 1 << 62, **more}
    return RehearsalRecord(id=number, fault=fault, **told)


class Stage:
    """Provider `house`, model `llama`, answering in one wire; and the orders it is under."""

    def __init__(self, wire: str = "openai.chat", *faults: str, packet: int = 700) -> None:
        """packet: bytes that come at a time, cut where no event ends, as networks do."""
        self.packet = packet
        self.time = FakeTime()
        self.wire = WIRES[wire]
        self.rehearsals = Rehearsals(self.time)
        self.rehearsals.know([order(fault, number=7 + n) for n, fault in enumerate(faults)])
        self.inner = ScriptedUpstream([Script()])
        self.upstream = Rehearsing(self.inner, "house", self.rehearsals, self.time, self.time.sleep)
        self.request = UpstreamRequest("POST", _URL, [])

    async def send(self, *, stream: bool, timeouts: Timeouts | None = None) -> UpstreamReply:
        """The reply as dispatch gets it."""
        headers, body = await _said(self.wire.name, stream=stream)
        pieces = [body[at : at + self.packet] for at in range(0, len(body), self.packet)]
        self.inner.scripts = [Script(pieces=pieces, headers=headers)]
        call = Call("chat", self.wire.name, "llama", b"", stream)
        self.request = UpstreamRequest("POST", _URL, [], call=call)
        return await self.upstream.send(self.request, timeouts or Timeouts())

    async def ask(self, *, stream: bool, timeouts: Timeouts | None = None) -> Answer:
        """The answer through the real wire. Raises what dispatch would see."""
        reply = await self.send(stream=stream, timeouts=timeouts)
        try:
            return await self._read(reply, stream=stream)
        finally:
            reply.close()

    async def _read(self, reply: UpstreamReply, *, stream: bool) -> Answer:
        if reply.status >= 300:
            raise self.wire.decode_error(reply.status, reply.headers, await reply.read(1 << 20))
        if not stream:
            answer = self.wire.decode(await reply.read(1 << 20))
            assert isinstance(answer, Answer)
            return answer
        decoder, builder = self.wire.decoder(), AnswerBuilder()
        while data := await reply.chunk():
            if frame := decoder.feed(data):
                for one in frame.events:
                    builder.add(one)
        if last := decoder.finish():
            for one in last.events:
                builder.add(one)
        if builder.failure is not None:
            raise builder.failure
        return builder.answer()

    async def failure(self, *, stream: bool, timeouts: Timeouts | None = None) -> GatewayError:
        """What went wrong; an answer is an AssertionError."""
        try:
            answer = await self.ask(stream=stream, timeouts=timeouts)
        except GatewayError as error:
            return error
        raise AssertionError(f"an answer came: {answer}")


async def _said(wire: str, *, stream: bool) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Headers and body of a good answer."""
    if wire in _BODIES:
        reply = await Rehearsal().send(wire, _BODIES[wire](stream=stream))
        return list(reply.headers), await reply.read(1 << 20)
    vendor = wire.partition(".")[0]
    if not stream:
        [first, *_] = json.loads((_GOLDEN / vendor / "replies.json").read_text())
        return [(b"content-type", b"application/json")], json.dumps(first["reply"]).encode()
    if vendor == "gemini":
        return [(b"content-type", b"text/event-stream")], (_GOLDEN / "gemini" / "stream.sse").read_bytes()
    [stream_case, *_] = json.loads((_GOLDEN / "bedrock" / "stream.json").read_text())
    body = b"".join(event(name, said) for name, said in stream_case["messages"])
    return [(b"content-type", b"application/vnd.amazon.eventstream")], body
