"""A streamed chat completion, read chunk by chunk.

Servers differ in almost everything but the shape of a text delta. What is known and borne: role marks and empty
deltas; `delta: null`; `finish_reason: ""`; usage on every chunk, on the last one with choices, or on one of its own
without choices; Azure's first chunk, which carries filter results alone; reasoning as `reasoning_content` or
`reasoning`; tool calls whose deltas lack an index, repeat their id, all have index 0, or name the tool late; the old
`function_call`; errors as a chunk, as a named event, or as a plain body; no `[DONE]` at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

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
    UsageReport,
    events_of,
)
from headgate.core.frame import Frame
from headgate.core.messages import Opaque, Text, Thinking
from headgate.core.usage import Usage
from headgate.providers.wires.openai_chat.calls import CallDelta, CallTracker
from headgate.providers.wires.openai_chat.chunks import UNSAID, ChunkChoice, Delta, read_chunk, read_head
from headgate.providers.wires.openai_chat.reply import (
    ERROR,
    extra_of,
    fingerprint_of,
    pieces_of,
    read_answer,
    stop_of,
    usage_of,
)
from headgate.providers.wires.openai_chat.request import NAME
from headgate.providers.wires.openai_errors import is_error_body, stream_refusal
from headgate.providers.wires.repeating import RepeatingText
from headgate.providers.wires.sse import SseSplitter, sse_blocks, sse_event

__all__ = ["ChatStream"]

_DONE: Final = b"[DONE]"
_UNSAID: Final = UNSAID
_read: Final = read_chunk


class ChatStream:
    """Decodes one stream. See `StreamDecoder`."""

    __slots__ = (
        "_begun",
        "_calls",
        "_done",
        "_hide_usage",
        "_open",
        "_refused",
        "_repeating",
        "_splitter",
        "_stopped",
        "_usage",
    )

    def __init__(self, *, hide_usage: bool = False) -> None:
        self._splitter = SseSplitter()
        self._hide_usage = hide_usage
        self._begun = False
        self._open: set[int] = set()
        """Choices that have begun and not stopped."""
        self._stopped: set[int] = set()
        self._calls: dict[int, CallTracker] = {}
        self._usage: Usage | None = None
        self._done = False
        self._refused = False
        self._repeating = RepeatingText(b'"content":')

    def feed(self, data: bytes) -> Frame | None:
        """The events `data` completes. Raises UpstreamMalformed."""
        splitter = self._splitter
        words = None if splitter.held else self._repeating.words(data)
        if words:
            return Frame(data, words=words)
        said = splitter.feed(data)
        taken = splitter.taken
        if not taken:
            return None
        events: list[Event] = []
        hidden: set[bytes] = set()
        for name, payload in said:
            if self._take(name, payload, events) and self._hide_usage:
                hidden.add(payload)
        if len(said) == 1 and len(events) == 1 and taken is data:
            self._learn(data, events[0])
        return Frame(_without(taken, hidden) if hidden else taken, events)

    def _learn(self, data: bytes, event: Event) -> None:
        if type(event) is TextDelta and event.kind == "text" and not event.choice and self._open == {0}:
            self._repeating.learn(data, event.text)

    def finish(self) -> Frame | None:
        """What was still held. Raises UpstreamCut, or UpstreamMalformed if the body was no event stream."""
        rest = self._splitter.rest()
        if self._splitter.plain:
            return self._whole(rest)
        events: list[Event] = []
        data = rest
        last = sse_event(rest) if rest else None
        if last is not None and not (self._done or self._refused):
            try:
                self._take(last[0], last[1], events)
            except UpstreamMalformed:
                raise UpstreamCut(detail=f"in the middle of an event: {rest[-120:]!r}") from None
            data = rest.rstrip(b"\r\n") + b"\n\n"  # the blank line that the caller needs to see the event
        if not (self._done or self._refused):
            if self._open or not self._stopped:
                raise UpstreamCut(detail="the stream ended without `finish_reason` or `[DONE]`")
            self._done = True
            events.append(End())
        return Frame(data, events) if data or events else None

    def _take(self, name: bytes, payload: bytes, events: list[Event]) -> bool:
        """Read one event. Is it there for usage alone?"""
        if self._done or self._refused:
            return False
        if payload == _DONE:
            self._end(events)
            return False
        try:
            chunk = _read(payload)
        except (ValueError, RecursionError) as error:
            if name != b"error" and not is_error_body(payload):
                problem = f"a chunk that is none ({error}): {payload[:120]!r}"
                raise UpstreamMalformed(detail=problem) from None
            self._refuse(payload, events)
            return False
        if chunk.error is not _UNSAID and bytes(chunk.error) != b"null":
            self._refuse(payload, events)
            return False
        choices = chunk.choices
        if choices:
            if not self._begun:
                self._begin(payload, events)
            for choice in choices:
                self._take_choice(choice, events)
                if choice.finish_reason == ERROR:
                    self._refuse(payload, events)
                    return False
        elif chunk.usage is None and (name == b"error" or is_error_body(payload)):
            self._refuse(payload, events)
            return False
        if chunk.usage is None and chunk.timings is None:
            return False
        usage = usage_of(chunk.usage, chunk.timings)
        if usage is not None and usage != self._usage:
            if not self._begun:
                self._begin(payload, events)
            self._usage = usage
            events.append(UsageReport(usage=usage))
        return not choices

    def _begin(self, payload: bytes, events: list[Event]) -> None:
        try:
            head = read_head(payload)
            extra = extra_of(payload)
        except ValueError as error:
            raise UpstreamMalformed(detail=f"a chunk of another shape ({error})") from None
        self._begun = True
        events.append(
            Begin(
                id=head.id or "",
                model=head.model or "",
                created=int(head.created or 0),
                extra=extra,
                extra_wire=NAME,
                fingerprint=fingerprint_of(head.system_fingerprint),
            )
        )

    def _take_choice(self, choice: ChunkChoice, events: list[Event]) -> None:
        number = choice.index
        if number not in self._open:
            if number in self._stopped:
                return
            self._open.add(number)
        delta = choice.delta
        if delta is not None:
            content = delta.content
            if content and type(content) is str:
                # Reasoning first: a chunk with both is the border between them.
                if delta.reasoning_content or delta.reasoning:
                    self._take_rare(delta, number, events)
                    delta = None
                events.append(TextDelta(text=content, choice=number))
            if delta is not None:
                self._take_rare(delta, number, events)
        if choice.finish_reason and choice.finish_reason != ERROR:
            self._stop(choice, events)

    def _take_rare(self, delta: Delta, number: int, events: list[Event]) -> None:
        reasoning = delta.reasoning_content or delta.reasoning
        if reasoning:
            events.append(ThinkingDelta(text=reasoning, choice=number))
        if type(delta.content) is list:
            _take_pieces(delta.content, number, events)
        if delta.refusal:
            events.append(TextDelta(text=delta.refusal, choice=number, kind="refusal"))
        if delta.tool_calls:
            calls = self._calls_of(number)
            for call in delta.tool_calls:
                calls.add(call, events)
        if delta.function_call is not None:
            self._calls_of(number).add(CallDelta(index=0, function=delta.function_call), events)

    def _calls_of(self, number: int) -> CallTracker:
        calls = self._calls.get(number)
        if calls is None:
            calls = self._calls[number] = CallTracker(number)
        return calls

    def _stop(self, choice: ChunkChoice, events: list[Event]) -> None:
        number = choice.index
        calls = self._calls.get(number)
        if calls is not None:
            calls.close(events)
        reason, sequence = stop_of(choice.finish_reason or "", choice.stop_reason, called=bool(calls))
        self._open.discard(number)
        self._stopped.add(number)
        self._repeating.forget()
        events.append(Stop(reason=reason, sequence=sequence, choice=number))

    def _end(self, events: list[Event]) -> None:
        if not self._begun:
            raise UpstreamMalformed(detail="the stream ended with `[DONE]` before anything was said")
        for calls in self._calls.values():
            calls.close(events)
        self._done = True
        events.append(End())

    def _refuse(self, payload: bytes, events: list[Event]) -> None:
        self._refused = True
        events.append(Failure(error=stream_refusal(NAME, payload)))

    def _whole(self, body: bytes) -> Frame:
        """JSON came instead of events: an error, or the whole answer from a server that does not stream."""
        if is_error_body(body):
            return Frame(body, [Failure(error=stream_refusal(NAME, body))])
        # Not passed as it is: the caller waits for events.
        return Frame(None, events_of(read_answer(body)))


def _take_pieces(pieces: Sequence[msgspec.Raw], number: int, events: list[Event]) -> None:
    for raw in pieces:
        for part in pieces_of(raw):
            if isinstance(part, Thinking):
                events.append(ThinkingDelta(text=part.text, choice=number))
            elif isinstance(part, Text):
                events.append(TextDelta(text=part.text, choice=number))
            elif isinstance(part, Opaque):
                events.append(OpaqueDelta(wire=NAME, name="", raw=b"", part=part.raw))


def _without(taken: bytes, hidden: set[bytes]) -> bytes:
    """The blocks of `taken` but for those whose data is in `hidden`."""
    kept = []
    for block in sse_blocks(taken):
        event = sse_event(block)
        if event is None or event[1] not in hidden:
            kept.append(block)
    return b"".join(kept)
