"""A whole answer of Converse read into the canonical one."""

from __future__ import annotations

import msgspec

from headgate.core.errors import UpstreamMalformed
from headgate.core.messages import Answer, Choice, Opaque, Part, StopReason, Text, Thinking, ToolCall
from headgate.core.usage import Usage
from headgate.providers.wires.bedrock_converse.content import WIRE

__all__ = ["STOP_REASONS", "Trace", "UsageFields", "answer_of", "usage_of"]

STOP_REASONS: dict[str, StopReason] = {
    "end_turn": "end",
    "tool_use": "tool_use",
    "max_tokens": "max_tokens",
    "stop_sequence": "stop_sequence",
    "guardrail_intervened": "content_filter",
    "content_filtered": "content_filter",
    "malformed_model_output": "other",
    "malformed_tool_use": "other",
    "model_context_window_exceeded": "context_exceeded",
}

_NONE = msgspec.Raw(b"")


class _Wire(msgspec.Struct, rename="camel"):
    pass


class _CacheDetail(_Wire):
    ttl: str = ""
    input_tokens: int = 0


class UsageFields(_Wire):
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_input_tokens: int = 0
    cache_write_input_tokens: int = 0
    cache_details: list[_CacheDetail] | None = None


class _Router(_Wire):
    invoked_model_id: str = ""


class Trace(_Wire):
    """Of the traces only the model that a prompt router chose is read."""

    prompt_router: _Router | None = None

    @property
    def model(self) -> str:
        return "" if self.prompt_router is None else self.prompt_router.invoked_model_id.rpartition("/")[2]


class _ToolUse(_Wire):
    tool_use_id: str
    name: str
    input: msgspec.Raw = msgspec.Raw(b"{}")
    type: str = ""


class _ReasoningText(_Wire):
    text: str = ""
    signature: str = ""


class _Reasoning(_Wire):
    reasoning_text: _ReasoningText | None = None
    redacted_content: str = ""


class _CitedText(_Wire):
    text: str = ""


class _Cited(_Wire):
    content: list[_CitedText] = []
    citations: msgspec.Raw = _NONE


class _Block(_Wire):
    text: str | None = None
    tool_use: _ToolUse | None = None
    reasoning_content: _Reasoning | None = None
    citations_content: _Cited | None = None


class _Message(_Wire):
    content: list[msgspec.Raw] = []


class _Output(_Wire):
    message: _Message


class _Reply(_Wire):
    output: _Output
    stop_reason: str
    usage: UsageFields | None = None
    trace: msgspec.Raw = _NONE
    additional_model_response_fields: msgspec.Raw = _NONE
    performance_config: msgspec.Raw = _NONE
    service_tier: msgspec.Raw = _NONE


_EXTRAS = {
    "trace": "trace",
    "additional_model_response_fields": "additionalModelResponseFields",
    "performance_config": "performanceConfig",
    "service_tier": "serviceTier",
}

_decode_reply = msgspec.json.Decoder(_Reply).decode
_decode_block = msgspec.json.Decoder(_Block).decode
_decode_trace = msgspec.json.Decoder(Trace).decode


def usage_of(fields: UsageFields) -> Usage:
    """`inputTokens` excludes what was read from or written to the cache; `outputTokens` includes reasoning, which is
    not told apart."""
    written = fields.cache_write_input_tokens
    hour = sum(detail.input_tokens for detail in fields.cache_details or () if detail.ttl == "1h")
    hour = min(hour, written)
    return Usage(
        input=fields.input_tokens,
        cache_read=fields.cache_read_input_tokens,
        cache_write=written - hour,
        cache_write_1h=hour,
        output=fields.output_tokens,
    )


def answer_of(body: bytes) -> Answer:
    """The answer in `body`. Raises UpstreamMalformed if it is none."""
    try:
        reply = _decode_reply(body)
        parts = [_part(raw) for raw in reply.output.message.content]
        model = "" if reply.trace is _NONE else _decode_trace(reply.trace).model
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise UpstreamMalformed(detail=f"no Converse reply: {error}") from None
    extra = {}
    for field, name in _EXTRAS.items():
        raw = getattr(reply, field)
        if raw is not _NONE and bytes(raw) != b"null":
            extra[name] = raw.copy()
    return Answer(
        model=model,
        choices=[Choice(parts=parts, stop_reason=STOP_REASONS.get(reply.stop_reason, "other"))],
        usage=None if reply.usage is None else usage_of(reply.usage),
        extra=extra,
        extra_wire=WIRE,
    )


def _part(raw: msgspec.Raw) -> Part:
    block = _decode_block(raw)
    if block.text is not None:
        return Text(text=block.text)
    use = block.tool_use
    if use is not None and not use.type:
        return ToolCall(id=use.tool_use_id, name=use.name, arguments=bytes(use.input).decode())
    reasoning = block.reasoning_content
    if reasoning is not None and reasoning.redacted_content:
        return Thinking(redacted=reasoning.redacted_content)
    if reasoning is not None and reasoning.reasoning_text is not None:
        return Thinking(text=reasoning.reasoning_text.text, signature=reasoning.reasoning_text.signature)
    cited = block.citations_content
    if cited is not None:
        kept = {} if cited.citations is _NONE else {"citations": cited.citations.copy()}
        return Text(text="".join(piece.text for piece in cited.content), extra=kept)
    return Opaque(wire=WIRE, raw=raw.copy())
