"""A whole chat completion, read into an Answer; and the words both whole and streamed replies share."""

from __future__ import annotations

from typing import Any

import msgspec

from headgate.core.errors import UpstreamMalformed
from headgate.core.messages import Answer, Choice, Extra, Opaque, Part, StopReason, Text, Thinking, ToolCall
from headgate.core.usage import Usage
from headgate.providers.wires.openai_chat.request import NAME
from headgate.providers.wires.openai_errors import is_error_body, stream_refusal
from headgate.providers.wires.openai_usage import TokenCount, UnixTime, disjoint

__all__ = [
    "ERROR",
    "STOP_REASONS",
    "Timings",
    "UsageReply",
    "arguments_text",
    "extra_of",
    "fingerprint_of",
    "glance_at_answer",
    "pieces_of",
    "read_answer",
    "stop_of",
    "usage_of",
]

STOP_REASONS: dict[str, StopReason] = {
    "stop": "end",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "content_filter",
    # What compatible servers write.
    "eos": "end",
    "eos_token": "end",
    "end_turn": "end",
    "stop_sequence": "stop_sequence",
    "max_tokens": "max_tokens",
    "model_length": "max_tokens",
}
"""From `finish_reason`; a word not listed means "other"."""

ERROR = "error"
"""The `finish_reason` of routers whose upstream failed in the middle of the answer."""

_LONGEST_FINGERPRINT = 100
_NOTHING = (b"", b"null", b"[]")


class _PromptDetails(msgspec.Struct, gc=False):
    cached_tokens: TokenCount | None = None
    cache_write_tokens: TokenCount | None = None


class _CompletionDetails(msgspec.Struct, gc=False):
    reasoning_tokens: TokenCount | None = None


class UsageReply(msgspec.Struct, gc=False):
    """`usage`, with DeepSeek's name for cached tokens beside OpenAI's."""

    prompt_tokens: TokenCount | None = None
    completion_tokens: TokenCount | None = None
    total_tokens: TokenCount | None = None
    prompt_tokens_details: _PromptDetails | None = None
    completion_tokens_details: _CompletionDetails | None = None
    prompt_cache_hit_tokens: TokenCount | None = None


class Timings(msgspec.Struct, gc=False):
    """llama.cpp's own count, which it sends also when usage was not asked for; `prompt_n` is without `cache_n`."""

    prompt_n: TokenCount | None = None
    predicted_n: TokenCount | None = None
    cache_n: TokenCount | None = None


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


class _GlimpsedMessage(msgspec.Struct, gc=False):
    tool_calls: list[msgspec.Raw] | None = None
    function_call: msgspec.Raw = msgspec.Raw()


class _GlimpsedChoice(msgspec.Struct, gc=False):
    message: _GlimpsedMessage | None = None
    finish_reason: str | None = None
    stop_reason: str | int | None = None


class _Glimpsed(msgspec.Struct, gc=False):
    model: str | None = None
    choices: list[_GlimpsedChoice] | None = None
    usage: UsageReply | None = None
    timings: Timings | None = None
    system_fingerprint: msgspec.Raw = msgspec.Raw()


_GLIMPSED = msgspec.json.Decoder(_Glimpsed)
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


def glance_at_answer(body: bytes) -> Answer:
    """As `read_answer`, but of the choices only why they stopped: a third of the work, for bodies that pass untouched."""
    try:
        seen = _GLIMPSED.decode(body)
    except (ValueError, RecursionError):
        return read_answer(body)
    if not seen.choices:
        return read_answer(body)
    choices = []
    for choice in seen.choices:
        finish = choice.finish_reason
        if finish == ERROR:
            return read_answer(body)
        if finish:
            message = choice.message
            called = message is not None and bool(
                message.tool_calls or bytes(message.function_call) not in _NOTHING
            )
            reason, sequence = stop_of(finish, choice.stop_reason, called=called)
            choices.append(Choice(stop_reason=reason, stop_sequence=sequence))
        else:
            choices.append(Choice())
    return Answer(
        model=seen.model or "",
        choices=choices,
        usage=usage_of(seen.usage, seen.timings),
        fingerprint=fingerprint_of(seen.system_fingerprint),
    )


def fingerprint_of(said: msgspec.Raw) -> str:
    """`system_fingerprint`. What is no short text is nothing: nobody's answer shall fail for it."""
    data = bytes(said)
    if len(data) <= 2 or data[:1] != b'"':
        return ""
    try:
        return msgspec.json.decode(data, type=str)[:_LONGEST_FINGERPRINT]
    except msgspec.DecodeError:
        return ""


def extra_of(data: bytes) -> Extra:
    """The top-level fields nobody else reads, byte for byte."""
    fields = _FIELDS.decode(data)
    for name in _READ_FIELDS:
        fields.pop(name, None)
    return fields


def usage_of(said: UsageReply | None, timings: Timings | None) -> Usage | None:
    """The buckets; None if the provider counted nothing."""
    if said is None or (said.prompt_tokens is None and said.completion_tokens is None):
        return _usage_of_timings(timings) if timings is not None else None
    prompt, completion = said.prompt_tokens_details, said.completion_tokens_details
    cached = prompt.cached_tokens if prompt is not None else None
    return disjoint(
        prompt=said.prompt_tokens or 0,
        completion=said.completion_tokens or 0,
        cached=(said.prompt_cache_hit_tokens if cached is None else cached) or 0,
        written=(prompt.cache_write_tokens or 0) if prompt is not None else 0,
        reasoning=(completion.reasoning_tokens or 0) if completion is not None else 0,
        total=said.total_tokens,
    )


def _usage_of_timings(timings: Timings) -> Usage | None:
    if timings.prompt_n is None and timings.predicted_n is None:
        return None
    return Usage(
        input=timings.prompt_n or 0, cache_read=timings.cache_n or 0, output=timings.predicted_n or 0
    )


def stop_of(finish_reason: str, stop_reason: str | int | None, *, called: bool) -> tuple[StopReason, str]:
    """Why a choice stopped, and the stop sequence if the server named it.

    called: the choice calls tools. A call the caller forced ends with `stop` at OpenAI; it is `tool_use` all the same.
    """
    reason = STOP_REASONS.get(finish_reason, "other")
    if reason == "end":
        if called:
            return "tool_use", ""
        if isinstance(stop_reason, str) and stop_reason:
            return "stop_sequence", stop_reason
    return reason, ""


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
