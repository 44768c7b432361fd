"""Answers as OpenAI chat completions: whole, and as a stream of chunks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from uuid import uuid4

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
from headgate.core.messages import Answer, Choice, Opaque, StopReason, Text, Thinking, ToolCall
from headgate.core.usage import Usage
from headgate.edge.dialects.sse import DONE, data_event, json_bytes, json_line
from headgate.edge.problems import openai_error

__all__ = ["FINISH_REASONS", "ChatEncoder", "chat_completion", "chat_usage"]

WIRE = "openai.chat"

FINISH_REASONS: dict[StopReason, str] = {
    "end": "stop",
    "max_tokens": "length",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
    "content_filter": "content_filter",
    "pause": "stop",
    "context_exceeded": "length",
    "other": "stop",
}


def _finish_reason(reason: StopReason | None, calls: bool) -> str:
    # Some vendors end a turn that calls tools like any other; OpenAI's clients look at the reason to run them.
    if calls and reason in ("end", None):
        return "tool_calls"
    return FINISH_REASONS[reason or "end"]


def chat_usage(usage: Usage) -> dict[str, Any]:
    """OpenAI counts cached tokens in `prompt_tokens`, reasoning in `completion_tokens`."""
    prompt: dict[str, int] = {"cached_tokens": usage.cache_read}
    written = usage.cache_write + usage.cache_write_1h
    if written:
        prompt["cache_write_tokens"] = written
    return {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.total,
        "prompt_tokens_details": prompt,
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning},
    }


def chat_completion(answer: Answer, now: Callable[[], float]) -> bytes:
    """A `chat.completion` object; the vendor's own fields again, if the answer came over this wire."""
    own = answer.extra_wire == WIRE
    body: dict[str, Any] = {
        "id": answer.id or _made_up("chatcmpl-"),
        "object": "chat.completion",
        "created": answer.created or int(now()),
        "model": answer.model,
        "choices": [_choice(number, choice, own) for number, choice in enumerate(answer.choices)],
    }
    if answer.usage is not None:
        body["usage"] = chat_usage(answer.usage)
    if own:
        body = {**answer.extra, **body}
    return json_bytes(body)


class _OwnPart(msgspec.Struct):
    """What only this wire knows in an answer: calls of custom tools, and spoken words."""

    custom: msgspec.Raw = msgspec.Raw()
    audio: msgspec.Raw = msgspec.Raw()


_own_part = msgspec.json.Decoder(_OwnPart)


def _choice(number: int, choice: Choice, own: bool) -> dict[str, Any]:
    text = "".join(part.text for part in choice.parts if isinstance(part, Text))
    reasoning = "".join(part.text for part in choice.parts if isinstance(part, Thinking))
    calls: list[Any] = []
    audio: msgspec.Raw | None = None
    for part in choice.parts:
        if isinstance(part, ToolCall):
            function = {"name": part.name, "arguments": part.arguments or "{}"}
            calls.append({"id": part.id or _made_up("call_"), "type": "function", "function": function})
        elif isinstance(part, Opaque) and part.wire == WIRE:
            own_part = _own_part.decode(part.raw)
            if bytes(own_part.custom):
                calls.append(part.raw)
            elif bytes(own_part.audio):
                audio = own_part.audio
    message: dict[str, Any] = {
        "role": "assistant",
        "content": text or (None if calls else ""),
        "refusal": None,
    }
    if reasoning:
        message["reasoning_content"] = reasoning
    if calls:
        message["tool_calls"] = calls
    if audio is not None:
        message["audio"] = audio
    body = {
        "index": number,
        "message": message,
        "logprobs": None,
        "finish_reason": _finish_reason(choice.stop_reason, bool(calls)),
    }
    if own and choice.extra:
        _put_back(body, message, choice.extra)
    return body


_MESSAGE_FIELDS = frozenset({"annotations", "audio", "function_call", "refusal"})


def _put_back(body: dict[str, Any], message: dict[str, Any], extra: dict[str, msgspec.Raw]) -> None:
    for name, raw in extra.items():
        if name in _MESSAGE_FIELDS:
            message[name] = raw
        elif name != "message":
            body[name] = raw
    if "refusal" in extra and bytes(extra["refusal"]) != b"null":
        message["content"] = None  # a refusal stands instead of content


class ChatEncoder:
    """Writes `chat.completion.chunk` events: the role first, a finish reason per choice, usage if asked for, [DONE]."""

    __slots__ = (
        "_bare",
        "_calls",
        "_ended",
        "_head",
        "_now",
        "_pieces",
        "_roles",
        "_stops",
        "_tail",
        "_usage",
    )

    def __init__(self, *, include_usage: bool, now: Callable[[], float]) -> None:
        self._now = now
        self._tail = b',"finish_reason":null}]' + (b',"usage":null}\n\n' if include_usage else b"}\n\n")
        self._head = b""
        """A chunk up to its choices; empty until the answer has begun."""
        self._pieces: dict[int, tuple[bytes, bytes]] = {}
        """Per choice, what stands before and after a piece of text."""
        self._roles: set[int] = set()
        self._stops: set[int] = set()
        self._calls: set[int] = set()
        """The choices that called a tool."""
        self._bare: set[tuple[int, int]] = set()
        """Calls without arguments so far, by choice and index."""
        self._usage: Usage | None = None
        self._ended = False

    def feed(self, events: Sequence[Event]) -> bytes:
        """The chunks that say `events`."""
        out = [self._text(event) if type(event) is TextDelta else self._rare(event) for event in events]
        return out[0] if len(out) == 1 else b"".join(out)

    def fail(self, error: GatewayError, request_id: str) -> bytes:  # noqa: ARG002 - the vendor's error has no id
        """An error object, which makes the SDKs raise. No [DONE]: the answer is not complete."""
        self._ended = True
        return data_event({"error": openai_error(error)})

    def _text(self, event: TextDelta) -> bytes:
        if event.kind == "refusal":
            return self._delta(event.choice, {"refusal": event.text}) if event.text else b""
        if not event.text or self._ended:
            return b""
        pieces = self._pieces.get(event.choice)
        if pieces is None:
            opening = self._open(event.choice)
            self._pieces[event.choice] = (
                self._head + b'{"index":%d,"delta":{"content":' % event.choice,
                b'},"logprobs":null' + self._tail,
            )
            return opening + self._text(event)
        return pieces[0] + json_line(event.text) + pieces[1]

    def _rare(self, event: Event) -> bytes:
        if self._ended:
            return b""
        if isinstance(event, ToolCallDelta):
            if event.arguments:
                self._bare.discard((event.choice, event.index))
            call = {"index": event.index, "function": {"arguments": event.arguments}}
            return self._delta(event.choice, {"tool_calls": [call]})
        if isinstance(event, ToolCallBegin):
            self._calls.add(event.choice)
            self._bare.add((event.choice, event.index))
            function = {"name": event.name, "arguments": ""}
            identity = event.id or _made_up("call_")
            call = {"index": event.index, "id": identity, "type": "function", "function": function}
            return self._delta(event.choice, {"tool_calls": [call]})
        if isinstance(event, ThinkingDelta):
            return self._delta(event.choice, {"reasoning_content": event.text}) if event.text else b""
        if isinstance(event, Begin):
            return self._begin(event) if not self._head else b""
        if isinstance(event, Stop):
            return self._stop(event)
        if isinstance(event, UsageReport):
            self._usage = event.usage
        elif isinstance(event, OpaqueDelta):
            return b"data: " + event.raw + b"\n\n" if event.wire == WIRE and event.raw else b""
        elif isinstance(event, Failure):
            return self.fail(event.error, "")
        elif isinstance(event, End):
            return self._end()
        return b""

    def _begin(self, event: Begin) -> bytes:
        identity = json_bytes(event.id or _made_up("chatcmpl-"))
        created = event.created or int(self._now())
        self._head = (
            b'data: {"id":%b,"object":"chat.completion.chunk","created":%d,"model":%b,"choices":['
            % (identity, created, json_bytes(event.model))
        )
        return self._open(0)

    def _open(self, choice: int) -> bytes:
        """The chunk that gives a choice its role, once."""
        if choice in self._roles:
            return b""
        opening = b"" if self._head else self._begin(Begin())
        if choice in self._roles:
            return opening
        self._roles.add(choice)
        role = (
            b'{"index":%d,"delta":{"role":"assistant","content":"","refusal":null},"logprobs":null' % choice
        )
        return opening + self._head + role + self._tail

    def _delta(self, choice: int, delta: dict[str, Any]) -> bytes:
        if self._ended:
            return b""
        opening = self._open(choice)
        chunk = b'{"index":%d,"delta":%b,"logprobs":null' % (choice, json_line(delta))
        return opening + self._head + chunk + self._tail

    def _stop(self, event: Stop) -> bytes:
        if event.choice in self._stops:
            return b""
        opening = self._open(event.choice)
        self._stops.add(event.choice)
        for choice, index in sorted(self._bare):
            if choice == event.choice:
                # Clients parse the arguments, and nothing is no JSON.
                opening += self._rare(ToolCallDelta(index=index, arguments="{}", choice=choice))
        reason = _finish_reason(event.reason, event.choice in self._calls)
        tail = self._tail.replace(b"null", json_bytes(reason), 1)
        return opening + self._head + b'{"index":%d,"delta":{},"logprobs":null' % event.choice + tail

    def _end(self) -> bytes:
        out = self._open(0)
        for choice in sorted(self._roles - self._stops):
            out += self._stop(Stop(reason="end", choice=choice))
        self._ended = True
        if self._usage is not None and self._tail.endswith(b'"usage":null}\n\n'):
            out += self._head + b'],"usage":' + json_bytes(chat_usage(self._usage)) + b"}\n\n"
        return out + DONE


def _made_up(prefix: str) -> str:
    # For providers that give no id. Random, as it need only differ from the others.
    return prefix + uuid4().hex[:24]
