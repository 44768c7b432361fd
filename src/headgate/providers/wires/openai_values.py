"""Values that OpenAI's chat and responses wires say the same way: pictures and files as URLs, effort, metadata."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import msgspec

from headgate.core.errors import UnsupportedRequest
from headgate.core.messages import ChatRequest, File, Image, Opaque, ResponseFormat, Tool

__all__ = [
    "data_url",
    "effort_of",
    "inline_text",
    "json_schema",
    "metadata_of",
    "own_opaque",
    "parameters_of",
    "same_family",
]

_LOW_BELOW, _MEDIUM_BELOW = 4_096, 16_384


def effort_of(request: ChatRequest) -> str:
    """Reasoning effort in OpenAI's words, "" to say nothing.

    A budget of tokens (Anthropic, Gemini) becomes a word: under 4,096 low, under 16,384 medium, else high. A budget of 0
    says nothing, because models that cannot reason refuse the field even when it asks for none.
    """
    if request.effort:
        return request.effort
    budget = request.thinking_budget
    if not budget:
        return ""
    if budget < _LOW_BELOW:
        return "low"
    return "medium" if budget < _MEDIUM_BELOW else "high"


def data_url(image: Image) -> str:
    """The picture's address, or the picture itself as a data URL."""
    return image.url or f"data:{image.media_type or 'image/png'};base64,{image.data}"


def inline_text(file: File) -> str | None:
    """The file's text, if it carries plain text: OpenAI takes documents as PDF only. None for anything else."""
    if not file.data or not file.media_type.startswith("text/"):
        return None
    try:
        return base64.b64decode(file.data, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None


def parameters_of(tool: Tool) -> Any:
    """The tool's JSON Schema. An empty one becomes a schema without properties, which every server takes."""
    return (
        tool.schema
        if bytes(tool.schema).strip() not in (b"", b"{}")
        else {"type": "object", "properties": {}}
    )


def json_schema(wanted: ResponseFormat) -> dict[str, Any]:
    """The named schema of a structured answer."""
    said: dict[str, Any] = {"name": wanted.name}
    if wanted.description:
        said["description"] = wanted.description
    said["schema"] = wanted.schema
    if wanted.strict is not None:
        said["strict"] = wanted.strict
    return said


def same_family(request: ChatRequest) -> bool:
    """Does the request come from an OpenAI dialect, or from the gateway itself?"""
    return not request.extra_wire or request.extra_wire.startswith("openai.")


def metadata_of(request: ChatRequest) -> dict[str, Any]:
    """OpenAI's `metadata`; that of another family means something else and stays behind."""
    return request.metadata if same_family(request) else {}


def own_opaque(part: Opaque, wire: str) -> msgspec.Raw:
    """The part's JSON, if this very wire wrote it. Raises UnsupportedRequest."""
    if part.wire != wire:
        raise UnsupportedRequest(
            f"The request has a part that only `{part.wire}` can carry, and the routed model is reached by `{wire}`; "
            "leave it out or ask for a model of that vendor",
            detail=bytes(part.raw)[:200].decode("utf-8", "replace"),
        )
    return part.raw
