"""What can be done about a failed attempt, and who is to blame: two tables over the error classes. Pure."""

from __future__ import annotations

from typing import Literal

from headgate.core.errors import (
    BetweenTimeout,
    BudgetSpent,
    CallerMistake,
    ConnectTimeout,
    ContentFiltered,
    ContextTooLong,
    FirstContentTimeout,
    GatewayError,
    GatewayFault,
    HeadersTimeout,
    ProviderAuthFailed,
    ProviderFault,
    ProviderModelUnknown,
    ProviderQuotaSpent,
    ProviderRateLimited,
    ProviderRejected,
    TlsFailed,
    TotalTimeout,
    UnsupportedRequest,
)
from headgate.dispatch.manner import OnContentFilter
from headgate.providers.health.health import Verdict

__all__ = ["Remedy", "remedy", "rest_seconds", "shun_seconds", "verdict"]

Remedy = Literal["none", "elsewhere", "larger", "again"]
"""none: the error is the answer. elsewhere: another endpoint may do it, this one not again. larger: one with a longer
context may do it. again: another one may do it, and so may this one a little later."""

_NOT_AGAIN = (
    # Silent: whoever waited once does not wait a second time.
    ConnectTimeout,
    HeadersTimeout,
    FirstContentTimeout,
    BetweenTimeout,
    TotalTimeout,
    TlsFailed,
    ProviderAuthFailed,
    ProviderQuotaSpent,
    ProviderModelUnknown,
)
CREDENTIAL_SECONDS = 60.0
"""Seconds that a key the provider does not take comes after others: long enough to spare every request the detour, short
enough that a topped-up account is found. It is not left alone: where there is no other, its refusal says what is wrong."""

MOST_REST = 600.0
"""Seconds: a vendor may say nonsense, such as a moment where seconds are due, and nothing else ends a rest."""


def remedy(error: GatewayError, *, on_content_filter: OnContentFilter = "refuse") -> Remedy:
    """What may help after `error`, which came before any content."""
    if isinstance(error, ContextTooLong):
        return "larger"
    if isinstance(error, ContentFiltered):
        return "elsewhere" if on_content_filter == "failover" else "none"
    if isinstance(error, UnsupportedRequest | BudgetSpent):
        # Another place may be able to, or cheaper.
        return "elsewhere"
    if isinstance(error, CallerMistake | ProviderRejected | GatewayFault):
        return "none"
    if isinstance(error, _NOT_AGAIN):
        return "elsewhere"
    return "again" if isinstance(error, ProviderFault) else "none"


def verdict(error: GatewayError | None) -> Verdict:
    """What a call's end says about the endpoint's health. A refusal of the caller's mistake is a healthy answer; a spent
    or wrong key says nothing about the machines behind it."""
    if error is None or isinstance(error, ProviderRejected):
        return "ok"
    if isinstance(error, ProviderAuthFailed | ProviderQuotaSpent | ProviderModelUnknown):
        return "ignored"
    if isinstance(error, ProviderRateLimited) and error.retry_after is not None:
        return "ignored"  # it rests by its own word
    return "failed" if isinstance(error, ProviderFault) else "ignored"


def rest_seconds(error: GatewayError) -> float:
    """How long the endpoint shall not be asked, by its own word, at most `MOST_REST`; 0.0: it did not say."""
    if isinstance(error, ProviderFault) and not isinstance(error, ProviderRejected):
        return min(error.retry_after or 0.0, MOST_REST)
    return 0.0


def shun_seconds(error: GatewayError) -> float:
    """How long others shall be asked before it, if there are others: its key is not taken, or its account is empty."""
    return CREDENTIAL_SECONDS if isinstance(error, ProviderAuthFailed | ProviderQuotaSpent) else 0.0
