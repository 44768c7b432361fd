"""Bedrock's errors in our classes: the same exceptions come as HTTP errors and inside streams."""

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

__all__ = ["is_refusal", "refusal_in_stream", "refusal_of"]

_CONTEXT = (
    r"too long|context (length|window)|maximum.{0,30}tokens|too many (input )?tokens|exceeds.{0,40}tokens"
)
_NO_MODEL = (
    r"model identifier|isn.t supported|not supported.{0,30}throughput|end of its life|access to the model"
)

_RULES = (
    Rule(ContextTooLong, kind="validationexception", words=_CONTEXT),
    Rule(
        ContentFiltered,
        kind="validationexception",
        words=r"content filter|blocked by|guardrail.{0,20}interven",
    ),
    Rule(ProviderModelUnknown, kind="validationexception", words=_NO_MODEL),
    Rule(ProviderRejected, kind="validationexception"),
    Rule(ProviderModelUnknown, kind="accessdeniedexception", words=r"access to the model|model access"),
    Rule(
        ProviderQuotaSpent, kind="accessdeniedexception", words=r"payment instrument|marketplace subscription"
    ),
    Rule(ProviderAuthFailed, kind="accessdeniedexception"),
    Rule(ProviderAuthFailed, kind="unrecognizedclientexception"),
    Rule(ProviderAuthFailed, kind="invalidsignatureexception"),
    Rule(ProviderAuthFailed, kind="expiredtokenexception"),
    Rule(ProviderAuthFailed, kind="missingauthenticationtokenexception"),
    Rule(ProviderAuthFailed, kind="incompletesignatureexception"),
    Rule(ProviderModelUnknown, kind="resourcenotfoundexception"),
    Rule(ProviderRateLimited, kind="throttlingexception"),
    Rule(ProviderRateLimited, kind="servicequotaexceededexception"),
    Rule(ProviderOverloaded, kind="modelnotreadyexception"),
    Rule(ProviderOverloaded, kind="serviceunavailableexception"),
    Rule(ProviderFailed, kind="modeltimeoutexception"),
    Rule(ProviderFailed, kind="modelerrorexception"),
    Rule(ProviderFailed, kind="modelstreamerrorexception"),
    Rule(ProviderFailed, kind="internalserverexception"),
)


class _Body(msgspec.Struct):
    message: str | None = None
    Message: str | None = None
    originalMessage: str | None = None  # noqa: N815, the vendor's name
    kind: str | None = msgspec.field(name="__type", default=None)


_decode = msgspec.json.Decoder(_Body).decode


def _read(body: bytes) -> _Body | None:
    try:
        return _decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None


def is_refusal(body: bytes) -> bool:
    """Does `body` carry a message as Bedrock's errors do?"""
    found = _read(body)
    return found is not None and (found.message or found.Message or found.kind) is not None


def refusal_of(wire: str, status: int, body: bytes, headers: Headers | None = None) -> ProviderRefusal:
    """The error behind a reply that is not 2xx; its type stands in a header, or in the body."""
    found = _read(body) or _Body()
    named = headers.first(b"x-amzn-errortype") if headers is not None else None
    kinds = [_plain(named.decode("latin-1"))] if named else []
    if found.kind:
        kinds.append(_plain(found.kind))
    text = found.message or found.Message or plain_detail(body)
    return refusal(_RULES, wire=wire, status=status, kinds=kinds, text=text, body=body, headers=headers)


def refusal_in_stream(wire: str, kind: str, payload: bytes) -> ProviderRefusal:
    """The error an exception message inside the stream reports."""
    found = _read(payload) or _Body()
    text = found.originalMessage or found.message or found.Message or plain_detail(payload) or kind
    return refusal(_RULES, wire=wire, status=200, kinds=[_plain(kind)], text=text, body=payload)


def _plain(kind: str) -> str:
    """`com.amazon.coral.service#ThrottlingException:http://…` -> `throttlingexception`."""
    return kind.partition(":")[0].rpartition("#")[2].strip().lower()
