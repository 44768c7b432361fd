"""A streamed response, read event by event. What each event means stands in the table at the end of `ResponseStream`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

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
    events_of,
)
from headgate.core.frame import Frame
from headgate.core.messages import Opaque, Text
from headgate.providers.wires.openai_errors import is_error_body, stream_refusal
from headgate.providers.wires.openai_responses.reply import (
    parts_of,
    read_head,
    read_item,
    read_response,
    stop_of,
    usage_of,
)
from headgate.providers.wires.openai_responses.request import NAME
from headgate.providers.wires.sse import SseSplitter, sse_event

__all__ = ["ResponseStream"]

_UNSAID = msgspec.Raw()


class _Event(msgspec.Struct, gc=False):
    type: str = ""
    delta: Any = None
    output_index: int | None = None
    summary_index: int | None = None
    item: msgspec.Raw = _UNSAID
    response: msgspec.Raw = _UNSAID


_EVENT = msgspec.json.Decoder(_Event)


class _OutputItem:
    """What was said of one output item so far."""

    __slots__ = ("call", "spoke")

    def __init__(self) -> None:
        self.call = -1
        """Its number among the function calls; -1 if it is none."""
        self.spoke = False
        """A piece of it has come, so its end need not repeat it."""


class ResponseStream:
    """Decodes one stream. See `StreamDecoder`."""

    __slots__ = ("_begun", "_calls", "_done", "_items", "_refused", "_splitter")

    def __init__(self) -> None:
        self._splitter = SseSplitter()
        self._items: dict[int, _OutputItem] = {}
        self._calls = 0
        self._begun = False
        self._done = False
        self._refused = False

    def feed(self, data: bytes) -> Frame | None:
        """The events `data` completes. Raises UpstreamMalformed."""
        splitter = self._splitter
        said = splitter.feed(data)
        if not splitter.taken:
            return None
        taken = splitter.taken
        events: list[Event] = []
        for name, payload in said:
            self._take(name, payload, events)
        return Frame(taken, events)

    def finish(self) -> Frame | None:
        """What was still held. Raises UpstreamCut, or UpstreamMalformed if the body was no event stream."""
        rest = self._splitter.rest()
        if self._splitter.plain:
            if is_error_body(rest):
                return Frame(rest, [Failure(error=stream_refusal(NAME, rest))])
            # A server that does not stream. Not passed as it is: the caller waits for events.
            return Frame(None, events_of(read_response(rest)))
        events: list[Event] = []
        data = rest
        last = sse_event(rest) if rest else None
        if last is not None and not (self._done or self._refused):
            try:
                self._take(*last, events)
            except UpstreamMalformed:
                raise UpstreamCut(detail=f"in the middle of an event: {rest[-120:]!r}") from None
            data = rest.rstrip(b"\r\n") + b"\n\n"  # the blank line that the caller needs to see the event
        if not (self._done or self._refused):
            raise UpstreamCut(detail="the stream ended without `response.completed`")
        return Frame(data, events) if data or events else None

    def _take(self, name: bytes, payload: bytes, events: list[Event]) -> None:
        if self._done or self._refused:
            return
        try:
            event = _EVENT.decode(payload)
        except (ValueError, RecursionError) as error:
            raise UpstreamMalformed(detail=f"an event that is none ({error}): {payload[:120]!r}") from None
        kind = event.type or name.decode("utf-8", "replace")
        if not self._begun and kind not in _WITH_HEAD:
            self._begun = True
            events.append(Begin())
        if kind == "response.output_text.delta":
            if type(event.delta) is str and event.delta:
                self._item(event).spoke = True
                events.append(TextDelta(text=event.delta))
            return
        meaning = self._MEANINGS.get(kind)
        if meaning is not None:
            meaning(self, event, payload, events)
        elif not kind and is_error_body(payload):
            self._take_error(event, payload, events)
        elif kind not in _REPEATS:
            events.append(OpaqueDelta(wire=NAME, name=kind, raw=payload))

    def _item(self, event: _Event) -> _OutputItem:
        index = event.output_index or 0
        item = self._items.get(index)
        if item is None:
            item = self._items[index] = _OutputItem()
        return item

    def _take_created(self, event: _Event, _payload: bytes, events: list[Event]) -> None:
        if not self._begun:
            self._begin(event, events)

    def _begin(self, event: _Event, events: list[Event]) -> None:
        response, extra = read_head(event.response)
        self._begun = True
        events.append(
            Begin(
                id=response.id or "",
                model=response.model or "",
                created=int(response.created_at or 0),
                extra=extra,
                extra_wire=NAME,
            )
        )

    def _take_refusal(self, event: _Event, _payload: bytes, events: list[Event]) -> None:
        if isinstance(event.delta, str) and event.delta:
            self._item(event).spoke = True
            events.append(TextDelta(text=event.delta, kind="refusal"))

    def _take_reasoning(self, event: _Event, _payload: bytes, events: list[Event]) -> None:
        if isinstance(event.delta, str) and event.delta:
            self._item(event).spoke = True
            events.append(ThinkingDelta(text=event.delta))

    def _take_summary_part(self, event: _Event, _payload: bytes, events: list[Event]) -> None:
        if event.summary_index and self._item(event).spoke:
            events.append(
                ThinkingDelta(text="\n\n")
            )  # between two parts of a summary, as a whole reply joins them

    def _take_arguments(self, event: _Event, _payload: bytes, events: list[Event]) -> None:
        item = self._item(event)
        if isinstance(event.delta, str) and event.delta and item.call >= 0:
            item.spoke = True
            events.append(ToolCallDelta(index=item.call, arguments=event.delta))

    def _take_added(self, event: _Event, _payload: bytes, events: list[Event]) -> None:
        said = read_item(event.item)
        if said is not None and said.type == "function_call":
            self._begin_call(self._item(event), said.call_id or said.id or "", said.name or "", events)

    def _begin_call(self, item: _OutputItem, call_id: str, name: str, events: list[Event]) -> None:
        if item.call < 0:
            item.call = self._calls
            self._calls += 1
            events.append(ToolCallBegin(index=item.call, id=call_id, name=name))

    def _take_done(self, event: _Event, payload: bytes, events: list[Event]) -> None:
        """An item is complete: say what its pieces did not."""
        item = self._item(event)
        said = read_item(event.item)
        kind = said.type if said is not None else ""
        if said is None or kind not in ("message", "function_call", "reasoning"):
            if bytes(event.item):
                events.append(OpaqueDelta(wire=NAME, name=event.type, raw=payload, part=event.item))
        elif kind == "function_call":
            self._begin_call(item, said.call_id or said.id or "", said.name or "", events)
            if said.arguments and not item.spoke:
                events.append(ToolCallDelta(index=item.call, arguments=said.arguments))
        elif kind == "message":
            if not item.spoke:
                _say_message(event.item, events)
        else:
            thinking: Any = parts_of(event.item)[0]
            text = "" if item.spoke else thinking.text
            if text or thinking.signature:
                events.append(ThinkingDelta(text=text, signature=thinking.signature))
        item.spoke = True

    def _take_end(self, event: _Event, _payload: bytes, events: list[Event]) -> None:
        if not self._begun:
            self._begin(event, events)
        response, _ = read_head(event.response)
        usage = usage_of(response)
        reason = stop_of(response, called=self._calls > 0)
        if reason is not None:
            events.append(Stop(reason=reason))
        if usage is not None:
            events.append(UsageReport(usage=usage))
        self._done = True
        events.append(End())

    def _take_failed(self, event: _Event, _payload: bytes, events: list[Event]) -> None:
        response, _ = read_head(event.response)
        usage = usage_of(response)
        if usage is not None:
            events.append(UsageReport(usage=usage))
        self._refused = True
        events.append(Failure(error=stream_refusal(NAME, bytes(event.response))))

    def _take_error(self, _event: _Event, payload: bytes, events: list[Event]) -> None:
        self._refused = True
        events.append(Failure(error=stream_refusal(NAME, payload)))

    _MEANINGS: ClassVar[dict[str, Callable[[ResponseStream, _Event, bytes, list[Event]], None]]] = {
        "response.created": _take_created,
        "response.queued": _take_created,
        "response.in_progress": _take_created,
        "response.output_item.added": _take_added,
        "response.output_item.done": _take_done,
        "response.refusal.delta": _take_refusal,
        "response.reasoning_text.delta": _take_reasoning,
        "response.reasoning_summary_text.delta": _take_reasoning,
        "response.reasoning_summary_part.added": _take_summary_part,
        "response.function_call_arguments.delta": _take_arguments,
        "response.completed": _take_end,
        "response.incomplete": _take_end,
        "response.failed": _take_failed,
        "response.cancelled": _take_failed,
        "error": _take_error,
    }


def _say_message(raw: msgspec.Raw, events: list[Event]) -> None:
    for part in parts_of(raw):
        if isinstance(part, Text):
            events.append(TextDelta(text=part.text))
        elif isinstance(part, Opaque):
            events.append(OpaqueDelta(wire=NAME, name="", raw=b"", part=part.raw))


_WITH_HEAD = frozenset(
    {
        "",
        "error",
        "response.created",
        "response.queued",
        "response.in_progress",
        "response.completed",
        "response.incomplete",
        "response.failed",
        "response.cancelled",
    }
)
"""Events that bring the response object or end everything; before any other the answer has to have begun."""

_REPEATS = frozenset(
    {
        "response.content_part.added",
        "response.content_part.done",
        "response.output_text.done",
        "response.refusal.done",
        "response.reasoning_text.done",
        "response.reasoning_summary_text.done",
        "response.reasoning_summary_part.done",
        "response.function_call_arguments.done",
    }
)
"""Events that only repeat what deltas and items have said."""
