"""Answers as Anthropic's stream: blocks that never overlap, however the provider's pieces come.

    message_start (content_block_start content_block_delta* content_block_stop)* message_delta message_stop

Blocks wait in a row; only the first is on the wire. One of text or thinking ends as soon as another block begins. A
tool call ends when its arguments are complete JSON and another block waits, or with the answer: providers that write
parallel calls interleaved add to an earlier one later, and nothing may be added to a block that was closed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

import msgspec

from headgate.core.errors import GatewayError
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
from headgate.core.usage import Usage
from headgate.edge.dialects.anthropic_messages.reply import final_usage, made_up, start_usage, stop_reason
from headgate.edge.dialects.sse import json_line, named_event
from headgate.edge.problems import anthropic_error

__all__ = ["MessageEncoder"]

WIRE = "anthropic.messages"


class _Citation(msgspec.Struct):
    delta: msgspec.Raw


_citation = msgspec.json.Decoder(_Citation)
_anything = msgspec.json.Decoder(Any)
_STOPPED = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'


class _Block:
    """One content block: what starts it, and what is still to be written of it."""

    __slots__ = ("arguments", "call", "kind", "signed", "start", "waiting")

    def __init__(self, kind: str, start: Any, call: int = -1) -> None:
        self.kind = kind
        self.start = start
        self.call = call
        """Which tool call it is; -1 if none."""
        self.waiting: list[tuple[str, str, str]] = []
        """Deltas not yet written: type, field, text."""
        self.arguments: list[str] = []
        self.signed = False

    def complete(self) -> bool:
        """Is it certain that nothing will be added?"""
        if self.call < 0:
            return True
        text = "".join(self.arguments)
        if not text.rstrip().endswith("}"):
            return False
        try:
            _anything.decode(text)
        except (ValueError, RecursionError):
            return False
        return True


class MessageEncoder:
    """Writes one streamed message. Only the first choice: this vendor has one."""

    __slots__ = (
        "_begin",
        "_blocks",
        "_called",
        "_ended",
        "_index",
        "_live",
        "_refused",
        "_started",
        "_stop",
        "_usage",
    )

    def __init__(self) -> None:
        self._begin = Begin()
        self._started = False
        self._blocks: deque[_Block] = deque()
        self._live: tuple[bytes, bytes] | None = None
        """What stands around a piece of the text block on the wire; None if the first block is of another kind."""
        self._index = -1
        """Of the block on the wire."""
        self._usage: Usage | None = None
        self._stop: Stop | None = None
        self._called = self._refused = self._ended = False

    def feed(self, events: Sequence[Event]) -> bytes:
        """The events that say `events`. The start waits for something to say, as the input's usage may still come."""
        out = []
        for event in events:
            if type(event) is TextDelta and self._live is not None and event.choice == 0 and event.text:
                out.append(self._live[0] + json_line(event.text) + self._live[1])
                self._refused = self._refused or event.kind == "refusal"
            else:
                out.append(self._rare(event))
        return out[0] if len(out) == 1 else b"".join(out)

    def fail(self, error: GatewayError, request_id: str) -> bytes:
        """An `error` event, which makes the SDKs raise."""
        self._ended = True
        self._live = None
        return named_event(b"error", anthropic_error(error, request_id))

    def _rare(self, event: Event) -> bytes:
        if self._ended or getattr(event, "choice", 0) != 0:
            return b""
        if isinstance(event, TextDelta):
            self._refused = self._refused or event.kind == "refusal"
            return self._add_text(event.text) if event.text else b""
        if isinstance(event, ToolCallDelta):
            return self._add_arguments(event)
        if isinstance(event, ToolCallBegin):
            self._called = True
            start = {"type": "tool_use", "id": event.id or made_up("toolu_"), "name": event.name, "input": {}}
            return self._push(_Block("tool_use", start, event.index))
        if isinstance(event, ThinkingDelta):
            return self._add_thinking(event)
        if isinstance(event, OpaqueDelta):
            return self._add_opaque(event) if event.wire == WIRE else b""
        if isinstance(event, UsageReport):
            self._usage = event.usage
        elif isinstance(event, Stop):
            self._stop = event
            return self._flush()
        elif isinstance(event, Failure):
            return self.fail(event.error, "")
        elif isinstance(event, End):
            return self._end()
        elif not self._started:
            self._begin = event
        return b""

    def _add_text(self, text: str) -> bytes:
        last = self._blocks[-1] if self._blocks else None
        if last is None or last.kind != "text":
            last = _Block("text", {"type": "text", "text": ""})
            last.waiting.append(("text_delta", "text", text))
            return self._push(last)
        last.waiting.append(("text_delta", "text", text))
        return self._write_head()

    def _add_thinking(self, event: ThinkingDelta) -> bytes:
        if event.redacted:
            return self._push(_Block("opaque", {"type": "redacted_thinking", "data": event.redacted}))
        if not event.text and not event.signature:
            return b""
        last = self._blocks[-1] if self._blocks else None
        fresh = last is None or last.kind != "thinking" or (last.signed and bool(event.text))
        if last is None or fresh:
            last = _Block("thinking", {"type": "thinking", "thinking": "", "signature": ""})
        if event.text:
            last.waiting.append(("thinking_delta", "thinking", event.text))
        if event.signature:
            last.waiting.append(("signature_delta", "signature", event.signature))
            last.signed = True
        return self._push(last) if fresh else self._write_head()

    def _add_opaque(self, event: OpaqueDelta) -> bytes:
        """A whole block of this vendor's own, or a citation for the text just written."""
        if event.part is not None:
            return self._push(_Block("opaque", event.part))
        if self._live is None or event.name != "content_block_delta" or b"citations_delta" not in event.raw:
            return b""  # a piece of a block that comes whole later
        delta = _citation.decode(event.raw).delta
        piece = {"type": "content_block_delta", "index": self._index, "delta": delta}
        return named_event(b"content_block_delta", piece)

    def _add_arguments(self, event: ToolCallDelta) -> bytes:
        for block in self._blocks:
            if block.call == event.index:
                block.waiting.append(("input_json_delta", "partial_json", event.arguments))
                block.arguments.append(event.arguments)
                return self._settle() if len(self._blocks) > 1 else self._write_head()
        return b""  # of a call that never began, or white space after complete arguments

    def _push(self, block: _Block) -> bytes:
        self._blocks.append(block)
        return self._settle()

    def _settle(self) -> bytes:
        """Write the first block; while another waits and nothing can be added to the first, go on to the next."""
        out = self._write_head()
        while len(self._blocks) > 1 and self._blocks[0].complete():
            out += self._close_head() + self._write_head()
        return out

    def _write_head(self) -> bytes:
        """Start the first block if it has not been started, and write what waits in it."""
        block = self._blocks[0]
        out = b""
        if block.start is not None:
            out = self._start()
            self._index += 1
            out += named_event(
                b"content_block_start",
                {"type": "content_block_start", "index": self._index, "content_block": block.start},
            )
            block.start = None
            if block.kind == "text":
                self._live = (
                    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,'
                    b'"delta":{"type":"text_delta","text":' % self._index,
                    b"}}\n\n",
                )
        for kind, field, text in block.waiting:
            delta = {"type": kind, field: text}
            event = {"type": "content_block_delta", "index": self._index, "delta": delta}
            out += named_event(b"content_block_delta", event)
        block.waiting.clear()
        return out

    def _close_head(self) -> bytes:
        self._blocks.popleft()
        self._live = None
        return named_event(b"content_block_stop", {"type": "content_block_stop", "index": self._index})

    def _flush(self) -> bytes:
        """Write and close all blocks."""
        out = b""
        while self._blocks:
            out += self._write_head() + self._close_head()
        return out

    def _start(self) -> bytes:
        """`message_start`, once."""
        if self._started:
            return b""
        self._started = True
        message: dict[str, Any] = {
            "id": self._begin.id or made_up("msg_"),
            "type": "message",
            "role": "assistant",
            "model": self._begin.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": start_usage(self._usage),
        }
        return named_event(b"message_start", {"type": "message_start", "message": message})

    def _end(self) -> bytes:
        out = self._start() + self._flush()
        self._ended = True
        stop = self._stop
        reason = stop_reason(stop.reason if stop else None, calls=self._called, refused=self._refused)
        delta = {"stop_reason": reason, "stop_sequence": (stop.sequence if stop else "") or None}
        last = {"type": "message_delta", "delta": delta, "usage": final_usage(self._usage)}
        return out + named_event(b"message_delta", last) + _STOPPED
