"""What OpenAI, Azure and the many servers that speak their format say when they refuse, read into our errors.

Shapes seen: `{"error": {message, type, param, code}}` (OpenAI; Azure adds `innererror`; OpenRouter and vLLM put an HTTP
status into `code`), the same inside a list (Gemini's compatible interface), `{"error": "text"}` (Ollama),
`{"object": "error", "message": …}` (older vLLM), `{"detail": …}` (FastAPI), `{"statusCode": …, "message": …}` (Azure's
front door).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from headgate.core.errors import (
    ContentFiltered,
    ContextTooLong,
    ProviderAuthFailed,
    ProviderModelUnknown,
    ProviderOverloaded,
    ProviderQuotaSpent,
    ProviderRateLimited,
    ProviderRefusal,
    ProviderRejected,
)
from headgate.providers.port import Headers
from headgate.providers.wires.refusals import Rule, plain_detail, refusal

__all__ = ["RULES", "http_refusal", "is_error_body", "stream_refusal"]

_TOO_LONG = r"maximum context length|context (length|window|size)|prompt is too long|input is too long"
_FILTERED = r"content management policy|content filter|violat\w+ our (usage )?polic"

RULES: Sequence[Rule] = (
    Rule(ProviderQuotaSpent, kind="insufficient_quota"),
    Rule(ProviderQuotaSpent, kind="billing_hard_limit_reached"),
    Rule(ProviderQuotaSpent, kind="billing_not_active"),
    Rule(ProviderQuotaSpent, status=429, words=r"exceeded your current quota|billing|credit balance"),
    Rule(ProviderRateLimited, kind="rate_limit_exceeded"),
    Rule(ProviderRateLimited, kind="rate_limit_error"),
    # Before the words on length: "Request too large … tokens per min" is no matter of context.
    Rule(ProviderRateLimited, status=429),
    Rule(ProviderAuthFailed, kind="invalid_api_key"),
    Rule(ProviderAuthFailed, kind="authentication_error"),
    Rule(ProviderAuthFailed, status=400, words=r"API key not valid"),  # Gemini's compatible interface
    Rule(ContextTooLong, kind="context_length_exceeded"),
    Rule(ContextTooLong, kind="exceed_context_size_error"),  # llama.cpp
    Rule(ContentFiltered, kind="content_filter"),
    Rule(ContentFiltered, kind="ResponsibleAIPolicyViolation"),  # Azure's innererror
    Rule(ContentFiltered, kind="content_policy_violation"),
    Rule(ContentFiltered, kind="image_content_policy_violation"),
    Rule(ContentFiltered, kind="moderation_blocked"),
    Rule(ContentFiltered, kind="invalid_prompt"),
    Rule(ContentFiltered, kind="bio_policy"),
    Rule(ContentFiltered, kind="misalignment_policy_violation"),
    Rule(ProviderModelUnknown, kind="model_not_found"),
    Rule(ProviderModelUnknown, kind="DeploymentNotFound"),  # Azure
    Rule(ProviderOverloaded, kind="overloaded_error"),
    Rule(ProviderOverloaded, kind="server_overloaded"),
    Rule(ProviderOverloaded, kind="engine_overloaded"),
    Rule(ProviderOverloaded, kind="server_is_overloaded"),
    Rule(ProviderOverloaded, status=200, words=r"\boverloaded\b"),
    *(Rule(ContextTooLong, status=status, words=_TOO_LONG) for status in (200, 400, 413, 422, 500)),
    *(Rule(ContentFiltered, status=status, words=_FILTERED) for status in (200, 400)),
    Rule(ProviderModelUnknown, status=400, words=r"model .{1,200}(does not exist|not found)|unknown model"),
    # Inside a stream there is no status to tell whose mistake it was.
    Rule(ProviderRejected, kind="invalid_request_error", status=200),
    Rule(ProviderRejected, kind="BadRequestError", status=200),
    *(
        Rule(ProviderRejected, status=200, kind=problem)
        for problem in (
            "invalid_image",
            "invalid_image_format",
            "invalid_base64_image",
            "invalid_image_url",
            "invalid_image_mode",
            "image_too_large",
            "image_too_small",
            "image_parse_error",
            "image_file_too_large",
            "image_file_not_found",
            "unsupported_image_media_type",
            "empty_image_file",
            "failed_to_download_image",
        )
    ),
)
"""The first that fits decides; codes come before words, because messages change."""


def http_refusal(wire: str, status: int, headers: Headers, body: bytes) -> ProviderRefusal:
    """The error behind a reply that is not 2xx, whatever its body is."""
    said = _decoded(body)
    if said is None:
        return refusal(
            RULES, wire=wire, status=status, kinds=(), text=plain_detail(body), body=body, headers=headers
        )
    kinds, text, param, _ = _read(said)
    return refusal(
        RULES, wire=wire, status=status, kinds=kinds, text=text, body=body, headers=headers, param=param
    )


def stream_refusal(wire: str, data: bytes) -> ProviderRefusal:
    """The error that came as an event, or as the whole body, of a reply with status 200."""
    said = _decoded(data)
    if said is None:
        return refusal(RULES, wire=wire, status=200, kinds=(), text=plain_detail(data), body=data)
    kinds, text, param, status = _read(said)
    return refusal(RULES, wire=wire, status=status, kinds=kinds, text=text, body=data, param=param)


def is_error_body(data: bytes) -> bool:
    """Is this JSON one of the error shapes, not an answer?"""
    said = _decoded(data)
    return said is not None and (bool(said.get("error")) or said.get("object") == "error" or "detail" in said)


def _decoded(body: bytes) -> dict[str, Any] | None:
    try:
        said = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if isinstance(said, list) and said:
        said = said[0]
    return said if isinstance(said, dict) else None


def _read(said: dict[str, Any]) -> tuple[list[str], str, str | None, int]:
    """Types and codes, message, param, and the HTTP status named inside (200 if none)."""
    error = said.get("error") or said
    if isinstance(error, str):
        return [], error, None, 200
    if not isinstance(error, dict):
        return [], str(error), None, 200
    inner = error.get("innererror")
    named = [error.get("code"), error.get("type"), inner.get("code") if isinstance(inner, dict) else None]
    message = error.get("message") or error.get("detail") or said.get("message") or ""
    if not isinstance(message, str):
        message = msgspec.json.encode(message).decode()
    param = error.get("param")
    status = next(filter(None, map(_status, (error.get("code"), error.get("status")))), 200)
    return (
        [k for k in named if isinstance(k, str)],
        message,
        param if isinstance(param, str) else None,
        status,
    )


def _status(code: object) -> int:
    """`code` if it is the HTTP status of an error, else 0."""
    return code if isinstance(code, int) and not isinstance(code, bool) and 400 <= code <= 599 else 0
