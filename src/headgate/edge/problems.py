"""How an error looks to a caller: one table from its category to each vendor's words, and the bodies around them.

Dialects of one family share their bodies. A provider's refusal that is the caller's fault passes untouched to a
caller who speaks that provider's own wire; everything else is said in Headgate's words.
"""

from __future__ import annotations

import math
from http import HTTPStatus
from typing import Any, Literal, NamedTuple

import msgspec

from headgate.core.errors import Category, GatewayError, ProviderRefusal

__all__ = [
    "CATEGORIES",
    "Family",
    "Problem",
    "Words",
    "anthropic_error",
    "anthropic_problem",
    "openai_error",
    "openai_problem",
    "plain_response",
    "response_code",
    "should_retry",
]

Family = Literal["openai", "anthropic"]
Problem = tuple[int, list[tuple[bytes, bytes]], bytes]
"""Status, headers, body."""


class Words(NamedTuple):
    """What one category is called by each vendor."""

    openai: str
    """`error.type` of OpenAI's bodies."""
    anthropic: str
    """`error.type` of Anthropic's bodies; one of those its SDK's `ErrorType` lists."""
    response: str
    """`error.code` of a failed response (OpenAI's responses API has a closed list)."""
    anthropic_status: int | None = None
    """Where Anthropic uses another status than the error's own."""


CATEGORIES: dict[Category, Words] = {
    "invalid_request": Words("invalid_request_error", "invalid_request_error", "invalid_prompt"),
    "authentication": Words("invalid_request_error", "authentication_error", "server_error"),
    "permission": Words("invalid_request_error", "permission_error", "server_error"),
    "not_found": Words("invalid_request_error", "not_found_error", "invalid_prompt"),
    "too_large": Words("invalid_request_error", "invalid_request_error", "invalid_prompt"),
    "request_timeout": Words("invalid_request_error", "timeout_error", "server_error"),
    "rate_limit": Words("rate_limit_error", "rate_limit_error", "rate_limit_exceeded"),
    "quota": Words("insufficient_quota", "billing_error", "rate_limit_exceeded", 402),
    "content_policy": Words("invalid_request_error", "invalid_request_error", "invalid_prompt"),
    "context_length": Words("invalid_request_error", "invalid_request_error", "invalid_prompt"),
    "overloaded": Words("server_error", "overloaded_error", "server_error", 529),
    "upstream_timeout": Words("server_error", "timeout_error", "server_error"),
    "upstream": Words("server_error", "api_error", "server_error"),
    "internal": Words("server_error", "api_error", "server_error"),
    "hung_up": Words("server_error", "api_error", "server_error"),
}
"""Sources: the types the vendors' SDKs know (openai 3, anthropic 2) and the error pages of their documentation."""

_JSON = (b"content-type", b"application/json")
_encode = msgspec.json.Encoder().encode


def should_retry(error: GatewayError) -> bool:
    """May the caller's SDK try again by itself?

    Not after a provider failed: Headgate has spent its own retries, and an SDK would multiply them."""
    return error.retryable and error.fault != "provider"


def openai_error(error: GatewayError) -> dict[str, Any]:
    """The object under `error` in OpenAI's bodies."""
    return {
        "message": error.message,
        "type": CATEGORIES[error.category].openai,
        "param": error.param,
        "code": error.code,
    }


def openai_problem(error: GatewayError, request_id: str, wire: str) -> Problem:
    """A refusal as OpenAI writes it. wire: the caller's, whose own refusals pass untouched."""
    headers = [_JSON, (b"x-request-id", request_id.encode()), *_retry_headers(error)]
    passed = _own_words(error, wire)
    if passed is not None:
        return passed[0], headers, passed[1]
    return error.status, headers, _encode({"error": openai_error(error)})


def anthropic_error(error: GatewayError, request_id: str) -> dict[str, Any]:
    """Anthropic's error body. `details.error_code` is our own code: the SDK shows it as `error.error_code`."""
    return {
        "type": "error",
        "error": {
            "type": CATEGORIES[error.category].anthropic,
            "message": error.message,
            "details": {"error_code": error.code},
        },
        "request_id": request_id,
    }


def anthropic_problem(error: GatewayError, request_id: str, wire: str) -> Problem:
    """A refusal as Anthropic writes it. wire: the caller's, whose own refusals pass untouched."""
    identity = request_id.encode()
    headers = [_JSON, (b"request-id", identity), (b"x-request-id", identity), *_retry_headers(error)]
    passed = _own_words(error, wire)
    if passed is not None:
        return passed[0], headers, passed[1]
    status = CATEGORIES[error.category].anthropic_status or error.status
    return status, headers, _encode(anthropic_error(error, request_id))


def plain_response(error: GatewayError) -> bytes:
    """A whole HTTP/1.1 response for a request that never got as far as a dialect; the connection is then closed.

    The body holds what either family's SDK looks for in it."""
    body = _encode({"type": "error", "error": openai_error(error)})
    reason = HTTPStatus(error.status).phrase if error.status in set(HTTPStatus) else "Error"
    head = f"HTTP/1.1 {error.status} {reason}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
    return (
        f"{head}x-should-retry: {str(should_retry(error)).lower()}\r\nconnection: close\r\n\r\n".encode()
        + body
    )


def response_code(error: GatewayError) -> str:
    """`error.code` of a failed response."""
    return CATEGORIES[error.category].response


def _own_words(error: GatewayError, wire: str) -> tuple[int, bytes] | None:
    if error.fault != "caller" or not isinstance(error, ProviderRefusal) or error.wire != wire:
        return None
    # A proxy's HTML page, or an error inside a stream that began with 200, is not what the vendor answers.
    if not 400 <= error.upstream_status < 500 or not error.body.lstrip().startswith(b"{"):
        return None
    return error.upstream_status, error.body


def _retry_headers(error: GatewayError) -> list[tuple[bytes, bytes]]:
    headers = [(b"x-should-retry", b"true" if should_retry(error) else b"false")]
    seconds = error.retry_after
    if seconds is not None and math.isfinite(seconds):
        seconds = max(seconds, 0.0)
        headers.append((b"retry-after", str(math.ceil(seconds)).encode()))
        headers.append((b"retry-after-ms", str(math.ceil(seconds * 1000)).encode()))
    return headers
