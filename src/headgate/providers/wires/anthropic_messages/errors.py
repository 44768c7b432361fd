"""Anthropic's errors in our classes. Types and codes as the SDK 2.12 lists them."""

from __future__ import annotations

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

__all__ = ["is_refusal", "refusal_of"]

_CONTEXT = r"prompt is too long|context window|exceed.{0,40}context|too many tokens"
_CREDIT = r"credit balance|billing|spend limit"
_FILTER = r"content filter|output blocked|usage polic"

_RULES = (
    Rule(ProviderQuotaSpent, kind="billing_error"),
    Rule(ProviderQuotaSpent, kind="enforced_spend_limit_reached"),
    Rule(ProviderQuotaSpent, kind="contract_spend_limit_reached"),
    Rule(ProviderQuotaSpent, kind="linked_organization_spend_limit_reached"),
    Rule(ProviderQuotaSpent, kind="invalid_request_error", words=_CREDIT),
    Rule(ContextTooLong, kind="invalid_request_error", words=_CONTEXT),
    Rule(ContentFiltered, kind="invalid_request_error", words=_FILTER),
    Rule(ProviderRejected, kind="request_too_large"),
    Rule(ProviderRejected, kind="invalid_request_error"),
    Rule(ProviderAuthFailed, kind="authentication_error"),
    Rule(ProviderAuthFailed, kind="permission_error"),
    Rule(ProviderModelUnknown, kind="not_found_error"),
    Rule(ProviderRateLimited, kind="rate_limit_error"),
    Rule(ProviderOverloaded, kind="overloaded_error"),
    Rule(ProviderFailed, kind="timeout_error"),
    Rule(ProviderFailed, kind="api_error"),
)


class _Details(msgspec.Struct):
    error_code: str | None = None


class _Error(msgspec.Struct):
    type: str = ""
    message: str = ""
    details: _Details | None = None


class _Body(msgspec.Struct):
    error: _Error


_decode = msgspec.json.Decoder(_Body).decode


def is_refusal(body: bytes) -> bool:
    """Does `body` say `{"error": {…}}`?"""
    try:
        _decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return False
    return True


def refusal_of(wire: str, status: int, body: bytes, headers: Headers | None = None) -> ProviderRefusal:
    """The error a body of `{"type": "error", "error": {…}}` reports, or whatever else came with the status."""
    kinds: list[str] = []
    try:
        error = _decode(body).error
        kinds = [error.type] if error.details is None else [error.details.error_code or "", error.type]
        text = error.message
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        text = plain_detail(body)
    return refusal(_RULES, wire=wire, status=status, kinds=kinds, text=text, body=body, headers=headers)
