"""From a vendor's error reply to one of our error classes, by a table per wire.

A wire hands in its own rules; the first that fits decides. What no rule knows is decided by the HTTP status, the same
way for every vendor. The body may be anything: JSON of another shape, HTML from a proxy, empty, megabytes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from time import time
from typing import NamedTuple

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

__all__ = ["DETAIL_CHARS", "Rule", "plain_detail", "refusal", "retry_after_seconds"]

DETAIL_CHARS = 300
"""So much of a provider's own words is kept."""

_KEPT_BODY = 64 * 1024


class Rule(NamedTuple):
    """Fits when all that it names fits. `kind` is the vendor's error type or code, `words` are looked for in its message."""

    error: type[ProviderRefusal]
    kind: str = ""
    status: int = 0
    words: str = ""

    def fits(self, status: int, kinds: Sequence[str], text: str) -> bool:
        if self.status and self.status != status:
            return False
        if self.kind and self.kind not in kinds:
            return False
        return not self.words or re.search(self.words, text, re.IGNORECASE) is not None


_BY_STATUS: dict[int, type[ProviderRefusal]] = {
    401: ProviderAuthFailed,
    402: ProviderQuotaSpent,
    403: ProviderAuthFailed,
    404: ProviderModelUnknown,
    # Time-outs and conflicts on the provider's side: the same request may succeed.
    408: ProviderFailed,
    409: ProviderFailed,
    425: ProviderFailed,
    429: ProviderRateLimited,
    503: ProviderOverloaded,
    529: ProviderOverloaded,
}

_MESSAGES: dict[type[ProviderRefusal], str] = {
    ProviderRejected: "The provider found the request invalid: {detail}",
    ContextTooLong: "The prompt does not fit the model's context; shorten it or ask for a model with a longer one. "
    "The provider says: {detail}",
    ContentFiltered: "The provider's content filter refused the request; change the prompt. The provider says: {detail}",
    ProviderModelUnknown: "The provider does not know the routed model, or our account has no access to it; check the "
    "model's name in the configuration",
    ProviderRateLimited: "The provider's rate limit for our account is reached; try again later",
    ProviderQuotaSpent: "Our account at the provider has no credit left; top it up or route elsewhere",
    ProviderAuthFailed: "The provider refused our credentials; check the provider's key in the configuration",
    ProviderOverloaded: "The provider is overloaded; try again later",
    ProviderFailed: "The provider failed to answer; try again later",
}


def refusal(
    rules: Sequence[Rule],
    *,
    wire: str,
    status: int,
    kinds: Sequence[str],
    text: str,
    body: bytes,
    headers: Headers | None = None,
    param: str | None = None,
    retry_after: float | None = None,
) -> ProviderRefusal:
    """The error behind a provider's refusal.

    status:  the HTTP status; 200 for an error inside a stream.
    kinds:   the vendor's error type and codes, as far as it sent any.
    text:    the vendor's message, or `plain_detail` of a body that is not of its wire.
    retry_after:  seconds, where the vendor says them in the body; a header goes before.
    """
    kind = next((rule.error for rule in rules if rule.fits(status, kinds, text)), None) or _by_status(status)
    detail = _cut(text)
    said = None if headers is None else retry_after_seconds(headers)
    return kind(
        _MESSAGES[kind].format(detail=detail or f"status {status}"),
        detail=detail,
        param=param,
        retry_after=retry_after if said is None else said,
        upstream_status=status,
        body=body[:_KEPT_BODY],
        wire=wire,
    )


def _by_status(status: int) -> type[ProviderRefusal]:
    known = _BY_STATUS.get(status)
    if known is not None:
        return known
    return ProviderRejected if 400 <= status < 500 else ProviderFailed


def plain_detail(body: bytes) -> str:
    """What can be read of a body that is not JSON: tags dropped, whitespace joined, cut to a bound."""
    text = body[: 8 * DETAIL_CHARS].decode("utf-8", "replace")
    return _cut(re.sub(r"<(script|style)\b.*?</\1>|<[^>]*>", " ", text, flags=re.IGNORECASE | re.DOTALL))


def _cut(text: str) -> str:
    text = " ".join(text[: 8 * DETAIL_CHARS].split())
    return text if len(text) <= DETAIL_CHARS else text[: DETAIL_CHARS - 1] + "…"


def retry_after_seconds(headers: Headers, *, wall: Callable[[], float] = time) -> float | None:
    """Seconds until the provider wants to be asked again: `retry-after-ms`, else `retry-after` as seconds or HTTP date.

    A date is measured from the reply's own `date` header, so that skew does not matter; without one, from our own clock.
    wall: seconds since 1970."""
    millis = _number(headers.first(b"retry-after-ms"))
    if millis is not None:
        return millis / 1000
    value = headers.first(b"retry-after")
    if value is None:
        return None
    seconds = _number(value)
    if seconds is not None:
        return seconds
    said = headers.first(b"date")
    try:
        then = parsedate_to_datetime(value.decode("latin-1"))
        if said is None:
            now = datetime.fromtimestamp(wall(), UTC)
        else:
            now = parsedate_to_datetime(said.decode("latin-1"))
        return max(0.0, (then - now).total_seconds())
    except (TypeError, ValueError, OverflowError):  # no date, or one with a zone and one without
        return None


def _number(value: bytes | None) -> float | None:
    if value is None or re.fullmatch(rb"\s*\d{1,12}(\.\d{1,9})?\s*", value) is None:
        return None
    return float(value)
