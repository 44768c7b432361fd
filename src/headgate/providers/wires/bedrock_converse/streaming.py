"""A streamed answer of ConverseStream, message by message."""

from __future__ import annotations

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
from headgate.providers.wires.bedrock_converse.content import WIRE
from headgate.providers.wires.bedrock_converse.errors import is_refusal, refusal_in_stream, refusal_of
from headgate.providers.wires.bedrock_converse.framing import MessageSplitter
from headgate.providers.wires.bedrock_converse.reading import STOP_REASONS, UsageFields, usage_of
from headgate.providers.wires.refusals import plain_detail

__all__ = ["ConverseDecoder"]


class _Wire(msgspec.Struct, rename="camel"):
    pass


class _ToolStart(_Wire):
    tool_use_id: str
    name: str
    type: str = ""


class _ToolInput(_Wire):
    input: str = ""


class _ReasoningDelta(_Wire):
    text: str = ""
    signature: str = ""
    redacted_content: str = ""


class _Start(_Wire):
    tool_use: _ToolStart | None = None


class _Delta(_Wire):
    text: str | None = None
    tool_use: _ToolInput | None = None
    reasoning_content: _ReasoningDelta | None = None


class _BlockDelta(_Wire):
    delta: _Delta
    content_block_index: int = 0


class _BlockStart(_Wire):
    start: _Start
    content_block_index: int = 0


class _BlockStop(_Wire):
    content_block_index: int = 0


class _MessageStop(_Wire):
    stop_reason: str


class _Metadata(_Wire):
    usage: UsageFields | None = None


_decode_delta = msgspec.json.Decoder(_BlockDelta).decode
_decode_start = msgspec.json.Decoder(_BlockStart).decode
_decode_block_stop = msgspec.json.Decoder(_BlockStop).decode
_decode_stop = msgspec.json.Decoder(_MessageStop).decode
_decode_metadata = msgspec.json.Decoder(_Metadata).decode


class ConverseDecoder:
    """Reads one stream. `metadata` follows `messageStop` and is its end; a stream that stops in between is complete,
    but does not say what it cost."""

    __slots__ = ("_calls", "_ended", "_open", "_splitter", "_stopped")

    def __init__(self) -> None:
        self._splitter = MessageSplitter()
        self._calls = 0
        self._open: dict[int, tuple[int, bool]] = {}
        """By block: the call's number, and whether any of its arguments came."""
        self._stopped = False
        self._ended = False

    def feed(self, data: bytes) -> Frame | None:
        """Raises UpstreamMalformed for bytes that are no such stream."""
        splitter = self._splitter
        found = splitter.feed(data)
        if not found:
            return None
        events: list[Event] = []
        try:
            for kind, name, payload in found:
                if kind != "event":
                    self._ended = True
                    events.append(Failure(error=refusal_in_stream(WIRE, name, payload)))
                elif name == "contentBlockDelta":
                    self._delta(payload, events)
                else:
                    self._rare(name, payload, events)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            raise UpstreamMalformed(detail=f"no Converse event: {error}") from None
        return Frame(splitter.taken, events)

    def finish(self) -> Frame | None:
        """Raises UpstreamCut if the answer did not stop."""
        rest = self._splitter.rest()
        if self._splitter.plain:
            if not is_refusal(rest):
                raise UpstreamMalformed(detail=f"JSON instead of an event stream: {plain_detail(rest)}")
            return Frame(rest, [Failure(error=refusal_of(WIRE, 200, rest))])
        if self._ended:
            return None
        if not self._stopped:
            raise UpstreamCut(detail="the stream ended without messageStop")
        self._ended = True
        return Frame(b"", [End()])

    def _delta(self, payload: bytes, events: list[Event]) -> None:
        line = _decode_delta(payload)
        delta = line.delta
        reasoning = delta.reasoning_content
        if delta.text is not None:
            events.append(TextDelta(text=delta.text))
        elif delta.tool_use is not None:
            call = self._open.get(line.content_block_index)
            if call is None:
                events.append(OpaqueDelta(wire=WIRE, name="contentBlockDelta", raw=payload))
            elif delta.tool_use.input:
                self._open[line.content_block_index] = (call[0], True)
                events.append(ToolCallDelta(index=call[0], arguments=delta.tool_use.input))
        elif reasoning is not None:
            events.append(
                ThinkingDelta(
                    text=reasoning.text, signature=reasoning.signature, redacted=reasoning.redacted_content
                )
            )
        else:
            events.append(OpaqueDelta(wire=WIRE, name="contentBlockDelta", raw=payload))

    def _rare(self, name: str, payload: bytes, events: list[Event]) -> None:
        if name == "messageStart":
            events.append(Begin())
        elif name == "contentBlockStart":
            line = _decode_start(payload)
            tool = line.start.tool_use
            if tool is None or tool.type:
                events.append(OpaqueDelta(wire=WIRE, name=name, raw=payload))
                return
            self._open[line.content_block_index] = (self._calls, False)
            events.append(ToolCallBegin(index=self._calls, id=tool.tool_use_id, name=tool.name))
            self._calls += 1
        elif name == "contentBlockStop":
            call = self._open.pop(_decode_block_stop(payload).content_block_index, None)
            if call is not None and not call[1]:
                events.append(ToolCallDelta(index=call[0], arguments="{}"))
        elif name == "messageStop":
            self._stopped = True
            events.append(Stop(reason=STOP_REASONS.get(_decode_stop(payload).stop_reason, "other")))
        elif name == "metadata":
            usage = _decode_metadata(payload).usage
            if usage is not None:
                events.append(UsageReport(usage=usage_of(usage)))
            if self._stopped and not self._ended:
                self._ended = True
                events.append(End())
        else:
            events.append(OpaqueDelta(wire=WIRE, name=name, raw=payload))
