"""What OpenAI's wires share: the body of an error, and pictures and tools as their requests write them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from headgate.providers.simulated.prompt import BadRequest, ToolOffer
from headgate.providers.simulated.speech import Problem, ProblemKind

__all__ = ["EFFORT_TOKENS", "error_body", "error_of", "text_and_media", "tool_offer"]

_ERRORS: Mapping[ProblemKind, tuple[int, str, str | None]] = {
    "rate_limit": (429, "requests", "rate_limit_exceeded"),
    "quota": (429, "insufficient_quota", "insufficient_quota"),
    "auth": (401, "invalid_request_error", "invalid_api_key"),
    "model_unknown": (404, "invalid_request_error", "model_not_found"),
    "context_length": (400, "invalid_request_error", "context_length_exceeded"),
    "content_filter": (400, "invalid_request_error", "content_filter"),
    "server_error": (500, "server_error", None),
    "overloaded": (503, "server_error", "overloaded"),
    "overloaded_529": (529, "server_error", "overloaded"),
    "invalid": (400, "invalid_request_error", None),
    "path": (404, "invalid_request_error", None),
}
"""Status, type, code."""

EFFORT_TOKENS: Mapping[str, int] = {
    "none": 0,
    "minimal": 15,
    "low": 30,
    "medium": 80,
    "high": 160,
    "xhigh": 320,
    "max": 320,
}
"""How many tokens of reasoning a word of effort is worth here."""


def error_of(problem: Problem) -> dict[str, Any]:
    """The error object."""
    _, kind, code = _ERRORS[problem.kind]
    return {"message": problem.message, "type": kind, "param": problem.param, "code": code}


def error_body(problem: Problem, name: str) -> tuple[int, bytes]:
    """Status and body; the request's name travels in a header with this vendor."""
    del name
    return _ERRORS[problem.kind][0], msgspec.json.encode({"error": error_of(problem)})


def text_and_media(content: str | list[dict[str, Any]] | None) -> tuple[str, int, int]:
    """The text of a message, its pictures and its files."""
    if content is None or isinstance(content, str):
        return content or "", 0, 0
    texts, images, files = [], 0, 0
    for part in content:
        kind = part.get("type")
        if isinstance(text := part.get("text") or part.get("refusal"), str):
            texts.append(text)
        elif kind in {"image_url", "input_image"}:
            images += 1
        elif kind in {"file", "input_file", "input_audio"}:
            files += 1
        else:
            raise BadRequest(f"Invalid value: {kind!r} is no type of content part.", "messages")
    return "\n".join(texts), images, files


def tool_offer(function: dict[str, Any]) -> ToolOffer:
    """A function as both of OpenAI's chat wires describe it. Raises BadRequest without a name."""
    name, schema = function.get("name"), function.get("parameters")
    if not isinstance(name, str) or not name:
        raise BadRequest("Missing required parameter: the name of a function.", "tools")
    return ToolOffer(name, str(function.get("description") or ""), schema if isinstance(schema, dict) else {})
