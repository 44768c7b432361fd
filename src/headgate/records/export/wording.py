"""Prompts and answers as the conventions write them on spans: messages made of parts, as JSON. Pure.

What has no form of its own there (pictures, documents, a vendor's own parts) is named and not copied.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from headgate.core.messages import (
    Answer,
    ChatRequest,
    Opaque,
    Part,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
)
from headgate.records.export.spans import finish_reasons
from headgate.stores.spans import Content
from headgate.telemetry.otlp import names
from headgate.telemetry.otlp.signals import Value

__all__ = ["ReadAnswer", "ReadPrompt", "answer_words", "prompt_words"]

ReadPrompt = Callable[[Content], ChatRequest | None]
"""A prompt as it is kept -> what it says; None for one that cannot be read, or is no conversation."""
ReadAnswer = Callable[[Content], Answer | None]

_json = msgspec.json.encode


def prompt_words(request: ChatRequest) -> list[tuple[str, Value]]:
    """What was asked, and how."""
    messages = [
        {
            # A tool's answer is a turn of the user's side with us, and a role of its own there.
            "role": "tool" if any(isinstance(part, ToolResult) for part in each.parts) else each.role,
            "parts": _parts(each.parts),
        }
        for each in request.messages
    ]
    found: list[tuple[str, Value]] = [(names.INPUT_MESSAGES, _text(messages))]
    if request.system:
        found.append((names.SYSTEM_INSTRUCTIONS, _text(_parts(request.system))))
    for name, value in (
        (names.REQUEST_MAX_TOKENS, request.max_tokens),
        (names.REQUEST_TEMPERATURE, request.temperature),
        (names.REQUEST_TOP_P, request.top_p),
    ):
        if value is not None:
            found.append((name, value))
    return found


def answer_words(answer: Answer) -> list[tuple[str, Value]]:
    """What was answered."""
    messages = [
        {
            "role": "assistant",
            "parts": _parts(choice.parts),
            "finish_reason": finish_reasons(choice.stop_reason or "other"),
        }
        for choice in answer.choices
    ]
    return [(names.OUTPUT_MESSAGES, _text(messages))]


def _parts(parts: Iterable[Part]) -> list[dict[str, Any]]:
    return [_part(each) for each in parts]


def _part(part: Part) -> dict[str, Any]:
    if isinstance(part, Text):
        return {"type": "text", "content": part.text}
    if isinstance(part, ToolCall):
        return {
            "type": "tool_call",
            "id": part.id,
            "name": part.name,
            "arguments": _arguments(part.arguments),
        }
    if isinstance(part, ToolResult):
        return {"type": "tool_call_response", "id": part.call_id, "response": _parts(part.content)}
    if isinstance(part, Thinking):
        return {"type": "reasoning", "content": part.text}
    if isinstance(part, Opaque):
        return {"type": part.wire}
    return {"type": type(part).__name__.lower(), "mime_type": part.media_type}


def _arguments(text: str) -> Any:
    """As JSON, if it is; a model may write what is none."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


def _text(value: object) -> str:
    return _json(value).decode()
