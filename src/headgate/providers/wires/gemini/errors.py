"""Google's errors in our classes."""

from __future__ import annotations

import re

import msgspec

from headgate.core.errors import (
    ContentFiltered,
    ContextTooLong,
    ProviderAuthFailed,
    ProviderFailed,
    ProviderModelUnknown,
    ProviderOverloaded,
    ProviderQuotaSpent,
    ProviderRateLimited,
    ProviderRefusal,
    ProviderRejected,
)
from headgate.providers.port import Headers
from headgate.providers.wires.refusals import Rule, plain_detail, refusal

__all__ = ["blocked", "is_refusal", "refusal_of"]

_CONTEXT = r"token count.{0,60}exceeds|exceeds the maximum number of tokens|input is too long"

_RULES = (
    # A wrong key is answered with 400.
    Rule(ProviderAuthFailed, kind="API_KEY_INVALID"),
    Rule(ProviderAuthFailed, kind="INVALID_ARGUMENT", words=r"api key not (valid|found)|api key expired"),
    Rule(ContextTooLong, kind="INVALID_ARGUMENT", words=_CONTEXT),
    Rule(ContentFiltered, kind="INVALID_ARGUMENT", words=r"safety|prohibited content|blocked by"),
    Rule(ProviderRejected, kind="INVALID_ARGUMENT"),
    Rule(ProviderRejected, kind="OUT_OF_RANGE"),
    Rule(ProviderQuotaSpent, kind="FAILED_PRECONDITION", words=r"billing"),
    # The region of our machine is not served, and the like: nothing the caller can change.
    Rule(ProviderAuthFailed, kind="FAILED_PRECONDITION"),
    Rule(ProviderAuthFailed, kind="PERMISSION_DENIED"),
    Rule(ProviderAuthFailed, kind="UNAUTHENTICATED"),
    Rule(ProviderModelUnknown, kind="NOT_FOUND"),
    Rule(
        ProviderQuotaSpent,
        kind="RESOURCE_EXHAUSTED",
        words=r"credits? (are|is) depleted|spend(ing)? (cap|limit)",
    ),
    Rule(ProviderRateLimited, kind="RESOURCE_EXHAUSTED"),
    Rule(ProviderOverloaded, kind="UNAVAILABLE"),
    Rule(ProviderFailed, kind="INTERNAL"),
    Rule(ProviderFailed, kind="DEADLINE_EXCEEDED"),
    Rule(ProviderFailed, kind="CANCELLED"),
)

_DELAY = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)s")


class _Detail(msgspec.Struct):
    reason: str = ""
    retryDelay: str = ""  # noqa: N815, the vendor's name


class _Error(msgspec.Struct):
    message: str = ""
    status: str = ""
    code: int = 0
    details: list[_Detail] = []


class _Body(msgspec.Struct):
    error: _Error


_decode = msgspec.json.Decoder(_Body).decode
_decode_list = msgspec.json.Decoder(list[_Body]).decode


def _error_in(body: bytes) -> _Error | None:
    try:
        # Streaming endpoints wrap their errors in an array.
        return _decode_list(body)[0].error if body.lstrip()[:1] == b"[" else _decode(body).error
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError, IndexError):
        return None


def is_refusal(body: bytes) -> bool:
    """Does `body` say `{"error": {…}}`?"""
    return _error_in(body) is not None


def refusal_of(wire: str, status: int, body: bytes, headers: Headers | None = None) -> ProviderRefusal:
    """The error a body of `{"error": {"status": …}}` reports, or whatever else came with the status."""
    error = _error_in(body)
    if error is None:
        return refusal(
            _RULES, wire=wire, status=status, kinds=(), text=plain_detail(body), body=body, headers=headers
        )
    delays = [float(found[1]) for detail in error.details if (found := _DELAY.fullmatch(detail.retryDelay))]
    return refusal(
        _RULES,
        wire=wire,
        status=error.code if status == 200 and error.code else status,
        kinds=[error.status, *(detail.reason for detail in error.details)],
        text=error.message,
        body=body,
        headers=headers,
        retry_after=max(delays, default=None),
    )


def blocked(wire: str, reason: str, body: bytes) -> ProviderRefusal:
    """The prompt was refused by `promptFeedback.blockReason`, in a reply with status 200."""
    rules = (Rule(ContentFiltered),)
    return refusal(
        rules, wire=wire, status=200, kinds=(), text=f"the prompt was blocked: {reason}", body=body
    )
