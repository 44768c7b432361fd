"""Answers as the responses API's stream, every event with its number.

    response.created response.in_progress
        (response.output_item.added  parts and deltas  response.output_item.done)*
    response.completed | response.incomplete | response.failed

Events carry their item's index, so items may overlap. Only tool calls ever do, when the provider's pieces do: a call
stays open until its arguments are complete JSON and another item begins, or to the end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
from headgate.edge.dialects.openai_responses.marks import encrypted_content
from headgate.edge.dialects.openai_responses.reply import (
    STATUSES,
    call_item,
    made_up,
    message_item,
    reasoning_item,
    response_body,
    text_part,
)
from headgate.edge.dialects.sse import json_line
from headgate.edge.problems import openai_error, response_code
from headgate.exchange.dialect import Peek

__all__ = ["ResponseEncoder"]

WIRE = "openai.responses"
_anything = msgspec.json.Decoder(Any)


class _Item:
    """One output item under way."""

    __slots__ = ("call_id", "content", "identity", "index", "kind", "name", "open_part", "pieces", "sealed")

    def __init__(self, kind: str, index: int, identity: str, call_id: str = "", name: str = "") -> None:
        self.kind, self.index, self.identity = kind, index, identity
        self.call_id, self.name = call_id, name
        self.pieces: list[str] = []
        """Of the part that is open: text, refusal, summary or arguments."""
        self.content: list[Any] = []
        """The message's finished parts."""
        self.open_part = ""
        self.sealed = ""

    def text(self) -> str:
        return "".join(self.pieces)

    def complete(self) -> bool:
        """Are the call's arguments certain to be all?"""
        text = self.text()
        if not text.rstrip().endswith("}"):
            return False
        try:
            _anything.decode(text)
        except (ValueError, RecursionError):
            return False
        return True


class ResponseEncoder:
    """Writes one streamed response. Only the first choice: this vendor has one."""

    def __init__(self, peek: Peek, now: Callable[[], float]) -> None:
        self._peek, self._now = peek, now
        self._begin = Begin()
        self._identity, self._created = "", 0
        """The response's; "" until it has begun."""
        self._number = 0
        self._output: list[Any] = []
        """Finished items by index; None while one is under way."""
        self._item: _Item | None = None
        """The message or reasoning under way."""
        self._calls: dict[int, _Item] = {}
        self._usage: Usage | None = None
        self._stop: Stop | None = None
        self._ended = False
        self._around: bytes = b""
        """What stands before the number of a text delta; empty if no text is under way."""

    def feed(self, events: Sequence[Event]) -> bytes:
        """The events that say `events`."""
        out = []
        for event in events:
            if type(event) is TextDelta and self._around and event.kind == "text" and event.choice == 0:
                out.append(self._more_text(event.text))
            else:
                out.append(self._rare(event))
        return out[0] if len(out) == 1 else b"".join(out)

    def fail(self, error: GatewayError, request_id: str) -> bytes:  # noqa: ARG002 - the vendor's error has no id
        """An `error` event, then `response.failed` if the response had begun.

        The error stands there twice: flat as the API's reference says, and as an object, which makes the SDK raise."""
        words = openai_error(error)
        flat = {"code": error.code, "message": error.message, "param": error.param, "error": words}
        out = self._event("error", flat)
        if self._identity and not self._ended:
            failure = {"code": response_code(error), "message": error.message}
            out += self._event("response.failed", {"response": self._response("failed", error=failure)})
        self._ended, self._around = True, b""
        return out

    def _rare(self, event: Event) -> bytes:
        if self._ended or getattr(event, "choice", 0) != 0:
            return b""
        if isinstance(event, TextDelta):
            return self._add_text(event) if event.text else b""
        if isinstance(event, ToolCallDelta):
            return self._add_arguments(event)
        if isinstance(event, ToolCallBegin):
            return self._add_call(event)
        if isinstance(event, ThinkingDelta):
            return self._add_thinking(event)
        if isinstance(event, Begin):
            self._begin = self._begin if self._identity else event
            return self._start()
        if isinstance(event, UsageReport):
            self._usage = event.usage
        elif isinstance(event, Stop):
            self._stop = event
            return self._close_all()
        elif isinstance(event, OpaqueDelta):
            return self._add_opaque(event)
        elif isinstance(event, Failure):
            return self.fail(event.error, "")
        elif isinstance(event, End):
            return self._end()
        return b""

    def _event(self, kind: str, fields: dict[str, Any]) -> bytes:
        body = json_line({"type": kind, **fields, "sequence_number": self._number})
        self._number += 1
        return b"event: %b\ndata: %b\n\n" % (kind.encode(), body)

    def _of_item(self, kind: str, item: _Item, **fields: Any) -> bytes:
        return self._event(kind, {"item_id": item.identity, "output_index": item.index, **fields})

    def _start(self) -> bytes:
        """`response.created` and `response.in_progress`, once."""
        if self._identity:
            return b""
        self._identity = self._begin.id or made_up("resp_")
        self._created = self._begin.created or int(self._now())
        response = self._response("in_progress")
        return self._event("response.created", {"response": response}) + self._event(
            "response.in_progress", {"response": response}
        )

    def _response(
        self, status: str, incomplete: str | None = None, error: dict[str, Any] | None = None
    ) -> dict[str, Any]:
        return response_body(
            identity=self._identity,
            created=self._created,
            model=self._begin.model,
            status=status,
            output=[item for item in self._output if item is not None],
            usage=None if status == "in_progress" else self._usage,
            incomplete=incomplete,
            error=error,
            max_tokens=self._peek.max_tokens,
            metadata=self._peek.metadata,
        )

    def _open(self, kind: str, prefix: str, call_id: str = "", name: str = "") -> tuple[bytes, _Item]:
        """Begin an item; whatever cannot go on beside it is closed first."""
        out = self._start() + self._close_item()
        for number in [number for number, call in self._calls.items() if call.complete()]:
            out += self._close_call(self._calls.pop(number))
        index = len(self._output)
        self._output.append(None)
        item = _Item(kind, index, f"{prefix}{self._identity}_{index}", call_id, name)
        if kind == "message":
            shown = message_item(item.identity, [], "in_progress")
        elif kind == "reasoning":
            shown = reasoning_item(item.identity, "", "")
        else:
            shown = call_item(item.identity, call_id, name, "", "in_progress")
        return out + self._event("response.output_item.added", {"output_index": index, "item": shown}), item

    def _done(self, item: _Item, shown: Any) -> bytes:
        self._output[item.index] = shown
        return self._event("response.output_item.done", {"output_index": item.index, "item": shown})

    def _add_text(self, event: TextDelta) -> bytes:
        out, item = b"", self._item
        if item is None or item.kind != "message":
            out, item = self._open("message", "msg_")
            self._item = item
        part = "refusal" if event.kind == "refusal" else "output_text"
        if item.open_part != part:
            out += self._close_part(item)
            item.open_part = part
            empty = {"type": "refusal", "refusal": ""} if part == "refusal" else text_part("")
            out += self._of_item(
                "response.content_part.added", item, content_index=len(item.content), part=empty
            )
        if part == "refusal":
            item.pieces.append(event.text)
            place = len(item.content)
            return out + self._of_item("response.refusal.delta", item, content_index=place, delta=event.text)
        self._around = (
            b"event: response.output_text.delta\ndata: "
            b'{"type":"response.output_text.delta","item_id":%b,"output_index":%d,"content_index":%d,"logprobs":[],'
            b'"sequence_number":' % (json_line(item.identity), item.index, len(item.content))
        )
        return out + self._more_text(event.text)

    def _more_text(self, text: str) -> bytes:
        if not text or self._item is None:
            return b""
        self._item.pieces.append(text)
        number = self._number
        self._number = number + 1
        return b'%b%d,"delta":%b}\n\n' % (self._around, number, json_line(text))

    def _close_part(self, item: _Item) -> bytes:
        if not item.open_part:
            return b""
        text, place = item.text(), len(item.content)
        part: dict[str, Any]
        if item.open_part == "refusal":
            part = {"type": "refusal", "refusal": text}
            out = self._of_item("response.refusal.done", item, content_index=place, refusal=text)
        else:
            part = text_part(text)
            out = self._of_item(
                "response.output_text.done", item, content_index=place, text=text, logprobs=[]
            )
        out += self._of_item("response.content_part.done", item, content_index=place, part=part)
        item.content.append(part)
        item.pieces, item.open_part, self._around = [], "", b""
        return out

    def _add_thinking(self, event: ThinkingDelta) -> bytes:
        out, item = b"", self._item
        if item is None or item.kind != "reasoning" or item.sealed:
            if not (event.text or event.signature or event.redacted):
                return b""
            out, item = self._open("reasoning", "rs_")
            self._item = item
        if event.text:
            if not item.pieces:
                empty = {"type": "summary_text", "text": ""}
                out += self._of_item(
                    "response.reasoning_summary_part.added", item, summary_index=0, part=empty
                )
            item.pieces.append(event.text)
            out += self._of_item(
                "response.reasoning_summary_text.delta", item, summary_index=0, delta=event.text
            )
        item.sealed = encrypted_content(event.signature, event.redacted)
        return out

    def _add_call(self, event: ToolCallBegin) -> bytes:
        out, item = self._open("function_call", "fc_", event.id or made_up("call_"), event.name)
        self._calls[event.index] = item
        return out

    def _add_arguments(self, event: ToolCallDelta) -> bytes:
        item = self._calls.get(event.index)
        if item is None or not event.arguments:
            return b""
        item.pieces.append(event.arguments)
        return self._of_item("response.function_call_arguments.delta", item, delta=event.arguments)

    def _add_opaque(self, event: OpaqueDelta) -> bytes:
        """An item of this vendor's own, whole."""
        if event.wire != WIRE or event.part is None:
            return b""
        out = self._start() + self._close_item()
        index = len(self._output)
        self._output.append(event.part)
        place = {"output_index": index, "item": event.part}
        return (
            out
            + self._event("response.output_item.added", place)
            + self._event("response.output_item.done", place)
        )

    def _close_item(self) -> bytes:
        item, self._item = self._item, None
        if item is None:
            return b""
        if item.kind == "message":
            out = self._close_part(item)
            status = STATUSES[self._stop.reason][0] if self._stop else "completed"
            return out + self._done(item, message_item(item.identity, item.content, status))
        summary = item.text()
        out = b""
        if summary:
            part = {"type": "summary_text", "text": summary}
            out = self._of_item("response.reasoning_summary_text.done", item, summary_index=0, text=summary)
            out += self._of_item("response.reasoning_summary_part.done", item, summary_index=0, part=part)
        return out + self._done(item, reasoning_item(item.identity, summary, item.sealed))

    def _close_call(self, item: _Item) -> bytes:
        arguments = item.text() or "{}"
        out = self._of_item("response.function_call_arguments.done", item, arguments=arguments)
        return out + self._done(
            item, call_item(item.identity, item.call_id, item.name, arguments, "completed")
        )

    def _close_all(self) -> bytes:
        out = self._close_item()
        for item in self._calls.values():
            out += self._close_call(item)
        self._calls.clear()
        return out

    def _end(self) -> bytes:
        out = self._start() + self._close_all()
        status, reason = STATUSES[self._stop.reason if self._stop else "end"]
        out += self._event(f"response.{status}", {"response": self._response(status, incomplete=reason)})
        self._ended = True
        return out
