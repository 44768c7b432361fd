"""A streamed answer of the Messages API, event by event."""

from __future__ import annotations

from contextlib import suppress

import msgspec

from headgate.core.errors import UpstreamCut, UpstreamMalformed
from headgate.core.events import (
    Begin,
    End,
    Event,
    Failure,
    OpaqueDelta,
    Stop,
    TextDelta,
    ThinkingDelta,
    ToolCallBegin,
    ToolCallDelta,
    UsageReport,
)
from headgate.core.frame import Frame
from headgate.providers.wires.anthropic_messages.content import WIRE
from headgate.providers.wires.anthropic_messages.errors import is_refusal, refusal_of
from headgate.providers.wires.anthropic_messages.reading import STOP_REASONS
from headgate.providers.wires.anthropic_messages.usage import UsageFields, merged, usage_of
from headgate.providers.wires.refusals import plain_detail
from headgate.providers.wires.repeating import RepeatingText
from headgate.providers.wires.sse import SseSplitter, sse_event

__all__ = ["MessagesDecoder"]


class _Delta(msgspec.Struct, gc=False):
    type: str = ""
    text: str = ""
    partial_json: str = ""
    thinking: str = ""
    signature: str = ""
    stop_reason: str | None = None
    stop_sequence: str | None = None


class _Line(msgspec.Struct):
    """Any event of the stream; which fields are there depends on its type."""

    type: str
    index: int = 0
    delta: _Delta | None = None
    content_block: msgspec.Raw = msgspec.Raw(b"")
    message: msgspec.Raw = msgspec.Raw(b"")
    usage: UsageFields | None = None


class _Start(msgspec.Struct):
    id: str = ""
    model: str = ""
    usage: UsageFields | None = None


class _BlockStart(msgspec.Struct):
    type: str
    text: str = ""
    thinking: str = ""
    signature: str = ""
    data: str = ""
    id: str = ""
    name: str = ""
    input: msgspec.Raw = msgspec.Raw(b"{}")


_decode_line = msgspec.json.Decoder(_Line).decode
_decode_start = msgspec.json.Decoder(_Start).decode
_decode_block = msgspec.json.Decoder(_BlockStart).decode
_decode_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class _Call:
    """A tool call being streamed. Its arguments come in pieces, or (rarely) all at once with its start, or not at all."""

    __slots__ = ("begun", "index", "input")

    def __init__(self, index: int, given: bytes) -> None:
        self.index = index
        self.input = given
        self.begun = False


class _Foreign:
    """A block only this wire knows, kept until it is whole. Server tools stream their input as calls do."""

    __slots__ = ("pieces", "raw")

    def __init__(self, raw: msgspec.Raw) -> None:
        self.raw = raw.copy()
        self.pieces: list[str] = []

    def whole(self) -> msgspec.Raw:
        given = "".join(self.pieces)
        if not given:
            return self.raw
        try:
            msgspec.json.decode(given)
        except msgspec.DecodeError:
            return self.raw
        fields = _decode_fields(self.raw)
        fields["input"] = msgspec.Raw(given.encode())
        return msgspec.Raw(msgspec.json.encode(fields))


class MessagesDecoder:
    """Reads one stream. `message_stop` is its end; an `error` event ends it too."""

    __slots__ = ("_blocks", "_calls", "_ended", "_repeating", "_splitter", "_usage")

    def __init__(self) -> None:
        self._splitter = SseSplitter()
        self._repeating = RepeatingText(b'"text":')
        self._blocks: dict[int, _Call | _Foreign] = {}
        self._calls = 0
        self._usage: UsageFields | None = None
        self._ended = False

    def feed(self, data: bytes) -> Frame | None:
        """Raises UpstreamMalformed for bytes that are no such stream."""
        splitter = self._splitter
        words = None if splitter.held else self._repeating.words(data)
        if words is not None:
            return Frame(data, words=words)
        found = splitter.feed(data)
        if not found:
            return Frame(splitter.taken, []) if splitter.taken else None
        events: list[Event] = []
        for _, line in found:
            if line:
                self._read(line, events)
        if len(found) == 1 and len(events) == 1 and splitter.taken is data:
            event = events[0]
            if type(event) is TextDelta and not self._ended:
                self._repeating.learn(data, event.text)
        return Frame(splitter.taken, events)

    def finish(self) -> Frame | None:
        """Raises UpstreamCut if neither `message_stop` nor an error came."""
        rest = self._splitter.rest()
        events: list[Event] = []
        if self._splitter.plain:
            if self._ended or not is_refusal(rest):
                raise UpstreamMalformed(detail=f"JSON instead of an event stream: {plain_detail(rest)}")
            return Frame(rest, [Failure(error=refusal_of(WIRE, 200, rest))])
        last = sse_event(rest)
        if last is not None and not self._ended:
            # Some proxies drop the blank line after the last event. Half an event is a cut, not nonsense.
            with suppress(UpstreamMalformed):
                self._read(last[1], events)
        if not self._ended:
            raise UpstreamCut(detail="the stream ended without message_stop")
        return Frame(rest, events) if rest else None

    def _read(self, data: bytes, events: list[Event]) -> None:
        try:
            line = _decode_line(data)
            if line.type == "content_block_delta":
                self._delta(line, data, events)
            else:
                self._rare(line, data, events)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            raise UpstreamMalformed(detail=f"no Anthropic event: {error}") from None

    def _delta(self, line: _Line, data: bytes, events: list[Event]) -> None:
        delta = line.delta
        if delta is None:
            raise UpstreamMalformed(detail="content_block_delta without delta")
        kind = delta.type
        if kind == "text_delta":
            events.append(TextDelta(text=delta.text))
        elif kind == "thinking_delta":
            if delta.thinking:
                events.append(ThinkingDelta(text=delta.thinking))
        elif kind == "signature_delta":
            events.append(ThinkingDelta(signature=delta.signature))
        elif kind == "input_json_delta":
            self._arguments(line.index, delta.partial_json, data, events)
        else:
            events.append(OpaqueDelta(wire=WIRE, name=line.type, raw=data))

    def _arguments(self, index: int, piece: str, data: bytes, events: list[Event]) -> None:
        block = self._blocks.get(index)
        if isinstance(block, _Call):
            if piece:
                block.begun = True
                events.append(ToolCallDelta(index=block.index, arguments=piece))
        elif isinstance(block, _Foreign):
            block.pieces.append(piece)
            events.append(OpaqueDelta(wire=WIRE, name="content_block_delta", raw=data))

    def _rare(self, line: _Line, data: bytes, events: list[Event]) -> None:
        kind = line.type
        if kind == "message_start":
            start = _decode_start(line.message)
            events.append(Begin(id=start.id, model=start.model))
            self._report(start.usage, events)
        elif kind == "content_block_start":
            self._open(line, data, events)
        elif kind == "content_block_stop":
            self._close(line.index, data, events)
        elif kind == "message_delta":
            if line.delta is not None and line.delta.stop_reason is not None:
                reason = STOP_REASONS.get(line.delta.stop_reason, "other")
                events.append(Stop(reason=reason, sequence=line.delta.stop_sequence or ""))
            self._report(line.usage, events)
        elif kind == "message_stop":
            self._ended = True
            events.append(End())
        elif kind == "error":
            self._ended = True
            events.append(Failure(error=refusal_of(WIRE, 200, data)))
        elif kind != "ping":
            events.append(OpaqueDelta(wire=WIRE, name=kind, raw=data))

    def _report(self, usage: UsageFields | None, events: list[Event]) -> None:
        if usage is not None:
            self._usage = merged(self._usage, usage)
            events.append(UsageReport(usage=usage_of(self._usage)))

    def _open(self, line: _Line, data: bytes, events: list[Event]) -> None:
        block = _decode_block(line.content_block)
        kind = block.type
        if kind == "text":
            if block.text:
                events.append(TextDelta(text=block.text))
        elif kind == "thinking":
            if block.thinking or block.signature:
                events.append(ThinkingDelta(text=block.thinking, signature=block.signature))
        elif kind == "redacted_thinking":
            events.append(ThinkingDelta(redacted=block.data))
        elif kind == "tool_use":
            self._blocks[line.index] = _Call(self._calls, bytes(block.input))
            events.append(ToolCallBegin(index=self._calls, id=block.id, name=block.name))
            self._calls += 1
        else:
            self._blocks[line.index] = _Foreign(line.content_block)
            events.append(OpaqueDelta(wire=WIRE, name="content_block_start", raw=data))

    def _close(self, index: int, data: bytes, events: list[Event]) -> None:
        block = self._blocks.pop(index, None)
        if isinstance(block, _Call):
            if not block.begun:
                events.append(ToolCallDelta(index=block.index, arguments=block.input.decode() or "{}"))
        elif isinstance(block, _Foreign):
            events.append(OpaqueDelta(wire=WIRE, name="content_block_stop", raw=data, part=block.whole()))
