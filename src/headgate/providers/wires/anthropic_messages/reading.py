"""A whole answer of the Messages API read into the canonical one."""

from __future__ import annotations

import msgspec

from headgate.core.errors import UpstreamMalformed
from headgate.core.messages import Answer, Choice, Opaque, Part, StopReason, Text, Thinking, ToolCall
from headgate.providers.wires.anthropic_messages.content import WIRE
from headgate.providers.wires.anthropic_messages.errors import is_refusal, refusal_of
from headgate.providers.wires.anthropic_messages.usage import UsageFields, usage_of

__all__ = ["STOP_REASONS", "answer_of"]

STOP_REASONS: dict[str, StopReason] = {
    "end_turn": "end",
    "max_tokens": "max_tokens",
    "stop_sequence": "stop_sequence",
    "tool_use": "tool_use",
    "pause_turn": "pause",
    "refusal": "content_filter",
    "model_context_window_exceeded": "context_exceeded",
}

_NONE = msgspec.Raw(b"")
_ABSENT = (b"", b"null")


class _Message(msgspec.Struct):
    id: str
    content: list[msgspec.Raw]
    model: str = ""
    stop_reason: str | None = None
    stop_sequence: str | None = None
    usage: UsageFields | None = None
    container: msgspec.Raw = _NONE
    stop_details: msgspec.Raw = _NONE
    diagnostics: msgspec.Raw = _NONE
    context_management: msgspec.Raw = _NONE


class _Block(msgspec.Struct):
    type: str
    text: str = ""
    citations: msgspec.Raw = _NONE
    thinking: str = ""
    signature: str = ""
    data: str = ""
    id: str = ""
    name: str = ""
    input: msgspec.Raw = msgspec.Raw(b"{}")
    caller: msgspec.Raw = _NONE
    toolset_name: msgspec.Raw = _NONE


_decode_message = msgspec.json.Decoder(_Message).decode
_decode_type = msgspec.json.Decoder(_Block).decode


def answer_of(body: bytes) -> Answer:
    """The answer in `body`. Raises UpstreamMalformed if it is no message, the provider's refusal if it is one."""
    try:
        message = _decode_message(body)
        parts = [_part(raw) for raw in message.content]
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        if is_refusal(body):
            raise refusal_of(WIRE, 200, body) from None
        raise UpstreamMalformed(detail=f"no Anthropic message: {error}") from None
    reason = message.stop_reason
    return Answer(
        id=message.id,
        model=message.model,
        choices=[
            Choice(
                parts=parts,
                stop_reason=None if reason is None else STOP_REASONS.get(reason, "other"),
                stop_sequence=message.stop_sequence or "",
            )
        ],
        usage=None if message.usage is None else usage_of(message.usage),
        extra=_present(message, ("container", "stop_details", "diagnostics", "context_management")),
        extra_wire=WIRE,
    )


def _present(source: object, names: tuple[str, ...]) -> dict[str, msgspec.Raw]:
    kept = {}
    for name in names:
        raw = getattr(source, name)
        if raw is not _NONE and bytes(raw) not in _ABSENT:
            # A copy: a slice would keep the whole body in memory as long as the part lives.
            kept[name] = raw.copy()
    return kept


def _part(raw: msgspec.Raw) -> Part:
    block = _decode_type(raw)
    kind = block.type
    if kind == "text":
        if block.citations is _NONE:
            return Text(text=block.text)
        return Text(text=block.text, extra=_present(block, ("citations",)))
    if kind == "tool_use":
        extra = _present(block, ("caller", "toolset_name"))
        return ToolCall(id=block.id, name=block.name, arguments=bytes(block.input).decode(), extra=extra)
    if kind == "thinking":
        return Thinking(text=block.thinking, signature=block.signature)
    if kind == "redacted_thinking":
        return Thinking(redacted=block.data)
    return Opaque(wire=WIRE, raw=raw.copy())
