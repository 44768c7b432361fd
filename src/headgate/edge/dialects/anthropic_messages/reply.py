"""Answers as Anthropic messages. Its stream is in `stream`; what both say alike is here."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import msgspec

from headgate.core.messages import Answer, Choice, Opaque, Part, StopReason, Text, Thinking, ToolCall
from headgate.core.usage import Usage
from headgate.edge.dialects.sse import json_bytes

__all__ = ["STOP_REASONS", "final_usage", "made_up", "message", "start_usage", "stop_reason"]

WIRE = "anthropic.messages"

STOP_REASONS: dict[StopReason, str] = {
    "end": "end_turn",
    "max_tokens": "max_tokens",
    "stop_sequence": "stop_sequence",
    "tool_use": "tool_use",
    "content_filter": "refusal",
    "pause": "pause_turn",
    "context_exceeded": "model_context_window_exceeded",
    "other": "end_turn",
}

_arguments = msgspec.json.Decoder(dict[str, Any])


def stop_reason(reason: StopReason | None, *, calls: bool, refused: bool) -> str:
    """The vendor's word. calls, refused: the answer calls tools, or its text is a refusal; not every provider makes
    that the reason, and Anthropic's clients look there."""
    if reason in ("end", None):
        return "refusal" if refused else "tool_use" if calls else "end_turn"
    return STOP_REASONS[reason]


def final_usage(usage: Usage | None) -> dict[str, Any]:
    """Usage at the end of a stream. Unknown counts are 0, as the SDKs require a number."""
    if usage is None:
        return {"output_tokens": 0}
    said: dict[str, Any] = {
        "input_tokens": usage.input,
        "cache_creation_input_tokens": usage.cache_write + usage.cache_write_1h,
        "cache_read_input_tokens": usage.cache_read,
        "output_tokens": usage.completion,
        "output_tokens_details": {"thinking_tokens": usage.reasoning},
    }
    if usage.cache_write_1h:
        # The vendor tells this at the start only, but the two kinds have two prices, and here it may be news.
        said["cache_creation"] = _written(usage)
    return said


def _written(usage: Usage) -> dict[str, int]:
    return {
        "ephemeral_5m_input_tokens": usage.cache_write,
        "ephemeral_1h_input_tokens": usage.cache_write_1h,
    }


def start_usage(usage: Usage | None) -> dict[str, Any]:
    """Usage of a whole message or at the start of a stream; 0 where nothing is known yet."""
    usage = usage or Usage()
    return {**final_usage(usage), "cache_creation": _written(usage)}


def made_up(prefix: str) -> str:
    """An id for providers that give none."""
    return prefix + uuid4().hex[:24]


def message(answer: Answer) -> bytes:
    """A `message` object of the first choice; the vendor's own fields again, if the answer came over this wire."""
    own = answer.extra_wire == WIRE
    choice = answer.choices[0] if answer.choices else Choice()
    calls = any(isinstance(part, ToolCall) for part in choice.parts)
    body: dict[str, Any] = {
        "id": answer.id or made_up("msg_"),
        "type": "message",
        "role": "assistant",
        "model": answer.model,
        "content": [block for part in choice.parts if (block := _block(part, own)) is not None],
        "stop_reason": stop_reason(choice.stop_reason, calls=calls, refused=False),
        "stop_sequence": choice.stop_sequence or None,
        "usage": start_usage(answer.usage),
    }
    if own:
        body = {**answer.extra, **choice.extra, **body}
    return json_bytes(body)


def _block(part: Part, own: bool) -> Any:
    """The content block that says `part`; None if this vendor has no word for it."""
    if isinstance(part, Text):
        block: dict[str, Any] = {"type": "text", "text": part.text}
        if not part.text:
            return None  # the vendor never sends an empty block, and refuses one that comes back
    elif isinstance(part, Thinking):
        if part.redacted:
            block = {"type": "redacted_thinking", "data": part.redacted}
        else:
            block = {"type": "thinking", "thinking": part.text, "signature": part.signature}
    elif isinstance(part, ToolCall):
        identity = part.id or made_up("toolu_")
        block = {"type": "tool_use", "id": identity, "name": part.name, "input": _input(part.arguments)}
    elif isinstance(part, Opaque):
        return part.raw if part.wire == WIRE else None
    else:
        return None
    return {**part.extra, **block} if own else block


def _input(arguments: str) -> Any:
    """The arguments as the object they must be here. What is no JSON object is kept as text under `_raw`, so that the
    application sees what the model wrote, and its own check of the arguments fails."""
    if not arguments.strip():
        return {}
    try:
        _arguments.decode(arguments)
    except (ValueError, RecursionError):
        return {"_raw": arguments}
    return msgspec.Raw(arguments.encode())
