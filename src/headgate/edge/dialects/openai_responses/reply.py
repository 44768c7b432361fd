"""Answers as OpenAI responses. The stream is in `stream`; what both say alike is here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from uuid import uuid4

from headgate.core.messages import Answer, Choice, Opaque, StopReason, Text, Thinking, ToolCall
from headgate.core.usage import Usage
from headgate.edge.dialects.openai_responses.marks import encrypted_content

__all__ = [
    "STATUSES",
    "call_item",
    "made_up",
    "message_item",
    "reasoning_item",
    "response_body",
    "response_of",
    "response_usage",
    "text_part",
]

WIRE = "openai.responses"

STATUSES: dict[StopReason, tuple[str, str | None]] = {
    "end": ("completed", None),
    "max_tokens": ("incomplete", "max_output_tokens"),
    "stop_sequence": ("completed", None),
    "tool_use": ("completed", None),
    "content_filter": ("incomplete", "content_filter"),
    "pause": ("completed", None),
    "context_exceeded": ("incomplete", "max_output_tokens"),
    "other": ("completed", None),
}
"""Status and the reason of an incomplete response."""


def made_up(prefix: str) -> str:
    """An id for providers that give none."""
    return prefix + uuid4().hex


def response_usage(usage: Usage | None) -> dict[str, Any] | None:
    """Input with cached tokens, output with reasoning."""
    if usage is None:
        return None
    return {
        "input_tokens": usage.prompt,
        "input_tokens_details": {
            "cached_tokens": usage.cache_read,
            "cache_write_tokens": usage.cache_write + usage.cache_write_1h,
        },
        "output_tokens": usage.completion,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.total,
    }


def text_part(text: str) -> dict[str, Any]:
    """A content part of a message."""
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def message_item(identity: str, content: list[Any], status: str) -> dict[str, Any]:
    """What the assistant said."""
    return {"id": identity, "type": "message", "status": status, "role": "assistant", "content": content}


def call_item(identity: str, call_id: str, name: str, arguments: str, status: str) -> dict[str, Any]:
    """A function the model calls."""
    return {
        "id": identity,
        "type": "function_call",
        "status": status,
        "call_id": call_id,
        "name": name,
        "arguments": arguments,
    }


def reasoning_item(identity: str, summary: str, encrypted: str) -> dict[str, Any]:
    """The model's reasoning. encrypted: for its own vendor, on the next turn."""
    item: dict[str, Any] = {"id": identity, "type": "reasoning", "summary": []}
    if summary:
        item["summary"] = [{"type": "summary_text", "text": summary}]
    if encrypted:
        item["encrypted_content"] = encrypted
    return item


def response_body(
    *,
    identity: str,
    created: int,
    model: str,
    status: str,
    output: list[Any],
    usage: Usage | None = None,
    incomplete: str | None = None,
    error: Mapping[str, Any] | None = None,
    max_tokens: int | None = None,
    metadata: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A `response` object. The request's settings are not echoed but for a few: the SDKs only need them to be there."""
    return {
        "id": identity,
        "object": "response",
        "created_at": created,
        "status": status,
        "background": False,
        "error": error,
        "incomplete_details": None if incomplete is None else {"reason": incomplete},
        "instructions": None,
        "max_output_tokens": max_tokens,
        "metadata": metadata or {},
        "model": model,
        "output": output,
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "temperature": None,
        "tool_choice": "auto",
        "tools": [],
        "top_p": None,
        "usage": response_usage(usage),
    }


def response_of(answer: Answer, now: Callable[[], float]) -> dict[str, Any]:
    """A whole answer; the vendor's own fields again, if it came over this wire."""
    choice = answer.choices[0] if answer.choices else Choice()
    status, reason = STATUSES[choice.stop_reason or "end"]
    body = response_body(
        identity=answer.id or made_up("resp_"),
        created=answer.created or int(now()),
        model=answer.model,
        status=status,
        output=_output(answer.id or "0", choice, status),
        usage=answer.usage,
        incomplete=reason,
    )
    if answer.extra_wire == WIRE:
        body |= {name: raw for name, raw in answer.extra.items() if name not in _OURS}
    return body


_OURS = frozenset({"id", "object", "created_at", "status", "incomplete_details", "model", "output", "usage"})
"""What an answer's own fields never replace, as a stage may have changed it."""


def _output(seed: str, choice: Choice, status: str) -> list[Any]:
    items: list[Any] = []
    said: list[Any] | None = None
    """The content of the message under way: neighbouring texts are one message."""
    for part in choice.parts:
        number = len(items)
        if isinstance(part, Text):
            if said is None:
                said = []
                items.append(message_item(f"msg_{seed}_{number}", said, status))
            said.append(text_part(part.text))
            continue
        said = None
        if isinstance(part, Thinking):
            sealed = encrypted_content(part.signature, part.redacted)
            items.append(reasoning_item(f"rs_{seed}_{number}", part.text, sealed))
        elif isinstance(part, ToolCall):
            call_id = part.id or made_up("call_")
            items.append(
                call_item(f"fc_{seed}_{number}", call_id, part.name, part.arguments or "{}", "completed")
            )
        elif isinstance(part, Opaque) and part.wire == WIRE:
            items.append(part.raw)
    return items
