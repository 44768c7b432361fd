"""A whole chat completion, read into an Answer; and the words both whole and streamed replies share."""

from __future__ import annotations

from typing import Any

import msgspec

from headgate.core.errors import UpstreamMalformed
from headgate.core.messages import Answer, Choice, Extra, Opaque, Part, StopReason, Text, Thinking, ToolCall
from headgate.providers.wires.openai_chat.account import (
    ERROR,
    STOP_REASONS,
    fingerprint_of,
    stop_of,
    usage_of,
)
from headgate.providers.wires.openai_chat.request import NAME
from headgate.providers.wires.openai_chat.shapes import Timings, UsageReply
from headgate.providers.wires.openai_errors import is_error_body, stream_refusal
from headgate.providers.wires.openai_usage import UnixTime

__all__ = [
    "ERROR",
    "STOP_REASONS",
    "Timings",
    "UsageReply",
    "arguments_text",
    "extra_of",
    "fingerprint_of",
    "pieces_of",
    "read_answer",
    "stop_of",
    "usage_of",
]


_NOTHING = (b"", b"null", b"[]")


class _Function(msgspec.Struct, gc=False):
    name: str | None = None
    arguments: str | dict[str, Any] | None = None


class _Call(msgspec.Struct, gc=False):
    id: str | None = None
    function: _Function | None = None


class _Message(msgspec.Struct):
    content: str | list[msgspec.Raw] | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[msgspec.Raw] | None = None
    function_call: _Function | None = None
    audio: msgspec.Raw = msgspec.Raw()
    annotations: msgspec.Raw = msgspec.Raw()


class _Choice(msgspec.Struct):
    message: _Message | None = None
    finish_reason: str | None = None
    # vLLM: the stop string that was hit (or a token's id).
    stop_reason: str | int | None = None
    logprobs: msgspec.Raw = msgspec.Raw()
    error: msgspec.Raw = msgspec.Raw()


class _Reply(msgspec.Struct):
    id: str | None = None
    model: str | None = None
    created: UnixTime | None = None
    choices: list[_Choice] | None = None
    usage: UsageReply | None = None
    timings: Timings | None = None
    system_fingerprint: msgspec.Raw = msgspec.Raw()


_REPLY = msgspec.json.Decoder(_Reply)
_CALL = msgspec.json.Decoder(_Call)
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_READ_FIELDS = ("id", "object", "model", "created", "choices", "usage", "error", "obfuscation")


def read_answer(body: bytes) -> Answer:
    """The answer a whole reply holds.

    Raises UpstreamMalformed for anything else, ProviderRefusal for an error sent with status 200."""
    try:
        reply = _REPLY.decode(body)
        extra = extra_of(body)
    except (ValueError, RecursionError) as error:
        raise UpstreamMalformed(detail=f"no chat completion ({error}): {body[:120]!r}") from None
    failed = [choice for choice in reply.choices or () if choice.finish_reason == ERROR]
    if failed:
        raise stream_refusal(NAME, bytes(failed[0].error) or body)
    if not reply.choices:
        if is_error_body(body):
            raise stream_refusal(NAME, body)
        raise UpstreamMalformed(detail=f"a chat completion without choices: {body[:120]!r}")
    return Answer(
        id=reply.id or "",
        model=reply.model or "",
        created=int(reply.created or 0),
        choices=[_choice(choice) for choice in reply.choices],
        usage=usage_of(reply.usage, reply.timings),
        fingerprint=fingerprint_of(reply.system_fingerprint),
        extra=extra,
        extra_wire=NAME,
    )


def extra_of(data: bytes) -> Extra:
    """The top-level fields nobody else reads, byte for byte."""
    fields = _FIELDS.decode(data)
    for name in _READ_FIELDS:
        fields.pop(name, None)
    return fields


def arguments_text(arguments: str | dict[str, Any] | None) -> str:
    """A call's arguments as JSON text; some servers send them as an object."""
    return arguments if isinstance(arguments, str) else msgspec.json.encode(arguments or {}).decode()


def _choice(choice: _Choice) -> Choice:
    message = choice.message
    parts: list[Part] = [] if message is None else _parts(message)
    reason: StopReason | None = None
    sequence = ""
    if choice.finish_reason:
        called = bool(parts) and isinstance(parts[-1], ToolCall)
        reason, sequence = stop_of(choice.finish_reason, choice.stop_reason, called=called)
    return Choice(parts=parts, stop_reason=reason, stop_sequence=sequence, extra=_own_fields(choice))


def _own_fields(choice: _Choice) -> Extra:
    """What of a choice and its message only this wire has a place for, under its own names."""
    extra = {"logprobs": choice.logprobs}
    message = choice.message
    if message is not None:
        extra |= {"audio": message.audio, "annotations": message.annotations}
        if message.refusal:
            extra["refusal"] = msgspec.Raw(msgspec.json.encode(message.refusal))
    return {name: raw for name, raw in extra.items() if bytes(raw) not in _NOTHING}


def _parts(message: _Message) -> list[Part]:
    parts: list[Part] = []
    reasoning = message.reasoning_content or message.reasoning
    if reasoning:
        parts.append(Thinking(text=reasoning))
    if isinstance(message.content, str):
        if message.content:
            parts.append(Text(text=message.content))
    elif message.content:
        parts += [part for raw in message.content for part in pieces_of(raw)]
    if message.refusal:
        parts.append(Text(text=message.refusal))
    for number, raw in enumerate(message.tool_calls or ()):
        parts.append(_tool_call(raw, number))
    if message.function_call is not None:
        function = message.function_call
        parts.append(
            ToolCall(id="call_0_0", name=function.name or "", arguments=arguments_text(function.arguments))
        )
    return parts


def _tool_call(raw: msgspec.Raw, number: int) -> ToolCall | Opaque:
    try:
        call = _CALL.decode(raw)
    except ValueError as error:
        raise UpstreamMalformed(detail=f"a tool call of another shape ({error})") from None
    function = call.function
    if function is None:  # a custom tool's
        return Opaque(wire=NAME, raw=raw)
    return ToolCall(
        id=call.id or f"call_0_{number}",
        name=function.name or "",
        arguments=arguments_text(function.arguments),
    )


class _Piece(msgspec.Struct):
    type: str = ""
    text: str | None = None
    refusal: str | None = None
    thinking: str | list[msgspec.Raw] | None = None


_PIECE = msgspec.json.Decoder(_Piece)


def pieces_of(raw: msgspec.Raw) -> list[Part]:
    """One part of content that came as a list (Mistral's reasoning models); what is not known stays as it is."""
    try:
        piece = _PIECE.decode(raw)
    except (ValueError, RecursionError):
        return [Opaque(wire=NAME, raw=raw)]
    if piece.type == "text" and piece.text is not None:
        return [Text(text=piece.text)]
    if piece.type == "refusal" and piece.refusal is not None:
        return [Text(text=piece.refusal)]
    if piece.type == "thinking" and piece.thinking is not None:
        if isinstance(piece.thinking, str):
            return [Thinking(text=piece.thinking)]
        inner = [part for raw_inner in piece.thinking for part in pieces_of(raw_inner)]
        return [Thinking(text="".join(part.text for part in inner if isinstance(part, Text)))]
    return [Opaque(wire=NAME, raw=raw)]
